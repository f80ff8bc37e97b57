# %% [markdown] lang="zh"
# # 01 · 第一次微调
#
# 有人写下“等了两小时，面都坨了”。你一眼就知道他在生气。机器怎么才能也知道？
#
# 二十年前的办法是列词表：好、棒、赞，加一分；差、慢、烂，减一分。今天的办法是：先让一个网络读很多很多文字，直到它对语言有了感觉——这叫**预训练**；再给它看几百条标好的评论，告诉它我们关心的是哪一个问题——这叫**微调**。这本笔记带你从头到尾做一遍，每一步都不藏着。
#
# **做完以后，你能够**
#
# 1. 把一张带标签的表变成模型能吃的批，并且知道里面有多少是白算的；
# 2. 说清一次训练步里发生了什么，并亲手写出整个训练循环；
# 3. 画出学习曲线，在从未见过的数据上报出带误差的准确率；
# 4. 保存模型，再原样读回来；
# 5. 用四行代码重做这一切，并证明结果相同；
# 6. 看出一份旧脚本错在哪里，错了多少。
#
# **怎么读**：用 Shift + Enter 一格一格往下走，大约 85 分钟。每一格之前有一个问题，先猜一个答案再运行。猜错的地方，正是你要学的地方。需要会一点 Python，见过 PyTorch 的张量；不需要显卡，也不需要网络。

# %% [markdown] lang="en"
# # 01 · Your first fine-tune
#
# Somebody types "waited two hours and the noodles had turned to glue". You know at a glance that they are cross. How could a machine know?
#
# Twenty years ago one made lists: good, great, lovely, plus one; bad, slow, rotten, minus one. Today one lets a network read a great deal of text until it has a feeling for the language, which is called **pretraining**; and then shows it some hundreds of labelled reviews, so that it learns which question we care about. That is **fine-tuning**. This notebook does it with you from beginning to end, and hides nothing on the way.
#
# **At the end you will be able to**
#
# 1. turn a labelled table into batches that a model can eat, and say how much of them is computed for nothing;
# 2. explain what happens in one training step, and write the whole loop yourself;
# 3. draw a learning curve, and report accuracy on unseen rows with its error;
# 4. save a model and get the very same one back;
# 5. do it all again in four lines, and prove that the result is the same;
# 6. see what is wrong with an old script, and by how much.
#
# **How to read it.** Walk from cell to cell with Shift + Enter; it takes about 85 minutes. A question stands before each cell: guess first, then run. Where your guess is wrong, you are learning. You need a little Python and to have met PyTorch's tensors; no graphics card and no network. The reviews are Chinese; each carries an English gloss, so you can follow without reading a character.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# 第一行选语言，`tr(中文, English)` 按它取词，图和输出都跟着走。下一格定三件会反复用到的事：用哪个**预训练模型**，在哪块**设备**上算（`lk.equipment()` 替你看这台机器有什么），最大的**学习率**是多少（第 6 节会讲）。`tiny-bert-zh` 是随包带来的小 BERT，几秒钟就能练完一遍。等你有了显卡和网络，写 `lk.equipment(big=True)`，把学习率换成 `3e-5`，下面的代码照样能跑。

# %% [markdown] lang="en"
# The first line chooses the language, and `tr(Chinese, English)` takes its words from there; figures and outputs follow. The next cell settles three things that we need again and again: which **pretrained model**, on which **device** we compute (`lk.equipment()` looks at what this machine has), and the highest **learning rate** (section 6 explains it). `tiny-bert-zh` is a small BERT that comes with the package and trains in seconds. On the day you have a graphics card and a network, write `lk.equipment(big=True)` and a rate of `3e-5`, and the code below runs as it stands.

# %%
MODEL, DEVICE = lk.equipment()
PEAK = 5e-4

# %% [markdown] lang="zh"
# 再准备一根安全绳。之后每量一个数，就用 `expect` 对一下：先印你的数，再印我们的参考值和范围；出了范围，印一个 ✗。机器不同，小数点后几位不同是正常的；✗ 则值得停下来想一想。参考值放在文件里，不在这里，你可以放心地猜。

# %% [markdown] lang="en"
# And a safety rope. Whenever we measure something, `expect` compares: it prints your number first, then our reference and its range, and a ✗ where you are outside. Another machine gives other last digits, and that is normal; a ✗ is worth a pause. The references are kept in a file and not here, so guess in earnest.

# %%
expect = lk.expect("01")

# %% [markdown] lang="zh"
# ## 1 数据：唯一的老师
#
# > **理论 ①** 凡是能把两类分开的规律，模型都会学，不管你想不想让它学。
#
# 微调没有别的老师，只有数据。所以第一件事永远不是模型，而是看数据：有多少行？两类一样多吗？长短如何？读起来像真人写的吗？（随包的评论有一千多条训练行；`limit(320)` 按比例只取 320 条，让下面每次训练只要几秒。）

# %% [markdown] lang="en"
# ## 1 The data, the only teacher
#
# > **Theory ①** A model learns whatever tells the classes apart, whether you want it to or not.
#
# Fine-tuning has no teacher but the data. So the first thing is never the model; it is to look. How many rows are there? Are the classes equally large? How long are the texts? Do they read as if people had written them? (More than a thousand training rows come with the package; `limit(320)` takes 320 of them, with the same share of each class, so that each training below takes seconds.)

# %%
corpus = lk.reviews().limit(320)
corpus

# %% [markdown] lang="zh"
# 三个部分，三种用途，就像一个学期：
#
# - **训练集**是习题册，答案在书后，模型天天做；
# - **验证集**是模拟考，每轮考一次，用来决定练多久、学习率多大；
# - **测试集**是高考，锁在柜子里，只在最后打开一次。
#
# 为什么要锁？每看一次测试成绩、再回头改一改设置，你就替模型偷看了一眼答案。看十次，成绩就成了自欺。锁要锁得住，还有一个前提：三个部分里没有相同的文本。（在代码里，一行是一个 `lk.Example`：问的是什么，在 `input` 里；该答什么，在 `target` 里，这里是类别的编号。）**猜**：重复了几条？

# %% [markdown] lang="en"
# Three parts with three uses, like a school year:
#
# - the **training set** is the exercise book with the answers at the back; the model works in it every day;
# - the **validation set** is the mock exam, sat once an epoch; it decides how long to practise and how large the steps may be;
# - the **test set** is the final exam. It stays locked up and is opened once, at the end.
#
# Why the lock? Every time you look at the test score and then go back to change a setting, you have peeked at the answers for the model. After ten looks the score deceives you. And the lock only holds if no text stands in two parts. (In code a row is an `lk.Example`: what is asked stands in `input`, what should be answered in `target`, here the number of the class.) **Guess**: how many do?

# %%
lk.guess("01.1", 1, 20)

# %%
train, valid, test = ({row.input for row in rows} for rows in corpus.splits.values())
print(len(train & valid), len(train & test), len(valid & test))
lk.scored("01.1", len(train & valid) + len(train & test) + len(valid & test))

# %% [markdown] lang="zh"
# 一条都没有：读数据时，重复的文本已经被去掉，去掉多少也写在上面那张卡片的末行。
#
# 现在从验证集里读五条，模型训练时不会见到它们。盖住标签，先自己判：正面还是负面？

# %% [markdown] lang="en"
# None: repeated texts are dropped when the data is read, and the last line of the card above says how many that were.
#
# Now read five of the validation rows, which the model will not see while it trains, with the label covered. Judge for yourself first: positive or negative?

# %%
five = [corpus.valid[i] for i in (55, 41, 102, 45, 152)]
for number, row in enumerate(five, start=1):
    print(f"{number}. {row.input}\n   {row.extra.get('gloss', '')}\n")

# %%
for number, row in enumerate(five, start=1):
    print(number, corpus.labels[row.target])

# %% [markdown] lang="zh"
# 你大概全对，而且没费力气。但请留意你用了什么：有人说“快”，其实嫌慢；有人说“后悔”，其实在夸；有人只讲了一件事，一个褒贬的词都没用；还有人连用三个好词，每个前面都藏着一个“不”。数词的办法在这里会摔跤。这五句先记着，第 12 节我们来看模型摔不摔。
#
# 接着问一个看似无聊的问题。**猜**：正面和负面，哪一类写得更长（中位数差三个字以上才算）？生气的人话多，还是高兴的人话多？

# %% [markdown] lang="en"
# You probably had them all, without effort. But notice what you used. One says "fast" and means slow; one says "regret" (wish I had) and is full of praise; one only tells what happened, with no word of judgement at all; and one strings three good words together, each with a "not" before it. Counting words stumbles here. Keep the five in mind: in section 12 we shall see whether the model stumbles too.
#
# Next, a question that seems dull. **Guess**: which class writes longer texts (by a median three characters longer, or more)? Do angry people talk more, or happy ones?

# %%
lk.guess("01.1b", choice="negative")

