# %% [markdown] lang="zh"
# # 练习 15 · 听：许多种语言
#
# 笔记 15 里，剪静音、切窗、画图、加噪声、留出一个人，都是库替你做的。这里六样都自己写：剪掉两头的静音，切成窗，从功率到一张图，按分贝加噪声，每次留出一个说话人，最后设计一个“不认识就不作声”的门槛。都是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约一个小时。

# %% [markdown] lang="en"
# # Exercises 15 · Listening: many languages
#
# In notebook 15 the library cut silence, made windows and pictures, added noise and kept a speaker out for you. Here you write all six: cut the silence at both ends, cut into windows, go from power to a picture, add noise by decibels, leave one speaker out at a time, and in the end design a threshold below which nothing is said. All are functions of a few lines; nothing is trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About an hour.

# %% tags=["setup"]
LANG = "zh"

import math

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 15.1 剪掉静音
#
# 请写 `trim(samples, threshold)`：`samples` 是一列样本，`threshold` 在 0 和 1 之间。绝对值达到“最响的绝对值 × `threshold`”的样本算响（恰好相等也算）。返回从第一个响的样本到最后一个响的样本的那一段，中间的轻声留着。全是 0 的片段原样返回。

# %% [markdown] lang="en"
# ## 15.1 Cut the silence
#
# Write `trim(samples, threshold)`: `samples` is a list of samples, `threshold` lies between 0 and 1. A sample is loud if its absolute value reaches the largest absolute value times `threshold` (to equal it is enough). Return the stretch from the first loud sample to the last; what is soft in between stays. A clip of zeros is returned as it is.


# %% answer="15.1"
def trim(samples, threshold):
    # BEGIN SOLUTION
    top = max(abs(x) for x in samples)
    loud = [i for i, x in enumerate(samples) if abs(x) >= threshold * top]
    return samples[loud[0] : loud[-1] + 1]
    # END SOLUTION


# %% check="15.1" points=2
assert lk.check("15.1", trim)

# %% [markdown] lang="zh"
# ## 15.2 切成窗
#
# 请写 `windows(samples, size, hop)`：返回一列窗，每窗 `size` 个样本，第一窗从 0 开始，下一窗在 `hop` 个样本之后开始。末尾不满一窗的不要。

# %% [markdown] lang="en"
# ## 15.2 Cut into windows
#
# Write `windows(samples, size, hop)`: return a list of windows of `size` samples each; the first begins at 0, each next one `hop` samples later. What is left at the end and is no whole window is left out.


# %% answer="15.2"
def windows(samples, size, hop):
    # BEGIN SOLUTION
    return [samples[i : i + size] for i in range(0, len(samples) - size + 1, hop)]
    # END SOLUTION


# %% check="15.2" points=1
assert lk.check("15.2", windows)

# %% [markdown] lang="zh"
# 一秒 16,000 个样本，窗 400，步 160。**猜**：有多少窗？

# %% [markdown] lang="en"
# One second of 16,000 samples, windows of 400, steps of 160. **Guess**: how many windows?

# %%
print(len(windows(list(range(16_000)), 400, 160)))

# %% [markdown] lang="zh"
# ## 15.3 从功率到图
#
# 请写 `picture(power, filters)`：`power` 是每个窗里每个频率的功率，形状（窗，频率）；`filters` 是每个频率算进每个频带多少，形状（频率，频带）；两个都是张量。三步：合成频带；取分贝（10 × log10，功率先用 1e-10 垫底）；比最响的一点低 80 dB 以上的，抬到恰好低 80 dB。返回（窗，频带）。

# %% [markdown] lang="en"
# ## 15.3 From power to a picture
#
# Write `picture(power, filters)`: `power` is the power of each frequency in each window, (windows, frequencies); `filters` is how much each frequency counts for each band, (frequencies, bands); both are tensors. Three steps: gather the bands; take decibels (10 times log10, with a floor of 1e-10 under the power); lift what is more than 80 dB below the loudest point to 80 dB below it. Return (windows, bands).


# %% answer="15.3"
def picture(power, filters):
    # BEGIN SOLUTION
    decibels = 10 * (power @ filters).clamp(min=1e-10).log10()
    return torch.maximum(decibels, decibels.max() - 80)
    # END SOLUTION


