"""Who carries out jobs: this process, processes of this machine, or any executor, such as that of a Dask cluster.

One door for all that trains many runs: `compare` plans a fixed grid, `search` asks for one trial after the other. Leans
on job, processes and executors. The only door to dask.
"""

import functools
import itertools
import logging
import pickle
import re
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

from labkit.base import machine
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Notice, Run, RunBegins, RunEnds
from labkit.comparison.executors import Here, Remote
from labkit.comparison.job import Job
from labkit.comparison.packing import Begins, Died
from labkit.comparison.processes import Processes
from labkit.training.batches import keep_encoded
from labkit.training.identity import differences

DEATHS = 3  # workers that a job may take with it before it counts as failed
ANSWER = 10  # seconds that a scheduler has to answer


class Workers:
    """Carries out jobs, several at once, and tells what happens to all of them in one stream.

    >>> with Workers() as workers:                           # here, one job after the other; Workers(2): two processes
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
    iterated, as `job.run()` would.

    `executor` is any of `concurrent.futures`: of processes, submitit's, `client.get_executor()` of dask. It gets every
    job at once and shares them out; `workers` is then how many it gets at a time. Of its jobs RunBegins and RunEnds are told,
    and a run under way cannot be stopped: it ends, and is forgotten. `cluster` is the address of a Dask scheduler
    ("tcp://host:8786", needs labkit[cluster]); there all is told and stopped as here, and the jobs of a dead worker go to
    another. Jobs of one process take turns, whatever threads it has: torch's random numbers are the process's.

    BadInput for `workers` below 1, for several of these at once, and for a cluster that does not answer.
    """

    def __init__(self, workers: int | None = None, executor: Executor | None = None, cluster: str | None = None):
        refuse_unclear(workers, executor, cluster)
        if cluster:
            self.crew = Cluster(connected(cluster))
        elif type(executor).__module__.startswith("distributed."):  # client.get_executor(): it can do more
            self.crew = Cluster(executor._client, lent=True)
        elif executor is not None:
            self.crew = Remote(executor, workers)
        else:
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

    @property
    def about(self) -> str | None:
        """Who works, for people; None where it is this process."""
        return self.crew.about

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
        while self.waiting and (self.crew.takes_all or self.crew.room > 0):
            key, ticket = self.waiting.popleft(), next(self.fresh)
            self.tickets[ticket] = key
            self.crew.start(ticket, self.jobs[key])

    def news(self, ticket: int | None, event: Any) -> Iterator[tuple[Any, Any]]:
        """What an event of the crew means to whoever listens."""
        if isinstance(event, Exception) and (ticket is None or ticket in self.tickets):
            raise event
        if ticket not in self.tickets:  # it was cancelled meanwhile, or the worker was idle
            return
        key = self.tickets[ticket]
        job = self.jobs[key]
        if isinstance(event, Begins):
            event = RunBegins(job.title, job.name, job.config.seed, self.numbers[key], len(self.numbers))
        if isinstance(event, Died):
            del self.tickets[ticket]
            self.deaths[key] = self.deaths.get(key, 0) + event.begun
            if event.again and self.deaths[key] < DEATHS:
                self.waiting.appendleft(key)
                event = Notice(
                    tr(f"{job.title}：{event.why}。重新来过。", f"{job.title}: {event.why}. It is done again.")
                )
            else:
                event = RunEnds(job.failed(event.why))
        if isinstance(event, RunEnds):
            if isinstance(self.crew, Remote):
                refuse_other(job, event.run)
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


def refuse_unclear(workers: int | None, executor: Executor | None, cluster: str | None) -> None:
    """BadInput where what was given cannot be had, or not together."""
    if workers is not None and workers < 1:
        raise BadInput(
            tr(
                f"workers={workers} 不行：应是 1 或更大的整数；1 表示不另起进程。",
                f"workers={workers} won't do: give a whole number from 1; with 1 no other process is started.",
            )
        )
    given = {"workers": (workers or 1) > 1, "executor": executor is not None, "cluster": bool(cluster)}
    asked = [name for name, wanted in given.items() if wanted]
    if cluster and len(asked) > 1:
        raise BadInput(
            tr(
                f"{listing(asked)} 不能同时给：请只给一个。cluster 的并行数由集群的工作进程数决定。",
                f"{listing(asked)} cannot be had together: give one. How many runs a cluster does at once is the "
                "number of its workers.",
            )
        )
    if asked and machine.several_processes():
        raise BadInput(
            tr(
                f"启动器（torchrun 或 accelerate）已经起了几个进程一起算每一次训练：请去掉 {listing(asked)}，或不用启动器。",
                "A launcher (torchrun or accelerate) has started several processes that share each run: leave out "
                f"{listing(asked)}, or the launcher.",
            )
        )


