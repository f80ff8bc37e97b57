"""The map with the optimizers' ways as one string of SVG: quick enough to be drawn anew at every move of a control.

The terrain is made once for each surface and kept: a small JPEG under contour lines. Words and ticks take the colour of
the page, so that the scene fits a light and a dark theme. Panels show it in one HTML widget.
"""

import base64
import functools
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from labkit.base.language import tr
from labkit.plots.landscapes import INK, PARTS, colours
from labkit.plots.look import number
from labkit.plots.terrain import edge, ground_of, shaded

WIDE = 430  # pixels of the map
LEFT, TOP, BELOW, SIDE = 34, 22, 22, 186  # room for ticks, title, ticks, legend
STAR = "0,-7 1.7,-2.3 6.7,-2.2 2.7,0.9 4.1,5.7 0,2.9 -4.1,5.7 -2.7,0.9 -6.7,-2.2 -1.7,-2.3"


@functools.lru_cache(maxsize=16)
def backdrop(surface) -> str:
    """What stays the same while the optimizers walk: terrain, contour lines, ticks, minima."""
    land = ground_of(surface)
    high, to = WIDE * land.shape, pixels(land)
    image = f'<image width="{WIDE}" height="{high:.0f}" preserveAspectRatio="none" href="{terrain_jpeg(land)}"/>'
    lines = "".join(polyline(to(line)) for line in contours(land))
    left, right, bottom, top = land.window
    words = []
    for value in nice(left, right):
        ((x, _),) = to([(value, bottom)])
        words.append(f'<text x="{x}" y="{high + 14:.0f}" text-anchor="middle">{value:g}</text>')
    for value in nice(bottom, top):
        ((_, y),) = to([(left, value)])
        words.append(f'<text x="-5" y="{y + 4}" text-anchor="end">{value:g}</text>')
    stars = "".join(f'<polygon transform="translate({x},{y})" points="{STAR}"/>' for x, y in to(surface.minima))
    return (
        f'{image}<g fill="none" stroke="{INK}" stroke-opacity=".4" stroke-width=".7">{lines}</g>'
        f'<g font-size="10.5" opacity=".75">{"".join(words)}</g>'
        f'<g fill="#ffe680" stroke="{INK}" stroke-width=".8">{stars}</g>'
    )


def pixels(land) -> Any:
    """From places on the ground to places on the map, to a tenth of a pixel."""
    left, right, bottom, top = land.window
    across, down = WIDE / (right - left), WIDE * land.shape / (top - bottom)

    def to(places) -> list[tuple[float, float]]:
        found = (((x - left) * across, (top - y) * down) for x, y in places)
        return [near(x, y) for x, y in found]

    return to


def near(x: float, y: float, most: float = 1e6) -> tuple[float, float]:
    """A place rounded; one beyond what SVG takes is brought nearer in its direction."""
    far = max(abs(x), abs(y), most) / most
    return round(x / far, 1), round(y / far, 1)


def polyline(points: Sequence[tuple[float, float]], most: float = 1.6) -> str:
    """A line through the points; those nearer than `most` pixels to the last one drawn are left out."""
    kept = [points[0]]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) > most:
            kept.append(point)
    return f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in kept)}"/>'


