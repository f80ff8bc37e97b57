"""Files as tables of raw rows: CSV with any usual separator, JSON Lines, Excel, CoNLL, arrays, folders; and one clear message for
what cannot be read.

The header settles separator and first row: it is the first of the top lines that names all columns of a form that is wanted.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table
from labkit.data.arrays import array_rows
from labkit.data.conll import conll_rows
from labkit.data.decoding import clean, decode
from labkit.data.folders import class_folders, folder_rows, split_folders, unsplit
from labkit.data.squad import squad_rows

END = "\x1e"  # a line of its own behind a file's last: inside an open quote it is swallowed
SEPARATORS = {",": "", "\t": ("制表符分隔", "separated by tabs"), ";": ("分号分隔", "separated by semicolons")}
TOP = 5  # lines in which the header is looked for
ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".xlsx", ".conll", ".bio", ".json", ".npz")
SPLIT_FILES = {"train": ("train", "training"), "valid": ("valid", "validation", "dev"), "test": ("test",)}


def read_table(path, *forms: dict[str, str]) -> Table:
    """The rows of one file. A form names the columns that a task reads, {"text": "review"}: those of the first form that
    is all there come stripped; BadInput where none is.

    >>> read_table("reviews.tsv", {"text": "review", "label": "stars"}).notes       # what was settled by itself
    ('separated by tabs',)
    """
    path = Path(path)
    kind = ending(path)
    if path.is_dir():
        *found, inputs = folder_rows(path)
        return checked(path, forms, *found, inputs=inputs)
    if kind == ".npz":
        *found, inputs, labels = array_rows(path)
        return checked(path, forms, *found, inputs=inputs, labels=labels)
    if kind == ".xlsx":
        return checked(path, forms, *excel_rows(path))
    content, encoding = decode(path)
    if not content.strip():
        raise BadInput(
            tr(
                f"{path} 是空文件：第一行应是列名，如 text,label。",
                f"{path} is empty: its first line should name the columns, like text,label.",
            )
        )
    notes = () if encoding == "UTF-8" else (encoding,)
    if kind in (".conll", ".bio"):
        return checked(path, forms, *conll_rows(content, path), notes)
    if kind in (".jsonl", ".ndjson"):
        return checked(path, forms, *json_rows(content, path), notes)
    if kind == ".json":
        return checked(path, forms, *squad_rows(content, path), notes)
    return checked(path, forms, *csv_rows(content, path, forms), notes)


def ending(path: Path) -> str:
    """The last ending of a file's name, that of its contents where it is packed: ".csv" of "a.csv.gz"."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def form_of(names: Sequence[str], forms: Sequence[dict[str, str]]) -> dict[str, str]:
    """The first form whose columns are all among the names; else the one that lacks the smallest part of its columns."""
    return min(forms, key=lambda form: sum(column not in names for column in form.values()) / max(len(form), 1))


def checked(
    path, forms: Sequence[dict[str, str]], names: Sequence[str], rows: list[Raw], more=(), notes=(), **kind
) -> Table:
    """A table with the columns of a form, stripped, and at least one row; `kind` says what its inputs are."""
    columns = form_of(names, forms)
    check_columns(names, columns, path)
    wanted = set(columns.values())
    if not rows:
        raise BadInput(
            tr(
                f"{path} 只有表头，没有数据行。请给每行一个文本和一个标签。",
                f"{path} has a header and no rows. Give it a text and a label a line.",
            )
        )
    rows = [Raw(stripped(row.cells, wanted), row.line) for row in rows]
    return Table(str(path), rows, tuple(names), (*notes, *more), **kind)


def stripped(cells: dict, wanted: set[str]) -> dict:
    """The cells with those that are wanted stripped; as they are where one holds several values, whose places are counted
    in the text as it stands: entities, answers."""
    if any(isinstance(cells.get(name), (list, dict)) for name in wanted):
        return cells
    return {k: plain(v) if k in wanted else v for k, v in cells.items()}


def plain(value):
    """A cell as text, without white space around it; what holds several values stays as it is."""
    if value is None:
        return ""
    return clean(str(value)) if isinstance(value, (str, int, float)) else value


