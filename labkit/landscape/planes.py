"""Planes through the weights of a model, and the way that a training took through them. slices.py asks for their losses.

A model has millions of directions; a picture has two. They are random ones, each filter as long as the model's own
(Li et al. 2018, "Visualizing the loss landscape of neural nets"), or those in which training really went.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.base.display import table_text
from labkit.base.language import tr
from labkit.base.records import BadInput, EpochDone, StepDone

Window = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Plane:
    """The weights origin + a * across + b * up, for every (a, b). Tensors by parameter name, on the CPU."""

    origin: dict[str, Any]
    across: dict[str, Any]
    up: dict[str, Any]
    kind: str  # "random" or "path"
    window: Window  # the part worth a picture: a from, a to, b from, b to

    def at(self, a: float, b: float) -> dict[str, Any]:
        """The weights at a place."""
        return {n: p + a * self.across[n] + b * self.up[n] for n, p in self.origin.items()}

    def follow(self, path: "Trajectory", name: str = "") -> "PlanePath":
        """A recorded training seen from straight above the plane."""
        import numpy

        flat = [[inner(d[n], self.across[n]) for n in self.origin] for d in (self.across, self.up)]
        aa, ab = (sum(row) for row in flat)
        bb = sum(inner(self.up[n], self.up[n]) for n in self.origin)
        places, outside = [], 0.0
        for snapshot in path.snapshots:
            offset = {n: t - self.origin[n] for n, t in snapshot.items() if n in self.origin}
            xa, xb = (sum(inner(t, d[n]) for n, t in offset.items()) for d in (self.across, self.up))
            a, b = (xa * bb - xb * ab) / (aa * bb - ab * ab), (xb * aa - xa * ab) / (aa * bb - ab * ab)
            places.append((a, b))
            squared = sum(inner(t, t) for t in offset.values())
            outside = (max(0.0, 1 - (a * xa + b * xb) / squared)) ** 0.5 if squared else 0.0
        return PlanePath(name, tuple(path.steps), numpy.array(places), outside)


@dataclass(frozen=True, eq=False)
class PlanePath:
    """A training on a plane: the step of each snapshot, its place (k, 2), and which share of its last distance from the
    origin the plane does not show (0: it lies in the plane)."""

    name: str
    steps: tuple[int, ...]
    places: Any
    outside: float

    def __repr__(self) -> str:
        header = [tr("步", "step"), "a", "b"]
        chosen = range(0, len(self.steps), max(1, len(self.steps) // 8))
        rows = [[str(self.steps[i]), *(f"{v:.3f}" for v in self.places[i])] for i in chosen]
        note = tr(f"平面之外：{self.outside:.0%}", f"outside the plane: {self.outside:.0%}")
        return "\n".join([self.name, table_text(header, rows), note])


def random_plane(model, seed: int = 0, names: Sequence[str] | None = None) -> Plane:
    """Two random directions from the model as it is, through the tensors of these names, or those that train.

    Each row of a matrix (a neuron's weights, a token's vector) is scaled to the length of the model's own row, biases and
    norms stay: so that 1 means "as far as the weights are long" in every model (Li et al. 2018).
    """
    import torch

    chosen = {n: p for n, p in model.named_parameters() if (n in names if names is not None else p.requires_grad)}
    if not chosen:
        raise BadInput(
            tr(
                "没有可以移动的参数：模型里没有一个可训练的张量。请先用某个策略 prepare，或给出 names=。",
                "Nothing to move: no tensor of the model trains. Prepare it with a strategy first, or give names=.",
            )
        )
    generator = torch.Generator().manual_seed(seed)
    origin = {n: p.detach().to("cpu", copy=True) for n, p in chosen.items()}
    across, up = ({n: filters(p, generator) for n, p in origin.items()} for _ in range(2))
    return Plane(origin, across, up, "random", (-1.0, 1.0, -1.0, 1.0))


def filters(tensor, generator) -> Any:
    """A random tensor whose rows are as long as this one's; zeros for a vector."""
    import torch

    if tensor.ndim < 2:
        return torch.zeros_like(tensor)
    noise = torch.randn(tensor.shape, generator=generator).flatten(1)
    scale = tensor.flatten(1).norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return (noise * scale).view_as(tensor)


