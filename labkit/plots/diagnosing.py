"""Figures that ask what went wrong: the learning-rate range test, and a run's curves with the doctor's evidence marked."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from labkit.base.language import language, tr
from labkit.base.records import Run
from labkit.plots.look import COLOURS, drawn, figure, whole_numbers

MARK = COLOURS[1]


@drawn
def rates(sweep) -> Any:
    """Loss against learning rate: single batches, the smoothed curve, where it is lowest, where it explodes, what to take."""
    fig, axes = figure(7.2, 3.6)
    top = 2.5 * sweep.smoothed[0]
    axes.plot(
        sweep.rates,
        [min(x, top) if math.isfinite(x) else top for x in sweep.losses],
        color=COLOURS[0],
        alpha=0.25,
        lw=0.8,
    )
    axes.plot(sweep.rates, sweep.smoothed, color=COLOURS[0], lw=1.8, label=tr("平滑后的损失", "loss, smoothed"))
    lines = [
        (sweep.suggestion, COLOURS[2], "-", tr("建议", "suggestion")),
        (sweep.lowest, "#888888", ":", tr("最低点", "lowest")),
        (sweep.diverges, MARK, "--", tr("发散", "diverges")),
    ]
    for rate, colour, style, name in lines:
        if rate is not None:
            axes.axvline(rate, color=colour, ls=style, lw=1.5, label=f"{name} {short_power(rate, 1)}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, place: short_power(x))
    axes.set_ylim(0, top)
    axes.set(
        title=tr(f"学习率试探：{sweep.strategy}", f"Learning-rate range test: {sweep.strategy}"),
        xlabel=tr("学习率", "learning rate"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def diagnosis(run: Run, findings: Sequence = ()) -> Any:
    """A run's losses by step and by epoch, and its validation accuracy; what the findings point at is marked in red."""
    tall = 3.4 + 0.5 * len(findings)
    fig, (left, right) = figure(9.6, tall, columns=2)
    steps = [(step, loss) for step, loss, _ in run.steps if math.isfinite(loss)]
    ends = [e.steps for e in run.history]
    left.plot(*(zip(*steps, strict=True) if steps else ((), ())), color="#888888", alpha=0.35, lw=0.8)
    left.plot(ends, [e.train_loss for e in run.history], "o--", ms=4, color=COLOURS[0], label=tr("训练", "training"))
    left.plot(ends, [e.valid_loss for e in run.history], "o-", ms=4, color=COLOURS[2], label=tr("验证", "validation"))
    epochs = [e.epoch for e in run.history]
    right.plot(epochs, [e.valid_accuracy for e in run.history], "o-", ms=4, color=COLOURS[2])
    for finding in findings:
        mark(left, right, run, finding)
    left.set(
        title=tr(f"{run.strategy}：损失", f"{run.strategy}: loss"),
        xlabel=tr("步", "step"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    right.set(
        title=tr("验证准确率", "Validation accuracy"), xlabel=tr("轮次", "epoch"), ylabel=tr("准确率", "accuracy")
    )
    right.set_ylim(0, 1.02)
    whole_numbers(right)
    left.legend()
    columns = 64 if language() == "zh" else 130
    words = [textwrap.fill(f"{f.title} · {f.evidence}", columns) for f in findings]
    fig.supxlabel("\n".join(words) or tr("没有发现问题", "nothing found"), fontsize=9, x=0.02, ha="left")
    return fig


def mark(left, right, run: Run, finding) -> None:
    """The evidence of one finding, where it has a place in the curves."""
    found = finding.numbers
    if finding.name == "overfitting":
        ends = {e.epoch: e.steps for e in run.history}
        left.axvspan(ends[found["best"]], ends[found["last"]], color=MARK, alpha=0.15, lw=0)
        right.axvspan(found["best"], found["last"], color=MARK, alpha=0.15, lw=0)
    if finding.name == "rate too high":
        left.axvline(found["step"], color=MARK, ls="--", lw=1.5)
    if finding.name == "rate too low":
        left.axhline(run.history[0].valid_loss, color=MARK, ls="--", lw=1.5)
    if finding.name in ("underfitting", "class collapse"):
        left.axhline(found["chance"], color=MARK, ls="--", lw=1.5, label=tr("瞎猜", "guessing"))
        right.axhline(found["share"], color=MARK, ls="--", lw=1.5)


def short_power(x: float, digits: int = 0) -> str:
    """ "1e-6", not "1e-06"."""
    return f"{x:.{digits}e}".replace("e-0", "e-").replace("e+00", "")
