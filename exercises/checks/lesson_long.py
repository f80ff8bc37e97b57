"""The long tasks, parts of the student's own minilab: a loader, the loop, LoRA by hand, an evaluator; each against labkit or peft."""

import copy
import csv
import functools
import math
import random
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.lesson01 import seating_faults
from labkit_exercises.lesson05_runs import stopped
from labkit_exercises.matching import faults, joined, kind_fault, near, no_whole_fault, pair_fault, shown, whole
from labkit_exercises.plain import plain

from labkit import tr

# long.1 Loader(path, tokenizer, size, most, seed)


@functools.cache
def packaged():
    """The packaged reviews and the tokenizer of the packaged model."""
    import labkit

    corpus = labkit.reviews()
    return corpus, labkit.load("tiny-bert-zh", labels=corpus.labels).processor


def a_shelf(rng):
    return rng.randint(5, 40), rng.choice((3, 4, 8)), rng.choice((12, 64)), rng.getrandbits(16)


@exercise("long.1", again=False, luck=True)
def loading(answer):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv"
        for n, size, most, seed in cases(((6, 4, 64, 0), (200, 8, 64, 1), (9, 4, 10, 2)), a_shelf, 3):
            rows = picked(n, seed)
            write(path, rows, seed)
            loader = answer(path, packaged()[1], size, most, seed)
            given = tr(
                f"{n} 行、每批 {size} 行、至多 {most} 个词元：", f"{n} rows, {size} a batch, at most {most} tokens: "
            )
            if missing := [name for name in ("labels", "rows", "order", "batches") if not hasattr(loader, name)]:
                yield joined(
                    tr(f"Loader 还没有 {missing[0]}。", f"Loader has no {missing[0]} yet."), kind_fault(loader, loader)
                )
            yield from loader_faults(given, loader, rows, size, most)
            again, other = (answer(path, packaged()[1], size, most, s) for s in (seed, seed + 1))
            orders = [plain(loader.order(epoch)) for epoch in (0, 1)]
            if plain(again.order(0)) != orders[0]:
                yield given + tr(
                    "同样的种子、同一轮，次序却不同。", "with the same seed and epoch the order is another."
                )
            if n > 4 * size and (orders[0] == orders[1] or plain(other.order(0)) == orders[0]):
                yield given + tr(
                    "每一轮、每个种子，次序都应不同。", "every epoch and every seed should have another order."
                )


def picked(n: int, seed: int) -> list[tuple[str, str]]:
    """Some reviews with a label in words."""
    rows = random.Random(seed).sample(packaged()[0].train, n)
    return [(row.input, f"{row.extra['domain']} {'差好'[row.target]}") for row in rows]


