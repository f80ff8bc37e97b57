# %% [markdown] lang="zh"
# # 练习 18 · 判决
#
# 五道题：读一个区间；“一样”和“不知道”；判得多，扣一些；把一个说法拿到一份 CSV 上判；最后写一份判决。都是几行的函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约四十分钟。

# %% [markdown] lang="en"
# # Exercises 18 · The verdicts
#
# Five exercises: reading an interval; equal and unknown; taking off for many verdicts; a claim tried on a CSV; and in the end a verdict in words. All are functions of a few lines, nothing has to be trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About forty minutes.

# %% tags=["setup"]
LANG = "zh"

import csv
import statistics

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 18.1 读一个区间
#
# 请写 `read(low, high)`：`low`、`high` 是“甲减乙”的 95 % 区间的两端。返回 `"better"`（甲更好）、`"worse"`（甲更差）或 `"unknown"`。碰到 0 的，哪怕只是端点，是 `"unknown"`。

# %% [markdown] lang="en"
# ## 18.1 Reading an interval
#
# Write `read(low, high)`: `low` and `high` are the ends of the 95 % interval of "a minus b". Return `"better"` (a is better), `"worse"` or `"unknown"`. What touches 0, be it with an end only, is `"unknown"`.


# %% answer="18.1"
def read(low, high):
    # BEGIN SOLUTION
    if low > 0:
        return "better"
    return "worse" if high < 0 else "unknown"
    # END SOLUTION


# %% check="18.1" points=2
assert lk.check("18.1", read)

# %% [markdown] lang="zh"
# ## 18.2 一样，还是不知道
#
# “冻结不吃亏”“LoRA 和全量一样好”，说的都是：**最多**差 `margin` 个点。请写 `as_good(low, high, margin)`：区间的下端在 `-margin` 之上，返回 `"as good"`；整个区间都差过 `margin`（上端在 `-margin` 之下），返回 `"worse"`；别的 `"unknown"`。恰好等于的，判不了。

# %% [markdown] lang="en"
# ## 18.2 Equal, or unknown
#
# "Freezing loses nothing", "LoRA is as good as full": what is meant is **at most** `margin` points worse. Write `as_good(low, high, margin)`: where the lower end lies above `-margin`, return `"as good"`; where the whole interval is worse by more than `margin` (the upper end below `-margin`), `"worse"`; else `"unknown"`. What is just equal can't be judged.


# %% answer="18.2"
def as_good(low, high, margin):
    # BEGIN SOLUTION
    if low > -margin:
        return "as good"
    return "worse" if high < -margin else "unknown"
    # END SOLUTION


# %% check="18.2" points=2
assert lk.check("18.2", as_good)

# %% [markdown] lang="zh"
# 拿随包的记录试试：40 行时，只训练头对全量。容忍几个点，判决就变了？

# %% [markdown] lang="en"
# Try it on runs that came with labkit: with 40 rows, the head alone against full. At how many points does the verdict change?

# %%
runs = lk.runs("02-rows")
found = lk.verdict([*runs, *runs.beside], "head 40", "full 40")
for margin in (2, 4, 5):
    print(margin, as_good(100 * found.low, 100 * found.high, margin))

# %% [markdown] lang="zh"
# ## 18.3 Holm：判得多，扣一些
#
# 请写 `holm(p_values, alpha=0.05)`：返回一列 `True` / `False`，次序照 `p_values`。把 m 个 p 值从小到大排：最小的要不超过 alpha / m，第二小的不超过 alpha / (m − 1)……第一个不过的，和它后面的，全是 `False`。

# %% [markdown] lang="en"
# ## 18.3 Holm: many verdicts
#
# Write `holm(p_values, alpha=0.05)`: return a list of `True` and `False`, in the order of `p_values`. Of m values in rising order the smallest may be at most alpha / m, the next alpha / (m − 1), and so on; the first that does not pass, and all behind it, are `False`.


# %% answer="18.3"
def holm(p_values, alpha=0.05):
    # BEGIN SOLUTION
    m, passed = len(p_values), [False] * len(p_values)
    for k, i in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        if p_values[i] > alpha / (m - k):
            break
        passed[i] = True
    return passed
    # END SOLUTION


# %% check="18.3" points=2
assert lk.check("18.3", holm)

