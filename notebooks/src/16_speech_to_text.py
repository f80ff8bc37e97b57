# %% [markdown] lang="zh"
# # 16 · 从声音到另一种语言
#
# 电话里有人说了一个数，是德语。你不懂德语，却要把它用中文写在纸上。你会怎么学？请来一位懂英语、法语、俄语的速记员，让她听几百个德语的数。她不用从头学怎么听、怎么写，只要学这门语言的声音怎样分段，哪一段对着哪个字。
#
# 这本笔记里的速记员叫 `tiny-speech`：一百万个参数，两兆字节，听过六种语言的数字、日期和短句，会用各自的文字写，也都会写成中文。它从来没有听过德语。声音全是程序（espeak-ng）念的，所以别把这里的数字当成真人的成绩；机制和真家伙（Whisper、wav2vec2）是一样的。
#
# **做完以后，你能够**
#
# 1. 说出“听写”和“翻译”对一个解码器来说差在哪里（只差一个词元）；
# 2. 用手算词错误率、字错误率、完全匹配，知道该看哪个；
# 3. 用手算 CTC：一帧一帧的回答怎样变成字，损失为什么是许多条路的和；
# 4. 看懂对齐图，知道对齐为什么是瓶颈；
# 5. 用几百个片段教会它一门新语言，比较只练编码器、只练解码器和全部都练；
# 6. 量出它忘掉了多少旧语言，并用复习补回来；
# 7. 查一个模型到底听没听。
#
# **怎么读**：做过笔记 01、02 就够了，大约四十分钟。

# %% [markdown] lang="en"
# # 16 · From sound to another language
#
# Somebody says a number on the telephone, in German. You know no German, and are to write it down in Chinese. How would you learn it? Hire a stenographer who knows English, French and Russian, and play her a few hundred German numbers. She need not learn to listen or to write from the beginning: she has to find out how the sounds of this language are cut, and which piece stands for which character.
#
# The stenographer of this notebook is called `tiny-speech`: a million parameters, two megabytes. She has heard numbers, dates and short orders in six languages, writes each in its own letters, and all of them in Chinese. German she has never heard. All voices are a program's (espeak-ng), so don't take the figures for those of real people; the mechanism is that of the real ones (Whisper, wav2vec2).
#
# **At the end you will be able to**
#
# 1. say what separates dictation from translation for a decoder (one token);
# 2. work out word error rate, character error rate and exact match by hand, and choose between them;
# 3. do CTC by hand: how answers to frames become letters, and why the loss is a sum over many ways;
# 4. read an alignment, and say why aligning is the bottleneck;
# 5. teach a new language with some hundred clips, and compare training the encoder, the decoder, and all;
# 6. measure how much of an old language is forgotten, and bring it back by rehearsal;
# 7. find out whether a model listens at all.
#
# **How to read it.** Notebooks 01 and 02 are enough; it takes about forty minutes.

# %% tags=["setup"]
LANG = "zh"

import itertools
import statistics

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 1 听，然后写
#
# > **理论 ①** 一个编码器听，一个解码器写。写哪种语言，是写之前告诉它的一个词元。
#
# 先听一个英语的数。按一下播放；下面的图从下到上是音高，从左到右是时间。

# %% [markdown] lang="en"
# ## 1 Listen, then write
#
# > **Theory ①** An encoder listens, a decoder writes. Which language it writes is a token that it is told before.
#
# First hear an English number. Press play; in the picture below pitch goes up, and time goes to the right.

# %%
MODEL, DEVICE = "tiny-speech", "cpu"
english = lk.phrases(language="en")
clip = english.test[1]
lk.Clip(clip.input)

# %% [markdown] lang="zh"
# 同一个声音，写两次：一次告诉它写英语，一次告诉它写中文。

# %% [markdown] lang="en"
# The same sound, written twice: told to write English, and told to write Chinese.

# %%
model = lk.load(MODEL, task=english.task)
for language in ("en", "zh"):
    print(language, lk.transcribe(model, clip.input, language=language))
print(tr("真实：", "true:"), clip.target)

# %% [markdown] lang="zh"
# 网络没有变，声音没有变，变的只是解码器读到的第一个词元：`<en>` 还是 `<zh>`。所以“识别”和“翻译”不是两种模型，是两种提示。六种语言各听一个：

# %% [markdown] lang="en"
# The network is the same and so is the sound; what changed is the first token that the decoder reads, `<en>` or `<zh>`. "Recognition" and "translation" are not two kinds of model, then, but two prompts. One of each of the six languages:

