"""Records go to JSON and come back the same; runs of one strategy become one line."""

import dataclasses
import json
import math
import statistics

import pytest

from labkit.base.records import BadInput, ClassScore, Epoch, EpochDone, Row, Run, Scores, StepDone, from_json, to_json
from labkit.base.statistics import doubt, wilson
from labkit.comparison.summary import summarise, with_baselines

SCORES = Scores(4, 0.5, 0.75, 0.3, 0.95, 0.75, 0.75, 0.73, (ClassScore("差", 2, 1.0, 0.5, 0.66),), ((1, 1), (0, 2)))


def run(strategy="full", seed=0, accuracy=0.8, n_test=400, **more):
    start = (strategy, "tiny", seed, "cpu", 3, 100, 20, n_test, 0.7, 0.69, accuracy, accuracy - 0.01, 2.0 + seed, 50.0)
    return Run(*start, None, 1_000, 5_000, **more)


def test_a_run_comes_back_from_json_the_same():
    whole = run(
        settings={"k": 2},
        config={"lr": 1e-3, "patience": None},
        corpus={"name": "评论", "labels": ["差", "好"]},
        history=(Epoch(1, 10, 0.7, 0.6, 0.5, 0.4, 1.0), Epoch(2, 20, 0.6, 0.5, 0.6, 0.5, 1.0)),
        steps=((1, 0.7, 1e-3), (5, 0.6, 5e-4)),
        valid=SCORES,
        test=SCORES,
        moved=("a", "b"),
        notices=("smaller batches",),
        versions={"torch": "2"},
        answers="0 1 1",
        truth="0 1 0",
        own=("lr",),
        forgetting=0.25,
        error="no",
    )
    text = json.dumps(to_json(whole), ensure_ascii=False, allow_nan=False)
    assert from_json(Run, json.loads(text)) == whole


def test_a_bare_run_comes_back_too_and_keys_of_later_versions_are_ignored():
    assert from_json(Run, {**to_json(run()), "invented_later": 1}) == run()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_no_word_for_become_null_and_come_back_as_nan(loss):
    plain = to_json(Epoch(1, 1, loss, 0.5, 0.5, 0.5, 1.0))
    assert plain["train_loss"] is None and json.dumps(plain, allow_nan=False)
    assert math.isnan(from_json(Epoch, plain).train_loss)
    assert from_json(Run, to_json(run(accuracy=0.5))).peak_memory_mb is None


def test_nothing_stays_nothing():
    assert to_json(None) is None and from_json(Run, None) is None


def test_rows_are_compared_by_text_and_label_only():
    assert Row("好", 1, {"id": "7"}) == Row("好", 1) and hash(Row("好", 1, {"id": "7"})) == hash(Row("好", 1))
    assert Row("好", 1) != Row("好", 0)


def test_events_are_values():
    step = StepDone(1, 10, 1, 1e-3, "0.5")
    assert step.loss == 0.5 and step == StepDone(1, 10, 1, 1e-3, "0.7")
    done = EpochDone(Epoch(1, 1, 0.1, 0.1, 0.1, 0.1, 0.1), SCORES, True)
    with pytest.raises(AttributeError):
        done.best = False


def test_a_run_reads_as_one_sentence():
    assert str(run()) == "full on tiny: test accuracy 0.800, 3 epochs, 2.0 s, 1,000 of 5,000 parameters trained"
    assert "test accuracy –, 3 epochs" in str(dataclasses.replace(run(), test_accuracy=None))


def test_one_line_a_strategy_with_means_over_seeds():
    lines = summarise([run("full", 0, 0.8), run("head", 0, 0.6), run("full", 1, 0.9)])
    assert [(line.strategy, line.runs) for line in lines] == [("full", 2), ("head", 1)]
    assert lines[0].accuracy == pytest.approx(0.85) and lines[0].macro_f1 == pytest.approx(0.84)
    assert (lines[0].seconds, lines[0].samples_per_second) == (2.5, 50.0)
    assert (lines[0].trainable_parameters, lines[0].total_parameters) == (1_000, 5_000)
    assert summarise([]) == []


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 0.8, 1.0])
def test_the_interval_of_one_run_is_its_own(accuracy):
    (line,) = summarise([run(accuracy=accuracy)])
    assert (line.low, line.high) == pytest.approx(wilson(accuracy * 400, 400))
    assert 0 <= line.low <= accuracy <= line.high <= 1 and line.high > line.low


