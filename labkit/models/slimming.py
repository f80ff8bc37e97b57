"""Surgery on networks: fewer layers, fewer attention heads, narrower feed-forward parts. What is cut and why is decided above.

A copy is cut; the given model stays as it is. Widths that a configuration can name load in plain transformers; fewer heads
of the same width it cannot name: those load in labkit alone. Notebook 17 uses it.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models import added
from labkit.models.families import FAMILIES, Family, family_of, network_of


def layers_of(model) -> Any:
    """The layers of a model whose layers are a list of equals, the lowest first; BadInput for another."""
    family = family_of(model)
    if added.carries(model):
        raise BadInput(
            tr(
                "这个模型带有适配器或提示：请先合并（策略的 merge），再裁剪。",
                "This model carries an adapter or prompts: merge them first (merge of its strategy), then cut.",
            )
        )
    if not family.depth or family.shared:
        raise BadInput(
            tr(
                f"{model.config.model_type} 的层不能一层层拿掉：它们共用权重，或宽窄不一。",
                f"Layers of {model.config.model_type} cannot be taken away one by one: they share weights, or differ in width.",
            )
        )
    return network_of(model).get_submodule(family.layers)


def drop_layers(model, keep: int | Sequence[int]) -> Any:
    """A copy with these layers alone, counted from 1; a number keeps the lowest so many. Loads in plain transformers.

    >>> small = drop_layers(model, 2)                       # of 4 layers the lowest two
    >>> small = drop_layers(model, [1, 2, 4])
    """
    total = len(layers_of(model))
    kept = list(range(1, keep + 1)) if isinstance(keep, int) else sorted(set(keep))
    if not kept or kept[0] < 1 or kept[-1] > total or len(kept) == total:
        raise BadInput(
            tr(
                f"keep={keep} 不行：有 {total} 层，请留下其中 1 到 {total - 1} 层。",
                f"keep={keep} won't do: there are {total} layers; keep 1 to {total - 1} of them.",
            )
        )
    import torch

    small = copy.deepcopy(model)
    layers = layers_of(small)
    family, network = family_of(small), network_of(small)
    parent, _, name = family.layers.rpartition(".")
    setattr(network.get_submodule(parent), name, torch.nn.ModuleList(layers[i - 1] for i in kept))
    for number, layer in enumerate(layers_of(small)):
        for module in layer.modules():
            if getattr(module, "layer_idx", None) is not None:
                module.layer_idx = number
    setattr(small.config, family.depth, len(kept))
    return small


def slimmed(model, heads: Sequence[Sequence[int]] | None, neurons: Sequence[Sequence[int]] | None) -> Any:
    """A copy that keeps, of each layer, these attention heads and these places of the feed-forward part, as many in each."""
    small = copy.deepcopy(model)
    family = family_of(small)
    if heads is not None:
        cut_heads(small, family, heads)
        small.slimmed = {"heads": len(heads[0])}
    if neurons is not None:
        for layer, kept in zip(layers_of(small), neurons, strict=True):
            into, out = family.feed_forward
            cut(layer, into, kept, 0)
            cut(layer, out, kept, 1)
        setattr(small.config, width_name(small), len(neurons[0]))
    return small


def cut_heads(model, family: Family, heads: Sequence[Sequence[int]]) -> None:
    """Keep these heads of each layer, in place: the maps to query, key and value lose rows, the map behind them columns."""
    for layer, kept in zip(layers_of(model), heads, strict=True):
        size = head_size(model)
        places = [head * size + i for head in kept for i in range(size)]
        *before, behind = family.heads
        for name in before:
            cut(layer, name, places, 0)
        cut(layer, behind, places, 1)


def head_size(model) -> int:
    config = model.config
    heads = getattr(config, "num_attention_heads", None) or config.n_heads
    return (getattr(config, "hidden_size", None) or config.dim) // heads


def width_name(model) -> str:
    """Where a configuration has the width of the feed-forward part."""
    return "hidden_dim" if hasattr(model.config, "hidden_dim") else "intermediate_size"


def check_slim(model) -> Family:
    """BadInput unless heads and feed-forward parts of the model's family can be cut."""
    family = family_of(model)
    layers_of(model)
    if not (family.heads and family.feed_forward):
        able = [name for name, f in FAMILIES.items() if f.heads and f.feed_forward]
        raise BadInput(
            tr(
                f"裁不了 {model.config.model_type} 的注意力头和前馈层；可以裁的家族：{listing(able, 20)}。",
                f"Heads and feed-forward parts of {model.config.model_type} cannot be cut; of these families they can: "
                f"{listing(able, 20)}.",
            )
        )
    return family


def cut(layer, name: str, kept: Sequence[int], axis: int) -> None:
    """Keep these rows (axis 0) or columns (axis 1) of a linear map inside a layer."""
    import torch

    old = layer.get_submodule(name)
    places = torch.tensor(list(kept), device=old.weight.device)
    out, into = (len(kept), old.in_features) if axis == 0 else (old.out_features, len(kept))
    new = torch.nn.Linear(into, out, bias=old.bias is not None, device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.copy_(old.weight.index_select(axis, places))
        if old.bias is not None:
            new.bias.copy_(old.bias[places] if axis == 0 else old.bias)
    new.requires_grad_(old.weight.requires_grad)
    layer.set_submodule(name, new.train(old.training))


class Slimmed:
    """A transformers class whose `from_pretrained` makes networks with fewer heads, as a note beside the weights says."""

    __name__ = "Slimmed"

    def __init__(self, auto, note: dict):
        self.auto, self.note = auto, note

    def from_pretrained(self, place: str, *, local_files_only: bool = False, **options) -> tuple[Any, dict]:
        """The model and what its weights lack, as transformers answers with output_loading_info."""
        from safetensors.torch import load_file
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(place, local_files_only=True)
        for name, value in options.items():
            if name not in ("dtype", "ignore_mismatched_sizes", "output_loading_info"):
                setattr(config, name, value)
        model = self.auto.from_config(config)
        heads = int(self.note["heads"])
        cut_heads(model, family_of(model), [range(heads)] * len(layers_of(model)))
        model.slimmed = {"heads": heads}
        found, own = load_file(Path(place) / "model.safetensors"), model.state_dict()
        fits = {name: value for name, value in found.items() if name in own and value.shape == own[name].shape}
        model.load_state_dict(fits, strict=False)
        mismatched = [
            (name, value.shape, own[name].shape) for name, value in found.items() if name in own and name not in fits
        ]
        return model, {"missing_keys": [name for name in own if name not in found], "mismatched_keys": mismatched}
