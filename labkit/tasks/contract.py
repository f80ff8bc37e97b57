"""The contract of every task: what is asked of an input, and how an answer is judged. Training and comparison know no more.

A task is one file in this room: a frozen dataclass over a modality. Defining it makes it known by its name. Everything
downstream (intervals, verdicts, tables, search) works because every metric is a function of summed row counts.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labkit.base.display import TITLES
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, ClassScore, Example, Measure, Scores, Table
from labkit.base.statistics import bootstrap, standard_error, wilson
from labkit.modalities.contract import Modality, modality_of

KNOWN: dict[str, type["Task"]] = {}  # by name, as cards and command lines have it


@dataclass(frozen=True)
class Metric:
    """A score of many answers. `of` takes summed row counts (..., k) and gives the score (...)."""

    name: str  # as JSON has it: "accuracy", "entity_f1"
    title: tuple[str, str]  # Chinese, English
    of: Callable[[Any], Any]
    greater: bool = True  # whether more is better
    share: bool = False  # a share of right rows: its interval is Wilson's
    top: float = 1.0  # the largest value there is

    def __post_init__(self):
        TITLES.setdefault(self.name, self.title)

    def better(self, one: float, other: float) -> bool:
        return one > other if self.greater else one < other


@dataclass(frozen=True)
class Batch:
    """Encoded rows, padded to one another. `units` is what the summed loss of the rows is divided by."""

    inputs: dict[str, Any]
    target: Any
    units: float
    weights: Any = None  # of each row's loss, where rows weigh differently

    def to(self, device) -> "Batch":
        def moved(value):
            return value.to(device, non_blocking=True) if hasattr(value, "to") else value

        inputs = {k: moved(v) for k, v in self.inputs.items()}
        return dataclasses.replace(self, inputs=inputs, target=moved(self.target), weights=moved(self.weights))


@dataclass(frozen=True)
class Baseline:
    """A cheap way to answer, fitted on training rows: what any fine-tuned model has to beat."""

    title: str  # what it is, in a few words
    answer: Callable[[Sequence], list]  # inputs -> answers, as `Task.ask` gives them
    parameters: int = 0


@dataclass(frozen=True)
class Task:
    """What is asked of the inputs of a modality. `model.task == corpus.task` is the whole check that two fit together.

    An *answer* is what the network says of one item, as plain Python values; `said` is what of it is judged and stored.
    """

    modality: Modality
    labels: tuple[str, ...] = ()

    name: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]  # the first is the headline: tables, verdicts
    chooses: ClassVar[str] = ""  # the metric by which the best epoch is chosen; the headline unless named
    pooled: ClassVar[bool] = True  # one vector a row reaches the head: what is frozen below may be kept as one vector
    peft_type: ClassVar[str | None] = None  # peft's name for it; None: peft needs none
    columns: ClassVar[dict[str, str]] = {}  # the columns that it reads, by their usual name
    other_columns: ClassVar[tuple[dict[str, str], ...]] = ()  # further forms that its files may have
    optional_columns: ClassVar[tuple[str, ...]] = ()  # read only where the user names them
    input_column: ClassVar[str] = "text"  # of `columns`, the one whose cells may be files or arrays instead of texts
    default_model: ClassVar[str] = "tiny-bert-zh"  # where the user names none
    epochs: ClassVar[float] = 1  # times the epochs that a strategy wants for a classification
    rate: ClassVar[float] = 1  # times the rate at which the network's own layers train for a classification
    samples: ClassVar[tuple[str, ...]] = ()  # inputs as a person types them, to begin with
    reasons: ClassVar[dict[str, tuple[str, str]]] = {}  # why `read` drops rows beside the usual: Chinese, English

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        if "name" in vars(cls):
            KNOWN[cls.name] = cls

    def card(self) -> dict[str, Any]:
        """The task as plain values; `task_of(card)` gives it back."""
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"name": self.name, **settings, "modality": self.modality.card(), "labels": list(self.labels)}

    @property
    def choosing(self) -> Metric:
        """The metric by which the best epoch is chosen."""
        return next(m for m in self.metrics if m.name == (self.chooses or self.metrics[0].name))

    def metric(self, name: str | None = None) -> Metric:
        """The metric of that name, the headline without one; BadInput naming those that there are."""
        names = [m.name for m in self.metrics]
        if name is not None and name not in names:
            raise BadInput(
                tr(
                    f"measure={name!r} 不行；可选：{listing(names)}。",
                    f"measure={name!r} won't do; choose from: {listing(names)}.",
                )
            )
        return self.metrics[names.index(name) if name else 0]

    def times(self, rows: int | None) -> float:
        """Times the epochs that a strategy wants for a classification, on so many training rows (None: on about a thousand)."""
        return self.epochs

    # The network

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the head puts out, as its configuration has them: the labels, unless a task says more."""
        return self.labels

    @property
    def plain(self) -> bool:
        """Whether logits are all that an answer takes of the network: then it can be exported."""
        return True

    def auto_class(self, config=None) -> Any:
        """The transformers class whose head fits task, modality and the network's configuration."""
        import transformers

        return getattr(transformers, self.modality.head(self.name, config))

    def configure(self, config) -> dict[str, Any]:
        """What the head's configuration says: options of `from_pretrained`."""
        return {}

    def resolve(self, stored: Sequence[str] | None, source) -> "Task":
        """The task that a model is loaded for: `stored` are the labels of a trained head that its files hold, or None."""
        return self

    # Rows

    @classmethod
    def read(
        cls, tables: dict[str, Table], columns: dict[str, str], labels=None
    ) -> tuple["Task", dict[str, list[Example]], dict[str, list[str]]]:
        """Raw rows of each split as a task, its examples, and what was dropped and why; BadInput with file and line."""
        raise NotImplementedError

    def check_splits(self, where: str, train: Sequence[Example], splits: int) -> None:
        """BadInput where training rows are too few for as many splits as are made of them."""
        if len(train) < splits:
            raise BadInput(
                tr(
                    f"{where} 只有 {len(train)} 行可用，要划出 {splits} 个部分。请补充数据。",
                    f"{where} has {len(train)} usable rows for {splits} splits. Add rows.",
                )
            )

    def group(self, example: Example) -> Any:
        """What splits are stratified by: rows of one group are shared out evenly."""
        return None

    def kin(self, example: Example) -> Any:
        """What examples share that must not stand in two splits, beside being the same; None for what stands alone."""
        return None

    def classes(self, example: Example) -> Sequence[int]:
        """The numbers of the labels that an example counts for: what tables of a corpus count."""
        return [self.group(example)]

    def key(self, example: Example) -> Any:
        """What two examples share that ask the same."""
        return self.modality.key(example.input)

    def check_inputs(self, inputs: Sequence) -> None:
        self.modality.check(inputs)

    def accept(self, value) -> Any:
        """An input as a caller in Python gives it."""
        return self.modality.accept(value)

    def parse(self, word: str) -> Any:
        """An input as a command line or a line of standard input names it."""
        return self.modality.parse(word)

    def receive(self, value) -> Any:
        """An input as a request to a service brings it, from a JSON value; BadInput where it is none."""
        input = self.modality.receive(value)
        self.check_inputs([input])
        return input

    # Batches

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        """Un-padded items with their `target`. A long example may give several, each with its number as `example`."""
        items = self.modality.encode(processor, [e.input for e in examples], limit)
        return [{**item, "target": e.target} for item, e in zip(items, examples, strict=True)]

    def varied(self, item: dict, rng) -> dict:
        """An item as one epoch of training sees it: as the modality's settings say."""
        return self.modality.varied(item, rng)

    def remarks(self, split: str, items: Sequence[dict]) -> list[str]:
        """What encoding a split has cost, in sentences: said before training."""
        return []

    def size(self, item: dict) -> int:
        return self.modality.size(item)

    def collate(self, processor, items: Sequence[dict]) -> Batch:
        """Items as one batch, on the CPU."""
        return Batch(self.modality.pad(processor, items), self.targets(items), self.units(items))

    def stub(self, items: Sequence[dict], device) -> Batch:
        """The same rows with the smallest inputs, where all that the head reads is known already."""
        return Batch(self.modality.stub(len(items), device), self.targets(items), self.units(items))

    def targets(self, items: Sequence[dict]) -> Any:
        """The targets of a batch as tensors."""
        raise NotImplementedError

    def units(self, items: Sequence[dict]) -> float:
        """What the loss is a mean over: rows, or whatever a task counts."""
        return float(len(items))

    def balance(self, items: Sequence[dict]) -> list[float]:
        """A weight for each row that makes groups count alike, 1 in the mean."""
        raise BadInput(
            tr(
                f"任务 {self.name} 没有类别可以加权：请用 class_weights='none'。",
                f"The task {self.name} has no classes to weigh: take class_weights='none'.",
            )
        )

    def asked(self, batch: Batch) -> Any:
        """At which tokens `losses` looks, (rows, tokens) bool; None: at every one, or at one vector a row."""
        return None

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """The loss of each row, (rows,), in float32."""
        raise NotImplementedError

    def answers(self, outputs, batch: Batch) -> list:
        """The answer to each row, as plain Python values."""
        raise NotImplementedError

    def ask(self, model, batch: Batch) -> tuple[Any, list]:
        """(losses, answers) of a batch, in one forward pass."""
        outputs = model(**batch.inputs)
        return self.losses(outputs, batch), self.answers(outputs, batch)

    def go_on(self, model, batch: Batch, answers: list) -> list:
        """The answers with what is asked of the whole network beyond that pass: no shortcut is taken then."""
        return answers

    def merge(self, answers: list, items: Sequence[dict]) -> list:
        """Answers to items as answers to examples."""
        return answers

    def per_example(self, losses, items: Sequence[dict], n: int) -> Any:
        """Summed losses of items (items,) as the mean loss of each of `n` examples."""
        import torch

        owner = torch.tensor([item.get("example", i) for i, item in enumerate(items)])
        units = torch.tensor([self.units([item]) for item in items])
        summed, counted = torch.zeros(n).index_add(0, owner, losses), torch.zeros(n).index_add(0, owner, units)
        return summed / counted.clip(min=1e-9)

    def probability(self, answer) -> float | None:
        """How sure an answer is of itself, where the task can say."""
        return None

    def said(self, answer) -> Any:
        """What of an answer is judged, as a plain JSON value: what a run file keeps."""
        return answer

    def truth(self, example: Example) -> Any:
        """The target as a plain JSON value."""
        return example.target

    def decode(self, answer, input) -> Any:
        """An answer for people: what `predict` gives."""
        raise NotImplementedError

    # Scores

    def mean_loss(self, answers: Sequence, truth: Sequence) -> float:
        """The loss of answers that came from no network, where they alone tell it; else nan."""
        return float("nan")

    def counts(self, said, truth) -> Sequence[float]:
        """The numbers of one row whose sums make every metric."""
        raise NotImplementedError

    def table(self, said: Sequence, truth: Sequence) -> Any:
        """The counts of many rows, (rows, k)."""
        import numpy as np

        return np.array([self.counts(s, t) for s, t in zip(said, truth, strict=True)], dtype=np.float64)

    def details(self, said: Sequence, truth: Sequence) -> tuple[tuple[ClassScore, ...], tuple | None, dict[str, float]]:
        """Scores of each class or type, a confusion matrix where there is one, and further metrics by name."""
        return (), None, {}

    def score(self, answers: Sequence, truth: Sequence, loss: float | None = None) -> Scores:
        """Scores of answers, as `ask` gives them, against what is true; `loss` is their mean loss, where it is known."""
        if not len(truth):
            raise BadInput(tr("没有可以打分的行。", "There are no rows to score."))
        said = [self.said(a) for a in answers]
        table = self.table(said, truth)
        parts, confusion, more = self.details(said, truth)
        measures = {}
        for metric in self.metrics:
            value = more.pop(metric.name, None)
            value = float(metric.of(table.sum(0))) if value is None else value
            measures[metric.name] = Measure(value, *self.interval(metric, value, table))
        rest = {name: Measure(value) for name, value in more.items()}
        loss = self.mean_loss(answers, truth) if loss is None else loss
        return Scores(len(truth), loss, {**measures, **rest}, parts, confusion)

    def interval(self, metric: Metric, value: float, table) -> tuple[float | None, float | None]:
        """95 %: Wilson's for a share, drawn rows for another headline; none for the others."""
        if metric.share:
            return wilson(value * len(table), len(table))
        if metric is not self.metrics[0] or not math.isfinite(value):  # a run that diverged may answer nan
            return None, None
        half = standard_error([value], bootstrap(metric.of, table[None])).half
        return max(0.0, value - half), min(metric.top, value + half)

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        """Cheap ways to answer, by name; each is fitted when it is called."""
        return {}

    def words(self, value) -> str:
        """A stored answer or target in words."""
        return str(value)

    def told(self, value, input) -> str:
        """The same beside its input, of which it may be a part."""
        return self.words(value)

    def html(self, input, value) -> str:
        """An input as it looks in a notebook, with an answer or target marked in it where that is a part of it."""
        return self.modality.html(input)


def task_of(card: dict[str, Any]) -> Task:
    """The task that a card describes. BadInput where labkit does not know it, or where the card is damaged."""
    kind = known(card.get("name"))
    names = {f.name for f in dataclasses.fields(kind)}
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in card.items() if k in names}
    try:
        return kind(**{**settings, "modality": modality_of(card["modality"])})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(
            tr(f"任务卡 {str(card)[:200]} 不完整。", f"The card of the task is damaged: {str(card)[:200]}.")
        ) from None


def known(name: str) -> type[Task]:
    if not isinstance(name, str) or name not in KNOWN:
        raise BadInput(
            tr(f"没有任务 {name!r}；有：{listing(KNOWN, 20)}。", f"No task {name!r}; there are: {listing(KNOWN, 20)}.")
        )
    return KNOWN[name]
