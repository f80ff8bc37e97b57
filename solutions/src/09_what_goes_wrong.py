# %% [markdown] lang="zh"
# # 练习 09 · 什么会出错
#
# 笔记 09 里你当病人家属，这里当医生：写几条诊断的规矩，写早停、橡皮筋、重放三样治疗，写一个查泄漏的工具，最后设计一个从试探曲线上取学习率的办法。全部是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 09 · What goes wrong
#
# In notebook 09 you stood at the bedside; here you are the doctor. You write some rules of diagnosis, three treatments (early stopping, the rubber band, replay), a tool that finds leaks, and in the end design a way to read a rate off a range test. All are small functions of a few lines; nothing has to be trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import itertools
import math
import unicodedata

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 09.1 医生的四条规矩
#
# 请写 `doctor(train, valid, chance)`：`train`、`valid` 是每一轮的训练损失和验证损失（列表，一样长，至少三轮），`chance` 是瞎猜的损失。按**次序**问，第一条成立的就是答案：
#
# 1. `"rate too high"`：有一个损失（训练或验证）不是有限的数，或有一轮的训练损失超过 1.1 × `chance`；
# 2. `"rate too low"`：验证损失的最大减最小，小于 0.01 × `chance`；
# 3. `"overfitting"`：最后一轮的验证损失比最低的一轮高出至少 0.5 × `chance`，最低的一轮之后还有至少两轮，而且最后一轮的训练损失比最低那轮的更低；
# 4. 否则 `"healthy"`。

# %% [markdown] lang="en"
# ## 09.1 A doctor's four rules
#
# Write `doctor(train, valid, chance)`: `train` and `valid` are the training and validation losses of each epoch (lists of equal length, three epochs or more), and `chance` is the loss of guessing. Ask **in order**; the first rule that holds is the answer:
#
# 1. `"rate too high"`: some loss (training or validation) is not a finite number, or the training loss of some epoch is above 1.1 × `chance`;
# 2. `"rate too low"`: the highest minus the lowest validation loss is below 0.01 × `chance`;
# 3. `"overfitting"`: the last validation loss is above the lowest by 0.5 × `chance` or more, there are at least two epochs after the lowest, and the last training loss is below that of the lowest epoch;
# 4. otherwise `"healthy"`.


# %% answer="09.1"
def doctor(train, valid, chance):
    # BEGIN SOLUTION
    if not all(map(math.isfinite, (*train, *valid))) or max(train) > 1.1 * chance:
        return "rate too high"
    if max(valid) - min(valid) < 0.01 * chance:
        return "rate too low"
    best = valid.index(min(valid))
    rose = valid[-1] - valid[best] >= 0.5 * chance
    if rose and len(valid) - 1 - best >= 2 and train[-1] < train[best]:
        return "overfitting"
    return "healthy"
    # END SOLUTION


# %% check="09.1" points=2
assert lk.check("09.1", doctor)

# %% [markdown] lang="zh"
# ## 09.2 早停
#
# 请写 `stop(losses, patience)`：`losses` 是各轮的验证损失，`patience` 是忍耐的轮数。训练一轮一轮走；连着 `patience` 轮没有出现**新的最低**，就停。返回 `(最好的一轮, 停下的一轮)`，从 1 数起；一直没有停，第二个数就是最后一轮。相等不算进步；停下之后的轮次没有练过，不许看。

# %% [markdown] lang="en"
# ## 09.2 Early stopping
#
# Write `stop(losses, patience)`: `losses` are the validation losses of the epochs. Training goes epoch by epoch; when `patience` epochs in a row bring no **new lowest** loss, it stops. Return `(best epoch, last epoch)`, counted from 1; where it never stops, the second is the last epoch of all. To be equal is no progress; epochs after the stop were never trained and may not be looked at.


# %% answer="09.2"
def stop(losses, patience):
    # BEGIN SOLUTION
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        if epoch - best >= patience:
            return best, epoch
    return best, len(losses)
    # END SOLUTION


# %% check="09.2" points=2
assert lk.check("09.2", stop)

# %% [markdown] lang="zh"
# 耐心值多少钱？同样的损失，忍一轮和忍三轮。**猜**：各停在哪里，各拿到哪一轮？

# %% [markdown] lang="en"
# What is patience worth? The same losses, with a patience of one and of three. **Guess**: where does each stop, and which epoch does each get?

# %%
noisy = [0.69, 0.61, 0.63, 0.58, 0.60, 0.55, 0.59, 0.62, 0.66]
print(stop(noisy, 1), stop(noisy, 3))

# %% [markdown] lang="zh"
# ## 09.3 橡皮筋：L2-SP
#
# 请写 `pull(model, start, strength)`：`start` 是出发时的全部张量（名字到张量的字典）。返回要加到损失上的一项：`strength / 2` 乘上“离出发点距离的平方”之和。头不拉（它从随机开始，没有家可回）；头是哪些参数，`lk.blocks(model)[-1].parameters` 里有名字，不只是 classifier。加进损失之后，梯度要和 `lk.L2SP` 一样。

# %% [markdown] lang="en"
# ## 09.3 The rubber band: L2-SP
#
# Write `pull(model, start, strength)`: `start` holds all tensors as they were at the start (a dictionary from names to tensors). Return the term to be added to the loss: `strength / 2` times the sum of squared distances from the start. The head is not pulled (it began at random and has no home to return to); `lk.blocks(model)[-1].parameters` has the names of its parameters, and there are more than the classifier's. Once it is in the loss, the gradient must be that of `lk.L2SP`.


