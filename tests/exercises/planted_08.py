"""Planted answers to the exercises of lesson 08."""

import random
import re

import numpy as np
import torch
from planting import right, wrong
from torch.nn.functional import cross_entropy

# 08.1 macro_f1(truth, said)


def f1s(truth, said, labels):
    found = []
    for x in labels:
        hit = sum(t == s == x for t, s in zip(truth, said, strict=True))
        found.append(2 * hit / (truth.count(x) + said.count(x)))
    return found


@wrong("08.1", "never said counts too")
def skips_silent_classes(truth, said):
    found = f1s(truth, said, sorted(set(said)))
    return sum(found) / len(found)


@wrong("08.1", "not among the truth")
def classes_of_the_truth(truth, said):
    found = f1s(truth, said, sorted(set(truth)))
    return sum(found) / len(found)


@wrong("08.1", "This is the accuracy")
def micro(truth, said):
    return sum(t == s for t, s in zip(truth, said, strict=True)) / len(truth)


@wrong("08.1", "each class weighs the same")
def weighted(truth, said):
    labels = sorted({*truth, *said})
    return sum(f * truth.count(x) for f, x in zip(f1s(truth, said, labels), labels, strict=True)) / len(truth)


@wrong("08.1", "ZeroDivisionError")
def divides_by_nothing(truth, said):
    found = []
    for x in {*truth, *said}:
        hit = sum(t == s == x for t, s in zip(truth, said, strict=True))
        p, r = hit / said.count(x), hit / truth.count(x)
        found.append(2 * p * r / (p + r))
    return sum(found) / len(found)


@right("08.1")
def by_scikit_learn(truth, said):
    from sklearn.metrics import f1_score

    return f1_score(truth, said, average="macro", zero_division=0)


@right("08.1")
def by_confusion(truth, said):
    labels = sorted({*truth, *said}, key=str)
    table = torch.zeros(len(labels), len(labels))
    for t, s in zip(truth, said, strict=True):
        table[labels.index(t), labels.index(s)] += 1
    return (2 * table.diag() / (table.sum(0) + table.sum(1))).mean()


@right("08.1")
def by_precision_and_recall(truth, said):
    found = []
    for x in {*truth, *said}:
        hit = len([1 for t, s in zip(truth, said, strict=True) if t == x and s == x])
        p = hit / said.count(x) if x in said else 0
        r = hit / truth.count(x) if x in truth else 0
        found.append(2 * p * r / (p + r) if p + r else 0)
    return np.mean(found)


# 08.2 difference(a, b, draws)


def means(a, b, draws, paired=True):
    a, b = torch.tensor(a, dtype=torch.float), torch.tensor(b, dtype=torch.float)
    picks = torch.randint(len(a), (draws, len(a)))
    others = picks if paired else torch.randint(len(a), (draws, len(a)))
    return a[picks].mean(1) - b[others].mean(1)


def ends(values, share=0.025):
    return values.quantile(share).item(), values.quantile(1 - share).item()


@wrong("08.2", "rows of their own")
def draws_apart(a, b, draws):
    return ends(means(a, b, draws, paired=False))


@wrong("08.2", "90 % interval")
def ninety(a, b, draws):
    return ends(means(a, b, draws), 0.05)


@wrong("08.2", "one standard error")
def one_error(a, b, draws):
    found = means(a, b, draws)
    return (found.mean() - found.std()).item(), (found.mean() + found.std()).item()


@wrong("08.2", "putting back")
def without_putting_back(a, b, draws):
    each = torch.tensor(a, dtype=torch.float) - torch.tensor(b)
    return ends(torch.stack([each[torch.randperm(len(each))].mean() for _ in range(draws)]))


@wrong("08.2", "wrong way round")
def second_minus_first(a, b, draws):
    return ends(means(b, a, draws))


@wrong("08.2", "Its middle is off")
def of_the_first_alone(a, b, draws):
    return ends(means(a, [0] * len(a), draws))


