"""Metrics of other tasks: where less is better, everything turns round; where values are no shares, there are no points."""

import dataclasses
import random

import pytest
from made_runs import run as classification_run
from made_runs import scored
from toys import Regression, network, parity, regression

from labkit.base.files import load_run, save_run
from labkit.base.records import BadInput, Epoch, Run
from labkit.base.statistics import bootstrap, standard_error
from labkit.comparison.baselines import baseline, majority
from labkit.comparison.compare import Comparison
from labkit.comparison.job import Job
from labkit.comparison.sizes import Grid, counts, nested, when_to_freeze
from labkit.comparison.summary import summarise
from labkit.comparison.table import table
from labkit.comparison.verdict import verdict, verdicts
from labkit.strategies import HeadOnly
from labkit.tasks import Metric
from labkit.training.trainer import TrainConfig

TASK, N = Regression(), 100
TRUTH = [random.Random(0).uniform(-1, 1) for _ in range(N)]
CONFIG = TrainConfig(epochs=1, lr=3e-3, batch_size=8, device="cpu")


def run(strategy, error, seed=0, task=TASK, **more):
    """A run whose answers lie about `error` away from the truth, by a luck of the row that all strategies share."""
    rng, own = random.Random(1), random.Random(f"{strategy} {seed}")
    said = [t + error * (rng.uniform(0.5, 1.5) + own.uniform(-0.1, 0.1)) for t in TRUTH]
    scores = task.score(said, TRUTH, error**2)
    history = (Epoch(1, 10, 1.0, 1.0, {"mae": error}, 1.0),)
    costs = {"seconds": 2.0, "samples_per_second": 50.0, "peak_memory_mb": None, "total_parameters": 5_000}
    return Run(
        strategy, "tiny", seed, "cpu", 1, 100, 20, N, **{**costs, "trainable_parameters": 1_000, **more},
        task=task.card(), scores={"test": scores}, answers=tuple(said), truth=tuple(TRUTH), history=history,
    )  # fmt: skip


def test_the_smallest_error_is_best_and_its_interval_is_the_bootstraps():
    runs = [run("far", 0.3), run("near", 0.1), run("middle", 0.2)]
    lines = table(runs)
    assert [line.strategy for line in lines] == ["near", "middle", "far"]
    text = str(lines).splitlines()
    assert "test mean absolute error" in text[0] and "accuracy" not in text[0] and text[2].startswith("near")
    (line,) = summarise(runs[:1])
    off = TASK.table(runs[0].answers, TRUTH)[None]
    half = standard_error([0.3], bootstrap(TASK.metrics[0].of, off)).half
    assert (line.low, line.high) == pytest.approx((line.mae - half, line.mae + half))
    assert 0 < line.low < line.headline.value < line.high


def test_an_error_that_is_larger_is_worse_and_is_not_told_in_points():
    runs = [run("near", 0.1), run("far", 0.3), run("level", 0.3)]
    sure = verdict(runs, "near", "far")
    assert (sure.word, sure.side, sure.measure) == ("better", "better", "mae") and sure.high < 0
    assert verdict(runs, "far", "near").word == "worse" and verdict(runs, "far", "level").word == "noise"
    assert str(sure).startswith("near is better than far: -0.2") and "points" not in str(sure)
    assert "in mean absolute error (100 test rows, one seed)" in str(sure)
    matrix = verdicts(runs)
    assert matrix.names()[0] == "near" and matrix.header()[0] == "line − column"
    assert matrix.cell("near", "far").startswith("▲ -0.2") and matrix.cell("far", "near").startswith("▼ +0.2")
    with pytest.raises(BadInput, match="'accuracy' won't do; choose from: mae"):
        verdict(runs, "near", "far", "accuracy")


@dataclasses.dataclass(frozen=True)
class ErrorRate(Regression):
    """Less is better, and a share: points, turned round."""

    name = "error-rate"
    metrics = (
        Metric("mae", ("平均绝对误差", "mean absolute error"), TASK.metrics[0].of, greater=False, top=1.0),
        Metric("closeness", ("接近程度", "closeness"), lambda sums: 1 - sums[..., 1] / sums[..., 0]),
    )


