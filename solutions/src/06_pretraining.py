# %% [markdown] lang="zh"
# # 练习 06 · 预训练与微调
#
# 笔记 06 里你看过一个小模型从零学猜字。这里把其中的零件一个个亲手做出来：遮字，算损失，绑定权重，把骨干搬到新任务上；最后一题，预算有限，请你决定让模型读什么。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 06 · Pretraining and fine-tuning
#
# In notebook 06 you watched a small model learn to guess characters from nothing. Here you make its parts with your own hands: hiding tokens, the loss, tied weights, moving a backbone to a new task; and in the last exercise the budget is small, and you decide what the model gets to read.
#
# As before, put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 06.1 遮字
#
# 预训练的题目不用人出：遮住一些字，答案就在原处。BERT 的规矩是：普通词元每个有 15 % 的机会被选中；选中的，80 % 换成 `[MASK]`，10 % 换成随机的词元，10 % 原样不动。为什么留后两种？因为下游的句子里没有 `[MASK]`，模型不能学成“没有 `[MASK]` 就不用动脑”。
#
# 请写 `hide(ids, special, mask, words, generator)`：`ids` 是整数张量（行，词元）；`special` 是一个集合，里面的编号永远不选；`mask` 是 `[MASK]` 的编号；`words` 是词表大小，随机词元从 5 到 `words - 1` 里抽（前 5 个是特殊符号）。返回 `(inputs, targets)`：`targets` 在选中的位置是原来的词元，别处是 -100。所有的抽签都用 `generator`，不许改动 `ids`。

# %% [markdown] lang="en"
# ## 06.1 Hide tokens
#
# Nobody has to set the exercises of pretraining: hide some characters, and the answer is what stood there. BERT's rule: each ordinary token is chosen with a chance of 15 %; of the chosen, 80 % become `[MASK]`, 10 % a random token, and 10 % stay. Why the last two? Sentences of a later task hold no `[MASK]`, and the model must not learn that where there is none it need not think.
#
# Write `hide(ids, special, mask, words, generator)`: `ids` is an integer tensor (rows, tokens); `special` is a set of numbers that are never chosen; `mask` is the number of `[MASK]`; `words` is the size of the vocabulary, and random tokens are drawn from 5 to `words - 1` (the first 5 are special). Return `(inputs, targets)`, where `targets` holds the true token at chosen places and -100 elsewhere. Every draw uses `generator`, and `ids` stays as it was.


# %% answer="06.1"
def hide(ids, special, mask, words, generator):
    # BEGIN SOLUTION
    ordinary = ~torch.isin(ids, torch.tensor(sorted(special)))
    chosen = (torch.rand(ids.shape, generator=generator) < 0.15) & ordinary
    kind = torch.rand(ids.shape, generator=generator)
    noise = torch.randint(5, words, ids.shape, generator=generator)
    inputs = torch.where(chosen & (kind < 0.8), mask, ids)
    inputs = torch.where(chosen & (kind >= 0.9), noise, inputs)
    return inputs, torch.where(chosen, ids, -100)
    # END SOLUTION


# %% check="06.1" points=2
assert lk.check("06.1", hide)

# %% [markdown] lang="zh"
# ## 06.2 遮字的损失和困惑度
#
# 请写 `masked_loss(logits, targets)`，返回一对 `(损失, 困惑度)`。`logits` 的形状是（行，词元，词表），`targets` 是（行，词元），-100 的位置不算。损失是所有要猜的位置上交叉熵的平均，单位 nat，每个位置一样重；困惑度是 e 的损失次方，可以读作“模型像是在几个字里瞎猜”。一个要猜的位置也没有时，损失是 0，困惑度是 1。

# %% [markdown] lang="en"
# ## 06.2 Masked loss and perplexity
#
# Write `masked_loss(logits, targets)` and return a pair `(loss, perplexity)`. `logits` has the shape (rows, tokens, vocabulary), `targets` (rows, tokens); places with -100 don't count. The loss is the mean cross-entropy in nats over all places to be guessed, each of the same weight; the perplexity is e to the power of the loss, and reads as "among how many characters does the model seem to guess blindly". With no place to guess, the loss is 0 and the perplexity 1.


# %% answer="06.2"
def masked_loss(logits, targets):
    # BEGIN SOLUTION
    asked = targets != -100
    if not asked.any():
        return 0.0, 1.0
    loss = torch.nn.functional.cross_entropy(logits[asked], targets[asked])
    return loss, loss.exp()
    # END SOLUTION


# %% check="06.2" points=1
assert lk.check("06.2", masked_loss)

# %% [markdown] lang="zh"
# ## 06.3 绑定权重
#
# 猜字头的最后一步，是给词表里每个字打分：一个（词表 × 宽）的矩阵。嵌入也是一个（词表 × 宽）的矩阵。BERT 让它们是**同一个**：读一个字和写一个字，用同一行数。小模型里这省下很大一块。
#
# 请写 `tie(embedding, decoder)`：`embedding` 是 `nn.Embedding(词表, 宽)`，`decoder` 是 `nn.Linear(宽, 词表)`，可能有偏置，也可能没有。让解码器用嵌入的权重，从此一起变；偏置不动。返回省下了多少参数（数字的个数）。

