"""Ask a model: predictions, scores with an interval, the examples that it gets most wrong.

Nothing here changes the model: mode and random state are as before. Knows no task; notebooks 01 and 08 use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.display import box, one_line, table_html
from labkit.base.language import tr
from labkit.base.records import BadInput, Example, Scores
from labkit.models.loading import fitting
from labkit.training.network import Network


def predict(model, inputs: Sequence | Any, *, max_length: int = 256, batch_size: int = 64) -> "Predictions":
    """The task's answer to each input, for people: of a classification with the probability of every label. A picture or a
    clip may be given as its file.

    >>> predict(model, ["这部电影太好看了！"])[0].label
    'positive'
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    inputs = [model.task.accept(x) for x in inputs]
    model.task.check_inputs(inputs)
    _, _, answers = answered(model, [Example(x) for x in inputs], max_length, batch_size)
    return Predictions(model.task.decode(answer, x) for answer, x in zip(answers, inputs, strict=True))


class Predictions(list):
    """What `predict` gives: a list that prints a line each and shows as a table."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        if not self:
            return box("")
        return box(table_html(self[0].header(), [p.cells() for p in self], left=2))


def evaluate(model, examples: Sequence[Example], *, max_length: int = 256, batch_size: int = 64) -> Scores:
    """The task's metrics with the headline's interval, scores of each class, and the loss.

    >>> evaluate(model, corpus.test).accuracy
    """
    if not examples:
        raise BadInput(tr("没有可以打分的行。", "There are no rows to score."))
    task, (items, losses, answers) = model.task, answered(model, examples, max_length, batch_size)
    return task.score(answers, [task.truth(e) for e in examples], losses.sum().item() / task.units(items))


def answered(model, examples: Sequence[Example], max_length: int, batch_size: int = 64) -> tuple[list[dict], Any, list]:
    """The items that the examples are encoded as, their losses (items,), and the answer to each example."""
    task = model.task
    items = task.encode(model.processor, examples, fitting(model, max_length))
    losses, answers = Network(model, task).answers(model.processor, items, batch_size=batch_size)
    return items, losses, task.merge(answers, items)


@dataclass(frozen=True)
class Mistake:
    """An example, what the model says of it, and how far off that is (its loss, in nats)."""

    example: Example
    truth: str
    said: str
    loss: float
    probability: float | None = None  # of what it says, where the task gives one


class Mistakes(list):
    """What `worst` gives: a list that shows as a table."""

    def _repr_html_(self) -> str:
        words = (
            ("输入", "input"),
            ("标签", "label"),
            ("模型说", "model says"),
            ("概率", "probability"),
            ("损失", "loss"),
        )
        rows = [
            [
                one_line(m.example.input),
                m.truth,
                m.said,
                "" if m.probability is None else f"{m.probability:.2f}",
                f"{m.loss:.2f}",
            ]
            for m in self
        ]
        return box(table_html([tr(*pair) for pair in words], rows, left=3))


def worst(model, examples: Sequence[Example], k: int = 10, *, max_length: int = 256) -> Mistakes:
    """The `k` examples with the highest loss, worst first: the quickest way to find wrong labels and blind spots."""
    items, losses, answers = answered(model, examples, max_length)
    task, mistakes = model.task, Mistakes()
    losses = task.per_example(losses, items, len(examples))
    for i in losses.argsort(descending=True, stable=True)[:k].tolist():
        example = examples[i]
        said, truth = (task.told(x, example.input) for x in (task.said(answers[i]), task.truth(example)))
        mistakes.append(Mistake(example, truth, said, losses[i].item(), task.probability(answers[i])))
    return mistakes
