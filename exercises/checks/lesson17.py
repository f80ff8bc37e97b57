"""The exercises of lesson 17, shipping: p99, int8 by hand, the loss of distillation, making batches, the deletion test, a choice."""

import math
import random

from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults, pair_fault

from labkit import tr


@exercise("17.1")
def tail(answer):
    rng = random.Random(0)
    for n, share in ((1000, 0.99), (100, 0.99), (195, 0.99), (100, 0.5), (7, 0.5), (10, 0.95), (1, 0.99)):
        times = [round(rng.lognormvariate(2.5, 0.8), 2) for _ in range(n)]
        ordered = sorted(times)
        place = max(1, math.ceil(share * n - 1e-9))
        want = ordered[place - 1]
        yield from faults(
            tr(f"{n} 个时间，share={share}：tail", f"{n} times, share={share}: tail"),
            answer(list(times), share),
            want,
            [
                (times[place - 1], "先排序：来的次序不是快慢的次序。", "Sort first: the order of arrival is not that of slowness."),
                (ordered[n - place], "从小到大排：p99 在慢的一头。", "From small to large: p99 is at the slow end."),
                (ordered[min(place, n - 1)], "差了一位：第 k 个在 `k - 1` 处。", "Off by one: the k-th stands at place `k - 1`."),
                (ordered[max(0, int(share * n) - 1)], "要向上取整：不能少于 share 那么多。", "Round up: no fewer than that share."),
                (ordered[int(share * n)] if int(share * n) < n else None, "差了一位：第 k 个在 `k - 1` 处。", "Off by one: the k-th stands at place `k - 1`."),
                (share * max(times), "不是最大值的几成：是排好队以后站在那个位置的那一个。", "Not a share of the largest: the one that stands at that place in the line."),
                (sum(times) / n, "这是平均数：它藏起慢的那几个。", "That is the mean, which hides the slow ones."),
                (max(times), "这是最慢的一个，不是那个份额上的。", "That is the very slowest, not the one at that share."),
            ],
        )  # fmt: skip


WEIGHTS = (
    [0.5, -1.27, 0.01, 1.0],
    [-3.0, 0.4, 0.6, 2.0],
    [0.25, 0.125, -0.0625],
    [100.0, -50.0, 0.3],
    [0.0034, -0.0127, 0.0051],
)


def quantized(values, top=127, whole=round, largest=lambda v: max(map(abs, v))) -> tuple[list[int], float]:
    scale = largest(values) / top
    return [whole(v / scale) for v in values], scale


@exercise("17.2")
def int8(answer):
    for values in WEIGHTS:
        want, got = quantized(values), answer(list(values))
        given = f"quantize({values})"
        if fault := pair_fault(got, tr("整数", "whole numbers"), "scale"):
            yield fault
            continue
        whole = as_list(got[0])
        if whole is not None and any(isinstance(q, float) and q != round(q) for q in whole):
            yield tr(f"{given}：int8 里只有整数，要取整。", f"{given}: int8 holds whole numbers alone: round them.")
            continue
        yield from faults(
            given,
            (whole, got[1]),
            want,
            [
                (quantized(values, whole=int), "取最近的整数（round），不是砍掉小数。", "Round to the nearest; don't cut the fraction off."),
                (quantized(values, whole=math.floor), "取最近的整数（round），不是向下。", "Round to the nearest, not down."),
                (quantized(values, 128), "int8 最大是 127：除以 128，最大的数会变成放不下的 128。", "The largest int8 is 127: with 128 the largest number becomes 128, which does not fit."),
                (quantized(values, 255), "这里有正有负：从 −127 到 127，不是 0 到 255。", "There are signs here: from −127 to 127, not 0 to 255."),
                (quantized(values, largest=max) if max(values) > 0 else None, "看绝对值最大的：它可能是负的。", "Look for the largest absolute value: it may be negative."),
                (quantized(values, largest=lambda v: max(v) - min(v)), "这里用对称的尺度：绝对值最大的 / 127，不是全长。", "The scale is symmetric here: largest absolute value / 127, not the whole range."),
                ((want[0], 1 / want[1]), "尺度要能乘回去：值约等于整数 * scale。", "The scale has to lead back: value ≈ whole number * scale."),
            ],
        )  # fmt: skip


def softmax(logits, t: float) -> list[float]:
    top = max(logits)
    powers = [math.exp((x - top) / t) for x in logits]
    return [p / sum(powers) for p in powers]


def divergence(p, q) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