@wrong("08.2", "Two things should be returned")
def the_middle(a, b, draws):
    return means(a, b, draws).mean().item()


@right("08.2")
def by_formula(a, b, draws):
    each = np.array(a) - np.array(b)
    half = 1.96 * each.std() / len(each) ** 0.5
    return each.mean() - half, each.mean() + half


@right("08.2")
def with_numpy(a, b, draws):
    rng, a, b = np.random.default_rng(5), np.array(a), np.array(b)
    found = [a[p].mean() - b[p].mean() for p in (rng.choice(len(a), len(a)) for _ in range(draws))]
    return np.percentile(found, [2.5, 97.5])


@right("08.2")
def in_plain_python(a, b, draws):
    each = [x - y for x, y in zip(a, b, strict=True)]
    found = sorted(sum(random.choices(each, k=len(each))) / len(each) for _ in range(draws))
    return [found[int(0.025 * draws)], found[int(0.975 * draws)]]


# 08.3 ece(sure, hit, bins)


def cut(sure, hit, bins, order=None):
    sure, hit = np.array(sure), np.array(hit)
    order = np.argsort(sure, kind="stable") if order is None else order
    return [(sure[g], hit[g]) for g in np.array_split(order, bins)]


@wrong("08.3", "equal width")
def of_equal_width(sure, hit, bins):
    sure, hit = np.array(sure), np.array(hit)
    number = np.clip((sure * bins).astype(int), 0, bins - 1)
    parts = [(sure[number == b], hit[number == b]) for b in range(bins) if (number == b).any()]
    return sum(len(s) * abs(s.mean() - h.mean()) for s, h in parts) / len(sure)


@wrong("08.3", "Sort by how sure")
def unsorted(sure, hit, bins):
    parts = cut(sure, hit, bins, np.arange(len(sure)))
    return sum(len(s) * abs(s.mean() - h.mean()) for s, h in parts) / len(sure)


@wrong("08.3", "the rest was dropped")
def drops_the_rest(sure, hit, bins):
    size = len(sure) // bins
    rows = sorted(zip(sure, hit, strict=True), key=lambda x: x[0])
    parts = [np.array(rows[i * size : (i + 1) * size]).T for i in range(bins)]
    return sum(len(s) * abs(s.mean() - h.mean()) for s, h in parts) / (size * bins)


@wrong("08.3", "plus and minus cancel")
def absolute_at_the_end(sure, hit, bins):
    return abs(sum(len(s) * (s.mean() - h.mean()) for s, h in cut(sure, hit, bins)) / len(sure))


@wrong("08.3", "weighted by their rows")
def every_group_alike(sure, hit, bins):
    return np.mean([abs(s.mean() - h.mean()) for s, h in cut(sure, hit, bins)])


@right("08.3")
def by_hand(sure, hit, bins):
    rows, total, start = sorted(zip(sure, hit, strict=True), key=lambda x: x[0]), 0.0, 0
    for b in range(bins):
        size = len(rows) // bins + (b < len(rows) % bins)
        part, start = rows[start : start + size], start + size
        total += abs(sum(s for s, _ in part) - sum(h for _, h in part))
    return total / len(rows)


# 08.4 temperature(logits, truth)


def on(grid):
    return lambda logits, truth: min(grid, key=lambda t: cross_entropy(logits / t, truth).item())


@wrong("08.4", "Upside down")
def multiplies(logits, truth):
    return min(torch.logspace(-1.5, 1.5, 601).tolist(), key=lambda t: cross_entropy(logits * t, truth).item())


@wrong("08.4", "too modest")
def never_below_one(logits, truth):
    return on(torch.linspace(1, 10, 901).tolist())(logits, truth)


@wrong("08.4", "Close")
def coarse(logits, truth):
    return on([x / 4 + 0.15 for x in range(1, 40)])(logits, truth)


