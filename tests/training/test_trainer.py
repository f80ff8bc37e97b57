"""The loop: against the transformers Trainer, against itself resumed, and what every strategy must leave alone."""

import contextlib
import copy
import dataclasses
import json
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from stand_ins import bert, corpus, family

from labkit.base.records import BadInput, EpochDone, Measure, Notice, StepDone
from labkit.models.families import blocks
from labkit.models.loading import load
from labkit.models.state import fingerprint
from labkit.strategies import Full, GradualUnfreeze, HeadOnly, TopK
from labkit.strategies.retaining import L2SP, Replay
from labkit.training.checkpoint import Checkpoints
from labkit.training.optimizers import lr_factor
from labkit.training.trainer import TrainConfig, Trainer

ROWS, FEW = corpus(n=48), corpus(n=24)
LOADED: dict = {}
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Saved stand-ins: without dropout, with dropout, and of another family with dropout."""
    root = tmp_path_factory.mktemp("models")
    drop = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    gpt2 = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
    return {
        "plain": bert(root / "plain"),
        "wide start": bert(root / "wide", initializer_range=0.2),  # learns from the first steps on
        "dropout": bert(root / "dropout", **drop),
        "gpt2": family("gpt2", root / "gpt2", **gpt2),
        "language": family("macbert", root / "language"),  # with its language-model head
    }


@pytest.fixture
def make(places):
    """A Trainer on a fresh model: `make("dropout", TopK(1), epochs=3)`."""

    def made(kind="plain", strategy=None, rows=ROWS, out=None, resume=False, seed=0, retain=None, **config):
        if (kind, rows.labels) not in LOADED:
            LOADED[kind, rows.labels] = load(places[kind], labels=rows.labels)
        model = LOADED[kind, rows.labels]
        model = copy.deepcopy(model, {id(model.processor): model.processor})  # many times quicker than loading anew
        config = {"epochs": 2, "lr": 3e-3, "batch_size": 8, "seed": seed, "device": "cpu", **config}
        return Trainer(model, rows, strategy, TrainConfig(**config), retain=retain, out=out, resume=resume)

    return made


def weights(trainer):
    return {n: p.detach().clone() for n, p in trainer.model.named_parameters()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def losses(trainer, *kinds):
    return [e.loss for e in trainer.run() if isinstance(e, StepDone)]


def stop_at(trainer, step):
    """Run until this step is done, and leave."""
    for event in trainer.run():
        if isinstance(event, StepDone) and event.step == step:
            break


# The loop against others


def test_losses_agree_with_the_transformers_trainer(places, tmp_path):
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback, TrainingArguments
    from transformers import Trainer as Theirs

    rows = corpus(n=200)
    settings = {"epochs": 2, "batch_size": 8, "lr": 2e-3, "weight_decay": 0.1, "clip": 0.5, "warmup": 0.1}
    config = TrainConfig(bucket=False, device="cpu", **settings)
    ours = Trainer(load(places["wide start"], labels=rows.labels), rows, Full(), config)
    items = [ours.batches.items["train"][i] for epoch in (0, 1) for batch in ours.order(epoch) for i in batch]
    found = []

    class SameOrder(Theirs):
        def _get_train_sampler(self, *_):
            return SequentialSampler(self.train_dataset)

        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            found.append(float(loss))
            return loss

    def batch(chosen):
        made = ours.task.collate(ours.batches.processor, chosen)
        return {**made.inputs, "labels": made.target}

    arguments = TrainingArguments(
        output_dir=str(tmp_path / "theirs"),
        num_train_epochs=1,  # their one epoch is our two, laid end to end
        per_device_train_batch_size=8,
        learning_rate=2e-3,
        weight_decay=0.1,
        max_grad_norm=0.5,
        warmup_steps=5,
        lr_scheduler_type="linear",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    model = load(places["wide start"], labels=rows.labels)
    theirs = SameOrder(model=model, args=arguments, train_dataset=items, data_collator=batch)
    theirs.remove_callback(PrinterCallback)
    theirs.train()
    mine = losses(ours)
    assert len(mine) == len(found) == 50
    assert sum(found[:10]) - sum(found[-10:]) > 1  # it learned: these are not two flat lines
    assert mine == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("schedule, theirs", [("linear", "linear"), ("cosine", "cosine")])
def test_the_rate_follows_the_schedule_of_transformers(schedule, theirs):
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    other = get_scheduler(theirs, optimizer, num_warmup_steps=4, num_training_steps=40)
    for step in range(40):
        assert lr_factor(step, 40, schedule=schedule, warmup=0.1) == pytest.approx(other.get_last_lr()[0])
        optimizer.step()
        other.step()


def test_the_rate_rises_from_zero_and_ends_at_zero():
    assert [lr_factor(s, 10, warmup=0.2) for s in (0, 1, 2, 6)] == [0.0, 0.5, 1.0, 0.5]
    assert lr_factor(99, 100, schedule="cosine", warmup=0) < 0.001
    assert [lr_factor(s, 10, schedule="constant", warmup=0.1) for s in (0, 1, 9)] == [0.0, 1.0, 1.0]
    assert lr_factor(0, 1, warmup=0) == 1.0
    assert lr_factor(3, 4, warmup=1.0) == 0.75  # warming up to the end is allowed


def test_every_step_trains_at_the_rate_that_it_tells(make):
    trainer = make(schedule="cosine")
    for event in trainer.run():
        if isinstance(event, StepDone):
            assert event.lr == trainer.lr * lr_factor(event.step - 1, 12, schedule="cosine")
            assert all(g["lr"] == event.lr for g in trainer.optimizer.param_groups)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "momentum"])
def test_each_optimizer_is_torchs_own_and_decays_matrices_only(make, name):
    trainer = make(optimizer=name, weight_decay=0.3)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}.get(name, torch.optim.SGD)
    assert type(trainer.optimizer) is kind
    for group in trainer.optimizer.param_groups:
        assert all((p.ndim > 1) == (group["weight_decay"] == 0.3) for p in group["params"])
    if kind is torch.optim.SGD:
        assert trainer.optimizer.defaults["momentum"] == (0.9 if name == "momentum" else 0)


def test_gradients_are_clipped_to_the_norm_asked_for(make, monkeypatch):
    seen = []
    trainer = make(clip=0.01, epochs=1)
    step = trainer.optimizer.step

    def spy(*args, **kwargs):
        seen.append(torch.cat([p.grad.reshape(-1) for p in trainer.trained]).norm().item())
        return step(*args, **kwargs)

    monkeypatch.setattr(trainer.optimizer, "step", spy)
    trainer.fit()
    assert seen == [pytest.approx(0.01, rel=1e-3)] * len(seen)


# The loop against itself


def test_the_same_seed_gives_the_same_run_to_the_bit_and_another_seed_another(make):
    one, two, other = make("dropout"), make("dropout"), make("dropout", seed=1)
    first, second, third = one.fit(), two.fit(), other.fit()
    assert first.steps == second.steps and [e.valid_loss for e in first.history] == [
        e.valid_loss for e in second.history
    ]
    assert same(weights(one), weights(two))
    assert first.steps != third.steps
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize("step", [1, 4, 6, 9, 12])  # 6 batches an epoch: the middle, and the last batch before scoring
def test_a_run_left_by_break_and_run_again_equals_one_that_was_not(make, step):
    whole, parts = make("dropout"), make("dropout")
    whole.fit()
    stop_at(parts, step)
    torch.rand(7)  # what the caller draws in between is no business of the run
    run = parts.fit()
    assert same(weights(whole), weights(parts))
    assert [e.train_loss for e in whole.history] == [e.train_loss for e in parts.history]
    assert len(run.history) == 2 and run.stopped is None


@pytest.mark.parametrize(
    "step, config",
    [
        (6, {}),
        (9, {}),
        (9, {"optimizer": "sgd"}),
        (9, {"optimizer": "momentum"}),
        (9, {"patience": 1, "epochs": 3}),
        (9, {"precision": "bf16"}),
        (3, {"class_weights": "balanced", "accumulation": 3}),
    ],
)
def test_a_run_resumed_from_disk_equals_one_that_was_not_stopped(make, tmp_path, step, config):
    whole, first = make("dropout", **config), make("dropout", out=tmp_path, **config)
    expected = whole.fit()
    stop_at(first, step)
    first.save_state()
    second = make("dropout", out=tmp_path, resume=True, **config)
    assert (second.step, second.epoch) == (step, first.epoch)
    run = second.fit()
    assert same(weights(whole), weights(second))
    assert run.steps == expected.steps
    assert (run.valid, run.test, run.moved, run.stopped) == (
        expected.valid,
        expected.test,
        expected.moved,
        expected.stopped,
    )
    assert [(e.train_loss, e.valid_loss) for e in run.history] == [
        (e.train_loss, e.valid_loss) for e in expected.history
    ]


def test_resuming_a_finished_run_trains_no_more(make, tmp_path):
    first = make(out=tmp_path)
    run = first.fit()
    second = make(out=tmp_path, resume=True)
    assert list(second.run()) == []
    again = second.report()
    assert (again.test, again.history, again.moved, again.seconds) == (run.test, run.history, run.moved, run.seconds)


def test_resume_with_nothing_there_starts_from_the_beginning(make, tmp_path):
    assert make(out=tmp_path / "new", resume=True).fit().epochs == 2


def test_accumulating_over_pieces_gives_the_same_losses(make):
    assert losses(make(accumulation=3)) == pytest.approx(losses(make()), abs=1e-6)


@pytest.mark.parametrize("pieces", [1, 3])
def test_class_weights_are_torchs_weighted_mean(make, pieces):
    rows = dataclasses.replace(ROWS, train=tuple(r for i, r in enumerate(ROWS.train) if r.target == 0 or i % 6 == 1))
    trainer = make(rows=rows, class_weights="balanced", accumulation=pieces)
    counts = [24, 8]
    weight = torch.tensor([32 / (2 * n) for n in counts])
    chosen = trainer.order(0)[0]
    batch = trainer.batches.batch("train", chosen)
    target = batch.target
    expected = torch.nn.functional.cross_entropy(trainer.model(**batch.inputs).logits, target, weight=weight)
    assert 0 < target.sum() < len(target)
    assert next(iter(trainer.run())).loss == pytest.approx(expected.item(), abs=1e-6)


def test_training_learns(make):
    run = make(rows=corpus(n=200), lr=1e-2).fit()
    assert run.test_accuracy > 0.8
    assert run.history[-1].train_loss < 0.5 * run.history[0].train_loss


# Stopping


def scripted(trainer, series, monkeypatch):
    """Let the validation macro-F1 be this series, one number an epoch; gives the weights that were scored."""
    real, left, seen = trainer.score, list(series), []

    def score(split):
        seen.append(weights(trainer))
        scores = real(split)
        told = {"macro_f1": Measure(left.pop(0))} if left else {}
        return dataclasses.replace(scores, metrics={**scores.metrics, **told})

    monkeypatch.setattr(trainer, "score", score)
    return seen


@pytest.mark.parametrize("epochs, series, stopped", [(9, [0.5, 0.7, 0.7, 0.6], "early"), (3, [0.5, 0.7, 0.6], None)])
def test_patience_stops_early_and_restores_the_best_epoch(make, monkeypatch, tmp_path, epochs, series, stopped):
    trainer, at_end = make(epochs=epochs, patience=2, out=tmp_path), []
    seen = scripted(trainer, series, monkeypatch)
    run = trainer.fit(lambda e: at_end.append(e.best) if isinstance(e, EpochDone) else None)
    assert (run.epochs, run.stopped, run.best_epoch) == (len(series), stopped, 2)
    assert at_end == [True, True, *[False] * (len(series) - 2)]
    assert same(weights(trainer), seen[1]) and not same(seen[1], seen[2])
    assert list(trainer.run()) == []
    again = make(epochs=epochs, patience=2, out=tmp_path, resume=True)
    assert list(again.run()) == [] and same(weights(again), weights(trainer)) and again.stopped == stopped


def test_ctrl_c_waits_for_the_step_and_keeps_what_is_done(make, monkeypatch):
    whole, trainer = make("dropout"), make("dropout")
    whole.fit()
    update = trainer.engine.update

    def pressed_in_the_middle_of_a_step(*args):
        update(*args)
        if trainer.step == 7:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer.engine, "update", pressed_in_the_middle_of_a_step)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background starts with it ignored
    before = signal.getsignal(signal.SIGINT)
    run = trainer.fit()
    assert (run.stopped, run.epochs, trainer.step) == ("interrupted", 1, 8)
    assert run.test is not None and signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    again = trainer.fit()
    assert (again.stopped, again.epochs) == (None, 2)
    assert same(weights(whole), weights(trainer))


def test_a_keyboard_interrupt_out_of_a_listener_keeps_what_is_done(make):
    def angry(event):
        if event.step == 2:
            raise KeyboardInterrupt

    trainer = make()
    assert trainer.fit(angry).stopped == "interrupted"
    assert trainer.step == 2


def test_an_error_in_a_listener_goes_up_and_the_run_can_go_on(make):
    whole, trainer = make("dropout"), make("dropout")
    whole.fit()

    def broken(event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer.fit(broken)
    trainer.fit()
    assert same(weights(whole), weights(trainer))


CHILD = """
    import sys
    sys.path.insert(0, {tests!r})
    from stand_ins import corpus
    from labkit.base.records import StepDone
    from labkit.models.loading import load
    from labkit.training.trainer import TrainConfig, Trainer

    rows = corpus(n=48)
    model = load({place!r}, labels=rows.labels)
    config = TrainConfig(epochs=3, lr=3e-3, batch_size=8, device="cpu", patience=2)
    for event in Trainer(model, rows, config=config, out={out!r}).run():
        if isinstance(event, StepDone):
            print(event.step, flush=True)
            if event.step == 15:
                sys.stdin.read()  # held here until it is killed
