"""Planted answers to the exercises of lesson 05."""

import copy
import math

import torch
from planting import right, wrong
from torch.nn.functional import cross_entropy

# 05.1 fit(model, batches, optimizer, epochs, rate)


def looped(model, batches, optimizer, epochs, rate, **how):
    """The loop, with a mistake where `how` asks for one."""
    model.train(how.get("mode", True))
    means, step = [], 0
    for epoch in range(epochs):
        found, step = [], 0 if how.get("again") else step
        for inputs, target in batches(how.get("epoch", epoch)):
            if how.get("clear", "before") == "before":
                optimizer.zero_grad()
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            groups = optimizer.param_groups[: 1 if how.get("one") else None]
            if how.get("late"):
                optimizer.step()
            for group in groups:
                group["lr"] = rate(step)
            if not how.get("late"):
                optimizer.step()
            if how.get("clear") == "after":
                optimizer.zero_grad()
            found.append((loss if how.get("graph") else loss.item(), len(target)))
            step += 1
        weights = [1 if how.get("by_batch") else n for _, n in found]
        means.append(sum(x * w for (x, _), w in zip(found, weights, strict=True)) / sum(weights))
    return means


@wrong("05.1", "cleared|leaked into the first step")
def clears_after_the_step(*given):
    return looped(*given, clear="after")


@wrong("05.1", "never cleared")
def never_clears(*given):
    return looped(*given, clear="never")


@wrong("05.1", "The rate comes late")
def sets_the_rate_late(*given):
    return looped(*given, late=True)


@wrong("05.1", "counted from 0 in every epoch")
def counts_anew(*given):
    return looped(*given, again=True)


@wrong("05.1", "only one parameter group")
def first_group_only(*given):
    return looped(*given, one=True)


@wrong("05.1", "should be called once each")
def same_order_always(*given):
    return looped(*given, epoch=0)


@wrong("05.1", "evaluation mode")
def stays_in_exam_mode(*given):
    return looped(*given, mode=False)


@wrong("05.1", "must not weigh as much")
def mean_of_means(*given):
    return looped(*given, by_batch=True)


@wrong("05.1", "hold their graphs")
def keeps_graphs(*given):
    return looped(*given, graph=True)


@wrong("05.1", "returns nothing")
def forgets_to_return(*given):
    looped(*given)


@wrong("05.1", "One mean loss an epoch")
def a_loss_a_step(model, batches, optimizer, epochs, rate):
    losses, kept = [], []

    def noting(epoch):
        kept.extend(batches(epoch))
        return kept[-3:]

    losses = looped(model, noting, optimizer, epochs, rate)
    return losses * 3


@right("05.1")
def with_sums(model, batches, optimizer, epochs, rate):
    model.train()
    step, means = 0, []
    for epoch in range(epochs):
        sums = torch.zeros(2)
        for inputs, target in batches(epoch):
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            model.zero_grad()
            loss = cross_entropy(model(inputs), target, reduction="sum")
            (loss / len(target)).backward()
            optimizer.step()
            sums += torch.tensor([loss.item(), len(target)])
            step += 1
        means.append((sums[0] / sums[1]).item())
    return means


@right("05.1")
def clears_at_both_ends(model, batches, optimizer, epochs, rate):
    optimizer.zero_grad()
    return looped(model, batches, optimizer, epochs, rate, clear="after")


@right("05.1")
def flattened(model, batches, optimizer, epochs, rate):
    model.train()
    parts = [(epoch, batch) for epoch in range(epochs) for batch in list(batches(epoch))]
    found = [[] for _ in range(epochs)]
    for step, (epoch, (inputs, target)) in enumerate(parts):
        for parameter in model.parameters():
            parameter.grad = None
        loss = cross_entropy(model(inputs), target)
        loss.backward()
        for group in optimizer.param_groups:
            group.update(lr=rate(step))
        optimizer.step()
        found[epoch] += [loss.item()] * len(target)
    return tuple(sum(losses) / len(losses) for losses in found)


