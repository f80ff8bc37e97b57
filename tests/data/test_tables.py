"""Data as people have it: other separators and encodings, lines above the header, JSON Lines, Excel, folders of files."""

import gzip
import json

import pytest

from labkit.base.records import BadInput
from labkit.data.loading import load_csv

ROWS = [(f"第{i}家店{'真好' if i % 2 else '很差'}，还有“引号”和;分号", i % 2) for i in range(40)]


def delimited(separator=",", header=("text", "label")):
    lines = [separator.join(header), *(f'"{text}"{separator}{label}' for text, label in ROWS)]
    return "\n".join(lines) + "\n"


def json_lines(rows=ROWS):
    return "".join(
        json.dumps({"id": i, "text": t, "label": y}, ensure_ascii=False) + "\n" for i, (t, y) in enumerate(rows)
    )


def texts(corpus):
    return {e.input for split in corpus.splits.values() for e in split}


@pytest.mark.parametrize(
    "name, content, notes",
    [
        ("a.csv", delimited().encode(), ()),
        ("a.tsv", delimited("\t").encode(), ("separated by tabs",)),
        ("a.csv", delimited("\t").encode(), ("separated by tabs",)),
        ("a.csv", delimited(";").encode(), ("separated by semicolons",)),
        ("a.csv", delimited().encode("utf-16"), ("UTF-16",)),
        ("a.csv", delimited(";").encode("utf-16"), ("UTF-16", "separated by semicolons")),
        ("a.csv", delimited().encode("gb18030"), ("GBK",)),
        ("a.csv", ("# exported\n" + delimited()).encode(), ("lines above the header left out: 1",)),
        ("a.csv", ("评论数据,\n\n" + delimited()).encode(), ("lines above the header left out: 2",)),
        ("a.jsonl", json_lines().encode(), ()),
        ("a.ndjson", json_lines().encode(), ()),
        ("a.csv.gz", gzip.compress(delimited().encode()), ()),
        ("a.jsonl.gz", gzip.compress(json_lines().encode()), ()),
    ],
)
def test_the_same_rows_are_read_and_what_was_settled_is_said(tmp_path, name, content, notes):
    (tmp_path / name).write_bytes(content)
    corpus = load_csv(tmp_path / name)
    assert texts(corpus) == {text for text, _ in ROWS} and corpus.labels == ("0", "1")
    assert corpus.notes == notes and corpus.name == "a"


def test_a_sheet_of_excel_is_read(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="labkit[excel] is not installed")
    book = openpyxl.Workbook()
    for row in [("label", "text"), *((float(y), t) for t, y in ROWS)]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    corpus = load_csv(tmp_path / "a.xlsx")
    assert (texts(corpus) == {text for text, _ in ROWS} and corpus.labels == ("0.0", "1.0")) or corpus.labels == (
        "0",
        "1",
    )
    (tmp_path / "b.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(BadInput, match=r"b\.xlsx is no readable Excel file"):
        load_csv(tmp_path / "b.xlsx")


def test_without_openpyxl_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(BadInput, match=r"pip install 'labkit\[excel\]'"):
        load_csv(tmp_path / "a.xlsx")


@pytest.mark.parametrize("names", [("train.csv", "valid.csv", "test.csv"), ("train.jsonl", "dev.csv", "test.tsv")])
def test_a_folder_with_a_file_a_split(tmp_path, names):
    for name, part in zip(names, (ROWS[:24], ROWS[24:32], ROWS[32:]), strict=True):
        plain = "text\tlabel\n" + "".join(f"{t}\t{y}\n" for t, y in part)
        (tmp_path / name).write_text(json_lines(part) if name.endswith("jsonl") else plain, "utf-8")
    (tmp_path / "README.md").write_text("notes")
    corpus = load_csv(tmp_path)
    assert [len(split) for split in corpus.splits.values()] == [24, 8, 8] and corpus.name == tmp_path.name


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.jsonl", '{"text": "好", "label": 1}\n{"text": ', r"a.jsonl, line 2, is no JSON"),
        ("a.jsonl", "[1, 2]\n", r"line 1, is no JSON object"),
        ("a.jsonl", '{"review": "好", "label": 1}\n', r"no column 'text', only: review, label"),
        ("a.jsonl", '{"text": ["好"], "label": 1}\n', r"line 1: 'text' is a list or an object"),
        ("a.csv", "review;label\n好;1\n", r"no column 'text', only: review, label"),
        ("a.tsv", "text\tlabel\n", r"has a header and no rows"),
    ],
)
def test_what_cannot_be_read_is_said_with_file_and_line(tmp_path, name, content, words):
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(BadInput, match=words):
        load_csv(tmp_path / name)


def test_a_folder_without_training_rows_is_refused(tmp_path):
    (tmp_path / "test.csv").write_text(delimited(), "utf-8")
    with pytest.raises(BadInput, match=r"a folder without a train\.csv"):
        load_csv(tmp_path)


@pytest.mark.parametrize(
    "name", ["tabs.tsv", "semicolons.csv", "utf16.csv", "lines.jsonl", "title_row.csv", "comment_line.csv"]
)
def test_files_as_users_had_them(name, shared):
    corpus = load_csv(shared.parent / "cases" / name)
    assert sum(map(len, corpus.splits.values())) == 36 and corpus.labels == ("0", "1")
