"""The exercises of lesson 09, what goes wrong: a doctor's rules, early stopping, L2-SP, replay, leaks, a rate from a curve."""

import math
import random
import unicodedata

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.lesson02 import block_of, network
from labkit_exercises.lesson06 import as_list, whole
from labkit_exercises.matching import faults, joined, kind_fault, near, numbers, pair_fault, shown

from labkit import tr

NAN = float("nan")
HIGH, LOW, OVER, FINE = "rate too high", "rate too low", "overfitting", "healthy"

PATIENTS = (  # (training, validation) losses by epoch, the loss of guessing, the diagnosis
    ([0.70, 0.55, 0.48], [0.66, 0.60, 0.58], 0.69, FINE),
    ([0.74, 0.90, 0.71], [1.90, 0.70, 0.80], 0.69, HIGH),
    ([0.68, NAN, NAN], [0.66, NAN, NAN], 0.69, HIGH),
    ([0.68, 0.60, 0.61], [0.66, math.inf, 0.70], 0.69, HIGH),
    ([0.70, 0.70, 0.69], [0.694, 0.693, 0.693], 0.69, LOW),
    ([1.60, 1.60, 1.59], [1.610, 1.602, 1.600], 1.61, LOW),
    ([0.70, 0.40, 0.10, 0.01], [0.66, 0.55, 0.80, 1.10], 0.69, OVER),
    ([0.70, 0.40, 0.10, 0.01], [0.95, 0.55, 0.80, 1.00], 0.69, OVER),
    ([0.60, 0.30, 0.10, 0.05, 0.02], [0.55, 0.50, 0.70, 0.90, 0.84], 0.69, FINE),
    ([0.70, 0.40, 0.20, 0.10], [0.90, 0.52, 0.60, 0.86], 0.69, FINE),
    ([0.70, 0.50, 0.20], [0.62, 0.50, 0.95], 0.69, FINE),
    ([1.50, 1.00, 0.50, 0.20], [1.40, 1.20, 1.50, 1.90], 1.61, FINE),
    ([0.90, 0.40, 0.20, 0.10], [0.66, 0.50, 0.90, 1.30], 0.69, HIGH),
    ([0.10, 0.50, 0.60, 0.65], [0.30, 0.60, 0.80, 1.00], 0.69, FINE),
    ([0.70, 0.20, 0.45, 0.40], [0.60, 0.30, 0.60, 0.90], 0.69, FINE),
    ([0.70, 0.50, 0.30], [0.66, 0.52, 0.66], 0.69, FINE),
    ([0.68, NAN, 0.60], [0.66, 0.60, 0.62], 0.69, HIGH),
    ([0.90, 0.50, 0.25, 0.125], [1.0, 0.5, 0.75, 1.0], 1.0, OVER),  # exactly half of guessing, and two epochs after
    ([0.90, 0.50, 0.40, 0.50], [0.8, 0.4, 0.9, 1.2], 1.0, FINE),  # training has not fallen below
    ([1.10, 0.50, 0.30], [0.9, 0.6, 0.5], 1.0, FINE),  # 1.1 times guessing is not above it
    ([0.70, 0.69, 0.68], [0.70, 0.67, 0.665], 0.69, FINE),  # has moved, if little
)


def diagnosed(train, valid, chance) -> str:
    """The four rules, one after the other."""
    if not all(math.isfinite(x) for x in (*train, *valid)) or max(train) > 1.1 * chance:
        return HIGH
    if max(valid) - min(valid) < 0.01 * chance:
        return LOW
    best = valid.index(min(valid))
    over = valid[-1] - valid[best] >= 0.5 * chance and len(valid) - best > 2 and train[-1] < train[best]
    return OVER if over else FINE


