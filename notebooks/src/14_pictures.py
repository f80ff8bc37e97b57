# %% [markdown] lang="zh"
# # 14 · 图片：只训最后几层？
#
# 很多文章里有这样一句话：“图片分类用 ResNet，冻结前面的层，**只微调最后一层或最后几层**就够了。”这句话对不对？对多少？笔记 02 在文本上问过同样的问题；这一本换成图片，并且多出一个文本里没有的陷阱：批归一化（BatchNorm）。
#
# 网络是自带的 `tiny-resnet`：真正的 ResNet，只是小（0.70 M 参数）。它没有见过一张照片，只在程序画的字母、汉字和简单图形上预训练过。所以这里能看清一件事：从**别的东西**上学来的边缘和笔画，搬到新任务上值多少。
#
# **做完以后，你能够**
#
# 1. 说清一张图片进网络之前变成了什么，为什么均值和标准差跟着模型走；
# 2. 用 50、200、1,000 个标签的实验，回答“只训最后几层够不够”；
# 3. 亲眼看见“冻结”的 BatchNorm 仍在变，说出怎样才算真冻结；
# 4. 说出数据增强值多少，什么时候翻转是错的；
# 5. 按“谁画的”划分数据，说出不这样做会虚高多少；
# 6. 在一份医学小数据上，说出哪些差别其实看不出来。
#
# **怎么读**：做过笔记 01 就够了，02 更好。大约四十分钟。每一格之前有一个问题，先写下答案，再运行。

# %% [markdown] lang="en"
# # 14 · Pictures: only the last layers?
#
# Many articles say it: "for pictures take a ResNet, freeze the lower layers, and **tune only the last layer or the last few**." Is that right, and how far? Notebook 02 asked it of texts. Here it is asked of pictures, and there is a trap that texts do not have: batch normalisation.
#
# The network is the packaged `tiny-resnet`, a real ResNet that is merely small (0.70 M parameters). It has never seen a photograph: it was pretrained on letters, Chinese characters and plain shapes that a program drew. So one thing can be seen clearly here, namely what edges and strokes learned from **something else** are worth on a new task.
#
# **At the end you will be able to**
#
# 1. say what a picture becomes before it enters a network, and why mean and deviation travel with the model;
# 2. answer "are the last layers enough?" from experiments with 50, 200 and 1,000 labels;
# 3. watch a "frozen" batch normalisation move, and say what freezing takes;
# 4. say what augmentation is worth, and when a flip is wrong;
# 5. split data by who drew them, and say how much other splits flatter;
# 6. say of a small medical set which differences cannot be seen at all.
#
# **How to read it.** Notebook 01 is enough, 02 helps. It takes about forty minutes. A question stands before each cell: write your answer down, then run.

# %% tags=["setup"]
LANG = "zh"

import statistics
from dataclasses import replace

import numpy as np
import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 数据是自带的 `doodles`：八样东西，四十个“画手”各画了几遍，每张 48 × 48 个灰度像素。画手是程序扮的，各有各的笔、纸、手抖和习惯。**测试集里的画手，训练集里一个也没有。**

# %% [markdown] lang="en"
# The data are the packaged `doodles`: eight things, each drawn several times by forty "hands", 48 × 48 pixels in grey. A program plays the hands; each has a pen, a paper, a tremble and habits of its own. **No hand of the test rows stands among the training rows.**

# %%
MODEL = "tiny-resnet"
corpus = lk.doodles()
config = lk.TrainConfig(device="cpu", precision="fp32")
expect = lk.expect("14")
shown = [next(e for e in corpus.train if e.target == label) for label in range(8)]
lk.plots.pictures([e.input for e in shown], titles=corpus.labels)

# %% [markdown] lang="zh"
# ## 1 图片进网络之前
#
# > **理论 ①** 一张图片是一块字节：高 × 宽（× 颜色），每个数 0 到 255。网络要的是它预训练时的样子：缩放到同一大小，减均值，除标准差。这几个数写在模型自己的 `preprocessor_config.json` 里，跟着模型走。
#
# 灰度图只有一个通道，网络要三个。看进网络的一批十六张是什么形状。

