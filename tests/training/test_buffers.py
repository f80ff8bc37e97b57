"""A network whose state is not its parameters alone: batch normalisation keeps running statistics in buffers. A ResNet over
a modality of tiny pictures that labkit does not have."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from labkit.base.records import BadInput, Example, StepDone
from labkit.data.corpus import Corpus
from labkit.modalities.contract import Modality
from labkit.models.families import blocks, width_of
from labkit.models.loading import load, save
from labkit.models.state import buffers, frozen_modules, moving
from labkit.strategies import (
    NAMES,
    Adapter,
    BitFit,
    Full,
    GradualUnfreeze,
    HeadOnly,
    LoRA,
    PrefixTuning,
    PTuningV2,
    TopK,
)
from labkit.tasks import Classification
from labkit.training.trainer import TrainConfig, Trainer

SIDE = 16  # pixels


class Nothing:
    """A processor that has nothing to say."""

    def save_pretrained(self, folder) -> None:
        pass


@dataclass(frozen=True)
class Tiles(Modality):
    """Pictures of 16 by 16 pixels in three colours, as bytes."""

    name: ClassVar[str] = "tiles"
    heads: ClassVar[dict[str, str]] = {"classification": "AutoModelForImageClassification"}

    def load_processor(self, place: str, config, **where) -> Nothing:
        return Nothing()

    def encode(self, processor, inputs: Sequence[bytes], limit: int) -> list[dict]:
        return [{"pixel_values": torch.tensor(list(x)).view(3, SIDE, SIDE) / 255} for x in inputs]

    def size(self, item: dict) -> int:
        return 1

    def budget(self, device) -> int:
        return 16

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        return {"pixel_values": torch.stack([item["pixel_values"] for item in items])}

    def stub(self, n: int, device) -> dict[str, Any]:
        return {"pixel_values": torch.zeros(n, 3, 1, 1)}

    def key(self, input: bytes) -> bytes:
        return input

    def text(self, input: bytes) -> str:
        return input[:3].hex()


def tiles(n: int, seed: int) -> tuple[Example, ...]:
    """Pictures, the odd ones brighter in their second colour."""
    rng = random.Random(seed)
    bright = [[rng.randrange(64) + 120 * (colour == 1) * (i % 2) for colour in range(3)] for i in range(n)]
    return tuple(
        Example(bytes(rng.randrange(38) + colour for colour in colours for _ in range(SIDE * SIDE)), i % 2)
        for i, colours in enumerate(bright)
    )


ROWS = Corpus("tiles", tiles(32, 0), tiles(8, 1), tiles(8, 2), Classification(Tiles(), ("dull", "green")))
STRATEGIES = [Full(), HeadOnly(), TopK(1), BitFit(), LoRA(rank=2, where="all"), GradualUnfreeze()]
every = pytest.mark.parametrize("strategy", STRATEGIES, ids=str)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(0)
    config = ResNetConfig(num_channels=3, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    folder = tmp_path_factory.mktemp("resnet")
    ResNetModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def make(place):
    def made(strategy, out=None, resume=False, **config):
        settings = {"epochs": 2, "lr": 0.02, "batch_size": 8, "device": "cpu", **config}
        return Trainer(load(place, task=ROWS.task), ROWS, strategy, TrainConfig(**settings), out=out, resume=resume)

    return made


def state(model):
    """Every parameter and every buffer."""
    return {n: t.detach().clone() for n, t in [*model.named_parameters(), *model.named_buffers()]}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def changed(one, two):
    return {n for n in one if not torch.equal(one[n], two[n])}


def statistics(names):
    return {n for n in names if n.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")}


@every
def test_a_run_names_what_moved_buffers_too_and_nothing_else_has(make, strategy):
    trainer = make(strategy)
    before = state(trainer.model)
    run = trainer.fit()
    moved = changed(before, state(trainer.model))
    assert set(run.moved) == moved <= set(moving(trainer.model))
    assert moved & set(blocks(trainer.model)[-1].parameters)
    parameters = {n for n, p in trainer.model.named_parameters() if p.requires_grad}
    assert run.trainable_parameters == sum(before[n].numel() for n in parameters)  # buffers are no parameters


def test_statistics_stay_to_the_bit_where_only_the_head_trains_and_move_where_all_does(make):
    for strategy, moves in ((HeadOnly(), False), (Full(), True)):
        trainer = make(strategy)
        run = trainer.fit()
        assert statistics(run.moved) == (statistics(buffers(trainer.model)) if moves else set())


def test_statistics_of_frozen_layers_stay_and_those_above_move(make):
    trainer = make(TopK(1))
    run = trainer.fit()
    top = [b for b in blocks(trainer.model) if b.kind == "layer"][-1].modules[0]
    assert statistics(run.moved) == {n for n in statistics(buffers(trainer.model)) if n.startswith(top)} != set()


@pytest.mark.parametrize("strategy", [LoRA(rank=2, where="all")], ids=str)
def test_statistics_stay_where_something_is_added_to_layers_that_are_frozen(make, strategy):
    trainer = make(strategy)
    run = trainer.fit()
    assert statistics(run.moved) == set() and any("lora_B" in n for n in run.moved)
    assert any("running_mean" in m._buffers for m in frozen_modules(trainer.model))


@every
def test_frozen_modules_keep_to_their_statistics_while_the_rest_trains(make, strategy):
    trainer = make(strategy)
    for _ in trainer.run():
        resting = {id(b) for m in frozen_modules(trainer.model) for b in m.buffers()}
        for module in trainer.model.modules():
            if "running_mean" in module._buffers:
                assert module.training != (id(module.running_mean) in resting)


@every
def test_a_run_resumes_to_the_bit(make, strategy, tmp_path):
    whole, first = make(strategy, epochs=3), make(strategy, epochs=3, out=tmp_path)
    expected = whole.fit()
    for event in first.run():
        if isinstance(event, StepDone) and event.step == 6:  # in the second epoch
            break
    first.save_state()
    second = make(strategy, epochs=3, out=tmp_path, resume=True)
    run = second.fit()
    assert same(state(whole.model), state(second.model)) and second.model is not first.model
    assert run.moved == expected.moved and run.test == expected.test


@every
def test_the_best_epoch_comes_back_whole_with_its_statistics(make, monkeypatch, strategy):
    trainer, seen, series = make(strategy, epochs=4, patience=2), [], [0.9, 0.5, 0.4]
    real = trainer.score

    def score(split):
        seen.append(state(trainer.model))
        scores = real(split)
        told = {"macro_f1": type(scores.headline)(series.pop(0))} if series else {}
        return type(scores)(**{**vars(scores), "metrics": {**scores.metrics, **told}})

    monkeypatch.setattr(trainer, "score", score)
    run = trainer.fit()
    assert (run.best_epoch, run.stopped, run.epochs) == (1, "early", 3)
    assert same(state(trainer.model), seen[0]) and not same(seen[0], seen[2])


@every
def test_default_rates_need_no_width(make, strategy):
    trainer = make(strategy, lr=None)
    assert width_of(trainer.model) == 0 and 0 < trainer.lr == strategy.default_lr(trainer.model) < 0.1


@pytest.mark.parametrize("strategy", [Full(), TopK(1)], ids=str)
def test_it_learns_and_answers_the_same_alone_and_in_a_batch(make, strategy):
    trainer = make(strategy, epochs=8)
    run = trainer.fit()
    assert run.test_accuracy == 1 and bool(trainer.frozen.kept) == isinstance(strategy, TopK)
    answers, _ = trainer.answers("test")
    items = trainer.batches.items["test"]
    trainer.model.eval()
    with torch.no_grad():
        alone = [trainer.model(pixel_values=item["pixel_values"][None]).logits[0].tolist() for item in items]
    assert torch.allclose(torch.tensor(answers), torch.tensor(alone), atol=1e-5)


@pytest.mark.parametrize("strategy", [Full(), LoRA(rank=2, where="all")], ids=str)
def test_saved_it_answers_the_same_with_its_statistics(make, strategy, tmp_path):
    trainer = make(strategy)
    trainer.fit()
    again = load(save(trainer.model, tmp_path / "kept"))
    inputs = trainer.batches.batch("test", range(8)).inputs
    trainer.model.eval()
    with torch.no_grad():
        assert torch.equal(again(**inputs).logits, trainer.model(**inputs).logits)
    assert again.task == ROWS.task
    merged = strategy.merge(trainer.model)
    with torch.no_grad():
        assert torch.allclose(merged(**inputs).logits, trainer.model(**inputs).logits, atol=1e-5)


@pytest.mark.parametrize("strategy", [LoRA(), Adapter(), PrefixTuning(), PTuningV2()], ids=str)
@pytest.mark.parametrize(
    "lang, words", [("en", "does not work on resnet: it has no attention"), ("zh", "不适用于 resnet")]
)
def test_what_needs_attention_says_so(make, monkeypatch, strategy, lang, words):
    monkeypatch.setenv("LABKIT_LANG", lang)
    with pytest.raises(BadInput, match=words) as caught:
        make(strategy)
    assert "LoRA(where='all')" in str(caught.value)


def test_every_strategy_by_name_works_or_says_that_it_cannot(make):
    able = set()
    for name, kind in NAMES.items():
        try:
            make(TopK(1) if kind is TopK else kind())
            able.add(name)
        except BadInput:
            pass
    assert able == {"full", "head", "top-K", "gradual", "bitfit"}
