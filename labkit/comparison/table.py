"""A comparison as a table: text of 120 columns, all of it in HTML, CSV and JSON. Leans on records."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.display import aligned, display_width
from labkit.base.files import write_text
from labkit.base.language import tr
from labkit.base.records import Measure, Run
from labkit.comparison.summary import (
    Summary,
    best_first,
    common_task,
    summarise,
    title_on_test,
    unseen_test,
    with_baselines,
)
from labkit.tasks import Metric

WIDTH = 120
MEASURES = {"forgetting": (("遗忘", "forgets"), "+.3f")}  # title and format; others go by their name


@dataclass(frozen=True)
class Column:
    title: str
    cell: Callable[[Summary], str]
    rank: int = 0  # where the text is too wide, the columns of the highest rank go first


class Table(list):
    """Lines of a comparison (Summary), best first; prints as text and shows as HTML."""

    metrics: tuple[Metric, ...] = ()  # of the task, the headline first
    notes: tuple[str, ...] = ()
    by_validation = False  # whether no run has seen the test rows

    def columns(self, ranges: bool = False) -> list[Column]:
        """Those that some line fills; intervals as 0.85 ±0.02, or as their two ends."""
        always = [
            Column(tr("策略", "strategy"), lambda r: r.strategy if ranges else clipped(r.strategy)),
            *(self.metric_column(metric, span if ranges else plus_minus) for metric in self.metrics),
        ]
        others = [
            Column(tr("训练参数", "trained"), lambda r: f"{r.trainable_parameters:,}" if ranges else short(r.trainable_parameters)),
            Column(tr("占比", "share"), lambda r: share(r)),
            Column(tr("轮次", "epochs"), lambda r: f"{r.epochs:.3g}" if r.epochs else "", 2),
            Column(tr("学习率", "lr"), lambda r: f"{r.lr:.2g}" if r.lr else "", 3),
            Column(tr("秒", "seconds"), lambda r: f"{r.seconds:.1f}"),
            Column(tr("行/秒", "rows/s"), lambda r: f"{r.samples_per_second:,.0f}" if r.samples_per_second else "", 4),
            Column(tr("内存峰值 MB", "peak MB"), lambda r: known(r.peak_memory_mb, ",.0f"), 1),
            Column(tr("保存", "saved"), lambda r: "" if r.saved_bytes is None else size(r.saved_bytes), 5),
            *map(measure_column, dict.fromkeys(name for line in self for name in line.measures)),
        ]  # fmt: skip
        return always + [c for c in others if any(c.cell(line) for line in self)]

    def metric_column(self, metric: Metric, interval: Callable[[Measure], str]) -> Column:
        headline = tr("验证", "valid ") + tr(*metric.title) if self.by_validation else title_on_test(metric)
        title = headline if metric is self.metrics[0] else tr(*metric.title)
        return Column(title, lambda line: interval(line.metrics[metric.name]))

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
        """The lines as plain values with the same columns, for pandas or a file."""
        lines = [line.record() for line in self]
        columns = dict.fromkeys(name for line in lines for name in line)
        return [columns | line for line in lines]

    def save(self, path) -> None:
        """Write the table as .csv or .json, by the name's ending."""
        rows, path = self.records(), Path(path)
        if path.suffix == ".json":
            return write_text(path, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())


def table(runs: Sequence[Run], *baselines: Run) -> Table:
    """The comparison as a table, best first by the task's headline metric, baselines among the strategies; what failed is
    said below.

    >>> lines = table([majority(corpus)], baseline(corpus))
    >>> print(lines); lines.save("table.csv")
    """
    every = with_baselines(runs, *baselines)
    task, lines = common_task(every), summarise(every)
    ranked = Table(best_first(lines, task.metrics[0]) if task else lines)
    ranked.metrics = task.metrics if task else ()
    ranked.by_validation = unseen_test(every)
    ranked.notes = tuple(
        tr(f"{r.strategy}（种子 {r.seed}）失败：{r.error}", f"{r.strategy} (seed {r.seed}) failed: {r.error}")
        for r in every
        if r.error
    )
    return ranked


# Cells


def span(measure: Measure) -> str:
    """A score with the two ends of its interval."""
    if measure.low is None:
        return f"{measure.value:.3f}"
    return f"{measure.value:.3f} ({measure.low:.3f}–{measure.high:.3f})"


def plus_minus(measure: Measure) -> str:
    """A score with half of its interval."""
    if measure.low is None:
        return f"{measure.value:.3f}"
    return f"{measure.value:.3f} ±{(measure.high - measure.low) / 2:.3f}"


def measure_column(name: str) -> Column:
    """The column of something else that was measured."""
    title, form = MEASURES.get(name, ((name, name), ".3g"))
    return Column(tr(*title), lambda line: known(line.measures.get(name), form))


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
