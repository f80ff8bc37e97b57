"""A pupil hears more than the labels: its teacher's probabilities, and which tokens it finds alike."""

import math

import pytest
import torch
from stand_ins import bert, corpus, family

import labkit as lk
from labkit.base.records import BadInput, Example
from labkit.data.corpus import Corpus
from labkit.models.state import asking
from labkit.strategies.retaining import Distill, likeness, retainer_name, soft_loss
from labkit.tasks import MultiLabel

ROWS = corpus(n=32)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    root = tmp_path_factory.mktemp("teacher")
    model = lk.load(bert(root / "bert", hidden_size=48, num_attention_heads=4), labels=ROWS.labels)
    lk.Trainer(model, ROWS, lk.Full(), lk.TrainConfig(epochs=8, lr=3e-3, batch_size=4, device="cpu")).fit()
    lk.save(model, root / "taught")
    return str(root / "taught")


@pytest.fixture
def pupil(tmp_path):
    return lk.load(bert(tmp_path / "pupil", seed=1), labels=ROWS.labels)


def batch_of(model, rows=ROWS.train[:5]):
    return model.task.collate(model.processor, model.task.encode(model.processor, rows, 64))


def test_the_soft_loss_is_the_divergence_of_warm_probabilities(teacher, pupil):
    batch, taught = batch_of(pupil), lk.load(teacher)
    with asking(pupil), asking(taught):
        found = Distill(teacher, hidden=0.0, temperature=3.0).add_loss(pupil, batch, pupil(**batch.inputs), taught, 0)
        one, other = pupil(**batch.inputs).logits.tolist(), taught(**batch.inputs).logits.tolist()
    total = 0.0
    for mine, theirs in zip(one, other, strict=True):
        p, q = ([math.exp(x / 3) for x in row] for row in (theirs, mine))
        total += sum(a / sum(p) * math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q, strict=True))
    assert found.item() == pytest.approx(9 * total / 5, rel=1e-3)


def test_who_answers_like_the_teacher_has_nothing_to_learn(teacher):
    taught = lk.load(teacher)
    batch = batch_of(taught)
    with asking(taught):
        assert Distill(teacher).add_loss(taught, batch, taught(**batch.inputs), taught, 0).item() == pytest.approx(
            0, abs=1e-6
        )


def test_likeness_is_of_tokens_and_padding_has_none():
    hidden = torch.tensor([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]]])
    found = likeness(hidden, torch.tensor([[1, 1, 0]]))[0]
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    rows = likeness(torch.tensor([[2.0, 0.0], [0.0, 5.0], [1.0, 1.0]]), None)
    assert rows[0, 1] == 0 and rows[0, 2].item() == pytest.approx(math.sqrt(0.5))


def test_padding_teaches_nothing(pupil):
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    tags = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    noisy = tags + (mask == 0)[..., None] * torch.tensor([9.0, -9.0, 1.0])
    assert soft_loss({"logits": tags}, {"logits": noisy}, mask, 1.0, pupil.config).item() == pytest.approx(0, abs=1e-6)
    places = {"start_logits": tags[..., 0]}, {"start_logits": noisy[..., 0]}
    assert soft_loss(*places, mask, 1.0, pupil.config).item() == pytest.approx(0, abs=1e-6)


def test_several_labels_are_taught_one_by_one(tmp_path):
    task = MultiLabel(labels=("好", "坏"))
    rows = tuple(Example(e.input, (e.target,)) for e in ROWS.train)
    data = Corpus("many", rows, rows[:4], rows[:4], task)
    lk.save(lk.load(bert(tmp_path / "a", seed=2), task=task), tmp_path / "teacher")
    model = lk.load(bert(tmp_path / "b"), task=task)
    run = lk.Trainer(
        model, data, retain=Distill(tmp_path / "teacher"), config=lk.TrainConfig(epochs=1, device="cpu")
    ).fit()
    assert math.isfinite(run.history[-1].train_loss)


def test_a_pupil_comes_nearer_to_its_teacher(teacher, pupil):
    def apart(model):
        with asking(model), asking(taught):
            batch = batch_of(model, ROWS.train)
            return soft_loss(model(**batch.inputs), taught(**batch.inputs), None, 1.0, model.config).item()

    taught, before = lk.load(teacher), None
    before = apart(pupil)
    run = lk.Trainer(
        pupil, ROWS, lk.Full(), lk.TrainConfig(epochs=8, lr=3e-3, batch_size=4, device="cpu"), retain=Distill(teacher)
    ).fit()
    assert apart(pupil) < 0.5 * before
    assert run.strategy == "full+distill(teacher=taught)" and run.settings["retain"]["teacher"] == teacher


def test_a_teacher_of_another_task_or_with_other_tokens_is_refused(teacher, tmp_path):
    other = lk.load(bert(tmp_path / "bert"), labels=("x", "y", "z"))
    with pytest.raises(BadInput, match="cannot teach"):
        Distill(teacher).start(other, 0)
    gpt = lk.load(family("gpt2", tmp_path / "gpt"), labels=ROWS.labels)
    with pytest.raises(BadInput, match="cannot teach"):
        Distill(teacher).start(gpt, 0)


def test_settings_are_checked_and_the_name_has_no_path():
    for bad in ({"weight": -1}, {"temperature": 0}, {"hidden": -1}):
        with pytest.raises(BadInput):
            Distill("x", **bad)
    assert retainer_name(Distill("/data/out/large", weight=0.5)) == "distill(teacher=large,weight=0.5)"
