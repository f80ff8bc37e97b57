"""Ask a model to write: an answer, several, or one as it comes, piece by piece. Notebook 12 uses it."""

from collections.abc import Iterator, Sequence
from typing import Any

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.families import family_of
from labkit.models.loading import fitting
from labkit.models.state import asking
from labkit.tasks.chat import continued, is_conversation, prompted, stop_tokens, text_of
from labkit.tasks.decoding import Sampling, tokens_after

UNREADY = "\ufffd"  # a character of which not all bytes are there yet


def generate(
    model,
    prompt: str | Sequence,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    plain: bool = False,
    stream: bool = False,
) -> Any:
    """What a model writes after a prompt: a text; of a list of prompts a list.

    >>> model = load("tiny-gpt-zh", task=tasks.Generation())
    >>> generate(model, "这家店怎么样？")                     # a prompt, answered
    >>> generate(model, [{"role": "user", "content": "你好"}])            # a conversation: a list of messages
    >>> generate(model, "今天的天气", plain=True)              # a text, continued: what a model does that was only pretrained
    >>> for piece in generate(model, "你好", stream=True): print(piece, end="")

    At temperature 0 the likeliest token is taken each time (greedy). With `temperature` tokens are drawn, the same ones for
    one seed: among the `top_k` likeliest, and among the likeliest that hold `top_p` of the probability.
    """
    checked_number("max_new_tokens", max_new_tokens, 1, 10**6, whole=True)
    choose = Sampling(temperature, top_k, top_p, seed).chooser()
    several = not isinstance(prompt, str) and (plain or not is_conversation(prompt))
    asked = list(prompt) if several else [prompt]
    check(model, asked, stream and several)
    rows = (continued if plain else prompted)(model.processor, asked)
    room = fitting(model, 10**9) - max(map(len, rows))
    if room < 1:
        raise BadInput(
            tr(
                f"提示有 {max(map(len, rows))} 个词元，模型只有 {fitting(model, 10**9)} 个位置，没有地方写答案：请缩短提示。",
                f"The prompt has {max(map(len, rows))} tokens and the model {fitting(model, 10**9)} positions, which leaves no room "
                "for an answer: shorten the prompt.",
            )
        )
    pieces = texts(model, rows, choose, min(room, max_new_tokens))
    if stream:
        return (row[0] for row in pieces if row[0])
    made = ["".join(parts) for parts in zip(*pieces, strict=True)]
    return made if several else made[0]


def texts(model, rows: Sequence[list[int]], choose: Any, most: int) -> Iterator[list[str]]:
    """For each row what a step adds to its text: "" where a character is not whole yet, or all is said."""
    processor = model.processor
    written: list[list[int]] = [[] for _ in rows]
    told = [""] * len(rows)
    steps = tokens_after(model, rows, choose, stop_tokens(processor), most)
    while True:
        with asking(model):  # not around the yield: between two pieces the model is its owner's
            tokens = next(steps, None)
        last = tokens is None
        added = []
        for i, token in enumerate(tokens or [None] * len(rows)):
            if token is not None:
                written[i].append(token)
            text = text_of(processor, written[i])
            ready = text if last else text.rstrip(UNREADY)
            added.append(ready[len(told[i]) :])
            told[i] = ready
        yield added
        if last:
            return


def check(model, prompts: Sequence, streams_several: bool) -> None:
    """BadInput unless the model writes, and there is something to begin with."""
    if not family_of(model).causal or not hasattr(model, "lm_head"):
        raise BadInput(
            tr(
                f"{model.config.model_type} 的这个模型不会写：请用语言模型（如 tiny-gpt-zh），以 task=lk.tasks.Generation() 载入。",
                f"This {model.config.model_type} model does not write: take a causal language model (such as tiny-gpt-zh), "
                "loaded with task=lk.tasks.Generation().",
            )
        )
    if streams_several:
        raise BadInput(
            tr(
                "stream=True 一次只写一个：请逐个给出提示。",
                "stream=True writes one answer at a time: give one prompt.",
            )
        )
