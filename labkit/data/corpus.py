"""A Corpus: the examples of a task in three splits. Notebook 01 walks through one, notebook 07 teaches it."""

import dataclasses
import functools
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Example
from labkit.data.splitting import split_rows
from labkit.tasks import Classification, Task
from labkit.tasks.inputs import adjusted


@dataclass(frozen=True)
class Dropped:
    """Rows left out and why: `reason` is "empty", "duplicate", "conflict" (one text, two labels), "leak" (a text
    that a later split holds too: it stays there) or "unlabelled" (a hub split whose labels are withheld)."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Examples of one task in three splits. Shows itself in a notebook: counts, lengths, examples, what was dropped.

    >>> Corpus("mine", train, valid, test, Classification(labels=("bad", "good")))
    """

    name: str
    train: tuple[Example, ...]
    valid: tuple[Example, ...]
    test: tuple[Example, ...]
    task: Task
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()  # what reading the file settled by itself

    def __post_init__(self):
        if not isinstance(self.task, Task):  # label names alone are a text classification
            object.__setattr__(self, "task", Classification(labels=tuple(map(str, self.task))))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.task.labels

    @property
    def splits(self) -> dict[str, tuple[Example, ...]]:
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change when an input, a target, their order or the labels change."""
        sha = hashlib.sha256(repr(self.task.card()).encode())
        for name, examples in self.splits.items():
            sha.update(f"{name}{len(examples)}".encode())
            for example in examples:
                sha.update(self.task.modality.content(example.input))
                sha.update(repr(self.task.truth(example)).encode())
        return sha.hexdigest()[:16]

    def card(self) -> dict[str, Any]:
        """Name, labels and fingerprint: what a run remembers of it."""
        return {"name": self.name, "labels": list(self.labels), "fingerprint": self.fingerprint}

    def limit(self, n: int, seed: int = 0) -> "Corpus":
        """The same corpus with `n` training rows, stratified: shares of groups are kept, every group keeps a row.

        >>> len(reviews().limit(200).train)
        200
        """
        least = max(1, len(self.labels))
        if n < least:
            raise BadInput(
                tr(
                    f"limit={n} 太小：{least} 个类别至少各要一行。",
                    f"limit={n} is too small: {least} classes need at least one row each.",
                )
            )
        if n >= len(self.train):
            return self
        _, few = split_rows(self.task, self.train, n, seed)
        return dataclasses.replace(self, train=tuple(few))

    def augmented(self, **settings) -> "Corpus":
        """The same rows, whose inputs are varied anew in every epoch of training as these settings of their kind say.

        >>> doodles().augmented(flip=True, rotate=10)               # of pictures: shift, rotate, scale, flip
        """
        task = dataclasses.replace(self.task, modality=adjusted(self.task.modality, settings))
        task.modality.suits(task.labels)
        return dataclasses.replace(self, task=task)

    def counts(self, split: str = "train") -> dict[str, int]:
        """Rows of each class: `{"negative": 5603, "positive": 2790}`."""
        rows = Counter(label for example in self.splits[split] for label in self.task.classes(example))
        return {name: rows.get(i, 0) for i, name in enumerate(self.labels)}

    def __repr__(self) -> str:
        labels = f"; labels {', '.join(self.labels)}" if self.labels else ""
        sizes = ", ".join(f"{name} {len(rows)}" for name, rows in self.splits.items())
        gone = ", ".join(f"{d.count} {d.reason}" for d in self.dropped) or "none"
        return f"Corpus({self.name!r}: {sizes} rows{labels}; dropped: {gone})"

    def _repr_html_(self) -> str:
        from labkit.data.describe import corpus_html

        return corpus_html(self)
