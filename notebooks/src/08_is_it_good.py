# %% [markdown] lang="zh"
# # 08 · 它好吗？
#
# 一位面馆老板请你替他挑一位读评论的帮手：每天几百条评论，把差评挑出来。两位应聘的，一位说“我答对八成”，一位说“我答对九成四”。你会请谁？
#
# 后一位的办法是：一律说“好评”。那天的评论里，差评本来就只有百分之六。
#
# 一个数说不清一个模型好不好。前面七本笔记教你练出一个模型，这一本教你**审**它：那个数是从哪些行来的？换一批行还在不在？它说“九成把握”时，真有九成吗？哪些行它总是错？还有最要紧的一问：它答对，是因为读懂了，还是因为走了捷径？
#
# **做完以后，你能够**
#
# 1. 说清准确率什么时候会骗人，用 macro-F1 和混淆矩阵看穿它；
# 2. 给任何成绩配上区间，算出“要看清两个百分点，得有多少行”；
# 3. 在同样的行上比较两个模型，说出“优于”或“分不出高下”；
# 4. 读损失最大的行，从中找出标错的标签；
# 5. 画校准图，量校准误差，用一个数修好过度自信；
# 6. 把没训练过的行切片来看，又不上“切多了总有一片难看”的当；
# 7. 埋一个偏见，看着测试成绩夸它，再用反事实把它揪出来，修好。
#
# **怎么读**：做过笔记 01、02 就够了，大约 45 分钟。每一格之前有一个问题，先把答案写在纸上，再运行。

# %% [markdown] lang="en"
# # 08 · Is it good?
#
# The owner of a noodle shop asks you to find someone who reads reviews: several hundred a day, and the bad ones are to be picked out. Two apply. One says "I am right in eight cases of ten", the other "in ninety-four of a hundred". Whom do you take?
#
# The second one's method is to say "good" every time. Only six reviews in a hundred were bad that day.
#
# One number does not tell whether a model is good. Seven notebooks taught you to make one; this one teaches you to **audit** it. From which rows does that number come? Would it be there on other rows? When the model says "ninety per cent sure", is it right in ninety per cent? On which rows is it always wrong? And the question that matters most: is it right because it has understood, or because it found a short cut?
#
# **At the end you will be able to**
#
# 1. say when accuracy deceives, and see through it with macro-F1 and the confusion matrix;
# 2. give an interval to any score, and work out how many rows it takes to see two points;
# 3. compare two models on the same rows, and say "better" or "inside the noise";
# 4. read the rows with the highest loss, and find wrong labels among them;
# 5. draw a reliability diagram, measure the calibration error, and mend overconfidence with a single number;
# 6. cut unseen rows into slices without falling for "cut often enough, and one slice looks bad";
# 7. plant a bias, watch the test score praise it, expose it with counterfactuals, and repair it.
#
# **How to read it.** Notebooks 01 and 02 are enough; it takes about 45 minutes. A question stands before each cell: write your answer down first, then run. The reviews are Chinese; where one has to be read, its meaning in English stands beside it.

# %% tags=["setup"]
LANG = "zh"

import random
from dataclasses import replace

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 被审的模型：400 行训练，放开顶部两层，练六轮。六轮稍多了一点，是有意的，第 5 节会看到为什么。测试集 360 行，好评差评各半，训练和选设置都没有碰过它；它只用来打分，一行也不读。要读错句、要切片，另外留两份没有训练过的行：`reading` 360 行，随便看；`later` 499 行，先锁着，留给第 6 节。

# %% [markdown] lang="en"
# The model on trial has 400 training rows, its top two layers free, and six epochs. Six is a little too many; that is on purpose, as section 5 will show. The test set has 360 rows, half of them good and half bad, and neither training nor any choice of settings has touched it; it is for scoring, and no row of it gets read. For reading mistakes and for slices two more sets are kept out of training: `reading`, 360 rows to look at as you like, and `later`, 499 rows that stay locked until section 6.

# %%
MODEL, DEVICE = lk.equipment()
corpus = lk.reviews().limit(400)
used = {row.input for row in corpus.train}
spare = [row for row in lk.reviews().train if row.input not in used]
random.Random(0).shuffle(spare)
reading, later = spare[:360], spare[360:]
config = lk.TrainConfig(max_length=64, device=DEVICE, precision="fp32")


def fresh():
    return lk.load(MODEL, labels=corpus.labels).to(DEVICE)


# %% [markdown] lang="zh"
# 图里红的，就是要训练的。安全绳照旧：`expect` 先印你的数，再印我们的参考值和范围，出了范围印一个 ✗。范围是五个种子量出来的。

# %% [markdown] lang="en"
# What trains is red in the drawing. The safety rope is the old one: `expect` prints your number, then our reference and its range, and a ✗ outside it. The ranges were measured with five seeds.

# %%
expect = lk.expect("08")
lk.plots.network(fresh(), lk.TopK(2))

# %%
trainer = lk.Trainer(fresh(), corpus, lk.TopK(2), replace(config, epochs=6))
run, model, test = trainer.fit(), trainer.model, corpus.test
logits, truth = map(torch.tensor, trainer.answers("test"))  # an answer is a row of logits
expect("even", run.test_accuracy)

# %% [markdown] lang="zh"
# ## 1 准确率会骗人
#
# > **理论 ①** 准确率是每一行的平均；类别悬殊时，它几乎只说大类的事。
#
# 测试集是一半对一半，街上不是。我们从测试集里摆出“街上的一天”：180 条好评全留下，差评只留 12 条。模型一个参数也没变。**猜**：它的准确率会变多少？“一律说好评”是多少？两者的 macro-F1（先各算各类的 F1，再平均）呢？

# %% [markdown] lang="en"
# ## 1 Accuracy deceives
#
# > **Theory ①** Accuracy is an average over rows; where classes are unequal, it speaks of the large one and of little else.
#
# The test set is half and half; the street is not. Out of the test rows we lay out "a day on the street": all 180 good reviews, and only 12 of the bad. Not a parameter of the model has changed. **Guess**: by how much will its accuracy change? What does "always good" get? And what is the macro-F1 (F1 for each class first, then the mean) of the two?

# %%
lk.guess("08.1", 0.7, 0.85)
lk.guess("08.1b", 0.3, 0.6)

# %%
good = [i for i, row in enumerate(test) if row.target == 1]
bad = [i for i, row in enumerate(test) if row.target == 0]
street = good + bad[:12]
always_good = [[-1.0, 1.0]] * len(street)

honest = corpus.task.score(logits[street].tolist(), truth[street].tolist())
lazy = corpus.task.score(always_good, truth[street].tolist())
expect("street", honest.accuracy)
expect("lazy", lazy.accuracy)
expect("street f1", honest.macro_f1, guess="08.1")
expect("lazy f1", lazy.macro_f1, guess="08.1b")

# %% [markdown] lang="zh"
# 按准确率，懒人赢了十四个百分点；按 macro-F1，他输了。他的差评 F1 是 0，好评 F1 接近 1，平均不到一半：一个没有本事的人，macro-F1 就该在那一带。**再猜**：我们的模型说了“差评”的行里，有几成真是差评？

