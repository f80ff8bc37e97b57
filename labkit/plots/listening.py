"""A clip, and which stretch of it a model hears each token in."""

from typing import Any

from labkit.base.language import tr
from labkit.plots.look import COLOURS, drawn, figure, printable


@drawn
def alignment(found, title: str | None = None) -> Any:
    """A row for each token, dark where it is heard; the clip itself lies below, on the same time.

    >>> english = lk.phrases(language="en")
    >>> found = lk.alignment(lk.load("tiny-speech", task=english.task), english.test[0].input)
    >>> fig = lk.plots.alignment(found)
    """
    import numpy as np

    rows = len(found.tokens)
    fig, axes = figure(7.0, 1.9 + 0.24 * max(rows, 4))
    seconds = len(found.samples) / found.rate
    room = max(1.5, 0.3 * rows)  # of the clip, in rows
    axes.imshow(
        found.weights,
        aspect="auto",
        cmap="Blues",
        vmin=0,
        extent=(0, found.weights.shape[1] * found.step, rows - 0.5, -0.5),
        interpolation="nearest",
    )
    peaks = [(i + 0.5) * found.step for i in found.weights.argmax(1)]
    axes.plot(peaks, range(rows), "o", color=COLOURS[1], markersize=4)
    high = np.abs(found.samples).max() or 1.0
    stride = max(1, len(found.samples) // 2000)
    times = np.arange(0, len(found.samples), stride) / found.rate
    axes.plot(
        times, rows - 0.5 + room * (1 - 0.9 * found.samples[::stride] / high) / 2 + 0.1, color="#888888", linewidth=0.6
    )
    axes.set(xlim=(0, seconds), ylim=(rows - 0.3 + room, -0.5), xlabel=tr("秒", "seconds"))
    axes.set_yticks(range(rows), [printable(token if token.strip() else "␣") for token in found.tokens])
    axes.grid(False)
    axes.set_title(title or tr("每个字是在哪里听见的", "Where each token is heard"))
    return fig
