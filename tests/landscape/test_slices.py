"""Slices of a real model's loss: true in the middle, on paths too, cheap, and the model is never touched."""

import io
import math

import numpy
import pytest
import torch
from stand_ins import bert, corpus

from labkit import plots
from labkit.base.records import BadInput
from labkit.landscape.planes import Plane, Trajectory, path_plane, random_plane, record_path
from labkit.landscape.slices import slice_loss
from labkit.models.loading import load
from labkit.strategies import BitFit, Full, GradualUnfreeze, HeadOnly, LoRA, TopK
from labkit.training.evaluation import evaluate
from labkit.training.trainer import TrainConfig, Trainer


@pytest.fixture(scope="module")
def rows():
    return corpus(32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("models") / "bert", hidden_dropout_prob=0.1)


@pytest.fixture
def model(folder, rows):
    return load(folder, rows.labels)


def trained(folder, rows, strategy, seed=0, **config):
    trainer = Trainer(
        load(folder, rows.labels), rows, strategy, TrainConfig(epochs=2, batch_size=8, seed=seed, **config)
    )
    path = record_path(trainer)
    trainer.fit(path)
    return trainer.model, path


def bits(model):
    state = {n: (t.clone(), t.requires_grad) for n, t in model.named_parameters()}
    return state, [m.training for m in model.modules()], torch.get_rng_state()


def same(one, other):
    tensors = all(torch.equal(t, other[0][n][0]) and flag == other[0][n][1] for n, (t, flag) in one[0].items())
    return tensors and one[1] == other[1] and torch.equal(one[2], other[2])


@pytest.mark.parametrize("strategy", [Full(), HeadOnly(), TopK(1), LoRA(), BitFit()], ids=lambda s: s.name)
def test_the_middle_of_a_slice_is_the_models_loss_and_the_model_is_as_before(strategy, folder, rows):
    model = strategy.prepare(load(folder, rows.labels)).train()
    before = bits(model)
    plane = random_plane(model, seed=1, names=[n for n, p in model.named_parameters() if p.requires_grad])
    found = slice_loss(model, rows.train, plane, n=3)
    assert same(before, bits(model))
    assert found.loss[1, 1] == pytest.approx(evaluate(model, rows.train).loss, abs=1e-6)
    assert not found.stopped and found.rows == len(rows.train) and numpy.isfinite(found.loss).all()


def test_every_place_of_a_slice_is_the_loss_of_the_model_with_those_weights(model, rows):
    TopK(1).prepare(model)
    plane = random_plane(model, seed=3)
    found = slice_loss(model, rows.valid, plane, n=3, window=(-1.0, 1.0, 0.0, 0.5))
    model.load_state_dict(plane.at(1.0, 0.5), strict=False)
    assert found.loss[2, 2] == pytest.approx(evaluate(model, rows.valid).loss, abs=1e-6)
    assert found.loss[2, 2] != pytest.approx(found.loss[0, 1], abs=1e-5)


def test_an_interrupt_leaves_the_model_and_gives_what_is_there(model, rows):
    before, seen = bits(model), []

    def progress(done, total):
        seen.append((done, total))
        if done == 9:
            raise KeyboardInterrupt

    found = slice_loss(model, rows.valid, n=5, progress=progress)
    assert same(before, bits(model))
    assert found.stopped and seen[-1] == (9, 25)
    assert numpy.isfinite(found.loss[1:4, 1:4]).all() and numpy.isnan(found.loss).sum() == 16
    assert "nan" in str(found) and plots.slice_map(found)


def test_stop_is_asked_after_every_place(model, rows):
    asked = []
    found = slice_loss(model, rows.valid, n=5, stop=lambda: asked.append(1) or len(asked) == 3)
    assert found.stopped and numpy.isfinite(found.loss).sum() == 3


def test_a_head_slice_runs_the_network_below_once(model, rows, monkeypatch):
    HeadOnly().prepare(model)
    calls, layer = [], type(model.bert.encoder)
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    slice_loss(model, rows.valid, n=2)
    once = len(calls)
    slice_loss(model, rows.valid, n=7)
    assert 0 < once == len(calls) / 2


def test_random_directions_are_as_long_as_the_weights_row_by_row(model):
    plane = random_plane(model)
    for name, weight in plane.origin.items():
        if weight.ndim < 2:
            assert not plane.across[name].any()
        else:
            assert plane.across[name].norm(dim=1) == pytest.approx(weight.norm(dim=1), rel=1e-4)
    assert torch.equal(random_plane(model).up["classifier.weight"], plane.up["classifier.weight"])
    assert not torch.equal(plane.up["classifier.weight"], plane.across["classifier.weight"])


