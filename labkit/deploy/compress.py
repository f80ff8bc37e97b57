"""Which heads and feed-forward places a network can do without: asked of its gradients, on rows. models/slimming cuts them.

What counts is how much the loss would change, to first order, if a place gave 0: |activation x gradient| (Michel, Levy and
Neubig 2019, arXiv 1905.10650, for heads; Molchanov et al. 2017, arXiv 1611.06440, for single places). Notebook 17 uses it.
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.data.batching import batches_of
from labkit.data.corpus import Corpus
from labkit.deploy.export import export
from labkit.models.loading import fitting, save
from labkit.models.slimming import check_slim, drop_layers, head_size, layers_of, slimmed
from labkit.models.state import device_of

ROWS = 256  # training rows that are asked
EXPORTS = {"onnx": "float", "half": "half", "int8": "int8"}  # what `export` makes, by its name in a table


def prune(model, corpus: Corpus, *, heads: float = 0.0, feed_forward: float = 0.0, max_length: int = 256) -> Any:
    """A copy without the least useful share of attention heads and of feed-forward places, as many in every layer.

    >>> small = prune(model, corpus, heads=0.5, feed_forward=0.5)
    >>> small.config.intermediate_size                     # of 512
    256

    What is least useful is measured on training rows. The copy answers worse until it is trained on. Fewer feed-forward
    places load in plain transformers, fewer heads in labkit alone (no configuration can name them). Raises BadInput for a
    family whose parts cannot be cut.
    """
    for name, share in (("heads", heads), ("feed_forward", feed_forward)):
        checked_number(name, share, 0.0, 0.95)
    check_slim(model)
    if not (heads or feed_forward):
        raise BadInput(
            tr(
                "什么都没有要裁：请给 heads= 或 feed_forward=，如 heads=0.5。",
                "Nothing is to be cut: give heads= or feed_forward=, such as heads=0.5.",
            )
        )
    by_head, by_place = importance(model, corpus, max_length)
    return slimmed(model, kept(by_head, heads), kept(by_place, feed_forward))


def kept(importance: Any, share: float) -> list[list[int]] | None:
    """The places of each layer that stay when a share goes, in their order; None where nothing goes."""
    total = importance.shape[1]
    stay = max(1, round(total * (1 - share)))
    return None if stay == total else importance.topk(stay, dim=1).indices.sort(dim=1).values.tolist()


def importance(model, corpus: Corpus, max_length: int = 256) -> tuple[Any, Any]:
    """How much each head (layers, heads) and each feed-forward place (layers, places) matters to the loss of training rows."""
    import torch

    family = check_slim(model)
    model = copy.deepcopy(model).requires_grad_(True).eval()
    task, layers, size = model.task, layers_of(model), head_size(model)
    ends = [layer.get_submodule(name) for name in (family.heads[-1], family.feed_forward[1]) for layer in layers]
    rows = corpus.train[:: max(1, len(corpus.train) // ROWS)][:ROWS]
    items = task.encode(model.processor, rows, fitting(model, max_length))
    totals = [torch.zeros(end.in_features) for end in ends]
    with caught_inputs(ends) as seen:
        for chosen in batches_of([task.size(i) for i in items], task.modality.budget(device_of(model)), 32):
            batch = task.collate(model.processor, [items[i] for i in chosen]).to(device_of(model))
            loss = task.losses(model(**batch.inputs), batch).sum()
            given = [seen[end] for end in ends]
            for i, (x, slope) in enumerate(zip(given, torch.autograd.grad(loss, given), strict=True)):
                of_rows = (x * slope).detach().flatten(1, -2).sum(1)  # one number a row and place
                if i < len(layers):
                    of_rows = of_rows.unflatten(1, (-1, size)).sum(2).repeat_interleave(size, 1)
                totals[i] += of_rows.abs().sum(0).cpu()
    n = len(layers)
    return torch.stack(totals[:n])[:, ::size], torch.stack(totals[n:])


@contextlib.contextmanager
def caught_inputs(modules) -> Iterator[dict]:
    """What each of these modules is given in the last forward pass, by module."""
    seen: dict = {}
    hooks = [m.register_forward_pre_hook(lambda module, args: seen.__setitem__(module, args[0])) for m in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


# By name, as the command line has them


def smaller(model, name: str, folder, corpus: Corpus) -> Path:
    """Write one smaller model by its name: "onnx", "half", "int8"; "layers-2" keeps two layers, "heads-50" and
    "feed-forward-50" prune half. Returns the folder."""
    check_names([name])
    kind, _, number = name.rpartition("-")
    if name in EXPORTS:
        export(model, folder, corpus, precision=EXPORTS[name])
    elif kind == "layers":
        save(drop_layers(model, int(number)), folder)
    else:
        save(prune(model, corpus, **{kind.replace("-", "_"): int(number) / 100}), folder)
    return Path(folder)


def check_names(names: Sequence[str]) -> None:
    for name in names:
        kind, _, number = name.rpartition("-")
        if name not in EXPORTS and not (kind in ("layers", "heads", "feed-forward") and number.isdigit()):
            raise BadInput(
                tr(
                    f"不认识 {name!r}。可以做：onnx、half、int8、layers-2、heads-50、feed-forward-50。",
                    f"Unknown: {name!r}. There are: onnx, half, int8, layers-2, heads-50, feed-forward-50.",
                )
            )
