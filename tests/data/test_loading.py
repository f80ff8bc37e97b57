"""CSV files and hub data sets become a Corpus, or one clear message; batches hold rows of like length."""

import csv
import gzip
import random
import sys
from collections import Counter

import datasets
import pytest

import labkit as lk
from labkit.base.hub import stale_endpoint
from labkit.base.records import BadInput, Example
from labkit.data.batching import batch_order, padding_share
from labkit.data.hub_sets import cell
from labkit.data.splitting import split_rows
from labkit.modalities.text import same_text
from labkit.tasks import TextClassification


def lines(n=20, labels=("0", "1"), start=0):
    """`n` lines of CSV whose texts all differ, the labels taking turns."""
    return "".join(f"第{i}条评论,{labels[i % len(labels)]}\n" for i in range(start, start + n))


def write(folder, content, name="data.csv", encoding="utf-8"):
    path = folder / name
    data = content if isinstance(content, bytes) else content.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def load(folder, content, **options):
    return lk.load_csv(write(folder, content), **options)


def every_row(corpus):
    return [row for rows in corpus.splits.values() for row in rows]


def dropped(corpus):
    return {d.reason: d.count for d in corpus.dropped}


# What is read


def test_columns_may_have_any_names_and_any_order(tmp_path):
    corpus = load(tmp_path, "标签,编号,评论内容\n" + "好,7,文本甲\n坏,8,文本乙\n" + "".join(
        f"{'好坏'[i % 2]},{i},又一条{i}\n" for i in range(10)
    ), text="评论内容", label="标签")  # fmt: skip
    assert {r.input for r in every_row(corpus)} >= {"文本甲", "文本乙"}
    assert corpus.labels == ("坏", "好")
    assert next(r for r in every_row(corpus) if r.input == "文本甲").extra == {"编号": "7"}


@pytest.mark.parametrize(
    "words, labels",
    [
        (("正面", "负面"), ("正面", "负面")),
        (("1", "0"), ("0", "1")),
        (("1.0", "0.0"), ("0", "1")),
        (("10", "9", "-1"), ("-1", "9", "10")),
        (tuple("hgfedcba"), tuple("abcdefgh")),
        (("spam", "ham", "2"), ("2", "ham", "spam")),
        (("v1.0.0", "v2"), ("v1.0.0", "v2")),
    ],
)
def test_labels_are_numbers_or_words_of_any_number_of_classes(tmp_path, words, labels):
    corpus = load(tmp_path, "text,label\n" + lines(40, words))
    assert corpus.labels == labels
    for row in every_row(corpus):
        number = int(row.input[1:].split("条")[0])
        word = words[number % len(words)]
        assert corpus.labels[row.target] == word.removesuffix(".0") or word.startswith("v")


@pytest.mark.parametrize(
    "names, labels",
    [
        ({"0": "负面", "1": "正面"}, ("负面", "正面")),
        ({1: "正面", 0: "负面"}, ("正面", "负面")),
        ({"1.0": "yes", "0.0": "no", "2.0": "never seen"}, ("yes", "no")),
        (["负面", "正面"], ("负面", "正面")),
        (("1", "0"), ("1", "0")),
        ((1, 0), ("1", "0")),
    ],
)
def test_numbers_get_their_names_from_a_dict_or_a_list(tmp_path, names, labels):
    corpus = load(tmp_path, "text,label\nonly this,1\n" + lines(20), labels=names)
    assert corpus.labels == labels
    row = next(r for r in every_row(corpus) if r.input == "only this")
    assert corpus.labels[row.target] in ("正面", "yes", "1")


def test_a_dict_may_join_classes(tmp_path):
    corpus = load(tmp_path, "text,label\n" + lines(40, "1245"), labels={1: "bad", 2: "bad", 4: "good", 5: "good"})
    assert corpus.labels == ("bad", "good")
    assert sum(sum(corpus.counts(s).values()) for s in corpus.splits) == 40
    assert sum(corpus.counts(s)["bad"] for s in corpus.splits) == 20


