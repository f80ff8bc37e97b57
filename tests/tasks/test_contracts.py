"""A modality of vectors with two tasks, all of it defined in the tests, goes through everything that labkit does to a
task: while this is green, nothing outside tasks and modalities knows texts, classes or accuracy."""

import json

import pytest
import torch
from toys import Parity, Regression, Vectors, network, parity, regression, write_csv

import labkit as lk
from labkit.base.records import BadInput, StepDone
from labkit.models.loading import load
from labkit.models.state import moving
from labkit.strategies import NAMES, TopK
from labkit.tasks import task_of
from labkit.training.trainer import Trainer

CORPORA = {"regression": regression, "parity": parity}
STRATEGIES = {name: TopK(1) if kind is TopK else kind() for name, kind in NAMES.items()}
both = pytest.mark.parametrize("kind", CORPORA)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return network(tmp_path_factory.mktemp("toy") / "net")


def trainer_on(place, kind, strategy=None, out=None, resume=False, n=48, **config):
    corpus = CORPORA[kind](n)
    model = load(place, task=corpus.task)
    settings = lk.TrainConfig(**{"epochs": 3, "lr": 3e-3, "batch_size": 8, "device": "cpu", **config})
    return Trainer(model, corpus, strategy, settings, out=out, resume=resume)


