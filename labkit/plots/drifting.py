"""The figure of a drift: how lengths lie in the training rows and in the log, and what changed by how much."""

from typing import Any

from labkit.base.language import tr
from labkit.base.svg import binned
from labkit.plots.look import COLOURS, GREY, drawn, figure, short

MOVED = COLOURS[5]


@drawn
def drift(found) -> Any:
    """A `lk.drift`: on the left each share's change in points with its interval, coloured where it is more than noise; on
    the right the lengths of training inputs and of the log's."""
    shares = [s for s in found.shifts if s.share]
    lengths = any(s.kind == "length" for s in found.shifts)
    fig, axes = figure(
        9.6 if shares and lengths else 6.4, max(3.4, 1.6 + 0.34 * len(shares)), 1 + bool(shares and lengths)
    )
    left, right = axes if shares and lengths else (axes, axes)
    if shares:
        changes(left, shares)
    if lengths:
        overlaid(right, found)
    return fig


def changes(axes, shares) -> None:
    """Each share a line, the first on top."""
    for y, s in enumerate(reversed(shares)):
        middle, colour = 50 * (s.low + s.high), MOVED if s.moved else COLOURS[0]
        axes.errorbar(
            middle, y, xerr=50 * (s.high - s.low), fmt="D" if s.moved else "o", ms=6, capsize=3, lw=2, color=colour
        )
    axes.axvline(0, color=GREY, ls=":")
    axes.set_yticks(range(len(shares)), [short(s.name, 26) for s in reversed(shares)])
    axes.set_ylim(-0.6, len(shares) - 0.4)
    note = tr("（◆：超出不确定度）", " (diamond: beyond the noise)") if any(s.moved for s in shares) else ""
    axes.set(
        title=tr("什么变了？", "What moved?") + note,
        xlabel=tr("现在减训练时，百分点（95 %）", "now minus training, points (95 %)"),
    )


def overlaid(axes, found) -> None:
    """Two histograms as shares, so that unequal numbers of rows compare; the longest 1 % stand in the last bar."""
    each, counts = binned([*found.before, *found.after], 30)
    last = each * len(counts) - 1
    edges = [each * i - 0.5 for i in range(len(counts) + 1)]
    for values, name, look in (
        (found.before, tr("训练", "training"), {"color": COLOURS[0], "alpha": 0.45}),
        (found.after, tr("现在", "now"), {"color": COLOURS[1], "histtype": "step", "linewidth": 2}),
    ):
        clipped = [min(n, last) for n in values]
        axes.hist(clipped, bins=edges, weights=[100 / len(clipped)] * len(clipped), label=name, **look)
    axes.set(
        title=tr("长度（最长的 1 % 并入最后一格）", "Length (the longest 1 % in the last bar)"),
        xlabel=found.unit,
        ylabel=tr("输入的 %", "% of inputs"),
    )
    axes.legend()
