"""The exercises of lesson 05, the training loop: the loop, accumulation, clipping, early stopping, resuming, giving up."""

import functools
import math

from labkit.exercises.exercise import exercise, words
from labkit.exercises.matching import faults, joined, kind_fault, near, pair_fault, shown
from labkit.text import tr


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


@exercise("05.1")
def loop(answer):
    for seed, epochs, kind, options in (
        (1, 2, "SGD", {"lr": 9.0}),
        (2, 3, "AdamW", {"lr": 9.0}),
        (3, 1, "SGD", {"lr": 9.0, "momentum": 0.9}),
    ):
        model, asked, modes = network(seed), [], []
        model.register_forward_hook(lambda module, *_, modes=modes: modes.append(module.training))
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


def looped(seed, epochs, kind, options, clear="before", late=False, again=False, one=False, by_batch=False):
    """Mean losses and final parameters of the plain loop, or of one with a mistake."""
    import torch

    model = network(seed).train()
    leave_gradients(model)
    optimizer, step, means = two_groups(model, kind, options), 0, []
    for epoch in range(epochs):
        found, step = [], 0 if again else step
        for inputs, target in recorded([], seed, epoch):
            if clear == "before":
                optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs), target)
            loss.backward()
            if not late:
                set_rate(optimizer, plan(step), one)
            optimizer.step()
            if late:
                set_rate(optimizer, plan(step), one)
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
    if isinstance(got, (list, tuple)) and any(hasattr(x, "requires_grad") and x.requires_grad for x in got):
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


@exercise("05.2")
def accumulating(answer):
    import torch

    for seed, rows, size in ((1, 16, 4), (2, 16, 6), (3, 5, 8), (4, 7, 1)):
        model, seen = network(seed).train(), []
        model.register_forward_hook(lambda module, given, _, seen=seen: seen.append(len(given[0])))
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
        if max(seen) > size:
            yield tr(
                f"{given}，你却一次送了 {max(seen)} 行进模型。",
                f"{given}, and yet you sent {max(seen)} into the model.",
            )
        if sum(seen) < rows:
            yield tr(
                f"{given}：只有 {sum(seen)} 行进过模型，最后不满的一份也要。",
                f"{given}, only {sum(seen)} went through the model: the last piece counts though it is not full.",
            )
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
        ]
        yield from faults(tr(f"{given}，梯度", f"{given}, the gradient"), got, whole, mistakes, 1e-5)
        yield from faults(tr(f"{given}，返回值", f"{given}, what is returned"), loss, mean, [], 1e-5)
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            yield tr(
                "返回的损失还连着计算图：用 .item() 换成普通的数。",
                "The loss returned still holds its graph: make it a plain number with .item().",
            )


def piecewise(seed: int, rows: int, size: int, weight):
    """Gradient and mean loss of a batch in pieces, each weighed by `weight(its rows, number of pieces)`."""
    import torch

    model, (inputs, target) = network(seed).train(), examples(seed, rows)
    pieces = list(zip(inputs.split(size), target.split(size), strict=True))
    for x, y in pieces:
        (torch.nn.functional.cross_entropy(model(x), y) * weight(len(y), len(pieces))).backward()
    mean = torch.nn.functional.cross_entropy(model(inputs), target).item()
    return torch.cat([p.grad.flatten() for p in model.parameters()]), mean


# 05.3


