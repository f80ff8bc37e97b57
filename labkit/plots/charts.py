"""Charts, each described once and drawn twice: as SVG that a panel sends ten times a second, and as a matplotlib Figure.

Lines, bands, axes, titles and keys are plain data; `svg()` and `figure()` show the same numbers between the same ends.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base import svg
from labkit.base.language import tr
from labkit.plots.look import COLOURS, GREY, drawn, figure, sentence, short

TRAIN, VALID, TEST = COLOURS[:3]  # of the curves of one run; several runs have a colour each
THIN, BOLD = 2.5, 5.0  # widths of lines in SVG units: training is thin, validation bold with dots
LETTER, LINE = 12, 26  # units that a letter takes, and a line of words

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """Points joined by a line; `label` is its entry in the key, `name` stands at its last point."""

    points: Points
    colour: str = TRAIN
    label: str = ""
    bold: bool = False
    marker: str = ""  # at each point: "o", or another of look.MARKERS in a figure; an SVG has dots
    dashed: bool = False
    opacity: float = 1.0
    name: str = ""
    joined: bool = True  # False: dots alone


@dataclass(frozen=True)
class Band:
    """A height with its interval, across the chart: a score on test rows."""

    low: float
    high: float
    middle: float | None = None
    colour: str = TEST
    label: str = ""
    part: tuple[float, float] = (0.0, 1.0)  # from where to where, as shares of the width: two bands stand side by side


@dataclass(frozen=True)
class Frame:
    """Both axes of a chart: their ends and their ticks."""

    left: float
    right: float
    x_ticks: Sequence[float]
    low: float
    high: float
    y_ticks: Sequence[float]


class Drawing:
    """What every kind of chart can do."""

    title: str
    note: str  # muted words beside the title
    wide = False

    def key(self) -> list[tuple[str, str, str]]:
        """The legend: (words, colour, look) of each entry; a look is "thin", "bold", "dashed" or "band"."""
        return []

    def svg(self) -> str:
        """The chart for a browser, in the page's own colours."""
        raise NotImplementedError

    def draw(self, axes) -> None:
        """The chart on matplotlib axes."""
        raise NotImplementedError

    def heading(self) -> str:
        """Title and note as a figure has them."""
        note = tr(f"（{self.note}）", f" ({self.note})") if self.note else ""
        return sentence(self.title) + note

    def figure(self) -> Any:
        """The chart as a matplotlib Figure, for paper and where no kernel runs."""
        return figure_of([self])


