"""Rows in, a Corpus out: CSV files, hub data sets, the packaged reviews; and batches of like length.

A Corpus holds train, valid and test rows and the label names. Splits are stratified by a seed and no text stands on
two sides. Leans on records and tasks; notebook 01 walks through it, notebook 07 teaches it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table
from labkit.data.corpus import Corpus, Dropped
from labkit.data.folders import with_files
from labkit.data.hub_sets import SPLITS, cell, fetch
from labkit.data.splitting import CONTEXT, drop_repeated, kin_of, names_people, shared_kin, split_groups, split_rows
from labkit.data.tables import check_columns, ending, form_of, read_table, split_files
from labkit.tasks import KNOWN, Classification, Task, known
from labkit.tasks.inputs import there


def load_csv(
    path,
    text: str = "text",
    label: str = "label",
    *,
    valid=None,
    test=None,
    labels: Sequence[str] | dict[str, str] | None = None,
    valid_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    limit: int | None = None,
    task: str | None = None,
    text_pair: str | None = None,
    columns: Mapping[str, str] | None = None,
    groups: str | bool | None = None,
    augment: Mapping[str, Any] | None = None,
) -> Corpus:
    """A corpus from a file with a column of texts and a column of labels: `.csv`, `.tsv`, `.jsonl`, `.xlsx`, each but the
    last also `.gz`; or from a folder with train, valid and test files. Of pictures and clips: a folder with a folder for each
    class, an `.npz` of arrays, or a table with a column of paths.

    >>> corpus = load_csv("reviews.csv", text="review", label="sentiment")      # held-out rows are split off, stratified
    >>> corpus = load_csv("train.csv", test="test.csv", labels={"0": "negative", "1": "positive"})
    >>> corpus = load_csv("stars.csv", labels={"1": "bad", "2": "bad", "4": "good", "5": "good"})       # joins classes
    >>> corpus = load_csv("same.csv", text="question", text_pair="other", label="same")                 # two texts a row
    >>> corpus = load_csv("qa.jsonl", columns={"context": "paragraph"})         # question, context, answers: another task
    >>> corpus = load_csv("pets", augment={"flip": True})                       # pets/cat/1.jpg …: pictures
    >>> corpus = load_csv("signs.npz", groups="signer")                         # no signer on two sides

    UTF-8, UTF-16 (with a byte-order mark) and GBK are read; columns may be separated by commas, tabs or semicolons. Labels may be numbers or words, of any number of
    classes; `labels` gives them readable names (a dict, or a list for 0, 1, 2 …) or an order (a list). Rows without
    text and repeated texts are dropped and counted in `corpus.dropped`; a text that stands in two splits stays in the
    later one (test before valid before train). Where the file's columns are those of another task (`text` and `spans`: tagging),
    it need not be named; `columns` says what a task's columns are called in the file. Rows alike in the column `groups` stay on
    one side of every split that is made here (of pictures and clips a column called signer, speaker … by itself; False: none),
    and so do questions on one context; where given splits share some, `corpus.notes` says so. `augment` are settings of the
    inputs' kind that vary them while training. Raises FileNotFoundError and BadInput.
    """
    shares = {"valid": valid_share, "test": test_share}
    if not (valid_share > 0 and test_share > 0 and valid_share + test_share < 0.9):
        raise BadInput(
            tr(
                f"valid_share={valid_share} 和 test_share={test_share} 不行：都应大于 0，合计小于 0.9。",
                f"valid_share={valid_share} and test_share={test_share} won't do: "
                "give each more than 0, and together less than 0.9.",
            )
        )
    asked = {"text": text, "label": label, "text_pair": text_pair, **(columns or {})}
    usual = ("text", "text"), ("label", "label")  # these names say nothing that a form does not say
    named = {name: column for name, column in asked.items() if column is not None and (name, column) not in usual}
    forms = forms_of(task, named)
    inside = split_files(Path(path)) if Path(path).is_dir() else {"train": path}
    paths = {**inside, **{split: p for split, p in (("valid", valid), ("test", test)) if p is not None}}
    table = read_table(paths["train"], *(form for _, form in forms))
    form = form_of(table.columns, [form for _, form in forms])
    kind = next(kind for kind, one in forms if one is form)
    tables = {"train": table, **{split: read_table(p, form) for split, p in paths.items() if split != "train"}}
    if kind.input_column in form:
        tables = {s: with_files(t, form[kind.input_column], Path(paths[s]).parent) for s, t in tables.items()}
    name = Path(path).name.removesuffix(".gz")
    name = name.removesuffix(ending(Path(path))) if inside == {"train": path} else name
    more = {"labels": labels, "shares": shares, "seed": seed, "limit": limit, "groups": groups}
    corpus = build_corpus(name, kind, tables, form, **more)
    return corpus.augmented(**augment) if augment else corpus


load_data = load_csv  # the same, by a name that fits folders and arrays


def forms_of(task: str | None, asked: Mapping[str, str]) -> list[tuple[type[Task], dict[str, str]]]:
    """The columns that a file may have, with the task that they settle: those of the named task, else of all, classification
    first. `asked` says what columns are called; one that no form has is BadInput."""
    kinds = (
        [known(task)] if task else [Classification, *(kind for kind in KNOWN.values() if kind is not Classification)]
    )
    forms = [(kind, form) for kind in kinds for form in (kind.columns, *kind.other_columns) if form]
    optional = {name for kind in kinds for name in kind.optional_columns}
    unknown = set(asked) - {"text", "label"} - optional - {name for _, form in forms for name in form}
    if unknown:
        there = listing(dict.fromkeys([*(name for _, form in forms for name in form), *sorted(optional)]), 20)
        raise BadInput(
            tr(
                f"没有叫 {listing(sorted(unknown))} 的列可以指定；可以指定：{there}。",
                f"No column to be named {listing(sorted(unknown))}; there are: {there}.",
            )
        )
    return [
        (kind, {**form, **{name: c for name, c in asked.items() if name in form or name in kind.optional_columns}})
        for kind, form in forms
    ]


def load_hub(
    name: str,
    config: str | None = None,
    *,
    text: str = "text",
    label: str = "label",
    labels: Sequence[str] | dict[str, str] | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> Corpus:
    """A corpus from the Hugging Face hub, or from a local folder that `datasets` can read.

    >>> corpus = load_hub("org/name")                    # HF_ENDPOINT names a mirror; set it before Python starts

    Splits called train, validation (or valid, dev) and test are used where they exist and have labels, otherwise split
    off. Needs `pip install labkit[hub]`. Raises BadInput naming the ways out when nothing answers.
    """
    tables, names, withheld, columns = {}, (), 0, {"text": text, "label": label}
    for split, table in fetch(name, config).items():
        if split not in SPLITS:
            continue
        where = f"{name}[{split}]"
        check_columns(table.column_names, columns, where)
        names = getattr(table.features[label], "names", None) or names
        words = [cell(value, names, where) for value in table[label]]
        if words and not any(words) and split != "train":
            withheld += len(words)
            continue
        texts = [cell(value, (), where) for value in table[text]]
        rows = [Raw({text: t, label: w}, i) for i, (t, w) in enumerate(zip(texts, words, strict=True), start=1)]
        tables[SPLITS[split]] = Table(where, rows, tuple(table.column_names))
    if "train" not in tables:
        raise BadInput(
            tr(
                f"数据集 {name!r} 没有 train 部分。请另选数据集，或存成 CSV 用 load_csv。",
                f"Data set {name!r} has no split 'train'. Choose another, or save it as CSV and use load_csv.",
            )
        )
    if labels is None and names:
        used = {row.cells[label] for row in tables["train"].rows}
        labels = [n for n in names if n in used]
    short = name.rstrip("/").split("/")[-1]
    shares = {"valid": 0.1, "test": 0.1}
    corpus = build_corpus(short, Classification, tables, columns, labels=labels, shares=shares, seed=seed, limit=limit)
    if withheld:
        corpus = dataclasses.replace(corpus, dropped=(*corpus.dropped, Dropped("unlabelled", withheld, ())))
    return corpus


# From rows to a corpus


def build_corpus(
    name: str,
    kind: type[Task],
    tables: dict[str, Table],
    columns: dict[str, str],
    *,
    labels,
    shares,
    seed,
    limit,
    groups: str | bool | None = None,
) -> Corpus:
    """Examples, dropped rows, splits: shared by every way of loading."""
    for table in tables.values():
        if not any(there(row.cells[column]) for row in table.rows for column in [*columns.values()][:1]):
            raise no_rows_left(table, {"empty": table.rows})
    task, examples, left_out = kind.read(tables, columns, labels or tables["train"].labels or None)
    kin, what = kin_of(task, tables["train"], examples["train"], groups)
    asked = kin is not None and (groups == what or (what != CONTEXT and names_people(kin, examples["train"])))
    shared = shared_kin(examples, kin, what) if asked else []
    examples, repeated = drop_repeated(task, examples)
    for split, table in tables.items():
        if not examples[split]:
            raise no_rows_left(table, repeated)
    lacking = {"valid", "test"} - set(examples)
    task.check_splits(tables["train"].where, examples["train"], splits=1 + len(lacking))
    total, apart = len(examples["train"]), kin is not None
    for split, later in (("test", "valid" not in examples), ("valid", False)):
        if split not in examples:
            n = max(1, len(task.labels), round(total * shares[split]))
            parts = None
            if kin:
                try:
                    parts = split_groups(task, examples["train"], n, seed, kin, what, keep=int(later))
                except BadInput:
                    if groups == what:  # asked for
                        raise
            examples["train"], examples[split] = parts or split_rows(task, examples["train"], n, seed, keep=1 + later)
            apart = apart and parts is not None
    dropped = [Dropped(why, len(x), tuple(x[:3])) for why, x in {**left_out, **repeated}.items() if x]
    splits = (tuple(examples[split]) for split in ("train", "valid", "test"))
    notes = dict.fromkeys(note for table in tables.values() for note in table.notes)
    if kin and lacking and what != CONTEXT:
        several = tr(f"{what} 的组太少，没有按它划分", f"too few groups of {what} to split by")
        notes[tr(f"按 {what} 划分", f"split by {what}") if apart else several] = None
    corpus = Corpus(name, *splits, task, tuple(dropped), (*notes, *shared))
    return corpus if limit is None else corpus.limit(limit, seed)


def no_rows_left(table: Table, gone: dict[str, Sequence]) -> BadInput:
    why = listing(f"{reason} {len(found)}" for reason, found in gone.items() if found)
    return BadInput(
        tr(
            f"{table.where} 的 {len(table.rows)} 行里没有一行可用（去掉的：{why}）。请检查文本列是否选对、各文件是否不同。",
            f"{table.where}: none of its {len(table.rows)} rows can be used (dropped: {why}). "
            "Check that the text column is the right one and that the files differ.",
        )
    )
