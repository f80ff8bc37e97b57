"""Runs made by hand: what was wrong decides the scores, nothing is trained.

>>> run("full", wrong=range(40))                  # a run that is wrong on 40 of 200 test rows of two classes
>>> scored("full", accuracy=0.8)                  # a run of which only scores are known, no answers
"""

from labkit.base.records import Epoch, Measure, Run, Scores
from labkit.base.statistics import wilson
from labkit.comparison.compare import Comparison
from labkit.comparison.sizes import Grid
from labkit.tasks import Classification

N = 200
TASK = Classification(labels=("a", "b"))
CORPUS = {"name": "made", "labels": ["a", "b"], "fingerprint": "0"}


def run(strategy="full", wrong=range(40), seed=0, *, n=N, shift=0, epochs=3, trained=True, **more):
    """A run that is wrong on the test rows of these numbers, and learns in as many epochs. The classes of the rows take
    turns; another `shift` is other rows."""
    truth = [(i + shift) % 2 for i in range(n)]
    said = [1 - k if i in set(wrong) else k for i, k in enumerate(truth)]
    scores = TASK.score([[1.0 - k, float(k)] for k in said], truth, 0.5)
    history = tuple(
        Epoch(e, 10 * e, 1 / e, 1.1 / e, {"accuracy": 0.5 + 0.1 * e, "macro_f1": 0.5}, 1.0)
        for e in range(1, epochs + 1)
    )
    costs = {"seconds": 5.0 + seed, "trainable_parameters": 1_000, "peak_memory_mb": None, "config": {"seed": seed}}
    return Run(
        strategy, "tiny", seed, "cpu", epochs, 100, 20, n,
        **{**costs, "samples_per_second": 50.0, "total_parameters": 5_000, **more},
        task=TASK.card(), scores={"valid": scores, "test": scores}, answers=tuple(said), truth=tuple(truth),
        history=history if trained else (), corpus=CORPUS,
    )  # fmt: skip


def scored(strategy="full", seed=0, accuracy=0.8, n_test=400, **more):
    """A run of which only scores are known: macro-F1 lies 0.01 below accuracy."""

    def scores(n, accuracy):
        metrics = {"accuracy": Measure(accuracy, *wilson(accuracy * n, n)), "macro_f1": Measure(accuracy - 0.01)}
        return Scores(n, 0.5, metrics)

    costs = {"seconds": 2.0 + seed, "samples_per_second": 50.0, "peak_memory_mb": None}
    sizes = {"trainable_parameters": 1_000, "total_parameters": 5_000, "n_train": 100, "n_valid": 20, "n_test": n_test}
    about = {
        "task": TASK.card(),
        "corpus": CORPUS,
        "scores": {"valid": scores(20, 0.7), "test": scores(n_test, accuracy)},
    }
    return Run(strategy, "tiny", seed, "cpu", 3, **{**costs, **sizes, **about, **more})


def grid(**wrong):
    """A grid from the number of wrong rows of 200 at 50, 100, 200 … training rows."""
    cells = []
    for i in range(len(next(iter(wrong.values())))):
        runs = [run(name, range(N - w[i], N), seed) for name, w in wrong.items() for seed in (0, 1)]
        cells.append((50 * 2**i, Comparison(runs)))
    return Grid(tuple(cells))
