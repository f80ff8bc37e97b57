"""Processes of this machine that carry out jobs: how they start, what passes between them and us, how they end.

Not a ProcessPoolExecutor: there a killed worker breaks the whole pool, nobody learns which job killed it, and nothing is
heard of a job before its end. Here each worker has a pipe of its own: over it come jobs and orders to stop, and back
go events; a worker whose pipe closes has died, and a worker whose own pipe closes has lost its parent and leaves at once.
Leans on packing. Used by workers alone.
"""

import contextlib
import functools
import multiprocessing
import os
import pickle
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
import types
import weakref
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from labkit.base import machine, memory
from labkit.base.language import language, tr
from labkit.base.records import BadInput, RunEnds
from labkit.comparison.job import Job
from labkit.comparison.packing import REST, Begins, Died, Packing, carry_out, unpacked
from labkit.training.batches import keep_encoded

PATIENCE = 5.0  # seconds that a worker has to leave by itself
STARTS = 3  # workers in a row that may die before they can say a word
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # read at import


def usual_workers(device: str, jobs: int) -> int:
    """How many workers suit this machine: one a physical core, two GB of memory for each, no more than there are jobs; one
    where a GPU computes, and under a launcher that has started several processes."""
    import psutil

    if machine.several_processes() or (machine.device() if device == "auto" else device) != "cpu":
        return 1
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    _, total = memory.memory_mb() or (0, 2048 * cores)
    return max(1, min(cores, allowed, int(total // 2048), jobs))


# In the worker


def serve(link, folder: str, threads: int, spoken: str) -> None:
    """What a worker does all its life: a job, its events, the next job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent decides
    signal.signal(signal.SIGTERM, go_last)
    for name in THREADS:
        os.environ[name] = str(threads)
    language(spoken)
    keep_encoded()
    home = Path(folder, f"process-{os.getpid()}")
    home.mkdir()
    tempfile.tempdir = str(home)  # nothing stays of a worker that is killed
    jobs: queue.SimpleQueue[tuple[Any, bytes]] = queue.SimpleQueue()
    stopped: set = set()
    threading.Thread(target=listen, args=(link, jobs, stopped, folder), daemon=True).start()

    def say(key, event) -> None:
        try:
            link.send((key, event))
        except OSError:
            leave(folder)

    say(None, Begins())
    while True:
        key, data = jobs.get()
        try:
            job = unpacked(data, lambda name: Path(folder, name).read_bytes())
            say(key, Begins())
            if carry_out(job, functools.partial(say, key), lambda key=key: key in stopped) is None:
                say(key, None)
        except Exception as error:  # of what concerns all runs; a run that fails is a record
            say(key, sendable(error))


def listen(link, jobs: queue.SimpleQueue, stopped: set, folder: str) -> None:
    """Take orders as they come, until there is no parent any more."""
    try:
        while True:
            key, data = link.recv()
            if data is None:
                stopped.add(key)
            else:
                jobs.put((key, data))
    except (EOFError, OSError):
        leave(folder)


def leave(folder: str) -> None:
    """Without a parent there is nothing to do: go at once, whatever the run is at."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def go_last(*_) -> None:
    """What ends a whole group of processes ends the parent first, so that there is somebody left to tidy up."""
    time.sleep(1)  # meanwhile `listen` hears of it
    os._exit(128 + signal.SIGTERM)


def sendable(error: Exception) -> Exception:
    """An error as it can pass a pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


# In the parent


class Worker:
    """One process, as its parent sees it: idle (`key` None) or at a job."""

    def __init__(self, folder: Path, threads: int):
        spawn = multiprocessing.get_context("spawn")
        self.link, theirs = spawn.Pipe()
        target = (theirs, str(folder), threads, language())
        self.process = spawn.Process(target=serve, args=target, daemon=True, name="labkit worker")
        with without_main(), without_interrupt():
            self.process.start()
        theirs.close()
        self.key, self.ready, self.begun = None, False, False

    def end(self) -> str:
        """Close the pipe, see the process off; why it left."""
        self.link.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        if code == -9:
            return tr(
                "它的进程被杀死了（信号 9），常是因为内存不足：请减少 workers 或批大小",
                "its process was killed (signal 9), often for lack of memory: take fewer workers or smaller batches",
            )
        return tr(f"它的进程没了（退出码 {code}）", f"its process is gone (exit code {code})")


class Processes:
    """As many workers as `slots`, started when there is something to do."""

    takes_all = False

    def __init__(self, slots: int):
        self.slots, self.workers, self.packing = slots, [], Packing()
        self.folder: Path | None = None
        self.failures = 0  # workers in a row that died before they could say a word

    @property
    def room(self) -> int:
        """How many more jobs can start."""
        return self.slots - sum(w.key is not None for w in self.workers)

    @functools.cached_property
    def threads(self) -> int:
        """Each worker's share of this process's compute threads."""
        import torch

        return max(1, torch.get_num_threads() // self.slots)

    @property
    def about(self) -> str:
        import torch

        alone = torch.get_num_threads()
        text = tr(
            f"{self.slots} 个进程，每个 {self.threads} 个计算线程",
            f"{self.slots} processes with {self.threads} compute thread{'s' * (self.threads > 1)} each",
        )
        if alone == self.threads:
            return text + tr("。", ".")
        return text + tr(
            f"；单个进程会用 {alone} 个线程，结果的末几位可能不同。",
            f"; a single process would use {alone}, and the last digits of its results may differ.",
        )

    def start(self, key, job: Job) -> None:
        """Give the job to an idle worker, or to a new one."""
        data, names = self.packing.pack(job)
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="labkit-workers-"))
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)  # also where nobody calls close
        for name in names:
            if not (self.folder / name).exists():
                (self.folder / name).write_bytes(self.packing.corpora[name])
        worker = next((w for w in self.workers if w.key is None), None)
        if worker is None:
            worker = Worker(self.folder, self.threads)
            self.workers.append(worker)
        worker.key, worker.begun = key, False
        self.send(worker, data)

    def cancel(self, key) -> None:
        """The worker stops after the step under way, and is free when it says so."""
        for worker in self.workers:
            if worker.key == key:
                self.send(worker, None)

    def send(self, worker: Worker, data: bytes | None) -> None:
        with contextlib.suppress(OSError):  # it has died: its pipe will tell
            worker.link.send((worker.key, data))

    def heard(self) -> Iterator[tuple[Any, Any]]:
        """What has come in; nothing where nothing came for a while."""
        by_link = {w.link: w for w in self.workers}
        for link in wait(list(by_link), REST):
            worker = by_link[link]
            try:
                key, event = link.recv()
            except (EOFError, OSError):
                yield self.bury(worker)
                continue
            if key is None:
                worker.ready, self.failures = True, 0
                continue
            worker.begun = True
            if ends(event):
                worker.key = None
            yield key, event

    def bury(self, worker: Worker) -> tuple[Any, Any]:
        """Of a worker that has died: its job and why, or an error where workers cannot live here."""
        self.workers.remove(worker)
        why = worker.end()
        self.failures += not worker.ready
        if self.failures >= (STARTS if (worker.process.exitcode or 0) >= 0 else 4 * STARTS):  # killed: it may be chance
            return worker.key, BadInput(
                tr(
                    f"工作进程一再在启动时死去：{why}。请用 workers=1。",
                    f"Worker processes die again and again while they start: {why}. Take workers=1.",
                )
            )
        return worker.key, Died(why, begun=worker.begun)

    def close(self) -> None:
        """End every worker, whatever it is at, and remove what was handed over."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def ends(event: Any) -> bool:
    """Whether nothing more comes of a job after this."""
    return event is None or isinstance(event, (RunEnds, Exception))


@contextlib.contextmanager
def without_main() -> Iterator[None]:
    """Within it a spawned process does not run the main script again, as it otherwise would: no script needs a
    `if __name__ == "__main__"` for it, and no notebook a file."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def without_interrupt() -> Iterator[None]:
    """Within it a process is born deaf to Ctrl-C; one that is pressed meanwhile is heard by us afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
