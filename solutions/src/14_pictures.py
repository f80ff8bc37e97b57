# %% [markdown] lang="zh"
# # 练习 14 · 图片
#
# 笔记 14 里 labkit 替你做的几件小事，这里亲手写：图片怎样归一化，怎样才算真冻结，怎样按人划分，怎样挪一张图；最后给三份数据各选一套增强。全部是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约五十分钟。

# %% [markdown] lang="en"
# # Exercises 14 · Pictures
#
# Small things that labkit did for you in notebook 14, written by your own hands: how a picture is normalised, what freezing takes, how to split by person, how to shift a picture; and in the end an augmentation for each of three data sets. All are functions of a few lines; nothing has to be trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About fifty minutes.

# %% tags=["setup"]
LANG = "zh"

import random

import numpy as np

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 14.1 归一化
#
# 请写 `normalised(picture, mean, deviation)`：`picture` 是 uint8 数组，形状（高, 宽, 3）；`mean` 和 `deviation` 是三个通道的均值和标准差，按 0 到 1 的刻度。返回浮点数组，形状（**3, 高, 宽**）：先除以 255，再减均值、除标准差，通道排到最前。

# %% [markdown] lang="en"
# ## 14.1 Normalise
#
# Write `normalised(picture, mean, deviation)`: `picture` is an array of uint8 of shape (height, width, 3); `mean` and `deviation` hold a number for each of the three channels, on a scale from 0 to 1. Return an array of floats of shape (**3, height, width**): divide by 255, take the mean off, divide by the deviation, and put the channels first.


# %% answer="14.1"
def normalised(picture, mean, deviation):
    # BEGIN SOLUTION
    scaled = (picture / 255 - np.array(mean)) / np.array(deviation)
    return scaled.transpose(2, 0, 1)
    # END SOLUTION


# %% check="14.1" points=2
assert lk.check("14.1", normalised)

# %% [markdown] lang="zh"
# ## 14.2 真冻结
#
# 请写 `freeze(model, names)`：`model` 是一个 PyTorch 网络，此刻**在训练模式**；`names` 是要冻结的子模块的名字（`model.get_submodule(name)` 取得到）。做完以后：这些子模块的参数都不要梯度；再跑多少批，它们的 BatchNorm 统计也不动；别的子模块照旧训练，模式不变。返回 `model`。

# %% [markdown] lang="en"
# ## 14.2 Freeze, truly
#
# Write `freeze(model, names)`: `model` is a PyTorch network that is **in training mode** now; `names` are those of the submodules to be frozen (`model.get_submodule(name)` gives one). Afterwards no parameter of them takes a gradient, and their batch-normalisation statistics stay as they are, however many batches come; all other submodules train as before, in the mode they had. Return `model`.


# %% answer="14.2"
def freeze(model, names):
    # BEGIN SOLUTION
    for name in names:
        module = model.get_submodule(name)
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
    return model
    # END SOLUTION


# %% check="14.2" points=2
assert lk.check("14.2", freeze)

# %% [markdown] lang="zh"
# ## 14.3 按人划分
#
# 请写 `split(owners, n, seed)`：`owners[i]` 是第 i 行属于谁；返回测试行的编号（从小到大的列表）。同一个人的行要么全在里面，要么全不在；人的次序由 `random.Random(seed)` 打乱，从头一个一个地加，**加到至少 n 行就停**。打乱之前先把人排好序（`sorted(set(owners))`），这样同一个种子总得到同样的划分。

# %% [markdown] lang="en"
# ## 14.3 Split by person
#
# Write `split(owners, n, seed)`: `owners[i]` says whose row i is; return the numbers of the test rows, as a list in rising order. The rows of one person are all in it, or none is. Persons are shuffled by `random.Random(seed)` and added one after the other, **until there are at least n rows**. Sort them first (`sorted(set(owners))`), so that one seed always gives one split.


# %% answer="14.3"
def split(owners, n, seed):
    # BEGIN SOLUTION
    people = sorted(set(owners))
    random.Random(seed).shuffle(people)
    chosen, rows = set(), 0
    for person in people:
        if rows >= n:
            break
        chosen.add(person)
        rows += owners.count(person)
    return [i for i, owner in enumerate(owners) if owner in chosen]
    # END SOLUTION


# %% check="14.3" points=2
assert lk.check("14.3", split)

