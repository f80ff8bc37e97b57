"""Numbers of a lesson print the same on every machine, and a drift is seen."""

import math

import pytest

from labkit.lesson import about


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
