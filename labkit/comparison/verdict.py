"""Is one strategy better than another, or is it the noise? Judged on the same test rows and the same seeds, pair by pair."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labkit.base.display import aligned
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run
from labkit.base.statistics import standard_error
from labkit.comparison.summary import (
    best_first,
    bootstrapped,
    common_task,
    mean,
    summarise,
    values_on_test,
    with_baselines,
)
from labkit.comparison.table import clipped
from labkit.strategies import Strategy, name_of
from labkit.tasks import Metric

MARKS = {"better": "▲", "worse": "▼", "noise": "≈"}


@dataclass(frozen=True)
class Verdict:
    """How far `a` is from `b` on the test rows, with a 95 % interval (paired over rows and seeds)."""

    a: str
    b: str
    metric: Metric
    difference: float  # a minus b
    low: float
    high: float
    seeds: int
    rows: int

    @property
    def measure(self) -> str:
        """The metric's name."""
        return self.metric.name

    @property
    def word(self) -> str:
        """ "better", "worse", or "noise" where the interval holds 0."""
        return self.side if self.low > 0 or self.high < 0 else "noise"

    @property
    def side(self) -> str:
        """ "better" or "worse", whether sure of it or not."""
        return "better" if self.metric.better(self.difference, 0.0) else "worse"

    def mirrored(self) -> "Verdict":
        """The same of `b` against `a`."""
        ends = {"difference": -self.difference, "low": -self.high, "high": -self.low}
        return replace(self, a=self.b, b=self.a, **ends)

    def __str__(self) -> str:
        zh = {"better": "{} 优于 {}", "worse": "{} 不如 {}", "noise": "{} 和 {} 分不出高下"}[self.word]
        en = {"better": "{} is better than {}", "worse": "{} is worse than {}", "noise": "{} is inside the noise of {}"}
        seeds = tr(f"{self.seeds} 个种子", f"{self.seeds} seeds" if self.seeds > 1 else "one seed")
        span = f"{signed(self.difference, self.metric)} ({signed(self.low, self.metric)} … {signed(self.high, self.metric)})"
        zh_unit, en_unit = (" 个百分点", "points of") if in_points(self.metric) else ("", "in")
        name = tr(*self.metric.title)
        return tr(zh, en[self.word]).format(self.a, self.b) + tr(
            f"：{name}相差 {span}{zh_unit}（{self.rows} 行测试，{seeds}）",
            f": {span} {en_unit} {name} ({self.rows} test rows, {seeds})",
        )


def in_points(metric: Metric) -> bool:
    """Whether its values are shares, whose differences people read in percentage points."""
    return metric.top == 1


def signed(difference: float, metric: Metric) -> str:
    """A difference for people: in points "+5.0", else "+0.050"."""
    return f"{100 * difference:+.1f}" if in_points(metric) else f"{difference:+.3f}"


def verdict(runs: Sequence[Run], a: str | Strategy, b: str | Strategy, measure: str | None = None) -> Verdict:
    """Whether `a` is better than `b`, worse, or inside the noise: paired bootstrap over test rows, Student's t over seeds.

    >>> runs = [baseline(corpus), majority(corpus)]
    >>> print(verdict(runs, "tf-idf", "majority"))
    tf-idf is better than majority: +... (+... … +...) points of accuracy (360 test rows, one seed)

    Judged by the task's headline metric, or by the one that `measure` names. With one seed the error that seeds bring is
    not in the interval: train several.
    """
    a, b = (x if isinstance(x, str) else name_of(x) for x in (a, b))
    left, right = paired(runs_of(runs, a), runs_of(runs, b))
    metric = common_task([*left, *right]).metric(measure)
    scores = [bootstrapped(metric, side) for side in (left, right)]
    if any(s is None for s in scores) or left[0].truth != right[0].truth:
        raise BadInput(
            tr(
                f"{a} 和 {b} 不是在同样的测试行上逐行记录的：请用 compare 在同一份数据上重新训练。",
                f"{a} and {b} have no answers on the same test rows: train both again with compare on one corpus.",
            )
        )
    values = spread_out([values_on_test(metric, side) for side in (left, right)])
    differences = [x - y for x, y in zip(*values, strict=True)]
    half, middle = standard_error(differences, scores[0] - scores[1]).half, mean(differences)
    return Verdict(a, b, metric, middle, middle - half, middle + half, len(differences), left[0].n_test)


