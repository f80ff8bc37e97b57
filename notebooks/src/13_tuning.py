# %% [markdown] lang="zh"
# # 13 · 不自欺的调参
#
# 一位同事来报喜：试了四十组设置，最好的一组验证准确率 0.79，比默认的高六个点。你该恭喜他吗？
#
# 先想一件事。四十个人抛硬币，每人十次，总有人抛出八次正面。他不是高手，他是四十个人里最走运的一个。四十组设置也一样：分数里有好坏，也有运气，而**挑最高的，就是专挑运气好的**。
#
# 调参值得做：学习率错十倍，什么模型也救不了。可是怎样调、调到哪里停、最后该信哪个数，多数教程一句带过。这本笔记把它们一件件量出来：网格、随机、TPE 哪个好？验证集上的“最好”高估了多少？“批大小要调”是真的吗？差的试验能不能早点停？最后，让机器自己挑策略，我们来审它。
#
# **做完以后，你能够**
#
# 1. 用 `lk.search` 在给定的次数或秒数里搜索，读懂它的报告；
# 2. 在同样的预算下比较三种搜索，并知道差别有没有超出运气；
# 3. 量出赢家的诅咒，用新种子和测试行去核实；
# 4. 说清批大小和学习率是一件事还是两件事；
# 5. 知道差的试验什么时候可以停，停早了赔多少；
# 6. 让 `lk.recommend` 提建议，并看出它什么时候该说“说不准”。
#
# **怎么读**：做过笔记 01、02 就够了，08 有帮助；大约 25 分钟。每一节先猜，锁在账上，再看。

# %% [markdown] lang="en"
# # 13 · Tuning without fooling yourself
#
# A colleague brings good news: of forty settings that he tried, the best reached a validation accuracy of 0.79, six points above the defaults. Do you congratulate him?
#
# Think of this first. Forty people toss a coin ten times each, and somebody will have eight heads. He is no master; he is the luckiest of forty. Settings are no different: a score holds merit and luck, and **to pick the highest is to pick the lucky**.
#
# Tuning is worth it: with a rate that is wrong by a factor of ten, no model can be saved. But how to search, when to stop, and which number to believe in the end, most tutorials pass over in a sentence. This notebook measures these things one by one. Which is best: grid, random, TPE? By how much does the best on validation rows flatter? Does the batch size "need tuning"? Can poor trials be stopped early? And in the end we let the machine choose a strategy by itself, and put it on trial.
#
# **At the end you will be able to**
#
# 1. search within a number of trials or seconds with `lk.search`, and read its report;
# 2. compare three ways of searching at equal budget, and know whether the difference is more than luck;
# 3. measure the winner's curse, and confirm a winner on fresh seeds and test rows;
# 4. say whether batch size and rate are one thing or two;
# 5. tell when a poor trial may be stopped, and what it costs to stop too early;
# 6. have `lk.recommend` make a proposal, and see when it has to say "cannot tell".
#
# **How to read it.** Notebooks 01 and 02 are enough, 08 helps; it takes about 25 minutes. Each section begins with a guess, which is locked and then scored.

# %% tags=["setup"]
LANG = "zh"

import csv
import itertools
import random
import statistics
from dataclasses import replace

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 1 一次小小的搜索
#
# > **理论 ①** 调参是在看不见的山上找高处：每问一次要花一次训练，答案还会抖。
#
# 数据切小：训练 100 行，验证 60 行，测试 200 行。只搜一种策略（只训练头），变的是学习率、轮数、批大小、学习率计划和权重衰减。`trials=8`：一共试八次，第一次是默认设置；每次试验都**看不到测试行**。最后，最好的那组和默认的那组用两个新种子各重做一遍，在测试行上见一次面。出点子的是 Optuna；`make lab` 装好了它，别处用 `pip install 'labkit[search]'`。
#
# **猜**：八次里最好的，会比默认的高几个点？到了新种子和测试行上，还剩几个点？

# %% [markdown] lang="en"
# ## 1 A small search
#
# > **Theory ①** To tune is to look for high ground on a hill that one cannot see: each question costs a training, and the answers wobble.
#
# The data are cut small: 100 training rows, 60 for validation, 200 for testing. One strategy is searched (the head alone), with its rate, epochs, batch size, schedule and weight decay. `trials=8` means eight in all, of which the first has the default settings; **no trial gets to see a test row**. In the end the best and the default are done again with two fresh seeds each, and meet on the test rows once. It is Optuna that proposes; `make lab` brought it, elsewhere `pip install 'labkit[search]'` does.
#
# **Guess**: by how many points will the best of eight beat the default? And how many are left on fresh seeds and test rows?

