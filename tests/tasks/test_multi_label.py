"""Several labels a row: a sigmoid each, macro-F1 over labels, read from "a|b"."""

import csv
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

import labkit as lk
from labkit.base.records import BadInput
from labkit.tasks import MultiLabel, task_of
from labkit.tasks.multi_label import words_of

WORDS = {"cold": "饭菜都凉了", "late": "送得太晚了", "rude": "态度很不好"}


def rows(n: int = 60) -> list[tuple[str, str]]:
    names, made = list(WORDS), []
    for i in range(n):
        chosen = [name for bit, name in enumerate(names) if (i % 8) >> bit & 1]
        made.append((f"第{i}单，" + "，".join(WORDS[c] for c in chosen) + "。", "|".join(chosen)))
    return made


def corpus(path) -> lk.Corpus:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows()])
    return lk.load_csv(path, task="multi-label")


def test_the_labels_of_a_cell_are_separated_by_bars_or_a_list():
    assert words_of(" late| cold ") == words_of(["late", "cold"]) == ["late", "cold"]
    assert words_of("") == words_of(None) == words_of([]) == []


def test_rows_have_any_number_of_labels_and_the_corpus_counts_each(tmp_path):
    found = corpus(tmp_path / "t.csv")
    assert found.labels == ("cold", "late", "rude")
    assert {len(e.target) for e in found.train} == {0, 1, 2, 3}
    assert found.counts()["late"] == sum(1 in e.target for e in found.train)
    assert "late" in found._repr_html_()


def test_json_lines_may_hold_lists(tmp_path):
    path = tmp_path / "t.jsonl"
    lines = [json.dumps({"text": t, "label": label.split("|") if label else []}) for t, label in rows()]
    path.write_text("\n".join(lines), "utf-8")
    assert lk.load_csv(path, task="multi-label").fingerprint == corpus(tmp_path / "t.csv").fingerprint


def test_the_loss_is_that_of_plain_transformers(tmp_path):
    found = corpus(tmp_path / "t.csv")
    model = lk.load("tiny-bert-zh", task=found.task)
    batch = found.task.collate(model.processor, found.task.encode(model.processor, found.train[:9], 64))
    with torch.no_grad():
        outputs = model(**batch.inputs, labels=batch.target)
    assert found.task.losses(outputs, batch).mean().item() == pytest.approx(outputs.loss.item(), rel=1e-5)


def test_scores_are_those_of_scikit_learn(tmp_path):
    task, rng = MultiLabel(labels=("a", "b", "c")), np.random.default_rng(0)
    answers, marks = rng.normal(size=(50, 3)), rng.integers(0, 2, (50, 3))
    scores = task.score(answers.tolist(), [np.flatnonzero(m).tolist() for m in marks])
    said = answers > 0
    assert scores.macro_f1 == pytest.approx(f1_score(marks, said, average="macro"))
    assert scores.micro_f1 == pytest.approx(f1_score(marks, said, average="micro"))
    assert scores.exact_match == pytest.approx((marks == said).all(1).mean())
    assert [p.f1 for p in scores.parts] == pytest.approx(f1_score(marks, said, average=None))
    assert scores.low < scores.macro_f1 < scores.high


def test_it_trains_compares_saves_and_answers_with_probabilities_of_its_own(tmp_path):
    found = corpus(tmp_path / "t.csv")
    runs = lk.compare([lk.Full(), lk.HeadOnly()], found, config=lk.TrainConfig(epochs=12, lr=1e-3, precision="fp32"))
    full = runs[0]
    assert full.error is None and full.scores["test"].macro_f1 > 0.7
    assert {b.strategy for b in runs.beside} == {"tf-idf", "majority"}
    run = lk.train_into(tmp_path / "out", found, lk.LoRA(), lk.TrainConfig(epochs=1))
    model = lk.load(tmp_path / "out")
    assert model.task == found.task == task_of(run.task)
    (answer,) = lk.predict(model, "送得太晚了")
    assert set(answer.probabilities) == set(found.labels)
    assert answer.labels == tuple(name for name, p in answer.probabilities.items() if p > 0.5)


def test_the_saved_config_tells_plain_transformers_to_take_a_sigmoid(tmp_path):
    from transformers import pipeline

    found = corpus(tmp_path / "t.csv")
    model = lk.load("tiny-bert-zh", task=found.task)
    lk.save(model, tmp_path / "m")
    (ours,) = lk.predict(model, "送得太晚了")
    (theirs,) = pipeline("text-classification", str(tmp_path / "m"), top_k=None, device="cpu")(["送得太晚了"])
    assert {d["label"]: d["score"] for d in theirs} == pytest.approx(ours.probabilities, abs=1e-5)


def test_a_classification_whose_labels_hold_bars_is_told_of_this_task(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("text,label\n" + "\n".join(f"{t},{label}" for t, label in rows(10) if label), "utf-8")
    with pytest.raises(BadInput, match="multi-label"):
        lk.load_csv(path)


def test_class_weights_are_refused_since_rows_have_no_class(tmp_path):
    found = corpus(tmp_path / "t.csv")
    with pytest.raises(BadInput, match="class_weights"):
        model = lk.load("tiny-bert-zh", task=found.task)
        lk.Trainer(model, found, config=lk.TrainConfig(epochs=1, class_weights="balanced")).fit()
