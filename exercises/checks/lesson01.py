"""The exercises of lesson 01, the first fine-tune: batches, padding, scores, warm-up, the loop, reading a CSV, bucketing."""

import itertools
import math
import random
import re
import tempfile
from pathlib import Path

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import (
    as_list,
    fault,
    faults,
    joined,
    kind_fault,
    near,
    no_whole_fault,
    pair_fault,
    shown,
    whole,
)

from labkit import tr

BATCHES = (
    ([[5, 6, 7], [8]], 0),
    ([[9]], 3),
    ([[4, 2], [6], [7, 7, 3, 5]], 1),
    ([[2] * 9, [3] * 2], 0),
    ([[0, 5], [7, 0, 0]], 0),  # the number of the pad is a real token here
)


def rows_to_collate(rng):
    rows = [[rng.randint(0, 30) for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(1, 4))]
    return rows, rng.choice((0, 1, 7, rows[0][0]))


@exercise("01.1")
def collate(answer):
    import torch

    for rows, pad in cases(BATCHES, rows_to_collate):
        given, width = f"collate({rows}, pad={pad})", max(map(len, rows))
        got = answer([list(row) for row in rows], pad)
        if wrong := pair_fault(got, "ids", "mask"):
            yield wrong
        ids, mask = got
        if not isinstance(ids, torch.Tensor) or not isinstance(mask, torch.Tensor):
            yield tr(
                "ids 和 mask 都要是张量：最后用 `torch.tensor(...)`。",
                "Both ids and mask should be tensors: end with `torch.tensor(...)`.",
            )
        if trouble := no_whole_fault(ids, "ids") or no_whole_fault(mask, "mask"):
            yield trouble
        if ids.shape != (len(rows), width):
            yield tr(
                f"{given} 的形状应为 {(len(rows), width)}，即补到本批最长的一行；你的是 {tuple(ids.shape)}。",
                f"{given} should have the shape {(len(rows), width)}, padded to the longest row of this batch; yours is {tuple(ids.shape)}.",
            )
        want = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        left = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        zeros = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        yield from faults(
            given,
            ids,
            want,
            [
                (left, "pad 要补在右边，你补在了左边。", "The padding belongs on the right; yours is on the left."),
                (
                    zeros,
                    f"空位应填给定的 pad（这里是 {pad}），不是 0。",
                    f"Empty places take the given pad (here {pad}), not 0.",
                ),
            ],
        )
        want = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        yield from faults(
            tr(f"{given} 的掩码", f"The mask of {given}"),
            mask.long(),
            want,
            [
                (
                    torch.ones_like(want),
                    "填充的位置掩码应为 0，否则模型会去读空格子。",
                    "The mask is 0 where there is padding, or the model will read the empty places.",
                ),
                (1 - want, "反了：真词元是 1，填充是 0。", "It is upside down: 1 for real tokens, 0 for padding."),
            ],
        )


SEATED = (  # lengths, batches
    ([2, 4], [[0, 1]]),
    ([3, 3, 9, 1], [[0, 1], [2, 3]]),
    ([5, 2, 8, 8, 1], [[4, 0], [2, 3], [1]]),
    ([7], [[0]]),
)


def seated(rng):
    lengths = [rng.randint(1, 20) for _ in range(rng.randint(1, 9))]
    rows, size = rng.sample(range(len(lengths)), len(lengths)), rng.randint(1, 4)
    return lengths, [rows[i : i + size] for i in range(0, len(rows), size)]


@exercise("01.2")
def padding(answer):
    for lengths, batches in cases(SEATED, seated):
        sizes = [[lengths[i] for i in batch] for batch in batches]
        real, computed = sum(map(sum, sizes)), sum(len(s) * max(s) for s in sizes)
        want, mean = 1 - real / computed, sum(1 - sum(s) / len(s) / max(s) for s in sizes) / len(sizes)
        got = answer(list(lengths), [list(b) for b in batches])
        yield from faults(
            f"padding_share({lengths}, {batches})",
            got,
            want,
            [
                (
                    1 - want,
                    "这是真词元的比例；填充是其余的部分。",
                    "That is the share of real tokens; padding is the rest.",
                ),
                (
                    100 * want,
                    "要的是 0 到 1 之间的比例，不是百分数。",
                    "A share between 0 and 1 is wanted, not per cent.",
                ),
                (
                    mean,
                    "这是各批比例的平均；大批该算得更重：先全部相加，再除。",
                    "That is the mean of the batches' shares; a large batch should count for more: add up first, then divide.",
                ),
                (
                    computed / real - 1,
                    "分母应是算过的全部格子，不是真词元。",
                    "Divide by all the squares computed, not by the real tokens.",
                ),
                (
                    1 - real / (sum(map(len, batches)) * max(lengths)),
                    "每批只补到它自己最长的一行，不是全部数据里最长的。",
                    "Each batch is padded to its own longest row, not to the longest of all.",
                ),
            ],
        )