# %% [markdown] lang="zh"
# ## 14.4 挪一挪
#
# 请写 `shifted(picture, right, down)`：把灰度图（高, 宽）向右挪 `right` 个像素、向下挪 `down` 个（负数是向左、向上），大小不变。空出来的地方抄**最近的边**，不是填 0：填 0 会画出一道黑边，网络学得会认它。

# %% [markdown] lang="en"
# ## 14.4 Shift a picture
#
# Write `shifted(picture, right, down)`: move a grey picture (height, width) by `right` pixels to the right and `down` pixels down (negative: left, up), its size unchanged. What becomes free is filled with the **nearest edge**, not with 0: zeros draw a black border, and a network learns to know it.


# %% answer="14.4"
def shifted(picture, right, down):
    # BEGIN SOLUTION
    height, width = picture.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return picture[rows][:, columns]
    # END SOLUTION


# %% check="14.4" points=2
assert lk.check("14.4", shifted)

# %% [markdown] lang="zh"
# ## 14.5 是不是同一张
#
# 两个部分里混进了同一张图，分数就虚高；可它被缩放、压缩过，一个字节也不相同。请写 `same(one, other)`：两张灰度图，**大小可以不同**，边长都是 8 的倍数。各缩成 8 × 8（每一格取平均），每格变成一位：大于整张 8 × 8 的平均就是 1。64 位里**不同的不超过 5 位**，返回 `True`，否则 `False`。

# %% [markdown] lang="en"
# ## 14.5 The same picture?
#
# A picture that got into two splits makes scores flatter; but it was scaled and compressed, and not a byte is equal. Write `same(one, other)` for two grey pictures that **may differ in size**, all sides multiples of 8. Reduce each to 8 × 8 (the mean of each cell), and make a bit of each cell: 1 where it is above the mean of the 8 × 8. Return `True` where **at most 5** of the 64 bits differ, else `False`.


# %% answer="14.5"
def same(one, other):
    # BEGIN SOLUTION
    def bits(picture):
        height, width = picture.shape
        cells = picture.reshape(8, height // 8, 8, width // 8).mean(axis=(1, 3))
        return cells > cells.mean()

    return bool((bits(one) != bits(other)).sum() <= 5)
    # END SOLUTION


# %% check="14.5" points=2
assert lk.check("14.5", same)

# %% [markdown] lang="zh"
# ## 14.6 选一套增强
#
# 没有标准答案的一题。请写 `chosen(labels, centred)`：`labels` 是标签的名字，`centred` 说照片里的东西是不是总在正中、总是正的（证件照、扫描件）。返回一个字典，键是 `shift`、`rotate`、`scale`、`flip` 里的几个，值要 `corpus.augmented(**...)` 收得下。检查的是道理：方向和字符的标签不翻转；翻转无妨的可以翻；转得太多，6 就成了 9；随手拍的要比正中的变得多；总要有一样在变。

# %% [markdown] lang="en"
# ## 14.6 Choose an augmentation
#
# An exercise without one right answer. Write `chosen(labels, centred)`: `labels` are the names of the classes, and `centred` says whether things always stand upright in the middle of the picture (scans, passport photographs). Return a dictionary with some of the keys `shift`, `rotate`, `scale`, `flip`, with values that `corpus.augmented(**...)` takes. Checked is whether it makes sense: directions and characters are not flipped; others may be; with too large a turn a 6 is a 9; snapshots vary more than what stands in the middle; and something always varies.


# %% answer="14.6"
def chosen(labels, centred):
    # BEGIN SOLUTION
    handed = any(len(name) == 1 or {"left", "right"} & set(name.split()) for name in labels)
    amount = 0.5 if centred else 1.0
    settings = {"shift": 0.1 * amount, "rotate": 12 * amount, "scale": 0.15 * amount}
    return settings if handed else {**settings, "flip": True}
    # END SOLUTION


# %% check="14.6" points=2
assert lk.check("14.6", chosen)

# %% [markdown] lang="zh"
# 道理检查得了，值多少分检查不了：那要在验证集上量。增强的轮数要多给一些，它每轮都看新的图。

# %% [markdown] lang="en"
# Whether it makes sense can be checked; what it is worth cannot: that has to be measured on validation rows. Give it more epochs, since every epoch sees new pictures.

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("14")
