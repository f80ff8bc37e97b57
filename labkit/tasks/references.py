"""The reference answers of a question as files have them, and the stretches of the context that they stand for.

A reference is (text, start): `start` is -1 where the text is no stretch of the context and only judges what is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.base.display import clipped
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table

Reference = tuple[str, int]

NEAR = 16  # characters that a start may be off by where its text stands more than once
SLIPS = 0.05  # share of the rows of a file that may be empty, or whose answers may stand nowhere: more is no slip
FORM = '{"text": ["…"], "answer_start": [12]}'


@dataclass
class Mended:
    """What was settled by itself while references were read."""

    moved: list[int] = field(default_factory=list)  # lines where a start was put right
    lost: list[tuple[Raw, str]] = field(default_factory=list)  # rows none of whose references stands in the context
    empty: list[int] = field(default_factory=list)  # lines without a question, or without a context


def references(row: Raw, columns: dict[str, str], where: str) -> list[Reference]:
    """The cell of the answers as references, its form checked; BadInput with file and line.

    >>> references(Raw({"answers": {"text": ["红枣"], "answer_start": [3]}}, 1), {"answers": "answers"}, "a.jsonl")
    [('红枣', 3)]
    """
    cell = row.cells[columns["answers"]]
    texts, starts = (cell.get("text"), cell.get("answer_start")) if isinstance(cell, dict) else (None, None)
    lists = isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)
    whole = lists and all(isinstance(s, int) and not isinstance(s, bool) for s in starts)
    if not whole or not all(isinstance(t, str) for t in texts):
        raise BadInput(
            tr(
                f"{where} 第 {row.line} 行的 {columns['answers']!r} 形状不对：{clipped(str(cell), 60)}。应是 {FORM}，"
                "两个列表一样长（没有答案就都为空）；每一行都用这一种写法。",
                f"{where}, line {row.line}: {columns['answers']!r} has another shape: {clipped(str(cell), 60)}. It should be "
                f"{FORM}, two lists of one length (both empty where there is no answer), and so in every line.",
            )
        )
    return list(zip(texts, starts, strict=True))


def placed(text: str, start: int, context: str) -> int:
    """Where a text stands in the context: at `start`, or at the one place that can be meant; -1 where there is none.

    >>> placed("12", 4, "12号，12斤"), placed("斤", 0, "12号，12斤")
    (4, 6)
    >>> placed("12", 3, "12号，12斤")                         # before or behind: nobody knows
    -1
    """
    if start < 0 or not text or context.startswith(text, start):
        return start if text else -1
    places = [i for i in range(len(context)) if context.startswith(text, i)]
    if len(places) != 1:
        places = [i for i in places if abs(i - start) <= NEAR]
    return places[0] if len(places) == 1 else -1


def read_references(table: Table, columns: dict[str, str]) -> tuple[list[tuple[Raw, tuple[Reference, ...]]], Mended]:
    """The rows of a table that can be used, each with its references, and what was settled by itself.

    Starts that are off are put right where the text stands once, or once near. Rows whose answer stands nowhere, and empty
    ones, are left out; where they are more than slips, BadInput names the first.
    """
    kept, mended = [], Mended()
    for row in table.rows:
        blank = [name for name in ("question", "context") if is_blank(row, columns[name], table.where)]
        if blank:
            mended.empty.append(row.line)
            if len(mended.empty) > SLIPS * len(table.rows):
                raise blank_cell(table.where, mended.empty[0], columns[blank[0]])
            continue
        found = references(row, columns, table.where)
        context = row.cells[columns["context"]]
        mine = tuple((text, placed(text, start, context)) for text, start in found)
        if any(now >= 0 and now != was for (_, now), (_, was) in zip(mine, found, strict=True)):
            mended.moved.append(row.line)
        if any(text for text, _ in mine) and all(start < 0 for _, start in mine):
            mended.lost.append((row, next(text for text, _ in mine if text)))
        else:
            kept.append((row, mine))
    if len(mended.lost) > SLIPS * len(table.rows):
        raise nowhere(table, columns, mended.lost)
    return kept, mended


def is_blank(row: Raw, column: str, where: str) -> bool:
    """Whether a cell that should hold a text holds none; BadInput where it holds something else."""
    value = row.cells[column]
    if isinstance(value, str):
        return not value.strip()
    raise BadInput(
        tr(
            f"{where} 第 {row.line} 行的 {column!r} 应是一段文本，现在是：{clipped(str(value), 40)}。请改成文本。",
            f"{where}, line {row.line}: {column!r} should be a text; it is: {clipped(str(value), 40)}. Write a text there.",
        )
    )


def blank_cell(where: str, line: int, column: str) -> BadInput:
    return BadInput(
        tr(
            f"{where}：太多行没有问题或段落，第一处是第 {line} 行的 {column!r}：它应是一段非空的文本。请补上，或删去这样的行。",
            f"{where}, line {line}: {column!r} is empty, and too many rows are without a question or a context. "
            "Fill them in, or remove those lines.",
        )
    )


def nowhere(table: Table, columns: dict[str, str], lost: Sequence[tuple[Raw, str]]) -> BadInput:
    row, text = lost[0]
    start = row.cells[columns["answers"]]["answer_start"][0]
    context = row.cells[columns["context"]]
    there = context[max(start, 0) :][: max(len(text), 1)]
    return BadInput(
        tr(
            f"{table.where} 第 {row.line} 行：答案 {clipped(text, 30)!r} 不在 answer_start={start} 处（那里是 {clipped(there, 30)!r}），"
            f"附近也找不到唯一的一处；这样的共 {len(lost)} 行，占 {len(lost) / len(table.rows):.0%}。"
            "answer_start 从 0 数起，按字符（不是字节、词元）数；请改正，或删去这些行。",
            f"{table.where}, line {row.line}: the answer {clipped(text, 30)!r} is not at answer_start={start} (there stands "
            f"{clipped(there, 30)!r}), nor at one place near; {len(lost)} rows are so, {len(lost) / len(table.rows):.0%}. "
            "answer_start counts characters (not bytes, not tokens) from 0: correct it, or remove those rows.",
        )
    )


def said_of(mended: dict[str, Mended]) -> list[str]:
    """What to say of the starts that were put right."""
    lines = [line for m in mended.values() for line in m.moved]
    if not lines:
        return []
    shown: Any = listing(lines[:3])
    return [
        tr(
            f"{len(lines)} 行的 answer_start 不准，已按原文改正（第 {shown} 行）",
            f"answer_start put right in {len(lines)} rows (lines {shown})",
        )
    ]
