"""How sure a score is: intervals over the rows that the test set happens to hold and over the seeds that were drawn.

Rows are drawn anew (bootstrap), the same for every strategy, so that a difference is judged pair by pair. Seeds are too
few to be drawn anew: their spread is added, and Student's t pays for not knowing it well. In simulations such intervals
hold the truth 94 to 98 times of 100 with 3 seeds or more, 90 with two; drawing 3 seeds anew too, 78 to 99. Notebook 02
uses it; leans on nothing.
"""

import math
from collections.abc import Callable, Iterator
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
class StandardError:
    """Of a mean over seeds: its variance from rows, and that from seeds; `times` is how many standard
    errors make 95 %: 1.96, and more where a few seeds decide."""

    rows: float
    seeds: float
    times: float

    @property
    def half(self) -> float:
        """Half of the 95 % interval."""
        return self.times * math.sqrt(self.rows + self.seeds)


def standard_error(values, drawn=None, rows: float = 0.0) -> StandardError:
    """Of the mean of `values`, one a seed; `drawn` (draws, seeds) are they on rows drawn anew (bootstrap).

    Seeds differ in their own right and because each errs on rows of its own; the second is in the draws already and is
    taken off. Without draws, `rows` is the variance that the rows give.
    """
    import numpy as np
    from scipy.special import stdtrit

    count, shared = len(values), 0.0
    if drawn is not None:
        middle = drawn.mean(1, keepdims=True)
        rows = float(middle.var(ddof=1))
        shared = float((drawn - middle).var(axis=0, ddof=1).sum()) / max(count - 1, 1) / count
    if not np.ptp(values):
        return StandardError(rows, 0.0, Z)
    spread = float(np.var(values, ddof=1)) / count
    seeds = max(0.0, spread - shared)
    freedom = max(count - 1, (rows + seeds) ** 2 / (spread**2 / (count - 1)))  # Satterthwaite; rows are many
    return StandardError(rows, seeds, max(Z, float(stdtrit(freedom, 0.975))))


def bootstrap(of: Callable, counts) -> Any:
    """A score on rows drawn anew, (draws, seeds): `counts` (seeds, rows, k) are what the rows of each run add to it, `of`
    takes their sums. The same rows are drawn in each call of as many rows, so that runs can be compared pair by pair.

    >>> import numpy as np
    >>> hits = np.array([[[1.0], [0.0], [1.0], [1.0]]])                   # one run, four rows, one number of each
    >>> bootstrap(lambda sums: sums[..., 0] / 4, hits).shape
    (1000, 1)
    """
    import numpy as np

    seeds, rows, k = counts.shape
    flat = counts.transpose(1, 0, 2).reshape(rows, seeds * k)
    return np.concatenate([of((weights @ flat).reshape(-1, seeds, k)) for weights in drawn_weights(rows)])


def drawn_weights(n: int, at_once: int = 100) -> Iterator[Any]:
    """How often each of `n` rows is drawn, (draws, n), some draws at a time."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(0, DRAWS, at_once):
        picks = rng.integers(n, size=(at_once, n))
        yield np.stack([np.bincount(pick, minlength=n) for pick in picks]).astype(np.float32)
