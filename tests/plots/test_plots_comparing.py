"""Figures of a comparison show the numbers that the table has; nine strategies stay legible."""

import itertools

import pytest
from made_runs import grid, run
from matplotlib.text import Annotation
from test_plots import legend, pixels, texts

from labkit import plots
from labkit.base.records import BadInput
from labkit.comparison.compare import Comparison
from labkit.comparison.summary import summarise
from labkit.comparison.verdict import verdicts
from labkit.plots.comparing import front, runs_chart

NAMES = ("full", "top-2", "head", "gradual", "bitfit", "lora", "prefix", "ptuning-v2", "adapter")


def nine():
    """Nine strategies of which some lie close together."""
    found = []
    for i, (name, seed) in enumerate(itertools.product(NAMES, (0, 1, 2))):
        costs = {
            "seconds": 1 + i // 3 % 4,
            "trainable_parameters": 10 ** (4 + i // 9),
            "peak_memory_mb": 500 + 8 * (i // 3),
        }
        found.append(run(name, range(20 + 6 * (i // 6), 44 + 8 * (i // 6) + seed), seed, **costs))
    return Comparison(found, [run("tf-idf", range(50), trained=False), run("majority", range(90), trained=False)])


FIGURES = {
    "runs": lambda: plots.runs(nine()),
    "pareto seconds": lambda: plots.pareto(nine()),
    "pareto parameters": lambda: plots.pareto(nine(), "parameters"),
    "pareto memory": lambda: plots.pareto(nine(), "memory"),
    "forest": lambda: plots.forest(nine()),
    "forest of F1": lambda: plots.forest(nine(), "macro_f1"),
    "verdicts": lambda: plots.verdicts(verdicts(nine())),
    "grid": lambda: plots.grid(grid(full=(80, 50, 20), head=(50, 40, 40), lora=(60, 45, 19))),
    "grid without a crossing": lambda: plots.grid(grid(full=(40, 20), head=(50, 40))),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_is_drawn_in_both_languages_and_nothing_is_cut_off(name, lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    fig = FIGURES[name]()
    pixels(fig)
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height
    assert any("\u4e00" <= c <= "\u9fff" for c in fig.axes[0].get_title(loc="left")) == (lang == "zh")


@pytest.mark.parametrize("cost", ["seconds", "parameters", "memory"])
def test_the_names_of_nine_strategies_stand_apart(cost):
    fig = plots.pareto(nine(), cost)
    names = [t for t in fig.axes[0].texts if isinstance(t, Annotation)]
    assert sorted(t.get_text() for t in names) == sorted(NAMES)
    fig.draw_without_rendering()
    boxes = [t.get_window_extent() for t in names]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_the_front_is_what_nothing_beats_in_both():
    assert front([(1, 2.0), (2, 3.0), (3, 1.5)], greater=False) == [(1, 2.0), (3, 1.5)]
    assert front([(3, 0.9), (1, 0.7), (2, 0.6), (2, 0.8), (4, 0.9)]) == [(1, 0.7), (2, 0.8), (3, 0.9)]
    line = next(x for x in FIGURES["pareto seconds"]().axes[0].lines if x.get_label() == "Pareto front")
    assert list(line.get_ydata()) == sorted(line.get_ydata())


def test_a_cost_that_is_unknown_or_unmeasured_is_refused():
    with pytest.raises(BadInput, match="seconds, parameters, memory"):
        plots.pareto(nine(), "money")
    with pytest.raises(BadInput, match="hold no memory"):
        plots.pareto([run("full", [])], "memory")


def test_the_forest_is_sorted_and_shows_interval_seeds_and_baselines():
    found = nine()
    axes = plots.forest(found).axes[0]
    lines = sorted(summarise(found), key=lambda line: line.accuracy)
    assert [t.get_text() for t in axes.get_yticklabels()] == [line.strategy for line in lines]
    spans = [c.lines[2][0].get_segments()[0][:, 0] for c in axes.containers]
    assert [list(s) for s in spans] == [pytest.approx([line.low, line.high]) for line in lines]
    assert legend(axes.figure) == ["tf-idf", "majority"]
    assert sum(len(dots.get_offsets()) for dots in axes.collections if len(dots.get_offsets()) == 3) == 27


def test_the_verdicts_are_coloured_where_they_are_more_than_noise():
    found = verdicts([run("full", range(20)), run("head", range(60)), run("other", range(22))])
    axes = plots.verdicts(found).axes[0]
    shades = axes.images[0].get_array()  # full, other, head
    assert (
        shades[0][1].tolist() == [1, 1, 1] and shades[0][2][2] > shades[0][2][0] and shades[2][0][0] > shades[2][0][2]
    )
    assert "+20.0" in texts(axes.figure) and "-20.0" in texts(axes.figure)


def test_the_grid_marks_its_crossings_with_rows_and_says_when_there_is_none():
    fig = FIGURES["grid"]()
    stars = [line for line in fig.axes[0].lines if line.get_marker() == "*" and len(line.get_xdata())]
    assert pytest.approx(stars[0].get_xdata()[0]) == 100 * 2 ** (1 / 3)
    assert stars[0].get_ydata()[0] == pytest.approx(1 - (50 + (20 - 50) / 3) / 200)  # on the curve of full
    assert "head: 126" in texts(fig) and "crosses full (hollow: noise)" in legend(fig)
    assert "no crossing" in legend(FIGURES["grid without a crossing"]())


def test_a_panels_chart_of_runs_holds_the_means_intervals_and_the_cheap_baseline():
    found = nine()
    chart = runs_chart(found)
    points = {mark.name: mark.points[0] for mark in chart.marks if mark.name}
    spans = [mark.points for mark in chart.marks if len(mark.points) == 2 and not mark.dashed]
    lines = summarise(found)
    assert points == {line.strategy: (line.seconds, line.accuracy) for line in lines}
    assert spans == [[(line.seconds, line.low), (line.seconds, line.high)] for line in lines]
    assert [text for text, _, _ in chart.key()] == ["tf-idf"]
    assert chart.y == "test accuracy (95 % interval)"
