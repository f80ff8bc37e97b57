"""The columns of a file settle its task; rows may be pairs of texts."""

import json

import pytest

import labkit as lk
from labkit.base.records import BadInput
from labkit.cli.given import columns_of
from labkit.data import packaged
from labkit.data.loading import forms_of, load_csv
from labkit.modalities.text import Text, windows
from labkit.models.loading import load
from labkit.tasks import Classification

ROWS = [("天气好吗", "今天下雨", "no"), ("几点开门", "九点开门", "yes")] * 10


def pairs(path):
    lines = [f"{a}{i},{b}{i},{c}" for i, (a, b, c) in enumerate(ROWS)]
    path.write_text("\n".join(["q,other,same", *lines]), "utf-8")
    return path


def test_without_a_task_a_label_column_makes_it_a_classification():
    kind, form = forms_of(None, {"text": "review", "label": "stars"})[0]
    assert (kind, form) == (Classification, {"text": "review", "label": "stars"})


def test_rows_of_two_texts_are_read_as_pairs(tmp_path):
    corpus = load_csv(pairs(tmp_path / "p.csv"), text="q", text_pair="other", label="same")
    assert corpus.task == Classification(Text(pair=True), ("no", "yes"))
    assert all(len(e.input) == 2 for e in corpus.train)
    assert "other" not in corpus.train[0].extra


def test_a_pair_is_encoded_as_the_tokenizer_does_it(tmp_path):
    corpus = load_csv(pairs(tmp_path / "p.csv"), text="q", text_pair="other", label="same")
    model = load("tiny-bert-zh", task=corpus.task)
    inputs = [e.input for e in corpus.train[:3]]
    batch = corpus.task.collate(model.processor, corpus.task.encode(model.processor, corpus.train[:3], 64))
    wanted = model.processor([a for a, _ in inputs], [b for _, b in inputs], padding=True, return_tensors="pt")
    assert set(batch.inputs) == set(wanted)
    assert all((batch.inputs[name] == wanted[name]).all() for name in wanted)


def test_a_row_without_its_second_text_is_dropped_and_counted(tmp_path):
    path = pairs(tmp_path / "p.csv")
    path.write_text(path.read_text("utf-8") + "\n只有一段,,yes", "utf-8")
    corpus = load_csv(path, text="q", text_pair="other", label="same")
    assert [(d.reason, d.count) for d in corpus.dropped] == [("empty", 1)]


def test_a_column_that_no_task_has_is_refused_by_name(tmp_path):
    with pytest.raises(BadInput, match="paragraph"):
        load_csv(pairs(tmp_path / "p.csv"), columns={"paragraph": "q"})


@pytest.mark.parametrize("text", ["question", "question=", "=q"])
def test_columns_on_the_command_line_are_name_and_column(text):
    assert columns_of("question=q, context=段落") == {"question": "q", "context": "段落"}
    with pytest.raises(BadInput, match="--columns"):
        columns_of(text)


def test_two_questions_on_one_context_are_no_near_duplicates():
    context = "今天的订单由张三送到北门，电话是一三八零零零零零零零零，备注写着不要辣也不要葱。" * 3
    text = Text(pair=True)
    assert text.near([("电话是多少？", context)], [("订单送到哪里去了？", context)]) == []
    assert text.near([("电话是多少？", context)], [("电话是多少", context + "好")]) == [
        (0, 0, pytest.approx(0.98, abs=0.03))
    ]


def test_a_pair_is_read_from_a_line_with_a_tabulator():
    assert Text(pair=True).parse("问题\t段落") == ("问题", "段落")
    with pytest.raises(BadInput, match=r"制表符|tabulator"):
        Text(pair=True).parse("只有一段")


def test_the_usual_settings_of_a_modality_are_not_in_its_card():
    assert Text().card() == {"name": "text"}
    assert Text(pair=True).card() == {"name": "text", "pair": True}


def test_windows_overlap_and_know_their_characters_and_their_text():
    tokenizer, text = load("tiny-bert-zh", labels=("a", "b")).processor, "甲乙丙丁戊己庚辛壬癸" * 3
    items = windows(tokenizer, Text(), [text, "短文"], limit=20, stride=4)
    assert [item["example"] for item in items] == [0, 0, 1]
    spans = [[(s, e) for (s, e), part in zip(i["offsets"], i["part"], strict=True) if part == 0] for i in items[:2]]
    assert spans[0][-4:] == spans[1][:4] and spans[1][-1] == (29, 30)
    assert "".join(text[s:e] for s, e in [*spans[0], *spans[1][4:]]) == text


def test_of_a_pair_the_second_text_is_cut_and_tokens_know_their_text():
    tokenizer = load("tiny-bert-zh", labels=("a", "b")).processor
    items = windows(tokenizer, Text(pair=True), [("谁来了？", "昨天张三来了，" * 10)], limit=30, stride=8)
    assert len(items) > 2 and all(len(item["input_ids"]) <= 30 for item in items)
    assert all(item["part"].count(0) == 4 and item["token_type_ids"][-1] == 1 for item in items)


def test_json_lines_of_pairs_are_read_like_a_csv(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"q": f"{a}{i}", "other": b, "same": c} for i, (a, b, c) in enumerate(ROWS)]
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    assert load_csv(path, text="q", text_pair="other", label="same").task.modality.pair


def test_every_packaged_corpus_is_a_word_of_the_command():
    makers = {name for name in lk.__all__ if getattr(getattr(lk, name), "__module__", "") == packaged.__name__}
    assert set(packaged.PACKAGED) == makers and "phrases" in makers