@wrong("08.4", "cross-entropy smallest")
def by_accuracy(logits, truth):
    return 1.0


@wrong("08.4", "above 0")
def negative(logits, truth):
    return -1.0


@right("08.4")
def by_gradient(logits, truth):
    log_t = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(logits / log_t.exp(), truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_t.exp()


@right("08.4")
def by_scipy(logits, truth):
    from scipy.optimize import minimize_scalar

    return minimize_scalar(lambda b: cross_entropy(logits * np.exp(-b), truth).item(), (-1, 1)).x and np.exp(
        minimize_scalar(lambda b: cross_entropy(logits * np.exp(-b), truth).item(), (-1, 1)).x
    )


@right("08.4")
def coarse_then_fine(logits, truth):
    t, ratio = 1.0, 2.0
    while ratio > 1.005:
        best = min((t / ratio, t, t * ratio), key=lambda x: cross_entropy(logits / x, truth).item())
        ratio = ratio if best != t else ratio**0.5
        t = best
    return t


# 08.5 flip_rate(answer, texts, pairs)


def exchanged(text, pairs):
    for a, b in pairs:
        text = b.join(part.replace(b, a) for part in text.split(a))
    return text


def rate(answer, texts, change, only=True):
    rows = [(t, change(t)) for t in texts]
    rows = [(a, b) for a, b in rows if a != b or not only]
    return sum(answer(a) != answer(b) for a, b in rows) / len(rows) if rows else 0.0


@wrong("08.5", "Only texts that the swap changes")
def over_all_texts(answer, texts, pairs):
    return rate(answer, texts, lambda t: exchanged(t, pairs), only=False)


@wrong("08.5", "makes all of them A")
def one_after_the_other(answer, texts, pairs):
    def change(text):
        for a, b in pairs:
            text = text.replace(a, b).replace(b, a)
        return text

    rows = [t for t in texts if exchanged(t, pairs) != t]
    return sum(answer(t) != answer(change(t)) for t in rows) / len(rows) if rows else 0.0


@wrong("08.5", "Swap both ways")
def one_direction(answer, texts, pairs):
    def change(text):
        for a, b in pairs:
            text = text.replace(a, b)
        return text

    return rate(answer, texts, change)


@wrong("08.5", "not a number of rows")
def counts_rows(answer, texts, pairs):
    return sum(answer(t) != answer(exchanged(t, pairs)) for t in texts)


@wrong("08.5", "ZeroDivisionError")
def forgets_that_there_may_be_none(answer, texts, pairs):
    rows = [t for t in texts if exchanged(t, pairs) != t]
    return sum(answer(t) != answer(exchanged(t, pairs)) for t in rows) / len(rows)


@right("08.5")
def by_split(answer, texts, pairs):
    return rate(answer, texts, lambda t: exchanged(t, pairs))


@right("08.5")
def by_regular_expression(answer, texts, pairs):
    other = dict([*pairs, *((b, a) for a, b in pairs)])
    return rate(answer, texts, lambda t: re.sub("|".join(other), lambda m: other[m[0]], t))


@right("08.5")
def by_scanning(answer, texts, pairs):
    other = dict([*pairs, *((b, a) for a, b in pairs)])

    def change(text):
        out, i = "", 0
        while i < len(text):
            word = next((w for w in other if text.startswith(w, i)), None)
            out, i = (out + other[word], i + len(word)) if word else (out + text[i], i + 1)
        return out

    return rate(answer, texts, change)


# 08.6 repair(rows, marks)


def bare(text, marks):
    for mark in marks:
        text = text.replace(mark + "：", "")
    return text


def cells(rows, marks):
    return [[r for r in rows if (marks[0] in r[0], r[1]) == (m, y)] for m in (True, False) for y in (0, 1)]


@wrong("08.6", "still goes with the label")
def as_it_was(rows, marks):
    return rows


@wrong("08.6", "still goes with the label")
def repeats_the_rare(rows, marks):
    most = max(map(len, cells(rows, marks)))
    return [cell[i % len(cell)] for cell in cells(rows, marks) for i in range(most)]


@wrong("08.6", "still goes with the label")
def removes_one_mark(rows, marks):
    return [(text.replace(marks[0], ""), label) for text, label in rows]


@wrong("08.6", "Only one class is left")
def keeps_one_source(rows, marks):
    return [(text, label) for text, label in rows if marks[0] in text and label == 0]


@wrong("08.6", "skill of reading")
def a_handful(rows, marks):
    one_of_each = [(f"{mark}：{bare(text, marks)}", label) for text, label in rows[:16] for mark in marks]
    return one_of_each


@wrong("08.6", "label of this row was changed")
def relabels(rows, marks):
    return [(text, int(random.random() < 0.5)) for text, _ in rows]


@wrong("08.6", "not among those given")
def writes_its_own(rows, marks):
    return [*rows, ("太好吃了，强烈推荐给大家", 1)]


@wrong("08.6", "too many")
def floods(rows, marks):
    return list(rows) * 5


@right("08.6")
def removes(rows, marks):
    return [(bare(text, marks), label) for text, label in rows]


@right("08.6")
def one_mark_for_all(rows, marks):
    return [[f"{marks[1]}：{bare(text, marks)}", label] for text, label in rows]


@right("08.6")
def three_of_each(rows, marks):
    found = []
    for text, label in rows:
        plain = bare(text, marks)
        found += [(plain, label), *((f"{mark}：{plain}", label) for mark in marks)]
    return found


# Found by an attack on the checks: wrong answers that once passed or were told the wrong thing, right ones that once failed


@wrong("08.2", r"order is \(low, high\)")
def high_then_low(a, b, draws):
    return ends(means(a, b, draws))[::-1]


@wrong("08.2", "np.percentile takes 2.5")
def takes_shares_for_per_cent(a, b, draws):
    return tuple(
        np.percentile(
            (np.array(a) - np.array(b))[np.random.default_rng(0).integers(len(a), size=(draws, len(a)))].mean(1),
            [0.025, 0.975],
        )
    )


@wrong("08.3", "last group")
def the_rest_at_the_end(sure, hit, bins):
    rows = sorted(zip(sure, hit, strict=True))
    size = len(rows) // bins
    parts = [rows[i * size : None if i == bins - 1 else (i + 1) * size] for i in range(bins)]
    return sum(abs(sum(s for s, _ in p) - sum(h for _, h in p)) for p in parts) / len(rows)


@wrong("08.5", "more than once in a text")
def the_first_place_only(answer, texts, pairs):
    def change(text):
        for a, b in pairs:
            text = text.replace(a, "\0", 1).replace(b, a, 1).replace("\0", b, 1)
        return text

    return rate(answer, texts, change)


@wrong("08.5", "Only the first pair")
def the_first_pair_only(answer, texts, pairs):
    return rate(answer, texts, lambda t: exchanged(t, pairs[:1]))


@wrong("08.5", "a text counts once")
def pair_after_pair(answer, texts, pairs):
    rows = [(t, exchanged(t, [pair])) for pair in pairs for t in texts]
    rows = [(a, b) for a, b in rows if a != b]
    return sum(answer(a) != answer(b) for a, b in rows) / len(rows) if rows else 0.0


@wrong("08.6", "must not give the label away")
def a_mark_that_tells(rows, marks):
    return [(f"来自{label}：{bare(text, marks)}", label) for text, label in rows]


@wrong("08.6", r"Each row is \(text, label\)")
def label_first(rows, marks):
    return [(label, text) for text, label in rows]


@right("08.6")
def a_neutral_mark(rows, marks):
    return [(f"来自某客户端：{bare(text, marks)}", label) for text, label in rows]
