"""The last layer where the head reads it: behind its attention only the first token goes on.

A classifier of the BERT kind reads one token, so all others' way through the last feed-forward network is thrown away. Left
out, logits and gradients are the same (docs/LOG.md has what it saves). training, evaluation, frozen and slices ask with it.
"""

import contextlib
from collections.abc import Iterator

from labkit.models import FAMILIES, network_of


@contextlib.contextmanager
def first_only(model) -> Iterator[None]:
    """Within the block, what the model answers is computed for the first token alone from behind the last attention on.

    >>> with first_only(model): logits = model(**inputs).logits          # the last layer's hidden state is (rows, 1, width)

    Does nothing for families whose head reads elsewhere (GPT-2), or whose layers are one (ALBERT).
    """
    family = FAMILIES.get(model.config.model_type)
    if family is None or not family.behind_attention:
        yield
        return
    place = network_of(model).get_submodule(family.layers)[-1].get_submodule(family.behind_attention)
    hook = place.register_forward_pre_hook(lambda module, hidden: tuple(h[:, :1] for h in hidden))
    try:
        yield
    finally:
        hook.remove()
