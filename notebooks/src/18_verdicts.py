# %% [markdown] lang="zh"
# # 18 · 判决
#
# 一门课学完，书架上留下的多是句子：“数据少就冻结”“LoRA 和全量一样好”“批大小要调”。句子好记，也容易走样。这本笔记把这门课所出自的两篇文章里的说法一条一条请上法庭：谁说的不论，只问**量过没有，量出多少，差多少种子就会翻案**。
#
# 法庭有四条规矩。原告说的话，要先改写成可以输的样子；证据是训练记录，不是名气；判决有五种，其中一种叫“不知道”；谁都可以上诉，只要带来新的行、新的种子。
#
# **做完以后，你能够**
#
# 1. 读一张判决表：说法、实验、效果和区间、种子、判决；
# 2. 从一个区间读出“更好”“更差”“不知道”，不把“不知道”说成“一样”；
# 3. 知道一次判七十多条，有几条会是碰巧，并用 Holm 的办法扣掉；
# 4. 把其中合适的说法拿到**自己的**数据上重判；
# 5. 写一份别人驳不倒的判决。
#
# **怎么读**：02、08 是前提，别的读过越多越有意思；大约四十分钟，运行不到半分钟。

# %% [markdown] lang="en"
# # 18 · The verdicts
#
# What stays on the shelf after a course are mostly sentences: "few rows, so freeze", "LoRA is as good as full", "the batch size needs tuning". Sentences are easy to keep, and they warp. This notebook brings the claims of the two articles that this course grew from to court, one after the other. Who said it does not matter; what matters is **whether it was measured, what came out, and how many seeds it would take to overturn it**.
#
# The court has four rules. A claim is first put into words in which it can lose. Evidence is a record of training, not a good name. There are five verdicts, and one of them is "unknown". And anybody may appeal, who brings new rows or new seeds.
#
# **At the end you will be able to**
#
# 1. read a table of verdicts: claim, experiment, effect with interval, seeds, verdict;
# 2. read "better", "worse" or "unknown" from an interval, and not call "unknown" equal;
# 3. say how many of seventy-odd verdicts may be luck, and take that off by Holm's method;
# 4. try those that fit on rows of **your own**;
# 5. write a verdict that nobody can knock over.
#
# **How to read it.** Notebooks 02 and 08 are taken for granted, and the more of the others you have read the better; forty minutes, of which half a minute is computing.

# %% tags=["setup"]
LANG = "zh"

import random
import statistics
from dataclasses import replace

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 1 卷宗
#
# > **理论 ①** 判决有五种：成立，看情况，不成立，不知道，还没量。少了后两种，就只剩吵架。
#
# 表是随包的一个文件（`claims.toml`），一条一行。数字从哪里来，每行都写着：随包的训练记录（`lk.runs`，判决当场算得出来）、某本笔记的参考值、实验日志 `docs/LOG.md` 里的一句、或者那一节当面数出来的东西。没有量过区间的，写“不知道”，不编。
#
# **猜**：这七十多条里，不带条件、直接“成立”的有几条？
#
# （这一格里先放着我们的猜测，好让笔记从头跑到尾。换成你自己的两个数再运行，才记在你的账上；锁定之后不能改，揭晓以后记分。）

# %% [markdown] lang="en"
# ## 1 The files
#
# > **Theory ①** There are five verdicts: holds, holds if, fails, unknown, not yet. Without the last two there is only quarrelling.
#
# The table is a file of the package (`claims.toml`), a line a claim. Each says where its figures come from: runs that came with labkit (`lk.runs`; the verdict can be worked out on the spot), the references of a notebook, a sentence in the log `docs/LOG.md`, or something that the section counts before your eyes. Where no interval was measured it says "unknown"; nothing is made up.
#
# **Guess**: of these seventy-odd claims, how many hold outright, without a condition?
#
# (The cell holds a guess of ours, so that the notebook runs from top to bottom. Put two numbers of your own and run it: then it is kept in your name, locked, and scored when the result comes.)

# %%
lk.guess("18.1", 15, 30)

