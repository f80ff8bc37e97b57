"""Recommending: what is proposed, why, and when it cannot be told."""

import dataclasses
from types import SimpleNamespace

import pytest
from made_runs import run
from stand_ins import bert, corpus, family

import labkit as lk
from labkit.base.records import BadInput, RunEnds
from labkit.comparison import recommend as module
from labkit.comparison.compare import Comparison
from labkit.comparison.job import Job
from labkit.comparison.recommend import recommend
from labkit.strategies import Full, TopK, name_of

ROWS = corpus(n=200)
FOUR = ["head", "top-1", "lora", "full"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("models") / "bert"))


@pytest.fixture
def world(monkeypatch):
    """Runs that train nothing: what each strategy gets wrong of 200 rows and costs in seconds, and the baselines."""
    known = SimpleNamespace(
        wrong={"head": 60, "top-1": 22, "lora": 21, "full": 20},
        cost={},
        cheap={"tf-idf": 70, "majority": 100},
        jobs=[],
        fits={},
        first={},
    )

    def of(job):
        known.jobs.append(job)
        wrong = known.wrong[job.name]
        first = known.first.get(job.name, 0) + job.config.seed
        spread = range(first, first + wrong)
        yield RunEnds(run(job.name, spread, job.config.seed, seconds=known.cost.get(job.name, 1.0)))

    def forecast(model, rows, strategy, config):
        name = name_of(strategy)
        return SimpleNamespace(fits=known.fits.get(name, True), seconds=known.cost.get(name, 1.0))

    def cheap(runs, rows):
        return Comparison(runs, [constant(run(n, range(w), trained=False), n) for n, w in known.cheap.items()])

    monkeypatch.setattr(Job, "run", of)
    monkeypatch.setattr(module, "preflight", forecast)
    monkeypatch.setattr(module, "beside", cheap)
    return known


def constant(made, name):
    """The majority answers one and the same."""
    return dataclasses.replace(made, answers=(0,) * made.n_test) if name == "majority" else made


def test_of_those_that_are_equally_good_the_cheapest_is_proposed_with_its_reasons(place, world):
    world.cost = {"head": 0.2, "top-1": 1.0, "lora": 3.0, "full": 4.0}
    advice = recommend(ROWS, place, strategies=FOUR)
    assert advice.strategy == TopK(1)
    assert "top-1 is the cheapest" in advice.why[0] and "validation rows" in str(advice)
    assert "test rows" in advice.unseen[-1] and "lk.TopK(k=1)" in advice.call
    assert {r.strategy for r in advice.evidence} == set(FOUR)


def test_one_that_is_clearly_best_is_proposed_whatever_it_costs(place, world):
    world.wrong |= {"top-1": 60, "lora": 60}
    world.cost = {"full": 9.0}
    advice = recommend(ROWS, place, strategies=FOUR)
    assert advice.strategy == Full() and "best on the validation rows" in advice.why[0]


def test_what_is_clearly_behind_is_not_run_any_more(place, world):
    recommend(ROWS, place, strategies=FOUR)
    runs = {name: sum(job.name == name for job in world.jobs) for name in FOUR}
    assert runs["head"] == 2 and runs["full"] == module.SEEDS


def test_it_cannot_be_told_where_a_cheaper_one_may_be_as_good_and_may_not(place, world):
    world.wrong |= {"head": 28, "top-1": 60, "lora": 60}
    world.cost, world.first = {"head": 0.1}, {"head": 120}
    advice = recommend(ROWS, place, strategies=FOUR)
    assert advice.strategy is None and "cannot be told from head" in advice.why[0]
    assert str(advice).startswith("proposal: cannot tell") and advice.call == ""


@pytest.mark.parametrize(
    "cheap, said",
    [
        ({"tf-idf": 5, "majority": 100}, "take tf-idf for now"),
        ({"majority": 20}, "Nothing was learned"),
    ],
)
def test_it_cannot_be_told_where_cheap_baselines_are_not_reached(place, world, cheap, said):
    world.cheap = cheap
    advice = recommend(ROWS, place, strategies=FOUR)
    assert advice.strategy is None and said in advice.why[0]


def test_a_baseline_that_is_level_is_a_warning(place, world):
    world.cheap["tf-idf"] = 20
    advice = recommend(ROWS, place, strategies=FOUR)
    assert advice.strategy is not None and any("mind: " in why and "tf-idf" in why for why in advice.why)


def test_one_seed_tells_nothing(place, world, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(module, "time", clock)
    of = Job.run

    def slowly(job):
        clock.now += 12
        yield from of(job)

    monkeypatch.setattr(Job, "run", slowly)
    advice = recommend(ROWS, place, seconds=60, strategies=FOUR)
    assert advice.strategy is None and "1 seeds" in advice.why[0] and advice.seconds <= 60 + 12


def test_a_small_budget_makes_the_runs_short_and_says_so(place, world):
    world.cost = dict.fromkeys(FOUR, 30.0)
    advice = recommend(ROWS, place, seconds=200, strategies=FOUR)
    assert {len(job.corpus.train) for job in world.jobs} != {200}
    assert "few rows favour freezing" in advice.unseen[0]


def test_what_does_not_fit_or_does_not_work_is_not_run_and_named(tmp_path, world):
    world.fits = {"full": False}
    other = str(family("distilbert", tmp_path / "distilbert"))
    advice = recommend(ROWS, other, strategies=["head", "full", "top-1", "prefix"])
    assert {job.name for job in world.jobs} == {"head", "top-1"}
    assert "full: do not fit into memory" in advice.why and "prefix: do not work on this model" in advice.why


def test_test_rows_are_not_looked_at(place, world):
    recommend(ROWS, place, strategies=FOUR)
    assert all(job.corpus.test == ROWS.valid for job in world.jobs)


def test_real_runs_of_models_that_learned_nothing_are_no_recommendation(place):
    config = lk.TrainConfig(epochs=1, lr=1e-9, device="cpu")
    advice = recommend(ROWS, place, seconds=30, strategies=["head", "top-1"], config=config)
    assert advice.strategy is None and advice.evidence


@pytest.mark.parametrize("more, named", [({"seconds": 0}, "seconds=0"), ({"strategies": ["nonsense"]}, "nonsense")])
def test_bad_input_is_one_message(place, more, named):
    with pytest.raises(BadInput, match=named):
        recommend(ROWS, place, **more)
    with pytest.raises(BadInput, match="validation rows"):
        recommend(dataclasses.replace(ROWS, valid=()), place)
