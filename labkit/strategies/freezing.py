"""Strategies that choose which of the model's own parameters train. Notebook 02 compares them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models.families import blocks
from labkit.strategies.contract import Strategy, layers_of, scaled, train_only, trained

SLIGHT = 1e-9  # the lowest of a setting that must not be 0


@dataclass(frozen=True)
class Full(Strategy):
    """Every parameter trains. With `decay` below 1 each block's rate is that share of the rate of the block above it."""

    decay: float = 1.0
    name: ClassVar[str] = "full"

    def __post_init__(self):
        checked_number("decay", self.decay, SLIGHT, 1)

    def prepare(self, model) -> Any:
        return train_only(model, {n for n, _ in model.named_parameters()})

    def groups(self, model, lr: float) -> list[dict]:
        return by_depth(model, lr, self.decay)


@dataclass(frozen=True)
class HeadOnly(Strategy):
    """Only the head trains; the pretrained network is a fixed feature extractor.

    With `pooler=True` BERT's pooler counts as head; with False only the last linear layer trains.
    """

    pooler: bool = True
    name: ClassVar[str] = "head"

    def check(self, model) -> None:
        if not blocks(model)[-1].parameters:
            raise BadInput(
                tr(
                    "策略 head 不适用于这个模型：它的语言模型头就是嵌入层（权重共用），没有自己的参数可训。"
                    "可以用 full、top-K、lora，或 OnlyBlocks(('embeddings',))。",
                    "Strategy head does not work on this model: its language-model head is its embeddings (tied weights) and "
                    "has no parameters of its own. Take full, top-K or lora, or OnlyBlocks(('embeddings',)).",
                )
            )

    def prepare(self, model) -> Any:
        self.check(model)
        head = blocks(model)[-1]
        last = head.modules[-1] + "."
        return train_only(model, {n for n in head.parameters if self.pooler or n.startswith(last)})

    def default_lr(self, model) -> float:
        """A head starts from random weights and can take larger steps than the network below it."""
        return scaled(2e-3, 1.2e-4, model)

    def default_epochs(self, model) -> int:
        return 10


@dataclass(frozen=True)
class TopK(Strategy):
    """The head and the `k` layers nearest to it train; embeddings and the layers below stay frozen."""

    k: int
    name: ClassVar[str] = "top"

    def check(self, model) -> None:
        layers = layers_of(model)
        if not 1 <= self.k <= len(layers):
            raise BadInput(
                tr(
                    f"top-{self.k} 不行：这个模型有 {len(layers)} 层，k 应在 1 到 {len(layers)} 之间。",
                    f"top-{self.k} won't do: this model has {len(layers)} layers, so k goes from 1 to {len(layers)}.",
                )
            )

    def prepare(self, model) -> Any:
        self.check(model)
        chosen = (*layers_of(model)[-self.k :], blocks(model)[-1])
        return train_only(model, {n for b in chosen for n in b.parameters})

    def default_epochs(self, model) -> int:
        return 4


@dataclass(frozen=True)
class OnlyBlocks(Strategy):
    """Just these blocks train, whichever they are.

    >>> OnlyBlocks(("layer 1", "head"))                       # names as blocks(model) has them
    """

    names: tuple[str, ...]
    name: ClassVar[str] = "only"

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))

    def check(self, model) -> None:
        known = [b.name for b in blocks(model)]
        if not self.names or set(self.names) - set(known):
            raise BadInput(
                tr(
                    f"names={list(self.names)} 不行：至少写一块，可选：{listing(known, 40)}。",
                    f"names={list(self.names)} won't do: name one block or more of {listing(known, 40)}.",
                )
            )

    def prepare(self, model) -> Any:
        self.check(model)
        return train_only(model, {n for b in blocks(model) if b.name in self.names for n in b.parameters})

    def default_epochs(self, model) -> int:
        return 4


def freeing(model, names: Sequence[str]) -> Strategy:
    """The strategy that trains these blocks of a model, by its usual name where it has one.

    >>> freeing(model, ("head", "layer 4"))
    TopK(k=1)
    """
    found = blocks(model)
    chosen = tuple(b.name for b in found if b.name in names)
    if len(chosen) == len(found):
        return Full()
    if chosen == ("head",):
        return HeadOnly()
    top = chosen == tuple(b.name for b in found[-len(chosen) :])
    return TopK(len(chosen) - 1) if top and len(chosen) > 1 else OnlyBlocks(chosen)


@dataclass(frozen=True)
class GradualUnfreeze(Strategy):
    """First the head, then one block more at a time from the top down (ULMFiT: Howard and Ruder 2018, arXiv 1801.06146).

    `schedule="epoch"` thaws a block after every epoch, "stall" after an epoch that did not lower the validation loss.
    The rate of each block is that of the block above it divided by `factor`.
    """

    schedule: str = "epoch"
    factor: float = 2.6
    name: ClassVar[str] = "gradual"

    def __post_init__(self):
        if self.schedule not in ("epoch", "stall"):
            raise BadInput(
                tr(
                    f"schedule={self.schedule!r} 不行；可选：epoch（每轮解冻一块），stall（验证损失不再下降时解冻）。",
                    f"schedule={self.schedule!r} won't do; choose from: epoch (thaw a block every epoch), "
                    "stall (thaw when the validation loss stops falling).",
                )
            )
        checked_number("factor", self.factor, 1, 100)

    def prepare(self, model) -> Any:
        first = next(block for block in reversed(blocks(model)) if block.parameters)  # a tied head has none
        return train_only(model, set(first.parameters))

    def groups(self, model, lr: float) -> list[dict]:
        return by_depth(model, lr, 1 / self.factor)

    def on_epoch(self, model, epoch: int, history: Sequence = ()) -> bool:
        trains = set(trained(model))
        frozen = [b for b in blocks(model) if not trains & set(b.parameters)]
        losses = [e.valid_loss for e in history]
        stalled = len(losses) > 1 and losses[-1] >= min(losses[:-1])
        if not frozen or (self.schedule == "stall" and not stalled):
            return False
        train_only(model, trains | set(frozen[-1].parameters))
        return True

    def default_lr(self, model) -> float:
        """The rate of the head; deeper blocks get less."""
        return scaled(1e-3, 6e-5, model)

    def default_epochs(self, model) -> int:
        """One for each block, and one more for the whole."""
        return len(blocks(model)) + 1


@dataclass(frozen=True)
class BitFit(Strategy):
    """Only biases and the head train (Ben Zaken et al. 2022, arXiv 2106.10199)."""

    name: ClassVar[str] = "bitfit"

    def prepare(self, model) -> Any:
        biases = {n for n, _ in model.named_parameters() if n.endswith(".bias")}
        return train_only(model, biases | set(blocks(model)[-1].parameters))

    def default_lr(self, model) -> float:
        return scaled(3e-3, 5e-4, model)

    def default_epochs(self, model) -> int:
        return 6


def by_depth(model, lr: float, decay: float) -> list[dict]:
    """Parameter groups block by block, the head at `lr`, each block below at `decay` times the rate above it."""
    if decay == 1.0:
        return [{"names": trained(model), "lr": lr}]
    groups = [[n for n in trained(model) if n in set(b.parameters)] for b in reversed(blocks(model))]
    return [{"names": names, "lr": lr * decay**depth} for depth, names in enumerate(groups) if names]
