"""The one table through which every strategy passes: what may move moves, what may not is the same to the bit, nothing
is lost on the way to disk and back. On BERT-like and GPT-2-like models; where a method cannot work, it says so."""

import pytest
import torch
from stand_ins import corpus, family

from labkit.base.records import BadInput, StepDone
from labkit.models import added
from labkit.models.families import blocks
from labkit.models.loading import load, save
from labkit.strategies import (
    NAMES,
    Adapter,
    Full,
    GradualUnfreeze,
    HeadOnly,
    LoRA,
    OnlyBlocks,
    PrefixTuning,
    PTuningV2,
    TopK,
)
from labkit.training.trainer import TrainConfig, Trainer

ROWS = corpus(n=24)
DROPOUT = {
    "bert": {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
    "gpt2": {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1},
}
KINDS = ("bert", "gpt2")
OTHERS = ("roberta", "distilbert", "electra", "albert", "macbert")
STRATEGIES = [
    *(kind(2) if kind is TopK else kind() for kind in NAMES.values()),
    Full(decay=0.8),
    HeadOnly(pooler=False),
    TopK(1),
    OnlyBlocks(("layer 1", "head")),
    GradualUnfreeze(schedule="stall"),
    LoRA(rank=2, where="all", dropout=0.1),
    PrefixTuning(tokens=3, hidden=8),
]
NO_PREFIX = ("distilbert", "albert")
every = pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {k: family(k, root / k, **DROPOUT.get(k, {})) for k in (*KINDS, *OTHERS)}


@pytest.fixture
def make(places):
    """A Trainer on a fresh model: `make("bert", TopK(1), epochs=3)`."""

    def made(kind, strategy, out=None, resume=False, **config):
        config = {"epochs": 2, "lr": 5e-3, "batch_size": 8, "device": "cpu", **config}
        model = load(places[kind], labels=ROWS.labels)
        return Trainer(model, ROWS, strategy, TrainConfig(**config), out=out, resume=resume)

    return made


def weights(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def logits(model):
    """Of four rows of unlike length, so that padding is there."""
    rows = sorted(ROWS.test, key=lambda r: len(r.input))[::3]
    inputs = model.task.collate(model.processor, model.task.encode(model.processor, rows, 32)).inputs
    model.eval()
    with torch.no_grad():
        return model(**inputs).logits


@both
@every
class TestEveryStrategy:
    def test_moves_what_it_says_and_nothing_else(self, make, kind, strategy):
        trainer = make(kind, strategy)
        before = weights(trainer.model)
        run = trainer.fit()
        after, may_train = weights(trainer.model), set(trainer.tensors())
        moved = {n for n in before if not torch.equal(before[n], after[n])}
        assert set(run.moved) == moved <= may_train
        assert moved & set(blocks(trainer.model)[-1].parameters)  # the head
        assert run.trainable_parameters == sum(before[n].numel() for n in may_train)
        assert run.total_parameters == sum(t.numel() for t in before.values())
        groups = [n for g in strategy.groups(trainer.model, 1.0) for n in g["names"]]
        assert sorted(groups) == sorted(may_train)

    def test_starts_without_effect_unless_prompts_stand_in_front(self, make, places, kind, strategy):
        plain = logits(load(places[kind], labels=ROWS.labels))
        begun = logits(make(kind, strategy).model)
        assert torch.equal(plain, begun) != isinstance(strategy, (PrefixTuning, PTuningV2))

    def test_runs_frozen_blocks_in_eval_mode_and_the_others_in_training_mode(self, make, kind, strategy):
        trainer = make(kind, strategy)
        for _ in trainer.run():
            for block in blocks(trainer.model):
                frozen = not any(trainer.model.get_parameter(n).requires_grad for n in block.parameters)
                inside = [m for name in block.modules for m in trainer.model.get_submodule(name).modules()]
                assert {m.training for m in inside} == {not frozen}

    def test_resumes_to_the_bit(self, make, kind, strategy, tmp_path):
        whole, first = make(kind, strategy, epochs=3), make(kind, strategy, epochs=3, out=tmp_path)
        whole.fit()
        for event in first.run():
            if isinstance(event, StepDone) and event.step == 5:
                break
        first.save_state()
        second = make(kind, strategy, epochs=3, out=tmp_path, resume=True)
        second.fit()
        assert second.model is not first.model and same(weights(whole.model), weights(second.model))

    def test_the_same_seed_gives_the_same_run(self, make, kind, strategy):
        one, two = make(kind, strategy, epochs=1), make(kind, strategy, epochs=1)
        one.fit(), two.fit()
        assert same(weights(one.model), weights(two.model))

    def test_saving_and_loading_keeps_the_logits(self, make, kind, strategy, tmp_path):
        trainer = make(kind, strategy, epochs=1)
        trainer.fit()
        save(trainer.model, tmp_path / "kept")
        again = load(tmp_path / "kept")
        # Prompts that a network computes are saved computed; computed in another batch they are rounded otherwise.
        rounding = 1e-6 if getattr(strategy, "hidden", None) else 0
        assert torch.allclose(logits(trainer.model), logits(again), rtol=0, atol=rounding)
        assert again.config.label2id == {"mark0": 0, "mark1": 1}

    def test_merging_keeps_the_logits_and_leaves_the_model_as_it_was(self, make, kind, strategy):
        trainer = make(kind, strategy, epochs=1)
        trainer.fit()
        before, said = weights(trainer.model), logits(trainer.model)
        merged = strategy.merge(trainer.model)
        assert same(before, weights(trainer.model))
        assert torch.allclose(said, logits(merged), atol=1e-5)
        assert not isinstance(strategy, LoRA) or not added.carries(merged)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != TopK(2)], ids=str)  # ALBERT has one layer
