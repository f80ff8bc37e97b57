# %% [markdown] lang="zh"
# # 练习 08 · 它好吗
#
# 笔记 08 用六种工具审了一个模型。这里你亲手把工具做出来：一个不受懒人骗的分数，一个成对的区间，一把量校准的尺子和一个修校准的数，一个问“假如”的检验；最后拿到一份有偏见的数据，把它修好，由一个小模型来判。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 08 · Is it good
#
# Notebook 08 audited a model with six tools. Here you make the tools yourself: a score that is not taken in by the lazy, an interval in pairs, a ruler for calibration and a number that mends it, a test that asks "what if"; and in the end you are handed a biased data set, and a small model judges your repair.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import numpy as np
import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 08.1 从零写 macro-F1
#
# 请写 `macro_f1(truth, said)`：两个一样长的列表，真相和模型说的，元素是类别（字符串或整数）。返回各类 F1 的平均，每一类一样重。
#
# 要算的类别：真相里有的，和被说到的，合在一起。真相里有、却从来没被说到的一类，F1 是 0；说到了、真相里却没有的一类，也是 0。不许用现成的库。

# %% [markdown] lang="en"
# ## 08.1 Macro-F1 from scratch
#
# Write `macro_f1(truth, said)` for two lists of equal length, the truth and what the model says; their elements are classes (strings or whole numbers). Return the mean of the classes' F1, each class weighing the same.
#
# The classes that count are those among the truth together with those that are said. A class among the truth that is never said has an F1 of 0; so has one that is said and is not among the truth. No library, please.


# %% answer="08.1"
def macro_f1(truth, said):
    # BEGIN SOLUTION
    found = []
    for label in set(truth) | set(said):
        right = sum(t == s == label for t, s in zip(truth, said, strict=True))
        found.append(2 * right / (truth.count(label) + said.count(label)))
    return sum(found) / len(found)
    # END SOLUTION


# %% check="08.1" points=1
assert lk.check("08.1", macro_f1)

# %% [markdown] lang="zh"
# 拿懒人来试：94 条好评、6 条差评，一律说好评。**猜**：多少？

# %% [markdown] lang="en"
# Try it on the lazy one: 94 good reviews, 6 bad, and "good" every time. **Guess**: how much?

# %%
print(round(macro_f1(["good"] * 94 + ["bad"] * 6, ["good"] * 100), 3))

# %% [markdown] lang="zh"
# ## 08.2 成对的区间
#
# 请写 `difference(a, b, draws)`：`a`、`b` 是两个模型在**同样的行**上答对（1）或答错（0）的列表。用自助抽样（有放回）抽 `draws` 次，返回准确率之差（第一个减第二个）的 95 % 区间 `(low, high)`。
#
# 结果是随机的，检查允许一成的出入。

# %% [markdown] lang="en"
# ## 08.2 An interval in pairs
#
# Write `difference(a, b, draws)`: `a` and `b` are lists that say of two models, on the **same rows**, where each is right (1) or wrong (0). Use the bootstrap (draw with putting back) `draws` times, and return the 95 % interval `(low, high)` of the difference in accuracy, first minus second.
#
# The result is random; the check allows a tenth.


# %% answer="08.2"
def difference(a, b, draws):
    # BEGIN SOLUTION
    each = torch.tensor(a, dtype=torch.float) - torch.tensor(b)
    picks = torch.randint(len(each), (draws, len(each)))
    means = each[picks].mean(1)
    return means.quantile(0.025).item(), means.quantile(0.975).item()
    # END SOLUTION


# %% check="08.2" points=2
assert lk.check("08.2", difference)

# %% [markdown] lang="zh"
# ## 08.3 校准误差，按行数等分
#
# 笔记里的档是等宽的，于是“九成以上”一档挤了七成的行，别的档空空荡荡。另一种切法：按把握**从小到大排好**，切成 `bins` 组，每组行数相同；分不尽时，前面的组各多一行。
#
# 请写 `ece(sure, hit, bins)`：`sure` 是每一行的把握（概率），`hit` 是对（1）或错（0）。每组求“平均把握”和“对的比例”之差的绝对值，按行数加权平均。

# %% [markdown] lang="en"
# ## 08.3 Calibration error in groups of equal size
#
# The bins of the notebook have equal width, and so "over 90 %" was crowded with seven rows in ten while others stood nearly empty. Another way to cut: **sort** by how sure the model is, from low to high, and cut into `bins` groups with equal numbers of rows; where they do not divide, the first groups get one row more each.
#
# Write `ece(sure, hit, bins)`: `sure` holds how sure the model is of each row (a probability), `hit` whether it is right (1) or wrong (0). For each group take the absolute difference of "how sure on average" and "share right", and return the mean, weighted by rows.


# %% answer="08.3"
def ece(sure, hit, bins):
    # BEGIN SOLUTION
    sure, hit = np.array(sure), np.array(hit)
    groups = np.array_split(np.argsort(sure, kind="stable"), bins)
    return sum(len(g) / len(sure) * abs(sure[g].mean() - hit[g].mean()) for g in groups if len(g))
    # END SOLUTION


# %% check="08.3" points=2
assert lk.check("08.3", ece)

