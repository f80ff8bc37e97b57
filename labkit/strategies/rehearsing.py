"""Replay with labelled rows: what a model could do before is practised on while it learns something new. Notebook 16.

A language model forgets slowly; a model that wrote English and is taught German alone writes no English after a minute.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput, Example
from labkit.models.loading import fitting
from labkit.models.state import device_of
from labkit.strategies.retaining import Retainer


@dataclass(frozen=True)
class Rehearsal(Retainer):
    """Every so many steps the loss of a few earlier examples of the same task is added, times `weight` (experience replay;
    Robins 1995, Rolnick et al. 2019, arXiv 1811.11682).

    >>> retain = Rehearsal(lk.phrases(language="en").train)  # Trainer(model, german, Full(), retain=retain)
    """

    examples: Sequence[Example] = field(repr=False, compare=False)  # told apart by `settings`
    every: int = 1
    weight: float = 1.0
    rows: int = 8  # examples a step
    name: ClassVar[str] = "rehearsal"

    def __post_init__(self):
        object.__setattr__(self, "examples", tuple(self.examples))
        if not self.examples:
            raise BadInput(
                tr(
                    "没有可以复习的例子：给出原来任务的几行。",
                    "Nothing to rehearse: give some rows of what was learned before.",
                )
            )
        checked_number("every", self.every, 1, 10**9, whole=True)
        checked_number("weight", self.weight, 0, 1e9)
        checked_number("rows", self.rows, 1, 10**6, whole=True)

    def settings(self) -> dict[str, Any]:
        """As plain values: of the examples their number and a hash."""
        made = hashlib.blake2b(digest_size=8)
        for one in self.examples:
            made.update(getattr(one.input, "tobytes", lambda one=one: repr(one.input).encode())())
            made.update(repr(one.target).encode())
        told = f"{len(self.examples)} {made.hexdigest()}"
        return {"examples": told, "every": self.every, "weight": self.weight, "rows": self.rows}

    def start(self, model, seed: int) -> Any:
        task = model.task
        return task, task.encode(model.processor, self.examples, fitting(model, 256)), seed

    def add_loss(self, model, batch, outputs, state: Any, step: int) -> Any:
        if step % self.every or not self.weight:
            return None
        task, items, seed = state
        rng = random.Random((seed << 32) + step)
        chosen = rng.sample(range(len(items)), min(self.rows, len(items)))
        varied = (task.varied(items[i], numbers(seed, step, i)) for i in chosen)
        earlier = task.collate(model.processor, list(varied)).to(device_of(model))
        return task.losses(model(**earlier.inputs), earlier).sum() * (self.weight / earlier.units)


def numbers(*seed: int) -> Any:
    import numpy as np

    return np.random.default_rng(seed)
