"""Answers without a network: a look-up of what stood around earlier answers, and a rule that learns nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from labkit.base.records import Example
from labkit.modalities.text import same_text
from labkit.tasks.contract import Baseline

BEFORE = (4, 3, 2, 1)  # characters before an answer that are remembered, the longest first
SENTENCE = re.compile(r"[^，。；！？、,;!?\s]+")
NOTHING = {"text": "", "start": None, "probability": 1.0}


def look_up(train: Sequence[Example], no_answer: bool) -> Baseline:
    """Of the training question that is most alike, what stood before its answers and what behind; the same is looked for in
    the context. It learns wordings and forms by heart, and understands nothing."""
    before, behind, seen = defaultdict(Counter), Counter(), []
    for one in train:
        question, context = one.input
        span = next(((start, start + len(text)) for text, start in one.target if start >= 0), None)
        key = same_text(question)
        seen.append(key)
        if span:
            before[key].update(context[max(0, span[0] - n) : span[0]] for n in BEFORE)
            behind[context[span[1] : span[1] + 1]] += 1
    grams = {key: pairs(key) for key in dict.fromkeys(seen)}
    ends = {c for c, n in behind.items() if c and n >= 0.02 * len(train)}

    def answer(inputs: Sequence) -> list[dict]:
        return [looked_up(question, context) for question, context in inputs]

    def looked_up(question: str, context: str) -> dict:
        key = same_text(question)
        mine = pairs(key)
        alike = key if key in grams else max(grams, key=lambda k: (len(grams[k] & mine) / len(grams[k] | mine), k))
        found = sorted(before[alike].items(), key=lambda item: (-len(item[0]), -item[1], item[0]))
        for text, times in found:
            if (place := context.find(text)) >= 0 and text and (times > 1 or len(text) > 1):
                return stretch(context, place + len(text), ends)
        return NOTHING if no_answer else stretch(context, 0, ends)

    return Baseline("look-up of what stands before answers", answer, sum(map(len, before.values())))


def stretch(context: str, start: int, ends: set[str]) -> dict:
    """The text from `start` up to the first character that ends answers."""
    end = next((i for i in range(start + 1, len(context)) if context[i] in ends), len(context))
    return {"text": context[start:end], "start": start, "probability": 1.0}


def pairs(text: str) -> frozenset[str]:
    """Characters and pairs of them.

    >>> sorted(pairs("ab"))
    ['a', 'ab', 'b']
    """
    return frozenset(text[i : i + n] for n in (1, 2) for i in range(len(text) - n + 1))


def sliding_window() -> Baseline:
    """The piece between two signs that has most in common with the question, without what it has in common at its beginning
    (Richardson, Burges and Renshaw 2013 slide a window so over stories)."""
    return Baseline("piece that is most like the question", lambda inputs: [likest(*pair) for pair in inputs])


def likest(question: str, context: str) -> dict:
    """
    >>> likest("电话是多少？", "地址：青石路，电话：62001")["text"]
    '62001'
    """
    mine = pairs(same_text(question))
    pieces = [(m.start(), m.group()) for m in SENTENCE.finditer(context)] or [(0, context)]
    start, piece = max(pieces, key=lambda p: (len(pairs(same_text(p[1])) & mine), -p[0]))
    lead = max((i + 1 for i, c in enumerate(piece) if c in mine or c in "：:"), default=0)
    lead = lead if lead < len(piece) else 0
    return {"text": piece[lead:], "start": start + lead, "probability": 1.0}
