"""Rows of a file as texts with entities: spans as they are given, or tokens with tags; and one clear message for what is neither."""

from collections.abc import Iterator, Sequence
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table
from labkit.tasks.spans import Span, as_bio, overlapping, spans_of

SHAPE = '[[0, 2, "PER"]]'
SCHEMES = "BIO, IOBES, BILOU, BMES"


def wrong(where: str, line: int, zh: str, en: str) -> BadInput:
    return BadInput(tr(f"{where} 第 {line} 行：{zh}", f"{where}, line {line}: {en}"))


def read_rows(table: Table, columns: dict[str, str]) -> Iterator[tuple[Raw, str, list[Span]]]:
    """(row, text, entities) of each row; BadInput with file and line."""
    for row in table.rows:
        if "spans" in columns:
            text, given = row.cells[columns["text"]], row.cells[columns["spans"]]
            if not isinstance(text, str):
                raise wrong(
                    table.where,
                    row.line,
                    f"文本应是一个字符串，不是 {str(text)[:40]}。",
                    f"the text should be one string, not {str(text)[:40]}.",
                )
            yield row, text, spans_in(table.where, row, text, given)
        else:
            yield row, *tagged(table.where, row, row.cells[columns["tokens"]], row.cells[columns["tags"]])


def spans_in(where: str, row: Raw, text: str, given: Any) -> list[Span]:
    """Entities as a file has them, [begin, end, label] or {"start", "end", "label"} each, in order and checked."""
    if not isinstance(given, list):
        raise wrong(
            where,
            row.line,
            f"spans 应是列表，如 {SHAPE}；没有实体就写 []。给的是 {str(given)[:40]!r}。",
            f"spans should be a list like {SHAPE}, and [] where there is no entity. Given: {str(given)[:40]!r}.",
        )
    spans = sorted(span_of(where, row, text, one) for one in given)
    if pair := overlapping(spans):
        raise wrong(
            where,
            row.line,
            f"实体 {shown(text, pair[0])} 和 {shown(text, pair[1])} 重叠。一个字只能属于一个实体：请去掉其中一个。",
            f"the entities {shown(text, pair[0])} and {shown(text, pair[1])} overlap. A character belongs to one entity at "
            "most: take one of them out.",
        )
    return spans


def span_of(where: str, row: Raw, text: str, given: Any) -> Span:
    if isinstance(given, dict):
        given = [given.get(name) for name in ("start", "end", "label")]
    kinds = (int, int, str)
    if not isinstance(given, list) or [type(x) for x in given] != list(kinds) or not given[2].strip():
        raise wrong(
            where,
            row.line,
            f"实体应是 [开始, 结束, 类型]，如 {SHAPE[1:-1]}（位置从 0 数，不含结束）。给的是 {str(given)[:60]}。",
            f"an entity should be [begin, end, type] like {SHAPE[1:-1]}, counted from 0, without the end. Given: {str(given)[:60]}.",
        )
    begin, end, label = given
    if begin == end:
        raise wrong(
            where,
            row.line,
            f"实体 {given} 是空的：开始应小于结束。",
            f"the entity {given} is empty: its begin should be below its end.",
        )
    if not 0 <= begin < end <= len(text):
        raise wrong(
            where,
            row.line,
            f"实体 {given} 不在文本里：文本有 {len(text)} 个字，应有 0 ≤ 开始 < 结束 ≤ {len(text)}。",
            f"the entity {given} is outside the text, which has {len(text)} characters: 0 ≤ begin < end ≤ {len(text)}.",
        )
    return begin, end, label.strip()


def shown(text: str, span: Span) -> str:
    begin, end, label = span
    return f"{text[begin:end]!r} [{begin}, {end}, {label}]"


def tagged(where: str, row: Raw, tokens: Any, tags: Any) -> tuple[str, list[Span]]:
    """Tokens and their tags as a text with entities."""
    lists = isinstance(tokens, list) and isinstance(tags, list) and all(isinstance(t, str) for t in [*tokens, *tags])
    if not lists or len(tokens) != len(tags):
        raise wrong(
            where,
            row.line,
            "tokens 和 tags 应是两个一样长的词列表。",
            "tokens and tags should be two lists of words, of equal length.",
        )
    plain = [bio_tag(where, row.line, token, tag) for token, tag in zip(tokens, tags, strict=True)]
    text, pieces = joined(tokens)
    return text, spans_of(plain, pieces)


def bio_tag(where: str, line: int, token: str, tag: str) -> str:
    """A tag as one of BIO; BadInput with file and line for what is of no scheme."""
    try:
        return as_bio(tag)
    except ValueError:
        raise wrong(
            where,
            line,
            f"不认识的标签 {tag!r}（{token!r}）。可用的写法：{SCHEMES}，如 B-PER、I-PER、O。",
            f"unknown tag {tag!r} (of {token!r}). Accepted are {SCHEMES}, such as B-PER, I-PER, O.",
        ) from None


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Tokens as a text, and where each stands in it: with a space between two that are not of Chinese signs.

    >>> joined(["我", "用", "iPhone", "Pro"])
    ('我用iPhone Pro', [(0, 1), (1, 2), (2, 8), (9, 12)])
    """
    text, pieces = "", []
    for token in tokens:
        if text and token and not (wide(text[-1]) or wide(token[0])):
            text += " "
        pieces.append((len(text), len(text) + len(token)))
        text += token
    return text, pieces


def wide(character: str) -> bool:
    """Of a script that puts no space between words, or one of its signs."""
    return character >= "\u2e80"


def loose(tags: Sequence[str]) -> int:
    """How many I- have no entity of their type to go on with: they begin one.

    >>> loose(["O", "I-PER", "I-PER", "I-LOC"])
    2
    """
    before, found = "O", 0
    for tag in map(as_bio, tags):
        found += tag[0] == "I" and before[2:] != tag[2:]
        before = tag
    return found


def type_names(where: str, found: dict[str, set[str]], labels) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the types in order, and the name of each type found; BadInput for types that the training rows lack."""
    there = sorted(found["train"])
    if not there:
        raise BadInput(
            tr(
                f"{where} 里一个实体也没有：没有可学的。请检查 spans（或标签）列。",
                f"{where} holds no entity at all: there is nothing to learn. Check its spans (or tags).",
            )
        )
    named = {str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {n: n for n in labels or there}
    for split in found.values():
        if strange := sorted(split - set(named)):
            raise BadInput(
                tr(
                    f"有不认识的实体类型：{listing(strange)}。已知的：{listing(named)}。请改正，或在训练数据和 labels= 里加上。",
                    f"Unknown types of entities: {listing(strange)}. Known are: {listing(named)}. "
                    "Correct them, or add them to the training rows and to labels=.",
                )
            )
    return tuple(dict.fromkeys(named[n] for n in (named if labels else there))), named
