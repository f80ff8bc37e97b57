"""What a walk of an optimizer leaves behind: every step, its parts, and where it came to. walk.py records it."""

import math
from dataclasses import dataclass
from typing import Any

from labkit.base.display import table_text
from labkit.base.language import tr
from labkit.landscape.surfaces import Surface


@dataclass(frozen=True, eq=False)
class Trace:
    """One walk, as float32 arrays: n steps, n + 1 places. Prints as its numbers.

    `loss` is the height of the surface; `gradient` is what the walker felt there, noise included.
    """

    name: str
    surface: Surface
    position: Any  # (n + 1, 2)
    loss: Any  # (n + 1,)
    gradient: Any  # (n + 1, 2)
    velocity: Any  # (n, 2), what the optimizer remembers of gradients, after the step; 0 where it remembers nothing
    second: Any  # (n, 2), what it remembers of squared gradients
    direction: Any  # (n, 2), gradient and momentum together, before each parameter gets a scale of its own
    decay: Any  # (n, 2), what each step subtracted as decoupled weight decay; 0 where there is none
    lr: Any  # (n,)
    diverged: int | None = None  # the step that left the mountains or gave no number; the walk ends there

    @property
    def steps(self) -> int:
        return len(self.position) - 1

    @property
    def update(self) -> Any:
        """What each step did: (n, 2)."""
        return self.position[1:] - self.position[:-1]

    @property
    def parts(self) -> dict[str, Any]:
        """Each step as a sum of three, (n, 2) each: down the gradient as SGD would go, what momentum adds, and the rest:
        each parameter's own scale (and weight decay, where there is some)."""
        gradient = -self.lr[:, None] * self.gradient[:-1]
        momentum = -self.lr[:, None] * self.direction - gradient
        return {"gradient": gradient, "momentum": momentum, "adaptive": self.update - gradient - momentum}

    @property
    def step_size(self) -> Any:
        """The effective step size of each parameter, (n, 2): step over direction. SGD's is its rate, Adam's is
        rate / (sqrt(second moment) + eps); nan where a step is too short for float32 to tell."""
        import numpy

        with numpy.errstate(divide="ignore", invalid="ignore"):
            size = -(self.update + self.decay) / self.direction
        clear = (abs(self.update) > 1e-4 * abs(self.position[1:])) & (abs(self.update) > 1e-20)
        return numpy.where(clear, size, numpy.nan)

    @property
    def to_minimum(self) -> float:
        """Distance from the last place to the nearest known minimum; nan where none is known."""
        return min((math.dist(self.position[-1].tolist(), m) for m in self.surface.minima), default=math.nan)

    @property
    def arrived(self) -> int | None:
        """The first step from which the loss stays within 1 % of the way from the start down to the lowest minimum."""
        floor = min((self.surface(float(x), float(y)) for x, y in self.surface.minima), default=math.nan)
        above = self.loss - floor > 0.01 * (self.loss[0] - floor)
        if self.diverged is not None or math.isnan(floor) or above[-1]:
            return None
        return int(above.nonzero()[0].max(initial=-1)) + 1

    def __repr__(self) -> str:
        return str(Traces({self.name: self}))

    def _repr_html_(self) -> str:
        return Traces({self.name: self})._repr_html_()


class Traces(dict):
    """Walks by name, on one surface; prints as a table of where each came to."""

    @property
    def surface(self) -> Surface:
        return next(iter(self.values())).surface

    def header(self) -> list[str]:
        return [
            tr("优化器", "optimizer"),
            tr("步数", "steps"),
            tr("终点", "last place"),
            tr("损失", "loss"),
            tr("离最低点", "to a minimum"),
            tr("到达（步）", "arrived (step)"),
            tr("结果", "outcome"),
        ]

    def cells(self) -> list[list[str]]:
        rows = []
        for name, t in self.items():
            x, y = t.position[-1].tolist()
            far = "–" if math.isnan(t.to_minimum) else f"{t.to_minimum:.3g}"
            gone = tr(f"第 {t.diverged} 步发散", f"diverged at step {t.diverged}")
            end = gone if t.diverged is not None else tr("走完", "walked")
            there = "–" if t.arrived is None else str(t.arrived)
            rows.append([name, str(t.steps), f"({x:.3g}, {y:.3g})", f"{t.loss[-1]:.4g}", far, there, end])
        return rows

    def __str__(self) -> str:
        return table_text(self.header(), self.cells())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.base.display import box, table_html

        return box(table_html(self.header(), self.cells()))
