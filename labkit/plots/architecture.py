"""Drawings of a network: its blocks coloured by what trains, and where LoRA, adapters and prefixes sit inside a layer.

`network` is made from the model's own blocks and so draws every family. Notebooks 01, 02 and 03 begin with it.
"""

import copy
from collections.abc import Iterable
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.inspection.trainable_map import Part, trainable_map
from labkit.models.families import Block, block_words, blocks, family_of
from labkit.plots.inspecting import STATES, state_words
from labkit.plots.look import GREY, drawn, figure
from labkit.strategies import Strategy, name_of

MOST = 6  # drawings side by side
SLIT = 0.16  # the least width of a part of a block: a little that trains must be seen
WRAPPERS = ("base_model", "model", "modules_to_save", "default")  # in peft's names of parameters


@drawn
def network(model, *strategies: Strategy) -> Any:
    """The network from its input up to the head, once for each strategy, coloured by what that would train.

    >>> network(model, HeadOnly(), TopK(2), LoRA())
    >>> network(model)                                        # as it stands

    The model is left as it was.
    """
    if len(strategies) > MOST:
        raise BadInput(
            tr(
                f"{len(strategies)} 种策略太多：一幅图里最多画 {MOST} 种，请分几次画。",
                f"{len(strategies)} strategies are too many: a figure has room for {MOST}, so draw several.",
            )
        )
    prepared = [s.prepare(copy.deepcopy(model)) for s in strategies] or [model]
    plans = [boxes(one) for one in prepared]
    fig, axes = figure(max(4.2, 2.4 * len(plans)), 1.5 + 0.42 * max(map(len, plans)), columns=len(plans))
    for one, plan, wrapped, strategy in zip(
        axes if len(plans) > 1 else [axes], plans, prepared, strategies or [None], strict=True
    ):
        building(one, plan, what_it_reads(wrapped), wrapped.main_input_name)
        said = [part for _, part in plan if part]
        trained, whole = sum(p.trained + p.added for p in said), sum(p.frozen + p.trained + p.added for p in said)
        name = name_of(strategy) if strategy else tr("模型", "the model")
        one.set_title(f"{name}\n{trained:,} / {whole:,}", fontsize=9.5)
    shown = [kind for kind in STATES if any(getattr(p, kind) for plan in plans for _, p in plan if p)]
    key(fig, shown)
    return fig


def boxes(model) -> list[tuple[str, Part]]:
    """From the bottom up: a block's words and its part of the trainable map; the head in its modules, prompts first."""
    parts, found = trainable_map(model), []
    for block, part in zip(blocks(model), parts, strict=True):
        found += head_boxes(model, block) if block.kind == "head" else [(block_words(block.name), part)]
    return sorted(found, key=lambda box: box[1].kind != "prompt")


def one_answer(model) -> bool:
    """Whether the head gives one answer a row, as a classifier does, and not one for each token."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return type(whole).__name__.endswith(("SequenceClassification", "ImageClassification", "AudioClassification"))


def what_it_reads(model) -> str:
    """Which of the last layer's vectors the head is given, in words; nothing where that goes without saying."""
    words = {"first": tr("取第一个", "the first"), "last": tr("取最后一个", "the last")}
    return words.get(family_of(model).reads, "") if one_answer(model) else tr("每个都取", "each one")


def head_boxes(model, block: Block) -> Iterable[tuple[str, Part]]:
    """The pooler, where there is one, and what stands on it."""
    modules: dict[str, dict] = {}
    for name in block.parameters:
        if ".original_module." in name:  # peft keeps the head that it replaced
            continue
        parameter = model.get_parameter(name)
        last = block_words("head") if one_answer(model) else tr("头", "head")
        words = tr("池化层", "pooler") if ".pooler." in f".{name}" else last
        sizes = modules.setdefault(words, {"frozen": 0, "trained": 0, "added": 0})
        sizes["trained" if parameter.requires_grad else "frozen"] += parameter.numel()
    return [(words, Part(words, "head", **sizes)) for words, sizes in modules.items()]


def building(axes, plan: list[tuple[str, Part]], reads: str, asked: str) -> None:
    """One drawing: the input below, then a box for each block, an arrow through all of them."""
    prompt = next((part for _, part in plan if part.kind == "prompt"), None)
    rows = [(words, part) for words, part in plan if part.kind != "prompt"]
    layers = [y for y, (_, part) in enumerate(rows, start=1) if part.kind == "layer"]
    bare(axes, (-0.28 if prompt else 0.08, 1.0), (-0.55, len(rows) + 0.55))
    axes.annotate(
        "", (0.5, len(rows) + 0.5), (0.5, -0.1), arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2}, zorder=1
    )
    source = {"input_ids": tr("词元", "tokens"), "pixel_values": tr("图像", "image")}
    pieces = {"input_ids": 5, "pixel_values": 1}.get(asked, 3)
    for i in range(pieces):
        width = 0.84 / pieces
        box(axes, 0.08 + i * width, -0.2, width - 0.02, 0.4, "white")
    axes.text(0.5, -0.24, source.get(asked, tr("声音", "sound")), ha="center", va="top", fontsize=8.5)
    for y, (words, part) in enumerate(rows, start=1):
        slices(axes, part, y)
        axes.text(0.5, y, words, ha="center", va="center", fontsize=9)
    if reads and layers and asked == "input_ids":
        axes.text(0.53, layers[-1] + 0.5, reads, va="center", fontsize=7, color="#444444")
    if prompt:
        box(axes, -0.22, layers[0] - 0.38, 0.16, layers[-1] - layers[0] + 0.76, STATES["added"])
        axes.text(-0.14, sum(layers) / len(layers), block_words("prompt"), ha="center", va="center", fontsize=8, rotation=90, color="white")  # fmt: skip