EXAMS = (  # rows, classes, the class that is never said, the class that is never true, seed
    (12, 2, None, None, 1),
    (30, 3, None, None, 2),
    (24, 4, 1, None, 3),
    (9, 2, 1, None, 4),
    (20, 3, None, 1, 5),
    (14, 4, 2, 2, 6),
)


def small_exam(rng):
    classes = rng.randint(2, 4)
    lots = (None, *range(classes))
    return rng.randint(classes + 1, 9), classes, rng.choice(lots), rng.choice(lots), rng.getrandbits(30)


def sat(n, classes, never, absent, seed):
    """Logits and truth of an exam."""
    import torch

    source = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (n,), generator=source)
    target[:classes] = torch.arange(classes)
    logits = torch.randn(n, classes, generator=source) + 1.2 * torch.nn.functional.one_hot(target, classes)
    logits[:, 0] += 0.4
    if never is not None:
        logits[:, never] -= 50
    if absent is not None:
        target[target == absent] = (absent + 1) % classes
    return logits, target


@exercise("01.3")
def scores(answer):
    import torch

    for n, classes, never, absent, seed in cases(EXAMS, small_exam):
        logits, target = sat(n, classes, never, absent, seed)
        said = logits.argmax(1)
        where = tr(f"{n} 行、{classes} 类的例子里，准确率", f"With {n} rows and {classes} classes, accuracy")
        if n < 10:
            facts = f"{said.tolist()}, {target.tolist()}"
            where = tr(
                f"说的和真的是 {facts}（{classes} 类），准确率",
                f"With said and true {facts} ({classes} classes), accuracy",
            )
        try:
            got = answer(logits.clone(), target.clone())
        except ZeroDivisionError:
            if absent is None or absent != never:
                raise
            yield where + tr(
                f"：有一类（{absent}）既没有真的、也没被说过，你除以了 0。记作 0 或不算它都可以。",
                f": class {absent} is neither true nor said anywhere, and you divided by 0. Count it as 0 or leave it out.",
            )
        if wrong := pair_fault(got, "accuracy", "macro_f1"):
            yield wrong
        accuracy = (said == target).double().mean().item()
        yield from faults(
            where,
            got[0],
            accuracy,
            [
                (
                    100 * accuracy,
                    "要 0 到 1 之间的数，不是百分数。",
                    "A number between 0 and 1 is wanted, not per cent.",
                ),
                (
                    (said == target).sum().item(),
                    "这是答对的行数，还要除以总行数。",
                    "That is the number of right rows; divide by all rows.",
                ),
            ],
        )
        if isinstance(got[1], (float, torch.Tensor)) and got[1] != got[1]:
            yield tr(
                "macro-F1 是 nan：有一类从没被说过，除以了 0。这一类的 F1 记作 0。",
                "Macro-F1 is nan: one class was never said, and you divided by 0. Its F1 counts as 0.",
            )
        want, mistakes = macro_f1(said, target, classes)
        silent = classes - len(
            {*said.tolist(), *target.tolist()}
        )  # classes neither true nor said: counted as 0, or left out
        if not (silent and near(got[1], want * classes / (classes - silent))):
            yield from faults(where.replace(tr("准确率", "accuracy"), "macro-F1"), got[1], want, mistakes)