# %%
court = lk.claims()
print(court.summary())
lk.scored("18.1", court.count()["holds"])

# %%
court

# %% [markdown] lang="zh"
# **读表**：一组一组折着，点标题收起。先看“条件”这一列：说法多半不是对错，是**少了半句**。“全量比只训练头准”要加“行数够的时候”；“省内存就累积梯度”要加“按行数加权”。再看“效果”：有的有区间，有的写着“区间：不知道”，那样的“看情况”要打折读。最后一列是课里的地方：第一个数是笔记，第二个是节。
#
# ## 2 一个区间怎么读
#
# > **理论 ②** 区间整个在 0 的一边，才说更好或更差；跨着 0，就是不知道。
#
# 把以百分点计、又有区间的说法画在一起，横线是 95 % 区间，虚线是“没有差别”。**猜**：几条横线碰到虚线？

# %% [markdown] lang="en"
# **Reading it**: the groups fold at their titles. Look at what verdicts depend on: most claims are not so much wrong as **short of half a sentence**. "Full is more accurate than the head alone" wants "where there are rows enough"; "short of memory, accumulate" wants "weighted by rows". Then the effects: some have an interval, some say "interval unknown", and of those a "holds if" is to be read at a discount. The last column is the place in the course: notebook, then section.
#
# ## 2 How to read an interval
#
# > **Theory ②** Only where an interval lies on one side of 0 one says better or worse; across 0 it is unknown.
#
# Draw the claims in points that have an interval: bars are 95 % intervals, the dotted line is "no difference". **Guess**: how many bars touch the line?

# %%
lk.guess("18.2", 3, 7)

# %%
drawn = [claim for claim in court if claim.low is not None and claim.unit[1].startswith("points")]
fig, axes = lk.plots.figure(7.4, 0.8 + 0.32 * len(drawn))
for y, claim in enumerate(reversed(drawn)):
    sides = [[claim.effect - claim.low], [claim.high - claim.effect]]
    colour = "#888888" if claim.low <= 0 <= claim.high else "#4477aa"
    axes.errorbar(claim.effect, y, xerr=sides, fmt="o", capsize=3, color=colour)
axes.axvline(0, color="#ee6677", ls=":")
axes.set_yticks(range(len(drawn)), [claim.id for claim in reversed(drawn)])
axes.set(
    title=tr("有区间的效果", "Effects with an interval"), xlabel=tr("百分点", "points"), ylabel=tr("说法", "claim")
)
fig

# %%
touching = [claim.id for claim in drawn if claim.low <= 0 <= claim.high]
print(*touching)
lk.scored("18.2", len(touching))

# %% [markdown] lang="zh"
# **读图**：灰的跨着 0，一律是“不知道”或“看情况”。蓝的不必都是“成立”：`ner-head`（只训练头就够）整条在 0 以下，是**不成立**；`qa-words` 整条在 0 以上，说的却是“见过的说法高出这么多”，所以也不成立。区间只说差多少，不说谁对；**说法是怎么写的，判决就怎么读**。
#
# 宽度也要看。命名实体那几条只有三个种子，仍然站得住，因为效果大；冻结的几条有八个种子，还是灰的，因为效果小。种子不是越多越显著，是越多越**窄**。
#
# ## 3 “不知道”和“一样”
#
# > **理论 ③** 分不出高下，不等于一样。要说“一样”，得先说多少算差，再看区间装不装得下。
#
# 打开两条灰线背后的记录：40 行，只训练头和全量，八个种子。说“冻结不吃亏”，先要答一个问题：吃几个点算亏？亏的上限是区间的下端。**猜**：至少要容忍几个点，才能说“不吃亏”？

