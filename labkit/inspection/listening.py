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

    >>> print(swap_audio(model, corpus.test))

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
    """Which part of a clip each token of a text is drawn from."""

    tokens: tuple[str, ...]
    weights: Any  # (tokens, places), each row's sum 1
    step: float  # seconds of a place
    samples: Any  # the clip
    rate: int

    @property
    def peaks(self) -> list[float]:
        """Where each token looks most, in seconds."""
        return [float(i) * self.step for i in self.weights.argmax(1)]


def alignment(model, clip, text: str | None = None, language: str = "") -> Alignment:
    """Where a model looks in a clip for each token of a text: of what it writes itself, unless a text is given.

    >>> found = alignment(model, corpus.test[0].input)
    >>> plots.alignment(found)

    Of a decoder it is the attention to the encoder's states, the mean over layers and heads; of CTC the frames that answered with
    each letter, by how sure they were.
    """
    task, clip = model.task, model.task.modality.accept(clip)
    extra = {"language": language} if language else {}
    if text is None and not model.processor.ctc:
        text = transcribe(model, clip, language=language)
    (item,) = task.encode(model.processor, [Example(clip, None if model.processor.ctc else text, extra)], 0)
    batch = task.collate(model.processor, [item]).to(device_of(model))
    heard = model.processor.extractor.sampling_rate
    samples = task.modality.prepared(clip, heard)
    tokens, weights = (by_frames if model.processor.ctc else by_attention)(model, batch, item)
    seconds = item["sound"].shape[-1] * item["step"]
    weights = weights[:, : places(model, batch, weights.shape[1])]
    return Alignment(
        tuple(tokens), weights / weights.sum(1, keepdims=True).clip(1e-9), seconds / weights.shape[1], samples, heard
    )


def places(model, batch, most: int) -> int:
    """How many of the encoder's places are no padding."""
    mask = batch.inputs.get("attention_mask")
    counted = getattr(model, "_get_feat_extract_output_lengths", None)
    return most if mask is None or counted is None else min(most, int(counted(mask.sum(1))[0]))


def by_attention(model, batch, item: dict) -> tuple[list[str], Any]:
    """Tokens behind the prompt with their attention (tokens, places)."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = plain.config._attn_implementation
    plain.set_attn_implementation("eager")  # the quicker kinds keep no weights
    try:
        with asking(model):
            out = plain(**batch.inputs, output_attentions=True, use_cache=False)
    finally:
        plain.set_attn_implementation(before)
    mean = sum(layer[0].mean(0) for layer in out.cross_attentions) / len(out.cross_attentions)
    ids = item["ids"][item["prompt"] : -1]
    tokens = [model.processor.tokenizer.decode([i]) or "␣" for i in ids]
    return tokens, mean[item["prompt"] : item["prompt"] + len(ids)].float().cpu().numpy()


def by_frames(model, batch, item: dict) -> tuple[list[str], Any]:
    """Letters with the frames that answered with them (letters, frames)."""
    import numpy as np

    with asking(model):
        shares = model(**batch.inputs).logits[0].float().softmax(-1).cpu().numpy()
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