@exercise("05.3")
def clipping(answer):
    import torch

    for seed, scale, most in ((1, 3.0, 1.0), (2, 0.01, 1.0), (3, 50.0, 0.5), (4, 1.0, 100.0)):
        given, want = gradients(seed, scale), gradients(seed, scale)
        length = torch.nn.utils.clip_grad_norm_(want, most).item()
        got = answer(given, most)
        slopes, wanted = ([p.grad for p in one if p.grad is not None] for one in (given, want))
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
        mistakes = [
            (
                min(length, most),
                "应返回裁剪**之前**的长度：想知道的是有没有出事。",
                "Return the length **before** clipping: one wants to know whether something happened.",
            ),
            (length**2, "忘了开平方。", "The square root is missing."),
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
    if near(slopes, before, 1e-6):
        return tr(
            "梯度没有变：要改动 p.grad 本身（例如 p.grad.mul_(…)）。",
            "The gradients are unchanged: change p.grad itself, as with p.grad.mul_(…).",
        )
    return ""


# 05.4


SCORES = (  # what score(model) says after each epoch, most, patience
    ((0.5, 0.6, 0.7, 0.65, 0.68, 0.9), 6, 2),  # the 0.9 is never reached
    ((0.5, 0.4, 0.6, 0.55, 0.7, 0.6, 0.8), 7, 2),
    ((0.5, 0.6, 0.7), 3, 2),
    ((0.7, 0.7, 0.7, 0.9), 4, 2),  # an equal score is no progress
    ((0.5, 0.6, 0.55, 0.58, 0.4), 5, 1),
    ((-3.0, -2.0, -2.5, -2.4, -2.3), 5, 3),  # a score may be negative, as minus a loss is
)


@exercise("05.4")
def stopping(answer):
    courses = []
    for scores, most, patience in SCORES:
        courses.append(Course(scores))
        courses[-1].answer = answer(courses[-1].model, courses[-1].epoch, courses[-1].score, most, patience)
    for course, (scores, most, patience) in zip(courses, SCORES, strict=True):
        length, best = stopped(scores, most, patience)
        said = f"score: {list(scores)}, most={most}, patience={patience}"
        if course.done != length:
            yield joined(
                tr(
                    f"{said}：应训练 {length} 轮，你训练了 {course.done} 轮。",
                    f"{said}: {length} epochs should be trained; yours trained {course.done}.",
                ),
                stopping_reason([course.done for course in courses]),
            )
        if course.asked != length:
            yield tr(
                f"{said}：每轮之后只问一次 score；你训练 {length} 轮，问了 {course.asked} 次。",
                f"{said}: ask score once after each epoch; in {length} epochs you asked {course.asked} times.",
            )
        held = round(course.model.weight.item())
        alive = tr(
            "`state_dict()` 给的是参数本身，不是抄件，会跟着训练一起变：每个张量都要 clone()。",
            "`state_dict()` gives the parameters themselves, no copy, and they change as training goes on: clone() each.",
        )
        if held != best:
            yield joined(
                tr(
                    f"{said}：最后应恢复第 {best} 轮的参数，模型里却是第 {held} 轮的。",
                    f"{said}: the parameters of epoch {best} should be back in the end; the model holds those of epoch {held}.",
                ),
                alive if held == length else "",
            )
        off = (best - 1, "轮次从 1 数起。", "Epochs are counted from 1.")
        yield from faults(tr(f"{said}，返回值", f"{said}, what is returned"), course.answer, best, [off])


class Course:
    """A model whose weight is the number of epochs trained, and scores that were fixed beforehand."""

    def __init__(self, scores):
        import torch

        self.scores, self.done, self.asked = scores, 0, 0
        self.model = torch.nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.model.weight.zero_()

    def epoch(self, model) -> None:
        import torch

        self.done += 1
        with torch.no_grad():
            model.weight.fill_(float(self.done))

    def score(self, model) -> float:
        self.asked += 1
        return self.scores[min(round(model.weight.item()), len(self.scores)) - 1]


def stopped(scores, most: int, patience: int, equal: bool = False, previous: bool = False, total: bool = False):
    """(Epochs trained, the best epoch), or what a mistake makes of it."""
    best, bad = 1, 0
    for epoch in range(2, most + 1):
        rival = scores[epoch - 2] if previous else scores[best - 1]
        better = scores[epoch - 1] > rival or (equal and scores[epoch - 1] == rival)
        bad = (bad if total else 0) if better else bad + 1
        best = epoch if better else best
        if bad >= patience:
            return epoch, best
    return most, best


IMPATIENT = (  # a mistake of stopping, and the words for it
    (
        lambda *how: stopped(*how, equal=True),
        "成绩相同不算进步：要严格更高。",
        "An equal score is no progress: it must be higher.",
    ),
    (
        lambda *how: stopped(*how, previous=True),
        "要和**最好的**一轮比，不是和上一轮比。",
        "Compare with the **best** epoch so far, not with the one before.",
    ),
    (
        lambda *how: stopped(*how, total=True),
        "没有进步的轮要**连续**才算：一有进步，就从 0 数起。",
        "Epochs without progress must be **in a row**: count from 0 after each progress.",
    ),
    (
        lambda scores, most, patience: stopped(scores, most, patience + 1),
        "晚了一轮：连续 patience 轮没有进步，就停。",
        "One epoch late: stop as soon as `patience` in a row brought nothing.",
    ),
    (lambda scores, most, patience: (most, 1), "从来没有停。", "It never stops."),
)


def stopping_reason(lengths: list[int]) -> str:
    """Which known mistake trains for just so many epochs in each case."""
    known = ((tr(zh, en), [mistake(*how)[0] for how in SCORES]) for mistake, zh, en in IMPATIENT)
    return next((words for words, found in known if found == lengths), "")


# 05.5


@exercise("05.5")
def resuming(answer):
    import torch

    for seed, kind, first, rest in ((1, "SGD", 4, 5), (2, "AdamW", 7, 4), (3, "AdamW", 1, 6)):
        options = {"lr": 9.0, "momentum": 0.9} if kind == "SGD" else {"lr": 9.0}
        model, optimizer, draw = workshop(seed, kind, options)
        torch.manual_seed(seed)
        pair = answer(model, optimizer, draw, falling, first)
        if finding := pair_fault(pair, "losses", "state"):
            yield finding
        begun, state = pair
        want_begun, want_rest = trained(seed, kind, options, first, rest)
        yield from faults(
            tr(f"{kind}，从头走 {first} 步，损失", f"{kind}, {first} steps from the start, the losses"),
            begun,
            want_begun,
            [],
            1e-6,
        )
        spoil(model, optimizer)  # the first run goes on, and elsewhere the state waits
        other, again, draw = workshop(seed + 50, kind, options, like=seed)
        torch.manual_seed(999)
        pair = answer(other, again, draw, falling, rest, state)
        if finding := pair_fault(pair, "losses", "state"):
            yield finding
        if list(pair[0]) == want_rest:
            continue
        said = tr(
            f"{kind}，第 {first} 步之后恢复，接下来的损失应为 {shown(want_rest)}，你的是 {shown(list(pair[0]))}。",
            f"{kind}, resumed after step {first}: the next losses should be {shown(want_rest)}; yours are {shown(list(pair[0]))}.",
        )
        yield joined(said, resuming_reason(list(pair[0]), seed, kind, options, first, rest))


def falling(step: int) -> float:
    return 0.3 / (1 + step)


def workshop(seed: int, kind: str, options: dict, like: int | None = None):
    """A new model with dropout, its optimizer, and `draw`, which takes 5 of 20 rows at random."""
    import torch

    inputs, target = examples(seed if like is None else like, 20)

    def draw():
        rows = torch.randperm(len(inputs))[:5]
        return inputs[rows], target[rows]

    model = network(seed, dropout=0.3).train()
    return model, two_groups(model, kind, options), draw


def spoil(model, optimizer) -> None:
    """What a state that is no copy would not survive."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
            for value in optimizer.state[parameter].values():
                if isinstance(value, torch.Tensor):
                    value.zero_()


def trained(seed, kind, options, first, rest, lost=()):
    """Losses of `first` steps and of the `rest` after a break in which some of the state was lost."""
    import torch

    model, optimizer, draw = workshop(seed, kind, options)
    torch.manual_seed(seed)
    begun = walked(model, optimizer, draw, range(first))
    if "moments" in lost:
        optimizer.state.clear()
    if "parameters" in lost:
        with torch.random.fork_rng(devices=[]):
            model.load_state_dict(network(seed + 50, dropout=0.3).state_dict())
    if "copy" in lost:
        spoil(model, optimizer)
    if "random" in lost:
        torch.manual_seed(999)
    start = 0 if "step" in lost else first
    return begun, walked(model, optimizer, draw, range(start, start + rest))


def walked(model, optimizer, draw, steps) -> list[float]:
    import torch

    losses = []
    for step in steps:
        set_rate(optimizer, falling(step))
        inputs, target = draw()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


LOST = (  # what may be missing, alone and with others, and the words for it
    (
        ("copy",),
        "存下的是参数和动量本身，不是抄件，训练接着走它们就变了：用 copy.deepcopy，或逐个 clone()。",
        "What you kept are the parameters and moments themselves, no copy, and they change as training goes on: take "
        "copy.deepcopy, or clone() each.",
    ),
    (
        ("random",),
        "随机数的状态没有接上：抽到的行和随机失活都不同。要存 torch.get_rng_state()，恢复用 torch.set_rng_state(…)。",
        "The random state was lost: other rows are drawn and other numbers dropped. Keep torch.get_rng_state() and put it "
        "back with torch.set_rng_state(…).",
    ),
    (
        ("moments",),
        "优化器的动量没有接上：要存 optimizer.state_dict()。",
        "The optimizer's moments were lost: keep optimizer.state_dict().",
    ),
    (
        ("step",),
        "步数没有接上：学习率计划又从第 0 步开始。",
        "The number of the step was lost: the plan of the rate began at step 0 again.",
    ),
    (
        ("parameters",),
        "模型的参数没有恢复。",
        "The model's parameters were not put back.",
    ),
    (
        ("random", "moments", "step"),
        "只有参数接上了：优化器的动量、步数、随机数的状态都丢了。",
        "Only the parameters went on: the optimizer's moments, the number of the step and the random state were lost.",
    ),
)


def resuming_reason(got, seed, kind, options, first, rest) -> str:
    """Which part of the state, when lost, gives just these losses."""
    for lost, zh, en in LOST:
        if near(got, trained(seed, kind, options, first, rest, lost)[1], 1e-7):
            return tr(zh, en)
    if len(got) != rest:
        return kind_fault(got, []) or tr(
            f"再走 {rest} 步，应有 {rest} 个损失。", f"{rest} more steps make {rest} losses."
        )
    return tr("恢复要相同到每一个比特。", "Resuming should be equal to the very bit.")


# 05.6


def epochs_of(text: str) -> list[tuple[float, ...]]:
    """Recorded epochs: training loss, validation loss, validation accuracy, all in hundredths.

    >>> epochs_of("69 59 72 | 56 55 76")
    [(0.69, 0.59, 0.72), (0.56, 0.55, 0.76)]
    """
    return [tuple(float(number) / 100 for number in epoch.split()) for epoch in text.split("|")]


@exercise("05.6")
def giving_up(answer):
    for zh, en, text in words("05")["05.6"]["sound"]:
        epochs = epochs_of(text)
        best = 1 + min(range(len(epochs)), key=lambda i: epochs[i][1])
        at = given_up(answer, epochs)
        if isinstance(at, str):
            yield at
        elif at is not None and at < best:
            yield tr(
                f"一次健康的训练（{zh}）在第 {at} 轮被你叫停了，它最好的是第 {best} 轮：{told(epochs[:at])}。再等等。",
                f"A sound run ({en}) was given up after epoch {at}, and its best was epoch {best}: {told(epochs[:at])}. "
                "Wait longer.",
            )
    for zh, en, text, latest in words("05")["05.6"]["hopeless"]:
        epochs = epochs_of(text)
        at = given_up(answer, epochs)
        if at is None or at > latest:
            late = (f"到第 {at} 轮才", f"only after epoch {at}") if at else ("一直没有", "never")
            yield tr(
                f"一次没救的训练（{zh}）{late[0]}被叫停；最晚第 {latest} 轮应当叫停：{told(epochs[:latest])}。",
                f"A hopeless run ({en}) was given up {late[1]}; it should be by epoch {latest}: {told(epochs[:latest])}.",
            )


def given_up(answer, epochs) -> int | str | None:
    """After which epoch the answer says True; None where it never does, a sentence where it says something else."""
    names = ("train_loss", "valid_loss", "valid_accuracy")
    history = []
    for number, found in enumerate(epochs, start=1):
        history.append(dict(zip(names, found, strict=True)))
        said = answer([dict(epoch) for epoch in history])
        if said not in (True, False):
            return joined(
                tr(
                    f"应返回 True 或 False，你的是 {shown(said)}。", f"True or False is wanted; yours is {shown(said)}."
                ),
                kind_fault(said, True),
            )
        if said:
            return number
    return None


def told(epochs) -> str:
    """The validation losses so far, in a few words."""
    values = ", ".join(f"{valid:.3g}" for _, valid, _ in epochs[-6:])
    return tr(f"验证损失 …{values}", f"validation losses … {values}")