def a_patient(rng):
    """Losses that lie on either side of each rule, and never on it."""
    n, chance = rng.randint(3, 7), rng.choice((0.69, 1.1, 1.61, 3.0))
    top, wide = rng.choice((0.9, 1.0, 1.15, 1.3)), rng.choice((0.004, 0.03, 0.08, 0.5, 1.0))
    train = sorted((chance * rng.uniform(0.1, top) for _ in range(n)), reverse=rng.random() < 0.8)
    valid = [chance * (0.7 + wide * rng.random()) for _ in range(n)]
    if rng.random() < 0.5:
        valid = sorted(valid)
    if rng.random() < 0.1:
        rng.choice((train, valid))[rng.randrange(n)] = rng.choice((NAN, math.inf))
    return train, valid, chance, diagnosed(train, valid, chance)


@exercise("09.1")
def doctor(answer):
    for train, valid, chance, want in cases(PATIENTS, a_patient, 40):
        got = answer(list(train), list(valid), chance)
        given = tr(
            f"训练损失 {told(train)}，验证损失 {told(valid)}，瞎猜 {chance}：doctor",
            f"training losses {told(train)}, validation losses {told(valid)}, guessing {chance}: doctor",
        )
        if got != want:
            yield joined(
                *faults(given, got, want),
                doctor_fault(train, valid, chance, got, want) if isinstance(got, str) else "",
            )


def told(losses) -> str:
    return "[" + ", ".join(f"{x:g}" for x in losses) + "]"


def doctor_fault(train, valid, chance, got, want) -> str:
    """Which rule was missed."""
    best = min(valid)
    wild = not all(map(math.isfinite, (*train, *valid)))
    facts = (
        (got not in (HIGH, LOW, OVER, FINE), "只能回答四种之一：'rate too high'、'rate too low'、'overfitting'、'healthy'。", "Answer one of four: 'rate too high', 'rate too low', 'overfitting', 'healthy'."),
        (want == HIGH and wild, "nan 和任何数比大小都是假：要用 math.isfinite 来问，训练和验证都要问。", "Comparing nan with anything is False: ask math.isfinite, of training and of validation losses."),
        (want == HIGH and got != OVER, "有一轮的训练损失超过瞎猜的 1.1 倍就算：每一轮都要看，不只是头一轮或最后一轮。", "A training loss above 1.1 times guessing in any epoch is enough: look at all of them, not only at the first or last."),
        (got == LOW, "比的是最高和最低的验证损失，不是头尾两轮，也不是训练损失。", "It is about the highest and the lowest validation loss, not the first and last epoch, nor training losses."),
        (want == HIGH, "按次序问：第一条成立，就不再往下看。", "Ask in order: where the first rule holds, look no further."),
        (want == LOW and chance > 1, "“没动”要和瞎猜的损失比：最大减最小小于它的 1 %。", "'Has not moved' is in units of guessing: highest minus lowest below 1 % of it."),
        (want == LOW, "验证损失最大减最小小于瞎猜的 1 %，就是没动过。", "Highest minus lowest validation loss below 1 % of guessing: it has not moved."),
        (got == HIGH, "训练损失要超过瞎猜的 1.1 倍才算；验证损失高一些不算。", "It takes a training loss above 1.1 times guessing; a high validation loss alone does not count."),
        (got == OVER and train[-1] >= train[valid.index(best)], "训练损失没有继续降，就不是背书。", "The training loss did not fall on: that is no learning by heart."),
        (got == OVER and len(valid) - 1 - valid.index(best) < 2, "最低的一轮之后至少要再有两轮。", "There must be two epochs or more after the lowest."),
        (got == OVER, "最后一轮比最低的一轮高出的，要达到瞎猜的一半。", "The last epoch must be above the lowest by half of guessing or more."),
        (want == OVER, f"和最低的一轮比，不是和第一轮比；高出瞎猜的一半（这里是 {chance / 2:.3g}）就算。", f"Compare with the lowest epoch, not with the first; above it by half of guessing (here {chance / 2:.3g}) is enough."),
    )  # fmt: skip
    return next((tr(zh, en) for true, zh, en in facts if true), "")


