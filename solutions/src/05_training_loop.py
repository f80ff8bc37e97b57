# %% [markdown] lang="zh"
# # 练习 05 · 训练循环
#
# 笔记 05 打开了怀表的后盖，看着齿轮转；这里请你自己把齿轮一个个装进去：循环，累积，裁剪，早停，断电之后接着走；最后设计一位看表的人，知道什么时候该说“不用等了”。
#
# 做法和前面一样：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个半小时。

# %% [markdown] lang="en"
# # Exercises 05 · The training loop
#
# Notebook 05 opened the back of the watch and saw the wheels go round. Here you put them in yourself, one by one: the loop, accumulation, clipping, early stopping, going on after a power cut; and in the end you design the person who looks at the watch and knows when to say "no use waiting".
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour and a half.

# %% tags=["setup"]
LANG = "zh"

import copy
import math

import torch
from torch.nn.functional import cross_entropy

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 05.1 三根针
#
# 练习 01 写过一个最小的循环。现在写一个真用得上的：请写 `fit(model, batches, optimizer, epochs, rate)`。
#
# - `batches(epoch)` 给出第 `epoch` 轮（从 0 数起）的各批 `(inputs, target)`：次序属于轮，每轮叫一次；
# - 第 n 步（从 0 数起，数过整次训练）的学习率是 `rate(n)`；优化器可能有好几个参数组；
# - 损失是 `cross_entropy(model(inputs), target)`，每批更新一次；
# - 返回每轮的平均损失，是对**行**的平均，普通的数，按先后排成列表；最后一批可能小一些。
#
# 模型交来时处在评估模式，`.grad` 里可能还留着别人试验的梯度。

# %% [markdown] lang="en"
# ## 05.1 Three hands
#
# In exercises 01 you wrote the smallest of loops. Now write one for real use: `fit(model, batches, optimizer, epochs, rate)`.
#
# - `batches(epoch)` gives the batches `(inputs, target)` of an epoch, counted from 0: the order belongs to the epoch, so ask once in each;
# - in step n, counted from 0 over the whole run, the learning rate is `rate(n)`; the optimizer may have several parameter groups;
# - the loss is `cross_entropy(model(inputs), target)`, with one update a batch;
# - return the mean loss of each epoch, a mean over **rows**, as plain numbers in a list; the last batch may be smaller.
#
# The model comes to you in evaluation mode, and `.grad` may still hold gradients from somebody's trial.


# %% answer="05.1"
def fit(model, batches, optimizer, epochs, rate):
    # BEGIN SOLUTION
    model.train()
    means, step = [], 0
    for epoch in range(epochs):
        total = rows = 0
        for inputs, target in batches(epoch):
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            optimizer.step()
            total, rows, step = total + loss.item() * len(target), rows + len(target), step + 1
        means.append(total / rows)
    return means
    # END SOLUTION


# %% check="05.1" points=3
assert lk.check("05.1", fit)

# %% [markdown] lang="zh"
# ## 05.2 积少成多
#
# 一批 16 行，内存却只装得下 6 行。请写 `accumulate(model, inputs, target, size)`：每次至多送 `size` 行进模型，算完之后，各参数的 `.grad` 里是**整批平均损失**的梯度；返回整批的平均损失（普通的数）。
#
# 不迈步，也不清零：`.grad` 交来时是空的，算完留在那里。模型的模式不要动。每份算完就放掉它的计算图，不然内存还是不够。当心最后一份：行数常常除不尽。

# %% [markdown] lang="en"
# ## 05.2 Many a little
#
# The batch has 16 rows and the memory holds 6. Write `accumulate(model, inputs, target, size)`: send at most `size` rows into the model at a time, and leave in `.grad` the gradient of the **mean loss of the whole batch**; return that mean loss as a plain number.
#
# Make no step and clear nothing: `.grad` is empty when it comes to you and stays filled when you are done. Leave the model's mode as it is. Let go of each piece's graph before the next, or the memory is too small after all. Mind the last piece; rows seldom come out even.


# %% answer="05.2"
def accumulate(model, inputs, target, size):
    # BEGIN SOLUTION
    total = 0.0
    for x, y in zip(inputs.split(size), target.split(size), strict=True):
        loss = cross_entropy(model(x), y, reduction="sum") / len(target)
        loss.backward()
        total += loss.item()
    return total
    # END SOLUTION


# %% check="05.2" points=2
assert lk.check("05.2", accumulate)

# %% [markdown] lang="zh"
# ## 05.3 裁剪
#
# 请写 `clip(parameters, most)`，与 `torch.nn.utils.clip_grad_norm_` 一致（不许调用它）：把全部梯度看成一个长向量，长度超过 `most` 就缩短到 `most`，方向不变；不超过就不动。就地改动 `.grad`，返回裁剪**之前**的长度。
#
# `parameters` 是一个列表；有的参数没有梯度（`grad` 是 `None`，冻结的就是这样），跳过它们。

# %% [markdown] lang="en"
# ## 05.3 Clipping
#
# Write `clip(parameters, most)` to match `torch.nn.utils.clip_grad_norm_` (without calling it): take all gradients as one long vector; where it is longer than `most`, shorten it to `most` without turning it; otherwise leave it alone. Change `.grad` in place and return the length **before** clipping.
#
# `parameters` is a list; some have no gradient (their `grad` is `None`, as with frozen ones), so skip those.


# %% answer="05.3"
def clip(parameters, most):
    # BEGIN SOLUTION
    slopes = [p.grad for p in parameters if p.grad is not None]
    length = math.sqrt(sum((slope**2).sum().item() for slope in slopes))
    if length > most:
        for slope in slopes:
            slope.mul_(most / length)
    return length
    # END SOLUTION


# %% check="05.3" points=1
assert lk.check("05.3", clip)

# %% [markdown] lang="zh"
# 用在真模型上：**猜**，一个刚载入、头还随机的模型，一批 16 条评论的梯度有多长？比常用的界限 1 长，还是短？

# %% [markdown] lang="en"
# Use it on a real model. **Guess**: a model just loaded, its head still random; how long is the gradient of 16 reviews? Longer or shorter than the usual limit of 1?

# %%
corpus = lk.reviews().limit(64)
model = lk.load("tiny-bert-zh", labels=corpus.labels)
inputs = model.processor([row.input for row in corpus.train[:16]], padding=True, return_tensors="pt")
cross_entropy(model(**inputs).logits, torch.tensor([row.target for row in corpus.train[:16]])).backward()
print(clip(list(model.parameters()), 1.0) > 1, round(clip(list(model.parameters()), 1.0), 3))

# %% [markdown] lang="zh"
# ## 05.4 早停，并取回最好的
#
# 请写 `train(model, epoch, score, most, patience)`：
#
# - `epoch(model)` 训练一轮，`score(model)` 给出验证成绩（越高越好，可能是负数），每轮之后问一次；
# - 最多 `most` 轮；连续 `patience` 轮没有超过目前最好的成绩（相同不算超过），就停；
# - 结束时把模型的参数恢复到成绩最好的那一轮（一样好的取先到的），返回它是第几轮，从 1 数起。

# %% [markdown] lang="en"
# ## 05.4 Early stopping, and the best back
#
# Write `train(model, epoch, score, most, patience)`:
#
# - `epoch(model)` trains for one epoch, `score(model)` gives the validation score (higher is better, it may be negative); ask it once after each epoch;
# - go on for `most` epochs at the most; stop when `patience` epochs in a row have not beaten the best score so far (to equal it is not to beat it);
# - at the end put the model's parameters back to the epoch with the best score (the first of equals), and return its number, counted from 1.


# %% answer="05.4"
def train(model, epoch, score, most, patience):
    # BEGIN SOLUTION
    best, best_score, kept = 0, -math.inf, None
    for number in range(1, most + 1):
        epoch(model)
        now = score(model)
        if now > best_score:
            best, best_score, kept = number, now, copy.deepcopy(model.state_dict())
        elif number - best >= patience:
            break
    model.load_state_dict(kept)
    return best
    # END SOLUTION


# %% check="05.4" points=2
assert lk.check("05.4", train)

# %% [markdown] lang="zh"
# ## 05.5 停电之后
#
# 请写 `walk(model, optimizer, draw, rate, steps, state=None)`：走 `steps` 步，返回一对：这些步的损失（列表），和恢复所需的全部状态。
#
# - 每一步：学习率是 `rate(n)`，n 从整次训练的开头数起；`draw()` 随机抽一批 `(inputs, target)`；`cross_entropy`，更新一次。模型已在训练状态，里面有随机失活。
# - `state` 不是 None 时，先回到它所记的那一刻，再往下走。那可能是另一台机器：新的模型、新的优化器，随机数也不在原处。
# - 接着走的损失要与没停过的**逐位相同**；恢复以后交出的状态，也要能再恢复。
#
# `draw` 和随机失活都用 torch 的全局随机数。状态交出去以后，原来的训练还会往下走，不能因此把状态改坏。用什么形式存，由你决定。

