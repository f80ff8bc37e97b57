"""Which characters carry a prediction: its log-odds shared out among the tokens. Leans on training; notebook 01 uses it.

Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365) walk from a text whose tokens are all hidden to
the text itself, and add up the slope along the way: what the tokens get makes up the whole difference. Gradient times
input looks at the slope at the end only: one step, and no such promise. Occlusion hides one token after the other; attention
rollout follows attention. Each is tested: does the answer go sooner when what it points at is hidden (hiding.py)?
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.inspection.dense import Map, maps
from labkit.inspection.hiding import Curves, Hidden, deletion, holds, occluded, summed_up, warning
from labkit.inspection.rollout import rolled_out
from labkit.models.families import reads_tokens
from labkit.models.loading import fitting, labels_of
from labkit.models.state import device_of, modes_kept
from labkit.tasks import Classification
from labkit.training.network import one_token

METHODS = ("integrated", "gradient", "occlusion", "rollout")
FIRST, MOST = 16, 512  # points along the way: doubled until the sum is right, or there are so many


@dataclass(frozen=True)
class Attribution:
    """The answer for one text, and what each token adds to it.

    `scores` are in units of log-odds, log(p / (1 - p)) with p the probability of `label`: above 0 speaks for the label,
    below 0 against it. Their sum is `log_odds - baseline`, to within `gap`. Special tokens stand in the baseline too,
    and so add nothing.
    """

    text: str
    label: str  # that the scores speak of
    probabilities: dict[str, float]
    tokens: tuple[str, ...]  # as they stand in the text; special tokens by their name
    scores: tuple[float, ...]
    special: tuple[bool, ...]
    log_odds: float  # of the label, for the text
    baseline: float  # the same for the text with every token hidden
    method: str
    points: int  # along the way
    characters: int  # of the text that were read: a long one is cut
    truthful: bool | None = (
        None  # whether the answer goes sooner in this order than in any of 19 random ones; None: not tested
    )
    deletion: Any = field(default=None, repr=False, compare=False)  # the curves of that test

    @property
    def gap(self) -> float:
        """What is missing between the sum of the scores and the difference that they share out."""
        return abs(sum(self.scores) - (self.log_odds - self.baseline))

    @property
    def predicted(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def cut(self) -> bool:
        """Whether the text was too long to be read to its end."""
        return self.characters < len(self.text.rstrip())

    def strongest(self, k: int = 3) -> list[tuple[str, float]]:
        """The tokens that matter most, for or against, the strongest first."""
        return sorted(zip(self.tokens, self.scores, strict=True), key=lambda pair: -abs(pair[1]))[:k]

    def __str__(self) -> str:
        told = ", ".join(f"{token} {score:+.2f}" for token, score in self.strongest(5) if score)
        return "\n".join(
            filter(None, [f"{self.label} {self.probabilities[self.label]:.3f}: {told}", warning(self.truthful)])
        )

    def _repr_html_(self) -> str:
        from labkit.inspection.attribution_html import attribution_html

        return attribution_html(self)


def attribute(
    model,
    texts: Sequence[str] | str,
    *,
    label: str | None = None,
    method: str = "integrated",
    tolerance: float = 0.02,
    max_length: int = 256,
    test: bool = True,
) -> list[Attribution] | list[Map]:
    """What each token of each text adds to the log-odds of a label: of `label`, or of the one that the model says; of a picture
    or a clip, what each place of it adds (inspection/dense.py).

    >>> (found,) = attribute(model, ["面都坨了"])
    >>> found.tokens
    ('[CLS]', '面', '都', '坨', '了', '[SEP]')
    >>> best = found.strongest(2)                            # of a model that has learned reviews: '坨' and '了'

    The baseline is the same text with every token hidden: [MASK], or the padding token of a model that has no mask. With
    method="integrated" the scores add up to the difference from it to within `tolerance` times that difference (or 1, if
    the difference is smaller): as many points are taken as that needs. method="gradient" takes one. method="occlusion" hides
    each token by itself, and method="rollout" (of texts) follows attention, whatever the label. Each text is asked alone, so
    that padding has no part in it. With `test` each is held against random orders, and says where it is no better
    (`truthful`). The model is left as it was.
    """
    texts = list(texts) if isinstance(texts, (list, tuple)) else [texts]
    if model.task.modality != Classification().modality and explains(model):
        texts = [model.task.accept(x) for x in texts]
        check(model, texts, label, method)
        return maps(model, texts, label, method, tolerance, max_length, test)
    check(model, texts, label, method)
    with modes_kept(model), asked_by_vectors(model) as network:
        model.eval()
        return [one(network, text, label, method, tolerance, fitting(model, max_length), test) for text in texts]


def deletion_curves(model, inputs: Sequence, methods: Sequence[str] = METHODS, *, max_length: int = 256) -> Curves:
    """Whether attributions tell the truth: for each method the label's mean probability while what it points at is hidden, and
    how much sooner that goes than in random orders, with its interval over the inputs.

    >>> found = deletion_curves(model, [example.input for example in corpus.test[:4]]); print(found)
    >>> [one.method for one in found if one.better]          # better than chance beyond the uncertainty
    """
    made = Curves()
    for method in methods:
        found = attribute(model, list(inputs), method=method, max_length=max_length)
        pairs = [one.deletion for one in found if one.deletion]
        if not pairs:
            raise BadInput(
                tr(
                    "这些输入都太短，没有次序可比。请给长一些的。",
                    "These inputs are too short to have an order. Give longer ones.",
                )
            )
        made.append(summed_up(method, pairs))
    return made


def attribute_one(model, input) -> Attribution | dict[str, Any]:
    """The attribution of one text, picture or clip: what a service says where somebody asks why."""
    (found,) = attribute(model, [input])
    return found.said() if isinstance(found, Map) else replace(found, deletion=None)  # a verdict is enough


def explains(model) -> bool:
    """Whether `attribute` has anything to say of this model: a classifier of texts that a slope can be taken of."""
    task = model.task
    if task.name != Classification.name or not hasattr(model, "get_input_embeddings"):
        return False
    return task.modality == Classification().modality or not reads_tokens(model)


def check(model, texts: Sequence, label: str | None, method: str) -> None:
    task = model.task
    text = task.modality == Classification().modality
    if task.name != Classification.name or not (text or explains(model)):
        raise BadInput(
            tr(
                f"attribute 只解释一段文本、一张图片或一个片段的分类；这个模型的任务是 {task.name}（{task.modality.name}）。",
                "attribute explains classifications of one text, picture or clip alone; this model's task is "
                f"{task.name} ({task.modality.name}).",
            )
        )
    task.check_inputs(texts)
    for name, value, accepted in (
        ("label", label or labels_of(model)[0], labels_of(model)),
        ("method", method, METHODS),
    ):
        if value not in accepted:
            raise BadInput(
                tr(
                    f"{name}={value!r} 不行；可选：{listing(accepted)}。",
                    f"{name}={value!r} won't do; choose from: {listing(accepted)}.",
                )
            )


@dataclass
class ByVectors:
    """A model as a function of its tokens' vectors."""

    model: Any
    vectors: Any = None  # what stands in place of the looked-up ones; None leaves those

    def looked_up(self, ids) -> Any:
        """The vectors of these tokens, (tokens, width)."""
        return self.model.get_input_embeddings().weight.detach()[ids]

    def log_odds(self, ids, vectors, target: int) -> Any:
        """Log-odds of a class for each row of vectors, (rows, tokens, width); `ids` are the tokens of the text."""
        logits = self.logits(ids, vectors)
        rest = [i for i in range(logits.shape[-1]) if i != target]
        return logits[:, target] - logits[:, rest].logsumexp(-1)

    def logits(self, ids, vectors) -> Any:
        import torch

        rows, self.vectors = ids.expand(len(vectors), -1), vectors
        try:
            return self.model(input_ids=rows, attention_mask=torch.ones_like(rows)).logits.float()
        finally:
            self.vectors = None


