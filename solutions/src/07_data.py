# %% [markdown] lang="zh"
# # 练习 07 · 数据
#
# 拣豆子的手艺：读得干净，划得干净，看住少数的一类，找出泄漏，揪出标错的行，最后把座位排得没有空气。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约七十分钟。

# %% [markdown] lang="en"
# # Exercises 07 · Data
#
# The craft of picking over lentils: read cleanly, split cleanly, keep an eye on the rare class, find a leak, point out wrong labels, and at last seat the rows so that there is no air between them.
#
# As before, put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About seventy minutes.

# %% tags=["setup"]
LANG = "zh"

import csv
import io
import random
from collections import Counter, defaultdict

import torch

import labkit as lk
from labkit import same_text as same
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 07.1 读文件，报数
#
# 练习 01 里你读过一个好脾气的 UTF-8 文件。这次脾气坏一些，而且要交账。请写 `read(data)`：`data` 是文件的字节，编码是 UTF-8（可能带 BOM）或 GBK，列里有 `text` 和 `label`，次序不定，还可能有别的列。返回一对 `(rows, dropped)`：
#
# - `rows` 是 `(文字, 标签)` 的列表，都是字符串，次序与文件相同，文字两端的空格去掉；
# - `dropped` 是字典，说为什么没有收下、各几行：`"empty"` 文字是空的，`"unlabelled"` 没有标签（空格也算没有），`"conflict"` 同样的文字有不同的标签，这段文字的行一行也不要，全部算在这里；`"duplicate"` 同样的文字、同样的标签再次出现（留第一行）。
#
# 一行只算一个原因，按上面的次序先到先算；没有的原因可以不写。

# %% [markdown] lang="en"
# ## 07.1 Read a file and account for it
#
# In exercises 01 you read a good-natured UTF-8 file. This one is of a worse temper, and wants an account. Write `read(data)`: `data` are the bytes of a file in UTF-8 (perhaps with a BOM) or in GBK, with the columns `text` and `label` in any order, and maybe others. Return a pair `(rows, dropped)`:
#
# - `rows` is a list of `(text, label)`, both strings, in the order of the file, the blanks around texts taken off;
# - `dropped` is a dictionary of why rows were not kept, and how many: `"empty"`, the text is empty; `"unlabelled"`, there is no label (blanks are none); `"conflict"`, the same text with different labels, of which no row is kept, and all are counted here; `"duplicate"`, the same text with the same label again (the first row stays).
#
# A row counts for one reason only, the first in this order; reasons that did not occur may be left out.


# %% answer="07.1"
def read(data):
    # BEGIN SOLUTION
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        content = data.decode("gb18030")
    dropped, by_text = Counter(), defaultdict(list)
    for row in csv.DictReader(io.StringIO(content, newline="")):
        text, label = (row["text"] or "").strip(), (row["label"] or "").strip()
        if not text:
            dropped["empty"] += 1
        elif not label:
            dropped["unlabelled"] += 1
        else:
            by_text[text].append(label)
    rows = []
    for text, labels in by_text.items():
        if len(set(labels)) > 1:
            dropped["conflict"] += len(labels)
        else:
            rows.append((text, labels[0]))
            dropped["duplicate"] += len(labels) - 1
    return rows, dropped
    # END SOLUTION


# %% check="07.1" points=2
assert lk.check("07.1", read)

# %% [markdown] lang="zh"
# ## 07.2 划分，同文不分家
#
# 请写 `split(rows, share, seed)`：`rows` 是 `(文字, 标签)` 的列表，返回一对行号列表 `(train, test)`。要求：
#
# - 每一行恰好在一边，测试约占 `share`，**每一类**都如此；
# - `same(文字)` 相同的行在同一边（第一格已经导入了 `same`，只差标点、全半角、大小写的算同一段）；
# - 同一个种子永远同样的划分，换种子就换；不碰全局的随机数。

