"""Jobs that take their time and compute nothing: what happens to them, and to whom they are given, is what is tested.

>>> job = Slow(Full(), TrainConfig(seed=3), rows, "nowhere", steps=20)   # 20 steps of 0.02 s; always the same run
"""

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from labkit.base.records import BadInput, Measure, Notice, RunEnds, Scores, StepDone
from labkit.comparison.job import Job, bare

SEEN = "LABKIT_TEST_SEEN"  # environment variable: a folder in which each job leaves a file of its steps
HELD = "LABKIT_TEST_HELD"  # environment variable: no job but that of full fine-tuning ends while this file is there


@dataclass(frozen=True)
class Slow(Job):
    steps: int = 20
    pause: float = 0.02
    kills: int = 0  # how many times it kills the process that it is in, at its third step
    refused: bool = False
    asked: str = ""  # an environment variable: what it says in the job's process is told as a notice

    def run(self):
        if self.refused:
            raise BadInput("no such model")
        if self.asked:
            yield Notice(os.environ[self.asked])
        for step in range(1, self.steps + 1):
            time.sleep(self.pause)
            self.leave_trace()
            if self.kills and step == 3 and len(self.traces()) <= self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
            yield StepDone(step, self.steps, 1, 0.1, 1 / step)
        while self.name != "full" and os.path.exists(os.environ.get(HELD, "")):
            time.sleep(self.pause)
            yield StepDone(self.steps, self.steps, 1, 0.1, 1 / self.steps)
        yield RunEnds(self.made())

    def traces(self) -> list[Path]:
        return list(Path(os.environ[SEEN]).glob(f"{self.name}-{self.config.seed}-*"))

    def leave_trace(self) -> None:
        if SEEN in os.environ:
            with open(Path(os.environ[SEEN], f"{self.name}-{self.config.seed}-{os.getpid()}"), "a") as file:
                file.write(".")

    def made(self):
        """The run: its scores are drawn from its name and seed."""
        n = len(self.corpus.test)
        right = random.Random(self.file_name()).randrange(n // 2, n)
        answers = tuple(e.target if i < right else 1 - e.target for i, e in enumerate(self.corpus.test))
        scores = Scores(n, 0.5, {"accuracy": Measure(right / n), "macro_f1": Measure(right / n)})
        return bare(
            self.corpus,
            strategy=self.name,
            model=self.model,
            seed=self.config.seed,
            device="cpu",
            config={"seed": self.config.seed},
            identity=self.identity(),
            scores={"valid": scores, "test": scores},
            answers=answers,
            truth=tuple(e.target for e in self.corpus.test),
            history=(),
        )
