# %% [markdown] lang="zh"
# # 03 · 只训练一小片：LoRA、适配器、提示
#
# 一本几百页的教科书，要让它适合你的班，你不会重印一本。你在页边贴几张便签：这一条改一改；在书里夹两页讲义；或者在扉页写一段话：“读的时候，请留意下面几件事。”书一个字没动，学生却读出了不一样的东西。
#
# 微调也可以这样做。模型是书，便签叫 **LoRA**，夹进去的讲义叫**适配器**，扉页上的话叫**前缀**。一片只有整个模型的百分之几那么大。这本笔记把它们一个个拆开：先亲手写，再和通行的库对账，然后放在同一张考卷上比。
#
# **做完以后，你能够**
#
# 1. 算出一次微调要多少内存、一个任务要存多少，钱花在哪里；
# 2. 量一量微调到底改动了多少，集中在几个方向上；
# 3. 亲手写出 LoRA 和适配器，各不到四十行，并证明和库里的一模一样；
# 4. 手算一次带前缀的注意力；
# 5. 说清哪一种能并回原模型，哪一种不能，为什么；
# 6. 用带区间的成绩把五种策略和一个对照放在一起比，也说得出这些成绩**不能**说明什么；
# 7. 让一个底座带上两种本领，随时切换。
#
# **怎么读**：做过笔记 01 就够了，大约 75 分钟。每一格之前有一个问题，先猜再运行。

# %% [markdown] lang="en"
# # 03 · Training a sliver: LoRA, adapters, prompts
#
# You have a textbook of some hundred pages, and your class needs it slightly different. You will not print it anew. You stick notes into the margin: read this line so; you lay two sheets of your own between the pages; or you write on the flyleaf: "while reading, keep the following in mind". Not a letter of the book has changed, and yet the class gets something else out of it.
#
# Fine-tuning can be done like that. The model is the book, the notes in the margin are called **LoRA**, the inserted sheets are **adapters**, and the words on the flyleaf are a **prefix**. Each is a sliver of a few per cent of the model. This notebook takes them apart one by one: first we write each by hand, then we settle accounts with the library that the world uses, and at the end they all sit the same exam.
#
# **At the end you will be able to**
#
# 1. work out how much memory a fine-tune takes and how much a task takes on disk, and say what the money goes into;
# 2. measure how much fine-tuning really changes, and in how many directions;
# 3. write LoRA and the adapter in under forty lines each, and prove them equal to the library's;
# 4. work out attention with a prefix by hand;
# 5. say which of them can be merged into the model and which can't, and why;
# 6. compare five strategies and a control by scores with intervals, and say what these scores do **not** show;
# 7. let one base carry two skills and switch between them.
#
# **How to read it.** Having done notebook 01 is enough; it takes about 75 minutes. A question stands before each cell: guess first, then run. The reviews are Chinese, and you can follow without reading a character.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 模型和设备照旧，由 `lk.equipment()` 去看。训练只取 160 行，而且只留 24 个字以内的短评论：一来每格只要几秒，二来行少的时候，人们才最想知道能不能少训练一点。`config` 里没有写学习率和轮数，意思是：由每种策略用它自己的（第 9 节会讲为什么）。

# %% [markdown] lang="en"
# Model and device are found by `lk.equipment()`, as before. We take 160 training rows, and only reviews of 24 characters or fewer: a cell then takes seconds, and it is when rows are few that people most want to know whether they can train less. The `config` names neither learning rate nor epochs, which means: each strategy takes its own (section 9 says why).

# %%
from dataclasses import replace

MODEL, DEVICE = lk.equipment()
whole = lk.reviews()
short = {name: tuple(row for row in rows if len(row.input) <= 24) for name, rows in whole.splits.items()}
corpus = replace(whole, **short).limit(160)
config = lk.TrainConfig(device=DEVICE, precision="fp32")


def fresh():
    return lk.load(MODEL, labels=corpus.labels).to(DEVICE)


# %% [markdown] lang="zh"
# 还有三样贯穿全篇的东西。`plain` 是一个谁也没碰过的模型，留作对照；`logits` 把一批句子交给模型，取回它给各类打的分（logits），默认问验证集的全部句子；`count` 数正在训练的参数。

# %% [markdown] lang="en"
# And three things for the whole way. `plain` is a model that nobody has touched, kept for comparison; `logits` asks a model about texts, all those of the validation set unless told otherwise, and brings back the logits, the raw scores that it gives the classes; `count` counts the parameters that train.

# %%
plain = fresh()
tokenizer = plain.processor
texts = [row.input for row in corpus.valid]


def logits(model, texts=texts):
    inputs = tokenizer(texts, truncation=True, max_length=128, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**inputs.to(DEVICE)).logits


def trainable(model):
    return [p for p in model.parameters() if p.requires_grad]


def count(model):
    return sum(p.numel() for p in trainable(model))


# %% [markdown] lang="zh"
# 最后是安全绳，用法和笔记 01 一样：`expect` 先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。

# %% [markdown] lang="en"
# Last the safety rope, as in notebook 01: `expect` prints your number, then our reference and its range, and a ✗ outside it.

# %%
expect = lk.expect("03")

# %% [markdown] lang="zh"
# ## 1 账单：训练为什么是使用时的四倍
#
# > **理论 ①** 一个在训练的参数要记四个数：它自己、它的梯度、优化器的两个动量。冻结的参数只要记一个。
#
# 笔记 01 里的 AdamW 给每个参数各配一个步幅，还带着惯性。步幅和惯性都得记住，各是一个数。**猜**：走完一步之后，权重、梯度、动量各占多少 MB？我们的模型有一百六十万个参数，每个数四个字节。

# %% [markdown] lang="en"
# ## 1 The bill: why training costs four times as much as using
#
# > **Theory ①** A parameter that trains costs four numbers: itself, its gradient, and two moments of the optimizer. A frozen one costs a single number.
#
# The AdamW of notebook 01 gives each parameter a stride of its own and some momentum. Both must be remembered, and each is one more number. **Guess**: after one step, how many MB are weights, gradients and moments? Our model has 1.6 million parameters, and a number takes four bytes.

# %%
lk.guess("03.1", 5, 8)

# %%
trial = fresh()
optimizer = torch.optim.AdamW(trial.parameters())
inputs = tokenizer(texts[:4], padding=True, return_tensors="pt").to(DEVICE)
trial(**inputs).logits.sum().backward()
optimizer.step()

# %%
moments = [x for state in optimizer.state.values() for x in state.values() if x.ndim]
kinds = {
    tr("权重", "weights"): [*trial.parameters()],
    tr("梯度", "gradients"): [p.grad for p in trial.parameters()],
    tr("动量", "moments"): moments,
}
for name, tensors in kinds.items():
    print(name, round(sum(4 * x.numel() for x in tensors) / 1e6, 1), "MB")
lk.scored("03.1", round(sum(4 * x.numel() for x in moments) / 1e6, 1))

# %% [markdown] lang="zh"
# 一份、一份、两份，合计四份。对我们的小模型，这不过是二十几 MB；换成大的，就是买得起和买不起的差别。假设有一个 70 亿参数的模型（图里写作 7B，旁边放着 BERT-base）：**猜**，全部训练要多少 GB？只训练百分之一呢？

# %% [markdown] lang="en"
# One part, one part, two parts: four in all. For our small model that makes some twenty MB. For a large one it decides whether you can afford it. Take a model of 7 billion parameters (7B in the picture, with BERT-base beside it). **Guess**: how many GB does it take to train all of it, and how many to train one per cent?


# %%
lk.guess("03.1b", 20, 60)


# %%
def gigabytes(total, share):
    return (4 * total + 12 * total * share) / 1e9


sizes = {"BERT-base": 102e6, "7B": 7e9}
bill = {f"{name}, {share:.0%}": gigabytes(n, share) for name, n in sizes.items() for share in (1, 0.01)}
lk.scored("03.1b", round(gigabytes(7e9, 1)))
lk.plots.bars(bill, tr("权重、梯度和动量", "Weights, gradients and moments"), "GB")

# %% [markdown] lang="zh"
# **读图**：70 亿参数全部训练，112 GB，是权重的四倍；只训练百分之一，不到 29 GB，几乎只剩权重本身的 28 GB。（图里按每个数四字节算；大模型常用两字节存权重，数目变小，道理不变。）不过账要算全：前向时还要为反向留下各层的中间结果，叫**激活值**，这一笔随批大小和句子长度涨。PyTorch 让人旁听：每留下一个张量，就告诉我们一声。**猜**：只训练头，激活值省下几成？LoRA 呢？

# %% [markdown] lang="en"
# **Reading it**: with all 7 billion training, the bill is 112 GB, four times the weights; with one per cent it is under 29 GB, hardly more than the 28 GB of the weights themselves. (Four bytes a number here; large models often store their weights in two, which makes the amounts smaller and leaves the argument as it is.) But the whole bill has one more item: the forward pass keeps the results between the layers, the **activations**, for the backward pass, and that part grows with the batch and the length of the texts. PyTorch lets us listen: it tells of each tensor that it keeps. **Guess**: how much of them does training the head alone save? And LoRA?


# %%
def bill_of(strategy):
    model, kept = strategy.prepare(fresh()).train(), {}
    own = {p.data_ptr() for p in model.parameters()}

    def keep(x):  # what the forward pass leaves for the backward pass
        if x.data_ptr() not in own:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    optimizer = torch.optim.AdamW(trainable(model))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = model(**inputs).logits.sum()
    loss.backward()
    optimizer.step()
    moments = [x for state in optimizer.state.values() for x in state.values() if x.ndim]
    numbers = (model.parameters(), [p.grad for p in trainable(model)], moments)
    return [*(sum(4 * x.numel() for x in part) / 1e6 for part in numbers), sum(kept.values()) / 1e6]


# %%
lk.guess("03.1c", 1, 10)

# %%
long = sorted(whole.train, key=lambda row: -len(row.input))[:16]
inputs = tokenizer([row.input for row in long], truncation=True, max_length=64, padding=True, return_tensors="pt")
inputs = inputs.to(DEVICE)
four = {"full": lk.Full(), "top-2": lk.TopK(2), "lora": lk.LoRA(), "head": lk.HeadOnly()}
bills = {name: bill_of(strategy) for name, strategy in four.items()}
for name, bill in bills.items():
    expect(f"activations {name}", bill[3], guess="03.1c" if name == "lora" else None)

