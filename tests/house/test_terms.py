"""The course speaks the field's terms, as docs/TERMS.md lists them, and tells of no run that a student can't open."""

import re
from collections import Counter
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
TERMS = (ROOT / "docs" / "TERMS.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks" / "src").glob("*.py"))
CHECKS = ROOT / "exercises" / "checks"
SPOKEN = [*NOTEBOOKS, *sorted((CHECKS / "words").glob("*.toml")), *sorted((CHECKS / "references").glob("*.toml"))]
LABELS = sorted((ROOT / "labkit").rglob("*.py"))  # of figures and panels
ELSEWHERE = re.compile(  # sentences that tell of runs: of somebody, at another time
    r"我们(又|也|还|另外|先|分开)?(试过|跑过|跑了|练过|试了)|我们在.{0,12}(试|练|跑)了?|用[三四五六七八九十]个种子跑过"
    r"|[三四五六七八九十]个种子(都|平均|里)|让它.{0,30}个种子|做这套工具时"
    r"|\b[Ww]e (tried|ran|let it|ourselves)\b|[Ww]e trained it|[Ww]hen the kit was made|mean of (three|four|five|eight) seeds"
    r"|(all|each|every one) of (the )?(three|four|five|eight) seeds"
)


def private_words():
    """From the table of words that are not used: a word, and how many times a notebook's number or a file may hold it."""
    table = TERMS.partition("不用的词")[2]
    for line in table.splitlines():
        if line.startswith("| ") and not line.startswith(("| private", "|---")):
            word, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
            yield word, dict(place.split(": ") for place in allowed.split(", ") if place)


def place(path):
    """The number of a lesson, or the file's name."""
    return path.stem.split("_")[0] if path in SPOKEN else path.stem


@pytest.mark.parametrize(("word", "allowed"), [*private_words()], ids=[word for word, _ in private_words()])
def test_a_private_word_stands_only_where_terms_lets_it(word, allowed):
    pattern = re.compile(rf"\b{re.escape(word)}" if word.isascii() else re.escape(word))
    found = Counter()
    for path in [*SPOKEN, *([] if word.isascii() else LABELS)]:
        found[place(path)] += len(pattern.findall(path.read_text(encoding="utf-8")))
    assert {name: n for name, n in found.items() if n > int(allowed.get(name, 0))} == {}


def test_every_line_of_terms_has_a_term_a_word_and_a_meaning():
    lines = [line for line in TERMS.splitlines() if line.startswith("| ")]
    assert len(lines) > 100 and {line.count("|") for line in lines} == {4}
    named = [line.split("|")[1].strip() for line in lines]
    assert [name for name, n in Counter(named).items() if n > 1] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_sentence_tells_of_runs_that_a_student_cannot_open(path, language):
    cells = [c for c in jupytext.read(path, fmt="py:percent").cells if c.metadata.get("lang") in (None, language)]
    for number, cell in enumerate(cells):
        told = ELSEWHERE.search(cell.source) if cell.cell_type == "markdown" else None
        near = " ".join(c.source for c in cells[max(0, number - 4) : number + 5] if c.cell_type == "code")
        shown = ("lk.runs(", "lk.files.ASSETS", "for seed in")  # records that came with labkit, or seeds run right here
        opened = any(source in near for source in shown)
        assert not told or opened, cell.source[max(0, told.start() - 40) :][:160]