@exercise("17.3")
def soft_labels(answer):
    cases = (
        ([2.0, -1.0], [0.5, 0.3], 2.0),
        ([1.0, 1.0], [1.0, 1.0], 2.0),
        ([4.0, 0.0, -2.0], [0.0, 1.0, 0.5], 3.0),
        ([0.2, 1.5], [1.0, -1.0], 1.0),
    )
    for teacher, pupil, t in cases:
        p, q = softmax(teacher, t), softmax(pupil, t)
        want = t * t * divergence(p, q)
        cold = divergence(softmax(teacher, 1), softmax(pupil, 1))
        entropy = -sum(a * math.log(b) for a, b in zip(p, q, strict=True))
        squared = sum((a - b) ** 2 for a, b in zip(p, q, strict=True))
        yield from faults(
            f"soft_loss({teacher}, {pupil}, {t:g})",
            answer(list(teacher), list(pupil), t),
            want,
            [
                (t * t * divergence(q, p), "方向反了：按老师的概率来加权，p log(p / q)，p 是老师的。", "The wrong way round: weigh by the teacher's probabilities, p log(p / q) with p the teacher's."),
                (divergence(p, q), "忘了乘温度的平方：温度高，梯度就小，要补回来。", "The square of the temperature is missing: warmth makes gradients small, and it makes up for that."),
                (t * divergence(p, q), "是温度的平方，不是温度。", "The square of the temperature, not the temperature."),
                (cold, "先把 logits 除以温度，再 softmax。", "Divide the logits by the temperature before softmax."),
                (t * t * cold, "先把 logits 除以温度，再 softmax。", "Divide the logits by the temperature before softmax."),
                (t * t * entropy, "这是交叉熵：两边一样时它不是 0。要的是 p log(p / q)。", "That is the cross-entropy, which is not 0 where both agree. What is wanted is p log(p / q)."),
                (t * t * squared, "这是概率之差的平方，不是散度。", "That is the squared difference of probabilities, no divergence."),
                (-want, "正负号反了：散度不会小于 0。", "The sign is wrong: a divergence is never below 0."),
            ],
            1e-5,
        )  # fmt: skip


ARRIVALS = (
    ([0.0, 1.0, 1.5, 9.0, 9.5], 4, 2.0),
    ([0.0, 0.1, 0.2, 0.3, 0.4], 2, 2.0),
    ([0.0, 1.8, 3.6, 5.4], 8, 2.0),
    ([5.0], 4, 2.0),
    ([0.0, 2.0, 2.5], 4, 2.0),
    ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 3, 10.0),
)


def formed(arrivals, most: int, wait: float, again=False, strict=False, full=True) -> list[int]:
    """Sizes of batches; with `again` the clock starts anew with every arrival."""
    sizes, start = [], None
    for at in arrivals:
        late = start is None or (at - start >= wait if strict else at - start > wait)
        if late or (full and sizes[-1] == most):
            sizes.append(1)
            start = at
        else:
            sizes[-1] += 1
            start = at if again else start
    return sizes


@exercise("17.4")
def batches(answer):
    for arrivals, most, wait in ARRIVALS:
        want = formed(arrivals, most, wait)
        chunks = [len(arrivals[i : i + most]) for i in range(0, len(arrivals), most)]
        yield from faults(
            f"batches({arrivals}, {most}, {wait:g})",
            as_list(answer(list(arrivals), most, wait)),
            want,
            [
                (formed(arrivals, most, wait, again=True), "等待从批里**第一个**开始算，不是每来一个就重新算：那样第一个会等很久。", "Waiting counts from the **first** of the batch, not anew with each arrival: the first would wait for long."),
                (formed(arrivals, most, wait, full=False), "满了就走：一批最多 most 个。", "A full batch leaves: at most `most` in one."),
                (chunks, "时间到了也要走：不能等到凑满。", "It also leaves when the time is up: don't wait until it is full."),
                (formed(arrivals, most, wait, strict=True), "恰好等了 wait 的还赶得上。", "Who arrives exactly `wait` later is still in time."),
                ([1] * len(arrivals), "每个单独一批：没有凑。", "Each is a batch of its own: nothing is put together."),
                (len(want), "要的是每批多大的列表，不是几批。", "A list of sizes is wanted, not how many batches."),
            ],
        )  # fmt: skip


