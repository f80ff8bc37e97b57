"""Where a panel stands in a notebook: live while its kernel runs, a picture with one line where it does not, closed once
its cell has made another.

A front end that finds no kernel writes an error where a widget stood, and picks a picture only from an output without one.
So a panel makes three outputs: the live view, the picture, and a line of HTML whose style sheet shows the first or the
other two.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from labkit.base.language import tr

VIEW = "application/vnd.jupyter.widget-view+json"
PAUSE = 1.0  # seconds of rest after which the picture is drawn anew
LIVE = ".jp-OutputArea-child:has(.labkit-panel)"
NEXT = "+ .jp-OutputArea-child"
LOOK = (
    f"{LIVE} {NEXT}:has({NEXT} .labkit-still), {LIVE} {NEXT} {NEXT}:has(.labkit-still), "
    f".jp-OutputArea-child:has(> .jp-OutputArea-output.lm-Panel):not(:has(.labkit-panel)):has({NEXT} {NEXT} .labkit-still)"
    "{display:none}.labkit-still{font-size:13px;opacity:.75}"
)
_made: dict[str, tuple[str, list]] = {}  # of each cell: its last execution, and the panels that it made


def alive_again() -> str:
    """How to get a live panel where there is a picture, in one line."""
    return tr(
        "这是面板最后的样子：重新运行这个单元格，面板就活过来。",
        "This is the panel as it was last: run this cell again to bring the panel to life.",
    )


def show(panel) -> None:
    """Put a panel below the cell under execution."""
    from IPython.display import display

    bundle, sizes = panel._repr_mimebundle_()
    if one_output():
        display(bundle, metadata=sizes, raw=True)
        return
    if view := bundle.pop(VIEW, None):
        display({VIEW: view}, raw=True)
    panel.still, panel.pictured = display(bundle, metadata=sizes, raw=True, display_id=True), panel.live.value
    display({"text/html": f'<div class="labkit-still"><style>{LOOK}</style>{alive_again()}</div>'}, raw=True)


def one_output() -> bool:
    """Whether this is a front end that the style sheet was not made for: Colab, Visual Studio Code."""
    return "google.colab" in sys.modules or any(name.startswith("VSCODE_") for name in os.environ)


def keep(panel) -> None:
    """Draw the picture below the panel anew, where it shows something else now. In the main thread: matplotlib's settings
    are the same for all threads."""
    if panel.still is None or panel.busy or panel.pictured == panel.live.value:
        return
    panel.pictured = panel.live.value
    bundle, sizes = panel._repr_mimebundle_()
    bundle.pop(VIEW, None)
    panel.still.update(bundle, metadata=sizes, raw=True)


def keep_later(panel) -> None:
    """The same from any thread, as soon as nothing has moved for a moment."""
    if panel.still is None or (loop := main_loop()) is None:
        return

    def rest() -> None:
        if panel.resting:
            loop.remove_timeout(panel.resting)
        panel.resting = loop.call_later(PAUSE, drawn)

    def drawn() -> None:
        panel.resting = None
        with contextlib.suppress(Exception):  # a picture is all that is lost
            keep(panel)

    loop.add_callback(rest)


def main_loop() -> Any:
    """The loop that answers clicks; None without a kernel."""
    return getattr(getattr(shell(), "kernel", None), "io_loop", None)


def shell() -> Any:
    """IPython, where there is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def cell() -> tuple[str, str] | None:
    """The cell under execution and its execution, where the front end names them."""
    try:
        parent = shell().get_parent()
        return parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError):
        return None


def take_over(panel) -> None:
    """Close the panels that this cell made when it ran before: nobody can reach them any more."""
    where = cell()
    if where is None:
        return
    name, run = where
    before, made = _made.get(name, ("", []))
    if before != run:
        for old in made:
            old.close()
        made = []
    _made[name] = run, [*made, panel]


def parts(widget) -> Iterator[Any]:
    """A widget and all that belong to it: children, layouts, styles."""
    from ipywidgets import Widget

    for value in widget.trait_values().values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Widget):
                yield from parts(one)
    yield widget