# %% [markdown] lang="en"
# ## 07.2 Split, and keep twins together
#
# Write `split(rows, share, seed)`: `rows` is a list of `(text, label)`; return a pair of lists of row numbers, `(train, test)`. What must hold:
#
# - every row is on one side, and the test has about `share` of the rows, **of every class**;
# - rows with the same `same(text)` are on one side (the first cell imports `same`, for which texts that differ in punctuation, width or case are one);
# - the same seed always gives the same split, another seed another; the global random numbers are left alone.

# %%
print(same("还会再来！！") == same("还会再来。"))


# %% answer="07.2"
def split(rows, share, seed):
    # BEGIN SOLUTION
    groups = defaultdict(list)
    for i, (text, _) in enumerate(rows):
        groups[same(text)].append(i)  # whatever its labels, a text stays on one side
    room = {label: share * many for label, many in Counter(label for _, label in rows).items()}
    parts, test = list(groups.values()), set()
    random.Random(seed).shuffle(parts)
    for part in parts:
        wanted = Counter(rows[i][1] for i in part)
        if all(many <= room[label] + 0.5 for label, many in wanted.items()):
            test.update(part)
            for label, many in wanted.items():
                room[label] -= many
    return [i for i in range(len(rows)) if i not in test], sorted(test)
    # END SOLUTION


# %% check="07.2" points=2
assert lk.check("07.2", split)

# %% [markdown] lang="zh"
# ## 07.3 按类加权的损失
#
# 一百行里只有十行是差评，平均的损失就由好评说了算。请写 `balanced_loss(logits, labels, counts)`：`logits` 的形状是（行，类），`labels` 是（行），`counts` 是**训练集**里每一类的行数。每行的权重与它那一类的行数成反比；返回加权平均的交叉熵，即权重乘损失的和，除以权重的和。

# %% [markdown] lang="en"
# ## 07.3 A loss with class weights
#
# Where ten rows of a hundred are bad reviews, the good ones decide the mean loss. Write `balanced_loss(logits, labels, counts)`: `logits` has the shape (rows, classes), `labels` (rows), and `counts` are the rows of each class in the **training set**. The weight of a row is one over the count of its class; return the weighted mean of the cross-entropy, the sum of weight times loss over the sum of the weights.


# %% answer="07.3"
def balanced_loss(logits, labels, counts):
    # BEGIN SOLUTION
    weights = (1 / torch.tensor(counts, dtype=torch.float32))[labels]
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return (each * weights).sum() / weights.sum()
    # END SOLUTION


# %% check="07.3" points=1
assert lk.check("07.3", balanced_loss)

# %% [markdown] lang="zh"
# ## 07.4 找出泄漏
#
# 同事交给你一份数据，成绩好得可疑。里面**也许**有一个记号（几个字，多半是系统加上的），只出现在某一类里，有它的行不少。请写 `find_leak(rows)`：`rows` 是 500 个 `(文字, 标签)`，标签是 0 或 1；返回带着记号的**行号**，没有泄漏就返回空列表。
#
# 难处在于：真的评价词也偏向一类。怎样分清，由你设计；检查用的是真评论，记号有几种，带记号的从三成到六成，有一份是干净的。

# %% [markdown] lang="en"
# ## 07.4 Find the leak
#
# A colleague hands you a data set on which scores are suspiciously good. In it there **may** be a mark, a few characters that some system probably added, which stands in one class only, and in a good many rows. Write `find_leak(rows)`: `rows` are 500 pairs `(text, label)`, the label 0 or 1; return the **numbers of the rows** that carry the mark, and an empty list where there is no leak.
#
# What makes it hard: honest words of praise and blame lean to one class as well. How to tell them apart is your design; the check uses real reviews, several marks on three to six in ten rows of a class, and a set that is clean.


# %% answer="07.4"
def find_leak(rows):
    # BEGIN SOLUTION
    seen = [Counter(), Counter()]
    for text, label in rows:
        seen[label].update({text[i : i + 3] for i in range(len(text) - 2)})
    pieces = [
        (max(a, b), piece)
        for piece in seen[0] | seen[1]
        for a, b in [(seen[0][piece], seen[1][piece])]
        if min(a, b) <= 1
    ]
    often, mark = max(pieces)
    return [i for i, (text, _) in enumerate(rows) if mark in text] if often >= 30 else []
    # END SOLUTION