@exercise("17.5")
def deletion_test(answer):
    rng = random.Random(1)
    falls, soon = [1.0, 0.6, 0.3, 0.2, 0.1], [1.0, 0.6, 0.3, 0.2, 0.05]
    slow = [[1.0, 0.9, 0.7, 0.5, 0.1], [1.0, 0.8, 0.6, 0.4, 0.1], [1.0, 0.95, 0.8, 0.3, 0.1]]
    one_better = [*slow, [1.0, 0.3, 0.2, 0.2, 0.1]]
    at_once = [1.0, 0.2, 0.6, 0.5, 0.1]
    late = [1.0, 0.99, 0.97, 0.2, 0.1]
    ends_low = [1.0, 0.9, 0.9, 0.9, 0.0]
    noise = [[1.0, *sorted((round(rng.random(), 2) for _ in range(4)), reverse=True)] for _ in range(19)]
    even = [1.0, 0.8, 0.6, 0.4, 0.1]
    mean = lambda curve: sum(curve[1:]) / (len(curve) - 1)  # noqa: E731
    for curve, others in (
        (soon, slow),
        (ends_low, slow),
        (falls, one_better),
        (falls, slow),
        (even, slow),
        (at_once, slow),
        (late, slow),
        (late, noise),
    ):
        want, got = mean(curve) < min(map(mean, others)), answer(list(curve), [list(o) for o in others])
        got = got.item() if hasattr(got, "item") else got
        average = mean(curve) < sum(map(mean, others)) / len(others)
        mistakes = [
            (mean(curve) <= min(map(mean, others)), "打平不算赢。", "A tie is no win."),
            (average, "要赢过**每一个**随机次序，不是它们的平均：否则一半的抽签也会通过。", "It has to beat **every** random order and not their mean: else half of all lots would pass."),
            (curve[-1] < min(o[-1] for o in others), "看整条曲线的平均高度，不是只看终点：全遮住以后大家都一样。", "Look at the mean height of the whole curve and not at its end: with everything hidden all are alike."),
            (mean(curve) > max(map(mean, others)), "越低越好：答案消失得早，曲线就低。", "Lower is better: where the answer goes sooner, the curve lies lower."),
        ]  # fmt: skip
        yield from faults(f"passes({curve}, …)", got, want, mistakes if isinstance(got, bool) and got != want else [])


OFFERS = (
    {"name": "float", "mb": 90.0, "p99": 140.0, "low": 0.0, "difference": 0.0},
    {"name": "half", "mb": 45.0, "p99": 141.0, "low": -0.1, "difference": 0.0},
    {"name": "int8", "mb": 23.0, "p99": 60.0, "low": -0.9, "difference": -0.3},
    {"name": "pruned", "mb": 15.0, "p99": 48.0, "low": -2.4, "difference": -0.8},
    {"name": "small", "mb": 6.0, "p99": 20.0, "low": -4.0, "difference": -2.5},
)


def chosen(offers, budget: float, most: float, loss="low", size="mb", pick=min) -> str | None:
    fit = [o for o in offers if o["p99"] <= budget and -o[loss] <= most]
    return pick(fit, key=lambda o: o[size])["name"] if fit else None


@exercise("17.6")
def choice(answer):
    for budget, most in ((100, 1.0), (200, 0.5), (50, 1.0), (50, 3.0), (10, 5.0), (60, 0.9), (200, 5.0), (30, 4.0)):
        got, want = answer([dict(o) for o in OFFERS], budget, most), chosen(OFFERS, budget, most)
        got = got["name"] if isinstance(got, dict) and "name" in got else got
        fit = [o for o in OFFERS if -o["low"] <= most]
        yield from faults(
            f"choose(offers, {budget}, {most:g})",
            got,
            want,
            [
                (chosen(OFFERS, budget, most, "difference"), "看区间的**下端**：平均可能是走运。", "Look at the **lower end** of the interval: the mean may be luck."),
                (min(fit, key=lambda o: o["mb"])["name"] if fit else None, "延迟也有预算：p99 不能超过 budget。", "Latency has a budget: p99 may not exceed it."),
                (chosen(OFFERS, budget, 1e9), "准确率也有底线：最坏掉多少不能超过 most。", "Accuracy has a limit too: the worst loss may not exceed `most`."),
                (chosen(OFFERS, budget, most, size="low", pick=max), "合格的里面要最小的（mb），不是掉得最少的。", "Of those that qualify the smallest is wanted (mb), not the one that loses least."),
                (chosen(OFFERS, budget, most, pick=max), "要最小的，不是最大的。", "The smallest is wanted, not the largest."),
            ],
        )  # fmt: skip
