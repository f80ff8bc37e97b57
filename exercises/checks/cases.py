"""Cases of a check: the telling fixed ones, and after them some that are drawn anew at each call.

Whoever learns the fixed ones by heart meets others next time. A finding among the drawn ones names the seed that repeats it:
`lk.check("01.1", collate, seed=…)`.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from labkit import tr

MANY = 12


class Lot:
    """The random numbers of the check that is under way, and whether it is at its drawn cases."""

    def __init__(self):
        self.seed, self.rng, self.drawn = 0, random.Random(0), False


lot = Lot()


def fresh_seed() -> int:
    """A number from the system, so that no random state of the notebook is touched."""
    return int.from_bytes(os.urandom(3), "big")


@contextlib.contextmanager
def drawing(seed: int) -> Iterator[Lot]:
    """All cases of one check are drawn from this seed."""
    kept = lot.seed, lot.rng, lot.drawn
    lot.seed, lot.rng, lot.drawn = seed, random.Random(seed), False
    try:
        yield lot
    finally:
        lot.seed, lot.rng, lot.drawn = kept


def cases(fixed: Iterable, draw: Callable[[random.Random], Any], many: int = MANY) -> Iterator:
    """The fixed cases, then `many` that `draw(rng)` makes; torch's random numbers are drawn anew with them."""
    import torch

    yield from fixed
    for _ in range(many):
        lot.drawn = True
        torch.manual_seed(lot.rng.getrandbits(30))
        yield draw(lot.rng)
    lot.drawn = False


def repeat_words(id: str) -> str:
    """How the drawn case that failed is met again."""
    return tr(
        f"（这个例子是抽出来的；`lk.check({id!r}, …, seed={lot.seed})` 会再抽到同样的。）",
        f"(This case was drawn at random; `lk.check({id!r}, …, seed={lot.seed})` draws the same again.)",
    )
