"""Strategies that freeze the network and train something small beside it. Notebook 03 opens each of them.

LoRA, prefix tuning and P-tuning v2 come from peft, so that what students save is what the world loads; the bottleneck
adapter is ours (layers.Bottleneck). In all of them the head trains too.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models import added
from labkit.models.families import FAMILIES, blocks, family_of, reads_tokens, width_of
from labkit.strategies.contract import Strategy, head_parts, layers_of, scaled, train_only
from labkit.strategies.freezing import SLIGHT


@dataclass(frozen=True)
class LoRA(Strategy):
    """A pair of thin matrices beside each query and value map (Hu et al. 2021, arXiv 2106.09685); merges without a trace.

    The pair adds `alpha / rank` times B A to a frozen weight; B starts at zero. `where="all"` adds one to every linear
    map and every convolution of every layer.
    """

    rank: int = 8
    alpha: float = 16
    dropout: float = 0.0
    where: str = "query-value"
    name: ClassVar[str] = "lora"

    def __post_init__(self):
        checked_number("rank", self.rank, 1, 1024, whole=True)
        checked_number("alpha", self.alpha, SLIGHT, 1e4)
        if self.dropout:
            checked_number("dropout", self.dropout, 0, 0.9)
        if self.where not in ("query-value", "all"):
            raise BadInput(
                tr(
                    f"where={self.where!r} 不行；可选：query-value, all。",
                    f"where={self.where!r} won't do; choose from: query-value, all.",
                )
            )

    def check(self, model) -> None:
        added.refuse_second(model)
        if self.where == "query-value" and not family_of(model).query_value:
            raise no_place(model, self)
        if self.where == "all" and (grouped := grouped_convolutions(model)):
            raise BadInput(
                tr(
                    f"LoRA 不能加在分组卷积（depthwise Conv1d）旁边：{listing(grouped, 2)}。请用 LoRA(where='query-value')、top-K 或 adapter。",
                    f"LoRA cannot stand beside convolutions in groups (depthwise Conv1d): {listing(grouped, 2)}. Take "
                    "LoRA(where='query-value'), top-K or adapter.",
                )
            )

    def prepare(self, model) -> Any:
        self.check(model)
        head = head_parts(model)
        family = family_of(model)
        places = linear_maps(model, family.query_value if self.where == "query-value" else None)
        return added.add_lora(
            model,
            places,
            head,
            rank=self.rank,
            alpha=self.alpha,
            dropout=self.dropout,
            transposed=family.transposed,
            tokens=reads_tokens(model),
        )

    def merge(self, model) -> Any:
        return added.merged(model)

    def default_lr(self, model) -> float:
        return scaled(3e-3 if self.where == "query-value" else 2e-3, 5e-4, model)

    def default_epochs(self, model) -> int:
        return 6


@dataclass(frozen=True)
class PrefixTuning(Strategy):
    """Trained keys and values stand before the text in every layer; a small network makes them from `tokens` vectors
    while training (Li and Liang 2021, arXiv 2101.00190)."""

    tokens: int = 10
    hidden: int | None = None  # width of that network; None: the model's
    name: ClassVar[str] = "prefix"

    def __post_init__(self):
        checked_number("tokens", self.tokens, 1, 512, whole=True)
        if self.hidden is not None:
            checked_number("hidden", self.hidden, 1, 65536, whole=True)

    def check(self, model) -> None:
        refuse_prompts(model, self)

    def prepare(self, model) -> Any:
        self.check(model)
        return added.add_prompts(model, head_parts(model), tokens=self.tokens, hidden=self.hidden or width_of(model))

    def default_lr(self, model) -> float:
        return scaled(3e-3, 1e-3, model)

    def default_epochs(self, model) -> int:
        return 10


@dataclass(frozen=True)
class PTuningV2(Strategy):
    """Deep prompts: keys and values of `tokens` places before the text train directly, in every layer
    (Liu et al. 2022, arXiv 2110.07602). Slow to learn: it wants many epochs."""

    tokens: int = 10
    name: ClassVar[str] = "ptuning-v2"

    def __post_init__(self):
        checked_number("tokens", self.tokens, 1, 512, whole=True)

    def check(self, model) -> None:
        refuse_prompts(model, self)

    def prepare(self, model) -> Any:
        self.check(model)
        return added.add_prompts(model, head_parts(model), tokens=self.tokens, hidden=None)

    def default_lr(self, model) -> float:
        return scaled(3e-2, 5e-3, model)

    def default_epochs(self, model) -> int:
        return 10


@dataclass(frozen=True)
class Adapter(Strategy):
    """A bottleneck of `size` features behind each attention and each feed-forward part; it and the layers' norms train
    (Houlsby et al. 2019, arXiv 1902.00751). Starts without any effect."""

    size: int = 16
    name: ClassVar[str] = "adapter"

    def __post_init__(self):
        checked_number("size", self.size, 1, 65536, whole=True)

    def check(self, model) -> None:
        added.refuse_second(model)
        if not family_of(model).sublayer_ends:
            raise no_place(model, self)

    def prepare(self, model) -> Any:
        import torch

        from labkit.models.layers import add_bottlenecks  # defines torch modules: not before they are needed

        self.check(model)
        head, width, places = (
            set(blocks(model)[-1].parameters),
            width_of(model),
            linear_maps(model, family_of(model).sublayer_ends),
        )
        add_bottlenecks(model, places, width, self.size)
        layers = [model.get_submodule(m) for b in layers_of(model) for m in b.modules]
        norms = {
            p for layer in layers for m in layer.modules() if isinstance(m, torch.nn.LayerNorm) for p in m.parameters()
        }
        names = {n for n, p in model.named_parameters() if ".bottleneck." in n or p in norms} | head
        model.bottlenecks = {"places": places, "width": width, "size": self.size, "names": sorted(names)}
        return train_only(model, names)

    def default_lr(self, model) -> float:
        return scaled(2e-3, 5e-4, model)

    def default_epochs(self, model) -> int:
        return 6


def linear_maps(model, ends: tuple[str, ...] | None) -> list[str]:
    """Names of the linear modules (convolutions are too) inside the layers, in depth order; with `ends`, those whose name
    ends so."""
    found = []
    for block in layers_of(model):
        for root in block.modules:
            for name, module in model.get_submodule(root).named_modules(prefix=root):
                linear = type(module).__name__ in ("Linear", "Conv1D", "Conv1d", "Conv2d")
                if linear and (ends is None or any(name.endswith("." + end) for end in ends)):
                    found.append(name)
    return found


def grouped_convolutions(model) -> list[str]:
    """Names of the convolutions inside the layers whose channels do not all see each other: a pair of thin matrices would join
    what they keep apart."""
    names = linear_maps(model, None)
    return [name for name in names if getattr(model.get_submodule(name), "groups", 1) > 1]


def no_place(model, strategy: Strategy) -> BadInput:
    """What to say where a family has no attention that a method stands beside."""
    kind = model.config.model_type
    return BadInput(
        tr(
            f"策略 {strategy.name} 不适用于 {kind}：它没有注意力层可以依附。对这个模型可以用 LoRA(where='all')、top-K 或 bitfit。",
            f"Strategy {strategy.name} does not work on {kind}: it has no attention to stand beside. On this model take "
            "LoRA(where='all'), top-K or bitfit.",
        )
    )


def refuse_prompts(model, strategy: Strategy) -> None:
    added.refuse_second(model)
    if not family_of(model).tokens:
        raise no_place(model, strategy)
    kind, able = model.config.model_type, [name for name, family in FAMILIES.items() if family.prefix]
    if kind not in able:
        raise BadInput(
            tr(
                f"策略 {strategy.name} 不适用于 {kind}：它的注意力层不接受前缀。可用的模型家族：{listing(able, 20)}；"
                "对这个模型可以用 lora 或 adapter。",
                f"Strategy {strategy.name} does not work on {kind}: its attention takes no prefix. It works on: "
                f"{listing(able, 20)}; on this model take lora or adapter.",
            )
        )
