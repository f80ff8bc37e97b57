"""Attention rollout: how much of each token reaches the place that the head reads, followed through all layers.

Attention of a layer is averaged over its heads, half of each token stays where it is (the way around the layer), and layers
are multiplied (Abnar and Zuidema 2020, arXiv 2005.00928). It knows no label: for and against look alike. Notebook 17 uses it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.families import family_of


def rolled_out(model, ids) -> list[float]:
    """What share of each of these tokens (tokens,) reaches the token that the head reads; the shares make up 1."""
    import torch

    with with_attentions(model), torch.no_grad():
        found = model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], output_attentions=True)
    flows = getattr(found, "attentions", None)
    if not flows or any(a is None or a.shape[-1] != len(ids) for a in flows):
        raise BadInput(
            tr(
                "这个模型不说出它的注意力，没法展开。请用 method='integrated' 或 'occlusion'。",
                "This model does not tell its attention, so there is nothing to roll out. Take method='integrated' or 'occlusion'.",
            )
        )
    stay = torch.eye(len(ids), device=ids.device)
    total = stay
    for one in flows:
        flow = (one[0].float().mean(0) + stay) / 2
        total = (flow / flow.sum(-1, keepdim=True)) @ total
    return total[0 if family_of(model).reads == "first" else -1].tolist()


@contextlib.contextmanager
def with_attentions(model) -> Iterator[None]:
    """Within the block attention is computed in the way that can be looked at."""
    before: Any = getattr(model.config, "_attn_implementation", None)
    try:
        if hasattr(model, "set_attn_implementation"):
            model.set_attn_implementation("eager")
        yield
    finally:
        if hasattr(model, "set_attn_implementation") and before:
            model.set_attn_implementation(before)
