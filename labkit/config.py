"""How to train: every setting with its bounds. Command-line flags and panels are made from these fields. Leans on records."""

from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from labkit.records import BadInput
from labkit.text import listing, tr

OPTIMIZERS = ("adamw", "adam", "sgd", "momentum")
SCHEDULES = ("linear", "cosine", "constant")
CACHES = ("memory", "half", "disk", "off")


def setting(default, low=None, high=None, choices=None, help=""):
    """A field of TrainConfig with its bounds: checks, command-line flags and panels are made from them."""
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, "help": help})


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Every field is checked when the config is made; a bad one raises BadInput.

    >>> TrainConfig(epochs=3, lr=5e-4)
    """

    epochs: int | None = setting(None, 1, 1000, help="passes over the training rows; none: the strategy's own")
    lr: float | None = setting(None, 1e-9, 10.0, help="peak learning rate; none: the strategy's own")
    batch_size: int = setting(16, 1, 65536, help="rows per optimizer step, over all processes")
    max_length: int = setting(256, 4, 8192, help="tokens per row, longer ones are cut")
    seed: int = setting(0, 0, 2**31 - 1, help="decides the new head, order and dropout")
    optimizer: str = setting("adamw", choices=OPTIMIZERS, help="how to step")
    weight_decay: float = setting(0.01, 0.0, 10.0, help="on matrices; never on biases and norms")
    schedule: str = setting("linear", choices=SCHEDULES, help="how the rate falls")
    warmup: float = setting(0.1, 0.0, 1.0, help="share of the steps in which the rate rises")
    clip: float = setting(1.0, 0.0, 1e9, help="largest gradient norm; 0: no clipping")
    accumulation: int = setting(1, 1, 4096, help="pieces a batch is cut into, to save memory")
    class_weights: str = setting("none", choices=("none", "balanced"), help="weigh rare classes more")
    patience: int | None = setting(None, 1, 1000, help="stop after this many epochs without progress, restore the best")
    precision: str = setting("auto", choices=("auto", "fp32", "bf16", "fp16"), help="auto: bf16 on a GPU that has it")
    bucket: bool = setting(True, help="rows of like length share a batch")
    cache: str = setting("memory", choices=CACHES, help="where to keep what the frozen part computes; half: as float16")
    cache_mb: int = setting(2048, 0, 10**9, help="most memory for that; what takes more is computed every epoch")
    device: str = setting("auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute")

    def __post_init__(self):
        for f in fields(self):
            object.__setattr__(self, f.name, checked(f.name, getattr(self, f.name), f.type, f.metadata))


def checked(name: str, value, kind, rule) -> Any:
    """The value of one field, as a plain Python number; BadInput naming field, value and range where it won't do."""
    if value is None and "None" in str(kind):
        return None
    if not rule["choices"] and kind is not bool:
        return checked_number(name, value, rule["low"], rule["high"], whole=kind in (int, int | None))
    choices = rule["choices"] or (True, False)
    if value not in choices:
        accepted = tr(f"可选：{listing(choices)}", f"choose from: {listing(choices)}")
        raise BadInput(tr(f"{name}={value!r} 不行；{accepted}。", f"{name}={value!r} won't do; {accepted}."))
    return value


def checked_number(name: str, value, low: float, high: float, whole: bool = False) -> Any:
    """A setting between two bounds, as a plain Python number; BadInput where it is none.

    >>> checked_number("rank", 8, 1, 1024, whole=True)
    8
    """
    number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if number and low <= value <= high:
        return (int if whole else float)(value)
    word = tr("整数", "a whole number") if whole else tr("数", "a number")
    low, high = (format(x, "d" if whole else "g") for x in (low, high))
    raise BadInput(
        tr(
            f"{name}={value!r} 不行；应是 {low} 到 {high} 之间的{word}。",
            f"{name}={value!r} won't do; give {word} from {low} to {high}.",
        )
    )
