# %% [markdown] lang="zh"
# # 12 · GPT：从接着写到会回答
#
# 相声里有个捧哏的学徒，师傅说上半句，他接下半句，接得飞快：“这家店的——”“味道很好！”可是你正经问他一句“这条评论是夸还是骂”，他照样接下半句，接到天黑也不回答。他没有不懂，他只是从来没学过**回答**这件事。
#
# 只做过预训练的 GPT 就是这个学徒。它见过几百万字，学的只有一件事：下一个字是什么。这本笔记先看它接话，再把它当分类器用，最后用四百个例子教会它回答问题（指令微调，英文缩写 SFT），一路量出：学会了什么，没学会什么，忘掉了什么。
#
# **做完以后，你能够**
#
# 1. 说清语言模型每一步在做什么，贪心和抽样差在哪里；
# 2. 用 GPT 做分类，知道它读的是哪一个位置；
# 3. 把一问一答写成模型读的样子，指出损失算在哪几个词元上，结束符为什么也要学；
# 4. 训练、生成、打分：完全匹配、chrF、困惑度各问什么；
# 5. 量出换一种说法会怎样；
# 6. 量出遗忘，比较全量微调和 LoRA。
#
# **怎么读**：做过 01 就够了，02 第 11 节（遗忘）和 03（LoRA）有帮助。大约 25 分钟。

# %% [markdown] lang="en"
# # 12 · GPT: from continuing to answering
#
# There is an apprentice in a comic double act. His master says half a sentence and he supplies the other half, quick as a flash: "The food here is" — "delicious!" But ask him seriously whether a review praises or complains, and he goes on supplying other halves until nightfall. It is not that he understands nothing; nobody ever taught him that there is such a thing as **answering**.
#
# A GPT that was only pretrained is that apprentice. It has read a few million characters and learned one thing from them: what comes next. In this notebook it first goes on with what we begin; then it serves as a classifier; and in the end a few hundred examples teach it to answer questions (supervised fine-tuning on instructions, SFT). On the way we measure what it learned, what it did not, and what it forgot.
#
# **At the end you will be able to**
#
# 1. say what a language model does at each step, and how greedy decoding differs from sampling;
# 2. classify with a GPT, and know which place its head reads;
# 3. write a question and its answer the way the model reads them, point at the tokens that carry loss, and say why the end has to be learned too;
# 4. train, generate and score: what exact match, chrF and perplexity ask;
# 5. measure what happens when a question is worded anew;
# 6. measure forgetting, for full fine-tuning and for LoRA.
#
# **How to read it.** Notebook 01 is enough; 02, section 11 (forgetting) and 03 (LoRA) help. It takes about 25 minutes.

# %% tags=["setup"]
LANG = "zh"

import math
from dataclasses import replace

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 模型是自带的 `tiny-gpt-zh`：GPT-2 的结构，四层，宽 128，一百三十多万参数，一个词元一个字。它读过的是百科、法条和网店评论；测试用的评论没有读过（模型卡里写着怎样剔除的）。`MODEL` 这一行请不要换成 BERT：它不会写。

# %% [markdown] lang="en"
# The model is the packaged `tiny-gpt-zh`: GPT-2's architecture with four layers, width 128, some 1.3 million parameters, one token a character. It has read an encyclopaedia, statutes and shop reviews; reviews that serve as tests it has not read (its card says how they were kept out). Don't put a BERT in the line `MODEL`: it does not write.

# %%
MODEL, DEVICE = "tiny-gpt-zh", lk.machine.device()
config = lk.TrainConfig(epochs=3, device=DEVICE, precision="fp32", seed=0)
base = lk.load(MODEL, task=lk.tasks.Generation()).to(DEVICE)

# %%
expect = lk.expect("12")

# %% [markdown] lang="zh"
# `expect` 照旧：先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。比例的范围比它们自己的置信区间稍宽，困惑度的范围按种子之间的差放宽。
#
# ## 1 它只会接着写
#
# > **理论 ①** 语言模型每一步给出下一个词元的概率。总取最大的（贪心），容易兜圈子；按概率抽，才有变化，也才会跑题。
#
# **猜**：给它“这家店的”四个字，贪心地写三十个字，会写出什么？把同一句话抽三次呢？