# %% [markdown] lang="en"
# ## 1 Before a picture enters the network
#
# > **Theory ①** A picture is a block of bytes: height × width (× colours), each from 0 to 255. A network wants what it was pretrained on: one size, the mean taken off, divided by the deviation. Those numbers stand in the model's own `preprocessor_config.json` and travel with it.
#
# A grey picture has one channel, and the network wants three. See what shape a batch of sixteen has.

# %%
model = lk.load(MODEL, task=corpus.task)
picture = corpus.train[0].input
print(picture.shape, picture.dtype)
items = corpus.task.encode(model.processor, corpus.train[:16], 0)
pixels = corpus.task.collate(model.processor, items).inputs["pixel_values"]
print(
    tuple(pixels.shape),
    pixels.dtype,
    tr("最小", "least"),
    f"{pixels.min():.1f}",
    tr("最大", "most"),
    f"{pixels.max():.1f}",
)

# %% [markdown] lang="zh"
# 灰度抄三遍，0 到 255 变成 −1 到 1。均值和标准差拿错了，程序照样跑，成绩悄悄地掉：别人的报告里，同一个模型从 57 分掉到 38 分，只因为换了一组均值。
#
# 网络的块，从下到上：

# %% [markdown] lang="en"
# The grey is copied three times, and 0 to 255 became −1 to 1. With the wrong mean and deviation everything runs, and the score falls quietly: in one public report the same model went from 57 to 38 for nothing but another set of means.
#
# The blocks of the network, from below:

# %%
for block in lk.blocks(model):
    count = sum(model.get_parameter(name).numel() for name in block.parameters)
    print(f"{lk.block_words(block.name)}  {count:,}")

# %% [markdown] lang="zh"
# 参数大多在最上面一层：越往上，图越小，通道越多。记住这个形状：“只训最后一层”说的可能是头（一千多个参数），也可能是最后一段卷积（五十万个）。两者差得远。
#
# ## 2 八十个标签
#
# > **理论 ②** 头只会用冻结的特征现有的样子；最后一段能把特征改一改；全部微调连最下面的边缘也能改。能改的越多，要的数据越多，花的时间也越多。
#
# **猜**：八十张（每类十张），只训头、训最后一段、全部微调，测试准确率各是多少？（图里红的训练，灰蓝的冻着。）

# %% [markdown] lang="en"
# Most parameters are in the topmost layer: higher up, maps get smaller and channels more. Keep that shape in mind: "only the last layer" may mean the head (some thousand parameters) or the last stage of convolutions (half a million). They are far apart.
#
# ## 2 Eighty labels
#
# > **Theory ②** A head can only use the frozen features as they are; the last stage can change them; full fine-tuning changes the lowest edges, too. The more may change, the more data and time it takes.
#
# **Guess**: with eighty pictures, ten a class, what is the test accuracy of the head alone, of the last stage, of everything? (In the drawing, red trains and grey-blue is frozen.)

# %%
lk.guess("14.1", 0.5, 0.8)

# %%
ways = [lk.HeadOnly(), lk.TopK(1), lk.Full()]
lk.plots.network(model, *ways)

# %%
few = corpus.limit(80)
few = replace(few, valid=few.valid[:40])
runs = [lk.Trainer(lk.load(MODEL, task=few.task), few, way, config).fit() for way in ways]
expect("head", runs[0].test_accuracy, guess="14.1")
expect("last", runs[1].test_accuracy)
expect("full", runs[2].test_accuracy)

# %%
pixels_alone = lk.baseline(few)
expect("linear", pixels_alone.test_accuracy)
print(lk.verdict([*runs, pixels_alone], "head", "pixels").word)

# %% [markdown] lang="zh"
# 一条线性基线（像素上的逻辑回归）站在旁边：它没有预训练，只看像素。头建在冻结的 ResNet 上，比它高出一大截，高出的部分就是预训练值的。
#
# 只训头为什么快？冻结的部分对每张图只算一次，存下来，以后每轮只算头。文本的笔记 02 讲过这件事，这里一样。

# %% [markdown] lang="en"
# A linear baseline stands beside it: logistic regression on pixels, without any pretraining. The head on a frozen ResNet is far above it, and what it is above is what pretraining is worth.
#
# Why is the head so quick? What is frozen is computed once for each picture and kept; from then on every epoch computes the head alone. Notebook 02 told it of texts, and it is the same here.

