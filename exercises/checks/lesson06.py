"""The exercises of lesson 06, pretraining: hiding tokens, the masked loss, tied weights, moving a body, choosing texts."""

import math
import random
from collections import Counter

from labkit_exercises.cases import cases, lot
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import (
    as_list,
    faults,
    joined,
    kind_fault,
    near,
    no_list_fault,
    no_whole_fault,
    pair_fault,
    shown,
    whole,
)

from labkit import tr

SKIP = -100  # the target where nothing is guessed

# 06.1 hide(ids, special, mask, words, generator)
HIDDEN = (  # special tokens, the [MASK], the size of the vocabulary, rows, tokens
    ((0, 1, 2, 3, 4), 4, 200, 300, 120),
    ((0, 1, 2, 3, 4, 9), 1, 40, 200, 150),
)


def a_vocabulary(rng):
    words = rng.choice((60, 150))
    return (0, 1, 2, 3, 4, rng.randint(5, words - 1)), rng.choice((4, 1)), words, 250, 120


@exercise("06.1", luck=True)
def hiding(answer):
    import torch

    for special, mask, words, rows, tokens in cases(HIDDEN, a_vocabulary, 1):
        kept = torch.Generator().manual_seed(lot.rng.getrandbits(30) if lot.drawn else 1)
        ids = torch.randint(5, words, (rows, tokens), generator=kept)
        ids[:, 0], ids[:, -1], ids[::3, 90:] = 2, 3, 0
        ordinary, before = ~torch.isin(ids, torch.tensor(special)), ids.clone()
        source = torch.Generator().manual_seed(7)
        got = answer(ids, set(special), mask, words, source)
        if wrong := pair_fault(got, "inputs", "targets"):
            yield wrong
        inputs, targets = got
        if not torch.equal(ids, before):
            yield tr(
                "你改动了交给你的 ids：目标就丢了。先 `inputs = ids.clone()`。",
                "You changed the ids that you were given, and the true tokens are gone: begin with `inputs = ids.clone()`.",
            )
        for name, tensor in (("inputs", inputs), ("targets", targets)):
            if not isinstance(tensor, torch.Tensor) or tensor.shape != ids.shape:
                yield tr(f"{name} 应是和 ids 同样形状的张量。", f"{name} should be a tensor of the same shape as ids.")
            if trouble := no_whole_fault(tensor, name):
                yield trouble
        asked = targets != SKIP
        if (inputs == SKIP).any():
            yield tr("次序反了：先是 inputs，后是 targets。", "The wrong way round: first inputs, then targets.")
        yield from places_fault(inputs, targets, ids, asked, ordinary)
        yield from shares_fault(inputs, ids, asked, ordinary, mask, words)
        more = answer(ids.clone(), set(special), mask, words, source)
        again, other = (
            answer(ids.clone(), set(special), mask, words, torch.Generator().manual_seed(seed)) for seed in (7, 8)
        )
        if not torch.equal(again[0], inputs) or not torch.equal(again[1], targets):
            yield tr(
                "同一个种子给出了两种结果：每次抽签都要写 `generator=generator`。",
                "The same seed gave two results: every draw needs `generator=generator`.",
            )
        if torch.equal(other[1], targets):
            yield tr(
                "换了种子，遮住的位置却没变：位置要用 generator 抽。",
                "With another seed the same places are hidden: draw the places with the generator.",
            )
        if torch.equal(more[1], targets):
            yield tr(
                "接着用同一个 generator 再遮一次，遮的还是那些位置：不要把它倒回去，也不要另造一个，直接用它抽。",
                "Hiding once more with the same generator hides the same places: don't wind it back or make another from its "
                "seed; draw with it.",
            )


def places_fault(inputs, targets, ids, asked, ordinary):
    """Which places are asked for, and what stands at those that are not."""
    if asked.all():
        yield tr(
            "每个位置都有目标：没有遮住的位置，目标应是 -100，损失才会跳过它。",
            "Every place has a target: where nothing is hidden it is -100, so that the loss skips it.",
        )
    if (asked & ~ordinary).any():
        yield tr(
            "特殊符号也被选中了：[CLS]、[SEP]、[PAD] 永远不猜，`special` 里的都要避开。",
            "Special tokens were chosen too: [CLS], [SEP] and [PAD] are never guessed; keep off whatever is in `special`.",
        )
    if asked.any() and not (targets[asked] == ids[asked]).all():
        yield tr(
            "目标应是**原来**的词元，不是遮住以后的。",
            "The targets should be the tokens that stood there **before** hiding.",
        )
    if (inputs != ids)[~asked].any():
        yield tr(
            "没有选中的位置，inputs 也变了：只有要猜的位置可以改。",
            "Inputs changed at places that were not chosen: only places to be guessed may change.",
        )


