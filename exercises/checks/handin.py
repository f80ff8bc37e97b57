"""`report`: what a student hands in, as a JSON file for `labkit class` and an HTML page for people.

Both hold the given name, the standing of each exercise, the guesses, and the times of both; nothing of the machine or its
files.
"""

import json
import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from labkit_exercises import calibration
from labkit_exercises.exercise import Exercise
from labkit_exercises.journal import PATIENCE, Standing, standings
from labkit_exercises.ledger import Guess
from labkit_exercises.overview import folded_html, guesses_of, spoken, summary

import labkit as lk
from labkit import BadInput, __version__, language, tr

KIND = "labkit-report"


@dataclass(frozen=True)
class Report:
    """The two files of a hand-in; shows itself as the page does."""

    json: Path
    html: Path
    page: str

    def __repr__(self) -> str:
        return tr(f"已写好：{self.json.name}，{self.html.name}", f"written: {self.json.name}, {self.html.name}")

    def _repr_html_(self) -> str:
        return self.page


def report(name: str, folder=".", *, lesson: str | None = None) -> Report:
    """Write `labkit-report-NAME.json` and `.html`, to hand in; `lesson="03"` takes one lesson only.

    >>> report("Lin Yue")
    written: labkit-report-Lin-Yue.json, labkit-report-Lin-Yue.html
    """
    if not isinstance(name, str) or not file_name(name):
        raise BadInput(
            tr(
                f"name={name!r} 不行：请写你交作业用的名字，至少要有一个字母或汉字。",
                f"name={name!r} won't do: give the name you hand in under, with a letter or digit in it.",
            )
        )
    lines, guesses, written = standings(lesson), guesses_of(lesson), datetime.now(UTC).isoformat(timespec="seconds")
    record = {"kind": KIND, "labkit": __version__, "name": name.strip(), "written": written}
    record["exercises"] = [asdict(s) for _, s in lines]
    record["guesses"] = [asdict(guess) for guess in guesses]
    stem = Path(folder) / f"labkit-report-{file_name(name)}{f'-{lesson}' if lesson else ''}"
    paths = [stem.with_name(stem.name + ending) for ending in (".json", ".html")]
    shown = body(name.strip(), written, lines, guesses)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with lk.files.held(stem, wait=PATIENCE):  # two notebooks may hand in under one name
        lk.files.write_text(paths[0], json.dumps(record, ensure_ascii=False, indent=1) + "\n")
        lk.files.write_text(paths[1], page(tr("labkit 练习报告", "labkit report") + f" · {name.strip()}", shown))
    return Report(*paths, shown)


def file_name(name: str) -> str:
    """Letters, digits and hanzi of a name, with dashes between the words: safe on every system.

    >>> file_name("Lin  Yue / 林月")
    'Lin-Yue-林月'
    """
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in unicodedata.normalize("NFC", name))
    return "-".join("".join(kept).split())[:60]


def body(name: str, written: str, lines: list[tuple[Exercise, Standing]], guesses: list[Guess]) -> str:
    header = [tr("练习", "exercise"), "", tr("状态", "status"), tr("次数", "tries"), tr("提示", "hints")]
    header += [tr("第一次", "first try"), tr("通过", "passed")]

    def table(lines):
        rows = [[t.id, t.title, spoken(s.status), s.tries, s.hints, clock(s.first), clock(s.passed)] for t, s in lines]
        return lk.display.table_html(header, rows, left=3)

    note = tr(f"写于 {clock(written)}，时间为 UTC", f"written {clock(written)}, times in UTC")
    title = f"<h2>{escape(name)}</h2><p><b>{summary(lines)}</b> <span class='m'>{note}</span></p>"
    return lk.display.box(title, folded_html(lines, table), calibration.html(guesses))


def clock(time: str | None) -> str:
    """A time of the journal to the minute; "" where there is none."""
    return (time or "")[:16].replace("T", " ")


def page(title: str, inner: str) -> str:
    """A whole HTML page that needs nothing outside itself."""
    return (
        f'<!doctype html>\n<html lang="{language()}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>:root{color-scheme:light dark}body{font-family:system-ui,sans-serif;margin:2em auto;max-width:96em;padding:0 1em}"
        "img{max-width:100%}.labkit{max-width:none!important}</style>"
        f"</head><body>{inner}</body></html>\n"
    )
