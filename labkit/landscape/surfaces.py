"""Mountains to walk in: functions of two numbers whose height is a loss, with exact slopes. Notebook 04 walks here.

Each formula gives loss and gradient, and is written for floats, numpy arrays and tensors alike: `m` is math, numpy or
torch. A function that a student writes in torch is a surface too. Leans on records.
"""

import functools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput

Point = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A loss of two parameters. Called with floats, arrays or tensors it gives the height; tensors carry the gradient.

    >>> bowl = surfaces()["bowl"]
    >>> bowl(3.0, 4.0)
    12.5
    >>> import torch
    >>> point = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> bowl(*point).backward()
    >>> point.grad
    tensor([3., 4.])

    With `step`, the loss is that of the batch of that step: where `noise` is not 0, each batch tilts the surface a little.
    """

    name: str
    zh: str
    en: str
    formula: Callable[[Any, Any, Any], tuple]  # (x, y, m) -> loss, d loss / dx, d loss / dy
    window: tuple[float, float, float, float]  # what a picture shows: left, right, bottom, top
    start: Point
    minima: tuple[Point, ...] = ()  # the known ones
    rate: float = 0.1  # a learning rate with which to begin
    noise: float = 0.0  # standard deviation of a batch's slope around the true one
    seed: int = 0

    @property
    def title(self) -> str:
        return tr(self.zh, self.en)

    def __call__(self, x, y, step: int | None = None) -> Any:
        kind = type(x).__module__.split(".")[0]
        if kind == "torch":
            return height().apply(x, y, self, step)
        if kind == "numpy":
            import numpy

            east, north = self.tilt(step)
            return self.formula(x, y, numpy)[0] + east * x + north * y
        return self.slope(x, y, step)[0]

    def slope(self, x: float, y: float, step: int | None = None) -> tuple[float, float, float]:
        """Loss and gradient at one point; infinite where floats end."""
        try:
            loss, dx, dy = self.formula(x, y, math)
        except OverflowError:
            return math.inf, math.nan, math.nan
        east, north = self.tilt(step)
        return loss + east * x + north * y, dx + east, dy + north

    def slopes(self, points: Sequence[Point], step: int | None = None) -> list[tuple[float, float, float]]:
        """Loss and gradient at several points."""
        return [self.slope(x, y, step) for x, y in points]

    def tilt(self, step: int | None) -> Point:
        """What the batch of a step adds to the gradient: a function of (seed, step)."""
        return drawn_tilt(self.noise, self.seed, step) if self.noise and step is not None else (0.0, 0.0)

    def heights(self, n: int = 161) -> tuple[Any, Any, Any]:
        """The window as a grid for pictures: x (n,), y (n,) and losses (n, n), a row for each y."""
        import numpy

        left, right, bottom, top = self.window
        x, y = numpy.linspace(left, right, n), numpy.linspace(bottom, top, n)
        return x, y, self.on_grid(*numpy.meshgrid(x, y))

    def on_grid(self, x, y) -> Any:
        import numpy

        return numpy.broadcast_to(self(x, y), x.shape)


@functools.lru_cache(maxsize=100_000)
def drawn_tilt(noise: float, seed: int, step: int) -> Point:
    rng = random.Random((seed << 32) + step)
    return rng.gauss(0, noise), rng.gauss(0, noise)


@functools.cache
def height() -> type:
    """The autograd function of a Surface: its own exact gradient, the same numbers whatever asks."""
    import torch

    class Height(torch.autograd.Function):
        @staticmethod
        def forward(context, x, y, surface, step):
            slopes = surface.slopes(list(zip(x.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True)), step)
            loss, dx, dy = (x.new_tensor(column).view_as(x) for column in zip(*slopes, strict=True))
            context.save_for_backward(dx, dy)
            return loss

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context, above):
            dx, dy = context.saved_tensors
            return above * dx, above * dy, None, None

    return Height


@dataclass(frozen=True)
class CustomSurface(Surface):
    """A surface that a student writes: `formula(x, y)` of two tensors, its gradient found by autograd."""

    def __call__(self, x, y, step: int | None = None) -> Any:
        import torch

        if isinstance(x, torch.Tensor):
            return self.formula(x, y)
        loss = self.formula(torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32))
        return loss.detach().numpy() if hasattr(x, "shape") else float(loss)

    def slope(self, x: float, y: float, step: int | None = None) -> tuple[float, float, float]:
        import torch

        with torch.enable_grad():
            point = torch.tensor([x, y], requires_grad=True)
            loss = self.formula(*point)
            loss.backward()
        return (loss.item(), *point.grad.tolist())

    def slopes(self, points: Sequence[Point], step: int | None = None) -> list[tuple[float, float, float]]:
        """All points at once where the function allows it, to the bit the same as one by one."""
        import torch

        if not self.elementwise:
            return [self.slope(x, y) for x, y in points]
        slopes = []
        for few in (points[i : i + 7] for i in range(0, len(points), 7)):  # eight or more would be computed as vectors
            with torch.enable_grad():
                both = torch.tensor(few, requires_grad=True)
                loss = self.formula(*both.unbind(1))
                loss.sum().backward()
            slopes += zip(loss.tolist(), *both.grad.T.tolist(), strict=True)
        return slopes

    @functools.cached_property
    def elementwise(self) -> bool:
        """Whether several points at once give what each gives alone: not so where the function sums up or branches."""
        left, right, bottom, top = self.window
        points = [(left + (right - left) * s, bottom + (top - bottom) * (1 - s) ** 2) for s in (0.1, 0.37, 0.62, 0.9)]
        import torch

        try:
            together = self.formula(*torch.tensor(points).unbind(1)).tolist()
            return together == [self.formula(*torch.tensor(p)).item() for p in points]
        except (RuntimeError, ValueError, TypeError):
            return False

    def on_grid(self, x, y) -> Any:
        import numpy

        if self.elementwise:
            return self(x, y)
        return numpy.array([self(float(a), float(b)) for a, b in zip(x.flat, y.flat, strict=True)]).reshape(x.shape)


def surface(
    f: Callable,
    window: tuple[float, float, float, float] = (-4.0, 4.0, -4.0, 4.0),
    start: Point | None = None,
    minima: Sequence[Point] = (),
    name: str | None = None,
) -> Surface:
    """A function of two tensors as a surface.

    >>> import torch
    >>> surface(lambda x, y: x**2 + 3 * torch.sin(y) ** 2, start=(3.0, 2.0), name="waves").slope(1.0, 0.0)
    (1.0, 2.0, 0.0)

    Raises BadInput for one that does not give one differentiable number.
    """
    left, right, bottom, top = map(float, window)
    if not (left < right and bottom < top):
        raise BadInput(
            tr(
                f"window={window} 不行：应是（左，右，下，上），左 < 右、下 < 上。",
                f"window={window} won't do: give (left, right, bottom, top) with left < right and bottom < top.",
            )
        )
    start = start or (left + 0.15 * (right - left), bottom + 0.8 * (top - bottom))
    name = name or getattr(f, "__name__", "").replace("<lambda>", "") or tr("自己写的", "my own")
    custom = CustomSurface(
        name, name, name, window=(left, right, bottom, top), start=start, minima=tuple(minima), formula=f
    )
    try:
        custom.slope(*custom.start)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise BadInput(
            tr(
                f"函数 {name} 在 {custom.start} 处求不出梯度（{error}）。它应当接收两个张量 x、y，用 torch 的运算算出一个数，"
                "例如 lambda x, y: x**2 + torch.sin(y)。",
                f"Function {name} gives no gradient at {custom.start} ({error}). It should take two tensors x and y and "
                "compute one number with torch's operations, for example lambda x, y: x**2 + torch.sin(y).",
            )
        ) from None
    return custom


# The formulas


def bowl(x, y, m):
    return (x * x + y * y) / 2, x, y


def ravine(x, y, m):
    return x * x / 20 + y * y, x / 10, 2 * y


def saddle(x, y, m):
    return x * x - y * y + y * y * y * y / 4, 2 * x, y * y * y - 2 * y


def rosenbrock(x, y, m):
    off = y - x * x
    return (1 - x) * (1 - x) + 100 * off * off, 2 * (x - 1) - 400 * x * off, 200 * off


def beale(x, y, m):
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y
    dx = 2 * (a * (y - 1) + b * (y * y - 1) + c * (y * y * y - 1))
    return a * a + b * b + c * c, dx, 2 * x * (a + 2 * b * y + 3 * c * y * y)


def himmelblau(x, y, m):
    a, b = x * x + y - 11, x + y * y - 7
    return a * a + b * b, 4 * x * a + 2 * b, 2 * a + 4 * y * b


def plateau(x, y, m):
    hole = m.exp(-(x * x + y * y) / 2)
    return 1 - hole, x * hole, y * hole


def uva_ravine(x, y, m):
    across, along = m.tanh(x), 1 / (1 + m.exp(-y))
    sign = 1.0 * (x > 0) - 1.0 * (x < 0)
    dx = 2 * across * (1 - across * across) + 0.01 * sign
    return across * across + 0.01 * abs(x) + along, dx, along * (1 - along)


HOLES = ((1.0, -0.5), (-1.0, 0.5), (-0.5, -0.8))


def uva_holes(x, y, m):
    total = dx = dy = 0.0
    for a, b in HOLES:  # each a bell curve of width 0.2 with volume 1, upside down
        bell = m.exp(-((x - a) * (x - a) + (y - b) * (y - b)) / 0.08) / (0.08 * math.pi)
        total, dx, dy = total - bell, dx + (x - a) / 0.04 * bell, dy + (y - b) / 0.04 * bell
    return total, dx, dy


HIMMELBLAU = ((3.0, 2.0), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127))
ALL = (
    Surface("bowl", "圆碗", "bowl", bowl, (-4, 4, -4, 4), (-3.2, 2.6), ((0, 0),)),
    Surface("ravine", "峡谷", "ravine", ravine, (-10, 10, -5, 5), (-9.0, 2.5), ((0, 0),), rate=0.5),
    Surface("saddle", "马鞍", "saddle", saddle, (-2.5, 2.5, -2.5, 2.5), (-2.0, 0.01), ((0, 2**0.5), (0, -(2**0.5)))),
    Surface("rosenbrock", "香蕉谷（Rosenbrock）", "Rosenbrock", rosenbrock, (-2, 2, -1, 3), (-1.2, 1.0), ((1, 1),), 0.001),
    Surface("beale", "Beale 函数", "Beale", beale, (-1, 4.5, -2, 2), (1.0, 1.5), ((3, 0.5),), 0.01),
    Surface("himmelblau", "四个谷（Himmelblau）", "Himmelblau", himmelblau, (-5, 5, -5, 5), (0.0, -1.0), HIMMELBLAU, 0.01),
    Surface("plateau", "高原", "plateau", plateau, (-4, 4, -4, 4), (-2.4, 1.8), ((0, 0),), 0.3),
    Surface("noisy bowl", "抖动的碗", "noisy bowl", bowl, (-4, 4, -4, 4), (-3.2, 2.6), ((0, 0),), noise=2.0),
    Surface("uva ravine", "S 形斜坡上的峡谷（UvA）", "UvA ravine", uva_ravine, (-6, 6, -10, 6), (5.0, 5.0), rate=1.0),
    Surface("uva holes", "三个陡坑（UvA）", "UvA steep optima", uva_holes, (-2, 2, -2, 2), (0.0, 0.0), HOLES, 0.2),
)  # fmt: skip


def surfaces() -> dict[str, Surface]:
    """The surfaces of the kit, by name.

    >>> list(surfaces())[:3]
    ['bowl', 'ravine', 'saddle']

    The two of UvA are from its deep-learning tutorial on optimization (a ravine without end, and three holes in a plain).
    """
    return {one.name: one for one in ALL}


def surface_of(given) -> Surface:
    """A surface, the name of one, or a function of two tensors: as a surface."""
    if isinstance(given, Surface):
        return given
    if isinstance(given, str) and given in surfaces():
        return surfaces()[given]
    if callable(given):
        return surface(given)
    raise BadInput(
        tr(
            f"没有曲面 {given!r}；可用的有：{listing(surfaces(), 20)}，也可以给一个函数 lambda x, y: ...。",
            f"No surface {given!r}; there are: {listing(surfaces(), 20)}; or give a function lambda x, y: ...",
        )
    )