# %%
fig, axes = lk.plots.figure(6.4, 2.8)
left = [0.0] * len(bills)
parts = [*kinds, tr("激活值", "activations")]
for i, (part, colour) in enumerate(zip(parts, lk.plots.COLOURS, strict=False)):
    widths = [bill[i] for bill in bills.values()]
    axes.barh(list(bills), widths, left=left, color=colour, height=0.6, label=part)
    left = [a + b for a, b in zip(left, widths, strict=True)]
axes.set(title=tr("16 行、64 个词元的一步", "One step of 16 rows, 64 tokens each"), xlabel="MB")
axes.invert_yaxis()
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：前三段照**理论 ①** 的价目表缩短：顶部两层剩四分之一，LoRA 和头几乎不剩。最长的却是激活值。在我们这里，全量微调 35 MB，顶部两层 17 MB，LoRA 24 MB，头不到 1 MB。LoRA 只训练百分之二的参数，激活值还留着七成：最底下那一对矩阵也要梯度，回程得穿过所有的层（笔记 02 的理论 ①）；省下的三成，是冻结的矩阵用不着的输入。所以“LoRA 省内存”说的是前三段，批大、句子长的时候，大头在第四段。
#
# 算出来的账，机器认不认？另开一个程序，只许它比起步时多用 115 MB（Linux 的 `setrlimit`），各走两步，一批 48 行。**猜**：四种里谁走不动？（再想一想：有别的办法让它走得动吗？）

# %% [markdown] lang="en"
# **Reading it**: the first three pieces shrink as **theory ①** has it: the top two layers keep a quarter of gradients and moments, LoRA and the head next to nothing. The longest piece is another one, the activations: with us 35 MB for full fine-tuning, 17 MB for the top two layers, 24 MB for LoRA, less than 1 MB for the head. LoRA trains two per cent of the parameters and keeps seven tenths of the activations. Its lowest pair of matrices wants a gradient too, so the way back leads through all layers (theory ① of notebook 02); the three tenths saved are inputs that frozen matrices have no use for. "LoRA saves memory" is said of the other three pieces; with large batches and long texts, most of the bill is the fourth.
#
# So much for sums on paper; does a machine agree? Another process may take just 115 MB more than it starts with (`setrlimit` on Linux), for two steps of 48 rows by each. **Guess**: which of the four can't go? (And think: is there another way to make it go?)

# %%
lk.guess("03.1d", choice="lora")

# %%
import os
import subprocess
import sys

WEAK = """
import copy, resource, sys, torch, labkit as lk

torch.set_num_threads(1)
base, ids = lk.load(sys.argv[1], labels=("a", "b")), torch.randint(5, 1000, (48, 64))

def steps(strategy, ids, pieces):
    model = strategy.prepare(copy.deepcopy(base)).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    for _ in range(2):
        for piece in ids.chunk(pieces):
            model(input_ids=piece).logits.logsumexp(-1).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

steps(lk.Full(), ids[:1, :8], 1)  # what torch sets up once
used = next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + (115 << 20), -1))
for name, strategy, pieces in (
    ("full", lk.Full(), 1), ("top-2", lk.TopK(2), 1), ("lora", lk.LoRA(), 1), ("head", lk.HeadOnly(), 1),
    ("full, 3 x 16", lk.Full(), 3),
):
    try:
        steps(strategy, ids, pieces)
        print(f"{name:<14}+")
    except (RuntimeError, MemoryError):
        print(f"{name:<14}- out of memory")
"""

# %% tags=["nbval-ignore-output"]
whole_blocks = {"MALLOC_MMAP_THRESHOLD_": "100000"}  # what is freed goes back to the system at once
weak = subprocess.run(
    [sys.executable, "-c", WEAK, MODEL], env=os.environ | whole_blocks, capture_output=True, text=True
)
print(weak.stdout or tr("这里限制不了内存：要 Linux。", "No memory limit can be set here: it takes Linux."))
if stuck := [line.split()[0] for line in weak.stdout.splitlines() if "memory" in line]:
    lk.scored("03.1d", stuck[0])

# %% [markdown] lang="zh"
# 认账：只有全量微调走不动，LoRA 勉强走得动。再看最后一行，同样的全量微调，把 48 行分成三份，每份反向一次，攒够了再迈步（**梯度累积**，笔记 05），就走得动了，梯度一点没变。所以“机器弱，就冻结”只说了一半：弱在内存，分份也行，付出的是时间；弱在时间，冻结才省得多。只有权重、梯度、动量自己就放不下的大模型，才非冻结不可。
#
# 内存之外还有两笔。**磁盘**：十个任务，全量微调要存十个整模型。**遗忘**：每个权重都可以动，原来的本领就可能被改掉；底座一个比特不动，就不会。
#
# 那么问题来了：一个任务，到底需要多少改动？

# %% [markdown] lang="en"
# It does: only full fine-tuning can't go, and LoRA just can. Now the last line: the same full fine-tuning with its 48 rows in three pieces, going backward for each and making one step when all are there (**gradient accumulation**, notebook 05), goes, with the very same gradient. "A weak machine, so freeze" is half of the truth. Where memory is short, pieces will do and cost time; where time is short, freezing is what saves it. Only a model whose weights, gradients and moments alone don't fit has to be frozen.
#
# Besides memory there are two more sums. **Disk**: ten tasks fine-tuned in full are ten whole models. **Forgetting**: where every weight may move, an earlier skill may be overwritten; while the base keeps every bit, it can't be.
#
# Which leads to the question: how much change does a task need?

# %% [markdown] lang="zh"
# ## 2 一个任务要改动多少
#
# > **理论 ②** 微调对一个矩阵的改动，分量主要落在少数几个方向上。
#
# 这句话是 LoRA 的根据，常被引用，很少被量。我们量。先老老实实做一次全量微调。

# %% [markdown] lang="en"
# ## 2 How much change does a task need?
#
# > **Theory ②** What fine-tuning changes in a matrix lies mostly in a few directions.
#
# LoRA rests on this sentence. It is often quoted and seldom measured; so let us measure. First an honest full fine-tune.

# %%
trainer = lk.Trainer(fresh(), corpus, lk.Full(), config)
expect("tuned", trainer.fit().valid_accuracy)
tuned = trainer.model


# %% [markdown] lang="zh"
# 现在拿练过的减去没练过的：各层里每个矩阵都有一个差，叫 $\Delta W$。

# %% [markdown] lang="en"
# Now subtract the untrained from the trained: each matrix in the layers gives a difference, called $\Delta W$.


# %%
def changes(model):
    before = dict(plain.named_parameters())
    for name, parameter in model.named_parameters():
        if ".layer." in name and parameter.ndim == 2:
            yield name, before[name].detach(), (parameter - before[name]).detach()


# %% [markdown] lang="zh"
# 一个矩阵用在几个**方向**上？线性代数有一把现成的尺子：**奇异值**。任何矩阵都能拆成一串“只有一个方向”的矩阵之和，奇异值就是每一个的大小，从大到小排好。把它们平方、累加、除以总和，就得到：最大的 r 个方向，占了改动的几成。
#
# 光有一个数没法判断，要有对照。对照一：同样形状的纯噪声；对照二：权重矩阵自己。**猜**：128 个方向里最大的 8 个，在三者里各占多少？

# %% [markdown] lang="en"
# How many **directions** does a matrix use? Linear algebra has the ruler ready: **singular values**. Any matrix is a sum of matrices with a single direction each, and the singular values are their sizes, the largest first. Square them, add them up one after the other, divide by the total, and you have what share of the change its r largest directions hold.
#
# A number alone says nothing; it needs something to stand beside. So we take two controls: pure noise of the same shape, and the weight matrices themselves. **Guess**: of 128 directions, how much do the largest 8 hold in each of the three?


# %%
lk.guess("03.2", 0.3, 0.6)


# %%
def energy(matrix):
    squares = torch.linalg.svdvals(matrix) ** 2
    return (squares.cumsum(0) / squares.sum()).cpu()


torch.manual_seed(0)
curves = {
    "change": [energy(change) for _, _, change in changes(tuned)],
    "weights": [energy(before) for _, before, _ in changes(tuned)],
    "noise": [energy(torch.randn_like(before)) for _, before, _ in changes(tuned)],
}
for key, found in curves.items():
    expect(key, torch.stack(found).mean(0)[7].item(), guess="03.2" if key == "change" else None)

# %%
fig, axes = lk.plots.figure(6.4, 3.4)
names = (tr("改动", "the change"), tr("权重自己", "the weights themselves"), tr("噪声", "noise"))
for found, name, colour in zip(curves.values(), names, lk.plots.COLOURS, strict=False):
    found = torch.stack(found)[:, :64]
    axes.fill_between(range(1, 65), found.amin(0), found.amax(0), color=colour, alpha=0.2, lw=0)
    axes.plot(range(1, 65), found.mean(0), color=colour, lw=2, label=name)
axes.set(title=tr("改动集中在几个方向上？", "In how many directions does the change lie?"))
axes.set(xlabel=tr("最大的 r 个方向", "the r largest directions"), ylabel=tr("所占份额", "share that they hold"))
axes.axvline(8, color="#888888", ls=":")
axes.legend(loc="lower right")
fig

# %% [markdown] lang="zh"
# **读图**：线是各矩阵的平均，色带从最低的矩阵铺到最高的，点线在 8。改动的平均线一起步就冲得很高，到 8 是七成，权重自己只有三成，噪声不到两成：它确实集中。但是请看完整：色带很宽，在 8 那里从四成铺到九成，有的矩阵 8 个方向就差不多了，有的要几十个才够；平均线也还没有到顶。所以**理论 ②** 说“主要”，不说“全部”。严格说来，$\Delta W$ 是满秩的，只是尾巴很轻。还要记得我们只练了三十步、160 行，任务也不难：换一个大任务，要重新量过才知道。
#
# 份额是几何，我们要的是答案。不如直接试：把每处改动砍到只剩最大的 r 个方向，再问同样的问题。

# %% [markdown] lang="en"
# **Reading it**: a line is the mean over the matrices, its band goes from the lowest matrix to the highest, and the dots mark 8. The line of the change shoots up at once: by 8 it is at seven tenths, where the weights themselves have three and noise not even two. It is concentrated. But read all of it. The band is wide, and at 8 it goes from four tenths to nine: in some matrices 8 directions are nearly enough, others take dozens; and the line is not at the top yet. That is why **theory ②** says "mostly" and not "all": strictly speaking $\Delta W$ has full rank, only its tail is light. And remember that this was thirty steps on 160 rows, on a task that is not hard: for a big one, you would have to measure again.
#
# Shares are geometry, and what we want is answers. So let us try it: cut every change down to its r largest directions and ask the same questions again.

