"""Run folders that lie: links out of them, pickles, shapes and names of another model, files that are missing, weights that are
no numbers, all under a manifest that agrees. Whoever goes on from one, reads it or asks it gets one message with the file's name;
nothing runs, and nothing is touched, in the folder or outside it."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_ins import bert, corpus, rows_of, write_csv

import labkit as lk
from labkit.base.files import MANIFEST, digest, load_run, seal
from labkit.base.records import BadInput
from labkit.cli import commands
from labkit.training.checkpoint import Checkpoints

ROWS = corpus(32)


class Payload:
    def __reduce__(self):
        return exec, ("from pathlib import Path\nPath('executed').write_text('x')\n",)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, rows, a run that was left after its first epoch, one that is finished, a comparison."""
    place = tmp_path_factory.mktemp("made")
    bert(place / "tiny", num_hidden_layers=1)
    write_csv(place / "rows.csv", rows_of(ROWS))
    (place / "secret.safetensors").write_bytes(b"not yours")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert commands.main(training("done", "--epochs", "1")) == 0
        rows = lk.load_csv("rows.csv")
        config = lk.TrainConfig(epochs=3, lr=1e-3, batch_size=8, device="cpu")
        events = lk.RunFolder("left", "tiny", rows, config=config).run()
        while not list((place / "left").glob("checkpoint/step-*")):
            next(events)
        events.close()
        lk.compare([lk.HeadOnly()], rows, "tiny", config=lk.TrainConfig(epochs=1, device="cpu"), out="table")
    return place


def training(out, *more):
    return [
        "train",
        "rows.csv",
        "--model",
        "tiny",
        "--out",
        out,
        "--lr",
        "1e-3",
        "--batch-size",
        "8",
        "--device",
        "cpu",
        *more,
    ]


def comparing(out):
    return [
        "compare",
        "rows.csv",
        "--model",
        "tiny",
        "--strategies",
        "head",
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--out",
        out,
    ]


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of all that, to spoil and to look at."""
    place = tmp_path / "here"
    shutil.copytree(made, place)
    monkeypatch.chdir(place)
    return place


def contents(place):
    return {
        p.relative_to(place).as_posix(): str(p.readlink())
        if p.is_symlink()
        else p.read_bytes()
        if p.is_file()
        else None
        for p in place.rglob("*")
    }


@pytest.fixture
def refused(capsys, here):
    """The command ends with status 2 and one message that has these words; everything on the disk is as before."""

    def run(words, *said):
        before = contents(here)
        assert commands.main([str(w) for w in words]) == 2
        message = capsys.readouterr().err
        assert message.startswith("labkit: ") and "Traceback" not in message and len(message) < 600
        assert [word for word in said if word not in message] == [], message
        assert contents(here) == before and not (here / "executed").exists()

    return run


def tensors_of(path, change):
    """Change the tensors of a file; the file stays a sound one."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def query(tensors):
    return next(name for name in tensors if "query.weight" in name)


# What may be wrong with a file of tensors: each takes its path


def pickled(path):
    path.write_bytes(pickle.dumps(Payload()))


def enormous_header(path):
    path.write_bytes(struct.pack("<Q", 10 * 2**30) + b"{}")


def empty(path):
    path.write_bytes(b"")


def gone(path):
    path.unlink()


def link_out(path):
    path.unlink()
    path.symlink_to(Path("secret.safetensors").absolute())


def another_shape(path):
    tensors_of(path, lambda t: t.update({query(t): torch.zeros(1)}))  # it could be broadcast


def of_another_model(path):
    tensors_of(path, lambda t: t.update({query(t).replace("layer.0", "layer.7"): t.pop(query(t))}))


def no_numbers(path):
    tensors_of(path, lambda t: t[query(t)].view(-1).__setitem__(0, torch.nan))


# What may be wrong with the state of a checkpoint: each changes what state.json holds


def no_history(state):
    del state["history"]


def history_of_nothing(state):
    state["history"] = [3]


def step_in_words(state):
    state["step"] = "five"


def steps_beyond_the_end(state):
    state["step"] = 10**9


def moments_of_nobody(tensors):
    tensors["nobody|exp_avg"] = torch.zeros(3)


def moments_of_another_shape(tensors):
    tensors[next(n for n in tensors if n.endswith("query.weight|exp_avg"))] = torch.zeros(1)


