"""One strategy under many settings: which optimizer, which rate, with or without warm-up, on a real fine-tune.

Notebook 04 uses it. Leans on comparison.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.comparison.compare import Comparing, Comparison
from labkit.data.corpus import Corpus
from labkit.strategies import Strategy, as_strategy

RATES = {  # for tiny-bert-zh, up to a third of where it stops learning; a wide network wants smaller ones
    "sgd": (0.03, 0.1, 0.3),
    "momentum": (0.003, 0.01, 0.03),
    "adam": (0.00015, 0.0005, 0.0015),
    "adamw": (0.00015, 0.0005, 0.0015),
}


def compare_configs(
    configs: Mapping[str, TrainConfig],
    corpus: Corpus,
    strategy: Strategy | str | None = None,
    model: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    out=None,
    listen: Callable[[Any], None] | None = None,
) -> Comparison:
    """Runs of one strategy (Full() without one) that differ in their settings, under the names given; same rows, same seeds.

    >>> settings = {"small steps": TrainConfig(lr=1e-4, epochs=1), "large": TrainConfig(lr=1e-3, epochs=1)}
    >>> print(compare_configs(settings, corpus, HeadOnly(), seeds=(0, 1)))

    `optimizer_grid(epochs=2)` gives settings for 24 such lines.

    With `out`, each name has a folder of run files there, and an interrupted comparison goes on.
    """
    if not configs:
        raise BadInput(
            tr("configs 是空的：至少给一个 {名字: TrainConfig}。", "configs is empty: give {name: TrainConfig}.")
        )
    named = Comparison()
    for name, config in configs.items():
        folder = Path(out) / re.sub(r"[^-\w.+=]+", "_", name) if out else None
        plan = Comparing([as_strategy(strategy)], corpus, model, seeds, config, out=folder)
        runs = plan.fit(*([listen] if listen else []))
        named.extend(replace(run, strategy=name) for run in runs)
        named.beside = runs.beside
        if not plan.complete:  # interrupted
            break
    return named


def optimizer_grid(
    rates: Mapping[str, Sequence[float]] = RATES, warmups: Sequence[float] = (0.0, 0.1), **settings
) -> dict[str, TrainConfig]:
    """Settings by name for every optimizer, each of its rates, with and without warm-up; `settings` go into all.

    >>> list(optimizer_grid({"adamw": [5e-4]}, epochs=2))
    ['adamw 0.0005', 'adamw 0.0005 warm-up']
    """
    warm = tr(" 热身", " warm-up")
    return {
        f"{name} {lr:g}{warm if warmup else ''}": TrainConfig(optimizer=name, lr=lr, warmup=warmup, **settings)
        for name, several in rates.items()
        for lr in several
        for warmup in warmups
    }
