"""The exercises of lesson 03, LoRA, adapters and prompts: forward, merge, a bottleneck, prompts, prefixes, counts, a budget."""

from labkit_exercises.cases import cases
from labkit_exercises.exercise import exercise
from labkit_exercises.matching import dtype_fault, faults, joined, kind_fault, pair_fault, shown

from labkit import tr

PAIRS = ((4, 3, 2, 4.0), (5, 5, 1, 8.0), (6, 6, 4, 4.0), (3, 7, 3, 1.5))  # inputs, outputs, rank, alpha


def a_pair(rng):
    return rng.randint(2, 7), rng.randint(2, 7), rng.randint(1, 4), rng.choice((1, 2.0, 8, 0.5, 16))


def no_gradient(named, loss) -> str:
    """The names of the tensors that the gradient of a loss does not reach."""
    import torch

    if not loss.requires_grad:
        return ", ".join(named)
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True, retain_graph=True)
    return ", ".join(name for name, g in zip(named, found, strict=True) if g is None)


def drawn(inputs, outputs, rank):
    """A weight, a bias and the two thin matrices, none of them zero."""
    import torch

    shapes = ((outputs, inputs), (outputs,), (rank, inputs), (outputs, rank))
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


@exercise("03.1")
def lora(answer):
    import torch

    for inputs, outputs, rank, alpha in cases(PAIRS, a_pair, 6):
        weight, bias, a, b = drawn(inputs, outputs, rank)
        x = torch.randn(3, inputs, dtype=torch.float64)
        base, change, scale = x @ weight.T + bias, x @ a.T @ b.T, alpha / rank
        got = answer(*(t.clone() for t in (x, weight, bias, a, b)), alpha)
        given = tr(
            f"{inputs} 进 {outputs} 出，r = {rank}，alpha = {alpha:g}：lora",
            f"With {inputs} inputs, {outputs} outputs, r = {rank}, alpha = {alpha:g}, lora",
        )
        mistakes = [
            (base, "这只是原来的线性层：A 和 B 没有用上。", "That is the plain linear map: A and B are not used."),
            (base + change, "漏了缩放：要乘 alpha / r。", "The scale is missing: multiply by alpha / r."),
            (base + alpha * change, "缩放是 alpha / r，不是 alpha。", "The scale is alpha / r, not alpha."),
            (
                base + rank / alpha * change,
                "缩放倒过来了：是 alpha / r。",
                "The scale is upside down: it is alpha / r.",
            ),
            (
                scale * (base + change),
                "只缩放 B A 那一项，原来的输出不动。",
                "Scale only the part with B A; the old output stays as it is.",
            ),
            (base - bias + scale * change, "漏了偏置。", "The bias is missing."),
            (scale * change, "漏了原来的 x Wᵀ + bias。", "The old x Wᵀ + bias is missing."),
        ]
        if inputs == outputs:
            mistakes.append(
                (
                    base + scale * (x @ b @ a),
                    "乘反了：x 先乘 Aᵀ，再乘 Bᵀ（x @ A.T @ B.T）。",
                    "The wrong way round: x meets Aᵀ first and then Bᵀ (x @ A.T @ B.T).",
                )
            )
        yield from faults(given, got, base + scale * change, mistakes)
        if trouble := dtype_fault(given, got, x):
            yield trouble
        matrices = {"x": x.requires_grad_(), "a": a.requires_grad_(), "b": b.requires_grad_()}
        loss = answer(x, weight.clone(), bias.clone(), a, b, alpha).sum()
        missing = no_gradient(matrices, loss)
        right = (x @ weight.T + scale * (x @ a.T @ b.T)).sum()
        slopes = [torch.autograd.grad(one, x, retain_graph=True)[0] for one in (loss, right) if not missing]
        if missing or not torch.allclose(*slopes):
            missing = missing or "x"
            yield tr(
                f"梯度传不到 {missing}，LoRA 就学不了：不要用 detach、torch.tensor 或 no_grad。",
                f"No gradient reaches {missing}, and so LoRA can't learn: don't use detach, torch.tensor or no_grad.",
            )