# 05.2 accumulate(model, inputs, target, size)


def in_pieces(model, inputs, target, size, weight=lambda n, rows, pieces: n / rows, cut=False):
    total, pieces = 0.0, list(zip(inputs.split(size), target.split(size), strict=True))
    for x, y in [p for p in pieces if len(p[1]) == size or not cut]:
        loss = cross_entropy(model(x), y) * weight(len(y), len(target), len(pieces))
        loss.backward()
        total = total + loss.item()
    return total


@wrong("05.2", "mean of the pieces' means")
def divides_by_pieces(*given):
    return in_pieces(*given, weight=lambda n, rows, pieces: 1 / pieces)


@wrong("05.2", "were just added up")
def adds_means(*given):
    return in_pieces(*given, weight=lambda n, rows, pieces: 1)


@wrong("05.2", "gradient of the sum")
def sums_rows(*given):
    return in_pieces(*given, weight=lambda n, rows, pieces: n)


@wrong("05.2", "yet you sent")
def all_at_once(model, inputs, target, size):
    return in_pieces(model, inputs, target, len(inputs))


@wrong("05.2", "last piece counts")
def drops_the_last(*given):
    return in_pieces(*given, cut=True)


@wrong("05.2", "don't clear it")
def clears_in_the_end(model, *given):
    total = in_pieces(model, *given)
    model.zero_grad()
    return total


@wrong("05.2", "no step")
def makes_a_step(model, *given):
    total = in_pieces(model, *given)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    return total


@wrong("05.2", "what is returned")
def returns_the_last(model, inputs, target, size):
    in_pieces(model, inputs, target, size)
    with torch.no_grad():
        return cross_entropy(model(inputs[-1:]), target[-1:]).item()


@right("05.2")
def summed_then_divided(model, inputs, target, size):
    total = 0.0
    for start in range(0, len(target), size):
        loss = cross_entropy(model(inputs[start : start + size]), target[start : start + size], reduction="sum")
        loss.backward()
        total += loss.item()
    for p in model.parameters():
        p.grad /= len(target)
    return total / len(target)


@right("05.2")
def row_by_row(model, inputs, target, size):
    losses = []
    for x, y in zip(inputs, target, strict=True):
        loss = cross_entropy(model(x[None]), y[None]) / len(target)
        loss.backward()
        losses.append(loss.detach())
    return torch.stack(losses).sum()


@right("05.2")
def with_a_weight(*given):
    return in_pieces(*given)


# 05.3 clip(parameters, most)


def clipped(parameters, most, factor=lambda length, most: min(1.0, most / length)):
    slopes = [p.grad for p in parameters if p.grad is not None]
    length = math.sqrt(sum((g * g).sum().item() for g in slopes))
    for g in slopes:
        g.mul_(factor(length, most))
    return length


@wrong("05.3", "tensor by tensor")
def one_by_one(parameters, most):
    length = clipped(parameters, math.inf)
    for p in parameters:
        clipped([p], most) if p.grad is not None else None
    return length


@wrong("05.3", "never lengthen")
def always_scales(parameters, most):
    return clipped(parameters, most, lambda length, most: most / length)


@wrong("05.3", "cut off single numbers")
def by_value(parameters, most):
    length = clipped(parameters, math.inf)
    for p in parameters:
        if p.grad is not None:
            p.grad.clamp_(-most, most)
    return length


@wrong("05.3", "unchanged")
def rebinds_a_name(parameters, most):
    length = clipped(parameters, math.inf)
    for p in parameters:
        if p.grad is not None:
            grad = p.grad
            grad = grad * min(1.0, most / length)
    return length


@wrong("05.3", r"\*\*before\*\* clipping")
def length_after(parameters, most):
    return min(clipped(parameters, most), most)


@wrong("05.3", "'NoneType'")
def forgets_the_frozen(parameters, most):
    return math.sqrt(sum((p.grad**2).sum().item() for p in parameters))