# %%
medians = []
for label, name in enumerate(corpus.labels):
    sizes = sorted(len(row.input) for row in corpus.train if row.target == label)
    medians.append(sizes[len(sizes) // 2])
    print(name, len(sizes), tr("行，长度中位数", "rows, median length"), medians[label])
lk.scored("01.1b", "alike" if abs(medians[0] - medians[1]) < 3 else corpus.labels[medians[1] > medians[0]])

# %%
lk.plots.lengths(corpus)

# %% [markdown] lang="zh"
# **读图**：两种颜色从左到右几乎各占一半，中位数只差一个字左右。这不是巧合，是写这批数据时特意保持的。回到**理论 ①**：假如负面评论总是更长，模型只要数字数就能得高分，却一点没读懂。这种捷径在真实数据里到处都是，而它只在你换一批数据时才露馅。所以长度、来源、标点，都值得先这样看一眼。

# %% [markdown] lang="en"
# **Reading it**: from left to right the two colours hold about half each, and the medians lie a character apart. That is no accident; it was kept so while the reviews were written. Back to **theory ①**: if negative reviews were always the longer ones, a model could score well by counting characters and would have understood nothing. Such short cuts are everywhere in real data, and they show only when you change to other data. Lengths, sources, punctuation: all deserve this first look.

# %% [markdown] lang="zh"
# ## 2 分词器：从字到整数
#
# > **理论 ②** 模型从来没见过文字，它只见过整数；词表之外的东西，对它来说都是同一个东西。
#
# 网络只会做乘法和加法，所以每个字要先换成一个编号。做这件事的叫**分词器**，它和模型是一对，编号表是预训练时定下的，拆开就不能用了。下面这格读入模型，同时也就拿到了它的分词器。我们把它写成函数 `fresh()`，因为后面会多次需要一个崭新的、没被练过的模型。

# %% [markdown] lang="en"
# ## 2 The tokenizer: from characters to integers
#
# > **Theory ②** A model has never seen text, only integers; and whatever is not in its vocabulary is all the same to it.
#
# A network can only multiply and add, so each character must first become a number. The **tokenizer** does that. It and the model are a pair: the numbering was fixed in pretraining, and apart they are useless. The next cell loads the model and so gets its tokenizer too. We make it a function, `fresh()`, because more than once we shall want a new model that nobody has trained yet.


# %%
def fresh():
    return lk.load(MODEL, labels=corpus.labels).to(DEVICE)


model = fresh()
tokenizer = model.processor

# %% [markdown] lang="zh"
# **猜**：“汤都洒了！”一共五个字符，会变成几个整数？

# %% [markdown] lang="en"
# **Guess**: 汤都洒了！ ("the soup is all spilt!") has five characters. How many integers will it become?

# %%
lk.guess("01.2", 4, 6)

# %%
ids = tokenizer("汤都洒了！")["input_ids"]
print(ids)
print(tokenizer.convert_ids_to_tokens(ids))
lk.scored("01.2", len(ids))

# %% [markdown] lang="zh"
# 七个。中文一字一个编号，前后还各多出一个**特殊符号**：`[CLS]` 站在句首，模型读完全句后，我们就从它的位置取出“整句的意思”去分类；`[SEP]` 表示一句到此为止。另外两个你很快会遇到：`[PAD]` 用来凑长度，`[UNK]` 表示不认识。
#
# 那么反过来呢？把编号还原成文字，会不会原样回来？试一句难的。**猜**：大写的 iPhone、型号 15、生僻字“龘”、表情，四样里几样能原样回来？

# %% [markdown] lang="en"
# Seven. Chinese gets one number per character, and two **special tokens** are added: `[CLS]` stands at the front, and when the model has read the whole sentence we take the meaning of it all from that place, to classify; `[SEP]` says that the sentence ends here. You will soon meet two more: `[PAD]` fills up lengths, `[UNK]` means unknown.
#
# And backwards? Do the numbers turn into the same text again? Try a hard one. **Guess**: of iPhone with its capital, the model number 15, the rare character 龘 and the emoji, how many of the four come back as they were?

# %%
lk.guess("01.2b", 3, 4)

# %%
ids = tokenizer("iPhone15 拍照龘好 😂")["input_ids"]
print(tokenizer.convert_ids_to_tokens(ids))
back = tokenizer.decode(ids, skip_special_tokens=True)
print(back)
lk.scored("01.2b", sum(part in back for part in ("iPhone", "15", "龘", "😂")))

# %% [markdown] lang="zh"
# 大写变成了小写；字母和数字被拆成零件，带 `##` 的接在前一个后面；“龘”成了 `[UNK]`，再也回不来——这就是**理论 ②**：世上所有生僻字，在模型眼里是同一个字。
#
# 这要不要紧，得数了才知道。我们把训练集一次全部编码（一次编完，比一行一行快，第 13 节会量），看看不认识的占多少。`max_length=128` 表示最多留 128 个。

# %% [markdown] lang="en"
# Capitals became small letters; letters and digits are taken apart, and pieces with `##` belong to the piece before; 龘 turned into `[UNK]` and will never come back. That is **theory ②**: all the rare characters of the world are one and the same to the model.
#
# Whether that matters, only counting will tell. We encode the whole training set in one go (which is faster than row by row; section 13 measures it) and see how much is unknown. `max_length=128` keeps at most 128 tokens.

# %%
texts = [row.input for row in corpus.train]
encoded = tokenizer(texts, truncation=True, max_length=128)["input_ids"]
lengths = [len(ids) for ids in encoded]
unknown = sum(ids.count(tokenizer.unk_token_id) for ids in encoded)
print(unknown, "/", sum(lengths))

# %% [markdown] lang="zh"
# 一万多个里不认识的寥寥无几：这张词表配这批数据，没有问题。换成古文、方言或另一种语言，先做这一步，它只要一秒钟，却能省下你好几天的困惑。

# %% [markdown] lang="en"
# A mere handful among more than ten thousand: this vocabulary suits this data. With classical texts, a dialect or another language, take this step first. It costs a second and can spare you days of puzzlement.

# %% [markdown] lang="zh"
# ## 3 批与填充：为空气付钱
#
# > **理论 ③** 一批必须是整齐的长方形；凑数的格子和真字一样要算。
#
# 模型一次不读一行，而是读一**批**，比如 16 行：这样计算才快，梯度也才稳。可是 16 行有长有短，而张量是长方形，短的只好用 `[PAD]` 补齐。补多长，有三种做法：
#
# - 一律补到 128；
# - 补到本批最长的那一行；
# - 先把长短相近的排在一起，再补到本批最长：这叫**分桶**。
#
# **猜**：第二种做法，百分之几是填充？（另外两种，图里一起看。）

# %% [markdown] lang="en"
# ## 3 Batches and padding: paying for air
#
# > **Theory ③** A batch is a neat rectangle, and the squares that only fill it up cost as much as real characters.
#
# A model doesn't read one row at a time but a **batch**, say 16 rows: so the arithmetic is fast and the gradient steady. But some rows are long and some short, a tensor is a rectangle, and the short ones must be filled up with `[PAD]`. How far? There are three ways:
#
# - everything to 128;
# - to the longest row of the batch;
# - first put rows of like length together, then to the longest of the batch: this is called **bucketing**.
#
# **Guess** how many per cent are padding in the second way. (The picture has the other two as well.)

# %%
lk.guess("01.3", 40, 60)

# %%
from labkit import batch_order, padding_share

shuffled = batch_order(lengths, 16, seed=0, epoch=0, bucket=False)
bucketed = batch_order(lengths, 16, seed=0, epoch=0)
print([lengths[i] for i in shuffled[0]])
print([lengths[i] for i in bucketed[0]])

# %% [markdown] lang="zh"
# 每个内层列表是一批的行号。第一行输出是随手抽的一批，长短悬殊；第二行是分桶后的一批，几乎一样长。注意顺序仍是随机的：谁和谁同批、哪一批在前，每轮都不同，但都由 `seed` 和 `epoch` 决定，重跑必然相同。现在算占比。

# %% [markdown] lang="en"
# A batch is a list of row numbers. The first line shows the lengths in a batch drawn at random, all sizes; the second a bucketed one, nearly all alike. The order is still random: who shares a batch and which batch comes first changes from epoch to epoch, but `seed` and `epoch` decide it, so a second run is the same. Now the shares.

# %%
shares = {
    tr("补到 128", "to 128"): 100 * padding_share(lengths, shuffled, width=128),
    tr("补到本批最长", "to the longest"): 100 * padding_share(lengths, shuffled),
    tr("分桶", "bucketed"): 100 * padding_share(lengths, bucketed),
}
lk.scored("01.3", round(100 * padding_share(lengths, shuffled)))
lk.plots.bars(shares, tr("填充所占的比例", "Share of padding"), tr("占全部格子的 %", "% of all squares"))

# %% [markdown] lang="zh"
# **读图**：补到 128，每四格里将近三格是空气。补到本批最长也好不了太多，因为每批里总有一行特别长，其余十五行陪着它。分桶以后只剩百分之几。同样的数据、同样的模型，只是换了换座位。**理论 ③** 说空格子也要算钱，到底值多少秒，第 13 节用表来量。

# %% [markdown] lang="zh"
# 同样的账，也可以拨着算。下面是**面板**：左边是控件，右边是图，底下是它替你写好、可以复制的代码。它算的和上面的孪生格子是同一笔账，只是读了随包的全部 1,259 条训练行，不止 320 条，所以数会不同。把批大小从 16 拨到 64，看分桶以后的填充是多了还是少了；再点掉“分桶”。

# %% [markdown] lang="en"
# **Reading it**: padded to 128, nearly three squares in four are air. Padding to the longest helps less than one hopes, since each batch has one long row and fifteen others that keep it company. After bucketing a few per cent remain. Same data, same model; only the seats were changed. **Theory ③** says that empty squares cost too. How many seconds that makes, section 13 takes with a watch.

# %% [markdown] lang="en"
# The same sum can be had by moving a slider. Below is a **panel**: controls on the left, a picture on the right, and at the bottom the code that it has written for you to copy. It does the sum of its twin, the cell above, but over all 1,259 training rows of the package and not just 320, so the numbers will differ. Move the batch size from 16 to 64, and see whether there is more padding in the buckets or less; then untick the bucketing.

# %%
panel = lk.ui.Data()
panel.run_button.click()
panel.wait()
panel.report()
panel

# %% [markdown] lang="zh"
# **读图**：桶里的填充变多了，在我们这里从 2.6 % 到 10.9 %：一批装得越多，最长与最短就差得越远。点掉“分桶”，16 行一批约有 65 % 是填充，64 行约有 72 %。再和上一幅图比一比：同是 16 行一批、同样分桶，这里只有 2 %，那里有 7 %，因为行越多，越容易找到一样长的邻座。

# %% [markdown] lang="en"
# **Reading it**: there is more padding in the buckets, with us 10.9 per cent instead of 2.6: the more rows share a batch, the further apart are its longest and its shortest. Untick the bucketing, and about 65 per cent is padding with 16 rows, 72 with 64. And beside the last picture: the same 16 rows to a batch, the same bucketing, yet 2 per cent here and 7 there, since among more rows it is easier to find a neighbour of one's own length.

# %% [markdown] lang="zh"
# ## 4 Dataset 和 DataLoader：传送带
#
# 现在把这些装成 PyTorch 的标准零件。**Dataset** 只回答两个问题：一共几行？第 i 行是什么？请看它的 `__init__`：编码在这里一次做完。很多脚本把编码写进 `__getitem__`，于是每一轮、每一行都重新分词一遍。

# %% [markdown] lang="en"
# ## 4 Dataset and DataLoader: the conveyor belt
#
# Now we put this into PyTorch's standard parts. A **Dataset** answers just two questions: how many rows are there, and what is row i? Look at its `__init__`: all the encoding is done there, once. Many scripts do it in `__getitem__`, and so tokenise every row again in every epoch.

# %%
from torch.utils.data import DataLoader, Dataset


class Reviews(Dataset):
    def __init__(self, rows):
        texts = [row.input for row in rows]
        self.ids = tokenizer(texts, truncation=True, max_length=128)["input_ids"]
        self.labels = [row.target for row in rows]

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return torch.tensor(self.ids[i]), self.labels[i]


# %% [markdown] lang="zh"
# 谁来补齐？交给 `collate`：它拿到几行，还你一个长方形。除了编号，它还给出**注意力掩码**：真字为 1，填充为 0，告诉模型哪些格子不要看。

# %% [markdown] lang="en"
# And who does the padding? `collate` gets some rows and gives back a rectangle. Beside the numbers it makes the **attention mask**, 1 for a real token and 0 for padding, which tells the model where not to look.

# %%
from torch.nn.utils.rnn import pad_sequence


def collate(items):
    ids = pad_sequence([ids for ids, _ in items], batch_first=True, padding_value=tokenizer.pad_token_id)
    inputs = {"input_ids": ids, "attention_mask": (ids != tokenizer.pad_token_id).long()}
    labels = torch.tensor([label for _, label in items])
    return {name: tensor.to(DEVICE) for name, tensor in inputs.items()}, labels.to(DEVICE)


# %% [markdown] lang="zh"
# 最后是 **DataLoader**，传送带本身：按我们排好的座位取行，交给 `collate`，送出一批。每一轮换一条新的传送带，因为每一轮的顺序不同。

# %% [markdown] lang="en"
# Last the **DataLoader**, the belt itself: it takes rows in the seats we arranged, hands them to `collate`, and sends out a batch. Each epoch gets a new belt, because each epoch has another order.

# %%
reviews = Reviews(corpus.train)


def loader(epoch):
    order = batch_order(lengths, 16, seed=0, epoch=epoch)
    return DataLoader(reviews, batch_sampler=order, collate_fn=collate)


# %% [markdown] lang="zh"
# **猜**：第 0 轮的第一批，`input_ids` 有几列？回头看看第 3 节那行长度，你能准确说出来。

# %% [markdown] lang="en"
# **Guess**: in epoch 0, how many columns have the `input_ids` of the first batch? Look back at the lengths printed in section 3, and you can say it exactly.

# %%
lk.guess("01.4", 20, 60)

# %%
inputs, target = next(iter(loader(0)))
print(tuple(inputs["input_ids"].shape), tuple(target.shape))
lk.scored("01.4", inputs["input_ids"].shape[1])
print(len(loader(0)), tr("批一轮", "batches an epoch"))

# %% [markdown] lang="zh"
# 行数是 16，列数正是那一批里最长的一行。一轮走完整个训练集，也就是这么多**步**。

# %% [markdown] lang="en"
# Sixteen rows, and as many columns as the longest row of that batch has tokens. An epoch walks through the whole training set, which makes this many **steps**.

# %% [markdown] lang="zh"
# ## 5 预训练模型：读过书，没听过问题
#
# > **理论 ④** 预训练带来的是语言，不是答案：分类头是随机的，起点就是瞎猜。
#
# 这个网络像一栋楼。底楼是**嵌入**，一张大表，每个编号在里面有一行数；往上是几**层**，每个字在每一层里与别的字交换消息；屋顶是**分类头**，只看 `[CLS]`，给两类各打一个分。这幅图照模型自己的各块画成；颜色说明谁会被训练，以后每本笔记都用它。现在谁也没冻结，全是红的。

# %% [markdown] lang="en"
# ## 5 The pretrained model: well read, but never asked
#
# > **Theory ④** Pretraining brings language, not answers: the head is random, so we start from guessing.
#
# The network is like a house. The ground floor is the **embeddings**, a large table with a row of numbers for each token; above it lie the **layers**, where each character exchanges news with the others; the roof is the **head**, which looks only at `[CLS]` and gives each class a score. The picture is drawn from the model's own blocks; its colours say who would train, here and in the notebooks to come. Nothing is frozen yet, so all of it is red.

# %%
lk.plots.network(model)

# %% [markdown] lang="zh"
# **读图**：从下往上读。池化层是 `[CLS]` 走向分类头的门，和分类头合称“头”；头以下的一切叫**骨干**（也叫主干，backbone）。从一个读过很多文字的骨干出发，去学另一件事，这就叫**迁移学习**。标题下面是会训练的参数和全部参数。**猜**：参数最多的是哪一块？

# %% [markdown] lang="en"
# **Reading it**: from the bottom up. The pooler is the door through which `[CLS]` goes to the classifier, and the two together are "the head"; all that lies below the head is called the **backbone**. To start from a backbone that has read a lot, and learn something else, is **transfer learning**. Below the title stand the parameters that would train, and all of them. **Guess**: which block has the most?

# %%
lk.guess("01.5", choice="layer")

# %%
blocks = lk.blocks(model)
sizes = {lk.block_words(b.name): sum(model.get_parameter(name).numel() for name in b.parameters) for b in blocks}
lk.scored("01.5", max(sizes, key=sizes.get).split()[0])
lk.plots.bars(sizes, tr("各部分的参数", "Parameters of each part"), tr("参数个数", "parameters"))

# %% [markdown] lang="zh"
# 嵌入表独占一大块：几千个字，每个字一行。真正“思考”的各层大小相同。而分类头小得几乎看不见——可整栋楼里，只有它还没学过任何东西。
#
# 别只听我说。你在别人的代码里会遇到的，是下面这几行，`transformers` 库读模型的标准写法；`lk.load` 里面就是它。（`lk.locate` 给出随包模型的目录，不用网络；换成 `"bert-base-chinese"`，就从网上下载。）`output_loading_info` 让它交代：哪些参数在存下来的文件里找不到，只好随机造。**猜**：几个张量？

# %% [markdown] lang="en"
# The table of embeddings is a large piece by itself: some thousand characters, a row for each. The layers, which do the thinking, are all alike. And the head is so small that one hardly sees it, though in the whole house it alone has not learned anything yet.
#
# Don't take my word for it. What you will meet in other people's code are the lines below, the standard way to read a model with the `transformers` library; they are what `lk.load` does inside. (`lk.locate` gives the folder of the packaged model, without a network; with `"bert-base-chinese"` in its place it comes down from the web.) `output_loading_info` makes it own up: which parameters were not in the saved file and had to be made at random? **Guess**: how many tensors?

# %%
lk.guess("01.5c", 1, 3)

# %%
from transformers import AutoModelForSequenceClassification, AutoTokenizer

place = lk.locate(MODEL)
with lk.quiet():
    stock, told = AutoModelForSequenceClassification.from_pretrained(place, num_labels=2, output_loading_info=True)
inputs = AutoTokenizer.from_pretrained(place)("味道好，送得快，还会再点", return_tensors="pt")
expect("stock untrained", stock(**inputs).logits.softmax(-1)[0, 1].item())
print(*sorted(told["missing_keys"]), sep="\n")
lk.scored("01.5c", len(told["missing_keys"]))

# %% [markdown] lang="zh"
# 四个，全在头里：正是**理论 ④**。它照样给出了两个概率，只是没有意义；`from_pretrained` 平时会警告一句，很多人没看见，就拿去用了。`.logits` 是头给两类打的**原始分**，叫 logits；过一遍 softmax，才是加起来等于 1 的概率。
#
# 那么现在就考它一次。这格的 `ask` 把模型切到考试状态（`eval`，关掉随机的部分），不记梯度，把行按长短排好（又是分桶），问完所有的行。

# %% [markdown] lang="en"
# Four, all in the head: **theory ④** itself. It gave two probabilities all the same, and they mean nothing; `from_pretrained` usually prints a warning, which many overlook, and off they go. `.logits` are the raw scores that the head gives to the classes; softmax makes probabilities of them, which add up to 1.
#
# So let us examine it now. `ask` puts the model into exam mode (`eval`, with everything random switched off), records no gradients, puts the rows in order of length (buckets again), and asks about all of them.


# %%
def ask(model, rows):
    model.eval()
    rows = sorted(rows, key=lambda row: len(row.input))
    belt = DataLoader(Reviews(rows), batch_size=16, collate_fn=collate)
    with torch.no_grad():
        answers = [(model(**inputs).logits, target) for inputs, target in belt]
    logits, targets = zip(*answers, strict=True)
    return torch.cat(logits), torch.cat(targets)


def accuracy(logits, target):
    return (logits.argmax(-1) == target).float().mean().item()


# %% [markdown] lang="zh"
# 除了对错，我们还要一把更细的尺子：**交叉熵损失**，即给正确答案的概率取对数再变号。答得准而有把握，接近 0；答错而有把握，很大。**猜**：一个什么都不懂、两类各给一半概率的模型，损失是多少？准确率呢？（提示：$-\ln\frac12$）

# %% [markdown] lang="en"
# Beside right and wrong we want a finer ruler, the **cross-entropy loss**: minus the logarithm of the probability that the true answer was given. Right and sure is close to 0, wrong and sure is large. **Guess**: a model that knows nothing gives one half to each class. What is its loss? And its accuracy? (Hint: $-\ln\frac12$)

# %%
lk.guess("01.5b", 0.6, 0.8)

# %%
from torch.nn.functional import cross_entropy

logits, target = ask(model, corpus.valid)
expect("untrained loss", cross_entropy(logits, target).item(), guess="01.5b")
expect("untrained", accuracy(logits, target))

# %% [markdown] lang="zh"
# 正如**理论 ④** 所说：损失约 0.69，也就是 ln 2；对错各半。这两个数是微调的海平面。以后你遇到训练，第一件事就是看第 0 步的损失是不是 ln(类别数)；不是，多半是标签或头接错了。

# %% [markdown] lang="en"
# As **theory ④** says: a loss of about 0.69, which is ln 2, and as many right as wrong. These two numbers are the sea level of fine-tuning. Whenever you meet a training run, first see whether the loss at step 0 is ln(number of classes). If not, the labels or the head are probably connected wrongly.

# %% [markdown] lang="zh"
# ## 6 下山的人：优化器
#
# > **理论 ⑤** 梯度指向最陡的上坡；朝反方向迈一小步，损失就下降——只要步子够小。
#
# 想象你在浓雾里的山上，想下到谷底。看不见远处，只能用脚感觉**坡度**。于是你朝最陡的下坡迈一步，再感觉，再迈。换成训练的话：**海拔是损失，坡度是梯度，步幅是学习率，你的位置是全部参数**。我们的山有上百万个方向，但道理和一个方向时一样。
#
# 先在最简单的山谷 $h(w)=w^2$ 里走一步，站在 $w=4$。**猜**：海拔多少？坡度多少？

# %% [markdown] lang="en"
# ## 6 The walker in the mountains: the optimizer
#
# > **Theory ⑤** The gradient points up the steepest slope; a small step the other way lowers the loss, provided that it is small.
#
# Imagine yourself on a mountain in thick fog, wanting to get down into the valley. You can't see far; you can only feel the **slope** under your feet. So you take a step down the steepest way, feel again, step again. In the words of training: **height is the loss, slope is the gradient, the length of your stride is the learning rate, and where you stand is all the parameters together**. Our mountain has over a million directions, but it works as with one.
#
# First a single step in the plainest valley, $h(w)=w^2$, from $w=4$. **Guess**: how high are you, and how steep is it?

# %%
lk.guess("01.6", 3, 5)

# %%
w = torch.tensor(4.0, requires_grad=True)
loss = w**2
loss.backward()
print(loss.item(), w.grad.item())
lk.scored("01.6", w.grad.item())

# %% [markdown] lang="zh"
# 海拔 16，坡度 8（$w^2$ 的导数是 $2w$）。`backward` 替我们求出了坡度，放在 `w.grad` 里。现在用步幅 0.1 往下走。（步幅若是 1，会怎样？）

# %% [markdown] lang="en"
# Height 16, slope 8 (the derivative of $w^2$ is $2w$). `backward` found the slope for us and put it into `w.grad`. Now go down with stride 0.1. (And what would a stride of 1 do?)

# %%
with torch.no_grad():
    w -= 0.1 * w.grad
print(round(w.item(), 3), round((w**2).item(), 3))

# %% [markdown] lang="zh"
# $4-0.1\times8=3.2$，海拔降到 10.24。步幅若是 1，就会一步跨到对面的 −4，同样高，永远来回跳。步幅之要紧，画出来最清楚。下面是一个狭长的山谷，东西平缓，南北陡峭；同一个人用三种步幅各走 25 步。图上的 lr 就是步幅。**猜**：0.01、0.12、0.17，谁走得最低？

# %% [markdown] lang="en"
# $4-0.1\times8=3.2$, and the height fell to 10.24. A stride of 1 would have carried you across to −4, just as high, and back again for ever. How much the stride matters is best seen. Here is a long narrow valley, gentle from west to east and steep from north to south; the same person walks 25 steps with three strides (lr in the picture). **Guess**: 0.01, 0.12, 0.17; who gets lowest?


# %%
lk.guess("01.6b", choice="0.17")


# %%
def height(x, y):
    return x**2 + 6 * y**2


def walk(lr, steps=25):
    path = [(-4.0, 1.5)]
    for _ in range(steps):
        spot = torch.tensor(path[-1], requires_grad=True)
        height(*spot).backward()
        path.append((spot - lr * spot.grad).tolist())
    return path


lk.scored("01.6b", min(("0.01", "0.12", "0.17"), key=lambda lr: height(*walk(float(lr))[-1])))

# %%
fig, panels = lk.plots.figure(9, 3.2, columns=3)
x, y = torch.meshgrid(torch.linspace(-5, 5, 90), torch.linspace(-3, 3, 90), indexing="xy")
for axes, lr in zip(panels, (0.01, 0.12, 0.17), strict=True):
    axes.contour(x, y, height(x, y), 9, colors="#bbbbbb", linewidths=0.7)
    axes.plot(*zip(*walk(lr), strict=True), "o-", color="#4477aa", ms=3, lw=1)
    axes.plot(0, 0, "*", color="#ee6677", ms=13)
    axes.set(title=f"lr = {lr}", xlim=(-5, 5), ylim=(-3, 3), xlabel="x", ylabel="y")
fig

# %% [markdown] lang="zh"
# **读图**：灰线是等高线，红星是谷底。左边的人稳当，可天黑了还在半路；中间的人先在两壁间弹几下，然后稳稳落底；右边只大了一点点，却越弹越高。学习率就有这样一道悬崖：离它近一点走得快，越过它就回不来。
#
# 现在在真模型上走一步：一批评论，一次前向，一次反向，然后每个参数都朝下坡挪一点。看同一批上的损失降不降。

# %% [markdown] lang="en"
# **Reading it**: grey lines join places of equal height, the red star is the bottom. The walker on the left is safe, but at nightfall still on the way. The one in the middle bounces off the walls a few times and then settles down. The one on the right takes steps only a little longer, and bounces higher and higher. The learning rate has such a cliff: near it one is fast, beyond it lost.
#
# Now one step on the real model: a batch of reviews, once forward, once backward, and every parameter moves a little downhill. See whether the loss on that same batch falls.

# %%
trial = fresh()
inputs, target = next(iter(loader(0)))
before = cross_entropy(trial(**inputs).logits, target)
before.backward()

# %%
with torch.no_grad():
    for parameter in trial.parameters():
        parameter -= 0.1 * parameter.grad
    after = cross_entropy(trial(**inputs).logits, target)
print(tr("损失下降了：", "the loss fell:"), (after < before).item())

# %% [markdown] lang="zh"
# 降了，**理论 ⑤** 在上百万个方向上同样成立。整个微调，不过是把这几行重复几十遍、几百遍，再加三样装备：
#
# - **AdamW**：给每个参数各配一个步幅（梯度一向很大的方向，步子放小），再带一点**动量**（惯性）；它还让矩阵缓缓收缩，叫**权重衰减**，偏置和归一化的向量则不收缩；
# - **热身**：头是随机的，最初的梯度不可信，所以步幅从 0 慢慢升上去，然后线性降到 0，好在谷底停稳；
# - **裁剪**：偶尔有一批梯度极大，就把整个梯度缩短到长度 1，免得一步摔下悬崖。
#
# 先写热身：前一成的步数用来升。

# %% [markdown] lang="en"
# It fell, and so **theory ⑤** holds in a million directions as well. All of fine-tuning is these few lines, repeated some dozens or hundreds of times, with three pieces of equipment:
#
# - **AdamW** gives each parameter a stride of its own (shorter where gradients have been large) and some **momentum**; and it lets matrices shrink slowly, which is called **weight decay**, while biases and norms are left alone;
# - **warm-up**: the head is random and the first gradients are not to be trusted, so the stride grows slowly from 0, and then falls along a straight line to 0, to come to rest at the bottom;
# - **clipping**: now and then a batch is extremely steep; then the whole gradient is shortened to length 1, so that no step goes over the cliff.
#
# First the warm-up: the rate rises during the first tenth of the steps.

# %%
import math

steps = 3 * len(loader(0))


def rate(step):
    warm = math.ceil(0.1 * steps)
    return step / warm if step < warm else (steps - step) / (steps - warm)


# %%
fig, axes = lk.plots.figure(6.4, 2.6)
axes.plot([PEAK * rate(step) for step in range(steps)], color="#4477aa")
axes.set(title=tr("学习率计划", "The schedule"), xlabel=tr("步", "step"), ylabel=tr("学习率", "learning rate"))
fig

# %% [markdown] lang="zh"
# 三轮共 60 步：第 0 步从 0 出发，第 6 步升到顶，也就是 `PEAK`，`5e-4`；其余的步数用来降。这个值比你在别处看到的 `2e-5` 大得多：那是给 768 宽的 BERT 用的，我们的模型窄，可以、也需要迈更大的步。

# %% [markdown] lang="en"
# Three epochs make 60 steps: step 0 starts from 0, step 6 is at the top, which is `PEAK` or `5e-4`, and the rest come down. That is far larger than the `2e-5` that you see elsewhere: those are for BERTs of width 768. Ours is narrow; it can take longer strides, and needs them.

# %% [markdown] lang="zh"
# ## 7 训练循环：把它写出来
#
# > **理论 ⑥** 训练损失只说明模型背得怎样；学会没有，要问没见过的行。
#
# 三个小函数，合起来就是所有训练框架的心脏。第一个选出要训练的参数，分成矩阵与向量两组，交给 AdamW。

# %% [markdown] lang="en"
# ## 7 The training loop, written out
#
# > **Theory ⑥** The training loss tells how well the model remembers; whether it has learned, only unseen rows can tell.
#
# Three small functions, which together are the heart of every training framework. The first picks the parameters that train, in two groups, matrices and vectors, and hands them to AdamW.


# %%
def make_optimizer(model):
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.01}
    vectors = {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}
    return torch.optim.AdamW([matrices, vectors], fused=True)


# %% [markdown] lang="zh"
# 第二个是一步。请大声念出来：前向，算损失，反向，定步幅，裁剪，迈步，清零。最后一样最容易忘：`backward` 是往 `grad` 里**加**，不清零，上一批的梯度就混进下一批。

# %% [markdown] lang="en"
# The second is one step. Read it aloud: forward, loss, backward, set the stride, clip, step, clear. The last is the one people forget: `backward` **adds** to `grad`, and without clearing, the gradient of this batch leaks into the next.


# %%
def train_step(model, optimizer, inputs, target, lr):
    loss = cross_entropy(model(**inputs).logits, target)
    loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = lr
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


# %% [markdown] lang="zh"
# 第三个是循环：每一轮走遍传送带，然后在验证集上模拟考。`train()` 打开**随机失活**（训练时随手关掉头里的一部分输入，免得它死记硬背）；`manual_seed` 让这份随机由步数决定。于是整个训练没有一处靠运气：重跑一遍，分毫不差。

# %% [markdown] lang="en"
# The third is the loop: each epoch walks along the belt and then sits the mock exam on the validation rows. `train()` switches on **dropout** (while training, part of the head's input is switched off at random, against learning by rote); `manual_seed` makes that randomness a function of the step. So nothing in the whole run is left to luck: run it again, and it is the same.


# %%
def fit(model, peak, epochs=3):
    optimizer, losses, exams = make_optimizer(model), [], []
    for epoch in range(epochs):
        model.train()
        for inputs, target in loader(epoch):
            step = len(losses)
            torch.manual_seed(step)
            losses.append(train_step(model, optimizer, inputs, target, peak * rate(step)))
        logits, target = ask(model, corpus.valid)
        exams.append((len(losses), cross_entropy(logits, target).item(), accuracy(logits, target)))
    return losses, exams


# %% [markdown] lang="zh"
# 就这些，没有别的了。**猜**：三轮之后，模拟考能得几分？海平面是 0.5。运行下面一格，等几秒。

# %% [markdown] lang="en"
# That is all; there is nothing else. **Guess**: what will the mock exam say after three epochs? Sea level is 0.5. Run the next cell and wait a few seconds.

# %%
lk.guess("01.7", 0.65, 0.85)

# %%
losses, exams = fit(model, PEAK)
expect("valid", exams[-1][2], guess="01.7")

# %%
fig = lk.plots.steps((tr("训练", "training"), losses))
ends, valid_losses, _ = zip(*exams, strict=True)
fig.axes[0].plot(ends, valid_losses, "o", color="#ee6677", ms=9, label=tr("验证", "validation"))
fig.axes[0].legend()
fig.axes[0].set_title(tr("损失", "Loss"))
fig

# %% [markdown] lang="zh"
# **读图**：淡线是每一步的损失，一批一个样，跳得厉害；深线是它的滑动平均，从 0.7 附近出发，起起伏伏地往下。红点是每轮末的模拟考。请看两者的距离：第一轮末，红点就在蓝线上；在我们这里，又过两轮，蓝线从 0.6 落到 0.15 上下，红点只从 0.6 挪到不足 0.5。距离越拉越开，说明模型一边学规律，一边背例句；哪天红点掉头往上，就是**过拟合**；在没见过的行上也行，才叫**泛化**。这正是**理论 ⑥**，也是要有验证集的原因：只看蓝线，你会以为练得越久越好。
#
# **动手**：在新的一格里跑 `fit(fresh(), 10 * PEAK)`，把第一个返回值画出来。认得出第 6 节右边那个人吗？

# %% [markdown] lang="en"
# **Reading it**: the pale line is the loss of each step, different from batch to batch, so it jumps; the strong line is its running mean, which starts near 0.7 and goes down by fits and starts. The red dots are the mock exams at the end of each epoch. Look at the distance between the two. At the end of the first epoch the dot lies on the line; two epochs later, with us, the line has come down to about 0.15, but the dot only from 0.6 to a little under 0.5. The gap widens because the model learns the rule and, beside it, recites the examples; on the day when the dots turn upwards, that is **overfitting**; to do well on unseen rows is called **generalisation**. This is **theory ⑥**, and the reason for having a validation set: the blue line alone would tell you that more is always better.
#
# **Try it**: run `fit(fresh(), 10 * PEAK)` in a new cell and draw the first thing that it returns. Do you recognise the walker on the right of section 6?

# %% [markdown] lang="zh"
# ## 8 高考：打开测试集
#
# > **理论 ⑦** 准确率是对真相的一次抽样；没有区间的准确率，只说了一半。
#
# 学习率、轮数、批大小不是练出来的，是人定的，叫**超参数**；它们都定了，现在打开柜子。测试集有 360 行；换另外 360 行，分数会稍有不同。相差多少？把每一行看作抛一次硬币，正面的机会是 $p$，那么 95 % 的情况下误差不超过 $1.96\sqrt{p(1-p)/n}$。**猜**：会是一个百分点，还是四个？

# %% [markdown] lang="en"
# ## 8 The final exam: the test set is opened
#
# > **Theory ⑦** An accuracy is a sample of the truth; without its interval, it is half a statement.
#
# Rate, epochs and batch size are not learned but set by people: **hyperparameters**. All are settled, so unlock it now. There are 360 test rows; another 360 would have given a slightly different score. How different? Treat each row as the toss of a coin that comes up right with chance $p$; then in 95 % of cases the error is at most $1.96\sqrt{p(1-p)/n}$. **Guess**: is that one point, or four?

# %%
lk.guess("01.8", 0.005, 0.02)

# %%
logits, target = ask(model, corpus.test)
share = accuracy(logits, target)
half = 1.96 * math.sqrt(share * (1 - share) / len(target))
expect("test", share)
expect("half", half, guess="01.8")

# %% [markdown] lang="zh"
# 远高于 0.5，也离 1 有一段路；而且要带上约四个百分点的误差。所以有人说“我的改进提高了一个点”，测试集却只有几百行，你就知道该怎么想了：这就是**理论 ⑦**。
#
# 准确率还会骗人：如果九成是好评，永远说“好”就有 0.9 分。**macro-F1** 对每一类分别算 F1（精确率与召回率的调和平均）再平均，偏心就藏不住。我们的两类一样多，**猜**：macro-F1 会比准确率低很多吗？

# %% [markdown] lang="en"
# Far above 0.5 and some way from 1, and it comes with an error of about four points. So when somebody reports an improvement of one point on a few hundred test rows, you know what to think: that is **theory ⑦**.
#
# Accuracy can also deceive in another way: where nine reviews in ten are good, always saying "good" scores 0.9. **Macro-F1** takes the F1 of each class (the harmonic mean of precision and recall) and then the mean over classes, so that favouritism shows. Our classes are equally large. **Guess**: will macro-F1 be much lower than accuracy?

# %%
lk.guess("01.8b", 0.68, 0.85)

# %%
scores = lk.evaluate(model, corpus.test, max_length=128)
expect("macro-F1", scores.macro_f1, guess="01.8b")
print(abs(scores.accuracy - share) < 1e-6)

# %%
lk.plots.confusion(scores)

# %% [markdown] lang="zh"
# 几乎一样，因为两类均衡，模型也不太偏心；labkit 算出的准确率和我们手算的相同（`True`）。**读图**：每一行是一种真相，对角线是答对的。看看两个错误的格子：模型更常把夸奖当抱怨，还是把抱怨当夸奖？（在我们这里，40 条对 32 条，相差不多。）用在客服上，哪一种错更贵？同一个准确率，可以是两种完全不同的模型。
#
# 数字到此为止，下面做一件多数人跳过的事：读错题。错题要从模拟考里读，不从高考里读，不然你会照着考卷改教案，锁就白上了。`lk.worst` 挑出损失最大的几条，也就是模型错得最有把握的。**猜**：会是哪一类句子？

# %% [markdown] lang="en"
# Nearly the same, since the classes are balanced and the model has no great favourite; and labkit's accuracy equals the one we worked out by hand (`True`). **Reading it**: each row is a truth, and the diagonal is what was answered right. Look at the two squares of errors. Does the model more often take praise for a complaint, or a complaint for praise? (With us it is 40 to 32, not far apart.) At a customer desk, which of the two is dearer? One accuracy can stand for two quite different models.
#
# So much for numbers. Now do what most people skip: read the mistakes. Read those of the mock exam, not those of the final, or you will rewrite your lessons to suit the paper, and the lock was for nothing. `lk.worst` finds the rows with the highest loss, where the model is wrong and very sure of it. **Guess**: what kind of sentence will it be?

# %% tags=["nbval-ignore-output"]
for m in lk.worst(model, corpus.valid, 5, max_length=128):
    print(f"{m.truth} → {m.said} ({m.probability:.0%})\n{m.example.input}\n{m.example.extra.get('gloss', '')}\n")

# %% [markdown] lang="zh"
# 箭头左边是真相，右边是模型说的和它的**置信度**（它给自己答案的概率）。一条一条问：你自己会判错吗？是反话、否定、先抑后扬，还是根本没有褒贬词、只能靠常识？有没有其实是标签可疑的？读五条错题常常比再调一天学习率更有用：错在反话，就该去找反话的数据；错在标签，就该改标签。

# %% [markdown] lang="en"
# Left of the arrow stands the truth, right of it what the model said and how sure it was. Ask of each: would you have got it wrong yourself? Is it irony, negation, praise that comes after blame, or are there no words of judgement at all, only common sense to go by? Is there one whose label is doubtful? Five mistakes read often help more than another day of tuning the learning rate: if irony is the trouble, look for ironic data; if labels are, correct the labels.

# %% [markdown] lang="zh"
# ## 9 保存：别把信写成炸弹
#
# 练好的模型要存下来。很多脚本用 `torch.save`，背后是 **pickle**。pickle 文件不是数据，是一串“如何重建”的指令，读它就等于执行它。把一封“信”存进文件，再用三种办法打开：pickle 自己；torch 2.6 以前的 `torch.load`（今天要写 `weights_only=False`）；今天的 `torch.load`。**猜**：最后一种会怎样？

# %% [markdown] lang="en"
# ## 9 Saving: a letter should not be a bomb
#
# A trained model wants to be kept. Many scripts use `torch.save`, and behind it is **pickle**. A pickle is no data but a list of instructions for building something, and to read it is to carry them out. We save a "letter" to a file and open it in three ways: by pickle itself; as `torch.load` did before torch 2.6 (today one has to write `weights_only=False`); and by the `torch.load` of today. **Guess**: what does the last one do?

# %%
lk.guess("01.9", choice="runs")

# %%
import pickle


class Letter:
    def __reduce__(self):
        return print, (tr("你只是打开了我，我就运行了代码。", "You only opened me, and I ran code."),)


pickle.loads(pickle.dumps(Letter()))

# %%
import tempfile
from pathlib import Path

letter = Path(tempfile.mkdtemp()) / "letter.pt"
torch.save(Letter(), letter)
torch.load(letter, weights_only=False)
today = "runs"
try:
    torch.load(letter)
except pickle.UnpicklingError:
    today = "refuses"
    print(tr("今天的 torch.load：拒绝。", "Today's torch.load: refused."))
lk.scored("01.9", today)

# %% [markdown] lang="zh"
# 前两种办法运行了代码；这里只是打印一句话，换成别人的文件，可以是任何事。torch 从 2.6 起默认只读权重，把这封信挡在了门外；旧版本、写着 `weights_only=False` 的脚本、直接用 pickle 的工具，还是会开门。所以 `lk.save` 只写两种格式：JSON 和 **safetensors**。后者老实得可以自己拆开看：8 个字节写着表头多长，接着是 JSON 表头，再后面就是纯粹的数。

# %% [markdown] lang="en"
# The first two ways ran code. Here it printed a sentence; in a stranger's file it could be anything. Since 2.6 torch reads weights alone unless told otherwise, and kept this letter out; older versions, scripts that say `weights_only=False` and tools that use pickle itself still open the door. So `lk.save` writes just two formats, JSON and **safetensors**. The latter is so plain that you can take it apart yourself: 8 bytes say how long the header is, then comes the header in JSON, and after it nothing but numbers.

# %%
folder = Path(tempfile.mkdtemp()) / "sentiment"
lk.save(model, folder)
data = (folder / "model.safetensors").read_bytes()

# %%
import json

size = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + size])
print(header["classifier.weight"]["dtype"], header["classifier.weight"]["shape"])

