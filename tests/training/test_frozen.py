"""The frozen part is computed once, and nobody can tell from the results."""

import dataclasses

import pytest
import stand_ins

import labkit as lk
from labkit.base.records import BadInput, Notice
from labkit.training import frozen
from labkit.training.frozen import FrozenPart, frozen_depth
from labkit.training.live_head import LiveHead

FAMILIES = ("bert", "roberta", "distilbert", "electra", "albert", "gpt2")


@pytest.fixture(scope="module")
def corpus():
    return stand_ins.corpus(n=40)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, corpus):
    return stand_ins.fresh_models(tmp_path_factory.mktemp("families"), corpus.labels)


def trainer_of(model, corpus, strategy, **config):
    settings = {"batch_size": 8, "lr": 1e-2, "epochs": 2, "device": "cpu", **config}
    return lk.Trainer(model, corpus, strategy, lk.TrainConfig(**settings))


def losses(trainer):
    return [e.loss for e in trainer.run() if isinstance(e, lk.StepDone)]


def compared(fresh, corpus, strategy, kind="bert", tolerance=1e-5, **config):
    """Train with and without what is kept; assert that losses and scores are the same; the trainer that keeps."""
    plain, kept = (trainer_of(fresh(kind), corpus, strategy, cache=c, **config) for c in ("off", "memory"))
    assert losses(kept) == pytest.approx(losses(plain), abs=tolerance)
    assert not plain.frozen.kept
    for a, b in zip(plain.history, kept.history, strict=True):
        assert b.valid_loss == pytest.approx(a.valid_loss, abs=tolerance)
    for a, b in zip(
        (plain.report().valid, plain.report().test), (kept.report().valid, kept.report().test), strict=True
    ):
        assert b.loss == pytest.approx(a.loss, abs=tolerance) and b.confusion == a.confusion
    return kept


@pytest.mark.parametrize("strategy", [lk.HeadOnly(), lk.HeadOnly(pooler=False), lk.TopK(1)], ids=str)
@pytest.mark.parametrize("kind", FAMILIES)
def test_losses_and_scores_with_and_without_it_are_the_same(fresh, corpus, kind, strategy):
    kept = compared(fresh, corpus, strategy, kind)
    assert bool(kept.frozen.kept) == kept.frozen.usable
    assert kept.frozen.usable or (kind == "albert" and strategy == lk.TopK(1))  # its layers are one


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_it_is_computed_again_when_the_boundary_moves(fresh, corpus, kind):
    kept = compared(fresh, corpus, lk.GradualUnfreeze(), kind, epochs=4)
    assert frozen_depth(kept.model) == kept.frozen.depth == 1 and not kept.frozen.usable
    trainer, depths = trainer_of(fresh(kind), corpus, lk.GradualUnfreeze(), epochs=4), []
    for event in trainer.run():
        if isinstance(event, lk.StepDone):
            depths.append((trainer.frozen.depth, bool(trainer.frozen.kept)))
    assert sorted(set(depths), reverse=True) == [(4, True), (3, True), (2, True), (1, False)]


@pytest.mark.parametrize(
    "added", [lk.LoRA(rank=2), lk.PrefixTuning(tokens=2), lk.PTuningV2(tokens=2), lk.Adapter(size=2)]
)
def test_a_model_with_something_added_below_computes_everything(fresh, corpus, added):
    kept = compared(fresh, corpus, added, epochs=1)
    assert not kept.frozen.usable and not kept.frozen.kept


def test_prompts_that_are_frozen_themselves_are_not_skipped(fresh):
    model = lk.PrefixTuning(tokens=2).prepare(fresh())
    model.prompt_encoder.requires_grad_(False)
    part = FrozenPart(model, model.task)
    assert part.whole and not part.usable


class LowLoRA(lk.HeadOnly):
    """peft's LoRA in some layers only."""

    def __init__(self, layers):
        object.__setattr__(self, "layers", layers)
        super().__init__()

    def prepare(self, model):
        peft = pytest.importorskip("peft")
        config = peft.LoraConfig(
            task_type="SEQ_CLS", r=2, target_modules=["query"], layers_to_transform=self.layers, init_lora_weights=False
        )
        return peft.get_peft_model(model, config)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
