"""Clips come in from arrays, folders and requests at one rate; items vary as asked, and what is no clip is said to be none."""

import base64
import dataclasses

import numpy as np
import pytest

import labkit as lk
from labkit.base.records import BadInput
from labkit.modalities.audio import Audio, Listener, checked_form
from labkit.modalities.contract import modality_of
from labkit.modalities.sounds import to_mu_law, wav_bytes
from labkit.tasks.inputs import by_suffix

RATE = Audio.rate
WORDS = {"low": 300, "high": 1500}


def tone(hertz: float, seconds: float = 0.3, rate: int = RATE, loud: float = 0.4, seed: int = 0) -> np.ndarray:
    """A beep with a little noise, so that no two are the same."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (loud * np.sin(2 * np.pi * hertz * np.arange(len(noise)) / rate) + 0.01 * noise).astype(np.float32)


def archive(path, clips, labels, rate=8000, **more):
    """An `.npz` of clips, as the shared sets are stored."""
    whole = np.concatenate([np.round(32767 * c).astype(np.int16) for c in clips]) if clips else np.zeros(0, np.int16)
    offsets = np.cumsum([0, *map(len, clips)])
    named = {"y": np.array(labels), "label_names": np.array(list(WORDS)), "sample_rate": rate}
    np.savez_compressed(path, **{"audio": whole, "offsets": offsets, **named, **more})
    return path


def beeps(n: int, rate=8000) -> tuple[list, list]:
    return [tone(list(WORDS.values())[i % 2] + 20 * i, rate=rate, seed=i) for i in range(n)], [i % 2 for i in range(n)]


def test_an_archive_of_clips_is_a_corpus_at_one_rate(tmp_path):
    clips, labels = beeps(20)
    corpus = lk.load_csv(archive(tmp_path / "beeps.npz", clips, labels))
    assert corpus.labels == ("low", "high") and corpus.task.modality == Audio()
    lengths = {len(e.input) for rows in corpus.splits.values() for e in rows}
    assert lengths == {round(0.3 * RATE)}  # 2,400 samples at 8 kHz are 4,800 at 16: as long, and as high


def test_a_clip_at_another_rate_sounds_as_it_did(tmp_path):
    for rate in (8000, 22_050, 44_100):
        (tmp_path / f"{rate}.wav").write_bytes(wav_bytes(tone(440, rate=rate), rate))
        clip = Audio().read(tmp_path / f"{rate}.wav")
        assert np.abs(np.fft.rfft(clip)).argmax() * RATE / len(clip) == pytest.approx(440, abs=4)


def test_mu_law_bytes_in_an_archive_are_heard_as_clips(tmp_path):
    clips, labels = beeps(12)
    packed = to_mu_law(np.concatenate(clips))
    corpus = lk.load_csv(archive(tmp_path / "beeps.npz", clips, labels, audio=packed))
    plain = lk.load_csv(archive(tmp_path / "plain.npz", clips, labels))
    assert np.abs(corpus.train[0].input - plain.train[0].input).max() < 0.03


def test_an_empty_clip_is_dropped_and_counted(tmp_path):
    clips, labels = beeps(20)
    clips[3] = clips[3][:0]
    corpus = lk.load_csv(archive(tmp_path / "beeps.npz", clips, labels))
    (dropped,) = corpus.dropped
    assert (dropped.reason, dropped.count) == ("empty", 1)


def test_a_clip_shorter_than_one_frame_is_named(tmp_path):
    clips, labels = beeps(6)
    clips[4] = clips[4][:100]
    with pytest.raises(BadInput, match=r"beeps\.npz\[4\] is 12\.5 ms long.*25 ms"):
        lk.load_csv(archive(tmp_path / "beeps.npz", clips, labels))


BAD_ARCHIVES = {
    "no offsets": ({"offsets": None}, "audio and no offsets"),
    "no rate": ({"sample_rate": None}, "audio and no sample_rate"),
    "offsets that fall": ({"offsets": np.array([0, 4800, 2400, 7200])}, "no numbers of samples that rise"),
    "offsets past the end": ({"offsets": np.array([0, 10**9])}, "no numbers of samples that rise"),
    "a rate that is none": ({"sample_rate": 0}, "0 samples a second"),
}


@pytest.mark.parametrize("kind", BAD_ARCHIVES)
def test_a_damaged_archive_is_refused_in_one_message(tmp_path, kind):
    change, words = BAD_ARCHIVES[kind]
    clips, labels = beeps(3)
    archive(tmp_path / "beeps.npz", clips, labels)
    arrays = {**np.load(tmp_path / "beeps.npz"), **change}
    np.savez(tmp_path / "beeps.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(BadInput, match=words):
        lk.load_csv(tmp_path / "beeps.npz")


def test_a_folder_of_class_folders_with_clips_of_several_rates_is_a_corpus(tmp_path):
    for i in range(12):
        place = tmp_path / "beeps" / list(WORDS)[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        rate = (8000, 44_100)[i % 3 == 0]
        (place / f"{i}.wav").write_bytes(wav_bytes(tone(300 + 100 * i, rate=rate, seed=i), rate))
    corpus = lk.load_csv(tmp_path / "beeps")
    assert corpus.labels == ("high", "low")
    assert {len(e.input) for e in corpus.train} == {round(0.3 * RATE)}


def test_speakers_stay_on_one_side_of_a_split_that_is_made(tmp_path):
    clips, labels = beeps(40)
    speakers = np.array([f"speaker {i // 4}" for i in range(40)])
    corpus = lk.load_csv(archive(tmp_path / "beeps.npz", clips, labels, speaker=speakers), groups="speaker")
    sides = [{e.extra["speaker"] for e in rows} for rows in corpus.splits.values()]
    assert all(sides) and not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


def test_the_same_speaker_on_both_sides_of_given_splits_is_said(tmp_path):
    for name in ("train", "test"):
        clips, labels = beeps(8)
        clips = [c + 0.01 * (name == "test") for c in clips]
        archive(tmp_path / f"{name}.npz", clips, labels, speaker=np.array(["anna", "anna", "bert", "bert"] * 2))
    corpus = lk.load_csv(tmp_path / "train.npz", test=tmp_path / "test.npz", groups="speaker")
    assert any("2" in note and "speaker" in note for note in corpus.notes), corpus.notes


def test_the_same_recording_at_another_level_counts_as_the_same():
    clip, audio = tone(440), Audio()
    quiet = np.concatenate([np.zeros(4000, np.float32), clip / 3, np.zeros(999, np.float32)])
    assert audio.key(clip) == audio.key(clip.copy()) != audio.key(tone(441))
    assert audio.key(np.concatenate([np.zeros(4000, np.float32), clip, np.zeros(999, np.float32)])) == audio.key(quiet)


@pytest.mark.parametrize("audio", [Audio(), Audio(trim=0.0), Audio(trim=20, speed=0.1, noise=0.2)])
def test_the_settings_travel_as_a_card(audio):
    assert modality_of(audio.card()) == audio


def test_settings_of_what_varies_do_not_make_another_task():
    assert Audio(speed=0.1, mask=0.2) == Audio() != Audio(trim=0)


@pytest.mark.parametrize("settings", [{"trim": -1}, {"speed": 0.9}, {"mask": "much"}, {"noise": float("nan")}])
def test_a_setting_out_of_its_range_is_refused(settings):
    with pytest.raises(BadInput, match=next(iter(settings))):
        Audio(**settings)


# What callers give


def test_a_clip_may_be_given_as_a_path_as_bytes_or_with_its_rate(tmp_path):
    clip, audio = tone(440, rate=8000), Audio()
    data = wav_bytes(clip, 8000)
    (tmp_path / "a.wav").write_bytes(data)
    whole = np.round(clip * 32767).astype(np.int16)
    found = [audio.accept(x) for x in (str(tmp_path / "a.wav"), data, (clip, 8000), (8000, whole))]
    assert all(len(x) == 2 * len(clip) and x.dtype == np.float32 for x in found)
    assert all(np.abs(x - found[0]).max() < 1e-3 for x in found)


def test_stereo_is_mixed():
    left = tone(440)
    both = Audio().accept(np.stack([left, np.zeros_like(left)], 1))
    assert np.allclose(both, left / 2)


@pytest.mark.parametrize(
    "value,words",
    [
        ([], "at least one clip"),
        (["hello"], "Input 1 is no clip: str"),
        ([np.zeros(0, np.float32)], "clip 1 holds no sound"),
        ([np.full(4000, np.nan, np.float32)], "4000 samples that are no numbers"),
        ([np.zeros(50, np.float32)], "3.1 ms long"),
        ([np.zeros(RATE * 121, np.float32)], "clip 1 is 121 s long"),
    ],
)
def test_what_is_no_clip_is_refused(value, words):
    with pytest.raises(BadInput, match=words):
        Audio().check(value)


def test_a_service_receives_a_file_in_base64_and_never_a_path(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(tone(440), RATE))
    sent = base64.b64encode((tmp_path / "a.wav").read_bytes()).decode()
    audio = Audio()
    assert np.array_equal(audio.receive(sent), audio.receive(f"data:audio/wav;base64,{sent}"))
    for bad, words in (
        (str(tmp_path / "a.wav"), "no base64"),
        ({"path": "a.wav"}, "this is dict"),
        (base64.b64encode(b"hello").decode(), "the clip that was sent is no"),
    ):
        with pytest.raises(BadInput, match=words):
            audio.receive(bad)


def test_endings_of_sound_files_are_known():
    assert all(by_suffix(name) == Audio() for name in ("a.WAV", "b.flac", "c.ogg", "d.opus", "e.mp3"))


# What a network reads


@pytest.fixture(scope="module")
def listener() -> Listener:
    from transformers import ResNetConfig, WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=48, hop_length=250, n_fft=512, chunk_length=1, do_normalize=True)
    return Listener(extractor, checked_form(extractor, ResNetConfig()))


def test_every_clip_gives_a_picture_of_one_size_so_that_no_answer_depends_on_the_batch(listener):
    audio = Audio()
    items = Audio(lasts=0).encode(listener, [tone(440, s) for s in (0.05, 0.3, 1.4)], limit=256)
    assert {i["sound"].shape for i in items} == {(48, 64)} and [i["cut"] for i in items] == [False, False, True]
    assert audio.pad(listener, items)["pixel_values"].shape == (3, 1, 48, 64)
    assert audio.size(items[0]) == 100  # frames of 10 ms


def test_pictures_are_those_that_the_processor_would_make(listener):
    clip = tone(440, 0.3)
    (item,) = Audio(trim=0, lasts=0).encode(listener, [clip], limit=256)
    expected = listener.extractor(clip, sampling_rate=RATE, return_tensors="np", do_normalize=True).input_features[0]
    assert np.abs(item["sound"] - expected).max() < 2e-3


def test_trimming_brings_a_clip_to_its_beginning(listener):
    late = np.concatenate([np.zeros(RATE // 2, np.float32), tone(440), np.zeros(RATE // 2, np.float32)])
    early, kept = (Audio(trim=t, lasts=0).encode(listener, [late], 256)[0]["sound"] for t in (30, 0))
    assert early.max(0).argmax() < 20 < kept.max(0).argmax()


def test_a_slow_word_and_a_quick_one_lie_over_each_other(listener):
    slow, quick = tone(440, 0.8), tone(440, 0.4)
    one, other = (i["sound"] for i in Audio(lasts=0.5).encode(listener, [slow, quick], 256))
    assert one.shape == (48, 64) and np.abs(one[:, :32] - other[:, :32]).mean() < 0.1
    assert (one[:, 32:] == one.min()).all()  # half a second of a window of one
    own = [i["sound"] for i in Audio(lasts=0).encode(listener, [slow, quick], 256)]
    assert np.abs(own[0] - own[1]).mean() > 3 * np.abs(one - other).mean()


def test_a_short_word_is_drawn_as_finely_as_a_long_one(listener):
    swept = np.sin(np.cumsum(np.linspace(0.05, 1.5, 3200))).astype(
        np.float32
    )  # a fifth of a second that rises all the time
    (item,) = Audio(trim=0).encode(listener, [swept], 256)
    loudest = item["sound"][:, 2:56].argmax(0)
    assert (np.diff(loudest) >= 0).all() and len(set(loudest)) > 30


def test_a_level_changes_nothing(listener):
    soft, loud = Audio().encode(listener, [tone(440, loud=0.02), tone(440, loud=0.4) * 1.0], 256)
    clip = tone(440)
    one, other = Audio().encode(listener, [clip, clip / 50], 256)
    assert np.abs(one["sound"] - other["sound"]).max() < 0.02 and soft["sound"].shape == loud["sound"].shape


VARIED = {"speed": 0.3, "shift": 0.2, "warp": 0.2, "tone": 10, "noise": 1.0, "mask": 0.3}


@pytest.mark.parametrize("name", VARIED)
def test_an_item_varies_as_its_generator_says_and_stays_as_it_was(listener, name):
    audio = dataclasses.replace(Audio(), **{name: VARIED[name]})
    (item,) = audio.encode(listener, [tone(440)], 256)
    before = item["sound"].copy()
    drawn = [audio.varied(item, np.random.default_rng(seed))["sound"] for seed in (1, 1, 2)]
    assert audio.varies and np.array_equal(item["sound"], before)
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert all(d.shape == before.shape and d.dtype == np.float32 and np.isfinite(d).all() for d in drawn)


def test_a_processor_for_pictures_is_refused():
    from transformers import ResNetConfig

    from labkit.base.hub import Unreadable

    with pytest.raises(Unreadable, match="none for sound"):
        checked_form(object(), ResNetConfig())


# How it looks


def test_a_clip_shows_its_waveform_and_plays():
    shown = Audio().html(tone(440))
    assert "<audio controls" in shown and "data:audio/wav;base64," in shown and "clip, 0.30 s" in shown
    assert len(shown) < 40_000
    assert Audio().text(tone(440)) == "clip of 0.30 s"


def test_pictures_tell_words_apart_by_a_line():
    train = [lk.Example(tone(h + 7 * i, seed=i), k) for k, h in enumerate(WORDS.values()) for i in range(12)]
    task = lk.tasks.Classification(modality=Audio(), labels=tuple(WORDS))
    line = task.baselines(train)["log-mel"]()
    said = line.answer([tone(h + 11, 0.5, seed=99) for h in WORDS.values()])
    assert [int(np.argmax(a)) for a in said] == [0, 1] and line.title == "log-mel pictures + logistic regression"
