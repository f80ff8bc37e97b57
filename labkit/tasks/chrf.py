"""chrF: how much of a text's runs of characters a generated one shares, by counts that add up over rows (Popović 2015)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

ORDER = 6  # the longest runs of characters
BETA = 2  # how much more recall weighs than precision


def chrf_counts(said: str, truth: str) -> list[float]:
    """Of runs of 1 to 6 characters, white space left out: those said, those true, and those of both; 18 numbers."""
    said, truth = ("".join(text.split()) for text in (said, truth))
    runs = [(grams(said, n), grams(truth, n)) for n in range(1, ORDER + 1)]
    return [
        *(s.total() for s, _ in runs),
        *(t.total() for _, t in runs),
        *((s & t).total() for s, t in runs),
    ]


def grams(text: str, n: int) -> Counter:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def chrf(counts: Any) -> Any:
    """Of summed counts (..., 18), chrF between 0 and 1, as sacrebleu has it: precision and recall are means over the lengths
    that both texts have, and F weighs recall twice.

    >>> import numpy as np
    >>> float(chrf(np.array(chrf_counts("今天很好", "今天很好")))), float(chrf(np.array(chrf_counts("是", "否"))))
    (1.0, 0.0)
    """
    said, true, both = (counts[..., i * ORDER : (i + 1) * ORDER] for i in range(3))
    there = (said > 0) & (true > 0)
    lengths = there.sum(-1).clip(1)
    precision = (both / said.clip(1) * there).sum(-1) / lengths
    recall = (both / true.clip(1) * there).sum(-1) / lengths
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall).clip(1e-12)


def exactly(said: str, truth: str) -> bool:
    """Whether two texts are the same but for the white space around them."""
    return said.strip() == truth.strip()


def commonest(answers: Sequence[str]) -> str:
    """The answer that is given most often, the first of equals."""
    return Counter(answers).most_common(1)[0][0]
