"""Jobs as bytes for other processes and machines, and carrying one out there.

The corpus, which all jobs share, goes apart from the rest, once. Leans on job. Used by processes and executors.
"""

import contextlib
import hashlib
import io
import pickle
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, RunEnds, StepDone
from labkit.comparison.job import Job
from labkit.data.corpus import Corpus

PAUSE = 0.05  # seconds between two StepDone of a run that are told: a quick run would drown the others
REST = 0.2  # seconds without news after which whoever iterates gets to speak


@dataclass(frozen=True)
class Begins:
    """A worker has taken the job up."""


@dataclass(frozen=True)
class Died:
    """The job's worker is gone, and why, as far as the system says."""

    why: str
    again: bool = True  # whether the job may be tried once more
    begun: bool = True  # whether it had been taken up: else it is not to blame


class Packing:
    """Jobs as bytes that name their corpus, and the corpora as bytes by those names, each made once.

    >>> packing, config = Packing(), TrainConfig()
    >>> data, names = packing.pack(Job(Full(), config, corpus, "tiny-bert-zh"))
    >>> _, same = packing.pack(Job(HeadOnly(), config, corpus, "tiny-bert-zh"))
    >>> names == same, unpacked(data, packing.corpora.get).corpus == corpus
    (True, True)
    """

    def __init__(self):
        self.corpora: dict[str, bytes] = {}
        self.names: dict[int, tuple[str, Corpus]] = {}  # by id, held so that no id is used again

    def pack(self, job: Job) -> tuple[bytes, list[str]]:
        """A job's bytes, and the names of the corpora that it needs. BadInput where a part of it is defined in the script or
        notebook itself: no other process can import that."""
        file, names = io.BytesIO(), []

        def name(corpus: Corpus) -> str:
            names.append(self.name(corpus))
            return names[-1]

        JobPickler(file, name).dump(job)
        return file.getvalue(), list(dict.fromkeys(names))

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


def carry_out(job: Job, tell: Callable[[Any], None], stop: Callable[[], bool], pause: float = PAUSE) -> RunEnds | None:
    """Carry out a job: tell its events, and return the last, its RunEnds; None where `stop` said so after some step."""
    last = 0.0
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
