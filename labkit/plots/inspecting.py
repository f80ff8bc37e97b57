"""Figures of one model or run looked into: what trains in it, which rate it bears, what went wrong, what it forgot."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from labkit.base.language import language, tr
from labkit.base.records import BadInput, Run
from labkit.comparison.summary import Summary, summarise
from labkit.models.families import block_words
from labkit.plots.charts import Line
from labkit.plots.comparing import score_words
from labkit.plots.labels import place_labels
from labkit.plots.learning import Curves, headline, learning_charts, sure_of
from labkit.plots.look import COLOURS, GREY, MARKERS, drawn, figure, sentence, short

STATES = {"frozen": "#c9d3e0", "trained": COLOURS[1], "added": COLOURS[2]}
ALARM = COLOURS[5]  # what a finding points at


@drawn
def anatomy(parts, title: str | None = None) -> Any:
    """A trainable_map as a stack of blocks from the embeddings up: frozen, trained and added parameters as shares of each
    block; beside it, where a run was watched, each block's gradient norm and weight change."""
    height = 1.5 + 0.42 * len(parts)
    fig, axes = figure(9.2 if parts.watched else 6.4, height, columns=3 if parts.watched else 1)
    stack, *rest = axes if parts.watched else [axes]
    words = state_words()
    for row, part in enumerate(parts):
        whole, left = part.frozen + part.trained + part.added, 0.0
        for kind, colour in STATES.items():
            share = seen_share(getattr(part, kind), whole)
            stack.barh(row, share, left=left, color=colour, height=0.74, label=words[kind] if row == 0 else None)
            left += share
        stack.text(1.03, row, counted(part), va="center", fontsize=8.5, transform=stack.get_yaxis_transform())
    names = [block_words(p.name) for p in parts]
    stack.set_yticks(range(len(parts)), names)
    stack.set(xlim=(0, 1), title=title or tr("哪些参数在训练？", "What trains?"))
    stack.set_xlabel(tr("该块参数中的占比", "share of the block's parameters"))
    stack.xaxis.set_major_formatter(percent)
    stack.grid(axis="y", visible=False)
    stack.tick_params(axis="y", length=0)
    fig.legend(*stack.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    if rest:
        block_bars(rest[0], [p.gradient for p in parts], tr("平均梯度范数", "Mean gradient norm"), tr("范数", "norm"))
        block_bars(
            rest[1],
            [100 * p.change for p in parts],
            tr("权重变化", "Weight change"),
            tr("占原范数的 %", "% of the norm before"),
        )
    return fig


def state_words() -> dict[str, str]:
    """What a parameter can be, in the language in force; its colour is in STATES."""
    return {"frozen": tr("冻结", "frozen"), "trained": tr("训练", "trained"), "added": tr("新加", "added")}


def percent(value: float, _=None) -> str:
    return f"{value:.0%}"


def seen_share(n: int, whole: int) -> float:
    """The share of a block; a little that is there is drawn wide enough to be seen."""
    share = n / max(whole, 1)
    return 0.0 if not n else min(max(share, 0.015), 0.985) if n < whole else 1.0


def counted(part) -> str:
    told = [(part.trained, tr("训练", "trained")), (part.added, tr("新加", "added"))]
    said = [f"{n:,} {word}" for n, word in told if n]
    return ", ".join(said) or f"{part.frozen:,} {tr('冻结', 'frozen')}"


def block_bars(axes, values, title: str, unit: str) -> None:
    axes.barh(range(len(values)), values, color=COLOURS[0], height=0.6)
    axes.set(title=title, xlabel=unit)
    axes.set_yticks(range(len(values)), [""] * len(values))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


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
        (sweep.lowest, GREY, ":", tr("最低点", "lowest")),
        (sweep.diverges, COLOURS[1], "--", tr("发散", "diverges")),
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
    """A run's losses and its headline metric on validation rows, by step; what the findings point at is marked in purple."""
    fig, both = figure(9.6, 3.4 + 0.5 * len(findings), columns=2)
    metric, last = headline([run]), max((e.steps for e in run.history), default=1)
    curves = Curves(
        train=[(e.steps, e.train_loss) for e in run.history],
        valid=[(e.steps, e.valid_loss) for e in run.history],
        score=[(e.steps, e.valid[metric]) for e in run.history],
        sure=sure_of(run, metric),
    )
    raw = [(step, loss) for step, loss, _ in run.steps]
    charts = learning_charts([curves], metric, tr("步", "step"), raw=raw, x_range=(0, last))
    for axes, chart, levels in zip(both, charts, guessing(run, findings), strict=True):
        lines = [Line([(0, y), (last, y)], ALARM, words, dashed=True) for y, words in levels]
        replace(chart, marks=[*chart.marks, *lines]).draw(axes)
    for finding in findings:
        mark(both, run, finding)
    both[0].legend()
    columns = 64 if language() == "zh" else 130
    words = [textwrap.fill(f"{f.title} · {f.evidence}", columns) for f in findings]
    fig.supxlabel("\n".join(words) or tr("没有发现问题", "nothing found"), fontsize=9, x=0.02, ha="left")
    return fig


def guessing(run: Run, findings: Sequence) -> tuple[list, list]:
    """What a model reaches that has not learned: levels of loss and of the metric, with their words."""
    losses, scores = [], []
    for finding in findings:
        if finding.name == "rate too low":
            losses.append((run.history[0].valid_loss, tr("起点", "the start")))
        if finding.name in ("underfitting", "class collapse"):
            losses.append((finding.numbers["chance"], tr("瞎猜", "guessing")))
            scores.append((finding.numbers["share"], ""))
    return losses, scores


def mark(both, run: Run, finding) -> None:
    """The steps that a finding points at."""
    if finding.name == "overfitting":
        ends = {e.epoch: e.steps for e in run.history}
        for axes in both:
            best, last = (ends[finding.numbers[name]] for name in ("best", "last"))
            axes.axvspan(best, last, color=ALARM, alpha=0.15, lw=0)
    if finding.name == "rate too high":
        both[0].axvline(finding.numbers["step"], color=ALARM, ls="--", lw=1.5)


def short_power(x: float, digits: int = 0) -> str:
    """ "1e-6", not "1e-06"."""
    return f"{x:.{digits}e}".replace("e-0", "e-").replace("e+00", "")


@drawn
def forgetting(found: Sequence[Run]) -> Any:
    """The headline metric on test rows against forgetting, a point a strategy (mean over seeds); an arrow leads from a strategy to the same
    one with L2-SP or replay ("full" -> "full+l2sp"). Runs whose forgetting was not measured are left out."""
    lines = [line for line in summarise(found) if line.forgetting is not None]
    if not lines:
        raise BadInput(
            tr(
                "这些训练都没有测过遗忘：请先用 forgetting_of 测量，填进 Run.forgetting。",
                "None of these runs has its forgetting measured: measure it with forgetting_of, into Run.forgetting.",
            )
        )
    plain = {line.strategy: line for line in lines if line.strategy == base_name(line)}
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(map(base_name, lines)))}
    fig, axes = figure(7.0, 4.4)
    axes.axvline(0, color=GREY, ls=":", lw=1)
    for line in lines:
        whole, colour = line.strategy in plain, colours[base_name(line)]
        marker = MARKERS[list(colours).index(base_name(line)) // len(COLOURS) % len(MARKERS)]
        style = {"color": colour, "marker": marker, "ms": 8, "mfc": colour if whole else "white", "mew": 1.5}
        axes.plot([line.forgetting], [line.headline.value], ls="none", zorder=3, **style)
        if line.low is not None:
            axes.vlines(line.forgetting, line.low, line.high, color=colour, alpha=0.3)
        if not whole and base_name(line) in plain:
            arrow(axes, plain[base_name(line)], line, colour)
    score, up = score_words(found)
    axes.set(
        title=sentence(
            tr("{}与遗忘（空心：加了防遗忘方法）", "{} and forgetting (hollow: with a repair)").format(score)
        ),
        xlabel=tr(
            "遗忘：通用文本上语言模型损失的变化（nat）",
            "forgetting: change of the language-model loss on general text (nats)",
        ),
        ylabel=up,
    )
    axes.margins(0.16, 0.05)
    names = [(line.forgetting, line.headline.value, short(line.strategy, 24)) for line in lines]
    place_labels(fig, axes, names, [place for line in lines for place in between(plain.get(base_name(line)), line)])
    return fig


def between(start: Summary | None, end: Summary) -> list[tuple[float, float]]:
    """Places along the arrow from a strategy to its repaired run."""
    if start is None:
        return []
    (x, y), (u, v) = (start.forgetting, start.headline.value), (end.forgetting, end.headline.value)
    return [(x + share * (u - x), y + share * (v - y)) for share in (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)]


def base_name(line: Summary) -> str:
    """The strategy without its repair: "full+l2sp" is "full"."""
    return line.strategy.partition("+")[0]


def arrow(axes, start: Summary, end: Summary, colour: str) -> None:
    ends = {"xy": (end.forgetting, end.headline.value), "xytext": (start.forgetting, start.headline.value)}
    look = {"arrowstyle": "->", "color": colour, "alpha": 0.6, "shrinkA": 6, "shrinkB": 6}
    axes.annotate("", **ends, arrowprops=look)
