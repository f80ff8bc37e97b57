"""The loss of a real model on a plane through its weights. Notebook 04 uses it.

Everything is computed on a copy: the model is never touched, whatever interrupts. Leans on planes and training.
"""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.display import table_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.landscape.planes import Plane, Window, random_plane
from labkit.models.loading import fitting
from labkit.models.state import asking, device_of
from labkit.training.frozen import FrozenPart
from labkit.training.network import Network

BATCH = 24  # rows of like length asked at once: less padding counts for more than fewer calls


@dataclass(frozen=True, eq=False)
class Slice:
    """Loss (nats) over a part of a plane: `loss[j, i]` at `a[i]`, `b[j]`; nan where it was stopped before. Prints as numbers."""

    a: Any  # (n,)
    b: Any  # (n,)
    loss: Any  # (n, n)
    kind: str  # of the plane: "random" or "path"
    rows: int  # how many rows the loss is the mean of
    seconds: float
    stopped: bool = False

    @property
    def axes(self) -> tuple[str, str]:
        """What a and b are, in words."""
        if self.kind == "random":
            return tr("随机方向 1", "random direction 1"), tr("随机方向 2", "random direction 2")
        return tr("从起点到终点", "from start to end"), tr("其余的主方向", "main direction of the rest")

    def sample(self) -> tuple[list[str], list[list[str]]]:
        """Five by five of the losses, for reading: header and lines."""
        import numpy

        i, j = (numpy.linspace(0, len(v) - 1, min(5, len(v))).round().astype(int) for v in (self.a, self.b))
        header = ["b \\ a", *(f"{self.a[k]:.2f}" for k in i)]
        return header, [[f"{self.b[k]:.2f}", *(f"{v:.4f}" for v in self.loss[k, i])] for k in j[::-1]]

    def note(self) -> str:
        import numpy

        if numpy.isnan(self.loss).all():
            return tr("没有算出任何一点", "no point was computed")
        j, i = numpy.unravel_index(numpy.nanargmin(self.loss), self.loss.shape)
        place = f"{self.loss[j, i]:.4f} (a = {self.a[i]:.2f}, b = {self.b[j]:.2f})"
        return tr(f"最低 {place}；{self.rows} 行的平均损失", f"lowest {place}; mean loss of {self.rows} rows")

    def __repr__(self) -> str:
        return "\n".join([table_text(*self.sample()), self.note()])

    def _repr_html_(self) -> str:
        from labkit.base.display import box, table_html

        return box(table_html(*self.sample()), f"<div class=m>{self.note()}</div>")


def slice_loss(
    model,
    rows: Sequence,
    plane: Plane | None = None,
    *,
    n: int = 21,
    window: Window | None = None,
    seed: int = 0,
    max_length: int = 256,
    progress: Callable[[int, int], Any] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Slice:
    """The model's mean loss on labelled examples at n x n places of a plane, from the middle outwards.

    >>> surface = slice_loss(model, corpus.valid, n=3)           # random directions of what trains in this model
    >>> surface.loss.shape
    (3, 3)

    With `path = record_path(trainer)` before a training, `path_plane(path)` is a plane in which it went.

    Where only the head or the top lies in the plane, the part below is computed once. `progress(done, total)` is told of
    every place; when `stop()` says so, or at Ctrl-C, what is there is given back.
    """
    import numpy

    plane = plane or random_plane(model, seed)
    check(model, rows, plane, n)
    began, (left, right, bottom, top) = time.perf_counter(), window or plane.window
    a, b = numpy.linspace(left, right, n), numpy.linspace(bottom, top, n)
    loss, middle = numpy.full((n, n), numpy.nan), (n - 1) / 2
    order = sorted(numpy.ndindex(n, n), key=lambda at: max(abs(at[0] - middle), abs(at[1] - middle)))
    stopped = False
    try:
        with probe(model, rows, plane, max_length) as ask:
            for done, (j, i) in enumerate(order, 1):
                loss[j, i] = ask(float(a[i]), float(b[j]))
                if progress:
                    progress(done, len(order))
                if stopped := bool(stop and stop()) and done < len(order):
                    break
    except KeyboardInterrupt:
        stopped = True
    return Slice(a, b, loss, plane.kind, len(rows), time.perf_counter() - began, stopped)


def check(model, rows: Sequence, plane: Plane, n: int) -> None:
    if not rows:
        raise BadInput(tr("没有可以打分的行。", "There are no rows to score."))
    if not isinstance(n, int) or not 2 <= n <= 501:
        raise BadInput(
            tr(f"n={n!r} 不行：应是 2 到 501 的整数。", f"n={n!r} won't do: give a whole number from 2 to 501.")
        )
    shapes = {name: p.shape for name, p in model.named_parameters()}
    foreign = [name for name, p in plane.origin.items() if shapes.get(name) != p.shape]
    if foreign:
        raise BadInput(
            tr(
                f"这个平面属于另一个模型：{listing(foreign, 3)} 不在这个模型里，或形状不同。请用记录轨迹的那个 trainer.model。",
                f"The plane is of another model: {listing(foreign, 3)} is not in this one, or has another shape. "
                "Give the trainer.model whose path was recorded.",
            )
        )


@contextlib.contextmanager
def probe(model, rows: Sequence, plane: Plane, max_length: int) -> Iterator[Callable[[float, float], float]]:
    """Within the block, a function that gives the mean loss at a place of the plane. It moves a copy of the model."""
    moving = copy.deepcopy(model, {id(model.processor): model.processor})
    device, by_name = device_of(moving), dict(moving.named_parameters())
    for name, parameter in by_name.items():
        parameter.requires_grad_(name in plane.origin)  # what the frozen part is, is read from this
    parts = (by_name, plane.origin, plane.across, plane.up)
    tensors = [tuple(part[name].to(device) for part in parts) for name in plane.origin]
    task, processor = model.task, model.processor
    items = task.encode(processor, rows, fitting(model, max_length))
    frozen = FrozenPart(moving, task)
    frozen.keep("rows", items, processor)
    network, order = Network(moving, task, frozen=frozen), sorted(range(len(items)), key=lambda i: task.size(items[i]))
    head_alone, batches = frozen.whole_of("rows"), []
    for chosen in even(order, len(items) if head_alone else BATCH):
        some = [items[i] for i in chosen]
        batch = task.stub(some, device) if head_alone else task.collate(processor, some)
        batches.append((batch.to(device), chosen))
    # the head reads the same vectors at every place: they are looked up once for all places, not once for each
    once, split = (network.shortened("rows", order), None) if head_alone else (contextlib.nullcontext(), "rows")

    def ask(a: float, b: float) -> float:
        total = 0.0
        for parameter, origin, across, up in tensors:
            parameter.copy_(origin + a * across + b * up)
        for batch, chosen in batches:
            total += task.losses(network.outputs(batch, split, chosen), batch).sum().item()
        return total / task.units(items)

    with asking(moving), once:
        yield ask


def even(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """A list cut into pieces of `size`, the last one shorter."""
    return [order[i : i + size] for i in range(0, len(order), size)]