def macro_f1(said, target, classes):
    """The right value, and what known mistakes give."""
    hit = [((said == c) & (target == c)).sum().item() for c in range(classes)]
    many, real = (
        [(said == c).sum().item() for c in range(classes)],
        [(target == c).sum().item() for c in range(classes)],
    )
    f1 = [2 * h / max(1, m + r) for h, m, r in zip(hit, many, real, strict=True)]
    true = [f for f, r in zip(f1, real, strict=True) if r]
    precision = sum(h / m if m else 0.0 for h, m in zip(hit, many, strict=True)) / classes
    recall = sum(h / r if r else 0.0 for h, r in zip(hit, real, strict=True)) / classes
    seen = [f for f, m in zip(f1, many, strict=True) if m]
    weighted = sum(f * r for f, r in zip(f1, real, strict=True)) / len(target)
    return sum(f1) / classes, [
        (
            sum(hit) / len(target),
            "这是 micro-F1，也就是准确率：先每类各算 F1，再平均。",
            "That is micro-F1, which is accuracy: take the F1 of each class first, then the mean.",
        ),
        (
            weighted,
            "这是按行数加权的平均；macro 让每一类同样重。",
            "That is the mean weighted by rows; macro gives every class the same weight.",
        ),
        (
            sum(seen) / len(seen),
            "从没被说过的类也算一类，它的 F1 是 0。",
            "A class that was never said is a class too; its F1 is 0.",
        ),
        (
            sum(true) / len(true),
            "说到了、却不在真相里的类也算一类，它的 F1 是 0。",
            "A class that is said though it is never true is a class too; its F1 is 0.",
        ),
        (
            2 * precision * recall / ((precision + recall) or 1.0),
            "先每类各算 F1 再平均，不是先平均精确率和召回率。",
            "Take each class's F1 and then the mean, not the F1 of mean precision and mean recall.",
        ),
    ]


def schedule(rng):
    steps = rng.randint(2, 60)
    return steps, rng.randint(0, steps - 1)