# %% [markdown] lang="en"
# ## 06.3 Tie the weights
#
# The last thing in a guessing head gives each character of the vocabulary a score: a matrix of (vocabulary × width). The embedding is a matrix of (vocabulary × width), too. In BERT they are **the same one**: a character is read and written with the same row of numbers. In a small model that saves a large part.
#
# Write `tie(embedding, decoder)`: `embedding` is an `nn.Embedding(vocabulary, width)`, `decoder` an `nn.Linear(width, vocabulary)`, with a bias or without. Let the decoder use the embedding's weight, so that from now on they change together; leave the bias alone. Return how many parameters (numbers) are saved.


# %% answer="06.3"
def tie(embedding, decoder):
    # BEGIN SOLUTION
    decoder.weight = embedding.weight
    return embedding.weight.numel()
    # END SOLUTION


# %% check="06.3" points=1
assert lk.check("06.3", tie)

# %% [markdown] lang="zh"
# 用在真的尺寸上：**猜**，自带的小模型一共 160 万个参数，要是不绑定，会有多少？

# %% [markdown] lang="en"
# With real sizes. **Guess**: the packaged model has 1.6 million parameters in all. How many would it have without tying?

# %%
words = len(lk.load("tiny-bert-zh", labels=("negative", "positive")).processor)
saved = tie(torch.nn.Embedding(words, 128), torch.nn.Linear(128, words))
print(f"{saved:,}")

# %% [markdown] lang="zh"
# ## 06.4 搬骨干，不搬头
#
# 微调的第一步：新任务的模型，骨干从预训练来，头是新的。请写 `transfer(source, target)`：两个模型都有 `body`（参数名以 `body.` 开头），来源的头叫 `cls` 或 `classifier`，目标的头叫 `classifier`。把来源骨干里的参数抄进目标，条件是名字和形状都相同；头一个数也不许动，就算来源恰好也有一个同样形状的 `classifier`。来源和目标此后互不影响。返回抄了哪些参数名（列表或集合，用整个模型里的名字，如 `body.embeddings.weight`）。
#
# 层数、词表都可能不同：抄得了的抄，抄不了的留着目标自己的。

# %% [markdown] lang="en"
# ## 06.4 Move the backbone, not the head
#
# The first step of fine-tuning: in the model of the new task the backbone comes from pretraining, and the head is new. Write `transfer(source, target)`: both models have a `body` (parameters named `body.…`); the source's head is called `cls` or `classifier`, the target's `classifier`. Copy the parameters of the source's body into the target where name and shape are the same. Of the head not a number may change, even if the source happens to have a `classifier` of the same shape. Afterwards the two have nothing to do with each other. Return the names that were copied (a list or a set; names in the whole model, such as `body.embeddings.weight`).
#
# The numbers of layers and of words may differ: copy what fits, and leave the target its own where nothing does.


# %% answer="06.4"
def transfer(source, target):
    # BEGIN SOLUTION
    old, moved = dict(source.named_parameters()), []
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            if name.startswith("body.") and name in old and old[name].shape == parameter.shape:
                parameter.copy_(old[name])
                moved.append(name)
    return moved
    # END SOLUTION


# %% check="06.4" points=2
assert lk.check("06.4", transfer)

# %% [markdown] lang="zh"
# ## 06.5 设计：买哪些文字来读
#
# 读什么，比读没读过更要紧。假设你要做酒店评论，手上只有几十条样本，却有一大堆混杂的文字可买：百科、电影、手机、外卖，里面也混着酒店的，没有标明。预算按字数算。
#
# 请写 `choose(texts, sample, budget)`：`texts` 是候选文字的列表，`sample` 是想要的那一类的几十条样本，`budget` 是最多买多少个字。返回买下的行号，不重复，总字数不超过预算，也不要剩下两成以上。怎么挑由你。
#
# 怎么评判：一个很小的语言模型（看前一个字猜下一个字）读完你买的文字，去猜**没见过的**这一类文字。每个字的损失，要比随便买少，至少少到“每条都标明了类别”能少的一半。

# %% [markdown] lang="en"
# ## 06.5 Design: which texts to buy
#
# What a model has read matters more than that it has read. Say you work on hotel reviews and have a few dozen samples, and there is a heap of mixed texts for sale: encyclopaedia, films, phones, takeaways, and hotels among them, but nothing says which is which. The budget counts characters.
#
# Write `choose(texts, sample, budget)`: `texts` is the list of candidates, `sample` some dozens of texts of the wanted kind, `budget` how many characters you may buy at most. Return the numbers of the rows you buy, none twice, together within the budget, and with no more than a fifth of it left over. How to pick is your design.
#
# How it is judged: a very small language model (it looks at one character and guesses the next) reads what you bought and then guesses **unseen** texts of that kind. Its loss has to be lower than after a random choice, by at least half of what could be won if every text had its kind written on it.


# %% answer="06.5"
def choose(texts, sample, budget):
    # BEGIN SOLUTION
    from collections import Counter
    from itertools import pairwise
    from math import log

    def pieces(text):
        return [*text, *pairwise(text)]

    wanted = Counter(p for text in sample for p in pieces(text))
    offered = Counter(p for text in texts for p in pieces(text))
    n, m = wanted.total(), offered.total()

    def score(text):
        found = pieces(text)
        return sum(log((wanted[p] + 0.1) / n) - log((offered[p] + 0.1) / m) for p in found) / max(1, len(found))

    bought, spent = [], 0
    for i in sorted(range(len(texts)), key=lambda i: -score(texts[i])):
        if spent + len(texts[i]) <= budget:
            bought.append(i)
            spent += len(texts[i])
    return bought
    # END SOLUTION


# %% check="06.5" points=3
assert lk.check("06.5", choose)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("06")
