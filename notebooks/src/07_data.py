# %% [markdown] lang="zh"
# # 07 · 数据
#
# 奶奶煮豆子之前，先把豆子倒在桌上，一把一把地拣：石子、虫眼、混进来的绿豆。拣比煮花的时间长。孙子问：“锅好一点，是不是就不用拣了？”奶奶说：“锅再好，石子也煮不烂。”
#
# 前六本笔记都在说锅：模型、优化器、冻结、预训练。这一本说豆子。同一个模型，数据里多一个毛病，成绩可以从 75 % 变成不到 60 %，也可以变成 90 %，而**后一种更危险**，因为没有人会去查一个好成绩。今天我们亲手把每一种石子放进去，看它怎样硌牙，再学着把它拣出来。
#
# **做完以后，你能够**
#
# 1. 读进一个乱七八糟的 CSV，说得出每一行是怎么没的；
# 2. 算出分词器和截断丢掉了什么，丢多少才要紧；
# 3. 量一批里有多少是空气，并把它挤出来；
# 4. 划分得干净：按类分层，同一段文字不跨两边；
# 5. 看穿不平衡数据上漂亮的准确率；
# 6. 知道标错几成会怎样，并让模型替你找出标错的行；
# 7. 怀疑一个太好的成绩，找到泄漏，把它堵上。
#
# **怎么读**：做过笔记 01 就够了，大约 35 分钟。每个实验之前有一个问题，把猜的写下来，再运行。

# %% [markdown] lang="en"
# # 07 · Data
#
# Before she cooks lentils, grandmother pours them on the table and picks them over, handful by handful: pebbles, worm holes, a bean that strayed in. It takes longer than the cooking. "With a better pot, could you skip it?" the child asks. "No pot is good enough to cook a pebble soft", says grandmother.
#
# Six notebooks were about the pot: models, optimizers, freezing, pretraining. This one is about the lentils. With the same model, a single fault in the data can turn 75 % into less than 60 %; it can also turn it into 90 %, and **the latter is more dangerous**, because nobody looks into a good score. Today we put each kind of pebble in with our own hands, see how it feels between the teeth, and learn to pick it out again.
#
# **At the end you will be able to**
#
# 1. read an untidy CSV, and account for every row that is gone;
# 2. work out what tokenizer and truncation lose, and from where on it matters;
# 3. measure how much of a batch is air, and squeeze it out;
# 4. split cleanly: class by class, and no text on two sides;
# 5. see through a handsome accuracy on lopsided data;
# 6. say what wrong labels cost, and let the model point them out;
# 7. distrust a score that is too good, find the leak and stop it.
#
# **How to read it.** Having done notebook 01 is enough; it takes about 35 minutes. A question stands before each experiment: write your guess down, then run. The reviews are Chinese, and you can follow without reading a character.

# %% tags=["setup"]
LANG = "zh"


import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 今天要训练很多次，所以每次都便宜：400 行，只训练头（`trained`；图里红的），一两秒一次。石子硌的是牙，不是锅，换成全量微调，数会高一点，故事一样。旁边常坐着 TF-IDF。

# %% [markdown] lang="en"
# There is a lot to train today, so each run is cheap: 400 rows and the head only (`trained`; red in the drawing), a second or two. Pebbles are in the lentils, not in the pot; with full fine-tuning the numbers are somewhat higher and the story is the same. Often TF-IDF sits beside it.

# %%
from dataclasses import replace

MODEL, DEVICE = lk.equipment()
everything = lk.reviews()
corpus = everything.limit(400)
config = lk.TrainConfig(max_length=64, device=DEVICE, precision="fp32")


def trained(corpus, **settings):
    model = lk.load(MODEL, labels=corpus.labels).to(DEVICE)
    trainer = lk.Trainer(model, corpus, lk.HeadOnly(), replace(config, **settings))
    return trainer, trainer.fit()


# %%
lk.plots.network(lk.load(MODEL, labels=corpus.labels), lk.HeadOnly())

# %%
expect = lk.expect("07")

_, clean = trained(corpus)
expect("clean", clean.test_accuracy)

# %% [markdown] lang="zh"
# ## 1 读文件
#
# > **理论 ①** 读的时候放过的毛病，模型都会学走；所以读文件要吵闹，不要体贴。
#
# 先造一个像真的一样的文件 `shop.csv`：列名不叫 text 和 label，编码是国内 Excel 爱用的 GBK，有空行，有整行重复，有只多了两个感叹号的重复，还有几段文字一会儿五星、一会儿一星。

# %% [markdown] lang="en"
# ## 1 Reading a file
#
# > **Theory ①** Whatever reading lets through, the model learns; so reading should be noisy, not considerate.
#
# First we make a file like the real ones, `shop.csv`: its columns are not called text and label, its encoding is GBK as Chinese Excel likes it, and it has empty texts, repeated lines, repetitions that differ by two exclamation marks, and a few texts that have five stars here and one star there.

# %%
import csv
import os
import tempfile

os.chdir(tempfile.mkdtemp())
good = [(row.input, 5 if row.target else 1, row.extra["domain"]) for row in everything.train[:600]]
bad = [("", 5, "hotel"), ("   ", 1, "film"), *good[:30]]
bad += [(text + "！！", stars, shop) for text, stars, shop in good[30:50]]
bad += [(text, 6 - stars, shop) for text, stars, shop in good[50:55]]
with open("shop.csv", "w", encoding="gb18030", newline="") as file:
    csv.writer(file).writerows([("review", "stars", "shop"), *good, *bad])

# %% [markdown] lang="zh"
# **猜**：直接 `lk.load_csv("shop.csv")`，会发生什么？

# %% [markdown] lang="en"
# **Guess**: what will a plain `lk.load_csv("shop.csv")` do?

# %%
lk.guess("07.1b", choice="takes")

# %%
did = "takes"
try:
    lk.load_csv("shop.csv")
except lk.BadInput as error:
    did = "refuses"
    print(error)
lk.scored("07.1b", did)

