# %% [markdown] lang="zh"
# # 05 · 训练循环，当场看
#
# 一块怀表，表盘上只看见针在走。钟表匠不一样：他打开后盖，看哪个齿轮带动哪个齿轮，拨停，取下一个零件，装回去，再上弦，秒针从停下的地方接着走，一秒不差。
#
# 训练也是一块有三根针的表：**秒针**走一步是一批，**分针**走一格是一轮，**时针**走一圈是整次训练。笔记 01 里你写过它，`fit()` 一行也能叫它走。今天打开后盖：每个零件管什么，拿掉它会怎样，半路停电怎么接上。多数教程到“能跑”为止；可是训练出的毛病，十有八九在这里面，而且往往不报错。
#
# **做完以后，你能够**
#
# 1. 在黑板上画出训练循环，再把它写成代码，与 `Trainer` 的每一步损失相同；
# 2. 说出每一行放错位置的后果，知道哪种错误会喊，哪种一声不吭；
# 3. 用小批攒出大批，梯度一点不差；
# 4. 看懂热身、衰减和裁剪各管哪一段路；
# 5. 给一切随机安一个地址，量出“运气”有多大；
# 6. 一个事件一个事件地看着训练，随时停、接着走、早停取最好；
# 7. 半路存档，恢复到每一个比特；
# 8. 训练前先试探，训练后请医生，并从曲线的形状认出原因。
#
# **怎么读**：做过笔记 01 和 02 就够了，大约 60 分钟。每个实验之前有一个问题，把猜的写下来，再运行。

# %% [markdown] lang="en"
# # 05 · The training loop, live
#
# On the face of a pocket watch one only sees the hands go round. A watchmaker opens the back: sees which wheel drives which, stops the works, takes out a part, puts it back and winds it up again, and the second hand goes on from where it stood, not a second lost.
#
# Training is a watch with three hands. The **second hand** moves by a batch, the **minute hand** by an epoch, and the **hour hand** goes round once in a run. You wrote such a watch in notebook 01, and one line, `fit()`, makes it go. Today we open the back: what does each part do, what happens without it, and how does one go on after a power cut? Most tutorials end where the code runs; yet most of what goes wrong in training goes wrong in here, and usually without an error message.
#
# **At the end you will be able to**
#
# 1. draw the training loop on a board, and write it so that every loss equals the `Trainer`'s;
# 2. say what each line does when it stands in the wrong place, which mistakes shout and which keep quiet;
# 3. build a large batch out of small pieces with exactly the same gradient;
# 4. say which stretch of the way warm-up, decay and clipping look after;
# 5. give an address to everything that is random, and measure how large "luck" is;
# 6. watch a run event by event, stop it at any of them, go on, and let it keep its best epoch;
# 7. write a checkpoint half way and come back to the very bit;
# 8. sound out a run before it, ask the doctor after it, and read causes from the shape of a curve.
#
# **How to read it.** Having done notebooks 01 and 02 is enough; it takes about 60 minutes. A question stands before each experiment: write your guess down, then run.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 今天要训练几十次，所以每一次都要小：192 行训练（16 行一批，正好 12 批一轮），90 行验证，60 行测试，每行最多 48 个词元。这么少的行，成绩不会高；今天看的也不是成绩，而是机芯。

# %% [markdown] lang="en"
# We are going to train some dozens of times today, so each run has to be small: 192 training rows (in batches of 16 exactly 12 an epoch), 90 validation rows, 60 test rows, at most 48 tokens in each. With so few rows no score will be high; but today we look at the works, not at the score.

# %%
from dataclasses import replace

MODEL, DEVICE = lk.equipment()
PEAK, LONG = 5e-4, 48
corpus = lk.reviews().limit(192)
corpus = replace(corpus, valid=corpus.valid[:90], test=corpus.test[:60])

# %%
config = lk.TrainConfig(epochs=2, lr=PEAK, max_length=LONG, device=DEVICE, precision="fp32")


def fresh():
    return lk.load(MODEL, labels=corpus.labels).to(DEVICE)


# %% [markdown] lang="zh"
# 安全绳照旧：先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。

# %% [markdown] lang="en"
# The safety rope is as before: your number first, then our reference and its range, and a ✗ outside it.

# %%
expect = lk.expect("05")

# %% [markdown] lang="zh"
# ## 1 黑板上的循环
#
# > **理论 ①** 训练是三个套在一起的循环；每件事只属于其中一个。
#
# ```text
# fit               每次训练一次    造优化器，定总步数
# └── epoch         每轮一次        切到训练状态，排好这一轮的次序
#     ├── batch     每批一次        清零 → 前向 → 损失 → 反向 → 裁剪 → 定步幅 → 迈步
#     └── exam      每轮一次        在验证集上考一场，记下成绩
# ```
#
# 先写最里面的秒针。七个动作，一个也不多：把上一批的梯度**清零**，**前向**，算**损失**，**反向**求出梯度，梯度太长就**裁剪**，按计划**定步幅**，**迈步**。这里顺手把梯度的长度也记下来，第 5 节要看。

# %% [markdown] lang="en"
# ## 1 The loop on the board
#
# > **Theory ①** Training is three loops, one inside the other, and each thing that happens belongs to just one of them.
#
# ```text
# fit               once a run       make the optimizer, count the steps
# └── epoch         once an epoch    training mode, lay out this epoch's order
#     ├── batch     once a batch     clear → forward → loss → backward → clip → rate → step
#     └── exam      once an epoch    on the validation rows; note the score
# ```
#
# First the innermost, the second hand. Seven movements and not one more: **clear** the gradients of the last batch, go **forward**, take the **loss**, go **backward** for the gradients, **clip** them where they are too long, set the **rate** by the schedule, and **step**. We also note how long the gradient was; section 5 wants to know.

# %%
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_


def step(model, optimizer, inputs, target, lr):
    optimizer.zero_grad()
    loss = cross_entropy(model(**inputs).logits, target)
    loss.backward()
    norm = clip_grad_norm_(model.parameters(), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return loss.item(), norm.item()


# %% [markdown] lang="zh"
# 再写分针。一轮开始时，切到训练状态，排出这一轮的次序；每一步之前，随机失活的骰子按步数重置（第 6 节说为什么）。`lr_factor` 是笔记 01 里写过的学习率计划（那里叫 `rate`）：十分之一的步数升，其余线性地降。

# %% [markdown] lang="en"
# Then the minute hand. At the start of an epoch switch to training mode and lay out this epoch's order; before each step the dice of dropout are set by the number of the step (section 6 says why). `lr_factor` is the schedule that you wrote in notebook 01 (there it was `rate`): a tenth of the steps up, the rest down along a straight line.

# %%
from labkit import batch_order, lr_factor

tokenizer = fresh().processor


def encode(rows):
    texts = [row.input for row in rows]
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=LONG, return_tensors="pt")
    return inputs.to(DEVICE), torch.tensor([row.target for row in rows], device=DEVICE)


# %%
lengths = [int(encode([row])[0]["attention_mask"].sum()) for row in corpus.train]


def epoch(model, optimizer, number, log, steps):
    model.train()
    for rows in batch_order(lengths, 16, seed=0, epoch=number):
        torch.manual_seed(len(log))
        inputs, target = encode([corpus.train[i] for i in rows])
        log.append(step(model, optimizer, inputs, target, PEAK * lr_factor(len(log), steps)))


# %% [markdown] lang="zh"
# 最后是时针：造一个优化器（矩阵带权重衰减，向量不带），叫分针走够格数。

# %% [markdown] lang="en"
# Last the hour hand: make one optimizer (weight decay for matrices, none for vectors) and let the minute hand go round as often as needed.


# %%
def fit(model, epochs):
    matrices = {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01}
    others = {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}
    optimizer, log = torch.optim.AdamW([matrices, others]), []
    for number in range(epochs):
        epoch(model, optimizer, number, log, steps=12 * epochs)
    return log


# %% [markdown] lang="zh"
# 三个函数，三根针。现在和 labkit 的 `Trainer` 对表：同样的数据，同样的 24 步，全部参数都训练（下图左；从第 3 节起只训练头，右。红的训练，灰蓝的冻着）。24 个损失逐个相比：

# %% [markdown] lang="en"
# Three functions, three hands. Now set the watch by labkit's `Trainer`: the same rows, the same 24 steps, and everything trains (left in the drawing; from section 3 on the head alone, right. Red trains, grey-blue is frozen). Compare the 24 losses one by one.

# %%
lk.plots.network(fresh(), lk.Full(), lk.HeadOnly())

# %%
log = fit(fresh(), 2)
trainer = lk.Trainer(fresh(), corpus, lk.Full(), config)
theirs = [event.loss for event in trainer.run() if isinstance(event, lk.StepDone)]
gap = max(abs(mine - other) for (mine, _), other in zip(log, theirs, strict=True))
lk.about(tr("二十四步里最大的差", "largest difference in 24 steps"), gap, 0, 1e-5)

