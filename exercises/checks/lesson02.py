"""The exercises of lesson 02, freeze or not: freezing, counting, unfreezing, keeping the frozen part, deciding, rates by depth."""

import itertools
import re
from types import SimpleNamespace

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, joined, kind_fault, near, shown, whole

from labkit import tr


def network(layers: int, width: int = 6):
    """A stand-in with BERT's parameter names, which `lk.blocks` and the strategies understand; all of it trains."""
    import torch
    from torch import nn

    def layer():
        return nn.ModuleDict(
            {"attention": nn.Linear(width, width), "output": nn.Linear(width, width), "norm": nn.LayerNorm(width)}
        )

    model, bert, encoder = nn.Module(), nn.Module(), nn.Module()
    encoder.layer = nn.ModuleList(layer() for _ in range(layers))
    bert.embeddings = nn.ModuleDict({"word_embeddings": nn.Embedding(9, width), "norm": nn.LayerNorm(width)})
    bert.encoder, bert.pooler = encoder, nn.ModuleDict({"dense": nn.Linear(width, width)})
    model.bert, model.classifier = bert, nn.Linear(width, 2)
    model.config = SimpleNamespace(model_type="bert", hidden_size=width, num_hidden_layers=layers)
    model.__dict__.update(
        base_model=bert, base_model_prefix="bert", device=torch.device("cpu")
    )  # no second registration
    return model


def block_of(name: str) -> str:
    """The block of a parameter: "embeddings", "layer 1" (the lowest) …, "head".

    >>> block_of("bert.encoder.layer.0.output.weight")
    'layer 1'
    """
    found = re.search(r"encoder\.layer\.(\d+)\.", name)
    return f"layer {int(found[1]) + 1}" if found else "embeddings" if "embeddings" in name else "head"


FREEZINGS = (
    (4, 2, True),
    (4, 0, True),
    (12, 1, True),
    (12, 3, False),
    (4, 4, True),
)  # layers, k, whether all trains before


def a_freezing(rng):
    layers = rng.choice((1, 2, 3, 6, 11, 13))
    return layers, rng.randint(0, layers), rng.random() < 0.5


@exercise("02.1")
def freeze(answer):
    for layers, k, before in cases(FREEZINGS, a_freezing, 6):
        model = network(layers).requires_grad_(before)
        answer(model, k)
        trains = {n for n, p in model.named_parameters() if p.requires_grad}
        wanted = {"head", *(f"layer {i}" for i in range(layers - k + 1, layers + 1))}
        if trains == {n for n, _ in model.named_parameters() if block_of(n) in wanted}:
            continue
        yield freezing_fault(f"freeze(model, {k})", layers, k, before, trains, wanted)


def freezing_fault(given, layers, k, before, trains, wanted):
    found = {block_of(n) for n in trains}
    numbers = {int(b.split()[1]) for b in found if b.startswith("layer")}
    said = tr(
        f"{layers} 层的模型，{given} 之后应训练：{named(wanted)}；你的在训练：{named(found)}。",
        f"With {layers} layers, after {given} these should train: {named(wanted)}; yours are: {named(found)}.",
    )
    if k == 0 and len(numbers) == layers:
        return joined(
            said,
            tr("注意：`layers[-0:]` 是全部的层，不是一层也没有。", "Mind that `layers[-0:]` is every layer, not none."),
        )
    if not before and not found:
        return joined(
            said,
            tr(
                "交给你的模型可能已被冻结过：该训练的要重新设 requires_grad = True。",
                "The model you get may be frozen already: set requires_grad = True for what should train.",
            ),
        )
    if {10, 11} & numbers - {int(b.split()[1]) for b in wanted if b.startswith("layer")}:
        return joined(
            said,
            tr(
                '`"layer.1" in name` 对 layer.10、layer.11 也成立：后面加一个点。',
                '`"layer.1" in name` is also true for layer.10 and layer.11: add the dot after it.',
            ),
        )
    if numbers == set(range(1, k + 1)) and k < layers:
        return joined(
            said,
            tr(
                "方向反了：顶层离头最近，编号最大。",
                "Upside down: the top layers are the ones next to the head, with the highest numbers.",
            ),
        )
    if "embeddings" in found:
        return joined(said, tr("嵌入在最底下，也要冻结。", "Embeddings lie at the very bottom and are frozen too."))
    if "head" not in found:
        return joined(said, tr("头从随机权重开始，必须训练。", "The head starts from random weights; it must train."))
    if found == wanted:
        return joined(
            said,
            tr(
                "块都对，但有的块只训练了一部分：池化层也算头。",
                "The blocks are right, but of one only a part trains: the pooler counts as head.",
            ),
        )
    return said