def test_a_class_may_be_called_none_where_labels_names_it(tmp_path):
    content = "text,label\n" + lines(20, ("favor", "none"))
    assert load(tmp_path, content, labels=["none", "favor"]).labels == ("none", "favor")
    assert load(tmp_path, content, labels={"none": "keine", "favor": "dafür"}).labels == ("keine", "dafür")
    with pytest.raises(BadInput, match="10 rows have no label, the first in line 3"):
        load(tmp_path, content)


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz", "数据 集.csv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_every_encoding_packed_or_not_gives_the_same_corpus(tmp_path, encoding, name):
    content = "text,label\n“好吃”，真香……,正面\n不好吃,负面\n" + lines(20, ("正面", "负面"))
    want = lk.load_csv(write(tmp_path, content, "plain.csv"))
    got = lk.load_csv(write(tmp_path, content, name, encoding))
    assert got.fingerprint == want.fingerprint and got.splits == want.splits
    assert got.name == name.split(".")[0]


def test_a_file_packed_without_saying_so_is_read_too(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(gzip.compress(("text,label\n" + lines()).encode()))
    assert len(every_row(lk.load_csv(path))) == 20


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quoted_commas_newlines_and_quotes_are_part_of_the_text(tmp_path, end):
    content = "text,label\n" + '"好,\n就是""贵"" 了",1\n' + '  spaces  , 0 \n\n"最后一行",1\n' + lines()
    texts = {
        r.input.replace("\r\n", "\n").replace("\r", "\n") for r in every_row(load(tmp_path, content.replace("\n", end)))
    }
    assert {'好,\n就是"贵" 了', "spaces", "最后一行"} <= texts


def test_what_the_csv_module_writes_is_read_back(tmp_path):
    rng = random.Random(0)
    texts = {"".join(rng.choices('ab,"\n 好吃', k=rng.randint(3, 12))).strip() + str(i) for i in range(60)}
    with open(tmp_path / "data.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((t, i % 2) for i, t in enumerate(sorted(texts)))])
    assert {r.input for r in every_row(lk.load_csv(tmp_path / "data.csv"))} == texts


def test_spreadsheets_trailing_commas_and_very_long_texts_are_read(tmp_path):
    long = "很长" * 100_000
    limit = csv.field_size_limit()
    corpus = load(tmp_path, f"text,label,,\n{long},1,,\n好,0,,\n" + lines())
    assert long in {r.input for r in every_row(corpus)} and csv.field_size_limit() == limit


# What is dropped


def test_empty_repeated_and_contradicting_rows_are_dropped_and_counted(tmp_path):
    content = (
        "text,label\n  ,1\n,0\n\ufeff\u200b,1\n"  # three without text
        "好吃！,1\n好 吃,1\n好吃。。。,1\n"  # two repetitions
        "一般,1\n一般,0\n"  # one text, two labels
    )
    corpus = load(tmp_path, content + lines(20))
    assert dropped(corpus) == {"empty": 3, "duplicate": 2, "conflict": 2}
    assert len(every_row(corpus)) == 21
    assert [r.input for r in every_row(corpus) if same_text(r.input) == "好吃"] == ["好吃！"]
    assert corpus.dropped[0].examples == ("line 2", "line 3", "line 4")


def test_a_text_of_two_given_files_stays_in_the_later_one(tmp_path):
    train = write(tmp_path, "text,label\n好吃,1\n难吃,0\n贵,0\n" + lines(20), "train.csv")
    valid = write(tmp_path, "text,label\n难吃！,0\n贵,0\n" + lines(10, start=100), "valid.csv")
    test = write(tmp_path, "text,label\n好吃。,1\n贵,0\n" + lines(10, start=200), "test.csv")
    corpus = lk.load_csv(train, valid=valid, test=test)
    where = {r.input: name for name, rows in corpus.splits.items() for r in rows}
    assert (where["好吃。"], where["贵"], where["难吃！"]) == ("test", "test", "valid")
    assert dropped(corpus) == {"leak": 4}
    assert [len(rows) for rows in corpus.splits.values()] == [20, 11, 12]


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("好吃！！", " 好 吃", True),
        ("ＧＯＯＤ，ok", "good OK", True),
        ("很好❤️", "很好❤", True),
        ("好😀", "好😡", False),
        ("！！！", "？？？", False),
        ("कि", "का", False),  # told apart by vowel signs alone
        ("5星", "1星", False),
    ],
)
def test_width_case_and_punctuation_do_not_make_another_text_but_emoji_do(one, other, same):
    assert (same_text(one) == same_text(other)) is same


# Splits


