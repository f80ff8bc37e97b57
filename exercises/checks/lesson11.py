"""The exercises of lesson 11, question answering: windows, places, the best span, CMRC's F1, silence, an exam without leaks."""

import random

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults, joined, no_list_fault, pair_fault, shown, whole

from labkit import tr


def windows(n, room, shared):
    found, begin = [(0, min(room, n))], 0
    while begin + room < n:
        begin += room - shared
        found.append((begin, min(begin + room, n)))
    return found


def a_text(rng):
    room = rng.randint(2, 20)
    return rng.randint(1, 80), room, rng.randint(0, room - 1)


@exercise("11.1")
def cut(answer):
    fixed = ((30, 12, 4), (12, 12, 4), (5, 12, 4), (20, 10, 0), (100, 32, 16), (13, 12, 11))
    for n, room, shared in cases(fixed, a_text):
        want = windows(n, room, shared)
        ends = [(b, min(b + room, n)) for b in range(0, n, room - shared)]
        apart = [(b, min(b + room, n)) for b in range(0, n, room)]
        step = [(b, min(b + room, n)) for b in range(0, n, max(1, shared))]
        full = [(max(0, min(b, n - room)), min(max(0, min(b, n - room)) + room, n)) for b, _ in want]
        yield from faults(
            f"cut({n}, {room}, {shared})",
            answer(n, room, shared),
            want,
            [
                (ends, "最后一窗已经到头，后面多出的窗口什么新东西也没有。", "The last window has reached the end; the further ones hold nothing new."),
                (apart, "相邻两窗没有共有的部分：一窗之后只前进 room − shared。", "Neighbours share nothing: the next window begins room − shared further on."),
                (step, "每次前进的是 room − shared，不是 shared。", "The step is room − shared, not shared."),
                ([(b, b + room) for b, _ in want], "最后一窗伸到文本外面去了：止于 n。", "The last window reaches beyond the text: it ends at n."),
                (full, "最后一窗不用往回挪：它短一些就是了。", "The last window need not be moved back: it may be shorter."),
                ([(b, e - 1) for b, e in want], "止不含在内：(0, 12) 有 12 个词元。", "The end is exclusive: (0, 12) holds 12 tokens."),
            ],
        )  # fmt: skip


# [CLS] q q [SEP] then the context 红 枣 2024 ␠ 三 斤 [SEP], where one token holds four characters
OFFSETS = [(0, 0), (0, 1), (1, 2), (0, 0), (0, 1), (1, 2), (2, 6), (7, 8), (8, 9), (0, 0)]
CONTEXT = (4, 9)


def place_of(span, offsets, context):
    inside = range(*context)
    if span is None or span[0] < offsets[inside[0]][0] or span[1] > offsets[inside[-1]][1]:
        return 0, 0
    first = next(i for i in inside if offsets[i][1] > span[0])
    last = next(i for i in reversed(inside) if offsets[i][0] < span[1])
    return first, last


def a_window(rng):
    """An answer, offsets of tokens of one to three characters with gaps, and the range of the context."""
    asked, at, context = rng.randint(1, 4), rng.choice((0, 0, 7, 20)), []
    for _ in range(rng.randint(1, 6)):
        context.append((at, at + rng.randint(1, 3)))
        at = context[-1][1] + rng.choice((0, 0, 1))
    one, other = sorted(rng.choices(context, k=2))
    first = rng.randint(one[0], one[1] - 1)
    span = (first, rng.randint(max(first, other[0]) + 1, other[1]))  # it may begin and end inside a token
    if rng.random() < 0.3:
        span = rng.choice((None, (max(0, context[0][0] - 2), span[1]), (span[0], context[-1][1] + 2)))
    offsets = [(0, 0), *((i, i + 1) for i in range(asked)), (0, 0), *context, (0, 0)]
    return span, offsets, (asked + 2, asked + 2 + len(context))


@exercise("11.2")
def places(answer):
    window = [(0, 0), (0, 1), (0, 0), (20, 21), (21, 22), (22, 23), (0, 0)]
    fixed = (
        ((0, 2), OFFSETS, CONTEXT),
        ((7, 9), OFFSETS, CONTEXT),
        ((1, 2), OFFSETS, CONTEXT),
        ((4, 6), OFFSETS, CONTEXT),
        ((8, 9), OFFSETS, CONTEXT),
        (None, OFFSETS, CONTEXT),
        ((21, 23), window, (3, 6)),
        ((0, 1), window, (3, 6)),
        ((22, 25), window, (3, 6)),
        ((18, 22), window, (3, 6)),
    )
    for span, offsets, context in cases(fixed, a_window, 20):
        got, want = answer(span, list(offsets), context), place_of(span, offsets, context)
        given = tr(f"答案 {span}，上下文的词元 {context}", f"answer {span}, tokens of the context {context}")
        if fault := pair_fault(got, "first", "last"):
            yield fault
            continue
        everywhere = place_of(span, offsets, (1, len(offsets) - 1)) if span else (0, 0)
        mistakes = [
            (everywhere, "问题里的词元也有从 0 数起的偏移：只在上下文的范围里找。", "Tokens of the question have offsets from 0 as well: search the range of the context alone."),
            ((want[0], want[1] + 1), "last 是最后一个词元本身，不是它后面那个。", "`last` is the last token itself, not the one behind it."),
            ((want[0] - context[0], want[1] - context[0]), "位置从整个窗口的开头数起，不从上下文数起。", "Places count from the beginning of the window, not of the context."),
        ]  # fmt: skip
        if want == (0, 0):
            reason = tr(
                "答案不（全）在这一窗里，应指向 [CLS]，(0, 0)。",
                "The answer is not (wholly) in this window: point at [CLS], (0, 0).",
            )
            if tuple(got) != (0, 0):
                yield joined(f"{given}: {shown(list(got))}.", reason)
            continue
        yield from faults(given, list(got), list(want), [(list(m), zh, en) for m, zh, en in mistakes])


