"""Planted answers to the exercises of lesson 03."""

import math

import torch
from planting import right, wrong
from torch import nn
from torch.nn import functional

# 03.1 lora(x, weight, bias, a, b, alpha)


@wrong("03.1", "The scale is missing")
def unscaled(x, weight, bias, a, b, alpha):
    return x @ weight.T + bias + x @ a.T @ b.T


@wrong("03.1", "not alpha")
def scaled_by_alpha(x, weight, bias, a, b, alpha):
    return x @ weight.T + bias + alpha * (x @ a.T @ b.T)


@wrong("03.1", "The scale is alpha / r|should give")
def scaled_by_width(x, weight, bias, a, b, alpha):
    return x @ weight.T + bias + alpha / a.shape[1] * (x @ a.T @ b.T)


@wrong("03.1", "upside down")
def scale_upside_down(x, weight, bias, a, b, alpha):
    return x @ weight.T + bias + a.shape[0] / alpha * (x @ a.T @ b.T)


@wrong("03.1", "The bias is missing")
def without_bias(x, weight, bias, a, b, alpha):
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)


@wrong("03.1", "The old x Wᵀ")
def without_base(x, weight, bias, a, b, alpha):
    return alpha / len(a) * (x @ a.T @ b.T)


@wrong("03.1", "Scale only the part")
def scales_everything(x, weight, bias, a, b, alpha):
    return alpha / len(a) * (x @ weight.T + bias + x @ a.T @ b.T)


@wrong("03.1", "raised RuntimeError.*in this line: return x @ weight.T")
def wrong_way_round(x, weight, bias, a, b, alpha):
    return x @ weight.T + bias + alpha / len(a) * (x @ b @ a)


@right("03.1")
def with_linear(x, weight, bias, a, b, alpha):
    return functional.linear(x, weight, bias) + functional.linear(functional.linear(x, a), b) * alpha / b.shape[1]


@right("03.1")
def merged_first(x, weight, bias, a, b, alpha):
    return x @ (weight + (alpha / a.size(0)) * b @ a).t() + bias


@right("03.1")
def with_einsum(x, weight, bias, a, b, alpha):
    change = torch.einsum("ni,ri,or->no", x, a, b) * (alpha / a.shape[0])
    return torch.addmm(bias, x, weight.mT) + change


# 03.2 merge(weight, a, b, alpha)


@wrong("03.2", "The scale is missing")
def merges_unscaled(weight, a, b, alpha):
    return weight + b @ a


@wrong("03.2", "return a new tensor")
def merges_in_place(weight, a, b, alpha):
    weight += alpha / len(a) * (b @ a)
    return weight


@wrong("03.2", "raised RuntimeError|transposed")
def merges_transposed(weight, a, b, alpha):
    return weight + alpha / len(a) * (b @ a).T


@wrong("03.2", "only the change")
def change_only(weight, a, b, alpha):
    return alpha / len(a) * (b @ a)


@wrong("03.2", "sign is wrong")
def subtracts(weight, a, b, alpha):
    return weight - alpha / len(a) * (b @ a)


@wrong("03.2", "not alpha")
def merges_with_alpha(weight, a, b, alpha):
    return weight + alpha * (b @ a)


@wrong("03.2", "`return` missing")
def merges_without_return(weight, a, b, alpha):
    weight = weight + alpha / len(a) * (b @ a)


@right("03.2")
def with_addmm(weight, a, b, alpha):
    return torch.addmm(weight, b, a, alpha=alpha / a.shape[0])


# 03.3 Adapter(width, size)


class Plain(nn.Module):
    """A right adapter whose parts the planted ones change."""

    def __init__(self, width, size):
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(torch.relu(self.down(x)))


@wrong("03.3", "the residual is missing")
class WithoutResidual(Plain):
    def forward(self, x):
        return self.up(torch.relu(self.down(x)))


@wrong("03.3", "no effect at first")
class RandomStart(Plain):
    def __init__(self, width, size):
        super().__init__(width, size)
        self.up.reset_parameters()


@wrong("03.3", "no effect at first")
class BiasNotZero(Plain):
    def __init__(self, width, size):
        super().__init__(width, size)
        nn.init.ones_(self.up.bias)


@wrong("03.3", "both layers at zero")
class BothZero(Plain):
    def __init__(self, width, size):
        super().__init__(width, size)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x):
        return x + self.up(torch.tanh(self.down(x)))


@wrong("03.3", "is linear")
class Straight(Plain):
    def forward(self, x):
        return x + self.up(self.down(x))


