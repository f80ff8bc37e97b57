"""The exercises of lesson 10, tagging: BIO there and back, first pieces, legal decoding, entity F1, four kinds of error."""

import itertools
import math
import random

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import fault, faults, joined, shown

from labkit import tr

SPANS = (  # length, entities
    (6, [(0, 2, "PER"), (3, 5, "LOC")]),
    (6, [(0, 2, "PER"), (2, 4, "PER")]),
    (4, [(1, 2, "ORG"), (3, 4, "LOC")]),
    (3, []),
    (5, [(4, 5, "LOC"), (0, 3, "PER")]),
)


def tags_of(length, spans, inside="I", first="B") -> list[str]:
    tags = ["O"] * length
    for begin, end, label in spans:
        tags[begin:end] = [f"{first}-{label}"] + [f"{inside}-{label}"] * (end - begin - 1)
    return tags


def spans_of(tags, strict=False, same_type=True, b_begins=True) -> list[tuple]:
    found, before = [], "O"
    for i, tag in enumerate(tags):
        goes_on = before != "O" and (before[2:] == tag[2:] or not same_type) and (tag[0] == "I" or not b_begins)
        if tag != "O" and goes_on:
            found[-1] = (found[-1][0], i + 1, found[-1][2])
        elif tag[0] == "B" or (tag != "O" and not strict):
            found.append((i, i + 1, tag[2:]))
        before = "O" if strict and tag[0] == "I" and not goes_on else tag
    return found


def some_spans(rng, shuffled=True):
    """A length and entities that don't overlap, in any order; some side by side."""
    length, at, found = rng.randint(1, 12), 0, []
    while at < length:
        begin = at + rng.choice((0, 0, 1, 2))
        end = min(length, begin + rng.randint(1, 3))
        if begin < end:
            found.append((begin, end, rng.choice(("PER", "LOC", "ORG"))))
        at = max(end, at + 1)
    return length, rng.sample(found, len(found)) if shuffled else found


@exercise("10.1")
def bio(answer):
    for length, spans in cases(SPANS, some_spans):
        want = tags_of(length, spans)
        longer = [(b, e + 1, x) for b, e, x in spans if e < length]
        yield from faults(
            f"bio({length}, {spans})",
            answer(length, list(spans)),
            want,
            [
                (tags_of(length, spans, first="I"), "第一个字是 B-：没有它，挨着的两个名字就粘住了。", "The first character is B-: without it, two names side by side stick together."),
                (tags_of(length, spans, inside="B"), "只有第一个字是 B-，接下去的是 I-。", "B- is for the first character alone; I- goes on."),
                (tags_of(length + 1, longer)[:length], "结束不含在内：(0, 2) 是第 0 和第 1 个字。", "The end is exclusive: (0, 2) are characters 0 and 1."),
                ([t if t == "O" else t[0] for t in want], "标签里要写类型，如 B-PER。", "A tag names its type, like B-PER."),
                ([t if t != "O" else "" for t in want], "外面是 \"O\"，不是空的。", "Outside is \"O\", not empty."),
            ],
        )  # fmt: skip


TAGS = (
    "B-PER I-PER O B-LOC",
    "B-PER B-PER I-PER",
    "O I-PER I-PER O",
    "B-PER I-LOC I-LOC O I-PER",
    "O O",
    "B-LOC I-LOC",
    "I-PER B-PER I-PER",
)


def some_tags(rng):
    return " ".join(rng.choice(("O", "B-A", "I-A", "I-A", "B-B", "I-B")) for _ in range(rng.randint(1, 9)))


@exercise("10.2")
def entities(answer):
    for line in cases(TAGS, some_tags, 20):
        tags = line.split()
        want = spans_of(tags)
        got = answer(list(tags))
        got = [tuple(x) if isinstance(x, (list, tuple)) else x for x in got] if isinstance(got, (list, tuple)) else got
        yield from faults(
            f"entities({tags})",
            got,
            want,
            [
                (spans_of(tags, strict=True), "I- 前面没有同类的实体时，它自己开一个。", "An I- with no entity of its type before it begins one."),
                (spans_of(tags, b_begins=False), "B- 总是开一个新实体，哪怕前面是同类的。", "B- always begins a new entity, also behind one of its type."),
                (spans_of(tags, same_type=False), "I- 只接同类的实体：I-LOC 不接 B-PER。", "I- goes on with its own type only: I-LOC does not go on with B-PER."),
                ([(b, e - 1, x) for b, e, x in want], "结束不含在内：最后一个字的后一位。", "The end is exclusive: one behind the last character."),
                ([s for s in want if s[1] < len(tags)], "文本末尾的实体也要收进来。", "An entity at the end of the text counts too."),
            ],
        )  # fmt: skip


