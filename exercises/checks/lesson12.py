"""The exercises of lesson 12, GPT: what carries loss, the greedy loop, top-p, perplexity, chrF, reading an answer."""

import math
from collections import Counter

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.lesson06 import as_list
from labkit_exercises.matching import faults, joined, numbers, shown

from labkit import tr

NONE = -100
SPELLED = (  # token numbers, and where the answers are
    ([1, 4, 11, 12, 2, 5, 21, 22, 2], [(6, 9)]),
    ([1, 4, 11, 2, 5, 21, 2, 4, 12, 2, 5, 22, 23, 2], [(5, 7), (11, 14)]),
    ([7, 21, 2], [(1, 3)]),
    ([1, 4, 2, 2, 2, 5, 2, 21, 2], [(6, 9)]),
)


def a_talk(rng):
    """A conversation, and where its answers are; prompts may hold the end token too."""
    ids, answers = [], []
    for _ in range(rng.randint(1, 3)):
        ids += [rng.choice((0, 1, 2, 4, 5, 11, 12)) for _ in range(rng.randint(1, 5))]
        answers.append((len(ids), len(ids) + rng.randint(1, 4)))
        ids += [rng.choice((0, 21, 22, 23)) for _ in range(answers[-1][1] - answers[-1][0] - 1)] + [2]
    return ids + [4] * rng.randint(0, 2), answers


@exercise("12.1")
def marking(answer):
    for ids, answers in cases(SPELLED, a_talk):
        want = next_tokens(ids, answers)
        inside = {i for first, end in answers for i in range(first, end)}
        own = [token if i in inside else NONE for i, token in enumerate(ids)]
        got = as_list(answer(list(ids), list(answers)))
        yield from faults(
            f"targets({ids}, {answers})",
            got,
            want,
            [
                (own, "还没有错开一格：第 i 个位置要说的是第 i + 1 个词元。", "Not yet shifted: what is to be said at place i is token i + 1."),
                ([ids[i - 1] if i in inside else NONE for i in range(len(ids))], "错开的方向反了。", "Shifted the wrong way."),
                ([*ids[1:], NONE], "提示也带了损失：只有回答里的词元才算。", "Prompts carry loss too: only tokens of answers should."),
                (list(ids), "提示也带了损失，而且没有错开。", "Prompts carry loss too, and nothing is shifted."),
                (next_tokens(ids, [(a, b - 1) for a, b in answers]), "结束符也要学：(first, end) 里 end 是最后一个词元的后一位。", "The end is learned too: in (first, end), end is one behind the last token."),
                ([NONE if t == 2 else t for t in want], "结束符也要学，别按词元的号码去掉它。", "The end is learned too: don't leave it out by its number."),
                (next_tokens(ids, [(a + 1, b) for a, b in answers]), "每个回答的第一个词元也要学：在它前一个位置上。", "The first token of an answer is learned too, at the place before it."),
                (next_tokens(ids, answers[-1:]), "每一个回答都算，不只是最后一个。", "Every answer counts, not just the last."),
                (next_tokens(ids, answers[:1]), "每一个回答都算，不只是第一个。", "Every answer counts, not just the first."),
                (want[:-1], "要和 ids 一样长：最后一个位置没有下一个，放 -100。", "It should be as long as ids: the last place has no next token, put -100 there."),
                ([0 if t == NONE else t for t in want], "不算损失的位置放 -100，不是 0：0 也是一个词元。", "Places without loss hold -100, not 0: 0 is a token too."),
            ],
        )  # fmt: skip


def next_tokens(ids, answers) -> list[int]:
    inside = {i for first, end in answers for i in range(first, end)}
    return [ids[i + 1] if i + 1 in inside else NONE for i in range(len(ids))]


class Speaker:
    """Says its words one after the other, whatever it is asked, and remembers what it was shown."""

    def __init__(self, words):
        self.words, self.shown = list(words), []

    def __call__(self, ids):
        self.shown.append(list(ids))
        if len(self.shown) > 60:
            raise AssertionError(tr("循环停不下来：遇到结束符，或写满 most 个，就要停。", "The loop does not stop: it should at the end token, or after `most` tokens."))  # fmt: skip
        return self.words[min(len(self.shown), len(self.words)) - 1]


