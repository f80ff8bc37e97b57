"""Pretrain a small Chinese BERT with masked-language modelling, from text files, on a laptop or a GPU.

    python tools/make_tiny.py general.txt.xz --vocab-text reviews.csv.gz --steps 6000 --out models/general
    python tools/make_tiny.py reviews.csv.gz --start models/general --steps 16000 --out models/tiny

`.txt`, `.txt.xz`, `.txt.gz` hold one text a line; of `.csv` and `.csv.gz` only the column `text` is read, of `.jsonl` and
`.jsonl.gz` the field `text` or `context`, never labels. Texts of `--leave-out` files are kept out, also where they stand
inside others. make_tiny_gpt.py does the same for a GPT. Interrupt it whenever you like: the same command goes on from the last save in OUT.partial.
"""

import argparse
import collections
import csv
import gzip
import hashlib
import json
import lzma
import random
import shutil
import sys
import time
import unicodedata
from pathlib import Path
from typing import ClassVar

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
EMOJI = "😀😁😂🤣😃😄😅😆😉😊😋😎😍😘🥰🙂🤔🙄😏😣😥😮😪😫😴😌😛😜😝😒😓😔🙃😲🙁😖😞😟😤😢😭😦😨😩🤯😬😰😱😳🤪😡😠🤬🤮🤢🤧🥺🤡👍👎👌👏🙏💪🎉🔥💔✨⭐🌟🌹🍗🍜🍲☕❤💩🐶🐱🤷🤦"


def read_texts(path):
    """Texts of one file, in file order: lines of a text file, the `text` column of a CSV, `text` or `context` of JSON Lines."""
    name = str(path)
    opener = lzma.open if name.endswith(".xz") else gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        if ".csv" in Path(name).suffixes:
            yield from (row["text"].strip() for row in csv.DictReader(f))
        elif ".jsonl" in Path(name).suffixes:
            rows = map(json.loads, f)
            yield from ((row["text"] if "text" in row else row["context"]).strip() for row in rows)
        else:
            yield from (line.strip() for line in f)


def build_vocabulary(texts, min_count):
    """Characters seen `min_count` times or more; what WordPiece joins into words (Latin, digits, emoji) also as ##c."""
    counts = collections.Counter()
    for text in texts:
        counts.update(unicodedata.normalize("NFC", text).lower())
    kept = sorted((c for c, n in counts.items() if n >= min_count and not c.isspace()), key=lambda c: (-counts[c], c))
    ascii_ = [chr(i) for i in range(33, 127) if not chr(i).isupper()]
    kept = list(dict.fromkeys([*ascii_, *kept, *EMOJI]))

    def joins(c):
        return not unicodedata.category(c).startswith(("P", "M")) and not "\u3400" <= c <= "\u9fff"

    return SPECIAL + kept + ["##" + c for c in kept if joins(c)]


SHARED = 20  # characters in a row that two texts share only where one was taken from the other


