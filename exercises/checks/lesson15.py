"""The exercises of lesson 15, listening: silence, windows, a log-mel picture, noise, folds by speaker, when to say nothing."""

import math

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import as_list, faults, joined, kind_fault, numbers, shown

from labkit import tr

CLIPS = (  # samples, threshold
    ([0.0, 0.01, 0.5, -0.2, 0.02, 0.4, 0.01, 0.0], 0.1),
    ([0.0, -0.9, 0.0, 0.0, 0.3, 0.05], 0.5),
    ([0.1, 0.2, 0.3], 0.1),
    ([0.0, 0.0, 0.0], 0.2),
    ([0.02, -0.01, 0.004, 0.0, 0.001], 0.25),
    ([0.0, 4.0, 2.0, 8.0, 1.0], 0.25),
)


def a_clip(rng):
    quiet = [rng.choice((0.0, 0.01, -0.02)) for _ in range(rng.randint(0, 3))]
    loud = [rng.choice((-1, 1)) * rng.uniform(0.3, 2) for _ in range(rng.randint(1, 4))]
    return [*quiet, *loud, *quiet[:1], *loud[:1], *quiet], rng.choice((0.05, 0.1))


def kept(samples, threshold, size=abs, of=None, strict=False):
    """From the first to the last sample that is loud."""
    top = max(map(size, samples)) if of is None else of
    loud = [i for i, x in enumerate(samples) if (size(x) > threshold * top if strict else size(x) >= threshold * top)]
    return samples[loud[0] : loud[-1] + 1] if loud else []


@exercise("15.1")
def trimming(answer):
    for samples, threshold in cases(CLIPS, a_clip):
        want = kept(samples, threshold)
        loud = [x for x in samples if abs(x) >= threshold * max(map(abs, samples))]
        first = next(i for i, x in enumerate(samples) if abs(x) >= threshold * max(map(abs, samples)))
        yield from faults(
            f"trim({samples}, {threshold})",
            as_list(answer(list(samples), threshold)),
            want,
            [
                (loud, "中间的轻声不能剪：只剪两头。", "What is soft in the middle stays: cut the two ends alone."),
                (kept(samples, threshold, lambda x: x), "负的样本也可以很响：看绝对值。", "Negative samples may be loud: take absolute values."),
                (kept(samples, threshold, of=1.0), "门槛是相对最响的样本的：乘上绝对值里最大的。", "The threshold is a share of the loudest sample: multiply it by the largest absolute value."),
                (samples[first:], "后头的静音也要剪。", "Cut the silence at the end, too."),
                (samples[: len(samples) - samples[::-1].index(want[-1])] if want else want, "前头的静音也要剪。", "Cut the silence at the beginning, too."),
                (want[:-1], "少了最后一个：切片的终点不算在内。", "The last sample is missing: the end of a slice is not part of it."),
                (kept(samples, threshold, strict=True), "恰好等于门槛的也算响；全是 0 的片段原样返回。", "What equals the threshold counts as loud; a clip of zeros stays as it is."),
                ([], "全是 0 的片段原样返回。", "A clip of zeros stays as it is."),
            ],
        )  # fmt: skip


CUTS = (
    (list(range(10)), 4, 2),
    (list(range(9)), 3, 3),
    (list(range(8)), 4, 3),
    ([1, 2], 3, 1),
    ([5, 6, 7], 3, 2),
    (list(range(7)), 2, 5),
)


@exercise("15.2")
def windowing(answer):
    draw = lambda rng: ([rng.randint(0, 9) for _ in range(rng.randint(0, 14))], rng.randint(1, 5), rng.randint(1, 5))  # noqa: E731
    for samples, size, hop in cases(CUTS, draw):
        n = len(samples)
        want = [samples[i : i + size] for i in range(0, n - size + 1, hop)]
        got = as_list(answer(list(samples), size, hop))
        got = got if got is None else [as_list(w) if as_list(w) is not None else w for w in got]
        yield from faults(
            f"windows({samples}, {size}, {hop})",
            got,
            want,
            [
                ([samples[i : i + size] for i in range(0, n, hop)], "末尾不满一窗的不要。", "Leave out windows at the end that are not whole."),
                ([samples[i : i + size] for i in range(0, n - size, hop)], "刚好到末尾的那一窗也算：range 的终点要加 1。", "A window that ends just at the end counts: the end of range needs 1 more."),
                ([samples[i : i + size] for i in range(0, n - size + 1, size)], "下一窗在 hop 个样本之后开始，不是 size 个。", "The next window begins `hop` samples later, not `size`."),
                ([samples[i : i + size] for i in range(n - size + 1)], "下一窗在 hop 个样本之后开始，不是一个。", "The next window begins `hop` samples later, not one."),
                ([samples[i : i + hop] for i in range(0, n - hop + 1, size)], "size 和 hop 弄反了。", "size and hop are the wrong way round."),
                (len(want), "要的是这些窗，不是有几个。", "The windows are wanted, not how many there are."),
            ],
        )  # fmt: skip


