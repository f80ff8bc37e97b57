"""The Train panel: choose model, strategy and settings, press Run, watch the curves, stop, go on. Notebook 01 uses it."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit import strategies
from labkit.base.display import number
from labkit.base.files import fresh_file, save_run
from labkit.base.language import tr
from labkit.data.corpus import Corpus
from labkit.plots.charts import Chart
from labkit.ui.charts import Recording, recorded_charts
from labkit.ui.controls import FIELDS, choice, control, groups, read, told, words
from labkit.ui.inputs import load_line, model_choice
from labkit.ui.panel import shown
from labkit.ui.training_panel import TrainingPanel

MAIN = ("lr", "batch_size", "epochs", "optimizer", "schedule")  # the other fields of TrainConfig are one click away


class Train(TrainingPanel):
    """A training run with its controls.

    >>> panel = Train(); panel                               # the packaged reviews
    >>> panel = Train("reviews.csv", model="bert-base-chinese", epochs=3, lr=3e-5)
    >>> panel.run_button.click(); panel.wait(); panel.result # the same Run as Trainer(...).fit()

    `corpus` is a Corpus or the path of a CSV file. A finished run is kept as a JSON file in the folder `out`, where the
    History panel finds it; None keeps none. `panel.trainer.model` is the trained model.
    """

    title: ClassVar = ("训练", "Train")

    def __init__(self, corpus: Corpus | str | Path | None = None, model: str | None = None, *, out="runs", **values):
        super().__init__(corpus)
        self.out, self.saved = out and Path(out), None
        self.recording = self.new_recording()
        self.resume_button = self.add_button("resume", tr("继续", "Resume"), "step-forward", self.on_resume)
        self.buttons.sort(key=lambda button: button is self.forecast_button)  # it stands last
        self.settings["model"] = model_choice(model or self.corpus.task.default_model)
        self.settings["strategy"] = choice("strategy", tuple(strategies.NAMES), "full", words("strategy"))
        self.settings |= self.knobs()
        self.settings |= {name: control(name) for name in MAIN}
        rest = [name for name in FIELDS if name not in MAIN]
        self.settings |= {name: control(name) for name in rest}
        self.settings["strategy"].observe(self.show_knob, names="value")
        more = widgets.Accordion(children=[widgets.VBox(groups(rest, self.settings))], selected_index=None)
        more.set_title(0, tr("更多设置", "more settings"))
        more.add_class("labkit-more")
        first = [widget for name, widget in self.settings.items() if name not in rest]
        self.show_knob()
        self.build(*first, more)
        self.set(**values)

    def new_recording(self) -> Recording:
        return Recording(self.corpus.task.metrics[0].name)

    # What will run

    def model_name(self) -> str:
        return self.settings["model"].value

    def source(self) -> str:
        line = load_line(self.model_name(), self.corpus, self.config().seed)
        return f"import labkit as lk\n{self.corpus_source}\n{line}\nrun = {self.trainer_line()}.fit()"

    @shown
    def on_resume(self):
        if self.resumable:
            self.start(self.train)

    @property
    def resumable(self) -> bool:
        return self.trainer is not None and self.result is None

    def on_change(self, *_) -> None:
        super().on_change()
        if not self.busy:
            self.card("forecast")  # it was of other settings

    def enter(self, state: str) -> None:
        super().enter(state)
        self.resume_button.disabled = state in ("running", "waiting") or not self.resumable

    # In the worker thread

    def work(self) -> Iterator[None]:
        return self.afresh(self.model_name(), self.strategy(), self.config())

    def afresh(self, model: str, strategy: strategies.Strategy, config: Any) -> Iterator[None]:
        """A new model and a new Trainer, and then its steps."""
        self.saved, self.recording = None, self.new_recording()
        yield from self.new_trainer(model, strategy, config)
        yield from self.train()

    def train(self) -> Iterator[None]:
        """To the end, and then the record, kept where History finds it."""
        yield from super().train()
        self.judge()
        self.keep()

    def hear(self, event) -> None:
        self.recording.take(event)

    def keep(self) -> None:
        """Write the run where History finds it."""
        if self.out is None:
            return
        place = fresh_file(self.out, f"{self.corpus.name}-{self.result.strategy}-s{self.result.seed}", ".json")
        try:
            save_run(dataclasses.replace(self.result, out=str(self.out)), place)
        except OSError:
            place.unlink()
            raise
        self.saved = place

    # What it says

    def summary(self) -> str:
        if self.result is None:
            return tr("可以继续", "it can be resumed") if self.resumable and self.state == "stopped" else ""
        run, losses = self.result, [e.train_loss for e in self.result.history]
        text = tr("{} 训练 {}，{} 轮，{} 步", "{} on {}, {} epochs, {} steps")
        text = text.format(run.strategy, Path(run.model).name, run.epochs, self.trainer.step)
        if len(losses) < 2:
            return text
        fell = losses[-1] < min(losses[0], run.steps[0][1])  # a first step too high spoils its epoch's mean
        return text + (tr("；损失下降：是", "; loss fell: yes") if fell else tr("；损失下降：否", "; loss fell: no"))

    def words_for(self, state: str) -> str:
        if state == "stopped" and self.resumable:
            name, lr = strategies.name_of(self.trainer.strategy), number(float(f"{self.trainer.lr:.3g}"))
            text = tr(
                "停在第 {} 步，共 {} 步；“继续”接着做这一次（{}，学习率 {}）",
                "stopped at step {} of {}; Resume goes on with this run ({}, rate {})",
            )
            return text.format(self.trainer.step, self.trainer.total_steps, name, lr)
        saved = tr("；存在 {}", "; kept in {}").format(self.saved) if state == "done" and self.saved else ""
        return super().words_for(state) + saved

    def invitation(self) -> str:
        return tr("按“运行”开始训练", "Press Run to train")

    def above(self) -> str:
        return self.progress()

    def charts(self) -> list[Chart]:
        test = self.result.test.headline if self.result and self.result.test else None
        return recorded_charts([self.recording.curves(test=test)], self.recording, self.steps) if self.step else []

    def worth_telling(self, name: str) -> bool:
        """What is one click away is told where it is not as it was."""
        return name in MAIN or name not in FIELDS or read(self.settings[name]) != FIELDS[name].default

    def caption(self) -> str:
        chosen = [f"{words(n)} {told(self.settings[n])}" for n in MAIN]
        chosen = [self.corpus.name, self.model_name(), strategies.name_of(self.strategy()), *chosen]
        return f"{tr(*self.title)}{tr('：', ': ')}{', '.join(chosen)}"
