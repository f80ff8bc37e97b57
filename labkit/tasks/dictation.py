"""A decoder that writes what an encoder has heard, token after token: greedily, or with several beginnings at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Heard:
    """What the encoder made of a batch of clips, and what of it is no padding."""

    states: Any  # (rows, places, width)
    mask: Any = None  # (rows, frames)

    def rows(self, chosen) -> "Heard":
        return Heard(self.states[chosen], None if self.mask is None else self.mask[chosen])


def heard(model, inputs: dict[str, Any]) -> Heard:
    """The encoder's states of a batch: computed once, however much is written."""
    mask = inputs.get("attention_mask")
    sound = {k: v for k, v in inputs.items() if k.startswith("input_")}
    more = {} if mask is None else {"attention_mask": mask}
    return Heard(model.get_encoder()(**sound, **more).last_hidden_state, mask)


def step(model, found: Heard, ids, past=None, **more) -> Any:
    """The decoder's output behind these tokens (rows, tokens), of which `past` holds the earlier ones."""
    mask = {} if found.mask is None else {"attention_mask": found.mask}
    return model(encoder_outputs=(found.states,), decoder_input_ids=ids, past_key_values=past, **mask, **more)


def barred(model) -> tuple[list[int], list[int]]:
    """Tokens that a model's own settings forbid: anywhere, and as the first one (Whisper's signs for noise and music)."""
    settings = getattr(model, "generation_config", None)
    return getattr(settings, "suppress_tokens", None) or [], getattr(settings, "begin_suppress_tokens", None) or []


def dictated(model, found: Heard, prompt: Sequence[int], stop: int, most: int) -> list[list[int]]:
    """What the decoder writes behind a prompt for each row, without its end: the likeliest token each time."""
    import torch

    ids = torch.tensor([list(prompt)] * len(found.states), device=found.states.device)
    never, first = barred(model)
    rows, done, past = [[] for _ in ids], torch.zeros(len(ids), dtype=torch.bool, device=ids.device), None
    for k in range(most):
        out = step(model, found, ids, past, use_cache=True)
        past, logits = out.past_key_values, out.logits[:, -1].float()
        logits[:, never + (first if k == 0 else [])] = -torch.inf
        ids = logits.argmax(-1, keepdim=True)
        done |= ids[:, 0] == stop
        if done.all():
            break
        for row, token, over in zip(rows, ids[:, 0].tolist(), done.tolist(), strict=True):
            if not over:
                row.append(token)
    return rows


def beam_dictated(model, found: Heard, prompt: Sequence[int], stop: int, most: int, beams: int) -> list[list[int]]:
    """The same with the `beams` likeliest beginnings kept at each step, and of what ends the text that is likeliest a token."""
    return [
        beamed(model, found.rows(slice(i, i + 1)), list(prompt), stop, most, beams) for i in range(len(found.states))
    ]


def beamed(model, one: Heard, prompt: list[int], stop: int, most: int, beams: int) -> list[int]:
    import torch

    never, first = barred(model)
    live, ended = [([], 0.0)], []
    for k in range(most):
        ids = torch.tensor([prompt + text for text, _ in live], device=one.states.device)
        logits = step(model, one.rows([0] * len(live)), ids, use_cache=False).logits[:, -1].float()
        logits[:, never + (first if k == 0 else [])] = -torch.inf
        shares, tokens = logits.log_softmax(-1).topk(min(beams, logits.shape[-1]))
        more = [
            ([*text, token], score + share)
            for (text, score), row, chosen in zip(live, shares.tolist(), tokens.tolist(), strict=True)
            for share, token in zip(row, chosen, strict=True)
        ]
        more.sort(key=lambda x: -x[1])
        ended += [(text[:-1], score / len(text)) for text, score in more[:beams] if text[-1] == stop]
        live = [x for x in more[:beams] if x[0][-1] != stop]
        if not live or len(ended) >= beams:
            break
    ended += [(text, score / len(text)) for text, score in live] if not ended else []
    return max(ended, key=lambda x: x[1])[0]
