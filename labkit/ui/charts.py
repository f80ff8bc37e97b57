"""Charts as panels show them: title, key and live SVG side by side; and series that stay short however long a run is."""

from collections.abc import Sequence
from html import escape

from labkit.base.language import tr
from labkit.base.records import EpochDone, Measure, StepDone
from labkit.plots.charts import Chart, Drawing
from labkit.plots.learning import Curves, learning_charts, running_mean


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


class Recording:
    """What a run has said so far: losses of steps (tensors until they are drawn: on a GPU, asking for a number waits), and
    scores of epochs by the metric of that name."""

    def __init__(self, metric: str):
        self.metric, self.score = metric, None  # of the last epoch, with its interval
        self.pending: list[StepDone] = []
        self.loss, self.valid, self.scores = Thinned(), Thinned(40), Thinned(40)

    def take(self, event) -> None:
        if isinstance(event, StepDone):
            self.pending.append(event)
        elif isinstance(event, EpochDone):
            self.valid.add(event.epoch.steps, event.epoch.valid_loss)
            self.scores.add(event.epoch.steps, event.epoch.valid[self.metric])
            self.score = event.scores and event.scores.metrics[self.metric]

    def losses(self) -> list[tuple[float, float]]:
        """The losses of single steps, as far as they are kept."""
        for event in self.pending:
            self.loss.add(event.step, event.loss)
        self.pending.clear()
        return self.loss.points()

    def curves(self, test: Measure | None = None, **look) -> Curves:
        """Losses smoothed over a twentieth of the steps, and scores; `look` is a name, colours, whether they are pale."""
        points = self.losses()
        means = running_mean([y for _, y in points], max(1, len(points) // 20))
        smooth = [(x, y) for (x, _), y in zip(points, means, strict=True)]
        return Curves(smooth, self.valid.points(), self.scores.points(), test, self.score, **look)


def recorded_charts(curves: Sequence[Curves], recording: Recording, steps: int) -> list[Chart]:
    """Loss and score by step; the single losses are those of the recording."""
    across = {"raw": recording.losses(), "x_range": (0, max(steps, 1))}
    return learning_charts(curves, recording.metric, tr("步", "step"), **across)


def key(colour: str, text: str, look: str = "bold") -> str:
    """An entry of a legend; `look` is "thin", "bold", "dashed" or "band", as charts have them, or "filled"."""
    return f'<span class="labkit-key"><i class="{look}" style="border-color:{colour}"></i>{escape(text)}</span>'


def chart_html(chart: Drawing, keys: str = "") -> str:
    """A chart with its title, its note and perhaps its key."""
    note = f'<span class="labkit-key labkit-muted">{escape(chart.note)}</span>' if chart.note else ""
    return f"<figure><figcaption>{escape(chart.title)} {note}{keys}</figcaption>{chart.svg()}</figure>"


def charts_html(charts: Sequence[Drawing]) -> str:
    """Charts side by side, as far as there is room; their keys in one line above, so that the charts stand level."""
    entries = dict.fromkeys(entry for chart in charts for entry in chart.key())
    keys = "".join(key(colour, text, look) for text, colour, look in entries)
    if len(charts) == 1:
        wide = " labkit-wide" if charts[0].wide else ""
        return f'<div class="labkit-charts{wide}">{chart_html(charts[0], keys)}</div>'
    row = f'<div class="labkit-keys">{keys}</div>' if keys else ""
    return f'{row}<div class="labkit-charts">{"".join(map(chart_html, charts))}</div>'
