"""Ways to forget less while training: retainers, which add to the gradient."""

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.models.families import blocks
from labkit.models.language_head import head_losses, head_of, last_hidden, load_masked_lm
from labkit.models.loading import fitting
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


def retainer_name(retain: Retainer) -> str:
    """`retainer_name(L2SP(strength=0.5)) == "l2sp(strength=0.5)"`: settings that are not the default are told, texts counted."""
    told = []
    for f in fields(retain):
        value = getattr(retain, f.name)
        if value != f.default:
            told.append(f"{f.name}={len(value) if f.name == 'texts' else value}")
    return f"{retain.name}({','.join(told)})" if told else retain.name


def retainer_settings(retain: Retainer | None) -> dict | None:
    """Its name and fields as JSON values; None for none."""
    return retain and {"name": retain.name, **asdict(retain)}
