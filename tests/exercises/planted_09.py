"""Planted answers to the exercises of lesson 09."""

import itertools
import math
import re
import unicodedata

import numpy as np
import torch
from planting import right, wrong

import labkit as lk

HIGH, LOW, OVER, FINE = "rate too high", "rate too low", "overfitting", "healthy"

# 09.1 doctor(train, valid, chance)


def asked(train, valid, chance, finite=True, unit=True, first=False, after=2, fell=True, half=0.5, also_valid=False):
    if finite and not all(map(math.isfinite, (*train, *valid))):
        return HIGH
    if max(train) > 1.1 * chance or (also_valid and max(valid) > 1.1 * chance):
        return HIGH
    if max(valid) - min(valid) < 0.01 * (chance if unit else 0.69):
        return LOW
    best = 0 if first else valid.index(min(valid))
    rose = valid[-1] - valid[best] >= half * chance
    if rose and len(valid) - 1 - best >= after and (train[-1] < train[best] or not fell):
        return OVER
    return FINE


@wrong("09.1", "math.isfinite")
def compares_with_nan(train, valid, chance):
    return asked(train, valid, chance, finite=False)


@wrong("09.1", "Ask in order")
def overfitting_first(train, valid, chance):
    best = valid.index(min(valid))
    if valid[-1] - valid[best] >= 0.5 * chance and len(valid) - 1 - best >= 2 and train[-1] < train[best]:
        return OVER
    return asked(train, valid, chance)


@wrong("09.1", "in units of guessing")
def thinks_of_two_classes(train, valid, chance):
    return asked(train, valid, chance, unit=False)


@wrong("09.1", "Compare with the lowest epoch")
def against_the_first(train, valid, chance):
    return asked([*train], valid, chance, first=True)


@wrong("09.1", "two epochs or more")
def at_once(train, valid, chance):
    return asked(train, valid, chance, after=1)


@wrong("09.1", "did not fall on")
def forgets_the_training_loss(train, valid, chance):
    return asked(train, valid, chance, fell=False)


@wrong("09.1", "by half of guessing")
def any_rise(train, valid, chance):
    return asked(train, valid, chance, half=0.1)


@wrong("09.1", "validation loss alone does not count")
def high_validation(train, valid, chance):
    return asked(train, valid, chance, also_valid=True)


@right("09.1")
def by_arrays(train, valid, chance):
    train, valid = np.array(train), np.array(valid)
    if not (np.isfinite(train).all() and np.isfinite(valid).all()) or (train > 1.1 * chance).any():
        return HIGH
    if np.ptp(valid) < 0.01 * chance:
        return LOW
    best = int(valid.argmin())
    late = best <= len(valid) - 3
    return OVER if late and valid[-1] >= valid[best] + 0.5 * chance and train[-1] < train[best] else FINE


# 09.2 stop(losses, patience)


def walked(losses, patience, better=lambda loss, best, before: loss < best, reset=True, wait=0):
    best, quiet = 1, 0
    for epoch, loss in enumerate(losses[1:], start=2):
        if better(loss, losses[best - 1], losses[epoch - 2]):
            best, quiet = epoch, 0 if reset else quiet
        else:
            quiet += 1
        if quiet >= patience + wait:
            return best, epoch
    return best, len(losses)


@wrong("09.2", "have not been trained")
def foresees(losses, patience):
    return losses.index(min(losses)) + 1, walked(losses, patience)[1]


@wrong("09.2", "never stops")
def never_stops(losses, patience):
    return losses.index(min(losses)) + 1, len(losses)


@wrong("09.2", "counted from 1")
def from_zero(losses, patience):
    best, last = walked(losses, patience)
    return best - 1, last - 1


@wrong("09.2", "The order is")
def last_first(losses, patience):
    return walked(losses, patience)[::-1]


@wrong("09.2", "What is kept is the best epoch")
def keeps_the_last(losses, patience):
    last = walked(losses, patience)[1]
    return last, last


@wrong("09.2", "One epoch too many")
def one_more(losses, patience):
    return walked(losses, patience, wait=1)


@wrong("09.2", "begin to count anew")
def never_resets(losses, patience):
    return walked(losses, patience, reset=False)


@wrong("09.2", "no progress")
def equal_is_progress(losses, patience):
    best, quiet = 1, 0
    for epoch, loss in enumerate(losses[1:], start=2):
        quiet = 0 if loss <= losses[best - 1] else quiet + 1
        best = epoch if loss < losses[best - 1] else best
        if quiet >= patience:
            return best, epoch
    return best, len(losses)


@right("09.2")
def by_counting(losses, patience):
    return list(walked(losses, patience))


@right("09.2")
def by_running_minimum(losses, patience):
    lowest = list(itertools.accumulate(losses, min))
    for last in range(1, len(losses) + 1):
        best = losses.index(lowest[last - 1]) + 1
        if last - best >= patience:
            break
    return best, last


