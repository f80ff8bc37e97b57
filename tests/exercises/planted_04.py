"""Planted answers to the exercises of lesson 04."""

import math

import torch
from planting import right, wrong

# 04.1 momentum_step(weight, gradient, state, lr, momentum)


@wrong("04.1", "SGD without momentum")
def forgets_the_state(weight, gradient, state, lr, momentum):
    v = momentum * state.get("v", 0) + gradient
    return weight - lr * v


@wrong("04.1", "it does not average")
def averages(weight, gradient, state, lr, momentum):
    state["v"] = momentum * state.get("v", 0) + (1 - momentum) * gradient
    return weight - lr * state["v"]


@wrong("04.1", "go against the gradient")
def climbs(weight, gradient, state, lr, momentum):
    state["v"] = momentum * state.get("v", 0) + gradient
    return weight + lr * state["v"]


@wrong("04.1", "keeps the very gradient")
def changes_the_gradient(weight, gradient, state, lr, momentum):
    state["v"] = gradient.add_(momentum * state.get("v", 0))
    return weight - lr * state["v"]


@wrong("04.1", "Nesterov")
def nesterov(weight, gradient, state, lr, momentum):
    state["v"] = momentum * state.get("v", 0) + gradient
    return weight - lr * (gradient + momentum * state["v"])


@wrong("04.1", "raised KeyError: 'v'")
def expects_a_state(weight, gradient, state, lr, momentum):
    state["v"] = momentum * state["v"] + gradient
    return weight - lr * state["v"]


@wrong("04.1", "should return the new weight")
def changes_in_place_only(weight, gradient, state, lr, momentum):
    state["v"] = momentum * state.get("v", 0) + gradient
    weight -= lr * state["v"]


@right("04.1")
def rate_inside(weight, gradient, state, lr, momentum):
    state["step"] = momentum * state.get("step", torch.zeros_like(weight)) - lr * gradient
    return weight + state["step"]


@right("04.1")
def in_place(weight, gradient, state, lr, momentum):
    velocity = state.setdefault("velocity", torch.zeros(weight.shape, dtype=weight.dtype))
    velocity.mul_(momentum).add_(gradient)
    return weight.sub_(velocity, alpha=lr)


@right("04.1")
def all_gradients(weight, gradient, state, lr, momentum):
    past = state.setdefault("gradients", [])
    past.append(gradient.clone())
    return weight - lr * sum(g * momentum ** (len(past) - 1 - i) for i, g in enumerate(past))


# 04.2 adam_step(weight, gradient, state, lr, betas, eps)


def moments(gradient, state, betas):
    state["t"] = state.get("t", 0) + 1
    state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * gradient
    state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * gradient**2
    t = state["t"]
    return state["m"] / (1 - betas[0] ** t), state["v"] / (1 - betas[1] ** t)


@wrong("04.2", "bias correction is missing")
def uncorrected(weight, gradient, state, lr, betas, eps):
    moments(gradient, state, betas)
    return weight - lr * state["m"] / (state["v"].sqrt() + eps)


@wrong("04.2", "not inside it")
def eps_inside(weight, gradient, state, lr, betas, eps):
    m, v = moments(gradient, state, betas)
    return weight - lr * m / (v + eps).sqrt()


@wrong("04.2", "t counts from 1, so add 1")
def counts_from_zero(weight, gradient, state, lr, betas, eps):
    t = state.get("t", 0)
    state["t"] = t + 1
    state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * gradient
    state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * gradient**2
    m, v = state["m"] / (1 - betas[0] ** t), state["v"] / (1 - betas[1] ** t)
    return weight - lr * m / (v.sqrt() + eps)


@wrong("04.2", "squared gradients")
def absolute(weight, gradient, state, lr, betas, eps):
    t = state["t"] = state.get("t", 0) + 1
    state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * gradient
    state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * gradient.abs()
    m, v = state["m"] / (1 - betas[0] ** t), state["v"] / (1 - betas[1] ** t)
    return weight - lr * m / (v.sqrt() + eps)


@wrong("04.2", "That is SGD")
def gradient_descent(weight, gradient, state, lr, betas, eps):
    return weight - lr * gradient


