"""The exercises of lesson 14, pictures: normalising, freezing, a split by person, a shift, one picture twice, an augmentation."""

import random

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, shown

from labkit import BadInput, tr


def picture(rng, height: int, width: int, colours: int | None = 3):
    import numpy as np

    shape = (height, width) if colours is None else (height, width, colours)
    return np.array([rng.randrange(256) for _ in range(int(np.prod(shape)))], np.uint8).reshape(shape)


@exercise("14.1")
def normalise(answer):
    import torch

    fixed = ((0, 4, 5, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), (1, 3, 3, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)))
    for seed, height, width, mean, deviation in cases(fixed, some_processor):
        pixels = picture(random.Random(seed), height, width)
        pixels, m, d = torch.from_numpy(pixels), torch.tensor(mean), torch.tensor(deviation)
        want = ((pixels / 255 - m) / d).permute(2, 0, 1)
        yield from faults(
            f"normalised({height} × {width}, {shown(list(mean))}, {shown(list(deviation))})",
            answer(pixels.numpy().copy(), list(mean), list(deviation)),
            want,
            [
                (want.permute(1, 2, 0), "通道还在最后：网络要（3, 高, 宽）。", "The channels are still last: networks want (3, height, width)."),
                (((pixels - m) / d).permute(2, 0, 1), "先除以 255：均值和标准差是 0 到 1 的刻度。", "Divide by 255 first: mean and deviation are on a scale from 0 to 1."),
                ((pixels / 255 - m).permute(2, 0, 1), "还没有除以标准差。", "The division by the deviation is missing."),
                ((pixels / 255 / d).permute(2, 0, 1), "还没有减均值。", "The mean was not taken off."),
                ((pixels / 255 / d - m).permute(2, 0, 1), "次序反了：先减均值，再除标准差。", "The wrong order: the mean comes off before the division."),
                (((pixels / 255 - m) / d**2).permute(2, 0, 1), "除的是标准差，不是方差。", "Divide by the deviation, not by the variance."),
                (((pixels / 255 - m) / d).permute(2, 1, 0), "高和宽调换了：transpose(2, 0, 1)。", "Height and width have changed places: transpose(2, 0, 1)."),
                (((pixels / 255 - m) / d).reshape(3, height, width), "reshape 不会换轴，只会把数弄乱：用 transpose。", "reshape does not move axes, it scrambles the numbers: use transpose."),
            ],
            1e-5,
        )  # fmt: skip


def some_processor(rng):
    deviation = tuple(round(rng.uniform(0.1, 0.4), 2) for _ in range(3))
    mean = tuple(round(rng.uniform(0.2, 0.7), 2) for _ in range(3))
    return rng.getrandbits(20), rng.randint(2, 6), rng.randint(2, 6), mean, deviation


def network(seed: int):
    """Three stages with batch normalisation, in training mode."""
    import torch
    from torch import nn

    torch.manual_seed(seed)

    def stage(inside, outside):
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.Dropout(0.1), nn.ReLU()
        )

    body = nn.ModuleDict({"low": stage(1, 3), "middle": stage(3, 4), "high": stage(4, 4)})
    whole = nn.Module()
    whole.body, whole.head = body, nn.Linear(4, 2)
    return whole.train()


def pass_through(model, x):
    for stage in model.body.values():
        x = stage(x)
    return model.head(x.mean((2, 3)))


