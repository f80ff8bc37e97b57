# %% [markdown] lang="zh"
# # 02 · 冻结还是不冻结？
#
# 你盘下一栋结实的老楼，想开一家面馆。承重墙、水管、电线，前人都做好了。你可以只换招牌和柜台，一个下午就完工；可以把顶上两层重新隔一隔；也可以从地基到屋顶全部翻修，最合心意，也最费钱，敲坏一面墙，还补不回原样。
#
# 预训练模型就是这栋楼。笔记 01 只换过一次招牌（只训练头），也翻修过一次全楼。教程上常有一句话：“**数据少、机器弱，就冻结。**”这句话对吗？少是多少？冻哪几层？省下什么，丢掉什么？这本笔记不争论，只测量。
#
# **做完以后，你能够**
#
# 1. 亲手冻结任何一部分，说清反向传播因此少走了哪段路；
# 2. 证明冻结的张量一个比特都没动，也说得出“只训练头”的两种含义；
# 3. 把冻结的部分只算一遍，得到同样的损失，只花几分之一的时间；
# 4. 一层一层放开，自上而下逐步解冻，让每一层有自己的步幅；
# 5. 读懂区间和判定，知道什么时候**不许**排名次；
# 6. 检验“数据少就冻结”，在自己的数据上找到交叉点；
# 7. 量出微调忘掉了多少，并且修补。
#
# **怎么读**：做过笔记 01 就够了，大约 60 分钟。每一格之前有一个问题，先猜再运行。

# %% [markdown] lang="en"
# # 02 · Freeze or not?
#
# You have taken over a sound old house and want to open a noodle shop in it. Walls, pipes and wires are there already. You can put up a new sign and a new counter, and be done in an afternoon; you can rearrange the two top floors; or you can do up everything from the ground to the roof, which suits you best, costs most, and where you break a wall you will not get the old one back.
#
# A pretrained model is this house. In notebook 01 we once changed the sign (only the head trained) and once did up the whole. Tutorials like to say: **"with little data or a weak machine, freeze."** Is that true? How little is little? Which floors? What is saved, and what is lost? This notebook does not argue; it measures.
#
# **At the end you will be able to**
#
# 1. freeze any part by hand, and say which stretch of the way backward then leaves out;
# 2. prove that frozen tensors have not moved by a bit, and name the two things that "head only" can mean;
# 3. compute the frozen part once, for the same losses in a fraction of the time;
# 4. open one floor after the other, thaw from the top down, and give each floor its own stride;
# 5. read an interval and a verdict, and know when you may **not** rank;
# 6. put "little data, so freeze" to the test, and find the crossing point on data of your own;
# 7. measure how much fine-tuning forgets, and mend it.
#
# **How to read it.** Having done notebook 01 is enough; it takes about 60 minutes. A question stands before each cell: guess first, then run. The reviews are Chinese, and you can follow without reading a character.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 模型和设备照旧，由 `lk.equipment()` 去看。训练只取 160 行，因为“行少的时候怎么办”正是题目；而且只留 24 个字以内的短评论，这样每次训练只要一两秒，一本笔记里就能比上二十来次。（代价是测试也只剩 199 行，误差大一些，第 9 节会算给你看。）`config` 里没有学习率和轮数，意思是每种策略用它自己的：头可以迈大步、走很多轮，整栋楼只能小步走几轮，用同一个数去比，对谁都不公平。

# %% [markdown] lang="en"
# Model and device are found by `lk.equipment()`, as before. We take 160 training rows, since "what if there are few?" is the very question, and only reviews of 24 characters or fewer, so that a run takes a second or two and one notebook can hold twenty of them. (The price: only 199 test rows are left, and a larger error; section 9 will work it out.) The `config` names neither learning rate nor epochs, and so each strategy takes its own: a head may take long strides for many epochs, a whole house only short ones for a few, and one number for all would be fair to nobody.

# %%
from dataclasses import replace

MODEL, DEVICE = lk.equipment()
whole = lk.reviews()
short = {name: tuple(row for row in rows if len(row.input) <= 24) for name, rows in whole.splits.items()}
whole = replace(whole, **short)
corpus = whole.limit(160)
config = lk.TrainConfig(device=DEVICE, precision="fp32")


def fresh():
    return lk.load(MODEL, labels=corpus.labels).to(DEVICE)


# %% [markdown] lang="zh"
# 安全绳的用法和笔记 01 一样：`expect` 先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。范围放得宽，因为 160 行练出来的成绩，换个种子就会晃。

# %% [markdown] lang="en"
# The safety rope works as in notebook 01: `expect` prints your number, then our reference and its range, and a ✗ outside it. The ranges are wide, because what 160 rows teach wobbles with the seed.

# %%
expect = lk.expect("02")

# %% [markdown] lang="zh"
# ## 1 亲手冻结：反向少走一段路
#
# > **理论 ①** 反向从损失往下走，走到最低的一个要训练的张量为止；再往下，没有人问梯度。
#
# 冻结只要一行：`requires_grad_(False)`。我们写成一个小函数，参数是“哪些名字要训练”的一个判断，因为待会儿要冻结不同的部分。再备好一批 16 条评论。

# %% [markdown] lang="en"
# ## 1 Freezing by hand: a shorter way back
#
# > **Theory ①** Backward walks down from the loss to the lowest tensor that trains; below it nobody asks for a gradient.
#
# Freezing takes one line, `requires_grad_(False)`. We make it a small function that is told which names shall train, because we are going to freeze different parts. And we get a batch of 16 reviews ready.


# %%
def train_only(model, wanted):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(wanted(name))
    return model


tokenizer = fresh().processor


def encode(rows):
    texts = [row.input for row in rows]
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    return inputs.to(DEVICE), torch.tensor([row.target for row in rows], device=DEVICE)


# %% [markdown] lang="zh"
# 只留下头，做一次前向、一次反向。**猜**：整个模型有七十多个张量，几个会有梯度（`grad`）？

# %% [markdown] lang="en"
# Leave only the head, go forward once and backward once. **Guess**: the model has some seventy tensors. How many will have a gradient (`grad`)?

# %%
lk.guess("02.1", 8, 20)

# %%
from torch.nn.functional import cross_entropy

head = set(lk.blocks(fresh())[-1].parameters)
model = train_only(fresh(), lambda name: name in head)
inputs, target = encode(corpus.train[:16])
cross_entropy(model(**inputs).logits, target).backward()
with_grad = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
print(with_grad)
lk.scored("02.1", len(with_grad))

# %% [markdown] lang="zh"
# 四个：池化层和分类层，各一个矩阵、一个偏置。其余的连梯度都没算。没算，省的是什么？前向时，PyTorch 一路记下“回去的路”，一站一站：这就是**计算图**，站是它的**节点**；反向沿着节点往回走，就是**反向传播**。我们来数节点。

# %% [markdown] lang="en"
# Four: a matrix and a bias for the pooler, and the same for the classifier. For the rest no gradient was even computed. And what does that save? On the way forward PyTorch notes the way back, station by station, and backward walks along these stations. Let us count them.


# %%
def nodes(model):
    todo, seen = [cross_entropy(model(**inputs).logits, target).grad_fn], set()
    while todo:
        here = todo.pop()
        seen.add(here)
        todo += [back for back, _ in here.next_functions if back and back not in seen]
    return len(seen)


# %% [markdown] lang="zh"
# 四种冻法：全部训练、顶部两层、只有头，再加一个倒过来的：冻住上面的一切，只训练最底下的嵌入层。红的训练，灰蓝的冻结，标题下面是训练的参数和全部参数。

# %% [markdown] lang="en"
# Four plans: everything trains; the top two layers; the head alone; and one upside down, which freezes all that lies above and trains only the embeddings at the bottom. Red trains, grey is frozen; below each title stand the parameters that train, and all of them.

# %%
lk.plots.network(fresh(), lk.Full(), lk.TopK(2), lk.HeadOnly(), lk.OnlyBlocks(("embeddings",)))

# %% [markdown] lang="zh"
# 最后一种训练的参数，差不多是顶部两层的两倍。**猜**：它们的回程，哪个长？

# %% [markdown] lang="en"
# The last one trains nearly twice as many parameters as the top two layers. **Guess**: which of the two has the longer way back?

# %%
lk.guess("02.1b", choice="top-2")

