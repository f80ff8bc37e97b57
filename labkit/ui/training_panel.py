"""What panels that train a model share: the trainer in a worker thread, progress, forecast, diagnosis, strategies' sliders."""

import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from labkit import strategies
from labkit.base.config import TrainConfig
from labkit.base.display import called, title_of
from labkit.base.language import tr
from labkit.base.records import BadInput, Notice, Scores, StepDone
from labkit.data.corpus import Corpus
from labkit.models.loading import places_at
from labkit.training.batches import check_length
from labkit.ui.controls import choice, config_of, words
from labkit.ui.inputs import corpus_of
from labkit.ui.panel import Panel, shown

KNOBS = {  # the setting of a strategy that has a slider, and the slider's stops
    "top-K": ("k", (1, 2, 3, 4, 6, 8, 10, 12)),
    "lora": ("rank", (1, 2, 4, 8, 16, 32, 64)),
    "prefix": ("tokens", (1, 2, 5, 10, 20, 50)),
    "ptuning-v2": ("tokens", (1, 2, 5, 10, 20, 50)),
    "adapter": ("size", (4, 8, 16, 32, 64)),
}
KNOB_FIELDS = tuple(dict.fromkeys(field for field, _ in KNOBS.values()))


class TrainingPanel(Panel):
    """A panel that trains one model on one corpus. Each gives it `model_name` and listens to `hear`."""

    def __init__(self, corpus: Corpus | str | Path | None):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.trainer, self.result = None, None
        self.step, self.steps, self.began, self.began_at = 0, 0, 0.0, 0
        self.forecast_button = self.add_button("forecast", tr("预估", "Forecast"), "clock-o", self.on_forecast)

    def model_name(self) -> str:
        """Where the model comes from."""
        raise NotImplementedError

    def hear(self, event) -> None:
        """An event of the trainer, to be drawn."""

    # Strategies and their settings

    def knobs(self, layers: int | None = None) -> dict[str, Any]:
        """The sliders of the strategies' own settings; k goes as far as the model has layers, where that is known."""
        sliders = {}
        for name, (field, stops) in KNOBS.items():
            if field in sliders:
                continue
            stops = tuple(range(1, layers + 1)) if field == "k" and layers else stops
            default = getattr(strategies.NAMES[name], field, min(2, layers or 2))
            sliders[field] = choice(field, stops, default, words(field), slider=True)
        return sliders

    def show_knob(self, *_) -> None:
        """Of the strategies' own settings, show the one that this strategy has."""
        wanted = KNOBS.get(self.settings["strategy"].value, ("",))[0]
        for field in KNOB_FIELDS:
            self.settings[field].layout.display = None if field == wanted else "none"

    def strategy(self) -> strategies.Strategy:
        name = self.settings["strategy"].value
        fields = [KNOBS[name][0]] if name in KNOBS else []
        return strategies.NAMES[name](**{field: self.settings[field].value for field in fields})

    def config(self) -> TrainConfig:
        """What the controls stand for. BadInput in the reader's words where model or data do not allow it."""
        config, rows = config_of(self.settings), len(self.corpus.train)
        if config.accumulation > rows:
            raise BadInput(
                tr(
                    f"{words('accumulation')} {config.accumulation} 不行：训练集只有 {rows} 行。请写 1 到 {rows}。",
                    f"{words('accumulation').capitalize()} {config.accumulation} won't do: there are {rows} training rows. "
                    f"Give 1 to {rows}.",
                )
            )
        check_length(config.max_length, places_at(self.model_name()))
        return config

    def trainer_line(self) -> str:
        """The call that makes the trainer, as source."""
        strategy, config = self.strategy(), self.config()
        parts = [f"strategy={called(f'lk.{type(strategy).__name__}', strategy)}"]
        if config != TrainConfig():
            parts.append(f"config={called('lk.TrainConfig', config)}")
        return f"lk.Trainer(model, corpus, {', '.join(parts)})"

    # In the worker thread

    def load(self, model: str, config: TrainConfig) -> Any:
        from labkit.models.loading import load

        self.say(tr("载入模型", "loading the model"))
        return load(model, task=self.corpus.task, seed=config.seed)

    def new_trainer(self, model: str, strategy: strategies.Strategy, config: TrainConfig) -> Iterator[None]:
        """A fresh model and a fresh Trainer; what an earlier run left goes."""
        from labkit.training.trainer import Trainer

        self.trainer, self.result, self.step, self.steps = None, None, 0, 0
        self.card("note")
        self.card("verdict")
        network = self.load(model, config)
        yield
        self.say(tr("编码", "encoding"))
        self.trainer = Trainer(network, self.corpus, strategy, config)
        self.steps = self.trainer.total_steps
        yield
        self.say(tr("开始", "starting"))

    def train(self) -> Iterator[None]:
        """The trainer's steps from where it stands."""
        self.began, self.began_at = time.monotonic(), self.trainer.step
        for event in self.trainer.run():
            self.phase = ""
            if isinstance(event, StepDone):
                self.step, self.steps = event.step, event.steps
            elif isinstance(event, Notice):
                self.card("note", tr("说明", "note"), [("", text) for text in self.trainer.notices])
            self.hear(event)
            self.draw(now=not isinstance(event, StepDone))
            yield
        self.say(tr("在测试集上打分", "scoring on the test rows"))

    def judge(self) -> None:
        """The record of the run, and what is wrong with it."""
        from labkit.inspection.doctor import diagnose

        self.result = self.trainer.report()
        findings = diagnose(self.result, self.corpus)
        rows = [(f.title, f"{f.evidence} → {words(f.control)}{tr('：', ': ')}{f.advice}") for f in findings]
        self.card("verdict", tr("诊断", "diagnosis"), rows or [("", str(findings))])

    @shown
    def on_forecast(self):
        self.start(self.forecast, end="ready" if self.state == "failed" else self.state)

    def forecast(self) -> Iterator[None]:
        return self.try_out(self.model_name(), self.strategy(), self.config())

    def try_out(self, model: str, strategy: strategies.Strategy, config: TrainConfig) -> Iterator[None]:
        from labkit.inspection.forecast import preflight

        network = self.load(model, config)
        yield
        self.say(tr("试几步", "trying a few steps"))
        self.card("forecast", tr("预计", "forecast"), preflight(network, self.corpus, strategy, config).rows())
        yield

    # What it says

    def enter(self, state: str) -> None:
        super().enter(state)
        at_work = state in ("running", "waiting")
        self.forecast_button.disabled = at_work or state == "refused"
        if not at_work:
            self.phase = ""

    def subtitle(self) -> str:
        return rows_of(self.corpus)

    def words_for(self, state: str) -> str:
        if state == "done" and self.result:
            return tr("完成：{}", "done: {}").format(score_words(self.result.test))
        if state == "stopped" and self.trainer:
            return tr("停在第 {} 步，共 {} 步", "stopped at step {} of {}").format(self.step, self.steps)
        return super().words_for(state)

    def time_left(self) -> str:
        done = self.step - self.began_at
        if self.state != "running" or done < 1:
            return ""
        seconds = (time.monotonic() - self.began) / done * (self.steps - self.step)
        if seconds < 90:
            return tr("还要 {:.0f} 秒", "{:.0f} s left").format(seconds)
        return tr("还要 {:.0f} 分钟", "{:.0f} min left").format(seconds / 60)

    def progress(self) -> str:
        """The bar, the step, and how long it will take."""
        text = tr("第 {} / {} 步", "step {} of {}").format(self.step, self.steps) if self.steps else ""
        if self.trainer and self.step:
            epochs, each = self.trainer.config.epochs, self.trainer.batches_per_epoch
            text += tr("，第 {} / {} 轮", ", epoch {} of {}").format(-(-self.step // each), epochs)
        return bar_html(self.step / max(self.steps, 1), text, self.phase or self.time_left())


def bar_html(share: float, left: str, right: str = "") -> str:
    """A progress bar with words below it."""
    return (
        f'<div class="labkit-bar" role="progressbar" aria-valuenow="{share:.0%}"><div style="width:{share:.1%}"></div></div>'
        f'<div class="labkit-progress"><span>{escape(left) or "&nbsp;"}</span><span>{escape(right)}</span></div>'
    )


def rows_of(corpus: Corpus) -> str:
    return tr("{}，{:,} 行", "{}, {:,} rows").format(corpus.name, len(corpus.train))


def score_words(scores: Scores) -> str:
    """The headline on the test rows, with its interval."""
    metric, measure = next(iter(scores.metrics)), scores.headline
    span = "" if measure.low is None else tr("（95 %：{:.3f}–{:.3f}）", " (95 %: {:.3f}–{:.3f})").format(measure.low, measure.high)  # fmt: skip
    return tr("测试{} {:.3f}", "test {} {:.3f}").format(title_of(metric), measure.value) + span
