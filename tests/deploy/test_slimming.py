"""A smaller network answers as one from which the same was taken away by zeros; it saves, loads and trains."""

import copy

import pytest
import torch
from stand_ins import bert, corpus, family

import labkit as lk
from labkit.base.records import BadInput
from labkit.deploy.compress import importance, kept
from labkit.models.slimming import slimmed
from labkit.models.state import asking

ROWS = corpus(n=48)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("bert") / "bert", num_attention_heads=4)


@pytest.fixture
def model(place):
    return lk.load(place, labels=ROWS.labels)


def logits(model, rows=ROWS.test):
    items = model.task.encode(model.processor, rows, 64)
    with asking(model):
        return model(**model.task.collate(model.processor, items).inputs).logits.clone()


def without(model, heads=(), places=()):
    """The same with heads and feed-forward places of every layer giving nothing."""
    model, size = copy.deepcopy(model), 8
    for layer in model.bert.encoder.layer:
        with torch.no_grad():
            for head in heads:
                layer.attention.output.dense.weight[:, head * size : (head + 1) * size] = 0
            layer.output.dense.weight[:, list(places)] = 0
    return model


def test_heads_and_places_that_are_cut_are_those_that_give_nothing(model):
    small = slimmed(model, [[0, 2]] * 3, [range(10, 64)] * 3)
    assert torch.allclose(logits(small), logits(without(model, (1, 3), range(10))), atol=1e-6)
    assert small.bert.encoder.layer[0].attention.self.query.weight.shape == (16, 32)
    assert model.bert.encoder.layer[0].attention.self.query.weight.shape == (32, 32)  # the given one is whole


def test_what_matters_least_goes_first(model):
    """A head and a place behind which nothing comes matter nothing, and those are found."""
    model = without(model, heads=(2,), places=(5, 7))
    by_head, by_place = importance(model, ROWS)
    assert by_head.shape == (3, 4) and by_place.shape == (3, 64)
    assert (by_head.argmin(1) == 2).all() and (by_place[:, [5, 7]] == 0).all() and (by_place > 0).sum() == 3 * 62
    small = lk.prune(model, ROWS, heads=0.25, feed_forward=2 / 64)
    assert torch.allclose(logits(small), logits(model), atol=1e-6)


def test_importance_is_the_change_of_the_loss_to_first_order(model):
    """Against the loss itself, with a small share of each head taken away, summed over single rows."""
    rows = type(ROWS)("one", ROWS.train[:1], ROWS.valid, ROWS.test, ROWS.task)
    by_head, _ = importance(model, rows)
    items, step = model.task.encode(model.processor, rows.train, 64), 1e-3
    batch = model.task.collate(model.processor, items)
    with asking(model):
        before = model.task.losses(model(**batch.inputs), batch).item()
        less = copy.deepcopy(model)
        less.bert.encoder.layer[1].attention.output.dense.weight[:, 8:16] *= 1 - step
        after = less.task.losses(less(**batch.inputs), batch).item()
    assert by_head[1, 1].item() == pytest.approx(abs(after - before) / step, rel=0.05, abs=1e-4)


def test_as_many_stay_in_each_layer_and_never_none():
    values = torch.tensor([[3.0, 1.0, 2.0, 0.0], [0.0, 1.0, 2.0, 3.0]])
    assert kept(values, 0.5) == [[0, 2], [2, 3]]
    assert kept(values, 0.95) == [[0], [3]] and kept(values, 0.0) is None


@pytest.mark.parametrize("cut", [{"heads": 0.5}, {"feed_forward": 0.5}, {"heads": 0.5, "feed_forward": 0.5}], ids=str)
def test_a_pruned_model_saves_and_loads(model, cut, tmp_path):
    small = lk.prune(model, ROWS, **cut)
    lk.save(small, tmp_path / "small")
    again = lk.load(tmp_path / "small")
    assert torch.equal(logits(again), logits(small))
    lk.save(again, tmp_path / "twice")
    assert torch.equal(logits(lk.load(tmp_path / "twice")), logits(small))


def test_fewer_feed_forward_places_load_in_plain_transformers(model, tmp_path):
    from transformers import AutoModelForSequenceClassification

    small = lk.prune(model, ROWS, feed_forward=0.5)
    lk.save(small, tmp_path / "small")
    with lk.quiet():
        plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small").eval()
    plain.processor, plain.task = small.processor, small.task
    assert plain.config.intermediate_size == 32 and torch.equal(logits(plain), logits(small))


def test_a_pruned_model_trains_on(model):
    small = lk.prune(model, ROWS, heads=0.5, feed_forward=0.5)
    run = lk.Trainer(small, ROWS, lk.Full(), lk.TrainConfig(epochs=3, lr=3e-3, device="cpu")).fit()
    assert run.history[-1].train_loss < run.history[0].train_loss


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "roberta"])
def test_families_with_separate_maps_are_pruned(kind, tmp_path):
    model = lk.load(family(kind, tmp_path / "model"), labels=ROWS.labels)
    small = lk.prune(model, ROWS, heads=0.5, feed_forward=0.5)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())
    lk.save(small, tmp_path / "small")
    assert torch.equal(logits(lk.load(tmp_path / "small")), logits(small))


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "roberta"])
def test_fewer_layers_load_everywhere_and_are_the_lower_part(kind, tmp_path):
    from transformers import AutoModelForSequenceClassification

    model = lk.load(family(kind, tmp_path / "model"), labels=ROWS.labels)
    small = lk.drop_layers(model, 2)
    assert [b.name for b in lk.blocks(small)] == ["embeddings", "layer 1", "layer 2", "head"]
    lk.save(small, tmp_path / "small")
    with lk.quiet():
        plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small").eval()
    plain.processor, plain.task = small.processor, small.task
    assert torch.equal(logits(plain), logits(small)) and torch.equal(logits(lk.load(tmp_path / "small")), logits(small))


def test_layers_are_chosen_by_number(model):
    small = lk.drop_layers(model, [1, 3])
    layers, whole = small.bert.encoder.layer, model.bert.encoder.layer
    assert torch.equal(layers[1].output.dense.weight, whole[2].output.dense.weight)
    assert len(whole) == 3 and small.config.num_hidden_layers == 2


@pytest.mark.parametrize("keep", [0, 3, 4, [], [0], [1, 9]])
def test_no_layer_all_layers_and_unknown_ones_are_refused(model, keep):
    with pytest.raises(BadInput, match="keep 1 to 2"):
        lk.drop_layers(model, keep)


def test_what_cannot_be_cut_says_so(tmp_path, model):
    shared = lk.load(family("albert", tmp_path / "albert"), labels=ROWS.labels)
    for call in (lambda: lk.drop_layers(shared, 2), lambda: lk.prune(shared, ROWS, heads=0.5)):
        with pytest.raises(BadInput, match="albert"):
            call()
    gpt = lk.load(family("gpt2", tmp_path / "gpt"), labels=ROWS.labels)
    with pytest.raises(BadInput, match=r"gpt2 .* families"):
        lk.prune(gpt, ROWS, heads=0.5)
    with pytest.raises(BadInput, match="Nothing is to be cut"):
        lk.prune(model, ROWS)
    with pytest.raises(BadInput, match="merge"):
        lk.drop_layers(lk.LoRA().prepare(model), 2)
