# %% [markdown] lang="zh"
# # 练习 01 · 第一次微调
#
# 读懂一段代码和写得出它，是两回事。这本练习请你把笔记 01 里的七个零件亲手做一遍：从一批数据怎样拼起来，到整个训练循环。
#
# **怎么做**：每道题先说要什么，再给一个写了一半的函数。删掉 `raise NotImplementedError`，换成你的代码，运行那一格，再运行下面的 `check`。答对了会看到 ✓；答错了，它说哪里不对。同一题再错一次，多给一个提示，三个提示之后告诉你去哪里读。查资料、翻笔记、和同学讨论都可以，抄来的代码则学不到东西。
#
# 所有练习都有两条约定，题目另说的除外：交给你的东西（列表、张量、模型）不要改动，要改就改抄件；同样的输入给同样的结果，不靠全局的随机数。检查除了几个固定的例子，每次还抽新的，所以背答案没有用。
#
# 进度记在这个文件夹的 `labkit-progress.jsonl` 里，关掉再打开也还在。不需要显卡，不需要网络，一共大约一个半小时，可以分几次做。

# %% [markdown] lang="en"
# # Exercises 01 · Your first fine-tune
#
# To follow a piece of code is one thing, to be able to write it another. Here you make seven parts of notebook 01 with your own hands, from the way a batch is put together to the whole training loop.
#
# **How it works.** Each exercise says what is wanted and gives a function half written. Take out `raise NotImplementedError`, put your code in its place, run the cell, then run the `check` below it. A right answer gets a ✓; a wrong one is told what is wrong. Fail the same exercise again and you get a hint, up to three, and after those the place to read. You may look things up, go back to the notebook, talk to others; only code that is copied teaches nothing.
#
# Two things hold in all exercises, unless one says otherwise: what you are given (lists, tensors, models) stays as it was, so change a copy; and the same inputs give the same result, whatever the global random numbers do. Besides a few fixed cases each check draws new ones every time, so that learning answers by heart is no use.
#
# Your progress is kept in `labkit-progress.jsonl` in this folder and survives closing the notebook. No graphics card, no network; about an hour and a half in all, in as many sittings as you like.

# %% tags=["setup"]
LANG = "zh"

import random

import torch
from torch.nn.functional import cross_entropy

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 01.1 collate：拼成一批
#
# 模型一次吃一批，而一批必须是整齐的长方形。请写 `collate(rows, pad)`：`rows` 是几行编号，长短不一；返回两个整数张量，形状都是（行数，本批最长的一行）：
#
# - `ids`：短的行在**右边**用 `pad` 补齐；
# - `mask`：真词元处为 1，补出来的地方为 0。
#
# 例如 `collate([[5, 6, 7], [8]], 0)` 的 ids 是 `[[5, 6, 7], [8, 0, 0]]`，mask 是 `[[1, 1, 1], [1, 0, 0]]`。

# %% [markdown] lang="en"
# ## 01.1 Collate a batch
#
# A model eats a batch at a time, and a batch must be a neat rectangle. Write `collate(rows, pad)`: `rows` are lists of token numbers, long and short; return two integer tensors of shape (rows, longest row of this batch):
#
# - `ids`: short rows are filled up with `pad` on the **right**;
# - `mask`: 1 for a real token, 0 where something was filled in.
#
# So `collate([[5, 6, 7], [8]], 0)` gives the ids `[[5, 6, 7], [8, 0, 0]]` and the mask `[[1, 1, 1], [1, 0, 0]]`.