# %% [markdown] lang="en"
# **Reading it**: grey crosses 0, and is "unknown" or "holds if". Blue need not hold: `ner-head` (the head alone is enough) lies below 0 as a whole and **fails**; `qa-words` lies above 0, but what it says is by how much the known wordings lead, and so it fails too. An interval says how far apart, not who is right: **read a verdict by the words of its claim**.
#
# Mind the widths as well. The claims on named entities have only three seeds and stand, because the effects are large; those on freezing have eight and are grey, because the effects are small. More seeds don't make things significant, they make them **narrow**.
#
# ## 3 "Unknown" and "equal"
#
# > **Theory ③** Not told apart is not the same as equal. To say "equal", first say how much is a difference, then see whether the interval stays within it.
#
# Open the runs behind two of the grey lines: 40 rows, the head alone and full, eight seeds. "Freezing loses nothing" wants an answer first: how many points are a loss? The most that can be lost is the lower end of the interval. **Guess**: how many points must one be ready to lose, at least, to say that nothing is lost?

# %%
lk.guess("18.3", 2, 5)

# %%
runs = lk.runs("02-rows")
every = [*runs, *runs.beside]
found = lk.verdict(every, "head 40", "full 40")
print(found)
for margin in (1, 3, 5):
    said = found.low > -margin / 100
    print(tr(f"容忍 {margin} 个点：", f"ready to lose {margin}: "), tr("不吃亏", "nothing lost") if said else "?")
lk.scored("18.3", round(-100 * found.low, 1))

# %% [markdown] lang="zh"
# 同样的八次训练，容忍五个点的人可以说“不吃亏”，容忍三个点的人只能说“不知道”。两个人都没有错，他们的**问题**不同。坏的写法是不说容忍多少，把灰线写成“基本持平”。
#
# 医学里把这叫非劣效试验，容忍的量要在开庭之前写下。开庭之后再选，总能选出一个合适的。
#
# ## 4 判了这么多条，有几条是碰巧？
#
# > **理论 ④** 每条有 5 % 的机会冤枉无辜，判二十条，至少冤枉一次的机会过半。
#
# 摆一个假法庭：二十条说法，其实全都没有差别，每条照 95 % 的规矩判。开庭一千次。**猜**：至少有一条被判“有差别”的，占几成？

# %% [markdown] lang="en"
# With the same eight runs, whoever is ready to lose five points may say "nothing lost", and whoever allows three has to say "unknown". Neither is wrong; their **questions** differ. What is bad is to leave the allowance out and to write the grey line down as "about the same".
#
# Medicine calls this a non-inferiority trial, and the allowance is written down before the court sits. Chosen afterwards, one that suits can always be found.
#
# ## 4 So many verdicts: how many are luck?
#
# > **Theory ④** Each has a chance of 5 % to condemn the innocent; with twenty, the chance of at least one is more than even.
#
# Set up a sham court: twenty claims, in truth without any difference, each judged by the 95 % rule. Let it sit a thousand times. **Guess**: in what share of the sittings is at least one found different?

# %%
lk.guess("18.4", 0.5, 0.75)

# %%
rng = random.Random(0)
sittings = [[abs(rng.gauss(0, 1)) > 1.96 for _ in range(20)] for _ in range(1000)]
expect = lk.expect("18")
expect("sham", statistics.fmean(any(found) for found in sittings), guess="18.4")

# %% [markdown] lang="zh"
# 六成多。一个一个看都守规矩，放在一起就不守了。最老实的补救是 **Bonferroni**：判 m 条，每条用 0.05 / m。**Holm** 更省：把 p 值从小到大排，最小的比 0.05 / m，下一个比 0.05 / (m − 1)……第一个不过的，和它后面的，全都不过。它同样保证“至少冤枉一次”不超过 5 %，却从不比 Bonferroni 少判。
#
# 区间可以换算成 p 值（近似地）：效果除以标准误，标准误是区间一半的 1.96 分之一。拿第 2 节的蓝线来扣。**猜**：扣完以后，几条蓝线变灰？

# %% [markdown] lang="en"
# More than six in ten. Each keeps the rule by itself, and together they don't. The plainest remedy is **Bonferroni**: for m claims judge each at 0.05 / m. **Holm** is thriftier: put the p values in order, hold the smallest against 0.05 / m, the next against 0.05 / (m − 1), and so on; the first that does not pass, and all behind it, don't. It keeps "at least one innocent condemned" below 5 % just as well, and never finds less than Bonferroni.
#
# An interval can be turned into a p value, about: effect divided by standard error, which is half of the interval divided by 1.96. Apply it to the blue bars of section 2. **Guess**: how many of them turn grey?

