# %% [markdown] lang="zh"
# # 09 · 什么会出错？
#
# 老师傅修车，不先拆发动机。他听：怠速时抖，还是加速时抖？冷车抖，还是热车抖？听完说一句“三缸火花塞”，再打开盖子去看。新手相反，先换一遍零件，换到好了为止，也不知道是哪一个起了作用。
#
# 训练模型也会“抖”。损失不降，一开始降后来升，忽然变成 NaN，准确率停在 0.94 一动不动……多数人的办法是把设置一个个换一遍。这本笔记教你听：**同样难看的曲线，病因各不相同，而每一种病因都留下自己的证据**。
#
# 我们会故意练坏十来个模型。每练坏一个，先由你看曲线下诊断，再听 `lk.diagnose` 怎么说，最后对症下药，量一量药有没有用。先说一句：有一帖人人都开的药，在这里量出来几乎没有用。
#
# **做完以后，你能够**
#
# 1. 从训练和验证两条曲线里认出过拟合，也知道准确率为什么不报警；
# 2. 比较四帖药：早停、权重衰减、少动一些参数、拴橡皮筋；
# 3. 量出遗忘，用 L2-SP 或重放修补；
# 4. 用一次短跑找到学习率，认出太大和太小；
# 5. 给一排病人下诊断：学习率、头没有学、类别坍缩、标签乱了；
# 6. 知道哪一种病曲线上看不见；
# 7. 内存不够时怎样办，以及“同一次训练”要满足什么。
#
# **怎么读**：做过笔记 01、02 就够了，大约 30 分钟。诊断题请**写在纸上**再往下看，看了答案再猜，什么也学不到。

# %% [markdown] lang="en"
# # 09 · What goes wrong?
#
# An old mechanic does not begin by taking the engine apart. He listens. Does it shake when idling, or on the hill? Cold, or warm? Then he says "third cylinder, the plug", and opens the bonnet to look. A beginner does the opposite: he changes part after part until it runs, and never knows which one it was.
#
# Training shakes as well. The loss does not fall; it falls and then rises; it turns into NaN; the accuracy sits at 0.94 and does not move. Most people then change one setting after another. This notebook teaches you to listen: **curves may look equally bad and have different causes, and each cause leaves evidence of its own.**
#
# We are going to spoil a dozen models on purpose. Each time you look at the curves and make the diagnosis, then you hear what `lk.diagnose` says, and in the end we give the medicine and measure whether it works. One thing in advance: there is a medicine that everybody prescribes, and measured here it does next to nothing.
#
# **At the end you will be able to**
#
# 1. see overfitting in the two curves, and say why the accuracy raises no alarm;
# 2. compare four medicines: early stopping, weight decay, moving fewer parameters, a rubber band;
# 3. measure forgetting, and mend it with L2-SP or replay;
# 4. find a learning rate with one short run, and recognise too high and too low;
# 5. diagnose a row of patients: the rate, a head that does not learn, class collapse, labels in disorder;
# 6. name the illness that no curve shows;
# 7. act when memory does not suffice, and say what it takes to be "the same run".
#
# **How to read it.** Notebooks 01 and 02 are enough; it takes about 30 minutes. Please **write** your diagnoses down before you read on. To guess after seeing the answer teaches nothing.

# %% tags=["setup"]
LANG = "zh"

import random
from dataclasses import dataclass, replace

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 病人要练得快，所以数据都切小：训练 80 行，验证 60 行，测试 120 行。行这么少，准确率的区间每边有八到十二个点（笔记 08 第 2 节）；这本笔记里凡是说“没有差别”，都请记住这一点。

# %% [markdown] lang="en"
# Patients should train fast, and so the data are cut small: 80 training rows, 60 for validation, 120 for testing. With so few the interval of an accuracy has eight to twelve points to each side (notebook 08, section 2); wherever this notebook says "no difference", bear that in mind.

# %%
MODEL, DEVICE = lk.equipment()
whole = lk.reviews()
config = lk.TrainConfig(max_length=64, device=DEVICE, precision="fp32")


def part(train, valid=60, test=120):
    return replace(whole.limit(train), valid=whole.valid[:valid], test=whole.test[:test])


def trainer(corpus, strategy, retain=None, **settings):
    model = lk.load(MODEL, labels=corpus.labels).to(DEVICE)
    return lk.Trainer(model, corpus, strategy, replace(config, **settings), retain=retain)


# %% [markdown] lang="zh"
# `expect` 照旧：先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。范围由五个种子量出。病人里训练的多半是顶部两层，或者只是头（图里红的）。

# %% [markdown] lang="en"
# `expect` is the old one: your number, then our reference and its range, and a ✗ outside it. The ranges come from five seeds. What trains in most patients is the top two layers, or just the head (red in the drawing).

# %%
expect = lk.expect("09")
lk.plots.network(lk.load(MODEL, labels=whole.labels), lk.TopK(2), lk.HeadOnly())

# %% [markdown] lang="zh"
# ## 1 第一个病人：背书
#
# > **理论 ①** 过拟合：训练损失一直降，验证损失先降后升。模型先学通用的，学完了就开始背。
#
# 80 行，顶部两层，八轮，学习率偏大。**猜**，画在纸上：八轮里训练损失怎么走？验证损失怎么走？**验证准确率**又怎么走？下面记一个数：最后的验证损失。

# %% [markdown] lang="en"
# ## 1 The first patient: learning by heart
#
# > **Theory ①** Overfitting: the training loss keeps falling, the validation loss falls and then rises. A model first learns what holds in general, and when that is done it learns by heart.
#
# There are 80 rows, the top two layers, eight epochs, and a rate on the high side. **Guess**, with a pencil: how does the training loss go in eight epochs? The validation loss? And the validation **accuracy**? One number is kept below: the last validation loss.

