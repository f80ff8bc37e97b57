"""The Optimizer panel: torch's optimizers walking over a surface, and every control answered at once. Notebook 04 uses it.

Nothing has to be run: the walks are computed anew as a control moves, and kept while only the shown step does.
"""

from collections.abc import Iterator
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit.base.display import number
from labkit.base.language import tr
from labkit.landscape.surfaces import surfaces
from labkit.landscape.trace import Traces
from labkit.landscape.walk import optimizer, traces
from labkit.plots.charts import Chart, Line
from labkit.plots.landscapes import PARTS, colours
from labkit.plots.look import GREY
from labkit.plots.scene import parts_words, scene
from labkit.ui.charts import chart_html, key
from labkit.ui.controls import choice, hint, html, named
from labkit.ui.panel import Panel, shown

OFFERED = ("SGD", "momentum", "Nesterov", "Adagrad", "RMSprop", "Adam", "AdamW")
RATES = (*(float(f"{k}e{e}") for e in range(-4, 1) for k in (1, 1.5, 2, 3, 5, 7)), 10.0)
MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
STEPS = (10, 20, 50, 100, 200, 500)
FRAMES, PAUSE = 50, 100  # of a walk that is played: pictures, and milliseconds between two
POINTS = 100  # of a curve


class Optimizer(Panel):
    """Optimizers on a surface: choose the mountain, who walks, how fast and from where, and see the ways at once.

    >>> panel = Optimizer("ravine"); panel
    >>> panel.set(lr=0.3, beta=0.8, RMSprop=True); panel.walks()         # the numbers, as lk.traces gives them
    """

    title: ClassVar = ("优化器", "Optimizer")
    takes_turns: ClassVar = False

    def __init__(self, surface: str = "ravine", **values):
        super().__init__()
        self.buttons, self.moving, self.at_end, self.known = [], False, False, (None, None)
        self.add_button("reset", tr("回到起点", "Reset"), "undo", self.on_reset)
        options = [(found.title, name) for name, found in surfaces().items()]
        chosen = widgets.Dropdown(options=options, value=surface, description=tr("曲面", "surface"))
        self.settings["surface"] = named(chosen, "surface")
        for name in OFFERED:
            tick = widgets.Checkbox(value=name in ("SGD", "momentum", "Adam"), description=name, indent=False)
            self.settings[name] = named(tick, name)
            tick.layout.width = "auto"
        self.settings |= self.sliders()
        self.settings["surface"].observe(self.on_surface, names="value")
        self.settings["steps"].observe(self.on_steps, names="value")
        self.settings["arrows"].observe(self.on_arrows, names="value")
        self.numbers = html("numbers")
        self.player = self.player_row()
        self.place()
        ticks = widgets.HBox([widgets.Label(tr("优化器", "optimizers")), *(self.settings[n] for n in OFFERED)])
        ticks.add_class("labkit-ticks")
        rest = (self.settings[n] for n in ("lr", "beta", "x", "y", "steps"))
        self.build(self.settings["surface"], ticks, *rest)
        _, right = self.box.children[2].children
        right.children = (self.player, *right.children, self.numbers)
        self.set(**values)

    def set(self, **values) -> None:
        """As in every panel; a start goes to the nearest stop of its slider."""
        super().set(**{"surface": values.pop("surface")} if "surface" in values else {})
        for name in {"x", "y"} & values.keys():
            values[name] = min((v for _, v in self.settings[name].options), key=lambda v: abs(v - values[name]))
        super().set(**values)
        self.play.value = self.settings["step"].value

    def sliders(self) -> dict[str, Any]:
        """The controls of how they walk, and of what is shown."""
        rate = choice("lr", RATES, 0.1, tr("学习率", "learning rate"), slider=True)
        help = tr(
            "动量和 Nesterov 的 momentum，Adam 和 AdamW 的 β₁",
            "momentum of momentum and Nesterov, β₁ of Adam and AdamW",
        )
        beta = choice("beta", MOMENTA, 0.9, tr("动量 β", "momentum β"), help, slider=True)
        steps = choice("steps", STEPS, 200, tr("步数", "steps"), slider=True)
        found = {"lr": rate, "beta": beta}
        for name, words in (("x", tr("起点 x", "start x")), ("y", tr("起点 y", "start y"))):
            found[name] = named(widgets.SelectionSlider(options=[0.0], description=words), name)
        found["steps"] = steps
        found["step"] = named(widgets.IntSlider(value=200, max=200, description=tr("看到第几步", "shown step")), "step")
        tick = widgets.Checkbox(value=False, description=tr("下一步由什么组成", "parts of the next step"), indent=False)
        found["arrows"] = named(tick, "arrows")
        return found

    def close(self) -> None:
        super().close()
        self.link.close()

    def player_row(self) -> Any:
        """Play, the step that is shown, and whether the next one is taken apart."""
        self.play = hint(widgets.Play(interval=PAUSE, show_repeat=False), tr("播放", "play"))
        self.play.add_class("labkit-play")
        self.span()
        playing = "playing" if self.play.has_trait("playing") else "_playing"  # in ipywidgets 7
        self.play.observe(self.on_play, names=playing)
        self.link = widgets.jslink(
            (self.settings["step"], "value"), (self.play, "value")
        )  # the first decides where they begin
        step, arrows = self.settings["step"], self.settings["arrows"]
        step.layout.width, step.layout.flex, arrows.layout.width = "auto", "1 1 240px", "auto"
        step.style.description_width = "auto"
        row = widgets.HBox([self.play, step, arrows], layout=widgets.Layout(flex_flow="row wrap", grid_gap="4px 16px"))
        row.add_class("labkit-player")
        return row

    # Where they start, and what is shown

    def on_surface(self, *_) -> None:
        self.place()

    @shown
    def on_reset(self):
        self.place()
        self.on_change()

    def place(self) -> None:
        """The surface's own window, start and rate."""
        surface = surfaces()[self.settings["surface"].value]
        left, right, bottom, top = surface.window
        self.moving = True
        try:
            for name, start, low, high in (("x", surface.start[0], left, right), ("y", surface.start[1], bottom, top)):
                self.settings[name].options = [(f"{v:.2f}", v) for v in stops(start, low, high)]
                self.settings[name].value = start
            self.settings["lr"].value = surface.rate
        finally:
            self.moving = False

    def on_play(self, change) -> None:
        """Play from the first step where it stands on the last: of itself the widget then only stops again."""
        if not change.new and self.at_end:
            self.show(0)
            self.draw(now=True)
            setattr(self.play, change.name, True)
        self.at_end = change.new and self.play.value >= self.play.max

    def on_steps(self, *_) -> None:
        self.span()

    def on_arrows(self, *_) -> None:
        """After the last step there is no next one to take apart."""
        if self.settings["arrows"].value and self.step is None:
            self.show(min(5, self.settings["steps"].value - 1))

    def span(self) -> None:
        """The whole walk, and room to play it."""
        steps = self.settings["steps"].value
        for widget in (self.settings["step"], self.play):
            widget.max = max(steps, widget.value)
        self.show(steps)
        for widget in (self.settings["step"], self.play):
            widget.max = steps
        self.play.step = max(1, steps // FRAMES)

    def show(self, step: int) -> None:
        """Move to a step, without drawing it."""
        self.moving = True
        try:
            self.settings["step"].value = self.play.value = step
        finally:
            self.moving = False

    def on_change(self, *_) -> None:
        if not self.moving:
            super().on_change()

    # What is walked

    def settings_of(self, name: str) -> dict:
        """What an optimizer is made with: the rate, and the momentum where it has one and it is not torch's own."""
        lr, beta = self.settings["lr"].value, self.settings["beta"].value
        if beta == 0.9 or name not in ("momentum", "Nesterov", "Adam", "AdamW"):
            return {"lr": lr}
        return {"lr": lr, **({"betas": (beta, 0.999)} if "Adam" in name else {"momentum": beta})}

    def chosen(self) -> dict[str, dict]:
        return {name: self.settings_of(name) for name in OFFERED if self.settings[name].value}

    def start_point(self) -> tuple[float, float]:
        return self.settings["x"].value, self.settings["y"].value

    def walks(self) -> Traces:
        """The walks that the controls stand for."""
        asked = (self.settings["surface"].value, repr(self.chosen()), self.start_point(), self.settings["steps"].value)
        if self.known[0] != asked:
            makers = {name: optimizer(name, **more) for name, more in self.chosen().items()}
            self.known = (asked, traces(makers, asked[0], start=asked[2], steps=asked[3]))
        return self.known[1]

    @property
    def step(self) -> int | None:
        """The step that is shown; None for the whole walk."""
        step = self.settings["step"].value
        return None if step >= self.settings["steps"].value else step

    def source(self) -> str:
        lines = []
        for name, more in self.chosen().items():
            told = ", ".join(f"{k}={number(v) if isinstance(v, float) else v}" for k, v in more.items())
            lines.append(f'    "{name}": lk.optimizer("{name}", {told}),\n')
        surface, steps = self.settings["surface"].value, self.settings["steps"].value
        upto = "" if self.step is None else f", step={self.step}"
        return (
            f"import labkit as lk\nmakers = {{\n{''.join(lines)}}}\n"
            f'walks = lk.traces(makers, "{surface}", start={self.start_point()}, steps={steps})\n'
            f"lk.plots.walk_map(walks{upto})"
        )

    def work(self) -> Iterator[None]:
        self.walks()
        yield

    # What it says

    def report(self) -> None:
        """Print where they came to, in words that are the same on every machine."""
        self.wait()
        print(f"{tr(*self.title)}{tr('：', ': ')}{self.summary()}")

    def words_for(self, state: str) -> str:
        at_once = tr("动哪个控件都立刻回答", "every control answers at once")
        return at_once if state in ("ready", "done") else super().words_for(state)

    def summary(self) -> str:
        walks = self.walks()
        there = [n for n, w in walks.items() if w.arrived is not None]
        lost = [n for n, w in walks.items() if w.diverged is not None]
        text = tr("{}，{} 步；到达：{}；发散：{}", "{}, {} steps; arrived: {}; diverged: {}")
        return text.format(
            walks.surface.title, self.settings["steps"].value, ", ".join(there) or "–", ", ".join(lost) or "–"
        )

    def table(self, walks: Traces) -> str:
        """Where each of them came to."""
        header = (tr("优化器", "optimizer"), tr("终点损失", "final loss"), tr("到达", "arrived"))
        cells = "".join(f'<th class="{"" if i else "t"}">{word}</th>' for i, word in enumerate(header))
        rows = []
        for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
            there = "–" if walk.arrived is None else walk.arrived
            end = tr("✕ 第 {} 步发散", "✕ diverged at {}").format(walk.diverged) if walk.diverged is not None else there
            loss = "∞" if walk.diverged is not None else brief(float(walk.loss[-1]))
            rows.append(f"<tr><td class=t>{key(colour, name)}</td><td>{loss}</td><td>{end}</td></tr>")
        note = tr(
            "到达：从这一步起，剩下的高度不到起点的 1 %",
            "arrived: the step from which less than 1 % of the height is left",
        )
        return (
            f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
            f'<div class="labkit-muted">{escape(note)}</div>'
        )

    def heights(self, walks: Traces) -> Chart:
        """Loss against step, as height above the lowest minimum where one is known."""
        floor = min((walks.surface(float(x), float(y)) for x, y in walks.surface.minima), default=None)
        first = next(iter(walks.values()))
        low, top = floor or 0.0, 3 * abs(float(first.loss[0]) - (floor or 0.0)) + 1e-12
        drawn = []
        for walk, colour in zip(walks.values(), colours(len(walks)), strict=True):
            every = max(1, walk.steps // POINTS)
            seen = [i for i in range(walk.steps + 1) if i % every == 0 or i == walk.steps]
            points = [(i, min(float(walk.loss[i]) - low, top)) for i in seen]
            drawn.append(Line([(x, y) for x, y in points if y > 1e-7 * top or floor is None], colour, bold=True))
        if self.step is not None:
            ys = [y for line in drawn for _, y in line.points]
            drawn.append(Line([(self.step, min(ys)), (self.step, max(ys))], GREY, dashed=True))
        title = tr("损失", "loss") if floor is None else tr("离最低点的高度", "height above minimum")
        note = "" if floor is None else tr("对数轴", "log axis")
        across = (0, self.settings["steps"].value)
        return Chart(title, drawn, tr("步", "step"), note=note, x_range=across, whole=True, log=floor is not None)

    def picture(self) -> str:
        walks, arrows = self.walks(), self.settings["arrows"].value
        self.numbers.value = (
            '<div class="labkit-charts"><div class="labkit-scroll" style="flex:1 1 220px">'
            f"{self.table(walks)}</div>{chart_html(self.heights(walks))}</div>"
        )
        keys = "".join(
            key("currentColor" if name == "gradient" else colour, word, "bold" if style == "-" else "dashed")
            for (name, colour, style), word in zip(PARTS, parts_words(), strict=True)
        )
        parts = f'<div class="labkit-keys">{keys}</div>' if arrows else ""
        return scene(walks, self.step, arrows, beside=False) + parts

    def figure(self) -> Any:
        from labkit import plots

        return plots.walk_map(self.walks(), self.step)


def brief(value: float) -> str:
    """A loss in a few characters: 4.25, 0.0352, 5e-9."""
    return number(float(f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.0e}"))


def stops(start: float, low: float, high: float) -> list[float]:
    """101 places from `low` to `high`, shifted by less than one so that the start is among them.

    >>> stops(0.01, -2.5, 2.5)[:2]
    [-2.49, -2.44]
    """
    step = (high - low) / 100
    before = int((start - low) / step + 1e-9)
    return [round(start + (i - before) * step, 6) for i in range(101)]
