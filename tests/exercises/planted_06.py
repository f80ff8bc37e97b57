"""Planted answers to the exercises of lesson 06."""

import math

import torch
from planting import right, wrong

SKIP = -100

# 06.1 hide(ids, special, mask, words, generator)


def hidden(ids, special, mask, words, generator, rate=0.15, cut=(0.8, 0.9), first=5, keep=True):
    ordinary = ~torch.isin(ids, torch.tensor(sorted(special))) if keep else torch.ones_like(ids, dtype=torch.bool)
    chosen = (torch.rand(ids.shape, generator=generator) < rate) & ordinary
    kind = torch.rand(ids.shape, generator=generator)
    noise = torch.randint(first, words, ids.shape, generator=generator)
    inputs = torch.where(chosen & (kind < cut[0]), mask, ids)
    return torch.where(chosen & (kind >= cut[1]), noise, inputs), torch.where(chosen, ids, SKIP)


@wrong("06.1", "Special tokens were chosen too")
def hides_padding(*given):
    return hidden(*given, keep=False)


@wrong("06.1", "Every place has a target")
def targets_everywhere(ids, *given):
    return hidden(ids, *given)[0], ids


@wrong("06.1", "of the chosen places|Of the chosen places")
def always_a_mask(*given):
    return hidden(*given, cut=(1.0, 1.1))


@wrong("06.1", "cut a single random number into three")
def one_by_one(ids, special, mask, words, generator):
    inputs, targets = hidden(ids, special, mask, words, generator, cut=(0.8, 1.1))
    extra = (targets != SKIP) & (torch.rand(ids.shape, generator=generator) < 0.1)
    return torch.where(extra, torch.randint(5, words, ids.shape, generator=generator), inputs), targets


@wrong("06.1", "you were given")
def in_place(ids, special, mask, words, generator):
    inputs, targets = hidden(ids, special, mask, words, generator)
    ids.copy_(inputs)
    return ids, targets


@wrong("06.1", "stood there")
def asks_for_the_mask(*given):
    inputs, targets = hidden(*given)
    return inputs, torch.where(targets != SKIP, inputs, SKIP)


@wrong("06.1", "same seed gave two results")
def own_luck(ids, special, mask, words, generator):
    return hidden(ids, special, mask, words, None)


@wrong("06.1", "special tokens among the random ones")
def noise_from_zero(*given):
    return hidden(*given, first=0)


@wrong("06.1", "should be chosen")
def a_third(*given):
    return hidden(*given, rate=0.3)


@right("06.1")
def place_by_place(ids, special, mask, words, generator):
    inputs, targets = ids.clone(), torch.full_like(ids, SKIP)
    draws = torch.rand((3, *ids.shape), generator=generator)
    for r, c in (draws[0] < 0.15).nonzero().tolist():
        token = ids[r, c].item()
        if token in special:
            continue
        targets[r, c] = token
        if draws[1, r, c] < 0.8:
            inputs[r, c] = mask
        elif draws[1, r, c] < 0.9:
            inputs[r, c] = 5 + int(draws[2, r, c] * (words - 5))
    return inputs, targets


@right("06.1")
def by_bernoulli(ids, special, mask, words, generator):
    chance = torch.full(ids.shape, 0.15)
    for token in special:
        chance[ids == token] = 0.0
    chosen = torch.bernoulli(chance, generator=generator).bool()
    masked = torch.bernoulli(torch.full(ids.shape, 0.8), generator=generator).bool() & chosen
    random = torch.bernoulli(torch.full(ids.shape, 0.5), generator=generator).bool() & chosen & ~masked
    inputs, targets = ids.clone(), ids.clone()
    inputs[masked] = mask
    inputs[random] = torch.randint(5, words, (int(random.sum()),), generator=generator)
    targets[~chosen] = SKIP
    return inputs, targets


@right("06.1")
def by_list_of_places(ids, special, mask, words, generator):
    flat = ids.flatten().clone()
    places = torch.tensor([i for i, token in enumerate(flat.tolist()) if token not in special])
    order = places[torch.randperm(len(places), generator=generator)]
    picked = order[: round(0.15 * len(places))]
    a, b = round(0.8 * len(picked)), round(0.9 * len(picked))
    targets = torch.full_like(flat, SKIP)
    targets[picked] = flat[picked]
    flat[picked[:a]] = mask
    flat[picked[a:b]] = torch.randint(5, words, (b - a,), generator=generator)
    return flat.view_as(ids), targets.view_as(ids)


# 06.2 masked_loss(logits, targets)


def losses(logits, targets):
    asked = targets != SKIP
    return torch.nn.functional.cross_entropy(logits[asked], targets[asked], reduction="none"), asked