@wrong("03.3", "the middle is only")
class TooWide(Plain):
    def __init__(self, width, size):
        super().__init__(width, 2 * width)


@wrong("03.3", "subclass of torch.nn.Module")
def a_function(width, size):
    return lambda x: x


@wrong("03.3", "raised AttributeError")
class WithoutSuper(nn.Module):
    def __init__(self, width, size):
        self.down = nn.Linear(width, size)


@right("03.3")
class Sequence(nn.Sequential):
    def __init__(self, width, size):
        up = nn.Linear(size, width)
        with torch.no_grad():
            up.weight.fill_(0)
            up.bias.fill_(0)
        super().__init__(nn.Linear(width, size), nn.GELU(), up)

    def forward(self, x):
        return super().forward(x) + x


@right("03.3")
class Matrices(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        self.a = nn.Parameter(torch.randn(width, size) / math.sqrt(width))
        self.b = nn.Parameter(torch.zeros(size, width))

    def forward(self, x):
        return x + functional.silu(x @ self.a) @ self.b


@right("03.3")
def a_factory(width, size):
    return Plain(width, size)


# 03.4 prepend(hidden, mask, prompt)


def put(hidden, mask, prompt, ones=1, behind=False):
    front = prompt.expand(len(hidden), *prompt.shape)
    extra = torch.full((len(hidden), len(prompt)), ones)
    pairs = ([hidden, front], [mask, extra]) if behind else ([front, hidden], [extra, mask])
    return tuple(torch.cat(pair, 1) for pair in pairs)


@wrong("03.4", "before the text")
def puts_it_behind(hidden, mask, prompt):
    return put(hidden, mask, prompt, behind=True)


@wrong("03.4", "with 0 the model can't see it")
def masks_the_prompt(hidden, mask, prompt):
    return put(hidden, mask, prompt, ones=0)


@wrong("03.4", "The mask grows too")
def forgets_the_mask(hidden, mask, prompt):
    return put(hidden, mask, prompt)[0], mask


@wrong("03.4", "No gradient reaches")
def detaches(hidden, mask, prompt):
    return put(hidden, mask, prompt.detach())


@wrong("03.4", "raised RuntimeError")
def without_rows(hidden, mask, prompt):
    return torch.cat([prompt[None], hidden], 1), torch.cat([torch.ones(1, len(prompt)), mask], 1)


@right("03.4")
def with_repeat(hidden, mask, prompt):
    rows = hidden.size(0)
    return torch.cat([prompt.unsqueeze(0).repeat(rows, 1, 1), hidden], 1), functional.pad(
        mask, (len(prompt), 0), value=1
    )


# 03.5 attend(query, key, value, mask, prefix_key, prefix_value)


def extended(key, value, mask, prefix_key, prefix_value):
    rows = len(key)
    keys = torch.cat([prefix_key.expand(rows, -1, -1), key], 1)
    values = torch.cat([prefix_value.expand(rows, -1, -1), value], 1)
    return keys, values, torch.cat([mask.new_ones(rows, len(prefix_key)), mask], 1)


def plain(query, key, value, mask, scale=True):
    scores = query @ key.mT / (query.shape[-1] ** 0.5 if scale else 1)
    return scores.masked_fill(mask[:, None] == 0, -1e30).softmax(-1) @ value


@wrong("03.5", "without the prefix")
def ignores_the_prefix(query, key, value, mask, prefix_key, prefix_value):
    return plain(query, key, value, mask)


@wrong("03.5", "The padding is seen too")
def ignores_the_mask(query, key, value, mask, prefix_key, prefix_value):
    keys, values, mask = extended(key, value, mask, prefix_key, prefix_value)
    return plain(query, keys, values, torch.ones_like(mask))


@wrong("03.5", "division by √width")
def does_not_scale(query, key, value, mask, prefix_key, prefix_value):
    return plain(query, *extended(key, value, mask, prefix_key, prefix_value), scale=False)


@wrong("03.5", "queries are the text's own")
def prefixes_the_query(query, key, value, mask, prefix_key, prefix_value):
    keys, values, mask = extended(key, value, mask, prefix_key, prefix_value)
    return plain(torch.cat([prefix_key.expand(len(key), -1, -1), query], 1), keys, values, mask)


@wrong("03.5", "before the softmax")
def masks_after(query, key, value, mask, prefix_key, prefix_value):
    keys, values, mask = extended(key, value, mask, prefix_key, prefix_value)
    return ((query @ keys.mT / query.shape[-1] ** 0.5).softmax(-1) * mask[:, None].double()) @ values


@wrong("03.5", "raised RuntimeError")
def short_mask(query, key, value, mask, prefix_key, prefix_value):
    keys, values, _ = extended(key, value, mask, prefix_key, prefix_value)
    return plain(query, keys, values, mask)


@right("03.5")
def with_torch(query, key, value, mask, prefix_key, prefix_value):
    keys, values, mask = extended(key, value, mask, prefix_key, prefix_value)
    return functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask[:, None].bool())


