"""The frozen words that cross floors: rows, events, scores, runs. Plain data, JSON in and out. Leans on text and intervals."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from labkit.intervals import Z, doubt, redrawn
from labkit.text import tr


class BadInput(ValueError):
    """Something given to labkit cannot be used; the message says what was given, what is accepted, what to do."""


@dataclass(frozen=True)
class Row:
    """One labelled text. `label` is an index into the corpus's label names; `extra` holds the CSV's other columns."""

    text: str
    label: int
    extra: dict = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class ClassScore:
    label: str
    n: int  # rows of this class
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """How good the answers to `n` rows are. `low` and `high` bound the accuracy with 95 % confidence (Wilson)."""

    n: int
    loss: float  # mean cross-entropy in nats
    accuracy: float
    low: float
    high: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]  # confusion[true][predicted], rows


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows gave."""

    epoch: int  # 1 is the first
    steps: int  # optimizer steps since the start
    train_loss: float  # mean over the epoch, while the weights were moving
    valid_loss: float
    valid_accuracy: float
    valid_macro_f1: float
    seconds: float  # training alone, without evaluation


@dataclass(frozen=True)
class StepDone:
    """One optimizer step. `loss` is a tensor until somebody asks for the number: on a GPU, asking waits."""

    step: int
    steps: int  # in the whole run
    epoch: int
    lr: float
    loss_tensor: Any = field(repr=False, compare=False)

    @property
    def loss(self) -> float:
        return float(self.loss_tensor)


@dataclass(frozen=True)
class EpochDone:
    epoch: Epoch
    scores: Scores  # on the validation rows
    best: bool  # the best epoch so far


@dataclass(frozen=True)
class Notice:
    """Something the run decided by itself and says aloud, such as a smaller batch."""

    text: str


@dataclass(frozen=True)
class RunBegins(Notice):
    """One of the runs of a comparison begins: the first of 27 has `number` 1 and `total` 27."""

    strategy: str
    seed: int
    number: int
    total: int


@dataclass(frozen=True)
class Run:
    """One training run, whole: what `labkit train --json` prints and what every table and figure is made from."""

    strategy: str
    model: str
    seed: int
    device: str
    epochs: int  # epochs finished
    n_train: int
    n_valid: int
    n_test: int
    valid_accuracy: float | None
    valid_macro_f1: float | None
    test_accuracy: float | None
    test_macro_f1: float | None
    seconds: float  # wall time of training, evaluation included
    samples_per_second: float  # training rows a second, evaluation left out
    peak_memory_mb: float | None
    trainable_parameters: int
    total_parameters: int
    saved_bytes: int | None = None
    out: str | None = None
    stopped: str | None = (
        None  # "early" (patience), "diverged" (a loss that is no number), "interrupted", or None where every epoch was done
    )
    best_epoch: int | None = None
    settings: dict = field(default_factory=dict)  # the strategy's own fields
    config: dict = field(default_factory=dict)
    corpus: dict = field(default_factory=dict)  # name, labels, fingerprint
    history: tuple[Epoch, ...] = ()
    steps: tuple[tuple[int, float, float], ...] = ()  # (step, loss, lr), thinned to a few hundred
    valid: Scores | None = None
    test: Scores | None = None
    padding: float | None = None  # share of padding among the tokens computed
    moved: tuple[str, ...] = ()  # names of the tensors that training changed
    notices: tuple[str, ...] = ()
    versions: dict = field(default_factory=dict)
    answers: str | None = None  # the class said of each test row: "0 1 1"; two runs are compared row by row
    truth: str | None = None  # the class of each test row
    own: tuple[str, ...] = ()  # settings that were left to the strategy
    forgetting: float | None = None  # change of the masked-LM loss on general text, in nats
    error: str | None = None  # why it failed; such a run has no scores

    def __str__(self) -> str:
        if self.error:
            return f"{self.strategy} on {self.model}: {self.error}"
        score = "–" if self.test_accuracy is None else f"{self.test_accuracy:.3f}"
        return (
            f"{self.strategy} on {self.model}: test accuracy {score}, {self.epochs} epochs, "
            f"{self.seconds:.1f} s, {self.trainable_parameters:,} of {self.total_parameters:,} parameters trained"
        )