# %% check="15.3" points=2
assert lk.check("15.3", picture)

# %% [markdown] lang="zh"
# ## 15.4 加多响的噪声
#
# 请写 `mix(clip, noise, snr)`：`clip`、`noise` 是一样长的张量，`snr` 是信噪比（分贝）。把噪声缩放到合适的强度，再加到片段上：片段的强度和噪声的强度之比应是 10 的 `snr / 10` 次方。强度是样本平方的平均。

# %% [markdown] lang="en"
# ## 15.4 How loud a noise
#
# Write `mix(clip, noise, snr)`: `clip` and `noise` are tensors of equal length, `snr` is a ratio of signal to noise in decibels. Scale the noise to the right strength and add it to the clip: the clip's strength over the noise's should be 10 to the power of `snr / 10`. Strength is the mean of the squared samples.


# %% answer="15.4"
def mix(clip, noise, snr):
    # BEGIN SOLUTION
    wanted = (clip**2).mean() / 10 ** (snr / 10)
    return clip + noise * torch.sqrt(wanted / (noise**2).mean())
    # END SOLUTION


# %% check="15.4" points=2
assert lk.check("15.4", mix)

# %% [markdown] lang="zh"
# ## 15.5 每次留出一个人
#
# 请写 `folds(speakers)`：`speakers` 是每一行的说话人。返回一列对子，按说话人的名字排序：（别人的行号，这个人的行号），行号从 0 数、从小到大。

# %% [markdown] lang="en"
# ## 15.5 Leave one speaker out
#
# Write `folds(speakers)`: `speakers` holds the speaker of each row. Return a list of pairs in the order of the speakers' names: (the others' rows, this speaker's rows), row numbers from 0 and rising.


# %% answer="15.5"
def folds(speakers):
    # BEGIN SOLUTION
    found = []
    for name in sorted(set(speakers)):
        others = [i for i, speaker in enumerate(speakers) if speaker != name]
        found.append((others, [i for i, speaker in enumerate(speakers) if speaker == name]))
    return found
    # END SOLUTION


# %% check="15.5" points=2
assert lk.check("15.5", folds)

# %% [markdown] lang="zh"
# 拿自带的片段试试。**猜**：训练行分几折，每折留出几段？

# %% [markdown] lang="en"
# Try it on the packaged clips. **Guess**: how many folds do the training rows make, and how many clips does each keep out?

# %%
made = folds([row.extra["speaker"] for row in lk.commands().train])
print(len(made), {len(own) for _, own in made})

# %% [markdown] lang="zh"
# ## 15.6 设计：什么时候不作声
#
# 听关键词的模型有个毛病：说什么它都当作某一个关键词。办法是看它有多大把握：概率不到门槛，就当没听见。请写 `cutoff(known, unknown)`：`known` 是它对一些认识的词给出的最大概率，`unknown` 是对不认识的词的；返回一个门槛，概率**不低于**门槛才算听见。怎样定由你设计，要做到：
#
# - 不认识的词，最多 5 % 被当成关键词；
# - 认识的词尽量都听见：和守住 5 % 时最好的相比，最多少 5 个百分点。

# %% [markdown] lang="en"
# ## 15.6 Design: when to say nothing
#
# A model that listens for keywords has a fault: whatever is said, it takes it for one of them. The remedy is to ask how sure it is, and to say nothing below a threshold. Write `cutoff(known, unknown)`: `known` are its largest probabilities for some words that it knows, `unknown` those for words that it doesn't; return a threshold, and a word counts as heard if its probability is **at or above** it. How is your design, but this must hold:
#
# - of the unknown words at most 5 % are taken for keywords;
# - as many known words as possible are heard: at most 5 points fewer than the best that can be had within those 5 %.


# %% answer="15.6"
def cutoff(known, unknown):
    # BEGIN SOLUTION
    allowed = math.floor(0.05 * len(unknown))
    return sorted(unknown, reverse=True)[allowed] + 1e-9
    # END SOLUTION


# %% check="15.6" points=3
assert lk.check("15.6", cutoff)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("15")
