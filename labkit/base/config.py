"""How to train: every setting with its bounds. Command-line flags and panels are made from these fields. Leans on records."""

import types
import typing
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput

OPTIMIZERS = {
    "adamw": ("AdamW", "AdamW"),
    "adam": ("Adam", "Adam"),
    "sgd": ("SGD", "SGD"),
    "momentum": ("带动量的 SGD", "SGD with momentum"),
}
SCHEDULES = {
    "linear": ("直线下降", "falls linearly"),
    "cosine": ("余弦下降", "falls as a cosine"),
    "constant": ("保持不变", "stays constant"),
}
CACHES = {
    "memory": ("内存，32 位", "memory, 32 bits"),
    "half": ("内存，16 位", "memory, 16 bits"),
    "off": ("不存，每轮重算", "none: every epoch anew"),
}
WEIGHTINGS = {"none": ("每行一样重", "each row alike"), "balanced": ("各类一样重", "each class alike")}
PRECISIONS = {
    "auto": ("自动", "automatic"),
    "fp32": ("32 位（fp32）", "32 bits (fp32)"),
    "bf16": ("16 位（bf16）", "16 bits (bf16)"),
    "fp16": ("16 位（fp16）", "16 bits (fp16)"),
}
DEVICES = {"auto": ("自动", "automatic"), "cpu": ("CPU", "CPU"), "cuda": ("GPU（CUDA）", "GPU (CUDA)"), "mps": ("GPU（Apple）", "GPU (Apple)")}  # fmt: skip
GROUPS = {
    "basic": ("基本", "basics"),
    "optimizer": ("优化器", "optimizer"),
    "memory": ("内存和设备", "memory and device"),
}


def setting(
    default, low=None, high=None, choices=None, *, group="basic", label: tuple[str, str], help: tuple[str, str]
):
    """A field of TrainConfig with its bounds and its words, Chinese and English: checks, command-line flags and panels are
    made from them. `choices` are values with what each is called; `group` is one of GROUPS."""
    rule = {"low": low, "high": high, "choices": choices, "group": group, "label": label, "help": help}
    return field(default=default, metadata=rule)


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Every field is checked when the config is made; a bad one raises BadInput.

    >>> TrainConfig(epochs=3, lr=5e-4)
    """

    # fmt: off
    epochs: int | None = setting(
        None, 1, 1000,
        label=("轮数", "epochs"),
        help=("训练数据过几遍；不写则由策略决定", "passes over the training rows; none: the strategy's own"),
    )
    lr: float | None = setting(
        None, 1e-9, 10.0,
        label=("学习率", "learning rate"),
        help=("学习率的峰值；不写则由策略决定", "peak learning rate; none: the strategy's own"),
    )
    batch_size: int = setting(
        16, 1, 65536,
        label=("批大小", "batch size"),
        help=("每步多少行（所有进程合计）", "rows per optimizer step, over all processes"),
    )
    max_length: int = setting(
        256, 4, 8192,
        label=("最大长度", "max length"),
        help=("每行最多多少个 token，超出的截去", "tokens per row, longer ones are cut"),
    )
    seed: int = setting(
        0, 0, 2**31 - 1,
        label=("种子", "seed"),
        help=("随机种子：决定新的分类头、顺序和 dropout", "decides the new head, order and dropout"),
    )
    optimizer: str = setting(
        "adamw", choices=OPTIMIZERS, group="optimizer",
        label=("优化器", "optimizer"),
        help=("优化器", "how to step"),
    )
    weight_decay: float = setting(
        0.01, 0.0, 10.0, group="optimizer",
        label=("权重衰减", "weight decay"),
        help=("权重衰减，只作用于矩阵", "on matrices; never on biases and norms"),
    )
    schedule: str = setting(
        "linear", choices=SCHEDULES, group="optimizer",
        label=("学习率计划", "schedule"),
        help=("学习率怎样下降", "how the rate falls"),
    )
    warmup: float = setting(
        0.1, 0.0, 0.9, group="optimizer",  # what rises to the very end never trains at a rate that falls
        label=("热身", "warm-up"),
        help=("学习率上升阶段占总步数的比例", "share of the steps in which the rate rises"),
    )
    clip: float = setting(
        1.0, 0.0, 1e9, group="optimizer",
        label=("梯度裁剪", "clipping"),
        help=("梯度范数的上限；0：不裁剪", "largest gradient norm; 0: no clipping"),
    )
    accumulation: int = setting(
        1, 1, 4096, group="memory",
        label=("梯度累积", "accumulation"),
        help=("每批分几次算，以节省内存", "pieces a batch is cut into, to save memory"),
    )
    class_weights: str = setting(
        "none", choices=WEIGHTINGS,
        label=("类别权重", "class weights"),
        help=("balanced：少数类的权重更大", "weigh rare classes more"),
    )
    patience: int | None = setting(
        None, 1, 1000,
        label=("早停耐心", "patience"),
        help=("连续几轮没有进步就停，取最好的一轮", "stop after this many epochs without progress, restore the best"),
    )
    precision: str = setting(
        "auto", choices=PRECISIONS, group="memory",
        label=("数值精度", "precision"),
        help=("数值精度；auto：GPU 支持时用 bf16", "auto: bf16 on a GPU that has it"),
    )
    bucket: bool = setting(
        True, group="memory",
        label=("分桶", "bucketing"),
        help=("长短相近的行放在同一批", "rows of like length share a batch"),
    )
    cache: str = setting(
        "memory", choices=CACHES, group="memory",
        label=("缓存", "cache"),
        help=("冻结部分的结果存在哪里；off：每轮重算", "where to keep what the frozen part computes; half: as float16"),
    )
    cache_mb: int = setting(
        2048, 0, 10**9, group="memory",
        label=("缓存（MB）", "cache (MB)"),
        help=("这些结果最多占多少 MB 内存，超出则每轮重算", "most memory for that; what takes more is computed every epoch"),
    )
    device: str = setting(
        "auto", choices=DEVICES, group="memory",
        label=("设备", "device"),
        help=("在哪里计算", "where to compute"),
    )
    # fmt: on

    def __post_init__(self):
        for f in fields(self):
            object.__setattr__(self, f.name, checked(f.name, getattr(self, f.name), f.type, f.metadata))
        check_pieces(self.accumulation, self.batch_size)


def check_pieces(pieces: int, rows: int) -> None:
    """BadInput where a batch of so many rows cannot be cut into so many pieces."""
    if pieces > rows:
        raise BadInput(
            tr(
                f"accumulation={pieces} 不行：一批 {rows} 行，最多分成 {rows} 份。请写 1 到 {rows}，或让批大一些。",
                f"accumulation={pieces} won't do: a batch of {rows} rows has {rows} pieces at most. "
                f"Give 1 to {rows}, or take larger batches.",
            )
        )


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


def plain(kind) -> type:
    """`int | None` is int."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return next(k for k in kinds if k is not type(None))
