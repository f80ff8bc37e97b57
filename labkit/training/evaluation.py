"""Ask a model: predictions with probabilities, scores with an interval, the rows it gets most wrong.

Nothing here changes the model: mode and random state are as before. Knows no task; notebooks 01 and 08 use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Scores
from labkit.models.loading import fitting, labels_of
from labkit.training.network import logits_of


def predict(model, inputs: Sequence[str] | str, *, max_length: int = 256, batch_size: int = 64) -> list:
    """Predictions with probabilities, one for each input.

    >>> predict(model, ["这部电影太好看了！"])[0].label
    'positive'
    """
    inputs = [inputs] if isinstance(inputs, str) else list(inputs)
    if not inputs or not all(isinstance(x, str) and x.strip() for x in inputs):
        raise BadInput(
            tr(
                "predict 需要至少一个非空的文本（字符串列表）。",
                "predict needs at least one text, none of them empty (a list of strings).",
            )
        )
    items = model.task.encode(model.processor, inputs, fitting(model, max_length))
    logits, _ = logits_of(model, items, batch_size=batch_size)
    return model.task.decode(logits, labels_of(model), inputs)


def evaluate(model, rows: Sequence, *, max_length: int = 256, batch_size: int = 64) -> Scores:
    """Accuracy with its interval, macro and per-class precision, recall and F1, confusion matrix and loss.

    >>> evaluate(model, corpus.test).accuracy
    """
    if not rows:
        raise BadInput(tr("没有可以打分的行。", "There are no rows to score."))
    logits, target = logits_of(
        model, model.task.encode(model.processor, rows, fitting(model, max_length)), batch_size=batch_size
    )
    return model.task.score(logits, target, labels_of(model))


@dataclass(frozen=True)
class Mistake:
    """A row, what the model says of it, and how far off that is (cross-entropy in nats)."""

    row: Any
    truth: str
    said: str
    probability: float  # of what it says
    loss: float


def worst(model, rows: Sequence, k: int = 10, *, max_length: int = 256) -> list[Mistake]:
    """The `k` rows with the highest loss, worst first: the quickest way to find wrong labels and blind spots."""
    logits, target = logits_of(model, model.task.encode(model.processor, rows, fitting(model, max_length)))
    log_p = logits.log_softmax(-1)
    loss = -log_p.gather(1, target[:, None])[:, 0]
    labels, said = labels_of(model), logits.argmax(-1)
    return [
        Mistake(rows[i], labels[target[i]], labels[said[i]], log_p[i, said[i]].exp().item(), loss[i].item())
        for i in loss.argsort(descending=True, stable=True)[:k].tolist()
    ]
