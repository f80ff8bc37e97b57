"""Entities as stretches of characters, as tags a token, and how well two sets of them agree. Plain functions; notebook 10.

A span is (begin, end, label), its end exclusive. Tags are BIO: B-PER begins an entity, I-PER goes on with it, O is outside.
"""

import itertools
from collections.abc import Sequence
from typing import Any

Span = tuple[int, int, str]

BEGIN, INSIDE = (
    "BSU",
    "IELM",
)  # of IOBES (E, S), BILOU (L, U) and BMES (M) what begins an entity, and what goes on with one


def tag_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The tags of these types, in the order of a head's outputs.

    >>> tag_names(["LOC", "PER"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return ("O", *(f"{part}-{label}" for label in labels for part in "BI"))


def as_bio(tag: str) -> str:
    """A tag of BIO, IOBES, BILOU or BMES as one of BIO. ValueError for any other word.

    >>> as_bio("S-PER"), as_bio("L-LOC"), as_bio("O")
    ('B-PER', 'I-LOC', 'O')
    """
    part, dash, label = tag.partition("-")
    if tag == "O":
        return tag
    if len(part) != 1 or part not in BEGIN + INSIDE or not dash or not label:
        raise ValueError(tag)
    return f"{'B' if part in BEGIN else 'I'}-{label}"


def spans_of(tags: Sequence[str], pieces: Sequence[tuple[int, int]]) -> list[Span]:
    """The entities that BIO tags name; `pieces` are the (begin, end) of each tag's token in the text.

    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"], [(0, 1), (1, 2), (2, 3), (3, 4)])
    [(0, 2, 'PER'), (3, 4, 'LOC')]

    An I- with nothing to go on with begins an entity, as in conlleval (and in files of the scheme IOB1).
    """
    spans: list[Span] = []
    before = "O"
    for tag, (begin, end) in zip(tags, pieces, strict=True):
        part, _, label = tag.partition("-")
        if part == "I" and before[2:] == label:
            spans[-1] = (spans[-1][0], end, label)
        elif tag != "O":
            spans.append((begin, end, label))
        before = tag
    return spans


def tags_of(spans: Sequence[Span], pieces: Sequence[tuple[int, int]]) -> tuple[list[str | None], list[Span]]:
    """A tag for each piece of a text, and the spans that no tags can name: one of their edges is inside a piece, or at none.

    >>> tags_of([(0, 2, "PER"), (4, 5, "LOC")], [(0, 1), (1, 2), (2, 3), (3, 5)])
    (['B-PER', 'I-PER', 'O', None], [(4, 5, 'LOC')])

    Pieces that such a span touches have no tag (None): whatever stood there would be wrong.
    """
    begins = {begin: i for i, (begin, _) in enumerate(pieces)}
    ends = {end: i for i, (_, end) in enumerate(pieces)}
    tags: list[str | None] = ["O"] * len(pieces)
    lost = []
    for begin, end, label in spans:
        first, last = begins.get(begin), ends.get(end)
        if first is None or last is None:
            lost.append((begin, end, label))
            continue
        tags[first : last + 1] = [f"B-{label}", *[f"I-{label}"] * (last - first)]
    for begin, end, _ in lost:
        for i, piece in enumerate(pieces):
            if piece[0] < end and begin < piece[1]:
                tags[i] = None
    return tags, lost


# Decoding


def legal(labels: Sequence[str]) -> tuple[Any, Any]:
    """Scores that forbid what BIO forbids: (first tag, tag after tag), (k,) and (k, k), 0 or minus infinity.

    >>> legal(["PER"])[1]                                    # rows O, B-PER, I-PER: I-PER follows the latter two alone
    array([[  0.,   0., -inf],
           [  0.,   0.,   0.],
           [  0.,   0.,   0.]])
    """
    import numpy as np

    tags = tag_names(labels)
    inside = [tag[0] == "I" for tag in tags]
    first = np.where(inside, -np.inf, 0.0)
    after = [[-np.inf if i and a[2:] != b[2:] else 0.0 for b, i in zip(tags, inside, strict=True)] for a in tags]
    return first, np.array(after)


def steps(lengths: Sequence[int]) -> tuple[Any, Any]:
    """Rows that lie one behind the other, (n,), put in order of their places: all first places, then all second ones …

    >>> order, rows = steps([2, 3])                          # the numbers of both rows' places: 0 1 and 2 3 4
    >>> order, rows                                          # longest row first; so many rows have a first, second, third
    (array([2, 0, 3, 1, 4]), array([2, 2, 1]))

    What is computed place after place then looks at rows that are that long, and at no padding.
    """
    import numpy as np

    lengths = np.asarray(lengths, dtype=np.int64)
    longest = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[longest]
    rows = (lengths[longest][None] > np.arange(lengths.max(initial=0))[:, None]).sum(1)
    return np.concatenate([starts[:n] + t for t, n in enumerate(rows)] or [np.zeros(0, dtype=np.int64)]), rows


def viterbi(scores, lengths: Sequence[int], first, after) -> Any:
    """The best sequence of tags of each row (Viterbi 1967), all rows at once: (n,) tag numbers.

    `scores` (n, k) are those of each place's tags, the rows one behind the other; `first` (k,) and `after` (k, k) are
    added at the beginning and between neighbours.
    """
    import numpy as np

    order, rows = steps(lengths)
    scores, best = np.asarray(scores, dtype=np.float64)[order], np.zeros(len(order), dtype=np.int64)
    if not len(order):
        return best
    at, come, value = 0, [], scores[: rows[0]] + first
    ended = [value]
    for n in rows[1:]:
        at += len(ended[-1])
        through = ended[-1][:n, :, None] + after
        come.append(through.argmax(1))
        ended.append(through.max(1) + scores[at : at + n])
    place, chosen = len(order), None
    for t in range(len(rows) - 1, -1, -1):
        place -= rows[t]
        now = ended[t].argmax(1)  # of rows that end here
        if chosen is not None:
            now[: len(chosen)] = np.take_along_axis(come[t], chosen[:, None], 1)[:, 0]
        best[order[place : place + rows[t]]] = chosen = now
    return best


# Agreement

COUNTS = ("true", "said", "right", "missed", "invented", "wrong_edge", "wrong_type")


def agreement(said: Sequence[Span], truth: Sequence[Span]) -> tuple[int, ...]:
    """How two sets of spans of one text agree, as `COUNTS` names it.

    >>> dict(zip(COUNTS, agreement([(0, 2, "PER"), (4, 6, "LOC")], [(0, 2, "PER"), (4, 7, "LOC")])))
    {'true': 2, 'said': 2, 'right': 1, 'missed': 0, 'invented': 0, 'wrong_edge': 1, 'wrong_type': 0}

    Right is what has the edges and the type. The rest is paired off from the left: a said span and the first true one that it
    overlaps are one error, of type where the edges are the same, of edge otherwise. True spans that are left are missed,
    said ones invented. So right, missed, wrong edge and wrong type make up what is true. These are the classes of nervaluate
    (strict: missed, spurious, incorrect; exact: incorrect), after Chinchor and Sundheim 1993.
    """
    real, there = set(map(tuple, truth)), set(map(tuple, said))
    left, kinds = sorted(real - there), {"invented": 0, "wrong_edge": 0, "wrong_type": 0}
    for span in sorted(there - real):
        other = next((one for one in left if span[0] < one[1] and one[0] < span[1]), None)
        kinds["invented" if other is None else "wrong_type" if span[:2] == other[:2] else "wrong_edge"] += 1
        if other:
            left.remove(other)
    return len(real), len(there), len(real & there), len(left), *kinds.values()


def overlapping(spans: Sequence[Span]) -> tuple[Span, Span] | None:
    """The first two of these spans that overlap, None where no two do."""
    return next(((a, b) for a, b in itertools.pairwise(sorted(spans)) if b[0] < a[1]), None)
