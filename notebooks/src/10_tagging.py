# %% [markdown] lang="zh"
# # 10 · 给每个字一个标签
#
# 前面九本笔记里，一段文字只有一个答案：好评，还是差评。可是有人拿来一摞公文，要的是另一样东西：里面提到了**哪些人、哪些地方、哪些单位**？答案不再是一个词，而是几段文字，各有各的开头和结尾。
#
# 这叫命名实体识别。办法出奇地朴素：给**每个字**一个标签。难处全在细节里：边界差一个字就算错，一个词被分成几块怎么办，标签拼不成一个名字怎么办。这些细节做错一个，成绩就少十个百分点，而且没有一处会报错。
#
# **做完以后，你能够**
#
# 1. 说清为什么“标对了八成的字”什么也不说明，实体 F1 怎么算；
# 2. 亲手把实体写成 BIO 标签，再写回来；
# 3. 说出“首块标签”防的是什么错；
# 4. 量出合法解码值多少；
# 5. 把错误分成四种，从中看出一个模型的脾气；
# 6. 说清头为什么学不会，小小的 CRF 什么时候赢，多标一些数据能买到什么。
#
# **怎么读**：做过笔记 01 就够了，08 更好。大约 25 分钟。每一格之前有一个问题，先写下答案，再运行。

# %% [markdown] lang="en"
# # 10 · One label for each word
#
# In nine notebooks a text had one answer: good or bad. Now somebody brings a pile of documents and wants another thing: **which persons, places and organisations** are in there? The answer is no longer a word but some stretches of the text, each with a beginning and an end.
#
# This is named-entity recognition, and the method is surprisingly plain: give **each character** a label. All the difficulty is in the details. An edge that is off by one is wrong; a word may come in several pieces; labels may not add up to a name. Get one of them wrong, and the score is ten points lower without a single error message.
#
# **At the end you will be able to**
#
# 1. say why "eight tenths of the characters are right" tells nothing, and how entity F1 is counted;
# 2. write entities as BIO tags by hand, and read them back;
# 3. tell which mistake first-piece labels prevent;
# 4. measure what legal decoding is worth;
# 5. sort errors into four kinds, and read a model's temper from them;
# 6. say why a head alone does not learn this, when a small CRF wins, and what more labels buy.
#
# **How to read it.** Notebook 01 is enough, 08 helps. It takes about 25 minutes. A question stands before each cell: write your answer down, then run. The texts are Chinese; their meaning in English stands beside them, with each name given by its type.

# %% tags=["setup"]
LANG = "zh"

import csv
import itertools
import statistics
from dataclasses import replace

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 数据是自带的 `names`：1,200 句短话，四种实体：人（PER）、地方（LOC）、单位（ORG）、产品（PROD）。句子是写好的句式填出来的，名字是拼出来的。有一条规矩要记住：**测试集里的名字，训练集里一个也没有**；测试句里七成连句式也是新的。

# %% [markdown] lang="en"
# The data are the packaged `names`: 1,200 short sentences with four types of entities, persons (PER), places (LOC), organisations (ORG) and products (PROD). The sentences were filled from patterns, the names put together from parts. One rule is to be kept in mind: **no name of the test rows stands among the training rows**, and seven of ten test sentences have a pattern that is new as well.

# %%
MODEL, DEVICE = lk.equipment()
corpus = lk.names()
task = corpus.task
config = lk.TrainConfig(max_length=64, device=DEVICE, precision="fp32")
corpus

# %%
expect = lk.expect("10")

# %% [markdown] lang="zh"
# ## 1 标对了多少字，不算数
#
# > **理论 ①** 实体的成绩按实体算：两个边界和类型全对才算对一个。F1 = 2 × 对的 ÷（真有的 + 说出的）。
#
# 先算两个数。**猜**：测试集的字里，有几成不属于任何实体？一个什么也不标的“模型”，按字算对几成，按实体算得几分？