@wrong("04.2", "yours lags behind")
def one_behind(weight, gradient, state, lr, betas, eps):
    moments(gradient, state, betas)
    t = max(state["t"] - 1, 1)
    m, v = state["m"] / (1 - betas[0] ** t), state["v"] / (1 - betas[1] ** t)
    return weight - lr * m / (v.sqrt() + eps)


@wrong("04.2", "should give")
def stores_the_corrected(weight, gradient, state, lr, betas, eps):
    state["m"], state["v"] = moments(gradient, state, betas)
    return weight - lr * state["m"] / (state["v"].sqrt() + eps)


@right("04.2")
def as_torch_does(weight, gradient, state, lr, betas, eps):
    if not state:
        state.update(step=0, exp_avg=torch.zeros_like(weight), exp_avg_sq=torch.zeros_like(weight))
    state["step"] += 1
    state["exp_avg"].lerp_(gradient, 1 - betas[0])
    state["exp_avg_sq"].mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    size = lr / (1 - betas[0] ** state["step"])
    denominator = (state["exp_avg_sq"].sqrt() / math.sqrt(1 - betas[1] ** state["step"])).add_(eps)
    return weight.addcdiv(state["exp_avg"], denominator, value=-size)


@right("04.2")
def from_history(weight, gradient, state, lr, betas, eps):
    past = state.setdefault("past", [])
    past.append(gradient.clone())

    def mean(beta, values):
        weights = [beta**i for i in range(len(values))][::-1]
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    return weight - lr * mean(betas[0], past) / (mean(betas[1], [g * g for g in past]).sqrt() + eps)


@right("04.2")
def number_by_number(weight, gradient, state, lr, betas, eps):
    flat, out = gradient.flatten().tolist(), weight.flatten().tolist()
    m, v, t = state.get("all", ([0.0] * len(flat), [0.0] * len(flat), 0))
    m = [betas[0] * a + (1 - betas[0]) * g for a, g in zip(m, flat, strict=True)]
    v = [betas[1] * a + (1 - betas[1]) * g * g for a, g in zip(v, flat, strict=True)]
    state["all"] = (m, v, t + 1)
    for i in range(len(out)):
        root = math.sqrt(v[i] / (1 - betas[1] ** (t + 1)))
        out[i] -= lr * m[i] / (1 - betas[0] ** (t + 1)) / (root + eps)
    return torch.tensor(out, dtype=weight.dtype).reshape(weight.shape)


# 04.3 adamw_step(weight, gradient, state, lr, betas, eps, decay)


def adam(weight, gradient, state, lr, betas, eps):
    m, v = moments(gradient, state, betas)
    return weight - lr * m / (v.sqrt() + eps)


@wrong("04.3", "that is L2")
def in_the_gradient(weight, gradient, state, lr, betas, eps, decay):
    return adam(weight, gradient + decay * weight, state, lr, betas, eps)


@wrong("04.3", "There is no decay")
def without_decay(weight, gradient, state, lr, betas, eps, decay):
    return adam(weight, gradient, state, lr, betas, eps)


@wrong("04.3", "multiplied by the learning rate")
def decay_alone(weight, gradient, state, lr, betas, eps, decay):
    return adam(weight * (1 - decay), gradient, state, lr, betas, eps)


@wrong("04.3", "before the step, not after")
def decays_afterwards(weight, gradient, state, lr, betas, eps, decay):
    return adam(weight, gradient, state, lr, betas, eps) * (1 - lr * decay)


@wrong("04.3", "bias correction is missing")
def decays_uncorrected(weight, gradient, state, lr, betas, eps, decay):
    return uncorrected(weight * (1 - lr * decay), gradient, state, lr, betas, eps)


@right("04.3")
def in_one_sum(weight, gradient, state, lr, betas, eps, decay):
    m, v = moments(gradient, state, betas)
    return weight - lr * (m / (v.sqrt() + eps) + decay * weight)


# 04.4 effective_rate(v, t, lr, beta2, eps)


@wrong("04.4", "bias correction is missing")
def rate_uncorrected(v, t, lr, beta2, eps):
    return lr / (v.sqrt() + eps)


@wrong("04.4", "not inside it")
def rate_eps_inside(v, t, lr, beta2, eps):
    return lr / (v / (1 - beta2**t) + eps).sqrt()