# %%
lk.guess("13.1", 1, 5)

# %%
MODEL, DEVICE = lk.equipment()
whole = lk.reviews()
few = replace(whole.limit(100), valid=whole.valid[:60], test=whole.test[:200])
config = lk.TrainConfig(max_length=48, device=DEVICE, precision="fp32")
found = lk.search(few, ["head"], trials=8, confirm=2, model=MODEL, config=config)
print(found.trials[0].strategy, found.trials[0].default, len(found.trials), found.best.value >= found.default.value)

# %%
lk.plots.trials(found)

# %% [markdown] lang="zh"
# **读图**：绿点是默认设置，浅蓝是试过的，灰点是中途剪掉的（第 5 节）；粗线是“目前最好”。这条线只升不降，所以它**总是**好看的：试得越多越高，哪怕每一组其实一样好。下面是报告里最要紧的几句，请和你猜的对一对（数字随机器会有出入，所以这一格不比对）。

# %% [markdown] lang="en"
# **Reading it**: green is the default, pale blue what was tried, grey what was pruned on the way (section 5); the bold line is the best so far. It never falls, and so it **always** looks good: the more is tried the higher it gets, even where all settings are equally good. Below are the sentences of the report that matter; hold them against your guess (on other machines the numbers differ a little, so this cell is not compared).

# %% tags=["nbval-ignore-output"]
print(*found.judgement(), found.call, sep="\n")
lk.scored("13.1", round(100 * (found.best.value - found.default.value), 1))

# %% [markdown] lang="zh"
# 最后一行是能重复这组设置的调用。两个新种子、二百行测试，区间还是很宽：说“没有核实”，不等于说“没有用”，是说**看不出**。
#
# 同样的搜索有一个面板：勾选什么可以变，给一个秒数，按“运行”，看曲线长高。**停止**之后可以**继续**，做完的不会重做。

# %% [markdown] lang="en"
# The last line is the call that repeats these settings. With two fresh seeds and two hundred test rows the interval is still wide: "not confirmed" does not say "useless", it says that **it cannot be seen**.
#
# There is a panel for the same: tick what may vary, give seconds, press Run and watch the curve rise. After **Stop** there is **Resume**, and what is done is not repeated.

# %%
panel = lk.ui.Search(few, MODEL, seconds=10)
panel

# %%
panel.report()
print(panel.strategies())

# %% [markdown] lang="zh"
# 命令行上是 `labkit search 评论.csv --seconds 600 --workers 2 --out 搜索`：断了电，同样的命令再给一次就接着搜；两个终端给同一个 `--storage sqlite:///search.db`，就一起搜。
#
# ## 2 网格、随机、TPE
#
# > **理论 ②** 网格把预算平均撒在每个格点上；随机在每一根轴上试的值更多；TPE 看着前面的结果，多试像赢家的地方。
#
# 要公平地比，得重复很多遍，一节课练不完。所以我们**事先**练好了：240 行训练、100 行验证，只训练头，8 个学习率 × 4 个批大小 × 3 个轮数 × 2 个种子，一共 192 次；再加上全部参数都训练的 24 次（第 4 节用）。都在 `tuning.csv` 里，由 `tools/make_tuning_runs.py` 做成，谁都可以重做。有了这张表，“试一次”就是查一次表，一眨眼搜几十遍。

# %% [markdown] lang="en"
# On the command line it is `labkit search comments.csv --seconds 600 --workers 2 --out search`: after a power cut the same command goes on; two terminals with the same `--storage sqlite:///search.db` search together.
#
# ## 2 Grid, random, TPE
#
# > **Theory ②** A grid spreads its budget evenly over its points; random draws try more values on every single axis; TPE looks at what came before and tries more of what resembles the winners.
#
# A fair comparison has to be repeated many times, more than fits into a lesson. So the training was done **beforehand**: 240 training rows, 100 for validation, the head alone, 8 rates × 4 batch sizes × 3 numbers of epochs × 2 seeds, which makes 192 runs; and 24 more with all parameters training (for section 4). They stand in `tuning.csv`, made by `tools/make_tuning_runs.py`, and anybody can make them again. With this table "a trial" is a look-up, and dozens of searches take a blink.

# %%
with (lk.files.ASSETS / "tuning.csv").open(encoding="utf-8", newline="") as file:
    lines = list(csv.DictReader(file))
