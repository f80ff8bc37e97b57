"""The exercises of lesson 04, optimizers: momentum, Adam, AdamW, effective rates, memory, and a ravine to get down."""

import itertools
import math

from labkit_exercises.cases import cases
from labkit_exercises.contract import tensors_in
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import faults, joined, kind_fault, shown

from labkit import tr

STEPS = 6


def problem(seed: int, shape=(3, 2)):
    """A weight and the gradients of a few steps, of very different sizes."""
    import torch

    source = torch.Generator().manual_seed(seed)
    scale = 10.0 ** torch.linspace(-3, 1, math.prod(shape), dtype=torch.float64).reshape(shape)
    weight = torch.randn(shape, generator=source, dtype=torch.float64)
    return weight, [torch.randn(shape, generator=source, dtype=torch.float64) * scale for _ in range(STEPS)]


def walked(step, seed: int) -> list:
    """The weights after each step of `step(weight, gradient, state)`; the second problem's state is its own."""
    weight, gradients = problem(seed)
    state, path = {}, []
    for gradient in gradients:
        weight = step(weight, gradient, state)
        path.append(weight.clone())
    return path


def torch_walk(kind: str, seed: int, **options) -> list:
    """What torch's optimizer of that name makes of the same gradients."""
    import torch

    weight, gradients = problem(seed)
    parameter, path = torch.nn.Parameter(weight), []
    optimizer = getattr(torch.optim, kind)([parameter], **options)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        path.append(parameter.detach().clone())
    return path


def walking_faults(name: str, call, seed: int, want: list, mistakes):
    """Walk with the answer; say at which step it leaves the path, and which known mistake leads there."""
    import torch

    weight, gradients = problem(seed)
    state, path = {}, []
    for gradient in gradients:
        kept = gradient.clone()
        weight = call(weight.clone(), gradient, state)
        if not torch.equal(gradient, kept):
            yield tr(
                f"{name} 改动了交给它的梯度：存进 state 之前先复制。",
                f"{name} has changed the gradient it was given: copy it before you keep it in `state`.",
            )
        if gradient.untyped_storage().data_ptr() in {t.untyped_storage().data_ptr() for t in tensors_in(state)}:
            yield tr(
                f"{name} 把交给它的梯度本身存进了 state：优化器每步之后清零这块内存，你记住的就没了。存一份抄件（clone()）。",
                f"{name} keeps the very gradient it was given in `state`: its memory is cleared after each step, and what you "
                "remember with it. Keep a copy (clone()).",
            )
        if not isinstance(weight, torch.Tensor):
            yield joined(
                tr(f"{name} 应返回新的权重。", f"{name} should return the new weight."), kind_fault(weight, gradient)
            )
        path.append(weight.detach().clone())
        gradient.zero_()  # as optimizers do with the buffer after a step: who kept it itself has lost it
    for number, (got, right) in enumerate(zip(path, want, strict=True), start=1):
        given = tr(f"第 {number} 步之后，{name}", f"After step {number}, {name}")
        known = [(wrong[number - 1], *words) for wrong, *words in mistakes]
        yield from faults(given, got, right, known)


STEP = {"changes": (0, 2), "shares": True}  # a weight may be updated in place; `state` is there to be written


@exercise("04.1", **STEP)
def momentum(answer):
    for seed, lr, share in cases(
        ((1, 0.1, 0.9), (2, 0.02, 0.5), (3, 0.3, 0.2)),
        lambda r: (r.getrandbits(20), r.uniform(0.01, 0.3), r.uniform(0, 0.95)),
        4,
    ):
        name = f"momentum_step(…, lr={lr}, momentum={share})"

        def heavy(w, g, state, lr=lr, share=share):  # averaged, as some books have it
            state["v"] = share * state.get("v", 0) + (1 - share) * g
            return w - lr * state["v"]

        def upward(w, g, state, lr=lr, share=share):
            state["v"] = share * state.get("v", 0) + g
            return w + lr * state["v"]

        mistakes = [
            (
                torch_walk("SGD", seed, lr=lr),
                "这是没有动量的 SGD：state 里的速度没有用上，或者没有存回去。",
                "That is SGD without momentum: the velocity in `state` is not used, or not stored.",
            ),
            (
                walked(heavy, seed),
                "新的梯度不乘 (1 - momentum)：torch 的动量是累加，不是平均。",
                "The new gradient is not multiplied by (1 - momentum): torch's momentum adds up, it does not average.",
            ),
            (walked(upward, seed), "符号反了：往梯度的反方向走。", "The sign is wrong: go against the gradient."),
            (
                torch_walk("SGD", seed, lr=lr, momentum=share, nesterov=True),
                "这是 Nesterov 动量；这里要普通的。",
                "That is Nesterov's momentum; plain momentum is wanted here.",
            ),
        ]
        yield from walking_faults(
            name,
            lambda w, g, s, lr=lr, m=share: answer(w, g, s, lr, m),
            seed,
            torch_walk("SGD", seed, lr=lr, momentum=share),
            mistakes,
        )


