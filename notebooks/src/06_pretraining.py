# %% [markdown] lang="zh"
# # 06 · 预训练与微调
#
# 早餐时，咖啡洒在报纸上，盖住了几个字。你照样读得下去：“昨天本市气■骤降”，污渍下面是“温”，不用想。可是没人教过你“咖啡渍填空”。你会，是因为读过很多字。
#
# 预训练就是这样一份没完没了的早餐报纸：遮住几个字，让模型猜，答案就在污渍下面，一个老师也不用请。微调则是请老师：几百道题，每道都有人写好答案。前五本笔记里，你一直从别人预训练好的模型出发。“预训练让模型学会语言，所以少量标签就够了”，教程都这样写。**这一次我们从零开始**，自己预训练一个，再拿同样几张标签，让没读过书的、读了几秒的、读错书的、读对书的，坐进同一个考场。读了一点，总比没读好吗？标签越少，预训练越划算吗？结果和教程说的不完全一样。
#
# **做完以后，你能够**
#
# 1. 亲手出遮字题，写出预训练的循环；
# 2. 看损失下降，说得出这一段学到的是字频，还是语言；
# 3. 用同样的标签，公平地比较不同的起点；
# 4. 量出一个模型“读过什么”，并预言它在你的数据上有没有用；
# 5. 填出“预训练与微调”那张表，每一格都是自己量的；
# 6. 知道什么时候该继续预训练，什么时候该先跑 TF-IDF。
#
# **怎么读**：做过笔记 01 和 02 就够了，大约 35 分钟。每个实验之前有一个问题，把猜的写下来，再运行。

# %% [markdown] lang="en"
# # 06 · Pretraining and fine-tuning
#
# At breakfast, coffee is spilled over the newspaper and hides some letters. You read on all the same: "a sudden drop in temp■rature", and what is under the stain you need not even think about. Nobody ever taught you to see through coffee. You can, because you have read a lot.
#
# Pretraining is such a newspaper without end: hide a few characters, let the model guess them, and the answer lies under the stain. Not one teacher has to be paid. Fine-tuning is the teacher: some hundred questions, each with an answer that somebody wrote down. In five notebooks you have started from a model that others had pretrained. "It has learned the language, so a few labels are enough", the tutorials say. **This time we start from nothing**: we pretrain a model ourselves, and then hand the same few labels to one that never read, one that read for seconds, one that read the wrong books and one that read the right ones. Is a little reading always better than none? Is pretraining worth most where labels are fewest? What comes out is not quite what the tutorials say.
#
# **At the end you will be able to**
#
# 1. make exercises out of plain text, and write the loop of pretraining;
# 2. watch a loss fall, and say whether it is learning frequencies or the language;
# 3. compare starting points fairly, with the same labels;
# 4. measure what a model has read, and foretell whether that is of use on your data;
# 5. fill in the table "pretraining against fine-tuning", every square of it measured;
# 6. tell when to go on with pretraining, and when to run TF-IDF first.
#
# **How to read it.** Having done notebooks 01 and 02 is enough; it takes about 35 minutes. A question stands before each experiment: write your guess down, then run. The texts are Chinese, one character a token, and you can follow without reading any.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %%
MODEL, DEVICE = lk.equipment()
corpus = lk.reviews()
tokenizer = lk.load(MODEL, labels=corpus.labels).processor
SEED, STEPS = 2, 250  # STEPS: some seconds; 2,500 take a minute or more

# %% [markdown] lang="zh"
# `STEPS` 是唯一决定等多久的数：250 步只要几秒，读完以后请改成 2500，再来一遍。种子取 2；安全绳照旧：`expect` 先印你的数，再印我们的参考值和范围，范围来自五个种子。

# %% [markdown] lang="en"
# `STEPS` alone decides how long you wait: 250 steps are over in seconds; having read to the end, make it 2,500 and go through once more. The seed is 2. The safety rope is as ever: `expect` prints your number, then our reference and its range, and the ranges come from five seeds.

# %%
expect = lk.expect("06")

# %% [markdown] lang="zh"
# ## 1 文字自带答案
#
# > **理论 ①** 预训练不要标签：遮住一些字，文字自己就是题目，也是答案。
#
# 报纸只有一小叠：评论的训练部分，加上自带的一百多行普通文字（讲河流、磁铁、杠杆一类）。**标签一个也不读**。留出验证部分的评论，模型不许读，只用来考它。**猜**：一共有多少个字？一部长篇小说有几十万。

# %% [markdown] lang="en"
# ## 1 Text brings its own answers
#
# > **Theory ①** Pretraining needs no labels: hide some characters, and the text is both the question and the answer.
#
# Our pile of newspaper is small: the training part of the reviews, and the hundred and some lines of plain text that come with labkit (about rivers, magnets, levers). **Not a label is read.** The reviews of the validation part are held out: the model never reads them, it is only examined on them. **Guess**: how many characters is that in all? A long novel has some hundred thousands.

# %%
lk.guess("06.1", 100, 300)

# %%
from labkit import batch_order

general = (lk.files.ASSETS / "general.txt").read_text("utf-8").splitlines()
texts = [row.input for row in corpus.train] + general
held_out = [row.input for row in corpus.valid]


def encode(texts):
    return tokenizer(texts, truncation=True, max_length=128)["input_ids"]


pages, exam = encode(texts), sorted(encode(held_out), key=len)
print(f"{len(pages):,}", f"{sum(map(len, pages)):,}")
lk.scored("06.1", round(sum(map(len, pages)) / 1000))

# %% [markdown] lang="zh"
# 五万字上下，一本薄薄的小册子。记住这个数，后面的一切都和它有关。
#
# 出题的规矩是 BERT 定的：每个字有 15 % 的机会被选中要猜；选中的，八成换成 `[MASK]`，一成换成随便一个字，一成原样。特殊符号（编号 0 到 4）永远不选。目标写在另一张纸上：选中的位置写真字，别处写 -100，意思是“这里不算分”。**猜**：为什么要留那一成“原样”？模型明明看得见答案。

