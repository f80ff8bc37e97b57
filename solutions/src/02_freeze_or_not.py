# %% [markdown] lang="zh"
# # 练习 02 · 冻结还是不冻结
#
# 一个预训练好的网络，哪些参数该动，哪些不该？笔记 02 里你移动滑块来试；这里你亲手写：冻结、数参数、逐层解冻、把冻结的部分只算一次，最后学会看着一张带误差的表做决定。
#
# 做法和练习 01 一样：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 02 · Freeze or not
#
# Of a pretrained network, which parameters should move and which should not? In notebook 02 you try it with a slider; here you write it yourself: freezing, counting, thawing layer by layer, computing the frozen part only once, and in the end deciding from a table that has error bars.
#
# It works as in exercises 01: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 认识一下模型
#
# 所有题目里的模型都像 BERT 那样分层。下面一格列出自带小模型的参数名，每个大块只举一个例子。从名字就能看出它在哪里：嵌入在最底下，`encoder.layer.0` 是最低的一层，池化层（pooler）和 classifier 合起来是头。

# %% [markdown] lang="en"
# ## Meet the model
#
# In all the exercises the model is built in layers, as BERT is. The next cell lists parameter names of the packaged model, one example for each large part. The name tells where it sits: the embeddings at the very bottom, `encoder.layer.0` is the lowest layer, and pooler and classifier together make the head.

# %%
model = lk.load("tiny-bert-zh", labels=("negative", "positive"))
for block in lk.blocks(model):
    print(f"{block.name:10}  {block.parameters[0]}")

# %% [markdown] lang="zh"
# ## 02.1 亲手冻结
#
# 请写 `freeze(model, k)`：只让头（池化层和 classifier）与最上面的 `k` 层训练，其余全部冻结。模型是上面那种结构。
#
# 两件事容易疏忽。`k` 可以是 0，那时只训练头。交给你的模型可能已经被别人冻结过，所以该训练的要重新打开。

# %% [markdown] lang="en"
# ## 02.1 Freeze by hand
#
# Write `freeze(model, k)`: let only the head (pooler and classifier) and the `k` uppermost layers train, and freeze all the rest. The model is built like the one above.
#
# Two things are easily overlooked. `k` may be 0, and then the head trains alone. And the model may come to you already frozen by somebody else, so what should train must be switched on again.


# %% answer="02.1"
def freeze(model, k):
    # BEGIN SOLUTION
    layers = model.bert.encoder.layer
    model.requires_grad_(False)
    for module in (model.classifier, model.bert.pooler, *layers[len(layers) - k :]):
        module.requires_grad_(True)
    # END SOLUTION


# %% check="02.1" points=1
assert lk.check("02.1", freeze)

# %% [markdown] lang="zh"
# ## 02.2 逐块数参数
#
# “只训练顶部两层”，到底是训练百分之几？参数的分布很不均匀，不数不知道。
#
# 请写 `count(model)`，返回一个字典：键是块的名字，`"embeddings"`、`"layer 1"`（最低的一层）、`"layer 2"`……、`"head"`；值是一对整数（参与训练的，全部）。数的是**数字**的个数：一个 3 × 4 的矩阵算 12。

# %% [markdown] lang="en"
# ## 02.2 Count parameters, block by block
#
# "Only the top two layers train": how many per cent is that? Parameters are spread very unevenly, and only counting tells.
#
# Write `count(model)`, which returns a dictionary. Its keys are the names of the blocks, `"embeddings"`, `"layer 1"` (the lowest), `"layer 2"` …, `"head"`; its values are pairs of whole numbers, (trainable, total). What is counted is **numbers**: a matrix of 3 × 4 has 12.