"""


def child(code, **environment):
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), **environment}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment, **pipes)


@pytest.mark.integration
def test_a_run_killed_in_the_middle_and_resumed_equals_one_that_was_not(places, make, tmp_path):
    code = CHILD.format(tests=str(TESTS), place=str(places["dropout"]), out=str(tmp_path))
    with child(code) as process:
        for line in process.stdout:
            if line.strip() == "15":
                break
        process.kill()  # SIGKILL: nothing of it can tidy up
    assert process.returncode == -signal.SIGKILL
    resumed = make("dropout", epochs=3, patience=2, out=tmp_path, resume=True)
    assert resumed.step == 12  # at most the epoch under way is lost
    resumed.fit()
    whole = make("dropout", epochs=3, patience=2)
    whole.fit()
    assert same(weights(whole), weights(resumed))


# Memory


def too_large(trainer, most, monkeypatch, message="CUDA out of memory. Tried to allocate 2.00 GiB"):
    real = trainer.model.forward

    def forward(input_ids, **inputs):
        if len(input_ids) > most:
            raise torch.OutOfMemoryError(message)
        return real(input_ids=input_ids, **inputs)

    monkeypatch.setattr(trainer.model, "forward", forward)


def test_a_batch_that_memory_does_not_hold_goes_in_pieces_said_aloud_with_the_same_losses(make, monkeypatch):
    expected, trainer = losses(make()), make()
    too_large(trainer, 3, monkeypatch)
    events = list(trainer.run())
    said = [e.text for e in events if isinstance(e, Notice)]
    assert len(said) == 2 and "4 rows at a time, accumulated 2 times" in said[0] and "2 rows at a time" in said[1]
    assert [e.loss for e in events if isinstance(e, StepDone)] == pytest.approx(expected, abs=1e-6)
    assert trainer.report().notices == tuple(said)


def test_dropout_of_a_step_is_the_same_after_running_out_of_memory(make, monkeypatch):
    pieces, trainer = make("dropout", accumulation=2), make("dropout")
    too_large(trainer, 4, monkeypatch)
    pieces.fit(), trainer.fit()
    assert same(weights(pieces), weights(trainer))


def test_what_was_computed_before_memory_ran_out_is_not_counted_twice(make, monkeypatch):
    expected, trainer, calls = make(), make(accumulation=2), []
    real = trainer.model.forward

    def forward(**inputs):
        calls.append(len(inputs["input_ids"]))
        if len(calls) == 2:  # the second half of the first batch, when the first has left its gradients
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(**inputs)

    monkeypatch.setattr(trainer.model, "forward", forward)
    assert losses(trainer) == pytest.approx(losses(expected), abs=1e-6)
    assert calls[:4] == [4, 4, 2, 2]


def test_a_single_row_that_does_not_fit_is_an_error(make, monkeypatch):
    trainer = make()
    too_large(trainer, 0, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.fit()


def test_other_runtime_errors_are_not_taken_for_lack_of_memory(make, monkeypatch):
    trainer = make()
    monkeypatch.setattr(trainer.model, "forward", lambda **_: (_ for _ in ()).throw(RuntimeError("shapes")))
    with pytest.raises(RuntimeError, match="shapes"):
        trainer.fit()
    assert trainer.pieces == 1


# What a run leaves alone


def test_events_are_frozen(make):
    for event in make(epochs=1).run():
        for name in [f.name for f in dataclasses.fields(event)]:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(event, name, 0)


def test_modes_and_random_state_are_as_before(make):
    import random

    import numpy

    trainer = make("dropout", TopK(1))
    trainer.model.eval()
    trainer.model.bert.encoder.layer[1].train()
    modes = {n: m.training for n, m in trainer.model.named_modules()}
    before = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].tolist()
    for _ in trainer.run():
        assert torch.equal(torch.get_rng_state(), before[0])
    trainer.report()
    assert {n: m.training for n, m in trainer.model.named_modules()} == modes
    assert (random.getstate(), numpy.random.get_state()[1].tolist()) == before[1:]
    assert all(p.grad is None for p in trainer.model.parameters())


@pytest.mark.parametrize("kind", ["dropout", "gpt2"])
def test_the_output_of_the_frozen_part_is_a_constant_while_the_rest_trains(make, kind):
    trainer = make(kind, HeadOnly(), FEW)
    inputs = trainer.batches.batch("train", range(len(FEW.train))).inputs
    ask = torch.no_grad()(lambda: trainer.model.base_model(**inputs).last_hidden_state)
    trainer.model.eval()
    before = ask()
    for _ in trainer.run():
        assert torch.equal(ask(), before)


def test_what_thawed_after_the_best_epoch_is_frozen_as_it_was_when_that_is_restored(make, monkeypatch):
    trainer = make(strategy=GradualUnfreeze(), epochs=3, patience=3)
    before = weights(trainer)
    scripted(trainer, [0.9, 0.5, 0.5], monkeypatch)
    run = trainer.fit()
    assert run.best_epoch == 1
    assert {n for n, t in weights(trainer).items() if not torch.equal(t, before[n])} == set(run.moved)
    assert set(run.moved) <= set(blocks(trainer.model)[-1].parameters)


# Reports, settings, refusals


def test_a_run_without_a_step_can_be_reported(make):
    run = make().report()
    assert (run.epochs, run.moved, run.history, run.best_epoch, run.seconds) == (0, (), (), None, 0.0)
    assert run.test is not None and run.samples_per_second == 0


def test_the_report_tells_what_was_done(make):
    trainer = make(strategy=HeadOnly(), bucket=False)
    run = trainer.fit()
    assert (run.strategy, run.settings, run.device, run.seed) == ("head", {"pooler": True}, "cpu", 0)
    assert (run.n_train, run.n_valid, run.n_test) == (48, 12, 12)
    assert run.valid_accuracy == run.valid.accuracy == run.history[-1].valid_accuracy
    assert [e.steps for e in run.history] == [6, 12] and [s for s, _, _ in run.steps] == list(range(1, 13))
    assert run.history[0].train_loss == pytest.approx(sum(loss for _, loss, _ in run.steps[:6]) / 6)
    assert 0 < sum(e.seconds for e in run.history) <= run.seconds
    assert run.config["lr"] == 3e-3 and 0 < run.padding < 1 and run.peak_memory_mb > 1
    assert run.corpus["fingerprint"] == ROWS.fingerprint


def test_a_tensor_that_moved_though_frozen_is_noticed(make):
    trainer = make(strategy=HeadOnly())
    trainer.fit()
    with torch.no_grad():
        trainer.model.bert.embeddings.word_embeddings.weight[3] += 1e-3
    with pytest.raises(AssertionError, match="word_embeddings"):
        trainer.report()


def test_a_head_that_does_not_move_is_said_aloud(make, monkeypatch):
    trainer = make(epochs=1)
    monkeypatch.setattr(trainer.optimizer, "step", lambda *_: None)
    run = trainer.fit()
    assert run.moved == () and "head has not moved" in run.notices[0]
    assert make(epochs=1).fit().notices == ()


def test_without_a_rate_the_strategy_gives_its_own(make):
    for strategy in (Full(), HeadOnly(), TopK(1)):
        trainer = make(lr=None, strategy=strategy)
        assert trainer.lr == strategy.default_lr(trainer.model)


def test_without_a_number_of_epochs_the_strategy_gives_its_own(make):
    for strategy in (Full(), GradualUnfreeze()):
        trainer = make(epochs=None, strategy=strategy)
        assert trainer.config.epochs == strategy.default_epochs(trainer.model)


def test_a_run_that_diverges_trains_no_further_epoch(make):
    trainer = make(epochs=3)
    with torch.no_grad():
        trainer.model.classifier.bias.fill_(math.nan)
    assert trainer.fit().epochs == 1


def test_a_run_that_diverges_reports_and_resumes(make, tmp_path):
    trainer = make(epochs=1, out=tmp_path)
    with torch.no_grad():
        trainer.model.classifier.bias.fill_(math.nan)
    run = trainer.fit()
    assert math.isnan(run.history[0].train_loss) and run.stopped == "diverged"
    assert math.isnan(make(epochs=1, out=tmp_path, resume=True).fit().history[0].train_loss)


def test_trainers_of_other_precision_do_not_disturb_each_other(make):
    alone = {p: losses(make("dropout", precision=p)) for p in ("fp32", "bf16")}
    assert alone["fp32"] != alone["bf16"]
    both = {p: make("dropout", precision=p) for p in alone}
    found = {p: [] for p in alone}
    runs = {p: iter(t.run()) for p, t in both.items()}
    for events in zip(*runs.values(), strict=True):  # a step of one, a step of the other
        for p, event in zip(runs, events, strict=True):
            found[p].extend([event.loss] if isinstance(event, StepDone) else [])
    assert found == alone
    assert {p.dtype for t in both.values() for p in t.model.parameters()} == {torch.float32}


SECOND = """
    import json, sys
    sys.path.insert(0, {tests!r})
    from stand_ins import corpus
    from labkit.base.records import StepDone
    from labkit.models.loading import load
    from labkit.models.state import fingerprint
    from labkit.strategies.retaining import L2SP, Replay
    from labkit.training.trainer import TrainConfig, Trainer

    rows = corpus(n=48)
    model = load({place!r}, labels=rows.labels)
    config = TrainConfig(epochs=2, lr=3e-3, batch_size=8, device="cpu")
    trainer = Trainer(model, rows, config=config, retain={retain}, out={out!r})
    losses = [e.loss for e in trainer.run() if isinstance(e, StepDone)]
    print(json.dumps([trainer.engine.processes, losses, [fingerprint(p) for p in model.parameters()]]))