def shares_fault(inputs, ids, asked, ordinary, mask, words):
    """Fifteen per cent chosen; of these eighty, ten and ten."""
    share = (asked.sum() / ordinary.sum()).item()
    if abs(share - 0.15) > 0.012:
        yield tr(
            f"普通词元里应选中约 15 %，你选中了 {share:.1%}。",
            f"About 15 % of the ordinary tokens should be chosen; yours are {share:.1%}.",
        )
    changed, masked = asked & (inputs != ids), asked & (inputs == mask)
    parts = [(p.sum() / asked.sum()).item() for p in (masked, changed & ~masked, asked & ~changed)]
    if not near(parts, [0.8, 0.1, 0.1], 0.03):
        yield joined(
            tr(
                "选中的位置里，[MASK]、随机词元、原样各占 80 %、10 %、10 %；你的是 "
                + "、".join(f"{p:.0%}" for p in parts)
                + "。",
                "Of the chosen places 80 % should be [MASK], 10 % a random token, 10 % as they were; yours: "
                + ", ".join(f"{p:.0%}" for p in parts)
                + ".",
            ),
            tr(
                "两次抽签互不相干时，比例会走样：用同一个随机数切成三段。",
                "Shares go astray when kinds are drawn one by one: cut a single random number into three.",
            )
            if parts[0] < 0.99 and abs(parts[0] - 0.8) < 0.12
            else "",
        )
    noise = inputs[changed & ~masked]
    if (noise < 5).any():
        yield tr(
            "随机词元里出现了特殊符号：从 5 到 words - 1 之间抽。",
            "There are special tokens among the random ones: draw from 5 to words - 1.",
        )
    if (noise >= words).any():
        yield tr(
            f"随机词元里有 {words} 号，词表里没有它：编号到 words - 1 为止（torch.randint 不含上限）。",
            f"Among the random tokens is number {words}, which the vocabulary does not have: they end at words - 1 (torch.randint "
            "leaves its upper end out).",
        )
    if len(noise.unique()) < 0.7 * (words - 5) or (words < 50 and (noise.max() < words - 1 or noise.min() > 5)):
        yield tr(
            "随机词元应从整个词表里抽，从 5 到 words - 1。",
            "The random tokens should come from the whole vocabulary, from 5 to words - 1.",
        )


# 06.2 masked_loss(logits, targets)