LOSSES = (
    ([0.60, 0.50, 0.52, 0.55, 0.56, 0.40, 0.30], 2),
    ([0.60, 0.50, 0.45, 0.44, 0.43], 2),
    ([0.60, 0.62, 0.61, 0.59, 0.70, 0.69, 0.68, 0.30], 3),
    ([0.50, 0.60], 1),
    ([0.50, 0.50, 0.52, 0.53, 0.40, 0.30], 2),
    ([0.70, 0.60, 0.65, 0.55, 0.58, 0.50, 0.60, 0.61, 0.2], 2),
)


def watched(losses, patience, better=lambda losses, epoch, best: losses[epoch] < losses[best]):
    """(best epoch, last epoch trained), counted from 1."""
    best = 0
    for epoch in range(len(losses)):
        if epoch and better(losses, epoch, best):
            best = epoch
        if epoch - best >= patience:
            return best + 1, epoch + 1
    return best + 1, len(losses)


def some_losses(rng):
    return [rng.randint(4, 14) / 20 for _ in range(rng.randint(2, 9))], rng.randint(1, 4)


@exercise("09.2")
def stopping(answer):
    for losses, patience in cases(LOSSES, some_losses, 20):
        given = f"stop({losses}, {patience})"
        got = answer(list(losses), patience)
        got = got.tolist() if hasattr(got, "tolist") else got
        if trouble := pair_fault(got, "best", "last"):
            yield f"{given}: {trouble}"
        best, last = want = watched(losses, patience)
        rows, rises, ties, bad = len(losses), 0, 0, 0
        falls = [i for i in range(1, rows) if losses[i] >= losses[i - 1]]
        for i in range(1, rows):
            rises = rises + 1 if i in falls else 0
            if rises >= patience:
                bad = i + 1
                break
        misses = [i for i in range(rows) if i and losses[i] >= min(losses[:i])]
        total = misses[patience - 1] + 1 if len(misses) >= patience else rows
        for i in range(1, rows):
            ties = 0 if losses[i] <= min(losses[:i]) else ties + 1
            if ties >= patience:
                ties = -(i + 1)
                break
        late = -ties if ties < 0 else rows
        floor = losses.index(min(losses)) + 1
        yield from faults(
            given,
            [x.item() if hasattr(x, "item") else x for x in got],
            want,
            [
                ((watched(losses[:late], rows)[0], late), "相等不算进步。", "To be equal is no progress."),
                (watched(losses, patience, lambda x, i, best: x[i] <= x[best]), "相等不算进步。", "To be equal is no progress."),
                ((watched(losses[:last], rows, lambda x, i, best: x[i] <= x[best])[0], last), "相等不算进步：一样低的取先到的。", "To be equal is no progress: of equals the first is best."),
                (watched(losses, patience, lambda x, i, best: x[i] < x[i - 1]), "要和到目前为止最低的比，不是和上一轮比。", "Compare with the lowest so far, not with the epoch before."),
                ((floor, last), "后面的轮次还没有练，不能预知：只在停下之前的轮次里找最好的。", "Later epochs have not been trained: look for the best only among those before the stop."),
                ((floor, rows), "没有停：连着 patience 轮没有新的最低，就要停。", "It never stops: it should after `patience` epochs in a row without a new lowest."),
                *(((best - a, last - b), "轮次从 1 数起。", "Epochs are counted from 1.") for a, b in ((1, 1), (1, 0), (0, 1))[: 3 if last == rows else 2]),
                ((losses[best - 1], last), "要的是第几轮，不是它的损失。", "The number of the epoch is wanted, not its loss."),
                (watched(losses, patience - 1) if patience > 1 else (1, 1), "早停了一轮：要连着 patience 轮没有进步。", "One epoch early: it takes `patience` epochs in a row without progress."),
                ((last, best), "次序是（最好的一轮，停下的一轮）。", "The order is (best epoch, last epoch)."),
                ((last, last), "取回的是最好的一轮，不是停下的那一轮。", "What is kept is the best epoch, not the one at which it stopped."),
                ((best, min(last + 1, rows)), "多等了一轮：恰好 patience 轮没有进步就停。", "One epoch too many: stop as soon as `patience` epochs brought no progress."),
                ((watched(losses[: bad or rows], rows)[0], bad or rows), "要和到目前为止最低的比，不是和上一轮比。", "Compare with the lowest so far, not with the epoch before."),
                ((watched(losses[:total], rows)[0], total), "有了新的最低，就要从头数起。", "Where there is a new lowest, begin to count anew."),
            ],
        )  # fmt: skip


