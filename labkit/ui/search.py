"""The Search panel: tick what may vary, give seconds, and see the best so far rise; then whether it was luck. Notebook 13 uses it."""

import contextlib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit import strategies
from labkit.base.display import table_html
from labkit.base.files import fresh_folder, numbered
from labkit.base.language import tr
from labkit.comparison.space import SEARCHED, title
from labkit.data.corpus import Corpus
from labkit.plots.charts import Chart
from labkit.plots.searching import trials_chart
from labkit.ui.compare import at_once
from labkit.ui.controls import choice, code, named, tick_row, words
from labkit.ui.inputs import corpus_of, model_choice
from labkit.ui.panel import Panel, shown
from labkit.ui.training_panel import bar_html, rows_of

FIRST = ("head", "top-K", "lora")  # ticked at the beginning
SECONDS = (10, 20, 30, 60, 120, 300, 600, 1800)
LINES = 6  # of the table of trials


class Search(Panel):
    """Strategies and settings, searched within a budget in seconds.

    >>> panel = Search(corpus, seconds=30); panel            # of the packaged reviews without a corpus
    >>> panel.run_button.click(); panel.wait(); print(panel.found)

    Trials are kept in a folder of their own below `out`, so that a search that was stopped can be resumed.
    """

    title: ClassVar = ("搜索", "Search")

    def __init__(self, corpus: Corpus | str | Path | None = None, model: str | None = None, *, out="runs", **values):
        super().__init__()
        self.corpus, self.corpus_source = corpus_of(corpus)
        self.out, self.folder, self.plan, self.found, self.share = Path(out), None, None, None, 0.0
        self.resume_button = self.add_button("resume", tr("继续", "Resume"), "step-forward", self.on_resume)
        ticks = {name: tick(name, name, name in FIRST) for name in strategies.NAMES}
        varied = {name: tick(name, title(name), True) for name in SEARCHED}
        seconds = choice("seconds", SECONDS, 60, tr("秒数", "seconds"), slider=True)
        workers = choice("workers", at_once(), 1, words("workers"), slider=True)
        self.settings = {
            "model": model_choice(model or self.corpus.task.default_model),
            **ticks,
            **{f"vary_{name}": made for name, made in varied.items()},
        }
        self.settings |= {"seconds": seconds, "workers": workers}
        parts = [self.settings["model"]]
        for kind, name, found in (
            ("strategies", tr("策略", "strategies"), ticks),
            ("space", tr("还让什么变", "what else may vary"), varied),
        ):
            parts.append(tick_row(kind, name, found))
        self.build(*parts, seconds, workers)
        self.set(**values)

    # What will run

    def strategies(self) -> list[str]:
        return [name for name in strategies.NAMES if self.settings[name].value]

    def asked(self) -> dict[str, Any]:
        """The arguments of the search; what is ticked throughout is left out."""
        space = [name for name in SEARCHED if self.settings[f"vary_{name}"].value]
        ask = {"strategies": self.strategies(), "seconds": self.settings["seconds"].value}
        ask |= {} if len(space) == len(SEARCHED) else {"space": space}
        several = self.settings["workers"].value
        return ask | ({"workers": several} if several > 1 else {}) | {"model": self.settings["model"].value}

    def folder_name(self) -> str:
        return f"search-{self.corpus.name}"

    def source(self) -> str:
        new = next(p for p in numbered(self.out, self.folder_name()) if not p.exists())
        folder = self.folder if self.resumable else new
        told = ", ".join(f"{name}={value!r}" for name, value in self.asked().items())
        return (
            f'import labkit as lk\n{self.corpus_source}\nfound = lk.search(corpus, {told}, out="{folder.as_posix()}")'
        )

    # In the worker thread

    def work(self) -> Iterator[None]:
        self.folder, self.plan, self.found, self.share = None, None, None, 0.0
        self.card("verdict")
        self.ask = self.asked()
        return self.go_on()

    @shown
    def on_resume(self):
        if self.resumable:  # the budget may be another one now
            self.ask |= {name: self.settings[name].value for name in ("seconds", "workers")}
            self.start(self.go_on)

    def go_on(self) -> Iterator[None]:
        """The trials that there is time for, then the confirmation. Stop leaves the loop: the run under way is lost."""
        from labkit.comparison.found import TrialBegins, TrialEnds
        from labkit.comparison.search import Searching

        self.say(tr("准备", "getting ready"))
        self.folder = self.folder or fresh_folder(self.out, self.folder_name())
        try:
            self.plan = Searching(self.corpus, **self.ask, out=self.folder)
        except BaseException:
            with contextlib.suppress(OSError):  # a folder that holds something stays
                self.folder.rmdir()
            raise
        yield
        with contextlib.closing(self.plan.run()) as events:
            for event in events:
                news = isinstance(event, (TrialBegins, TrialEnds))
                if news:
                    self.found, self.phase = self.plan.found, event.text
                elif self.plan.confirmed:
                    self.phase = tr("用新种子核实", "confirming on fresh seeds")
                self.share = min(1.0, self.plan.elapsed() / self.ask["seconds"])
                self.draw(now=news)
                yield
        self.found, self.share = self.plan.found, 1.0
        lines = self.found.judgement()
        self.card("verdict", tr("核实", "confirmation"), [("", line) for line in lines])

    @property
    def resumable(self) -> bool:
        return self.state == "stopped" and self.folder is not None

    def enter(self, state: str) -> None:
        super().enter(state)
        self.resume_button.disabled = not self.resumable
        if state not in ("running", "waiting"):
            self.phase = ""
        if state == "stopped" and self.plan is not None:
            self.found = self.plan.found

    # What it says

    def subtitle(self) -> str:
        return rows_of(self.corpus)

    def summary(self) -> str:
        if self.found is None:
            return ""
        kinds = dict.fromkeys(trial.point["strategy"] for trial in self.found.trials)
        return tr("试过 {}", "tried {}").format(", ".join(kinds))

    def invitation(self) -> str:
        return tr("勾选什么可以变，给一个秒数，按“运行”", "Tick what may vary, give seconds, then press Run")

    def above(self) -> str:
        progress = bar_html(self.share, self.phase)
        if self.found is None or not self.found.trials:
            return progress
        cells = self.found.cells(LINES)
        shown = f'<div class="labkit-scroll">{table_html(self.found.header(), cells, left=2)}</div>'
        return f'{progress}{shown}<div class="labkit-muted">{escape(self.found.counts())}</div>'

    def charts(self) -> list[Chart]:
        return [trials_chart(self.found)] if self.found and self.found.done else []

    def below(self) -> str:
        """The call that repeats the best settings, once the search is over."""
        return code(self.found.call) if self.found and self.state == "done" else ""

    def caption(self) -> str:
        return f"{', '.join(self.strategies())}; {self.settings['seconds'].value} {tr('秒', 'seconds')}"


def tick(name: str, words: str, on: bool) -> Any:
    """A box to tick, as wide as its words."""
    made = named(widgets.Checkbox(value=on, description=words, indent=False), name)
    made.layout.width = "auto"
    return made