@right("09.2")
def with_numpy(losses, patience):
    for last in range(1, len(losses) + 1):
        best = np.argmin(losses[:last])
        if last - 1 - best == patience:
            return best + 1, last
    return np.argmin(losses) + 1, len(losses)


# 09.3 pull(model, start, strength)


def body(model):
    head = set(lk.blocks(model)[-1].parameters)
    return [(n, p) for n, p in model.named_parameters() if n not in head]


@wrong("09.3", "The head is held back too")
def pulls_the_head(model, start, strength):
    return strength / 2 * sum((p - start[n]).square().sum() for n, p in model.named_parameters())


@wrong("09.3", "which is weight decay")
def towards_zero(model, start, strength):
    return strength / 2 * sum(p.square().sum() for _, p in body(model))


@wrong("09.3", "Twice too large")
def without_half(model, start, strength):
    return strength * sum((p - start[n]).square().sum() for n, p in body(model))


@wrong("09.3", "not averaged")
def averaged(model, start, strength):
    return strength / 2 * sum((p - start[n]).square().mean() for n, p in body(model))


@wrong("09.3", "without a root")
def with_a_root(model, start, strength):
    return strength / 2 * sum((p - start[n]).norm() for n, p in body(model))


@wrong("09.3", "will not feel it")
def detached(model, start, strength):
    return strength / 2 * sum((p.detach() - start[n]).square().sum() for n, p in body(model))


@wrong("09.3", "a tensor with one number")
def as_a_number(model, start, strength):
    return strength / 2 * sum((p - start[n]).square().sum().item() for n, p in body(model))


@right("09.3")
def flattened(model, start, strength):
    ways = torch.cat([(p - start[n]).flatten() for n, p in body(model) if p.requires_grad])
    return 0.5 * strength * ways @ ways


@right("09.3")
def by_names(model, start, strength):
    total = torch.zeros(())
    for name, p in model.named_parameters():
        if "classifier" in name or "pooler" in name:
            continue
        total = total + ((p - start[name]) ** 2).sum()
    return total * strength / 2


@right("09.3")
def by_mean_squared_error(model, start, strength):
    loss = torch.nn.MSELoss(reduction="sum")
    return torch.stack([loss(p, start[n]) for n, p in body(model)]).sum() * (strength / 2)


# 09.4 mix(tasks, extra, every)


@wrong("09.4", "Too early")
def replays_first(tasks, extra, every):
    found, more = [], itertools.cycle(extra)
    for i, batch in enumerate(tasks):
        found += [next(more), batch] if i % every == 0 else [batch]
    return found


@wrong("09.4", "begin with it again")
def runs_out(tasks, extra, every):
    found, more = [], iter(extra)
    for i, batch in enumerate(tasks, start=1):
        found.append(batch)
        if i % every == 0:
            found += [x for x in [next(more, None)] if x]
    return found


@wrong("09.4", "not always the first")
def the_same_again(tasks, extra, every):
    found = []
    for i, batch in enumerate(tasks, start=1):
        found += [batch, extra[0]] if i % every == 0 else [batch]
    return found


@wrong("09.4", "mix it in")
def afterwards(tasks, extra, every):
    return [*tasks, *extra]


@wrong("09.4", "too far apart")
def one_too_many(tasks, extra, every):
    found, quiet, more = [], 0, itertools.cycle(extra)
    for batch in tasks:
        found.append(batch)
        quiet += 1
        if quiet > every:
            found.append(next(more))
            quiet = 0
    return found


@right("09.4")
def as_a_generator(tasks, extra, every):
    for i, batch in enumerate(tasks):
        yield batch
        if (i + 1) % every == 0:
            yield extra[(i + 1) // every % len(extra) - 1]


@right("09.4")
def in_slices(tasks, extra, every):
    found = []
    for number, begin in enumerate(range(0, len(tasks), every)):
        part = tasks[begin : begin + every]
        found += part + ([extra[number % len(extra)]] if len(part) == every else [])
    return found


# 09.5 leaks(train, test)


def reduced(text, width=True, case=True):
    text = unicodedata.normalize("NFKC", text) if width else text
    text = text.lower() if case else text
    return "".join(c for c in text if unicodedata.category(c)[0] not in "PZ" and not c.isspace())


def found(train, test, change, empty=False):
    known = {change(t) for t in train}
    return [i for i, t in enumerate(test) if change(t) in known and (empty or change(t))]


@wrong("09.5", "Only exact copies")
def exactly(train, test):
    return [i for i, text in enumerate(test) if text in train]


@wrong("09.5", "no leak")
def empty_texts_too(train, test):
    return found(train, test, reduced, empty=True)


@wrong("09.5", "case are the same")
def case_matters(train, test):
    return found(train, test, lambda t: reduced(t, case=False))


@wrong("09.5", "Full width and half width")
def width_matters(train, test):
    return found(train, test, lambda t: reduced(t, width=False))


@wrong("09.5", "being part of one")
def within(train, test):
    return [i for i, t in enumerate(test) if any(reduced(t) and reduced(t) in reduced(o) for o in train)]


@wrong("09.5", "not their texts")
def the_texts(train, test):
    return [test[i] for i in found(train, test, reduced)]


@wrong("09.5", "not how many")
def how_many(train, test):
    return len(found(train, test, reduced))


@right("09.5")
def by_regular_expression(train, test):
    def clean(text):
        return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())

    known = {clean(t) for t in train}
    return {i for i, t in enumerate(test) if clean(t) and clean(t) in known}