@dataclass(frozen=True)
class Chart(Drawing):
    """Lines and bands between two axes.

    >>> Chart("Loss", [Line([(1, 0.7), (2, 0.4)], bold=True, marker="o")], x="epoch", whole=True).svg()
    '<svg ...'
    """

    title: str
    marks: Sequence[Line | Band]
    x: str = ""  # the words at the axes
    y: str = ""
    note: str = ""
    x_range: tuple[float, float] | None = None
    least: tuple[float, float] | None = (
        None  # heights that the axis holds whatever is drawn: less would make noise a trend
    )
    log: bool = False  # heights by their logarithm
    whole: bool = False  # whole numbers only on the horizontal axis
    from_zero: bool = False  # the horizontal axis begins at zero, with room for names at the right
    wide: bool = False

    def key(self) -> list[tuple[str, str, str]]:
        return [(m.label, m.colour, look_of(m)) for m in self.marks if m.label]

    def visible(self) -> list[Line | Band]:
        """The marks as far as their numbers can be drawn, bands below."""
        marks = []
        for mark in sorted(self.marks, key=lambda mark: isinstance(mark, Line)):
            if isinstance(mark, Line):
                points = [(x, y) for x, y in mark.points if math.isfinite(y) and (y > 0 or not self.log)]
                mark = dataclasses.replace(mark, points=points)
            marks.append(mark)
        return marks

    def frame(self) -> Frame:
        lines = [mark for mark in self.visible() if isinstance(mark, Line)]
        xs, ys = [x for line in lines for x, _ in line.points], [y for line in lines for _, y in line.points]
        ys += [y for mark in self.marks if isinstance(mark, Band) for y in (mark.low, mark.high)]
        ys += self.least or ()
        left, right = self.x_range or (0 if self.from_zero else min(xs, default=0), max(xs, default=1) * (1.12 if self.from_zero else 1))  # fmt: skip
        if left == right:
            left, right = left - 0.5, right + 0.5
        y_ticks, low, high = svg.scale(min(ys, default=0), max(ys, default=1), self.log)
        return Frame(left, right, svg.ticks(left, right, 8 if self.wide else 5, self.whole), low, high, y_ticks)

    def svg(self) -> str:
        width, frame, marks = 840 if self.wide else svg.WIDTH, self.frame(), self.visible()
        right, bottom, bend = width - svg.EDGE, svg.HEIGHT - svg.FOOT, math.log if self.log else float

        def across(x: float) -> int:
            return round(svg.LEFT + (x - frame.left) / (frame.right - frame.left) * (right - svg.LEFT))

        def up(y: float) -> int:
            share = (bend(y) - bend(frame.low)) / (bend(frame.high) - bend(frame.low))
            return round(bottom - share * (bottom - svg.TOP))

        middle = (svg.LEFT + right) / 2
        parts = [svg.rules([f"M{svg.LEFT},{up(tick)}H{right}" for tick in frame.y_ticks])]
        parts += [svg.group("end", [svg.words(svg.LEFT - 12, up(t) + 8, f"{t:g}") for t in frame.y_ticks])]
        below = [svg.words(across(t), bottom + 34, f"{t:g}") for t in frame.x_ticks]
        parts += [svg.group("middle", [*below, svg.words(middle, svg.HEIGHT - 4, self.x, faint=True)])]
        parts += [svg.strokes([drawn_mark(mark, across, up, right) for mark in marks])]
        ends = [(across(line.points[-1][0]), up(line.points[-1][1]), line.name) for line in self.named(marks)]
        for x, y, name in apart(ends):
            outside = x + 16 + LETTER * len(name) > width
            parts += [svg.words(x - 16 if outside else x + 16, y + 8, name, "end" if outside else "")]
        count = sum(len(mark.points) for mark in marks if isinstance(mark, Line))
        if not count:
            parts += [svg.words(middle, (svg.TOP + bottom) / 2, tr("还没有数据", "no data yet"), "middle", faint=True)]
        return svg.picture(parts, self.title, count, width)

    def named(self, marks: Sequence[Line | Band]) -> list[Line]:
        return [mark for mark in marks if isinstance(mark, Line) and mark.name and mark.points]

    def draw(self, axes) -> None:
        frame, marks = self.frame(), self.visible()
        for mark in marks:
            if isinstance(mark, Band):
                axes.axhspan(
                    mark.low, mark.high, *mark.part, color=mark.colour, alpha=0.15, lw=0, label=mark.label or None
                )
                if mark.middle is not None:
                    axes.axhline(mark.middle, *mark.part, color=mark.colour, lw=0.8)
            else:
                xs, ys = [x for x, _ in mark.points], [y for _, y in mark.points]
                look = {"color": mark.colour, "alpha": mark.opacity, "label": mark.label or None, "marker": mark.marker}
                style = "--" if mark.dashed else "-" if mark.joined else "none"
                axes.plot(xs, ys, ls=style, lw=2 if mark.bold else 1, ms=5 if mark.bold else 4, **look)
        axes.set_yscale("log" if self.log else "linear")
        axes.set(title=self.heading(), xlabel=self.x, ylabel=self.y, xlim=margin(frame.left, frame.right), ylim=(frame.low, frame.high))  # fmt: skip
        axes.set_xticks(frame.x_ticks, [f"{tick:g}" for tick in frame.x_ticks])
        axes.set_yticks(frame.y_ticks, [f"{tick:g}" for tick in frame.y_ticks])
        axes.minorticks_off()
        for line in self.named(marks):
            axes.annotate(line.name, line.points[-1], (6, 0), textcoords="offset points", va="center", fontsize=9)


def look_of(mark: Line | Band) -> str:
    """How the key shows a mark."""
    if isinstance(mark, Band):
        return "band"
    if not mark.joined:
        return "filled"
    return "dashed" if mark.dashed else "bold" if mark.bold else "thin"


def drawn_mark(mark: Line | Band, across: Callable, up: Callable, right: int) -> str:
    """A mark as SVG, where `across` and `up` tell places and the axes end at `right`."""
    if isinstance(mark, Band):
        top, high = up(mark.high), max(2, up(mark.low) - up(mark.high))
        first, last = (round(svg.LEFT + share * (right - svg.LEFT)) for share in mark.part)
        band = svg.box(first, top, last - first, high, mark.colour, mark.label, 0.2)
        middle = None if mark.middle is None else up(mark.middle)
        return band if middle is None else band + svg.stroke([(first, middle), (last, middle)], mark.colour, THIN)
    if not mark.points:
        return ""
    places = [(across(x), up(y)) for x, y in mark.points]
    dashes = "14,8" if mark.dashed else ""
    line = svg.stroke(places, mark.colour, BOLD if mark.bold else THIN, dashes, mark.opacity) if mark.joined else ""
    return line + (svg.dots(places, mark.colour, 15 if mark.bold else 11, mark.opacity) if mark.marker else "")


def margin(low: float, high: float) -> tuple[float, float]:
    """Both ends a little further out, so that a marker at the edge is whole."""
    room = 0.02 * (high - low)
    return low - room, high + room