# %% [markdown] lang="en"
# `expect` is the old one: your number, then our reference and its range, and a ✗ outside it. The ranges of shares are a little wider than their own intervals, those of perplexities are widened by what seeds differ.
#
# ## 1 It only goes on
#
# > **Theory ①** At each step a language model gives the probabilities of the next token. To take the largest every time (greedy) tends to go round in circles; to draw by them brings variety, and digressions.
#
# **Guess**: it is given the four characters 这家店的 ("this shop's") and writes thirty more, greedily. What will they be? And if the same is drawn three times?

# %%
start = "这家店的"
print(tr("贪心：", "greedy:"), start + lk.generate(base, start, plain=True, max_new_tokens=30))
for seed in range(3):
    more = lk.generate(base, start, plain=True, max_new_tokens=30, temperature=0.8, seed=seed)
    print(tr(f"抽样 {seed}：", f"drawn {seed}:"), start + more)

# %% [markdown] lang="zh"
# `plain=True` 的意思是：把文字原样交给它，接着写。温度把概率拉平或者拉尖：logits 先除以温度，再做 softmax。下面亲手算一步，不用 `generate`。**猜**：温度 0.5 和 1.5，哪一个让第一名占得更多？

# %% [markdown] lang="en"
# `plain=True` says: hand over the text as it is, and let it go on. A temperature flattens the probabilities or sharpens them: logits are divided by it before the softmax. Here is one step by hand, without `generate`. **Guess**: with which of 0.5 and 1.5 does the first one get more?

# %%
lk.guess("12.1", choice="1.5")

# %%
import torch

ids = base.processor("这家店的味道很", return_tensors="pt").to(DEVICE)
with torch.no_grad():
    logits = base(**ids).logits[0, -1]
best = logits.topk(8).indices
words = [base.processor.decode(i) for i in best.tolist()]

# %%
fig, every = lk.plots.figure(7.6, 2.8, columns=3)
for axes, temperature in zip(every, (0.5, 1.0, 1.5), strict=True):
    shares = (logits / temperature).softmax(-1)[best].tolist()
    axes.bar(words, shares, color=lk.plots.COLOURS[0])
    axes.set(title=tr(f"温度 {temperature}", f"temperature {temperature}"), ylim=(0, 1))
    axes.set_xlabel(tr("下一个字", "next character"))
every[0].set_ylabel(tr("概率", "probability"))
fig

# %%
tops = {temperature: (logits / temperature).softmax(-1).max().item() for temperature in (0.5, 1.5)}
lk.scored("12.1", str(max(tops, key=tops.get)))

# %% [markdown] lang="zh"
# **读图**：三张图是同一组 logits。温度低，第一名几乎独占，抽来抽去都是它，也就近于贪心；温度高，大家都有份，连不通的字也有份。`top_k` 和 `top_p` 是把尾巴剪掉再抽：只留前 k 名，或只留概率加起来够 p 的前几名。贪心兜圈子，不是模型坏了：每一步都选最稳妥的字，走着走着就走回了老路。
#
# **动手**：把温度改成 1.5，再写三遍；然后加上 `top_p=0.9`。哪一次开始不通？

# %% [markdown] lang="en"
# **Reading it**: the logits are the same in all three. At a low temperature the first one has nearly all, and drawing is close to greedy; at a high one everybody gets a share, including characters that make no sense there. `top_k` and `top_p` cut the tail off before drawing: only the k likeliest are left, or the likeliest few that hold p of the probability. That greedy text goes in circles is no defect of the model: always taking the safest character sooner or later leads back to where one has been.
#
# **Try it**: set the temperature to 1.5 and write three times more; then add `top_p=0.9`. When does it stop making sense?

# %% [markdown] lang="zh"
# ## 2 给它装一个分类头
#
# > **理论 ②** GPT 从左往右读，只有最后一个词元看过全文，所以分类头读最后一个；填充要放在右边，读的是“最后一个真词元”。
#
# 学徒虽不会答题，肚子里有货。像 BERT 那样给它装一个头：两百条评论，好评差评。**猜**：测试准确率会是多少？随机猜是 0.5。

# %% [markdown] lang="en"
# ## 2 A head for labels
#
# > **Theory ②** A GPT reads from left to right, and only the last token has seen the whole text; so that is the one that a classification head reads. Padding goes to the right, and what is read is the last token that is none.
#
# The apprentice can't answer, but there is something in his head. Put a classifier on top, as with BERT: two hundred reviews, good or bad. **Guess** the test accuracy; chance is 0.5.