# %%
for language in ("en", "fr", "es", "nl", "ru", "zh"):
    one = lk.phrases(language=language).test[0]
    own, chinese = (lk.transcribe(model, one.input, language=to) for to in (language, "zh"))
    print(f"{language}  {own:24} {chinese:6} ({one.target})")

# %% [markdown] lang="zh"
# ## 2 错了多少？
#
# > **理论 ②** 完全匹配问“整句对不对”，字错误率问“改几笔”，词错误率问“改几个词”。三个数都从编辑距离来。
#
# 编辑距离：把写出的变成真实的，最少要增、删、换几次。一张小表就能算：

# %% [markdown] lang="en"
# ## 2 How wrong is it?
#
# > **Theory ②** Exact match asks whether the whole is right, the character error rate how many strokes to mend, the word error rate how many words. All come from the edit distance.
#
# The edit distance is the fewest insertions, deletions and replacements that turn what was written into what is true. A small table gives it:


# %%
def edits(said, truth):
    row = list(range(len(truth) + 1))
    for i, one in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


said, truth = "twenty tree", "twenty three"
print(tr("字：", "characters:"), edits(said, truth), "/", len(truth))
print(tr("词：", "words:"), edits(said.split(), truth.split()), "/", len(truth.split()))

# %% [markdown] lang="zh"
# 少写一个 h：字错误率 8 %，词错误率 50 %，完全匹配 0。同一个错，三个数，谁也没有说谎。中文没有空格，labkit 把每个汉字当一个词。看别人的数字，先问是哪一个。
#
# 现在给整个测试集打分。**猜**：六十个英语的数写成中文，整句全对的占几成？

# %% [markdown] lang="en"
# One h is missing: 8 % of the characters, 50 % of the words, exact match 0. One mistake, three figures, and none of them lies. Chinese has no spaces, and labkit takes each character for a word. Before you read somebody's figure, ask which one it is.
#
# Now score the whole test set. **Guess**: of sixty English numbers written in Chinese, what share is right as a whole?

# %%
lk.guess("16.2", 0.8, 1.0)

# %%
expect = lk.expect("16")
scores = lk.evaluate(model, english.test)
expect("english", scores.exact_match, guess="16.2")
expect("cer", scores.cer)

# %% [markdown] lang="zh"
# 这些声音（喉咙的形状）在预训练里一个也没有出现过，三分之一的数也从来没有听过：听过 41 和 56，就会写 46。
#
# ## 3 CTC：一帧一个回答
#
# > **理论 ③** 不要解码器也行：每 20 毫秒回答一个字母，或者回答“没有”（空白）。念的时候先合并重复，再去掉空白。损失是所有念得出真实文字的走法的概率之和。
#
# wav2vec2 就是这样写的。先看念法。空白写成 `_`：

# %% [markdown] lang="en"
# These voices (the shapes of throats) occur nowhere in the pretraining, and a third of the numbers was never heard either: who has heard 41 and 56 can write 46.
#
# ## 3 CTC: an answer for each frame
#
# > **Theory ③** It can be done without a decoder: every 20 milliseconds answer with a letter, or with nothing (the blank). To read it, join repeats first, then drop the blanks. The loss is the summed probability of all ways that read as the true text.
#
# This is how wav2vec2 writes. Reading comes first; the blank is written `_`:


# %%
def collapse(frames):
    once = [a for a, b in zip(frames, [None, *frames], strict=False) if a != b]
    return "".join(a for a in once if a != "_")


print(collapse("hhee_ll_lloo"), collapse("hhee_llllloo"))
wrong_order = "".join(a for a, _ in itertools.groupby("hhee_ll_lloo".replace("_", "")))
print(wrong_order)

# %% [markdown] lang="zh"
# 中间没有空白，两个 l 就成了一个；先去空白再合并，也是一样。所以两个相同的字母之间**必须**有一帧空白，片段太短就写不下。
#
# 再看损失。三帧，字母只有 a，每帧说 a 的概率不同。**写在纸上**：念出来是 “a” 的走法有几条？

# %% [markdown] lang="en"
# Without a blank between them the two l's are one, and so they are if blanks go first. Between two equal letters there **must** be a frame of blank, and a clip may be too short for its text.
#
# Now the loss. Three frames, one letter a, and in each frame its own probability of a. **Write down**: how many ways read as "a"?

