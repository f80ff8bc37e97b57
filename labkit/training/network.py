"""The last layer where the head reads it: behind its attention only the first token goes on.

A classifier of the BERT kind reads one token, so all others' way through the last feed-forward network is thrown away. Left
out, logits and gradients are the same (docs/LOG.md has what it saves). training, evaluation, frozen and slices ask with it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labkit.base.memory import out_of_memory
from labkit.data.batching import batches_of
from labkit.models.families import FAMILIES, network_of
from labkit.models.state import asking, device_of


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


@contextlib.contextmanager
def first_only(model) -> Iterator[None]:
    """Within the block, what the model answers is computed for the first token alone from behind the last attention on.

    >>> with first_only(model): logits = model(**inputs).logits          # the last layer's hidden state is (rows, 1, width)

    Does nothing for families whose head reads elsewhere (GPT-2), or whose layers are one (ALBERT).
    """
    family = FAMILIES.get(model.config.model_type)
    if family is None or not family.behind_attention:
        yield
        return
    place = network_of(model).get_submodule(family.layers)[-1].get_submodule(family.behind_attention)
    hook = place.register_forward_pre_hook(lambda module, hidden: tuple(h[:, :1] for h in hidden))
    try:
        yield
    finally:
        hook.remove()
