"""The exercises of lesson 18, the verdicts: reading an interval, equal or unknown, Holm, a claim tried on a CSV, a verdict in words."""

import math
import re
import statistics
import tempfile
from pathlib import Path

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults, kind_fault, shown

from labkit import tr

WORDS = ("better", "worse", "unknown")


def one_of(given: str, got, accepted) -> str | None:
    """What is wrong with an answer that should be one of a few words."""
    if isinstance(got, str) and got in accepted:
        return None
    known = ", ".join(map(repr, accepted))
    return tr(
        f"{given} 应是 {known} 里的一个，你的是 {shown(got)}。",
        f"{given} should be one of {known}; yours is {shown(got)}.",
    )


def an_interval(rng):
    middle, half = round(rng.uniform(-4, 4), 2), round(rng.uniform(0.2, 4), 2)
    return round(middle - half, 2), round(middle + half, 2)


def reading(low, high):
    return "better" if low > 0 else "worse" if high < 0 else "unknown"


@exercise("18.1")
def read_interval(answer):
    fixed = ((0.4, 8.3), (-4.1, 2.5), (-9.0, -3.8), (0.0, 3.0), (-2.0, 0.0), (-6.0, 0.5), (-0.1, 7.0))
    for low, high in cases(fixed, an_interval):
        given, want, got = f"read({low}, {high})", reading(low, high), answer(low, high)
        if trouble := one_of(given, got, WORDS):
            yield trouble
            continue
        middle = "better" if low + high > 0 else "worse"
        yield from faults(
            given,
            got,
            want,
            [
                ("unknown", "整个区间在 0 的一边，可以判。", "The whole interval lies on one side of 0: it can be judged."),
                (middle, "区间碰到 0（端点也算）：不管中点在哪边，都是 unknown。", "The interval touches 0 (an end counts): wherever its middle lies, that is unknown."),
            ],
        )  # fmt: skip


MARGINS = ("as good", "worse", "unknown")


def equality(low, high, margin):
    return "as good" if low > -margin else "worse" if high < -margin else "unknown"


def an_equality(rng):
    return *an_interval(rng), round(rng.uniform(0.3, 4), 2)


@exercise("18.2")
def as_good(answer):
    fixed = (
        (-4.1, 2.5, 5),
        (-4.1, 2.5, 3),
        (-4.1, 2.5, 4.1),
        (0.4, 8.3, 1),
        (-9.0, -3.8, 2),
        (-3.0, -1.0, 2),
        (-3.5, -2.0, 2),
        (-1.5, -0.5, 2),
    )
    for low, high, margin in cases(fixed, an_equality):
        given, want, got = f"as_good({low}, {high}, {margin})", equality(low, high, margin), answer(low, high, margin)
        if trouble := one_of(given, got, MARGINS):
            yield trouble
            continue
        both = "as good" if -margin < low and high < margin else "unknown"
        plain = "as good" if low <= 0 <= high else ""
        yield from faults(
            given,
            got,
            want,
            [
                (both, "好得多也算“不差”：上端不设限。", "Far better is no worse: the upper end has no limit."),
                (plain, "跨着 0 不等于一样：看的是下端有没有越过 −margin。", "Across 0 is not equal: look whether the lower end goes beyond −margin."),
                ("as good", "下端越过了 −margin（恰好等于也算）：不能说不差。", "The lower end goes beyond −margin (equal counts): one can't say no worse."),
                ("worse", "区间还有一段没有差过 margin：不知道。", "Part of the interval is not worse by margin: unknown."),
                ("unknown", "整个区间都差过 margin，或都没有差过，可以判。", "The whole interval is worse by margin, or none of it: it can be judged."),
            ],
        )  # fmt: skip


def holm(p_values, alpha=0.05, thrifty=True, stop=True, strict=False):
    order, passed = sorted(range(len(p_values)), key=lambda i: p_values[i]), [False] * len(p_values)
    for place, i in enumerate(order):
        bar = alpha / (len(order) - (place if thrifty else 0))
        if p_values[i] < bar or (p_values[i] == bar and not strict):
            passed[i] = True
        elif stop:
            break
    return passed


def some_p_values(rng):
    return [
        round(rng.choice((rng.uniform(0, 0.02), rng.uniform(0, 0.06), rng.random())), 4)
        for _ in range(rng.randint(1, 8))
    ], rng.choice((0.05, 0.05, 0.1))