@wrong("04.4", "learning rate lr is missing")
def rate_without_lr(v, t, lr, beta2, eps):
    return 1 / ((v / (1 - beta2**t)).sqrt() + eps)


@wrong("04.4", "square root is missing")
def rate_without_root(v, t, lr, beta2, eps):
    return lr / (v / (1 - beta2**t) + eps)


@wrong("04.4", "no mean|shape should be")
def rate_averaged(v, t, lr, beta2, eps):
    return (lr / ((v / (1 - beta2**t)).sqrt() + eps)).mean()


@wrong("04.4", "Divide, don't multiply")
def rate_multiplied(v, t, lr, beta2, eps):
    return lr * ((v / (1 - beta2**t)).sqrt() + eps)


@right("04.4")
def rate_with_numbers(v, t, lr, beta2, eps):
    return torch.tensor([lr / (math.sqrt(x / (1 - beta2**t)) + eps) for x in v.tolist()])


# 04.5 memory(total, trainable, optimizer)

COPIES = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}


@wrong("04.5", "takes 4 bytes")
def in_numbers(total, trainable, optimizer):
    return total + trainable * (1 + COPIES[optimizer])


@wrong("04.5", "Frozen parameters have neither")
def state_for_all(total, trainable, optimizer):
    return 4 * total * (2 + COPIES[optimizer])


@wrong("04.5", "The gradients are missing")
def without_gradients(total, trainable, optimizer):
    return 4 * (total + trainable * COPIES[optimizer])


@wrong("04.5", "optimizer's state is missing")
def without_state(total, trainable, optimizer):
    return 4 * (total + trainable)


@wrong("04.5", "weights themselves are missing")
def without_weights(total, trainable, optimizer):
    return 4 * trainable * (1 + COPIES[optimizer])


@wrong("04.5", "kept in memory as well")
def trainable_only(total, trainable, optimizer):
    return 4 * trainable * (2 + COPIES[optimizer])


@right("04.5")
def part_by_part(total, trainable, optimizer):
    states = 2 if optimizer.startswith("adam") else 1 if optimizer == "momentum" else 0
    return sum(4 * n for n in (total, trainable, *[trainable] * states))


# 04.6 descend(gradient, start, steps)


@wrong("04.6", "plain gradient descent does not arrive")
def small_steps(gradient, start, steps):
    point = start
    for _ in range(steps):
        point = point - 0.019 * gradient(point)
    return point


@wrong("04.6", "over the cliff")
def large_steps(gradient, start, steps):
    point = start
    for _ in range(steps):
        point = point - 0.03 * gradient(point)
    return point


@wrong("04.6", "is the limit")
def too_many(gradient, start, steps):
    point = start
    for _ in range(10 * steps):
        point = point - 0.019 * gradient(point)
    return point


@wrong("04.6", "height is left")
def guesses_zero(gradient, start, steps):
    return start * 0.9


@wrong("04.6", "last position is wanted")
def returns_the_path(gradient, start, steps):
    return [start]


@right("04.6")
def with_momentum(gradient, start, steps):
    point, v = start, 0
    for _ in range(steps):
        v = 0.8 * v + gradient(point)
        point = point - 0.03 * v
    return point


@right("04.6")
def with_adam(gradient, start, steps):
    point, optimizer = torch.nn.Parameter(start.clone()), None
    optimizer = torch.optim.Adam([point], lr=0.3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / steps)
        point.grad = gradient(point)
        optimizer.step()
    return point


@right("04.6")
def with_newton(gradient, start, steps):
    at = gradient(start)
    columns = [gradient(start + unit) - at for unit in torch.eye(2, dtype=start.dtype)]
    return start - torch.linalg.solve(torch.stack(columns, 1), at)


@right("04.6")
def with_conjugate_gradients(gradient, start, steps):
    point, residual = start, -gradient(start)
    direction = residual
    for _ in range(2):
        curved = gradient(point + direction) + residual
        length = residual @ residual / (direction @ curved)
        point, old = point + length * direction, residual
        residual = old - length * curved
        direction = residual + residual @ residual / (old @ old) * direction
    return point