# %% [markdown] lang="zh"
# 分类头的形状是类别数乘宽度：每一类一行。标签名也存在同一个目录里，所以读回来时不必再说 `labels=`。

# %% [markdown] lang="en"
# The head has a row for each class, as wide as the network. The label names are kept in the same directory, so there is no need to say `labels=` when loading.

# %%
again = lk.load(folder).to(DEVICE)
print(list(again.config.id2label.values()))
print(torch.equal(ask(again, corpus.valid)[0], ask(model, corpus.valid)[0]))

# %% [markdown] lang="zh"
# 全部位数：`torch.equal` 要求每一个比特都一样。这个目录也能被普通的 transformers 直接读取，你的成果不会锁在这套工具里。还是第 5 节那几行，换个目录；这一次没有一个参数是随机的，概率也有了意义。**猜**：“味道好，送得快，还会再点”，正面的概率是多少？

# %% [markdown] lang="en"
# All of them: `torch.equal` wants every bit alike. And plain transformers can read the directory as it is, so what you made is not locked into this kit. The lines are those of section 5 with another folder; this time not one parameter is random, and the probability means something. **Guess**: "tasty, fast, will order again", with what probability is it positive?

# %%
lk.guess("01.9b", 0.6, 0.8)

# %%
stock, told = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
inputs = AutoTokenizer.from_pretrained(folder)("味道好，送得快，还会再点", return_tensors="pt")
print(len(told["missing_keys"]), tr("个参数是随机的", "parameters are random"))
expect("stock", stock(**inputs).logits.softmax(-1)[0, 1].item(), guess="01.9b")

