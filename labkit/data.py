"""Rows in, a Corpus out: CSV files, hub data sets, the packaged reviews; and batches of like length.

A Corpus holds train, valid and test rows and the label names. Splits are stratified by a seed and no text stands on
two sides. Leans on records and tasks; notebook 01 walks through it, notebook 07 teaches it.
"""

import csv
import dataclasses
import gzip
import hashlib
import io
import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.records import BadInput, Row
from labkit.tasks import TextClassification
from labkit.text import listing, tr

ASSETS = Path(__file__).parent / "assets"
MISSING = {"", "nan", "null", "none", "na", "n/a", "<na>"}


@dataclass(frozen=True)
class Dropped:
    """Rows left out and why: `reason` is "empty", "duplicate", "conflict" (one text, two labels) or "leak" (a text
    that a later split holds too: it stays there)."""

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

    UTF-8 (with or without a byte-order mark) and GBK are both read. Labels may be numbers or words, of any number of
    classes; `labels` gives them readable names or an order. Rows without text and repeated texts are dropped and counted in
    `corpus.dropped`; a text that stands in two splits stays in the later one (test before valid before train).
    Raises FileNotFoundError and BadInput (a ValueError).
    """
    for name, share in (("valid_share", valid_share), ("test_share", test_share)):
        if not 0 < share < 0.9:
            raise BadInput(
                tr(
                    f"{name}={share} 不行：应在 0 和 0.9 之间。",
                    f"{name}={share} won't do: give a share between 0 and 0.9.",
                )
            )
    read = {"train": read_table(path, text, label)}
    read |= {name: read_table(p, text, label) for name, p in (("valid", valid), ("test", test)) if p is not None}
    return build_corpus(
        Path(path).name.removesuffix(".gz").removesuffix(".csv"),
        read,
        labels=labels,
        shares={"valid": valid_share, "test": test_share},
        seed=seed,
        limit=limit,
        source=str(path),
    )


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

    Splits called train, validation (or valid, dev) and test are used where they exist, otherwise split off.
    Needs `pip install labkit[hub]`. Raises BadInput naming the ways out when nothing answers.
    """
    try:
        import datasets
    except ImportError:
        raise BadInput(
            tr(
                "load_hub 需要 datasets 包：pip install 'labkit[hub]'。离线时请用 load_csv。",
                "load_hub needs the datasets package: pip install 'labkit[hub]'. Offline, use load_csv.",
            )
        ) from None
    try:
        found = datasets.load_dataset(name, config)
    except Exception as error:
        raise BadInput(
            tr(
                f"读不到数据集 {name!r}：{first_line(error)}\n三条出路：1) 给一个本地文件夹；2) 设环境变量 HF_ENDPOINT 指向镜像后重启 Python；"
                "3) 下载成 CSV，用 load_csv。",
                f"Cannot read the data set {name!r}: {first_line(error)}\nThree ways out: 1) give a local folder; "
                "2) set HF_ENDPOINT to a mirror and restart Python; 3) save it as CSV and use load_csv.",
            )
        ) from error
    alias = {"train": "train", "validation": "valid", "valid": "valid", "dev": "valid", "test": "test"}
    read = {}
    for split, table in found.items():
        if split not in alias:
            continue
        check_columns(table.column_names, text, label, f"{name}[{split}]")
        feature = table.features[label]
        names = getattr(feature, "names", None)
        rows = ({k: "" if v is None else v for k, v in row.items()} for row in table)
        read[alias[split]] = [
            {**row, text: str(row[text]), label: names[row[label]] if names and row[label] != "" else str(row[label])}
            for row in rows
        ]
        read[alias[split]] = [Raw(row[text].strip(), row[label].strip(), {}) for row in read[alias[split]]]
        labels = labels or names
    if "train" not in read:
        raise BadInput(
            tr(
                f"数据集 {name!r} 没有 train 部分，只有：{listing(found)}",
                f"Data set {name!r} has no split 'train', only: {listing(found)}",
            )
        )
    shares = {"valid": 0.1, "test": 0.1}
    return build_corpus(
        name.rstrip("/").split("/")[-1], read, labels=labels, shares=shares, seed=seed, limit=limit, source=name
    )


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


# Reading


@dataclass(frozen=True)
class Raw:
    """A row as read: label still a word."""

    text: str
    label: str
    extra: dict


def read_table(path, text: str, label: str) -> list[Raw]:
    """The rows of one CSV file, stripped of outer white space."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            tr(f"没有文件 {path}。请给出一个 .csv 或 .csv.gz 文件。", f"No file {path}. Give a .csv or .csv.gz file.")
        )
    content = decode(path)
    if not content.strip():
        raise BadInput(
            tr(
                f"{path} 是空文件：第一行应是列名，如 text,label。",
                f"{path} is empty: its first line should name the columns, like text,label.",
            )
        )
    csv.field_size_limit(10_000_000)
    reader = csv.DictReader(io.StringIO(content, newline=""), skipinitialspace=True)
    try:
        names = [n.strip() for n in reader.fieldnames or []]
        reader.fieldnames = names
        check_columns(names, text, label, path)
        rows = []
        for row in reader:
            if None in row:
                raise BadInput(
                    tr(
                        f"{path} 第 {reader.line_num} 行的字段比列名多：文本里有逗号时请用双引号括起来。",
                        f"{path}, line {reader.line_num}: more fields than columns. Put texts with commas in double quotes.",
                    )
                )
            extra = {k: v for k, v in row.items() if k not in (text, label)}
            rows.append(Raw((row[text] or "").strip(), (row[label] or "").strip(), extra))
    except csv.Error as error:
        raise BadInput(tr(f"{path} 不是可读的 CSV：{error}", f"{path} is no readable CSV: {error}")) from None
    if not rows:
        raise BadInput(tr(f"{path} 只有表头，没有数据行。", f"{path} has a header and no rows."))
    return rows


def decode(path: Path) -> str:
    """A file's text: UTF-8 with or without byte-order mark, else GBK (GB 18030)."""
    data = path.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError):
        raise BadInput(tr(f"{path} 是损坏的 gzip 文件。", f"{path} is a damaged gzip file.")) from None
    if b"\0" not in data:
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise BadInput(
        tr(
            f"{path} 不是文本文件。请在表格软件里另存为“CSV UTF-8”（.csv），或 .csv.gz。",
            f"{path} is not a text file. Save it from your spreadsheet as 'CSV UTF-8' (.csv), or as .csv.gz.",
        )
    )


def check_columns(names, text: str, label: str, where) -> None:
    for wanted, option in ((text, "text"), (label, "label")):
        if wanted not in names:
            raise BadInput(
                tr(
                    f"{where} 没有列 {wanted!r}，只有：{listing(names)}。用 {option}=（命令行 --{option}）说出列名。",
                    f"{where} has no column {wanted!r}, only: {listing(names)}. Name it with {option}= (--{option} on the command line).",
                )
            )


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


# From rows to a corpus