def a_picture(seed: int, frames: int, bins: int, bands: int, scale: float):
    """Power of each frequency in each window, and how much each counts for each band."""
    import torch

    maker = torch.Generator().manual_seed(seed)
    power = torch.rand(frames, bins, generator=maker, dtype=torch.float64) ** 8 * scale
    return power, torch.rand(bins, bands, generator=maker, dtype=torch.float64)


def lifted(decibels):
    """What is more than 80 dB below the loudest, at 80 dB below."""
    return decibels.clamp(min=float(decibels.max()) - 80)


@exercise("15.3")
def picturing(answer):

    fixed = ((0, 3, 4, 2, 1.0), (1, 5, 6, 3, 1e-6), (2, 4, 4, 4, 1e8), (3, 2, 3, 2, 0.0))
    for seed, frames, bins, bands, scale in cases(
        fixed,
        lambda rng: (
            rng.getrandbits(20),
            rng.randint(2, 6),
            rng.randint(3, 7),
            rng.randint(1, 4),
            10 ** rng.uniform(-6, 6),
        ),
    ):
        power, filters = a_picture(seed, frames, bins, bands, scale)
        if scale:
            power[0] = power.max() * 1e-12  # a window of silence: far more than 80 dB below
        heard = (power @ filters).clamp(min=1e-10)
        decibels = 10 * heard.log10()
        want = lifted(decibels)
        given = tr(
            f"{frames} 个窗、{bins} 个频率、{bands} 个频带：picture",
            f"{frames} windows, {bins} frequencies, {bands} bands: picture",
        )
        got = numbers(answer(power.clone(), filters.clone()))
        yield from faults(
            given,
            got,
            want,
            [
                (decibels, "比最响处低 80 dB 以上的，要抬到 80 dB。", "What is more than 80 dB below the loudest is lifted to 80 dB below."),
                (decibels.clamp(min=-80), "80 dB 是从这个片段最响处往下数，不是从 0 数。", "80 dB are counted down from this clip's loudest point, not from 0."),
                (lifted(decibels) / 10, "少了 10：分贝是 10 × log10。", "A factor of 10 is missing: decibels are 10 times log10."),
                (lifted(2 * decibels), "这里是功率：10 × log10；20 × 是振幅用的。", "This is power: 10 times log10; 20 is for amplitudes."),
                (lifted(10 * heard.log()), "要以 10 为底的对数。", "The logarithm is to base 10."),
                (want.T, "行是窗，列是频带：不要转置。", "Rows are windows and columns bands: don't transpose."),
                (heard, "还要取对数。", "Take the logarithm as well."),
            ],
            1e-5,
        )  # fmt: skip
        if got is not None and not got.isfinite().all():
            yield tr(
                "没有声音的地方，log10(0) 是负无穷：先用 1e-10 垫底。",
                "Where there is no sound, log10(0) is minus infinity: put 1e-10 below first.",
            )


def a_noise(seed: int, n: int, loud: float):
    import torch

    maker = torch.Generator().manual_seed(seed)
    clip, noise = torch.randn(2, n, generator=maker, dtype=torch.float64)
    return loud * clip, 3 * noise + 0.2


@exercise("15.4")
def mixing(answer):
    import torch

    root = lambda x: torch.as_tensor(x, dtype=torch.float64).sqrt()  # noqa: E731
    fixed = ((0, 50, 0.3, 10.0), (1, 40, 1.0, 0.0), (2, 64, 5.0, -6.0), (3, 30, 0.01, 20.0))
    for seed, n, loud, snr in cases(
        fixed, lambda rng: (rng.getrandbits(20), rng.randint(10, 80), 10 ** rng.uniform(-2, 1), rng.uniform(-10, 30))
    ):
        clip, noise = a_noise(seed, n, loud)
        power, other = (clip**2).mean(), (noise**2).mean()

        def added(share, clip=clip, noise=noise):
            return clip + share * noise

        right = root(power / other * 10 ** (-snr / 10))
        yield from faults(
            tr(f"信噪比 {snr:.3g} dB：mix", f"a ratio of {snr:.3g} dB: mix"),
            numbers(answer(clip.clone(), noise.clone(), snr)),
            added(right),
            [
                (added(1.0), "噪声要先缩放：功率之比应是 10 的 snr / 10 次方。", "Scale the noise first: the ratio of powers should be 10 to the power of snr / 10."),
                (added(power / other * 10 ** (-snr / 10)), "差一个平方根：功率随振幅的平方走。", "A square root is missing: power goes with the square of the amplitude."),
                (added(root(power / other * 10 ** (snr / 10))), "弄反了：信噪比越大，噪声越小。", "Wrong way round: the larger the ratio, the softer the noise."),
                (added(root(power / other) * 10 ** (-snr / 10)), "分贝除以 10 是功率的比，除以 20 才是振幅的比。", "Decibels over 10 are a ratio of powers, over 20 one of amplitudes."),
                (added(root(10 ** (-snr / 10))), "还要除以噪声自己的强度，乘上片段的强度。", "Divide by the noise's own strength, and multiply by the clip's."),
                (added(root(10 ** (-snr / 10) / other)), "信噪比是相对片段的：还要乘上片段的强度。", "The ratio is to the clip: multiply by the clip's strength."),
                (added(root(power * 10 ** (-snr / 10))), "还要除以噪声自己的强度。", "Divide by the noise's own strength."),
                (right * noise, "要的是片段加噪声。", "The clip with the noise is wanted."),
                (added(clip.abs().max() / noise.abs().max() * 10 ** (-snr / 20)), "强度用平方的平均，不用最大值。", "Strength is the mean of squares, not the largest value."),
                (added(root(clip.var(correction=0) / noise.var(correction=0) * 10 ** (-snr / 10))), "平均平方，不要先减去平均数。", "The mean of squares, without taking the mean away first."),
            ],
            1e-6,
        )  # fmt: skip