# %% answer="02.2"
def count(model):
    # BEGIN SOLUTION
    found = {}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        block = "embeddings" if "embeddings" in parts else "head"
        if "layer" in parts:
            block = f"layer {int(parts[parts.index('layer') + 1]) + 1}"
        trainable, total = found.get(block, (0, 0))
        size = parameter.numel()
        found[block] = (trainable + size * parameter.requires_grad, total + size)
    return found
    # END SOLUTION


# %% check="02.2" points=2
assert lk.check("02.2", count)

# %% [markdown] lang="zh"
# 用你的两个函数量一量自带的模型：**猜**，只训练头和顶上一层，是全部参数的百分之几？

# %% [markdown] lang="en"
# Measure the packaged model with your two functions. **Guess**: with only the head and the top layer training, what share of all parameters is that?

# %%
freeze(model, 1)
for block, (trainable, total) in count(model).items():
    print(f"{block:10}  {trainable:>9,} / {total:>9,}")

# %% [markdown] lang="zh"
# ## 02.3 逐层解冻的时间表
#
# 头是随机的，它最初的梯度会把下面学好的东西搅乱。一个办法是先只训练头，再从上往下一层一层放开：这叫逐层解冻。
#
# 请写 `opened(epoch, layers, every)`：返回第 `epoch` 轮（从 0 数起）参与训练的层号，层号从 1（最低）到 `layers`（最高），次序不限。最开始的 `every` 轮只训练头，一层也不开；此后每过 `every` 轮从上面多开一层；全部打开之后不再变。
#
# 例如 `layers=4, every=2`：第 0、1 轮是 `[]`，第 2、3 轮是 `[4]`，第 4 轮是 `[3, 4]`。

# %% [markdown] lang="en"
# ## 02.3 A timetable for thawing
#
# The head is random, and its first gradients stir up what was learned below. One way around it is to train the head alone at first and then to release one layer after another from the top down: gradual unfreezing.
#
# Write `opened(epoch, layers, every)`: the numbers of the layers that train in epoch `epoch` (counted from 0), where layers go from 1 (the lowest) to `layers` (the highest), in any order. In the first `every` epochs the head trains alone and no layer does; from then on every `every` epochs one more is opened, from the top; once all are open, nothing changes any more.
#
# With `layers=4, every=2`, epochs 0 and 1 have `[]`, epochs 2 and 3 have `[4]`, epoch 4 has `[3, 4]`.


