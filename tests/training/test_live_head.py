"""The head that trains again and again: the losses of a new Trainer, under every setting that it takes, in every family."""

import pytest
import torch
from stand_ins import bert, corpus, family

import labkit as lk
from labkit.training.live_head import LiveHead
from labkit.training.trainer import Trainer

ROWS = corpus(48, classes=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("models") / "bert", hidden_dropout_prob=0.1)


def plain(folder, strategy, **config):
    base = {"epochs": 3, "batch_size": 8, "lr": 0.02, "device": "cpu", "precision": "fp32"}
    return Trainer(lk.load(folder, ROWS.labels), ROWS, strategy, lk.TrainConfig(**{**base, **config}))


def story(trainer):
    run = trainer.fit()
    scores = [(e.train_loss, e.valid_loss, e.valid_accuracy) for e in run.history]
    return [loss for _, loss, _ in run.steps], scores, run.test_accuracy, run.moved


SETTINGS = [
    {},
    {"seed": 3, "batch_size": 7},
    {"clip": 0.05},
    {"clip": 0.0, "weight_decay": 1.0},
    {"optimizer": "adam"},
    {"optimizer": "momentum", "lr": 0.05},
    {"optimizer": "sgd", "schedule": "cosine", "warmup": 0.5},
    {"bucket": False, "patience": 1, "epochs": 6},
    {"accumulation": 2},
    {"class_weights": "balanced"},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
@pytest.mark.parametrize("strategy", [lk.HeadOnly(), lk.HeadOnly(pooler=False)], ids=["pooler", "no pooler"])
def test_losses_are_those_of_a_trainer(folder, strategy, changes):
    assert_the_same(folder, strategy, changes)


def assert_the_same(folder, strategy, changes):
    made = LiveHead(plain(folder, strategy)).trainer(**changes)
    mine, theirs = story(made), story(plain(folder, strategy, **changes))
    assert mine[0] == pytest.approx(theirs[0], abs=1e-5)
    for one, other in zip(mine[1], theirs[1], strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert mine[2:] == theirs[2:]


def test_the_trained_head_is_a_trainers_head(folder):
    trainer = plain(folder, lk.HeadOnly())
    trainer.fit()
    made = LiveHead(plain(folder, lk.HeadOnly())).trainer()
    made.fit()
    for name, tensor in trainer.tensors().items():
        assert torch.allclose(tensor, made.tensors()[name], atol=1e-5)


def test_a_run_that_was_left_goes_on_and_the_next_begins_anew(folder):
    live = LiveHead(plain(folder, lk.HeadOnly()))
    whole = story(live.trainer())
    halves = live.trainer()
    for event in halves.run():
        if getattr(event, "step", 0) == 7:
            break
    assert story(halves) == whole
    assert story(live.trainer()) == whole


def test_batches_of_other_seeds_and_sizes_are_not_mixed_up(folder):
    live = LiveHead(plain(folder, lk.HeadOnly()))
    first = story(live.trainer(seed=1))
    live.trainer(seed=2).fit()
    live.trainer(seed=1, batch_size=4).fit()
    assert story(live.trainer(seed=1)) == first


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "albert", "gpt2"])
def test_heads_of_other_families_are_no_exception(kind, tmp_path):
    assert_the_same(family(kind, tmp_path / kind), lk.HeadOnly(), {"seed": 2})


def test_layers_that_train_above_what_is_kept_are_none_either(folder):
    assert_the_same(folder, lk.TopK(1), {"seed": 2})


def test_the_network_below_is_never_asked_again(folder):
    trainer = plain(folder, lk.HeadOnly())
    live, calls = LiveHead(trainer), []
    trainer.model.bert.embeddings.register_forward_hook(lambda *args: calls.append(1))
    run = live.trainer(seed=4).fit()
    assert run.test is not None and not calls


def test_the_random_state_of_the_caller_stays(folder):
    before = torch.get_rng_state()
    LiveHead(plain(folder, lk.HeadOnly())).trainer().fit()
    assert torch.equal(before, torch.get_rng_state())
