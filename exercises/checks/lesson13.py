"""The exercises of lesson 13, tuning: the best so far, a draw on a logarithmic scale, pruning, the winner's curse, halving, a search of one's own."""

import math
import random
import statistics

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, kind_fault, near, numbers, pair_fault, shown

from labkit import tr

SCORES = ([0.71, 0.68, 0.74, 0.74, 0.70, 0.79, 0.75], [0.5], [0.9, 0.8, 0.7], [0.2, 0.4, 0.6, 0.8])


@exercise("13.1")
def best_so_far(answer):
    for scores in cases(SCORES, lambda rng: [rng.randint(-5, 9) / 10 for _ in range(rng.randint(1, 9))]):
        want = [max(scores[: i + 1]) for i in range(len(scores))]
        got = answer(list(scores))
        got = got.tolist() if hasattr(got, "tolist") else got
        got = list(got) if got is not None and not isinstance(got, (float, int, str)) else got
        yield from faults(
            f"so_far({scores})",
            got,
            want,
            [
                (max(scores), "要的是一个列表：每次试验之后最好的是多少。", "A list is wanted: the best after each trial."),
                ([max(scores)] * len(scores), "后面的试验还没有做，不能预知。", "Later trials have not been made yet: look at those so far."),
                ([min(scores[: i + 1]) for i in range(len(scores))], "分数越大越好：取最大的。", "A score is better the larger it is: take the largest."),
                ([max(scores[i:]) for i in range(len(scores))], "方向反了：看已经做过的，不是还没做的。", "The wrong way round: look at the trials before, not after."),
                ([max(scores[:i], default=scores[0]) for i in range(len(scores))], "这一次也算：scores[: i + 1]。", "This trial counts too: scores[: i + 1]."),
                (sorted(scores), "不是排序：试验的次序不变。", "No sorting: the trials keep their order."),
                (list(scores), "每一次的分数照抄了：比以前差的，要写以前最好的。", "These are the scores themselves: where one is worse than before, the best before stands."),
            ],
        )  # fmt: skip


@exercise("13.2")
def logarithmic(answer):
    fixed = ((0.0, 1e-5, 1e-1), (1.0, 1e-5, 1e-1), (0.5, 1e-5, 1e-1), (0.25, 2.0, 32.0), (0.9, 0.1, 10.0))
    for u, low, high in cases(fixed, lambda r: (r.random(), r.uniform(0.1, 1), r.uniform(2, 50))):
        want = low * (high / low) ** u
        straight = low + u * (high - low)
        yield from faults(
            f"draw({u}, {low:g}, {high:g})",
            answer(u, low, high),
            want,
            [
                (straight, "这是直线上的均匀：九成的点落在最高的一个数量级里。", "That is even on a straight scale: nine in ten points fall into the highest power of ten."),
                (math.log(low) + u * math.log(high / low), "还差一步：算出来的是对数，要用 exp 变回去。", "One step is missing: this is the logarithm; take exp of it."),
                (10 ** (math.log(low) + u * math.log(high / low)), "log 和 10 的幂不是一对：log 配 exp，log10 配 10 **。", "log and powers of 10 are no pair: log goes with exp, log10 with 10 **."),
                (high * (low / high) ** u, "方向反了：u = 0 是 low，u = 1 是 high。", "The wrong way round: u = 0 is low, u = 1 is high."),
                (low * math.exp(u), "上界没有用到：要走 log(high / low) 那么远。", "The upper end is not used: go as far as log(high / low)."),
            ],
            1e-6,
        )  # fmt: skip


