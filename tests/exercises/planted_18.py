"""Planted answers to the exercises of lesson 18."""

import csv
import statistics

import numpy as np
from planting import right, wrong
from scipy import stats

# 18.1 read(low, high)


@wrong("18.1", "wherever its middle lies")
def by_the_middle(low, high):
    return "better" if low + high > 0 else "worse"


@wrong("18.1", "an end counts")
def an_end_is_enough(low, high):
    return "better" if low >= 0 else "worse" if high <= 0 else "unknown"


@wrong("18.1", "It can be judged|can be judged")
def never_sure(low, high):
    return "unknown"


@wrong("18.1", "should be one of")
def in_marks(low, high):
    return "▲" if low > 0 else "▼" if high < 0 else "≈"


@right("18.1")
def by_signs(low, high):
    return {2: "better", -2: "worse"}.get(int(np.sign(low) + np.sign(high)), "unknown")


@right("18.1")
def by_product(low, high):
    return "unknown" if low * high <= 0 else "better" if low > 0 else "worse"


# 18.2 as_good(low, high, margin)


@wrong("18.2", "no limit")
def both_ways(low, high, margin):
    return "as good" if -margin < low and high < margin else "worse" if high < -margin else "unknown"


@wrong("18.2", "Across 0 is not equal")
def noise_is_equal(low, high, margin):
    return "as good" if low <= 0 <= high or low > -margin else "worse" if high < -margin else "unknown"


@wrong("18.2", "not worse by margin|equal counts|goes beyond")
def edge_is_good(low, high, margin):
    return "as good" if low >= -margin else "worse" if high < -margin else "unknown"


@wrong("18.2", "not worse by margin: unknown|Part of the interval")
def worse_than_nothing(low, high, margin):
    return "as good" if low > -margin else "worse" if high < 0 else "unknown"


@right("18.2")
def shifted(low, high, margin):
    low, high = low + margin, high + margin
    return "as good" if low > 0 else ("worse" if high < 0 else "unknown")


# 18.3 holm(p_values, alpha)


@wrong("18.3", "Nothing was taken off")
def unmended(p_values, alpha=0.05):
    return [p <= alpha for p in p_values]


@wrong("18.3", "That is Bonferroni")
def bonferroni(p_values, alpha=0.05):
    return [p <= alpha / len(p_values) for p in p_values]


@wrong("18.3", "none passes")
def goes_on(p_values, alpha=0.05):
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    return [p_values[i] <= alpha / (len(order) - order.index(i)) for i in range(len(order))]


@wrong("18.3", "order is lost|Nothing was taken off")
def lost_places(p_values, alpha=0.05):
    passed = []
    for k, p in enumerate(sorted(p_values)):
        passed.append(p <= alpha / (len(p_values) - k) and all(passed))
    return passed


@wrong("18.3", "a list of True and False")
def as_numbers(p_values, alpha=0.05):
    return sorted(p_values)


@right("18.3")
def adjusted(p_values, alpha=0.05):
    order = np.argsort(p_values, kind="stable")
    worst, passed = 0.0, np.zeros(len(p_values), dtype=bool)
    for k, i in enumerate(order):
        worst = max(worst, p_values[i] * (len(p_values) - k))
        passed[i] = worst <= alpha * (1 + 1e-12)
    return passed


@right("18.3")
def one_by_one(p_values, alpha=0.05):
    left, passed = dict(enumerate(p_values)), [False] * len(p_values)
    while left:
        i = min(left, key=left.get)
        if left[i] > alpha / len(left):
            break
        passed[i] = True
        del left[i]
    return passed


# 18.4 trial(path, a, b)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["strategy"], row["seed"]): float(row["accuracy"]) for row in csv.DictReader(file)}


def gaps_of(path, a, b, unit=100):
    of = read(path)
    return [unit * (of[a, s] - of[b, s]) for name, s in of if name == a and (b, s) in of]


def interval(gaps, times=None, root=True):
    times = stats.t.ppf(0.975, len(gaps) - 1) if times is None else times
    half = times * statistics.stdev(gaps) / (len(gaps) ** 0.5 if root else 1)
    middle = statistics.fmean(gaps)
    return middle, middle - half, middle + half


@wrong("18.4", "times 100")
def shares(path, a, b):
    return interval(gaps_of(path, a, b, 1))


@wrong("18.4", "1.96 is too narrow")
def normal(path, a, b):
    return interval(gaps_of(path, a, b), 1.96)


@wrong("18.4", "error of the mean")
def spread(path, a, b):
    return interval(gaps_of(path, a, b), root=False)


@wrong("18.4", "wrong way round")
def turned(path, a, b):
    return interval(gaps_of(path, b, a))


@wrong("18.4", "without its partner")
def apart(path, a, b):
    of = read(path)
    means = [statistics.fmean(100 * v for (name, _), v in of.items() if name == side) for side in (a, b)]
    low, high = interval(gaps_of(path, a, b))[1:]
    return means[0] - means[1], low, high


@right("18.4")
def with_scipy(path, a, b):
    gaps = np.array(gaps_of(path, a, b))
    ends = stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), stats.sem(gaps))
    return [gaps.mean(), *ends]


# 18.5 verdict(case)


@wrong("18.5", "does not let you say 'better than'|and the text does not")
def ranks_all(case):
    return "{a} is better than {b}: {effect} ({low} … {high}), {seeds} seeds, {rows} rows".format(**case)


@wrong("18.5", "lacks low, high")
def no_interval(case):
    word = "better than" if case["low"] > 0 else "worse than" if case["high"] < 0 else "unknown beside"
    return f"{case['a']} is {word} {case['b']} by {case['effect']}, {case['seeds']} seeds, {case['rows']} rows"


@wrong("18.5", "does not let you say")
def equal_where_unknown(case):
    word = "better than" if case["low"] > 0 else "worse than" if case["high"] < 0 else "unknown, about the same as"
    return "{a} is {} {b}: {effect} ({low} to {high}), {seeds} seeds, {rows} rows".format(word, **case)


@wrong("18.5", "should be a text")
def prints(case):
    print(case)


@right("18.5")
def in_chinese(case):
    word = "优于" if case["low"] > 0 else "不如" if case["high"] < 0 else "和"
    end = "" if word != "和" else "谁更靠前不知道，这不等于一样，"
    return "{a} {} {b}：{}相差 {effect} 个百分点，95 % 区间 {low} 到 {high}（{rows} 行测试，{seeds} 个种子）".format(
        word, end, **case
    )


@right("18.5")
def rounded(case):
    word = "better than" if case["low"] > 0 else "worse than" if case["high"] < 0 else None
    said = (
        f"{case['a']} is {word} {case['b']}"
        if word
        else f"{case['a']} against {case['b']}: unknown, which is not equal"
    )
    return f"{said}. {case['effect']:+.1f} points [{case['low']:+.1f}, {case['high']:+.1f}]; {case['seeds']} seeds; n = {case['rows']}"
