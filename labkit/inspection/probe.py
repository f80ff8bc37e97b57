"""A throwaway run on a few batches that stand for all: what a forecast is told from.

A copy of the model takes a few real steps with the real Trainer, the largest batch first; the rest is arithmetic over
the sizes of the corpus's rows. Leans on training and memory.
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
from labkit.data.batching import batches_of
from labkit.data.corpus import Corpus
from labkit.models.loading import fitting
from labkit.strategies import Strategy
from labkit.training.batches import Batches
from labkit.training.trainer import Trainer

SAMPLE = 4000  # rows of a split that are looked at: more have the same sizes
STATE = {"adamw": 2, "adam": 2, "momentum": 1, "sgd": 0}  # numbers that an optimizer keeps for each trained one
SPARE = 0.9  # the share of the free memory to count on: other programs live too
PATIENCE = 1.0  # seconds of steps to time in each phase, where one round takes less


def throwaway(model) -> Any:
    """A copy that may be trained and forgotten: same weights, same device; the processor is shared."""
    return copy.deepcopy(model, {id(model.processor): model.processor})


@dataclass(frozen=True)
class Cost:
    """What a probe measured. Memory in MB."""

    parts: dict[str, float] | None  # seconds of each part of the run; None where not one row fits
    needed: float
    fixed: float  # of it: whatever the batch
    row: float  # of it: each row of the largest batch
    sizes: Sequence[int] = ()  # of training rows
    trained_share: float = 1.0  # of all parameters
    n_train: int = 0  # rows of an epoch


class Probe:
    """A throwaway run: of all batches the largest for memory, and five sizes for time.

    >>> cost = Probe(throwaway(model), corpus, LoRA(), TrainConfig(), "cpu", free=8000.0).cost()
    """

    def __init__(self, model, corpus: Corpus, strategy: Strategy, config: TrainConfig, kind: str, free: float | None):
        self.config, self.kind, self.free = config, kind, free
        self.row = self.fixed = self.reckoned = 0.0
        self.meter = memory.PeakMemory(kind)
        task, most = corpus.task, max(SAMPLE, 100 * config.batch_size)
        few = {s: tuple(sample(rows, most, task.modality.extent)) for s, rows in corpus.splits.items()}
        self.scale = {s: len(rows) / max(1, len(few[s])) for s, rows in corpus.splits.items()}  # of all to the sample
        fresh = Trainer(model, replace(corpus, **{s: rows[:1] for s, rows in few.items()}), strategy, config)
        before = memory.used_mb(kind)
        limit = fitting(fresh.model, config.max_length)  # of the model as it is trained: prompts take places
        batches = Batches(replace(corpus, **few), model.processor, limit)
        self.items_mb = max(0.0, memory.used_mb(kind) - before) if kind == "cpu" else 0.0

        self.sizes, self.budget = batches.sizes, task.modality.budget(kind)
        chunks = [(s, chunk) for s, sizes in self.sizes.items() for chunk in batches_of(sizes, self.budget)]
        self.chunk_sizes = {s: [padded(self.sizes[s], c) for t, c in chunks if t == s] for s in self.sizes}
        order = batches.order(0, config)
        self.step_sizes = [padded(self.sizes["train"], rows) for rows in order]
        timed = [order[i] for i in spread(self.step_sizes, 5)]
        asked = [chunks[i] for i in spread([padded(self.sizes[s], c) for s, c in chunks], 3)]
        items, self.batches = batches.items, numbered(timed)
        self.chunks = [[items[s][i] for i in chunk] for s, chunk in asked]
        valid = list(itertools.chain(*self.chunks))
        few = batches.only(train=[items["train"][i] for rows in timed for i in rows], valid=valid)
        self.trainer = Trainer(fresh.model, corpus, strategy, config, sharing=fresh, batches=few)

    def cost(self) -> Cost:
        """Walk through the epochs: measure where the strategy lets more train, reckon the others."""
        trainer, parts = self.trainer, dict.fromkeys(("frozen", "train", "valid", "final"), 0.0)
        phase, history, kept_mb = None, [], 0.0
        for epoch in range(trainer.config.epochs):
            if not epoch or trainer.unfreeze(history):
                with trainer.at_work():
                    phase = self.phase()
                if phase is None:
                    break
                parts["frozen"] += phase["frozen"]
                if trainer.frozen.kept:
                    kept_mb = max(kept_mb, self.kept_mb() or 0.0)
            parts["train"] += phase["train"]
            parts["valid"] += phase["valid"]
            parts["final"] = phase["valid"] + phase["test"]
            scores = dict.fromkeys((metric.name for metric in trainer.task.metrics), 0.0)
            history.append(Epoch(epoch + 1, 0, 0.0, float(epoch), scores, 0.0))  # a rising loss thaws at once
        trained = megabytes(trainer.tensors().values())
        more = kept_mb + self.items_mb * (self.scale["train"] - 1) + (trained if self.config.patience else 0.0)
        needed = max(self.meter.mb() - self.meter.start, self.reckoned) + more
        share, rows = trained / megabytes(trainer.model.parameters()), self.sizes["train"]
        n_train = round(len(rows) * self.scale["train"])
        return Cost(parts if phase else None, needed, self.fixed + more, self.row, rows, share, n_train)

    # One phase, in which the same tensors train

    def phase(self) -> dict[str, float] | None:
        """Seconds of an epoch, of validation, of the test rows, of computing the frozen part; None if not one row fits."""
        kept = self.kept_mb() is not None and self.keep("train") is not None
        if not self.fit_largest():
            return None
        steps, forward = self.time_steps(), self.time_chunks()
        seconds = {s: reckon(forward, self.chunk_sizes[s]) * self.scale[s] for s in ("valid", "test")}
        seconds |= {"train": reckon(steps, self.step_sizes) * self.scale["train"], "frozen": 0.0}
        if kept:
            few = self.trainer.batches
            asked = sum(padded(few.sizes["valid"], c) for c in batches_of(few.sizes["valid"], self.budget))
            share = {s: sum(sizes) * self.scale[s] / asked for s, sizes in self.chunk_sizes.items()}
            seconds["frozen"] = self.keep("valid") * (share["train"] + share["valid"])
            seconds["valid"] = self.timed(lambda: self.ask(few.items["valid"], "valid")) * share["valid"]
        return seconds

    def kept_mb(self) -> float | None:
        """Size of the frozen part's output for all rows; None where it will be computed every epoch."""
        part = self.trainer.frozen
        if not part.usable:
            return None
        whole = sum(part.size_mb(self.sizes[s]) * self.scale[s] for s in ("train", "valid"))
        return None if part.no_room(whole) else whole

    def keep(self, split: str) -> float | None:
        """Compute the frozen part for the probe's rows of a split; seconds, or None where it cannot be kept."""
        part, few, done = self.trainer.frozen, self.trainer.batches, []
        seconds = self.timed(lambda: done.append(part.keep(split, few.items[split], few.processor)))
        return seconds if done[0] else None

    def fit_largest(self) -> bool:
        """A step of the largest batch if it fits by what one row and four take, else in pieces; False if no row fits."""
        trainer, sizes = self.trainer, self.trainer.batches.sizes["train"]
        batch = sorted(self.batches[-1], key=lambda i: -sizes[i])
        whole = math.ceil(len(batch) / self.config.accumulation)  # rows in memory at one time
        few, room = min(4, whole), math.inf if self.free is None else SPARE * self.free
        least = megabytes(trainer.trained) * (1 + STATE[self.config.optimizer])  # gradients and state
        if least > room:
            self.reckoned = self.fixed = least
            return False
        trainer.pieces = 1
        self.peak_of(batch[:1])  # brings the optimizer's state
        one = self.peak_of(batch[:1])
        self.row = max(0.0, (self.peak_of(batch[:few]) - one) / (few - 1)) if few > 1 else 0.0
        self.fixed = one - self.row
        fitting_rows = int(min(whole, (room - self.fixed) / max(self.row, 1e-9)))
        trainer.pieces = self.config.accumulation
        if fitting_rows < whole:
            trainer.pieces = math.ceil(len(batch) / max(fitting_rows, 1))
            self.reckoned = max(self.reckoned, self.fixed + self.row * whole)
        if fitting_rows >= 1:
            self.peak_of(batch)
        return fitting_rows >= 1

    def peak_of(self, rows: list[int]) -> float:
        """The highest use of memory in a step with these rows, above what it was before the probe."""
        meter = memory.PeakMemory(self.kind)
        self.step(rows)
        return meter.mb() - self.meter.start

    def step(self, rows: list[int]) -> None:
        """One step of the optimizer that moves no weight: what is measured next is measured of the same model."""
        for _ in self.trainer.train_step(rows, share=0.0):
            pass

    def time_steps(self) -> list[tuple[int, float]]:
        """(padded size, seconds) of a step with each of the batches, in turns; the quick ones more than once."""
        sizes, times, began = self.trainer.batches.sizes["train"], [], time.perf_counter()
        for _ in range(5):
            times += [(padded(sizes, batch), self.timed(lambda b=batch: self.step(b))) for batch in self.batches]
            if time.perf_counter() - began > PATIENCE:
                break
        return times

    def time_chunks(self) -> list[tuple[int, float]]:
        """(padded size, seconds) of asking the network, for each of the chunks, the largest also for its memory."""
        task, times = self.trainer.task, []
        for items in self.chunks:
            meter = memory.PeakMemory(self.kind)
            seconds = self.timed(lambda items=items: self.ask(items))
            times.append((len(items) * max(map(task.size, items)), seconds))
        self.reckoned = max(self.reckoned, meter.mb() - self.meter.start)
        return times

    def ask(self, items: Sequence[dict], split: str | None = None) -> None:
        self.trainer.network.answers(self.trainer.batches.processor, items, split=split)

    def timed(self, call: Callable[[], Any]) -> float:
        """Seconds of a call, until the device is done."""
        import torch

        wait = torch.cuda.synchronize if self.kind == "cuda" else (lambda: None)
        wait()
        began = time.perf_counter()
        call()
        wait()
        return time.perf_counter() - began


