"""How a clip looks in a notebook: its waveform over its spectrogram, and a player. Plain HTML and images, no script."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from labkit.base.language import tr
from labkit.base.pictures import png
from labkit.modalities.sounds import length_words, resampled, wav_bytes
from labkit.modalities.spectra import log_mel

PLAYED = 8_000  # samples a second of what a notebook plays: speech stays clear, and the file small
RAMP = (
    (0, 0, 4),
    (40, 11, 84),
    (101, 21, 110),
    (159, 42, 99),
    (212, 72, 66),
    (245, 125, 21),
    (250, 193, 39),
    (252, 255, 164),
)
# from dark to bright in even steps of lightness (matplotlib's inferno): it reads the same for every eye and in grey
WAVE, GREY = "#4477aa", "#888888"


@dataclass(frozen=True)
class Clip:
    """A clip to be looked at and played in a notebook: its waveform, its spectrogram, a player.

    >>> Clip(np.zeros(8000, np.float32), rate=8000)         # samples in one row, and how many there are a second
    Clip(1.00 s at 8,000 Hz)
    """

    samples: np.ndarray
    rate: int = 16_000

    def __repr__(self) -> str:
        return f"Clip({length_words(len(self.samples) / self.rate)} at {self.rate:,} Hz)"

    def _repr_html_(self) -> str:
        return clip_html(self.samples, self.rate)


def clip_html(samples: np.ndarray, rate: int, width: int = 300, scores: Sequence[float] | None = None) -> str:
    """A clip as HTML; with `scores`, one a frame of 10 ms or any even stretch, a strip below says what each adds to an answer."""
    words = tr(f"片段，{length_words(len(samples) / rate)}", f"clip, {length_words(len(samples) / rate)}")
    picture = f'<img alt="{escape(words)}" width="{width}" style="display:block" src="{as_uri(clip_svg(samples, rate, scores))}" />'
    sound = base64.b64encode(
        wav_bytes(resampled(samples, rate, PLAYED) if rate > PLAYED else samples, min(rate, PLAYED))
    )
    player = (
        f'<audio controls preload="none" style="width:{width}px;height:28px;display:block" '
        f'src="data:audio/wav;base64,{sound.decode()}"></audio>'
    )
    return f'<div class="labkit-clip" style="width:{width}px;padding:.2em 0">{picture}{player}</div>'


def clip_svg(samples: np.ndarray, rate: int, scores: Sequence[float] | None = None, size=(600, 260)) -> str:
    """Waveform, spectrogram and seconds as one drawing; scores as bars under it, blue for, red against."""
    width, height = size
    wave, foot, bars = 70, 34, 0 if scores is None else 50
    tall = height - wave - foot
    seconds = len(samples) / rate
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + bars}" font-family="sans-serif" font-size="20">',
        f'<path d="{outline(samples, width, wave)}" fill="{WAVE}" />',
        f'<image x="0" y="{wave}" width="{width}" height="{tall}" preserveAspectRatio="none" href="{spectrogram_uri(samples, rate)}" />',
    ]
    if scores is not None:
        parts.append(score_bars(scores, width, wave + tall, bars))
    places = ((0, "start"), (width / 2, "middle"), (width, "end"))
    for x, anchor in places:
        parts.append(
            f'<text x="{x:g}" y="{height + bars - 10}" text-anchor="{anchor}" fill="{GREY}">{seconds * x / width:.2f}'
            f"{' s' if anchor == 'end' else ''}</text>"
        )
    return "".join(parts) + "</svg>"


def outline(samples: np.ndarray, width: int, height: int) -> str:
    """The path of a waveform: for each point across, how far the samples there reach up and down."""
    points = min(width // 2, len(samples))
    edges = np.linspace(0, len(samples), points + 1).astype(int)
    high = np.maximum.reduceat(samples, edges[:-1])
    low = np.minimum.reduceat(samples, edges[:-1])
    scale, x = (height / 2 - 2) / max(float(np.abs(samples).max()), 1e-9), np.linspace(0, width, points)
    up = [f"{a:.0f},{height / 2 - scale * b - 0.5:.1f}" for a, b in zip(x, high, strict=True)]
    down = [f"{a:.0f},{height / 2 - scale * b + 0.5:.1f}" for a, b in zip(x[::-1], low[::-1], strict=True)]
    return f"M{'L'.join(up + down)}Z"


def score_bars(scores: Sequence[float], width: int, top: int, height: int) -> str:
    """Bars from a line in the middle: up and blue for what speaks for the answer, down and red against it."""
    values, middle = np.asarray(scores, float), top + height / 2
    scale, each = (height / 2 - 3) / max(np.abs(values).max(), 1e-9), width / len(values)
    bars = [
        f'<rect x="{i * each:.1f}" y="{middle - max(v, 0) * scale:.1f}" width="{each:.1f}" height="{abs(v) * scale:.1f}" '
        f'fill="{"#4477aa" if v > 0 else "#ee6677"}" />'
        for i, v in enumerate(values)
    ]
    return "".join(bars) + f'<path d="M0,{middle:g}H{width}" stroke="{GREY}" />'


def spectrogram_uri(samples: np.ndarray, rate: int) -> str:
    """The log-mel picture of a clip as a PNG, low sounds at the bottom."""
    picture = log_mel(
        samples, rate, bands=64 if rate >= 16_000 else 48, hop=max(1, min(round(0.005 * rate), len(samples) // 60 + 1))
    )
    shares = (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)
    return "data:image/png;base64," + base64.b64encode(png(in_colours(shares[::-1]))).decode()


def in_colours(values: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as colours from dark to bright, uint8 (rows, columns, 3)."""
    steps = np.arange(len(RAMP)) / (len(RAMP) - 1)
    return (
        np.stack([np.interp(values, steps, channel) for channel in zip(*RAMP, strict=True)], -1)
        .round()
        .astype(np.uint8)
    )


def as_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