# %% [markdown] lang="zh"
# ## 3 那句话，用真照片问
#
# 八十个标签、一个种子，说不了太多。下面换成真的照片：0 到 9 的手势，218 名学生拍的，测试用的是**别的学生**的手。50、200、1,000 个标签，三个种子，从字形预训练的权重和随机权重各训一遍。照片不在包里，训练的记录在：`lk.runs("14-signs")`，打开看，别只是相信。
#
# **猜**：200 个标签，从预训练出发，只训头比全部微调差几个点？

# %% [markdown] lang="en"
# ## 3 The sentence, asked of real photographs
#
# Eighty labels and one seed say little. So now real photographs: hand signs for 0 to 9, taken by some 218 students, judged on the hands of **other students**. 50, 200 and 1,000 labels, three seeds, from weights that were pretrained on glyphs and from random weights. The photographs do not come with labkit; the records of the runs do, as `lk.runs("14-signs")`: open them, don't just believe them.
#
# **Guess**: with 200 labels, from pretrained weights, by how many points is the head alone behind full fine-tuning?

# %%
lk.guess("14.2", 4, 12)

# %%
signs = lk.runs("14-signs")


def mean(runs, name):
    every = [*runs, *runs.beside]
    return statistics.mean(run.test_accuracy for run in every if run.strategy == name)


for way in ("pixels", "random head", "random full", "glyphs head", "glyphs last stage", "glyphs full"):
    print(f"{way:18}", *(f"{mean(signs, f'{way} {n}'):.3f}" for n in (50, 200, 1000)))

# %%
lk.scored("14.2", 100 * (mean(signs, "glyphs full 200") - mean(signs, "glyphs head 200")))
for n in (50, 200, 1000):
    print(lk.verdict(signs, f"glyphs last stage {n}", f"glyphs head {n}"))
    print(lk.verdict(signs, f"glyphs full {n}", f"glyphs last stage {n}"))

# %% [markdown] lang="zh"
# 横着看，竖着看，说三件事。
#
# **标签少，那句话是对的。** 50 个标签，从字形出发只训头，远远超过从随机权重全部微调：没有预训练，50 张照片什么也教不会；随机权重上只训头更差，冻结的是一堆噪声。
#
# **“最后一层”和“最后几层”不是一回事。** 三种大小上，最后一段都比只训头高出四五个点，区间都不含 0。
#
# **标签多了，那句话就不对了。** 50 个标签时放开全部和只放最后一段分不出高下；200 个时区间刚好碰到 0；到 1,000 个，全部微调更好，从随机权重出发也超过了冻结的头：数据自己就够教会边缘了。

# %% [markdown] lang="en"
# Read across and down, the table says three things.
#
# **With few labels the sentence is right.** With 50 labels the head on glyph features is far above full fine-tuning from random weights: without pretraining, 50 photographs teach next to nothing. A head on random weights is worse still, since what it stands on is frozen noise.
#
# **"The last layer" and "the last few" are not the same.** At all three sizes the last stage is four or five points above the head alone, and no interval holds 0.
#
# **With many labels the sentence is wrong.** With 50 labels it cannot be told whether everything or the last stage should train; with 200 the interval just touches 0; with 1,000 full fine-tuning is better, and even from random weights it is above the frozen head. There the data themselves are enough to teach edges.

# %% [markdown] lang="zh"
# ## 4 BatchNorm 的陷阱
#
# > **理论 ③** BatchNorm 在训练模式下用**这一批**的均值和方差，并顺手更新自己的“滑动统计”。这些统计是缓冲区，不是参数：`requires_grad = False` 管不到它们。真冻结要两样：不给梯度，**并且**切到 eval 模式。
#
# 写一个最常见的循环：参数都冻上，只留头，然后 `model.train()`。**猜**：跑五个批次以后，“冻结”的网络里有几成统计动过？

# %% [markdown] lang="en"
# ## 4 The trap of batch normalisation
#
# > **Theory ③** In training mode batch normalisation uses mean and variance of **this batch**, and updates its running statistics on the way. Those are buffers, not parameters: `requires_grad = False` does not reach them. Freezing takes two things: no gradient, **and** eval mode.
#
# Write the commonest of loops: freeze all parameters but the head's, then `model.train()`. **Guess**: after five batches, what share of the "frozen" network's statistics has moved?

# %%
lk.guess("14.3", 0, 0.5)