# %%
a = [0.2, 0.7, 0.4]
ways = ["".join(way) for way in itertools.product("_a", repeat=3)]
right = [way for way in ways if collapse(way) == "a"]


def probability(way):
    return torch.tensor([p if letter == "a" else 1 - p for p, letter in zip(a, way, strict=True)]).prod().item()


print(len(right), *right, round(sum(map(probability, right)), 4))

# %% [markdown] lang="zh"
# 六条。把它们的概率加起来，取负的对数，就是 CTC 损失。torch 用动态规划，一条一条数不完的时候也算得出；在三帧上，两边应该一样：

# %% [markdown] lang="en"
# Six. Add their probabilities and take minus the logarithm: that is the CTC loss. torch does it by dynamic programming, also where nobody could list the ways; for three frames both should agree:

# %%
shares = torch.tensor([[1 - p, p] for p in a]).log()[:, None]  # (frames, rows, letters); 0 is the blank
by_torch = torch.nn.functional.ctc_loss(shares, torch.tensor([[1]]), [3], [1], reduction="sum")
by_hand = -torch.tensor(sum(map(probability, right))).log()
print(f"{by_torch:.4f} {by_hand:.4f}")

# %% [markdown] lang="zh"
# 这也说明了 CTC 的一个怪现象：开始的很久，它什么也不写。绝大多数帧该是空白，“全说空白”是它学会的第一件事；损失在降，词错误率却一直停在 1。这时候不要急着停，`lk.diagnose` 会点出“全是空白”，并说该查什么：学习率、词表的大小写、采样率、文字是不是比帧还多。
#
# ## 4 对齐是瓶颈
#
# > **理论 ④** 难的不是认声音，是找到哪一段声音对着哪一个字。
#
# 怎样知道一个字是从哪一段听来的？把声音一小段一小段地盖住（十分之一秒），看写出这个字的概率掉多少。下面每一行是一个字，蓝色越深，越离不开那一段；红点是最离不开的一段，底下是波形：

# %% [markdown] lang="en"
# This explains an odd thing about CTC: for a long time it writes nothing. Most frames should be blank, so that to say blank always is the first thing it learns; the loss falls, and the word error rate stays at 1. Don't stop too soon. `lk.diagnose` names it "all blank" and says what to look at: the rate, the vocabulary's case, the sample rate, texts with more letters than there are frames.
#
# ## 4 Aligning is the bottleneck
#
# > **Theory ④** The hard part is not to tell sounds apart but to find which stretch of sound belongs to which character.
#
# How can one tell in which stretch a character is heard? Silence the clip piece by piece, a tenth of a second at a time, and see how much less likely the character becomes. Each row below is a character; the darker, the more it hangs on that stretch, and red dots are where it hangs most. The waveform lies below:

# %%
lk.plots.alignment(lk.alignment(model, clip.input, language="en"))

# %%
lk.plots.alignment(lk.alignment(model, clip.input, language="zh"))

# %% [markdown] lang="zh"
# **读图**：写英语时，颜色大体沿着对角线走：先听到的先写，也有一两个点跑偏。写中文时只有三行，每一行最离不开的只是整个词里的一小处。没有人告诉它哪里是哪里，这条对角线是从“声音，文字”这样的对子里自己长出来的。（很多书上画的是交叉注意力。它省事，可是编码器早已把听到的搬来搬去，小模型的注意力常常哪里都看一点；盖住声音量出来的，才是它真正离不开的。）
#
# 对齐是训练里最慢长出来的东西。短的片段里，可能的对法少，所以预训练先只学数字，学会了再学长句；编码器后面还挂过一个 CTC 头，逼着每一帧早早表态，最后扔掉（记录在模型目录的 `pretraining.json` 里）。早先的一次试验没有这样做，把真人的数字连成一串直接学：单个数字的错误率 0.008，一到三个连起来 0.48。
#
# ## 5 一门新的语言
#
# > **理论 ⑤** 新语言要学的是声音怎样分段；怎么听、怎么写中文，都是现成的。
#
# 德语的个位在十位前面：74 是“四和七十”（vierundsiebzig）。**猜**：没有听过德语的模型，能写对几成？

