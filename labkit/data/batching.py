"""Rows in batches of like length, for training and for asking."""

import random
from collections.abc import Sequence


def batch_order(
    lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int, bucket: bool = True
) -> list[list[int]]:
    """Row numbers in batches, a function of (seed, epoch) alone. With `bucket`, rows of like length share a batch.

    >>> batch_order([5, 9, 5, 9], 2, seed=0, epoch=0)       # sizes in tokens
    [[0, 2], [1, 3]]

    Rows are shuffled, sorted by length within pools of 100 batches, cut, and the batches shuffled: padding nearly
    vanishes, and every epoch is another order. All batches but one hold `batch_size` rows.
    """
    rng = random.Random(f"order/{seed}/{epoch}")
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    if not bucket:
        return [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    pool = 100 * batch_size
    batches = []
    for start in range(0, len(rows), pool):
        part = sorted(rows[start : start + pool], key=lambda i: lengths[i])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def padding_share(lengths: Sequence[int], batches: Sequence[Sequence[int]], width: int | None = None) -> float:
    """Share of padding among the tokens computed: 0.05 is 5 %. `width` pads every row to that length instead."""
    real = sum(lengths[i] for batch in batches for i in batch)
    computed = sum(len(batch) * (width or max(lengths[i] for i in batch)) for batch in batches)
    return 1 - real / computed if computed else 0.0


def batches_of(lengths: Sequence[int], budget: int, batch_size: int = 64) -> list[list[int]]:
    """Row numbers in batches to be asked: of like length, the shortest first, padded to at most `budget` tokens if they can be.

    >>> batches_of([9, 3, 400, 4], 640)
    [[1, 3, 0], [2]]
    """
    order, batches = sorted(range(len(lengths)), key=lengths.__getitem__), []
    start = 0
    while start < len(order):
        rows = order[start : start + batch_size]
        batches.append(rows[: fitting_rows([lengths[i] for i in rows], budget)])
        start += len(batches[-1])
    return batches


def fitting_rows(lengths: Sequence[int], most: int) -> int:
    """How many of the first rows, with rising token counts, make a padded batch of at most so many tokens; at least one.

    >>> fitting_rows([3, 4, 4, 9], 12)
    3
    """
    rows = 1
    while rows < len(lengths) and (rows + 1) * lengths[rows] <= most:
        rows += 1
    return rows
