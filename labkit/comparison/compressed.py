"""What a smaller model costs and saves: the same rows, the same machine, one table. Accuracy with its interval and a paired
verdict, megabytes, milliseconds for one row, rows a second in batches. Notebook 17 uses it.
"""

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.display import box, table_html, table_text
from labkit.base.language import tr
from labkit.base.records import BadInput, Measure
from labkit.base.statistics import Z, bootstrap
from labkit.comparison.verdict import Verdict, in_points, signed
from labkit.data.corpus import Corpus
from labkit.models.exported import Exported
from labkit.models.loading import fitting, load
from labkit.models.state import asking, buffers, device_of
from labkit.tasks import Metric
from labkit.training.evaluation import answered
from labkit.training.network import one_token

ALONE, TOGETHER = 16, 16  # rows that are timed one by one; rows of a batch
ROUNDS = 3
DROP = 0.01  # what is said even where it may be luck


@dataclass(frozen=True)
class Variant:
    """One way to have a model, measured."""

    name: str
    score: Measure
    megabytes: float
    milliseconds: float  # the median for one row
    per_second: float  # rows, in batches of 16 of like length
    verdict: Verdict | None  # against the first; None for that one
    said: tuple  # the answer to each row


@dataclass(frozen=True)
class Compressed:
    """What `compress_compare` found; shows as a table. The first variant is the one that the others are held against."""

    variants: tuple[Variant, ...]
    metric: Metric
    rows: int
    threads: int

    def __getitem__(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    def header(self) -> list[str]:
        title = tr(*self.metric.title)
        return [
            tr("模型", "model"),
            title,
            tr("95 %", "95 %"),
            "MB",
            tr("一行（毫秒，p50）", "one row (ms, p50)"),
            tr("每秒行数（批 16）", "rows/s (batch 16)"),
            tr("与第一行相差", "against the first"),
        ]

    def lines(self) -> list[list[str]]:
        return [line_of(v, self.variants[0], self.metric) for v in self.variants]

    def drops(self) -> list[str]:
        """A sentence for each variant that loses more than a point, or a hundredth, of the metric."""
        return [said_of_drop(v) for v in self.variants if v.verdict and lost(v.verdict) > DROP]

    def note(self) -> str:
        return tr(
            f"{self.rows} 行，{self.threads} 个线程；▲ 更好，▼ 更差，≈ 分不出高下（成对，95 %）",
            f"{self.rows} rows, {self.threads} thread{'s' * (self.threads > 1)}; ▲ better, ▼ worse, ≈ inside the noise (paired, 95 %)",
        )

    def __str__(self) -> str:
        return "\n".join([table_text(self.header(), self.lines()), self.note(), *self.drops()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{text}</div>" for text in self.drops())
        return box(table_html(self.header(), self.lines()), f"<div class=m>{self.note()}</div>{notes}")

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric.name,
            "rows": self.rows,
            "threads": self.threads,
            "variants": [told(v) for v in self.variants],
        }


def told(v: Variant) -> dict[str, Any]:
    """A variant as plain values; differences in the metric's own unit."""
    verdict = v.verdict
    paired = verdict and {
        "word": verdict.word, "difference": verdict.difference, "low": verdict.low, "high": verdict.high
    }  # fmt: skip
    return {
        "name": v.name,
        "score": v.score.value,
        "low": v.score.low,
        "high": v.score.high,
        "megabytes": v.megabytes,
        "milliseconds": v.milliseconds,
        "rows_per_second": v.per_second,
        "verdict": paired,
    }


def line_of(v: Variant, first: Variant, metric: Metric) -> list[str]:
    score = v.score
    span = "" if score.low is None else f"{score.low:.3f} … {score.high:.3f}"
    mark = ""
    if v.verdict:
        mark = {"better": "▲", "worse": "▼", "noise": "≈"}[v.verdict.word]
        mark += f" {' … '.join(signed(x, metric) for x in (v.verdict.low, v.verdict.high))}"
    times = lambda a, b: "" if v is first else f" ({a / b:.1f}x)"  # noqa: E731
    return [
        v.name,
        f"{score.value:.3f}",
        span,
        f"{v.megabytes:.2f}" + ("" if v is first else f" ({v.megabytes / first.megabytes:.2f})"),
        f"{v.milliseconds:.2f}" + times(first.milliseconds, v.milliseconds),
        f"{v.per_second:.0f}" + times(v.per_second, first.per_second),
        mark,
    ]


def lost(verdict: Verdict) -> float:
    """How much worse `a` is; below 0 where it is better."""
    return -verdict.difference if verdict.metric.greater else verdict.difference


def said_of_drop(v: Variant) -> str:
    verdict = v.verdict
    span = f"{signed(verdict.difference, verdict.metric)} ({signed(verdict.low, verdict.metric)} … {signed(verdict.high, verdict.metric)})"
    unit = tr("个百分点", "points") if in_points(verdict.metric) else ""
    sure = tr("", "") if verdict.word == "worse" else tr("（可能是运气）", " (which may be luck)")
    return tr(
        f"注意：{v.name} 的{tr(*verdict.metric.title)}掉了 {span} {unit}{sure}。",
        f"Note: {v.name} loses {tr(*verdict.metric.title)}: {span} {unit}{sure}.",
    )


def compress_compare(
    variants: Mapping[str, Any], corpus: Corpus, *, split: str = "test", threads: int = 1, max_length: int = 256
) -> Compressed:
    """Compare models, or folders that hold them, on the same rows: the first is what the others are held against.

    >>> found = compress_compare({"whole": model, "half": drop_layers(model, 2)}, corpus); print(found)     # or "out/int8"
    >>> found["half"].verdict.word                          # "better", "worse", "noise"

    Scores are of the corpus's test rows. Times are those of the network with its batch ready, on `threads` threads of the
    processor; they go by turns, and are medians of several rounds. Raises BadInput where tasks differ.
    """
    if len(variants) < 1:
        raise BadInput(tr("请至少给一个模型。", "Give at least one model."))
    rows = corpus.splits[split]
    with on_threads(threads):
        models = {name: ready(model, threads) for name, model in variants.items()}
        for name, model in models.items():
            if model.task != corpus.task:
                raise BadInput(
                    tr(
                        f"{name} 的任务或标签和数据的不同：请给训练它的那种数据。",
                        f"{name} has another task or other labels than the corpus: give data of the kind that it was trained on.",
                    )
                )
        found = {name: answered(model, rows, max_length) for name, model in models.items()}
        alone, together = timed(models, rows, max_length)
    task, metric = corpus.task, corpus.task.metrics[0]
    truth = [task.truth(e) for e in rows]
    said = {name: [task.said(a) for a in answers] for name, (_, _, answers) in found.items()}
    first = next(iter(models))
    drawn = draws(task, metric, said, truth)
    made = []
    for i, (name, (items, losses, answers)) in enumerate(found.items()):
        scores = task.score(answers, truth, losses.sum().item() / task.units(items))
        verdict = None if name == first else against(metric, name, first, drawn[:, i], drawn[:, 0], len(rows))
        size = megabytes(models[name], variants[name])
        made.append(
            Variant(name, scores.metrics[metric.name], size, alone[name], together[name], verdict, tuple(said[name]))
        )
    return Compressed(tuple(made), metric, len(rows), threads)


def draws(task, metric: Metric, said: dict[str, list], truth: list) -> Any:
    """The metric on rows drawn anew, the same for each variant, with the rows as they are on top: (draws + 1, variants)."""
    import numpy as np

    counts = np.stack([task.table(s, truth) for s in said.values()])
    return np.concatenate([metric.of(counts.sum(1))[None], bootstrap(metric.of, counts)])


def against(metric: Metric, name: str, first: str, one, other, rows: int) -> Verdict:
    difference = one - other
    half = Z * float(difference[1:].std(ddof=1))
    middle = float(difference[0])
    return Verdict(name, first, metric, middle, middle - half, middle + half, 1, rows)


# Models and their sizes


def ready(model, threads: int) -> Any:
    """A model as it is timed: on the processor, with so many threads."""
    model = load(model) if isinstance(model, (str, Path)) else model
    if not isinstance(model, Exported):
        return model
    fresh = Exported(model.path, threads)
    for name in ("config", "processor", "task", "source"):
        setattr(fresh, name, getattr(model, name))
    return fresh.eval()


def megabytes(model, given) -> float:
    """The weights on disk; of a model that is only in memory, what they would take there."""
    place = Path(given) if isinstance(given, (str, Path)) else None
    if isinstance(model, Exported):
        return model.path.stat().st_size / 1e6
    files = sorted(place.glob("*.safetensors")) if place and place.is_dir() else []
    if files and not (place / "adapter_config.json").exists():
        return sum(f.stat().st_size for f in files) / 1e6
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *buffers(model).values())) / 1e6


