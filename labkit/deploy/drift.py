"""What a service is asked today against what its model was trained on: lengths, labels, confidence, each with an interval.

Only what moved by more than its uncertainty is said to have moved, and all intervals hold together: with k measures each
leaves out 5 % / k (Bonferroni). Requests that come one after the other are alike; so the spread of whole stretches of the
log counts where it is larger than that of single rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.display import box, table_html, table_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.data.corpus import Corpus
from labkit.deploy.journal import Logged, read_log
from labkit.training.evaluation import predict

LEAST = 30  # answered inputs below which intervals say nothing
STRETCHES = 20  # of the log, one after the other
LONG = 0.99  # the share of training inputs that a "long" one is longer than
SURE = 0.05  # what all intervals together leave out


@dataclass(frozen=True)
class Shift:
    """One number before and after, and the interval of its change. `kind` is "length", "long", "label" or "confidence"."""

    kind: str
    name: str  # for people
    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        return self.after - self.before

    @property
    def moved(self) -> bool:
        return not self.low <= 0 <= self.high

    @property
    def share(self) -> bool:
        return self.kind != "length"


@dataclass(frozen=True)
class Drift:
    """What `drift` found. Shows as a table; `moved` are the shifts beyond their uncertainty."""

    shifts: tuple[Shift, ...]
    before: tuple[int, ...]  # lengths of the training inputs
    after: tuple[int, ...]  # lengths in the log
    unit: str  # of lengths
    against: str  # what labels are compared with, in words

    @property
    def moved(self) -> list[Shift]:
        return [s for s in self.shifts if s.moved]

    def lines(self) -> list[list[str]]:
        return [[s.name, *map(spelled(s), (s.before, s.after)), interval(s), verdict(s)] for s in self.shifts]

    def summary(self) -> str:
        counts = tr("{} 个训练输入，日志里 {} 个；", "{} training inputs, {} in the log; ").format(
            len(self.before), len(self.after)
        )
        moved = listing(s.name for s in self.moved)
        none = tr("没有超出不确定度的变化", "nothing moved beyond its uncertainty")
        return counts + (tr("变了的：", "moved: ") + moved if moved else none)

    def __str__(self) -> str:
        return f"{table_text(header(), self.lines())}\n{self.summary()}\n{self.against}"

    def _repr_html_(self) -> str:
        return box(table_html(header(), self.lines()), f"<div>{self.summary()}</div><div class=m>{self.against}</div>")


def drift(log, corpus: Corpus, model: Any = None) -> Drift:
    """Compare the log of a service, a file of `labkit serve --log`, with the rows that its model was trained on.

    >>> found = drift("service.log", corpus)                # found.moved: what moved; plots.drift(found) draws it
    >>> found = drift("service.log", corpus, model)          # better: labels and confidence by the same model

    Without `model`, labels said in the log are compared with the true labels of the training rows, so that what the model
    always gets wrong looks like a shift. With it, they are compared with what the model says of the validation and test
    rows, and confidence is too. Raises BadInput where the log has too few answers, or labels that the corpus has not.
    """
    rows = read_log(log) if not isinstance(log, (list, tuple)) else list(log)
    check(rows, corpus)
    modality = corpus.task.modality
    before = [modality.extent(e.input) or 0 for e in corpus.train]
    after = [row.length for row in rows]
    pairs: list[tuple[str, str, list, list]] = []
    if modality.extent(corpus.train[0].input) is not None:
        end = sorted(before)[int(LONG * (len(before) - 1))]
        name = tr(f"平均长度（{modality.unit()}）", f"mean length ({modality.unit()})")
        pairs = [("length", name, before, after)]
        pairs += [
            ("long", tr(f"比 {end} 长的", f"longer than {end}"), [n > end for n in before], [n > end for n in after])
        ]
    pairs += label_pairs(rows, corpus, model)
    times = quantile(SURE / max(1, len(pairs)))
    shifts = tuple(shift(kind, name, one, other, times) for kind, name, one, other in pairs)
    words = (
        tr("标签与模型在验证集和测试集上的回答相比", "labels against the model's answers to validation and test rows")
        if model is not None
        else tr(
            "标签与训练集的真实标签相比：模型一贯的偏差也算在内",
            "labels against the true ones of the training rows: what the model always gets wrong is in it",
        )
    )
    return Drift(shifts, tuple(before), tuple(after), modality.unit(), words)


def check(rows: Sequence[Logged], corpus: Corpus) -> None:
    if len(rows) < LEAST:
        raise BadInput(
            tr(
                f"日志里只有 {len(rows)} 个回答，少于 {LEAST} 个看不出什么。请多收集一些。",
                f"The log holds {len(rows)} answers; fewer than {LEAST} tell nothing. Let it collect more.",
            )
        )
    if strange := sorted({label for row in rows for label in parts(row.label, corpus)} - set(corpus.labels)):
        raise BadInput(
            tr(
                f"日志里的标签 {listing(strange)} 不在数据里（有：{listing(corpus.labels)}）。请给训练这个模型用的数据。",
                f"The log's labels {listing(strange)} are not in the corpus ({listing(corpus.labels)}). Give the data that "
                "this model was trained on.",
            )
        )


def parts(label: str | None, corpus: Corpus) -> list[str]:
    """The labels that an answer names: several of a task of several labels, joined by a bar."""
    if not label:
        return []
    return [label] if label in corpus.labels else label.split("|")


def label_pairs(rows: Sequence[Logged], corpus: Corpus, model) -> list[tuple[str, str, list, list]]:
    """Of every label whether a row has it, before and after; with a model also how sure it is."""
    if not corpus.labels or all(row.label is None for row in rows):
        return []
    said = [set(parts(row.label, corpus)) for row in rows]
    sure: list[tuple[str, str, list, list]] = []
    if model is None:
        known = [{corpus.labels[i] for i in corpus.task.classes(e)} for e in corpus.train]
    else:
        found = predict(model, [e.input for e in (*corpus.valid, *corpus.test)])
        known = [set(parts(p.label, corpus)) for p in found]
        logged = [row.confidence for row in rows if row.confidence is not None]
        if logged:
            name = tr("平均概率（说出的标签）", "mean probability of what is said")
            sure = [("confidence", name, [p.probability for p in found], logged)]
    pairs = [
        ("label", tr("标签 ", "label ") + label, [label in k for k in known], [label in s for s in said])
        for label in corpus.labels
    ]
    if len(pairs) == 2 and all(len(s) == 1 for s in (*said, *known)):
        pairs = pairs[:1]  # the other one says the same
    return pairs + sure


def quantile(outside: float) -> float:
    """How many standard errors leave out so much on both sides together."""
    from scipy.special import ndtri

    return float(-ndtri(outside / 2))


def shift(kind: str, name: str, before: Sequence, after: Sequence, times: float) -> Shift:
    """The change of a mean with its interval. Shares have one right and one wrong row added on each side (Agresti and Caffo
    2000), so that none or all of few rows is no certainty."""
    import numpy as np

    one, two = (np.asarray(x, dtype=float) for x in (before, after))
    more = (0.0, 1.0) if kind in ("long", "label") else ()
    wide_one, wide_two = np.append(one, more), np.append(two, more)
    variance = wide_one.var(ddof=1) / len(wide_one)
    half = math.hypot(times * math.sqrt(variance), reach(wide_two, two, times))
    middle = float(wide_two.mean() - wide_one.mean())
    return Shift(kind, name, float(one.mean()), float(two.mean()), middle - half, middle + half)


def reach(values, in_order, times: float) -> float:
    """Half the interval of the mean of what was logged: by single rows, or by whole stretches where that is more."""
    import numpy as np
    from scipy.special import ndtr, stdtrit

    single = times * math.sqrt(values.var(ddof=1) / len(values))
    if len(in_order) < 5 * STRETCHES:
        return single
    means = [part.mean() for part in np.array_split(in_order, STRETCHES)]
    student = float(stdtrit(STRETCHES - 1, ndtr(times)))
    return max(single, student * float(np.std(means, ddof=1)) / math.sqrt(STRETCHES))


# Words


def header() -> list[str]:
    return ["", tr("训练时", "training"), tr("现在", "now"), tr("变化（95 %）", "change (95 %)"), tr("判断", "verdict")]


def spelled(s: Shift):
    return (lambda x: f"{x:.1%}") if s.share else (lambda x: f"{x:.1f}")


def interval(s: Shift) -> str:
    scale, digits = (100, 1) if s.share else (1, 1)
    low, high = (f"{scale * x:+.{digits}f}".replace("-", "−") for x in (s.low, s.high))
    return tr("{} 到 {}", "{} to {}").format(low, high) + (tr(" 个百分点", " points") if s.share else "")


def verdict(s: Shift) -> str:
    if not s.moved:
        return tr("在不确定度之内", "inside the noise")
    return tr("升了", "rose") if s.low > 0 else tr("降了", "fell")