@exercise("06.2")
def masked_loss(answer):
    import torch

    fixed = ((2, 5, 7, 0.4), (1, 3, 4, 1.0), (4, 9, 30, 0.1), (2, 4, 6, 0.0))
    for rows, tokens, words, hidden in cases(
        fixed, lambda r: (r.randint(1, 4), r.randint(2, 7), r.randint(3, 9), r.random()), 6
    ):
        logits, draw = 3 * torch.randn(rows, tokens, words), torch.rand(rows, tokens)
        targets = torch.where(draw < hidden, torch.randint(0, words, (rows, tokens)), SKIP)
        if 0 < hidden < 1:
            targets[0, 0], targets[0, 1], targets[-1, -1] = 1, 2, 0
        asked = targets != SKIP
        n = int(asked.sum())
        given = tr(
            f"{rows} 行、{tokens} 个位置、其中 {n} 个要猜：", f"{rows} rows of {tokens} places, {n} to be guessed: "
        )
        got = answer(logits.clone(), targets.clone())
        if wrong := pair_fault(got, "loss", "perplexity"):
            yield given + wrong
        log_p = logits.log_softmax(-1)
        each = -log_p.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        loss = (each[asked].mean() if n else torch.zeros(())).item()
        raw = -logits.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        by_row = torch.stack([e[a].mean() for e, a in zip(each, asked, strict=True) if a.any()]).mean() if n else loss
        mistakes = [
            (each.mean(), "没有遮住的位置也算进去了：目标 -100 的要跳过。", "Places that were not hidden are counted too: skip those with the target -100."),
            (each[asked].sum() / asked.numel(), "总和对了，但应除以**要猜的**位置数。", "The sum is right, but divide it by the number of places **to be guessed**."),
            (each[asked].sum(), "这是总和；要的是每个要猜的位置平均多少。", "That is the sum; the mean over the places to be guessed is wanted."),
            (by_row, "你先按行平均、再把各行平均：遮得少的行就占了便宜。所有要猜的位置一视同仁。", "You took means of rows, and then their mean, so that a row with few hidden places counts too much. All places count alike."),
            (loss / math.log(2), "你用的是以 2 为底的对数；nat 用自然对数。", "That is the logarithm to base 2; nats take the natural one."),
            (
                -log_p.exp()[asked].gather(-1, targets[asked][:, None]).mean() if n else 1.0,
                "少了对数：要的是概率的负对数。",
                "A logarithm is missing: it takes minus the log of the probability.",
            ),
            (
                torch.nn.functional.cross_entropy(log_p.exp()[asked], targets[asked]) if n else 1.0,
                "softmax 做了两次：cross_entropy 自己会做。",
                "There are two softmaxes: cross_entropy takes one by itself.",
            ),
            (math.exp(loss), "次序反了：先是损失，后是困惑度。", "The wrong way round: first the loss, then the perplexity."),
            (raw[asked].mean() if n else 1.0, "少了 softmax：logits 还不是对数概率。", "A softmax is missing: logits are no log-probabilities yet."),
        ]  # fmt: skip
        yield from faults(given + tr("损失", "the loss"), got[0], loss, mistakes, 1e-4)
        mistakes = [
            (
                0.0 if n == 0 else loss,
                "一个要猜的位置也没有时，困惑度是 e 的 0 次方。" if n == 0 else "困惑度是 e 的损失次方，不是损失自己。",
                "With no place to guess the perplexity is e to the power of 0."
                if n == 0
                else "Perplexity is e to the power of the loss, not the loss.",
            ),
            (2**loss, "底数错了：nat 对应 e 的次方。", "The wrong base: nats go with powers of e."),
            (
                each[asked].exp().mean() if n else 0.0,
                "先求平均的损失，再取 e 的次方；你是先取次方再平均。",
                "First the mean loss, then the power of e; you took powers first and then their mean.",
            ),
        ]
        yield from faults(given + tr("困惑度", "the perplexity"), got[1], math.exp(loss), mistakes, 1e-4)


# 06.3 tie(embedding, decoder)


@exercise("06.3")
def tying(answer):
    import torch

    fixed = ((11, 4, True), (30, 8, True), (7, 7, False))
    for words, width, bias in cases(fixed, lambda r: (r.randint(4, 40), r.randint(2, 9), r.random() < 0.6), 4):
        embedding, decoder = torch.nn.Embedding(words, width), torch.nn.Linear(width, words, bias=bias)
        table, offset = embedding.weight.detach().clone(), decoder.bias.detach().clone() if bias else None
        given, saved = f"Embedding({words}, {width}), Linear({width}, {words}): ", words * width
        got = answer(embedding, decoder)
        if not torch.equal(embedding.weight, table):
            yield given + tr(
                "嵌入表变了：应让解码器用嵌入的表，不是反过来（嵌入是学过的）。",
                "The embedding's table changed: the decoder takes over the embedding's, not the other way round.",
            )
        if decoder.weight.shape != (words, width) or not torch.equal(decoder.weight, table):
            yield given + tr(
                f"绑定之后交给你的 decoder 的 weight 应就是嵌入表，形状 {(words, width)}，不用转置。",
                f"Once tied, the weight of the decoder that you were given should be the embedding's table, of shape "
                f"{(words, width)}, not transposed.",
            )
        if bias and (decoder.bias is None or not torch.equal(decoder.bias, offset)):
            yield given + tr("偏置不绑定，留着它自己的。", "The bias is not tied; leave it as it was.")
        with torch.no_grad():
            embedding.weight[2, 1] += 1.0
        if decoder.weight[2, 1] != embedding.weight[2, 1]:
            yield given + tr(
                "改一下嵌入表，解码器没有跟着变：你抄了一份。要让两处指着**同一个** Parameter。",
                "After a change in the embedding's table the decoder has the old one: you made a copy. Both must hold the **same** Parameter.",
            )
        if not isinstance(decoder.weight, torch.nn.Parameter) or decoder.weight is not embedding.weight:
            yield given + tr(
                "两处的数虽然同在一块内存，却是两个 Parameter，优化器会更新两次。写 `decoder.weight = embedding.weight`。",
                "They share memory but are two Parameters, and an optimizer would update it twice. Write `decoder.weight = embedding.weight`.",
            )
        mistakes = [
            (saved + words, "偏置没有省下来，不要算它。", "The bias is not saved; don't count it."),
            (2 * saved, "省下的是一份表，不是两份。", "One table is saved, not two."),
            (words, "一行有不止一个数：行数 × 宽。", "A row holds more than one number: rows × width."),
            (4 * saved, "要数的是数字的个数，不是字节。", "Count numbers, not bytes."),
            (1, "要数的是数字的个数，不是张量的个数。", "Count numbers, not tensors."),
        ]
        yield from faults(given + tr("省下的参数", "parameters saved"), got, saved, mistakes)


