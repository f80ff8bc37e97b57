"""Sound as a picture of time and pitch: log-mel spectrograms, silence cut off, and clips varied as training sees them.

A log-mel picture is (bands, frames): how loud each band of frequencies is in each short stretch of time, on a scale where
ten decibels are a quarter. That is how Whisper's processor counts, so that its models read these pictures; a test compares the
two. Notebook 15 builds one by hand.
"""

import functools

import numpy as np

FLOOR = 1e-10  # power below which nothing is told apart
DEEPEST = 8.0  # powers of ten below the loudest point of a clip: what is softer is as soft as that
FRAME = 0.01  # seconds: the stretches in which silence is looked for
MARGIN = 3  # such stretches that stay on both sides of what is loud


def log_mel(samples, rate: int, *, bands: int = 40, window: int | None = None, hop: int | None = None, filters=None):
    """The log-mel picture of a clip, float32 (bands, frames): a frame every `hop` samples, each of `window` samples.

    >>> log_mel(np.sin(np.arange(8000) / 3).astype(np.float32), 8000).shape          # one second: 100 frames of 10 ms
    (40, 100)

    Without them, a window is 25 ms and a hop 10 ms. Values run from the loudest point down over 2.0, which are 80 dB. A clip
    shorter than a window is lengthened with silence. `filters` (window // 2 + 1, bands) are the model's own, where it has any.
    """
    window, hop = window or round(0.025 * rate), hop or round(0.01 * rate)
    filters = mel_filters(bands, window, rate) if filters is None else filters
    if len(samples) < window:
        samples = np.pad(samples, (0, window - len(samples)))
    around = np.pad(samples, window // 2, mode="reflect").astype(np.float32, copy=False)  # frames stand on their middle
    frames = np.lib.stride_tricks.sliding_window_view(around, window)[::hop][: len(samples) // hop]
    power = np.abs(np.fft.rfft(frames * hann(window), axis=1)) ** 2
    logs = np.log10(np.maximum(power @ np.asarray(filters, np.float32), FLOOR))
    return ((np.maximum(logs, logs.max() - DEEPEST) + 4) / 4).T.astype(np.float32)


@functools.lru_cache(maxsize=8)
def hann(window: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def mel_filters(bands: int, window: int, rate: int) -> np.ndarray:
    """How much each frequency of a window counts for each band, (window // 2 + 1, bands): triangles of equal area whose
    middles are evenly apart on the mel scale, on which equal steps sound alike (Slaney 1998, Auditory Toolbox)."""
    edges = from_mel(np.linspace(0, to_mel(rate / 2), bands + 2))
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return (np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])).astype(np.float32)


def to_mel(hertz):
    """Hertz as mel: even up to 1,000 Hz, from there in equal ratios; 15 mel at 1,000 Hz.

    >>> to_mel(1000.0).item(), round(to_mel(8000.0).item(), 1)
    (15.0, 45.2)
    """
    hertz = np.asarray(hertz, float)
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + np.log(np.maximum(hertz, 1000) / 1000) * 27 / np.log(6.4))


def from_mel(mel):
    mel = np.asarray(mel, float)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


# Silence


def trimmed(samples: np.ndarray, rate: int, decibels: float = 30.0) -> np.ndarray:
    """The clip without what lies before its first and behind its last stretch that is at most so many dB softer than its
    loudest; 30 ms stay on both sides.

    >>> quiet, loud = np.zeros(8000, np.float32), np.ones(800, np.float32)
    >>> len(trimmed(np.concatenate([quiet, loud, quiet]), 8000)) / 8000
    0.16
    """
    step = max(1, round(FRAME * rate))
    whole = samples[: len(samples) // step * step].reshape(-1, step)
    power = (whole**2).mean(1) if len(whole) else np.zeros(0)
    if not power.any():
        return samples
    (loud,) = np.nonzero(power >= power.max() * 10 ** (-decibels / 10))
    end = (loud[-1] + 1 + MARGIN) * step if loud[-1] + 1 + MARGIN < len(whole) else len(samples)
    return samples[max(0, loud[0] - MARGIN) * step : end]


def even(samples: np.ndarray) -> np.ndarray:
    """The clip around zero, and as loud as any other: a recording's level says nothing of what is said in it."""
    return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)


