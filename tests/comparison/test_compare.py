"""Many runs, one table."""

import dataclasses
import pickle
import shutil
import weakref

import pytest
from stand_ins import bert, corpus, family

from labkit.base.files import load_run, save_run
from labkit.base.records import BadInput, EpochDone, Notice, RunBegins, RunEnds, StepDone
from labkit.comparison import compare as module
from labkit.comparison import job as job_module
from labkit.comparison.baselines import baseline, majority
from labkit.comparison.compare import Comparing, compare, runs_in
from labkit.comparison.job import Job
from labkit.comparison.table import table
from labkit.models.loading import load, save
from labkit.strategies import Full, HeadOnly, LoRA, TopK
from labkit.strategies.retaining import L2SP
from labkit.training.trainer import TrainConfig

ROWS = corpus(n=24)
CONFIG = TrainConfig(epochs=1, lr=3e-3, batch_size=8, device="cpu")
BOTH = [Full(), HeadOnly(pooler=False)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("models") / "bert"))


@pytest.fixture(scope="module")
def runs(place):
    return compare([*BOTH, TopK(1)], ROWS, place, seeds=(0, 1), config=CONFIG)


def test_each_strategy_and_seed_is_one_run_on_a_fresh_model(runs, place):
    assert [(r.strategy, r.seed) for r in runs] == [
        (name, seed) for seed in (0, 1) for name in ("full", "head(pooler=False)", "top-1")
    ]
    assert all(r.config["seed"] == r.seed and r.config["epochs"] == 1 and r.model == place for r in runs)
    assert runs[0].steps != runs[3].steps
    alone = compare([TopK(1)], ROWS, place, seeds=(1,), config=CONFIG)[0]
    assert alone.steps == runs[-1].steps and alone.test == runs[-1].test


def test_strategies_go_by_name_too_and_one_alone_is_a_list_of_one(place):
    def asked(strategies, config=CONFIG):
        return [(job.name, job.config.lr) for job in Comparing(strategies, ROWS, place, config=config).jobs]

    assert asked(["full", HeadOnly(), "top-1"]) == [("full", 3e-3), ("head", 3e-3), ("top-1", 3e-3)]
    assert asked("lora") == asked(LoRA()) == [("lora", 3e-3)]
    assert asked(["full", "head"], {"head": TrainConfig(lr=1e-4), Full(): CONFIG}) == [("full", 3e-3), ("head", 1e-4)]


@pytest.mark.parametrize(
    "given, said",
    [(Full, r"such as lk\.Full\(\)"), ([HeadOnly], r"lk\.HeadOnly\(\)"), ([3], "strategy=3"), ("lorra", "'lorra'")],
)
def test_what_is_no_strategy_is_refused_with_those_that_there_are(given, said, place):
    with pytest.raises(BadInput, match=f"(?s){said}.*ptuning-v2"):
        Comparing(given, ROWS, place, config=CONFIG)


def test_runs_are_kept_and_read_instead_of_repeated(place, tmp_path):
    first, seen = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path / "out"), []
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert files == ["full-s0.json", "head(pooler=False)-s0.json", "majority-s0.json", "tf-idf-s0.json"]
    (tmp_path / "out" / "full-s0.json").unlink()
    again = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path / "out", listen=seen.append)
    assert [r.steps for r in again] == [r.steps for r in first]
    assert sum(isinstance(e, StepDone) for e in seen) == 3  # the one that was missing


@pytest.mark.parametrize(
    "change, named",
    [
        ({"corpus": corpus(n=24, seed=1)}, "corpus"),
        ({"config": dataclasses.replace(CONFIG, lr=1e-4)}, "config"),
        ({"model": "tiny-bert-zh"}, "model"),
    ],
)
def test_a_file_of_another_comparison_is_refused_by_what_differs(runs, place, tmp_path, change, named):
    save_run(runs[0], tmp_path / "full-s0.json")
    same = {"corpus": ROWS, "model": place, "config": CONFIG}
    assert compare([Full()], **same, out=tmp_path) == [load_run(tmp_path / "full-s0.json")]
    with pytest.raises(BadInput, match=named) as caught:
        compare([Full()], **{**same, **change}, out=tmp_path)
    assert "full-s0.json" in str(caught.value)


