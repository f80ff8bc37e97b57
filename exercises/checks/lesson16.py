"""The exercises of lesson 16, from sound to another language: collapsing, frames, errors, what a decoder is told, who listens."""

import itertools

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults

from labkit import tr

FRAMES = (
    [8, 5, 5, 0, 12, 12, 0, 12, 15],
    [0, 0, 0],
    [3, 3, 3],
    [1, 0, 1, 1, 2],
    [],
    [0, 4, 4, 0, 0, 4, 0],
)


def once(frames):
    return [a for a, b in zip(frames, [None, *frames], strict=False) if a != b]


@exercise("16.1")
def collapsing(answer):
    for frames in cases(FRAMES, lambda rng: [rng.choice((0, 0, 1, 2, 2)) for _ in range(rng.randint(0, 9))]):
        want = [a for a in once(frames) if a]
        yield from faults(
            f"collapse({frames})",
            as_list(answer(list(frames))),
            want,
            [
                (once([a for a in frames if a]), "先去空白再合并，会把两个相同的字母并成一个：次序反了。", "With the blanks gone first, two equal letters become one: the order is wrong."),
                ([a for a in frames if a], "相邻的重复要并成一个。", "Neighbours that are equal count once."),
                (once(frames), "空白（0）还没有去掉。", "The blanks (0) are still there."),
                (sorted(set(frames) - {0}), "只并相邻的重复：同一个字母隔着空白可以再来。", "Only neighbours are joined: behind a blank the same letter may come again."),
                ("".join(map(str, want)), "返回一列数，不是字符串。", "Return a list of numbers, not a string."),
            ],
        )  # fmt: skip


TEXTS = ("hello", "two", "aaa", "", "zzyy", "seven")


@exercise("16.2")
def room(answer):
    for text in cases(TEXTS, lambda rng: "".join(rng.choice("aab") for _ in range(rng.randint(0, 8)))):
        pairs = sum(a == b for a, b in itertools.pairwise(text))
        yield from faults(
            f"frames_needed({text!r})",
            answer(text),
            len(text) + pairs,
            [
                (len(text), "两个相邻的相同字母之间要有一个空白。", "Two equal neighbours need a blank between them."),
                (2 * len(text) + 1, "空白只在相同的字母之间必须有，别处可有可无。", "Blanks are needed between equal letters alone; elsewhere they may be left out."),
                (2 * len(text) - 1, "空白只在相同的字母之间必须有，别处可有可无。", "Blanks are needed between equal letters alone; elsewhere they may be left out."),
                (len(set(text)), "每个字母都要一帧，不是每种。", "Every letter takes a frame, not every kind of letter."),
                (len(text) + len(text) - len(set(text)), "只有**相邻**的相同字母才要空白。", "Only equal letters that are **neighbours** need a blank."),
                (pairs, "每个字母自己还要一帧。", "Each letter takes a frame of its own as well."),
            ],
        )  # fmt: skip


SAID = (
    ("turn left", "turn right"),
    ("two cups tea", "two big cups tea"),
    ("turn left now please", "left"),
    ("turn turn left", "turn left"),
    ("left", "turn left"),
    ("", "go straight on"),
    ("the box open", "open the box"),
    ("a b c d", "a b"),
    ("two", "too"),
)