COURSES = (  # the course of a trial, the courses of those before it
    ([0.50, 0.55], [[0.60, 0.70, 0.75], [0.55, 0.65, 0.70], [0.50, 0.60, 0.80]]),
    ([0.58, 0.66], [[0.60, 0.70, 0.75], [0.55, 0.65, 0.70], [0.50, 0.60, 0.80]]),
    ([0.66, 0.60], [[0.60, 0.70, 0.75], [0.55, 0.65, 0.70], [0.50, 0.60, 0.80]]),
    ([0.40], [[0.60], [0.70]]),
    ([0.625], [[0.5], [0.75]]),
    ([0.30, 0.40, 0.50], [[0.60, 0.70], [0.55, 0.65]]),
    ([0.30], []),
    ([0.52], [[0.10], [0.55], [0.60], [0.61]]),
    ([0.63, 0.61], [[0.60, 0.50], [0.61, 0.70], [0.90, 0.62]]),
)


def pruned(course, others, pick=max, at=None, middle=statistics.median, equal=False) -> bool:
    at = len(course) - 1 if at is None else at
    there = [other[at] for other in others if len(other) > at]
    if not there:
        return False
    mine = pick(course)
    return mine <= middle(there) if equal else mine < middle(there)


def some_courses(rng):
    course, *others = ([rng.randint(40, 80) / 100 for _ in range(rng.randint(1, 5))] for _ in range(rng.randint(1, 6)))
    return course, others


@exercise("13.3")
def pruning(answer):
    for course, others in cases(COURSES, some_courses, 30):
        got, want = answer(list(course), [list(o) for o in others]), pruned(course, others)
        got = got.item() if hasattr(got, "item") else got
        if not isinstance(got, bool):
            yield tr(
                f"prune 应回答 True 或 False，你的是 {shown(got)}。",
                f"prune should answer True or False; yours is {shown(got)}.",
            )
        last = pruned(course, others, pick=lambda c: c[-1])
        mean = pruned(course, others, middle=statistics.fmean)
        nobody = [
            (not others, "没有可比的，就不剪。", "With nothing to compare with, nothing is pruned."),
            (True, "比它短的那些，到这里还没有分数：不算在内。", "Those that are shorter have no score at this point: leave them out."),
        ] if not any(len(o) >= len(course) for o in others) else []  # fmt: skip
        final = pruned(course, [[o[-1]] * len(course) for o in others])
        yield from faults(
            f"prune({course}, {others})",
            got,
            want,
            [
                *nobody,
                (last, "取它到目前为止最好的一次，不是最后一次：曲线会抖。", "Take its best so far, not its last: curves wobble."),
                (final, "和别人在同一处比，不是和别人的最后成绩比：那不公平。", "Compare at the same point, not with where the others ended: that is not fair."),
                (mean, "中位数，不是平均数：一个特别坏的就能把平均数拉走。", "The median, not the mean: one bad course drags a mean away."),
                (pruned(course, others, equal=True), "恰好等于中位数的不剪。", "One that equals the median is not pruned."),
            ] if isinstance(got, bool) and got != want else [],
        )  # fmt: skip


def table(seed: int, n: int = 12):
    """Validation and test scores; of validation scores no two are equal, so that a winner is one."""
    rng = random.Random(seed)
    valid = [round(rng.gauss(0.75, 0.04), 2) + i / 10_000 for i in range(n)]
    rng.shuffle(valid)
    test = [round(0.74 + 0.5 * (v - 0.75) + rng.gauss(0, 0.01), 3) for v in valid]
    return valid, test


