"""The frozen part of a network, computed once: where the lowest blocks stay frozen, their output for a row is a constant.

Epochs two and up then start above the frozen blocks; losses are the same to 1e-5. With only the head training, one
vector a row is all that is left to keep. Leans on models; training keeps and skips with it, notebook 02 measures it.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base import memory
from labkit.base.language import tr
from labkit.base.memory import out_of_memory
from labkit.data.batching import fitting_rows
from labkit.models.families import base_of, blocks, family_of, has_decoder, reads_tokens, unwrapped, width_of
from labkit.models.state import Answer, asking, device_of
from labkit.tasks import Task
from labkit.training.network import one_token

SHARE = 0.8  # of the memory that is free: the rest is for others


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
    """What the frozen part gave for the rows of one split, one after the other."""

    flat: Any  # (tokens of all rows, width), in memory; of feature maps a row each, whatever their shape
    first: Any  # where each row begins in it
    tokens: list[int]  # how many each row has there
    megabytes: float


class FrozenPart:
    """Activations of the lowest `depth` blocks, computed once for each split and kept.

    >>> part = FrozenPart(HeadOnly().prepare(model), task, cache="memory", limit_mb=2048)     # "half": as float16; "off"
    >>> part.keep("train", items, processor)                  # False: part.refused says why and what to do
    True
    >>> with part.skipped("train", rows): logits = model(**inputs).logits         # the frozen blocks are not computed again

    `whole` says that every block below the head is frozen: then one vector a row is kept (the token that the head reads).
    `around()` is a context to compute in, such as autocast.
    """

    def __init__(
        self, model, task: Task, *, cache: str = "memory", limit_mb: float = 2048, around: Callable | None = None
    ):
        self.model, self.task, self.cache, self.limit_mb = model, task, cache, limit_mb
        self.family = family_of(model)
        self.around = around or contextlib.nullcontext
        self.base, _ = base_of(model)
        self.below = blocks(model)[:-1]
        self.depth = frozen_depth(model)
        self.all = self.depth == len(self.below)  # nothing trains but the head
        self.whole = self.all and task.pooled and self.family.reads != "mean"
        self.reads_last = self.family.reads == "last"
        self.by_tokens = reads_tokens(model)  # then items are as long as what the network makes of them
        self.numbers = (
            0.0  # else: how many numbers a row takes (for `whole`), or a unit of its size; known with the first row
        )
        self.shape: tuple = ()  # of a row, where it is no list of tokens
        self.kept: dict[str, Kept] = {}
        self.refused: str | None = None
        self.constant: bool | None = None  # not asked yet

    @property
    def usable(self) -> bool:
        """Whether there is anything to skip: at least one whole layer below the first trained block, and no prompts."""
        plain = all(block.kind != "prompt" for block in self.below)
        # one layer used many times, and sound that is turned over between its embeddings: only all can be skipped
        one_layer = self.family.shared or self.family.reads == "mean"
        apart = (
            self.base is not unwrapped(self.model) or not self.all
        )  # a head that is no module above them needs them all
        apart = apart and not has_decoder(self.model)  # whose layers read what those below say, each by itself
        return self.cache != "off" and plain and apart and (self.all or (self.depth >= 2 and not one_layer))

    def size_mb(self, lengths: Sequence[int]) -> float:
        """What rows of these sizes will take, in MB; of what is not counted in tokens nothing, before a row was computed."""
        numbers, bytes_each = width_of(self.model) if self.by_tokens else self.numbers, 2 if self.cache == "half" else 4
        return (len(lengths) if self.whole else sum(lengths)) * numbers * bytes_each / 2**20

    # Computing and keeping

    def keep(self, split: str, items: Sequence, processor) -> bool:
        """Compute the frozen part for these items, in batches of like size; False where there is no room to keep it.

        Where memory does not hold a batch, smaller ones are computed.
        """
        if not items or not self.usable or (split == "train" and self.task.modality.varies):
            return False  # what varies from epoch to epoch has no one answer to keep
        sizes = [self.task.size(item) for item in items]
        order = sorted(range(len(items)), key=sizes.__getitem__)
        self.measure(items[order[-1]], processor)
        megabytes = self.size_mb(sizes)
        self.refused = self.no_room(megabytes)
        if self.refused or not self.is_constant(processor, [items[order[0]], items[order[-1]]]):
            return False
        self.kept[split] = self.compute(items, order, sizes, processor, megabytes)
        return True

    def measure(self, item: dict, processor) -> None:
        """How many numbers a row takes, told by one."""
        if not self.by_tokens and not self.numbers:
            with asking(self.model):
                (row,) = self.rows_of(self.task.collate(processor, [item]).inputs)
            self.numbers = row.numel() if self.whole else row.numel() / self.task.size(item)

    def compute(self, items: Sequence, order: list[int], sizes: list[int], processor, megabytes: float) -> Kept:
        import torch

        count = len(items) if self.whole or not self.family.tokens else sum(sizes) if self.by_tokens else None
        half, width = self.cache == "half", math.prod(self.shape) if self.shape else width_of(self.model)
        device = device_of(self.model) if self.whole else "cpu"  # one vector a row is small enough to stay there
        flat = torch.empty((count or 0, width), dtype=torch.float16 if half else None, device=device)
        budget, tokens, start, filled = self.task.modality.budget(device_of(self.model)), [0] * len(items), 0, 0
        ordered = [sizes[i] for i in order]
        with asking(self.model), self.around(), one_token(self.model, self.task):
            while start < len(order):
                chosen = order[start : start + fitting_rows(ordered[start : start + budget], budget)]
                try:
                    parts = self.rows_of(self.task.collate(processor, [items[i] for i in chosen]).inputs)
                except RuntimeError as error:
                    if len(chosen) == 1 or not out_of_memory(error):
                        raise
                    budget = len(chosen) * ordered[start + len(chosen) - 1] // 2
                    continue
                for i, part in zip(chosen, parts, strict=True):
                    if count is None:  # frames of a clip, patches of a picture: told by the first rows, at most as many
                        flat = grown(flat, filled + len(part), len(items))
                    flat[filled : filled + len(part)] = part.float()
                    tokens[i], filled = len(part), filled + len(part)
                start += len(chosen)
        flat = flat[:filled]
        ends = torch.tensor([tokens[i] for i in order]).cumsum(0)
        first = ends[torch.tensor(order).argsort()] - torch.tensor(tokens)
        return Kept(flat, first.to(device), tokens, megabytes)

    def rows_of(self, inputs: dict) -> list:
        """The frozen part's output for a batch, one tensor (tokens, width) a row, without the padding; a feature map or a pooled
        vector is one row of its numbers."""
        device = device_of(self.model)
        hidden = self.reach({k: v.to(device) for k, v in inputs.items()})
        if not self.family.tokens:
            self.shape = tuple(hidden.shape[1:])
            return list(hidden.reshape(len(hidden), 1, -1))
        if self.whole and not self.reads_last:
            return list(hidden[:, :1])
        real = inputs.get("attention_mask")
        if real is None:
            rows = list(hidden)
        elif real.shape[1] != hidden.shape[1]:  # padding that is counted in samples says nothing of frames
            self.constant, rows = False, list(hidden)
        else:
            rows = [row[true] for row, true in zip(hidden, real.bool().to(device), strict=True)]
        return [row[-1:] for row in rows] if self.whole else rows

    def reach(self, inputs: dict) -> Any:
        """Hidden states (rows, tokens, width) where the frozen part ends, or feature maps, or what is pooled of them. The model
        above is not computed."""
        caught = []

        def after(module, args, output):
            caught.append(output.last_hidden_state if self.family.tokens else output.pooler_output)
            raise Reached

        def before(module, args, kwargs):
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise Reached

        if self.all:
            hook = self.base.register_forward_hook(after)
        else:
            first = self.model.get_submodule(self.below[self.depth].modules[0])
            hook = first.register_forward_pre_hook(before, with_kwargs=True)
        try:
            with contextlib.suppress(Reached):
                self.model(**inputs)
        finally:
            hook.remove()
        return caught[0]

    def is_constant(self, processor, items: Sequence) -> bool:
        """Whether skipping changes nothing, tried on these items: nothing that trains reaches what is kept, and the
        model answers the same. What was added to a model from outside may have its say anywhere."""
        import torch

        if self.constant is None:
            if len({self.task.size(item) for item in items}) > 1 and self.shape:
                return False  # maps of different sizes fit no one shape
            batch = self.task.collate(processor, items).to(device_of(self.model))
            with asking(self.model):
                with torch.inference_mode(False), torch.enable_grad():
                    trains = self.reach(batch.inputs).requires_grad
                rows = self.rows_of(batch.inputs)
                with self.answering(self.shaped(stacked(rows))):
                    kept, _ = self.task.ask(self.model, batch)
                whole, _ = self.task.ask(self.model, batch)
                same = not trains and torch.allclose(kept, whole, rtol=1e-3, atol=1e-4)
                self.constant = same and self.constant is None
        return self.constant

    def no_room(self, size: float) -> str | None:
        """Why so many MB more cannot be kept, and what to do; None where they can."""
        total = size + sum(k.megabytes for k in self.kept.values())
        free = (memory.memory_mb() or (math.inf,))[0]
        if total <= self.limit_mb and size <= SHARE * free:
            return None
        tight = total <= self.limit_mb  # within the limit, but the machine has less
        have = (
            tr(f"空闲内存 {free:.0f} MB", f"the {free:.0f} MB that are free")
            if tight
            else f"cache_mb={self.limit_mb:g}"
        )
        ways = [] if tight else [f"cache_mb={math.ceil(total) + 1}"]
        ways += (
            []
            if self.cache == "half"
            else [tr(f"cache='half'（{total / 2:.0f} MB）", f"cache='half' ({total / 2:.0f} MB)")]
        )
        return tr(
            f"冻结部分的结果要占 {total:.0f} MB，超过{have}：改为每轮重算，结果一样，只是慢。要保留它：{' 或 '.join(ways)}。",
            f"What the frozen part computes takes {total:.0f} MB, more than {have}: it is computed again every epoch, with "
            f"the same result, only slower. To keep it: {' or '.join(ways)}.",
        )

    # Skipping

    def whole_of(self, split: str) -> bool:
        """Whether all that the head reads of a split is kept."""
        return self.whole and split in self.kept

    def batch(self, split: str, rows: Sequence[int]) -> Any:
        """What is kept for some rows, padded with zeros on the right to the longest: (rows, tokens, width), or as the network made
        it, float32."""
        import torch

        kept = self.kept[split]
        first = kept.first[torch.tensor(rows, device=kept.first.device)]
        if self.whole:
            return self.shaped(kept.flat[first].unsqueeze(1).float())
        ends = ((a, a + kept.tokens[i]) for a, i in zip(first.tolist(), rows, strict=True))
        rows = stacked([kept.flat[a:b] for a, b in ends]).to(device_of(self.model), non_blocking=True).float()
        return self.shaped(rows)

    def shaped(self, rows) -> Any:
        """Rows (rows, tokens, width) in the shape that the network gave them."""
        return rows.view(len(rows), *self.shape) if self.shape else rows

    @contextlib.contextmanager
    def skipped(self, split: str, rows: Sequence[int]) -> Iterator[None]:
        """Within the block, the frozen blocks answer for these rows with what was kept, if it was, without computing."""
        if split in self.kept:
            with self.answering(self.batch(split, rows)):
                yield
        else:
            yield

    @contextlib.contextmanager
    def answering(self, hidden) -> Iterator[None]:
        """Within the block, the frozen blocks answer with `hidden` whatever they are asked."""
        if self.all:
            base, last = self.base, self.whole and self.reads_last
            if self.family.tokens:
                swapped = {base: lambda ids=None, **rest: base_output(base, hidden, rest.get("input_ids", ids), last)}
            else:
                swapped = {base: lambda *args, **rest: Answer(last_hidden_state=None, pooler_output=hidden)}
        else:
            first, *others = [self.model.get_submodule(m) for b in self.below[: self.depth] for m in b.modules]
            swapped = {first: lambda *args, **kwargs: hidden}
            # megatron-bert alone has layers in tuples, and one module of embeddings: whatever is passed by is a layer
            bare = not self.family.in_tuples
            swapped |= {m: (lambda x, *args, **kwargs: x if bare else (x,)) for m in others}
            if self.family.summed:  # token and position embeddings are added up: the second adds nothing
                swapped[others[0]] = lambda *args, **kwargs: hidden.new_zeros(1)
        before = {module: vars(module).get("forward") for module in swapped}  # others may have put theirs there
        # straight into the instance: torch's own way to set an attribute takes as long as a small head computes
        for module, forward in swapped.items():
            vars(module)["forward"] = forward
        try:
            yield
        finally:
            for module, forward in before.items():
                if forward is None:
                    del vars(module)["forward"]
                else:
                    vars(module)["forward"] = forward


def grown(flat, need: int, rows: int) -> Any:
    """Room for at least so many tokens, doubled where it is too small."""
    import torch

    if need <= len(flat):
        return flat
    more = torch.empty(
        (max(need, 2 * len(flat), 64 * rows) - len(flat), flat.shape[1]), dtype=flat.dtype, device=flat.device
    )
    return torch.cat([flat, more])


class Reached(Exception):
    """Stops a forward pass where the frozen part ends."""


def stacked(rows: Sequence) -> Any:
    """Rows (tokens, width) as one batch, padded with zeros on the right."""
    import torch

    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def base_output(base, hidden, ids, reads_last: bool) -> Any:
    """What the base model would answer: hidden states, and the pooler's answer where it has one. A head that looks for the
    last token of `ids` finds the one that is kept wherever it looks."""
    pooler = getattr(base, "pooler", None)
    pooled = None
    if pooler is not None:
        pooled = base.pooler_activation(pooler(hidden[:, 0])) if hasattr(base, "pooler_activation") else pooler(hidden)
    if reads_last:
        hidden = hidden.expand(-1, ids.shape[1], -1)
    return Answer(last_hidden_state=hidden, pooler_output=pooled)
