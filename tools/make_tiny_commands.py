"""Pretrain a small ResNet that tells spoken words apart by their log-mel pictures, on clips that programs say.

    python tools/make_tiny_commands.py --clips clips.npz --steps 6000 --out labkit/assets/tiny-commands

140 words (words.py: the digits and ten orders in seven languages; German is kept out), said by espeak-ng in many voices, most of
them drawn at random (throats.py), and the English ones by flite as well. Clips are made once into the file `--clips`, some
minutes of one core, and are not part of the project. While training, a clip is never heard twice alike: what differs between
people, rooms and telephones is drawn anew each time (heard.py). Interrupt it whenever you like: the same command goes on from the
last save in OUT.partial.
"""

import argparse
import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from heard import STEP, Room, plain, varied
from make_clips import ACCENTS, HEARD, UNHEARD, say
from throats import throats
from words import PRETRAINED, WORDS

from labkit.modalities.audio import Audio
from labkit.modalities.sounds import read_sound, resampled
from labkit.modalities.spectra import even, log_mel, trimmed

RATE, BANDS, WINDOW, HOP = 16_000, 48, 512, 250  # a second is 64 frames: the picture is 48 x 64
THROATS, TIMES, KNOWN = (
    160,
    80,
    24,
)  # random voices; of them a word in the training part, and of espeak-ng's own besides
FLITE, TELLINGS = ("kal16", "awb", "rms", "slt"), 12  # flite's voices, and how often each says an English word
QUIETEST = 40.0  # dB below the loudest: what is cut before a clip is kept; how much more, each epoch draws anew
TONGUES = {**ACCENTS, "it": ("it",), "en": (*ACCENTS["en"], "en-us-nyc", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")}


def extractor():
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(
        feature_size=BANDS, sampling_rate=RATE, hop_length=HOP, n_fft=WINDOW, chunk_length=1, do_normalize=True
    )


def picture(samples: np.ndarray, filters) -> np.ndarray:
    """A clip at its own tempo, (48, frames of 5 ms)."""
    clip = even(trimmed(samples.astype(np.float32), RATE, QUIETEST)[: 2 * RATE])
    return log_mel(clip, RATE, window=WINDOW, hop=round(STEP * RATE), filters=filters).astype(np.float16)


def flite(word: str, voice: str, rng: random.Random) -> np.ndarray:
    """What flite says, at some tempo and pitch."""
    pitch = {"slt": 170, "rms": 95}.get(voice, 115) * 2 ** rng.uniform(-0.4, 0.5)
    set_to = {"duration_stretch": rng.uniform(0.7, 1.3), "int_f0_target_mean": pitch, "int_f0_target_stddev": pitch / 8}
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        options = [x for name, value in set_to.items() for x in ("--setf", f"{name}={value:.2f}")]
        subprocess.run(["flite", "-voice", voice, *options, "-t", word, "-o", file.name], check=True)
        return resampled(*read_sound(file.name), RATE)


def tellings(language: str, word: str, voices: list[str], rng: random.Random):
    """Who says a word, whether training hears it, and the samples."""
    known = [*rng.choices(voices, k=TIMES), *rng.choices(HEARD, k=KNOWN)]
    for variant in [*known, *UNHEARD]:
        voice = f"{rng.choice(TONGUES[language])}+{variant}"
        sound = say(word, voice=voice, speed=rng.randint(110, 220), pitch=rng.randint(20, 80), rate=RATE)
        yield variant, variant not in UNHEARD, sound
    for voice in (v for v in FLITE if language == "en" for _ in range(TELLINGS)):
        yield f"flite {voice}", True, flite(word, voice, rng)


def make_clips(path: Path, seed: int = 0) -> None:
    """Pictures of every word in many voices, and in voices that training never hears: one file, all frames in one row."""
    rng, filters, pictures, rows = random.Random(seed), extractor().mel_filters, [], []
    with tempfile.TemporaryDirectory() as folder:
        voices = throats(Path(folder), THROATS, HEARD + UNHEARD, seed)
        for language in PRETRAINED:
            for word in WORDS[language]:
                for variant, known, sound in tellings(language, word, voices, rng):
                    pictures.append(picture(sound, filters))
                    rows.append((f"{language} {word}", variant, known))
            tell(f"{language}: {len(rows)} clips")
    ends = np.cumsum([0, *(p.shape[1] for p in pictures)])
    with open(path, "wb") as file:
        np.savez(file, frames=np.concatenate(pictures, 1), ends=ends, rows=json.dumps(rows, ensure_ascii=False))


class CommandsPretraining:
    """Model, clips and the state that a resumed run needs."""

    def __init__(self, args):
        import torch
        from transformers import ResNetConfig, ResNetForImageClassification

        self.args, self.torch, self.partial = args, torch, Path(f"{args.out}.partial")
        with np.load(args.clips) as file:
            ends, self.rows = file["ends"], json.loads(str(file["rows"]))
            self.pictures = np.split(file["frames"], ends[1:-1], 1)
        self.labels = list(dict.fromkeys(row[0] for row in self.rows))
        self.targets = np.array([self.labels.index(row[0]) for row in self.rows])
        self.train, self.held = ([i for i, row in enumerate(self.rows) if row[2] == heard] for heard in (True, False))
        torch.manual_seed(args.seed)
        config = ResNetConfig(
            num_channels=1,
            embedding_size=24,
            hidden_sizes=[24, 48, 96, 192],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            id2label=dict(enumerate(self.labels)),
            label2id={label: i for i, label in enumerate(self.labels)},
        )
        self.model = ResNetForImageClassification(config).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.lr, weight_decay=0.05)
        self.step, self.seconds, self.curve = 0, 0.0, []

    def batch(self, rows, rng=None):
        """Pictures (rows, 1, 48, 64) and classes; with `rng` as other voices in other rooms would sound."""
        room = Room(frames=RATE // HOP, wide=round(self.args.lasts * RATE / HOP), rate=RATE)
        found = [self.pictures[i].astype(np.float32) for i in rows]
        found = [varied(x, room, rng) if rng else plain(x, room) for x in found]
        return self.torch.from_numpy(np.stack(found)[:, None]), self.torch.from_numpy(self.targets[rows])

    def judged(self) -> float:
        """Accuracy on voices that were never heard, through a telephone."""
        right = 0
        self.model.eval()
        with self.torch.no_grad():
            for start in range(0, len(self.held), 256):
                x, y = self.batch(self.held[start : start + 256])
                right += int((self.model(x).logits.argmax(-1) == y).sum())
        self.model.train()
        return right / len(self.held)

    def run(self):
        args, F, began = self.args, self.torch.nn.functional, time.perf_counter() - self.seconds
        running = []
        while self.step < args.steps:
            rng = np.random.default_rng([args.seed, self.step])
            x, y = self.batch(rng.choice(self.train, args.batch, replace=False), rng)
            share = min((self.step + 1) / args.warmup, 0.5 + 0.5 * math.cos(math.pi * self.step / args.steps))
            for group in self.optimizer.param_groups:
                group["lr"] = args.lr * share
            loss = F.cross_entropy(self.model(x).logits, y, label_smoothing=0.1)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            running.append(loss.item())
            if self.step % args.every == 0 or self.step == args.steps:
                self.seconds = time.perf_counter() - began
                self.curve.append(
                    [self.step, round(float(np.mean(running)), 4), round(self.judged(), 4), round(self.seconds)]
                )
                tell(self.curve[-1])
                running = []
                self.save()

    def save(self):
        self.partial.mkdir(parents=True, exist_ok=True)
        numbers = {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "numbers": numbers}
        self.torch.save(state, self.partial / "state.new")
        (self.partial / "state.new").rename(self.partial / "state.pt")

    def resume(self):
        if (self.partial / "state.pt").exists():
            state = self.torch.load(self.partial / "state.pt", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds, self.curve = (state["numbers"][k] for k in ("step", "seconds", "curve"))
            tell(f"resuming at step {self.step}")

    def finish(self):
        """The model directory that transformers loads, in half precision, with its curve beside it."""
        out, fresh = Path(self.args.out), Path(f"{self.args.out}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.model.eval().half().save_pretrained(fresh)
        extractor().save_pretrained(fresh)
        settings = json.loads((fresh / "preprocessor_config.json").read_text())
        settings.pop("mel_filters", None)  # made again from the numbers beside them
        (fresh / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")
        task = {"name": "classification", "modality": Audio(lasts=self.args.lasts).card(), "labels": self.labels}
        (fresh / "labkit.json").write_text(
            json.dumps({"source": out.name, "task": task}, ensure_ascii=False, indent=1) + "\n"
        )
        record = {
            "command": "python tools/make_tiny_commands.py "
            + " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:]),
            "languages": PRETRAINED,
            "voices": {"heard": HEARD, "unheard": UNHEARD, "random": THROATS, "flite": FLITE},
            "clips": {"train": len(self.train), "held_out": len(self.held)},
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "minutes": round(self.seconds / 60, 1),
            "curve": {"columns": ["step", "loss", "unheard_accuracy", "seconds"], "rows": self.curve},
        }
        (fresh / "pretraining.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n")
        if (out / "README.md").exists():
            shutil.copy(out / "README.md", fresh)
        shutil.rmtree(out, ignore_errors=True)
        fresh.rename(out)
        shutil.rmtree(self.partial, ignore_errors=True)


def tell(text) -> None:
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="file of clips, made where it is not there")
    parser.add_argument("--out", required=True, help="model directory to write")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=100, help="steps")
    parser.add_argument("--every", type=int, default=250, help="steps between saves")
    parser.add_argument("--lasts", type=float, default=Audio().lasts, help="seconds that every word is made to last")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.clips.exists():
        make_clips(args.clips)
    training = CommandsPretraining(args)
    training.resume()
    tell(f"{len(training.train)} clips, {sum(p.numel() for p in training.model.parameters()) / 1e6:.2f} M parameters")
    training.run()
    training.finish()


if __name__ == "__main__":
    main()