def pair(loss):
    loss = float(loss)
    return loss, math.exp(loss)


@wrong("06.2", "not hidden are counted too")
def everywhere(logits, targets):
    return pair(torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten()))


@wrong("06.2", "There is a nan")
def empty_mean(logits, targets):
    return pair(losses(logits, targets)[0].mean())


@wrong("06.2", "the mean over the places")
def summed(logits, targets):
    loss = losses(logits, targets)[0].sum()
    return loss, loss.exp()


@wrong("06.2", "divide it by the number of places")
def over_all_places(logits, targets):
    return pair(losses(logits, targets)[0].sum() / targets.numel())


@wrong("06.2", "base 2")
def in_bits(logits, targets):
    loss = losses(logits, targets)[0].mean().item() / math.log(2)
    return loss, 2**loss


@wrong("06.2", "not the loss")
def loss_twice(logits, targets):
    loss = losses(logits, targets)[0]
    loss = loss.mean() if len(loss) else 0.0
    return loss, loss


@wrong("06.2", "powers first")
def mean_of_powers(logits, targets):
    loss = losses(logits, targets)[0]
    return (loss.mean(), loss.exp().mean()) if len(loss) else (0.0, 1.0)


@wrong("06.2", "A softmax is missing")
def raw_scores(logits, targets):
    asked = targets != SKIP
    return pair(-logits[asked].gather(1, targets[asked][:, None]).mean())


@right("06.2")
def by_hand(logits, targets):
    total, n = 0.0, 0
    for row, aims in zip(logits.tolist(), targets.tolist(), strict=True):
        for scores, aim in zip(row, aims, strict=True):
            if aim != SKIP:
                top = max(scores)
                total += top + math.log(sum(math.exp(s - top) for s in scores)) - scores[aim]
                n += 1
    loss = total / n if n else 0.0
    return loss, math.exp(loss)


@right("06.2")
def by_ignore_index(logits, targets):
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="sum")
    loss = loss / (targets != SKIP).sum().clamp(min=1)
    return [loss, torch.exp(loss)]


@right("06.2")
def by_probabilities(logits, targets):
    asked = targets != SKIP
    p = logits.double().softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    loss = -(p.log() * asked).sum() / max(1, int(asked.sum()))
    return loss.item(), loss.exp().item()


# 06.3 tie(embedding, decoder)


@wrong("06.3", "you made a copy")
def copies(embedding, decoder):
    with torch.no_grad():
        decoder.weight.copy_(embedding.weight)
    return embedding.weight.numel()


@wrong("06.3", "two Parameters")
def shares_memory(embedding, decoder):
    decoder.weight.data = embedding.weight.data
    return embedding.weight.numel()


@wrong("06.3", "not the other way round")
def upside_down(embedding, decoder):
    embedding.weight = decoder.weight
    return embedding.weight.numel()


@wrong("06.3", "Count numbers")
def counts_tensors(embedding, decoder):
    decoder.weight = embedding.weight
    return 1


@wrong("06.3", "bias is not saved")
def counts_the_bias(embedding, decoder):
    decoder.weight = embedding.weight
    return embedding.weight.numel() + decoder.out_features


@wrong("06.3", "not transposed")
def transposes(embedding, decoder):
    decoder.weight = torch.nn.Parameter(embedding.weight.T.clone())
    return embedding.weight.numel()


@wrong("06.3", "bias is not tied")
def drops_the_bias(embedding, decoder):
    decoder.weight, decoder.bias = embedding.weight, None
    return embedding.weight.numel()


@right("06.3")
def by_shape(embedding, decoder):
    setattr(decoder, "weight", embedding.weight)  # noqa: B010
    rows, width = embedding.weight.shape
    return rows * width


# 06.4 transfer(source, target)


def moved(source, target, fits):
    old, names = source.state_dict(), []
    with torch.no_grad():
        for name, p in target.named_parameters():
            if name in old and fits(name, old[name], p):
                p.copy_(old[name])
                names.append(name)
    return names


@wrong("06.4", "head was replaced too")
def by_name_only(source, target):
    return moved(source, target, lambda name, a, b: a.shape == b.shape)


@wrong("06.4", "should have been copied")
def encoder_only(source, target):
    return moved(source, target, lambda name, a, b: "layers" in name and a.shape == b.shape)


@wrong("06.4", "copy the numbers, don't share")
def shares(source, target):
    names = moved(source, target, lambda name, a, b: name.startswith("body.") and a.shape == b.shape)
    old = dict(source.named_parameters())
    for name, p in target.named_parameters():
        if name in names:
            p.data = old[name].data
    return names


