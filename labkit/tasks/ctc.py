"""CTC: a network that answers each frame of a clip with a letter or with nothing (Graves et al. 2006).

Which frames a letter takes is not told: the loss sums over all ways. Read back, repeated answers count once, and only then the
blanks between them go: the blank is what keeps two equal letters apart.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput


def collapsed(frames: Sequence[int], blank: int) -> list[int]:
    """What the answers of the frames spell: repeats once, then no blanks.

    >>> collapsed([8, 5, 5, 0, 12, 12, 0, 12, 15], blank=0)            # h e e _ l l _ l o
    [8, 5, 12, 12, 15]
    """
    once = [a for a, b in zip(frames, [None, *frames], strict=False) if a != b]
    return [a for a in once if a != blank]


def needed(letters: Sequence[int]) -> int:
    """How many frames a text takes at least: one a letter, and a blank between two that are equal."""
    return len(letters) + sum(a == b for a, b in itertools.pairwise(letters))


def refuse_short(frames: Sequence[int], texts: Sequence[Sequence[int]]) -> None:
    """BadInput where clips have fewer frames than their texts need: the loss would be infinite."""
    short = [i for i, (n, ids) in enumerate(zip(frames, texts, strict=True)) if needed(ids) > n]
    if short:
        i = short[0]
        raise BadInput(
            tr(
                f"{len(texts)} 个片段中有 {len(short)} 个太短，写不下它们的文字：例如第 {i + 1} 个只有 {frames[i]} 帧，文字要 "
                f"{needed(texts[i])} 帧。请检查文字是否属于这个片段、采样率是否正确，或去掉这些行。",
                f"{len(short)} of {len(texts)} clips are too short for their texts: number {i + 1}, say, has {frames[i]} frames and "
                f"its text takes {needed(texts[i])}. See whether text and clip belong together and the sample rate is right, "
                "or leave those rows out.",
            )
        )


def ctc_losses(logits, frames, target, letters, blank: int) -> Any:
    """The summed loss of each row in nats, (rows,): 0 instead of infinite where a text does not fit its clip."""
    import torch
    from torch.nn.functional import ctc_loss

    shares = logits.float().log_softmax(-1).transpose(0, 1)
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN's own has no `zero_infinity`, and other limits
        return ctc_loss(shares, target, frames, letters, blank=blank, reduction="none", zero_infinity=True)


def beam_search(logs, blank: int, beams: int) -> list[int]:
    """The text that the frames' log probabilities (frames, letters) make likeliest, over all of its ways: of the `beams` best
    beginnings, each frame goes on with all letters (Hannun et al. 2014, arXiv 1408.2873).

    >>> import numpy as np
    >>> two = np.log([[0.6, 0.4], [0.6, 0.4]])                     # blank, blank .36; but a, in three ways, .64
    >>> collapsed(two.argmax(1).tolist(), 0), beam_search(two, 0, beams=4)
    ([], [1])
    """
    best = {(): (0.0, -math.inf)}  # a text: log probability of its ways that end in a blank, and in its last letter
    for frame in logs.tolist():
        found: dict[tuple, list[float]] = {}
        for text, (quiet, loud) in best.items():
            both = added(quiet, loud)
            for letter, share in enumerate(frame):
                if letter == blank:
                    note(found, text, 0, both + share)
                elif text and letter == text[-1]:
                    note(found, text, 1, loud + share)  # said on
                    note(found, (*text, letter), 1, quiet + share)  # said again, behind a blank
                else:
                    note(found, (*text, letter), 1, both + share)
        ranked = sorted(found.items(), key=lambda item: -added(*item[1]))[:beams]
        best = {text: tuple(ways) for text, ways in ranked}
    return list(next(iter(best)))


def note(found: dict, text: tuple, kind: int, share: float) -> None:
    ways = found.setdefault(text, [-math.inf, -math.inf])
    ways[kind] = added(ways[kind], share)


def added(a: float, b: float) -> float:
    """The log of the sum of two probabilities given by their logs."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
