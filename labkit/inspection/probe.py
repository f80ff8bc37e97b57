"""A throwaway run on a few batches that stand for all: what a forecast is told from.

A copy of the model takes a few real steps with the real Trainer, the longest batch first; the rest is arithmetic over
the lengths of the corpus's rows. Leans on training and machine.
"""

import copy
import itertools
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.base import memory
from labkit.base.config import TrainConfig
from labkit.base.records import Epoch
from labkit.data.batching import batch_order, batches_of
from labkit.data.corpus import Corpus
from labkit.models.loading import fitting
from labkit.strategies import Strategy
from labkit.training.network import logits_of
from labkit.training.trainer import Trainer

SAMPLE = 4000  # rows of a split that are looked at: more have the same lengths
STATE = {"adamw": 2, "adam": 2, "momentum": 1, "sgd": 0}  # numbers that an optimizer keeps for each trained one
SPARE = 0.9  # the share of the free memory to count on: other programs live too
PATIENCE = 1.0  # seconds of steps to time in each phase, where one round takes less


def throwaway(model) -> Any:
    """A copy that may be trained and forgotten: same weights, same device; the tokenizer is shared."""
    return copy.deepcopy(model, {id(model.processor): model.processor})


@dataclass(frozen=True)
class Found:
    """What a trial found. Memory in MB."""

    parts: dict[str, float] | None
    needed: float
    fixed: float  # of it: whatever the batch
    row: float  # of it: each row of the longest batch
    lengths: Sequence[int] = ()  # tokens of training rows
    trained_share: float = 1.0


