"""Have the phrases of phrases.py spoken by espeak-ng (a formant synthesizer), and write the packaged clips.

    python tools/make_clips.py --out labkit/assets/phrases.npz                      # the packaged set, at most 3 MB

A voice is a language's accent, a variant (the shape of a throat), a speed and a pitch. The variants of the two lists never meet:
who is tested was never heard. make_tiny_speech.py asks `spoken` for the clips it pretrains on. Needs the program espeak-ng
(Debian: apt-get install espeak-ng); it is GPL-3.0-or-later and nothing of it is copied here: what it says is its output.
"""

import argparse
import ctypes
import ctypes.util
import functools
import random
from math import gcd
from pathlib import Path

import numpy as np
from phrases import Phrase, phrases, pinyin

from labkit.modalities.adpcm import packed

RATE = 8000  # of the packaged clips: the band of a telephone
ACCENTS = {
    "en": ("en-us", "en", "en-gb-scotland"),
    "fr": ("fr", "fr-be"),
    "es": ("es", "es-419"),
    "nl": ("nl",),
    "ru": ("ru",),
    "zh": ("cmn-latn-pinyin",),  # `cmn` misreads digits
    "de": ("de",),
}
HEARD = [
    "m1",
    "m2",
    "m3",
    "m4",
    "m6",
    "m8",
    "f1",
    "f2",
    "f4",
    "adam",
    "Alex",
    "Alicia",
    "Annie",
    "anika",
    "antonio",
    "belinda",
    "benjamin",
    "caleb",
    "ed",
    "Gene",
    "iven",
    "linda",
    "Marco",
    "Mario",
    "Miguel",
    "norbert",
    "quincy",
    "rob",
    "steph",
    "travis",
    "zac",
]
UNHEARD = ["m5", "m7", "f3", "f5", "Andrea", "david", "john", "shelby"]


def voice(rng: random.Random, language: str, variants=HEARD) -> dict:
    """A speaker's way to say one thing."""
    accent, variant = rng.choice(ACCENTS[language]), rng.choice(variants)
    return {"voice": f"{accent}+{variant}", "speed": rng.randint(130, 195), "pitch": rng.randint(25, 75)}


class Synthesizer:
    """espeak-ng's library, asked in this process: a clip in a millisecond, where the program takes ten."""

    TAKEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    SYNCHRONOUS, SPEED, PITCH, UTF8 = 2, 1, 3, 1  # as its header speak_lib.h numbers them

    def __init__(self):
        found = ctypes.util.find_library("espeak-ng")
        if found is None:
            raise SystemExit("espeak-ng is not installed: apt-get install espeak-ng")
        self.library, self.parts = ctypes.CDLL(found), []
        self.take = self.TAKEN(self.taken)  # kept: the library calls it
        self.rate = self.library.espeak_Initialize(self.SYNCHRONOUS, 500, None, 0)
        self.library.espeak_SetSynthCallback(self.take)

    def taken(self, samples, n, events) -> int:
        if samples and n:
            self.parts.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0

    def say(self, text: str, *, voice: str, speed: int, pitch: int) -> np.ndarray:
        """What it says, at its own rate: int16 (samples,)."""
        self.parts.clear()
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise SystemExit(f"espeak-ng has no voice {voice}")
        self.library.espeak_SetParameter(self.SPEED, speed, 0)
        self.library.espeak_SetParameter(self.PITCH, pitch, 0)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, self.UTF8, None, None)
        return np.concatenate(self.parts)


@functools.cache
def synthesizer() -> Synthesizer:
    return Synthesizer()


def say(text: str, *, voice: str, speed: int, pitch: int, rate: int = RATE) -> np.ndarray:
    """What espeak-ng says, without the silence around it: int16 (samples,)."""
    found = synthesizer().say(text, voice=voice, speed=speed, pitch=pitch).astype(np.float32)
    samples = at_rate(trimmed(found, synthesizer().rate), synthesizer().rate, rate)
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


def trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """Without what is softer than a hundredth of the loudest, but for 30 ms on either side."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    room = int(0.03 * rate)
    return samples[max(0, loud[0] - room) : loud[-1] + room]


def at_rate(samples: np.ndarray, given: int, wanted: int) -> np.ndarray:
    from scipy.signal import resample_poly

    step = gcd(given, wanted)
    return resample_poly(samples, wanted // step, given // step)


def spoken(phrase: Phrase, rng: random.Random, variants=HEARD, rate: int = RATE) -> tuple[np.ndarray, str]:
    """A clip of a phrase in some voice, and the voice's name."""
    text = pinyin(phrase.text) if phrase.language == "zh" else phrase.text
    chosen = voice(rng, phrase.language, variants)
    return say(text, **chosen, rate=rate), chosen["voice"]


# The packaged set

JUDGING = {"valid": ["m7", "Andrea"], "test": [v for v in UNHEARD if v not in ("m7", "Andrea")]}
SIZES = {  # clips of numbers in each split; German is the language to be learned, English the one to be kept
    "de": {"train": 360, "valid": 40, "test": 120},
    "en": {"train": 90, "valid": 12, "test": 60},
    **{key: {"train": 4, "valid": 2, "test": 8} for key in ("fr", "es", "nl", "ru", "zh")},
}
NEVER = 1 / 3  # of the test clips: numbers that are never heard in training rows


def chosen(language: str, split: str, n: int, rng: random.Random) -> list[Phrase]:
    """Numbers for a split, each as often as the others."""
    numbers = [x for x in phrases(language) if x.kind == "number"]
    never = round(n * NEVER) if split == "test" else 0
    found = []
    for held, many in ((False, n - never), (True, never)):
        some = [x for x in numbers if x.held == held]
        rng.shuffle(some)
        found += [some[i % len(some)] for i in range(many)]
    return found


def packaged(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of the file: all clips in four bits a sample, how long each is, and what is said by whom."""
    rng, clips, rows = random.Random(seed), [], []
    for language, sizes in SIZES.items():
        for split, n in sizes.items():
            for phrase in chosen(language, split, n, rng):
                samples, name = spoken(phrase, rng, JUDGING.get(split, HEARD))
                clips.append(0.9 * samples / np.abs(samples).max())
                heard = "never" if phrase.held else "heard"
                rows.append((language, split, phrase.text, phrase.chinese, name.split("+")[1], heard))
    names = ("language", "split", "text", "chinese", "speaker", "number")
    columns = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    lengths = np.array([len(clip) for clip in clips], np.int32)
    return {"audio": packed(clips), "lengths": lengths, "sample_rate": np.int32(RATE), **columns}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    arrays = packaged()
    np.savez_compressed(out, **arrays)
    seconds = arrays["lengths"].sum() / RATE
    print(f"{len(arrays['lengths'])} clips, {seconds:.0f} s, {out.stat().st_size / 1000:.0f} kB")
