"""When to freeze: nested rows, enough steps, resumable cells, and crossings where they can be computed by hand."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from made_runs import grid as curves
from stand_ins import bert, corpus

from labkit.base.records import BadInput, RunBegins, StepDone
from labkit.comparison.sizes import Grid, counts, long_enough, nested, when_to_freeze
from labkit.strategies import Full, HeadOnly
from labkit.training.trainer import TrainConfig

ROWS = corpus(n=48)
CONFIG = TrainConfig(epochs=1, lr=3e-3, batch_size=8, device="cpu")


def test_fewer_rows_are_among_more_and_keep_the_shares_of_the_classes():
    rows = corpus(n=300, classes=3)
    uneven = replace(rows, train=tuple(r for i, r in enumerate(rows.train) if r.target != 2 or i < 30))  # 100, 100, 10
    whole, before = Counter(r.target for r in uneven.train), set()
    for n in (3, 10, 50, 100, len(uneven.train)):
        chosen = nested(uneven, n, seed=1)
        found = Counter(r.target for r in chosen.train)
        assert len(chosen.train) == n and before <= set(chosen.train) and len(found) == 3
        assert all(abs(found[k] - max(1, n * whole[k] / len(uneven.train))) <= 1 for k in found)
        assert chosen.test == uneven.test
        before = set(chosen.train)
    assert nested(uneven, 50, 1) == nested(uneven, 50, 1) != nested(uneven, 50, 2)


def test_sizes_are_sorted_and_no_larger_than_the_corpus():
    assert counts(ROWS, (None, 10, 1000, 20)) == [10, 20, 48]
    for bad in ((1, 10), ()):
        with pytest.raises(BadInput, match="won't do"):
            counts(ROWS, bad)


def test_few_rows_are_seen_more_often():
    config = TrainConfig(batch_size=16)
    assert long_enough(Full(), config, 50, None, 100).epochs == 25
    assert long_enough(Full(), config, 5000, None, 100).epochs == Full().default_epochs(None)
    assert long_enough(Full(), replace(config, epochs=40), 50, None, 100).epochs == 40


def test_a_grid_is_trained_once_and_goes_on(tmp_path):
    place, seen = str(bert(tmp_path / "bert")), []
    ask = dict(sizes=(8, None), model=place, seeds=(0, 1), config=CONFIG, least_steps=2, out=tmp_path / "out")
    grid = when_to_freeze([HeadOnly()], ROWS, **ask, listen=seen.append)
    assert grid.sizes == [8, 48] and sum(isinstance(e, RunBegins) for e in seen) == 4
    few, every = (runs for _, runs in grid.cells)
    assert {r.n_train for r in few} == {8} and {r.epochs for r in few if r.history} == {2}
    assert {r.epochs for r in every if r.history} == {1}
    assert few[0].corpus["fingerprint"] != few[1].corpus["fingerprint"]  # each seed draws rows of its own
    assert list(grid.curves()) == ["head", "tf-idf", "majority"]
    seen.clear()
    (tmp_path / "out" / "rows-8" / "seed-1" / "head-s1.json").unlink()
    again = when_to_freeze([HeadOnly()], ROWS, **ask, listen=seen.append)
    assert sum(isinstance(e, RunBegins) for e in seen) == 1
    assert [r.answers for _, runs in again.cells for r in runs] == [r.answers for _, runs in grid.cells for r in runs]
    text = str(grid)
    assert "head" in text and "48" in text.splitlines()[0] and "head" in grid._repr_html_()
    assert len(grid.records()) == 6 and grid.records()[0]["n_train"] == 8


def test_ctrl_c_gives_the_sizes_that_are_finished(tmp_path):
    place, steps = str(bert(tmp_path / "bert")), []

    def listen(event):
        steps.append(isinstance(event, StepDone))
        if sum(steps) == 8:
            raise KeyboardInterrupt

    grid = when_to_freeze([Full()], ROWS, (8, None), place, (0,), CONFIG, least_steps=4, listen=listen)
    assert grid.sizes == [8]


def test_curves_cross_where_straight_lines_on_a_logarithmic_axis_do():
    grid = curves(full=(80, 50, 20), head=(50, 40, 40))
    (found,) = grid.crossings()
    # head leads by 30 and 10 rows, then full by 20: a third of the way from 100 to 200
    assert found.rows == pytest.approx(100 * 2 ** (1 / 3)) and (found.a, found.b, found.small) == (
        "head",
        "full",
        "head",
    )
    assert found.sure and str(found) == "head and full cross at about 126 rows: head leads below, full above"
    assert grid.crossings("head")[0].rows == pytest.approx(found.rows)


def test_a_crossing_inside_the_noise_is_said_to_be():
    (found,) = curves(full=(41, 40), head=(40, 41)).crossings()
    assert not found.sure and str(found).endswith("(inside the noise)")
    assert found.rows == pytest.approx(50 * math.sqrt(2))
    (found,) = curves(full=(80, 40), head=(40, 42)).crossings()  # sure on one side only
    assert not found.sure


def test_no_crossing_is_said_too():
    grid = curves(full=(40, 30, 20), head=(60, 50, 40), other=(40, 30, 20))
    head, *rest = grid.crossings()
    assert (head.rows, head.small, head.sure) == (None, "full", True) and rest == []  # the other is level all along
    assert str(head) == "head and full: no crossing, full is nowhere behind" and str(head) in str(grid)


def test_curves_may_cross_twice_and_the_first_strategy_is_the_reference_without_full():
    grid = curves(a=(40, 20, 40), b=(30, 30, 30))
    assert grid.reference() == "a" and [c.small for c in grid.crossings()] == ["b", "a"]
    assert Grid(()).reference() is None and Grid(()).crossings() == []
