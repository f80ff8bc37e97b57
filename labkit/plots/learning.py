"""Figures of one run or a few: learning curves, losses by step, the confusion matrix, what the data look like."""

import itertools
from collections.abc import Sequence
from typing import Any

from labkit.base.display import display_width
from labkit.base.language import tr
from labkit.base.records import BadInput, Run, Scores
from labkit.plots.look import (
    COLOURS,
    FAMILIES,
    drawn,
    figure,
    legend,
    looks,
    number,
    short,
    whole_numbers,
)


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its strategy, and the settings in which runs of that strategy differ; seeds share a name.

    >>> run_names([run_a, run_b])                            # two full runs that differ in their rate
    ['full, lr=0.001', 'full, lr=0.0001']
    """
    settings = [{**run.config, **run.settings} for run in runs]
    names = []
    for run, mine in zip(runs, settings, strict=True):
        same = [s for r, s in zip(runs, settings, strict=True) if r.strategy == run.strategy]
        differ = [k for k in mine if k != "seed" and any(s.get(k) != mine[k] for s in same)]
        names.append(", ".join([run.strategy, *(f"{k}={mine[k]}" for k in differ)]))
    return names


@drawn
def curves(*runs: Run) -> Any:
    """Loss and validation accuracy by epoch, one colour a strategy and a line a seed: dashed while training, solid on
    validation rows."""
    names = run_names(runs)
    look_of = dict(zip(dict.fromkeys(names), looks(), strict=False))
    fig, (left, right) = figure(8.4 if len(look_of) <= 5 else 9.6, 3.4, columns=2)
    labelled = set()
    for run, name in zip(runs, names, strict=True):
        epochs = [e.epoch for e in run.history]
        look = {**look_of[name], "ms": 4}
        left.plot(epochs, [e.train_loss for e in run.history], "--", alpha=0.6, color=look["color"])
        left.plot(epochs, [e.valid_loss for e in run.history], **look)
        label = None if name in labelled else name
        right.plot(epochs, [e.valid_accuracy for e in run.history], label=label, **look)
        labelled.add(name)
    left.set(
        title=tr("损失（虚线：训练，实线：验证）", "Loss (dashed: training, solid: validation)"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    right.set(title=tr("验证准确率", "Validation accuracy"), ylabel=tr("准确率", "accuracy"))
    for axes in (left, right):
        axes.set_xlabel(tr("轮次", "epoch"))
        whole_numbers(axes)
    legend(fig, right, len(look_of))
    return fig


@drawn
def steps(*series: tuple[str, Sequence[float]]) -> Any:
    """Loss against step for one or more named series, each with its running mean over a twentieth of the steps."""
    fig, axes = figure()
    for (name, losses), colour in zip(series, itertools.cycle(COLOURS), strict=False):
        axes.plot(range(1, len(losses) + 1), losses, color=colour, alpha=0.25, lw=0.8)
        width = max(1, len(losses) // 20)
        axes.plot(range(1, len(losses) + 1), running_mean(losses, width), color=colour, lw=1.8, label=name)
    axes.set(
        title=tr("训练损失", "Training loss"),
        xlabel=tr("步", "step"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    whole_numbers(axes)
    legend(fig, axes, len(series))
    return fig


def running_mean(values: Sequence[float], width: int) -> list[float]:
    """Means over the last `width` values, over fewer at the start.

    >>> running_mean([1, 3, 5], 2)
    [1.0, 2.0, 4.0]
    """
    windows = [values[max(0, i - width + 1) : i + 1] for i in range(len(values))]
    return [sum(w) / len(w) for w in windows]


@drawn
def confusion(scores: Scores) -> Any:
    """The confusion matrix: rows are the truth, columns what the model said, shares by row as colour, counts as text."""
    names = [short(c.label) for c in scores.classes]
    wordy, many = max(map(display_width, names)) > 6 and len(names) > 2, len(names) > 8
    size = 2.4 + (0.42 if many else 0.55) * len(names)
    fig, axes = figure(size + 1.2, size)
    shares = [[n / max(sum(row), 1) for n in row] for row in scores.confusion]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(scores.confusion):
        for j, n in enumerate(row):
            colour = "white" if shares[i][j] > 0.55 else "#222222"
            axes.text(j, i, f"{n}", ha="center", va="center", color=colour, fontsize=8 if many else 10)
    axes.set(title=tr("混淆矩阵", "Confusion matrix"), xlabel=tr("模型说", "model says"), ylabel=tr("实际是", "truth"))
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if wordy else {}
    axes.set_xticks(range(len(names)), names, **slant)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    bar = fig.colorbar(image, ax=axes, label=tr("占该行的比例", "share of the row"), shrink=0.85)
    bar.ax.tick_params(labelfontfamily=FAMILIES, labelsize=9)
    bar.outline.set_visible(False)
    return fig


@drawn
def lengths(corpus, bins: int = 40) -> Any:
    """Histogram of the training rows' text lengths in characters, a colour for each class."""
    if not corpus.train or not hasattr(corpus.train[0], "text"):
        raise BadInput(tr("plots.lengths 需要有文本的训练行。", "plots.lengths needs training rows with texts."))
    fig, axes = figure()
    longest = sorted(len(r.text) for r in corpus.train)[int(0.99 * (len(corpus.train) - 1))]
    groups = [[min(len(r.text), longest) for r in corpus.train if r.label == i] for i in range(len(corpus.labels))]
    colours = list(itertools.islice(itertools.cycle(COLOURS), len(groups)))
    step = max(1, -(-(longest + 1) // bins))  # whole characters: bars of unequal width of content make a comb
    edges = [step * i - 0.5 for i in range(longest // step + 2)]
    axes.hist(groups, bins=edges, stacked=True, color=colours, label=[short(x) for x in corpus.labels])
    axes.set(
        title=tr("文本长度（最长的 1 % 并入最后一格）", "Text length (the longest 1 % in the last bar)"),
        xlabel=tr("字数", "characters"),
        ylabel=tr("行数", "rows"),
    )
    legend(fig, axes, len(groups), tr("标签", "label"))
    return fig


@drawn
def bars(values: dict[str, float], title: str, unit: str) -> Any:
    """Named amounts as horizontal bars, each with its number."""
    fig, axes = figure(6.4, 1.1 + 0.4 * len(values))
    names = list(values)[::-1]
    drawn_bars = axes.barh(range(len(names)), [values[n] for n in names], color=COLOURS[0], height=0.6)
    axes.set_yticks(range(len(names)), [short(n, 32) for n in names])
    axes.bar_label(drawn_bars, [number(values[n]) for n in names], padding=4, fontsize=9)
    axes.set(title=title, xlabel=unit)
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    return fig
