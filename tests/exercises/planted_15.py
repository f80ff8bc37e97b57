"""Planted answers to the exercises of lesson 15."""

import math

import numpy as np
import torch
from planting import right, wrong

# 15.1 trim(samples, threshold)


def loud(samples, threshold, size=abs, top=None):
    top = max(map(size, samples)) if top is None else top
    return [i for i, x in enumerate(samples) if size(x) >= threshold * top]


@wrong("15.1", "stays")
def drops_every_soft_sample(samples, threshold):
    return [samples[i] for i in loud(samples, threshold)]


@wrong("15.1", "absolute values")
def forgets_the_sign(samples, threshold):
    found = loud(samples, threshold, size=lambda x: x)
    return samples[found[0] : found[-1] + 1]


@wrong("15.1", "share of the loudest")
def takes_a_fixed_threshold(samples, threshold):
    found = loud(samples, threshold, top=1.0)
    return samples[found[0] : found[-1] + 1] if found else []


@wrong("15.1", "at the end, too")
def only_the_beginning(samples, threshold):
    return samples[loud(samples, threshold)[0] :]


@wrong("15.1", "last sample is missing")
def one_short(samples, threshold):
    found = loud(samples, threshold)
    return samples[found[0] : found[-1]]


@right("15.1")
def with_arrays(samples, threshold):
    samples = np.array(samples)
    found = np.flatnonzero(np.abs(samples) >= threshold * np.abs(samples).max())
    return samples[found[0] : found[-1] + 1]


@right("15.1")
def from_both_ends(samples, threshold):
    top = max(abs(x) for x in samples)
    begin, end = 0, len(samples)
    while abs(samples[begin]) < threshold * top:
        begin += 1
    while abs(samples[end - 1]) < threshold * top:
        end -= 1
    return samples[begin:end]


# 15.2 windows(samples, size, hop)


@wrong("15.2", "not whole")
def keeps_the_rest(samples, size, hop):
    return [samples[i : i + size] for i in range(0, len(samples), hop)]


@wrong("15.2", "1 more")
def misses_the_last(samples, size, hop):
    return [samples[i : i + size] for i in range(0, len(samples) - size, hop)]


@wrong("15.2", "not `size`")
def side_by_side(samples, size, hop):
    return [samples[i : i + size] for i in range(0, len(samples) - size + 1, size)]


@wrong("15.2", "not one")
def every_sample(samples, size, hop):
    return [samples[i : i + size] for i in range(len(samples) - size + 1)]


@right("15.2")
def as_an_array(samples, size, hop):
    if len(samples) < size:
        return []
    return np.lib.stride_tricks.sliding_window_view(np.array(samples), size)[::hop]


@right("15.2")
def step_by_step(samples, size, hop):
    found, begin = [], 0
    while begin + size <= len(samples):
        found.append(tuple(samples[begin : begin + size]))
        begin += hop
    return found


# 15.3 picture(power, filters)


@wrong("15.3", "lifted to 80 dB")
def without_a_floor(power, filters):
    return 10 * (power @ filters).clamp(min=1e-10).log10()


@wrong("15.3", "this clip's loudest")
def below_nothing(power, filters):
    return (10 * (power @ filters).clamp(min=1e-10).log10()).clamp(min=-80)


@wrong("15.3", "20 is for amplitudes")
def as_amplitudes(power, filters):
    found = 20 * (power @ filters).clamp(min=1e-10).log10()
    return torch.maximum(found, found.max() - 80)


@wrong("15.3", "base 10")
def natural(power, filters):
    found = 10 * (power @ filters).clamp(min=1e-10).log()
    return torch.maximum(found, found.max() - 80)


@wrong("15.3", "don't transpose")
def turned(power, filters):
    found = 10 * (power @ filters).clamp(min=1e-10).log10()
    return torch.maximum(found, found.max() - 80).T


@right("15.3")
def with_numpy(power, filters):
    found = 10 * np.log10(np.maximum(power.numpy() @ filters.numpy(), 1e-10))
    return np.maximum(found, found.max() - 80)


