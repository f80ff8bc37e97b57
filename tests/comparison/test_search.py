"""Search: what is asked, what is told, what is left after a stop, and whether the report is honest about luck."""

import dataclasses
import json
import random
import sqlite3
import sys
from types import SimpleNamespace

import pytest
from made_runs import N
from made_search import found as made
from made_search import quick_run, wrongs
from stand_ins import bert, corpus, family

import labkit as lk
from labkit.base.files import load_run
from labkit.base.records import BadInput, RunEnds
from labkit.cli.commands import main
from labkit.comparison import search as module
from labkit.comparison.found import Found, TrialBegins, TrialEnds
from labkit.comparison.job import Job
from labkit.comparison.search import FRESH, Searching, search
from labkit.comparison.space import OWN, SEARCHED, TRAINING, space_of
from labkit.comparison.workers import Workers
from labkit.models.loading import load
from labkit.strategies import HeadOnly, LoRA, TopK, name_of
from labkit.training.trainer import TrainConfig

pytest.importorskip("optuna", reason="searching needs optuna: pip install 'labkit[search]'")

ROWS = corpus(n=24)
CONFIG = TrainConfig(device="cpu")
THREE = ["head", "top-K", "lora"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("models") / "bert"))


@pytest.fixture
def quick(monkeypatch):
    """Jobs that train nothing; those that were carried out."""
    carried = []

    def run_of(job):
        carried.append(job)
        yield from quick_run(job)

    monkeypatch.setattr(Job, "run", run_of)
    return carried


def asked(place, **more):
    return {
        "strategies": THREE,
        "trials": 8,
        "confirm": 2,
        "model": place,
        "config": dataclasses.replace(CONFIG, epochs=4),
        **more,
    }


def told(found):
    return [(t.point, t.value, t.state) for t in found.trials]


# What is tried


def test_the_known_defaults_are_the_first_trials(place, quick):
    found = search(ROWS, **asked(place, trials=4))
    assert [(t.strategy, t.lr, t.epochs, t.default) for t in found.trials[:3]] == [
        ("head", None, 4, True),
        ("top-2", None, 4, True),
        ("lora", None, 4, True),
    ]
    assert not found.trials[3].default and len(found.trials) == 4


def test_one_strategy_alone_is_a_list_of_one_and_what_is_none_is_refused(tmp_path):
    model = load(family("bert", tmp_path / "bert"), labels=ROWS.labels)
    assert space_of(model, ROWS, "head").strategies == {"head": HeadOnly()}
    with pytest.raises(BadInput, match=r"such as lk\.HeadOnly\(\), or its name: full"):
        space_of(model, ROWS, [HeadOnly])


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_every_point_of_the_space_is_a_strategy_that_works_and_a_config_within_bounds(tmp_path, kind):
    model = load(family(kind, tmp_path / kind), labels=ROWS.labels)
    space, rng = space_of(model, ROWS), random.Random(0)

    def ask(axis):
        if axis.choices:
            return rng.choice(axis.choices)
        return rng.randint(int(axis.low), int(axis.high)) if axis.whole else rng.uniform(axis.low, axis.high)

    seen = set()
    for point in (*space.starts(), *(space.draw(ask) for _ in range(100))):
        strategy, config = space.settings(point)
        strategy.check(model)
        seen.add(point["strategy"])
        assert config.lr is None or config.lr > 0
    assert seen == set(space.strategies) and len(seen) > 5


def test_what_is_searched_of_a_strategy_is_a_field_of_it():
    from labkit.strategies import NAMES

    for name, axes in OWN.items():
        assert {axis.name for axis in axes} <= {f.name for f in dataclasses.fields(NAMES[name])}
    assert {*TRAINING, "own"} == set(SEARCHED)


def test_a_strategy_given_with_settings_begins_with_them(place, quick):
    found = search(ROWS, **asked(place, strategies=[LoRA(rank=5), "top-1"], trials=2))
    assert [t.strategy for t in found.trials] == ["lora(rank=5)", "top-1"]


def test_only_what_is_named_is_searched(place, quick):
    found = search(ROWS, **asked(place, strategies=["lora"], space=["rate"], trials=5))
    assert all(set(t.point) == {"strategy", "rate"} for t in found.trials)
    assert len({t.lr for t in found.trials}) == 5 and {t.batch_size for t in found.trials} == {16}


# Budgets, and going on


def test_one_worker_and_a_seed_give_the_same_trials_and_another_seed_gives_others(place, quick):
    one, again, other = (search(ROWS, **asked(place, trials=10, seed=s)) for s in (0, 0, 1))
    assert told(one) == told(again)
    assert [t.point for t in one.trials] != [t.point for t in other.trials]