def a_reply(rng):
    words = [rng.choice((0, 21, 22, 23)) for _ in range(rng.randint(0, 6))]
    return [*words, 2, 24], [rng.choice((1, 2, 4, 5)) for _ in range(rng.randint(1, 4))], 2, rng.randint(1, 8)


@exercise("12.2")
def writing(answer):
    fixed = (
        ([21, 22, 2, 23], [1, 4, 11, 5], 2, 10),
        ([21, 22, 23, 24, 2], [1, 5], 2, 3),
        ([2, 21], [1, 5], 2, 5),
        ([5, 9, 9, 7], [3], 7, 8),
        ([21, 2], [1, 2, 5], 2, 1),
    )
    for words, prompt, end, most in cases(fixed, a_reply):
        speaker, kept = Speaker(words), list(prompt)
        got = as_list(answer(speaker, kept, end, most))
        on = [*words, *words[-1:] * most]  # what it says who does not stop
        said = words[: words.index(end)][:most]
        asked = [[*prompt, *said[:i]] for i in range(len(speaker.shown))]
        given = tr(f"下一个词元依次是 {words} 时，greedy(…, {prompt}, {end}, {most})", f"where the next tokens are {words}, greedy(…, {prompt}, {end}, {most})")  # fmt: skip
        yield from faults(
            given,
            got,
            said,
            [
                ([*said, end], "结束符是停下的记号，不算在回答里。", "The end token is the sign to stop and no part of the answer."),
                ([*prompt, *said], "只要新写的词元，不要提示。", "Only the new tokens are wanted, without the prompt."),
                ([*prompt, *said, end], "只要新写的词元：不要提示，也不要结束符。", "Only the new tokens are wanted: neither prompt nor end."),
                (on[: most + 1], "多写了一个：最多 most 个。", "One too many: `most` at the most."),
                (on[:most], "遇到结束符就要停。", "Stop at the end token."),
                ([w for w in on[:most] if w != end], "遇到结束符就要停，后面的不要。", "Stop at the end token; what comes behind it is not wanted."),
                (said[: most - 1], "少写了一个。", "One too few."),
                (said[:1], "只写了一个：要循环。", "Only one was written: it takes a loop."),
            ],
        )  # fmt: skip
        if kept != list(prompt):
            yield tr("提示被改掉了：先复制一份再往后添。", "The prompt was changed: copy it before you append.")
        if speaker.shown != asked[: len(speaker.shown)]:
            yield given + tr(
                "：每一步都要把提示和已经写出的词元一起交给模型。",
                ": at each step the model is given the prompt and all that was written so far.",
            )


SHARES = (
    ([0.5, 0.3, 0.15, 0.05], 0.7),
    ([0.05, 0.15, 0.3, 0.5], 0.7),
    ([0.1, 0.6, 0.3], 0.5),
    ([0.25, 0.125, 0.5, 0.125], 0.75),
    ([0.2, 0.5, 0.3], 1.0),
    ([0.4, 0.35, 0.25], 0.01),
)


def some_shares(rng):
    """Shares of which no two are equal, and a bound that no sum meets exactly."""
    parts = rng.sample(range(1, 60), rng.randint(2, 6))
    return [x / sum(parts) for x in parts], (rng.randint(1, sum(parts) - 1) + 0.5) / sum(parts)


@exercise("12.3")
def nucleus(answer):
    for shares, p in cases(SHARES, some_shares):
        want = cut(shares, p)
        raw = [x if w else 0.0 for x, w in zip(shares, want, strict=True)]
        strict = cut(shares, p, crossing=False)
        yield from faults(
            f"top_p({shares}, {p})",
            as_list(answer(list(shares), p)),
            want,
            [
                (raw, "剪掉之后要重新归一，使总和为 1。", "After the cut they have to be normalised again, to sum to 1."),
                (strict, "正好跨过 p 的那一个也要留：合计要够 p。", "The one that crosses p stays too: together they must hold p."),
                (sorted(want, reverse=True), "每个概率要留在它自己的位置上。", "Each probability stays in its own place."),
                ([x / sum(y for y in shares if y >= p) if x >= p else 0.0 for x in shares] if any(y >= p for y in shares) else [], "p 不是每一个的门槛，是合计的门槛。", "p is no threshold for each, but for their sum."),
                (cut(shares, p, in_order=True), "先从大到小排，再累加。", "Sort by size before you add up."),
                (cut(shares, p, more=1), "多留了一个：合计够 p 就停。", "One too many: stop as soon as they hold p."),
                ([w for w in want if w], "长度要不变：剪掉的放 0。", "The length stays: what is cut becomes 0."),
                (list(shares), "什么也没有剪掉。", "Nothing was cut."),
            ],
        )  # fmt: skip


