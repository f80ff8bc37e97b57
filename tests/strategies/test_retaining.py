"""What a retainer is asked, and what it adds: against gradients worked out by plain torch."""

import copy
import random
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from stand_ins import corpus, family

from labkit.base.records import StepDone
from labkit.models.families import blocks
from labkit.models.loading import load
from labkit.models.state import asking
from labkit.strategies import Full, HeadOnly, TopK
from labkit.strategies.retaining import L2SP, Replay, Retainer, retainer_name, retainer_settings
from labkit.tasks.masked_lm import guesses
from labkit.training.trainer import TrainConfig, Trainer

ROWS = corpus(n=24)
LR = 0.1


@dataclass(frozen=True)
class Distill(Retainer):
    """Keeps the answers near those of the model as it was: squared distance of logits. What it was asked is in `seen`."""

    weight: float = 0.3
    every: int = 1
    name: ClassVar[str] = "distill"
    seen: ClassVar[list] = []

    def start(self, model, seed: int) -> Any:
        self.seen[:] = [("start", seed)]
        return copy.deepcopy(model)

    def add_loss(self, model, batch, outputs, state, step: int) -> Any:
        self.seen.append((step, len(batch.target), outputs.logits.requires_grad, model.training))
        if step % self.every:
            return None
        with asking(state):
            wanted = state(**batch.inputs).logits
        return self.weight * (outputs.logits - wanted.clone() - 1).pow(2).mean()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return family("macbert", tmp_path_factory.mktemp("models") / "macbert")


def trainer_on(place, retain=None, strategy=None, **config):
    settings = {"epochs": 1, "lr": LR, "batch_size": 8, "device": "cpu", "optimizer": "sgd", "clip": 0.0}
    settings |= {"schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    model = load(place, labels=ROWS.labels)
    return Trainer(model, ROWS, strategy or Full(), TrainConfig(**{**settings, **config}), retain=retain)


def weights(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def by_hand(trainer, added):
    """Where one step of plain descent leads, with what `added(model, outputs, batch)` gives on top of the task's loss."""
    model = copy.deepcopy(trainer.model).train()
    batch = trainer.batches.batch("train", trainer.order(0)[0])
    outputs = model(**batch.inputs)
    loss = torch.nn.functional.cross_entropy(outputs.logits, batch.target)
    (loss + added(model, outputs, batch)).backward()
    moved = {n: (p if p.grad is None else p - LR * p.grad).detach() for n, p in model.named_parameters()}
    return moved, loss.item()


def one_step(trainer):
    return next(e for e in trainer.run() if isinstance(e, StepDone)).loss


def same(one, two):
    one, two = weights(one.model), weights(two.model)
    return all(torch.equal(one[n], two[n]) for n in one)


def assert_near(one, two, tolerance=1e-5):
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], atol=tolerance, rtol=1e-4, msg=name)


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_a_retainer_is_given_batch_and_outputs_and_counts_by_its_share_of_the_batch(place, pieces):
    retain = Distill()
    trainer = trainer_on(place, retain, accumulation=pieces)

    def distance(model, outputs, batch):
        with torch.no_grad():
            wanted = trainer.retained(**batch.inputs).logits
        return 0.3 * (outputs.logits - wanted - 1).pow(2).mean()

    expected, loss = by_hand(trainer, distance)
    told = one_step(trainer)
    assert_near(weights(trainer.model), expected)
    assert told == pytest.approx(loss, abs=1e-6)  # the task's loss alone is told
    assert retain.seen == [("start", 0)] + [(0, 8 // pieces, True, True)] * pieces


def test_where_nothing_is_added_the_step_is_plain_training_to_the_bit(place):
    plain, rare, busy = trainer_on(place), trainer_on(place, Distill(every=10)), trainer_on(place, Distill())
    for trainer in (plain, rare, busy):
        trainer.step = 1
        trainer.fit()
    assert same(plain, rare) and not same(plain, busy)


def test_l2sp_is_a_pull_towards_the_start_as_strong_as_the_way_is_long(place):
    trainer = trainer_on(place, L2SP(strength=0.5))
    start, head = weights(trainer.model), set(blocks(trainer.model)[-1].parameters)
    with torch.no_grad():
        for p in trainer.model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    moved = weights(trainer.model)
    plain, _ = by_hand(trainer, lambda model, outputs, batch: 0.0)
    one_step(trainer)
    pulled = {n: p if n in head else p - LR * 0.5 * (moved[n] - start[n]) for n, p in plain.items()}
    assert_near(weights(trainer.model), pulled)
    assert max((pulled[n] - plain[n]).abs().max() for n in plain) > 1e-3


def test_replay_adds_the_mean_loss_of_the_hidden_tokens_of_some_general_texts(place):
    trainer = trainer_on(place, Replay(weight=0.7))
    lm, lines, seed = trainer.retained

    def masked_lm_loss(model, outputs, batch):
        rng = random.Random((seed << 32) + 0)
        inputs, target = guesses(lm, rng.sample(lines, 16), rng, "cpu")
        hidden = model.base_model(**inputs).last_hidden_state
        logits = lm.cls(hidden)  # the language-model head by its own name
        return 0.7 * torch.nn.functional.cross_entropy(logits.transpose(1, 2), target)

    expected, _ = by_hand(trainer, masked_lm_loss)
    plain, _ = by_hand(trainer, lambda model, outputs, batch: 0.0)
    one_step(trainer)
    assert_near(weights(trainer.model), expected)
    assert max((expected[n] - plain[n]).abs().max() for n in plain) > 1e-3


@pytest.mark.parametrize("retain", [L2SP(), Replay(every=1), Distill()], ids=lambda r: r.name)
@pytest.mark.parametrize("strategy", [HeadOnly(), TopK(1)], ids=str)
def test_nothing_frozen_moves_whatever_is_added(place, strategy, retain):
    trainer = trainer_on(place, retain, strategy, cache="off")
    before = weights(trainer.model)
    trainer.fit()
    after = weights(trainer.model)
    assert {n for n in before if not torch.equal(before[n], after[n])} <= set(trainer.tensors())


def test_a_retainer_sees_real_inputs_where_the_head_alone_computes(place):
    kept, computed = (trainer_on(place, Distill(), HeadOnly(), cache=cache) for cache in ("memory", "off"))
    kept.fit(), computed.fit()
    assert kept.frozen.whole_of("train") and not computed.frozen.kept
    assert_near(weights(kept.model), weights(computed.model))


def test_a_run_tells_its_retainer(place):
    run = trainer_on(place, Distill(weight=0.5)).fit()
    assert run.strategy == "full+distill(weight=0.5)" and run.settings["retain"]["weight"] == 0.5
    assert retainer_settings(None) is None and retainer_name(L2SP()) == "l2sp"


@dataclass(frozen=True)
class Idle(Retainer):
    name: ClassVar[str] = "idle"


def test_the_contract_has_defaults_that_add_nothing(place):
    plain, idle = trainer_on(place), trainer_on(place, Idle())
    plain.fit(), idle.fit()
    assert same(plain, idle)