@exercise("03.2")
def merging(answer):
    import torch

    for inputs, outputs, rank, alpha in cases(PAIRS, a_pair, 6):
        weight, _, a, b = drawn(inputs, outputs, rank)
        kept, change, scale = weight.clone(), b @ a, alpha / rank
        got = answer(weight, a.clone(), b.clone(), alpha)
        given = tr(
            f"形状 {tuple(weight.shape)}，r = {rank}，alpha = {alpha:g}：merge",
            f"With shape {tuple(weight.shape)}, r = {rank}, alpha = {alpha:g}, merge",
        )
        if not torch.equal(weight, kept):
            yield tr(
                "交给你的 weight 被改动了：要返回新的张量，不然合并就收不回来了。",
                "The weight you were given has changed: return a new tensor, or merging can't be taken back.",
            )
        mistakes = [
            (kept, "什么也没有加上。", "Nothing was added."),
            (kept + change, "漏了缩放：要乘 alpha / r。", "The scale is missing: multiply by alpha / r."),
            (kept + alpha * change, "缩放是 alpha / r，不是 alpha。", "The scale is alpha / r, not alpha."),
            (kept - scale * change, "符号反了：合并是加。", "The sign is wrong: merging adds."),
            (
                scale * change,
                "这只是改变的部分，还要加上原来的权重。",
                "That is only the change; add it to the old weight.",
            ),
        ]
        if inputs == outputs:
            mistakes.append(
                (kept + scale * change.T, "改变的部分转置了：是 B @ A。", "The change is transposed: it is B @ A.")
            )
        yield from faults(given, got, kept + scale * change, mistakes)
        if trouble := dtype_fault(given, got, kept):
            yield trouble


@exercise("03.3", again=False)
def bottleneck(answer):
    import torch

    for width, size in cases(((8, 2), (12, 5), (6, 1)), lambda rng: (rng.randint(6, 14), rng.randint(1, 5)), 3):
        torch.manual_seed(size)
        adapter, x, given = answer(width, size), torch.randn(4, 3, width), f"Adapter({width}, {size})"
        if not isinstance(adapter, torch.nn.Module):
            yield tr("Adapter 应当是 torch.nn.Module 的子类。", "Adapter should be a subclass of torch.nn.Module.")
        yield from starting_faults(given, adapter, x)
        weights, more = 2 * width * size, width + size
        count = sum(p.numel() for p in adapter.parameters())
        if not weights <= count <= weights + 4 * more:
            yield tr(
                f"{given} 应有 {weights + more} 个参数（两个矩阵和偏置），你的有 {count} 个：中间只有 {size} 维。",
                f"{given} should have {weights + more} parameters (two matrices and biases); yours has {count}: the middle is only {size} wide.",
            )
        yield from shape_faults(given, adapter, x)


def starting_faults(given, adapter, x):
    """It must have no effect at first, and yet be able to learn."""
    import torch

    out = adapter(x)
    if not isinstance(out, torch.Tensor) or out.shape != x.shape:
        yield joined(
            tr(
                f"{given} 的输出应与输入同形状，你的是 {shown(out)}。",
                f"The output of {given} should have the shape of its input; yours is {shown(out)}.",
            ),
            kind_fault(out, x),
        )
    if float(out.detach().abs().max()) == 0:
        yield tr(
            f"{given} 一开始输出全是 0：漏了残差，要返回 x + ……",
            f"{given} gives nothing but zeros at first: the residual is missing, return x + …",
        )
    if not torch.allclose(out, x, atol=1e-6):
        yield tr(
            f"{given} 一开始应当不起作用（输出等于输入）：把往上的那一层权重和偏置都设成 0，并加上残差。",
            f"{given} should have no effect at first (output equals input): set weight and bias of the upward layer to zero, and add the residual.",
        )
    target = torch.randn_like(x)
    for _ in range(2):
        adapter.zero_grad()
        (adapter(x) - target).square().sum().backward()
        with torch.no_grad():
            for parameter in adapter.parameters():
                if parameter.grad is not None:
                    parameter -= 1e-3 * parameter.grad
    stuck = [n for n, p in adapter.named_parameters() if p.ndim > 1 and (p.grad is None or not p.grad.any())]
    if stuck:
        yield tr(
            f"走了两步，{stuck[0]} 还没有梯度：两层都从 0 开始就永远学不动，只把往上的一层设成 0。",
            f"After two steps {stuck[0]} still has no gradient: with both layers at zero nothing can ever learn; set only the upward one to zero.",
        )