def named(blocks) -> str:
    def depth(block):
        return (1, int(block.split()[1])) if block.startswith("layer") else (0 if block == "embeddings" else 2, 0)

    return tr("、", ", ").join(sorted(blocks, key=depth)) or tr("什么也没有", "nothing")


@exercise("02.2", model="kept")
def counting(answer):
    for layers, kind in cases(
        ((3, "top"), (11, "bias"), (2, "none"), (2, "all")), lambda rng: (rng.randint(1, 12), rng), 4
    ):
        model = network(layers)
        for name, parameter in model.named_parameters():
            top = block_of(name) in ("head", f"layer {layers}")
            trains = {"top": top, "bias": name.endswith("bias"), "none": False, "all": True}
            parameter.requires_grad_(trains[kind] if isinstance(kind, str) else kind.random() < 0.5)
        got, want, tensors = answer(model), tally(model, lambda p: p.numel()), tally(model, lambda p: 1)
        if not isinstance(got, dict):
            yield joined(
                tr(f"应返回字典，你的是 {shown(got)}。", f"A dictionary is wanted; yours is {shown(got)}."),
                kind_fault(got, {}),
            )
        if "layer 0" in got and f"layer {layers}" not in got:
            yield tr(
                "层从 1 数起：参数名里的 layer.0 是 layer 1。",
                "Layers are counted from 1: layer.0 in the names is layer 1.",
            )
        if set(got) != set(want):
            yield tr(
                f"{layers} 层的模型，键应为 {list(want)}，你的是 {list(got)}。",
                f"With {layers} layers the keys should be {list(want)}; yours are {list(got)}.",
            )
        for block in want:
            swapped, all_of_it = want[block][::-1], (want[block][1], want[block][1])
            mistakes = [
                (
                    tensors[block],
                    "你数的是张量的个数；一个张量有 `p.numel()` 个数。",
                    "You counted tensors; a tensor holds `p.numel()` numbers.",
                ),
                (swapped, "次序反了：先是参与训练的，再是全部。", "The order is (trainable, total)."),
                (
                    all_of_it,
                    "只有 requires_grad 为真的才算参与训练。",
                    "Only what has requires_grad counts as trainable.",
                ),
                (
                    weights_only(model, block),
                    "偏置和一维的向量也是参数。",
                    "Biases and other vectors are parameters too.",
                ),
            ]
            where = tr(f"{layers} 层的模型，", f"With {layers} layers, ") + f"count(model)[{block!r}]"
            yield from faults(where, got[block], want[block], mistakes)
            if whole(got[block]) is None:
                yield where + tr(
                    f" 应是两个整数，你的是 {shown(got[block])}。",
                    f" should be whole numbers; yours are {shown(got[block])}.",
                )


def tally(model, size):
    found = {}
    for name, parameter in model.named_parameters():
        trainable, total = found.get(block_of(name), (0, 0))
        found[block_of(name)] = (trainable + size(parameter) * parameter.requires_grad, total + size(parameter))
    return found


def weights_only(model, block):
    kept = [p for n, p in model.named_parameters() if block_of(n) == block and p.ndim > 1]
    return sum(p.numel() for p in kept if p.requires_grad), sum(p.numel() for p in kept)


MORNINGS = (  # epoch, layers, every
    (0, 4, 1),
    (1, 4, 1),
    (3, 4, 1),
    (4, 4, 1),
    (9, 4, 1),
    (2, 6, 3),
    (3, 6, 3),
    (8, 6, 3),
    (30, 6, 3),
)


