"""Figures of a comparison: the headline metric with its interval, against its cost, pair by pair, by training-set size."""

from collections.abc import Sequence
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Measure, Run
from labkit.comparison.summary import Summary, common_task, summarise, title_on_test, with_baselines
from labkit.plots.charts import Chart, Line
from labkit.plots.labels import halo, place_labels
from labkit.plots.look import COLOURS, GREY, drawn, figure, looks, number, sentence, short

CHEAP = ("tf-idf", "pixels", "sound", "majority")  # baselines are lines, not points
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


def reach(measures: Sequence[Measure]) -> list[list[float]] | None:
    """How far the intervals reach below and above, as error bars want it; None where they are not known."""
    if any(m.low is None for m in measures):
        return None
    return [[m.value - m.low for m in measures], [m.high - m.value for m in measures]]


def score_words(runs: Sequence[Run]) -> tuple[str, str]:
    """What scores are called in a title and at their axis: "accuracy", "test accuracy (95 % interval)"."""
    task = common_task(runs)
    score = tr(*task.metrics[0].title) if task else tr("成绩", "score")
    return score, (title_on_test(task.metrics[0]) if task else score) + tr("（95 % 区间）", " (95 % interval)")


@drawn
def runs(found: Sequence[Run], baseline: Run | None = None) -> Any:
    """The headline metric on test rows with its 95 % interval against seconds of training, a point a strategy (mean over
    seeds)."""
    lines, cheap = parted(found, baseline)
    fig, axes = figure(6.4 if len(lines) <= 4 else 7.4, 4.0)
    for line, look in zip(lines, looks(), strict=False):
        span = reach([line.headline])
        axes.errorbar(line.seconds, line.headline.value, yerr=span, ls="none", capsize=3, label=line.strategy, **look)
    for line in cheap[:1]:
        axes.axhline(line.headline.value, color=GREY, ls=":", label=line.strategy)
    title, across = titles()["seconds"]
    score, up = score_words(found)
    axes.set(title=sentence(title.format(score)), xlabel=across, ylabel=up)
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


def runs_chart(found: Sequence[Run]) -> Chart:
    """The chart of `runs` for a panel: names stand at their points."""
    lines, cheap = parted(found)
    marks, last = [], max((line.seconds for line in lines), default=1.0)
    for line, look in zip(lines, looks(), strict=False):
        place, measure, colour = line.seconds, line.headline, look["color"]
        if measure.low is not None:
            marks.append(Line([(place, measure.low), (place, measure.high)], colour, opacity=0.5))
        marks.append(Line([(place, measure.value)], colour, bold=True, marker=look["marker"], name=line.strategy))
    for line in cheap[:1]:
        level = line.headline.value
        marks.append(Line([(0, level), (last, level)], GREY, line.strategy, dashed=True))
    title, across = titles()["seconds"]
    score, up = score_words(found)
    return Chart(title.format(score), marks, across, up, from_zero=True, wide=True)


@drawn
def pareto(found: Sequence[Run], cost: str = "seconds") -> Any:
    """The headline metric on test rows against a cost: "seconds", "parameters" that train, or peak "memory". On the line:
    what no other strategy beats in both."""
    if cost not in COSTS:
        raise BadInput(tr(f"cost={cost!r} 不行；可选：{listing(COSTS)}。", f"cost={cost!r} won't do; choose from: {listing(COSTS)}."))  # fmt: skip
    lines, cheap = parted(found)
    points = [(getattr(x, COSTS[cost]), x) for x in lines if getattr(x, COSTS[cost]) is not None]
    if not points:
        raise BadInput(tr(f"这些训练没有记录 {cost}。", f"These runs hold no {cost}."))
    fig, axes = figure(7.4, 4.4)
    for (value, x), look in zip(points, looks(), strict=False):
        span = reach([x.headline])
        axes.errorbar(value, x.headline.value, yerr=span, ls="none", capsize=2, elinewidth=0.8, ms=7, **look)
    best = front([(value, x.headline.value) for value, x in points], common_task(found).metrics[0].greater)
    axes.step(
        *zip(*best, strict=True), where="post", color=GREY, lw=1.2, zorder=0, label=tr("帕累托前沿", "Pareto front")
    )
    for x in cheap[:1]:
        axes.axhline(x.headline.value, color=GREY, ls=":", label=x.strategy)
    title, across = titles()[cost]
    score, up = score_words(found)
    axes.set(title=sentence(title.format(score)), xlabel=across, ylabel=up)
    if cost == "parameters":
        plain_log(axes, [value for value, _ in points])
    elif cost == "seconds":
        axes.set_xlim(left=0)
    axes.margins(x=0.12, y=0.08)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    place_labels(fig, axes, [(value, x.headline.value, short(x.strategy, 22)) for value, x in points])
    return fig


