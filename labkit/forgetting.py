"""What fine-tuning forgets: masked-LM loss on general text before and after, and two ways to forget less. Notebook 02.

The fine-tuned network, with the prompts and adapters it is used with, stands under the language-model head of its
source; that head stays as it was. Leans on models and evaluation.
"""

import functools
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from labkit.config import checked_number
from labkit.evaluation import asking, device_of, fitting
from labkit.frozen import Answer
from labkit.models import ASSETS, NoLanguageHead, base_of, blocks, load_masked_lm, width_of
from labkit.records import BadInput
from labkit.text import tr

HIDDEN = 0.15  # share of the tokens that a masked model has to guess
LONGEST = 128  # tokens of a text that are read
NO_TARGET = -100  # at places where nothing is guessed


@dataclass(frozen=True)
class Forgetting:
    """Language-model loss on general text in nats, of the pristine network and of the fine-tuned one.

    Where the source has no language-model head the numbers are None and `reason` says why.
    """

    before: float | None = None
    after: float | None = None
    change: float | None = None  # after - before; exactly 0 where the network stayed frozen
    error: float | None = None  # standard error of the change, over the guessed tokens
    n_tokens: int = 0  # guessed, the same ones before and after
    reason: str = ""


@functools.cache
def general_text() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packaged lines of general text in two parts that share none: the meter reads the first, Replay trains on the second."""
    lines = (ASSETS / "general.txt").read_text("utf-8").splitlines()
    mixed = random.Random(0).sample(lines, len(lines))  # the file is ordered by topic
    cut = len(mixed) * 3 // 5
    return tuple(mixed[:cut]), tuple(mixed[cut:])


def masked_lm_loss(model_or_source, texts: Sequence[str] | None = None, seed: int = 0) -> float:
    """Mean cross-entropy in nats of the hidden 15 % of the tokens (GPT-2: of every next token), the same for one seed.

    >>> masked_lm_loss("tiny-bert-zh")                  # the pristine network of a source
    >>> masked_lm_loss(model)                           # a fine-tuned network under the head of its source

    `texts` are the packaged general ones unless given. BadInput where the source has no language-model head.
    """
    plain = isinstance(model_or_source, (str, Path))
    lm = load_masked_lm(model_or_source if plain else model_or_source.source)
    model = lm.base_model if plain else model_or_source
    return token_losses(model, lm, encode(lm, texts, fitting(model, LONGEST)), seed).mean().item()


def forgetting_of(source, model, texts: Sequence[str] | None = None, seed: int = 0) -> Forgetting:
    """By how much fine-tuning raised the language-model loss of `source` on general text: below 0 nothing was forgotten.

    >>> forgetting_of("tiny-bert-zh", model).change
    0.41...
    """
    try:
        lm = load_masked_lm(source)
    except NoLanguageHead as error:
        return Forgetting(reason=str(error))
    if (lm.config.model_type, width_of(lm)) != (model.config.model_type, width_of(model)):
        raise BadInput(
            tr(
                f"这个模型不是从 {source} 微调来的：家族或宽度不同。请给出它的来源，即 model.source。",
                f"This model was not fine-tuned from {source}: another family or width. Give its source, model.source.",
            )
        )
    lm.to(device_of(model))
    lines = encode(lm, texts, fitting(model, LONGEST))
    before, after = (token_losses(network, lm, lines, seed) for network in (lm.base_model, model))
    change, n = after - before, len(before)
    error = (change.std() / n**0.5).item() if n > 1 else 0.0
    return Forgetting(before.mean().item(), after.mean().item(), change.mean().item(), error, n)


# Guessing


@dataclass(frozen=True)
class Line:
    """A text as token numbers, and the places that may be hidden: neither special nor unknown tokens."""

    ids: list[int]
    places: list[int]


def encode(lm, texts: Sequence[str] | None, width: int) -> list[Line]:
    """Texts (None: the packaged ones for the meter) that hold something to guess; BadInput where none does."""
    processor, lines = lm.processor, []
    texts = general_text()[0] if texts is None else texts
    found = processor(list(texts), truncation=True, max_length=width, return_special_tokens_mask=True) if texts else {}
    for ids, special in zip(found.get("input_ids", ()), found.get("special_tokens_mask", ()), strict=True):
        places = [i for i, mark in enumerate(special) if not mark and ids[i] != processor.unk_token_id]
        if len(places) > 1:
            lines.append(Line(ids, places))
    if not lines:
        raise BadInput(
            tr(
                "没有可读的文本：请给出至少一行、两个以上词元的普通文字。",
                "No text to read: give at least one line of plain text, with two tokens or more that the model knows.",
            )
        )
    return lines


def guesses(lm, lines: Sequence[Line], rng: random.Random, device) -> tuple[dict, Any]:
    """A batch: model inputs, and the true tokens (rows, longest) where one has to be guessed, NO_TARGET elsewhere."""
    import torch

    rows, targets = [], []
    for line in lines:
        ids, target = list(line.ids), [NO_TARGET] * len(line.ids)
        if is_causal(lm):
            target[:-1] = ids[1:]
        else:
            for i in rng.sample(line.places, max(1, round(HIDDEN * len(line.places)))):
                target[i], ids[i] = ids[i], lm.processor.mask_token_id
        rows.append(torch.tensor(ids))
        targets.append(torch.tensor(target))
    pad = functools.partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
    ids = pad(rows, padding_value=lm.processor.pad_token_id)
    inputs = {"input_ids": ids, "attention_mask": pad([torch.ones_like(row) for row in rows])}
    return {k: v.to(device) for k, v in inputs.items()}, pad(targets, padding_value=NO_TARGET).to(device)


def is_causal(lm) -> bool:
    """GPT-like models guess the next token instead of hidden ones."""
    return lm.config.model_type == "gpt2"


def last_hidden(model, inputs: dict) -> Any:
    """Last hidden states (rows, tokens, width) of a model as it is used, adapters and prompts at work."""
    caught = []
    hook = base_of(model)[0].register_forward_hook(lambda module, args, output: caught.append(output[0]))
    try:
        model(**inputs)
    finally:
        hook.remove()
    return caught[0][:, -inputs["input_ids"].shape[1] :]  # without places that prompts take before the text


def head_losses(lm, hidden, target) -> Any:
    """Cross-entropy (guesses,) of the true tokens under the language-model head, from hidden states (rows, tokens, width)."""
    from torch.nn.functional import cross_entropy

    asked, base = target != NO_TARGET, lm.base_model
    states = hidden[asked][None]
    base.forward = lambda *args, **kwargs: Answer(last_hidden_state=states)  # the rest of the network is the head
    try:
        logits = lm(input_ids=target[asked][None]).logits[0]
    finally:
        del base.forward
    return cross_entropy(logits.float(), target[asked], reduction="none")


def token_losses(model, lm, lines: Sequence[Line], seed: int, rows: int = 32) -> Any:
    """Loss in nats of each guessed token, (tokens,) on the CPU: the network of `model` under the head of `lm`."""
    import torch

    rng, device, found = random.Random(seed), device_of(model), []
    with asking(model), asking(lm.to(device)):
        for start in range(0, len(lines), rows):
            inputs, target = guesses(lm, lines[start : start + rows], rng, device)
            found.append(head_losses(lm, last_hidden(model, inputs), target).cpu())
    return torch.cat(found)


# Forgetting less


class Keep:
    """The contract of what Trainer takes as `keep=`: frozen dataclasses that add to the gradient of every step.

    `start(model, seed)` gives what is needed later, made of the model before its first step. `add_gradient` is called
    after the backward of a batch; `engine` tells number format and processes, which later sum their gradients.
    """

    name: ClassVar[str]

    def start(self, model, seed: int) -> Any:
        return None

    def add_gradient(self, model, state, step: int, engine) -> None:
        pass


@dataclass(frozen=True)
class L2SP(Keep):
    """Pulls every trained tensor outside the head towards where it started: strength/2 times the squared distance is added
    to the loss (Li et al. 2018, arXiv 1802.01483). Needs memory for one more copy of the network.

    >>> Trainer(model, corpus, Full(), keep=L2SP(strength=0.1)).fit()
    """

    strength: float = 0.1
    name: ClassVar[str] = "l2sp"

    def __post_init__(self):
        checked_number("strength", self.strength, 0, 1e9)

    def start(self, model, seed: int) -> dict:
        head = set(blocks(model)[-1].parameters)
        return {n: p.detach().clone() for n, p in model.named_parameters() if n not in head}

    def add_gradient(self, model, state: dict, step: int, engine) -> None:
        import torch

        pull = self.strength * engine.scaler.get_scale() / engine.processes
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in state and parameter.grad is not None:
                    parameter.grad.add_(parameter - state[name], alpha=pull)


@dataclass(frozen=True)
class Replay(Keep):
    """Goes on with pretraining a little: every so many steps the masked-LM loss of a few general texts is added, times `weight`.

    >>> Trainer(model, corpus, Full(), keep=Replay()).fit()

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

    def add_gradient(self, model, state: Any, step: int, engine) -> None:
        if step % self.every or not self.weight:
            return
        lm, lines, seed = state
        rng = random.Random((seed << 32) + step)
        inputs, target = guesses(lm, rng.sample(lines, min(self.rows, len(lines))), rng, device_of(model))
        n = (target != NO_TARGET).sum()
        if engine.rank >= len(target):
            return
        mine = slice(engine.rank, None, engine.processes)
        with engine.autocast():
            hidden = last_hidden(model, {k: v[mine] for k, v in inputs.items()})
            loss = head_losses(lm, hidden, target[mine]).sum() * (self.weight / n)
        if loss.requires_grad:  # not where only the head trains
            engine.scaler.scale(loss).backward()


def keep_name(keep: Keep) -> str:
    """`keep_name(L2SP(strength=0.5)) == "l2sp(strength=0.5)"`: settings that are not the default are told, texts counted."""
    told = []
    for f in fields(keep):
        value = getattr(keep, f.name)
        if value != f.default:
            told.append(f"{f.name}={len(value) if f.name == 'texts' else value}")
    return f"{keep.name}({','.join(told)})" if told else keep.name


def keep_settings(keep: Keep | None) -> dict | None:
    """Its name and fields as JSON values; None for none."""
    return keep and {"name": keep.name, **asdict(keep)}