def write(path, rows, seed: int) -> None:
    """The rows as a CSV with what files bring: another column, blanks, a row without a text, one that is there twice."""
    rng = random.Random(seed)
    header = rng.sample(["text", "label", "shop"], 3)
    lines = [(f" {text} " if i % 3 else text, label) for i, (text, label) in enumerate(rows)]
    lines += [(rows[0][0], rows[1][1] + "?"), ("  ", rows[0][1])]
    with open(path, "w", encoding=rng.choice(("utf-8", "utf-8-sig")), newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        for text, label in lines:
            out.writerow([{"text": text, "label": label, "shop": "甲,乙"}[name] for name in header])


def loader_faults(given, loader, rows, size, most):
    import torch

    corpus, tokenizer = packaged()
    labels = sorted({label for _, label in rows})
    yield from faults(given + "labels", plain(loader.labels), labels)
    items = corpus.task.modality.encode(tokenizer, [text for text, _ in rows], most)
    want = [(list(item["input_ids"]), labels.index(label)) for item, (_, label) in zip(items, rows, strict=True)]
    got = [tuple(row) for row in plain(loader.rows)]
    if len(got) != len(want):
        yield given + tr(
            f"应有 {len(want)} 行，你的有 {len(got)} 行：去掉空的和重复的，别的都留下。",
            f"there should be {len(want)} rows; yours has {len(got)}: rows without a text and repeated ones go, all others stay.",
        )
    for number, (mine, theirs) in enumerate(zip(got, want, strict=True)):
        yield from faults(given + f"rows[{number}]", mine, theirs, [
            ((tokenizer(rows[number][0])["input_ids"], theirs[1]), "超过 most 个词元的要截短，特殊符号也算在内。", "Longer rows are cut to `most` tokens, special ones included."),
        ])  # fmt: skip
    lengths = [len(ids) for ids, _ in want]
    yield from (given + fault for fault in seating_faults(plain(loader.order(0)), lengths, size))
    for epoch in (0, 1):
        batches = list(loader.batches(epoch))
        if len(batches) != len(plain(loader.order(epoch))):
            yield given + tr(
                "batches(epoch) 要照 order(epoch) 一批一批地给。",
                "batches(epoch) should follow order(epoch), batch by batch.",
            )
        for numbers, batch in zip(plain(loader.order(epoch)), batches, strict=True):
            if wrong := pair_fault(batch, "inputs", "targets"):
                yield given + wrong
            inputs, targets = batch
            padded = tokenizer.pad({"input_ids": [want[i][0] for i in numbers]}, return_tensors="pt")
            for name in ("input_ids", "attention_mask"):
                if name not in inputs or not isinstance(inputs[name], torch.Tensor):
                    yield given + tr(f"inputs 里要有张量 {name!r}。", f"inputs should hold a tensor {name!r}.")
                if trouble := no_whole_fault(inputs[name], name):
                    yield given + trouble
                yield from faults(given + f"batches({epoch}), {name}", inputs[name].long(), padded[name])
            wanted = torch.tensor([want[i][1] for i in numbers])
            yield from faults(given + f"batches({epoch}), targets", targets, wanted)


# long.2 train(model, batches, score, *, epochs, lr, warmup, clip, decay, pieces, patience, until, state)

WALKS = ((0, 1e-3, 0.5, 0.05, 0.3, 3),)  # seed, rate, warm-up, clip, decay, pieces


def a_walk(rng):
    return (
        rng.getrandbits(16),
        10 ** rng.uniform(-4, -3),
        rng.uniform(0, 0.6),
        rng.choice((1.0, 0.1)),
        0.1,
        rng.randint(1, 4),
    )


@exercise("long.2", again=False)
def looping(answer):
    for walk in cases(WALKS, a_walk, 1):
        yield from trainer_faults(answer, *walk)
    fixed = ((0, None, ()), (1, 1, (0.5, 0.7, 0.8, 0.8, 0.9, 0.1)), (2, 2, (0.3, 0.7, 0.7, 0.6, 0.9, 0.2)))
    for seed, patience, scores in cases(fixed, lambda rng: (rng.getrandbits(16), rng.choice((None, 1, 2)), ()), 3):
        yield from course_faults(answer, seed, patience, list(scores))


def trainer_faults(answer, seed, lr, warmup, clip, decay, pieces):
    """The answer beside labkit's Trainer, on the packaged model without dropout."""
    import torch

    import labkit

    corpus = labkit.reviews().limit(14, seed=seed % 100)
    config = labkit.TrainConfig(
        epochs=2, lr=lr, batch_size=5, max_length=16, seed=seed, warmup=warmup, clip=clip, weight_decay=decay,
        device="cpu", precision="fp32", cache="off",
    )  # fmt: skip
    theirs = without_dropout(
        labkit.load("tiny-bert-zh", labels=corpus.labels, seed=seed)
    ).double()  # no rounding to argue about
    mine = copy.deepcopy(theirs)
    trainer = labkit.Trainer(theirs, corpus, labkit.Full(), config)

    def batches(epoch):
        found = [trainer.batch(rows) for rows in trainer.order(epoch)]
        return [(dict(b.inputs), b.target) for b in found]

    rows = len(trainer.batches.items["train"])
    sums = [0.0, 0.0]
    with trainer.at_work():
        for epoch in range(2):
            for numbers in trainer.order(epoch):
                for event in trainer.train_step(numbers):
                    sums[epoch] += float(getattr(event, "loss", 0.0)) * len(numbers)
    how = {"lr": lr, "warmup": warmup, "clip": clip, "decay": decay, "pieces": pieces}
    given = "train(…, " + ", ".join(f"{k}={v:.3g}" for k, v in how.items()) + tr("，两轮）：", ", two epochs): ")
    got = answer(mine, batches, lambda model: 0.0, epochs=2, **how)
    if wrong := pair_fault(got, "history", "state"):
        yield given + wrong
    history = plain(got[0])
    if not isinstance(history, list) or any(not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in history):
        yield joined(given + tr("history 应是每轮一对 (损失, 成绩)。", "history should hold a pair (loss, score) for each epoch."), kind_fault(history, []))  # fmt: skip
    yield from faults(
        given + tr("每轮的损失", "the losses"), [pair[0] for pair in history], [s / rows for s in sums], tolerance=1e-5
    )
    names = dict(mine.named_parameters())
    far = {n: float((p - names[n]).detach().abs().max()) for n, p in theirs.named_parameters()}
    off = {n: float(((p - names[n]).abs() > 1e-6).double().mean()) for n, p in theirs.named_parameters()}
    worst = max(
        off, key=off.get
    )  # where a gradient is all but 0, Adam makes rounding as large as a step: a few numbers may differ
    if off[worst] > 0.02 or not max(far.values()) <= 1e-3 or any(torch.isnan(p).any() for p in names.values()):
        yield given + tr(
            f"损失对，但 {len(trainer.order(0)) * 2} 步之后 {worst} 和 labkit 的 Trainer 差了 {far[worst]:.1e}（至多 1e-6）。看看分组（矩阵衰减、"
            "向量不衰减）、热身、裁剪、最后一步的学习率。",
            f"the losses are right, but after {len(trainer.order(0)) * 2} steps {worst} is {far[worst]:.1e} off labkit's Trainer (1e-6 is "
            "allowed). Look at groups (matrices decay, vectors don't), warm-up, clipping, and the rate of the last step.",
        )


def without_dropout(model):
    import torch

    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return model


def toy(seed: int):
    """A small network with dropout that answers as a model of transformers does, and its batches."""
    import torch
    from torch import nn

    class Toy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.3))
            self.head, self.modes = nn.Linear(6, 3), []

        def forward(self, vectors):
            self.modes.append(self.training)
            return SimpleNamespace(logits=self.head(self.body(vectors)))

    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    data = [[({"vectors": torch.randn(n, 4, generator=source)}, torch.randint(3, (n,), generator=source)) for n in (5, 4, 2)] for _ in range(6)]  # fmt: skip
    return Toy(), lambda epoch: [(dict(inputs), targets) for inputs, targets in data[epoch]]