def spread_out(values: list[list[float]]) -> list[list[float]]:
    """A single run beside several stands for each of them."""
    longest = max(map(len, values))
    return [v * longest if len(v) == 1 else v for v in values]


def runs_of(runs: Sequence[Run], name: str) -> list[Run]:
    """The runs of a strategy or baseline that did not fail; BadInput where there are none."""
    finished = [r for r in with_baselines(runs) if not r.error]
    same = [r for r in finished if r.strategy == name]
    if not same:
        there = listing(dict.fromkeys(r.strategy for r in finished), 20)
        raise BadInput(tr(f"没有 {name!r} 的结果；有：{there}。", f"There is no run of {name!r}; there are: {there}."))
    return same


def paired(left: list[Run], right: list[Run]) -> tuple[list[Run], list[Run]]:
    """Runs of the same seeds, in the same order; a baseline knows no seed and is paired with every one."""
    if any(not r.history for r in (*left, *right)):
        return left, right
    seeds = sorted({r.seed for r in left} & {r.seed for r in right})
    if not seeds:
        raise BadInput(
            tr(
                f"{left[0].strategy} 和 {right[0].strategy} 没有相同的种子，无法成对比较。请用同样的 seeds 训练。",
                f"{left[0].strategy} and {right[0].strategy} share no seed and cannot be compared in pairs. Train both with the same seeds.",
            )
        )
    return tuple([next(r for r in side if r.seed == s) for s in seeds] for side in (left, right))


class Verdicts(list):
    """Every pair (Verdict), best strategy first; prints and shows as a matrix: line minus column."""

    def names(self) -> list[str]:
        return list(dict.fromkeys(v.a for v in self))

    def cell(self, a: str, b: str) -> str:
        verdict = next((v for v in self if (v.a, v.b) == (a, b)), None)
        return f"{MARKS[verdict.word]} {signed(verdict.difference, verdict.metric)}" if verdict else "·"

    def header(self) -> list[str]:
        points = not self or in_points(self[0].metric)
        title = tr("行减列，百分点", "line − column, points") if points else tr("行减列", "line − column")
        return [title, *(str(i + 1) for i in range(len(self.names())))]

    def cells(self) -> list[list[str]]:
        names = self.names()
        return [[f"{i + 1} {clipped(a)}", *(self.cell(a, b) for b in names)] for i, a in enumerate(names)]

    def note(self) -> str:
        pairs = len(self) // 2
        return tr(
            f"▲ 更好，▼ 更差，≈ 分不出高下（95 %）。{pairs} 对里，本无差别的每 20 对约有 1 对会碰巧显出差别。",
            f"▲ better, ▼ worse, ≈ inside the noise (95 %). {pairs} pairs: of those without a difference, 1 in 20 shows one by luck.",
        )

    def __str__(self) -> str:
        return "\n".join([*aligned([self.header(), *self.cells()]), self.note()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.base.display import box, table_html

        return box(table_html(self.header(), self.cells()), f"<div class=m>{self.note()}</div>")


def verdicts(runs: Sequence[Run], measure: str | None = None) -> Verdicts:
    """The verdict on every pair of strategies and baselines, by the task's headline metric or the one named.

    >>> print(verdicts([baseline(corpus), majority(corpus)]))
    """
    every = with_baselines(runs)
    task = common_task(every)
    if task is None:
        return Verdicts()
    names = [line.strategy for line in best_first(summarise(every), task.metric(measure))]
    pairs = {(a, b): verdict(runs, a, b, measure) for a, b in itertools.combinations(names, 2)}
    pairs |= {(v.b, v.a): v.mirrored() for v in pairs.values()}
    return Verdicts(pairs[a, b] for a in names for b in names if a != b)
