# %% [markdown] lang="zh"
# # 长任务 · 自己的 minilab
#
# 练习里的零件都做过了，现在把它们装成一台机器：你自己的 `minilab`，能读数据、训练、恢复、加 LoRA、写报告。最后一节里，它从 CSV 开始，不靠 labkit 的训练代码，微调自带的模型，交出一份别人能查的报告。
#
# 三个任务，每个约一小时，可以分几次做：
#
# | 任务 | 写什么 | 难度 | 分钟 | 要先做过 |
# |---|---|---|---|---|
# | 甲 | 装载器 `Loader` | ★★☆ | 60 | 01 |
# | 乙 | 循环 `train`，亲手做的 `LoRA` | ★★★ | 60 + 30 | 03、05 |
# | 丙 | 评估员 `evaluate` | ★★☆ | 60 | 02、08 |
#
# 检查拿你的代码和 labkit、peft 对着跑：同样的数据，批要一样，训练几步之后参数要一样（到百万分之一）。数据每次新抽。愿意的话，在编辑器里写成文件，再 `from minilab.loader import Loader` 拿来检查；下面有一格替你存文件。

# %% [markdown] lang="en"
# # Long tasks · A minilab of your own
#
# You have made the parts in the exercises; now build the machine: your own `minilab`, which reads data, trains, resumes, adds LoRA and writes a report. In the last section it begins with a CSV and, without labkit's training code, fine-tunes the packaged model and hands in a report that others can check.
#
# There are three tasks of about an hour each, in as many sittings as you like:
#
# | task | what you write | difficulty | minutes | do first |
# |---|---|---|---|---|
# | A | the loader, `Loader` | ★★☆ | 60 | 01 |
# | B | the loop, `train`, and `LoRA` by hand | ★★★ | 60 + 30 | 03, 05 |
# | C | the evaluator, `evaluate` | ★★☆ | 60 | 02, 08 |
#
# The checks run your code beside labkit and peft: with the same data the batches must be the same, and after some steps the parameters (to a millionth). The data are drawn anew each time. If you like, write files in an editor and check what `from minilab.loader import Loader` gives; a cell below saves files for you.

# %% tags=["setup"]
LANG = "zh"

import copy
import csv
import linecache
import math
import random
import statistics
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %% [markdown] lang="zh"
# ## long.1 任务甲：装载器（★★☆，60 分钟）
#
# 请写类 `Loader(path, tokenizer, size, most, seed)`。文件是 UTF-8 的 CSV（可能有 BOM），有 `text` 和 `label` 两列，还可能有别的；标签是词。读的规矩和 01.6 一样：去掉文本两端的空格，没有文本的行不要，相同的文本只留第一次。
#
# - `loader.labels`：出现过的标签，排好序的列表；
# - `loader.rows`：每行一对 `(编号的列表, 类别的号码)`，次序与文件相同；编号由 `tokenizer` 给（transformers 的分词器），连特殊符号至多 `most` 个；
# - `loader.order(epoch)`：第 `epoch` 轮的批，每批是行号的列表，每批至多 `size` 行；规矩同 01.7：长短相近的坐一起，批的先后打乱，每一轮、每个种子都不同，同一个种子的同一轮总是一样，不碰全局的随机数；
# - `loader.batches(epoch)`：照 `order` 一批一批地给 `(inputs, targets)`。`inputs` 是字典，`input_ids` 和 `attention_mask` 两个整数张量，右边补齐到本批最长；`targets` 是类别号码的张量。