def course_faults(answer, seed, patience, scores):
    """Stopping, the best parameters back, resuming to the bit, modes."""
    import torch

    rng = random.Random(seed)
    scores = scores or [rng.randint(1, 8) / 10 for _ in range(6)]
    length, best = stopped(scores, 6, patience) if patience else (6, 6)
    given = tr(f"成绩依次是 {scores}，patience={patience}：", f"with the scores {scores}, patience={patience}: ")
    how = {"epochs": 6, "lr": 0.05, "patience": patience}

    def course(model, batches, luck, **more):
        seen, modes = more.pop("seen", []), []

        def score(model):
            modes.append(model.training)
            seen.append([p.detach().clone() for p in model.parameters()])
            return scores[len(seen) - 1]

        torch.manual_seed(luck)
        got = answer(model, batches, score, **how, **more)
        return got, seen, modes

    model, batches = toy(seed)
    (got, seen, modes) = course(model, batches, seed)
    if wrong := pair_fault(got, "history", "state"):
        yield given + wrong
    history = plain(got[0])
    if len(history) != length or len(seen) != length:
        yield given + tr(
            f"应训练 {length} 轮，每轮问一次成绩；你训练了 {len(history)} 轮，问了 {len(seen)} 次。",
            f"{length} epochs should be trained, with one score each; yours trained {len(history)} and asked {len(seen)} times.",
        )
    yield from faults(given + tr("成绩", "the scores"), [pair[1] for pair in history], scores[:length])
    if not all(model.modes):
        yield given + tr(
            "训练时模型处在评估模式：每一轮问过成绩之后，要换回训练模式。",
            "the model trained in evaluation mode: switch back to training after each score.",
        )
    if any(modes):
        yield given + tr("问成绩时模型应处在评估模式。", "the model should be in evaluation mode when it is scored.")
    final = [p.detach() for p in model.parameters()]
    if not near([p.tolist() for p in final], [p.tolist() for p in seen[best - 1]]):
        yield given + tr(
            f"最后应放回第 {best} 轮的参数。" if patience else "没有 patience 时，留着最后一轮的参数。",
            f"the parameters of epoch {best} should be back in the end."
            if patience
            else "without patience the last parameters stay.",
        )
    cut = 1 + seed % max(1, length - 1)
    model, batches = toy(seed)
    kept = []
    (first, _, _) = course(model, batches, seed, until=cut, seen=kept)
    if len(plain(first[0])) != min(cut, length):
        yield given + tr(
            f"until={cut} 时应在第 {cut} 轮之后停下。", f"with until={cut} it should halt after epoch {cut}."
        )
    for _ in range(2):  # the second return is from the same state
        with torch.no_grad():
            for p in model.parameters():
                p.add_(1.0)  # the first run goes on, elsewhere
        model, batches = toy(seed)
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(0.5)
        (more, _, _) = course(model, batches, 999, state=first[1], seen=list(kept))
        if plain(more[0]) != history or not all(map(torch.equal, model.parameters(), final)):
            yield given + tr(
                f"第 {cut} 轮之后断电、恢复，结果和没断过的不同（要相同到每一位）：状态里要有参数、动量、步数、随机数、历史和最好的一轮，"
                "存的和取的都要是抄件。",
                f"cut off after epoch {cut} and resumed, it differs from a run that was never cut (it should be equal to the bit): the "
                "state holds parameters, moments, the step, random numbers, the history and the best epoch, all copied when kept and "
                "when taken back.",
            )


