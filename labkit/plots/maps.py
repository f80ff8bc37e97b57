"""What each place of a picture or each moment of a clip adds to an answer, as a figure."""

from collections.abc import Sequence
from typing import Any

from labkit.base.display import COLOURS
from labkit.base.language import tr
from labkit.inspection.dense import Map
from labkit.inspection.hiding import mark
from labkit.plots.look import drawn, figure, short


@drawn
def maps(found: Sequence[Map] | Map, names: Sequence[str] = ()) -> Any:
    """Maps side by side, on one scale of colour: blue speaks for the label, red against it.

    >>> maps(lk.attribute(lk.load("tiny-commands"), [lk.commands().test[0].input]))
    <...>
    """
    from matplotlib.colors import LinearSegmentedColormap

    found = list(found) if isinstance(found, (list, tuple)) else [found]
    colours = LinearSegmentedColormap.from_list("for and against", [COLOURS[1], "#ffffff", COLOURS[0]])
    pictures = [one.scores.reshape(-1, *one.scores.shape[-2:]).sum(0) for one in found]
    top = max(float(abs(p).max()) for p in pictures) or 1.0
    fig, every = figure(max(5.0, 4.4 * len(found)), 2.7, columns=len(found))
    for axes, one, picture, name in zip(
        [every] if len(found) == 1 else every, found, pictures, [*names, *[""] * len(found)], strict=False
    ):
        heard = one.step < 1  # time goes across; else rows of a picture go down
        wide = picture.shape[1] * (one.step if heard else 1)
        look = {"origin": "lower", "aspect": "auto", "extent": (0, wide, 0, len(picture))} if heard else {}
        shown = axes.imshow(picture, cmap=colours, vmin=-top, vmax=top, **look)
        answer = f"p({short(one.label)}) = {one.probabilities[one.label]:.3f}"
        axes.set_title("\n".join(filter(None, [f"{name}{tr('：', ': ') if name else ''}{answer}", mark(one.truthful)])))
        axes.grid(False)
        if heard:
            axes.set(xlabel=tr("秒", "seconds"), ylabel=tr("频带", "band"))
        fig.colorbar(shown, ax=axes, label=tr("对数几率（nat）", "log-odds (nats)"))
    return fig
