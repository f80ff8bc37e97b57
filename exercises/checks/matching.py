"""What an answer gave against what was expected: equal up to rounding, and if not, which known mistake gives just that.

Used by the check functions of every lesson.
"""

from collections.abc import Iterable
from typing import Any

from labkit import tr


def numbers(value) -> Any:
    """A number, tensor or nested list as a float64 tensor; None where it is none."""
    import torch

    try:
        return torch.as_tensor(value).detach().cpu().to(torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def near(got, want, tolerance: float = 1e-6) -> bool:
    """Equal, with numbers equal up to `tolerance`; lists and tuples are the same thing.

    >>> near((1, [2.0]), [1, (2.0000001,)])
    True
    """
    import torch

    if isinstance(want, dict):
        return (
            isinstance(got, dict) and got.keys() == want.keys() and all(near(got[k], want[k], tolerance) for k in want)
        )
    if isinstance(want, (list, tuple)):
        if isinstance(got, (str, dict)) or not isinstance(got, Iterable):
            return False
        if isinstance(got, torch.Tensor) and got.ndim == 0:
            return False
        got = list(got)
        return len(got) == len(want) and all(near(g, w, tolerance) for g, w in zip(got, want, strict=True))
    if isinstance(want, (str, set, bool)) or want is None:
        return type(got) is type(want) and got == want
    if type(got) in (int, float) and type(want) in (int, float):
        return got == want or abs(got - want) <= tolerance * (1 + abs(want))
    got, want = numbers(got), numbers(want)
    if got is None or (got.shape != want.shape and not got.numel() == want.numel() == 1):
        return False
    return torch.allclose(got.reshape(want.shape), want, rtol=tolerance, atol=tolerance)


def fault(given: str, got, want, mistakes=(), tolerance: float = 1e-6) -> str | None:
    """None where `got` is right; else a sentence: what was given, what was expected, and why it differs.

    `mistakes` say what a known mistake would give, and the words for it: (value, Chinese, English).
    """
    if near(got, want, tolerance):
        return None
    said = tr(
        f"{given} 应得 {shown(want)}，你的是 {shown(got)}。",
        f"{given} should give {shown(want)}; yours gave {shown(got)}.",
    )
    known = (m for m in mistakes if not near(m[0], want, tolerance) and near(got, m[0], tolerance))
    reason = next((tr(*m[1:]) for m in known), "") or kind_fault(got, want)
    return joined(said, reason)


def kind_fault(got, want) -> str:
    """What is wrong with the kind or the shape of an answer; "" where nothing is."""
    import torch

    if got is None:
        return tr("函数什么也没返回：忘了 return？", "The function returns nothing: is a `return` missing?")
    if isinstance(want, torch.Tensor):
        if not isinstance(got, torch.Tensor):
            return tr("这里要一个张量。", "A tensor is wanted here.")
        if got.shape != want.shape and got.numel() != want.numel():
            return tr(
                f"形状应为 {tuple(want.shape)}，你的是 {tuple(got.shape)}。",
                f"The shape should be {tuple(want.shape)}; yours is {tuple(got.shape)}.",
            )
    value = numbers(got)
    if value is not None and value.isnan().any():
        return tr("结果里有 nan：多半是除以了 0。", "There is a nan in it: most likely a division by 0.")
    return ""


def shown(value) -> str:
    """A value in a few words: numbers with four digits, large tensors by their shape and first numbers."""
    import torch

    if isinstance(value, torch.Tensor):
        flat = [f"{x:.4g}" for x in value.detach().flatten()[:4].tolist()]
        if value.ndim == 0:
            return flat[0]
        return f"{tuple(value.shape)} [{', '.join(flat)}{' …' if value.numel() > 4 else ''}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        first = ", ".join(shown(v) for v in value[:8])
        return f"[{first}{', …' if len(value) > 8 else ''}]"
    text = repr(value)
    return text if len(text) < 120 else text[:117] + "…"


def pair_fault(got, first: str, second: str) -> str | None:
    """What is wrong with an answer that should be a pair."""
    if isinstance(got, (tuple, list)) and len(got) == 2:
        return None
    if got is None:
        return kind_fault(got, ())
    return tr(
        f"应返回两样东西：({first}, {second})，你的是 {shown(got)}。",
        f"Two things should be returned, ({first}, {second}); yours is {shown(got)}.",
    )


def faults(given: str, got, want, mistakes=(), tolerance: float = 1e-6) -> list[str]:
    """The same as something to `yield from`."""
    finding = fault(given, got, want, mistakes, tolerance)
    return [] if finding is None else [finding]


def joined(*sentences: str) -> str:
    return tr("", " ").join(s for s in sentences if s)


def as_list(got) -> list | None:
    """A list of what was returned, be it a list, a set, an array or a tensor; None where it is nothing of the kind."""
    got = got.tolist() if hasattr(got, "tolist") else got
    return None if isinstance(got, (str, dict)) or not isinstance(got, Iterable) else list(got)


def whole(items) -> list[int] | None:
    """Whole numbers of any library as Python's; None where something else is among them, True and False included."""
    found = [x.item() if getattr(x, "ndim", None) == 0 else x for x in items]
    return found if all(isinstance(x, int) and not isinstance(x, bool) for x in found) else None


def no_whole_fault(got, name: str) -> str:
    """The words for a tensor whose numbers are not of a whole kind (bool is let through); "" where they are."""
    if not got.is_floating_point() and not got.is_complex():
        return ""
    return tr(
        f"{name} 应是整数张量，你的是 {got.dtype}：编号用来查表，小数查不了。",
        f"{name} should be a tensor of whole numbers; yours is {got.dtype}, and a table can't be looked up with fractions.",
    )


def dtype_fault(given: str, got, like) -> str:
    """The words for a tensor of another type than what it was computed from; "" where it is the same."""
    if got.dtype == like.dtype:
        return ""
    return tr(
        f"{given}：结果应和输入同类型（{like.dtype}），你的是 {got.dtype}。",
        f"{given}: the result should have the type of its input ({like.dtype}); yours has {got.dtype}.",
    )


def no_list_fault(got) -> str:
    """The words for an answer that is no list where row numbers are wanted."""
    wanted = tr(f"应返回行号的列表，你的是 {shown(got)}。", f"A list of row numbers is wanted; yours is {shown(got)}.")
    return joined(wanted, kind_fault(got, []))