PIECES = (
    ([None, 0, 1, 1, None], [0, 3]),
    ([None, 0, 0, 0, 1, 2, 2, None], [1, 2, 0]),
    ([0, 1, 2], [0, 1, 2]),
    ([None, 0, 1, None, None], [3, 3]),
)


def some_pieces(rng):
    tags = [rng.randint(0, 4) for _ in range(rng.randint(1, 5))]
    words = [w for w in range(len(tags)) for _ in range(rng.randint(1, 3))]
    return [None] * rng.randint(0, 1) + words + [None] * rng.randint(0, 3), tags


@exercise("10.3")
def first_pieces(answer):
    for words, tags in cases(PIECES, some_pieces):
        firsts = [w is not None and w != before for before, w in itertools.pairwise([None, *words])]
        want = [tags[w] if first else -100 for w, first in zip(words, firsts, strict=True)]
        every = [-100 if w is None else tags[w] for w in words]
        yield from faults(
            f"first_pieces({words}, {tags})",
            answer(list(words), list(tags)),
            want,
            [
                (every, "每一块都给了标签：一个 B- 会变成好几个开头。只给第一块。", "Every piece has the tag: one B- would become several beginnings. Give it to the first alone."),
                ([0 if t == -100 else t for t in want], "不问的位置放 -100，不是 0：0 是标签 O。", "Where nothing is asked stands -100, not 0: 0 is the tag O."),
                ([t for t in want if t != -100], "要和词元一样多：不问的位置也占一个。", "There should be as many as tokens: places that are not asked count too."),
                ([-100 if w is None else tags[w] if first else 0 for w, first in zip(words, firsts, strict=True)], "后面的块放 -100，不是 0：0 是标签 O。", "The other pieces hold -100, not 0: 0 is the tag O."),
                ([tags[w] if last else -100 for w, last in zip(words, [w is not None and w != after for w, after in itertools.pairwise([*words, None])], strict=True)], "给第一块，不是最后一块。", "The first piece, not the last."),
            ],
        )  # fmt: skip


NAMES = ["O", "B-A", "I-A", "B-B", "I-B"]


def allowed(before, tag) -> bool:
    return tag[0] != "I" or before[2:] == tag[2:]


def best_path(scores, tags, first=True) -> list[str]:
    best = [(s if allowed("O", t) or not first else -math.inf, [t]) for s, t in zip(scores[0], tags, strict=True)]
    for row in scores[1:]:
        ways = [max((w for w in best if allowed(w[1][-1], t)), key=lambda w: w[0]) for t in tags]
        best = [(way[0] + s, [*way[1], t]) for way, s, t in zip(ways, row, tags, strict=True)]
    return max(best, key=lambda way: way[0])[1]


def greedy(scores, tags) -> list[str]:
    """The best legal tag behind the one before."""
    found = []
    for row in scores:
        before = found[-1] if found else "O"
        found.append(max((s, t) for s, t in zip(row, tags, strict=True) if allowed(before, t))[1])
    return found


def repaired(scores, tags, with_o: bool) -> list[str]:
    """The likeliest tags, then each illegal I- made an O or a B-."""
    found = []
    for row in scores:
        tag = tags[max(range(len(tags)), key=row.__getitem__)]
        legal = allowed(found[-1] if found else "O", tag)
        found.append(tag if legal else "O" if with_o else f"B{tag[1:]}")
    return found


def a_table(rng):
    return logs(rng, rng.randint(1, 6))


def logs(rng, length: int) -> list:
    rows = [[rng.gauss(0, 2) for _ in NAMES] for _ in range(length)]
    return [[x - math.log(sum(map(math.exp, row))) for x in row] for row in rows]