@contextlib.contextmanager
def asked_by_vectors(model) -> Iterator[ByVectors]:
    """The model with a hook that puts given vectors in place of those that it looks up.

    The token ids travel as well: GPT-2 finds the end of a text by them, RoBERTa its positions.
    """
    network = ByVectors(model)
    hook = model.get_input_embeddings().register_forward_hook(lambda *_: network.vectors)
    try:
        with one_token(model, model.task):  # asked as `predict` asks: the same answers to the bit
            yield network
    finally:
        hook.remove()


def one(
    network: ByVectors, text: str, label: str | None, method: str, tolerance: float, max_length: int, test: bool
) -> Attribution:
    """The attribution of one text."""
    import torch

    model, labels = network.model, labels_of(network.model)
    ids, parts = pieces(model.processor, text, max_length)
    ids = torch.tensor(ids, device=device_of(model))
    fixed = torch.tensor([bool(p.name) for p in parts for _ in range(p.tokens)], device=ids.device)
    end = network.looked_up(ids)
    start = torch.where(fixed[:, None], end, network.looked_up(hidden(model.processor)))
    with torch.no_grad():
        logits = network.logits(ids, end[None])[0]
        target = labels.index(label) if label else int(logits.argmax())
        odds, base = network.log_odds(ids, torch.stack([end, start]), target).tolist()
    points, hide = 1, hider(network, ids, (start, end), parts, target)
    if method == "occlusion":
        scores = occluded(hide)
    elif method == "rollout":
        reach = ids.new_tensor(rolled_out(model, ids), dtype=torch.float).where(~fixed, 0.0)
        scores = [float(share.sum()) for share in reach.split([p.tokens for p in parts])]
    else:
        if method == "integrated":
            points, slope = enough_points(network, ids, (start, end), target, odds - base, tolerance)
        else:
            slope = mean_slope(network, ids, (start, end), target, [1.0], [1.0])
        shares = ((end - start) * slope).sum(-1).split([p.tokens for p in parts])
        scores = [float(share.sum()) for share in shares]
    curves = deletion(hide, scores, [i for i, p in enumerate(parts) if not p.name]) if test else None
    return Attribution(
        text,
        labels[target],
        dict(zip(labels, logits.softmax(-1).tolist(), strict=True)),
        tuple(p.name or text[p.begin : p.end] for p in parts),
        tuple(scores),
        tuple(bool(p.name) for p in parts),
        odds,
        base,
        method,
        points,
        max(p.end for p in parts),
        curves and holds(*curves),
        curves,
    )


