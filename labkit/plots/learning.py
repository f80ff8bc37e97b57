"""Figures of one run or a few: learning curves, losses by step, the confusion matrix, what the data look like.

Training is a thin line, validation a bold one with dots, a score on test rows a band: here and in every panel.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.display import display_width, title_of
from labkit.base.language import tr
from labkit.base.records import BadInput, Measure, Run, Scores
from labkit.base.svg import binned
from labkit.plots.charts import TEST, TRAIN, VALID, Band, Bars, Chart, Line, Points, figure_of
from labkit.plots.look import COLOURS, FAMILIES, class_words, drawn, figure, legend, looks, number, short, whole_numbers


@dataclass(frozen=True)
class Curves:
    """What the learning curves of one training are drawn from: losses, and the headline metric on validation rows."""

    train: Points  # while training
    valid: Points
    score: Points
    test: Measure | None = None
    sure: Measure | None = None  # the score of one epoch with its 95 % interval: no axis is narrower
    name: str = ""  # in the key, where several are drawn
    colours: tuple[str, str, str] = (TRAIN, VALID, TEST)
    marker: str = "o"
    pale: bool = False  # it stays in the background


def learning_charts(
    curves: Sequence[Curves], metric: str, x: str, *, raw: Points = (), log: bool = False, x_range=None
) -> list[Chart]:
    """The two charts of learning curves: loss, and the metric of that name. `raw` are single losses, drawn faintly."""
    alone = not any(c.name for c in curves if not c.pale)  # of one run the roles have colours, of several each its own
    words = (
        (tr("训练", "training"), tr("验证", "validation"), tr("测试（95 %）", "test (95 %)")) if alone else ("", "", "")
    )
    losses, scores = [Line(raw, TRAIN, opacity=0.35)] if raw else [], []
    tested = [c for c in curves if c.test and c.test.low is not None]
    for one in curves:
        train, valid, test = one.colours
        look = {"opacity": 0.5} if one.pale else {"bold": True, "marker": one.marker}
        train_word, valid_word = ("", one.name) if one.name else words[:2]
        losses += [Line(one.train, train, train_word, opacity=0.5 if one.pale else 1.0)]
        losses += [Line(one.valid, valid, valid_word, **look)]
        scores += [Line(one.score, valid, **look)]
        if one in tested:
            part = tuple(
                (tested.index(one) + i) / len(tested) for i in (0, 1)
            )  # one over another could not be told apart
            scores += [Band(one.test.low, one.test.high, one.test.value, test, words[2], part)]
    note = "" if alone else tr("细线：训练，粗线：验证", "thin: training, bold: validation")
    bands = "" if alone or not tested else tr("色带：测试", "bands: test")
    across = {"x": x, "x_range": x_range, "whole": True}
    ends = [end for c in curves if c.sure and c.sure.low is not None for end in (c.sure.low, c.sure.high)]
    least = (min(ends), max(ends)) if ends else None
    return [
        Chart(tr("损失", "loss"), losses, y=tr("交叉熵（nat）", "cross-entropy (nats)"), note=note, log=log, **across),
        Chart(
            tr("验证{}", "validation {}").format(title_of(metric)),
            scores,
            y=title_of(metric),
            note=bands,
            least=least,
            **across,
        ),
    ]


def headline(runs: Sequence[Run]) -> str:
    """The name of the metric that these runs are judged by first."""
    return next((name for run in runs for e in run.history for name in e.valid), "accuracy")


def sure_of(run: Run, metric: str) -> Measure | None:
    """A run's score on validation rows with its interval, as of one epoch."""
    return run.scores["valid"].metrics.get(metric) if run.scores.get("valid") else None


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its strategy, and the settings in which runs of that strategy differ; seeds share a name.

    >>> fast, slow = (Trainer(model, corpus, HeadOnly(), TrainConfig(epochs=1, lr=lr)).fit() for lr in (1e-2, 1e-3))
    >>> run_names([fast, slow])                              # they differ in their rate
    ['head, lr=0.01', 'head, lr=0.001']
    """
    settings = [{**run.config, **run.settings} for run in runs]
    names = []
    for run, mine in zip(runs, settings, strict=True):
        same = [s for r, s in zip(runs, settings, strict=True) if r.strategy == run.strategy]
        differ = [k for k in mine if k != "seed" and any(s.get(k) != mine[k] for s in same)]
        names.append(", ".join([run.strategy, *(f"{k}={mine[k]}" for k in differ)]))
    return names


def curves(*runs: Run, log: bool = False) -> Any:
    """Loss and headline metric by epoch, one colour a strategy and a line a seed: thin while training, bold with dots on
    validation rows; of one run or two, the band is the score on test rows with its 95 % interval. `log` draws losses by
    their logarithm."""
    return figure_of(run_charts(runs, log=log))


def run_charts(runs: Sequence[Run], names: Sequence[str] = (), log: bool = False) -> list[Chart]:
    """The charts of `curves`."""
    names, metric, drawn_curves, labelled = list(names or run_names(runs)), headline(runs), [], set()
    look_of = dict(zip(dict.fromkeys(names), looks(), strict=False))
    for run, name in zip(runs, names, strict=True):
        one = Curves(
            train=[(e.epoch, e.train_loss) for e in run.history],
            valid=[(e.epoch, e.valid_loss) for e in run.history],
            score=[(e.epoch, e.valid[metric]) for e in run.history],
            test=run.test.headline if run.test and len(runs) <= 2 else None,
            sure=sure_of(run, metric),
            name="" if name in labelled else name,
            colours=(look_of[name]["color"],) * 3,
            marker=look_of[name]["marker"],
        )
        drawn_curves.append(one)
        labelled.add(name)
    return learning_charts(drawn_curves, metric, tr("轮次", "epoch"), log=log)


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
    names = [short(class_words(c.label)) for c in scores.parts]
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
    """Histogram of the training rows' lengths before they are encoded, a colour for each class."""
    task, modality = corpus.task, corpus.task.modality
    if not corpus.train or modality.extent(corpus.train[0].input) is None:
        raise BadInput(
            tr("plots.lengths 需要有长短之分的训练行。", "plots.lengths needs training rows that have a length.")
        )
    rows = [(modality.extent(e.input), task.group(e)) for e in corpus.train]
    each, counts = binned([n for n, _ in rows], bins)  # whole units: bars of unequal width of content make a comb
    longest = each * len(counts) - 1
    kinds = [None] if rows[0][1] is None else range(len(corpus.labels))
    groups = [[min(n, longest) for n, group in rows if kind is None or group == kind] for kind in kinds]
    names = [corpus.name] if rows[0][1] is None else [short(class_words(x)) for x in corpus.labels]
    fig, axes = figure()
    colours = list(itertools.islice(itertools.cycle(COLOURS), len(groups)))
    edges = [each * i - 0.5 for i in range(len(counts) + 1)]
    axes.hist(groups, bins=edges, stacked=True, color=colours, label=names)
    axes.set(
        title=tr("长度（最长的 1 % 并入最后一格）", "Length (the longest 1 % in the last bar)"),
        xlabel=modality.unit(),
        ylabel=tr("行数", "rows"),
    )
    if len(groups) > 1:
        legend(fig, axes, len(groups), tr("标签", "label"))
    return fig


def bars(values: dict[str, float], title: str, unit: str) -> Any:
    """Named amounts as horizontal bars, each with its number."""
    return Bars(title, values, number, unit).figure()