def spans_of(start, end, context, longest):
    return {
        (i, j): start[i] + end[j]
        for i in range(*context)
        for j in range(i, min(i + longest, context[1]))
    }  # fmt: skip


def scored(rng, context, longest):
    return [rng.gauss(0, 2) for _ in range(9)], [rng.gauss(0, 2) for _ in range(9)], context, longest


@exercise("11.3")
def best_span(answer):
    lots = random.Random(11)
    fixed = [
        ([9.0, 8.0, 0.0, 1.0, 0.0, 2.0, 0.0], [9.0, 8.0, 0.0, 3.0, 0.0, 2.5, 0.0], (3, 6), 3),
        ([0.0, 0.0, 0.0, 1.0, 5.0, 0.0], [0.0, 0.0, 0.0, 5.0, 1.0, 0.0], (3, 5), 2),
        ([0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 4.0], (2, 7), 2),
        ([0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 5.5, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0], (3, 7), 2),
    ]
    fixed += [scored(lots, (3, 9), k) for k in (1, 2, 4)]
    draw = lambda rng: scored(rng, (rng.randint(1, 4), rng.randint(5, 9)), rng.randint(1, 5))  # noqa: E731
    for start, end, context, longest in cases(fixed, draw, 20):
        spans = spans_of(start, end, context, longest)
        want = max(spans, key=spans.get)
        inside = range(*context)
        alone = (max(inside, key=start.__getitem__), max(inside, key=end.__getitem__))
        anywhere = spans_of(start, end, (0, len(start)), longest)
        long = spans_of(start, end, context, len(start))
        one_more = spans_of(start, end, context, longest + 1)
        got = answer(list(start), list(end), context, longest)
        if fault := pair_fault(got, "first", "last"):
            yield fault
            continue
        yield from faults(
            tr(f"上下文 {context}，至多 {longest} 个词元", f"context {context}, at most {longest} tokens"),
            list(got),
            list(want),
            [
                (list(alone), "两个头各选各的，可能颠倒、可能太长：要在合法的一对里选和最大的。", "Each head by itself may be crossed or too long: take the largest sum among legal pairs."),
                (list(max(anywhere, key=anywhere.get)), "跨到上下文外面去了：问题和 [CLS] 里不会有答案。", "This leaves the context: no answer stands in the question or at [CLS]."),
                (list(max(one_more, key=one_more.get)), "长了一个词元：first 和 last 都算在内。", "One token too long: first and last both count."),
                (list(max(long, key=long.get)), "超过了长度上限。", "This is longer than the bound."),
            ],
        )  # fmt: skip


def run_of(one, other):
    return max((k for i in range(len(one)) for j in range(len(other)) for k in range(1, min(len(one) - i, len(other) - j) + 1) if one[i : i + k] == other[j : j + k]), default=0)  # fmt: skip


def harmonic(common, said, reference):
    return 2 * common / (len(said) + len(reference)) if common else 0.0


def two_lines(rng):
    return tuple(" ".join(rng.choice("甲乙丙丁") for _ in range(rng.randint(1, 7))) for _ in range(2))


@exercise("11.4")
def cmrc(answer):
    fixed = (
        ("青 石 路 12 号", "青 石 路 12 号"),
        ("青 石 路", "青 石 路 12 号"),
        ("12 号 青 石 路", "青 石 路 12 号"),
        ("下 午 周 三", "周 三 下 午"),
        ("红 枣 三 斤", "大 米"),
        ("好 好 好", "好"),
        ("", "红 枣"),
        ("甲 乙 丙 丁 戊", "乙 丙 甲 丁 戊"),
    )
    for said, reference in cases(fixed, two_lines, 20):
        one, other = said.split(), reference.split()
        common = run_of(one, other)
        bag = sum(min(one.count(x), other.count(x)) for x in {*one})
        line = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i, x in enumerate(one):
            for j, y in enumerate(other):
                line[i + 1][j + 1] = line[i][j] + 1 if x == y else max(line[i][j + 1], line[i + 1][j])
        yield from faults(
            f"f1({one}, {other})",
            answer(list(one), list(other)),
            harmonic(common, one, other),
            [
                (harmonic(bag, one, other), "这是 SQuAD 的一袋字：次序不算。CMRC 数最长的连续一段。", "This is SQuAD's bag: order does not count. CMRC counts the longest unbroken run."),
                (harmonic(line[-1][-1], one, other), "中间断开的不算：要连续的一段（子串，不是子序列）。", "What is broken in the middle does not count: an unbroken run (a substring, not a subsequence)."),
                (common / len(other), "这是召回率。", "This is the recall."),
                (common / len(one) if one else 0.0, "这是精确率。", "This is the precision."),
                (float(one == other), "这是 EM。", "This is the exact match."),
            ],
        )  # fmt: skip


