"""Optimizers by name, and how the learning rate goes over the steps."""

import math
from typing import Any


def lr_factor(step: int, steps: int, *, schedule: str = "linear", warmup: float = 0.1) -> float:
    """The share of the peak learning rate at a step (0 is the first) of `steps`.

    >>> [lr_factor(s, 10, warmup=0.2) for s in (0, 1, 2, 6)]
    [0.0, 0.5, 1.0, 0.5]
    """
    warm = math.ceil(steps * warmup)
    if step < warm:
        return step / warm
    done = (step - warm) / max(1, steps - warm)
    return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[schedule]


def make_optimizer(groups: list[dict], name: str) -> Any:
    """The torch optimizer of that name over parameter groups that carry their own rate and decay."""
    import torch

    if name in ("adamw", "adam"):
        # Adam's own weight decay is L2 in the gradient; AdamW's is decoupled: that is their only difference
        return (torch.optim.AdamW if name == "adamw" else torch.optim.Adam)(groups, fused=True)
    return torch.optim.SGD(groups, momentum=0.9 if name == "momentum" else 0.0)


def parameter_groups(model, groups: list[dict], weight_decay: float) -> list[dict]:
    """A strategy's groups of names, each cut in two: matrices with weight decay, biases and norms without."""
    by_name, cut = dict(model.named_parameters()), []
    for group in groups:
        for decays in (True, False):
            chosen = [by_name[n] for n in group["names"] if (by_name[n].ndim > 1) == decays]
            if chosen:
                decay = weight_decay if decays else 0.0
                cut.append({"params": chosen, "lr": group["lr"], "peak": group["lr"], "weight_decay": decay})
    return cut
