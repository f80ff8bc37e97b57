# %% [markdown] lang="zh"
# # 练习 13 · 不自欺的调参
#
# 笔记 13 里用的是现成的搜索，这里自己写它的零件：目前最好、在对数刻度上抽、剪枝、逐次减半；再写一把尺子，量赢家的诅咒有多重；最后设计一个自己的搜索，要能用十二次找到山顶。全部是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 13 · Tuning without fooling yourself
#
# Notebook 13 used a search that was there; here you write its parts: the best so far, a draw on a logarithmic scale, pruning, successive halving; then a yardstick for the winner's curse; and in the end a search of your own, which has to find the top of a hill in twelve tries. All are small functions of a few lines; nothing has to be trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import itertools
import math
import statistics

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 13.1 目前最好
#
# 画搜索的图，最要紧的一条线是“目前最好”。请写 `so_far(scores)`：`scores` 是一次次试验的分数（越大越好），返回一样长的列表，第 i 个数是第 0 到第 i 次试验里最好的分数。

# %% [markdown] lang="en"
# ## 13.1 The best so far
#
# The line that matters most in a picture of a search is the best so far. Write `so_far(scores)`: `scores` are those of one trial after the other (larger is better); return a list of the same length, whose number at place i is the best score of trials 0 to i.


# %% answer="13.1"
def so_far(scores):
    # BEGIN SOLUTION
    return list(itertools.accumulate(scores, max))
    # END SOLUTION


# %% check="13.1" points=2
assert lk.check("13.1", so_far)

# %% [markdown] lang="zh"
# ## 13.2 在对数刻度上抽
#
# 学习率从 1e-5 到 1e-1，在直线上均匀地抽，九成的点落在 0.01 以上，全都太大。请写 `draw(u, low, high)`：`u` 是 0 到 1 之间的数（随机数已经替你抽好了），返回 `low` 和 `high` 之间、在**对数**刻度上走了 `u` 那么远的值。`u = 0` 是 `low`，`u = 1` 是 `high`，`u = 0.5` 是两者的几何平均。

# %% [markdown] lang="en"
# ## 13.2 A draw on a logarithmic scale
#
# For a rate from 1e-5 to 1e-1, an even draw on a straight scale puts nine points in ten above 0.01, where all are too high. Write `draw(u, low, high)`: `u` is a number between 0 and 1 (the random number, drawn for you); return the value that lies the share `u` of the way from `low` to `high` on a **logarithmic** scale. `u = 0` is `low`, `u = 1` is `high`, and `u = 0.5` is their geometric mean.


# %% answer="13.2"
def draw(u, low, high):
    # BEGIN SOLUTION
    return low * (high / low) ** u
    # END SOLUTION


# %% check="13.2" points=2
assert lk.check("13.2", draw)

# %% [markdown] lang="zh"
# ## 13.3 剪枝：中位数规则
#
# 一次试验练到一半，曲线已经比大家差，还练完吗？请写 `prune(course, others)`：`course` 是这次试验到目前为止各轮的验证成绩，`others` 是以前各次试验的整条曲线（长短不一）。它**到目前为止最好**的成绩，如果低于别人**在同一处**（同一轮）的成绩的**中位数**，返回 `True`，否则 `False`。没有走到这里的，不算在内；没有可比的，不剪；恰好等于，不剪。

# %% [markdown] lang="en"
# ## 13.3 Pruning: the median rule
#
# A trial is halfway, and its curve is worse than everybody's. Should it go to its end? Write `prune(course, others)`: `course` are the validation scores of this trial's epochs so far, `others` the whole curves of trials before it (of unequal length). Where its **best so far** is below the **median** of what the others had **at the same point** (the same epoch), return `True`, else `False`. Those that never came so far don't count; with nobody to compare with, don't prune; and don't where it is just equal.


# %% answer="13.3"
def prune(course, others):
    # BEGIN SOLUTION
    at = len(course) - 1
    there = [other[at] for other in others if len(other) > at]
    return bool(there) and max(course) < statistics.median(there)
    # END SOLUTION


# %% check="13.3" points=2
assert lk.check("13.3", prune)

# %% [markdown] lang="zh"
# ## 13.4 赢家的诅咒
#
# 请写一把尺子 `optimism(valid, test, draws)`：`valid[i]` 和 `test[i]` 是第 i 组设置的验证和测试成绩；`draws` 是一次次抽签，每次是几个编号。每次抽签里，**验证**成绩最高的是赢家。返回“赢家的验证成绩减去它自己的测试成绩”的平均：挑人的成绩比真实的高估了多少。

# %% [markdown] lang="en"
# ## 13.4 The winner's curse
#
# Write a yardstick, `optimism(valid, test, draws)`: `valid[i]` and `test[i]` are the validation and test scores of settings i; `draws` are draws of some numbers each. In every draw the one with the highest **validation** score wins. Return the mean of "the winner's validation score minus its own test score": by how much the score that chose flatters the truth.