@pytest.mark.parametrize("layers, keeps", [([2], True), ([0], False), ([0, 2], False)])
def test_lora_in_the_upper_layers_leaves_the_lower_ones_to_be_kept(fresh, corpus, layers, keeps):
    kept = compared(fresh, corpus, LowLoRA(layers), epochs=1)
    assert bool(kept.frozen.kept) is keeps


def test_nothing_is_kept_where_something_that_trains_reaches_the_frozen_part_unseen(fresh, corpus):
    import torch

    model = lk.HeadOnly().prepare(fresh())
    secret = torch.nn.Parameter(torch.ones(()))
    model.bert.encoder.layer[0].register_forward_hook(lambda module, args, output: output * secret)
    items = corpus.task.encode(model.processor, corpus.train, 64)
    part = FrozenPart(model, model.task)
    assert part.usable and not part.keep("train", items, model.processor) and not part.kept


def test_the_frozen_blocks_are_computed_once_whatever_the_number_of_epochs(fresh, corpus):
    model, calls = fresh(), []
    model.bert.encoder.layer[0].attention.register_forward_hook(lambda *args: calls.append(1))
    found = []
    for epochs in (1, 5):
        calls.clear()
        losses(trainer_of(model, corpus, lk.TopK(1), epochs=epochs))
        found.append(len(calls))
    assert found[0] == found[1] < 8  # one batch of each split, and a trial; an epoch has five


def test_depth_counts_frozen_blocks_from_below(fresh):
    model = fresh()
    layers = model.config.num_hidden_layers
    assert frozen_depth(lk.Full().prepare(model)) == 0
    assert frozen_depth(lk.TopK(1).prepare(model)) == layers
    assert frozen_depth(lk.HeadOnly().prepare(model)) == layers + 1


# Where it is kept


