"""What every answer must leave alone, whatever it computes: one harness around the call of all exercises.

The inputs as they came, the global random numbers where a task says so, gradients switched on as before, the modes and weights
of a model that is only looked at; a second call gives the same; what comes back is no view of what was handed in and can be
trained on. `Guard` calls an answer, evens out its result (plain.py) and remembers the first thing that was broken.
"""

import copy
import inspect
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit_exercises.cases import lot
from labkit_exercises.matching import joined, shown
from labkit_exercises.plain import plain

from labkit import tr

TWICE = 6  # calls of one check that are made a second time, before and among the random cases


@dataclass(frozen=True)
class Contract:
    """How much an exercise allows."""

    changes: tuple[int, ...] = ()  # the places of arguments that may be changed
    again: bool = True  # a second call with equal inputs gives the same
    luck: bool = False  # the global random numbers are neither used nor moved
    model: str = ""  # of a model handed in, "modes" or all ("kept") stay as they are
    opaque: bool = False  # what comes back is kept in the answer's own form and not evened out
    shares: bool = False  # a tensor that is returned may be a view of what was handed in


class Guard:
    """An answer, called under its contract; `breach` is what it broke first, in words."""

    def __init__(self, answer: Callable, contract: Contract):
        self.answer, self.contract = answer, contract
        self.breach, self.drawn = None, False  # and whether it was broken in a case that was drawn
        self.calls: dict[bool, int] = {}  # by whether a case is a random one

    def __call__(self, *given: Any, **named: Any) -> Any:
        kept, models = [copied(x) for x in given], [standing(x, self.contract.model) for x in given]
        before, luck = switches(), fortune() if self.contract.luck else None
        try:
            got = self.answer(*given, **named)
            got = got if self.contract.opaque else plain(got)
        finally:
            after = switches()
            restore(before)
        if self.breach is None:
            self.breach = (
                self.changed(given, kept, models)
                or (switch_words(after) if after != before else None)
                or self.moved_luck(kept, named, luck)
                or self.result_words(got, given)
                or self.second(given, kept, named, got)
            )
            self.drawn = lot.drawn
        return got

    def __getattr__(self, name: str) -> Any:
        return getattr(self.answer, name)  # what a class has beside its constructor

    def changed(self, given, kept, models) -> str | None:
        """Which of the things handed in is not what it was."""
        for place, (now, was, model) in enumerate(zip(given, kept, models, strict=True)):
            name = self.name_of(place)
            if was is not UNKNOWN and place not in self.contract.changes and not alike(now, was):
                return tr(
                    f"你的函数改动了交给它的 `{name}`：原来是 {shown(was)}，之后是 {shown(now)}。先复制，再改抄件。",
                    f"Your function has changed the `{name}` that it was given, from {shown(was)} to {shown(now)}: copy first, and change "
                    "the copy.",
                )
            if model is not None and (broken := model_words(now, model, self.contract.model)):
                return broken
        return None

    def moved_luck(self, kept, named, luck) -> str | None:
        """Whether the answer draws from the global random numbers; the first import of a library may, and is forgiven."""
        if luck is None or fortune() == luck:
            return None
        if all(x is not UNKNOWN for x in kept):
            move_fortune()
            luck = fortune()
            self.answer(*(copied(x) for x in kept), **named)
        return luck_words() if fortune() != luck or any(x is UNKNOWN for x in kept) else None

    def result_words(self, got, given) -> str | None:
        """What is wrong with the tensors that came back, whatever their numbers."""
        import torch

        mine, theirs = tensors_in(got), [t for x in given for t in tensors_in(x)]
        if any(t.is_inference() for t in mine):
            return tr(
                "结果是在 torch.inference_mode() 里算的：以后在它上面训练不了（反向时会报错）。用 torch.no_grad()。",
                "The result was computed inside torch.inference_mode(), and nothing can be trained on it later (backward raises): take "
                "torch.no_grad().",
            )
        places = {t.untyped_storage().data_ptr() for t in theirs if t.numel()}
        if not self.contract.shares and any(
            t.numel() and t.untyped_storage().data_ptr() in places and not isinstance(t, torch.nn.Parameter)
            for t in mine
        ):
            return tr(
                "返回的张量和交给你的共用一块内存：以后改一个，另一个跟着变。返回新的张量（clone()）。",
                "What you return shares its memory with what you were given, and a change of one changes the other: return a new "
                "tensor (clone()).",
            )
        return None

    def second(self, given, kept, named, got) -> str | None:
        """Whether the same inputs give the same again, wherever the global random numbers stand."""
        done = self.calls[lot.drawn] = self.calls.get(lot.drawn, 0) + 1
        if not self.contract.again or done > TWICE or any(x is UNKNOWN for x in kept):
            return None
        first = copied(got)
        if self.contract.luck:
            move_fortune()
        try:
            more = plain(self.answer(*(copied(x) for x in kept), **named))
        except Exception as error:  # a student's code may raise anything
            more = error
        if first is UNKNOWN or alike(more, first):
            return None
        return joined(
            tr(
                f"用同样的输入再叫一次，结果不同：先是 {shown(first)}，再是 {shown(more)}。",
                f"Called again with the same inputs it gives something else: first {shown(first)}, then {shown(more)}.",
            ),
            tr(
                "结果只能由输入决定：不要留着上一次的东西，也不要靠全局的随机数。",
                "The inputs alone decide: keep nothing from the call before, and don't lean on the global random numbers.",
            ),
        )

    def name_of(self, place: int) -> str:
        try:
            return list(inspect.signature(self.answer).parameters)[place]
        except (ValueError, TypeError, IndexError):
            return str(place + 1)


