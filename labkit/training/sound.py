"""Whether a stored checkpoint can be what it says: its files, its tensors, its plain values. A checksum only tells of accidents.

Everything is looked at before a Trainer takes any of it over; what is wrong is said with the file's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from labkit.base.files import read_json
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Epoch, from_json


@dataclass(frozen=True)
class Stored:
    """The plain values of a checkpoint, as state.json holds them."""

    identity: dict
    step: int
    history: tuple[Epoch, ...]
    trace: tuple[tuple[int, float, float], ...]
    notices: tuple[str, ...]
    seconds: float
    train_seconds: float
    pieces: int
    stopped: str | None
    loss_sum: float
    scaler: dict


def refused(path, why: str) -> BadInput:
    return BadInput(
        tr(
            f"存档文件 {path} 已损坏或被改动（{why}）。请删除那份存档，从上一个存档继续；没有动过任何文件。",
            f"Checkpoint file {path} is damaged or altered ({why}). Delete that checkpoint and resume from the one before; "
            "nothing was touched.",
        )
    )


def refuse_links(paths: Iterable[Path]) -> None:
    """A checkpoint is written as plain files in plain folders: a link would lead reading and clearing out of it."""
    for path in paths:
        if path.is_symlink():
            raise refused(path, tr("它是一个链接", "it is a link"))


def tensors_in(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file; whatever else it may be, nothing of it is run."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise refused(path, str(error)) from None


def state_in(path: Path) -> dict:
    """What state.json holds. Raises BadInput where it is not there or no object."""
    if not path.is_file():
        raise refused(path, tr("没有这个文件", "it is missing"))
    return read_json(path)


def stored(path: Path, state: dict, per_epoch: int, epochs: int) -> Stored:
    """The values of a checkpoint of a run of so many steps an epoch, each of the kind and size that it must have."""
    if lacking := [f.name for f in fields(Stored) if f.name not in state]:
        raise refused(path, tr(f"缺少 {listing(lacking)}", f"it lacks {listing(lacking)}"))
    try:
        found = from_json(Stored, state)
        counted = [found.step, found.pieces, *(e.epoch for e in found.history)]
        if not all(isinstance(n, int) for n in counted) or found.pieces < 1:
            raise ValueError("step, pieces")
        if [e.epoch for e in found.history] != list(range(1, len(found.history) + 1)) or len(found.history) > epochs:
            raise ValueError("history")
        if not 0 <= found.step - per_epoch * len(found.history) <= per_epoch:
            raise ValueError("step")
    except (TypeError, ValueError) as error:
        raise refused(path, str(error)) from None
    return found


def check_tensors(path: Path, found: dict[str, Any], wanted: dict[str, Any], numbers: bool = True) -> None:
    """The same names and shapes as `wanted`, and with `numbers` no NaN among them."""
    if wanted and not found:
        raise refused(path, tr("没有这个文件", "it is missing"))
    odd = sorted(found.keys() ^ wanted.keys()) or [n for n, t in wanted.items() if found[n].shape != t.shape]
    if odd:
        raise refused(
            path,
            tr(f"这个模型的张量不是这样：{odd[0]}", f"this model has no such tensors, or of another shape: {odd[0]}"),
        )
    if numbers and (bad := next((n for n, t in found.items() if t.isnan().any()), None)):
        raise refused(path, tr(f"权重里有 NaN：{bad}", f"weights that are no numbers (NaN): {bad}"))


def check_moments(path: Path, found: dict[str, Any], parameters: dict[str, Any]) -> None:
    """What an optimizer keeps, `name|moment`: of a parameter that there is, a number or of its shape."""
    for key, tensor in found.items():
        parameter = parameters.get(key.rpartition("|")[0])
        if parameter is None or tensor.shape not in (parameter.shape, ()):
            raise refused(path, tr(f"不是这个模型的：{key}", f"not of this model: {key}"))
