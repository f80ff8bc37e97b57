# %% [markdown] lang="zh"
# # 练习 04 · 优化器
#
# `optimizer.step()` 一行，里面发生了什么？这本练习请你写出 SGD 动量、Adam 和 AdamW，与 PyTorch 的逐位对齐到百万分之一；再弄清楚每个参数的步子到底多大，优化器占多少内存；最后，用你自己设计的优化器走出一条峡谷。
#
# 做法和前面一样：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 04 · Optimizers
#
# What happens inside the one line `optimizer.step()`? Here you write SGD with momentum, Adam and AdamW, so that they match PyTorch's to a millionth; you find out how large the step of each parameter really is and how much memory an optimizer takes; and in the end you get down a ravine with an optimizer of your own design.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 约定
#
# 前三题都写同一种函数：给你一个权重张量、它的梯度、一个字典 `state`，返回走一步之后的**新权重**。`state` 第一次是空的，之后每次都把同一个字典交给你，要记住的东西就放在里面。不要改动交给你的梯度；它的内存用完就清零，要记住它，就存一份抄件。

# %% [markdown] lang="en"
# ## The agreement
#
# The first three exercises want the same kind of function: you get a weight tensor, its gradient and a dictionary `state`, and return the **new weight** after one step. `state` is empty in the first call, and from then on you get the same dictionary each time, so keep in it what must be remembered. Don't change the gradient that you are given; its memory is cleared after the step, so where you want to remember it, keep a copy.

# %% [markdown] lang="zh"
# ## 04.1 带动量的 SGD
#
# 像雪橇一样：速度是过去梯度的累加，每一步先打个折扣（乘 `momentum`），再加上新的梯度，然后按 `lr` 往反方向滑。请写 `momentum_step`，与 `torch.optim.SGD(momentum=...)` 一致。

# %% [markdown] lang="en"
# ## 04.1 SGD with momentum
#
# Think of a sledge. Its velocity is a sum of past gradients: in each step it is first discounted (times `momentum`), then the new gradient is added, and it slides the other way by `lr`. Write `momentum_step`, to match `torch.optim.SGD(momentum=...)`.


# %% answer="04.1"
def momentum_step(weight, gradient, state, lr, momentum):
    # BEGIN SOLUTION
    state["v"] = momentum * state.get("v", 0) + gradient
    return weight - lr * state["v"]
    # END SOLUTION


# %% check="04.1" points=1
assert lk.check("04.1", momentum_step)

# %% [markdown] lang="zh"
# ## 04.2 Adam，与 torch 一致
#
# Adam 记两个滑动平均：梯度的平均 m（`betas[0]`），梯度**平方**的平均 v（`betas[1]`）。它们都从 0 开始，起初偏小，所以第 t 步（从 1 数起）用之前要分别除以 $1 - \beta^t$，这叫偏差修正，得到 m̂ 和 v̂。然后权重减去 lr · m̂ /（√v̂ + eps）。

# %% [markdown] lang="en"
# ## 04.2 Adam, to match torch
#
# Adam keeps two running means: of gradients, m (`betas[0]`), and of **squared** gradients, v (`betas[1]`). Both start at 0 and are too small at first, so at step t (counted from 1) each is divided by $1 - \beta^t$ before it is used. That is the bias correction, and its results are called m̂ and v̂. The weight then loses lr · m̂ / (√v̂ + eps).


# %% answer="04.2"
def adam_step(weight, gradient, state, lr, betas, eps):
    # BEGIN SOLUTION
    t = state["t"] = state.get("t", 0) + 1
    state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * gradient
    state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * gradient**2
    m = state["m"] / (1 - betas[0] ** t)
    v = state["v"] / (1 - betas[1] ** t)
    return weight - lr * m / (v.sqrt() + eps)
    # END SOLUTION


# %% check="04.2" points=2
assert lk.check("04.2", adam_step)

# %% [markdown] lang="zh"
# ## 04.3 AdamW：衰减不进梯度
#
# 权重衰减想让每个权重每步缩小一点。老办法（L2）把 decay · weight 加进梯度；在 Adam 里这会被 √v̂ 归一化掉，梯度大的权重几乎不衰减。AdamW 把两件事分开：先让权重缩小到 1 − lr · decay 倍，再走一步普通的 Adam，m 和 v 完全不知道有衰减这回事。
#
# 请写 `adamw_step`。可以用你刚写的 `adam_step`。

# %% [markdown] lang="en"
# ## 04.3 AdamW: the decay stays out of the gradient
#
# Weight decay is meant to shrink every weight a little in each step. The old way (L2) adds decay · weight to the gradient; but in Adam the division by √v̂ evens that out, and weights with large gradients hardly decay at all. AdamW keeps the two apart: first the weight shrinks to 1 − lr · decay of itself, then comes a plain Adam step, and m and v never hear of the decay.
#
# Write `adamw_step`. You may use the `adam_step` that you have just written.


# %% answer="04.3"
def adamw_step(weight, gradient, state, lr, betas, eps, decay):
    # BEGIN SOLUTION
    return adam_step(weight * (1 - lr * decay), gradient, state, lr, betas, eps)
    # END SOLUTION


# %% check="04.3" points=2
assert lk.check("04.3", adamw_step)

# %% [markdown] lang="zh"
# 衰减放在哪里，差别有多大？两个权重都从 1 出发，真正的梯度是两个方向随机的噪声，一个大（10），一个小（0.01）。走 300 步，只看衰减能把它们缩小多少。**猜**：L2 缩小得一样多吗？AdamW 呢？

# %% [markdown] lang="en"
# How much does it matter where the decay goes? Two weights start from 1, and the real gradient is noise without direction, large for one (10) and small for the other (0.01). After 300 steps, see how far the decay has shrunk them. **Guess**: does L2 shrink both alike? And AdamW?

# %%
torch.manual_seed(0)
noise = torch.randn(300, 2) * torch.tensor([10.0, 0.01])
settings = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
l2, apart, of_l2, of_apart = torch.ones(2), torch.ones(2), {}, {}
for gradient in noise:
    l2 = adam_step(l2, gradient + 0.5 * l2, of_l2, **settings)
    apart = adamw_step(apart, gradient, of_apart, **settings, decay=0.5)

# %%
print("L2    ", tr("两个权重差不多：", "both weights alike:"), abs(l2[0] - l2[1]).item() < 0.1)
print("AdamW ", tr("两个权重差不多：", "both weights alike:"), abs(apart[0] - apart[1]).item() < 0.1)

# %% [markdown] lang="zh"
# L2 之下，噪声小的那个权重被推着一路缩小，噪声大的几乎没动；AdamW 对两个一视同仁。这就是“解耦”二字的意思。
#
# ## 04.4 有效步幅
#
# Adam 的一步是 m̂ 乘一个因子，每个参数有自己的因子，这就是它的**有效学习率**。请写 `effective_rate(v, t, lr, beta2, eps)`：`v` 是第 t 步时**还没修正**的梯度平方的平均（一个张量），返回每个参数的那个因子。

# %% [markdown] lang="en"
# Under L2 the weight with little noise is pushed down and down, and the one with much noise has hardly moved; AdamW treats both alike. That is what "decoupled" means.
#
# ## 04.4 The effective rate
#
# An Adam step is m̂ times a factor, and every parameter has a factor of its own: its **effective learning rate**. Write `effective_rate(v, t, lr, beta2, eps)`: `v` is the mean of squared gradients at step t, **not yet corrected** (a tensor); return the factor of each parameter.


# %% answer="04.4"
def effective_rate(v, t, lr, beta2, eps):
    # BEGIN SOLUTION
    return lr / ((v / (1 - beta2**t)).sqrt() + eps)
    # END SOLUTION


# %% check="04.4" points=1
assert lk.check("04.4", effective_rate)

# %% [markdown] lang="zh"
# ## 04.5 优化器要多少内存
#
# 显存不够时，人们常说“换成 LoRA”。省下的到底是什么？请写 `memory(total, trainable, optimizer)`：一共 `total` 个参数，其中 `trainable` 个参与训练，全部用 float32（4 字节）。返回三样东西一共占多少字节：权重、梯度、优化器的状态（不算激活）。`optimizer` 是 `"sgd"`（不记任何东西）、`"momentum"`（记一份速度）、`"adam"` 或 `"adamw"`（记 m 和 v）。

