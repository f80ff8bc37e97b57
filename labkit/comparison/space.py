"""What a search may choose: each strategy with its own settings, and how it is trained. Plain data, known to no library.

A point of the space is a dict of plain values, `{"strategy": "lora", "lora.rank": 16, "rate": 1.0 …}`; rate and epochs are
multiples of what the strategy itself would take, so that what is learned of one strategy serves another. Notebook 13 uses it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from labkit.base.config import SCHEDULES, TrainConfig
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.strategies import NAMES, Strategy, TopK, as_strategy, listed, name_of, settings_of
from labkit.strategies.contract import layers_of
from labkit.tasks import Metric


@dataclass(frozen=True)
class Axis:
    """One setting that is searched: some choices, or a range that is walked on a logarithmic scale."""

    name: str
    choices: tuple = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    def nearest(self, value) -> Any:
        """The value, or the end of the range that is next to it."""
        return value if self.choices else min(max(value, self.low), self.high)


OWN = {  # of each strategy: what of its fields is searched, and how far
    "full": (Axis("decay", low=0.6, high=1.0),),
    "top-K": (Axis("k", low=1, high=12, whole=True),),  # as far as the model has layers
    "gradual": (Axis("factor", low=1.2, high=4.0),),
    "lora": (Axis("rank", low=2, high=64, whole=True), Axis("where", ("query-value", "all"))),
    "prefix": (Axis("tokens", low=2, high=40, whole=True),),
    "ptuning-v2": (Axis("tokens", low=2, high=40, whole=True),),
    "adapter": (Axis("size", low=4, high=64, whole=True),),
}
TRAINING = {
    "rate": Axis("rate", low=0.125, high=8.0),  # times the strategy's own
    "epochs": Axis("epochs", low=0.33, high=2.5),  # likewise
    "batch_size": Axis("batch_size", low=4, high=64, whole=True),
    "schedule": Axis("schedule", tuple(SCHEDULES)),
    "weight_decay": Axis("weight_decay", low=0.001, high=0.3),
}
SEARCHED = ("own", *TRAINING)  # what there is to search; "own": the strategies' own settings
TRIALS = 40  # where neither trials nor seconds are given
TITLES = {
    "strategy": ("策略", "strategy"),
    "own": ("策略自己的设置", "the strategies' own settings"),
    "rate": ("学习率（倍）", "rate (times its own)"),
    "epochs": ("轮数（倍）", "epochs (times its own)"),
    "batch_size": ("批大小", "batch size"),
    "schedule": ("学习率计划", "schedule"),
    "weight_decay": ("权重衰减", "weight decay"),
}


def title(name: str) -> str:
    """What a setting is called: `title("lora.rank") == "lora rank"`."""
    return tr(*TITLES.get(name, (name.replace(".", " "),) * 2))


@dataclass(frozen=True)
class Space:
    """The settings that are searched on one model.

    >>> space = space_of(model, corpus, ["head", "lora"])
    >>> space.settings(space.starts()[0])
    (HeadOnly(pooler=True), TrainConfig(epochs=None, lr=None, ...))
    """

    strategies: dict[str, Strategy]  # by the strategy's name, as the first trial has it
    own: dict[str, tuple[Axis, ...]]
    training: tuple[Axis, ...]
    config: TrainConfig  # what is not searched
    outline: Any  # the model without its weights: what rates and epochs of a strategy depend on
    rows: int | None = None  # to train on: epochs depend on them too

    def starts(self) -> list[dict[str, Any]]:
        """The known defaults: a point for each strategy."""
        usual = asdict(self.config) | {"rate": 1.0, "epochs": 1.0}
        training = {axis.name: axis.nearest(usual[axis.name]) for axis in self.training}
        return [
            {"strategy": name, **{f"{name}.{axis.name}": getattr(start, axis.name) for axis in self.own[name]}, **training}
            for name, start in self.strategies.items()
        ]  # fmt: skip

    def draw(self, ask: Callable[[Axis], Any]) -> dict[str, Any]:
        """A point, whose values `ask` gives for one axis after the other; which axes follow, the strategy decides."""
        name = ask(Axis("strategy", tuple(self.strategies)))
        axes = [replace(axis, name=f"{name}.{axis.name}") for axis in self.own[name]]
        return {"strategy": name} | {axis.name: ask(axis) for axis in (*axes, *self.training)}

    def settings(self, point: Mapping[str, Any]) -> tuple[Strategy, TrainConfig]:
        """The strategy and the config that a point stands for; a multiple of exactly 1 leaves the strategy its own."""
        name = point["strategy"]
        strategy = replace(
            self.strategies[name], **{axis.name: point[f"{name}.{axis.name}"] for axis in self.own[name]}
        )
        taken = {k: v for k, v in point.items() if k in TRAINING}
        rate, epochs = taken.pop("rate", 1.0), taken.pop("epochs", 1.0)
        if rate != 1:
            lr = rate * (self.config.lr or strategy.default_lr(self.outline))
            taken["lr"] = float(f"{lr:.3g}")
        if epochs != 1:
            usual = self.config.epochs or strategy.usual_epochs(self.outline, self.rows)
            taken["epochs"] = max(1, round(epochs * usual))
        if "weight_decay" in taken:
            taken["weight_decay"] = float(f"{taken['weight_decay']:.2g}")
        return strategy, replace(self.config, **taken)

    def names(self) -> list[str]:
        """All that is searched."""
        own = [f"{name}.{axis.name}" for name, axes in self.own.items() for axis in axes]
        return ["strategy", *own, *(axis.name for axis in self.training)]

    def card(self) -> dict[str, Any]:
        """The space as plain values: a search goes on in the space that it began in."""
        return {
            "strategies": {name: settings_of(s) for name, s in self.strategies.items()},
            "axes": {name: [asdict(axis) for axis in axes] for name, axes in self.own.items()},
            "training": [asdict(axis) for axis in self.training],
            "config": asdict(self.config),
        }


def space_of(
    model,
    corpus,
    strategies: Sequence[Strategy | str] | None = None,
    searched: Sequence[str] = SEARCHED,
    config: TrainConfig | None = None,
) -> Space:
    """The space of these strategies on this model: all that work on it, where none are named. BadInput where nothing is left."""
    unknown = [name for name in searched if name not in SEARCHED]
    if unknown:
        raise BadInput(
            tr(
                f"space 里没有 {listing(unknown)}；可选：{listing(SEARCHED)}。",
                f"space has no {listing(unknown)}; choose from: {listing(SEARCHED)}.",
            )
        )
    named = [starting(s, model) for s in (NAMES if strategies is None else listed(strategies))]
    names = [family for family, _ in named]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise BadInput(
            tr(
                f"strategies 里 {listing(twice)} 出现了不止一次。请每种给一次：它自己的设置由搜索来变。",
                f"strategies has {listing(twice)} more than once. Give each kind once: its own settings are for the search to vary.",
            )
        )
    found, own = {}, {}
    for name, start in named:
        axes = fitting(name, start, model)
        start = working(start, axes, model, must=strategies is not None)
        if start is not None:
            found[name], own[name] = start, axes if "own" in searched else ()
    training = tuple(sized(axis, corpus) for name, axis in TRAINING.items() if name in searched)
    if not found or (len(found) == 1 and not training and not any(own.values())):
        raise BadInput(
            tr(
                "没有可以搜索的：strategies 至少给一种；只有一种时，space 里也要有能变的设置。",
                "There is nothing to search: name at least one strategy, and with a single one leave something in space that can vary.",
            )
        )
    return Space(found, own, training, config or TrainConfig(), model.to("meta"), len(corpus.train))


def starting(strategy: Strategy | str, model) -> tuple[str, Strategy]:
    """A strategy's kind, as the command line calls it, and the settings that are tried first."""
    top = isinstance(strategy, str) and strategy.strip().lower() in ("top-k", "top")
    strategy = TopK(min(2, len(layers_of(model)) or 1)) if top else as_strategy(strategy)
    kind = next((name for name, known in NAMES.items() if type(strategy) is known), None)
    return kind or name_of(strategy), strategy


