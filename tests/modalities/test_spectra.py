"""Log-mel pictures are those of Whisper's processor; silence goes, and clips vary as they are asked to."""

import numpy as np
import pytest

from labkit.modalities.spectra import (
    averaging,
    even,
    faster,
    log_mel,
    masked,
    mel_filters,
    moved,
    noisy,
    resized,
    toned,
    trimmed,
    warped,
)

RATE = 16_000
rng = np.random.default_rng(0)
CLIP = (rng.standard_normal(RATE) * np.hanning(RATE) * 0.1 + np.sin(np.arange(RATE) / 9) * 0.3).astype(np.float32)


def test_the_filters_are_those_of_transformers():
    from transformers.audio_utils import mel_filter_bank

    expected = mel_filter_bank(201, 40, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney")
    assert np.allclose(mel_filters(40, 400, RATE), expected, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"feature_size": 48, "hop_length": 250, "n_fft": 512}])
def test_a_log_mel_picture_is_the_one_that_whisper_is_given(options):
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(chunk_length=1, **options)
    expected = extractor(CLIP, sampling_rate=RATE, return_tensors="np").input_features[0]
    e = extractor
    found = log_mel(CLIP, RATE, window=e.n_fft, hop=e.hop_length, filters=e.mel_filters)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-4


def test_a_tone_lies_in_its_own_band():
    low, high = (np.sin(2 * np.pi * f * np.arange(RATE) / RATE).astype(np.float32) for f in (300, 3000))
    assert log_mel(low, RATE).mean(1).argmax() < log_mel(high, RATE).mean(1).argmax()


def test_a_clip_shorter_than_a_window_still_has_a_frame():
    assert log_mel(CLIP[:100], RATE).shape == (40, 2)


def test_silence_around_a_clip_goes_and_what_is_inside_stays():
    quiet, loud = np.zeros(RATE // 2, np.float32), np.ones(RATE // 10, np.float32)
    clip = np.concatenate([quiet, loud, quiet, loud, quiet])
    kept = trimmed(clip, RATE)
    assert len(kept) == 2 * len(loud) + len(quiet) + 2 * round(0.03 * RATE)
    assert np.array_equal(trimmed(quiet, RATE), quiet)  # nothing is louder than the rest


def test_a_louder_recording_gives_the_same_picture_once_it_is_even():
    assert np.allclose(log_mel(even(CLIP), RATE), log_mel(even(10 * CLIP), RATE), atol=1e-3)


def test_a_resized_picture_keeps_its_mean_and_its_order():
    assert np.allclose(averaging(4, 7).sum(1), 1)
    ramp = np.tile(np.arange(10.0), (6, 1))
    small = resized(ramp, 3, 5)
    assert small.shape == (3, 5) and small.mean() == pytest.approx(4.5) and (np.diff(small[0]) > 0).all()


def test_faster_is_shorter_and_higher():
    picture = np.full((48, 64), -1.0, np.float32)
    picture[20:22, 10:40] = 1.0
    quick = faster(picture, 1.25)
    assert quick.shape == picture.shape
    loud = np.flatnonzero(quick.max(0) > 0.5)
    assert loud[0] == 8 and loud[-1] == 31
    assert np.flatnonzero(quick.max(1) > 0.5).mean() > 21
    assert np.allclose(faster(picture, 1.0), picture, atol=1e-6)
    assert len(faster(CLIP, 1.25)) == len(CLIP)


@pytest.mark.parametrize("hertz", [300, 2000])
def test_a_shorter_throat_raises_every_frequency_by_the_same_share_at_the_same_time(hertz):
    tones = [np.sin(2 * np.pi * f * np.arange(RATE) / RATE).astype(np.float32) for f in (hertz, 1.25 * hertz)]
    low, high = (log_mel(np.where(np.arange(RATE) < RATE // 2, t, 0), RATE) for t in tones)
    risen = warped(low, 1.25)
    assert abs(risen[:, :45].mean(1).argmax() - high[:, :45].mean(1).argmax()) <= 1
    assert np.array_equal(risen.max(0) > 0.5, low.max(0) > 0.5) and np.allclose(warped(low, 1.0), low, atol=1e-4)


def test_another_microphone_colours_bands_alike_at_all_times_and_neighbours_alike():
    picture = log_mel(CLIP, RATE)
    for seed in range(5):
        change = 40 * (toned(picture, 10, np.random.default_rng(seed)) - picture)  # decibels
        curve = np.median(change, axis=1)
        assert 1 < np.abs(curve).max() <= 10 * (1 + 1 / 2 + 1 / 3) and np.abs(np.diff(curve)).max() < 3
        assert np.median(np.abs(change - curve[:, None])) < 0.01


@pytest.mark.parametrize("steps", [5, -5, 0])
def test_moved_clips_keep_their_length_and_their_sound(steps):
    samples = np.zeros(100, np.float32)
    samples[40:60] = 1
    assert np.array_equal(np.flatnonzero(moved(samples, steps)), np.arange(40, 60) + steps)


def test_noise_lifts_what_is_soft_more_than_what_is_loud():
    picture = log_mel(CLIP, RATE)
    louder = noisy(picture, 0.5, np.random.default_rng(1)) - picture
    soft, loud = picture < np.quantile(picture, 0.2), picture > np.quantile(picture, 0.95)
    assert louder[soft].mean() > 3 * louder[loud].mean() > 0


def test_a_mask_hides_one_band_and_one_stretch_and_no_more_than_its_share():
    picture = log_mel(CLIP, RATE)
    for seed in range(5):
        changed = masked(picture, 0.25, np.random.default_rng(seed)) != picture
        assert changed.all(1).sum() <= 10 and changed.all(0).sum() <= 25
    assert changed.any()
