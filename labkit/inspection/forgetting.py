"""What fine-tuning forgets: language-model loss on general text before and after. Notebook 02; strategies/retaining.py has
ways to forget less.

The fine-tuned network, with the prompts and adapters it is used with, stands under the language-model head of its
source; that head stays as it was. A model that writes has a head of its own, and is asked with that. Leans on models and tasks.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.families import width_of
from labkit.models.language_head import NoLanguageHead, head_losses, head_of, last_hidden, load_masked_lm
from labkit.models.loading import fitting
from labkit.models.state import asking, device_of
from labkit.tasks.masked_lm import LONGEST, Line, encode, guesses


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

    >>> forgetting_of("tiny-bert-zh", load("tiny-bert-zh", labels=("no", "yes"))).change      # nothing was trained yet
    0.0
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


def token_losses(model, lm, lines: Sequence[Line], seed: int, rows: int = 32) -> Any:
    """Loss in nats of each guessed token, (tokens,) on the CPU: the network of `model` under the head of `lm`."""
    import torch

    rng, device, losses = random.Random(seed), device_of(model), []
    with asking(model), asking(lm.to(device)):
        for start in range(0, len(lines), rows):
            inputs, target = guesses(lm, lines[start : start + rows], rng, device)
            losses.append(head_losses(head_of(model, lm), last_hidden(model, inputs), target).cpu())
    return torch.cat(losses)
