"""Arrays of numpy's `.npz` files as rows: pictures, clips, their labels and whatever else has a value a row. Never a pickle.

What an array takes is read from its header and held against the file and the memory before anything is unpacked.
"""

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from labkit.base import memory
from labkit.base.language import tr
from labkit.base.records import BadInput, Raw
from labkit.tasks.inputs import in_arrays

LABELS = ("label", "labels", "y")  # what the array of labels may be called
SHARE = 0.5  # of the free memory: pictures are held a second time while a network reads them
MOST_MB = 16_384  # where the machine does not say what is free


def array_rows(path: Path) -> tuple[list[str], list[Raw], str, dict[str, str]]:
    """Column names, rows, the inputs' modality, and the labels' names by their numbers, of an `.npz` file.

    The input's column is called as its modality: "image", "audio".
    """
    arrays = arrays_in(path)
    modality, inputs = in_arrays(arrays, str(path))
    n = len(inputs)
    targets = next((arrays[name] for name in LABELS if name in arrays), None)
    names = arrays.get("label_names")
    columns = {modality.name: inputs}
    if targets is not None:
        columns["label"] = [word(value) for value in flat(path, targets, n).tolist()]
    for name, array in arrays.items():
        if name not in (*LABELS, "label_names", *columns) and array.shape == (n,):
            columns[name] = array.tolist()
    rows = [
        Raw(dict(zip(columns, cells, strict=True)), i) for i, cells in enumerate(zip(*columns.values(), strict=True))
    ]
    named = {} if names is None else {str(i): str(name) for i, name in enumerate(names.reshape(-1).tolist())}
    numbered = {cells.cells.get("label") for cells in rows} <= named.keys()
    return list(columns), rows, modality.name, named if numbered else {}


def word(value) -> str:
    """A label as a file of text would hold it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def flat(path: Path, targets, n: int) -> Any:
    """The labels, one a row."""
    targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if targets.shape != (n,):
        raise BadInput(
            tr(
                f"{path} 有 {n} 个输入，标签的形状却是 {targets.shape}：应是每行一个，形状 ({n},)。",
                f"{path} has {n} inputs and labels of shape {targets.shape}: give one a row, of shape ({n},).",
            )
        )
    return targets


def arrays_in(path: Path) -> dict[str, Any]:
    """The arrays of an `.npz` file by name; BadInput where it is none, holds pickled objects, or unpacks to more than the
    memory holds."""
    import numpy as np

    if not path.exists():
        raise FileNotFoundError(tr(f"没有文件 {path}。", f"No file {path}."))
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            refuse_large(path, sum(m.file_size for m in members))
            found = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as stream:
                    check_header(path, name, stream, member.file_size)
                with archive.open(member) as stream:
                    found[name] = np.lib.format.read_array(stream, allow_pickle=False)
            return found
    except BadInput:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, struct.error, NotImplementedError) as error:
        raise BadInput(
            tr(
                f"{path} 不是可读的 .npz 文件（{error}）。请用 numpy.savez_compressed 重新保存。",
                f"{path} is no readable .npz file ({error}). Save it again with numpy.savez_compressed.",
            )
        ) from None


def check_header(path: Path, name: str, stream, size: int) -> None:
    """BadInput unless the member is an array of plain numbers or words that is as large as its header says."""
    import numpy as np

    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    if kind.hasobject:
        raise BadInput(
            tr(
                f"{path} 的数组 {name!r} 里是 Python 对象（pickle），labkit 从不打开。请存成数或文字的数组。",
                f"The array {name!r} of {path} holds Python objects (a pickle), which labkit never opens. "
                "Save it as an array of numbers or words.",
            )
        )
    if math.prod(shape) * kind.itemsize > size:
        raise BadInput(
            tr(
                f"{path} 的数组 {name!r} 不完整：按它的形状 {shape} 应比文件里的大。请重新保存。",
                f"The array {name!r} of {path} is cut short: its shape {shape} asks for more than there is. Save it again.",
            )
        )


def refuse_large(path, size: int) -> None:
    """BadInput where so many bytes are more than this machine should hold."""
    free = (memory.memory_mb() or (MOST_MB / SHARE,))[0]
    if size > SHARE * free * 2**20:
        raise BadInput(
            tr(
                f"{path} 解开后有 {size / 2**20:,.0f} MB，空闲内存只有 {free:,.0f} MB。请分成几个文件，或把输入缩小。",
                f"{path} unpacks to {size / 2**20:,.0f} MB, and {free:,.0f} MB of memory are free. "
                "Split it into several files, or make the inputs smaller.",
            )
        )
