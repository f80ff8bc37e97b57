"""The forecast: what a trial measures, what it reckons, and what it leaves alone."""

import dataclasses
import math

import pytest
import stand_ins

import labkit as lk
from labkit.base import memory
from labkit.data.batching import batch_order
from labkit.inspection import forecast, probe
from labkit.training.trainer import Trainer

CONFIG = lk.TrainConfig(epochs=2, batch_size=8, device="cpu")


@pytest.fixture
def corpus():
    return stand_ins.corpus(96)


@pytest.fixture
def model(tmp_path, corpus):
    return lk.load(stand_ins.bert(tmp_path / "bert"), corpus.labels)


@pytest.fixture
def one_second(monkeypatch):
    """Whatever is timed takes a second."""
    monkeypatch.setattr(probe.Probe, "timed", lambda self, call: (call(), 1.0)[1])


def test_seconds_are_steps_and_batches_of_all_rows(model, corpus, one_second):
    found = lk.preflight(model, corpus, lk.Full(), CONFIG)
    assert (found.strategy, found.device, found.epochs, found.steps) == ("full", "cpu", 2, 24)
    assert found.parts == {
        "frozen": 0.0,
        "train": 24.0,
        "valid": 2.0,
        "final": 2.0,
    }  # 24 valid, 24 test rows: a batch each
    assert found.seconds == 28.0 and found.fits and not found.suggestions


def test_of_many_rows_some_stand_for_all(model, corpus, one_second, monkeypatch):
    whole = lk.preflight(model, corpus, lk.Full(), CONFIG)
    monkeypatch.setattr(probe, "SAMPLE", 8)
    few = dataclasses.replace(CONFIG, batch_size=1)
    assert lk.preflight(model, corpus, lk.Full(), few).parts["train"] == pytest.approx(192)
    assert whole.steps == 24


def test_what_is_frozen_is_counted_once_and_spares_the_epochs(model, corpus):
    head = lk.preflight(model, corpus, lk.HeadOnly(), CONFIG)
    naive = lk.preflight(model, corpus, lk.HeadOnly(), dataclasses.replace(CONFIG, cache="off"))
    assert head.parts["frozen"] > 0 and naive.parts["frozen"] == 0
    assert head.parts["train"] < naive.parts["train"]


def test_a_schedule_is_followed_through_its_phases(model, corpus, monkeypatch):
    phases, real = [], probe.Probe.phase

    def phase(self):
        phases.append(len(self.trainer.tensors()))
        return real(self)

    monkeypatch.setattr(probe.Probe, "phase", phase)
    lk.preflight(model, corpus, lk.GradualUnfreeze("stall"), dataclasses.replace(CONFIG, epochs=4))
    assert len(phases) == 3 and phases == sorted(set(phases))  # a first stall needs two epochs


def test_the_caller_keeps_model_and_random_state(model, corpus):
    import torch

    before = {n: t.clone() for n, t in model.state_dict().items()}
    flags, state = [p.requires_grad for p in model.parameters()], torch.get_rng_state()
    for strategy in (lk.Full(), lk.LoRA(rank=2)):
        lk.preflight(model, corpus, strategy, CONFIG)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert flags == [p.requires_grad for p in model.parameters()] and not model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_memory_is_what_the_run_then_takes(tmp_path):
    corpus = stand_ins.corpus(48, low=50, high=60)
    wide = dict(hidden_size=128, num_hidden_layers=4, intermediate_size=512, num_attention_heads=2)
    model = lk.load(stand_ins.bert(tmp_path / "wide", **wide), corpus.labels)
    config = lk.TrainConfig(epochs=1, batch_size=48, device="cpu")
    Trainer(probe.throwaway(model), corpus, lk.Full(), config).fit()  # brings the libraries into memory
    found = lk.preflight(model, corpus, lk.Full(), config)
    memory.hand_back()
    before = memory.used_mb()
    run = Trainer(model, corpus, lk.Full(), config).fit()
    assert found.needed_mb == pytest.approx(run.peak_memory_mb - before, rel=0.4) and found.needed_mb > 50
    assert found.peak_memory_mb == pytest.approx(run.peak_memory_mb, rel=0.3)


