# %% [markdown] lang="zh"
# # 练习 03 · LoRA、适配器与提示
#
# 冻住整个网络，只在旁边加一点点新的参数，效果却常常不输全量微调。这些方法听起来神秘，写出来都只有几行。这本练习请你把它们逐个写出来，并和通行的 `peft` 库对一对。
#
# 做法和前面一样：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个半小时。

# %% [markdown] lang="en"
# # Exercises 03 · LoRA, adapters, prompts
#
# Freeze the whole network, add a handful of new parameters beside it, and often the result is as good as full fine-tuning. The methods sound mysterious, and each takes only a few lines. Here you write them one by one, and compare with `peft`, the library that everybody uses.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour and a half.

# %% tags=["setup"]
LANG = "zh"

import torch
from torch import nn

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 03.1 LoRA 的前向
#
# 一个线性层有权重 `weight`（出 × 进）和偏置 `bias`。LoRA 不去动它，而是在旁边开一条窄路：`a`（r × 进）把输入压到 r 维，`b`（出 × r）再展开，乘上 `alpha / r`，加到原来的输出上。
#
# 请写 `lora(x, weight, bias, a, b, alpha)`，`x` 的形状是（行数，进）。r 从 `a` 的形状里取。

# %% [markdown] lang="en"
# ## 03.1 LoRA, forward
#
# A linear map has a `weight` (outputs × inputs) and a `bias`. LoRA leaves it alone and opens a narrow road beside it: `a` (r × inputs) presses the input into r numbers, `b` (outputs × r) spreads them out again, and the result, times `alpha / r`, is added to the old output.
#
# Write `lora(x, weight, bias, a, b, alpha)`, with `x` of shape (rows, inputs). Take r from the shape of `a`.


# %% answer="03.1"
def lora(x, weight, bias, a, b, alpha):
    # BEGIN SOLUTION
    scale = alpha / a.shape[0]
    return x @ weight.T + bias + scale * (x @ a.T @ b.T)
    # END SOLUTION


# %% check="03.1" points=1
assert lk.check("03.1", lora)

# %% [markdown] lang="zh"
# 检查通过了，可它真的就是大家用的 LoRA 吗？下面用 `peft` 给一个线性层装上 LoRA（B 也换成随机数，不然看不出区别），再用你的函数算一遍。**猜**：最大的差是多少？

# %% [markdown] lang="en"
# The check is content, but is that the LoRA that everybody uses? Below, `peft` adds LoRA to a linear map (with B drawn at random as well, or there would be nothing to see), and your function computes the same. **Guess**: how large is the largest difference?

# %%
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)
layer = nn.Sequential(nn.Linear(6, 4))
wrapped = get_peft_model(layer, LoraConfig(r=2, lora_alpha=8, target_modules=["0"], init_lora_weights=False))
tensors = dict(wrapped.named_parameters())
print(*(name.removeprefix("base_model.model.0.") for name in tensors), sep="\n")

# %%
weight, bias, a, b = (tensor.detach() for tensor in tensors.values())
x = torch.randn(5, 6)
difference = (wrapped(x) - lora(x, weight, bias, a, b, alpha=8)).abs().max().item()
print(tr("与 peft 相同：", "the same as peft:"), difference < 1e-6)

# %% [markdown] lang="zh"
# ## 03.2 把 LoRA 合并进去
#
# 旁路训练好以后可以并进原来的权重，于是模型和从前一样大、一样快。请写 `merge(weight, a, b, alpha)`，返回合并后的权重：一个**新的**张量，原来的不要动，因为你也许还想把它拆出来。

# %% [markdown] lang="en"
# ## 03.2 Merge LoRA into the weight
#
# Once trained, the side road can be merged into the old weight, and the model is as small and fast as it was before. Write `merge(weight, a, b, alpha)` and return the merged weight: a **new** tensor, with the old one untouched, since you may want to take the two apart again.


# %% answer="03.2"
def merge(weight, a, b, alpha):
    # BEGIN SOLUTION
    return weight + alpha / a.shape[0] * (b @ a)
    # END SOLUTION


