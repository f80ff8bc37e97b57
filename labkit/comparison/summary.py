"""The runs of a strategy in one line: means over seeds, with intervals over seeds and test rows."""

import math
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Run
from labkit.base.statistics import Z, doubt, redrawn, wilson


@dataclass(frozen=True)
class Summary:
    """The runs of one strategy: means over seeds. Intervals are 95 %, over seeds and test rows; None where unknown."""

    strategy: str
    runs: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    f1_low: float | None
    f1_high: float | None
    trainable_parameters: int
    total_parameters: int
    epochs: float
    lr: float | None
    seconds: float
    samples_per_second: float
    peak_memory_mb: float | None
    saved_bytes: float | None
    forgetting: float | None


def summarise(runs) -> list[Summary]:
    """One line a strategy, in the order of first appearance; runs that failed are left out.

    The interval joins two doubts (intervals.py): which rows the test set happens to hold (of one run: Wilson's
    interval) and which seeds were drawn.
    """
    by_strategy: dict[str, list[Run]] = {}
    for run in runs:
        if run.error:
            continue
        if run.test_accuracy is None:
            raise BadInput(
                tr(
                    f"{run.strategy}（seed {run.seed}）没有测试成绩：只能比较在测试集上打过分的训练。",
                    f"{run.strategy} (seed {run.seed}) has no test score: only runs scored on test rows can be compared.",
                )
            )
        by_strategy.setdefault(run.strategy, []).append(run)
    return [summary(same) for same in by_strategy.values()]


def with_baselines(runs, *baselines: Run) -> list[Run]:
    """The runs, then the baselines that are given or that compare put `beside` them, each once."""
    return [*runs, *{r.strategy: r for r in (*getattr(runs, "beside", ()), *baselines)}.values()]


def summary(same: list[Run]) -> Summary:
    """The line of runs that differ in their seed only."""
    f1 = mean(same, "test_macro_f1")
    drawn = redrawn_of(same, "macro_f1")
    half = None if drawn is None else doubt([r.test_macro_f1 for r in same], drawn).half
    rates = [r.config.get("lr") for r in same]
    return Summary(
        same[0].strategy,
        len(same),
        mean(same, "test_accuracy"),
        *accuracy_interval(same),
        f1,
        None if half is None else max(0.0, f1 - half),
        None if half is None else min(1.0, f1 + half),
        same[0].trainable_parameters,
        same[0].total_parameters,
        mean(same, "epochs"),
        None if None in rates else sum(rates) / len(rates),
        *(
            mean(same, name)
            for name in ("seconds", "samples_per_second", "peak_memory_mb", "saved_bytes", "forgetting")
        ),
    )


def mean(runs: list[Run], name: str) -> float | None:
    """Of the runs that have it; None where none has."""
    found = [value for r in runs if (value := getattr(r, name)) is not None]
    return sum(found) / len(found) if found else None


def redrawn_of(same: list[Run], measure: str) -> Any:
    """The measure of each run on test rows drawn anew, (draws, runs); None where the runs hold no answers."""
    if any(r.answers is None or r.truth != same[0].truth for r in same):
        return None
    return redrawn(measure, len(same[0].corpus["labels"]), same[0].truth, tuple(r.answers for r in same))


def accuracy_interval(same: list[Run]) -> tuple[float, float]:
    """95 % interval of the mean accuracy: Wilson's over as many rows as would give the variance found, seeds added."""
    share, n = mean(same, "test_accuracy"), same[0].n_test
    drawn = redrawn_of(same, "accuracy") if len(same) > 1 else None
    found = doubt([r.test_accuracy for r in same], drawn, rows=share * (1 - share) / n)
    like = share * (1 - share) / found.rows if found.rows else n
    low, high = wilson(share * like, like)
    below, above = (found.times * math.hypot(abs(share - bound) / Z, found.seeds**0.5) for bound in (low, high))
    return max(0.0, share - below), min(1.0, share + above)
