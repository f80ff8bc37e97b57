"""The figure of forgetting: what each strategy scores against what it forgets, with arrows to its repaired runs."""

from collections.abc import Sequence
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Run
from labkit.comparison.summary import Summary, summarise
from labkit.plots.look import COLOURS, MARKERS, drawn, figure, short

SIDES = [
    (x, y, "left" if x > 0 else "right") for y in (0, 9, -9, 18, -18, 27, -27) for x in (9, -9)
]  # of a point, in points


@drawn
def forgetting(found: Sequence[Run]) -> Any:
    """Test accuracy against forgetting, a point a strategy (mean over seeds); an arrow leads from a strategy to the same
    one with L2-SP or replay ("full" -> "full+l2sp"). Runs whose forgetting was not measured are left out."""
    lines = [line for line in summarise(found) if line.forgetting is not None]
    if not lines:
        raise BadInput(
            tr(
                "这些训练都没有测过遗忘：请先用 forgetting_of 测量，填进 Run.forgetting。",
                "None of these runs has its forgetting measured: measure it with forgetting_of, into Run.forgetting.",
            )
        )
    plain = {line.strategy: line for line in lines if line.strategy == base_name(line)}
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(map(base_name, lines)))}
    fig, axes = figure(7.0, 4.4)
    axes.axvline(0, color="#888888", ls=":", lw=1)
    for line in lines:
        whole, colour = line.strategy in plain, colours[base_name(line)]
        marker = MARKERS[list(colours).index(base_name(line)) // len(COLOURS) % len(MARKERS)]
        style = {"color": colour, "marker": marker, "ms": 8, "mfc": colour if whole else "white", "mew": 1.5}
        axes.plot([line.forgetting], [line.accuracy], ls="none", zorder=3, **style)
        axes.vlines(line.forgetting, line.low, line.high, color=colour, alpha=0.3)
        if not whole and base_name(line) in plain:
            arrow(axes, plain[base_name(line)], line, colour)
    axes.set(
        title=tr("准确率与遗忘（空心：加了防遗忘方法）", "Accuracy and forgetting (hollow: with a repair)"),
        xlabel=tr(
            "遗忘：通用文本上语言模型损失的变化（nat）",
            "forgetting: change of the language-model loss on general text (nats)",
        ),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    axes.margins(0.16, 0.05)
    label(fig, axes, lines, plain)
    return fig


def base_name(line: Summary) -> str:
    """The strategy without its repair: "full+l2sp" is "full"."""
    return line.strategy.partition("+")[0]


def arrow(axes, start: Summary, end: Summary, colour: str) -> None:
    ends = {"xy": (end.forgetting, end.accuracy), "xytext": (start.forgetting, start.accuracy)}
    look = {"arrowstyle": "->", "color": colour, "alpha": 0.6, "shrinkA": 6, "shrinkB": 6}
    axes.annotate("", **ends, arrowprops=look)


def label(fig, axes, lines: Sequence[Summary], plain: dict[str, Summary]) -> None:
    """The name beside each point, on the side where it covers least of points, arrows and other names."""
    fig.draw_without_rendering()  # settles where the points are
    inside, taken = axes.get_window_extent(), []
    for line in lines:
        end, start = at(axes, line), at(axes, plain.get(base_name(line), line))
        taken += [spot(start + (end - start) * share) for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)]
    for line in lines:
        tries = []
        for dx, dy, side in SIDES:
            spec = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side, "va": "center", "fontsize": 9}
            text = axes.annotate(short(line.strategy, 24), (line.forgetting, line.accuracy), **spec)
            box = text.get_window_extent()
            cut = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
            tries.append((sum(box.overlaps(other) for other in taken) + 99 * cut, len(tries), text, box))
        chosen = min(tries)
        taken.append(chosen[3])
        for one in tries:
            if one is not chosen:
                one[2].remove()


def at(axes, line: Summary) -> Any:
    """Where a point is, in pixels."""
    return axes.transData.transform((line.forgetting, line.accuracy))


def spot(place) -> Any:
    """The square that a marker covers there."""
    from matplotlib.transforms import Bbox

    return Bbox([place - 4, place + 4])