# %% [markdown] lang="zh"
# 同样的几行，前一次不懂，这一次懂：差别全在那个目录里。

# %% [markdown] lang="en"
# The same lines, ignorant then and knowing now: the whole difference lies in the folder.

# %% [markdown] lang="zh"
# ## 10 同样的事，四行
#
# 上面的一切都值得写一遍，但不值得每次都写。labkit 把同一个循环收进 `Trainer`：同样的座位表，同样的热身，同样的裁剪。这里没有魔法，想看随时可以看：在新的一格里输入 `lk.Trainer.train_step??`。

# %% [markdown] lang="en"
# ## 10 The same in four lines
#
# All of this deserves to be written once, but not every time. labkit keeps the same loop in its `Trainer`: the same seats, the same warm-up, the same clipping. There is no magic in it, and you can look whenever you like: type `lk.Trainer.train_step??` into a new cell.

# %%
corpus = lk.reviews().limit(320)
model_2 = lk.load(MODEL, labels=corpus.labels)
config = lk.TrainConfig(epochs=3, lr=PEAK, max_length=128, device=DEVICE, precision="fp32")
full = lk.Trainer(model_2, corpus, config=config).fit()

# %% [markdown] lang="zh"
# 光说“同样”不算数。`full.steps` 记下了每一步的损失，和我们手写循环的六十个损失逐一相比：

