"""Figures of a comparison: accuracy with its interval against what it costs."""

from collections.abc import Sequence
from typing import Any

from labkit.plots.look import drawn, figure, looks
from labkit.records import Run, summarise
from labkit.text import tr


@drawn
def runs(found: Sequence[Run], baseline: Run | None = None) -> Any:
    """Test accuracy with its 95 % interval against seconds of training, a point a strategy (mean over seeds)."""
    lines = summarise(found)
    fig, axes = figure(6.4 if len(lines) <= 4 else 7.4, 4.0)
    for row, look in zip(lines, looks(), strict=False):
        span = [[row.accuracy - row.low], [row.high - row.accuracy]]
        axes.errorbar(row.seconds, row.accuracy, yerr=span, ls="none", capsize=3, label=row.strategy, **look)
    if baseline is not None:
        axes.axhline(baseline.test_accuracy, color="#888888", ls=":", label=baseline.strategy)
    axes.set(
        title=tr("测试准确率与训练时间", "Test accuracy against training time"),
        xlabel=tr("训练时间（秒）", "training time (s)"),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig
