"""Ways to forget less while training, or to learn from a larger network: retainers, which add to the gradient."""

import random
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.families import base_of, blocks, family_of
from labkit.models.language_head import head_losses, head_of, last_hidden, load_masked_lm
from labkit.models.loading import fitting, load
from labkit.models.state import device_of
from labkit.tasks.masked_lm import LONGEST, NO_TARGET, encode, general_text, guesses

# Forgetting less


class Retainer:
    """The contract of what Trainer takes as `retain=`: frozen dataclasses that add to the loss of every step.

    `start(model, seed)` gives what is needed later, made of the model before its first step. `add_loss` gives a scalar
    tensor, or None where this step adds nothing. It is called for each piece of a batch and counts by the piece's share
    of the batch; `outputs` are the network's own, for `batch`.
    """

    name: ClassVar[str]

    def settings(self) -> dict[str, Any]:
        """Its fields as plain values: what runs are told apart by."""
        return asdict(self)

    def start(self, model, seed: int) -> Any:
        return None

    def add_loss(self, model, batch, outputs, state, step: int) -> Any:
        return None


@dataclass(frozen=True)
class L2SP(Retainer):
    """Pulls every trained tensor outside the head towards where it started: strength/2 times the squared distance is added
    to the loss (Li et al. 2018, arXiv 1802.01483). Needs memory for one more copy of the network.

    >>> Trainer(model, corpus, Full(), retain=L2SP(strength=0.1)).fit()
    """

    strength: float = 0.1
    name: ClassVar[str] = "l2sp"

    def __post_init__(self):
        checked_number("strength", self.strength, 0, 1e9)

    def start(self, model, seed: int) -> dict:
        head = set(blocks(model)[-1].parameters)
        return {n: p.detach().clone() for n, p in model.named_parameters() if n not in head}

    def add_loss(self, model, batch, outputs, state: dict, step: int) -> Any:
        pulled = [(p - state[n]).pow(2).sum() for n, p in model.named_parameters() if n in state and p.requires_grad]
        return self.strength / 2 * sum(pulled) if pulled else None


@dataclass(frozen=True)
class Replay(Retainer):
    """Goes on with pretraining a little: every so many steps the masked-LM loss of a few general texts is added, times `weight`.

    >>> Trainer(model, corpus, Full(), retain=Replay()).fit()

    Texts that the meter reads are never trained on, also where they are among `texts`.
    """

    texts: tuple[str, ...] | None = field(default=None, repr=False)  # None: the packaged part that the meter leaves
    every: int = 4
    weight: float = 0.2
    name: ClassVar[str] = "replay"
    rows: ClassVar[int] = 16  # texts a step

    def __post_init__(self):
        if self.texts is not None:
            object.__setattr__(self, "texts", tuple(self.texts))
        checked_number("weight", self.weight, 0, 1e9)
        checked_number("every", self.every, 1, 10**9, whole=True)

    def start(self, model, seed: int) -> Any:
        measured, free = general_text()
        lm = load_masked_lm(model.source).to(device_of(model))
        texts = free if self.texts is None else [t for t in self.texts if t not in measured]
        return lm, encode(lm, texts, fitting(model, LONGEST)), seed

    def add_loss(self, model, batch, outputs, state: Any, step: int) -> Any:
        if step % self.every or not self.weight:
            return None
        lm, lines, seed = state
        rng = random.Random((seed << 32) + step)
        inputs, target = guesses(lm, rng.sample(lines, min(self.rows, len(lines))), rng, device_of(model))
        guessed = (target != NO_TARGET).sum()
        return head_losses(head_of(model, lm), last_hidden(model, inputs), target).sum() * (self.weight / guessed)


# Learning from a larger network