def hider(network: ByVectors, ids, way, parts: Sequence["Piece"], target: int) -> Hidden:
    """The text with its pieces as what can be hidden."""
    import torch

    start, end = way
    sizes = torch.tensor([p.tokens for p in parts], device=ids.device)

    def ask(masks) -> Any:
        over = masks.to(ids.device).repeat_interleave(sizes, 1)
        return network.log_odds(ids, torch.where(over[..., None], start, end), target)

    return Hidden(len(parts), ask)


def enough_points(network: ByVectors, ids, way, target: int, difference: float, tolerance: float) -> tuple[int, Any]:
    """Points along the way, and the mean slope there, such that slope times way gives the difference."""
    import numpy as np

    points = FIRST
    while True:
        places, weights = np.polynomial.legendre.leggauss(points)  # of all rules with so many points the sharpest
        slope = mean_slope(network, ids, way, target, (places + 1) / 2, weights / 2)
        gap = abs(float(((way[1] - way[0]) * slope).sum()) - difference)
        if gap <= tolerance * max(1.0, abs(difference)) or points >= MOST:
            return points, slope
        points *= 2


def mean_slope(network: ByVectors, ids, way, target: int, places: Sequence[float], weights: Sequence[float]) -> Any:
    """The weighted sum of gradients at places between 0 and 1 on the way, (tokens, width)."""
    import torch

    start, end = way
    share = torch.tensor(list(zip(places, weights, strict=True)), dtype=end.dtype, device=end.device)
    budget = network.model.task.modality.budget(end.device)
    total, rows = torch.zeros_like(end), max(1, budget // len(ids))
    for at in share.split(rows):
        vectors = torch.lerp(start[None], end[None], at[:, 0, None, None]).requires_grad_(True)
        with torch.enable_grad():
            odds = (network.log_odds(ids, vectors, target) * at[:, 1]).sum()
        total += torch.autograd.grad(odds, vectors)[0].sum(0)
    return total


# Text in, pieces of it out


@dataclass
class Piece:
    """A stretch of the text, or a special token."""

    begin: int
    end: int
    name: str = ""  # of a special token
    tokens: int = 1  # that it consists of


def pieces(processor, text: str, max_length: int) -> tuple[list[int], list[Piece]]:
    """The tokens of a text, and what they stand for in it; tokens that share a character make up one piece.

    >>> ids, parts = pieces(model.processor, "好", 8)
    >>> ids, parts[1]
    ([2, 84, 3], Piece(begin=0, end=1, name='', tokens=1))
    """
    options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    encoded = processor(text, truncation=True, max_length=max_length, **options)
    parts: list[Piece] = []
    for token, (begin, end), special in zip(
        encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"], strict=True
    ):
        last = parts[-1] if parts else None
        if special:
            parts.append(Piece(0, 0, processor.convert_ids_to_tokens(token)))
        elif last and not last.name and begin < last.end:
            last.end, last.tokens = max(end, last.end), last.tokens + 1
        else:
            parts.append(Piece(begin, end))
    return encoded["input_ids"], parts


def hidden(processor) -> int:
    """The token that stands for nothing."""
    return processor.pad_token_id if processor.mask_token_id is None else processor.mask_token_id