def path_plane(*paths: "Trajectory") -> Plane:
    """The plane in which trainings went: through the start and the end of the first, (0, 0) and (1, 0), and along the
    direction in which all of them move most besides (the first principal component of what is left)."""
    import torch

    start, names = paths[0].snapshots[0], list(paths[0].snapshots[0])
    if any(path.snapshots[0].keys() != start.keys() for path in paths):
        raise BadInput(
            tr(
                "这些轨迹训练的张量不同，画不到一个平面上：请给同一策略的训练。",
                "These paths are of different tensors and share no plane: give trainings with one strategy.",
            )
        )
    places = [s for path in paths for s in path.snapshots[1:]]
    end = len(paths[0].snapshots) - 2
    products = torch.zeros(len(places), len(places), dtype=torch.float64)
    for n in names:
        offsets = torch.stack([(s[n] - start[n]).flatten() for s in places])
        products += (offsets @ offsets.T).double()
    along = products[:, end] / products[end, end]  # each place's share of the way from start to end
    rest = products - products[end, end] * along[:, None] * along[None, :]
    values, vectors = torch.linalg.eigh(rest)
    if not values[-1] > 1e-9 * products[end, end]:
        raise BadInput(
            tr(
                "轨迹太短，定不出平面：训练至少要有 3 步，并且不能走在一条直线上。",
                "The path is too short for a plane: train for 3 steps or more that are not on one line.",
            )
        )
    weights = vectors[:, -1] * (products[end, end] / values[-1]).sqrt()
    weights = weights * (1.0 if (rest @ vectors[:, -1]).sum() >= 0 else -1.0)
    weights[end] -= weights @ along
    across = {n: places[end][n] - start[n] for n in names}
    up = {n: sum(w * (s[n] - start[n]) for w, s in zip(weights.tolist(), places, strict=True)) for n in names}
    plane = Plane(start, across, up, "path", (0.0, 1.0, -0.5, 0.5))
    return replace(plane, window=around([plane.follow(path).places for path in paths]))


def around(places: Sequence) -> Window:
    """A square window that shows all these places with room around them."""
    import numpy

    every = numpy.concatenate(places)
    low, high = every.min(0), every.max(0)
    half, (a, b) = 0.65 * max(high - low), (low + high) / 2
    return float(a - half), float(a + half), float(b - half), float(b + half)


def inner(one, other) -> float:
    import torch

    return float(torch.dot(one.flatten().double(), other.flatten().double()))


# What training leaves behind


class Trajectory:
    """A listener that keeps the trained tensors as they were after some of the steps; `record_path` makes one.

    Where they would take more than `limit_mb`, every other one is forgotten and only every second is taken from then on.
    The first is from before training; tensors that begin to train later are filled in as they were.
    """

    def __init__(self, trainer, limit_mb: float = 256):
        self.trainer, self.every, self.steps, self.snapshots = trainer, 1, [], []
        size = sum(p.numel() * 4 for p in trainer.tensors().values()) / 2**20
        self.most = max(4, int(limit_mb / max(size, 1e-9)))
        self.take(trainer.step)

    def __call__(self, event) -> None:
        if isinstance(event, StepDone) and (event.step % self.every == 0 or event.step == event.steps):
            self.take(event.step)
        if isinstance(event, EpochDone):
            for name, tensor in self.tensors().items():
                for snapshot in self.snapshots:
                    snapshot.setdefault(name, tensor)  # trains from now on: so far it was as it is
            if event.epoch.steps == self.steps[-1]:  # the best weights may have been restored
                self.snapshots[-1] = self.tensors()

    def tensors(self) -> dict[str, Any]:
        return {n: p.detach().float().to("cpu", copy=True) for n, p in self.trainer.tensors().items()}

    def take(self, step: int) -> None:
        self.steps.append(step)
        self.snapshots.append(self.tensors())
        if len(self.steps) > self.most:
            self.every *= 2
            ends = (0, len(self.steps) - 1)
            chosen = [i for i, step in enumerate(self.steps) if step % self.every == 0 or i in ends]
            self.steps, self.snapshots = ([v[i] for i in chosen] for v in (self.steps, self.snapshots))

    def __repr__(self) -> str:
        size = sum(t.numel() * 4 for t in self.snapshots[0].values()) * len(self.snapshots) / 2**20
        n, last = len(self.steps), self.steps[-1]
        return tr(f"{n} 个快照，第 0 到 {last} 步，{size:.1f} MB", f"{n} snapshots, steps 0 to {last}, {size:.1f} MB")


def record_path(trainer, limit_mb: float = 256) -> Trajectory:
    """Record the way that a training takes through the weights, in at most about `limit_mb` of main memory.

    >>> trainer = Trainer(model, corpus, HeadOnly(), TrainConfig(epochs=2, lr=0.01))
    >>> path = record_path(trainer)
    >>> run = trainer.fit(path)
    >>> plane = path_plane(path)
    """
    return Trajectory(trainer, limit_mb)
