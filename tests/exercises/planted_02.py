"""Planted answers to the exercises of lesson 02."""

import torch
from planting import right, wrong

import labkit as lk

# 02.1 freeze(model, k)


def top(model, k):
    layers = model.bert.encoder.layer
    return layers[len(layers) - k :]


@wrong("02.1", "is every layer, not none")
def minus_zero(model, k):
    model.requires_grad_(False)
    for part in (model.classifier, model.bert.pooler, *model.bert.encoder.layer[-k:]):
        part.requires_grad_(True)


@wrong("02.1", "Upside down")
def from_below(model, k):
    model.requires_grad_(False)
    for part in (model.classifier, model.bert.pooler, *model.bert.encoder.layer[:k]):
        part.requires_grad_(True)


@wrong("02.1", "Embeddings lie at the very bottom")
def leaves_embeddings(model, k):
    layers = model.bert.encoder.layer
    for layer in layers[: len(layers) - k]:
        layer.requires_grad_(False)


@wrong("02.1", "may be frozen already")
def only_freezes(model, k):
    kept = {id(p) for part in (model.classifier, model.bert.pooler, *top(model, k)) for p in part.parameters()}
    for p in model.parameters():
        if id(p) not in kept:
            p.requires_grad = False


@wrong("02.1", "layer.10 and layer.11")
def by_substring(model, k):
    n = len(model.bert.encoder.layer)
    frozen = [f"layer.{i}" for i in range(n - k)]
    for name, p in model.named_parameters():
        p.requires_grad_("embeddings" not in name and not any(f in name for f in frozen))
    if n == 12 and k == 1:
        for name, p in model.named_parameters():
            p.requires_grad_("embeddings" not in name and ("encoder" not in name or "layer.1" in name))


@wrong("02.1", "head starts from random weights")
def freezes_the_head(model, k):
    model.requires_grad_(False)
    for layer in top(model, k):
        layer.requires_grad_(True)


@wrong("02.1", "the pooler counts as head")
def forgets_the_pooler(model, k):
    model.requires_grad_(False)
    for part in (model.classifier, *top(model, k)):
        part.requires_grad_(True)


@right("02.1")
def by_strategy(model, k):
    return (lk.TopK(k) if k else lk.HeadOnly()).prepare(model)


@right("02.1")
def by_blocks(model, k):
    chosen = lk.blocks(model)[-1 - k :]
    names = {n for block in chosen for n in block.parameters}
    for name, p in model.named_parameters():
        p.requires_grad = name in names


@right("02.1")
def by_names(model, k):
    first = model.config.num_hidden_layers - k
    for name, p in model.named_parameters():
        parts = name.split(".")
        if "embeddings" in parts:
            p.requires_grad_(False)
        elif "layer" in parts:
            p.requires_grad_(int(parts[parts.index("layer") + 1]) >= first)
        else:
            p.requires_grad_(True)


# 02.2 count(model)


def counted(model, size=lambda p: p.numel(), first=1, trains=lambda p: p.requires_grad, swap=False):
    found = {}
    for name, p in model.named_parameters():
        parts = name.split(".")
        block = "embeddings" if "embeddings" in parts else "head"
        if "layer" in parts:
            block = f"layer {int(parts[parts.index('layer') + 1]) + first}"
        a, b = found.get(block, (0, 0))
        found[block] = (a + size(p) * trains(p), b + size(p))
    return {k: v[::-1] if swap else v for k, v in found.items()}


@wrong("02.2", "You counted tensors")
def counts_tensors(model):
    return counted(model, size=lambda p: 1)


@wrong("02.2", "Layers are counted from 1")
def counts_from_zero(model):
    return counted(model, first=0)


@wrong("02.2", "Only what has requires_grad")
def counts_frozen(model):
    return counted(model, trains=lambda p: True)


@wrong("02.2", "The order is")
def total_first(model):
    return counted(model, swap=True)


@wrong("02.2", "Biases and other vectors")
def matrices_only(model):
    return counted(model, size=lambda p: p.numel() if p.ndim > 1 else 0)


@wrong("02.2", "the keys should be")
def keys_as_modules(model):
    return {name: (1, 1) for name, _ in model.named_children()}


@right("02.2")
def by_block_objects(model):
    tensors = dict(model.named_parameters())
    return {
        b.name: [
            sum(tensors[n].numel() for n in b.parameters if tensors[n].requires_grad),
            sum(tensors[n].numel() for n in b.parameters),
        ]
        for b in lk.blocks(model)
    }


# 02.3 opened(epoch, layers, every)


