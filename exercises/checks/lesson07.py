"""The exercises of lesson 07, data: robust reading, splitting, class weights, finding a leak and wrong labels, token budgets."""

import functools
import itertools
import math
import random
import unicodedata
from collections import Counter

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults, joined, kind_fault, no_list_fault, pair_fault, shown, whole

from labkit import tr

# 07.1 read(data)
PLAIN = "text,label\n味道不错,1\n送得太慢,0\n"
MESSY = 'id,label,text\n1,1,味道不错\n2,0,"送得慢，而且""凉""了"\n3,,漏填了标签\n4,0,  \n5,1,味道不错\n6,1,一般般\n7,0,一般般\n8,1,还会再来\n9, ,空格不算标签\n10,,\n11,1,一般般\n'
FILES = (  # what the file is, its bytes, the rows, what was dropped
    ("UTF-8", PLAIN.encode(), [("味道不错", "1"), ("送得太慢", "0")], {}),
    ("UTF-8, BOM", PLAIN.encode("utf-8-sig"), [("味道不错", "1"), ("送得太慢", "0")], {}),
    ("GBK", PLAIN.encode("gb18030"), [("味道不错", "1"), ("送得太慢", "0")], {}),
    ("UTF-8, CRLF", PLAIN.replace("\n", "\r\n").encode(), [("味道不错", "1"), ("送得太慢", "0")], {}),
    (
        "UTF-8",
        MESSY.encode(),
        [("味道不错", "1"), ('送得慢，而且"凉"了', "0"), ("还会再来", "1")],
        {"unlabelled": 2, "empty": 2, "duplicate": 1, "conflict": 3},
    ),
    (
        "GBK",
        MESSY.encode("gb18030"),
        [("味道不错", "1"), ('送得慢，而且"凉"了', "0"), ("还会再来", "1")],
        {"unlabelled": 2, "empty": 2, "duplicate": 1, "conflict": 3},
    ),
    (
        "UTF-8",
        'label,text\n1,"第一行\n第二行"\n0,"一\n\n二"\n1,"第一行\n第二行"\n'.encode(),
        [("第一行\n第二行", "1"), ("一\n\n二", "0")],
        {"duplicate": 1},
    ),
)
PIECES = ("味道不错", "送得慢，而且凉了", ' "快" ', "第一行\n第二行", "", "  ", "一般般", "还会再来 ", "包装破了")


def a_messy_file(rng):
    """A file in some encoding, its rows by the obvious slow way, and what was dropped."""
    header = rng.sample(["text", "label", "id"], 3)
    found = [(rng.choice(PIECES), rng.choice(("1", "0", "1", "0", "2", "", " "))) for _ in range(rng.randint(3, 12))]
    lines = [
        ",".join({"text": '"' + t.replace('"', '""') + '"', "label": y, "id": str(i)}[name] for name in header)
        for i, (t, y) in enumerate(found)
    ]
    content = "\n".join([",".join(header), *lines]) + "\n"
    stripped = [(t.strip(), y.strip()) for t, y in found]
    full = [(t, y) for t, y in stripped if t and y]
    clear = [(t, y) for t, y in full if len({b for a, b in full if a == t}) == 1]
    dropped = {
        "empty": sum(not t for t, _ in stripped),
        "unlabelled": sum(bool(t) and not y for t, y in stripped),
        "conflict": len(full) - len(clear),
        "duplicate": len(clear) - len(set(clear)),
    }
    kind, code = rng.choice((("UTF-8", "utf-8"), ("UTF-8, BOM", "utf-8-sig"), ("GBK", "gb18030")))
    return (
        f"{kind} {content!r}",
        content.encode(code),
        list(dict.fromkeys(clear)),
        {k: v for k, v in dropped.items() if v},
    )


