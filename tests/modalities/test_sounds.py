"""Sound files of every usual kind come in as the same clip; what cannot be heard is refused in one message."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
from scipy.io import wavfile

from labkit.base.records import BadInput
from labkit.modalities.sounds import (
    a_law,
    as_clip,
    decoded,
    mu_law,
    read_sound,
    resampled,
    to_mu_law,
    wav_bytes,
)

RATE = 8000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.float32)


def wav(kind, bits, data: bytes, channels=1, rate=RATE, length=None, extensible=False) -> bytes:
    """A WAV file by hand: a header, and bytes of samples."""
    whole = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, channels, rate, rate * whole, whole, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, kind) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"LIST" + struct.pack("<I", 3) + b"odd\0"  # a chunk that nobody asked for, of odd length
    chunks += b"data" + struct.pack("<I", len(data) if length is None else length) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def whole(bits) -> np.ndarray:
    return np.round(TONE.astype(float) * (2 ** (bits - 1) - 1)).astype(np.int64)


FILES = {
    "8 bits": (wav(1, 8, (whole(8) + 128).astype(np.uint8).tobytes()), 0.01),
    "16 bits": (wav(1, 16, whole(16).astype("<i2").tobytes()), 1e-4),
    "24 bits": (wav(1, 24, whole(24).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()), 1e-6),
    "32 bits": (wav(1, 32, whole(32).astype("<i4").tobytes()), 1e-6),
    "floats": (wav(3, 32, TONE.astype("<f4").tobytes()), 0),
    "doubles": (wav(3, 64, TONE.astype("<f8").tobytes()), 1e-7),
    "mu-law": (wav(7, 8, to_mu_law(TONE).tobytes()), 0.02),
    "extensible": (wav(1, 16, whole(16).astype("<i2").tobytes(), extensible=True), 1e-4),
    "stereo": (wav(1, 16, np.stack([2 * whole(15), 0 * whole(15)], 1).astype("<i2").tobytes(), channels=2), None),
    "of unknown length": (wav(1, 16, whole(16).astype("<i2").tobytes(), length=0xFFFFFFFF), 1e-4),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_wav_file_of_any_usual_kind_comes_in_as_the_same_clip(tmp_path, kind):
    data, error = FILES[kind]
    (tmp_path / "tone.wav").write_bytes(data)
    samples, rate = read_sound(tmp_path / "tone.wav")
    expected = TONE / 2 if error is None else TONE  # one channel silent: half as loud
    assert (rate, samples.dtype, samples.shape) == (RATE, np.float32, TONE.shape)
    assert np.abs(samples - expected).max() <= (error or 1e-3)


def test_the_reader_agrees_with_scipy_on_a_file_that_scipy_wrote(tmp_path):
    wavfile.write(tmp_path / "a.wav", 44_100, (TONE * 30_000).astype(np.int16))
    rate, expected = wavfile.read(tmp_path / "a.wav")
    samples, found = read_sound(tmp_path / "a.wav")
    assert found == rate and np.array_equal(samples, expected / np.float32(32768))


@pytest.mark.parametrize("format,subtype", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("WAV", "ALAW")])
def test_files_of_other_kinds_are_read_by_soundfile(tmp_path, format, subtype):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / f"a.{format.lower()}"
    soundfile.write(path, TONE, RATE, format=format, subtype=subtype)
    samples, rate = read_sound(path)
    loud = min(len(samples), len(TONE))
    assert rate == RATE and np.corrcoef(samples[:loud], TONE[:loud])[0, 1] > 0.98


def test_a_law_is_decoded_as_soundfile_decodes_it(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    codes = np.arange(256, dtype=np.uint8)
    (tmp_path / "a.wav").write_bytes(wav(6, 8, codes.tobytes()))
    assert np.allclose(a_law(codes), soundfile.read(tmp_path / "a.wav", dtype="float32")[0])


def test_mu_law_is_decoded_as_soundfile_decodes_it_and_goes_round(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    codes = np.arange(256, dtype=np.uint8)
    (tmp_path / "a.wav").write_bytes(wav(7, 8, codes.tobytes()))
    assert np.allclose(mu_law(codes), soundfile.read(tmp_path / "a.wav", dtype="float32")[0])
    again = to_mu_law(mu_law(codes))
    assert np.array_equal(mu_law(again), mu_law(codes))


def test_without_soundfile_the_message_says_which_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(BadInput, match=r"a\.flac is no WAV.*labkit\[speech\]"):
        read_sound(tmp_path / "a.flac")


BROKEN = {
    "empty": (b"", "is empty"),
    "no header": (b"RIFF\x24\0\0\0WAVE", "header is not whole"),
    "no sound": (wav(1, 16, b""), "holds no sound"),
    "cut short": (wav(1, 16, bytes(100), length=4000), "ends before its sound does"),
    "12 bits": (wav(1, 12, bytes(100)), "12 bits"),
    "compressed": (wav(2, 4, bytes(100)), "type 2"),
    "no channels": (wav(1, 16, bytes(100), channels=0), "0 channels"),
    "a strange rate": (wav(1, 16, bytes(100), rate=3), "3 samples a second"),
    "no numbers": (wav(3, 32, np.full(4000, np.nan, "<f4").tobytes()), "4000 samples that are no numbers"),
    "text": (b"this is no sound at all, but a text", "no readable sound file"),
    "damaged": (b"fLaC" + bytes(range(200)), "no readable sound file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_heard_is_named_in_one_message(tmp_path, kind):
    if kind in ("text", "damaged"):
        pytest.importorskip("soundfile")
    data, words = BROKEN[kind]
    (tmp_path / "bad.wav").write_bytes(data)
    with pytest.raises(BadInput, match=words) as error:
        read_sound(tmp_path / "bad.wav")
    assert "bad.wav" in str(error.value)


def test_an_hour_of_sound_is_refused_from_its_header(tmp_path):
    with (tmp_path / "hour.wav").open("wb") as file:
        file.write(wav(1, 16, b"", rate=44_100, length=2 * 44_100 * 3600))
        file.truncate(44 + 2 * 44_100 * 3600 + 100)  # a file with a hole: 317 MB that take no room
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=r"hour\.wav is 60 min long.*120 seconds"):
            read_sound(tmp_path / "hour.wav")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_an_hour_in_a_compressed_file_is_refused_before_it_is_unpacked():
    soundfile = pytest.importorskip("soundfile")
    packed = io.BytesIO()
    with soundfile.SoundFile(packed, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(30):
            file.write(np.zeros(80_000, np.int16))
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="300 s long"):
            decoded(packed.getvalue(), "long.flac")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_no_file_is_said_to_be_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.wav"):
        read_sound(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("value", [np.array(["a"]), np.zeros((2, 2, 2)), np.zeros((5, 0)), np.array([1 + 2j])])
def test_what_is_no_array_of_samples_is_refused(value):
    with pytest.raises(BadInput, match="clip is no sound"):
        as_clip(value, "clip")


def test_whole_numbers_are_brought_to_between_minus_one_and_one():
    assert as_clip(np.array([-32768, 0, 16384], np.int16), "clip").tolist() == [-1, 0, 0.5]
    assert as_clip(np.array([0, 128, 192], np.uint8), "clip").tolist() == [-1, 0, 0.5]


def test_resampling_keeps_length_and_pitch():
    twice = resampled(TONE, RATE, 2 * RATE)
    assert len(twice) == 2 * len(TONE)
    peaks = [np.abs(np.fft.rfft(x)).argmax() * rate / len(x) for x, rate in ((TONE, RATE), (twice, 2 * RATE))]
    assert peaks[0] == pytest.approx(440, abs=4) and peaks[1] == pytest.approx(440, abs=4)


def test_what_a_player_is_given_is_read_back_as_it_was():
    samples, rate = decoded(wav_bytes(TONE, RATE), "again")
    assert rate == RATE and np.abs(samples - TONE).max() < 1e-4