def test_a_share_is_told_in_points_whichever_way_it_is_better_and_each_metric_has_its_own():
    runs = [run(name, error, seed, ErrorRate()) for name, error in (("near", 0.1), ("far", 0.3)) for seed in (0, 1)]
    fewer, more = verdict(runs, "near", "far"), verdict(runs, "near", "far", "closeness")
    assert (fewer.word, more.word) == ("better", "better")
    assert fewer.difference == pytest.approx(-more.difference) and fewer.low == pytest.approx(-more.high)
    assert (
        f"{100 * fewer.difference:+.1f} (" in str(fewer)
        and "points of mean absolute error" in str(fewer)
        and "2 seeds" in str(fewer)
    )
    (record, _) = table(runs).records()
    assert list(record)[:8] == [
        "strategy",
        "runs",
        "mae",
        "low",
        "high",
        "closeness",
        "closeness_low",
        "closeness_high",
    ]
    assert record["closeness_low"] < record["closeness"] < record["closeness_high"] <= 1


def test_curves_cross_where_the_smaller_error_changes_hands():
    grid = Grid(
        tuple((n, Comparison([run("full", a), run("head", b)])) for n, a, b in ((50, 0.4, 0.2), (100, 0.1, 0.2)))
    )
    (crossing,) = grid.crossings()
    assert (crossing.small, crossing.sure) == ("head", True) and 50 < crossing.rows < 100
    assert grid.header()[0] == "test mean absolute error \\ rows" and grid.records()[0]["mae"] < 0.5


def test_what_else_was_measured_has_a_column_and_is_empty_where_it_was_not():
    lines = table([run("a", 0.1, measures={"forgetting": 0.5, "latency": 12.0}), run("b", 0.2)])
    assert lines.header()[-2:] == ["forgets", "latency"] and lines.cells()[0][-2:] == ["+0.500", "12"]
    assert lines.cells()[1][-2:] == ["–", "–"] and [r["latency"] for r in lines.records()] == [12.0, None]


def test_runs_of_several_tasks_cannot_be_compared(tmp_path):
    with pytest.raises(BadInput, match=r"several tasks \(regression, classification\)"):
        table([run("a", 0.1), scored("b")])
    with pytest.raises(BadInput, match="several tasks"):
        verdict([run("a", 0.1), classification_run("b")], "a", "b")


def test_a_run_read_from_a_file_is_judged_as_the_one_that_was_written(tmp_path):
    one, other = run("a", 0.1), run("b", 0.3, corpus={"name": "made", "labels": [], "fingerprint": "0"})
    save_run(other, tmp_path / "b.json")
    assert verdict([one, load_run(tmp_path / "b.json")], "a", "b") == verdict([one, other], "a", "b")


def test_a_task_has_its_own_baselines_or_none():
    corpus = regression(24)
    mean = baseline(corpus)
    assert (mean.strategy, mean.model) == ("mean", "mean of the training rows") and mean.test_mae > 0
    assert len(set(mean.answers)) == 1 and mean.task == corpus.task.card() and mean.seconds == 0
    with pytest.raises(BadInput, match="regression has no baseline majority; it has: mean"):
        majority(corpus)


def test_rows_without_groups_are_nested_too(tmp_path):
    corpus = regression(24)
    few, more = (set(nested(corpus, n, 0).train) for n in (5, 12))
    assert len(few) == 5 and few < more and counts(corpus, (1, None)) == [1, 24]
    with pytest.raises(BadInput, match="whole numbers from 1 up"):
        counts(corpus, (0,))
    place = str(network(tmp_path / "toy"))
    grid = when_to_freeze([HeadOnly()], corpus, (8, None), place, (0,), CONFIG, least_steps=2)
    assert grid.sizes == [8, 24] and set(grid.curves()) == {"head", "mean"} and grid.crossings() == []


@pytest.mark.parametrize("corpus", [regression(24), parity(24)], ids=lambda c: c.name)
def test_a_job_of_any_task_ends_with_its_run_which_comes_back_the_same(corpus, tmp_path):
    job = Job(HeadOnly(), CONFIG, corpus, str(network(tmp_path / "toy")))
    run = [*job.run()][-1].run
    assert run.error is None and run.test.headline.value > 0 and run.identity == job.identity()
    save_run(run, tmp_path / job.file_name())
    assert load_run(tmp_path / job.file_name()) == run
