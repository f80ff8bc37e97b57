"""Files and hub data sets as tables of raw rows: encodings, quotes, columns, and one clear message for what cannot be read.

Leans on records; the door to datasets. data.py makes a Corpus of what comes out of here.
"""

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.base import hub
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table

END = "\x1e"  # a line of its own behind a file's last: inside an open quote it is swallowed


def read_table(path, columns: dict[str, str]) -> Table:
    """The rows of one CSV file; `columns` are those that a task reads, {"text": "review"}: they are there, and come stripped."""
    path = Path(path)
    content = decode(path)
    if not content.strip():
        raise BadInput(
            tr(
                f"{path} 是空文件：第一行应是列名，如 text,label。",
                f"{path} is empty: its first line should name the columns, like text,label.",
            )
        )
    lines = csv_lines(content, path)
    names = [clean(name) for name in next(lines)[1]]
    check_columns(names, columns, path)
    rows = []
    for number, cells in lines:
        if any(map(clean, cells[len(names) :])):
            raise BadInput(
                tr(
                    f"{path} 第 {number} 行有 {len(cells)} 个字段，列名只有 {len(names)} 个：文本里有逗号时请用双引号括起来。",
                    f"{path}, line {number}: {len(cells)} fields for {len(names)} columns. Put texts with commas in double quotes.",
                )
            )
        row = dict(zip(names, [*cells, *[""] * len(names)], strict=False))
        rows.append(Raw({k: clean(v) if k in columns.values() else v for k, v in row.items()}, number))
    if not rows:
        raise BadInput(
            tr(
                f"{path} 只有表头，没有数据行。请给每行一个文本和一个标签。",
                f"{path} has a header and no rows. Give it a text and a label a line.",
            )
        )
    return Table(str(path), rows, tuple(names))


def csv_lines(content: str, path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV that are not blank, as (number of the line where it begins, cells)."""
    limit = csv.field_size_limit(max(len(content) + 2, csv.field_size_limit()))
    reader = csv.reader(io.StringIO(f"{content}\n{END}", newline=""), skipinitialspace=True)
    begins = 1
    try:
        for cells in reader:
            if cells == [END]:
                return
            if END in "".join(cells):
                raise BadInput(
                    tr(
                        f'{path} 第 {begins} 行有一个双引号没有配对。文本里的双引号要写两遍（""）。',
                        f'{path}, line {begins}: a double quote is never closed. Double the quotes inside texts ("").',
                    )
                )
            if cells:
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(
            tr(
                f"{path} 第 {begins} 行不是可读的 CSV：{error}。请在表格软件里另存为“CSV UTF-8”。",
                f"{path}, line {begins}, is no readable CSV: {error}. Save it from your spreadsheet as 'CSV UTF-8'.",
            )
        ) from None
    finally:
        csv.field_size_limit(limit)


def decode(path: Path) -> str:
    """A file's text: UTF-8 with or without byte-order mark, else GBK (GB 18030); unpacked where it is gzip."""
    if path.is_dir():
        raise BadInput(
            tr(
                f"{path} 是文件夹。请给出里面的一个 .csv 或 .csv.gz 文件。",
                f"{path} is a folder. Give a .csv or .csv.gz file in it.",
            )
        )
    if not path.exists():
        raise FileNotFoundError(
            tr(f"没有文件 {path}。请给出一个 .csv 或 .csv.gz 文件。", f"No file {path}. Give a .csv or .csv.gz file.")
        )
    data = path.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise BadInput(
            tr(
                f"{path} 是损坏的 gzip 文件。请重新下载或压缩。",
                f"{path} is a damaged gzip file. Download or pack it again.",
            )
        ) from None
    if b"\0" not in data:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-8-sig")
        check_not_damaged(data, path)
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("gb18030")
    raise BadInput(
        tr(
            f"{path} 不是 UTF-8 或 GBK 的文本文件。请在表格软件里另存为“CSV UTF-8”（.csv），或 .csv.gz。",
            f"{path} is not a text file in UTF-8 or GBK. Save it from your spreadsheet as 'CSV UTF-8' (.csv), or as .csv.gz.",
        )
    )


def check_not_damaged(data: bytes, path) -> None:
    """UTF-8 with a few broken bytes must not be read as GBK, which turns nearly any bytes into hanzi."""
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if broken * 10 < sum(c > "\x7f" for c in lenient):
        line = lenient[: lenient.index("\ufffd")].count("\n") + 1
        raise BadInput(
            tr(
                f"{path} 是 UTF-8，但有 {broken} 处坏字节，第一处在第 {line} 行。请修好该行，或重新下载。",
                f"{path} is UTF-8 with broken bytes in {broken} places, the first in line {line}. "
                "Mend that line, or download the file again.",
            )
        )


def clean(text: str) -> str:
    """Without white space and invisible signs (byte-order marks, zero-width spaces) at both ends."""
    return text.strip().strip("\ufeff\u200b\u2060").strip()


def check_columns(names: Sequence[str], columns: dict[str, str], where) -> None:
    """Every column that is wanted is there, once, and no two are the same."""
    for option, wanted in columns.items():
        if wanted not in names:
            other = next((tr(*w) for sign, w in SEPARATORS.items() if len(names) == 1 and sign in names[0]), "")
            raise BadInput(
                tr(
                    f"{where} 没有列 {wanted!r}，只有：{listing(names)}。{other}用 {option}=（命令行 --{option}）说出列名。",
                    f"{where} has no column {wanted!r}, only: {listing(names)}. {other}"
                    f"Name it with {option}= (--{option} on the command line).",
                )
            )
        if list(names).count(wanted) > 1 or list(columns.values()).count(wanted) > 1:
            asked = tr("，", ", ").join(f"{o}={c!r}" for o, c in columns.items())
            raise BadInput(
                tr(
                    f"{where}：列 {wanted!r} 有歧义（{asked}；列：{listing(names)}）。请让每样东西各有一列、名字唯一。",
                    f"{where}: column {wanted!r} is ambiguous ({asked}; columns: {listing(names)}). "
                    "Give each of them one column, with a name of its own.",
                )
            )


SEPARATORS = {
    ";": ("列是用分号隔开的：请改用逗号。", "Its columns are separated by semicolons: use commas. "),
    "\t": ("列是用制表符隔开的：请改用逗号。", "Its columns are separated by tabs: use commas. "),
}

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
    from labkit.base.hub import hub_answers

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