# %% [markdown] lang="zh"
# 不到十万分之一。你的表走得和工厂的一样准（**理论 ①**）。以后凡是改自己的循环，就这样对一次表：有一个可以信的参照，比读十遍代码管用。下一节马上要用到这句话。

# %% [markdown] lang="en"
# Less than a hundred-thousandth: your watch keeps the time of the one from the factory (**theory ①**). Whenever you change a loop of your own, set it by another in this way; one reference that you trust is worth ten readings of the code. The next section will show why.

# %% [markdown] lang="zh"
# ## 2 打乱次序：会喊的错和不吭声的错
#
# > **理论 ②** `backward` 是往 `grad` 里加，不是换；忘了它会弄错，记住它能派上用场。
#
# 要试几十种走法，整栋楼太重了。我们照笔记 02 第 6 节的办法搭一张**工作台**：让冻结的楼把每条评论读一遍，只留下 `[CLS]` 的 128 个数，以后只训练一个头。真数据，真的预训练，一次训练却只要一眨眼。

# %% [markdown] lang="en"
# ## 2 Shuffle the cards: mistakes that shout and mistakes that don't
#
# > **Theory ②** `backward` adds to `grad`, it does not replace; a trap for those who forget it, a tool for those who count on it.
#
# For dozens of tries the whole house is too heavy. As in section 6 of notebook 02 we set up a **workbench**: the frozen house reads each review once, we keep its 128 numbers at `[CLS]`, and from then on only a head trains. Real data, real pretraining, and a run takes a blink.

# %%
from torch import nn

still = fresh().eval()


def read(rows):
    inputs, target = encode(rows)
    with torch.no_grad():
        return still.base_model(**inputs).last_hidden_state[:, 0], target


# %%
vectors, labels = read(corpus.train)
exam_vectors, exam_labels = read(corpus.valid)

# %% [markdown] lang="zh"
# 把秒针的动作写成五张卡片，谁先谁后由一串字决定（`scale` 先不用管，第 5 节制造事故时用）。

# %% [markdown] lang="en"
# The movements of the second hand become five cards, and a line of words says in which order they are played (`scale` can wait; section 5 needs it to stage an accident).

# %%
RIGHT = "clear forward backward clip step"


def play(cards, net, optimizer, x, y, scale=1.0):
    for card in cards.split():
        match card:
            case "clear":
                optimizer.zero_grad()
            case "forward":
                loss = cross_entropy(net(x), y)
            case "backward":
                (scale * loss).backward()
            case "clip":
                clip_grad_norm_(net.parameters(), 1.0)
            case "step":
                optimizer.step()
    return loss.item()


# %% [markdown] lang="zh"
# 再要三样小东西：一个新的头，一轮的次序，一次考试。凡是随机的，都由一个数决定。

# %% [markdown] lang="en"
# And three small things: a new head, the order of an epoch, an exam. Whatever is random is decided by a number.


# %%
def new_head(seed):
    torch.manual_seed(seed)
    width = vectors.shape[1]
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Dropout(0.1), nn.Linear(width, 2)).to(DEVICE)


def shuffled(epoch, seed):
    dice = torch.Generator().manual_seed(1000 * seed + epoch)
    return torch.randperm(len(vectors), generator=dice).split(16)


def exam(net):
    with torch.no_grad():
        return cross_entropy(net.eval()(exam_vectors), exam_labels).item()


# %% [markdown] lang="zh"
# 合成一次训练，旋钮都露在外面：卡片的次序，三个种子，学习率的顶点和计划（`plan`），轮数，优化器，事故发生在第几步。它就是第 1 节的循环，只是换了一张桌子。

# %% [markdown] lang="en"
# Together they make a run with all its knobs on the outside: the order of the cards, three seeds, the peak of the rate and its schedule (`plan`), epochs, the optimizer, the step of an accident. It is the loop of section 1 on another table.


# %%
def run(
    cards=RIGHT, head=0, order=0, dropout=0, peak=2e-3, plan=lr_factor, epochs=4, make=torch.optim.AdamW, accident=None
):
    net = new_head(head)
    optimizer, losses, exams = make(net.parameters(), lr=peak), [], []
    for epoch in range(epochs):
        net.train()
        for rows in shuffled(epoch, order):
            n = len(losses)
            torch.manual_seed(1000 * dropout + n)
            optimizer.param_groups[0]["lr"] = peak * plan(n, 12 * epochs)
            scale = 100.0 if n == accident else 1.0
            losses.append(play(cards, net, optimizer, vectors[rows], labels[rows], scale))
        exams.append(exam(net))
    return losses, exams


# %% [markdown] lang="zh"
# 四副牌：正确的；从不清零；清零放在反向和迈步之间；先迈步，再算梯度。**猜**：哪几副会学不到东西？有没有哪一副，从训练曲线上完全看不出错？写下来。

# %% [markdown] lang="en"
# Four hands of cards: the right one; never cleared; cleared between backward and step; and one that steps first and then works out the gradient. **Guess**: which of them learn nothing? Is there one whose training curve gives nothing away? Write it down.

# %%
lk.guess("05.2", 0.65, 1.5)

# %%
decks = {
    tr("正确", "right"): RIGHT,
    tr("从不清零", "never cleared"): "forward backward clip step",
    tr("清零太晚", "cleared too late"): "forward backward clear clip step",
    tr("先迈步", "step first"): "step clear forward backward clip",
}
results = {name: run(cards) for name, cards in decks.items()}

# %%
fig, axes = lk.plots.figure(6.4, 2.8)
looks = zip(lk.plots.COLOURS, ("-", "--", "-", ":"), strict=False)
for (name, (losses, _)), (colour, style) in zip(results.items(), looks, strict=True):
    axes.plot(range(1, 49), lk.plots.running_mean(losses, 6), style, color=colour, label=name)
axes.set(title=tr("四副牌", "Four hands of cards"), xlabel=tr("步", "step"))
axes.set_ylabel(tr("训练损失（nat，6 步平均）", "training loss (nats, mean of 6)"))
axes.legend()
fig

# %%
for key, (_, exams) in zip(("right", "never", "late", "behind"), results.values(), strict=True):
    expect(key, exams[-1], guess="05.2" if key == "never" else None)

# %% [markdown] lang="zh"
# **读图**：横轴是步，纵轴是训练损失（六步平均）。只有“清零太晚”在喊：梯度刚求出来就擦掉，损失停在 0.7 上下，一步没走。“先迈步”几乎压在正确的那条线上：它只是慢了一拍，每次用的是上一批的梯度，最后一批白算。最阴险的是“从不清零”：除了 27 到 31 步那一段，它的训练损失甚至**更低**！每一步都带着以前的梯度。不过也不是全部：`clip_grad_norm_` 每步把攒下的梯度**就地**缩回长度 1，旧的越压越小，十步以后第一步的梯度只剩百分之一上下。于是“忘了清零”加上“裁剪”，恰好成了一种带刹车的**动量**，谁也看不出来；去掉裁剪，到第三轮就看得出慢了。验证损失略高一点，也在运气的范围里。
#
# 所以“损失在降”证明不了循环是对的。第 1 节的对表可以：它差一步就会露馅。这是**理论 ②** 的陷阱那一半。
#
# **动手**：把 `make=partial(torch.optim.SGD, momentum=0.9)`（先 `from functools import partial`）和 `peak=0.05` 交给 `run`，从不清零还藏得住吗？

# %% [markdown] lang="en"
# **Reading it**: steps to the right, training loss upwards (means of six steps). Only "cleared too late" shouts: the gradient is wiped off as soon as it is found, the loss stays around 0.7, and not one step was made. "Step first" lies almost on top of the right line: it is merely a beat late, uses the gradient of the batch before, and the last batch is computed for nothing. The sly one is "never cleared": but for a stretch after step 26 its training loss is even **lower**! Every step carries the gradients of earlier ones along. Not all of them, though: at each step `clip_grad_norm_` shrinks what has piled up **in place** to length 1, the old is pressed smaller and smaller, and after ten steps some one per cent of the first gradient is left. "Never cleared" and "clipped" together happen to make a **momentum** with a brake, and nobody notices; without the clipping it falls behind by the third epoch. On validation it is slightly worse, well within luck.
#
# A falling loss, then, does not prove that a loop is right. Setting the watch, as in section 1, does: one step out and it shows. That was the trap in **theory ②**.
#
# **Try it**: give `run` the optimizer `make=partial(torch.optim.SGD, momentum=0.9)` with `peak=0.05` (`from functools import partial`). Can "never cleared" still hide?