# Times


@contextlib.contextmanager
def on_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def timed(models: dict[str, Any], rows: Sequence, max_length: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median milliseconds of one row, and rows a second in batches of like length; the models take turns."""
    one = {name: batches(model, rows, max_length, 1, ALONE) for name, model in models.items()}
    many = {name: batches(model, rows, max_length, TOGETHER, 4 * TOGETHER) for name, model in models.items()}
    alone: dict[str, list[float]] = {name: [] for name in models}
    together: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(ROUNDS + 1):
        for name, model in models.items():
            spent, whole = clocked(model, one[name]), clocked(model, many[name])
            if turn:  # the first warms up
                alone[name] += spent
                together[name].append(sum(map(len_of, many[name])) / sum(whole))
    return (
        {name: 1000 * statistics.median(times) for name, times in alone.items()},
        {name: statistics.median(rates) for name, rates in together.items()},
    )


def batches(model, rows: Sequence, max_length: int, size: int, count: int) -> list:
    """Batches of like length from rows spread over the split, where the model computes."""
    chosen = rows[:: max(1, len(rows) // count)][:count]
    items = sorted(model.task.encode(model.processor, chosen, fitting(model, max_length)), key=model.task.size)
    groups = [items[i : i + size] for i in range(0, len(items), size)]
    return [model.task.collate(model.processor, group).to(device_of(model)) for group in groups]


def len_of(batch) -> int:
    return len(next(iter(batch.inputs.values())))


def clocked(model, some: Sequence) -> list[float]:
    """Seconds of each batch."""
    spent = []
    with asking(model), one_token(model, model.task):
        for batch in some:
            began = time.perf_counter()
            model.task.ask(model, batch)
            spent.append(time.perf_counter() - began)
    return spent