def tables() -> list:
    rng = random.Random(10)
    made = [[[-0.1, -3, -2.5, -9, -9], [-2, -1.5, -0.3, -9, -9]], [[-9, -9, -0.1, -9, -2], [-1, -9, -0.5, -3, -0.2]]]
    return made + [logs(rng, length) for length in (1, 3, 5, 8, 40)]


@exercise("10.4")
def decode(answer):
    for scores in cases(tables(), a_table, 20):
        want = best_path(scores, NAMES)
        got = answer([list(row) for row in scores], list(NAMES))
        likeliest = [NAMES[max(range(5), key=row.__getitem__)] for row in scores]
        given = tr(f"decode：{len(scores)} 个字", f"decode, {len(scores)} characters")
        trouble = fault(
            given,
            got,
            want,
            [
                (likeliest, "各取各的最大，拼出来的不一定合法。", "The likeliest tag at each place by itself makes a sequence that is not legal."),
                (greedy(scores, NAMES), "走一步看一步：前面选定了，后面再好也回不去。要记住走到每个标签的最好的路。", "One step at a time: what was chosen cannot be taken back. Remember the best way to each tag."),
                (repaired(scores, NAMES, True), "先挑最大、再把不合法的改成 O，不是总分最高的合法序列。", "To take the largest and turn what is illegal into O is not the legal sequence with the highest total."),
                (repaired(scores, NAMES, False), "先挑最大、再把不合法的 I- 改成 B-，不是总分最高的合法序列。", "To take the largest and turn an illegal I- into B- is not the legal sequence with the highest total."),
                (best_path(scores, NAMES, first=False), "I- 也不能打头。", "I- may not come first either."),
                ([NAMES.index(t) for t in want], "要标签的名字，不是编号。", "The names of the tags are wanted, not their numbers."),
                (want[::-1], "次序反了：从最后一个字往回走的路要倒过来。", "The order is reversed: a way read from the end has to be turned round."),
            ],
        )  # fmt: skip
        if trouble:
            illegal = isinstance(got, (list, tuple)) and all(isinstance(t, str) for t in got) and not all(allowed(a, b) for a, b in itertools.pairwise(["O", *got]))  # fmt: skip
            more = tr("你的序列不合法。", "Yours is not legal.") if illegal and likeliest != list(got) else ""
            yield joined(trouble, more)


A, B, C = (0, 2, "PER"), (3, 5, "LOC"), (6, 9, "ORG")
ANSWERS = (
    ([[A, B]], [[A, B]]),
    ([[A], [B]], [[A, C], [B]]),
    ([[A], []], [[], [A]]),
    ([[(0, 2, "LOC")], [(3, 6, "LOC")]], [[A], [B]]),
    ([[A, B, C], [A]], [[A], [B]]),
    ([[]], [[A]]),
    ([[A]], [[]]),
    ([[], []], [[], []]),
)


def f1_of(said, truth, key=lambda span: span) -> float:
    right = sum(len({*map(key, s)} & {*map(key, t)}) for s, t in zip(said, truth, strict=True))
    true = sum(map(len, truth))
    return 2 * right / (sum(map(len, said)) + true) if true else math.nan


def some_answers(rng):
    pairs = [said_and_true(rng) for _ in range(rng.randint(1, 4))]
    return [said for said, _ in pairs], [truth for _, truth in pairs]


def said_and_true(rng):
    """What is true of a row, and what is said: some of it right, some with another edge or type, some of it new."""
    truth, said = some_spans(rng, False)[1], []
    for begin, end, kind in truth:
        said += [
            [(begin, end, kind)], [(begin, end, "X")], [(begin, end + 1, kind)], [(begin - 1, end, kind)], []
        ][rng.randrange(5)]  # fmt: skip
    apart = [b for a, b in itertools.pairwise([(-9, 0, ""), *sorted(said)]) if a[1] <= b[0]]
    return apart, truth