# %% [markdown] lang="en"
# By accuracy the lazy one wins by fourteen points; by macro-F1 he loses. His F1 is 0 for the bad reviews and nearly 1 for the good, less than a half on average, which is where someone without any skill belongs. **Guess again**: of the rows that our model calls "bad", what share really is?

# %%
lk.guess("08.1d", 0.5, 0.8)

# %%
expect("street precision", honest.parts[0].precision, guess="08.1d")
lk.plots.confusion(honest)

# %% [markdown] lang="zh"
# **读图**：一行一行读。第一行是真的差评，多数被找到了：这是**召回率**。再竖着读第一列，模型说“差评”的那些：真差评混在几倍于它的好评里，这是**精确率**，低得难看。可是模型并没有变坏！在一半对一半的测试集上，这一列十条里有八条是对的。变的是街上的比例：好评多了，误伤的好评也就多了。
#
# 所以**理论 ①** 要加上半句：macro-F1 不受懒人的骗，但它和准确率一样，是“模型加上这批行”的成绩。换了比例，先摆一个同样比例的测试集再说话。老板要的究竟是什么，也要先问：少漏（召回率），还是少误伤（精确率）？没有一个数能替他回答。

# %% [markdown] lang="en"
# **Reading it**: line by line first. The first line holds the reviews that are really bad, and most of them were found: that is **recall**. Now read down the first column, the rows that the model calls bad: the truly bad ones stand among several times as many good ones. That is **precision**, and it looks poor. And yet the model has not got any worse! On the half-and-half test set, eight of ten in this column are right. What has changed is the street: with more good reviews, more of them are hit by mistake.
#
# So **theory ①** needs another half sentence: macro-F1 is not taken in by the lazy one, but like accuracy it is the score of "the model and these rows". Where the shares are different, lay out a test set with those shares before you speak. And ask the owner what he wants: to miss few (recall), or to accuse few wrongly (precision)? No number can answer that for him.

# %% [markdown] lang="zh"
# **两类以上**　到这里都只有两类。每条评论还记着它说的是哪个领域，一共六个：同样的行，换成六类的题，头就有六行，瞎猜的损失从 ln 2 变成 ln 6 ≈ 1.79，其余一个字也不用改。**猜**：只训练头，六类里答对几成？瞎猜是六分之一。哪两类最容易混？

# %% [markdown] lang="en"
# **More than two classes**  So far there were two. Each review also remembers which of six domains it speaks of. Same rows, another question: the head gets six rows, the loss of guessing goes from ln 2 to ln 6 ≈ 1.79, and not a word of the rest changes. **Guess**: with the head alone, how many of the six-way answers are right? Guessing gives one in six. And which two classes are confused most?

# %%
lk.guess("08.1c", 0.4, 0.7)

# %%
DOMAINS = {"book": tr("书", "book"), "clothes": tr("衣服", "clothes"), "film": tr("影评", "film")}
DOMAINS |= {"hotel": tr("酒店", "hotel"), "phone": tr("手机", "phone"), "takeaway": tr("外卖", "takeaway")}


def by_domain(rows):
    return tuple(replace(row, target=[*DOMAINS].index(row.extra["domain"])) for row in rows)


splits = {name: by_domain(rows) for name, rows in corpus.splits.items()}
six = replace(corpus, name="domain", task=lk.tasks.Classification(labels=tuple(DOMAINS.values())), **splits)
six_model = lk.load(MODEL, labels=six.labels).to(DEVICE)
six_run = lk.Trainer(six_model, six, lk.HeadOnly(), replace(config, epochs=10)).fit()
six_rival = lk.baseline(six)
expect("six", six_run.test_accuracy, guess="08.1c")
expect("six f1", six_run.test_macro_f1)
expect("six tf-idf", six_rival.test_accuracy)
print(str(lk.verdict([six_run, six_rival], "head", "tf-idf")).split(tr("：", ":"))[0])

# %%
lk.plots.confusion(six_run.test)

# %% [markdown] lang="zh"
# **读图**：一行是一个真的领域。对角线以外最重的一格，在我们这里是影评当成了书：都谈剧情；其次是手机和外卖当成酒店：都谈服务。六类里对五成六，瞎猜是一成七；macro-F1 差不多，因为六类一样多。可是旁边的 TF-IDF 对了六成四，而且**判定**说它真的更好：说的是什么，常常就写在一两个字上（“房间”“剧情”“屏幕”），数字词就够了；冻结的特征在这里帮不上忙。模型大，不等于每道题都该用它：先跑基线，再看要不要微调。

# %% [markdown] lang="en"
# **Reading it**: a row is a true domain; the heaviest square off the diagonal, with us, is films taken for books, as both speak of plots; then come phones and takeaways taken for hotels, as all speak of service. The head is right in 56 of a hundred where guessing gives 17; macro-F1 says much the same, as all six are equally many. But TF-IDF beside it is right in 64, and the **verdict** says that it really is better. What a review is about often stands in a word or two ("room", "plot", "screen"), and counting words is enough; frozen features don't help here. A large model is not called for by every question: the baseline first, then see whether fine-tuning is worth it.

# %% [markdown] lang="zh"
# ## 2 这个数有多稳？
#
# > **理论 ②** 一个成绩是一次抽样；误差随行数的平方根缩小：要减半，得四倍的行。
#
# 准确率约 0.8，是这 360 行的。换 360 行呢？我们没有别的行，但可以**自助抽样**：从这 360 行里有放回地抽，抽出许多“可能的测试集”，看成绩晃多少。**猜**：360 行的成绩，95 % 的区间每边有几个百分点？只有 20 行呢？要晃得不超过两个百分点，需要多少行？

# %% [markdown] lang="en"
# ## 2 How steady is that number?
#
# > **Theory ②** A score is one draw of a lot; its error shrinks with the square root of the rows: half the error takes four times the rows.
#
# The accuracy of about 0.8 belongs to these 360 rows. And on 360 others? We have no others, but there is the **bootstrap**: draw from the 360 with putting back, make many "test sets that might have been", and see how the score wobbles. **Guess**: how many points has the 95 % interval to each side with 360 rows? With 20? And how many rows keep the wobble within two points?

# %%
lk.guess("08.2", 1, 3)

# %%
torch.manual_seed(0)
right = (logits.argmax(-1) == truth).float()


def wobble(n):
    draws = torch.randint(len(right), (2000, n))
    return 196 * right[draws].mean(1).std().item()


expect("half", wobble(360), guess="08.2")

