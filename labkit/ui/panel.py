"""What all panels share: buttons, a worker thread that can be stopped, errors that are seen, a picture that is kept.

What a panel does is a generator that a thread walks through; Stop is heard at every `yield`. The thread touches widget
traits only: no print, no pyplot, no display. Panels that compute with torch take turns, and say why they wait.
"""

import base64
import contextlib
import functools
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets
from traitlets import TraitError

from labkit.base.display import GREY, clipped
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.plots.charts import Drawing, figure_of
from labkit.ui import outputs
from labkit.ui.charts import charts_html
from labkit.ui.controls import AUTO, code, html, spelled, style, told

REST = 0.1  # seconds between two drawings
_turn = threading.Lock()
_working: list["Panel"] = []  # the panel whose turn it is


def shown(handler: Callable) -> Callable:
    """Decorator of what clicks and controls call: an error appears in the panel (Jupyter shows it nowhere), and
    `wait()` raises it."""

    @functools.wraps(handler)
    def call(self, *_):
        try:
            return handler(self)
        except Exception as error:
            self.fail(error)

    return call


class Panel:
    """A box of controls, buttons and a picture. Each panel gives it `work`, `source` and `charts`.

    >>> panel = lk.ui.Data(corpus)                           # any panel
    >>> panel.run_button.click(); panel.wait(); panel.report()
    """

    title: ClassVar[tuple[str, str]]
    run_label: ClassVar[tuple[str, str]] = ("运行", "Run")
    run_icon: ClassVar[str] = "play"
    takes_turns: ClassVar[bool] = True

    def __init__(self):
        self.settings: dict[str, Any] = {}
        self.state, self.error, self.phase = "ready", None, ""
        self._thread, self._halt, self._drawn_at = None, threading.Event(), 0.0
        self.still, self.pictured, self.resting, self.closed = (
            None,
            "",
            None,
            False,
        )  # of the picture below it (outputs.py)
        self.buttons, self.cards = [], {}
        self.run_button = self.add_button("run", tr(*self.run_label), self.run_icon, self.on_run, "primary")
        self.stop_button = self.add_button("stop", tr("停止", "Stop"), "stop", self.on_stop)
        places = ("status", "live", "error", "notes", "call")
        self.status, self.live, self.problem, self.notes, self.call = map(html, places)

    def add_button(self, name: str, label: str, icon: str, handler: Callable, look: str = "") -> Any:
        button = widgets.Button(description=label, icon=icon, button_style=look)
        button.add_class(f"labkit-{name}")
        button.on_click(handler)
        self.buttons.append(button)
        return button

    def build(self, *controls) -> None:
        """Put the parts together: the last thing that a panel's constructor does."""
        row = widgets.HBox(self.buttons)
        column, right = widgets.VBox([*controls, row]), widgets.VBox([self.live, self.notes])
        body = widgets.HBox([column, right])
        self.box = widgets.VBox(
            [html("style", style(outputs.alive_again())), self.status, body, self.problem, self.call]
        )
        places = {"buttons": row, "controls": column, "picture": right, "body": body, "panel": self.box}
        for name, part in {**places, type(self).__name__.lower(): self.box}.items():
            part.add_class(f"labkit-{name}")
        for widget in self.settings.values():
            widget.observe(self.on_change, names="value")
        self.enter("ready")
        self.on_change()
        self.draw(now=True)
        outputs.take_over(self)

    def close(self) -> None:
        """Stop what is at work and take the panel off the page; what it found stays on it."""
        self.stop()
        self.closed = True
        for root in (self.box, self.run_button, self.stop_button):  # some panels show no buttons
            for widget in list(outputs.parts(root)):
                widget.close()

    # What a panel says for itself

    def work(self) -> Iterator[None]:
        """What Run does, with the controls as they are now, step by step; what it finds it keeps on the panel."""
        raise NotImplementedError

    def source(self) -> str:
        """The labkit call that the controls stand for, as Python source."""
        raise NotImplementedError

    def charts(self) -> Sequence[Drawing]:
        """What there is to see now: the live picture and the still figure are both made from it."""
        return ()

    def invitation(self) -> str:
        """What to do where there is nothing to see yet."""
        return ""

    def above(self) -> str:
        """What stands over the charts, as HTML."""
        return ""

    def below(self) -> str:
        return ""

    def caption(self) -> str:
        """The line over the still figure: what was chosen."""
        return f"{tr(*self.title)}{tr('：', ': ')}{self.subtitle()}"

    def picture(self) -> str:
        """What there is to see now, as HTML."""
        charts = self.charts()
        seen = charts_html(charts) if charts else empty_html(self.phase or self.invitation())
        return f"{self.above()}{seen}{self.below()}"

    def figure(self) -> Any:
        """The same as a matplotlib Figure: what a notebook shows where no kernel runs."""
        charts = self.charts()
        return figure_of(charts, self.caption()) if charts else self.card_figure(self.invitation())

    def subtitle(self) -> str:
        return ""

    def summary(self) -> str:
        """What was found, in words that are the same on every machine."""
        return ""

    def words_for(self, state: str) -> str:
        """What the status line says."""
        if state == "waiting":
            other = tr(*_working[0].title) if _working else ""
            return tr(
                f"在等另一个面板（{other}）做完：同时训练会抢同一串随机数，两边的结果都不能重复",
                f"waiting for another panel ({other}) to finish: two trainings at once would share one stream of random "
                "numbers, and neither could be repeated",
            )
        return {
            "ready": tr("就绪", "ready"),
            "running": tr("运行中", "running"),
            "stopped": tr("已停止", "stopped"),
            "done": tr("完成", "done"),
            "failed": tr("出错了，见下", "failed, see below"),
            "refused": tr("这样设置不行，见下", "these settings won't do, see below"),
        }[state]

    # From cells and from clicks

    @shown
    def on_run(self):
        self.start(self.work)

    @shown
    def on_stop(self):
        self.stop()

    @shown
    def on_change(self):
        try:
            self.call.value = code(self.source())
        except BadInput as error:
            self.refuse(error)
            return
        if not self.busy:
            self.draw(now=True)
            outputs.keep_later(self)
        if self.state in ("failed", "refused") and not self.busy:
            self.forget_error()
            self.enter("ready")

    def set(self, **values) -> None:
        """Move controls from code: `panel.set(epochs=2, lr=5e-4)`; None is a control's default."""
        for name, value in values.items():
            if name not in self.settings:
                raise BadInput(
                    tr(
                        f"面板没有控件 {name!r}；有：{listing(self.settings, 40)}。",
                        f"The panel has no control {name!r}; it has: {listing(self.settings, 40)}.",
                    )
                )
            try:
                self.settings[name].value = AUTO if value is None else value
            except TraitError:
                options = getattr(self.settings[name], "options", ())
                stops = listing([label if value is AUTO else spelled(value) for label, value in options], 40)
                raise BadInput(
                    tr(
                        f"{name}={value!r} 不在这个控件的取值里：{stops}。要用别的值，请照面板下方的代码自己写。",
                        f"{name}={value!r} is no value of that control: {stops}. For another, write the call below the panel.",
                    )
                ) from None

    def start(self, work: Callable[[], Iterator[None]], end: str = "done") -> None:
        """Begin in a thread of its own; while one is at work, nothing changes."""
        if self.busy:
            return
        self.forget_error()
        self._halt.clear()
        steps = work()
        torch = sys.modules.get("torch")
        threads = torch.get_num_threads() if torch else None  # torch counts them for each Python thread anew
        self.enter("running")
        self._thread = threading.Thread(target=self._carry_out, args=(steps, end, threads), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._halt.set()

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Until the work is done or stopped; raises the error that ended it. Ctrl-C stops it after the step under way."""
        try:
            while self.busy:
                self._thread.join(0.2)
        except KeyboardInterrupt:
            self.stop()
            self._thread.join()
            raise
        if self.error:
            raise self.error
        outputs.keep(self)

    def report(self) -> None:
        """Print what happened, in words that are the same on every machine."""
        said = {
            "ready": tr("还没有运行", "not run yet"),
            "waiting": tr("在等", "waiting"),
            "running": tr("运行中", "running"),
            "stopped": tr("已停止", "stopped"),
            "done": tr("完成", "done"),
            "failed": tr("出错了", "failed"),
            "refused": tr("这样设置不行", "these settings won't do"),
        }
        more = self.summary()
        print(f"{tr(*self.title)}{tr('：', ': ')}{said[self.state]}{tr('；', '; ') + more if more else ''}")

    # In the worker thread

    def _carry_out(self, steps: Iterator[None], end: str, threads: int | None) -> None:
        try:
            if threads:
                sys.modules["torch"].set_num_threads(threads)
            with self._turn() as mine, contextlib.closing(steps):
                for _ in steps if mine else ():
                    if self._halt.is_set():
                        mine = False
                        break
            self.enter(end if mine else "stopped")
            self.draw(now=True)
            self.call.value = code(self.source())
            outputs.keep_later(self)
        except BaseException as error:
            self.fail(error)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[bool]:
        """Wait until no other panel is at work; False where Stop was pressed meanwhile."""
        if not self.takes_turns:
            yield True
            return
        while not _turn.acquire(timeout=0.05):
            if self._halt.is_set():
                yield False
                return
            if self.state != "waiting":
                self.enter("waiting")
        _working[:] = [self]
        try:
            if self.state == "waiting":
                self.enter("running")
            yield True
        finally:
            _working.clear()
            _turn.release()

    # What it looks like

    def enter(self, state: str) -> None:
        """A new state, on the status line and on the buttons."""
        self.state = state
        at_work = state in ("running", "waiting")
        self.run_button.disabled, self.stop_button.disabled = at_work or state == "refused", not at_work
        for widget in self.settings.values():
            widget.disabled = at_work
        name, more, words = (escape(x) for x in (tr(*self.title), self.subtitle(), self.words_for(state)))
        self.status.value = (
            f'<div class="labkit-head"><b>{name}</b><span class="labkit-muted">{more}</span>'
            f'<span class="labkit-state {state}" role="status">{words}</span></div>'
        )

    def draw(self, now: bool = False) -> None:
        """Show the picture, ten times a second at the most."""
        if now or time.monotonic() - self._drawn_at >= REST:
            self.live.value = self.picture()
            self._drawn_at = time.monotonic()

    def say(self, phase: str) -> None:
        """What the work is at, for the picture to tell at once."""
        self.phase = phase
        self.draw(now=True)

    def fail(self, error: BaseException) -> None:
        """Show an error where the student looks; one that was written for them without its trace."""
        self.error, trace = error, ""
        if not isinstance(error, (BadInput, FileNotFoundError)):
            lines, word = "".join(traceback.format_exception(error)), tr("详情", "Details")
            trace = f"<details><summary>{word}</summary><pre>{escape(lines[-4000:])}</pre></details>"
        told = str(error) if isinstance(error, (BadInput, OSError)) else f"{type(error).__name__}: {error}"
        self.problem.value = f'<div class="labkit-problem" role="alert">{escape(told)}{trace}</div>'
        self.enter("failed")
        with contextlib.suppress(Exception):  # it may be the drawing that failed
            self.draw(now=True)

    def refuse(self, error: BadInput) -> None:
        """Say at once that the controls stand for nothing that could run."""
        self.call.value = ""
        self.fail(error)
        self.enter("refused")

    def forget_error(self) -> None:
        self.error, self.problem.value = None, ""

    def card(self, name: str, title: str = "", rows: Sequence[tuple[str, str]] = ()) -> None:
        """A box below the picture: a forecast, a verdict, what a run says aloud. Without rows it goes."""
        cells = (
            (f"<td class=t>{escape(n)}</td><td" if n else "<td colspan=2") + f" class='t w'>{escape(v)}</td>"
            for n, v in rows
        )
        lines = "".join(f"<tr>{cell}</tr>" for cell in cells)
        self.cards[name] = (
            f'<div class="labkit-note"><b>{escape(title)}</b><table>{lines}</table></div>' if rows else ""
        )
        self.notes.value = "".join(self.cards.values())

    def card_figure(self, text: str) -> Any:
        """A figure for a panel that has nothing to draw yet: its name, what is chosen, and what to do."""
        from labkit import plots

        told, columns, row = self.told(), 2, 0.3
        high = 1.0 + row * -(-len(told) // columns)
        fig, axes = plots.figure(6.4, high)
        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(high, 0))  # in inches from the top
        axes.text(0, 0.25, f"{tr(*self.title)}", fontsize=14, va="center")
        axes.text(1, 0.25, self.subtitle(), fontsize=9, va="center", ha="right", color=GREY)
        for i, (name, value) in enumerate(told):
            left, y = (i % columns) / columns, 0.7 + row * (i // columns)
            axes.text(left, y, name, fontsize=9, va="center", color=GREY)
            axes.text(left + 0.2, y, clipped(value, 28), fontsize=9, va="center")
        lines = textwrap.fill(text, tr(44, 84))  # a figure does not wrap
        axes.text(0, high - 0.2, lines, fontsize=9, va="center")
        return fig

    def told(self) -> list[tuple[str, str]]:
        """The controls that are seen, in words: what each is called and where it stands; ticks together."""
        found, ticked = [], []
        for name, widget in self.settings.items():
            if widget.layout.display == "none" or not self.worth_telling(name):
                continue
            if isinstance(widget, (widgets.Checkbox, widgets.ToggleButton)):
                ticked += [widget.description] if widget.value else []
            else:
                found.append((widget.description, told(widget) or "–"))
        return found + [("✓", ", ".join(ticked))] * bool(ticked)

    def worth_telling(self, name: str) -> bool:
        """Whether a control is told of in the still figure."""
        return True

    def __repr__(self) -> str:
        return f"labkit.ui.{type(self).__name__}"

    def _ipython_display_(self) -> None:
        outputs.show(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """The live panel, a picture for where no kernel runs, words that never change. By hand: ipywidgets 7 has none."""
        png, size = self.figure()._repr_png_()
        bundle = {"text/plain": repr(self), "image/png": base64.b64encode(png).decode()}
        if not self.closed:
            bundle[outputs.VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return bundle, {"image/png": size}


def empty_html(text: str) -> str:
    return f'<div class="labkit-empty">{escape(text)}</div>'