# %%
lk.guess("09.1", 0.5, 0.85)

# %%
few = part(80)
plain_trainer = trainer(few, lk.TopK(2), epochs=8, lr=2e-3)
plain = plain_trainer.fit()
losses = [epoch.valid_loss for epoch in plain.history]
expect("lowest", min(losses))
expect("last", losses[-1], guess="09.1")

# %%
lk.plots.diagnosis(plain, lk.diagnose(plain))

# %% [markdown] lang="zh"
# **读图**：左边，训练损失几轮就到了 0，80 行全背下来了；验证损失先降，从第二、三轮起往上走，最后比瞎猜（0.69）还高得多。紫色是医生圈出的那一段。右边却很平静：验证准确率停在七成上下，没有跌。
#
# 这就奇怪了：损失翻了一倍，准确率不动？因为损失问的是“错的时候有多自信”。背书的模型在没见过的行上错的还是那些行，只是越错越有把握（笔记 08 第 5 节的过度自信，就是这样练出来的）。所以**理论 ①** 要这样记：过拟合首先毁掉的是**概率**，不一定是准确率。只盯准确率的人，这种病永远看不见；用概率做决定的人，第三轮就该停。

# %% [markdown] lang="en"
# **Reading it**: on the left the training loss is at 0 within a few epochs; all 80 rows are known by heart. The validation loss falls first, rises from the second or third epoch, and ends far above guessing (0.69). Purple is the stretch that the doctor marked. On the right all is quiet: the validation accuracy stays at some seventy per cent and does not drop.
#
# Is that not odd, a loss that doubles and an accuracy that stays? The loss asks how sure one was when wrong. A model that learned by heart errs on the same unseen rows as before; it is just more and more certain about it (this is how the overconfidence of notebook 08, section 5, was bred). So keep **theory ①** like this: overfitting first ruins the **probabilities**, and not always the accuracy. Whoever watches accuracy alone never sees this illness; whoever decides by probabilities should have stopped in the third epoch.

# %% [markdown] lang="zh"
# ## 2 四帖药
#
# > **理论 ②** 治背书，要么少练（早停），要么少动（冻结、橡皮筋）；教科书还说：权重衰减。
#
# 同样的 80 行，同样的八轮，各换一样：
#
# - **权重衰减**：每一步让矩阵缩小一点，`weight_decay=1.0`，是默认的一百倍；
# - **早停**：验证成绩两轮不涨就停，取回最好的一轮，`patience=2`；
# - **少动**：只训练头；
# - **橡皮筋**：L2-SP，每个参数离出发点越远，拉力越大。
#
# **猜**：四帖药里，哪一帖让最后的验证损失降得最多？哪一帖没有用？测试准确率会涨几个点？

# %% [markdown] lang="en"
# ## 2 Four medicines
#
# > **Theory ②** Against learning by heart: train less (early stopping), or move less (freezing, the rubber band). Textbooks add weight decay.
#
# The same 80 rows and eight epochs, with one thing changed each time:
#
# - **weight decay**: every step shrinks the matrices a little; `weight_decay=1.0` is a hundred times the default;
# - **early stopping**: stop after two epochs without progress on the validation rows and go back to the best, `patience=2`;
# - **move less**: train only the head;
# - **rubber band**: L2-SP; the further a parameter is from where it started, the stronger it is pulled back.
#
# **Guess**: which of the four brings the last validation loss down most? Which does nothing? By how many points will the test accuracy rise?

# %%
decay = trainer(few, lk.TopK(2), epochs=8, lr=2e-3, weight_decay=1.0).fit()
stopping = trainer(few, lk.TopK(2), epochs=8, lr=2e-3, patience=2)
stopped = stopping.fit()
head = trainer(few, lk.HeadOnly(), epochs=8, lr=2e-3).fit()
banded_trainer = trainer(few, lk.TopK(2), retain=lk.L2SP(strength=0.3), epochs=8, lr=2e-3)
band = banded_trainer.fit()

# %%
courses = {
    tr("不吃药", "no medicine"): plain,
    tr("权重衰减", "weight decay"): decay,
    tr("早停", "early stopping"): stopped,
    tr("只训练头", "head only"): head,
    tr("橡皮筋", "rubber band"): band,
}
colours = ("#888888", "#ccbb44", "#ee6677", "#228833", "#4477aa")
fig, (left, right) = lk.plots.figure(7.6, 3.4, columns=2)
for (name, run), colour, marker in zip(courses.items(), colours, "osXv^", strict=True):
    epochs = [epoch.epoch for epoch in run.history]
    left.plot(epochs, [e.valid_loss for e in run.history], marker=marker, ms=5, color=colour, label=name)
    right.plot([run.test.low, run.test.high], [name, name], color=colour)
    right.plot([run.test_accuracy], [name], marker=marker, ms=7, color=colour)
left.axhline(0.693, color="#888888", ls=":")
left.set(
    title=tr("验证损失", "Validation loss"),
    xlabel=tr("轮次", "epoch"),
    ylabel=tr("交叉熵（nat）", "cross-entropy (nats)"),
)
right.set(title=tr("测试准确率（横线：95 %）", "Test accuracy (bars: 95 %)"), xlabel=tr("准确率", "accuracy"))
right.set_ylabel(tr("药", "medicine"))
right.invert_yaxis()
fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
fig

