"""The words in a label column, and the names and numbers of the classes that they stand for."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Table

MISSING = {"", "nan", "null", "none", "na", "n/a", "<na>"}  # unless `labels` names a class so


@dataclass(frozen=True)
class Labelled:
    """The label column of one table: (line, word) of each row that has an input."""

    where: str
    words: list[tuple[int, str]]


def label_names(labelled: dict[str, Labelled], labels) -> tuple[tuple[str, ...], dict[str, int]]:
    """Label names in class order, and the class of each word found: numbers by value, words in alphabetical order."""
    words = sorted({tidy(word) for _, word in labelled["train"].words}, key=label_order)
    named = naming(labels, [w for w in words if w.lower() not in MISSING])
    check_labels(labelled["train"], named)
    if isinstance(labels, dict):  # it may name more words than these rows use
        used = {named[w] for w in words}
        named = {word: name for word, name in named.items() if name in used}
    for part in labelled.values():
        check_labels(part, named)
    names = tuple(dict.fromkeys(named.values()))
    return names, {word: names.index(named[tidy(word)]) for part in labelled.values() for _, word in part.words}


def naming(labels, words: Sequence[str]) -> dict[str, str]:
    """The name of each word, in class order: as `labels` says, else the words themselves.

    >>> naming(["negative", "positive"], ["0", "1"])
    {'0': 'negative', '1': 'positive'}
    """
    if labels is None:
        return {w: w for w in words}
    if isinstance(labels, dict):
        return {tidy(str(word)): str(name) for word, name in labels.items()}
    names = [labels] if isinstance(labels, str) else [tidy(str(name)) for name in labels]
    if len(set(names)) < max(len(names), 2):
        raise BadInput(
            tr(
                f"labels={labels!r} 不行：应是两个或更多不同的名字，如 ['负面', '正面']，或字典 {{'0': '负面', '1': '正面'}}。",
                f"labels={labels!r} won't do: give two or more different names, like ['negative', 'positive'], "
                "or a dict {'0': 'negative', '1': 'positive'}.",
            )
        )
    numbers = [str(i) for i in range(len(names))]
    return (
        dict(zip(numbers, names, strict=True))
        if set(words) <= set(numbers) - set(names)
        else dict(zip(names, names, strict=True))
    )


def check_labels(labelled: Labelled, named: dict[str, str]) -> None:
    """Every row with a text has a label, and one that is known."""
    strange = [(line, word) for line, word in labelled.words if tidy(word) not in named]
    missing = [line for line, word in strange if word.lower() in MISSING]
    if missing:
        raise BadInput(
            tr(
                f"{labelled.where} 有 {len(missing)} 行没有标签，第一处在第 {missing[0]} 行。请补上标签或删去这些行。",
                f"{labelled.where}: {len(missing)} rows have no label, the first in line {missing[0]}. "
                "Fill them in or remove those rows.",
            )
        )
    if strange:
        unknown = listing(dict.fromkeys(word for _, word in strange))
        raise BadInput(
            tr(
                f"{labelled.where} 里有未知的标签：{unknown}，第一处在第 {strange[0][0]} 行。已知的标签：{listing(named)}。"
                "请改正这些标签、删去这些行，或在 labels= 和训练数据里加上它们。",
                f"{labelled.where} has unknown labels: {unknown}, the first in line {strange[0][0]}. Known are: {listing(named)}. "
                "Correct them, remove those rows, or add them to labels= and to the training rows.",
            )
        )


def tidy(word: str) -> str:
    """ "1.0", as spreadsheets write whole numbers, is 1."""
    head, dot, tail = word.partition(".")
    return head if dot and head.lstrip("-").isdigit() and set(tail) <= {"0"} else word


def label_order(word: str):
    try:
        return (0, float(word), word)
    except ValueError:
        return (1, 0.0, word)


def check_classes(where: str, classes: Sequence[int], names: Sequence[str], need: int) -> None:
    """Two classes or more, each with `need` rows: one for every split that is made from them."""
    count = Counter(classes)
    if len(count) < 2:
        only = names[next(iter(count))]
        raise BadInput(
            tr(
                f"{where} 只有一个类别（{only}）：分类至少要两类。请检查标签列是否选对。",
                f"{where} has one class only ({only}): classification needs two or more. "
                "Check that the label column is the right one.",
            )
        )
    rare = [f"{name!r} ({count[i]})" for i, name in enumerate(names) if count[i] < need]
    if rare:
        several = any("|" in name for name in names)
        hint = tr(
            "一行有几个标签时用 task='multi-label'。", " Where a row has several labels, take task='multi-label'."
        )
        raise BadInput(
            tr(
                f"{where}：这些类别的行数不够：{listing(rare)}。训练和要切出的部分各要一行，每类至少 {need} 行。"
                "请补充数据、去掉这些类别，或检查标签列是否选对。" + several * hint,
                f"{where}: classes with too few rows: {listing(rare)}. Training and each split to be made need one, so {need} a class. "
                "Add rows, remove those classes, or check that the label column is the right one." + several * hint,
            )
        )


def check_words(table: Table, columns: Iterable[str]) -> None:
    """Every cell of these columns is one text, as in a CSV: JSON Lines may hold lists and objects."""
    for row in table.rows:
        for column in columns:
            if not isinstance(row.cells[column], str):
                value = str(row.cells[column])[:40]
                raise BadInput(
                    tr(
                        f"{table.where} 第 {row.line} 行的 {column!r} 是列表或对象（{value}）：应是一个文本。",
                        f"{table.where}, line {row.line}: {column!r} is a list or an object ({value}); one text belongs there.",
                    )
                )