@right("15.3")
def band_by_band(power, filters):
    rows = [
        [10 * math.log10(max(sum(p * f for p, f in zip(row, band, strict=True)), 1e-10)) for band in filters.T]
        for row in power
    ]
    top = max(map(max, rows))
    return [[max(x, top - 80) for x in row] for row in rows]


# 15.4 mix(clip, noise, snr)


def strength(x):
    return (x**2).mean()


@wrong("15.4", "Scale the noise first")
def as_it_is(clip, noise, snr):
    return clip + noise


@wrong("15.4", "square root")
def without_a_root(clip, noise, snr):
    return clip + noise * strength(clip) / strength(noise) * 10 ** (-snr / 10)


@wrong("15.4", "Wrong way round")
def louder(clip, noise, snr):
    return clip + noise * torch.sqrt(strength(clip) / strength(noise) * 10 ** (snr / 10))


@wrong("15.4", "over 20")
def tenths(clip, noise, snr):
    return clip + noise * torch.sqrt(strength(clip) / strength(noise)) * 10 ** (-snr / 10)


@wrong("15.4", "largest value")
def by_peaks(clip, noise, snr):
    return clip + noise * clip.abs().max() / noise.abs().max() * 10 ** (-snr / 20)


@right("15.4")
def by_amplitudes(clip, noise, snr):
    wanted = torch.sqrt(strength(clip)) / 10 ** (snr / 20)
    return clip + noise / torch.sqrt(strength(noise)) * wanted


@right("15.4")
def in_plain_python(clip, noise, snr):
    clip, noise = clip.tolist(), noise.tolist()
    one, other = (sum(x * x for x in values) / len(values) for values in (clip, noise))
    share = (one / other / 10 ** (snr / 10)) ** 0.5
    return [a + share * b for a, b in zip(clip, noise, strict=True)]


# 15.5 folds(speakers)


def fold(speakers, name):
    return [i for i, s in enumerate(speakers) if s != name], [i for i, s in enumerate(speakers) if s == name]


@wrong("15.5", "order of the speakers' names")
def as_they_come(speakers):
    return [fold(speakers, name) for name in dict.fromkeys(speakers)]


@wrong("15.5", "Training rows first")
def the_wrong_way_round(speakers):
    return [fold(speakers, name)[::-1] for name in sorted(set(speakers))]


@wrong("15.5", "not one clip")
def one_clip_each(speakers):
    return [([j for j in range(len(speakers)) if j != i], [i]) for i in range(len(speakers))]


@wrong("15.5", "must not be among")
def trains_on_all(speakers):
    return [(list(range(len(speakers))), fold(speakers, name)[1]) for name in sorted(set(speakers))]


@right("15.5")
def with_masks(speakers):
    names = np.array(speakers, dtype=str)
    return [(np.flatnonzero(names != n), np.flatnonzero(names == n)) for n in sorted(set(speakers))]


@right("15.5")
def by_a_table(speakers):
    own = {}
    for i, name in enumerate(speakers):
        own.setdefault(name, []).append(i)
    return [[[i for i in range(len(speakers)) if i not in own[n]], own[n]] for n in sorted(own)]


# 15.6 cutoff(known, unknown)


@wrong("15.6", "lets in")
def one_half(known, unknown):
    return 0.5


@wrong("15.6", "too strict")
def above_all(known, unknown):
    return max(unknown) + (1 - max(unknown)) * 0.9


@wrong("15.6", "lets in")
def the_mean_of_means(known, unknown):
    return (sum(known) / len(known) + sum(unknown) / len(unknown)) / 2


@right("15.6")
def by_rank(known, unknown):
    return sorted(unknown, reverse=True)[math.floor(0.05 * len(unknown))] + 1e-9


@right("15.6")
def by_trying(known, unknown):
    tried = sorted([*known, *unknown, 1.01])
    return next(t for t in tried if sum(p >= t for p in unknown) <= 0.05 * len(unknown))