# %% answer="13.4"
def optimism(valid, test, draws):
    # BEGIN SOLUTION
    winners = [max(draw, key=lambda i: valid[i]) for draw in draws]
    return statistics.fmean(valid[i] - test[i] for i in winners)
    # END SOLUTION


# %% check="13.4" points=2
assert lk.check("13.4", optimism)

# %% [markdown] lang="zh"
# 用一个造出来的例子试试：四十组设置，真实的好坏完全一样，验证成绩只差在运气。**猜**：挑一个的时候高估多少？挑四十个里最好的呢？

# %% [markdown] lang="en"
# Try it on a made-up case: forty settings that are all equally good; validation scores differ by luck alone. **Guess**: how large is the flattery with one candidate, and with the best of forty?

# %%
import random

rng = random.Random(0)
equal = [0.8 + rng.gauss(0, 0.04) for _ in range(40)]
for k in (1, 10, 40):
    picked = [rng.sample(range(40), k) for _ in range(200)]
    print(k, round(optimism(equal, [0.8] * 40, picked), 2))

# %% [markdown] lang="zh"
# ## 13.5 逐次减半
#
# 八个候选，先各练一轮，留好的四个；四个各练两轮，留两个；两个各练四轮，留一个。请写 `halve(count, score, epochs)`：候选是 0 到 `count - 1`，`score(i, n)` 是第 i 个练 n 轮的验证成绩，第一回合练 `epochs` 轮，以后每回合加倍。单数时多留一个（三个留两个）。只剩一个就停，不再练。返回 `(胜者, 一共花掉的轮数)`；每回合都从头练，所以 n 轮就花 n 轮。

# %% [markdown] lang="en"
# ## 13.5 Successive halving
#
# Eight candidates train for one epoch each, the better four are kept; those train for two, two are kept; those for four, and one is left. Write `halve(count, score, epochs)`: candidates are 0 to `count - 1`, `score(i, n)` is the validation score of i after n epochs; the first round has `epochs` epochs, and each round after it twice as many. Of an odd number keep the larger half (two of three). When one is left, stop; it is not trained again. Return `(winner, epochs spent in all)`; every round trains from the beginning, so that n epochs cost n.


# %% answer="13.5"
def halve(count, score, epochs):
    # BEGIN SOLUTION
    left, spent = list(range(count)), 0
    while len(left) > 1:
        scores = {i: score(i, epochs) for i in left}
        spent += epochs * len(left)
        left = sorted(left, key=scores.get, reverse=True)[: (len(left) + 1) // 2]
        epochs *= 2
    return left[0], spent
    # END SOLUTION


# %% check="13.5" points=2
assert lk.check("13.5", halve)

# %% [markdown] lang="zh"
# ## 13.6 自己的搜索
#
# 没有标准答案的一题。学习率从 1e-4 到 1e-1，准确率随它的对数像一座山，只有一个山顶，不知道在哪里。请写 `propose(history)`：`history` 是试过的 `(学习率, 准确率)`，按先后排（第一次是空的），返回下一个要试的学习率。检查用十座不同的山，每座让你试十二次；最好的一次离山顶在一成五以内（以 10 为底的对数差 0.06）算走到了，十座要走到九座。随机抽，平均不到五座。

# %% [markdown] lang="en"
# ## 13.6 A search of your own
#
# An exercise without one right answer. Rates go from 1e-4 to 1e-1; the accuracy is a hill over their logarithm, with one top, and you don't know where. Write `propose(history)`: `history` are the `(rate, accuracy)` tried so far, in order (empty at first); return the next rate to try. The check has ten different hills with twelve tries each; the best try has to lie within 15 % of the top (0.06 in the logarithm to base 10) on nine of ten. Random draws manage fewer than five on average.


# %% answer="13.6"
def propose(history):
    # BEGIN SOLUTION
    first = [1e-4, 1e-3, 1e-2, 1e-1]
    if len(history) < len(first):
        return first[len(history)]
    tried = sorted(history)
    best = max(range(len(tried)), key=lambda i: tried[i][1])
    sides = [(i, i + 1) for i in (best - 1, best) if 0 <= i < len(tried) - 1]
    low, high = max(sides, key=lambda side: tried[side[1]][0] / tried[side[0]][0])
    return math.sqrt(tried[low][0] * tried[high][0])
    # END SOLUTION


# %% check="13.6" points=2
assert lk.check("13.6", propose)

# %% [markdown] lang="zh"
# 山顶只有一个，这是你的搜索占的便宜。真实的验证成绩会抖：同一个学习率换个种子，能差一两个百分点。那时两个邻居谁高谁低靠不住，铺得开一些反而稳。这就是 TPE 一类方法不肯一下子缩到最好的附近的原因。

# %% [markdown] lang="en"
# One top, and no noise: that is what your search lives on. Real validation scores wobble; the same rate with another seed may differ by a point or two. Then it cannot be trusted which neighbour is higher, and spreading out more is safer. This is why methods such as TPE don't close in on the best at once.

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("13")
