"""What this machine is and has: device, memory, versions. Asked when needed, never on import. Leans on nothing."""

import contextlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

PACKAGES = ("torch", "transformers", "accelerate", "peft", "safetensors", "numpy", "scikit-learn", "matplotlib")
OPTIONAL = {
    "jupyterlab": "lab",
    "ipywidgets": "lab",
    "pandas": "lab",
    "datasets": "hub",
    "nbval": "test",
    "pytest": "test",
}


def version(package: str) -> str | None:
    """The installed version, or None; nothing is imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Python, labkit and the packages that decide a run's numbers."""
    found = {p: version(p) for p in ("labkit", *PACKAGES)}
    return {"python": platform.python_version(), **{p: v for p, v in found.items() if v}}


def device() -> str:
    """ "cuda", "mps" or "cpu": the best that torch can use here."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_name(kind: str) -> str:
    """A name for people: the card's, or the number of processor threads."""
    import torch

    return torch.cuda.get_device_name() if kind == "cuda" else f"{kind} ({torch.get_num_threads()} threads)"


def memory_mb() -> tuple[float, float] | None:
    """Main memory in MB, (available, total), as the operating system says; None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        table = {k: float(v.split()[0]) / 1024 for k, v in (line.split(":") for line in lines)}
        return table["MemAvailable"], table["MemTotal"]
    except (OSError, KeyError, ValueError):
        return None


class PeakMemory:
    """The highest memory use from here on, in MB: the process's on a CPU, the allocator's on a GPU.

    >>> peak = PeakMemory("cpu"); work = bytearray(50_000_000); peak.mb() > 50
    True
    """

    def __init__(self, kind: str):
        self.kind = kind
        if kind == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        else:
            with contextlib.suppress(OSError):  # Linux: lowers this process's high-water mark to its use of now
                Path("/proc/self/clear_refs").write_text("5")

    def mb(self) -> float | None:
        if self.kind == "cuda":
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        with contextlib.suppress(OSError, IndexError):
            status = Path("/proc/self/status").read_text()
            return float(status.split("VmHWM:")[1].split()[0]) / 1024
        try:
            import resource
        except ImportError:  # Windows
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def stale_endpoint() -> str | None:
    """The address that huggingface_hub goes on asking, where HF_ENDPOINT has changed since it was imported; else None.

    The hub's library reads the variable once, when it is imported; only a new Python reads it again.
    """
    from huggingface_hub import constants

    wanted = os.environ.get("HF_ENDPOINT", getattr(constants, "_HF_DEFAULT_ENDPOINT", constants.ENDPOINT))
    return None if wanted.rstrip("/") == constants.ENDPOINT else constants.ENDPOINT


def free_disk_mb(folder) -> float:
    """Free space in MB where `folder` lies or will lie."""
    import shutil

    return shutil.disk_usage(nearest(folder)).free / 2**20


def nearest(folder) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    place = Path(folder).absolute()
    return next((p for p in (place, *place.parents) if os.path.exists(p)), place)
