"""Charts as SVG text: small enough to send ten times a second, drawn by the browser in the page's own colours.

Lengths are whole units, shown at about half a pixel each: a coordinate costs two to three characters.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from labkit.base.language import tr
from labkit.plots.look import COLOURS

HEIGHT = 400
LEFT, TOP, BOTTOM = 84, 16, 326  # of the axes; the labels stand outside
EDGE = 14  # right of the axes


@dataclass(frozen=True)
class Line:
    """A line of a chart: points (x, y), a colour, and whether it is dashed, has a dot at each point, or is only faint;
    `label` stands at its last point."""

    points: Sequence[tuple[float, float]]
    colour: str = COLOURS[0]
    dashed: bool = False
    dots: bool = False
    faint: bool = False
    label: str = ""


class Thinned:
    """A series of any length in fewer than `most` points (an even number): where it is full, neighbours join to their mean.

    >>> short = Thinned(most=4)
    >>> for x in range(8): short.add(x, x)
    >>> short.points()
    [(1.5, 1.5), (5.5, 5.5)]
    """

    def __init__(self, most: int = 120):
        self.most, self.each, self.sums, self.open = most, 1, [], (0.0, 0.0, 0)

    def add(self, x: float, y: float) -> None:
        self.open = (self.open[0] + x, self.open[1] + y, self.open[2] + 1)
        if self.open[2] == self.each:
            self.sums.append(self.open)
            self.open = (0.0, 0.0, 0)
        if len(self.sums) == self.most:
            pairs = zip(self.sums[::2], self.sums[1::2], strict=True)
            self.sums = [tuple(a + b for a, b in zip(*pair, strict=True)) for pair in pairs]
            self.each *= 2

    def points(self) -> list[tuple[float, float]]:
        return [(x / n, y / n) for x, y, n in [*self.sums, self.open] if n]


def chart(
    lines: Sequence[Line],
    title: str,
    x_label: str,
    *,
    x_range: tuple[float, float] | None = None,
    log: bool = False,
    whole: bool = False,
    from_zero: bool = False,
    width: int = 560,
) -> str:
    """A line chart. `log` draws the heights by their logarithm, `whole` marks whole numbers only on the horizontal axis,
    `from_zero` begins that axis at zero.

    >>> chart([Line([(1, 0.7), (2, 0.4)], dots=True)], "Loss", "epoch", whole=True)
    '<svg ...'
    """
    drawn = [[(x, y) for x, y in line.points if math.isfinite(y) and (y > 0 or not log)] for line in lines]
    xs, ys = [x for points in drawn for x, _ in points], [y for points in drawn for _, y in points]
    low_x, high_x = x_range or (0 if from_zero else min(xs, default=0), max(xs, default=1) * (1.12 if from_zero else 1))
    if low_x == high_x:
        low_x, high_x = low_x - 0.5, high_x + 0.5
    y_ticks, low_y, high_y = scale(min(ys, default=0), max(ys, default=1), log)
    bend, right = math.log if log else float, width - EDGE

    def across(x):
        return round(LEFT + (x - low_x) / (high_x - low_x) * (right - LEFT))

    def up(y):
        return round(BOTTOM - (bend(y) - bend(low_y)) / (bend(high_y) - bend(low_y)) * (BOTTOM - TOP))

    parts = []
    for tick in y_ticks:
        parts.append(f'<path class=g d="M{LEFT},{up(tick)}H{right}"/>')
        parts.append(f"<text x={LEFT - 12} y={up(tick) + 8} text-anchor=end>{tick:g}</text>")
    for tick in ticks(low_x, high_x, 5 if width < 700 else 8, whole):
        parts.append(f"<text x={across(tick)} y={BOTTOM + 34} text-anchor=middle>{tick:g}</text>")
    parts.append(f"<text x={(LEFT + right) // 2} y={HEIGHT - 4} text-anchor=middle class=m>{escape(x_label)}</text>")
    for line, points in zip(lines, drawn, strict=True):
        parts.append(path(line, [(across(x), up(y)) for x, y in points]))
    if not ys:
        middle = (LEFT + right) // 2
        parts.append(
            f"<text x={middle} y={(TOP + BOTTOM) // 2} text-anchor=middle class=m>{tr('还没有数据', 'no data yet')}</text>"
        )
    return picture("".join(parts), title, len(xs), width)


def picture(inside: str, title: str, count: int, width: int, height: int = HEIGHT) -> str:
    """The frame of a chart: its title is read aloud by screen readers, `data-n` counts the points drawn."""
    words = escape(title, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role=img aria-label="{words}" data-n={count}>{inside}</svg>'


def path(line: Line, places: Sequence[tuple[int, int]]) -> str:
    """One line: absolute for its first place, relative for the others, which saves a third of the text."""
    if not places:
        return ""
    moves = [f"{x - a},{y - b}" for (a, b), (x, y) in itertools.pairwise(places)]
    start = f"M{places[0][0]},{places[0][1]}"
    look = f"{' stroke-dasharray=14,8' if line.dashed else ''}{' opacity=.35' if line.faint else ''}"
    drawn = f'<path class=l stroke="{line.colour}"{look} d="{start}{"l" if moves else ""}{" ".join(moves)}"/>'
    spots = "".join(f"M{x},{y}h0" for x, y in places) if line.dots else ""  # a stroke of no length has round ends
    dots = f'<path class=p stroke="{line.colour}" d="{spots}"/>' if spots else ""
    x, y = places[-1]
    label = f"<text x={x + 16} y={y + 8}>{escape(line.label)}</text>" if line.label else ""
    return drawn + dots + label


def scale(low: float, high: float, log: bool) -> tuple[list[float], float, float]:
    """Ticks of the vertical axis, and its two ends: a little beyond the lowest and highest value."""
    if log:
        low, high = (low, high) if 0 < low < high else (0.1, 1.0) if low <= 0 else (low / 2, low * 2)
        low, high = low / 1.1, high * 1.1
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [k * 10.0**d for d in decades for k in (1, 2, 5) if low <= k * 10.0**d <= high]
        found = found if len(found) < 7 else [t for t in found if f"{t:e}"[0] == "1"]
        return (found if len(found) > 2 else ticks(low, high, 5)), low, high
    room = 0.06 * (high - low) or 0.1 * abs(high) or 0.5
    return ticks(low - room, high + room, 6), low - room, high + room


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """At most `most` round numbers between two ends.

    >>> ticks(0.13, 0.87, 5)
    [0.2, 0.4, 0.6, 0.8]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s for k in (1, 2, 2.5, 5, 10) if (s := k * power) >= rough * 0.999)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def bars(values: dict[str, float], title: str, tell: Callable[[float], str], top: float, chosen: str) -> str:
    """Named amounts as horizontal bars, each with its number; `top` is the amount of a full bar, all but one are grey.

    >>> bars({"in buckets": 0.05, "shuffled": 0.32}, "padding", "{:.0%}".format, top=1.0, chosen="shuffled")
    '<svg ...'
    """
    row, parts = 48, []
    for i, (name, value) in enumerate(values.items()):
        y, wide = i * row, max(2, round(min(value / top, 1) * 230))
        parts.append(f"<text x=226 y={y + 31} text-anchor=end>{escape(name)}</text>")
        parts.append(f'<rect x=240 y={y + 8} width={wide} height=32 fill="{COLOURS[0 if name == chosen else -1]}"/>')
        parts.append(f"<text x={252 + wide} y={y + 31}>{tell(value)}</text>")
    return picture("".join(parts), title, len(values), 560, row * max(len(values), 1))