# %%
lk.guess("18.4b", 0, 3)

# %%
from statistics import NormalDist


def p_value(claim):
    error = (claim.high - claim.low) / 2 / 1.96
    return 2 * (1 - NormalDist().cdf(abs(claim.effect) / error))


ranked = sorted(drawn, key=p_value)
passing = []
for place, claim in enumerate(ranked):
    if p_value(claim) > 0.05 / (len(ranked) - place):
        break
    passing.append(claim.id)
grey = [claim.id for claim in drawn if claim.id not in passing and claim.id not in touching]
print(len(ranked), len(passing), *grey)
lk.scored("18.4b", len(grey))

# %% [markdown] lang="zh"
# **读结果**：变灰的是勉强站住的那一条（或几条），效果大的一条也没动。所以“全量比只训练头准”在这张表里写的是“看情况”，而不是“成立”：它单独看刚好过线，和别的一起看就不过了。要不要扣，看你怎样用这张表：只问一条，不用扣；从七十多条里**挑**出最好看的一条去说，非扣不可。
#
# ## 5 你的法庭
#
# > **理论 ⑤** 别人的判决是线索，自己的数据才是案子。
#
# 表里有十来条能自动重判：它们比的是两种策略，或一种策略和 TF-IDF。`lk.claims(corpus=...)` 在你的行上按种子一轮一轮地练，到时间为止，用同样的判定，把你的判决放在我们的旁边。这里只给几秒、几十行，所以多半会判“不知道”，这正是几秒钟该有的回答（时间决定跑到哪里，这一格不比对）。

# %% [markdown] lang="en"
# **Reading it**: what turns grey is the one (or the few) that only just stood; of the large effects none moved. This is why "full is more accurate than the head alone" reads "holds if" in the table and not "holds": by itself it just passes, together with the others it does not. Whether to take it off depends on how you use the table: for one question, no; to **pick** the prettiest of seventy-odd and tell it, by all means.
#
# ## 5 A court of your own
#
# > **Theory ⑤** Other people's verdicts are a lead; the case is your data.
#
# Some dozen claims of the table can be judged anew by themselves: those that compare two strategies, or one with TF-IDF. `lk.claims(corpus=...)` trains on your rows, a seed after the other until the time is up, judges in the same way, and puts your verdicts beside ours. Here it gets a few seconds and a few dozen rows, so it will mostly say "unknown", which is the right answer for a few seconds (how far it gets depends on the machine; this cell is not compared).

# %% tags=["nbval-ignore-output"]
MODEL, DEVICE = lk.equipment()
whole = lk.reviews()
mine = replace(whole.limit(60), test=whole.test[:120], valid=whole.valid[:40])
config = lk.TrainConfig(max_length=48, device=DEVICE, precision="fp32")
tried = lk.claims(corpus=mine, model=MODEL, seconds=8, config=config)
print(*tried.told(), sep="\n")

# %% [markdown] lang="zh"
# **动手**：换成 `lk.load_csv("我的评论.csv")`，给十分钟；或写 `model="bert-base-chinese"`，看哪几条在一百倍大的模型上还站得住，这是我们没有量过的一条（`full-size`）。
#
# ## 6 上诉要多少种子？
#
# > **理论 ⑥** 区间的一半随种子数的平方根缩；要窄一半，得四倍。
#
# 第 3 节的案子，区间每边三个多点。想要每边两个点，假定其余不变，误差全随种子数的平方根缩。**猜**：要几个种子？

# %% [markdown] lang="en"
# **Try it**: put `lk.load_csv("my_reviews.csv")`, and give it ten minutes; or write `model="bert-base-chinese"`, and see which of them still stand for a model a hundred times as large, which is one that we have not measured (`full-size`).
#
# ## 6 How many seeds for an appeal?
#
# > **Theory ⑥** Half of an interval shrinks with the square root of the seeds: half as wide takes four times as many.
#
# In the case of section 3 the interval has more than three points to each side. Let it be two, all else being equal and all of the error shrinking with the root of the seeds. **Guess**: how many seeds does that take?

