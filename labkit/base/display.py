"""What labkit's objects look like in a notebook: small HTML pieces that fit JupyterLab's light and dark theme."""

import dataclasses
import unicodedata
from collections.abc import Sequence
from html import escape

from labkit.base.language import tr

GREY = "#888888"  # readable on white and on black: an image cannot know the theme
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", GREY)  # Paul Tol's bright scheme: safe for
# colour-blind readers, readable on light and dark ground
STYLE = (
    "<style>.labkit{font-size:13px;line-height:1.45;max-width:60em;margin:.2em 0 .8em;overflow-x:auto}"
    ".labkit table{border-collapse:collapse;margin:.4em 0;font-size:inherit}"
    ".labkit th,.labkit td{padding:.15em .8em;text-align:right;white-space:nowrap;border-bottom:1px solid rgba(128,128,128,.25)}"
    ".labkit td.t,.labkit th.t{text-align:left}.labkit td.w{white-space:normal;overflow-wrap:anywhere;min-width:12em}"
    ".labkit .m{opacity:.65}.labkit svg{display:block}</style>"
)


def box(*parts: str) -> str:
    return f'<div class="labkit">{STYLE}{"".join(parts)}</div>'


class Html(str):
    """Text that is HTML already: a table leaves it as it is."""

    __slots__ = ()


def table_html(header: Sequence[str], rows: Sequence[Sequence], left: int = 1) -> str:
    """An HTML table; the first `left` columns are words, the others numbers. Only columns of long texts are wrapped."""
    long = {i for row in rows for i, c in enumerate(row[:left]) if len(str(c)) > 24}

    def cells(tag, row):
        kinds = ["t w" if i in long else "t" if i < left else "" for i in range(len(row))]
        shown = [c if isinstance(c, Html) else escape(str(c)) for c in row]
        return "".join(f'<{tag} class="{k}">{c}</{tag}>' for k, c in zip(kinds, shown, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', header)}</tr></thead><tbody>{body}</tbody></table>"


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal."""
    return "\n".join(aligned([header, *rows]))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines of text, the first row a header over a rule; the first column to the left."""
    widths = [max(display_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(pad(c, w, left=i == 0) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows
    ]
    return [lines[0], "─" * display_width(lines[0]), *lines[1:]]


def display_width(text: str) -> int:
    """Columns that a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, left: bool) -> str:
    gap = " " * (width - display_width(text))
    return text + gap if left else gap + text


def clipped(text: str, most: int = 120) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def one_line(input) -> str:
    """An input in one line: `one_line(("问题", "段落")) == "问题 ⇥ 段落"`."""
    if hasattr(input, "shape"):
        return "array " + "×".join(map(str, input.shape))
    return " ⇥ ".join(map(str, input)) if isinstance(input, (tuple, list)) else str(input)


def number(value: float) -> str:
    """The shortest Python text that gives this number back.

    >>> number(0.0005), number(0.1), number(3.98e-4)
    ('5e-4', '0.1', '0.000398')
    """
    short = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return short if float(short) == value and len(short) < len(repr(value)) else repr(value)


def python(value) -> str:
    """A value as Python source; floats in their short form."""
    return number(value) if isinstance(value, float) else repr(value)


def called(name: str, thing) -> str:
    """A dataclass as the call that makes it, defaults left out: `lk.TrainConfig(epochs=5, lr=5e-4)`."""
    told = [(f.name, getattr(thing, f.name)) for f in dataclasses.fields(thing) if getattr(thing, f.name) != f.default]
    return f"{name}({', '.join(f'{k}={python(v)}' for k, v in told)})"


TITLES: dict[str, tuple[str, str]] = {}  # of metrics by name, Chinese and English: tasks write theirs here


def title_of(metric: str) -> str:
    """A metric's title in the language in force, from its name alone: `title_of("accuracy") == "准确率"`."""
    return tr(*TITLES.get(metric, (metric.replace("_", " "),) * 2))


def scores_html(scores) -> str:
    """The headline with its interval, the other metrics, then a line a class."""
    name, value = next(iter(scores.metrics.items()))
    span = "" if value.low is None else f"95 %: {value.low:.3f}–{value.high:.3f}, "
    rest = "".join(f" · {title_of(other)} {m.value:.3f}" for other, m in scores.metrics.items() if other != name)
    title = escape(f"{title_of(name)} {value.value:.3f}")
    head = f"<div><b>{title}</b> <span class=m>({span}n = {scores.n})</span>{escape(rest)}</div>"
    if not scores.parts:
        return box(head)
    header = [tr("类别", "class"), tr("精确率", "precision"), tr("召回率", "recall"), "F1", tr("行数", "rows")]
    rows = [[c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.n] for c in scores.parts]
    return box(head, table_html(header, rows))
