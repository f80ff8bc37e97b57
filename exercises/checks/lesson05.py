"""Checks of the exercises on the training loop that look at single steps: the loop, accumulation, clipping."""

import functools
import math

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, joined, near, shown

from labkit import tr


def network(seed: int, dropout: float = 0.0):
    """A small classifier of vectors of 4 into 3 classes, in evaluation mode, as `lk.load` gives it."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 3)).eval()


def examples(seed: int, n: int):
    """Inputs (n, 4) and classes (n,)."""
    import torch

    source = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=source), torch.randint(3, (n,), generator=source)


def numbers_of(tensors) -> list:
    return [t.detach().tolist() for t in tensors]


def two_groups(model, kind: str, options: dict):
    """An optimizer with matrices and vectors apart, as the Trainer has it."""
    import torch

    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if (p.ndim > 1) == wide]} for wide in (True, False)]
    return getattr(torch.optim, kind)(groups, **options)


# 05.1


LOOPED = (  # seed, epochs, optimizer
    (1, 2, "SGD", {"lr": 9.0}),
    (2, 3, "AdamW", {"lr": 9.0}),
    (3, 1, "SGD", {"lr": 9.0, "momentum": 0.9}),
)


def another_loop(rng):
    kind, options = rng.choice((("SGD", {}), ("AdamW", {}), ("SGD", {"momentum": 0.6})))
    return rng.randint(10, 10**6), rng.randint(1, 4), kind, options | {"lr": 9.0}


@exercise("05.1")
def loop(answer):
    for seed, epochs, kind, options in cases(LOOPED, another_loop, 3):
        model, asked, modes = network(seed), [], []
        model[0].register_forward_hook(lambda module, *_, modes=modes: modes.append(module.training))
        leave_gradients(model)
        batches = functools.partial(recorded, asked, seed)
        got = answer(model, batches, two_groups(model, kind, options), epochs, plan)
        after = numbers_of(model.parameters())
        if asked != list(range(epochs)):
            yield tr(
                f"{epochs} 轮训练，应当依次叫 batches(0)、batches(1)……各一次，你叫的轮次是 {shown(asked)}：次序属于轮。",
                f"For {epochs} epochs batches(0), batches(1) … should be called once each, in order; you asked for "
                f"{shown(asked)}. The order belongs to the epoch.",
            )
        if not all(modes):
            yield tr(
                "训练时模型处在评估模式：循环开头要 model.train()。",
                "The model trained in evaluation mode: call model.train() first.",
            )
        means, weights = looped(seed, epochs, kind, options)
        yield from loop_faults(got, after, means, weights, (seed, epochs, kind, options))


def plan(step: int) -> float:
    return 0.2 / (1 + step)


def recorded(asked: list, seed: int, epoch: int):
    """The batches of an epoch, the last one smaller; says which epochs were asked for."""
    asked.append(epoch)
    inputs, target = examples(10 * seed + epoch, 12)
    return list(zip(inputs.split(5), target.split(5), strict=True))


def leave_gradients(model) -> None:
    """What an earlier trial may have left behind."""
    import torch

    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)


def looped(
    seed,
    epochs,
    kind,
    options,
    clear="before",
    late=False,
    again=False,
    one=False,
    by_batch=False,
    by_epoch=False,
    ahead=0,
    steps=True,
    plan=plan,
):
    """Mean losses and final parameters of the plain loop, or of one with a mistake."""
    import torch

    model = network(seed).train()
    leave_gradients(model)
    optimizer, step, means = two_groups(model, kind, options), 0, []
    if clear == "once":
        optimizer.zero_grad()
    for epoch in range(epochs):
        found, step = [], 0 if again else step
        for inputs, target in recorded([], seed, epoch):
            if clear == "before":
                optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs), target)
            loss.backward()
            lr = plan(epoch if by_epoch else step + ahead)
            if not late:
                set_rate(optimizer, lr, one)
            if steps:
                optimizer.step()
            if late:
                set_rate(optimizer, lr, one)
            if clear == "after":
                optimizer.zero_grad()
            found += [loss.item()] * (1 if by_batch else len(target))
            step += 1
        means.append(sum(found) / len(found))
    return means, numbers_of(model.parameters())


def set_rate(optimizer, lr: float, one: bool = False) -> None:
    for group in optimizer.param_groups[: 1 if one else None]:
        group["lr"] = lr


LOOPS = (  # a mistake of the loop, and the words for it
    (
        {"steps": False},
        "参数一步也没动：反向之后要 optimizer.step()。",
        "The parameters have not moved at all: after backward comes optimizer.step().",
    ),
    (
        {"plan": lambda step: 9.0},
        "学习率没有照 rate(n) 来定，优化器一直用着自己带来的那个。",
        "The rate was never set to rate(n): the optimizer went on with the one it came with.",
    ),
    (
        {"plan": lambda step: 9.0 * plan(step)},
        "你把计划乘在了优化器原来的学习率上：rate(n) 就是学习率本身。",
        "The plan was multiplied by the rate that the optimizer came with: rate(n) is the rate itself.",
    ),
    (
        {"by_epoch": True},
        "你用的是 rate(轮次)：n 数的是步，不是轮。",
        "You used rate(epoch): n counts steps, not epochs.",
    ),
    (
        {"ahead": 1},
        "步数早了一个：第一步是 rate(0)，从 0 数起。",
        "The count is one ahead: the first step has rate(0), counted from 0.",
    ),
    (
        {"clear": "once"},
        "只在开头清了一次零，此后每一步都带着以前所有批的梯度：每批都要清。",
        "Gradients are cleared once at the start, and each later step carries those of all batches before: clear in each.",
    ),
    (
        {"clear": "after"},
        "模型交来时带着以前试验留下的梯度，混进了第一步：每次 backward 之前清零，而不只是 step 之后。",
        "The model came with gradients of an earlier trial, and they leaked into the first step: clear before each "
        "backward, not only after the step.",
    ),
    (
        {"clear": "never"},
        "梯度从不清零，每一步都带着以前所有批的梯度。",
        "Gradients are never cleared, so each step carries those of all batches before.",
    ),
    (
        {"late": True},
        "学习率定晚了：第 n 步要在 optimizer.step() 之前用 rate(n)。",
        "The rate comes late: rate(n) must be set before the optimizer.step() of step n.",
    ),
    (
        {"again": True},
        "步数每轮都从 0 数起：它要数过整次训练。",
        "The steps are counted from 0 in every epoch: count them over the whole run.",
    ),
    (
        {"one": True},
        "只改了第一个参数组的学习率：optimizer.param_groups 里每一组都要改。",
        "The rate of only one parameter group is set: optimizer.param_groups has several.",
    ),
)


def loop_faults(got, after, means, weights, how):
    if not near(after, weights, 1e-5):
        for mistake, zh, en in LOOPS:
            if near(after, looped(*how, **mistake)[1], 1e-5):
                yield tr(zh, en)
        yield tr(
            f"训练完的参数与标准循环不同（{how[2]}，{how[1]} 轮）：是不是多走、少走或改动了某一步？",
            f"After training the parameters differ from those of the plain loop ({how[2]}, {how[1]} epochs): is a step too "
            "many, too few, or altered?",
        )
    if any(getattr(x, "requires_grad", False) for x in (got, *(got if isinstance(got, (list, tuple)) else ()))):
        yield tr(
            "返回的损失还连着计算图，内存会越用越多：加 `loss.item()`。",
            "The losses returned still hold their graphs, and memory grows: add up `loss.item()`.",
        )
    if isinstance(got, (list, tuple)) and len(got) != len(means):
        yield tr(
            f"应返回每轮一个平均损失，共 {len(means)} 个；你的有 {len(got)} 个。",
            f"One mean loss an epoch is wanted, {len(means)} of them; you have {len(got)}.",
        )
    mistake = (
        looped(*how, by_batch=True)[0],
        "一轮的平均是对行的平均：最后一批只有 2 行，不能和 5 行的批同样重。",
        "The mean of an epoch is over rows: the last batch has only 2 and must not weigh as much as one of 5.",
    )
    yield from faults(tr("每轮的平均损失", "The mean losses of the epochs"), got, means, [mistake], 1e-5)


# 05.2


@exercise("05.2", model="modes")
def accumulating(answer):
    import torch

    fixed = ((1, 16, 4), (2, 16, 6), (3, 5, 8), (4, 7, 1), (5, 10, 4))
    for seed, rows, size in cases(fixed, lambda rng: (rng.getrandbits(20), rng.randint(2, 24), rng.randint(1, 9)), 8):
        model, passes = network(seed).train(seed != 2), Passes()
        model[0].register_forward_hook(passes)
        before, (inputs, target) = numbers_of(model.parameters()), examples(seed, rows)
        loss = answer(model, inputs, target, size)
        given = tr(f"{rows} 行、每次至多 {size} 行", f"With {rows} rows, at most {size} at a time")
        if any(p.grad is None for p in model.parameters()):
            yield tr(
                f"{given}：算完之后 .grad 是空的。梯度应留在那里，不要清掉。",
                f"{given}, .grad is empty afterwards: the gradient should be left there, so don't clear it.",
            )
        if numbers_of(model.parameters()) != before:
            yield tr(
                "参数动了：这里只求梯度，不迈步。", "The parameters have moved: only gradients are wanted, no step."
            )
        if passes.largest > size:
            yield tr(
                f"{given}，你却一次送了 {passes.largest} 行进模型。",
                f"{given}, and yet you sent {passes.largest} into the model.",
            )
        if passes.most > size:
            yield tr(
                f"{given}，内存里却同时留着 {passes.most} 行的计算图：每份算完就要 backward，它的图才会放掉。",
                f"{given}, and yet the graphs of {passes.most} rows were in memory at once: call backward after each piece, "
                "which lets go of its graph.",
            )
        if passes.rows < rows:
            yield tr(
                f"{given}：只有 {passes.rows} 行进过模型，最后不满的一份也要。",
                f"{given}, only {passes.rows} went through the model: the last piece counts though it is not full.",
            )
        if model.training != (seed != 2):
            yield tr("你换了模型的模式：这里不用管它。", "You changed the model's mode: leave it as it is.")
        got = torch.cat([p.grad.flatten() for p in model.parameters()])
        whole, mean = piecewise(seed, rows, rows, lambda n, pieces: 1.0)
        mistakes = [
            (
                piecewise(seed, rows, size, lambda n, pieces: 1 / pieces)[0],
                "你把每份的平均又平均了一次：行少的一份里，每行算得太重。每份的分量应是它的行数 ÷ 总行数。",
                "You took the mean of the pieces' means, and so each row of a small piece weighs too much. A piece's "
                "weight is its rows over all rows.",
            ),
            (
                piecewise(seed, rows, size, lambda n, pieces: 1.0)[0],
                "各份的平均直接加了起来：有几份，梯度就大了几倍。",
                "The pieces' means were just added up: with so many pieces the gradient is so many times too large.",
            ),
            (
                piecewise(seed, rows, size, lambda n, pieces: float(n))[0],
                "这是各行损失之和的梯度，还要除以总行数。",
                "This is the gradient of the sum over the rows; it still has to be divided by their number.",
            ),
            (
                piecewise(seed, rows, size, lambda n, pieces, share=size / rows: share)[0],
                "每份都按 size 行算了：最后一份行数少，要用它真正的行数。",
                "Every piece was taken to have `size` rows: the last has fewer, so use the number it really has.",
            ),
            (
                piecewise(seed, rows, size, lambda n, pieces, rows=rows: n / rows, last=True)[0],
                "只剩最后一份的梯度：前面的被清掉了，或被盖掉了。",
                "Only the gradient of the last piece is left: those before were cleared or written over.",
            ),
        ]
        each = piece_means(seed, rows, size)
        returns = [
            (
                sum(each) / len(each),
                "这是各份平均的平均：每份要按行数加权。",
                "That is the mean of the pieces' means: weigh each piece by its rows.",
            ),
            (sum(each), "这是各份平均的和。", "That is the sum of the pieces' means."),
            (
                mean * rows,
                "这是各行的和，还要除以总行数。",
                "That is the sum over the rows: divide it by their number.",
            ),
        ]
        yield from faults(tr(f"{given}，梯度", f"{given}, the gradient"), got, whole, mistakes, 1e-5)
        yield from faults(tr(f"{given}，返回值", f"{given}, what is returned"), loss, mean, returns, 1e-5)
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            yield tr(
                "返回的损失还连着计算图：用 .item() 换成普通的数。",
                "The loss returned still holds its graph: make it a plain number with .item().",
            )


class Passes:
    """A forward hook that counts rows: in all, in the largest pass, and most of them with their graph kept at once."""

    def __init__(self):
        self.rows = self.largest = self.held = self.most = 0

    def __call__(self, module, given, output) -> None:
        n = len(output)
        self.rows, self.largest = self.rows + n, max(self.largest, n)
        if output.requires_grad:
            self.held += n
            self.most = max(self.most, self.held)
            output.register_hook(lambda _: setattr(self, "held", self.held - n))


def piece_means(seed: int, rows: int, size: int) -> list[float]:
    """The mean loss of each piece."""
    import torch

    model, (inputs, target) = network(seed), examples(seed, rows)
    pieces = zip(inputs.split(size), target.split(size), strict=True)
    return [torch.nn.functional.cross_entropy(model(x), y).item() for x, y in pieces]


def piecewise(seed: int, rows: int, size: int, weight, last: bool = False):
    """Gradient and mean loss of a batch in pieces, each weighed by `weight(its rows, number of pieces)`."""
    import torch

    model, (inputs, target) = network(seed).train(), examples(seed, rows)
    pieces = list(zip(inputs.split(size), target.split(size), strict=True))
    for x, y in pieces[-1 if last else 0 :]:
        (torch.nn.functional.cross_entropy(model(x), y) * weight(len(y), len(pieces))).backward()
    mean = torch.nn.functional.cross_entropy(model(inputs), target).item()
    return torch.cat([p.grad.flatten() for p in model.parameters()]), mean


# 05.3


@exercise("05.3")
def clipping(answer):
    import torch

    fixed = ((1, 3.0, 1.0), (2, 0.01, 1.0), (3, 50.0, 0.5), (4, 1.0, 100.0))
    for seed, scale, most in cases(
        fixed, lambda r: (r.getrandbits(20), 10 ** r.uniform(-2, 2), 10 ** r.uniform(-1, 1)), 6
    ):
        given, want = gradients(seed, scale), gradients(seed, scale)
        length = torch.nn.utils.clip_grad_norm_(want, most).item()
        got = answer(given, most)
        slopes, wanted = ([p.grad for p in one if p.grad is not None] for one in (given, want))
        if any(not torch.equal(p, q) for p, q in zip(given, want, strict=True)):
            yield tr("参数变了：只改梯度，不动参数。", "The parameters changed: only gradients may be scaled.")
        said = tr(
            f"梯度的总长度 {length:.4g}，界限 {most:g}",
            f"With gradients of total length {length:.4g} and the limit {most:g}",
        )
        if given[1].grad is not None:
            yield tr(
                f"{said}：没有梯度的参数应保持原样（None）。",
                f"{said}: a parameter without a gradient should be left alone (None).",
            )
        if not near(slopes, wanted, 1e-5):
            yield joined(
                tr(
                    f"{said}，裁剪之后的总长度应为 {total(wanted):.4g}，你的是 {total(slopes):.4g}。",
                    f"{said}, the total length afterwards should be {total(wanted):.4g}; yours is {total(slopes):.4g}.",
                ),
                clipping_reason(slopes, gradients(seed, scale), length, most),
            )
        lengths = [total([p.grad]) for p in gradients(seed, scale) if p.grad is not None]
        mistakes = [
            (
                min(length, most),
                "应返回裁剪**之前**的长度：想知道的是有没有出事。",
                "Return the length **before** clipping: one wants to know whether something happened.",
            ),
            (length**2, "忘了开平方。", "The square root is missing."),
            (
                sum(lengths),
                "各张量的长度不能直接相加：相加的是平方，最后再开方。",
                "Lengths of tensors don't add up: add their squares and take the root in the end.",
            ),
            (
                max(lengths),
                "这是最长的一个张量；要的是全部梯度合起来的长度。",
                "That is the longest tensor; the length of all gradients together is wanted.",
            ),
        ]
        yield from faults(tr(f"{said}，返回值", f"{said}, what is returned"), got, length, mistakes, 1e-5)


def gradients(seed: int, scale: float) -> list:
    """Parameters of several shapes with their gradients; the second has none, as where something is frozen."""
    import torch

    source, found = torch.Generator().manual_seed(seed), []
    for shape in ((3, 4), (2,), (4,), (2, 2, 2)):
        found.append(torch.nn.Parameter(torch.randn(shape, generator=source)))
        if len(found) != 2:
            found[-1].grad = scale * torch.randn(shape, generator=source)
    return found


def total(slopes) -> float:
    return math.sqrt(sum(float((g * g).sum()) for g in slopes))


def clipping_reason(slopes, before, length: float, most: float) -> str:
    """Which known mistake turns the gradients before into these."""
    before = [p.grad for p in before if p.grad is not None]
    if near(slopes, [g * most / length for g in before], 1e-4):
        return tr(
            "它们本来就够短，你却把它们拉长了：只缩短，不拉长。",
            "They were short enough and you made them longer: shorten, never lengthen.",
        )
    if near(slopes, [g * min(1.0, most / total([g])) for g in before], 1e-4):
        return tr(
            "你给每个张量各裁一次，方向就变了：长度要对全部梯度一起算，再乘同一个数。",
            "You clipped tensor by tensor, and that turns the gradient: take one length over all of them, and one factor.",
        )
    if near(slopes, [g.clamp(-most, most) for g in before], 1e-4):
        return tr(
            "你截断了每个数，方向就变了：全部梯度要乘同一个数。",
            "You cut off single numbers, and that turns the gradient: multiply all of it by one factor.",
        )
    lengths = [total([g]) for g in before]
    if near(slopes, [g * min(1.0, most / sum(lengths)) for g in before], 1e-4):
        return tr(
            "各张量的长度不能直接相加：相加的是平方，最后再开方。",
            "Lengths of tensors don't add up: add their squares and take the root in the end.",
        )
    if near(slopes, [g * min(1.0, most / max(lengths)) for g in before], 1e-4):
        return tr(
            "你用了最长的一个张量的长度；要的是全部梯度合起来的长度。",
            "You took the length of the longest tensor; the length of all gradients together is wanted.",
        )
    if near(slopes, [g * most / length**2 for g in before], 1e-4):
        return tr("长度忘了开平方。", "The square root of the length is missing.")
    if near(slopes, before, 1e-6):
        return tr(
            "梯度没有变：要改动 p.grad 本身（例如 p.grad.mul_(…)）。",
            "The gradients are unchanged: change p.grad itself, as with p.grad.mul_(…).",
        )
    return ""
