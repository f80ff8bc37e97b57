"""`labkit class DIR`: a folder of reports becomes a table and figures for the instructor.

Several reports of one name are joined; for each exercise the newest one that has it counts. The page is in classpage.py,
the figures in figures.py.
"""

import csv
import io
import json
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit_exercises import calibration, ledger
from labkit_exercises.exercise import PASSED, UNTOUCHED, catalogue
from labkit_exercises.handin import KIND
from labkit_exercises.journal import TRIED, Standing

import labkit as lk
from labkit import BadInput, listing, tr

SHADES = {PASSED: "#22883344", TRIED: "#ee667744", UNTOUCHED: "transparent"}


@dataclass(frozen=True)
class Class:
    """Students, where each stands with each exercise, and what each guessed; `skipped` names the files that were no reports,
    and why."""

    students: dict[str, dict[str, Standing]]
    exercises: tuple[str, ...]
    skipped: dict[str, str]
    guesses: dict[str, dict[str, ledger.Guess]] = field(default_factory=dict)  # of each student, by the guess's id

    def guessed(self, name: str | None = None) -> list[ledger.Guess]:
        """The guesses of a student, or of the whole class."""
        return [guess for who, found in self.guesses.items() if name in (None, who) for guess in found.values()]

    def surprises(self) -> list[calibration.Tally]:
        """What was guessed, a tally a question, first where the class was most often mistaken."""
        found = calibration.tallies(self.guessed(), lambda guess: guess.id).values()
        return sorted(found, key=lambda one: (one.interval[1], one.share))

    def of(self, name: str, id: str) -> Standing:
        return self.students[name].get(id) or Standing(id, UNTOUCHED, 0, 0, None, None)

    def passed(self, name: str) -> int:
        return sum(self.of(name, id).status == PASSED for id in self.exercises)

    def passed_by_lesson(self, name: str) -> list[str]:
        return [str(sum(self.of(name, id).status == PASSED for id in ids)) for ids in self.lessons.values()]

    def column(self, id: str) -> list[Standing]:
        return [self.of(name, id) for name in self.students]

    @property
    def lessons(self) -> dict[str, list[str]]:
        """The exercises of each lesson."""
        found: dict[str, list[str]] = {}
        for id in self.exercises:
            found.setdefault(id.partition(".")[0], []).append(id)
        return found

    def share(self, lesson: str | None = None) -> float:
        """How much of a lesson (of everything) the class has passed, from 0 to 1."""
        every = [
            s for id in self.exercises if id.partition(".")[0] == lesson or lesson is None for s in self.column(id)
        ]
        return sum(s.status == PASSED for s in every) / len(every)

    def hardest(self) -> list[str]:
        """Exercises, hardest first: of those who began one, who has not passed counts 1, who passed with hints ½.

        One student more than began is counted, so that an exercise which only one has met does not stand in front.
        """

        def ease(id: str) -> tuple[float, int]:
            begun = [s for s in self.column(id) if s.status != UNTOUCHED]
            heavy = sum(1 if s.status == TRIED else 0.5 for s in begun if s.status == TRIED or s.hints)
            return -heavy / (len(begun) + 1), -sum(s.tries for s in begun)

        return sorted(self.exercises, key=ease)

    def __str__(self) -> str:
        """A line a student, a column a lesson with what was passed of it, and the hardest exercises."""
        header = ["", *self.lessons, tr("共", "all")]
        rows = [
            [name, *self.passed_by_lesson(name), f"{self.passed(name)}/{len(self.exercises)}"] for name in self.students
        ]
        rows.append(
            [tr("全班", "class"), *(f"{self.share(lesson):.0%}" for lesson in self.lessons), f"{self.share():.0%}"]
        )
        hard = [f"  {id} {title_of(id)}".rstrip() for id in self.hardest()[:5] if any(s.tries for s in self.column(id))]
        table = [lk.display.table_text(header, rows), tr("最难的：", "hardest:"), *hard]
        return "\n".join([*table, *calibration.lines(self.guessed())])

    def to_json(self) -> dict:
        """What `--json` prints."""
        students = [
            {"name": name, "passed": self.passed(name), "tries": sum(self.of(name, id).tries for id in self.exercises)}
            | told(calibration.everything(self.guessed(name)))
            for name in self.students
        ]
        exercises = [
            {"id": id, "passed": sum(s.status == PASSED for s in column), "tries": [s.tries for s in column]}
            for id, column in ((id, self.column(id)) for id in self.exercises)
        ]
        guesses = [{"id": one.name} | told(one) for one in self.surprises()]
        return {"students": students, "exercises": exercises, "guesses": guesses, "skipped": self.skipped}


def told(found: calibration.Tally | None) -> dict:
    """A tally as `--json` has it; nothing where nothing came out."""
    return {"guesses": found.n, "held": found.held, "stated": round(found.stated, 3)} if found else {}


