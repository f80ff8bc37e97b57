"""Runs that take their time and compute nothing, for bench_workers.py: 64 workers import it, so it knows no torch."""

import time
from dataclasses import dataclass

import labkit as lk
from labkit.base.records import RunEnds, StepDone
from labkit.comparison.job import Job, bare


@dataclass(frozen=True)
class Simulated(Job):
    """A run that takes its time and computes nothing."""

    seconds: float = 2.0

    def run(self):
        began = time.monotonic()
        for step in range(1, 21):
            time.sleep(max(0, began + step * self.seconds / 20 - time.monotonic()))
            yield StepDone(step, 20, 1, 0.1, 1 / step)
        yield RunEnds(bare(self.corpus, strategy=self.name, model=self.model, seed=self.config.seed, device="cpu", seconds=self.seconds, identity=self.identity()))  # fmt: skip


def imported() -> None:
    """What a simulated run needs."""
    bare(lk.reviews(limit=2), strategy="", model="", seed=0, device="cpu")
