"""Sound files as samples: WAV read here, FLAC, OGG and others by soundfile; and what an array must be to count as a clip.

A header is read before any samples are: an hour of sound is refused in a few bytes. Nothing here asks `datasets`, FFmpeg or
torchcodec to decode. Notebook 15 listens to what comes out.
"""

import struct
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from labkit.base.language import tr
from labkit.base.records import BadInput

LONGEST = 120  # seconds of one clip: what models read is far shorter, and memory stays bounded
MOST = 2**25  # samples of one clip over all its channels
RATES = (1_000, 384_000)  # samples a second
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au")
PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # kinds of samples, as a WAV header has them
STREAMED = (0, 0xFFFFFFFF)  # what a writer puts for a length that it did not know yet


@dataclass(frozen=True)
class Header:
    """What a sound file says of itself."""

    kind: int  # PCM, FLOAT, ALAW or MULAW
    channels: int
    rate: int  # samples a second, of each channel
    bits: int  # of one sample
    start: int  # byte where the samples begin
    length: int  # bytes of samples

    @property
    def seconds(self) -> float:
        return self.length / max(self.rate * self.channels * self.bits // 8, 1)


def read_sound(path) -> tuple[np.ndarray, int]:
    """The samples of a file, mixed to one channel, float32 (samples,) between -1 and 1; and how many there are a second.

    >>> written = Path("hello.wav").write_bytes(wav_bytes(np.zeros(800, np.float32), 8000))
    >>> samples, rate = read_sound("hello.wav")
    >>> samples.shape, rate
    ((800,), 8000)

    WAV of 8, 16, 24 or 32 bits, floats, mu-law, A-law, any number of channels; FLAC, OGG, Opus and MP3 by soundfile,
    `pip install labkit[speech]`.
    Raises FileNotFoundError, and BadInput that names the file and what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(tr(f"没有文件 {path}。", f"No file {path}."))
    with path.open("rb") as file:
        return read_stream(file, str(path))


def read_stream(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    """The same of an open file, or of bytes in memory; `name` is what messages call it."""
    first = file.read(12)
    file.seek(0)
    if not first:
        raise BadInput(tr(f"{name} 是空文件：里面没有声音。", f"{name} is empty: there is no sound in it."))
    if first[:4] == b"RIFF" and first[8:12] == b"WAVE":
        header = wav_header(file, name)
        check_length(header.seconds, header.channels, header.rate, name)
        samples, rate = wav_samples(file, header, name), header.rate
    else:
        samples, rate = other_samples(file, name)
    return as_clip(samples, name), rate


# WAV


def wav_header(file: BinaryIO, name: str) -> Header:
    """The header of a WAV file; BadInput where it is damaged or of a kind that is not read here."""
    size = file.seek(0, 2)
    at, form, data = 12, None, None
    while at + 8 <= size and data is None:
        file.seek(at)
        tag, length = struct.unpack("<4sI", file.read(8))
        if tag == b"fmt ":
            form = file.read(min(length, 40))
        elif tag == b"data":
            data = (at + 8, size - at - 8 if length in STREAMED else length)
        at += 8 + length + length % 2  # chunks begin at even bytes
    if form is None or len(form) < 16 or data is None:
        raise broken(name, tr("文件头不完整", "its header is not whole"))
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == EXTENSIBLE and len(form) >= 26:
        kind = struct.unpack("<H", form[24:26])[0]
    if (kind, bits) not in WIDTHS:
        raise BadInput(
            tr(
                f"{name} 的采样格式（类型 {kind}，{bits} 位）读不了；能读 8、16、24、32 位整数，32、64 位浮点，A 律和 μ 律。请另存为 16 位 WAV。",
                f"{name} has samples of a kind that is not read here (type {kind}, {bits} bits); whole numbers of 8, 16, 24 or "
                "32 bits, floats of 32 or 64, A-law and mu-law are. Save it as WAV with 16 bits.",
            )
        )
    if data[0] + data[1] > size:
        raise broken(name, tr("声音还没完，文件就断了", "the file ends before its sound does"))
    return Header(kind, channels, rate, bits, *data)


WIDTHS = {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64), (ALAW, 8), (MULAW, 8)}


def wav_samples(file: BinaryIO, header: Header, name: str) -> np.ndarray:
    """Samples (samples, channels) between -1 and 1."""
    whole = header.channels * header.bits // 8
    file.seek(header.start)
    raw = np.frombuffer(file.read(header.length // whole * whole), np.uint8)
    match header.kind, header.bits:
        case (_, 8) if header.kind == MULAW:
            samples = mu_law(raw)
        case (_, 8) if header.kind == ALAW:
            samples = a_law(raw)
        case (_, 8):
            samples = (raw.astype(np.float32) - 128) / 128
        case (_, 24):
            wide = np.zeros((len(raw) // 3, 4), np.uint8)
            wide[:, 1:] = raw.reshape(-1, 3)  # the upper three bytes of a 32-bit number
            samples = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
        case (_, bits) if header.kind == PCM:
            samples = raw.view(f"<i{bits // 8}").astype(np.float32) / 2 ** (bits - 1)
        case (_, bits):
            samples = raw.view(f"<f{bits // 8}").astype(np.float32)
    return samples.reshape(-1, header.channels)


def mu_law(codes: np.ndarray) -> np.ndarray:
    """Samples from bytes of mu-law (ITU-T G.711): 8 bits that keep soft sounds as fine as 14.

    >>> [round(x, 2) for x in mu_law(np.array([0xFF, 0x80, 0x00], np.uint8)).tolist()]
    [0.0, 0.98, -0.98]
    """
    turned = ~codes.astype(np.uint8)
    size = ((((turned & 15).astype(np.int32) << 3) + 132) << ((turned >> 4) & 7)) - 132
    return (np.where(turned & 128, -size, size) / 32768).astype(np.float32)


def to_mu_law(samples: np.ndarray) -> np.ndarray:
    """Bytes of mu-law from samples between -1 and 1: what `mu_law` turns back, to within two hundredths of a sample's size."""
    whole = np.clip(np.round(samples * 32768), -32635, 32635).astype(np.int32)
    size = np.abs(whole) + 132
    power = np.floor(np.log2(size)).astype(np.int32) - 7
    code = (power << 4) | ((size >> (power + 3)) & 15)
    return (~np.where(whole < 0, code | 128, code)).astype(np.uint8)


def a_law(codes: np.ndarray) -> np.ndarray:
    """Samples from bytes of A-law (ITU-T G.711)."""
    turned = codes.astype(np.uint8) ^ 0x55
    power, rest = ((turned >> 4) & 7).astype(np.int32), (turned & 15).astype(np.int32) << 4
    size = np.where(power == 0, rest + 8, (rest + 264) << np.maximum(power - 1, 0))
    return (np.where(turned & 128, size, -size) / 32768).astype(np.float32)


# Other kinds


def other_samples(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    """Samples (samples, channels) and their rate of what soundfile reads."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the library is there, its C part is not
        raise BadInput(
            tr(
                f"{name} 不是 WAV；读 FLAC、OGG、Opus、MP3 需要 soundfile：pip install 'labkit[speech]'，或另存为 16 位 WAV。",
                f"{name} is no WAV; FLAC, OGG, Opus and MP3 need soundfile: pip install 'labkit[speech]', or save it as WAV "
                "with 16 bits.",
            )
        ) from None
    try:
        with soundfile.SoundFile(file) as sound:
            check_length(sound.frames / max(sound.samplerate, 1), sound.channels, sound.samplerate, name)
            return sound.read(dtype="float32", always_2d=True), sound.samplerate
    except BadInput:
        raise
    except (RuntimeError, TypeError, ValueError, OSError) as error:  # soundfile's own error is a RuntimeError
        raise broken(name, (str(error).strip() or type(error).__name__).splitlines()[0]) from None


def broken(name: str, why: str) -> BadInput:
    return BadInput(
        tr(
            f"{name} 不是可读的声音文件（{why}）。请检查文件，或另存为 16 位 WAV。",
            f"{name} is no readable sound file ({why}). Check the file, or save it again as WAV with 16 bits.",
        )
    )


# What counts as a clip


def check_length(seconds: float, channels: int, rate: int, name: str) -> None:
    """BadInput for what a header promises and nobody can use: no channel, a strange rate, an hour of sound."""
    if not (channels >= 1 and RATES[0] <= rate <= RATES[1]):
        raise BadInput(
            tr(
                f"{name}：每秒 {rate} 个样本、{channels} 个声道，不像声音。采样率应在 {RATES[0]} 到 {RATES[1]} 之间，至少一个声道。请另存一次。",
                f"{name}: {rate} samples a second on {channels} channels is no sound. Rates go from {RATES[0]} to {RATES[1]}, "
                "on one channel or more. Save it again.",
            )
        )
    if seconds > LONGEST or seconds * rate * channels > MOST:
        raise BadInput(
            tr(
                f"{name} 有 {length_words(seconds)}；一个片段最长 {LONGEST} 秒。请先剪成短片段。",
                f"{name} is {length_words(seconds)} long; a clip has {LONGEST} seconds at most. Cut it into clips first.",
            )
        )


def length_words(seconds: float) -> str:
    """A length in the unit that fits it: "61 min", "130 s", "0.42 s"."""
    if seconds >= 600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2f} s"


def as_clip(value, name: str) -> np.ndarray:
    """An array as a clip: float32 (samples,), channels mixed, whole numbers brought to between -1 and 1.

    >>> as_clip(np.array([[0, 16384], [32767, 32767]], np.int16), "clip").round(2).tolist()
    [0.25, 1.0]

    BadInput for what is no array of numbers, is empty, or holds values that are no numbers.
    """
    samples = np.asarray(value)
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2) or 0 in samples.shape[1:]:
        raise BadInput(
            tr(
                f"{name} 不是声音：形状 {samples.shape}，类型 {samples.dtype}。应是一维的样本（float32，-1 到 1；或 int16），或（样本，声道）。",
                f"{name} is no sound: shape {samples.shape}, type {samples.dtype}. Give samples in one row (float32 from -1 to 1, "
                "or int16), or (samples, channels).",
            )
        )
    if not len(samples):
        raise BadInput(
            tr(
                f"{name} 里没有声音：0 个样本。请去掉它，或重新录。",
                f"{name} holds no sound: 0 samples. Leave it out, or record it again.",
            )
        )
    if samples.dtype.kind != "f":
        half = 2 ** (8 * samples.dtype.itemsize - 1)
        samples = samples.astype(np.float32) / half - (samples.dtype.kind == "u")
    samples = samples.astype(np.float32, copy=False)
    samples = samples.mean(1) if samples.ndim == 2 else samples
    if not np.isfinite(samples).all():
        raise BadInput(
            tr(
                f"{name} 里有 {(~np.isfinite(samples)).sum()} 个样本不是数（NaN 或无穷）。请重新导出。",
                f"{name} has {(~np.isfinite(samples)).sum()} samples that are no numbers (NaN or infinite). Export it again.",
            )
        )
    return samples


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound with another number of samples a second: without it, a clip is heard at the wrong speed and pitch, and
    nothing says so.

    >>> resampled(np.zeros(8000, np.float32), 8000, 16000).shape
    (16000,)
    """
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    step = gcd(rate, wanted)
    return resample_poly(samples, wanted // step, rate // step).astype(np.float32)


def wav_bytes(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of 16 bits, as bytes: what a player in a notebook is given."""
    data = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, 1, rate, 2 * rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 28 + 8 + len(data), b"WAVE")
        + form
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def decoded(data: bytes, name: str) -> tuple[Any, int]:
    """Samples and rate of a sound file that is in memory: an upload, a request."""
    import io

    return read_stream(io.BytesIO(data), name)
