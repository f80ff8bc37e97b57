"""The figure of a compression: what each variant scores, weighs and takes, side by side."""

from typing import Any

from labkit.base.language import tr
from labkit.plots.look import COLOURS, GREY, drawn, figure, short

DROPPED = COLOURS[5]


@drawn
def compressed(found) -> Any:
    """A `lk.compress_compare`: a line a variant, the first on top; score with its 95 % interval, megabytes, milliseconds for
    one row, rows a second in batches. A score that is worse beyond the noise is coloured, and a diamond."""
    lines = list(reversed(found.variants))
    fig, axes = figure(10.4, 1.5 + 0.42 * len(lines), 4)
    scores(axes[0], lines, found)
    for panel, title, values, spelled in (
        (axes[1], "MB", [v.megabytes for v in lines], "{:.1f}"),
        (axes[2], tr("一行，毫秒（p50）", "one row, ms (p50)"), [v.milliseconds for v in lines], "{:.1f}"),
        (axes[3], tr("每秒行数（批 16）", "rows/s (batch 16)"), [v.per_second for v in lines], "{:.0f}"),
    ):
        panel.barh(range(len(lines)), values, height=0.6, color=COLOURS[0], alpha=0.75)
        for y, value in enumerate(values):
            panel.annotate(
                spelled.format(value), (value, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=9
            )
        panel.set(title=title, xlim=(0, 1.32 * max(values)), ylim=(-0.6, len(lines) - 0.4))
        panel.set_yticks(range(len(lines)), [""] * len(lines))
    return fig


def scores(axes, lines, found) -> None:
    """The score of each with its interval; dotted, that of the first."""
    for y, v in enumerate(lines):
        worse = v.verdict is not None and v.verdict.word == "worse"
        low, high = (v.score.value if x is None else x for x in (v.score.low, v.score.high))
        reach = [[max(0.0, v.score.value - low)], [max(0.0, high - v.score.value)]]
        look = {"fmt": "D", "color": DROPPED} if worse else {"fmt": "o", "color": COLOURS[0]}
        axes.errorbar(v.score.value, y, xerr=reach, ms=6, capsize=3, lw=2, **look)
    axes.axvline(found.variants[0].score.value, color=GREY, ls=":")
    axes.set_yticks(range(len(lines)), [short(v.name, 22) for v in lines])
    note = tr("（◆：更差）", " (diamond: worse)") if any(v.verdict and v.verdict.word == "worse" for v in lines) else ""
    axes.set(title=tr(*found.metric.title) + note, ylim=(-0.6, len(lines) - 0.4))