def edits(said, truth):
    row = list(range(len(truth) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


@exercise("16.3")
def words_wrong(answer):
    def drawn(rng):
        return tuple(" ".join(rng.choice(("two", "cups", "tea")) for _ in range(rng.randint(low, 5))) for low in (0, 1))

    for said, truth in cases(SAID, drawn):
        heard, true = said.split(), truth.split()
        wrong = edits(heard, true)
        yield from faults(
            f"wer({said!r}, {truth!r})",
            answer(said, truth),
            wrong / len(true),
            [
                (edits(said, truth) / max(1, len(truth)), "这是字错误率：先按空格拆成词。", "That is the character error rate: split into words first."),
                (wrong / max(1, len(heard)), "除以真实的词数，不是写出的词数。", "Divide by the words that are true, not by those that were written."),
                (wrong, "还要除以真实的词数。", "Divide by the number of true words."),
                (min(1.0, wrong / len(true)), "多写的词也算错，词错误率可以大于 1。", "Words too many are errors as well: the rate may be above 1."),
                (wrong / max(len(true), len(heard)), "除以真实的词数，不是较长的那个。", "Divide by the number of true words, not by the larger number."),
                (sum(a != b for a, b in zip(heard, true, strict=False)) / len(true), "漏掉一个词，后面的词会错位：要用编辑距离，不能按位置比。", "One word left out moves all the rest: take the edit distance, don't compare place by place."),
                ((sum(a != b for a, b in zip(heard, true, strict=False)) + abs(len(heard) - len(true))) / len(true), "漏掉一个词，后面的词会错位：要用编辑距离，不能按位置比。", "One word left out moves all the rest: take the edit distance, don't compare place by place."),
                (float(said != truth), "这是“整句不对”的比例，不是词错误率。", "That is whether the whole differs, not the word error rate."),
            ],
        )  # fmt: skip


TOLD = ((1, [9], [20, 21, 22], 2), (1, [], [5], 2), (7, [3, 4, 5], [8, 8], 7), (0, [1], [], 2))


@exercise("16.4")
def told(answer):
    def drawn(rng):
        return (
            rng.randint(0, 3),
            [rng.randint(4, 9) for _ in range(rng.randint(0, 3))],
            [rng.randint(10, 30) for _ in range(rng.randint(0, 5))],
            rng.randint(0, 3),
        )

    for start, prompt, ids, end in cases(TOLD, drawn):
        given, wanted = [start, *prompt, *ids], [*[-100] * len(prompt), *ids, end]
        got = answer(start, list(prompt), list(ids), end)
        pair = as_list(got)
        pair = [as_list(x) for x in pair] if pair is not None and len(pair) == 2 else got
        yield from faults(
            f"teach({start}, {prompt}, {ids}, {end})",
            pair,
            [given, wanted],
            [
                ([given, [*prompt, *ids, end]], "提示是给它的，不是要它学的：那几处写 −100。", "The prompt is told, not learned: put −100 there."),
                ([given, [*[-100] * len(prompt), *ids]], "结尾也要学：标签最后是 end，否则它停不下来。", "The end is learned too: the labels close with `end`, or it never stops."),
                ([given, [-100, *[-100] * len(prompt), *ids, end]], "标签比输入长了一个：每一处的标签是**下一个**词元。", "The labels are one too long: at each place the label is the **next** token."),
                ([[*given, end], [*wanted, -100]], "end 只在标签里：读到 end 以后不用再写什么。", "`end` belongs to the labels alone: nothing is written behind it."),
                ([given, [start, *[-100] * len(prompt), *ids, end]], "start 不在标签里：它站在最前，没有人预测它。", "`start` is no label: it stands first, and nobody predicts it."),
                ([[*prompt, *ids], wanted[1:]], "输入要从 start 开始。", "The input begins with `start`."),
                ([wanted, given], "两样东西的次序反了：先输入，后标签。", "The two are the wrong way round: input first, then labels."),
            ],
        )  # fmt: skip


def listener(clip):
    return clip


def deaf(clip):
    return "一"


HEARD = (
    (listener, ["一", "二", "三"]),
    (deaf, ["一", "二", "三"]),
    (deaf, ["二", "三"]),
    (listener, ["一", "一", "二"]),
    (lambda clip: "二" if clip == "一" else clip, ["一", "二", "三", "四"]),
)


@exercise("16.5")
def listening(answer):
    def drawn(rng):
        texts = [rng.choice("一二三四") for _ in range(rng.randint(2, 6))]
        texts[0], texts[1] = "一", "二"
        habit = {t: rng.choice("一二三四") for t in "一二三四"}
        return (lambda clip: habit[clip]), texts

    for write, texts in cases(HEARD, drawn):
        n = len(texts)
        moved = [texts[(i + 1) % n] for i in range(n)]
        fair = [(a, b) for a, b in zip(texts, moved, strict=True) if a != b]
        want = sum(write(b) == b for _, b in fair) / len(fair)
        words = tr("会写的函数", "a function that writes")
        yield from faults(
            f"follows({words}, {texts}, {texts})",
            answer(write, list(texts), list(texts)),
            want,
            [
                (sum(write(b) == b for b in moved) / n, "要换过以后的回答：给第 i 句听第 i + 1 个片段；两个片段说的是同一句话时，什么也看不出，那些不算。", "The answers after the exchange are wanted: for text i play clip i + 1; where the other clip says the same, nothing can be seen, and those don't count."),
                (sum(write(b) != a for a, b in fair) / len(fair), "写得和原来不同还不够：要写出**新**片段的内容。", "To write something else is not enough: it should be what the **new** clip says."),
                (sum(write(b) == a for a, b in fair) / len(fair), "这是不听的比例：比的应是新片段的文字。", "That is the share that does not listen: compare with the text of the new clip."),
                (sum(write(b) == b for _, b in fair) / n, "除以算数的句数，不是全部。", "Divide by the texts that count, not by all."),
            ],
        )  # fmt: skip