# long.3 LoRA(linear, rank, alpha)


@exercise("long.3", again=False)
def by_hand(answer):
    import torch
    from peft import LoraConfig, get_peft_model
    from torch import nn

    fixed = ((4, 3, 2, 8), (6, 6, 1, 16), (5, 7, 3, 1.5))
    draw = lambda rng: (rng.randint(2, 8), rng.randint(2, 8), rng.randint(1, 4), rng.choice((1, 4, 16)))  # noqa: E731
    for inputs, outputs, rank, alpha in cases(fixed, draw, 3):
        plain_map = nn.Linear(inputs, outputs, bias=inputs != 6)
        x, given = torch.randn(5, 3, inputs), f"LoRA(Linear({inputs}, {outputs}), {rank}, {alpha}): "
        kept = copy.deepcopy(plain_map)
        lora = answer(plain_map, rank, alpha)
        if not isinstance(lora, nn.Module):
            yield tr("LoRA 应是 nn.Module 的子类。", "LoRA should be a subclass of nn.Module.")
        shapes = {"a": (rank, inputs), "b": (outputs, rank)}
        for name, shape in shapes.items():
            if not isinstance(getattr(lora, name, None), nn.Parameter) or getattr(lora, name).shape != shape:
                yield given + tr(
                    f"应有参数 {name}，形状 {shape}。", f"there should be a Parameter {name} of shape {shape}."
                )
        trains = {n for n, p in lora.named_parameters() if p.requires_grad}
        if trains != {"a", "b"}:
            yield given + tr(
                f"只有 a 和 b 训练，你的是 {sorted(trains)}。", f"only a and b train; yours are {sorted(trains)}."
            )
        if not torch.allclose(lora(x), kept(x), atol=1e-6):
            yield given + tr(
                "新的 LoRA 应不起作用：b 从 0 开始。", "a new LoRA should have no effect: b starts from 0."
            )
        if not lora.a.detach().any() or lora.a.detach().std() == 0 < rank * inputs - 1:
            yield given + tr(
                "a 要随机：两个都是 0 就永远学不动。", "a should be random: with both at 0 nothing can learn."
            )
        wrapped = get_peft_model(nn.Sequential(kept), LoraConfig(r=rank, lora_alpha=alpha, target_modules=["0"], init_lora_weights=False))  # fmt: skip
        theirs = {n.split(".")[-3]: p for n, p in wrapped.named_parameters() if "lora_" in n}
        with torch.no_grad():
            lora.a.copy_(theirs["lora_A"])
            lora.b.copy_(theirs["lora_B"])
        want = wrapped(x)
        yield from faults(given + tr("前向", "forward"), lora(x), want, tolerance=1e-5)
        got = lora.merged()
        if not isinstance(got, nn.Linear):
            yield given + tr("merged() 应返回一个 nn.Linear。", "merged() should return an nn.Linear.")
        yield from faults(given + "merged()", got(x), want, tolerance=1e-5)
        if not torch.equal(plain_map.weight, wrapped.base_model.model[0].base_layer.weight) or got is plain_map:
            yield given + tr(
                "merged() 改动了原来的权重：要返回新的层。", "merged() changed the old weight: return a new layer."
            )
    yield from placing_faults(answer)


