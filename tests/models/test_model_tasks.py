"""A model has a head for one task, its folder says for which, and a corpus of another is refused in words."""

import json
from dataclasses import replace

import pytest
import stand_ins
import torch
from toys import Parity, Regression, Vectors, network, parity, regression

from labkit.base.records import BadInput
from labkit.models.loading import load, save
from labkit.strategies import Adapter, HeadOnly, LoRA
from labkit.tasks import Classification, task_of
from labkit.training.trainer import TrainConfig, Trainer

CORPORA = {"regression": regression, "parity": parity}
both = pytest.mark.parametrize("kind", CORPORA)
CONFIG = TrainConfig(epochs=1, lr=1e-3, device="cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return network(tmp_path_factory.mktemp("toy") / "net")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return stand_ins.bert(tmp_path_factory.mktemp("texts") / "bert")


def same(one, two):
    one, two = one.state_dict(), two.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def test_a_task_brings_its_head(place):
    heads = {kind: load(place, task=CORPORA[kind]().task) for kind in CORPORA}
    assert type(heads["regression"]).__name__ == "BertForSequenceClassification"
    assert heads["regression"].config.num_labels == 1
    assert type(heads["parity"]).__name__ == "BertForTokenClassification" and heads["parity"].config.num_labels == 2


def test_labels_are_short_for_a_classification_of_texts(texts):
    short = load(texts, ("no", "yes"), seed=4)
    assert short.task == Classification(labels=("no", "yes")) and same(short, load(texts, task=short.task, seed=4))
    assert load(texts, ("a", "b"), task=short.task).task.labels == ("a", "b")  # labels= has the last word


@both
@pytest.mark.parametrize("strategy", [HeadOnly(), LoRA(rank=2), Adapter(size=2)], ids=str)
def test_a_folder_keeps_its_task(place, tmp_path, kind, strategy):
    corpus = CORPORA[kind](24)
    trainer = Trainer(load(place, task=corpus.task), corpus, strategy, CONFIG)
    trainer.fit()
    save(trainer.model, tmp_path / "kept")
    card = json.loads((tmp_path / "kept" / "labkit.json").read_text("utf-8"))["task"]
    assert card == corpus.task.card() and task_of(card) == corpus.task
    for again in (load(tmp_path / "kept"), load(tmp_path / "kept", task=corpus.task)):
        assert again.task == corpus.task and same(again, trainer.model)


def test_settings_of_the_modality_are_kept(place, tmp_path):
    save(load(place, task=Regression(Vectors(2.0))), tmp_path / "kept")
    assert load(tmp_path / "kept").task == Regression(Vectors(2.0))


def test_a_folder_of_another_task_gets_a_new_head(place, tmp_path):
    save(load(place, task=Parity()), tmp_path / "kept")
    again = load(tmp_path / "kept", task=Regression())
    assert again.task == Regression() and again.config.num_labels == 1


@pytest.mark.parametrize(
    "lang, words",
    [("en", "trained for the task parity, not regression. Leave out task="), ("zh", "训练的，不能换成 regression")],
)
def test_what_was_added_for_another_task_is_refused(place, tmp_path, monkeypatch, lang, words):
    save(LoRA(rank=2).prepare(load(place, task=Parity())), tmp_path / "kept")
    monkeypatch.setenv("LABKIT_LANG", lang)
    with pytest.raises(BadInput, match=words):
        load(tmp_path / "kept", task=Regression())


def test_what_was_added_for_other_labels_is_refused_as_a_task_too(texts, tmp_path):
    save(Adapter(size=2).prepare(load(texts, ("a", "b"))), tmp_path / "kept")
    with pytest.raises(BadInput, match="trained for the labels a, b, not x, y"):
        load(tmp_path / "kept", task=Classification(labels=("x", "y")))
    assert load(tmp_path / "kept", task=Classification(labels=("a", "b"))).task.labels == ("a", "b")


def test_a_folder_with_a_task_that_nobody_knows_is_refused_by_name(place, tmp_path):
    save(load(place, task=Parity()), tmp_path / "kept")
    note = tmp_path / "kept" / "labkit.json"
    words = json.loads(note.read_text("utf-8"))
    note.write_text(json.dumps({**words, "task": {**words["task"], "name": "telepathy"}}), "utf-8")
    with pytest.raises(BadInput, match="No task 'telepathy'; there are: "):
        load(tmp_path / "kept")


LABELS = {
    "en": r"model's labels are a, b, the corpus's mark0, mark1: load it with load\(\.\.\., labels=corpus\.labels\)",
    "zh": r"模型的标签是 a、b，数据的标签是 mark0、mark1：请用 load\(\.\.\., labels=corpus\.labels\) 载入",
}
TASKS = {
    "en": r"model's task is parity \(vectors\), the corpus's regression \(vectors\): load it with load\(\.\.\., task=corpus\.task\)",
    "zh": r"模型的任务是 parity \(vectors\)，数据的任务是 regression \(vectors\)：请用 load\(\.\.\., task=corpus\.task\) 载入",
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_corpus_with_other_labels_or_another_task_is_refused_in_words(place, texts, monkeypatch, lang):
    monkeypatch.setenv("LABKIT_LANG", lang)
    with pytest.raises(BadInput, match=LABELS[lang]):
        Trainer(load(texts, ("a", "b")), stand_ins.corpus(24), config=CONFIG)
    with pytest.raises(BadInput, match=TASKS[lang]):
        Trainer(load(place, task=Parity()), regression(24), config=CONFIG)


def test_settings_tell_tasks_of_one_name_apart(place):
    corpus = replace(regression(24), task=Regression(Vectors(2.0)))
    with pytest.raises(BadInput, match=r"scale=1\.0.*scale=2\.0.*task=corpus\.task"):
        Trainer(load(place, task=Regression(Vectors(1.0))), corpus, config=CONFIG)
