"""The frozen part is computed once, and nobody can tell from the results."""

import dataclasses

import pytest
import stand_ins

import labkit as lk
from labkit.frozen import FrozenPart, frozen_depth

FAMILIES = ("bert", "roberta", "distilbert", "electra", "albert", "gpt2")


@pytest.fixture(scope="module")
def corpus():
    return stand_ins.corpus(n=60)


def losses(model, corpus, strategy, **config):
    trainer = lk.Trainer(model, corpus, strategy, lk.TrainConfig(batch_size=8, lr=1e-2, device="cpu", **config))
    steps = [e.loss for e in trainer.run() if isinstance(e, lk.StepDone)]
    return steps, trainer


@pytest.mark.parametrize("strategy", [lk.HeadOnly(), lk.TopK(1)], ids=["head", "top-1"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_losses_with_and_without_it_are_the_same(tmp_path, corpus, kind, strategy):
    folder = stand_ins.family(kind, tmp_path / kind)
    plain, a = losses(lk.load(folder, corpus.labels), corpus, strategy, epochs=2, cache_mb=0)
    kept, b = losses(lk.load(folder, corpus.labels), corpus, strategy, epochs=2)
    assert not a.frozen.kept
    assert bool(b.frozen.kept) == b.frozen.usable
    assert kept == pytest.approx(plain, abs=1e-5)
    assert [e.valid_loss for e in b.history] == pytest.approx([e.valid_loss for e in a.history], abs=1e-5)


def test_the_frozen_blocks_are_computed_once_whatever_the_number_of_epochs(tmp_path, corpus):
    model = lk.load(stand_ins.family("bert", tmp_path / "bert"), corpus.labels)
    calls = []
    model.bert.encoder.layer[0].attention.register_forward_hook(lambda *args: calls.append(1))
    for epochs in (1, 5):
        calls.clear()
        losses(model, corpus, lk.TopK(1), epochs=epochs)
        assert len(calls) == 2  # 48 training rows and 6 to validate fit into one batch of 64 each


def test_depth_counts_frozen_blocks_from_below(tmp_path, corpus):
    model = lk.load(stand_ins.family("bert", tmp_path / "bert"), corpus.labels)
    layers = model.config.num_hidden_layers
    assert frozen_depth(lk.Full().prepare(model)) == 0
    assert frozen_depth(lk.TopK(1).prepare(model)) == layers
    assert frozen_depth(lk.HeadOnly().prepare(model)) == layers + 1


def test_what_does_not_fit_the_limit_is_not_kept(tmp_path, corpus):
    model = lk.HeadOnly().prepare(lk.load(stand_ins.family("bert", tmp_path / "bert"), corpus.labels))
    items = corpus.task.encode(model.processor, corpus.train, 64)
    part = FrozenPart(model, limit_mb=1e-6)
    assert not part.keep("train", items, corpus.task, model.processor)
    assert not part.kept


def test_the_model_computes_again_afterwards(tmp_path, corpus):
    model = lk.load(stand_ins.family("bert", tmp_path / "bert"), corpus.labels)
    losses(model, corpus, lk.HeadOnly(), epochs=1)
    texts = [row.text for row in corpus.test]
    before = [p.probability for p in lk.predict(model, texts)]
    saved = lk.load(lk.save(model, tmp_path / "saved"))
    assert [p.probability for p in lk.predict(saved, texts)] == before
    assert "forward" not in vars(model.bert)


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path, corpus):
    folder = stand_ins.family("bert", tmp_path / "bert")

    def trainer():
        config = lk.TrainConfig(epochs=2, batch_size=8, lr=1e-2)
        return lk.Trainer(lk.load(folder, corpus.labels), corpus, lk.TopK(1), config)

    whole, parts = trainer(), trainer()
    for _ in whole.run():
        pass
    for event in parts.run():
        if isinstance(event, lk.StepDone) and event.step == 3:
            break
    for _ in parts.run():
        pass
    for name, tensor in whole.tensors().items():
        assert tensor.equal(parts.tensors()[name]), name
    assert dataclasses.asdict(whole.history[-1])["valid_loss"] == parts.history[-1].valid_loss
