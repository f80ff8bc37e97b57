# %% [markdown] lang="zh"
# # 练习 10 · 给每个字一个标签
#
# 这里你亲手写一遍实体识别里最容易出错的几处：BIO、读回来、首块标签、合法解码、实体 F1、四种错误。都是几行的小函数，不用训练；写完以后，`labkit` 的标注任务就没有你不认识的零件了。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 10 · One label for each word
#
# Here you write those places of entity recognition by hand where most goes wrong: BIO, reading it back, first-piece labels, legal decoding, entity F1, four kinds of error. All are functions of a few lines, and nothing has to be trained; after that, no part of labkit's tagging is a stranger to you.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import math

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 10.1 从实体到标签
#
# 请写 `bio(length, spans)`：`length` 是文本的字数，`spans` 是实体的列表 `(开始, 结束, 类型)`，结束不含在内，互不重叠，次序不定。返回 `length` 个标签的列表：实体的第一个字 `"B-类型"`，接下去的字 `"I-类型"`，外面 `"O"`。

# %% [markdown] lang="en"
# ## 10.1 From entities to tags
#
# Write `bio(length, spans)`: `length` is the number of characters of the text, `spans` a list of entities `(begin, end, type)`, the end exclusive, none overlapping, in any order. Return a list of `length` tags: `"B-type"` for the first character of an entity, `"I-type"` for those that go on with it, `"O"` outside.


# %% answer="10.1"
def bio(length, spans):
    # BEGIN SOLUTION
    tags = ["O"] * length
    for begin, end, label in spans:
        tags[begin:end] = [f"B-{label}"] + [f"I-{label}"] * (end - begin - 1)
    return tags
    # END SOLUTION


# %% check="10.1" points=2
assert lk.check("10.1", bio)

# %% [markdown] lang="zh"
# ## 10.2 从标签到实体
#
# 请写 `entities(tags)`：每个字一个标签，返回 `(开始, 结束, 类型)` 的列表，按先后。`B-` 总是开一个新实体；`I-` 接着前一个字的**同类**实体，前面没有同类的，它自己开一个（这是 conlleval 的宽容规则）。

# %% [markdown] lang="en"
# ## 10.2 From tags to entities
#
# Write `entities(tags)`: one tag a character; return the list of `(begin, end, type)`, in order. `B-` always begins a new entity; `I-` goes on with the entity **of its type** that the character before it stands in, and begins one where there is none (the lenient rule of conlleval).


# %% answer="10.2"
def entities(tags):
    # BEGIN SOLUTION
    found, before = [], "O"
    for i, tag in enumerate(tags):
        if tag[0] == "I" and before[2:] == tag[2:]:
            found[-1] = (found[-1][0], i + 1, tag[2:])
        elif tag != "O":
            found.append((i, i + 1, tag[2:]))
        before = tag
    return found
    # END SOLUTION


# %% check="10.2" points=2
assert lk.check("10.2", entities)

# %% [markdown] lang="zh"
# 两个函数互为反函数吗？**猜**：从实体出发走一圈，一定回得来；从标签出发呢？

# %% [markdown] lang="en"
# Are the two inverse to each other? **Guess**: from entities, there and back, you always return. And from tags?

# %%
spans = [(0, 2, "PER"), (2, 4, "PER"), (5, 6, "LOC")]
print(entities(bio(7, spans)) == spans)
loose = ["O", "I-PER", "I-PER"]
print(*bio(3, entities(loose)))

# %% [markdown] lang="zh"
# ## 10.3 首块标签
#
# 请写 `first_pieces(words, tags)`：`words` 说每个词元属于第几个词，特殊符号是 `None`；`tags` 是每个词的标签编号。返回每个词元的目标：一个词的**第一块**是它的标签编号，其余的块和特殊符号都是 `-100`（不算损失）。
#
# 例如 `first_pieces([None, 0, 1, 1, None], [0, 3])` 是 `[-100, 0, 3, -100, -100]`。

# %% [markdown] lang="en"
# ## 10.3 First-piece labels
#
# Write `first_pieces(words, tags)`: `words` says to which word each token belongs, `None` for special tokens; `tags` are the tag numbers of the words. Return the target of each token: the **first piece** of a word has the word's tag number, its other pieces and special tokens have `-100` (no loss).
#
# So `first_pieces([None, 0, 1, 1, None], [0, 3])` is `[-100, 0, 3, -100, -100]`.


# %% answer="10.3"
def first_pieces(words, tags):
    # BEGIN SOLUTION
    targets, before = [], None
    for word in words:
        targets.append(-100 if word is None or word == before else tags[word])
        before = word
    return targets
    # END SOLUTION


# %% check="10.3" points=2
assert lk.check("10.3", first_pieces)

# %% [markdown] lang="zh"
# ## 10.4 合法解码
#
# 请写 `decode(scores, tags)`：`tags` 是标签名的列表（有 `"O"`，每种类型有 `B-` 和 `I-`），`scores[i][k]` 是第 i 个字取第 k 个标签的对数概率。返回总分最高的**合法**标签序列（标签名的列表）。合法：`I-X` 前面必须是 `B-X` 或 `I-X`，也不能打头。
#
# 逐个挑最大再修补是不对的：要从左到右，记住走到每个标签的最好的路（Viterbi）。字可能有好几十个，枚举所有序列是走不完的。