def adam_like(lr, betas, eps, decay=0.0, *, correct=True, inside=False, square=True, kind="none"):
    """Adam as one step, with the known mistakes as switches; `kind` says where the weight decay goes."""

    def step(w, g, state):
        if kind == "L2":
            g = g + decay * w
        if kind == "unscaled":
            w = w * (1 - decay)
        if kind == "decoupled":
            w = w * (1 - lr * decay)
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * g
        v = state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * (g * g if square else g.abs())
        if correct:
            m, v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        root = (v + eps).sqrt() if inside else v.sqrt() + eps
        w = w - lr * m / root
        return w * (1 - lr * decay) if kind == "after" else w

    return step


SETTINGS = (
    (1, 0.1, (0.9, 0.999), 1e-8),
    (2, 0.01, (0.8, 0.95), 1e-2),
    (3, 0.05, (0.0, 0.9), 1e-4),
    (4, 0.05, (0.9, 0.9), 1e-3),
)


def a_setting(rng):
    return (
        rng.getrandbits(20),
        rng.uniform(0.01, 0.2),
        (rng.uniform(0, 0.95), rng.uniform(0.5, 0.99)),
        10 ** rng.uniform(-4, -1),
    )


@exercise("04.2", **STEP)
def adam(answer):
    for seed, lr, betas, eps in cases(SETTINGS, a_setting, 4):
        name, given = f"adam_step(…, lr={lr}, betas={betas}, eps={eps:g})", (lr, betas, eps)
        mistakes = [
            (
                walked(adam_like(*given, correct=False), seed),
                "漏了偏差修正：m 和 v 从 0 开始，要除以 1 - beta ** t。",
                "The bias correction is missing: m and v start at 0, so divide them by 1 - beta ** t.",
            ),
            (
                walked(adam_like(*given, inside=True), seed),
                "eps 加在开方之后，不是根号里面。",
                "eps is added after the square root, not inside it.",
            ),
            (
                walked(adam_like(*given, square=False), seed),
                "v 是梯度平方的平均，不是绝对值的。",
                "v is the mean of squared gradients, not of their absolute values.",
            ),
            (
                walked(lagging(*given), seed),
                "t 从 1 数起：第一步用 1 - beta ** 1，你的晚了一步。",
                "t counts from 1: the first step uses 1 - beta ** 1; yours lags behind.",
            ),
            (torch_walk("SGD", seed, lr=lr), "这是 SGD。", "That is SGD."),
        ]

        def call(w, g, s, given=given):
            return answer(w, g, s, *given)

        if first_step_divides_by_zero(call, seed):
            yield tr(
                f"{name} 除以了 0：t 从 1 数起，先加 1 再用，1 - beta ** 0 是 0。",
                f"{name} divides by 0: t counts from 1, so add 1 before you use it; 1 - beta ** 0 is 0.",
            )
        yield from walking_faults(name, call, seed, torch_walk("Adam", seed, lr=lr, betas=betas, eps=eps), mistakes)


def first_step_divides_by_zero(call, seed: int) -> bool:
    weight, gradients = problem(seed)
    try:
        moved = call(weight, gradients[0], {})
    except ZeroDivisionError:
        return True
    return hasattr(moved, "isnan") and bool(moved.isnan().any())


def lagging(lr, betas, eps):
    """Adam that corrects with t - 1 from the second step on."""

    def step(w, g, state):
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * g
        v = state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * g * g
        back = max(t - 1, 1)
        return w - lr * (m / (1 - betas[0] ** back)) / ((v / (1 - betas[1] ** back)).sqrt() + eps)

    return step


