"""The figure of deletion curves: does the answer go sooner when what an attribution points at is hidden?"""

from collections.abc import Sequence
from typing import Any

from labkit.base.language import tr
from labkit.inspection.hiding import Curve, names
from labkit.plots.look import COLOURS, GREY, MARKERS, drawn, figure


@drawn
def deletions(found: Sequence[Curve]) -> Any:
    """A `lk.deletion_curves`: on the left the label's mean probability while parts are hidden, a line a method, dotted in random
    order; on the right how much lower each lies, with 95 %: an interval that holds 0 is no better than chance."""
    fig, (left, right) = figure(9.6, 3.6, 2)
    places = [100 * i / (len(found[0].curve) - 1) for i in range(len(found[0].curve))]
    left.plot(places, found[0].random, color=GREY, ls=":", lw=2, label=tr("随机次序", "random order"))
    for one, colour, marker in zip(found, COLOURS, MARKERS, strict=False):
        left.plot(places, one.curve, color=colour, marker=marker, ms=5, label=names()[one.method])
    left.set(
        title=tr("遮住它指的地方，答案还剩多少？", "Hide what it points at: what is left?"),
        xlabel=tr("遮住的百分比", "% hidden"),
        ylabel=tr("原来标签的概率", "probability of the label"),
        ylim=(0, 1.03),
    )
    left.legend()
    for y, (one, colour) in enumerate(zip(reversed(found), reversed(COLOURS[: len(found)]), strict=True)):
        middle, half = one.gain, (one.high - one.low) / 2
        right.errorbar(middle, y, xerr=half, fmt="o" if one.better else "X", ms=7, capsize=3, lw=2, color=colour)
    right.axvline(0, color=GREY, ls=":")
    right.set_yticks(range(len(found)), [names()[one.method] for one in reversed(found)])
    right.set(
        title=tr("比随机次序早多少（✕：并不更早）", "How much sooner than chance (X: no sooner)"),
        xlabel=tr("曲线下面积之差（95 %）", "difference of areas (95 %)"),
        ylim=(-0.6, len(found) - 0.4),
    )
    return fig
