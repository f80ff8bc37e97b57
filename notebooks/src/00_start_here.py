# %% [markdown] lang="zh"
# # 00 · 从这里开始
#
# 这门课教一件事：拿一个读过很多书的语言模型，用不多的例子，把它变成替你干活的帮手。这叫**微调**。学法也只有一种：动手。每讲一句道理，就有一个实验来验它；每做一个实验，先请你猜。
#
# 所有东西都在你这台机器上，不用显卡，不用网络，也不用注册。怎么运行？点一下灰色的代码格，按 **Shift + Enter**，它就运行，并跳到下一格。从上往下，一格也别跳过。
#
# **全部做完以后，你能够**
#
# 1. 用自己的数据微调一个模型，说得出它有多准、误差多大；
# 2. 挑对训练的方式：全量、冻结、LoRA，各要多少时间、内存和例子；
# 3. 写出训练循环和优化器，结果与 PyTorch 的对得上；
# 4. 从曲线和错题里看出毛病，并修好它。
#
# 这一本只要十几分钟：先微调第一个模型，再认识四样会一直用到的东西：面板，猜，安全绳，练习。

# %% [markdown] lang="en"
# # 00 · Start here
#
# This course teaches one thing: to take a language model that has read a great deal and, with not too many examples, make it a helper that does your work. That is **fine-tuning**. There is one way of learning it here, by doing: each sentence of theory has an experiment that tests it, and before each experiment you are asked to guess.
#
# Everything is on this machine; you need no graphics card, no network, no account. How do you run things? Click on a grey code cell and press **Shift + Enter**: it runs, and the next one is chosen. Go from top to bottom and skip none.
#
# **At the end of the course you will be able to**
#
# 1. fine-tune a model on data of your own, and say how good it is and how sure you are of that;
# 2. choose how to train (everything, frozen, LoRA), and say what each costs in time, memory and examples;
# 3. write the training loop and the optimizers, and see them agree with PyTorch's own;
# 4. see from curves and mistakes what is wrong, and mend it.
#
# This notebook takes a quarter of an hour: first you fine-tune a model, then you meet four things that come back all the time: panels, guesses, the safety rope, and exercises.

# %% [markdown] lang="zh"
# 第一格选语言。想读英文版：打开 `notebooks/en` 文件夹里同名的一本；或者把下面的 `"zh"` 换成 `"en"` 再运行，图、面板和报错就都说英文。

# %% [markdown] lang="en"
# The first cell chooses the language. For Chinese, open the notebook of the same name in the folder `notebooks/zh`; or put `"zh"` in place of `"en"` below and run it again, and figures, panels and messages speak Chinese.

# %% tags=["setup"]
LANG = "zh"

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## 1 现在就微调一个
#
# 五行：读数据（自带的中文评论，标着褒贬），载入一个读过书、还没听过我们问题的小模型，训练，考试。第一次运行要等几秒。**猜**：瞎猜能对一半；看过 400 条评论之后，没见过的评论它能判对几成？（下面一格先放着我们的猜测；换成你的两个数，才算你的。第 4 节会说怎么记账。）

# %% [markdown] lang="en"
# ## 1 Fine-tune one, now
#
# Five lines: read the data (Chinese reviews that come with the kit, each marked as praise or complaint; they carry English glosses), load a small model that has read much but was never asked our question, train it, examine it. The first run takes some seconds. **Guess**: guessing blindly is right half of the time. After 400 reviews, how many of those that it has never seen will it judge rightly? (The cell below holds a guess of ours; put two numbers of your own, and it is yours. Section 4 tells how it is kept.)

# %%
lk.guess("00.1", 0.85, 0.95)

# %%
MODEL, DEVICE = lk.equipment()
corpus = lk.reviews(limit=400)
model = lk.load(MODEL, labels=corpus.labels)
config = lk.TrainConfig(max_length=96, device=DEVICE, precision="fp32")
run = lk.Trainer(model, corpus, lk.TopK(1), config).fit()

# %% [markdown] lang="zh"
# 完成了，你有了第一个微调过的模型。它考得怎样？

# %% [markdown] lang="en"
# Done: you have a fine-tuned model, your first. How did it do in the exam?

# %%
expect = lk.expect("00")
expect("test", run.test_accuracy, guess="00.1")

# %%
lk.plots.network(model, lk.TopK(1))

