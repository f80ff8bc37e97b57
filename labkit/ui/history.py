"""The History panel: every run that is on disk, and any two of them on one pair of axes."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets

from labkit.base.display import number, table_html, title_of
from labkit.base.language import listing, tr
from labkit.base.records import Run, from_json
from labkit.plots.charts import Chart
from labkit.plots.learning import run_charts, run_names
from labkit.ui.controls import named
from labkit.ui.panel import Panel, empty_html

MOST = 40  # lines of the table


class History(Panel):
    """The runs in a folder of run files, as the Train panel, `labkit train` and `compare(out=...)` write them.

    >>> panel = History("runs"); panel
    >>> panel.set(log=True)                                  # and first=, second=: any two of the files
    """

    title: ClassVar = ("历史", "History")
    run_label: ClassVar = ("重新读取", "Reload")
    run_icon: ClassVar = "refresh"
    takes_turns: ClassVar = False

    def __init__(self, folder: str | Path = "runs"):
        super().__init__()
        self.folder, self.runs, self.damaged = Path(folder), {}, []
        self.buttons = [self.run_button]
        for name, label in (("first", tr("训练 A", "run A")), ("second", tr("训练 B", "run B"))):
            self.settings[name] = named(widgets.Dropdown(options=[("–", "")], value="", description=label), name)
        log = widgets.Checkbox(value=False, description=tr("损失用对数刻度", "logarithmic loss"), indent=True)
        self.settings["log"] = named(log, "log")
        self.read_folder()
        self.build(*self.settings.values())
        self.offer()

    def source(self) -> str:
        names = [self.settings[n].value for n in ("first", "second") if self.settings[n].value]
        runs = [f"lk.load_run({name!r})" for name in names]
        log = ["log=True"] if self.settings["log"].value else []
        return f"import labkit as lk\nlk.plots.curves({', '.join(runs + log)})"

    def work(self) -> Iterator[None]:
        self.read_folder()
        yield
        self.offer()

    def read_folder(self) -> None:
        """Every run file below the folder, the newest first; what cannot be read is named, what is no run is left alone."""
        found, self.damaged = {}, []
        for path in sorted(self.folder.rglob("*.json"), key=lambda p: -p.stat().st_mtime):
            try:
                whole = json.loads(path.read_text(encoding="utf-8"))
                if isinstance(whole, dict) and {"strategy", "history", "config"} <= whole.keys():
                    found[path.as_posix()] = from_json(Run, whole)
            except (OSError, ValueError, TypeError, KeyError):
                self.damaged.append(path.as_posix())
        self.runs = {path: run for path, run in found.items() if run.history}

    def offer(self) -> None:
        """The runs in the two lists; what was chosen stays so, otherwise the two newest."""
        options = [(Path(path).relative_to(self.folder).as_posix(), path) for path in self.runs]
        chosen = [self.settings[n].value for n in ("first", "second")]
        newest = [path for path in self.runs if path not in chosen]
        for name, before in zip(("first", "second"), chosen, strict=True):
            value = before if before in self.runs else newest.pop(0) if newest else ""
            self.settings[name].options = [("–", ""), *options]
            self.settings[name].value = value
        self.enter(self.state)

    # What it says

    def subtitle(self) -> str:
        name = self.folder.name or self.folder.as_posix()  # stored pictures show no path of a machine
        return tr("{}，{} 次训练", "{}, {} runs").format(name, len(self.runs))

    def summary(self) -> str:
        return tr("{} 次训练", "{} runs").format(len(self.runs))

    def chosen(self) -> list[Run]:
        return [self.runs[v] for n in ("first", "second") if (v := self.settings[n].value) in self.runs]

    def charts(self) -> list[Chart]:
        runs = self.chosen()
        if not runs:
            return []
        files = [Path(v).stem for n in ("first", "second") if (v := self.settings[n].value) in self.runs]
        names = [f"{file} ({name})" for file, name in zip(files, run_names(runs), strict=True)]
        return run_charts(runs, names, log=self.settings["log"].value)

    def invitation(self) -> str:
        text = tr(
            "{} 里还没有训练记录。训练面板、labkit train 和 compare(out=…) 会写在那里。",
            "No runs in {} yet. The Train panel, labkit train and compare(out=…) write them there.",
        )
        return text.format(self.folder.as_posix())

    def picture(self) -> str:
        if self.chosen():
            return super().picture()
        return (self.table() if self.runs else empty_html(self.invitation())) + self.complaint()

    def below(self) -> str:
        return self.table() + self.complaint()

    def table(self) -> str:
        """A line a run."""
        metrics = {next(iter(run.test.metrics)) for run in self.runs.values() if run.test}
        metric = title_of(*metrics) if len(metrics) == 1 else tr("成绩", "score")
        header = [tr("训练", "run"), tr("策略", "strategy"), tr("学习率", "rate"), tr("轮数", "epochs")]
        header += [tr("测试{}", "test {}").format(metric), tr("秒", "seconds")]
        lines = []
        for path, run in list(self.runs.items())[:MOST]:
            score = f"{run.test.headline.value:.3f}" if run.test else "–"
            lr = run.config.get("lr")
            rate = number(float(f"{lr:.2g}")) if lr else "–"
            name = Path(path).relative_to(self.folder).as_posix().removesuffix(".json")
            lines.append([name, run.strategy, rate, run.epochs, score, f"{run.seconds:.1f}"])
        more = len(self.runs) - MOST
        rest = tr("还有 {} 次", "{} more").format(more) if more > 0 else ""
        return f'<div class="labkit-scroll">{table_html(header, lines, left=2)}</div><div class="labkit-muted">{rest}</div>'

    def complaint(self) -> str:
        if not self.damaged:
            return ""
        text = tr("读不了的文件：{}", "Files that cannot be read: {}").format(listing(self.damaged))
        return f'<div class="labkit-note">{escape(text)}</div>'