def test_trials_are_a_total_over_all_calls_and_no_run_is_repeated(place, quick, tmp_path):
    first = search(ROWS, **asked(place, out=tmp_path / "out"))
    before = len(quick)
    assert told(search(ROWS, **asked(place, out=tmp_path / "out"))) == told(first) and len(quick) == before
    longer = search(ROWS, **asked(place, trials=11, out=tmp_path / "out"))
    assert told(longer)[:8] == told(first) and len(longer.trials) == 11


@pytest.mark.parametrize("where", [2, 21, 38])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(place, quick, tmp_path, where):
    whole = search(ROWS, **asked(place, trials=8))
    plan = Searching(ROWS, **asked(place, trials=8, out=tmp_path / "out"))
    for number, _ in enumerate(plan.run()):
        if number == where:
            break
    later = search(ROWS, **asked(place, trials=8, out=tmp_path / "out"))
    assert [(p, v) for p, v, _ in told(later)] == [(p, v) for p, v, _ in told(whole)]
    assert [r.test for r in later.confirmed] == [r.test for r in whole.confirmed]


def test_what_a_process_left_that_was_killed_is_tried_again(place, quick, tmp_path):
    plan = Searching(ROWS, **asked(place, storage=f"sqlite:///{tmp_path / 's.db'}"))
    plan.study.begin()
    _, trial, point = plan.study.ask()
    trial.set_user_attr("owner", [*trial.user_attrs["owner"][:1], 2**22 + 1])  # no process has that number
    found = search(ROWS, **asked(place, storage=f"sqlite:///{tmp_path / 's.db'}"))
    assert len(found.trials) == 8 and [t.point for t in found.trials].count(point) == 1


def test_two_searches_on_one_storage_share_the_trials(place, quick, tmp_path):
    ask = asked(place, trials=10, confirm=0, storage=f"sqlite:///{tmp_path / 's.db'}")
    plans = [Searching(ROWS, **ask), Searching(ROWS, **ask)]
    going = [plan.run() for plan in plans]
    while going:
        going = [events for events in going if next(events, None) is not None]
    assert len(plans[0].found.trials) == len(plans[1].found.trials) in (10, 11)
    assert sum(t.default for t in plans[0].found.trials) == 3
    mine = [{json.dumps(t.point, sort_keys=True) for t in plan.found.trials} for plan in plans]
    assert mine[0] == mine[1]


