"""A chart is described once: its SVG and its figure show the same numbers between the same ends, in the same colours."""

import re
import xml.etree.ElementTree as tree

import pytest
from matplotlib.colors import to_hex

from labkit.base.display import COLOURS
from labkit.base.records import Measure
from labkit.base.svg import binned, scale
from labkit.plots.charts import Band, Bars, Chart, Histogram, Line, apart, figure_of
from labkit.plots.learning import Curves, learning_charts

LOSS = Chart(
    "loss",
    [
        Line([(10, 0.9), (20, 0.4)], COLOURS[0], "training"),
        Line([(10, 0.8), (20, 0.6)], COLOURS[1], "validation", bold=True, marker="o"),
        Band(0.5, 0.7, 0.6, COLOURS[2], "test"),
    ],
    x="step",
    whole=True,
)
KINDS = {
    "chart": LOSS,
    "logarithmic": Chart("loss", LOSS.marks, log=True),
    "bars": Bars("padding", {"in buckets": 0.05, "shuffled": 0.32}, "{:.0%}".format, top=1.0, lit=["shuffled"]),
    "histogram": Histogram("lengths", [1, 5, 9, 9, 30], "tokens", mark=(16, "longest")),
}


def shapes(chart, tag):
    return [e.attrib for e in tree.fromstring(chart.svg()).iter() if e.tag.endswith(tag)]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_chart_is_well_formed_svg_and_a_figure(name):
    svg = tree.fromstring(KINDS[name].svg())
    assert svg.attrib["aria-label"] == KINDS[name].title and svg.attrib["fill"] == "currentColor"
    (axes,) = KINDS[name].figure().axes
    assert axes.get_title(loc="left").lower() == KINDS[name].title


def test_both_drawings_have_the_same_lines_colours_and_ticks():
    axes = LOSS.figure().axes[0]
    lines = {to_hex(line.get_color()): line for line in axes.lines}
    paths = {p["stroke"]: p for p in shapes(LOSS, "path") if "h0" not in p["d"] and p["stroke"] in COLOURS}
    assert set(lines) == set(paths) == set(COLOURS[:3])
    assert float(paths[COLOURS[0]]["stroke-width"]) < float(paths[COLOURS[1]]["stroke-width"])
    assert lines[COLOURS[0]].get_linewidth() < lines[COLOURS[1]].get_linewidth()
    words = {e.text for e in tree.fromstring(LOSS.svg()).iter() if e.tag.endswith("text")}
    assert {t.get_text() for t in (*axes.get_xticklabels(), *axes.get_yticklabels())} | {"step"} == words


def test_places_in_the_svg_are_the_points_between_the_ends_of_the_axes():
    path = next(p["d"] for p in shapes(LOSS, "path") if p.get("stroke") == COLOURS[0])
    x, _, right, down = map(int, re.fullmatch(r"M(\d+),(\d+)l(\d+),(\d+)", path).groups())
    frame = LOSS.frame()
    height = (0.9 - 0.4) / (frame.high - frame.low)
    assert down == pytest.approx(height * (326 - 16), abs=1)
    assert (x, x + right) == (84, 546), "from the left axis to the right one"


def test_a_band_is_below_the_lines_in_both_drawings():
    assert [type(mark) for mark in LOSS.visible()] == [Band, Line, Line]
    (patch,) = LOSS.figure().axes[0].patches
    assert (patch.get_y(), patch.get_y() + patch.get_height()) == pytest.approx((0.5, 0.7))


def test_a_name_that_would_lie_on_another_moves_below_it():
    places = apart([(100, 50, "full"), (110, 55, "head"), (105, 60, "lora"), (400, 52, "bitfit")])
    heights = {name: y for _, y, name in places}
    assert heights["bitfit"] == 52
    assert sorted(heights[n] for n in ("full", "head", "lora")) == [50, 76, 102]


