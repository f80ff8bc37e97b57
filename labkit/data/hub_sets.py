"""Data sets of the hub, in the cache or in a local folder, and their values as a CSV would hold them. The door to datasets."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.base import hub
from labkit.base.hub import hub_answers
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.data.decoding import clean

# Reading from the hub
SPLITS = {"train": "train", "validation": "valid", "valid": "valid", "dev": "valid", "test": "test"}


def fetch(name: str, config: str | None) -> dict[str, Any]:
    """The splits of a data set on the hub, in the cache or in a local folder."""
    try:
        import datasets
    except ImportError:
        raise BadInput(
            tr(
                "load_hub 需要 datasets 包：pip install 'labkit[hub]'。离线时请用 load_csv。",
                "load_hub needs the datasets package: pip install 'labkit[hub]'. Offline, use load_csv.",
            )
        ) from None
    local = Path(name).is_dir()
    asked = None if local else hub.stale_endpoint()
    if asked:
        raise BadInput(
            tr(
                f"HF_ENDPOINT 是在 huggingface_hub 导入之后才改的，不起作用：它仍会去问 {asked}。请先设好 HF_ENDPOINT，再重启 Python。",
                f"HF_ENDPOINT was changed after huggingface_hub was imported, which has no effect: it still asks {asked}. "
                "Set HF_ENDPOINT first, then restart Python.",
            )
        )
    try:
        if local and any((Path(name) / f).exists() for f in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(name)
            return found if isinstance(found, dict) else {"train": found}
        with contextlib.nullcontext() if local else offline_where_nobody_answers(datasets):
            return datasets.load_dataset(name, config)
    except Exception as error:  # datasets raises whatever its many readers raise
        raise BadInput(
            tr(
                f"读不到数据集 {name!r}：{reason_of(error)}\n三条出路：1) 给一个本地文件夹；2) 设环境变量 HF_ENDPOINT 指向镜像后重启 Python；"
                "3) 下载成 CSV，用 load_csv。",
                f"Cannot read the data set {name!r}: {reason_of(error)}\nThree ways out: 1) give a local folder; "
                "2) set HF_ENDPOINT to a mirror and restart Python; 3) save it as CSV and use load_csv.",
            )
        ) from error


@contextlib.contextmanager
def offline_where_nobody_answers(datasets) -> Iterator[None]:
    """Without a network take what the cache holds, at once: the hub's client would try for half a minute."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or not hub_answers()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def cell(value, names: Sequence[str], where) -> str:
    """A hub value as a CSV would hold it: a class number by its name, nothing (None, or the class -1) as "".

    >>> cell(1, ["negative", "positive"], "org/name[test]"), cell(2.0, (), "org/name[test]")
    ('positive', '2.0')
    """
    if isinstance(value, (list, dict)):
        raise BadInput(
            tr(
                f"{where} 的列里有列表或字典（{str(value)[:40]}）：每行应是一个文本和一个标签。请另选列，或先转成 CSV。",
                f"{where} holds lists or dicts ({str(value)[:40]}): a row should have one text and one label. "
                "Choose other columns, or save it as CSV first.",
            )
        )
    number = names and isinstance(value, int) and not isinstance(value, bool)
    if value is None or (number and value < 0):
        return ""
    return clean(str(names[value] if number else value))


def reason_of(error: BaseException) -> str:
    """An error in one line, with its first cause where that says more."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    said = [" ".join(str(e).split()) or type(e).__name__ for e in (error, cause)]
    return " — ".join(dict.fromkeys(said))[:400]
