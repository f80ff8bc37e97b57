"""Token after token: greedy or drawn, with the keys and values of what was read kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. At temperature 0 it is the likeliest (greedy); else it is drawn: among the `top_k`
    likeliest (0: all), and of those among the fewest that hold `top_p` of the probability (Holtzman et al. 2020)."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self):
        checked_number("temperature", self.temperature, 0, 100)
        checked_number("top_k", self.top_k, 0, 10**9, whole=True)
        checked_number("top_p", self.top_p, 1e-6, 1)
        if not self.temperature and (self.top_k or self.top_p < 1):
            raise BadInput(
                tr(
                    f"temperature=0 时总取最可能的词元，top_k={self.top_k}、top_p={self.top_p} 不起作用：请加上 temperature，如 0.8。",
                    f"At temperature=0 the likeliest token is taken and top_k={self.top_k}, top_p={self.top_p} do nothing: "
                    "give a temperature too, such as 0.8.",
                )
            )

    def chooser(self) -> Callable[[Any], Any]:
        """A function from logits (rows, vocabulary) to tokens (rows,); the same draws for the same seed."""
        import torch

        if not self.temperature:
            return lambda logits: logits.argmax(-1)
        generator = torch.Generator().manual_seed(self.seed)

        def draw(logits) -> Any:
            shares = self.shares(logits.float().cpu())
            return torch.multinomial(shares, 1, generator=generator)[:, 0].to(logits.device)

        return draw

    def shares(self, logits) -> Any:
        """The probabilities that are drawn from, (rows, vocabulary)."""
        import torch

        shares, order = (logits / self.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
        if self.top_k:
            shares[:, self.top_k :] = 0
            shares = shares / shares.sum(-1, keepdim=True)
        shares[shares.cumsum(-1) - shares >= self.top_p] = 0  # the first one always stays
        return torch.zeros_like(shares).scatter(-1, order, shares)


def tokens_after(
    model, prompts: Sequence[Sequence[int]], choose: Callable[[Any], Any], stops: set[int], most: int
) -> Iterator[list[int | None]]:
    """After each prompt (token numbers), its next token, a step at a time; None behind an end, which is not given itself.

    Rows are padded on the right: what is written afterwards stands at its row's own position and does not see the padding,
    so that a row's answer does not depend on the batch that it was asked in.
    """
    import torch

    device = next(model.parameters()).device
    pad = torch.nn.utils.rnn.pad_sequence
    rows = [torch.tensor(row) for row in prompts]
    ids, mask = (pad(x, batch_first=True).to(device) for x in (rows, [torch.ones_like(r) for r in rows]))
    lengths = mask.sum(1)
    seen = model(input_ids=ids, attention_mask=mask, use_cache=True)
    logits, past = seen.logits[torch.arange(len(rows), device=device), lengths - 1], seen.past_key_values
    before = past.get_seq_length() - ids.shape[1]  # trained prompts take places in front
    mask = torch.cat([mask.new_ones(len(rows), before), mask], 1)
    plain = model.get_base_model() if hasattr(model, "peft_config") else model
    done = [False] * len(rows)
    for step in range(most):
        chosen = choose(logits)
        given = chosen.tolist()
        done = [over or token in stops for over, token in zip(done, given, strict=True)]
        yield [None if over else token for over, token in zip(done, given, strict=True)]
        if all(done) or step == most - 1:
            return
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
        position = (before + lengths + step)[:, None]
        seen = plain(
            input_ids=chosen[:, None], attention_mask=mask, position_ids=position, past_key_values=past, use_cache=True
        )
        logits, past = seen.logits[:, -1], seen.past_key_values


def written(model, prompts: Sequence[Sequence[int]], choose: Callable, stops: set[int], most: int) -> list[list[int]]:
    """The whole answer to each prompt, as token numbers without the end."""
    answers: list[list[int]] = [[] for _ in prompts]
    for tokens in tokens_after(model, prompts, choose, stops, most):
        for answer, token in zip(answers, tokens, strict=True):
            if token is not None:
                answer.append(token)
    return answers
