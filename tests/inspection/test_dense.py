"""Maps over pictures and clips: what all places get makes up the answer, and it lies where the sound is."""

import numpy as np
import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification, WhisperFeatureExtractor

import labkit as lk
from labkit.base.records import BadInput
from labkit.inspection.attribution import explains
from labkit.modalities.audio import Audio

RATE = Audio.rate
TASK = lk.tasks.Classification(modality=Audio(), labels=("low", "high"))


def tone(hertz, seconds=0.3):
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE))
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(len(noise)) / RATE) + 0.01 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("listener")
    torch.manual_seed(0)
    shape = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    ResNetForImageClassification(ResNetConfig(num_channels=1, **shape)).save_pretrained(place)
    WhisperFeatureExtractor(
        feature_size=48, hop_length=250, n_fft=512, chunk_length=1, do_normalize=True
    ).save_pretrained(place)
    made = lk.load(place, task=TASK)
    rows = tuple(lk.Example(tone((300, 2000)[i % 2] + 9 * i), i % 2) for i in range(24))
    corpus = lk.Corpus("beeps", rows[:16], rows[16:20], rows[20:], TASK)
    lk.Trainer(made, corpus, lk.Full(), lk.TrainConfig(epochs=6, batch_size=4, lr=3e-3)).fit()
    return made


def test_the_scores_of_a_clip_add_up_to_its_answer(model):
    (found,) = lk.attribute(model, tone(2100))
    assert found.predicted == found.label in TASK.labels
    assert found.gap <= 0.02 * max(1, abs(found.log_odds - found.baseline))
    assert found.scores.shape == (1, 48, 64) and found.frames.shape == (64,)
    assert float(found.frames.sum()) == pytest.approx(float(found.scores.sum()), abs=1e-3)


def test_what_matters_lies_where_the_sound_is(model):
    (found,) = lk.attribute(model, tone(2100, 0.25))
    end = round(0.25 / found.step)
    assert np.abs(found.frames[: end + 4]).sum() > 0.6 * np.abs(found.frames).sum()


def test_a_label_may_be_asked_for_and_its_scores_are_those_against_the_other(model):
    low, high = (lk.attribute(model, [tone(2100)], label=name)[0] for name in TASK.labels)
    assert low.label == "low" and np.allclose(low.scores, -high.scores, atol=0.05 * np.abs(high.scores).max())


def test_a_map_shows_the_clip_with_bars_below_it(model):
    (found,) = lk.attribute(model, tone(2100), method="gradient")
    shown = found._repr_html_()
    assert "<audio controls" in shown and f"blue speaks for {found.label}" in shown and found.points == 1


def test_the_model_is_left_as_it_was(model):
    model.train()
    lk.attribute(model, tone(2100))
    assert model.training and all(p.grad is None for p in model.parameters())
    model.eval()


def test_what_it_does_not_know_is_refused(model):
    assert explains(model)
    with pytest.raises(BadInput, match="label='loud'"):
        lk.attribute(model, tone(440), label="loud")
    with pytest.raises(FileNotFoundError):
        lk.attribute(model, "nowhere.wav")
