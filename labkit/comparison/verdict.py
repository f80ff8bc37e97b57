"""Is one strategy better than another, or is it the noise? Judged on the same test rows and the same seeds, pair by pair."""

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.base.display import aligned
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run
from labkit.base.statistics import doubt
from labkit.comparison.summary import redrawn_of, summarise, with_baselines
from labkit.comparison.table import clipped
from labkit.strategies import Strategy, name_of

MEASURES = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class Verdict:
    """How much better `a` is than `b` on the test rows, with a 95 % interval (paired over rows and seeds)."""

    a: str
    b: str
    measure: str
    difference: float  # a minus b
    low: float
    high: float
    seeds: int
    rows: int

    @property
    def word(self) -> str:
        """ "better", "worse", or "noise" where the interval holds 0."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "noise"

    @property
    def side(self) -> str:
        """ "better" or "worse", whether sure of it or not."""
        return "better" if self.difference > 0 else "worse"

    def __str__(self) -> str:
        zh = {"better": "{} 优于 {}", "worse": "{} 不如 {}", "noise": "{} 和 {} 分不出高下"}[self.word]
        en = {"better": "{} is better than {}", "worse": "{} is worse than {}", "noise": "{} is inside the noise of {}"}
        seeds = tr(f"{self.seeds} 个种子", f"{self.seeds} seeds" if self.seeds > 1 else "one seed")
        points = f"{100 * self.difference:+.1f} ({100 * self.low:+.1f} … {100 * self.high:+.1f})"
        name = tr("准确率", "accuracy") if self.measure == "accuracy" else "macro-F1"
        return tr(zh, en[self.word]).format(self.a, self.b) + tr(
            f"：{name}相差 {points} 个百分点（{self.rows} 行测试，{seeds}）",
            f": {points} points of {name} ({self.rows} test rows, {seeds})",
        )


def verdict(runs: Sequence[Run], a: str | Strategy, b: str | Strategy, measure: str = "accuracy") -> Verdict:
    """Whether `a` is better than `b`, worse, or inside the noise: paired bootstrap over test rows, Student's t over seeds.

    >>> print(verdict(runs, "lora", "full"))
    lora is inside the noise of full: -0.4 (-1.7 … +0.9) points of accuracy (360 test rows, 3 seeds)

    With one seed the doubt that seeds bring is not in the interval: train several.
    """
    if measure not in MEASURES:
        raise BadInput(tr(f"measure={measure!r} 不行；可选：{listing(MEASURES)}。", f"measure={measure!r} won't do; choose from: {listing(MEASURES)}."))  # fmt: skip
    a, b = (x if isinstance(x, str) else name_of(x) for x in (a, b))
    left, right = paired(runs_of(runs, a), runs_of(runs, b))
    drawn = [redrawn_of(side, measure) for side in (left, right)]
    if any(d is None for d in drawn) or left[0].truth != right[0].truth:
        raise BadInput(
            tr(
                f"{a} 和 {b} 不是在同样的测试行上逐行记录的：请用 compare 在同一份数据上重新训练。",
                f"{a} and {b} have no answers on the same test rows: train both again with compare on one corpus.",
            )
        )
    values = [[getattr(r, f"test_{measure}") for r in side] for side in (left, right)]
    each = [x - y for x, y in zip(*spread_out(values), strict=True)]
    found, middle = doubt(each, drawn[0] - drawn[1]), sum(each) / len(each)
    return Verdict(a, b, measure, middle, middle - found.half, middle + found.half, len(each), left[0].n_test)


def spread_out(values: list[list[float]]) -> list[list[float]]:
    """A single run beside several stands for each of them."""
    longest = max(map(len, values))
    return [v * longest if len(v) == 1 else v for v in values]


def runs_of(runs: Sequence[Run], name: str) -> list[Run]:
    every = with_baselines(runs)
    found = [r for r in every if r.strategy == name and not r.error]
    if not found:
        there = dict.fromkeys(r.strategy for r in every if not r.error)
        raise BadInput(tr(f"没有 {name!r} 的结果；有：{listing(there, 20)}。", f"There is no run of {name!r}; there are: {listing(there, 20)}."))  # fmt: skip
    return found


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
    """Every pair (Verdict), best strategy first; prints and shows as a matrix: line minus column, in points."""

    def names(self) -> list[str]:
        return list(dict.fromkeys(v.a for v in self))

    def cell(self, a: str, b: str) -> str:
        found = next((v for v in self if (v.a, v.b) == (a, b)), None)
        return f"{MARKS[found.word]} {100 * found.difference:+.1f}" if found else "·"

    def header(self) -> list[str]:
        return [tr("行减列，百分点", "line − column, points"), *(str(i + 1) for i in range(len(self.names())))]

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


MARKS = {"better": "▲", "worse": "▼", "noise": "≈"}


def verdicts(runs: Sequence[Run], measure: str = "accuracy") -> Verdicts:
    """The verdict on every pair of strategies and baselines.

    >>> print(verdicts(runs))
    """
    lines = summarise(with_baselines(runs))
    names = [line.strategy for line in sorted(lines, key=lambda line: -getattr(line, measure))]
    return Verdicts(verdict(runs, a, b, measure) for a in names for b in names if a != b)
