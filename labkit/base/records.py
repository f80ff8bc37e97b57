"""The frozen words that cross rooms: examples, events, scores, runs. Plain data, JSON in and out. They know no task."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class BadInput(ValueError):
    """Something given to labkit cannot be used; the message says what was given, what is accepted, what to do."""


@dataclass(frozen=True)
class Example:
    """What a model is asked and what it should answer: only the modality looks inside `input`, only the task inside `target`.

    >>> Example("好看！", 1)                                 # of a text classification: the number of its class
    Example(input='好看！', target=1)
    """

    input: Any  # str | (question, context) | uint8 (height, width, 3) | float32 (samples,)
    target: Any = None  # class | spans | answers | text
    extra: Mapping = field(default_factory=dict, compare=False, repr=False)  # the file's other columns


@dataclass(frozen=True)
class Raw:
    """A row as read: what stands in each column, and the line where it begins (on the hub: its number, from 1)."""

    cells: dict[str, Any]
    line: int


@dataclass(frozen=True)
class Table:
    """The rows of one file or hub split, and what to call it in messages."""

    where: str
    rows: list[Raw]
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what was settled by itself: separator, encoding, lines left out
    inputs: str = ""  # the modality whose inputs stand in the rows, read already: "image"; "": texts
    labels: Mapping[str, str] = field(
        default_factory=dict
    )  # the names of labels that are numbers, where the file has them


@dataclass(frozen=True)
class Measure:
    """A score with its 95 % interval, where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ClassScore:
    """One class (or one type of entity) by itself."""

    label: str
    n: int  # rows of this class
    precision: float
    recall: float
    f1: float


class Measured:
    """What has `metrics`, a Measure by name, the headline first: each is asked for by its name."""

    metrics: dict[str, Measure]

    def __getattr__(self, name: str) -> float:
        metrics = self.__dict__.get("metrics", {})
        if name in metrics:
            return metrics[name].value
        raise AttributeError(f"{type(self).__name__} has no {name!r}; its metrics: {', '.join(metrics)}")

    @property
    def headline(self) -> Measure:
        return next(iter(self.metrics.values()))

    @property
    def low(self) -> float | None:
        """The lower end of the headline's 95 % interval."""
        return self.headline.low

    @property
    def high(self) -> float | None:
        return self.headline.high


