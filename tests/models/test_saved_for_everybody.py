"""What labkit saves, plain transformers and peft read: their pipeline gives the probabilities that labkit gives."""

import json

import pytest
import torch
from stand_ins import FAMILIES, corpus, family

import labkit as lk
from labkit.models.loading import quiet
from labkit.strategies import BitFit, Full, HeadOnly, LoRA, PrefixTuning, TopK

ROWS = corpus(16, classes=3)
TEXTS = ["好棒赞", "坏差，一般般，就这样吧。", "贵"]
WHOLE = [Full(), HeadOnly(), TopK(1), BitFit()]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A saved network a family, whose config says that its head was for several labels at once."""
    root = tmp_path_factory.mktemp("families")
    for kind in FAMILIES:
        config = family(kind, root / kind) / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "problem_type": "multi_label_classification"}))
    return root


def trained(place, strategy):
    model = lk.load(place, ROWS.labels)
    trainer = lk.Trainer(model, ROWS, strategy, lk.TrainConfig(epochs=1, lr=1e-2, batch_size=8, device="cpu"))
    trainer.fit()
    return trainer.model


def by_pipeline(model, tokenizer):
    from transformers import pipeline

    with quiet():
        answers = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, device="cpu")(TEXTS)
    return [{a["label"]: a["score"] for a in row} for row in answers]


def close(theirs, model):
    ours = [p.probabilities for p in lk.predict(model, TEXTS)]
    assert [set(row) for row in theirs] == [set(ROWS.labels)] * len(TEXTS)
    for their, our in zip(theirs, ours, strict=True):
        assert their == pytest.approx(our, abs=1e-5)


@pytest.mark.parametrize("strategy", WHOLE, ids=str)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_pipeline_answers_as_labkit_does(kind, strategy, places, tmp_path):
    model = trained(places / kind, strategy)
    out = lk.save(model, tmp_path / "out")
    close(by_pipeline(str(out), str(out)), model)
    close([p.probabilities for p in lk.predict(lk.load(out), TEXTS)], model)


@pytest.mark.parametrize("kind", FAMILIES)
def test_merged_lora_is_a_plain_model(kind, places, tmp_path):
    model = trained(places / kind, LoRA(rank=2))
    plain = LoRA(rank=2).merge(model)
    plain.source, plain.task, plain.processor = model.source, model.task, model.processor
    out = lk.save(plain, tmp_path / "out")
    close(by_pipeline(str(out), str(out)), model)


@pytest.mark.parametrize("strategy", [LoRA(rank=2), PrefixTuning(tokens=2, hidden=8)], ids=str)
def test_what_peft_made_plain_peft_loads(strategy, places, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = trained(places / "bert", strategy)
    out = lk.save(model, tmp_path / "out")
    names = {"num_labels": 3, "id2label": dict(enumerate(ROWS.labels))}
    with quiet():
        base = AutoModelForSequenceClassification.from_pretrained(places / "bert", **names)
        theirs = PeftModel.from_pretrained(base, str(out)).eval()
    inputs = AutoTokenizer.from_pretrained(out)(TEXTS, padding=True, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        rows = theirs(**inputs).logits.softmax(-1).tolist()
    close([dict(zip(ROWS.labels, row, strict=True)) for row in rows], model)