@dataclass(frozen=True)
class Distill(Retainer):
    """Learns from the answers of a larger network, its teacher, beside the labels: how likely it finds each answer (Hinton,
    Vinyals and Dean 2015, arXiv 1503.02531), and which rows it finds alike, by the vectors that its head reads (Tung and Mori
    2019, arXiv 1907.09682; where the head reads every token, which tokens of a row): that needs no map between two widths.

    >>> save(model, "out/large")                             # fine-tuned before; here they are of one size
    >>> small = load("tiny-bert-zh", labels=corpus.labels)
    >>> Trainer(small, corpus, HeadOnly(), TrainConfig(epochs=1), retain=Distill("out/large")).fit()

    `teacher` is a folder, or a packaged name, of the same task and with the same tokens. The teacher is asked in every step,
    and with `hidden` the pupil twice.
    """

    teacher: str
    weight: float = 1.0  # of the soft labels; the labels themselves weigh 1
    temperature: float = 2.0  # above 1 also small probabilities tell
    hidden: float = 1.0  # weight of that likeness
    name: ClassVar[str] = "distill"

    def __post_init__(self):
        object.__setattr__(self, "teacher", str(self.teacher))
        checked_number("weight", self.weight, 0, 1e9)
        checked_number("temperature", self.temperature, 0.1, 100)
        checked_number("hidden", self.hidden, 0, 1e9)

    def start(self, model, seed: int) -> Any:
        teacher = load(self.teacher).to(device_of(model)).requires_grad_(False)
        vocabularies = [getattr(m.processor, "get_vocab", dict)() for m in (teacher, model)]
        if teacher.task != model.task or vocabularies[0] != vocabularies[1]:
            raise BadInput(
                tr(
                    f"{self.teacher} 不能教这个模型：任务、标签和词表都要一样。请用同一份数据、同一个分词器训练老师。",
                    f"{self.teacher} cannot teach this model: task, labels and tokens must be the same. Train a teacher on the same "
                    "data, with the same tokenizer.",
                )
            )
        return teacher

    def add_loss(self, model, batch, outputs, state: Any, step: int) -> Any:
        import torch

        with torch.no_grad():
            taught, far = with_hidden(state, batch.inputs)
        mask = batch.inputs.get("attention_mask")
        loss = self.weight * soft_loss(outputs, taught, mask, self.temperature, model.config)
        if self.hidden:
            _, near = with_hidden(model, batch.inputs)
            alike = [likeness(read(m, h, mask), mask) for m, h in ((model, near), (state, far))]
            loss = loss + self.hidden * (alike[0] - alike[1]).pow(2).mean()
        return loss


def with_hidden(model, inputs: dict) -> tuple[Any, Any]:
    """What a model answers, and the last hidden states below its head."""
    caught: list = []
    hook = base_of(model)[0].register_forward_hook(lambda module, args, output: caught.append(output[0]))
    try:
        return model(**inputs), caught[0]
    finally:
        hook.remove()


def soft_loss(outputs, taught, mask, temperature: float, config) -> Any:
    """How far the pupil's probabilities are from the teacher's, in nats, the mean over rows or tokens."""
    from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

    total = 0.0
    for name in [n for n in taught if n.endswith("logits")]:
        one, other = (x[name].float() / temperature for x in (outputs, taught))
        if name != "logits" and mask is not None:  # a share for each token of the row: padding has none
            one, other = (x.masked_fill(mask == 0, -1e4) for x in (one, other))
        if getattr(config, "problem_type", None) == "multi_label_classification":
            each = binary_cross_entropy_with_logits(one, other.sigmoid(), reduction="none").mean(-1)
        else:
            each = kl_div(one.log_softmax(-1), other.log_softmax(-1), log_target=True, reduction="none").sum(-1)
        if each.dim() == 2 and mask is not None and each.shape == mask.shape:
            each = (each * mask).sum(1) / mask.sum(1)
        total = total + each.mean() * temperature**2
    return total


def read(model, hidden, mask) -> Any:
    """What the head reads of the last hidden states: one vector a row (rows, width), or all of them."""
    family = family_of(model)
    if not (model.task.pooled and family.tokens and mask is not None):
        return hidden
    if family.reads == "first":
        return hidden[:, 0]
    last = (mask.sum(1) - 1)[:, None, None].expand(-1, 1, hidden.shape[-1])
    return hidden.gather(1, last)[:, 0]


def likeness(hidden, mask) -> Any:
    """The cosine of every two rows (rows, rows); of a row of tokens, that of every two tokens, 0 where one is padding: (rows,
    tokens, tokens)."""
    from torch.nn.functional import normalize

    if hidden.dim() != 3 or mask is None:
        flat = normalize(hidden.flatten(1).float(), dim=-1)
        return flat @ flat.T
    unit = normalize(hidden.float(), dim=-1) * mask[..., None]
    return unit @ unit.transpose(1, 2)


def retainer_name(retain: Retainer) -> str:
    """`retainer_name(L2SP(strength=0.5)) == "l2sp(strength=0.5)"`: settings that are not the default are told, texts counted."""
    told = []
    for f in fields(retain):
        value = getattr(retain, f.name)
        if value != f.default:
            short = {"texts": len, "examples": len, "teacher": lambda place: Path(place).name}.get(f.name, str)
            told.append(f"{f.name}={short(value)}")
    return f"{retain.name}({','.join(told)})" if told else retain.name


def retainer_settings(retain: Retainer | None) -> dict | None:
    """Its name and fields as JSON values; None for none."""
    return retain and {"name": retain.name, **retain.settings()}