# %% [markdown] lang="zh"
# ## 3 积少成多：梯度累积
#
# 同一个“加”，换个用法就是工具。想用一批 16 行，内存却只装得下 6 行？那就 6、6、4 分三份：每份反向一次，梯度在 `grad` 里自己加起来，攒够了再迈一步。只有一处要当心：一批的损失是 16 行的**平均**，三份怎样加，才等于它？
#
# **猜**：下面两种算法，哪一种和整批的梯度相同？“平均的平均”是多数教程的写法。

# %% [markdown] lang="en"
# ## 3 Many a little: accumulation
#
# The same adding, used on purpose, is a tool. You want batches of 16 rows and your memory holds only 6? Then cut them into 6, 6 and 4: go backward once for each piece, the gradients add themselves up in `grad`, and when all are there, make one step. Just one thing wants care: the loss of a batch is the **mean** of 16 rows. How must three pieces be added to equal it?
#
# **Guess**: which of these two gives the gradient of the whole batch? "Mean of means" is what most tutorials write.


# %%
lk.guess("05.3", choice="means")


# %%
def gradient(losses_of_pieces):
    net = new_head(0).eval()  # no dropout: each piece would throw its own dice
    for piece, weight in losses_of_pieces:
        (weight * cross_entropy(net(vectors[piece]), labels[piece])).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])


# %%
batch = torch.arange(16)
pieces = batch.split(6)
whole = gradient([(batch, 1)])
means = gradient([(piece, 1 / len(pieces)) for piece in pieces])
shares = gradient([(piece, len(piece) / len(batch)) for piece in pieces])
expect("means", (means - whole).norm().item() / whole.norm().item())
lk.about(tr("按行数加权：差几成", "weighted by rows: off by"), ((shares - whole).norm() / whole.norm()).item(), 0, 1e-5)
lk.scored("05.3", "means" if torch.allclose(whole, means, atol=1e-6) else "shares")

# %% [markdown] lang="zh"
# 最后一份只有 4 行，“平均的平均”却给它同样的分量：里面每一行被算成了一行半。份数整除时两者相同，所以这个错多半藏到最后一批才发作。正确的分量是**这一份的行数除以整批的行数**。
#
# labkit 里是一个设置：`accumulation=3`。为了一次次重来不必等，我们用 `lk.LiveHead`，它就是包里自带的工作台：楼只读一遍，每次给你一个站在起点的真 `Trainer`。（随机失活先关掉：三份各掷各的骰子，会盖住要看的东西。）把累积与不累积的四轮损失逐步相比。

# %% [markdown] lang="en"
# The last piece has only 4 rows, and "mean of means" gives it the same weight as the others: each row in it counts one and a half times. Where the pieces come out even the two agree, so this mistake usually hides until the last batch of an epoch. The proper weight is **the rows of the piece over the rows of the batch**.
#
# In labkit it is a setting, `accumulation=3`. So as not to wait each time, we use `lk.LiveHead`, the workbench that comes with the kit: the house reads once, and each call hands you a real `Trainer` that stands at the start. (Dropout is off for this one: three pieces throw three sets of dice, and would blur what we want to see.) Compare the losses of four epochs, with and without accumulation, step by step.

# %%
model = fresh()
model.dropout.p = 0.0
head_config = replace(config, lr=2e-3, epochs=4)
live = lk.LiveHead(lk.Trainer(model, corpus, lk.HeadOnly(), head_config))

# %%
in_one, in_three = live.trainer().fit(), live.trainer(accumulation=3).fit()
gap = max(abs(a - b) for (_, a, _), (_, b, _) in zip(in_one.steps, in_three.steps, strict=True))
lk.about(tr("四十八步里最大的差", "largest difference in 48 steps"), gap, 0, 1e-5)

# %% [markdown] lang="zh"
# 相同（**理论 ②** 的工具那一半）。代价是时间：小份喂不饱处理器。所以累积是内存不够时的办法，不是提速的办法。训练中途内存不够时，`Trainer` 自己也会这样切，并且大声告诉你。

# %% [markdown] lang="en"
# They are the same (the tool in **theory ②**). The price is time, since small pieces leave the processor hungry: accumulation is for want of memory, not for speed. Should memory run out on the way, the `Trainer` cuts its batches like this by itself, and says so aloud.

# %% [markdown] lang="zh"
# **批大小**　分份不改结果，换批大小却改：批大，梯度稳，可是同样的三轮，步数少。4 行一批走 240 步，64 行一批只走 15 步。常有人说“批大小要调”；可是只调它，不调学习率，比的又是谁碰巧合脚（笔记 03 的理论 ⑦）。我们让 4、16、64 行的批各试五种学习率，全量微调 320 行、三轮，三个种子，每个种子抽不同的行。四十五次训练，记录随包带来。**猜**：64 行一批最好的学习率，是 4 行一批的几倍？

# %% [markdown] lang="en"
# **Batch size**  Pieces change nothing; the size of the batch does. A large batch has a steadier gradient, but in the same three epochs it makes fewer steps: 240 with 4 rows, 15 with 64. "Batch size needs tuning", people say; but to change it and leave the rate alone is to compare whom the shoe happens to fit (theory ⑦ of notebook 03). We let batches of 4, 16 and 64 rows try five rates each, fine-tuning in full on 320 rows for three epochs with three seeds, each drawing rows of its own. The records of the 45 runs came with the package. **Guess**: how many times the best rate of 4 rows is the best rate of 64?

# %%
lk.guess("05.3b", 1, 4)

# %%
batches = lk.runs("05-batches")
sizes, rates = (4, 16, 64), (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)
lines = {line.strategy: line for line in lk.table(batches)}
fig, axes = lk.plots.figure(6.4, 3.2)
for size, colour, shift in zip(sizes, lk.plots.COLOURS, (0.94, 1, 1.06), strict=False):
    found = [lines[f"{size} rows, lr {rate:g}"] for rate in rates]
    middle, low, high = ([getattr(line, end) for line in found] for end in ("accuracy", "low", "high"))
    axes.vlines([shift * rate for rate in rates], low, high, color=colour, lw=1)
    axes.semilogx(
        [shift * rate for rate in rates], middle, "o-", color=colour, label=tr(f"{size} 行一批", f"{size} rows")
    )
axes.set(
    title=tr("批大小和学习率", "Batch size and learning rate"),
    xlabel=tr("学习率（对数轴）", "learning rate (log axis)"),
)
axes.set_ylabel(tr("测试准确率（竖线：95 % 区间）", "test accuracy (bars: 95 %)"))
axes.set_xticks(rates, [f"{rate:g}" for rate in rates], fontsize=8)
axes.minorticks_off()
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：三条线像是同一座山，横着挪开了：4 行一批的山顶在 2.5e-4，16 行的在 5e-4 到 1e-3，64 行的到 2e-3 还没有往下走。批越大，走得越少，每步就得越长，也担得起（梯度更稳）。只看 2.5e-4 那一列，64 行的比 4 行的低十三个点；只看 2e-3 那一列，4 行的那一批已经摔下悬崖。两列都会让人对批大小下结论，两个结论正好相反。
#
# 要比，得让每种批大小带上自己的学习率，用**验证**成绩来挑，再在测试行上成对地判：挑好以后，还分得出高下吗？

# %% [markdown] lang="en"
# **Reading it**: three lines like one mountain, moved sideways: with 4 rows the top is at 2.5e-4, with 16 at 5e-4 to 1e-3, and with 64 it has not begun to fall at 2e-3. The larger the batch the fewer the steps, so each has to be longer, and can be (the gradient is steadier). At 2.5e-4 alone, 64 rows are thirteen points below 4; at 2e-3 alone, batches of 4 have gone over the cliff. Either column invites a judgement of batch size, and the two judgements are opposite.
#
# For a comparison each size brings its own rate, chosen by the **validation** score, and then they are judged in pairs on test rows: can they still be told apart?


# %%
def mean_valid(name):
    scores = [run.valid_accuracy for run in batches if run.strategy == name]
    return sum(scores) / len(scores)


best = {size: max((f"{size} rows, lr {rate:g}" for rate in rates), key=mean_valid) for size in sizes}
lk.scored("05.3b", round(float(best[64].split()[-1]) / float(best[4].split()[-1]), 1))
print(lk.verdict(batches, best[4], best[16]))
print(lk.verdict(batches, best[64], best[16]))
print(lk.verdict(batches, "64 rows, lr 0.000125", best[64]))

# %% [markdown] lang="zh"
# 各用各的学习率，三种批大小分不出高下（三个种子，区间每边三到六个点：是“不知道”，不是“一样”）；而同样的 64 行，学习率定错，一下子差十六个点，区间整个在 0 以下。所以“批大小要调”的正确读法是：**批大小和学习率要一起调**；先按内存和速度定批大小，再为它找学习率。批翻四倍，学习率大约翻两到四倍，是个不错的起点。