@exercise("04.3", **STEP)
def adamw(answer):
    settings = list(zip(SETTINGS, (0.5, 2.0, 0.1, 1.0), strict=True))
    for (seed, lr, betas, eps), decay in cases(settings, lambda rng: (a_setting(rng), rng.uniform(0, 1.5)), 4):
        name, given = f"adamw_step(…, lr={lr}, betas={betas}, eps={eps:g}, decay={decay})", (lr, betas, eps, decay)
        mistakes = [
            (
                walked(adam_like(*given, kind="L2"), seed),
                "衰减加进了梯度，这是 L2（Adam 的 weight_decay）：步幅归一化会把它抹平。AdamW 直接缩小权重。",
                "The decay went into the gradient: that is L2 (Adam's weight_decay), which the normalised stride evens out. AdamW shrinks the weight itself.",
            ),
            (walked(adam_like(*given), seed), "没有衰减：这是 Adam。", "There is no decay: that is Adam."),
            (
                walked(adam_like(*given, kind="unscaled"), seed),
                "衰减要乘学习率：权重乘 1 - lr * decay。",
                "The decay is multiplied by the learning rate: the weight times 1 - lr * decay.",
            ),
            (
                walked(adam_like(*given, kind="after"), seed),
                "缩小的是迈步之前的权重，不是之后的。",
                "What shrinks is the weight before the step, not after it.",
            ),
            (
                walked(adam_like(*given, correct=False, kind="decoupled"), seed),
                "衰减对了，但 Adam 部分漏了偏差修正。",
                "The decay is right, but Adam's bias correction is missing.",
            ),
        ]

        def call(w, g, s, given=given):
            return answer(w, g, s, *given)

        want = torch_walk("AdamW", seed, lr=lr, betas=betas, eps=eps, weight_decay=decay)
        yield from walking_faults(name, call, seed, want, mistakes)


MEANS = (  # v, t, lr, beta2, eps
    ([1e-6, 1e-2, 4.0], 3, 0.1, 0.9, 1e-8),
    ([0.04, 0.0, 9.0, 1e-4], 1, 1e-3, 0.999, 1e-2),
    ([2.0], 500, 0.01, 0.99, 1e-3),
)


def some_means(rng):
    v = [10 ** rng.uniform(-4, 1) for _ in range(rng.randint(1, 4))]
    return v, rng.randint(1, 30), rng.uniform(1e-3, 0.3), rng.uniform(0.5, 0.99), 10 ** rng.uniform(-3, -1)


@exercise("04.4")
def strides(answer):
    import torch

    for v, t, lr, beta, eps in cases(MEANS, some_means, 8):
        v = torch.tensor(v, dtype=torch.float64)
        given, fixed = f"effective_rate(v={v.tolist()}, t={t}, lr={lr}, beta2={beta}, eps={eps:g})", v / (1 - beta**t)
        want = lr / (fixed.sqrt() + eps)
        yield from faults(
            given,
            answer(v.clone(), t, lr, beta, eps),
            want,
            [
                (
                    lr / (v.sqrt() + eps),
                    "漏了偏差修正：v 先除以 1 - beta2 ** t。",
                    "The bias correction is missing: divide v by 1 - beta2 ** t first.",
                ),
                (
                    lr / (fixed + eps).sqrt(),
                    "eps 加在开方之后，不是根号里面。",
                    "eps is added after the square root, not inside it.",
                ),
                (1 / (fixed.sqrt() + eps), "漏了学习率 lr。", "The learning rate lr is missing."),
                (
                    lr / (fixed + eps),
                    "漏了开方：v 是平方的平均。",
                    "The square root is missing: v is a mean of squares.",
                ),
                (
                    lr * (fixed.sqrt() + eps),
                    "是除以，不是乘：梯度一向大的方向步子小。",
                    "Divide, don't multiply: where gradients are large, steps are small.",
                ),
                (
                    (lr / (fixed.sqrt() + eps)).mean(),
                    "每个参数有自己的步幅，不要平均。",
                    "Every parameter has a rate of its own: no mean.",
                ),
            ],
        )


COPIES = {"adamw": 2, "adam": 2, "momentum": 1, "sgd": 0}  # numbers kept for each parameter that trains