@wrong("06.4", "size mismatch|RuntimeError")
def without_looking_at_shapes(source, target):
    body = {k: v for k, v in source.state_dict().items() if k.startswith("body.")}
    target.load_state_dict(body, strict=False)
    return [n for n, _ in target.named_parameters() if n in body]


@wrong("06.4", "names are not right")
def reports_everything(source, target):
    moved(source, target, lambda name, a, b: name.startswith("body.") and a.shape == b.shape)
    return [n for n, _ in target.named_parameters()]


@wrong("06.4", "Return the names")
def returns_the_model(source, target):
    moved(source, target, lambda name, a, b: name.startswith("body.") and a.shape == b.shape)
    return target


@right("06.4")
def by_state_dict(source, target):
    theirs = dict(target.named_parameters())
    body = {
        k: v
        for k, v in source.state_dict().items()
        if k.split(".")[0] == "body" and k in theirs and theirs[k].shape == v.shape
    }
    target.load_state_dict(body, strict=False)
    return set(body)


@right("06.4")
def by_modules(source, target):
    names = []
    mine = dict(target.body.named_parameters())
    for name, p in source.body.named_parameters():
        if name in mine and mine[name].shape == p.shape:
            mine[name].data = p.detach().clone()
            names.append(f"body.{name}")
    return tuple(names)


# 06.5 choose(texts, sample, budget)


def bought(texts, budget, order):
    rows, spent = [], 0
    for i in order:
        if spent + len(texts[i]) <= budget:
            rows.append(i)
            spent += len(texts[i])
    return rows


@wrong("06.5", "are of that kind")
def first_come(texts, sample, budget):
    return bought(texts, budget, range(len(texts)))


@wrong("06.5", "are of that kind")
def the_shortest(texts, sample, budget):
    return bought(texts, budget, sorted(range(len(texts)), key=lambda i: len(texts[i])))


@wrong("06.5", "are of that kind")
def the_longest(texts, sample, budget):
    return bought(texts, budget, sorted(range(len(texts)), key=lambda i: -len(texts[i])))


@wrong("06.5", "you spent")
def without_a_budget(texts, sample, budget):
    return list(range(len(texts)))


@wrong("06.5", "chosen twice")
def twice(texts, sample, budget):
    return [0, 0, *bought(texts, budget, range(1, 20))]


@wrong("06.5", "spent only")
def a_handful(texts, sample, budget):
    return [0, 1, 2]


@wrong("06.5", "Row numbers of texts")
def the_texts(texts, sample, budget):
    return texts[:3]


@right("06.5")
def by_characters(texts, sample, budget):
    known = set("".join(sample))
    score = [sum(c in known for c in text) / len(text) for text in texts]
    return bought(texts, budget, sorted(range(len(texts)), key=lambda i: -score[i]))


@right("06.5")
def by_pairs(texts, sample, budget):
    known = {text[i : i + 2] for text in sample for i in range(len(text) - 1)}

    def score(text):
        return sum(text[i : i + 2] in known for i in range(len(text) - 1)) / len(text)

    return set(bought(texts, budget, sorted(range(len(texts)), key=lambda i: score(texts[i]), reverse=True)))


@right("06.5")
def by_tfidf(texts, sample, budget):
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit_transform([*texts, *sample]).toarray()
    likeness = vectors[: len(texts)] @ vectors[len(texts) :].mean(0)
    return bought(texts, budget, (-likeness).argsort().tolist())


# Found by an attack on the checks: wrong answers that once passed, right ones that once failed


@wrong("06.1", "Special tokens were chosen too|Of the chosen places")
def knows_the_numbers_of_one_test(ids, special, mask, words, generator):
    return hidden(ids, {0, 1, 2, 3, 4}, 4, 200, generator)


@wrong("06.1", "which the vocabulary does not have")
def one_past_the_end(ids, special, mask, words, generator):
    return hidden(ids, special, mask, words + 1, generator)


@wrong("06.1", "hides the same places")
def winds_the_generator_back(ids, special, mask, words, generator):
    return hidden(ids, special, mask, words, torch.Generator().manual_seed(generator.initial_seed()))


@right("06.4")
def buffers_too(source, target):
    old, now = source.state_dict(), target.state_dict()
    fits = {k: v for k, v in old.items() if k.startswith("body.") and k in now and now[k].shape == v.shape}
    target.load_state_dict(now | fits)
    return fits.keys()


@right("06.5")
def numbers_of_numpy(texts, sample, budget):
    import numpy as np

    return np.array(by_characters(texts, sample, budget))


@wrong("06.5", "among yours are .True")
def a_mask(texts, sample, budget):
    chosen = set(by_characters(texts, sample, budget))
    return [i in chosen for i in range(len(texts))]