@exercise("13.4")
def winners_curse(answer):
    for seed, k in cases(((0, 4), (1, 12), (2, 1), (3, 7)), lambda rng: (rng.getrandbits(20), rng.randint(1, 12))):
        valid, test = table(seed)
        rng = random.Random(seed)
        draws = [rng.sample(range(len(valid)), k) for _ in range(5)]
        winners = [max(d, key=lambda i: valid[i]) for d in draws]
        want = statistics.fmean(valid[i] - test[i] for i in winners)
        best_test = statistics.fmean(valid[w] - max(test[i] for i in d) for w, d in zip(winners, draws, strict=True))
        everyone = statistics.fmean(valid[i] - test[i] for d in draws for i in d)
        worst = statistics.fmean(valid[i] - test[i] for d in draws for i in [min(d, key=lambda i: valid[i])])
        by_test = statistics.fmean(valid[i] - test[i] for d in draws for i in [max(d, key=lambda i: test[i])])
        given = tr(f"{len(draws)} 次抽 {k} 个：optimism", f"{len(draws)} draws of {k}: optimism")
        yield from faults(
            given,
            answer(list(valid), list(test), [list(d) for d in draws]),
            want,
            [
                (best_test, "赢家只有一个：它的测试成绩，不是这些里最好的测试成绩。测试集不许参加挑选。", "There is one winner: take its own test score, not the best test score of the draw. The test set may not choose."),
                (by_test, "赢家由验证集来挑，不是测试集。", "The winner is chosen by validation, not by test."),
                (everyone, "只算每次的赢家，不是抽到的全部。", "Only the winner of each draw counts, not everyone drawn."),
                (-want, "方向反了：验证减测试。", "The wrong way round: validation minus test."),
                (worst, "赢家是验证成绩最高的。", "The winner has the highest validation score."),
                (want * len(draws), "要的是平均，不是总和。", "The mean is wanted, not the sum."),
                (statistics.fmean(max(valid) - t for t in [test[valid.index(max(valid))]]), "每次只在抽到的那些里挑。", "Choose among those that were drawn, each time."),
            ],
            1e-6,
        )  # fmt: skip


