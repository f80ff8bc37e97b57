"""Asking a model: against a slow obvious loop, and leaving it as it was found."""

import math

import pytest
import torch
from stand_ins import bert, corpus, family

from labkit.base.memory import out_of_memory
from labkit.base.records import BadInput, Example
from labkit.data.batching import batches_of
from labkit.modalities.text import Text
from labkit.models.loading import fitting, labels_of, load
from labkit.training.evaluation import evaluate, predict, worst
from labkit.training.network import Network

ROWS = corpus(n=60, classes=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with dropout and opinions: its head is drawn large, so that answers are not all 1/3."""
    drop = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "initializer_range": 0.3}
    made = load(bert(tmp_path_factory.mktemp("models") / "bert", **drop), labels=ROWS.labels)
    torch.manual_seed(0)
    made.classifier.weight.data.normal_()
    return made


def slowly(model, rows):
    """Logits one row at a time, unpadded."""
    with torch.no_grad():
        return torch.cat([model(**model.processor(r.input, return_tensors="pt")).logits for r in rows])


def test_logits_equal_a_slow_loop_in_the_order_of_the_rows(model):
    items = model.task.encode(model.processor, ROWS.train, 64)
    for batch_size in (1, 7, 64):
        losses, answers = Network(model, model.task).answers(model.processor, items, batch_size=batch_size)
        logits, target = slowly(model, ROWS.train), torch.tensor([r.target for r in ROWS.train])
        assert torch.allclose(torch.tensor(answers), logits, atol=1e-5)
        assert torch.allclose(losses, torch.nn.functional.cross_entropy(logits, target, reduction="none"), atol=1e-5)
        assert losses.dtype == torch.float32 and not losses.is_inference()


def test_scores_equal_a_slow_loop(model):
    rows = ROWS.train
    found = evaluate(model, rows)
    logits = slowly(model, rows)
    said, truth = [int(x.argmax()) for x in logits], [r.target for r in rows]
    assert found.n == len(rows)
    assert found.accuracy == sum(a == b for a, b in zip(said, truth, strict=True)) / len(rows)
    losses = [-math.log(float(x.softmax(-1)[y])) for x, y in zip(logits, truth, strict=True)]
    assert found.loss == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    f1 = []
    for c, score in enumerate(found.parts):
        both = sum(a == b == c for a, b in zip(said, truth, strict=True))
        precision, recall = both / max(said.count(c), 1), both / max(truth.count(c), 1)
        f1.append(2 * precision * recall / (precision + recall) if both else 0.0)
        assert (score.label, score.n) == (ROWS.labels[c], truth.count(c))
        assert (score.precision, score.recall, score.f1) == pytest.approx((precision, recall, f1[-1]))
        row = [sum(a == d and b == c for a, b in zip(said, truth, strict=True)) for d in range(3)]
        assert list(found.confusion[c]) == row
    assert found.macro_f1 == pytest.approx(sum(f1) / 3)
    assert found.macro_recall == pytest.approx(sum(s.recall for s in found.parts) / 3)
    assert 0 < found.low < found.accuracy < found.high < 1
    assert len(set(said)) > 1  # it has opinions: the comparison is not of one class


def test_predictions_carry_probabilities_of_every_label_in_the_order_asked(model):
    texts = [r.input for r in ROWS.test]
    expected = slowly(model, ROWS.test).softmax(-1)
    for text, p, row in zip(texts, predict(model, texts, batch_size=3), expected, strict=True):
        assert p.input == text and list(p.probabilities) == list(ROWS.labels)
        assert list(p.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-5)
        assert p.probability == max(p.probabilities.values()) == p.probabilities[p.label]
    assert predict(model, texts[0]) == predict(model, texts[:1])


@pytest.mark.parametrize("inputs", [[], "", ["好", " "], [None], [3]])
def test_what_is_no_text_is_refused(model, inputs):
    with pytest.raises(BadInput, match="text"):
        predict(model, inputs)


def test_no_rows_cannot_be_scored(model):
    with pytest.raises(BadInput, match="no rows"):
        evaluate(model, [])


def test_the_worst_rows_come_first_by_loss(model):
    rows = ROWS.train
    logits = slowly(model, rows)
    losses = [-math.log(float(x.softmax(-1)[r.target])) for x, r in zip(logits, rows, strict=True)]
    expected = sorted(range(len(rows)), key=lambda i: -losses[i])[:5]
    found = worst(model, rows, k=5)
    assert [m.example for m in found] == [rows[i] for i in expected]
    assert [m.loss for m in found] == pytest.approx([losses[i] for i in expected], abs=1e-4)
    for mistake, i in zip(found, expected, strict=True):
        said = int(logits[i].argmax())
        assert (mistake.truth, mistake.said) == (ROWS.labels[rows[i].target], ROWS.labels[said])
        assert mistake.probability == pytest.approx(float(logits[i].softmax(-1)[said]), abs=1e-5)
    assert len(worst(model, rows[:3], k=10)) == 3


def test_rows_of_equal_loss_keep_their_order(model):
    same = [Example("一个好", 1)] * 4 + [Example("一个好", 1, {"i": i}) for i in range(4)]
    assert [id(m.example) for m in worst(model, same, k=8)] == [id(r) for r in same]


@pytest.mark.parametrize("ask", [evaluate, worst, lambda m, rows: predict(m, [r.input for r in rows])])
def test_asking_leaves_modes_weights_gradients_and_random_state(model, ask):
    model.train()
    model.bert.encoder.layer[0].eval()
    modes = [m.training for m in model.modules()]
    weights = {n: p.detach().clone() for n, p in model.named_parameters()}
    state = torch.get_rng_state()
    first = ask(model, ROWS.test)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[n], p) and p.grad is None for n, p in model.named_parameters())
    model.eval()
    assert ask(model, ROWS.test) == first  # no dropout while asking


def test_modes_come_back_after_an_error(model, monkeypatch):
    model.train()
    monkeypatch.setattr(model, "forward", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(model, "好")
    assert model.training and torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    model.eval()


def test_where_memory_does_not_hold_a_batch_smaller_ones_are_asked(model, monkeypatch):
    expected, real, sizes = evaluate(model, ROWS.train), model.forward, []

    def forward(input_ids, **inputs):
        sizes.append(len(input_ids))
        if len(input_ids) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(input_ids=input_ids, **inputs)

    monkeypatch.setattr(model, "forward", forward)
    found = evaluate(model, ROWS.train)
    assert found.loss == pytest.approx(expected.loss, abs=1e-6) and found.confusion == expected.confusion
    assert [n > 20 for n in sizes[:3]] == [True, True, False] and max(sizes[2:]) <= 20
    monkeypatch.setattr(
        model, "forward", lambda **_: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory"))
    )
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(model, ROWS.train)


def test_lack_of_memory_is_told_from_other_errors():
    assert out_of_memory(torch.OutOfMemoryError("x"))
    assert out_of_memory(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
    )
    assert out_of_memory(RuntimeError("MPS backend out of memory"))
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("kind, most", [("bert", 64), ("roberta", 64), ("gpt2", 128)])
def test_texts_longer_than_the_model_can_read_are_cut(tmp_path, kind, most):
    model = load(family(kind, tmp_path / kind), labels=("no", "yes"))
    assert fitting(model, 10_000) == most and fitting(model, 10) == 10
    assert predict(model, "的" * 1000, max_length=10_000)[0].label in labels_of(model)


def test_rows_are_asked_in_batches_of_like_length_that_hold_few_tokens_on_a_cpu():
    lengths = [100, 7, 300, 8, 500] + [5] * 65
    budget = {device: Text().budget(device) for device in ("cpu", "cuda")}
    batches = batches_of(lengths, budget["cpu"])
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert [lengths[i] for batch in batches for i in batch] == sorted(lengths)
    assert all(len(b) * max(lengths[i] for i in b) <= 640 or len(b) == 1 for b in batches)
    assert max(map(len, batches)) == 64 and len(batches_of(lengths, budget["cuda"])) == 2
