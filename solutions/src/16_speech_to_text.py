# %% [markdown] lang="zh"
# # 练习 16 · 从声音到另一种语言
#
# 五道小题，把笔记 16 里库替你做的事自己写一遍：把一帧一帧的回答念成字，算一句话至少要几帧，数词错误率，排好解码器的输入和标签，最后写一个测谎仪：模型到底听没听。都是几行的小函数，不用训练。
#
# 做法照旧：把 `raise NotImplementedError` 换成你的代码，运行，再运行下面的 `check`。大约五十分钟。

# %% [markdown] lang="en"
# # Exercises 16 · From sound to another language
#
# Five small tasks in which you write what the library did for you in notebook 16: read a row of frames as letters, say how many frames a text takes at least, count the word error rate, lay out what a decoder reads and learns, and at the end build a lie detector: does the model listen at all? Each is a function of a few lines, and nothing is trained.
#
# It works as before: put your code in place of `raise NotImplementedError`, run the cell, then run the `check` below it. About fifty minutes.

# %% tags=["setup"]
LANG = "zh"

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 16.1 把帧念成字
#
# 一个 CTC 模型每 20 毫秒回答一个数，0 是空白。请写 `collapse(frames)`：相邻的相同回答并成一个，**然后**去掉空白，返回剩下的数。

# %% [markdown] lang="en"
# ## 16.1 From frames to letters
#
# A CTC model answers every 20 milliseconds with a number, and 0 is the blank. Write `collapse(frames)`: join neighbours that are equal, **then** leave out the blanks, and return the numbers that remain.


# %% answer="16.1"
def collapse(frames):
    # BEGIN SOLUTION
    once = [a for a, b in zip(frames, [None, *frames], strict=False) if a != b]
    return [a for a in once if a != 0]
    # END SOLUTION


# %% check="16.1" points=2
assert lk.check("16.1", collapse)

# %% [markdown] lang="zh"
# ## 16.2 一句话至少要几帧
#
# 请写 `frames_needed(text)`：一个 CTC 模型至少要几帧，才写得出这句话？每个字母一帧；两个相邻的相同字母之间，还要一帧空白把它们隔开。

# %% [markdown] lang="en"
# ## 16.2 How many frames a text takes
#
# Write `frames_needed(text)`: how many frames does a CTC model need at least to write this text? One for each letter, and between two equal neighbours a blank more, which keeps them apart.


# %% answer="16.2"
def frames_needed(text):
    # BEGIN SOLUTION
    return len(text) + sum(text[i] == text[i - 1] for i in range(1, len(text)))
    # END SOLUTION


# %% check="16.2" points=1
assert lk.check("16.2", frames_needed)

# %% [markdown] lang="zh"
# 一段 0.41 秒的录音，每 20 毫秒一帧。**猜**：装得下 seven 吗？装得下 twenty seven 吗？

# %% [markdown] lang="en"
# A recording of 0.41 seconds has a frame every 20 milliseconds. **Guess**: is there room for seven? For twenty seven?

# %%
print(int(0.41 / 0.02), frames_needed("seven"), frames_needed("twenty seven"))

# %% [markdown] lang="zh"
# 都装得下，可是富余很少：说得快一倍，后一个就装不下了。labkit 在训练之前就数好，装不下的行会被点名。
#
# ## 16.3 词错误率
#
# 请写 `wer(said, truth)`：两句话按空格拆成词，求把写出的词变成真实的词最少要几次增、删、换，除以真实的词数。`truth` 至少有一个词。

# %% [markdown] lang="en"
# Both fit, with little to spare: said twice as fast, the second does not. labkit counts before it trains, and names the rows that don't fit.
#
# ## 16.3 The word error rate
#
# Write `wer(said, truth)`: split both at white space, find the fewest insertions, deletions and replacements that make the written words the true ones, and divide by the number of true words. `truth` has one word at least.


# %% answer="16.3"
def wer(said, truth):
    # BEGIN SOLUTION
    said, truth = said.split(), truth.split()
    row = list(range(len(truth) + 1))
    for i, one in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, start=1):
            best = min(row[j] + 1, row[j - 1] + 1, before + (one != other))
            before, row[j] = row[j], best
    return row[-1] / len(truth)
    # END SOLUTION


# %% check="16.3" points=3
assert lk.check("16.3", wer)

# %% [markdown] lang="zh"
# ## 16.4 告诉解码器什么
#
# 请写 `teach(start, prompt, ids, end)`：返回两列数，解码器的**输入**和每一处的**标签**。输入是 start、提示（例如“写中文”）、文字；标签是每一处该说的下一个词元，最后一个是 end；提示是告诉它的，不要它学，所以预测提示的那几处写 −100。两列一样长。

# %% [markdown] lang="en"
# ## 16.4 What a decoder is told
#
# Write `teach(start, prompt, ids, end)`: return two lists, the decoder's **input** and the **label** of each place. The input is start, the prompt ("write Chinese", say) and the text; the label of a place is the token that comes next, the last one being end. The prompt is told and not learned, so put −100 where it would be predicted. Both lists have one length.


# %% answer="16.4"
def teach(start, prompt, ids, end):
    # BEGIN SOLUTION
    given = [start, *prompt, *ids]
    labels = [-100] * len(prompt) + [*ids, end]
    return given, labels
    # END SOLUTION


# %% check="16.4" points=2
assert lk.check("16.4", teach)

# %% [markdown] lang="zh"
# ## 16.5 它在听吗
#
# 一个解码器会写通顺的句子，不等于它在听。请写 `follows(write, clips, texts)`：`write(clip)` 是模型写出的文字，`texts` 是每个片段真实的文字。给第 i 句换上第 i + 1 个片段（最后一句换上第一个）。只看新片段的文字和原来的不同的那些句：模型写出**新片段**文字的占几成？

# %% [markdown] lang="en"
# ## 16.5 Does it listen?
#
# That a decoder writes well-formed sentences does not mean that it listens. Write `follows(write, clips, texts)`: `write(clip)` is the text that the model writes, `texts` are the true ones. Give text i the clip i + 1 (and the last text the first clip). Of those whose new clip says something else than the old one: for what share does the model write what the **new clip** says?


# %% answer="16.5"
def follows(write, clips, texts):
    # BEGIN SOLUTION
    moved = list(zip(clips[1:] + clips[:1], texts[1:] + texts[:1], strict=True))
    told = [write(clip) == new for (clip, new), old in zip(moved, texts, strict=True) if new != old]
    return sum(told) / len(told)
    # END SOLUTION


# %% check="16.5" points=2
assert lk.check("16.5", follows)

# %% [markdown] lang="zh"
# ## 你走到哪里了
#
# 交作业时，在新的一格里运行 `lk.report(name="你的名字")`。

# %% [markdown] lang="en"
# ## Where you stand
#
# To hand in, run `lk.report(name="your name")` in a new cell.

# %%
lk.progress("16")