# %% [markdown] lang="en"
# Each at its own rate, the three sizes can't be told apart (three seeds, three to six points to each side: "unknown", not "equal"); while with the same 64 rows a wrong rate costs sixteen points, in an interval all below 0. "Batch size needs tuning" is best read as: **batch size and rate are tuned together**. Settle the batch by memory and speed, then find its rate. Four times the batch, some two to four times the rate, is a fair place to start.

# %% [markdown] lang="zh"
# ## 4 学习率计划：起步要轻，停下要稳
#
# > **理论 ③** 计划只认得步数：开头小，因为最初的梯度不可信；结尾小，为了停得住。
#
# 热身管开头，衰减管结尾。这话听着有理，拆开来量才算数：四种计划，不升不降、只热身、只衰减、两样都有；顶点故意定得偏高（0.01），毛病才看得清；每种跑三个种子。**猜**：拿掉热身，会在哪一段看见？拿掉衰减呢？最后哪种最好？

# %% [markdown] lang="en"
# ## 4 The schedule: set off gently, come to rest
#
# > **Theory ③** The schedule knows nothing but the number of the step: small at first, because the first gradients are not to be trusted, and small at the end, so as to come to rest.
#
# Warm-up is for the start and decay for the end. That sounds well; it counts once it is taken apart and measured. Four schedules: constant, warm-up alone, decay alone, and both. The peak is set rather too high on purpose (0.01), so that weak points show, and each runs with three seeds. **Guess**: where will you see that warm-up is missing? And decay? Which is best at the end?

# %%
plans = {
    tr("不变", "constant"): lambda step, steps: 1.0,
    tr("只热身", "warm-up alone"): lambda step, steps: min(1.0, 10 * step / steps),
    tr("只衰减", "decay alone"): lambda step, steps: 1 - step / steps,
    tr("两样都有", "both"): lr_factor,
}

# %%
trials = {
    name: [run(plan=plan, peak=1e-2, head=s, order=s, dropout=s) for s in range(3)] for name, plan in plans.items()
}

# %%
fig, (left, right) = lk.plots.figure(8.0, 2.8, columns=2)
for i, (name, found) in enumerate(trials.items()):
    look = {"color": lk.plots.COLOURS[i], "ls": "--" if i % 2 else "-", "label": name}
    left.plot(range(1, 13), torch.tensor([losses[:12] for losses, _ in found]).mean(0), **look)
    right.plot([i] * len(found), [exams[-1] for _, exams in found], "o", color=lk.plots.COLOURS[i])
left.set(title=tr("开头 12 步", "The first 12 steps"), xlabel=tr("步", "step"), ylim=(0.5, 1.6))
left.set_ylabel(tr("训练损失（nat）", "training loss (nats)"))
right.set(title=tr("4 轮之后", "After 4 epochs"), ylabel=tr("验证损失（nat）", "validation loss (nats)"))
right.set_xticks(range(4), list(plans), rotation=12)
left.legend()
fig

# %% [markdown] lang="zh"
# **读图**：左边是三个种子的平均。没有热身的两条几乎重合，一开头就窜到 1 以上，比瞎猜（0.69）糟得多：随机的头还什么都不懂，就迈了最大的步。有热身的两条安稳得多（也重合：黄的盖住了红的）。右边每个点是一个种子：没有衰减的两列大多偏高，“只热身”在 0.71 到 0.77，“不变”从 0.61 散到 0.93，落在哪里全凭停下那一刻；有衰减的两列聚在 0.6 到 0.64 的低处。热身管头，衰减管尾，**理论 ③** 两半都看见了。
#
# 也看看没有看见的：到最后一轮，“只衰减”并不比“两样都有”差。工作台上只有一个头，开头那一跳不过白走几步，没有东西可毁；整栋楼一起训练时，那一跳可能毁掉预训练学来的语言，那才是热身要保护的（笔记 01 的悬崖下面，你见过毁掉以后的样子）。所以“热身一定提高成绩”是过头话；“热身便宜地挡住一种灾难”，正好。

# %% [markdown] lang="en"
# **Reading it**: on the left are means over the seeds. The two lines without warm-up are almost one, and shoot up to 1 and more at the very start, far worse than guessing (0.69): the head is random, knows nothing, and takes its longest strides. The two with warm-up are much calmer (and are one as well: yellow covers red). On the right each dot is a seed: the two columns without decay are mostly high: "warm-up alone" from 0.71 to 0.77, "constant" strewn from 0.61 to 0.93, wherever the last stride happened to land; the two with decay lie low and close together, from 0.6 to 0.64. Warm-up for the head of the run, decay for its tail: both halves of **theory ③** have been seen.
#
# Look also at what has not been seen: by the last epoch "decay alone" is no worse than "both". On the workbench there is only a head, and the jump at the start wastes a few steps and breaks nothing. When the whole house trains, that jump may break the language from pretraining, and this is what warm-up is there to protect (below the cliff of notebook 01 you saw what is left then). "Warm-up improves the score" says too much; "warm-up is a cheap guard against one kind of disaster" says it right.

# %% [markdown] lang="zh"
# ## 5 梯度裁剪：绳子有多紧
#
# > **理论 ④** 裁剪缩短梯度，不改方向；它防的是偶然的一步。
#
# 第 1 节记下了每一步梯度的长度。裁剪的界限是 1。**猜**：24 步里有几步被裁过？

# %% [markdown] lang="en"
# ## 5 Clipping: how taut is the rope?
#
# > **Theory ④** Clipping shortens the gradient and does not turn it; it is there for the one unlucky step.
#
# In section 1 we noted how long the gradient was at each step. The limit is 1. **Guess**: how many of the 24 were clipped?

# %%
lk.guess("05.5", 3, 12)

# %%
norms = [norm for _, norm in log]
lk.scored("05.5", sum(norm > 1 for norm in norms))

# %% [markdown] lang="zh"
# 全部！这副绳子从头到尾是绷紧的：每一步的梯度都被缩到长度 1，只剩方向。很多人把 `clip=1.0` 当作“偶尔用一次的保险”，在微调里它常常每一步都在起作用。既然如此，**猜**：关掉裁剪，训练会明显变样吗？再制造一次事故：在第 25 步把损失放大一百倍（错标的权重、溢出、一批坏数据都会这样）。两种优化器，各走一遍有绳和没绳的。

# %% [markdown] lang="en"
# All of them! The rope is taut from beginning to end: each gradient is shortened to length 1, and only its direction is left. Many take `clip=1.0` for an insurance that is hardly ever used; in fine-tuning it is often at work in every step. This being so, **guess**: will a run look different without it? And let us stage an accident: in step 25 the loss is a hundred times too large (a wrong weight, an overflow, a batch of bad data will do that). Two optimizers, each once with the rope and once without.

# %%
lk.guess("05.5b", 0.8, 3)

# %%
from functools import partial

makers = {
    "SGD + momentum": {"make": partial(torch.optim.SGD, momentum=0.9), "peak": 0.05},
    "AdamW": {"make": torch.optim.AdamW, "peak": 2e-3},
}
ropes = {tr("有裁剪", "clipped"): RIGHT, tr("没有裁剪", "not clipped"): "clear forward backward step"}

# %%
fig, axes = lk.plots.figure(6.4, 2.8)
for (name, cards), colour in zip(ropes.items(), lk.plots.COLOURS, strict=False):
    axes.plot(range(1, 49), run(cards, accident=24, **makers["SGD + momentum"])[0], color=colour, label=name)
axes.axvline(25, color="#888888", ls=":", label=tr("事故", "accident"))
axes.set(title="SGD + momentum", xlabel=tr("步", "step"), ylabel=tr("训练损失（nat）", "training loss (nats)"))
axes.legend()
fig

# %%
for key, cards in zip(("rope", "no rope"), ropes.values(), strict=True):
    expect(key, run(cards, accident=24, **makers["AdamW"])[1][-1], guess="05.5b" if key == "no rope" else None)

# %% [markdown] lang="zh"
# **读图**：点线是事故。在它之前，两条线几乎一样：绷紧的绳子并不碍事。在它之后，没有绳的 SGD 一步飞了出去，损失升到 10，是瞎猜的十几倍，剩下的二十多步里再也没有回来；有绳的连晃都没晃。再看两个数：AdamW 没有绳也没有飞，它的步子本来就按梯度的大小缩放过。但它也没有白白躲过：那一下记在第二个动量里，此后每一步都被压小，验证损失高出一点。**理论 ④**：方向没有变，变的只是那一步的长度；而一步，有时就是全部。

# %% [markdown] lang="en"
# **Reading it**: the dotted line is the accident. Before it the two lines are much alike: a taut rope is not in the way. After it, SGD without the rope has flown off in one step, to a loss above 10, more than ten times that of guessing, and in the twenty-odd steps that are left it does not come home; with the rope it does not even flinch. Then the two numbers: AdamW does not fly off without a rope either, since its strides are scaled by the size of the gradients anyway. But it does not get away for nothing: the blow stays in the second moment, makes every later step smaller, and leaves the validation loss a little higher. **Theory ④**: the direction stayed, and only the length of one step was changed. Sometimes one step is everything.

