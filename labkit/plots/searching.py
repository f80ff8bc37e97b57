"""Figures of a search: its trials one after the other, every setting side by side, and what mattered."""

import math
from collections.abc import Sequence
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.comparison.found import Found, Trial
from labkit.comparison.space import title
from labkit.plots.charts import Bars, Chart, Line
from labkit.plots.look import COLOURS, GREY, drawn, figure, number, short

BEST, DEFAULT, TRIED, PRUNED = COLOURS[0], COLOURS[2], COLOURS[4], GREY


def trials_chart(found: Found) -> Chart:
    """The score of each trial in the order in which they were tried, and the best so far; of pruned ones the last score."""
    groups = (
        (tr("默认", "defaults"), DEFAULT, [t for t in found.done if t.default]),
        (tr("试过", "tried"), TRIED, [t for t in found.done if not t.default]),
        (tr("剪掉", "pruned"), PRUNED, [t for t in found.trials if t.state == "pruned" and t.value is not None]),
    )
    rises = found.best_so_far()
    last = max((t.number for t in found.trials), default=1)
    steps = [point for (x, y), (after, _) in zip(rises, [*rises[1:], (last, 0)], strict=True) for point in ((x, y), (after, y))]  # fmt: skip
    marks = [Line(steps, BEST, tr("目前最好", "best so far"), bold=True, opacity=0.8)]
    marks += [
        Line([(t.number, t.value) for t in group], colour, name, bold=True, marker="o", joined=False)
        for name, colour, group in groups
        if group
    ]
    score = tr("验证", "valid ") + tr(*found.metric.title)
    return Chart(tr("一次次试验", "trials"), marks, tr("试验", "trial"), score, whole=True, wide=True)


def trials(found: Found) -> Any:
    """The figure of `trials_chart`."""
    return trials_chart(found).figure()


@drawn
def parallel(found: Found) -> Any:
    """Parallel coordinates: an axis for each setting that all trials have, a line a trial; dark is good, bold the best."""
    if not found.done:
        raise BadInput(tr("还没有做完的试验可画。", "There is no finished trial to draw yet."))
    names = ["strategy", *(n for n in found.done[0].point if n != "strategy" and "." not in n)]
    scales = [Scale(name, found.done) for name in names]
    values = [t.value for t in found.done]
    fig, axes = figure(1.25 * len(names) + 1.6, 4.0)
    order = sorted(found.done, key=lambda t: t.value, reverse=not found.metric.greater)
    for place, trial in enumerate(order, start=1):
        heights = [scale(trial.point[scale.name]) for scale in scales]
        best = trial.number == found.best.number
        shade = tone(place / len(order))
        axes.plot(
            range(len(names)), heights, color=COLOURS[1] if best else shade, lw=2.6 if best else 1.1, zorder=place
        )
    for x, scale in enumerate(scales):
        axes.axvline(x, color=GREY, lw=0.8, zorder=0)
        for value, text in scale.marks():
            axes.annotate(text, (x, scale(value)), (4, 0), textcoords="offset points", va="center", fontsize=8, zorder=999,
                          bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75})  # fmt: skip
    axes.set_xticks(range(len(names)), [title(name) for name in names])
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(names) - 0.4)
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    low, high = min(values), max(values)
    span = f"{low:.3f} … {high:.3f}"
    axes.set_title(
        tr(
            f"每条线是一次试验：越深越好（{span}），红的最好",
            f"A line a trial: the darker the better ({span}), red the best",
        )
    )
    axes.set_xlabel(tr("设置", "setting"))
    axes.set_ylabel(tr("从小到大", "from low to high"))
    return fig


def importance(found: Found) -> Any:
    """How much each setting mattered for the score, as bars; BadInput where there are too few trials to tell."""
    if not found.importance:
        raise BadInput(tr("试验太少，说不出什么重要。", "Too few trials to tell what mattered."))
    amounts = {title(name): share for name, share in found.importance.items()}
    return Bars(tr("什么在起作用", "what mattered"), amounts, tell="{:.0%}".format, x=tr("占比", "share")).figure()


class Scale:
    """Values of a setting as heights from 0 to 1: names at equal distances, numbers on a logarithmic scale."""

    def __init__(self, name: str, trials: Sequence[Trial]):
        self.name = name
        values = {t.point[name] for t in trials}
        self.names = (
            list(dict.fromkeys(t.point[name] for t in trials)) if any(isinstance(v, str) for v in values) else []
        )
        self.low, self.high = (min(values), max(values)) if not self.names else (0, 0)

    def __call__(self, value) -> float:
        if self.names:
            return (self.names.index(value) + 0.5) / len(self.names)
        if self.low == self.high:
            return 0.5
        return math.log(value / self.low) / math.log(self.high / self.low)

    def marks(self) -> list[tuple[Any, str]]:
        """Values to write beside the axis."""
        if self.names:
            return [(name, short(name, 12)) for name in self.names]
        ends = [self.low, self.high] if self.low < self.high else [self.low]
        return [(value, number(value)) for value in ends]


def tone(share: float) -> tuple[float, float, float]:
    """From pale (0) to labkit's blue (1)."""
    blue = (0.15, 0.30, 0.50)
    return tuple(0.88 - share * (0.88 - c) for c in blue)