@exercise("18.3")
def several(answer):
    fixed = (
        ([0.001, 0.02, 0.04], 0.05),
        ([0.04, 0.001, 0.02], 0.05),
        ([0.03, 0.03, 0.03], 0.05),
        ([0.001, 0.03, 0.035, 0.04, 0.045], 0.05),
        ([0.01, 0.5, 0.02, 0.02], 0.05),
        ([0.05], 0.05),
        ([0.02, 0.04, 0.025], 0.05),
        ([], 0.05),
        ([0.08, 0.03], 0.1),
    )
    for p_values, alpha in cases(fixed, some_p_values):
        given, want = f"holm({p_values}, {alpha})", holm(p_values, alpha)
        got = as_list(answer(list(p_values), alpha))
        if got is None or not all(isinstance(x, bool) for x in got):
            yield tr(
                f"{given} 应是一列 True 和 False，你的是 {shown(got)}。",
                f"{given} should be a list of True and False; yours is {shown(got)}.",
            )
            continue
        yield from faults(
            given,
            got,
            want,
            [
                ([p <= alpha for p in p_values], "没有扣：每条都还是用 alpha。", "Nothing was taken off: each is still judged at alpha."),
                (holm(p_values, alpha, thrifty=False), "这是 Bonferroni：第一条之后，关卡放松到 alpha / (m − 1)、alpha / (m − 2)……", "That is Bonferroni: after the first, the bar is alpha / (m − 1), then alpha / (m − 2), …"),
                (holm(p_values, alpha, stop=False), "第一个不过的之后，后面的也都不过。", "After the first that does not pass, none passes."),
                (sorted(want, reverse=True), "次序乱了：答案要照 p 值原来的次序。", "The order is lost: answers stand in the order of the p values."),
                (holm(p_values, alpha, strict=True), "恰好等于关卡的算过。", "One that just equals the bar passes."),
            ],
        )  # fmt: skip


SCORES = """strategy,seed,accuracy
full,0,0.74
head,0,0.71
full,1,0.76
head,1,0.75
head,2,0.70
full,2,0.73
lora,0,0.72
full,3,0.90
"""


def a_table(rng):
    seeds, lines = rng.randint(3, 7), []
    for seed in range(seeds):
        base = rng.uniform(0.6, 0.8)
        lines += [f"{name},{seed},{base + rng.gauss(0.01, 0.02):.4f}" for name in ("full", "head", "lora")]
    lines.append(f"full,{seeds + 2},{rng.uniform(0.9, 0.99):.4f}")  # without its partner
    rng.shuffle(lines)
    return "strategy,seed,accuracy\n" + "\n".join(lines) + "\n", *rng.choice((("full", "head"), ("lora", "full")))


def student(n: int) -> float:
    """How many standard errors make 95 % with `n` differences."""
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))


def columns(text: str, a: str, b: str):
    rows = [line.split(",") for line in text.strip().splitlines()[1:]]
    of = {(name, seed): 100 * float(score) for name, seed, score in rows}
    seeds = sorted(seed for name, seed in of if name == a and (b, seed) in of)
    return of, seeds


def on_trial(text: str, a: str, b: str):
    of, seeds = columns(text, a, b)
    differences = [of[a, seed] - of[b, seed] for seed in seeds]
    middle = statistics.fmean(differences)
    half = student(len(differences)) * statistics.stdev(differences) / math.sqrt(len(differences))
    return [middle, middle - half, middle + half]