# %%
lk.guess("18.6", 12, 30)

# %%
half = 100 * (found.high - found.low) / 2
seeds = found.seeds * (half / 2) ** 2
expect("half", half)
lk.scored("18.6", round(seeds))

# %% [markdown] lang="zh"
# 二十来个，一分钟多就练得完：便宜的上诉。可是这是乐观的算法：误差里还有测试行的一份，种子再多也不缩（笔记 08 第 2 节），199 行测试本身就有好几个点。想再窄，要换更多的测试行。
#
# ## 7 写一份判决
#
# 一份驳不倒的判决有五句，一句也不能少：
#
# 1. **说法**，写成可以输的样子：“160 行以内，只训练头比全量至多差两个点。”
# 2. **实验**：模型、数据、每边用自己的学习率、几个种子、同样的测试行。
# 3. **效果**连同区间，单位写清。
# 4. **判决**，五种之一；“看情况”要写清什么情况。
# 5. **没有量的**：别的模型、别的领域、更多的行。
#
# 练习 18 的最后一题就是写它。现在看看你自己：这门课里你锁定过的猜测，守住了几个？

# %% [markdown] lang="en"
# Twenty or so, which train in little more than a minute: a cheap appeal. Yet it is an optimist's sum: part of the error belongs to the test rows and does not shrink with seeds (notebook 08, section 2), and 199 test rows are worth several points by themselves. To go further takes more test rows.
#
# ## 7 Writing a verdict
#
# A verdict that cannot be knocked over has five sentences, and none may be missing:
#
# 1. **the claim**, in words in which it can lose: "With up to 160 rows the head alone is at most two points behind full."
# 2. **the experiment**: model, data, each side at its own rate, seeds, the same test rows.
# 3. **the effect** with its interval, and the unit.
# 4. **the verdict**, one of five; a "holds if" says if what.
# 5. **what was not measured**: other models, other fields, more rows.
#
# The last of exercises 18 is to write one. And now look at yourself: of the guesses that you locked in this course, how many held?

# %% tags=["nbval-ignore-output"]
print(lk.progress().exercises().splitlines()[0])
lk.progress()

# %% [markdown] lang="zh"
# 锁定过五个以上，表里就有你的校准：说“八成把握”的区间，守住的比例在不在八成附近；哪本笔记里你过于自信。这和笔记 08 第 5 节给模型画的是同一张图，只是这回画的是你。
#
# ## 8 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 判决有五种 | 七十多条，直接成立的只占三成左右（1） |
# | ② | 区间在 0 的一边才判 | 灰线和蓝线；蓝线也可以是“不成立”（2） |
# | ③ | 分不出，不等于一样 | 同样的记录，容忍五个点和三个点，两种判决（3） |
# | ④ | 判得多，冤枉就多 | 二十条无辜的，六成多的庭上有人被冤枉（4） |
# | ⑤ | 自己的数据才是案子 | 几秒钟的法庭，多半说“不知道”（5） |
# | ⑥ | 窄一半，四倍种子 | 从每边三个多点到两个点，二十来个（6） |
#
# 没有告诉你的：这张表里的判决，几乎都来自一个 4 层的小模型和中文的短评论；“成立”的意思是“在这里成立”。写着“还没量”的，随着课里的新任务会补上。

