"""Names beside the points of a figure, each where it covers least."""

from collections.abc import Sequence
from typing import Any

from labkit.plots.look import GREY

SIDES = [(8, 5, "left"), (-8, 5, "right"), (8, -13, "left"), (-8, -13, "right"), (0, 12, "center"), (0, -20, "center")]
SIDES += [(x * k, y * k, side) for k in (2.2, 3.4) for x, y, side in SIDES]  # of a point, in points


def place_labels(fig, axes, names: Sequence[tuple[float, float, str]], covered: Sequence = ()) -> None:
    """A name at each point (x, y), where it hides neither a point, a name, nor one of the `covered` places (x, y); with a
    thin line to the point where it is far."""
    fig.draw_without_rendering()  # settles where the points are
    spots = [axes.transData.transform(place) for place in [(x, y) for x, y, _ in names] + list(covered)]
    inside, taken = axes.get_window_extent(), [around(x, y, 5) for x, y in spots]
    for x, y, name in sorted(names, key=lambda one: -one[1]):
        best = None
        for dx, dy, side in SIDES:
            text = annotated(axes, name, (x, y), (dx, dy), side)
            box = text.get_window_extent()
            cut = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
            cost = sum(box.overlaps(other) for other in taken) + 9 * cut
            if best is None or cost < best[0]:
                if best:
                    best[1].remove()
                best = (cost, text, box)
            else:
                text.remove()
            if cost == 0:
                break
        taken.append(best[2])


def annotated(axes, name: str, place: tuple[float, float], offset: tuple[float, float], side: str) -> Any:
    far = abs(offset[0]) > 15 or abs(offset[1]) > 15
    arrow = {"arrowstyle": "-", "color": GREY, "lw": 0.6} if far else None
    look = {"textcoords": "offset points", "ha": side, "fontsize": 9, "arrowprops": arrow}
    text = axes.annotate(name, place, offset, **look)
    text.set_path_effects(halo())
    return text


def halo() -> list:
    """A white rim: letters stay readable on lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def around(x: float, y: float, half: float) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox([[x - half, y - half], [x + half, y + half]])
