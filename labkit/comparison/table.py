"""A comparison as a table: text of 120 columns, all of it in HTML, CSV and JSON. Leans on records."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.base.display import aligned, display_width
from labkit.base.files import write_text
from labkit.base.language import tr
from labkit.base.records import Run
from labkit.comparison.summary import Summary, summarise, with_baselines

WIDTH = 120


@dataclass(frozen=True)
class Column:
    title: str
    cell: Callable[[Summary], str]
    rank: int = 0  # where the text is too wide, the columns of the highest rank go first


class Table(list):
    """Lines of a comparison (Summary), best first; prints as text and shows as HTML."""

    notes: tuple[str, ...] = ()

    def columns(self, ranges: bool = False) -> list[Column]:
        """Those that some line fills; intervals as 0.85 ±0.02, or as their two ends."""
        interval = span if ranges else plus_minus
        found = [
            Column(tr("策略", "strategy"), lambda r: r.strategy if ranges else clipped(r.strategy)),
            Column(tr("测试准确率", "test accuracy"), lambda r: interval(r.accuracy, r.low, r.high)),
            Column("macro-F1", lambda r: interval(r.macro_f1, r.f1_low, r.f1_high)),
            Column(tr("训练参数", "trained"), lambda r: f"{r.trainable_parameters:,}" if ranges else short(r.trainable_parameters)),
            Column(tr("占比", "share"), lambda r: share(r)),
            Column(tr("轮次", "epochs"), lambda r: f"{r.epochs:.3g}" if r.epochs else "", 2),
            Column(tr("学习率", "lr"), lambda r: f"{r.lr:.2g}" if r.lr else "", 3),
            Column(tr("秒", "seconds"), lambda r: f"{r.seconds:.1f}"),
            Column(tr("行/秒", "rows/s"), lambda r: f"{r.samples_per_second:,.0f}" if r.samples_per_second else "", 4),
            Column(tr("内存峰值 MB", "peak MB"), lambda r: known(r.peak_memory_mb, ",.0f"), 1),
            Column(tr("保存", "saved"), lambda r: "" if r.saved_bytes is None else size(r.saved_bytes), 5),
            Column(tr("遗忘", "forgets"), lambda r: known(r.forgetting, "+.3f")),
        ]  # fmt: skip
        return [c for i, c in enumerate(found) if i < 3 or any(c.cell(line) for line in self)]

    def header(self) -> list[str]:
        return [c.title for c in self.columns(ranges=True)]

    def cells(self) -> list[list[str]]:
        columns = self.columns(ranges=True)
        return [[c.cell(line) or "–" for c in columns] for line in self]

    def __str__(self) -> str:
        columns = self.columns()
        while display_width((text := self.lines(columns))[0]) > WIDTH and any(c.rank for c in columns):
            columns.remove(max(columns, key=lambda c: c.rank))
        return "\n".join([*text, *self.notes])

    def lines(self, columns: Sequence[Column]) -> list[str]:
        return aligned([[c.title for c in columns], *([c.cell(line) or "–" for c in columns] for line in self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        from labkit.base.display import box, table_html

        notes = (f"<div class=m>{escape(note)}</div>" for note in self.notes)
        return box(table_html(self.header(), self.cells()), *notes)

    def records(self) -> list[dict[str, Any]]:
        """The lines as plain values, for pandas or a file."""
        return [asdict(line) for line in self]

    def save(self, path) -> None:
        """Write the table as .csv or .json, by the name's ending."""
        rows, path = self.records(), Path(path)
        if path.suffix == ".json":
            return write_text(path, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(Summary.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())


def table(runs: Sequence[Run], *baselines: Run) -> Table:
    """The comparison as a table, best test accuracy first, baselines among the strategies; what failed is said below.

    >>> print(table(runs)); table(runs).save("table.csv")
    """
    every = with_baselines(runs, *baselines)
    made = Table(sorted(summarise(every), key=lambda line: -line.accuracy))
    made.notes = tuple(
        tr(f"{r.strategy}（种子 {r.seed}）失败：{r.error}", f"{r.strategy} (seed {r.seed}) failed: {r.error}")
        for r in every
        if r.error
    )
    return made


# Cells


def span(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def plus_minus(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3f}" if low is None else f"{value:.3f} ±{(high - low) / 2:.3f}"


def known(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def share(line: Summary) -> str:
    return f"{line.trainable_parameters / line.total_parameters:.1%}" if line.total_parameters else ""


def short(count: int) -> str:
    """Three digits that matter: 33,026 is "33.0k"."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.{2 if count < 10 * unit else 1 if count < 100 * unit else 0}f}{letter}"
    return str(count) if count else ""


def size(bytes: float) -> str:
    """A size for people: "6.9 MB"."""
    return f"{bytes / 1e6:.1f} MB" if bytes >= 1e6 else f"{bytes / 1e3:.0f} kB"


def clipped(name: str, most: int = 22) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
