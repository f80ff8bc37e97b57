"""What a student is asked to guess before an experiment: guesses/NN.toml holds the questions of a notebook.

A question has an id, the notebook's number and the section's ("02.10"; a second one there is "02.10b"), words in both
languages, the guess that stands in the notebook's source, and what could be answered: two ends, or a few options.
"""

import functools
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from labkit import tr

ASKED = Path(__file__).parent / "guesses"
SURE = 0.8  # how sure one is where nothing else is said


@dataclass(frozen=True)
class Question:
    """One question; `default` is our guess, (low, high) or the key of an option."""

    id: str
    zh: str
    en: str
    default: tuple[float, float] | str
    within: tuple[float, float] = (0.0, 1.0)  # the ends of what could come out
    options: dict[str, tuple[str, str]] = field(default_factory=dict)  # key: Chinese, English; empty for an interval

    @property
    def words(self) -> str:
        return tr(self.zh, self.en)

    @property
    def step(self) -> float:
        """A hundredth of the range as a round number; whole where the range is."""
        wide = self.within[1] - self.within[0]
        return 1.0 if wide > 20 else 0.1 if wide > 2 else 0.01

    def called(self, key: str) -> str:
        """What an option is called in the language in force."""
        return tr(*self.options.get(key, (key, key)))


@functools.cache
def questions() -> dict[str, Question]:
    """Every question by its id, in the order of the course."""
    found = {}
    for path in sorted(ASKED.glob("*.toml")):
        for id, row in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found[id] = question(id, row)
    return found


def question(id: str, row: dict) -> Question:
    """One entry of a file."""
    default, within = row["default"], row.get("within", (0.0, 1.0))
    options = {key: (zh, en) for key, zh, en in row.get("options", ())}
    return Question(
        id, row["zh"], row["en"], default if options else tuple(map(float, default)), tuple(map(float, within)), options
    )


def lesson_of(id: str) -> str:
    """The notebook that a question belongs to: `lesson_of("02.10b") == "02"`."""
    return id.partition(".")[0]


def place_of(id: str) -> tuple:
    """What ids are sorted by: section 9 before section 10.

    >>> sorted(["02.10", "02.9b", "02.9"], key=place_of)
    ['02.9', '02.9b', '02.10']
    """
    lesson, _, section = id.partition(".")
    number = section.rstrip("abcdefgh")
    return lesson, int(number) if number.isdigit() else 0, section
