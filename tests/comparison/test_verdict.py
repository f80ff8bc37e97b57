"""Verdicts: better, worse or inside the noise, judged row by row and seed by seed."""

import pytest
from made_runs import N, run

from labkit.base.display import display_width as wide
from labkit.base.records import BadInput
from labkit.base.statistics import standard_error
from labkit.comparison.compare import Comparison
from labkit.comparison.summary import bootstrapped
from labkit.comparison.verdict import verdict, verdicts
from labkit.strategies import Full, TopK


def test_a_difference_on_the_same_rows_is_seen_although_the_intervals_overlap():
    runs = [run("full", range(40)), run("head", range(50)), run("other", [*range(150, 200)])]
    near = verdict(runs, "full", "head")  # wrong on the same 40 rows, and on 10 more
    far = verdict(runs, "full", "other")  # wrong on other rows altogether
    assert near.difference == pytest.approx(far.difference) == pytest.approx(0.05)
    assert (near.word, far.word) == ("better", "noise")
    assert verdict(runs, "head", "full").word == "worse"
    by_hand = 1.96 * (0.05 * 0.95 / N) ** 0.5  # ten rows of 200 differ, all one way
    assert near.high - near.difference == pytest.approx(by_hand, rel=0.1)
    assert "full is better than head: +5.0 (+" in str(near) and "(200 test rows, one seed)" in str(near)


def test_both_sides_are_mirrors():
    runs = [run("a", range(30)), run("b", range(20, 60))]
    left, right = verdict(runs, "a", "b"), verdict(runs, "b", "a")
    assert (left.difference, left.low, left.high) == pytest.approx((-right.difference, -right.high, -right.low))
    both = {(v.a, v.b): (v.difference, v.low, v.high) for v in verdicts(runs)}
    assert both == {(v.a, v.b): pytest.approx((v.difference, v.low, v.high)) for v in (left, right)}


def test_seeds_are_paired_and_their_spread_counts():
    better = [run("a", range(10 * s, 10 * s + 20), s) for s in range(3)]
    steady = [run("b", range(10 * s, 10 * s + 30), s) for s in range(3)]
    wild = [run("b", range(10 * s, 10 * s + 20 + 28 * s - 18), s) for s in range(3)]
    sure, unsure = verdict([*better, *steady], "a", "b"), verdict([*better, *wild], "a", "b")
    assert sure.word == "better" and sure.seeds == 3 and sure.difference == pytest.approx(0.05)
    assert unsure.difference == pytest.approx(sure.difference) and unsure.word == "noise"
    only = verdict([*better, *steady[1:]], "a", "b")  # what has no partner is left out
    assert only.seeds == 2
    drawn = [bootstrapped(sure.metric, x) for x in (better, steady)]
    assert sure.high - sure.difference == pytest.approx(standard_error([0.05] * 3, drawn[0] - drawn[1]).half)


def test_a_baseline_is_paired_with_every_seed():
    runs = Comparison([run("full", range(5 + s), s) for s in range(3)], [run("tf-idf", range(30), trained=False)])
    found = verdict(runs, "full", "tf-idf")
    assert (found.word, found.seeds) == ("better", 3) and found.difference == pytest.approx(24 / N)
    assert "3 seeds" in str(found)


def test_strategies_may_be_given_and_macro_f1_too():
    runs = [run("full", range(0, 40, 2)), run("top-2", range(0, 80, 2))]
    found = verdict(runs, Full(), TopK(2), measure="macro_f1")
    assert (found.a, found.b, found.word) == ("full", "top-2", "better") and "points of macro-F1" in str(found)


@pytest.mark.parametrize(
    "runs, names, more, named",
    [
        ([run("a", []), run("b", [])], ("a", "c"), {}, "no run of 'c'; there are: a, b"),
        ([run("a", []), run("b", [], seed=1)], ("a", "b"), {}, "share no seed"),
        ([run("a", []), run("b", [], shift=1)], ("a", "b"), {}, "same test rows"),
        ([run("a", []), run("b", [])], ("a", "b"), {"measure": "luck"}, "accuracy, macro_f1"),
    ],
)
def test_what_cannot_be_judged_is_refused(runs, names, more, named):
    with pytest.raises(BadInput, match=named):
        verdict(runs, *names, **more)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_matrix_has_every_pair_best_first_and_lines_up(language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    runs = Comparison([run("head", range(60)), run("full", range(20))], [run("tf-idf", range(22), trained=False)])
    found = verdicts(runs)
    assert found.names() == ["full", "tf-idf", "head"] and len(found) == 6
    head, rule, *lines, note = str(found).splitlines()
    assert {wide(line) for line in (rule, *lines)} == {wide(head)} and "3 " in note
    assert "▲ +20.0" in lines[0] and "≈ +1.0" in lines[0] and "▼ -20.0" in lines[2]
    assert "▲ +20.0" in found._repr_html_()
    assert ("分不出高下" in str(found[0])) == (language == "zh")
