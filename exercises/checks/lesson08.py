"""The exercises of lesson 08, is it good: macro-F1, a paired interval, calibration, temperature, counterfactuals, a bias repaired."""

import functools
import random
import zlib
from collections import Counter

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, joined, kind_fault, near, numbers, pair_fault, shown

from labkit import tr


def counts(truth, said, label):
    """(right, said, real) of one class."""
    right = sum(t == s == label for t, s in zip(truth, said, strict=True))
    return right, said.count(label), truth.count(label)


def f1_of(truth, said, label) -> float:
    right, spoken, real = counts(truth, said, label)
    return 2 * right / (spoken + real)


ANSWERS = (  # truth, what is said
    (["bad", "good", "good", "bad", "good", "good", "good"], ["bad", "good", "bad", "bad", "good", "bad", "good"]),
    (["good"] * 6 + ["bad"] * 2, ["good"] * 8),
    ([0, 0, 1, 1, 2, 2, 2, 0], [0, 1, 1, 1, 2, 0, 2, 0]),
    ([0, 1, 1, 0], [0, 1, 3, 0]),
    ([7, 7, 7], [7, 7, 7]),
)


def some_answers(rng):
    labels, n = rng.choice(([0, 1], ["a", "b", "c"], [3, 5, 8, 9])), rng.randint(1, 9)
    return [rng.choice(labels) for _ in range(n)], [rng.choice(labels) for _ in range(n)]


@exercise("08.1")
def macro_f1(answer):
    for truth, said in cases(ANSWERS, some_answers):
        labels = sorted({*truth, *said})
        each = [f1_of(truth, said, x) for x in labels]
        real = [x for x in labels if x in truth]
        spoken = [f1_of(truth, said, x) for x in labels if x in said]
        accuracy = sum(t == s for t, s in zip(truth, said, strict=True)) / len(truth)
        shares = [counts(truth, said, x) for x in labels]
        precision = sum(r / s if s else 0 for r, s, _ in shares) / len(labels)
        recall = sum(r / n if n else 0 for r, _, n in shares) / len(labels)
        yield from faults(
            f"macro_f1({truth}, {said})",
            answer(list(truth), list(said)),
            sum(each) / len(labels),
            [
                (
                    sum(spoken) / len(spoken),
                    "从来没被说到的类别也要算：它的 F1 是 0，不能跳过。",
                    "A class that is never said counts too: its F1 is 0, and skipping it flatters the model.",
                ),
                (
                    sum(f1_of(truth, said, x) for x in real) / len(real),
                    "不在真相里、却被说到的类别也要算：它的 F1 是 0。",
                    "A class that is said though it is not among the truth counts too: its F1 is 0.",
                ),
                (accuracy, "这是准确率（也就是 micro-F1）。", "This is the accuracy (and so the micro-F1)."),
                (
                    sum(f1_of(truth, said, x) * truth.count(x) for x in labels) / len(truth),
                    "你按行数加权了；macro 是各类一样重。",
                    "You weighted classes by their rows; macro means that each class weighs the same.",
                ),
                (
                    2 * precision * recall / (precision + recall) if precision + recall else 0.0,
                    "先求各类的 F1 再平均，不是先平均精确率和召回率。",
                    "Take the mean of the classes' F1, not the F1 of mean precision and mean recall.",
                ),
                (recall, "这是召回率的平均。", "This is the mean recall."),
                (precision, "这是精确率的平均。", "This is the mean precision."),
            ],
        )


PAIRS = ((600, 0.90, 0.85, 0.9, 2), (400, 0.86, 0.80, 0.7, 0), (150, 0.70, 0.72, 0.5, 1))


def two_models(rows, a, b, alike, seed):
    """Right (1) or wrong (0) for two models that agree more often than chance."""
    lots = random.Random(seed)
    hard = [lots.random() for _ in range(rows)]
    same = [lots.random() < alike for _ in range(rows)]
    second = [x if s else lots.random() for x, s in zip(hard, same, strict=True)]
    return [int(x < a) for x in hard], [int(x < b) for x in second]


def a_duel(rng):
    return (
        rng.randint(200, 600),
        rng.uniform(0.6, 0.9),
        rng.uniform(0.6, 0.9),
        rng.uniform(0.4, 0.8),
        rng.getrandbits(20),
    )