# %% answer="01.1"
def collate(rows, pad):
    # BEGIN SOLUTION
    width = max(len(row) for row in rows)
    ids = [row + [pad] * (width - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)
    # END SOLUTION


# %% check="01.1" points=1
assert lk.check("01.1", collate)

# %% [markdown] lang="zh"
# ## 01.2 填充所占的比例
#
# 补出来的格子不带来任何信息，却和真词元一样要算。一趟训练里，它们占多少？
#
# 请写 `padding_share(lengths, batches)`。`lengths[i]` 是第 i 行的词元数；`batches` 是若干批，每批是一个行号的列表。每一批补到它自己最长的一行。返回 0 到 1 之间的数：填充占全部格子的比例。
#
# 例如长度 2 和 4 的两行放在一批：一共 8 格，2 格是填充，答案是 0.25。

# %% [markdown] lang="en"
# ## 01.2 The share of padding
#
# Squares that were filled in carry no information, and cost as much as real tokens. How many of them does one pass of training compute?
#
# Write `padding_share(lengths, batches)`. `lengths[i]` is the number of tokens in row i; `batches` are lists of row numbers, and each batch is padded to its own longest row. Return a number between 0 and 1, the share of padding among all squares.
#
# Two rows of lengths 2 and 4 in one batch make 8 squares, 2 of them padding: the answer is 0.25.


# %% answer="01.2"
def padding_share(lengths, batches):
    # BEGIN SOLUTION
    real = sum(lengths[i] for batch in batches for i in batch)
    computed = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    return 1 - real / computed
    # END SOLUTION


# %% check="01.2" points=1
assert lk.check("01.2", padding_share)

# %% [markdown] lang="zh"
# ## 01.3 亲手算准确率和 macro-F1
#
# 请写 `scores(logits, target)`：`logits` 的形状是（行数，类别数），`target` 是每行的真实类别。返回一对数：准确率，和 macro-F1。
#
# 一类的 F1 = 2 × 说对的 ÷（说过的 + 真有的）。macro-F1 是各类 F1 的平均，每一类同样重。**想一想**：如果有一类模型一次也没说过，它的 F1 该是多少？平均时要不要算上它？（答：是 0，要算上。一个模型不理会某一类，正是 macro-F1 要揭穿的事。）说到了却不在真相里的一类也一样。一类既没有真的、也没被说过时，无从打分：记作 0 或不算它都可以，但不能出错。

# %% [markdown] lang="en"
# ## 01.3 Accuracy and macro-F1 by hand
#
# Write `scores(logits, target)`: `logits` has the shape (rows, classes), `target` holds the true class of each row. Return a pair, the accuracy and macro-F1.
#
# A class has F1 = 2 × hit ÷ (said + real), and macro-F1 is the mean over classes, each with the same weight. **Think first**: if the model never says one of the classes, what is its F1, and does it belong in the mean? (It is 0, and it does. A model that ignores a class is just what macro-F1 is there to expose.) The same goes for a class that is said though it is never true. A class that is neither true nor said can't be scored: count it as 0 or leave it out, but don't fail.


# %% answer="01.3"
def scores(logits, target):
    # BEGIN SOLUTION
    said, f1 = logits.argmax(dim=1), []
    for c in range(logits.shape[1]):
        hit = ((said == c) & (target == c)).sum().item()
        either = (said == c).sum().item() + (target == c).sum().item()
        f1.append(2 * hit / either if either else 0.0)
    return (said == target).float().mean().item(), sum(f1) / len(f1)
    # END SOLUTION


# %% check="01.3" points=2
assert lk.check("01.3", scores)

# %% [markdown] lang="zh"
# ## 01.4 热身，然后下降
#
# 分类头是随机的，最初的梯度不可信，所以学习率从 0 慢慢升起，到顶之后再沿直线降下去，最后轻轻停住。
#
# 请写 `rate(step, steps, warm)`：第 `step` 步（从 0 数起，共 `steps` 步）的学习率占最大值的比例。前 `warm` 步从 0 升向 1，第 `warm` 步恰好是 1，此后下降，到第 `steps` 步正好为 0。`warm` 可以是 0。
#
# 例如 `steps=10, warm=2`：第 0、1、2、6 步依次是 0、0.5、1、0.5。

# %% [markdown] lang="en"
# ## 01.4 Warm up, then come down
#
# The head is random and the first gradients are not to be trusted. So the learning rate rises slowly from 0, and from the top it falls along a straight line, to come to rest gently.
#
# Write `rate(step, steps, warm)`: the share of the peak rate at step `step` (counted from 0) of `steps`. During the first `warm` steps it rises from 0 towards 1, step `warm` has exactly 1, and from there it falls, so that it would be 0 at step `steps`. `warm` may be 0.
#
# With `steps=10, warm=2`, the steps 0, 1, 2, 6 have 0, 0.5, 1, 0.5.


# %% answer="01.4"
def rate(step, steps, warm):
    # BEGIN SOLUTION
    if step < warm:
        return step / warm
    return (steps - step) / (steps - warm)
    # END SOLUTION


# %% check="01.4" points=1
assert lk.check("01.4", rate)

# %% [markdown] lang="zh"
# ## 01.5 写出训练循环
#
# 这是整门课的心脏。请写 `fit(model, batches, optimizer, epochs)`：
#
# - 把 `batches`（一个列表，每项是 `(inputs, target)`）走 `epochs` 遍；
# - 每批用 `cross_entropy(model(inputs), target)` 做损失，更新一次参数；
# - 返回每一步的损失，普通的 Python 数，按先后排成列表。
#
# 模型交到你手里时处在评估模式，和 `lk.load` 给你的一样。这里不用热身，也不用裁剪。

# %% [markdown] lang="en"
# ## 01.5 Write the training loop
#
# This is the heart of the course. Write `fit(model, batches, optimizer, epochs)`:
#
# - walk `epochs` times through `batches`, a list of `(inputs, target)`;
# - for each batch take `cross_entropy(model(inputs), target)` as the loss and update the parameters once;
# - return the loss of every step, as plain Python numbers in a list.
#
# The model comes to you in evaluation mode, just as `lk.load` gives it. No warm-up and no clipping here.


# %% answer="01.5"
def fit(model, batches, optimizer, epochs):
    # BEGIN SOLUTION
    model.train()
    losses = []
    for _ in range(epochs):
        for inputs, target in batches:
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return losses
    # END SOLUTION


# %% check="01.5" points=3
assert lk.check("01.5", fit)

# %% [markdown] lang="zh"
# ## 01.6 读 CSV，不出意外
#
# 真实的文件总有意外：引号里有逗号和换行，开头藏着一个看不见的 BOM（Excel 爱写），列的次序换了，有空行，有重复，有标错的标签。读的时候放过它们，三天后你会在模型里遇见它们。
#
# 请写 `read_rows(path)`，读一个 UTF-8 的 CSV，返回 `(文本, 标签)` 的列表，次序与文件相同：
#
# - 文本在 `text` 列，标签在 `label` 列，标签换成整数；可能还有别的列，次序不定；
# - 文本两端的空格去掉；没有文本的行不要；相同的文本只留第一次；
# - 标签不是整数时抛出 `ValueError`，信息里要有它在**第几行**（表头是第 1 行）。

# %% [markdown] lang="en"
# ## 01.6 Read a CSV without surprises
#
# Real files are full of surprises: commas and line breaks inside quotes, an invisible mark at the start (Excel likes to write one), columns in another order, empty rows, repetitions, labels that are none. Let them through while reading, and you meet them again in the model three days later.
#
# Write `read_rows(path)`: read a CSV in UTF-8 and return a list of `(text, label)` in the order of the file.
#
# - Texts are in the column `text`, labels in the column `label`; labels become whole numbers. There may be other columns, in any order.
# - Strip the blanks around a text; leave out rows without one; of equal texts keep the first.
# - Where a label is no whole number, raise a `ValueError` that says in **which line** (the header is line 1).


# %% answer="01.6"
def read_rows(path):
    # BEGIN SOLUTION
    import csv

    rows = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                label = int(row["label"])
            except ValueError:
                raise ValueError(f"line {reader.line_num}: label {row['label']!r} is no whole number") from None
            if text := row["text"].strip():
                rows.setdefault(text, label)
    return list(rows.items())
    # END SOLUTION


# %% check="01.6" points=2
assert lk.check("01.6", read_rows)

# %% [markdown] lang="zh"
# ## 01.7 设计：自己排座位
#
# 现在没有标准答案了。请写 `seats(lengths, size, epoch)`，为第 `epoch` 轮排出座位：返回若干批，每批是行号的列表。怎样排由你，但要同时做到：
#
# - 每一行恰好出现一次，每批至多 `size` 行，批数不能多于必要；
# - 数据多的时候，填充低于 10 %；
# - 每一轮不同；同一轮不论何时再问，都一样，与全局的随机数无关；
# - 批的先后不能从短到长，也不能从长到短：模型不该先只见短句，后只见长句。

# %% [markdown] lang="en"
# ## 01.7 Design: your own seating plan
#
# From here on there is no one right answer. Write `seats(lengths, size, epoch)`, the seating plan of an epoch: a list of batches, each a list of row numbers. How you do it is up to you, but all of this must hold:
#
# - every row appears exactly once, no batch has more than `size` rows, and there are no more batches than needed;
# - with many rows, less than 10 % is padding;
# - every epoch has another plan, and the same epoch always has the same one, whatever the global random numbers do;
# - batches don't go from short to long or from long to short: the model should not meet only short texts first.


# %% answer="01.7"
def seats(lengths, size, epoch):
    # BEGIN SOLUTION
    rng = random.Random(epoch)
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    rows.sort(key=lambda i: lengths[i])
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    rng.shuffle(batches)
    return batches
    # END SOLUTION


# %% check="01.7" points=3
assert lk.check("01.7", seats)

# %% [markdown] lang="zh"
# 用在真数据上看看：自带的评论，每批 16 行，随便坐与按你的座位坐，填充各占多少？下面一格用的全是你写的函数。

# %% [markdown] lang="en"
# Try it on real data: the packaged reviews in batches of 16, once seated at random and once by your plan. How much is padding? The next cell uses nothing but your own functions.

# %%
lengths = [len(row.input) + 2 for row in lk.reviews().train]
rows = random.Random(0).sample(range(len(lengths)), len(lengths))
loose = [rows[i : i + 16] for i in range(0, len(rows), 16)]
print(tr("随便坐", "at random"), f"{padding_share(lengths, loose):.0%}")
print(tr("你的座位低于 10 %：", "your plan is under 10 %:"), padding_share(lengths, seats(lengths, 16, 0)) < 0.1)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 下表是你的进度。交作业时，在新的一格里运行 `lk.report(name="你的名字")`：它写下两个文件，一个给老师汇总，一个你自己看。里面只有你写的名字、每题的状态、次数和时间。

# %% [markdown] lang="en"
# ## Where you stand
#
# The table shows your progress. To hand in, run `lk.report(name="your name")` in a new cell: it writes two files, one for the instructor's table and one for you to read. They hold the name you give, and the status, tries and times of each exercise, and nothing else.

# %%
lk.progress("01")
