"""Data in, matplotlib Figure out; nothing is shown, saved or printed. Chinese works everywhere: the font is packaged.

The only door to matplotlib.
"""

from labkit.plots.comparing import runs
from labkit.plots.learning import bars, confusion, curves, lengths, run_names, running_mean, steps
from labkit.plots.look import COLOURS, FONT, MARKERS, display_width, figure, glyphs, printable
from labkit.plots.networks import anatomy

__all__ = [
    "COLOURS",
    "FONT",
    "MARKERS",
    "anatomy",
    "bars",
    "confusion",
    "curves",
    "display_width",
    "figure",
    "glyphs",
    "lengths",
    "printable",
    "run_names",
    "running_mean",
    "runs",
    "steps",
]