@exercise("08.2", again=False)
def paired_interval(answer):
    import numpy as np

    for rows, a, b, alike, seed in cases(PAIRS, a_duel, 1):
        first, second = (np.array(side) for side in two_models(rows, a, b, alike, seed))
        given = tr(f"{rows} 行、抽 2000 次：", f"{rows} rows, 2000 draws: ")
        got = answer(first.tolist(), second.tolist(), 2000)
        got = got.tolist() if hasattr(got, "tolist") else got
        if trouble := pair_fault(got, "low", "high"):
            yield given + trouble
        draws = np.random.default_rng(1).integers(rows, size=(2, 4000, rows))
        each, apart = (first - second)[draws[0]].mean(1), first[draws[0]].mean(1) - second[draws[1]].mean(1)
        want, middle = np.quantile(each, (0.025, 0.975)).tolist(), float(each.mean())
        half = (want[1] - want[0]) / 2
        if any(numbers(x) is None or numbers(x).numel() != 1 for x in got):
            yield given + tr(
                f"(low, high) 应是两个数，你的是 {shown(got)}。",
                f"(low, high) should be two numbers; yours are {shown(got)}.",
            )
        got = [float(x) for x in got]
        middles, widths = ([sum(ends) / 2 for ends in (got, want)], [ends[1] - ends[0] for ends in (got, want)])
        if (
            abs(middles[0] - middles[1]) < 0.1 * half + 1 / rows
            and abs(widths[0] - widths[1]) / 2 < 0.1 * half + 0.5 / rows
        ):
            continue
        yield joined(
            given + interval_words(want, got),
            interval_fault(got, half, middle, apart.std(), each.std(), (first - second).std()),
        )


def interval_words(want, got) -> str:
    a, b = (f"({low:.3f}, {high:.3f})" for low, high in (want, got))
    return tr(f"应约为 {a}，你的是 {b}。", f"about {a} is expected; yours is {b}.")


def interval_fault(got, half, middle, apart, paired, row) -> str:
    """What kind of interval it is instead."""
    low, high = got
    mine = (high - low) / 2
    if near((low, high), (middle, half), 0.06 * half):
        return tr("要的是两端，不是中心和半宽。", "The two ends are wanted, not the middle and half the width.")
    if low > high:
        return tr("次序是（低，高）。", "The order is (low, high).")
    if near(((low + high) / 200, mine / 100), (middle, half), 0.2 * half):
        return tr("准确率是 0 到 1 的数，不是百分数。", "Accuracies are numbers from 0 to 1, not per cent.")
    if high < middle - half / 2 and mine < half / 2:
        return tr(
            "两端都在最低的地方：np.percentile 要的是百分数 2.5 和 97.5，np.quantile 才是 0.025 和 0.975；或者中心算错了。",
            "Both ends are at the very bottom: np.percentile takes 2.5 and 97.5, np.quantile 0.025 and 0.975; or else the middle is off.",
        )
    if near(-(low + high) / 2, middle, 0.3 * abs(middle)) and abs(middle) > half / 5:
        return tr("减反了：应是第一个减第二个。", "The wrong way round: it should be the first minus the second.")
    if mine < half / 20:
        return tr(
            "区间没有宽度：要有放回地抽，抽到的行可以重复。",
            "It has no width: draw with putting back, so that rows may repeat.",
        )
    if abs((low + high) / 2 - middle) > half / 2:
        return tr(
            "中心不对：每次抽样算的是两者准确率之差。",
            "Its middle is off: each draw gives the difference of accuracies.",
        )
    known = (
        (1.96 * apart, "两个模型各抽了各的行：同一次抽样要用同样的行。", "The two models were given rows of their own: in one draw both get the same rows."),
        (1.645 * paired, "这是 90 % 的区间：两头各去掉 2.5 %。", "This is the 90 % interval: cut off 2.5 % at each end."),
        (1.96 * paired * 2**0.5, "宽了四成：每次要抽和原来一样多的行，不是一半。", "It is four tenths too wide: each draw takes as many rows as there are, not half of them."),
        (1.96 * row, "这是一行一行的散布；要的是平均的散布，它小 √n 倍。", "This is how single rows spread; the mean spreads √n times less."),
        (paired, "这是正负一个标准误；95 % 要 2.5 % 和 97.5 % 的分位数。", "This is one standard error to each side; 95 % takes the quantiles at 2.5 % and 97.5 %."),
    )  # fmt: skip
    return next((tr(zh, en) for width, zh, en in known if abs(mine - width) < 0.12 * width), "")