# %% [markdown] lang="en"
# **Reading it**: in English the colour goes along the diagonal, by and large: what is heard first is written first, though a dot or two stray. In Chinese there are three rows, and each hangs most on one small place of a whole word. Nobody told it what is where; this diagonal grew by itself from pairs of sound and text. (Many books draw cross-attention. It costs less, but the encoder has moved about what it heard by then, and the attention of a small model often looks a little everywhere; what is measured by silencing is what it cannot do without.)
#
# Alignment is what grows most slowly in training. In short clips there are few ways to align, so the pretraining began with numbers alone and took longer phrases when these were learned; and a CTC head behind the encoder, which made every frame take a stand early, was thrown away at the end (`pretraining.json` in the model's folder keeps the record). An early probe did without, on digits of real speakers: the error rate was 0.008 for single ones, and 0.48 for runs of one to three.
#
# ## 5 A new language
#
# > **Theory ⑤** What there is to learn of a new language is how its sounds are cut; listening, and writing Chinese, are there already.
#
# In German the ones come before the tens: 74 is "four and seventy", vierundsiebzig. **Guess**: what share does a model get right that never heard German?

# %%
german = lk.phrases(language="de")
lk.guess("16.5", 0.0, 0.2)

# %%
before = lk.evaluate(model, german.test).exact_match
expect("before", before, guess="16.5")
lk.Clip(german.test[2].input)

# %% [markdown] lang="zh"
# 现在教它。这里只用 120 个片段、八轮，几秒钟。听过的数和从来没有听过的数分开打分。

# %% [markdown] lang="en"
# Now teach it. Here it gets 120 clips and eight epochs, some seconds. Numbers that were heard and numbers that never were are scored apart.


# %%
def shares_right(model, rows):
    return [
        lk.evaluate(model, [e for e in rows if e.extra["number"] == kind]).exact_match for kind in ("heard", "never")
    ]


few = german.limit(120)
config = lk.TrainConfig(epochs=8, device=DEVICE, precision="fp32")
run = lk.Trainer(model, few, lk.Full(), config).fit()
heard, never = shares_right(model, german.test)
expect("heard", heard)
expect("never", never)

# %% [markdown] lang="zh"
# 几秒钟，一百二十个片段。真正的实验（360 个片段，十二轮）一节课练不完，随 labkit 附带，打开看：

# %% [markdown] lang="en"
# A few seconds and a hundred and twenty clips. The real experiment (360 clips, twelve epochs) is longer than a lesson; its runs come with labkit. Open them:

# %%
runs = lk.runs("16-german")
names = list(dict.fromkeys(r.strategy for r in runs))
for name in names:
    mine = [r.measures for r in runs if r.strategy == name]
    heard, never, english_after = (statistics.fmean(m[k] for m in mine) for k in ("heard", "never", "english"))
    print(f"{name:10} {heard:.3f} {never:.3f} {english_after:.3f}")

# %% [markdown] lang="zh"
# 三列是：听过的数，没听过的数，之后的英语（下一节再看）。`encoder` 只练编码器，`decoder` 只练解码器，`random` 是同样的网络、随机的起点、同样的时间。要下判断，看成对的区间（每一行后面写着几个种子；只有一个种子的，区间只来自测试行）：

# %% [markdown] lang="en"
# The three columns: numbers that were heard, numbers that never were, and English afterwards (for the next section). `encoder` trains the encoder alone, `decoder` the decoder alone, `random` is the same network from random weights in the same time. To judge, take paired intervals (each line says of how many seeds; where there is one alone, the interval comes from the test rows):

# %%
for other in names[1:]:
    print(lk.verdict(runs, "full", other))

# %% [markdown] lang="zh"
# 不过，在下结论之前，让最笨的办法也上场：找训练里听起来最像的那个片段，抄它的文字。

# %% [markdown] lang="en"
# But before you conclude, let the plainest way compete: find the training clip that sounds most alike, and copy its text.

# %%
nearest = german.task.baselines(german.train)["nearest"]()
answers = nearest.answer([e.input for e in german.test])
for kind in ("heard", "never"):
    rows = [(a, e.target) for a, e in zip(answers, german.test, strict=True) if e.extra["number"] == kind]
    print(kind, round(statistics.fmean(a == t for a, t in rows), 2))

# %% [markdown] lang="zh"
# 抄最像的，听过的数能对八成：程序念的声音彼此太像了。没听过的数它一个也写不出，永远写不出：抄的人只会抄。**会拼**的模型才写得出没听过的数。所以这里能证明“学会了”的是第二列，不是第一列。
#
# ## 6 它在听吗？
#
# > **理论 ⑥** 会写通顺的句子，不等于在听。换一段声音，回答必须跟着变。
#
# 一个解码器可以只靠“一般会说什么”把损失降下去。查法很简单：给每一句换上别的片段，看它写出的是旧的内容、新的内容，还是一成不变。

# %% [markdown] lang="en"
# Copying the most similar gets eight in ten of the heard numbers right: a program's voices are much alike. Of the numbers that were never heard it writes none and never will, for a copier can only copy. Only a model that **composes** writes them. What shows that something was learned here is the second column, not the first.
#
# ## 6 Does it listen?
#
# > **Theory ⑥** Well-formed sentences are no proof of listening. Exchange the sound, and the answer must follow.
#
# A decoder may bring its loss down by knowing what is usually said. The test is simple: give every text another clip, and see whether it writes the old content, the new one, or always the same.

# %%
swapped = lk.swap_audio(model, german.test)
expect("follows", swapped.follows)

# %% [markdown] lang="zh"
# 换了声音，写的就是新声音的内容，八成上下，正好是它的准确率：错的那些是听错了，不是没有听。每训一个语音模型，都该跑一遍这一行，尤其是数据少、句子又千篇一律的时候。
#
# ## 7 忘了多少，怎么补
#
# > **理论 ⑦** 文本模型微调以后忘得慢；这里几秒钟就忘掉三成上下。补救是边学边复习。
#
# 刚才那几秒钟里，德语学会了。**猜**：同一个模型，现在还能写对几成英语的数？（开头你量过它原来的成绩。）

# %% [markdown] lang="en"
# With another sound it writes what that one says, in some eight cases of ten, which is its accuracy: the rest is heard wrongly, and not unheard. Run this line on every speech model that you train, most of all where data are few and sentences all alike.
#
# ## 7 How much is forgotten, and how to mend it
#
# > **Theory ⑦** Models of text forget slowly when fine-tuned; here some three tenths are gone in seconds. The remedy is to rehearse while learning.
#
# In those few seconds German was learned. **Guess**: what share of the English numbers does the same model still write? (You measured it at the beginning.)

# %%
lk.guess("16.7", 0.4, 0.9)

# %%
after = lk.evaluate(model, english.test).exact_match
expect("after", after, guess="16.7")

# %% [markdown] lang="zh"
# 为什么掉这么多？同一个解码器、同一个 `<zh>`，它找不到任何理由保留英语的声音：在德语的片段里，个位总在前面，“先听到的是个位”就成了规矩。
#
# 复习：每一步另取八个英语片段，把它们的损失加进来（`lk.Rehearsal(english.train)`，只要九十个片段）。附带的训练里那一行叫 `rehearsal`：

# %% [markdown] lang="en"
# Why so much? The decoder is the same, the `<zh>` is the same, and it finds no reason to keep the sounds of English: in German clips the ones come first, and "what is heard first are the ones" becomes the rule.
#
# Rehearsal: at each step take eight English clips besides, and add their loss (`lk.Rehearsal(english.train)`; ninety clips are enough). In the runs that came with labkit it is called `rehearsal`:

# %%
for name in ("full", "rehearsal"):
    mine = [r.measures for r in runs if r.strategy == name]
    print(
        name,
        *(
            f"{k} {min(m[k] for m in mine):.2f}–{max(m[k] for m in mine):.2f}"
            for k in ("english", "heard", "cpu_seconds")
        ),
    )

# %% [markdown] lang="zh"
# 英语几乎全回来了；德语有没有因此少学一点，请自己比这两行。代价是多花的时间：每一步多算一批。没有旧数据怎么办？那就冻住多一些：回到第 5 节的表，看 `encoder`、`decoder` 两行的第三列，只练一半，忘的是不是也少？自己读数。
#
# **动手**：自己跑一次复习（大约半分钟）：
#
# ```python
# fresh = lk.load(MODEL, task=german.task)
# lk.Trainer(fresh, german, lk.Full(), lk.TrainConfig(epochs=12), retain=lk.Rehearsal(english.train)).fit()
# ```
#
# 用自己的录音也行：一个 CSV，两列 `audio`（路径）和 `text`，`lk.load_csv("我的片段.csv")`；命令行是 `labkit train 我的片段.csv`，然后 `labkit predict 目录 一段.wav`。
#
# ## 8 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 识别和翻译差一个词元 | 同一段声音，`<en>` 和 `<zh>`（1） |
# | ② | 三个错误率，一个编辑距离 | 少一个 h：8 %，50 %，0（2） |
# | ③ | CTC 是许多条路的和 | 六条路，手算和 torch 一样（3） |
# | ④ | 对齐是瓶颈 | 自己长出来的对角线（4） |
# | ⑤ | 新语言只差“怎样分段” | 几秒钟；没听过的数也会写（5） |
# | ⑥ | 换了声音，回答要跟着变 | `swap_audio`（6） |
# | ⑦ | 忘得快，复习补得回 | 英语跌下去，又回来（7） |
#
# 没有告诉你的：这里全是程序念的、录得干干净净的数字和短句。真人、噪声、没听过的词，这个模型都不行；换成 Whisper，做法一样。

