"""Numbers of a lesson print the same on every machine, and a drift is seen."""

import math

import pytest
from labkit_exercises.notebook import about, equipment

import labkit as lk
from labkit import BadInput


@pytest.mark.parametrize("value", [0.8101, 0.83, 0.8499])
def test_a_value_within_tolerance_prints_the_reference(capsys, value):
    about("accuracy", value, 0.83, 0.02)
    assert capsys.readouterr().out == "accuracy ≈ 0.83 (± 0.02)\n"


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

TABLE = {"test": ("test accuracy", 0.77, 0.06), "loss": ("loss", 1, 0)}


def test_a_measured_number_is_compared_with_the_reference_of_its_key(capsys):
    expect = lk.expect(TABLE)
    expect("test", 0.7812)
    expect("loss", 2)
    assert capsys.readouterr().out == "test accuracy ≈ 0.77 (± 0.06)\nloss = 2 ✗ expected 1 ± 0\n"


def test_a_tensor_or_an_array_of_one_number_is_a_number(capsys):
    import numpy as np
    import torch

    for value in (torch.tensor(0.75), torch.tensor([0.75]), np.float32(0.75)):
        lk.expect(TABLE)("test", value)
    assert capsys.readouterr().out == 3 * "test accuracy ≈ 0.77 (± 0.06)\n"


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
