"""Pretrain a small speech model (transformers' Speech2Text) on phrases that espeak-ng says, on one thread of a laptop.

    python tools/make_tiny_speech.py --clips clips.npz --steps 6000 --out models/tiny-speech

It hears six languages and writes each in its own letters, and all of them in Chinese: what it is to write in is the first token,
<en> … <zh>. German is in its vocabulary and never heard. Beside the cross-entropy of the decoder there is, for the own language,
CTC behind the encoder: it finds out which sound is which letter long before attention does; its map is thrown away at the end.
Clips are made once into the file `--clips` (phrases.py, make_clips.py). Interrupt it whenever you like: the same command goes on
from the last save in OUT.partial. The learning rate stays at its peak and falls over the last of the steps (`--decay`: what share).

    python tools/make_tiny_speech.py --clips more.npz --again 3150 --steps 11000 --shares .5,1,1 --decay 1 --out models/tiny-speech

goes on after step 3150 with other clips, another share of each kind, and a rate that rises once more. What it writes along the way
is judged in the voices of the validation rows (make_clips.py); those of the test rows stay for bench.py.
"""

import argparse
import json
import random
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from make_clips import HEARD, JUDGING, UNHEARD, spoken
from phrases import LANGUAGES, phrases

from labkit.modalities.spectra import log_mel

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", *(f"<{language}>" for language in sorted(LANGUAGES))]
PAD, START, END, UNKNOWN = range(4)
PRETRAINED = ("en", "fr", "es", "nl", "ru", "zh")
RATE, BANDS = 16_000, 48
BAND_OF_TELEPHONE = 37  # bands below 4,000 Hz
LETTERS = "abcdefghijklmnopqrstuvwxyzßàáâäåæçèéêëìíîïñòóôöøùúûüœабвгдеёжзийклмнопрстуфцчшщъыьэюях'"
KINDS = ("number", "date", "order")
TIMES = (14, 3, 5)  # how many voices say each phrase, in the training part
ROOM = 8  # frames of silence behind the longest clip of a batch: the convolutions see the same there for every row


def vocabulary() -> list[str]:
    chinese = sorted({c for x in phrases("zh") for c in x.text})
    return [*SPECIAL, " ", *LETTERS, *chinese]


def character_tokenizer():
    """One token a character; nothing is put around a text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(vocabulary())}, "<unk>"))
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    more = {"additional_special_tokens": SPECIAL[4:], "clean_up_tokenization_spaces": False}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **special, **more, model_max_length=128)


# Clips


def picture(samples: np.ndarray) -> np.ndarray:
    """(frames, bands) of a clip at 16 kHz, as Whisper's processor counts."""
    return log_mel(samples.astype(np.float32) / 32768, RATE, window=400, hop=160, filters=whisper_filters()).T


def whisper_filters(kept=[]) -> np.ndarray:  # noqa: B006
    if not kept:
        kept.append(extractor().mel_filters)
    return kept[0]


def extractor():
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=BANDS, sampling_rate=RATE, hop_length=160, n_fft=400)


def make_clips(path: Path, languages=PRETRAINED, times=TIMES, seed: int = 0) -> None:
    """Pictures of every phrase that may be heard in several voices, and of some in those of the validation rows: one file."""
    rng, pictures, rows = random.Random(seed), [], []
    for language in languages:
        for phrase in phrases(language):
            heard = [] if phrase.held else [HEARD] * times[KINDS.index(phrase.kind)]
            for variants in [*heard, *([JUDGING["valid"]] if rng.random() < 0.3 else [])]:
                samples, voice = spoken(phrase, rng, variants, RATE)
                pictures.append(picture(samples).astype(np.float16))
                rows.append(
                    (phrase.language, phrase.kind, phrase.text, phrase.chinese, voice, phrase.held, variants is HEARD)
                )
        say(f"{language}: {len(rows)} clips, {sum(map(len, pictures)) / 100 / 60:.0f} min")
    with open(path, "wb") as file:
        np.savez(file, pictures=np.concatenate(pictures), lengths=[len(p) for p in pictures], rows=json.dumps(rows))


class Clips:
    """Pictures with what is said in them."""

    def __init__(self, path):
        with np.load(path) as file:
            self.pictures, lengths, rows = file["pictures"], file["lengths"], json.loads(str(file["rows"]))
        self.ends = np.cumsum(lengths)
        self.lengths, self.rows = lengths, rows
        self.train = [i for i, row in enumerate(rows) if row[6]]
        self.held = [i for i, row in enumerate(rows) if not row[6]]

    def picture(self, i: int) -> np.ndarray:
        return self.pictures[self.ends[i] - self.lengths[i] : self.ends[i]]


