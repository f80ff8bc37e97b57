"""The contract of every strategy, and helpers that look at a model's blocks."""

from collections.abc import Sequence
from typing import Any, ClassVar

from labkit.models.families import blocks, family_of, width_of


class Strategy:
    """No-op defaults of the contract."""

    name: ClassVar[str]

    def check(self, model) -> None:
        """Raise BadInput where the method cannot work on this model."""

    def prepare(self, model) -> Any:
        """Mark what trains; the model to train (the same, or one wrapped around it)."""
        return model

    def groups(self, model, lr: float) -> list[dict]:
        """Parameter names that train, with their learning rate: `[{"names": [...], "lr": 5e-4}]`."""
        return [{"names": trained(model), "lr": lr}]

    def on_epoch(self, model, epoch: int, history: Sequence = ()) -> bool:
        """After `epoch` epochs, whose records are `history`: let more train if it is time, and say whether it was."""
        return False

    def merge(self, model) -> Any:
        """A plain model that answers the same."""
        return model

    def default_lr(self, model) -> float:
        """A peak learning rate that suits the method and the model's task: docs/LOG.md has the tries."""
        return getattr(getattr(model, "task", None), "rate", 1) * scaled(5e-4, 3e-5, model)

    def default_epochs(self, model) -> int:
        """How many epochs the method wants on about a thousand rows."""
        return 3

    def usual_epochs(self, model, rows: int | None = None) -> int:
        """The same for the model's task and so many training rows: some heads learn more slowly than a classifier."""
        task = getattr(model, "task", None)
        times = task.times(rows) * task.modality.epochs if task else 1
        return round(self.default_epochs(model) * times)


def scaled(narrow: float, wide: float, model) -> float:
    """A rate between `narrow`, measured at a width of 128, and `wide`, usual at BERT-base's 768; straight on log scales. Where
    there is no width, `narrow` times the family's rate, less for more channels than tiny-resnet's 192: ten times less for
    ResNet-50's 2,048.

    >>> scaled(5e-4, 3e-5, tiny)                              # width 128
    0.0005
    """
    import math

    width = width_of(model)
    if not width:
        channels = getattr(model.config, "hidden_sizes", [192])[-1]
        return family_of(model).rate * narrow * min(1.0, 192 / channels)
    slope = math.log(wide / narrow) / math.log(768 / 128)
    return family_of(model).rate * narrow * (width / 128) ** slope


def trained(model) -> list[str]:
    """Names of the parameters that train."""
    return [n for n, p in model.named_parameters() if p.requires_grad]


def train_only(model, names: set[str]) -> Any:
    """Let just these parameters train."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    return model


def layers_of(model) -> list:
    return [b for b in blocks(model) if b.kind == "layer"]


def head_parts(model) -> list[str]:
    """The outermost modules of the head by their last name, as peft wants them: ["pooler", "classifier"] for BERT."""
    parts = []
    for name in blocks(model)[-1].modules:
        inside = name.removeprefix(model.base_model_prefix + ".")
        parts.append(inside.split(".")[0])
    return list(dict.fromkeys(parts))