# %% [markdown] lang="zh"
# **读图**：左边的虚线是瞎猜的损失。灰线是病人自己。黄线是一百倍的权重衰减，只比灰线低一点点（换了种子，有时一点也不低）：**几乎没有用**。红线和灰线重合，因为种子相同，只是早早停下，然后取回最好的一轮。绿线和蓝线从头到尾都压得住：少动一些，或者拴住了动。
#
# 再看右边：五根横线重叠得分不出高下，谁也没有让准确率明显变好。所以**理论 ②** 在这里的判决是：少动和橡皮筋治好了**概率**；准确率有没有病，不知道：120 行，每边八个点，这么小的变化看不见。
#
# 早停要打个折扣。什么叫“最好的一轮”？labkit 看的是验证 macro-F1（多数教程看的也是准确率一类的分数），而第 1 节刚说过，这个分数对过拟合**不报警**。所以它取回的那一轮，损失可能已经涨了一截：有时治好了，有时没有（换几个 `seed=` 看看）。你在乎什么，就拿什么来停；在乎概率，就看损失。
#
# 权重衰减为什么几乎没有用？算一算就明白：AdamW 每步把矩阵乘以 (1 − 学习率 × 衰减)。四十步，平均学习率千分之一，衰减 1.0：总共缩小百分之四左右。而默认的 0.01 只缩小万分之四。微调的步数太少，衰减还没来得及起作用就结束了；况且它是往 0 拉，预训练模型的家却不在 0。把它拉回**出发点**，就是橡皮筋。教科书没有错，它说的是从零训练几十万步。
#
# **动手**：把行数从 80 改成 240，药都不吃，再画一次灰线。多些行，比哪帖药都强吗？

# %% [markdown] lang="en"
# **Reading it**: dotted on the left is the loss of guessing. Grey is the patient. Yellow is a hundredfold weight decay, just a little below the grey line (with some seeds not even that): **it does next to nothing**. Red lies on the grey line, since the seed is the same, and merely stops early, to go back to its best epoch. Green and blue keep the loss down all the way: move less, or move on a leash.
#
# Now the right side: five bars overlap, and none can be told apart; nobody has visibly improved the accuracy. So the verdict on **theory ②** is, here: moving less and the rubber band have cured the **probabilities**; whether the accuracy was ill is unknown: 120 rows, eight points to each side, don't show so small a change.
#
# Early stopping cures by halves. Which epoch is "the best"? labkit goes by the validation macro-F1 (most tutorials take accuracy or the like), and section 1 has just told you that such a score raises **no alarm**. So the epoch it goes back to may be one whose loss has risen a good deal: sometimes a cure, sometimes none (try a few other `seed=`). Stop by what you care about; where that is probabilities, stop by the loss.
#
# Why does weight decay do so little? Work it out: in each step AdamW multiplies a matrix by (1 − rate × decay). With forty steps, a mean rate of a thousandth and a decay of 1.0, that shrinks it by about four per cent in all; the default of 0.01 shrinks it by four in ten thousand. Fine-tuning has so few steps that it is over before decay takes effect. And it pulls towards 0, while the home of a pretrained model is not at 0. To pull it back to **where it started** is the rubber band. The textbooks are not wrong; they speak of training from scratch, with some hundred thousand steps.
#
# **Try it**: put 240 rows in place of 80, give no medicine, and draw the grey line again. Do more rows beat every medicine?

# %% [markdown] lang="zh"
# ## 3 看不见的后遗症：遗忘
#
# > **理论 ③** 走得越远，忘得越多；拴住它（L2-SP），或者让它温习（重放）。
#
# 五个人里，谁还记得预训练时学的语言？把原来猜字的头装回去，在与评论无关的文字上量掩码语言模型的损失，涨了多少就是遗忘（笔记 02 第 11 节）。再加一位：**重放**，每四步掺进一批普通文字接着猜字。**猜**：按忘得多少排个队。早停的那位呢？下面记一个数：不吃药的忘了多少 nat（笔记 02 的全量微调是 0.04）。

# %% [markdown] lang="en"
# ## 3 What is not seen: forgetting
#
# > **Theory ③** The further it goes, the more it forgets; hold it back (L2-SP), or let it rehearse (replay).
#
# Which of the five still knows the language that pretraining taught? Put the old guessing head back on, and measure the loss of masked language modelling on text that has nothing to do with reviews; what was added is the forgetting (notebook 02, section 11). And one more joins: **replay**, which every four steps mixes in a batch of plain text and goes on guessing characters. **Guess**: line them up by how much they forget. Where is early stopping? One number is kept below: how many nats go without medicine (full fine-tuning in notebook 02: 0.04).

# %%
lk.guess("09.3", 0.05, 0.3)

# %%
replayed_trainer = trainer(few, lk.TopK(2), retain=lk.Replay(), epochs=8, lr=2e-3)
replayed = replayed_trainer.fit()


def forgets(trained):
    return lk.forgetting_of(MODEL, trained.model).change


medicines = (plain_trainer, stopping, replayed_trainer, banded_trainer)
for key, trained in zip(("forgets", "early", "rehearsed", "band"), medicines, strict=True):
    expect(key, forgets(trained), guess="09.3" if key == "forgets" else None)
rising = [epoch.valid_loss for epoch in replayed.history]
print(tr("重放，验证损失也回升：", "with replay, validation loss rises too:"), rising[-1] > min(rising) + 0.1)