def terrain_jpeg(land) -> str:
    """The shaded terrain as the address of an image."""
    from PIL import Image

    colours = (shaded(land)[::-1, :, :3] * 255).round().astype("uint8")
    image = Image.fromarray(colours).resize((WIDE * 3 // 4, max(1, round(WIDE * 0.75 * land.shape))))
    file = io.BytesIO()
    image.save(file, format="jpeg", quality=65, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def contours(land) -> list[Any]:
    """Contour lines as arrays of places."""
    from contourpy import contour_generator

    step = max(1, len(land.x) // 45)
    found = contour_generator(land.x[::step], land.y[::step], land.height[::step, ::step])
    return [line for level in land.levels for line in found.lines(level)]


def nice(low: float, high: float) -> list[float]:
    """About five round numbers between two."""
    rough = (high - low) / 5
    ten = 10 ** math.floor(math.log10(rough))
    step = next(k * ten for k in (1, 2, 5, 10) if k * ten >= rough)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def scene(walks: Mapping[str, Any], step: int | None = None, arrows: bool = False, beside: bool = True) -> str:
    """The map of a surface with the optimizers' ways up to a step (all of them without one), and where each stands.

    >>> svg = scene(traces({"SGD": optimizer("SGD", 0.3)}, "ravine"), step=40, arrows=True)

    With `arrows`, the step that comes next is drawn in its three parts: gradient, momentum, own scales. `beside` puts the
    legend with the losses to the right of the map.
    """
    first = next(iter(walks.values()))
    land = ground_of(first.surface)
    high, to = round(WIDE * land.shape), pixels(land)
    ways, marks, lines = [], [], []
    for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
        n = walk.steps if step is None else min(max(0, step), walk.steps)
        lost = walk.diverged is not None and n == walk.steps
        places = walk.position[: n + 1].tolist()
        line = polyline(to(places))
        ways.append(f'<g stroke="white" stroke-opacity=".85" stroke-width="3.6">{line}</g>')
        ways.append(f'<g stroke="{colour}" stroke-width="1.8">{line}</g>')
        ways.append(next_step(to, walk, n) if arrows and n < walk.steps else "")
        marks.append(mark(to, places, colour, lost, land.window))
        said = tr(f"✕ 第 {walk.diverged} 步", f"✕ step {walk.diverged}") if lost else number(float(walk.loss[n]))
        lines.append(legend_line(len(lines), f'stroke="{colour}" stroke-width="3"', name, said))
    if arrows:
        lines += parts_legend(len(lines) + 1)
    (x, y), *_ = to([first.position[0].tolist()])
    marks.append(f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="white" stroke="{INK}" stroke-width="1.6"/>')
    title = first.surface.title + ("" if step is None else tr(f"，第 {step} 步", f", step {step}"))
    body = (
        f'{backdrop(first.surface)}<svg style="width:{WIDE}px;height:{high}px;overflow:hidden" fill="none" '
        f'stroke-linejoin="round">{"".join(ways)}</svg>{"".join(marks)}'
    )
    if not beside:
        return framed(body, title, TOP + high + BELOW, LEFT + WIDE + 8)
    body += f'<g transform="translate({WIDE + 14},0)" font-size="12">{"".join(lines)}</g>'
    return framed(body, title, TOP + max(high, 21 * len(lines) + 30) + BELOW, LEFT + WIDE + SIDE, tr("损失", "loss"))


def framed(body: str, title: str, high: int, wide: int, column: str = "") -> str:
    """The whole picture: title, and the name of the right column, around what stands on the map and beside it.

    The size of its letters is its own, whatever the page says of text in pictures.
    """
    return (
        f'<svg class="labkit-scene" viewBox="0 0 {wide} {high}" role="img" aria-label="{escape(title)}" '
        f'style="width:100%;max-width:{wide * 760 // 650}px;height:auto" font-family="sans-serif" fill="currentColor">'
        "<style>.labkit-scene text{font-size:inherit!important}</style>"
        f'<g font-size="13"><text x="{LEFT}" y="14">{escape(title)}</text></g>'
        f'<g font-size="11" opacity=".75"><text x="{wide - 2}" y="14" text-anchor="end">{column}</text></g>'
        f'<g transform="translate({LEFT},{TOP})">{body}</g></svg>'
    )


def mark(to, places, colour: str, lost: bool, window) -> str:
    """A dot where the walker stands, a cross where it left the map for good; nothing while it is away."""
    out = edge(places, window)
    (x, y), *_ = to([out or places[-1]])
    if out and lost:
        cross = "M-5,-5L5,5M-5,5L5,-5"
        both = (
            f'<path d="{cross}" stroke="white" stroke-width="6"/><path d="{cross}" stroke="{colour}" stroke-width="3"/>'
        )
        return f'<g transform="translate({x:g},{y:g})" stroke-linecap="round">{both}</g>'
    return "" if out else f'<circle cx="{x:g}" cy="{y:g}" r="4.5" fill="{colour}" stroke="white" stroke-width="1.2"/>'


def next_step(to, walk, n: int) -> str:
    """The three parts of the step after place n, one on another, as strokes with a knob at the tip."""
    tail, drawn = walk.position[n], []
    for name, colour, style in PARTS:
        tip = tail + walk.parts[name][n]
        (x, y), (u, v) = to([tail.tolist(), tip.tolist()])
        if math.hypot(u - x, v - y) > 2:
            drawn.append(f'<line x1="{x:g}" y1="{y:g}" x2="{u:g}" y2="{v:g}" {stroke(colour, style)}/>')
            drawn.append(f'<circle cx="{u:g}" cy="{v:g}" r="2.6" fill="{colour}"/>')
        tail = tip
    return "".join(drawn)


def stroke(colour: str, style: str) -> str:
    dashes = {"-": "none", "--": "6 3", ":": "2 2.5"}[style]
    return f'stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dashes}"'


def legend_line(row: int, look: str, name: str, said: str) -> str:
    y = 12 + 21 * row
    end = f'<text x="{SIDE - 16}" y="{y + 4}" text-anchor="end" opacity=".75">{said}</text>' if said else ""
    return f'<line x1="0" x2="18" y1="{y}" y2="{y}" {look}/><text x="24" y="{y + 4}">{escape(name)}</text>{end}'


def parts_legend(row: int) -> list[str]:
    """What the strokes of the next step are."""
    looks = (stroke("currentColor" if name == "gradient" else colour, style) for name, colour, style in PARTS)
    return [
        legend_line(row + i, look, word, "") for i, (word, look) in enumerate(zip(parts_words(), looks, strict=True))
    ]


def parts_words() -> tuple[str, str, str]:
    """The three parts of a step in words."""
    return (
        tr("下一步：梯度", "next step: gradient"),
        tr("动量加上的", "momentum adds"),
        tr("各自步幅改变的", "own scales change"),
    )