# %% [markdown] lang="zh"
# 大约四条里对三条。不算高：只看了 400 条，只训练了头和最上面的一层（图里红的；灰蓝的冻着。这幅图以后每本都有）。笔记 01 会从头做一遍，并且告诉你这样一个数有多大的误差。
#
# 现在问它几句。横条是它给“正面”的概率，0.5 是分界。运行之后，把引号里的话换成你自己的，再运行一次，想办法骗倒它。

# %% [markdown] lang="en"
# About three in four. That is not much: it has seen only 400 reviews, and only the head and the top layer were trained (red in the drawing; grey-blue is frozen. Every notebook has this drawing). Notebook 01 does it from the beginning, and tells how large the error of such a number is.
#
# Now ask it something. The bars are the probability that it gives to "positive", and 0.5 is the border. The three sentences say "tasty, quick, will order again", "dirty, noisy, not recommended" and "waited for two hours". After running it, put sentences of your own between the quotes, run again, and try to fool it.

# %%
mine = ["味道好，送得快，还会再点", "又脏又吵，不推荐", "等了两个小时"]

# %%
answers = {answer.input: answer.probabilities["positive"] for answer in lk.predict(model, mine)}
lk.plots.bars(answers, tr("判为正面的概率", "Probability of positive"), tr("概率", "probability"))

# %% [markdown] lang="zh"
# **读图**：直话它听得明白。第三句一个褒贬的字也没有，要靠常识；在我们这里模型给了 0.4，站在负面一边，却没有多少把握。你的呢？笔记 01 会说它靠的是什么，笔记 08 会认真地考它。

# %% [markdown] lang="en"
# **Reading it**: plain speech it understands. The third holds no word of judgement and takes common sense; with us the model gave it 0.4, on the negative side but with little conviction. And yours? Notebook 01 tells what it goes by, and notebook 08 examines it in earnest.

# %% [markdown] lang="zh"
# ## 2 机器齐不齐
#
# 刚才那几格能跑，就说明要紧的都在。下面列出各个零件的版本，最后一行是缺少的（`[]` 就是不缺）。以后哪里出了问题，先看这张表；在终端里敲 `labkit doctor`，还会告诉你设备、内存、磁盘，缺什么、怎么装。

# %% [markdown] lang="en"
# ## 2 Is everything here?
#
# That the cells above have run means that what matters is here. Below are the versions of the parts, and in the last line those that are missing (`[]` means none). When something goes wrong some day, look here first; in a terminal, `labkit doctor` also tells about device, memory and disk, what is missing, and how to get it.

# %%
for package, version in lk.machine.versions().items():
    print(f"{package:14} {version}")
print(tr("缺少：", "missing:"), [package for package in lk.machine.PACKAGES if lk.machine.version(package) is None])

# %% [markdown] lang="zh"
# ## 3 面板：先动手，再看代码
#
# 课里有许多**面板**：左边是旋钮，右边是图。下面这块做的是和第 1 节一样的事，只是更省：160 条评论，只训练头。动手试一试：拖学习率，按**运行**，看曲线长出来；中途按**停止**，再按**继续**。做坏了没关系，再运行一遍这一格，它就是新的。
#
# 面板不藏东西：最下面一行是它要运行的代码，按**复制**就能带走。

# %% [markdown] lang="en"
# ## 3 Panels: first by hand, then in code
#
# There are many **panels** in this course, knobs on the left, a picture on the right. The one below does what section 1 did, only cheaper: 160 reviews, and nothing but the head is trained. Try it: drag the learning rate, press **Run** and watch the curves grow; press **Stop** on the way, then **Resume**. You can't break anything: run the cell again and it is as new.
#
# A panel hides nothing. Its last line is the code that it will run, and **Copy** takes it with you.

# %%
panel = lk.ui.Train(corpus.limit(160), MODEL, out=None)
panel.set(strategy="head", epochs=3, lr=2e-3, max_length=96, device=DEVICE, precision="fp32")
panel

# %% [markdown] lang="zh"
# 每块面板旁边都有一格**孪生的代码**：先替你按一次按钮，再用代码做同一件事。

# %% [markdown] lang="en"
# Beside each panel stands its **twin in code**: it presses the button for you once, and then does the same in plain code.

# %%
panel.run_button.click()
panel.wait()
panel.report()

# %%
config = lk.TrainConfig(epochs=3, lr=2e-3, max_length=96, device=DEVICE, precision="fp32")
twin = lk.Trainer(lk.load(MODEL, labels=corpus.labels), corpus.limit(160), lk.HeadOnly(), config).fit()
print(twin.steps == panel.result.steps)