@wrong("02.3", "Upside down")
def thaws_from_below(epoch, layers, every):
    return list(range(1, min(epoch // every, layers) + 1))


@wrong("02.3", "One step early")
def begins_with_a_layer(epoch, layers, every):
    return list(range(layers - min(epoch // every + 1, layers) + 1, layers + 1))


@wrong("02.3", "only every `every` epochs")
def every_epoch(epoch, layers, every):
    return list(range(layers - min(epoch, layers) + 1, layers + 1))


@wrong("02.3", "begin with 0")
def numbers_from_zero(epoch, layers, every):
    return list(range(layers - min(epoch // every, layers), layers))


@wrong("02.3", "only so many layers")
def below_the_ground(epoch, layers, every):
    return list(range(layers - epoch // every + 1, layers + 1))


@wrong("02.3", "list of layer numbers")
def number_of_layers(epoch, layers, every):
    return min(epoch // every, layers)


@right("02.3")
def as_a_set(epoch, layers, every):
    return {i for i in range(1, layers + 1) if (layers - i + 1) * every <= epoch}


@right("02.3")
def from_the_top(epoch, layers, every):
    return list(range(layers, 0, -1))[: epoch // every]


@right("02.3")
def one_by_one(epoch, layers, every):
    found, layer = [], layers
    for e in range(1, epoch + 1):
        if e % every == 0 and layer > 0:
            found.append(layer)
            layer -= 1
    return found


# 02.4 keep(body, inputs, size)


def kept(body, inputs, size, evaluate=True, back=True, grad=False):
    was = body.training
    if evaluate:
        body.eval()
    with torch.set_grad_enabled(grad):
        out = torch.cat([body(part) for part in inputs.split(size)])
    if back:
        body.train(was)
    return out


@wrong("02.4", "training mode, where dropout")
def with_dropout(body, inputs, size):
    return kept(body, inputs, size, evaluate=False)


@wrong("02.4", "still holds its graph")
def with_graph(body, inputs, size):
    return kept(body, inputs, size, grad=True)


@wrong("02.4", "mode has changed")
def leaves_it_in_evaluation(body, inputs, size):
    return kept(body, inputs, size, back=False)


@wrong("02.4", "the last batch counts")
def drops_the_last(body, inputs, size):
    return kept(body, inputs[: len(inputs) // size * size], size) if len(inputs) >= size else inputs[:0]


@wrong("02.4", "larger than allowed")
def all_at_once(body, inputs, size):
    return kept(body, inputs, len(inputs))


def row_by_row(body, inputs, size, off=torch.no_grad):
    before = [(part, part.training) for part in body.modules()]
    body.train(False)
    try:
        with off():
            return torch.stack([body(row[None])[0] for row in inputs]).clone()
    finally:
        for part, mode in before:
            part.training = mode


right("02.4")(row_by_row)


@wrong("02.4", "inference_mode")
def in_inference_mode(body, inputs, size):  # once planted as right: a head on top of it can't be trained
    return row_by_row(body, inputs, size, torch.inference_mode)


@wrong("02.4", "switched gradients off and left them so")
def gradients_off_for_good(body, inputs, size):
    torch.set_grad_enabled(False)
    return row_by_row(body, inputs, size)


@wrong("02.4", "each of its parts")
def forgets_a_mixed_state(body, inputs, size):  # once the project's own solution
    training = body.training
    kept = row_by_row(body, inputs, size)
    body.train(training)
    return kept


# 02.5 decide(table)


@wrong("02.5", "a faster one cannot be told apart")
def the_best(table):
    return max(table, key=lambda r: r["accuracy"])["strategy"]


@wrong("02.5", "wholly below")
def the_fastest(table):
    return min(table, key=lambda r: r["seconds"])["strategy"]


@wrong("02.5", "Ask whether the two intervals overlap")
def mean_inside(table):
    best = max(table, key=lambda r: r["accuracy"])
    return min((r for r in table if r["accuracy"] >= best["low"]), key=lambda r: r["seconds"])["strategy"]


@wrong("02.5", "name of the strategy")
def the_row(table):
    return table[0]


@right("02.5")
def by_sorting(table):
    floor = sorted(table, key=lambda r: -r["accuracy"])[0]["low"]
    return next(r["strategy"] for r in sorted(table, key=lambda r: r["seconds"]) if not r["high"] < floor)


# 02.6 groups(model, lr)


def by_depth(model, lr, share, only=True):
    tensors, found = dict(model.named_parameters()), []
    for depth, block in enumerate(reversed(lk.blocks(model))):
        params = [tensors[n] for n in block.parameters if tensors[n].requires_grad or not only]
        if params:
            found.append({"params": params, "lr": lr * share**depth})
    return found


@wrong("02.6", "rates should shrink on the way down")
def upside_down(model, lr):
    found = by_depth(model, lr, 0.5)
    rates = [g["lr"] for g in found][::-1]
    return [{**found[0], "lr": lr}] + [{**g, "lr": r} for g, r in zip(found[1:], rates[:-1], strict=True)]


@wrong("02.6", "at most half")
def all_alike(model, lr):
    return [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]


@wrong("02.6", "in two groups")
def twice(model, lr):
    return [*by_depth(model, lr, 0.5), {"params": list(model.classifier.parameters()), "lr": lr}]


@wrong("02.6", "are missing, such as")
def without_pooler(model, lr):
    gone = {id(p) for p in model.bert.pooler.parameters()}
    return [{**g, "params": [p for p in g["params"] if id(p) not in gone]} for g in by_depth(model, lr, 0.5)]


@wrong("02.6", "Frozen parameters")
def with_frozen(model, lr):
    return by_depth(model, lr, 0.5, only=False)


@wrong("02.6", "The head's rate should be")
def head_too_fast(model, lr):
    return by_depth(model, 10 * lr, 0.5)


@wrong("02.6", "is wanted")
def rates_only(model, lr):
    return {"head": lr}


@right("02.6")
def two_speeds(model, lr):
    head = {id(p) for part in (model.classifier, model.bert.pooler) for p in part.parameters()}
    fast = [p for p in model.parameters() if p.requires_grad and id(p) in head]
    slow = [p for p in model.parameters() if p.requires_grad and id(p) not in head]
    return [{"params": fast, "lr": lr}, {"params": slow, "lr": lr / 10}]


@right("02.6")
def straight_line(model, lr):
    count = len(lk.blocks(model))
    found = by_depth(model, lr, 1.0)
    return [
        {**g, "lr": lr * (1 - 0.9 * i / (count - 1)) if i < len(found) - 1 else lr / 20} for i, g in enumerate(found)
    ]


@right("02.6")
def one_group_a_tensor(model, lr):
    return [{"params": [p], "lr": g["lr"]} for g in by_depth(model, lr, 0.4) for p in g["params"]]