def test_splits_are_stratified_disjoint_and_whole(tmp_path):
    content = "text,label\n" + lines(200, ("a", "a", "a", "b"))
    corpus = load(tmp_path, content, valid_share=0.1, test_share=0.2)
    assert [len(rows) for rows in corpus.splits.values()] == [140, 20, 40]
    assert [corpus.counts(s) for s in corpus.splits] == [{"a": 105, "b": 35}, {"a": 15, "b": 5}, {"a": 30, "b": 10}]
    assert len({r.input for r in every_row(corpus)}) == 200


def test_the_seed_alone_decides_the_split(tmp_path):
    path = write(tmp_path, "text,label\n" + lines(100))
    one, same, other = (lk.load_csv(path, seed=s) for s in (1, 1, 2))
    assert one == same and one.fingerprint == same.fingerprint
    assert set(one.test) != set(other.test) and one.fingerprint != other.fingerprint


def test_given_files_are_kept_whole_and_only_the_rest_is_split_off(tmp_path):
    test = write(tmp_path, "text,label\n" + lines(30, start=1000), "test.csv")
    corpus = lk.load_csv(write(tmp_path, "text,label\n" + lines(100)), test=test, valid_share=0.25)
    assert [r.input for r in corpus.test] == [f"第{i}条评论" for i in range(1000, 1030)]
    assert (len(corpus.train), len(corpus.valid)) == (75, 25)


def test_three_rows_a_class_are_enough_for_three_splits(tmp_path):
    corpus = load(tmp_path, "text,label\n" + lines(9, "abc"), valid_share=0.4, test_share=0.4)
    assert all(set(corpus.counts(s).values()) == {1} for s in corpus.splits)


def test_a_rare_class_stays_in_every_split_whatever_the_shares(tmp_path):
    content = "text,label\n" + lines(97, ("a",)) + lines(3, ("b",), start=97)
    corpus = load(tmp_path, content, valid_share=0.2, test_share=0.65)
    assert [corpus.counts(s)["b"] for s in corpus.splits] == [1, 1, 1]


@pytest.mark.parametrize("n", [2, 3, 7, 50, 99])
def test_a_limit_takes_that_many_training_rows_and_leaves_the_rest_alone(tmp_path, n):
    path = write(tmp_path, "text,label\n" + lines(150, ("a", "a", "b")))
    whole, part = lk.load_csv(path), lk.load_csv(path, limit=n)
    assert len(part.train) == n and set(part.train) < set(whole.train)
    assert (part.valid, part.test) == (whole.valid, whole.test)
    assert abs(part.counts()["b"] - n / 3) < 1 and part.counts()["b"] >= 1
    assert (whole.limit(n) == part and whole.limit(n, seed=1) != part) or n > 90
    assert whole.limit(10_000) is whole


@pytest.mark.parametrize("n", [-1, 0, 1])
def test_a_limit_without_a_row_for_every_class_is_refused(tmp_path, n):
    with pytest.raises(BadInput, match=f"limit={n} is too small: 2 classes"):
        load(tmp_path, "text,label\n" + lines(50), limit=n)


def test_split_rows_agrees_with_a_slow_count_for_random_shapes():
    rng = random.Random(1)
    for _ in range(200):
        sizes = [rng.randint(1, 30) for _ in range(rng.randint(2, 6))]
        rows = [Example(str(i), c) for i, c in enumerate(c for c, size in enumerate(sizes) for _ in range(size))]
        rng.shuffle(rows)
        n = rng.randint(len(sizes), len(rows))
        rest, chosen = split_rows(TextClassification(), rows, n, seed=rng.randint(0, 9))
        assert len(chosen) == n and len(rest) == len(rows) - n and set(rest) | set(chosen) == set(rows)
        assert [r for r in rows if r in set(chosen)] == chosen
        got = Counter(r.target for r in chosen)
        assert all(got[c] >= 1 for c in range(len(sizes)))
        crowded = sum(max(0, 1 - n * size / len(rows)) for size in sizes)  # what the smallest classes took from others
        assert all(abs(got[c] - n * size / len(rows)) < 1 + crowded for c, size in enumerate(sizes))


def test_a_fingerprint_tells_corpora_apart(tmp_path):
    path = write(tmp_path, "text,label\n" + lines(50))
    prints = [
        lk.load_csv(path),
        lk.load_csv(path, labels=["no", "yes"]),
        lk.load_csv(path, seed=3),
        lk.load_csv(path, limit=30),
        load(tmp_path, "text,label\n" + lines(49)),
    ]
    assert len({c.fingerprint for c in prints}) == 5 and all(len(c.fingerprint) == 16 for c in prints)