# %% [markdown] lang="en"
# Saying "the same" is not enough. `full.steps` holds the loss of every step; compare them one by one with the sixty losses from our own loop.


# %%
def same(losses, run):
    differences = [abs(a - b) for a, (_, b, _) in zip(losses, run.steps, strict=True)]
    lk.about(tr("六十步里最大的差", "largest difference in sixty steps"), max(differences), 0, 1e-5)


same(losses, full)

# %% [markdown] lang="zh"
# 每一步都小于十万分之一。这个数说的是：两个程序做的是同一件事，labkit 没有背着你做别的。它不能证明两个都对，两个程序可以犯同一个错。以后你改进自己的代码，可以用同样的办法检查：换实现，不换结果。

# %% [markdown] lang="en"
# Less than a hundred-thousandth at every step. What this number says is that the two programs do the same, and that labkit does nothing behind your back. It does not prove both right: two equal programs may share a mistake. When you improve code of your own, check it in this way: change how it is done, not what comes out.

# %% [markdown] lang="zh"
# ## 11 冻结：只教屋顶
#
# > **理论 ⑧** 越靠下的层学的越通用，越靠上越专门；所以可以只训练上面，用一点准确率换时间。
#
# 语言它已经会了，真正空白的只有分类头。那么只训练头行不行？做法简单得出奇：把其余参数的 `requires_grad` 设为 `False`，它们就不再有梯度，也就不动了。**猜**：还在训练的参数占百分之几？

