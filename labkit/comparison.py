"""Many runs, one table: strategies x seeds on the same rows, with the cheap baseline beside. Notebook 02 uses it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from labkit import machine
from labkit.checkpoint import load_run, save_run
from labkit.data import Corpus
from labkit.models import load
from labkit.records import BadInput, Run, summarise
from labkit.strategies import Strategy, name_of, settings_of
from labkit.text import listing, tr
from labkit.training import TrainConfig, Trainer


def compare(
    strategies: Sequence[Strategy],
    corpus: Corpus,
    model: str = "tiny-bert-zh",
    seeds: Sequence[int] = (0,),
    config: TrainConfig | None = None,
    *,
    out=None,
    listen: Callable[[Any], None] | None = None,
) -> list[Run]:
    """One run for each strategy and seed, each on a fresh model.

    >>> runs = compare([Full(), HeadOnly(), TopK(2)], reviews(), seeds=(0, 1, 2))
    >>> print(table(runs, baseline(reviews())))

    With `out`, each run is kept there as a JSON file, and one that is there already is read instead of repeated.
    Ctrl-C gives the runs that are finished. Raises BadInput for a file in `out` that is of another comparison.
    """
    found: list[Run] = []
    for seed in seeds:
        for strategy in strategies:
            chosen = replace(config or TrainConfig(), seed=seed)
            path = Path(out) / f"{name_of(strategy)}-s{seed}.json" if out else None
            if path and path.exists():
                found.append(known(path, strategy, corpus, model, chosen))
                continue
            trainer = Trainer(load(model, corpus.labels, seed=seed), corpus, strategy, chosen)
            run = trainer.fit(*([listen] if listen else []))
            if run.stopped == "interrupted":
                return found
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_run(run, path)
            found.append(run)
    return found


def known(path: Path, strategy: Strategy, corpus: Corpus, model: str, config: TrainConfig) -> Run:
    """The run in a file, provided that it is the one that would be done."""
    run, wanted = load_run(path), asdict(config)
    same = {
        tr("策略", "strategy"): (run.strategy, run.settings) == (name_of(strategy), settings_of(strategy)),
        tr("数据", "corpus"): run.corpus["fingerprint"] == corpus.fingerprint,
        tr("模型", "model"): run.model == str(model),
        tr("训练设置", "config"): all(run.config.get(k) == v for k, v in wanted.items() if v is not None),
    }
    other = [word for word, is_same in same.items() if not is_same]
    if other:
        raise BadInput(
            tr(
                f"{path} 是另一次比较的结果（{listing(other)}不同）。请换一个 out，或删除这个文件。",
                f"{path} is of another comparison (other {listing(other)}). Take another out, or delete that file.",
            )
        )
    return run


def baseline(corpus: Corpus) -> Run:
    """TF-IDF of 1 to 3 characters and logistic regression: seconds of work, and hard to beat when labels are many."""
    import torch
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.perf_counter()
    rare = 2 if len(corpus.train) >= 100 else 1  # in a handful of rows nearly everything stands once
    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=rare)
    line = make_pipeline(features, LogisticRegression(C=10, max_iter=2000))
    line.fit([r.text for r in corpus.train], [r.label for r in corpus.train])
    seconds = time.perf_counter() - began
    scores = {}
    for split in ("valid", "test"):
        rows = corpus.splits[split]
        logits = torch.tensor(line.predict_log_proba([r.text for r in rows]))
        scores[split] = corpus.task.score(logits, torch.tensor([r.label for r in rows]), corpus.labels)
    size = line[-1].coef_.size + line[-1].intercept_.size
    return Run(
        strategy="tf-idf",
        model="TF-IDF + logistic regression",
        seed=0,
        device="cpu",
        epochs=0,
        n_train=len(corpus.train),
        n_valid=len(corpus.valid),
        n_test=len(corpus.test),
        valid_accuracy=scores["valid"].accuracy,
        valid_macro_f1=scores["valid"].macro_f1,
        test_accuracy=scores["test"].accuracy,
        test_macro_f1=scores["test"].macro_f1,
        seconds=seconds,
        samples_per_second=len(corpus.train) / seconds,
        peak_memory_mb=None,
        trainable_parameters=size,
        total_parameters=size,
        corpus={"name": corpus.name, "labels": list(corpus.labels), "fingerprint": corpus.fingerprint},
        valid=scores["valid"],
        test=scores["test"],
        versions=machine.versions(),
    )


class Table(list):
    """Lines of a comparison, best first; prints as text and shows as HTML."""

    def header(self) -> list[str]:
        return [
            tr("策略", "strategy"),
            tr("测试准确率", "test accuracy"),
            tr("95 % 区间", "95 % interval"),
            "macro-F1",
            tr("训练参数", "trained"),
            tr("占比", "share"),
            tr("秒", "seconds"),
            tr("行/秒", "rows/s"),
        ]

    def cells(self) -> list[list[str]]:
        return [
            [
                r.strategy,
                f"{r.accuracy:.3f}",
                f"{r.low:.3f}–{r.high:.3f}",
                f"{r.macro_f1:.3f}",
                f"{r.trainable_parameters:,}",
                f"{r.trainable_parameters / r.total_parameters:.1%}",
                f"{r.seconds:.1f}",
                f"{r.samples_per_second:,.0f}",
            ]
            for r in self
        ]

    def __str__(self) -> str:
        rows = [self.header(), *self.cells()]
        widths = [max(wide(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(pad(c, w, left=i == 0) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows
        ]
        lines.insert(1, "─" * wide(lines[0]))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.show import box, table_html

        return box(table_html(self.header(), self.cells()))


def table(runs: Sequence[Run], *baselines: Run) -> Table:
    """The comparison as a table, best test accuracy first, baselines among the strategies."""
    return Table(sorted(summarise([*runs, *baselines]), key=lambda line: -line.accuracy))


def wide(text: str) -> int:
    """Columns that a text takes in a terminal: Chinese characters take two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, left: bool) -> str:
    gap = " " * (width - wide(text))
    return text + gap if left else gap + text
