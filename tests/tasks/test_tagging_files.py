"""Files of entities: spans and tags read as one, what is settled by itself is said, what cannot be read is named by its line."""

import gzip
import json

import pytest
from stand_ins import bert

import labkit as lk
from labkit.cli import commands
from labkit.data.tables import read_table
from labkit.tasks import Tagging

PLACES, PEOPLE = "东西南北", "好棒赞美"


def lines(n=40, split=None):
    made = []
    for i in range(n):
        place, person = PLACES[i % 4] + PLACES[i // 4 % 4], PEOPLE[i % 4] + PEOPLE[i // 3 % 4]
        text = f"我{'不' * (i % 5)}在{place}，{person}说{'的' * (i // 5)}"
        at = 2 + i % 5
        made.append({"text": text, "spans": [[at, at + 2, "LOC"], [at + 3, at + 5, "PER"]]})
    return [*made, *({"text": "的" * (i + 1) + "不", "spans": []} for i in range(n // 4))]


def jsonl(path, rows):
    data = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def conll(path, rows, scheme="BIO", between=" "):
    parts = []
    for r in rows:
        tags = ["O"] * len(r["text"])
        for begin, end, label in r["spans"]:
            body = [f"B-{label}", *[f"I-{label}"] * (end - begin - 1)]
            if scheme == "IOBES":
                body = [f"S-{label}"] if len(body) == 1 else [*body[:-1], f"E-{label}"]
            tags[begin:end] = body
        parts.append("\n".join(f"{c}{between}{t}" for c, t in zip(r["text"], tags, strict=True)))
    path.write_text("\n\n".join(parts) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("make", [jsonl, conll], ids=["spans", "columns"])
@pytest.mark.parametrize("packed", [False, True])
def test_columns_settle_that_it_is_tagging(tmp_path, make, packed):
    path = make(tmp_path / f"rows.{'jsonl' if make is jsonl else 'conll'}", lines())
    if packed:
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / f"{path.name}.gz"
    corpus = lk.load_csv(path)
    assert isinstance(corpus.task, Tagging) and corpus.labels == ("LOC", "PER") and corpus.name == "rows"
    assert {n: len(rows) for n, rows in corpus.splits.items()} == {"train": 40, "valid": 5, "test": 5}
    assert all(any(e.target for e in rows) for rows in corpus.splits.values())
    assert sum(not e.target for rows in corpus.splits.values() for e in rows) == 10  # shared out evenly
    example = next(e for e in corpus.train if e.target)
    assert [example.input[b:e][0] in PLACES + PEOPLE for b, e, _ in example.target] == [True, True]


def test_spans_and_both_schemes_of_tags_give_the_same_rows(tmp_path):
    rows = lines(20)
    found = [
        lk.load_csv(jsonl(tmp_path / "a.jsonl", rows)),
        lk.load_csv(conll(tmp_path / "a.bio", rows, "IOBES", "\t")),
        lk.load_csv(conll(tmp_path / "a.conll", rows, "BIO", " x y ")),  # columns in between say nothing here
        lk.load_csv(
            jsonl(
                tmp_path / "b.jsonl",
                [
                    {"text": r["text"], "spans": [{"start": b, "end": e, "label": x} for b, e, x in r["spans"]]}
                    for r in rows
                ],
            )
        ),
    ]
    assert [c.train for c in found] == [found[0].train] * 4


def test_tokens_and_tags_in_json_lines_too(tmp_path):
    rows = [
        {"tokens": ["I", "like", "New", "York", f"{i}"], "tags": ["O", "O", "B-LOC", "I-LOC", "O"]} for i in range(12)
    ]
    corpus = lk.load_csv(jsonl(tmp_path / "en.jsonl", rows))
    example = corpus.train[0]
    assert example.input.startswith("I like New York ") and example.target == ((7, 15, "LOC"),)


def test_documents_comments_and_blank_lines_say_nothing(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- -X- O\n\n# text = 东\n东 B-LOC\n# O\n\n\n# x\n西\tB-LOC\n好\tO\n", "utf-8")
    table = read_table(path, Tagging.other_columns[0])
    assert [r.cells["tokens"] for r in table.rows] == [["东", "#"], ["西", "好"]]
    assert [r.line for r in table.rows] == [4, 9]


def test_offsets_count_the_text_as_it_stands_in_the_file(tmp_path):
    rows = [
        {"text": f"  \u3000{i}在东西 ", "spans": [[len(f"  \u3000{i}在"), len(f"  \u3000{i}在") + 2, "LOC"]]}
        for i in range(12)
    ]
    corpus = lk.load_csv(jsonl(tmp_path / "a.jsonl", rows))
    assert all(e.input[b:end] == "东西" for e in corpus.train for b, end, _ in e.target)


def test_columns_may_have_other_names_and_types_too(tmp_path):
    rows = [{"句子": r["text"], "实体": r["spans"]} for r in lines(20)]
    path = jsonl(tmp_path / "a.jsonl", rows)
    corpus = lk.load_csv(
        path, task="tagging", columns={"text": "句子", "spans": "实体"}, labels={"LOC": "place", "PER": "person"}
    )
    assert corpus.labels == ("place", "person") and corpus.train[0].target[0][2] in corpus.labels
    assert lk.load_csv(path, "句子", columns={"spans": "实体"}, labels=["PER", "LOC"]).labels == ("PER", "LOC")


def test_rows_without_text_are_dropped_and_counted(tmp_path):
    corpus = lk.load_csv(
        jsonl(tmp_path / "a.jsonl", [*lines(20), {"text": "  ", "spans": []}, {"text": "", "spans": []}])
    )
    assert [(d.reason, d.count) for d in corpus.dropped] == [("empty", 2)]


def test_an_inside_tag_after_outside_is_read_as_a_beginning_and_said(tmp_path):
    path = conll(tmp_path / "a.conll", lines(20))
    path.write_text(path.read_text("utf-8") + "\n东 I-LOC\n西 I-LOC\n我 O\n", "utf-8")
    corpus = lk.load_csv(path)
    assert any("1 I- with no entity before them" in note for note in corpus.notes)
    assert "东西我" in {e.input for rows in corpus.splits.values() for e in rows if e.target == ((0, 2, "LOC"),)}


def test_a_split_without_entities_is_said(tmp_path):
    test = jsonl(tmp_path / "test.jsonl", [{"text": "了" * i, "spans": []} for i in range(1, 6)])
    corpus = lk.load_csv(jsonl(tmp_path / "a.jsonl", lines(20)), test=test)
    assert "no entity in test: its F1 is undefined" in corpus.notes


BAD = {
    "overlap": ({"spans": [[0, 3, "LOC"], [2, 4, "PER"]]}, "line 3: the entities '我在东' [0, 3, LOC] and '东西' [2, 4, PER] overlap"),
    "outside": ({"spans": [[2, 99, "LOC"]]}, "line 3: the entity [2, 99, 'LOC'] is outside the text, which has 7 characters"),
    "negative": ({"spans": [[-2, 1, "LOC"]]}, "line 3: the entity [-2, 1, 'LOC'] is outside the text"),
    "reversed": ({"spans": [[4, 2, "LOC"]]}, "line 3: the entity [4, 2, 'LOC'] is outside the text"),
    "empty": ({"spans": [[2, 2, "LOC"]]}, "line 3: the entity [2, 2, 'LOC'] is empty"),
    "no type": ({"spans": [[2, 4, ""]]}, "line 3: an entity should be [begin, end, type]"),
    "words": ({"spans": [["2", "4", "LOC"]]}, "line 3: an entity should be [begin, end, type]"),
    "two": ({"spans": [[2, 4]]}, "line 3: an entity should be [begin, end, type]"),
    "missing": ({}, "line 3: spans should be a list like [[0, 2, \"PER\"]], and [] where there is no entity"),
    "string": ({"spans": "东西 LOC"}, "line 3: spans should be a list"),
    "text": ({"text": ["我"], "spans": []}, "line 3: the text should be one string"),
    "type": ({"spans": [[2, 4, "ORG"]], "only": "test"}, "Unknown types of entities: ORG. Known are: LOC, PER"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_cannot_be_used_is_named_by_file_and_line(tmp_path, name, capsys):
    change, message = BAD[name]
    rows = lines(20)
    rows[2] = {"text": "我在东西，好美", **{k: v for k, v in change.items() if k != "only"}}
    path = jsonl(tmp_path / "rows.jsonl", rows)
    command = ["train", str(path), "--out", str(tmp_path / "out")]
    if "only" in change:
        command = ["train", str(jsonl(tmp_path / "good.jsonl", lines(20))), "--test", str(path), *command[2:]]
    assert commands.main(command) == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said and said.count("\n") == 1
    assert "rows.jsonl" in said or "only" in change
    assert not (tmp_path / "out").exists()


BAD_TAGS = {
    "scheme": ("东 PER\n", "line 1: unknown tag 'PER' (of '东'). Accepted are BIO, IOBES, BILOU, BMES"),
    "later": ("东 B-LOC\n西 I-LOC\n好 X-LOC\n", "line 3: unknown tag 'X-LOC'"),
    "no type": ("东 B-\n", "line 1: unknown tag 'B-'"),
    "no tag": ("东 B-LOC\n西\n", "line 2: '西' has no tag"),
    "no entity": ("东 O\n西 O\n\n好 O\n", "holds no entity at all"),
    "nothing": ("\n\n", "is empty"),
    "documents": ("-DOCSTART- O\n", "has a header and no rows"),
}


@pytest.mark.parametrize("name", BAD_TAGS)
def test_a_line_of_columns_that_cannot_be_used_is_named(tmp_path, name, capsys):
    content, message = BAD_TAGS[name]
    (tmp_path / "rows.conll").write_text(content, "utf-8")
    assert commands.main(["train", str(tmp_path / "rows.conll"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said and "rows.conll" in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_tokens_and_tags_of_unequal_length_are_named(tmp_path):
    rows = [{"tokens": ["东", "西"], "tags": ["B-LOC"]}]
    with pytest.raises(lk.BadInput, match="line 1: tokens and tags should be two lists of words, of equal length"):
        lk.load_csv(jsonl(tmp_path / "a.jsonl", rows))


def test_messages_are_in_chinese_too(tmp_path):
    lk.language("zh")
    try:
        with pytest.raises(lk.BadInput, match=r"第 1 行：实体 .* 不在文本里"):
            lk.load_csv(jsonl(tmp_path / "a.jsonl", [{"text": "东", "spans": [[0, 2, "LOC"]]}]))
    finally:
        lk.language("en")


def test_a_student_trains_and_asks_from_a_terminal(tmp_path, capsys):
    place = bert(tmp_path / "net", num_hidden_layers=2)
    path = jsonl(tmp_path / "rows.jsonl", lines(60))
    out = str(tmp_path / "out")
    flags = ["--model", str(place), "--epochs", "25", "--lr", "5e-3", "--batch-size", "8", "--out", out]
    assert commands.main(["train", str(path), *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["test_entity_f1"] > 0.5 and {"valid_entity_f1", "test_entity_precision", "test_entity_recall"} <= set(
        found
    )
    assert commands.main(["predict", out, "我在西北，棒好说"]) == 0
    assert capsys.readouterr().out == "我在[西北 LOC]，[棒好 PER]说\n"
    assert commands.main(["predict", out, "我在西北，棒好说", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["predictions"]
    assert answer["spans"] == [[2, 4, "LOC"], [5, 7, "PER"]] and answer["text"] == "我在西北，棒好说"


def test_the_packaged_names_hold_their_names_and_most_patterns_back():
    corpus = lk.names()
    assert corpus.labels == ("LOC", "ORG", "PER", "PROD") and not corpus.dropped
    assert {n: len(rows) for n, rows in corpus.splits.items()} == {"train": 800, "valid": 150, "test": 250}
    known, there = ({e.input[b:end] for e in rows for b, end, _ in e.target} for rows in (corpus.train, corpus.test))
    assert not known & there
    unseen = sum(e.extra["pattern"] == "unseen" for e in corpus.test) / len(corpus.test)
    assert 0.6 < unseen < 0.8 and all(e.extra["gloss"] for e in corpus.train)
    assert 0.1 < sum(not e.target for e in corpus.train) / 800 < 0.2


def test_the_packaged_names_are_what_the_program_makes():
    import importlib.util
    from pathlib import Path

    place = Path(__file__).resolve().parents[2] / "tools" / "make_names.py"
    spec = importlib.util.spec_from_file_location("make_names", place)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    stored = (Path(lk.__file__).parent / "assets" / "names.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in stored] == tool.rows()
