"""Runs that came with labkit open as if they had been trained here."""

import pytest
from made_runs import run as made_run

import labkit as lk
from labkit.base.records import BadInput
from labkit.comparison import shipped


def test_shipped_runs_come_back_equal_with_baselines_beside(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    runs = [made_run("full"), made_run("head", seed=1)]
    shipped.ship(runs, tmp_path / "mine.json.gz")
    assert list(shipped.runs("mine")) == runs
    first = (tmp_path / "mine.json.gz").read_bytes()
    shipped.ship(runs, tmp_path / "mine.json.gz")
    assert (tmp_path / "mine.json.gz").read_bytes() == first


def test_a_name_that_did_not_come_is_refused_with_those_that_did():
    with pytest.raises(BadInput, match=r"02-rows(, |、)03-slivers(, |、)05-batches"):
        lk.runs("99")


def test_every_shipped_name_has_eight_seeds_and_can_be_judged_in_pairs():
    verdict = lk.verdict([*lk.runs("06-labels"), *lk.runs("06-labels").beside], "reviews 50", "random 50")
    assert verdict.low < verdict.difference < verdict.high
    names = {run.strategy: 0 for run in lk.runs("02-rows")}
    assert {name for name in names if name.startswith("full")} == {"full 40", "full 80", "full 240"}
    assert {sum(run.strategy == name for run in lk.runs("02-rows")) for name in names} == {8}


@pytest.mark.parametrize(
    ("name", "a", "b", "word"),
    [
        ("02-hotels", "full 240", "head 240", "better"),
        ("02-hotels", "full 40", "head 40", "noise"),
        ("03-slivers", "lora", "head", "better"),
        ("03-slivers", "prefix", "head", "better"),
        ("03-slivers", "adapter", "head", "better"),
        ("03-slivers", "full", "head", "noise"),
        ("03-slivers", "lora", "full", "better"),
        ("03-slivers", "lora", "full, 10 epochs", "noise"),
        ("05-batches", "4 rows, lr 0.00025", "64 rows, lr 0.002", "noise"),
        ("05-batches", "64 rows, lr 0.00025", "4 rows, lr 0.00025", "worse"),
    ],
)
def test_what_the_course_says_of_shipped_runs_is_what_they_say(name, a, b, word):
    lk.language("en")
    runs = lk.runs(name)
    assert word in str(lk.verdict([*runs, *runs.beside], a, b)).split(":")[0]


def test_the_records_of_a_lazy_split_show_who_memorised():
    means = {}
    for run in lk.runs("07-memorised"):
        means.setdefault(run.strategy, []).append(run.test_accuracy)
    told, true = (sum(means[f"full {where}"]) / 3 for where in ("by its own test", "in truth"))
    head_told, head_true = (sum(means[f"head {where}"]) / 3 for where in ("by its own test", "in truth"))
    assert 0.10 < told - true < 0.13 and abs(head_told - head_true) < 0.03
