"""Figures of a comparison: accuracy with its interval, against what it costs, pair by pair, by training-set size."""

from collections.abc import Sequence
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run
from labkit.comparison.summary import Summary, summarise, with_baselines
from labkit.plots.look import drawn, figure, looks, number, short

CHEAP = ("tf-idf", "majority")  # baselines are lines, not points
GREY = "#888888"
COSTS = {
    "seconds": "seconds",
    "parameters": "trainable_parameters",
    "memory": "peak_memory_mb",
}


def parted(found: Sequence[Run], *baselines: Run | None) -> tuple[list[Summary], list[Summary]]:
    """The strategies' lines and the baselines'."""
    lines = summarise(with_baselines(found, *filter(None, baselines)))
    cheap = {*CHEAP, *(b.strategy for b in baselines if b)}
    return [x for x in lines if x.strategy not in cheap], [x for x in lines if x.strategy in cheap]


@drawn
def runs(found: Sequence[Run], baseline: Run | None = None) -> Any:
    """Test accuracy with its 95 % interval against seconds of training, a point a strategy (mean over seeds)."""
    lines, cheap = parted(found, baseline)
    fig, axes = figure(6.4 if len(lines) <= 4 else 7.4, 4.0)
    for row, look in zip(lines, looks(), strict=False):
        span = [[row.accuracy - row.low], [row.high - row.accuracy]]
        axes.errorbar(row.seconds, row.accuracy, yerr=span, ls="none", capsize=3, label=row.strategy, **look)
    for row in cheap[:1]:
        axes.axhline(row.accuracy, color=GREY, ls=":", label=row.strategy)
    axes.set(
        title=tr("测试准确率与训练时间", "Test accuracy against training time"),
        xlabel=tr("训练时间（秒）", "training time (s)"),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def pareto(found: Sequence[Run], cost: str = "seconds") -> Any:
    """Test accuracy against a cost: "seconds", "parameters" that train, or peak "memory". On the line: what no other
    strategy beats in both."""
    if cost not in COSTS:
        raise BadInput(tr(f"cost={cost!r} 不行；可选：{listing(COSTS)}。", f"cost={cost!r} won't do; choose from: {listing(COSTS)}."))  # fmt: skip
    lines, cheap = parted(found)
    points = [(getattr(x, COSTS[cost]), x) for x in lines if getattr(x, COSTS[cost]) is not None]
    if not points:
        raise BadInput(tr(f"这些训练没有记录 {cost}。", f"These runs hold no {cost}."))
    fig, axes = figure(7.4, 4.4)
    for (value, x), look in zip(points, looks(), strict=False):
        span = [[x.accuracy - x.low], [x.high - x.accuracy]]
        axes.errorbar(value, x.accuracy, yerr=span, ls="none", capsize=2, elinewidth=0.8, ms=7, **look)
    best = front([(value, x.accuracy) for value, x in points])
    axes.step(*zip(*best, strict=True), where="post", color=GREY, lw=1.2, zorder=0, label=tr("前沿", "front"))
    for x in cheap[:1]:
        axes.axhline(x.accuracy, color=GREY, ls=":", label=x.strategy)
    axes.set(title=titles()[cost][0], xlabel=titles()[cost][1], ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"))  # fmt: skip
    if cost == "parameters":
        plain_log(axes, [value for value, _ in points])
    elif cost == "seconds":
        axes.set_xlim(left=0)
    axes.margins(x=0.12, y=0.08)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    place_labels(fig, axes, [(value, x.accuracy, short(x.strategy, 22)) for value, x in points])
    return fig


def titles() -> dict[str, tuple[str, str]]:
    return {
        "seconds": (
            tr("准确率与训练时间", "Accuracy against training time"),
            tr("训练时间（秒）", "training time (s)"),
        ),
        "parameters": (
            tr("准确率与训练的参数", "Accuracy against parameters trained"),
            tr("训练的参数（对数轴）", "parameters trained (log axis)"),
        ),
        "memory": (
            tr("准确率与内存峰值", "Accuracy against peak memory"),
            tr("内存峰值（MB）", "peak memory (MB)"),
        ),
    }


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both cost (less is better) and value (more is), cheapest first.

    >>> front([(1, 0.7), (2, 0.6), (3, 0.9)])
    [(1, 0.7), (3, 0.9)]
    """
    best: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or value > best[-1][1]:
            best.append((cost, value))
    return best


def plain_log(axes, values: Sequence[float]) -> None:
    """A logarithmic axis with numbers that people read: 10k, 1M."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: compact(x))
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    low, high = min(values), max(values)
    axes.set_xlim(low / 1.8, high * 2.2)


def compact(value: float) -> str:
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


SIDES = [(8, 5, "left"), (-8, 5, "right"), (8, -13, "left"), (-8, -13, "right"), (0, 12, "center"), (0, -20, "center")]
SIDES += [(x * 2.2, y * 2.2, side) for x, y, side in SIDES]


def place_labels(fig, axes, labels: Sequence[tuple[float, float, str]]) -> None:
    """A name at each point, where it hides neither a point nor a name; with a thin line to the point where it is far."""
    fig.draw_without_rendering()
    spots = axes.transData.transform([(x, y) for x, y, _ in labels])
    inside, taken = axes.get_window_extent(), [around(x, y, 6) for x, y in spots]
    for x, y, name in sorted(labels, key=lambda one: -one[1]):
        best = None
        for dx, dy, side in SIDES:
            arrow = {"arrowstyle": "-", "color": GREY, "lw": 0.6} if abs(dy) > 15 or abs(dx) > 15 else None
            text = axes.annotate(
                name, (x, y), (dx, dy), textcoords="offset points", ha=side, fontsize=9, arrowprops=arrow
            )
            text.set_path_effects(halo())
            box = text.get_window_extent()
            cost = sum(box.overlaps(other) for other in taken) + 3 * (box.x0 < inside.x0 or box.x1 > inside.x1)
            if best is None or cost < best[0]:
                if best:
                    best[1].remove()
                best = (cost, text, box)
            else:
                text.remove()
            if cost == 0:
                break
        taken.append(best[2])


def halo() -> list:
    """A white rim: letters stay readable on lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def around(x: float, y: float, half: float) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox([[x - half, y - half], [x + half, y + half]])


@drawn
def forest(found: Sequence[Run], measure: str = "accuracy") -> Any:
    """Every strategy's score with its 95 % interval, best on top; dots are single seeds, dotted lines the baselines."""
    lines, cheap = parted(found)
    ends = {"accuracy": ("low", "high"), "macro_f1": ("f1_low", "f1_high")}[measure]
    lines = sorted(lines, key=lambda x: getattr(x, measure))
    fig, axes = figure(7.0, 1.3 + 0.34 * len(lines))
    dots = False
    for y, x in enumerate(lines):
        middle, low, high = (getattr(x, name) for name in (measure, *ends))
        span = None if low is None else [[middle - low], [high - middle]]
        axes.errorbar(middle, y, xerr=span, fmt="o", ms=6, capsize=3, lw=2, color="#4477aa", zorder=3)
        seeds = [getattr(r, f"test_{measure}") for r in found if r.strategy == x.strategy and not r.error]
        if len(seeds) > 1:
            dots = True
            axes.scatter(seeds, [y - 0.24] * len(seeds), s=9, color=GREY, zorder=3)
    for x, style in zip(cheap, (":", (0, (1, 4))), strict=False):
        axes.axvline(getattr(x, measure), color="#aa3377", ls=style, label=x.strategy)
    axes.set_yticks(range(len(lines)), [short(x.strategy, 24) for x in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    name = tr("准确率", "accuracy") if measure == "accuracy" else "macro-F1"
    axes.set(
        title=tr("每种策略与它的 95 % 区间", "Each strategy with its 95 % interval"),
        xlabel=tr(f"测试{name}", f"test {name}") + (tr("（点：单个种子）", " (dots: single seeds)") if dots else ""),
    )
    if cheap:
        fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def verdicts(found: Sequence[Any]) -> Any:
    """The matrix of `verdicts(runs)`: line minus column in points; coloured where it is more than noise."""
    names = list(dict.fromkeys(v.a for v in found))
    of = {(v.a, v.b): v for v in found}
    side = 2.6 + 0.62 * len(names)
    fig, axes = figure(side, 0.74 * side)
    sure = [abs(v.difference) for v in found if v.word != "noise" and "majority" not in (v.a, v.b)]
    most = max(sure, default=1)
    shades = [[shade(of.get((a, b)), most) for b in names] for a in names]
    axes.imshow(shades, aspect="auto")
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            if (a, b) in of:
                v = of[a, b]
                colour = "#444444" if v.word == "noise" else "black"
                axes.text(j, i, f"{100 * v.difference:+.1f}", ha="center", va="center", fontsize=8.5, color=colour)
    axes.set_xticks(range(len(names)), [short(n, 14) for n in names], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [short(n) for n in names])
    axes.grid(False)
    axes.set_title(tr("行减列（百分点）；无色：在噪声之内", "Line minus column (points); no colour: inside the noise"))
    return fig


def shade(verdict, most: float) -> tuple[float, float, float]:
    """Blue for better, red for worse, paler for less; white for noise."""
    if verdict is None:
        return (0.93, 0.93, 0.93)
    if verdict.word == "noise":
        return (1.0, 1.0, 1.0)
    full = (0.27, 0.47, 0.67) if verdict.word == "better" else (0.93, 0.40, 0.47)
    part = 0.25 + 0.55 * min(1.0, abs(verdict.difference) / most)
    return tuple(1 - part * (1 - c) for c in full)


@drawn
def grid(found: Any, reference: str | None = None) -> Any:
    """Test accuracy against training rows, a curve a strategy with 95 % intervals; stars where it crosses the reference."""
    curves = found.curves()
    fig, axes = figure(8.4, 4.6)
    drawn_ones = [name for name in curves if name not in CHEAP]
    for k, (name, look) in enumerate(zip(drawn_ones, looks(), strict=False)):
        shift = 1 + 0.03 * (k - (len(drawn_ones) - 1) / 2)  # bars side by side, not on each other
        rows = [n * shift for n, _ in curves[name]]
        middle = [x.accuracy for _, x in curves[name]]
        span = [[x.accuracy - x.low for _, x in curves[name]], [x.high - x.accuracy for _, x in curves[name]]]
        axes.errorbar(rows, middle, yerr=span, capsize=2, elinewidth=0.7, lw=1.6, ms=4, label=name, **look)
    for name in CHEAP[:1]:
        if name in curves:
            axes.plot([n for n, _ in curves[name]], [x.accuracy for _, x in curves[name]], ":", color=GREY, label=name)
    mark_crossings(axes, found, reference)
    axes.set_xscale("log")
    axes.set_xticks(found.sizes, [number(n) for n in found.sizes])
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    axes.set(
        title=tr("什么时候该冻结：行数与准确率", "When to freeze: accuracy by training rows"),
        xlabel=tr("训练行数（对数轴）", "training rows (log axis)"),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


def mark_crossings(axes, found, reference: str | None) -> None:
    """A star where two curves change places, with the number of rows; hollow where that is inside the noise."""
    curves = found.curves()
    crossings = [c for c in found.crossings(reference) if c.rows is not None and c.a not in CHEAP]
    for c in crossings:
        height = level(curves[c.b], c.rows)
        face = "black" if c.sure else "white"
        axes.plot([c.rows], [height], "*", ms=13, mfc=face, mec="black", mew=0.9, zorder=5)
        text = axes.annotate(
            f"{c.a}: {c.rows:,.0f}", (c.rows, height), (6, -14), textcoords="offset points", fontsize=9
        )
        text.set_path_effects(halo())
    if crossings:
        word = tr(f"与 {crossings[0].b} 交叉（空心：噪声之内）", f"crosses {crossings[0].b} (hollow: noise)")
        axes.plot([], [], "*", color="black", ms=11, label=word)
    else:
        axes.plot([], [], " ", label=tr("没有交叉", "no crossing"))


def level(curve: Sequence[tuple[int, Summary]], rows: float) -> float:
    """The accuracy of a curve at so many rows, straight between its points on a logarithmic axis."""
    import numpy as np

    return float(np.interp(np.log(rows), np.log([n for n, _ in curve]), [x.accuracy for _, x in curve]))