# %%
import copy


def cut(model, rank):
    smaller = copy.deepcopy(model)
    with torch.no_grad():
        for name, before, change in changes(model):
            u, s, v = torch.linalg.svd(change, full_matrices=False)
            smaller.get_parameter(name).copy_(before + u[:, :rank] * s[:rank] @ v[:rank])
    return smaller


# %% [markdown] lang="zh"
# r = 0 就是把各层的改动全部抹掉，只留下练过的嵌入和分类头。**猜**：每处只留 8 个方向，几成的验证句子答案不变？

# %% [markdown] lang="en"
# With r = 0 all that the layers learned is wiped out, and only the trained embeddings and head remain. **Guess**: with 8 directions left of each change, what share of the validation texts gets the same answer as before?

# %%
lk.guess("03.2b", 0.6, 0.9)

# %%
answers = logits(tuned).argmax(-1)
same = {r: (logits(cut(tuned, r)).argmax(-1) == answers).float().mean().item() for r in (0, 1, 2, 4, 8, 16)}
expect("kept", same[8], guess="03.2b")
title = tr("每处改动只留 r 个方向", "Each change cut to r directions")
lk.plots.bars({f"r = {r}": 100 * share for r, share in same.items()}, title, tr("答案不变，%", "same answers, %"))

# %% [markdown] lang="zh"
# **读图**：一个方向就过了九成五！8 个方向时，95 句里只有两句不同。**理论 ②** 站得住：不是改动只有 8 个方向，而是其余的方向对答案几乎没有影响。也别漏看最上面那一根：r = 0，各层的改动一点不留，还有八成多的答案不变，那是练过的嵌入和头的功劳。各层的改动管的是剩下的一成半。
#
# 那么反过来想：既然最后留下这么点就够，何不**一开始**就只许它改这么点？这一步是一个大胆的跳跃：事后砍掉和事前限制不是一回事。跳不跳得过去，第 9 节见分晓。

# %% [markdown] lang="en"
# **Reading it**: a single direction takes us past 95 in 100! With 8, only two of the 95 texts get another answer. **Theory ②** holds, in this sense: not that the change has only 8 directions, but that the others hardly matter for the answer. And don't miss the bar at the top: with r = 0 nothing is left of what the layers learned, and still more than eight answers in ten are the same, thanks to the trained embeddings and head. What the layers changed decides about the rest.
#
# Now turn it round. If so little is enough at the end, why not allow only so little **from the beginning**? Mind that this is a bold jump: cutting afterwards and limiting beforehand are two things. Whether it lands on the other side, section 9 will tell.

# %% [markdown] lang="zh"
# ## 3 LoRA，亲手写
#
# > **理论 ③** LoRA 把改动写成两个瘦矩阵的积：$W + \frac{\alpha}{r} B A$。$W$ 冻结，$B$ 从零开始，所以起点就是原来的模型。
#
# $A$ 把 128 个数压成 r 个，$B$ 再把 r 个展回 128 个：中间只有 r 条车道，改动自然最多 r 个方向。先看图：同样的一层，三种加法各加在哪里（第 6、7 节轮到另外两种）。它们合称**参数高效微调**（PEFT）。

# %% [markdown] lang="en"
# ## 3 LoRA by hand
#
# > **Theory ③** LoRA writes the change as a product of two thin matrices: $W + \frac{\alpha}{r} B A$. $W$ is frozen and $B$ starts at zero, so we begin exactly at the model that was there.
#
# $A$ squeezes 128 numbers into r, and $B$ spreads the r out to 128 again: there are only r lanes in the middle, so the change has r directions at most. First a picture: the same layer three times, and where each of the three additions goes (the other two have their turn in sections 6 and 7). Together they are called **parameter-efficient fine-tuning** (PEFT).

# %%
lk.plots.additions()

# %% [markdown] lang="zh"
# **读图**：从下往上，是一层。灰蓝的全部冻结，绿的是新加的，红的是原有而跟着练的。LoRA 贴在查询和值的旁边；适配器夹在残差之前，旁边的归一化也练；前缀摆在键和值的前面。LoRA 写出来，十行。

# %% [markdown] lang="en"
# **Reading it**: from the bottom up, this is one layer. All that is grey is frozen, green is added, red was there and trains along. LoRA stands beside query and value; an adapter sits before the residual sum, and the norm next to it trains too; a prefix is laid before keys and values. LoRA, written down, is ten lines.

# %%
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)


# %% [markdown] lang="zh"
# 为什么只让 $B$ 为零，$A$ 却要随机？$B$ 的梯度里乘着 $A$，$A$ 的梯度里乘着 $B$。两个都是零，谁也没有梯度，永远不动；一个是零，就既没有起始的影响，又走得起来。
#
# 接着把它装进模型。照最初的论文，装在每层注意力的**查询**和**值**两个映射上。其余全部冻结，只有分类头照常训练：它是随机的，不练不行。

# %% [markdown] lang="en"
# Why is only $B$ zero, and $A$ random? The gradient of $B$ is multiplied by $A$, and that of $A$ by $B$. Were both zero, neither would have a gradient, and nothing would ever move. With one of them zero there is no effect at the start, and yet it can set off.
#
# Next we put it into the model, where the first paper put it: on the **query** and the **value** map of each attention. Everything else is frozen, except the head, which is random and has to learn.


# %%
def head_only(model):
    head = set(lk.blocks(model)[-1].parameters)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name in head
    return model


def inject(model, rank=8, alpha=16):
    for layer in head_only(model).bert.encoder.layer:
        attention = layer.attention.self
        attention.query = LoRALinear(attention.query, rank, alpha)
        attention.value = LoRALinear(attention.value, rank, alpha)
    return model.to(DEVICE)


# %% [markdown] lang="zh"
# 全部就是这些，不到四十行。**猜**：刚装好、还没训练时，答案变了吗？正在训练的参数有多少个？（4 层，每层两处，每处两个 8 × 128 的矩阵；别忘了头。）

# %% [markdown] lang="en"
# That is all of it, in under forty lines. **Guess**: just installed and not yet trained, does it change any answer? And how many parameters train? (4 layers, two places in each, two matrices of 8 × 128 at each place; and don't forget the head.)

# %%
lk.guess("03.3", 20, 50)

# %%
mine = inject(fresh())
print(torch.equal(logits(mine), logits(plain)))
print(f"{count(mine):,} = {count(mine) - count(head_only(fresh())):,} + {count(head_only(fresh())):,}")
lk.scored("03.3", round(count(mine) / 1000))

# %% [markdown] lang="zh"
# `torch.equal` 要求每个比特都一样：起点就是原来的模型，**理论 ③**。数目是全模型的百分之二，而且请看加号两边：一半多是分类头，LoRA 自己还占不到一半。“只训练百分之几”的说法常常不提头，比较的时候要留心。

# %% [markdown] lang="en"
# `torch.equal` wants every bit alike: we start at the model that was there, as **theory ③** says. The number is two per cent of the model. And look at the two sides of the plus: more than half of it is the head; the LoRA part is less than half. People who say "only so many per cent" often leave out the head, so be careful when you compare.

# %% [markdown] lang="zh"
# ## 4 和 peft 对账
#
# 世界上大多数人用的 LoRA 来自一个叫 **peft** 的库，`lk.LoRA` 也是它。我们写的和它一样吗？不看源码也能查：让两边从同样的 $A$ 出发。两个模型里正在训练的张量，次序和形状恰好一一对应，搬过去只要一个循环。

# %% [markdown] lang="en"
# ## 4 Settling accounts with peft
#
# The LoRA that most of the world uses comes from a library called **peft**, and `lk.LoRA` is that one. Is ours the same? We can find out without reading its source: let both start from the same $A$. The tensors that train in the two models happen to stand in the same order with the same shapes, so that a loop carries them over.


# %%
def carry(source, target):
    with torch.no_grad():
        for here, there in zip(trainable(source), trainable(target), strict=True):
            there.copy_(here)


theirs = lk.Trainer(fresh(), corpus, lk.LoRA(rank=8, alpha=16), config).model
print(type(theirs).__name__, count(theirs) == count(mine))

# %% [markdown] lang="zh"
# 参数个数相同。下面训练我们自己的。在 labkit 里，“训练哪些”是一个策略，策略最要紧的是 `prepare`：拿到模型，还回一个准备好的。于是手写的 LoRA 只要三行就成了正式的策略。**猜**：练完以后，验证准确率是多少？

# %% [markdown] lang="en"
# As many parameters. Now train our own. In labkit, what trains is a strategy, and the heart of a strategy is `prepare`, which takes a model and gives back one that is ready. So three lines make a proper strategy out of our LoRA. **Guess**: after training, what is its validation accuracy?


# %%
lk.guess("03.4", 0.6, 0.75)


# %%
class MyLoRA(lk.LoRA):
    def prepare(self, model):
        return inject(model, self.rank, self.alpha)


trainer = lk.Trainer(fresh(), corpus, MyLoRA(), config)
mine = trainer.model
carry(theirs, mine)
my_run = trainer.fit()
expect("mine", my_run.valid_accuracy, guess="03.4")

# %% [markdown] lang="zh"
# 只动了百分之二的参数，成绩就到了同一带。现在反向搬一次：把练好的 $A$、$B$ 和头装进 peft 的模型，比两边的 logits。

# %% [markdown] lang="en"
# With two per cent of the parameters it got into the same region. Now carry things the other way: our trained $A$, $B$ and head go into peft's model. Then compare the two sets of logits.

# %%
carry(mine, theirs)
gap = (logits(mine) - logits(theirs)).abs().max().item()
print(tr("相差不到百万分之一：", "less than a millionth apart:"), gap < 1e-6)

# %% [markdown] lang="zh"
# 对上了：同样的数，同样的答案。还差半句：**训练过程**也一样吗？peft 的那个还没有自己练过。第 9 节它会从同样的起点练一遍，到时候逐步对账。

# %% [markdown] lang="en"
# The accounts agree: same numbers in, same answers out. Half a proof is missing: is the **training** the same too? Peft's has not trained by itself yet. In section 9 it will, from the same start, and then we compare step by step.

