"""The frozen words that cross floors: rows, events, scores, runs. Plain data, JSON in and out. Leans on text and intervals."""

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any


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


# Reading CSV


@dataclass(frozen=True)
class Raw:
    """A row as read: its label still a word, the line where it begins (on the hub: its number, from 1)."""

    text: str
    label: str
    extra: dict
    line: int


@dataclass(frozen=True)
class Table:
    """The rows of one file or hub split, and what to call it in messages."""

    where: str
    rows: list[Raw]
