"""Planted answers to the exercises of lesson 13."""

import itertools
import math
import statistics

import numpy as np
from planting import right, wrong

# 13.1 so_far(scores)


@wrong("13.1", "A list is wanted")
def only_the_best(scores):
    return max(scores)


@wrong("13.1", "have not been made yet")
def foresees(scores):
    return [max(scores)] * len(scores)


@wrong("13.1", "take the largest")
def smallest(scores):
    return list(itertools.accumulate(scores, min))


@wrong("13.1", "wrong way round")
def backwards(scores):
    return list(itertools.accumulate(scores[::-1], max))[::-1]


@wrong("13.1", "scores themselves")
def copied(scores):
    return list(scores)


@wrong("13.1", "No sorting")
def in_order(scores):
    return sorted(scores)


@right("13.1")
def with_numpy(scores):
    return np.maximum.accumulate(scores)


@right("13.1")
def by_hand(scores):
    best = [scores[0]]
    for s in scores[1:]:
        best.append(s if s > best[-1] else best[-1])
    return tuple(best)


# 13.2 draw(u, low, high)


@wrong("13.2", "even on a straight scale")
def straight(u, low, high):
    return low + u * (high - low)


@wrong("13.2", "take exp of it")
def forgets_exp(u, low, high):
    return math.log(low) + u * (math.log(high) - math.log(low))


@wrong("13.2", "no pair")
def mixes_bases(u, low, high):
    return 10 ** (math.log(low) + u * (math.log(high) - math.log(low)))


@wrong("13.2", "u = 0 is low")
def turned(u, low, high):
    return high * (low / high) ** u


@right("13.2")
def by_tens(u, low, high):
    return 10 ** (math.log10(low) * (1 - u) + math.log10(high) * u)


@right("13.2")
def by_exp(u, low, high):
    return np.exp(np.log(low) + u * np.log(high / low))


# 13.3 prune(course, others)


def there(course, others):
    return [o[len(course) - 1] for o in others if len(o) >= len(course)]


@wrong("13.3", "its last")
def by_its_last(course, others):
    others = there(course, others)
    return bool(others) and course[-1] < statistics.median(others)


@wrong("13.3", "where the others ended")
def by_their_ends(course, others):
    return bool(there(course, others)) and max(course) < statistics.median(o[-1] for o in others)


@wrong("13.3", "not the mean")
def by_the_mean(course, others):
    others = there(course, others)
    return bool(others) and max(course) < statistics.fmean(others)


@wrong("13.3", "equals the median")
def equal_too(course, others):
    others = there(course, others)
    return bool(others) and max(course) <= statistics.median(others)


@wrong("13.3", "True or False")
def the_median(course, others):
    others = there(course, others)
    return statistics.median(others) if others else 0.0


@wrong("13.3", "list index out of range|shorter")
def ignores_length(course, others):
    if not others:
        return False
    return max(course) < statistics.median(o[len(course) - 1] for o in others)


@right("13.3")
def with_numpy_median(course, others):
    others = there(course, others)
    return np.max(course) < np.median(others) if others else False


