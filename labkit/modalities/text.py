"""Texts that stand in two splits, the same or nearly so: found by the trigrams that they share. Leans on data."""

import functools
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

LIKE = 0.8  # the share of trigrams in common (Jaccard) from which two texts are nearly the same


def twins(earlier: Sequence[str], later: Sequence[str]) -> list[tuple[int, int, float]]:
    """For each later text with a twin: (earlier row, later row, likeness); 1.0 for equal texts, else the trigrams in common.

    >>> twins(["今天的外卖特别好吃送得也快"], ["今天的外卖特别好吃送得也快！"])
    [(0, 0, 1.0)]

    Short texts count only where they are equal. Texts whose rarest trigrams differ cannot be alike enough: they are
    never compared (prefix filtering: Chaudhuri, Ganti and Kaushik 2006).
    """
    keys = [same_text(t) for t in earlier]
    place = {key: i for i, key in reversed(list(enumerate(keys)))}
    known = [trigrams(key) for key in keys]
    often = Counter(g for grams in known for g in grams)
    holding = defaultdict(list)
    for i, grams in enumerate(known):
        for gram in rarest(grams, often):
            holding[gram].append(i)
    found = []
    for j, text in enumerate(later):
        key = same_text(text)
        if key in place:
            found.append((place[key], j, 1.0))
            continue
        grams = trigrams(key)
        others = {i for gram in rarest(grams, often) for i in holding.get(gram, ())}
        alike = max(((len(known[i] & grams) / len(known[i] | grams), -i) for i in others), default=(0.0, 0))
        if alike[0] >= LIKE:
            found.append((-alike[1], j, min(alike[0], 0.999)))
    return found


def trigrams(key: str) -> frozenset[str]:
    return frozenset(key[i : i + 3] for i in range(len(key) - 2))


def rarest(grams: frozenset[str], often: Counter) -> list[str]:
    """The trigrams of which one must be shared by any text that is alike; none for texts too short to judge."""
    if len(grams) < 8:
        return []
    return sorted(grams, key=lambda g: (often[g], g))[: len(grams) - math.ceil(LIKE * len(grams)) + 1]


def same_text(text: str) -> str:
    """What two texts must share to count as one: width, case, punctuation and white space are ignored, emoji are not.

    >>> same_text("Ｇｏｏｄ，好！"), same_text("好😡")
    ('good好', '好😡')
    """
    return "".join(filter(tells, unicodedata.normalize("NFKC", text).lower())) or text


@functools.cache
def tells(character: str) -> bool:
    """Letters, marks, digits and pictures; not the signs that only choose how an emoji is drawn."""
    kind = unicodedata.category(character)
    return (kind[0] in "LMN" or kind == "So") and not 0xFE00 <= ord(character) <= 0xFE0F