# %% [markdown] lang="en"
# ## long.1 Task A: the loader (★★☆, 60 minutes)
#
# Write the class `Loader(path, tokenizer, size, most, seed)`. The file is a CSV in UTF-8 (perhaps with a BOM) with the columns `text` and `label`, and maybe others; labels are words. It is read as in 01.6: strip the blanks around texts, leave out rows without one, of equal texts keep the first.
#
# - `loader.labels`: the labels that occur, as a sorted list;
# - `loader.rows`: for each row a pair `(list of token numbers, number of the class)`, in the order of the file; `tokenizer` (one of transformers) gives the numbers, at most `most` of them, special tokens included;
# - `loader.order(epoch)`: the batches of an epoch, each a list of at most `size` row numbers; the rules are those of 01.7: rows of like length sit together, batches are shuffled, every epoch and every seed has another order, the same epoch of the same seed always the same, and the global random numbers are left alone;
# - `loader.batches(epoch)`: gives `(inputs, targets)` batch by batch, as `order` says. `inputs` is a dictionary of two integer tensors, `input_ids` and `attention_mask`, padded on the right to the longest of the batch; `targets` is a tensor of class numbers.


# %% answer="long.1"
class Loader:
    def __init__(self, path, tokenizer, size, most, seed):
        # BEGIN SOLUTION
        found = {}
        with open(path, encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if text := row["text"].strip():
                    found.setdefault(text, row["label"])
        self.labels = sorted(set(found.values()))
        ids = tokenizer(list(found), truncation=True, max_length=most)["input_ids"]
        self.rows = [(row, self.labels.index(label)) for row, label in zip(ids, found.values(), strict=True)]
        self.pad, self.size, self.seed = tokenizer.pad_token_id, size, seed
        # END SOLUTION

    def order(self, epoch):
        # BEGIN SOLUTION
        rng = random.Random(f"{self.seed}/{epoch}")
        numbers = list(range(len(self.rows)))
        rng.shuffle(numbers)
        numbers.sort(key=lambda i: len(self.rows[i][0]))
        batches = [numbers[i : i + self.size] for i in range(0, len(numbers), self.size)]
        rng.shuffle(batches)
        return batches
        # END SOLUTION

    def batches(self, epoch):
        # BEGIN SOLUTION
        for numbers in self.order(epoch):
            rows, targets = zip(*(self.rows[i] for i in numbers), strict=True)
            width = max(map(len, rows))
            ids = [row + [self.pad] * (width - len(row)) for row in rows]
            mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
            inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
            yield inputs, torch.tensor(targets)
        # END SOLUTION


# %% check="long.1" points=8
assert lk.check("long.1", Loader)

# %% [markdown] lang="zh"
# 通过了就存成文件，`minilab` 的第一个模块。下面的小工具把一个类或函数的源代码写进 `minilab/` 文件夹，以后在哪里都能用 `from minilab.loader import Loader`。

# %% [markdown] lang="en"
# Once it passes, save it as a file, the first module of `minilab`. The small tool below writes the source of a class or function into the folder `minilab/`, and from then on `from minilab.loader import Loader` works anywhere.

# %%
LIBRARIES = ("copy", "csv", "math", "random", "statistics", "torch")


def keep(module, thing):
    """The cell that defines this class or function, as a module of minilab."""
    code = (thing.__init__ if isinstance(thing, type) else thing).__code__
    cell = "".join(linecache.getlines(code.co_filename))
    lines = [*(f"import {library}" for library in LIBRARIES), "from torch import nn"]
    lines += ["from torch.nn.functional import cross_entropy", "", "", cell]
    Path("minilab").mkdir(exist_ok=True)
    Path("minilab", f"{module}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


keep("loader", Loader)

# %% [markdown] lang="zh"
# ## long.2 任务乙（一）：循环（★★★，60 分钟）
#
# 请写 `train(model, batches, score, *, epochs, lr, ...)`。它要和 labkit 的 Trainer 走得一步不差：
#
# - `batches(epoch)` 给出一轮的批的列表，每批是 `(inputs, targets)`；`model(**inputs).logits` 是分数，损失是交叉熵对行的平均；
# - 优化器是 `torch.optim.AdamW`，只管要训练的参数，分两组：矩阵（`ndim > 1`）按 `decay` 衰减，别的不衰减；
# - 一共 `epochs × 每轮批数` 步；前 `math.ceil(总步数 × warmup)` 步从 0 升起，此后直线下降，像 01.4 那样，最高是 `lr`；
# - 每批分成 `pieces` 份依次送进模型（每份 `math.ceil(行数 / pieces)` 行），梯度和整批一样；裁剪到 `clip`，再走一步；
# - 每轮之后，模型换到评估模式，叫一次 `score(model)`（越高越好），再接着练；
# - 有 `patience` 时：连续这么多轮没有超过最好的，就停；训练结束时（停下或走完），放回成绩最好的一轮的参数（一样好取先到的）；
# - `until`：这一次只走到第几轮为止（断电）；`state` 是上一次交出的状态，从那里接着走，和没断过的**每一位都相同**；从同一个状态可以恢复不止一次。
#
# 返回 `(history, state)`：`history` 是从开头算起每轮一对 `(平均损失, 成绩)` 的列表。随机失活用的是 torch 的全局随机数。

# %% [markdown] lang="en"
# ## long.2 Task B, first half: the loop (★★★, 60 minutes)
#
# Write `train(model, batches, score, *, epochs, lr, ...)`. It is to walk in step with labkit's Trainer:
#
# - `batches(epoch)` gives the list of an epoch's batches, each `(inputs, targets)`; `model(**inputs).logits` are the scores, and the loss is the cross-entropy, a mean over rows;
# - the optimizer is `torch.optim.AdamW` over what trains, in two groups: matrices (`ndim > 1`) decay by `decay`, all else does not;
# - there are `epochs × batches an epoch` steps; the rate rises from 0 during the first `math.ceil(steps × warmup)` and then falls along a straight line as in 01.4, with `lr` as its top;
# - each batch goes through the model in `pieces` pieces (of `math.ceil(rows / pieces)` rows), with the gradient of the whole batch; clip it to `clip`, then step;
# - after each epoch the model is put into evaluation mode, `score(model)` is asked once (higher is better), and training goes on;
# - with `patience`: stop after so many epochs in a row that did not beat the best; when training has ended (stopped or done), put back the parameters of the epoch with the best score (the first of equals);
# - `until`: in this call go no further than that epoch (a power cut); `state` is what an earlier call handed out: go on from there, equal **to the bit** to a run that was never cut. One may return to the same state more than once.
#
# Return `(history, state)`; `history` lists a pair `(mean loss, score)` for each epoch from the very start. Dropout uses torch's global random numbers.


# %% answer="long.2"
def train(
    model,
    batches,
    score,
    *,
    epochs,
    lr,
    warmup=0.1,
    clip=1.0,
    decay=0.01,
    pieces=1,
    patience=None,
    until=None,
    state=None,
):
    # BEGIN SOLUTION
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    history, step, best, kept = [], 0, 0, None
    if state is not None:
        state = copy.deepcopy(state)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        history, step, best, kept = (state[name] for name in ("history", "step", "best", "kept"))
    total = epochs * len(batches(0))
    warm = math.ceil(total * warmup)
    while len(history) < (until or epochs) and not (patience and len(history) - best >= patience):
        model.train()
        loss_sum = rows = 0
        for inputs, targets in batches(len(history)):
            share = step / warm if step < warm else 1 - (step - warm) / max(1, total - warm)
            for group in optimizer.param_groups:
                group["lr"] = lr * share
            optimizer.zero_grad()
            size = math.ceil(len(targets) / pieces)
            for start in range(0, len(targets), size):
                part = slice(start, start + size)
                logits = model(**{name: tensor[part] for name, tensor in inputs.items()}).logits
                loss = cross_entropy(logits, targets[part], reduction="sum") / len(targets)
                loss.backward()
                loss_sum += loss.item() * len(targets)
            nn.utils.clip_grad_norm_(trained, clip)
            optimizer.step()
            step, rows = step + 1, rows + len(targets)
        model.eval()
        history.append((loss_sum / rows, score(model)))
        if not best or history[-1][1] > history[best - 1][1]:
            best, kept = len(history), copy.deepcopy(model.state_dict())
    now = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
    state = copy.deepcopy(now | {"history": history, "step": step, "best": best, "kept": kept})
    if patience and (len(history) == epochs or len(history) - best >= patience):
        model.load_state_dict(kept)
    return history, state
    # END SOLUTION


# %% check="long.2" points=12
assert lk.check("long.2", train)

# %%
keep("loop", train)

# %% [markdown] lang="zh"
# ## long.3 任务乙（二）：亲手做 LoRA（★★☆，30 分钟）
#
# 请写类 `LoRA(linear, rank, alpha)`，`nn.Module` 的子类，把一个 `nn.Linear` 包在里面：
#
# - 参数 `a`（rank × 进）和 `b`（出 × rank），只有它们训练，原来的层冻结；刚做好时不起作用，却学得动；前向同 03.1；
# - `merged()`：返回一个新的 `nn.Linear`，已经合并好，原来的不动；
# - `LoRA.add(model, endings, rank, alpha)`（静态方法）：名字的最后一段在 `endings` 里的每个 `nn.Linear` 都换成 LoRA，如 `("query", "value")`；别的全部冻结，只有名字里有 `classifier` 或 `pooler` 的（头）照常训练；返回换掉的名字。

# %% [markdown] lang="en"
# ## long.3 Task B, second half: LoRA by hand (★★☆, 30 minutes)
#
# Write the class `LoRA(linear, rank, alpha)`, a subclass of `nn.Module` with an `nn.Linear` inside:
#
# - Parameters `a` (rank × inputs) and `b` (outputs × rank), of which alone it trains, with the old layer frozen; when new it has no effect and yet can learn; forward is 03.1;
# - `merged()`: returns a new `nn.Linear`, merged, and leaves the old one alone;
# - `LoRA.add(model, endings, rank, alpha)`, a static method: each `nn.Linear` whose name ends in a part among `endings`, such as `("query", "value")`, becomes a LoRA; everything else is frozen but the head (what has `classifier` or `pooler` in its name); return the names that were replaced.


# %% answer="long.3"
class LoRA(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        # BEGIN SOLUTION
        self.linear = linear.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = alpha / rank
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        return self.linear(x) + self.scale * (x @ self.a.T @ self.b.T)
        # END SOLUTION

    def merged(self):
        # BEGIN SOLUTION
        linear = copy.deepcopy(self.linear)
        with torch.no_grad():
            linear.weight += self.scale * (self.b @ self.a)
        return linear
        # END SOLUTION

    @staticmethod
    def add(model, endings, rank, alpha):
        # BEGIN SOLUTION
        model.requires_grad_(False)
        maps = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
        names = [name for name in maps if name.split(".")[-1] in endings]
        for name in names:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, LoRA(model.get_submodule(name), rank, alpha))
        for name, parameter in model.named_parameters():
            if "classifier" in name or "pooler" in name:
                parameter.requires_grad_(True)
        return names
        # END SOLUTION


# %% check="long.3" points=6
assert lk.check("long.3", LoRA)

# %%
keep("lora", LoRA)

# %% [markdown] lang="zh"
# ## long.4 任务丙：评估员和报告（★★☆，60 分钟）
#
# 请写 `evaluate(truth, said, other, slices, least)`。`truth` 是每行的真实类别，`said` 是你的模型说的，`other` 是拿来比的另一个（基线）说的，`slices` 是每行属于哪一片（如“酒店”），四个列表一样长。返回字典：
#
# - `"accuracy"`：`(准确率, 低, 高)`，95 % 的 Wilson 区间（z = 1.96）；
# - `"macro_f1"`：同 08.1；
# - `"difference"`：`(差, 低, 高)`，准确率之差，你的减另一个的。它们答的是同样的行：先逐行相减，平均的标准误是这一列的标准差（除以 n − 1 的那种）÷ √n，两边各 1.96 个；
# - `"verdict"`：区间全在 0 之上是 `"better"`，全在 0 之下是 `"worse"`，否则 `"unknown"`；
# - `"slices"`：行数不少于 `least` 的每一片一个 `(名字, 行数, 准确率, 低, 高)`，区间也是 Wilson 的；最差的在前，一样差按名字排。

# %% [markdown] lang="en"
# ## long.4 Task C: the evaluator and its report (★★☆, 60 minutes)
#
# Write `evaluate(truth, said, other, slices, least)`. `truth` holds the true class of each row, `said` what your model says, `other` what another one says that it is compared with (a baseline), and `slices` to which part each row belongs (such as "hotel"); the four lists are of equal length. Return a dictionary:
#
# - `"accuracy"`: `(accuracy, low, high)` with Wilson's 95 % interval (z = 1.96);
# - `"macro_f1"`: as in 08.1;
# - `"difference"`: `(difference, low, high)` of the accuracies, yours minus the other's. They answer the same rows: subtract row by row; the standard error of the mean is the standard deviation of that column (the one that divides by n − 1) over √n, and the interval has 1.96 of them on each side;
# - `"verdict"`: `"better"` where that interval is wholly above 0, `"worse"` where it is wholly below, else `"unknown"`;
# - `"slices"`: for each part with `least` rows or more `(name, rows, accuracy, low, high)`, Wilson's interval again; the worst first, equals by name.


# %% answer="long.4"
def evaluate(truth, said, other, slices, least):
    # BEGIN SOLUTION
    def wilson(right, n):
        share, square = right / n, 1.96**2 / n
        middle = (share + square / 2) / (1 + square)
        half = 1.96 * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
        return share, max(0.0, middle - half), min(1.0, middle + half)

    hits = [int(t == s) for t, s in zip(truth, said, strict=True)]
    apart = [hit - (t == o) for hit, t, o in zip(hits, truth, other, strict=True)]
    mean = statistics.fmean(apart)
    half = 1.96 * statistics.stdev(apart) / math.sqrt(len(apart))
    f1 = []
    for label in {*truth, *said}:
        right = sum(t == s == label for t, s in zip(truth, said, strict=True))
        f1.append(2 * right / (truth.count(label) + said.count(label)))
    parts = {}
    for name, hit in zip(slices, hits, strict=True):
        parts.setdefault(name, []).append(hit)
    rows = [(name, len(part), *wilson(sum(part), len(part))) for name, part in parts.items() if len(part) >= least]
    return {
        "accuracy": wilson(sum(hits), len(hits)),
        "macro_f1": sum(f1) / len(f1),
        "difference": (mean, mean - half, mean + half),
        "verdict": "better" if mean > half else "worse" if mean < -half else "unknown",
        "slices": sorted(rows, key=lambda row: (row[2], row[0])),
    }
    # END SOLUTION


# %% check="long.4" points=8
assert lk.check("long.4", evaluate)

# %%
keep("evaluator", evaluate)

# %% [markdown] lang="zh"
# ## 整台机器转起来
#
# 从这里起，训练的每一行都是你的代码。先把自带评论的一部分写成 CSV，就像别人交给你的那样：训练 360 行，验证全部。

# %% [markdown] lang="en"
# ## The whole machine at work
#
# From here on every line of training is yours. First some of the packaged reviews are written as CSVs, as somebody might hand them to you: 360 rows for training, and all of validation.

# %%
corpus = lk.reviews().limit(360)
folder = Path("minilab")
for name, rows in (("train", corpus.train), ("valid", corpus.valid), ("test", corpus.test)):
    with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((row.input, corpus.labels[row.target]) for row in rows)])

