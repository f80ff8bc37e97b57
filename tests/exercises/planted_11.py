"""Planted answers to the exercises of lesson 11."""

import random
from collections import Counter

import numpy as np
from planting import right, wrong

# 11.1 cut(n, room, shared)


@wrong("11.1", "hold nothing new")
def goes_on_behind_the_end(n, room, shared):
    return [(b, min(b + room, n)) for b in range(0, n, room - shared)]


@wrong("11.1", "share nothing")
def side_by_side(n, room, shared):
    return [(b, min(b + room, n)) for b in range(0, n, room)]


@wrong("11.1", "reaches beyond the text")
def too_far(n, room, shared):
    found = [(0, room)]
    while found[-1][1] < n:
        found.append((found[-1][0] + room - shared, found[-1][1] + room - shared))
    return found


@wrong("11.1", "may be shorter")
def moved_back(n, room, shared):
    found, begin = [(0, min(room, n))], 0
    while begin + room < n:
        begin += room - shared
        first = max(0, min(begin, n - room))
        found.append((first, min(first + room, n)))
    return found


@wrong("11.1", "end is exclusive")
def inclusive(n, room, shared):
    return [(b, e - 1) for b, e in numbered(n, room, shared)]


@right("11.1")
def numbered(n, room, shared):
    step = room - shared
    many = 1 + max(0, -(-(n - room) // step))
    return [(k * step, min(k * step + room, n)) for k in range(many)]


# 11.2 places(span, offsets, context)


@wrong("11.2", "range of the context alone")
def everywhere(span, offsets, context):
    return by_arrays(span, offsets, (1, len(offsets) - 1))


@wrong("11.2", "the last token itself")
def one_behind(span, offsets, context):
    first, last = by_arrays(span, offsets, context)
    return (first, last + 1) if last else (0, 0)


@wrong("11.2", "from the beginning of the window")
def from_the_context(span, offsets, context):
    first, last = by_arrays(span, offsets, context)
    return (first - context[0], last - context[0]) if last else (0, 0)


@wrong("11.2", r"point at \[CLS\]")
def half_is_enough(span, offsets, context):
    inside = [i for i in range(*context) if span and offsets[i][1] > span[0] and offsets[i][0] < span[1]]
    return (inside[0], inside[-1]) if inside else (0, 0)


@right("11.2")
def by_arrays(span, offsets, context):
    if span is None:
        return 0, 0
    begins, ends = np.array(offsets[slice(*context)]).T
    if span[0] < begins[0] or span[1] > ends[-1]:
        return 0, 0
    touched = np.flatnonzero((ends > span[0]) & (begins < span[1])) + context[0]
    return int(touched[0]), int(touched[-1])


# 11.3 best_span(start, end, context, longest)


@wrong("11.3", "largest sum among legal pairs")
def each_alone(start, end, context, longest):
    inside = range(*context)
    return max(inside, key=start.__getitem__), max(inside, key=end.__getitem__)


@wrong("11.3", "leaves the context")
def anywhere(start, end, context, longest):
    return by_matrix(start, end, (0, len(start)), longest)


@wrong("11.3", "One token too long")
def a_token_more(start, end, context, longest):
    return by_matrix(start, end, context, longest + 1)


@right("11.3")
def by_matrix(start, end, context, longest):
    n = len(start)
    sums = np.add.outer(np.array(start), np.array(end))
    legal = np.triu(np.ones((n, n), bool)) & np.tril(np.ones((n, n), bool), longest - 1)
    outside = np.ones(n, bool)
    outside[slice(*context)] = False
    legal[outside], legal[:, outside] = False, False
    return tuple(int(x) for x in np.unravel_index(np.where(legal, sums, -np.inf).argmax(), (n, n)))


# 11.4 f1(said, reference)


@wrong("11.4", "SQuAD's bag")
def bag(said, reference):
    common = sum((Counter(said) & Counter(reference)).values())
    return 2 * common / (len(said) + len(reference))


@wrong("11.4", "a substring, not a subsequence")
def subsequence(said, reference):
    table = [[0] * (len(reference) + 1) for _ in range(len(said) + 1)]
    for i, x in enumerate(said):
        for j, y in enumerate(reference):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(said) + len(reference))


@wrong("11.4", "This is the recall")
def recall(said, reference):
    return longest(said, reference) / len(reference)


@wrong("11.4", "ZeroDivisionError")
def divides_by_nothing(said, reference):
    p, r = longest(said, reference) / len(said), longest(said, reference) / len(reference)
    return 2 * p * r / (p + r)


def longest(said, reference):
    text = "\n" + "\n".join(reference) + "\n"
    runs = (said[i:j] for i in range(len(said)) for j in range(i + 1, len(said) + 1))
    return max((len(run) for run in runs if "\n" + "\n".join(run) + "\n" in text), default=0)


@right("11.4")
def by_search(said, reference):
    return 2 * longest(said, reference) / (len(said) + len(reference))


# 11.5 choose(windows, no_answer)


@wrong("11.5", "compare score − null score")
def the_loudest(windows, no_answer):
    score, null, text = max(windows)
    return "" if no_answer and score < null else text


@wrong("11.5", "return the empty string")
def never_silent(windows, no_answer):
    return max(windows, key=lambda w: w[0] - w[1])[2]


@wrong("11.5", "an answer must be given")
def always_may_be_silent(windows, no_answer):
    score, null, text = max(windows, key=lambda w: w[0] - w[1])
    return text if score >= null else ""


@right("11.5")
def by_sorting(windows, no_answer):
    gaps = sorted((score - null, text) for score, null, text in windows)
    return "" if no_answer and gaps[-1][0] < 0 else gaps[-1][1]


# 11.6 exam(rows, share)


@wrong("11.6", "wordings stand on both sides")
def rows_at_random(rows, share):
    return random.Random(0).sample(range(len(rows)), round(share * len(rows)))


@wrong("11.6", "wordings stand on both sides")
def signs_make_wordings(rows, share):
    wordings = sorted({wording for _, wording in rows})
    chosen = set(random.Random(0).sample(wordings, round(share * len(wordings))))
    return [i for i, (_, wording) in enumerate(rows) if wording in chosen]


@wrong("11.6", "Nobody asks for")
def whole_things(rows, share):
    things = sorted({thing for thing, _ in rows})[:2]
    return [i for i, (thing, _) in enumerate(rows) if thing in things]


@wrong("11.6", "they should be 15 to 35")
def one_wording_of_each(rows, share):
    first = {}
    for thing, wording in rows:
        first.setdefault(thing, set()).add(wording.strip("！ "))
    chosen = {min(wordings) for wordings in first.values()}
    return [i for i, (_, wording) in enumerate(rows) if wording.strip("！ ") in chosen]


@right("11.6")
def by_lot_until_it_fits(rows, share):
    for seed in range(2000):
        lots, chosen = random.Random(seed), set()
        for thing in sorted({thing for thing, _ in rows}):
            wordings = sorted({w.strip("！ ") for t, w in rows if t == thing})
            chosen |= set(lots.sample(wordings, lots.choice((1, 2))))
        found = [i for i, (_, w) in enumerate(rows) if w.strip("！ ") in chosen]
        if 0.18 <= len(found) / len(rows) <= 0.32:
            return found
    return []
