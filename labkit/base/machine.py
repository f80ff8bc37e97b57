"""What this machine is and has: device, memory, versions. Asked when needed, never on import. Leans on nothing."""

import functools
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("torch", "transformers", "accelerate", "peft", "safetensors", "numpy", "scikit-learn", "matplotlib")
OPTIONAL = {
    "jupyterlab": "lab",
    "ipywidgets": "lab",
    "pandas": "lab",
    "datasets": "hub",
    "fastapi": "serve",
    "uvicorn": "serve",
    "distributed": "cluster",
    "optuna": "search",
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
    return {"python": platform.python_version(), **dict(installed())}


@functools.cache  # every run asks, and each answer is a file to read
def installed() -> tuple[tuple[str, str], ...]:
    asked = ((p, version(p)) for p in ("labkit", *PACKAGES))
    return tuple((p, v) for p, v in asked if v)


def system() -> str:
    """Operating system, its release, the processor's kind and the cores; the machine's name is not in it."""
    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"


def several_processes() -> bool:
    """Whether a launcher started more than one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def main_process() -> bool:
    """Whether this process speaks and writes: the only one, or the first of those that `accelerate launch` or `torchrun`
    started."""
    return not several_processes() or os.environ.get("RANK", "0") == "0"


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


def free_disk_mb(folder) -> float:
    """Free space in MB where `folder` lies or will lie."""
    import shutil

    return shutil.disk_usage(nearest(folder)).free / 2**20


def nearest(folder) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    place = Path(folder).absolute()
    return next((p for p in (place, *place.parents) if os.path.exists(p)), place)
