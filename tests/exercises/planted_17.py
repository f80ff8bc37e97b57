"""Planted answers to the exercises of lesson 17."""

import math

import numpy as np
import torch
from planting import right, wrong

# 17.1 tail(times, share)


@wrong("17.1", "Sort first")
def in_order_of_arrival(times, share):
    return times[max(1, math.ceil(share * len(times) - 1e-9)) - 1]


@wrong("17.1", "Off by one")
def one_too_far(times, share):
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]


@wrong("17.1", "the mean, which hides")
def mean(times, share):
    return sum(times) / len(times)


@wrong("17.1", "very slowest")
def slowest(times, share):
    return max(times)


@wrong("17.1", "Round up")
def rounds_down(times, share):
    return sorted(times)[max(0, int(share * len(times) + 1e-9) - 1)]


@wrong("17.1", "slow end")
def fast_end(times, share):
    return sorted(times, reverse=True)[max(1, math.ceil(share * len(times) - 1e-9)) - 1]


@right("17.1")
def with_numpy(times, share):
    return np.quantile(times, share, method="inverted_cdf")


@right("17.1")
def counts(times, share):
    return min(t for t in times if sum(x <= t for x in times) >= share * len(times) - 1e-9)


# 17.2 quantize(values)


@wrong("17.2", "Round to the nearest")
def cuts(values):
    scale = max(map(abs, values)) / 127
    return [int(v / scale) for v in values], scale


@wrong("17.2", "does not fit")
def one_hundred_and_twenty_eight(values):
    scale = max(map(abs, values)) / 128
    return [round(v / scale) for v in values], scale


@wrong("17.2", "largest absolute value")
def without_signs(values):
    scale = max(values) / 127
    return [round(v / scale) for v in values], scale


@wrong("17.2", "round them")
def not_rounded(values):
    scale = max(map(abs, values)) / 127
    return [v / scale for v in values], scale


@wrong("17.2", "lead back")
def turned_over(values):
    scale = max(map(abs, values)) / 127
    return [round(v / scale) for v in values], 1 / scale


@wrong("17.2", "Two things")
def numbers_alone(values):
    scale = max(map(abs, values)) / 127
    return [round(v / scale) for v in values]


@right("17.2")
def with_arrays(values):
    values = np.array(values)
    scale = np.abs(values).max() / 127
    return np.round(values / scale).astype(np.int8), float(scale)


# 17.3 soft_loss(teacher, pupil, t)


def warm(logits, t):
    return torch.tensor(logits, dtype=torch.float64).div(t).softmax(-1)


@wrong("17.3", "wrong way round")
def backwards(teacher, pupil, t):
    p, q = warm(teacher, t), warm(pupil, t)
    return float(t * t * (q * (q / p).log()).sum())


@wrong("17.3", "square of the temperature is missing")
def forgets_the_square(teacher, pupil, t):
    p, q = warm(teacher, t), warm(pupil, t)
    return float((p * (p / q).log()).sum())


@wrong("17.3", "Divide the logits")
def cold(teacher, pupil, t):
    p, q = warm(teacher, 1), warm(pupil, 1)
    return float(t * t * (p * (p / q).log()).sum())


@wrong("17.3", "cross-entropy")
def cross_entropy(teacher, pupil, t):
    p, q = warm(teacher, t), warm(pupil, t)
    return float(-t * t * (p * q.log()).sum())


@wrong("17.3", "never below 0")
def sign(teacher, pupil, t):
    p, q = warm(teacher, t), warm(pupil, t)
    return float(t * t * (p * (q / p).log()).sum())


@right("17.3")
def by_torch(teacher, pupil, t):
    p, q = warm(teacher, t), warm(pupil, t)
    return t * t * torch.nn.functional.kl_div(q.log(), p, reduction="sum")


# 17.4 batches(arrivals, most, wait)


@wrong("17.4", "the first would wait for long")
def clock_starts_again(arrivals, most, wait):
    sizes, last = [], None
    for at in arrivals:
        if last is None or at - last > wait or sizes[-1] == most:
            sizes.append(0)
        sizes[-1] += 1
        last = at
    return sizes


@wrong("17.4", "A full batch leaves")
def never_full(arrivals, most, wait):
    sizes, first = [], None
    for at in arrivals:
        if first is None or at - first > wait:
            sizes.append(0)
            first = at
        sizes[-1] += 1
    return sizes


@wrong("17.4", "until it is full")
def only_full(arrivals, most, wait):
    return [len(arrivals[i : i + most]) for i in range(0, len(arrivals), most)]


@wrong("17.4", "still in time")
def too_strict(arrivals, most, wait):
    sizes, first = [], None
    for at in arrivals:
        if first is None or at - first >= wait or sizes[-1] == most:
            sizes.append(0)
            first = at
        sizes[-1] += 1
    return sizes


@wrong("17.4", "batch of its own")
def alone(arrivals, most, wait):
    return [1] * len(arrivals)


@right("17.4")
def by_slices(arrivals, most, wait):
    sizes, rest = [], list(arrivals)
    while rest:
        n = sum(at - rest[0] <= wait for at in rest[:most])
        sizes.append(n)
        rest = rest[n:]
    return tuple(sizes)


# 17.5 passes(curve, others)


def height(curve):
    return sum(curve[1:]) / (len(curve) - 1)


@wrong("17.5", "random order and not their mean")
def beats_the_mean(curve, others):
    return height(curve) < sum(map(height, others)) / len(others)


@wrong("17.5", "Lower is better")
def higher(curve, others):
    return height(curve) > max(map(height, others))


@wrong("17.5", "not at its end")
def looks_at_the_end(curve, others):
    return curve[-1] < min(other[-1] for other in others)


@wrong("17.5", "A tie is no win")
def ties(curve, others):
    return height(curve) <= min(map(height, others))


@right("17.5")
def with_the_beginning(curve, others):  # where nothing is hidden all are alike
    return sum(curve) / len(curve) < min(sum(o) / len(o) for o in others)


@right("17.5")
def by_arrays(curve, others):
    return bool(np.mean(curve[1:]) < np.array(others)[:, 1:].mean(1).min())


# 17.6 choose(offers, budget, most)


@wrong("17.6", "lower end")
def trusts_the_mean(offers, budget, most):
    fit = [o for o in offers if o["p99"] <= budget and -o["difference"] <= most]
    return min(fit, key=lambda o: o["mb"])["name"] if fit else None


@wrong("17.6", "Latency has a budget")
def forgets_time(offers, budget, most):
    fit = [o for o in offers if -o["low"] <= most]
    return min(fit, key=lambda o: o["mb"])["name"] if fit else None


@wrong("17.6", "Accuracy has a limit")
def forgets_accuracy(offers, budget, most):
    fit = [o for o in offers if o["p99"] <= budget]
    return min(fit, key=lambda o: o["mb"])["name"] if fit else None


@wrong("17.6", "loses least")
def loses_least(offers, budget, most):
    fit = [o for o in offers if o["p99"] <= budget and -o["low"] <= most]
    return max(fit, key=lambda o: o["low"])["name"] if fit else None


@right("17.6")
def by_loop(offers, budget, most):
    best = None
    for offer in offers:
        if offer["p99"] <= budget and offer["low"] >= -most and (best is None or offer["mb"] < best["mb"]):
            best = offer
    return best and best["name"]
