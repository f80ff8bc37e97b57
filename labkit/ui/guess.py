"""The Guess panel: what will come out? An interval on a slider, or one of some options, and how sure one is of it.

`lk.guess("02.10")` shows it; what becomes of the guess is decided by the function that it is given.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit.base.language import tr
from labkit.ui.controls import named
from labkit.ui.panel import Panel

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Guess(Panel):
    """A question with a slider of two ends (or buttons), and Lock it in.

    >>> panel = Guess("02.10", "Accuracy?", lambda value, sure: "locked", start=(0.6, 0.7))
    >>> panel.set(sure=0.9); panel.run_button.click(); panel.wait(); panel.report()
    Guess first: done; locked

    `lock` is called with the ends (or the key of an option) and how sure; what it returns is shown.
    """

    title: ClassVar = ("先猜", "Guess first")
    run_label: ClassVar = ("锁定", "Lock it in")
    run_icon: ClassVar = "lock"
    takes_turns: ClassVar = False

    def __init__(
        self,
        id: str,
        question: str,
        lock: Callable[[Any, float], str],
        *,
        start: tuple[float, float] | str,
        within: tuple[float, float] = (0.0, 1.0),
        step: float = 0.01,
        options: dict[str, str] | None = None,
        said: str = "",
    ):
        super().__init__()
        self.id, self.question, self.lock, self.said = id, question, lock, said
        self.buttons = [self.run_button]
        if options:
            control = widgets.ToggleButtons(options=[(name, key) for key, name in options.items()], value=start)
        else:
            digits = max(0, len(f"{step:g}") - 2)
            ends = {"min": min(within[0], start[0]), "max": max(within[1], start[1]), "step": step}
            control = widgets.FloatRangeSlider(
                value=start,
                **ends,
                description=tr("在", "between"),
                readout_format=f".{digits}f",
                continuous_update=True,
            )
        sure = widgets.SelectionSlider(
            options=[(f"{level:.0%}", level) for level in LEVELS], value=0.8, description=tr("把握", "how sure")
        )
        self.settings = {"guess": named(control, "guess"), "sure": named(sure, "sure")}
        self.build(*self.settings.values())

    def value(self) -> tuple[float, float] | str:
        """Both ends as a student would write them, or the key of the option."""
        value = self.settings["guess"].value
        return value if isinstance(value, str) else tuple(round(end, 4) for end in value)

    def source(self) -> str:
        value, sure = self.value(), self.settings["sure"].value
        told = f"choice={value!r}" if isinstance(value, str) else f"{value[0]:g}, {value[1]:g}"
        return f'lk.guess("{self.id}", {told}{f", sure={sure:g}" if sure != 0.8 else ""})'

    def work(self) -> Iterator[None]:
        yield
        self.said = self.lock(self.value(), self.settings["sure"].value)

    def enter(self, state: str) -> None:
        super().enter(state)
        if self.said:
            for widget in (*self.settings.values(), self.run_button):
                widget.disabled = True

    def words_for(self, state: str) -> str:
        return tr("已锁定", "locked") if self.said else super().words_for(state)

    def subtitle(self) -> str:
        return self.id

    def summary(self) -> str:
        return self.said or self.question

    def picture(self) -> str:
        below = self.said or self.invitation()
        kind = "labkit-note" if self.said else "labkit-muted"
        return f'<div style="font-size:15px;padding:2px 0 8px">{escape(self.question)}</div><div class="{kind}">{escape(below)}</div>'

    def invitation(self) -> str:
        return tr("选好，锁定，再运行下面的实验", "Choose, lock it in, then run the experiment below")

    def told(self) -> list[tuple[str, str]]:
        value, sure = self.value(), self.settings["sure"].value
        names = {key: name for name, key in getattr(self.settings["guess"], "options", ())}
        shown = names[value] if isinstance(value, str) else tr("{:g} 到 {:g}", "{:g} to {:g}").format(*value)
        return [(tr("猜", "guess"), shown), (tr("把握", "how sure"), f"{sure:.0%}")]

    def figure(self) -> Any:
        return self.card_figure(f"{self.question} {self.said}")
