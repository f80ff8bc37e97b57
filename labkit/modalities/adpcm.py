"""Sound in four bits a sample: each says how far it is to the next one, in steps that grow and shrink with the sound (ADPCM,
after Cummiskey, Jayant and Flanagan 1973). Half of mu-law, and numpy alone reads it: the packaged phrases are written so.

All clips are read side by side, a sample of each at a time: the loop is as long as the longest of them.
"""

from collections.abc import Sequence

import numpy as np

SIZES = np.round(7 * 1.1 ** np.arange(89))  # of a step, in 32768ths: each a tenth larger than the one before
NEXT = np.array(
    [-1, -1, -1, -1, 2, 4, 6, 8]
)  # how far to go on among them, after a difference of so many quarters of a step


def unpacked(data: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
    """The clips in `data` (uint8, two samples a byte, each clip from a byte of its own), float32 between -1 and 1.

    >>> clip = np.sin(np.arange(400) / 9).astype(np.float32) / 2
    >>> (heard,) = unpacked(packed([clip]), [400])
    >>> bool(np.abs(heard - clip)[50:].max() < 0.03)
    True
    """
    lengths = np.asarray(lengths)
    nibbles = np.stack([data & 15, data >> 4], 1).reshape(-1)
    starts = np.cumsum([0, *(lengths + lengths % 2)[:-1]])
    codes = np.zeros((lengths.max(initial=0), len(lengths)), np.uint8)
    for i, (start, n) in enumerate(zip(starts, lengths, strict=True)):
        codes[:n, i] = nibbles[start : start + n]
    heard = np.zeros(codes.shape, np.float32)
    level, place = np.zeros(len(lengths)), np.zeros(len(lengths), int)
    for t, code in enumerate(codes):
        level, place = moved(level, place, code)
        heard[t] = level
    return [heard[:n, i] / 32768 for i, n in enumerate(lengths)]


def moved(level: np.ndarray, place: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each clip is after its next code, and which step comes then."""
    size = code & 7
    by = (size + 0.5) * SIZES[place] / 4
    level = np.clip(level + np.where(code & 8, -by, by), -32768, 32767)
    return level, np.clip(place + NEXT[size], 0, len(SIZES) - 1)


def packed(clips: Sequence[np.ndarray]) -> np.ndarray:
    """Clips between -1 and 1 as bytes: what `unpacked` reads, with the number of samples of each."""
    longest = max(map(len, clips))
    wanted = np.zeros((longest, len(clips)))
    for i, clip in enumerate(clips):
        wanted[: len(clip), i] = clip * 32768
    codes, level, place = np.zeros(wanted.shape, np.uint8), np.zeros(len(clips)), np.zeros(len(clips), int)
    for t, sample in enumerate(wanted):
        gap = sample - level
        codes[t] = np.minimum(7, np.floor(4 * np.abs(gap) / SIZES[place])).astype(np.uint8) | (8 * (gap < 0)).astype(
            np.uint8
        )
        level, place = moved(level, place, codes[t])
    rows = [codes[: len(clip), i] for i, clip in enumerate(clips)]
    even = [np.append(row, np.zeros(len(row) % 2, np.uint8)).reshape(-1, 2) for row in rows]
    return np.concatenate([row[:, 0] | row[:, 1] << 4 for row in even])