# %% answer="09.3"
def pull(model, start, strength):
    # BEGIN SOLUTION
    head = set(lk.blocks(model)[-1].parameters)
    body = [(name, p) for name, p in model.named_parameters() if name not in head]
    return strength / 2 * sum((p - start[name]).square().sum() for name, p in body)
    # END SOLUTION


# %% check="09.3" points=2
assert lk.check("09.3", pull)

# %% [markdown] lang="zh"
# ## 09.4 重放：把温习掺进去
#
# 请写 `mix(tasks, extra, every)`：`tasks` 是任务的批（一个列表），`extra` 是普通文字的批（至少一批）。返回一个列表：任务的批次序不变，每做满 `every` 批任务，就插入一批普通文字，按次序取，用完了从头再来。
#
# 例如 `mix(["t0", "t1", "t2", "t3"], ["r0"], 2)` 是 `["t0", "t1", "r0", "t2", "t3", "r0"]`。

# %% [markdown] lang="en"
# ## 09.4 Replay: mixing rehearsal in
#
# Write `mix(tasks, extra, every)`: `tasks` are the batches of the task (a list), `extra` are batches of plain text (one or more). Return a list in which the task's batches keep their order and after every `every` of them comes one batch of plain text, taken in order, and from the beginning again when they are used up.
#
# So `mix(["t0", "t1", "t2", "t3"], ["r0"], 2)` is `["t0", "t1", "r0", "t2", "t3", "r0"]`.


# %% answer="09.4"
def mix(tasks, extra, every):
    # BEGIN SOLUTION
    found, more = [], itertools.cycle(extra)
    for number, batch in enumerate(tasks, start=1):
        found.append(batch)
        if number % every == 0:
            found.append(next(more))
    return found
    # END SOLUTION


# %% check="09.4" points=1
assert lk.check("09.4", mix)

# %% [markdown] lang="zh"
# ## 09.5 查泄漏
#
# 请写 `leaks(train, test)`：两个文本列表。返回测试行的编号（从 0 数起），凡是**归一化之后**和某条训练文本相同的都算。归一化：NFKC（全角变半角）、小写、去掉一切标点和空白。归一化之后什么也不剩的不算。

# %% [markdown] lang="en"
# ## 09.5 Find the leak
#
# Write `leaks(train, test)` for two lists of texts. Return the numbers (from 0) of the test rows that equal some training text **in normal form**: NFKC (full width to half width), lower case, without any punctuation or white space. Texts of which nothing is left do not count.


# %% answer="09.5"
def leaks(train, test):
    # BEGIN SOLUTION
    def normal(text):
        text = unicodedata.normalize("NFKC", text).lower()
        return "".join(c for c in text if unicodedata.category(c)[0] not in "PZ" and not c.isspace())

    known = {normal(text) for text in train} - {""}
    return [i for i, text in enumerate(test) if normal(text) in known]
    # END SOLUTION


# %% check="09.5" points=2
assert lk.check("09.5", leaks)

# %% [markdown] lang="zh"
# 拿自带的语料试试：**猜**，几行？

# %% [markdown] lang="en"
# Try it on the packaged corpus. **Guess**: how many rows?

# %%
corpus = lk.reviews()
print(len(leaks([row.input for row in corpus.train], [row.input for row in corpus.test])))

# %% [markdown] lang="zh"
# ## 09.6 设计：从曲线上取学习率
#
# 请写 `pick(rates, losses)`：`rates` 是一次试探里从小到大的一百个学习率，`losses` 是每一步单批的损失。有噪声；有一批碰巧特别容易；炸开以后可能全是 nan。返回一个学习率，怎样取由你设计，要做到：
#
# - 在那里，损失（去掉噪声来看）已经明显下降：至少降了全程的四成；
# - 离最低点留有余地：不超过最低点的 1 / 1.3。

# %% [markdown] lang="en"
# ## 09.6 Design: a rate from the curve
#
# Write `pick(rates, losses)`: `rates` are a hundred rates of a range test, rising, and `losses` the loss of the single batch at each. They are noisy, one batch happened to be very easy, and after the explosion all may be nan. Return one rate; how is your design, but this must hold:
#
# - at that rate the loss (apart from the noise) is clearly falling: at least four tenths of its whole way down;
# - there is some room below the lowest point: it is at most 1 / 1.3 of it.


# %% answer="09.6"
def pick(rates, losses):
    # BEGIN SOLUTION
    def smooth(i):
        near = [loss for loss in losses[max(0, i - 6) : i + 7] if math.isfinite(loss)]
        return sum(near) / len(near)

    finite = [i for i, loss in enumerate(losses) if math.isfinite(loss)]
    return rates[min(finite, key=smooth)] / 2
    # END SOLUTION


# %% check="09.6" points=3
assert lk.check("09.6", pick)

# %% [markdown] lang="zh"
# 和 `lk.find_lr` 比一比：同一次试探，你的取法和它的建议相差几倍？

# %% [markdown] lang="en"
# Compare with `lk.find_lr`: on the same range test, by what factor do your rate and its suggestion differ?

# %%
config = lk.TrainConfig(max_length=64, device="cpu", precision="fp32")
sweep = lk.find_lr(lk.load("tiny-bert-zh", labels=corpus.labels), corpus.limit(160), lk.HeadOnly(), config)
ratio = pick(sweep.rates, sweep.losses) / sweep.suggestion
print(tr("相差不到十倍：", "within a factor of ten:"), 0.1 < ratio < 10)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 九课到此为止。交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# These were the nine lessons. To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("09")