@exercise("14.2")
def truly_frozen(answer):
    import torch

    fixed = (["body.low"], ["body.low", "body.middle"], ["body.low", "body.middle", "body.high"], [])
    for names in cases(
        fixed, lambda rng: rng.sample(["body.low", "body.middle", "body.high", "head"], rng.randint(1, 3)), 4
    ):
        model = network(1)
        frozen = {m for name in names for m in model.get_submodule(name).modules()}
        before = {n: b.clone() for n, b in model.named_buffers()}
        weights = {n: p.detach().clone() for n, p in model.named_parameters()}
        given, got = f"freeze(model, {names})", answer(model, list(names))
        if got is not model:
            yield given + tr("：应返回 model 本身。", ": it should return the model itself.")
        if any(not torch.equal(p, weights[n]) for n, p in model.named_parameters()):
            yield given + tr("：不该改动权重。", ": no weight should be changed.")
        inside = {id(p) for m in frozen for p in m.parameters()}
        if any(p.requires_grad for p in model.parameters() if id(p) in inside):
            yield given + tr(
                "：冻结的参数还要梯度（requires_grad_(False)）。",
                ": frozen parameters still take a gradient (requires_grad_(False)).",
            )
        if not all(p.requires_grad for p in model.parameters() if id(p) not in inside):
            yield given + tr(
                "：冻过头了，没点名的参数也不训练了。", ": too much is frozen, parameters that were not named as well."
            )
        if any(not m.training for m in model.modules() if m not in frozen):
            yield given + tr(
                "：没点名的子模块应留在训练模式。", ": submodules that were not named should stay in training mode."
            )
        for _ in range(3):
            pass_through(model, torch.randn(6, 1, 5, 5) * 3 + 1)
        still = [
            n
            for n, b in model.named_buffers()
            if model.get_submodule(n.rpartition(".")[0]) in frozen and not torch.equal(b, before[n])
        ]
        if still:
            yield given + tr(
                f"：跑了三批，冻结的 {still[0]} 动了。梯度管不到缓冲区：还要 eval 模式。",
                f": after three batches the frozen {still[0]} has moved. Gradients do not reach buffers: eval mode is needed, too.",
            )
        first = next(p for p in model.parameters())
        known = model.body["low"][1]
        if not names and (known.momentum != 0.1 or not known.track_running_stats or not first.requires_grad):
            yield given + tr("：没有点名，什么也不该变。", ": with no names, nothing should change.")


def taken(owners, n: int, seed: int, ordered: bool = True, stop=lambda rows, n: rows >= n):
    people = sorted(set(owners)) if ordered else list(dict.fromkeys(owners))
    random.Random(seed).shuffle(people)
    chosen, rows = set(), 0
    for person in people:
        if stop(rows, n):
            break
        chosen.add(person)
        rows += owners.count(person)
    return [i for i, owner in enumerate(owners) if owner in chosen]


@exercise("14.3")
def by_person(answer):
    fixed = (
        (["b", "a", "c", "a", "b", "d", "d", "d"], 3, 0),
        (["x"] * 5 + ["y"], 1, 1),
        ([3, 1, 2, 1, 3, 2, 2, 5], 4, 2),
    )
    for owners, n, seed in cases(fixed, some_owners):
        got = answer(list(owners), n, seed)
        got = got.tolist() if hasattr(got, "tolist") else got
        want, given = taken(owners, n, seed), f"split({owners}, {n}, {seed})"
        parted = isinstance(got, (list, tuple)) and all(isinstance(i, int) for i in got)
        if parted and {owners[i] for i in got if 0 <= i < len(owners)} & {
            o for i, o in enumerate(owners) if i not in got
        }:
            yield given + tr(
                f"：{shown(got)} 把同一个人的行分在了两边。", f": {shown(got)} has rows of one person on both sides."
            )
        rows = random.Random(seed).sample(range(len(owners)), min(n, len(owners)))
        yield from faults(
            given,
            got,
            want,
            [
                (sorted(rows), "这是随便抽行：要抽的是人。", "These are rows drawn anyhow: draw persons."),
                (sorted({owners[i] for i in want}, key=str), "要的是行的编号，不是人。", "The numbers of rows are wanted, not the persons."),
                ([i for i in range(len(owners)) if i not in want], "这是训练行：要测试行。", "Those are the training rows: the test rows are wanted."),
                (taken(owners, n, seed, ordered=False), "打乱之前先排序，否则换个次序读文件就换了划分。", "Sort before shuffling, or another order of the file gives another split."),
                (taken(owners, n, seed, stop=lambda rows, n: rows > n), "够 n 行就停：>=，不是 >。", "Stop as soon as there are n: >=, not >."),
                (sorted(want, key=lambda i: str(owners[i])) if sorted(want, key=lambda i: str(owners[i])) != want else None, "按编号从小到大排。", "In rising order of their numbers."),
            ],
        )  # fmt: skip


def some_owners(rng):
    return [rng.choice("abcdefg") for _ in range(rng.randint(4, 14))], rng.randint(1, 5), rng.randrange(100)


