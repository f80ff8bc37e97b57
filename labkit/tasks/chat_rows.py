"""Rows of a file as prompts and answers: two columns, or conversations of messages; what is wrong with a row, by file and line."""

import json
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Example, Raw, Table
from labkit.modalities.chat import trouble, turns_of


def example(table: Table, row: Raw, columns: dict[str, str]) -> Example:
    """A row as prompt and answer; BadInput with file and line."""

    cells = row.cells
    extra = {k: v for k, v in cells.items() if k not in columns.values()}
    if "messages" in columns:
        try:
            turns = turns_of(messages_of(cells[columns["messages"]]))
            problem = trouble(turns, "assistant")
        except BadInput as error:
            problem = str(error)
        if problem:
            raise wrong(table, row, problem)
        asked, answer = turns[:-1], turns[-1][1].strip()
        return Example(asked[0][1] if len(asked) == 1 else asked, answer, extra)
    prompt, answer = cells[columns["prompt"]], cells[columns["answer"]]
    for name, value in (("prompt", prompt), ("answer", answer)):
        if not isinstance(value, str) or not value:
            raise wrong(
                table,
                row,
                tr(
                    f"{columns[name]!r} 是空的，或不是一段文字：每行都要有提示和答案。",
                    f"{columns[name]!r} is empty or no text: every row needs a prompt and an answer.",
                ),
            )
    return Example(prompt, answer, extra)


def wrong(table: Table, row: Raw, what: str) -> BadInput:
    return BadInput(tr(f"{table.where} 第 {row.line} 行：{what}", f"{table.where}, line {row.line}: {what}"))


def refuse_mixed(table: Table, row: Raw, columns: dict[str, str]) -> None:
    """BadInput where a row is written in the other form than the rest."""
    other = "messages" if "prompt" in columns else "prompt"
    if row.cells.get(other) and other not in columns.values():
        raise wrong(
            table,
            row,
            tr(
                "一个文件里混有两种格式：要么每行有 prompt 和 answer，要么每行有 messages。请只用一种。",
                "two formats are mixed in one file: give every row prompt and answer, or every row messages.",
            ),
        )


def messages_of(cell: Any) -> Any:
    """A list of messages, which a CSV holds as JSON."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return None