class Trial:
    """A throwaway run on a few batches that stand for all: the longest for memory, five lengths for time."""

    def __init__(self, model, corpus: Corpus, strategy: Strategy, config: TrainConfig, kind: str, free: float | None):
        self.corpus, self.config, self.kind, self.free = corpus, config, kind, free
        self.meter = memory.PeakMemory(kind)
        task, width = model.task, fitting(model, config.max_length)
        some = {s: sample(rows, max(SAMPLE, 100 * config.batch_size)) for s, rows in corpus.splits.items()}
        self.items = {s: task.encode(model.processor, rows, width) for s, rows in some.items()}
        self.items_mb = self.meter.mb() - self.meter.start if kind == "cpu" else 0.0
        self.lengths = {s: [task.length(item) for item in items] for s, items in self.items.items()}
        self.chunk_tokens = {
            s: [padded(found, chunk) for chunk in batches_of(found, kind)] for s, found in self.lengths.items()
        }
        c, lengths = config, self.lengths["train"]
        batches = batch_order(lengths, c.batch_size, seed=c.seed, epoch=0, bucket=c.bucket)
        self.batch_tokens = [padded(lengths, batch) for batch in batches]
        few = [batches[i] for i in spread(self.batch_tokens, 5)]
        self.batches, rows = numbered(few), [some["train"][i] for batch in few for i in batch]
        chunks = [[some[s][i] for i in chunk] for s, found in self.lengths.items() for chunk in batches_of(found, kind)]
        few = [chunks[i] for i in spread([n for found in self.chunk_tokens.values() for n in found], 3)]
        self.chunks = numbered(few)
        rest = {"train": tuple(rows), "valid": tuple(row for chunk in few for row in chunk), "test": ()}
        self.trainer = Trainer(model, replace(corpus, **rest), strategy, config)
        self.trainer.total_steps = 10**9  # no schedule runs out
        self.epochs, self.row, self.fixed, self.reckoned = self.trainer.config.epochs, 0.0, 0.0, 0.0

    def found(self) -> Found:
        """Walk through the epochs: measure where the strategy lets more train, reckon the others."""
        trainer, parts = self.trainer, dict.fromkeys(("frozen", "train", "valid", "final"), 0.0)
        phase, history, frozen = None, [], 0.0
        for epoch in range(self.epochs):
            thawed = epoch > 0 and trainer.strategy.on_epoch(trainer.model, epoch, history)
            if thawed:
                trainer.thaw()
            if thawed or not epoch:
                with trainer.at_work():
                    phase = self.phase()
                if phase is None:
                    break
                parts["frozen"] += phase["frozen"]
                frozen = max(frozen, self.frozen_mb())
            parts["train"] += phase["train"]
            parts["valid"] += phase["valid"]
            parts["final"] = phase["valid"] + phase["test"]
            history.append(Epoch(epoch + 1, 0, 0.0, float(epoch), 0.0, 0.0, 0.0))  # a rising loss thaws at once
        trained = megabytes(trainer.tensors().values())
        more = frozen + self.items_mb * (self.scale("train") - 1) + (trained if self.config.patience else 0.0)
        needed = max(self.meter.mb() - self.meter.start, self.reckoned) + more
        share = trained / megabytes(trainer.model.parameters())
        return Found(parts if phase else None, needed, self.fixed + more, self.row, self.lengths["train"], share)

    def scale(self, split: str) -> float:
        """How many times the sample the split is."""
        return len(self.corpus.splits[split]) / max(1, len(self.items[split]))

    # One phase, in which the same tensors train

    def phase(self) -> dict[str, float] | None:
        """Seconds of an epoch, of validation, of the test rows, of computing the frozen part; None if not one row fits."""
        trainer = self.trainer
        kept = self.keep("train") if self.kept_mb() is not None else None
        if not self.take_longest():
            return None
        steps, forward = reckon(self.time_steps(), self.batch_tokens), self.time_chunks()
        asks = {s: reckon(forward, tokens) * self.scale(s) for s, tokens in self.chunk_tokens.items()}
        seconds = {"train": steps * self.scale("train"), "valid": asks["valid"], "test": asks["test"], "frozen": 0.0}
        if kept is not None:
            lengths = list(map(trainer.task.length, trainer.items["valid"]))
            mine = sum(padded(lengths, chunk) for chunk in batches_of(lengths, self.kind))
            share = {s: sum(tokens) * self.scale(s) / mine for s, tokens in self.chunk_tokens.items()}
            seconds["frozen"] = self.keep("valid") * (share["train"] + share["valid"])
            seconds["valid"] = self.timed(lambda: trainer.score("valid")) * share["valid"]
        return seconds

    def kept_mb(self) -> float | None:
        """Size of the frozen part's output for all rows; None where it will be computed every epoch."""
        part = self.trainer.frozen
        if not part.usable:
            return None
        whole = sum(part.size_mb(self.lengths[s]) * self.scale(s) for s in ("train", "valid"))
        return None if part.no_room(whole) else whole

    def frozen_mb(self) -> float:
        """Memory of it that the run will take."""
        return (self.kept_mb() or 0.0) if self.trainer.frozen.kept and self.trainer.frozen.cache != "disk" else 0.0

    def keep(self, split: str) -> float | None:
        """Compute the frozen part for the trial's rows of a split; seconds, or None where it cannot be kept."""
        trainer, done = self.trainer, []
        items = trainer.items[split]
        seconds = self.timed(lambda: done.append(trainer.frozen.keep(split, items, trainer.task, trainer.processor)))
        return seconds if done[0] else None

    def take_longest(self) -> bool:
        """A step of the longest batch if it fits by what one row and four take, else in pieces; False if no row fits."""
        trainer, batch = self.trainer, sorted(self.batches[-1], key=lambda i: -self.trainer.lengths[i])
        whole = math.ceil(len(batch) / self.config.accumulation)  # rows in memory at one time
        few, room = min(4, whole), math.inf if self.free is None else SPARE * self.free
        least = megabytes(trainer.tensors().values()) * (1 + STATE[self.config.optimizer])  # gradients and state
        if least > room:
            self.reckoned = self.fixed = least
            return False
        trainer.pieces = 1
        self.peak_of(batch[:1])  # brings the optimizer's state
        one = self.peak_of(batch[:1])
        self.row = max(0.0, (self.peak_of(batch[:few]) - one) / (few - 1)) if few > 1 else 0.0
        self.fixed = one - self.row
        fitting_rows = int(min(whole, (room - self.fixed) / max(self.row, 1e-9)))
        trainer.pieces = (
            math.ceil(len(batch) / max(fitting_rows, 1)) if fitting_rows < whole else self.config.accumulation
        )
        if fitting_rows < whole:
            self.reckoned = max(self.reckoned, self.fixed + self.row * whole)
        if fitting_rows >= 1:
            self.peak_of(batch)
        return fitting_rows >= 1

    def peak_of(self, rows: list[int]) -> float:
        """The highest use of memory in a step with these rows, above what it was before the trial."""
        meter = memory.PeakMemory(self.kind)
        self.step(rows)
        return meter.mb() - self.meter.start

    def step(self, rows: list[int]) -> None:
        for _ in self.trainer.train_step(rows):
            pass

    def time_steps(self) -> list[tuple[int, float]]:
        """(padded tokens, seconds) of a step with each of the batches, in turns; the quick ones more than once."""
        found, began = [], time.perf_counter()
        for _ in range(5):
            found += [(padded(self.trainer.lengths, b), self.timed(lambda b=b: self.step(b))) for b in self.batches]
            if time.perf_counter() - began > PATIENCE:
                break
        return found

    def time_chunks(self) -> list[tuple[int, float]]:
        """(padded tokens, seconds) of asking the network, for each of the chunks, the longest also for its memory."""
        trainer, found = self.trainer, []
        for chunk in self.chunks:
            items, meter = [trainer.items["valid"][i] for i in chunk], memory.PeakMemory(self.kind)
            tokens = len(items) * max(map(trainer.task.length, items))
            seconds = self.timed(
                lambda items=items: logits_of(trainer.model, items, processor=trainer.processor, task=trainer.task)
            )
            found.append((tokens, seconds))
        self.reckoned = max(self.reckoned, meter.mb() - self.meter.start)
        return found

    def timed(self, call: Callable[[], Any]) -> float:
        """Seconds of a call, until the device is done."""
        import torch

        wait = torch.cuda.synchronize if self.kind == "cuda" else (lambda: None)
        wait()
        began = time.perf_counter()
        call()
        wait()
        return time.perf_counter() - began


