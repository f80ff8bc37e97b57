"""Data in, matplotlib Figure out; nothing is shown, saved or printed. Chinese works everywhere: the font is packaged.

The only door to matplotlib. Colours are Paul Tol's bright scheme, safe for colour-blind readers.
"""

import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.records import BadInput, Run, Scores, summarise
from labkit.text import tr

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888")
MARKERS = "os^Dv"  # the eighth line has the first colour and the second marker
FONT = Path(__file__).parent / "assets" / "fonts" / "LabkitSans-Regular.otf"
FAMILIES = ["Labkit Sans", "DejaVu Sans"]  # the second is matplotlib's own
LOOK = {
    "font.family": FAMILIES,
    "text.parse_math": False,  # a label may hold dollar signs
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.dpi": 90,
}


def drawn(draw: Callable) -> Callable:
    """Decorator of every figure: labkit's look whatever the caller's matplotlib settings are, and only glyphs that exist."""

    @functools.wraps(draw)
    def call(*args, **kwargs):
        import matplotlib
        from matplotlib.text import Text

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(LOOK)
            fig = draw(*args, **kwargs)
            for text in fig.findobj(Text):
                text.set_text(printable(text.get_text()))
        return fig

    return call


@functools.cache
def picture() -> type:
    """A Figure that notebooks show without pyplot, and whose later texts (a legend, a note) have the packaged font too."""
    import io

    from matplotlib.figure import Figure
    from matplotlib.text import Text

    class Picture(Figure):
        def draw(self, renderer):
            for text in self.findobj(Text):
                text.set_fontfamily(FAMILIES)
                text.set_text(printable(text.get_text()))
            super().draw(renderer)

        def _repr_png_(self):
            from PIL import Image

            sharp, small = io.BytesIO(), io.BytesIO()
            self.savefig(sharp, format="png", dpi=2 * self.dpi)
            image = Image.open(sharp).convert("RGB")
            image.quantize(64, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
            return small.getvalue(), {"width": image.width // 2, "height": image.height // 2}

    return Picture


def figure(width: float = 6.4, height: float = 3.6, columns: int = 1) -> tuple[Any, Any]:
    """A Figure and its axes (an array where there are several columns), in labkit's look; notebooks draw on it too.

    >>> fig, axes = figure(); axes.plot([3, 1, 2]); fig
    """
    import matplotlib
    from matplotlib.font_manager import fontManager

    if not any(f.fname == str(FONT) for f in fontManager.ttflist):
        fontManager.addfont(FONT)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        fig = picture()(figsize=(width, height), layout="constrained", dpi=90)
        axes = fig.subplots(1, columns)
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    for one in axes if columns > 1 else [axes]:
        one.tick_params(labelfontfamily=FAMILIES, labelsize=9)
    return fig, axes


@functools.cache
def glyphs() -> frozenset[int]:
    """The characters that the packaged font and matplotlib's own can show."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset().union(*(FT2Font(path).get_charmap() for path in (str(FONT), findfont("DejaVu Sans"))))


def printable(text: str) -> str:
    """The text with a box for each character that no font here can show: drawing it would warn, and show a box too.

    >>> printable("好评🍜")
    '好评□'
    """
    if all(c == "\n" or ord(c) in glyphs() for c in text):
        return text
    kept = (c for c in text if c == "\n" or unicodedata.category(c) not in ("Mn", "Cf", "Cc"))
    return "".join(c if c == "\n" or ord(c) in glyphs() else "□" for c in kept)


def short(name: str, most: int = 18) -> str:
    """A name that leaves room for the figure, and holds only what can be shown: ticks are written anew when drawn."""
    return printable(name if len(name) <= most else name[: most - 1] + "…")


def looks() -> Iterator[dict]:
    """Colour and marker for one line after another, no two alike for the first 35."""
    return itertools.cycle({"color": colour, "marker": marker} for marker in MARKERS for colour in COLOURS)


def whole_numbers(axes) -> None:
    """Ticks of the horizontal axis at whole numbers only, a single point in its middle."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True, min_n_ticks=1))
    low, high = axes.get_xlim()
    if high - low < 1:
        middle = round((low + high) / 2)
        axes.set_xlim(middle - 0.5, middle + 0.5)


def legend(fig, axes, entries: int) -> None:
    """Inside where it is short, beside the axes where it would cover the lines."""
    if entries > 5:
        fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    elif entries:
        axes.legend()


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its strategy, and the settings in which runs of that strategy differ; seeds share a name.

    >>> run_names([run_a, run_b])                            # two full runs that differ in their rate
    ['full, lr=0.001', 'full, lr=0.0001']
    """
    settings = [{**run.config, **run.settings} for run in runs]
    names = []
    for run, mine in zip(runs, settings, strict=True):
        same = [s for r, s in zip(runs, settings, strict=True) if r.strategy == run.strategy]
        differ = [k for k in mine if k != "seed" and any(s.get(k) != mine[k] for s in same)]
        names.append(", ".join([run.strategy, *(f"{k}={mine[k]}" for k in differ)]))
    return names


@drawn
def curves(*runs: Run) -> Any:
    """Loss and validation accuracy by epoch, one colour a strategy and a line a seed: dashed while training, solid on
    validation rows."""
    names = run_names(runs)
    look_of = dict(zip(dict.fromkeys(names), looks(), strict=False))
    fig, (left, right) = figure(8.4 if len(look_of) <= 5 else 9.6, 3.4, columns=2)
    labelled = set()
    for run, name in zip(runs, names, strict=True):
        epochs = [e.epoch for e in run.history]
        look = {**look_of[name], "ms": 4}
        left.plot(epochs, [e.train_loss for e in run.history], "--", alpha=0.6, color=look["color"])
        left.plot(epochs, [e.valid_loss for e in run.history], **look)
        label = None if name in labelled else name
        right.plot(epochs, [e.valid_accuracy for e in run.history], label=label, **look)
        labelled.add(name)
    left.set(
        title=tr("损失（虚线：训练，实线：验证）", "Loss (dashed: training, solid: validation)"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    right.set(title=tr("验证准确率", "Validation accuracy"), ylabel=tr("准确率", "accuracy"))
    for axes in (left, right):
        axes.set_xlabel(tr("轮次", "epoch"))
        whole_numbers(axes)
    legend(fig, right, len(look_of))
    return fig


@drawn
def steps(*series: tuple[str, Sequence[float]]) -> Any:
    """Loss against step for one or more named series, each with its running mean over a twentieth of the steps."""
    fig, axes = figure()
    for (name, losses), colour in zip(series, itertools.cycle(COLOURS), strict=False):
        axes.plot(range(1, len(losses) + 1), losses, color=colour, alpha=0.25, lw=0.8)
        width = max(1, len(losses) // 20)
        axes.plot(range(1, len(losses) + 1), running_mean(losses, width), color=colour, lw=1.8, label=name)
    axes.set(
        title=tr("训练损失", "Training loss"),
        xlabel=tr("步", "step"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    whole_numbers(axes)
    legend(fig, axes, len(series))
    return fig


def running_mean(values: Sequence[float], width: int) -> list[float]:
    """Means over the last `width` values, over fewer at the start.

    >>> running_mean([1, 3, 5], 2)
    [1.0, 2.0, 4.0]
    """
    windows = [values[max(0, i - width + 1) : i + 1] for i in range(len(values))]
    return [sum(w) / len(w) for w in windows]


@drawn
def confusion(scores: Scores) -> Any:
    """The confusion matrix: rows are the truth, columns what the model said, shares by row as colour, counts as text."""
    names = [short(c.label) for c in scores.classes]
    wordy, many = max(map(display_width, names)) > 6 and len(names) > 2, len(names) > 8
    size = 2.4 + (0.42 if many else 0.55) * len(names)
    fig, axes = figure(size + 1.2, size)
    shares = [[n / max(sum(row), 1) for n in row] for row in scores.confusion]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(scores.confusion):
        for j, n in enumerate(row):
            colour = "white" if shares[i][j] > 0.55 else "#222222"
            axes.text(j, i, f"{n}", ha="center", va="center", color=colour, fontsize=8 if many else 10)
    axes.set(title=tr("混淆矩阵", "Confusion matrix"), xlabel=tr("模型说", "model says"), ylabel=tr("实际是", "truth"))
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if wordy else {}
    axes.set_xticks(range(len(names)), names, **slant)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    bar = fig.colorbar(image, ax=axes, label=tr("占该行的比例", "share of the row"), shrink=0.85)
    bar.ax.tick_params(labelfontfamily=FAMILIES, labelsize=9)
    bar.outline.set_visible(False)
    return fig


def display_width(text: str) -> int:
    """Columns that a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@drawn
def lengths(corpus, bins: int = 40) -> Any:
    """Histogram of the training rows' text lengths in characters, a colour for each class."""
    if not corpus.train or not hasattr(corpus.train[0], "text"):
        raise BadInput(tr("plots.lengths 需要有文本的训练行。", "plots.lengths needs training rows with texts."))
    fig, axes = figure()
    longest = sorted(len(r.text) for r in corpus.train)[int(0.99 * (len(corpus.train) - 1))]
    groups = [[min(len(r.text), longest) for r in corpus.train if r.label == i] for i in range(len(corpus.labels))]
    colours = list(itertools.islice(itertools.cycle(COLOURS), len(groups)))
    step = max(1, -(-(longest + 1) // bins))  # whole characters: bars of unequal width of content make a comb
    edges = [step * i - 0.5 for i in range(longest // step + 2)]
    axes.hist(groups, bins=edges, stacked=True, color=colours, label=[short(x) for x in corpus.labels])
    axes.set(
        title=tr("文本长度（最长的 1 % 并入最后一格）", "Text length (the longest 1 % in the last bar)"),
        xlabel=tr("字数", "characters"),
        ylabel=tr("行数", "rows"),
    )
    legend(fig, axes, len(groups))
    return fig


@drawn
def bars(values: dict[str, float], title: str, unit: str) -> Any:
    """Named amounts as horizontal bars, each with its number."""
    fig, axes = figure(6.4, 1.1 + 0.4 * len(values))
    names = list(values)[::-1]
    drawn_bars = axes.barh(range(len(names)), [values[n] for n in names], color=COLOURS[0], height=0.6)
    axes.set_yticks(range(len(names)), [short(n, 32) for n in names])
    axes.bar_label(drawn_bars, [number(values[n]) for n in names], padding=4, fontsize=9)
    axes.set(title=title, xlabel=unit)
    axes.margins(x=0.15)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    return fig


def number(value: float) -> str:
    """Three digits that matter, never an exponent: 1725.3 is "1,725", 0.08512 is "0.0851"."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@drawn
def runs(found: Sequence[Run], baseline: Run | None = None) -> Any:
    """Test accuracy with its 95 % interval against seconds of training, a point a strategy (mean over seeds)."""
    lines = summarise(found)
    fig, axes = figure(6.4 if len(lines) <= 4 else 7.4, 4.0)
    for row, look in zip(lines, looks(), strict=False):
        span = [[row.accuracy - row.low], [row.high - row.accuracy]]
        axes.errorbar(row.seconds, row.accuracy, yerr=span, ls="none", capsize=3, label=row.strategy, **look)
    if baseline is not None:
        axes.axhline(baseline.test_accuracy, color="#888888", ls=":", label=baseline.strategy)
    axes.set(
        title=tr("测试准确率与训练时间", "Test accuracy against training time"),
        xlabel=tr("训练时间（秒）", "training time (s)"),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig
