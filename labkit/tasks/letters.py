"""How far what was written is from what was said: word and character error rates, exact matches; as counts that add up."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from labkit.tasks.contract import Metric


def exact_match(counts) -> Any:
    """Of summed counts (..., 6): rows that were answered, those answered exactly, wrong characters and all, wrong words and all."""
    return counts[..., 1] / counts[..., 0].clip(1)


def character_errors(counts) -> Any:
    return counts[..., 2] / counts[..., 3].clip(1)


def word_errors(counts) -> Any:
    return counts[..., 4] / counts[..., 5].clip(1)


MATCH = Metric("exact_match", ("完全匹配", "exact match"), exact_match, share=True)
CER = Metric("cer", ("字错误率", "character error rate"), character_errors, greater=False, top=float("inf"))
WER = Metric("wer", ("词错误率", "word error rate"), word_errors, greater=False, top=float("inf"))


def edits(said: Sequence, truth: Sequence) -> int:
    """The fewest insertions, deletions and replacements that make one sequence the other (Levenshtein 1966).

    >>> edits("kitten", "sitting")
    3
    """
    row = list(range(len(truth) + 1))
    for i, one in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def tidy(text: str) -> str:
    """What is compared: composed characters, one space where there is white space, none around it."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def words(text: str) -> list[str]:
    """The words of a text; a Chinese or Japanese character is one of its own, since nothing stands between them.

    >>> words("turn left 向左转")
    ['turn', 'left', '向', '左', '转']
    """
    spaced = "".join(f" {c} " if "\u3040" <= c <= "\u9fff" else c for c in text)
    return spaced.split()


def letter_counts(said: str | None, truth: str) -> list[float]:
    """The six numbers of a row; all 0 where it was not asked in writing."""
    if said is None:
        return [0.0] * 6
    said, truth = tidy(said), tidy(truth)
    spoken, true = words(said), words(truth)
    return [1, said == truth, edits(said, truth), len(truth), edits(spoken, true), len(true)]
