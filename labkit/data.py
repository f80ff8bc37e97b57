"""Rows in, a Corpus out: CSV files, hub data sets, the packaged reviews; and batches of like length.

A Corpus holds train, valid and test rows and the label names. Splits are stratified by a seed and no text stands on
two sides. Leans on records and tasks; notebook 01 walks through it, notebook 07 teaches it.
"""

import dataclasses
import functools
import hashlib
import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.labels import label_names
from labkit.reading import SPLITS, Raw, Table, cell, check_columns, fetch, read_table
from labkit.records import BadInput, Row
from labkit.tasks import TextClassification
from labkit.text import listing, tr

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Dropped:
    """Rows left out and why: `reason` is "empty", "duplicate", "conflict" (one text, two labels), "leak" (a text
    that a later split holds too: it stays there) or "unlabelled" (a hub split whose labels are withheld)."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Labelled rows in three splits. Shows itself in a notebook: counts, balance, lengths, examples, what was dropped."""

    name: str
    train: tuple[Any, ...]
    valid: tuple[Any, ...]
    test: tuple[Any, ...]
    labels: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    task: Any = field(default_factory=TextClassification)

    @property
    def splits(self) -> dict[str, tuple[Any, ...]]:
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change when a row, a label or the order of rows changes."""
        sha = hashlib.sha256(repr(self.labels).encode())
        for name, rows in self.splits.items():
            sha.update(f"{name}{len(rows)}".encode())
            for row in rows:
                sha.update(repr(row).encode())
        return sha.hexdigest()[:16]

    def limit(self, n: int, seed: int = 0) -> "Corpus":
        """The same corpus with `n` training rows, stratified: class shares are kept, every class keeps a row.

        >>> len(reviews().limit(200).train)
        200
        """
        if n < len(self.labels):
            raise BadInput(
                tr(
                    f"limit={n} 太小：{len(self.labels)} 个类别至少各要一行。",
                    f"limit={n} is too small: {len(self.labels)} classes need at least one row each.",
                )
            )
        if n >= len(self.train):
            return self
        _, taken = split_rows(self.train, n, seed)
        return dataclasses.replace(self, train=tuple(taken))

    def counts(self, split: str = "train") -> dict[str, int]:
        """Rows of each class: `{"negative": 5603, "positive": 2790}`."""
        found = Counter(row.label for row in self.splits[split])
        return {name: found.get(i, 0) for i, name in enumerate(self.labels)}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(rows)}" for name, rows in self.splits.items())
        gone = ", ".join(f"{d.count} {d.reason}" for d in self.dropped) or "none"
        return f"Corpus({self.name!r}: {sizes} rows; labels {', '.join(self.labels)}; dropped: {gone})"

    def _repr_html_(self) -> str:
        from labkit.show import corpus_html

        return corpus_html(self)


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
) -> Corpus:
    """A corpus from a `.csv` or `.csv.gz` file with a column of texts and a column of labels.

    >>> corpus = load_csv("reviews.csv", text="review", label="sentiment")      # held-out rows are split off, stratified
    >>> corpus = load_csv("train.csv", test="test.csv", labels={"0": "negative", "1": "positive"})
    >>> corpus = load_csv("stars.csv", labels={"1": "bad", "2": "bad", "4": "good", "5": "good"})       # joins classes

    UTF-8 (with or without a byte-order mark) and GBK are both read. Labels may be numbers or words, of any number of
    classes; `labels` gives them readable names (a dict, or a list for 0, 1, 2 …) or an order (a list). Rows without
    text and repeated texts are dropped and counted in `corpus.dropped`; a text that stands in two splits stays in the
    later one (test before valid before train). Raises FileNotFoundError and BadInput (a ValueError).
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
    tables = {"train": read_table(path, text, label)}
    tables |= {name: read_table(p, text, label) for name, p in (("valid", valid), ("test", test)) if p is not None}
    name = Path(path).name.removesuffix(".gz").removesuffix(".csv")
    return build_corpus(name, tables, labels=labels, shares=shares, seed=seed, limit=limit)


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
    tables, names, withheld = {}, (), 0
    for split, table in fetch(name, config).items():
        if split not in SPLITS:
            continue
        where = f"{name}[{split}]"
        check_columns(table.column_names, text, label, where)
        names = getattr(table.features[label], "names", None) or names
        words = [cell(value, names, where) for value in table[label]]
        if words and not any(words) and split != "train":
            withheld += len(words)
            continue
        texts = [cell(value, (), where) for value in table[text]]
        rows = [Raw(t, w, {}, i) for i, (t, w) in enumerate(zip(texts, words, strict=True), start=1)]
        tables[SPLITS[split]] = Table(where, rows)
    if "train" not in tables:
        raise BadInput(
            tr(
                f"数据集 {name!r} 没有 train 部分。请另选数据集，或存成 CSV 用 load_csv。",
                f"Data set {name!r} has no split 'train'. Choose another, or save it as CSV and use load_csv.",
            )
        )
    if labels is None and names:
        used = {row.label for row in tables["train"].rows}
        labels = [n for n in names if n in used]
    short = name.rstrip("/").split("/")[-1]
    shares = {"valid": 0.1, "test": 0.1}
    corpus = build_corpus(short, tables, labels=labels, shares=shares, seed=seed, limit=limit)
    if withheld:
        corpus = dataclasses.replace(corpus, dropped=(*corpus.dropped, Dropped("unlabelled", withheld, ())))
    return corpus


