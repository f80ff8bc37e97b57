"""The first cell of every notebook: in Colab it finds labkit's wheel, or asks for it, and leaves what Colab brought."""

import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import pytest
from test_notebooks import builder

WHEEL = "labkit-0.1.0-py3-none-any.whl"


@pytest.fixture
def colab(tmp_path, monkeypatch):
    """Run the cell where Colab is: `colab(source)` gives pip's arguments; `colab.uploads` is what a student chooses."""
    asked, files = [], types.SimpleNamespace(upload=lambda: chosen())
    (tmp_path / "content").mkdir()
    monkeypatch.chdir(tmp_path / "content")
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(files=files))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "labkit" else real(name, *more)
    )
    monkeypatch.setattr(subprocess, "run", lambda command, check: asked.append((command, check)))

    def chosen() -> dict:
        run.dialogs += 1
        for name in run.uploads:
            Path(name).write_text(name, "utf-8")
        return dict.fromkeys(run.uploads, b"")

    def run(source: str = "") -> str:
        cell = builder.COLAB.format(source=source).replace("/content", str(tmp_path / "content"))
        exec(cell, {})
        ((command, check),) = asked
        assert check and command[:4] == [sys.executable, "-m", "pip", "install"]
        return command[-1]

    run.uploads, run.dialogs = [], 0
    return run


@pytest.mark.parametrize("place", ["", "drive/MyDrive", "drive/MyDrive/course"])
def test_a_wheel_beside_the_notebook_or_in_the_mounted_drive_is_found(colab, place):
    Path(place).mkdir(parents=True, exist_ok=True)
    (Path(place) / WHEEL).write_text("wheel", "utf-8")
    assert (colab(), colab.dialogs) == (WHEEL, 0)
    assert Path(WHEEL).read_text("utf-8") == "wheel"


def test_without_a_wheel_the_student_is_asked_for_one_in_both_languages(colab, capsys):
    colab.uploads = [WHEEL]
    assert (colab(), colab.dialogs) == (WHEEL, 1)
    said = capsys.readouterr().out
    assert "请在对话框里选择" in said and "choose labkit-….whl" in said


def test_a_second_download_gets_its_name_back(colab):
    colab.uploads = ["labkit-0.1.0-py3-none-any (1).whl"]
    assert colab() == WHEEL and Path(WHEEL).exists()


def test_a_dialog_that_is_left_ends_in_one_sentence(colab):
    with pytest.raises(SystemExit, match="run this cell again"):
        colab()


def test_an_address_is_taken_as_it_is(colab):
    Path(WHEEL).write_text("wheel", "utf-8")
    assert (colab("labkit @ git+https://example.org/labkit"), colab.dialogs) == (
        "labkit @ git+https://example.org/labkit",
        0,
    )


def test_what_colab_brought_stays_as_it_is(colab):
    import torch

    colab.uploads = [WHEEL]
    colab()
    kept = dict(line.split("==") for line in Path("keep.txt").read_text("utf-8").splitlines())
    assert torch.__version__.startswith(kept["torch"]) and {"numpy", "ipywidgets"} <= set(kept)


@pytest.mark.parametrize("in_colab", [True, False])
def test_elsewhere_and_where_labkit_is_there_the_cell_does_nothing(tmp_path, monkeypatch, in_colab):
    monkeypatch.chdir(tmp_path)
    if in_colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace())
    exec(builder.COLAB.format(source=""), {})
    assert list(tmp_path.iterdir()) == []