def test_a_corpus_says_what_it_holds(tmp_path):
    corpus = load(tmp_path, "text,label\n,1\n" + lines(40, ("好", "坏")))
    assert repr(corpus) == "Corpus('data': train 32, valid 4, test 4 rows; labels 坏, 好; dropped: 1 empty)"


# What cannot be read: what was given, what is accepted, what to do

SCREENSHOT = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4
BAD = {
    "empty file": ("", "is empty: its first line should name the columns", "是空文件"),
    "blank file": ("\ufeff\n \n", "is empty", "是空文件"),
    "header only": ("text,label\n\n", "has a header and no rows", "只有表头"),
    "missing text column": ("review,label\n好,1\n", "no column 'text', only: review, label. Name it with text=", "没有列 'text'"),
    "missing label column": ("text,y\n好,1\n", "no column 'label', only: text, y. Name it with label=", "没有列 'label'"),
    "no header": (lines(), "no column 'text', only: 第0条评论, 0", "没有列"),
    "a column twice": ("text,label,text\n好,1,x\n", "column 'text' is ambiguous", "有歧义"),
    "one class": ("text,label\n" + lines(9, "1"), "has one class only (1): classification needs two", "只有一个类别"),
    "one row a class": ("text,label\n好,1\n坏,0\n", "too few rows: '0' (1), '1' (1)", "行数不够"),
    "a number column": ("text,label\n" + lines(30, [f"{i / 7:.3f}" for i in range(30)]), "… (30)", "标签列是否选对"),
    "all texts empty": ("text,label\n,1\n  ,0\n", "none of its 2 rows can be used (dropped: empty 2)", "没有一行可用"),
    "all rows conflict": ("text,label\n好,1\n好,0\n", "(dropped: conflict 2)", "没有一行可用"),
    "NaN labels": ("text,label\n好,nan\n" + lines(), "1 rows have no label, the first in line 2. Fill them in", "没有标签"),
    "no label": ("text,label\n" + lines() + "好,\n", "1 rows have no label, the first in line 22", "没有标签"),
    "short line": ("text,label\n" + lines() + "好\n", "1 rows have no label, the first in line 22", "没有标签"),
    "long line": ("text,label\n" + lines(3) + "好,吃,1\n", "line 5: 3 fields for 2 columns. Put texts with commas", "第 5 行"),
    "open quote": ('text,label\n好,1\n"坏,0\n' + lines(), "line 3: a double quote is never closed", "没有配对"),
    "binary file": (SCREENSHOT, "is not a text file in UTF-8 or GBK. Save it", "不是 UTF-8 或 GBK"),
    "UTF-16 without a mark": (("text,label\n" + lines()).encode("utf-16-le"), "is not a text file in UTF-8 or GBK", "不是 UTF-8 或 GBK"),
    "bytes of nothing": (b"text,label\n\xff\xff\xff\xff,1\n", "is not a text file in UTF-8 or GBK", "不是 UTF-8 或 GBK"),
    "broken UTF-8": (("text,label\n" + lines(40)).encode() + b"\xe5\xa5,1\n", "broken bytes in 1 places, the first in line 42", "坏字节"),
    "damaged gzip": (gzip.compress(lines(200).encode())[:-200], "is a damaged gzip file. Download", "损坏的 gzip"),
    "overwritten gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\xff" * 40, "is a damaged gzip file", "损坏的 gzip"),
    "gzip in name only": (b"\x1f\x8bnothing", "is a damaged gzip file", "损坏的 gzip"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_gets_one_clear_message(tmp_path, case, monkeypatch):
    content, english, chinese = BAD[case]
    path = write(tmp_path, content)
    with pytest.raises(BadInput) as caught:
        lk.load_csv(path)
    assert str(path) in str(caught.value) and english in str(caught.value)
    assert caught.value.__cause__ is None and len(str(caught.value)) < 600
    monkeypatch.setenv("LABKIT_LANG", "zh")
    with pytest.raises(BadInput) as caught:
        lk.load_csv(path)
    assert str(path) in str(caught.value) and chinese in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_the_line_named_is_the_files_own_after_texts_of_several_lines_and_blank_lines(tmp_path):
    with pytest.raises(BadInput, match="line 6: 3 fields"):
        load(tmp_path, 'text,label\n"a\nb\nc",1\n\nd,e,0\n')


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No file .*nothing\.csv\. Give a \.csv or \.csv\.gz file"):
        lk.load_csv(tmp_path / "nothing.csv")
    with pytest.raises(
        BadInput, match=r"is a folder without a train\.csv .*Give a file, or name train, valid and test so"
    ):
        lk.load_csv(tmp_path)


@pytest.mark.parametrize("option", ["valid", "test"])
def test_a_bad_second_file_is_named(tmp_path, option):
    train = write(tmp_path, "text,label\n" + lines())
    for content, message in [
        ("text,label\n" + lines(20, "012", start=51), r"unknown labels: 2, the first in line 4\. Known are: 0, 1"),
        ("text,label\n,0\n", r"none of its 1 rows can be used"),
        ("text,label\n好,\n", r"1 rows have no label"),
        ("text,y\n好,1\n", r"no column 'label'"),
    ]:
        other = write(tmp_path, content, "other.csv")
        with pytest.raises(BadInput, match=rf"other\.csv.*{message}"):
            lk.load_csv(train, **{option: other})
    with pytest.raises(FileNotFoundError, match="absent"):
        lk.load_csv(train, **{option: tmp_path / "absent.csv"})


def test_the_training_file_given_as_test_file_too_is_refused(tmp_path):
    path = write(tmp_path, "text,label\n" + lines())
    with pytest.raises(BadInput, match=r"none of its 20 rows can be used \(dropped: leak 20\)"):
        lk.load_csv(path, test=path)


def test_one_column_cannot_be_both_text_and_label(tmp_path):
    with pytest.raises(BadInput, match="ambiguous"):
        load(tmp_path, "text,label\n" + lines(), label="text")


@pytest.mark.parametrize(
    "names, message",
    [
        ({"0": "no"}, r"unknown labels: 1, the first in line 3\. Known are: 0"),
        (["yes", "maybe"], None),  # names for 0 and 1
        (["a", "b", "c"], r"too few rows: 'c' \(0\)"),
        (["a", "a"], "won't do: give two or more different names"),
        (["a"], "won't do"),
        ("ab", "won't do"),
        ({"0": "same", "1": "same"}, r"one class only \(same\)"),
    ],
)
def test_names_that_do_not_fit_are_refused(tmp_path, names, message):
    if message is None:
        assert load(tmp_path, "text,label\n" + lines(), labels=names).labels == tuple(names)
        return
    with pytest.raises(BadInput, match=message):
        load(tmp_path, "text,label\n" + lines(), labels=names)


@pytest.mark.parametrize("valid, test", [(0, 0.1), (0.1, -1), (0.5, 0.5), (2, 0.1), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_are_refused(tmp_path, valid, test):
    with pytest.raises(BadInput, match=r"together less than 0\.9"):
        load(tmp_path, "text,label\n" + lines(), valid_share=valid, test_share=test)


# The hub


@pytest.fixture
def hub(monkeypatch):
    """Stands in for the hub: `hub["org/name"] = {"train": [(text, label), …]}`; the calls are kept in `hub.calls`."""

    class Hub(dict):
        calls: list

    made = Hub()
    made.calls = []

    def load_dataset(name, config=None):
        made.calls.append((name, config))
        return made[name]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr("labkit.data.hub_sets.hub_answers", lambda: True)
    return made


def hub_table(rows, names=None, columns=("text", "label")):
    """A real `datasets` table; with names its labels are a ClassLabel."""
    kind = datasets.ClassLabel(names=names) if names else None
    table = datasets.Dataset.from_dict({c: [r[i] for r in rows] for i, c in enumerate(columns)})
    return table.cast_column(columns[1], kind) if kind else table


def numbered(n, labels=(0, 1), start=0):
    return [(f"第{i}条评论", labels[i % len(labels)]) for i in range(start, start + n)]


def test_hub_class_labels_keep_their_names_and_order(hub):
    hub["org/name"] = datasets.DatasetDict(
        train=hub_table(numbered(40), ["pos", "neg"]),
        validation=hub_table(numbered(6, start=100), ["pos", "neg"]),
        test=hub_table(numbered(8, start=200), ["pos", "neg"]),
        unsupervised=hub_table(numbered(8, start=300), ["pos", "neg"]),
    )
    corpus = lk.load_hub("org/name", "zh", limit=10)
    assert corpus.labels == ("pos", "neg") and corpus.name == "name" and hub.calls == [("org/name", "zh")]
    assert [len(rows) for rows in corpus.splits.values()] == [10, 6, 8]
    assert {r.input: r.target for r in corpus.test}["第200条评论"] == 0


@pytest.mark.parametrize(
    "labels, names",
    [((0, 1), ("0", "1")), ((1.0, 0.0), ("0", "1")), (("坏", "好"), ("坏", "好")), ((True, False), ("False", "True"))],
)
def test_hub_labels_may_be_numbers_or_words(hub, labels, names):
    hub["org/name"] = {"train": hub_table(numbered(40, labels), columns=("review", "stars"))}
    corpus = lk.load_hub("org/name", text="review", label="stars")
    assert corpus.labels == names and [len(rows) for rows in corpus.splits.values()] == [32, 4, 4]


def test_hub_rows_without_text_are_dropped_and_a_class_without_rows_is_left_out(hub):
    rows = [(None, 0), ("  ", 1), *numbered(40)]
    hub["org/name"] = {"train": hub_table(rows, ["no", "yes", "never"])}
    corpus = lk.load_hub("org/name")
    assert corpus.labels == ("no", "yes") and dropped(corpus) == {"empty": 2}


def test_a_hub_split_with_withheld_labels_is_left_out_and_said(hub):
    hub["glue/like"] = {
        "train": hub_table(numbered(40), ["no", "yes"]),
        "test": hub_table(numbered(7, (-1,), start=100), ["no", "yes"]),
    }
    corpus = lk.load_hub("glue/like")
    assert len(corpus.test) == 4 and dropped(corpus) == {"unlabelled": 7}


@pytest.mark.parametrize(
    "splits, message",
    [
        ({"train": [("好", None), *numbered(9)]}, r"org/name\[train\]: 1 rows have no label, the first in line 1"),
        ({"train": [*numbered(9), ("好", -1)]}, "1 rows have no label, the first in line 10"),
        ({"test": numbered(9)}, "no split 'train'"),
        ({"train": numbered(9), "test": numbered(9, (0, 2))}, r"\[test\] has unknown labels: 2"),
    ],
)
def test_hub_data_that_cannot_be_used_gets_a_clear_message(hub, splits, message):
    names = ["no", "yes"] if any(label == -1 for rows in splits.values() for _, label in rows) else None
    hub["org/name"] = {name: hub_table(rows, names) for name, rows in splits.items()}
    with pytest.raises(BadInput, match=message):
        lk.load_hub("org/name")


def test_hub_columns_are_checked(hub):
    hub["org/name"] = {"train": hub_table(numbered(9), columns=("sentence", "label"))}
    with pytest.raises(BadInput, match=r"org/name\[train\] has no column 'text', only: sentence, label"):
        lk.load_hub("org/name")
    hub["org/name"] = {"train": hub_table([("a b", [0, 1]), ("c", [1])])}
    with pytest.raises(BadInput, match="holds lists or dicts"):
        lk.load_hub("org/name")


def test_a_hub_value_becomes_the_word_that_a_csv_would_hold():
    names = ["no", "yes"]
    assert [cell(v, names, "x") for v in (0, 1, -1, None, " yes ")] == ["no", "yes", "", "", "yes"]
    assert [cell(v, (), "x") for v in (0, -1, True, 2.5, None)] == ["0", "-1", "True", "2.5", ""]


@pytest.fixture
def folder(tmp_path):
    """A data set as people keep it: a folder with two small CSV files."""
    place = tmp_path / "my reviews"
    place.mkdir()
    write(place, "text,label\n好吃,1\n好吃,1\n" + lines(40, start=1), "train.csv")
    write(place, "text,label\n" + lines(10, start=100), "test.csv")
    return place


def test_a_local_folder_goes_through_the_real_datasets_library(folder):
    corpus = lk.load_hub(str(folder))
    assert [len(rows) for rows in corpus.splits.values()] == [37, 4, 10]
    assert corpus.name == "my reviews" and corpus.labels == ("0", "1") and dropped(corpus) == {"duplicate": 1}
    assert lk.load_csv(folder / "train.csv", test=folder / "test.csv").test == corpus.test


def test_a_data_set_saved_to_disk_is_read_too(tmp_path):
    datasets.DatasetDict(train=hub_table(numbered(40), ["no", "yes"])).save_to_disk(tmp_path / "saved")
    hub_table(numbered(40), ["no", "yes"]).save_to_disk(tmp_path / "one")
    both = [lk.load_hub(str(tmp_path / name)) for name in ("saved", "one")]
    assert both[0].splits == both[1].splits and both[0].labels == ("no", "yes")


def test_a_folder_that_datasets_cannot_read_gets_a_clear_message(tmp_path):
    with pytest.raises(BadInput, match=r"Cannot read the data set .*(?s:.)Three ways out"):
        lk.load_hub(str(tmp_path))


def test_without_a_network_the_message_names_three_ways_out_at_once(unplugged):
    with pytest.raises(BadInput) as caught:
        lk.load_hub("nobody/nothing")
    assert "Cannot read the data set 'nobody/nothing'" in str(caught.value)
    assert all(way in str(caught.value) for way in ("local folder", "HF_ENDPOINT to a mirror", "load_csv"))
    assert len(unplugged) == 1  # one look for the hub, no retries
    assert not datasets.config.HF_HUB_OFFLINE


@pytest.mark.parametrize("lang, words", [("en", "restart Python"), ("zh", "再重启 Python")])
def test_a_mirror_set_too_late_is_said(hub, monkeypatch, lang, words):
    monkeypatch.setenv("LABKIT_LANG", lang)
    hub["org/name"] = {"train": hub_table(numbered(40))}
    assert lk.load_hub("org/name").labels == ("0", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    with pytest.raises(BadInput, match=words) as caught:
        lk.load_hub("org/name")
    assert stale_endpoint() in str(caught.value) and "HF_ENDPOINT" in str(caught.value)


def test_a_mirror_taken_away_too_late_is_said_and_one_set_in_time_is_not(hub, monkeypatch):
    hub["org/name"] = {"train": hub_table(numbered(40))}
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://mirror.example")
    with pytest.raises(BadInput, match=r"still asks http://mirror\.example"):
        lk.load_hub("org/name")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example/")
    assert lk.load_hub("org/name").labels == ("0", "1")


def test_a_late_mirror_does_not_matter_to_a_local_folder(folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    assert len(lk.load_hub(str(folder)).test) == 10


def test_without_the_datasets_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match=r"pip install 'labkit\[hub\]'"):
        lk.load_hub("org/name")


# Batches


def random_lengths(n=997):
    rng = random.Random(2)
    return [min(128, 4 + int(rng.expovariate(1 / 20))) for _ in range(n)]


@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 2000])
def test_every_row_comes_once_in_full_batches_but_for_one(bucket, batch_size):
    batches = batch_order(random_lengths(), batch_size, seed=0, epoch=0, bucket=bucket)
    assert sorted(i for b in batches for i in b) == list(range(997))
    assert sorted({len(b) for b in batches} - {batch_size}) == ([997 % batch_size] if 997 % batch_size else [])
    assert sum(len(b) != batch_size for b in batches) <= 1


@pytest.mark.parametrize("bucket", [True, False])
def test_order_is_a_function_of_seed_and_epoch_alone(bucket):
    def order(seed, epoch):
        return batch_order(random_lengths(), 16, seed=seed, epoch=epoch, bucket=bucket)

    first = order(0, 0)
    random.seed(99)
    assert order(0, 0) == first
    assert order(0, 1) != first and order(1, 0) != first and order(0, 1) != order(1, 0)
    assert {frozenset(b) for b in order(0, 1)} != {frozenset(b) for b in first}  # other rows meet, not only other order


def test_rows_of_like_length_share_a_batch_in_a_random_order_of_batches():
    lengths = random_lengths()
    bucketed, plain = (batch_order(lengths, 16, seed=0, epoch=0, bucket=b) for b in (True, False))
    assert padding_share(lengths, bucketed) < 0.05 < 0.4 < padding_share(lengths, plain)
    longest = [max(lengths[i] for i in b) for b in bucketed]
    assert longest != sorted(longest) and longest != sorted(longest, reverse=True)


def test_padding_share_agrees_with_counting():
    batches = [[0, 1], [2]]
    assert padding_share([2, 4, 5], batches) == pytest.approx(2 / 13)
    assert padding_share([2, 4, 5], batches, width=10) == pytest.approx(1 - 11 / 30)
    assert padding_share([], []) == 0