def refuse_other(job: Job, run: Run) -> None:
    """BadInput where a run from elsewhere is not the one that was asked for: another model lies there under that name."""
    unequal = differences(job.identity(), run.identity)
    if unequal:
        raise BadInput(
            tr(
                f"{run.strategy} 回来的训练不是要求的那一次（{listing(unequal)}不同）。请让每台机器上 {job.model} 的文件相同。",
                f"The run of {run.strategy} that came back is not the one asked for (other {listing(unequal)}). "
                f"Make the files of {job.model} equal on every machine.",
            )
        )


# A cluster


class Cluster(Remote):
    """A Dask cluster: jobs wait at its scheduler, which moves those of a dead worker to another."""

    takes_all = True

    def __init__(self, client, lent: bool = False):
        super().__init__(client.get_executor(pure=False))
        self.client, self.lent = client, lent
        self.levels = {} if lent else silenced("distributed.client", "distributed.utils")
        topic = f"labkit-{uuid.uuid4().hex}"
        self.wire = functools.partial(wire, topic)
        self.client.subscribe_topic(topic, lambda event: self.inbox.put(pickle.loads(event[1])))

    @property
    def room(self) -> int:
        return len(self.client.nthreads()) - len(self.futures)

    @property
    def about(self) -> str:
        count, where = len(self.client.nthreads()), self.client.scheduler.address
        if not count:
            return tr(f"{where} 还没有工作进程：等它们来。", f"There are no workers at {where} yet: waiting for them.")
        return tr(f"{where} 有 {count} 个工作进程。", f"{count} workers at {where}.")

    def hand_over(self, corpus: bytes) -> Any:
        """A task of its own, so that the scheduler can make it again when who holds it dies."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.client.submit(bytes, corpus, pure=False)

    def close(self) -> None:
        super().close()
        self.corpora.clear()
        if not self.lent:
            self.client.close()
        for log, level in self.levels.items():
            log.setLevel(level)


def silenced(*names: str) -> dict[logging.Logger, int]:
    """Let these logs say nothing, and return their levels: of a lost scheduler dask tells pages, and we one message."""
    levels = {log: log.level for log in map(logging.getLogger, names)}
    for log in levels:
        log.setLevel(logging.CRITICAL + 1)
    return levels


def connected(address: str) -> Any:
    """A client of the Dask scheduler there; BadInput where there is none, or no dask here."""
    try:
        from distributed import Client
    except ImportError:
        raise BadInput(
            tr(
                "用集群需要 dask.distributed，这里没有装。请先：pip install 'labkit[cluster]'。",
                "A cluster needs dask.distributed, which is not installed: pip install 'labkit[cluster]'.",
            )
        ) from None
    try:
        if not re.fullmatch(r"\w+://\S+:\d+", address):
            raise ValueError(tr("这不是地址", "that is no address"))
        return Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(
            tr(
                f"连不上 Dask 调度器 {address}（{error}）。请看它是否在运行（dask scheduler），地址是否像 tcp://主机:8786，防火墙是否放行。",
                f"No Dask scheduler answers at {address} ({error}). See that it runs (dask scheduler), that the address is "
                "like tcp://host:8786, and that no firewall is between.",
            )
        ) from None


def wire(topic: str, ticket: int) -> tuple[Callable[[Any], None], Callable[[], bool]]:
    """On a Dask worker: how a job tells its events, and how it learns that it is no longer wanted."""
    from distributed import get_worker

    keep_encoded()
    worker = get_worker()
    task = worker.get_current_task()

    def tell(event: Any) -> None:
        if not isinstance(event, RunEnds):  # that is the answer
            worker.log_event(topic, pickle.dumps((ticket, event)))

    def stop() -> bool:
        found = worker.state.tasks.get(task)
        return found is None or found.state == "cancelled"

    return tell, stop