# %% [markdown] lang="en"
# Nearly all of English is back; whether a little German was lost for it, compare in the two lines. The price is time, since every step computes another batch. And without the old data? Then freeze more: go back to the table of section 5 and read off the third column of `encoder` and `decoder`. Does half of the network forget less?
#
# **Try it**: run the rehearsal yourself (about half a minute):
#
# ```python
# fresh = lk.load(MODEL, task=german.task)
# lk.Trainer(fresh, german, lk.Full(), lk.TrainConfig(epochs=12), retain=lk.Rehearsal(english.train)).fit()
# ```
#
# Your own recordings will do as well: a CSV with two columns, `audio` (paths) and `text`, and `lk.load_csv("my_clips.csv")`; on the command line `labkit train my_clips.csv`, then `labkit predict FOLDER one.wav`.
#
# ## 8 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | recognition and translation are a token apart | one sound, `<en>` and `<zh>` (1) |
# | ② | three error rates, one edit distance | an h too few: 8 %, 50 %, 0 (2) |
# | ③ | CTC is a sum over many ways | six ways, by hand and by torch (3) |
# | ④ | aligning is the bottleneck | a diagonal that grew by itself (4) |
# | ⑤ | of a new language only the cutting is new | seconds; numbers never heard are written too (5) |
# | ⑥ | another sound, another answer | `swap_audio` (6) |
# | ⑦ | forgotten quickly, brought back by rehearsal | English falls, and returns (7) |
#
# What this did not tell: all of it is a program's speech, numbers and short phrases without any noise. Real people, noise, words that it never heard are beyond this model; with Whisper the way to work is the same.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　词错误率 1.3，可能吗？
#
# <details><summary>展开答案</summary>
#
# 可能。分母是真实的词数，多写的词也算错：真实一个词，写了三个，全错，就是 3。所以它是“率”，不是比例；labkit 的区间也不用 Wilson，而用重抽的行。
#
# </details>

# %% [markdown] lang="zh"
# **二**　8 千赫的录音直接当 16 千赫喂给模型，会报错吗？
#
# <details><summary>展开答案</summary>
#
# 不会，这才可怕：声音快了一倍、高了八度，模型照样写，写的全是错的。labkit 读文件时看文件头，换算到模型的采样率；给数组时要连采样率一起给，`(samples, rate)`。
#
# </details>

# %% [markdown] lang="zh"
# **三**　同事说：“测试集上完全匹配 0.83，比随机起点强多了。”你先问什么？
#
# <details><summary>展开答案</summary>
#
# 问：抄最像的那个片段能得多少？测试的句子在训练里出现过几成？第 5 节里，抄就有八成。再问没出现过的句子，再跑一遍 `swap_audio`。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** Can a word error rate be 1.3?
#
# <details><summary>Open the answer</summary>
#
# Yes. It is divided by the number of true words, and words too many are errors as well: one true word, three written, all wrong, makes 3. It is a rate and no share, which is why its interval is not Wilson's but comes from drawn rows.
#
# </details>

# %% [markdown] lang="en"
# **Two.** A recording of 8 kHz is given to a model as if it were 16 kHz. Is there an error?
#
# <details><summary>Open the answer</summary>
#
# No, and that is what makes it bad: the sound is twice as fast and an octave higher, the model writes on, and all of it is wrong. labkit reads the rate from the file's header and converts; with an array give the rate along, `(samples, rate)`.
#
# </details>

# %% [markdown] lang="en"
# **Three.** A colleague says: "Exact match 0.83 on the test set, far above random weights." What do you ask first?
#
# <details><summary>Open the answer</summary>
#
# How much does copying the most similar clip get? And what share of the test sentences stands in the training rows? In section 5 copying alone got eight in ten. Then ask for sentences that were not there, and run `swap_audio`.
#
# </details>
