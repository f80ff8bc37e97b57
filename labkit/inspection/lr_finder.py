"""The learning-rate range test: one short run in which the rate grows at every step (Smith 2015, arXiv 1506.01186).

The loss stays, falls, and explodes; a good rate lies somewhat below its lowest point. Notebook 02 uses it. Leans on training.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labkit.base.config import TrainConfig
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.data.corpus import Corpus
from labkit.inspection.probe import throwaway
from labkit.models.loading import broken_weights
from labkit.strategies import Strategy, as_strategy, name_of
from labkit.training.trainer import Trainer

LOW, HIGH = 1e-6, 1.0
BELOW = 3  # the suggestion lies this factor below the lowest point (docs/LOG.md has the tries)
EXPLODED = 1.25  # times the loss at the start
WIDTH = 4  # steps: the smoothing's standard deviation, a quarter of a decade in 100 steps


@dataclass(frozen=True)
class RateSweep:
    """A range test, a rate a step. The losses are those of single batches; `smoothed` is what to look at."""

    strategy: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest: float | None  # the rate at the lowest point; None where the loss never fell
    diverges: float | None  # the rate from which the loss is well above its start; None where it never was
    suggestion: float | None  # a third of `lowest`; else a tenth of `diverges`; None without either

    def __str__(self) -> str:
        words = [
            (tr("最低点", "lowest loss at"), self.lowest),
            (tr("发散", "diverges at"), self.diverges),
            (tr("建议", "suggestion"), self.suggestion),
        ]
        rates = [f"{name} {'–' if rate is None else f'{rate:.1e}'}" for name, rate in words]
        return f"{self.strategy}{tr('：', ': ')}{tr('，', ', ').join(rates)}"


def find_lr(
    model,
    corpus: Corpus,
    strategy: Strategy | str | None = None,
    config: TrainConfig | None = None,
    *,
    steps: int = 100,
) -> RateSweep:
    """Losses of `steps` batches while the rate grows from 1e-6 to 1, and the rate that they suggest.

    >>> sweep = find_lr(model, corpus, HeadOnly())
    >>> run = Trainer(model, corpus, HeadOnly(), TrainConfig(lr=sweep.suggestion, epochs=2)).fit()

    It stops early where the loss explodes. A copy is trained: model and random state are as before. Rates of several
    groups keep their proportion; the rate is that of the highest.
    """
    if not 20 <= steps <= 10_000:
        raise BadInput(
            tr(
                f"steps={steps} 不行：应在 20 到 10000 之间，一般用 100。",
                f"steps={steps} won't do: give 20 to 10000; 100 is usual.",
            )
        )
    if broken := broken_weights(model):
        raise BadInput(
            tr(
                f"模型的权重里有不是数的值（NaN）：{listing(broken, 3)}。这样哪个学习率都没有损失可看。请重新载入一个完好的模型。",
                f"The model has weights that are no numbers (NaN): {listing(broken, 3)}. At no rate would there be a loss "
                "to look at. Load a sound model again.",
            )
        )
    strategy, rates, losses = as_strategy(strategy), [], []
    for rate, loss in climb(model, corpus, strategy, config or TrainConfig(), steps):
        rates.append(rate)
        losses.append(loss)
        if exploded(losses):
            break
    return read(name_of(strategy), rates, losses)


def climb(model, corpus: Corpus, strategy: Strategy, config: TrainConfig, steps: int) -> Iterator[tuple[float, float]]:
    """(rate, loss) of one step after another of a real Trainer, the rate growing by the same factor at each."""
    n = min(len(corpus.train), steps * config.batch_size)
    rows = random.Random(f"rates/{config.seed}").sample(corpus.train, n)
    few = replace(corpus, train=tuple(rows), valid=corpus.valid[:1], test=())
    config = replace(config, lr=HIGH, epochs=1000, patience=None)
    trainer = Trainer(throwaway(model), few, strategy, config)
    with trainer.at_work():
        list(trainer.keep_frozen())
        batches = (batch for epoch in range(steps) for batch in trainer.order(epoch))
        for step, batch in zip(range(steps), batches, strict=False):
            share = (LOW / HIGH) ** (1 - step / (steps - 1))
            *_, done = trainer.train_step(batch, share)
            yield HIGH * share, done.loss


def exploded(losses: Sequence[float]) -> bool:
    """Not a number, or over the last steps three times the loss of the first ones."""
    start, last = mean(losses[:10]), mean(losses[-5:])
    return not math.isfinite(losses[-1]) or (len(losses) > 15 and last > 3 * start)


def read(strategy: str, rates: Sequence[float], losses: Sequence[float]) -> RateSweep:
    """Where the smoothed loss is lowest, where it has exploded, and the rate that follows."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    flat = finite[: max(5, len(rates) // 4)]  # at these rates nothing moves yet
    start = mean(flat)
    spread = (sum((x - start) ** 2 for x in flat) / len(flat)) ** 0.5
    curve = smooth([min(loss, 4 * start) if math.isfinite(loss) else 4 * start for loss in losses])
    bottom = min(range(len(curve)), key=curve.__getitem__)
    fell = start - curve[bottom] > max(spread, 0.02 * start)
    above = (i for i, loss in enumerate(curve) if loss > EXPLODED * start and (i > bottom or not fell))
    end = next(above, None)
    lowest, diverges = rates[bottom] if fell else None, None if end is None else rates[end]
    suggestion = lowest / BELOW if fell else diverges and diverges / 10
    return RateSweep(strategy, tuple(rates), tuple(losses), tuple(curve), lowest, diverges, suggestion)


def smooth(values: Sequence[float]) -> list[float]:
    """Means over the neighbours on both sides, weighted by a bell of standard deviation WIDTH."""
    means = []
    for i in range(len(values)):
        near = range(max(0, i - 3 * WIDTH), min(len(values), i + 3 * WIDTH + 1))
        weights = [math.exp(-((i - j) ** 2) / (2 * WIDTH**2)) for j in near]
        means.append(sum(w * values[j] for w, j in zip(weights, near, strict=True)) / sum(weights))
    return means


def mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)