def cut(shares, p, crossing=True, in_order=False, more=0) -> list[float]:
    """The fewest likeliest that hold p, normalised, the others 0."""
    order = list(range(len(shares))) if in_order else sorted(range(len(shares)), key=lambda i: -shares[i])
    kept, total = [], 0.0
    for i in order:
        if total >= p - 1e-12 or (not crossing and kept and total + shares[i] > p + 1e-12):
            break
        kept.append(i)
        total += shares[i]
    kept = order[: len(kept) + more]
    whole = sum(shares[i] for i in kept)
    return [shares[i] / whole if i in kept else 0.0 for i in range(len(shares))]


LOSSES = (
    [[0.5, 1.5], [2.0]],
    [[0.1] * 8, [3.0, 1.0]],
    [[2.0, 2.0, 2.0]],
    [[0.0, 0.0], [1.0]],
    [[4.0], [0.2] * 5, [1.0, 2.0]],
)


def some_rows(rng):
    return [[rng.uniform(0, 3) for _ in range(rng.randint(1, 5))] for _ in range(rng.randint(1, 4))]


@exercise("12.4")
def surprise(answer):
    for rows in cases(LOSSES, some_rows):
        flat, means = [x for row in rows for x in row], [sum(row) / len(row) for row in rows]
        mean = sum(flat) / len(flat)
        yield from faults(
            f"perplexity({rows})",
            answer([list(row) for row in rows]),
            math.exp(mean),
            [
                (mean, "这是平均损失，还要取 e 的这么多次方。", "This is the mean loss; take e to its power."),
                (math.exp(sum(means) / len(means)), "每个词元一样重：先把所有行加在一起，再除以词元数。", "Every token weighs the same: add up all rows first, then divide by the number of tokens."),
                (sum(map(math.exp, means)) / len(means), "先平均，再取 e 的次方；而且每个词元一样重。", "First the mean, then the power of e; and every token weighs the same."),
                (sum(map(math.exp, flat)) / len(flat), "先平均，再取 e 的次方。", "First the mean, then the power of e."),
                (2**mean, "损失的单位是 nat，底是 e，不是 2。", "The loss is in nats: the base is e, not 2."),
                (math.exp(sum(flat) / len(rows)), "除以词元数，不是行数。", "Divide by the number of tokens, not of rows."),
                (math.exp(sum(flat)), "忘了除以词元数。", "The division by the number of tokens is missing."),
                (math.exp(-mean), "符号反了：困惑度不小于 1。", "The sign is wrong: a perplexity is 1 or more."),
            ],
        )  # fmt: skip


PAIRS = (
    ("情感：正面", "情感：正面"),
    ("情感：负面", "情感：正面"),
    ("正面", "情感：正面"),
    ("很好很好很好", "很好"),
    ("好", "不"),
    ("很 好 吃", "很好吃"),
    ("", "很好"),
    ("味道很好，下次还来", "味道不错，下次再来"),
    ("很好吃", "很 好吃 ！"),
)


def two_texts(rng):
    return tuple("".join(rng.choice("好吃很不 ，") for _ in range(rng.randint(1, 9))) for _ in range(2))


