"""Which kind of input a file holds: the door from data to the modalities. Importing it makes them known by name."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Table
from labkit.modalities import audio, image  # noqa: F401  makes them known
from labkit.modalities.contract import KNOWN, Modality


def named(name: str) -> Modality:
    """The modality of this name, with its usual settings."""
    return KNOWN[name]()


def by_suffix(path) -> Modality | None:
    """The modality whose files end so, or None: that of "cat.PNG" is Image()."""
    ending = Path(path).suffix.lower()
    return next((kind() for kind in KNOWN.values() if ending and ending in kind.suffixes), None)


def suffixes() -> list[str]:
    """Every ending that files of inputs have."""
    return [ending for kind in KNOWN.values() for ending in kind.suffixes]


def in_arrays(arrays: Mapping[str, Any], where: str) -> tuple[Modality, list]:
    """The modality of what an `.npz` holds, and its inputs; BadInput where no modality knows them."""
    for kind in KNOWN.values():
        found = kind().rows_in(arrays, where)
        if found is not None:
            return kind(), found
    raise BadInput(
        tr(
            f"{where} 里没有认得出的输入，只有：{listing(arrays, 20)}。图片应叫 x 或 images（行、高、宽，或再加颜色）；片段应叫 audio，另有 offsets 和 sample_rate。",
            f"{where} holds no inputs that labkit knows, only: {listing(arrays, 20)}. "
            "Pictures are called x or images (rows, height, width, and colours if there are); clips are called audio, with "
            "offsets and sample_rate beside them.",
        )
    )


def one_kind(paths: Iterable, where: str) -> Modality:
    """The modality that all of these files are of; BadInput where there are several, or none."""
    kinds = {kind.name: kind for path in paths if (kind := by_suffix(path))}
    if len(kinds) != 1:
        there = listing(kinds) or tr("无", "none")
        raise BadInput(
            tr(
                f"{where} 里的输入应是同一种文件，现在是：{there}。认得的结尾：{listing(suffixes(), 30)}。",
                f"{where} should hold inputs of one kind, and has: {there}. Known endings: {listing(suffixes(), 30)}.",
            )
        )
    return next(iter(kinds.values()))


def modality_in(tables: Mapping[str, Table]) -> Modality | None:
    """The modality of the inputs that stand in the rows already; None where the rows hold texts."""
    kinds = {table.inputs for table in tables.values()}
    if len(kinds) > 1:
        names = listing(name or "text" for name in kinds)
        raise BadInput(tr(f"各部分的输入不是同一种：{names}。", f"The splits hold inputs of different kinds: {names}."))
    name = next(iter(kinds), "")
    return named(name) if name else None


def there(cell) -> bool:
    """Whether a cell holds something: a text that is not empty, or an input of another kind."""
    return bool(cell) if isinstance(cell, (str, list, dict, tuple)) else cell is not None


def adjusted(modality: Modality, settings: Mapping[str, Any]) -> Modality:
    """The modality with other settings by name; BadInput naming those that there are."""
    import dataclasses

    names = [f.name for f in dataclasses.fields(modality)]
    if unknown := [name for name in settings if name not in names]:
        raise BadInput(
            tr(
                f"{modality.title()}没有设置 {listing(unknown)}；有：{listing(names, 20) or '无'}。",
                f"An input of the kind {modality.name} has no setting {listing(unknown)}; there are: "
                f"{listing(names, 20) or 'none'}.",
            )
        )
    return dataclasses.replace(modality, **settings)