# %% [markdown] lang="en"
# ## 11 Freezing: teach the roof only
#
# > **Theory ⑧** The lower a layer, the more general what it knows; the higher, the more particular. So one may train only the top, and trade a little accuracy for time.
#
# It knows the language already; only the head is blank. Would it do to train just the head? That is surprisingly simple: set `requires_grad` of all other parameters to `False`; then they have no gradient any more and stay where they are. **Guess**: what share of the parameters still trains?

# %%
lk.guess("01.11", 2, 10)

# %%
frozen = fresh()
head = set(lk.blocks(frozen)[-1].parameters)
for name, parameter in frozen.named_parameters():
    parameter.requires_grad = name in head

# %%
trained = sum(p.numel() for p in frozen.parameters() if p.requires_grad)
total = sum(p.numel() for p in frozen.parameters())
print(f"{trained:,} / {total:,} = {trained / total:.1%}")
lk.scored("01.11", round(100 * trained / total, 1))

# %% [markdown] lang="zh"
# 这里的“头”包括 BERT 的**池化层**（pooler），它是 `[CLS]` 通往分类的最后一道门，也要跟着学。头从随机开始，可以用四倍的步幅。我们的 `fit` 一字不改就能用，因为优化器只拿还在训练的参数。**猜**：它能追上全部训练的模型吗？

# %% [markdown] lang="en"
# The "head" includes BERT's **pooler**, the last door between `[CLS]` and the classes, which must learn too. A head that starts at random can take strides four times as long. Our `fit` works as it stands, because the optimizer only takes what still trains. **Guess**: will it come close to training everything?

# %%
lk.guess("01.11b", 0.55, 0.68)

# %%
head_losses, head_exams = fit(frozen, 4 * PEAK)
expect("head", accuracy(*ask(frozen, corpus.test)), guess="01.11b")

# %% [markdown] lang="zh"
# 在 labkit 里，“训练哪些”叫**策略**，换一个词就行：`HeadOnly` 就是刚才手做的。我们把这次训练做两遍，一遍用面板，一遍用代码。在面板里选策略，拨学习率，按“运行”，曲线边练边长；底下的四行，就是旁边的孪生格子。两遍的损失都和手写的那一遍相比。

# %% [markdown] lang="en"
# In labkit, what trains is called a **strategy**, and changing it means changing a word: `HeadOnly` is what we just did by hand. We do this run twice more, once with a panel and once in code. In the panel you choose the strategy, move the rate and press Run, and the curves grow while it trains; the four lines at its bottom are the twin cell beside it. The losses of both are compared with those of the run by hand.

# %%
settings = {"lr": 4 * PEAK, "epochs": 3, "max_length": 128, "device": DEVICE, "precision": "fp32"}
panel = lk.ui.Train(corpus, MODEL, strategy="head", out=None, **settings)
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
head_only = lk.Trainer(fresh(), corpus, lk.HeadOnly(), lk.TrainConfig(**settings)).fit()
same(head_losses, panel.result)
same(head_losses, head_only)

# %% [markdown] lang="zh"
# 都在十万分之一以内：面板没有背着你做别的。在面板里换成 `top-K`、换个学习率，多跑几次再往下走；停了还能接着跑。
#
# 现在把两次训练放进一张表、一幅图。

# %% [markdown] lang="en"
# Both within a hundred-thousandth: a panel does nothing behind your back. Choose `top-K` in it, or another rate, and run it a few times before you go on; a run that was stopped can be resumed.
#
# Now the two ways of training in a table and a picture.

# %% tags=["nbval-ignore-output"]
lk.table([full, head_only])

# %%
lk.plots.runs([full, head_only])

# %%
again = lk.Trainer(fresh(), corpus, lk.HeadOnly(), lk.TrainConfig(**settings, cache="off")).fit()
print(tr("只训练头更快：", "head only is faster:"), head_only.seconds < full.seconds)
print(tr("不留冻结部分的结果，慢些：", "without keeping the frozen part, slower:"), head_only.seconds < again.seconds)

# %% [markdown] lang="zh"
# **读图**：横轴是秒，纵轴是测试准确率，竖线是 95 % 区间；越靠左上越好。只训练头省时间，靠的是两件事。下面冻结了，反向就不用往下走；而且冻结的部分对同一句话每轮给出同样的结果，labkit 算一遍就留着，往后几轮直接取用。省得多的是后一件：写上 `cache="off"`，每轮重算，就慢了回去。代价是准确率。在我们这里，只训练头省下八成多的时间，丢掉六个多百分点。不过请带着**理论 ⑦** 来读**理论 ⑧**：两条竖线有一段重叠，各自又只跑了一个种子，先别急着排名次。要下结论，得换几个种子、多些测试行，再成对地比，笔记 02 会教。还有一条规矩：这里两个测试成绩只是一起公布，不许拿来挑策略；要挑，用验证集挑。
#
# 还有许多中间的路：一层一层解冻、只调偏置、给每层插一块小补丁（LoRA、适配器）、只学一段开头（前缀）。哪一种适合你的数据和机器？那是**笔记 02** 的题目，那里每种策略都带着误差线，旁边还站着一个不到一秒就练完、却常常让人难堪的对手。

# %% [markdown] lang="en"
# **Reading it**: seconds to the right, test accuracy upwards, the bars are 95 % intervals; the upper left corner is where one wants to be. Two things make the head alone fast. With everything below frozen, the backward pass need not go down there; and what is frozen says the same of the same text in every epoch, so labkit computes it once, keeps it, and looks it up from then on. The latter saves more: with `cache="off"` it is computed anew in each epoch, and much of the time is back. The price is accuracy. With us the head alone saves more than eight tenths of the time and loses some six points. But read **theory ⑧** with **theory ⑦** in hand: the two bars overlap for a stretch, and each stands for a single seed, so don't rank them yet. To conclude anything you need several seeds, more test rows, and a comparison in pairs, which notebook 02 teaches. And one rule: the two test scores are published here together, they are not for choosing a strategy; to choose, use the validation set.
#
# There are many roads between: thawing layer by layer, training biases alone, a small patch in each layer (LoRA, adapters), learning just an opening (prefixes). Which one suits your data and your machine? That is **notebook 02**, where each strategy comes with error bars, and beside them stands a rival that is done in under a second and is often embarrassingly good.