table = {}  # (strategy, rate, batch size, epochs, seed): (validation accuracy, test accuracy)
for line in lines:
    point = float(line["lr"]), int(line["batch_size"]), int(line["epochs"])
    table[line["strategy"], *point, int(line["seed"])] = float(line["valid"]), float(line["test"])
RATES, BATCHES, EPOCHS, SEEDS = (sorted({key[i] for key in table if key[0] == "head"}) for i in (1, 2, 3, 4))
every = list(itertools.product(RATES, BATCHES, EPOCHS))
print(len(table), len(every), BATCHES, EPOCHS, SEEDS)

# %% [markdown] lang="zh"
# 每种搜索有 16 次试验，96 个格点里它只能看 16 个。搜索看见的是**一个**种子的验证成绩；搜完以后，我们用它看不见的东西来判：那组设置在测试行上、两个种子的平均。网格是粗的：隔一个取一个；每次搜索换一种取法。
#
# **猜**：四十八次搜索平均下来，三种方法挑中的设置，测试准确率差几个点？谁最好？

# %% [markdown] lang="en"
# Each search has 16 trials: of the 96 points it may look at 16. What it sees is the validation score of **one** seed; afterwards we judge by what it cannot see, the mean over two seeds on test rows. The grid is coarse, every other value, and every search takes another coarse grid.
#
# **Guess**: over forty-eight searches, how many points of test accuracy lie between what the three choose? Who is best?

# %%
lk.guess("13.2", 1, 4)

# %%
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)
AXES = {"rate": RATES, "batch": BATCHES, "epochs": EPOCHS}