# %% [markdown] lang="en"
# ## 05.5 After the power cut
#
# Write `walk(model, optimizer, draw, rate, steps, state=None)`: make `steps` steps, and return a pair, the losses of these steps as a list, and all the state that going on will need.
#
# - In each step the rate is `rate(n)`, n counted from the very start of the run; `draw()` takes a batch `(inputs, target)` at random; `cross_entropy`, and one update. The model is in training mode already and has dropout in it.
# - Where `state` is not None, first return to the moment that it describes, then walk on. That may be another machine, with a new model and a new optimizer, and random numbers that stand elsewhere.
# - From there the losses must equal those of a run that never stopped, **to the bit**; and from the state that a resumed run hands out one can go on again.
#
# `draw` and dropout both use torch's global random numbers. After you handed out the state, the first run may go on, and must not spoil it by that. In which form you keep it is up to you.


# %% answer="05.5"
def walk(model, optimizer, draw, rate, steps, state=None):
    # BEGIN SOLUTION
    start = 0
    if state is not None:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        torch.set_rng_state(state["random"])
    losses = []
    for step in range(start, start + steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        inputs, target = draw()
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    return losses, copy.deepcopy(parts) | {"step": start + steps, "random": torch.get_rng_state()}
    # END SOLUTION


# %% check="05.5" points=3
assert lk.check("05.5", walk)

# %% [markdown] lang="zh"
# ## 05.6 设计：不用等了
#
# 四十次训练排着队，跑到第三轮就看得出没救的，不该占着机器。请写 `hopeless(history)`：每轮之后叫一次，`history` 是到现在为止各轮的列表，每轮是字典，键为 `train_loss, valid_loss, valid_accuracy`；该停就返回 True，否则 False。
#
# 它会去看十一次录下来的训练。没有标准答案，但要做到：
#
# - **不冤枉好人**：健康的训练，在它验证损失最低的那轮之前，一次也不许叫停。其中有起步很慢的（头三轮几乎不动，还在热身），有中途摔一跤又爬起来的，有一路上下晃的，有 20 类、从损失 3.0 开始的，有 100 类、从 4.6 开始的，也有十二轮慢慢变好的；
# - **不放过没救的**：损失成了 NaN 的，立刻停；炸得很高回不来的，第 5 轮之前；一动不动的，训练在降而验证一直停在瞎猜的，第 8 轮之前；背书背到验证损失一路上山的，从最低处起七轮之内。

# %% [markdown] lang="en"
# ## 05.6 Design: no use waiting
#
# Forty runs stand in a queue, and one that is past saving in epoch 3 should not hold the machine. Write `hopeless(history)`: it is called after each epoch, and `history` is the list of the epochs so far, each a dictionary with the keys `train_loss, valid_loss, valid_accuracy`. Return True where the run should stop, False otherwise.
#
# It will watch eleven runs that were recorded. There is no one right answer, but this must hold:
#
# - **the innocent go free**: a sound run is never stopped before the epoch with its lowest validation loss. Among them are one that starts slowly (three epochs of almost nothing, still warming up), one that stumbles half way and gets up again, one that swings all along, one with 20 classes, which starts at a loss of 3.0, one with 100, which starts at 4.6, and one that gets a little better for twelve epochs;
# - **the hopeless don't**: a loss that is NaN stops at once; one that exploded and does not come back, by epoch 5; one that does not move, and one whose training loss falls while validation stays at guessing, by epoch 8; one that learns by heart, its validation loss climbing and climbing, within seven epochs of its lowest.


# %% answer="05.6"
def hopeless(history):
    # BEGIN SOLUTION
    valid = [epoch["valid_loss"] for epoch in history]
    if not math.isfinite(history[-1]["train_loss"]):
        return True
    best = min(range(len(valid)), key=valid.__getitem__)
    exploded = len(valid) >= 4 and valid[-1] > 2 * min(valid)
    flat = len(valid) >= 6 and max(valid) - min(valid) < 0.02
    return exploded or flat or len(valid) - 1 - best >= 5
    # END SOLUTION


# %% check="05.6" points=3
assert lk.check("05.6", hopeless)

# %% [markdown] lang="zh"
# 放到真的训练上：`run()` 是生成器，看的人走开，训练就停了。学习率故意定成 1。**猜**：20 轮里走几轮就会被叫停？

# %% [markdown] lang="en"
# On a real run: `run()` is a generator, and when the watcher walks away, it stops. The rate is 1 on purpose. **Guess**: of 20 epochs, after how many will it be stopped?

# %%
config = lk.TrainConfig(epochs=20, lr=1.0, max_length=64, device="cpu", precision="fp32")
trainer = lk.Trainer(lk.load("tiny-bert-zh", labels=corpus.labels), corpus, lk.HeadOnly(), config)
keys, history = ("train_loss", "valid_loss", "valid_accuracy"), []
for event in trainer.run():
    if isinstance(event, lk.EpochDone):
        history.append({key: getattr(event.epoch, key) for key in keys})
        if hopeless(history):
            break
print(tr("早早叫停：", "stopped early:"), len(history) <= 8)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("05")
