# %% [markdown] lang="zh"
# # 练习 11 · 它写在哪儿
#
# 笔记 11 看着模型在原文里指。这里你把它身边的零件都做一遍：切窗口，把答案的字对到词元上，在合法的一对里选最好的，CMRC 的 F1，什么时候沉默；最后出一份卷子，一种说法也不漏给训练集。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 11 · Where does it stand
#
# Notebook 11 watched a model point into a text. Here you make all the parts around it: cut windows, find the tokens that hold an answer, choose the best of the legal pairs, CMRC's F1, when to keep silent; and in the end you set an exam that gives none of its wordings away to the training rows.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 11.1 切窗口
#
# 请写 `cut(n, room, shared)`：把 `n` 个词元切成窗口，每窗至多 `room` 个，相邻两窗共有 `shared` 个。返回 `[(起, 止), …]`，止不含在内。到了末尾就停：最后一窗可以短，不许有一窗整个落在前一窗里面。

# %% [markdown] lang="en"
# ## 11.1 Cut windows
#
# Write `cut(n, room, shared)`, which cuts `n` tokens into windows of at most `room`, neighbours sharing `shared`. Return `[(begin, end), …]`, the end exclusive. Stop at the end of the text: the last window may be shorter, and none may lie wholly inside the one before.


# %% answer="11.1"
def cut(n, room, shared):
    # BEGIN SOLUTION
    windows, begin = [], 0
    while True:
        windows.append((begin, min(begin + room, n)))
        if begin + room >= n:
            return windows
        begin += room - shared
    # END SOLUTION


# %% check="11.1" points=1
assert lk.check("11.1", cut)

# %% [markdown] lang="zh"
# 一万个词元的文章，每窗 384，搭 128：多少窗？**猜**了再看。

# %% [markdown] lang="en"
# An article of ten thousand tokens, windows of 384, an overlap of 128: how many windows? **Guess**, then look.

# %%
print(len(cut(10_000, 384, 128)))

# %% [markdown] lang="zh"
# ## 11.2 答案落在哪些词元上
#
# 请写 `places(span, offsets, context)`：`span` 是答案在上下文里的字 `(起, 止)`，或 None（没有答案）；`offsets[i]` 是第 `i` 个词元在**它自己那段文本**里的字 `(起, 止)`；`context` 是上下文的词元范围 `(第一个, 最后一个的后面)`。
#
# 返回答案的第一个和最后一个词元 `(first, last)`，从窗口开头数起。答案没有**整个**落在这一窗里（或没有答案），返回 `(0, 0)`。一个词元可能有好几个字，答案可能从词元中间开始。

# %% [markdown] lang="en"
# ## 11.2 Which tokens hold the answer
#
# Write `places(span, offsets, context)`: `span` are the answer's characters in the context, `(begin, end)`, or None (no answer); `offsets[i]` are the characters of token `i` in **its own text**, `(begin, end)`; `context` is the range of the context's tokens, `(the first, the one behind the last)`.
#
# Return the first and the last token of the answer, `(first, last)`, counted from the beginning of the window. Where the window does not hold **all** of it (or there is none), return `(0, 0)`. A token may hold several characters, and an answer may begin inside one.


# %% answer="11.2"
def places(span, offsets, context):
    # BEGIN SOLUTION
    begin, end = context
    if span is None or span[0] < offsets[begin][0] or span[1] > offsets[end - 1][1]:
        return 0, 0
    first = next(i for i in range(begin, end) if offsets[i][1] > span[0])
    last = next(i for i in reversed(range(begin, end)) if offsets[i][0] < span[1])
    return first, last
    # END SOLUTION


# %% check="11.2" points=2
assert lk.check("11.2", places)

# %% [markdown] lang="zh"
# ## 11.3 最好的一段
#
# 请写 `best_span(start, end, context, longest)`：`start`、`end` 是每个词元的两个分数（列表），`context` 是上下文的范围，`longest` 是答案至多几个词元。返回合法的一对 `(first, last)` 里 `start[first] + end[last]` 最大的那一对。

# %% [markdown] lang="en"
# ## 11.3 The best span
#
# Write `best_span(start, end, context, longest)`: `start` and `end` are lists with the two scores of each token, `context` is the range of the context, and an answer has at most `longest` tokens. Return the legal pair `(first, last)` with the largest `start[first] + end[last]`.


# %% answer="11.3"
def best_span(start, end, context, longest):
    # BEGIN SOLUTION
    pairs = [(i, j) for i in range(*context) for j in range(i, min(i + longest, context[1]))]
    return max(pairs, key=lambda pair: start[pair[0]] + end[pair[1]])
    # END SOLUTION


