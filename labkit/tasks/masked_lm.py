"""Hidden tokens to be guessed: the pretraining task, on plain lines of text."""

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.files import ASSETS
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.text import Text

HIDDEN = 0.15  # share of the tokens that a masked model has to guess
LONGEST = 128  # tokens of a text that are read
NO_TARGET = -100  # at places where nothing is guessed


@functools.cache
def general_text() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packaged lines of general text in two parts that share none: the meter reads the first, Replay trains on the second."""
    lines = (ASSETS / "general.txt").read_text("utf-8").splitlines()
    mixed = random.Random(0).sample(lines, len(lines))  # the file is ordered by topic
    cut = len(mixed) * 3 // 5
    return tuple(mixed[:cut]), tuple(mixed[cut:])


def tokenizer_of(place: str, config, **where) -> Any:
    """The tokenizer at a place: language models read texts."""
    return Text().load_processor(place, config, **where)


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
        if lm.causal:
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
