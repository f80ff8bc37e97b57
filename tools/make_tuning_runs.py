"""Makes assets/tuning.csv, the runs of notebook 13 that take longer than a lesson: full fine-tuning of the packaged model on
240 packaged reviews, judged on 100, with every combination of rate, batch size, epochs and seed. Ten minutes on one core.

    .venv/bin/python tools/make_tuning_runs.py [--seconds N]

What is in the file already is not repeated, so that it can be interrupted, and made in pieces of N seconds.
"""

import argparse
import csv
import itertools
import time
from dataclasses import replace
from pathlib import Path

import labkit as lk

FILE = lk.files.ASSETS / "tuning.csv"
RATES = (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3)
BATCHES = (8, 16, 32, 64)
EPOCHS = (1, 2, 4)
SEEDS = (0, 1)
COLUMNS = ("lr", "batch_size", "epochs", "seed", "valid", "test", "valid_loss", "seconds", "course")


def one(corpus, lr, batch, epochs, seed) -> dict:
    """A run as a line: accuracies of its end; the course is the validation accuracy after each epoch."""
    config = lk.TrainConfig(
        lr=lr, batch_size=batch, epochs=epochs, seed=seed, max_length=64, device="cpu", precision="fp32"
    )
    run = lk.Trainer(lk.load("tiny-bert-zh", labels=corpus.labels, seed=seed), corpus, lk.Full(), config).fit()
    course = " ".join(f"{epoch.valid_accuracy:.4f}" for epoch in run.history)
    scores = (f"{run.valid_accuracy:.4f}", f"{run.test_accuracy:.4f}", f"{run.valid.loss:.4f}", f"{run.seconds:.2f}")
    return dict(zip(COLUMNS, (lr, batch, epochs, seed, *scores, course), strict=True))


def done(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [line for line in csv.DictReader(file) if int(line["batch_size"]) in BATCHES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float("inf"))
    end = time.monotonic() + parser.parse_args().seconds
    whole, lines = lk.reviews(), done(FILE)
    corpus = replace(whole.limit(240), valid=whole.valid[:100])
    there = {(float(r["lr"]), int(r["batch_size"]), int(r["epochs"]), int(r["seed"])) for r in lines}
    missing = [x for seed in SEEDS for x in itertools.product(RATES, BATCHES, EPOCHS, (seed,)) if x not in there]
    while missing and time.monotonic() < end:
        lines.append(one(corpus, *missing.pop(0)))
    lines.sort(key=lambda r: tuple(float(r[name]) for name in COLUMNS[:4]))
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{FILE.name}: {len(lines)} runs, {len(missing)} still missing")


if __name__ == "__main__":
    main()
