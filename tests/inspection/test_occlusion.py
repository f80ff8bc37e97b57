"""Occlusion of pictures and clips, on made-up models whose reasons are known: what decides is found, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from labkit.inspection.dense import PATCHES, maps
from labkit.modalities.audio import FORMS, RAW, Audio, Listener
from labkit.modalities.image import Image
from labkit.modalities.pixels import Pixels
from labkit.tasks import Classification

LABELS = ("no", "yes")
RNG = np.random.default_rng(0)


class MadeUp(torch.nn.Module):
    """Says "yes" with the log-odds that `worth` finds in what is read, and looks at nothing else."""

    def __init__(self, modality, processor, worth):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))
        self.task, self.processor, self.worth = Classification(modality=modality, labels=LABELS), processor, worth
        self.config = SimpleNamespace(model_type="made-up")

    def forward(self, **inputs):
        (read,) = inputs.values()
        odds = self.worth(read)
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(odds), odds], 1))


def occluded(model, input, label="yes"):
    """A hundred frames of 10 ms are read of what is as long as it is."""
    (found,) = maps(model, [input], label, "occlusion", 0.02, 100)
    return found


# Pictures: 48 pixels a side, and so patches of 6


def patch(read, row, column):
    return read[..., 6 * row : 6 * row + 6, 6 * column : 6 * column + 6].mean((1, 2, 3))


def by_patch(scores):
    return scores.sum(0).reshape(PATCHES, 6, PATCHES, 6).sum((1, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_patches_of_a_picture_that_decide_are_found_with_what_each_adds(channels):
    model = MadeUp(Image(), Pixels(48, 48, channels), lambda read: 4 * patch(read, 2, 7) - patch(read, 6, 0) + 0.5)
    picture = RNG.integers(0, 256, (48, 48), dtype=np.uint8)
    means = by_patch(picture[None] / 255) / 36
    want = np.zeros((PATCHES, PATCHES))
    want[2, 7], want[6, 0] = 4 * means[2, 7], -means[6, 0]
    found = occluded(model, picture)
    assert found.scores.shape == (channels, 48, 48)
    assert by_patch(found.scores) == pytest.approx(want, abs=1e-4)
    assert by_patch(occluded(model, picture, "no").scores) == pytest.approx(-want, abs=1e-4)


def test_evidence_all_over_a_picture_passes_the_deletion_test_and_none_at_all_fails_it():
    picture = RNG.integers(128, 256, (48, 48), dtype=np.uint8)
    weights = torch.linspace(-1, 2, PATCHES**2).view(PATCHES, PATCHES).repeat_interleave(6, 0).repeat_interleave(6, 1)
    spread = occluded(MadeUp(Image(), Pixels(48, 48, 1), lambda read: (read * weights / 200).sum((1, 2, 3))), picture)
    blind = occluded(MadeUp(Image(), Pixels(48, 48, 1), lambda read: read.sum((1, 2, 3)) * 0 + 1), picture)
    assert spread.truthful is True and "deletion test" not in spread._repr_html_()
    assert blind.truthful is False and "deletion test" in blind._repr_html_() and not blind.scores.any()


# Clips


def pictured(worth):
    """A clip of a second as a log-mel picture of 48 bands and 64 frames; patches are 8 frames wide."""
    extractor = WhisperFeatureExtractor(feature_size=48, hop_length=250, n_fft=512, chunk_length=1)
    return MadeUp(Audio(trim=0, lasts=0), Listener(extractor, FORMS["resnet"]), worth)


def heard(worth):
    """A clip as samples; a patch is an eighth of its time."""
    return MadeUp(Audio(trim=0), Listener(Wav2Vec2FeatureExtractor(do_normalize=False), RAW), worth)


NOISE = RNG.uniform(-0.5, 0.5, 16_000).astype(np.float32)


def test_the_stretch_of_a_clip_that_decides_is_found_in_its_log_mel_picture():
    model = pictured(lambda read: read[..., 16:24].mean((1, 2, 3)) - read.amin((1, 2, 3)))
    found = occluded(model, NOISE)
    assert found.frames.shape == (64,)
    assert found.frames[16:24].sum() == pytest.approx(found.log_odds - found.baseline, rel=1e-3)
    assert np.abs(np.delete(found.frames, np.arange(16, 24))).max() < 1e-5


def test_of_a_model_that_reads_samples_too():
    model = heard(lambda read: 8 * read[:, 4000:6000].abs().mean(1))
    found = occluded(model, NOISE)
    assert found.scores.shape == (16_000,)
    assert found.scores[4000:6000].sum() == pytest.approx(found.log_odds, rel=1e-3)
    assert not found.scores[:4000].any() and not found.scores[6000:].any()


@pytest.mark.parametrize("make", [pictured, heard])
def test_a_clip_is_shown_with_what_each_stretch_adds_below_it(make):
    found = occluded(make(lambda read: read.abs().flatten(1).mean(1)), NOISE)
    assert found.truthful in (True, False) and "<audio controls" in found._repr_html_()
