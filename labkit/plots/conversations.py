"""Conversations side by side: who was asked what, and what was said."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.base.language import tr
from labkit.plots.look import COLOURS, drawn, figure, printable

WIDE = 26  # characters of a line; Chinese ones are twice as wide as Latin ones


@drawn
def conversations(found: Mapping[str, Sequence[Mapping[str, str]]], title: str | None = None) -> Any:
    """Lists of messages by a name each, in columns.

    >>> said = lk.generate(lk.load("tiny-gpt-zh", task=lk.tasks.Generation()), "你好")
    >>> lk.plots.conversations({"model": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": said}]})
    """
    columns = {name: [line for m in messages for line in lines(m)] for name, messages in found.items()}
    rows = max(map(len, columns.values()), default=1)
    fig, axes = figure(3.7 * len(columns), 0.7 + 0.26 * rows)
    axes.set(
        xlim=(0, len(columns)),
        ylim=(rows + 0.2, -1.2),
        title=title or tr("同一个提示，各说什么", "One prompt, and what is said"),
    )
    axes.set_axis_off()
    for i, (name, told) in enumerate(columns.items()):
        axes.text(i, -0.7, printable(name), fontsize=10, va="center")
        for row, (text, answer) in enumerate(told):
            look = {"color": COLOURS[0]} if answer else {"color": "#666666"}
            axes.text(i + 0.04 * answer, row + 0.4, text, fontsize=9, va="center", **look)
    return fig


def lines(message: Mapping[str, str]) -> list[tuple[str, bool]]:
    """A message in short lines, each with whether it is an answer."""
    text = printable(message["content"]) or "…"
    wide = WIDE if any(c > "\u2e80" for c in text) else 2 * WIDE
    broken = [part for line in text.splitlines() or [""] for part in textwrap.wrap(line, wide) or [""]]
    return [(part, message["role"] == "assistant") for part in broken]
