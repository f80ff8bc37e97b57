"""Planted answers to the exercises of lesson 14."""

import random

import numpy as np
from planting import right, wrong

# 14.1 normalised(picture, mean, deviation)


@wrong("14.1", "channels are still last")
def channels_last(picture, mean, deviation):
    return (picture / 255 - np.array(mean)) / np.array(deviation)


@wrong("14.1", "Divide by 255 first")
def not_scaled(picture, mean, deviation):
    return ((picture - np.array(mean)) / np.array(deviation)).transpose(2, 0, 1)


@wrong("14.1", "division by the deviation is missing")
def mean_only(picture, mean, deviation):
    return (picture / 255 - np.array(mean)).transpose(2, 0, 1)


@wrong("14.1", "mean was not taken off")
def deviation_only(picture, mean, deviation):
    return (picture / 255 / np.array(deviation)).transpose(2, 0, 1)


@wrong("14.1", "wrong order")
def turned_around(picture, mean, deviation):
    return (picture / 255 / np.array(deviation) - np.array(mean)).transpose(2, 0, 1)


@wrong("14.1", "does not move axes")
def scrambled(picture, mean, deviation):
    scaled = (picture / 255 - np.array(mean)) / np.array(deviation)
    return scaled.reshape(3, *picture.shape[:2])


@right("14.1")
def channel_by_channel(picture, mean, deviation):
    return np.stack([(picture[..., c].astype(float) / 255 - mean[c]) / deviation[c] for c in range(3)])


# 14.2 freeze(model, names)


@wrong("14.2", "Gradients do not reach buffers")
def gradients_alone(model, names):
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    return model


@wrong("14.2", "still take a gradient")
def mode_alone(model, names):
    for name in names:
        model.get_submodule(name).eval()
    return model


@wrong("14.2", "should stay in training mode")
def everything_in_eval(model, names):
    model.eval()
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    return model


@wrong("14.2", "too much is frozen")
def everything_frozen(model, names):
    model.requires_grad_(False)
    for name in names:
        model.get_submodule(name).eval()
    return model


@wrong("14.2", "return the model itself")
def returns_nothing(model, names):
    for name in names:
        model.get_submodule(name).eval().requires_grad_(False)


@right("14.2")
def in_one_line(model, names):
    for name in names:
        model.get_submodule(name).train(False).requires_grad_(False)
    return model


# 14.3 split(owners, n, seed)


@wrong("14.3", "rows of one person on both sides")
def rows_anyhow(owners, n, seed):
    return sorted(random.Random(seed).sample(range(len(owners)), min(n, len(owners))))


@wrong("14.3", "another order of the file")
def unsorted_people(owners, n, seed):
    people = list(dict.fromkeys(owners))
    random.Random(seed).shuffle(people)
    return added(owners, n, people)


@wrong("14.3", ">=, not >")
def one_too_many(owners, n, seed):
    people = sorted(set(owners))
    random.Random(seed).shuffle(people)
    return added(owners, n + 1, people)


@wrong("14.3", "training rows")
def the_others(owners, n, seed):
    mine = whole(owners, n, seed)
    return [i for i in range(len(owners)) if i not in mine]


@wrong("14.3", "numbers of rows are wanted")
def names_them(owners, n, seed):
    return sorted({owners[i] for i in whole(owners, n, seed)}, key=str)


def added(owners, n, people):
    chosen = []
    while people and sum(owner in chosen for owner in owners) < n:
        chosen.append(people.pop(0))
    return [i for i, owner in enumerate(owners) if owner in chosen]


@right("14.3")
def whole(owners, n, seed):
    people = sorted(set(owners))
    random.Random(seed).shuffle(people)
    return added(owners, n, people)


# 14.4 shifted(picture, right, down)


@wrong("14.4", "np.roll brings back")
def rolled(picture, right, down):
    return np.roll(picture, (down, right), (0, 1))


@wrong("14.4", "filled with 0")
def blackened(picture, right, down):
    height, width = picture.shape
    made = np.zeros_like(picture)
    for r in range(height):
        for c in range(width):
            if 0 <= r - down < height and 0 <= c - right < width:
                made[r, c] = picture[r - down, c - right]
    return made


@wrong("14.4", "The wrong way")
def backwards(picture, right, down):
    return by_padding(picture, -right, -down)


@wrong("14.4", "have changed places")
def axes_mixed(picture, right, down):
    return by_padding(picture, down, right)


@wrong("14.4", "has changed: return a new one")
def in_place(picture, right, down):
    picture[:] = by_padding(picture, right, down)
    return picture


@right("14.4")
def by_padding(picture, right, down):
    far = max(abs(right), abs(down))
    height, width = picture.shape
    padded = np.pad(picture, far, mode="edge")
    return padded[far - down : far - down + height, far - right : far - right + width]


# 14.5 same(one, other)


def cells(picture):
    height, width = picture.shape
    return picture.reshape(8, height // 8, 8, width // 8).mean(axis=(1, 3))


@wrong("14.5", "5 bits still count")
def fewer_than_five(one, other):
    return bool(((cells(one) > cells(one).mean()) != (cells(other) > cells(other).mean())).sum() < 5)


@wrong("14.5", "not with 127.5")
def against_half(one, other):
    return bool(((cells(one) > 127.5) != (cells(other) > 127.5)).sum() <= 5)


@wrong("14.5", "wrong way round")
def differs(one, other):
    return bool(((cells(one) > cells(one).mean()) != (cells(other) > cells(other).mean())).sum() > 5)


@wrong("14.5", "True or False")
def counts(one, other):
    return int(((cells(one) > cells(one).mean()) != (cells(other) > cells(other).mean())).sum())


@right("14.5")
def numpys_own(one, other):
    return np.count_nonzero((cells(one) > cells(one).mean()) ^ (cells(other) > cells(other).mean())) <= 5


# 14.6 chosen(labels, centred)


@wrong("14.6", "no more itself in a mirror")
def flips_all(labels, centred):
    return {"flip": True, "shift": 0.05 if centred else 0.1}


@wrong("14.6", "a 6 is a 9")
def turns_all(labels, centred):
    return {"rotate": 90 if centred else 180}


@wrong("14.6", "Cats and dogs")
def never_flips(labels, centred):
    return {"shift": 0.05 if centred else 0.1}


@wrong("14.6", "vary more")
def always_the_same(labels, centred):
    settings = {"shift": 0.1, "rotate": 10}
    return settings if any(len(x) == 1 or "left" in x or "right" in x for x in labels) else {**settings, "flip": True}


@wrong("14.6", "turn right is no more itself in a mirror")
def knows_left_alone(labels, centred):
    settings = {"shift": 0.05 if centred else 0.1}
    return settings if any(len(x) == 1 or "left" in x for x in labels) else {**settings, "flip": True}


@wrong("14.6", "nothing varies")
def nothing(labels, centred):
    return {"shift": 0.0}


@wrong("14.6", "no setting")
def invents(labels, centred):
    return {"blur": 2}


@right("14.6")
def scales_alone(labels, centred):
    settings = {"scale": 0.1 if centred else 0.2}
    if not any(len(x) == 1 or {"left", "right"} & set(x.split()) for x in labels):
        settings["flip"] = True
    return settings