# %% check="03.2" points=1
assert lk.check("03.2", merge)

# %% [markdown] lang="zh"
# ## 03.3 瓶颈适配器
#
# 适配器是插在网络里的一个小模块：压到 `size` 维，弯一下（非线性），再展回 `width` 维，加上原来的输入。
#
# 请写类 `Adapter(width, size)`，是 `nn.Module` 的子类。两个要求缺一不可：刚装上时**一点作用也没有**（输出等于输入），这样网络不会被随机数打乱；但它必须**学得动**，两个矩阵都要能得到梯度。

# %% [markdown] lang="en"
# ## 03.3 A bottleneck adapter
#
# An adapter is a small module put inside a network: press down to `size` numbers, bend (a nonlinearity), spread out to `width` again, and add the input.
#
# Write the class `Adapter(width, size)`, a subclass of `nn.Module`. It must meet two demands at once. When it is new it has **no effect at all** (output equals input), so that no random numbers upset the network; and yet it must be **able to learn**: both matrices must come to have gradients.


# %% answer="03.3"
class Adapter(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        # BEGIN SOLUTION
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        return x + self.up(torch.relu(self.down(x)))
        # END SOLUTION


# %% check="03.3" points=2
assert lk.check("03.3", Adapter)

# %% [markdown] lang="zh"
# ## 03.4 把软提示接在前面
#
# 提示调优不碰网络，只在每一句话前面放几个可以训练的向量。请写 `prepend(hidden, mask, prompt)`：`hidden`（行数，T，宽）是文本的嵌入，`mask`（行数，T）是注意力掩码，`prompt`（P，宽）是所有行共用的提示。返回一对：（行数，P + T，宽）的嵌入，和（行数，P + T）的掩码。梯度要能传到 `prompt`。

# %% [markdown] lang="en"
# ## 03.4 Put a soft prompt in front
#
# Prompt tuning leaves the network alone and only puts a few trainable vectors before each text. Write `prepend(hidden, mask, prompt)`: `hidden` (rows, T, width) are the embeddings of the texts, `mask` (rows, T) is the attention mask, and `prompt` (P, width) is shared by all rows. Return a pair: embeddings of shape (rows, P + T, width) and a mask of shape (rows, P + T). Gradients must reach `prompt`.


# %% answer="03.4"
def prepend(hidden, mask, prompt):
    # BEGIN SOLUTION
    front = prompt.expand(len(hidden), -1, -1)
    ones = mask.new_ones(len(hidden), len(prompt))
    return torch.cat([front, hidden], dim=1), torch.cat([ones, mask], dim=1)
    # END SOLUTION


# %% check="03.4" points=1
assert lk.check("03.4", prepend)

# %% [markdown] lang="zh"
# ## 03.5 带前缀的注意力
#
# 前缀调优走得更深：在**每一层**的注意力里，key 和 value 前面各多出 P 个可以训练的向量。词元于是多了几个可以看的地方，自己的位置却没有变多。
#
# 请写单头的 `attend(query, key, value, mask, prefix_key, prefix_value)`。前三个的形状是（行数，T，宽），`mask` 是（行数，T），两个前缀是（P，宽）。返回（行数，T，宽）。分数除以 √宽；填充的位置看不见，前缀人人都看得见。

# %% [markdown] lang="en"
# ## 03.5 Attention with a prefix
#
# Prefix tuning goes deeper: in the attention of **every layer**, P trainable vectors stand before the keys, and as many before the values. Each token has a few more places to look at, but the text itself has no more places than before.
#
# Write `attend(query, key, value, mask, prefix_key, prefix_value)` for one head. The first three have the shape (rows, T, width), `mask` is (rows, T), the two prefixes are (P, width). Return (rows, T, width). Scores are divided by √width; padding is seen by nobody, the prefix by everybody.


# %% answer="03.5"
def attend(query, key, value, mask, prefix_key, prefix_value):
    # BEGIN SOLUTION
    keys, _ = prepend(key, mask, prefix_key)
    values, mask = prepend(value, mask, prefix_value)
    scores = query @ keys.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(mask[:, None] == 0, float("-inf")).softmax(dim=-1) @ values
    # END SOLUTION


# %% check="03.5" points=2
assert lk.check("03.5", attend)

# %% [markdown] lang="zh"
# ## 03.6 各要多少参数
#
# 论文里常说“只训练 0.1 % 的参数”。请自己算。写 `extra(width, layers, rank, tokens, size)`，返回字典，各是**新增**的参数个数（不算分类头）：
#
# - `"lora"`：每层的 query 和 value 两处，各一对矩阵 A（rank × width）、B（width × rank）；
# - `"prompt"`：输入处 `tokens` 个向量；
# - `"prefix"`：每一层 `tokens` 个 key 和 `tokens` 个 value；
# - `"adapter"`：每层两个瓶颈（注意力之后、前馈之后），带偏置，中间 `size` 维。

# %% [markdown] lang="en"
# ## 03.6 How many parameters does each take?
#
# Papers like to say that only 0.1 % of the parameters train. Work it out yourself. Write `extra(width, layers, rank, tokens, size)` and return a dictionary of how many parameters are **added** (the head left out):
#
# - `"lora"`: at query and value of each layer, a pair of matrices A (rank × width) and B (width × rank);
# - `"prompt"`: `tokens` vectors at the input;
# - `"prefix"`: `tokens` keys and `tokens` values in each layer;
# - `"adapter"`: two bottlenecks in each layer (behind attention and behind feed-forward), with biases, `size` wide in the middle.


# %% answer="03.6"
def extra(width, layers, rank, tokens, size):
    # BEGIN SOLUTION
    one_adapter = (width * size + size) + (size * width + width)
    return {
        "lora": layers * 2 * (rank * width + width * rank),
        "prompt": tokens * width,
        "prefix": layers * 2 * tokens * width,
        "adapter": layers * 2 * one_adapter,
    }
    # END SOLUTION


# %% check="03.6" points=1
assert lk.check("03.6", extra)

# %% [markdown] lang="zh"
# 看看 BERT-base（宽 768，12 层，1.1 亿参数）各要多少。**猜**：哪一种最省，相差多少倍？

# %% [markdown] lang="en"
# See what BERT-base takes (width 768, 12 layers, 110 million parameters). **Guess**: which is the thriftiest, and by what factor?

# %%
for name, many in extra(width=768, layers=12, rank=8, tokens=20, size=64).items():
    print(f"{name:8} {many:>10,}  {many / 110e6:.2%}")

# %% [markdown] lang="zh"
# ## 03.7 设计：把预算花在哪里
#
# 你有 `budget` 个参数，要分给注意力里的四种矩阵（都是 width × width，共 `layers` 层）做 LoRA。在一种矩阵上把秩加 1，要 2 × width × layers 个参数。
#
# 请写 `ranks(budget, width, layers)`，返回字典，例如 `{"query": 4, "value": 4}`，键取自 `query, key, value, output`，值是秩（0 或正整数）。怎样分由你，但不能超支，不能剩下还够再买一个秩的钱，买得起两个秩时至少要分给两种矩阵。

# %% [markdown] lang="en"
# ## 03.7 Design: where to spend the budget
#
# You have `budget` parameters to spend on LoRA for the four kinds of matrices in attention (each width × width, in `layers` layers). One rank more for one kind takes 2 × width × layers parameters.
#
# Write `ranks(budget, width, layers)` and return a dictionary such as `{"query": 4, "value": 4}`, with keys among `query, key, value, output` and ranks (0 or more) as values. How you divide is up to you. But you may not overspend, you may not keep enough to buy one rank more, and as soon as you can pay for two ranks, at least two kinds must get one.


# %% answer="03.7"
def ranks(budget, width, layers):
    # BEGIN SOLUTION
    places = ("value", "query", "output", "key")
    many = budget // (2 * width * layers)
    return {place: many // 4 + (i < many % 4) for i, place in enumerate(places)}
    # END SOLUTION


# %% check="03.7" points=3
assert lk.check("03.7", ranks)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("03")
