"""Processes of this machine that carry out jobs: how they start, what passes between them and us, how they end.

Not a ProcessPoolExecutor: there a killed worker breaks the whole pool, nobody learns which job killed it, and nothing is
heard of a job before its end. Here each worker has a pipe of its own: over it come jobs and orders to stop, and back
go events; a worker whose pipe closes has died, and a worker whose own pipe closes has lost its parent and leaves at once.
Leans on job. Used by workers alone.
"""

import contextlib
import functools
import hashlib
import io
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from labkit.base.language import language, tr
from labkit.base.records import BadInput, StepDone
from labkit.comparison.job import Job
from labkit.data.corpus import Corpus

PAUSE = 0.05  # seconds between two StepDone of a run that are told: a quick run would drown the others
REST = 0.2  # seconds without news after which whoever iterates gets to speak
PATIENCE = 5.0  # seconds that a worker has to leave by itself
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # read at import


@dataclass(frozen=True)
class Begins:
    """A worker has taken the job up."""


@dataclass(frozen=True)
class Died:
    """The job's worker is gone, and why, as far as the system says."""

    why: str


# Jobs as bytes: the corpus, which all jobs share, apart from the rest


class Packing:
    """Jobs as bytes that name their corpus, and the corpora as bytes by those names, each made once.

    >>> packing = Packing()
    >>> first, second = packing.pack(Job(Full(), config, corpus, model)), packing.pack(Job(HeadOnly(), config, corpus, model))
    >>> len(packing.corpora), unpacked(first, packing.corpora.get).corpus == corpus
    (1, True)
    """

    def __init__(self):
        self.corpora: dict[str, bytes] = {}
        self.names: dict[int, tuple[str, Corpus]] = {}  # by id, held so that no id is used again

    def pack(self, job: Job) -> bytes:
        """BadInput where a part of the job is defined in the script or notebook itself: no other process can import it."""
        file = io.BytesIO()
        JobPickler(file, self.name).dump(job)
        return file.getvalue()

    def name(self, corpus: Corpus) -> str:
        if id(corpus) not in self.names:
            file = io.BytesIO()
            JobPickler(file, None).dump(corpus)
            data = file.getvalue()
            name = hashlib.sha256(data).hexdigest()[:32]
            self.names[id(corpus)], self.corpora[name] = (name, corpus), data
        return self.names[id(corpus)][0]


class JobPickler(pickle.Pickler):
    """Pickles all but corpora, where there is somebody to name them, and nothing of the module that is run."""

    def __init__(self, file, name: Callable[[Corpus], str] | None):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.name = name

    def persistent_id(self, found: Any) -> str | None:
        return self.name(found) if self.name and isinstance(found, Corpus) else None

    def reducer_override(self, found: Any) -> Any:
        if getattr(found, "__module__", None) == "__main__" and isinstance(found, (type, types.FunctionType)):
            raise BadInput(
                tr(
                    f"{found.__qualname__} 是在脚本或 notebook 里定义的，别的进程导入不了。"
                    "请把它写进一个 .py 模块再导入，或用 workers=1。",
                    f"{found.__qualname__} is defined in the script or notebook itself, which other processes cannot import. "
                    "Write it into a module (.py) and import it from there, or take workers=1.",
                )
            )
        return NotImplemented


def unpacked(job: bytes, corpus_of: Callable[[str], bytes]) -> Job:
    """A packed job whose corpora are asked for by name; one that was asked for lately is kept as it was."""

    class JobUnpickler(pickle.Unpickler):
        def persistent_load(self, name: str) -> Corpus:
            if name not in _corpora:
                while len(_corpora) > 1:  # memory holds two
                    _corpora.pop(next(iter(_corpora)))
                _corpora[name] = pickle.loads(corpus_of(name))
            return _corpora[name]

    return JobUnpickler(io.BytesIO(job)).load()


_corpora: dict[str, Corpus] = {}


