# %% [markdown] lang="zh"
# # 练习 12 · GPT：从接着写到会回答
#
# 笔记 12 里的几样工具，这里亲手写一遍：损失算在哪里，贪心怎样一步步写，top-p 怎样剪尾巴，困惑度和 chrF 怎样算，最后设计一个读回答的函数。全部是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 12 · GPT: from continuing to answering
#
# Here you write some tools of notebook 12 with your own hands: where the loss is taken, how greedy decoding goes step by step, how top-p cuts the tail, how perplexity and chrF are computed; and in the end you design a function that reads answers. All are small functions of a few lines; nothing has to be trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import math
from collections import Counter

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 12.1 哪里带损失
#
# 请写 `targets(ids, answers)`：`ids` 是一段对话的词元编号，`answers` 是各个回答的位置 `(first, end)`，`end` 是最后一个词元（结束符）的后一位。返回和 `ids` 一样长的列表：第 i 个位置放模型在那里应当说出的**下一个**词元，也就是 `ids[i + 1]`，条件是它属于某个回答；其他位置放 −100。

# %% [markdown] lang="en"
# ## 12.1 What carries loss
#
# Write `targets(ids, answers)`: `ids` are the token numbers of a conversation, `answers` the places of its answers as `(first, end)`, where `end` is one behind the last token (the end token). Return a list as long as `ids`: place i holds the **next** token, which the model should say there, that is `ids[i + 1]`, if that token belongs to an answer; all other places hold −100.


# %% answer="12.1"
def targets(ids, answers):
    # BEGIN SOLUTION
    found = [-100] * len(ids)
    for first, end in answers:
        found[first - 1 : end - 1] = ids[first:end]
    return found
    # END SOLUTION


# %% check="12.1" points=2
assert lk.check("12.1", targets)

# %% [markdown] lang="zh"
# ## 12.2 贪心循环
#
# 请写 `greedy(next_token, prompt, end, most)`：`next_token(ids)` 给出一串词元之后最可能的一个。从 `prompt` 出发，每一步把提示**和已经写出的词元**交给它，直到它给出 `end`，或者写满 `most` 个。返回新写的词元，不含 `end`；`prompt` 不许改动。

# %% [markdown] lang="en"
# ## 12.2 The greedy loop
#
# Write `greedy(next_token, prompt, end, most)`: `next_token(ids)` gives the likeliest token after a list of them. Beginning with `prompt`, hand over the prompt **and what was written so far** at each step, until it gives `end`, or `most` tokens are written. Return the new tokens without `end`; `prompt` must stay as it is.


# %% answer="12.2"
def greedy(next_token, prompt, end, most):
    # BEGIN SOLUTION
    written = []
    while len(written) < most:
        token = next_token([*prompt, *written])
        if token == end:
            break
        written.append(token)
    return written
    # END SOLUTION


# %% check="12.2" points=2
assert lk.check("12.2", greedy)

# %% [markdown] lang="zh"
# ## 12.3 top-p
#
# 请写 `top_p(shares, p)`：`shares` 是各个词元的概率（次序任意，合计为 1）。从大到小，留下合计**够 p** 的最少几个，其余归零，剩下的重新归一。返回和 `shares` 一样长、位置不变的列表。

# %% [markdown] lang="en"
# ## 12.3 top-p
#
# Write `top_p(shares, p)`: `shares` are the probabilities of the tokens (in any order; they sum to 1). Keep the fewest of the likeliest that together **hold p**, set the others to 0, and normalise what is left. Return a list as long as `shares`, each in its place.


# %% answer="12.3"
def top_p(shares, p):
    # BEGIN SOLUTION
    kept, total = set(), 0.0
    for i in sorted(range(len(shares)), key=lambda i: -shares[i]):
        if total >= p - 1e-12:
            break
        kept.add(i)
        total += shares[i]
    return [share / total if i in kept else 0.0 for i, share in enumerate(shares)]
    # END SOLUTION


