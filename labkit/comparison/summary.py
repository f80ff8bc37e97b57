"""The runs of a strategy in one line: means over seeds, with intervals over seeds and test rows, for any task.

Every metric is a function of summed row counts (tasks/contract.py), so that rows drawn anew give it an interval.
"""

import functools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Measure, Measured, Run
from labkit.base.statistics import Z, bootstrap, standard_error, wilson
from labkit.tasks import Metric, Task, task_of


@dataclass(frozen=True)
class Summary(Measured):
    """The runs of one strategy: means over seeds. Metrics are asked for by name, `line.accuracy`; intervals are 95 %, over
    seeds and test rows, None where unknown."""

    strategy: str
    runs: int
    metrics: dict[str, Measure]  # the task's, the headline first
    trainable_parameters: int
    total_parameters: int
    epochs: float
    lr: float | None
    seconds: float
    samples_per_second: float
    peak_memory_mb: float | None
    saved_bytes: float | None
    measures: dict[str, float | None] = field(default_factory=dict)  # what else was measured: "forgetting", in nats

    @property
    def forgetting(self) -> float | None:
        """Change of the language-model loss on general text, in nats; None where it was not measured."""
        return self.measures.get("forgetting")

    def record(self) -> dict[str, Any]:
        """The line as plain values, one a column: the headline has `low` and `high`, another metric `macro_f1_low`."""
        flat: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "metrics":
                for i, (name, measure) in enumerate(value.items()):
                    prefix = f"{name}_" if i else ""
                    flat |= {name: measure.value, f"{prefix}low": measure.low, f"{prefix}high": measure.high}
            else:
                flat |= value if f.name == "measures" else {f.name: value}
        return flat


def summarise(runs: Iterable[Run]) -> list[Summary]:
    """One line a strategy, in the order of first appearance; runs that failed are left out.

    An interval joins two causes of error (base/statistics.py): which rows the test set happens to hold (of one run and a
    share of right rows: Wilson's interval) and which seeds were drawn.
    """
    by_strategy: dict[str, list[Run]] = {}
    for run in by_validation(runs):
        if run.error:
            continue
        if run.test is None:
            raise BadInput(
                tr(
                    f"{run.strategy}（seed {run.seed}）没有测试成绩：只能比较在测试集上打过分的训练。",
                    f"{run.strategy} (seed {run.seed}) has no test score: only runs scored on test rows can be compared.",
                )
            )
        by_strategy.setdefault(run.strategy, []).append(run)
    return [summary(same) for same in by_strategy.values()]


def unseen_test(runs: Iterable[Run]) -> bool:
    """Whether none of the runs was shown the test rows, as the trials of a search: they are told by their validation rows."""
    finished = [run for run in runs if not run.error]
    return bool(finished) and all(run.test is None and run.valid for run in finished)


def by_validation(runs: Iterable[Run]) -> list[Run]:
    """The runs; where none has seen test rows, with the validation scores in their place."""
    runs = list(runs)
    if not unseen_test(runs):
        return runs
    return [
        run if run.error else replace(run, scores={**run.scores, "test": run.valid}, n_test=run.n_valid) for run in runs
    ]


def with_baselines(runs: Iterable[Run], *baselines: Run) -> list[Run]:
    """The runs, then the baselines that are given or that compare put `beside` them, each once."""
    return [*runs, *{r.strategy: r for r in (*getattr(runs, "beside", ()), *baselines)}.values()]


def common_task(runs: Iterable[Run]) -> Task | None:
    """The task of all runs that did not fail, None without such runs. BadInput where they have several."""
    cards = {run.task["name"]: run.task for run in runs if not run.error}
    if len(cards) > 1:
        raise BadInput(
            tr(
                f"这些训练的任务不同（{listing(cards)}），不能放在一起比较。请每种任务各比各的。",
                f"These runs are of several tasks ({listing(cards)}) and cannot be compared. Compare those of one task.",
            )
        )
    return next((task_of(card) for card in cards.values()), None)


def summary(same: list[Run]) -> Summary:
    """The line of runs that differ in their seed only."""
    first, rates = same[0], [r.config.get("lr") for r in same]
    return Summary(
        strategy=first.strategy,
        runs=len(same),
        metrics={metric.name: measure(metric, same) for metric in task_of(first.task).metrics},
        trainable_parameters=first.trainable_parameters,
        total_parameters=first.total_parameters,
        epochs=mean(r.epochs for r in same),
        lr=None if None in rates else mean(rates),
        seconds=mean(r.seconds for r in same),
        samples_per_second=mean(r.samples_per_second for r in same),
        peak_memory_mb=mean(r.peak_memory_mb for r in same),
        saved_bytes=mean(r.saved_bytes for r in same),
        measures={name: mean(r.measures.get(name) for r in same) for name in dict.fromkeys(n for r in same for n in r.measures)},
    )  # fmt: skip


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


# Intervals


def values_on_test(metric: Metric, runs: Sequence[Run]) -> list[float]:
    """The metric on the test rows, one value a run."""
    return [run.test.metrics[metric.name].value for run in runs]


def measure(metric: Metric, same: list[Run]) -> Measure:
    """The mean of a metric over seeds with its interval."""
    values = values_on_test(metric, same)
    middle = mean(values)
    if not math.isfinite(middle):  # a baseline that has no such number
        return Measure(middle)
    if metric.share:
        return Measure(middle, *share_interval(metric, same, values))
    scores = bootstrapped(metric, same)
    if scores is None:
        return Measure(middle)
    half = standard_error(values, scores).half
    return Measure(middle, max(0.0, middle - half), min(metric.top, middle + half))


def share_interval(metric: Metric, same: list[Run], values: list[float]) -> tuple[float, float]:
    """Of a mean share of right rows: Wilson's over as many rows as would give the rows' variance, seeds added."""
    share, n = mean(values), same[0].test.n
    scores = bootstrapped(metric, same) if len(same) > 1 else None
    error = standard_error(values, scores, rows=share * (1 - share) / n)
    effective = share * (1 - share) / error.rows if error.rows else n
    bounds = wilson(share * effective, effective)
    below, above = (error.times * math.hypot(abs(share - bound) / Z, error.seeds**0.5) for bound in bounds)
    return max(0.0, share - below), min(metric.top, share + above)


def bootstrapped(metric: Metric, same: list[Run]) -> Any:
    """The metric of each run on test rows drawn anew, (draws, runs); None unless the runs hold answers to the same rows."""
    first = same[0]
    if any(r.answers is None or r.truth != first.truth for r in same):
        return None
    card, truth, *answers = map(json.dumps, (first.task, first.truth, *(r.answers for r in same)))  # they can be hashed
    return drawn_scores(metric.name, card, truth, tuple(answers))


@functools.lru_cache(maxsize=64)
def drawn_scores(metric: str, card: str, truth: str, answers: tuple[str, ...]) -> Any:
    """`bootstrap` of a task's metric, from JSON texts: the verdicts on every pair ask for the same runs again and again."""
    import numpy as np

    task, true = task_of(json.loads(card)), json.loads(truth)
    counts = np.stack([task.table(json.loads(said), true) for said in answers])
    return bootstrap(task.metric(metric).of, counts)


# Words and order


def best_first(lines: Iterable[Summary], metric: Metric) -> list[Summary]:
    return sorted(lines, key=lambda line: line.metrics[metric.name].value, reverse=metric.greater)


def title_on_test(metric: Metric) -> str:
    """ "test accuracy" """
    return tr("测试", "test ") + tr(*metric.title)