@wrong("05.3", "left alone")
def fills_the_frozen(parameters, most):
    for p in parameters:
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
    return clipped(parameters, most)


@right("05.3")
def with_one_long_vector(parameters, most):
    slopes = [p.grad for p in parameters if p.grad is not None]
    length = torch.cat([g.flatten() for g in slopes]).norm()
    if length > most:
        for p in parameters:
            if p.grad is not None:
                p.grad = p.grad / length * most
    return length


@right("05.3")
def with_norm_of_norms(parameters, most):
    slopes = [p.grad for p in parameters if p.grad is not None]
    length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in slopes]))
    torch._foreach_mul_(slopes, min(1.0, most / (length.item() + 1e-6)))
    return length.item()


@right("05.3")
def scales_always_by_at_most_one(parameters, most):
    return clipped(parameters, most)


# 05.4 train(model, epoch, score, most, patience)


def stopped(model, epoch, score, most, patience, keep=copy.deepcopy, better=lambda now, best: now > best, **how):
    best, at, bad, kept, before = how.get("start", -math.inf), 0, 0, None, -math.inf
    for number in range(1, most + 1):
        epoch(model)
        now = score(model)
        if better(now, before if how.get("previous") else best):
            best, at, kept = now, number, keep(model.state_dict())
            bad = bad if how.get("total") else 0
        else:
            bad += 1
        before = now
        if bad >= patience + how.get("longer", 0):
            break
    if kept is not None and not how.get("last"):
        model.load_state_dict(kept)
    return at - how.get("minus", 0)


@wrong("05.4", "clone\\(\\) each")
def keeps_no_copy(*given):
    return stopped(*given, keep=lambda state: state)


@wrong("05.4", "clone\\(\\) each")
def keeps_a_shallow_copy(*given):
    return stopped(*given, keep=dict)


@wrong("05.4", "should be back in the end")
def ends_with_the_last(*given):
    return stopped(*given, last=True)


@wrong("05.4", "An equal score is no progress")
def equal_counts(*given):
    return stopped(*given, better=lambda now, best: now >= best)


@wrong("05.4", "not with the one before")
def against_the_one_before(*given):
    return stopped(*given, previous=True)


@wrong("05.4", "in a row")
def in_total(*given):
    return stopped(*given, total=True)


@wrong("05.4", "One epoch late")
def one_late(*given):
    return stopped(*given, longer=1)


@wrong("05.4", "never stops")
def never_stops(model, epoch, score, most, patience):
    return stopped(model, epoch, score, most, most + 1)


@wrong("05.4", "counted from 1")
def from_zero(*given):
    return stopped(*given, minus=1)


@wrong("05.4", "epochs should be trained")
def starts_at_zero(*given):
    return stopped(*given, start=0.0)


@right("05.4")
def with_clones(*given):
    return stopped(*given, keep=lambda state: {name: t.clone() for name, t in state.items()})


@right("05.4")
def with_a_list(model, epoch, score, most, patience):
    scores, copies = [], []
    while len(scores) < most:
        epoch(model)
        scores.append(score(model))
        copies.append(copy.deepcopy(model))
        if len(scores) - 1 - scores.index(max(scores)) >= patience:
            break
    at = scores.index(max(scores))
    with torch.no_grad():
        for mine, its in zip(model.parameters(), copies[at].parameters(), strict=True):
            mine.copy_(its)
    return at + 1


# 05.5 walk(model, optimizer, draw, rate, steps, state=None)