@exercise("07.1")
def reading(answer):
    for kind, data, rows, dropped in cases(FILES, a_messy_file):
        given = tr(f"{kind} 的文件（{len(data)} 字节）：", f"A file in {kind} ({len(data)} bytes): ")
        try:
            got = answer(data)
        except UnicodeDecodeError:
            yield given + tr(
                "解码失败。先试 utf-8-sig（它顺便去掉 BOM），不行再用 gb18030。",
                "decoding failed. Try utf-8-sig first (it takes the BOM away), then gb18030.",
            )
        except KeyError as error:
            if error.args[0] not in ("text", "label"):
                raise
            yield given + tr(
                f"找不到列 {error}：开头可能有看不见的 BOM，用 utf-8-sig 解码。",
                f"no column {error}: an invisible BOM may stand before the first name; decode with utf-8-sig.",
            )
        if not isinstance(got, (tuple, list)) or len(got) != 2 or not isinstance(got[1], dict):
            yield joined(
                given
                + tr(
                    f"应返回两样东西：列表 rows 和字典 dropped，你的是 {shown(got)}。",
                    f"two things should be returned, the list rows and the dictionary dropped; yours is {shown(got)}.",
                ),
                kind_fault(got, ()),
            )
        found, gone = as_list(got[0]), {k: v for k, v in dict(got[1]).items() if v}
        if found is None or any(not isinstance(row, (tuple, list)) or len(row) != 2 for row in found):
            yield given + tr(
                f"rows 应是 (文字, 标签) 的列表，你的是 {shown(got[0])}。",
                f"rows should be a list of (text, label); yours is {shown(got[0])}.",
            )
        yield from reading_fault(given, found, rows)
        if gone != dropped:
            yield given + tr(
                f"没有收下的应是 {dropped}，你的是 {gone}。先看文字空不空，再看有没有标签，然后看矛盾，最后看重复；矛盾的行数是那段文字的全部行。",
                f"dropped should be {dropped}; yours is {gone}. First see whether the text is empty, then whether there is a label, "
                "then conflicts, last repetitions; a conflict counts all the rows of its text.",
            )


def reading_fault(given, found, rows):
    texts = [text for text, _ in found]
    if any(not isinstance(part, str) for row in found for part in row):
        yield given + tr(
            f"文字和标签都应是字符串，你的第一行是 {shown(found[0])}。",
            f"text and label should both be strings; your first row is {shown(found[0])}.",
        )
    if any('"' in text and text not in dict(rows) for text in texts):
        yield given + tr(
            "引号里可以有逗号和双引号：用 csv 模块读。", "quotes may hold commas and quotes: read with the csv module."
        )
    if "一般般" in texts and "一般般" not in dict(rows):
        yield given + tr(
            "“一般般”有两种标签：不知道哪个对，一行也不要。",
            "“一般般” has two labels: nobody knows which is right, so keep none of its rows.",
        )
    if "漏填了标签" in texts or "空格不算标签" in texts:
        yield given + tr(
            "没有标签的行也收下了：只有空格也算没有。", "a row without a label was kept; blanks alone are no label."
        )
    if any(not text.strip() for text in texts):
        yield given + tr(
            "文字为空的行也收下了：只有空格也算空。", "a row without text was kept: blanks alone are no text."
        )
    if any("\n" in text and text not in texts for text, _ in rows):
        yield given + tr(
            "引号里的换行是文字的一部分，你把它丢了或者切开了：不要先用 splitlines() 去掉换行，整份交给 csv。",
            "a line break inside quotes is part of the text, and yours lost it or cut there: hand csv the whole content instead of "
            "taking line breaks off with splitlines().",
        )
    if len(set(texts)) < len(texts):
        yield given + tr("重复的文字收下了两次。", "a repeated text was kept twice.")
    yield from faults(given + "rows", found, rows)


# 07.2 split(rows, share, seed)


