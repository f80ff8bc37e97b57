"""The frozen part of a network, computed once: where the lowest blocks stay frozen, their output for a row is a constant.

Epochs two and up then start above the frozen blocks; losses are the same to 1e-5. With only the head training, one
vector a row is all that is left to keep. Leans on models; training keeps and skips with it, notebook 02 measures it.
"""

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base import machine, memory
from labkit.base.language import tr
from labkit.base.memory import out_of_memory
from labkit.data.batching import fitting_rows, most_tokens
from labkit.models.families import base_of, blocks, width_of
from labkit.models.state import Answer, asking, device_of
from labkit.training.network import first_only

SHARE = 0.8  # of the memory that is free, or of the disk: the rest is for others


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

    flat: Any  # (tokens of all rows, width), in memory or mapped from a file
    first: Any  # where each row begins in it
    tokens: list[int]  # how many each row has there
    target: Any  # the class of each row
    megabytes: float


class FrozenPart:
    """Activations of the lowest `depth` blocks, computed once for each split and kept.

    >>> part = FrozenPart(model, cache="memory", limit_mb=2048)     # "half": as float16; "disk": in a temporary file; "off"
    >>> part.keep("train", items, task, processor)                  # False: part.refused says why and what to do
    True
    >>> with part.skipped("train", rows): logits = model(**inputs).logits         # the frozen blocks are not computed again

    `whole` says that every block below the head is frozen: then one vector a row is kept (the token that the head reads).
    `around()` is a context to compute in, such as autocast. A temporary file has no name where the system allows it:
    it is gone with the last tensor that looks into it, and after a crash.
    """

    def __init__(self, model, *, cache: str = "memory", limit_mb: float = 2048, around: Callable | None = None):
        self.model, self.cache, self.limit_mb = model, cache, limit_mb
        self.around = around or contextlib.nullcontext
        self.base, _ = base_of(model)
        self.below = blocks(model)[:-1]
        self.depth = frozen_depth(model)
        self.whole = self.depth == len(self.below)
        self.reads_last = model.config.model_type == "gpt2"  # its head reads the last token, BERT-like ones the first
        self.kept: dict[str, Kept] = {}
        self.refused: str | None = None
        self.constant: bool | None = None  # not asked yet

    @property
    def usable(self) -> bool:
        """Whether there is anything to skip: at least one whole layer below the first trained block, and no prompts."""
        shared = self.model.config.model_type == "albert"  # one layer used many times: only all of it can be skipped
        plain = all(block.kind != "prompt" for block in self.below)
        return self.cache != "off" and plain and (self.whole or (self.depth >= 2 and not shared))

    def size_mb(self, lengths: Sequence[int]) -> float:
        """What rows of these token counts will take, in MB."""
        width, bytes_each = width_of(self.model), 2 if self.cache == "half" else 4
        return (len(lengths) if self.whole else sum(lengths)) * width * bytes_each / 2**20

    # Computing and keeping

    def keep(self, split: str, items: Sequence, task, processor) -> bool:
        """Compute the frozen part for these items, in batches of like length; False where there is no room to keep it.

        Where memory does not hold a batch, smaller ones are computed.
        """
        if not items or not self.usable:
            return False
        lengths = [task.length(item) for item in items]
        order = sorted(range(len(items)), key=lengths.__getitem__)
        size = self.size_mb(lengths)
        self.refused = self.no_room(size)
        if self.refused or not self.is_constant(task, processor, [items[order[0]], items[order[-1]]]):
            return False
        try:
            with contextlib.closing(self.new_store(lengths)) as store:
                self.kept[split] = self.compute(store, items, order, task, processor, size)
        except OSError as error:
            self.refused = no_disk(size, str(error))
        return split in self.kept

    def new_store(self, lengths: Sequence[int]) -> Any:
        count, width = len(lengths) if self.whole else sum(lengths), width_of(self.model)
        if self.cache == "disk":
            return Disk(count, width)
        return Memory(count, width, self.cache == "half", device_of(self.model) if self.whole else "cpu")

    def compute(self, store, items, order, task, processor, size) -> Kept:
        import torch

        most = most_tokens(device_of(self.model))
        sizes = [task.length(items[i]) for i in order]
        targets, tokens, start = [], [0] * len(items), 0
        with asking(self.model), self.around(), first_only(self.model):
            while start < len(order):
                chosen = order[start : start + fitting_rows(sizes[start : start + most], most)]
                try:
                    parts, target = self.rows_of(*task.collate(processor, [items[i] for i in chosen]))
                except RuntimeError as error:
                    if len(chosen) == 1 or not out_of_memory(error):
                        raise
                    most = len(chosen) * sizes[start + len(chosen) - 1] // 2
                    continue
                store.add(torch.cat(parts).float())
                targets.append(target)
                for i, part in zip(chosen, parts, strict=True):
                    tokens[i] = len(part)
                start += len(chosen)
        back = torch.tensor(order).argsort()
        ends = torch.tensor([tokens[i] for i in order]).cumsum(0)
        first = ends[back] - torch.tensor(tokens)
        flat = store.flat()
        return Kept(flat, first.to(flat.device), tokens, torch.cat(targets)[back].to(flat.device), size)

    def rows_of(self, inputs: dict, target) -> tuple[list, Any]:
        """The frozen part's output for a batch, one tensor (tokens, width) a row, without the padding; and the classes."""
        device = device_of(self.model)
        hidden = self.reach({k: v.to(device) for k, v in inputs.items()})
        if self.whole and not self.reads_last:
            return list(hidden[:, :1]), target
        rows = [row[real] for row, real in zip(hidden, inputs["attention_mask"].bool().to(device), strict=True)]
        return [row[-1:] for row in rows] if self.whole else rows, target

    def reach(self, inputs: dict) -> Any:
        """Hidden states (rows, tokens, width) where the frozen part ends. The model above is not computed."""
        caught = []

        def after(module, args, output):
            caught.append(output.last_hidden_state)
            raise Reached

        def before(module, args, kwargs):
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise Reached

        if self.whole:
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

    def is_constant(self, task, processor, items: Sequence) -> bool:
        """Whether skipping changes nothing, tried on these items: nothing that trains reaches what is kept, and the
        model answers the same. What was added to a model from outside may have its say anywhere."""
        import torch

        if self.constant is None:
            inputs, _ = task.collate(processor, items)
            inputs = {k: v.to(device_of(self.model)) for k, v in inputs.items()}
            with asking(self.model):
                with torch.inference_mode(False), torch.enable_grad():
                    trains = self.reach(inputs).requires_grad
                rows, _ = self.rows_of(inputs, None)
                with self.answering(stacked(rows)):
                    mine = self.model(**inputs).logits
                self.constant = not trains and torch.allclose(mine, self.model(**inputs).logits, rtol=1e-3, atol=1e-4)
        return self.constant

    def no_room(self, size: float) -> str | None:
        """Why so many MB more cannot be kept, and what to do; None where they can."""
        if self.cache == "disk":
            free = machine.free_disk_mb(tempfile.gettempdir())
            return no_disk(size, tr(f"剩余 {free:.0f} MB", f"{free:.0f} MB are free")) if size > SHARE * free else None
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
        ways += [tr("cache='disk'（临时文件）", "cache='disk' (a temporary file)")]
        return tr(
            f"冻结部分的结果要占 {total:.0f} MB，超过{have}：改为每轮重算，结果一样，只是慢。要保留它：{' 或 '.join(ways)}。",
            f"What the frozen part computes takes {total:.0f} MB, more than {have}: it is computed again every epoch, with "
            f"the same result, only slower. To keep it: {' or '.join(ways)}.",
        )

    # Skipping

    def stubs(self, split: str, rows: Sequence[int]) -> tuple[dict, Any] | None:
        """Inputs of one token a row, and the classes: all that the head needs where the whole network is kept; else None."""
        if not self.whole or split not in self.kept:
            return None
        import torch

        ones = torch.ones((len(rows), 1), dtype=torch.long, device=device_of(self.model))
        target = self.kept[split].target
        return {"input_ids": ones, "attention_mask": ones}, target[torch.tensor(rows, device=target.device)]

    def batch(self, split: str, rows: Sequence[int]) -> Any:
        """What is kept for some rows, padded with zeros on the right to the longest: (rows, tokens, width), float32."""
        import torch

        kept = self.kept[split]
        first = kept.first[torch.tensor(rows, device=kept.first.device)]
        if self.whole:
            return kept.flat[first].unsqueeze(1).float()
        ends = ((a, a + kept.tokens[i]) for a, i in zip(first.tolist(), rows, strict=True))
        return stacked([kept.flat[a:b] for a, b in ends]).to(device_of(self.model), non_blocking=True).float()

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
        if self.whole:
            swapped = {self.base: lambda ids=None, **rest: whole_output(self.base, hidden, rest.get("input_ids", ids))}
        else:
            first, *others = [self.model.get_submodule(m) for b in self.below[: self.depth] for m in b.modules]
            swapped = {first: lambda *args, **kwargs: hidden}
            swapped |= {m: (lambda x, *args, **kwargs: x) for m in others}
            if self.reads_last:  # GPT-2 adds token and position embeddings: the second adds nothing
                swapped[others[0]] = lambda *args, **kwargs: hidden.new_zeros(1)
        before = {module: vars(module).get("forward") for module in swapped}  # others may have put theirs there
        for module, forward in swapped.items():
            module.forward = forward
        try:
            yield
        finally:
            for module, forward in before.items():
                if forward is None:
                    del module.forward
                else:
                    module.forward = forward


