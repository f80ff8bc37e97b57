"""Folders of files as rows: a folder a class, and columns of paths. Nothing outside the folder is read."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table
from labkit.data.arrays import refuse_large
from labkit.tasks.inputs import by_suffix, one_kind

SPLIT_FOLDERS = {"train": ("train", "training"), "valid": ("valid", "validation", "val", "dev"), "test": ("test",)}


def split_folders(folder: Path) -> dict[str, Path]:
    """The sub-folders train, valid and test of a folder, where there is a train; else the folder itself is all of it.

    >>> split_folders(Path("pets"))                          # pets/cat, pets/dog
    {'train': PosixPath('pets')}
    """
    there = {p.name.lower(): p for p in sorted(folder.iterdir()) if p.is_dir()}
    named = {split: next((there[n] for n in names if n in there), None) for split, names in SPLIT_FOLDERS.items()}
    if named["train"] is None:
        return {"train": folder}
    return {split: path for split, path in named.items() if path is not None}


def class_folders(folder: Path) -> list[Path]:
    """The sub-folders that are classes, by name: hidden ones are none."""
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith((".", "__"))]


def folder_rows(folder: Path) -> tuple[list[str], list[Raw], str]:
    """Column names, rows and modality of a folder with a folder for each class; the files of a class may lie deeper.

    A row's `label` is its folder's name, its `file` the path inside `folder`, its line the number of the file.
    """
    classes = class_folders(folder)
    files = [(place.name, path) for place in classes for path in files_in(place)]
    if not files:
        raise BadInput(
            tr(
                f"{folder} 里没有可读的输入：应是每类一个子文件夹（如 {folder.name}/猫/1.png），或 train.csv 之类的文件。",
                f"{folder} holds no inputs: give it a sub-folder for each class (like {folder.name}/cat/1.png), or a file "
                "like train.csv.",
            )
        )
    modality = one_kind((path for _, path in files), str(folder))
    inputs = read_all(folder, [path for _, path in files], modality)
    columns = [modality.name, "label", "file"]
    rows = [
        Raw(dict(zip(columns, (x, name, path.relative_to(folder).as_posix()), strict=True)), i)
        for i, ((name, path), x) in enumerate(zip(files, inputs, strict=True), start=1)
    ]
    return columns, rows, modality.name


def files_in(folder: Path) -> list[Path]:
    """The files of inputs below a folder, in the order of their names. Links to folders are not followed."""
    found = []
    for place, inside, names in os.walk(folder):
        inside[:] = sorted(n for n in inside if not n.startswith((".", "__")))
        found += [Path(place, n) for n in sorted(names) if not n.startswith(".") and by_suffix(n)]
    return found


def read_all(base: Path, paths: Sequence[Path], modality) -> list[Any]:
    """The inputs of these files, each read and checked; BadInput where one lies outside `base` or memory does not hold them."""
    root, inputs, size = base.resolve(), [], 0
    for path in paths:
        check_inside(root, path)
        inputs.append(modality.read(path))
        size += getattr(inputs[-1], "nbytes", 0)
        if len(inputs) % 256 == 0:
            refuse_large(base, size * len(paths) // len(inputs))
    return inputs


def check_inside(root: Path, path: Path) -> None:
    """BadInput where a path, its links followed, leads out of the folder that was given."""
    if not path.resolve().is_relative_to(root):
        raise BadInput(
            tr(
                f"{path} 指向文件夹 {root} 之外：只读这个文件夹里的文件。请把它拷进来。",
                f"{path} leads out of the folder {root}: only files inside it are read. Copy it in.",
            )
        )


def with_files(table: Table, column: str, base: Path) -> Table:
    """The table with the files that a column names read, where all its cells end like files of inputs; else as it is.

    Paths are relative to `base`, the folder of the table's own file.
    """
    if table.inputs:
        return table
    cells = [row.cells.get(column) for row in table.rows]
    given = [c for c in cells if c]
    if not given or not all(isinstance(c, str) and by_suffix(c) for c in given):
        return table
    modality = one_kind(given, table.where)
    for row, cell in zip(table.rows, cells, strict=True):
        if cell and not (base / cell).is_file():
            raise BadInput(
                tr(
                    f"{table.where} 第 {row.line} 行说的文件 {cell} 不存在：路径从 {base} 算起。",
                    f"{table.where}, line {row.line}: there is no file {cell}. Paths begin at {base}.",
                )
            )
    inputs = iter(read_all(base, [base / c for c in given], modality))
    rows = [
        Raw({**row.cells, column: next(inputs) if cell else None, "file": cell}, row.line)
        for row, cell in zip(table.rows, cells, strict=True)
    ]
    names = tuple(dict.fromkeys([*table.columns, "file"]))
    return dataclasses.replace(table, rows=rows, columns=names, inputs=modality.name)


def unsplit(folder: Path) -> BadInput:
    there = listing((p.name for p in sorted(folder.iterdir())[:8]), 8)
    return BadInput(
        tr(
            f"{folder} 是文件夹，里面既没有 train.csv（或 .tsv、.jsonl、.xlsx、.npz），也没有每类一个的子文件夹；有：{there or '无'}。"
            "请给出一个文件，或这样命名的 train、valid、test。",
            f"{folder} is a folder without a train.csv (or .tsv, .jsonl, .xlsx, .npz) and without a sub-folder for each "
            f"class; it has: {there or 'nothing'}. Give a file, or name train, valid and test so.",
        )
    )
