"""Data in, matplotlib Figure out; nothing is shown, saved or printed. Chinese works everywhere: the font is packaged.

The only door to matplotlib.
"""

from labkit.plots.architecture import additions, network
from labkit.plots.attributions import attribution
from labkit.plots.charts import Band, Bars, Chart, Histogram, Line, figure_of
from labkit.plots.comparing import forest, grid, pareto, runs, verdicts
from labkit.plots.compressing import compressed
from labkit.plots.conversations import conversations
from labkit.plots.deletions import deletions
from labkit.plots.drifting import drift
from labkit.plots.inspecting import anatomy, diagnosis, forgetting, rates
from labkit.plots.landscapes import mountain, one_step, slice_map, step_sizes, walk_losses, walk_map
from labkit.plots.learning import bars, confusion, curves, lengths, run_names, running_mean, steps
from labkit.plots.listening import alignment
from labkit.plots.look import COLOURS, FONT, MARKERS, class_words, drawn, figure, glyphs, printable
from labkit.plots.maps import maps
from labkit.plots.pictures import pictures
from labkit.plots.scene import scene
from labkit.plots.searching import importance, parallel, trials

__all__ = [
    "COLOURS",
    "FONT",
    "MARKERS",
    "Band",
    "Bars",
    "Chart",
    "Histogram",
    "Line",
    "additions",
    "alignment",
    "anatomy",
    "attribution",
    "bars",
    "class_words",
    "compressed",
    "confusion",
    "conversations",
    "curves",
    "deletions",
    "diagnosis",
    "drawn",
    "drift",
    "figure",
    "figure_of",
    "forest",
    "forgetting",
    "glyphs",
    "grid",
    "importance",
    "lengths",
    "maps",
    "mountain",
    "network",
    "one_step",
    "parallel",
    "pareto",
    "pictures",
    "printable",
    "rates",
    "run_names",
    "running_mean",
    "runs",
    "scene",
    "slice_map",
    "step_sizes",
    "steps",
    "trials",
    "verdicts",
    "walk_losses",
    "walk_map",
]