WEIGHTS = {  # and what is said of a checkpoint that holds it
    pickled: "header",
    enormous_header: "header",
    empty: "header",
    gone: "it is missing",
    link_out: "it is a link",
    another_shape: "of another shape",
    of_another_model: "this model has no such tensors",
    no_numbers: "NaN",
}
STATES = {
    no_history: "it lacks history",
    history_of_nothing: "history",
    step_in_words: "five",
    steps_beyond_the_end: "step",
}
MOMENTS = [moments_of_nobody, moments_of_another_shape]


def newest():
    return Checkpoints("left/checkpoint").all()[-1].absolute()


def going_on():
    return training("left", "--epochs", "3", "--resume")


# train --resume


def test_an_unspoilt_checkpoint_goes_on(here):
    assert commands.main(going_on()) == 0 and load_run("left/run.json").epochs == 3


@pytest.mark.parametrize("spoil", WEIGHTS, ids=lambda f: f.__name__)
def test_a_checkpoint_with_weights_that_lie_is_refused_by_name(spoil, here, refused):
    spoil(newest() / "model.safetensors")
    seal(newest())
    refused(going_on(), "model.safetensors is damaged or altered", WEIGHTS[spoil])


@pytest.mark.parametrize("spoil", STATES, ids=lambda f: f.__name__)
def test_a_checkpoint_whose_state_lies_is_refused_by_name(spoil, here, refused):
    path = newest() / "state.json"
    state = json.loads(path.read_text("utf-8"))
    spoil(state)
    path.write_text(json.dumps(state), "utf-8")
    seal(newest())
    refused(going_on(), "state.json is damaged or altered", STATES[spoil])


@pytest.mark.parametrize("spoil", MOMENTS, ids=lambda f: f.__name__)
def test_a_checkpoint_with_moments_of_another_run_is_refused_by_name(spoil, here, refused):
    tensors_of(newest() / "optimizer.safetensors", spoil)
    seal(newest())
    refused(going_on(), "optimizer.safetensors is damaged or altered", "not of this model")


def test_a_checkpoint_without_its_state_is_refused_by_name(here, refused):
    gone(newest() / "state.json")
    seal(newest())
    refused(going_on(), "state.json is damaged or altered (it is missing)")


def test_a_manifest_that_names_a_file_elsewhere_is_refused(here, refused):
    manifest = json.loads((newest() / MANIFEST).read_text("utf-8"))
    manifest["sha256"]["../../../secret.safetensors"] = digest("secret.safetensors")
    (newest() / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    refused(going_on(), "manifest.json is damaged or altered", "a file elsewhere")


@pytest.mark.parametrize("depth", [0, 1], ids=["the checkpoints", "the newest of them"])
def test_checkpoints_that_lie_elsewhere_are_refused_and_stay(depth, here, refused):
    link = [here / "left" / "checkpoint", newest()][depth]
    shutil.move(link, here / "elsewhere")
    link.symlink_to(here / "elsewhere")
    refused(going_on(), f"{link.name} is damaged or altered (it is a link)")


# Finished runs: train --resume, load_run, predict, compare


@pytest.mark.parametrize("spoil", WEIGHTS, ids=lambda f: f.__name__)
def test_a_finished_run_with_weights_that_lie_answers_nothing(spoil, here, refused):
    spoil(here / "done" / "model.safetensors")
    refused(["predict", "done", "好"], "Directory done holds no usable model", "model.safetensors")


@pytest.mark.parametrize("spoil", [pickled, empty, link_out], ids=lambda f: f.__name__)
def test_a_record_that_is_none_is_refused_by_name(spoil, here, refused):
    spoil(here / "done" / "run.json")
    refused(training("done", "--epochs", "1", "--resume"), "done/run.json is damaged or altered")
    with pytest.raises(BadInput, match=r"run\.json is damaged or altered"):
        load_run("done/run.json")


@pytest.mark.parametrize("spoil", [pickled, empty, link_out], ids=lambda f: f.__name__)
def test_a_comparison_with_a_record_that_is_none_is_refused_by_name(spoil, here, refused):
    spoil(here / "table" / "head-s0.json")
    refused(comparing("table"), "table/head-s0.json is damaged or altered")