# %% [markdown] lang="zh"
# ## 08.4 找温度
#
# 请写 `temperature(logits, truth)`：`logits` 形状（行数，类别数），`truth` 形状（行数）。返回让 `cross_entropy(logits / T, truth)` 最小的 `T`（大于 0 的数），误差在 3 % 以内。类别可以不止两个；模型可能太自信，也可能太谦虚。

# %% [markdown] lang="en"
# ## 08.4 Find the temperature
#
# Write `temperature(logits, truth)`, where `logits` has the shape (rows, classes) and `truth` (rows). Return the `T` above 0 at which `cross_entropy(logits / T, truth)` is smallest, to within 3 %. There may be more than two classes, and the model may be too sure or too modest.


# %% answer="08.4"
def temperature(logits, truth):
    # BEGIN SOLUTION
    grid = torch.logspace(-1.5, 1.5, 601).tolist()
    return min(grid, key=lambda t: torch.nn.functional.cross_entropy(logits / t, truth).item())
    # END SOLUTION


# %% check="08.4" points=2
assert lk.check("08.4", temperature)

# %% [markdown] lang="zh"
# ## 08.5 反事实翻转率
#
# 请写 `flip_rate(answer, texts, pairs)`：`answer` 是一个函数，给它一条文本，它返回标签；`pairs` 是要互换的词，如 `[("星海", "云山")]`。把每条文本里每一对词**互换**（甲变乙，乙变甲，同时），问模型答案变了没有。返回变了的占**换得动的文本**的比例；一条也换不动时返回 0.0。

# %% [markdown] lang="en"
# ## 08.5 The counterfactual flip rate
#
# Write `flip_rate(answer, texts, pairs)`: `answer` is a function that returns the label of a text, and `pairs` are words to be exchanged, such as `[("星海", "云山")]`. In each text **exchange** the words of every pair (A becomes B and B becomes A, at once), and ask whether the model's answer changes. Return the share that changed among the **texts that the exchange alters**, and 0.0 where it alters none.


# %% answer="08.5"
def flip_rate(answer, texts, pairs):
    # BEGIN SOLUTION
    changed = total = 0
    for text in texts:
        other = text
        for a, b in pairs:
            other = other.replace(a, "\0").replace(b, a).replace("\0", b)
        total += other != text
        changed += other != text and answer(other) != answer(text)
    return changed / total if total else 0.0
    # END SOLUTION


# %% check="08.5" points=2
assert lk.check("08.5", flip_rate)

# %% [markdown] lang="zh"
# 检验一个只看有没有“不”字的模型：把“不”和“很”互换，翻转率是多少？（这里“不”正是它该看的东西：翻转率高不一定是坏事，要看换的是不是**不相干**的词。）

# %% [markdown] lang="en"
# Test a model that only looks for the character 不 ("not") by exchanging 不 and 很 ("very"). What is the flip rate? (Here 不 is the very thing it should look at: a high flip rate is bad only where the words exchanged are **beside the point**.)

# %%
reviews = [row.input for row in lk.reviews().test]
print(flip_rate(lambda text: "不" in text, reviews, [("不", "很")]) > 0.8)

# %% [markdown] lang="zh"
# ## 08.6 设计：修好有偏见的数据
#
# 500 条评论，每条前面有一个来源标记，`来自星海客户端：` 或 `来自云山客户端：`。来源和好坏无关，可是在这份数据里，标签为 0 的九成多来自前者，标签为 1 的九成多来自后者。用它训练的模型只看来源。
#
# 请写 `repair(rows, marks)`：`rows` 是 `(文本, 标签)` 的列表，`marks` 是两个标记 `("来自星海客户端", "来自云山客户端")`。返回修好的行。怎样修由你设计。检查用你交出的行训练一个很小的线性模型，要求：
#
# - 测试文本只换标记时，答案变的不超过 14 %（修之前接近 100 %）；
# - 标记随机的测试集上，准确率至少 0.70（修之前 0.50）；
# - 每一行都是给你的评论，只可以动前面的标记（换成别的、改写、抹掉都行，至多 15 个字）；标签不许改；至多是原来的 4 倍。

# %% [markdown] lang="en"
# ## 08.6 Design: repair a biased data set
#
# Five hundred reviews, each with a mark of its source in front, `来自星海客户端：` ("from the Xinghai app") or `来自云山客户端：` ("from the Yunshan app"). The source has nothing to do with good or bad, but in these rows more than nine in ten of label 0 come from the first and more than nine in ten of label 1 from the second. A model trained on them looks at the source and nothing else.
#
# Write `repair(rows, marks)`, where `rows` is a list of `(text, label)` and `marks` holds the two marks `("来自星海客户端", "来自云山客户端")`. Return the repaired rows; how is your design. The check trains a very small linear model on them, and wants this:
#
# - when nothing but the mark of a test text is changed, at most 14 % of the answers change (without a repair it is nearly 100 %);
# - on test rows with marks by lot the accuracy is at least 0.70 (without a repair 0.50);
# - every row is one of the given reviews, of which only the mark in front may be changed (exchanged, reworded up to 15 characters, or removed); labels stay; there are at most 4 times as many rows.


# %% answer="08.6"
def repair(rows, marks):
    # BEGIN SOLUTION
    found = []
    for text, label in rows:
        mine = next(mark for mark in marks if mark in text)
        found += [(text.replace(mine, other), label) for other in marks]
    return found
    # END SOLUTION


# %% check="08.6" points=3
assert lk.check("08.6", repair)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("08")