def grouped(sure, hit, bins):
    """Rows sorted by how sure they are, in groups of nearly equal size, the larger first."""
    import numpy as np

    order = np.argsort(sure, kind="stable")
    return [(np.array(sure)[part], np.array(hit)[part]) for part in np.array_split(order, bins) if len(part)]


def cut_at(rows, begins):
    """Sorted rows (sure, hit) in groups that begin at these places."""
    import numpy as np

    ends = [*list(begins)[1:], len(rows)]
    return [tuple(np.array(rows[a:b]).T) for a, b in zip(begins, ends, strict=True)]


def gap(groups, weigh=True, sign=False) -> float:
    total = sum(len(s) for s, _ in groups)
    gaps = [s.mean() - h.mean() for s, h in groups]
    gaps = gaps if sign else [abs(g) for g in gaps]
    weights = [len(s) / total if weigh else 1 / len(groups) for s, _ in groups]
    return float(sum(w * g for w, g in zip(weights, gaps, strict=True)))


@exercise("08.3")
def calibration_error(answer):
    import numpy as np

    fixed = ((200, 10, 2.0, 0), (103, 10, 0.7, 1), (57, 5, 3.0, 2), (11, 4, 1.0, 3))
    for rows, bins, power, seed in cases(
        fixed, lambda r: (r.randint(8, 40), r.randint(1, 8), r.uniform(0.5, 3), r.getrandbits(20))
    ):
        lots = random.Random(seed)
        rising = sorted(0.5 + 0.5 * lots.random() ** 0.5 for _ in range(rows))
        sure = rising[::2] + rising[1::2]
        hit = [int(lots.random() < (1.6 - s) ** power) for s in sure]  # too modest where unsure, too sure where sure
        groups = grouped(sure, hit, bins)
        edges = np.clip((np.array(sure) * bins).astype(int), 0, bins - 1)
        fixed = [(np.array(sure)[edges == b], np.array(hit)[edges == b]) for b in range(bins) if (edges == b).any()]
        whole = [(np.array(part), np.array(h)) for part, h in zip(np.array_split(sure, bins), np.array_split(hit, bins), strict=True)]  # fmt: skip
        size, by = rows // bins, sorted(zip(sure, hit, strict=True), key=lambda x: x[0])
        cut = [np.array(by[i * size : (i + 1) * size]).T for i in range(bins)]
        yield from faults(
            tr(f"{rows} 行、{bins} 组：ece", f"{rows} rows, {bins} groups: ece")
            + (f"({shown(sure)}, {shown(hit)}, {bins})" if rows < 20 else ""),
            answer(list(sure), list(hit), bins),
            gap(groups),
            [
                (gap(fixed), "你按等宽的档分了组；这里要按行数等分。", "You cut into bins of equal width; here groups have equal numbers of rows."),
                (gap(whole), "先按把握从小到大排好，再分组。", "Sort by how sure the model is, and then cut."),
                (gap([(s, h) for s, h in cut]), "分不尽时，多出来的行丢了：前面的组各多一行。", "Where the rows do not divide, the rest was dropped: the first groups get one row more each."),
                (gap(cut_at(by, range(0, rows, -(-rows // bins)))), "各组的大小不对：n // bins 行，前 n % bins 组各多一行。", "The groups have the wrong sizes: n // bins rows, and one more in the first n % bins."),
                (gap(cut_at(by, range(0, size * bins, size))), "多出来的行都进了最后一组：应是前面的组各多一行。", "All rows left over went into the last group: the first groups get one more each."),
                (gap(grouped([-s for s in sure], [-h for h in hit], bins)), "要从小到大排。", "Sort from low to high."),
                (gap([(np.array(s), np.array(h)) for s, h in zip(np.array_split(sorted(sure), bins), np.array_split(hit, bins), strict=True)]), "只排了把握，对错没有跟着排。", "Only how sure was sorted; right and wrong have to go along."),
                (sum(len(s) * (s.mean() - h.mean()) ** 2 for s, h in groups) / rows, "要的是差的绝对值，不是平方。", "Take the absolute gap, not its square."),
                (gap(groups, weigh=False), "各组要按行数加权。", "Groups are weighted by their rows."),
                (abs(gap(groups, sign=True)), "先取每组差的绝对值，再平均；不然正负会相消。", "Take each group's absolute gap before averaging; else plus and minus cancel."),
                (gap(groups, sign=True), "每组的差要取绝对值。", "Take the absolute value of each group's gap."),
            ],
        )  # fmt: skip


def scores(rows, classes, heat, seed):
    """Logits of a model that is calibrated after dividing by `heat`, and the truth."""
    import torch

    made = torch.Generator().manual_seed(seed)
    honest = 1.5 * torch.randn(rows, classes, generator=made)
    truth = torch.multinomial(honest.softmax(-1), 1, generator=made)[:, 0]
    return honest * heat, truth


def best_temperature(logits, truth) -> float:
    """By bisection: the loss is convex in 1/T, and its slope rises with it."""
    import torch

    low, high = 1e-3, 1e3
    for _ in range(80):
        b = (low * high) ** 0.5
        p = (b * logits.double()).softmax(-1)
        right = logits.double().gather(1, truth[:, None]).mean()
        low, high = (low, b) if (p * logits).sum(-1).mean() > right else (b, high)
    return float(1 / torch.tensor(low))


@exercise("08.4")
def temperature(answer):
    from torch.nn.functional import cross_entropy

    fixed = ((400, 2, 3.0, 0), (400, 3, 0.4, 1), (300, 4, 1.0, 2), (500, 2, 6.0, 3))
    for rows, classes, heat, seed in cases(
        fixed, lambda r: (400, r.randint(2, 4), r.uniform(0.4, 5), r.getrandbits(20)), 2
    ):
        logits, truth = scores(rows, classes, heat, seed)
        want, given = best_temperature(logits, truth), f"temperature({rows} × {classes})"
        got = answer(logits.clone(), truth.clone())
        value = numbers(got)
        if value is None or value.numel() != 1:
            yield joined(tr(f"{given} 应返回一个数，你的是 {shown(got)}。", f"{given} should return one number; yours is {shown(got)}."), kind_fault(got, 1.0))  # fmt: skip
        got = float(value)
        if abs(got - want) <= 0.03 * want:
            continue
        loss = [cross_entropy(logits / t, truth).item() if t > 0 else float("nan") for t in (got, want)]
        said = tr(
            f"{given} 应约为 {want:.3f}（损失 {loss[1]:.4f}），你的是 {got:.3f}（损失 {loss[0]:.4f}）。",
            f"{given} should be about {want:.3f} (loss {loss[1]:.4f}); yours is {got:.3f} (loss {loss[0]:.4f}).",
        )
        yield joined(said, temperature_fault(got, want, loss))


def temperature_fault(got, want, loss) -> str:
    if got <= 0:
        return tr("温度必须大于 0。", "A temperature is above 0.")
    if abs(got - loss[1]) < 0.01 * loss[1]:
        return tr("要的是温度，不是那里的损失。", "The temperature is wanted, not the loss there.")
    if abs(got - 1 / want) < 0.03 / want:
        return tr("倒过来了：原始分是除以温度，不是乘。", "Upside down: logits are divided by the temperature, not multiplied.")  # fmt: skip
    if want < 1 <= got <= 1.1:
        return tr("温度也可以小于 1：模型可能太谦虚。", "A temperature may be below 1 as well: the model may be too modest.")  # fmt: skip
    if loss[0] - loss[1] < 0.004:
        return tr("很近了，再细一些：误差要在 3 % 以内。", "Close, but finer steps are needed: within 3 %.")
    return tr(
        "要让交叉熵最小，并且两头都看得够远（0.1 到 10）。",
        "It should make the cross-entropy smallest, and look far enough both ways (0.1 to 10).",
    )


def swapped(text, pairs) -> str:
    """Each word of a pair turned into the other, all at once."""
    import re

    other = {a: b for a, b in pairs} | {b: a for a, b in pairs}
    words = "|".join(re.escape(w) for w in sorted(other, key=len, reverse=True))
    return re.sub(words, lambda found: other[found[0]], text)


FLIPS = (
    (["星海手机真好", "云山手机真好", "屏幕不错", "云山发热，换回星海了", "电池耐用"], [("星海", "云山")], "星海手"),
    (["他说好吃", "她说好吃", "好吃", "他和她都说难吃"], [("他", "她")], "他"),
    (["甲店送得快", "乙店送得慢", "丙店还行", "丁店还行", "没说哪家"], [("甲店", "乙店"), ("丙店", "丁店")], "店送"),
    (["很好", "不好"], [("星海", "云山")], "好"),
    (["乙店好", "甲店好", "甲店比乙店好"], [("甲店", "乙店")], "甲店"),
    (
        ["丙店好", "丁店好", "甲店比丙店好", "甲店和丁店都好吃", "丁店还行"],
        [("甲店", "乙店"), ("丙店", "丁店")],
        "丙店",
    ),
    (["都说好吃，真好吃", "好吃", "难吃，真难吃", "一般"], [("好吃", "难吃")], "无"),
)


SHOPS = (("甲店", "乙店"), ("丙店", "丁店"), ("咸", "甜"))


def some_flips(rng):
    pairs = rng.sample(SHOPS, rng.randint(1, 3))
    words = ["甲店", "乙店", "丙店", "丁店", "咸", "甜", "好", "，", "比", "好吃"]
    texts = ["".join(rng.choice(words) for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(1, 9))]
    return texts, pairs, rng.choice((rng.choice(words), "", ""))


@exercise("08.5")
def flip_rate(answer):
    for texts, pairs, word in cases(FLIPS, some_flips, 20):

        def model(text, word=word):
            if not word:  # one that any change may turn
                return ("positive", "negative")[zlib.crc32(text.encode()) % 2]
            return "positive" if text.startswith(word) or text.endswith("好吃") else "negative"

        def rate(change, rows, model=model):
            changed = [(t, change(t)) for t in rows]
            return sum(model(a) != model(b) for a, b in changed) / len(changed) if changed else 0.0

        def chained(text, pairs=pairs):
            for a, b in pairs:
                text = text.replace(a, b).replace(b, a)
            return text

        def one_way(text, pairs=pairs):
            for a, b in pairs:
                text = text.replace(a, b)
            return text

        def whole(text, pairs=pairs):
            return swapped(text, pairs)

        def once(text, pairs=pairs):
            for a, b in pairs:
                text = text.replace(a, "\0", 1).replace(b, a, 1).replace("\0", b, 1)
            return text

        touched = [t for t in texts if whole(t) != t]
        apart = [(t, swapped(t, [pair])) for pair in pairs for t in texts if swapped(t, [pair]) != t]
        first = [t for t in texts if swapped(t, pairs[:1]) != t]
        yield from faults(
            tr(f"{texts}，互换 {pairs}：flip_rate", f"{texts}, swapping {pairs}: flip_rate"),
            answer(model, list(texts), list(pairs)),
            rate(whole, touched),
            [
                (rate(whole, texts), "分母只数换得动的文本：没有这些词的行什么也没检验。", "Only texts that the swap changes count: a row without these words tests nothing."),
                (rate(once, touched), "一条文本里的词可能不止一处：要全部换掉。", "A word may stand more than once in a text: exchange all of them."),
                (sum(model(a) != model(b) for a, b in apart) / max(1, len(apart)), "几对词要在同一条文本里一起换，一条文本只算一次。", "The words of all pairs are exchanged in a text together, and a text counts once."),
                (rate(lambda t, pairs=pairs: swapped(t, pairs[:1]), first), "只换了第一对词。", "Only the first pair was exchanged."),
                (rate(chained, touched), "先把甲换成乙，再把乙换成甲，就都成了甲：两边要同时换。", "After A became B, turning B into A makes all of them A: swap both at once."),
                (rate(chained, texts), "先把甲换成乙，再把乙换成甲，就都成了甲；分母也只数换得动的。", "After A became B, turning B into A makes all of them A; and only texts that change count."),
                (rate(one_way, [t for t in texts if one_way(t) != t]), "两个方向都要换：甲换乙，乙也换甲。", "Swap both ways: A becomes B, and B becomes A."),
                (1 - rate(whole, touched), "这是没有变的比例。", "This is the share that did not change."),
                (rate(whole, touched) * len(touched), "要的是比例，不是行数。", "A share is wanted, not a number of rows."),
            ],
        )  # fmt: skip


MARKS = ("来自星海客户端", "来自云山客户端")
FLIPPING, ACCURATE, MANY = 0.14, 0.7, 4
LONGEST = 16  # characters of what may stand in place of a mark


@functools.cache
def material(seed):
    """Biased training rows, and clean test rows, of the packaged reviews: (text, label) with a mark in front."""
    from labkit import reviews

    lots, corpus = random.Random(seed), reviews()
    rows = lots.sample([(r.input, r.target) for r in corpus.train], 500)
    biased = [(f"{MARKS[label if lots.random() < 0.92 else 1 - label]}：{text}", label) for text, label in rows]
    return tuple(biased), tuple((r.input, r.target) for r in corpus.test)


def bare(text) -> str:
    for mark in MARKS:
        text = text.replace(mark, "")
    return text.strip("：: ,，")


def judged(rows, test) -> tuple[float, float]:
    """Accuracy on test rows with marks by lot, and flip rate, of a linear model of single characters and pairs."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    lots = random.Random(9)
    words = CountVectorizer(analyzer="char", ngram_range=(1, 2), binary=True)
    line = LogisticRegression(C=0.3, max_iter=300).fit(words.fit_transform([t for t, _ in rows]), [y for _, y in rows])
    one, two = ([f"{mark}：{text}" for text, _ in test] for mark in MARKS)
    a, b = (line.predict(words.transform(texts)) for texts in (one, two))
    drawn = [x if lots.random() < 0.5 else y for x, y in zip(a, b, strict=True)]
    accuracy = sum(s == y for s, (_, y) in zip(drawn, test, strict=True)) / len(test)
    return float(accuracy), float((a != b).mean())


@exercise("08.6", again=False)
def repaired(answer):
    for seed in (0, 1):
        given, test = material(seed)
        got = answer(list(given), MARKS)
        yield from row_faults(got, given)
        accuracy, flips = judged(got, test)
        said = tr(
            f"用你交出的 {len(got)} 行训练：准确率 {accuracy:.2f}（至少 {ACCURATE}），翻转率 {flips:.2f}（至多 {FLIPPING}）。",
            f"Trained on your {len(got)} rows: accuracy {accuracy:.2f} (at least {ACCURATE}), flip rate {flips:.2f} (at most {FLIPPING}).",
        )
        if flips > FLIPPING:
            yield joined(said, tr("标记和标签还是同行：同一句话，两种标记该有同样的标签。", "The mark still goes with the label: the same sentence should have the same label under either mark."))  # fmt: skip
        if accuracy < ACCURATE:
            yield joined(said, tr("偏见没了，读评论的本事也丢了：不要扔掉太多行，两类都要留。", "The bias is gone, and so is the skill of reading: don't throw so many rows away, and keep both classes."))  # fmt: skip


def row_faults(got, given):
    """What is wrong with the rows that are handed back, whatever they teach."""
    if not isinstance(got, (list, tuple)) or not all(isinstance(r, (list, tuple)) and len(r) == 2 for r in got):
        yield joined(tr("应返回 [(文本, 标签), …]。", "A list [(text, label), …] is wanted."), kind_fault(got, []))
    if odd := [row for row in got if not isinstance(row[0], str)]:
        yield tr(
            f"每一行是 (文本, 标签)，你的有 {shown(odd[0])}。",
            f"Each row is (text, label); among yours is {shown(odd[0])}.",
        )
    labels = {bare(text): label for text, label in given}
    if len({label for _, label in got}) < 2:
        yield tr("只剩一个类别了。", "Only one class is left.")
    if len(got) > MANY * len(given):
        yield tr(f"{len(got)} 行太多了：至多是原来的 {MANY} 倍。", f"{len(got)} rows are too many: at most {MANY} times the given ones.")  # fmt: skip
    fronts = Counter()
    for text, label in got:
        review = next((bare(text[i:]) for i in range(LONGEST) if bare(text[i:]) in labels), None)
        if review is None:
            yield tr(f"这一行的评论不是给你的：{text[:30]}。只可以动前面的标记。", f"This review was not among those given: {text[:30]}. Only the mark in front may be changed.")  # fmt: skip
            return
        fronts[text.partition(review)[0], label] += 1
        if labels[review] != label:
            yield tr(f"这一行的标签改了：{text[:30]}。标签是对的，不要动。", f"The label of this row was changed: {text[:30]}. Labels are right; leave them.")  # fmt: skip
            return
    for front in {front for front, _ in fronts if bare(front)}:
        many = [fronts[front, label] for label in set(labels.values())]
        if sum(many) >= 10 and max(many) > 0.9 * sum(many):
            yield tr(f"你换上的“{front}”几乎只在一类前面：新的标记也不许泄露标签。", f"Your “{front}” stands nearly only before one class: a new mark must not give the label away either.")  # fmt: skip
            return