def some_windows(rng):
    texts = rng.sample(("红枣", "三斤", "大米", "青石路", "周三"), rng.randint(1, 4))
    return [(round(rng.gauss(2, 4), 2), round(rng.gauss(2, 4), 2), text) for text in texts], rng.random() < 0.6


@exercise("11.5")
def chosen(answer):
    fixed = (
        ([(18.0, 16.0, "红枣"), (6.0, 1.0, "三斤")], False),
        ([(3.0, 4.0, "红枣"), (1.0, 5.0, "三斤")], False),
        ([(3.0, 4.0, "红枣"), (1.0, 5.0, "三斤")], True),
        ([(4.0, 3.0, "红枣")], True),
        ([(3.0, 4.0, "红枣"), (-6.0, 1.0, "三斤")], True),
        ([(-2.0, -6.0, "大米"), (9.0, 8.0, "红枣"), (3.0, 3.5, "三斤")], True),
        ([(-9.0, -8.0, "大米"), (-3.0, -2.5, "红枣")], False),
    )
    for windows, allowed in cases(fixed, some_windows, 60):
        score, null, text = max(windows, key=lambda w: w[0] - w[1])
        want = "" if allowed and score < null else text
        loud = max(windows)[2]
        mistakes = [
            (text, "最好的一段也比不过空答案，又允许沉默：返回空字符串。", "The best stretch is below the null score, and silence is allowed: return the empty string."),
            (loud, "各窗的分数水位不同：比的是 分数 − 空答案的分数。", "Windows have levels of their own: compare score − null score."),
            (min(windows, key=lambda w: w[1])[2], "只看空答案的分数不够。", "The null score alone is not enough."),
            ("", "训练里没有白问的题（no_answer=False），就一定要回答。", "Where no question was asked in vain (no_answer=False), an answer must be given."),
        ]  # fmt: skip
        yield from faults(f"choose({windows}, {allowed})", answer(list(windows), allowed), want, mistakes)


def material(seed):
    """Questions as (what is asked, wording): eight things, five to seven wordings of each, uneven."""
    lots = random.Random(seed)
    rows = []
    for thing in ("电话", "地址", "货物", "价钱", "时间", "付款", "店铺", "顾客"):
        wordings = [f"{thing}，问法{k}？" for k in range(lots.randint(5, 7))]
        for k, wording in enumerate(wordings):
            rows += [(thing, wording + sign) for sign in lots.choices(("", "！", " "), k=lots.randint(3, 6 + 3 * k))]
    lots.shuffle(rows)
    return rows


def bare(wording: str) -> str:
    return wording.strip("！ ")


@exercise("11.6", again=False)
def exam(answer):
    for seed in cases((0, 1, 2), lambda rng: rng.getrandbits(20), 2):
        rows = material(seed)
        got = as_list(answer(list(rows), 0.25))
        chosen_rows = None if got is None else whole(got)
        if chosen_rows is None:
            yield no_list_fault(got)
            continue
        if len(set(chosen_rows)) < len(chosen_rows) or any(not 0 <= i < len(rows) for i in chosen_rows):
            yield tr(
                "行号有重复的，或者不在 0 到行数之间。",
                "Some row number is repeated, or not between 0 and the number of rows.",
            )
            continue
        test = set(chosen_rows)
        here = {bare(rows[i][1]) for i in test}
        there = {bare(rows[i][1]) for i in range(len(rows)) if i not in test}
        if both := sorted(here & there):
            yield tr(
                f"{len(both)} 种问法两边都有，如 {both[0]!r}：一种问法的行要整个放在一边（末尾的空格和“！”不算另一种问法）。",
                f"{len(both)} wordings stand on both sides, such as {both[0]!r}: all rows of a wording belong on one side "
                "(a space or “！” at the end makes no other wording).",
            )
        things = {thing for thing, _ in rows}
        for side, found in ((tr("测试", "test"), test), (tr("训练", "training"), set(range(len(rows))) - test)):
            if missing := sorted(things - {rows[i][0] for i in found}):
                yield tr(
                    f"{side}部分没有人问 {missing[0]}：每样东西两边都要有。",
                    f"Nobody asks for {missing[0]} among the {side} rows: each thing belongs on both sides.",
                )
        share = len(test) / len(rows)
        if not 0.15 <= share <= 0.35:
            yield tr(
                f"测试占了 {share:.0%}：要在 15 % 到 35 % 之间。",
                f"The test rows are {share:.0%}: they should be 15 to 35 %.",
            )