# %% [markdown] lang="zh"
# ## 12 你自己的句子
#
# 先还第 1 节的账：那五句话，模型摔不摔？每根横条是模型给“正面”的概率，0.5 是分界；真相写在句首。**猜**：哪几句会站错边？

# %% [markdown] lang="en"
# ## 12 Your own sentences
#
# First pay the debt of section 1: does the model stumble over those five? Each bar is the probability it gives to "positive", 0.5 is the border, and the truth stands before the sentence. **Guess**: which of them are on the wrong side?

# %%
answers = lk.predict(model, [row.input for row in five])
names = [f"{lk.plots.class_words(corpus.labels[row.target])}: {tr(row.input, row.extra['gloss'])}" for row in five]
positive = {name: answer.probabilities["positive"] for name, answer in zip(names, answers, strict=True)}
lk.plots.bars(positive, tr("判为正面的概率", "Probability of positive"), tr("概率", "probability"))

# %% [markdown] lang="zh"
# **读图**：在我们这里，它听出了“快”字后面的两小时，也数清了三个“不”；却把“后悔没早点买”当成了抱怨，把“又续了三天”当成了坏消息。前一句它盯住了“后悔”，后一句它没有常识：续住说明满意，这件事没有一个字写在纸上。而且请看它有多自信：错的时候，一样斩钉截铁。
#
# 现在轮到你。下面三句，前两句直来直去，第三句是反话。

# %% [markdown] lang="en"
# **Reading it**: with us it noticed the two hours behind "fast", and got the three "nots" right; but "wish I'd bought it sooner" it took for a complaint, and "extended by three days" for bad news. In the former it stares at the word "regret"; for the latter it lacks common sense: that staying longer means being content stands nowhere in the text. And see how sure it is: when wrong, it is just as certain.
#
# Now it is your turn. Of the three below, the first two mean what they say ("tasty, quick, will order again"; "dirty, noisy room, poor service, not recommended") and the third is ironic ("really great service: two hours of waiting, and a free lesson in patience").

# %%
mine = [
    "味道好，送得快，还会再点",
    "房间又脏又吵，服务也差，不推荐",
    "服务真好，等了两个小时，还免费教会我什么叫耐心",
]

# %%
positive = {answer.input: answer.probabilities["positive"] for answer in lk.predict(model, mine)}
lk.plots.bars(positive, tr("判为正面的概率", "Probability of positive"), tr("概率", "probability"))

# %% [markdown] lang="zh"
# 直话它听得懂。反话呢？在我们这里，它有八成多的把握说是“正面”。它没等过外卖，不知道两个小时意味着什么；它只知道哪些字常常和哪种标签一起出现，三百来条评论，不够它学会“听话听音”。这不是一个参数能修好的毛病：要更大的预训练，或者更多这样的例子。
#
# 它是被哪几个字带走的，“真好”，还是“免费”？**归因**把答案的把握分给每个字：从全部遮住的句子一步步走到这句话，一路上每个字推了多少（积分梯度）。蓝字支持，红字反对，越深越要紧；所有字的分数加起来，恰好是总的推动。面板里一边打字一边就有答案，上面是微调前的模型，下面是微调后的。**猜**：第三句里，哪几个字最深？微调前呢？

# %% [markdown] lang="en"
# Plain speech it understands. And irony? With us it is more than eight tenths sure of "positive". It has never waited for a meal and does not know what two hours mean; it knows which characters tend to go with which label, and three hundred reviews are too few to learn to hear the tone. No setting will mend that: it takes larger pretraining, or more such examples.
#
# Which characters led it astray: "really great"? "free"? **Attribution** shares the answer out among them: on the way from the text with everything hidden to the text as it stands, how far did each character push (integrated gradients)? Blue speaks for the answer, red against it, and the deeper, the more; all the scores together make up the whole push. The panel answers while you type, with the model before fine-tuning above and after it below. **Guess**: in the third text, which characters are the deepest? And before fine-tuning?

# %%
panel = lk.ui.TryIt(model, text=mine[2])
panel.run_button.click()
panel.wait()
panel.report()
panel

# %%
(after,) = lk.attribute(model, mine[2])
(before,) = lk.attribute(fresh(), mine[2], label=after.label)
print(after == panel.after, before == panel.before)

# %% [markdown] lang="zh"
# **读图**：两句 `True`：面板和代码还是同一件事。上面那一排，微调前，几乎没有颜色：头还是随机的，谁也推不动它。下面一排，在我们这里，推得最用力的是“耐心”的“耐”，其次才是“真好”；“免费”不但没有推，“费”字还往回拉；“等了两个小时”也往回拉了一点，拉不动。“耐”的力气从哪里来？翻遍 320 条训练评论，“耐心”只出现过一次，说的是客服小姐姐耐心，是夸人。这就是**理论 ①** 的另一面：它学到的是字和标签怎样一起出现，哪怕只见过一次。（预训练时的印象也许帮了忙，这里分不开。）归因说的是模型怎么想，不是世界怎么样；它画得再好看，也不证明模型想得对。
#
# **动手**：在面板里写你自己的三句：一句夸，一句骂，一句想骗倒它。骗它最省力的办法是什么？

# %% [markdown] lang="en"
# **Reading it**: true twice, so panel and code are one thing again. The line above, before fine-tuning, has hardly any colour: the head is still random, and nothing pushes it. In the line below, with us, the hardest push towards "positive" comes from 耐, the first half of 耐心 ("patience"), and only then from 真好 ("really great"); 免费 ("free") does not push at all, its 费 even pulls back; "two hours of waiting" pulls back a little too, not hard enough. Where does 耐 get its strength? In all the 320 training reviews 耐心 occurs once, of a patient young woman at the customer desk, in praise. This is **theory ①** seen from another side: what it has learned is which characters and labels go together, even if it saw them only once. (Pretraining may have helped; here the two can't be told apart.) An attribution tells how the model thinks, not how the world is; however pretty, it proves no answer right.
#
# **Try it**: type three sentences of your own into the panel: one of praise, one of blame, and one to fool it. What is the cheapest way to fool it?

# %% [markdown] lang="zh"
# ## 13 旧脚本，并排看
#
# 网上教微调的脚本，很多出自同一个模子。对着我们走过的路，看它一眼：
#
# | 旧脚本这样做 | 会怎样 | 我们这样做 |
# |---|---|---|
# | 从 `transformers` 导入 `AdamW` | 这个名字已经删了，第一行就报错 | `torch.optim.AdamW` |
# | 每行补到 128 | 格子多到三倍多，大半是空的 | 分桶，补到本批最长 |
# | 在 `__getitem__` 里逐行分词 | 每轮每行重做一遍 | 开头编一次 |
# | 在自己的训练数据上报准确率 | 量的是记性 | 验证集选设置，测试集只开一次 |
# | 用 pickle 存权重 | torch 2.6 以前，打开就是执行 | safetensors 和 JSON |
# | 没有种子，没有区间 | 谁也重做不出来，也不知道差多少算差 | 随机由种子决定，报 95 % 区间 |
#
# 话说得响，不如量一量。先看第一行。**猜**：`transformers` 里还有 `AdamW` 吗？

# %% [markdown] lang="en"
# ## 13 The old script, side by side
#
# Many scripts that teach fine-tuning come from one mould. Look at it beside the way that we have walked:
#
# | the old script | what comes of it | what we do |
# |---|---|---|
# | imports `AdamW` from `transformers` | that name is gone; it fails in its first lines | `torch.optim.AdamW` |
# | pads every row to 128 | more than three times the squares, most of them empty | buckets, padded to the longest of the batch |
# | tokenises row by row in `__getitem__` | all done again for each row in each epoch | encoded once |
# | reports accuracy on its own training rows | measures memory | validation rows choose settings, test rows are opened once |
# | saves weights as a pickle | before torch 2.6, opening was executing | safetensors and JSON |
# | no seed, no interval | nobody can repeat it, or say which difference is one | seeds decide what is random, and 95 % intervals are reported |
#
# Big words; let us measure. The first line first. **Guess**: is there still an `AdamW` in `transformers`?

# %%
lk.guess("01.13", choice="yes")

# %%
import transformers

print(hasattr(transformers, "AdamW"))
lk.scored("01.13", "yes" if hasattr(transformers, "AdamW") else "no")

# %% [markdown] lang="zh"
# 没有了：它停在第一行。那就只换这一行，让它的循环照样跑一遍：学习率不变，边训练边数对了几行，每轮打印一个“准确率”。**猜**：第三轮打印多少？它和第 8 节的成绩差多少？

# %% [markdown] lang="en"
# It is gone, and the script stops at its first line. So change that line alone and let its loop run as such loops are written: one rate throughout, right answers counted while training, one "accuracy" printed an epoch. **Guess**: what does it print in the third? How far is that from the score of section 8?

# %%
lk.guess("01.13b", 0.75, 0.9)

# %%
old = fresh().train()
optimizer = torch.optim.AdamW(old.parameters(), lr=PEAK)
torch.manual_seed(0)
for epoch in range(3):
    hits = 0
    for inputs, target in loader(epoch):
        logits = old(**inputs).logits
        cross_entropy(logits, target).backward()
        optimizer.step()
        optimizer.zero_grad()
        hits += (logits.argmax(-1) == target).sum().item()
    expect(f"old {epoch + 1}", hits / len(corpus.train), guess="01.13b" if epoch == 2 else None)

# %% [markdown] lang="zh"
# 第三轮它打印九成六上下：每一行都是刚刚练过两遍、马上还要再练的行。这个数里还混着随机失活和边走边变的权重，连“在自己的训练数据上的成绩”都算不上。同一个模型，先考它做过的 120 道习题，再和没见过的 360 行测试成绩相比。**猜**：差几个百分点？

# %% [markdown] lang="en"
# In the third epoch it prints some .96: every row had been practised twice just before, and was about to be again. With dropout switched on and weights that move while it counts, the number is not even "the score on its own training rows". So let one model sit an exam on 120 of the exercises that it has practised, and put beside it the score on the 360 test rows that it had never seen. **Guess**: how many points lie between?

# %%
lk.guess("01.13c", 2, 10)

# %%
own = accuracy(*ask(model, corpus.train[:120]))
expect("own rows", own)
expect("gap", 100 * (own - share), guess="01.13c")

# %% [markdown] lang="zh"
# 几乎满分！旧脚本登出来的，就是这一类数。后一个数就是**高估**的大小，它多报的分：习题全背下来了，本事却还是第 8 节的本事。又是**理论 ⑥**。
#
# 最后按表计时：同一个模型，同样的 6 批，一次照分桶的样子，一次把每批补到 128。**猜**：慢几倍？填充的比例可以帮你估。