@exercise("14.4")
def shifting(answer):
    import numpy as np
    import torch

    fixed = ((0, 4, 5, 1, 0), (1, 4, 5, 0, 2), (2, 5, 4, -2, 1), (3, 3, 6, 9, -9), (4, 4, 4, 0, 0))
    for seed, height, width, right, down in cases(
        fixed, lambda r: (r.getrandbits(20), r.randint(2, 6), r.randint(2, 6), r.randint(-4, 4), r.randint(-4, 4))
    ):
        pixels = picture(random.Random(seed), height, width, None)
        want = moved(pixels, right, down)
        rolled = np.roll(pixels, (down, right), (0, 1))
        black = np.zeros_like(pixels)
        rows, columns = np.arange(height) - down, np.arange(width) - right
        inside = np.ix_((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        black[inside] = want[inside]
        kept, given = pixels.copy(), f"shifted({height} × {width}, {right}, {down})"
        got = answer(pixels, right, down)
        if not np.array_equal(pixels, kept):
            yield given + tr(
                "：改动了给你的图：请返回新的。", ": the picture that was given has changed: return a new one."
            )
        want, rolled, black = map(torch.from_numpy, (want.copy(), rolled, black))
        yield from faults(
            given,
            got,
            want,
            [
                (rolled, "np.roll 把挪出去的从另一边转了回来：要抄最近的边。", "np.roll brings back on the other side what left: copy the nearest edge."),
                (black, "空出来的地方填了 0：要抄最近的边。", "What became free is filled with 0: copy the nearest edge."),
                (torch.from_numpy(moved(kept, -right, -down).copy()), "方向反了：right 是向右，down 是向下。", "The wrong way: `right` goes to the right, `down` goes down."),
                (torch.from_numpy(moved(kept, down, right).copy()), "左右和上下调换了：行是上下，列是左右。", "Right and down have changed places: rows go up and down, columns left and right."),
                (torch.from_numpy(moved(kept, right, -down).copy()), "上下反了：第 0 行在最上面。", "Up and down are reversed: row 0 is on top."),
            ],
        )  # fmt: skip


def moved(pixels, right: int, down: int):
    import numpy as np

    height, width = pixels.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    return pixels[rows][:, np.clip(np.arange(width) - right, 0, width - 1)]


def bits(pixels, side: int = 8, middle=None):
    import numpy as np

    height, width = pixels.shape
    cells = pixels.reshape(side, height // side, side, width // side).mean((1, 3))
    return cells > (np.median(cells) if middle == "median" else 127.5 if middle == "half" else cells.mean())


def pair(seed: int, kind: str):
    """Two pictures: one and the same (noisy, larger, a little brighter), nearly so, or of something else; or level: some cells
    as bright as the whole picture, and then a little brighter."""
    import numpy as np

    rng = np.random.default_rng(seed)
    one = np.kron(rng.integers(20, 160, (8, 8)), np.ones((2, 2))).astype(np.float64)
    if kind == "other":
        return one, np.kron(rng.integers(20, 160, (8, 8)), np.ones((3, 2)))
    if kind == "level":
        cells = rng.permutation([100] * 26 + [140] * 26 + [120] * 12)
        brighter = np.where(cells == 120, 121, np.where((cells == 100) & (np.cumsum(cells == 100) <= 12), 99, cells))
        return tuple(np.kron(c.reshape(8, 8), np.ones((2, 2))).astype(np.float64) for c in (cells, brighter))
    if kind == "large":
        return one, np.kron(one, np.ones((4, 5)))
    other = np.kron(one, np.ones((2, 3))) + rng.normal(0, 1.0, (32, 48)) + 25
    if kind == "near":  # some cells are others
        for i in rng.choice(64, int(rng.integers(3, 10)), replace=False):
            r, c = divmod(int(i), 8)
            other[4 * r : 4 * r + 4, 6 * c : 6 * c + 6] = 205 - other[4 * r : 4 * r + 4, 6 * c : 6 * c + 6]
    return one, other


@exercise("14.5")
def near_duplicates(answer):
    fixed = ((2, "other"), (0, "same"), (1, "same"), (2, "near"), (21, "near"), (4, "near"), (1, "near"))
    fixed += ((0, "large"), (0, "level"))
    for seed, kind in cases(fixed, lambda rng: (rng.getrandbits(20), rng.choice(["same", "near", "near", "other"]))):
        one, other = pair(seed, kind)
        apart = int((bits(one) != bits(other)).sum())
        got = answer(one.copy(), other.copy())
        got = bool(got) if type(got).__name__ == "bool_" else got
        sizes = " / ".join(f"{p.shape[0]} × {p.shape[1]}" for p in (one, other))
        given = tr(f"两张图（{sizes}，相差 {apart} 位）：same", f"two pictures ({sizes}, {apart} bits apart): same")
        if got is not None and not isinstance(got, bool):
            yield given + tr(
                f" 应回答 True 或 False，你的是 {shown(got)}。", f" should answer True or False; yours is {shown(got)}."
            )
            continue
        fixed_middle = int((bits(one, middle="half") != bits(other, middle="half")).sum()) <= 5
        yield from faults(
            given,
            got,
            apart <= 5,
            [
                (apart < 5, "恰好 5 位也算同一张。", "Exactly 5 bits still count as the same."),
                (fixed_middle, "和这张图自己的平均比，不是和 127.5 比：亮一点的还是那张。", "Compare with the picture's own mean, not with 127.5: a little brighter, it is still the same."),
                (apart > 5, "方向反了：差得少才是同一张。", "The wrong way round: few different bits mean the same picture."),
            ] if got is not None else [],
        )  # fmt: skip


SETS = (
    (("0", "1", "2"), True),
    (("6", "9"), False),
    (("turn left", "turn right"), False),
    (("cat", "dog"), False),
    (("cat", "dog"), True),
    (("a", "b"), True),
    (("ahead", "turn left"), False),
    (("turn right", "stop"), False),
)


@exercise("14.6")
def augmentation(answer):
    found = {}
    for labels, centred in SETS:
        given, got = f"chosen({list(labels)}, {centred})", answer(list(labels), centred)
        if not isinstance(got, dict) or not got:
            yield given + tr(
                f" 应返回一个字典，你的是 {shown(got)}。", f" should return a dictionary; yours is {shown(got)}."
            )
            return
        try:
            corpus_of(labels).augmented(**got)
        except (BadInput, TypeError) as error:
            yield f"{given}: {error}"
            return
        if not any(got.get(name) for name in ("shift", "rotate", "scale", "flip")):
            yield given + tr("：什么也没变。", ": nothing varies.")
        if set(labels) == {"6", "9"} and got.get("rotate", 0) > 60:
            yield given + tr("：转这么多，6 就成了 9。", ": with such a turn a 6 is a 9.")
        if got.get("shift", 0) > 0.35 or got.get("scale", 0) > 0.6:
            yield given + tr(
                "：挪或缩放得太多，东西会跑出画面。", ": with so much shift or scale, things leave the picture."
            )
        found[labels, centred] = got
    snap, still = (
        found["cat", "dog"] if ("cat", "dog") in found else found[("cat", "dog"), False],
        found[("cat", "dog"), True],
    )
    if not snap.get("flip"):
        yield tr("猫和狗在镜子里还是猫和狗：可以翻转。", "Cats and dogs are cats and dogs in a mirror, too: flip them.")
    amounts = [
        sum(s.get(n, 0) / top for n, top in (("shift", 0.5), ("rotate", 180), ("scale", 0.9))) for s in (snap, still)
    ]
    if not amounts[0] > amounts[1]:
        yield tr(
            "随手拍的东西位置和大小变得多：比正中的要多变一些。",
            "In snapshots place and size vary more than where things stand in the middle: let them vary more.",
        )


def corpus_of(labels):
    import numpy as np

    import labkit as lk

    rows = tuple(lk.Example(np.full((8, 8), 9 * i, np.uint8), i % len(labels)) for i in range(2 * len(labels)))
    return lk.Corpus("x", rows, rows, rows, replace_labels(lk.doodles, labels))


def replace_labels(doodles, labels):
    import dataclasses

    return dataclasses.replace(doodles(limit=8).task, labels=tuple(labels))
