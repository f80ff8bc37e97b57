"""The Train panel: choose model, strategy and settings, press Run, watch the curves, stop, go on. Notebook 01 uses it."""

import dataclasses
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit import strategies
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import EpochDone, Notice, StepDone
from labkit.data.corpus import Corpus
from labkit.plots.look import COLOURS
from labkit.ui.charts import Line, Thinned, chart
from labkit.ui.controls import called, choice, control, figure, key, number, read, words
from labkit.ui.inputs import corpus_of, model_choice, unused
from labkit.ui.panel import Panel, shown

MAIN = ("lr", "batch_size", "epochs", "optimizer", "schedule")  # the other fields of TrainConfig are one click away
KNOBS = {  # the setting of a strategy that has a slider, and the slider's stops
    "top-K": ("k", (1, 2, 3, 4, 6, 8, 10, 12)),
    "lora": ("rank", (1, 2, 4, 8, 16, 32, 64)),
    "prefix": ("tokens", (1, 2, 5, 10, 20, 50)),
    "ptuning-v2": ("tokens", (1, 2, 5, 10, 20, 50)),
    "adapter": ("size", (4, 8, 16, 32, 64)),
}
TRAIN, VALID = COLOURS[0], COLOURS[1]


@dataclasses.dataclass
class Curves:
    """What the panel draws: losses of steps (tensors until they are drawn: on a GPU, asking for a number waits)."""

    loss: Thinned = dataclasses.field(default_factory=Thinned)
    pending: list = dataclasses.field(default_factory=list)
    valid: Thinned = dataclasses.field(default_factory=lambda: Thinned(40))
    accuracy: Thinned = dataclasses.field(default_factory=lambda: Thinned(40))
    step: int = 0
    steps: int = 0
    epoch: int = 0

    def take(self, event) -> None:
        if isinstance(event, StepDone):
            self.step, self.steps, self.epoch = event.step, event.steps, event.epoch
            self.pending.append(event)
        elif isinstance(event, EpochDone):
            self.valid.add(event.epoch.steps, event.epoch.valid_loss)
            self.accuracy.add(event.epoch.steps, event.epoch.valid_accuracy)

    def settle(self) -> None:
        """Ask the pending losses for their numbers."""
        for event in self.pending:
            self.loss.add(event.step, event.loss)
        self.pending.clear()