# %% [markdown] lang="zh"
# ## 6 种子：运气的地址
#
# > **理论 ⑤** 一切随机都有地址：头看种子，次序看（种子，轮），随机失活看（种子，步）。
#
# “同样的代码，跑两次成绩不同”，常被当成天意。其实在一块 CPU 上、线程数不变的时候，训练里只有三处掷骰子：头的初值，每轮的次序，每步的随机失活。（换一台机器、换线程数、用 GPU 或多个数据进程，加法的次序会变，最后几位数字也跟着变：那是另外的骰子。）每处都由一个数决定，就能重做，也能**一处一处地换**。先看重做：同一组种子跑两遍。

# %% [markdown] lang="en"
# ## 6 Seeds: the address of luck
#
# > **Theory ⑤** Everything random has an address: the head has the seed, the order has (seed, epoch), dropout has (seed, step).
#
# "The same code, and another score": that is often taken for fate. In fact, on one CPU with a fixed number of threads, dice are thrown in just three places: the first weights of the head, the order of each epoch, the dropout of each step. (On another machine, with other threads, on a GPU or with several data processes, sums are added up in another order and the last digits change: further dice.) Where a number decides each of them, a run can be repeated, and the dice can be changed **one at a time**. First the repeating: twice with the same seeds.

# %%
print(run() == run())
print(trainer.order(0) == trainer.order(0), trainer.order(0) == trainer.order(1))

# %% [markdown] lang="zh"
# 每一位。第二行是 `Trainer` 的次序：同一轮再问，一样；换一轮，不同。注意它没有“下一个随机数”这回事：想知道第 7 轮怎么坐，不必先走完前 6 轮。第 9 节靠的就是这一点。
#
# 现在量运气：三处骰子，每次只换一处，各换 4 个种子。**猜**：头、次序、随机失活，哪一处最不要紧？

# %% [markdown] lang="en"
# To every digit. The second line is about the `Trainer`'s order: ask again for an epoch and it is the same, ask for another and it differs. There is no such thing as "the next random number" in it: to know the seats of epoch 7 one need not walk through the six before. Section 9 rests on this.
#
# Now measure luck: three kinds of dice, one of them changed at a time, with 4 seeds each. **Guess**: head, order, dropout; which matters least?

# %%
lk.guess("05.6", choice="head")

# %%
dice = {"head": tr("头的初值", "first weights"), "order": tr("次序", "order"), "dropout": tr("随机失活", "dropout")}
luck = {name: [run(**{name: seed})[1][-1] for seed in range(4)] for name in dice}
lk.scored("05.6", min(luck, key=lambda name: max(luck[name]) - min(luck[name])))

# %%
fig, axes = lk.plots.figure(6.4, 2.6)
for height, found in enumerate(luck.values()):
    axes.plot(found, [height] * len(found), "o", color=lk.plots.COLOURS[0], alpha=0.6, ms=8)
axes.set_yticks(range(3), list(dice.values()))
axes.set(title=tr("只换一处骰子", "One kind of dice changed at a time"), ylim=(-0.6, 2.6))
axes.set_xlabel(tr("验证损失（nat）", "validation loss (nats)"))
fig

# %% [markdown] lang="zh"
# **读图**：每个点是一次训练，越散，运气越大。头的初值撒得最开，首尾差 0.016；次序差 0.009；随机失活只差 0.001，几乎不起作用（这里它只关掉头里的一成）。四个种子不多，名次别说死，数量级看得清。这几个点的宽度，就是“什么也没改”时成绩自己的晃动；任何“改进”小于它，都不算数。笔记 02 的区间就是由此而来。**理论 ⑤** 的用处也在这里：不是消灭运气，而是让它有名有姓，能重来，能称重。

# %% [markdown] lang="en"
# **Reading it**: each dot is a run; the wider they are strewn, the larger the luck. First weights strew them widest, 0.016 from end to end; order has 0.009; dropout has 0.001 and hardly matters (here it only switches off a tenth of the head). Four seeds are few, so don't swear to the ranking, but the sizes are plain. The width of these dots is how much a score moves when nothing was changed at all; an "improvement" smaller than that is none. This is where the intervals of notebook 02 come from. And here is the use of **theory ⑤**: not to abolish luck, but to give it a name, so that it can be repeated, and weighed.

# %% [markdown] lang="zh"
# ## 7 看着它走：事件
#
# > **理论 ⑥** 循环只报告，不听命令：停下是看的人走开，不是循环被改。
#
# `fit()` 像闷头赶路，走完才说话。`run()` 是一个**生成器**：每走一步，递给你一张纸条（`StepDone`），每过一轮，再递一张（`EpochDone`），然后等你取下一张。你不取，它就不走。所以停下来什么也不用调用，`break` 就行。**猜**：停在第 5 步，再叫一次 `run()`，它从哪里开始？

# %% [markdown] lang="en"
# ## 7 Watching it go: events
#
# > **Theory ⑥** The loop reports and takes no orders: to stop is to walk away from it, not to change it.
#
# `fit()` walks on without a word until it is done. `run()` is a **generator**: after each step it hands you a note (`StepDone`), after each epoch another (`EpochDone`), and waits until you take the next. If you don't, it does not move. So there is nothing to call in order to stop; `break` will do. **Guess**: stop at step 5 and call `run()` again. Where does it begin?

# %%
lk.guess("05.7", choice="begin")

# %%
trainer = live.trainer()
for event in trainer.run():
    if isinstance(event, lk.StepDone) and event.step == 5:
        break
print(trainer.step, trainer.finished)

# %%
from collections import Counter

came = Counter(type(event).__name__ for event in trainer.run())
print(came)
lk.scored("05.7", "next" if came["StepDone"] == 48 - 5 else "begin")
print(trainer.step, trainer.finished)

# %% [markdown] lang="zh"
# 从第 6 步接着走：剩下 43 步和 4 次验证，一步不多，一步不少。
#
# 纸条是定稿的。下面这位听众想把学习率改掉；另一位老老实实地记笔记。有人听与没人听，训练的结果会不同吗？

# %% [markdown] lang="en"
# From step 6 on: 43 steps and 4 exams were left, not one more and not one less.
#
# The notes are final. One listener below tries to change the learning rate; another just keeps a diary. And does a run come out differently when somebody listens?


# %%
def meddler(event):
    try:
        event.lr = 0.0
    except Exception as error:
        heard.add(type(error).__name__)


# %%
heard, diary = set(), []
watched = live.trainer().fit(meddler, diary.append)
alone = live.trainer().fit()
print(heard, len(diary), watched.steps == alone.steps)

# %% [markdown] lang="zh"
# 冻结的值，改不动；52 张纸条（48 步加 4 轮）；结果每一位都相同。这是故意的设计：很多框架让“回调”伸手进循环改东西，挂上三个回调，就没人说得清谁先动了谁。听众只听，循环就永远是黑板上那一个（**理论 ⑥**）。面板的 Stop 按钮、进度条、活的曲线，都只是这样的听众。
#
# **动手**：写一个 `for event in live.trainer().run():`，验证准确率一到 0.72 就 `break`。

# %% [markdown] lang="en"
# A frozen value cannot be changed; there were 52 notes (48 steps and 4 epochs); and the result is the same to every digit. This is on purpose: many frameworks let "callbacks" reach into the loop, and with three of them nobody can tell who moved what first. Where listeners only listen, the loop is always the one on the board (**theory ⑥**). The Stop button of the panels, the progress bar, the live curves: they are all such listeners and nothing more.
#
# **Try it**: write `for event in live.trainer().run():` and `break` as soon as validation accuracy reaches 0.72.

# %% [markdown] lang="zh"
# ## 8 早停：最后一轮不是最好的一轮
#
# > **理论 ⑦** 练到头不等于练得好；边练边留一份最好的，没有起色就停。
#
# 头迈大步（0.007），走 20 轮：够它把 192 行背下来了。再走一次，多一句 `patience=3`：连续三轮没有刷新验证成绩（macro-F1），就停，并把参数**恢复**到最好的那一轮。**猜**：20 轮走完，验证损失是最低处的几倍？

# %% [markdown] lang="en"
# ## 8 Early stopping: the last epoch is not the best
#
# > **Theory ⑦** To go on to the end is not to get better: keep a copy of the best on the way, and stop where nothing improves.
#
# Let the head take long strides (0.007) for 20 epochs, enough to learn 192 rows by heart. Then once more with `patience=3`: where three epochs in a row bring no better validation score (macro-F1), it stops, and puts the parameters **back** to the best epoch. **Guess**: after all 20 epochs, how many times its lowest is the validation loss?

