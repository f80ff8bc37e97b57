"""A model's device, modes and tensors, read and put back."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any


def device_of(model) -> Any:
    return next(model.parameters()).device


@contextlib.contextmanager
def modes_kept(model) -> Iterator[None]:
    """Training or evaluation mode of every module is as before afterwards."""
    before = {m: m.training for m in model.modules()}
    try:
        yield
    finally:
        for module, mode in before.items():
            module.training = mode


@contextlib.contextmanager
def asking(model) -> Iterator[None]:
    """Evaluation mode without gradients; the mode of every module is as before afterwards."""
    import torch

    with modes_kept(model), torch.inference_mode():
        model.eval()
        yield


class Answer(dict):
    """A model output that answers to names and to places, as transformers' own do."""

    __getattr__ = dict.get

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


def fingerprint(tensor) -> str:
    """A short hash of a tensor's shape and bits: equal hashes mean equal weights."""
    import torch

    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hash_of(data, repr(tuple(tensor.shape)).encode())


def hash_of(*data) -> str:
    made = hashlib.blake2b(digest_size=8)
    for part in data:
        made.update(part)
    return made.hexdigest()