class Reached(Exception):
    """Stops a forward pass where the frozen part ends."""


class Memory:
    """Rows of activations one after the other, in memory."""

    def __init__(self, count: int, width: int, half: bool, device):
        import torch

        self.all, self.at = torch.empty((count, width), dtype=torch.float16 if half else None, device=device), 0

    def add(self, rows) -> None:
        self.all[self.at : self.at + len(rows)] = rows
        self.at += len(rows)

    def flat(self) -> Any:
        return self.all

    def close(self) -> None:
        pass


class Disk:
    """The same in a temporary file, which is mapped into memory when all is written: the system reads what is asked for."""

    def __init__(self, count: int, width: int):
        self.shape, self.file = (count, width), tempfile.TemporaryFile(prefix="labkit-frozen-")  # noqa: SIM115 (close() does)

    def add(self, rows) -> None:
        self.file.write(rows.cpu().contiguous().numpy().data)

    def flat(self) -> Any:
        import numpy
        import torch

        self.file.flush()
        return torch.from_numpy(numpy.memmap(self.file, "float32", "c", shape=self.shape))

    def close(self) -> None:
        self.file.close()  # what is mapped stays


def no_disk(size: float, reason: str) -> str:
    folder = tempfile.gettempdir()
    return tr(
        f"冻结部分的结果要占 {size:.0f} MB，{folder} 放不下（{reason}）：改为每轮重算，结果一样，只是慢。"
        "要保留它：让环境变量 TMPDIR 指向更大的磁盘，或用 cache='half'。",
        f"What the frozen part computes takes {size:.0f} MB, and {folder} does not hold it ({reason}): it is computed again "
        "every epoch, with the same result, only slower. To keep it: let the environment variable TMPDIR name a folder on "
        "a larger disk, or take cache='half'.",
    )


def stacked(rows: Sequence) -> Any:
    """Rows (tokens, width) as one batch, padded with zeros on the right."""
    import torch

    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def whole_output(base, hidden, ids) -> Any:
    """What the base model would answer: hidden states, all as that of the token read, and the pooler's where it has one."""
    pooler = getattr(base, "pooler", None)
    pooled = None
    if pooler is not None:
        pooled = base.pooler_activation(pooler(hidden[:, 0])) if hasattr(base, "pooler_activation") else pooler(hidden)
    if base.config.model_type == "gpt2":  # its head looks for the last token of `ids`
        hidden = hidden.expand(-1, ids.shape[1], -1)
    return Answer(last_hidden_state=hidden, pooler_output=pooled)