VOICES = (["b", "a", "b", "c", "a"], ["x", "x"], ["d", "c", "b", "a"], ["q"], [])


@exercise("15.5")
def folding(answer):
    for speakers in cases(VOICES, lambda rng: [rng.choice("abcde") for _ in range(rng.randint(0, 9))]):
        rows = range(len(speakers))

        def fold(name, speakers=speakers, rows=rows):
            return [[i for i in rows if speakers[i] != name], [i for i in rows if speakers[i] == name]]

        want = [fold(name) for name in sorted(set(speakers))]
        got = as_list(answer(list(speakers)))
        got = (
            got
            if got is None
            else [
                [as_list(part) if as_list(part) is not None else part for part in pair]
                if as_list(pair) is not None
                else pair
                for pair in got
            ]
        )
        swapped = [pair[::-1] for pair in want]
        yield from faults(
            f"folds({speakers})",
            got,
            want,
            [
                ([fold(name) for name in dict.fromkeys(speakers)], "按说话人的名字排序。", "In the order of the speakers' names."),
                (swapped, "先训练行，后测试行。", "Training rows first, then test rows."),
                ([[[j for j in rows if j != i], [i]] for i in rows], "一折留出一个人的全部片段，不是一个片段。", "Each fold keeps out all clips of one speaker, not one clip."),
                ([[list(rows), pair[1]] for pair in want], "测试行不能也在训练行里。", "Test rows must not be among the training rows."),
                ([pair[1] for pair in want], "训练行也要。", "The training rows are wanted as well."),
                ([[name, *fold(name)] for name in sorted(set(speakers))], "不要名字，只要两个行号的列表。", "Without the name: two lists of row numbers."),
                ([[[speakers[i] for i in part] for part in pair] for pair in want], "要的是行号，不是名字。", "Row numbers are wanted, not names."),
            ],
        )  # fmt: skip


def confidences(seed: int, known: int, unknown: int, far: float):
    """How sure a model is of words that it knows and of others."""
    import torch

    maker = torch.Generator().manual_seed(seed)
    draw = lambda n, middle: (torch.randn(n, generator=maker, dtype=torch.float64) + middle).sigmoid().tolist()  # noqa: E731
    return draw(known, far), draw(unknown, 0.0)


@exercise("15.6")
def silent(answer):
    fixed = ((0, 60, 60, 2.0), (2, 100, 40, 1.5), (1, 100, 40, 3.0), (2, 40, 200, 1.0), (3, 30, 19, 4.0))
    for seed, n, m, far in cases(
        fixed, lambda rng: (rng.getrandbits(20), rng.randint(20, 90), rng.randint(20, 90), rng.uniform(0.5, 4)), 4
    ):
        known, unknown = confidences(seed, n, m, far)
        given = tr(f"{n} 个认识的词、{m} 个不认识的：cutoff", f"{n} known words and {m} unknown: cutoff")
        got = answer(list(known), list(unknown))
        value = got.item() if hasattr(got, "item") and numbers(got).numel() == 1 else got
        if type(value) not in (int, float):
            yield joined(
                tr(
                    f"{given} 应返回一个数，你的是 {shown(got)}。",
                    f"{given} should return one number; yours is {shown(got)}.",
                ),
                kind_fault(got, 0.5),
            )
            continue
        t = float(value)
        let_in = sum(p >= t for p in unknown) / m
        heard = sum(p >= t for p in known) / n
        allowed = sorted(unknown, reverse=True)[math.floor(0.05 * m)]  # the first that must stay out
        best = sum(p > allowed for p in known) / n
        if let_in > 0.05:
            yield tr(
                f"{given} 给了 {t:.3f}：放进了 {let_in:.0%} 不认识的词，最多 5 %。p ≥ 门槛的才算听见。",
                f"{given} gave {t:.3f}, which lets in {let_in:.0%} of the unknown words; 5 % at most. Heard is what is at or above it.",
            )
        elif heard < best - 0.05:
            yield tr(
                f"{given} 给了 {t:.3f}：太严，认识的词只听见 {heard:.0%}，守住 5 % 也能听见 {best:.0%}。",
                f"{given} gave {t:.3f}, which is too strict: {heard:.0%} of the known words are heard, and {best:.0%} could be within 5 %.",
            )