# %% [markdown] lang="en"
# ## 04.5 How much memory an optimizer takes
#
# When memory is short, people say: take LoRA. What exactly does it save? Write `memory(total, trainable, optimizer)`: of `total` parameters `trainable` are trained, all as float32 (4 bytes). Return how many bytes three things take together: weights, gradients, and the optimizer's state (activations left out). `optimizer` is `"sgd"` (remembers nothing), `"momentum"` (one velocity), `"adam"` or `"adamw"` (m and v).


# %% answer="04.5"
def memory(total, trainable, optimizer):
    # BEGIN SOLUTION
    copies = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}[optimizer]
    return 4 * (total + trainable + copies * trainable)
    # END SOLUTION


# %% check="04.5" points=1
assert lk.check("04.5", memory)

# %%
full, lora = memory(110_000_000, 110_000_000, "adamw"), memory(110_000_000, 300_000, "adamw")
print(tr("全量", "full"), f"{full / 1e9:.2f} GB", "  LoRA", f"{lora / 1e9:.2f} GB")

# %% [markdown] lang="zh"
# 四份变成一份多一点：省下的是梯度和两份状态，权重本身一份也没少。
#
# ## 04.6 设计：走出峡谷
#
# 一条狭长的峡谷，两壁比谷底的坡陡 100 倍，而且是斜着的。你站在壁上，看不见谷底，只能问脚下的坡：`gradient(point)`。最陡处的坡度（曲率）是 100，所以普通梯度下降的步子不能超过 2 / 100，否则越走越高。
#
# 请写 `descend(gradient, start, steps)`：从 `start` 出发，最多问 `steps` 次（150 次）坡，返回你最后的位置。高度要降到起点的千分之一以下，四条方向不同的峡谷都要做到。办法随你：动量、Adam、别的什么都行。普通的梯度下降是不够的，可以先试试看差多少。

# %% [markdown] lang="en"
# Four shares have become little more than one: what is saved are the gradients and two shares of state, and none of the weights.
#
# ## 04.6 Design: down the ravine
#
# A long narrow ravine: its walls are 100 times as steep as its floor, and it runs aslant. You stand on a wall, you can't see the bottom, and all you can ask is the slope under your feet: `gradient(point)`. The steepest curvature is 100, so plain gradient descent may not take steps over 2 / 100, or it climbs.
#
# Write `descend(gradient, start, steps)`: begin at `start`, ask for at most `steps` slopes (150), and return your last position. The height must come down to less than a thousandth of what it was, in four ravines that run in different directions. Any means will do: momentum, Adam, or something else. Plain gradient descent is not enough; try it first, and see by how much it falls short.


# %% answer="04.6"
def descend(gradient, start, steps):
    # BEGIN SOLUTION
    point, velocity = start, 0
    for _ in range(steps):
        velocity = 0.85 * velocity + gradient(point)
        point = point - 0.02 * velocity
    return point
    # END SOLUTION


# %% check="04.6" points=3
assert lk.check("04.6", descend)

# %% [markdown] lang="zh"
# 把你走过的路画出来。下面一格记下你每次问坡的位置。

# %% [markdown] lang="en"
# Draw the way you went. The next cell notes every place where you asked for the slope.

# %%
slopes, path = torch.tensor([1.0, 100.0]), []


def slope(point):
    path.append(point.detach())
    return slopes * point


descend(slope, torch.tensor([4.0, 0.5]), 150)
heights = [(slopes * point**2).sum().item() for point in path]

# %%
fig, axes = lk.plots.figure(6.4, 3.0)
axes.semilogy(heights)
title = tr("离谷底的高度", "Height above the bottom")
axes.set(title=title, xlabel=tr("步", "step"), ylabel=tr("高度（起点为 41，对数轴）", "height (41 at first, log axis)"))
fig

# %% [markdown] lang="zh"
# **读图**：纵轴是对数，直线下降就是每一步都缩小同样的倍数。起初的抖动是在两壁之间来回；直线的坡度，由最慢的那个方向决定。
#
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# **Reading it**: the vertical axis is logarithmic, so a straight line means that every step shrinks the height by the same factor. The jitter at the start is the bouncing between the walls; how steep the line is, the slowest direction decides.
#
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("04")
