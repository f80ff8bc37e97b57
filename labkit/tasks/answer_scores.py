"""How right an answer in words is, by two rules that are never mixed: CMRC 2018's, and SQuAD's on characters.

Both take the best over several references. A question without an answer is answered rightly by "" alone (SQuAD 2.0).
Notebook 11 compares the two.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

# CMRC 2018 leaves these out, and no others: "…", for one, stays
SIGNS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
# A Chinese character is a unit. Of the rest, words and numbers are: CMRC's script has nltk's tokenizer here
UNIT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,'’][^\W\u4e00-\u9fa5]+)*|[^\w\s]")
ARTICLES = re.compile(r"\b(a|an|the)\b")


def cmrc_text(text: str) -> str:
    """What is compared for an exact match: lower case, without the signs and outer white space.

    >>> cmrc_text(" 《Red River》，2 版 ")
    'red river2 版'
    """
    return "".join(c for c in text.lower().strip() if c not in SIGNS)


def cmrc_units(text: str) -> list[str]:
    """
    >>> cmrc_units("共3.5斤，Red枣")
    ['共', '3.5', '斤', 'red', '枣']
    """
    return UNIT.findall(cmrc_text(text))


def longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest run of units that both have, without a gap."""
    longest, above = 0, [0] * (len(other) + 1)
    for unit in one:
        row = [0]
        for j, theirs in enumerate(other):
            row.append(above[j] + 1 if unit == theirs else 0)
        longest, above = max(longest, *row), row
    return longest


def cmrc_match(said: str, reference: str) -> float:
    return float(cmrc_text(said) == cmrc_text(reference))


def cmrc_f1(said: str, reference: str) -> float:
    """F1 of the longest run of units in common, as CMRC 2018 has it.

    >>> round(cmrc_f1("青石路12号门口", "青石路12号"), 2), cmrc_f1("一二三四", "四三二一")
    (0.83, 0.25)
    """
    mine, theirs = cmrc_units(said), cmrc_units(reference)
    return harmonic(longest_run(mine, theirs), mine, theirs)


def squad_characters(text: str) -> str:
    """Lower case, without Latin and Chinese punctuation, English articles and white space."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation and c not in SIGNS)
    return "".join(ARTICLES.sub(" ", bare).split())


def squad_match(said: str, reference: str) -> float:
    return float(squad_characters(said) == squad_characters(reference))


def squad_f1(said: str, reference: str) -> float:
    """F1 of the bag of characters: SQuAD's rule, with characters for words. Order counts nothing.

    >>> squad_f1("一二三四", "四三二一")
    1.0
    """
    mine, theirs = squad_characters(said), squad_characters(reference)
    return harmonic(sum((Counter(mine) & Counter(theirs)).values()), mine, theirs)


def harmonic(common: int, mine: Sequence, theirs: Sequence) -> float:
    """2 · precision · recall / (precision + recall); nothing against nothing is 1."""
    return 2 * common / (len(mine) + len(theirs)) if mine or theirs else 1.0


RULES = {"exact_match": cmrc_match, "f1": cmrc_f1, "squad_exact_match": squad_match, "squad_f1": squad_f1}


def answer_scores(said: str, references: Sequence[str]) -> tuple[float, ...]:
    """What one answer gets by each of RULES: the best over the references; none at all means that there is no answer.

    >>> answer_scores("青石路12号。", ["路12号", "青石路12号"])
    (1.0, 1.0, 1.0, 1.0)
    >>> answer_scores("", []), answer_scores("红枣", [""])
    ((1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0))
    """
    return tuple(max(rule(said, reference) for reference in references or [""]) for rule in RULES.values())