@right("03.5")
def prefix_behind(query, key, value, mask, prefix_key, prefix_value):
    rows = len(key)
    keys = torch.cat([key, prefix_key.repeat(rows, 1, 1)], 1)
    values = torch.cat([value, prefix_value.repeat(rows, 1, 1)], 1)
    seen = functional.pad(mask, (0, len(prefix_key)), value=1)
    scores = torch.einsum("bqd,bkd->bqk", query, keys) / math.sqrt(query.size(-1))
    weights = scores.exp() * seen[:, None]
    return (weights / weights.sum(-1, keepdim=True)) @ values


@right("03.5")
def token_by_token(query, key, value, mask, prefix_key, prefix_value):
    out = torch.zeros_like(query)
    for b in range(len(query)):
        keys = torch.cat([prefix_key, key[b][mask[b] == 1]])
        values = torch.cat([prefix_value, value[b][mask[b] == 1]])
        for t in range(query.shape[1]):
            out[b, t] = (keys @ query[b, t] / query.shape[-1] ** 0.5).softmax(0) @ values
    return out


# 03.6 extra(width, layers, rank, tokens, size)


def counts(width, layers, rank, tokens, size, **other):
    found = {
        "lora": 4 * layers * rank * width,
        "prompt": tokens * width,
        "prefix": 2 * layers * tokens * width,
        "adapter": 2 * layers * (2 * width * size + width + size),
    }
    return found | other


@wrong("03.6", "That is half of it")
def one_matrix(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, lora=2 * layers * rank * width)


@wrong("03.6", "one layer only")
def one_layer(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, lora=4 * rank * width)


@wrong("03.6", "keys and values: twice that")
def keys_only(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, prefix=layers * tokens * width)


@wrong("03.6", "at the input only")
def prompt_everywhere(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, prompt=layers * tokens * width)


@wrong("03.6", "two in each layer")
def one_adapter(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, adapter=layers * (2 * width * size + width + size))


@wrong("03.6", "Biases are missing")
def adapter_without_biases(width, layers, rank, tokens, size):
    return counts(width, layers, rank, tokens, size, adapter=4 * layers * width * size)


@wrong("03.6", "with the keys")
def other_keys(width, layers, rank, tokens, size):
    return {"LoRA": 4 * layers * rank * width}


@right("03.6")
def by_building(width, layers, rank, tokens, size):
    one = sum(p.numel() for m in (nn.Linear(width, size), nn.Linear(size, width)) for p in m.parameters())
    per_layer = {"lora": 2 * (rank * width + width * rank), "prefix": 2 * (tokens * width), "adapter": 2 * one}
    return {k: n * layers for k, n in per_layer.items()} | {"prompt": width * tokens}


# 03.7 ranks(budget, width, layers)


@wrong("03.7", "more than the budget")
def forgets_the_layers(budget, width, layers):
    many = budget // (2 * width)
    return {"query": many // 2, "value": many - many // 2}


@wrong("03.7", "room for one rank more")
def always_eight(budget, width, layers):
    return {"query": 1, "value": 1}


@wrong("03.7", "into one place")
def all_on_value(budget, width, layers):
    return {"value": budget // (2 * width * layers)}


@wrong("03.7", "whole numbers")
def fractions(budget, width, layers):
    many = budget / (2 * width * layers)
    return {"query": many / 2, "value": many / 2}


@wrong("03.7", "keys among")
def other_places(budget, width, layers):
    return {"embeddings": 4}


@right("03.7")
def in_turn(budget, width, layers):
    found = dict.fromkeys(("query", "key", "value", "output"), 0)
    for i in range(budget // (2 * width * layers)):
        found[list(found)[i % 4]] += 1
    return found


@right("03.7")
def mostly_value(budget, width, layers):
    many = budget // (2 * width * layers)
    return {"value": many - many // 4 - 1, "query": many // 4 + 1}


@right("03.7")
def greedy(budget, width, layers):
    found, cost = {"query": 0, "value": 0}, 2 * width * layers
    while budget >= cost:
        place = min(found, key=found.get)
        found[place] += 1
        budget -= cost
    return found