def slices(axes, part: Part, y: float) -> None:
    """A block as a box: what is frozen first, then what trains and what was added, each wide enough to be seen."""
    sizes = {kind: getattr(part, kind) for kind in STATES}
    seen = {kind: max(SLIT, n / sum(sizes.values())) for kind, n in sizes.items() if n} or {"frozen": 1.0}
    left = 0.08
    for kind, share in seen.items():
        width = 0.84 * share / sum(seen.values())
        box(axes, left, y - 0.38, width, 0.76, STATES[kind])
        left += width


@drawn
def additions() -> Any:
    """Where LoRA, an adapter and a prefix sit in a transformer layer: what they add is green, what trains beside it red."""
    fig, panels = figure(9.6, 4.6, columns=3)
    for axes, draw, title in zip(
        panels,
        (lora, adapter, prefix),
        (tr("LoRA：贴在旁边", "LoRA: beside"), tr("适配器：夹在中间", "Adapter: in between"), tr("前缀：摆在前面", "Prefix: in front")),
        strict=True,
    ):  # fmt: skip
        bare(axes, (-0.35, 3.35), (-0.7, 8.5))
        axes.set_title(title)
        draw(axes)
    key(fig, STATES)
    return fig


def layer(axes, up: tuple = (0, 0), norms: str = "frozen") -> None:
    """A layer as all three share it; `up` is how far what follows each of its two halves is pushed up."""
    arrow(axes, 1.5, -0.6, 1.5, -0.1)
    axes.text(1.62, -0.42, tr("各词元", "the tokens"), fontsize=8, va="center")
    for i, words in enumerate((tr("查询", "query"), tr("键", "key"), tr("值", "value"))):
        station(axes, i, 0.0, 1.0, words)
        arrow(axes, i + 0.5, 0.7, i + 0.5, 1.15)
    station(axes, 0, 1.15, 3, tr("注意力", "attention"))
    first, second = up
    heights = (2.3, 3.45 + first, 4.6 + first, 5.75 + first + second)
    words = (
        tr("输出", "output"),
        tr("残差、归一化", "residual, norm"),
        tr("前馈", "feed-forward"),
        tr("残差、归一化", "residual, norm"),
    )
    for place, said, state in zip(heights, words, ("frozen", norms, "frozen", norms), strict=True):
        arrow(axes, 1.5, place - 0.45, 1.5, place)
        station(axes, 0, place, 3, said, state)
    arrow(axes, 1.5, heights[-1] + 0.7, 1.5, heights[-1] + 1.2)


def lora(axes) -> None:
    layer(axes)
    for i in (0, 2):
        x = -0.3 if i == 0 else 3.02
        box(axes, x, 0.0, 0.28, 0.33, STATES["added"])
        box(axes, x, 0.37, 0.28, 0.33, STATES["added"])
        for y, name in ((0.165, "A"), (0.535, "B")):
            axes.text(x + 0.14, y, name, ha="center", va="center", fontsize=8, color="white")


def adapter(axes) -> None:
    layer(axes, (1.0, 1.0), "trained")
    for below in (3.3, 6.6):
        arrow(axes, 1.5, below - 0.3, 1.5, below)
        shape = [(0.5, below), (2.5, below), (2.1, below + 0.36), (2.5, below + 0.72), (0.5, below + 0.72), (0.9, below + 0.36)]  # fmt: skip
        axes.fill(*zip(*shape, strict=True), color=STATES["added"], lw=0)
        axes.text(1.5, below + 0.36, tr("瓶颈", "bottleneck"), ha="center", va="center", fontsize=8, color="white")


def prefix(axes) -> None:
    layer(axes)
    for i in (1, 2):
        for k in range(3):
            box(axes, i + 0.06 + 0.07 * k, 0.08, 0.06, 0.54, STATES["added"])


def key(fig, kinds: Iterable[str]) -> None:
    from matplotlib.patches import Patch

    words = state_words()
    fig.legend(handles=[Patch(color=STATES[k], label=words[k]) for k in kinds], loc="outside lower center", ncols=3)


def station(axes, x: float, y: float, width: float, words: str, state: str = "frozen") -> None:
    box(axes, x + 0.04, y, width - 0.08, 0.7, STATES[state])
    axes.text(x + width / 2, y + 0.35, words, ha="center", va="center", fontsize=8.5)


def arrow(axes, x: float, y: float, to_x: float, to_y: float) -> None:
    axes.annotate("", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1, "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def box(axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="white" if colour != "white" else GREY, lw=0.8, zorder=2))  # fmt: skip


def bare(axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    """Axes that are only a sheet to draw on."""
    axes.set(xlim=across, ylim=up)
    axes.set_axis_off()