class SpeechPretraining:
    """Model, clips and the state that a resumed run needs."""

    def __init__(self, args):
        import torch
        from transformers import Speech2TextConfig, Speech2TextForConditionalGeneration

        self.args, self.torch, self.partial = args, torch, Path(f"{args.out}.partial")
        self.clips, self.tokenizer = Clips(args.clips), character_tokenizer()
        torch.manual_seed(args.seed)
        config = Speech2TextConfig(
            vocab_size=len(self.tokenizer),
            d_model=args.width,
            encoder_layers=args.encoder,
            decoder_layers=args.decoder,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=2 * args.width,
            decoder_ffn_dim=2 * args.width,
            num_conv_layers=2,
            conv_kernel_sizes=[5, 5],
            conv_channels=128,
            input_feat_per_channel=BANDS,
            max_source_positions=1024,
            max_target_positions=128,
            dropout=0.0,  # tiny models underfit: dropout costs them time and accuracy
            init_std=0.05,
            scale_embedding=False,
            pad_token_id=PAD,
            bos_token_id=START,
            eos_token_id=END,
            decoder_start_token_id=START,
        )
        self.model = Speech2TextForConditionalGeneration(config).train()
        self.ctc = torch.nn.Linear(args.width, 2 * len(self.tokenizer))  # two answers a frame: letters come quickly
        self.parameters = [*self.model.parameters(), *self.ctc.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01)
        self.step, self.seconds, self.curve, self.commands = 0, 0.0, [], []

    # Batches

    def batches(self):
        """Batches of row numbers of like length without end, the same for the same seed; those already done are skipped.
        Numbers come first: short clips teach which sound is which letter, long ones are aligned by what is known then; from
        there on an epoch has the shares of each kind that are asked for."""
        args, done, epoch = self.args, self.args.again, 0
        while True:
            rng = random.Random(f"{args.seed}/{args.again}/{epoch}" if args.again else f"{args.seed}/{epoch}")
            shares = (1.0, 0.0, 0.0) if epoch < args.numbers else args.shares
            rows = [
                i for i in self.clips.train for _ in range(repeats(shares[KINDS.index(self.clips.rows[i][1])], rng))
            ]
            order = sorted(rows, key=lambda i: self.clips.lengths[i] + rng.random() * 20)
            groups, group = [], []
            for i in order:
                if group and (len(group) + 1) * self.clips.lengths[i] > args.frames:
                    groups.append(group)
                    group = []
                group.append(i)
            groups.append(group)
            rng.shuffle(groups)
            for group in groups:
                done += 1
                if done > self.step:
                    yield group
            epoch += 1

    def features(self, rows, rng=None):
        """(rows, frames, bands) float32 and how many frames each has; with `rng` as another voice in another room would sound."""
        torch = self.torch
        found = [torch.from_numpy(self.clips.picture(i).astype(np.float32)) for i in rows]
        found = [telephone(x) for x in found] if rng is None else [varied(torch, x, rng) for x in found]
        lengths = torch.tensor([len(x) for x in found])
        padded = torch.zeros(len(found), int(lengths.max()) + ROOM, BANDS)
        for to, x in zip(padded, found, strict=True):
            to[: len(x)] = x
        return padded, lengths

    def targets(self, rows, language=None):
        """Decoder inputs and labels: <s> <zh> text, and text </s> behind the token of the language."""
        torch, texts = self.torch, []
        for i in rows:
            own, _, text, chinese, *_ = self.clips.rows[i]
            texts.append((language or own, chinese if language == "zh" else text))
        ids = [
            [*self.tokenizer.convert_tokens_to_ids([f"<{to}>"]), *self.tokenizer(text)["input_ids"]]
            for to, text in texts
        ]
        longest = max(map(len, ids)) + 1
        given = torch.tensor([[START, *x] + [PAD] * (longest - len(x) - 1) for x in ids])
        wanted = torch.tensor([[-100, *x[1:], END] + [-100] * (longest - len(x) - 1) for x in ids])
        return given, wanted, [x[1:] for x in ids]

    def loss(self, rows, rng=None):
        """Cross-entropy in nats a token, of the own language and of Chinese, and CTC in nats a letter."""
        torch, F = self.torch, self.torch.nn.functional
        features, lengths = self.features(rows, rng)
        mask = (torch.arange(features.shape[1]) < lengths[:, None]).long()
        encoded = self.model.model.encoder(features, attention_mask=mask).last_hidden_state
        frames = (((lengths - 1) // 2 + 1) - 1) // 2 + 1
        other = [k for k, i in enumerate(rows) if self.clips.rows[i][0] != "zh"]
        own_in, own_out, letters = self.targets(rows)
        losses = [self.cross_entropy(encoded, mask, own_in, own_out)]
        if other:
            zh_in, zh_out, _ = self.targets([rows[k] for k in other], "zh")
            losses.append(self.cross_entropy(encoded[other], mask[other], zh_in, zh_out))
        doubled = self.ctc(encoded).view(len(rows), 2 * encoded.shape[1], -1).log_softmax(-1).transpose(0, 1)
        flat = torch.tensor([t for x in letters for t in x])
        counts = torch.tensor([len(x) for x in letters])
        ctc = F.ctc_loss(doubled, flat, 2 * frames, counts, blank=PAD, reduction="none", zero_infinity=True)
        return losses, ctc.sum() / counts.sum()

    def cross_entropy(self, encoded, mask, given, wanted):
        out = self.model(
            encoder_outputs=(encoded,), attention_mask=mask, decoder_input_ids=given, use_cache=False
        ).logits
        return self.torch.nn.functional.cross_entropy(out.flatten(0, 1), wanted.flatten(), ignore_index=-100)

    # Judging

    def written(self, rows, language=None):
        """What the model writes, greedily, for each of these clips."""
        torch, texts = self.torch, {}
        by_length = sorted(rows, key=lambda i: self.clips.lengths[i])
        for start in range(0, len(rows), 64):
            some = by_length[start : start + 64]
            features, lengths = self.features(some)
            mask = (torch.arange(features.shape[1]) < lengths[:, None]).long()
            encoded = self.model.model.encoder(features, attention_mask=mask).last_hidden_state
            ids = self.targets(some, language)[0][:, :2]
            for _ in range(64):
                out = self.model(
                    encoder_outputs=(encoded,), attention_mask=mask, decoder_input_ids=ids, use_cache=False
                )
                ids = torch.cat([ids, out.logits[:, -1:].argmax(-1)], 1)
                if (ids == END).any(1).all():
                    break
            for i, row in zip(some, ids.tolist(), strict=True):
                end = row.index(END) if END in row else len(row)
                texts[i] = self.tokenizer.decode(row[2:end])
        return [texts[i] for i in rows]

    def judged(self) -> dict:
        """Exact matches in voices that are not heard, for each language and kind: own text, Chinese; of phrases that are heard
        in other voices, and of those never heard."""
        right, rows = {}, self.clips.held
        self.model.eval()
        with self.torch.inference_mode():
            for to in (None, "zh"):
                some = [i for i in rows if to is None or self.clips.rows[i][0] != "zh"]
                for i, text in zip(some, self.written(some, to), strict=True):
                    own, kind, mine, chinese, _, held, _ = self.clips.rows[i]
                    name = f"{own}-{to or own} {kind}" + " never heard" * held
                    right.setdefault(name, []).append(text == (chinese if to else mine))
        self.model.train()
        return {name: round(sum(found) / len(found), 3) for name, found in sorted(right.items())}

    # Running

    def rate(self):
        """Of this step: it rises, stays, and falls to 0 in a straight line over the last of the steps."""
        args = self.args
        warm = min(1.0, (self.step - args.again + 1) / args.warmup)
        return args.lr * max(0.0, min(warm, (args.steps - self.step) / (args.decay * (args.steps - args.again))))

    def state(self):
        return {
            "model": self.model.state_dict(),
            "ctc": self.ctc.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def save(self):
        self.partial.mkdir(parents=True, exist_ok=True)
        fresh = self.partial / "state.new"
        numbers = {"step": self.step, "seconds": self.seconds, "curve": self.curve, "commands": self.commands}
        self.torch.save({**self.state(), "numbers": numbers}, fresh)
        fresh.rename(self.partial / "state.pt")

    def resume(self):
        path = self.partial / "state.pt"
        if path.exists():
            state = self.torch.load(path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.ctc.load_state_dict(state["ctc"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds, self.curve = (state["numbers"][k] for k in ("step", "seconds", "curve"))
            self.commands = state["numbers"].get("commands", [])
            say(f"resuming at step {self.step}")

    def run(self):
        torch, args, began = self.torch, self.args, time.perf_counter() - self.seconds
        running = []
        self.commands = [*(c for c in self.commands if c != command()), command()]
        for group in self.batches():
            if self.step >= args.steps:
                break
            rng = random.Random(args.seed * 1_000_003 + self.step)
            for g in self.optimizer.param_groups:
                g["lr"] = self.rate()
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                losses, ctc = self.loss(group, rng)
            weight = args.ctc * max(0.2, 1 - self.step / args.steps)
            (sum(losses) / len(losses) + weight * ctc).backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            running.append([losses[0].item(), losses[-1].item(), ctc.item()])
            if self.step % 50 == 0:
                self.seconds = time.perf_counter() - began
                say(f"{self.step} {np.mean(running[-50:], 0).round(3)} {self.seconds / 60:.1f} min")
                self.save()
            if self.step % args.every == 0 or self.step == args.steps:
                judged = self.judged()
                self.seconds = time.perf_counter() - began
                self.curve.append([self.step, *np.mean(running, 0).round(4).tolist(), round(self.seconds), judged])
                say(f"step {self.step}/{args.steps} {self.seconds / 60:.1f} min {judged}")
                running = []
                self.save()

    def finish(self):
        """The model directory that transformers loads, in half precision, with its curve beside it."""
        out, fresh = Path(self.args.out), Path(f"{self.args.out}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.model.eval().half().save_pretrained(fresh)
        self.tokenizer.save_pretrained(fresh)
        extractor().save_pretrained(fresh)
        config = json.loads((fresh / "preprocessor_config.json").read_text())
        config.pop("mel_filters", None)  # made again from the numbers beside them
        (fresh / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")
        columns = ["step", "own_loss", "zh_loss", "ctc", "seconds", "exact_match"]
        record = {
            "commands": self.commands,
            "languages": PRETRAINED,
            "voices": {"heard": HEARD, "unheard": UNHEARD, "judged": JUDGING["valid"]},
            "clips": {"train": len(self.clips.train), "held_out": len(self.clips.held)},
            "hours": round(sum(self.clips.lengths[i] for i in self.clips.train) / 100 / 3600, 2),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "minutes": round(self.seconds / 60, 1),
            "curve": {"columns": columns, "rows": self.curve},
        }
        (fresh / "pretraining.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n")
        if (out / "README.md").exists():
            shutil.copy(out / "README.md", fresh)
        shutil.rmtree(out, ignore_errors=True)
        fresh.rename(out)


def telephone(x):
    """A picture without what lies above 4,000 Hz."""
    x = x.clone()
    x[:, BAND_OF_TELEPHONE:] = x.min()
    return x


def varied(torch, x, rng):
    """A picture (frames, bands) with another throat, speed, loudness, room; a stretch of time and of bands hidden."""
    if rng.random() < 0.7:
        x = telephone(x)
    quick = 2 ** rng.uniform(-0.25, 0.2)
    throat = 2 ** rng.uniform(-0.12, 0.12)
    places = (torch.arange(int(len(x) / quick)) * quick).clamp(max=len(x) - 1.001)
    x = between(x, places)
    x = between(x.T, (torch.arange(x.shape[1]) * throat).clamp(max=x.shape[1] - 1.001)).T
    if rng.random() < 0.3:
        x = torch.maximum(x, x.min() + rng.uniform(0, 0.8) + 0.05 * torch.randn(x.shape))
    x = x + rng.uniform(-0.5, 0.3)
    if rng.random() < 0.6:
        start, width = rng.randrange(x.shape[1]), rng.randint(1, 6)
        x[:, start : start + width] = x.mean()
        start, width = rng.randrange(len(x)), rng.randint(1, 8)
        x[start : start + width] = x.mean()
    return x


def repeats(share: float, rng: random.Random) -> int:
    """How often a clip is in an epoch: 1.3 is once, and once more in three cases of ten."""
    return int(share) + (rng.random() < share % 1)


def between(rows, at):
    low = at.long()
    share = (at - low)[:, None]
    return rows[low] * (1 - share) + rows[low + 1] * share


def command() -> str:
    return "python tools/make_tiny_speech.py " + " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:])


def floats(text: str) -> tuple[float, ...]:
    return tuple(float(x) for x in text.split(","))


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="file of clips, made where it is not there")
    parser.add_argument("--out", required=True, help="model directory to write")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--encoder", type=int, default=3, help="layers")
    parser.add_argument("--decoder", type=int, default=2, help="layers")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--frames", type=int, default=5000, help="frames of 10 ms a batch")
    parser.add_argument("--numbers", type=int, default=3, help="epochs of numbers alone to begin with")
    parser.add_argument("--shares", type=floats, default=(1.0, 0.4, 0.5), help="of numbers, dates, orders in an epoch")
    parser.add_argument(
        "--voices", type=floats, default=TIMES, help="how many say each number, date, order, in new clips"
    )
    parser.add_argument("--again", type=int, default=0, metavar="STEP", help="the rate rises once more after this step")
    parser.add_argument("--decay", type=float, default=0.2, help="share of the steps over which the rate falls")
    parser.add_argument("--ctc", type=float, default=0.5, help="weight of CTC at first; it falls to a fifth")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=200, help="steps")
    parser.add_argument("--every", type=int, default=500, help="steps between saves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    if not args.clips.exists():
        make_clips(args.clips, times=[int(n) for n in args.voices], seed=args.again)
    training = SpeechPretraining(args)
    training.resume()
    say(
        f"{len(training.clips.train)} clips, {sum(p.numel() for p in training.model.parameters()) / 1e6:.2f} M parameters"
    )
    training.run()
    training.finish()


if __name__ == "__main__":
    main()
