"""The cheap baselines that stand beside every comparison."""

import time
from collections.abc import Callable

from labkit.base import machine
from labkit.base.records import Run
from labkit.base.statistics import coded
from labkit.data.corpus import Corpus


def bare(corpus: Corpus, **found) -> Run:
    """A run of which only what is given is known."""
    sizes = {f"n_{split}": len(rows) for split, rows in corpus.splits.items()}
    scores = dict.fromkeys(("valid_accuracy", "valid_macro_f1", "test_accuracy", "test_macro_f1", "peak_memory_mb"))
    zeros = dict.fromkeys(("epochs", "seconds", "samples_per_second", "trainable_parameters", "total_parameters"), 0)
    about = {"name": corpus.name, "labels": list(corpus.labels), "fingerprint": corpus.fingerprint}
    return Run(**{**sizes, **scores, **zeros, "corpus": about, "versions": machine.versions(), **found})


def baseline(corpus: Corpus) -> Run:
    """TF-IDF of 1 to 3 characters and logistic regression: seconds of work, and hard to beat when labels are many."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.perf_counter()
    rare = 2 if len(corpus.train) >= 100 else 1  # in a handful of rows nearly everything stands once
    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=rare)
    line = make_pipeline(features, LogisticRegression(C=10, max_iter=2000))
    line.fit([r.text for r in corpus.train], [r.label for r in corpus.train])
    seconds = time.perf_counter() - began
    size = line[-1].coef_.size + line[-1].intercept_.size
    return scored(
        corpus,
        lambda rows: line.predict_log_proba([r.text for r in rows]),
        strategy="tf-idf",
        model="TF-IDF + logistic regression",
        seconds=seconds,
        samples_per_second=len(corpus.train) / seconds,
        trainable_parameters=size,
        total_parameters=size,
    )


def majority(corpus: Corpus) -> Run:
    """The commonest class of the training rows, whatever the text: a strategy that does no better has learned nothing."""
    import numpy as np

    counts = np.bincount([r.label for r in corpus.train], minlength=len(corpus.labels))
    shares = np.log((counts + 1) / (counts + 1).sum())
    return scored(corpus, lambda rows: np.tile(shares, (len(rows), 1)), strategy="majority", model="majority class")


BASELINES = {"tf-idf": baseline, "majority": majority}


def scored(corpus: Corpus, log_p: Callable, **about) -> Run:
    """A baseline's run: `log_p(rows)` gives the logarithms of its probabilities, (rows, classes)."""
    import torch

    scores, more = {}, {}
    for split in ("valid", "test"):
        rows = corpus.splits[split]
        if not rows:
            continue
        logits, truth = torch.tensor(log_p(rows)), torch.tensor([r.label for r in rows])
        found = scores[split] = corpus.task.score(logits, truth, corpus.labels)
        scores |= {f"{split}_accuracy": found.accuracy, f"{split}_macro_f1": found.macro_f1}
        more = {"answers": coded(logits.argmax(-1)), "truth": coded(truth)} if split == "test" else {}
    return bare(corpus, seed=0, device="cpu", **scores, **more, **about)