def shape_faults(given, adapter, x):
    """With its weights drawn at random it must bend: a sum of inputs may not give the sum of effects."""
    import torch

    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_()
        y = torch.randn_like(x)
        effect = [adapter(v) - v for v in (x, y, x + y, torch.zeros_like(x))]
        if torch.allclose(effect[0] + effect[1], effect[2] + effect[3], atol=1e-3):
            yield tr(
                f"{given} 是线性的：两层之间要有一个非线性（如 ReLU 或 GELU），否则两层等于一层。",
                f"{given} is linear: put a nonlinearity (such as ReLU or GELU) between the layers, or the two are worth only one.",
            )
    yield from place_faults(given, adapter, x.shape[-1])


def place_faults(given, adapter, width):
    """The bend belongs in the middle: the effect, and what it depends on, have then no more directions than the middle."""
    import torch

    size = next(min(p.shape) for p in adapter.parameters() if p.ndim > 1)
    adapter = adapter.double().eval()
    points = torch.randn(40, width, dtype=torch.float64)
    with torch.no_grad():
        effect = adapter(points[None])[0] - points
    slope = torch.autograd.functional.jacobian
    ways = torch.cat([slope(lambda v: adapter(v[None, None])[0, 0] - v, point) for point in points])
    if torch.linalg.matrix_rank(effect - effect.mean(0), rtol=1e-7) > size:
        yield tr(
            f"{given} 的非线性在往上那一层之后：它的作用应只有 {size} 个方向。弯在中间：先往下，再弯，再往上。",
            f"The bend of {given} comes after the upward layer: its effect should have {size} directions only. Bend in the middle, "
            "between down and up.",
        )
    if torch.linalg.matrix_rank(ways, rtol=1e-7) > size:
        yield tr(
            f"{given} 的非线性在往下那一层之前：它应只看输入的 {size} 个方向。弯在中间：先往下，再弯，再往上。",
            f"The bend of {given} comes before the downward layer: it should look at {size} directions of the input only. Bend in "
            "the middle, between down and up.",
        )


def four_sizes(rng):
    return rng.randint(1, 4), rng.randint(1, 6), rng.randint(1, 5), rng.randint(2, 6)


@exercise("03.4")
def prompting(answer):
    import torch

    for rows, length, tokens, width in cases(((2, 3, 2, 4), (1, 5, 1, 3), (3, 2, 4, 2)), four_sizes, 6):
        hidden = torch.randn(rows, length, width)
        prompt = torch.randn(tokens, width, requires_grad=True)
        mask = (torch.arange(length) < torch.randint(1, length + 1, (rows, 1))).long()
        got = answer(hidden.clone(), mask.clone(), prompt)
        if wrong := pair_fault(got, "hidden", "mask"):
            yield wrong
        given = tr(
            f"{rows} 行、长 {length}、提示 {tokens} 个：",
            f"With {rows} rows of length {length} and {tokens} prompt vectors, ",
        )
        front, ones = prompt.detach().expand(rows, -1, -1), torch.ones(rows, tokens, dtype=torch.long)
        yield from faults(
            given + "hidden",
            got[0],
            torch.cat([front, hidden], 1),
            [
                (hidden, "提示没有加上去。", "The prompt was not added."),
                (torch.cat([hidden, front], 1), "提示要放在文本前面。", "The prompt goes before the text."),
            ],
        )
        mask_got = got[1].long() if isinstance(got[1], torch.Tensor) else got[1]
        yield from faults(
            given + "mask",
            mask_got,
            torch.cat([ones, mask], 1),
            [
                (mask, "掩码也要加长：提示的每个位置是 1。", "The mask grows too: 1 for each place of the prompt."),
                (
                    torch.cat([0 * ones, mask], 1),
                    "提示的掩码是 1：0 等于让模型看不见它。",
                    "The prompt's mask is 1: with 0 the model can't see it.",
                ),
                (
                    torch.cat([mask, ones], 1),
                    "掩码里提示的 1 也要放在前面。",
                    "In the mask, the prompt's 1s go to the front as well.",
                ),
            ],
        )
        if no_gradient({"prompt": prompt}, got[0].sum()):
            yield tr(
                "梯度传不到提示：不要用 detach、torch.tensor 或 no_grad。",
                "No gradient reaches the prompt: don't use detach, torch.tensor or no_grad.",
            )


