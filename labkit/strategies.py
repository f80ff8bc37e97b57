"""What trains and what stays frozen: each strategy a frozen dataclass with one contract. Notebook 02 compares them.

`prepare(model)` marks what trains and returns the model to train; `groups(model, lr)` gives parameter names with their
learning rates; `on_epoch(model, epoch)` may thaw more and says whether it did; `merge(model)` gives back a plain model;
`default_lr(model)` is a sensible rate. A strategy never sees the trainer.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from labkit.models import blocks, width_of
from labkit.records import BadInput
from labkit.text import listing, tr


class Strategy:
    """No-op defaults of the contract."""

    name: ClassVar[str]

    def prepare(self, model) -> Any:
        return model

    def groups(self, model, lr: float) -> list[dict]:
        """Parameter names that train, with their learning rate: `[{"names": [...], "lr": 5e-4}]`."""
        return [{"names": [n for n, p in model.named_parameters() if p.requires_grad], "lr": lr}]

    def on_epoch(self, model, epoch: int) -> bool:
        return False

    def merge(self, model) -> Any:
        return model

    def default_lr(self, model) -> float:
        """Narrow networks want larger steps: 3e-5 at BERT-base's width of 768, 5e-4 at 128 (docs/LOG.md)."""
        return 3e-5 * (768 / width_of(model)) ** 1.57


@dataclass(frozen=True)
class Full(Strategy):
    """Every parameter trains."""

    name: ClassVar[str] = "full"

    def prepare(self, model) -> Any:
        return train_only(model, {n for n, _ in model.named_parameters()})


@dataclass(frozen=True)
class HeadOnly(Strategy):
    """Only the head trains; the pretrained network is a fixed feature extractor.

    With `pooler=True` BERT's pooler counts as head; with False only the last linear layer trains.
    """

    pooler: bool = True
    name: ClassVar[str] = "head"

    def prepare(self, model) -> Any:
        head = blocks(model)[-1]
        last = head.modules[-1] + "."
        return train_only(model, {n for n in head.parameters if self.pooler or n.startswith(last)})

    def default_lr(self, model) -> float:
        """A head starts from random weights and can take larger steps than the network below it."""
        return 4 * super().default_lr(model)


@dataclass(frozen=True)
class TopK(Strategy):
    """The head and the `k` layers nearest to it train; embeddings and the layers below stay frozen."""

    k: int
    name: ClassVar[str] = "top"

    def prepare(self, model) -> Any:
        *lower, head = blocks(model)
        layers = [b for b in lower if b.kind == "layer"]
        if not 1 <= self.k <= len(layers):
            raise BadInput(
                tr(
                    f"top-{self.k} 不行：这个模型有 {len(layers)} 层，k 应在 1 到 {len(layers)} 之间。",
                    f"top-{self.k} won't do: this model has {len(layers)} layers, so k goes from 1 to {len(layers)}.",
                )
            )
        return train_only(model, {n for b in (*layers[-self.k :], head) for n in b.parameters})


def train_only(model, names: set[str]) -> Any:
    """Let just these parameters train."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    return model


def frozen_modules(model) -> list[Any]:
    """The modules of blocks in which nothing trains: they run in eval mode, so that their output for a row is a constant."""
    trains = {n for n, p in model.named_parameters() if p.requires_grad}
    frozen = [block for block in blocks(model) if not trains & set(block.parameters)]
    return [model.get_submodule(name) for block in frozen for name in block.modules]


NAMES = {"full": Full, "head": HeadOnly, "top-K": TopK}


def by_name(name: str) -> Strategy:
    """A strategy from its name on the command line: `by_name("top-2") == TopK(2)`."""
    top = re.fullmatch(r"top-?(\d+)", name.strip().lower())
    if top:
        return TopK(int(top[1]))
    if name.strip().lower() in NAMES and name != "top-K":
        return NAMES[name.strip().lower()]()
    raise BadInput(
        tr(
            f"没有策略 {name!r}；可用的有：{listing(NAMES, 20)}。",
            f"No strategy {name!r}; there are: {listing(NAMES, 20)}.",
        )
    )


def name_of(strategy: Strategy) -> str:
    """The inverse of by_name, `name_of(TopK(2)) == "top-2"`; settings that are not the default are told:
    `name_of(HeadOnly(pooler=False)) == "head(pooler=False)"`, so that two runs of a comparison never share a name."""
    if isinstance(strategy, TopK):
        return f"top-{strategy.k}"
    told = [f"{f.name}={v}" for f in dataclasses.fields(strategy) if (v := getattr(strategy, f.name)) != f.default]
    return f"{strategy.name}({','.join(told)})" if told else strategy.name


def settings_of(strategy: Strategy) -> dict:
    """A strategy's fields as JSON values."""
    return dataclasses.asdict(strategy)