def overlap(said, truth, most=6, beta=2.0, sets=False, blanks=False, empty=False) -> float:
    if not blanks:
        said, truth = "".join(said.split()), "".join(truth.split())
    precision, recall = [], []
    for n in range(1, most + 1):
        a, b = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (said, truth))
        if sets:
            a, b = Counter(set(a)), Counter(set(b))
        if not (a and b):
            if empty:
                precision.append(0.0)
                recall.append(0.0)
            continue
        both = (a & b).total()
        precision.append(both / a.total())
        recall.append(both / b.total())
    p, r = (sum(x) / len(x) if x else 0.0 for x in (precision, recall))
    return (1 + beta**2) * p * r / (beta**2 * p + r) if p and r else 0.0


@exercise("12.5")
def likeness(answer):
    for said, truth in cases(PAIRS, two_texts, 20):
        want = overlap(said, truth)
        yield from faults(
            f"chrf({said!r}, {truth!r})",
            answer(said, truth),
            want,
            [
                (overlap(said, truth, sets=True), "重复的字串也要数：用 Counter，不用 set。", "Repeated runs count too: take a Counter, not a set."),
                (overlap(said, truth, beta=1.0), "这是 F1：召回率的分量要是精确率的两倍（beta = 2）。", "This is F1: recall should weigh twice as much as precision (beta = 2)."),
                (overlap(said, truth, beta=0.5), "精确率和召回率弄反了：除以说出来的字串数是精确率。", "Precision and recall are swapped: precision divides by the runs that were said."),
                (overlap(said, truth, blanks=True), "空格不算：先去掉。", "White space does not count: take it out first."),
                (overlap(said, truth, empty=True), "两段文字里有一段没有这么长的字串时，跳过这个长度，不是当成 0。", "Skip a length of which one of the texts has no runs; it does not count as 0."),
                (overlap(said, truth, most=1), "不只数单个的字：1 到 6 个字的字串都要。", "Not single characters alone: runs of 1 to 6."),
                (overlap(said, truth, most=4), "字串到 6 个字为止，不是 4。", "Runs go up to 6 characters, not 4."),
                (100 * want, "在 0 和 1 之间，不是百分数。", "Between 0 and 1, not in per cent."),
            ],
        )  # fmt: skip


REPLIES = (  # a reply, the options, what it says
    ("正面", ("正面", "负面"), "正面"),
    (" 情感：负面\n", ("正面", "负面"), "负面"),
    ("我觉得是正面的。", ("正面", "负面"), "正面"),
    ("不好说", ("正面", "负面"), None),
    ("", ("正面", "负面"), None),
    ("正面还是负面呢", ("正面", "负面"), None),
    ("正面，正面，正面", ("正面", "负面"), "正面"),
    ("中性", ("中", "中性"), "中性"),
    ("It is POSITIVE.", ("positive", "negative"), "positive"),
    ("类别：手机", ("外卖", "手机", "图书"), "手机"),
)


@exercise("12.6")
def reading(answer):
    for reply, options, want in REPLIES:
        got = answer(reply, list(options))
        if got == want and type(got) is type(want):
            continue
        given = f"read({reply!r}, {list(options)})"
        said = tr(f"{given} 应得 {shown(want)}，你的是 {shown(got)}。", f"{given} should give {shown(want)}; yours gave {shown(got)}.")  # fmt: skip
        yield joined(said, reading_fault(reply, options, want, got))


def reading_fault(reply, options, want, got) -> str:
    if numbers(got) is not None:
        return tr("要的是选项本身，不是编号。", "The option itself is wanted, not its number.")
    if got not in (None, *options):
        return tr("只能返回一个选项，或 None。", "Only one of the options, or None, may be returned.")
    if want is None and got and sum(option in reply for option in options) > 1:
        return tr("两个选项都提到了：分不清，就是 None。", "Two options are mentioned: what can't be told is None.")
    if want is None:
        return tr("一个选项也没有提到：别猜。", "No option is mentioned: don't guess.")
    if got is None and reply.strip() != want and want in reply and reply.count(want) == 1:
        return tr("回答可以藏在一句话里。", "An answer may be inside a sentence.")
    if reply.count(want) > 1:
        return tr("同一个选项说了几遍，还是那一个。", "An option said several times is still the one.")
    if got and got in want:
        return tr("一个选项可以是另一个的一部分：取长的。", "One option may be part of another: take the longer.")
    return tr("大小写不同，算相同。", "Upper and lower case are the same.")
