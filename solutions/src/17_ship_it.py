# %% [markdown] lang="zh"
# # 练习 17 · 送出实验室
#
# 笔记 17 里的尺子都是现成的，这里自己做：p99、int8、蒸馏的损失、凑批、删除检验，最后替一个服务选模型。全部是几行的小函数，不用训练，不用网络。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 17 · Ship it
#
# The yardsticks of notebook 17 were ready-made; here you make them: p99, int8, the loss of distillation, the making of batches and the deletion test, and in the end you choose a model for a service. All are small functions of a few lines; nothing is trained, and no network is asked.
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
# ## 17.1 尾巴：p99
#
# 请写 `tail(times, share)`：`times` 是一次次请求的毫秒数，没有排序；返回**至少** `share` 那么多的请求都不超过的最小的那个时间。一百个时间，`share=0.99`，就是从快到慢的第 99 个；七个时间，`share=0.5`，是第 4 个（7 的一半是 3.5，向上取整）。

# %% [markdown] lang="en"
# ## 17.1 The tail: p99
#
# Write `tail(times, share)`: `times` are the milliseconds of requests, in no order; return the smallest of them that **at least** the share `share` of all requests do not exceed. Of a hundred times with `share=0.99` that is the 99th from fast to slow; of seven with `share=0.5` the 4th (half of 7 is 3.5, rounded up).


# %% answer="17.1"
def tail(times, share):
    # BEGIN SOLUTION
    place = max(1, math.ceil(share * len(times) - 1e-9))
    return sorted(times)[place - 1]
    # END SOLUTION


# %% check="17.1" points=2
assert lk.check("17.1", tail)

# %% [markdown] lang="zh"
# ## 17.2 四个字节变一个
#
# 请写 `quantize(values)`：`values` 是一组权重（不全是 0）。尺度 `scale` 是绝对值最大的那个除以 127；每个值除以尺度，取最近的整数。返回 `(整数的列表, scale)`。乘回去就约等于原来的值，差最多半个尺度。

# %% [markdown] lang="en"
# ## 17.2 Four bytes into one
#
# Write `quantize(values)`: `values` are a group of weights (not all 0). The scale is the largest absolute value divided by 127; each value is divided by the scale and rounded to the nearest whole number. Return `(list of whole numbers, scale)`. Multiplied again they are the old values to within half a scale.


# %% answer="17.2"
def quantize(values):
    # BEGIN SOLUTION
    scale = max(abs(v) for v in values) / 127
    return [round(v / scale) for v in values], scale
    # END SOLUTION


# %% check="17.2" points=2
assert lk.check("17.2", quantize)

# %% [markdown] lang="zh"
# 试试看：一组权重里混进一个特别大的数，别的数就只剩几个台阶可用。**猜**：下面三个小的数，乘回去还分得开吗？

# %% [markdown] lang="en"
# Try it: one very large number among the weights leaves few steps for the others. **Guess**: can the three small numbers still be told apart when they are multiplied back?

# %%
for values in ([0.11, 0.12, 0.13, 0.2], [0.11, 0.12, 0.13, 20.0]):
    whole, scale = quantize(values)
    print([round(q * scale, 3) for q in whole])

# %% [markdown] lang="zh"
# ## 17.3 听老师的口气
#
# 蒸馏的时候，小模型除了标签，还学老师对每个答案有多大把握。请写 `soft_loss(teacher, pupil, t)`：两个都是一行 logits，`t` 是温度。先把两边的 logits 除以 `t`，各自 softmax 成概率 `p`（老师）和 `q`（学生）；返回 `t² · Σ p · log(p / q)`。两边一样时是 0。

# %% [markdown] lang="en"
# ## 17.3 The teacher's tone
#
# In distillation the small model learns, beside the labels, how sure its teacher is of each answer. Write `soft_loss(teacher, pupil, t)`: both are a row of logits, `t` is the temperature. Divide the logits of both by `t`, make them probabilities by softmax, `p` (the teacher's) and `q` (the pupil's); return `t² · Σ p · log(p / q)`. Where both agree it is 0.


# %% answer="17.3"
def soft_loss(teacher, pupil, t):
    # BEGIN SOLUTION
    def warm(logits):
        powers = [math.exp(x / t) for x in logits]
        return [power / sum(powers) for power in powers]

    return t**2 * sum(p * math.log(p / q) for p, q in zip(warm(teacher), warm(pupil), strict=True))
    # END SOLUTION