def reviews(limit: int | None = None, seed: int = 0) -> Corpus:
    """The packaged reviews: Chinese, written for labkit, six domains, negative or positive, with an English gloss.

    >>> reviews().labels
    ('negative', 'positive')
    """
    corpus = load_csv(
        ASSETS / "reviews.csv",
        labels={"0": "negative", "1": "positive"},
        test_share=0.2,
        valid_share=0.1,
        seed=seed,
        limit=limit,
    )
    return dataclasses.replace(corpus, name="reviews")


# From rows to a corpus


def build_corpus(name, tables: dict[str, Table], *, labels, shares, seed, limit) -> Corpus:
    """Label names, dropped rows, splits: shared by every way of loading texts."""
    for table in tables.values():
        if not any(r.text for r in table.rows):
            raise no_rows_left(table, {"empty": table.rows})
    names, index = label_names(tables, labels)
    rows = {s: [Row(r.text, index[r.label], r.extra) for r in t.rows if r.text] for s, t in tables.items()}
    empty = [tr(f"第 {r.line} 行", f"line {r.line}") for t in tables.values() for r in t.rows if not r.text]
    rows, gone = drop_repeated(rows)
    for split, table in tables.items():
        if not rows[split]:
            raise no_rows_left(table, gone)
    check_classes(tables["train"].where, rows["train"], names, need=1 + len({"valid", "test"} - set(rows)))
    total = len(rows["train"])
    for split, later in (("test", "valid" not in rows), ("valid", False)):
        if split not in rows:
            n = max(len(names), round(total * shares[split]))
            rows["train"], rows[split] = split_rows(rows["train"], n, seed, keep=1 + later)
    dropped = [Dropped(why, len(x), tuple(x[:3])) for why, x in {"empty": empty, **gone}.items() if x]
    splits = (tuple(rows[split]) for split in ("train", "valid", "test"))
    corpus = Corpus(name, *splits, names, tuple(dropped))
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


def check_classes(where: str, rows: Sequence[Row], names: Sequence[str], need: int) -> None:
    """Two classes or more, each with `need` rows: one for every split that is made from them."""
    count = Counter(r.label for r in rows)
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
        raise BadInput(
            tr(
                f"{where}：这些类别的行数不够：{listing(rare)}。训练和要切出的部分各要一行，每类至少 {need} 行。"
                "请补充数据、去掉这些类别，或检查标签列是否选对。",
                f"{where}: classes with too few rows: {listing(rare)}. Training and each split to be made need one, so {need} a class. "
                "Add rows, remove those classes, or check that the label column is the right one.",
            )
        )