# %% [markdown] lang="zh"
# 它拒绝了，并说出有哪些列、该怎么办。猜一列来用，才是可怕的体贴：要是它拿 `shop` 当标签，训练照样跑完，成绩还不错。编码它自己认出来了。说清列名和标签的意思，再看它丢掉了什么。**猜**：657 行里会丢几行？

# %% [markdown] lang="en"
# It refuses, names the columns and says what to do. To pick a column by itself would be the dreadful kind of considerate: had it taken `shop` for the label, training would have run to its end, with a decent score. The encoding it recognised by itself. Name the columns and what the labels mean, and see what it drops. **Guess**: of 657 rows, how many?

# %%
lk.guess("07.1", 0, 20)

# %%
shop = lk.load_csv("shop.csv", text="review", label="stars", labels={"1": "negative", "5": "positive"})
for gone in shop.dropped:
    print(gone.reason, gone.count)
lk.scored("07.1", sum(gone.count for gone in shop.dropped))
print({name: len(rows) for name, rows in shop.splits.items()})

# %% [markdown] lang="zh"
# **读结果**：每一行都有下落。空的 2 行；重复（duplicate）50 行，连只差标点的也认出来；矛盾（conflict）10 行，是 5 段各有两种标签的文字：两种里必有一种错，不知道哪种，就都不要。读文件的原则是**只丢可以解释的，丢了要报数**。这就是**理论 ①**。
#
# 下面是同一个文件的数据面板，列名和上面的调用一样（这里星数没有改名，图例里的 1 和 5 就是差评和好评）。换批大小、最大长度，看右边怎样变；第 3 节会用到它。

# %% [markdown] lang="en"
# **Reading it**: every row is accounted for. 2 were empty; 50 are duplicates, those that differ in punctuation among them; 10 are conflicts, five texts with two labels each: one of the two must be wrong, nobody knows which, so neither is kept. The rule of reading is to **drop only what can be explained, and to report the number**. That is **theory ①**.
#
# Below is the Data panel on the same file, with the same columns (the stars were not renamed here: 1 and 5 in the legend are bad and good). Change batch size and maximal length in it and watch the right side; we shall need it in section 3.

# %%
panel = lk.ui.Data("shop.csv", text="review", label="stars")
panel.run_button.click()
panel.wait()
panel.report()
panel

# %% [markdown] lang="zh"
# ## 2 分词器和剪刀
#
# > **理论 ②** 分词器和截断丢掉的东西，后面哪一层也找不回来。
#
# 文字变成编号要过两关：不在词表里的变成 `[UNK]`，超过最大长度的剪掉。先看第一关。**猜**：下面这句话里，几个字认不得？

# %% [markdown] lang="en"
# ## 2 The tokenizer and the scissors
#
# > **Theory ②** What tokenizer and truncation lose, no later layer can find again.
#
# On its way to numbers, text passes two gates: what is not in the vocabulary becomes `[UNK]`, and what is too long is cut off. The first gate first. **Guess**: how many characters of the text below will it not know?

# %%
lk.guess("07.2b", 1, 2)

# %%
tokenizer = lk.load(MODEL, labels=corpus.labels).processor
pieces = tokenizer.tokenize("房东送的饕餮盛宴😋，iPhone 拍不出来，yyds！龘")
print(pieces)
lk.scored("07.2b", pieces.count(tokenizer.unk_token))
ids = tokenizer([row.input for row in everything.train], add_special_tokens=False)["input_ids"]
tokens = [i for row in ids for i in row]
expect("unknown", 100 * tokens.count(tokenizer.unk_token_id) / len(tokens))

# %% [markdown] lang="zh"
# 几乎全认得。换一个用别种文字预训练的模型，这个数可能是 5 %、20 %，那就该换模型了，练多久也没有用。所以这一行检查值得写进每个项目。
#
# 第二关是剪刀。**猜**：最大长度取 8、16、32、64，多少行挨剪？准确率掉多少？

# %% [markdown] lang="en"
# Nearly all is known. For a model that was pretrained on another kind of text this may be 5 % or 20 %, and then another model is needed, and no amount of training. So this line of checking belongs in every project.
#
# The second gate is the scissors. **Guess**: with a maximal length of 8, 16, 32, 64, how many rows are cut? And what does it cost in accuracy?

# %%
lk.guess("07.2", 50, 85)

# %%
lengths = [len(row) + 2 for row in ids]  # with [CLS] and [SEP]
cuts = (8, 16, 32, 64)
hurt = [100 * sum(n > cut for n in lengths) / len(lengths) for cut in cuts]
lk.scored("07.2", round(hurt[0]))
lost = [100 * sum(max(0, n - cut) for n in lengths) / sum(lengths) for cut in cuts]
score = [100 * trained(corpus, max_length=cut)[1].test_accuracy for cut in cuts]

# %%
fig, (left, right) = lk.plots.figure(9, 3.2, columns=2)
for values, look, name, colour in (
    (hurt, "s-", tr("挨剪的行", "rows that are cut"), "#ee6677"),
    (lost, "^-", tr("剪掉的词元", "tokens cut off"), "#228833"),
):
    left.semilogx(cuts, values, look, color=colour, label=name)
right.semilogx(cuts, score, "o-", color="#4477aa")
right.fill_between(
    cuts, *zip(*([100 * x for x in lk.wilson(round(3.6 * s), 360)] for s in score), strict=True), alpha=0.15, lw=0
)
for axes in (left, right):
    axes.set_xticks(cuts, cuts)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(tr("最大长度（词元）", "maximal length (tokens)"))
left.set(title=tr("剪掉了多少", "How much is cut"), ylabel=tr("占全部的 %", "% of all"))
right.set(
    title=tr("剪多短才疼", "How short until it hurts"),
    ylabel=tr("测试准确率（%，色带：95 %）", "test accuracy (%, band: 95 %)"),
)
left.legend()
fig

# %% [markdown] lang="zh"
# **读图**：左图两条线和右图的准确率怎样错开？取 64，七行里有一行挨剪，一成的词元没了；取 32，三成的行挨剪，准确率只掉一两个点，因为一条评论里，态度说了不止一遍；到 16 和 8，才真的疼（8 的时候，剩下的不到四分之一）。所以“挨剪的行”不是要看的数，**准确率对长度的反应**才是。不过这是短评论：一份合同的要害可能就在最后一句，剪掉的就是它。怎么知道？像这里一样，量。