# %% [markdown] lang="zh"
# ## 5 合并，秩，α
#
# > **理论 ④** 线性的旁边加一个线性的，可以并成一个；非线性的不行。
#
# $Wx + \frac{\alpha}{r} B A x = (W + \frac{\alpha}{r} B A)\,x$。一条乘法分配律，意味着便签上的修改可以直接印进书里：合并以后没有任何多余的模块，跑起来和原模型一样快。

# %% [markdown] lang="en"
# ## 5 Merging, rank, α
#
# > **Theory ④** Something linear beside something linear can be made one; what is non-linear can't.
#
# $Wx + \frac{\alpha}{r} B A x = (W + \frac{\alpha}{r} B A)\,x$. One rule of arithmetic, and it means that the notes in the margin can be printed into the book: after merging there is no extra module left, and the model runs as fast as it did before.


# %%
def merge(model):
    merged = copy.deepcopy(model)
    with torch.no_grad():
        for layer in merged.bert.encoder.layer:
            for name in ("query", "value"):
                part = getattr(layer.attention.self, name)
                part.base.weight += part.scale * part.B @ part.A
                setattr(layer.attention.self, name, part.base)
    return merged


# %% [markdown] lang="zh"
# 合并后的模型不该多出参数，答案也该一样，只差舍入（先加后乘和先乘后加，末位不同）。

# %% [markdown] lang="en"
# The merged model should have no parameter more, and its answers should be the same but for rounding (adding first or multiplying first, the last digits differ).

# %%
merged = merge(mine)
gap = (logits(merged) - logits(mine)).abs().max() / logits(mine).abs().max()
print(sum(p.numel() for p in merged.parameters()) == sum(p.numel() for p in plain.parameters()))
print(tr("相对误差不到十万分之一：", "less than a hundred-thousandth, relatively:"), gap.item() < 1e-5)

# %% [markdown] lang="zh"
# 一个参数也不多，答案只差舍入。那么 r 和 α 各管什么？
#
# > **理论 ⑤** 秩 r 管有几个方向可走，α 管沿着它们走多远。
#
# 先看 r。合并后的模型减去原模型，就是 LoRA 的 $\Delta W$，它有几个不为零的奇异值？和第 2 节全量微调的 $\Delta W$ 摆在一起，取最上面一层的值映射。**猜**：两条线，哪条更高？哪条更长？

# %% [markdown] lang="en"
# Not one parameter more, and answers that differ by rounding. Then what do r and α do?
#
# > **Theory ⑤** The rank r says how many directions there are to go, α how far to go along them.
#
# First r. The merged model minus the plain one is LoRA's $\Delta W$. How many of its singular values are not zero? Put it beside the $\Delta W$ of the full fine-tune of section 2, for the value map of the top layer. **Guess**: which of the two lines is higher, and which is longer?

# %%
pairs = [module for module in mine.modules() if isinstance(module, LoRALinear)]
print([torch.linalg.matrix_rank(pair.B @ pair.A).item() for pair in pairs])

# %%
fig, axes = lk.plots.figure(6.4, 3)
for label, model, colour in ((tr("全量微调", "full"), tuned, "#4477aa"), ("LoRA, r = 8", merged, "#ee6677")):
    change = [change for name, _, change in changes(model) if "self.value" in name][-1]
    axes.plot(range(1, 25), torch.linalg.svdvals(change)[:24].cpu(), "o-", ms=4, color=colour, label=label)
