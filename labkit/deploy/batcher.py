"""Requests that arrive one by one, answered in batches of like length: a bounded queue, and one thread that runs the model.

One thread, because several would only take the processor from each other. While it computes, what arrives waits, so that
batches grow with the load by themselves. Knows no HTTP and no task.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.data.batching import fitting_rows
from labkit.deploy.limits import Limits

HEADROOM = 0.5  # the share of a deadline that those ahead may take, by the pace of late: the next ones may be slower
ASIDES = 4  # long questions that may wait: each keeps the batches waiting


class Full(Exception):
    """No room: come again after so many seconds."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.seconds = seconds


class Closed(Exception):
    """Nothing more is taken on."""


class Late(Exception):
    """The deadline passed before there was an answer."""


@dataclass(eq=False)
class Asked:
    """Inputs that came together, and the future that gets their outcomes, each an answer or an exception."""

    future: asyncio.Future
    deadline: float  # by the clock of time.monotonic
    outcomes: list[Any]
    open: int


@dataclass(eq=False)
class Row:
    """One input that waits."""

    asked: Asked
    place: int  # among those that came with it
    input: Any
    encoded: Any = None
    size: int = 0


@dataclass
class Counts:
    """What the thread has done so far."""

    batches: int = 0
    rows: int = 0
    broken: int = 0  # rows whose encoding or answer raised
    late: int = 0
    sizes: dict[int, int] = field(default_factory=dict)  # rows of a batch: how often