# %%
lk.guess("12.2", 0.6, 0.85)

# %%
reviews = lk.reviews()
reviews = replace(reviews.limit(200), valid=reviews.valid[:40], test=reviews.test[:200])
judge = lk.load(MODEL, labels=reviews.labels).to(DEVICE)
run = lk.Trainer(judge, reviews, config=replace(config, epochs=4)).fit()
expect("accuracy", run.test_accuracy, guess="12.2")

# %%
texts = ["送了两个小时，汤都洒了", "送了两个小时，汤都洒了，可是真好吃"]
together = [p.probability for p in lk.predict(judge, texts)]
alone = [lk.predict(judge, text)[0].probability for text in texts]
same = max(abs(a - b) for a, b in zip(together, alone, strict=True)) < 1e-5
print(tr("放在一批里问，和单独问一样：", "asked in a batch as when asked alone:"), same)

# %% [markdown] lang="zh"
# **读数**：两句话长短不同，短的那句后面垫了填充，可是答案不变，因为头读的是最后一个真词元。很多人的 GPT 分类器错就错在这里：填充放在左边又不改位置编号，或者填充符恰好也是结束符，头就读错了地方。
#
# 这样的学徒只会举牌子：正面、负面。要他**开口说**，得换一种教法。

# %% [markdown] lang="en"
# **Reading the numbers**: the two texts differ in length, and the shorter one is followed by padding; yet the answers stay the same, since the head reads the last token that is none. This is where many a GPT classifier goes wrong: padding on the left without changing the positions, or a padding token that is the end token too, and the head reads the wrong place.
#
# Such an apprentice can only hold up a sign, good or bad. To make him **speak**, he has to be taught otherwise.

# %% [markdown] lang="zh"
# ## 3 一问一答写成什么样
#
# > **理论 ③** 指令微调还是“猜下一个词元”，只是损失只算在**回答**上，结束符也算：不学结束，就不会停。
#
# 自带的 `instructions`：评论外面套一句指令，问情感或问类别，回答有固定的格式。每种问法有五种说法。

# %% [markdown] lang="en"
# ## 3 What a question and its answer look like
#
# > **Theory ③** Fine-tuning on instructions is still "guess the next token", only that the loss is taken over **answers** alone, their end included: what does not learn to end will not stop.
#
# The packaged `instructions` are reviews inside a question, about the feeling (情感) or about the topic (类别), with answers of a fixed form. Each question is worded in five ways. (正面 is positive, 负面 negative; the topics are 外卖 takeaway, 酒店 hotel, 衣服 clothes, 手机 phones, 图书 books, 电影 films.)

# %%
corpus = lk.instructions(400)
corpus = replace(corpus, valid=corpus.valid[:40])
for row in corpus.train[:4]:
    print(repr(row.input), "→", row.target)

# %% [markdown] lang="zh"
# 模型读的是一串词元，谁在说话用特殊的词元标出来。下面是第一行的样子；**猜**：方括号应该括住哪一段（损失算在哪里）？全部词元里，带损失的占百分之几？

# %% [markdown] lang="en"
# What the model reads is a row of tokens, and special tokens mark who speaks. This is the first row; **guess** what the brackets should hold (where the loss is taken). And what per cent of all tokens carries loss?

# %%
lk.guess("12.3", 30, 60)

# %%
(item,) = corpus.task.encode(base.processor, corpus.train[:1], 256)
first, end = item["answers"][0]
spelled = base.processor.decode
print(spelled(item["input_ids"][:first]), "[", spelled(item["input_ids"][first:end]), "]", sep="")
items = corpus.task.encode(base.processor, corpus.train, 256)
tokens = sum(len(item["input_ids"]) for item in items)
learned = sum(end - first for item in items for first, end in item["answers"])
print(tr(f"{tokens} 个词元里，{learned} 个带损失", f"of {tokens} tokens {learned} carry loss"))
lk.scored("12.3", round(100 * learned / tokens))

# %% [markdown] lang="zh"
# **读一读**：评论本身、指令、`<|assistant|>` 都不带损失，带损失的只有回答和结束符 `</s>`，八个词元里才有一个。为什么不在全文上算？因为在用的时候，提示是别人写的，不用它写；在提示上算损失，就是花大部分力气学怎样**提问**。
#
# 结束符有个出名的坑：不少教程把填充符设成结束符，又把所有填充从损失里去掉，于是结束符也没了，模型学会了回答，学不会停。labkit 按**位置**记哪里是回答，不看词元是几号。