# %%
model = lk.HeadOnly().prepare(lk.load(MODEL, task=few.task))
before = {name: t.clone() for name, t in model.named_buffers() if "running" in name}
items = few.task.encode(model.processor, few.train, 0)
model.train()
for start in range(0, 80, 16):
    model(**few.task.collate(model.processor, items[start : start + 16]).inputs)
moved = [name for name, t in model.named_buffers() if name in before and not torch.equal(t, before[name])]
print(len(moved), "/", len(before))
lk.scored("14.3", len(moved) / len(before))

# %% [markdown] lang="zh"
# 全部。五个批次，一个参数也没有动，网络却已经不是原来那个了。它还有第二个毛病：训练模式下，一张图的答案取决于**同一批里还有谁**。

# %% [markdown] lang="en"
# All of them. Five batches, not one parameter has changed, and yet it is no more the network that it was. And there is a second fault: in training mode the answer for a picture depends on **who else is in the batch**.

# %%
first, light, dark = items[:1], items[16:31], items[40:55]
with torch.no_grad():
    one, other = (
        model(**few.task.collate(model.processor, first + mates).inputs).logits[0].softmax(-1)
        for mates in (light, dark)
    )
print(
    tr("同一张图，换一批同伴，答案一样吗：", "the same picture beside others, the same answer: "),
    torch.allclose(one, other),
)

# %% [markdown] lang="zh"
# 那么它害了多少分？同样的头、同样的数据、同样的轮数，一边是这个循环，一边是 labkit（冻结的块在 eval 模式）。

# %% [markdown] lang="en"
# How much does it cost? The same head, data and epochs, once by this loop and once by labkit, where frozen blocks are in eval mode.


# %%
def naive(seed, epochs=20):
    model = lk.HeadOnly().prepare(lk.load(MODEL, task=few.task, seed=seed))
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=8e-3)
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(items)).split(16):
            batch = few.task.collate(model.processor, [items[i] for i in rows])
            few.task.losses(model(**batch.inputs), batch).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    return lk.evaluate(model, few.test).accuracy


# %%
settings = replace(config, epochs=20, lr=8e-3)
proper = [
    lk.Trainer(lk.load(MODEL, task=few.task, seed=seed), few, lk.HeadOnly(), replace(settings, seed=seed)).fit()
    for seed in range(3)
]
expect("proper", statistics.mean(run.test_accuracy for run in proper))
expect("naive", statistics.mean(naive(seed) for seed in range(3)))
print(
    tr("labkit 动过的统计：", "statistics that moved in labkit: "), sum("running" in name for name in proper[0].moved)
)

# %% [markdown] lang="zh"
# 在这些画上差两个多点。害处有大有小，看新数据离预训练的有多远；但“下面没动过”这句话，在这个循环里从来不是真的。于是存下来的模型、存档后接着训、换一批同伴，都会给出别的答案。
#
# labkit 里，冻结的块一律在 eval 模式，缓冲区和参数一起核对：动了不该动的，训练会当场停下。LoRA 也一样：旁边的小矩阵在训练，网络自己的统计不动。

# %% [markdown] lang="en"
# On these drawings it costs more than two points. How much depends on how far the new data are from those of pretraining. But "nothing below has moved" is never true in this loop, and so a saved model, a resumed run or other pictures in the batch all give other answers.
#
# In labkit frozen blocks are always in eval mode, and buffers are checked together with parameters: where something moves that must not, the run stops. It is the same with LoRA: the thin matrices train, and the network's own statistics stay.

# %% [markdown] lang="zh"
# ## 5 数据增强
#
# > **理论 ④** 增强是说出“什么变了，标签不变”：挪一点、转一点、放大一点，还是那样东西。它只在训练时做，每轮抽新的。说错了就是在教错：数字和手势翻转以后是另一个字。
#
# 同一张画，六轮里网络看到的样子：

# %% [markdown] lang="en"
# ## 5 Augmentation
#
# > **Theory ④** Augmentation says "what may change while the label does not": moved, turned or enlarged by a little, it is still the same thing. It is done in training alone, drawn anew in every epoch. What is said wrongly is taught wrongly: a mirrored digit or hand sign is another one.
#
# One drawing, as the network sees it in six epochs:

# %%
varied = corpus.augmented(shift=0.1, rotate=12, scale=0.15, flip=True)
item = items[0]
six = [varied.task.varied(item, np.random.default_rng((0, epoch, 0))) for epoch in range(6)]
lk.plots.pictures(
    [x["pixel_values"].transpose(1, 2, 0) for x in [item, *six]], titles=[tr("原图", "as it is"), *range(1, 7)]
)

# %% [markdown] lang="zh"
# 这里可以翻转：朝左的鱼还是鱼。手势不行，labkit 会拒绝：

# %% [markdown] lang="en"
# A flip is allowed here: a fish that looks to the left is a fish. With hand signs it is not, and labkit refuses:

# %%
digits = replace(corpus, task=replace(corpus.task, labels=tuple("01234567")))
try:
    digits.augmented(flip=True)
except lk.BadInput as refused:
    print(refused)

# %% [markdown] lang="zh"
# **猜**：200 张手势照片，从**随机**权重全部微调，加上挪、转、放大（轮数多一倍），涨几个点？

# %% [markdown] lang="en"
# **Guess**: 200 photographs of hand signs, full fine-tuning from **random** weights, with shifts, turns and scales (and twice the epochs): by how many points does it rise?

# %%
lk.guess("14.4", 3, 12)

# %%
for start in ("random", "glyphs"):
    print(start, f"{mean(signs, f'{start} full 200'):.3f} → {mean(signs, f'{start} full varied 200'):.3f}")
lk.scored("14.4", 100 * (mean(signs, "random full varied 200") - mean(signs, "random full 200")))
print(lk.verdict(signs, "random full varied 200", "random full 200"))
print(lk.verdict(signs, "random full varied 200", "glyphs full 200"))

# %% [markdown] lang="zh"
# 增强把随机权重抬高了一大截，离“预训练、不增强”只剩不多：几条关于世界的常识（“挪一挪还是它”），值得上一次小小的预训练。两样可以一起用，它们补的是同一个缺口，所以加起来没有那么多。
#
# 代价是时间：每轮都是新图，轮数要多；冻结的部分也不能只算一次了，因为没有两轮的图是一样的。

# %% [markdown] lang="en"
# Augmentation lifts random weights by a long way, to not far from "pretrained, without augmentation": a few facts about the world ("moved, it is still the same") are worth a small pretraining. Both may be used together; they fill the same gap, and so they do not add up in full.
#
# The price is time. Every epoch has new pictures and there should be more of them, and what is frozen can no more be computed once, since no two epochs show the same.

# %% [markdown] lang="zh"
# ## 6 谁画的
#
# > **理论 ⑤** 同一只手的两张画，比两只手的更像。随便一分，测试的画手在训练里都见过，分数说的是“认得这些人的画”，不是“认得画”。医院的片子、说话的人、写字的人，都一样：按人分。
#
# 用最简单的办法量一量：测试的每张画，抄训练里**像素最近**的那张的标签。把全部画合起来，一次**随便分**，一次**按手分**，训练的张数一样，各分五次。**猜**：随便分高出几个点？

# %% [markdown] lang="en"
# ## 6 Who drew it
#
# > **Theory ⑤** Two drawings by one hand are more alike than two by different hands. In a careless split, every hand of the test rows is known from training, and the score says "it knows these people's drawings", not "it knows drawings". X-rays of a patient, clips of a speaker, lines of a writer: split by person.
#
# Measure it in the simplest way: each test drawing gets the label of the training drawing whose pixels are **nearest**. Put all drawings together, split them **anyhow** and **by hand**, with as many to train on, five times each. **Guess**: how many points does the careless split flatter?

# %%
lk.guess("14.5", 5, 20)

# %%
everything = [e for rows in corpus.splits.values() for e in rows]
ink = np.stack([e.input for e in everything]).reshape(len(everything), -1) / 255
things = np.array([e.target for e in everything])
hands = np.array([int(e.extra["drawer"][-2:]) for e in everything])


def nearest(seed, by_hand):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(ink))
    if by_hand:
        order = np.argsort(rng.permutation(40)[hands], kind="stable")
    test, train = order[:240], order[240:]
    apart = (ink[test] ** 2).sum(1)[:, None] - 2 * ink[test] @ ink[train].T + (ink[train] ** 2).sum(1)
    return (things[train][apart.argmin(1)] == things[test]).mean()


