"""What each token adds to a prediction: tokens on coloured ground, for a notebook and a panel as HTML, for paper as a Figure."""

from collections.abc import Sequence
from typing import Any

from labkit.base.display import display_width
from labkit.base.language import tr
from labkit.inspection.attribution_html import AGAINST, DEEPEST, FOR, strongest
from labkit.inspection.hiding import mark
from labkit.plots.look import drawn, figure, short

WIDE = 56  # columns of a line of tokens in a figure; a Chinese character takes two


@drawn
def attribution(found, title: str | None = None, names: Sequence[str] = ()) -> Any:
    """Attributions one below the other, their tokens on coloured ground; all share one scale of colour.

    >>> found = lk.attribute(model, ["味道不错", "太慢了"])
    >>> lk.plots.attribution(found, names=("one", "another"))
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    found = list(found) if isinstance(found, (list, tuple)) else [found]
    top, blocks = strongest(found), [lines(one) for one in found]
    rows = sum(len(block) + 1 for block in blocks)
    fig, axes = figure(7.4, 0.75 + 0.34 * rows)
    ends = [[1 - DEEPEST * (1 - c / 255) for c in colour] for colour in (AGAINST, FOR)]
    colours = LinearSegmentedColormap.from_list("shares", [ends[0], (1, 1, 1), ends[1]], N=15)
    scale = ScalarMappable(Normalize(-top, top), colours)
    row = 0
    for one, block, name in zip(found, blocks, [*names, *[""] * len(found)], strict=False):
        answer = f"{name + tr('：', ': ') if name else ''}p({short(one.label)}) = {one.probabilities[one.label]:.3f}"
        answer += tr("，", ", ") + mark(one.truthful) if mark(one.truthful) else ""
        axes.text(0.3, row + 0.7, answer, fontsize=9, color="#444444", va="center")
        for line in block:
            row += 1
            draw_line(axes, row, line, scale)
        row += 1
    axes.set(xlim=(0, WIDE), ylim=(row, 0), title=title or tr("哪些字在说话？", "Which tokens speak?"))
    axes.set_axis_off()
    bar = fig.colorbar(scale, ax=axes, fraction=0.03, aspect=12, shrink=min(1.0, 3.2 / rows + 0.4))
    bar.set_label(tr("对数几率（nat）", "log-odds (nats)"), fontsize=9)
    bar.outline.set_visible(False)
    return fig


def lines(found) -> list[list[tuple[str, float, bool]]]:
    """Tokens as lines of at most WIDE columns."""
    broken, used = [[]], 0
    for token, score, special in zip(found.tokens, found.scores, found.special, strict=True):
        token = short(token.strip() or "␣", 24)
        wide = display_width(token) + 1
        if used + wide > WIDE:
            broken.append([])
            used = 0
        broken[-1].append((token, score, special))
        used += wide
    return broken


def draw_line(axes, row: int, line, scale) -> None:
    left = 0.0
    for token, score, special in line:
        wide = display_width(token) + 1
        if not special:
            axes.add_patch(rectangle(left + 0.08, row + 0.1, wide - 0.16, 0.8, scale.to_rgba(score)))
        look = {"fontsize": 7, "color": "#888888"} if special else {"fontsize": 10}
        axes.text(left + wide / 2, row + 0.52, token, ha="center", va="center", **look)
        left += wide


def rectangle(x: float, y: float, width: float, height: float, colour) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=colour, linewidth=0)