# %% [markdown] lang="zh"
# **读数**：不吃药忘得最多；早停走得近，忘得少一些；橡皮筋几乎不忘。重放那一位有时比微调之前还好一点，那是因为它温习的文字和考它的文字同一种文风（考题本身没有见过）。可是看最后那一行：重放管的是记性，不管背书，验证损失照样往上走。
#
# 所以两种药治两种病：橡皮筋把两样都管住了，因为它管的是**走多远**；重放只管走到哪里去了还认得回家的路。有一个例外请记住（这里没有量）：任务和预训练差得很远时，不许走远也就学不会。那时橡皮筋要松（`strength` 小），或者改用重放。

# %% [markdown] lang="en"
# **Reading the numbers**: without medicine most is forgotten; early stopping did not go far and forgets less; the rubber band hardly forgets. Replay is sometimes even a little better than before fine-tuning, because what it rehearses has the style of what it is tested on (the test lines themselves it has not seen). But look at the last line: replay looks after memory and not after learning by heart; its validation loss rises all the same.
#
# Two medicines, then, for two illnesses. The rubber band takes care of both, since it minds **how far** the model goes; replay minds only that, wherever it went, it still knows the way home. Remember one exception (not measured here): where the task is far from pretraining, what may not go far cannot learn. Then loosen the band (a smaller `strength`), or take replay.

# %% [markdown] lang="zh"
# ## 4 步子太大，步子太小
#
# > **理论 ④** 学习率太小，损失原地不动；太大，飞出山谷。中间差着几个数量级，一次短跑就能找到。
#
# 只训练头，160 行。`lk.find_lr` 拿一份复制品，从一百万分之一开始，每一步把学习率放大一点，一百步放大到 1，记下每一步的损失。**猜**：曲线是什么形状？损失从哪里开始降，到哪里炸开？它会建议多大的学习率？（记的是以 10 为底的对数，1e-3 就是 −3。）

# %% [markdown] lang="en"
# ## 4 Steps too long, steps too short
#
# > **Theory ④** With too low a rate the loss stands still; with too high a rate it flies out of the valley. Several powers of ten lie between, and one short run finds them.
#
# Only the head trains, on 160 rows. `lk.find_lr` takes a copy, begins at a millionth, makes the rate a little larger at each step until it is 1 after a hundred, and writes down the losses. **Guess**: what shape has the curve? Where does the loss begin to fall, and where does it explode? Which rate will it suggest? (Kept is its logarithm to base 10; 1e-3 is −3.)

# %%
lk.guess("09.4", -3.5, -1.5)

# %%
import math

some = part(160, 100, 200)
sweep = lk.find_lr(lk.load(MODEL, labels=some.labels).to(DEVICE), some, lk.HeadOnly(), config)
expect("suggestion", math.log10(sweep.suggestion), guess="09.4")
lk.plots.rates(sweep)

# %% [markdown] lang="zh"
# **读图**：淡线是单批的损失，深线是平滑过的。左边一大片平地：步子太小，走了等于没走。往右开始下坡，到最低点，然后炸开。建议取最低点的三分之一：最低点本身已经在悬崖边上。
#
# 现在请你当病人家属：用面板练一个学习率是建议值几十倍的头。面板跑完会自己请医生来看，先别看诊断那一栏，看曲线。

# %% [markdown] lang="en"
# **Reading it**: the pale line holds the losses of single batches, the dark one is smoothed. On the left lies a wide plain: steps so short that walking is standing. Then it goes downhill, reaches a lowest point, and explodes. A third of the lowest point is what is suggested: the lowest point itself lies at the edge of the cliff.
#
# Now make a patient with the panel: a head at several dozen times the suggested rate. When it is done the panel calls the doctor by itself; don't look at the line of the diagnosis yet, look at the curves.

# %%
panel = lk.ui.Train(
    some, model=MODEL, out=None, strategy="head", lr=0.2, epochs=5, max_length=64, device=DEVICE, precision="fp32"
)
panel.run_button.click()
panel.wait()
panel.report()
panel

# %% [markdown] lang="zh"
# 同一件事，用代码写（种子相同，每一步的损失也该相同，第 7 节会用到这一点）：

# %% [markdown] lang="en"
# The same in code (the seed is the same, and so should be the loss of every step; section 7 will come back to that):

# %%
high = trainer(some, lk.HeadOnly(), lr=0.2, epochs=5).fit()
print(high.steps == panel.result.steps)
print([finding.title for finding in lk.diagnose(high)])

# %% [markdown] lang="zh"
# **读图**：看左边的纵轴。损失从 0.7 出发，十来步就冲到十倍以上，在**瞎猜之上**跳来跳去，到最后学习率降下来了（学习率计划是直线下降），才慢慢落回 1 附近，仍在瞎猜之上。头每一步都迈过了山谷，落在对面更高的地方。
#
# 再看右边：验证准确率居然常有五六成，最后甚至六成多。跳到的地方方向多半是对的，只是概率离谱。又一次，准确率没有报警；只看它，你会说“学得慢了点，多练几轮吧”。
#
# 太小又是什么样？下一节的病房里就有一个，百万分之一的。先想好它的两条线该怎么画。

# %% [markdown] lang="en"
# **Reading it**: look at the upright axis on the left. The loss sets out at 0.7, shoots up to more than ten times that within a dozen steps, jumps about **above guessing**, and only when the rate has come down at the end (its schedule falls in a line) does it sink back to about 1, which is still above guessing. With each step the head strides across the valley and lands higher up on the other side.
#
# And on the right: the validation accuracy is fifty or sixty per cent all the same, and at the end above sixty. Where the head lands the direction is mostly right; only the probabilities are absurd. Once more the accuracy raised no alarm. By it alone you would say "a little slow, give it some more epochs".
#
# And too low? There is one in the next section's ward, at a millionth. Think beforehand how its two lines will look.