def build_corpus(name, read: dict[str, list[Raw]], *, labels, shares, seed, limit, source) -> Corpus:
    """Label names, dropped rows, splits: shared by every way of loading texts."""
    names, index = label_names(read, labels, source)
    rows = {split: [Row(r.text, index[r.label], r.extra) for r in table if r.text] for split, table in read.items()}
    dropped = {"empty": [f"({n + 2})" for table in read.values() for n, r in enumerate(table) if not r.text]}
    rows, more = drop_repeated(rows)
    dropped |= more
    if not rows["train"]:
        raise BadInput(tr(f"{source} 没有一行可用的文本。", f"{source} has no usable text in any row."))
    need = 1 + sum(split not in rows for split in ("valid", "test"))
    count = Counter(r.label for r in rows["train"])
    if len(count) < 2:
        only = names[next(iter(count))]
        raise BadInput(
            tr(
                f"{source} 只有一个类别（{only}）：分类至少要两类。",
                f"{source} has one class only ({only}): classification needs two or more.",
            )
        )
    for i, label in enumerate(names):
        if count[i] < need:
            raise BadInput(
                tr(
                    f"{source} 的类别 {label!r} 只有 {count[i]} 行可用于训练：切出验证和测试集后每类至少要 {need} 行。"
                    "请补充数据、去掉这个类别，或检查标签列是否选对。",
                    f"{source}: class {label!r} has {count[i]} rows; with the splits to be made each class needs {need}. "
                    "Add rows, remove the class, or check that the label column is the right one.",
                )
            )
    total = len(rows["train"])
    for split in ("test", "valid"):
        if split not in rows:
            n = max(len(names), round(total * shares[split]))
            rows["train"], rows[split] = split_rows(rows["train"], n, seed)
    corpus = Corpus(
        name,
        tuple(rows["train"]),
        tuple(rows["valid"]),
        tuple(rows["test"]),
        names,
        tuple(Dropped(reason, len(found), tuple(found[:3])) for reason, found in dropped.items() if found),
    )
    return corpus if limit is None else corpus.limit(limit, seed)


def label_names(read: dict[str, list[Raw]], labels, source) -> tuple[tuple[str, ...], dict[str, int]]:
    """Label names in class order, and the class of each word found: numbers by value, words in alphabetical order."""
    found = {split: Counter(r.label for r in table if r.text) for split, table in read.items()}
    for split, words in found.items():
        missing = sum(n for w, n in words.items() if w.lower() in MISSING)
        if missing:
            raise BadInput(
                tr(
                    f"{source}（{split}）有 {missing} 行没有标签。请补上标签或删去这些行。",
                    f"{source} ({split}): {missing} rows have no label. Fill them in or remove those rows.",
                )
            )
    words = sorted(found["train"], key=label_order)
    plain = {w: tidy(w) for table in found.values() for w in table}
    order = list(dict.fromkeys(plain[w] for w in words))
    if isinstance(labels, dict):
        unknown = [w for w in order if w not in {str(k) for k in labels}]
        known, order = {str(k): str(v) for k, v in labels.items()}, [str(k) for k in labels if str(k) in order]
    else:
        known = {w: w for w in order}
        if labels is not None:
            unknown = [w for w in order if w not in [str(x) for x in labels]]
            order = [str(x) for x in labels]
        else:
            unknown = []
    for split, table in found.items():
        unknown = unknown or [plain[w] for w in table if plain[w] not in order]
        if unknown:
            raise BadInput(
                tr(
                    f"{source}（{split}）里有未知的标签：{listing(unknown)}。训练数据的标签是：{listing(order)}。",
                    f"{source} ({split}) has unknown labels: {listing(unknown)}. The labels of training are: {listing(order)}.",
                )
            )
    return tuple(known[w] for w in order), {w: order.index(plain[w]) for w in plain}


def tidy(word: str) -> str:
    """ "1.0", as spreadsheets write whole numbers, is 1."""
    head, dot, tail = word.partition(".")
    return head if dot and head.lstrip("-").isdigit() and set(tail) <= {"0"} else word


def label_order(word: str):
    try:
        return (0, float(word), word)
    except ValueError:
        return (1, 0.0, word)


def same_text(text: str) -> str:
    """What two texts must share to count as one: width, case, punctuation and white space are ignored."""
    key = "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())
    return key or text


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


def split_rows(rows: Sequence, n: int, seed: int) -> tuple[list, list]:
    """Split `rows` into the rest and `n` rows, stratified by label, both in the order of `rows`.

    Each class gives its share (largest remainders first) and at least one row to the `n`.
    """
    by_class = defaultdict(list)
    for i, row in enumerate(rows):
        by_class[row.label].append(i)
    share = {c: n * len(members) / len(rows) for c, members in by_class.items()}
    quota = {c: max(1, int(s)) for c, s in share.items()}
    for c in sorted(share, key=lambda c: share[c] - int(share[c]), reverse=True):
        if sum(quota.values()) < n:
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
    return 1 - real / max(computed, 1)