@pytest.mark.parametrize("strategy", [lk.HeadOnly(), lk.TopK(1)], ids=str)
def test_as_float16_it_takes_half_and_is_nearly_the_same(fresh, corpus, strategy):
    memory, half = (trainer_of(fresh(), corpus, strategy, cache=c) for c in ("memory", "half"))
    assert losses(half) == pytest.approx(losses(memory), abs=2e-3)
    sizes = [t.frozen.kept["train"].megabytes for t in (memory, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2)
    assert [t.frozen.kept["train"].flat.element_size() for t in (memory, half)] == [4, 2]


@pytest.mark.parametrize("cache, ways", [("memory", ("cache_mb=", "cache='half'")), ("half", ("cache_mb=",))])
def test_what_does_not_fit_is_said_once_with_the_ways_out_and_computed_every_epoch(fresh, corpus, cache, ways):
    trainer = trainer_of(fresh(), corpus, lk.TopK(1), cache=cache, cache_mb=0, epochs=3)
    events = list(trainer.run())
    (said,) = [e.text for e in events if isinstance(e, Notice)]
    assert all(way in said for way in ("more than cache_mb=0", *ways))
    assert trainer.report().notices == (said,) and not trainer.frozen.kept
    plain = losses(trainer_of(fresh(), corpus, lk.TopK(1), cache="off", epochs=3))
    assert [e.loss for e in events if isinstance(e, lk.StepDone)] == pytest.approx(plain, abs=1e-6)


def test_memory_that_the_machine_lacks_is_not_taken(fresh, corpus, monkeypatch):
    monkeypatch.setattr(frozen.memory, "memory_mb", lambda: (0.01, 100.0))
    trainer = trainer_of(fresh(), corpus, lk.TopK(1), epochs=1)
    assert losses(trainer) and "that are free" in trainer.notices[0] and "cache_mb=" not in trainer.notices[0]


def test_off_keeps_nothing_and_says_nothing(fresh, corpus):
    trainer = trainer_of(fresh(), corpus, lk.HeadOnly(), cache="off")
    assert losses(trainer) and not trainer.frozen.kept and not trainer.notices


def test_batches_that_memory_does_not_hold_are_computed_smaller(fresh, corpus, monkeypatch):
    import torch

    model, sizes = fresh(), []
    real = model.bert.embeddings.forward

    def forward(input_ids=None, **inputs):
        sizes.append(len(input_ids))
        if len(input_ids) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(input_ids=input_ids, **inputs)

    monkeypatch.setattr(model.bert.embeddings, "forward", forward)
    trainer = trainer_of(model, corpus, lk.TopK(1))
    trainer.frozen.keep("train", trainer.batches.items["train"], trainer.batches.processor)
    assert (
        max(sizes) > 9 and sizes[-1] <= 9 and sum(n for n in sizes[4:] if n <= 9) == 40
    )  # four were a trial of two rows
    rows = list(range(40))
    whole = FrozenPart(trainer_of(fresh(), corpus, lk.TopK(1)).model, corpus.task)
    whole.keep("train", trainer.batches.items["train"], trainer.batches.processor)
    assert torch.allclose(trainer.frozen.batch("train", rows), whole.batch("train", rows), atol=1e-6)


# What it leaves behind


def test_the_model_computes_again_afterwards(fresh, corpus, tmp_path):
    model = fresh()
    losses(trainer_of(model, corpus, lk.HeadOnly(), epochs=1))
    texts = [row.input for row in corpus.test]
    before = [p.probability for p in lk.predict(model, texts)]
    saved = lk.load(lk.save(model, tmp_path / "saved"))
    assert [p.probability for p in lk.predict(saved, texts)] == before
    assert "forward" not in vars(model.bert)


@pytest.mark.parametrize("strategy", [lk.TopK(1), lk.GradualUnfreeze()], ids=str)
@pytest.mark.parametrize("cache", ["memory", "half"])
def test_a_run_resumed_from_disk_goes_on_to_the_same_weights(fresh, corpus, tmp_path, strategy, cache):
    config = lk.TrainConfig(epochs=3, batch_size=8, lr=1e-2, cache=cache)
    whole = lk.Trainer(fresh(), corpus, strategy, config)
    losses(whole)
    cut = lk.Trainer(fresh(), corpus, strategy, config, out=tmp_path / "out")
    for event in cut.run():
        if isinstance(event, lk.StepDone) and event.step == 8:  # in the second epoch
            break
    again = lk.Trainer(fresh(), corpus, strategy, config, out=tmp_path / "out", resume=True)
    losses(again)
    for name, tensor in whole.tensors().items():
        assert tensor.equal(again.tensors()[name]), name
    assert dataclasses.asdict(whole.history[-1])["valid_loss"] == again.history[-1].valid_loss


# One head after the other


def test_a_live_head_gives_the_losses_of_a_new_trainer_with_those_settings(fresh, corpus):
    live = LiveHead(trainer_of(fresh(), corpus, lk.HeadOnly()))
    for changes in ({"lr": 3e-2}, {"lr": 1e-3, "epochs": 3, "seed": 5}, {"batch_size": 4, "class_weights": "balanced"}):
        new, head = trainer_of(fresh(), corpus, lk.HeadOnly(), **changes), live.trainer(**changes)
        assert losses(head) == pytest.approx(losses(new), abs=1e-5)
        mine, theirs = head.report(), new.report()
        assert (mine.test_accuracy, mine.config) == (theirs.test_accuracy, theirs.config)


def test_a_live_head_asks_the_network_once(fresh, corpus):
    model = fresh()
    live, calls = LiveHead(trainer_of(model, corpus, lk.HeadOnly())), []
    model.bert.encoder.layer[0].register_forward_hook(lambda *args: calls.append(1))
    for lr in (1e-3, 1e-2):
        live.trainer(lr=lr).fit()
    assert not calls


def test_a_live_head_refuses_what_it_cannot_do(fresh, corpus):
    begun = trainer_of(fresh(), corpus, lk.HeadOnly())
    next(begun.run())
    for trainer in (begun, trainer_of(fresh(), corpus, lk.Full())):
        with pytest.raises(BadInput, match="has not begun"):
            LiveHead(trainer)
    with pytest.raises(BadInput, match="cache_mb=0"):
        LiveHead(trainer_of(fresh(), corpus, lk.HeadOnly(), cache_mb=0))
    live = LiveHead(trainer_of(fresh(), corpus, lk.GradualUnfreeze()))
    with pytest.raises(BadInput, match="cannot change max_length, cache: "):
        live.trainer(cache="off", max_length=8)
    live.trainer(epochs=2).fit()
    with pytest.raises(BadInput, match="let more train"):
        live.trainer()