# %% check="07.4" points=3
assert lk.check("07.4", find_leak)

# %% [markdown] lang="zh"
# ## 07.5 找出标错的行
#
# 600 行里有几十行的标签被翻了过来。请写 `suspects(texts, labels, fit, k)`，返回最可疑的 `k` 个行号。`fit(texts, labels)` 训练一个小模型，返回一个函数 `predict(texts)`，它给出每段文字是类别 1 的概率。
#
# 小心：这个模型记性极好，学过的每一行都背得出标签，对的错的都一样。

# %% [markdown] lang="en"
# ## 07.5 Find the wrong labels
#
# Of 600 rows some dozens have their label turned round. Write `suspects(texts, labels, fit, k)` and return the numbers of the `k` most suspect rows. `fit(texts, labels)` trains a small model and returns a function `predict(texts)`, which gives each text's probability of class 1.
#
# Beware: this model has an excellent memory, and knows by heart the label of every row that it was taught, right or wrong.


# %% answer="07.5"
def suspects(texts, labels, fit, k):
    # BEGIN SOLUTION
    order, doubt = random.Random(0).sample(range(len(texts)), len(texts)), {}
    for part in range(5):
        out = order[part::5]
        kept = sorted(set(order) - set(out))
        predict = fit([texts[i] for i in kept], [labels[i] for i in kept])
        for i, p in zip(out, predict([texts[i] for i in out]), strict=True):
            doubt[i] = 1 - p if labels[i] else p
    return sorted(doubt, key=doubt.get, reverse=True)[:k]
    # END SOLUTION


# %% check="07.5" points=2
assert lk.check("07.5", suspects)

# %% [markdown] lang="zh"
# ## 07.6 设计：按格数排座位
#
# 显存装得下的，不是多少行，而是多少格：行数乘最长的一行。所以大家伙常常不定批的大小，而定一批最多几格，短的行一批就多坐几个。
#
# 请写 `seats(lengths, tokens, epoch)`：返回批的列表，每批是行号的列表。要求：每行恰好一次；每批的 行数 × 最长的一行 不超过 `tokens`（单独一行就超过的，自己坐一批）；行多时填充低于 8 %，批数不比 总词元数 ÷ tokens 多出三成以上；每轮不同，同一轮总一样；批的先后不能从短到长；不碰全局的随机数。

# %% [markdown] lang="en"
# ## 07.6 Design: seats by tokens
#
# What a card's memory holds is not a number of rows but a number of places: rows times the longest of them. The big ones therefore often fix how many places a batch may have, and not its rows, so that of short rows a batch seats more.
#
# Write `seats(lengths, tokens, epoch)`: a list of batches, each a list of row numbers. What must hold: every row once; in each batch rows × longest row is at most `tokens` (a row that is longer by itself sits alone); with many rows less than 8 % is padding, and there are no more than a third more batches than all tokens divided by `tokens`; every epoch is different and the same epoch always the same; batches don't go from short to long; the global random numbers are left alone.


# %% answer="07.6"
def seats(lengths, tokens, epoch):
    # BEGIN SOLUTION
    rng = random.Random(epoch)
    noise = [rng.random() for _ in lengths]
    batches, longest = [], 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i] + noise[i]):
        longest = max(longest, lengths[i])
        if not batches or (len(batches[-1]) + 1) * longest > tokens:
            batches.append([])
            longest = lengths[i]
        batches[-1].append(i)
    rng.shuffle(batches)
    return batches
    # END SOLUTION


# %% check="07.6" points=3
assert lk.check("07.6", seats)

# %% [markdown] lang="zh"
# 用在真数据上：自带的评论，一批 640 格，空气还剩多少？

# %% [markdown] lang="en"
# On real data: the packaged reviews at 640 places a batch. How much air is left?

# %%
lengths = [len(row.input) + 2 for row in lk.reviews().train]
batches = seats(lengths, 640, epoch=0)
computed = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
print(len(batches), f"{1 - sum(lengths) / computed:.1%}")

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("07")
