"""What trains and what stays frozen: each strategy a frozen dataclass with one contract. Notebooks 02 and 03 compare them.

`prepare(model)` marks what trains and returns the model to train; `groups(model, lr)` gives parameter names with their
learning rates; `on_epoch(model, epoch, history)` may thaw more and says whether it did; `merge(model)` gives back a plain
model; `default_lr(model)` and `default_epochs(model)` are what suits the method. A strategy never sees the trainer.
"""

import dataclasses
import re
from collections.abc import Iterable

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.strategies.adding import Adapter, LoRA, PrefixTuning, PTuningV2
from labkit.strategies.contract import Strategy, head_parts, train_only
from labkit.strategies.freezing import BitFit, Full, GradualUnfreeze, HeadOnly, OnlyBlocks, TopK, freeing

__all__ = [
    "Adapter",
    "BitFit",
    "Full",
    "GradualUnfreeze",
    "HeadOnly",
    "LoRA",
    "OnlyBlocks",
    "PTuningV2",
    "PrefixTuning",
    "Strategy",
    "TopK",
    "as_strategy",
    "by_name",
    "freeing",
    "head_parts",
    "listed",
    "name_of",
    "settings_of",
    "train_only",
]

NAMES = {
    "full": Full,
    "head": HeadOnly,
    "top-K": TopK,
    "gradual": GradualUnfreeze,
    "bitfit": BitFit,
    "lora": LoRA,
    "prefix": PrefixTuning,
    "ptuning-v2": PTuningV2,
    "adapter": Adapter,
}


def as_strategy(given: Strategy | str | None) -> Strategy:
    """A strategy from itself or from its name, full fine-tuning from None; BadInput for anything else.

    >>> as_strategy("top-2"), as_strategy(None)
    (TopK(k=2), Full(decay=1.0))
    """
    if isinstance(given, Strategy):
        return given
    if given is None or isinstance(given, str):
        return by_name(given or "full")
    made = f"lk.{given.__name__}()" if isinstance(given, type) and issubclass(given, Strategy) else "lk.Full()"
    raise BadInput(
        tr(
            f"strategy={given!r} 不行：请给一个策略，如 {made}，或它的名字：{listing(NAMES, 20)}。",
            f"strategy={given!r} won't do: give a strategy, such as {made}, or its name: {listing(NAMES, 20)}.",
        )
    )


def listed(strategies: Iterable[Strategy | str] | Strategy | str) -> list:
    """What was given for several strategies, as a list; one alone is a list of one."""
    alone = isinstance(strategies, str | type) or not isinstance(strategies, Iterable)
    return [strategies] if alone else list(strategies)


def by_name(name: str) -> Strategy:
    """A strategy from its name on the command line: `by_name("top-2") == TopK(2)`, `by_name("lora(where=all)")`."""
    top = re.fullmatch(r"top-?(\d+)", name.strip().lower())
    if top:
        return TopK(int(top[1]))
    bare, _, settings = name.strip().lower().partition("(")
    if bare in NAMES and NAMES[bare] is not TopK and (settings[-1:] == ")" or bare == name.strip().lower()):
        return NAMES[bare](**settings_in(name, NAMES[bare], settings[:-1]))
    raise BadInput(
        tr(
            f"没有策略 {name!r}；可用的有：{listing(NAMES, 20)}。",
            f"No strategy {name!r}; there are: {listing(NAMES, 20)}.",
        )
    )


def settings_in(name: str, kind: type[Strategy], text: str) -> dict:
    """What "rank=2,where=all" says of a strategy's fields; BadInput naming those that there are."""
    fields = {f.name: f.type for f in dataclasses.fields(kind) if f.type in (int, float, bool, str)}
    pairs = [part.partition("=") for part in text.split(",")] if text else []
    try:
        return {key.strip(): as_kind(fields[key.strip()], value.strip()) for key, _, value in pairs}
    except (KeyError, ValueError):
        there = listing(fields, 20) or tr("无", "none")
        raise BadInput(
            tr(
                f"策略 {name!r} 不行：括号里应像 rank=4；可用的设置：{there}。",
                f"Strategy {name!r} won't do: its settings should look like rank=4; there are: {there}.",
            )
        ) from None


def as_kind(kind: type, word: str):
    return {"true": True, "false": False}[word] if kind is bool else kind(word)


def name_of(strategy: Strategy) -> str:
    """The inverse of by_name, `name_of(TopK(2)) == "top-2"`; settings that are not the default are told:
    `name_of(HeadOnly(pooler=False)) == "head(pooler=False)"`, so that two runs of a comparison never share a name."""
    if isinstance(strategy, TopK):
        return f"top-{strategy.k}"
    if isinstance(strategy, OnlyBlocks):
        return f"only({'+'.join(strategy.names)})"
    told = [f"{f.name}={v}" for f in dataclasses.fields(strategy) if (v := getattr(strategy, f.name)) != f.default]
    return f"{strategy.name}({','.join(told)})" if told else strategy.name


def settings_of(strategy: Strategy) -> dict:
    """A strategy's fields as JSON values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(strategy).items()}
