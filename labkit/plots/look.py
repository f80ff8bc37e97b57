"""labkit's look: one font that has Chinese, colours safe for colour-blind readers, and a Figure that needs no pyplot.

Every figure function is decorated with `drawn` and starts from `figure()`.
"""

import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labkit.base.display import COLOURS, GREY, clipped
from labkit.base.language import tr

MARKERS = "os^Dv"  # the eighth line has the first colour and the second marker
FONT = Path(__file__).parents[1] / "assets" / "fonts" / "LabkitSans-Regular.otf"
FAMILIES = ["Labkit Sans", "DejaVu Sans"]  # the second is matplotlib's own
LOOK = {
    "font.family": FAMILIES,
    "text.parse_math": False,  # a label may hold dollar signs
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
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
        colours = 64  # of the palette in a notebook; pictures of terrain ask for more
        sharpness = 1.6  # pixels of the image to a pixel of the page: crisp on a fine screen, and small in the file

        def draw(self, renderer):
            for text in self.findobj(Text):
                text.set_fontfamily(FAMILIES)
                text.set_text(printable(text.get_text()))
            super().draw(renderer)

        def _repr_png_(self):
            from PIL import Image

            sharp, small = io.BytesIO(), io.BytesIO()
            self.savefig(sharp, format="png", dpi=self.sharpness * self.dpi)
            image = Image.open(sharp).convert("RGB")
            few = {} if self.colours == 64 else {"method": Image.Quantize.MAXCOVERAGE}  # keeps thin lines' colours
            image = image.quantize(self.colours, dither=Image.Dither.NONE, **few)
            image.save(small, format="png", optimize=True)
            return small.getvalue(), {
                name: round(getattr(image, name) / self.sharpness) for name in ("width", "height")
            }

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
        one.set_prop_cycle(color=COLOURS)  # what a notebook draws later has labkit's look too
        one.set_title = functools.partial(one.set_title, loc="left", fontsize=LOOK["axes.titlesize"])
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
    return printable(clipped(name, most))


def class_words(label: str) -> str:
    """A class's name as a reader sees it: the packaged reviews' two in the language in force, any other as it is.

    >>> class_words("书")
    '书'
    """
    return tr({"negative": "负面", "positive": "正面"}.get(label, label), label)


def sentence(text: str) -> str:
    """A title begins with a capital letter."""
    return text[:1].upper() + text[1:]


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


def legend(fig, axes, entries: int, title: str | None = None) -> None:
    """Inside where it is short, beside the axes where it would cover the lines."""
    if entries > 5:
        fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper", title=title)
    elif entries:
        axes.legend(title=title)


def number(value: float) -> str:
    """Three digits that matter, never an exponent: 1725.3 is "1,725", 0.08512 is "0.0851"."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
