"""How much memory there is, and how much is used: meters for a process and for a GPU. Leans on psutil."""

import contextlib
import ctypes
import threading
import time
import weakref
from pathlib import Path
from typing import ClassVar

import psutil


def memory_mb() -> tuple[float, float] | None:
    """Main memory in MB, (available, total), as the operating system says; None where it does not say.

    In a container with a memory limit it is the container's.
    """
    try:
        machine = psutil.virtual_memory()
    except (OSError, RuntimeError):  # a sandbox that hides /proc
        return None
    available, total = machine.available / 2**20, machine.total / 2**20
    limit, used = limit_mb() or (total, 0.0)
    return min(available, max(limit - used, 0.0)), min(total, limit)


LIMITS = (  # limit, use and its accounts, in control groups of version 2 and 1
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def limit_mb(root="/sys/fs/cgroup") -> tuple[float, float] | None:
    """The memory limit of the container that this runs in and what it uses of it, in MB; None where there is no limit.

    Cached files count as use, but make room when memory is asked for: they are left out.
    """
    for names in LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit, used, accounts = (Path(root, name).read_text() for name in names)
            if limit.strip() == "max":
                return None
            cached = dict(line.split() for line in accounts.splitlines()).get("inactive_file", "0")
            return int(limit) / 2**20, (int(used) - int(cached)) / 2**20
    return None


def room_mb(kind: str) -> tuple[float, float] | None:
    """Memory of a device in MB, (what this process can still take, total): a GPU's own, main memory otherwise."""
    if kind != "cuda":
        return memory_mb()
    import torch

    free, total = torch.cuda.mem_get_info()
    ours = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # kept by torch for its next tensors
    return (free + ours) / 2**20, total / 2**20


def used_mb(kind: str = "cpu") -> float:
    """Memory that this process uses now, in MB: main memory (what is resident), or what its tensors take on a GPU."""
    if kind == "cuda":
        import torch

        return torch.cuda.memory_allocated() / 2**20
    return psutil.Process().memory_info().rss / 2**20


def hand_back() -> None:
    """Give main memory that is free, but kept for later, back to the system: what follows is then measured by itself."""
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """The highest memory use from here on, in MB: the process's on a CPU, the allocator's on a GPU.

    >>> peak = PeakMemory("cpu"); work = bytearray(50_000_000); peak.mb() > 50
    True

    What earlier work has freed is handed back first, so that it does not count. Meters may overlap: each knows the
    highest use of its own time. Linux keeps the mark itself and lets us lower it; elsewhere it is looked at every 20 ms.
    """

    living: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self, kind: str):
        self.kind = kind
        hand_back()
        for other in list(self.living):
            other.note()  # lowering the mark is felt by all
        self.highest = self.start = used_mb(kind)
        self.exact = lower_mark(kind)
        self.living.add(self)
        if not self.exact:
            threading.Thread(target=watch, args=(weakref.ref(self),), daemon=True).start()

    def note(self) -> None:
        """Remember the highest use so far."""
        self.highest = max(self.highest, highest_mark(self.kind) if self.exact else used_mb(self.kind))

    def mb(self) -> float:
        self.note()
        return self.highest


def lower_mark(kind: str) -> bool:
    """Set the system's high-water mark of this process to its use of now; False where the system has no such thing."""
    if kind == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")
        highest_mark(kind)
        return True
    except (OSError, StopIteration):
        return False


def highest_mark(kind: str) -> float:
    """The highest use since the mark was lowered, in MB; on a CPU Linux alone tells it, and psutil does not pass it on."""
    if kind == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def watch(meter: "weakref.ref[PeakMemory]", seconds: float = 0.02) -> None:
    """Note the use of memory again and again, as long as somebody holds the meter."""
    while (alive := meter()) is not None:
        alive.note()
        del alive
        time.sleep(seconds)


def out_of_memory(error: BaseException) -> bool:
    """Whether torch says that a tensor found no room: a GPU's own error type, or a CPU allocator's words."""
    import torch

    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)