def titles() -> dict[str, tuple[str, str]]:
    return {
        "seconds": (
            tr("{}与训练时间", "{} against training time"),
            tr("训练时间（秒）", "training time (s)"),
        ),
        "parameters": (
            tr("{}与训练的参数", "{} against parameters trained"),
            tr("训练的参数（对数轴）", "parameters trained (log axis)"),
        ),
        "memory": (
            tr("{}与内存峰值", "{} against peak memory"),
            tr("内存峰值（MB）", "peak memory (MB)"),
        ),
    }


def front(points: Sequence[tuple[float, float]], greater: bool = True) -> list[tuple[float, float]]:
    """The points that no other beats in both cost (less is better) and value (more is, or less), cheapest first.

    >>> front([(1, 0.7), (2, 0.6), (3, 0.9)])
    [(1, 0.7), (3, 0.9)]
    """
    best: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda p: (p[0], -p[1] if greater else p[1])):
        if not best or (value > best[-1][1] if greater else value < best[-1][1]):
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


@drawn
def forest(found: Sequence[Run], measure: str | None = None) -> Any:
    """Every strategy's score with its 95 % interval, best on top; dots are single seeds, dotted lines the baselines.
    `measure` is a metric of the task, the headline without one."""
    lines, cheap = parted(found)
    metric = common_task(found).metric(measure)
    lines = sorted(lines, key=lambda x: x.metrics[metric.name].value, reverse=not metric.greater)
    fig, axes = figure(7.0, 1.3 + 0.34 * len(lines))
    dots = False
    for y, x in enumerate(lines):
        span = reach([x.metrics[metric.name]])
        axes.errorbar(
            x.metrics[metric.name].value, y, xerr=span, fmt="o", ms=6, capsize=3, lw=2, color=COLOURS[0], zorder=3
        )
        seeds = [r.test.metrics[metric.name].value for r in found if r.strategy == x.strategy and not r.error]
        if len(seeds) > 1:
            dots = True
            axes.scatter(seeds, [y - 0.24] * len(seeds), s=9, color=GREY, zorder=3)
    for x, style in zip(cheap, (":", (0, (1, 4))), strict=False):
        axes.axvline(x.metrics[metric.name].value, color=COLOURS[5], ls=style, label=x.strategy)
    axes.set_yticks(range(len(lines)), [short(x.strategy, 24) for x in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    note = tr("（点：单个种子）", " (dots: single seeds)") if dots else ""
    axes.set(
        title=tr("每种策略与它的 95 % 区间", "Each strategy with its 95 % interval"),
        xlabel=title_on_test(metric) + note,
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
                points = round(100 * v.difference, 1) or 0.0  # no minus before a zero
                axes.text(j, i, f"{points:+.1f}", ha="center", va="center", fontsize=8.5, color=colour)
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
    """The headline metric on test rows against training rows, a curve a strategy with 95 % intervals; stars where it crosses
    the reference."""
    curves = found.curves()
    fig, axes = figure(8.4, 4.6)
    drawn_ones = [name for name in curves if name not in CHEAP]
    for k, (name, look) in enumerate(zip(drawn_ones, looks(), strict=False)):
        shift = 1 + 0.03 * (k - (len(drawn_ones) - 1) / 2)  # bars side by side, not on each other
        rows = [n * shift for n, _ in curves[name]]
        middle, span = [x.headline.value for _, x in curves[name]], reach([x.headline for _, x in curves[name]])
        axes.errorbar(rows, middle, yerr=span, capsize=2, elinewidth=0.7, lw=1.6, ms=4, label=name, **look)
    for name in CHEAP[:-1]:
        if name in curves:
            axes.plot(
                [n for n, _ in curves[name]], [x.headline.value for _, x in curves[name]], ":", color=GREY, label=name
            )
    mark_crossings(axes, found, reference)
    axes.set_xscale("log")
    axes.set_xticks(found.sizes, [number(n) for n in found.sizes])
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    score, up = score_words([run for _, runs in found.cells for run in runs])
    axes.set(
        title=tr("什么时候该冻结：行数与{}", "When to freeze: {} by training rows").format(score),
        xlabel=tr("训练行数（对数轴）", "training rows (log axis)"),
        ylabel=up,
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
    """The score of a curve at so many rows, straight between its points on a logarithmic axis."""
    import numpy as np

    return float(np.interp(np.log(rows), np.log([n for n, _ in curve]), [x.headline.value for _, x in curve]))