def test_ctrl_c_gives_the_runs_that_are_finished(place, tmp_path):
    steps = []

    def listen(event):
        steps.append(event)
        if sum(isinstance(e, StepDone) for e in steps) == 5:
            raise KeyboardInterrupt

    found = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path, listen=listen)
    assert [r.strategy for r in found] == ["full"]
    assert [p.name for p in tmp_path.iterdir()] == ["full-s0.json"]


def test_the_baseline_learns_and_is_a_run_like_the_others():
    rows = corpus(n=200)
    run = baseline(rows)
    assert run.test_accuracy > 0.8 and run.test_accuracy == run.test.accuracy
    assert (run.strategy, run.n_train, run.epochs) == ("tf-idf", 200, 0)
    assert run.trainable_parameters == run.total_parameters > 100
    again = baseline(rows)
    assert (again.test, again.valid) == (run.test, run.valid)


def test_the_baseline_works_on_a_handful_of_rows_and_on_many_classes():
    assert baseline(corpus(n=6)).n_train == 6
    assert len(baseline(corpus(n=40, classes=4)).test.parts) == 4


def test_rates_and_epochs_that_are_left_open_are_the_strategys_own_and_are_known_again(place, tmp_path):
    open_ = TrainConfig(batch_size=8, device="cpu")
    fixed = dataclasses.replace(open_, epochs=2, lr=3e-3)
    first = compare(BOTH, ROWS, place, config={BOTH[0]: fixed, BOTH[1]: open_}, out=tmp_path)
    asked = [(r.identity["config"]["lr"], r.identity["config"]["epochs"]) for r in first]
    assert (first[0].config["lr"], first[0].epochs, asked[0]) == (3e-3, 2, (3e-3, 2))
    own = BOTH[1].default_epochs(None)
    assert asked[1] == (None, None) and first[1].epochs == own and first[1].config["lr"] not in (3e-3, None)
    seen = []
    again = compare(BOTH, ROWS, place, config={BOTH[0]: fixed, BOTH[1]: open_}, out=tmp_path, listen=seen.append)
    assert again == [load_run(tmp_path / "full-s0.json"), load_run(tmp_path / "head(pooler=False)-s0.json")]
    assert seen == []
    with pytest.raises(BadInput, match=r"full-s0\.json is of another comparison"):  # the same numbers, but not its own
        compare(BOTH, ROWS, place, config=open_, out=tmp_path)


def test_a_run_that_fails_is_recorded_tried_again_and_stops_no_other(place, tmp_path, monkeypatch):
    monkeypatch.setattr(TopK, "groups", lambda *_: 1 / 0)
    seen, plan = [], [TopK(2), HeadOnly(pooler=False)]
    ask = {"config": CONFIG, "out": tmp_path, "listen": seen.append}
    found = compare(plan, ROWS, place, **ask)
    broken, fine = found
    assert "division by zero" in broken.error and broken.test_accuracy is None and fine.test_accuracy is not None
    assert load_run(tmp_path / "top-2-s0.json") == broken
    assert any("top-2, seed 0 failed: ZeroDivisionError" in e.text for e in seen if isinstance(e, Notice))
    lines = table(found)
    assert "top-2" not in {line.strategy for line in lines} and "top-2 (seed 0) failed" in str(lines)
    seen.clear()
    compare(plan, ROWS, place, **ask)
    assert [e.strategy for e in seen if isinstance(e, RunBegins)] == ["top-2"]
    seen.clear()
    kept = compare(plan, ROWS, place, **ask, retry=False)
    assert kept[0] == broken and seen == []


def test_any_error_in_a_run_is_recorded_by_name(place, monkeypatch):
    monkeypatch.setattr(HeadOnly, "groups", lambda *_: 1 / 0)
    broken, fine = compare([HeadOnly(), Full()], ROWS, place, config=CONFIG)
    assert broken.error.startswith("ZeroDivisionError: division") and fine.error is None


@pytest.mark.parametrize(
    "strategies, more, named",
    [
        ([Full(), Full()], {}, "full given more than once"),
        ([Full()], {"seeds": (1, 1)}, "1 given more than once"),
        ([], {}, "none given"),
        ([Full()], {"model": "no-such-model"}, "no-such-model"),
        ([Full()], {"config": TrainConfig(device="mps")}, "mps"),
    ],
)
def test_what_concerns_all_runs_stops_before_the_first(place, tmp_path, unplugged, strategies, more, named):
    seen = []
    with pytest.raises((BadInput, FileNotFoundError), match=named):
        compare(
            strategies, ROWS, **{"model": place, "config": CONFIG, **more}, out=tmp_path / "out", listen=seen.append
        )
    assert not (tmp_path / "out").exists() and not any(isinstance(e, StepDone) for e in seen)