def walked(model, optimizer, draw, rate, steps, state=None, lost=(), keep=copy.deepcopy):
    start = 0
    if state is not None:
        start = 0 if "step" in lost else state["step"]
        if "parameters" not in lost:
            model.load_state_dict(state["model"])
        if "moments" not in lost:
            optimizer.load_state_dict(state["optimizer"] if "copy" in lost else copy.deepcopy(state["optimizer"]))
        if "random" not in lost:
            torch.set_rng_state(state["random"])
    losses = []
    for step in range(start, start + steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        inputs, target = draw()
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": start + steps}
    return losses, keep(kept | {"random": torch.get_rng_state()})


@wrong("05.5", "no copy")
def keeps_references(*given):
    return walked(*given, keep=lambda state: state)


@wrong("05.5", "from the same state a second time")
def spoils_what_it_returns_to(*given):
    return walked(*given, lost=("copy",))


@wrong("05.5", "optimizer's moments were lost: keep")
def without_moments(*given):
    return walked(*given, lost=("moments",))


@wrong("05.5", "random state was lost")
def without_random_state(*given):
    return walked(*given, lost=("random",))


@wrong("05.5", "number of the step was lost")
def without_the_step(*given):
    return walked(*given, lost=("step",))


@wrong("05.5", "not put back")
def without_parameters(*given):
    return walked(*given, lost=("parameters",))


@wrong("05.5", "Only the parameters went on")
def parameters_only(*given):
    return walked(*given, lost=("moments", "random", "step"))


@wrong("05.5", r"Two things should be returned, \(losses, state\)")
def losses_only(*given):
    return walked(*given)[0]


@right("05.5")
def through_a_file(*given):
    import io

    def file(state):
        made = io.BytesIO()
        torch.save(state, made)
        return torch.load(io.BytesIO(made.getvalue()), weights_only=True)

    return walked(*given, keep=file)


@right("05.5")
def by_hand(model, optimizer, draw, rate, steps, state=None):
    parameters = list(model.parameters())
    done = 0
    if state is not None:
        done, tensors, moments, random = state
        with torch.no_grad():
            for p, kept, its in zip(parameters, tensors, moments, strict=True):
                p.copy_(kept)
                optimizer.state[p] = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in its.items()}
        torch.random.set_rng_state(random)
    losses = walked(model, optimizer, draw, lambda n: rate(n + done), steps)[0]
    moments = [copy.deepcopy(dict(optimizer.state[p])) for p in parameters]
    return losses, (done + steps, [p.detach().clone() for p in parameters], moments, torch.random.get_rng_state())


@right("05.5")
def with_whole_copies(model, optimizer, draw, rate, steps, state=None):
    if state is None:
        return walked(model, optimizer, draw, rate, steps)
    return walked(model, optimizer, draw, rate, steps, copy.deepcopy(state))


# 05.6 hopeless(history)


def rules(history, flat=6, rising=5, exploded=4, nan=True):
    valid = [e["valid_loss"] for e in history]
    if not math.isfinite(history[-1]["train_loss"]):
        return nan
    best = valid.index(min(valid))
    if len(valid) >= exploded and valid[-1] > 2 * min(valid):
        return True
    if len(valid) >= flat and max(valid) - min(valid) < 0.02:
        return True
    return len(valid) - 1 - best >= rising


@wrong("05.6", "still warming up")
def impatient_with_slow_starts(history):
    return rules(history, flat=3)


@wrong("05.6", "a stumble in epoch 3")
def stops_at_the_first_rise(history):
    valid = [e["valid_loss"] for e in history]
    return rules(history) or (len(valid) > 1 and valid[-1] > valid[-2])


@wrong("05.6", "20 classes")
def high_is_hopeless(history):
    return rules(history) or history[-1]["valid_loss"] > 2


@wrong("05.6", "NaN from epoch 2")
def blind_to_nan(history):
    return rules(history, nan=False)


@wrong("05.6", "not a move")
def only_sees_rises(history):
    return rules(history, flat=99)


@wrong("05.6", "exploded to about 8")
def only_sees_standstill(history):
    return rules(history, exploded=99, rising=99)


@wrong("05.6", "uphill from epoch 2")
def watches_the_training_loss(history):
    valid = rules(history, rising=99)
    train = [e["train_loss"] for e in history]
    return valid or len(train) - 1 - train.index(min(train)) >= 5


