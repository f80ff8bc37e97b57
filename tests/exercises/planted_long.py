"""Planted answers to the long tasks: the reference with one thing wrong, as students leave it, and right ones built otherwise."""

import copy
import csv
import math
import random
import statistics
from pathlib import Path

import torch
from planting import right, wrong
from torch import nn
from torch.nn.functional import cross_entropy

SOURCE = Path(__file__).resolve().parents[2] / "solutions" / "src" / "long_minilab.py"
CELLS = [c for c in SOURCE.read_text(encoding="utf-8").split("# %%") if c.lstrip().startswith('answer="')]
LIBRARIES = {
    "copy": copy, "csv": csv, "math": math, "random": random, "statistics": statistics, "torch": torch, "nn": nn,
    "cross_entropy": cross_entropy,
}  # fmt: skip


def changed(name: str, *pieces: tuple[str, str]):
    """The reference with pieces of its source replaced, each of which stands there once."""
    cell = next(c for c in CELLS if f"class {name}(" in c or f"class {name}:" in c or f"def {name}(" in c)
    for old, new in pieces:
        assert cell.count(old) == 1, (name, old)
        cell = cell.replace(old, new)
    space = dict(LIBRARIES)
    exec(cell.partition("\n")[2], space)
    return space[name]


LOADERS = (  # what is changed, and the words of the finding
    ('encoding="utf-8-sig"', 'encoding="utf-8"', "KeyError|should"),
    ('found.setdefault(text, row["label"])', 'found[text] = row["label"]', "labels|rows"),
    ('if text := row["text"].strip():', 'if text := row["text"]:', "rows"),
    ("sorted(set(found.values()))", "list(dict.fromkeys(found.values()))[::-1]", "labels|rows|should"),
    ("truncation=True, max_length=most", "truncation=False", "cut to `most`|input_ids|rows"),
    ("numbers.sort(key=lambda i: len(self.rows[i][0]))", "pass", "padding"),
    ("rng.shuffle(batches)", "pass", "short to long"),
    ('random.Random(f"{self.seed}/{epoch}")', "random.Random(self.seed)", "another order"),
    ('random.Random(f"{self.seed}/{epoch}")', "random.Random(epoch)", "another order"),
    ('random.Random(f"{self.seed}/{epoch}")', "random.Random()", "order is another|should give"),
    ("[0] * (width - len(row))", "[1] * (width - len(row))", "attention_mask"),
    ("row + [self.pad] * (width - len(row))", "[self.pad] * (width - len(row)) + row", "input_ids"),
    ("row + [self.pad] * (width - len(row))", "row + [9] * (width - len(row))", "input_ids"),
    ("torch.tensor(ids)", "torch.tensor(ids).float()", "whole numbers"),
    ("max(map(len, rows))", "64", "input_ids"),
)
for old, new, words in LOADERS:
    wrong("long.1", words)(changed("Loader", (old, new)))
LOOPS = (
    ('"weight_decay": 0.0', '"weight_decay": decay', "off labkit's Trainer|losses"),
    ("p.ndim > 1]", "p.ndim > 2]", "losses"),
    ("math.ceil(total * warmup)", "math.floor(total * warmup)", "off labkit's Trainer|losses"),
    ("step < warm else 1 - (step - warm)", "step < warm else 1 - step", "off labkit's Trainer|losses"),
    ("max(1, total - warm)", "max(1, total - warm - 1)", "off labkit's Trainer|losses"),
    ('group["lr"] = lr * share', "pass", "off labkit's Trainer|losses"),
    ("            optimizer.zero_grad()", "            pass", "off labkit's Trainer|losses"),
    ('reduction="sum") / len(targets)', 'reduction="mean")', "off labkit's Trainer|losses"),
    ("nn.utils.clip_grad_norm_(trained, clip)", "pass", "off labkit's Trainer|losses"),
    (
        "nn.utils.clip_grad_norm_(trained, clip)",
        "[nn.utils.clip_grad_norm_([p], clip) for p in trained]",
        "off labkit's|losses",
    ),
    ("        model.eval()\n", "", "evaluation mode"),
    ("        model.train()\n", "        model.eval()\n", "trained in evaluation mode"),
    (
        "kept = len(history), copy.deepcopy(model.state_dict())",
        "kept = len(history), model.state_dict()",
        "should be back",
    ),
    (
        "history[-1][1] > history[best - 1][1]",
        "history[-1][1] >= history[best - 1][1]",
        "should be trained|should be back",
    ),
    ('torch.set_rng_state(state["random"])', "pass", "equal to the bit"),
    ('optimizer.load_state_dict(state["optimizer"])', "pass", "equal to the bit"),
    ("state = copy.deepcopy(state)\n", "pass\n", "equal to the bit"),
    (
        '("history", "step", "best", "kept"))',
        '("history", "step", "best", "kept"))\n        step = 0',
        "equal to the bit",
    ),
    ("(until or epochs)", "epochs", "halt after epoch"),
    ("        model.load_state_dict(kept)", "        pass", "should be back"),
    ("loss_sum / rows", "loss_sum / len(batches(0))", "the losses"),
)
for old, new, words in LOOPS:
    wrong("long.2", words)(changed("train", (old, new)))
