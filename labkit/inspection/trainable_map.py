"""What trains? The network block by block: parameters frozen, trained, added; and how far a run moved each. Notebook 02.

Leans on models' blocks; the picture is plots.anatomy.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.base.display import box, table_html, table_text
from labkit.base.language import tr
from labkit.models.families import block_words, blocks

ADDED = ("lora_", ".bottleneck.", "prompt_encoder.")


@dataclass(frozen=True)
class Part:
    """One block: how many of its parameters are frozen, trained, and added to the pretrained network.

    `gradient` is the mean norm of the block's gradient over the steps watched, `change` how far its weights moved, as a
    share of their norm before: |after - before| / |before|. None where nobody watched.
    """

    name: str
    kind: str
    frozen: int
    trained: int
    added: int
    gradient: float | None = None
    change: float | None = None


class TrainableMap(tuple):
    """The parts of a network in depth order; prints as text, shows as HTML, drawn by plots.anatomy."""

    __slots__ = ()

    def header(self) -> list[str]:
        names = [tr("块", "block"), tr("冻结", "frozen"), tr("训练", "trained"), tr("新加", "added")]
        return names + ([tr("梯度范数", "gradient norm"), tr("权重变化", "weight change")] if self.watched else [])

    @property
    def watched(self) -> bool:
        return any(p.gradient is not None for p in self)

    def cells(self) -> list[list[str]]:
        whole = [sum(getattr(p, kind) for p in self) for kind in ("frozen", "trained", "added")]
        lines = [[block_words(p.name), *map(count, (p.frozen, p.trained, p.added))] for p in reversed(self)]
        if self.watched:
            for line, part in zip(lines, reversed(self), strict=True):
                line += [f"{part.gradient:.3g}" if part.gradient else "–", f"{part.change:.2%}" if part.change else "–"]
        return [*lines, [tr("合计", "total"), *map(count, whole), *(["", ""] if self.watched else [])]]

    def __str__(self) -> str:
        return table_text(self.header(), self.cells())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return box(table_html(self.header(), self.cells()))


def count(n: int) -> str:
    return f"{n:,}" if n else "–"


@dataclass
class Watched:
    """What `watch` saw: weights before, and the gradients' norms."""

    before: dict[str, Any]
    squares: dict[str, float] = field(default_factory=dict)  # of the gradients, summed over the steps
    steps: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def watch(model) -> Iterator[Watched]:
    """See what a run does to each block: gradients as they come, weights before and after.

    >>> trainer = Trainer(model, corpus, HeadOnly(), TrainConfig(epochs=1))
    >>> with watch(trainer.model) as seen:
    ...     run = trainer.fit()
    >>> print(trainable_map(trainer.model, seen))

    Keeps a copy of the weights meanwhile. The run itself is the same to the bit.
    """
    parameters = dict(model.named_parameters())
    seen, handles = Watched({n: p.detach().clone() for n, p in parameters.items()}), []
    for name, parameter in parameters.items():
        trains = parameter.requires_grad
        parameter.requires_grad_(True)  # a hook can only be set then; it waits until the parameter thaws
        handles.append(parameter.register_post_accumulate_grad_hook(noting(seen, name)))
        parameter.requires_grad_(trains)
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def noting(seen: Watched, name: str):
    def note(parameter) -> None:
        seen.squares[name] = seen.squares.get(name, 0.0) + parameter.grad.detach().float().square().sum()
        seen.steps[name] = seen.steps.get(name, 0) + 1

    return note


def trainable_map(model, seen: Watched | None = None) -> TrainableMap:
    """The network's blocks with what is frozen, trained and added in each.

    >>> print(trainable_map(HeadOnly().prepare(load("tiny-bert-zh", labels=("no", "yes")))))
    block          frozen  trained  added
    ─────────────────────────────────────
    head                –   16,770      –
    layer 4       198,272        –      –
    ...
    """
    parameters, parts = dict(model.named_parameters()), []
    for block in blocks(model):
        names = [n for n in block.parameters if ".original_module." not in n]  # peft keeps the head that it replaced
        sizes = {"frozen": 0, "trained": 0, "added": 0}
        for name in names:
            kind = "frozen" if not parameters[name].requires_grad else "trained"
            sizes["added" if any(a in name for a in ADDED) else kind] += parameters[name].numel()
        moved = movement(parameters, names, seen) if seen else {}
        parts.append(Part(block.name, block.kind, **sizes, **moved))
    return TrainableMap(parts)


def movement(parameters: dict, names: list[str], seen: Watched) -> dict:
    """Root mean square of the block's gradient norm over the steps, and the relative change of its weights."""
    import torch

    steps = max((seen.steps.get(n, 0) for n in names), default=0)
    squares = sum(float(seen.squares.get(n, 0.0)) for n in names)
    with torch.no_grad():
        moved = sum(float((parameters[n] - seen.before[n]).square().sum()) for n in names)
        size = sum(float(seen.before[n].square().sum()) for n in names)
    return {
        "gradient": (squares / steps) ** 0.5 if steps else 0.0,
        "change": (moved / size) ** 0.5 if size else 0.0,
    }