# %% [markdown] lang="zh"
# 每一位都相同。所以面板上试出来的，代码里都能重做；代码里学会的，面板上都看得见。

# %% [markdown] lang="en"
# Every digit. What you find with a panel you can do again in code, and what you learn in code you can see on a panel.

# %% [markdown] lang="zh"
# ## 4 猜，和安全绳
#
# 每个实验前都写着**猜**。请真的写下来，哪怕只写在纸边：看着答案点头很容易，猜错一次才记得牢。
#
# 实验里的数，换台机器会差一点。所以课里用 `lk.about` 打印它们：先印你量到的数，再印我们的参考值和允许的范围；你的数不在范围里，中间有一个 ✗。看见 ✗ 不是你错了，而是这里和我们的机器不一样，值得停下来想想为什么。
#
# 写得成一个数、或一个选择的猜测，可以**记账**。`lk.guess("02.10", 2, 6)` 说的是：笔记 02 第 10 节那个数，我有八成把握在 2 和 6 之间（`sure=0.9` 就是九成）；`choice=` 是选一个；只写编号，会出来一个滑块。给了就锁住，实验在后面印一行：在里面，还是在外面。格子里先放着的是**我们的**猜测，好让笔记从头跑到尾，不记在你账上：换成你自己的再运行。看过结果才猜的，记下来，不计分。`lk.progress()` 把账算给你看：说八成把握的，守住的有没有八成？
#
# **猜**：下面两行，哪一行会有 ✗？我们先猜头发丝；你要是不同意，把 `"hair"` 换成 `"days"`。

# %% [markdown] lang="en"
# ## 4 Guesses, and the safety rope
#
# Before each experiment it says **guess**. Do write it down, be it on the edge of a newspaper: to nod at an answer is easy, and what one remembers is having guessed wrong.
#
# The numbers of an experiment differ a little from machine to machine. Therefore they are printed by `lk.about`: your number stands first, then our reference and its range, with a ✗ between them where yours lies outside. A ✗ does not mean that you made a mistake; it means that something here is not as it was with us, and is worth a pause.
#
# A guess that is a number or a choice can be **kept**. `lk.guess("02.10", 2, 6)` says: the number of notebook 02, section 10, lies between 2 and 6, and I am 80 % sure (`sure=0.9` makes it 90 %); `choice=` picks an option; with the id alone a slider appears. Once given it is locked, and after the experiment a line says whether it came out inside. What stands in the cell at first is **our** guess, so that the notebook runs from top to bottom; it counts for nobody. Put your own and run the cell. A guess after the result was seen is noted and not scored. `lk.progress()` does the accounts: of what you were 80 % sure of, did 80 % hold?
#
# **Guess** which of these two lines will have a ✗. Our guess is the hair; if you disagree, put `"days"` for `"hair"`.

# %%
lk.guess("00.4", choice="hair")

# %%
lk.about(tr("头发丝的粗细（毫米）", "width of a hair (mm)"), 0.08, 0.07, 0.03)
lk.about(tr("一周有几天", "days in a week"), 8, 7, 0)
lk.scored("00.4", "days")

# %% [markdown] lang="zh"
# ## 5 练习：自己会批改
#
# 每本笔记都有一本同号的**练习**，在 `exercises/zh` 文件夹里。每道题给一个写了一半的函数，你写完，运行下面的 `check`，它当场批改。这里先看它怎么说话，不算数：下面第一格把成绩簿换成一张草稿纸。
#
# 借练习 01 的第二题一用：一批里有长有短，短的要补齐，补出来的格子占多少？长度 2 和 4 的两行放在一批，一共 8 格，补了 2 格，答案是 0.25。先交一个错的。

# %% [markdown] lang="en"
# ## 5 Exercises that mark themselves
#
# To each notebook belong **exercises** of the same number, in the folder `exercises/en`. Each gives you a function half written; you finish it and run the `check` below it, which marks it on the spot. Here we only see how it talks, and nothing counts: the first cell puts a scrap of paper in place of the mark book.
#
# We borrow the second one of exercises 01. A batch has long rows and short ones, and the short are filled up; what share of the squares is filling? Two rows of lengths 2 and 4 in a batch make 8 squares, 2 of them filling, so the answer is 0.25. First hand in a wrong one.

# %%
import os
import tempfile

mark_book = os.environ.get("LABKIT_PROGRESS")
os.environ["LABKIT_PROGRESS"] = tempfile.mkdtemp()


# %%
def padding_share(lengths, batches):
    return 0.5


lk.check("01.2", padding_share)