# %% [markdown] lang="en"
# **Reading it**: review, instruction and `<|assistant|>` carry no loss; the answer and its end `</s>` do, and that is one token in eight. Why not take the loss over everything? When the model is used, somebody else writes the prompt. A loss on prompts spends most of the effort on learning how to **ask**.
#
# The end has a well-known trap: many a tutorial makes the padding token the end token, then takes all padding out of the loss, and with it the end; that model learns to answer and never to stop. labkit remembers **where** answers stand, whatever their tokens are.

# %% [markdown] lang="zh"
# ## 4 教会它回答
#
# > **理论 ④** 先学会格式，后学会内容：格式每一行都一样，内容要读懂才行。
#
# 先看没教过的样子。“格式合法”是说：回答恰好是这个问题的某一个可能的答案。**猜**：学徒现在的合法率是多少？

# %% [markdown] lang="en"
# ## 4 Teaching it to answer
#
# > **Theory ④** First the form is learned, then the content: the form is the same in each row, the content takes reading.
#
# First see it untaught. "A legal form" means that the answer is just one of the possible answers to that question. **Guess**: what is the apprentice's share of legal answers now?

# %%
lk.guess("12.4", 5, 30)

# %%
LEGAL = {
    question: {r.target for r in corpus.train if r.extra["question"] == question} for question in ("feeling", "topic")
}


def judged(replies, rows):
    legal = [reply in LEGAL[row.extra["question"]] for reply, row in zip(replies, rows, strict=True)]
    right = [reply == row.target for reply, row in zip(replies, rows, strict=True)]
    return sum(legal) / len(rows), sum(right) / len(rows)


def ask(model, rows):
    return [reply.text for reply in lk.predict(model, [row.input for row in rows])]


replies = ask(base, corpus.test[:40])
legal, right = judged(replies, corpus.test[:40])
print(
    tr(f"合法 {legal:.2f}，正确 {right:.2f}；比如：", f"legal {legal:.2f}, right {right:.2f}; such as:"),
    replies[0][:30],
)
lk.scored("12.4", round(100 * legal))

# %%
model = lk.load(MODEL, task=corpus.task).to(DEVICE)
trainer = lk.Trainer(model, corpus, config=config)
run = trainer.fit()
replies = [text for text, *_ in run.answers]  # what was written after each test prompt
legal, right = judged(replies, corpus.test)
expect("legal", legal)
expect("right", right)

# %%
lk.plots.curves(run)

# %% [markdown] lang="zh"
# **读图**：左边是每个词元的损失，右边是验证行上**完全匹配**的比例：模型自己从头写出的回答，一字不差才算。和以前的准确率不同，这里没有选项可挑，每个字都是写出来的。

# %% [markdown] lang="en"
# **Reading it**: on the left the loss per token; on the right the **exact match** on validation rows: the answer that the model wrote by itself, to the letter. Unlike the accuracy of old there is no list to choose from; every character was written.

# %%
for question in ("feeling", "topic"):
    mine = [i for i, row in enumerate(corpus.test) if row.extra["question"] == question]
    expect(question, sum(replies[i] == corpus.test[i].target for i in mine) / len(mine))

# %% tags=["nbval-ignore-output"]
print(lk.evaluate(model, corpus.test).metrics)

# %% [markdown] lang="zh"
# 三个分数各问一件事。**完全匹配**：对，还是不对。**chrF**：有多少字串写对了，“情感：正面”写成“情感：负面”也有大半的分，所以答案短、格式死的时候它太宽；答案是一段话的时候，完全匹配又太严，chrF 才有用。**困惑度**：真正的答案在模型眼里有多意外，e 的损失次方，一个词元平均像在几个里挑一个。选最好的一轮，labkit 看困惑度。
#
# 一条评论，换一个问题，回答也跟着换，说明它读了指令：

# %% [markdown] lang="en"
# The three scores ask different things. **Exact match**: right or not. **chrF**: how many runs of characters are right; 情感：负面 for 情感：正面 still gets most of the marks, so that it is too mild for short answers of a fixed form; for answers as long as a paragraph exact match is too strict, and chrF comes into its own. **Perplexity**: how surprising the true answer is to the model, e to the loss; it is as if each token were chosen among so many. labkit takes the best epoch by perplexity.
#
# One review under another question gets another answer, which shows that the instruction is read:

# %%
review = "味道不错，就是送得太慢，面都坨了"
for wording in ("判断这条评论的情感：{}", "判断这条评论的类别：{}"):
    print(wording.format("…"), "→", lk.generate(model, wording.format(review))[:3], "…")

# %% [markdown] lang="zh"
# ## 5 换一种说法
#
# > **理论 ⑤** 它学会的是见过的那几种说法，不是“指令”这回事。小模型尤其如此。
#
# `instructions(unseen=True)` 的测试行是同样的评论、同样的问题，只是说法没有训练过，比如“写下面这句话的人高兴吗？”。**猜**：合法率还有多少？正确率呢？

# %% [markdown] lang="en"
# ## 5 Worded anew
#
# > **Theory ⑤** What it learned are the wordings that it saw, not the idea of an instruction. With small models this is plain.
#
# The test rows of `instructions(unseen=True)` are the same reviews under the same questions, only that no training row was worded so: 写下面这句话的人高兴吗？ ("Is whoever wrote this happy?"). **Guess**: how many answers are still legal? How many right?

# %%
lk.guess("12.5", 0.2, 0.6)

# %%
anew = lk.instructions(unseen=True).test
new_replies = ask(model, anew)
new_legal, new_right = judged(new_replies, anew)
expect("unseen", new_right, guess="12.5")

# %% tags=["nbval-ignore-output"]
print(tr(f"合法 {new_legal:.2f}", f"legal {new_legal:.2f}"))
by_wording = {}
for row, reply in zip(anew, new_replies, strict=True):
    wording = row.extra["question"], row.extra["wording"]
    by_wording.setdefault(wording, []).append(reply == row.target)
for (question, wording), marks in sorted(by_wording.items()):
    print(f"{question} {wording}: {sum(marks)} / {len(marks)}")
for row, reply in [*zip(anew, new_replies, strict=True)][:4]:
    print(
        repr(row.input),
        "→",
        reply,
        "" if reply == row.target else tr(f"（应为 {row.target}）", f"(should be {row.target})"),
    )

# %% [markdown] lang="zh"
# **读数**：换个说法，正确的少了一截，合法的也少了。看是哪一种：有的说法它照样懂，因为里面还有“情感”“类别”这样的字；“下面这句话在讲什么？”里没有，它就答非所问，多半说起情感来。它认的是那几个字，不是问题的意思。
#
# 所以报分数要报两个：见过的说法，和没见过的。只报第一个，用户一开口就露馅。补救的办法有两样：训练时多备几种说法（五种不够，而且要差得远些），或者换一个大得多的模型，它在预训练时已经见过各式各样的问法。
#
# **动手**：训练行里每种问题有五种说法（`row.extra["wording"]`）。只留一种，再训练一遍，没见过的说法还能答对多少？

# %% [markdown] lang="en"
# **Reading the numbers**: worded anew, fewer answers are right, and fewer are legal. See which: some wordings it understands all the same, since 情感 or 类别 is in them; in 下面这句话在讲什么？ ("what is the next sentence about?") neither is, and it answers beside the point, mostly with a feeling. It goes by those characters and not by what is asked.
#
# So two scores belong into a report: for wordings that were seen, and for others. Whoever reports the first alone is found out as soon as a user opens his mouth. There are two remedies: more wordings in training (five are too few, and they should be further apart), or a far larger model, which met questions of every kind in pretraining.
#
# **Try it**: in the training rows each question is worded in five ways (`row.extra["wording"]`). Keep only one of them, train again, and see how many unseen ones it still gets right.

# %% [markdown] lang="zh"
# ## 6 忘掉了什么
#
# > **理论 ⑥** 微调改了参数，旧的本事跟着变。常说 LoRA 只加一小部分参数，所以忘得少。
#
# 学会回答之后，它还会接着写吗？用与评论无关的普通文字量困惑度（笔记 02 第 11 节的遗忘，这里换算成 e 的多少次方）。再用 LoRA 学一遍同样的指令，轮数相同。**猜**：三个困惑度排个队：微调前、全量之后、LoRA 之后；下面记的是第二个。

