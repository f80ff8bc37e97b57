"""The cheap baselines that stand beside every comparison: whatever the task offers (tasks/contract.py)."""

import time

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run, as_stored
from labkit.comparison.job import bare
from labkit.data.corpus import Corpus


def baseline(corpus: Corpus, name: str | None = None) -> Run:
    """A cheap baseline of the corpus's task as a run like the others: the strongest, or the one of that name.

    >>> baseline(corpus).strategy                            # TF-IDF of 1 to 3 characters and logistic regression
    'tf-idf'

    Seconds of work, and hard to beat when labels are many. BadInput where the task has no such baseline.
    """
    fits = corpus.task.baselines(corpus.train)
    if not fits or name not in (None, *fits):
        task = corpus.task.name
        raise BadInput(
            tr(
                f"任务 {task} 没有基线 {name or ''}；有：{listing(fits) or '无'}。",
                f"The task {task} has no baseline {name or ''}; it has: {listing(fits) or 'none'}.",
            )
        )
    name, began = name or next(iter(fits)), time.perf_counter()
    fitted = fits[name]()
    seconds = time.perf_counter() - began if fitted.parameters else 0.0  # what learns nothing has no speed
    scores, stored = {}, {}
    for split in ("valid", "test"):
        examples = corpus.splits[split]
        if not examples:
            continue
        answers, truth = fitted.answer([e.input for e in examples]), [corpus.task.truth(e) for e in examples]
        scores[split] = corpus.task.score(answers, truth, corpus.task.mean_loss(answers, truth))
        if split == "test":
            stored = {"answers": as_stored(map(corpus.task.said, answers)), "truth": as_stored(truth)}
    return bare(
        corpus,
        strategy=name,
        model=fitted.title,
        seed=0,
        device="cpu",
        seconds=seconds,
        samples_per_second=len(corpus.train) / seconds if seconds else 0,
        trainable_parameters=fitted.parameters,
        total_parameters=fitted.parameters,
        scores=scores,
        identity=baseline_identity(corpus, name),
        **stored,
    )


def majority(corpus: Corpus) -> Run:
    """The commonest class of the training rows, whatever the input: a strategy that does no better has learned nothing.

    >>> len(set(majority(corpus).answers))
    1
    """
    return baseline(corpus, "majority")


def baseline_identity(corpus: Corpus, name: str) -> dict:
    """What makes it this baseline's run and no other: it knows no model and no settings."""
    return {"strategy": {"name": name}, "corpus": corpus.fingerprint}


def is_baseline(run: Run) -> bool:
    """Whether a stored run is a baseline's: nothing was set for it."""
    return not run.config