def grid(number):
    batches, epochs = ((8, 32), (16, 64))[number % 2], ((2, 10), (5, 10))[number // 2 % 2]
    return list(itertools.product(RATES[number // 4 % 2 :: 2], batches, epochs))


def drawn(number):
    return random.Random(number).sample(every, 16)


def tpe(number):
    sampler, points = optuna.samplers.TPESampler(seed=number, n_startup_trials=6), []
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(16):
        trial = study.ask()
        points.append(tuple(axis[trial.suggest_int(name, 0, len(axis) - 1)] for name, axis in AXES.items()))
        study.tell(trial, seen(points[-1], number))
    return points


def seen(point, number):
    return table["head", *point, SEEDS[number // 8 % 2]][0]


def truth(point):
    return statistics.fmean(table["head", *point, seed][1] for seed in SEEDS)


# %%
chosen = {}
for name, method in (("grid", grid), ("random", drawn), ("TPE", tpe)):
    chosen[name] = [max(method(n), key=lambda point: seen(point, n)) for n in range(48)]
expect = lk.expect("13")
for name, points in chosen.items():
    expect(name, statistics.fmean(map(truth, points)))

# %% [markdown] lang="zh"
# 三个平均数挨得很近。差别有没有超出运气？成对地比：同一个种子下的两次搜索相减，四十八个差，求平均和 95 % 区间。

# %% [markdown] lang="en"
# Three means close together. Is the difference more than luck? Compare in pairs: subtract two searches that saw the same seed, forty-eight differences, their mean and its 95 % interval.


# %%
def apart(a, b):
    differences = [100 * (truth(x) - truth(y)) for x, y in zip(chosen[a], chosen[b], strict=True)]
    half = 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.fmean(differences), half


pairs = (("random", "grid"), ("TPE", "random"), ("TPE", "grid"))
fig, axes = lk.plots.figure(5.6, 2.2)
for y, pair in enumerate(pairs):
    middle, half = apart(*pair)
    axes.errorbar(middle, y, xerr=half, fmt="o", capsize=4, color="#4477aa")
axes.axvline(0, color="#888888", ls=":")
axes.set_yticks(range(3), [tr(f"{a} 减 {b}", f"{a} − {b}") for a, b in pairs])
axes.set(title=tr("测试准确率之差（百分点，95 %）", "Difference in test accuracy (points, 95 %)"), ylim=(-0.6, 2.6))
axes.set(xlabel=tr("百分点", "points"), ylabel=tr("两种搜索", "two searches"))
fig

# %%
lk.scored("13.2", round(max(abs(apart(*pair)[0]) for pair in pairs)))
grids = [statistics.fmean(truth(chosen["grid"][n]) for n in range(first, 48, 8)) for first in range(8)]
print(tr("最好和最差的网格之差：", "best grid minus worst:"), round(100 * (max(grids) - min(grids)), 1))

# %% [markdown] lang="zh"
# **读图**：三个平均数相差不到一个点，三个区间都碰到 0 或就在 0 旁边；TPE 并没有领先。再看最后一个数：同是网格，换一种取法，就能差出两个多点，比三种方法之间的差大得多。网格好不好，要看好的值碰巧在不在格子上；随机抽没有这个“碰巧”，这是它真正的好处。
#
# 还要说明白：区间里只有**搜索**的运气，没有**表**的运气，每个格点只练了两个种子，换一张表名次会变。而且这座山顶是平的，一大片格点都在一两个点之内，聪明没有用武之地；TPE 先随机试 6 次，剩下 10 次来学，学的还是会抖的分数。
#
# 所以**理论 ②** 的三条道理都对，可是道理不是测量：轴多、坡陡、预算大，它们才拉得开。在二十次上下的预算里，选哪种搜索，远不如下一节的事要紧。

# %% [markdown] lang="en"
# **Reading it**: the three means lie within a point, and all three intervals touch 0 or end right beside it; TPE is not ahead. Now look at the last number: among grids alone, another choice of values makes a difference of more than two points, much more than lies between the methods. How good a grid is depends on whether good values happen to lie on it; random draws have no such "happen to", and that is their real virtue.
#
# It has to be said as well that these intervals hold the luck of the **search** alone and not that of the **table**: each point was trained with two seeds, and another table may bring another order. Besides, this hill is flat on top, with a large part of its points within a point or two, and cleverness finds nothing to do; TPE tries 6 points at random first, and learns in the 10 that are left from scores that wobble.
#
# So the three reasons of **theory ②** are all sound, and yet reasons are no measurements: it takes many axes, steep slopes and a large budget to bring them out. With some twenty trials it matters much less which search one takes than what comes in the next section.

# %% [markdown] lang="zh"
# ## 3 赢家的诅咒
#
# > **理论 ③** 从 k 个会抖的分数里挑最高的，它的期望比真实的高，k 越大高得越多；它在新的行上会掉回来。
#
# 从那 192 次训练里随机抽 k 次，挑**验证**成绩最高的，看它的验证成绩和它自己的**测试**成绩。抽一千回，求平均。**猜**，画在纸上：k 从 1 到 40，两条线怎么走？下面只记一个数：从 k = 10 到 40，**测试**成绩涨几个点？

# %% [markdown] lang="en"
# ## 3 The winner's curse
#
# > **Theory ③** The highest of k wobbling scores lies above its own true value, and the more so the larger k is; on new rows it falls back.
#
# Of the 192 runs draw k, pick the one with the highest **validation** score, and look at that score and at its own **test** score. A thousand times, and the mean. **Guess**, with a pencil: how do the two lines go from k = 1 to 40? One number is kept below: by how many points does the **test** score rise from k = 10 to 40?

# %%
lk.guess("13.3", 1, 3)

# %%
pool, rng = [scores for key, scores in table.items() if key[0] == "head"], random.Random(0)
KS = (1, 2, 4, 10, 20, 40)
winners = {k: [max(rng.sample(pool, k), key=lambda scores: scores[0]) for _ in range(1000)] for k in KS}
valid, test = ([statistics.fmean(scores[i] for scores in winners[k]) for k in KS] for i in (0, 1))
fig, axes = lk.plots.figure(5.6, 3.2)
axes.plot(KS, valid, "o-", lw=2, label=tr("赢家的验证成绩", "the winner on validation rows"))
axes.plot(KS, test, "s-", label=tr("同一个赢家的测试成绩", "the same winner on test rows"))
axes.set(title=tr("赢家的诅咒", "The winner's curse"), xlabel=tr("从几次里挑", "best of how many"))
axes.set_ylabel(tr("准确率", "accuracy"))
axes.set_xscale("log")
axes.set_xticks(KS, KS)
axes.minorticks_off()
axes.legend()
fig

# %%
at = {k: place for place, k in enumerate(KS)}
for name, line in (("valid", valid), ("test", test)):
    expect(f"{name} 1 to 10", 100 * (line[at[10]] - line[at[1]]))
    expect(f"{name} 10 to 40", 100 * (line[at[40]] - line[at[10]]), guess="13.3" if name == "test" else None)

# %% [markdown] lang="zh"
# **读图**：k = 1 的时候，两条线已经差着两三个点：这一百行验证恰好比测试行容易一些，那是行的运气，还不是诅咒。要看的是两条线**怎样张开**。从 1 到 10，验证涨五六个点，测试涨三个点：一半多是真的。从 10 到 40，验证还涨一个多点，测试几乎不动：后三十次试验买到的，差不多全是好看。
#
# 再拆一层。赢家的运气有两份：种子的，和验证行的。同样的设置换一个种子，在**同样的**验证行上重做，掉下来的那一截就是种子的一份：

# %% [markdown] lang="en"
# **Reading it**: at k = 1 the two lines are two or three points apart already: these hundred validation rows happen to be a little easier than the test rows, which is the luck of the rows and not yet the curse. What matters is how the lines **part**. From 1 to 10, validation rises by five or six points and the test by three: more than half is real. From 10 to 40, validation rises by another point and the test hardly moves: what thirty more trials bought is almost nothing but looks.
#
# One layer deeper. A winner is lucky twice, with its seed and with the validation rows. Do the same settings again with another seed on the **same** validation rows, and what drops off is the seed's share:

# %%
again = []
for _ in range(1000):
    picked = rng.sample(sorted(key for key in table if key[0] == "head"), 40)
    best = max(picked, key=lambda key: table[key][0])
    others = [seed for seed in SEEDS if seed != best[4]]
    again.append(table[best][0] - statistics.fmean(table[(*best[:4], seed)][0] for seed in others))
expect("seed luck", 100 * statistics.fmean(again))

# %% [markdown] lang="zh"
# 这就是 `lk.search` 的最后一步为什么要换新种子：不多花几次训练，你分不清买到的是好设置，还是好运气。它也是为什么搜索**看不到测试行**：测试行只要参加挑选，它就也变成了会抬高赢家的验证行。
#
# **动手**：把 `pool` 换成训练 2 轮的那些（`key[3] == 2`）。分数更抖，诅咒更重吗？

# %% [markdown] lang="en"
# This is why the last step of `lk.search` takes fresh seeds: unless you pay for a few more trainings you cannot tell whether you bought good settings or good luck. And it is why a search **does not see test rows**: once they take part in choosing, they flatter the winner just as validation rows do.
#
# **Try it**: let `pool` be the runs of 2 epochs (`key[3] == 2`). Scores wobble more; is the curse heavier?

# %% [markdown] lang="zh"
# ## 4 “批大小要调”吗？
#
# > **理论 ④** 批大小和学习率不是两个独立的旋钮：批大了，步数少了，每步的梯度稳了，该迈大步。
#
# 许多文章写着“学习率和批大小都要调”，却很少有人把两样**一起**量过。这里是全部参数都训练的 24 次：6 个学习率 × 4 个批大小，4 轮，一个种子。**猜**：固定学习率 4e-4，把批从 8 换到 64，测试准确率掉几个点？给每个批**各配最好的学习率**，还掉吗？

# %% [markdown] lang="en"
# ## 4 Does the batch size "need tuning"?
#
# > **Theory ④** Batch size and rate are no two separate knobs: with a larger batch there are fewer steps and each gradient is steadier, so steps should be longer.
#
# Many articles say that rate and batch size both need tuning; few have measured the two **together**. Here are 24 runs with all parameters training: 6 rates × 4 batch sizes, 4 epochs, one seed. **Guess**: at a fixed rate of 4e-4, how many points of test accuracy are lost from a batch of 8 to one of 64? And if each batch size gets **the rate that is best for it**?

# %%
lk.guess("13.4", 2, 6)
lk.guess("13.4b", 2, 5)

# %%
full = sorted({key[1] for key in table if key[0] == "full"})
score = {(batch, rate): table["full", rate, batch, 4, 0][1] for batch in BATCHES for rate in full}
fig, axes = lk.plots.figure(5.8, 3.2)
shades = axes.imshow(
    [[score[batch, rate] for rate in full] for batch in BATCHES], aspect="auto", cmap="Blues", vmin=0.5
)
for (y, batch), (x, rate) in itertools.product(enumerate(BATCHES), enumerate(full)):
    axes.text(
        x,
        y,
        f"{score[batch, rate]:.2f}",
        ha="center",
        va="center",
        color="#fff" if score[batch, rate] > 0.68 else "#222",
    )
axes.set_xticks(range(len(full)), [f"{rate:g}" for rate in full])
axes.set_yticks(range(len(BATCHES)), BATCHES)
axes.set(title=tr("测试准确率", "Test accuracy"))
axes.set(xlabel=tr("学习率", "rate"), ylabel=tr("批大小", "batch size"))
axes.grid(False)
fig

# %%
print({batch: max(full, key=lambda rate: score[batch, rate]) for batch in BATCHES})
print(tr("学习率固定在 4e-4：", "rate fixed at 4e-4:"), [round(score[batch, 4e-4], 2) for batch in BATCHES])
print(
    tr("各配最好的学习率：", "each with its best rate:"),
    [round(max(score[batch, r] for r in full), 2) for batch in BATCHES],
)
best = {batch: max(score[batch, rate] for rate in full) for batch in BATCHES}
lk.scored("13.4", round(100 * (score[8, 4e-4] - score[64, 4e-4])))
lk.scored("13.4b", round(100 * (best[8] - best[64])))

# %% [markdown] lang="zh"
# **读图**：深的一块斜着走：批越大，好的学习率越靠右。学习率固定在 4e-4，从批 16 到批 64 掉八九个点；各配各的学习率，只差三个点，在 360 行测试、一个种子的误差（每边四个多点）之内，看不出差别。所以**理论 ④** 是对的，而“批大小要调”说对了一半：换了批，要跟着调的是**学习率**；批本身，按内存和速度来选。
#
# 道理在步数里。4 轮、240 行，批 8 走 120 步，批 64 只走 15 步；步数少了八倍，每步不迈大一些，就走不到。这里没有量的是同样**步数**的比较，那时大批多看了八倍的行，不能叫同样的预算。

# %% [markdown] lang="en"
# **Reading it**: the dark part runs aslant; the larger the batch, the further to the right the good rates. With the rate fixed at 4e-4, eight or nine points are lost from a batch of 16 to one of 64; with each its own rate it is three, which with 360 test rows and one seed lies inside the error (more than four points to each side) and cannot be seen. So **theory ④** holds, and "the batch size needs tuning" is half right: when the batch changes it is the **rate** that has to follow; the batch itself is chosen by memory and speed.
#
# The reason is in the steps. In 4 epochs of 240 rows a batch of 8 makes 120 steps and one of 64 only 15; with an eighth of the steps each must be longer, or one never arrives. Not measured here is an equal number of **steps**: there the large batch would see eight times the rows, which is no equal budget.

# %% [markdown] lang="zh"
# ## 5 早点停，剪枝
#
# > **理论 ⑤** 练到一半已经比大家差的，多半到底也差；可是“多半”有多少，要看一半在哪里。
#
# 中位数规则：一次试验**到目前为止最好**的成绩，低于以前各次在**同一处**的中位数，就剪掉，把时间留给别人。什么时候开始剪？**猜**：练完第 1 轮就剪，省下几成时间，赔掉几个点？从第 3 轮起呢？

# %% [markdown] lang="en"
# ## 5 Stop early: pruning
#
# > **Theory ⑤** A trial that is worse than the others halfway is mostly worse at the end; how much "mostly" is depends on where halfway lies.
#
# The median rule: where a trial's **best so far** is below the median of what earlier trials had **at the same point**, it is pruned, and the time goes to others. When may one begin? **Guess**: pruning after the first epoch, what share of the time is saved, and how many points are lost? And from the third epoch on?

# %%
lk.guess("13.5", 20, 45)
lk.guess("13.5b", 0, 0.5)

# %%
courses = [
    [float(x) for x in line["course"].split()] for line in lines if (line["strategy"], line["epochs"]) == ("head", "10")
]


def pruned_search(order, first):
    """(share of the epochs that were trained, points lost against training all to the end)"""
    finished, spent = [], 0
    for course in order:
        for epoch in range(10):
            spent += 1
            better = [other[epoch] for other in finished] if len(finished) >= 5 and first <= epoch + 1 < 10 else []
            if better and max(course[: epoch + 1]) < statistics.median(better):
                break
        else:
            finished.append(course)
    best = max(course[-1] for course in order)
    return spent / (10 * len(order)), 100 * (best - max(course[-1] for course in finished))


pruned = {}
for first in (1, 3, 5):
    results = [pruned_search(random.Random(n).sample(courses, 30), first) for n in range(200)]
    spent, lost = pruned[first] = tuple(statistics.fmean(column) for column in zip(*results, strict=True))
    print(
        tr(f"从第 {first} 轮起剪：", f"pruning from epoch {first}:"),
        f"{spent:.0%}",
        tr(f"赔 {lost:.1f} 点", f"{lost:.1f} points lost"),
    )
lk.scored("13.5", round(100 * (1 - pruned[1][0])))
lk.scored("13.5b", round(pruned[1][1], 1))

# %% [markdown] lang="zh"
# 从第 1 轮起剪，只花不到一半的时间，可是赔掉将近一个点：第 1 轮的成绩和最后的几乎没有关系，冲得快的是学习率大的，不一定是好的。从第 3 轮起，省下四分之一，几乎不赔。从第 5 轮起不赔，也没省下多少。**理论 ⑤** 里的“一半”，在这里是三成。
#
# 所以 `lk.search` 走完四分之一才开始剪，而且各自在走完**同样的份额**时比：练 3 轮的和练 10 轮的，到第 3 轮时一个快收尾了，一个学习率还高着，直接比轮数不公平。

# %% [markdown] lang="en"
# Pruning from the first epoch takes less than half of the time and costs almost a point: the score after one epoch has next to nothing to do with the last one, since what starts fast has a high rate and is not always good. From the third epoch a quarter is saved for next to nothing. From the fifth nothing is lost, and little saved. The "halfway" of **theory ⑤** is, here, a third of the way.
#
# Therefore `lk.search` begins to prune after a quarter of a run, and compares trials at the **same share** of their way: in the third epoch, one of 3 epochs is about to end while one of 10 still has a high rate, and to compare epoch by epoch would not be fair.

# %% [markdown] lang="zh"
# ## 6 让机器挑策略：上法庭
#
# > **理论 ⑥** 会给建议的东西都该先考一考：在没有答案的时候，它说不说“说不准”？
#
# `lk.recommend` 先预估每种策略要多少时间和内存，再用短跑在**这份数据上**比，验证行来判，测试行不看；和最好的差不出三个点的里面，挑最便宜的。它有时间限制，所以结果随机器快慢而变（这一格也不比对）。

# %% [markdown] lang="en"
# ## 6 The machine chooses a strategy: a trial in court
#
# > **Theory ⑥** Whatever gives advice should be examined first: where there is no answer, does it say "cannot tell"?
#
# `lk.recommend` first foretells what time and memory each strategy takes, then compares them by short runs **on these very rows**, judged by validation rows, with no look at test rows; of those within three points of the best it takes the cheapest. It has a limit in seconds, so the outcome depends on how fast the machine is (this cell is not compared either).

# %% tags=["nbval-ignore-output"]
print(lk.recommend(few, MODEL, seconds=6, strategies=["head", "top-1"], config=replace(config, epochs=3)))

# %% [markdown] lang="zh"
# 现在是考题。第一份证物：把训练行的标签打乱，文字和标签再没有关系。什么策略都学不到东西，诚实的回答只有一个。第二份：验证行只剩 12 行，谁也判不了。**猜**：它会上当吗？

# %% [markdown] lang="en"
# Now the examination. First exhibit: the labels of the training rows are shuffled, and texts have nothing to do with labels any more. No strategy can learn anything, and there is one honest answer. Second exhibit: only 12 validation rows are left, and nobody can judge by them. **Guess**: will it be taken in?

# %%
lk.guess("13.6", choice="yes")

# %%
labels = [row.target for row in few.train]
random.Random(1).shuffle(labels)
shuffled = replace(few, train=tuple(replace(row, target=label) for row, label in zip(few.train, labels, strict=True)))
named = []
for trick in (shuffled, replace(few, valid=few.valid[:12])):
    advice = lk.recommend(trick, MODEL, seconds=5, strategies=["head", "top-1"], config=replace(config, epochs=2))
    print(advice.strategy or tr("说不准", "cannot tell"))
    named.append(advice.strategy)
lk.scored("13.6", "yes" if any(named) else "no")

# %% [markdown] lang="zh"
# 两次都没有上当。它什么时候会错？短跑只用了默认的学习率和轮数，行数多的时候还只用一部分行；三个点以内它看作一样，你若在乎那一个点，就自己用 `lk.compare` 多跑几个种子。它把没有看的东西列在报告里，请读那一行。
#
# ## 7 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 每问一次花一次训练，答案会抖 | “目前最好”只升不降，所以总好看（1） |
# | ② | 三种搜索各有道理 | 同样 16 次，四十八遍，三种相差不到一个点（2） |
# | ③ | 最好的一个，有一份是运气 | 从 10 次到 40 次，验证再涨，测试几乎不动（3） |
# | ④ | 批大小和学习率是一件事 | 固定学习率时差得多，各配学习率后差得少（4） |
# | ⑤ | 差的可以早停，不能太早 | 第 1 轮就剪，省得多赔得多；第 3 轮起，省四分之一，几乎不赔（5） |
# | ⑥ | 建议要先审 | 没有答案时，它说“说不准”（6） |
#
# 没有告诉你的：这里只调了几个旋钮，旋钮多了，随机和 TPE 的好处才显出来；表里是只训练头的小模型，山是平的，换一座陡的山，结论要重新量；`lk.search` 里 TPE 是默认，不是因为它在这里赢了，而是因为它不吃亏。

# %% [markdown] lang="en"
# It was taken in neither time. When does it err? The short runs take the default rate and epochs, and where rows are many only a part of them; what lies within three points counts as equal, and whoever cares for that one point should run `lk.compare` with more seeds. It lists what it did not look at: read that line.
#
# ## 7 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | each question costs a training, and answers wobble | the best so far never falls, and so always looks good (1) |
# | ② | three ways of searching, each with its reasons | 16 trials each, forty-eight times over: less than a point between them (2) |
# | ③ | a part of every winner is luck | from 10 trials to 40, validation still rises and the test hardly moves (3) |
# | ④ | batch size and rate are one thing | far apart at a fixed rate, much closer when each has its own (4) |
# | ⑤ | poor trials may stop early, but not too early | after epoch 1 it saves much and costs much; from epoch 3 it saves a quarter for next to nothing (5) |
# | ⑥ | examine whoever advises | without an answer, it said "cannot tell" (6) |
#
# What this did not tell: only a few knobs were turned here, and the virtues of random draws and TPE show with many; the table is that of a small model's head, a flat hill, and on a steeper one all has to be measured again; that `lk.search` takes TPE by default is not because it won here but because it lost nothing.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　回到开头那位同事：四十组里最好的 0.79，默认的 0.73，验证集一百行。你请他做哪一件事，再决定要不要恭喜？
#
# <details><summary>展开答案</summary>
#
# 把最好的那组和默认的那组各用五个新种子重做，在没有看过的测试行上成对地比（理论 ③）。一百行的准确率本身就有八个点的误差，四十里挑一，六个点可以全是运气。不要请他“再多搜四十组”：那只会让验证上的数更好看。
#
# </details>

# %% [markdown] lang="zh"
# **二**　显卡大了，批从 16 换成 128，其余不变，成绩掉了四个点。结论“大批大小泛化差”成立吗？
#
# <details><summary>展开答案</summary>
#
# 还不成立。轮数不变，步数只剩八分之一，学习率却没有跟着变：你同时换了两样东西（理论 ④）。先给新的批大小在几个更大的学习率上各练一次，再比各自最好的。
#
# </details>

# %% [markdown] lang="zh"
# **三**　只有二十次训练的预算。你会搜二十组各一个种子，还是搜十组、再拿十次去核实？
#
# <details><summary>展开答案</summary>
#
# 看图：从 10 组到 40 组，测试成绩几乎不涨（理论 ③），所以后十组买不到什么；而不核实，你连有没有变好都不知道。搜十组，最好的和默认的各五个新种子。剪枝还能让十组便宜四分之一（理论 ⑤）。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** Back to the colleague of the beginning: best of forty 0.79, default 0.73, a hundred validation rows. Which one thing do you ask him to do before you congratulate?
#
# <details><summary>Open the answer</summary>
#
# Do the best and the default again with five fresh seeds each, and compare them in pairs on test rows that nobody has looked at (theory ③). An accuracy on a hundred rows is uncertain by eight points to begin with, and of forty candidates the best may owe all of six points to luck. Don't ask him to try forty more: that would only make the validation number prettier.
#
# </details>

# %% [markdown] lang="en"
# **Two.** A larger card: the batch goes from 16 to 128, nothing else changes, and the score drops by four points. "Large batches generalise badly." Is that so?
#
# <details><summary>Open the answer</summary>
#
# Not yet. With the same epochs there are an eighth of the steps, and the rate has not followed: two things were changed at once (theory ④). Train the new batch size at a few larger rates first, then compare the best of each.
#
# </details>

# %% [markdown] lang="en"
# **Three.** You can afford twenty trainings. Would you search twenty settings with one seed each, or ten, and spend the other ten on confirming?
#
# <details><summary>Open the answer</summary>
#
# Look at the picture: from 10 settings to 40 the test score hardly rises (theory ③), so the second ten buy little; and without a confirmation you don't even know whether anything got better. Search ten, then the best and the default with five fresh seeds each. Pruning makes the ten cheaper by a quarter (theory ⑤).
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`labkit search 我的.csv --seconds 600 --out 搜索`，读它最后的几句。
# - **练习 13**：亲手写搜索的零件、剪枝、量诅咒的尺子，再设计一个自己的搜索。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: `labkit search mine.csv --seconds 600 --out search`, and read its last sentences.
# - **Exercises 13**: write the parts of a search, pruning and a yardstick for the curse with your own hands, then design a search of your own.