# %% check="12.3" points=2
assert lk.check("12.3", top_p)

# %% [markdown] lang="zh"
# ## 12.4 困惑度
#
# 请写 `perplexity(rows)`：`rows` 是每一行里各个词元的损失（nat），各行长短不同。返回困惑度：e 的“平均每个词元的损失”次方，**每个词元一样重**。

# %% [markdown] lang="en"
# ## 12.4 Perplexity
#
# Write `perplexity(rows)`: `rows` holds the losses of the tokens of each row, in nats; rows differ in length. Return the perplexity, e to the power of the mean loss per token, where **every token weighs the same**.


# %% answer="12.4"
def perplexity(rows):
    # BEGIN SOLUTION
    losses = [loss for row in rows for loss in row]
    return math.exp(sum(losses) / len(losses))
    # END SOLUTION


# %% check="12.4" points=2
assert lk.check("12.4", perplexity)

# %% [markdown] lang="zh"
# ## 12.5 chrF
#
# 请写 `chrf(said, truth)`，得 0 到 1 之间的数。先去掉空白。对每个长度 n = 1 … 6：数出两段文字里长度为 n 的字串（重复的算几次），共有的个数除以 `said` 的个数是精确率，除以 `truth` 的个数是召回率；有一段没有这么长的字串，就跳过这个 n。精确率、召回率各自在长度上平均，得 P 和 R，结果是 5 P R / (4 P + R)；P 或 R 为 0 时是 0。

# %% [markdown] lang="en"
# ## 12.5 chrF
#
# Write `chrf(said, truth)`, a number between 0 and 1. Take white space out first. For each length n = 1 … 6: count the runs of n characters in both texts (repeated ones as often as they occur); those shared divided by the number in `said` is the precision, by the number in `truth` the recall; skip an n for which one of the texts has no runs. Average both over the lengths to P and R; the result is 5 P R / (4 P + R), and 0 where P or R is 0.


# %% answer="12.5"
def chrf(said, truth):
    # BEGIN SOLUTION
    said, truth = "".join(said.split()), "".join(truth.split())
    precision, recall = [], []
    for n in range(1, 7):
        a, b = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (said, truth))
        if a and b:
            both = (a & b).total()
            precision.append(both / a.total())
            recall.append(both / b.total())
    if not precision or not sum(precision):
        return 0.0
    p, r = sum(precision) / len(precision), sum(recall) / len(recall)
    return 5 * p * r / (4 * p + r)
    # END SOLUTION


# %% check="12.5" points=2
assert lk.check("12.5", chrf)

# %% [markdown] lang="zh"
# ## 12.6 设计：读懂一个回答
#
# 模型的回答不总是干干净净的选项，“我觉得是正面的。”也算答了。请写 `read(reply, options)`：返回回答所说的那个选项，说不清就返回 `None`。它至少要做到：选项可以藏在句子里；大小写不计；同一个选项说几遍还是它；提到两个不同的选项，或一个也没有，就是 `None`；一个选项若是另一个的一部分（“中”和“中性”），取长的。
#
# 写完想一想：“不是正面”应该算什么？你的函数会怎么答？

# %% [markdown] lang="en"
# ## 12.6 Design: reading an answer
#
# A model's reply is not always a clean option; "I think it is positive." has answered too. Write `read(reply, options)`: return the option that the reply names, and `None` where that can't be told. At the least: an option may be inside a sentence; case does not count; an option said several times is still the one; two different ones, or none, give `None`; and where an option is part of another (中 and 中性), the longer is meant.
#
# When it is done, think: what should "not positive" count as? What does your function say?


# %% answer="12.6"
def read(reply, options):
    # BEGIN SOLUTION
    said = reply.lower()
    found = [option for option in options if option.lower() in said]
    found = [o for o in found if not any(o != other and o.lower() in other.lower() for other in found)]
    return found[0] if len(found) == 1 else None
    # END SOLUTION


# %% check="12.6" points=2
assert lk.check("12.6", read)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("12")