# %% [markdown] lang="zh"
# 现在从文件里取出你的模块，装上数据和模型。**猜**：只训练 LoRA 和头，参数占百分之几？

# %% [markdown] lang="en"
# Now take your modules from their files and load data and model. **Guess**: with LoRA and the head alone training, what share of the parameters is that?

# %%
from minilab.evaluator import evaluate
from minilab.loader import Loader
from minilab.loop import train
from minilab.lora import LoRA

model = lk.load("tiny-bert-zh", labels=corpus.labels)
loaders = {name: Loader(folder / f"{name}.csv", model.processor, 16, 64, seed=0) for name in ("train", "valid", "test")}
torch.manual_seed(0)
replaced = LoRA.add(model, ("query", "value"), rank=8, alpha=16)
trains = sum(p.numel() for p in model.parameters() if p.requires_grad)
print(len(replaced), f"{trains / sum(p.numel() for p in model.parameters()):.1%}")

# %% [markdown] lang="zh"
# `ask` 让模型答一遍某个文件里的行，答案放回文件的次序。训练六轮，三轮没有进步就停。**猜**：验证准确率到多少？

# %% [markdown] lang="en"
# `ask` lets the model answer the rows of a file and puts the answers back into the file's order. Train for six epochs, and stop after three without progress. **Guess**: what accuracy will validation reach?


