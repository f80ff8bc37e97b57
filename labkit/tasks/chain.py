"""A CRF on top of a tagger: how well tags follow each other is learned with the network, by the likelihood of the whole sequence.

The scores of neighbours are an embedding table beside the head, (k + 1, k): its first row is what a text begins with, row
i + 1 what follows tag i. What BIO forbids stays forbidden. Lample et al. 2016 (arXiv 1603.01360); the plain CRF is in crf.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from labkit.tasks.crf import expected, forwards
from labkit.tasks.spans import legal, steps


class Chained:
    """A transformers class whose `from_pretrained` makes networks that say, beside their logits, how tags follow: `outputs.chain`."""

    __name__ = "Chained"

    def __init__(self, auto):
        self.auto = auto

    def from_pretrained(self, place: str, **options) -> Any:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(place, local_files_only=options.get("local_files_only", False))
        return with_chain(self.auto._model_mapping[type(config)]).from_pretrained(place, **options)

    def from_config(self, config) -> Any:
        return with_chain(self.auto._model_mapping[type(config)])(config)


@functools.cache
def with_chain(kind: type) -> type:
    """A network's class with the table; its name stays, so that plain transformers loads what is saved, without the table."""

    class WithChain(kind):
        def __init__(self, config):
            super().__init__(config)
            last = list(self._modules)[-1]
            self.chain = torch.nn.Embedding(config.num_labels + 1, config.num_labels)
            self._modules[last] = self._modules.pop(last)  # a head's own map is its last module
            self.post_init()

        def forward(self, *args, **kwargs):
            outputs = super().forward(*args, **kwargs)
            outputs.chain = self.chain(torch.arange(self.config.num_labels + 1, device=outputs.logits.device))
            return outputs

    WithChain.__name__ = WithChain.__qualname__ = kind.__name__
    return WithChain


class LogSum(torch.autograd.Function):
    """The logarithm of the sum over all sequences of tags of each row, (rows,); places (n, k) stand one row behind the other."""

    @staticmethod
    def forward(ctx, scores, table, lengths: Sequence[int]) -> Any:
        order, rows = steps(lengths)
        plain, chain = (x.detach().cpu().double().numpy() for x in (scores, table))
        parts, kept = forwards(plain[order], rows, chain[0], chain[1:])
        owner = np.repeat(np.arange(len(lengths)), lengths)[order]
        ctx.kept, ctx.order, ctx.owner = kept, order, owner
        return torch.from_numpy(np.bincount(owner, parts, len(lengths))).to(scores)

    @staticmethod
    def backward(ctx, grad) -> tuple:
        weights = grad.detach().cpu().double().numpy()[ctx.owner][:, None]
        each, between = expected(ctx.kept, weights)
        each = each * weights
        begun = each[: ctx.kept[0][0]].sum(0, keepdims=True)
        each[ctx.order] = each.copy()
        return torch.from_numpy(each).to(grad), torch.from_numpy(np.concatenate([begun, between])).to(grad), None


def bounded(table, labels: Sequence[str]) -> Any:
    """The table with minus infinity where BIO forbids what follows."""
    first, after = legal(labels)
    return table.float() + torch.from_numpy(np.concatenate([first[None], after])).to(table)


def unlikely(scores, table, target, lengths: Sequence[int]) -> Any:
    """Negative log-likelihood of each row's tags, (rows,) in nats: of all sequences that have them, where a place has none (-1)."""
    tags = torch.arange(scores.shape[1], device=scores.device)
    true = scores.masked_fill((target >= 0)[:, None] & (tags != target[:, None]), -torch.inf)
    return LogSum.apply(scores, table, lengths) - LogSum.apply(true, table, lengths)


def likely(scores, first, after, lengths: Sequence[int]) -> Any:
    """How likely each tag is at each place, given all of its row: (n, k)."""
    order, rows = steps(lengths)
    each, _ = expected(forwards(np.asarray(scores, dtype=np.float64)[order], rows, first, after)[1])
    found = np.empty_like(each)
    found[order] = each
    return found