@exercise("10.5")
def entity_f1(answer):
    for said, truth in cases(ANSWERS, some_answers, 20):
        want, got = f1_of(said, truth), answer([list(s) for s in said], [list(t) for t in truth])
        given = f"entity_f1({shown(said)}, {shown(truth)})"
        if math.isnan(want):
            if not (isinstance(got, float) and math.isnan(got)):
                yield tr(
                    f"{given}：一个真实体也没有，F1 没有定义，应得 nan，你的是 {shown(got)}。",
                    f"{given}: there is no true entity, F1 is undefined, nan is wanted; yours gave {shown(got)}.",
                )
            continue
        together = [[s for row in side for s in row] for side in (said, truth)]
        rows = [f1_of([s], [t]) for s, t in zip(said, truth, strict=True)]
        total, true = sum(map(len, said)), sum(map(len, truth))
        right = sum(len({*s} & {*t}) for s, t in zip(said, truth, strict=True))
        yield from faults(
            given,
            got,
            want,
            [
                (f1_of(said, truth, key=lambda s: s[:2]), "类型也要对。", "The type has to be right too."),
                (f1_of(said, truth, key=lambda s: (s[0], s[2])), "两个边界都要对。", "Both edges have to be right."),
                (f1_of([together[0]], [together[1]]), "不同行的实体不能互相算对：要一行一行地比。", "Entities of different rows must not match: compare row by row."),
                (sum(0.0 if math.isnan(x) else x for x in rows) / len(rows), "全部行合起来算一个 F1，不是各行的平均。", "One F1 over all rows together, not a mean over the rows."),
                (right / true, "这是召回率：说出来的错也要扣分。", "That is recall: what is said wrongly costs too."),
                (right / total if total else 0.0, "这是精确率：没找到的也要扣分。", "That is precision: what is not found costs too."),
                (right / (total + true), "分子要乘 2。", "The numerator has a factor of 2."),
            ],
        )  # fmt: skip


ROWS = (
    ([A, (3, 6, "LOC"), (6, 9, "PER"), (11, 12, "LOC")], [A, B, C, (13, 14, "PER")]),
    ([(0, 9, "ORG")], [A, C]),
    ([(0, 1, "PER"), (1, 2, "PER")], [A]),
    ([(1, 4, "LOC")], [A]),
    ([A, B], [A, B]),
    ([], [A, B]),
    ([A], []),
    ([(4, 6, "LOC")], [(2, 4, "LOC"), (6, 8, "LOC")]),
)
KINDS = ("missed", "invented", "wrong edge", "wrong type")


def errors(said, truth, once=True, touching=False) -> dict[str, int]:
    left, found = sorted(set(truth) - set(said)), dict.fromkeys(KINDS, 0)
    paired = set()
    for span in sorted(set(said) - set(truth)):
        near = 1 if touching else 0
        other = next((t for t in left if span[0] < t[1] + near and t[0] < span[1] + near), None)
        if other is None:
            found["invented"] += 1
            continue
        paired.add(other)
        if once:
            left.remove(other)
        found["wrong type" if other[:2] == span[:2] else "wrong edge"] += 1
    found["missed"] = len([t for t in left if t not in paired])
    return found


@exercise("10.6")
def kinds(answer):
    for said, truth in cases(ROWS, said_and_true, 30):
        want = errors(said, truth)
        wrong = want["wrong edge"] + want["wrong type"]
        yield from faults(
            f"kinds({shown(said)}, {shown(truth)})",
            answer(list(said), list(truth)),
            want,
            [
                (errors(said, truth, once=False), "一个真实体只配一次：配过的不再算。", "A true entity is paired once: leave out those that are paired."),
                (errors(said, truth, touching=True), "挨着不是重叠：结束不含在内。", "Touching is no overlap: ends are exclusive."),
                ({**want, "missed": want["missed"] + wrong, "invented": want["invented"] + wrong, "wrong edge": 0, "wrong type": 0}, "有重叠的配成一对，是边界错或类型错，不是一漏一造。", "Those that overlap make a pair, a wrong edge or a wrong type, not a miss and an invention."),
                ({**want, "wrong edge": wrong, "wrong type": 0}, "边界全同、只有类型不同的，是类型错。", "With both edges the same and another type it is a wrong type."),
                ({**want, "missed": want["invented"], "invented": want["missed"]}, "漏掉和凭空反了：漏掉的是真有而没说的。", "Missed and invented are swapped: missed is what is true and was not said."),
                ({k: v for k, v in want.items() if v}, "四个名字都要有，没有的是 0。", "All four names are wanted, with 0 where there are none."),
                ({**want, "missed": want["missed"] + wrong}, "配上的真实体不再算漏掉。", "True entities that are paired are not missed."),
            ],
        )  # fmt: skip