axes.set(title=tr("最后一层 value 矩阵的改动", "The change of the last layer's value matrix"))
axes.set(xlabel=tr("方向，从大到小", "direction, the largest first"), ylabel=tr("奇异值", "singular value"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：八处的秩都是 8，一个不多；LoRA 的线到第 8 个方向就断崖般落到零，全量微调的线拖着长长的尾巴。可是前八个里，LoRA 的每一个都高得多，第一个是 0.64 对 0.24！**瘦，不等于轻**：路少了，每条路上就走得远。（它的学习率也比全量微调大好几倍。）所以不要把“参数少”听成“改动小”。
#
# 再看 α。它只是 $BA$ 前面的一个倍数，可以在练好之后当**音量旋钮**来拧：拧到 0，便签全部揭掉；1 是训练时的音量；再往上就是放大。**猜**：验证准确率会怎样变？

# %% [markdown] lang="en"
# **Reading it**: the rank is 8 at all eight places and never more. LoRA's line falls to zero like a cliff after the eighth direction, while that of full fine-tuning has a long tail. But each of LoRA's eight is much the larger; the first is 0.64 against 0.24! **Thin is not light**: with fewer roads it goes further along each. (Its learning rate is several times as high, too.) So don't hear "few parameters" as "little change".
#
# Then α. It is just a factor before $BA$, and after training one may turn it like a **volume knob**: at 0 all notes are taken off, 1 is the volume of training, and above that they get louder. **Guess** what becomes of the validation accuracy.

# %%
volumes, heard = (0, 0.25, 0.5, 1, 2, 4), []
for volume in volumes:
    for pair in pairs:
        pair.scale = volume * 16 / 8
    heard.append(lk.evaluate(mine, corpus.valid, max_length=128).accuracy)
for pair in pairs:
    pair.scale = 16 / 8

# %%
fig, axes = lk.plots.figure(6.4, 2.6)
axes.plot(volumes, heard, "o-", color="#4477aa")
bounds = [lk.wilson(round(score * len(corpus.valid)), len(corpus.valid)) for score in heard]
axes.fill_between(volumes, *zip(*bounds, strict=True), color="#4477aa", alpha=0.15, lw=0)
axes.axvline(1, color="#888888", ls=":")
axes.set(title=tr("把便签的音量拧小拧大", "The notes, turned down and up"))
axes.set(xlabel=tr("音量（训练时为 1）", "volume (1 while training)"), ylabel=tr("验证准确率", "validation accuracy"))
fig

# %% [markdown] lang="zh"
# **读图**：先看纵轴，它从 0.65 开始。从 0 到 2 是一片平地，起伏不过三个点，95 行里两三行的事，不必当真；开到 4，声音破了，一下子低了十几个点。最意外的是左端：便签全揭掉，竟只低两个点，可见这次的成绩多半是练过的头挣来的，便签添的那一点，这么少的行还量不清。训练时 α 的作用也是这样：它放大每一步的效果，和学习率管的几乎是同一件事。所以实践中常把 α 固定成 r 的一两倍，只调学习率。
#
# 秩该取多大？常用 4 到 16。第 2 节的柱子告诉你为什么这么小也行；任务离预训练越远、数据越多，越值得往上试。

# %% [markdown] lang="en"
# **Reading it**: first the upright axis, which begins at 0.65. From 0 to 2 the ground is level: ups and downs of three points, which is two or three of 95 rows and not to be taken seriously. At 4 the sound is distorted, and the score is more than ten points lower. The surprise is on the left: with all notes off it loses just two points. Most of this score was earned by the trained head, then, and what the notes add is too little to be measured with so few rows. While training, α works like that too: it amplifies what each step does, which is nearly the same thing that the learning rate does. That is why in practice one fixes α at once or twice r and tunes only the rate.
#
# And how large should r be? Usually 4 to 16. The bars of section 2 show why so little will do; the further a task lies from pretraining, and the more data there is, the more it pays to try larger ones.

# %% [markdown] lang="zh"
# ## 6 适配器：夹进去的讲义
#
# LoRA 是贴在旁边的；**适配器**是夹在中间的：每个注意力和每个前馈部分之后，插入一个小小的**瓶颈**，128 压到 16，弯一下（GELU），再展回 128，加到原来的数上。展开的那一半从零开始，所以起点同样是原来的模型。

# %% [markdown] lang="en"
# ## 6 The adapter: sheets between the pages
#
# LoRA is stuck on at the side; an **adapter** lies in between. After each attention and each feed-forward part comes a small **bottleneck**: from 128 down to 16, a bend (GELU), up to 128 again, and added to what came in. The way up starts at zero, so that once more we begin at the model that was there.


# %%
class Bottleneck(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(nn.functional.gelu(self.down(x)))


# %% [markdown] lang="zh"
# 插在哪里？每个部分最后那个线性映射的后面，也就是残差和归一化之前。`nn.Sequential` 一串就好。照论文，旁边的归一化也一起练。

# %% [markdown] lang="en"
# Where does it go? Behind the last linear map of each part, before the residual sum and the norm. A `nn.Sequential` strings the two together. As in the paper, the norms beside it train too.


# %%
def add_adapters(model, size=16):
    for layer in head_only(model).bert.encoder.layer:
        for part in (layer.attention.output, layer.output):
            part.dense = nn.Sequential(part.dense, Bottleneck(part.dense.out_features, size))
            part.LayerNorm.requires_grad_(True)
    return model.to(DEVICE)


by_hand, library = add_adapters(fresh()), lk.Adapter(size=16).prepare(fresh())
print(torch.equal(logits(by_hand), logits(plain)), torch.equal(logits(library), logits(plain)))

# %% [markdown] lang="zh"
# 两个都从原模型出发。和 `lk.Adapter` 对账：为了不让“两边都是零”蒙混过关，先把库里的随便推一把，再搬到我们的里面。

# %% [markdown] lang="en"
# Both begin at the plain model. Now settle accounts with `lk.Adapter`. So that "both are zero" can't pass for a proof, we first give the library's a random push and then carry it into ours.

# %%
torch.manual_seed(0)
with torch.no_grad():
    for parameter in trainable(library):
        parameter += 0.05 * torch.randn_like(parameter)
carry(library, by_hand)
gap = (logits(by_hand) - logits(library)).abs().max().item()
print(count(by_hand) == count(library), gap < 1e-6, torch.equal(logits(by_hand), logits(plain)))

# %% [markdown] lang="zh"
# 个数相同，答案相同；最后的 `False` 是在提醒：这次比的是两个真正有影响的适配器。
#
# 适配器能合并吗？**理论 ④** 说，要看它直不直，也就是是不是**线性**的。线性的意思是：两个输入之和的输出，等于输出之和（常数另算）。我们用随机输入问一问 LoRA 的一对，再问一个瓶颈。**猜**：谁是线性的？

# %% [markdown] lang="en"
# As many parameters, and the same answers; the `False` at the end reminds you that these were two adapters with a real effect.
#
# Can an adapter be merged? **Theory ④** says: see whether it is straight, in other words **linear**. Linear means that the output for the sum of two inputs is the sum of the outputs (constants aside). Ask a LoRA pair with random inputs, then a bottleneck. **Guess**: which is linear?

# %%
lk.guess("03.6", choice="both")

# %%
a, b = torch.randn(2, 5, plain.config.hidden_size, device=DEVICE)


def linear(f):
    return torch.allclose(f(a + b) + f(0 * a), f(a) + f(b), atol=1e-4)


straight = linear(pairs[0]), linear(by_hand.bert.encoder.layer[0].output.dense[1])
print(*straight)
lk.scored("03.6", {(True, False): "lora", (False, True): "adapter"}.get(straight, "both"))

# %% [markdown] lang="zh"
# 便签是线性的，可以印进书里；讲义是非线性的，只能一直夹着，每次读到这里都要多翻两页：使用时慢一点，永远如此。弯也不是白弯的：同样的个数，弯的能表示直的表示不了的东西。

# %% [markdown] lang="en"
# The note is linear and can be printed into the book; the sheet is not and has to stay between the pages, to be turned at every reading. So the model is a little slower in use, for good. The bend is not for nothing, though: with as many numbers, what bends can say things that what is straight cannot.

# %% [markdown] lang="zh"
# ## 7 前缀：扉页上的话
#
# > **理论 ⑥** 提示不改任何权重，只给注意力多摆几个可看的位置；所以它要占位置，也并不进去。
#
# 注意力是这样的：每个字拿自己的**查询**去和所有字的**键**相比，按相似程度分配目光，再按这份目光把各字的**值**混在一起。**前缀**就是在真字前面多摆几对键和值。它们不来自任何字，是直接学出来的，每一层各有一套。
#
# 取 peft 的 P-tuning v2，10 个位置。看这张表的形状：4 层，每层一个键一个值，各 128 个数。

# %% [markdown] lang="en"
# ## 7 The prefix: words on the flyleaf
#
# > **Theory ⑥** A prompt changes no weight; it only lays a few more places before attention to look at. So it takes up places, and can't be merged.
#
# Attention works like this: each character compares its **query** with the **keys** of all of them, shares out its gaze by likeness, and mixes their **values** in these shares. A **prefix** is a few more keys and values laid before the real ones. They come from no character; they are learned themselves, a set for each layer.
#
# Take peft's P-tuning v2, with 10 places. Look at the shape of its table: 4 layers, a key and a value in each, of 128 numbers.

# %%
prompted = lk.PTuningV2(tokens=10).prepare(fresh())
table = prompted.prompt_encoder["default"].embedding.weight.detach()
print(tuple(table.shape))

# %% [markdown] lang="zh"
# 128 个数要切成几个**注意力头**，各看各的（和分类头不是一回事）。下面 `attend` 的六行就是整个注意力；和普通的相比，只多了两个 `cat`。

# %% [markdown] lang="en"
# The 128 numbers are cut up among several **attention heads**, which look independently (and have nothing to do with the head that classifies). The six lines of `attend` are all of attention; the only thing that a prefix adds to it is `cat`, twice.

# %%
heads = plain.config.num_attention_heads


def split(x):
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def attend(layer, x, keys, values):
    keys = torch.cat([keys, split(layer.key(x))], dim=-2)
    values = torch.cat([values, split(layer.value(x))], dim=-2)
    scores = split(layer.query(x)) @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
    gaze = scores.softmax(-1)
    return (gaze @ values).transpose(-2, -3).flatten(-2), gaze


# %% [markdown] lang="zh"
# 怎么知道 peft 在第一层里到底算了什么？装一个窃听器（hook）：模型跑的时候，把那一层收到的和交出的记下来。然后用它收到的，自己算一遍，看对不对得上。

# %% [markdown] lang="en"
# How can we know what peft computes in the first layer? Tap the wire: a hook notes what that layer receives and what it hands on while the model runs. Then we take what it received, do the sum ourselves, and see whether they agree.

# %%
layer, seen = prompted.base_model.bert.encoder.layer[0].attention.self, {}
tap = layer.register_forward_hook(lambda module, args, out: seen.update(x=args[0], out=out[0]))
logits(prompted, ["味道好，送得快，还会再点"])
tap.remove()

# %%
per_layer = table.unflatten(-1, (-1, 2, heads, plain.config.hidden_size // heads))
keys, values = per_layer[:, 0].permute(1, 2, 0, 3)[:, None]
with torch.no_grad():
    out, gaze = attend(layer, seen["x"], keys, values)
print((out - seen["out"]).abs().max().item() < 1e-5, tuple(gaze.shape))

# %%
fig, axes = lk.plots.figure(6.4, 3.4)
axes.imshow(gaze[0].mean(0).cpu(), cmap="Blues", vmin=0)
axes.axvline(9.5, color="black", lw=2)
marks = ["CLS", *"味道好，送得快，还会再点", "SEP"]
axes.set_yticks(range(len(marks)), marks, fontsize=7)
axes.set_xticks(range(10 + len(marks)), [*range(1, 11), *marks], fontsize=7)
axes.set(title=tr("第一层的目光", "Who looks where in layer 1"))
axes.set(xlabel=tr("看哪里", "looks at"), ylabel=tr("谁在看", "who looks"))
axes.grid(False)
fig

# %% [markdown] lang="zh"
# 对上了。**读图**：一行是一个字的目光，颜色越深看得越多（几个注意力头的平均），各行的和都是 1；竖线左边是十个前缀位置，右边是真字。左边分走的，就是右边少掉的：前缀主要靠这个影响结果（下一格会看到它还有一个小小的副作用）。现在左边很淡，没练过的前缀，几乎没人看它。没有一个权重变了，也就没有什么可以合并。
#
# 由此还有两个后果。**猜**：没训练过的前缀，会改变答案吗？第二个是位置：512 个里少了十个。

# %% [markdown] lang="en"
# They agree. **Reading it**: each row is the gaze of one character, the darker the more (a mean over the attention heads), and adds up to 1; left of the upright line are the ten places of the prefix, right of it the real text. What goes to the left is missing on the right: that is how a prefix acts, above all (the next cell shows a small side effect). For now the left is pale: a prefix that has not trained is hardly looked at. No weight has changed, so there is nothing to merge.
#
# Two things follow. **Guess**: does a prefix that has not trained change the answers? The second is room: of 512 positions ten are gone.

# %%
lk.guess("03.7", choice="no")

# %%
same = torch.allclose(logits(prompted), logits(plain), atol=1e-3)
print(same)
lk.scored("03.7", "no" if same else "yes")
room = plain.config.max_position_embeddings
print(room, room - prompted.active_peft_config.num_virtual_tokens)

# %% [markdown] lang="zh"
# 会改变：扉页上先写了十句胡话，真字的位置也都往后挪了十格。LoRA 和适配器从零影响出发，前缀不能，这是它学得慢的一个原因。另一个原因在图里：梯度要穿过一层层的目光才能传到前缀，目光分给它多少，它就收到多少。
#
# **前缀微调**（prefix tuning）的作者为此加了一个小网络：练的时候，键和值由它从十个短向量生成，十个位置借着共同的网络互相带动；练完把结果抄下来，网络就扔掉。**P-tuning v2** 说不用，直接练，多给些轮数就是。**猜**：前缀微调训练的数，是存下来的几倍？

# %% [markdown] lang="en"
# It does: ten lines of nonsense were written on the flyleaf first, and every real character moved back by ten places. LoRA and the adapter begin without effect, a prefix can't, and that is one reason why it learns slowly. The other is in the picture: the gradient must come through the gaze of layer upon layer to reach a prefix, and it gets as much as it is looked at.
#
# The authors of **prefix tuning** therefore added a small network: while training, it makes the keys and values from ten short vectors, so that the ten places move one another along; when done, the result is written down and the network thrown away. **P-tuning v2** says there is no need: train them directly, just for more epochs. **Guess**: in prefix tuning, how many times as many numbers train as are saved?

# %%
lk.guess("03.7b", 2, 10)

# %%
import tempfile
from pathlib import Path

from safetensors.torch import load_file

box = Path(tempfile.mkdtemp())
for strategy in (lk.PrefixTuning(tokens=10), lk.PTuningV2(tokens=10)):
    model = strategy.prepare(fresh())
    lk.save(model, box / strategy.name)
    kept = load_file(box / strategy.name / "adapter_model.safetensors")["prompt_embeddings"]
    trained = count(model) - count(head_only(fresh()))
    print(f"{strategy.name:<11}{trained:>8,} → {kept.numel():,}")
    if strategy.name == "prefix":
        lk.scored("03.7b", round(trained / kept.numel(), 1))

# %% [markdown] lang="zh"
# 前缀微调训练时大了十几倍，存下来的却完全一样多。脚手架拆了，房子一样大。

# %% [markdown] lang="en"
# Prefix tuning is more than ten times as large while it trains, and exactly as large on disk. The scaffold has gone; the houses are of one size.

# %% [markdown] lang="zh"
# ## 8 哪些在训练，一张图一张表
#
# “只训练一小片”，是哪一片？笔记 02 的**冻结地图**一块一块地数：灰蓝的冻结，红的是原有而在训练的，绿的是新加的。先看 LoRA：选 `lora`，拨秩，看绿的一片怎样变宽；按“运行”，64 条评论练两轮，右边两列说出每一块收到多大的梯度、走了多远。孪生格子紧跟在后。再用一幅图看 P-tuning v2。留意红色出现在哪里，嵌入层动不动。

# %% [markdown] lang="en"
# ## 8 What trains, in pictures and a table
#
# A sliver trains, but which? The **freeze map** of notebook 02 counts block by block: grey-blue is frozen, red was there before and trains, green was added. First LoRA: choose `lora`, move the rank, and see how the green grows wider; press Run, which trains two epochs on 64 reviews, and the two columns on the right tell how large a gradient each block received and how far it went. The twin cell follows. Then P-tuning v2 in a picture. See where red shows, and whether the embeddings move.

# %%
some = corpus.limit(64)
panel = lk.ui.FreezeMap(some, MODEL, strategy="lora", epochs=2)
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
trainer = lk.Trainer(fresh(), some, lk.LoRA(), lk.TrainConfig(epochs=2))
with lk.watch(trainer.model) as seen:
    trainer.fit()
print(tr("和面板相同：", "as in the panel:"), lk.trainable_map(trainer.model, seen) == panel.moved)

# %%
lk.plots.anatomy(lk.trainable_map(lk.PTuningV2().prepare(fresh())), "P-tuning v2")

# %% [markdown] lang="zh"
# **读图**：两处的分类头都是红的；绿色在 LoRA 里均匀铺在各层，在 P-tuning v2 里自成一块。最大的一块嵌入层，两处都冻结着，面板也量到它没有动，而全量微调要为它的每一个数付四份钱。再看面板右边两列：分类头收到的梯度是各层的十倍以上，它走了自己长度的一成多，各层只走了百分之一左右。头是从随机开始的，路最长。
#
# **动手**：在新的一格里画适配器的：`lk.plots.anatomy(lk.trainable_map(lk.Adapter().prepare(fresh())))`。各层除了绿还有一丝红，那是什么？（第 6 节说过。）
#
# 现在真的存一遍，量文件。**猜**：全模型 6.4 MB，一片 PEFT 模块是多少 kB？

# %% [markdown] lang="en"
# **Reading it**: the head is red in both. With LoRA the green is spread evenly over the layers, with P-tuning v2 it makes a block of its own. The largest block, the embeddings, is frozen in both, and the panel measured that it did not move, while full fine-tuning pays four times for every number in it. Then the two columns on the right: the head gets more than ten times the gradient of any layer, and moved by more than a tenth of its own length, the layers by about a hundredth. It began at random, and has the longest way to go.
#
# **Try it**: draw the adapter's in a new cell, `lk.plots.anatomy(lk.trainable_map(lk.Adapter().prepare(fresh())))`. Beside the green there is a trace of red in its layers. What is that? (Section 6 said it.)
#
# Now really save them and measure the files. The whole model takes 6.4 MB. **Guess**: how many kB does a sliver take?

# %%
lk.guess("03.8", 20, 100)

# %%
strategies = [lk.Full(), lk.LoRA(), lk.Adapter(), lk.PrefixTuning(), lk.PTuningV2()]
on_disk = {}
for strategy in strategies:
    model = strategy.prepare(fresh())
    folder = box / "slivers" / strategy.name
    lk.save(model, folder)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    print(f"{strategy.name:<11}{count(model):>10,}{size / 1000:>7,.0f} kB")
    on_disk[strategy.name] = round(size / 1000)
lk.scored("03.8", on_disk["lora"])

# %% [markdown] lang="zh"
# 一个 PEFT 模块是整个模型的百分之二三，其中分类头（连池化层）约占 67 kB，每种都要付。模型越大，这一片相对越小：BERT-base 上同样的 LoRA 不到百分之一。

# %% [markdown] lang="en"
# A sliver is two or three per cent of the model. About 67 kB of it is the head (with the pooler), which each of them pays. The larger the model, the smaller the sliver beside it: the same LoRA on BERT-base is less than one per cent.

# %% [markdown] lang="zh"
# ## 9 五种策略，一个对照，一张考卷
#
# > **理论 ⑦** 每种方法有自己的步幅和路程；用同一个学习率、同样的轮数去比，比的是谁碰巧合脚。
#
# 全量微调的步幅拿给 LoRA 用，多半还没走远就到点了；反过来，LoRA 的步幅对全量微调又太大，笔记 01 里见过那道悬崖。所以每种策略带着自己的学习率和轮数来，都是预先试好的，不是看着这次的测试成绩挑的。

# %% [markdown] lang="en"
# ## 9 Five strategies, a control, one exam
#
# > **Theory ⑦** Each method has its own stride and its own distance to go; at one rate and as many epochs for all, you compare whom the shoe happens to fit.
#
# With the stride of full fine-tuning, LoRA has not got far when time is up; and LoRA's stride is too long for full fine-tuning, which is the cliff that you saw in notebook 01. So each strategy brings its own learning rate and epochs. They were settled beforehand, and not by looking at the test scores that follow.

# %%
for strategy in strategies:
    print(f"{strategy.name:<11}lr {strategy.default_lr(plain):g}, {strategy.default_epochs(plain)}", tr("轮", "epochs"))

# %% [markdown] lang="zh"
# `lk.compare` 给每种策略一个崭新的模型、同样的批次。

# %% [markdown] lang="en"
# `lk.compare` gives each strategy a fresh model and the same batches.

# %%
runs = lk.compare(strategies, corpus, model=MODEL, config=config)
for run in (*runs, runs.beside[0]):
    expect(run.strategy, run.test_accuracy)

# %% tags=["nbval-ignore-output"]
lk.table(runs)

# %%
lk.plots.forest(runs)

# %% [markdown] lang="zh"
# 先还第 4 节的账。这次的 LoRA 由 peft 自己训练，起点与我们手写的相同。

# %% [markdown] lang="en"
# First the debt of section 4. This LoRA was trained by peft, from the start that ours had too.

# %%
differences = [abs(x - y) for (_, x, _), (_, y, _) in zip(my_run.steps, runs[1].steps, strict=True)]
print(len(differences), tr("步，损失相同：", "steps, same losses:"), max(differences) < 1e-5)

# %% [markdown] lang="zh"
# 一步不差：你写的四十行，就是那个库做的事。
#
# **读图**：横线是 95 % 区间，199 行测试，每边约六个百分点。先看重叠：五条横线叠在一起，一个种子也说不出谁更稳。下图把每一对都判一遍，没上色的格子，请不要排名次。**猜**：五种策略配成十对，有几对会上色？

# %% [markdown] lang="en"
# Not a step apart: the forty lines that you wrote are what that library does.
#
# **Reading it**: the bars are 95 % intervals; with 199 test rows they reach about six points to each side. First look at the overlaps: all five bars lie over one another, and one seed does not tell who is steadier. The next picture judges every pair; where a square has no colour, do not rank. **Guess**: five strategies make ten pairs. How many of them get a colour?

# %%
lk.guess("03.9b", 4, 8)

# %%
judged = lk.verdicts(runs)
five = [run.strategy for run in runs]
expect("told apart", sum(v.word == "better" for v in judged if v.a in five and v.b in five), guess="03.9b")
lk.plots.verdicts(judged)

# %% [markdown] lang="zh"
# **读图**：左上角一片空白，十对里没有一对分得出高下，连头尾相差的 5 个点也在噪声之内。上色的只有右边和下边：五种策略都赢了 TF-IDF 和“永远猜多数”。一个种子的“分不出”是**不知道**，不是“一样”。
#
# 还缺一位**对照**。LoRA、适配器、前缀都带着一个在训练的头；第 5 节揭掉便签，成绩只低两个点。那么功劳是便签的，还是头的？只训练头，什么也不贴，比一比就知道。我们用八个种子跑过，每个种子抽不同的 160 行；怕有人说全量微调只走三轮不公平，也加上走满十轮的。记录随包带来。**猜**：哪几种赢得了头？LoRA 赢得了全量吗？

# %% [markdown] lang="en"
# **Reading it**: the upper left is blank. Not one of the ten pairs can be told apart; even the 5 points between first and last are inside the noise. Colour is only at the right and below: all five beat TF-IDF and "always the majority". "Not to be told apart" by one seed means **unknown**, not "equal".
#
# And a **control** is missing. LoRA, adapters and prefixes all come with a head that trains; in section 5 the notes came off and the score was only two points lower. So who earned it, the notes or the head? The head alone, with nothing added, will tell. We ran it with eight seeds, each drawing 160 rows of its own; and lest three epochs be unfair to full fine-tuning, there is one that goes the full ten. The records came with the package. **Guess**: which of them beat the head? Does LoRA beat full fine-tuning?

# %%
lk.guess("03.9", choice="unknown")

# %%
many = lk.runs("03-slivers")
every = [*many, *many.beside]
for name in ("lora", "prefix", "adapter", "ptuning-v2", "full", "full, 10 epochs"):
    print(lk.verdict(every, name, "head"))
found = lk.verdict(every, "lora", "head").word
lk.scored("03.9", "unknown" if found == "noise" else found)
print(lk.verdict(every, "lora", "full"))
print(lk.verdict(every, "lora", "full, 10 epochs"))

# %% [markdown] lang="zh"
# 现在可以判了。LoRA、前缀微调和适配器都真的比头好，四到六个点，区间整个在 0 以上：贴上去的那一点**有用**，不是头的功劳。P-tuning v2 和全量微调，160 行时和头分不出高下。LoRA 比三轮的全量高 4.4 个点，也是真的；可是让全量走满十轮，差距就剩 2.6，区间跨过了 0：领先里有一部分，只是多走了几轮（**理论 ⑦**）。所以能说的是：**行少的时候，动百分之二的参数不比动全部差，比只动头好**；不能说的是“LoRA 胜过全量微调”。旁边的 TF-IDF 平均 67.8 %，几乎不花时间，任何策略都得先对得起它。

# %% [markdown] lang="en"
# Now we can judge. LoRA, prefix tuning and adapters really are better than the head, by four to six points, with intervals all above 0: what they add **is of use**, it is not the head's doing. P-tuning v2 and full fine-tuning can't be told from the head with 160 rows. LoRA's 4.4 points over three epochs of full fine-tuning are real as well; but let full go ten epochs, and 2.6 are left, in an interval that holds 0: part of that lead was only a longer walk (**theory ⑦**). So this can be said: **with few rows, two per cent of the parameters are no worse than all of them, and better than the head alone**. "LoRA beats full fine-tuning" can't. The TF-IDF beside them, 67.8 % in the mean, took next to no time, and every strategy has to be worth more than that first.

# %% [markdown] lang="zh"
# 有一件事倒是看得清楚，看损失就行。**猜**：前三轮里，谁的训练损失（细线）降得最慢？到了最后，它追上来没有？

# %% [markdown] lang="en"
# One thing is plain to see, though, in the losses. **Guess**: over the first three epochs, whose training loss (thin) falls most slowly? And does it catch up in the end?

# %%
lk.guess("03.9c", choice="prefix")

# %%
lk.plots.curves(*runs)

# %%
third = {run.strategy: run.history[2].train_loss for run in runs}
print(tr("第三轮损失最低：", "lowest loss in epoch 3:"), min(third, key=third.get))
print(tr("第三轮损失最高：", "highest:"), max(third, key=third.get))
lk.scored("03.9c", max(third, key=third.get))

# %% [markdown] lang="zh"
# **读图**：前三轮里全量微调降得最快，P-tuning v2 最慢，第二轮还先升了一截，尽管它的学习率最大；其余几种在中间。第 7 节说过原因：起点带着胡话，梯度要穿过目光。可是看完十轮：它追了上来，细线最后降到 0.1 以下，和前缀微调一样低，训练行已经背熟了。再看粗线：除了三轮就停的全量微调，验证损失都掉头向上，P-tuning v2 的升得最高，超过了 1。所以它若想考得更好，缺的不是轮数：题已经背得太熟了。参数少，并不自动免疫过拟合。

# %% [markdown] lang="en"
# **Reading it**: over three epochs full fine-tuning is the fastest and P-tuning v2 the slowest, which even goes up in the second, although its rate is the highest; the others are in between. Section 7 gave the reasons: nonsense at the start, and a gradient that must come through the gaze. But read on to the tenth epoch: it catches up. Its thin line ends below 0.1, as low as that of prefix tuning, and the training rows are known by heart. Then the bold lines: apart from full fine-tuning, which stops after three epochs, every validation loss turns up, and that of P-tuning v2 goes highest, beyond 1. So epochs are not what it lacks for a better score; it knows its rows too well already. Few parameters are no vaccine against overfitting.

# %% [markdown] lang="zh"
# ## 10 存一小片，读一小片
#
# 手写的那片已经装进了 peft 的模型 `theirs`，现在存下来，看目录里有什么，有没有底座的权重。

# %% [markdown] lang="en"
# ## 10 A sliver on disk
#
# Our hand-made sliver sits in peft's model `theirs` already. Save it, and look into the folder: are the weights of the base among it?

# %%
import json

lk.save(theirs, box / "sentiment")
print(sorted(file.name for file in (box / "sentiment").iterdir()))
note = json.loads((box / "sentiment" / "adapter_config.json").read_text())
print(note["peft_type"], note["r"], note["lora_alpha"], len(note["target_modules"]))

# %% [markdown] lang="zh"
# 没有底座。`adapter_config.json` 里写着方法、秩、α，以及贴在哪 8 处；`adapter_model.safetensors` 是便签本身，也包括头。头为什么要一起存？它和便签是一起练的，配上一个随机的头，便签就成了废话。
#
# 这是 peft 的格式，所以没有装 labkit 的人也能用。下面只用 transformers 和 peft 读（第一行只是让两个库少说几句话；`lk.locate` 给出自带模型的目录，你的同事在这里写 `"bert-base-chinese"` 之类）。

# %% [markdown] lang="en"
# No base. `adapter_config.json` holds the method, the rank, α, and the 8 places where notes are stuck; `adapter_model.safetensors` holds the notes themselves, and the head. Why the head? It learned together with the notes; beside a random head they would be gibberish.
#
# This is peft's format, and so people without labkit can use it. Here we read it with transformers and peft alone (the first line only tells both libraries to talk less; `lk.locate` gives the folder of the packaged model, where a colleague would write `"bert-base-chinese"` or the like).

# %%
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

with lk.quiet():
    base = AutoModelForSequenceClassification.from_pretrained(lk.locate(MODEL), num_labels=2).to(DEVICE)
    loaded = PeftModel.from_pretrained(base, box / "sentiment")
print((logits(loaded) - logits(theirs)).abs().max().item() < 1e-6)

# %% [markdown] lang="zh"
# 要交给完全不认识 peft 的程序呢？先合并，存成普通模型。labkit 里，`lk.LoRA().merge` 做的就是第 5 节手写的事。**猜**：文件有几 MB？

# %% [markdown] lang="en"
# And for a program that has never heard of peft? Merge first, and save a plain model. In labkit, `lk.LoRA().merge` does what we wrote in section 5. **Guess** how many MB the file has.

# %%
lk.guess("03.10", 0.1, 1)

# %%
lk.save(lk.LoRA().merge(theirs), box / "merged")
whole = lk.load(box / "merged").to(DEVICE)
lk.scored("03.10", round((box / "merged" / "model.safetensors").stat().st_size / 1e6, 1))
gap = (logits(whole) - logits(theirs)).abs().max() / logits(theirs).abs().max()
print(type(whole).__name__, gap.item() < 1e-5)

# %% [markdown] lang="zh"
# 又是 6.4 MB 的普通 BERT。印进书里，就不再是一张便签：拆不下来，也不省地方了。（适配器 labkit 自己存、自己读：`lk.save` 和 `lk.load` 同样好用，但 peft 没有这一种。）

# %% [markdown] lang="en"
# A plain BERT of 6.4 MB again. Once printed into the book it is no longer a note: it can't be taken off, and saves no space. (The adapter is saved and read by labkit itself: `lk.save` and `lk.load` do it just as well, but peft does not have this kind.)

# %% [markdown] lang="zh"
# ## 11 一个底座，几种本领
#
# > **理论 ⑧** 底座不动，一个底座就能带很多片；换本领只是换一片。
#
# 再教一件事。评论来自六个领域，记在每行的 `domain` 里；新任务是判断花钱买的是**服务**（住酒店、点外卖、看电影）还是**商品**（书、衣服、手机）。同样的句子，换了标签，两类差不多一样多。

# %% [markdown] lang="en"
# ## 11 One base, several skills
#
# > **Theory ⑧** While the base stays as it is, it can carry many slivers; to change the skill is to change the sliver.
#
# Let us teach it something else. The reviews come from six domains, and each row says which in its `domain`; the new task is to tell whether the money went for a **service** (a hotel, a takeaway, an evening at the cinema) or for **goods** (books, clothes, phones). The same sentences with other labels, about half of each.


# %%
def by_domain(rows):
    return tuple(replace(row, target=int(row.extra["domain"] in ("hotel", "takeaway", "film"))) for row in rows)


splits = {name: by_domain(rows) for name, rows in corpus.splits.items()}
domains = replace(corpus, name="domain", task=lk.tasks.Classification(labels=("goods", "service")), **splits)

# %% [markdown] lang="zh"
# **猜**：比起判断褒贬，这个任务容易还是难？先写一个数。

# %% [markdown] lang="en"
# **Guess**: is this easier than telling praise from blame, or harder? Write a number down first.

# %%
lk.guess("03.11", 0.75, 0.9)

# %%
model = lk.load(MODEL, labels=domains.labels).to(DEVICE)
trainer = lk.Trainer(model, domains, lk.LoRA(), config)
run = trainer.fit()
lk.save(trainer.model, box / "domain")
expect("domain", run.test_accuracy, guess="03.11")

# %% [markdown] lang="zh"
# 远高于一半，离满分也还有一段，比第 9 节的 LoRA 判断褒贬还低几个点（一个种子，区间每边六个点，别说死）。你猜对了吗？说的是什么，常常写在字面上：房间、送餐、屏幕；可书和电影都谈剧情，哪家店都会送晚，光看几个字还不够。
#
# 现在两片装到**一个**底座上。`load_adapter` 读第二片，`set_adapter` 换片，底座在内存里只有一份。（peft 要求两片的头有同样多的行；我们两个任务都是两类，正好。）看换到哪片，答案是不是就和哪个单独的模型完全一样。

# %% [markdown] lang="en"
# Far above one half, some way from perfect, and some points below what LoRA had for praise and blame in section 9 (one seed, six points to each side: don't swear to it). Was that your guess? Often the words give it away: room, delivery, screen. But books and films both have plots, and any shop can be late, so a few words are not always enough.
#
# Now both slivers go onto **one** base. `load_adapter` reads the second, `set_adapter` switches, and the base is in memory just once. (Peft wants the heads of both to have as many rows; with two classes each, ours do.) See whether the answers are exactly those of the model with that sliver alone, or whether one sliver soils the other.

# %%
with lk.quiet():
    base = AutoModelForSequenceClassification.from_pretrained(lk.locate(MODEL), num_labels=2).to(DEVICE)
    both = PeftModel.from_pretrained(base, box / "sentiment", adapter_name="sentiment")
    both.load_adapter(box / "domain", adapter_name="domain")
for name, alone in (("domain", trainer.model), ("sentiment", theirs)):
    both.set_adapter(name)
    print(name, (logits(both) - logits(alone)).abs().max().item() < 1e-6)

# %% [markdown] lang="zh"
# 互不相干。把两种本领用在同样的四句话上。**猜**：哪些句子，哪一种本领会犹豫？

# %% [markdown] lang="en"
# They keep apart. Use both skills on the same four sentences: "tasty, quick, will order again"; "dirty, noisy room, poor service, not recommended"; "sharp screen, lasting battery, very content"; "yellowed paper, pages missing, so disappointed". **Guess**: at which sentence will which skill hesitate?

# %%
four = ["味道好，送得快，还会再点", "房间又脏又吵，服务也差，不推荐"]
four += ["屏幕清晰，电池耐用，很满意", "纸张发黄，还缺页，太失望了"]
fig, panels = lk.plots.figure(9, 2.4, columns=2)
titles = {"sentiment": tr("正面的概率", "P(positive)"), "domain": tr("服务的概率", "P(service)")}
for axes, (name, title) in zip(panels, titles.items(), strict=True):
    both.set_adapter(name)
    axes.barh(range(4), logits(both, four).softmax(-1)[:, 1].cpu(), color="#4477aa", height=0.6)
    axes.set(title=title, xlim=(0, 1))
    axes.set_yticks(range(4), four if name == "sentiment" else [""] * 4)
    axes.invert_yaxis()
fig

# %% [markdown] lang="zh"
# **读图**：同一个底座，同样的句子，换一片就换了一个问题。褒贬四句都判对了。服务还是商品，外卖、屏幕和书都答得干脆，只有酒店那句犹豫，而且答错了：三成多，倒向了商品。褒贬那一片也在它那里最没把握。一片只有七成上下的准头，四句里错一句，不奇怪。十个任务就是一份底座加十个小文件，而不是十个模型。
#
# 底座真的一个比特没动吗？`disable_adapter` 把便签暂时全揭掉，看一看。

# %% [markdown] lang="en"
# **Reading it**: one base, the same sentences; another sliver, and it answers another question. Praise and blame are right four times. Service or goods is clear for the takeaway, the screen and the book; at the hotel it hesitates, and gets it wrong: little more than 0.3, which means goods. The other sliver is least sure there, too. From a sliver that is right about seven times in ten, one mistake in four is no surprise. Ten tasks are one base and ten small files, not ten models.
#
# Has the base really kept every bit? `disable_adapter` takes all notes off for a while; look and see.

# %%
inputs = tokenizer(four, padding=True, return_tensors="pt").to(DEVICE)
with torch.no_grad(), both.disable_adapter():
    hidden = both.get_base_model().bert(**inputs).last_hidden_state
with torch.no_grad():
    print(torch.equal(hidden, plain.bert(**inputs).last_hidden_state))

# %% [markdown] lang="zh"
# 一个比特没动：预训练学到的随时可以原样取回。不过别听过了头：便签**贴着**的时候，模型已经是另一个模型，它那时忘没忘，要用笔记 02 的遗忘计去量；第 5 节已经看到，LoRA 走得并不近。

# %% [markdown] lang="en"
# Every bit: what pretraining learned can be had back at any time. But don't make too much of it. While the notes are **on**, it is another model, and whether that one has forgotten anything is for the forgetting meter of notebook 02 to say; section 5 showed that LoRA doesn't stay so near.

# %% [markdown] lang="zh"
# ## 12 什么时候用什么
#
# 下表是读数，不是法律；凡是和你的数据有关的，`lk.compare` 几分钟就能替你问清楚。
#
# | 你的处境 | 先试 | 因为 |
# |---|---|---|
# | 一个任务，机器够用 | 全量微调 | 最少的讲究，成绩的标杆（2、9） |
# | 模型大，内存紧 | LoRA | 冻结的只付一份（1） |
# | 上线后一点都不能慢 | LoRA，合并 | 并进去什么也不剩（5） |
# | 一个底座，许多任务 | LoRA 或适配器 | 换片就行（11） |
# | 不能合并也无妨，想多一点表达力 | 适配器 | 它会弯（6） |
# | 只能在输入上做文章 | 前缀、P-tuning v2 | 不动权重；起步慢，要留出位置（7、9） |
# | 只有几十行 | 只训练头，再试 LoRA | 先看看赢不赢得了 TF-IDF（9） |
#
# 回头看八句理论：
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 训练要四份，冻结只要一份 | 一份、一份、两份（1） |
# | ② | 改动主要在少数方向上 | 8 个方向，答案几乎全同；尾巴仍在（2） |
# | ③ | LoRA 是两个瘦矩阵，从零开始 | 起点每个比特都同，与 peft 步步都同（3、4、9） |
# | ④ | 线性的能并，非线性的不能 | LoRA 一个参数不多；瓶颈 `False`（5、6） |
# | ⑤ | r 管方向，α 管远近 | 悬崖在第 8 个；音量旋钮（5） |
# | ⑥ | 提示只加位置 | 竖线左边分走目光，少了 10 个位置（7） |
# | ⑦ | 各用各的步幅和路程 | 全量多走七轮，LoRA 的领先就说不准了（9） |
# | ⑧ | 一个底座，许多片 | 两种本领互不相干，底座未动（11） |

# %% [markdown] lang="en"
# ## 12 What to take when
#
# The table is a reading, not a law; whatever depends on your data, `lk.compare` can ask for you in minutes.
#
# | where you stand | try first | because |
# |---|---|---|
# | one task, a machine that can | full fine-tuning | least fuss, and the mark to reach (2, 9) |
# | a large model, little memory | LoRA | what is frozen is paid once (1) |
# | in use it must not be any slower | LoRA, merged | nothing is left over (5) |
# | one base, many tasks | LoRA or adapters | just change the sliver (11) |
# | merging doesn't matter, some more expression does | the adapter | it bends (6) |
# | you may only touch the input | prefix, P-tuning v2 | no weight moves; a slow start, and places to be left (7, 9) |
# | a few dozen rows | the head, then LoRA | see first whether TF-IDF is beaten (9) |
#
# And the eight sentences of theory:
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | training costs four parts, freezing one | one, one and two (1) |
# | ② | the change lies mostly in a few directions | 8 directions, nearly all answers the same; the tail is there (2) |
# | ③ | LoRA is two thin matrices and starts at zero | every bit alike at the start, peft's steps all along (3, 4, 9) |
# | ④ | the linear can be merged, the non-linear can't | LoRA: not one parameter more; bottleneck: `False` (5, 6) |
# | ⑤ | r counts directions, α says how far | the cliff after the eighth; the volume knob (5) |
# | ⑥ | a prompt only adds places | gaze left of the line, ten positions fewer (7) |
# | ⑦ | to each its own stride and distance | seven more epochs of full, and LoRA's lead is unsure (9) |
# | ⑧ | one base, many slivers | two skills kept apart, the base untouched (11) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　有人把 LoRA 的 $A$ 和 $B$ 都初始化为零，“这样更干净”。训练会怎样？如果都是随机的呢？
#
# <details><summary>展开答案</summary>
#
# 都是零：$B$ 的梯度里有因子 $A$，$A$ 的梯度里有因子 $B$，两个梯度都恒为零，LoRA 一步也不走，只有头在学（理论 ③；笔记 01 的理论 ⑤：没有梯度就没有步）。都是随机：走得起来，但第 0 步模型就被加上了一个随机的 $\Delta W$，预训练的语言先被搅乱，像没练过的前缀一样从胡话开始（第 7 节）。
#
# </details>

# %% [markdown] lang="zh"
# **二**　同学说：“LoRA 只训练百分之二的参数，所以训练快五十倍，也不会过拟合。”哪里不对？
#
# <details><summary>展开答案</summary>
#
# 前向一步不少，反向仍要穿过各层才能走到最底下那一对，省下的只是冻结权重自己的梯度和优化器的更新；第 9 节的表里，它每秒的行数比全量微调多不到一倍，轮数还更多。省得多的是内存和磁盘（理论 ①）。过拟合看的是能不能把训练行背下来：160 行面前，三万个参数绰绰有余，第 9 节里 LoRA 的细线和粗线照样越走越远；而且瘦不等于轻（第 5 节）。
#
# </details>

# %% [markdown] lang="zh"
# **三**　一份报告写道：“同样 5 轮、同样 2e-5，LoRA 比全量微调低 6 个点，可见 LoRA 不行。测试集 200 行，一个种子。”你有哪三个问题？
#
# <details><summary>展开答案</summary>
#
# 一问：为什么用同一个学习率？2e-5 是全量微调的步幅，LoRA 通常要大好几倍到十几倍，5 轮也可能没走完（理论 ⑦）。二问：区间多宽？200 行每边约五六个百分点，6 个点的差要成对地比才知道是不是噪声（笔记 01 的理论 ⑦）。三问：几个种子？头和 $A$ 都是随机的，换个种子也许就翻过来。顺便问一句，分类头练了没有。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** Somebody starts both $A$ and $B$ of LoRA at zero, "because that is cleaner". What will training do? And if both are random?
#
# <details><summary>Open the answer</summary>
#
# Both zero: the gradient of $B$ has the factor $A$, and that of $A$ the factor $B$, so both gradients are zero and remain so. LoRA doesn't move at all, and only the head learns (theory ③; and theory ⑤ of notebook 01: no gradient, no step). Both random: it does move, but at step 0 a random $\Delta W$ has been added, the language from pretraining is stirred up before anything is learned, and one starts from nonsense, like the untrained prefix (section 7).
#
# </details>

# %% [markdown] lang="en"
# **Two.** A fellow student says: "LoRA trains two per cent of the parameters, so it is fifty times as fast, and it can't overfit." What is wrong with that?
#
# <details><summary>Open the answer</summary>
#
# The forward pass is as long as ever, and the backward pass must still go through the layers to reach the lowest pair; what is saved is the frozen weights' own gradients and the optimizer's work on them. In the table of section 9 its rows per second are not even twice those of full fine-tuning, and it takes more epochs. What it saves is memory and disk (theory ①). Overfitting is whether the training rows can be learned by heart: for 160 rows, thirty thousand parameters are plenty, and in section 9 LoRA's thin and bold lines drift apart all the same. Besides, thin is not light (section 5).
#
# </details>

# %% [markdown] lang="en"
# **Three.** A report says: "With the same 5 epochs and the same 2e-5, LoRA is 6 points below full fine-tuning, so LoRA is no good. 200 test rows, one seed." Which three questions do you ask?
#
# <details><summary>Open the answer</summary>
#
# First: why the same rate? 2e-5 is the stride of full fine-tuning; LoRA usually wants several times that, often ten, and may not have arrived after 5 epochs (theory ⑦). Second: how wide is the interval? 200 rows make five or six points to each side, and whether a difference of 6 is noise has to be judged pair by pair (theory ⑦ of notebook 01). Third: how many seeds? Head and $A$ are random, and another seed may turn it round. And, in passing: did the head train?
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **别处也贴**：`lk.LoRA(where="all")` 把每一个线性映射都贴上。参数多了几倍，成绩呢？用 `lk.compare` 问。
# - **秩**：把 `[lk.LoRA(rank=r) for r in (1, 2, 8, 32)]` 交给 `lk.compare`，记得多给几个种子。
# - **轮数**：有人说 P-tuning v2 只是要多练。用 `replace(config, epochs=60)` 试试，成绩真会上去吗？先猜。
# - **你的数据**：把开头的 `corpus` 换成 `lk.load_csv("我的评论.csv")`，第 11 节换成你自己的第二个任务。
# - **练习 03**：LoRA、合并、瓶颈、前缀，换个样子自己写一遍，当场知道对不对：[03_lora_adapters_prompts](../../exercises/zh/03_lora_adapters_prompts.ipynb)。
# - **笔记 02**：冻结还是不冻结，什么时候可以说“更好”，以及怎样量遗忘。

# %% [markdown] lang="en"
# ## Where next
#
# - **More notes**: `lk.LoRA(where="all")` sticks one on every linear map. It has several times the parameters; and the score? Ask `lk.compare`.
# - **The rank**: give `[lk.LoRA(rank=r) for r in (1, 2, 8, 32)]` to `lk.compare`, with several seeds.
# - **Epochs**: some say that P-tuning v2 just wants more of them. Try `replace(config, epochs=60)`. Does the score really go up? Guess first.
# - **Your own data**: put `lk.load_csv("my_reviews.csv")` in place of `corpus` at the top, and a second task of your own into section 11.
# - **Exercises 03**: LoRA, merging, bottleneck and prefix in other clothes, to be written by yourself and checked on the spot: [03_lora_adapters_prompts](../../exercises/en/03_lora_adapters_prompts.ipynb).
# - **Notebook 02**: to freeze or not, when you may say "better", and how to measure forgetting.
