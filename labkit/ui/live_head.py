"""The Live head panel: a real model's head trains anew while a slider moves. Notebook 04 uses it.

The network below is asked once, at the first move. After that each setting is a whole training of a fraction of a second;
a setting that comes while another is at work replaces it, so that nothing queues up.
"""

import dataclasses
import threading
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import ClassVar

from labkit.base.config import TrainConfig
from labkit.base.display import called, python, title_of
from labkit.base.language import tr
from labkit.base.records import Epoch, EpochDone, Measure
from labkit.data.corpus import Corpus
from labkit.plots.charts import Chart
from labkit.plots.look import GREY
from labkit.ui.charts import Recording, recorded_charts
from labkit.ui.controls import GRIDS, choice, help_for, words
from labkit.ui.inputs import corpus_of, load_line
from labkit.ui.panel import Panel, shown

STOPS = {
    "lr": (*(float(f"{k}e{e}") for e in range(-5, 0) for k in (1, 1.5, 2, 3, 5, 7)), 1.0),
    "batch_size": (4, *GRIDS["batch_size"][3:]),
    "weight_decay": (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    "epochs": GRIDS["epochs"][1:],
}


@dataclasses.dataclass(frozen=True)
class Tried:
    """A setting with what its training came to."""

    settings: dict
    recording: Recording
    epochs: list[Epoch]
    steps: int
    seconds: float = 0.0  # 0 while it is at work

    @property
    def score(self) -> Measure:
        """The headline metric on validation rows, after the last epoch."""
        return self.recording.score


class LiveHead(Panel):
    """A head on kept features that trains anew at every move of a slider.

    >>> panel = LiveHead(corpus); panel                      # the first move of a slider loads the model
    >>> panel.set(lr=1e-2); panel.wait(); panel.trainer      # the Trainer of the last setting, as lk.LiveHead gives it

    `config` says what stays as it is: max_length, device, seed.
    """

    title: ClassVar = ("随动的头", "Live head")
    run_label: ClassVar = ("开始", "Start")

    def __init__(
        self,
        corpus: Corpus | str | Path | None = None,
        model: str | None = None,
        config: TrainConfig | None = None,
        **values,
    ):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.model, self.config = str(model or self.corpus.task.default_model), config or TrainConfig()
        self.metric = self.corpus.task.metrics[0].name
        self.head, self.trainer = None, None
        self.under_way, self.now, self.before = None, None, None  # the setting at work, the last two that are done
        self.lock, self.wanted, self.serving, self.built = threading.Lock(), None, False, False
        for name, stops in STOPS.items():
            default = {"lr": 2e-3, "epochs": 10}.get(name, getattr(self.config, name))
            self.settings[name] = choice(name, stops, default, words(name), help_for(name), slider=True)
        self.build(*self.settings.values())
        self.set(**values)
        self.built = True

    # What will run

    def chosen(self) -> dict:
        return {name: widget.value for name, widget in self.settings.items()}

    def source(self) -> str:
        config = "" if self.config == TrainConfig() else f", {called('lk.TrainConfig', self.config)}"
        told = ", ".join(f"{k}={python(v)}" for k, v in self.chosen().items())
        return (
            f"import labkit as lk\n{self.corpus_source}\n{load_line(self.model, self.corpus, self.config.seed)}\n"
            f"live = lk.LiveHead(lk.Trainer(model, corpus, lk.HeadOnly(){config}))\n"
            f"run = live.trainer({told}).fit()"
        )

    # The newest setting wins

    @shown
    def on_run(self):
        self.ask()

    @shown
    def on_change(self):
        super().on_change()
        if self.built:
            self.ask()

    def ask(self) -> None:
        """Let the settings as they are be trained next, whatever is at work."""
        with self.lock:
            self.wanted, begin = self.chosen(), not self.serving
            self.serving = True
        if begin:
            if self._thread is not None:
                self._thread.join()  # it is at its last words
            self.start(self.serve)

    def serve(self) -> Iterator[None]:
        """Train what is wanted until nothing is."""
        try:
            yield from self.get_ready()
            while (settings := self.next()) is not None:
                yield from self.train(settings)
        finally:
            with self.lock:
                self.wanted, self.serving = None, False

    def next(self) -> dict | None:
        """The setting that is wanted; where none is, the next move begins a new thread."""
        with self.lock:
            found, self.wanted = self.wanted, None
            self.serving = found is not None
        return found

    def get_ready(self) -> Iterator[None]:
        from labkit import strategies
        from labkit.models.loading import load
        from labkit.training import live_head
        from labkit.training.trainer import Trainer

        if self.head is not None:
            return
        self.say(tr("载入模型", "loading the model"))
        model = load(self.model, task=self.corpus.task, seed=self.config.seed)
        yield
        self.say(tr("冻结的部分把每一行看一遍", "the frozen part looks at every row once"))
        self.head = live_head.LiveHead(Trainer(model, self.corpus, strategies.HeadOnly(), self.config))
        yield

    def train(self, settings: dict) -> Iterator[None]:
        """One training from the first weights; left at the next step when a newer setting is there."""
        began, trainer, self.phase = time.perf_counter(), self.head.trainer(**settings), ""
        recording = Recording(self.metric)
        for event in trainer.run():
            recording.take(event)
            if isinstance(event, EpochDone):
                self.under_way = Tried(settings, recording, list(trainer.history), trainer.total_steps)
                self.draw()
            if self.wanted is not None:
                return
            yield
        if self.now is None or self.now.settings != settings:
            self.before = self.now
        self.now, self.under_way = dataclasses.replace(self.under_way, seconds=time.perf_counter() - began), None
        self.trainer = trainer

    def enter(self, state: str) -> None:
        """As in every panel, but that the sliders stay free while it trains: one that is disabled lets go of the mouse."""
        super().enter("live running" if state == "running" else state)
        self.state = state
        self.stop_button.disabled = state not in ("running", "waiting")

    # What it says

    def subtitle(self) -> str:
        return tr("{}，{} 行训练", "{}, {:,} training rows").format(self.corpus.name, len(self.corpus.train))

    def words_for(self, state: str) -> str:
        if state == "live running":
            return tr("重新训练中", "training anew")
        if state == "done" and self.now:
            text = tr("{} 步，{:.2f} 秒", "{} steps in {:.2f} s")
            return text.format(self.now.steps, self.now.seconds)
        return super().words_for(state)

    def summary(self) -> str:
        if self.now is None:
            return ""
        fell = self.now.epochs[-1].train_loss < self.now.epochs[0].train_loss
        told = ", ".join(f"{words(k)} {python(v)}" for k, v in self.now.settings.items())
        text = tr("{}，{} 步；训练损失下降：{}", "{}; {} steps; training loss fell: {}")
        return text.format(told, self.now.steps, tr("是", "yes") if fell else tr("否", "no"))

    def above(self) -> str:
        """The score of the last setting that is done, and what changed since the one before."""
        if self.now is None:
            return ""
        measure, title = self.now.score, title_of(self.metric)
        said = tr("验证{} {:.3f}", "validation {} {:.3f}").format(title, measure.value)
        span = "" if measure.low is None else tr("95 %：{:.2f}–{:.2f}", "95 %: {:.2f}–{:.2f}").format(measure.low, measure.high)  # fmt: skip
        parts = (
            f'<b>{escape(said)}</b><span class="labkit-muted">{escape(span)}</span><span>{escape(self.moves())}</span>'
        )
        return f'<div class="labkit-head">{parts}</div>'

    def moves(self) -> str:
        """By how much the score moved, and which sliders."""
        if self.before is None:
            return ""
        old, new = self.before.settings, self.now.settings
        sliders = [f"{words(k)} {python(old[k])} → {python(v)}" for k, v in new.items() if v != old[k]]
        points = f"{100 * (self.now.score.value - self.before.score.value):+.1f}".replace("-", "−")
        return tr("{} 个百分点（{}）", "{} points ({})").format(points, tr("，", ", ").join(sliders))

    def pair(self) -> tuple[Tried | None, Tried | None]:
        """What is drawn in colour, and what in grey: the setting at work over the last, or the last over the one before."""
        return (self.under_way, self.now) if self.under_way else (self.now, self.before)

    def charts(self) -> list[Chart]:
        new, old = self.pair()
        if new is None:
            return []
        curves = [new.recording.curves()]
        if old:
            curves.insert(
                0, old.recording.curves(name=tr("上一个设置", "previous setting"), colours=(GREY,) * 3, pale=True)
            )
        return recorded_charts(curves, new.recording, max(t.steps for t in (new, old) if t))

    def invitation(self) -> str:
        return tr("拖动任何一个滑块，或按“开始”", "Move any slider, or press Start")