THIN = (
    ("self.scale = alpha / rank", "self.scale = alpha", "forward"),
    ("linear.requires_grad_(False)", "linear", "only a and b train"),
    ("torch.zeros(linear.out_features, rank)", "torch.randn(linear.out_features, rank)", "no effect"),
    ("torch.randn(rank, linear.in_features)", "torch.zeros(rank, linear.in_features)", "should be random"),
    ("self.scale * (x @ self.a.T", "(x @ self.a.T", "forward"),
    ("copy.deepcopy(self.linear)", "self.linear", "old weight|new layer"),
    ("linear.weight += self.scale * (self.b @ self.a)", "linear.weight += self.b @ self.a", "merged"),
    ("model.requires_grad_(False)", "pass", "only LoRA and the head"),
    ("parameter.requires_grad_(True)", "pass", "only LoRA and the head"),
    ('if "classifier" in name or "pooler" in name', 'if "classifier" in name', "only LoRA and the head"),
    ("return names", "return maps", "names it replaced"),
    ("name for name in maps if name.split(\".\")[-1] in endings", "name for name in maps if name.split(\".\")[-1] == endings[0]", "names it replaced"),
)  # fmt: skip
for old, new, words in THIN:
    wrong("long.3", words)(changed("LoRA", (old, new)))
REPORTS = (
    ("1.96**2 / n", "1.96 / n", "accuracy"),
    ("(share + square / 2) / (1 + square)", "share", "accuracy"),
    ("statistics.stdev(apart)", "statistics.pstdev(apart)", "difference"),
    ("hit - (t == o)", "(t == o) - hit", "wrong way round"),
    ("half = 1.96 * statistics.stdev(apart) / math.sqrt(len(apart))", "half = 1.96 * math.sqrt((statistics.variance(hits) + statistics.variance([t == o for t, o in zip(truth, other)])) / len(hits))", "difference"),
    ("for label in {*truth, *said}", "for label in {*said}", "macro_f1"),
    ("for label in {*truth, *said}", "for label in range(9)", "macro_f1|ZeroDivision"),
    ('"worse" if mean < -half', '"worse" if mean < half', "verdict"),
    ('"better" if mean > half', '"better" if mean > 0', "verdict"),
    ("if len(part) >= least", "if len(part) > least", "slices"),
    ("key=lambda row: (row[2], row[0])", "key=lambda row: -row[2]", "worst comes first|slices"),
    ("wilson(sum(hits), len(hits))", "wilson(sum(hits), len(hits))[0]", "accuracy"),
)  # fmt: skip
for old, new, words in REPORTS:
    wrong("long.4", words)(changed("evaluate", (old, new)))


# Right ones

right("long.1")(changed("Loader", ("yield inputs, torch.tensor(targets)", "yield [inputs, torch.LongTensor(targets)]")))
right("long.1")(
    changed("Loader", ("self.labels = sorted(set(found.values()))", "self.labels = tuple(sorted({*found.values()}))"))
)
right("long.1")(changed("Loader", ("        return batches\n", "        return [tuple(batch) for batch in batches]\n")))
right("long.2")(changed("train", ("optimizer.zero_grad()", "model.zero_grad()")))
right("long.2")(
    changed("train", ("torch.optim.AdamW(groups, lr=lr)", "torch.optim.AdamW(groups[::-1], lr=lr, foreach=True)"))
)
right("long.2")(changed("train", ("return history, state", "return [list(pair) for pair in history], state")))
right("long.3")(changed("LoRA", ("self.linear(x) + self.scale * (x @ self.a.T @ self.b.T)", "self.linear(x) + nn.functional.linear(nn.functional.linear(self.scale * x, self.a), self.b)")))  # fmt: skip
right("long.3")(changed("LoRA", ("return names", "return set(names)")))
right("long.4")(
    changed("evaluate", ('"macro_f1": sum(f1) / len(f1)', '"macro_f1": torch.tensor(f1, dtype=torch.float64).mean()'))
)
right("long.4")(changed("evaluate", ("statistics.fmean(apart)", "sum(apart) / len(apart)")))
