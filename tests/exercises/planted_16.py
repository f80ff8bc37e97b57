"""Planted answers to the exercises of lesson 16."""

import itertools

from planting import right, wrong

# 16.1 collapse(frames)


def joined(frames):
    return [key for key, _ in itertools.groupby(frames)]


@wrong("16.1", "the order is wrong")
def blanks_first(frames):
    return joined([f for f in frames if f])


@wrong("16.1", "count once")
def keeps_repeats(frames):
    return [f for f in frames if f]


@wrong("16.1", "still there")
def keeps_blanks(frames):
    return joined(frames)


@wrong("16.1", "returns nothing")
def forgets_to_return(frames):
    [f for f in joined(frames) if f]


@right("16.1")
def by_groups(frames):
    return [f for f in joined(frames) if f != 0]


@right("16.1")
def in_a_loop(frames):
    found, last = [], None
    for f in frames:
        if f != last and f != 0:
            found.append(f)
        last = f
    return tuple(found)


# 16.2 frames_needed(text)


@wrong("16.2", "a blank between")
def letters_alone(text):
    return len(text)


@wrong("16.2", "left out")
def blanks_everywhere(text):
    return 2 * len(text) + 1


@wrong("16.2", "every kind")
def kinds(text):
    return len(set(text))


@right("16.2")
def by_pairs(text):
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


@right("16.2")
def by_groups_of_letters(text):
    return sum(2 * len(list(group)) - 1 for _, group in itertools.groupby(text))


# 16.3 wer(said, truth)


def distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))


@wrong("16.3", "character error rate")
def letters_instead(said, truth):
    row = list(range(len(truth) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1] / len(truth)


@wrong("16.3", "may be above 1")
def at_most_one(said, truth):
    return min(1.0, distance(said.split(), truth.split()) / len(truth.split()))


@wrong("16.3", "edit distance")
def place_by_place(said, truth):
    a, b = said.split(), truth.split()
    return (sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))) / len(b)


@wrong("16.3", "number of true words")
def not_divided(said, truth):
    return distance(said.split(), truth.split())


@right("16.3")
def by_recursion(said, truth):
    return distance(said.split(), truth.split()) / len(truth.split())


# 16.4 teach(start, prompt, ids, end)


@wrong("16.4", "told, not learned")
def learns_the_prompt(start, prompt, ids, end):
    return [start, *prompt, *ids], [*prompt, *ids, end]


@wrong("16.4", "never stops")
def forgets_the_end(start, prompt, ids, end):
    return [start, *prompt, *ids], [-100] * len(prompt) + ids


@wrong("16.4", "nothing is written behind")
def reads_the_end(start, prompt, ids, end):
    return [start, *prompt, *ids, end], [-100] * len(prompt) + [*ids, end, -100]


@wrong("16.4", "one too long")
def not_moved(start, prompt, ids, end):
    return [start, *prompt, *ids], [-100, *[-100] * len(prompt), *ids, end]


@right("16.4")
def by_moving(start, prompt, ids, end):
    whole = [start, *prompt, *ids, end]
    labels = whole[1:]
    labels[: len(prompt)] = [-100] * len(prompt)
    return tuple(whole[:-1]), tuple(labels)


# 16.5 follows(write, clips, texts)


@wrong("16.5", "don't count")
def counts_the_same(write, clips, texts):
    n = len(clips)
    return sum(write(clips[(i + 1) % n]) == texts[(i + 1) % n] for i in range(n)) / n


@wrong("16.5", "after the exchange")
def its_own_clip(write, clips, texts):
    return sum(write(c) == t for c, t in zip(clips, texts, strict=True)) / len(clips)


@wrong("16.5", "is not enough")
def anything_else(write, clips, texts):
    n = len(clips)
    fair = [i for i in range(n) if texts[i] != texts[(i + 1) % n]]
    return sum(write(clips[(i + 1) % n]) != texts[i] for i in fair) / len(fair)


@right("16.5")
def by_turning(write, clips, texts):
    moved = list(zip(clips[1:] + clips[:1], texts[1:] + texts[:1], strict=True))
    told = [write(c) == new for (c, new), old in zip(moved, texts, strict=True) if new != old]
    return sum(told) / len(told)