# %% [markdown] lang="en"
# ## 1 How many characters are right does not count
#
# > **Theory ①** The score of entities is counted in entities: one is right where both edges and the type are. F1 = 2 × right ÷ (true + said).
#
# Two numbers first. **Guess**: what share of the test characters belongs to no entity? How many characters does a "model" that tags nothing get right, and what is its score in entities?

# %%
lk.guess("10.1", 0.5, 0.7)

# %%
truth = [task.truth(example) for example in corpus.test]
letters = sum(len(example.input) for example in corpus.test)
inside = sum(end - begin for spans in truth for begin, end, label in spans)
expect("outside", 1 - inside / letters, guess="10.1")
expect("nothing", task.score([[] for _ in truth], truth).entity_f1)

# %% [markdown] lang="zh"
# 什么也不做，三分之二的字就“对”了。所以没有人按字打分。按实体打分则很苛刻：把“云山市第二医院”说成“云山市”，一个字也没有说错，一个实体也没有对：说出的那个不对，真有的那个没找到，两头扣分。

# %% [markdown] lang="en"
# Do nothing, and two thirds of the characters are "right". That is why nobody scores by characters. Scoring by entities is strict: who says 云山市 ("Yunshan city") for 云山市第二医院 ("second hospital of Yunshan city") has said no wrong character and has no entity right. What was said is wrong, what is there was not found, and it costs twice.

# %% [markdown] lang="zh"
# ## 2 BIO：从实体到标签，再回来
#
# > **理论 ②** B- 是实体的第一个字，I- 是接下去的字，O 是外面。没有 B-，两个挨着的名字就粘在一起。
#
# 亲手写一遍。**猜**：“王敏李芳来了”里有两个人，如果只有 I-PER 和 O 两种标签，读回来会是几个人？

# %% [markdown] lang="en"
# ## 2 BIO: from entities to tags, and back
#
# > **Theory ②** B- is the first character of an entity, I- those that go on with it, O is outside. Without B-, two names side by side would stick together.
#
# Write it by hand. **Guess**: 王敏李芳来了 ("Wang Min and Li Fang have come") holds two persons. With I-PER and O as the only tags, how many would come back?


# %%
def bio(text, spans):
    tags = ["O"] * len(text)
    for begin, end, label in spans:
        tags[begin:end] = [f"B-{label}"] + [f"I-{label}"] * (end - begin - 1)
    return tags


def entities(tags, pieces):
    found, before = [], "O"
    for tag, (begin, end) in zip(tags, pieces, strict=True):
        if tag[0] == "I" and before[2:] == tag[2:]:
            found[-1] = (found[-1][0], end, tag[2:])
        elif tag != "O":
            found.append((begin, end, tag[2:]))
        before = tag
    return found


# %%
lk.guess("10.2", 1, 2)

# %%
text, spans = "王敏李芳来了", [(0, 2, "PER"), (2, 4, "PER")]
each = [(i, i + 1) for i in range(len(text))]
tags = bio(text, spans)
print(*tags)
print(entities(tags, each))
merged = entities([tag.replace("B-", "I-") for tag in tags], each)
print(merged)
lk.scored("10.2", len(merged))

# %% [markdown] lang="zh"
# 只有 I-，两个人成了一个四个字的人。留意 `entities` 里的一条宽容：I- 前面没有同类的实体时，它自己开一个头。不同的打分程序在这里不一样，同一份答案能差出好几分；比较成绩之前，先问对方用的是哪一条。
#
# ### 首块标签
#
# > **理论 ③** 标签属于词，不属于词元。一个词分成几块时，只给第一块标签；给每一块都标 B-，一个名字就变成好几个。
#
# 中文多半一字一个词元，字母和数字却会分成几块。**猜**：“星舟X3坏了”，X3 会分成几块？（再想一想：每块都标 B- 的话，“星舟X3”会读成几个实体？）