UNKNOWN = object()  # in place of a copy: this can't be copied and compared


def copied(value: Any) -> Any:
    """A deep copy of plain data and tensors; UNKNOWN for functions, models and what holds them."""
    import torch

    if value is None or isinstance(value, (bool, int, float, str, bytes, Path)):
        return value
    if isinstance(value, torch.nn.Parameter):
        return UNKNOWN
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        items = {k: copied(v) for k, v in value.items()}
        return UNKNOWN if any(v is UNKNOWN for v in items.values()) else items
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [copied(x) for x in value]
        return UNKNOWN if any(x is UNKNOWN for x in items) else type(value)(items)
    return copy.deepcopy(value) if type(value).__module__ == "numpy" else UNKNOWN


def alike(a: Any, b: Any) -> bool:
    """Equal, nan to nan; numbers up to rounding.

    >>> alike([1.0, float("nan")], (1.0, float("nan")))
    True
    """
    import torch

    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = a.detach(), b.detach()
        return torch.equal(a, b) or torch.allclose(a.double(), b.double(), rtol=1e-6, atol=1e-9, equal_nan=True)
    if isinstance(b, float) and isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(alike(a[k], b[k]) for k in b)
    if isinstance(b, (list, tuple)):
        return isinstance(a, (list, tuple)) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(b, (set, frozenset)):
        return isinstance(a, (set, frozenset)) and a == b
    if type(a).__module__ == type(b).__module__ == "numpy":
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


def tensors_in(value: Any) -> list:
    """The tensors of a value and of the containers in it; of a model none."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for x in value for t in tensors_in(x)] if isinstance(value, (list, tuple)) else []


# What is switched for the whole session


def switches() -> tuple:
    import torch

    return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()


def restore(before: tuple) -> None:
    import torch

    torch.set_grad_enabled(before[0])
    torch.set_default_dtype(before[2])


def switch_words(after: tuple) -> str:
    if not after[0]:
        return tr(
            "你的函数关掉了梯度，没有再打开：此后整本笔记都训练不了。用 `with torch.no_grad():`，出来时它自己恢复。",
            "Your function has switched gradients off and left them so: nothing after it can be trained. Write `with "
            "torch.no_grad():`, which switches back by itself.",
        )
    return tr(
        "你的函数改了 torch 的全局设置（梯度或默认类型），没有改回来。",
        "Your function has changed a global setting of torch (gradients or the default dtype) and left it so.",
    )


def fortune() -> tuple:
    """Where the global random numbers of Python, numpy and torch stand."""
    import numpy as np
    import torch

    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, keys.tobytes(), rest, torch.get_rng_state().numpy().tobytes()


def move_fortune() -> None:
    import numpy as np
    import torch

    random.random(), np.random.random(), torch.rand(1)


def luck_words() -> str:
    return tr(
        "你动了全局的随机数：用自己的，如 `random.Random(seed)` 或给定的 generator。",
        "You moved the global random numbers: use your own, as in `random.Random(seed)`, or the generator that is given.",
    )


# A model that is only looked at


def standing(model: Any, what: str) -> dict | None:
    """How a model stands: the mode of each part, and what trains with its values."""
    import torch

    if not what or not isinstance(model, torch.nn.Module):
        return None
    found = {"modes": {name: part.training for name, part in model.named_modules()}}
    if what == "kept":
        found["trains"] = {name: p.requires_grad for name, p in model.named_parameters()}
        found["values"] = {name: t.detach().clone() for name, t in model.state_dict().items()}
    return found


def model_words(model, before: dict, what: str) -> str | None:
    now = standing(model, what)
    modes = [n for n, training in before["modes"].items() if now["modes"].get(n) != training]
    if modes:
        return tr(
            f"模型的模式变了（{modes[0] or '整个模型'}）：每个部分进来时是训练还是评估模式，就要还成什么；有的部分可能本来就和别的不同。",
            f"The mode of the model has changed ({modes[0] or 'the whole'}): give each part back in the mode in which it came; some may "
            "differ from the rest.",
        )
    if now.get("trains") != before.get("trains"):
        return tr("你改了哪些参数要训练（requires_grad）。", "You changed which parameters train (requires_grad).")
    if not alike(now.get("values", {}), before.get("values", {})):
        return tr(
            "模型的权重变了：这里只用它，不改它。",
            "The model's weights have changed: it is to be used here, not altered.",
        )
    return None
