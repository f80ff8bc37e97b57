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
from labkit.comparison.found import default_name, found_name


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
            if one.verdict is None:  # a default won
                say(f"search {seed}: {one.judgement()}")
                found.append((statistics.mean(means[one.best.strategy]),) * 2)
                continue
            means_of = {n: statistics.mean(scores_of(one.confirmed, n)) for n in (found_name(), default_name())}
            advised = default_name() if one.verdict.word == "worse" else found_name()
            found.append((means_of[found_name()], means_of[advised]))
            say(f"search {seed}: {len(one.trials)} trials in {one.seconds:.0f} s, {one.best.strategy}")
            say("\n".join(one.judgement()))
            say(f"  test, fresh seeds: found {found[-1][0]:.4f}, default {means_of[default_name()]:.4f}")
    say(
        f"\nmedian of {len(found)} searches: found {statistics.median(f for f, _ in found):.4f}, as advised at the end "
        f"{statistics.median(a for _, a in found):.4f}; best of the nine on the test rows "
        f"({best}, chosen by them) {statistics.mean(means[best]):.4f}"
    )


def scores_of(runs, name: str) -> list[float]:
    return [run.test_accuracy for run in runs if run.strategy == name and not run.error]