# %% [markdown] lang="en"
# With I- alone the two became one person of four characters. Note the leniency in `entities`: an I- with no entity of its type before it begins one. Scoring programs differ here, and the same answers may differ by points; before you compare scores, ask which rule was used.
#
# ### First-piece labels
#
# > **Theory ③** A label belongs to a word, not to a token. Where a word comes in several pieces, the first alone is labelled; B- on each of them makes several names of one.
#
# In Chinese a token is mostly one character, but letters and digits come in pieces. **Guess**: into how many pieces does X3 go in 星舟X3坏了 ("the Xingzhou X3 is broken")? (And think: if each had a B-, how many entities would 星舟X3 be read as?)

# %%
lk.guess("10.2b", 1, 1.5)

# %%
fresh = lk.load(MODEL, task=task)
example = lk.Example("星舟X3坏了", ((0, 4, "PROD"),))
(item,) = task.encode(fresh.processor, [example], 64)
tokens = fresh.processor.convert_ids_to_tokens(item["input_ids"])
for token, target in zip(tokens, item["target"], strict=True):
    print(f"{token:6}", task.outputs[target] if target >= 0 else "·")
lk.scored("10.2b", len(fresh.processor.tokenize("X3")))

# %% [markdown] lang="zh"
# 点是“这里不问”：特殊符号，还有 X 后面的 ##3。`星舟X3` 四个字三个词：B、I、I。要是给 ##3 也写上标签，照抄前一块的就成了两个开头或多出来的一截；这是网上的代码里最常见的一个错。
#
# 反过来也有一种损失：如果标注的人只圈了“星舟X”，边界就落在一个词的**中间**，标签无论如何说不出来。labkit 不会悄悄把边界挪一挪，它数出有几个，告诉你 F1 最高还能是多少。

# %% [markdown] lang="en"
# A dot means "not asked": special tokens, and ##3 behind the X. 星舟X3 has four characters and three words: B, I, I. If ##3 had a label too, copied from the piece before it, there would be beginnings too many; it is the commonest mistake in the code that one finds on the net.
#
# There is a loss the other way round: had the annotator marked 星舟X alone, the edge would lie **inside** a word, and no tag could say so. labkit does not quietly move the edge. It counts such entities and tells you how high F1 can still go.

# %% [markdown] lang="zh"
# ## 3 两个便宜的对手
#
# > **理论 ④** 先立一个便宜的对手。记住名字的词典，和只看左右两个字的 CRF，都不用预训练。
#
# 词典：训练集里的名字，到哪里都算名字。CRF（条件随机场）：给“这个字、左右各两个字”配上权重，再给“哪个标签接哪个标签”配上权重，两三秒拟合完。**猜**：在全是新名字的测试集上，它们各得几分？

# %% [markdown] lang="en"
# ## 3 Two cheap opponents
#
# > **Theory ④** Put up a cheap opponent first. A dictionary that remembers names, and a CRF that sees two characters to each side, need no pretraining.
#
# The dictionary: what is a name in the training rows is one everywhere. The CRF (conditional random field): weights for a character with its two neighbours to each side, and weights for which tag follows which, fitted in two or three seconds. **Guess**: what does each score on test rows whose names are all new?

# %%
lk.guess("10.3", 0.1, 0.4)

# %%
book, crf = (lk.baseline(corpus, name) for name in ("dictionary", "crf"))
expect("dictionary", book.test_entity_f1)
expect("crf", crf.test_entity_f1, guess="10.3")

# %% [markdown] lang="zh"
# 词典得零分，一个也没有：这正是这份数据的用意，背书在这里没有用。CRF 靠的是名字**周围**的字和名字**里面**的规律（“市”“医院”“牌”，还有姓），对没见过的名字也有用。

# %% [markdown] lang="en"
# The dictionary gets nothing, not a single one: that is what this data set is for, learning by heart is of no use here. The CRF goes by the characters **around** a name and by what is regular **inside** it (市 "city", 医院 "hospital", 牌 "brand", and surnames), and that works for names it has never seen.

# %% [markdown] lang="zh"
# ## 4 头学不会，全量微调学得会
#
# > **理论 ⑤** 一个实体是几个标签的合谋。头只能把每个位置已有的信息读出来；“这里是不是名字的第二个字”，预训练并没有写在那里。
#
# 笔记 02 里，只训练头能拿到全量微调的大半成绩。**猜**：这里呢？（图里红的训练，灰蓝的冻着；头对每个词元都答。）