def moved_network(seed: int, frozen: tuple[str, ...] = ()):
    """A small network, some blocks frozen, and the values it started from."""
    import torch

    torch.manual_seed(seed)
    model = network(3)
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.requires_grad_(block_of(name) not in frozen)
            if p.requires_grad:
                p.add_(0.3 * torch.randn_like(p))
    return model, start


def slopes(model, loss) -> dict:
    import torch

    names = [n for n, p in model.named_parameters() if p.requires_grad]
    tensors = dict(model.named_parameters())
    found = torch.autograd.grad(loss, [tensors[n] for n in names], allow_unused=True)
    return {n: torch.zeros_like(tensors[n]) if g is None else g for n, g in zip(names, found, strict=True)}


def pulls(model, start, strength) -> dict:
    """The gradient that `lk.L2SP` adds, by its own code."""
    from labkit import L2SP

    body = {n: t for n, t in start.items() if block_of(n) != "head"}
    return slopes(model, L2SP(strength).add_loss(model, None, None, body, 0))


@exercise("09.3", model="kept")
def rubber_band(answer):
    import torch

    fixed = ((0, 1.0, ()), (1, 0.1, ()), (2, 3.0, ("embeddings", "layer 1")))
    parts = ((), ("embeddings",), ("layer 1", "layer 2"))
    for seed, strength, frozen in cases(
        fixed, lambda rng: (rng.getrandbits(20), rng.uniform(0.05, 4), rng.choice(parts)), 3
    ):
        model, start = moved_network(seed, frozen)
        tensors = dict(model.named_parameters())
        body = [n for n in tensors if block_of(n) != "head"]
        apart = {n: (tensors[n].detach() - start[n]).square() for n in tensors}
        want = strength / 2 * sum(apart[n].sum() for n in body)
        got = answer(model, {n: t.clone() for n, t in start.items()}, strength)
        given = tr(f"拉力 {strength}：pull", f"strength {strength}: pull")
        if not isinstance(got, torch.Tensor):
            yield joined(tr(f"{given} 应返回一个张量（标量），你的是 {shown(got)}。", f"{given} should return a tensor with one number; yours is {shown(got)}."), kind_fault(got, want))  # fmt: skip
        yield from faults(
            given,
            got,
            want,
            [
                (strength / 2 * sum(a.sum() for a in apart.values()), "头也拉住了：头是随机开始的，没有家可回。", "The head is held back too: it started at random and has no home to return to."),
                (strength / 2 * sum(tensors[n].detach().square().sum() for n in body), "这是往 0 拉，也就是权重衰减：要拉向出发点。", "This pulls towards 0, which is weight decay: pull towards the start."),
                (2 * want, "差一半：是 strength / 2 乘平方和，求导之后恰好是 strength 乘距离。", "Twice too large: it is strength / 2 times the squares, so that the gradient is strength times the way."),
                (strength / 2 * sum(apart[n].mean() for n in body), "平方要求和，不是求平均。", "Squares are added up, not averaged."),
                (strength / 2 * sum(apart[n].sum().sqrt() for n in body), "要的是距离的平方，不开根号。", "It takes the squared distance, without a root."),
                (want / strength, "忘了乘 strength。", "The factor `strength` is missing."),
                (strength / 2 * sum(a.sum() for n, a in apart.items() if "classifier" not in n), "头不只是 classifier：新加的 pooler 也是头，见 lk.blocks(model)[-1].parameters。", "The head is more than the classifier: the pooler is part of it; see lk.blocks(model)[-1].parameters."),
                (want / len(body), "平方要求和，不是求平均。", "Squares are added up, not averaged."),
                (strength / 2 * sum(apart[n].sum() for n in body).sqrt(), "要的是距离的平方，不开根号。", "It takes the squared distance, without a root."),
                (strength / 2 * sum(apart[n].sqrt().sum() for n in body), "要的是平方，不是绝对值。", "It takes squares, not absolute values."),
            ],
            1e-5,
        )  # fmt: skip
        if not got.requires_grad:
            yield given + tr("：结果没有梯度，训练感觉不到它。不要用 detach、item 或 no_grad。", ": the result has no gradient, and training will not feel it. Leave out detach, item and no_grad.")  # fmt: skip
        mine, theirs = slopes(model, got), pulls(model, start, strength)
        far = [n for n in theirs if not torch.allclose(mine[n], theirs[n], atol=1e-5)]
        if far:
            yield given + tr(
                f"：{far[0]} 的梯度和 lk.L2SP 的不同。", f": the gradient of {far[0]} is not that of lk.L2SP."
            )