# %% [markdown] lang="en"
# With five or more locked, the table has your own calibration: whether intervals of "80 % sure" hold in about 80 % of cases, and in which notebooks you are over-confident. It is the picture that notebook 08 drew of a model in section 5, and this time it is of you.
#
# ## 8 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | there are five verdicts | seventy-odd claims, of which about three in ten hold outright (1) |
# | ② | judge only where the interval is on one side of 0 | grey bars and blue ones; a blue one may fail as well (2) |
# | ③ | not told apart is not equal | the same runs, two verdicts with an allowance of five points and of three (3) |
# | ④ | many verdicts condemn more innocents | of twenty, somebody is condemned in more than six sittings of ten (4) |
# | ⑤ | the case is your data | a court of a few seconds mostly says "unknown" (5) |
# | ⑥ | half as wide, four times the seeds | from more than three points to two: twenty or so (6) |
#
# What this did not tell: nearly all verdicts of the table come from one small model of 4 layers and short Chinese reviews, and "holds" means "holds here". What says "not yet" is filled in as new tasks come into the course.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　论文写道：“我们的方法和全量微调持平（p = 0.4）。”错在哪里？
#
# <details><summary>展开答案</summary>
#
# p = 0.4 是“看不出差别”，不是“持平”（理论 ③）。持平要先写明容忍多少，再给出差值的区间，看整个区间在不在容忍之内。三个种子、两百行测试，什么方法都能和什么方法“p = 0.4”。
#
# </details>

# %% [markdown] lang="zh"
# **二**　你比了十二种策略，最好的一种比全量高 1.8 个点，区间 +0.2 到 +3.4。可以宣布吗？
#
# <details><summary>展开答案</summary>
#
# 单看一对，过线；可它是十一对里挑出来的（理论 ④）。区间一半 1.6，标准误 0.82，z = 2.2，p ≈ 0.03；Holm 的第一关是 0.05 / 11 ≈ 0.005，不过。该做的是：用新种子、没看过的行，只重比这一对，那时就不用扣了。
#
# </details>

# %% [markdown] lang="zh"
# **三**　表上写着“指令微调用 LoRA 就够：不成立”。同事在他的 7B 模型上看见 LoRA 一点也不差。谁错了？
#
# <details><summary>展开答案</summary>
#
# 谁也没错。我们的判决是“在随包的小 GPT 上，1,000 条指令，默认的学习率，差二十五个点”。模型大几千倍，低秩的改动够不够用是另一个案子（理论 ⑤）。连我们自己的表里，换一个任务就翻了案：分类、160 行时，LoRA 不比全量差。判决要连同它的范围一起引用；把它当成定律，是引用的人错了。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A paper says: "Our method is on a par with full fine-tuning (p = 0.4)." What is wrong?
#
# <details><summary>Open the answer</summary>
#
# p = 0.4 says that no difference was seen, not that there is none (theory ③). "On a par" wants an allowance, written down first, and an interval of the difference that lies within it. With three seeds and two hundred test rows, anything has "p = 0.4" against anything.
#
# </details>

# %% [markdown] lang="en"
# **Two.** Of twelve strategies the best is 1.8 points above full, with an interval of +0.2 to +3.4. May you announce it?
#
# <details><summary>Open the answer</summary>
#
# As a single pair it passes; but it was picked out of eleven (theory ④). Half of the interval is 1.6, the standard error 0.82, z = 2.2 and p ≈ 0.03; Holm's first bar is 0.05 / 11 ≈ 0.005, and it does not pass. What to do: compare just this pair again, with fresh seeds and on rows that nobody looked at; then nothing has to be taken off.
#
# </details>

# %% [markdown] lang="en"
# **Three.** The table says that "LoRA is enough for supervised fine-tuning" fails. A colleague finds LoRA no worse at all on a 7B model. Who is wrong?
#
# <details><summary>Open the answer</summary>
#
# Neither. Our verdict is: "with the packaged small GPT, 1,000 instructions and the default rate, twenty-five points behind". Whether a change of low rank is enough in a model that is thousands of times larger is another case (theory ⑤). Even in our own table another task overturns it: in classification with 160 rows LoRA is no worse than full. A verdict is quoted together with its scope; who takes it for a law of nature has quoted it wrongly.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`lk.claims(corpus=lk.load_csv("我的.csv"), seconds=600)`。
# - **练习 18**：亲手读区间、判“一样”、写 Holm、把一个说法拿到一份 CSV 上判，最后写一份判决。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: `lk.claims(corpus=lk.load_csv("mine.csv"), seconds=600)`.
# - **Exercises 18**: read an interval, judge "equal", write Holm, try a claim on a CSV, and in the end write a verdict.
