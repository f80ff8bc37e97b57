"""Pictures of spoken words as other people, rooms and telephones would have them: what make_tiny_commands.py trains on.

A clip comes in as its log-mel picture at its own tempo and goes out as the network sees it. What is drawn: how much of its ends
is cut off, how its tempo wavers, how long the throat is, what the microphone colours, how long the room rings, which noise lies
beneath, and which bands get through.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from labkit.modalities.spectra import DEEPEST, FLOOR, averaging, masked, to_mel, toned, warped

STEP = 0.005  # seconds of a column that comes in
TELEPHONE = 4000  # hertz: nothing above gets through


@dataclass(frozen=True)
class Room:
    """The picture that goes out: how many frames it has, and how many of them a word fills."""

    frames: int
    wide: int
    rate: int


def plain(x: np.ndarray, room: Room) -> np.ndarray:
    """A clip as it is, through a telephone."""
    return placed(below(x, TELEPHONE, room.rate) @ averaging(room.wide, x.shape[1]).T, room, 0)


def varied(x: np.ndarray, room: Room, rng) -> np.ndarray:
    x = warped(x, 2 ** rng.uniform(-0.22, 0.22))
    x = toned(x, rng.uniform(0, 15), rng)
    wide = round(room.wide * rng.uniform(0.85, 1.1))
    x = x @ tempo(x.shape[1], wide, rng).T
    power = 10 ** (4 * x - 4)
    if rng.random() < 0.5:
        power = rung(power, rng)
    if rng.random() < 0.9:
        power = power + beneath(power, rng)
    x = (np.log10(power + FLOOR) + 4) / 4
    if rng.random() < 0.7:
        x = below(x, TELEPHONE if rng.random() < 0.8 else rng.uniform(2500, 7000), room.rate)
    if rng.random() < 0.3:
        x[: int(rng.integers(1, 6))] -= rng.uniform(0, 0.5)  # low frequencies that a small microphone loses
    x = np.maximum(x, x.max() - DEEPEST / 4)
    if rng.random() < 0.6:
        x = masked(x, 0.15, rng)
    return placed(x + rng.normal(0, 0.03), room, int(rng.integers(0, 4)))


def tempo(given: int, wide: int, rng) -> np.ndarray:
    """A map (wide, given) from the columns of a clip: its ends are cut or held, and its tempo wavers."""
    start, end = (rng.choice((0.0, rng.uniform(0, 0.2), -rng.uniform(0, 0.08)), p=(0.3, 0.5, 0.2)) for _ in "ab")
    bends = np.cumsum(np.concatenate([[0], 2 ** rng.uniform(-0.5, 0.5, 4)]))
    edges = np.interp(np.linspace(0, 1, wide + 1), np.linspace(0, 1, 5), bends / bends[-1])
    edges = ((start + (1 - start - end) * edges) * given).clip(0, given)
    low, high = edges[:-1, None], np.maximum(edges[1:, None], edges[:-1, None] + 0.5)
    low, high = np.minimum(low, given - 0.5), np.minimum(high, given)
    at = np.arange(given)
    share = np.maximum(0, np.minimum(high, at + 1) - np.maximum(low, at))
    return (share / share.sum(1, keepdims=True)).astype(np.float32)


def rung(power: np.ndarray, rng) -> np.ndarray:
    """As a room answers: what was said dies away in up to half a second."""
    fading = 10 ** (-6 * STEP * 2 / rng.uniform(0.1, 0.5))
    echo = lfilter([0, 1 - fading], [1, -fading], power, axis=1)
    return power + rng.uniform(0.05, 0.7) * echo.astype(np.float32)


def beneath(power: np.ndarray, rng) -> np.ndarray:
    """Noise of some colour, from 5 to 45 dB below the clip."""
    colour = 10 ** (4 * toned(np.zeros((len(power), 1), np.float32), 15, rng))
    colour = colour / colour.mean()
    strength = 10 ** (-rng.uniform(0.5, 4.5)) * power.mean()
    grain = np.repeat(rng.gamma(2, 0.5, (len(power), power.shape[1] // 2 + 1)), 2, axis=1)  # windows overlap
    return (strength * colour * grain[:, : power.shape[1]]).astype(np.float32)


def below(x: np.ndarray, hertz: float, rate: int) -> np.ndarray:
    """Without what lies above so many hertz."""
    x = x.copy()
    x[round(float(to_mel(hertz) / to_mel(rate / 2)) * (len(x) + 1)) :] = x.max() - DEEPEST / 4
    return x


def placed(x: np.ndarray, room: Room, at: int) -> np.ndarray:
    """In the picture that the network looks at, from that column on."""
    whole = np.full((len(x), room.frames), x.min(), np.float32)
    wide = min(x.shape[1], room.frames - at)
    whole[:, at : at + wide] = x[:, :wide]
    return whole
