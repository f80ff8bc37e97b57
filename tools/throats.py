"""More voices than espeak-ng has: variants drawn at random, the length of a throat and its resonances, breath, roughness, tune.

espeak-ng reads variants from its folder of data. `throats` makes a folder that has these data by links, and new variants beside
its own. make_tiny_commands.py pretrains on what they say; nothing of espeak-ng is copied into this project.
"""

import os
import random
import subprocess
from pathlib import Path


def throats(folder: Path, n: int, known: list[str], seed: int = 0) -> list[str]:
    """The names of `n` variants that the synthesizer of make_clips.py knows besides those of espeak-ng's own that are `known`, if
    it has not been asked for anything yet. Its list of voices has room for 350: those of MBROLA stay out."""
    data, own = folder / "espeak-ng-data", Path("voices") / "!v"
    (data / own).mkdir(parents=True)
    for entry in installed().iterdir():
        if entry.name != "voices":
            (data / entry.name).symlink_to(entry)
    for name in known:
        (data / own / name).symlink_to(installed() / own / name)
    rng, names = random.Random(seed), [f"throat{i}" for i in range(n)]
    for name in names:
        (data / own / name).write_text(variant(name, rng))
    os.environ["ESPEAK_DATA_PATH"] = str(folder)
    return names


def installed() -> Path:
    """Where espeak-ng has its data."""
    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    return Path(said.rpartition("Data at:")[2].strip())


def variant(name: str, rng: random.Random) -> str:
    """A throat as espeak-ng's files describe one: hertz, and per cent of the voice's own."""
    low = 75 * 2 ** rng.uniform(0, 1.6)
    length = (
        1.02 + 0.09 * (low > 140) + rng.gauss(0, 0.08)
    )  # higher voices have shorter throats, with higher resonances
    lines = ["language variant", f"name {name}", f"pitch {low:.0f} {low * rng.uniform(1.15, 1.7):.0f}"]
    for n in range(9):
        height = rng.uniform(40, 110) if n > 2 else rng.uniform(75, 125)
        lines.append(f"formant {n} {100 * length * rng.gauss(1, 0.04):.0f} {height:.0f} {rng.uniform(70, 220):.0f}")
    lines += [
        f"consonants {rng.uniform(10, 110):.0f} {rng.uniform(50, 120):.0f}",
        f"flutter {rng.randint(0, 8)}",
        f"roughness {rng.randint(0, 4)}",
        f"intonation {rng.randint(1, 4)}",
        f"voicing {rng.randint(80, 130)}",
    ]
    if rng.random() < 0.3:
        lines.append(f"klatt {rng.randint(1, 6)}")  # another way to make the sound of a voice
    if rng.random() < 0.4:
        lines.append("breath " + " ".join(str(rng.randint(0, 6)) for _ in range(8)))
    if rng.random() < 0.5:
        lines.append("stressAdd " + " ".join(str(rng.randint(-20, 60)) for _ in range(8)))
    return "\n".join(lines) + "\n"
