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
from typing import Any, ClassVar

from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import Epoch, EpochDone, StepDone
from labkit.base.statistics import wilson
from labkit.data.corpus import Corpus
from labkit.plots import running_mean
from labkit.plots.look import COLOURS
from labkit.ui.charts import Line, Thinned, chart
from labkit.ui.controls import GRIDS, called, choice, figure, help_for, key, python, words
from labkit.ui.inputs import corpus_of
from labkit.ui.panel import Panel, shown

STOPS = {
    "lr": (*(float(f"{k}e{e}") for e in range(-5, 0) for k in (1, 1.5, 2, 3, 5, 7)), 1.0),
    "batch_size": (4, *GRIDS["batch_size"][3:]),
    "weight_decay": (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    "epochs": GRIDS["epochs"][1:],
}
BEFORE = "#888888"  # the previous setting
TRAIN, VALID = COLOURS[0], COLOURS[1]


@dataclasses.dataclass(frozen=True)
class Tried:
    """A setting with what its training came to."""

    settings: dict
    losses: list[tuple[float, float]]  # of training steps, thinned: (step, loss)
    epochs: list[Epoch]
    steps: int
    seconds: float = 0.0  # 0 while it is at work

    @property
    def accuracy(self) -> float:
        return self.epochs[-1].valid_accuracy


class LiveHead(Panel):
    """A head on kept features that trains anew at every move of a slider.

    >>> panel = LiveHead(); panel                            # the packaged reviews; the first move loads the model
    >>> panel.set(lr=1e-2); panel.wait(); panel.trainer      # the Trainer of the last setting, as lk.LiveHead gives it

    `config` says what stays as it is: max_length, device, seed.
    """

    title: ClassVar = ("随动的头", "Live head")
    run_label: ClassVar = ("开始", "Start")

    def __init__(
        self,
        corpus: Corpus | str | Path | None = None,
        model: str = "tiny-bert-zh",
        config: TrainConfig | None = None,
        **values,
    ):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.model, self.config = str(model), config or TrainConfig()
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
        seed = f", seed={self.config.seed}" if self.config.seed else ""
        return (
            f'import labkit as lk\n{self.corpus_source}\nmodel = lk.load("{self.model}", labels=corpus.labels{seed})\n'
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
        model = load(self.model, labels=self.corpus.labels, seed=self.config.seed)
        yield
        self.say(tr("冻结的部分读一遍全部文字", "the frozen part reads every text once"))
        self.head = live_head.LiveHead(Trainer(model, self.corpus, strategies.HeadOnly(), self.config))
        yield

    def train(self, settings: dict) -> Iterator[None]:
        """One training from the first weights; left at the next step when a newer setting is there."""
        began, trainer, losses, self.phase = time.perf_counter(), self.head.trainer(**settings), Thinned(), ""
        for event in trainer.run():
            if isinstance(event, StepDone):
                losses.add(event.step, event.loss)
            elif isinstance(event, EpochDone):
                self.under_way = Tried(settings, losses.points(), list(trainer.history), trainer.total_steps)
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

    def headline(self) -> str:
        """The accuracy of the last setting that is done, and what changed since the one before."""
        if self.now is None:
            return ""
        n = len(self.corpus.valid)
        low, high = wilson(round(self.now.accuracy * n), n)
        told = tr("验证准确率 {:.3f}", "validation accuracy {:.3f}").format(self.now.accuracy)
        span = tr("95 %：{:.2f}–{:.2f}", "95 %: {:.2f}–{:.2f}").format(low, high)
        more = ""
        if self.before:
            changed = [k for k, v in self.now.settings.items() if v != self.before.settings[k]]
            moves = [f"{words(k)} {python(self.before.settings[k])} → {python(self.now.settings[k])}" for k in changed]
            points = 100 * (self.now.accuracy - self.before.accuracy)
            more = tr("{} 个百分点（{}）", "{} points ({})").format(
                f"{points:+.1f}".replace("-", "−"), tr("，", ", ").join(moves)
            )
        parts = (
            f"<b>{escape(told)}</b>",
            f'<span class="labkit-muted">{escape(span)}</span>',
            f"<span>{escape(more)}</span>",
        )
        return f'<div class="labkit-head">{"".join(parts)}</div>'

    def pair(self) -> tuple[Tried | None, Tried | None]:
        """What is drawn in colour, and what in grey: the setting at work over the last, or the last over the one before."""
        return (self.under_way, self.now) if self.under_way else (self.now, self.before)

    def lines(self) -> tuple[list[Line], list[Line]]:
        """The curves of the two charts."""
        loss, accuracy = [], []
        new, old = self.pair()
        for tried, train, valid in ((old, BEFORE, BEFORE), (new, TRAIN, VALID)):
            if tried is None:
                continue
            smooth = running_mean([y for _, y in tried.losses], max(1, len(tried.losses) // 20))
            loss.append(
                Line([(x, y) for (x, _), y in zip(tried.losses, smooth, strict=True)], train, faint=tried is old)
            )
            look = {"dashed": True, "dots": tried is new}
            loss.append(Line([(e.steps, e.valid_loss) for e in tried.epochs], valid, **look))
            accuracy.append(Line([(e.steps, e.valid_accuracy) for e in tried.epochs], valid, **look))
        return loss, accuracy

    def picture(self) -> str:
        new, old = self.pair()
        if new is None:
            text = self.phase or tr("拖动任何一个滑块，或按“开始”", "Move any slider, or press Start")
            return f'<div class="labkit-empty">{escape(text)}</div>'
        loss, accuracy = self.lines()
        across = {"x_range": (0, max(t.steps for t in (new, old) if t)), "x_label": tr("步", "step"), "whole": True}
        keys = key(TRAIN, tr("训练", "training")) + key(VALID, tr("验证", "validation"), dashed=True)
        keys += key(BEFORE, tr("上一个设置", "previous setting")) if old else ""
        titles = tr("损失", "loss"), tr("验证准确率", "validation accuracy")
        charts = figure(titles[0], keys, chart(loss, titles[0], **across))
        charts += figure(titles[1], "", chart(accuracy, titles[1], **across))
        return f'{self.headline()}<div class="labkit-charts">{charts}</div>'

    def figure(self) -> Any:
        from labkit import plots

        if self.now is None:
            return self.card_figure(tr("拖动一个滑块，头就重练一遍", "Move a slider, and the head trains anew"))
        fig, both = plots.figure(7.2, 2.7, columns=2)
        titles = tr("损失", "loss"), tr("验证准确率", "validation accuracy")
        for axes, lines, title in zip(both, self.lines(), titles, strict=True):
            for line in lines:
                look = {"ls": "--" if line.dashed else "-", "alpha": 0.5 if line.faint else 1}
                axes.plot(*zip(*line.points, strict=True), color=line.colour, **look)
            axes.set_title(title, loc="left")
            axes.set_xlabel(tr("步", "step"))
        both[0].set_ylabel(tr("交叉熵（nat）", "cross-entropy (nats)"))
        both[1].set_ylabel(tr("准确率", "accuracy"))
        names = {
            TRAIN: tr("训练", "training"),
            VALID: tr("验证", "validation"),
            BEFORE: tr("上一个设置", "previous setting"),
        }
        for colour in dict.fromkeys(line.colour for line in self.lines()[0]):
            both[0].plot([], [], color=colour, label=names[colour])
        both[0].legend()
        return fig
