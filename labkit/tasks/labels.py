"""The words in a label column, and the names and numbers of the classes that they stand for. Leans on reading."""

from collections.abc import Sequence

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Table

MISSING = {"", "nan", "null", "none", "na", "n/a", "<na>"}  # unless `labels` names a class so


def label_names(tables: dict[str, Table], labels) -> tuple[tuple[str, ...], dict[str, int]]:
    """Label names in class order, and the class of each word found: numbers by value, words in alphabetical order."""
    words = sorted({tidy(r.label) for r in tables["train"].rows if r.text}, key=label_order)
    named = naming(labels, [w for w in words if w.lower() not in MISSING])
    check_labels(tables["train"], named)
    if isinstance(labels, dict):  # it may name more words than these rows use
        used = {named[w] for w in words}
        named = {word: name for word, name in named.items() if name in used}
    for table in tables.values():
        check_labels(table, named)
    names = tuple(dict.fromkeys(named.values()))
    return names, {r.label: names.index(named[tidy(r.label)]) for t in tables.values() for r in t.rows if r.text}


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


def check_labels(table: Table, named: dict[str, str]) -> None:
    """Every row with a text has a label, and one that is known."""
    rows = [r for r in table.rows if r.text and tidy(r.label) not in named]
    missing = [r for r in rows if r.label.lower() in MISSING]
    if missing:
        raise BadInput(
            tr(
                f"{table.where} 有 {len(missing)} 行没有标签，第一处在第 {missing[0].line} 行。请补上标签或删去这些行。",
                f"{table.where}: {len(missing)} rows have no label, the first in line {missing[0].line}. "
                "Fill them in or remove those rows.",
            )
        )
    if rows:
        unknown = listing(dict.fromkeys(r.label for r in rows))
        raise BadInput(
            tr(
                f"{table.where} 里有未知的标签：{unknown}，第一处在第 {rows[0].line} 行。已知的标签：{listing(named)}。"
                "请改正这些标签、删去这些行，或在 labels= 和训练数据里加上它们。",
                f"{table.where} has unknown labels: {unknown}, the first in line {rows[0].line}. Known are: {listing(named)}. "
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
