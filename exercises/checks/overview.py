"""Where a student stands, lesson by lesson: a bar each, and the exercises folded below it. `progress` shows it.

The page that is handed in shows the same, with the times. One lesson alone is shown unfolded.
"""

from collections.abc import Callable, Sequence
from html import escape

from labkit_exercises import calibration
from labkit_exercises.exercise import PASSED, UNTOUCHED, Exercise, lesson_title
from labkit_exercises.journal import TRIED, Standing, standings
from labkit_exercises.ledger import Guess, book
from labkit_exercises.questions import lesson_of

import labkit as lk
from labkit import tr

Lines = Sequence[tuple[Exercise, Standing]]
PARTS = ((PASSED, "#228833"), (TRIED, "#ee6677"))  # shares of a bar, with their colours
STYLE = (
    "<style>.labkit summary{cursor:pointer;white-space:nowrap;padding:.1em 0}.labkit summary>span{display:inline-block}"
    ".labkit .bar{width:9em;height:.75em;background:rgba(128,128,128,.25);margin:0 .8em;font-size:inherit;line-height:0}"
    ".labkit .bar>span{display:inline-block;height:100%}.labkit details>table{margin-left:1.6em}"
    ".labkit .n{width:3.6em;text-align:right;margin-right:.9em;font-variant-numeric:tabular-nums}</style>"
)


def spoken(status: str) -> str:
    return {
        PASSED: tr("✓ 通过", "✓ passed"),
        TRIED: tr("✗ 还没通过", "✗ not yet"),
        UNTOUCHED: tr("· 未开始", "· not begun"),
    }[status]


def by_lesson(lines: Lines) -> dict[str, Lines]:
    """The same lines, a list a lesson, in the order of the course."""
    lessons = dict.fromkeys(task.lesson for task, _ in lines)
    return {lesson: [(t, s) for t, s in lines if t.lesson == lesson] for lesson in lessons}


def count(lines: Lines, status: str = PASSED) -> int:
    return sum(s.status == status for _, s in lines)


def summary(lines: Lines) -> str:
    return tr(f"通过 {count(lines)} / {len(lines)}", f"{count(lines)} of {len(lines)} passed")


def bar_text(share: float, width: int = 10) -> str:
    """A bar of blocks, full or empty only where the share is: `bar_text(0.5) == "█████░░░░░"`."""
    full = width if share >= 1 else min(max(round(share * width), share > 0), width - 1)
    return "█" * full + "░" * (width - full)


def bar_html(lines: Lines) -> str:
    """A bar of the passed and the tried, as wide for every lesson."""
    parts = (f'<span style="width:{100 * count(lines, s) / len(lines):.4g}%;background:{c}"></span>' for s, c in PARTS)
    return f'<span class="bar">{"".join(parts)}</span>'


def folded_html(lines: Lines, table: Callable[[Lines], str]) -> str:
    """A line a lesson that opens to its table; of one lesson the table alone."""
    groups = by_lesson(lines)
    if len(groups) < 2:
        return table(lines)
    parts = (
        f'<details><summary>{escape(lesson)}{bar_html(rows)}<span class="n">{count(rows)} / {len(rows)}</span>'
        f"{escape(lesson_title(lesson))}</summary>{table(rows)}</details>"
        for lesson, rows in groups.items()
    )
    note = tr("绿：通过，红：还没通过", "green: passed, red: not yet")
    return f'{STYLE} <span class="m">{note}</span>{"".join(parts)}'


class Progress:
    """Where a student stands with exercises and guesses, as text and as HTML."""

    def __init__(self, lines: Lines, guesses: Sequence[Guess] = ()):
        self.lines, self.guesses = lines, guesses

    @property
    def header(self) -> list[str]:
        return [tr("练习", "exercise"), "", tr("状态", "status"), tr("次数", "tries"), tr("提示", "hints")]

    @staticmethod
    def cells(lines: Lines) -> list[list[str]]:
        return [[t.id, t.title, spoken(s.status), str(s.tries), str(s.hints)] for t, s in lines]

    def __repr__(self) -> str:
        return "\n".join([self.exercises(), *calibration.lines(self.guesses)])

    def exercises(self) -> str:
        """The part on exercises, for a terminal."""
        groups = by_lesson(self.lines)
        if len(groups) < 2:
            lines = [
                f"{id}  {status}  ({tries}, {hints})  {t}" for id, t, status, tries, hints in self.cells(self.lines)
            ]
            return "\n".join([f"{summary(self.lines)} {tr('（次数, 用过的提示）', '(tries, hints used)')}", *lines])
        done = {lesson: f"{count(rows)} / {len(rows)}" for lesson, rows in groups.items()}
        wide = max(map(len, done.values()))
        lines = [
            f"{lesson}  {bar_text(count(rows) / len(rows))}  {done[lesson]:>{wide}}  {lesson_title(lesson)}".rstrip()
            for lesson, rows in groups.items()
        ]
        more = tr('lk.progress("01") 列出一课里的练习。', 'lk.progress("01") lists the exercises of a lesson.')
        return "\n".join([summary(self.lines), *lines, more])

    def _repr_html_(self) -> str:
        def table(lines):
            return lk.display.table_html(self.header, self.cells(lines), left=3)

        guesses = calibration.html(self.guesses)
        return lk.display.box(f"<b>{summary(self.lines)}</b>", folded_html(self.lines, table), guesses)


def progress(lesson: str | None = None) -> Progress:
    """Where you stand: a line a lesson, which opens to its exercises with status, tries and hints; and how well your guesses
    held what they said.

    `progress("03")` shows the exercises and guesses of one lesson at once.
    """
    return Progress(standings(lesson), guesses_of(lesson))


def guesses_of(lesson: str | None = None) -> list[Guess]:
    """The student's guesses in a lesson, or all of them."""
    return [guess for guess in book().values() if lesson in (None, lesson_of(guess.id))]