anyhow, by_hand = ([nearest(seed, how) for seed in range(5)] for how in (False, True))
expect("anyhow", statistics.mean(anyhow))
expect("by_hand", statistics.mean(by_hand))
lk.scored("14.5", 100 * (statistics.mean(anyhow) - statistics.mean(by_hand)))
print(tr("五次里，随便分每次都高：", "higher in each of the five: "), min(anyhow) > max(by_hand))

# %% [markdown] lang="zh"
# 同样的画、同样的办法、同样多的训练行，只换了分法，差出十几个点。差的那部分不是“认得画”，是“认得手”。
#
# `lk.load_data` 见到叫 `signer`、`speaker`、`patient`、`drawer` 的列，会自己按它划分，并在 `corpus.notes` 里说；别的列名写 `groups="列名"`。给定的划分里要是有同一个人站在两边，它也会说。

# %% [markdown] lang="en"
# The same drawings, the same method, as many rows to train on; the split alone makes more than ten points. What is in them is not "it knows drawings" but "it knows hands".
#
# Where `lk.load_data` meets a column called `signer`, `speaker`, `patient` or `drawer`, it splits by it on its own and says so in `corpus.notes`; for another name write `groups="column"`. And where given splits have one person on both sides, it says that, too.

# %% [markdown] lang="zh"
# ## 7 胸片：什么时候看不出差别
#
# 胸片：28 × 28 的灰度图，正常还是肺炎，训练和测试来自不同的批次。字形和胸片，一个要的是笔画，一个要的是一片雾的深浅。**猜**：200 个标签，全部微调，从字形出发和从随机权重出发，三个种子分得出高下吗？（只做实验，不能用于诊断。）

# %% [markdown] lang="en"
# ## 7 X-rays: where no difference can be seen
#
# X-rays of the chest, 28 × 28 pixels in grey, healthy or pneumonia; training and test rows come from different parts of the source. Glyphs are told apart by strokes, X-rays by how dense a haze is. **Guess**: with 200 labels and full fine-tuning, can three seeds tell glyph weights from random ones? (An experiment; nothing here is fit for a diagnosis.)

# %%
lk.guess("14.6", choice="better")

# %%
xray = lk.runs("14-xray")
for way in ("pixels", "random full", "glyphs head", "glyphs full"):
    print(f"{way:12}", *(f"{mean(xray, f'{way} {n}'):.3f}" for n in (20, 200)))
found = lk.verdict(xray, "glyphs full 200", "random full 200")
lk.scored("14.6", found.word)
print(found)
print(lk.verdict(xray, "glyphs head 200", "glyphs head 20"))
print(lk.verdict(xray, "glyphs full 200", "glyphs head 200"))

# %% [markdown] lang="zh"
# 测试只有 168 张，三个种子，区间宽到七八个点：这里多数差别都淹没在里面。用十倍的标签，头没有变好多少；放开全部的层，也看不出好处。同一套办法，在手势上差四十个点，在这里说不清。
#
# 两条教训。预训练值多少，要看新任务用的是不是它学过的东西，别人的数搬不过来。还有：医学小数据上的“提高了两个点”，先问测试有几张、跑了几个种子、病人有没有站在两边。

# %% [markdown] lang="en"
# There are 168 test pictures and three seeds, and intervals of seven or eight points either way: most differences drown in them. With ten times the labels the head is not much better, and letting every layer train shows no gain. The same means that made forty points on hand signs cannot be told from nothing here.
#
# Two lessons. What pretraining is worth depends on whether the new task uses what was learned; other people's numbers do not carry over. And where somebody has "gained two points" on a small medical set, ask first how many test pictures there were, how many seeds, and whether patients stand on both sides.

# %% [markdown] lang="zh"
# ## 8 它看了哪里
#
# 笔记 01 把一句话的答案分给了各个字；图片也一样，分给各个像素（积分梯度，从一张灰图走到这张图）。越亮，越要紧；单独写一行 `found`，还能看见哪里支持（蓝）、哪里反对（红）。换几张看看：它看的是东西，还是角落？

# %% [markdown] lang="en"
# ## 8 Where it looks
#
# Notebook 01 shared an answer out among the characters of a text; of a picture it is shared out among pixels (integrated gradients, on the way from a grey picture to this one). The brighter, the more it matters; `found` on a line of its own also shows what speaks for the answer (blue) and against it (red). Try others: does it look at the thing, or at a corner?