# %% [markdown] lang="en"
# Some fifty thousand characters: a thin booklet. Keep that number in mind, all that follows has to do with it.
#
# The rule for making exercises is BERT's: each character has a 15 % chance of being chosen to be guessed. Of the chosen, eight in ten become `[MASK]`, one in ten some other character, and one in ten stays. Special tokens (numbers 0 to 4) are never chosen. The targets go on another sheet: the true character at the chosen places, and -100 elsewhere, which means "no marks given here". **Guess**: what is the tenth that stays good for? The model can see the answer, after all.


# %%
def hide(rows, generator):
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    draw = lambda: torch.rand(ids.shape, generator=generator)  # noqa: E731
    chosen, kind = (draw() < 0.15) & (ids > 4), draw()
    noise = torch.randint(5, len(tokenizer), ids.shape, generator=generator)
    inputs = torch.where(chosen & (kind < 0.8), tokenizer.mask_token_id, ids)
    inputs = torch.where(chosen & (kind >= 0.9), noise, inputs)
    targets = torch.where(chosen, ids, -100)
    return inputs.to(DEVICE), targets.to(DEVICE), (ids > 0).long().to(DEVICE)


inputs, targets, _ = hide(encode(["味道很好，送得也快，下次还会再来。"]), torch.Generator().manual_seed(4))
print(*tokenizer.convert_ids_to_tokens(inputs[0]))
print(*[tokenizer.convert_ids_to_tokens(int(t)) if t >= 0 else "·" for t in targets[0]])

# %% [markdown] lang="zh"
# **读结果**：上面一行是模型看到的，下面一行是要它答的，点号处不算分。这一次抽中三处：两处成了 `[MASK]`，逗号换成了 `/`。那一成“原样”和一成“换字”，是为了让模型对**每一个**字都不能大意：将来做分类时，句子里一个 `[MASK]` 也没有，它要是只在 `[MASK]` 上动脑，就白学了。就这样，一份不要标签的考卷出好了，而且下一轮重新抽签，又是一份新的：**理论 ①**。

# %% [markdown] lang="en"
# **Reading it**: the upper line is what the model sees ("The taste is good, delivery was fast, will come again"), the lower one what it has to answer; dots give no marks. Three places were drawn this time: two became `[MASK]`, and the comma became `/`. The tenth that stays and the tenth that is replaced keep the model on its guard at **every** character: later, when it classifies, a sentence holds no `[MASK]`, and had it learned to think only there, the learning would be wasted. So an exam paper without any labels is ready, and in the next epoch lots are drawn anew and there is another one: **theory ①**.

# %% [markdown] lang="zh"
# ## 2 从零开始读
#
# > **理论 ②** 损失先因为学会字频而下降，再因为学会邻居，最后才因为学会意思；同样是下降，分量不同。
#
# 先造一个什么也没读过的 BERT：2 层、宽 64，全是随机数。上面的猜字头给词表里五千多个字打分，它最大的矩阵和嵌入表是**同一个**（绑定权重），所以自己只有一点点。**猜**：一个什么也不懂的模型，每个字的损失大约是多少？（提示：在 5,641 个字里瞎猜，损失是 ln 5641 = 8.64。）

# %% [markdown] lang="en"
# ## 2 Reading from nothing
#
# > **Theory ②** A loss falls first because frequencies are learned, then because neighbours are, and only last because meaning is; all of it is falling, but not of the same worth.
#
# First make a BERT that has never read: 2 layers, width 64, nothing but random numbers. The guessing head above gives a score to each of the five thousand and some characters; its largest matrix **is** the table of embeddings (tied weights), so that it has little of its own. **Guess**: what is the loss of a model that knows nothing? (Guessing blindly among 5,641 characters costs ln 5641 = 8.64.)

# %%
lk.guess("06.2", 8.5, 9)

# %%
from transformers import BertConfig, BertForMaskedLM
from transformers.utils import logging

logging.disable_progress_bar()


def newborn(width=64, layers=2):
    torch.manual_seed(SEED)
    shape = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
    shape |= {"num_attention_heads": width // 32, "max_position_embeddings": 128, "initializer_range": 0.05}
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **shape, **quiet)).to(DEVICE)


reader = newborn()
expect("head", sum(p.numel() for p in reader.parameters()) - sum(p.numel() for p in reader.bert.parameters()))
lk.plots.network(reader)

# %% [markdown] lang="zh"
# 算损失时，只有要猜的位置经过那张大表，省下六分之五的功夫。考试（`examine`）总用同一颗种子遮同样的字，前后才能比；它同时数一数，第一个猜就猜对的有多少。

# %% [markdown] lang="en"
# For the loss, only the places to be guessed go through the large table, which saves five sixths of that work. The examination (`examine`) hides the same characters each time, by a seed of its own, so that before and after compare; it also counts how often the first guess is right.


# %%
from torch.nn.functional import cross_entropy


def guesses(lm, rows, generator):
    inputs, targets, real = hide(rows, generator)
    asked = targets >= 0
    states = lm.bert(inputs, attention_mask=real).last_hidden_state
    return lm.cls(states[asked]), targets[asked]


def examine(lm, rows):
    generator, logits, truth = torch.Generator().manual_seed(1), [], []
    with torch.no_grad():
        for start in range(0, len(rows), 60):
            found = guesses(lm.eval(), rows[start : start + 60], generator)
            logits.append(found[0])
            truth.append(found[1])
    logits, truth = torch.cat(logits), torch.cat(truth)
    return cross_entropy(logits, truth).item(), (logits.argmax(-1) == truth).float().mean().item()


expect("start", examine(reader, exam)[0], guess="06.2")

# %% [markdown] lang="zh"
# 和瞎猜差不多。那么多低算“学会了”？需要一把尺子：一个连模型都不是的对手，它只数每个字在小册子里出现多少次，对每个空都按这张**字频表**来猜（这叫**一元模型**，unigram），不看上下文。**猜**：8.64 降到多少？

# %% [markdown] lang="en"
# About as bad as blind guessing. And how low is "learned"? We need a ruler: a rival that is not even a model. It counts how often each character occurs in the booklet, and guesses every gap by this **table of frequencies** (a **unigram model**), without looking at the context. **Guess**: from 8.64 down to what?