# Arithmetic over lengths


def sample(rows: Sequence, most: int) -> Sequence:
    """At most so many of the rows, drawn at random but always the same; of texts the longest are among them."""
    if len(rows) <= most:
        return rows
    longest = sorted(range(len(rows)), key=lambda i: -len(getattr(rows[i], "text", "")))[: most // 4]
    others = sorted(set(range(len(rows))) - set(longest))
    rest = random.Random("trial").sample(others, most - len(longest))
    return [rows[i] for i in sorted([*longest, *rest])]


def padded(lengths: Sequence[int], rows: Sequence[int]) -> int:
    """Tokens of these rows as one batch, padding included."""
    return len(rows) * max(lengths[i] for i in rows)


def spread(values: Sequence[int], n: int) -> list[int]:
    """Indices of `n` of the values, evenly from the least to the greatest: `spread([5, 9, 7], 2) == [0, 1]`."""
    order = sorted(range(len(values)), key=values.__getitem__)
    return [order[i] for i in dict.fromkeys(round(k * (len(order) - 1) / (n - 1)) for k in range(n))]


def numbered(batches: Sequence[Sequence]) -> list[list[int]]:
    """Row numbers of batches that stand one behind the other: `numbered(["ab", "c"]) == [[0, 1], [2]]`."""
    ends = [0, *itertools.accumulate(map(len, batches))]
    return [list(range(a, b)) for a, b in itertools.pairwise(ends)]


def reckon(measured: Sequence[tuple[int, float]], tokens: Sequence[int]) -> float:
    """Seconds of batches of these padded tokens, straight lines between those measured (means where several are alike)."""
    import numpy as np

    sizes = sorted({size for size, _ in measured})
    means = [np.mean([s for size, s in measured if size == one]) for one in sizes]
    return float(np.interp(tokens, sizes, means).sum())


def megabytes(tensors) -> float:
    return sum(t.numel() * t.element_size() for t in tensors) / 2**20
