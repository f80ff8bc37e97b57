"""A model's device, its modes, and the tensors that a run may change: what trains, and the buffers of what is not frozen.

A network's state is not its parameters alone: batch normalisation keeps running statistics in buffers.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from typing import Any

from labkit.models.families import blocks


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


def frozen_modules(model) -> list[Any]:
    """The modules that run in eval mode while the rest trains, so that what they answer for a row is a constant: blocks in
    which nothing trains, and elsewhere what keeps running statistics and trains nothing itself."""
    trains = {n for n, p in model.named_parameters() if p.requires_grad}
    frozen = [block for block in blocks(model) if not trains & set(block.parameters)]
    modules = [model.get_submodule(name) for block in frozen for name in block.modules]
    inside = {m for module in modules for m in module.modules()}
    return modules + [
        m
        for m in model.modules()
        if m not in inside and "running_mean" in m._buffers and not any(p.requires_grad for p in m.parameters())
    ]


def buffers(model) -> dict[str, Any]:
    """The buffers that belong to a model's weights, by name: those that are saved with it."""
    return {
        f"{prefix}.{name}" if prefix else name: tensor
        for prefix, module in model.named_modules()
        for name, tensor in module._buffers.items()
        if tensor is not None and name not in module._non_persistent_buffers_set
    }


def moving(model) -> dict[str, Any]:
    """The tensors that training may change, by name: trainable parameters, and the buffers outside frozen modules."""
    resting = {id(b) for module in frozen_modules(model) for b in module.buffers()}
    trains = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return trains | {n: b for n, b in buffers(model).items() if id(b) not in resting}


def put_back(model, tensors: dict[str, Any]) -> None:
    """Give the moving tensors these values; what is not among them stays."""
    import torch

    with torch.no_grad():
        for name, tensor in moving(model).items():
            if name in tensors:
                tensor.copy_(tensors[name])


def fingerprints(model, names: Collection[str] | None = None) -> dict[str, str]:
    """A short hash of every parameter and buffer, or of those named: what differs later has moved."""
    tensors = [*model.named_parameters(), *buffers(model).items()]
    return {name: fingerprint(t) for name, t in tensors if names is None or name in names}


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
