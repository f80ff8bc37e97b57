"""Planted answers to the exercises of lesson 12."""

import math
from collections import Counter

import numpy as np
import torch
from planting import right, wrong

# 12.1 targets(ids, answers)


def marked(ids, answers, ahead=1, cut=0, late=0):
    found = [-100] * len(ids)
    for first, end in answers:
        for i in range(first + late, end - cut):
            found[i - ahead] = ids[i]
    return found


@wrong("12.1", "Not yet shifted")
def stays(ids, answers):
    return marked(ids, answers, ahead=0)


@wrong("12.1", "Prompts carry loss")
def everything(ids, answers):
    return [*ids[1:], -100]


@wrong("12.1", "The end is learned too")
def without_end(ids, answers):
    return marked(ids, answers, cut=1)


@wrong("12.1", "The end is learned too")
def by_number(ids, answers):
    return [-100 if t == 2 else t for t in marked(ids, answers)]


@wrong("12.1", "The first token of an answer")
def late(ids, answers):
    return marked(ids, answers, late=1)


@wrong("12.1", "not just the last")
def last_only(ids, answers):
    return marked(ids, answers[-1:])


@wrong("12.1", "as long as ids")
def short(ids, answers):
    return marked(ids, answers)[:-1]


@wrong("12.1", "0 is a token")
def zeros(ids, answers):
    return [max(t, 0) for t in marked(ids, answers)]


@right("12.1")
def by_tensor(ids, answers):
    tokens = torch.tensor(ids)
    found = torch.full_like(tokens, -100)
    for first, end in answers:
        found[first - 1 : end - 1] = tokens[first:end]
    return found


# 12.2 greedy(next_token, prompt, end, most)


@wrong("12.2", "no part of the answer")
def keeps_the_end(next_token, prompt, end, most):
    written = []
    for _ in range(most):
        written.append(next_token([*prompt, *written]))
        if written[-1] == end:
            break
    return written


@wrong("12.2", "without the prompt")
def gives_the_prompt(next_token, prompt, end, most):
    return [*prompt, *well(next_token, prompt, end, most)]


@wrong("12.2", "Stop at the end token")
def runs_on(next_token, prompt, end, most):
    written = []
    for _ in range(most):
        written.append(next_token([*prompt, *written]))
    return written


@wrong("12.2", "The loop does not stop")
def without_limit(next_token, prompt, end, most):
    written = []
    while True:
        token = next_token([*prompt, *written])
        if token == end and len(written) > 100:
            return written
        written.append(token)


@wrong("12.2", "all that was written so far")
def shows_the_last_alone(next_token, prompt, end, most):
    written = []
    for _ in range(most):
        token = next_token([*prompt, *written[-1:]])
        if token == end:
            break
        written.append(token)
    return written


@wrong("12.2", "The prompt was changed")
def appends_to_the_prompt(next_token, prompt, end, most):
    start = len(prompt)
    for _ in range(most):
        token = next_token(prompt)
        if token == end:
            break
        prompt.append(token)
    return prompt[start:]


@right("12.2")
def well(next_token, prompt, end, most):
    ids = list(prompt)
    while len(ids) < len(prompt) + most and (token := next_token(ids)) != end:
        ids = [*ids, token]
    return tuple(ids[len(prompt) :])


# 12.3 top_p(shares, p)


def cut(shares, p, crossing=True, ordered=True, normal=True, more=0):
    order = sorted(range(len(shares)), key=lambda i: -shares[i]) if ordered else list(range(len(shares)))
    kept, total = [], 0.0
    for i in order:
        if total >= p - 1e-12 or (not crossing and kept and total + shares[i] > p):
            break
        kept.append(i)
        total += shares[i]
    kept = order[: len(kept) + more]
    whole = sum(shares[i] for i in kept) if normal else 1
    return [x / whole if i in kept else 0.0 for i, x in enumerate(shares)]


@wrong("12.3", "normalised again")
def not_normal(shares, p):
    return cut(shares, p, normal=False)


@wrong("12.3", "crosses p")
def stops_short(shares, p):
    return cut(shares, p, crossing=False)


@wrong("12.3", "in its own place")
def sorted_out(shares, p):
    return sorted(cut(shares, p), reverse=True)


@wrong("12.3", "Sort by size")
def as_they_come(shares, p):
    return cut(shares, p, ordered=False)


@wrong("12.3", "One too many")
def one_more(shares, p):
    return cut(shares, p, more=1)


@wrong("12.3", "The length stays")
def only_the_kept(shares, p):
    return [x for x in cut(shares, p) if x]


@wrong("12.3", "Nothing was cut")
def nothing(shares, p):
    return shares