# %% [markdown] lang="en"
# **Reading it**: how do the two lines on the left part from the accuracy on the right? At 64 one row in seven is cut, and a tenth of the tokens gone; at 32 three rows in ten are cut, and yet accuracy loses a point or two, since a review says more than once what it feels; only at 16 and 8 does it hurt (and at 8 less than a quarter of the text is left). So the share of rows that are cut is not the number to look at; **how accuracy answers to length** is. But these are short reviews: a contract may have its sting in the last sentence, and that is what is cut off. How to know? Measure, as we did here.

# %% [markdown] lang="zh"
# ## 3 空气的价钱
#
# > **理论 ③** 一批按最长的一行付钱；长短相近的坐一起，空气就少。
#
# 一批是长方形：短的行用 `[PAD]` 补到最长的那行，补上的每一格都要算，一格也不学。三种排法：全部补到 64，只打乱，**分桶**（长短相近的坐一批，批的次序再打乱）。**猜**：批从 4 变到 64，空气变多还是变少？对三种排法都是吗？

# %% [markdown] lang="en"
# ## 3 The price of air
#
# > **Theory ③** A batch pays for its longest row; seat rows of like length together, and there is less air.
#
# A batch is a rectangle: short rows are filled with `[PAD]` up to the longest, and every filled square is computed and teaches nothing. There are three ways: fill all to 64; shuffle only; or **buckets** (rows of like length share a batch, and then the batches are shuffled). **Guess**: as the batch grows from 4 to 64, is there more air, or less? In all three?

# %%
lk.guess("07.3", choice="less")

# %%
from labkit import batch_order, padding_share

short = [min(n, 64) for n in lengths]
sizes = (4, 8, 16, 32, 64)


def air(bucket, width=None):
    orders = [batch_order(short, size, seed=0, epoch=0, bucket=bucket) for size in sizes]
    return [100 * padding_share(short, order, width) for order in orders]


fig, axes = lk.plots.figure(6.4, 3.2)
ways = {
    tr("都补到 64", "all to 64"): air(False, 64),
    tr("只打乱", "shuffled"): air(False),
    tr("分桶", "in buckets"): air(True),
}
for (name, values), look, colour in zip(ways.items(), ("s--", "^:", "o-"), lk.plots.COLOURS, strict=False):
    axes.semilogx(sizes, values, look, base=2, color=colour, label=name)
axes.set_xticks(sizes, sizes)
axes.set(title=tr("一轮里的空气", "Air in an epoch"), xlabel=tr("批大小（行）", "batch size (rows)"))
axes.set_ylabel(tr("填充所占的比例（%）", "share of padding (%)"))
axes.legend()
shuffled = ways[tr("只打乱", "shuffled")]
lk.scored("07.3", "more" if shuffled[-1] > shuffled[0] else "less")
fig

# %% [markdown] lang="zh"
# **读图**：都补到 64，一半左右是空气，和批大小无关。只打乱，批越大空气越多，到 16 行一批，已经和全补到 64 差不多：人多了，总有一个话痨。分桶几乎不受影响，空气只剩几个百分点。同样的行，同样的步数，少算一半左右；学到的东西呢？`bucket=` 只改谁和谁坐一起，成绩的差别在种子的运气之内，你可以用 `trained(corpus, bucket=False)` 自己验。上面的面板运行起来，里面的三条横条就是这幅图的一列。

# %% [markdown] lang="en"
# **Reading it**: filled to 64, about half is air, whatever the batch size. Shuffled, there is more air the larger the batch, and from 16 rows on it is about as bad as filling all to 64: in a larger company there is always one who talks without end. In buckets that hardly matters, and a few per cent of air remain. With the same rows and the same steps, about half of the computing is saved. And what is learned? `bucket=` only decides who sits with whom, and scores differ within the luck of seeds; try it yourself with `trained(corpus, bucket=False)`. Run the panel above: its three bars are one column of this picture.

# %% [markdown] lang="zh"
# ## 4 划分
#
# > **理论 ④** 测试要用没见过的；同一段文字站在两边，考的就是记性。
#
# 真实的数据里，重复多得吓人：同一条评论挂在几件商品下面，转发，模板。我们来造：500 条评论，每条有一半机会再来一次，末尾加两个感叹号。“图省事”的划分只管打乱，切一刀；“干净”的先按内容归组（`same_text` 不看标点），整组划到一边。两种各练一个 TF-IDF、一个头，再用 360 条谁也没见过的评论说实话。**猜**：图省事的，TF-IDF 会高估几个百分点？（再想一想：两个里谁更会记？）

# %% [markdown] lang="en"
# ## 4 Splitting
#
# > **Theory ④** A test wants unseen rows; with the same text on both sides, it is memory that is examined.
#
# Real data repeats itself frighteningly often: one review under several articles, reposts, templates. Let us make some: 500 reviews, each of which has an even chance of coming back with two exclamation marks at its end. The "lazy" split shuffles and cuts; the "clean" one groups rows by what they say (`same_text` ignores punctuation) and puts a whole group on one side. With each we train a TF-IDF and a head, and then let 360 reviews that nobody has seen tell the truth. **Guess**: by how many points does the lazy one flatter TF-IDF? (And think: which of the two memorises better?)

# %%
lk.guess("07.4b", 2, 6)

# %%
import random

from labkit import same_text