@wrong("05.6", "True or False is wanted")
def says_why(history):
    return "no" if rules(history) else "go on"


@wrong("05.6", "100 classes")
def two_is_high(history):  # once the project's own solution
    valid = [e["valid_loss"] for e in history]
    high = len(valid) >= 4 and min(valid) > 2 and history[-1]["valid_accuracy"] < 0.55
    return rules(history, exploded=99) or high


@right("05.6")
def by_rules(history):
    return rules(history)


@right("05.6")
def with_windows(history):
    last = history[-1]
    if last["train_loss"] != last["train_loss"]:
        return True
    early, late = [e["valid_loss"] for e in history[:-5]], [e["valid_loss"] for e in history[-5:]]
    loud = len(history) == 5 and last["valid_loss"] > 1.5 * min(e["valid_loss"] for e in history)
    return loud or (bool(early) and min(late) > min(early) - 0.006)


@right("05.6")
def by_accuracy_too(history):
    valid = [e["valid_loss"] for e in history]
    broken = any(math.isnan(e["train_loss"]) for e in history)
    wild = len(history) >= 4 and history[-1]["train_loss"] > 1.2 * min(e["train_loss"] for e in history)
    stuck = len(history) >= 7 and all(e["valid_accuracy"] <= 0.52 for e in history)
    return (
        broken
        or wild
        or stuck
        or (valid[-4:] == sorted(valid[-4:]) and len(valid) > 6 and min(valid[-4:]) > min(valid))
    )


# Found by an attack on the checks: wrong answers that once passed, right ones that once failed


@wrong("05.1", "evaluation mode")
def stays_in_exam_mode_by_forward(model, batches, optimizer, epochs, rate):
    step, means = 0, []
    for epoch in range(epochs):
        found = []
        for inputs, target in batches(epoch):
            optimizer.zero_grad()
            loss = cross_entropy(model.forward(inputs), target)
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            optimizer.step()
            found += [loss.item()] * len(target)
            step += 1
        means.append(sum(found) / len(found))
    return means


@wrong("05.1", "hold their graphs")
def one_tensor_with_its_graph(*given):
    return torch.stack(looped(*given, graph=True))


@wrong("05.1", "counts steps, not epochs")
def rate_of_the_epoch(model, batches, optimizer, epochs, rate):
    means = []
    for epoch in range(epochs):
        means += looped(model, lambda _, e=epoch: batches(e), optimizer, 1, lambda _, e=epoch: rate(e))
    return means


@wrong("05.2", "graphs of 16 rows were in memory")
def one_backward_in_the_end(model, inputs, target, size):
    total = sum(
        cross_entropy(model(x), y, reduction="sum") for x, y in zip(inputs.split(size), target.split(size), strict=True)
    )
    (total / len(target)).backward()
    return total.item() / len(target)


@wrong("05.2", "model's mode")
def switches_the_mode(model, *given):
    model.train()
    model.eval()
    return in_pieces(model, *given)


@right("05.2")
def layer_by_layer(model, inputs, target, size):
    total = 0.0
    for start in range(0, len(target), size):
        hidden = inputs[start : start + size]
        for layer in model:
            hidden = layer(hidden)
        loss = cross_entropy(hidden, target[start : start + size], reduction="sum") / len(target)
        loss.backward()
        total += loss.detach()
    return total.numpy()


@wrong("05.3", "parameters changed")
def scales_the_parameters_too(parameters, most):
    length = clipped(parameters, most)
    for p in parameters:
        p.data.mul_(0.5)
    return length


@wrong("05.5", "kept after it is not")
def counts_only_its_own_steps(model, optimizer, draw, rate, steps, state=None):
    losses, kept = walked(model, optimizer, draw, rate, steps, state)
    return losses, kept | {"step": steps}


@wrong("05.6", "twelve epochs, steady")
def by_the_clock(history):
    last = history[-1]
    return not math.isfinite(last["train_loss"]) or (len(history) >= 5 and last["valid_loss"] > 2) or len(history) >= 8
