"""The frozen part of a network, computed once: where the lowest blocks stay frozen, their output for a row is a constant.

Epochs two and up then start above the frozen blocks; losses are the same to 1e-5. With only the head training, one
vector a row is all that is left to keep. Leans on models.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.evaluation import asking, device_of
from labkit.models import base_of, blocks, width_of


def frozen_depth(model) -> int:
    """How many blocks, counted from the embeddings up, hold nothing that trains.

    >>> frozen_depth(TopK(2).prepare(load("tiny-bert-zh", labels=labels)))      # embeddings and the two lowest of 4 layers
    3
    """
    by_name, depth = dict(model.named_parameters()), 0
    for block in blocks(model)[:-1]:
        if any(by_name[n].requires_grad for n in block.parameters):
            break
        depth += 1
    return depth


@dataclass
class Kept:
    """Activations of the encoded rows of one split: `rows[i]` is a tensor (tokens, width)."""

    rows: list[Any]
    megabytes: float


class _Reached(Exception):
    """Stops a forward pass at the first block that trains."""


class FrozenPart:
    """Activations of the lowest `depth` blocks, computed once for each split and kept in main memory.

    >>> part = FrozenPart(model, limit_mb=2048)
    >>> part.keep("train", items, task, processor)
    True
    >>> with part.skipped("train", rows): logits = model(**inputs).logits         # the frozen blocks are not computed again

    `whole` says that every block below the head is frozen: then one vector a row is kept (the token that the head reads).
    """

    def __init__(self, model, *, limit_mb: float = 2048):
        self.model, self.limit_mb = model, limit_mb
        self.below = blocks(model)[:-1]
        self.depth = frozen_depth(model)
        self.whole = self.depth == len(self.below)
        self.shared = model.config.model_type == "albert"  # one layer used many times: only all of it can be skipped
        self.kept: dict[str, Kept] = {}

    @property
    def usable(self) -> bool:
        """Whether there is anything to skip: at least one whole layer below the first trained block."""
        return self.whole or (self.depth >= 2 and not self.shared)

    def size_mb(self, lengths: Sequence[int]) -> float:
        """Main memory that rows of these token counts will take, in MB (float32)."""
        return (len(lengths) if self.whole else sum(lengths)) * width_of(self.model) * 4 / 2**20

    def keep(self, split: str, items: Sequence, task, processor, *, batch_size: int = 64) -> bool:
        """Compute the frozen part for these items, in batches of like length; False where memory does not allow it."""
        lengths = [task.length(item) for item in items]
        size = self.size_mb(lengths)
        if not self.usable or size + sum(k.megabytes for k in self.kept.values()) > self.limit_mb:
            return False
        order = sorted(range(len(items)), key=lengths.__getitem__)
        rows: list[Any] = [None] * len(items)
        device = device_of(self.model)
        with asking(self.model):
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                inputs, _ = task.collate(processor, [items[i] for i in chosen])
                inputs = {k: v.to(device) for k, v in inputs.items()}
                hidden, mask = self.reach(inputs), inputs["attention_mask"].bool()
                for i, row, real in zip(chosen, hidden.cpu(), mask.cpu(), strict=True):
                    row = row[real]  # a copy, without the padding
                    rows[i] = (row[-1:] if self.reads_last else row[:1]).clone() if self.whole else row
        self.kept[split] = Kept(rows, size)
        return True

    @property
    def reads_last(self) -> bool:
        """GPT-like heads read the last token, BERT-like ones the first."""
        return self.model.config.model_type == "gpt2"

    def reach(self, inputs: dict) -> Any:
        """Hidden states (rows, tokens, width) where the frozen part ends."""
        base, _ = base_of(self.model)
        if self.whole:
            return base(**inputs).last_hidden_state
        caught = []

        def catch(module, args, kwargs):
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        hook = self.model.get_submodule(self.below[self.depth].modules[0]).register_forward_pre_hook(
            catch, with_kwargs=True
        )
        try:
            with contextlib.suppress(_Reached):
                base(**inputs)
        finally:
            hook.remove()
        return caught[0]

    def batch(self, split: str, rows: Sequence[int]) -> Any:
        """Kept activations of some rows, padded with zeros on the right to the longest: (rows, tokens, width)."""
        import torch

        chosen = [self.kept[split].rows[i] for i in rows]
        hidden = torch.stack(chosen) if self.whole else torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True)
        return hidden.to(device_of(self.model), non_blocking=True)

    @contextlib.contextmanager
    def skipped(self, split: str, rows: Sequence[int]) -> Iterator[None]:
        """Within the block, the frozen blocks answer for these rows with what was kept, if it was, without computing."""
        if split not in self.kept:
            yield
            return
        hidden, (base, _) = self.batch(split, rows), base_of(self.model)
        if self.whole:
            swapped = {base: lambda ids=None, **kwargs: whole_output(base, hidden, kwargs.get("input_ids", ids))}
        else:
            first, *rest = [self.model.get_submodule(m) for b in self.below[: self.depth] for m in b.modules]
            swapped = {first: lambda *args, **kwargs: hidden}
            swapped |= {m: (lambda x, *args, **kwargs: x) for m in rest}
            if self.reads_last:  # token and position embeddings are added: the second adds nothing
                swapped[rest[0]] = lambda *args, **kwargs: hidden.new_zeros(1)
        for module, forward in swapped.items():
            module.forward = forward
        try:
            yield
        finally:
            for module in swapped:
                del module.forward


def whole_output(base, hidden, ids) -> Any:
    """What the base model would answer: hidden states, all as that of the token read, and the pooler's where it has one."""
    pooler = getattr(base, "pooler", None)
    pooled = None
    if pooler is not None:
        pooled = base.pooler_activation(pooler(hidden[:, 0])) if hasattr(base, "pooler_activation") else pooler(hidden)
    if base.config.model_type == "gpt2":  # its head looks for the last token of `ids`
        hidden = hidden.expand(-1, ids.shape[1], -1)
    return Answer(last_hidden_state=hidden, pooler_output=pooled)


class Answer(dict):
    """A model output that answers to names and to places, as transformers' own do."""

    __getattr__ = dict.get

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)
