"""Charts as SVG text: small enough to send ten times a second, drawn by the browser in the page's own colours.

Lengths are whole units, shown at about half a pixel each: a coordinate costs two to three characters. The text is XML, so
that it can also stand as an image of its own (data/describe.py).
"""

import itertools
import math
from collections.abc import Sequence
from html import escape

from labkit.base.display import COLOURS

WIDTH, HEIGHT = 560, 400
LEFT, TOP, FOOT, EDGE = 84, 16, 74, 14  # room beside the axes, for ticks and words
INK = "currentColor"


def picture(parts: Sequence[str], title: str, count: int, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The frame of a chart: its title is read aloud by screen readers, `data-n` counts what is drawn."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'data-n="{count}" fill="{INK}" font-family="sans-serif" font-size="23">{"".join(parts)}</svg>'
    )


def words(x: float, y: float, text: str, anchor: str = "", faint: bool = False) -> str:
    shade = ' opacity=".62"' if faint else ""
    side = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{side}{shade}>{escape(text)}</text>'


def group(anchor: str, parts: Sequence[str]) -> str:
    """Words that all hang on the same side of their places: "middle" or "end"."""
    return f'<g text-anchor="{anchor}">{"".join(parts)}</g>'


def strokes(parts: Sequence[str]) -> str:
    """Lines and dots, with round ends and joints."""
    return f'<g fill="none" stroke-linejoin="round" stroke-linecap="round">{"".join(parts)}</g>'


def stroke(
    places: Sequence[tuple[int, int]], colour: str, width: float = 4, dashes: str = "", opacity: float = 1
) -> str:
    """A line through places: the first is absolute, the others relative, which saves a third of the text."""
    moves = " ".join(f"{x - a},{y - b}" for (a, b), (x, y) in itertools.pairwise(places))
    (x, y), look = places[0], f' stroke-dasharray="{dashes}"' if dashes else ""
    look += f' opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<path stroke="{colour}" stroke-width="{width:g}"{look} d="M{x},{y}{"l" if moves else "h0"}{moves}"/>'


def dots(places: Sequence[tuple[int, int]], colour: str, wide: float = 15, opacity: float = 1) -> str:
    """Dots as strokes of no length with round ends: two numbers a dot."""
    spots, look = "".join(f"M{x},{y}h0" for x, y in places), f' opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<path stroke="{colour}" stroke-width="{wide:g}"{look} d="{spots}"/>'


def rules(lines: Sequence[str]) -> str:
    """Grid lines, given as path commands."""
    return f'<path stroke="{INK}" stroke-width="2" opacity=".16" d="{"".join(lines)}"/>'


def box(x: float, y: float, wide: float, high: float, colour: str, tip: str = "", opacity: float = 1) -> str:
    """A filled rectangle, with words that appear under the mouse."""
    look, told = f' opacity="{opacity:g}"' if opacity < 1 else "", f"<title>{escape(tip)}</title>" if tip else ""
    size = f'x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{high:.0f}"'
    return f'<rect {size} fill="{colour}"{look}>{told}</rect>'


# Axes


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


def scale(low: float, high: float, log: bool) -> tuple[list[float], float, float]:
    """Ticks of a vertical axis, and its two ends: a little beyond the lowest and highest value."""
    if log:
        low, high = (low, high) if 0 < low < high else (0.1, 1.0) if low <= 0 else (low / 2, low * 2)
        low, high = low / 1.1, high * 1.1
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        places = [k * 10.0**d for d in decades for k in (1, 2, 5) if low <= k * 10.0**d <= high]
        places = places if len(places) <= 8 else [t for t in places if f"{t:e}"[0] == "1"]
        return (places if len(places) > 1 else ticks(low, high, 5)), low, high
    room = 0.06 * (high - low) or 0.1 * abs(high) or 0.5
    return ticks(low - room, high + room, 6), low - room, high + room


# Amounts


def binned(values: Sequence[int], most: int = 30) -> tuple[int, list[int]]:
    """How many values there are of each size: the width of a bin in whole units, and the counts; the largest 1 % stand
    together in the last bin.

    >>> binned([0, 1, 1, 4, 5, 5], most=3)
    (2, [3, 0, 3])
    """
    longest = sorted(values)[int(0.99 * (len(values) - 1))]
    each = max(1, -(-(longest + 1) // most))
    counts = [0] * (longest // each + 1)
    for value in values:
        counts[min(value, longest) // each] += 1
    return each, counts


def histogram(
    values: Sequence[int], title: str, x_label: str, mark: tuple[int, str] | None = None, size=(WIDTH, HEIGHT)
) -> str:
    """How many values there are of each size; `mark` is a size with its words.

    >>> histogram([5, 9, 9, 30], "Lengths", "tokens", mark=(16, "longest allowed"))
    '<svg ...'
    """
    (each, counts), (width, height) = binned(values), size
    right, bottom, end = width - EDGE, height - FOOT, each * len(counts)
    tall, wide = (bottom - TOP) / max(counts), (right - LEFT) / len(counts)

    def across(value: float) -> int:
        return round(LEFT + value / end * (right - LEFT))

    parts = [
        box(LEFT + i * wide + 1, bottom - max(2, n * tall), max(wide - 2, 2), max(2, n * tall), COLOURS[0],
            f"{i * each}–{(i + 1) * each - 1}: {n:,}")
        for i, n in enumerate(counts) if n
    ]  # fmt: skip
    parts += [group("middle", [words(across(t), bottom + 34, f"{t:g}") for t in ticks(0, end, 5, whole=True)])]
    parts += [rules([f"M{LEFT},{bottom}H{right}"]), words(LEFT - 12, TOP + 18, f"{max(counts):,}", "end")]
    parts += [words((LEFT + right) / 2, height - 4, x_label, "middle", faint=True)]
    if mark and mark[0] <= end:
        x = across(mark[0])
        gap, side = (-10, "end") if x > (LEFT + right) / 2 else (10, "start")
        parts += [
            strokes([stroke([(x, TOP), (x, bottom)], COLOURS[1], 4, "12,8")]),
            words(x + gap, TOP + 18, mark[1], side),
        ]
    return picture(parts, title, len(counts), width, height)
