"""Makes labkit/assets/course: the runs behind sentences of the course that no lesson has time for. About ten minutes on one core.

    .venv/bin/python tools/make_course_runs.py [NAMES] [--work DIR]

What is in DIR already is not trained again, so that it can be interrupted.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

import labkit as lk
from labkit.comparison.shipped import SHIPPED, ship

SEEDS = range(8)
SHORT = {"max_length": 64, "device": "cpu", "precision": "fp32"}


def rows(work: Path) -> list[lk.Run]:
    """02: the head alone and everything, each at its own rate, on 40, 80, 240 short reviews; rows drawn anew by each seed."""
    whole = lk.reviews()
    whole = replace(whole, **{s: tuple(e for e in x if len(e.input) <= 24) for s, x in whole.splits.items()})
    config = lk.TrainConfig(device="cpu", precision="fp32")
    sizes = (40, 80, 240)
    grid = lk.when_to_freeze(
        [lk.HeadOnly(), lk.Full()], whole, sizes, seeds=SEEDS, config=config, least_steps=30, out=work
    )
    return [
        replace(run, strategy=f"{run.strategy} {n}")
        for n, found in grid.cells
        for run in [*found, *found.beside]
        if run.strategy != "majority"
    ]


TRIED = {  # what each start may choose from, by its validation rows
    "head": (lk.HeadOnly(), lambda n: lk.TrainConfig(**SHORT)),
    "full": (lk.Full(), lambda n: lk.TrainConfig(**SHORT)),
    "full, long": (lk.Full(), lambda n: lk.TrainConfig(lr=1e-3, epochs={50: 16, 150: 8}[n], **SHORT)),
}


def newborn(folder: Path, seed: int) -> str:
    """The packaged network with weights that have read nothing."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    if not folder.exists():
        place = lk.locate("tiny-bert-zh")
        torch.manual_seed(seed)
        with lk.quiet():
            AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(place)).save_pretrained(folder)
            lk.load(place, labels=("a", "b")).processor.save_pretrained(folder)
    return str(folder)


def labels(work: Path) -> list[lk.Run]:
    """06: 50 and 150 labels from pretrained and from random weights, each with the strategy that its validation rows
    choose, and TF-IDF; rows, weights and batches drawn anew by each seed."""
    corpus, found = lk.reviews(), []
    for n in (50, 150):
        for start in ("reviews", "random"):
            tried = {name: [] for name in TRIED}
            for name, (strategy, config) in TRIED.items():
                for seed in SEEDS:
                    source = "tiny-bert-zh" if start == "reviews" else newborn(work / f"random-{seed}", seed)
                    place = work / f"{start}-{n}-{name}-{seed}"
                    runs = lk.compare([strategy], corpus.limit(n, seed), source, (seed,), config(n), out=place)
                    tried[name] += list(runs)
            best = max(tried, key=lambda name: statistics.mean(run.valid_accuracy for run in tried[name]))
            print(
                n,
                start,
                best,
                {name: round(statistics.mean(r.test_accuracy for r in x), 3) for name, x in tried.items()},
            )
            found += [
                replace(run, strategy=f"{start} {n}", settings={**run.settings, "chosen": best}) for run in tried[best]
            ]
        found += [replace(lk.baseline(corpus.limit(n, seed)), strategy=f"tf-idf {n}", seed=seed) for seed in SEEDS]
    return found


MADE = {"02-rows": rows, "06-labels": labels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAMES", help=", ".join(MADE))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "labkit-course-runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.names or MADE:
        found = MADE[name](args.work / name)
        ship(found, SHIPPED / f"{name}.json.gz")
        print(f"{name}: {len(found)} runs, {(SHIPPED / f'{name}.json.gz').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
