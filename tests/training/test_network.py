"""The last layer goes on with the tokens whose answer is used, and nobody can tell from the results."""

import pytest
import stand_ins
import torch
from transformers.models.bert.modeling_bert import BertIntermediate

import labkit as lk
from labkit.base.records import Example
from labkit.models.families import blocks
from labkit.strategies.retaining import Distill
from labkit.tasks import QuestionAnswering, Tagging
from labkit.training.network import Network, one_token

READ_FIRST = ("bert", "roberta", "distilbert", "electra", "macbert")
ADDED = (lk.LoRA(rank=2), lk.Adapter(size=2), lk.PrefixTuning(tokens=2), lk.PTuningV2(tokens=2))


@pytest.fixture(scope="module")
def corpus():
    return stand_ins.corpus(n=24)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, corpus):
    return stand_ins.fresh_models(tmp_path_factory.mktemp("families"), corpus.labels)


def batch(model, rows):
    made = model.task.collate(model.processor, model.task.encode(model.processor, rows, 32))
    return made.inputs, made.target


def tokens_of_last_layer(model, act):
    """How many tokens of a row reach the last layer's widest linear map, each time while `act()` runs."""
    last = next(b for b in reversed(blocks(model)) if b.kind == "layer")
    linear = [m for m in model.get_submodule(last.modules[0]).modules() if isinstance(m, torch.nn.Linear)]
    widest, seen = max(linear, key=lambda m: m.out_features), []
    hook = widest.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))
    act()
    hook.remove()
    return seen