def test_a_batch_that_would_not_fit_is_not_tried_and_the_way_out_is_named(tmp_path, monkeypatch):
    corpus = stand_ins.corpus(48, low=50, high=60)
    wide = dict(hidden_size=128, num_hidden_layers=4, intermediate_size=512, num_attention_heads=2)
    model = lk.load(stand_ins.bert(tmp_path / "wide", **wide), corpus.labels)
    sizes, real = [], Trainer.gradients

    def gradients(self, rows):
        sizes.append(math.ceil(len(rows) / self.pieces))
        return real(self, rows)

    monkeypatch.setattr(Trainer, "gradients", gradients)
    monkeypatch.setattr(memory, "room_mb", lambda kind: (50.0, 100.0))
    found = lk.preflight(model, corpus, lk.Full(), lk.TrainConfig(epochs=1, batch_size=48, device="cpu"))
    assert not found.fits and found.needed_mb > 45 and found.available_mb == 50
    assert max(sizes) < 48 and found.seconds
    pieces = int(found.suggestions[0].split("accumulation=")[1].split(":")[0])
    assert pieces > 1
    assert any("HeadOnly" in words for words in found.suggestions)
    assert "no" in dict(found.rows())["fits"]


def test_where_not_even_a_copy_fits_nothing_is_tried(model, corpus, monkeypatch):
    monkeypatch.setattr(memory, "room_mb", lambda kind: (0.05, 0.1))
    monkeypatch.setattr(probe.Probe, "__init__", None)
    found = lk.preflight(model, corpus, lk.Full(), CONFIG)
    assert not found.fits and found.seconds is None and found.parts == {} and found.suggestions
    assert found.needed_mb == pytest.approx(3 * probe.megabytes(model.parameters()))
    assert "–" in str(found)


def test_several_processes_are_refused(model, corpus, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(lk.BadInput, match="one process"):
        lk.preflight(model, corpus, lk.Full(), CONFIG)


def test_a_machine_that_does_not_tell_its_memory_is_trusted(model, corpus, monkeypatch):
    monkeypatch.setattr(memory, "room_mb", lambda kind: None)
    found = lk.preflight(model, corpus, lk.HeadOnly(), CONFIG)
    assert found.fits and found.available_mb is None and "unknown" in str(found)


@pytest.mark.parametrize(("language", "word"), [("zh", "内存峰值"), ("en", "peak memory")])
def test_a_forecast_reads_as_text_and_as_html(model, corpus, monkeypatch, language, word, one_second):
    monkeypatch.setenv("LABKIT_LANG", language)
    found = lk.preflight(model, corpus, lk.Full(), CONFIG)
    assert word in str(found) and word in found._repr_html_() and "28 s" in str(found)


def test_advice_names_what_would_help():
    short = [20] * 95 + [400] * 5
    found = probe.Cost({}, 1000.0, 900.0, 10.0, short, trained_share=0.01)
    assert forecast.advice(found, lk.TrainConfig(batch_size=32), "cpu", 950.0) == (
        "accumulation=7: each batch in 7 pieces; the gradient is the same, it is only slower.",
        "max_length=20: the longest row has 400 tokens, nine in ten have 20 or fewer.",
    )
    none = probe.Cost({}, 1000.0, 990.0, 10.0, [20] * 9, trained_share=0.01)
    assert forecast.advice(none, lk.TrainConfig(), "cpu", 950.0) == ("Take a smaller model.",)
    full = dataclasses.replace(none, trained_share=1.0)
    one, other, last = forecast.advice(full, lk.TrainConfig(precision="fp32"), "cuda", 950.0)
    assert "LoRA" in one and "bf16" in other and "smaller" in last


def test_the_arithmetic_over_sizes():
    assert probe.spread([5, 9, 7], 2) == [0, 1] and probe.spread([5], 4) == [0]
    assert probe.spread([3, 1, 2, 5, 4], 3) == [1, 0, 3]
    assert probe.numbered(["ab", "c"]) == [[0, 1], [2]]
    assert probe.padded([3, 9, 4], [0, 2]) == 8
    assert probe.reckon([(10, 1.0), (20, 3.0), (20, 5.0)], [10, 15, 20, 99]) == 1 + 2.5 + 4 + 4
    rows = stand_ins.corpus(200).train
    some = probe.sample(rows, 100, len)
    assert len(some) == 100 and len(set(some)) == 100 and some == probe.sample(rows, 100, len)
    assert max(rows, key=lambda e: len(e.input)) in some
    assert len(probe.sample(rows, 100, lambda input: None)) == 100  # pictures have no length
    sizes = [3, 9, 4, 8]
    batches = batch_order(sizes, 2, seed=0, epoch=0)
    assert sum(probe.padded(sizes, b) for b in batches) == 26


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.42 s"), (75, "75 s"), (600, "10 min"), (7300, "2.03 h"), (9.96, "10 s")]
)
def test_durations_are_for_people(seconds, words):
    assert forecast.duration(seconds) == words