def bare(text):
    """What two texts must share to count as one: width, case, punctuation and white space are ignored."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def without(texts, left_out):
    """The texts that share no 20 characters in a row with one left out, nor hold a whole one of 8 to 19 characters, nor
    equal a shorter one; and how many were dropped."""
    held = {bare(t) for t in left_out}
    pieces = {t[i : i + SHARED] for t in held for i in range(max(1, len(t) - SHARED + 1))}
    sizes = sorted({len(p) for p in pieces if len(p) >= 8})

    def told(text):
        line = bare(text)
        return line in held or any(line[i : i + n] in pieces for n in sizes for i in range(len(line) - n + 1))

    kept = [t for t in texts if not told(t)]
    return kept, len(texts) - len(kept)


def batches(lengths, tokens, rng):
    """Row numbers in batches of like length, about `tokens` tokens each, in random order."""
    rows = sorted(range(len(lengths)), key=lambda i: lengths[i] + rng.random() * 4)
    out, batch, longest = [], [], 0
    for i in rows:
        longest = max(longest, lengths[i])
        if batch and longest * (len(batch) + 1) > tokens:
            out.append(batch)
            batch, longest = [], lengths[i]
        batch.append(i)
    out.append(batch)
    rng.shuffle(out)
    return out


def mask(ids, vocab_size, generator, rate=0.2):
    """Dynamic span masking of a (rows, tokens) batch: spans of 1 to 3 characters, of which 80 % become [MASK],
    10 % a random character, 10 % stay. Returns inputs and the boolean places to predict."""
    import torch

    start = torch.rand(ids.shape, generator=generator)
    share = rate / 1.8
    chosen = start < share  # every span has one character, 6 in 10 a second, 2 in 10 a third
    chosen[:, 1:] |= start[:, :-1] < share * 0.6
    chosen[:, 2:] |= start[:, :-2] < share * 0.2
    chosen &= ids >= len(SPECIAL)
    kind = torch.rand(ids.shape, generator=generator)
    inputs = torch.where(chosen & (kind < 0.8), SPECIAL.index("[MASK]"), ids)
    noise = torch.randint(len(SPECIAL), vocab_size, ids.shape, generator=generator)
    return torch.where(chosen & (kind >= 0.9), noise, inputs), chosen


def name_a_character(ids, rarity, generator, times=2):
    """For each row, `times` of its characters, rare ones more often: what its [CLS] place has to predict.

    Without a next-sentence task nothing asks [CLS] to know the text; this does, through the same head.
    """
    import torch

    return ids.gather(1, torch.multinomial(rarity[ids], times, replacement=True, generator=generator))


class Pretraining:
    """Model, data and the state that a resumed run needs. A subclass says otherwise what the network is and what it learns."""

    command = "make_tiny.py"
    aims: ClassVar[dict] = {"summary": 0.2}  # what training asks for besides the held-out loss

    def __init__(self, args):
        import torch

        self.args, self.torch = args, torch
        self.partial = Path(f"{args.out}.partial")
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        texts = self.read()
        self.tokenizer = self.make_tokenizer(texts)
        self.train, self.held = self.encode(texts)
        torch.manual_seed(args.seed)
        self.model = self.make_model().to(self.device).train()
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        rest = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
            lr=args.lr,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.step, self.seconds, self.curve = 0, 0.0, []

    def read(self):
        """The texts to learn from, without those that are left out."""
        args = self.args
        texts, self.dropped = [t for f in args.text for t in read_texts(f)], 0
        if args.leave_out:
            texts, self.dropped = without(texts, [t for f in args.leave_out for t in read_texts(f)])
            say(f"{self.dropped} texts left out")
        if args.packaged_reviews:
            import labkit

            texts += [r.input for r in labkit.reviews().train] * args.packaged_reviews
        return [t for t in texts if len(t) >= 4]

    def make_tokenizer(self, texts):
        from transformers import BertTokenizer

        if self.args.vocabulary or self.args.start:
            return BertTokenizer.from_pretrained(self.args.vocabulary or self.args.start)
        extra = [t for f in self.args.vocab_text for t in read_texts(f)]
        vocab = build_vocabulary(texts + extra, self.args.min_count)
        return BertTokenizer(vocab={t: i for i, t in enumerate(vocab)}, model_max_length=512)

    def make_model(self):
        from transformers import BertConfig, BertForMaskedLM

        args, torch = self.args, self.torch
        counts = torch.bincount(torch.tensor([i for r in self.train for i in r]), minlength=len(self.tokenizer))
        self.rarity = (counts + 1.0).rsqrt()
        self.rarity[: len(SPECIAL)] = 0
        config = BertConfig(
            vocab_size=len(self.tokenizer),
            hidden_size=args.width,
            num_hidden_layers=args.layers,
            num_attention_heads=args.width // 32,
            intermediate_size=4 * args.width,
            max_position_embeddings=512,
            initializer_range=args.init,
            hidden_dropout_prob=0.0,  # tiny models underfit: dropout costs them time and accuracy
            attention_probs_dropout_prob=0.0,
            classifier_dropout=0.1,
        )
        model = BertForMaskedLM.from_pretrained(args.start) if args.start else BertForMaskedLM(config)
        if args.compile:
            model.bert.encoder.compile(dynamic=True)
        return model

    def encode(self, texts):
        """Token ids in pieces of at most 254 characters, one text in a hundred held out (chosen by its own hash)."""
        train, held = [], []
        for i in range(0, len(texts), 4096):
            chunk = texts[i : i + 4096]
            for text, ids in zip(chunk, self.tokenizer(chunk, add_special_tokens=False)["input_ids"], strict=True):
                side = held if hashlib.sha1(text.encode()).digest()[0] < 3 else train
                side += [ids[j : j + 254] for j in range(0, len(ids), 254) if len(ids[j : j + 254]) >= 3]
        return train, held

    def tensors(self, rows):
        cls, sep = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
        longest = max(map(len, rows)) + 2
        ids = self.torch.tensor([[cls, *r, sep] + [0] * (longest - len(r) - 2) for r in rows])
        return ids, ids.ne(0).long()

    def loss(self, rows, generator, shift=0, summary=0.0):
        """Mean cross-entropy in nats per masked character; only masked places go through the vocabulary layer.
        `summary` weighs what [CLS] has to say (see name_a_character)."""
        ids, attention = self.tensors(rows)
        named = name_a_character(ids, self.rarity, generator).to(self.device)
        inputs, chosen = mask(ids, len(self.tokenizer), generator)
        position = self.torch.arange(ids.shape[1])[None] + shift
        inputs, attention, position, ids, chosen = (
            t.to(self.device) for t in (inputs, attention, position, ids, chosen)
        )
        with self.torch.autocast(self.device, self.torch.bfloat16, enabled=self.device == "cuda"):
            hidden = self.model.bert(inputs, attention_mask=attention, position_ids=position).last_hidden_state
            logits = self.model.cls(hidden[chosen])
            said = self.model.cls(hidden[:, 0]).float().log_softmax(-1) if summary else None
        loss = self.torch.nn.functional.cross_entropy(logits.float(), ids[chosen])
        return loss - summary * said.gather(1, named).mean() if summary else loss

    def held_out_loss(self):
        self.model.eval()
        generator = self.torch.Generator().manual_seed(1)
        with self.torch.no_grad():
            groups = batches([len(r) for r in self.held], 8192, random.Random(1))
            losses = [self.loss([self.held[i] for i in g], generator).item() for g in groups]
        self.model.train()
        return sum(losses) / len(losses)

    def rate(self):
        warm = min(1.0, (self.step + 1) / self.args.warmup)
        left = max(0.0, 1 - self.step / self.args.steps)
        return self.args.lr * warm * left

    def save(self):
        """State into OUT.partial, whole or not at all."""
        from safetensors.torch import save_file

        fresh = Path(f"{self.partial}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        save_file({n: p.detach().clone() for n, p in self.model.named_parameters()}, fresh / "model.safetensors")
        moments = self.optimizer.state_dict()["state"]
        save_file(
            {f"{i}.{name}": t for i, state in moments.items() for name, t in state.items()},
            fresh / "optimizer.safetensors",
        )
        state = {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        (fresh / "state.json").write_text(json.dumps(state))
        shutil.rmtree(self.partial, ignore_errors=True)
        fresh.rename(self.partial)

    def resume(self):
        """Go on from OUT.partial where there is one."""
        from safetensors.torch import load_file

        if not (self.partial / "state.json").exists():
            return
        self.model.load_state_dict(load_file(self.partial / "model.safetensors"), strict=False)
        moments = collections.defaultdict(dict)
        for key, tensor in load_file(self.partial / "optimizer.safetensors").items():
            i, name = key.split(".")
            moments[int(i)][name] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": dict(moments), "param_groups": groups})
        state = json.loads((self.partial / "state.json").read_text())
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]
        say(f"resuming at step {self.step}")

    def steps(self):
        """Batches of row numbers without end, the same for the same seed; those already done are skipped."""
        done, epoch = 0, 0
        while True:
            rng = random.Random(f"{self.args.seed}/{epoch}")
            for group in batches([len(r) for r in self.train], self.args.tokens, rng):
                done += 1
                if done > self.step:
                    yield epoch, group
            epoch += 1

    def run(self):
        torch, args = self.torch, self.args
        generator = torch.Generator()
        began, running, seen = time.perf_counter() - self.seconds, [], 0
        for epoch, group in self.steps():
            if self.step >= args.steps:
                break
            generator.manual_seed(args.seed * 1_000_003 + self.step)
            rows = [self.train[i] for i in group]
            longest = max(map(len, rows)) + 2
            # one batch in ten starts further right, so that every position embedding is trained
            shift = int(torch.randint(0, 513 - longest, (1,), generator=generator)) if self.step % 10 == 0 else 0
            for g in self.optimizer.param_groups:
                g["lr"] = self.rate()
            loss = self.loss(rows, generator, shift, **self.aims)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            running.append(loss.detach())
            seen += sum(map(len, rows))
            if self.step % args.every == 0 or self.step == args.steps:
                self.seconds = time.perf_counter() - began
                train_loss, running = torch.stack(running).mean().item(), []
                held = self.held_out_loss()
                self.curve.append([self.step, round(train_loss, 4), round(held, 4), round(self.seconds)])
                left = self.seconds / self.step * (args.steps - self.step) / 60
                say(
                    f"step {self.step}/{args.steps} epoch {epoch} train {train_loss:.3f} held-out {held:.3f} "
                    f"{self.seconds / 60:.1f} min, {left:.0f} min left"
                )
                self.save()

    def shipped(self, model):
        """The model as it is written."""
        return model

    def finish(self):
        """The model directory that transformers loads, with its curve beside it."""
        out = Path(self.args.out)
        fresh = Path(f"{out}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.shipped(self.model.to("cpu").eval()).save_pretrained(fresh)
        self.tokenizer.save_pretrained(fresh)
        files = [
            {"file": Path(f).name, "sha256": hashlib.sha256(Path(f).read_bytes()).hexdigest()} for f in self.args.text
        ]
        record = {
            "command": f"python tools/{self.command} " + " ".join(shorten(a) for a in sys.argv[1:]),
            "texts": files,
            "left_out": {"files": [Path(f).name for f in self.args.leave_out], "texts_dropped": self.dropped},
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "pieces": {"train": len(self.train), "held_out": len(self.held)},
            "minutes": round(self.seconds / 60, 1),
            "curve": {"columns": ["step", "train_loss", "held_out_loss", "seconds"], "rows": self.curve},
        }
        before = Path(self.args.start or "", "pretraining.json")
        stages = json.loads(before.read_text())["stages"] if self.args.start and before.exists() else []
        (fresh / "pretraining.json").write_text(json.dumps({"stages": [*stages, record]}, ensure_ascii=False, indent=1))
        card = out / "README.md"
        if card.exists():
            shutil.copy(card, fresh)
        shutil.rmtree(out, ignore_errors=True)
        fresh.rename(out)
        shutil.rmtree(self.partial, ignore_errors=True)


def shorten(argument):
    """An argument as the card shows it: file names without the folders of one machine."""
    return Path(argument).name if "/" in argument else argument


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--min-count", type=int, default=5, help="characters rarer than this become [UNK]")
    parser.add_argument("--vocabulary", help="a model whose vocabulary the new one gets")
    parser.add_argument("--vocab-text", nargs="*", default=[], help="more files to count characters in")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="torch.compile: a minute to start; 1.25 times faster was measured on two cores, slower on one",
    )
    carry_out(Pretraining(parser.parse_args()))


def arguments(doc):
    """The options that every kind of pretraining has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="+", help="text files to learn from")
    parser.add_argument("--out", required=True, help="model directory to write")
    parser.add_argument("--start", help="go on from this model, with its vocabulary")
    parser.add_argument("--leave-out", nargs="*", default=[], help="files of texts that must not be learned from")
    parser.add_argument(
        "--packaged-reviews",
        type=int,
        default=0,
        metavar="N",
        help="add the training part of the packaged reviews, N times",
    )
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--init", type=float, default=0.05, help="standard deviation of the first weights")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=2048, help="tokens a batch")
    parser.add_argument("--warmup", type=int, default=400, help="steps")
    parser.add_argument("--every", type=int, default=500, help="steps between saves")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def carry_out(training):
    """Train from where the last save was, and write the model."""
    training.resume()
    size = sum(p.numel() for p in training.model.parameters())
    say(
        f"{len(training.train)} pieces, {len(training.held)} held out, {size / 1e6:.2f} M parameters, on {training.device}"
    )
    training.run()
    training.finish()


if __name__ == "__main__":
    main()
