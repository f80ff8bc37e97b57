"""An exported model answers as the one that it was made from, whatever the task, the length and the batch; or says why not."""

import asyncio
import json
import random
import shutil

import pytest
import torch
from stand_ins import MARKS, NEUTRAL, bert, corpus, family

import labkit as lk
from labkit.base.records import BadInput, Example
from labkit.data.corpus import Corpus
from labkit.deploy import graph
from labkit.deploy.service import Refused, Service
from labkit.modalities.text import Text
from labkit.models.exported import FILE, Exported
from labkit.strategies import LoRA, PTuningV2
from labkit.tasks import MultiLabel, QuestionAnswering, Tagging

ROWS = corpus(n=24, low=1, high=50)
LABELS = ("good", "bad", "dear")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("bert") / "bert")


@pytest.fixture(scope="module")
def model(place):
    torch.manual_seed(3)
    made = lk.load(place, labels=ROWS.labels)
    with torch.no_grad():
        made.classifier.weight.normal_()  # answers that differ from row to row
    return made


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("out") / "onnx"
    lk.export(model, place, ROWS)
    return place


@pytest.fixture
def traced(folder, monkeypatch):
    """Tracing takes seconds: from here on it gives the file that is there."""
    monkeypatch.setattr(graph, "trace", lambda *args: shutil.copy(folder / FILE, args[-1]))


def texts(n=20, seed=0):
    rng = random.Random(seed)
    return ["".join(rng.choices(NEUTRAL + "".join(MARKS), k=rng.choice((1, 3, 9, 30, 80)))) for _ in range(n)]