@exercise("01.4")
def warm_up(answer):
    for steps, warm in cases(((10, 2), (100, 10), (7, 0), (20, 5)), schedule, 6):
        for step in sorted({0, 1, warm - 1, warm, warm + 1, steps // 2, steps - 1, steps}):
            if not 0 <= step <= steps:
                continue
            given, want = (
                f"rate({step}, steps={steps}, warm={warm})",
                step / warm if step < warm else (steps - step) / (steps - warm),
            )
            try:
                got = answer(step, steps, warm)
            except ZeroDivisionError:
                yield tr(
                    f"{given} 除以了 0：没有热身（warm = 0）时，应当从最高点直接下降。",
                    f"{given} divides by 0: without warm-up (warm = 0) the rate starts at its top.",
                )
            rising = step < warm
            yield from faults(
                given,
                got,
                want,
                [
                    (
                        1.0,
                        "这里不该是最大值：热身时在升，之后在降。",
                        "It is not at its maximum here: it rises during warm-up and falls afterwards.",
                    ),
                    (
                        (step + 1) / max(warm, 1) if rising else want,
                        "早了一步：第 0 步的学习率是 0。",
                        "One step early: the rate at step 0 is 0.",
                    ),
                    (
                        (steps - step) / steps,
                        "这是从第 0 步起就下降的直线：热身还没结束就在降，到顶时也不是 1。",
                        "That line falls from step 0 on: the top must be 1, and only after the warm-up does it fall.",
                    ),
                    (
                        (steps - step - 1) / max(steps - warm - 1, 1) if not rising else want,
                        "下降的一段长了一步或短了一步：第 `steps` 步才到 0。",
                        "The way down is one step off: 0 is reached at step `steps`.",
                    ),
                ],
            )


RUNS = (  # seed, epochs, optimizer
    (1, 2, "SGD", {"lr": 0.5}),
    (2, 3, "Adam", {"lr": 0.05}),
    (3, 1, "SGD", {"lr": 0.1, "momentum": 0.9}),
)


def another_run(rng):
    kind, options = rng.choice((("SGD", {"lr": 0.3, "momentum": 0.5}), ("AdamW", {"lr": 0.03}), ("SGD", {"lr": 0.7})))
    return rng.getrandbits(30), rng.randint(1, 3), kind, options


@exercise("01.5")
def loop(answer):
    import torch

    for seed, epochs, kind, options in cases(RUNS, another_run, 3):
        model, batches = classifier(seed)
        modes: list[bool] = []
        model.register_forward_hook(lambda module, *_, modes=modes: modes.append(module.training))
        start = [p.detach().clone() for p in model.parameters()]
        got = answer(model, batches, getattr(torch.optim, kind)(model.parameters(), **options), epochs)
        after = [p.detach() for p in model.parameters()]
        losses, weights = trained(seed, epochs, kind, options)
        if near([p.tolist() for p in after], [p.tolist() for p in start]):
            yield tr(
                "训练之后参数一动没动：漏了 optimizer.step()，或者清零放在了 backward 和 step 之间。",
                "No parameter has moved: optimizer.step() is missing, or the gradients are cleared between backward and step.",
            )
        if not isinstance(got, (list, tuple)):
            yield joined(
                tr(
                    f"应返回每一步损失的列表，你的是 {shown(got)}。",
                    f"A list with the loss of every step is wanted; yours is {shown(got)}.",
                ),
                kind_fault(got, []),
            )
        if any(isinstance(x, torch.Tensor) and x.requires_grad for x in got):
            yield tr(
                "列表里的损失还连着计算图，内存会越用越多：存 `loss.item()`。",
                "The losses in the list still hold their graphs, and memory grows with each step: keep `loss.item()`.",
            )
        piled = trained(seed, epochs, kind, options, clear=False)[0]
        if len(losses) > 2 and near(list(got), piled, 1e-5):
            yield tr(
                "从第二步起损失不对：上一批的梯度没有清零，混进了下一批。",
                "The losses go astray from the second step on: gradients of the last batch were not cleared and leak into the next.",
            )
        if len(got) != len(losses):
            yield tr(
                f"{epochs} 轮、每轮 {len(batches)} 批，应有 {len(losses)} 个损失，你有 {len(got)} 个。",
                f"{epochs} epochs of {len(batches)} batches make {len(losses)} losses; you have {len(got)}.",
            )
        if not all(modes):
            yield tr(
                "训练时模型处在评估模式，dropout 没有打开：循环开头要 model.train()。",
                "The model trained in evaluation mode, with dropout off: call model.train() first.",
            )
        if not near([p.tolist() for p in after], weights, 1e-5):
            yield tr(
                f"损失对，但用 {kind} 训练完的参数与标准循环不同：是不是多走、少走或改动了某一步？",
                f"After training with {kind} the parameters differ from those of the plain loop: is a step too many, too few, or altered?",
            )
        yield from faults(tr(f"{kind} 的损失", f"The losses with {kind}"), list(got), losses, tolerance=1e-5)


def classifier(seed: int):
    """A small network in evaluation mode, as `lk.load` gives it, and three batches."""
    import torch

    source = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).eval()
    sizes = (5, 5, 2)
    return model, [(torch.randn(n, 4, generator=source), torch.randint(3, (n,), generator=source)) for n in sizes]


def trained(seed: int, epochs: int, kind: str, options: dict, clear: bool = True):
    """Losses and final parameters of the plain loop; without `clear`, of the one that lets gradients pile up."""
    import torch

    model, batches = classifier(seed)
    optimizer, losses = getattr(torch.optim, kind)(model.parameters(), **options), []
    for _ in range(epochs):
        for inputs, target in batches:
            loss = torch.nn.functional.cross_entropy(model(inputs), target)
            loss.backward()
            optimizer.step()
            if clear:
                optimizer.zero_grad()
            losses.append(loss.item())
    return losses, [p.tolist() for p in model.parameters()]


FILES = (  # the file's text, and its rows
    (
        'text,label\n好吃,1\n"慢，而且冷",0\n"第一行\n第二行",1\n',
        [("好吃", 1), ("慢，而且冷", 0), ("第一行\n第二行", 1)],
    ),
    (
        'text,label\n"good, and cheap",1\n"he said ""never again""",0\n',
        [("good, and cheap", 1), ('he said "never again"', 0)],
    ),
    ("\ufefftext,label\n不错,1\n太咸,0\n", [("不错", 1), ("太咸", 0)]),
    ("shop,label,text\n甲,0,汤洒了\n乙,1,很准时\n", [("汤洒了", 0), ("很准时", 1)]),
    ("text,label\n  好  ,1\n,0\n   ,1\n好,1\n差,0\n", [("好", 1), ("差", 0)]),
)


BAD = ((3, "零"), (4, "1.7"), (5, ""))  # the line of a label that is no whole number


def a_file(rng):
    """A valid file and its rows: columns in any order, blanks, repetitions, quotes, a mark at the start or none."""
    header, rows, lines = rng.sample(["text", "label", "shop"], 3), {}, []
    for _ in range(rng.randint(1, 7)):
        text = rng.choice(("好吃", "慢，冷", "a,b", 'a "b"', "一\n二", "  咸 ", "", " ", "好吃 ", "x\n\ny", "甜"))
        label = rng.choice((0, 1, 2, 12))
        if text.strip():
            rows.setdefault(text.strip(), label)
        cells = {
            "text": '"' + text.replace('"', '""') + '"',
            "label": str(label),
            "shop": rng.choice(("甲", '"乙,丙"')),
        }
        lines.append(",".join(cells[name] for name in header))
    return rng.choice(("", "\ufeff")) + "\n".join([",".join(header), *lines]) + rng.choice(("", "\n")), list(
        rows.items()
    )


@exercise("01.6")
def reading(answer):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv"
        for text, want in cases(FILES, a_file):
            path.write_bytes(text.encode())
            if finding := reading_fault(answer, path, text, want):
                yield finding
        for line, label in cases(BAD, lambda rng: (rng.randint(2, 40), rng.choice(("是", "0.5", "?", "1,0"))), 3):
            yield from bad_label_faults(answer, path, line, label)


def bad_label_faults(answer, path, line, label):
    rows = "".join(
        f"{'好' * (i % 5)},{i % 2}\n" for i in range(2, line)
    )  # rows without a text and repeated ones among them
    path.write_bytes(f'text,label\n{rows}差,"{label}"\n真差,1\n'.encode())
    try:
        got = answer(path)
    except ValueError as error:
        said = str(error).replace(str(path), "").replace(repr(label), "").replace(label or "\0", "")
        if str(line) not in re.findall(r"\d+", said):
            yield tr(
                f"第 {line} 行的标签“{label}”不是整数，你的报错没有说是第几行：{error}",
                f"The label {label or 'that is missing'} in line {line} is no whole number, and your error does not say which line it is: {error}",
            )
    else:
        yield tr(
            f"第 {line} 行的标签“{label}”不是整数，应当抛出 ValueError，你却返回了 {shown(got)}：错误会悄悄溜进训练。",
            f"The label {label or 'that is missing'} in line {line} is no whole number; a ValueError should be raised, but you returned {shown(got)}: the mistake would slip into training.",
        )


def reading_fault(answer, path, text, want):
    """What is wrong with the answer to one file."""
    given = tr(f"文件 {text!r}", f"The file {text!r}")
    try:
        got = answer(path)
    except (KeyError, ValueError) as error:
        if text.startswith("\ufeff"):
            return tr(
                f"{given} 以 BOM 开头，第一列的名字就多了一个看不见的字符（{error!r}）：编码用 utf-8-sig。",
                f"{given} begins with a byte-order mark, which sticks to the name of the first column ({error!r}): read it as utf-8-sig.",
            )
        return tr(
            f"{given} 是合法的，你的代码却抛出 {error!r}：引号里可以有逗号和换行，不能按逗号或行来切。",
            f"{given} is valid, but your code raised {error!r}: quotes may hold commas and line breaks, so don't cut at commas or lines.",
        )
    if not isinstance(got, (list, tuple)):
        return joined(
            tr(
                f"应返回 (文本, 标签) 的列表，你的是 {shown(got)}。",
                f"A list of (text, label) is wanted; yours is {shown(got)}.",
            ),
            kind_fault(got, []),
        )
    got = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
    repeated = [("好", 1), ("好", 1), ("差", 0)]
    return fault(
        given,
        got,
        want,
        [
            ([(t, str(y)) for t, y in want], "标签要换成整数：int(...)。", "Labels should be whole numbers: int(...)."),
            (
                repeated,
                "“好”出现了两次，只留一次：重复的行会让划分泄漏。",
                "好 stands there twice and is kept once: repeated rows leak across splits.",
            ),
            (
                [("好", 1), ("", 0), ("差", 0)],
                "没有文本的行要去掉；只有空格也算没有。",
                "Rows without a text go; blanks alone are no text.",
            ),
            (
                [("  好  ", 1), ("好", 1), ("差", 0)],
                "先去掉文本两端的空格，再看是否重复。",
                "Strip the blanks around a text before asking whether it is a repetition.",
            ),
        ],
    )


def a_room(rng):
    return rng.randint(500, 900), rng.randint(6, 16), rng.getrandbits(30)


@exercise("01.7", luck=True)
def seating(answer):
    for n, size, seed in cases(((640, 16, 1), (97, 8, 2), (5, 8, 3)), a_room, 3):
        rng = random.Random(seed)
        lengths = [3 + int(rng.gammavariate(2, 9)) for _ in range(n)]
        random.seed(seed)
        plans = [in_lists(answer(list(lengths), size, epoch)) for epoch in (0, 1, 2, 5, 40)]
        yield from seating_faults(plans[0], lengths, size)
        random.seed(seed + 99)
        if in_lists(answer(list(lengths), size, 0)) != plans[0]:
            yield tr(
                "同一轮再问一次，座位变了：随机数要由 epoch 决定，否则实验没法重做。",
                "Asked again for the same epoch, the plan differs: let epoch decide what is random, or no experiment can be repeated.",
            )
        for plan in plans[1:]:
            yield from seating_faults(plan, lengths, size)
        if n > 4 * size and any(a == b for a, b in itertools.combinations(plans, 2)):
            yield tr(
                "有两轮的座位一样（看了第 0、1、2、5、40 轮）：每轮都该换。",
                "Two epochs have the same plan (of 0, 1, 2, 5, 40): every epoch should have its own.",
            )


def in_lists(plan):
    """A plan as lists of lists, where it is one."""
    batches = as_list(plan)
    return plan if batches is None else [as_list(batch) if as_list(batch) is not None else batch for batch in batches]


def seating_faults(plan, lengths, size):
    """What is wrong with one plan; the limit of 10 % leaves room for many designs."""
    n, given = len(lengths), plan
    batches = [as_list(batch) for batch in as_list(plan) or [None]]
    plan = [whole(batch) if batch else None for batch in batches]
    if None in plan:
        plan = given
        yield joined(
            tr(
                f"应返回若干批，每批是行号的列表，你的是 {shown(plan)}。",
                f"A list of batches is wanted, each a list of row numbers; yours is {shown(plan)}.",
            ),
            kind_fault(plan, []),
        )
    seats = sorted(i for batch in plan for i in batch)
    if len(seats) < n:
        yield tr(
            f"{n} 行里丢了 {n - len(set(seats))} 行：最后不满的一批也要。",
            f"{n - len(set(seats))} of {n} rows are lost: the last batch counts though it is not full.",
        )
    if seats != list(range(n)):
        yield tr("每一行应当恰好出现一次。", "Every row should appear exactly once.")
    if max(map(len, plan)) > size or len(plan) > math.ceil(n / size):
        yield tr(
            f"每批至多 {size} 行，一共 {math.ceil(n / size)} 批；你的有 {len(plan)} 批，最大 {max(map(len, plan))} 行。",
            f"At most {size} rows a batch and {math.ceil(n / size)} batches; you have {len(plan)}, the largest of {max(map(len, plan))}.",
        )
    tops = [max(lengths[i] for i in batch) for batch in plan]
    share = 1 - sum(lengths) / sum(len(b) * top for b, top in zip(plan, tops, strict=True))
    if n > 15 * size and share > 0.10:
        yield tr(
            f"填充占了 {share:.0%}，应低于 10 %：把长短相近的行放进同一批。",
            f"{share:.0%} is padding; it should be under 10 %: let rows of like length share a batch.",
        )
    if len(plan) > 8 and sortedness(tops) > 0.8:
        yield tr(
            "批是按长短排好的：模型会先只见短句、后只见长句。把批的次序打乱。",
            "The batches go from short to long (or back): the model would meet only short texts first. Shuffle the batches.",
        )


def sortedness(values) -> float:
    """Share of neighbours in the more common direction, ties left out: 1 for a sorted list, about 0.5 for a shuffled one."""
    ups = sum(b > a for a, b in itertools.pairwise(values))
    downs = sum(b < a for a, b in itertools.pairwise(values))
    return max(ups, downs) / max(16, ups + downs)  # of a few neighbours chance may make anything