@exercise("09.4")
def rehearsing(answer):
    fixed = ((5, 2, 2), (5, 3, 3), (4, 1, 1), (6, 2, 2), (5, 4, 10), (9, 2, 4), (0, 2, 2))
    for count, texts, every in cases(fixed, lambda rng: (rng.randint(0, 12), rng.randint(1, 4), rng.randint(1, 5))):
        tasks, extra = [f"t{i}" for i in range(count)], [f"r{i}" for i in range(texts)]
        got = answer(list(tasks), list(extra), every)
        items = as_list(got)
        got = got if items is None else items
        want = with_replay(tasks, extra, every)
        alone = [t for t in want if t.startswith("t")]
        early = with_replay(tasks, extra, every, first=True)
        once = with_replay(tasks, extra, every, again=False)
        same = [x if x.startswith("t") else extra[0] for x in want]
        yield from faults(
            f"mix({tasks}, {extra}, {every})",
            got,
            want,
            [
                (early, "早了：先做满 every 批任务，再重放一批。", "Too early: first `every` batches of the task, then one of replay."),
                (once, "普通文字用完了，就从头再用。", "When the plain text is used up, begin with it again."),
                (same, "每次重放要换下一批，不是总用第一批。", "Each replay takes the next batch, not always the first."),
                ([*alone, *extra], "不是练完任务再温习：要掺在中间。", "Don't rehearse after all is done: mix it in."),
                (alone, "一批也没有重放。", "Nothing is replayed."),
                (want + [extra[count // every % texts]] * (count % every > 0), "最后没有做满 every 批，就不重放。", "No replay after the last ones where they are fewer than `every`."),
                (want[: len(want) - count % every], "最后不满 every 批的任务也要练，不能丢。", "The last batches of the task are trained too, though fewer than `every`."),
                (with_replay(tasks, extra, every, whole=True), "每次只重放一批，不是全部。", "One batch at each replay, not all of them."),
                (with_replay(tasks, extra, every, ahead=1), "普通文字要从第一批取起。", "Begin with the first batch of plain text."),
                (with_replay(tasks, extra, every + 1), "隔得远了一批：每 every 批任务之后就重放。", "One batch too far apart: replay after every `every` batches."),
            ],
        )  # fmt: skip


def with_replay(tasks, extra, every, first=False, again=True, whole=False, ahead=0) -> list:
    found, used = [], 0
    for i, batch in enumerate(tasks):
        due = (i if first else i + 1) % every == 0
        more = (
            (extra if whole else [extra[(used + ahead) % len(extra)]]) if due and (again or used < len(extra)) else []
        )
        used += due
        found += [*more, batch] if first else [batch, *more]
    return found


def normal(text: str) -> str:
    """Width and case levelled, without punctuation and white space."""
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in text if unicodedata.category(c)[0] not in "PZ" and not c.isspace())


COPIES = (
    (["很好吃！", "Not bad at all", "送得快"], ["很好吃", "很好吃！", "not bad, at all.", "不好吃", "送 得\t快"]),
    (["ＡＢＣ 手机１２３", "屏幕好"], ["abc手机123", "abc手机12", "屏幕，好。", "屏幕"]),
    (["！！！", "好", "？"], ["。。。", "好！", "好好"]),
    ([], ["很好吃"]),
    (["一般般", "一般般"], ["一般般", "一般", "一般般。"]),
)


BITS = ("好", "吃", "A", "a", "Ａ", "1", "１", "！", "。", "，", " ", "\t", "(", "）", "、", "“")


def some_copies(rng):
    return tuple(
        ["".join(rng.choice(BITS) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(0, 6))]
        for _ in range(2)
    )


@exercise("09.5")
def leaking(answer):
    def hits(train, test, change, empty=False):
        known = {change(t) for t in train}
        return [i for i, t in enumerate(test) if change(t) in known and (empty or change(t))]

    def bare(text):
        return "".join(c for c in text if unicodedata.category(c)[0] not in "PZ" and not c.isspace())

    for train, test in cases(COPIES, some_copies, 30):
        got, want = answer(list(train), list(test)), hits(train, test, normal)
        items = as_list(got)
        rows = None if items is None else whole(items)
        if (
            items
            and rows is None
            and all(isinstance(x, (bool, type(None))) or str(x) in ("True", "False") for x in items)
        ):
            yield tr(
                "要的是测试行的编号，不是每行一个 True 或 False。",
                "The numbers of the test rows are wanted, not a True or False for each.",
            )
        often = [i for i, t in enumerate(test) for other in train if normal(t) and normal(t) == normal(other)]
        taught = [i for i, t in enumerate(train) if normal(t) and normal(t) in {normal(other) for other in test}]
        yield from faults(
            f"leaks({train}, {test})",
            sorted(rows) if rows is not None else got if items is None else items,
            want,
            [
                (hits(train, test, str), "只找到了一字不差的：先把文字归一化再比。", "Only exact copies were found: bring texts into a normal form first."),
                (hits(train, test, str.strip), "去掉两头的空白不够：中间的空格和标点也要去掉。", "Stripping the ends is not enough: spaces and punctuation inside go too."),
                (hits(train, test, lambda t: bare(t).lower()), "全角和半角要算相同：unicodedata.normalize('NFKC', text)。", "Full width and half width are the same: unicodedata.normalize('NFKC', text)."),
                (hits(train, test, lambda t: bare(unicodedata.normalize("NFKC", t))), "大小写要算相同。", "Upper and lower case are the same."),
                (hits(train, test, normal, empty=True), "归一化之后什么也不剩的文本（只有标点）不算泄漏。", "Texts of which nothing is left (punctuation only) are no leak."),
                ([i for i, t in enumerate(test) if any(normal(t) and normal(t) in normal(o) for o in train)], "要整条相同，不是包含在里面。", "The whole text must be equal; being part of one is no leak."),
                (often, "一行只报一次，哪怕训练里有好几条和它相同。", "Report a row once, even where several training texts equal it."),
                (hits(train, test, lambda t: "".join(c for c in unicodedata.normalize("NFKC", t).lower() if unicodedata.category(c)[0] != "P")), "空白也要去掉。", "White space goes too."),
                (hits(train, test, lambda t: normal(t) if all(unicodedata.category(c) != "Po" or ord(c) < 128 for c in unicodedata.normalize("NFKC", t)) else t), "NFKC 之后还有中文的标点，如“。”：string.punctuation 里没有。", "After NFKC there are still Chinese marks such as “。”, which string.punctuation lacks."),
                (taught, "要的是测试行的编号，不是训练行的。", "The numbers of test rows are wanted, not of training rows."),
                ([i + 1 for i in want], "编号从 0 数起。", "Rows are counted from 0."),
                ([test[i] for i in want], "要的是测试行的编号，不是文本。", "The numbers of the test rows are wanted, not their texts."),
                (len(want), "要的是编号的列表，不是个数。", "A list of row numbers is wanted, not how many."),
            ],
        )  # fmt: skip


def climb(low, cliff, noise, seed, ends="high"):
    """A range test: flat until `low`, falling to its lowest point somewhat below `cliff`, exploding there."""
    lots = random.Random(seed)
    rates = [10 ** (-6 + 6 * i / 99) for i in range(100)]
    losses = []
    for rate in rates:
        fall = 0.35 / (1 + (low * 3 / rate) ** 1.5)
        burst = min((rate / cliff) ** 3, 20.0)
        losses.append(0.72 - fall + burst + lots.gauss(0, noise))
    losses[8] -= 0.6  # one lucky batch at a rate at which nothing moves
    if ends == "nan":
        cut = next(i for i, rate in enumerate(rates) if rate > 3 * cliff)
        losses[cut:] = [NAN] * (len(losses) - cut)
    return rates, losses, [0.72 - 0.35 / (1 + (low * 3 / r) ** 1.5) + min((r / cliff) ** 3, 20.0) for r in rates]


CURVES = (  # where it begins to fall, where it explodes, noise, seed, what comes behind the explosion
    (1e-4, 1e-1, 0.02, 0, "high"),
    (3e-6, 2e-3, 0.04, 1, "high"),
    (3e-4, 1e-1, 0.03, 2, "nan"),
    (3e-5, 2e-2, 0.05, 3, "nan"),
)


@exercise("09.6")
def picking(answer):
    for low, cliff, noise, seed, ends in cases(
        CURVES, lambda rng: (*rng.choice(CURVES)[:2], 0.02, rng.getrandbits(20), "nan"), 2
    ):
        rates, losses, smooth = climb(low, cliff, noise, seed, ends)
        value = numbers(answer(list(rates), list(losses)))
        if value is None or value.numel() != 1:
            yield tr("应返回一个学习率（一个数）。", "One learning rate (a number) should be returned.")
        got, bottom = float(value), rates[min(range(100), key=smooth.__getitem__)]
        least = next(r for r, loss in zip(rates, smooth, strict=True) if loss < 0.72 - 0.4 * (0.72 - min(smooth)))
        if least <= got <= bottom / 1.3:
            continue
        said = tr(
            f"这条曲线在 {least:.1e} 已经明显下降，最低点在 {bottom:.1e}；可取两者之间、离最低点留一点余地，你取的是 {got:.1e}。",
            f"This curve is clearly falling at {least:.1e} and lowest at {bottom:.1e}; a rate between the two is right, with some room below the lowest. Yours is {got:.1e}.",
        )
        yield joined(said, picking_fault(got, rates, losses, least, bottom))


def picking_fault(got, rates, losses, least, bottom) -> str:
    finite = [i for i, loss in enumerate(losses) if math.isfinite(loss)]
    raw = rates[min(finite, key=losses.__getitem__)]
    if not math.isfinite(got):
        return tr("曲线里有 nan：先去掉。", "There are nans in the curve: drop them first.")
    if near(got, raw) or near(got, raw / 3):
        return tr("单批的损失会骗人：有一批碰巧容易。先平滑，再找最低点。", "Single batches deceive: one happened to be easy. Smooth the curve first, then find its lowest point.")  # fmt: skip
    if got > 2 * bottom:
        return tr("那里已经炸开了。", "There the loss has exploded.")
    if got > bottom / 1.3:
        return tr(
            "最低点就在悬崖边上：往左退一些。", "The lowest point lies at the edge of the cliff: step back to the left."
        )
    return tr("那里还没有动：往右一些。", "Nothing moves there yet: further to the right.")