# %% check="17.3" points=2
assert lk.check("17.3", soft_loss)

# %% [markdown] lang="zh"
# ## 17.4 凑一批
#
# 请写 `batches(arrivals, most, wait)`：`arrivals` 是输入到达的时刻（毫秒，从早到晚）。批里**第一个**来了就开始等；等到第 `most` 个进来，或者 `wait` 毫秒过去（恰好 `wait` 的还赶得上），这一批就走，下一个来的是新一批的第一个。返回每批有几个。（模型算得多快，这里不管。）

# %% [markdown] lang="en"
# ## 17.4 Making batches
#
# Write `batches(arrivals, most, wait)`: `arrivals` are the moments (in ms, in order) at which inputs arrive. A batch waits from the arrival of its **first** one; it leaves when `most` are in, or when `wait` ms have passed (who arrives exactly `wait` later is still in time), and the next to arrive is the first of a new batch. Return how many are in each. (How fast the model computes does not matter here.)


# %% answer="17.4"
def batches(arrivals, most, wait):
    # BEGIN SOLUTION
    sizes, first = [], None
    for at in arrivals:
        if first is None or at - first > wait or sizes[-1] == most:
            sizes.append(0)
            first = at
        sizes[-1] += 1
    return sizes
    # END SOLUTION


# %% check="17.4" points=2
assert lk.check("17.4", batches)

# %% [markdown] lang="zh"
# ## 17.5 图说的是真话吗
#
# 按一张解释图的次序一步步遮住输入，原来答案的概率是 `curve`（第一个数是什么都没遮的时候）；`others` 是几个随机次序的曲线。请写 `passes(curve, others)`：去掉第一个数以后的**平均高度**，比**每一个**随机次序的都低，返回 `True`，否则 `False`。

# %% [markdown] lang="en"
# ## 17.5 Does the picture tell the truth?
#
# While an input is hidden step by step in the order of a picture, the probability of its answer goes along `curve` (its first number is the one with nothing hidden); `others` are the curves of some random orders. Write `passes(curve, others)`: `True` where its **mean height** without the first number is below that of **every** random order, else `False`.


# %% answer="17.5"
def passes(curve, others):
    # BEGIN SOLUTION
    def height(one):
        hidden = one[1:]
        return sum(hidden) / len(hidden)

    return height(curve) < min(height(other) for other in others)
    # END SOLUTION


# %% check="17.5" points=2
assert lk.check("17.5", passes)

# %% [markdown] lang="zh"
# ## 17.6 替服务选模型
#
# `offers` 是几个候选，每个是一个字典：`name`、`mb`（大小）、`p99`（毫秒）、`difference`（准确率变化的估计，百分点，负数是掉）、`low`（它 95 % 区间的下端）。请写 `choose(offers, budget, most)`：p99 不超过 `budget`，而且**最坏**（区间下端）也不会掉得超过 `most` 个点的，里面最小的那个，返回它的 `name`；没有合格的，返回 `None`。

# %% [markdown] lang="en"
# ## 17.6 A model for a service
#
# `offers` are candidates, each a dict with `name`, `mb` (its size), `p99` (ms), `difference` (the estimated change of accuracy in points, below 0 for a loss) and `low` (the lower end of its 95 % interval). Write `choose(offers, budget, most)`: of those whose p99 is within `budget` and that lose no more than `most` points even **at worst** (the lower end), return the `name` of the smallest; `None` where none qualifies.


# %% answer="17.6"
def choose(offers, budget, most):
    # BEGIN SOLUTION
    fit = [o for o in offers if o["p99"] <= budget and -o["low"] <= most]
    return min(fit, key=lambda o: o["mb"])["name"] if fit else None
    # END SOLUTION


# %% check="17.6" points=2
assert lk.check("17.6", choose)

# %% [markdown] lang="zh"
# 候选里没有“又小又好”的时候，答案是 `None`，不是“差不多的那个”：回去再训练，或者蒸馏一个，再来量。
#
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# Where no candidate is both small and good, the answer is `None` and not "the one that nearly is": go back, train on or distil, and measure again.
#
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("17")