# %%
walks = {
    tr("全部", "everything"): nodes(lk.Full().prepare(fresh())),
    tr("顶部两层", "top two layers"): nodes(lk.TopK(2).prepare(fresh())),
    tr("只有头", "head alone"): nodes(model),
    tr("只有嵌入层", "embeddings alone"): nodes(train_only(fresh(), lambda name: "embeddings" in name)),
}
longer = walks[tr("只有嵌入层", "embeddings alone")] > walks[tr("顶部两层", "top two layers")]
lk.scored("02.1b", "embeddings" if longer else "top-2")
lk.plots.bars(walks, tr("反向经过的节点", "Nodes on the way back"), tr("节点", "nodes"))

# %% [markdown] lang="zh"
# **读图**：从底下往上冻得越多，回程越短；只有头时，十来个节点就到。倒过来的那一种却比顶部两层还长：梯度要穿过所有冻结的层，才能到达底下。和全部训练相比，它少掉的只是路边的小节点（给每个冻结的权重算梯度的那些），干线一站没少。所以先要问的不是“训练了多少参数”，而是“最低的那个在哪里”。这就是**理论 ①**，也是人们总从顶上开始放开的一个原因。前向呢？一步也没省，第 6 节去省它。

# %% [markdown] lang="en"
# **Reading it**: the more is frozen from the bottom up, the shorter the way back; with the head alone it is about ten stations. The plan that is upside down has a longer way than the top two layers: the gradient has to come through all the frozen layers to arrive below. Compared with training everything, it only leaves out the halts beside the line (where the gradient of each frozen weight would be worked out); on the main line not a station is saved. So the first question is not how many parameters train but where the lowest of them lies. That is **theory ①**, and one reason for always opening a house from the top. And the way forward? Not a step of it is saved. Section 6 will see to that.

# %% [markdown] lang="zh"
# ## 2 冻住了，还会晃
#
# > **理论 ②** `requires_grad` 管的是会不会被改，`eval` 管的是算得稳不稳；冻结的部分两样都要。
#
# 参数不动，输出就一定不动吗？多数 BERT 的每一层里都有**随机失活**：训练时，每次随手关掉十分之一的数。我们的小模型里面这个比例是 0（预训练时就没用），为了看清楚，把它调成常见的 0.1。**猜**：同一批评论，让冻结的网络读两遍，`[CLS]` 的向量会相同吗？

# %% [markdown] lang="en"
# ## 2 Frozen, and still shaking
#
# > **Theory ②** `requires_grad` decides whether a part is changed, `eval` whether it answers the same each time; a frozen part wants both.
#
# If the parameters stay, does the output stay? Inside every layer of most BERTs there is **dropout**: while training, a tenth of the numbers is switched off at random. In our small model that share is 0 (it was pretrained so); to see the effect, we set it to the usual 0.1. **Guess**: let the frozen network read the same batch twice. Will the vectors at `[CLS]` be the same?

# %%
lk.guess("02.2", choice="yes")

# %%
for module in model.base_model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.1


def read(model, inputs):
    with torch.no_grad():
        return model.base_model(**inputs).last_hidden_state[:, 0]


model.train()
same = torch.equal(read(model, inputs), read(model, inputs))
print(same)
lk.scored("02.2", "yes" if same else "no")

# %% [markdown] lang="zh"
# 不相同：地板没有拆，却一直在晃。头于是要在晃动的地板上学习，却没有任何好处，因为地板不会因此变得更结实。对策是只把冻结的部分切到考试状态，头留在训练状态。

# %% [markdown] lang="en"
# They are not: nobody touched the floor, and yet it shakes. The head then has to learn on a shaking floor, and nothing is gained by it, since the floor will not grow any firmer. The cure is to put just the frozen part into exam mode and leave the head in training mode.


# %%
def still(model):
    model.train()
    model.base_model.embeddings.eval()
    model.base_model.encoder.eval()
    return model


print(torch.equal(read(still(model), inputs), read(model, inputs)))

# %% [markdown] lang="zh"
# 稳了。labkit 的训练器自己会这样做：没有任何东西在训练的块，一律 `eval`。请记住这个 `True`，第 6 节的提速全靠它。

# %% [markdown] lang="en"
# Now it stands still. labkit's trainer does this by itself: a block in which nothing trains is in `eval`. Remember this `True`; the speed of section 6 rests on it.

# %% [markdown] lang="zh"
# ## 3 “只训练头”是两句话
#
# BERT 在 `[CLS]` 和分类层之间还有一层**池化层**（pooler）。它算头，还是算楼？论文和教程各说各的，成绩自然对不上。所以报告冻结，不要只报一个词，要报出张量的名字。**猜**：两种读法，训练的参数差多少倍？

# %% [markdown] lang="en"
# ## 3 "Head only" means two things
#
# Between `[CLS]` and the classifier BERT has one more layer, the **pooler**. Is that head or house? Papers and tutorials differ, and so of course do their scores. When you report freezing, then, don't report a word; report the names of the tensors. **Guess**: how many times more parameters train in one reading than in the other?

# %%
lk.guess("02.3", 2, 20)

# %%
counts = []
for strategy in (lk.HeadOnly(), lk.HeadOnly(pooler=False)):
    plan = strategy.prepare(fresh())
    trained = {name: p.numel() for name, p in plan.named_parameters() if p.requires_grad}
    print(f"{sum(trained.values()):,}", *trained, sep="\n   ")
    counts.append(sum(trained.values()))
lk.scored("02.3", round(counts[0] / counts[1]))

# %% [markdown] lang="zh"
# 差六十多倍。而且这里有个陷阱：我们的池化层不是预训练来的，和分类层一样从随机开始（它不参加掩码语言模型的练习）。冻住它，就等于让一个没学过的人站在门口传话。下一节把两种都跑一遍。

# %% [markdown] lang="en"
# More than sixty times. And there is a trap in it: our pooler was not pretrained; like the classifier it starts at random (masked language modelling has no use for it). To freeze it is to let somebody who has learned nothing stand at the door and pass the messages on. The next section runs both.

# %% [markdown] lang="zh"
# ## 4 证明：一个比特也没动
#
# 说“冻结了”容易，证明也不难：训练前把每个张量抄一份，训练后逐比特对照。**猜**：会有几个变了？是哪几个？

# %% [markdown] lang="en"
# ## 4 The proof: not a bit has moved
#
# It is easy to say "frozen", and not hard to prove: copy every tensor before the run and compare bit by bit afterwards. **Guess**: how many will have changed, and which?

# %%
lk.guess("02.4", 2, 6)

# %%
trainer = lk.Trainer(fresh(), corpus, lk.HeadOnly(), config)
before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
head_only = trainer.fit()
changed = [name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])]
print(*changed, sep="\n")
print(sorted(changed) == sorted(head_only.moved))
lk.scored("02.4", len(changed))

# %% [markdown] lang="zh"
# 恰好那四个。labkit 每次训练都做这个对照，结果记在 `run.moved` 里；万一有冻结的张量动了，它会直接报错，而不是悄悄给你一个成绩。
#
# 现在只训练最后一层，池化层冻着。**猜**：参数少了六十多倍，测试准确率还有多少？

# %% [markdown] lang="en"
# Just those four. labkit makes this comparison in every run and notes the outcome in `run.moved`; should a frozen tensor ever move, it stops with an error instead of quietly giving you a score.
#
# Now train only the last layer, with the pooler frozen. **Guess**: with sixty times fewer parameters, what test accuracy is left?

# %%
lk.guess("02.4b", 0.55, 0.65)

# %%
narrow = lk.Trainer(fresh(), corpus, lk.HeadOnly(pooler=False), config).fit()
print(*narrow.moved)
expect("head", head_only.test_accuracy)
expect("narrow", narrow.test_accuracy, guess="02.4b")

# %% [markdown] lang="zh"
# 几个百分点，只差在一个词的读法上（只跑了一个种子，还不算定论，为什么，第 9 节说）。以后看到“冻结不行”的结论，先问一句：池化层冻了没有？

# %% [markdown] lang="en"
# Several points, and the only difference is how one reads a word (from a single seed, so not settled yet; section 9 says why). When you next come upon the finding that "freezing does not work", first ask whether the pooler was frozen.

# %% [markdown] lang="zh"
# ## 5 哪些在训练，各动了多少
#
# 名字太多，就按块来数。`lk.trainable_map` 一块一块地数，先用表看只训练头。**猜**：顶部两层连同头，会是全部参数的百分之几？

# %% [markdown] lang="en"
# ## 5 What trains, and how far it moves
#
# So many names are better counted by the block. `lk.trainable_map` does that; first for the head alone, as a table. **Guess**: the top two layers with the head, what share of all parameters is that?

# %%
lk.guess("02.5", 40, 60)

# %%
print(lk.trainable_map(lk.HeadOnly().prepare(fresh())))
top = [parameter.requires_grad * parameter.numel() for parameter in lk.TopK(2).prepare(fresh()).parameters()]
lk.scored("02.5", round(100 * sum(top) / sum(parameter.numel() for parameter in fresh().parameters())))