# %% [markdown] lang="en"
# Nearly full marks! Numbers of this kind are what the old script publishes. The second is the size of the **overestimate**: the exercises are known by heart, and the skill is still that of section 8. **Theory ⑥** again.
#
# Last, the watch: the same model and the same 6 batches, once bucketed, once with every batch padded to 128. **Guess** how many times slower that is; the shares of padding help you to estimate.


# %%
def to_128(inputs):
    gap = 128 - inputs["input_ids"].shape[1]
    return {name: torch.nn.functional.pad(tensor, (0, gap)) for name, tensor in inputs.items()}


few = [batch for batch, _ in zip(loader(0), range(6), strict=False)]
wide = [(to_128(inputs), target) for inputs, target in few]
a, b = (model(**batches[0][0]).logits for batches in (few, wide))
lk.about(tr("logits 最大的差", "largest difference of logits"), (a - b).abs().max().item(), 0, 1e-4)

# %%
import time


def seconds(batches):
    trial = fresh().train()
    optimizer = make_optimizer(trial)
    began = time.perf_counter()
    for inputs, target in batches:
        train_step(trial, optimizer, inputs, target, 1e-4)
    return time.perf_counter() - began


# %%
took = {tr("补到 128", "to 128"): seconds(wide), tr("分桶", "bucketed"): seconds(few)}
print(tr("分桶更快：", "bucketed is faster:"), took[tr("分桶", "bucketed")] < took[tr("补到 128", "to 128")])

# %%
lk.plots.bars(took, tr("6 步用时", "Time for 6 steps"), tr("秒", "s"))

# %% [markdown] lang="zh"
# **读图**：答案一样（掩码让填充不起作用），时间却多得多，在我们这里是两到三倍。照填充的比例算，格子有三倍多；时间没涨那么多，因为每一步还有一份与长度无关的活，比如更新一百多万个参数。**理论 ③** 的账单在此。分词也量一下：旧脚本三轮里每一行都要分三遍，我们一次编完。和上面省下的时间比一比，看哪一笔更大。

# %% [markdown] lang="en"
# **Reading it**: the answers are the same (the mask keeps padding out of them), but it takes far longer, with us two to three times as long. By the shares of padding the squares are more than three times as many; the time grows less, since part of each step does not depend on lengths, such as updating more than a million parameters. Here is the bill of **theory ③**. And the tokenizer: in three epochs the old script encodes every row three times, one by one; we do it all in one go. See which is the larger sum, this or the time saved above.

# %%
began = time.perf_counter()
for _ in range(3):
    one_by_one = [tokenizer(text, truncation=True, max_length=128)["input_ids"] for text in texts]
middle = time.perf_counter()
at_once = tokenizer(texts, truncation=True, max_length=128)["input_ids"]
end = time.perf_counter()
print(tr("结果相同：", "same result:"), one_by_one == at_once)
print(tr("一次编完更快：", "at once is faster:"), end - middle < middle - began)

# %% [markdown] lang="zh"
# 结果一样，在我们这里快了三倍多：三倍来自不再重复，一次编完本身只添了两三成。不过说句公道话：今天的分词器很快，三轮也不到十分之一秒，比起填充是笔小账。先量，再省，省大的——这也是一课。把省下的加起来，就是“喝杯茶等它跑完”与“眨眼就能再试一个想法”的差别，而学习靠的正是后者。

# %% [markdown] lang="en"
# The same result, and with us more than three times as fast: a factor of three from not repeating, and only a fifth or so from doing it in one go. But let us be fair: today's tokenizers are quick, three epochs of it are less than a tenth of a second, and beside the padding it is small change. Measure first, then save, and save the large sums: that is a lesson too. Taken together it is the difference between waiting over a cup of tea and trying the next idea in the blink of an eye, and learning lives on the latter.

# %% [markdown] lang="zh"
# ## 14 小结
#
# 你从一张表走到了一个能保存、能回答、知道自己误差的模型。八句理论，每一句都有了一次亲眼所见：
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | 能分开两类的规律都会被学走 | 两类一样长，捷径被堵上（1） |
# | ② | 模型只见整数，词表外都一样 | “龘”一去不回（2） |
# | ③ | 空格子照样要算 | 补到 128，答案不变，时间多得多（3、13） |
# | ④ | 预训练带来语言，不带答案 | 第 0 步损失是 ln 2（5） |
# | ⑤ | 反着梯度走一小步，损失下降 | 三个下山的人，一步真模型（6） |
# | ⑥ | 学会没有，问没见过的行 | 红点离开蓝线，高估的分数（7、13） |
# | ⑦ | 准确率要带区间 | 360 行，约四个百分点（8） |
# | ⑧ | 可以只训练上面 | 头很小、很快，差一截（11） |

# %% [markdown] lang="en"
# ## 14 In short
#
# You have come from a table to a model that can be saved, can answer, and knows its own error. Eight sentences of theory, and each of them you have seen with your own eyes:
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | whatever separates the classes gets learned | both classes equally long: a short cut closed (1) |
# | ② | a model sees integers; unknown is all one | 龘 never came back (2) |
# | ③ | empty squares cost as much | at 128 the same answers, and far more time (3, 13) |
# | ④ | pretraining brings language, not answers | a loss of ln 2 at step 0 (5) |
# | ⑤ | a small step against the gradient lowers the loss | three walkers, and one step of a real model (6) |
# | ⑥ | whether it has learned, ask unseen rows | dots that leave the line, points of overestimate (7, 13) |
# | ⑦ | an accuracy needs its interval | 360 rows, about four points (8) |
# | ⑧ | one may train only the top | the head: small, fast, some way behind (11) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学的训练损失已经到 0.02，于是说模型“几乎完美”。你会问他哪两个问题？
#
# <details><summary>展开答案</summary>
#
# 一问：在没见过的行上损失多少？0.02 只说明模型记住了训练数据（理论 ⑥）；验证损失可能早在第二轮就开始回升。二问：测试集有多少行，区间多宽？没有这两个数，“几乎完美”无从谈起（理论 ⑦）。顺带看一眼数据里有没有捷径，或者测试文本混进了训练集。
#
# </details>

# %% [markdown] lang="zh"
# **二**　你把学习率调大十倍，损失一开始降得很快，接着跳到 0.69 左右就不动了。发生了什么？怎么救？
#
# <details><summary>展开答案</summary>
#
# 步子越过了悬崖（第 6 节右图）：几步大跳毁掉了预训练的权重，模型退回到“两类各一半”的瞎猜，而 ln 2 ≈ 0.69 正是瞎猜的损失。继续练通常救不回来，因为毁掉的是语言本身。重新载入模型，把学习率降到三分之一到十分之一，热身拉长一些；裁剪挡得住偶然的一步，挡不住步步都大。
#
# </details>

# %% [markdown] lang="zh"
# **三**　只训练头时，前向的计算量和全部训练几乎一样，为什么还是快得多？又为什么不能更快？
#
# <details><summary>展开答案</summary>
#
# 一步里，反向大约是前向的两倍。头下面没有一个参数需要梯度，反向走完头就停了，优化器也只更新百分之一左右的参数，于是剩下大约三分之一的活：前向。而前向本身省不掉——除非注意到：冻结部分对同一行的输出每轮都一样，算一次存起来就够了。labkit 的 `Trainer` 正是这样做的，所以第 11 节的表里，省下的时间比三分之二还多；笔记 02 让你亲手写一遍。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student's training loss is down to 0.02, so the model is "nearly perfect". Which two questions do you ask?
#
# <details><summary>Open the answer</summary>
#
# First: what is the loss on unseen rows? 0.02 says only that the training data is remembered (theory ⑥); the validation loss may have turned upwards in the second epoch. Second: how many test rows are there, and how wide is the interval? Without these, "nearly perfect" means nothing (theory ⑦). And see in passing whether the data has a short cut, or test texts got in among the training rows.
#
# </details>

# %% [markdown] lang="en"
# **Two.** You make the learning rate ten times as large. At first the loss falls fast, then it jumps to about 0.69 and stays there. What has happened, and what can be done?
#
# <details><summary>Open the answer</summary>
#
# The strides went over the cliff (section 6, on the right): a few long jumps destroyed the pretrained weights, and the model is back at guessing one half for each class; ln 2 ≈ 0.69 is just the loss of guessing. Training on seldom saves it, for what was destroyed is the language itself. Load the model again, take a third to a tenth of that learning rate, and a longer warm-up. Clipping helps against one unlucky step, not against steps that are all too long.
#
# </details>

# %% [markdown] lang="en"
# **Three.** When only the head trains, the forward pass costs nearly as much as when everything does. Why is it so much faster all the same, and why not faster still?
#
# <details><summary>Open the answer</summary>
#
# In one step, backward costs about twice as much as forward. Below the head no parameter needs a gradient, so backward ends right after the head, and the optimizer updates only about one parameter in a hundred; what is left is about a third of the work, the forward pass. That can't be saved, unless one notices that the frozen part gives the same output for the same row in every epoch: work it out once and keep it. labkit's `Trainer` does just that, which is why the table of section 11 shows more than two thirds of the time saved; in notebook 02 you write it yourself.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **换成你的数据**：一个有 `text,label` 两列的 CSV 就够了：`corpus = lk.load_csv("我的评论.csv", labels={"0": "negative", "1": "positive"})`，从第 1 节重新走，那五句换成你自己挑的行。
# - **换模型**：在开头加一行 `MODEL = "tiny-bert-zh-general"`，同样大小，却没读过评论。猜猜差多少。
# - **练习 01**：亲手写 collate、算分、写出训练循环，每一题当场告诉你对不对。
# - **笔记 02**：冻结、LoRA、前缀、适配器……同一张考卷，带误差线，比一比。

# %% [markdown] lang="en"
# ## Where next
#
# - **Your own data**: a CSV with the two columns `text,label` is enough: `corpus = lk.load_csv("my_reviews.csv", labels={"0": "negative", "1": "positive"})`; walk again from section 1, and pick five rows of your own there.
# - **Another model**: write `MODEL = "tiny-bert-zh-general"` below the line that chose the model. It is as large, but has never read a review. Guess how much that costs.
# - **Exercises 01**: collate batches, compute scores and write the loop with your own hands, and be told on the spot whether it is right.
# - **Notebook 02**: freezing, LoRA, prefixes, adapters and more, in the same exam, with error bars.