# %% [markdown] lang="en"
# ## 6 What is forgotten
#
# > **Theory ⑥** Fine-tuning moves parameters, and old skills move along. LoRA, it is often said, adds but a few and therefore forgets less.
#
# Now that it answers, can it still go on with a text? Take the perplexity on general text that has nothing to do with reviews (the forgetting of notebook 02, section 11, as a power of e). And teach the same instructions once more with LoRA, for as many epochs. **Guess** the order of three perplexities: before, after full fine-tuning, after LoRA; kept below is the second.

# %%
lk.guess("12.6", 250, 450)

# %%
slim = lk.Trainer(lk.load(MODEL, task=corpus.task).to(DEVICE), corpus, lk.LoRA(), config)
slim_run = slim.fit()
expect("before", math.exp(lk.masked_lm_loss(MODEL)))
expect("full", math.exp(lk.masked_lm_loss(model)), guess="12.6")
expect("lora", math.exp(lk.masked_lm_loss(slim.model)))

# %%
slim_legal, slim_right = judged([text for text, *_ in slim_run.answers], corpus.test)
expect("slim legal", slim_legal)
expect("slim right", slim_right)

# %% [markdown] lang="zh"
# **读数**：微调之后，普通文字的困惑度都升高了：练了几百遍“情感：……”，对别的文字就生疏了。接着写还写得出来吗？在新的一格里试试：`lk.generate(model, start, plain=True)`。
#
# LoRA 呢？只训练百分之一点二的参数，可是并没有忘得少：学习率是全量的六倍，加上去的矩阵不大，改变的却是每一层的注意力。学得倒是慢：同样三轮，格式大致学会了，内容远不如全量。**参数少不等于走得近**；忘多少，要量（笔记 03 也说过：LoRA 省的是内存和存档）。想少忘，可以试 L2-SP 或重放（笔记 09）：写法一样，管不管用，照样要量。
#
# 这里每种只训练了一次，两个困惑度谁高谁低，换个种子也许会变；docs/LOG.md 里有三个种子的数。

# %% [markdown] lang="en"
# **Reading the numbers**: after fine-tuning the perplexity on general text is higher in both cases: having practised 情感：… hundreds of times, the model is out of touch with other text. Does it still go on with a sentence? Try it in a cell of your own: `lk.generate(model, start, plain=True)`.
#
# And LoRA? It trains 1.2 per cent as many parameters, and did not forget less here: its rate is six times that of full fine-tuning, and the matrices that it adds are small but bend the attention of every layer. It does learn slowly: after the same three epochs it mostly has the form, and far less of the content. **Few parameters do not mean a short way**; what is forgotten has to be measured (notebook 03 said it as well: what LoRA saves is memory and disk). To forget less, try L2-SP or replay (notebook 09): they are written the same way here, and whether they help has to be measured too.
#
# Each was trained just once here, and which of the two perplexities is higher may change with the seed; docs/LOG.md has three seeds.

# %% [markdown] lang="zh"
# ## 7 聊一聊
#
# 面板里左右两个模型回答同一个提示，一个字一个字地写，可以随时停。左边是微调前，右边是微调后。换着问：训练过的说法，没训练过的说法，和评论无关的话；再把温度调高，多发几次。

# %% [markdown] lang="en"
# ## 7 A chat
#
# In this panel two models answer the same prompt, a character at a time, and you may stop them: on the left before fine-tuning, on the right after it. Ask in turn: a wording that was trained on, one that was not, something that has nothing to do with reviews. Then raise the temperature and send it again.

# %%
panel = lk.ui.Chat(model, base, text="读一读这条评论，说出它的情感。评论：送得快，味道也好")
panel.run_button.click()
panel.wait()
panel.report()
panel

# %% [markdown] lang="zh"
# 同一件事，用代码写，文字一段一段地来：

# %% [markdown] lang="en"
# The same in code; the text comes piece by piece:

# %%
pieces = list(lk.generate(model, panel.text(), stream=True, max_new_tokens=32))
print(tr("一段一段地来：", "it came in pieces:"), len(pieces) > 1)
print(tr("和面板说的一样：", "as the panel said:"), "".join(pieces) == panel.answers["after"])

# %% [markdown] lang="zh"
# ## 8 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 每一步给出下一个词元的概率 | 贪心兜圈子，温度把概率拉平（1） |
# | ② | 分类头读最后一个真词元 | 一批里问和单独问，答案相同（2） |
# | ③ | 损失只算在回答和结束符上 | 方括号里的六七个词元（3） |
# | ④ | 先学格式，后学内容 | 合法率近 1，正确率低得多（4） |
# | ⑤ | 学会的是说法 | 换了说法，正确率掉下来（5） |
# | ⑥ | 参数少不等于忘得少：要量 | 三个困惑度（6） |
#
# 没有告诉你的：一百多万参数的模型学不会“听懂任何指令”，那要大得多的模型和多得多的指令；这里的回答只有几个字，写一段话时，完全匹配就没有意义了；会回答不等于答得对，它说错的时候同样理直气壮。

