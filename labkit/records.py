"""The frozen words that cross floors: rows, events, scores, runs. Plain data, JSON in and out. Leans on text."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

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
    stopped: str | None = None  # "early" (patience), "interrupted", or None where every epoch was done
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

    def __str__(self) -> str:
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
    """The runs of one strategy, over seeds. `low` and `high` bound the mean test accuracy with 95 % confidence."""

    strategy: str
    runs: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    seconds: float
    samples_per_second: float
    trainable_parameters: int
    total_parameters: int


def summarise(runs) -> list[Summary]:
    """One line a strategy, in the order of first appearance.

    The interval joins two doubts: which rows the test set happens to hold (Wilson's interval of the mean, shared by all
    seeds) and which seed was drawn (variance of the runs over their number). With one run it is that run's own.
    """
    by_strategy: dict[str, list[Run]] = {}
    for run in runs:
        if run.test_accuracy is None:
            raise BadInput(
                tr(
                    f"{run.strategy}（seed {run.seed}）没有测试成绩：只能比较在测试集上打过分的训练。",
                    f"{run.strategy} (seed {run.seed}) has no test score: only runs scored on test rows can be compared.",
                )
            )
        by_strategy.setdefault(run.strategy, []).append(run)
    lines = []
    for name, same in by_strategy.items():
        k = len(same)
        mean = sum(r.test_accuracy for r in same) / k
        seeds = sum((r.test_accuracy - mean) ** 2 for r in same) / (k - 1) / k if k > 1 else 0.0
        low, high = wilson(mean * same[0].n_test, same[0].n_test)
        lines.append(
            Summary(
                name,
                k,
                mean,
                max(0.0, mean - math.hypot(mean - low, 1.96 * seeds**0.5)),
                min(1.0, mean + math.hypot(high - mean, 1.96 * seeds**0.5)),
                sum(r.test_macro_f1 for r in same) / k,
                sum(r.seconds for r in same) / k,
                sum(r.samples_per_second for r in same) / k,
                same[0].trainable_parameters,
                same[0].total_parameters,
            )
        )
    return lines


def wilson(right: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927): honest for few rows and near 0 or 1.

    >>> wilson(8, 10)
    (0.490..., 0.943...)
    """
    share, square = right / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