@right("09.5")
def row_by_row(train, test):
    hits = []
    for i, text in enumerate(test):
        for other in train:
            if reduced(text) != "" and reduced(text) == reduced(other):
                hits.append(i)
                break
    return hits


# 09.6 pick(rates, losses)


def flattened_curve(losses, width=6):
    found = []
    for i in range(len(losses)):
        near = [x for x in losses[max(0, i - width) : i + width + 1] if math.isfinite(x)]
        found.append(sum(near) / len(near) if near else math.inf)
    return found


@wrong("09.6", "Single batches deceive")
def the_lowest_batch(rates, losses):
    finite = [i for i, x in enumerate(losses) if math.isfinite(x)]
    return rates[min(finite, key=losses.__getitem__)]


@wrong("09.6", "edge of the cliff|has exploded")
def at_the_edge(rates, losses):
    curve = flattened_curve(losses)
    return rates[curve.index(min(curve))] * 1.5


@wrong("09.6", "Nothing moves there")
def too_careful(rates, losses):
    curve = flattened_curve(losses)
    return rates[curve.index(min(curve))] / 1000


@wrong("09.6", "has exploded")
def the_last(rates, losses):
    return rates[-1]


@right("09.6")
def as_labkit_does(rates, losses):
    from labkit.inspection.lr_finder import read

    return read("head", rates, losses).suggestion


@right("09.6")
def where_it_has_fallen(rates, losses):
    curve = flattened_curve(losses, 8)
    start, bottom = sum(curve[:20]) / 20, min(curve)
    return next(r for r, x in zip(rates, curve, strict=True) if x < start - 0.75 * (start - bottom))


@right("09.6")
def by_median(rates, losses):
    values = np.array([x if np.isfinite(x) else 9.0 for x in losses])
    curve = np.array([np.median(values[max(0, i - 7) : i + 8]) for i in range(len(values))])
    return float(rates[int(curve.argmin())] / 2.5)


# Found by an attack on the checks: wrong answers that once passed or were told the wrong thing, right ones that once failed


@wrong("09.1", "of training and of validation losses")
def asks_only_validation(train, valid, chance):
    return asked(train, valid, chance, finite=False) if all(map(math.isfinite, valid)) else HIGH


@wrong("09.1", "not the first and last epoch")
def first_against_last(train, valid, chance):
    found = asked(train, valid, chance)
    return LOW if found != HIGH and abs(valid[0] - valid[-1]) < 0.01 * chance else found


@wrong("09.1", "did not fall on")
def fell_since_the_epoch_before(train, valid, chance):
    found = asked(train, valid, chance, fell=False)
    return FINE if found == OVER and train[-1] >= train[-2] else found


@wrong("09.1", "look at all of them")
def first_epoch_only(train, valid, chance):
    if all(map(math.isfinite, (*train, *valid))) and train[0] <= 1.1 * chance:
        return asked([min(x, chance) for x in train], valid, chance)
    return HIGH


@wrong("09.2", "not its loss")
def the_lowest_loss(losses, patience):
    best, last = walked(losses, patience)
    return losses[best - 1], last


@right("09.2")
def as_a_tensor(losses, patience):
    return torch.tensor(walked(losses, patience))


@wrong("09.3", "pooler is part of it")
def only_the_classifier_is_head(model, start, strength):
    pairs = [(n, p) for n, p in model.named_parameters() if "classifier" not in n]
    return strength / 2 * sum((p - start[n]).square().sum() for n, p in pairs)


@wrong("09.4", "fewer than `every`")
def replays_after_the_rest(tasks, extra, every):
    found = []
    for number, begin in enumerate(range(0, len(tasks), every)):
        found += [*tasks[begin : begin + every], extra[number % len(extra)]]
    return found


@wrong("09.4", "should give")
def how_many_replays(tasks, extra, every):
    return len(tasks) // every


@wrong("09.5", "Report a row once")
def once_for_each_twin(train, test):
    return [i for i, t in enumerate(test) for other in train if reduced(t) and reduced(t) == reduced(other)]


@wrong("09.5", "not a True or False")
def a_mask(train, test):
    hits = found(train, test, reduced)
    return [i in hits for i in range(len(test))]