# %% [markdown] lang="zh"
# 它不只说错，还说给了什么、该得什么、你得了什么。再错一次，就多给一个提示；三个提示之后，告诉你去哪里读。换一个认真些、但仍然错的：每批各算一个比例，再取平均。

# %% [markdown] lang="en"
# It does not just say wrong; it says what was given, what was wanted, and what you gave. Fail again and you get a hint; after three hints it tells you where to read. Now a more earnest answer, which is wrong still: a share for each batch, and then their mean.


# %%
def padding_share(lengths, batches):
    shares = [1 - sum(lengths[i] for i in b) / (len(b) * max(lengths[i] for i in b)) for b in batches]
    return sum(shares) / len(shares)


lk.check("01.2", padding_share)

# %% [markdown] lang="zh"
# 看，它认出了这是哪一种错。照提示改：先把格子和真词元各自加起来，最后只除一次。

# %% [markdown] lang="en"
# See: it recognised which mistake this is. Follow the hint: add up all squares and all real tokens first, and divide just once.


# %%
def padding_share(lengths, batches):
    real = sum(lengths[i] for b in batches for i in b)
    computed = sum(len(b) * max(lengths[i] for i in b) for b in batches)
    return 1 - real / computed


lk.check("01.2", padding_share)

# %% [markdown] lang="zh"
# 成绩簿随时可以看：`lk.progress()` 列出全部练习，`lk.progress("01")` 只列一课。关掉笔记本再打开，进度还在。

# %% [markdown] lang="en"
# The mark book is open at any time: `lk.progress()` lists all exercises, `lk.progress("01")` those of one lesson. It is still there when you have closed the notebook and opened it again.

# %%
lk.progress("01")

# %%
os.environ.pop("LABKIT_PROGRESS")  # the scrap of paper goes
if mark_book:
    os.environ["LABKIT_PROGRESS"] = mark_book

# %% [markdown] lang="zh"
# ## 6 往哪里走
#
# | 笔记 | 问的是 | 要多久 |
# |---|---|---|
# | **01 第一次微调** | 从一张表到一个模型，每一步里面是什么？ | 85 分钟 |
# | **02 冻结还是不冻结** | 训练哪一部分？数据少就该冻结吗？ | 60 分钟 |
# | **03 训练一小片** | LoRA、适配器、前缀：只加一点点，够吗？ | 75 分钟 |
# | **04 优化器** | 怎样走下山？ | 45 分钟 |
# | **05 训练循环，当场看** | 循环里的每个零件管什么？ | 60 分钟 |
# | **06 预训练与微调** | 读过的书值多少条标签？ | 35 分钟 |
# | **07 数据** | 模型从数据里学走了什么？ | 35 分钟 |
# | **08 它好吗** | 分数后面是什么？ | 45 分钟 |
# | **09 哪里会出错** | 坏掉的训练怎样认，怎样救？ | 30 分钟 |
#
# 按号码走最顺；01 是一切的底子。赶时间的话，01、02、08 三本自成一圈。带着自己的数据来的，现在就可以把 `corpus` 换成 `lk.load_csv("我的评论.csv")`（两列：`text,label`），再运行一遍第 1 节。
#
# 打开 `01_first_finetune.ipynb`，我们从一句“等了两小时，面都坨了”说起。

# %% [markdown] lang="en"
# ## 6 Where to go
#
# | notebook | what it asks | takes |
# |---|---|---|
# | **01 Your first fine-tune** | from a table to a model: what is inside each step? | 85 minutes |
# | **02 Freeze or not?** | which part should train? With little data, freeze? | 60 minutes |
# | **03 Training a sliver** | LoRA, adapters, prefixes: is so little enough? | 75 minutes |
# | **04 Optimizers** | how does one get down the mountain? | 45 minutes |
# | **05 The training loop, live** | what does each part of the loop do? | 60 minutes |
# | **06 Pretraining and fine-tuning** | how many labels is having read worth? | 35 minutes |
# | **07 Data** | what does a model take from its data? | 35 minutes |
# | **08 Is it good?** | what stands behind a score? | 45 minutes |
# | **09 What goes wrong** | how does one know a broken run, and save it? | 30 minutes |
#
# They are best taken in order; 01 is the ground for all. If time is short, 01, 02 and 08 make a round of their own. If you have brought data, put `lk.load_csv("my_reviews.csv")` (two columns, `text,label`) in place of `corpus` and run section 1 again, right now.
#
# Open `01_first_finetune.ipynb`; it begins with the sentence "waited two hours and the noodles had turned to glue".
