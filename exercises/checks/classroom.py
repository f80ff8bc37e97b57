"""`labkit class DIR`: a folder of reports becomes a table and figures for the instructor.

Several reports of one name are joined; for each exercise the newest one that has it counts. Its figures are in figures.py.
"""

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from html import escape
from pathlib import Path

from labkit_exercises.exercise import PASSED, UNTOUCHED, catalogue
from labkit_exercises.handin import KIND, page
from labkit_exercises.journal import TRIED, Standing

import labkit as lk
from labkit import BadInput, listing, tr

MARKS = {PASSED: "✓", TRIED: "✗", UNTOUCHED: "·"}
SHADES = {PASSED: "#22883344", TRIED: "#ee667744", UNTOUCHED: "transparent"}


@dataclass(frozen=True)
class Class:
    """Students and where each stands with each exercise; `skipped` names the files that were no reports, and why."""

    students: dict[str, dict[str, Standing]]
    exercises: tuple[str, ...]
    skipped: dict[str, str]

    def of(self, name: str, id: str) -> Standing:
        return self.students[name].get(id) or Standing(id, UNTOUCHED, 0, 0, None, None)

    def passed(self, name: str) -> int:
        return sum(self.of(name, id).status == PASSED for id in self.exercises)

    def column(self, id: str) -> list[Standing]:
        return [self.of(name, id) for name in self.students]

    def __str__(self) -> str:
        """A line a student, a column an exercise, and how many passed each."""
        wide = max(map(lk.display.display_width, self.students))

        def line(name: str, cells, total: str = "") -> str:
            return f"{name}{' ' * (wide - lk.display.display_width(name))} {' '.join(f'{c:>4}' for c in cells)}  {total}".rstrip()

        marks = {name: [MARKS[self.of(name, id).status] for id in self.exercises] for name in self.students}
        done = [sum(s.status == PASSED for s in self.column(id)) for id in self.exercises]
        lines = [line(name, cells, f"{self.passed(name)}/{len(cells)}") for name, cells in marks.items()]
        return "\n".join([line("", self.exercises), *lines, line("", done)])

    def to_json(self) -> dict:
        """What `--json` prints."""
        students = [
            {"name": name, "passed": self.passed(name), "tries": sum(self.of(name, id).tries for id in self.exercises)}
            for name in self.students
        ]
        exercises = [
            {"id": id, "passed": sum(s.status == PASSED for s in column), "tries": [s.tries for s in column]}
            for id, column in ((id, self.column(id)) for id in self.exercises)
        ]
        return {"students": students, "exercises": exercises, "skipped": self.skipped}


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
    for name, _, found in sorted(reports, key=lambda r: r[:2]):
        students.setdefault(name, {}).update(found)  # the newest comes last
    known = {id for found in students.values() for id in found}
    return Class(students, tuple(sorted(known)), skipped)


def read_report(path: Path) -> tuple[str, datetime, dict[str, Standing]]:
    """Name, time and standings of one report. Raises ValueError saying why it is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("kind") != KIND:
            raise ValueError
        found = [Standing(**{f.name: each[f.name] for f in fields(Standing)}) for each in record["exercises"]]
        good = all(s.status in MARKS and min(s.tries, s.hints) >= 0 and s.id for s in found)
        name, written = str(record["name"]).strip(), datetime.fromisoformat(record["written"])
        if not good or not name or written.tzinfo is None:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):  # a broken file, or one made by something else
        raise ValueError(tr("不是完整的 labkit 报告", "no whole labkit report")) from None
    return name, written, {s.id: s for s in found}


def write_class(found: Class, out) -> list[Path]:
    """class.csv (a line a student and exercise), class.html (one self-contained page), and its two figures."""
    from labkit_exercises import figures as classroom

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    columns = {id: found.column(id) for id in found.exercises}
    figures = {"class-standing.png": classroom.standing(columns), "class-tries.png": classroom.tries(columns)}
    pictures = []
    for name, figure in figures.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120)
        (out / name).write_bytes(buffer.getvalue())
        pictures.append(
            f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
        )
    lk.files.write_text(out / "class.csv", as_csv(found))
    title = tr("班级练习情况", "Exercises of the class")
    lk.files.write_text(
        out / "class.html", page(title, f"<h2>{title}</h2>{grid(found)}{''.join(pictures)}{left_out(found)}")
    )
    return [out / name for name in ("class.html", "class.csv", *figures)]


def as_csv(found: Class) -> str:
    """UTF-8 with the mark by which spreadsheets know it; a name that looks like a formula is quoted for them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "exercise", "status", "tries", "hints", "first", "passed"])
    for name in found.students:
        for id in found.exercises:
            s = found.of(name, id)
            safe = f"'{name}" if name[0] in "=+-@" else name
            writer.writerow([safe, id, s.status, s.tries, s.hints, s.first or "", s.passed or ""])
    return "\ufeff" + text.getvalue()


def grid(found: Class) -> str:
    """Students down, exercises across; each cell says the status and the tries."""
    titles = {id: catalogue()[id].title if id in catalogue() else "" for id in found.exercises}
    head = "".join(f'<th title="{escape(titles[id])}">{escape(id)}</th>' for id in found.exercises)
    rows = "".join(f'<tr><td class="t">{escape(n)}</td>{student_cells(found, n)}</tr>' for n in found.students)
    note = tr("✓ 通过，✗ 还没通过，· 未开始；数字是次数", "✓ passed, ✗ not yet, · not begun; numbers are tries")
    table = f'<table><thead><tr><th class="t"></th>{head}<th>✓</th></tr></thead><tbody>{rows}</tbody></table>'
    return lk.display.box(f'<p class="m">{note}</p>', table)


def student_cells(found: Class, name: str) -> str:
    standings: Sequence[Standing] = [found.of(name, id) for id in found.exercises]
    cells = (
        f'<td style="background:{SHADES[s.status]};text-align:center;padding:.15em .4em">{MARKS[s.status]} {s.tries or ""}</td>'
        for s in standings
    )
    return "".join(cells) + f"<td>{found.passed(name)}</td>"


def left_out(found: Class) -> str:
    if not found.skipped:
        return ""
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found.skipped.items())
    return f"<p>{tr('没有读的文件：', 'Files that were not read:')}</p><ul>{lines}</ul>"