@right("13.3")
def by_sorting(course, others):
    n = sorted(there(course, others))
    if not n:
        return False
    middle = (n[(len(n) - 1) // 2] + n[len(n) // 2]) / 2
    return max(course) < middle


# 13.4 optimism(valid, test, draws)


@wrong("13.4", "its own test score")
def best_test(valid, test, draws):
    return statistics.fmean(max(valid[i] for i in d) - max(test[i] for i in d) for d in draws)


@wrong("13.4", "chosen by validation")
def chosen_by_test(valid, test, draws):
    winners = [max(d, key=lambda i: test[i]) for d in draws]
    return statistics.fmean(valid[i] - test[i] for i in winners)


@wrong("13.4", "not everyone drawn")
def everyone(valid, test, draws):
    return statistics.fmean(valid[i] - test[i] for d in draws for i in d)


@wrong("13.4", "validation minus test")
def reversed_sign(valid, test, draws):
    winners = [max(d, key=lambda i: valid[i]) for d in draws]
    return statistics.fmean(test[i] - valid[i] for i in winners)


@wrong("13.4", "not the sum")
def summed(valid, test, draws):
    winners = [max(d, key=lambda i: valid[i]) for d in draws]
    return sum(valid[i] - test[i] for i in winners)


@right("13.4")
def with_arrays(valid, test, draws):
    valid, test, draws = np.array(valid), np.array(test), np.array(draws)
    winners = draws[np.arange(len(draws)), valid[draws].argmax(1)]
    return (valid[winners] - test[winners]).mean()


@right("13.4")
def in_a_loop(valid, test, draws):
    total = 0
    for d in draws:
        best = d[0]
        for i in d:
            if valid[i] > valid[best]:
                best = i
        total += valid[best] - test[best]
    return total / len(draws)


# 13.5 halve(count, score, epochs)


def walked(count, score, epochs, grow=2, up=1, each=True):
    left, spent = list(range(count)), 0
    while len(left) > 1:
        scores = [(score(i, epochs), -i) for i in left]
        spent += epochs * len(left) if each else len(left)
        left = [-i for _, i in sorted(scores, reverse=True)][: (len(left) + up) // 2]
        epochs *= grow
    return left[0], spent


@wrong("13.5", "double after each round")
def never_doubles(count, score, epochs):
    return walked(count, score, epochs, grow=1)


@wrong("13.5", "keep the larger half")
def drops_the_middle(count, score, epochs):
    return walked(count, score, epochs, up=0)


@wrong("13.5", "Count epochs")
def counts_questions(count, score, epochs):
    return walked(count, score, epochs, each=False)


@wrong("13.5", "order is")
def turned_pair(count, score, epochs):
    return walked(count, score, epochs)[::-1]


@wrong("13.5", "Two things")
def only_the_winner(count, score, epochs):
    return walked(count, score, epochs)[0]


@wrong("13.5", "wasted")
def asks_twice(count, score, epochs):
    left, spent = list(range(count)), 0
    while len(left) > 1:
        spent += epochs * len(left)
        keep = (len(left) + 1) // 2
        kept = []
        for _ in range(keep):
            best = max((i for i in left if i not in kept), key=lambda i: score(i, epochs))
            kept.append(best)
        left, epochs = kept, 2 * epochs
    return left[0], spent


@right("13.5")
def recursive(count, score, epochs):
    def go(left, n):
        if len(left) == 1:
            return left[0], 0
        scores = {i: score(i, n) for i in left}
        kept = sorted(left, key=scores.get)[::-1][: -(-len(left) // 2)]
        winner, spent = go(kept, 2 * n)
        return winner, spent + n * len(left)

    return go(list(range(count)), epochs)


@right("13.5")
def with_argsort(count, score, epochs):
    left, spent, n = np.arange(count), 0, epochs
    while len(left) > 1:
        values = np.array([score(int(i), n) for i in left])
        spent += n * len(left)
        left = left[np.argsort(-values)][: (len(left) + 1) // 2]
        n *= 2
    return int(left[0]), spent


# 13.6 propose(history)


@wrong("13.6", "Spread out first")
def always_the_same(history):
    return 1e-3


@wrong("13.6", "Spread out first")
def a_coarse_grid(history):
    return 1e-4 * 10 ** (3 * (len(history) % 12) / 11)


@wrong("13.6", "should lie between")
def leaves_the_range(history):
    return 10.0 ** (-len(history))


@wrong("13.6", "one number")
def a_pair(history):
    return (1e-3, 0.5)


@right("13.6")
def grid_then_golden(history):
    grid = [10 ** (-4 + 3 * i / 5) for i in range(6)]
    if len(history) < 6:
        return grid[len(history)]
    tried = sorted(history)
    k = max(range(len(tried)), key=lambda i: tried[i][1])
    below = math.log10(tried[max(k - 1, 0)][0])
    above = math.log10(tried[min(k + 1, len(tried) - 1)][0])
    here = math.log10(tried[k][0])
    return 10 ** ((here + above) / 2 if above - here >= here - below else (here + below) / 2)


@right("13.6")
def by_shrinking(history):
    if len(history) < 6:
        return 10 ** (-3.75 + 0.5 * len(history))
    best = math.log10(max(history, key=lambda pair: pair[1])[0])
    step = 0.25 / 1.6 ** ((len(history) - 6) // 2)
    return 10 ** min(-1.0, max(-4.0, best + (step if len(history) % 2 else -step)))
