"""The log of a service: a line of JSON for each answered input, with length, label, confidence and latency. Never the text,
unless it is asked for. `drift` reads it back."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput


class Journal:
    """Appends to a file that only its owner may read. A disk that is full costs lines, never answers: `lost` counts them.

    >>> journal = Journal("new.log", task)
    >>> journal.write([{"time": 1.7e9, "length": 9, "label": "positive", "confidence": 0.97, "ms": 4.1}]); journal.close()
    >>> read_log("new.log")[0].label
    'positive'
    """

    def __init__(self, path, task, *, texts: bool = False):
        self.path, self.texts, self.lost = Path(path), texts, 0
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.write([{"started": round(time.time(), 3), "task": task.name, "labels": list(task.labels)}])

    def write(self, lines: Sequence[dict[str, Any]]) -> None:
        """Lines in one call to the system, so that services may share a file, and that nothing waits to be written."""
        data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        try:
            whole = os.write(self.file, data) == len(data)
        except OSError:  # the disk is full, or the file is closed while the last requests end
            whole = False
        if not whole:
            self.lost += len(lines)

    def close(self) -> None:
        os.close(self.file)


@dataclass(frozen=True)
class Logged:
    """One answered input, as a log has it."""

    time: float  # seconds since 1970
    length: int  # in what the modality counts: characters of a text
    label: str | None = None
    confidence: float | None = None  # the probability of what was said
    ms: float = 0.0  # from the head of the request to its answer


def read_log(path) -> list[Logged]:
    """The answered inputs of a log, in order. Lines that were cut short, because the service was killed or the disk was full,
    are left out; BadInput with file and line for anything else that is no log."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                if line.startswith('{"'):
                    continue
                raise no_log(path, number) from None
            try:
                if "started" not in value:
                    found.append(logged(value))
            except (ValueError, TypeError, KeyError, AttributeError):
                raise no_log(path, number) from None
    return found


def no_log(path, number: int) -> BadInput:
    return BadInput(
        tr(
            f"{path} 第 {number} 行不是服务日志的一行。请给 labkit serve --log 写下的文件。",
            f"{path}, line {number}, is no line of a service's log. Give a file that labkit serve --log wrote.",
        )
    )


def logged(value: dict) -> Logged:
    label, confidence = value.get("label"), value.get("confidence")
    if label is not None and not isinstance(label, str):
        raise ValueError(label)
    confidence = None if confidence is None else float(confidence)
    return Logged(float(value["time"]), int(value["length"]), label, confidence, float(value["ms"]))
