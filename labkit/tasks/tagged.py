"""Texts with entities, for people: in colours in a notebook, in brackets in a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from labkit.base.display import COLOURS, Html, one_line
from labkit.base.language import tr
from labkit.tasks.spans import Span


@dataclass(frozen=True)
class Entity:
    """A stretch of the text. `probability` is that of its least certain piece."""

    text: str
    label: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Tagged:
    """The answer for one text: its entities, in order."""

    input: str
    entities: tuple[Entity, ...]
    labels: tuple[str, ...] = ()  # all types of the task: they settle the colours

    @property
    def spans(self) -> list[Span]:
        return [(e.start, e.end, e.label) for e in self.entities]

    def __str__(self) -> str:
        return one_line(spans_text(self.input, self.spans))

    def html(self) -> str:
        return spans_html(self.input, self.spans, self.labels)

    def to_json(self) -> dict[str, Any]:
        entities = [
            {"text": e.text, "label": e.label, "start": e.start, "end": e.end, "probability": e.probability}
            for e in self.entities
        ]
        return {"text": self.input, "spans": [list(span) for span in self.spans], "entities": entities}

    def header(self) -> list[str]:
        return [tr("文本", "text"), tr("实体", "entities"), tr("最低概率", "lowest probability")]

    def cells(self) -> list[str]:
        least = min((e.probability for e in self.entities), default=None)
        return [Html(self.html()), words_of(self.input, self.spans), "" if least is None else f"{least:.2f}"]


def spans_text(text: str, spans: Sequence[Span]) -> str:
    """A text with its entities in brackets.

    >>> spans_text("张三去北京", [(0, 2, "PER"), (3, 5, "LOC")])
    '[张三 PER]去[北京 LOC]'
    """
    return "".join(f"[{part} {label}]" if label else part for part, label in stretches(text, spans))


def spans_html(text: str, spans: Sequence[Span], labels: Sequence[str] = ()) -> str:
    """The same with colours, a colour a type; each type is written too, so that none has to be told by its colour."""
    order = list(labels) or sorted({label for *_, label in spans})

    def mark(part: str, label: str) -> str:
        colour = COLOURS[order.index(label) % len(COLOURS)] if label in order else COLOURS[-1]
        style = f"background:{colour}38;border-bottom:2px solid {colour};border-radius:2px;padding:0 1px;color:inherit"
        return f'<mark style="{style}">{escape(part)}<sub style="opacity:.75;padding-left:2px">{escape(label)}</sub></mark>'

    marked = "".join(mark(part, label) if label else escape(part) for part, label in stretches(text, spans))
    return f'<span style="line-height:1.9">{marked}</span>'


def stretches(text: str, spans: Sequence[Span]) -> list[tuple[str, str]]:
    """The text cut at its entities: (part, label), label "" outside."""
    parts, at = [], 0
    for begin, end, label in sorted(map(tuple, spans)):
        parts += [(text[at:begin], ""), (text[begin:end], label)]
        at = end
    return [(part, label) for part, label in [*parts, (text[at:], "")] if part]


def words_of(text: str, spans: Sequence[Span]) -> str:
    return tr("，", ", ").join(f"{text[begin:end]} {label}" for begin, end, label in spans) or "–"