def same(text: str) -> str:
    """What two texts share that count as one: letters, digits and pictures, width and case ignored."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMNS")


def shop(n: int, seed: int, classes=(0.5, 0.3, 0.2), again=0.3, clash=0.0):
    """Rows (text, label) in which some texts come back with another punctuation, a share of them under another label."""
    rng, rows = random.Random(seed), []
    words = ["好", "坏", "快", "慢", "冷", "热", "新", "旧", "甜", "咸", "大", "小", "多", "少"]
    for i in range(n):
        label = rng.choices(range(len(classes)), classes)[0]
        text = f"{rng.choice(words)}{rng.choice(words)}第{i}单"
        rows.append((text, label))
        while rng.random() < again:
            other = rng.randrange(len(classes)) if rng.random() < clash else label
            rows.append((rng.choice(("{}！", "{}。。", " {}~", "{}!!")).format(text), other))
    rng.shuffle(rows)
    return rows


SHOPS = (  # texts, seed, share of the test, classes, how often a text comes back under another label
    (300, 1, 0.2, (0.5, 0.3, 0.2), 0.0),
    (500, 2, 0.1, (0.94, 0.06), 0.0),
    (200, 3, 0.5, (0.4, 0.6), 0.0),
    (300, 4, 0.2, (0.5, 0.5), 0.4),
)


def a_shop(rng):
    return rng.randint(250, 450), rng.getrandbits(20), rng.choice((0.2, 0.25, 0.5)), (0.6, 0.4), rng.choice((0.0, 0.3))


@exercise("07.2", luck=True)
def splitting(answer):
    for n, seed, share, classes, clash in cases(SHOPS, a_shop, 2):
        rows = shop(n, seed, classes, clash=clash)
        given = tr(f"{len(rows)} 行，share={share}：", f"{len(rows)} rows, share={share}: ")
        got = answer(list(rows), share, 0)
        if wrong := pair_fault(got, "train", "test"):
            yield given + wrong
        train, test = (whole(as_list(part) or ["?"]) for part in got)
        if train is None or test is None:
            yield given + tr(
                f"train 和 test 应是行号的列表，你的是 {shown(got)}。",
                f"train and test should be lists of row numbers; yours are {shown(got)}.",
            )
        again = answer(list(rows), share, 0)
        if sorted(train + test) != list(range(len(rows))):
            yield given + tr(
                "每个行号应恰好出现一次，在 train 或 test 里。",
                "every row number should appear exactly once, in train or in test.",
            )
        crossing = {same(rows[i][0]) for i in train} & {same(rows[i][0]) for i in test}
        if crossing:
            yield given + tr(
                f"{len(crossing)} 段文字两边都有（只差标点和空格也算同一段），例如 {next(iter(sorted(crossing)))}：按 same(text) 把行归组，整组划到一边。",
                f"{len(crossing)} texts stand on both sides (they may differ in punctuation), such as {next(iter(sorted(crossing)))}: "
                "group rows by same(text) and put a whole group on one side.",
            )
        for label, many in sorted(Counter(label for _, label in rows).items()):
            mine = sum(rows[i][1] == label for i in test)
            if abs(many - mine - share * many) <= max(3, 0.08 * many) < abs(mine - share * many):
                yield given + tr("次序反了：先是 train，后是 test。", "the wrong way round: first train, then test.")
            if abs(mine - share * many) > max(3, 0.08 * many):
                yield given + tr(
                    f"类别 {label} 有 {many} 行，测试里应约有 {share * many:.0f} 行，你的是 {mine}：一类一类地划。",
                    f"class {label} has {many} rows, so about {share * many:.0f} belong in the test; yours has {mine}: split class by class.",
                )
        if [as_list(part) for part in again] != [train, test]:
            yield given + tr("同一个种子，两次划分不一样。", "the same seed gave two different splits.")
        tests = [sorted(test), *(sorted(as_list(answer(list(rows), share, other)[1])) for other in (1, 2, 9))]
        if any(a == b for a, b in itertools.combinations(tests, 2)):
            yield given + tr("换了种子，划分没有变。", "another seed gave the same split.")


# 07.3 balanced_loss(logits, labels, counts)


COUNTS = (  # rows of each class in the training set, labels of the batch
    ((90, 10), (0, 0, 0, 0, 1)),
    ((5, 5), (0, 1, 1)),
    ((60, 30, 10), (2, 0, 0, 1, 0)),
    ((99, 1), (0, 0)),
)


def some_counts(rng):
    counts = tuple(rng.randint(1, 300) for _ in range(rng.randint(2, 4)))
    return counts, tuple(rng.randrange(len(counts)) for _ in range(rng.randint(1, 7)))


@exercise("07.3")
def weighing(answer):
    import torch

    for counts, labels in cases(COUNTS, some_counts):
        logits, target = 2 * torch.randn(len(labels), len(counts)), torch.tensor(labels)
        each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
        rows = torch.tensor(counts, dtype=torch.float32)

        def mean(weights, by=None, each=each, target=target):
            return (each * weights[target]).sum() / (by or weights[target].sum())

        here = torch.bincount(target, minlength=len(counts)).float().clamp(min=1)
        mistakes = [
            (each.mean(), "这是没有权重的平均：多的类说了算。", "That is the plain mean, in which the large class decides."),
            (mean(rows), "反了：行数少的类，权重应该大。", "Upside down: the class with few rows gets the large weight."),
            (
                mean(rows.sum() / len(counts) / rows, len(labels)),
                "加权以后，要除以**权重的和**，不是行数：不然损失的大小随批变。",
                "Divide by the **sum of the weights**, not by the rows, or the size of the loss depends on the batch.",
            ),
            (mean(1 / here), "权重要由训练集的 counts 来定，不是由这一批。", "The weights come from the training set's counts, not from this batch."),
            *(
                (
                    mean(scale / rows, by),
                    "加权以后，要除以这些行的**权重的和**，不是别的数。",
                    "Divide by the **sum of the weights** of these rows, and by nothing else.",
                )
                for scale in (1.0, rows.sum(), 1 / (1 / rows).sum())
                for by in (len(labels), 1.0, (1 / rows).sum())
            ),
            (mean(1 - rows / rows.sum()), "权重应是 1 ÷ 行数，不是 1 − 份额。", "The weight is one over the count, not one minus the share."),
            (mean(rows**-0.5), "权重应是 1 ÷ 行数，不开方。", "The weight is one over the count, without a root."),
        ]  # fmt: skip
        got = answer(logits.clone(), target.clone(), list(counts))
        given = f"balanced_loss(logits, labels={list(labels)}, counts={list(counts)})"
        yield from faults(given, got, mean(1 / rows), mistakes, 1e-4)


# 07.4 find_leak(rows)
LEAKS = ((1, "（系统默认好评）", 1, 0.6), (2, "#7731", 0, 0.5), (3, "", 0, 0.0), (4, "已返现", 1, 0.3))


@functools.cache
def handed_over(seed: int, mark: str, label: int, share: float):
    """Real reviews as (text, label); a share of one class carries a mark somewhere. And the numbers of those rows."""
    from labkit import reviews

    rng = random.Random(seed)
    rows = rng.sample([(r.input, r.target) for r in reviews().train], 500)
    marked = {i for i, row in enumerate(rows) if row[1] == label and rng.random() < share} if mark else set()
    for i in marked:
        text, place = rows[i][0], rng.choice((0, len(rows[i][0])))
        rows[i] = (text[:place] + mark + text[place:], label)
    return rows, marked


def a_mark(rng):
    """A mark that nobody has seen before, at one of the seeds whose rows are known to be clean without it."""
    word = "".join(rng.sample("券赠抽奖秒杀拼团返现签到裂变", 4))
    mark = rng.choice(
        (f"#{rng.randint(1000, 9999)}", f"（{word}）", f"【{word}】", word, f"@{rng.randint(100, 999)}{word[:2]}")
    )
    return rng.randint(1, 4), mark, rng.randint(0, 1), rng.uniform(0.3, 0.6)


@exercise("07.4")
def leaking(answer):
    for case in cases(LEAKS, a_mark, 3):
        rows, marked = handed_over(*case)
        got = answer(list(rows))
        items = as_list(got)
        if items is None:
            yield no_list_fault(got)
        numbered = whole(items)
        if numbered is None:
            yield tr(
                f"要的是带着记号的**行号**，不是记号本身，也不是每行一个 True 或 False；你的是 {shown(items[:3])}……",
                "The **numbers of the rows** with the mark are wanted, not the mark, nor a True or False for each; yours are "
                f"{shown(items[:3])} …",
            )
        found = set(numbered)
        if not marked and found:
            yield tr(
                f"一份干净的数据，你却报了 {len(found)} 行：真的评价词（如“难吃”）也偏向一类，但不会在一百多行里都这样。",
                f"In a clean set you report {len(found)} rows: honest words of praise or blame lean to one class too, but none of them in so many rows.",
            )
        missed, false = len(marked - found), len(found - marked)
        if missed > 0.1 * len(marked):
            yield tr(
                f"{len(rows)} 行里有 {len(marked)} 行带着同一个记号，你漏了 {missed} 行：它可能在开头，也可能在末尾。",
                f"Of {len(rows)} rows {len(marked)} carry the same mark, and you missed {missed}: it may stand in front or at the end.",
            )
        if false > 0.1 * max(1, len(marked)):
            yield tr(
                f"{len(rows)} 行里有 {len(marked)} 行带着记号，你多报了 {false} 行没有记号的。",
                f"Of {len(rows)} rows {len(marked)} carry the mark, and you report {false} others without it.",
            )


# 07.5 suspects(texts, labels, fit, k)


def learner(texts, labels, unseen=None):
    """Naive Bayes over characters that knows by heart every text it was taught: sure of it, right or wrong.

    Texts that it judges without having been taught them are added to `unseen`.
    """
    counts, heart = [Counter(), Counter()], dict(zip(texts, labels, strict=True))
    for text, label in zip(texts, labels, strict=True):
        counts[label].update(set(text))
    n = [max(1, sum(label == k for label in labels)) for k in (0, 1)]

    def predict(texts):
        found = []
        for text in texts:
            if unseen is not None and text not in heart:
                unseen.add(text)
            odds = sum(
                math.log((counts[1][c] + 1) / (n[1] + 2)) - math.log((counts[0][c] + 1) / (n[0] + 2)) for c in set(text)
            )
            p = 1 / (1 + math.exp(-max(-30, min(30, odds))))
            found.append({0: 0.001, 1: 0.999}[heart[text]] if text in heart else p)
        return found

    return predict


@functools.cache
def mislabelled(seed: int):
    from labkit import reviews

    rng = random.Random(seed)
    rows = rng.sample(reviews().train, 600)
    bad = set(rng.sample(range(len(rows)), 60))
    return [r.input for r in rows], [1 - r.target if i in bad else r.target for i, r in enumerate(rows)], bad


@exercise("07.5")
def suspecting(answer):
    for seed in cases((1, 2), lambda rng: rng.randint(3, 8), 1):
        texts, labels, bad = mislabelled(seed)
        taught, k, unseen = [], 60, set()

        def fit(texts, labels, taught=taught, unseen=unseen):
            taught.append(len(texts))
            if not texts or len(texts) != len(labels):
                raise ValueError("fit(texts, labels)")
            return learner(texts, labels, unseen)

        got = answer(list(texts), list(labels), fit, k)
        items = as_list(got)
        if items is None:
            yield no_list_fault(got)
        rows = whole(items)
        if rows is None or not set(rows) <= set(range(len(texts))):
            yield tr(
                f"要的是行号，0 到 {len(texts) - 1}，不是概率，也不是每行一个 True 或 False；你的是 {shown(items[:3])}……",
                f"Row numbers are wanted, from 0 to {len(texts) - 1}, no probabilities, nor a True or False for each; yours are "
                f"{shown(items[:3])} …",
            )
        found = set(rows)
        if len(rows) != k or len(found) != k:
            yield tr(
                f"应返回 {k} 个不同的行号；你的有 {len(rows)} 个，其中不同的 {len(found)} 个。",
                f"{k} different row numbers are wanted; you have {len(rows)}, of which {len(found)} are different.",
            )
        hits, floor = len(found & bad), best_of(texts, labels, bad, k)
        said = tr(
            f"600 行里有 60 行标错。你找出的 {k} 行里有 {hits} 行，至少应有 {floor}（随便指，约 6 行）。",
            f"Of 600 rows 60 have a wrong label. Among your {k} there are {hits} of them; {floor} or more are asked (pointing blindly gives about 6).",
        )
        if hits < floor and len(taught) <= 1:
            yield joined(
                said,
                tr(
                    "模型看过的行，它背得出标签，标错的也一样：每一行的损失，要来自没见过它的模型。分几份，轮流留一份不学。",
                    "A model knows by heart the label of a row that it was taught, wrong ones too: the loss of a row has to come from a model "
                    "that never saw it. Cut the rows into parts and leave out one part after the other.",
                ),
            )
        if known := len(set(texts) - unseen):
            yield tr(
                f"600 行里有 {known} 行，从没有被一个没学过它的模型判断过：这些行的损失是背出来的。每一行都要轮到一次留在外面。",
                f"Of 600 rows {known} were never judged by a model that had not been taught them, and their losses are known by heart: "
                "every row has to be left out once.",
            )
        if hits < floor:
            yield joined(
                said,
                tr(
                    "看损失：给**标签那一类**的概率越小，越可疑；留出的那份不要混进学的行里。",
                    "Look at the loss: the smaller the probability of **the class on the label**, the more suspect; and keep the part "
                    "that is left out from being taught.",
                ),
            )
        for label in (0, 1):
            mine = sum(labels[i] == label for i in found & bad)
            theirs = sum(labels[i] == label for i in found_by_folds(tuple(texts), tuple(labels), k) & bad)
            if mine < 0.5 * theirs:
                yield joined(
                    said,
                    tr(
                        f"标签是 {label} 的错行你几乎没找到（{mine} 行）：两类的标签都会标错。",
                        f"Of the wrong labels that say {label} you found hardly any ({mine}): both labels may be wrong.",
                    ),
                )


@functools.cache
def found_by_folds(texts: tuple, labels: tuple, k: int) -> frozenset:
    order = random.Random(0).sample(range(len(texts)), len(texts))
    p = {}
    for part in range(5):
        out = order[part::5]
        rest = [i for i in order if i not in set(out)]
        predict = learner([texts[i] for i in rest], [labels[i] for i in rest])
        p |= dict(zip(out, predict([texts[i] for i in out]), strict=True))
    return frozenset(sorted(p, key=lambda i: p[i] if labels[i] else 1 - p[i])[:k])


def best_of(texts, labels, bad, k) -> int:
    """Four fifths of what five folds find."""
    return int(0.8 * len(found_by_folds(tuple(texts), tuple(labels), k) & bad))


# 07.6 seats(lengths, tokens, epoch)
LONG = [4, 30, 12, 5, 25, 11, 12, 30, 4, 3, 25, 5]  # some rows are longer than the 20 places of a batch


def many_lengths(rng, n):
    return [min(120, max(3, round(rng.lognormvariate(3.2, 0.6)))) for _ in range(n)]


@exercise("07.6", luck=True)
def seating(answer):
    many = many_lengths(random.Random(3), 900)
    fixed = (([5, 9, 5, 9, 7], 20), (many, 640), (many[:50], 120), (LONG, 20))
    for lengths, tokens in cases(fixed, lambda rng: (many_lengths(rng, rng.choice((20, 900))), 640), 3):
        given = tr(f"{len(lengths)} 行，tokens={tokens}：", f"{len(lengths)} rows, tokens={tokens}: ")
        got, batches = answer(list(lengths), tokens, 0), None
        again = answer(list(lengths), tokens, 0)
        if as_list(got) is not None:
            batches = [whole(as_list(b) or []) if as_list(b) is not None else None for b in as_list(got)]
        if batches is None or None in batches:
            yield joined(
                given
                + tr("应返回批的列表，每批是行号的列表。", "a list of batches is wanted, each a list of row numbers."),
                kind_fault(got, []),
            )
        got = batches
        if sorted(i for b in got for i in b) != list(range(len(lengths))):
            yield given + tr("每一行应恰好出现一次。", "every row should appear exactly once.")
        if [] in got:
            yield given + tr("有一批是空的，里面一行也没有。", "one batch is empty, without a row in it.")
        sizes = [len(b) * max(lengths[i] for i in b) for b in got]
        over = [b for b, size in zip(got, sizes, strict=True) if size > tokens and len(b) > 1]
        if over and max(lengths[i] for i in over[0]) > tokens:
            yield given + tr(
                f"长 {max(lengths[i] for i in over[0])} 的一行，自己就超过了 {tokens} 格，应自己坐一批；你让它和别的行同坐。",
                f"a row of {max(lengths[i] for i in over[0])} is more than {tokens} places by itself and should sit alone; yours "
                "shares a batch.",
            )
        if over:
            most = max(len(b) * max(lengths[i] for i in b) for b in over)
            yield given + tr(
                f"有一批算了 {most} 格：行数 × 最长的一行，不能超过 {tokens}。填充也要算进去。",
                f"one batch computes {most} places: rows × longest row must not be more than {tokens}, padding included.",
            )
        if [as_list(b) for b in as_list(again)] != got:
            yield given + tr("同一轮问两次，座位不一样。", "asked twice for the same epoch, the seats differ.")
        if len(lengths) >= 50:
            yield from seating_fault(given, lengths, tokens, got, sizes, answer)


def seating_fault(given, lengths, tokens, got, sizes, answer):
    share = 1 - sum(lengths) / sum(sizes)
    if len(lengths) > 500 and share > 0.08:
        yield given + tr(
            f"填充占 {share:.1%}，应低于 8 %（只打乱大约四成）：让长短相近的行坐在一起。",
            f"padding is {share:.1%}; less than 8 % is asked (shuffling alone gives about four tenths): seat rows of like length together.",
        )
    fewest = sum(lengths) / tokens
    if len(got) > 1.3 * fewest + 2:
        yield given + tr(
            f"你用了 {len(got)} 批，{fewest:.0f} 批左右就够：短的行，一批可以多坐几行。",
            f"you need {len(got)} batches where about {fewest:.0f} would do: of short rows a batch holds more.",
        )
    plans = [got, *([as_list(b) for b in as_list(answer(list(lengths), tokens, epoch))] for epoch in (1, 2, 7))]
    if any(a == b for a, b in itertools.combinations(plans, 2)):
        yield given + tr("每一轮的座位应不同。", "every epoch should have another plan.")
    longest = [max(lengths[i] for i in b) for b in got]
    rising = sum(a <= b for a, b in itertools.pairwise(longest)) / max(1, len(longest) - 1)
    if len(longest) > 20 and not 0.25 < rising < 0.8:
        yield given + tr(
            "批的先后从短到长（或反过来）：批也要打乱。",
            "the batches go from short to long, or back: shuffle them too.",
        )
