"""Many runs, one table."""

import dataclasses
import weakref

import pytest
from stand_ins import bert, corpus, family

from labkit.base.files import load_run, save_run
from labkit.base.records import BadInput, Notice, RunBegins, StepDone
from labkit.comparison import compare
from labkit.comparison.baselines import baseline, majority
from labkit.comparison.compare import compare, file_name, runs_in
from labkit.comparison.table import table
from labkit.models.loading import load, save
from labkit.strategies import Full, HeadOnly, LoRA, TopK
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
    assert len(baseline(corpus(n=40, classes=4)).test.classes) == 4


def test_rates_and_epochs_that_are_left_open_are_the_strategys_own_and_are_known_again(place, tmp_path):
    open_ = TrainConfig(batch_size=8, device="cpu")
    fixed = dataclasses.replace(open_, epochs=2, lr=3e-3)
    first = compare(BOTH, ROWS, place, config={BOTH[0]: fixed, BOTH[1]: open_}, out=tmp_path)
    assert (first[0].config["lr"], first[0].epochs, first[0].own) == (3e-3, 2, ())
    own = BOTH[1].default_epochs(None)
    assert first[1].own == ("lr", "epochs") and first[1].epochs == own and first[1].config["lr"] != 3e-3
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
        said, truth = run.answers.split(), run.truth.split()
        assert truth == [str(r.label) for r in ROWS.test]
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

    monkeypatch.setattr(compare, "load", noting)
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
    uneven = dataclasses.replace(rows, train=tuple(r for i, r in enumerate(rows.train) if r.label or i < 6))
    run = majority(uneven)
    assert set(run.answers.split()) == {"1"} and run.test_accuracy == 0.5
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
    assert file_name(TopK(2), 3) == "top-2-s3.json"
    odd = file_name(LoRA(where="all"), 0)
    assert odd == "lora(where=all)-s0.json"
    assert not set(file_name(type("Odd", (Full,), {"name": "a/b:c*?"})(), 0)) & set('/\\:*?"<>|')
