"""Have the ten digits said in English and German by espeak-ng, and write the packaged clips.

    python tools/make_commands.py --out labkit/assets/commands.npz

A voice is a variant of espeak-ng's (the shape of a throat) in a language. Who is judged by is heard nowhere else: the voices of
training rows are among those that tiny-commands was pretrained on (in other languages, where the clips are German), those of
validation and test rows are not. 8 kHz, mu-law: a byte a sample, which numpy alone turns back. What espeak-ng says is its
output; no part of the program (GPL-3.0-or-later) is in it.
"""

import argparse
import random
from pathlib import Path

import numpy as np
from make_clips import ACCENTS, say
from words import WORDS

from labkit.modalities.sounds import to_mu_law

RATE = 8000
VOICES = {
    "en": {
        "train": ["m1", "m3", "f1", "f2", "adam", "Alicia", "benjamin"],
        "valid": ["m7", "Andrea"],
        "test": ["m5", "f3", "david"],
    },
    "de": {"train": ["m1", "m3", "f1", "f2"], "valid": ["m7", "Andrea"], "test": ["m5", "f3", "f5", "david", "shelby"]},
}
TIGHT = 0.01  # seconds of silence that stay around a word


def tight(samples: np.ndarray) -> np.ndarray:
    """Without what is softer than a fiftieth of the loudest: every byte counts."""
    loud, room = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max()), round(TIGHT * RATE)
    return samples[max(0, loud[0] - room) : loud[-1] + room]


def make(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of the file: all clips in one row, where each begins, and what is said by whom."""
    rng, clips, columns = random.Random(seed), [], {"y": [], "speaker": [], "language": [], "split": []}
    for language, splits in VOICES.items():
        for split, variants in splits.items():
            for variant in variants:
                accent, pitch = rng.choice(ACCENTS[language]), rng.randint(30, 70)
                for digit, word in enumerate(WORDS[language][:10]):
                    voice = {"voice": f"{accent}+{variant}", "speed": rng.randint(170, 230), "pitch": pitch}
                    samples = tight(say(word, **voice, rate=RATE).astype(np.float32) / 32768)
                    clips.append(to_mu_law(0.9 * samples / np.abs(samples).max()))
                    for name, value in zip(columns, (digit, variant, language, split), strict=True):
                        columns[name].append(value)
    offsets = np.cumsum([0, *map(len, clips)]).astype(np.int32)
    names = {"label_names": np.array(WORDS["en"][:10]), "sample_rate": np.int32(RATE)}
    return {"audio": np.concatenate(clips), "offsets": offsets, **names, **{k: np.array(v) for k, v in columns.items()}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    arrays = make()
    np.savez_compressed(out, **arrays)
    print(f"{len(arrays['y'])} clips, {len(arrays['audio']) / RATE:.0f} s, {out.stat().st_size / 1000:.0f} kB")
