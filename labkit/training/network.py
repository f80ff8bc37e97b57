"""One way to ask a network: for training, scoring and slices of the loss alike.

Asked here, a network computes in the engine's number format, above what is kept of its frozen part, and behind the last
attention for the tokens alone whose answer is used: a classifier of the BERT kind throws away all but the first token's way
through the last feed-forward part, a tagger that of padding and of pieces that have no tag. Left out, outputs and gradients
are the same (docs/LOG.md has what it saves).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from labkit.base.memory import out_of_memory
from labkit.data.batching import batches_of
from labkit.models.families import FAMILIES, network_of
from labkit.models.state import asking, device_of
from labkit.tasks import Batch, Task

HEAD_ROWS = 64  # a batch for the head alone has so many times the rows: a vector each is next to nothing


class Network:
    """A model and its task, and how they are asked.

    >>> network = Network(model, corpus.task)
    >>> losses, answers = network.ask(batch)                         # (rows,) in nats, and a row of logits each
    """

    def __init__(self, model, task: Task, *, engine=None, frozen=None):
        self.model, self.task, self.engine, self.frozen = model, task, engine, frozen

    @contextlib.contextmanager
    def shortened(self, split: str | None, rows: Sequence[int]) -> Iterator[None]:
        """Within the block, what needs no computing for these rows of a split is left out."""
        kept = self.frozen.skipped(split, rows) if self.frozen and split else contextlib.nullcontext()
        layers = contextlib.nullcontext() if self.head_alone(split) else one_token(self.model, self.task)
        with kept, layers:
            yield

    def head_alone(self, split: str | None) -> bool:
        """Whether all that the head reads of a split is kept: then no layer computes, and inputs need not be there."""
        return bool(self.frozen and split and self.frozen.whole_of(split))

    def outputs(self, batch: Batch, split: str | None = None, rows: Sequence[int] = (), *, every: bool = False) -> Any:
        """What the network says of a batch, to be trained on: in the engine's number format. Tokens at which the task's loss
        does not look are not computed to the end, unless it is wanted of `every` token."""
        tokens = contextlib.nullcontext() if every else asked_tokens(self.model, self.task.asked(batch))
        with self.engine.autocast() if self.engine else contextlib.nullcontext(), self.shortened(split, rows), tokens:
            return self.model(**batch.inputs)

    def ask(self, batch: Batch, split: str | None = None, rows: Sequence[int] = ()) -> tuple[Any, list]:
        """Losses (rows,) and answers of a batch, to be judged: in full precision."""
        with self.shortened(split, rows):
            losses, answers = self.task.ask(self.model, batch)
        return losses, self.task.go_on(self.model, batch, answers)

    def answers(
        self, processor, items: Sequence[dict], *, batch_size: int = 64, split: str | None = None
    ) -> tuple[Any, list]:
        """Losses (items,) on the CPU and answers, in the order of the items.

        They are asked in batches of like size, of `batch_size` rows at most; where memory does not hold a batch, in smaller
        ones. With `split`, the items are that split's, and what is kept of the frozen part is used.
        """
        while True:
            try:
                return self.attempt(processor, items, batch_size, split)
            except RuntimeError as error:
                if batch_size == 1 or not out_of_memory(error):
                    raise
            batch_size = (batch_size + 1) // 2

    def attempt(self, processor, items: Sequence[dict], batch_size: int, split: str | None) -> tuple[Any, list]:
        import torch

        losses, answers = torch.zeros(len(items)), [None] * len(items)
        with asking(self.model):
            for rows, batch in self.batches(processor, items, batch_size, split):
                loss, said = self.ask(batch, split, rows)
                losses[rows] = loss.float().cpu()
                for i, answer in zip(rows, said, strict=True):
                    answers[i] = answer
        return losses, answers

    def batches(
        self, processor, items: Sequence[dict], batch_size: int, split: str | None
    ) -> Iterator[tuple[list[int], Batch]]:
        """Row numbers and batches to be asked, where the network computes."""
        device, task = device_of(self.model), self.task
        if self.head_alone(split):
            many = HEAD_ROWS * batch_size
            for start in range(0, len(items), many):
                chosen = items[start : start + many]
                yield list(range(start, start + len(chosen))), task.stub(chosen, device).to(device)
            return
        for rows in batches_of([task.size(item) for item in items], task.modality.budget(device), batch_size):
            yield rows, task.collate(processor, [items[i] for i in rows]).to(device)


@contextlib.contextmanager
def one_token(model, task: Task) -> Iterator[None]:
    """Within the block, the last layer goes on with the first token alone from behind its attention.

    >>> with one_token(model, task): logits = model(**inputs).logits     # the last hidden state is (rows, 1, width)

    Does nothing where the head reads more (a tag for every token), elsewhere (GPT-2), or where layers are one (ALBERT).
    """
    _, place = last_layer(model)
    if not task.pooled or place is None:
        yield
        return
    hook = place.register_forward_pre_hook(lambda module, hidden: tuple(h[:, :1] for h in hidden))
    try:
        yield
    finally:
        hook.remove()


@contextlib.contextmanager
def asked_tokens(model, asked) -> Iterator[None]:
    """Within the block, the last layer goes on from behind its attention with the tokens alone at which `asked` is true, a tensor
    (rows, tokens). What stands in the last hidden state of the others means nothing, and no gradient may come from there.

    Does nothing without `asked`, on a GPU, where layers have no such place, and where prompts have made rows longer.
    """
    layer, place = last_layer(model)
    if asked is None or place is None or asked.device.type != "cpu" or not asked.any():
        yield  # a GPU would have to be waited for, to hear how many they are
        return
    import torch

    pick = torch.nn.functional.embedding  # rows of a matrix; the gradient of indexing is many times slower
    chosen = asked.flatten().nonzero()[:, 0]
    back = asked.flatten().cumsum(0).sub(1).clip(min=0)

    def fewer(module, hidden):
        fits = hidden[0].shape[:2] == asked.shape
        return tuple(pick(chosen, h.flatten(0, 1))[None] for h in hidden) if fits else None

    def spread(module, given, output):
        last, *rest = output if isinstance(output, tuple) else (output,)
        if last.shape[:2] != (1, len(chosen)):
            return None
        last = pick(back, last[0]).unflatten(0, asked.shape)
        return (last, *rest) if isinstance(output, tuple) else last

    hooks = [place.register_forward_pre_hook(fewer), layer.register_forward_hook(spread)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def last_layer(model) -> tuple[Any, Any]:
    """A network's last layer, and the module in it that stands behind its attention; None where it has no such place."""
    family = FAMILIES.get(model.config.model_type)
    if family is None or not family.behind_attention:
        return None, None
    layer = network_of(model).get_submodule(family.layers)[-1]
    return layer, layer.get_submodule(family.behind_attention)