def placing_faults(answer):
    """`LoRA.add` puts one in place of each linear map of these names, and freezes the rest but the head."""
    from labkit_exercises.lesson02 import network

    for rank, endings in ((2, ("attention",)), (3, ("attention", "output"))):
        model = network(2)
        maps = {f"bert.encoder.layer.{i}.{e}" for i in range(2) for e in endings}
        got, given = plain(answer.add(model, endings, rank, 8)), f"LoRA.add(model, {endings}, {rank}, 8): "
        if set(got or ()) != maps:
            yield given + tr(f"应返回换掉的名字 {sorted(maps)}，你的是 {shown(got)}。", f"it should return the names it replaced, {sorted(maps)}; yours is {shown(got)}.")  # fmt: skip
        if any(not hasattr(model.get_submodule(name), "merged") for name in maps):
            yield given + tr(
                "换掉的层要真在模型里原来的位置上。", "what replaces a layer has to stand in its place in the model."
            )
        trains = {n for n, p in model.named_parameters() if p.requires_grad}
        wanted = {f"{name}.{m}" for name in maps for m in "ab"} | {n for n, _ in model.named_parameters() if "classifier" in n or "pooler" in n}  # fmt: skip
        if trains != wanted:
            yield given + tr(
                f"只有 LoRA 和头（classifier、pooler）训练；多了 {sorted(trains - wanted)[:3]}，少了 {sorted(wanted - trains)[:3]}。",
                f"only LoRA and the head (classifier, pooler) train; too many: {sorted(trains - wanted)[:3]}, missing: {sorted(wanted - trains)[:3]}.",
            )


# long.4 evaluate(truth, said, other, slices, least)


def a_table(rng):
    n, classes = rng.randint(20, 120), rng.randint(2, 4)
    return n, classes, rng.getrandbits(20), rng.randint(1, 8)


