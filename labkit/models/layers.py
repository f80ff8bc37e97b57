"""The modules that lessons are about, small enough to read at one sitting. Notebook 03 writes them by hand first."""

from collections.abc import Iterable

import torch


class Bottleneck(torch.nn.Module):
    """Down to `size` features, a bend, up again, added to what came in (Houlsby et al. 2019, arXiv 1902.00751).

    >>> Bottleneck(128, 16)(torch.randn(2, 5, 128)).shape
    torch.Size([2, 5, 128])

    The way up starts at zero, so that a fresh bottleneck changes nothing.
    """

    def __init__(self, width: int, size: int):
        super().__init__()
        self.down, self.up = torch.nn.Linear(width, size), torch.nn.Linear(size, width)
        torch.nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            torch.nn.init.zeros_(zero)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.up(torch.nn.functional.gelu(self.down(hidden)))


def add_bottlenecks(model, places: Iterable[str], width: int, size: int) -> None:
    """Put a Bottleneck behind each of these modules, as its child `bottleneck`: all other names stay as they are."""
    for place in places:
        module = model.get_submodule(place)
        module.bottleneck = Bottleneck(width, size).to(next(module.parameters()).device)
        module.register_forward_hook(through_bottleneck)


def through_bottleneck(module, inputs, output):
    return module.bottleneck(output)