@exercise("18.4")
def own_csv(answer):
    with tempfile.TemporaryDirectory() as folder:
        for text, a, b in cases(((SCORES, "full", "head"), (SCORES, "head", "full")), a_table, 6):
            path = Path(folder) / "scores.csv"
            path.write_text(text, encoding="utf-8")
            given, got = f"trial(scores.csv, {a!r}, {b!r})", as_list(answer(str(path), a, b))
            if got is None or len(got) != 3:
                yield tr(
                    f"{given} 应返回三个数：平均、下端、上端，你的是 {shown(got)}。",
                    f"{given} should return three numbers, mean, low and high; yours is {shown(got)}.",
                ) + kind_fault(got, [])
                continue
            want = on_trial(text, a, b)
            of, seeds = columns(text, a, b)
            differences = [of[a, s] - of[b, s] for s in seeds]
            half = want[2] - want[0]
            error = statistics.stdev(differences) / math.sqrt(len(differences))
            sides = [[of[name, s] for n, s in of if n == name] for name in (a, b)]
            apart = statistics.fmean(sides[0]) - statistics.fmean(sides[1])
            wide = half * math.sqrt(len(seeds))
            yield from faults(
                given,
                got,
                want,
                [
                    ([x / 100 for x in want], "单位是百分点：乘以 100。", "The unit is points: times 100."),
                    ([-want[0], -want[2], -want[1]], "方向反了：a 减 b。", "The wrong way round: a minus b."),
                    ([want[0], want[0] - 1.96 * error, want[0] + 1.96 * error], "只有几个差值：1.96 太窄，用 Student 的 t（scipy.stats.t）。", "There are few differences: 1.96 is too narrow; take Student's t (scipy.stats.t)."),
                    ([want[0], want[0] - wide, want[0] + wide], "要的是平均数的误差：标准差还要除以 √n。", "The error of the mean is wanted: divide the standard deviation by √n."),
                    ([apart, got[1], got[2]], "只比两边都有的种子：没有伴的那一次不算。", "Compare seeds that both have: a run without its partner does not count."),
                ],
                1e-4,
            )  # fmt: skip


CASES = (
    {"a": "full", "b": "head", "effect": 4.3, "low": 0.4, "high": 8.3, "seeds": 8, "rows": 199},
    {"a": "head", "b": "full", "effect": -0.8, "low": -4.1, "high": 2.5, "seeds": 8, "rows": 199},
    {"a": "full", "b": "crf", "effect": -8.6, "low": -13.4, "high": -3.8, "seeds": 3, "rows": 1500},
)
SAID = {
    "better": ("better", "优于", "更好"),
    "worse": ("worse", "不如", "更差"),
    "unknown": ("unknown", "不知道", "分不出"),
}
RANKS = {
    "better": ("better than", "优于", "更好"),
    "worse": ("worse than", "不如", "更差"),
    "equal": ("equal", "the same", "as good", "一样", "持平", "相同"),
}
DENIED = r"(?:\bnot\b|n't\b|不是|不等于|不能说|并不)[^.。,，;；:：]{0,24}"


def a_case(rng):
    low, high = an_interval(rng)
    return {
        "a": rng.choice(("full", "lora")),
        "b": rng.choice(("head", "top-2")),
        "effect": round((low + high) / 2, 2),
        "low": low,
        "high": high,
        "seeds": rng.randint(3, 12),
        "rows": rng.randint(100, 900),
    }


@exercise("18.5")
def in_words(answer):
    for case in cases(CASES, a_case):
        text = answer(dict(case))
        given = f"verdict({case})"
        if not isinstance(text, str):
            yield tr(
                f"{given} 应是一段文字，你的是 {shown(text)}。", f"{given} should be a text; yours is {shown(text)}."
            ) + kind_fault(text, "")
            continue
        told = text.replace("−", "-").lower()
        numbers = [float(x) for x in re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?", told)]
        lacking = [
            name
            for name in ("effect", "low", "high", "seeds", "rows")
            if not any(math.isclose(case[name], x, abs_tol=0.051) for x in numbers)
        ]
        if lacking:
            yield tr(f"{given}：文字里没有 {'、'.join(lacking)}。", f"{given}: the text lacks {', '.join(lacking)}.")
        if case["a"] not in told or case["b"] not in told:
            yield tr(f"{given}：要说清谁比谁。", f"{given}: say who is compared with whom.")
        want = reading(case["low"], case["high"])
        if not any(word in told for word in SAID[want]):
            words = " / ".join(SAID[want])
            yield tr(
                f"{given}：区间说的是“{words}”，文字里没有。",
                f"{given}: the interval says {words!r}, and the text does not.",
            )
        claimed = re.sub(DENIED, "", told)  # "which is not equal" claims nothing
        if wrong := [word for kind, words in RANKS.items() if kind != want for word in words if word in claimed]:
            yield tr(
                f"{given}：区间不让你说“{wrong[0]}”。", f"{given}: the interval does not let you say {wrong[0]!r}."
            )
