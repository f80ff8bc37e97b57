"""The optimizer as a walker in mountains: torch's own optimizers on a surface, every step recorded. Notebook 04 uses it.

What is recorded equals a loop of `torch.optim` written by hand, to the bit. Leans on surfaces and trace.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.landscape.surfaces import Surface, surface_of
from labkit.landscape.trace import Trace, Traces

OPTIMIZERS = {
    "SGD": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "Adagrad": ("Adagrad", {}),
    "RMSprop": ("RMSprop", {}),
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "Adadelta": ("Adadelta", {}),
    "Adamax": ("Adamax", {}),
    "NAdam": ("NAdam", {}),
    "RAdam": ("RAdam", {}),
    "Adafactor": ("Adafactor", {}),
    "Rprop": ("Rprop", {}),
    "ASGD": ("ASGD", {}),
    "LBFGS": ("LBFGS", {}),
    "Muon": ("Muon", {}),
}
VELOCITY = ("exp_avg", "momentum_buffer")  # what the optimizers call it in their state
SECOND = ("exp_avg_sq", "square_avg", "sum", "exp_inf", "variance")
REACH = 20  # a walker this many half windows from the middle has left the mountains


@dataclass(frozen=True)
class OptimizerFactory:
    """How to make an optimizer of torch: called with parameters it gives one; shown, it is the line of code.

    >>> optimizer("momentum", lr=0.1)
    torch.optim.SGD(params, lr=0.1, momentum=0.9)
    """

    kind: str
    settings: dict = field(hash=False)

    def __call__(self, params) -> Any:
        import torch

        try:
            return getattr(torch.optim, self.kind)(params, **self.settings)
        except (TypeError, ValueError) as error:
            if self.kind == "Muon" and "2D" in str(error):
                raise  # walk() gives it a matrix
            message = tr(f"{self!r} 不行：{error}。", f"{self!r} won't do: {error}.")
            raise BadInput(message) from None

    def __repr__(self) -> str:
        return f"torch.optim.{self.kind}(params, {', '.join(f'{k}={v!r}' for k, v in self.settings.items())})"


def optimizer(name: str, lr: float, **settings) -> OptimizerFactory:
    """An optimizer of torch by its usual name, with a learning rate and any other setting that torch has for it.

    >>> trace(optimizer("Adam", lr=0.1, betas=(0.5, 0.999)), "ravine")
    """
    if name not in OPTIMIZERS:
        raise BadInput(
            tr(
                f"没有优化器 {name!r}；可用的有：{listing(OPTIMIZERS, 20)}。",
                f"No optimizer {name!r}; there are: {listing(OPTIMIZERS, 20)}.",
            )
        )
    kind, own = OPTIMIZERS[name]
    return OptimizerFactory(kind, {"lr": lr, **own, **settings})


def trace(
    make_optimizer: Callable, surface="bowl", start: Sequence[float] | None = None, steps: int = 200, name=None
) -> Trace:
    """Where an optimizer walks on a surface.

    >>> import torch
    >>> trace(lambda params: torch.optim.Adam(params, lr=0.1), "ravine", steps=100)
    >>> trace(optimizer("SGD", lr=0.1), lambda x, y: x**2 + torch.sin(3 * y), start=(2.0, 1.0))

    The surface is one of `surfaces()`, its name, or a function of two tensors. The walk is float32, as torch's own
    default is, and equals a hand-written loop to the bit.
    """
    name = name or getattr(make_optimizer, "kind", None) or tr("优化器", "optimizer")
    return traces({name: make_optimizer}, surface, start, steps)[name]


def traces(
    makers: Mapping[str, Callable], surface="bowl", start: Sequence[float] | None = None, steps: int = 200
) -> Traces:
    """The walks of several optimizers from one start, each as if it went alone.

    >>> traces({"SGD": optimizer("SGD", lr=0.5), "Adam": optimizer("Adam", lr=0.5)}, "ravine")
    """
    import torch

    surface = surface_of(surface)
    start = checked(surface.start if start is None else start, steps, makers)
    walkers = [Walker(name, make, surface, start, steps) for name, make in makers.items()]
    with torch.no_grad():
        for step in range(steps):
            going = [w for w in walkers if w.diverged is None]
            for walker, (_, *gradient) in zip(going, surface.slopes([w.place for w in going], step), strict=True):
                walker.walk(step, tuple(gradient))
    return Traces({w.name: w.trace() for w in walkers})


def checked(start, steps: int, makers: Mapping) -> tuple[float, float]:
    try:
        x, y = (float(v) for v in start)
    except (TypeError, ValueError):
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadInput(
            tr(f"start={start!r} 不行：应是两个数，例如 (2.0, 1.0)。", f"start={start!r} won't do: give two numbers, such as (2.0, 1.0).")
        )  # fmt: skip
    if not isinstance(steps, int) or not 1 <= steps <= 100_000:
        raise BadInput(
            tr(f"steps={steps!r} 不行：应是 1 到 100000 的整数。", f"steps={steps!r} won't do: give a whole number from 1 to 100000.")
        )  # fmt: skip
    if not makers:
        raise BadInput(tr("至少要给一个优化器。", "Give at least one optimizer."))
    return x, y


class Walker:
    """One optimizer on its way: its parameter, and what it leaves behind."""

    def __init__(self, name: str, make: Callable, surface: Surface, start: tuple[float, float], steps: int):
        import torch

        self.name, self.surface = name, surface
        try:
            self.parameter = torch.tensor(start, requires_grad=True)
            self.optimizer = make([self.parameter])
        except ValueError:  # Muon wants a matrix
            self.parameter = torch.tensor([start], requires_grad=True)
            self.optimizer = make([self.parameter])
        self.flat, self.shape = self.parameter.detach().view(-1), self.parameter.shape
        self.needs_closure = isinstance(self.optimizer, torch.optim.LBFGS)
        self.step = self.optimizer.step if self.needs_closure else plain_step(self.optimizer)
        self.place, self.diverged = tuple(self.flat.tolist()), None
        self.places, self.gradients, self.rates, self.velocities, self.seconds = [self.place], [], [], [], []
        left, right, bottom, top = surface.window
        self.middle = ((left + right) / 2, (bottom + top) / 2)
        self.reach = (REACH * (right - left) / 2, REACH * (top - bottom) / 2)

    def walk(self, step: int, gradient: tuple[float, float]) -> None:
        """One step of the optimizer from the gradient that it finds where it stands."""
        self.set_gradient(gradient)
        self.gradients.append(gradient)
        self.rates.append(float(self.optimizer.param_groups[0]["lr"]))
        self.step(functools.partial(self.closure, step)) if self.needs_closure else self.step()
        self.place = tuple(self.flat.tolist())
        self.places.append(self.place)
        state = self.optimizer.state.get(self.parameter, {})
        self.velocities.append(moment_of(state, VELOCITY))
        self.seconds.append(moment_of(state, SECOND))
        (x, y), (a, b), (wide, high) = self.place, self.middle, self.reach
        if not (abs(x - a) <= wide and abs(y - b) <= high):  # nor where it is no number
            self.diverged = step + 1

    def set_gradient(self, gradient: tuple[float, float]) -> None:
        import torch

        self.parameter.grad = torch.tensor(gradient).view(self.shape)

    def closure(self, step: int) -> Any:
        """For an optimizer that looks around before it steps: the loss where the parameter is now."""
        import torch

        loss, *gradient = self.surface.slope(*self.flat.tolist(), step)
        self.set_gradient(gradient)
        return torch.tensor(loss)

    def trace(self) -> Trace:
        """The walk as arrays, cut before a place that is no number."""
        import numpy

        n = len(self.places) - (not all(map(math.isfinite, self.place)))
        heights, *slopes = zip(*self.surface.slopes(self.places[:n]), strict=True)
        self.gradients[n - 1 :] = [tuple(s[-1] for s in slopes)]
        with numpy.errstate(over="ignore"):  # a walk that diverges may end where float32 ends
            loss, lr = (numpy.array(row, numpy.float32) for row in (heights, self.rates[: n - 1]))
            position, gradient, velocity, second = (
                numpy.array(rows, numpy.float32).reshape(-1, 2)
                for rows in (self.places[:n], self.gradients, self.velocities[: n - 1], self.seconds[: n - 1])
            )
        group, direction = self.optimizer.param_groups[0], self.direction(gradient[:-1], velocity)
        decay = group["weight_decay"] if group.get("decoupled_weight_decay") else 0.0
        decay = decay * lr[:, None] * position[:-1]
        arrays = (position, loss, gradient, velocity, second, direction, decay, lr)
        return Trace(self.name, self.surface, *arrays, self.diverged)

    def direction(self, gradient, velocity) -> Any:
        """Gradient and momentum together as each optimizer joins them; the gradient alone where it keeps no momentum."""
        import numpy

        group, state = self.optimizer.param_groups[0], self.optimizer.state.get(self.parameter, {})
        if state.get("exp_avg") is not None and "betas" in group:  # starts from 0, so the first means are too small
            steps = numpy.arange(1, len(velocity) + 1, dtype=numpy.float32)[:, None]
            return velocity / (1 - numpy.float32(group["betas"][0]) ** steps)
        if type(self.optimizer).__name__ == "SGD" and group["momentum"]:
            return gradient + group["momentum"] * velocity if group["nesterov"] else velocity
        return gradient


def plain_step(optimizer) -> Callable:
    """The optimizer's step without the profiler's hooks around it, which take as long as the step itself."""
    step = type(optimizer).step
    ours = type(optimizer).__module__.startswith("torch.optim") and not optimizer.defaults.get("differentiable")
    if not ours or "step" in vars(optimizer):  # a scheduler has put its own there
        return optimizer.step
    return functools.partial(inspect.unwrap(step), optimizer)


def moment_of(state: dict, names: Sequence[str]) -> list[float]:
    """The first of these moments that an optimizer's state holds for our two numbers; zeros where none."""
    moment = next((state[n] for n in names if state.get(n) is not None), None)
    return [0.0, 0.0] if moment is None or moment.numel() != 2 else moment.view(-1).tolist()