# %% [markdown] lang="en"
# ## 4 The head does not learn it; full fine-tuning does
#
# > **Theory ⑤** An entity is a conspiracy of several tags. A head can only read out what each position holds already, and "is this the second character of a name?" is nothing that pretraining wrote there.
#
# In notebook 02 the head alone got most of what full fine-tuning got. **Guess**: and here? (In the drawing, red trains and grey-blue is frozen; the head answers for each token.)


# %%
lk.guess("10.4", 0.3, 0.5)


# %%
def train(strategy, rows=corpus, lr=None):
    model = lk.load(MODEL, task=task)
    trainer = lk.Trainer(model, rows, strategy, replace(config, epochs=3, lr=lr))
    return trainer, trainer.fit()


# %%
lk.plots.network(lk.load(MODEL, task=task), lk.HeadOnly(), lk.Full())

# %%
_, head = train(lk.HeadOnly())
trainer, full = train(lk.Full(), lr=5e-4)
expect("head", head.test_entity_f1, guess="10.4")
expect("full", full.test_entity_f1)

# %% [markdown] lang="zh"
# 头拿到的不到全量微调的三分之一。分类的时候，一句话里有一个“难吃”就够了，头读得出来；这里要的是每个字在名字里的**位置**，得让下面各层自己去学。遇到每个词元一个答案的任务，别从“只训练头”开始。
#
# 课上只练三轮，学习率也是分类用的那个。不写轮数和学习率，labkit 给标注任务加倍的学习率，行数少时多练几轮：这里是六轮。

# %% [markdown] lang="en"
# The head gets less than a third of what full fine-tuning gets. For a classification one 难吃 ("tastes bad") in a sentence is enough, and a head can read it out. Here it takes the **place** of each character in a name, and the layers below have to learn that. With one answer a token, don't begin with the head alone.
#
# In class we train three epochs, at the rate of a classification. Where you name neither, labkit gives tags twice that rate, and more epochs where rows are few: six of them here.

# %% [markdown] lang="zh"
# ## 5 四种错，两种脾气
#
# > **理论 ⑥** 错有四种：漏掉的、凭空的、边界错的、类型错的。同样的 F1，可以是完全不同的模型。
#
# CRF 和全量微调的 F1 相差不远。**猜**：它们错在同样的地方吗？谁漏得多，谁说得多？

# %% [markdown] lang="en"
# ## 5 Four kinds of error, two tempers
#
# > **Theory ⑥** There are four kinds of error: missed, invented, wrong edge, wrong type. With the same F1, two models may be quite different.
#
# The F1 of the CRF and that of full fine-tuning are not far apart. **Guess**: are they wrong in the same places? Which one misses more, which one says more?

# %%
lk.guess("10.5", choice="full")

# %%
kinds = {
    "missed": tr("漏掉", "missed"),
    "invented": tr("凭空", "invented"),
    "wrong_edge": tr("边界错", "wrong edge"),
    "wrong_type": tr("类型错", "wrong type"),
}
fig, axes = lk.plots.figure(6.4, 3.2)
for shift, name, run in ((-0.2, "CRF", crf), (0.2, tr("全量微调", "full"), full)):
    axes.bar([i + shift for i in range(4)], [getattr(run.test, kind) for kind in kinds], 0.38, label=name)
axes.set_xticks(range(4), list(kinds.values()))
axes.set(title=tr("四种错误", "Four kinds of error"), ylabel=tr("每个真实体", "for each true entity"))
axes.legend()
fig

# %%
expect("missed", crf.test.missed)
expect("edges", full.test.wrong_edge)
lk.scored("10.5", "crf" if crf.test.missed > full.test.missed else "full")