def to_json(record) -> Any:
    """A record as plain JSON values; numbers that JSON has no word for become null."""
    if dataclasses.is_dataclass(record):
        return {f.name: to_json(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, dict):
        return {str(k): to_json(v) for k, v in record.items()}
    if isinstance(record, (list, tuple)):
        return [to_json(v) for v in record]
    if isinstance(record, float) and not abs(record) < float("inf"):
        return None
    return record


def from_json(kind, value) -> Any:
    """The inverse of to_json for a record class: unknown keys are ignored, so that old readers read new files.

    A number that JSON has no word for comes back as nan.
    """
    if value is None:
        return float("nan") if kind is float else None
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(
            **{f.name: from_json(hints[f.name], value[f.name]) for f in dataclasses.fields(kind) if f.name in value}
        )
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return from_json(next(a for a in inner if a is not type(None)), value)
    if origin is tuple:
        each = inner[0] if inner[-1] is Ellipsis else None
        return tuple(from_json(each or k, v) for k, v in zip(inner if each is None else value, value, strict=False))
    return value


@dataclass(frozen=True)
class Summary:
    """The runs of one strategy: means over seeds. Intervals are 95 %, over seeds and test rows; None where unknown."""

    strategy: str
    runs: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    f1_low: float | None
    f1_high: float | None
    trainable_parameters: int
    total_parameters: int
    epochs: float
    lr: float | None
    seconds: float
    samples_per_second: float
    peak_memory_mb: float | None
    saved_bytes: float | None
    forgetting: float | None


def summarise(runs) -> list[Summary]:
    """One line a strategy, in the order of first appearance; runs that failed are left out.

    The interval joins two doubts (intervals.py): which rows the test set happens to hold (of one run: Wilson's
    interval) and which seeds were drawn.
    """
    by_strategy: dict[str, list[Run]] = {}
    for run in runs:
        if run.error:
            continue
        if run.test_accuracy is None:
            raise BadInput(
                tr(
                    f"{run.strategy}（seed {run.seed}）没有测试成绩：只能比较在测试集上打过分的训练。",
                    f"{run.strategy} (seed {run.seed}) has no test score: only runs scored on test rows can be compared.",
                )
            )
        by_strategy.setdefault(run.strategy, []).append(run)
    return [summary(same) for same in by_strategy.values()]


def with_baselines(runs, *baselines: Run) -> list[Run]:
    """The runs, then the baselines that are given or that compare put `beside` them, each once."""
    return [*runs, *{r.strategy: r for r in (*getattr(runs, "beside", ()), *baselines)}.values()]


def summary(same: list[Run]) -> Summary:
    """The line of runs that differ in their seed only."""
    f1 = mean(same, "test_macro_f1")
    drawn = redrawn_of(same, "macro_f1")
    half = None if drawn is None else doubt([r.test_macro_f1 for r in same], drawn).half
    rates = [r.config.get("lr") for r in same]
    return Summary(
        same[0].strategy,
        len(same),
        mean(same, "test_accuracy"),
        *accuracy_interval(same),
        f1,
        None if half is None else max(0.0, f1 - half),
        None if half is None else min(1.0, f1 + half),
        same[0].trainable_parameters,
        same[0].total_parameters,
        mean(same, "epochs"),
        None if None in rates else sum(rates) / len(rates),
        *(
            mean(same, name)
            for name in ("seconds", "samples_per_second", "peak_memory_mb", "saved_bytes", "forgetting")
        ),
    )


def mean(runs: list[Run], name: str) -> float | None:
    """Of the runs that have it; None where none has."""
    found = [value for r in runs if (value := getattr(r, name)) is not None]
    return sum(found) / len(found) if found else None


def redrawn_of(same: list[Run], measure: str) -> Any:
    """The measure of each run on test rows drawn anew, (draws, runs); None where the runs hold no answers."""
    if any(r.answers is None or r.truth != same[0].truth for r in same):
        return None
    return redrawn(measure, len(same[0].corpus["labels"]), same[0].truth, tuple(r.answers for r in same))


def accuracy_interval(same: list[Run]) -> tuple[float, float]:
    """95 % interval of the mean accuracy: Wilson's over as many rows as would give the variance found, seeds added."""
    share, n = mean(same, "test_accuracy"), same[0].n_test
    drawn = redrawn_of(same, "accuracy") if len(same) > 1 else None
    found = doubt([r.test_accuracy for r in same], drawn, rows=share * (1 - share) / n)
    like = share * (1 - share) / found.rows if found.rows else n
    low, high = wilson(share * like, like)
    below, above = (found.times * math.hypot(abs(share - bound) / Z, found.seeds**0.5) for bound in (low, high))
    return max(0.0, share - below), min(1.0, share + above)


def wilson(right: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927): honest for few rows and near 0 or 1.

    >>> wilson(8, 10)
    (0.490..., 0.943...)
    """
    share, square = right / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
