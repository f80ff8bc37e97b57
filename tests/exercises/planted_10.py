"""Planted answers to the exercises of lesson 10."""

import math

from planting import right, wrong

# 10.1 bio(length, spans)


def tags(length, spans, first="B", inside="I", more=0):
    found = ["O"] * length
    for begin, end, label in spans:
        for i in range(begin, min(end + more, length)):
            found[i] = f"{first if i == begin else inside}-{label}"
    return found


@wrong("10.1", "first character is B-")
def inside_alone(length, spans):
    return tags(length, spans, first="I")


@wrong("10.1", "first character alone")
def begins_everywhere(length, spans):
    return tags(length, spans, inside="B")


@wrong("10.1", "end is exclusive")
def one_too_far(length, spans):
    return tags(length, [s for s in spans if s[1] < length], more=1)


@wrong("10.1", "names its type")
def without_types(length, spans):
    return [t[0] for t in tags(length, spans)]


@right("10.1")
def character_by_character(length, spans):
    found = []
    for i in range(length):
        mine = [s for s in spans if s[0] <= i < s[1]]
        found.append("O" if not mine else ("B-" if mine[0][0] == i else "I-") + mine[0][2])
    return found


@right("10.1")
def as_a_tuple(length, spans):
    return tuple(tags(length, spans))


# 10.2 entities(tags)


def read(tags, strict=False, same=True, b=True, end=1, last=True):
    found, open_ = [], None
    for i, tag in enumerate([*tags, "O"] if last else tags):
        part, label = tag[0], tag[2:]
        goes_on = open_ and (label == open_[1] or not same) and (part == "I" or (part == "B" and not b))
        if open_ and not goes_on:
            found.append((open_[0], i - 1 + end, open_[1]))
            open_ = None
        if not goes_on and (part == "B" or (part == "I" and not strict)):
            open_ = (i, label)
    return found


@wrong("10.2", "begins one")
def drops_loose_ones(tags):
    return read(tags, strict=True)


@wrong("10.2", "always begins a new entity")
def glues_neighbours(tags):
    return read(tags, b=False)


@wrong("10.2", "its own type only")
def mixes_types(tags):
    return read(tags, same=False)


@wrong("10.2", "one behind the last")
def ends_inclusive(tags):
    return read(tags, end=0)


@wrong("10.2", "end of the text")
def forgets_the_last(tags):
    return read(tags, last=False)


@right("10.2")
def with_a_guard(tags):
    return read(tags)


@right("10.2")
def lists_of_lists(tags):
    return [list(span) for span in read(tags)]


# 10.3 first_pieces(words, tags)


@wrong("10.3", "Every piece has the tag")
def every_piece(words, tags):
    return [-100 if w is None else tags[w] for w in words]


@wrong("10.3", "0 is the tag O")
def zeros(words, tags):
    return [max(t, 0) for t in by_sets(words, tags)]


@wrong("10.3", "as many as tokens")
def shorter(words, tags):
    return [t for t in by_sets(words, tags) if t != -100]


@wrong("10.3", "first piece, not the last")
def last_piece(words, tags):
    return by_sets(words[::-1], tags)[::-1]


@right("10.3")
def by_sets(words, tags):
    seen, found = {None}, []
    for w in words:
        found.append(-100 if w in seen else tags[w])
        seen.add(w)
    return found


@right("10.3")
def by_index(words, tags):
    return [tags[w] if w is not None and words.index(w) == i else -100 for i, w in enumerate(words)]


# 10.4 decode(scores, tags)


def may(before, tag):
    return not tag.startswith("I") or before[2:] == tag[2:]


@wrong("10.4", "by itself")
def likeliest(scores, tags):
    return [tags[row.index(max(row))] for row in scores]


@wrong("10.4", "One step at a time")
def step_by_step(scores, tags):
    found = ["O"]
    for row in scores:
        found.append(max((s, t) for s, t in zip(row, tags, strict=True) if may(found[-1], t))[1])
    return found[1:]


@wrong("10.4", "into O is not")
def mends_with_o(scores, tags):
    found = ["O"]
    for t in likeliest(scores, tags):
        found.append(t if may(found[-1], t) else "O")
    return found[1:]


@wrong("10.4", "into B- is not")
def mends_with_b(scores, tags):
    found = ["O"]
    for t in likeliest(scores, tags):
        found.append(t if may(found[-1], t) else "B" + t[1:])
    return found[1:]


def back_pointers(scores, tags, start=-math.inf):
    total = [s + (start if t[0] == "I" else 0) for s, t in zip(scores[0], tags, strict=True)]
    back = []
    for row in scores[1:]:
        come = [max((j for j in range(len(tags)) if may(tags[j], t)), key=total.__getitem__) for t in tags]
        back.append(come)
        total = [total[j] + s for j, s in zip(come, row, strict=True)]
    k = max(range(len(tags)), key=total.__getitem__)
    found = [tags[k]]
    for come in reversed(back):
        k = come[k]
        found.append(tags[k])
    return found[::-1]