def test_every_strategy_trains_other_families_too_or_says_that_it_cannot(make, kind, strategy):
    if kind in NO_PREFIX and isinstance(strategy, (PrefixTuning, PTuningV2)):
        with pytest.raises(BadInput, match=f"does not work on {kind}.*bert, roberta.*lora or adapter"):
            make(kind, strategy)
        return
    trainer = make(kind, strategy, epochs=1)
    run = trainer.fit()
    assert set(run.moved) & set(blocks(trainer.model)[-1].parameters)


@both
@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if isinstance(s, (LoRA, PrefixTuning, PTuningV2))], ids=str)
def test_parameters_are_counted_as_peft_does(make, kind, strategy):
    trainer = make(kind, strategy)
    assert sum(p.numel() for p in trainer.tensors().values()) == trainer.model.get_nb_trainable_parameters()[0]


@both
@pytest.mark.parametrize("strategy", [LoRA(), PTuningV2(), PrefixTuning()], ids=str)
def test_what_is_saved_loads_in_plain_peft(make, places, kind, strategy, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    trainer = make(kind, strategy)
    trainer.fit()
    save(trainer.model, tmp_path / "kept")
    tokenizer = trainer.batches.processor
    plain = AutoModelForSequenceClassification.from_pretrained(
        places[kind], num_labels=2, pad_token_id=tokenizer.pad_token_id
    )
    with added.hushed():
        loaded = PeftModel.from_pretrained(plain, str(tmp_path / "kept"))
    loaded.processor, loaded.task = tokenizer, trainer.task
    assert torch.allclose(logits(loaded), logits(trainer.model), atol=1e-6)
    assert not (tmp_path / "kept" / "model.safetensors").exists()


@both
def test_a_prefix_is_keys_and_values_put_before_the_text(make, kind):
    """One layer of attention, by hand, against what peft does."""
    trainer = make(kind, PTuningV2(tokens=4))
    model, layers = trainer.model, len([b for b in blocks(trainer.model) if b.kind == "layer"])
    assert model.prompt_encoder["default"].embedding.weight.shape == (4, layers * 2 * 32)
    without = logits(model.get_base_model())
    assert not torch.allclose(without, logits(model))


def test_a_prompt_takes_positions_from_the_text(make, places):
    long = corpus(n=24, low=80, high=90)  # the model has 64 positions
    model = load(places["bert"], labels=long.labels)
    trainer = Trainer(model, long, PTuningV2(tokens=10), TrainConfig(epochs=1, device="cpu"))
    assert max(trainer.batches.sizes["train"]) == 54
    trainer.fit()


@pytest.mark.parametrize("first", [LoRA(), Adapter(), PTuningV2()], ids=str)
@pytest.mark.parametrize("second", [LoRA(), Adapter(), PTuningV2()], ids=str)
def test_a_second_addition_is_refused(places, first, second):
    model = first.prepare(load(places["bert"], labels=("a", "b")))
    before = weights(model)
    with pytest.raises(BadInput, match="merge"):
        second.prepare(model)
    assert same(before, weights(model))


def test_an_addition_whose_model_is_gone_says_what_is_missing(tmp_path, unplugged):
    folder = family("bert", tmp_path / "base")
    save(LoRA().prepare(load(folder, labels=("a", "b"))), tmp_path / "kept")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=r"holds only what was added to .*base"):
        load(tmp_path / "kept")


def test_other_labels_than_those_of_the_addition_are_refused(places, tmp_path):
    save(Adapter().prepare(load(places["bert"], labels=("a", "b"))), tmp_path / "kept")
    with pytest.raises(BadInput, match="trained for the labels a, b, not x, y"):
        load(tmp_path / "kept", labels=("x", "y"))


def test_a_damaged_addition_is_refused_by_name(places, tmp_path):
    save(LoRA().prepare(load(places["bert"], labels=("a", "b"))), tmp_path / "kept")
    weights = tmp_path / "kept" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(BadInput, match="kept"):
        load(tmp_path / "kept")