@exercise("03.5")
def prefixing(answer):
    import torch

    for rows, length, tokens, width in cases(((2, 4, 3, 5), (1, 3, 1, 2), (3, 5, 2, 4)), four_sizes, 6):
        query, key, value = (torch.randn(rows, length, width, dtype=torch.float64) for _ in range(3))
        more_key, more_value = (torch.randn(tokens, width, dtype=torch.float64) for _ in range(2))
        mask = (torch.arange(length) < torch.tensor([[length], [2], [1], [length - 1]])[:rows]).long()
        got = answer(*(t.clone() for t in (query, key, value, mask, more_key, more_value)))
        given = tr(
            f"{rows} 行、长 {length}、前缀 {tokens} 个：attend",
            f"With {rows} rows of length {length} and a prefix of {tokens}, attend",
        )
        if isinstance(got, torch.Tensor) and got.shape == (rows, length + tokens, width):
            yield tr(
                f"{given} 的输出长了 {tokens}：前缀只加在 key 和 value 上，query 还是文本自己的。",
                f"{given} is longer by {tokens}: the prefix goes to keys and values only, the queries are the text's own.",
            )
        long_mask = torch.cat([torch.ones(rows, tokens, dtype=torch.long), mask], 1)
        keys = torch.cat([more_key.expand(rows, -1, -1), key], 1)
        values = torch.cat([more_value.expand(rows, -1, -1), value], 1)
        unnormed = ((query @ keys.mT) / width**0.5).softmax(-1) * long_mask[:, None] @ values
        yield from faults(
            given,
            got,
            attention(query, keys, values, long_mask),
            [
                (attention(query, key, value, mask), "这是没有前缀的注意力。", "That is attention without the prefix."),
                (
                    attention(query, keys, values, torch.ones_like(long_mask)),
                    "填充的位置也被看见了：掩码为 0 处，分数要设成负无穷。",
                    "The padding is seen too: where the mask is 0, the score is minus infinity.",
                ),
                (
                    attention(query, keys, values, long_mask, scale=1.0),
                    "漏了除以 √width。",
                    "The division by √width is missing.",
                ),
                (
                    unnormed,
                    "掩码要在 softmax 之前用，否则各行的权重加起来不是 1。",
                    "Apply the mask before the softmax, or the weights don't add up to 1.",
                ),
            ],
        )
        prefix = {"prefix_key": more_key.requires_grad_(), "prefix_value": more_value.requires_grad_()}
        if missing := no_gradient(prefix, (answer(query, key, value, mask, *prefix.values()) ** 2).sum()):
            yield tr(
                f"梯度传不到 {missing}：不要用 detach、torch.tensor 或 no_grad。",
                f"No gradient reaches {missing}: don't use detach, torch.tensor or no_grad.",
            )


def attention(query, key, value, mask, scale=None):
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    return scores.masked_fill(mask[:, None] == 0, float("-inf")).softmax(-1) @ value


SIZES = ((128, 4, 8, 10, 16), (768, 12, 4, 20, 64), (10, 1, 1, 1, 1))  # width, layers, rank, tokens, size


