"""Numbers of a lesson print the same on every machine, and a drift is seen."""

import configparser
import math
import re
from pathlib import Path

import pytest
from labkit_exercises.notebook import about, equipment, references

import labkit as lk
from labkit import BadInput


@pytest.mark.parametrize("value", [0.8101, 0.83, 0.8499])
def test_a_value_within_tolerance_stands_beside_the_reference(capsys, monkeypatch, value):
    about("accuracy", value, 0.83, 0.02)
    assert capsys.readouterr().out == f"accuracy {value:.3f} (ours 0.83 ± 0.02)\n"
    monkeypatch.setenv("LABKIT_LANG", "zh")
    about("准确率", value, 0.83, 0.02)
    assert capsys.readouterr().out == f"准确率 {value:.3f}（我们 0.83 ± 0.02）\n"


@pytest.mark.parametrize("value, ours, shown", [(6, (6, 2), "6"), (21.44, (21, 7), "21.4"), (2, (2.0, 0.35), "2.000")])
def test_a_value_has_one_digit_more_than_its_reference(capsys, value, ours, shown):
    about("found", value, *ours)
    assert capsys.readouterr().out.startswith(f"found {shown} (ours ")


@pytest.mark.parametrize(
    "line, blank",
    [
        ("准确率 0.812（我们 0.83 ± 0.02）", 1),
        ("loss -1.2 (ours 1 ± 3)", 1),
        ("gap 3e-07 (ours 0 ± 1e-05)", 1),
        ("a 0.9 ✗", 0),
    ],
)
def test_nbval_blanks_what_was_measured_and_nothing_else(line, blank):
    config = configparser.RawConfigParser()
    config.read(ROOT / "nbval_sanitize.cfg", encoding="utf-8")
    found = re.sub(config["measured"]["regex"], config["measured"]["replace"], line)
    assert found.count("<MEASURED>") == blank and found.count("±") == line.count("±")


@pytest.mark.parametrize("value, shown", [(0.851, "0.851"), (0.1234567, "0.123457"), (math.nan, "nan")])
def test_a_drift_prints_the_real_value(capsys, monkeypatch, value, shown):
    about("accuracy", value, 0.83, 0.02)
    assert capsys.readouterr().out == f"accuracy = {shown} ✗ expected 0.83 ± 0.02\n"
    monkeypatch.setenv("LABKIT_LANG", "zh")
    about("准确率", value, 0.83, 0.02)
    assert capsys.readouterr().out == f"准确率 = {shown} ✗ 应为 0.83 ± 0.02\n"


def test_the_tiny_model_works_anywhere(capsys):
    assert equipment() == ("tiny-bert-zh", "cuda" if lk.machine.device() == "cuda" else "cpu")
    assert "tiny-bert-zh" in capsys.readouterr().out


def test_the_big_model_wants_a_graphics_card_and_says_what_to_expect(capsys, monkeypatch):
    monkeypatch.setattr(lk.machine, "device", lambda: "cpu")
    with pytest.raises(BadInput, match=r"no graphics card.*big=False"):
        equipment(big=True)
    monkeypatch.setattr(lk.machine, "device", lambda: "cuda")
    assert equipment(big=True) == ("bert-base-chinese", "cuda")
    assert "400 MB" in capsys.readouterr().out


# References

ROOT = Path(__file__).resolve().parents[2]


def test_the_references_of_a_notebook_stand_in_a_file_in_both_languages(capsys, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", "zh")
    lk.expect("01")("test", 0.78)
    assert capsys.readouterr().out == "测试准确率 0.780（我们 0.77 ± 0.06）\n"
    with pytest.raises(BadInput, match="01、02"):
        lk.expect("99")


def test_every_reference_is_used_in_its_notebook_and_none_stands_in_a_cell():
    for source in sorted((ROOT / "notebooks" / "src").glob("*.py")):
        text = source.read_text("utf-8")
        if match := re.search(r'lk\.expect\("(\d\d)"\)', text):
            assert match[1] == source.name[:2]
            by_name = re.search(r"expect\((?![\"'])", text)  # which keys are asked for is known when it runs
            unused = [] if by_name else [key for key in references(match[1]) if f'"{key}"' not in text]
            assert unused == [], source.name
        assert "lk.expect({" not in text and "EXPECTED" not in text, source.name


TABLE = {"test": ("test accuracy", 0.77, 0.06), "loss": ("loss", 1, 0)}


def test_a_measured_number_is_compared_with_the_reference_of_its_key(capsys):
    expect = lk.expect(TABLE)
    expect("test", 0.7812)
    expect("loss", 2)
    assert capsys.readouterr().out == "test accuracy 0.781 (ours 0.77 ± 0.06)\nloss = 2 ✗ expected 1 ± 0\n"


def test_a_tensor_or_an_array_of_one_number_is_a_number(capsys):
    import numpy as np
    import torch

    for value in (torch.tensor(0.75), torch.tensor([0.75]), np.float32(0.75)):
        lk.expect(TABLE)("test", value)
    assert capsys.readouterr().out == 3 * "test accuracy 0.750 (ours 0.77 ± 0.06)\n"


@pytest.mark.parametrize(
    "code, message", [("en", "No reference 'tset'; there are: test, loss"), ("zh", "没有 'tset'；有：test、loss")]
)
def test_an_unknown_key_is_refused_with_the_known_ones(monkeypatch, code, message):
    monkeypatch.setenv("LABKIT_LANG", code)
    with pytest.raises(BadInput, match=message):
        lk.expect(TABLE)("tset", 0.77)


@pytest.mark.parametrize("value", [None, "much", [0.7, 0.8], print])
@pytest.mark.parametrize("code, message", [("en", "'test' is compared as one number"), ("zh", "要对的是一个数")])
def test_what_is_no_number_is_refused(monkeypatch, code, message, value):
    monkeypatch.setenv("LABKIT_LANG", code)
    with pytest.raises(BadInput, match=message):
        lk.expect(TABLE)("test", value)


@pytest.mark.parametrize("row", [("accuracy", 0.77), ("accuracy", 0.77, -0.1), (0.77, 0.06, "accuracy"), 0.77])
@pytest.mark.parametrize("code, message", [("en", "reference, tolerance"), ("zh", "允许的偏差")])
def test_a_table_is_looked_over_before_anything_is_measured(monkeypatch, code, message, row):
    monkeypatch.setenv("LABKIT_LANG", code)
    with pytest.raises(BadInput, match=message):
        lk.expect({"test": row})
