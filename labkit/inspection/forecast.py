"""Before a run: how long it will take and how much memory, against what this machine has. Notebook 02 asks it first.

Leans on probe, which takes a few real steps with a copy of the model.
"""

import math
import time
from dataclasses import dataclass

from labkit.base import machine, memory
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.data.corpus import Corpus
from labkit.inspection.probe import SPARE, STATE, Cost, Probe, megabytes, throwaway
from labkit.strategies import Strategy, as_strategy, name_of
from labkit.training.batches import check


@dataclass(frozen=True)
class Forecast:
    """What a run will cost. Times are seconds of `fit()` as a whole, memory is MB."""

    strategy: str
    device: str
    epochs: int
    steps: int
    seconds: float | None  # of all parts; None where not even a trial was possible
    parts: dict[str, float]  # seconds of "frozen" (computed once), "train", "valid" (every epoch), "final"
    peak_memory_mb: float  # of the process, or of the tensors on a GPU: as in Run.peak_memory_mb
    needed_mb: float  # what of it is not taken yet
    available_mb: float | None  # what is free for it; None where the system does not say
    fits: bool
    suggestions: tuple[str, ...]  # what to do where it does not fit
    cost: float  # seconds that the forecast itself took

    def rows(self) -> list[tuple[str, str]]:
        """The forecast in words: a name and a value a line."""
        names = {
            "frozen": tr("冻结部分", "frozen part"),
            "train": tr("训练", "training"),
            "valid": tr("验证", "validation"),
            "final": tr("最后打分", "final scoring"),
        }
        parts = tr("，", ", ").join(f"{names[n]} {duration(s)}" for n, s in self.parts.items() if s)
        free = tr("未知", "unknown") if self.available_mb is None else amount(self.available_mb)
        peak, needed = amount(self.peak_memory_mb), amount(self.needed_mb)
        memory = tr(f"{peak}（还要 {needed}，可用 {free}）", f"{peak} ({needed} more than now; {free} free)")
        lines = [
            (tr("训练", "run"), f"{self.strategy}, {self.device}"),
            (tr("步数", "steps"), tr(f"{self.steps:,}（{self.epochs} 轮）", f"{self.steps:,} ({self.epochs} epochs)")),
            (tr("用时", "time"), "–" if self.seconds is None else f"{duration(self.seconds)} ({parts})"),
            (tr("内存峰值", "peak memory"), memory),
            (tr("放得下", "fits"), tr("是", "yes") if self.fits else tr("否", "no")),
        ]
        return lines + [(tr("建议", "suggestion"), words) for words in self.suggestions]

    def __str__(self) -> str:
        return "\n".join(f"{name}{tr('：', ': ')}{value}" for name, value in self.rows())

    def _repr_html_(self) -> str:
        from labkit.base.display import box, table_html

        return box(table_html([tr("预计", "forecast"), ""], self.rows(), left=2))


def preflight(
    model, corpus: Corpus, strategy: Strategy | str | None = None, config: TrainConfig | None = None
) -> Forecast:
    """Seconds and peak memory of `Trainer(model, corpus, strategy, config).fit()`, told from a few steps.

    >>> print(preflight(model, corpus, LoRA(), TrainConfig(batch_size=32)))

    Model, corpus and random state are as before. A longest batch that would not fit is not tried: its memory is
    reckoned from shorter ones. A schedule that waits for validation is taken at its fastest, the dearest case.
    """
    began = time.perf_counter()
    if machine.several_processes():
        raise BadInput(
            tr(
                "preflight 只在一个进程里用：请在 accelerate launch 之前直接运行它。",
                "preflight works in one process: ask it without accelerate launch, beforehand.",
            )
        )
    strategy, config = as_strategy(strategy), config or TrainConfig()
    check(model, corpus, config)
    kind = machine.device() if config.device == "auto" else config.device
    memory.hand_back()
    taken, room = memory.used_mb(kind), memory.room_mb(kind)
    free = room[0] if room else None
    weights = megabytes(model.parameters())
    if free is not None and weights > SPARE * free:  # not even room for a copy
        cost = Cost(None, weights * (1 + STATE[config.optimizer]), 0.0, 0.0, n_train=len(corpus.train))
        epochs = config.epochs or strategy.usual_epochs(model, len(corpus.train))
    else:
        probe = Probe(throwaway(model), corpus, strategy, config, kind, free)
        cost, epochs = probe.cost(), probe.trainer.config.epochs
    fits = free is None or cost.needed <= SPARE * free
    return Forecast(
        strategy=name_of(strategy),
        device=kind,
        epochs=epochs,
        steps=epochs * math.ceil(cost.n_train / config.batch_size),
        seconds=cost.parts and sum(cost.parts.values()),
        parts=cost.parts or {},
        peak_memory_mb=taken + cost.needed,
        needed_mb=cost.needed,
        available_mb=free,
        fits=fits,
        suggestions=() if fits else advice(cost, config, kind, SPARE * free),
        cost=time.perf_counter() - began,
    )


# Words


def advice(cost: Cost, config: TrainConfig, kind: str, room: float) -> tuple[str, ...]:
    """Ways out where a run does not fit into `room` MB, the cheapest first."""
    tips = []
    fitting_rows = int((room - cost.fixed) / cost.row) if cost.row else 0
    if fitting_rows >= 1:
        pieces = math.ceil(config.batch_size / fitting_rows)
        tips.append(
            tr(
                f"accumulation={pieces}：每批分 {pieces} 次算，梯度不变，只是慢一些。",
                f"accumulation={pieces}: each batch in {pieces} pieces; the gradient is the same, it is only slower.",
            )
        )
    ordered = sorted(cost.sizes)
    usual = ordered[int(0.9 * (len(ordered) - 1))] if ordered else 0
    if ordered and usual < 0.8 * ordered[-1]:
        tips.append(
            tr(
                f"max_length={usual}：最长的一行有 {ordered[-1]} 个词元，九成的行不超过 {usual} 个。",
                f"max_length={usual}: the longest row has {ordered[-1]} tokens, nine in ten have {usual} or fewer.",
            )
        )
    if cost.trained_share > 0.5:
        tips.append(
            tr(
                "冻结大部分层（HeadOnly、TopK(2) 或 LoRA）：冻结的参数不需要梯度和优化器状态。",
                "Freeze most of it (HeadOnly, TopK(2) or LoRA): frozen parameters need no gradient and no optimizer state.",
            )
        )
    if kind == "cuda" and config.precision == "fp32":
        tips.append(tr("precision='bf16'：激活只占一半内存。", "precision='bf16': activations take half the memory."))
    if fitting_rows < 1:
        tips.append(tr("换一个更小的模型。", "Take a smaller model."))
    return tuple(tips)


def duration(seconds: float) -> str:
    """Seconds for people: "0.4 s", "75 s", "12 min", "3.5 h"."""
    for limit, unit, name in ((7200, 3600, "h"), (120, 60, "min")):
        if seconds >= limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def amount(mb: float) -> str:
    return f"{mb / 1024:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"
