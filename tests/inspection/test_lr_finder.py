"""The learning-rate range test: real steps on a copy, and what is read from the curve."""

import itertools
import math

import pytest
import stand_ins
import torch

import labkit as lk
from labkit.inspection.lr_finder import HIGH, LOW, climb, find_lr, read
from labkit.training.trainer import Trainer


@pytest.fixture
def corpus():
    return stand_ins.corpus(64)


@pytest.fixture
def model(tmp_path, corpus):
    return lk.load(stand_ins.bert(tmp_path / "bert"), corpus.labels)


def curve(flat=0.7, lowest=0.4, steps=100, explodes=True):
    """Rates from 1e-6 to 1; the loss stands still, falls to its lowest near 1e-3, and explodes above 1e-2."""
    rates = [LOW * (HIGH / LOW) ** (i / (steps - 1)) for i in range(steps)]

    def loss(rate):
        place = math.log10(rate)
        if place > -2 and explodes:
            return flat + 3 * (place + 2)
        return flat - max(0.0, (flat - lowest) * (1 - abs(place + 3)))

    return rates, [loss(r) + 0.004 * math.sin(7 * i) for i, r in enumerate(rates)]


def test_the_suggestion_is_a_third_of_the_rate_at_the_lowest_point():
    sweep = read("full", *curve())
    assert sweep.lowest == pytest.approx(1e-3, rel=0.3)
    assert sweep.suggestion == pytest.approx(sweep.lowest / 3)
    assert 5e-3 < sweep.diverges < 3e-2
    assert str(sweep).startswith("full: lowest loss at ") and "suggestion" in str(sweep)


def test_a_loss_that_never_falls_suggests_a_tenth_of_where_it_explodes():
    sweep = read("full", *curve(lowest=0.7))
    assert sweep.lowest is None and sweep.suggestion == pytest.approx(sweep.diverges / 10)


def test_a_loss_that_neither_falls_nor_explodes_suggests_nothing():
    sweep = read("full", *curve(lowest=0.7, explodes=False))
    assert (sweep.lowest, sweep.diverges, sweep.suggestion) == (None, None, None)
    assert "–" in str(sweep)


def test_a_loss_that_is_no_number_counts_as_exploded():
    rates, losses = curve()
    sweep = read("full", rates[:70], [*losses[:69], math.nan])
    assert sweep.diverges and all(map(math.isfinite, sweep.smoothed))


def test_the_sweep_leaves_model_and_random_state_as_they_were(model, corpus):
    import torch

    before = {n: t.clone() for n, t in model.state_dict().items()}
    flags, state = [p.requires_grad for p in model.parameters()], torch.get_rng_state()
    find_lr(model, corpus, lk.HeadOnly(), lk.TrainConfig(device="cpu"), steps=20)
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert flags == [p.requires_grad for p in model.parameters()] and not model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_the_rate_grows_by_one_factor_and_groups_keep_their_proportion(model, corpus, monkeypatch):
    used, real = [], Trainer.train_step

    def step(self, rows, share):
        yield from real(self, rows, share)
        used.append([g["lr"] for g in self.optimizer.param_groups])

    monkeypatch.setattr(Trainer, "train_step", step)
    rates = [rate for rate, _ in climb(model, corpus, lk.Full(decay=0.5), lk.TrainConfig(device="cpu"), 20)]
    assert rates[0] == pytest.approx(LOW) and rates[-1] == pytest.approx(HIGH)
    assert [b / a for a, b in itertools.pairwise(rates)] == pytest.approx([10 ** (6 / 19)] * 19)
    assert [max(rates_of_groups) for rates_of_groups in used] == pytest.approx(rates)
    assert min(used[5]) / max(used[5]) == pytest.approx(0.5**4)  # head, three layers, embeddings


def test_the_suggested_rate_learns_and_the_sweep_ends_where_the_loss_explodes(model, corpus):
    sweep = find_lr(model, corpus, lk.Full(), lk.TrainConfig(device="cpu", optimizer="sgd", clip=0))
    assert len(sweep.rates) == len(sweep.losses) == len(sweep.smoothed) <= 100
    sweep = find_lr(model, corpus, lk.Full(), lk.TrainConfig(device="cpu"))
    assert sweep == find_lr(model, corpus, lk.Full(), lk.TrainConfig(device="cpu"))
    config = lk.TrainConfig(lr=sweep.suggestion, epochs=8, batch_size=8, device="cpu")
    run = Trainer(model, corpus, lk.Full(), config).fit()
    assert run.history[-1].train_loss < 0.7 * run.history[0].train_loss


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_model_with_a_weight_that_is_no_number_is_refused_by_that_weights_name(model, corpus, language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    with torch.no_grad():
        model.classifier.weight[0, 0] = math.nan
    with pytest.raises(lk.BadInput, match=r"NaN.*classifier\.weight"):
        find_lr(model, corpus, steps=20)


@pytest.mark.parametrize("k", [1, 2])
def test_layers_that_answer_in_tuples_are_passed_by_while_they_are_frozen(tmp_path, corpus, k):
    import transformers as t

    small = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64)
    made = t.MegatronBertConfig(vocab_size=len(stand_ins.VOCABULARY), max_position_embeddings=64, **small)
    place = stand_ins.keep(t.MegatronBertModel(made), stand_ins.wordpiece(), tmp_path / "megatron")
    swept = [
        find_lr(lk.load(place, corpus.labels), corpus, lk.TopK(k), lk.TrainConfig(cache=cache, device="cpu"), steps=20)
        for cache in ("memory", "off")
    ]
    assert swept[0].losses == pytest.approx(swept[1].losses, abs=1e-4)


@pytest.mark.parametrize("steps", [0, 19, 10_001])
def test_a_number_of_steps_that_makes_no_curve_is_refused(model, corpus, steps):
    with pytest.raises(lk.BadInput, match=f"steps={steps}"):
        find_lr(model, corpus, steps=steps)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_figure_shows_curve_and_rates(language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    sweep = read("full", *curve())
    axes = lk.plots.rates(sweep).axes[0]
    assert {round(line.get_xdata()[0], 9) for line in axes.lines[2:]} == {
        round(x, 9) for x in (sweep.suggestion, sweep.lowest, sweep.diverges)
    }
    lk.plots.rates(read("full", *curve(lowest=0.7, explodes=False)))