# %% [markdown] lang="zh"
# **读图**：CRF 谨慎，六成的实体它没看见，可是说出来的多半是对的。全量微调相反：几乎都看见了，毛病在边界，它常常知道“这里有个单位”，却少圈了一截。脾气不同，治法就不同：漏得多，要更多样的例子；边界错，要看边界附近的字，或者更大的模型。只看 F1，这些全看不见。

# %% [markdown] lang="en"
# **Reading it**: the CRF is cautious. Six tenths of the entities it does not see, but most of what it says is right. Full fine-tuning is the opposite: it sees nearly all of them, and the trouble is at the edges, where it often knows "here is an organisation" and marks too little of it. Different tempers want different cures: for misses, more varied examples; for edges, a look at the characters around them, or a larger model. F1 alone shows none of this.

# %% [markdown] lang="zh"
# ## 6 合法解码值多少
#
# > **理论 ⑦** 标签要一起选：I-PER 不能接在 O 后面。在所有合法的序列里挑总分最高的一条（Viterbi），不用重新训练。
#
# 模型给每个字的每种标签一个概率。一个办法是各取各的最大；另一个是挑**合法**的整条里概率之积最大的。同一个模型，同样的概率。**猜**：有几成句子，各取各的会拼不成名字？换成合法的一条，F1 多几分？

# %% [markdown] lang="en"
# ## 6 What legal decoding is worth
#
# > **Theory ⑦** Tags are chosen together: I-PER cannot follow O. Among all legal sequences take the one with the highest total (Viterbi); nothing has to be trained again.
#
# The model gives each character a probability of each tag. One way is to take the likeliest for each by itself; the other, to take the **legal** sequence whose probabilities have the largest product. Same model, same probabilities. **Guess**: in what share of the sentences do the likeliest tags make no names? How much F1 does the legal sequence add?

# %%
lk.guess("10.6", 0.1, 0.4)

# %%
items = trainer.batches.items["test"]
_, scores = trainer.network.answers(trainer.batches.processor, items)  # log-probabilities: (pieces, tags) each
likeliest = [[task.outputs[i] for i in one.argmax(-1)] for one in scores]


def legal(tags):
    return all(tag[0] != "I" or before[2:] == tag[2:] for before, tag in itertools.pairwise(["O", *tags]))


raw = [[(*span, 1.0) for span in entities(tags, item["pieces"])] for tags, item in zip(likeliest, items, strict=True)]
expect("illegal", sum(not legal(tags) for tags in likeliest) / len(likeliest), guess="10.6")
expect("raw", task.score(raw, truth).entity_f1)
expect("full", full.test_entity_f1)

# %% [markdown] lang="zh"
# 白送的十来分，不用一步训练。多出来的从哪里来？“各标各的”在犹豫的地方会拼出半截：前半是 B-LOC，后半是 I-ORG。整条一起选，犹豫的两半必须站到一边。模型练得越少，犹豫越多，这一步就越值钱。你的成绩若比别人的低一截，先查这里。
#
# ## 7 多标一些，能买到什么
#
# > **理论 ⑧** 标签少的时候，便宜的对手难打；标签多了，差距才拉开。先画自己的曲线，再决定标多少。
#
# **猜**：训练行数从 100 翻倍到 800，CRF 的 F1 怎么涨？全量微调只有 200 行时呢？

# %% [markdown] lang="en"
# Ten points and more for nothing, without a step of training. Where do they come from? Where each tag is chosen by itself, hesitation makes half a name: B-LOC in front, I-ORG behind. Chosen together, the two halves have to take one side. The less a model has been trained, the more it hesitates, and the more this step is worth. If your score is a good deal below somebody else's, look here first.
#
# ## 7 What more labels buy
#
# > **Theory ⑧** With few labels the cheap opponent is hard to beat; with many, the field spreads. Draw your own curve first, then decide how many to label.
#
# **Guess**: from 100 rows to 800, doubling each time, how does the F1 of the CRF grow? And full fine-tuning, with 200 rows only?

# %%
lk.guess("10.7", 0.1, 0.35)