# %% [markdown] lang="zh"
# ## 18.4 在一份 CSV 上开庭
#
# 一份成绩表，列是 `strategy,seed,accuracy`，一行一次训练，次序是乱的，有的训练没有做成。请写 `trial(path, a, b)`：只用两边都有的种子，返回 `(平均, 下端, 上端)`，单位百分点，是“a 减 b”的平均和 95 % 区间。差值只有几个，所以用 Student 的 t：标准误（差值的标准差除以 √n）乘以 `scipy.stats.t.ppf(0.975, n - 1)`。

# %% [markdown] lang="en"
# ## 18.4 A claim tried on a CSV
#
# A table of scores with the columns `strategy,seed,accuracy`, a line a run, in no order; some runs did not come through. Write `trial(path, a, b)`: take the seeds that both have, and return `(mean, low, high)` in points: the mean of "a minus b" and its 95 % interval. There are few differences, so take Student's t: the standard error (the standard deviation of the differences divided by √n) times `scipy.stats.t.ppf(0.975, n - 1)`.


# %% answer="18.4"
def trial(path, a, b):
    # BEGIN SOLUTION
    from scipy.stats import t

    with open(path, encoding="utf-8", newline="") as file:
        of = {(row["strategy"], row["seed"]): float(row["accuracy"]) for row in csv.DictReader(file)}
    gaps = [100 * (of[a, seed] - of[b, seed]) for name, seed in of if name == a and (b, seed) in of]
    middle = statistics.fmean(gaps)
    half = t.ppf(0.975, len(gaps) - 1) * statistics.stdev(gaps) / len(gaps) ** 0.5
    return middle, middle - half, middle + half
    # END SOLUTION


# %% check="18.4" points=2
assert lk.check("18.4", trial)

# %% [markdown] lang="zh"
# `lk.verdict` 比它多做一件事：把测试行的运气也算进去。所以它的区间通常更宽。
#
# ## 18.5 写一份判决
#
# 没有标准答案的一题。请写 `verdict(case)`：`case` 是一个字典，有 `a`、`b`（谁比谁）、`effect`、`low`、`high`（百分点）、`seeds`、`rows`（测试行）。返回一段文字，中文英文都行，别人读了它，不看表也知道：谁比谁，差多少，区间两端，几个种子，多少行，以及判决。区间在 0 以上要有“优于”或 better than；在 0 以下要有“不如”或 worse than；跨着 0 要有“不知道”或 unknown，而且不许出现排名次的词，也不许说“一样”。

# %% [markdown] lang="en"
# `lk.verdict` does one thing more: it counts the luck of the test rows as well, so that its intervals are mostly wider.
#
# ## 18.5 Writing a verdict
#
# An exercise without one right answer. Write `verdict(case)`: `case` is a dictionary with `a` and `b` (who against whom), `effect`, `low`, `high` (points), `seeds` and `rows` (of the test). Return a text, in English or Chinese, from which a reader without the table learns who was compared with whom, how far apart they are, both ends of the interval, how many seeds and rows, and the verdict. An interval above 0 wants "better than"; one below 0 "worse than"; one that holds 0 "unknown", and then no word may rank the two, nor call them equal.


# %% answer="18.5"
def verdict(case):
    # BEGIN SOLUTION
    a, b = case["a"], case["b"]
    words = {"better": f"{a} is better than {b}", "worse": f"{a} is worse than {b}"}
    said = words.get(read(case["low"], case["high"]), f"whether {a} or {b} is ahead is unknown")
    return (
        f"{said}: {case['effect']} points (95 % interval {case['low']} to {case['high']}), "
        f"paired over {case['seeds']} seeds on {case['rows']} test rows."
    )
    # END SOLUTION


# %% check="18.5" points=2
assert lk.check("18.5", verdict)

# %% [markdown] lang="zh"
# 拿它写一份真的：从表里挑一条有区间的说法。

# %% [markdown] lang="en"
# Write a real one with it: take a claim of the table that has an interval.

# %%
claim = next(claim for claim in lk.claims() if claim.id == "full-better")
case = {"a": "full", "b": "head", "effect": claim.effect, "low": claim.low, "high": claim.high}
print(verdict(case | {"seeds": claim.seeds, "rows": 199}))

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("18")