# 06.4 transfer(source, target)


def network(words: int, width: int, layers: int, seed: int, head: str, classes: int = 2):
    """A stand-in with a `body` and a head called "cls" (guessing characters) or "classifier"."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body, model = nn.Module(), nn.Module()
        body.embeddings = nn.Embedding(words, width)
        body.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        body.register_buffer("steps", torch.tensor(seed))
        model.body = body
        setattr(model, head, nn.Linear(width, words if head == "cls" else classes))
        return model


MOVES = (  # words, layers and head of the source; words, layers of the target
    (20, 3, "cls", 20, 3),
    (20, 2, "classifier", 20, 2),
    (20, 4, "cls", 26, 3),
    (20, 2, "cls", 20, 4),
)


def a_move(rng):
    words, head = rng.randint(5, 20), rng.choice(("cls", "classifier"))
    return words, rng.randint(1, 4), head, rng.choice((words, words + 3)), rng.randint(1, 4)


@exercise("06.4")
def moving(answer):
    import torch

    for words, layers, head, others, depth in cases(MOVES, a_move, 5):
        source, target = network(words, 6, layers, 1, head), network(others, 6, depth, 2, "classifier")
        old, fresh = [{k: v.clone() for k, v in m.state_dict().items()} for m in (source, target)]
        given = tr(
            f"来源：词表 {words}、{layers} 层、头 {head}；目标：词表 {others}、{depth} 层：",
            f"Source: {words} words, {layers} layers, head {head}; target: {others} words, {depth} layers: ",
        )
        names = {
            n for n, p in target.named_parameters() if n.startswith("body.") and n in old and old[n].shape == p.shape
        }
        got, now = answer(source, target), target.state_dict()
        if any(not torch.equal(now[n], fresh[n]) for n in fresh if n.startswith("classifier")):
            yield given + tr(
                "目标的头也被换掉了：新任务的头要留着自己的，哪怕名字和形状都对得上。",
                "The target's head was replaced too: the new task keeps its own, even where name and shape would fit.",
            )
        missed = [n for n in sorted(names) if not torch.equal(now[n], old[n])]
        if missed:
            yield given + tr(
                f"这些本该抄过来，却没有：{'、'.join(missed[:3])}。",
                f"These should have been copied and were not: {', '.join(missed[:3])}.",
            )
        strange = [n for n, p in target.named_parameters() if n not in names and not torch.equal(p, fresh[n])]
        if strange:
            yield given + tr(f"{strange[0]} 不该变。", f"{strange[0]} should not have changed.")
        with torch.no_grad():
            for p in target.parameters():
                p.add_(1.0)
        if any(not torch.equal(source.state_dict()[n], old[n]) for n in old):
            yield given + tr(
                "训练目标的时候，来源也跟着变了：数要抄过去，不是共用。",
                "When the target trains, the source changes with it: copy the numbers, don't share them.",
            )
        listed = as_list(got)
        if listed is None or any(not isinstance(name, str) for name in listed):
            yield joined(
                given
                + tr(
                    f"应返回抄了哪些名字，你的是 {shown(got)}。",
                    f"Return the names that were copied; yours is {shown(got)}.",
                ),
                kind_fault(got, []),
            )
        reported = set(listed) - {
            name for name, _ in target.named_buffers()
        }  # whoever copies buffers as well may say so
        if reported != names:
            more, less = sorted(reported - names), sorted(names - reported)
            yield given + tr(
                f"返回的名字不对：多了 {more[:3]}，少了 {less[:3]}。只报形状相同、真抄了的参数，用它们在整个模型里的名字。",
                f"The names are not right: too many {more[:3]}, missing {less[:3]}. Report parameters of equal shape that were really copied, by their names in the whole model.",
            )


# 06.5 choose(texts, sample, budget)


def shelf(domain: str, seed: int):
    """Candidate texts (general lines and reviews of all domains, mixed), a sample of the wanted kind, and unseen texts of it."""
    from labkit import files, reviews

    rng, corpus = random.Random(seed), reviews()
    rows = [r for r in corpus.train if 12 <= len(r.input) <= 90]
    wanted = [r.input for r in rows if r.extra["domain"] == domain]
    others = [r.input for r in rows if r.extra["domain"] != domain]
    general = (files.ASSETS / "general.txt").read_text("utf-8").splitlines()
    rng.shuffle(wanted)
    sample, unseen, free = wanted[:30], wanted[30:80], wanted[80:]
    texts = [*free, *rng.sample(others, 300), *rng.sample(general, 120)]
    rng.shuffle(texts)
    return texts, sample, unseen, set(free)


def surprise(read: list[str], unseen: list[str]) -> float:
    """How badly a model of characters that read the first texts guesses the others: nats a character.

    Half the weight on the character before, half on how often a character comes up at all.
    """
    single, pairs, before = Counter(), Counter(), Counter()
    for text in read:
        single.update(text)
        pairs.update(zip("\n" + text, text, strict=False))
        before.update("\n" + text[:-1])
    total, n, loss = sum(single.values()), 0, 0.0
    for text in unseen:
        for a, b in zip("\n" + text, text, strict=False):
            p = (single[b] + 0.5) / (total + 2000)
            loss -= math.log(0.5 * p + 0.5 * (pairs[a, b] + 2 * p) / (before[a] + 2))
            n += 1
    return loss / n


@exercise("06.5", again=False)
def choosing(answer):
    for domain, budget, seed in (("hotel", 1500, 0), ("takeaway", 1500, 1), ("film", 1200, 2)):
        texts, sample, unseen, free = shelf(domain, seed)
        got = answer(list(texts), list(sample), budget)
        items = as_list(got)
        if items is None:
            yield no_list_fault(got)
        rows = whole(items)
        if rows is None or any(not 0 <= i < len(texts) for i in rows):
            odd = [i for i in items if whole([i]) is None or not 0 <= i < len(texts)]
            yield tr(
                f"要的是 texts 里的行号，0 到 {len(texts) - 1}；你的里面有 {shown(odd[:3])}。",
                f"Row numbers of texts are wanted, from 0 to {len(texts) - 1}; among yours are {shown(odd[:3])}.",
            )
        if len(set(rows)) < len(rows):
            yield tr(
                "有的行选了两次：重复的文字教不了新东西。",
                "Some rows were chosen twice: a repeated text teaches nothing new.",
            )
        spent = sum(len(texts[i]) for i in rows)
        if spent > budget:
            yield tr(
                f"预算是 {budget} 个字，你用了 {spent}。", f"The budget is {budget} characters; you spent {spent}."
            )
        if spent < 0.8 * budget:
            yield tr(
                f"预算是 {budget} 个字，你只用了 {spent}：剩下的也能买到文字。",
                f"The budget is {budget} characters and you spent only {spent}: what is left buys text as well.",
            )
        yield from choice_fault(texts, [texts[i] for i in rows], unseen, free, budget, domain)


def choice_fault(texts, chosen, unseen, free, budget, domain):
    """The choice has to win half of what knowing the kind of every text would win over chance."""
    mixed, known = (surprise(filled(pool, budget), unseen) for pool in (texts, [t for t in texts if t in free]))
    mine, goal = surprise(chosen, unseen), (mixed + known) / 2
    if mine > goal:
        right = sum(t in free for t in chosen) / max(1, len(chosen))
        kind = {"hotel": "酒店", "takeaway": "外卖", "film": "电影"}[domain]
        yield tr(
            f"目标是{kind}评论：读了你选的文字，没见过的评论每个字的损失是 {mine:.3f} nat；随便选是 {mixed:.3f}，应不高于 {goal:.3f}。"
            f"你选的里面 {right:.0%} 是这一类。",
            f"Wanted: {domain}. After your texts, unseen reviews cost {mine:.3f} nats a character; a random choice costs "
            f"{mixed:.3f}, and {goal:.3f} or less is asked. Of your texts {right:.0%} are of that kind.",
        )


def filled(texts: list[str], budget: int) -> list[str]:
    """The first texts that the budget buys."""
    found, spent = [], 0
    for text in texts:
        if spent + len(text) <= budget:
            found.append(text)
            spent += len(text)
    return found
