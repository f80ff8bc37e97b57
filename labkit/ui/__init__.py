"""Panels: one experiment each, with its controls, its picture and the labkit call that it runs. One file a panel, thin.

>>> panel = labkit.ui.Train(corpus); panel               # in a notebook: choose, press Run, watch, press Stop
>>> panel.run_button.click(); panel.wait(); panel.report()                            # the same from a cell

The only door to ipywidgets (7.7 up to 8), stock classes only. Each name is resolved on first use (PEP 562).
"""

import importlib

_HOME = {
    "Chat": "chat",
    "Compare": "compare",
    "Data": "data",
    "FreezeMap": "freeze_map",
    "Guess": "guess",
    "Train": "train",
    "TryIt": "try_it",
    "Optimizer": "optimizer",
    "LiveHead": "live_head",
    "History": "history",
    "Search": "search",
    "Panel": "panel",
}

__all__ = [*sorted(_HOME)]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"labkit.ui has no {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"labkit.ui.{_HOME[name]}"), name)


def __dir__():
    return __all__