def test_a_path_goes_from_0_0_to_1_0_and_losses_there_are_those_of_the_models(folder, rows):
    model, path = trained(folder, rows, HeadOnly(), lr=0.05)
    plane = path_plane(path)
    walk = plane.follow(path, "adamw")
    assert walk.places[0] == pytest.approx([0, 0], abs=1e-5) and walk.places[-1] == pytest.approx([1, 0], abs=1e-5)
    assert walk.steps[0] == 0 and walk.steps[-1] == 8 and walk.outside < 1e-3
    found = slice_loss(model, rows.train, plane, n=3, window=(0.0, 2.0, -1.0, 1.0))
    assert found.loss[1, 1] == pytest.approx(evaluate(model, rows.train).loss, abs=1e-6)
    assert found.loss[1, 0] == pytest.approx(evaluate(load(folder, rows.labels), rows.train).loss, abs=1e-6)
    across, up = (torch.cat([t.flatten() for t in d.values()]) for d in (plane.across, plane.up))
    assert float(up.norm()) == pytest.approx(float(across.norm()), rel=1e-3)
    assert abs(across @ up) < 1e-3 * (across @ across)
    left, right, bottom, top = plane.window
    assert all(left < a < right and bottom < b < top for a, b in walk.places)


def test_several_paths_share_a_plane_and_say_what_it_does_not_show(folder, rows):
    runs = {o: trained(folder, rows, HeadOnly(), lr=lr, optimizer=o) for o, lr in (("adamw", 0.05), ("sgd", 0.5))}
    plane = path_plane(*(path for _, path in runs.values()))
    walks = [plane.follow(path, name) for name, (_, path) in runs.items()]
    assert walks[0].places[0] == pytest.approx(walks[1].places[0], abs=1e-5)
    assert abs(walks[1].places[-1][1]) > 1e-3 and 0 <= walks[1].outside < 1
    fig = plots.slice_map(slice_loss(runs["sgd"][0], rows.valid, plane, n=5), walks)
    fig.savefig(io.BytesIO(), format="raw")
    labels = [text.get_text() for text in fig.legends[0].get_texts()]
    assert labels[0] == "adamw" and labels[1].startswith("sgd")
    assert "step" in str(walks[0])


def test_a_place_beside_the_plane_is_projected_straight_down():
    def point(*v):
        return {"w": torch.tensor(v)}

    class Path(Trajectory):
        def __init__(self):
            self.steps, self.snapshots = [0, 5], [point(1.0, 1.0, 1.0), point(4.0, 3.0, 5.0)]

    plane = Plane(point(1.0, 1.0, 1.0), point(1.0, 0.0, 0.0), point(1.0, 1.0, 0.0), "random", (-1, 1, -1, 1))
    walk = plane.follow(Path())
    assert walk.places[1] == pytest.approx([1.0, 2.0])  # 3 = a + b, 2 = b
    assert walk.outside == pytest.approx(4 / math.sqrt(9 + 4 + 16))


def test_a_recorded_path_keeps_to_its_memory_and_to_both_ends(folder, rows):
    trainer = Trainer(load(folder, rows.labels), rows, Full(), TrainConfig(epochs=5, batch_size=4))
    one = sum(p.numel() for p in trainer.model.parameters()) * 4 / 2**20
    path = record_path(trainer, limit_mb=6 * one)
    trainer.fit(path)
    assert len(path.snapshots) <= 6 and path.steps[0] == 0 and path.steps[-1] == 40
    assert all(torch.equal(path.snapshots[-1][n], p) for n, p in trainer.tensors().items())
    assert f"{len(path.steps)} snapshots" in repr(path)


def test_tensors_that_train_later_are_on_the_path_from_the_start(folder, rows):
    _, path = trained(folder, rows, GradualUnfreeze())
    start = dict(load(folder, rows.labels).named_parameters())
    assert all(s.keys() == path.snapshots[-1].keys() for s in path.snapshots)
    assert all(torch.equal(t, start[n]) for n, t in path.snapshots[0].items())
    assert path_plane(path).follow(path).places[-1] == pytest.approx([1, 0], abs=1e-4)


def test_what_cannot_be_sliced_is_said(model, folder, rows):
    _, path = trained(folder, rows, HeadOnly())
    with pytest.raises(BadInput, match="no rows"):
        slice_loss(model, [])
    with pytest.raises(BadInput, match="from 2 to 501"):
        slice_loss(model, rows.valid, n=1)
    with pytest.raises(BadInput, match="another model"):
        slice_loss(LoRA().prepare(load(folder, rows.labels)), rows.valid, path_plane(path))
    with pytest.raises(BadInput, match="too short"):
        short = Trajectory.__new__(Trajectory)
        short.steps, short.snapshots = path.steps[:2], path.snapshots[:2]
        path_plane(short)
    with pytest.raises(BadInput, match="share no plane"):
        path_plane(path, trained(folder, rows, TopK(1))[1])
    with pytest.raises(BadInput, match="Nothing to move"):
        slice_loss(model.requires_grad_(False), rows.valid)