def apart(names: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Names at their places, from the top; one that would lie on another moves down below it.

    >>> apart([(100, 50, "full"), (110, 55, "head"), (400, 50, "lora")])
    [(100, 50, 'full'), (400, 50, 'lora'), (110, 76, 'head')]
    """
    settled: list[tuple[int, int, str]] = []
    for x, y, name in sorted(names, key=lambda one: one[1]):
        for other_x, other_y, other in sorted(settled, key=lambda one: one[1]):
            side_by_side = x > other_x + LETTER * len(other) or other_x > x + LETTER * len(name)
            if not side_by_side and abs(y - other_y) < LINE:
                y = other_y + LINE
        settled.append((x, y, name))
    return settled


@dataclass(frozen=True)
class Bars(Drawing):
    """Named amounts as horizontal bars, each with its number; `top` is the amount of a full bar, all but `lit` are grey.

    >>> Bars("padding", {"in buckets": 0.05, "shuffled": 0.32}, tell="{:.0%}".format, top=1.0, lit=["shuffled"]).figure()
    """

    title: str
    amounts: dict[str, float]
    tell: Callable[[float], str]
    x: str = ""
    top: float | None = None
    lit: Sequence[str] | None = None
    note: str = ""

    def colours(self) -> list[str]:
        return [COLOURS[0] if self.lit is None or name in self.lit else GREY for name in self.amounts]

    def svg(self) -> str:
        row, parts, top = 48, [], self.top or max(self.amounts.values(), default=1) or 1
        for i, ((name, value), colour) in enumerate(zip(self.amounts.items(), self.colours(), strict=True)):
            y, wide = i * row, max(2, round(min(value / top, 1) * 230))
            parts += [svg.words(226, y + 31, name, "end"), svg.box(240, y + 8, wide, 32, colour)]
            parts += [svg.words(252 + wide, y + 31, self.tell(value))]
        return svg.picture(parts, self.title, len(self.amounts), svg.WIDTH, row * max(len(self.amounts), 1))

    def draw(self, axes) -> None:
        names = list(self.amounts)[::-1]  # drawn from below, so that the first is on top
        values = [self.amounts[name] for name in names]
        drawn_bars = axes.barh(range(len(names)), values, color=self.colours()[::-1], height=0.6)
        axes.set_yticks(range(len(names)), [short(name, 32) for name in names])
        axes.bar_label(drawn_bars, [self.tell(value) for value in values], padding=4, fontsize=9)
        axes.set(title=self.heading(), xlabel=self.x)
        axes.margins(x=0.15)
        if self.top:
            axes.set_xlim(0, 1.15 * self.top)
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)


@dataclass(frozen=True)
class Histogram(Drawing):
    """How many values there are of each size, the largest 1 % together in the last bar; `mark` is a size with its words."""

    title: str
    values: Sequence[int]
    x: str
    mark: tuple[int, str] | None = None
    note: str = ""

    def svg(self) -> str:
        return svg.histogram(self.values, self.title, self.x, self.mark)

    def draw(self, axes) -> None:
        each, counts = svg.binned(self.values)
        axes.bar([each * i for i in range(len(counts))], counts, width=0.9 * each, align="edge", color=COLOURS[0])
        axes.set(title=self.heading(), xlabel=self.x, ylabel=tr("行数", "rows"))
        if self.mark and self.mark[0] <= each * len(counts):
            axes.axvline(self.mark[0], color=COLOURS[1], ls="--", label=self.mark[1])
            axes.legend()


@drawn
def figure_of(charts: Sequence[Drawing], title: str = "") -> Any:
    """Charts side by side in one Figure; a key that would cover the lines stands below them, a long one beside."""
    keys = [chart.key() for chart in charts]
    shown = max(range(len(charts)), key=lambda i: (crowded(keys[i]), len(keys[i])))
    beside = len(keys[shown]) > 5
    wide = 6.4 if len(charts) == 1 else 4.3 * len(charts)
    fig, axes = figure(wide + 1.2 * beside, 3.4, columns=len(charts))
    for one, chart, entries in zip(axes if len(charts) > 1 else [axes], charts, keys, strict=True):
        chart.draw(one)
        if entries and not crowded(entries):
            one.legend()
    if crowded(keys[shown]):
        entries = fig.axes[shown].get_legend_handles_labels()
        fig.legend(*entries, loc="outside right upper" if beside else "outside lower center", ncols=1 if beside else 5)
    if title:
        fig.suptitle(title, fontsize=10, x=0.01, ha="left")
    return fig


def crowded(key: Sequence[tuple[str, str, str]]) -> bool:
    """Whether a key has more, or longer, entries than fit inside a chart."""
    return len(key) > 3 or any(len(words) > 16 for words, _, _ in key)
