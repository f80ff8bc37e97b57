"""What an answer returned, in Python's own types: the one place where numpy, torch, Fraction, sets and generators are evened out.

Every check sees only what `plain` made of a result, so that a right answer may come in any of these dresses.
"""

import itertools
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

MOST = 1_000_000  # items taken from a generator


def plain(value: Any, inside: bool = False) -> Any:
    """Numbers, strings, lists, tuples, sets and dictionaries of Python; tensors, models and the like stay as they are.

    >>> plain((x * x for x in range(3)))
    [0, 1, 4]
    >>> plain({"share": Fraction(1, 4)})
    {'share': 0.25}

    `inside` a container a tensor with one number becomes that number, unless a gradient hangs on it.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        return value
    if kind.__module__.split(".")[0] == "torch":
        return plain_tensor(value, inside)
    if isinstance(value, (Fraction, Decimal)):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(k, True): plain(v, True) for k, v in value.items()}
    if isinstance(value, Set) and not isinstance(value, Mapping):
        items = [plain(x, True) for x in value]
        return set(items) if all(map(hashable, items)) else items
    if isinstance(value, tuple):
        return tuple(plain(x, True) for x in value)
    if isinstance(value, (list, range)) or kind.__name__ in ("deque", "dict_values"):
        return [plain(x, True) for x in value]
    if hasattr(value, "tolist"):  # numpy's and pandas' arrays and numbers
        return plain(value.tolist(), inside)
    if isinstance(value, Iterator):
        return [plain(x, True) for x in itertools.islice(value, MOST)]
    return value


def plain_tensor(value: Any, inside: bool) -> Any:
    import torch

    if isinstance(value, torch.Size):
        return tuple(value)
    if not isinstance(value, torch.Tensor) or value.ndim or value.requires_grad:
        return value
    return value.item() if inside or value.dtype == torch.bool else value


def hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