"""


@pytest.fixture
def group(monkeypatch):
    """The environment that `accelerate launch` gives to two processes of one machine; this process is the first."""
    from accelerate import PartialState

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    for name, value in {**common, "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    PartialState._reset_state()  # another test of this process may have been alone
    yield {**common, "RANK": "1", "LOCAL_RANK": "1"}
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    PartialState._reset_state()


@pytest.mark.integration
@pytest.mark.parametrize("retain", [None, L2SP(strength=0.5), Replay(every=2, weight=0.5)], ids=str)
def test_two_processes_do_the_work_of_one(places, make, tmp_path, group, retain):
    expected = losses_alone(make, retain)
    code = SECOND.format(tests=str(TESTS), place=str(places["language"]), out=str(tmp_path), retain=retain)
    with child(code, **group) as process, killed_at_the_end(process):
        trainer = make("language", out=tmp_path, retain=retain)
        assert trainer.engine.processes == 2
        mine = losses(trainer)
        processes, theirs, prints = json.loads(process.stdout.readlines()[-1])
    assert processes == 2
    assert mine == theirs == pytest.approx(expected, abs=1e-5)
    assert prints == [fingerprint(p) for p in trainer.model.parameters()]
    assert len(Checkpoints(tmp_path / "checkpoint").all()) == 2  # one of the two wrote


@contextlib.contextmanager
def killed_at_the_end(process):
    try:
        yield
    finally:
        process.kill()


def losses_alone(make, retain=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WORLD_SIZE")
        return losses(make("language", retain=retain))


@pytest.mark.parametrize(
    "field, value, accepted",
    [
        ("epochs", 0, "from 1 to 1000"),
        ("epochs", 2.5, "a whole number"),
        ("epochs", True, "a whole number"),
        ("lr", 0, "from 1e-09 to 10"),
        ("lr", -1e-3, "from 1e-09 to 10"),
        ("lr", math.nan, "from 1e-09 to 10"),
        ("lr", math.inf, "from 1e-09 to 10"),
        ("lr", "fast", "a number"),
        ("batch_size", 0, "from 1 to 65536"),
        ("batch_size", "16", "a whole number"),
        ("max_length", 3, "from 4 to 8192"),
        ("seed", -1, "from 0 to 2147483647"),
        ("seed", 2**31, "from 0 to 2147483647"),
        ("optimizer", "lion", "adamw, adam, sgd, momentum"),
        ("weight_decay", -0.1, "from 0 to 10"),
        ("schedule", None, "linear, cosine, constant"),
        ("warmup", 1.0, "from 0 to 0.9"),
        ("clip", -1, "from 0 to 1e+09"),
        ("accumulation", 0, "from 1 to 4096"),
        ("class_weights", "some", "none, balanced"),
        ("patience", 0, "from 1 to 1000"),
        ("precision", "fp8", "auto, fp32, bf16, fp16"),
        ("bucket", "no", "True, False"),
        ("cache", "ram", "memory, half, off"),
        ("cache_mb", -1, "from 0 to 1000000000"),
        ("device", "tpu", "auto, cpu, cuda, mps"),
    ],
)
def test_a_bad_setting_is_refused_with_field_value_and_range(field, value, accepted):
    with pytest.raises(BadInput) as caught:
        TrainConfig(**{field: value})
    message = str(caught.value)
    assert field in message and repr(value) in message and accepted in message


@pytest.mark.parametrize("pieces, rows", [(17, 16), (2, 1)])
def test_a_batch_is_cut_into_no_more_pieces_than_it_has_rows(pieces, rows):
    with pytest.raises(BadInput, match=f"accumulation={pieces} .*Give 1 to {rows}"):
        TrainConfig(accumulation=pieces, batch_size=rows)
    assert TrainConfig(accumulation=rows, batch_size=rows)


def test_a_strategy_may_be_given_by_its_name_and_what_is_none_is_refused(make):
    assert make(strategy="top-1").strategy == TopK(1)
    with pytest.raises(BadInput, match=r"such as lk\.HeadOnly\(\), or its name: full"):
        make(strategy=HeadOnly)


def test_rows_longer_than_the_model_takes_are_refused_and_the_default_is_cut(make):
    with pytest.raises(BadInput, match=r"8192 .*64 tokens a row.*Give 4 to 64"):
        make(max_length=8192)
    assert max(make().batches.sizes["train"]) <= 64  # the default is 256


def test_every_setting_has_a_case_above_and_help():
    fields = dataclasses.fields(TrainConfig)
    (marks,) = [
        m for m in test_a_bad_setting_is_refused_with_field_value_and_range.pytestmark if m.name == "parametrize"
    ]
    assert {f.name for f in fields} == {case[0] for case in marks.args[1]}
    assert all(f.metadata["help"] for f in fields)


def test_numbers_of_numpy_become_plain_ones():
    import numpy

    config = TrainConfig(epochs=numpy.int64(2), lr=numpy.float32(0.5))
    assert json.loads(json.dumps(dataclasses.asdict(config)))["epochs"] == 2


def test_a_device_that_is_not_here_is_refused(make):
    missing = next(d for d, here in (("mps", torch.backends.mps), ("cuda", torch.cuda)) if not here.is_available())
    with pytest.raises(BadInput, match=missing):
        make(device=missing)


def test_a_model_with_other_labels_is_refused(places):
    three = corpus(n=48, classes=3)
    for labels in (ROWS.labels, ("mark2", "mark1", "mark0")):
        with pytest.raises(BadInput, match="load it with"):
            Trainer(load(places["plain"], labels=labels), three)


def test_a_model_not_loaded_by_labkit_is_refused(places):
    from transformers import AutoModelForSequenceClassification

    plain = AutoModelForSequenceClassification.from_pretrained(places["plain"])
    with pytest.raises(BadInput, match="load"):
        Trainer(plain, ROWS)


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_corpus_without_rows_to_train_or_judge_by_is_refused(make, split):
    with pytest.raises(BadInput, match=split):
        make(rows=dataclasses.replace(ROWS, **{split: ()}))


def test_a_folder_with_checkpoints_is_not_written_to_without_resume(make, tmp_path):
    make(out=tmp_path, epochs=1).fit()
    with pytest.raises(BadInput, match="resume=True"):
        make(out=tmp_path, epochs=1)


def test_resume_without_a_folder_is_refused(make):
    with pytest.raises(BadInput, match="out="):
        make(resume=True)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"rows": corpus(n=48, seed=1)}, "corpus"),
        ({"strategy": HeadOnly()}, "strategy"),
        ({"lr": 1e-3}, "config (lr)"),
        ({"epochs": 5, "batch_size": 4}, "config (epochs, batch_size)"),
        ({"kind": "dropout"}, "model"),
        ({"kind": "gpt2"}, "model"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_what_differs(make, tmp_path, change, named):
    make(out=tmp_path, epochs=2).fit()
    with pytest.raises(BadInput) as caught:
        make(out=tmp_path, resume=True, **{"epochs": 2, **change})
    assert f"another {named}" in str(caught.value) and str(tmp_path) in str(caught.value)
