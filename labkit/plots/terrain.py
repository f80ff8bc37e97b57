"""Heights as terrain: how a loss becomes a height, a colour and a contour line, for figures and for SVG alike.

Heights are drawn on a logarithmic scale from the lowest point, so that valley floors show; contour lines say the true
loss. Colours grow lighter with height, so that they hold for colour-blind readers.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

LAND = ("#5b8c97", "#86b0a6", "#b9cda9", "#e3dfb8", "#f2e6cf", "#f8f1e4")  # from the valley to the snow
LINES = 12  # contour lines


@dataclass(frozen=True, eq=False)
class Ground:
    """Heights over a grid, ready to be drawn."""

    x: Any
    y: Any
    z: Any  # true heights
    low: float
    scale: float

    @property
    def height(self) -> Any:
        """What is drawn: log(1 + (z - low) / scale)."""
        import numpy

        return numpy.log1p((self.z - self.low) / self.scale)

    @property
    def levels(self) -> Any:
        """Evenly spaced drawn heights for contour lines."""
        import numpy

        return numpy.linspace(0, numpy.nanmax(self.height), LINES + 2)[1:-1]

    def true(self, height: float) -> float:
        """The loss at a drawn height."""
        return self.low + self.scale * math.expm1(height)

    def drawn(self, z: Any) -> Any:
        """The drawn height of a loss; no deeper than the valley, no higher than the highest peak."""
        import numpy

        top = numpy.nanmax(self.z)
        return numpy.log1p((numpy.clip(numpy.nan_to_num(z, nan=top), self.low, top) - self.low) / self.scale)

    @property
    def window(self) -> tuple[float, float, float, float]:
        return float(self.x[0]), float(self.x[-1]), float(self.y[0]), float(self.y[-1])

    @property
    def shape(self) -> float:
        """Height of the picture over its width; the same scale on both axes where that is not too narrow."""
        left, right, bottom, top = self.window
        return min(1.25, max(0.45, (top - bottom) / (right - left)))


def ground(x, y, z) -> Ground:
    """>>> land = ground(*surfaces()["ravine"].heights())"""
    import numpy

    z = numpy.where(numpy.isfinite(z), z, numpy.nan).astype(float)
    low = float(numpy.nanmin(z))
    scale = float(numpy.nanquantile(z - low, 0.3)) or float(numpy.nanmax(z - low)) or 1.0
    return Ground(x, y, z, low, scale)


@functools.lru_cache(maxsize=32)
def ground_of(surface, n: int = 181) -> Ground:
    return ground(*surface.heights(n))


def shaded(ground: Ground) -> Any:
    """The terrain as colours (rows, columns, 4), from the bottom up: light falls from the upper left."""
    import numpy
    from matplotlib.colors import LinearSegmentedColormap

    height = ground.height / max(numpy.nanmax(ground.height), 1e-12)
    rgba = LinearSegmentedColormap.from_list("land", LAND)(numpy.nan_to_num(height))
    filled = numpy.where(numpy.isnan(height), numpy.nanmean(height), height)
    up, across = numpy.gradient(filled, 1 / len(ground.y), 1 / len(ground.x))
    light = (across - up) / numpy.sqrt(across**2 + up**2 + 4)
    rgba[..., :3] = numpy.clip(rgba[..., :3] * (1 + 0.1 * light[..., None]), 0, 1)
    rgba[..., 3] = numpy.where(numpy.isnan(height), 0.0, 1.0)
    return rgba


def bands(ground: Ground) -> tuple[list[float], Any]:
    """The terrain as a printed map has it: the drawn heights between which a colour holds, and the colours. Flat colours
    make a picture a third as large as shades do."""
    import numpy
    from matplotlib.colors import LinearSegmentedColormap

    top = float(numpy.nanmax(ground.height))
    edges = [-1e-9, *map(float, ground.levels), top + 1e-9]
    middles = [(a + b) / 2 / top for a, b in itertools.pairwise(edges)]
    return edges, LinearSegmentedColormap.from_list("land", LAND)(middles)


def edge(places, window) -> tuple[float, float] | None:
    """Where a path leaves the window for the last time; None where it ends inside."""
    left, right, bottom, top = window
    inside = [left <= x <= right and bottom <= y <= top for x, y in places]
    if inside[-1] or not any(inside):
        return None
    k = len(inside) - inside[::-1].index(True)
    (x, y), (u, v) = places[k - 1], places[k]
    shares = [(limit - x) / (u - x) for limit in (left, right) if (u - x) * (limit - x) > 0]
    shares += [(limit - y) / (v - y) for limit in (bottom, top) if (v - y) * (limit - y) > 0]
    share = min([1.0, *shares])
    return float(x + share * (u - x)), float(y + share * (v - y))