def title_of(id: str) -> str:
    """An exercise's title; "" for one that this version does not have."""
    return catalogue()[id].title if id in catalogue() else ""


def read_class(folder) -> Class:
    """All reports in a folder and below it."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(
            tr(f"没有目录 {folder}。请给放报告的目录。", f"No folder {folder}. Give the folder that holds the reports.")
        )
    reports, skipped = [], {}
    for path in sorted(folder.rglob("*.json")):
        try:
            reports.append(read_report(path))
        except ValueError as error:
            skipped[path.relative_to(folder).as_posix()] = str(error)
    if not reports:
        raise BadInput(
            tr(
                f"{folder} 里没有报告。报告是学生用 lk.report(name=...) 写的 labkit-report-*.json；跳过的文件：{listing(skipped) or '无'}。",
                f"{folder} holds no report. Reports are the labkit-report-*.json that students write with "
                f"lk.report(name=...); files skipped: {listing(skipped) or 'none'}.",
            )
        )
    students: dict[str, dict[str, Standing]] = {}
    guesses: dict[str, dict[str, ledger.Guess]] = {}
    for name, _, found, guessed in sorted(reports, key=lambda r: r[:2]):
        students.setdefault(name, {}).update(found)  # the newest comes last
        guesses.setdefault(name, {}).update(guessed)
    known = {id for found in students.values() for id in found}
    return Class(students, tuple(sorted(known)), skipped, guesses)


def read_report(path: Path) -> tuple[str, datetime, dict[str, Standing], dict[str, ledger.Guess]]:
    """Name, time, standings and guesses of one report. Raises ValueError saying why it is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("kind") != KIND:
            raise ValueError
        found = [Standing(**{f.name: each[f.name] for f in fields(Standing)}) for each in record["exercises"]]
        good = all(s.status in SHADES and min(s.tries, s.hints) >= 0 and s.id for s in found)
        guessed = [guess_of(line) for line in record.get("guesses", ())]  # older reports have none
        name, written = str(record["name"]).strip(), datetime.fromisoformat(record["written"])
        if not good or not name or written.tzinfo is None:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):  # a broken file, or one made by something else
        raise ValueError(tr("不是完整的 labkit 报告", "no whole labkit report")) from None
    return name, written, {s.id: s for s in found}, {guess.id: guess for guess in guessed}


def guess_of(line: dict) -> ledger.Guess:
    """One guess of a report. Raises ValueError where it is none."""
    given, came = ledger.parsed(line), line["came"]
    if given is None or not (came is None or ledger.fits(given, came)):
        raise ValueError
    return replace(given, came=came)


def write_class(found: Class, out) -> list[Path]:
    """class.csv (a line a student and exercise), class.html (one self-contained page), and the figures; where somebody
    guessed, guesses.csv (a line a student and guess) and the class's calibration curve."""
    from labkit_exercises import figures as classroom
    from labkit_exercises.classpage import class_page

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    columns = {id: found.column(id) for id in found.hardest()}
    figures = {"class-standing.png": classroom.standing(columns), "class-tries.png": classroom.tries(columns)}
    texts = {"class.html": class_page(found), "class.csv": as_csv(found)}
    if calibration.everything(found.guessed()):
        figures["class-guesses.png"] = lk.plots.figure_of([calibration.curve(found.guessed())])
        texts["guesses.csv"] = guesses_csv(found)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=120)
    for name, text in texts.items():
        lk.files.write_text(out / name, text)
    return [out / name for name in (*texts, *figures)]


def as_csv(found: Class) -> str:
    """UTF-8 with the mark by which spreadsheets know it; a name that looks like a formula is quoted for them."""
    standings = [(name, id, found.of(name, id)) for name in found.students for id in found.exercises]
    rows = [[safe(name), id, s.status, s.tries, s.hints, s.first or "", s.passed or ""] for name, id, s in standings]
    return spreadsheet(["name", "exercise", "status", "tries", "hints", "first", "passed"], rows)


def guesses_csv(found: Class) -> str:
    """Each guess of each student; `held` is empty where nothing has come out, `late` says that the result was known."""
    guesses = [(name, guess) for name, each in found.guesses.items() for guess in each.values()]
    rows = [
        [safe(name), g.id, *map(blank, (g.low, g.high, g.choice)), g.sure, blank(g.came), blank(g.held), g.late, g.at]
        for name, g in guesses
    ]
    return spreadsheet(["name", "guess", "low", "high", "choice", "sure", "came", "held", "late", "at"], rows)


def blank(value) -> Any:
    return "" if value is None else value


def safe(name: str) -> str:
    return f"'{name}" if name[0] in "=+-@" else name


def spreadsheet(header: list[str], rows: list[list]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([header, *rows])
    return "\ufeff" + text.getvalue()
