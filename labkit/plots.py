"""Data in, matplotlib Figure out; nothing is shown, saved or printed. Chinese works everywhere: the font is packaged.

The only door to matplotlib. Colours are Paul Tol's bright scheme, safe for colour-blind readers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.records import Run, Scores, summarise
from labkit.text import tr

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
FONT = Path(__file__).parent / "assets" / "fonts" / "LabkitSans-Regular.otf"


def figure(width: float = 6.4, height: float = 3.6, columns: int = 1) -> tuple[Any, Any]:
    """A Figure and its axes (an array where there are several columns), in labkit's look."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    if FONT.exists() and not any(f.fname == str(FONT) for f in fontManager.ttflist):
        fontManager.addfont(FONT)
    look = {
        "font.family": ["Labkit Sans", "DejaVu Sans"] if FONT.exists() else ["DejaVu Sans"],
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.25,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "figure.dpi": 90,
    }
    with matplotlib.rc_context(look):
        fig = Figure(figsize=(width, height), layout="constrained", dpi=90)
        return fig, fig.subplots(1, columns)


def curves(*runs: Run) -> Any:
    """Loss and validation accuracy by epoch, one colour a run: dashed while training, solid on validation rows."""
    fig, (left, right) = figure(8.4, 3.4, columns=2)
    for run, colour in zip(runs, COLOURS * (1 + len(runs) // len(COLOURS)), strict=False):
        epochs = [e.epoch for e in run.history]
        name = run.strategy if len({r.strategy for r in runs}) == len(runs) else f"{run.strategy}, seed {run.seed}"
        left.plot(epochs, [e.train_loss for e in run.history], "--", color=colour, alpha=0.6)
        left.plot(epochs, [e.valid_loss for e in run.history], "o-", color=colour, ms=4, label=name)
        right.plot(epochs, [e.valid_accuracy for e in run.history], "o-", color=colour, ms=4, label=name)
    left.set(
        title=tr("损失（虚线：训练，实线：验证）", "Loss (dashed: training, solid: validation)"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    right.set(title=tr("验证准确率", "Validation accuracy"), ylabel=tr("准确率", "accuracy"))
    for axes in (left, right):
        axes.set_xlabel(tr("轮次", "epoch"))
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.legend()
    return fig


def steps(*series: tuple[str, Sequence[float]]) -> Any:
    """Loss against step for one or more named series, each with its running mean over a twentieth of the steps."""
    fig, axes = figure()
    for (name, losses), colour in zip(series, COLOURS, strict=False):
        axes.plot(range(1, len(losses) + 1), losses, color=colour, alpha=0.25, lw=0.8)
        width = max(1, len(losses) // 20)
        smooth = [sum(losses[max(0, i - width + 1) : i + 1]) / min(i + 1, width) for i in range(len(losses))]
        axes.plot(range(1, len(losses) + 1), smooth, color=colour, label=name)
    axes.set(
        title=tr("训练损失", "Training loss"),
        xlabel=tr("步", "step"),
        ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
    )
    axes.legend()
    return fig


def confusion(scores: Scores) -> Any:
    """The confusion matrix: rows are the truth, columns what the model said, shares by row as colour, counts as text."""
    names = [c.label for c in scores.classes]
    size = 2.4 + 0.55 * len(names)
    fig, axes = figure(size + 0.8, size)
    shares = [[n / max(sum(row), 1) for n in row] for row in scores.confusion]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(scores.confusion):
        for j, n in enumerate(row):
            axes.text(j, i, f"{n}", ha="center", va="center", color="white" if shares[i][j] > 0.55 else "#222222")
    axes.set(title=tr("混淆矩阵", "Confusion matrix"), xlabel=tr("模型说", "model says"), ylabel=tr("实际是", "truth"))
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.grid(False)
    fig.colorbar(image, ax=axes, label=tr("占该行的比例", "share of the row"), shrink=0.85)
    return fig


def lengths(corpus, bins: int = 40) -> Any:
    """Histogram of text lengths in characters, a colour for each class."""
    fig, axes = figure()
    longest = sorted(len(r.text) for r in corpus.train)[int(0.99 * (len(corpus.train) - 1))]
    groups = [[min(len(r.text), longest) for r in corpus.train if r.label == i] for i in range(len(corpus.labels))]
    axes.hist(groups, bins=bins, stacked=True, color=[COLOURS[i % 7] for i in range(len(groups))], label=corpus.labels)
    axes.set(
        title=tr("文本长度（最长的 1 % 并入最后一格）", "Text length (the longest 1 % in the last bar)"),
        xlabel=tr("字数", "characters"),
        ylabel=tr("行数", "rows"),
    )
    axes.legend()
    return fig


def bars(values: dict[str, float], title: str, unit: str) -> Any:
    """Named amounts as horizontal bars, each with its number."""
    fig, axes = figure(6.4, 0.9 + 0.42 * len(values))
    names = list(values)[::-1]
    drawn = axes.barh(names, [values[n] for n in names], color=COLOURS[0], height=0.6)
    axes.bar_label(drawn, [f"{values[n]:.3g}" for n in names], padding=4)
    axes.set(title=title, xlabel=unit)
    axes.margins(x=0.15)
    axes.grid(axis="y", visible=False)
    return fig


def runs(found: Sequence[Run], baseline: Run | None = None) -> Any:
    """Test accuracy with its 95 % interval against seconds of training, a point a strategy (mean over seeds)."""
    fig, axes = figure(6.4, 4.0)
    for row, colour in zip(summarise(found), COLOURS * 3, strict=False):
        low, high = row.accuracy - row.low, row.high - row.accuracy
        axes.errorbar(
            row.seconds, row.accuracy, yerr=[[low], [high]], fmt="o", color=colour, capsize=3, label=row.strategy
        )
    if baseline is not None:
        axes.axhline(baseline.test_accuracy, color="#888888", ls=":", label=baseline.strategy)
    axes.set(
        title=tr("测试准确率与训练时间", "Test accuracy against training time"),
        xlabel=tr("训练时间（秒）", "training time (s)"),
        ylabel=tr("测试准确率（95 % 区间）", "test accuracy (95 % interval)"),
    )
    axes.set_xlim(left=0)
    axes.legend()
    return fig
