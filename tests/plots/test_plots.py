"""Figures: what they show are the numbers given; Chinese, odd labels and the caller's settings never spoil them."""

import io
import re
import sys
from pathlib import Path

import matplotlib
import pytest
from made_runs import run
from matplotlib.colors import to_hex
from matplotlib.text import Text

import labkit
from labkit import plots
from labkit.base.records import BadInput, ClassScore, Example, Measure, Scores
from labkit.comparison.summary import summarise
from labkit.data.corpus import Corpus

PACKAGE = Path(labkit.__file__).parent


def scores(k, name="class {}"):
    counts = tuple(tuple(90 if i == j else i + j for j in range(k)) for i in range(k))
    return Scores(
        1, 1, {"accuracy": Measure(1)}, tuple(ClassScore(name.format(i), 1, 1, 1, 1) for i in range(k)), counts
    )


def corpus(classes=2):
    rows = tuple(Example("字" * (1 + i % 50), i % classes) for i in range(300))
    return Corpus("x", rows, rows, rows, tuple(f"类别{c}" for c in range(classes)))


FIGURES = {
    "curves": lambda: plots.curves(run(), run("head"), run("full", seed=1)),
    "curves of one epoch": lambda: plots.curves(run(epochs=1)),
    "curves of nine strategies": lambda: plots.curves(*(run(f"strategy {i}") for i in range(9))),
    "steps": lambda: plots.steps(("torch", [1.0, 0.5, 0.4] * 30), ("labkit", [0.9, 0.5, 0.3] * 30)),
    "confusion of 2": lambda: plots.confusion(scores(2)),
    "confusion of 5": lambda: plots.confusion(scores(5, "非常非常不满意 {}")),
    "confusion of 12": lambda: plots.confusion(scores(12)),
    "lengths": lambda: plots.lengths(corpus()),
    "lengths of 9": lambda: plots.lengths(corpus(9)),
    "bars": lambda: plots.bars({"文章的循环": 151.2, "labkit": 1725.3, "a very long name that goes on and on": 3}, "速度", "行/秒"),
    "runs": lambda: plots.runs([run(), run("head", range(60)), run("full", range(36), 1)], run("tf-idf", trained=False)),
    "runs of nine strategies": lambda: plots.runs([run(f"strategy {i}", range(9 * i), i) for i in range(9)]),
}  # fmt: skip
every_figure = pytest.mark.parametrize("name", FIGURES)


def texts(fig):
    return [t.get_text() for t in fig.findobj(Text) if t.get_text() and t.get_visible()]


def legend(fig):
    return [t.get_text() for box in (*fig.legends, *(a.get_legend() for a in fig.axes)) if box for t in box.get_texts()]


def pixels(fig):
    file = io.BytesIO()
    fig.savefig(file, format="raw")  # a warning of a missing glyph would be an error here
    return file.getvalue()