# %%
best = lk.Trainer(lk.load(MODEL, task=few.task), few, lk.TopK(1), config)
best.fit()
(found,) = lk.attribute(best.model, corpus.test[0].input, test=False)
print(tr("说的是", "it says"), found.predicted, tr("；真的是", "; it is"), corpus.labels[corpus.test[0].target])
strength = np.abs(found.scores.reshape(-1, 48, 48).sum(0))
lk.plots.pictures(
    [corpus.test[0].input, np.uint8(255 * np.minimum(strength / np.quantile(strength, 0.99), 1))],
    titles=[tr("原图", "picture"), tr("看了哪里", "where it looks")],
    columns=2,
)

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同事冻结了 ResNet-50 的全部参数，只训头，存下来的模型在另一台机器上分数变了，他发誓没动过下面的权重。动了什么？
#
# <details><summary>展开答案</summary>
#
# BatchNorm 的滑动统计（理论 ③）。它们随 `model.train()` 下的每一批变。要把冻结的块切到 eval 模式。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A colleague froze all parameters of a ResNet-50 and trained the head alone. The saved model scores differently from the one he began with, although he swears that he touched no weight below. What has moved?
#
# <details><summary>Open the answer</summary>
#
# The running statistics of batch normalisation (theory ③). They move with every batch under `model.train()`. Frozen blocks belong in eval mode.
#
# </details>

# %% [markdown] lang="zh"
# **二**　你有 60 张零件照片、两个班次的人各拍一半，要分“好”和“坏”。先试哪种策略？怎样划分？
#
# <details><summary>展开答案</summary>
#
# 先只训头，再试最后一段，旁边放一条像素上的逻辑回归（理论 ②）；拿不准就各跑几个种子，看判断。按拍的人（或按零件）划分，不要让同一个零件的两张照片站在两边（理论 ⑤）。
#
# </details>

# %% [markdown] lang="en"
# **Two.** You have 60 photographs of parts, half of them taken by each of two shifts, to be told into good and bad. Which strategy do you try first, and how do you split?
#
# <details><summary>Open the answer</summary>
#
# The head alone first, then the last stage, with logistic regression on pixels beside them (theory ②); where it is close, some seeds of each and a verdict. Split by who took them (or by part): two photographs of one part must not stand on two sides (theory ⑤).
#
# </details>

# %% [markdown] lang="zh"
# **三**　要认的是“向左转”和“向右转”的路牌。有人说翻转能让数据翻倍。你怎么答？
#
# <details><summary>展开答案</summary>
#
# 翻转会把左变成右，标签却没跟着变：那是在教错（理论 ④）。挪、转几度、放大可以；真要翻，标签也得跟着换。
#
# </details>

# %% [markdown] lang="en"
# **Three.** Road signs are to be told apart, "turn left" and "turn right". Somebody says that flips double the data. What do you answer?
#
# <details><summary>Open the answer</summary>
#
# A flip makes a left of a right, and the label does not follow: that teaches a mistake (theory ④). Shifts, small turns and scales are fine; whoever flips has to change the label, too.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：每类一个文件夹，`lk.load_data("图片/")`，命令行 `labkit train 图片/ --augment shift=0.1,rotate=10`；数组存成 `.npz`，有“是谁的”一列就写 `groups="speaker"` 之类。
# - **真的模型**：`lk.load("microsoft/resnet-50", task=corpus.task)` 或 `google/vit-base-patch16-224`，其余一行不改。
# - **练习 14**：亲手写归一化、真正的冻结、按人划分、挪一挪，最后给三份数据选增强。
# - **笔记 15**：声音。把一段声音画成图，同样的 ResNet 就能听。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: a folder for each class, `lk.load_data("pictures/")`, or on the command line `labkit train pictures/ --augment shift=0.1,rotate=10`; arrays go into an `.npz`, and where a column says whose they are, `groups="speaker"` or the like.
# - **The real thing**: `lk.load("microsoft/resnet-50", task=corpus.task)`, or `google/vit-base-patch16-224`; nothing else changes.
# - **Exercises 14**: write normalisation, true freezing, a split by person and a shift with your own hands, and choose the augmentation of three data sets.
# - **Notebook 15**: sound. Drawn as a picture, a clip can be heard by the same ResNet.