@wrong("10.4", "may not come first")
def begins_inside(scores, tags):
    return back_pointers(scores, tags, start=0)


@right("10.4")
def with_back_pointers(scores, tags):
    return back_pointers(scores, tags)


@right("10.4")
def with_numpy(scores, tags):
    import numpy as np

    after = np.array([[0.0 if may(a, b) else -1e9 for b in tags] for a in tags])
    total, back = np.array(scores[0]) + [0.0 if may("O", t) else -1e9 for t in tags], []
    for row in scores[1:]:
        through = total[:, None] + after
        back.append(through.argmax(0))
        total = through.max(0) + row
    k = int(total.argmax())
    found = [k]
    for come in back[::-1]:
        found.insert(0, int(come[found[0]]))
    return [tags[i] for i in found]


@right("10.4")
def from_the_right(scores, tags):
    best = [(s, [t]) for s, t in zip(scores[-1], tags, strict=True)]
    for row in scores[-2::-1]:
        best = [
            max(((s + total, [t, *way]) for total, way in best if may(t, way[0])), key=lambda p: p[0])
            for s, t in zip(row, tags, strict=True)
        ]
    return max((p for p in best if p[1][0][0] != "I"), key=lambda p: p[0])[1]


# 10.5 entity_f1(said, truth)


def f1(said, truth, right):
    true = sum(map(len, truth))
    return 2 * right / (sum(map(len, said)) + true) if true else math.nan


def common(said, truth, cut=lambda s: s):
    return sum(len({cut(x) for x in s} & {cut(x) for x in t}) for s, t in zip(said, truth, strict=True))


@wrong("10.5", "type has to be right")
def edges_alone(said, truth):
    return f1(said, truth, common(said, truth, lambda s: s[:2]))


@wrong("10.5", "compare row by row")
def all_in_one(said, truth):
    return f1(said, truth, len({x for s in said for x in s} & {x for t in truth for x in t}))


@wrong("10.5", "not found costs|undefined")
def precision(said, truth):
    return common(said, truth) / max(1, sum(map(len, said)))


@wrong("10.5", "undefined")
def zero_for_nothing(said, truth):
    return 2 * common(said, truth) / max(1, sum(map(len, said)) + sum(map(len, truth)))


@wrong("10.5", "not a mean over the rows")
def mean_of_rows(said, truth):
    rows = [f1([s], [t], common([s], [t])) for s, t in zip(said, truth, strict=True)]
    return sum(0.0 if math.isnan(x) else x for x in rows) / len(rows)


@right("10.5")
def by_precision_and_recall(said, truth):
    right, n, true = common(said, truth), sum(map(len, said)), sum(map(len, truth))
    if not true:
        return float("nan")
    if not right:
        return 0.0
    p, r = right / n, right / true
    return 2 * p * r / (p + r)


@right("10.5")
def with_row_numbers(said, truth):
    a, b = ({(i, *x) for i, row in enumerate(side) for x in row} for side in (said, truth))
    return 2 * len(a & b) / (len(a) + len(b)) if b else math.nan


# 10.6 kinds(said, truth)


def pairs(said, truth, again=False, near=0):
    left, found = (
        [t for t in sorted(truth) if t not in said],
        dict.fromkeys(("missed", "invented", "wrong edge", "wrong type"), 0),
    )
    used = set()
    for a in sorted(x for x in said if x not in truth):
        other = [t for t in left if a[0] < t[1] + near and t[0] < a[1] + near and (again or t not in used)]
        if not other:
            found["invented"] += 1
        else:
            used.add(other[0])
            found["wrong type" if a[:2] == other[0][:2] else "wrong edge"] += 1
    found["missed"] = len([t for t in left if t not in used])
    return found


@wrong("10.6", "paired once")
def pairs_again(said, truth):
    return pairs(said, truth, again=True)


@wrong("10.6", "Touching is no overlap")
def touching_counts(said, truth):
    return pairs(said, truth, near=1)


@wrong("10.6", "All four names")
def leaves_out_zeros(said, truth):
    return {k: v for k, v in pairs(said, truth).items() if v}


@wrong("10.6", "is a wrong type")
def all_edges(said, truth):
    found = pairs(said, truth)
    return {**found, "wrong edge": found["wrong edge"] + found["wrong type"], "wrong type": 0}


@wrong("10.6", "not a miss and an invention")
def misses_and_inventions(said, truth):
    found = {"missed": len(set(truth) - set(said)), "invented": len(set(said) - set(truth))}
    return {**found, "wrong edge": 0, "wrong type": 0}


@right("10.6")
def with_used_ones(said, truth):
    return pairs(said, truth)