def test_answers_and_truth_give_the_scores_again(runs):
    for run in (*runs, *runs.beside):
        said, truth = run.answers, run.truth
        assert list(truth) == [r.target for r in ROWS.test]
        assert sum(a == b for a, b in zip(said, truth, strict=True)) / len(truth) == run.test_accuracy


def test_what_a_run_adds_to_the_pretrained_model_is_its_saved_size(runs):
    full, head, top = runs[:3]
    assert full.saved_bytes == 4 * full.total_parameters
    pooler = 32 * 32 + 32  # counts as head, and may be new
    assert head.saved_bytes == 4 * (head.trainable_parameters + pooler)
    assert head.saved_bytes < top.saved_bytes < full.saved_bytes


def test_the_saved_size_of_something_added_is_that_of_the_file(place, tmp_path):
    (run,) = compare([LoRA(rank=2)], ROWS, place, config=CONFIG)
    model = LoRA(rank=2).prepare(load(place, labels=ROWS.labels))
    save(model, tmp_path / "saved")
    assert run.saved_bytes == (tmp_path / "saved" / "adapter_model.safetensors").stat().st_size
    assert 0 < run.saved_bytes - 4 * run.trainable_parameters < 4096  # names and shapes


def test_the_model_of_one_run_is_gone_before_the_next_is_loaded(place, monkeypatch):
    seen, alive = [], []

    def noting(*args, **more):
        alive.append(sum(ref() is not None for ref in seen))
        model = load(*args, **more)
        seen.append(weakref.ref(model))
        return model

    monkeypatch.setattr(module, "load", noting)
    monkeypatch.setattr(job_module, "load", noting)
    compare([Full(), HeadOnly(), LoRA()], ROWS, place, config=CONFIG)
    assert alive == [0, 0, 0, 0]  # the first only says whether the strategies work on it


def test_the_baselines_stand_beside_and_are_kept_too(runs, place, tmp_path):
    assert [r.strategy for r in runs.beside] == ["tf-idf", "majority"]
    first = compare([BOTH[1]], ROWS, place, config=CONFIG, out=tmp_path)
    assert load_run(tmp_path / "tf-idf-s0.json") == first.beside[0]
    again = compare([BOTH[1]], ROWS, place, config=CONFIG, out=tmp_path)
    assert again.beside[0].seconds == first.beside[0].seconds
    stored = runs_in(tmp_path)
    assert list(stored) == list(again) and stored.beside == again.beside
    with pytest.raises(BadInput, match="holds no runs"):
        runs_in(tmp_path / "none")


def test_the_majority_class_is_that_of_the_training_rows():
    rows = corpus(n=24)
    uneven = dataclasses.replace(rows, train=tuple(r for i, r in enumerate(rows.train) if r.target or i < 6))
    run = majority(uneven)
    assert set(run.answers) == {1} and run.test_accuracy == 0.5
    assert run.test_macro_f1 == pytest.approx(1 / 3)


def test_forgetting_is_measured_when_asked_and_where_it_cannot_be_is_said(place, tmp_path):
    masked = str(family("macbert", tmp_path / "masked"))
    full, head = compare([Full(), HeadOnly()], ROWS, masked, config=CONFIG, forgetting=True)
    assert full.forgetting not in (None, 0.0) and head.forgetting == 0.0
    (bare,) = compare([BOTH[1]], ROWS, place, config=CONFIG, forgetting=True)
    assert bare.forgetting is None and bare.error is None and bare.notices


def test_runs_announce_themselves(place):
    seen = []
    compare(BOTH, ROWS, place, config=CONFIG, listen=seen.append)
    begun = [e for e in seen if isinstance(e, RunBegins)]
    assert [(e.strategy, e.seed, e.number, e.total) for e in begun] == [
        ("full", 0, 1, 2),
        ("head(pooler=False)", 0, 2, 2),
    ]
    assert begun[0].text == "full, seed 0 (1 of 2)"


