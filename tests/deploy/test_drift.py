"""Drift says what moved and only that: planted shifts are found, rows of the same kind are left in peace."""

import io
import re

import numpy as np
import pytest
import stand_ins

import labkit as lk
from labkit import plots
from labkit.base.records import BadInput, Example
from labkit.data.corpus import Corpus
from labkit.deploy.drift import Shift, drift
from labkit.deploy.journal import Logged
from labkit.modalities.text import Text
from labkit.tasks import MultiLabel


def corpus(n=400, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    rows = tuple(
        Example("字" * int(k), int(y)) for k, y in zip(rng.integers(5, 60, n), rng.random(n) < share, strict=True)
    )
    return Corpus("made", rows, rows[:20], rows[20:40], ("bad", "good"))


def log(n=400, share=0.3, longest=60, seed=1, sure=0.9):
    rng = np.random.default_rng(seed)
    return [
        Logged(float(i), int(k), "good" if y else "bad", sure, 4.0)
        for i, (k, y) in enumerate(zip(rng.integers(5, longest, n), rng.random(n) < share, strict=True))
    ]


def test_nothing_moved_where_rows_are_of_the_same_kind():
    wrong = [s.name for seed in range(100) for s in drift(log(seed=seed), corpus(seed=1000 + seed)).moved]
    assert len(wrong) <= 10  # of 100 logs; 5 are expected, since all intervals hold together 95 times of 100


@pytest.mark.parametrize(
    "planted, kind, rose",
    [({"share": 0.5}, "label", False), ({"share": 0.1}, "label", True), ({"longest": 120}, "length", True)],
    ids=["fewer bad", "more bad", "longer"],
)
def test_what_moved_is_found_and_its_direction(planted, kind, rose):
    (moved,) = [s for s in drift(log(**planted), corpus()).shifts if s.kind == kind]
    assert moved.moved and (moved.change > 0) is rose


def test_a_few_rows_are_no_proof():
    few = drift(log(30, share=0.45), corpus())
    many = drift(log(3000, share=0.45), corpus())
    assert [s.kind for s in few.moved] == [] and "label" in [s.kind for s in many.moved]


def test_requests_that_come_in_waves_count_for_fewer_than_there_are():
    """A label that comes in long stretches: as many rows, less knowledge."""
    waves = [Logged(float(i), 20, "good" if i // 50 % 2 else "bad", 0.9, 4.0) for i in range(400)]
    alone = [Logged(float(i), 20, "good" if i % 2 else "bad", 0.9, 4.0) for i in range(400)]
    width = {
        name: next(s.high - s.low for s in drift(rows, corpus()).shifts if s.kind == "label")
        for name, rows in (("waves", waves), ("alone", alone))
    }
    assert width["waves"] > 1.5 * width["alone"]


def test_the_interval_holds_the_change():
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        share = rng.uniform(0.05, 0.5)
        (s,) = [x for x in drift(log(share=share, seed=seed), corpus(seed=500 + seed)).shifts if x.kind == "label"]
        inside += s.low <= (1 - share) - 0.7 <= s.high
    assert inside >= 95


def test_with_the_model_labels_and_confidence_are_its_own(tmp_path):
    rows = stand_ins.corpus(200)
    model = lk.load(stand_ins.bert(tmp_path / "bert"), rows.labels)
    asked = [e.input for e in (*rows.valid, *rows.test)]
    same = [Logged(0.0, len(p.input), p.label, p.probability, 1.0) for p in lk.predict(model, asked)]
    found = drift(same, rows, model)
    assert {s.kind for s in found.shifts} == {"length", "long", "label", "confidence"}
    for s in found.shifts:
        if s.kind in ("label", "confidence"):
            assert s.before == pytest.approx(s.after, abs=1e-6) and not s.moved


def test_several_labels_a_row_are_counted_one_by_one():
    task = MultiLabel(Text(), ("hot", "late", "dear"))
    rows = tuple(Example("字" * 10, (i % 3,)) for i in range(90))
    served = [Logged(float(i), 10, "hot|late" if i % 2 else "", 0.9, 1.0) for i in range(90)]
    found = {s.name: s for s in drift(served, Corpus("m", rows, rows, rows, task)).shifts if s.kind == "label"}
    assert (
        found["label hot"].after == pytest.approx(0.5) and found["label dear"].after == 0 and found["label dear"].moved
    )


def test_too_few_answers_and_labels_of_another_model_are_refused():
    with pytest.raises(BadInput, match="29 answers"):
        drift(log(29), corpus())
    with pytest.raises(BadInput, match="neutral"):
        drift([*log(40), Logged(0.0, 5, "neutral", 0.9, 1.0)], corpus())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_shows_itself_with_numbers_and_verdicts(lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    found = drift(log(share=0.5), corpus())
    text = str(found)
    assert ("降了" if lang == "zh" else "fell") in text and "400" in text
    assert re.search(r"−\d+\.\d (到|to) −\d+\.\d", text)
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("planted", [{}, {"share": 0.6, "longest": 100}], ids=["nothing moved", "much moved"])
def test_the_figure_has_every_share_and_both_histograms(lang, planted, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    found = drift(log(**planted), corpus())
    fig = plots.drift(found)
    fig.savefig(io.BytesIO(), format="raw")
    left, right = fig.axes
    assert [t.get_text() for t in left.get_yticklabels()] == [s.name for s in reversed(found.shifts) if s.share]
    assert [t.get_text() for t in right.get_legend().get_texts()] == (
        ["训练", "现在"] if lang == "zh" else ["training", "now"]
    )
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height


def test_a_shift_that_touches_zero_has_not_moved():
    assert not Shift("label", "x", 0.1, 0.2, 0.0, 0.2).moved and Shift("label", "x", 0.1, 0.2, 0.01, 0.2).moved
