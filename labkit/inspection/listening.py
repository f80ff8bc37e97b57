"""Does a model listen? Its answers with the clips swapped, and where in a clip it looks for what it writes. Notebook 16.

A decoder that has learned what is usually said can write well-formed nonsense, and its loss falls all the same.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, Example
from labkit.models.hearing import transcribe, written
from labkit.models.state import asking, device_of
from labkit.tasks.ctc import collapsed
from labkit.tasks.letters import tidy


@dataclass(frozen=True)
class Swapped:
    """How a model answers clips that were exchanged for others, in which something else is said."""

    n: int
    right: float  # share of texts that are right with their own clips
    follows: float  # share of texts that are those of the other clip, after the exchange
    same: float  # share of texts that stay as they were

    def __str__(self) -> str:
        return tr(
            f"{self.n} 个片段：用自己的声音对 {self.right:.2f}；换成别的声音后，{self.follows:.2f} 写出了新声音的内容，{self.same:.2f} 没有变。",
            f"{self.n} clips: {self.right:.2f} right with their own sound; with another's, {self.follows:.2f} write what that one "
            f"says, {self.same:.2f} stay as they were.",
        )


def swap_audio(model, examples: Sequence[Example], seed: int = 0) -> Swapped:
    """Give every text the clip of another one, and see whether the answers follow the sound.

    >>> english = phrases(language="en")
    >>> found = swap_audio(load("tiny-speech", task=english.task), english.test[:4])

    A model that listens writes what the other clip says; one that does not, writes what it wrote before.
    """
    rng, texts = random.Random(seed), [tidy(e.target) for e in examples]
    others = [[j for j, text in enumerate(texts) if text != mine] for mine in texts]
    if len(examples) < 2 or not all(others):
        raise BadInput(
            tr(
                f"{len(examples)} 个片段说的都一样，换了也看不出什么：请给出至少两种不同的内容。",
                f"These {len(examples)} clips all say the same, so that an exchange tells nothing: give two texts or more.",
            )
        )
    partner = [rng.choice(there) for there in others]
    own = [tidy(t) for t in answers(model, examples)]
    moved = [Example(examples[j].input, None, e.extra) for e, j in zip(examples, partner, strict=True)]
    after = [tidy(t) for t in answers(model, moved)]
    n = len(examples)
    return Swapped(
        n,
        sum(a == b for a, b in zip(own, texts, strict=True)) / n,
        sum(a == texts[j] for a, j in zip(after, partner, strict=True)) / n,
        sum(a == b for a, b in zip(own, after, strict=True)) / n,
    )


def answers(model, examples: Sequence[Example]) -> list[str]:
    found = []
    with asking(model):
        for start in range(0, len(examples), 32):
            found += written(model, [Example(e.input, None, e.extra) for e in examples[start : start + 32]], 1)
    return found


@dataclass(frozen=True)
class Alignment:
    """Which stretch of a clip each token of a text is drawn from."""

    tokens: tuple[str, ...]
    weights: Any  # (tokens, stretches), each row's sum 1
    step: float  # seconds of a stretch
    samples: Any  # the clip
    rate: int

    @property
    def peaks(self) -> list[float]:
        """Where the stretch begins that each token hangs on most, in seconds."""
        return [float(i) * self.step for i in self.weights.argmax(1)]


WINDOW, HOP = 0.1, 0.05  # seconds: a stretch that is silenced, and how far the next one is


def alignment(model, clip, text: str | None = None, language: str = "") -> Alignment:
    """Which stretch of a clip each token of a text is drawn from: of what a model writes itself, unless a text is given.

    >>> english = phrases(language="en")
    >>> found = alignment(load("tiny-speech", task=english.task), english.test[0].input)
    >>> len(found.tokens) == len(found.peaks)
    True

    Of a decoder: by how many nats each token becomes less likely when a tenth of a second is silenced, each stretch in turn.
    (Attention is quicker to look at and says less: the encoder has carried what it heard to other places by then.) Of CTC: the
    frames that answered with each letter, by how sure they were.
    """
    task, clip = model.task, model.task.modality.accept(clip)
    extra = {"language": language} if language else {}
    if text is None and not model.processor.ctc:
        text = transcribe(model, clip, language=language)
    (item,) = task.encode(model.processor, [Example(clip, None if model.processor.ctc else text, extra)], 0)
    rate = model.processor.extractor.sampling_rate
    samples = task.modality.prepared(clip, rate)
    tokens, weights = (by_frames if model.processor.ctc else by_silence)(model, item, len(samples) / rate)
    whole = weights.sum(1, keepdims=True).clip(1e-9)
    return Alignment(tuple(tokens), weights / whole, len(samples) / rate / weights.shape[1], samples, rate)


def by_silence(model, item: dict, seconds: float) -> tuple[list[str], Any]:
    """Tokens behind the prompt, and what each loses where a stretch is silenced (tokens, stretches)."""
    import numpy as np

    sound, step = item["sound"], item["step"]
    stretches = max(1, round(seconds / HOP))
    variants = [item]
    for k in range(stretches):
        middle = (k + 0.5) * seconds / stretches
        first, end = (int(max(0.0, middle + side * WINDOW / 2) / step) for side in (-1, 1))
        quiet = sound.copy()
        quiet[..., first:end] = sound.min() if sound.ndim > 1 else 0.0
        variants.append({**item, "sound": quiet})
    logs = token_logs(model, variants, item)
    tokens = [model.processor.tokenizer.decode([i]) or "␣" for i in item["ids"][item["prompt"] : -1]]
    return tokens, np.maximum(logs[0] - logs[1:], 0).T[: len(tokens)]


def token_logs(model, items: Sequence[dict], item: dict) -> Any:
    """The log probability of each token of the text, (items, tokens)."""
    import torch

    batch = model.task.collate(model.processor, items).to(device_of(model))
    with asking(model):
        logs = model(**batch.inputs).logits.float().log_softmax(-1)[:, item["prompt"] :]
    ids = torch.tensor(item["ids"][item["prompt"] :], device=logs.device)
    return logs.gather(2, ids.expand(len(items), -1)[..., None])[..., 0].cpu().numpy()


def by_frames(model, item: dict, seconds: float) -> tuple[list[str], Any]:
    """Letters with the frames that answered with them (letters, frames)."""
    import numpy as np

    batch = model.task.collate(model.processor, [item]).to(device_of(model))
    with asking(model):
        shares = model(**batch.inputs).logits[0].float().softmax(-1).cpu().numpy()
    shares = shares[: model.processor.frames(round(seconds / item["step"]))]
    best, blank = shares.argmax(1).tolist(), model.processor.config.pad_token_id
    letters, rows, last = [], [], blank
    for t, number in enumerate(best):
        if number != blank and number != last:
            letters.append(number)
            rows.append(np.zeros(len(best)))
        if number != blank:
            rows[-1][t] = shares[t, number]
        last = number
    assert letters == collapsed(best, blank)
    return model.processor.tokenizer.convert_ids_to_tokens(letters), np.array(rows).reshape(len(letters), len(best))
