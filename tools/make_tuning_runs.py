"""Makes assets/tuning.csv, the runs of notebook 13 that take longer than a lesson: the packaged model on 240 packaged reviews,
judged on 100, with every combination of rate, batch size, epochs and seed; the head alone, and all of it. Three minutes on one core.

    .venv/bin/python tools/make_tuning_runs.py [--seconds N]

What is in the file already is not repeated, so that it can be interrupted, and made in pieces of N seconds.
"""

import argparse
import csv
import functools
import itertools
import time
from dataclasses import replace
from pathlib import Path

import labkit as lk

FILE = lk.files.ASSETS / "tuning.csv"
LATTICES = {  # rates, batch sizes, epochs, seeds
    "head": ((2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2), (8, 16, 32, 64), (2, 5, 10), (0, 1)),
    "full": ((1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3), (8, 16, 32, 64), (4,), (0,)),
}
COLUMNS = ("strategy", "lr", "batch_size", "epochs", "seed", "valid", "test", "seconds", "course")
KEY = COLUMNS[:5]


@functools.cache
def rows():
    whole = lk.reviews()
    return replace(whole.limit(240), valid=whole.valid[:100])


@functools.cache
def first(strategy: str, seed: int):
    """A trainer on a fresh model, as trainings of one seed share it; of the head it keeps what lies below."""
    model, config = lk.load("tiny-bert-zh", labels=rows().labels, seed=seed), lk.TrainConfig(max_length=64, device="cpu", precision="fp32", seed=seed)  # fmt: skip
    return lk.LiveHead(lk.Trainer(model, rows(), lk.HeadOnly(), config)) if strategy == "head" else None


def one(strategy, lr, batch, epochs, seed) -> dict:
    """A run as a line: accuracies of its end; the course is the validation accuracy after each epoch."""
    settings = {"lr": lr, "batch_size": batch, "epochs": epochs, "seed": seed}
    if strategy == "head":
        trainer = first("head", seed).trainer(**settings)
    else:
        model = lk.load("tiny-bert-zh", labels=rows().labels, seed=seed)
        config = lk.TrainConfig(**settings, max_length=64, device="cpu", precision="fp32")
        trainer = lk.Trainer(model, rows(), lk.Full(), config)
    run = trainer.fit()
    course = " ".join(f"{epoch.valid_accuracy:.4f}" for epoch in run.history)
    scores = (f"{run.valid_accuracy:.4f}", f"{run.test_accuracy:.4f}", f"{run.seconds:.2f}", course)
    return dict(zip(COLUMNS, map(str, (strategy, *settings.values(), *scores)), strict=True))


def done(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float("inf"))
    end, lines = time.monotonic() + parser.parse_args().seconds, done(FILE)
    there = {tuple(line[name] for name in KEY) for line in lines}
    wanted = [
        (name, *point, seed)
        for name, (*axes, seeds) in LATTICES.items()
        for seed in seeds
        for point in itertools.product(*axes)
    ]
    missing = [x for x in wanted if tuple(map(str, x)) not in there]
    while missing and time.monotonic() < end:
        lines.append(one(*missing.pop(0)))
    order = {tuple(map(str, x)): i for i, x in enumerate(wanted)}
    lines = sorted(
        (x for x in lines if tuple(x[n] for n in KEY) in order), key=lambda x: order[tuple(x[n] for n in KEY)]
    )
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{FILE.name}: {len(lines)} runs, {len(missing)} still missing")


if __name__ == "__main__":
    main()