def halved(count, score, epochs, keep=0.5, double=True, ceil=True):
    """(winner, epochs spent) of successive halving."""
    left, spent, asked = list(range(count)), 0, []
    while True:
        scores = {i: score(i, epochs) for i in left}
        spent += epochs * len(left)
        asked += [(i, epochs) for i in left]
        ranked = sorted(left, key=lambda i: -scores[i])
        if len(left) == 1 or (size := math.ceil(len(left) * keep)) == len(left):
            return ranked[0], spent
        left = ranked[: size if ceil else len(left) // 2]
        if len(left) == 1:
            return left[0], spent
        epochs = 2 * epochs if double else epochs


@exercise("13.5")
def halving(answer):
    fixed = ((8, 1, 0), (4, 2, 1), (5, 1, 2), (2, 3, 3), (16, 1, 4), (3, 1, 5))
    for count, epochs, seed in cases(fixed, lambda rng: (rng.randint(2, 20), rng.randint(1, 3), rng.getrandbits(20))):
        rng = random.Random(seed)
        level = [rng.uniform(0.6, 0.8) for _ in range(count)]
        slow = [rng.uniform(0.2, 1.5) for _ in range(count)]
        calls = []

        def score(i, n, level=level, slow=slow, calls=calls):
            calls.append((i, n))
            return level[i] * (1 - math.exp(-n / slow[i]))

        want = halved(count, lambda i, n: level[i] * (1 - math.exp(-n / slow[i])), epochs)  # noqa: B023
        got = answer(count, score, epochs)
        got = got.tolist() if hasattr(got, "tolist") else got
        given = tr(f"{count} 个候选，从 {epochs} 轮开始：halve", f"{count} candidates, {epochs} epochs at first: halve")
        if trouble := pair_fault(got, "winner", "spent"):
            yield f"{given}: {trouble}"
        same = halved(count, lambda i, n: level[i] * (1 - math.exp(-n / slow[i])), epochs, double=False)  # noqa: B023
        down = halved(count, lambda i, n: level[i] * (1 - math.exp(-n / slow[i])), epochs, ceil=False)  # noqa: B023
        final = max(range(count), key=lambda i: level[i] * (1 - math.exp(-count * epochs / slow[i])))
        yield from faults(
            given,
            [x.item() if hasattr(x, "item") else x for x in got],
            list(want),
            [
                ([want[0], sum({(i, n): n for i, n in calls}.values()) - want[1] + len(calls)], "数的是轮数，不是问了几次。", "Count epochs, not how often you asked."),
                ([want[0], len(calls)], "数的是轮数，不是问了几次：问 score(i, 4) 花四轮。", "Count epochs, not how often you asked: score(i, 4) costs four."),
                (list(same), "每一回合之后，轮数要加倍。", "The epochs double after each round."),
                (list(down), "单数的时候多留一个：(n + 1) // 2。", "Of an odd number keep the larger half: (n + 1) // 2."),
                ([final, sum([count * count * epochs])], "这是全部练到底：那就不叫减半了。", "That trains everybody to the end: nothing is halved."),
                (list(want[::-1]), "次序是（胜者，花掉的轮数）。", "The order is (winner, epochs spent)."),
            ],
        )  # fmt: skip
        if len(calls) != len(set(calls)):
            yield given + tr("：同一个候选、同样的轮数问了两次，那是多花的。", ": the same candidate was asked twice for the same epochs; that is wasted.")  # fmt: skip


PEAKS = (-3.4, -2.9, -2.2, -1.7, -1.3, -3.7, -2.5, -3.1, -1.9, -2.7)
TRIES, CLOSE, ENOUGH = 12, 0.06, 9


def landscape(peak: float, wide: float):
    """Accuracy by rate: a hill on a logarithmic scale, flat on the far left, a cliff on the far right."""

    def score(rate):
        away = math.log10(rate) - peak
        return round(0.5 + 0.35 * math.exp(-((away / wide) ** 2)), 6)

    return score


@exercise("13.6")
def own_search(answer):
    yield from search_faults(answer)


def search_faults(answer) -> list[str]:
    hits, fault = 0, ""
    for number, peak in enumerate(PEAKS):
        score, history = landscape(peak, 0.9), []
        for _ in range(TRIES):
            rate = answer(list(history))
            value = numbers(rate)
            if value is None or value.numel() != 1:
                return [joined_kind(rate)]
            rate = float(value)
            if not 0.9999e-4 <= rate <= 1.0001e-1:
                return [tr(f"propose 给出 {rate:.3g}，应在 1e-4 到 1e-1 之间。", f"propose gave {rate:.3g}; it should lie between 1e-4 and 1e-1.")]  # fmt: skip
            history.append((rate, score(rate)))
        best = max(history, key=lambda pair: pair[1])[0]
        hit = abs(math.log10(best) - peak) <= CLOSE
        hits += hit
        if not hit and not fault:
            tries = ", ".join(f"{rate:.2g}" for rate, _ in history)
            fault = tr(f"第 {number + 1} 座山，最好在 {10**peak:.2g}，你试了：{tries}。", f"hill {number + 1} is highest at {10**peak:.2g}, and you tried: {tries}.")  # fmt: skip
    if hits >= ENOUGH:
        return []
    repeated = tr("不要重复问同一个值。", "Don't ask the same value twice.") if repeats(answer) else ""
    return [
        tr(
            f"十座山里有 {hits} 座走到了山顶附近（一成五以内），要 {ENOUGH} 座。{fault}{repeated}先铺开，再往最好的附近缩小。",
            f"On {hits} of ten hills the best try is near the top (within 15 %); {ENOUGH} are wanted. {fault} {repeated} "
            "Spread out first, then narrow down around the best.",
        )
    ]


def joined_kind(got) -> str:
    return tr(f"propose 应返回一个数，你的是 {shown(got)}。", f"propose should return one number; yours is {shown(got)}.") + kind_fault(got, 0.0)  # fmt: skip


def repeats(answer) -> bool:
    """Whether it asks the same rate again and again."""
    history, score = [], landscape(-2.5, 0.9)
    for _ in range(TRIES):
        rate = float(answer(list(history)))
        history.append((rate, score(rate)))
    return len({rate for rate, _ in history}) < TRIES - 2 and not near(history[0][0], history[1][0])
