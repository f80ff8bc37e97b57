"""What trains, block by block, against counts and norms computed the slow way."""

import copy

import pytest
import torch
from stand_ins import bert, corpus

from labkit import plots
from labkit.base.records import StepDone
from labkit.inspection.trainable_map import trainable_map, watch
from labkit.models.loading import load
from labkit.strategies import Adapter, Full, GradualUnfreeze, HeadOnly, LoRA, PTuningV2, TopK
from labkit.training.trainer import TrainConfig, Trainer

ROWS = corpus(n=24)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("models") / "bert", initializer_range=0.2)


@pytest.fixture
def model(place):
    return load(place, labels=ROWS.labels)


def trainer(model, strategy, **config):
    return Trainer(
        model, ROWS, strategy, TrainConfig(**{"epochs": 2, "batch_size": 8, "device": "cpu", "lr": 1e-2, **config})
    )


@pytest.mark.parametrize("strategy", [Full(), HeadOnly(), TopK(2), LoRA(), Adapter(), PTuningV2()], ids=str)
def test_every_parameter_is_counted_once(model, strategy):
    whole = sum(p.numel() for p in model.parameters())
    made = strategy.prepare(model)
    found = trainable_map(made)
    assert sum(p.trained + p.added for p in found) == sum(p.numel() for p in made.parameters() if p.requires_grad)
    assert sum(p.frozen + p.trained for p in found) == whole
    assert bool(sum(p.added for p in found)) == isinstance(strategy, (LoRA, Adapter, PTuningV2))


def test_blocks_stand_in_depth_order_and_print_from_the_top_down(model):
    found = trainable_map(TopK(1).prepare(model))
    assert [p.name for p in found] == ["embeddings", "layer 1", "layer 2", "layer 3", "head"]
    assert [bool(p.trained) for p in found] == [False, False, False, True, True]
    lines = str(found).splitlines()
    assert lines[2].startswith("head") and lines[-2].startswith("embeddings") and lines[-1].startswith("total")
    assert "<table" in found._repr_html_()


def test_watching_gives_the_gradients_norm_and_the_change_of_the_weights(model):
    run = trainer(model, TopK(1), clip=0, epochs=1)
    before = {n: p.detach().clone() for n, p in run.model.named_parameters()}
    with watch(run.model) as seen:
        run.fit()
    found = {p.name: p for p in trainable_map(run.model, seen)}
    names = [n for n, p in run.model.named_parameters() if n.startswith("bert.encoder.layer.2.")]
    moved = torch.cat([(run.model.get_parameter(n).detach() - before[n]).flatten() for n in names]).norm()
    assert found["layer 3"].change == pytest.approx(
        float(moved / torch.cat([before[n].flatten() for n in names]).norm())
    )
    assert found["layer 3"].gradient > 0
    assert found["layer 2"].change == found["layer 2"].gradient == 0


def test_the_gradient_norm_is_that_of_a_hand_made_step(model):
    run = trainer(copy.deepcopy(model), Full(), batch_size=64, epochs=1, clip=0)
    batch = run.batches.batch("train", run.order(0)[0])
    model.train()
    torch.nn.functional.cross_entropy(model(**batch.inputs).logits, batch.target).backward()
    wanted = torch.cat([p.grad.flatten() for n, p in model.named_parameters() if ".layer.0." in n]).norm()
    with watch(run.model) as seen:
        run.fit()
    assert trainable_map(run.model, seen)[1].gradient == pytest.approx(float(wanted), rel=1e-4)


def test_watching_changes_nothing_and_leaves_nothing_behind(model):
    plain, watched = (trainer(copy.deepcopy(model), GradualUnfreeze()) for _ in range(2))
    losses = [[], []]
    plain.fit(lambda e: losses[0].append(e.loss) if isinstance(e, StepDone) else None)
    trains = {n for n, p in watched.model.named_parameters() if p.requires_grad}
    with watch(watched.model) as seen:
        assert {n for n, p in watched.model.named_parameters() if p.requires_grad} == trains
        watched.fit(lambda e: losses[1].append(e.loss) if isinstance(e, StepDone) else None)
    assert losses[0] == losses[1]
    assert all(not p._post_accumulate_grad_hooks for p in watched.model.parameters())
    assert trainable_map(watched.model, seen)[-2].gradient > 0  # what thawed later was seen too


def test_the_picture_has_a_bar_for_each_block_and_panels_where_a_run_was_watched(model):
    fig = plots.anatomy(trainable_map(LoRA().prepare(model)))
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [
        "embeddings",
        "layer 1",
        "layer 2",
        "layer 3",
        "head",
    ]
    assert len(fig.axes) == 1
