"""A Corpus: labelled rows in three splits."""

import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.data.splitting import split_rows
from labkit.tasks import TextClassification


@dataclass(frozen=True)
class Dropped:
    """Rows left out and why: `reason` is "empty", "duplicate", "conflict" (one text, two labels), "leak" (a text
    that a later split holds too: it stays there) or "unlabelled" (a hub split whose labels are withheld)."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Labelled rows in three splits. Shows itself in a notebook: counts, balance, lengths, examples, what was dropped."""

    name: str
    train: tuple[Any, ...]
    valid: tuple[Any, ...]
    test: tuple[Any, ...]
    labels: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    task: Any = field(default_factory=TextClassification)

    @property
    def splits(self) -> dict[str, tuple[Any, ...]]:
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change when a row, a label or the order of rows changes."""
        sha = hashlib.sha256(repr(self.labels).encode())
        for name, rows in self.splits.items():
            sha.update(f"{name}{len(rows)}".encode())
            for row in rows:
                sha.update(repr(row).encode())
        return sha.hexdigest()[:16]

    def limit(self, n: int, seed: int = 0) -> "Corpus":
        """The same corpus with `n` training rows, stratified: class shares are kept, every class keeps a row.

        >>> len(reviews().limit(200).train)
        200
        """
        if n < len(self.labels):
            raise BadInput(
                tr(
                    f"limit={n} 太小：{len(self.labels)} 个类别至少各要一行。",
                    f"limit={n} is too small: {len(self.labels)} classes need at least one row each.",
                )
            )
        if n >= len(self.train):
            return self
        _, taken = split_rows(self.train, n, seed)
        return dataclasses.replace(self, train=tuple(taken))

    def counts(self, split: str = "train") -> dict[str, int]:
        """Rows of each class: `{"negative": 5603, "positive": 2790}`."""
        found = Counter(row.label for row in self.splits[split])
        return {name: found.get(i, 0) for i, name in enumerate(self.labels)}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(rows)}" for name, rows in self.splits.items())
        gone = ", ".join(f"{d.count} {d.reason}" for d in self.dropped) or "none"
        return f"Corpus({self.name!r}: {sizes} rows; labels {', '.join(self.labels)}; dropped: {gone})"

    def _repr_html_(self) -> str:
        from labkit.data.describe import corpus_html

        return corpus_html(self)