# %% [markdown] lang="zh"
# ## 5 六个病人
#
# > **理论 ⑤** 症状相同，病因可以不同；先问动没动、动的是谁、标签对不对，再谈调参。
#
# 下面是今天的门诊：六次训练，名字隐去，其中**有一个是健康的**。病历写在这一格里，你要是诚实，就别读代码，直接看图。病因有：学习率太大、学习率太小、类别坍缩、头没有学习、标签乱了。

# %% [markdown] lang="en"
# ## 5 Six patients
#
# > **Theory ⑤** The same symptom may have different causes; ask first whether it moved, what moved, and whether the labels are right, and only then speak of tuning.
#
# Here is today's surgery: six runs without their names, **one of which is sound**. Their records are in this cell; if you are honest, don't read the code but go straight to the pictures. The causes are: rate too high, rate too low, class collapse, a head that does not learn, labels in disorder.


# %%
@dataclass(frozen=True)
class TopLayerOnly(lk.Strategy):
    name = "top-layer-only"

    def prepare(self, model):
        return lk.train_only(model, set(lk.blocks(model)[-2].parameters))


def skewed(rows):
    good = [row for row in rows if row.target == 1]
    return tuple(good + [row for row in rows if row.target == 0][: len(good) // 15])


def shuffled(rows):
    labels = random.Random(0).sample([row.target for row in rows], len(rows))
    return tuple(replace(row, target=label) for row, label in zip(rows, labels, strict=True))


def changed(corpus, how):
    return replace(corpus, **{split: how(rows) for split, rows in corpus.splits.items()})


# %%
rare = changed(part(240, 180, 160), skewed)
ward = {
    "A": trainer(some, lk.HeadOnly(), lr=1e-6, epochs=5).fit(),
    "B": trainer(some, TopLayerOnly(), lr=5e-4, epochs=4).fit(),
    "C": trainer(rare, lk.HeadOnly(), epochs=5).fit(),
    "D": trainer(some, lk.HeadOnly(), lr=sweep.suggestion, epochs=5).fit(),
    "E": trainer(changed(some, shuffled), lk.HeadOnly(), epochs=12).fit(),
    "F": high,
}

# %%
fig, every = lk.plots.figure(7.6, 2.3, columns=3)
fig2, more = lk.plots.figure(7.6, 2.3, columns=3)
for axes, (letter, run) in zip([*every, *more], ward.items(), strict=True):
    epochs = [e.epoch for e in run.history]
    axes.plot(epochs, [e.train_loss for e in run.history], color="#4477aa", lw=1.2, label=tr("训练", "training"))
    axes.plot(epochs, [e.valid_loss for e in run.history], "o-", ms=4, color="#ee6677", label=tr("验证", "validation"))
    axes.axhline(0.693, color="#888888", ls=":")
    says = f"{letter} · {tr('准确率', 'accuracy')} {run.valid_accuracy:.2f}"
    axes.set(
        title=says,
        xlabel=tr("轮次", "epoch"),
        ylabel=tr("损失（nat）", "loss (nats)"),
        xticks=epochs[:: len(epochs) // 4],
    )
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
every[0].legend()
fig

# %%
fig2

# %% [markdown] lang="zh"
# **写下来**：A 到 F，各是什么？（标题里的是验证准确率。）证据是哪一条线、哪一个数？点线是两类各半时瞎猜的损失（0.69）。写完再运行下一格。

# %% [markdown] lang="en"
# **Write it down** (the titles give the validation accuracy): A to F, what is each, and by which line or number do you know? The dotted line is the loss of guessing between two even classes (0.69). Write first, then run the next cell.

# %%
for letter, run in ward.items():
    print(letter, [finding.title for finding in lk.diagnose(run)])

# %% [markdown] lang="zh"
# 你对了几个？下面是医生的证据（这一格有量出来的数，不参与比对）：

# %% [markdown] lang="en"
# How many did you get? Here is the doctor's evidence (this cell holds measured numbers and is not compared):

# %% tags=["nbval-ignore-output"]
for letter, run in ward.items():
    print(letter, lk.diagnose(run), sep=tr("：", ": "))

# %% [markdown] lang="zh"
# **读一读**。F 是面板里的那一位；A 是一条直线，贴着瞎猜，训练和验证重合：步子太小，什么也没发生。两个都“没学好”，证据却相反，一个**没动**，一个**动过头**（**理论 ④**）。另外四个才是考题：
#
# - **C** 的准确率最高，损失最低，看上去最健康，其实最没用：它一次也没说过“差评”。点线在这里是陷阱：瞎猜的损失是按类别比例算的，15 比 1 的时候只有 0.23 左右，它正好停在那里。看准确率之前，先看最大的一类占多少（笔记 08 的懒人）。
# - **B** 的曲线一点不难看，只是慢。它动了一整层，偏偏头没有动：头还是随机的那一个，整层都在迁就它。曲线认不出这种病，要看**动了哪些张量**：`run.moved`。
# - **E** 的训练损失照样下降！标签是乱的，没有规律可学，它就一行一行地背；验证损失从一开始就往上走，准确率连五成也不到。和第 1 节的病人比：那一个先学后背，这一个没有“先”。医生管它也叫过拟合，药方的第一句却是“先看标签对不对”。
# - **D** 健康。真正健康的曲线，看上去并不比 B 好多少。
#
# 医生问话的次序也值得学：先问学习率（太大，后面全是假象），再问头动没动，再问是不是太小，再问有没有类别从不出现，最后才谈欠拟合、过拟合。**一次只报第一个病因**，因为学习率错了的时候，别的症状都是它带来的。

# %% [markdown] lang="en"
# **Reading them.** F is the one from the panel. A is a straight line that sticks to guessing, training on top of validation: the steps were too short, and nothing happened. Neither has learned, and yet the evidence is opposite: one has **not moved**, the other has **moved too far** (**theory ④**). The other four are the exam:
#
# - **C** has the highest accuracy and the lowest loss and looks the healthiest, and is the most useless: not once has it said "bad". The dotted line is a trap here: what guessing costs depends on the shares, and at 15 to 1 it is only some 0.23, which is just where C stands. Before you look at an accuracy, look at the share of the largest class (the lazy one of notebook 08).
# - The curves of **B** are not bad at all, just slow. A whole layer has moved, but not the head: it is still the random one, and all that layer humours it. Curves do not show this illness; look at **which tensors moved**, `run.moved`.
# - In **E** the training loss falls as it should! Its labels are in disorder, there is nothing to learn, and so it learns row after row by heart; the validation loss rises from the very start, and the accuracy does not even reach one half. Compare the patient of section 1: that one learned first and then memorised, this one has no "first". The doctor calls both overfitting, but here the prescription begins with "see first whether the labels are right".
# - **D** is sound. Really sound curves don't look much better than B.
#
# The order of the doctor's questions is worth learning, too: first the rate (too high, and all that follows is illusion), then whether the head moved, then whether the rate is too low, then whether some class is never said, and only in the end underfitting and overfitting. **Only the first cause is told**, since with a wrong rate all the other symptoms come from it.

# %% [markdown] lang="zh"
# ## 6 曲线上看不见的病
#
# > **理论 ⑥** 泄漏让一切都变好看；查它要查数据，不是查曲线。
#
# 第七个病人：训练行里混进了 150 行测试题，是合并两个文件时不小心重复的，标点和空格还略有不同。**猜**：它的曲线哪里不对？

# %% [markdown] lang="en"
# ## 6 The illness that no curve shows
#
# > **Theory ⑥** A leak makes everything look better; to find it, look into the data and not at the curves.
#
# The seventh patient: 150 test rows got among the training rows when two files were joined, with slightly different punctuation and spaces. **Guess**: what is wrong with its curves?

# %%
lk.guess("09.6", choice="somewhere")

# %%
mixed = [replace(row, input=row.input.replace("，", ", ") + " ") for row in some.test[:150]]
leaky = replace(some, train=(*some.train, *mixed))
leaking = trainer(leaky, lk.HeadOnly(), epochs=8).fit()
print(
    [f.title for f in lk.diagnose(leaking) if f.name != "leak"], leaking.test_accuracy > leaking.valid_accuracy + 0.05
)
print([f.title for f in lk.diagnose(leaking, leaky)])
lk.scored("09.6", "somewhere" if [f for f in lk.diagnose(leaking) if f.name != "leak"] else "nowhere")

# %% [markdown] lang="zh"
# 曲线没有话说；惟一的线索是测试成绩比验证成绩高出一截，而测试题本该一样难。把语料也交给医生（`diagnose(run, corpus)`），它按**归一化之后**的文字去找重复的行：全角半角、大小写、标点、空格都抹平，再比。改了标点的也跑不掉，近似的也找得到。
#
# 别人给你的数据，**训练之前**就查一遍。`load_csv` 自己会去掉重复的行，只差标点的也算（笔记 07）。

# %% [markdown] lang="en"
# The curves have nothing to say; the one hint is a test score well above the validation score, though the test rows ought to be as hard. Hand the corpus to the doctor as well (`diagnose(run, corpus)`), and it looks for rows that stand twice, comparing texts **in a normal form**: width, case, punctuation and spaces are levelled first. Different punctuation is no escape, and near copies are found as well.
#
# With data that others give you, look **before** you train. `load_csv` drops repeated rows by itself, those that differ in punctuation among them (notebook 07).

# %% [markdown] lang="zh"
# ## 7 内存不够，以及同一次训练
#
# > **理论 ⑦** 内存 = 固定的一份（权重、梯度、优化器）+ 每行一份（激活）；批可以分几次算，梯度不变。
#
# 训练到一半才发现内存不够，是最贵的发现。`lk.preflight` 用几步试跑，预告时间和内存。我们假装这台机器只剩 100 MB，批大小要 64。**猜**：它会建议什么？按“最不影响结果”排个序。

# %% [markdown] lang="en"
# ## 7 When memory is short, and what "the same run" means
#
# > **Theory ⑦** Memory is a fixed part (weights, gradients, optimizer) and a part for each row (activations); a batch may be computed in pieces, and the gradient is the same.
#
# To find out in the middle of a run that memory is short is the dearest way to find out. `lk.preflight` tries a few steps and forecasts time and memory. We pretend that this machine has 100 MB left, and want a batch of 64. **Guess**: what will it suggest? Put the ways out in order, the one that changes the result least first.

# %%
lk.guess("09.7", choice="max_length")

# %%
from unittest.mock import patch

crowded = replace(config, batch_size=64, max_length=128)
with patch.object(lk.memory, "room_mb", lambda kind: (100.0, 16_000.0)):
    forecast = lk.preflight(lk.load(MODEL, labels=some.labels).to(DEVICE), some, lk.Full(), crowded)
print(tr("放得下：", "fits:"), forecast.fits)
ways = ("accumulation", "max_length", "HeadOnly")
advised = [word for tip in forecast.suggestions for word in ways if word in tip]
print(advised)
lk.scored("09.7", advised[0])

# %% [markdown] lang="zh"
# 次序就是代价的次序。`accumulation`：一批分几次算，攒齐了再迈步，结果不变，只是慢一些。`max_length`：最长的几行截短，多数行碰不到。冻结：不只省下梯度和优化器的两份记录，连激活也不必留，可是换了一种训练（笔记 02）。真训练时若还是放不下，训练器会自己把批切开，并且大声说出来。
#
# 内存说完了，说说**重复**。
#
# > **理论 ⑧** 同一个种子是同一次训练；不同种子之间的差，是成绩误差的一部分。
#
# 第 4 节的面板和代码，每一步损失都相同（那个 `True`）：随机的东西全部由种子决定。那么换种子呢？`LiveHead` 只读一遍文字，之后重练一个头只要一眨眼。我们练十二次，模型、头的起点、数据都相同，只换**行的次序**。**猜**：十二个测试成绩，最高和最低差几个点？

# %% [markdown] lang="en"
# The order is one of cost. `accumulation`: a batch is computed in pieces and a step made when all are in; the result is the same, it only takes longer. `max_length`: the longest few rows are cut, most don't notice. Freezing: it saves not only gradients and the optimizer's two records but activations as well, yet it is another kind of training (notebook 02). If a real run finds no room all the same, the trainer cuts its batches by itself, and says so aloud.
#
# So much for memory. Now for **repeating**.
#
# > **Theory ⑧** The same seed is the same run; what lies between seeds is part of a score's error.
#
# In section 4 panel and code agreed in the loss of every step (that was the `True`): all that is random follows from the seed. And with another seed? `LiveHead` reads the texts only once; after that, to train a head anew takes a blink. We train twelve times with the same model, the same first head and the same data; only the **order of the rows** differs. **Guess**: how many points lie between the best and the worst of twelve test scores?

# %%
lk.guess("09.7b", 0, 0.8)

# %%
live = lk.LiveHead(trainer(some, lk.HeadOnly(), epochs=5))
print(live.trainer(seed=7).fit().steps == live.trainer(seed=7).fit().steps)
orders = [live.trainer(seed=seed).fit() for seed in range(12)]
scores = [run.test_accuracy for run in orders]
expect("orders", 100 * (max(scores) - min(scores)), guess="09.7b")

# %%
fig, axes = lk.plots.figure(5.4, 2.1)
middle = orders[0].test
axes.plot(
    [middle.low, middle.high],
    [0, 0],
    color="#888888",
    lw=3,
    alpha=0.5,
    label=tr("一次成绩的 95 % 区间（换行）", "95 % interval of one score (other rows)"),
)
axes.plot(
    scores,
    [1] * len(scores),
    "o",
    color="#4477aa",
    alpha=0.5,
    label=tr("十二种次序（换种子）", "twelve orders (other seeds)"),
)
axes.set(title=tr("两份运气", "Two kinds of luck"), xlabel=tr("测试准确率", "test accuracy"), ylim=(-0.8, 2.6))
axes.set_yticks([0, 1], [tr("测试行", "test rows"), tr("次序", "order")])
axes.set_ylabel(tr("运气", "luck"))
axes.legend(loc="upper left")
fig

# %% [markdown] lang="zh"
# **读图**：蓝点是十二个种子，灰线是其中一个成绩换一批测试行会晃的范围。只换次序，就差出三个点；可是和灰线比，它还算小的：在这里，**测试行的运气比种子的运气大**。所以只跑五个种子、不管测试行有多少，误差条会窄得骗人（笔记 02 的判定把两份都算进去）。
#
# 蓝点里最右边的那个，就是论文里常见的“最好的一次”。报平均，报区间；要报最好的，就用验证集挑，不用测试集挑。

# %% [markdown] lang="en"
# **Reading it**: blue dots are the twelve seeds, the grey bar is how far one of these scores would wobble with other test rows. Nothing but the order makes a difference of three points; yet beside the bar that is small: here, **the luck of the test rows is larger than that of the seed**. To run five seeds and not ask how many test rows there are gives error bars that are deceptively short (the verdict of notebook 02 counts both).
#
# The dot on the far right is the "best run" that one meets in papers. Report the mean, report the interval; and if it must be the best, pick it by the validation set and not by the test set.

# %% [markdown] lang="zh"
# ## 8 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 先学后背，验证损失先降后升 | 损失翻倍，准确率不动：先坏的是概率（1） |
# | ② | 少练，或少动 | 少动、橡皮筋有用，早停治一半，一百倍的权重衰减几乎没有用（2） |
# | ③ | 走得远，忘得多 | 橡皮筋几乎不忘，重放管记性不管背书（3） |
# | ④ | 太小不动，太大飞出去 | 一百步的短跑；0.2 与 1e-6，一个乱跳，一个不动（4、5） |
# | ⑤ | 同样的症状，不同的病因 | 最好看的 C 最没用，B 的曲线认不出（5） |
# | ⑥ | 泄漏在数据里，不在曲线里 | 曲线没有话说，语料一查就有（6） |
# | ⑦ | 批可以分几次算 | 三条出路，按代价排（7） |
# | ⑧ | 种子定死一切；种子之间的差是误差 | 两次相同；十二种次序差三个点（7） |
#
# 没有告诉你的：医生宁可漏诊，不肯误诊，说“没有发现问题”不等于健康；这里的行很少，“没有差别”说的是看不出；换一个模型，学习率的悬崖在别的地方，先跑一次 `find_lr`。

# %% [markdown] lang="en"
# ## 8 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | learn first, memorise later; the validation loss falls, then rises | the loss doubled and the accuracy stayed: probabilities go first (1) |
# | ② | train less, or move less | moving less and the band helped, early stopping by halves, a hundredfold weight decay hardly (2) |
# | ③ | who goes far forgets much | the band hardly forgets; replay minds memory, not rote (3) |
# | ④ | too low stands still, too high flies off | a short run of a hundred steps; 0.2 jumps about, 1e-6 does not move (4, 5) |
# | ⑤ | one symptom, several causes | C looked best and was useless; B's curves gave nothing away (5) |
# | ⑥ | a leak is in the data, not in the curves | curves silent, corpus eloquent (6) |
# | ⑦ | a batch may be computed in pieces | three ways out, in the order of their cost (7) |
# | ⑧ | the seed fixes everything; what lies between seeds is error | twice the same; three points between twelve orders (7) |
#
# What this did not tell: the doctor would rather miss something than cry wolf, and "nothing found" does not mean healthy; rows were few, so that "no difference" means none that could be seen; and with another model the cliff of the rates lies elsewhere, so run `find_lr` first.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　训练损失 0.02，验证损失从 0.45 升到 0.90，验证准确率从 0.84 到 0.85。同事说：“准确率还在涨，继续练。”你同意吗？
#
# <details><summary>展开答案</summary>
#
# 看用途。只要答案、不要概率，多练几轮确实没有坏处，可是 0.84 到 0.85 多半也只是运气（笔记 08）。要用概率（设门槛、交给人复核），模型已经过度自信，该取验证损失最低的那一轮，或者除以温度（理论 ①，笔记 08 第 5 节）。还要记一笔账：多练的几轮让它忘得更多（理论 ③）。
#
# </details>

# %% [markdown] lang="zh"
# **二**　损失停在 0.693 不动。列出三种病因，以及各用哪一个证据来区分。
#
# <details><summary>展开答案</summary>
#
# 0.693 是两类各半时瞎猜的损失。学习率太小：验证损失连第四位小数都几乎不变，所有步的学习率加起来不到千分之几（理论 ④）。标签乱了：训练损失迟早会降，因为它会背，验证不降（理论 ⑤）；看几行数据就知道。学习率太大之后“死”在那里：看前几步，损失先冲上去过。还有一种：输入全被截断或都成了 `[UNK]`，每一行看上去都一样，看一批词元就知道。
#
# </details>

# %% [markdown] lang="zh"
# **三**　显卡只放得下 8 行一批，论文用 32。你改成批大小 8，学习率照旧。结果不如论文。怎样改才是“同一次训练”？
#
# <details><summary>展开答案</summary>
#
# 批大小 32，`accumulation=4`：每批分四次算，梯度是 32 行的平均，步数和学习率都不变（理论 ⑦）。直接改成 8，步数是原来的四倍，每步的梯度更晃，学习率的合适范围也变了，那是另一次训练。之后再比种子：论文报的若是“最好的一次”，你跑一次没赶上，什么也说明不了（理论 ⑧）。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** The training loss is 0.02, the validation loss rose from 0.45 to 0.90, the validation accuracy went from 0.84 to 0.85. A colleague says: "Accuracy is still rising, train on." Do you agree?
#
# <details><summary>Open the answer</summary>
#
# It depends on the use. Where only answers count and probabilities don't, a few more epochs do no harm; but from 0.84 to 0.85 is most likely luck as well (notebook 08). Where probabilities count (a threshold, or rows handed to people), the model is overconfident by now: take the epoch with the lowest validation loss, or divide by a temperature (theory ①; notebook 08, section 5). And keep in the books that more epochs forget more (theory ③).
#
# </details>

# %% [markdown] lang="en"
# **Two.** The loss stays at 0.693 and does not move. Name three causes, and the evidence that tells them apart.
#
# <details><summary>Open the answer</summary>
#
# 0.693 is the loss of guessing between two even classes. Rate too low: the validation loss hardly changes in its fourth digit, and the rates of all steps add up to a few thousandths at most (theory ④). Labels in disorder: the training loss will fall sooner or later, since rows can be learned by heart, and validation won't (theory ⑤); a look at some rows tells. A rate too high that "died" there: look at the first steps, where the loss shot up. And one more: inputs cut to nothing, or all `[UNK]`, so that each row looks alike; a look at one batch of tokens tells.
#
# </details>

# %% [markdown] lang="en"
# **Three.** Your card holds 8 rows at a time; the paper used batches of 32. You set the batch size to 8 and leave the rate as it is. The result is worse than the paper's. What would make it "the same run"?
#
# <details><summary>Open the answer</summary>
#
# Batch size 32 with `accumulation=4`: each batch in four pieces, a gradient that is the mean over 32 rows, the same number of steps and the same rate (theory ⑦). With a batch of 8 there are four times as many steps, each gradient wobbles more, and other rates are right: that is another run. After that compare seeds: if the paper reports its best run and your single one falls short, it proves nothing (theory ⑧).
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：练完一次，`print(lk.diagnose(run, corpus))`；命令行是 `labkit doctor`。
# - **练习 09**：亲手写医生的几条规矩、早停、橡皮筋、查泄漏、从曲线上读学习率。
# - **课程到此走完**：从第一次微调，到知道它好不好、坏在哪里。接下来最好的练习，是你自己的一份数据。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: after a run, `print(lk.diagnose(run, corpus))`; on the command line it is `labkit doctor`.
# - **Exercises 09**: write some of the doctor's rules, early stopping, the rubber band, a search for leaks, and a reading of the rate curve with your own hands.
# - **This is the end of the course**: from the first fine-tune to knowing whether it is good, and where it is not. The best exercise that follows is a data set of your own.
