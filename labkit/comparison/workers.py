"""Who carries out jobs: this process, processes of this machine, or any executor, such as that of a Dask cluster.

One door for all that trains many runs: `compare` plans a fixed grid, `search` asks for one trial after the other. Leans
on job and processes. The only door to dask.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Notice, RunBegins, RunEnds
from labkit.comparison.job import Job
from labkit.comparison.processes import Begins, Died, Processes

DEATHS = 3  # workers that a job may take with it before it counts as failed


class Workers:
    """Carries out jobs, several at once, and tells what happens to all of them in one stream.

    >>> with Workers(2) as workers:                          # two processes; Workers(): here, one job after the other
    ...     workers.submit("a", Job(HeadOnly(), TrainConfig(epochs=1), corpus, "tiny-bert-zh"))
    ...     workers.submit("b", Job(Full(), TrainConfig(epochs=1), corpus, "tiny-bert-zh"))
    ...     for key, event in workers.events():
    ...         if isinstance(event, RunEnds):
    ...             print(key, event.run.test_accuracy)
    ...             # workers.submit("c", ...) is allowed here, and workers.cancel("b")

    `events()` gives (key, event) of all jobs, mixed: RunBegins when a job is taken up, then its StepDone, EpochDone and
    Notice, and its RunEnds last; it ends when no job is left. A run that fails is a RunEnds whose run has an `error`.
    Between processes a StepDone has its loss as a number, and of a quick run some are left out. After a while without
    news comes (None, None), so that whoever iterates can stop. What concerns all runs (a model that cannot be loaded) is
    raised: BadInput. Leaving the `with` ends all that is under way; nothing is left of it.

    `free` is how many more jobs would start at once: `while workers.free: workers.submit(...)` keeps all at work.
    `cancel(key)` stops a job within a step; nothing more is heard of it, and the key is free again.

    A process that dies takes its job alone with it, and the job goes to another; one that took three with it becomes
    a failed run. With `workers=1` (or None) and no executor, everything happens in this process when `events()` is
    iterated, as `job.run()` would. BadInput for `workers` below 1, and for a cluster that does not answer.
    """

    def __init__(self, workers: int | None = None, executor: Executor | None = None, cluster: str | None = None):
        if workers is not None and workers < 1:
            raise BadInput(
                tr(
                    f"workers={workers} 不行：应是 1 或更大的整数，1 表示不另起进程。",
                    f"workers={workers} won't do: give a whole number from 1; 1 starts no other process.",
                )
            )
        self.crew = Here() if (workers or 1) == 1 else Processes(workers)
        self.jobs: dict[Any, Job] = {}  # waiting and under way
        self.waiting: deque = deque()
        self.tickets: dict[int, Any] = {}  # under way: what the crew calls a job, and its key; no ticket is used twice
        self.deaths: dict[Any, int] = {}
        self.numbers: dict[Any, int] = {}  # of each job, in the order of submission
        self.fresh = itertools.count(1)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def free(self) -> int:
        """How many more jobs would start at once."""
        return max(0, self.crew.room - len(self.waiting))

    def submit(self, key, job: Job) -> None:
        """A job to do, under a name that its events will bear."""
        if key in self.jobs:
            raise ValueError(f"a job {key!r} is waiting or under way already")
        self.jobs[key] = job
        self.waiting.append(key)
        self.numbers[key] = len(self.numbers) + 1

    def cancel(self, key) -> None:
        """Stop that job within a step, or take it back; one that has ended already is left alone."""
        if self.jobs.pop(key, None) is None:
            return
        if key in self.waiting:
            self.waiting.remove(key)
        for ticket in [t for t, k in self.tickets.items() if k == key]:
            del self.tickets[ticket]
            self.crew.cancel(ticket)

    def events(self) -> Iterator[tuple[Any, Any]]:
        """What happens to all jobs, until none is left. Leave the loop to pause, and ask again to go on."""
        while self.jobs:
            self.fill()
            quiet = True
            for ticket, event in self.crew.heard():
                quiet = False
                yield from self.news(ticket, event)
            if quiet:
                yield None, None

    def fill(self) -> None:
        """Start what waits while there is room."""
        while self.waiting and self.crew.room:
            key, ticket = self.waiting.popleft(), next(self.fresh)
            self.tickets[ticket] = key
            self.crew.start(ticket, self.jobs[key])

    def news(self, ticket: int | None, event: Any) -> Iterator[tuple[Any, Any]]:
        """What an event of the crew means to whoever listens."""
        if isinstance(event, Exception):
            raise event
        if ticket not in self.tickets:  # it was cancelled meanwhile, or the worker was idle
            return
        key = self.tickets[ticket]
        job = self.jobs[key]
        text = tr(f"{job.name}，种子 {job.config.seed}", f"{job.name}, seed {job.config.seed}")
        if isinstance(event, Begins):
            event = RunBegins(text, job.name, job.config.seed, self.numbers[key], len(self.numbers))
        if isinstance(event, Died):
            del self.tickets[ticket]
            self.deaths[key] = self.deaths.get(key, 0) + 1
            if self.deaths[key] < DEATHS:
                self.waiting.appendleft(key)
                event = Notice(tr(f"{text}：{event.why}。重新来过。", f"{text}: {event.why}. It is done again."))
            else:
                event = RunEnds(job.failed(event.why))
        if isinstance(event, RunEnds):
            del self.jobs[key]
            self.tickets.pop(ticket, None)
            self.deaths.pop(key, None)
        yield key, event

    def close(self) -> None:
        """End all that is under way."""
        self.jobs.clear()
        self.waiting.clear()
        self.tickets.clear()
        self.crew.close()


class Here:
    """This process: one job after the other, an event each time that it is asked for one."""

    def __init__(self):
        self.ticket, self.steps = None, None

    @property
    def room(self) -> int:
        return int(self.steps is None)

    def start(self, ticket: int, job: Job) -> None:
        self.ticket, self.steps = ticket, job.run()
        self.begun = False

    def heard(self) -> Iterator[tuple[Any, Any]]:
        if self.steps is None:
            return
        ticket = self.ticket
        if not self.begun:
            self.begun = True
            yield ticket, Begins()
            return
        try:
            event = next(self.steps)
        except BaseException:
            self.steps = None
            raise
        if isinstance(event, RunEnds):
            self.close()  # its model is gone before the next one is loaded
        yield ticket, event

    def cancel(self, ticket: int) -> None:
        self.close()

    def close(self) -> None:
        steps, self.steps = self.steps, None
        if steps is not None:
            steps.close()
