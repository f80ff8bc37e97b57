"""What a prediction loses when parts of its input are hidden: occlusion, and the test that any attribution has to pass.

Hide the parts that an attribution calls most important, first one share of them, then more: if it tells the truth, the answer
goes faster than when parts are hidden in any order (the deletion curve: Samek et al. 2017, arXiv 1509.06321; Petsiuk, Das and
Saenko 2018, arXiv 1806.07421). A picture that fails this may be pretty; it explains nothing. Notebook 17 uses it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.display import box, table_html, table_text
from labkit.base.language import tr

ORDERS = 19  # random orders: to beat them all by luck happens once in 20
STEPS = 8  # in which everything is hidden
FEWEST = 4  # parts; fewer have no order to speak of
ROWS = 64  # asked at once


@dataclass(frozen=True)
class Hidden:
    """An input whose parts can be hidden: `ask` takes what is hidden, bool (rows, parts), and gives the log-odds (rows,)."""

    parts: int
    ask: Callable[[Any], Any]

    def odds(self, masks) -> Any:
        import torch

        with torch.no_grad():
            return torch.cat([self.ask(some).float().cpu() for some in masks.split(ROWS)])


def occluded(hidden: Hidden) -> list[float]:
    """What each part adds: the log-odds with everything there, less those without the part (Zeiler and Fergus 2014)."""
    import torch

    odds = hidden.odds(torch.cat([torch.zeros(1, hidden.parts), torch.eye(hidden.parts)]).bool())
    return (odds[0] - odds[1:]).tolist()


def curves(hidden: Hidden, orders: Sequence[Sequence[int]]) -> Any:
    """The label's probability while parts are hidden in each of these orders: (orders, STEPS + 1)."""
    import torch

    n = len(orders[0])
    masks = torch.zeros(len(orders), STEPS + 1, hidden.parts, dtype=torch.bool)
    for i, order in enumerate(orders):
        for step in range(STEPS + 1):
            masks[i, step, list(order[: round(step * n / STEPS)])] = True
    once, place = masks.flatten(0, 1).unique(dim=0, return_inverse=True)  # all begin with nothing hidden, and end alike
    return hidden.odds(once)[place].sigmoid().view(len(orders), STEPS + 1)


def deletion(hidden: Hidden, scores: Sequence[float], free: Sequence[int], seed: int = 0) -> tuple[Any, Any] | None:
    """The curve of an attribution, (STEPS + 1,), and those of ORDERS random orders; None where there is too little to hide.
    `free` are the parts that can be hidden at all."""
    import torch

    if len(free) < FEWEST:
        return None
    rng = torch.Generator().manual_seed(seed)
    orders = [sorted(free, key=lambda i: -scores[i])]
    orders += [[free[i] for i in torch.randperm(len(free), generator=rng).tolist()] for _ in range(ORDERS)]
    found = curves(hidden, orders)
    return found[0], found[1:]


def area(curve) -> Any:
    """The mean height of a curve behind its beginning: the lower, the sooner the answer goes."""
    return curve[..., 1:].mean(-1)


def holds(curve, others) -> bool:
    """Whether the answer goes sooner than in every random order."""
    return bool(area(curve) < area(others).min())


def warning(truthful: bool | None) -> str:
    """What has to stand below an attribution that is no better than chance; nothing below another."""
    if truthful is not False:
        return ""
    return tr(
        "没有通过删除检验：按它的次序遮住，答案并不比随便遮消失得快。别拿它当解释。",
        "Fails the deletion test: hidden in its order, the answer goes no sooner than in a random one. Do not take it for an "
        "explanation.",
    )


def mark(truthful: bool | None) -> str:
    """The same in the few words that a figure has room for."""
    return tr("没有通过删除检验", "fails the deletion test") if truthful is False else ""


# Over many rows


@dataclass(frozen=True)
class Curve:
    """One method's deletion curve over rows; `gain` is how much lower its area is than a random order's, with 95 %."""

    method: str
    curve: tuple[float, ...]  # the mean probability of the label, from nothing hidden to everything
    random: tuple[float, ...]  # the same for random orders
    gain: float
    low: float
    high: float
    rows: int

    @property
    def better(self) -> bool:
        """Whether it is better than chance beyond its uncertainty."""
        return self.low > 0


class Curves(list):
    """What `deletion_curves` gives: prints and shows as a table."""

    def header(self) -> list[str]:
        return [
            tr("方法", "method"),
            tr("曲线下面积", "area"),
            tr("随机次序", "random order"),
            tr("差，95 %", "gain, 95 %"),
            tr("结论", "verdict"),
        ]

    def lines(self) -> list[list[str]]:
        means = [[sum(c[1:]) / (len(c) - 1) for c in (one.curve, one.random)] for one in self]
        return [
            [
                names()[one.method],
                *(f"{m:.3f}" for m in mean),
                f"{one.gain:+.3f} ({one.low:+.3f} … {one.high:+.3f})",
                tr("比随机好", "better than chance") if one.better else tr("不比随机好", "no better than chance"),
            ]
            for one, mean in zip(self, means, strict=True)
        ]

    def __str__(self) -> str:
        return table_text(self.header(), self.lines())

    def _repr_html_(self) -> str:
        return box(table_html(self.header(), self.lines()))


def names() -> dict[str, str]:
    """The methods of attribution in words."""
    return {
        "integrated": tr("积分梯度", "integrated gradients"),
        "gradient": tr("梯度 × 输入", "gradient × input"),
        "occlusion": tr("遮挡", "occlusion"),
        "rollout": tr("注意力展开", "attention rollout"),
    }


def summed_up(method: str, pairs: Sequence[tuple[Any, Any]]) -> Curve:
    """The curves of rows as one, with the interval of the mean gain over rows."""
    import torch

    mine, chance = torch.stack([a for a, _ in pairs]), torch.stack([b.mean(0) for _, b in pairs])
    gains = area(chance) - area(mine)
    half = 1.96 * gains.std().item() / len(gains) ** 0.5 if len(gains) > 1 else float("inf")
    middle = gains.mean().item()
    return Curve(
        method,
        tuple(mine.mean(0).tolist()),
        tuple(chance.mean(0).tolist()),
        middle,
        middle - half,
        middle + half,
        len(pairs),
    )