rng = random.Random(0)
rows = rng.sample(everything.train, 500)
rows += [replace(row, input=row.input + "！！") for row in rows if rng.random() < 0.5]
rng.shuffle(rows)
lazy = replace(corpus, train=tuple(rows[:560]), valid=everything.valid, test=tuple(rows[560:]))
groups = sorted({same_text(row.input) for row in rows})
rng.shuffle(groups)
held = set(groups[: len(groups) // 4])
stay, go = (tuple(row for row in rows if (same_text(row.input) in held) == side) for side in (False, True))
tidy = replace(lazy, train=stay, test=go)


# %%
def ask_both(split, name, fresh):
    """What the split's own test says, and what fresh rows say, of a TF-IDF and of a head."""
    for who, inside, outside in (
        ("TF-IDF", lk.baseline(split), lk.baseline(replace(split, test=fresh))),
        (tr("头", "head"), *(trained(one)[1] for one in (split, replace(split, test=fresh)))),
    ):
        yield f"{who}, {name}", 100 * inside.test_accuracy, 100 * outside.test_accuracy


def draw(found, title):
    fig, axes = lk.plots.figure(6.4, 3.2)
    names, told, real = zip(*found, strict=True)
    for shift, colour, values, name in (
        (0.18, "#ee6677", told, tr("自己的测试集说", "its own test set says")),
        (-0.18, "#4477aa", real, tr("没见过的评论说", "unseen reviews say")),
    ):
        drawn = axes.barh([i + shift for i in range(len(names))], values, 0.34, color=colour, label=name)
        axes.bar_label(drawn, fmt="%.0f", padding=3)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=title, xlabel=tr("准确率（%）", "accuracy (%)"), xlim=(0, 100))
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


# %%
found = [*ask_both(lazy, tr("图省事", "lazy"), everything.test), *ask_both(tidy, tr("干净", "clean"), everything.test)]
expect("flattered", found[0][1] - found[0][2], guess="07.4b")
draw(found, tr("两种划分", "Two ways to split"))

# %% [markdown] lang="zh"
# **读图**：红条是自己的测试集说的，蓝条是没见过的评论说的，红比蓝长出来的部分就是谎。图省事的划分，让 TF-IDF 多报了十一个点；干净的划分，两条几乎对齐，差的那点在误差之内（自己的测试集只有一百多行，每边约七个点）。
#
# 意外的是头：同一份脏划分，它没有多报。不是它老实，是它**记不住**：下面冻着，只有池化层和分类层能动，500 行背不下来。谁会背书，谁就被重复的题目夸大。全量微调呢？练五轮，三个种子，划分也各抽各的，记录随包带来。**猜**：它多报几个百分点？

# %% [markdown] lang="en"
# **Reading it**: red is what the split's own test says, blue what unseen reviews say; where red is longer, that is the lie. The lazy split lets TF-IDF boast by eleven points; with the clean one the two bars are nearly level, and what is left between them lies within the error (its test has a hundred and some rows, about seven points to each side).
#
# The head is a surprise: on the same dirty split it does not boast at all. Not that it is honest; it **can't memorise**. All below it is frozen, and pooler and classifier alone do not learn 500 rows by heart. Who can memorise is flattered by repeated questions. And full fine-tuning? Five epochs, three seeds, each with a lazy split of its own; the records came with the package. **Guess**: by how many points does it boast?

# %%
lk.guess("07.4", 2, 8)

# %%
split = lk.runs("07-memorised")
for name in ("full by its own test", "full in truth", "head by its own test", "head in truth"):
    line = next(line for line in lk.table(split) if line.strategy == name)
    print(f"{name:<22}{100 * line.accuracy:.1f} ({100 * line.low:.1f} … {100 * line.high:.1f})")
told = {line.strategy: line.accuracy for line in lk.table(split)}
lk.scored("07.4", round(100 * (told["full by its own test"] - told["full in truth"]), 1))

# %% [markdown] lang="zh"
# 全量微调多报了十一个点，两个区间分得开；头的两个区间几乎重合。所以这也是**理论 ④** 的另一面：**测试集有漏洞时，能背的模型会赢过会判的模型**，你连该选哪个都会选错。
#
# 医生查得出这种漏洞：

# %% [markdown] lang="en"
# Full fine-tuning boasts by eleven points, and its two intervals lie apart; those of the head lie over each other. That is the other side of **theory ④**: **where the test has a hole, the model that memorises beats the model that judges**, and you will not even choose the right one.
#
# The doctor finds holes of this kind:

# %%
print(lk.diagnose(clean, lazy)[0].evidence)
print(lk.diagnose(clean, tidy))

# %% [markdown] lang="zh"
# ## 5 不平衡
#
# > **理论 ⑤** 准确率是各类召回率按比例的平均；比例悬殊时，它只听多数类的。
#
# 真实的店铺里，好评常有九成。我们取 630 条好评，只取 70 条差评，练一个头；再练一个 `class_weights="balanced"` 的，让少的一类每行多算几倍。考试用好坏各半的 360 条，这样两类的召回率都量得准；九比一的店里准确率会是多少，用公式算：0.9 × 好评召回 + 0.1 × 差评召回。**猜**：没加权的那个，十条差评找得出几条？（再想一想：它在九比一的店里，准确率是多少？）

# %% [markdown] lang="en"
# ## 5 Lopsided classes
#
# > **Theory ⑤** Accuracy is the mean of the classes' recalls, weighted by their shares; where shares are lopsided it listens to the majority alone.
#
# In real shops nine of ten reviews are often good. We take 630 good ones and only 70 bad ones and train a head; then another with `class_weights="balanced"`, in which each row of the rare class counts several times. Both are examined on the 360 with halves of each, so that both recalls are measured well; what accuracy would be in a shop of nine to one is worked out: 0.9 × recall of good + 0.1 × recall of bad. **Guess**: of ten bad reviews, how many does the unweighted one find? (And think: what is its accuracy in that shop?)

# %%
lk.guess("07.5b", 4, 7)

# %%
kinds = [[row for row in everything.train if row.target == label] for label in (0, 1)]
lopsided = replace(everything, train=(*kinds[0][:70], *kinds[1]))
trainers, recalls = {}, {}
for weights in ("none", "balanced"):
    trainers[weights], run = trained(lopsided, class_weights=weights)
    recalls[weights] = [100 * one.recall for one in run.test.parts]
expect("found", recalls["none"][0] / 10, guess="07.5b")
always = {
    tr("永远说好", "always good"): [0, 100],
    tr("不加权", "unweighted"): recalls["none"],
    tr("加权", "weighted"): recalls["balanced"],
}

# %%
fig, axes = lk.plots.figure(6.4, 3.0)
marks = (
    tr("差评召回", "recall of bad"),
    tr("好评召回", "recall of good"),
    tr("九比一的准确率", "accuracy at nine to one"),
)
for i, (mark, colour) in enumerate(zip(marks, ("#ee6677", "#4477aa", "#888888"), strict=True)):
    heights = [(bad, good, 0.1 * bad + 0.9 * good)[i] for bad, good in always.values()]
    drawn = axes.bar([place + 0.27 * (i - 1) for place in range(3)], heights, 0.25, color=colour, label=mark)
    axes.bar_label(drawn, fmt="%.0f")
axes.set_xticks(range(3), list(always))
axes.set(title=tr("一个数骗得了你，三个数骗不了", "One number can fool you, three can't"), ylim=(0, 108))
axes.set(xlabel=tr("模型", "model"), ylabel="%", yticks=range(0, 101, 20))
fig.legend(loc="outside lower center", ncols=3)
fig

# %% [markdown] lang="zh"
# **读图**：先看灰条。“永远说好”的准确率是 90 %，比认真练过的两个都高，而它一条差评也找不出：准确率在这里，奖励的是不干活（**理论 ⑤**）。不加权的头，十条差评只找得出两条多一点；加权以后找得出四条多，代价是十条好评冤枉了近两条，灰条因此**更短**。
#
# 所以“加权好不好”问错了。该问的是：漏掉一条差评，和冤枉一条好评，哪个更贵？要安抚生气的客人，就加权；要给好评发奖，就不加。说不清价钱时，报告两类的召回率，或者 macro-F1，不要只报准确率。还有，加权变不出新的例子：70 条差评教得了多少，就是多少；想要新的本事，得多标几十条。
#
# 还有一个办法，连训练都不必。模型给的是“差评”的概率，过了五成才说差评；五成这条线叫**判定阈值**，谁也没说非五成不可。把线从高拉到低，召回率一路上升，精确率（说是差评的，有几成真是）一路下降，连成一条**精确率—召回率曲线**。还是在九比一的店里算。**猜**：加权和不加权，两条曲线差多远？

# %% [markdown] lang="en"
# **Reading it**: first the grey bars. "Always good" has an accuracy of 90 %, more than either of the two that were trained in earnest, and does not find a single bad review: here accuracy pays for not working (**theory ⑤**). Of ten bad reviews the unweighted head finds just over two; the weighted one finds more than four, and the price is that nearly two good ones in ten are wronged, so that its grey bar is **shorter**.
#
# So "is weighting better?" is the wrong question. The right one: what costs more, to miss a bad review or to wrong a good one? To soothe angry guests, weight; to hand out prizes for good reviews, don't. Where nobody can say, report both recalls, or macro-F1, and not accuracy alone. And weights make no new examples: 70 bad reviews teach what they teach, and for more than that, some dozens more have to be labelled.
#
# There is another way, without any training. What the model gives is a probability of "bad", and it says "bad" from one half on; that line is the **decision threshold**, and nobody says that it must be one half. Lower it, and recall rises while precision (of those called bad, how many are) falls: together the **precision-recall curve**, again for a shop of nine to one. **Guess**: how far apart are the curves of the two models?

# %%
import torch


def sure_of_bad(trainer, split):
    answers, truth = map(torch.tensor, trainer.answers(split))
    return answers.softmax(-1)[:, 0], truth == 0


def found_and_wronged(sure, bad, cut):
    return (sure[bad] >= cut).float().mean().item(), (sure[~bad] >= cut).float().mean().item()


# %%
fig, axes = lk.plots.figure(6.4, 3.2)
asked, looks = (
    {},
    zip(trainers.items(), (tr("不加权", "unweighted"), tr("加权", "weighted")), lk.plots.COLOURS, strict=False),
)
for (weights, trainer), name, colour in looks:
    asked[weights] = sure, bad = sure_of_bad(trainer, "test")
    points = [found_and_wronged(sure, bad, cut) for cut in [*sure.sort().values[5:-5].tolist(), 0.5]]
    recall, precision = zip(*((100 * r, 100 * 0.1 * r / (0.1 * r + 0.9 * w)) for r, w in points), strict=True)
    axes.plot(recall[:-1], precision[:-1], color=colour, label=name)
    axes.plot(recall[-1], precision[-1], "o", color=colour, ms=9)
axes.axhline(10, color="#888888", ls=":")
axes.set(title=tr("拉动那条线", "Moving the line"), xlim=(0, 100), ylim=(0, 100))
axes.set(xlabel=tr("差评召回率（%）", "recall of bad (%)"), ylabel=tr("差评精确率（%）", "precision of bad (%)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：圆点是五成的线，点虚线是闭着眼睛指认的精确率（店里差评占一成）。两条曲线缠在一起，圆点却在不同的地方：加权没有造出一条更好的曲线，只是沿着同一条曲线**挪了位置**；挪阈值做的是同一件事，不花一秒训练，事后还能改。请看纵轴：在这样的店里，找得出四成差评的时候，指认的五条里真的也就一条上下。
#
# 线放在哪里，用**验证集**定，不用测试集。老板说：冤枉好评不得超过两成。**猜**：在这条规矩下，不加权的那个找得出几成差评？和加权的比呢？

# %% [markdown] lang="en"
# **Reading it**: dots are the line at one half, and the dotted line is the precision of pointing blindly (one in ten is bad in this shop). The curves are entangled, the dots are in different places: weighting has not made a better curve, it has **moved along** the same one. Moving the threshold does just that, takes no training, and can be changed afterwards. Mind the height: in such a shop, where four bad reviews in ten are found, only about one in five of those accused is really bad.
#
# Where to put the line is settled by the **validation rows**, not by the test. The owner says: no more than two good reviews in ten may be wronged. **Guess**: under that rule, how many of the bad ones does the unweighted model find, and how does it compare with the weighted one?

# %%
lk.guess("07.5", 30, 50)

# %%
for weights, trainer in trainers.items():
    sure, bad = sure_of_bad(trainer, "valid")
    cut = sure[~bad].quantile(0.8).item()
    recall, wronged = found_and_wronged(*asked[weights], cut)
    expect(f"cut {weights}", 100 * recall, guess="07.5" if weights == "none" else None)
    expect(f"wronged {weights}", 100 * wronged)

# %% [markdown] lang="zh"
# 64 和 64（180 条差评，每边七个点），分不出高下：70 条差评的两个模型，给同样的线，就是同样的本事。还请看第二个数：规矩说两成，测试行上冤枉了四分之一。验证集上好评只有六十来条，从那里定的线也带着误差；把规矩写进合同之前，先给它留出余地。

# %% [markdown] lang="en"
# 64 and 64 (180 bad reviews: seven points to each side), not to be told apart: with the same line, the two models that learned from 70 bad reviews can do the same. Mind the second number, too. The rule said two in ten, and on the test rows a quarter of the good reviews are wronged. The line was set by a few dozen good validation rows, and so it has an error of its own; leave some room before you put a rule into a contract.

# %% [markdown] lang="zh"
# ## 6 标错的标签
#
# > **理论 ⑥** 模型受得了一些错的标签，因为对的彼此一致，错的各错各的；学过之后，它还能指出哪些像是错的。
#
# 把训练集里一部分标签翻过来，测试集不动。**猜**：翻一成，准确率掉几个百分点？翻四成呢？（翻五成，就什么也没有教。）

# %% [markdown] lang="en"
# ## 6 Wrong labels
#
# > **Theory ⑥** A model can bear some wrong labels, because right ones agree with each other and wrong ones each go wrong in their own way; having learned, it can even point at those that look wrong.
#
# Turn some labels of the training set round and leave the test set alone. **Guess**: with one in ten turned, how many points of accuracy are lost? With four in ten? (With five in ten, nothing has been taught.)


# %%
def flipped(share, rows=corpus.train):
    wrong = set(random.Random(0).sample(range(len(rows)), round(share * len(rows))))
    new = tuple(replace(row, target=1 - row.target) if i in wrong else row for i, row in enumerate(rows))
    return replace(corpus, train=new), {rows[i].input for i in wrong}


shares = (0, 0.1, 0.2, 0.3, 0.4)
noisy = {tr("头", "head"): [], "TF-IDF": []}
for share in shares:
    noisy[tr("头", "head")].append(100 * trained(flipped(share)[0])[1].test_accuracy)
    noisy["TF-IDF"].append(100 * lk.baseline(flipped(share)[0]).test_accuracy)

# %%
fig, axes = lk.plots.figure(6.4, 3.0)
for (name, values), look, colour in zip(noisy.items(), ("o-", "s--"), lk.plots.COLOURS, strict=False):
    axes.plot([100 * share for share in shares], values, look, color=colour, label=name)
axes.axhline(50, color="#888888", ls=":")
axes.set(title=tr("标错多少，掉多少", "What wrong labels cost"), xlabel=tr("标错的行（%）", "wrong labels (%)"))
axes.set_ylabel(tr("测试准确率（%）", "test accuracy (%)"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：标错一成，头大约掉两三个点；两成，四五个点；到四成，掉到 60 % 以下，离瞎猜不远了。不是一路直线：前两成缓，往后陡。错的标签各错各的，十条里错一条，另外九条仍然说着同一句话；错到四成，话就听不清了。TF-IDF 走的是同一条路，有时高一点，有时低一点，360 行测试分不出高下。所以**理论 ⑥** 的前半成立，但请注意，这里是**随便**翻的；要是标注员总把“反话”标成好评，错就不再各错各的，一成也会很贵。
#
# 现在让模型来拣。翻一成，400 行里有 40 行是错的，我们假装不知道。练一个头，把训练行按损失从大到小排：损失大，就是“标签这么说，我不信”。`lk.worst` 做的就是这件事。**猜**：最前面的 40 行里，有几行真是错的？（随手拿 40 行，大约 4 行。）

# %% [markdown] lang="en"
# **Reading it**: with one label in ten wrong the head loses two or three points; with two, four or five; with four it falls below 60 %, not far from guessing. It is no straight line: gentle up to two in ten, steeper after that. Wrong labels each go wrong in their own way, and where one in ten does, the other nine still say the same; at four in ten the voice is lost in the noise. TF-IDF goes the same way, now a little higher, now a little lower; 360 test rows cannot tell the two apart. So the first half of **theory ⑥** holds. But mind that we turned labels **at random**; if an annotator always takes irony for praise, the errors no longer disagree, and one in ten may be dear.
#
# Now let the model pick. With one in ten turned, 40 of the 400 rows are wrong, and we pretend not to know. Train a head, and put the training rows in order of their loss, largest first: a large loss means "so says the label, but I don't believe it". That is what `lk.worst` does. **Guess**: of the first 40 rows, how many are really wrong? (Of any 40 rows about 4.)

# %%
lk.guess("07.6", 20, 35)

# %%
spoiled, wrong = flipped(0.1)
suspects = lk.worst(trained(spoiled)[0].model, spoiled.train, 400, max_length=64)
hits = [one.example.input in wrong for one in suspects]
caught = [sum(hits[: k + 1]) for k in range(400)]
expect("first 40", caught[39], guess="07.6")
fig, axes = lk.plots.figure(6.4, 3.0)
axes.plot(range(1, 401), caught, color="#4477aa", label=tr("按损失读", "by loss"))
axes.plot((0, 400), (0, 40), color="#888888", ls=":", label=tr("随便读", "in any order"))
axes.set(title=tr("读多少行，找出多少错", "Rows read, errors found"), xlabel=tr("读了的行", "rows read"))
axes.set_ylabel(tr("找出的错标签（行）", "wrong labels found (rows)"))
axes.legend()
fig

# %% tags=["nbval-ignore-output"]
for one in suspects[:5]:
    print("✗" if one.example.input in wrong else "·", one.truth, one.example.input[:24])

# %% [markdown] lang="zh"
# **读图**：✗ 是真标错的，· 不是。按损失读 40 行，找得出十行多一点，是随便读的两三倍；读 120 行，找得出一半以上。有用，但不是魔法：损失大的其余那些，是反话、是短得没头没尾的、是模型本来就不会的，而这些同样值得一读。可以更准吗？这里的模型学过这些行，连错的也背了一点；换一个没学过它们的来说话，会好一些，练习 07.5 就做这件事。**别自动删掉**损失大的行：删掉的多半是难的，不是错的；让模型排队，请人来看。

# %% [markdown] lang="en"
# **Reading it**: ✗ has a wrong label, · has not. Reading 40 rows in order of their loss finds ten and some, two or three times as many as reading at random; 120 rows find more than half. That is useful, and no magic: the others with a large loss are ironical, or too short to tell, or simply beyond the model, and they are worth reading, too. Could it be sharper? This model was taught these rows, and has learned a bit of the wrong ones by heart; one that was not taught them would do better, and exercise 07.5 does just that. **Don't delete** rows of large loss by machine: what would go is mostly hard and not wrong. Let the model form the queue, and a person do the reading.

# %% [markdown] lang="zh"
# ## 7 泄漏
#
# > **理论 ⑦** 太好的成绩要当坏消息查：训练里有一样东西，用的时候不会有。
#
# 店铺系统有个习惯：买家超时不评，就自动写上好评，并在后面盖个章“（默认）”。于是一部分好评带着章，训练集有，测试集也有，因为都来自同一个文件。我们给六成的好评盖上章。**猜**：TF-IDF 的测试准确率会升到多少？（拿去判没有章的新评论，又是多少？）

# %% [markdown] lang="en"
# ## 7 Leakage
#
# > **Theory ⑦** A score that is too good is bad news until looked into: something is there in training that won't be there in use.
#
# The shop's system has a habit: where buyers don't review in time, it files a good review for them and stamps it "（默认）", "default". So some of the good ones carry the stamp, in the training set and in the test set alike, since both come from one file. We stamp six in ten of the good ones. **Guess**: how far up does the test accuracy of TF-IDF go? (And what is it on new reviews, without stamps?)


# %%
lk.guess("07.7", 0.75, 0.85)


# %%
def stamped(rows, share=0.6):
    rng = random.Random(1)
    return tuple(replace(r, input=r.input + "（默认）") if r.target and rng.random() < share else r for r in rows)


leaky = replace(corpus, train=stamped(corpus.train), valid=stamped(corpus.valid), test=stamped(corpus.test))
found = [*ask_both(leaky, tr("有章", "stamped"), corpus.test), *ask_both(corpus, tr("没有章", "none"), corpus.test)]
expect("stamped", found[0][1] / 100, guess="07.7")
draw(found, tr("一个太好的成绩", "A score that is too good"))

# %% [markdown] lang="zh"
# **读图**：有章的测试，TF-IDF 升到 90 %，头也从 74 % 升到 83 %；同样两个模型，去判没有章的新评论，反而比从没见过章的低了五个点上下。泄漏不只是虚报，它还**教坏**：有章可看，就不去学评论说了什么。要是没有蓝条，你会高高兴兴把 90 % 的那个装上去。这就是**理论 ⑦**。
#
# 怎么找？泄漏总有一个样子：某一小段文字，出现在**很多**行里，而且几乎**只**在一类里。数一数就行。“难吃”也只在差评里，可它出现在几行里？**猜**：下面打印的第一名，是章的一片，还是一个好词坏词？

# %% [markdown] lang="en"
# **Reading it**: on the stamped test TF-IDF rises to 90 %, and the head from 74 % to 83 %; on new reviews without stamps the same two are some five points **below** those that never saw one. A leak does not only boast, it **spoils**: with stamps to look at, what the review says need not be learned. Without the blue bars you would gladly have installed the one with 90 %. That is **theory ⑦**.
#
# How to find it? A leak has a look: some small piece of text stands in **many** rows, and nearly **only** in one class. Counting will do. Words like 难吃 ("tastes bad") stand in bad reviews only as well, but in how many? **Guess**: what will be first in the list below, a piece of the stamp or a word of praise or blame?

# %%
lk.guess("07.7b", choice="word")

# %%
from collections import Counter

seen = [Counter(), Counter()]
for row in leaky.train:
    seen[row.target].update({row.input[i : i + 2] for i in range(len(row.input) - 1)})
pieces = {piece: (seen[0][piece], seen[1][piece]) for piece in seen[0] | seen[1]}
lean = sorted(pieces, key=lambda piece: (min(pieces[piece]) - max(pieces[piece]), piece))
for piece in lean[:8]:
    print(piece, *pieces[piece])
lk.scored("07.7b", "stamp" if set(lean[0]) <= set("（默认）") else "word")

# %% [markdown] lang="zh"
# **读结果**：每一行是一对字，后面是它在差评、好评里各出现在几行。章的几片远远排在前面，0 对一百多（“。（”“了（”也是章的边）；后面的才是真话，差距不过十来行。量级上的断层，就是泄漏的指纹。堵上它很容易（读文件时删掉章），难的是想到去查；所以请养成习惯：**成绩跳了，先庆祝一分钟，再查一小时**。`lk.diagnose(run, corpus)` 会替你查重复和过好的分数，却不知道你的店有什么章，这一步要你自己来。

# %% [markdown] lang="en"
# **Reading it**: each line is a pair of characters, and in how many bad and good reviews it stands. The pieces of the stamp are far ahead, none against more than a hundred (。（ and 了（ are its edges, too); what follows are honest words, and there the two counts lie only a dozen rows apart. That break in scale is the fingerprint of a leak. Stopping it is easy (delete the stamp while reading); what is hard is to think of looking. So make it a habit: **when a score jumps, celebrate for a minute and search for an hour**. `lk.diagnose(run, corpus)` looks for repetitions and scores that are too good, but it cannot know what stamps your shop has; that is left to you.

# %% [markdown] lang="zh"
# ## 8 小结
#
# | | 一句话 | 量出来的 |
# |---|---|---|
# | ① | 放过的毛病，模型会学走 | 成立：62 行有下落，列名不对就拒绝（1） |
# | ② | 丢掉的找不回来 | 成立，但要看疼不疼：剪到 32，三成行挨剪，只掉一两个点；剪到 8，掉九个点（2） |
# | ③ | 长短相近的坐一起 | 成立：空气从一半降到几个百分点（3） |
# | ④ | 测试要用没见过的 | 成立，而且挑人：会背的高估十一个点，背不动的不高估（4） |
# | ⑤ | 准确率只听多数类的 | 成立：什么也不做的得 90 %，最高（5） |
# | ⑥ | 错的标签各错各的 | 前半成立，一成只掉两三个点；后半：按损失读，找到的是随便读的两三倍，不是魔法（6） |
# | ⑦ | 太好的成绩是坏消息 | 成立：测试成绩虚涨九到十六个点，用起来反而低五个点（7） |

# %% [markdown] lang="en"
# ## 8 In short
#
# | | in a sentence | what the measurements say |
# |---|---|---|
# | ① | what is let through is learned | holds: 62 rows accounted for, and a wrong column refused (1) |
# | ② | what is lost stays lost | holds, but see whether it hurts: at 32 three rows in ten are cut and a point or two is lost; at 8 nine points (2) |
# | ③ | like lengths share a batch | holds: air falls from half to a few per cent (3) |
# | ④ | a test wants unseen rows | holds, and takes sides: who can memorise is flattered by eleven points, who can't is not (4) |
# | ⑤ | accuracy listens to the majority | holds: doing nothing gets 90 %, the best of all (5) |
# | ⑥ | wrong labels disagree | the first half holds, one in ten costs two or three points; the second: reading by loss finds two or three times as many as reading at random, and is no magic (6) |
# | ⑦ | too good is bad news | holds: the test score swells by nine to sixteen points, and in use five are lost (7) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学说：“我换了一个更大的模型，全量微调，测试从 78 % 升到 89 %，冻结的头只有 73 %，可见冻结不行。”他的数据是从网上抓来的，没有查过重复。你会先做哪两件事？
#
# <details><summary>展开答案</summary>
#
# 先用 `lk.diagnose(run, corpus)` 或按 `same_text` 归组，数一数测试集有多少行训练里也有（理论 ④）；再按组重新划分，三个模型都重跑。第 4 节里，同一份脏划分让全量微调多报了十一二个点，头一点也没多报：他的名次里，有多少是“谁更会背”，重跑以前谁也不知道。
#
# </details>

# %% [markdown] lang="zh"
# **二**　医院的数据里，一百个病人有两个是阳性。模型甲准确率 98 %，乙 91 %。能不能说甲更好？你要看什么？
#
# <details><summary>展开答案</summary>
#
# 不能。永远说“阴性”就有 98 %（理论 ⑤）。看阳性的召回率：找出了几个；再看精确率：说是阳性的，有几个真是。然后问价钱：漏掉一个，和多查一个，哪个贵？两个阳性的召回率，误差大得惊人，所以还要看测试里一共有多少个阳性。
#
# </details>

# %% [markdown] lang="zh"
# **三**　有人建议：“练一个模型，把训练集里损失最大的 10 % 删掉，再练一遍，数据就干净了。”哪里不对？怎样改？
#
# <details><summary>展开答案</summary>
#
# 损失大的行里，真标错的只有两三成（第 6 节），其余是难的：删掉它们，模型就再也学不会难的，而测试里难的还在。要是连测试集也这样“清洗”，成绩会变好看，却是假的。改法：用没学过这些行的模型来排队（练习 07.5），请人看前面的，改标签而不是删行；测试集另请两个人标，分歧单独记下来。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student says: "With a larger model and full fine-tuning my test went from 78 % to 89 %; the frozen head has just 73 %. So freezing is no good." The data were collected from the web, and nobody looked for repetitions. Which two things do you do first?
#
# <details><summary>Open the answer</summary>
#
# Count how many test rows stand among the training rows as well, by `lk.diagnose(run, corpus)` or in groups of `same_text` (theory ④); then split anew by groups, and run all three models again. In section 4 the same dirty split flattered full fine-tuning by eleven or twelve points and the head by none: how much of this ranking is "who memorises best", nobody can say before that.
#
# </details>

# %% [markdown] lang="en"
# **Two.** In a hospital's data two patients in a hundred are positive. Model A has an accuracy of 98 %, model B 91 %. Is A better? What do you want to see?
#
# <details><summary>Open the answer</summary>
#
# One can't tell. To say "negative" always gives 98 % (theory ⑤). Look at the recall of the positives, how many were found; then at the precision, how many of those called positive are. Then ask for the price: is it dearer to miss one, or to examine one too many? And the recall of two positives has an enormous error, so ask how many positives there were in the test.
#
# </details>

# %% [markdown] lang="en"
# **Three.** Somebody proposes: "Train a model, delete the 10 % of the training rows with the largest loss, train again, and the data are clean." What is wrong with that? How would you change it?
#
# <details><summary>Open the answer</summary>
#
# Of the rows with a large loss only two or three in ten really have a wrong label (section 6); the others are hard. Without them the model will never learn the hard ones, which are still in the test. And if the test were "cleaned" in this way as well, its score would look better and be false. Instead let a model that was not taught these rows form the queue (exercise 07.5), have a person read its front, and correct labels rather than delete rows; have the test set labelled by two people, and note down where they disagree.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：`lk.ui.Data("我的.csv", text="…", label="…")`，先看丢了什么、截断了什么，再数一遍第 7 节的成对的字。
# - **练习 07**：读脏文件，按组划分，给少数的一类加权，找泄漏，揪出标错的行，按词元数排座位。
# - **笔记 08**：数据干净了，模型也练好了。它到底好不好？

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: `lk.ui.Data("mine.csv", text="…", label="…")`; see first what is dropped and what is cut, then count the pairs of section 7.
# - **Exercises 07**: read a dirty file, split by groups, weigh the rare class, find a leak, point out wrong labels, seat rows by tokens.
# - **Notebook 08**: the data are clean and the model is trained. Is it any good?