def split_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by the split that their names say: train.csv, valid.jsonl (or dev, validation), test.tsv; where
    there are none, its folders: train, valid, test, or a folder for each class."""
    files = [p for p in sorted(folder.iterdir()) if ending(p) in ENDINGS]
    stems = {p: Path(p.name.removesuffix(".gz")).stem.lower() for p in files}
    splits = {split: next((p for p in files if stems[p] in names), None) for split, names in SPLIT_FILES.items()}
    if splits["train"] is None and class_folders(folder):
        return split_folders(folder)
    if splits["train"] is None:
        raise unsplit(folder)
    return {split: p for split, p in splits.items() if p is not None}


# CSV


def csv_rows(content: str, path, forms: Sequence[dict[str, str]]) -> tuple[list[str], list[Raw], tuple[str, ...]]:
    """Column names, rows, and what was settled by itself: the separator, lines above the header."""
    separator, above = find_header(content, forms)
    lines = csv_lines(content, path, separator)
    for _ in range(above):
        next(lines)
    start, header = next(lines)
    names = [clean(name) for name in header]
    rows = []
    for number, cells in lines:
        if any(map(clean, cells[len(names) :])):
            raise BadInput(
                tr(
                    f"{path} 第 {number} 行有 {len(cells)} 个字段，列名只有 {len(names)} 个：文本里有逗号时请用双引号括起来。",
                    f"{path}, line {number}: {len(cells)} fields for {len(names)} columns. Put texts with commas in double quotes.",
                )
            )
        rows.append(Raw(dict(zip(names, [*cells, *[""] * len(names)], strict=False)), number))
    notes = [tr(*SEPARATORS[separator])] if SEPARATORS[separator] else []
    if above:
        notes.append(tr(f"略去表头上方的 {start - 1} 行", f"lines above the header left out: {start - 1}"))
    return names, rows, tuple(notes)


def find_header(content: str, forms: Sequence[dict[str, str]]) -> tuple[str, int]:
    """The separator, and how many lines that are not blank stand above the one that names all columns of a form."""
    top = [line for line in re.split("\r\n|\r|\n", content, maxsplit=10 * TOP) if line.strip()][:TOP]
    for above, line in enumerate(top):
        for separator in SEPARATORS:
            names = [clean(name) for name in next(csv.reader([line], delimiter=separator), [])]
            if any(set(form.values()) <= set(names) for form in forms):
                return separator, above
    return max(SEPARATORS, key=lambda separator: top[0].count(separator)), 0  # the message will show its columns


def csv_lines(content: str, path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV that are not blank, as (number of the line where it begins, cells)."""
    limit = csv.field_size_limit(max(len(content) + 2, csv.field_size_limit()))
    reader = csv.reader(
        io.StringIO(f"{content}\n{END}", newline=""), delimiter=separator, skipinitialspace=separator != "\t"
    )
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


# Others


def json_rows(content: str, path) -> tuple[list[str], list[Raw]]:
    """One JSON object a line: its names are the columns."""
    rows, names = [], {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            raise BadInput(
                tr(
                    f'{path} 第 {number} 行不是 JSON：{error}。JSON Lines 每行一个对象，如 {{"text": "…", "label": 1}}。',
                    f"{path}, line {number}, is no JSON: {error}. JSON Lines has an object a line, "
                    'like {"text": "…", "label": 1}.',
                )
            ) from None
        if not isinstance(cells, dict):
            raise BadInput(
                tr(
                    f'{path} 第 {number} 行不是 JSON 对象：应像 {{"text": "…", "label": 1}}。',
                    f'{path}, line {number}, is no JSON object: it should look like {{"text": "…", "label": 1}}.',
                )
            )
        names.update(dict.fromkeys(cells))
        rows.append(Raw(cells, number))
    return list(names), [Raw({**dict.fromkeys(names), **row.cells}, row.line) for row in rows]


def excel_rows(path: Path) -> tuple[list[str], list[Raw]]:
    """The first sheet of a workbook; its first row that is not empty names the columns."""
    try:
        import openpyxl
    except ImportError:
        raise BadInput(
            tr(
                f"读 {path} 需要 openpyxl：pip install 'labkit[excel]'，或在表格软件里另存为“CSV UTF-8”。",
                f"Reading {path} needs openpyxl: pip install 'labkit[excel]', or save it from your spreadsheet as 'CSV UTF-8'.",
            )
        ) from None
    if not path.exists():
        raise FileNotFoundError(tr(f"没有文件 {path}。", f"No file {path}."))
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        cells = [(i, row) for i, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1) if any(row)]
        book.close()
    except Exception as error:  # openpyxl, zipfile and xml raise whatever they find
        raise BadInput(
            tr(
                f"{path} 不是可读的 Excel 文件（{type(error).__name__}）。请在表格软件里另存为“CSV UTF-8”。",
                f"{path} is no readable Excel file ({type(error).__name__}). Save it from your spreadsheet as 'CSV UTF-8'.",
            )
        ) from None
    if not cells:
        raise BadInput(tr(f"{path} 的第一张表是空的。", f"The first sheet of {path} is empty."))
    names = [clean(str(name)) for name in cells[0][1] if name is not None]
    return names, [Raw(dict(zip(names, row, strict=False)), i) for i, row in cells[1:]]


def check_columns(names: Sequence[str], columns: dict[str, str], where) -> None:
    """Every column that is wanted is there, once, and no two are the same."""
    for option, wanted in columns.items():
        if wanted not in names:
            raise BadInput(
                tr(
                    f"{where} 没有列 {wanted!r}，只有：{listing(names)}。用 {option}=（命令行 --{option}）说出列名。",
                    f"{where} has no column {wanted!r}, only: {listing(names)}. "
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