@exercise("02.3")
def unfreezing(answer):
    for epoch, layers, every in cases(MORNINGS, lambda rng: (rng.randint(0, 20), rng.randint(1, 9), rng.randint(1, 5))):
        given, many = f"opened(epoch={epoch}, layers={layers}, every={every})", min(epoch // every, layers)
        got, want = answer(epoch, layers, every), list(range(layers - many + 1, layers + 1))
        if not isinstance(got, (list, tuple, set, range)):
            yield joined(
                tr(
                    f"{given} 应返回层号的列表，你的是 {shown(got)}。",
                    f"{given} should return a list of layer numbers; yours is {shown(got)}.",
                ),
                kind_fault(got, []),
            )
        if whole(got) is None:
            yield tr(
                f"{given} 应返回整数的层号，你的是 {shown(got)}。",
                f"{given} should return whole numbers of layers; yours are {shown(got)}.",
            )
        got, more, free = sorted(got), min(epoch // every + 1, layers), min(epoch, layers)
        yield from faults(
            given,
            got,
            want,
            [
                (
                    list(range(1, many + 1)),
                    "方向反了：从最上面的一层开始解冻。",
                    "Upside down: thawing begins with the uppermost layer.",
                ),
                (
                    list(range(layers - more + 1, layers + 1)),
                    "早了一步：最开始只训练头，一层也不解冻。",
                    "One step early: at first the head trains alone and no layer is thawed.",
                ),
                (
                    list(range(layers - free + 1, layers + 1)),
                    "每 `every` 轮才多解冻一层。",
                    "One more layer is thawed only every `every` epochs.",
                ),
                (
                    [i - 1 for i in want],
                    "层号从 1 到 layers，你的从 0 开始。",
                    "Layers are numbered from 1 to `layers`; yours begin with 0.",
                ),
                (
                    list(range(layers - epoch // every + 1, layers + 1)),
                    "层数有限：全部解冻以后就不再增加。",
                    "There are only so many layers: once all are thawed, nothing more is added.",
                ),
            ],
        )


BODIES = (
    (7, 3, True),
    (8, 4, False),
    (5, 16, True),
    (1, 1, True),
    (6, 2, None),
    (9, 4, None),
)  # rows, size, mode (None: mixed)


@exercise("02.4", model="kept")
def keeping(answer):
    import torch
    from torch import nn

    for rows, size, training in cases(
        BODIES, lambda r: (r.randint(1, 12), r.randint(1, 6), r.choice((True, False, None))), 6
    ):
        body = nn.Sequential(
            nn.Linear(4, 5),
            nn.Dropout(0.5),
            nn.Identity() if 1 in (size, rows % size) else nn.BatchNorm1d(5),
            nn.Tanh(),
        ).train(bool(training))
        if training is None:  # as where somebody froze a part
            body[1].train()
            body[3].train()
        before = [m.training for m in body.modules()]
        inputs, asked = torch.randn(rows, 4), []
        for part in body:
            part.register_forward_hook(
                lambda module, given, out, asked=asked: asked.append((len(given[0]), module.training))
            )
        got, modes = answer(body, inputs.clone(), size), [m.training for m in body.modules()]
        given = tr(f"{rows} 行、每批 {size} 行：", f"{rows} rows in batches of {size}: ")
        with torch.no_grad():
            want = body.eval()(inputs)
        del asked[-4:]
        if any(mode for _, mode in asked):
            yield given + tr(
                "body 在训练模式下计算，dropout 让结果每次不同：先 body.eval()。",
                "body ran in training mode, where dropout makes every answer another: call body.eval() first.",
            )
        if max((n for n, _ in asked), default=0) > size:
            yield given + tr(
                "有一批超过了规定的行数：大数据会放不进内存。",
                "one batch was larger than allowed: with much data, memory would not hold it.",
            )
        if isinstance(got, torch.Tensor) and len(got) < rows:
            yield given + tr(
                f"只得到 {len(got)} 行：最后不满的一批也要。",
                f"only {len(got)} rows came out: the last batch counts though it is not full.",
            )
        yield from faults(
            given + "keep(body, inputs, size)",
            got,
            want,
            [(want.flip(0), "行的次序反了。", "The rows are in reverse order.")],
        )
        if got.requires_grad:
            yield given + tr(
                "结果还连着计算图：在 torch.no_grad() 里算。",
                "the result still holds its graph: compute it inside torch.no_grad().",
            )
        if modes != before:
            yield given + tr(
                "算完后 body 的模式变了：进来时是训练模式，就要还成训练模式（反之亦然），它的每个部分也一样。",
                "body's mode has changed: give it back in the mode in which it came, and each of its parts too.",
            )


TABLES = (  # strategy, accuracy, low, high, seconds; then the choice
    ((("full", 0.90, 0.87, 0.93, 60), ("top-2", 0.89, 0.86, 0.92, 25), ("head", 0.84, 0.80, 0.875, 5)), "head"),
    ((("full", 0.90, 0.87, 0.93, 60), ("top-2", 0.89, 0.86, 0.92, 25), ("head", 0.80, 0.76, 0.84, 5)), "top-2"),
    ((("head", 0.70, 0.66, 0.74, 4), ("full", 0.90, 0.88, 0.92, 50), ("lora", 0.86, 0.84, 0.875, 30)), "full"),
    ((("full", 0.90, 0.89, 0.91, 60), ("top-1", 0.88, 0.80, 0.95, 50), ("head", 0.82, 0.80, 0.84, 5)), "top-1"),
    ((("full", 0.90, 0.80, 0.95, 60), ("top-1", 0.89, 0.88, 0.90, 50), ("head", 0.83, 0.81, 0.85, 5)), "head"),
    ((("lora", 0.88, 0.85, 0.91, 70), ("full", 0.87, 0.84, 0.90, 40), ("top-1", 0.82, 0.79, 0.848, 12)), "full"),
)


def a_table(rng):
    """Strategies with lopsided intervals, so that accuracy, low, high and time rank them in four ways; and the choice."""
    rows = []
    for name in rng.sample(("full", "top-1", "top-2", "head", "lora", "prefix"), rng.randint(2, 5)):
        accuracy = round(rng.uniform(0.6, 0.9), 3)
        low, high = round(accuracy - rng.uniform(0.002, 0.08), 3), round(accuracy + rng.uniform(0.002, 0.08), 3)
        rows.append((name, accuracy, low, high, rng.randint(1, 99) + rng.random()))
    rows = [(n, a, lo, h, round(s, 2)) for n, a, lo, h, s in rows]
    best = max(rows, key=lambda row: row[1])
    return tuple(rows), min((row for row in rows if row[3] >= best[2]), key=lambda row: row[4])[0]


@exercise("02.5")
def deciding(answer):
    for rows, want in cases(TABLES, a_table, 30):
        table = [dict(zip(("strategy", "accuracy", "low", "high", "seconds"), row, strict=True)) for row in rows]
        best = max(table, key=lambda row: row["accuracy"])
        inside = [r for r in table if best["low"] <= r["accuracy"]]
        given = (
            tr("表：", "The table ")
            + "; ".join(f"{n} {a:.2f} [{lo:g}, {hi:g}] {s} s" for n, a, lo, hi, s in rows)
            + tr("。decide", ": decide")
        )
        got = answer([dict(row) for row in table])
        if isinstance(got, dict):
            yield tr("要的是策略的名字，不是整行。", "The name of the strategy is wanted, not its row.")
        yield from faults(
            given,
            got,
            want,
            [
                (
                    best["strategy"],
                    "这是准确率最高的，但有更快的与它分不出高下：区间重叠。",
                    "It has the highest accuracy, but a faster one cannot be told apart from it: their intervals overlap.",
                ),
                (
                    rule(table, "high"),
                    "最好的一行要按 accuracy 找，不是按区间的上界。",
                    "The best row is the one with the highest accuracy, not with the highest upper end.",
                ),
                (
                    rule(table, "low"),
                    "最好的一行要按 accuracy 找，不是按区间的下界。",
                    "The best row is the one with the highest accuracy, not with the highest lower end.",
                ),
                (
                    min(table, key=lambda r: r["seconds"])["strategy"],
                    "它最快，但区间完全在最好的之下：确实更差。",
                    "It is the fastest, but its interval lies wholly below the best one's: it is really worse.",
                ),
                (
                    min(inside, key=lambda r: r["seconds"])["strategy"],
                    "比的是两个区间是否重叠（它的 high 不低于最好的 low），不是它的准确率是否落在区间里。",
                    "Ask whether the two intervals overlap (its high is not below the best one's low), not whether its accuracy lies inside.",
                ),
            ],
        )


def rule(table, by: str) -> str:
    """The rule of the task, with the best row chosen by another column."""
    best = max(table, key=lambda row: row[by])
    return min((r for r in table if r["high"] >= best["low"]), key=lambda row: row["seconds"])["strategy"]


def a_tower(rng):
    layers = rng.randint(3, 9)
    blocks = ["embeddings", *(f"layer {i}" for i in range(1, layers + 1))]
    return layers, rng.choice((1e-3, 3e-5, 0.02)), tuple(b for b in blocks[:-2] if rng.random() < 0.3)


TOWERS = ((4, 1e-3, ()), (12, 2e-5, ()), (4, 5e-4, ("embeddings", "layer 1")))  # layers, rate, what is frozen


@exercise("02.6", model="kept")
def rates_by_depth(answer):
    import torch

    for layers, lr, frozen in cases(TOWERS, a_tower, 6):
        model = network(layers)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(block_of(name) not in frozen)
        groups = answer(model, lr)
        given, name_of = (
            tr(f"{layers} 层的模型：", f"With {layers} layers: "),
            {p: n for n, p in model.named_parameters()},
        )
        if not isinstance(groups, (list, tuple)) or not all(
            isinstance(g, dict) and {"params", "lr"} <= set(g) for g in groups
        ):
            yield joined(
                given
                + tr('应返回 [{"params": [...], "lr": …}, …]。', 'a list [{"params": [...], "lr": …}, …] is wanted.'),
                kind_fault(groups, []),
            )
        rate_of = [(name_of[p], float(g["lr"])) for g in groups for p in g["params"]]
        yield from grouping_faults(given, model, rate_of, lr)
        torch.optim.AdamW([{**g, "params": list(g["params"])} for g in answer(model, lr)])


def grouping_faults(given, model, rate_of, lr):
    """What is wrong with the rates of (parameter name, rate)."""
    names, trains = [n for n, _ in rate_of], [n for n, p in model.named_parameters() if p.requires_grad]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        yield given + tr(f"{twice[0]} 出现在两组里。", f"{twice[0]} stands in two groups.")
    if missing := [n for n in trains if n not in names]:
        yield given + tr(
            f"漏了 {missing[0]} 等 {len(missing)} 个要训练的张量。",
            f"{len(missing)} tensors that train are missing, such as {missing[0]}.",
        )
    if set(names) - set(trains):
        yield given + tr("冻结的参数不该交给优化器。", "Frozen parameters should not go to the optimizer.")
    rates = {}
    for name, rate in rate_of:
        rates.setdefault(block_of(name), []).append(rate)
    if not near(rates["head"], [lr] * len(rates["head"])):
        yield given + tr(f"头的学习率应为 {lr:g}。", f"The head's rate should be {lr:g}.")
    order = [b for b in ("embeddings", *(f"layer {i}" for i in range(1, 99)), "head") if b in rates]
    for low, high in itertools.pairwise(order):
        if max(rates[low]) > min(rates[high]) * (1 + 1e-9):
            yield given + tr(
                f"{low} 的学习率比 {high} 的大：越往下应当越小。",
                f"{low} has a larger rate than {high}: rates should shrink on the way down.",
            )
    lowest = rates[order[0]]
    if min(lowest) <= 0 or max(lowest) > lr / 2:
        yield given + tr(
            f"最底下的一块（{order[0]}）应大于 0，且不超过头的一半。",
            f"The lowest block ({order[0]}) should have a rate above 0 and at most half of the head's.",
        )