@dataclass(frozen=True)
class Scores(Measured):
    """How good the answers to `n` examples are. Metrics are asked for by name: `scores.accuracy`, `scores.macro_f1`."""

    n: int
    loss: float  # mean over what the task counts: examples, or tokens; cross-entropy in nats
    metrics: dict[str, Measure]  # the headline first
    parts: tuple[ClassScore, ...] = ()  # one line a class, or a type
    confusion: tuple[tuple[int, ...], ...] | None = None  # confusion[true][predicted], examples

    def _repr_html_(self) -> str:
        from labkit.base.display import scores_html

        return scores_html(self)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows gave. Metrics are asked for by name: `epoch.valid_accuracy`."""

    epoch: int  # 1 is the first
    steps: int  # optimizer steps since the start
    train_loss: float  # mean over the epoch, while the weights were moving
    valid_loss: float
    valid: dict[str, float]  # the task's metrics on the validation rows
    seconds: float  # training alone, without evaluation

    def __getattr__(self, name: str) -> float:
        metrics, metric = self.__dict__.get("valid", {}), name.removeprefix("valid_")
        if name != metric and metric in metrics:
            return metrics[metric]
        raise AttributeError(f"Epoch has no {name!r}; its metrics: {', '.join(metrics)}")


@dataclass(frozen=True)
class StepDone:
    """One optimizer step. `loss` is a tensor until somebody asks for the number: on a GPU, asking waits."""

    step: int
    steps: int  # in the whole run
    epoch: int
    lr: float
    loss_tensor: Any = field(repr=False, compare=False)
    number: int = 0  # of its run in a comparison, as RunBegins tells it; 0 where there is one alone

    @property
    def loss(self) -> float:
        return float(self.loss_tensor)


@dataclass(frozen=True)
class EpochDone:
    epoch: Epoch
    scores: Scores  # on the validation rows
    best: bool  # the best epoch so far
    number: int = 0  # of its run in a comparison


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
    """One training run, whole: what `labkit train --json` prints and what every table and figure is made from.

    Metrics are asked for by name, `run.test_accuracy`, `run.valid_macro_f1`; None where that split was not scored.
    """

    strategy: str
    model: str
    seed: int
    device: str
    epochs: int  # epochs finished
    n_train: int
    n_valid: int
    n_test: int
    seconds: float  # wall time of training, evaluation included
    samples_per_second: float  # training rows a second, evaluation left out
    peak_memory_mb: float | None
    trainable_parameters: int
    total_parameters: int
    task: dict = field(default_factory=dict)  # the task's card: name, modality, labels
    scores: dict[str, Scores] = field(default_factory=dict)  # "valid" and "test", where they were scored
    answers: tuple | None = None  # what was said of each test row, as plain values; two runs are compared row by row
    truth: tuple | None = None  # what is true of each test row
    saved_bytes: int | None = None
    out: str | None = None
    stopped: str | None = (
        None  # "early" (patience), "diverged" (a loss that is no number), "interrupted"; None: all done
    )
    best_epoch: int | None = None
    settings: dict = field(default_factory=dict)  # the strategy's own fields
    config: dict = field(default_factory=dict)
    corpus: dict = field(default_factory=dict)  # name, labels, fingerprint
    history: tuple[Epoch, ...] = ()
    steps: tuple[tuple[int, float, float], ...] = ()  # (step, loss, lr), thinned to a few hundred
    padding: float | None = None  # share of padding in what was computed
    moved: tuple[str, ...] = ()  # names of the tensors that training changed: parameters and buffers
    head: tuple[str, ...] = ()  # names of the head's parameters
    notices: tuple[str, ...] = ()
    versions: dict = field(default_factory=dict)
    identity: dict = field(default_factory=dict)  # what makes it this run and no other (training/identity.py)
    measures: dict[str, float | None] = field(default_factory=dict)  # what else was measured: "forgetting", in nats
    error: str | None = None  # why it failed; such a run has no scores

    def __getattr__(self, name: str) -> float | None:
        split, _, metric = name.partition("_")
        if split not in ("valid", "test") or not metric:
            raise AttributeError(f"Run has no {name!r}")
        scores = self.scores.get(split)
        return None if scores is None else getattr(scores, metric)

    @property
    def valid(self) -> Scores | None:
        return self.scores.get("valid")

    @property
    def test(self) -> Scores | None:
        return self.scores.get("test")

    @property
    def forgetting(self) -> float | None:
        """Change of the language-model loss on general text, in nats; None where it was not measured."""
        return self.measures.get("forgetting")

    def __str__(self) -> str:
        if self.error:
            return f"{self.strategy} on {self.model}: {self.error}"
        scored = self.test or self.valid
        name = next(iter(scored.metrics)).replace("_", " ") if scored else "score"
        score = f"{self.test.headline.value:.3f}" if self.test else "–"
        return (
            f"{self.strategy} on {self.model}: test {name} {score}, {self.epochs} epochs, "
            f"{self.seconds:.1f} s, {self.trainable_parameters:,} of {self.total_parameters:,} parameters trained"
        )


@dataclass(frozen=True)
class RunEnds:
    """One of the runs of a comparison has ended, well or with an error."""

    run: Run
    number: int = 0  # 0: a baseline


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


def from_json(kind, value, name: str = "") -> Any:
    """The inverse of to_json for a record class: unknown keys are ignored, so that old readers read new files.

    A number that JSON has no word for comes back as nan. Raises ValueError or TypeError, with the field's name, where a
    value is of another kind than the field.
    """
    if value is None:
        return float("nan") if kind is float else None
    if dataclasses.is_dataclass(kind):
        expect(value, dict, name)
        hints = typing.get_type_hints(kind)
        fields = [f for f in dataclasses.fields(kind) if f.name in value]
        return kind(**{f.name: from_json(hints[f.name], value[f.name], f.name) for f in fields})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return from_json(next(a for a in inner if a is not type(None)), value, name)
    if origin is dict:
        expect(value, dict, name)
        return {k: from_json(inner[1], v, f"{name}.{k}") for k, v in value.items()}
    if kind is tuple:  # of whatever a task answers with
        expect(value, list, name)
        return tuple(from_json(tuple, v, name) if isinstance(v, list) else v for v in value)
    if origin is tuple:
        expect(value, list, name)
        each = inner[0] if inner[-1] is Ellipsis else None
        kinds = [each] * len(value) if each else inner
        if len(kinds) != len(value):
            raise ValueError(f"{name}: {len(value)} values where {len(kinds)} belong")
        return tuple(from_json(k, v, name) for k, v in zip(kinds, value, strict=True))
    if kind in (str, int, float, bool, dict):
        expect(value, kind, name)
    return value


def as_stored(values) -> tuple:
    """Answers or targets as a run file gives them back: sequences in them are tuples.

    >>> as_stored([1, [2, 3]])
    (1, (2, 3))
    """
    return from_json(tuple, to_json(list(values)))


def expect(value, kind: type, name: str) -> None:
    """ValueError unless a JSON value is of this kind; a whole number will do for a float."""
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(
            f"{name or 'record'}: {type(value).__name__} {str(value)[:30]!r} where {kind.__name__} belongs"
        )