def test_seeds_that_differ_widen_the_interval_and_seeds_that_agree_do_not():
    agree, differ = ([run(seed=i, accuracy=a) for i, a in enumerate(x)] for x in ((0.8,) * 3, (0.7, 0.8, 0.9)))
    (a,), (d,) = summarise(agree), summarise(differ)
    assert (a.low, a.high) == pytest.approx(wilson(320, 400))
    found = doubt([0.7, 0.8, 0.9], rows=0.8 * 0.2 / 400)
    assert found.times > 3.5  # three seeds that differ so much say little
    below = found.times * math.hypot((0.8 - a.low) / 1.96, statistics.stdev([0.7, 0.8, 0.9]) / 3**0.5)
    assert 0.8 - d.low == pytest.approx(below) and d.high == 1.0
    assert (d.f1_low, d.f1_high) == (None, None)


def told(right, seed=0, n=200, **more):
    """A run over `n` test rows of two classes, right on those whose numbers are in `right`."""
    truth = [i % 2 for i in range(n)]
    said = [k if i in right else 1 - k for i, k in enumerate(truth)]
    words = {"answers": " ".join(map(str, said)), "truth": " ".join(map(str, truth)), "corpus": {"labels": ["a", "b"]}}
    return run(seed=seed, accuracy=len(right) / n, n_test=n, **{**words, **more})


def test_answers_give_macro_f1_an_interval_about_as_wide_as_that_of_accuracy_where_classes_are_even():
    (line,) = summarise([told(range(160))])
    assert (line.low, line.high) == pytest.approx(wilson(160, 200))
    assert line.f1_low < line.macro_f1 < line.f1_high
    assert line.f1_high - line.f1_low == pytest.approx(line.high - line.low, rel=0.1)


def test_seeds_that_err_on_rows_of_their_own_narrow_the_interval():
    same = [told(range(160), seed) for seed in range(3)]
    own = [told(set(range(200)) - set(range(40 * k, 40 * k + 40)), seed=k) for k in range(3)]
    (a,), (b,) = summarise(same), summarise(own)
    assert a.accuracy == b.accuracy and (a.low, a.high) == pytest.approx(wilson(160, 200), abs=0.005)
    assert b.high - b.low < 0.75 * (a.high - a.low)


def test_what_some_runs_lack_is_the_mean_of_the_others_and_failed_runs_are_left_out():
    first, second = run(config={"lr": 1e-3}), run(seed=1, config={"lr": 3e-3}, forgetting=0.5, saved_bytes=10)
    broken = dataclasses.replace(run(seed=2), test_accuracy=None, error="out of memory")
    (line,) = summarise([first, second, broken])
    assert (line.runs, line.lr, line.forgetting, line.saved_bytes, line.epochs) == (2, 0.002, 0.5, 10, 3)
    assert line.peak_memory_mb is None and summarise([broken]) == []
    assert str(broken) == "full on tiny: out of memory"


def test_baselines_stand_beside_once():
    class Found(list):
        beside = (run("tf-idf"), run("majority"))

    assert [r.strategy for r in with_baselines(Found([run()]), run("tf-idf"))] == ["full", "tf-idf", "majority"]
    assert with_baselines([run()]) == [run()]


def test_a_run_without_a_test_score_is_refused_by_name():
    unscored = dataclasses.replace(run("head", 3), test_accuracy=None)
    with pytest.raises(BadInput, match=r"head \(seed 3\) has no test score"):
        summarise([run(), unscored])


def test_wilson_agrees_with_its_definition():
    # the bounds are the shares p from which the observed share is just 1.96 standard errors away
    for right, n in ((0, 5), (1, 7), (8, 10), (500, 1000), (10, 10)):
        for bound in wilson(right, n):
            assert abs(right / n - bound) == pytest.approx(1.96 * (bound * (1 - bound) / n) ** 0.5, abs=1e-9)
    assert wilson(8, 10) == pytest.approx((0.49, 0.943), abs=0.001)