def test_of_one_run_the_roles_are_named_of_several_the_runs():
    one = Curves([(1, 0.9)], [(1, 0.8)], [(1, 0.7)], Measure(0.75, 0.7, 0.8))
    loss, score = learning_charts([one], "accuracy", "step")
    assert [text for text, _, _ in loss.key()] == ["training", "validation"]
    assert [(text, look) for text, _, look in score.key()] == [("test (95 %)", "band")]
    two = [
        Curves([(1, 0.9)], [(1, 0.8)], [(1, 0.7)], name=n, colours=(c,) * 3)
        for n, c in zip("ab", COLOURS, strict=False)
    ]
    loss, score = learning_charts(two, "accuracy", "step")
    assert [text for text, _, _ in loss.key()] == ["a", "b"]
    assert "thin: training" in loss.note and "thin: training" in figure_of([loss, score]).axes[0].get_title(loc="left")


@pytest.mark.parametrize("names", [["a", "b", "c", "d"], ["a", "a name that is as long as a run's"]])
def test_a_key_that_would_cover_the_lines_stands_outside_them(names):
    fig = figure_of([LOSS, Chart("runs", [Line([(1, 0.9), (2, 0.5)], label=name) for name in names])])
    (outside,) = fig.legends
    assert [text.get_text() for text in outside.get_texts()] == names
    assert fig.axes[0].get_legend() and not fig.axes[1].get_legend()


@pytest.mark.parametrize("points", [[(1, 0.70)], [(1, 0.70), (2, 0.71), (3, 0.705)], []])
def test_the_axis_of_a_score_is_no_narrower_than_the_interval_of_one_epochs_score(points):
    sure = Measure(0.705, 0.62, 0.78)
    _, score = learning_charts([Curves([], [], points, sure=sure)], "accuracy", "step")
    frame = score.frame()
    assert frame.low <= 0.62 and frame.high >= 0.78
    low, high = score.figure().axes[0].get_ylim()
    assert (low, high) == pytest.approx((frame.low, frame.high))
    _, bare = learning_charts([Curves([], [], points)], "accuracy", "step")
    assert not points or bare.frame().high - bare.frame().low < 0.16


def test_a_score_that_moves_further_than_its_interval_has_all_the_axis_it_needs():
    _, score = learning_charts([Curves([], [], [(1, 0.5), (2, 0.9)], sure=Measure(0.9, 0.85, 0.94))], "f1", "step")
    assert score.frame().low <= 0.5 and score.frame().high >= 0.94


def test_the_test_bands_of_two_runs_stand_side_by_side():
    two = [
        Curves([(1, 0.9)], [(1, 0.8)], [(1, 0.7)], Measure(0.75, 0.7, 0.8), name=n, colours=(c,) * 3)
        for n, c in zip("ab", COLOURS, strict=False)
    ]
    _, score = learning_charts(two, "accuracy", "step")
    first, second = (box for box in shapes(score, "rect") if box["fill"] in COLOURS)
    assert float(first["x"]) + float(first["width"]) == float(second["x"])
    first, second = score.figure().axes[0].patches
    assert (first.get_x(), first.get_width(), second.get_x(), second.get_width()) == (0, 0.5, 0.5, 0.5)
    assert score.note == "bands: test"


def test_a_chart_of_a_metric_that_no_task_knows_goes_by_its_name():
    _, score = learning_charts([Curves([], [], [])], "some_score", "step")
    assert score.title == "validation some score"


def test_words_of_a_chart_are_shown_as_text():
    chart = Chart("<b>", [Line([(1, 1)], name="<i>", label="<u>")], x="a & b")
    assert "<i>" in [e.text for e in tree.fromstring(chart.svg()).iter()]


def test_bins_are_whole_and_the_longest_stand_together():
    each, counts = binned([*range(100), 5000], most=20)
    assert each == 5 and sum(counts) == 101 and len(counts) <= 20
    assert counts[-1] == 5 + 1


@pytest.mark.parametrize("low, high", [(0.014, 2.6), (0.3, 0.8), (1e-6, 10.0), (0.5, 0.5)])
def test_a_logarithmic_axis_has_ticks_from_end_to_end(low, high):
    ticks, bottom, top = scale(low, high, log=True)
    assert 2 <= len(ticks) <= 8
    assert bottom <= ticks[0] < ticks[-1] <= top
    assert ticks[0] < 10 * bottom and ticks[-1] > top / 10