class Batcher:
    """`encode(inputs)` gives (encoded, size) of each, `answer(encoded rows)` an answer to each; both run in the thread.

    >>> batcher = Batcher(lambda texts: [(t, len(t)) for t in texts], lambda rows: [t.upper() for t in rows], 640)
    >>> async def one(): return await batcher.offer(["a", "bc"])
    >>> asyncio.run(one()), batcher.close()
    (['A', 'BC'], True)
    """

    def __init__(self, encode: Callable, answer: Callable, budget: int, limits: Limits | None = None):
        self.encode, self.answer, self.budget, self.limits = encode, answer, budget, limits or Limits()
        self.changed = threading.Condition()
        self.arrived: list[Row] = []
        self.asides: deque = deque()
        self.held, self.stopping = 0, False  # rows taken on and not settled; both under the lock
        self.waiting: list[Row] = []  # encoded; the thread's own
        self.pace, self.since = (
            0.0,
            0.0,
        )  # seconds a row of late, all that the thread does counted; when it began on these
        self.counts = Counts()
        self.thread = threading.Thread(target=self.work, name="labkit-batches", daemon=True)
        self.thread.start()

    # From the event loop

    def offer(self, inputs: Sequence, deadline: float | None = None) -> asyncio.Future:
        """Take the inputs on, all or none: a future of their outcomes. Raises Full where there is no room for them, or
        where those before them leave too little of the deadline, in seconds, and Closed."""
        seconds = min(self.limits.deadline, deadline or self.limits.deadline)
        future = asyncio.get_running_loop().create_future()
        asked = Asked(future, time.monotonic() + seconds, [None] * len(inputs), len(inputs))
        with self.changed:
            if self.stopping:
                raise Closed
            ahead = self.held * self.pace
            if self.held + len(inputs) > self.limits.queue or (self.held and ahead > HEADROOM * seconds):
                raise Full(max(ahead, 0.1))
            self.held += len(inputs)
            first = not self.arrived
            self.arrived += [Row(asked, i, x) for i, x in enumerate(inputs)]
            if first:
                self.changed.notify()
        return future

    def aside(self, call: Callable[[], Any]) -> asyncio.Future:
        """Have something else computed by the thread, between two batches: a future of its result. Raises Full, Closed."""
        future = asyncio.get_running_loop().create_future()
        with self.changed:
            if self.stopping:
                raise Closed
            if len(self.asides) >= ASIDES:
                raise Full(1.0)
            self.asides.append((future, call, time.monotonic() + self.limits.deadline))
            self.changed.notify()
        return future

    def close(self, seconds: float | None = None) -> bool:
        """Take nothing more on, finish what is in; whether that was done within so many seconds."""
        with self.changed:
            self.stopping = True
            self.changed.notify()
        self.thread.join(seconds)
        return not self.thread.is_alive()

    # In the thread

    def work(self) -> None:
        while self.fetch():
            if self.asides:
                self.turn_aside(*self.asides.popleft())
                self.since = time.monotonic()
            if batch := self.next_batch():
                self.settle(batch, self.outcomes(batch))

    def fetch(self) -> bool:
        """Wait until there is something to do; False when that is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.arrived or self.waiting or self.asides or self.stopping)
            alone = not self.waiting and not self.asides and 0 < len(self.arrived) < self.limits.batch
        if alone and not self.stopping:
            time.sleep(self.limits.wait / 1000)
        self.since = time.monotonic()
        with self.changed:
            fresh, self.arrived = self.arrived, []
        self.take(fresh)
        return bool(self.waiting or self.asides or not self.stopping)

    def take(self, fresh: list[Row]) -> None:
        """Encode what arrived, in one go; a row that breaks it fails alone."""
        if not fresh:
            return
        try:
            encoded = self.encode([row.input for row in fresh])
        except Exception as error:
            if len(fresh) == 1:
                return self.settle(fresh, [error])
            for row in fresh:
                self.take([row])
            return
        for row, (row.encoded, row.size) in zip(fresh, encoded, strict=True):
            self.waiting.append(row)

    def next_batch(self) -> list[Row]:
        """The row that waits longest, and those nearest to it in length that the budget has room for."""
        now = time.monotonic()
        late = [row for row in self.waiting if row.asked.deadline <= now]
        self.settle(late, [Late()] * len(late))
        if late:
            self.waiting = [row for row in self.waiting if row.asked.deadline > now]
        if not self.waiting:
            return []
        size = self.waiting[0].size
        near = sorted(self.waiting, key=lambda row: abs(row.size - size))[: self.limits.batch]
        chosen = near[: fitting_rows(longest_so_far(near), self.budget)]
        gone = set(map(id, chosen))
        self.waiting = [row for row in self.waiting if id(row) not in gone]
        return chosen

    def outcomes(self, batch: list[Row]) -> list[Any]:
        """An answer or an exception to each row: where a batch raises, its rows are asked one by one."""
        try:
            answers = list(self.answer([row.encoded for row in batch]))
        except Exception as error:
            if len(batch) == 1:
                return [error]
            return [outcome for row in batch for outcome in self.outcomes([row])]
        now = time.monotonic()
        each = (now - self.since) / len(batch)
        self.pace = each if not self.pace else 0.8 * self.pace + 0.2 * each
        self.counts.batches += 1
        self.counts.sizes[len(batch)] = self.counts.sizes.get(len(batch), 0) + 1
        return [Late() if row.asked.deadline <= now else a for row, a in zip(batch, answers, strict=True)]

    def settle(self, rows: list[Row], outcomes: list[Any]) -> None:
        """Note the outcomes; requests that have all of theirs are handed back to their loops, in one call a loop."""
        done: dict[Any, list[Asked]] = {}
        for row, outcome in zip(rows, outcomes, strict=True):
            asked = row.asked
            asked.outcomes[row.place] = outcome
            asked.open -= 1
            if isinstance(outcome, Late):
                self.counts.late += 1
            elif isinstance(outcome, Exception):
                self.counts.broken += 1
            if not asked.open:
                done.setdefault(asked.future.get_loop(), []).append(asked)
        self.counts.rows += len(rows)
        with self.changed:
            self.held -= len(rows)
        for loop, asked in done.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(deliver, asked)

    def turn_aside(self, future: asyncio.Future, call: Callable, deadline: float) -> None:
        try:
            outcome = Late() if deadline <= time.monotonic() else call()
        except Exception as error:
            outcome = error
        with contextlib.suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(deliver, [Asked(future, deadline, outcome, 0)])


def deliver(asked: list[Asked]) -> None:
    for one in asked:
        if not one.future.done():  # a client that has gone cancels its future
            one.future.set_result(one.outcomes)


def longest_so_far(rows: list[Row]) -> list[int]:
    """For each number of first rows the longest among them: what a batch of them is padded to."""
    longest, found = 0, []
    for row in rows:
        longest = max(longest, row.size)
        found.append(longest)
    return found
