"""How sure a score is: intervals over the rows that the test set happens to hold and over the seeds that were drawn.

Rows are drawn anew (bootstrap), the same for every strategy, so that a difference is judged pair by pair. Seeds are too
few to be drawn anew: their spread is added, and Student's t pays for not knowing it well. In simulations such intervals
hold the truth 94 to 98 times of 100 with 3 seeds or more, 90 with two; drawing 3 seeds anew too, 78 to 99. Notebook 02
uses it; leans on nothing.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


def wilson(right: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927): honest for few rows and near 0 or 1.

    >>> wilson(8, 10)
    (0.490..., 0.943...)
    """
    share, square = right / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


DRAWS = 1000
Z = 1.96  # standard errors on each side of 95 %


@dataclass(frozen=True)
class Doubt:
    """What is unsure about a mean over seeds: its variance from rows, and that from seeds; `times` is how many standard
    errors make 95 %: 1.96, and more where a few seeds decide."""

    rows: float
    seeds: float
    times: float

    @property
    def half(self) -> float:
        """Half of the 95 % interval."""
        return self.times * math.sqrt(self.rows + self.seeds)


def doubt(values, redrawn=None, rows: float = 0.0) -> Doubt:
    """The doubt about the mean of `values`, one a seed; `redrawn` (draws, seeds) are they on rows drawn anew.

    Seeds differ in their own right and because each errs on rows of its own; the second is in the draws already and is
    taken off. Without draws, `rows` is the variance that the rows give.
    """
    import numpy as np
    from scipy.special import stdtrit

    count, shared = len(values), 0.0
    if redrawn is not None:
        middle = redrawn.mean(1, keepdims=True)
        rows = float(middle.var(ddof=1))
        shared = float((redrawn - middle).var(axis=0, ddof=1).sum()) / max(count - 1, 1) / count
    if not np.ptp(values):
        return Doubt(rows, 0.0, Z)
    spread = float(np.var(values, ddof=1)) / count
    seeds = max(0.0, spread - shared)
    freedom = max(count - 1, (rows + seeds) ** 2 / (spread**2 / (count - 1)))  # Satterthwaite; rows are many
    return Doubt(rows, seeds, max(Z, float(stdtrit(freedom, 0.975))))


@functools.lru_cache(maxsize=64)
def redrawn(measure: str, classes: int, truth: str, answers: tuple[str, ...]) -> Any:
    """ "accuracy" or "macro_f1" on test rows drawn anew, (draws, seeds); the same rows in each call of as many rows.

    >>> redrawn("accuracy", 2, "0 1 1 0", ("0 1 0 0", "1 1 1 0")).shape
    (1000, 2)
    """
    import numpy as np

    real, said = numbers(truth), np.stack([numbers(a) for a in answers])
    score = macro_f1 if measure == "macro_f1" else accuracy
    return np.concatenate([score(weights, real, said, classes) for weights in redraws(len(real))])


def redraws(n: int, at_once: int = 100) -> Iterator[Any]:
    """How often each of `n` rows is drawn, (draws, n), some draws at a time."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(0, DRAWS, at_once):
        picks = rng.integers(n, size=(at_once, n))
        yield np.stack([np.bincount(pick, minlength=n) for pick in picks]).astype(np.float32)


def accuracy(weights, truth, answers, classes: int) -> Any:
    """Share of right answers, (draws, seeds), of rows that count `weights` (draws, rows) times."""
    return weights @ (answers == truth).T / weights.sum(1, keepdims=True)


def macro_f1(weights, truth, answers, classes: int) -> Any:
    """Mean F1, (draws, seeds), over the classes that are there or are said to be."""
    total = count = 0.0
    for k in range(classes):
        real, said = weights @ (truth == k)[:, None], weights @ (answers == k).T
        hit, seen = weights @ ((answers == k) & (truth == k)).T, real + said
        total, count = total + 2 * hit / seen.clip(1), count + (seen > 0)
    return total / count


def coded(classes) -> str:
    """Class numbers as a run file keeps them: "0 2 1"."""
    return " ".join(str(int(k)) for k in classes)


def numbers(text: str) -> Any:
    """The inverse of coded, as an array."""
    import numpy as np

    return np.array(text.split(), dtype=np.int64)