# %%
def ask(model, loader):
    said = [0] * len(loader.rows)
    with torch.no_grad():
        for numbers, (inputs, _) in zip(loader.order(0), loader.batches(0), strict=True):
            for i, label in zip(numbers, model(**inputs).logits.argmax(-1).tolist(), strict=True):
                said[i] = label
    return said


def accuracy(model):
    loader = loaders["valid"]
    return statistics.fmean(a == y for a, (_, y) in zip(ask(model, loader), loader.rows, strict=True))


# %%
torch.manual_seed(0)
history, state = train(model, lambda e: list(loaders["train"].batches(e)), accuracy, epochs=6, lr=3e-3, patience=3)
for number, (loss, score) in enumerate(history, start=1):
    print(f"{number}  {loss:.3f}  {score:.3f}")

# %% [markdown] lang="zh"
# 最后是报告，对着没见过的测试行，和一个一行代码的对手比：字频加逻辑回归（`lk.baseline` 用的那种）。**先写下你的判断**：分得出高下吗？哪一类评论最难？

# %% [markdown] lang="en"
# The report comes last, on test rows that nobody has seen, against an opponent of one line: character counts with a logistic regression, as in `lk.baseline`. **Write your verdict down first**: can they be told apart? Which kind of review is the hardest?

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

