"""Ten minutes of search against the nine defaults, measured. Called by bench.py:

    python tools/bench.py search [--rows 1000] [--seconds 600] [--seeds 3] [--workers 2] [--out FOLDER]

The rows of waimai, the nine strategies with their defaults on three seeds each, then one search a seed. A search sees the
training and validation rows alone; its best settings are trained anew with five fresh seeds and judged on the test rows, on
which the defaults are judged too. With `--out`, what is done already is not done again.
"""

import statistics
import tempfile
from pathlib import Path

from bench import DATA, interval, say
from bench_workers import nine

import labkit as lk


def search(options) -> None:
    parts = {part: DATA / f"waimai_{part}.csv" for part in ("train", "validation", "test")}
    corpus = lk.load_csv(parts["train"], valid=parts["validation"], test=parts["test"], limit=options.rows)
    seconds = options.seconds or 600
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(options.out or scratch)
        defaults = lk.compare(nine(options), corpus, seeds=range(3), workers=options.workers, out=out / "defaults")
        means = {name: scores_of(defaults, name) for name in dict.fromkeys(run.strategy for run in defaults)}
        for name, scores in sorted(means.items(), key=lambda pair: -statistics.mean(pair[1])):
            say(f"  {name:12} test {statistics.mean(scores):.4f} ± {interval(scores)[1]:.4f}")
        best = max(means, key=lambda name: statistics.mean(means[name]))
        found = []
        for seed in range(options.seeds):
            one = lk.search(
                corpus, nine(options), seconds=seconds, workers=options.workers, seed=seed, out=out / f"search-{seed}"
            )
            names = list(dict.fromkeys(run.strategy for run in one.confirmed))
            again = scores_of(one.confirmed, names[0]) if names else means[one.best.strategy]
            found.append(statistics.mean(again))
            say(
                f"search {seed}: {len(one.trials)} trials in {one.seconds:.0f} s, {one.best.strategy}\n{chr(10).join(one.judgement())}"
            )
            say(f"  test, {len(again)} fresh seeds: {found[-1]:.4f}")
    say(
        f"\nmedian of {len(found)} searches {statistics.median(found):.4f}; best of the nine on the test rows "
        f"({best}, chosen by them) {statistics.mean(means[best]):.4f}"
    )


def scores_of(runs, name: str) -> list[float]:
    return [run.test_accuracy for run in runs if run.strategy == name and not run.error]
