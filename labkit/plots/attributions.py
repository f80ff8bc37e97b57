"""What each token adds to a prediction: tokens on coloured ground, for a notebook and a panel as HTML, for paper as a Figure."""

from collections.abc import Sequence
from html import escape
from typing import Any

from labkit.plots.look import drawn, figure, short
from labkit.show import box, display_width
from labkit.text import tr

FOR, AGAINST = (68, 119, 170), (238, 102, 119)  # blue and red of Paul Tol's bright scheme, told apart by everybody
DEEPEST = 0.62  # the ground at its strongest still lets black or white letters be read
WIDE = 56  # columns of a line of tokens in a figure; a Chinese character takes two
STYLE = (
    "<style>.labkit-tokens{line-height:2.1;font-size:15px;overflow-wrap:anywhere;margin:2px 0 8px}"
    ".labkit-tokens span{padding:3px 1px;border-radius:3px;white-space:pre-wrap}"
    ".labkit-tokens .s{opacity:.55;font-size:11px;padding:3px 4px}"
    ".labkit-tokens .n{box-shadow:inset 0 -3px 0 rgba(238,102,119,.9)}.labkit-tokens .y{box-shadow:inset 0 -3px 0 rgba(68,119,170,.9)}"
    "</style>"
)


def attribution_html(found, top: float | None = None) -> str:
    """One attribution for a notebook: the answer, the tokens on their colours, and what the colours mean."""
    answer = ", ".join(f"{escape(name)} {p:.3f}" for name, p in found.probabilities.items())
    return box(f"<div><b>{escape(found.predicted)}</b> <span class=m>({answer})</span></div>", tokens_html(found, top))


def tokens_html(found, top: float | None = None) -> str:
    """The tokens of an attribution, each on a ground as deep as its score; `top` is the score of the deepest ground.

    Tokens that matter have a line below as well, so that the picture can be read without its colours.
    """
    top = top or strongest([found])
    spans = []
    for token, score, special in zip(found.tokens, found.scores, found.special, strict=True):
        if special:
            spans.append(f'<span class="s">{escape(token)}</span>')
            continue
        share = min(abs(score) / top, 1.0)
        kind = "" if share < 0.3 else "y" if score > 0 else "n"
        ground = f"background:rgba({','.join(map(str, FOR if score > 0 else AGAINST))},{DEEPEST * share:.2f})"
        spans.append(f'<span class="{kind}" style="{ground}" title="{score:+.2f}">{escape(token)}</span>')
    return f'{STYLE}<div class="labkit-tokens">{"".join(spans)}</div>'


def strongest(found: Sequence) -> float:
    """The largest score, for or against, of several attributions: what their colours share."""
    return max((abs(s) for one in found for s in one.scores), default=0.0) or 1.0


@drawn
def attribution(found, title: str | None = None, names: Sequence[str] = ()) -> Any:
    """Attributions one below the other, their tokens on coloured ground; all share one scale of colour.

    >>> lk.plots.attribution([before, after], names=("before", "after"))
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