@exercise("long.4")
def judging(answer):
    for n, classes, seed, least in cases(
        ((40, 2, 1, 5), (100, 3, 2, 5), (30, 4, 3, 3), (60, 2, 4, 5), (30, 4, 5, 3), (60, 2, 6, 5), (60, 2, 7, 5)),
        a_table,
        6,
    ):
        rng = random.Random(seed)
        truth = [rng.randrange(classes) for _ in range(n)]
        said, other = (
            [t if rng.random() < p else rng.randrange(classes) for t in truth] for p in (0.8, rng.uniform(0.3, 0.8))
        )
        slices = [rng.choice(("酒店", "外卖", "电影", "手机", "图书")[: rng.randint(2, 5)]) for _ in range(n)]
        if seed == 5:
            said = [(t + 1) % classes if i else t for i, t in enumerate(truth)]  # one in thirty is right
        if seed == 4:
            other = list(said)
        if seed in (6, 7):  # a row better or worse on balance: nobody can tell
            right = [i for i, (t, s) in enumerate(zip(truth, said, strict=True)) if t == s]
            wrong = [i for i in range(n) if i not in right]
            other = [(t + 1) % classes if i in right[:2] else t if i in wrong[:1] else s for i, (t, s) in enumerate(zip(truth, said, strict=True))]  # fmt: skip
            said, other = (said, other) if seed == 6 else (other, said)
        if seed == 2:
            said = [0 if s == 2 else s for s in said]  # one class is never said
            least = min(Counter(slices).values())
        given = tr(f"{n} 行、{classes} 类：", f"{n} rows, {classes} classes: ")
        got = answer(list(truth), list(said), list(other), list(slices), least)
        want = evaluated(truth, said, other, slices, least)
        if not isinstance(got, dict) or set(got) != set(want):
            yield joined(given + tr(f"应返回字典，键为 {list(want)}；你的是 {shown(got)}。", f"a dictionary with the keys {list(want)} is wanted; yours is {shown(got)}."), kind_fault(got, {}))  # fmt: skip
        yield from report_faults(given, got, want, truth, said, other)


def evaluated(truth, said, other, slices, least) -> dict:
    """The report by labkit's own functions and slow obvious ones."""
    from sklearn.metrics import f1_score

    from labkit import wilson

    n, right = len(truth), [int(t == s) for t, s in zip(truth, said, strict=True)]
    better = [r - (t == o) for r, t, o in zip(right, truth, other, strict=True)]
    mean = sum(better) / n
    half = 1.96 * math.sqrt(sum((d - mean) ** 2 for d in better) / (n - 1) / n)
    low, high = mean - half, mean + half
    counted = Counter(slices)
    rows = []
    for name, many in counted.items():
        if many >= least:
            hits = sum(r for r, s in zip(right, slices, strict=True) if s == name)
            rows.append((name, many, hits / many, *wilson(hits, many)))
    return {
        "accuracy": (sum(right) / n, *wilson(sum(right), n)),
        "macro_f1": f1_score(truth, said, average="macro", zero_division=0),
        "difference": (mean, low, high),
        "verdict": "better" if low > 0 else "worse" if high < 0 else "unknown",
        "slices": sorted(rows, key=lambda row: (row[2], row[0])),
    }


def report_faults(given, got, want, truth, said, other):
    n, share = len(truth), want["accuracy"][0]
    half = 1.96 * math.sqrt(share * (1 - share) / n)
    rivals = [sum(t == s for t, s in zip(truth, one, strict=True)) / n for one in (said, other)]
    apart = 1.96 * math.sqrt(sum(p * (1 - p) / n for p in rivals))
    mean = want["difference"][0]
    mistakes = {
        "accuracy": [((share, share - half, share + half), "这是正态近似的区间；行少、靠近 0 或 1 时它不诚实。用 Wilson 区间。", "That is the normal interval, which is not honest for few rows or near 0 and 1. Take Wilson's.")],
        "difference": [
            ((mean, mean - apart, mean + apart), "你把两个模型当成各答各的题：它们答的是同样的行，先逐行相减，再看差的散布。", "You treat the two as if each had rows of its own: they answer the same rows, so subtract row by row and see how the differences spread."),
            (tuple(-x for x in (mean, want["difference"][2], want["difference"][1])), "减反了：是第一个减第二个。", "The wrong way round: the first minus the second."),
        ],
        "verdict": [("unknown", "区间不含 0，就分得出高下。", "Where the interval excludes 0, they can be told apart.")],
    }  # fmt: skip
    for key in ("accuracy", "macro_f1", "difference", "verdict"):
        yield from faults(given + f"[{key!r}]", got[key], want[key], mistakes.get(key, ()))
    mine = [tuple(row) for row in got["slices"]] if isinstance(got["slices"], (list, tuple)) else got["slices"]
    yield from faults(given + "['slices']", mine, want["slices"], [
        (want["slices"][::-1], "最差的在前。", "The worst comes first."),
    ])  # fmt: skip
    if whole(row[1] for row in mine) is None:
        yield given + tr("每个切片的行数应是整数。", "The rows of a slice are a whole number.")