def resized(picture: np.ndarray, bands: int, frames: int) -> np.ndarray:
    """A picture of that size whatever its own: each point the mean of what falls on it, so that a slow word and a quick one
    lie over each other."""
    return averaging(bands, len(picture)) @ picture @ averaging(frames, picture.shape[1]).T


@functools.lru_cache(maxsize=256)
def averaging(n: int, given: int) -> np.ndarray:
    """How much each of the given points counts for each of `n`, (n, given): shares of overlap, 1 in all."""
    edges = np.linspace(0, given, n + 1)
    low, high = edges[:-1, None], edges[1:, None]
    at = np.arange(given)
    return (np.maximum(0, np.minimum(high, at + 1) - np.maximum(low, at)) / (high - low)).astype(np.float32)


# Clips as an epoch of training sees them


def faster(values: np.ndarray, factor: float) -> np.ndarray:
    """Samples (n,) or a picture (bands, frames) heard `factor` times as fast, of the same length: the end is filled with what
    is softest. A picture rises in pitch as the sound itself would."""
    at = np.arange(values.shape[-1]) * factor
    if values.ndim == 1:
        return np.interp(at, np.arange(len(values)), values, right=0.0).astype(np.float32)
    sped = along(values.T, at).T
    sped[:, at > values.shape[-1] - 1] = values.min()
    return warped(sped, factor)


def warped(picture: np.ndarray, factor: float, rate: int = 16_000) -> np.ndarray:
    """A picture whose frequencies all lie `factor` times as high, in the same time: what a throat shorter by so much would say
    (Jaitly & Hinton 2013, vocal tract length perturbation)."""
    bands, highest = len(picture), to_mel(rate / 2)
    hertz = from_mel(highest * np.arange(1, bands + 1) / (bands + 1))
    return along(picture, to_mel(hertz / factor) / highest * (bands + 1) - 1)


def toned(picture: np.ndarray, decibels: float, rng) -> np.ndarray:
    """A picture as another microphone in another room would colour it: each band louder or softer by about so many decibels at
    most, neighbours alike."""
    across = np.pi * (np.arange(len(picture)) + 0.5) / len(picture)
    curve = sum(rng.uniform(-1, 1) / k * np.cos(k * across) for k in (1, 2, 3))
    heard = picture + (decibels / 40 * curve[:, None]).astype(np.float32)
    return np.maximum(heard, heard.max() - DEEPEST / 4)


def along(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows read at places between them."""
    low = np.floor(at).astype(int).clip(0, len(rows) - 1)
    high = (low + 1).clip(max=len(rows) - 1)
    share = (at - low).clip(0, 1)[:, None].astype(np.float32)
    return rows[low] * (1 - share) + rows[high] * share


def moved(values: np.ndarray, steps: int) -> np.ndarray:
    """Later by so many samples or frames (earlier, where negative), of the same length."""
    soft = 0.0 if values.ndim == 1 else values.min()
    out = np.full_like(values, soft)
    if steps >= 0:
        out[..., steps:] = values[..., : values.shape[-1] - steps]
    else:
        out[..., :steps] = values[..., -steps:]
    return out


def noisy(values: np.ndarray, share: float, rng) -> np.ndarray:
    """With noise of so large a share of the clip's own strength; in a picture, noise is added as power is."""
    if values.ndim == 1:
        return values + share * values.std() * rng.standard_normal(len(values), dtype=np.float32)
    power = 10 ** (4 * values - 4)
    added = share**2 * power.mean() * rng.standard_exponential(values.shape, dtype=np.float32)
    return (np.log10(power + added + FLOOR) + 4) / 4


def masked(values: np.ndarray, share: float, rng) -> np.ndarray:
    """With one stretch of time hidden and, in a picture, one band of frequencies, each up to such a share (Park et al. 2019,
    SpecAugment, arXiv 1904.08779)."""
    out, soft = values.copy(), 0.0 if values.ndim == 1 else values.mean()
    for axis in range(values.ndim):
        n = values.shape[axis]
        width = int(rng.integers(0, max(1, round(share * n)) + 1))
        start = int(rng.integers(0, n - width + 1))
        out[(slice(None),) * axis + (slice(start, start + width),)] = soft
    return out