# %% answer="02.3"
def opened(epoch, layers, every):
    # BEGIN SOLUTION
    many = min(epoch // every, layers)
    return list(range(layers - many + 1, layers + 1))
    # END SOLUTION


# %% check="02.3" points=1
assert lk.check("02.3", opened)

# %% [markdown] lang="zh"
# ## 02.4 冻结的部分只算一次
#
# 冻结的层每一轮对同一行给出同样的结果，却每一轮都重算。存下来，后面的轮次就几乎不花时间。
#
# 请写 `keep(body, inputs, size)`：`body` 是冻结的那部分网络（里面有 dropout），`inputs` 的形状是（行数，宽）。每次最多送 `size` 行进去，返回全部行的输出，次序不变。要求：结果是常数，所以 dropout 必须关着；不留计算图；算完之后 `body` 的模式和交给你时一样。

# %% [markdown] lang="en"
# ## 02.4 Compute the frozen part once
#
# In every epoch frozen layers give the same answer to the same row, and yet it is computed each time. Keep it, and the later epochs cost next to nothing.
#
# Write `keep(body, inputs, size)`: `body` is the frozen part of a network (it has dropout in it), `inputs` has the shape (rows, width). Send in at most `size` rows at a time and return the output of all rows, in their order. What you return is a constant, so dropout must be off; no graph is kept; and afterwards `body` is in the mode in which it came to you.


# %% answer="02.4"
def keep(body, inputs, size):
    # BEGIN SOLUTION
    modes = {module: module.training for module in body.modules()}
    body.eval()
    with torch.no_grad():
        parts = [body(part) for part in inputs.split(size)]
    for module, training in modes.items():
        module.training = training
    return torch.cat(parts)
    # END SOLUTION


# %% check="02.4" points=2
assert lk.check("02.4", keep)

# %% [markdown] lang="zh"
# ## 02.5 看表做决定
#
# 四种策略跑完了，每一种有准确率、95 % 区间（`low`、`high`）和用时。选哪一个？最高的那个未必真的最好：区间重叠时，差别可能只是这批测试题的运气。
#
# 请写 `decide(table)`：`table` 是一个列表，每行是字典，键为 `strategy, accuracy, low, high, seconds`。规则是：先找准确率最高的；凡是区间与它的区间重叠的，都算分不出高下；在这些（包括它自己）里选用时最少的，返回策略的名字。
#
# 这是一条经验规则：重叠不等于相同，真要分清，就在同样的行上成对比较，或者跑更多的种子。但它比只看最大值诚实得多。

# %% [markdown] lang="en"
# ## 02.5 Decide from a table
#
# Several strategies have run, and each has an accuracy, a 95 % interval (`low`, `high`) and a time. Which one do you take? The highest need not be the best: where intervals overlap, the difference may be nothing but luck with these test rows.
#
# Write `decide(table)`: `table` is a list of dictionaries with the keys `strategy, accuracy, low, high, seconds`. The rule: find the highest accuracy; whatever has an interval that overlaps with that one's cannot be told apart from it; of these (itself among them) return the name of the strategy with the fewest seconds.
#
# It is a rule of thumb. To overlap is not to be equal, and who really wants to know compares pair by pair on the same rows, or runs more seeds. But it is far more honest than looking at the maximum alone.


# %% answer="02.5"
def decide(table):
    # BEGIN SOLUTION
    best = max(table, key=lambda row: row["accuracy"])
    rivals = [row for row in table if row["high"] >= best["low"]]
    return min(rivals, key=lambda row: row["seconds"])["strategy"]
    # END SOLUTION


# %% check="02.5" points=1
assert lk.check("02.5", decide)

# %% [markdown] lang="zh"
# ## 02.6 设计：越往下步子越小
#
# 冻结是“要么动，要么不动”。也可以温和一些：都动，但越靠近底部步子越小，因为底层学到的东西最通用，也最经不起折腾。
#
# 请写 `groups(model, lr)`，返回可以直接交给 `torch.optim.AdamW` 的参数组：`[{"params": [...], "lr": …}, …]`。怎样递减由你设计，但要做到：
#
# - 每个 `requires_grad` 为真的参数恰好在一组里，冻结的不在；
# - 头（包括池化层）的学习率是 `lr`；
# - 从上往下，学习率不许变大；
# - 最底下的一块大于 0，且不超过 `lr` 的一半。

# %% [markdown] lang="en"
# ## 02.6 Design: smaller steps further down
#
# Freezing means that a parameter either moves or does not. There is a gentler way: let all of them move, but the less the nearer they are to the bottom, since what the low layers know is the most general and the most easily spoilt.
#
# Write `groups(model, lr)` and return parameter groups that `torch.optim.AdamW` takes as they are: `[{"params": [...], "lr": …}, …]`. How rates fall is your design, but this must hold:
#
# - every parameter with `requires_grad` is in exactly one group, frozen ones in none;
# - the head, pooler included, has the rate `lr`;
# - on the way down rates never grow;
# - the lowest block has a rate above 0 and at most half of `lr`.


# %% answer="02.6"
def groups(model, lr):
    # BEGIN SOLUTION
    tensors = dict(model.named_parameters())
    found = []
    for depth, block in enumerate(reversed(lk.blocks(model))):
        params = [tensors[name] for name in block.parameters if tensors[name].requires_grad]
        if params:
            found.append({"params": params, "lr": lr * 0.5**depth})
    return found
    # END SOLUTION


# %% check="02.6" points=3
assert lk.check("02.6", groups)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("02")