def answer_and_gradients(model, inputs, target):
    model.zero_grad()
    logits = model(**inputs).logits
    torch.nn.functional.cross_entropy(logits, target).backward()
    return logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def assert_the_same(model, rows):
    inputs, target = batch(model, rows)
    logits, gradients = answer_and_gradients(model, inputs, target)
    with one_token(model, model.task):
        ours, found = answer_and_gradients(model, inputs, target)
    torch.testing.assert_close(ours, logits, atol=1e-6, rtol=1e-5)
    assert found.keys() == gradients.keys()
    for name in found:
        torch.testing.assert_close(found[name], gradients[name], atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("kind", stand_ins.FAMILIES)
def test_logits_and_gradients_are_those_of_the_whole_layer(fresh, corpus, kind):
    assert_the_same(fresh(kind), corpus.train[:6])


@pytest.mark.parametrize(
    "kind, strategy", [*(("bert", added) for added in ADDED), *(("distilbert", added) for added in ADDED[:2])], ids=str
)
def test_they_are_with_something_added_too(fresh, corpus, kind, strategy):
    assert_the_same(strategy.prepare(fresh(kind)), corpus.train[:6])


@pytest.mark.parametrize("kind", READ_FIRST)
def test_training_and_scoring_compute_one_token_there(fresh, corpus, kind):
    trainer = lk.Trainer(fresh(kind), corpus, config=lk.TrainConfig(epochs=1, device="cpu"))
    seen = tokens_of_last_layer(trainer.model, lambda: trainer.fit())
    assert len(seen) > trainer.total_steps and set(seen) == {1}


def test_asking_and_the_frozen_part_compute_one_token_there(fresh, corpus):
    model = fresh()
    assert set(tokens_of_last_layer(model, lambda: lk.predict(model, ["很好", "这个真差"]))) == {1}
    trainer = lk.Trainer(model, corpus, lk.HeadOnly(), lk.TrainConfig(epochs=1, device="cpu", lr=1e-3))
    seen = tokens_of_last_layer(model, lambda: list(trainer.run()))
    assert trainer.frozen.kept and seen.count(1) >= 2 and len(set(seen)) == 2  # the other: the try that nothing changes


def test_a_slice_of_the_loss_computes_one_token_there(fresh, corpus, monkeypatch):
    model, seen, real = fresh(), [], BertIntermediate.forward  # a slice moves a copy, so the class is watched
    watched = lambda module, hidden: seen.append(hidden.shape[1]) or real(module, hidden)  # noqa: E731
    monkeypatch.setattr(BertIntermediate, "forward", watched)
    lk.slice_loss(model, corpus.train[:4], n=3)
    assert len(seen) == 3 * seen.count(1) == 3 * 9  # the last of three layers, at each of nine places


def test_a_model_asked_by_hand_computes_every_token(fresh, corpus):
    model = fresh()
    inputs, _ = batch(model, corpus.train[:3])
    lk.predict(model, ["很好"])
    assert tokens_of_last_layer(model, lambda: model(**inputs)) == [inputs["input_ids"].shape[1]]
    with pytest.raises(ZeroDivisionError), one_token(model, model.task):
        raise ZeroDivisionError
    assert tokens_of_last_layer(model, lambda: model(**inputs)) == [inputs["input_ids"].shape[1]]


# Tasks with an answer for each token: the asked ones alone


TEXTS = ("很好", "这个真差啊", "差", "这里的好吃的很多")
ASKED = {  # a task and rows of it, of unequal lengths
    "tagging": (Tagging(labels=("PER",)), [Example(text, ((0, 1, "PER"),)) for text in TEXTS]),
    "question-answering": (QuestionAnswering(), [Example(("好吃吗", text), ((text[0], 0),)) for text in TEXTS]),
}


def loss_and_gradients(network, made, **how):
    network.model.zero_grad()
    losses = network.task.losses(network.outputs(made, **how), made)
    losses.sum().backward()
    return losses.detach(), {n: p.grad.clone() for n, p in network.model.named_parameters() if p.grad is not None}


def asked_and_all(model, name):
    """Losses and gradients with asked tokens alone and with all; how many tokens reached the last layer's end each time, and
    how many there were to be: those asked, and all of a row."""
    task, rows = ASKED[name]
    network = Network(model, task)
    made = task.collate(model.processor, task.encode(model.processor, rows, 32))
    seen, found = [], []
    for every in (False, True):
        seen += tokens_of_last_layer(model, lambda e=every: found.append(loss_and_gradients(network, made, every=e)))
    return found, seen, [int(task.asked(made).sum()), made.target.shape[1] if name == "tagging" else seen[-1]]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("kind", READ_FIRST)
def test_losses_and_gradients_are_those_of_all_tokens(fresh_for, kind, name):
    (ours, all_of_them), seen, wanted = asked_and_all(fresh_for(kind, name), name)
    assert seen == wanted and wanted[0] < len(TEXTS) * wanted[1]
    torch.testing.assert_close(ours[0], all_of_them[0], atol=1e-6, rtol=1e-5)
    assert ours[1].keys() == all_of_them[1].keys()
    for n in ours[1]:
        torch.testing.assert_close(ours[1][n], all_of_them[1][n], atol=1e-6, rtol=1e-4, msg=n)


@pytest.mark.parametrize("strategy", ADDED, ids=str)
def test_tokens_that_were_put_in_front_are_computed_whole_or_not_at_all(fresh_for, strategy):
    (ours, all_of_them), *_ = asked_and_all(strategy.prepare(fresh_for("bert", "tagging")), "tagging")
    torch.testing.assert_close(ours[0], all_of_them[0], atol=1e-6, rtol=1e-5)


def test_training_computes_asked_tokens_alone_but_for_a_retainer_that_looks_at_all(fresh_for, tmp_path):
    task, rows = ASKED["tagging"]
    few = lk.Corpus("few", tuple(rows), tuple(rows[:1]), tuple(rows[:1]), task)
    lk.save(fresh_for("bert", "tagging"), tmp_path / "teacher")
    for retain in (None, Distill(tmp_path / "teacher")):
        model = fresh_for("bert", "tagging")
        trainer = lk.Trainer(model, few, config=lk.TrainConfig(epochs=1, device="cpu"), retain=retain)
        seen = tokens_of_last_layer(model, lambda t=trainer: next(t.run()))
        assert (seen[-1] == sum(map(len, TEXTS))) == (retain is None)


@pytest.fixture(scope="module")
def fresh_for(tmp_path_factory):
    """`fresh_for(kind, name)`: a network of a family for one of the tasks above."""
    root = tmp_path_factory.mktemp("asked")
    place = {kind: stand_ins.family(kind, root / kind) for kind in READ_FIRST}
    return lambda kind, name: lk.load(place[kind], task=ASKED[name][0])