class Train(Panel):
    """A training run with its controls.

    >>> panel = Train(); panel                               # the packaged reviews
    >>> panel = Train("reviews.csv", model="bert-base-chinese", epochs=3, lr=3e-5)
    >>> panel.run_button.click(); panel.wait(); panel.result # the same Run as Trainer(...).fit()

    `corpus` is a Corpus or the path of a CSV file. A finished run is kept as a JSON file in the folder `out`, where the
    History panel finds it; None keeps none. `panel.trainer.model` is the trained model.
    """

    title: ClassVar = ("训练", "Train")

    def __init__(self, corpus: Corpus | str | Path | None = None, model: str = "tiny-bert-zh", *, out="runs", **values):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.out = out and Path(out)
        self.trainer, self.result, self.saved, self.curves = None, None, None, Curves()
        self.began, self.began_at = 0.0, 0
        self.resume_button = self.add_button("resume", tr("继续", "Resume"), "step-forward", self.on_resume)
        self.forecast_button = self.add_button("forecast", tr("预估", "Forecast"), "clock-o", self.on_forecast)
        self.settings["model"] = model_choice(model)
        self.settings["strategy"] = choice("strategy", tuple(strategies.NAMES), "full", tr("策略", "strategy"))
        for name, (field, stops) in KNOBS.items():
            default = getattr(strategies.NAMES[name], field, 2)
            if field not in self.settings:
                self.settings[field] = choice(field, stops, default, words(field), slider=True)
        self.settings |= {name: control(name) for name in MAIN}
        rest = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in MAIN]
        self.settings |= {name: control(name) for name in rest}
        self.settings["strategy"].observe(self.on_strategy, names="value")
        more = widgets.Accordion(children=[widgets.VBox([self.settings[name] for name in rest])], selected_index=None)
        more.set_title(0, tr("更多设置", "more settings"))
        more.add_class("labkit-more")
        first = [widget for name, widget in self.settings.items() if name not in rest]
        self.on_strategy()
        self.build(*first, more)
        self.set(**values)

    def on_strategy(self, *_) -> None:
        """Of the strategies' own settings, show the one that this strategy has."""
        mine = KNOBS.get(self.settings["strategy"].value, ("",))[0]
        for field, _ in KNOBS.values():
            self.settings[field].layout.display = None if field == mine else "none"

    # What will run

    def strategy(self) -> strategies.Strategy:
        name = self.settings["strategy"].value
        fields = [KNOBS[name][0]] if name in KNOBS else []
        more = {field: self.settings[field].value for field in fields}
        return strategies.NAMES[name](**more)

    def config(self) -> TrainConfig:
        return TrainConfig(**{f.name: read(self.settings[f.name]) for f in dataclasses.fields(TrainConfig)})

    def source(self) -> str:
        strategy, config, model = self.strategy(), self.config(), self.settings["model"].value
        seed = f", seed={config.seed}" if config.seed else ""
        parts = [f"strategy={called(f'lk.{type(strategy).__name__}', strategy)}"]
        if config != TrainConfig():
            parts.append(f"config={called('lk.TrainConfig', config)}")
        return (
            f'import labkit as lk\n{self.corpus_source}\nmodel = lk.load("{model}", labels=corpus.labels{seed})\n'
            f"run = lk.Trainer(model, corpus, {', '.join(parts)}).fit()"
        )

    # Buttons of its own

    @shown
    def on_resume(self):
        if self.resumable:
            self.start(self.train)

    @shown
    def on_forecast(self):
        self.start(self.forecast, end="ready" if self.state == "failed" else self.state)

    def on_change(self, *_) -> None:
        super().on_change()
        if not self.busy:
            self.card("forecast")  # it was of other settings

    def enter(self, state: str) -> None:
        super().enter(state)
        at_work = state in ("running", "waiting")
        self.resume_button.disabled, self.forecast_button.disabled = at_work or not self.resumable, at_work
        if not at_work:
            self.phase = ""

    # In the worker thread

    def work(self) -> Iterator[None]:
        model, strategy, config = self.settings["model"].value, self.strategy(), self.config()
        return self.afresh(model, strategy, config)

    def afresh(self, model: str, strategy: strategies.Strategy, config: TrainConfig) -> Iterator[None]:
        """A new model and a new Trainer, and then its steps."""
        from labkit.training.trainer import Trainer

        self.trainer, self.result, self.saved, self.curves = None, None, None, Curves()
        self.card("note")
        self.card("verdict")
        network = self.load(model, config)
        yield
        self.say(tr("分词", "tokenizing"))
        self.trainer = Trainer(network, self.corpus, strategy, config)
        self.curves.steps = self.trainer.total_steps
        yield
        self.say(tr("开始", "starting"))
        yield from self.train()

    def load(self, model: str, config: TrainConfig) -> Any:
        from labkit.models.loading import load

        self.say(tr("载入模型", "loading the model"))
        return load(model, labels=self.corpus.labels, seed=config.seed)

    def train(self) -> Iterator[None]:
        """The Trainer's steps from where it stands, and at the end its record and what is wrong with it."""
        from labkit.inspection.doctor import diagnose

        self.began, self.began_at = time.monotonic(), self.trainer.step
        for event in self.trainer.run():
            self.phase = ""
            self.curves.take(event)
            if isinstance(event, Notice):
                self.card("note", tr("说明", "note"), [("", text) for text in self.trainer.notices])
            self.draw(now=isinstance(event, EpochDone))
            yield
        self.say(tr("在测试集上打分", "scoring on the test rows"))
        self.result = self.trainer.report()
        self.keep()
        found = diagnose(self.result, self.corpus)
        rows = [(f.title, f"{f.evidence} → {words(f.control)}{tr('：', ': ')}{f.advice}") for f in found]
        self.card("verdict", tr("诊断", "diagnosis"), rows or [("", str(found))])

    def forecast(self) -> Iterator[None]:
        strategy, config, model = self.strategy(), self.config(), self.settings["model"].value

        def steps():
            from labkit.inspection.forecast import preflight

            network = self.load(model, config)
            yield
            self.say(tr("试几步", "trying a few steps"))
            found = preflight(network, self.corpus, strategy, config)
            self.card("forecast", tr("预计", "forecast"), found.rows())
            yield

        return steps()

    def keep(self) -> None:
        """Write the run where History finds it."""
        from labkit.base.files import save_run

        if self.out is None:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        name = f"{self.corpus.name}-{self.result.strategy}-s{self.result.seed}"
        self.saved = unused(self.out, name, ".json")
        save_run(dataclasses.replace(self.result, out=str(self.out)), self.saved)

    @property
    def resumable(self) -> bool:
        return self.trainer is not None and self.result is None

    # What it says

    def subtitle(self) -> str:
        return tr("{}，{:,} 行", "{}, {:,} rows").format(self.corpus.name, len(self.corpus.train))

    def summary(self) -> str:
        if self.result is None:
            return tr("可以继续", "it can be resumed") if self.resumable and self.state == "stopped" else ""
        run, losses = self.result, [e.train_loss for e in self.result.history]
        text = tr("{} 训练 {}，{} 轮，{} 步", "{} on {}, {} epochs, {} steps")
        text = text.format(run.strategy, Path(run.model).name, run.epochs, self.trainer.step)
        if len(losses) < 2:
            return text
        fell = tr("；损失下降：是", "; loss fell: yes"), tr("；损失下降：否", "; loss fell: no")
        return (
            text + fell[losses[-1] >= min(losses[0], run.steps[0][1])]
        )  # a first step too high spoils its epoch's mean

    def words_for(self, state: str) -> str:
        if state == "stopped" and self.resumable:
            name, lr = strategies.name_of(self.trainer.strategy), number(float(f"{self.trainer.lr:.3g}"))
            text = tr(
                "停在第 {} 步，共 {} 步；“继续”接着做这一次（{}，学习率 {}）",
                "stopped at step {} of {}; Resume goes on with this run ({}, rate {})",
            )
            return text.format(self.trainer.step, self.trainer.total_steps, name, lr)
        if state == "done" and self.result:
            test = self.result.test
            text = tr(
                "完成：测试准确率 {:.3f}（95 %：{:.3f}–{:.3f}）", "done: test accuracy {:.3f} (95 %: {:.3f}–{:.3f})"
            )
            saved = tr("；存在 {}", "; kept in {}").format(self.saved) if self.saved else ""
            return text.format(test.accuracy, test.low, test.high) + saved
        return super().words_for(state)

    def time_left(self) -> str:
        done = self.curves.step - self.began_at
        if self.state != "running" or done < 1:
            return ""
        seconds = (time.monotonic() - self.began) / done * (self.curves.steps - self.curves.step)
        if seconds < 90:
            return tr("还要 {:.0f} 秒", "{:.0f} s left").format(seconds)
        return tr("还要 {:.0f} 分钟", "{:.0f} min left").format(seconds / 60)

    def progress(self) -> str:
        c = self.curves
        share, text = c.step / max(c.steps, 1), tr("第 {} / {} 步", "step {} of {}").format(c.step, c.steps)
        if c.epoch and self.trainer:
            text += tr("，第 {} / {} 轮", ", epoch {} of {}").format(
                c.epoch, self.trainer.total_steps // self.trainer.batches_per_epoch
            )
        bar = f'<div class="labkit-bar" role="progressbar" aria-valuenow="{share:.0%}"><div style="width:{share:.1%}"></div></div>'
        left = escape(self.phase or self.time_left())
        return (
            f'{bar}<div class="labkit-progress"><span>{text if c.steps else "&nbsp;"}</span><span>{left}</span></div>'
        )

    def lines(self) -> tuple[list[Line], list[Line]]:
        """The curves of the two charts."""
        from labkit.plots import running_mean

        self.curves.settle()
        points = self.curves.loss.points()
        smooth = running_mean([y for _, y in points], max(1, len(points) // 20))
        loss = [
            Line(points, TRAIN, faint=True),
            Line([(x, y) for (x, _), y in zip(points, smooth, strict=True)], TRAIN),
            Line(self.curves.valid.points(), VALID, dashed=True, dots=True),
        ]
        return loss, [Line(self.curves.accuracy.points(), VALID, dashed=True, dots=True)]

    def picture(self) -> str:
        loss, accuracy = self.lines()
        across = {"x_range": (0, max(self.curves.steps, 1)), "x_label": tr("步", "step"), "whole": True}
        keys = key(TRAIN, tr("训练", "training")) + key(VALID, tr("验证", "validation"), dashed=True)
        titles = tr("损失", "loss"), tr("验证准确率", "validation accuracy")
        charts = figure(titles[0], keys, chart(loss, titles[0], **across))
        charts += figure(titles[1], "", chart(accuracy, titles[1], **across))
        return f'{self.progress()}<div class="labkit-charts">{charts}</div>'

    def figure(self) -> Any:
        from labkit.plots import figure

        if not self.curves.steps:
            return self.card_figure(tr("按“运行”开始训练", "Press Run to train"))
        fig, axes = figure(9.0, 3.4, columns=2)
        for one, lines, name in zip(
            axes, self.lines(), (tr("损失", "loss"), tr("验证准确率", "validation accuracy")), strict=True
        ):
            for line in lines:
                look = {
                    "alpha": 0.35 if line.faint else 1,
                    "ls": "--" if line.dashed else "-",
                    "marker": "o" if line.dots else "",
                }
                one.plot([x for x, _ in line.points], [y for _, y in line.points], color=line.colour, **look)
            one.set(title=name, xlabel=tr("步", "step"))
        for colour, style, name in ((TRAIN, "-", tr("训练", "training")), (VALID, "--", tr("验证", "validation"))):
            axes[0].plot([], [], color=colour, ls=style, label=name)
        axes[0].legend()
        axes[0].set_ylabel(tr("交叉熵（nat）", "cross-entropy (nats)"))
        axes[1].set_ylabel(tr("准确率", "accuracy"))
        shown = [
            f"{words(n)} {self.settings[n].label if hasattr(self.settings[n], 'label') else self.settings[n].value}"
            for n in MAIN
        ]
        shown = [self.settings["model"].value, strategies.name_of(self.strategy()), *shown]
        fig.suptitle(
            f"{tr(*self.title)}{tr('：', ': ')}{self.corpus.name}, {', '.join(shown)}", fontsize=10, x=0.01, ha="left"
        )
        return fig