# %% check="11.3" points=2
assert lk.check("11.3", best_span)

# %% [markdown] lang="zh"
# ## 11.4 CMRC 的 F1
#
# 请写 `f1(said, reference)`：两个单位的列表，如 `["青", "石", "路", "12", "号"]`。求两边共有的**最长连续一段**，由它的长度得精确率（除以 `said` 的长度）、召回率（除以 `reference` 的长度）和 F1。一个单位也不共有时是 0。

# %% [markdown] lang="en"
# ## 11.4 CMRC's F1
#
# Write `f1(said, reference)` for two lists of units, such as `["青", "石", "路", "12", "号"]`. Find the **longest unbroken run** that both have; its length gives precision (by the length of `said`), recall (by that of `reference`) and F1. Where not one unit is shared it is 0.


# %% answer="11.4"
def f1(said, reference):
    # BEGIN SOLUTION
    longest, above = 0, [0] * (len(reference) + 1)
    for unit in said:
        row = [0]
        for j, theirs in enumerate(reference):
            row.append(above[j] + 1 if unit == theirs else 0)
        longest, above = max(longest, *row), row
    return 2 * longest / (len(said) + len(reference)) if longest else 0.0
    # END SOLUTION


# %% check="11.4" points=2
assert lk.check("11.4", f1)

# %% [markdown] lang="zh"
# 和 labkit 的比一比：

# %% [markdown] lang="en"
# Compare with labkit's:

# %%
task = lk.tasks.QuestionAnswering()
pairs = [("青石路西门口", "青石路"), ("周三下午", "下午周三"), ("红枣", "大米")]
print(all(abs(f1(list(a), list(b)) - task.counts(a, [b])[2]) < 1e-9 for a, b in pairs))

# %% [markdown] lang="zh"
# ## 11.5 选一窗，或者沉默
#
# 一篇长文切成几窗，每一窗交来 `(最好一段的分数, 空答案的分数, 那一段的文字)`。请写 `choose(windows, no_answer)`：返回全文的答案。`no_answer` 为 True 时允许沉默（返回 `""`），为 False 时一定要回答。

# %% [markdown] lang="en"
# ## 11.5 Choose a window, or silence
#
# A long text was cut into windows, and each hands in `(score of its best stretch, its null score, the words of that stretch)`. Write `choose(windows, no_answer)`, which returns the answer of the whole text. With `no_answer` True silence is allowed (return `""`), with False an answer must be given.


# %% answer="11.5"
def choose(windows, no_answer):
    # BEGIN SOLUTION
    score, null, text = max(windows, key=lambda window: window[0] - window[1])
    return "" if no_answer and score < null else text
    # END SOLUTION


# %% check="11.5" points=2
assert lk.check("11.5", choose)

# %% [markdown] lang="zh"
# ## 11.6 设计：一份不漏说法的卷子
#
# 笔记第 5 节：测试题和训练题出自同一张嘴，分数就偏高。给你一份问题 `rows`，每行是 `(问的东西, 问法)`，同一种问法会出现好几次（末尾可能多个空格或“！”，不算另一种）。请写 `exam(rows, share)`：返回放进测试的行号，使得
#
# - 没有一种问法两边都有；
# - 每样东西，测试和训练里都有人问；
# - 测试占全部行数的 15 % 到 35 %（`share` 是 0.25）。
#
# 怎样挑由你设计。

# %% [markdown] lang="en"
# ## 11.6 Design: an exam that gives no wording away
#
# Section 5 of the notebook: where test questions come from the same mouth as those of training, the score flatters. You are given questions, `rows`, each `(thing asked for, wording)`; a wording occurs several times (perhaps with a space or a “！” at its end, which makes no other wording). Write `exam(rows, share)`, which returns the numbers of the rows that go to the test, so that
#
# - no wording stands on both sides;
# - each thing is asked for on both sides;
# - the test has 15 to 35 % of all rows (`share` is 0.25).
#
# How to choose is your design.


# %% answer="11.6"
def exam(rows, share):
    # BEGIN SOLUTION
    heaps = {}
    for i, (thing, wording) in enumerate(rows):
        heaps.setdefault(thing, {}).setdefault(wording.strip("！ "), []).append(i)
    test = []
    for wordings in heaps.values():
        sizes = sorted(wordings.values(), key=len)
        wanted, taken = share * sum(map(len, sizes)), []
        for heap in sizes[:-1]:
            if taken and len(taken) + len(heap) / 2 > wanted:
                break
            taken += heap
        test += taken
    return test
    # END SOLUTION


# %% check="11.6" points=3
assert lk.check("11.6", exam)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("11")
