"""Checks of the exercises on the training loop that look at a whole run: stopping, resuming, giving up."""

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise, words
from labkit_exercises.lesson05 import examples, network, set_rate, two_groups
from labkit_exercises.matching import as_list, faults, joined, kind_fault, near, numbers, pair_fault, shown

from labkit import tr

SCORES = (  # what score(model) says after each epoch, most, patience
    ((0.5, 0.6, 0.7, 0.65, 0.68, 0.9), 6, 2),  # the 0.9 is never reached
    ((0.5, 0.4, 0.6, 0.55, 0.7, 0.6, 0.8), 7, 2),
    ((0.5, 0.6, 0.7), 3, 2),
    ((0.7, 0.7, 0.7, 0.9), 4, 2),  # an equal score is no progress
    ((0.5, 0.6, 0.55, 0.58, 0.4), 5, 1),
    ((-3.0, -2.0, -2.5, -2.4, -2.3), 5, 3),  # a score may be negative, as minus a loss is
    ((0.5, 0.8, 0.6, 0.7), 4, 4),  # the end comes before patience does, and the best was earlier
)


def some_scores(rng):
    most = rng.randint(1, 9)
    return tuple(rng.randint(1, 12) / 20 - 0.1 for _ in range(most + 1)), most, rng.randint(1, 4)


def coursed(answer, scores, most, patience):
    course = Course(scores)
    course.answer = answer(course.model, course.epoch, course.score, most, patience)
    return course


@exercise("05.4")
def stopping(answer):
    courses = [coursed(answer, *how) for how in SCORES]
    for course, how in zip(courses, SCORES, strict=True):
        yield from course_faults(course, *how, [c.done for c in courses])
    for how in cases((), some_scores):
        yield from course_faults(coursed(answer, *how), *how, [])


def course_faults(course, scores, most, patience, lengths):
    """What is wrong with one course of training."""
    length, best = stopped(scores, most, patience)
    said = f"score: {list(scores)}, most={most}, patience={patience}"
    if course.asked != course.done:
        yield tr(
            f"{said}：每轮之后只问一次 score；你训练 {course.done} 轮，问了 {course.asked} 次。",
            f"{said}: ask score once after each epoch; in {course.done} epochs you asked {course.asked} times.",
        )
    if course.done != length:
        yield joined(
            tr(
                f"{said}：应训练 {length} 轮，你训练了 {course.done} 轮。",
                f"{said}: {length} epochs should be trained; yours trained {course.done}.",
            ),
            stopping_reason(lengths)
            or (tr(f"最多 {most} 轮。", f"{most} epochs at the most.") if course.done > most else ""),
        )
    held = round(course.model.weight.item())
    alive = tr(
        "要么没有放回去（放回去要用 model.load_state_dict(…)，不是换一个变量），要么存下的不是抄件：`state_dict()` 给的是参数本身，"
        "会跟着训练一起变，每个张量都要 clone()。",
        "Either they were never put back (that takes model.load_state_dict(…), not another variable), or what you kept is no "
        "copy: `state_dict()` gives the parameters themselves, and they change as training goes on, so clone() each.",
    )
    if held != best:
        yield joined(
            tr(
                f"{said}：最后应恢复第 {best} 轮的参数，模型里却是第 {held} 轮的。",
                f"{said}: the parameters of epoch {best} should be back in the end; the model holds those of epoch {held}.",
            ),
            tr("一样好的取先到的。", "Of equals take the first.")
            if 0 < held <= most and scores[held - 1] == scores[best - 1]
            else alive * (held == length),
        )
    mistakes = [
        (best - 1, "轮次从 1 数起。", "Epochs are counted from 1."),
        (max(scores[:length]), "要的是第几轮，不是成绩。", "The number of the epoch is wanted, not its score."),
        (
            length,
            "要的是最好的一轮，不是停下的那一轮。",
            "The best epoch is wanted, not the one at which it stopped.",
        ),
    ]
    yield from faults(tr(f"{said}，返回值", f"{said}, what is returned"), course.answer, best, mistakes)


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
    (
        lambda scores, most, patience: stopped(scores, most, patience - 1) if patience > 1 else (1, 1),
        "早了一轮：要连续 patience 轮没有进步，才停。",
        "One epoch early: it takes `patience` epochs in a row without progress.",
    ),
    (lambda scores, most, patience: (most, 1), "从来没有停。", "It never stops."),
)


def stopping_reason(lengths: list[int]) -> str:
    """Which known mistake trains for just so many epochs in each case."""
    known = ((tr(zh, en), [mistake(*how)[0] for how in SCORES]) for mistake, zh, en in IMPATIENT)
    return next((words for words, found in known if found == lengths), "")


# 05.5


def another_break(rng):
    return rng.randint(10, 10**6), rng.choice(("SGD", "AdamW")), rng.randint(1, 6), rng.randint(3, 6)