@exercise("04.5")
def memory(answer):
    fixed = itertools.product(((110_000_000, 600_000), (1_300_000, 258), (1_300_000, 1_300_000)), COPIES)
    for (total, trainable), kind in cases(
        fixed, lambda r: ((r.randint(5000, 9000), r.randint(1, 4999)), r.choice([*COPIES]))
    ):
        given, copies = f"memory(total={total}, trainable={trainable}, optimizer={kind!r})", COPIES[kind]
        want = 4 * (total + trainable * (1 + copies))
        yield from faults(
            given,
            answer(total, trainable, kind),
            want,
            [
                (
                    want // 4,
                    "这是数的个数；float32 每个占 4 个字节。",
                    "That counts numbers; each takes 4 bytes as float32.",
                ),
                (
                    4 * total * (2 + copies),
                    "冻结的参数没有梯度，也没有优化器状态。",
                    "Frozen parameters have neither gradients nor optimizer state.",
                ),
                (
                    4 * (total + trainable * copies),
                    "漏了梯度：每个参与训练的参数一个。",
                    "The gradients are missing: one for each parameter that trains.",
                ),
                (
                    4 * (total + trainable),
                    f"漏了优化器状态：{kind} 为每个参与训练的参数存 {copies} 个数。",
                    f"The optimizer's state is missing: {kind} keeps {copies} numbers for each parameter that trains.",
                ),
                (
                    4 * trainable * (1 + copies),
                    "漏了权重本身：冻结的也占内存。",
                    "The weights themselves are missing: frozen ones take memory too.",
                ),
                (
                    4 * trainable * (2 + copies),
                    "冻结的权重也要放在内存里。",
                    "Frozen weights are kept in memory as well.",
                ),
            ],
        )


CALLS, LEFT = 150, 1e-3  # gradients that may be asked, share of the height that may be left


@exercise("04.6", changes=(1,), shares=True)
def ravine(answer):
    import torch

    fixed = ((100.0, 0.0, 1), (100.0, 0.6, 2), (20.0, 1.1, 3), (100.0, 2.2, 4))
    for narrow, angle, seed in cases(fixed, lambda rng: (*rng.choice(fixed)[:2], rng.getrandbits(20)), 2):
        turn = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
        )
        slopes = turn @ torch.diag(torch.tensor([1.0, narrow], dtype=torch.float64)) @ turn.T
        source = torch.Generator().manual_seed(seed)
        bottom = torch.randn(2, generator=source, dtype=torch.float64)
        start = bottom + turn @ torch.tensor([4.0, 0.5], dtype=torch.float64)
        asked = []

        def gradient(point, slopes=slopes, bottom=bottom, asked=asked):
            asked.append(1)
            return slopes @ (point.detach() - bottom)

        def height(point, slopes=slopes, bottom=bottom):
            return float((point - bottom) @ slopes @ (point - bottom))

        got = answer(gradient, start.clone(), CALLS)
        given = tr(
            f"峡谷（宽窄比 {narrow:g}，转 {angle:g} 弧度）：", f"The ravine of ratio {narrow:g}, turned by {angle:g}: "
        )
        if not isinstance(got, torch.Tensor) or got.shape != start.shape:
            yield joined(
                given
                + tr(
                    f"应返回最后的位置，你的是 {shown(got)}。", f"the last position is wanted; yours is {shown(got)}."
                ),
                kind_fault(got, start),
            )
        if len(asked) > CALLS:
            yield given + tr(
                f"问了 {len(asked)} 次梯度，最多 {CALLS} 次。",
                f"you asked for {len(asked)} gradients; {CALLS} is the limit.",
            )
        few = len(asked)
        answer(gradient, start.clone(), 9)
        if len(asked) - few > 9:
            yield given + tr(
                f"`steps` 是 9 时你问了 {len(asked) - few} 次：最多问 `steps` 次，不是固定的次数。",
                f"with `steps` 9 you asked {len(asked) - few} times: `steps` is the limit, and no fixed number.",
            )
        left = height(got.detach().to(torch.float64)) / height(start)
        if not left < 2:
            yield given + tr(
                "越走越高了：步子超过了 2 / 最大坡度，学习率再小一些。",
                "you climbed instead: the step is over the cliff of 2 / steepest slope, take a smaller rate.",
            )
        if left > LEFT:
            yield given + tr(
                f"还剩下 {left:.2%} 的高度，要低于 {LEFT:.1%}。沿谷底的坡很缓，普通的梯度下降走不完：加上动量，或给每个方向自己的步幅。",
                f"{left:.2%} of the height is left; {LEFT:.1%} is the limit. Along the bottom the slope is gentle and plain gradient descent does not arrive: add momentum, or give each direction its own stride.",
            )
