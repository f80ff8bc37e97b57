"""Pictures side by side, in whole pixels: what a corpus holds, or what a network is shown."""

from collections.abc import Sequence
from typing import Any

from labkit.plots.look import drawn, figure, short


@drawn
def pictures(found: Sequence, titles: Sequence[str] = (), columns: int = 8) -> Any:
    """Arrays (height, width) or (height, width, 3) in rows of `columns`, each under its title.

    >>> lk.plots.pictures([example.input for example in lk.doodles().train[:8]])
    """
    rows = -(-len(found) // columns)
    fig, _ = figure(1.0 * columns, (1.22 if titles else 1.02) * rows)
    fig.clear()
    for i, pixels in enumerate(found):
        axes = fig.add_subplot(rows, columns, i + 1)
        grey = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.ndim == 2 else {}
        axes.imshow(pixels, interpolation="nearest", **grey)
        axes.set_axis_off()
        if i < len(titles):
            axes.set_title(short(str(titles[i]), 14), fontsize=8, loc="center")
    return fig