opponent = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=500))
opponent.fit([row.input for row in corpus.train], [row.target for row in corpus.train])
other = opponent.predict([row.input for row in corpus.test]).tolist()
truth, kinds = [row.target for row in corpus.test], [row.extra["domain"] for row in corpus.test]
report = evaluate(truth, ask(model, loaders["test"]), other, kinds, least=20)

# %%
for key in ("accuracy", "difference"):
    value, low, high = report[key]
    print(f"{key:12} {value:+.3f}  [{low:+.3f}, {high:+.3f}]")
print("macro_f1    ", f"{report['macro_f1']:.3f}", " ", report["verdict"])
for name, n, share, low, high in report["slices"]:
    print(f"  {name:10} {n:4}  {share:.2f}  [{low:.2f}, {high:.2f}]")

# %% [markdown] lang="zh"
# **读一读**：最差的一片是最难的吗？看它的区间：一片只有几十行，区间宽到几片互相盖住时，“哪片最难”这张表答不了，只能指出先去读哪些行。总的判定也一样：`unknown` 不是“一样好”，是这些行分不出来。
#
# 到这里，从 CSV 到报告的每一步都是你写的，而且和 labkit、peft 对过。交作业时，在新的一格里运行 `lk.report(name="你的名字")`，把 `minilab/` 文件夹一起交。

# %% [markdown] lang="en"
# **Reading it**: is the lowest part the hardest? Look at the intervals: a part has a few dozen rows, and where the intervals of several cover one another, this table can't say which is hardest, only which rows to read first. The same goes for the verdict: `unknown` does not mean "equally good", it means that these rows can't tell.
#
# From the CSV to the report, every step is now yours and was checked beside labkit and peft. To hand in, run `lk.report(name="your name")` in a new cell, and add the folder `minilab/`.

# %%
lk.progress("long")
