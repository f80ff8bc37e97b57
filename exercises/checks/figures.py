"""Figures of a class: how far it has come with each exercise, and how many tries that took."""

from collections.abc import Sequence
from typing import Any

from labkit_exercises.journal import PASSED, TRIED, Standing

from labkit import tr
from labkit.plots import COLOURS, drawn, figure

PARTS = (  # share of a bar, with its colour
    ("alone", "通过，没用提示", "passed without hints", COLOURS[0]),
    ("helped", "通过，用了提示", "passed with hints", COLOURS[4]),
    ("tried", "还没通过", "not yet passed", COLOURS[1]),
    ("untouched", "未开始", "not begun", "#dddddd"),
)


def part(standing: Standing) -> str:
    if standing.status == PASSED:
        return "helped" if standing.hints else "alone"
    return "tried" if standing.status == TRIED else "untouched"


@drawn
def standing(columns: dict[str, Sequence[Standing]]) -> Any:
    """A bar an exercise: students who passed it with and without hints, who tried, who did not begin.

    >>> fig = standing({"01.1": [Standing("01.1", "passed", tries=2, hints=1, first=None, passed=None)]})   # of one student
    """
    fig, axes = figure(7.4, 1.5 + 0.27 * len(columns))
    ids, left = list(columns)[::-1], [0] * len(columns)
    for name, zh, en, colour in PARTS:
        many = [sum(part(s) == name for s in columns[id]) for id in ids]
        axes.barh(range(len(ids)), many, left=left, color=colour, height=0.7, label=tr(zh, en))
        left = [a + b for a, b in zip(left, many, strict=True)]
    rows(axes, ids)
    axes.set(title=tr("每道练习的完成情况", "How far the class is"), xlabel=tr("学生数", "students"))
    axes.set_xlim(0, max(left))
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def tries(columns: dict[str, Sequence[Standing]]) -> Any:
    """Tries a student for each exercise: a dot for each number of tries, its area the students, a line at the median."""
    from statistics import median

    fig, axes = figure(6.4, 1.5 + 0.27 * len(columns))
    ids = list(columns)[::-1]
    for y, id in enumerate(ids):
        counts = [s.tries for s in columns[id] if s.tries]
        for many in sorted(set(counts)):
            axes.scatter(many, y, s=20 + 180 * counts.count(many) / len(columns[id]), color=COLOURS[0], alpha=0.6, lw=0)
        if counts:
            axes.plot([median(counts)] * 2, [y - 0.35, y + 0.35], color=COLOURS[1], lw=2)
    rows(axes, ids)
    axes.set(
        title=tr("要试几次（红线：中位数）", "How many tries it takes (red line: median)"),
        xlabel=tr("次数", "tries"),
    )
    axes.set_xlim(left=0)
    return fig


def rows(axes, ids: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_yticks(range(len(ids)), ids)
    axes.set_ylim(-0.7, len(ids) - 0.3)
    axes.set_ylabel(tr("练习", "exercise"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
