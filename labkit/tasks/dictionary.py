"""A tagger that has learned names by heart: what the training rows call a name is one wherever it stands."""

from collections import Counter
from collections.abc import Sequence

from labkit.base.records import Example
from labkit.tasks.spans import Span


def names_in(train: Sequence[Example]) -> dict[str, str]:
    """The names of these rows with their commonest type, but for those that mostly stand there as no name."""
    uses = Counter((e.input[begin:end], label) for e in train for begin, end, label in e.target)
    every, known = "\n".join(e.input for e in train), {}
    for (name, label), _ in sorted(uses.items(), key=lambda use: use[1]):
        known[name] = label
    often = Counter()
    for (name, _), n in uses.items():
        often[name] += n
    return {name: label for name, label in known.items() if 2 * often[name] >= every.count(name)}


def looked_up(text: str, known: dict[str, str]) -> list[Span]:
    """Known names in a text, from the left, the longest first."""
    longest, found, at = max(map(len, known), default=0), [], 0
    while at < len(text):
        size = next((n for n in range(min(longest, len(text) - at), 0, -1) if text[at : at + n] in known), 0)
        if size:
            found.append((at, at + size, known[text[at : at + size]]))
        at += size or 1
    return found