# %% [markdown] lang="zh"
# 每层约二十万个参数，两层加头约四十万，是一百六十万的四分之一多一点；最大的一块是嵌入层。
#
# 下面的**冻结地图**把楼画成一叠积木：点一块，冻结或放开；红的在训练，灰蓝的不动，右边的数跟着变，底下是替你写好的代码。点出来的若正好是某种策略，它就用那个名字，比如放开第 4、第 3 层，就是 `top-K`，k = 2。还有预设：选 `bitfit` 或 `lora`，看看积木怎样变。
#
# 全量微调时，全楼都是红的，没什么看头。可是红不等于真的动了。按“运行”，面板会在训练时旁观，记下每一块收到的梯度和走过的路（代码里是 `lk.watch`，孪生格子就在面板后面）。**猜**：64 条评论练一轮之后，哪一块的权重变化最大（占自己长度的比例）？头，中间某一层，还是嵌入层？

# %% [markdown] lang="en"
# A layer has about two hundred thousand parameters, so two of them and the head make some four hundred thousand, a little over a quarter of the 1.6 million; the largest block is the embeddings.
#
# The **freeze map** below draws the house as a stack of blocks. Click one to freeze or free it: red trains, grey-blue stays, the numbers on the right follow, and at the bottom stands the code. If what you clicked happens to be a strategy, it goes by that name: free layers 4 and 3, and you have `top-K` with k = 2. There are presets as well; choose `bitfit` or `lora` and see what the blocks do.
#
# With full fine-tuning the whole house is red, and there is not much to see. But being red does not mean to move. Press Run, and the panel looks on while the model trains, and notes the gradient that each block receives and the way that it goes (in code that is `lk.watch`; the twin cell stands right behind). **Guess**: after one epoch on 64 reviews, in which block have the weights changed most, as a share of their own length? The head, a layer in the middle, the embeddings?

# %%
lk.guess("02.5b", choice="embeddings")

# %%
some = corpus.limit(64)
panel = lk.ui.FreezeMap(some, MODEL, strategy="full", epochs=1)
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
trainer = lk.Trainer(fresh(), some, lk.Full(), lk.TrainConfig(epochs=1))
with lk.watch(trainer.model) as seen:
    trainer.fit()
moved = lk.trainable_map(trainer.model, seen)
print(tr("和面板相同：", "as in the panel:"), moved == panel.moved)
lk.scored("02.5b", max(moved, key=lambda part: part.change or 0).name.split()[0])

# %% [markdown] lang="zh"
# **读图**：中间是每一块收到的平均梯度，右边是权重走过的路占原来长度的百分之几（图上的范数就是长度）。头从随机开始，路最远；各层走了头的一半多一点。最有意思的是嵌入层：收到的梯度仅次于头，是各层的两到三倍，走的路却最短。一条评论只碰到表里的几十行，没出现过的字原地不动；而 AdamW 给每个参数各定步幅，梯度大不等于步子大。再看横轴上的数：这一轮下来，谁也没走出百分之一点几。既然都走得这么近，那么干脆不许下面的动，又会损失多少？这个问题要一层一层地问（第 7 节）。

# %% [markdown] lang="en"
# **Reading it**: in the middle stands the mean gradient that each block received, on the right how far its weights went, in per cent of their length before (length is what the picture calls norm). The head starts at random and has the longest way; the layers go a little over half as far. Strangest are the embeddings: they receive the largest gradient but for the head, two to three times that of a layer, and go the shortest way. A review touches a few dozen rows of the table, and characters that did not occur stay where they are; and AdamW gives each parameter its own stride, so that steep does not mean far. Then look at the numbers on the axis: in this epoch nobody went further than one per cent and a bit. If all of it moves so little, what would be lost by not letting the lower part move at all? That has to be asked floor by floor (section 7).

# %% [markdown] lang="zh"
# ## 6 冻结的部分，只算一遍
#
# > **理论 ③** 冻结又不晃的部分，对同一行永远给出同一个答案；同一道题不必每轮重算。
#
# 只训练头时，十轮训练让冻结的楼把同一条评论读十遍，十遍的 `[CLS]` 一模一样（第 2 节的 `True`）。那就读一遍，抄下来。先写慢的办法：每一步都从头算起。两种办法共用一个循环 `learn`，差别只在“怎样得到这几行的 logits”。

# %% [markdown] lang="en"
# ## 6 The frozen part, computed once
#
# > **Theory ③** What is frozen and stands still gives the same answer for the same row, always; there is no need to work it out again every epoch.
#
# While only the head trains, ten epochs make the frozen house read the same review ten times, and its `[CLS]` is the same ten times (that was the `True` of section 2). So read once and write it down. First the slow way, which computes everything in each step. Both ways share one loop, `learn`; they differ in how they come by the scores of a few rows.

# %%
batches = [corpus.train[i : i + 16] for i in range(0, len(corpus.train), 16)]


