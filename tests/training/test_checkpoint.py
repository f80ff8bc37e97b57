"""Files that are whole or absent, and refused by name when they are neither."""

import errno
import json
import os

import pytest
import torch
from stand_ins import bert, corpus

from labkit.base import files
from labkit.base.files import load_run, new_folder, save_run, verify, write_text
from labkit.base.records import BadInput
from labkit.models.loading import load
from labkit.training import checkpoint
from labkit.training.checkpoint import Checkpoints
from labkit.training.trainer import TrainConfig, Trainer

TENSORS = {"model": {"w": torch.arange(6.0).reshape(2, 3)}, "optimizer": {"w|step": torch.tensor(3.0)}}


@pytest.fixture
def kept(tmp_path):
    """Checkpoints with one in it, of step 5."""
    kept = Checkpoints(tmp_path / "checkpoint")
    kept.save(5, TENSORS, {"word": "中文", "loss": float("nan")}, epochs=1)
    return kept


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_what_was_saved_is_loaded(kept):
    tensors, state = kept.load()
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[g][n], t) for g, group in TENSORS.items() for n, t in group.items())
    assert state["word"] == "中文" and state["loss"] != state["loss"]


def test_nothing_is_pickled(kept):
    (folder,) = kept.all()
    assert names(folder) == ["manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


def test_the_newest_counts_and_older_ones_go(kept):
    for step, epochs in ((7, 1), (10, 1), (10, 2)):
        kept.save(step, TENSORS, {"at": [step, epochs]}, epochs=epochs)
    assert names(kept.folder) == ["step-00000010-epoch-0001", "step-00000010-epoch-0002"]
    assert kept.load()[1] == {"at": [10, 2]}


def test_the_same_moment_again_leaves_the_folder_as_it_is(kept):
    (folder,) = kept.all()
    before = (folder / "state.json").stat().st_mtime_ns
    assert kept.save(5, TENSORS, {"word": "中文"}, epochs=1) == folder
    assert (folder / "state.json").stat().st_mtime_ns == before


def test_no_checkpoint_is_none(tmp_path):
    assert Checkpoints(tmp_path / "nothing").load() is None


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["truncated", "altered", "missing"])
def test_a_harmed_file_is_refused_by_name(kept, name, harm):
    path = kept.all()[0] / name
    data = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(data[:-1])
    else:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BadInput) as caught:
        kept.load()
    assert name in str(caught.value) and str(kept.all()[0]) in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"sha256": 3}', "{}"])
def test_a_folder_without_a_readable_manifest_is_refused_by_name(kept, content):
    manifest = kept.all()[0] / "manifest.json"
    manifest.unlink() if content is None else manifest.write_text(content)
    with pytest.raises(BadInput, match=r"manifest\.json"):
        kept.load()


def test_a_state_of_another_tool_is_refused(tmp_path):
    Checkpoints(tmp_path / "checkpoint").save(5, TENSORS, {"epoch": 1})
    rows = corpus(n=8)
    with pytest.raises(BadInput, match="another strategy"):
        Trainer(load(bert(tmp_path / "m"), labels=rows.labels), rows, out=tmp_path, resume=True)


def test_what_a_killed_process_left_half_written_is_ignored_and_removed(kept):
    left = kept.folder / ".step-00000010-epoch-0002.new"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert kept.load()[1]["word"] == "中文"
    kept.save(12, TENSORS, {}, epochs=2)
    assert names(kept.folder) == ["step-00000005-epoch-0001", "step-00000012-epoch-0002"]


@pytest.mark.parametrize("moment", ["save_file", "write_text", "seal", "rename"])
def test_dying_at_any_moment_of_a_save_leaves_the_checkpoint_before(kept, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    import safetensors.torch

    place = {"save_file": safetensors.torch, "seal": files, "rename": os}.get(moment, checkpoint)
    monkeypatch.setattr(place, moment, die)
    monkeypatch.setattr(files.shutil, "rmtree", lambda *_, **__: None)  # the dead tidy nothing up
    with pytest.raises(Killed):
        kept.save(10, TENSORS, {}, epochs=2)
    monkeypatch.undo()
    assert len(names(kept.folder)) == 2
    assert kept.load()[1]["word"] == "中文"
    kept.save(10, TENSORS, {"now": 1}, epochs=2)
    assert kept.load()[1] == {"now": 1} and len(names(kept.folder)) == 2


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(kept, monkeypatch):
    import safetensors.torch

    def full(*_, **__):
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(OSError, match="disk is full") as caught:
        kept.save(10, TENSORS, {}, epochs=2)
    assert caught.value.errno == errno.ENOSPC
    assert names(kept.folder) == ["step-00000005-epoch-0001"]


def test_the_manifest_is_written_last_and_everything_is_flushed(tmp_path, monkeypatch):
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda f: (flushed.append(f), real(f)))
    with new_folder(tmp_path / "out") as fresh:
        (fresh / "a").write_text("1")
        (fresh / "deep").mkdir()
        (fresh / "deep" / "b").write_text("2")
        assert not (tmp_path / "out").exists()
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["sha256"]
    assert sorted(listed) == ["a", "deep/b"]
    assert len(flushed) >= 3
    verify(tmp_path / "out")


def test_a_folder_that_holds_something_is_not_overwritten_and_an_empty_one_is_taken(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(FileExistsError, match="exists"), new_folder(tmp_path / "full"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError), new_folder(tmp_path / "file"):
        pass
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as fresh:
        (fresh / "a").touch()
    assert names(tmp_path / "empty") == ["a", "manifest.json"]


def test_a_relative_name_works_from_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with new_folder("out/") as fresh:
        (fresh / "a").touch()
    assert names(tmp_path) == ["out"]


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_text(path, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert path.read_text() == "old" and names(tmp_path) == ["run.json"]


def test_a_run_is_read_back_as_it_was(tmp_path):
    rows = corpus(n=16)
    config = TrainConfig(epochs=2, lr=1e-3, device="cpu", patience=1)
    run = Trainer(load(bert(tmp_path / "m"), labels=rows.labels), rows, config=config).fit()
    save_run(run, tmp_path / "run.json")
    assert load_run(tmp_path / "run.json") == run


def test_a_checkpoint_of_a_trainer_holds_safetensors_and_json_only(tmp_path):
    rows = corpus(n=16)
    config = TrainConfig(epochs=1, lr=1e-3, device="cpu", patience=1)
    Trainer(load(bert(tmp_path / "m"), labels=rows.labels), rows, config=config, out=tmp_path / "out").fit()
    (folder,) = (tmp_path / "out" / "checkpoint").iterdir()
    expected = ["best.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]
    assert names(folder) == expected