def test_no_name_of_a_file_is_one_that_a_file_system_refuses():
    def file_name(strategy, seed=0):
        return Job(strategy, TrainConfig(seed=seed), ROWS, "tiny-bert-zh").file_name()

    assert file_name(TopK(2), 3) == "top-2-s3.json"
    odd = file_name(LoRA(where="all"), 0)
    assert odd == "lora(where=all)-s0.json"
    assert not set(file_name(type("Odd", (Full,), {"name": "a/b:c*?"})(), 0)) & set('/\\:*?"<>|')


# Jobs and events


def test_the_same_job_gives_the_same_run_also_after_it_was_pickled(place):
    job = Job(TopK(1), CONFIG, ROWS, place)
    copy = pickle.loads(pickle.dumps(job))
    assert copy == job and copy.identity() == job.identity()
    one, other = ([*j.run()][-1].run for j in (job, copy))
    for name in ("scores", "answers", "steps", "moved", "config", "identity", "saved_bytes"):
        assert getattr(one, name) == getattr(other, name), name
    another = [*dataclasses.replace(job, config=dataclasses.replace(CONFIG, seed=1)).run()][-1].run
    assert another.steps != one.steps


def test_a_run_under_a_retainer_has_a_name_of_its_own(place):
    job = Job(Full(), CONFIG, ROWS, place, retain=L2SP(strength=0.5))
    assert job.file_name() == "full+l2sp(strength=0.5)-s0.json"
    run = [*job.run()][-1].run
    assert run.strategy == job.name == "full+l2sp(strength=0.5)" and run.identity == job.identity()
    assert run.identity != dataclasses.replace(job, retain=None).identity()


def test_a_comparison_is_told_event_by_event_and_a_run_is_on_disk_before_its_end_is_told(place, tmp_path):
    plan, told = Comparing(BOTH, ROWS, place, config=CONFIG, out=tmp_path), []
    for event in plan.run():
        told.append(type(event))
        if isinstance(event, RunEnds):
            assert event.run.strategy in {r.strategy for r in (*plan.runs, *plan.runs.beside)}
            assert event.run == load_run(tmp_path / f"{event.run.strategy}-s0.json")
    one = [RunBegins, *[StepDone] * 3, EpochDone, RunEnds]
    assert told == [*one, *one, RunEnds, RunEnds] and plan.complete  # the last two: the baselines
    assert plan.runs == runs_in(tmp_path) and plan.runs.beside == runs_in(tmp_path).beside
    assert list(Comparing(BOTH, ROWS, place, config=CONFIG, out=tmp_path).run()) == []


def test_leaving_the_loop_within_a_run_leaves_the_finished_ones_and_going_on_repeats_none(place, tmp_path):
    plan = Comparing(BOTH, ROWS, place, seeds=(0, 1), config=CONFIG, out=tmp_path)
    steps = 0
    for event in plan.run():
        steps += isinstance(event, StepDone)
        if steps == 5:  # in the second run of four
            break
    assert [r.strategy for r in plan.runs] == ["full"] and plan.runs.beside == () and not plan.complete
    assert [p.name for p in tmp_path.iterdir()] == ["full-s0.json"]
    first = plan.runs[0]
    begun = [(e.strategy, e.seed, e.number) for e in plan.run() if isinstance(e, RunBegins)]
    assert begun == [("head(pooler=False)", 0, 2), ("full", 1, 3), ("head(pooler=False)", 1, 4)]
    assert len(plan.runs) == 4 and plan.runs[0] is first and len(plan.runs.beside) == 2


def test_equal_weights_in_another_folder_are_the_same_model_and_others_under_the_same_name_are_not(place, tmp_path):
    moved, out, seen = tmp_path / "moved", tmp_path / "out", []
    shutil.copytree(place, moved)
    first = compare([BOTH[1]], ROWS, place, config=CONFIG, out=out)
    assert compare([BOTH[1]], ROWS, moved, config=CONFIG, out=out, listen=seen.append) == first and seen == []
    shutil.rmtree(moved)
    bert(moved, seed=1)
    with pytest.raises(BadInput, match=r"head\(pooler=False\)-s0\.json is of another comparison \(other model\)"):
        compare([BOTH[1]], ROWS, moved, config=CONFIG, out=out)
    assert load_run(out / "head(pooler=False)-s0.json") == first[0]
