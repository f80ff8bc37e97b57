"""Which parts of a picture or a clip carry a prediction: its log-odds shared out among pixels or frames. Notebooks 14 and 15.

Integrated gradients as in attribution.py, walked on what the network reads: from an input with nothing in it (a grey picture,
silence) to the input itself. What all places get makes up the whole difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from labkit.base.display import box
from labkit.base.language import tr
from labkit.inspection.hiding import Hidden, deletion, holds, occluded, warning
from labkit.models.loading import fitting, labels_of
from labkit.models.state import device_of, modes_kept
from labkit.tasks import Task

FIRST, MOST = 16, 256  # points along the way: doubled until the sum is right, or there are so many
ROWS = 32  # of them at once
PATCHES = 8  # a side, that are hidden one by one


@dataclass(frozen=True)
class Map:
    """The answer for one picture or clip, and what each place of it adds to it.

    `scores` (…, height or bands, width or frames) are in units of log-odds of `label`: above 0 speaks for it. Their sum is
    `log_odds - baseline`, to within `gap`.
    """

    input: Any
    task: Task
    label: str
    probabilities: dict[str, float]
    scores: Any  # float32, of the shape that the network reads
    log_odds: float  # of the label, for the input
    baseline: float  # the same for an input with nothing in it
    method: str
    points: int  # along the way
    step: float = 1.0  # seconds of a frame
    truthful: bool | None = (
        None  # whether the answer goes sooner in this order than in any of 19 random ones; None: not tested
    )
    deletion: Any = field(default=None, repr=False, compare=False)  # the curves of that test

    @property
    def gap(self) -> float:
        """What is missing between the sum of the scores and the difference that they share out."""
        return abs(float(self.scores.sum()) - (self.log_odds - self.baseline))

    @property
    def predicted(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @cached_property
    def frames(self) -> Any:
        """The scores of a clip by time alone: of each frame, over its bands."""
        return self.scores.reshape(-1, self.scores.shape[-1]).sum(0)

    def marked(self) -> str:
        """The input with the scores over it, as HTML."""
        return self.task.modality.marked(self.input, self.scores, self.step)

    def said(self) -> dict[str, Any]:
        """The map as JSON values, with its picture as the address of an image."""
        names = ("label", "probabilities", "log_odds", "baseline", "method", "truthful")
        image = self.task.modality.mapped(self.input, self.scores, self.step)
        return {name: getattr(self, name) for name in names} | {"image": image}

    def _repr_html_(self) -> str:
        share = self.probabilities[self.predicted]
        said = f"<div><b>{self.predicted}</b> <span class=m>{share:.3f}</span></div>"
        key = tr("蓝：支持 {0}，红：反对", "blue speaks for {0}, red against").format(self.label)
        return box(said, self.marked(), f"<div class=m>{key}</div>", f"<div>{warning(self.truthful)}</div>")


def maps(
    model, inputs: Sequence, label: str | None, method: str, tolerance: float, max_length: int, test: bool = True
) -> list[Map]:
    """The map of each input; the model is left as it was."""
    with modes_kept(model):
        model.eval()
        return [one(model, x, label, method, tolerance, fitting(model, max_length), test) for x in inputs]


def one(model, input, label: str | None, method: str, tolerance: float, max_length: int, test: bool = True) -> Map:
    import torch

    task, labels, device = model.task, labels_of(model), device_of(model)
    (item,) = task.modality.encode(model.processor, [input], max_length)
    end = {k: v.to(device) for k, v in task.modality.pad(model.processor, [item]).items()}
    start = task.modality.hidden(end)
    name = next(k for k, v in end.items() if v.is_floating_point())
    with torch.no_grad():
        logits = model(**end).logits[0].float()
        target = labels.index(label) if label else int(logits.argmax())
        odds, base = log_odds(logits[None], target).item(), log_odds(model(**start).logits.float(), target).item()
    walk = Walk(model, name, start, end, target)
    hide, patch = walk.hider()
    if method == "occlusion":
        points, each = 1, torch.tensor(occluded(hide))
        scores = (each / patch.flatten().bincount())[patch].expand(end[name].shape[1:]).numpy()
        scores = scores / (scores.size // patch.numel())
    else:
        points, slope = walk.enough(odds - base, tolerance) if method == "integrated" else (1, walk.slope([1.0], [1.0]))
        scores = ((end[name] - start[name])[0] * slope).cpu().numpy()
    flat = torch.tensor(scores).reshape(-1, patch.numel()).sum(0)
    summed = torch.zeros(hide.parts).index_add(0, patch.flatten(), flat).tolist()
    curves = deletion(hide, summed, list(range(hide.parts))) if test else None
    shares = dict(zip(labels, logits.softmax(-1).tolist(), strict=True))
    return Map(
        input,
        task,
        labels[target],
        shares,
        scores,
        odds,
        base,
        method,
        points,
        item.get("step", 1.0),
        curves and holds(*curves),
        curves,
    )


def log_odds(logits, target: int) -> Any:
    """log(p / (1 - p)) of a class, a row each."""
    rest = [i for i in range(logits.shape[-1]) if i != target]
    return logits[:, target] - logits[:, rest].logsumexp(-1)


@dataclass
class Walk:
    """The way from nothing to an input, and the slope of the log-odds along it."""

    model: Any
    name: str  # of the tensor that changes on the way
    start: dict
    end: dict
    target: int

    def enough(self, difference: float, tolerance: float) -> tuple[int, Any]:
        """Points along the way, and the mean slope there, such that slope times way gives the difference."""
        import numpy as np

        points = FIRST
        while True:
            places, weights = np.polynomial.legendre.leggauss(points)
            slope = self.slope((places + 1) / 2, weights / 2)
            gap = abs(float(((self.end[self.name] - self.start[self.name])[0] * slope).sum()) - difference)
            if gap <= tolerance * max(1.0, abs(difference)) or points >= MOST:
                return points, slope
            points *= 2

    def hider(self) -> tuple[Hidden, Any]:
        """The input in PATCHES x PATCHES patches that can be hidden, and the number of each place's patch: (height, width), or
        of samples (width,), which have PATCHES stretches."""
        import torch

        start, end = self.start[self.name], self.end[self.name]
        sides = end.shape[1:][-2:]
        patch = torch.zeros(sides, dtype=torch.long)
        for i, n in enumerate(sides):
            place = torch.arange(n) * min(PATCHES, n) // n
            patch = patch * min(PATCHES, n) + place.view(-1, *[1] * (len(sides) - 1 - i))

        def ask(masks) -> Any:
            over = masks[:, patch].to(end.device).view(len(masks), *[1] * (end.ndim - 1 - len(sides)), *sides)
            rest = {k: v.expand(len(masks), *v.shape[1:]) for k, v in self.end.items() if k != self.name}
            return log_odds(
                self.model(**{self.name: torch.where(over, start, end)}, **rest).logits.float(), self.target
            )

        return Hidden(int(patch.max()) + 1, ask), patch

    def slope(self, places: Sequence[float], weights: Sequence[float]) -> Any:
        """The weighted sum of gradients at places between 0 and 1 on the way, of the shape of one input."""
        import torch

        start, end = self.start[self.name], self.end[self.name]
        share = torch.tensor(list(zip(places, weights, strict=True)), dtype=end.dtype, device=end.device)
        total = torch.zeros_like(end[0])
        for at in share.split(ROWS):
            lerped = torch.lerp(start, end, at[:, 0].view(-1, *[1] * (end.ndim - 1))).requires_grad_(True)
            rest = {k: v.expand(len(at), *v.shape[1:]) for k, v in self.end.items() if k != self.name}
            with torch.enable_grad():
                odds = (
                    log_odds(self.model(**{self.name: lerped}, **rest).logits.float(), self.target) * at[:, 1]
                ).sum()
            total += torch.autograd.grad(odds, lerped)[0].sum(0)
        return total