@exercise("03.6")
def sizes(answer):
    for width, layers, rank, tokens, size in cases(SIZES, lambda rng: tuple(rng.randint(1, 40) for _ in range(5)), 6):
        given = f"extra(width={width}, layers={layers}, rank={rank}, tokens={tokens}, size={size})"
        got = answer(width, layers, rank, tokens, size)
        lora, prefix = 4 * layers * rank * width, 2 * layers * tokens * width
        adapter = 2 * layers * (2 * width * size + width + size)
        want = {"lora": lora, "prompt": tokens * width, "prefix": prefix, "adapter": adapter}
        if not isinstance(got, dict) or set(got) != set(want):
            yield joined(
                tr(
                    f"应返回字典，键为 {list(want)}；你的是 {shown(got)}。",
                    f"A dictionary with the keys {list(want)} is wanted; yours is {shown(got)}.",
                ),
                kind_fault(got, {}),
            )
        once = ("只算了一层。", "That is one layer only.")
        layer = ("提示只在输入处有一份，不是每层一份。", "The prompt stands at the input only, not in every layer.")
        mistakes = {
            "lora": [
                (
                    lora // 2,
                    "只算了一半：A 和 B 各有 r × width 个数，query 和 value 各有一对。",
                    "That is half of it: A and B have r × width numbers each, and query and value a pair each.",
                ),
                (lora // layers, *once),
            ],
            "prompt": [(tokens * width * layers, *layer), (2 * tokens * width * layers, *layer)],
            "prefix": [
                (prefix // 2, "前缀既有 key 也有 value：再乘 2。", "A prefix has keys and values: twice that."),
                (prefix // layers, *once),
            ],
            "adapter": [
                (
                    adapter // 2,
                    "每层有两个：注意力之后和前馈之后。",
                    "There are two in each layer: behind attention and behind feed-forward.",
                ),
                (
                    4 * layers * width * size,
                    "漏了偏置：往下的有 size 个，往上的有 width 个。",
                    "Biases are missing: `size` on the way down and `width` on the way up.",
                ),
                (adapter // layers, *once),
            ],
        }
        for key in want:
            yield from faults(f"{given}[{key!r}]", got[key], want[key], mistakes[key])


PLACES = ("query", "key", "value", "output")


BUDGETS = ((40_000, 128, 4), (300_000, 768, 12), (10_239, 128, 4), (5_000, 64, 2), (2_048, 128, 4))


def a_budget(rng):
    width, layers = rng.choice((32, 64, 128)), rng.randint(1, 6)
    return 2 * width * layers * rng.randint(2, 30) + rng.randint(0, 2 * width * layers - 1), width, layers


@exercise("03.7")
def budgeting(answer):
    for budget, width, layers in cases(BUDGETS, a_budget):
        got, given = answer(budget, width, layers), f"ranks(budget={budget}, width={width}, layers={layers})"
        if not isinstance(got, dict) or not set(got) <= set(PLACES):
            yield joined(
                tr(
                    f"应返回字典，键取自 {list(PLACES)}；你的是 {shown(got)}。",
                    f"A dictionary with keys among {list(PLACES)} is wanted; yours is {shown(got)}.",
                ),
                kind_fault(got, {}),
            )
        if not all(isinstance(r, int) and r >= 0 for r in got.values()):
            yield tr(
                f"{given}：秩应是不小于 0 的整数，你的是 {shown(got)}。",
                f"{given}: ranks are whole numbers, 0 or more; yours are {shown(got)}.",
            )
        unit = 2 * width * layers  # one rank more in one place
        cost = unit * sum(got.values())
        if cost > budget:
            yield tr(
                f"{given}：{shown(got)} 要 {cost:,} 个参数，超过了预算 {budget:,}。每个秩在每层要 2 × width 个。",
                f"{given}: {shown(got)} takes {cost:,} parameters, more than the budget of {budget:,}. Each rank takes 2 × width in each layer.",
            )
        if budget - cost >= unit:
            yield tr(
                f"{given}：{shown(got)} 只用了 {cost:,} 个参数，预算 {budget:,} 里还放得下至少一个秩（{unit:,}）。",
                f"{given}: {shown(got)} takes only {cost:,} parameters; the budget of {budget:,} has room for one rank more ({unit:,}).",
            )
        if budget >= 2 * unit and sum(r > 0 for r in got.values()) < 2:
            yield tr(
                f"{given}：全部押在一处了。至少分给两种矩阵（论文表 5：分散比集中好）。",
                f"{given}: everything is put into one place. Give ranks to at least two (table 5 of the paper: spread out is better).",
            )
