"""Control and canary: who is to blame when tests fail on the newest versions, and what Colab's list of versions holds."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("canary", ROOT / "tools" / "canary.py")
canary = importlib.util.module_from_spec(spec)
spec.loader.exec_module(canary)
TESTED, NEWEST = {"torch": "2.13.0", "numpy": "2.4"}, {"torch": "2.14.0", "numpy": "2.4", "new": "1.0"}


@pytest.mark.parametrize(
    "control, newest, status, said",
    [(True, True, 0, "Both pass"), (True, False, 1, "torch 2.13.0 -> 2.14.0"), (False, False, 2, "not to blame")],
)
def test_a_release_is_blamed_only_where_the_tested_versions_pass(control, newest, status, said):
    code, text = canary.verdict(control, newest, TESTED, NEWEST)
    assert code == status and said in text
    assert "numpy" not in text


def test_both_legs_run_the_same_payload_each_with_its_own_python(tmp_path, monkeypatch, capsys):
    test, other = tmp_path / "test_it.py", tmp_path / "python"
    test.write_text("def test_it():\n    assert True\n", "utf-8")
    other.write_text(f'#!/bin/sh\ncase "$*" in *pytest*) exit 1;; *) exec "{sys.executable}" "$@";; esac\n', "utf-8")
    other.chmod(0o755)
    monkeypatch.setattr(canary, "make", lambda place, pins: other)
    assert canary.main([str(test)]) == 1
    assert "Only the newest versions fail. They differ in: nothing" in capsys.readouterr().out


def test_the_payload_is_there():
    assert all((ROOT / path).exists() for path in canary.PAYLOAD)


def test_colab_is_older_than_labkit_asks_nowhere():
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints-colab.txt").read_text("utf-8").splitlines()
    there = dict(line.split("==") for line in lines if not line.startswith("#"))
    asked = re.findall(r'^    "([a-z][^"\[]*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    wanted = {r.name: r.specifier for r in map(Requirement, asked)}
    both = {name for name in there if name in wanted}
    assert {"torch", "transformers", "peft", "accelerate"} <= both
    assert [name for name in both if there[name] not in wanted[name]] == []
