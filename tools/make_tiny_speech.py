"""Pretrain a small speech model (transformers' Speech2Text) on phrases that espeak-ng says, on one thread of a laptop.

    python tools/make_tiny_speech.py --clips clips.npz --steps 6000 --out models/tiny-speech

It hears six languages and writes each in its own letters, and all of them in Chinese: what it is to write in is the first token,
<en> … <zh>. German is in its vocabulary and never heard. Beside the cross-entropy of the decoder there is, for the own language,
CTC behind the encoder: it finds out which sound is which letter long before attention does; its map is thrown away at the end.
Clips are made once into the file `--clips` (phrases.py, make_clips.py). Interrupt it whenever you like: the same command goes on
from the last save in OUT.partial; the learning rate stays at its peak until the last fifth of the steps.
"""

import argparse
import json
import random
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from make_clips import HEARD, UNHEARD, spoken
from phrases import LANGUAGES, phrases

from labkit.modalities.spectra import log_mel

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", *(f"<{language}>" for language in sorted(LANGUAGES))]
PAD, START, END, UNKNOWN = range(4)
PRETRAINED = ("en", "fr", "es", "nl", "ru", "zh")
RATE, BANDS = 16_000, 48
BAND_OF_TELEPHONE = 37  # bands below 4,000 Hz
LETTERS = "abcdefghijklmnopqrstuvwxyzßàáâäåæçèéêëìíîïñòóôöøùúûüœабвгдеёжзийклмнопрстуфцчшщъыьэюях'"
TIMES = {"number": 14, "date": 3, "order": 5}  # voices that say each phrase, in the training part
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
    """Pictures of every phrase that may be heard in several voices, and of all in voices that are not: one file."""
    rng, pictures, rows = random.Random(seed), [], []
    for language in languages:
        for phrase in phrases(language):
            heard = [] if phrase.held else [HEARD] * times[phrase.kind]
            for variants in [*heard, *([UNHEARD] if phrase.kind == "number" or rng.random() < 0.15 else [])]:
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
        self.step, self.seconds, self.curve = 0, 0.0, []

    # Batches

    def batches(self):
        """Batches of row numbers of like length without end, the same for the same seed; those already done are skipped.
        Numbers come first: short clips teach which sound is which letter, long ones are aligned by what is known then; from
        there on an epoch has half of them."""
        done, epoch = 0, 0
        while True:
            rng = random.Random(f"{self.args.seed}/{epoch}")
            chances = {"number": 1.0} if epoch < self.args.numbers else {"number": 1.0, "date": 0.4, "order": 0.5}
            rows = [i for i in self.clips.train if rng.random() < chances.get(self.clips.rows[i][1], 0.0)]
            order = sorted(rows, key=lambda i: self.clips.lengths[i] + rng.random() * 20)
            groups, group = [], []
            for i in order:
                if group and (len(group) + 1) * self.clips.lengths[i] > self.args.frames:
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
        torch, texts = self.torch, []
        for start in range(0, len(rows), 64):
            some = rows[start : start + 64]
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
            for row in ids.tolist():
                end = row.index(END) if END in row else len(row)
                texts.append(self.tokenizer.decode(row[2:end]))
        return texts

    def judged(self) -> dict:
        """Exact matches in unheard voices, for each language and kind: own text, Chinese; and of numbers never heard."""
        torch, found = self.torch, {}
        self.model.eval()
        with torch.inference_mode():
            for language in PRETRAINED:
                for kind in ("number", "date", "order"):
                    rows = [i for i in self.clips.held if self.clips.rows[i][:2] == [language, kind]]
                    rows = rows[:: max(1, len(rows) // 60)] if kind != "number" else rows
                    for to in (None, "zh") if language != "zh" else (None,):
                        pairs = zip(self.written(rows, to), rows, strict=True)
                        right = [(t == self.clips.rows[i][3 if to else 2], self.clips.rows[i][5]) for t, i in pairs]
                        for held in (False, True):
                            some = [ok for ok, never in right if never == held]
                            name = f"{language}-{to or language} {kind}" + " never heard" * held
                            found[name] = round(sum(some) / max(1, len(some)), 3)
        self.model.train()
        return found

    # Running

    def rate(self):
        warm, last = min(1.0, (self.step + 1) / self.args.warmup), self.args.steps / 5
        return self.args.lr * max(0.0, min(warm, (self.args.steps - self.step) / last))

    def state(self):
        return {
            "model": self.model.state_dict(),
            "ctc": self.ctc.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def save(self):
        self.partial.mkdir(parents=True, exist_ok=True)
        fresh = self.partial / "state.new"
        numbers = {"step": self.step, "seconds": self.seconds, "curve": self.curve}
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
            say(f"resuming at step {self.step}")

    def run(self):
        torch, args, began = self.torch, self.args, time.perf_counter() - self.seconds
        running = []
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
            "command": "python tools/make_tiny_speech.py "
            + " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:]),
            "languages": PRETRAINED,
            "voices": {"heard": HEARD, "unheard": UNHEARD},
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


def between(rows, at):
    low = at.long()
    share = (at - low)[:, None]
    return rows[low] * (1 - share) + rows[low + 1] * share


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
    parser.add_argument("--ctc", type=float, default=0.5, help="weight of CTC at first; it falls to a fifth")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=200, help="steps")
    parser.add_argument("--every", type=int, default=500, help="steps between saves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    if not args.clips.exists():
        make_clips(args.clips)
    training = SpeechPretraining(args)
    training.resume()
    say(
        f"{len(training.clips.train)} clips, {sum(p.numel() for p in training.model.parameters()) / 1e6:.2f} M parameters"
    )
    training.run()
    training.finish()


if __name__ == "__main__":
    main()