# %% [markdown] lang="en"
# ## 8 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | each step gives the probabilities of the next token | greedy goes in circles, temperature flattens (1) |
# | ② | a head reads the last token that is no padding | asked in a batch or alone, the answers are the same (2) |
# | ③ | the loss is on answers and their end alone | the few tokens in brackets (3) |
# | ④ | first the form, then the content | nearly all legal, far from all right (4) |
# | ⑤ | wordings are what it learns | worded anew, it falls (5) |
# | ⑥ | few parameters do not mean little forgotten: measure | three perplexities (6) |
#
# What this did not tell: a model of a million parameters does not learn to follow just any instruction, which takes far larger ones and far more instructions; answers were a few characters long, and of a paragraph exact match would mean nothing; and to answer is not to be right: when it is wrong it says so with the same face.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同事的模型微调后答得很好，可是答完不停，一直写到上限。损失曲线一切正常。你先查哪里？
#
# <details><summary>展开答案</summary>
#
# 查结束符带不带损失（理论 ③）。多半是填充符和结束符是同一个词元，而收集一批的代码把所有填充的标签都设成了 −100。把一行带损失的词元解码出来看看，最后一个应当是结束符。
#
# </details>

# %% [markdown] lang="zh"
# **二**　训练时有些行的提示很长，超过了上限，被从右边截断。损失居然更低了。为什么这不是好事？
#
# <details><summary>展开答案</summary>
#
# 回答在最右边，截掉的正是回答（理论 ③）。没有回答的行没有损失，有的框架把它算成 0，平均就低了；一批全是这样的行，就是 0 除以 0。labkit 在训练之前就拒绝，并说有几行、最长多少。
#
# </details>

# %% [markdown] lang="zh"
# **三**　客户说：“微调之后它什么指令都听得懂了，我试了训练集里的五种问法，全对。”你会怎样测？
#
# <details><summary>展开答案</summary>
#
# 拿没有训练过的说法来问同样的问题，分开报两个数（理论 ⑤）。再拿别的任务来问，看它是不是什么都答成“情感：……”。五种见过的问法全对，只说明它记得这五种。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A colleague's model answers well after fine-tuning, but never stops and writes on to the limit. The loss curves are fine. Where do you look first?
#
# <details><summary>Open the answer</summary>
#
# Whether the end token carries loss (theory ③). Most likely padding and end are the same token, and the code that makes batches sets the label of all padding to −100. Decode the tokens of one row that carry loss: the last one should be the end.
#
# </details>

# %% [markdown] lang="en"
# **Two.** Some prompts are longer than the limit and were cut on the right. The training loss came out lower. Why is that no good news?
#
# <details><summary>Open the answer</summary>
#
# Answers stand on the right, and it was they that were cut (theory ③). A row without an answer has no loss; some frameworks count it as 0, which lowers the mean, and a batch of nothing but such rows is 0 over 0. labkit refuses before training and says how many rows it were and how long the longest.
#
# </details>

# %% [markdown] lang="en"
# **Three.** A client says: "Since it was fine-tuned it understands any instruction. I tried the five wordings of the training set, and it got all of them right." How do you test that?
#
# <details><summary>Open the answer</summary>
#
# Ask the same questions in wordings that were not trained on, and report two numbers (theory ⑤). Then ask for something else and see whether it answers 情感：… to everything. Five known wordings, all right, show that it remembers those five.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：JSON Lines，每行 `{"prompt": "…", "answer": "…"}`，或 `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`；`lk.load_csv("chat.jsonl")`，命令行 `labkit train chat.jsonl`。
# - **练习 12**：亲手写损失的标记、贪心循环、top-p、困惑度和 chrF。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: JSON Lines, each line `{"prompt": "…", "answer": "…"}` or `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`; then `lk.load_csv("chat.jsonl")`, or `labkit train chat.jsonl` on the command line.
# - **Exercises 12**: write the mask of the loss, the greedy loop, top-p, perplexity and chrF with your own hands.