def close(a, b, places):
    if isinstance(a, dict):
        return set(a) == set(b) and all(close(a[k], b[k], places) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(close(x, y, places) for x, y in zip(a, b, strict=True))
    return b == (pytest.approx(a, abs=places) if isinstance(a, float) else a)


def same(one, other, asked, places=1e-5):
    for a, b in zip(lk.predict(one, asked), lk.predict(other, asked), strict=True):
        assert close(a.to_json(), b.to_json(), places), (a, b)


def test_it_predicts_and_evaluates_as_the_original_does(model, folder):
    exported = lk.load(folder)
    assert isinstance(exported, Exported) and exported.task == model.task
    same(model, exported, texts())
    one, other = (lk.evaluate(m, ROWS.test) for m in (model, exported))
    assert other.accuracy == one.accuracy and other.loss == pytest.approx(one.loss, abs=1e-5)


def test_a_text_that_is_longer_than_the_positions_is_cut_as_before(model, folder):
    same(model, lk.load(folder), ["好" * 500, "坏"])


def test_answers_in_a_batch_equal_answers_alone(folder):
    exported = lk.load(folder)
    together = lk.predict(exported, texts())
    for text, answer in zip(texts(), together, strict=True):
        (alone,) = lk.predict(exported, [text])
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_it_is_served(model, folder):
    service = Service(lk.load(folder))
    asyncio.run(service.start())
    good, bad = asyncio.run(service.predict(["好好好", 5]))
    assert service.close() and isinstance(bad, Refused)
    (alone,) = lk.predict(model, ["好好好"])
    assert good.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_the_card_says_what_it_is_and_how_far_from_its_origin(folder):
    card = json.loads((folder / "labkit.json").read_text("utf-8"))
    assert card["task"]["labels"] == list(ROWS.labels) and card["onnx"]["limit"] == 64
    parity = card["onnx"]["parity"]
    assert parity["largest"] < 1e-4 and parity["changed"] == 0
    sizes = parity["batches"]
    assert {len(b) for b in sizes} >= {1, 2, parity["rows"]}  # alone, and together
    assert any(len(set(b)) > 1 for b in sizes)  # padded
    assert min(map(min, sizes)) <= 5 and max(map(max, sizes)) > 40


OTHER_TASKS = {
    "tagging": (Tagging(labels=("PER", "LOC")), texts(), [((0, 1, "PER"),)] * 20),
    "several labels a pair": (MultiLabel(Text(pair=True), ("好", "坏")), [(t, "好坏") for t in texts()], [()] * 20),
    "question-answering": (QuestionAnswering(stride=8), [("好", t) for t in texts()], [()] * 20),
}


@pytest.mark.parametrize("name", OTHER_TASKS)
def test_every_task_that_asks_once_is_exported(place, name, tmp_path):
    task, inputs, targets = OTHER_TASKS[name]
    model = lk.load(place, task=task)
    rows = tuple(Example(x, y) for x, y in zip(inputs, targets, strict=True))
    lk.export(model, tmp_path / "onnx", Corpus("made", rows, rows[:4], rows[:4], task))
    exported = lk.load(tmp_path / "onnx")
    same(model, exported, inputs)


@pytest.mark.parametrize("kind", ["gpt2"])  # of each that is laid out otherwise; bench_ship.py exports them all
def test_a_family_that_reads_from_left_to_right_is_exported(kind, tmp_path):
    model = lk.load(family(kind, tmp_path / "model"), labels=ROWS.labels)
    lk.export(model, tmp_path / "onnx", ROWS)
    same(model, lk.load(tmp_path / "onnx"), texts())


@pytest.mark.parametrize("kind, strategy", [("distilbert", LoRA()), ("bert", PTuningV2())], ids=["lora", "ptuning-v2"])
def test_what_was_added_is_folded_in(kind, strategy, tmp_path):
    model = strategy.prepare(lk.load(family(kind, tmp_path / "model"), labels=ROWS.labels))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(word in name for word in ("lora", "bottleneck", "prompt")):
                parameter.normal_(std=0.1)
    lk.export(model, tmp_path / "onnx", ROWS)
    same(model.eval(), lk.load(tmp_path / "onnx"), texts())


@pytest.mark.parametrize("precision, share", [("half", 0.65), ("int8", 0.6)])
def test_smaller_weights_make_a_smaller_file_and_nearly_the_same_answers(
    model, folder, traced, precision, share, tmp_path
):
    found = lk.export(model, tmp_path / "small", ROWS, precision=precision)
    sizes = [(p / "model.onnx").stat().st_size for p in (tmp_path / "small", folder)]
    assert sizes[0] < share * sizes[1]
    assert 0 < found.parity.largest < 0.2
    same(model, lk.load(tmp_path / "small"), texts(), places=0.1)
    assert not (tmp_path / "small" / "whole.onnx").exists()


def test_a_model_that_writes_is_refused_with_the_reason(tmp_path):
    from labkit.tasks import Generation

    model = lk.load(family("gpt2", tmp_path / "gpt"), task=Generation())
    with pytest.raises(BadInput, match="token by token"):
        lk.export(model, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_what_cannot_be_traced_says_why_and_leaves_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("no such operator")))
    with pytest.raises(BadInput, match="no such operator"):
        lk.export(model, tmp_path / "onnx", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_another_answer_is_no_export(model, traced, tmp_path, monkeypatch):
    forward = Exported.forward

    def wrong(self, **inputs):
        found = forward(self, **inputs)
        return type(found)((name, value + 0.01) for name, value in found.items())

    monkeypatch.setattr(Exported, "forward", wrong)
    with pytest.raises(BadInput, match="answers otherwise"):
        lk.export(model, tmp_path / "onnx", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_the_model_is_left_as_it_was(model, traced, tmp_path):
    before = {n: p.clone() for n, p in model.state_dict().items()}
    model.train()
    lk.export(model, tmp_path / "onnx", ROWS)
    assert model.training and all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    model.eval()


def test_it_does_not_train_and_is_not_asked_for_another_task(folder):
    exported = lk.load(folder)
    with pytest.raises(BadInput, match="only answers"):
        lk.Trainer(exported, ROWS)
    with pytest.raises(BadInput, match="serves no other"):
        lk.load(folder, labels=("yes", "no"))
    with pytest.raises(BadInput, match="copy the folder"):
        lk.save(exported, folder.parent / "again")


def test_a_damaged_file_is_named(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:5000])
    with pytest.raises(BadInput, match="broken"):
        lk.load(broken)
    card = json.loads((broken / "labkit.json").read_text("utf-8"))
    card["onnx"]["limit"] = -3
    (broken / "labkit.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match="limit"):
        lk.load(broken)


def test_without_the_libraries_one_line_says_what_to_give(model, tmp_path, monkeypatch):
    from labkit.models import exported

    monkeypatch.setattr(exported, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"pip install 'labkit\[export\]'"):
        lk.export(model, tmp_path / "onnx", ROWS)


def test_a_folder_that_holds_something_is_not_written_to(model, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        lk.export(model, tmp_path, ROWS)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name, rows", [("tiny-resnet", lk.doodles), ("tiny-commands", lk.commands)])
def test_pictures_and_clips_are_answered_as_before_too(name, rows, tmp_path):
    corpus = rows()
    model = lk.load(name, task=corpus.task)
    lk.export(model, tmp_path / "onnx", corpus)
    exported, asked = lk.load(tmp_path / "onnx"), [e.input for e in corpus.test[:5]]
    one, other = (lk.predict(m, asked) for m in (model, exported))
    for a, b in zip(one, other, strict=True):
        assert a.label == b.label and list(a.probabilities.values()) == pytest.approx(
            list(b.probabilities.values()), abs=1e-5
        )
