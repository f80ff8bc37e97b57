"""`labkit export` and `labkit compress` as somebody gives them on a command line."""

import json

import pytest
from stand_ins import bert, corpus, rows_of, write_csv

import labkit as lk
from labkit.cli.commands import main

ROWS = corpus(n=80)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("saved")
    write_csv(root / "rows.csv", rows_of(ROWS), ("评论", "情感"))
    lk.save(lk.load(bert(root / "bert"), labels=ROWS.labels), root / "model")
    return root


def asked(place, *more):
    return ["--data", str(place / "rows.csv"), "--text", "评论", "--label", "情感", *more]


def test_compress_writes_folders_that_load_a_table_and_a_figure(place, tmp_path, capsys):
    out = tmp_path / "out"
    variants = ["--variants", "layers-2, feed-forward-50", "--out", str(out), "--json"]
    assert main(["compress", str(place / "model"), *asked(place, *variants)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [v["name"] for v in found["variants"]] == ["torch", "layers-2", "feed-forward-50"]
    assert found == json.loads((out / "compress.json").read_text("utf-8")) and (out / "compress.png").stat().st_size
    assert lk.load(out / "layers-2").task == ROWS.task
    assert main(["compress", str(place / "model"), *asked(place, "--variants", "layers-1", "--out", str(out))]) == 0


def test_export_prints_what_was_compared(place, tmp_path, capsys):
    assert main(["export", str(place / "model"), *asked(place, "--out", str(tmp_path / "onnx"), "--json")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parity"]["changed"] == 0 and found["precision"] == "float"
    assert main(["predict", str(tmp_path / "onnx"), "好的地方"]) == 0
    assert "mark" in capsys.readouterr().out


@pytest.mark.parametrize(
    "call, words",
    [
        (["export", "nowhere", "--out", "x"], "No folder nowhere"),
        (["compress", "{}/model", "--out", "x"], "give --data"),
        (["compress", "{}/model", "--data", "slips", "--out", "x"], "another task"),
        (["compress", "{}/model", "--variants", "int4", "--out", "x"], "There are: onnx"),
    ],
    ids=["no folder", "no rows", "other rows", "other kind"],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_left(place, call, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([part.format(place) for part in call]) == 2
    assert words in capsys.readouterr().err and list(tmp_path.iterdir()) == []
