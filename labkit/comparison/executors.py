"""Two crews: this process itself, and any executor of `concurrent.futures`, where jobs go as bytes and runs come back as
records. Leans on packing."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Run, RunEnds
from labkit.comparison.job import Job
from labkit.comparison.packing import REST, Begins, Died, Packing, carry_out, unpacked

Wire = Callable[[int], tuple[Callable[[Any], None], Callable[[], bool]]]  # of a ticket: how to tell, whether to stop


class Here:
    """This process: one job after the other, an event each time that it is asked for one."""

    takes_all, about = False, None

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


@dataclass(frozen=True)
class Ended:
    """A future is done."""

    future: Any


class Remote:
    """Any executor: it gets jobs as bytes and gives runs back."""

    takes_all = False  # whether what waits may as well wait there
    about: str | None = None
    wire: Wire | None = None  # how those at work tell what happens, if they can

    def __init__(self, executor: Executor, most: int | None = None):
        self.executor, self.most = executor, most or getattr(executor, "_max_workers", None)
        self.packing, self.corpora = Packing(), {}
        self.futures: dict[int, Future] = {}
        self.asked: dict[int, Any] = {}  # those of them that do not tell when they are done
        self.inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    @property
    def room(self) -> int:
        """How many more jobs can start; of an executor of unknown size, many."""
        return (self.most or 1000) - len(self.futures)

    def start(self, ticket: int, job: Job) -> None:
        data, names = self.packing.pack(job)
        for name in names:
            if name not in self.corpora:
                self.corpora[name] = self.hand_over(self.packing.corpora[name])
        try:
            given = (data, self.wire, ticket, names, *(self.corpora[name] for name in names))
            future = self.executor.submit(carried_out, *given)
        except (BrokenExecutor, RuntimeError) as error:
            raise gone(error) from None
        self.futures[ticket] = future
        if not self.wire:
            self.inbox.put((ticket, Begins()))
        if hasattr(future, "add_done_callback"):
            future.add_done_callback(lambda done: self.inbox.put((ticket, Ended(done))))
        else:  # submitit's must be asked
            self.asked[ticket] = future

    def hand_over(self, corpus: bytes) -> Any:
        """A corpus as jobs are given it."""
        return corpus

    def heard(self) -> Iterator[tuple[Any, Any]]:
        """What has come in; nothing where nothing came for a while."""
        try:
            ticket, event = self.inbox.get(timeout=REST)
        except queue.Empty:
            for ticket in [t for t, future in self.asked.items() if future.done()]:
                self.inbox.put((ticket, Ended(self.asked.pop(ticket))))
            return
        yield ticket, self.came_of(ticket, event.future) if isinstance(event, Ended) else event

    def came_of(self, ticket: int, done: Any) -> Any:
        """The end of a job: its run, or what went wrong."""
        self.futures.pop(ticket, None)
        if getattr(done, "cancelled", bool)():
            return gone(None)
        error = done.exception()
        if error is None:
            return done.result() and RunEnds(done.result())
        if isinstance(error, BrokenExecutor):
            return gone(error)
        if isinstance(error, ImportError):
            return BadInput(
                tr(
                    f"工作进程导入不了需要的东西：{error}。请在每台机器上装同一版本的 labkit 和你自己的模块。",
                    f"The workers cannot import what they need: {error}. Install the same labkit, and your own modules, "
                    "on every machine.",
                )
            )
        if isinstance(error, (BadInput, OSError)):  # as a job itself raises what concerns all
            return error
        why = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return Died(f"{type(error).__name__}: {why}", again=False)

    def cancel(self, ticket: int) -> None:
        self.asked.pop(ticket, None)
        if ticket in self.futures:
            self.futures.pop(ticket).cancel()

    def close(self) -> None:
        for ticket in list(self.futures):
            self.cancel(ticket)


def gone(error: BaseException | None) -> BadInput:
    why = f" ({type(error).__name__})" if error else ""
    return BadInput(
        tr(
            f"执行器不再接受或丢掉了任务{why}。已完成的训练都在；请换一个新的 executor（或等集群恢复），再调用一次。",
            f"The executor takes no more jobs, or has dropped them{why}. Finished runs are kept: call again with a new "
            "executor, or when the cluster is back.",
        )
    )


_turn = threading.Lock()  # two runs in one process would share one stream of random numbers


def carried_out(data: bytes, wire: Wire | None, ticket: int, names: list[str], *corpora: bytes) -> Run | None:
    """What an executor's worker does with a job: the run, or None where it was stopped."""
    tell, stop = wire(ticket) if wire else (lambda event: None, lambda: False)
    with _turn:
        tell(Begins())
        job = unpacked(data, dict(zip(names, corpora, strict=True)).__getitem__)
        end = carry_out(job, tell, stop, pause=1.0)
    return end and end.run