def fitting(name: str, start: Strategy, model) -> tuple[Axis, ...]:
    """The strategy's own axes as far as this model goes, the start among them."""
    axes = []
    for axis in OWN.get(name, ()):
        value = getattr(start, axis.name)
        if axis.name == "k":
            axis = replace(axis, high=max(1, len(layers_of(model))))
        elif axis.choices:
            axis = replace(
                axis, choices=tuple(c for c in axis.choices if works(replace(start, **{axis.name: c}), model))
            )
        if axis.whole or not axis.choices:
            axis = replace(axis, low=min(axis.low, value), high=max(axis.high, value)) if axis.name != "k" else axis
        if axis.choices or axis.low < axis.high:
            axes.append(axis)
    return tuple(axes)


def works(strategy: Strategy, model) -> bool:
    try:
        strategy.check(model)
    except BadInput:
        return False
    return True


def working(start: Strategy, axes: Sequence[Axis], model, must: bool) -> Strategy | None:
    """The start, or the nearest to it that works on the model; without one BadInput (`must`) or None."""
    for axis in axes:
        if axis.choices and getattr(start, axis.name) not in axis.choices:
            start = replace(start, **{axis.name: axis.choices[0]})
    if must:
        start.check(model)
    return start if works(start, model) else None


def sized(axis: Axis, corpus) -> Axis:
    """No batch holds more than a quarter of the rows."""
    if axis.name != "batch_size":
        return axis
    return replace(axis, high=max(16, min(axis.high, len(corpus.train) // 4)))


# What a search may be asked


def metric_of(corpus, name: str | None) -> Metric:
    """The metric to go by; BadInput names those of the task."""
    known = [metric.name for metric in corpus.task.metrics]
    if name is not None and name not in known:
        raise BadInput(
            tr(
                f"metric={name!r} 不行；可选：{listing(known)}。",
                f"metric={name!r} won't do; choose from: {listing(known)}.",
            )
        )
    return corpus.task.metric(name)


def refuse_budgets(trials, seconds, seeds, confirm, workers) -> None:
    """BadInput for budgets that are none."""
    for name, value, low in (
        ("trials", trials, 1),
        ("seeds", seeds, 1),
        ("confirm", confirm, 0),
        ("workers", workers, 1),
    ):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
            raise BadInput(
                tr(
                    f"{name}={value!r} 不行；应是不小于 {low} 的整数。",
                    f"{name}={value!r} won't do; give a whole number from {low} up.",
                )
            )
    if seconds is not None and not seconds > 0:
        raise BadInput(
            tr(f"seconds={seconds!r} 不行；应是正数。", f"seconds={seconds!r} won't do; give a positive number.")
        )