@every_figure
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_is_drawn_without_a_warning_and_nothing_is_cut_off(name, lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    fig = FIGURES[name]()
    pixels(fig)
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height
    hanzi = any("\u4e00" <= c <= "\u9fff" for axes in fig.axes for c in axes.get_title(loc="left") + axes.get_xlabel())
    assert hanzi == (lang == "zh") or name == "bars"


@pytest.mark.parametrize("name", ["curves of one epoch", "confusion of 2"])
def test_a_figure_is_the_same_whatever_the_callers_settings_and_leaves_them_alone(name):
    plain = pixels(FIGURES[name]())
    odd = {"font.family": "serif", "axes.facecolor": "black", "lines.linewidth": 9, "font.size": 30}
    with matplotlib.rc_context(odd):
        before = dict(matplotlib.rcParams)
        assert pixels(FIGURES[name]()) == plain
        assert dict(matplotlib.rcParams) == before


def test_the_packaged_font_has_every_character_that_labkit_writes_into_figures():
    written = set("".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py")))
    course = set("熵阈秩鞍梯馏")  # words of the lessons that common text hardly holds
    assert [c for c in sorted(written | course) if "\u4e00" <= c <= "\u9fff" and ord(c) not in plots.glyphs()] == []


def test_pyplot_is_never_involved_and_nothing_is_shown(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it would fail
    for name in ("curves", "steps", "confusion of 2", "lengths", "bars", "runs"):
        FIGURES[name]()
    assert capsys.readouterr() == ("", "")


def test_odd_labels_are_shown_as_far_as_there_are_glyphs():
    assert plots.printable("好评 good $x$\n") == "好评 good $x$\n"
    assert plots.printable("好🍜❤️") == "好□❤"
    fig = plots.confusion(scores(2, "🍜 $\\frac{{$ 龘 {}"))
    pixels(fig)
    assert "□ $\\frac{$ □ 0" in texts(fig)


def test_curves_show_the_history_of_each_run_training_thin_validation_bold_test_a_band():
    first, second = run(epochs=4), run("head", range(60), epochs=2)
    left, right = plots.curves(first, second).axes
    train, valid = left.lines[:2]
    assert list(train.get_ydata()) == [e.train_loss for e in first.history] and train.get_marker() == ""
    assert list(valid.get_ydata()) == [e.valid_loss for e in first.history] and valid.get_marker() == "o"
    assert train.get_linewidth() < valid.get_linewidth()
    curves = [line for line in right.lines if line.get_marker() == "o"]
    assert list(curves[1].get_xdata()) == [1, 2]
    assert list(curves[0].get_ydata()) == [e.valid_accuracy for e in first.history]
    bands = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in right.patches]
    assert bands == [pytest.approx((r.test.low, r.test.high)) for r in (first, second)]
    assert right.get_title(loc="left") == "Validation accuracy (bands: test)" and right.get_ylabel() == "accuracy"


def test_seeds_share_colour_and_name_and_settings_that_differ_are_named():
    fig = plots.curves(run(seed=0), run(seed=1), run("head"))
    assert legend(fig) == ["full", "head"]
    assert [line.get_color() for line in fig.axes[1].lines] == [plots.COLOURS[i] for i in (0, 0, 1)]
    assert not fig.axes[1].patches, "bands of many runs would hide each other"
    fast, slow = (run(config={"lr": lr, "seed": i, "epochs": 3}) for i, lr in enumerate((1e-3, 1e-4)))
    assert legend(plots.curves(fast, slow, run("head"))) == ["full, lr=0.001", "full, lr=0.0001", "head"]


def test_no_two_of_nine_strategies_look_alike():
    for fig in (FIGURES["curves of nine strategies"](), FIGURES["runs of nine strategies"]()):
        lines = [line for line in fig.axes[-1].lines if line.get_marker() and line.get_marker() in plots.MARKERS]
        assert len({(line.get_color(), line.get_marker()) for line in lines}) == 9 == len(set(legend(fig)))


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 3, 20):
        fig = plots.curves(run(epochs=epochs))
        low, high = fig.axes[0].get_xlim()
        ticks = [t for t in fig.axes[0].get_xticks() if low <= t <= high]
        assert ticks and all(t == int(t) for t in ticks)


def test_steps_show_each_loss_and_its_running_mean():
    losses = [float(i % 7) for i in range(100)]
    raw, smooth = plots.steps(("a", losses)).axes[0].lines
    assert list(raw.get_ydata()) == losses and list(raw.get_xdata()) == list(range(1, 101))
    slow = [sum(losses[max(0, i - 4) : i + 1]) / len(losses[max(0, i - 4) : i + 1]) for i in range(100)]
    assert list(smooth.get_ydata()) == pytest.approx(slow)
    assert len(plots.steps(*((f"s{i}", losses) for i in range(9))).axes[0].lines) == 18
    assert plots.running_mean([], 3) == []


def test_a_confusion_matrix_has_the_truth_in_rows():
    fig = plots.confusion(scores(3))
    found = {t.get_position(): t.get_text() for t in fig.axes[0].texts}
    assert found[(2, 0)] == "2" and found[(1, 2)] == "3" and found[(0, 0)] == "90"
    shares = fig.axes[0].images[0].get_array()
    assert shares[0][0] == pytest.approx(90 / 93) and shares[1].sum() == pytest.approx(1)
    assert fig.axes[0].get_ylabel() == "truth" and fig.axes[0].get_xlabel() == "model says"


def test_a_class_without_rows_leaves_an_empty_line():
    parts = tuple(ClassScore(x, 1, 1, 1, 1) for x in "ab")
    empty = Scores(1, 1, {"accuracy": Measure(1)}, parts, ((3, 0), (0, 0)))
    assert plots.confusion(empty).axes[0].images[0].get_array().tolist() == [[1, 0], [0, 0]]


def test_lengths_count_every_row_once_in_its_class():
    made = corpus(3)
    axes = plots.lengths(made).axes[0]
    heights = [sum(bar.get_height() for bar in group) for group in axes.containers]
    assert heights == [len([e for e in made.train if e.target == i]) for i in range(3)]
    assert legend(axes.figure) == list(made.labels)
    assert [to_hex(group[0].get_facecolor()) for group in axes.containers] == list(plots.COLOURS[:3])
    with pytest.raises(BadInput, match="needs training rows that have a length"):
        plots.lengths(Corpus("x", (), (), (), ("a", "b")))


@pytest.mark.parametrize(
    "value, shown", [(1725.3, "1,725"), (99.5, "99.5"), (0.08512, "0.0851"), (0, "0"), (-250, "-250")]
)
def test_bars_carry_their_numbers(value, shown):
    axes = plots.bars({"a": value, "b": 1.0}, "title", "rows/s").axes[0]
    assert shown in [t.get_text() for t in axes.texts]
    assert [bar.get_width() for bar in axes.patches] == [1.0, value]  # drawn from below, so that the first is on top
    assert [t.get_text() for t in axes.get_yticklabels()] == ["b", "a"]


def test_runs_show_mean_interval_and_time_of_each_strategy():
    found = [run(wrong=range(40)), run(wrong=range(20), seed=1), run("head", range(80))]
    axes = plots.runs(found, run("tf-idf", range(50), trained=False)).axes[0]
    points = [c.lines[0] for c in axes.containers]
    lines = summarise(found)
    assert [(p.get_xdata()[0], p.get_ydata()[0]) for p in points] == [(s.seconds, s.accuracy) for s in lines]
    spans = [c.lines[2][0].get_segments()[0][:, 1] for c in axes.containers]
    assert [list(s) for s in spans] == [pytest.approx([s.low, s.high]) for s in lines]
    assert sorted(legend(axes.figure)) == ["full", "head", "tf-idf"] and axes.get_xlim()[0] == 0


def test_labels_of_every_figure_are_written_in_both_languages():
    source = "".join(path.read_text("utf-8") for path in PACKAGE.glob("plots/*.py"))
    for zh, en in re.findall(r'tr\("([^"]+)", "([^"]+)"\)', source):
        assert en.isascii() and not zh.isascii(), (zh, en)  # a comma between two words is one, too