# %%
sizes = (100, 200, 400, 800)
curve = [lk.baseline(corpus.limit(n), "crf").test_entity_f1 for n in sizes]
_, few = train(lk.Full(), corpus.limit(200), lr=5e-4)
expect("few", few.test_entity_f1, guess="10.7")

# %%
fig, axes = lk.plots.figure(6.4, 3.2)
axes.plot(sizes, curve, "o-", label="CRF")
axes.plot(
    [200, 800], [few.test_entity_f1, full.test_entity_f1], "s--", label=tr("全量微调，三轮", "full, three epochs")
)
axes.set_xscale("log")
axes.set_xticks(sizes, [str(n) for n in sizes])
axes.minorticks_off()
axes.set(title=tr("多标一些", "More labels"), xlabel=tr("训练行数（对数轴）", "training rows (log axis)"))
axes.set_ylabel(tr("测试集实体 F1", "entity F1 on the test rows"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：曲线还在往上走，没有到顶：多标一倍，还有得赚。一个种子的两个点说不出谁先谁后，要下结论，得像笔记 02 那样多练几个种子、成对地比。
#
# ### 真新闻上，谁赢？
#
# 自带的句子是填出来的，真新闻难得多。下面是我们在报纸句子上量的：500 行训练，1,500 句测试，十六轮，学习率 1e-3。每一次训练的成绩都在一个文件里，随 labkit 一起装好了；课上练不完这么多，读文件就行。`random` 是同样的网络，从随机权重出发；`general` 从 `tiny-bert-zh-general` 出发，它预训练时读过一万五千句这样的新闻，只读字，不看标注；名字里有 `+crf` 的，在网络上面加了一层 CRF，标签怎样相接也一起学。**猜**：预训练值多少？词典这一次还是零分吗？

# %% [markdown] lang="en"
# **Reading it**: the curve is still rising and has not reached its top: twice the labels still pay. Two points of a single seed do not tell who is ahead; for a verdict, train several seeds and compare in pairs, as in notebook 02.
#
# ### Who wins on real news?
#
# The packaged sentences were filled from patterns; real news are much harder. Here is what we measured on newspaper sentences: 500 training rows, 1,500 test sentences, sixteen epochs at a rate of 1e-3. The score of every run is in a file that comes with labkit; it is more than a lesson can train, so read it. `random` is the same network from random weights; `general` starts from `tiny-bert-zh-general`, which read fifteen thousand such sentences in its pretraining, the characters alone and no marks; what has `+crf` in its name bears a CRF on top of the network, so that it learns how tags follow each other, too. **Guess**: what is pretraining worth? And does the dictionary get nothing this time, too?

# %%
lk.guess("10.7b", 5, 15)

# %%
with open(lk.files.ASSETS / "tagging.csv", encoding="utf-8", newline="") as file:
    runs = [run for run in csv.DictReader(file) if run["rows"] == "500"]
print(f"{'':12} {tr('实体 F1', 'entity F1'):18}", *kinds.values(), sep="   ")
for way in dict.fromkeys(run["way"] for run in runs):
    three = [run for run in runs if run["way"] == way]
    scores, half = [float(run["entity_f1"]) for run in three], 4.30 / 3**0.5  # Student's t for three values
    errors = [f"{statistics.mean(float(run[kind]) for run in three):7.3f}" for kind in kinds]
    print(f"{way:12} {statistics.mean(scores):.3f} ± {half * statistics.stdev(scores):.3f}     ", *errors, sep="   ")
full_f1, random_f1 = (
    statistics.mean(float(r["entity_f1"]) for r in runs if r["way"] == way) for way in ("full", "random")
)
lk.scored("10.7b", round(100 * (full_f1 - random_f1)))

# %% [markdown] lang="zh"
# 先看词典：同样是背书，这里拿到四成多。新闻里的名字会重复，同一个地名今天出现，明天还出现；自带的测试集故意不让它重复。**对手有多强，取决于你的数据**，所以每一份新数据都要把对手重新立一遍。
#
# 再看 CRF 的四种错：凭空的极少，漏掉的一大半；全量微调凭空的多得多，边界也错得多。微调的模型只有 160 万个参数，五百句话里的名字它见得太少，见到像名字的就圈。CRF 没有预训练，也就没有这些“想象”，它只认背得出的和规律明摆着的。这就是小数据上便宜对手难打的缘故：少说，说准。要赢它，出路是理论 ⑧：更多的行，或者更大的模型。
#
# 再看 `random` 和 `head`。预训练把同样的网络从两成提到四成（三个种子配对的差：0.20 ± 0.05）；只训练头不到一成。CRF 高出全量微调 0.09 ± 0.05：每一行都是三个种子的平均，± 是 95% 区间，这几个名次站得住。
#
# 怎样追 CRF？两条路都在表里。换成读过新闻的起点：它在没读过的新闻上猜遮住的字，每字损失比 `tiny-bert-zh` 低 1.1 nat，F1 却没有变（−0.004 ± 0.009），低的损失又一次不等于好的成绩（笔记 06）。在网络上面加一层 CRF：`general` 长了 0.05 ± 0.01，靠的是少说错；`full` 的三个种子里长得不一样多，还分不清（0.04 ± 0.06）。两条路一起走，离 CRF 还差 0.04 ± 0.04，三个种子分不出高下；再练两个种子，差是 0.04 ± 0.02：CRF 仍然领先。批再小一半，一步 8 行（这是在验证集上挑的），五个种子的差是 0.02 ± 0.03：这才分不出高下。自己试：`labkit train DATA --task tagging --crf --batch-size 8`。

# %% [markdown] lang="en"
# The dictionary first: it learns by heart as before, and here it gets more than four tenths. Names in the news recur; a place that is in the paper today will be in it tomorrow, while the packaged test rows keep them apart on purpose. **How strong an opponent is depends on your data**, so put it up anew for each data set.
#
# Then the four kinds of error of the CRF: hardly any inventions, more than half missed. Full fine-tuning invents far more, and more of its edges are wrong. The model has 1.6 million parameters and has seen too few names in five hundred sentences; what looks like a name, it marks. The CRF was pretrained on nothing and has no such "imagination": it knows what it can recite, and what is plainly regular. That is why a cheap opponent is hard to beat on few rows: it says little, and says it right. The way past it is theory ⑧: more rows, or a larger model.
#
# Then `random` and `head`. Pretraining takes the same network from two tenths to four (difference in pairs over three seeds: 0.20 ± 0.05); the head alone stays below a tenth. The CRF is 0.09 ± 0.05 above full fine-tuning. Each line is the mean of three seeds with its 95 % interval, and these ranks hold.
#
# How to catch up with the CRF? Two ways are in the table. A start that has read news: on unseen news its loss for a hidden character is 1.1 nats below that of `tiny-bert-zh`, and the F1 is the same (−0.004 ± 0.009); once more a lower loss is not a better score (notebook 06). A CRF on top of the network: `general` gains 0.05 ± 0.01, by saying fewer wrong things; with `full` the three seeds gain unequally and it is not clear (0.04 ± 0.06). Both together are 0.04 ± 0.04 short of the CRF, which three seeds cannot tell apart; with two seeds more it is 0.04 ± 0.02, and the CRF is still ahead. With batches half as large, 8 rows a step (chosen on validation rows), five seeds are 0.02 ± 0.03 short: now they cannot be told apart. Try it: `labkit train DATA --task tagging --crf --batch-size 8`.

# %% [markdown] lang="zh"
# ## 8 自己写一句
#
# 在面板里写一句带名字的话：上面是微调前的模型，下面是微调后的。**猜**：“马上放假了，真高兴”里的“马”和“高”都是姓，它会上当吗？

# %% [markdown] lang="en"
# ## 8 Write one yourself
#
# Write a sentence with names into the panel: above is the model before fine-tuning, below after it. **Guess**: 马上放假了，真高兴 ("holidays soon, so happy") begins with a surname and holds another, 高. Is it taken in?

# %%
panel = lk.ui.TryIt(trainer.model, text="快递员李晓说，云山市第一医院的包裹昨天到了")
panel.run_button.click()
panel.wait()
panel.report()
panel

# %% tags=["nbval-ignore-output"]
lk.predict(trainer.model, ["快递员李晓说，云山市第一医院的包裹昨天到了", "马上放假了，真高兴"])

# %% [markdown] lang="zh"
# 颜色之外，每个名字后面都写着类型，“最低概率”是它最没把握的那个字。拿不准的名字，交给人看。
#
# ## 三个问题
#
# 先在纸上回答，再展开。
#
# **一**　同事的报告说“准确率 96 %”，任务是实体识别，九成的字不在实体里。你要问他哪两个数？
#
# <details><summary>展开答案</summary>
#
# 实体 F1（严格，写明边界和类型都对才算），以及什么也不标的准确率：那已经有九成了（理论 ①）。再问一句：I- 接在 O 后面时怎么算（理论 ②）。
#
# </details>

# %% [markdown] lang="en"
# Beside its colour each name has its type in words, and "lowest probability" is that of the character it is least sure of. Names that it is unsure of go to people.
#
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A colleague reports "96 % accuracy" on entity recognition, and nine tenths of the characters are in no entity. Which two numbers do you ask for?
#
# <details><summary>Open the answer</summary>
#
# The entity F1 (strict, and said so: both edges and the type), and the accuracy of tagging nothing, which is nine tenths already (theory ①). And one more question: what is made of an I- after O (theory ②)?
#
# </details>

# %% [markdown] lang="zh"
# **二**　换了一个把 “2024” 当一个词元的模型，标注里有“20”这样的数字实体。成绩降了三分，程序没有报错。哪里丢的？
#
# <details><summary>展开答案</summary>
#
# 边界落在词元中间，标签说不出来（理论 ③）。labkit 训练前会说有几个、F1 最高是多少；自己写的程序要自己数。
#
# </details>

# %% [markdown] lang="en"
# **Two.** You change to a model that takes "2024" as one token, and there are entities like "20" among the labels. The score falls by three points, and no error is shown. Where were they lost?
#
# <details><summary>Open the answer</summary>
#
# The edges fall inside a token, where no tag can say so (theory ③). labkit says before training how many there are and how high F1 can go; a program of your own has to count them itself.
#
# </details>

# %% [markdown] lang="zh"
# **三**　两个模型的 F1 都是 0.50。一个漏掉四成、从不乱说；另一个几乎不漏、边界常错。编辑部要的是“把稿件里的单位都找出来，人再核一遍”。选哪个？
#
# <details><summary>展开答案</summary>
#
# 第二个：人核对时改边界很快，漏掉的却没有人会去找（理论 ⑥）。若是不经人手、直接入库，就选第一个。
#
# </details>

# %% [markdown] lang="en"
# **Three.** Two models have an F1 of 0.50. One misses four tenths and never says nonsense; the other misses hardly any, and its edges are often wrong. The editors want "all organisations in the articles, a person checks them afterwards". Which one?
#
# <details><summary>Open the answer</summary>
#
# The second: a person who checks mends an edge quickly, but nobody goes looking for what was missed (theory ⑥). Where names go into a database without a person, take the first.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`{"text": …, "spans": [[开始, 结束, 类型], …]}` 一行一句的 `.jsonl`，或一字一行的 `.conll`（BIO、IOBES、BILOU 都认）；`labkit train 文件` 就行。
# - **练习 10**：亲手写 BIO、首块标签、合法解码和四种错误。
# - **笔记 11**：不给每个字一个标签，只问开头和结尾：阅读理解。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: a `.jsonl` with `{"text": …, "spans": [[begin, end, type], …]}` a line, or a `.conll` with a character a line (BIO, IOBES and BILOU are read); then `labkit train FILE`.
# - **Exercises 10**: write BIO, first-piece labels, legal decoding and the four kinds of error with your own hands.
# - **Notebook 11**: no label for each character, only a beginning and an end: questions and answers.
