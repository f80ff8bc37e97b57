"""Ask a model: predictions with probabilities, scores with an interval, the rows it gets most wrong.

Nothing here changes the model: mode and random state are as before. Knows no task; notebooks 01 and 08 use it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.adapters import prompt_length
from labkit.lastlayer import first_only
from labkit.records import BadInput, Scores
from labkit.text import tr


def device_of(model) -> Any:
    return next(model.parameters()).device


@contextlib.contextmanager
def modes_kept(model) -> Iterator[None]:
    """Training or evaluation mode of every module is as before afterwards."""
    before = {m: m.training for m in model.modules()}
    try:
        yield
    finally:
        for module, mode in before.items():
            module.training = mode


@contextlib.contextmanager
def asking(model) -> Iterator[None]:
    """Evaluation mode without gradients; the mode of every module is as before afterwards."""
    import torch

    with modes_kept(model), torch.inference_mode():
        model.eval()
        yield


def logits_of(
    model, items: Sequence, *, batch_size: int = 64, processor=None, task=None, around: Callable | None = None
) -> tuple[Any, Any]:
    """Logits (rows, classes) and targets (rows,) of encoded items, in their order, as float32 on the CPU.

    Rows are asked in batches of like length, of `batch_size` rows at most; their order in the answer is that of `items`.
    Where memory does not hold a batch, smaller ones are asked. `around(rows)` gives a context in which the rows of these numbers are asked.
    """
    around = around or (lambda rows: contextlib.nullcontext())
    processor, task = processor or model.processor, task or model.task
    while True:
        try:
            return ask(model, items, batch_size, processor, task, around)
        except RuntimeError as error:
            if batch_size == 1 or not out_of_memory(error):
                raise
        batch_size = (batch_size + 1) // 2


def ask(model, items: Sequence, batch_size: int, processor, task, around) -> tuple[Any, Any]:
    """One attempt of logits_of."""
    import torch

    device, logits, targets = device_of(model), [], []
    batches = batches_of([task.length(item) for item in items], device, batch_size)
    with asking(model):
        for rows in batches:
            inputs, target = task.collate(processor, [items[i] for i in rows])
            with around(rows), first_only(model):
                logits.append(model(**{k: v.to(device) for k, v in inputs.items()}).logits.float())
            targets.append(target)
        back = torch.argsort(torch.tensor([i for rows in batches for i in rows]))
        # out of inference mode's special tensors: callers may do arithmetic on the answer
        logits, targets = torch.cat(logits).cpu()[back], torch.cat(targets)[back]
    return logits.clone(), targets.clone()


def batches_of(lengths: Sequence[int], device, batch_size: int = 64) -> list[list[int]]:
    """Row numbers in the batches in which a device asks rows of so many tokens: of like length, the shortest first.

    >>> batches_of([9, 3, 400, 4], "cpu")
    [[1, 3, 0], [2]]
    """
    order, batches = sorted(range(len(lengths)), key=lengths.__getitem__), []
    start, most = 0, most_tokens(device)
    while start < len(order):
        rows = order[start : start + batch_size]
        batches.append(rows[: fitting_rows([lengths[i] for i in rows], most)])
        start += len(batches[-1])
    return batches


def most_tokens(device) -> int:
    """Tokens of a batch that is only asked: activations that fit a core's cache take half the time (docs/LOG.md)."""
    return 640 if str(device) == "cpu" else 16384


def fitting_rows(lengths: Sequence[int], most: int) -> int:
    """How many of the first rows, with rising token counts, make a padded batch of at most so many tokens; at least one.

    >>> fitting_rows([3, 4, 4, 9], 12)
    3
    """
    rows = 1
    while rows < len(lengths) and (rows + 1) * lengths[rows] <= most:
        rows += 1
    return rows


def out_of_memory(error: BaseException) -> bool:
    """Whether torch says that a tensor found no room: a GPU's own error type, or a CPU allocator's words."""
    import torch

    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)


def labels_of(model) -> list[str]:
    return [model.config.id2label[i] for i in sorted(model.config.id2label)]


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


def fitting(model, max_length: int) -> int:
    """`max_length` in tokens, or what the model's positions allow if that is less; prompts take positions too."""
    positions = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "n_positions", None)
    if positions is None:
        return max_length
    counts_from_pad = model.config.model_type in ("roberta", "xlm-roberta", "camembert")
    taken = (model.config.pad_token_id + 1 if counts_from_pad else 0) + prompt_length(model)
    return min(max_length, positions - taken)