# Arithmetic over sizes


def sample(rows: Sequence, most: int, extent: Callable[[Any], int | None]) -> Sequence:
    """At most so many examples, drawn at random but always the same; those whose inputs are longest are among them."""
    if len(rows) <= most:
        return rows
    longest = sorted(range(len(rows)), key=lambda i: -(extent(rows[i].input) or 0))[: most // 4]
    others = sorted(set(range(len(rows))) - set(longest))
    rest = random.Random("trial").sample(others, most - len(longest))
    return [rows[i] for i in sorted([*longest, *rest])]


def padded(sizes: Sequence[int], rows: Sequence[int]) -> int:
    """Size of these rows as one batch, padding included."""
    return len(rows) * max(sizes[i] for i in rows)


def spread(values: Sequence[int], n: int) -> list[int]:
    """Indices of `n` of the values, evenly from the least to the greatest: `spread([5, 9, 7], 2) == [0, 1]`."""
    order = sorted(range(len(values)), key=values.__getitem__)
    return [order[i] for i in dict.fromkeys(round(k * (len(order) - 1) / (n - 1)) for k in range(n))]


def numbered(batches: Sequence[Sequence]) -> list[list[int]]:
    """Row numbers of batches that stand one behind the other: `numbered(["ab", "c"]) == [[0, 1], [2]]`."""
    ends = [0, *itertools.accumulate(map(len, batches))]
    return [list(range(a, b)) for a, b in itertools.pairwise(ends)]


def reckon(times: Sequence[tuple[int, float]], sizes: Sequence[int]) -> float:
    """Seconds of batches of these padded sizes, straight lines between those timed (means where several are alike)."""
    import numpy as np

    points = sorted({size for size, _ in times})
    means = [np.mean([seconds for size, seconds in times if size == point]) for point in points]
    return float(np.interp(sizes, points, means).sum())


def megabytes(tensors) -> float:
    return sum(t.numel() * t.element_size() for t in tensors) / 2**20