# %%
lk.guess("05.8", 1, 1.4)

# %%
long = live.trainer(lr=7e-3, epochs=20).fit()
patient = live.trainer(lr=7e-3, epochs=20, patience=3)
short = patient.fit()
best = max(epoch.valid_macro_f1 for epoch in short.history)
losses = [epoch.valid_loss for epoch in long.history]
expect("by heart", losses[-1] / min(losses), guess="05.8")
print(short.stopped, short.epochs - short.best_epoch, short.epochs < long.epochs)
print(tr("恢复到最好的一轮：", "back at the best epoch:"), patient.score("valid").macro_f1 == best)

# %%
fig, axes = lk.plots.figure(6.4, 2.8)
numbers = [e.epoch for e in long.history]
axes.set_xticks(numbers[1::2])
axes.plot(numbers, [e.train_loss for e in long.history], color="#4477aa", lw=1.2, label=tr("训练", "training"))
axes.plot(
    numbers, [e.valid_loss for e in long.history], "o-", color="#ee6677", lw=2.4, ms=5, label=tr("验证", "validation")
)
axes.axvline(short.best_epoch, color="#228833", label=tr("早停取这一轮", "early stopping takes this"))
axes.axvline(short.epochs, color="#228833", ls=":", label=tr("早停在此停", "and stops here"))
axes.set(title=tr("同一次训练，两种收场", "One run, two ends"), xlabel=tr("轮次", "epoch"))
axes.set(ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"), ylim=(0, None))
axes.legend(loc="center right")
fig

# %% [markdown] lang="zh"
# **读图**：蓝线一路降到 0 附近；红线第 2 轮就见底，此后有起伏，但总在上山，最后是最低处的两倍：习题背熟了，新题越答越错，还越来越自信。绿色实线是早停留下的第 2 轮，点线是它认输的第 5 轮（又等了三轮），省下的是右边的 15 轮（**理论 ⑦**）。
#
# 两点要说破。第一，“最好”是在验证集上挑的，挑过的成绩总有点偏高；要报成绩，用没参与挑选的测试集。第二，早停不改学习率计划：计划按 20 轮排，停在半路，步幅还没降下来（第 4 节右图的教训）。知道大概几轮就够时，直接把 `epochs` 定小，往往更好。

# %% [markdown] lang="en"
# **Reading it**: the blue line goes down to nearly 0; the red one touches bottom in epoch 2, and then climbs, with some ups and downs, to twice its lowest: the exercises are known by heart, new questions are answered worse and worse, and with growing conviction. The solid green line is epoch 2, which early stopping keeps; the dotted one is epoch 5, where it gives up after three more; what it saves are the 15 epochs to the right (**theory ⑦**).
#
# Two things should be said aloud. First, "best" was picked by the validation rows, and a score that was picked is always a little flattering; report the one of the test rows, which took no part. Second, early stopping does not change the schedule: it was made for 20 epochs, and half way the strides are still long (remember the right picture of section 4). Where you know about how many epochs will do, a smaller `epochs` is often the better choice.

# %% [markdown] lang="zh"
# ## 9 停电之后：接到每一个比特
#
# > **理论 ⑧** 一次训练就是它的状态：参数、动量、步数；其余都能从种子算出来。
#
# 训练到一半断了电。要接上，得存下什么？参数，当然。还有呢？先走一遍不断电的作为参照；再走一遍，在第 29 步（第三轮的中间）拔掉插头，存档。

# %% [markdown] lang="en"
# ## 9 After the power cut: back to the very bit
#
# > **Theory ⑧** A run is its state: parameters, moments, the number of the step; the rest follows from the seed.
#
# Half way through, the power fails. What must have been written down, in order to go on? The parameters, of course. And what else? First a run without a power cut, as a reference; then one where in step 29, in the middle of the third epoch, the plug is pulled and a checkpoint written.

# %%
import shutil
import tempfile
from pathlib import Path

box = Path(tempfile.mkdtemp())
unbroken = lk.Trainer(fresh(), corpus, lk.HeadOnly(), head_config).fit()

# %%
trainer = lk.Trainer(fresh(), corpus, lk.HeadOnly(), head_config, out=box / "run")
for event in trainer.run():
    if isinstance(event, lk.StepDone) and event.step == 29:
        break
checkpoint = trainer.save_state()
print(checkpoint.name, *sorted(file.name for file in checkpoint.iterdir()))

# %% [markdown] lang="zh"
# 四个文件：参数，优化器的两个动量，`state.json`（步数、每轮成绩、设置），还有一张带校验和的清单，最后才写，所以写到一半断电的存档一眼就认得出。没有哪个文件存着随机数的状态：次序看轮，随机失活看步，知道走到第几步，就什么都知道了。
#
# 现在假装换了一台机器：新模型，新 `Trainer`，`resume=True`。再来一个粗心的，同样恢复，却把优化器的动量弄丢了（只存 `model.state_dict()` 的人都是这样）。**猜**：粗心的那次，48 个损失里有几个和不断电的完全相同？

# %% [markdown] lang="en"
# Four files: the parameters, the two moments of the optimizer, `state.json` (the step, the scores of the epochs, the settings), and a list with checksums that is written last, so that a checkpoint cut off half way is recognised at once. None of them holds the state of a random generator: order depends on the epoch, dropout on the step, and who knows the step knows it all.
#
# Now pretend to be another machine: a new model, a new `Trainer`, `resume=True`. And a careless one beside it, which goes on in the same way but has lost the optimizer's moments (as everybody has who keeps only `model.state_dict()`). **Guess**: of the careless one's 48 losses, how many are exactly those of the run without a power cut?

# %%
lk.guess("05.9", 40, 48)

# %%
shutil.copytree(box / "run", box / "copy")
resumed = lk.Trainer(fresh(), corpus, lk.HeadOnly(), head_config, out=box / "run", resume=True)
careless = lk.Trainer(fresh(), corpus, lk.HeadOnly(), head_config, out=box / "copy", resume=True)
careless.optimizer.state.clear()
print(resumed.step)
after = {"resumed": resumed.fit(), "careless": careless.fit()}

# %%
reference = torch.tensor([loss for _, loss, _ in unbroken.steps], dtype=torch.float64)
for name, found in after.items():
    apart = (torch.tensor([loss for _, loss, _ in found.steps], dtype=torch.float64) - reference).abs()
    same = int((apart == 0).sum())
    print(f"{name:9}", apart.max().item() == 0, same, "/", len(apart))
lk.scored("05.9", same)  # the careless one's

# %% [markdown] lang="zh"
# 第一行：48 步的损失，每一个比特都相同，好像从没断过。第二行：只有 30 步相同，就是断电前的 29 步，加上恢复后的第一步（那时参数还一样）；从那以后走的是另一条路。它也会练完，也有成绩，没有任何报错。“能接着跑”和“接上了”是两回事，差别就是**理论 ⑧** 里的那张清单，检验的办法还是对表。

# %% [markdown] lang="en"
# First line: the losses of 48 steps, equal to the bit, as if nothing had happened. Second line: only 30 are equal, the 29 before the power cut and the first one after it (when the parameters were still the same); from there on it goes another way. It too will finish, and have a score, and never an error message. "It runs again" and "it goes on" are two things; between them lies the list of **theory ⑧**, and the way to tell is once more to set the watch.

# %% [markdown] lang="zh"
# ## 10 出发之前，回来之后
#
# > **理论 ⑨** 几秒钟的试探，答得出几小时训练才会告诉你的事。
#
# 学习率定多少？要跑多久，装得下吗？都不必先跑完。`lk.find_lr` 只走一百步，每步把学习率乘大一点，看损失何时最低、何时爆炸；`lk.preflight` 真走几步，推算整次训练的时间和内存。两个都在副本上试，模型不动。**猜**：这个头的损失在多大的学习率爆炸？

# %% [markdown] lang="en"
# ## 10 Before you leave, and after you return
#
# > **Theory ⑨** A few seconds of trying answer what hours of training would tell you too late.
#
# Which learning rate? How long will it take, and will it fit? None of this has to wait for the end of a run. `lk.find_lr` makes a hundred steps, each at a slightly larger rate, and sees where the loss is lowest and where it explodes; `lk.preflight` makes a few real steps and forecasts time and memory of the whole run. Both work on a copy, and your model stays as it is. **Guess**: at which learning rate will the loss of this head explode?

# %%
sweep = lk.find_lr(fresh(), corpus, lk.HeadOnly(), head_config)
fig = lk.plots.rates(sweep)
fig.set_size_inches(6.4, 2.8)
fig

# %% [markdown] lang="zh"
# **读图**：横轴是学习率，每格十倍；左边太小，损失不动；中间下降，在 5e-3 见底；右边爆炸，红色虚线标出的地方是 0.05 左右（淡线是每一步自己的损失，粗线是平滑过的）。绿线是建议，取在最低点的左边，留出余地：我们一直用的 `2e-3` 就在它旁边，第 8 节故意用的 `7e-3` 已经过了最低点。（笔记 01 第 6 节的那道悬崖，就在红色虚线那里。）

# %% [markdown] lang="en"
# **Reading it**: the rate goes to the right, ten times for each mark. On the left it is too small and the loss stays; in the middle it falls, to its lowest at 5e-3; on the right it explodes, by the red dashes at about 0.05 (pale is the loss of each step, bold is smoothed). The green line is the suggestion, to the left of the lowest point to leave some room: the `2e-3` that we have used all along is close to it, and the `7e-3` of section 8 was already past the lowest. (The red dashes are where the cliff is, the one of section 6 in notebook 01.)

# %%
forecast = lk.preflight(fresh(), corpus, lk.HeadOnly(), head_config)
print(forecast.steps, tr("步，装得下：", "steps, fits:"), forecast.fits)

# %% [markdown] lang="zh"
# 48 步，装得下（在新的一格里写 `forecast`，看完整的一张单子：时间分成几块，内存要多少）。训练完，把记录交给**医生**：`lk.diagnose` 看曲线、成绩和数据，指出毛病、证据和要改的设置。它宁可漏看，不愿误报。**猜**：第 9 节那次不断电的训练，它没话说；第 8 节背了 20 轮的呢？

# %% [markdown] lang="en"
# 48 steps, and they fit (write `forecast` into a new cell for the whole list: where the time goes, how much memory it takes). After the run its record goes to the **doctor**: `lk.diagnose` looks at curves, scores and data, and names what is wrong, the evidence, and the setting to change. It would rather miss something than cry wolf. **Guess**: it has nothing to say of the run without a power cut from section 9; and of the one that learned by heart for 20 epochs in section 8?

# %%
lk.guess("05.10", choice="healthy")

# %%
print(lk.diagnose(unbroken, corpus))
said = lk.diagnose(long, corpus)
print([finding.title for finding in said])
lk.scored("05.10", said[0].name if said else "healthy")

# %% [markdown] lang="zh"
# 健康的，它没话说；背书的，它叫得出名字。试探几秒，诊断一眨眼，都比盯着曲线熬一夜便宜（**理论 ⑨**）。更多的病例在笔记 09。

# %% [markdown] lang="en"
# Of the sound one it has nothing to say; the one that recited it calls by its name. A few seconds of trying and a blink of diagnosis are cheaper than a night spent staring at curves (**theory ⑨**). Notebook 09 has more patients.

# %% [markdown] lang="zh"
# ## 11 面板：同一块表，装上表盘
#
# > **理论 ⑩** 曲线的形状说得出原因。
#
# 机芯看够了，把后盖合上。`lk.ui.Train` 是这块表的表盘：左边是旋钮，右边是活的曲线；**运行**、**停止**（就是那个 `break`）、**继续**（从停下的那一步）。它不比代码多藏一个数：下面那一行就是它要运行的调用，可以复制。请动手拖一拖、停一停、再继续。下面两格先由代码替你按一次，再用普通代码做同一件事。

# %% [markdown] lang="en"
# ## 11 Panels: the same watch, with a face
#
# > **Theory ⑩** The shape of a curve names its cause.
#
# Enough of the works; close the back. `lk.ui.Train` is the face of this watch: knobs on the left, live curves on the right, and **Run**, **Stop** (which is nothing but `break`) and **Resume** (from the step where it stopped). It holds no number that the code lacks: the line below it is the call that it will make, ready to be copied. Do drag, stop and resume it yourself. In the next two cells code first clicks for you, and then plain code does the same.

# %%
panel = lk.ui.Train(corpus, MODEL, out=box / "runs")
panel.set(strategy="head", epochs=4, lr=2e-3, max_length=LONG, device=DEVICE, precision="fp32")
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
twin = lk.Trainer(fresh(), corpus, lk.HeadOnly(), head_config).fit()
print(tr("损失相同：", "same losses:"), twin.steps == panel.result.steps)

# %% [markdown] lang="zh"
# 一个比特不差：面板里转的就是黑板上的循环。（面板的图里，淡蓝是每一步的训练损失，深蓝是平滑过的，红点是每一轮的验证。）

# %% [markdown] lang="en"
# Not a bit of difference: what turns inside the panel is the loop on the board. (In its picture, pale blue is the training loss of each step, dark blue is smoothed, and the red dots are validation, once an epoch.)

# %% [markdown] lang="zh"
# 面板的每次训练都留下一个记录文件；代码里的训练，用 `lk.save_run` 也能放进去：把第 8 节背了 20 轮的那次放在旁边。`lk.ui.History` 把它们找出来，任选两次叠在一起看。**猜**：走 20 大步的那次，哪条曲线会先露出不对？

# %% [markdown] lang="en"
# Every run of the panel leaves a record behind; a run from code joins them by `lk.save_run`, and so we put beside it the one of section 8 that recited for 20 epochs. `lk.ui.History` finds them and lays any two over each other. **Guess**: of the run with 20 epochs of long strides, which curve will give it away first?

# %%
lk.save_run(long, box / "runs" / "long.json")
history = lk.ui.History(box / "runs")
history

# %%
history.run_button.click()
history.wait()
history.report()
runs = [lk.load_run(path) for path in history.runs]  # lk.plots.curves(*runs) draws what the panel shows
print([(run.config["lr"], run.epochs) for run in runs])

# %% [markdown] lang="zh"
# **读图**：细线是训练损失，粗线是验证损失。先看细线，两次都在降，步子大的那次还降得更多；再看粗线，它早早掉头往上走。同一个毛病，训练损失看不见，验证损失看得见；再看右边，准确率晃得厉害，只凭它很难下结论。所以看活的曲线，次序是：先验证损失，再训练损失，最后才是准确率。
#
# 曲线的形状不多，认得四种就够应付大半。都用工作台跑出来，每幅一种；蓝的是每步的训练损失，红的是每轮的验证损失。**猜**：先不看下面的字，哪一幅是健康的，哪一幅步子太小，太大，背书？

# %% [markdown] lang="en"
# **Reading it**: thin is the loss in training, bold on validation. Look at the thin lines: they fall in both runs, and with long strides they even fall further. Then at the bold lines: there it soon turns uphill. Training loss is blind to this fault and validation loss sees it; accuracy, on the right, swings so much that by itself it decides little. So watch live curves in this order: validation loss, then training loss, accuracy last.
#
# There are not many shapes, and with four you know most of what you will meet. All come from the workbench, one a picture; blue is the training loss of each step, red the validation loss of each epoch. **Guess**, without looking at the text below: which is healthy, which has strides too short, too long, which learns by heart?

# %%
shapes = {"A": (2e-3, 4), "B": (1e-5, 4), "C": (1.0, 4), "D": (7e-3, 20)}
fig, panels = lk.plots.figure(9.2, 2.4, columns=4)
for axes, (name, (lr, epochs)) in zip(panels, shapes.items(), strict=True):
    found = live.trainer(lr=lr, epochs=epochs).fit()
    axes.plot([n for n, _, _ in found.steps], [loss for _, loss, _ in found.steps], color="#4477aa", alpha=0.5, lw=0.9)
    axes.plot([e.steps for e in found.history], [e.valid_loss for e in found.history], "o-", color="#ee6677", ms=3)
    axes.set(title=name, xlabel=tr("步", "step"), ylim=(0, 2))
panels[0].set(ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"))
fig

# %% [markdown] lang="zh"
# **读图**：纵轴到 2 为止，越过去的就看不见了。
#
# | 形状 | 说的是 | 先改什么 |
# |---|---|---|
# | A：两条一起落，然后平 | 健康 | 不必改 |
# | B：两条都平，停在 0.7 | 步子太小，还没出门 | 学习率加大十倍，或 `find_lr` |
# | C：冲出画面，红点多半在画外 | 步子太大，翻了车 | 学习率缩小十倍 |
# | D：蓝的到 0，红的一路上山 | 背书（过拟合） | 少几轮，`patience`，更多的行 |
#
# **理论 ⑩**：后三种都叫“成绩不好”，形状却指向三种不同的改法。最后一块面板把这件事交到你手上：`lk.ui.LiveHead`，拖学习率，真模型的头当场重新训练，曲线跟着手走。从 `2e-3` 起一路往右拖，看形状按什么次序出现。

# %% [markdown] lang="en"
# **Reading it**: the upright axis ends at 2, and what goes beyond is not to be seen.
#
# | shape | what it says | change first |
# |---|---|---|
# | A: both come down together, then level | healthy | nothing |
# | B: both flat, around 0.7 | strides too short, it has not left home | ten times the rate, or `find_lr` |
# | C: off the top, and most dots with it | strides too long, over the cliff | a tenth of the rate |
# | D: blue to 0, red uphill all the way | learned by heart (overfitting) | fewer epochs, `patience`, more rows |
#
# **Theory ⑩**: the last three are all called "a bad score", and their shapes point to three different cures. The last panel puts this into your hands: `lk.ui.LiveHead`. Drag the learning rate, and the head of a real model trains anew while you drag; the curve follows your hand. Drag from `2e-3` to the right, and see in which order the shapes appear.

# %%
knob = lk.ui.LiveHead(corpus, MODEL, replace(config, lr=None, epochs=None))
for lr in (2e-3, 1e-2):
    knob.set(lr=lr, epochs=4)
    knob.wait()
knob.report()
knob

# %%
again = knob.head.trainer(lr=1e-2, epochs=4).fit()  # knob.head is the panel's own lk.LiveHead
print(tr("成绩相同：", "same scores:"), again.history[-1].valid_loss == knob.trainer.history[-1].valid_loss)

# %% [markdown] lang="zh"
# 面板和代码，又是同一块表。**读图**：灰的是上一个设置（`2e-3`），彩色的是刚拖到的 `1e-2`。训练损失（蓝）开头跳了一下，后来多半比灰线低；验证损失（红）却比灰线高：A 正在变成 D，步子大了，背得快了。再往右拖到头就是 C；往左拖，曲线越来越平，直到 B。

# %% [markdown] lang="en"
# Panel and code: once more the same watch. **Reading it**: grey is the setting before (`2e-3`), colour the `1e-2` that we have just dragged to. The training loss (blue) jumps at the start and is then mostly below the grey; the validation loss (red) is above it. A is turning into D: long strides soon learn by heart. Further right, at the end of the slider, comes C; to the left the curve gets flatter and flatter until it is B.

# %% [markdown] lang="zh"
# ## 12 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 三个套着的循环 | 手写的 24 步与 `Trainer` 相同（1） |
# | ② | `backward` 是加 | 不清零不吭声（2）；6、6、4 攒成 16（3） |
# | ③ | 计划只认步数：轻起步，稳停车 | 窜起的开头，晃着的结尾（4） |
# | ④ | 裁剪只缩短，不转向 | 每步都绷紧；事故之后（5） |
# | ⑤ | 随机都有地址 | 每一位都重现；三处骰子谁更要紧（6） |
# | ⑥ | 循环只报告，停下是走开 | `break` 再接着走，捣乱的听众（7） |
# | ⑦ | 最后一轮不是最好的一轮 | 红线上山，绿线截住（8） |
# | ⑧ | 训练就是它的状态 | 48 个损失逐位相同；丢了动量就是另一条路（9） |
# | ⑨ | 先试探，后诊断 | 悬崖的位置，医生的一句话（10） |
# | ⑩ | 形状说得出原因 | 四幅图，一个跟着手走的头（11） |

# %% [markdown] lang="en"
# ## 12 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | three loops, one inside the other | 24 steps by hand equal to the `Trainer`'s (1) |
# | ② | `backward` adds | never clearing, and never a sound (2); 6, 6 and 4 make 16 (3) |
# | ③ | the schedule knows the step: set off gently, come to rest | the start that shoots up, the end that swings (4) |
# | ④ | clipping shortens and does not turn | taut at every step; after the accident (5) |
# | ⑤ | all that is random has an address | every digit again; which dice matter (6) |
# | ⑥ | the loop reports, to stop is to walk away | `break` and on again, and a meddler (7) |
# | ⑦ | the last epoch is not the best | the red line uphill, cut off by the green (8) |
# | ⑧ | a run is its state | 48 losses to the bit; without moments another way (9) |
# | ⑨ | try before, ask after | where the cliff is, and a word from the doctor (10) |
# | ⑩ | shapes name causes | four pictures, and a head that follows your hand (11) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学的显存只够 4 行一批，于是 `accumulation=4`，每份的损失除以 4，然后 `step()`。他说：“和 16 行一批完全一样。”数据有 1,003 行。哪一步不一样？怎么改？
#
# <details><summary>展开答案</summary>
#
# 1003 = 62 × 16 + 11：每轮最后一批只有 11 行，分成 4、4、3。三份却各除以 4，合起来少了四分之一；就算除以 3，那份 3 行的每一行也算重了（理论 ②，第 3 节）。改法：每份乘“这一份的行数 ÷ 这一批的行数”，或者用求和的损失，最后除以批的行数。还有一处：随机失活的骰子按份掷，和整批不会逐位相同，这不是错。怎样证明改对了？关掉随机失活，和整批的梯度对表。
#
# </details>

# %% [markdown] lang="zh"
# **二**　恢复训练之后，损失突然跳高一截，过一两百步又慢慢降回来。最可能漏存了什么？怎样十分钟之内证实？
#
# <details><summary>展开答案</summary>
#
# 多半是优化器的状态：AdamW 的两个动量从 0 开始，最初的步子只看眼前一批（理论 ⑧，第 9 节）；也可能是步数，学习率计划从头热身、又升到了顶点。证实的办法是对表：拿一个小模型、几十行数据，不断电跑一遍，再断一次、恢复，逐步比较损失。在恢复后第一步就不同，是参数、次序或随机失活；第二步才不同，是动量或学习率。
#
# </details>

# %% [markdown] lang="zh"
# **三**　训练损失漂亮地降着，验证损失一直在 0.69。列出三个可能的原因，各用一次小实验分开它们。
#
# <details><summary>展开答案</summary>
#
# 其一，背书：训练行太少或轮数太多。看红线是否早先低过；加行、减轮再看。其二，训练与验证不是一回事：标签写反、划分按来源切开。从训练集里留出几十行来考，若考得好，问题就在验证集。其三，验证时忘了 `eval()`，或考的不是同一个模型。拿训练行去考一次，若也是 0.69，坏的是考试本身。三个实验都只要一分钟（理论 ⑨）；医生能替你查其中一部分。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student has memory for 4 rows only, and therefore cuts each batch of 16 into 4 pieces, divides the loss of every piece by 4, and then calls `step()`. "Just the same as batches of 16", they say. There are 1,003 rows. Which step is not the same, and how can it be mended?
#
# <details><summary>Open the answer</summary>
#
# 1003 = 62 × 16 + 11: the last batch of each epoch has 11 rows, cut into 4, 4 and 3. Three pieces divided by 4 each fall short by a quarter; and even divided by 3, each row of the small piece weighs too much (theory ②, section 3). Multiply each piece by its rows over the rows of the batch; or sum losses, and divide by the rows of the batch at the end. One more thing: dropout throws its dice piece by piece, so the digits will differ from the whole batch, and that is no mistake. How to prove that it is mended? Switch dropout off and set the watch by the gradient of a whole batch.
#
# </details>

# %% [markdown] lang="en"
# **Two.** After resuming, the loss jumps up and takes one or two hundred steps to come down again. What was most likely not kept? How do you prove it within ten minutes?
#
# <details><summary>Open the answer</summary>
#
# Most likely the state of the optimizer: AdamW's two moments begin at 0 again, and the first steps heed a single batch (theory ⑧, section 9). It may also be the number of the step, so that the rate warms up once more and climbs to its peak. Prove it by setting the watch: with a small model and some dozens of rows, run once without a break, then once with, and compare the losses step by step. Where they differ at the first step after resuming, it is parameters, order or dropout; where they differ only from the second on, moments or the rate.
#
# </details>

# %% [markdown] lang="en"
# **Three.** The training loss comes down beautifully, and the validation loss stays at 0.69. Name three possible causes, and a small experiment for each that tells it from the others.
#
# <details><summary>Open the answer</summary>
#
# First, learning by heart: too few rows, or too many epochs. See whether the red line was lower earlier on; try more rows or fewer epochs. Second, training and validation are not the same thing: labels swapped, or a split along sources. Hold back some dozens of training rows for an exam; if that goes well, the trouble lies with the validation rows. Third, `eval()` was forgotten in the exam, or another model was examined. Examine on training rows; if that is 0.69 too, the exam itself is broken. Each takes a minute (theory ⑨), and the doctor looks into some of them for you.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **练习 05**：亲手写循环、累积、裁剪、早停和恢复；最后设计一位会看曲线、知道何时不用再等的人。
# - **换成你的数据**：`lk.ui.Train("我的评论.csv")`，停一停，再继续。
# - **笔记 06**：这块表上的发条从哪里来？当场预训练一分钟，再看它值多少条标签。

# %% [markdown] lang="en"
# ## Where next
#
# - **Exercises 05**: write the loop, accumulation, clipping, early stopping and resuming with your own hands; and in the end design somebody who looks at the curves and knows when there is no use waiting.
# - **Your own data**: `lk.ui.Train("my_reviews.csv")`; stop it, and resume.
# - **Notebook 06**: who wound the watch? Pretrain for a minute, live, and see how many labels that is worth.