# %%
lk.guess("06.2b", 4, 6)

# %%
counts = torch.bincount(torch.tensor([i for page in pages for i in page if i > 4]), minlength=len(tokenizer)) + 0.1
table = (counts / counts.sum()).log()
generator = torch.Generator().manual_seed(1)
asked = torch.cat([hide(exam[start : start + 60], generator)[1].flatten() for start in range(0, len(exam), 60)]).cpu()
by_table = -table[asked[asked >= 0]].mean().item()
expect("table", by_table, guess="06.2b")

# %% [markdown] lang="zh"
# 现在读。循环和笔记 01 的一模一样，只有一行不同：题目是现出的。学习率先热身，再直线降到 0；每 25 步考一次。**猜**：250 步之后，能不能赢过一元模型？赢多少？

# %% [markdown] lang="en"
# Now read. The loop is that of notebook 01 but for one line: the exercises are made on the spot. The rate warms up and then falls to 0 in a straight line; every 25 steps there is an examination. **Guess**: will it beat the unigram model in 250 steps? By how much?


# %%
lk.guess("06.2c", 5, 6.1)


# %%
def pretrain(lm, pages, steps, lr=3e-3, every=25):
    optimizer = torch.optim.AdamW(lm.parameters(), lr=lr, betas=(0.9, 0.98), fused=True)
    draw, lengths, curve = torch.Generator().manual_seed(SEED), [len(page) for page in pages], []
    epochs = range(1 + 32 * steps // len(pages))
    batches = [batch for epoch in epochs for batch in batch_order(lengths, 32, seed=SEED, epoch=epoch)]
    for step, batch in enumerate(batches[:steps]):
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 30) * (1 - step / steps)
        if step % every == 0:
            curve.append((step, examine(lm, exam)[0]))
        loss = cross_entropy(*guesses(lm.train(), [pages[i] for i in batch], draw))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return [*curve, (steps, examine(lm, exam)[0])]


# %%
import time

began = time.process_time()
curve = pretrain(reader, pages, STEPS)
reading_seconds = time.process_time() - began
expect("end", curve[-1][1], guess="06.2c")

