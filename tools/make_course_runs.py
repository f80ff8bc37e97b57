"""Makes labkit/assets/course: the runs behind sentences of the course that no lesson has time for. About 25 minutes on one core.

    .venv/bin/python tools/make_course_runs.py [NAMES] [--work DIR] [--hotels DIR] [--digits DIR]

02-hotels needs reviews that don't come with labkit: DIR holds hotels_train.csv, hotels_validation.csv and hotels_test.csv
with the columns text and label (0: negative, 1: positive). 15-speakers needs spoken digits: DIR holds spoken_digits_train.npz,
spoken_digits_validation.npz and spoken_digits_test.npz.

What is in DIR already is not trained again, so that it can be interrupted.
"""

import argparse
import random
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

import labkit as lk
from labkit.comparison.shipped import SHIPPED, ship

SEEDS, FEWER = range(8), range(3)
SHORT = {"max_length": 64, "device": "cpu", "precision": "fp32"}


def short_reviews() -> lk.Corpus:
    """The packaged reviews of 24 characters at most: notebooks 02 and 03 use them."""
    whole = lk.reviews()
    return replace(whole, **{s: tuple(e for e in x if len(e.input) <= 24) for s, x in whole.splits.items()})


def head_and_full(whole: lk.Corpus, sizes: tuple, config: lk.TrainConfig, work: Path, seeds=SEEDS) -> list[lk.Run]:
    """The head alone and everything, each at its own rate, and TF-IDF; rows drawn anew by each seed."""
    both = [lk.HeadOnly(), lk.Full()]
    grid = lk.when_to_freeze(both, whole, sizes, seeds=seeds, config=config, least_steps=30, out=work)
    return [
        replace(run, strategy=f"{run.strategy} {n}")
        for n, found in grid.cells
        for run in [*found, *found.beside]
        if run.strategy != "majority"
    ]


def rows(work: Path) -> list[lk.Run]:
    """02: 40, 80, 240 short reviews."""
    config = lk.TrainConfig(device="cpu", precision="fp32")
    return head_and_full(short_reviews(), (40, 80, 240), config, work)


def hotels(work: Path, folder: Path) -> list[lk.Run]:
    """02: another domain, 40 and 240 hotel reviews by real guests, 7 in 10 of them positive."""
    train, valid, test = (folder / f"hotels_{split}.csv" for split in ("train", "validation", "test"))
    whole = lk.load_csv(train, valid=valid, test=test, labels={"0": "negative", "1": "positive"})
    whole = replace(whole, name="hotels", valid=whole.valid[:120], test=whole.test[:360])
    config = lk.TrainConfig(max_length=128, device="cpu", precision="fp32")
    return head_and_full(whole, (40, 240), config, work, FEWER)


def slivers(work: Path) -> list[lk.Run]:
    """03: its five strategies and the head alone, with which they are to be compared, and full fine-tuning for ten
    epochs instead of three; rows drawn anew by each seed."""
    every = [lk.Full(), lk.HeadOnly(), lk.LoRA(), lk.Adapter(), lk.PrefixTuning(), lk.PTuningV2()]
    corpus, config, found = short_reviews(), lk.TrainConfig(device="cpu", precision="fp32"), []
    for seed in SEEDS:
        made = lk.compare(every, corpus.limit(160, seed), seeds=(seed,), config=config, out=work / str(seed))
        found += [*made, *(replace(run, seed=seed) for run in made.beside if run.strategy != "majority")]
        long = replace(config, epochs=10)
        longer = lk.compare([lk.Full()], corpus.limit(160, seed), seeds=(seed,), config=long, out=work / f"{seed}-long")
        found += [replace(run, strategy="full, 10 epochs") for run in longer]
    return found


def memorised(work: Path) -> list[lk.Run]:
    """07: everything trained for five epochs and the head alone, on a lazy split of 500 reviews, every other one there
    twice; scored on the split's own test rows ("by its own test") and on reviews that nobody has seen ("in truth")."""
    whole, found = lk.reviews(), []
    for seed in FEWER:
        lots = random.Random(seed)
        rows = lots.sample(whole.train, 500)
        rows += [replace(row, input=row.input + "！！") for row in rows if lots.random() < 0.5]
        lots.shuffle(rows)
        told = replace(whole, train=tuple(rows[:560]), test=tuple(rows[560:]))
        for name, corpus in (("by its own test", told), ("in truth", replace(told, test=whole.test))):
            both = {lk.Full(): lk.TrainConfig(epochs=5, **SHORT), lk.HeadOnly(): lk.TrainConfig(**SHORT)}
            made = lk.compare([*both], corpus, seeds=(seed,), config=both, out=work / f"{name}-{seed}")
            found += [replace(run, strategy=f"{run.strategy} {name}") for run in made]
    return found


BATCHES, RATES = (4, 16, 64), (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)


def batches(work: Path) -> list[lk.Run]:
    """05: three epochs of 320 reviews in batches of 4, 16 and 64 rows, each at five rates; rows drawn anew by each seed."""
    corpus, found = lk.reviews(), []
    for seed in FEWER:
        for size in BATCHES:
            for rate in RATES:
                config = lk.TrainConfig(batch_size=size, lr=rate, epochs=3, **SHORT)
                place = work / f"{size}-{rate:g}-{seed}"
                runs = lk.compare([lk.Full()], corpus.limit(320, seed), seeds=(seed,), config=config, out=place)
                found += [replace(run, strategy=f"{size} rows, lr {rate:g}") for run in runs]
    return found


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


def speakers(work: Path, folder: Path) -> list[lk.Run]:
    """15: spoken digits, each of five speakers left out in turn (bench_sounds.py)."""
    from bench_sounds import runs

    return list(runs(work, folder))


MADE = {
    "02-hotels": hotels,
    "02-rows": rows,
    "03-slivers": slivers,
    "05-batches": batches,
    "06-labels": labels,
    "07-memorised": memorised,
    "15-speakers": speakers,
}
GIVEN = {"02-hotels": "hotels", "15-speakers": "digits"}  # what needs a folder of rows that don't come with labkit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAMES", help=", ".join(MADE))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "labkit-course-runs")
    parser.add_argument("--hotels", type=Path, help="a folder with the hotel reviews, for 02-hotels")
    parser.add_argument("--digits", type=Path, help="a folder with the spoken digits, for 15-speakers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folders = {name: getattr(args, option) for name, option in GIVEN.items()}
    for name in args.names or [name for name in MADE if folders.get(name, True)]:
        found = MADE[name](args.work / name, *([folders[name]] if name in folders else []))
        ship(found, SHIPPED / f"{name}.json.gz")
        print(f"{name}: {len(found)} runs, {(SHIPPED / f'{name}.json.gz').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
