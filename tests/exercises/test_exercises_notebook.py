"""Numbers of a lesson print the same on every machine, and a drift is seen."""

import math

import pytest
from labkit_exercises.notebook import about, equipment

from labkit.base import machine
from labkit.base.records import BadInput


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
    assert equipment() == ("tiny-bert-zh", "cuda" if machine.device() == "cuda" else "cpu")
    assert "tiny-bert-zh" in capsys.readouterr().out


def test_the_big_model_wants_a_graphics_card_and_says_what_to_expect(capsys, monkeypatch):
    monkeypatch.setattr(machine, "device", lambda: "cpu")
    with pytest.raises(BadInput, match=r"no graphics card.*big=False"):
        equipment(big=True)
    monkeypatch.setattr(machine, "device", lambda: "cuda")
    assert equipment(big=True) == ("bert-base-chinese", "cuda")
    assert "400 MB" in capsys.readouterr().out
