"""Figures of a network: its blocks as a stack, coloured by what trains."""

from typing import Any

from labkit.base.language import tr
from labkit.models.families import block_words
from labkit.plots.look import drawn, figure

STATES = {"frozen": "#c9d3e0", "trained": "#ee6677", "added": "#228833"}


@drawn
def anatomy(parts, title: str | None = None) -> Any:
    """A trainable_map as a stack of blocks from the embeddings up: frozen, trained and added parameters as shares of each
    block; beside it, where a run was watched, each block's gradient norm and weight change."""
    height = 1.5 + 0.42 * len(parts)
    fig, axes = figure(9.2 if parts.watched else 6.4, height, columns=3 if parts.watched else 1)
    stack, *rest = axes if parts.watched else [axes]
    words = {"frozen": tr("冻结", "frozen"), "trained": tr("训练", "trained"), "added": tr("新加", "added")}
    for row, part in enumerate(parts):
        whole, left = part.frozen + part.trained + part.added, 0.0
        for kind, colour in STATES.items():
            share = seen_share(getattr(part, kind), whole)
            stack.barh(row, share, left=left, color=colour, height=0.74, label=words[kind] if row == 0 else None)
            left += share
        stack.text(1.03, row, numbers(part), va="center", fontsize=8.5, transform=stack.get_yaxis_transform())
    names = [block_words(p.name) for p in parts]
    stack.set_yticks(range(len(parts)), names)
    stack.set(xlim=(0, 1), title=title or tr("哪些参数在训练？", "What trains?"))
    stack.set_xlabel(tr("该块参数中的占比", "share of the block's parameters"))
    stack.xaxis.set_major_formatter(percent)
    stack.grid(axis="y", visible=False)
    stack.tick_params(axis="y", length=0)
    fig.legend(*stack.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    if rest:
        bars(rest[0], [p.gradient for p in parts], tr("平均梯度范数", "Mean gradient norm"), tr("范数", "norm"))
        bars(
            rest[1],
            [100 * p.change for p in parts],
            tr("权重变化", "Weight change"),
            tr("占原范数的 %", "% of the norm before"),
        )
    return fig


def percent(value: float, _=None) -> str:
    return f"{value:.0%}"


def seen_share(n: int, whole: int) -> float:
    """The share of a block; a little that is there is drawn wide enough to be seen."""
    share = n / max(whole, 1)
    return 0.0 if not n else min(max(share, 0.015), 0.985) if n < whole else 1.0


def numbers(part) -> str:
    told = [(part.trained, tr("训练", "trained")), (part.added, tr("新加", "added"))]
    said = [f"{n:,} {word}" for n, word in told if n]
    return ", ".join(said) or f"{part.frozen:,} {tr('冻结', 'frozen')}"


def bars(axes, values, title: str, unit: str) -> None:
    axes.barh(range(len(values)), values, color="#4477aa", height=0.6)
    axes.set(title=title, xlabel=unit)
    axes.set_yticks(range(len(values)), [""] * len(values))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