# %% [markdown] lang="en"
# ## 10.4 Legal decoding
#
# Write `decode(scores, tags)`: `tags` is a list of tag names (`"O"`, and `B-` and `I-` of each type), `scores[i][k]` the log-probability that character i has tag k. Return the **legal** sequence of tag names with the highest total. Legal: `I-X` stands behind `B-X` or `I-X`, and never first.
#
# To take the largest at each place and to repair it afterwards is not the same: go from left to right and remember the best way to each tag (Viterbi). There may be dozens of characters, so that trying all sequences would never end.


# %% answer="10.4"
def decode(scores, tags):
    # BEGIN SOLUTION
    def allowed(before, tag):
        return tag[0] != "I" or before[2:] == tag[2:]

    best = [(s if allowed("O", t) else -math.inf, [t]) for s, t in zip(scores[0], tags, strict=True)]
    for row in scores[1:]:
        ways = [max((w for w in best if allowed(w[1][-1], t)), key=lambda w: w[0]) for t in tags]
        best = [(way[0] + s, [*way[1], t]) for way, s, t in zip(ways, row, tags, strict=True)]
    return max(best, key=lambda way: way[0])[1]
    # END SOLUTION


# %% check="10.4" points=3
assert lk.check("10.4", decode)

# %% [markdown] lang="zh"
# ## 10.5 实体 F1
#
# 请写 `entity_f1(said, truth)`：两个列表，一行一项，每项是这一行的实体 `(开始, 结束, 类型)`。返回全部行合起来的 F1：2 × 对的 ÷（说出的 + 真有的）。对：同一行里，两个边界和类型全同。一个真实体也没有时 F1 没有定义，返回 `nan`。

# %% [markdown] lang="en"
# ## 10.5 Entity F1
#
# Write `entity_f1(said, truth)`: two lists with one item a row, each the entities `(begin, end, type)` of that row. Return the F1 of all rows together: 2 × right ÷ (said + true). Right: in the same row, both edges and the type the same. Where no entity is true at all, F1 is undefined: return `nan`.


# %% answer="10.5"
def entity_f1(said, truth):
    # BEGIN SOLUTION
    right = sum(len(set(s) & set(t)) for s, t in zip(said, truth, strict=True))
    true = sum(map(len, truth))
    return 2 * right / (sum(map(len, said)) + true) if true else math.nan
    # END SOLUTION


# %% check="10.5" points=2
assert lk.check("10.5", entity_f1)

# %% [markdown] lang="zh"
# ## 10.6 四种错误
#
# 请写 `kinds(said, truth)`：**一行**里说出的和真有的实体，各自互不重叠。先去掉全对的。剩下说出的，从左到右一个个看：与还没配过的真实体有重叠，就和其中最左的一个配成一对，边界全同是 `"wrong type"`，否则是 `"wrong edge"`；没有重叠的是 `"invented"`。最后没有配上的真实体是 `"missed"`。返回这四个名字到个数的字典。

# %% [markdown] lang="en"
# ## 10.6 Four kinds of error
#
# Write `kinds(said, truth)`: the said and the true entities of **one row**, none overlapping another of its list. Take away what is right. Then look at the said ones that are left, from left to right: one that overlaps a true entity that is not paired yet is paired with the leftmost of these, and is `"wrong type"` where both edges are the same, else `"wrong edge"`; one that overlaps none is `"invented"`. True entities that stay unpaired are `"missed"`. Return a dictionary from these four names to counts.


# %% answer="10.6"
def kinds(said, truth):
    # BEGIN SOLUTION
    left = sorted(set(truth) - set(said))
    found = {"missed": 0, "invented": 0, "wrong edge": 0, "wrong type": 0}
    for begin, end, _ in sorted(set(said) - set(truth)):
        other = next((t for t in left if begin < t[1] and t[0] < end), None)
        if other is None:
            found["invented"] += 1
            continue
        left.remove(other)
        found["wrong type" if other[:2] == (begin, end) else "wrong edge"] += 1
    found["missed"] = len(left)
    return found
    # END SOLUTION


# %% check="10.6" points=3
assert lk.check("10.6", kinds)

# %% [markdown] lang="zh"
# 用你的零件给 CRF 打一次分，和 `labkit` 的对一对。

# %% [markdown] lang="en"
# Score the CRF with parts of your own, and compare with labkit's.

# %%
corpus = lk.names()
crf = lk.baseline(corpus, "crf")
rows = [[[tuple(span) for span in spans] for spans in side] for side in (crf.answers, crf.truth)]
print(tr("和 labkit 一样：", "the same as labkit's:"), abs(entity_f1(*rows) - crf.test_entity_f1) < 1e-9)
total = sum(kinds(*pair)["wrong edge"] for pair in zip(*rows, strict=True))
want = round(crf.test.wrong_edge * sum(map(len, rows[1])))
print(tr("边界错的个数，你的和 labkit 的：", "wrong edges, yours and labkit's:"), total, want)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("10")