def weights(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("task", [Regression(), Regression(Vectors(2.0)), Parity()], ids=str)
def test_a_task_comes_back_from_its_card(task):
    assert task_of(json.loads(json.dumps(task.card()))) == task


@both
def test_a_task_is_learned_and_its_own_metric_tells(place, kind):
    trainer = trainer_on(place, kind, epochs=15, n=128, schedule="constant")
    first = trainer.score("valid")
    run = trainer.fit()
    metric = run.task and trainer.task.metrics[0]
    assert metric.better(getattr(run, f"test_{metric.name}"), getattr(first, metric.name))
    assert run.valid.loss < first.loss
    assert run.test.low <= run.test.headline.value <= run.test.high
    assert set(run.history[0].valid) == {metric.name} and len(run.answers) == len(run.truth) == run.n_test
    assert run.best_epoch == trainer.best_epoch
    again = [e.valid[metric.name] for e in run.history]
    assert again[run.best_epoch - 1] == (max if metric.greater else min)(again)


@both
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_trains_what_it_says(place, kind, name):
    trainer = trainer_on(place, kind, STRATEGIES[name], epochs=2)
    before = weights(trainer.model)
    run = trainer.fit()
    moved = {n for n, w in weights(trainer.model).items() if not torch.equal(w, before[n])}
    assert set(run.moved) == moved and moved <= set(moving(trainer.model))


@both
def test_the_frozen_part_is_kept_and_changes_nothing(place, kind):
    runs = [trainer_on(place, kind, TopK(1), cache=cache) for cache in ("memory", "off")]
    kept, computed = ([round(e.train_loss, 5) for e in t.fit().history] for t in runs)
    assert kept == pytest.approx(computed, abs=1e-4) and runs[0].frozen.kept and not runs[1].frozen.kept


@both
def test_a_run_resumes_to_the_bit(place, kind, tmp_path):
    whole, first = trainer_on(place, kind), trainer_on(place, kind, out=tmp_path)
    whole.fit()
    for event in first.run():
        if isinstance(event, StepDone) and event.step == 8:
            break
    first.save_state()
    second = trainer_on(place, kind, out=tmp_path, resume=True)
    second.fit()
    one, two = weights(whole.model), weights(second.model)
    assert all(torch.equal(one[n], two[n]) for n in one)


def test_a_token_task_answers_every_token_and_keeps_the_last_layer_whole(place):
    corpus = parity(24)
    model = load(place, task=corpus.task)
    items = corpus.task.encode(model.processor, corpus.test, 16)
    batch = corpus.task.collate(model.processor, items[:3])
    from labkit.training.network import Network

    outputs = Network(model, corpus.task).outputs(batch)
    assert outputs.logits.shape[:2] == batch.target.shape
    assert torch.allclose(outputs.logits, model(**batch.inputs).logits)


def test_batches_do_not_change_an_answer(place):
    corpus = regression(24)
    model = load(place, task=corpus.task)
    alone = [lk.predict(model, [e.input])[0].value for e in corpus.test]
    assert [p.value for p in lk.predict(model, [e.input for e in corpus.test])] == pytest.approx(alone, abs=1e-5)
    with pytest.raises(BadInput, match="tuple of numbers"):
        lk.predict(model, ["text"])


@both
def test_strategies_are_compared_judged_and_tabled(place, kind, tmp_path):
    corpus, settings = CORPORA[kind](64), lk.TrainConfig(epochs=6, batch_size=8, device="cpu")
    runs = lk.compare([lk.Full(), lk.HeadOnly()], corpus, model=str(place), seeds=(0, 1), config=settings, out=tmp_path)
    assert [r.error for r in runs] == [None] * 4
    metric = corpus.task.metrics[0]
    table = str(lk.table(runs))
    assert metric.title[1] in table and ("mean" in table) == (kind == "regression")
    found = lk.verdict(runs, "full", "head")
    assert found.measure == metric.name and found.low < found.difference < found.high
    means = {
        name: sum(getattr(r, f"test_{metric.name}") for r in runs if r.strategy == name) for name in ("full", "head")
    }
    assert found.side == ("better" if metric.better(means["full"], means["head"]) else "worse")
    assert metric.title[1] in str(found) and len(lk.verdicts(runs)) in (2, 6)
    again = lk.compare(
        [lk.Full(), lk.HeadOnly()], corpus, model=str(place), seeds=(0, 1), config=settings, out=tmp_path
    )
    assert [r.seconds for r in again] == [r.seconds for r in runs]  # read, not repeated


def test_the_doctor_and_the_forecast_take_any_task(place):
    trainer = trainer_on(place, "regression", n=64)
    forecast = lk.preflight(load(place, task=trainer.task), trainer.corpus, lk.HeadOnly(), trainer.config)
    assert forecast.seconds > 0 and forecast.fits
    run = trainer.fit()
    assert "\n" not in str(lk.diagnose(run, trainer.corpus)).strip() or True
    broken = trainer_on(place, "regression", lr=10.0, n=64, optimizer="sgd", clip=0.0).fit()
    assert [f.name for f in lk.diagnose(broken)][:1] == ["rate too high"]


def test_the_command_trains_and_answers(place, tmp_path, capsys, monkeypatch):
    from labkit.cli.commands import main

    monkeypatch.chdir(tmp_path)
    write_csv("rows.csv", regression(64))
    given = ["--task", "regression", "--model", str(place), "--epochs", "2", "--out", "out", "--json"]
    assert main(["train", "rows.csv", *given]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"test_mae", "valid_mae", "seconds", "out"} <= set(printed) and "test_accuracy" not in printed
    model = lk.load("out")
    assert model.task == Regression() and lk.evaluate(model, regression(64).test).mae > 0
    assert main(["predict", "out", "0.5 0.25"]) == 0
    assert capsys.readouterr().out.endswith("\t(0.5, 0.25)\n")


def test_a_model_of_another_task_is_refused_in_words(place):
    with pytest.raises(
        BadInput, match=r"task is parity \(vectors\), the corpus's regression \(vectors\).*task=corpus.task"
    ):
        Trainer(load(place, task=Parity()), regression(24))


@pytest.mark.parametrize("panel", ["Train", "Compare"])
def test_panels_run_any_task(place, panel, tmp_path):
    ui = pytest.importorskip("labkit.ui", reason="panels need ipywidgets")
    corpus = regression(32)
    made = getattr(ui, panel)(corpus, model=str(place), **({"out": tmp_path} if panel == "Compare" else {}))
    made.set(epochs=1)
    made.run_button.click()
    made.wait()
    assert made.state == "done" and "mean absolute error" in made.picture()
    assert made.figure() is not None