def histogram(values: Sequence[int], title: str, x_label: str, mark: tuple[int, str]) -> str:
    """How many values there are of each size, the largest 1 % together in the last bar; `mark` is a size with its words.

    >>> histogram([5, 9, 9, 30], "Lengths", "tokens", mark=(16, "longest allowed"))
    '<svg ...'
    """
    longest = sorted(values)[int(0.99 * (len(values) - 1))]
    each = max(1, -(-(longest + 1) // 30))
    counts = [0] * (longest // each + 1)
    for v in values:
        counts[min(v, longest) // each] += 1
    right, end = 560 - EDGE, each * len(counts)
    tall, wide, parts = (BOTTOM - TOP) / max(counts), (right - LEFT) / len(counts), []
    for i, n in enumerate(counts):
        high, name = max(2, round(n * tall)), f"{i * each}–{(i + 1) * each - 1}: {n:,}"
        box = f"x={round(LEFT + i * wide) + 1} y={BOTTOM - high} width={max(round(wide) - 2, 2)} height={high}"
        parts.append(f'<rect {box} fill="{COLOURS[0]}"><title>{name}</title></rect>' if n else "")
    for tick in ticks(0, end, 5, whole=True):
        x = round(LEFT + tick / end * (right - LEFT))
        parts.append(f"<text x={x} y={BOTTOM + 34} text-anchor=middle>{tick:g}</text>")
    parts.append(f'<path class=g d="M{LEFT},{BOTTOM}H{right}"/>')
    parts.append(f"<text x={LEFT - 12} y={TOP + 18} text-anchor=end>{max(counts):,}</text>")
    parts.append(f"<text x={(LEFT + right) // 2} y={HEIGHT - 4} text-anchor=middle class=m>{escape(x_label)}</text>")
    if mark[0] <= end:
        x = round(LEFT + mark[0] / end * (right - LEFT))
        gap, side = (-10, "end") if x > (LEFT + right) / 2 else (10, "start")
        parts.append(f'<path class=l stroke="{COLOURS[1]}" stroke-dasharray=12,8 d="M{x},{TOP}V{BOTTOM}"/>')
        parts.append(f"<text x={x + gap} y={TOP + 18} text-anchor={side}>{escape(mark[1])}</text>")
    return picture("".join(parts), title, len(counts), 560)