def same_text(text: str) -> str:
    """What two texts must share to count as one: width, case, punctuation and white space are ignored, emoji are not.

    >>> same_text("Ｇｏｏｄ，好！"), same_text("好😡")
    ('good好', '好😡')
    """
    return "".join(filter(tells, unicodedata.normalize("NFKC", text).lower())) or text


@functools.cache
def tells(character: str) -> bool:
    """Letters, marks, digits and pictures; not the signs that only choose how an emoji is drawn."""
    kind = unicodedata.category(character)
    return (kind[0] in "LMN" or kind == "So") and not 0xFE00 <= ord(character) <= 0xFE0F


def drop_repeated(rows: dict[str, list[Row]]) -> tuple[dict[str, list[Row]], dict[str, list[str]]]:
    """Keep one row of each text, none of a text with two labels, and each text in one split only."""
    gone: dict[str, list[str]] = {"duplicate": [], "conflict": [], "leak": []}
    taken: set[str] = set()
    kept = {}
    for split in ("test", "valid", "train"):
        if split not in rows:
            continue
        by_text = defaultdict(list)
        for row in rows[split]:
            by_text[same_text(row.text)].append(row)
        keep = []
        for key, same in by_text.items():
            if key in taken:
                gone["leak"] += [r.text for r in same]
            elif len({r.label for r in same}) > 1:
                gone["conflict"] += [r.text for r in same]
            else:
                keep.append(same[0])
                gone["duplicate"] += [r.text for r in same[1:]]
        taken |= by_text.keys()
        kept[split] = keep
    return kept, gone


def split_rows(rows: Sequence, n: int, seed: int, keep: int = 0) -> tuple[list, list]:
    """Split `rows` into the rest and `n` rows, stratified by label, both in the order of `rows`.

    Each class gives its share (largest remainders first) and at least one row to the `n`; `keep` rows of each class
    stay in the rest, even where the `n` gets fewer rows then.
    """
    by_class = defaultdict(list)
    for i, row in enumerate(rows):
        by_class[row.label].append(i)
    room = {c: max(1, len(members) - keep) for c, members in by_class.items()}
    share = {c: n * len(members) / len(rows) for c, members in by_class.items()}
    quota = {c: min(room[c], max(1, int(s))) for c, s in share.items()}
    for c in sorted(share, key=lambda c: share[c] - quota[c], reverse=True):
        if sum(quota.values()) < n and quota[c] < room[c]:
            quota[c] += 1
    while sum(quota.values()) > n:
        quota[max(quota, key=lambda c: quota[c] - share[c] if quota[c] > 1 else -1.0)] -= 1
    rng = random.Random(f"split/{seed}")
    chosen: set[int] = set()
    for c in sorted(by_class):
        chosen.update(rng.sample(by_class[c], quota[c]))
    return [r for i, r in enumerate(rows) if i not in chosen], [r for i, r in enumerate(rows) if i in chosen]


# Batches


def batch_order(
    lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int, bucket: bool = True
) -> list[list[int]]:
    """Row numbers in batches, a function of (seed, epoch) alone. With `bucket`, rows of like length share a batch.

    >>> batch_order([5, 9, 5, 9], 2, seed=0, epoch=0)       # lengths in tokens
    [[1, 3], [2, 0]]

    Rows are shuffled, sorted by length within pools of 100 batches, cut, and the batches shuffled: padding nearly
    vanishes, and every epoch is another order. All batches but one hold `batch_size` rows.
    """
    rng = random.Random(f"order/{seed}/{epoch}")
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    if not bucket:
        return [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    pool = 100 * batch_size
    batches = []
    for start in range(0, len(rows), pool):
        part = sorted(rows[start : start + pool], key=lambda i: lengths[i])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def padding_share(lengths: Sequence[int], batches: Sequence[Sequence[int]], width: int | None = None) -> float:
    """Share of padding among the tokens computed: 0.05 is 5 %. `width` pads every row to that length instead."""
    real = sum(lengths[i] for batch in batches for i in batch)
    computed = sum(len(batch) * (width or max(lengths[i] for i in batch)) for batch in batches)
    return 1 - real / computed if computed else 0.0
