"""The journal of a student's tries: one line a try, in a small file beside the notebook. Of it `standings` tells where one is.

A line is appended in one write and flushed, while no other notebook appends; one that was cut short by a crash is skipped.
LABKIT_PROGRESS names another file or folder. Where nothing can be written, the session's memory does, and `note` says so.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from labkit_exercises.exercise import FAILED, PASSED, UNTOUCHED, Exercise, chosen

import labkit as lk
from labkit import BadInput

FILE = "labkit-progress.jsonl"
TRIED = "tried"
PATIENCE = 10.0  # seconds that a notebook waits for another one to write its line
_unsaved: list[dict] = []


def place() -> Path:
    """The journal's file: LABKIT_PROGRESS (a file, or a folder), or labkit-progress.jsonl in the current folder."""
    path = Path(os.environ.get("LABKIT_PROGRESS") or FILE).expanduser()
    return path / FILE if path.is_dir() else path


def note(id: str, outcome: str) -> str | None:
    """Write one try down; the reason where that is impossible."""
    return keep({"id": id, "outcome": outcome, "at": datetime.now(UTC).isoformat(timespec="seconds")})


def keep(entry: dict) -> str | None:
    """Write one line down, a try or a guess; the reason where that is impossible."""
    try:
        with lk.files.held(place(), wait=PATIENCE):
            append(place(), json.dumps(entry).encode())
    except (OSError, BadInput) as error:
        _unsaved.append(entry)
        return getattr(error, "strerror", None) or str(error)


def append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = size and file.read(1) != b"\n"  # a crash in the middle of a line
        file.write(b"\n" * bool(torn) + line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def records() -> list[dict]:
    """Every whole line of the journal, oldest first, of whatever kind."""
    try:
        lines = place().read_bytes().splitlines()
    except OSError:
        lines = []
    return [record for record in map(parsed, lines) if record] + _unsaved


def parsed(line: bytes) -> dict | None:
    """One line; None for a torn or foreign one."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def entries() -> list[dict]:
    """Every try so far, oldest first."""
    return [record for record in records() if is_try(record)]


def is_try(record: dict) -> bool:
    words = all(isinstance(record.get(k), str) for k in ("id", "at", "outcome"))
    return words and record["outcome"] in (PASSED, FAILED)


@dataclass(frozen=True)
class Standing:
    """Where a student stands with one exercise."""

    id: str
    status: str  # "passed", "tried" or "not begun"
    tries: int  # up to the first that passed
    hints: int  # seen: 0 to 3
    first: str | None  # when, in UTC
    passed: str | None


def standing(id: str, tries: Sequence[dict]) -> Standing:
    """What the journal says of one exercise.

    >>> standing("01.2", [{"id": "01.2", "outcome": "failed", "at": "2025-01-01T10:00:00+00:00"}]).status
    'tried'
    """
    mine = [t for t in tries if t["id"] == id]
    good = next((i for i, t in enumerate(mine) if t["outcome"] == PASSED), None)
    needed = mine if good is None else mine[: good + 1]
    failed = sum(t["outcome"] == FAILED for t in needed)
    status = UNTOUCHED if not mine else TRIED if good is None else PASSED
    first, passed = (mine[0]["at"] if mine else None), (mine[good]["at"] if good is not None else None)
    return Standing(id, status, len(needed), min(max(failed - 1, 0), 3), first, passed)


def standings(lesson: str | None = None) -> list[tuple[Exercise, Standing]]:
    tries = entries()
    return [(task, standing(task.id, tries)) for task in chosen(lesson)]
