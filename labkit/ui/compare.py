"""The Compare panel: tick strategies and seeds, and see the table fill as their runs end. Notebook 02 uses it."""

import contextlib
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets

from labkit import strategies
from labkit.base.config import TrainConfig
from labkit.base.display import called, table_html
from labkit.base.files import fresh_folder, numbered
from labkit.base.language import tr
from labkit.base.records import BadInput, RunBegins, RunEnds, StepDone
from labkit.comparison.space import works
from labkit.data.corpus import Corpus
from labkit.plots.charts import Chart
from labkit.plots.comparing import runs_chart
from labkit.ui.controls import FIELDS, choice, control, named, read, tick_row, words
from labkit.ui.inputs import corpus_of, model_choice
from labkit.ui.panel import Panel, shown
from labkit.ui.training_panel import bar_html, rows_of

FIRST, TICKED = ("full", "head", "lora", "top-2"), 3  # ticked at the beginning: the first three that the model allows
OFFERED = ("full", "top-2", "head", "gradual", "bitfit", "lora", "prefix", "ptuning-v2", "adapter")
SEEDS = (0, 1, 2, 3, 4)
SETTINGS = ("epochs", "batch_size")


class Compare(Panel):
    """Strategies against each other on the same rows, over several seeds.

    >>> panel = Compare(corpus, epochs=1); panel             # of the packaged reviews without a corpus
    >>> panel.set(full=False, lora=False, seed_1=False); panel.run_button.click(); panel.wait(); panel.runs

    Each run is kept as a file in a folder of its own below `out`, so that a stopped comparison can be resumed: what is
    finished is not repeated. With `workers` above 1 as many processes train at once; Stop ends them all.
    """

    title: ClassVar = ("比较", "Compare")

    def __init__(self, corpus: Corpus | str | Path | None = None, model: str | None = None, *, out="runs", **values):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.out, self.folder, self.runs, self.share = Path(out), None, None, 0.0
        self.total = 0
        self.finished = ()  # the runs so far, while others go on
        self.under_way: dict[int, tuple[str, float]] = {}  # by number: its name, the share that is done
        self.resume_button = self.add_button("resume", tr("继续", "Resume"), "step-forward", self.on_resume)
        ticks, seeds = {}, {}
        model = model or self.corpus.task.default_model
        first = beginning(model, self.corpus)
        for name in OFFERED:
            ticks[name] = widgets.Checkbox(value=name in first, description=name, indent=False)
        for seed in SEEDS:
            seeds[f"seed_{seed}"] = widgets.Checkbox(value=seed < 2, description=str(seed), indent=False)
        for name, tick in {**ticks, **seeds}.items():
            named(tick, name)
            tick.layout.width = "auto"
        self.settings = {
            "model": model_choice(model),
            **ticks,
            **seeds,
            **{name: control(name) for name in SETTINGS},
        }
        self.settings["workers"] = choice("workers", at_once(), 1, words("workers"), slider=True)
        parts = [self.settings["model"]]
        for kind, title, found in (
            ("strategies", tr("策略", "strategies"), ticks),
            ("seeds", tr("种子", "seeds"), seeds),
        ):
            parts.append(tick_row(kind, title, found))
        self.build(*parts, *(self.settings[name] for name in (*SETTINGS, "workers")))
        self.set(**values)

    # What will run

    def strategies(self) -> list[strategies.Strategy]:
        return [strategies.by_name(name) for name in OFFERED if self.settings[name].value]

    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for seed in SEEDS if self.settings[f"seed_{seed}"].value)

    def config(self) -> TrainConfig:
        return TrainConfig(**{name: read(self.settings[name]) for name in FIELDS if name in self.settings})

    def folder_name(self) -> str:
        return f"compare-{self.corpus.name}"

    def workers(self) -> int:
        return self.settings["workers"].value

    def source(self) -> str:
        listed = ", ".join(called(f"lk.{type(s).__name__}", s) for s in self.strategies())
        config = "" if self.config() == TrainConfig() else f", config={called('lk.TrainConfig', self.config())}"
        folder = next(p for p in numbered(self.out, self.folder_name()) if not p.exists()).as_posix()
        several = f", workers={self.workers()}" if self.workers() > 1 else ""
        return (
            f"import labkit as lk\n{self.corpus_source}\n"
            f'runs = lk.compare([{listed}], corpus, model="{self.settings["model"].value}", seeds={self.seeds()}{config}, '
            f'out="{folder}"{several})'
        )

    # In the worker thread

    def work(self) -> Iterator[None]:
        self.folder, self.runs, self.finished = None, None, ()
        if not self.strategies() or not self.seeds():
            raise BadInput(tr("请至少选一种策略和一个种子。", "Tick at least one strategy and one seed."))
        self.asked = (self.strategies(), self.corpus, self.settings["model"].value, self.seeds(), self.config())
        return self.go_on()

    @shown
    def on_resume(self):
        if self.resumable:
            self.start(self.go_on)

    def go_on(self) -> Iterator[None]:
        """The runs that are not done yet. Stop leaves the loop: the run under way is lost, finished ones stay."""
        from labkit.comparison.compare import Comparing

        self.folder = self.folder or fresh_folder(self.out, self.folder_name())
        plan = Comparing(*self.asked, out=self.folder, workers=self.workers())
        self.finished, self.total = plan.runs, len(plan.jobs)
        self.under_way.clear()
        yield
        with contextlib.closing(plan.run()) as events:
            for event in events:
                self.finished = plan.runs
                self.hear(event)
                self.draw(now=isinstance(event, (RunBegins, RunEnds)))
                yield
        self.runs, self.share = plan.runs, 1.0

    def hear(self, event) -> None:
        """Note where the comparison stands."""
        if isinstance(event, RunBegins):
            self.phase = event.text
            name = tr(f"{event.strategy}，种子 {event.seed}", f"{event.strategy}, seed {event.seed}")
            self.under_way[event.number] = name, 0.0
        elif isinstance(event, StepDone):
            self.under_way[event.number] = self.under_way[event.number][0], event.step / event.steps
        elif isinstance(event, RunEnds):
            self.under_way.pop(event.number, None)
        begun = sum(share for _, share in self.under_way.values())
        self.share = (len(self.finished) + begun) / self.total

    @property
    def resumable(self) -> bool:
        return self.state == "stopped" and self.folder is not None and self.runs is None

    def enter(self, state: str) -> None:
        super().enter(state)
        self.resume_button.disabled = not self.resumable
        if state not in ("running", "waiting"):
            self.phase = ""
            if self.under_way:  # what was under way is lost
                self.under_way.clear()
                self.share = len(self.finished) / self.total

    # What it says

    def subtitle(self) -> str:
        return rows_of(self.corpus)

    def summary(self) -> str:
        if self.runs is None:
            return ""
        names = dict.fromkeys(run.strategy for run in self.runs)
        return tr("{} 次训练：{}", "{} runs: {}").format(len(self.runs), ", ".join(names))

    def invitation(self) -> str:
        return tr("选好策略和种子，按“运行”", "Tick strategies and seeds, then press Run")

    def above(self) -> str:
        from labkit.comparison.table import table

        progress, runs = self.progress(), self.finished
        if not runs:
            return progress
        lines = table(runs)
        columns = [c for c in lines.columns() if not c.rank]
        cells = table_html([c.title for c in columns], [[c.cell(line) or "–" for c in columns] for line in lines])
        notes = "".join(f'<div class="labkit-note">{escape(note)}</div>' for note in lines.notes)
        return f'{progress}<div class="labkit-scroll">{cells}</div>{notes}'

    def progress(self) -> str:
        """The bar of the whole; where several runs are under way, one for each below it."""
        if len(self.under_way) < 2 and self.workers() < 2:
            return bar_html(self.share, self.phase)
        done = tr("完成 {} / {} 次训练", "{} of {} runs done").format(len(self.finished), self.total)
        runs = (bar_html(share, name) for name, share in self.under_way.values())
        return bar_html(self.share, done if self.phase else "") + "".join(runs)

    def charts(self) -> list[Chart]:
        return [runs_chart(self.finished)] if self.finished else []

    def worth_telling(self, name: str) -> bool:
        return name not in OFFERED and not name.startswith("seed_")

    def told(self) -> list[tuple[str, str]]:
        names = ", ".join(strategies.name_of(s) for s in self.strategies())
        return [*super().told(), (words("strategy"), names), (words("seed"), ", ".join(map(str, self.seeds())))]

    def caption(self) -> str:
        names = ", ".join(strategies.name_of(s) for s in self.strategies())
        return f"{names}; {words('seed')} {', '.join(map(str, self.seeds()))}"


def beginning(model: str | Path, corpus: Corpus) -> list[str]:
    """What is ticked at the beginning: one that writes may have no head of its own, a ResNet has nowhere for LoRA to sit."""
    if corpus.labels and not corpus.task.modality.suffixes:  # classifiers of texts allow all
        return list(FIRST[:TICKED])
    from labkit.models.loading import load

    try:
        network = load(model, task=corpus.task)
    except (BadInput, OSError):  # said where it runs
        return list(FIRST[:TICKED])
    return [name for name in FIRST if works(strategies.by_name(name), network)][:TICKED]


def at_once() -> list[int]:
    """How many runs at once are offered: as many as there are cores, two at the least."""
    cores = max(2, os.cpu_count() or 1)
    return sorted({n for n in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64) if n <= cores} | {cores})