@exercise("05.5", opaque=True, shares=True)
def resuming(answer):
    import torch

    fixed = ((1, "SGD", 4, 5), (2, "AdamW", 7, 4), (3, "AdamW", 1, 6))
    for seed, kind, first, rest in cases(fixed, another_break, 2):
        options = {"lr": 9.0, "momentum": 0.9} if kind == "SGD" else {"lr": 9.0}
        model, optimizer, draw = workshop(seed, kind, options)
        torch.manual_seed(seed)
        pair = answer(model, optimizer, draw, falling, first)
        if finding := pair_fault(pair, "losses", "state"):
            yield finding
        begun, state = pair
        if isinstance(begun, dict):
            yield tr("次序反了：先是损失，后是状态。", "The wrong way round: first the losses, then the state.")
        want_begun, want_rest = trained(seed, kind, options, first, rest)
        yield from faults(
            tr(f"{kind}，从头走 {first} 步，损失", f"{kind}, {first} steps from the start, the losses"),
            begun,
            want_begun,
            [
                (
                    walked_plain(seed, kind, options, range(1, first + 1)),
                    "步数早了一个：第一步是 rate(0)。",
                    "The count is one ahead: the first step has rate(0).",
                )
            ],
            1e-6,
        )
        if any(getattr(x, "requires_grad", False) for x in begun):
            yield tr(
                "返回的损失还连着计算图，内存会越用越多：用 `loss.item()`。",
                "The losses returned still hold their graphs, and memory grows: take `loss.item()`.",
            )
        for leg, (done, steps) in enumerate(((first, rest - 2), (first + rest - 2, 2)), start=1):
            spoil(model, optimizer)  # the run before goes on, and elsewhere the state waits
            model, optimizer, draw = workshop(seed + 50 * leg, kind, options, like=seed)
            torch.manual_seed(999)
            before, pair = state, answer(model, optimizer, draw, falling, steps, state)
            if finding := pair_fault(pair, "losses", "state"):
                yield finding
            mine, state = as_list(pair[0]), pair[1]
            want = want_rest[done - first :][:steps]
            if mine == want:
                model, optimizer, draw = workshop(seed + 50 * leg, kind, options, like=seed)
                again = answer(model, optimizer, draw, falling, steps, before)
                if as_list(again[0]) != want:
                    yield tr(
                        f"{kind}，从同一个状态恢复第二次，损失就不同了：恢复之后的训练改动了存下的状态。恢复时要抄一份（优化器的 "
                        "load_state_dict 会直接用你给它的张量）。",
                        f"{kind}, resumed from the same state a second time the losses differ: training on has altered what was "
                        "kept. Copy it when you return to it (an optimizer's load_state_dict uses the very tensors it is given).",
                    )
                continue
            said = tr(
                f"{kind}，第 {done} 步之后恢复，接下来的损失应为 {shown(want)}，你的是 {shown(mine)}。",
                f"{kind}, resumed after step {done}: the next losses should be {shown(want)}; yours are {shown(mine)}.",
            )
            if leg == 1:
                yield joined(said, resuming_reason(mine, seed, kind, options, first, steps))
            yield said + tr(
                f"第一次恢复是对的，恢复之后再存、再恢复就不对了：存下的步数应是从开头数起的 {done}，存的也应是抄件。",
                f" The first return was right, the one from a state kept after it is not: the step to keep is {done}, counted from "
                "the very start, and what you keep has to be a copy.",
            )


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
    start = 0 if "step" in lost else first - ("count" in lost)
    if "updates" in lost:
        with torch.random.fork_rng(devices=[]):
            optimizer = two_groups(network(seed + 50), kind, options)
    return begun, walked(model, optimizer, draw, range(start, start + rest))


def walked_plain(seed, kind, options, steps) -> list[float]:
    """Losses of a run that starts anew, at these steps of the plan."""
    import torch

    model, optimizer, draw = workshop(seed, kind, options)
    torch.manual_seed(seed)
    return walked(model, optimizer, draw, steps)


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
        ("count",),
        "步数晚了一个：走完 n 步，下一步的编号就是 n。",
        "The count is one behind: after n steps the next one is number n.",
    ),
    (
        ("updates",),
        "恢复之后，更新没有落在正在训练的模型上：优化器管着交给你的那个模型的参数。把数值放回那个模型，不要换一个模型。",
        "After the return the updates miss the model that trains: the optimizer looks after the parameters of the model you were "
        "given. Put the values back into that one instead of taking another.",
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
            late = (
                (f"到第 {at} 轮才被", f"was given up only after epoch {at}")
                if at
                else ("一直没有被", "was never given up")
            )
            yield tr(
                f"一次没救的训练（{zh}）{late[0]}叫停；最晚第 {latest} 轮应当叫停：{told(epochs[:latest])}。",
                f"A hopeless run ({en}) {late[1]}; it should be by epoch {latest}: {told(epochs[:latest])}.",
            )


def given_up(answer, epochs) -> int | str | None:
    """After which epoch the answer says True; None where it never does, a sentence where it says something else."""
    names = ("train_loss", "valid_loss", "valid_accuracy")
    history = []
    for number, found in enumerate(epochs, start=1):
        history.append(dict(zip(names, found, strict=True)))
        said = answer([dict(epoch) for epoch in history])
        value = numbers(said)
        if value is None or value.numel() != 1 or value.item() not in (0, 1):
            return joined(
                tr(
                    f"应返回 True 或 False，你的是 {shown(said)}。", f"True or False is wanted; yours is {shown(said)}."
                ),
                kind_fault(said, True),
            )
        if value.item():
            return number
    return None


def told(epochs) -> str:
    """The validation losses so far, in a few words."""
    values = ", ".join(f"{valid:.3g}" for _, valid, _ in epochs[-6:])
    return tr(f"验证损失 …{values}", f"validation losses … {values}")