def told(job: Job, tell: Callable[[Any], None], stop: Callable[[], bool], pause: float = PAUSE) -> Any:
    """Carry out a job: tell its events, and return the last, its RunEnds; None where `stop` said so after some step."""
    last, event = 0.0, None
    with contextlib.closing(job.run()) as events:
        for event in events:
            if stop():
                return None
            if not isinstance(event, StepDone):
                tell(event)
            elif (now := time.monotonic()) - last >= pause or event.step == event.steps:
                last = now
                tell(replace(event, loss_tensor=event.loss))
    return event


# In the worker


def serve(link, folder: str, threads: int, spoken: str) -> None:
    """What a worker does all its life: a job, its events, the next job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent decides
    for name in THREADS:
        os.environ[name] = str(threads)
    language(spoken)
    home = Path(folder, f"process-{os.getpid()}")
    home.mkdir()
    tempfile.tempdir = str(home)  # nothing stays of a worker that is killed
    jobs: queue.SimpleQueue[tuple[Any, bytes]] = queue.SimpleQueue()
    stopped: set = set()
    threading.Thread(target=listen, args=(link, jobs, stopped, folder), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    link.send((None, Begins()))
    while True:
        key, data = jobs.get()
        try:
            job = unpacked(data, lambda name: Path(folder, name).read_bytes())
            link.send((key, Begins()))
            end = told(job, lambda event, key=key: link.send((key, event)), lambda key=key: key in stopped)
            if end is None:
                link.send((key, None))
        except Exception as error:  # of what concerns all runs; a run that fails is a record
            link.send((key, sendable(error)))
        stopped.discard(key)


def listen(link, jobs: queue.SimpleQueue, stopped: set, folder: str) -> None:
    """Take orders as they come. Without a parent there is nothing to do any more: leave, whatever the run is at."""
    try:
        while True:
            key, data = link.recv()
            if data is None:
                stopped.add(key)
            else:
                jobs.put((key, data))
    except (EOFError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


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
        self.key, self.ready = None, False

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

    def __init__(self, slots: int):
        self.slots, self.workers, self.packing = slots, [], Packing()
        self.folder: Path | None = None
        self.failures = 0  # workers in a row that died before they could say a word

    @property
    def room(self) -> int:
        """How many jobs can start at once."""
        return self.slots - sum(w.key is not None for w in self.workers)

    @functools.cached_property
    def threads(self) -> int:
        """Each worker's share of this process's compute threads."""
        import torch

        return max(1, torch.get_num_threads() // self.slots)

    def start(self, key, job: Job) -> None:
        """Give the job to an idle worker, or to a new one."""
        data = self.packing.pack(job)
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="labkit-workers-"))
        for name, corpus in self.packing.corpora.items():
            if not (self.folder / name).exists():
                (self.folder / name).write_bytes(corpus)
        worker = next((w for w in self.workers if w.key is None), None)
        if worker is None:
            worker = Worker(self.folder, self.threads)
            self.workers.append(worker)
        worker.key = key
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
            if ends(event):
                worker.key = None
            yield key, event

    def bury(self, worker: Worker) -> tuple[Any, Any]:
        """Of a worker that has died: its job and why, or an error where workers cannot live here."""
        self.workers.remove(worker)
        why = worker.end()
        self.failures += not worker.ready
        if self.failures >= 3:
            return worker.key, BadInput(
                tr(
                    f"工作进程一再在启动时死去：{why}。请用 workers=1。",
                    f"Worker processes die again and again while they start: {why}. Take workers=1.",
                )
            )
        return worker.key, Died(why)

    def close(self) -> None:
        """End every worker, whatever it is at, and remove what was handed over."""
        for worker in self.workers:
            worker.link.close()
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def ends(event: Any) -> bool:
    """Whether nothing more comes of a job after this."""
    from labkit.base.records import RunEnds

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