@right("12.3")
def by_array(shares, p):
    shares = np.array(shares)
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    kept = order[before < p - 1e-9]
    found = np.zeros_like(shares)
    found[kept] = shares[kept]
    return found / found.sum()


# 12.4 perplexity(rows)


@wrong("12.4", "take e to its power")
def loss_alone(rows):
    return sum(map(sum, rows)) / sum(map(len, rows))


@wrong("12.4", "Every token weighs the same: add up")
def row_by_row(rows):
    return math.exp(sum(sum(r) / len(r) for r in rows) / len(rows))


@wrong("12.4", "First the mean")
def powers_first(rows):
    return sum(math.exp(sum(r) / len(r)) for r in rows) / len(rows)


@wrong("12.4", "the base is e")
def base_two(rows):
    return 2 ** loss_alone(rows)


@wrong("12.4", "not of rows")
def by_rows(rows):
    return math.exp(sum(map(sum, rows)) / len(rows))


@right("12.4")
def by_torch(rows):
    return torch.cat([torch.tensor(r, dtype=torch.float64) for r in rows]).mean().exp()


# 12.5 chrf(said, truth)


def f(said, truth, most=6, beta=2.0, sets=False, blanks=False, empty=False):
    if not blanks:
        said, truth = said.replace(" ", ""), truth.replace(" ", "")
    p, r = [], []
    for n in range(1, most + 1):
        a = [said[i : i + n] for i in range(len(said) - n + 1)]
        b = [truth[i : i + n] for i in range(len(truth) - n + 1)]
        if sets:
            a, b = list(set(a)), list(set(b))
        if a and b:
            both = sum(min(a.count(x), b.count(x)) for x in set(a))
            p.append(both / len(a))
            r.append(both / len(b))
        elif empty:
            p.append(0.0)
            r.append(0.0)
    if not sum(p):
        return 0.0
    p, r = sum(p) / len(p), sum(r) / len(r)
    return (1 + beta**2) * p * r / (beta**2 * p + r)


@wrong("12.5", "take a Counter")
def as_sets(said, truth):
    return f(said, truth, sets=True)


@wrong("12.5", "This is F1")
def f_one(said, truth):
    return f(said, truth, beta=1.0)


@wrong("12.5", "swapped")
def swapped(said, truth):
    return f(truth, said)


@wrong("12.5", "White space")
def with_blanks(said, truth):
    return f(said, truth, blanks=True)


@wrong("12.5", "Skip a length")
def counts_empty(said, truth):
    return f(said, truth, empty=True)


@wrong("12.5", "Not single characters alone")
def characters(said, truth):
    return f(said, truth, most=1)


@wrong("12.5", "not in per cent")
def per_cent(said, truth):
    return 100 * f(said, truth)


@right("12.5")
def by_counter(said, truth):
    pairs = []
    for n in range(6):
        a, b = (
            Counter(zip(*(t[i:] for i in range(n + 1)), strict=False))
            for t in map(lambda x: "".join(x.split()), (said, truth))
        )
        if a and b:
            both = (a & b).total()
            pairs.append((both / a.total(), both / b.total()))
    p, r = (np.mean(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
    return 5 * p * r / (4 * p + r) if p else 0


# 12.6 read(reply, options)


def mentioned(reply, options):
    return [o for o in options if o in reply]


@wrong("12.6", "inside a sentence")
def to_the_letter(reply, options):
    return next((o for o in options if reply.strip() == o), None)


@wrong("12.6", "can't be told")
def the_first(reply, options):
    return next(iter(mentioned(reply, options)), None)


@wrong("12.6", "don't guess")
def guesses(reply, options):
    found = mentioned(reply, options)
    return found[0] if len(found) == 1 else options[0]


@wrong("12.6", "take the longer")
def the_shorter(reply, options):
    found = [o for o in options if o.lower() in reply.lower()]
    found = [o for o in found if not any(o != p and p in o for p in found)]
    return found[0] if len(found) == 1 else None


@wrong("12.6", "still the one")
def once(reply, options):
    found = [o for o in options if reply.count(o) == 1]
    return found[0] if len(found) == 1 else None


@wrong("12.6", "Upper and lower case")
def to_the_case(reply, options):
    found = mentioned(reply, options)
    found = [o for o in found if not any(o != p and o in p for p in found)]
    return found[0] if len(found) == 1 else None


@wrong("12.6", "not its number")
def number(reply, options):
    return next((i for i, o in enumerate(options) if o in reply), None)


@right("12.6")
def by_length(reply, options):
    reply, found = reply.casefold(), []
    for option in sorted(options, key=len, reverse=True):
        if option.casefold() in reply:
            found.append(option)
            reply = reply.replace(option.casefold(), "\0")
    return found[0] if len(found) == 1 else None