def test_a_budget_in_seconds_is_kept_within_one_trial_confirmation_included(place, quick, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(module, "time", clock)
    run_of = Job.run

    def slowly(job):
        for event in run_of(job):
            clock.now += 10 if isinstance(event, RunEnds) else 0
            yield event

    monkeypatch.setattr(Job, "run", slowly)
    found = search(ROWS, **asked(place, trials=None, seconds=200, confirm=5, prune=False))
    assert 200 - 10 <= found.seconds <= 200 + 10
    assert found.verdict and found.verdict.seeds >= 2 and len(found.trials) > 3


# Validation decides


def test_no_trial_gets_to_see_a_test_row_and_the_confirmation_does_with_seeds_of_its_own(place, quick, tmp_path):
    found = search(ROWS, **asked(place, out=tmp_path / "out"))
    trials = [job for job in quick if job.config.seed < FRESH]
    last = [job for job in quick if job.config.seed >= FRESH]
    assert trials and all(job.corpus.test == () and job.corpus.valid == ROWS.valid for job in trials)
    assert [job.config.seed for job in last] == [FRESH, FRESH, FRESH + 1, FRESH + 1]
    assert all(job.corpus == ROWS for job in last)
    stored = [load_run(p) for p in sorted((tmp_path / "out" / "trials").iterdir())]
    assert len(stored) == len(found.done) and all(r.test is None and r.valid for r in stored)
    lines = lk.table(stored)
    assert "valid accuracy" in str(lines) and "test" not in lines.header()[1]
    assert lines[0].accuracy == max(line.accuracy for line in lines)


def test_the_value_of_several_seeds_is_their_mean(place, quick):
    found = search(ROWS, **asked(place, seeds=3, trials=3))
    assert {job.config.seed for job in quick if job.config.seed < FRESH} == {0, 1, 2}
    assert found.trials[0].value == pytest.approx(1 - (wrongs(quick[0]) + 1) / N)


def test_a_poor_trial_is_pruned_in_its_course_and_leaves_no_run(place, quick, tmp_path):
    found = search(ROWS, **asked(place, trials=18, out=tmp_path / "out"))
    pruned = [t for t in found.trials if t.state == "pruned"]
    assert pruned and max(t.value for t in pruned) <= max(t.value for t in found.done)
    assert all(len(t.course) < 4 for t in pruned) and not any(t.default for t in pruned[:1])
    assert len(list((tmp_path / "out" / "trials").iterdir())) == len(found.done)
    assert all(t.state == "done" for t in search(ROWS, **asked(place, trials=18, prune=False)).trials)


def test_a_search_goes_on_while_workers_are_still_stopping_what_was_pruned(place, quick, monkeypatch):
    cancel, events, free = Workers.cancel, Workers.events, Workers.free.fget
    stopping = []

    def slow_to_stop(self, key):
        stopping.append(key)
        cancel(self, key)

    def later(self):
        for event in events(self):
            stopping.clear()
            yield event

    monkeypatch.setattr(Workers, "cancel", slow_to_stop)
    monkeypatch.setattr(Workers, "events", later)
    monkeypatch.setattr(Workers, "free", property(lambda self: 0 if stopping else free(self)))
    found = search(ROWS, **asked(place, trials=18))
    assert len(found.trials) == 18 and any(t.state == "pruned" for t in found.trials)


def test_a_strategy_that_fails_is_one_failed_trial_and_stops_no_other(place, monkeypatch):
    monkeypatch.setattr(TopK, "groups", lambda *_: 1 / 0)
    found = search(
        ROWS, ["top-1", "head"], trials=2, confirm=0, model=place, config=dataclasses.replace(CONFIG, epochs=1)
    )
    assert [t.state for t in found.trials] == ["failed", "done"]
    assert "division by zero" in found.trials[0].why and found.best.strategy == "head"


def test_the_call_that_is_shown_repeats_the_best_trial(place):
    found = search(ROWS, THREE, trials=5, confirm=0, model=place, config=dataclasses.replace(CONFIG, epochs=2))
    names = {"lk": lk, "corpus": ROWS}
    exec(found.call, names)
    assert names["run"].valid_accuracy == found.best.value
    assert name_of(found.settings[0]) == found.best.strategy


def test_a_search_is_told_event_by_event(place, quick):
    plan = Searching(ROWS, **asked(place, trials=3, confirm=0))
    events = [e for e in plan.run() if isinstance(e, (TrialBegins, TrialEnds))]
    assert [type(e) for e in events] == [TrialBegins, TrialEnds] * 3
    assert events[0].text == "trial 1, head" and events[1].best and plan.complete


# The report


def test_a_gain_that_holds_on_fresh_seeds_is_called_confirmed():
    found = made(wrong=(range(20), range(60)))
    assert found.verdict.word == "better" and "Confirmed: not luck alone." in str(found)
    assert found.again("found") == pytest.approx(0.9)


@pytest.mark.parametrize(
    "wrong, said",
    [((range(40), range(1, 41)), "as far as can be seen it was luck"), ((range(60), range(20)), "Take the defaults")],
)
def test_a_gain_that_does_not_hold_is_called_luck(wrong, said):
    assert said in str(made(wrong=wrong))


def test_the_best_so_far_never_falls_and_the_best_of_equals_is_the_first():
    found = made()
    scores = [score for _, score in found.best_so_far()]
    assert scores == sorted(scores) and scores[-1] == found.best.value
    twins = Found(tuple(dataclasses.replace(t, value=0.8) for t in found.trials), found.metric, "m")
    assert twins.best.number == 1


def test_settings_that_mattered_have_shares_that_add_up_to_one(place, quick):
    found = search(ROWS, **asked(place, trials=20, prune=False, confirm=0))
    assert sum(found.importance.values()) == pytest.approx(1.0) and "rate" in found.importance
    assert search(ROWS, **asked(place, trials=4, confirm=0)).importance == {}


def test_figures_of_a_search_show_every_trial_that_has_a_score():
    found = made()
    chart = lk.plots.trials(found).axes[0]
    assert sum(len(line.get_xdata()) for line in chart.lines[1:4]) == len(found.trials)
    lines = lk.plots.parallel(found).axes[0].lines
    assert sum(line.get_linewidth() > 2 for line in lines) == 1 and len(lines) >= len(found.done)
    assert [bar.get_width() for bar in lk.plots.importance(found).axes[0].patches][-1] == pytest.approx(0.52)


# Bad input


@pytest.mark.parametrize(
    "more, named",
    [
        ({"trials": 0}, "trials=0"),
        ({"trials": None, "seconds": 0}, "seconds=0"),
        ({"seeds": 0}, "seeds=0"),
        ({"workers": 0}, "workers=0"),
        ({"strategies": []}, "nothing to search"),
        ({"strategies": ["head"], "space": []}, "nothing to search"),
        ({"space": ["colour"]}, "colour"),
        ({"strategies": ["head", "head"]}, "head more than once"),
        ({"strategies": ["nonsense"]}, "nonsense"),
        ({"strategies": ["top-9"]}, "3 layers"),
        ({"metric": "bleu"}, "accuracy, macro_f1"),
        ({"sampler": "grid"}, "tpe, random"),
        ({"storage": "foo://x"}, "no address of a storage"),
        ({"storage": "sqlite:///no/such/folder/x.db"}, "there is no such folder"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"config": TrainConfig(device="mps")}, "mps"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_message_and_leaves_nothing(place, quick, tmp_path, unplugged, more, named):
    with pytest.raises((BadInput, FileNotFoundError), match=named):
        search(
            ROWS,
            **asked(place, out=tmp_path / "out", **more)
            if "config" not in more
            else {**asked(place), **more, "out": tmp_path / "out"},
        )
    assert not (tmp_path / "out").exists() and quick == []


def test_a_strategy_that_cannot_work_on_the_model_is_refused_by_name_and_left_out_where_none_is_named(tmp_path, quick):
    other = str(family("distilbert", tmp_path / "distilbert"))
    with pytest.raises(BadInput, match="prefix does not work on distilbert"):
        search(ROWS, **asked(other, strategies=["head", "prefix"]))
    found = search(ROWS, **asked(other, strategies=None, trials=9))
    assert {"prefix", "ptuning-v2"}.isdisjoint(t.point["strategy"] for t in found.trials)


def test_the_storage_of_another_search_is_refused_by_what_differs_and_stays_as_it_is(place, quick, tmp_path):
    search(ROWS, **asked(place, out=tmp_path))
    before = sorted(p.name for p in tmp_path.rglob("*"))
    for more, named in (
        ({"metric": "macro_f1"}, "metric"),
        ({"strategies": ["head", "lora"]}, "space"),
        ({"seeds": 2}, "seeds"),
    ):
        with pytest.raises(BadInput, match=f"another search \\(other {named}"):
            search(ROWS, **asked(place, out=tmp_path, **more))
    with pytest.raises(BadInput, match="other corpus"):
        search(corpus(n=24, seed=1), **asked(place, out=tmp_path))
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_a_file_that_is_no_data_base_is_named_and_left_alone(place, quick, tmp_path):
    (tmp_path / "x.db").write_text("not a data base " * 100)
    with pytest.raises(BadInput, match="cannot be opened"):
        search(ROWS, **asked(place, storage=f"sqlite:///{tmp_path / 'x.db'}"))
    assert (tmp_path / "x.db").read_text().startswith("not a")


def test_a_data_base_can_be_opened_by_others_afterwards(place, quick, tmp_path):
    search(ROWS, **asked(place, trials=2, out=tmp_path))
    with sqlite3.connect(tmp_path / "search.db") as base:
        assert base.execute("select count(*) from trials").fetchone()[0] >= 2
    base.close()


def test_without_optuna_one_line_says_what_to_install(place, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadInput, match=r"pip install 'labkit\[search\]'"):
        search(ROWS, **asked(place, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


# The command


def test_the_command_prints_the_report_or_one_json_object_and_writes_trials_and_figures(quick, tmp_path, capsys):
    ask = [
        "search",
        "reviews",
        "--limit",
        "40",
        "--strategies",
        "head,lora",
        "--trials",
        "4",
        "--confirm",
        "2",
        "--workers",
        "1",
    ]
    assert main([*ask, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "4 trials" in printed and "lk.Trainer(" in printed
    assert {"search.json", "trials.png", "parallel.png", "search.db"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert main([*ask, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["trials"]) == 4 and answer["metric"] == "accuracy" and answer["call"].startswith("run = lk.")


def test_bad_flags_are_one_message_and_exit_2(tmp_path, capsys):
    assert main(["search", "reviews", "--limit", "40", "--trials", "0", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "trials=0" in said and not (tmp_path / "out").exists()


@pytest.mark.integration
def test_several_processes_search_together(place, tmp_path):
    ask = {"model": place, "config": dataclasses.replace(CONFIG, epochs=1), "confirm": 2, "out": tmp_path}
    found = search(ROWS, ["head", "lora"], trials=6, workers=2, **ask)
    assert len(found.trials) == 6 and {t.state for t in found.trials} <= {"done", "pruned"}
    assert len(search(ROWS, ["head", "lora"], trials=7, workers=2, **ask).trials) == 7
