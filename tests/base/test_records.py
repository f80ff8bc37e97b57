"""Records go to JSON and come back the same; runs of one strategy become one line."""

import dataclasses
import json
import math
import statistics

import pytest
from made_runs import run as answered
from made_runs import scored as run

from labkit.base.records import (
    BadInput,
    ClassScore,
    Epoch,
    EpochDone,
    Example,
    Measure,
    Run,
    Scores,
    StepDone,
    from_json,
    to_json,
)
from labkit.base.statistics import standard_error, wilson
from labkit.comparison.summary import summarise, with_baselines

METRICS = {"accuracy": Measure(0.75, 0.3, 0.95), "macro_f1": Measure(0.73), "macro_recall": Measure(0.75)}
SCORES = Scores(4, 0.5, METRICS, (ClassScore("差", 2, 1.0, 0.5, 0.66),), ((1, 1), (0, 2)))


def epoch(number=1, loss=0.1, accuracy=0.5):
    return Epoch(number, 10 * number, loss, 0.5, {"accuracy": accuracy, "macro_f1": 0.4}, 1.0)


def test_a_run_comes_back_from_json_the_same():
    whole = run(
        settings={"k": 2},
        config={"lr": 1e-3, "patience": None},
        corpus={"name": "评论", "labels": ["差", "好"]},
        history=(epoch(1, 0.7), epoch(2, 0.6)),
        steps=((1, 0.7, 1e-3), (5, 0.6, 5e-4)),
        scores={"valid": SCORES, "test": SCORES},
        moved=("a", "b"),
        notices=("smaller batches",),
        versions={"torch": "2"},
        answers=(0, 1, "word", ("span", (1, 2)), {"f1": 0.5}),
        truth=(0, 1, None, (), 0.25),
        identity={"config": {"lr": None}, "model": "0f"},
        measures={"forgetting": 0.25, "unknown": None},
        error="no",
    )
    text = json.dumps(to_json(whole), ensure_ascii=False, allow_nan=False)
    assert from_json(Run, json.loads(text)) == whole


def test_a_bare_run_comes_back_too_and_keys_of_later_versions_are_ignored():
    assert from_json(Run, {**to_json(run()), "invented_later": 1}) == run()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_no_word_for_become_null_and_come_back_as_nan(loss):
    plain = to_json(epoch(loss=loss))
    assert plain["train_loss"] is None and json.dumps(plain, allow_nan=False)
    assert math.isnan(from_json(Epoch, plain).train_loss)
    assert from_json(Run, to_json(run(accuracy=0.5))).peak_memory_mb is None


def test_nothing_stays_nothing():
    assert to_json(None) is None and from_json(Run, None) is None


def test_rows_are_compared_by_input_and_target_only():
    assert Example("好", 1, {"id": "7"}) == Example("好", 1)
    assert hash(Example("好", 1, {"id": "7"})) == hash(Example("好", 1))
    assert Example("好", 1) != Example("好", 0)


def test_metrics_are_asked_for_by_name_and_what_is_unknown_is_said():
    whole = run(accuracy=0.8, history=(epoch(accuracy=0.6),), measures={"forgetting": 0.5})
    assert (whole.test_accuracy, whole.valid_accuracy, whole.test_macro_f1) == (0.8, 0.7, pytest.approx(0.79))
    assert (whole.test.accuracy, whole.test.headline.value, whole.history[0].valid_accuracy) == (0.8, 0.8, 0.6)
    assert (whole.test.low, whole.test.high) == wilson(320, 400) and whole.forgetting == 0.5
    assert dataclasses.replace(whole, scores={}).test_accuracy is None
    for record, name in ((whole, "luck"), (whole, "test_luck"), (whole.test, "luck"), (whole.history[0], "valid_luck")):
        with pytest.raises(AttributeError, match=r"has no '(test_|valid_)?luck'"):
            getattr(record, name)


def test_events_are_values():
    step = StepDone(1, 10, 1, 1e-3, "0.5")
    assert step.loss == 0.5 and step == StepDone(1, 10, 1, 1e-3, "0.7")
    done = EpochDone(epoch(), SCORES, True)
    with pytest.raises(AttributeError):
        done.best = False


def untested(run):
    return dataclasses.replace(run, scores={"valid": run.valid})


def test_a_run_reads_as_one_sentence():
    assert str(run()) == "full on tiny: test accuracy 0.800, 3 epochs, 2.0 s, 1,000 of 5,000 parameters trained"
    assert "test accuracy –, 3 epochs" in str(untested(run()))


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
    error = standard_error([0.7, 0.8, 0.9], rows=0.8 * 0.2 / 400)
    assert error.times > 3.5  # three seeds that differ so much say little
    below = error.times * math.hypot((0.8 - a.low) / 1.96, statistics.stdev([0.7, 0.8, 0.9]) / 3**0.5)
    assert 0.8 - d.low == pytest.approx(below) and d.high == 1.0
    assert d.metrics["macro_f1"] == Measure(pytest.approx(0.79))  # runs without answers: no interval


def told(right, seed=0):
    """A run over 200 test rows of two classes, right on those whose numbers are in `right`."""
    return answered(wrong=set(range(200)) - set(right), seed=seed)


def test_answers_give_macro_f1_an_interval_about_as_wide_as_that_of_accuracy_where_classes_are_even():
    (line,) = summarise([told(range(160))])
    assert (line.low, line.high) == pytest.approx(wilson(160, 200))
    f1 = line.metrics["macro_f1"]
    assert f1.low < line.macro_f1 < f1.high
    assert f1.high - f1.low == pytest.approx(line.high - line.low, rel=0.1)


def test_seeds_that_err_on_rows_of_their_own_narrow_the_interval():
    same = [told(range(160), seed) for seed in range(3)]
    own = [told(set(range(200)) - set(range(40 * k, 40 * k + 40)), seed=k) for k in range(3)]
    (a,), (b,) = summarise(same), summarise(own)
    assert a.accuracy == b.accuracy and (a.low, a.high) == pytest.approx(wilson(160, 200), abs=0.005)
    assert b.high - b.low < 0.75 * (a.high - a.low)


def test_what_some_runs_lack_is_the_mean_of_the_others_and_failed_runs_are_left_out():
    first = run(config={"lr": 1e-3})
    second = run(seed=1, config={"lr": 3e-3}, measures={"forgetting": 0.5}, saved_bytes=10)
    broken = dataclasses.replace(run(seed=2), scores={}, error="out of memory")
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
    unscored = untested(run("head", 3))
    with pytest.raises(BadInput, match=r"head \(seed 3\) has no test score"):
        summarise([run(), unscored])


def test_wilson_agrees_with_its_definition():
    # the bounds are the shares p from which the observed share is just 1.96 standard errors away
    for right, n in ((0, 5), (1, 7), (8, 10), (500, 1000), (10, 10)):
        for bound in wilson(right, n):
            assert abs(right / n - bound) == pytest.approx(1.96 * (bound * (1 - bound) / n) ** 0.5, abs=1e-9)
    assert wilson(8, 10) == pytest.approx((0.49, 0.943), abs=0.001)