def learn(model, logits_of, epochs=5):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for step in range(epochs * len(batches)):
        torch.manual_seed(step)  # dropout in the head is a function of the step
        logits, target = logits_of(step % len(batches))
        loss = cross_entropy(logits, target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


# %% [markdown] lang="zh"
# 慢的办法把整批文字交给整个模型。计时用处理器真正干活的秒数（`process_time`），这样别的程序忙不忙都不影响结果。

# %% [markdown] lang="en"
# The slow way hands the texts of a batch to the whole model. For the watch we take the seconds in which the processor really worked (`process_time`), so that other programs do not disturb us.

# %%
import time

slow = still(train_only(fresh(), lambda name: name in head))
encoded = [encode(rows) for rows in batches]


def from_text(i):
    inputs, target = encoded[i]
    return slow(**inputs).logits, target


began = time.process_time()
slow_losses = learn(slow, from_text)
slow_seconds = time.process_time() - began

# %% [markdown] lang="zh"
# 快的办法先把 160 条评论各读一遍，每条只留下 `[CLS]` 的 128 个数；之后的每一步，都只有池化层、随机失活、分类层这三小块要算。把损失逐步相比，再把时间相比，“先读一遍”也算进去。

# %% [markdown] lang="en"
# The fast way first reads each of the 160 reviews once and keeps only its 128 numbers at `[CLS]`; after that, each step computes just three small things: pooler, dropout, classifier. Compare the losses step by step, and the time of five epochs, the first reading included.

# %%
fast = still(train_only(fresh(), lambda name: name in head))
began = time.process_time()
vectors = [read(fast, inputs) for inputs, _ in encoded]


def from_vectors(i):
    pooled = fast.base_model.pooler(vectors[i][:, None])
    return fast.classifier(fast.dropout(pooled)), encoded[i][1]


fast_losses = learn(fast, from_vectors)
fast_seconds = time.process_time() - began

# %%
gap = max(abs(a - b) for a, b in zip(slow_losses, fast_losses, strict=True))
lk.about(tr("五十步里损失最大的差", "largest difference of the loss in fifty steps"), gap, 0, 1e-5)
print(tr("至少快一倍：", "at least twice as fast:"), slow_seconds > 2 * fast_seconds)
took = {tr("每步都算", "every step"): slow_seconds, tr("只算一遍", "only once"): fast_seconds}
lk.plots.bars(took, tr("五轮只训练头", "Five epochs of the head"), tr("处理器秒", "processor seconds"))

# %% [markdown] lang="zh"
# **读图**：损失一步不差，时间是三四分之一；剩下的大半花在“先读一遍”上，所以轮数越多越划算。这不是近似，也不是取巧，只是没有做重复的功。
#
# labkit 的训练器自动这样做，不只对头：训练顶部两层时，它记下第二层交出的全部向量，从第三层开始算。`cache="off"` 可以关掉。再验一次账。

# %% [markdown] lang="en"
# **Reading it**: not one step differs, and the time is a third or a quarter. Most of what is left went into the first reading, so the more epochs, the better the bargain. This is no approximation and no trick; it merely leaves out work that had been done.
#
# labkit's trainer does this by itself, and not for the head only: while the top two layers train, it keeps all the vectors that layer 2 hands up, and begins to compute at layer 3. `cache="off"` switches it off. Let us check its books, too.

# %%
kept = lk.Trainer(fresh(), some, lk.TopK(2), replace(config, epochs=2)).fit()
again = lk.Trainer(fresh(), some, lk.TopK(2), replace(config, epochs=2, cache="off")).fit()
gap = max(abs(a - b) for (_, a, _), (_, b, _) in zip(kept.steps, again.steps, strict=True))
lk.about(tr("八步里损失最大的差", "largest difference of the loss in eight steps"), gap, 0, 1e-5)

# %% [markdown] lang="zh"
# 一个头便宜到这个地步，就可以做一件平时舍不得做的事：把学习率从小到大全试一遍。`LiveHead` 只读一遍文字，之后每次重练都不到一眨眼。我们试七种学习率，每种十轮。**猜**：两头里哪一头考得更差，最小的 `1e-5`，还是最大的 `1e-1`？（看的是验证成绩：选设置，不许用测试集。）

# %% [markdown] lang="en"
# With a head as cheap as this, you can do what one usually can't afford: try all the learning rates from small to large. `LiveHead` reads the texts once; after that, each new training is over in a blink. We try seven rates, ten epochs each. **Guess**: which end does worse, the smallest rate, `1e-5`, or the largest, `1e-1`? (We look at the validation score: the test set is not for choosing.)

# %%
lk.guess("02.6", choice="large")

# %%
live = lk.LiveHead(lk.Trainer(fresh(), corpus, lk.HeadOnly(), config))
rates = [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1]
scores = [live.trainer(lr=lr).fit().valid_accuracy for lr in rates]
lk.scored("02.6", "small" if scores[0] < scores[-1] else "large")

# %%
fig, axes = lk.plots.figure(6.4, 2.8)
axes.semilogx(rates, scores, "o-", color="#4477aa")
rows = len(corpus.valid)
axes.vlines(
    rates, *zip(*(lk.wilson(round(score * rows), rows) for score in scores), strict=True), color="#4477aa", lw=1
)
axes.axhline(0.5, color="#888888", ls=":")
axes.set(title=tr("只训练头，七种学习率", "The head alone at seven rates"))
axes.set(xlabel=tr("学习率（对数轴）", "learning rate (log axis)"), ylabel=tr("验证准确率", "validation accuracy"))
fig

# %% [markdown] lang="zh"
# **读图**：虚线是瞎猜。左边步子太小：`1e-5` 走了十轮，才刚离开瞎猜。从 `3e-4` 到 `1e-1`，学习率差了三百多倍，成绩都在 0.7 上下到 0.8 之间（`1e-2` 那一点是 0.695），起起落落不必当真（验证只有 95 行，每边约九个点的误差），所以这一段里排不出名次。`HeadOnly` 自带的 `2e-3` 就在这一段的中间。两头不对称：**头从随机开始，路远，步子就得大**，大上几十倍也不出事，小上几十倍就不行。笔记 01 提过，大 BERT 全量微调常用 `2e-5`；拿那样的步幅来练头，就站到了图的最左边。所以看到“冻结效果差”的结论，也请先问一句：头的学习率是多少？

# %% [markdown] lang="en"
# **Reading it**: the dotted line is guessing. On the left the strides are too small: at `1e-5`, ten epochs come to hardly more than guessing. From `3e-4` to `1e-1` the rate grows more than three hundred times and all scores lie between 0.69 and 0.8, where ups and downs mean nothing (there are 95 validation rows, which makes nine points of error to each side), so there is no ranking in that stretch. The `2e-3` that `HeadOnly` brings lies in the middle of it. The two ends are unlike: **a head starts at random and has far to go, so its strides must be long**; tens of times longer does no harm, tens of times shorter does. Large BERTs, as notebook 01 said, are usually fine-tuned at `2e-5`; train a head with such a stride and you stand at the left end of this picture. So when you read that "freezing is poor", ask for the head's learning rate as well.

# %% [markdown] lang="zh"
# ## 7 一层一层放开
#
# > **理论 ④** 越靠下越通用，越靠上越专门；每多放开一层，多一分本事，也多一份开销。
#
# 现在从招牌装修到地基：只训练头、顶部一层、两层，直到全部（四层加嵌入层）。先用**比较**面板跑两头中的一头和中间：勾上策略和种子，按“运行”，表一行一行地长。每种策略都得到一个崭新的模型，同样的行，同样的次序，旁边自动站着两个便宜的对手：TF-IDF 和“永远猜多数类”。每次训练存成一个文件；孪生格子 `lk.compare` 用同一个目录 `out=panel.folder`，所以面板做过的它直接读，只补没做的。`forgetting=True` 顺手量一样第 11 节要用的东西。**猜**：画出你想象中的曲线。直线上升？先快后慢？还是先升后降？

# %% [markdown] lang="en"
# ## 7 One floor after the other
#
# > **Theory ④** The lower a layer, the more general what it knows; the higher, the more particular. Each floor you open adds some skill, and some cost.
#
# Now renovate from the sign down to the ground: the head alone, one top layer, two, and then everything (four layers and the embeddings). Two of these run in the **compare** panel: tick strategies and seeds, press Run, and the table grows line by line. Each strategy gets a fresh model, the same rows and the same order, and two cheap rivals stand beside them: TF-IDF, and always guessing the majority class. Each run is kept in a file; the twin cell, `lk.compare`, is given the same folder, `out=panel.folder`, so it reads what the panel has done and only does what is missing. `forgetting=True` also measures something that section 11 needs. **Guess**: draw the curve that you expect. Straight up? Fast first and then slower? Up and down again?

# %%
import tempfile
from pathlib import Path

box = Path(tempfile.mkdtemp())
panel = lk.ui.Compare(corpus, MODEL, out=box, full=False, lora=False, seed_1=False)
panel.set(**{"top-2": True})
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
options = {"model": MODEL, "out": panel.folder, "forgetting": True}
ladder = [lk.HeadOnly(), lk.TopK(1), lk.TopK(2), lk.Full()]
steps = lk.compare(ladder, corpus, **options)
for rival in steps.beside:
    expect(rival.strategy, rival.test_accuracy)

# %%
lines = {line.strategy: line for line in lk.table(steps)}
names = [run.strategy for run in steps]
middle, low, high = ([getattr(lines[name], end) for name in names] for end in ("accuracy", "low", "high"))
fig, axes = lk.plots.figure(6.4, 3.2)
axes.fill_between(range(4), low, high, color="#4477aa", alpha=0.2, label=tr("95 % 区间", "95 % interval"))
axes.plot(range(4), middle, "o-", color="#4477aa")
axes.axhline(lines["tf-idf"].accuracy, color="#aa3377", ls=":", label="TF-IDF")
axes.set_xticks(range(4), names)
axes.set(title=tr("从招牌到地基", "From the sign down to the ground"), ylim=(0.6, 0.9))
axes.set(
    xlabel=tr("策略（越往右，放开的越多）", "strategy (the further right, the more trains)"),
    ylabel=tr("测试准确率", "test accuracy"),
)
axes.legend(loc="upper right", ncols=2)
fig

# %% [markdown] lang="zh"
# **读图**：先看蓝带，再看蓝线。带子是 95 % 区间，每边六个多百分点；线上每一步的起伏，多半比带子的宽度小得多。所以这幅图能说的是：放开一层，也许就比只训练头好（要不要去掉“也许”，第 9 节成对地判）；不能说的是：“放开一层比放开全部好”，尽管线是这样画的。这是一个种子、160 行，右边三个点只差一两个百分点；换一个种子一个点会晃多远，第 9 节换给你看。虚线是 TF-IDF，一个没读过任何书、不到一秒就练完的对手；站在它下面的策略，没有理由用。

# %% [markdown] lang="en"
# **Reading it**: first the band, then the line. The band is the 95 % interval, more than six points to each side, and most ups and downs of the line are much smaller than its width. So what this picture can say is that one free layer may beat the head alone (section 9 judges in pairs whether the "may" can go); what it can't say is "one free layer is better than all", even though the line is drawn that way. It is one seed and 160 rows, and the three points on the right lie within a point or two; how far a point moves with the seed, section 9 will let you see. The dotted line is TF-IDF, a rival that never read anything and is done in under a second; for a strategy below it there is no excuse.

# %% [markdown] lang="zh"
# ## 8 逐步解冻，各走各的步幅
#
# > **理论 ⑤** 上面的层离任务近，该多改；下面的层存着语言，该少改：越往下，步幅越小，也越晚放开。
#
# 不必一开始就决定冻几层。2018 年的 ULMFiT 提出两个至今好用的主意。一是**逐步解冻**：头还是随机的时候，它传下去的梯度是胡话，先别让楼听；练一轮头，再放开最上面一层，再一轮，再一层。下面走一遍 `GradualUnfreeze` 的时间表，不训练，只看谁醒着。**猜**：我们这栋楼，第几轮起全部醒着？

# %% [markdown] lang="en"
# ## 8 Thawing step by step, each at its own stride
#
# > **Theory ⑤** Layers on top are near the task and should change more; those below hold the language and should change less: the lower, the shorter the stride, and the later the thaw.
#
# You need not decide at the start how many layers stay frozen. ULMFiT, in 2018, had two ideas that still serve. One is **gradual unfreezing**: while the head is random, the gradients it sends down are nonsense, and the house had better not listen; so train the head for an epoch, then open the topmost layer, then, after another epoch, one more. Here we walk through the timetable of `GradualUnfreeze` without training, just to see who is awake. **Guess**: in our house, in which epoch is everybody up?

# %%
lk.guess("02.8b", 3, 5)

# %%
from labkit import block_words

plan, numbers = lk.GradualUnfreeze(), []
model = plan.prepare(fresh())
for epoch in range(1, plan.default_epochs(model) + 1):
    awake = [block_words(part.name) for part in lk.trainable_map(model) if part.trained]
    print(tr(f"第 {epoch} 轮：", f"epoch {epoch}: ") + tr("，", ", ").join(reversed(awake)))
    numbers.append(len(awake))
    plan.on_epoch(model, epoch)
lk.scored("02.8b", 1 + numbers.index(max(numbers)))

# %% [markdown] lang="zh"
# 六块，第六轮全醒，第七轮一起再练一遍。另一个主意是**分层学习率**：每往下一块，步幅除以 2.6。**猜**：嵌入层的步幅是头的几分之一？（除了五次。）

# %% [markdown] lang="en"
# Six blocks: all are up in the sixth epoch, and practise together once more in the seventh. The other idea is **discriminative rates**: with each block further down, the stride is divided by 2.6. **Guess**: what fraction of the head's stride do the embeddings get? (It was divided five times.)

# %%
lk.guess("02.8", 10, 50)

# %%
groups = plan.groups(model, plan.default_lr(model))
parts = reversed(lk.trainable_map(model))
strides = {block_words(part.name): 1e6 * group["lr"] for part, group in zip(parts, groups, strict=True)}
lk.scored("02.8", round(max(strides.values()) / min(strides.values())))
lk.plots.bars(
    strides,
    tr("每一块的学习率", "Learning rate of each block"),
    tr("学习率（百万分之一）", "learning rate (millionths)"),
)

# %% [markdown] lang="zh"
# **读图**：到了楼下，步子已经小得像在挪。第 5 节里人人同一个步幅，第 1 层和第 4 层走得差不多远；现在才有了上下之分，这正是**理论 ⑤**。现在真的跑一遍，和全量微调比一比学的过程，看谁的验证损失更平稳。

# %% [markdown] lang="en"
# **Reading it**: down in the basement the strides are a shuffle. In section 5 all had the same stride, and layer 1 went about as far as layer 4; only now does it matter how high one lives, and that is **theory ⑤**. Now run it in earnest and set its way of learning beside that of full fine-tuning. See whose validation loss is steadier.

# %%
full, gradual = lk.compare([lk.Full(), lk.GradualUnfreeze()], corpus, **options)
lk.plots.curves(full, gradual)

# %% [markdown] lang="zh"
# **读图**：细线是训练损失，粗线是验证损失。（第一轮细线反而在上：训练损失是边练边记的平均，验证是练完才考的。）全量微调只走三轮，一上来就往下冲，第三轮训练和验证已经分家（笔记 01 第 7 节的那道缝）；逐步解冻前几轮只有头和顶上的层在动，细线下得慢，到第三轮两条线还挨着；等楼下一层层醒来，细线接着往下，粗线却从第四轮起几乎是平的。右图里全量的验证成绩高几个点，可是验证只有 95 行，这几个点在误差之内。轮数也不同，所以不要比输赢，看的是学的样子。请记住它，第 11 节它会从另一个方向给你惊喜。

# %% [markdown] lang="en"
# **Reading it**: thin is the training loss, bold the validation loss. (In the first epoch the thin line lies above: the training loss is a mean taken on the way, validation is asked at the end.) Full fine-tuning has just three epochs, dashes down, and by the third its two lines have parted (the gap of notebook 01, section 7). With gradual unfreezing only the head and the top move in the first epochs; the thin line comes down slowly, and in the third the two are still together; as the floors below wake up it goes on falling, while the bold line is almost flat from the fourth epoch on. On the right full fine-tuning is some points ahead, but with 95 validation rows that is inside the error. The numbers of epochs are unequal, too, so don't read a winner off this; what you see is the manner of learning. Keep it in mind: in section 11 it will surprise you from another side.

# %% [markdown] lang="zh"
# ## 9 比较：什么时候可以说“更好”
#
# > **理论 ⑥** 成绩有两份运气：测试集碰巧是哪些行，种子碰巧是哪一个。差距大过两份运气，才算差距。
#
# 刚才每种策略只跑了一次。一次说明什么？换个种子，头的随机起点、行的次序都变了，其余照旧。给其中两种各补一个种子。**猜**：同一种策略的两个种子，测试成绩会差几个百分点？和策略之间的差距比，哪个大？

# %% [markdown] lang="en"
# ## 9 The comparison: when you may say "better"
#
# > **Theory ⑥** A score has luck of two kinds in it: which rows the test set happens to hold, and which seed was drawn. Only a difference larger than both is a difference.
#
# So far each strategy ran once. What does once tell? With another seed the random start of the head and the order of the rows are different, and all else is the same. We give two of the strategies a second seed. **Guess**: how many points lie between two seeds of the same strategy? And is that more or less than between strategies?

# %%
pair = [lk.HeadOnly(), lk.TopK(2)]
runs = lk.compare(pair, corpus, seeds=(0, 1), **options)
lk.plots.forest(runs)

# %% [markdown] lang="zh"
# **读图**：蓝点是两个种子的平均，横线是 95 % 区间，小灰点是单个种子，两条竖虚线是 TF-IDF 和多数类。先看灰点：每一个都是你只跑一次时会看到的成绩。在我们这里，同一种策略的两个种子差两三个点，而第 7 节的图里，右边三种策略之间的差距还没有这么大：照一个种子排名次，排的就是种子。**一次训练什么也决定不了。**再看横线：它把两份运气都算进去了，说的是“再抽一批行、再换一个种子，平均成绩多半落在这里”。（竖虚线看上去没有宽度，其实 TF-IDF 自己也有区间，下面的表里写着。）
#
# 下面是同样的内容列成表，再加上价钱：训练的参数、秒数、内存峰值、要存的大小，最后一列是第 11 节的遗忘。

# %% [markdown] lang="en"
# **Reading it**: a blue dot is the mean of two seeds and its bar the 95 % interval, the small grey dots are single seeds, and the two dotted lines are TF-IDF and the majority class. First the grey dots: each is a score that you might have seen had you run just once. With us two seeds of the same strategy lie two or three points apart, and in the picture of section 7 the three strategies on the right differed by less: whoever ranks by one seed is ranking seeds. **One run decides nothing.** Then the bars: they count both kinds of luck, and say "with other rows and another seed, the mean would most likely fall here". (A dotted line looks as if it had no width, but TF-IDF has an interval of its own; it is in the table below.)
#
# Below, the same as a table, and with the prices: parameters that train, seconds, peak memory, what has to be saved; the last column is the forgetting of section 11.

# %% tags=["nbval-ignore-output"]
lk.table(runs)

# %% [markdown] lang="zh"
# 价钱也要画，四种策略都画上（一个种子），横轴换成训练的参数（每格十倍）。

# %% [markdown] lang="en"
# The price wants a picture, too, with all four strategies in it (one seed) and the trained parameters on the horizontal axis (each mark ten times the last).

# %%
lk.plots.pareto(steps, cost="parameters")

# %% [markdown] lang="zh"
# **读图**：灰线叫**帕累托前沿**（Pareto front）：线上的策略，没有谁既比它便宜又比它准。在我们这里线上只有 `head` 和 `top-1`：`top-2` 和 `full` 训练得更多，这一次却没有考得更好。这条前沿告诉你该在谁和谁之间选，但它只看平均值，不看竖线；竖线重叠的两个点，前沿也排不出真名次。
#
# 那么到底怎么判？把两种策略在**同样的行、同样的种子**上一一配对，只看差值（**配对检验**）：难的行对谁都难，配对以后这份运气就抵消了，所以差值的区间比两条横线看上去要窄。区间整个在 0 的一边，才叫“优于”；跨过 0，就是“分不出高下”。**猜**：顶部两层比只训练头，是哪一种？

# %% [markdown] lang="en"
# **Reading it**: the grey line is the **Pareto front**; for a strategy on it, no other is both cheaper and better. With us only `head` and `top-1` are on it: `top-2` and `full` train more and, this time, did no better. The front tells you between which ones to choose, but it only looks at means and not at the bars; two points whose bars overlap are not ranked by it either.
#
# How to judge, then? Pair the two strategies on **the same rows and the same seeds**, and look at the difference only: a hard row is hard for both, and in pairs this luck cancels out, so that the interval of the difference is narrower than the two bars make one think. Only if the whole of it lies on one side of 0 do we say "better"; if it holds 0, the two are "inside the noise". **Guess**: the top two layers beside the head alone, which is it?

# %%
lk.guess("02.9", choice="unknown")

# %% tags=["nbval-ignore-output"]
word = lk.verdict(runs, "top-2", "head").word
print(lk.verdict(runs, "top-2", "head"))
lk.scored("02.9", "unknown" if word == "noise" else word)
print(lk.verdict(runs, "top-2", "tf-idf"))
print(lk.verdict(runs, "head", "tf-idf"))

# %%
lk.plots.verdicts(lk.verdicts(runs))

# %% [markdown] lang="zh"
# **读图**：行减列，单位百分点。蓝格：行真的更好；红格：真的更差；没有颜色的格子里也有数，有的还不小，但请把它读成“不知道”，不要读成“一样”：区间宽，是因为行少、种子少，不是因为差距小。和多数类比，人人都有颜色。在我们这里还有一件怪事：头比 TF-IDF 高出的点数，比顶部两层比头高出的还多，却是前一格无色、后一格有色。因为颜色从来不只看差距的大小，也看它稳不稳：头和顶部两层是一家人，错的多半是同样的行，配对以后区间就窄；TF-IDF 错在别处，区间就宽。而卡在边上的格子，换几行测试就会变，所以也别把颜色当判决。想让更多格子有颜色，办法只有两个：更多测试行，更多种子。还有一句：格子多了，总会有一两个碰巧上色，每二十个“其实没差别”的里面大约一个。

# %% [markdown] lang="en"
# **Reading it**: line minus column, in points. Blue: the line really is better; red: really worse. There are numbers in the squares without colour as well, some of them not small, but read them as "unknown", not as "equal": their interval is wide because rows and seeds are few, and not because the difference is small. Against the majority class everybody has colour. And with us there is something odd: the head leads TF-IDF by more points than the top two layers lead the head, yet the first square is white and the second coloured. Colour never goes by the size of a difference alone but also by how steady it is: the head and the top two layers are family and mostly get the same rows wrong, so in pairs their interval is narrow; TF-IDF errs elsewhere, and its interval is wide. And a square that is just on the border changes with a few other test rows, so don't take colour for the last word either. To colour more squares there are just two ways, more test rows and more seeds. And one more thing: among many squares one or two get their colour by luck, about one in twenty of those without a difference.

# %% [markdown] lang="zh"
# ## 10 什么时候该冻结：检验那句话
#
# > **理论 ⑦** 能动的参数越多，要的例子也越多；例子少时，它们先去记，再去学。
#
# “数据少、机器弱，就冻结。”后半句第 1、6 节已经看见：冻结省时间。（内存也省，冻结的参数不用存梯度，也不用存 AdamW 的两个动量；只是我们的模型太小，第 9 节的表里看不大出来。）前半句是可以检验的：给只训练头和全量微调同样的 40 行、同样的 240 行，看两条线在哪里**交叉**。小的是大的一部分；行少时每轮步数少，`least_steps` 会把轮数补足，不然比的是谁练得不够。

# %% [markdown] lang="en"
# ## 10 When to freeze: the claim on trial
#
# > **Theory ⑦** The more parameters may move, the more examples they want; with few, they memorise before they learn.
#
# "With little data or a weak machine, freeze." The second half you saw in sections 1 and 6: freezing saves time. (Memory too, since frozen parameters need neither gradients nor AdamW's two moments; but our model is so small that the table of section 9 hardly shows it.) The first half can be tested: give the head alone and full fine-tuning the same 40 rows and the same 240, and see where the lines **cross**. A smaller set is part of a larger one; with few rows an epoch has few steps, and `least_steps` adds epochs to make up for it, since otherwise we would compare who trained too little.

# %%
trial = {"model": MODEL, "seeds": (1,), "config": config, "least_steps": 30}
grid = lk.when_to_freeze([lk.HeadOnly(), lk.Full()], whole, sizes=(40, 240), **trial)
lk.plots.grid(grid)

# %% [markdown] lang="zh"
# **读图**：横轴是对数的，同样的距离就是同样的倍数。星号是两条线换位的地方；空心的星说明换位在噪声之内；没有星，就是没有换位。在我们这里，40 行时头在前，到 240 行已经换了位，像那句话说的一样，空心的星却提醒你：左端两个区间大半重叠。把 `seeds=(1,)` 换成 `(0,)` 再跑，同样的问题，这回全量从头到尾都在前。一个种子，两个故事，哪个也不能信（**理论 ⑥**）。
#
# 所以我们用八个种子跑过，每个种子抽不同的行，40、80、240 行三种大小。跑一遍要一两分钟，记录随包带来，`lk.runs` 打开它，和你自己训练的没有两样。**猜**：40 行时，谁领先几个点？（记的是全量减只训练头，少的写负数。）

# %% [markdown] lang="en"
# **Reading it**: the horizontal axis is logarithmic: equal distances are equal factors. A star shows where the lines change places, a hollow star that they do so inside the noise; without a star they don't. With us the head leads at 40 rows and has changed places by 240, just as the claim has it, but the hollow star is a warning: on the left the two intervals overlap for the most part. Put `(0,)` in place of `seeds=(1,)` and run it again: the same question, and this time full leads from end to end. One seed each, two stories, and neither to be believed (**theory ⑥**).
#
# So we ran it with eight seeds, each drawing rows of its own, at 40, 80 and 240 rows. That takes a minute or two; the records came with the package, and `lk.runs` opens them as if you had trained them here. **Guess**: at 40 rows, who leads by how many points? (Kept is full minus head; behind is negative.)

# %%
lk.guess("02.10", -5, -1)

# %%
many = lk.runs("02-rows")
every = [*many, *many.beside]
for n in (40, 80, 240):
    print(lk.verdict(every, f"full {n}", f"head {n}"))
for n in (40, 80, 240):
    print(lk.verdict(every, f"head {n}", f"tf-idf {n}"))
lk.scored("02.10", round(100 * lk.verdict(every, "full 40", "head 40").difference, 1))

# %% [markdown] lang="zh"
# 现在可以判了，三种说法分开判。“数据多了还冻结，**要吃亏**”：240 行时成立，全量好四个点，区间在 0 以上。“数据少，冻结**更准**”：没有证据，40 和 80 行时领先的反而是全量，领先不到一个点。“数据少，冻结**不吃亏**”：要看多少算亏。40 行时区间是 −2.5 到 +4.1：不会差出五个点，差三个点却排除不了。你若不在乎四个点，这句话成立；在乎，就是**不知道**，不是“一样”。还有 TF-IDF：到 240 行，只训练头仍然没有明显赢过它。
#
# 换一个领域，还站得住吗？短评论是为这套工具写的；真正的客人写的酒店点评，长得多，七成是好评。同样的问题，40 行和 240 行，三个种子，记录也带来了（点评本身不能随包，`tools/make_course_runs.py` 写着怎样重做）。**猜**：240 行时，全量比只训练头高几个点？（落后写负数。）再想一想：40 行时，谁赢得了“一律说好”的 70 %？

# %% [markdown] lang="en"
# Now one can judge, and the claim is three. "Freezing with plenty of data **loses**" holds at 240 rows: full is better by four points, with an interval above 0. "With little data freezing **is better**" has no evidence: at 40 and 80 rows it is full that leads, by less than a point. "With little data freezing **loses nothing**" depends on what you call a loss. At 40 rows the interval runs from −2.5 to +4.1: five points are ruled out, three are not. If four points are nothing to you, the claim holds; if they are something, the answer is **unknown**, which is not "equal". And TF-IDF: up to 240 rows the head alone has not clearly beaten it.
#
# Does it stand in another domain? The short reviews were written for this kit; hotel reviews by real guests are much longer, and seven in ten are positive. The same question with 40 and 240 rows and three seeds; those records came along, too (the reviews themselves could not; `tools/make_course_runs.py` says how to make the runs again). **Guess**: at 240 rows, by how many points is full above the head alone? (Behind is negative.) And think: at 40, who beats the 70 % of "always positive"?

# %%
lk.guess("02.10b", -3, 2)

# %%
hotels = lk.runs("02-hotels")
every = [*hotels, *hotels.beside]
for n in (40, 240):
    print(lk.verdict(every, f"full {n}", f"head {n}"))
    print(lk.verdict(every, f"full {n}", f"tf-idf {n}"))
lk.scored("02.10b", round(100 * lk.verdict(every, "full 240", "head 240").difference, 1))
for line in lk.table(every):
    print(f"{line.strategy:<12}{line.accuracy:.3f} {line.macro_f1:.3f}")

# %% [markdown] lang="zh"
# 站得住：240 行时全量比头好近六个点，区间在 0 以上；40 行时分不出。请看后一列 macro-F1：40 行的 TF-IDF 准确率 70.5 %，和“一律说好”一样，macro-F1 却只有 0.42，它几乎就是一律说好；头和全量准确率差不多，macro-F1 高出十五个点，已经学会了认差评。类别悬殊时只看准确率，会把三种很不一样的模型看成一样（笔记 08）。
#
# 别人的交叉点搬不过来，它取决于你的预训练离任务多近、头的学习率对不对。好在找一次只要一两分钟：换成 `lk.load_csv(...)`，行数写你有的，种子写八个。

# %% [markdown] lang="en"
# It stands: at 240 rows full is nearly six points above the head, in an interval above 0, and at 40 they can't be told apart. Now the last column, macro-F1: with 40 rows TF-IDF has an accuracy of 70.5 %, like "always positive", and a macro-F1 of just 0.42, for it nearly is "always positive"; head and full have about that accuracy and fifteen points more of macro-F1, since they have learned to find bad reviews. Where classes are unequal, accuracy alone makes three very different models look alike (notebook 08).
#
# Other people's crossing points do not carry over; they depend on how near your pretraining is to the task, and on a proper rate for the head. Luckily, finding your own takes a minute or two: put `lk.load_csv(...)` there, the sizes you have, and eight seeds.

# %% [markdown] lang="zh"
# ## 11 遗忘：敲掉的墙
#
# > **理论 ⑧** 会动的就会忘，不动的忘不了。
#
# 楼翻修成面馆，原来的住户还住得惯吗？预训练的本领可以量：拿一百来句与评论无关的普通文字，遮住一些字让模型猜（掩码语言模型），看**损失**。微调之后，把原来猜字的头装回去，再量一遍，涨了多少就是**遗忘**（涨得厉害，文献里叫**灾难性遗忘**）。**猜**：只训练头忘掉多少？全量微调呢？（损失的单位是 nat；多 0.1，就是给正确的字的概率平均降了大约一成。）

# %% [markdown] lang="en"
# ## 11 Forgetting: the walls that were broken
#
# > **Theory ⑧** What moves can forget; what stays can't.
#
# The house has become a noodle shop. Would the people who lived there still find their way? The skill of pretraining can be measured: take a hundred lines of plain text that have nothing to do with reviews, hide some of the characters, let the model guess them (masked language modelling), and look at the **loss**. After fine-tuning, put the old guessing head back on and measure again; what has been added is the **forgetting**. **Guess**: how much does the head alone forget? And full fine-tuning? (The unit is the nat; 0.1 more means that the true characters get about a tenth less probability.)

# %%
lk.guess("02.11", 0, 0.02)
lk.guess("02.11b", 0.1, 0.5)

# %%
expect("before", lk.masked_lm_loss(MODEL))
forgets = {run.strategy: run.forgetting for run in [*runs, *steps] if run.forgetting is not None}
expect("frozen", forgets["head"], guess="02.11")
expect("full", forgets["full"], guess="02.11b")

# %% [markdown] lang="zh"
# 只训练头恰好是 0，不是约等于：第 4 节证明过，下面一个比特都没动。全量微调只看了一百六十条评论、走了三轮，量到的遗忘很小，种子之间的差别就有它那么大；训练得越久、学习率越高，忘得越多，笔记 09 会量出来。
#
# 能不能既练又不忘？最直接的办法是拴一根橡皮筋：每个参数离出发点越远，拉力越大，这叫 **L2-SP**，只要一个参数 `retain=`。看遗忘少了没有，准确率付出了什么。

# %% [markdown] lang="en"
# For the head alone it is 0, exactly and not nearly: section 4 proved that not a bit moved below. Full fine-tuning saw a hundred and sixty reviews for three epochs, and what was measured as forgotten is small, no larger than the spread between seeds; train longer or at a higher rate, and more will go, as notebook 09 measures.
#
# Can one train and not forget? The plainest way is a rubber band: the further a parameter goes from where it started, the stronger it is pulled back. This is **L2-SP**, and takes one argument, `retain=`. See whether less is forgotten, and what it costs in accuracy.

# %%
trainer = lk.Trainer(fresh(), corpus, lk.Full(), config, retain=lk.L2SP(strength=0.3))
mended = trainer.fit()
mended = replace(mended, measures={"forgetting": lk.forgetting_of(MODEL, trainer.model).change})
print(mended.strategy, mended.forgetting < forgets["full"])

# %%
lk.plots.forgetting([*runs, steps[1], full, gradual, mended])

# %% [markdown] lang="zh"
# **读图**：右边是忘得多，上边是考得好，想去的是左上角；空心点是拴了橡皮筋的全量微调，箭头从没拴的指过去。从 `head` 到 `full` 一路看下来：放开的层越多，忘得越多，这就是**理论 ⑧** 的价目表；橡皮筋把点往左拉，上下的移动则在区间之内。再找一找 `gradual`：它放开了整栋楼，一个参数也没少，却紧挨着左边的虚线！会动，不等于要走远：越往下步幅越小（**理论 ⑤**），墙都还在。成绩呢？和别人分不出高下。
#
# 另一种修补叫**重放**：训练时每隔几步，掺进一批普通文字继续猜字，写作 `retain=lk.Replay()`。它量出来常常比没微调时还“好”，别高兴得太早：它同时学会了那些普通文字的**文风**，而我们正是用同一种文风来量的（不是同样的句子，句子分开了）。一把尺子量到的，总有一部分是尺子自己。
#
# **动手**：把 `L2SP(strength=0.3)` 换成 `Replay()`，或把拉力换成 `3`，再画一遍。

# %% [markdown] lang="en"
# **Reading it**: to the right much is forgotten, upwards the exam went well, so the upper left is where one wants to be. The hollow point is full fine-tuning on the rubber band, and the arrow comes from the one without. Follow the points from `head` to `full`: the more layers are free, the more is forgotten; here is the price list of **theory ⑧**. The band pulls the point to the left, and what it moves up or down lies inside the interval. And now look for `gradual`: it opened the whole house, not a parameter less, and stands close by the dotted line on the left! Being free to move does not mean going far: with strides that get shorter on the way down (**theory ⑤**), the walls are still there. And its score? Inside the noise of the others.
#
# Another cure is **replay**: every few steps a batch of plain text is mixed in, to go on guessing characters; that is `retain=lk.Replay()`. Measured, it often comes out "better" than before any fine-tuning. Don't rejoice too soon: it has also learned the **style** of that plain text, and it is in this very style that we measure (not with the same sentences; those are kept apart). Whatever a ruler measures, part of it is the ruler.
#
# **Try it**: put `Replay()` in place of `L2SP(strength=0.3)`, or a strength of `3`, and draw it again.

# %% [markdown] lang="zh"
# ## 12 怎么决定
#
# 现在可以把教程里那一句话，换成一张单子。从上往下问，问到第一个“是”就停：
#
# | 你的情形 | 先试 | 因为 |
# |---|---|---|
# | 还没跑过 TF-IDF | TF-IDF | 不到一秒，是谁都要先赢的对手（9） |
# | 一个底座要带许多任务，或一点也不许忘 | 只训练头，或笔记 03 的 PEFT 模块 | 每个任务只存一点；底座一个数也没动，取下它，遗忘恰好是 0（11） |
# | 只有几十行 | 只训练头，学习率多试几个 | 至多差四个点，试一次不到一眨眼（6、10） |
# | 机器弱，或要试很多设置 | 只训练头，再放开顶部一两层 | 回程短，冻结的部分只算一遍（1、6） |
# | 几百行，有几分钟 | 顶部两层与全量，各三个种子 | 差距要用判定来看（7、9） |
# | 上千行，机器够用 | 全量微调；怕忘，逐步解冻或拴 L2-SP | 例子够多，人人动得起来（10、11） |
#
# 还有这张表**没有**告诉你的。第一，这是一个 4 层的小模型、一种短评论、199 行测试；12 层的模型更深，“顶部两层”的意思也就不同。第二，遗忘只在一种普通文字上量过；你在乎的本领若是别的，就用它来量。第三，每种策略用的是它自带的步幅和轮数；为其中一种精心调参、另一种不调，什么名次都做得出来。看到别人的表，也请这样问。

# %% [markdown] lang="en"
# ## 12 How to decide
#
# In place of the tutorials' one sentence you can now have a list. Ask from the top and stop at the first yes:
#
# | your case | try first | because |
# |---|---|---|
# | TF-IDF has not been run yet | TF-IDF | under a second, and everybody has to beat it first (9) |
# | one base for many tasks, or nothing may be forgotten | the head alone, or a PEFT module from notebook 03 | little to save for each task; the base has not moved, so with the module taken off the forgetting is exactly 0 (11) |
# | some dozens of rows | the head alone, at several rates | four points behind at most, and a try takes a blink (6, 10) |
# | a weak machine, or many settings to try | the head alone, then one or two top layers | a short way back, and the frozen part is computed once (1, 6) |
# | some hundreds of rows and a few minutes | top two layers and full, three seeds each | the difference wants a verdict (7, 9) |
# | a thousand rows and more, and the machine for it | full; thawed gradually, or with L2-SP, where forgetting hurts | examples enough for everything to move (10, 11) |
#
# And there is what this list does **not** tell. First, this was a small model of 4 layers, one kind of short review, 199 test rows; a model of 12 layers is deeper, and "the top two" means something else in it. Second, forgetting was measured on one kind of plain text; if you care about another skill, measure that. Third, every strategy came with the stride and epochs that it brings along; by tuning one with care and the other not at all, one can make any ranking come true. Ask this of other people's tables as well.

# %% [markdown] lang="zh"
# ## 13 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 反向走到最低的可训练张量为止 | 数节点；倒过来冻，干线一个节点也没省（1） |
# | ② | 冻结还要 `eval` | 读两遍，先不同，后相同（2） |
# | ③ | 不变的只算一遍 | 损失相同，时间几分之一（6） |
# | ④ | 越下越通用 | 从头到全量的阶梯（7） |
# | ⑤ | 越下步子越小、越晚放开 | 时间表，步幅差一百多倍（8） |
# | ⑥ | 两份运气 | 灰点、横线、没有颜色的格子（9） |
# | ⑦ | 能动的多，要的例子也多 | 八个种子：40 行分不出，240 行全量在前（10） |
# | ⑧ | 不动的忘不了 | 头恰好为 0，橡皮筋（11） |

# %% [markdown] lang="en"
# ## 13 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | backward ends at the lowest tensor that trains | stations counted; frozen upside down, none saved on the main line (1) |
# | ② | freezing also wants `eval` | read twice: different, then the same (2) |
# | ③ | what does not change is computed once | same losses in a fraction of the time (6) |
# | ④ | the lower, the more general | the ladder from the head to everything (7) |
# | ⑤ | the lower, the shorter the stride and the later the thaw | the timetable, and strides more than a hundred times apart (8) |
# | ⑥ | luck of two kinds | grey dots, bars, squares without colour (9) |
# | ⑦ | more that moves wants more examples | eight seeds: unknown at 40 rows, full ahead at 240 (10) |
# | ⑧ | what stays can't forget | exactly 0 for the head, and the rubber band (11) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学把上面三层和头都冻住，只训练嵌入层和第一层，说：“参数少训练了将近四成，时间也该省四成。”结果没省多少。为什么？要真的快，该冻住哪一头？
#
# <details><summary>展开答案</summary>
#
# 梯度要从损失走到最低的可训练张量（理论 ①），而他偏偏让最低的在训练：回程穿过整栋楼，干线一个节点也没省，前向也没有一段是不变的，存不下来。省下的只是那几层权重自己的梯度和优化器的更新。倒过来，训练头和顶部两三层，回程到那里就停，下面的输出还能只算一遍（理论 ③）。顺带一提，他把随机的头冻住了：门口传话的人什么也没学过（第 3 节）。
#
# </details>

# %% [markdown] lang="zh"
# **二**　甲说：“我的方法 0.812，全量微调 0.797，我赢了。”测试集 360 行，各跑一次。你怎么回答？要是两者在同样的行、三个种子上配对，差值的区间是 +0.4 到 +2.6 个百分点呢？
#
# <details><summary>展开答案</summary>
#
# 前一种说法里，单个成绩的区间每边约四个百分点，差距只有一点五，又各只有一个种子，两份运气都没有算（理论 ⑥）：只能说“分不出高下”。后一种说法里，区间整个在 0 以上，配对已经抵消了难行和易行的运气，可以说“优于”；大小则还不清楚，从不到半点到两点半都有可能。再问一句：这是他比过的第几对？比了二十对才挑出的一对，不算数。
#
# </details>

# %% [markdown] lang="zh"
# **三**　公司要用同一个底座做三十个分类任务，其中一些只有五十条标注，而且底座还要继续用来做搜索。你建议怎样训练？用哪几个数来说服别人？
#
# <details><summary>展开答案</summary>
#
# 底座冻结，每个任务一个头（连池化层），不够再加笔记 03 的 PEFT 模块。理由是三个数：遗忘恰好为 0，搜索不受影响（理论 ⑧）；每个任务只存几十 kB，而不是三十份整个模型；几十行时，冻结最多比全量差四个点（理论 ⑦，第 10 节的区间，要一起给出）。再加一个：同一条文字的 `[CLS]` 只算一遍，三十个头共用（理论 ③）。对其中行数多、又要紧的任务，用判定看一看全量微调是否真的更好，值得的话单独存一份。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student freezes the upper three layers and the head, trains the embeddings and layer 1, and says: "Nearly four tenths of the parameters are frozen, so four tenths of the time should be saved." Not much is saved. Why? At which end should one freeze to be really faster?
#
# <details><summary>Open the answer</summary>
#
# The gradient has to go from the loss to the lowest tensor that trains (theory ①), and that is just what was left to train: the way back leads through the whole house, and on the way forward nothing is constant, so nothing can be kept. All that is saved are the gradients of those layers' own weights, and their updates. The other way round, with the head and two or three top layers training, the way back ends there, and what lies below is computed once (theory ③). By the way, a random head was frozen here: the one who stands at the door and passes the messages on has learned nothing (section 3).
#
# </details>

# %% [markdown] lang="en"
# **Two.** Somebody says: "My method 0.812, full fine-tuning 0.797, so I win." 360 test rows, one run each. What do you answer? And what if the two had been paired on the same rows with three seeds, and the interval of the difference were +0.4 to +2.6 points?
#
# <details><summary>Open the answer</summary>
#
# In the first case each score has an interval of about four points to each side, the difference is one and a half, and there is one seed each; neither kind of luck has been counted (theory ⑥). All one can say is "inside the noise". In the second case the whole interval lies above 0, and pairing has cancelled the luck of easy and hard rows: one may say "better". How much better is still open, anything from less than half a point to two and a half. And ask which pair this was of all that were compared: one picked out of twenty does not count.
#
# </details>

# %% [markdown] lang="en"
# **Three.** A company wants one base for thirty classifiers, some with fifty labelled rows only, and the base is also needed for search. How do you advise them to train? Which numbers will convince them?
#
# <details><summary>Open the answer</summary>
#
# Freeze the base and give each task a head (with the pooler), and a PEFT module from notebook 03 where that is not enough. Three numbers speak for it: the forgetting is exactly 0, so search does not suffer (theory ⑧); each task keeps some dozens of kB instead of thirty whole models; and with some dozens of rows freezing is at most four points behind full (theory ⑦ and the interval of section 10, to be shown with its). And a fourth: the `[CLS]` of a text is computed once and serves all thirty heads (theory ③). For a task that matters and has many rows, let a verdict say whether full fine-tuning really is better, and if so keep one whole model for it.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`corpus = lk.load_csv("我的评论.csv")`，第 10 节的行数改成你有的，种子给三个，找到你自己的交叉点。
# - **一条命令**：`labkit compare 我的评论.csv` 做的就是第 9 节，每次训练一个文件，断了接着跑。
# - **练习 02**：亲手写冻结、时间表和“只算一遍”。
# - **笔记 03**：不放开楼，也不只换招牌：往里贴一个 PEFT 模块，LoRA、适配器、前缀。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: `corpus = lk.load_csv("my_reviews.csv")`; in section 10 put the sizes that you have and three seeds, and find your own crossing point.
# - **One command**: `labkit compare my_reviews.csv` does what section 9 did, a file for each run, and goes on where it was interrupted.
# - **Exercises 02**: write freezing, the timetable and "computed once" with your own hands.
# - **Notebook 03**: neither opening the house nor just changing the sign, but adding a PEFT module to it: LoRA, adapters, prefixes.