# %%
fig, axes = lk.plots.figure(6.4, 3.2)
axes.plot(*zip(*curve, strict=True), "o-", ms=4, color="#4477aa", label=tr("没读过的评论", "held-out reviews"))
axes.axhline(by_table, color="#aa3377", ls="--", label=tr("一元模型", "unigram model"))
axes.set(title=tr("从零开始读", "Reading from nothing"), xlabel=tr("步", "step"))
axes.set_ylabel(tr("每字损失（nat）", "loss a character (nats)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：前五十步是悬崖，从 8.7 直落到 6.5；随后慢慢磨，一百五十步以后才穿过虚线，停在下面一点点。只看蓝线，谁都会说“学得真快”。有了虚线才知道：悬崖全是字频，“的、了、很、逗号最多”而已；真正属于上下文的，只有虚线以下那不到 0.1 nat。损失下降了多少，不等于学会了多少；**要看它在哪条线以下**。这就是**理论 ②** 的前半。
#
# 后半要看读得久的人。自带的 `tiny-bert-zh` 大一号（4 层、宽 128），先读百科和法条，再读四万多条别家网店的评论，后来还掺进了我们训练部分的评论（只是文字，没有标签；验证和测试的一条也没有），一共 139 分钟。每一次考试的成绩都记在它的 `pretraining.json` 里，下图是五段里的前两段。

# %% [markdown] lang="en"
# **Reading it**: for fifty steps it is a cliff, from 8.7 straight down to 6.5; then it grinds on slowly, crosses the dashed line only after a hundred and fifty, and stops a little below. From the blue line alone anybody would say "how fast it learns". The dashed line tells otherwise: the cliff is nothing but frequencies, "的, 了, 很 and the comma are the commonest"; what is really due to context is the less than 0.1 nat below the dashed line. How far a loss fell is not how much was learned; **what matters is the line it fell below**. That is the first half of **theory ②**.
#
# For the second half we need someone who read for long. The packaged `tiny-bert-zh` is a size larger (4 layers, width 128); it read encyclopaedia and statutes first, then forty-odd thousand reviews of other shops, and later the training part of our own reviews mixed in (text only, no labels, and not a row of validation or test), for 139 minutes in all. Its examinations are written down in its `pretraining.json`; drawn below are the first two of five stages.

# %%
import json

stages = json.loads((lk.files.ASSETS / "tiny-bert-zh" / "pretraining.json").read_text("utf-8"))["stages"][:2]
fig, axes = lk.plots.figure(6.4, 3.2)
names = (tr("百科与法条", "encyclopaedia, statutes"), tr("网店评论", "shop reviews"))
for stage, name, colour in zip(stages, names, lk.plots.COLOURS, strict=False):
    rows = stage["curve"]["rows"]
    axes.plot([row[3] / 60 for row in rows], [row[2] for row in rows], "o-", ms=4, color=colour, label=name)
axes.set(title=tr("tiny-bert-zh 的前两段", "The first two stages of tiny-bert-zh"))
axes.set(xlabel=tr("分钟", "minutes"), ylabel=tr("每字损失（nat）", "loss a character (nats)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：两段各自用自己留出的文字考试，所以高低不能互比，要看的是**形状**。读百科的十几分钟停在 5.4，还在字频和邻居之间；换成评论，四十分钟降到 3.2，先快后慢，到末尾还在一点点往下走。我们的 250 步，在这张图上连一个点的宽度都不到。
#
# 损失是平均数，看看它们各填什么。**猜**：“味道很■”，读了几秒的模型会填什么？

# %% [markdown] lang="en"
# **Reading it**: each stage is examined on held-out texts of its own kind, so their heights don't compare; look at the **shapes**. A quarter of an hour of encyclopaedia ends at 5.4, still somewhere between frequencies and neighbours; the reviews then go down to 3.2 in forty minutes, first fast, then slowly, and are still creeping down at the end. On this picture our 250 steps would be narrower than a dot.
#
# A loss is a mean; let us see what each of them fills in. **Guess**: "味道很■" ("the taste is very ■"): what will it be with the model that has read for seconds?

# %% tags=["nbval-ignore-output"]
scholar, jurist = (lk.load_masked_lm(name).to(DEVICE) for name in ("tiny-bert-zh", "tiny-bert-zh-general"))
gaps = ["味道很[MASK]，下次还会再来。", "物流很[MASK]，第二天就到了。", "国家保护公[MASK]的合法权益。"]
readers = {
    tr("没读过", "never read"): newborn(),
    tr("读了几秒", "some seconds"): reader,
    tr("百科，77 分钟", "general, 77 min"): jurist,
    tr("评论，139 分钟", "reviews, 139 min"): scholar,
}
for gap in gaps:
    print(gap)
    inputs = tokenizer(gap, return_tensors="pt").to(DEVICE)
    place = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
    for name, lm in readers.items():
        with torch.no_grad():
            best = lm.eval()(**inputs).logits[0, place].topk(5).indices
        print("   ", *tokenizer.convert_ids_to_tokens(best), "  ", name)

# %%
expect("right", examine(reader, exam)[1])
expect("long", examine(scholar, exam)[1])

# %% [markdown] lang="zh"
# **读结果**：没读过的，填的是生僻字，不管哪一句都差不多。读了几秒的，不管空在哪里，都填那几个最常见的：逗号、“了”、“的”。它没有理解，它在背一元模型。读百科 77 分钟的，第三句想到了“公**民**”，旁边还有“公**益**”“公**共**”：都是法条里的词；前两句它只会填“多、好、大”，放在哪里都通，不是食客的话。读评论 139 分钟的，前两句填得像个食客：“好、香、甜”，“快”；第三句它很有把握地填“公**司**”，因为在它读过的世界里，只有公司，没有公民。字频，邻居，意思：这就是**理论 ②** 的三段路；而走到哪里，还要看走的是哪条路，第 4 节用数来说。

# %% [markdown] lang="en"
# **Reading it**: the one that never read fills in rare characters, much the same whatever the sentence. The one with some seconds always says the commonest, wherever the gap is: the comma, 了, 的. It has not understood; it has learned the table by heart. In the third sentence ("the state protects the lawful rights of citi■ens", 公民) general, with 77 minutes, thinks of 公**民**, "citizen", beside 公**益** and 公**共** ("public"): all words of statutes; in the first two it has 多好大 ("much, good, big"), which fit anywhere and are not what a guest would say. With 139 minutes of reviews, the first two are answered as a guest would: 好香甜 ("good, fragrant, sweet"), 快 ("fast"); and in the third it is very sure of 公司, "company", because in the world it has read of there are companies and no citizens. Frequencies, neighbours, meaning: these are the three stretches of **theory ②**. And where the way leads depends on what is read; section 4 says so in numbers.

# %% [markdown] lang="zh"
# ## 3 同样的标签，四个起点
#
# > **理论 ③** 微调不是从零学起：预训练给的起点好，同样的标签就走得更远。
#
# 考场来了。150 条标好的评论，一条不多；四个起点，各换上一个新的分类头，全部参数都训练，轮数、学习率、行的次序都一样：
#
# - **随机**：2 层宽 64，什么也没读过；
# - **几秒**：同样大小，刚刚读完小册子；
# - **百科**：`tiny-bert-zh-general`，百科、法条、报纸，77 分钟，一条评论也没读过；
# - **评论**：`tiny-bert-zh`，139 分钟。
#
# 旁边照例坐着 TF-IDF。**猜**：它的测试准确率是多少？（再在纸上写下五个名字的名次。）

# %% [markdown] lang="en"
# ## 3 The same labels, four starting points
#
# > **Theory ③** Fine-tuning does not begin at zero: the better the start that pretraining gives, the further the same labels lead.
#
# Now for the exam. 150 labelled reviews, not one more; four starting points, each with a new head; all parameters train, with the same epochs, rate and order of rows:
#
# - **random**: 2 layers, width 64, never read anything;
# - **seconds**: of the same size, and just done with the booklet;
# - **general**: `tiny-bert-zh-general`, 77 minutes of encyclopaedia, statutes and newspaper, never saw a review;
# - **reviews**: `tiny-bert-zh`, 139 minutes.
#
# As always TF-IDF sits beside them. **Guess**: what is its test accuracy? (And write down the order of the five on paper.)

# %% [markdown] lang="zh"
# `hand_in` 把自己做的模型存成目录，`lk.load` 就能像读别的模型一样读它：骨干照搬，头换新的。验证集只留 20 行，因为今天不用它选任何东西。

# %% [markdown] lang="en"
# `hand_in` saves a home-made model as a folder, and `lk.load` then reads it like any other: the backbone as it is, the head new. Of the validation set we keep 20 rows only, since nothing is chosen by it today.

# %%
lk.guess("06.3", 0.5, 0.6)

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

box = Path(tempfile.mkdtemp())
EPOCHS = {50: 16, 150: 8, 400: 4}  # few rows, more epochs: the steps are not too unequal


def hand_in(lm, name):
    lm.save_pretrained(box / name)
    tokenizer.save_pretrained(box / name)
    return box / name


def taught(source, rows):
    few = replace(corpus.limit(rows, SEED), valid=corpus.valid[:20])
    model = lk.load(source, labels=corpus.labels, seed=SEED).to(DEVICE)
    config = lk.TrainConfig(epochs=EPOCHS[rows], lr=1e-3, seed=SEED, max_length=64, device=DEVICE, precision="fp32")
    return lk.Trainer(model, few, lk.Full(), config).fit().test_accuracy


# %%
starts = {
    tr("随机", "random"): hand_in(newborn(), "random"),
    tr("几秒", "seconds"): hand_in(reader, "seconds"),
    tr("百科", "general"): "tiny-bert-zh-general",
    tr("评论", "reviews"): "tiny-bert-zh",
}
began = time.process_time()
scores = {name: taught(source, 150) for name, source in starts.items()}
teaching_seconds = (time.process_time() - began) / 4
scores["TF-IDF"] = lk.baseline(corpus.limit(150, SEED)).test_accuracy

# %%
percent = {name: 100 * score for name, score in scores.items()}
fig = lk.plots.bars(
    percent, tr("150 条标签，五个对手", "150 labels, five rivals"), tr("测试准确率（%）", "test accuracy (%)")
)
fig.axes[0].axvline(50, color="#888888", ls=":")
fig

# %%
expect("tf-idf", scores["TF-IDF"], guess="06.3")
best = max(starts, key=scores.get)
print(tr("四个起点里最好的：", "the best of the four starts:"), best)

# %% [markdown] lang="zh"
# **读图**：虚线 50 % 是瞎猜，360 行测试的误差每边约五个点。读过评论的那一个远远离开了地面；随机、几秒、百科挤在一起，分不出先后（随机的那个也高出瞎猜，区间不含 50 %：头从乱的特征里也学得到一点字频）；而 TF-IDF，那个不到一秒就练完的家伙，和读了 139 分钟的并排。
#
# 一个种子不算数，名次先别记。第 5 节会打开八个种子的记录，判读过评论的、随机的和 TF-IDF。这里只看一件事：“几秒”没有胜过“随机”。读一点怎么会不如想象中有用？它的骨干被练成“不管上文是什么，都准备说逗号”，每个位置交出的东西都差不多；微调得先把这个习惯改掉。随机的骨干没有习惯，至少让不同的句子保持不同。
#
# 所以**理论 ③** 要加一个条件：起点好，才走得远；预训练过，**不等于**起点好。

# %% [markdown] lang="en"
# **Reading it**: the dotted 50 % is guessing, and with 360 test rows the error is about five points to each side. The one that read reviews has left the ground far behind; random, seconds and general crowd together and can't be told apart (random too lies above guessing, its interval excludes 50 %: even from jumbled features a head learns a little about which characters occur); and TF-IDF, done in less than a second, stands level with 139 minutes of reading.
#
# One seed counts for nothing, so don't keep the order. Section 5 opens the records of eight seeds and judges the start that read reviews, the random one, and TF-IDF. Here just this: "seconds" has not beaten "random". Why should a little reading be of less use than one thinks? Its backbone was trained to be ready with a comma whatever came before, and what it hands up is nearly the same at every place; fine-tuning first has to break that habit. A random backbone has no habits, and at least keeps different sentences different.
#
# So **theory ③** wants a condition: a good start leads further, but having been pretrained is **not** the same as a good start.

# %% [markdown] lang="zh"
# ## 4 读过什么
#
# > **理论 ④** 读什么比读没读更要紧：预训练的文字离任务越近，起点越好。
#
# 百科那一个读过三百七十万字，是小册子的七十多倍，为什么没有把“随机”甩在后面？给它两份考卷：没读过的评论，和普通文字。让它和读评论的那一个都来猜。**猜**：百科在评论上的损失，比那个一元模型（6.29）低还是高？

# %% [markdown] lang="en"
# ## 4 What has it read?
#
# > **Theory ④** What was read matters more than that something was: the nearer its text to the task, the better the start.
#
# General has read 3.7 million characters, more than seventy booklets. Why has it not left "random" far behind? Give it two papers, unseen reviews and plain text, and let the reader of reviews guess on both, too. **Guess**: on reviews, is general below the unigram model (6.29), or above it?

# %%
lk.guess("06.4", choice="above")

# %%
papers = {tr("评论", "reviews"): exam, tr("普通文字", "plain text"): encode(general)}
pair = {tr("百科", "general"): jurist, tr("评论", "reviews"): scholar}
losses = {name: [examine(lm, paper)[0] for paper in papers.values()] for name, lm in pair.items()}
lk.scored("06.4", "below" if losses[tr("百科", "general")][0] < by_table else "above")
fig, axes = lk.plots.figure(6.4, 3.0)
for shift, colour, (name, values) in zip((-0.18, 0.18), lk.plots.COLOURS, losses.items(), strict=False):
    drawn = axes.bar([shift, 1 + shift], values, 0.34, color=colour, label=tr(f"读{name}的", f"has read {name}"))
    axes.bar_label(drawn, fmt="%.2f", padding=3)
axes.hlines(
    by_table, -0.45, 0.45, color="#aa3377", ls="--", label=tr(f"一元模型 {by_table:.2f}", f"unigram {by_table:.2f}")
)
axes.set_xticks(range(2), papers)
axes.set(title=tr("谁在哪份考卷上猜得准", "Who guesses well on which paper"), ylim=(0, 9))
axes.set(xlabel=tr("考卷", "paper"), ylabel=tr("每字损失（nat）", "loss a character (nats)"))
axes.legend(ncols=3)
fig

# %% [markdown] lang="zh"
# **读图**：先看左边。百科在评论上比一元模型低 0.8 nat：上下文它是会读的，不只是数字频。可是离读评论的那一个，还差 1.7。再看右边，倒过来了：普通文字上百科领先。两个同样大小的模型，各在自己读过的那一种文字上强；读得更久的，并没有处处都强。
#
# 时间没有对齐：一个读了 77 分钟，一个 139 分钟，而且后者先读过 13 分钟百科。所以左边那 1.7，有一部分可能是读得少。右边帮了忙：要是只因为读得少，右边也该落后。
#
# 能不能教呢？第 3 节只有一个种子。用 400 条标签、五个种子再教：读评论的平均 77.1 %，百科 66.1 %，随机 65.0 %。百科比读评论的低 11.0 ± 4.5 个点，和随机分不出（+1.1 ± 5.9）。读了 77 分钟，在这个任务上看不出好处；而这，在看到第一条标签**之前**就有了兆头。
#
# 所以挑预训练模型，不要只看名气和大小。拿几百条自己的文字（不要标签），量一量遮字的损失：词表相同的，哪个低就先试哪个；比一元模型还高的不用试；**比一元模型低，还不够**。这是**理论 ④**，也是一个只要几秒的检查。

# %% [markdown] lang="en"
# **Reading it**: first the left. On reviews general is 0.8 nats below the unigram model: it does read context, and not only count characters. Yet the reader of reviews is another 1.7 lower. Then the right, where it is the other way round: on plain text general leads. Of two models of one size each is strong on the kind of text that it has read; the one that read for longer is not the stronger everywhere.
#
# The times are not equal: 77 minutes for one, 139 for the other, which began with 13 minutes of encyclopaedia, too. So part of the 1.7 on the left may come from having read less. The right helps: had it been that alone, general would be behind there as well.
#
# And can they be taught? Section 3 had one seed. With 400 labels and five seeds: reviews 77.1 % on average, general 66.1 %, random 65.0 %. General is 11.0 ± 4.5 points below reviews, and not to be told from random (+1.1 ± 5.9). Of 77 minutes of reading nothing is to be seen in this task; and there was a sign of it **before** anybody saw the first label.
#
# So don't choose a pretrained model by fame or size alone. Take some hundred texts of your own, without labels, and measure the masked loss: with equal vocabularies, try the lower one first; what lies above the unigram model need not be tried; **to lie below it is not enough**. That is **theory ④**, and a check that takes seconds.

# %% [markdown] lang="zh"
# ## 5 标签多起来
#
# > **理论 ⑤** 标签越少，预训练的好处越大；标签够多，从零也追得上。
#
# 这句话几乎每本教程都有。给随机、评论和 TF-IDF 同样的 50、150、400 条标签。**猜**：画三条线。照这句话，评论和随机的差距应该从左到右**变小**。

# %% [markdown] lang="en"
# ## 5 More labels
#
# > **Theory ⑤** The fewer the labels, the more pretraining is worth; with enough of them, starting from nothing catches up.
#
# Nearly every tutorial says so. Give random, reviews and TF-IDF the same 50, 150 and 400 labels. **Guess**: draw the three lines. By that sentence, the lead of reviews over random should get **smaller** from left to right.

# %%
sizes = list(EPOCHS)
lines = {"TF-IDF": [lk.baseline(corpus.limit(n, SEED)).test_accuracy for n in sizes]}
for name in (tr("随机", "random"), tr("评论", "reviews")):
    lines[name] = [scores[name] if n == 150 else taught(starts[name], n) for n in sizes]

# %%
fig, axes = lk.plots.figure(6.4, 3.2)
for (name, values), look, colour in zip(lines.items(), ("s--", "o-", "^-"), lk.plots.COLOURS, strict=False):
    axes.semilogx(sizes, [100 * v for v in values], look, color=colour, label=name)
axes.set_xticks(sizes, sizes, minor=False)
axes.set_xticks([], minor=True)
axes.set(title=tr("标签与成绩", "Labels and scores"), xlabel=tr("标签（条，对数轴）", "labels (rows, log axis)"))
axes.set_ylabel(tr("测试准确率（%）", "test accuracy (%)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：一个种子，从左到右差距没有变小，50 条时 TF-IDF 还在前面。先别下结论：这里三种大小都放开了全部参数，用同一个学习率，而笔记 02 的单子说，几十行时先试只训练头。拿一种起点不合适的策略去比，比的是策略，不是起点。
#
# 所以我们让每个起点先用验证行从三种策略里挑自己最好的，再用八个种子比，每个种子抽不同的行、不同的随机权重。记录随包带来。**猜**：50 条时，读过评论的还会输给 TF-IDF 吗？

# %% [markdown] lang="en"
# **Reading it**: with one seed the lead does not shrink from left to right, and with 50 labels TF-IDF is in front. Don't conclude yet: all three sizes freed every parameter, at one rate, while the list of notebook 02 says that with some dozens of rows one tries the head alone first. To compare starts by a strategy that suits one of them badly is to compare strategies.
#
# So we let each start choose the best of three strategies by its validation rows, and then compared over eight seeds, each with rows and random weights of its own. The records came with the package. **Guess**: with 50 labels, does the one that read reviews still lose to TF-IDF?

# %%
lk.guess("06.5", -4, 0)

# %%
many = lk.runs("06-labels")
every = [*many, *many.beside]
print({run.strategy: run.settings["chosen"] for run in many})
for n in (50, 150):
    print(lk.verdict(every, f"reviews {n}", f"random {n}"))
    print(lk.verdict(every, f"reviews {n}", f"tf-idf {n}"))
lk.scored("06.5", round(100 * lk.verdict(every, "reviews 50", "tf-idf 50").difference, 1))

# %% [markdown] lang="zh"
# 50 条时，读过评论的选了只训练头，不输 TF-IDF 了：领先一个半点，区间跨过 0，**不知道**。150 条也一样分不出。而从随机开始的，两种大小都落后它八九个点，区间都在 0 以上：**预训练有用**，这一句站得住。至于“标签越少，好处越大”，50 条领先 9.5 点，150 条 8.3 点，两个区间几乎完全重叠：看不出变化。教程说的是曲线的**右边**，标签多到某个地方，两条线总要靠拢；那个地方在哪里，这里没有量。
#
# 所以“标签少，就用预训练模型”要补半句：用，可是别放开全部参数，而且先跑 TF-IDF，它不到一秒，在这两种大小上都没有明显输过。更大、读得更多的模型可能不同；要量，换掉 `starts` 里的模型就是。

# %% [markdown] lang="en"
# With 50 labels the start that read reviews chose the head alone, and no longer loses to TF-IDF: a point and a half ahead with an interval across 0, which is **unknown**. With 150 the two can't be told apart either. Starting from random weights is eight or nine points behind at both sizes, with intervals above 0: that **pretraining helps** stands. As for "the fewer the labels, the more it is worth": 9.5 points with 50 labels, 8.3 with 150, and the two intervals overlap almost entirely, so no change is to be seen. The tutorials speak of the **right** of the curve: somewhere, with many labels, the lines must draw together, and where that is was not measured here.
#
# "Few labels, so take a pretrained model" wants another half sentence, then: take it, but do not free all of it, and run TF-IDF first, which takes under a second and has not clearly lost at either size. Larger models that read more may differ; to find out, change the models in `starts`.

# %% [markdown] lang="zh"
# ## 6 那张表
#
# > **理论 ⑥** 预训练花大钱，只花一次；微调花小钱，每个任务花一次。
#
# **猜**：读 139 分钟，和用 150 条标签教一次，时间差多少倍？（下图的横轴，每格是十倍。）

# %% [markdown] lang="en"
# ## 6 The table
#
# > **Theory ⑥** Pretraining costs much, once; fine-tuning costs little, once for each task.
#
# **Guess**: 139 minutes of reading, and one lesson with 150 labels: how many times as long is the former? (On the axis below each mark is ten times the last.)


# %%
def seconds_of(name):
    record = json.loads((lk.files.ASSETS / name / "pretraining.json").read_text("utf-8"))
    return 60 * sum(stage["minutes"] for stage in record["stages"])


spent = {
    tr("预训练：评论", "pretraining: reviews"): seconds_of("tiny-bert-zh"),
    tr("预训练：百科", "pretraining: general"): seconds_of("tiny-bert-zh-general"),
    tr("预训练：小册子", "pretraining: booklet"): reading_seconds,
    tr("微调：150 条标签", "fine-tuning: 150 labels"): teaching_seconds,
}
fig, axes = lk.plots.figure(6.4, 2.6)
axes.plot(list(spent.values())[::-1], list(spent)[::-1], "o", color="#4477aa", ms=9)
axes.set(title=tr("时间花在哪里", "Where the time goes"), xscale="log", xlim=(0.3, 3e4))
axes.set_xlabel(tr("处理器秒（对数轴）", "processor seconds (log axis)"))
fig

# %% [markdown] lang="zh"
# **读图**：几千倍。可是 139 分钟只花一次，前五本笔记里每一次微调都从它出发，摊到每次，几乎不要钱。这就是**理论 ⑥**。教程里的那张表，现在每一格都有了出处：
#
# | | 预训练 | 微调 |
# |---|---|---|
# | 数据 | 小册子 5 万字；真的一次，近五万条评论，加两百多万字百科 | 150 条评论，不到五千字 |
# | 标签 | 0 条：答案在污渍下面（1） | 每一条都要人写 |
# | 时间 | 几秒；77 分钟；139 分钟 | 几秒（6） |
# | 目标 | 遮住的字是什么 | 这条评论是好是坏 |
# | 结果 | 每字损失 8.7 → 6.2；读了很久的，3.8 | 50 %（瞎猜）→ 68 %；150 条标签（3） |
# | 换个任务 | 不用重来 | 重来一次，换一个头 |
# | 白花的情形 | 读得太少，读得不对（3、4） | 起点不对；TF-IDF 已经够好（5） |
#
# 最后一行，教程的表里通常没有。

# %% [markdown] lang="en"
# **Reading it**: thousands of times. Yet the 139 minutes were spent once, and every fine-tune of five notebooks started from them; spread over all of these, they cost next to nothing. That is **theory ⑥**. The tutorials' table, then, with a source for every square:
#
# | | pretraining | fine-tuning |
# |---|---|---|
# | data | a booklet of 50,000 characters; in earnest, nearly fifty thousand reviews and two million characters of encyclopaedia | 150 reviews, under 5,000 characters |
# | labels | none: the answer lies under the stain (1) | one for each, written by somebody |
# | time | seconds; 77 minutes; 139 minutes | seconds (6) |
# | goal | which character is hidden? | is this review good or bad? |
# | result | loss a character 8.7 → 6.2; having read for long, 3.8 | 50 % (guessing) → 68 % with 150 labels (3) |
# | another task | no need to start again | again, with another head |
# | wasted when | too little was read, or the wrong text (3, 4) | the start is wrong; TF-IDF is good enough (5) |
#
# The last line is usually not in their table.

# %% [markdown] lang="zh"
# ## 7 接着读
#
# > **理论 ⑦** 读错了书，可以接着读对的：从通用的模型出发，在自己的文字上继续预训练。
#
# 从百科出发，让它读我们的评论（只是文字，没有标签）。它大一号，一步要慢几倍，所以只走 20 步，每步 32 条，半本小册子都不到。它在评论上现在是 5.5，读评论的那一个是 3.8。**猜**：20 步之后呢？

# %% [markdown] lang="en"
# ## 7 Reading on
#
# > **Theory ⑦** Who read the wrong books can go on with the right ones: start from the general model, and continue pretraining on text of your own.
#
# Let general read our reviews, text only and no labels. It is a size larger and a step takes several times as long, so it gets 20 steps of 32 reviews, less than half the booklet. On reviews it stands at 5.5 now, and the reader of reviews at 3.8. **Guess**: where will it be after 20 steps?

# %%
lk.guess("06.7", 4.5, 5)

# %%
pupil = lk.load_masked_lm("tiny-bert-zh-general").to(DEVICE).requires_grad_(True)
further = pretrain(pupil, encode([row.input for row in corpus.train]), 20, lr=1e-3, every=20)
expect("general", further[0][1])
expect("further", further[-1][1], guess="06.7")

# %% [markdown] lang="zh"
# **读结果**：20 步，半本小册子，下来了四分之一个 nat 左右。量过更多的：读到 60 步是 4.96。每一步都有用，可是离 3.8 还远，那一个读了四万多条。同样大小、从零开始的呢？20 步时还在 8 以上，60 步是 6.86：认得字的人换一种书读，起步就在前面，这是继续预训练的全部道理。
#
# 但是别忘了第 4 节的教训：损失低一点，不等于教得会。损失降了，用标签去教时会不会也更好，这里没有量；一千多条评论多半太少。**动手**：有自己的文字的话，把它们放进 `pages`，`STEPS` 改成几千，再走一遍第 3 节。

# %% [markdown] lang="en"
# **Reading it**: 20 steps, half a booklet, and it came down by about a quarter of a nat. Some more were measured: after 60 steps it is 4.96. Every step helps, and 3.8 is still far; that one read forty-odd thousand reviews. And a model of this size that starts from nothing? Above 8 after 20 steps, 6.86 after 60: whoever knows the characters has a head start in other books, and that is all there is to continued pretraining.
#
# But keep the lesson of section 4 in mind: a lower loss is not yet a better pupil. The loss fell; whether it would also do better when taught with labels was not measured here, and a thousand and some reviews are likely too few. **Try it**: if you have text of your own, put it into `pages`, make `STEPS` some thousands, and go through section 3 again.

# %% [markdown] lang="zh"
# ## 8 小结
#
# | | 一句话 | 量出来的 |
# |---|---|---|
# | ① | 文字自带答案 | 成立：一条标签也没读（1） |
# | ② | 先字频，再邻居，再意思 | 成立：悬崖全是字频，250 步只到虚线下一点点（2） |
# | ③ | 起点好，走得远 | 有条件：读评论的领先随机八九个点；读几秒的没有领先（3、5） |
# | ④ | 读什么更要紧 | 成立：各在自己读过的文字上强；百科教出来和随机分不出（4） |
# | ⑤ | 标签越少，好处越大 | 50 和 150 条都领先随机八九个点，看不出变化；和 TF-IDF 分不出（5） |
# | ⑥ | 大钱花一次，小钱次次花 | 成立：几千倍（6） |
# | ⑦ | 读错了可以接着读 | 损失很快跟上；成绩要多得多的文字（7） |

# %% [markdown] lang="en"
# ## 8 In short
#
# | | in a sentence | what the measurements say |
# |---|---|---|
# | ① | text brings its own answers | holds: not a label was read (1) |
# | ② | frequencies, then neighbours, then meaning | holds: the cliff is all frequencies, and 250 steps end just below the dashed line (2) |
# | ③ | a good start leads further | on a condition: reviews lead random by eight or nine points; seconds of reading don't lead (3, 5) |
# | ④ | what was read matters more | holds: each is strong on what it has read; taught, general can't be told from random (4) |
# | ⑤ | the fewer labels, the greater the gain | eight or nine points above random at 50 and at 150 labels, no change to be seen; level with TF-IDF (5) |
# | ⑥ | much money once, a little each time | holds: thousands of times (6) |
# | ⑦ | wrong books? read on with the right ones | the loss follows quickly; the score needs far more text (7) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学预训练了一个小模型，报告说：“十分钟，损失从 9.1 降到 6.4，学得非常好。”你要先问他哪一个数？
#
# <details><summary>展开答案</summary>
#
# 一元模型在同一份考卷上的损失（理论 ②）。如果是 6.5，他学到的几乎全是“哪些字常见”，一张数出来的表也做得到；如果是 8.0，那才是学会了上下文。再问一句：6.4 是在没读过的文字上考的吗？
#
# </details>

# %% [markdown] lang="zh"
# **二**　你要给医院的就诊记录分类，有两个模型：甲在新闻上预训练，五亿参数；乙在病历上预训练，一千万参数。标签有三百条。一条标签都不用，怎样先排除一个？
#
# <details><summary>展开答案</summary>
#
# 拿几百条没有标签的就诊记录，量两个模型的遮字损失，旁边放上一元模型（理论 ④）。高过一元模型的排除；都低，就把它们和 TF-IDF 一起用三百条标签跑几个种子，看判定。词表不同的话，每个字的损失不能直接比（一个词元可能是半个词），就各自和自己词表的频率表比，看低了多少。
#
# </details>

# %% [markdown] lang="zh"
# **三**　“预训练总没有坏处，最多没用。”用今天的数反驳他，并且说一个原因。
#
# <details><summary>展开答案</summary>
#
# 读小册子几秒的模型，第 3 节里没有胜过什么也没读过的（一个种子，所以是“没有看见好处”，不是“有害”）；而读了 77 分钟别的书的百科，用 400 条标签教出来，和随机分不出（理论 ③、④）。原因：读得太少时，骨干学到的是“到处都说最常见的字”，各处交出的东西雷同，分类头无从下手；随机的骨干至少让不同的句子保持不同。时间也是坏处：它花掉的秒数，够 TF-IDF 练上十几遍。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student pretrained a small model and reports: "Ten minutes, and the loss went from 9.1 to 6.4; it learns very well." Which number do you ask for first?
#
# <details><summary>Open the answer</summary>
#
# The loss of a unigram model on the same paper (theory ②). If that is 6.5, nearly all that was learned is which characters are common, and counting would have done it; if it is 8.0, then context was learned. And ask one more thing: was the 6.4 measured on texts that were not read?
#
# </details>

# %% [markdown] lang="en"
# **Two.** You are to classify notes from a hospital, and there are two models: A was pretrained on news and has 500 million parameters, B on medical notes, with 10 million. There are three hundred labels. How could you rule one out without using any of them?
#
# <details><summary>Open the answer</summary>
#
# Take some hundred notes without labels, and measure the masked loss of both, with the unigram model beside it (theory ④). What lies above the table is out; if both are below, run them and TF-IDF on the three hundred labels with several seeds, and look at the verdict. Where vocabularies differ, losses a token don't compare (a token may be half a word); then compare each with the table of its own vocabulary, and see how far below it lies.
#
# </details>

# %% [markdown] lang="en"
# **Three.** "Pretraining never does harm; at worst it is of no use." Refute that with today's numbers, and give a reason.
#
# <details><summary>Open the answer</summary>
#
# In section 3 the model that read the booklet for seconds did not beat the one that never read (one seed, so "no gain was seen", not "it harms"); and the one that read other books for 77 minutes can't be told from random when taught with 400 labels (theories ③, ④). The reason: with too little read, what the backbone has learned is to say the commonest character everywhere; what it hands up is alike at all places, and the head has little to go by, whereas a random backbone at least keeps different sentences different. And there is the time: its seconds would train TF-IDF ten times over and more.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **读久一点**：`STEPS = 2500`，从头运行。看损失离虚线多远，再看第 3 节的名次变没变。
# - **换成你的文字**：`texts` 换成你的文本文件的行。
# - **练习 06**：亲手遮字，绑定权重，搬骨干，最后在预算之内挑选该读的文字。
# - **笔记 07**：数据。标签从哪里来，哪里会错，错了怎么发现。

# %% [markdown] lang="en"
# ## Where next
#
# - **Read longer**: `STEPS = 2500`, and run from the top. See how far below the dashed line the loss gets, and whether the ranking of section 3 changes.
# - **Text of your own**: put the lines of your file in place of `texts`.
# - **Exercises 06**: hide characters, tie weights, move a backbone with your own hands, and at last choose within a budget what should be read.
# - **Notebook 07**: data. Where labels come from, where they go wrong, and how to find out.