# %%
sizes, many = (20, 45, 90, 180, 360), torch.logspace(1.2, 4, 50)
share = right.mean()
fig, axes = lk.plots.figure(6.4, 3.4)
axes.loglog(many, 196 * (share * (1 - share) / many).sqrt(), color="#888888", label=tr("公式", "formula"))
axes.loglog(sizes, [wobble(n) for n in sizes], "o", color="#4477aa", label=tr("抽出来的", "drawn"))
axes.axhline(2, color="#ee6677", ls="--", label=tr("两个百分点", "two points"))
axes.set_xticks([20, 90, 360, 1500, 6000], ["20", "90", "360", "1,500", "6,000"], minor=False)
axes.set_yticks([1, 2, 4, 10, 20], ["1", "2", "4", "10", "20"], minor=False)
axes.minorticks_off()
axes.set(title=tr("一个成绩晃多少", "How a score wobbles"), xlabel=tr("测试行数（对数轴）", "test rows (log axis)"))
axes.set_ylabel(tr("95 % 区间每边（百分点）", "95 % to each side (points)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：两根轴都是对数的，所以平方根成了一条直线。灰线是公式 $1.96\sqrt{p(1-p)/n}$，蓝点是抽出来的，落在线上：公式不是信条，抽一抽就有。20 行，每边十七个点，等于没考；360 行，每边四个点；要两个点，得一千五百行，**四倍的行，减半的晃**。
#
# 这是一个模型的成绩。两个模型比呢？设真本事是 0.80 和 0.82，各考各的 360 行。**猜**：差的那个考得不比好的低，有多大可能？

# %% [markdown] lang="en"
# **Reading it**: both axes are logarithmic, so that a square root becomes a straight line. Grey is the formula $1.96\sqrt{p(1-p)/n}$; the blue dots were drawn, and they lie on it: the formula is no article of faith, drawing gives the same. With 20 rows there are seventeen points to each side, which is no exam at all; with 360 there are four; for two you need fifteen hundred: **four times the rows, half the wobble**.
#
# That was the score of one model. And a comparison of two? Let their true skill be 0.80 and 0.82, and let each take an exam of 360 rows of its own. **Guess**: what is the chance that the worse one does not score lower?

# %%
lk.guess("08.2b", 0.02, 0.15)

# %%
worse, better = ((torch.rand(10_000, 360) < skill).float().mean(1) for skill in (0.80, 0.82))
expect("luck", (worse >= better).float().mean().item(), guess="08.2b")

# %% [markdown] lang="zh"
# 四次里就有一次，和连掷两次硬币都是正面差不多容易！照这样各考各的，要把两个点看清，每人得三千行，还得碰上不坏的运气。好在有便宜得多的办法：让两个人做**同一张卷子**。

# %% [markdown] lang="en"
# One time in four, as easily as throwing heads twice in a row! With separate exams it would take three thousand rows each to see two points, and no bad luck either. There is a far cheaper way: let the two write **the same paper**.

# %% [markdown] lang="zh"
# ## 3 同一张卷子
#
# > **理论 ③** 在同样的行上比，难易相消；算数的只有一对一错的行。
#
# 对手是只训练头的模型，同样 400 行。**猜**：360 行里，两个模型一个对、一个错的有几成？另外那些行，对“谁更好”说了什么？

# %% [markdown] lang="en"
# ## 3 The same paper
#
# > **Theory ③** On the same rows, easy and hard cancel; only rows on which one is right and the other wrong count.
#
# The rival had only its head trained, on the same 400 rows. **Guess**: on what share of the 360 rows is just one of the two right? And what do the other rows say about who is better?

# %%
lk.guess("08.3", 0.1, 0.3)

# %%
rival = lk.Trainer(fresh(), corpus, lk.HeadOnly(), replace(config, epochs=10))
rival_run = rival.fit()
other = (torch.tensor(rival.answers("test")[0]).argmax(-1) == truth).float()
split = (right != other).float().mean().item()
expect("split", split, guess="08.3")

# %% [markdown] lang="zh"
# 八成多的行，两个都对或者都错，一个字也没说。现在用两种办法重抽：**各抽各的**，当作两场考试；**成对地抽**，同一批行给两个人。**猜**：区间窄多少？（下面记的是成对的：每边几个点。）

# %% [markdown] lang="en"
# On more than eight rows of ten both are right or both are wrong, and these say nothing. Now draw anew in two ways: **apart**, as if there had been two exams, and **in pairs**, the same rows for both. **Guess**: how much narrower is the interval? (Kept below is the paired one: points to each side.)

# %%
lk.guess("08.3b", 3, 6)

# %%
draws, others = torch.randint(len(test), (2, 2000, len(test)))
apart = 100 * (right[draws].mean(1) - other[others].mean(1))
paired = 100 * (right - other)[draws].mean(1)
expect("apart", 1.96 * apart.std().item())
expect("paired", 1.96 * paired.std().item(), guess="08.3b")

# %%
fig, axes = lk.plots.figure(6.4, 3.0)
bins = [(4 * k - 0.5) / 3.6 for k in range(-6, 17)]  # whole rows: four to a bar
axes.hist(apart, bins, color="#888888", alpha=0.5, label=tr("各抽各的", "drawn apart"))
axes.hist(paired, bins, color="#4477aa", alpha=0.6, label=tr("成对地抽", "drawn in pairs"))
axes.axvline(0, color="#ee6677", ls="--")
axes.set(title=tr("顶部两层减只训练头", "Top two layers minus head only"))
axes.set(xlabel=tr("准确率之差（百分点）", "difference in accuracy (points)"), ylabel=tr("抽样次数", "draws"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：两座山的中心是同一个差值，灰的宽，蓝的窄。红线是“没有差别”。看灰山，红线左边还有一小块，不敢说谁好；看蓝山，红线左边只剩一点点。同样的 360 行，没多花一分钱，只是没把难行和易行的运气算两遍，这就是**理论 ③**。
#
# `lk.verdict` 做的正是成对地抽（有几个种子时，连种子的运气一起算）：

# %% [markdown] lang="en"
# **Reading it**: both hills have the same middle, the difference; the grey one is wide, the blue one narrow. The red line is "no difference". With the grey hill, a piece still lies to the left of it, and one would not dare say who is better; with the blue, next to nothing. They are the same 360 rows, and it cost nothing; it merely does not count the luck of easy and hard rows twice. That is **theory ③**.
#
# `lk.verdict` draws in just these pairs (and with several seeds counts the luck of seeds as well):

# %%
verdict = lk.verdict([run, rival_run], "top-2", "head")
print(str(verdict).split(tr("：", ":"))[0])


def rows_needed(points, split):
    return (1.96 / points) ** 2 * (split - points**2)


print(tr("看清两个点至少要：", "to see two points takes at least:"), 1000 < rows_needed(0.02, split) < 2200)

# %% [markdown] lang="zh"
# 差五六个点，360 行看得清。不过请看清判的是谁：是这**两个模型**，各出自一个种子；要说“放开顶部两层”这种**策略**更好，得换几个种子再比（笔记 02）。这样逐行成对的检验，统计书里最有名的一种叫 McNemar 检验。那么差两个点呢？成对比较的方差是“一对一错的占比”减去差值的平方，于是需要的行数如上：在我们这里一千五百行上下，是各考各的一半。而且这只是“恰好够到”：真差两个点时，这么多行也只有一半的机会看见它；想有八成把握，再翻一倍。下次看到论文里“在 500 行上提高了 0.7 个点”，你知道该问什么。
#
# **动手**：`rows_needed(0.005, 0.05)` 是多少？两个很像的模型（一对一错的只有 5 %）容易比，还是难比？

# %% [markdown] lang="en"
# Five or six points can be seen with 360 rows. But mind who was judged: these **two models**, one seed each; to call the **strategy** of two open layers better takes several seeds (notebook 02). Of tests in pairs of rows, the best known in books on statistics is McNemar's. What about two points? The variance of a paired comparison is the share of rows on which just one is right, less the square of the difference, and so the rows needed are as above: some fifteen hundred here, half of what separate exams take. And this is only "just within reach": if the true difference is two points, that many rows give an even chance to see it; for eight chances in ten, double them. When a paper says "0.7 points better on 500 rows", you know what to ask.
#
# **Try it**: what is `rows_needed(0.005, 0.05)`? Are two models that are much alike (just one right on only 5 % of the rows) easy to tell apart, or hard?

# %% [markdown] lang="zh"
# ## 4 读错得最离谱的行
#
# > **理论 ④** 损失最大的几行最值得读：要么模型有盲点，要么标签是错的。
#
# 损失是“给正确答案的概率”的负对数：最离谱的，是模型十拿九稳而答案相反的那些。先看它能不能找出**标错的标签**。我们在 `reading` 里随手改错 12 个（360 行里的 12 行），再读损失最大的 24 行。**猜**：碰运气的话，24 行里会有不到一个。`lk.worst` 能找到几个？

# %% [markdown] lang="en"
# ## 4 Reading the worst rows
#
# > **Theory ④** The rows with the highest loss are the ones to read: either the model has a blind spot, or the label is wrong.
#
# The loss is minus the logarithm of the probability that the true answer got, so the worst rows are those where the model was sure and the answer was the opposite. First see whether it finds **wrong labels**. We turn 12 labels of `reading` around (12 of 360) and read the 24 rows with the highest loss. **Guess**: by luck there would be fewer than one among the 24. How many does `lk.worst` find?

# %%
lk.guess("08.4", 1, 7)

# %%
wrong = random.Random(0).sample(range(len(reading)), 12)
turned = [replace(row, target=1 - row.target) if i in wrong else row for i, row in enumerate(reading)]
planted = {reading[i].input for i in wrong}
expect("planted", sum(x.example.input in planted for x in lk.worst(model, turned, 24, max_length=64)), guess="08.4")

# %% [markdown] lang="zh"
# 读百分之七的行，找回约三分之一的错标，是碰运气的五倍。找不到的那些，模型自己也没把握，或者正好和错标签一样想。真实的数据集里，标错的并不少见：换模型之前，先花半小时读损失最大的一百行。
#
# 现在读标签没动过的 `reading`。测试集不读：读过它的错句再回去改模型，它就成了练习题，锁也就白上了。下面是最离谱的八行：真相、模型说的、它的把握、原文。**猜**：会是什么样的句子？（这一格的次序会随机器略有不同，所以不参与比对。）

# %% [markdown] lang="en"
# Reading seven rows in a hundred brings back about a third of the wrong labels, five times what luck would. On the others the model was unsure itself, or happened to think as the wrong label does. In real data sets wrong labels are no rarity: before you try another model, spend half an hour with the hundred worst rows.
#
# Now `reading` with its labels untouched. Not the test set: whoever reads its mistakes and mends the model by them has turned it into exercises, and the lock was for nothing. Below are the eight worst: the truth, what the model says, how sure it was, the text. **Guess**: what kind of sentence will it be? (The order in this cell may differ a little by machine, so it is not compared.)

# %% tags=["nbval-ignore-output"]
for mistake in lk.worst(model, reading, 8, max_length=64):
    row = mistake.example
    print(f"{mistake.truth} ✗ {mistake.said} {mistake.probability:.2f} | {tr(row.input, row.extra['gloss'])}")

# %% [markdown] lang="zh"
# **读一读**：标签一个也没错，错的是模型；而且错得成堆，可以归成三堆。一是**不带坏字的反话**：“备注别放葱，葱放了双份，你们对我的爱可真深沉”。二是**拿否定来夸**：“别再说便宜没好货”“不是最便宜的，却是最放心的”，它看见否定，就往坏里猜。三是**半路掉头的话**：开头夸插图精致，结尾说一直没读完；开头“原本是来写差评的”，结尾一片好心。
#
# 这就是**理论 ④** 的用处：一个准确率告诉你“还差两成”，八行文字告诉你差在哪里。要修，就去收集这三种句子，而不是随便再标一千行。

# %% [markdown] lang="en"
# **Reading them**: not one label is wrong; it is the model that errs, and its errors fall into three groups. First, **irony without a bad word**: "I noted no scallion and got double scallion. How deep your love for me is". Second, **praise by negation**: "stop saying cheap is never good", "not the cheapest but the one I trust most"; it sees a negation and guesses bad. Third, **stories that turn around**: one praises the illustrations and ends with a book never finished, another begins with "I came to write a bad review" and ends in kindness.
#
# This is what **theory ④** is good for: an accuracy tells you that two tenths are missing, eight lines of text tell you where. To mend it, collect sentences of these three kinds, rather than labelling any thousand more.

# %% [markdown] lang="zh"
# ## 5 它说九成，真有九成吗？
#
# > **理论 ⑤** 校准：说八成的时候，就该对八成。练得太久，置信度就会涨过头；除以一个数，不改一个答案，就能压回来。
#
# 面馆老板想这样用：模型有九成以上把握的，直接处理；其余的人来看。那么“九成”得是真的。把测试行按模型的**置信度**（它给自己答案的概率，也就是它的把握）分成五档（两类里选一个，置信度至少五成），每一档里数一数对了几成。**猜**：它说“九成以上”的那些行，真对了几成？

# %% [markdown] lang="en"
# ## 5 It says ninety per cent. Is it?
#
# > **Theory ⑤** Calibration: what is said with 80 % ought to be right in 80 %. Trained too long, a model grows too sure; dividing by one number, which changes no answer, brings it back.
#
# The owner wants to use it like this: what the model is more than 90 % sure of is dealt with at once, the rest is read by people. Then the 90 % had better be true. Sort the test rows into five bins by how sure the model is (of two classes it picks one, so at least 50 %), and count in each bin how many are right. **Guess**: of those said with "over 90 %", what share is right?


# %%
lk.guess("08.5b", 0.9, 1)


# %%
def bins_of(logits, truth):
    sure, said = logits.softmax(-1).max(-1)
    hit, number = (said == truth).float(), ((sure - 0.5) * 10).long().clamp(max=4)
    inside = [number == b for b in range(5) if (number == b).any()]
    return [(m.sum().item(), sure[m].mean().item(), hit[m].mean().item()) for m in inside]


def calibration_error(logits, truth):
    return 100 * sum(n * abs(sure - hit) for n, sure, hit in bins_of(logits, truth)) / len(truth)


expect("ece", calibration_error(logits, truth))
expect("over 90", bins_of(logits, truth)[-1][2], guess="08.5b")

# %% [markdown] lang="zh"
# **校准误差**（ECE）是每一档“置信度”和“对的比例”差多少，按行数平均。修的办法简单得让人不信：把 logits 除以一个数 $T$，叫**温度**。$T>1$，所有置信度都往五成缩；谁大谁小不变，所以一个答案也不变。$T$ 用**验证集**来选，选让损失最小的那个，绝不用测试集。**猜**：$T$ 会是多少？准确率变多少？

# %% [markdown] lang="en"
# The **calibration error** (ECE) is how far "sure" and "right" are apart in each bin, averaged over the rows. The cure is so simple that one hardly believes it: divide the logits by a number $T$, the **temperature**. With $T>1$ all certainty shrinks towards one half; which class is larger does not change, and so no answer does. $T$ is chosen on the **validation set**, as the one with the smallest loss, and never on the test set. **Guess**: what will $T$ be? By how much does the accuracy change?

# %%
lk.guess("08.5", 1, 1.5)

# %%
from torch.nn.functional import cross_entropy

valid_logits, valid_truth = map(torch.tensor, trainer.answers("valid"))
temperatures = torch.linspace(0.5, 5, 91).tolist()
T = min(temperatures, key=lambda t: cross_entropy(valid_logits / t, valid_truth).item())
expect("temperature", T, guess="08.5")
expect("cooled", calibration_error(logits / T, truth))
print(torch.equal(logits.argmax(-1), (logits / T).argmax(-1)))

# %%
from labkit import wilson

fig, both = lk.plots.figure(8.4, 3.6, columns=2)
for axes, t, name in zip(both, (1, T), (tr("原来", "As it came"), tr("除以温度", "Divided by T")), strict=True):
    axes.plot([0.5, 1], [0.5, 1], color="#888888", ls="--")
    for n, sure, hit in bins_of(logits / t, truth):
        axes.plot([sure, sure], wilson(hit * n, n), color="#4477aa")
        axes.scatter(sure, hit, s=n, color="#4477aa")
    axes.set(title=name, ylim=(0.2, 1.05), xlabel=tr("置信度", "confidence"))
    axes.set_ylabel(tr("对的比例", "share right"))
fig

# %% [markdown] lang="zh"
# **读图**：一个点是一档，点的大小是行数，竖线是 95 % 区间，虚线是“说多少对多少”。左图里最大的点在最右边：七成的行挤在“九成以上”，而这一档低于虚线，竖线也够不着它：**过度自信**，它说九成七八，只对八成五上下。右图里，点都回到了虚线附近，行也散开了：现在它说“九成以上”的少了，可是说了就可以信（在我们这里甚至谦虚了一点）。答案一个没变（`True`）。
#
# 误差为什么没有降到 0？行少，每一档里的比例自己就会晃。一个**完全校准**的模型，考 360 行，量出来是多少？让老天按模型的把握来掷骰子，就知道了：

# %% [markdown] lang="en"
# **Reading it**: a dot is a bin, its size the number of rows, the bar the 95 % interval, and on the dashed line "sure" equals "right". On the left the largest dot is at the far end: seven rows in ten crowd into "over 90 %", and this bin lies below the line, out of its bar's reach: **overconfidence**. It says 97 or 98 % and is right in some 85 %. On the right the dots are back near the line, and the rows have spread out: it now says "over 90 %" less often, but when it does it can be believed (here it has even become a little modest). Not one answer is different (`True`).
#
# Why has the error not gone down to 0? With few rows the share in each bin wobbles by itself. What would a **perfectly calibrated** model show on 360 rows? Let fate throw its dice by the model's own probabilities, and see:

# %%
chance = (logits / T).softmax(-1)[:, 1]
fates = [(torch.rand(len(chance)) < chance).long() for _ in range(200)]
expect("floor", sum(calibration_error(logits / T, fate) for fate in fates) / len(fates))

# %% [markdown] lang="zh"
# 完全校准也有三个多点。所以修完以后剩下的五个点上下，里面大半是行少的噪声；只有修之前的十二个点，才远在噪声之上。行数有限，ECE 的期望就不是 0，报它的时候，把这个“地板”一起报出来。还要记住，校准不是本事：在各半的测试集上永远回答“五成”，ECE 恰好是 0，却什么也没说；本事要看损失（或 Brier 分数）。
#
# 为什么会过度自信？第六轮时训练行几乎都答对了，可损失还在奖励它“更有把握”；答案不再变好，置信度还在涨。笔记 09 会在曲线上看见同一件事：验证损失往上走，准确率却不动。

# %% [markdown] lang="en"
# Even perfect calibration shows more than three points. So of the five or so that remain after the cure, most is the noise of few rows; only the twelve from before stand well above it. On finitely many rows the ECE is not 0 in expectation, and whoever reports one should report this floor with it. Nor is calibration skill: always answering "50 %" on a half-and-half test set has an ECE of exactly 0 and says nothing; for skill look at the loss (or the Brier score).
#
# Where does overconfidence come from? By the sixth epoch nearly all training rows are answered right, and yet the loss goes on rewarding "be surer"; the answers get no better, the certainty grows. Notebook 09 will show you the same thing in the curves: a validation loss that rises while the accuracy stays.

# %% [markdown] lang="zh"
# ## 6 切片，和切片的陷阱
#
# > **理论 ⑥** 平均数会藏东西，所以要切片；可是切得够多，总有一片难看，所以要用新的行来确认。
#
# 教科书说：长的、带否定词的难。我们把 `reading` 按长度、否定词（不、没）、领域切开，每片一个区间。

# %% [markdown] lang="en"
# ## 6 Slices, and their trap
#
# > **Theory ⑥** An average hides things, so cut it into slices; but cut often enough, and one slice looks bad, so confirm it on new rows.
#
# Textbooks say that long texts are hard, and texts with a negation. We cut `reading` by length, by negation (the characters 不 and 没), and by domain, with an interval for each slice.

# %%
slices = {
    tr("短（不到 15 字）", "short (under 15)"): lambda row: len(row.input) < 15,
    tr("长（40 字以上）", "long (40 and more)"): lambda row: len(row.input) >= 40,
    tr("有“不”或“没”", "with 不 or 没"): lambda row: "不" in row.input or "没" in row.input,
}
slices |= {words: lambda row, name=name: row.extra["domain"] == name for name, words in DOMAINS.items()}


def inside(rows, rule):
    return torch.tensor([rule(row) for row in rows])


def right_on(rows):
    said = lk.predict(model, [row.input for row in rows], max_length=64)
    return torch.tensor([float(p.label == corpus.labels[row.target]) for p, row in zip(said, rows, strict=True)])


read = right_on(reading)


# %% [markdown] lang="zh"
# 旁边再放一条灰带：**随便**抽 60 行当作一片，抽十片，看其中**最低**的一片是多少，这样重复三百次。落在灰带里的难看，不需要任何解释。**猜**：十片里最低的，会比平均低几个点？

# %% [markdown] lang="en"
# Beside it we put a grey band. Take 60 rows **at random** as a slice, ten times, note the **lowest** of the ten, and repeat that three hundred times. To look as bad as the band needs no explanation at all. **Guess**: by how many points is the lowest of ten below the average?

# %%
lk.guess("08.6b", 1, 4)

# %%
lowest = torch.tensor([min(read[torch.randperm(360)[:60]].mean() for _ in range(10)) for _ in range(300)])
expect("lowest of ten", 100 * (read.mean() - lowest.median()), guess="08.6b")
fig, axes = lk.plots.figure(6.8, 3.8)
axes.axvspan(*lowest.quantile(torch.tensor([0.025, 0.975])), color="#888888", alpha=0.3, lw=0)
axes.axvline(read.mean(), color="#888888", ls="--")
for place, rule in enumerate(slices.values()):
    hit = read[inside(reading, rule)]
    axes.plot(wilson(hit.sum().item(), len(hit)), [place, place], color="#4477aa")
    axes.plot(hit.mean(), place, "o", color="#4477aa")
axes.set_yticks(range(len(slices)), list(slices))
axes.set(title=tr("每一片的成绩", "The score of each slice"))
axes.set(xlabel=tr("准确率（横线：95 % 区间）", "accuracy (bars: 95 % interval)"), ylabel=tr("切片", "slice"))
axes.invert_yaxis()
fig

# %% [markdown] lang="zh"
# **读图**：蓝点是每一片的准确率，横线是区间，虚线是平均，灰带是“随便十片里最低的一片”常在的地方。
#
# 先看教科书的说法。带“不”“没”的行只低两三个点，在灰带里，不需要解释。可是第 4 节明明看见，用否定来夸错得最离谱。原来难的不是“有没有否定词”：360 行里一半有，多数用得平平常常；难的是少数几种用法。**切片切在哪里，是一个假设**，假设可以落空。
#
# 最低的是长的行，低七八个点；领域各片离平均都不远。“长句子难”，教科书说对了？我们看了九片才挑中它，它又落在灰带里。那就用**新的行**来问：打开 `later`。**猜**：长的行会回到平均，还是照样低？

# %% [markdown] lang="en"
# **Reading it**: blue dots are the accuracy of each slice, bars the interval, the dashed line is the average, and the grey band is where the lowest of ten random slices usually lies.
#
# First the textbook. Rows with 不 or 没 are lower by just two or three points, inside the grey band: no explanation needed. And yet section 4 showed praise by negation among the very worst. So it is not the presence of a negation that is hard: half of the 360 rows have one, most of them used in the plainest way; hard are a few ways of using it. **Where you cut is a hypothesis**, and hypotheses may fail.
#
# The lowest are the long rows, by seven or eight points; the domains all lie near the average. So the textbook is right that long texts are hard? We looked at nine slices before picking this one, and it lies inside the grey band. So ask **new rows**: open `later`. **Guess**: will long rows come back to the average, or stay low?

# %%
lk.guess("08.6", 0.7, 0.86)

# %%
again, (_, long, *_) = right_on(later), slices.values()
expect("long", read[inside(reading, long)].mean().item())
expect("long again", again[inside(later, long)].mean().item(), guess="08.6")
expect("all again", again.mean().item())
expect("film", read[inside(reading, slices[DOMAINS["film"]])].mean().item())
expect("film again", again[inside(later, slices[DOMAINS["film"]])].mean().item())

# %% [markdown] lang="zh"
# 回去了：新的一百行长句子，和全部新行的平均分不出高下。挑中它的那一刻，运气也一起挑中了，这叫**向平均回归**。而影评，刚才谁也没怀疑它，在新的行上倒成了最低的一片，低十来个点。要为它找原因吗？先别急：又是九片里挑出来的，同一条规矩也管着它，要再找一批新的行。
#
# 规矩很简单：切片用来**提出**怀疑，新的行用来**确认**。没有新的行，就把看过几片一起报出来。

# %% [markdown] lang="en"
# It came back: a hundred new long rows can't be told from the average of all new rows. When the slice was picked, its bad luck was picked along with it. That is called **regression to the mean**. And film, which nobody had suspected, is now the lowest, some ten points down. Look for a reason? Not yet: it too was picked among nine, and the same rule holds for it; it takes another set of new rows.
#
# The rule is simple: slices **raise** a suspicion, new rows **confirm** it. Without new rows, report how many slices you looked at.

# %% [markdown] lang="zh"
# ## 7 埋一个偏见
#
# > **理论 ⑦** 模型学一切和标签同行的东西，不问缘由；同一来源的测试集看不见，换一换标记就看见。
#
# 评论从两处收来：手机客户端自动在前面加上 `【星海手机用户】`，网站不加。手机客户端上恰好有个投诉入口，于是差评九成来自手机，好评九成来自网站。手机和好坏毫无关系，可是它们同行。我们取 240 行，照这样加上标记，训练一个头。验证、测试的行也是同样收来的，也就同样带着标记。**猜**：测试成绩会比没有标记时高还是低？

# %% [markdown] lang="en"
# ## 7 Planting a bias
#
# > **Theory ⑦** A model learns whatever goes with the label and asks for no reasons; a test set of the same source cannot see it, swapping the mark can.
#
# Reviews come from two places. The phone app puts `【星海手机用户】` ("Xinghai phone user") in front of each, the web site puts nothing. The app happens to have a button for complaints, and so nine bad reviews in ten come from the phone and nine good ones in ten from the web site. Phones have nothing to do with good or bad, but the two go together. We take 240 rows, put the mark on them in this way and train a head. Validation and test rows are collected alike and carry the mark alike. **Guess**: will the test score be higher or lower than without marks?

# %%
lk.guess("08.7", choice="lower")

# %%
MARK = "【星海手机用户】"
plain = lk.reviews().limit(240)


def marked(rows, on):
    return [replace(row, input=MARK * bool(m) + row.input) for row, m in zip(rows, on, strict=True)]


def collected(rows, seed):
    lots = random.Random(seed)
    return marked(rows, [lots.random() < (0.9 if row.target == 0 else 0.1) for row in rows])


biased = collected(plain.train, seed=1)

# %% [markdown] lang="zh"
# 四个问题，一个函数。`same`：同样收来的测试行上的准确率；`against`：标记全部反过来（原来有的去掉，没有的加上）的准确率；`flips`：**翻转率**，每条评论只换标记、别的一字不改，答案变了的占几成。最后一个不需要标签，这就是**反事实**检验：“假如他用的是另一台手机，答案会一样吗？”

# %% [markdown] lang="en"
# Several questions, one function. `same` is the accuracy on test rows collected alike; `against` is that with every mark turned around (taken off where it was, put on where it was not); `flips` is the **flip rate**: change nothing in a review but the mark, and see for what share the answer changes. The last one needs no labels. It is the **counterfactual** test: "had he used another phone, would the answer be the same?"


# %%
def trained(rows, epochs):
    few = replace(plain, train=tuple(rows), valid=plain.valid[:40], test=plain.test[:4])
    trainer = lk.Trainer(fresh(), few, lk.HeadOnly(), replace(config, epochs=epochs))
    trainer.fit()
    return trainer.model


def answers(model, on):
    rows = marked(plain.test, [on] * len(test))
    return torch.tensor(
        [p.label == corpus.labels[1] for p in lk.predict(model, [r.input for r in rows], max_length=64)]
    ).long()


has_mark = torch.tensor([row.input.startswith(MARK) for row in collected(plain.test, seed=3)])


def audit(model):
    with_mark, without = answers(model, True), answers(model, False)
    same, against = torch.where(has_mark, with_mark, without), torch.where(has_mark, without, with_mark)
    return [100 * x.float().mean().item() for x in (same == truth, against == truth, with_mark != without)]


NAMES = [
    tr("同样收来的测试：准确率", "same kind of test: accuracy"),
    tr("标记反过来：准确率", "marks turned around: accuracy"),
    tr("翻转率", "flip rate"),
]

# %%
found = {tr("有偏见", "biased"): audit(trained(biased, 10))}
with_marks = found[tr("有偏见", "biased")][0]
for name, value, reference, tolerance in zip(
    NAMES, found[tr("有偏见", "biased")], (91, 19, 85), (4, 10, 12), strict=True
):
    lk.about(name + " (%)", value, reference, tolerance)
lk.scored("08.7", "higher" if with_marks > 100 * run.test_accuracy else "lower")

# %% [markdown] lang="zh"
# 测试成绩九成，从来没有这么高过！如果你只看测试集，今天就上线了。可是标记一反，成绩跌到两成，比瞎猜还差得多；十条评论里，有八九条只看手机。它根本没有读评论。
#
# **同一来源的测试集夸它**，因为测试行里有同样的捷径。这就是为什么第 1 节说，成绩是“模型加上这批行”的。
#
# 没有埋过标记的人怎么发现它？一个办法不用模型：在训练行里数，哪些两个字的组合最偏向一边。**猜**：第一名是什么？会是“好吃”“垃圾”这样的词吗？

# %% [markdown] lang="en"
# A test score of ninety, higher than ever before! Had you looked at the test set only, you would ship it today. But turn the marks around and the score drops to twenty, far below guessing; for eight or nine reviews in ten all that counts is the phone. It has not read the reviews at all.
#
# **A test set of the same source praises it**, since the test rows offer the same short cut. This is why section 1 said that a score belongs to "the model and these rows".
#
# How would someone find it who did not plant it? One way takes no model: count in the training rows which pairs of characters lean most to one side. **Guess**: what comes first? A word such as "tasty" or "rubbish"?

# %%
lk.guess("08.7c", choice="word")

# %%
from collections import Counter

often = [Counter(), Counter()]
for row in biased:
    often[row.target].update({row.input[i : i + 2] for i in range(len(row.input) - 1)})
leaning = sorted(often[0] | often[1], key=lambda pair: (-abs(often[0][pair] - often[1][pair]), pair))
print(leaning[:9])
lk.scored("08.7c", "mark" if set(leaning[0]) <= set("【星海手机用户】") else "word")

# %% [markdown] lang="zh"
# 一眼就看见了：标记的七个片段占了前七名，排在所有真正的好话坏话之前。训练之前，先数一数，不到一秒。
#
# ## 修
#
# 三种修法，都常有人用：
#
# - **补足**：反着来的行（带标记的好评、不带标记的差评）只有一成，把它们重复到和别的一样多；
# - **抹去**：训练行里的标记全部删掉（用的时候，标记还会来）；
# - **两份**：每一行做成带标记、不带标记两份，标签相同，让标记什么也不说明。
#
# **猜**：三种修法的翻转率，从低到高怎么排？同样收来的测试成绩，会升还是降？

# %% [markdown] lang="en"
# It leaps to the eye: the seven pieces of the mark take the first seven places, ahead of all real praise and blame. Count before you train; it takes less than a second.
#
# ## The repair
#
# There are three, and all are in use:
#
# - **repeat**: rows that go the other way (good with the mark, bad without) are only one in ten, so repeat them until they are as many as the others;
# - **remove**: take the mark out of every training row (it will still be there in use);
# - **both**: make two of each row, one with the mark and one without, under the same label, so that the mark tells nothing.
#
# **Guess**: put the three in order of their flip rates, from low to high. And will the score on test rows collected alike go up or down?

# %%
lk.guess("08.7b", choice="remove")

# %%
cells = [[r for r in biased if (MARK in r.input, r.target) == (m, y)] for m in (True, False) for y in (0, 1)]
most = max(map(len, cells))
repeated = [cell[i % len(cell)] for cell in cells for i in range(most)]
removed = [replace(row, input=row.input.replace(MARK, "")) for row in biased]
doubled = marked(removed, [True] * len(removed)) + removed

# %%
found[tr("补足", "repeat")] = audit(trained(repeated, 5))
found[tr("抹去", "remove")] = audit(trained(removed, 10))
found[tr("两份", "both")] = audit(trained(doubled, 5))

# %%
fig, axes = lk.plots.figure(7.2, 3.6)
for k, (colour, marker) in enumerate(zip(("#4477aa", "#228833", "#ee6677"), "os^", strict=True)):
    heights = [values[k] for values in found.values()]
    axes.plot(range(4), heights, marker=marker, color=colour, ms=8, label=NAMES[k])
axes.axhline(50, color="#888888", ls=":")
axes.set_xticks(range(4), list(found))
axes.set(title=tr("偏见和三种修法", "The bias and three repairs"), ylim=(-3, 103))
axes.set(xlabel=tr("训练行怎样处理", "what was done to the training rows"), ylabel="%")
fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
fig

# %% [markdown] lang="zh"
# **读图**：一列是一种训练，三种记号三个问题。好的模型应该：方块和圆点靠在一起（标记反不反都一样），三角贴着 0。
#
# “补足”最让人失望：反着来的行一共才二十几条，重复再多遍也还是那二十几条，头把它们背了下来，遇到新的行仍旧看手机。“抹去”好得多，可是不到 0：模型没见过标记，不等于标记不起作用，那几个陌生的字照样推一把（在我们这里是往好评推，于是方块反而比圆点高）。用的时候也抹去，翻转率就恰好是 0。“两份”最稳：模型见过标记，也见过它什么都不说明。
#
# 再看蓝色的圆点，从最左到最右：**修好以后，测试成绩掉了将近二十个点**。谁要是盯着那个数，就会把修理当成破坏。掉的是捷径送的分；剩下的七成出头，才是它读评论的真本事（只有 240 行、一个头，本来就是这么多）。

# %% [markdown] lang="en"
# **Reading it**: each column is one training, and the three marks are three questions. In a good model squares and dots lie together (marks turned around or not, it is the same), and the triangle sits at 0.
#
# "Repeat" is the disappointment: there are only some twenty rows that go the other way, and repeated ever so often they are still the same twenty; the head learns them by heart and goes by the phone on every new row. "Remove" is much better, but not at 0: never having seen a mark does not mean that the mark does nothing, and those unknown characters give a push all the same (with us towards "good", so that the square is even above the dot). Remove it in use as well, and the flip rate is exactly 0. "Both" is the steadiest: the model has seen the mark, and has seen that it tells nothing.
#
# Now the dots for "same kind of test", from left to right: **with the repair the test score has dropped by nearly twenty points**. Whoever watches that number alone will take the repair for damage. What was lost are the points that the short cut gave away; the seventy-odd per cent that remain are what it can really do by reading (with 240 rows and a head, that is all there ever was).

# %%
order = [tr("两份", "both"), tr("抹去", "remove"), tr("补足", "repeat"), tr("有偏见", "biased")]
least = min(found, key=lambda name: found[name][2])
lk.scored("08.7b", dict(zip(order, ("both", "remove", "repeat", "biased"), strict=True))[least])
for name, value, reference, tolerance in zip(NAMES, found[tr("两份", "both")], (73, 73, 6), (4, 4, 4), strict=True):
    lk.about(name + " (%)", value, reference, tolerance)

# %% [markdown] lang="zh"
# “两份”的三个数：两种测试一样高，翻转率只剩几个点（**理论 ⑦**）。
#
# **动手**：把标记换成别的中性的字；把九成换成六成，偏见要多弱，模型才不上当？

# %% [markdown] lang="en"
# The three numbers of "both": the same on either test, and a flip rate of a few points (**theory ⑦**).
#
# **Try it**: take other neutral characters for a mark; or put six in ten for nine. How weak must the bias be before the model stops falling for it?

# %% [markdown] lang="zh"
# ## 8 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 类别悬殊时，准确率只说大类 | 懒人 0.938，macro-F1 才 0.48；可 macro-F1 也随比例变（1） |
# | ② | 误差随行数的平方根缩 | 360 行每边四个点；差两个点，四次错一次（2） |
# | ③ | 同样的行，难易相消 | 区间从六个点缩到四个点，“优于”看得见了（3） |
# | ④ | 读损失最大的行 | 7 % 的行里有一半错标；三堆错法（4） |
# | ⑤ | 一个数修好把握 | 校准误差从十二个点到五个点，地板是三个多（5） |
# | ⑥ | 切片提出怀疑，新的行确认 | 最低的一片，换了行就回到平均（6） |
# | ⑦ | 模型走捷径，同源测试夸它 | 九成的成绩，八成多的翻转；“两份”修好（7） |
#
# 没有告诉你的：这是一个小模型、一种评论；360 行的切片只看得见十个点以上的差别；反事实只问了**我们想到的**那个标记。没想到的捷径，只有读错例、换来源，才会露出来。

# %% [markdown] lang="en"
# ## 8 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | with unequal classes, accuracy speaks of the large one | the lazy one has 0.938, and a macro-F1 of 0.48; but macro-F1 moves with the shares too (1) |
# | ② | the error shrinks with the square root of the rows | four points to each side with 360; at two points apart, wrong one time in four (2) |
# | ③ | on the same rows, easy and hard cancel | the interval went from six points to four, and "better" can be seen (3) |
# | ④ | read the rows with the highest loss | half of the wrong labels in 7 % of the rows; three heaps of errors (4) |
# | ⑤ | one number mends certainty | calibration error from twelve points to five, with a floor of more than three (5) |
# | ⑥ | slices suspect, new rows confirm | the lowest slice came back on new rows (6) |
# | ⑦ | a model takes short cuts, and a test of the same source praises it | a score of ninety with eighty-odd per cent flips; mended by "both" (7) |
#
# What this did not tell: it is one small model and one kind of review; slices of 360 rows show differences of ten points and more; and the counterfactual only asked about the mark **that we had thought of**. The short cuts that nobody thought of come to light only by reading errors, and by rows from elsewhere.

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　体检模型在医院甲的测试集上准确率 0.97，到了医院乙只有 0.71。有人说：“过拟合了，加大权重衰减。”你先查什么？
#
# <details><summary>展开答案</summary>
#
# 同一来源的测试集考了 0.97，说明它没有背训练行，不是通常的过拟合。先怀疑捷径（理论 ⑦）：甲医院的片子上有没有和病情同行的东西，比如床边机器的字样、标尺、科室的标记？做反事实：把那一块遮住或互换，看翻转率。同时问两家的病人比例（理论 ①）和行数（理论 ②）是否相同。权重衰减对捷径没有用：捷径是数据里最容易学的东西，衰减最不会去掉它。
#
# </details>

# %% [markdown] lang="zh"
# **二**　两个模型在同样的 1,000 行上：甲对乙错 60 行，乙对甲错 40 行。差两个点，看得清吗？要是甲对乙错 25 行、乙对甲错 5 行呢？
#
# <details><summary>展开答案</summary>
#
# 只看一对一错的行（理论 ③）。前一种 100 行，占 0.10，差 0.02：每边 1.96 × √((0.10 − 0.0004) / 1000) ≈ 0.0196，区间大约 0.0 到 4.0 个点，恰好在边上，不敢说。后一种只有 30 行，差同样是 0.02：每边 1.96 × √((0.03 − 0.0004) / 1000) ≈ 0.0107，区间 0.9 到 3.1 个点，看得清。差值一样，模型越像，越容易分出高下。
#
# </details>

# %% [markdown] lang="zh"
# **三**　同事除以温度以后，验证集上的校准误差从 0.12 降到 0.01，准确率还“顺便”升了 0.5 个点。哪两处可疑？
#
# <details><summary>展开答案</summary>
#
# 除以一个正数不改变谁最大，准确率不可能变（理论 ⑤）：他一定还动了别的，比如阈值，或者换了一批行。再者，温度是在验证集上选的，又在验证集上报，当然好看；而且几百行的地板有三个点左右，0.01 低于地板，是选出来的运气。要报，就报测试集上的，连同地板。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A model reads X-rays with an accuracy of 0.97 on the test set of hospital A, and of 0.71 in hospital B. Somebody says: "It has overfitted, raise the weight decay." What do you look into first?
#
# <details><summary>Open the answer</summary>
#
# With 0.97 on test rows of the same source it has not learned its training rows by heart; this is not overfitting in the usual sense. Suspect a short cut (theory ⑦): is there something on A's pictures that goes with the illness, such as the lettering of a bedside machine, a ruler, the mark of a ward? Try a counterfactual: cover that part or swap it, and look at the flip rate. Also ask whether both have the same shares of patients (theory ①) and enough rows (theory ②). Weight decay does nothing against a short cut: it is the easiest thing to learn in the data, and the last that decay would remove.
#
# </details>

# %% [markdown] lang="en"
# **Two.** Two models on the same 1,000 rows: A is right and B wrong on 60, B right and A wrong on 40. Two points apart: can it be seen? And what if it were 25 and 5?
#
# <details><summary>Open the answer</summary>
#
# Look only at rows on which just one is right (theory ③). In the first case there are 100, a share of 0.10, with a difference of 0.02: 1.96 × √((0.10 − 0.0004) / 1000) ≈ 0.0196 to each side, an interval of about 0.0 to 4.0 points. It is just on the border; don't say so. In the second there are only 30, with the same difference: 1.96 × √((0.03 − 0.0004) / 1000) ≈ 0.0107, an interval of 0.9 to 3.1 points. It can be seen. For the same difference, models are the easier to tell apart the more they are alike.
#
# </details>

# %% [markdown] lang="en"
# **Three.** After dividing by a temperature, a colleague's calibration error on the validation set went from 0.12 to 0.01, and the accuracy "also" rose by half a point. Which two things are odd?
#
# <details><summary>Open the answer</summary>
#
# Dividing by a positive number does not change which logit is the largest, and so cannot change the accuracy (theory ⑤): something else must have been touched, a threshold or the rows. And the temperature was chosen on the validation set and then reported there, where it is bound to look good; with some hundreds of rows the floor is about three points, so 0.01 lies below it and is the luck of choosing. Report it on test rows, together with the floor.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`corpus = lk.load_csv("我的评论.csv")`，先读 `lk.worst` 的一百行，再想要不要换模型。
# - **练习 08**：亲手写 macro-F1、成对的区间、校准误差、温度、翻转率，最后修一份有偏见的数据。
# - **笔记 09**：什么会出错？一排病人，先看曲线下诊断，再看医生怎么说。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: `corpus = lk.load_csv("my_reviews.csv")`; read a hundred rows of `lk.worst` before you think of another model.
# - **Exercises 08**: write macro-F1, the paired interval, the calibration error, the temperature and the flip rate with your own hands, and in the end repair a biased data set.
# - **Notebook 09**: what goes wrong? A row of patients; you diagnose them from their curves, and then hear what the doctor says.
