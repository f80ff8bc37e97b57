"""The Try it panel: type a text, and see what the model says of it and which tokens made it say so. Notebooks 01 and 10 use it.

Typing is answered at once, without a click; where the last answer took long, it waits for Run.
"""

import json
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit.base.language import tr
from labkit.inspection.attribution import METHODS
from labkit.inspection.hiding import names as method_names
from labkit.inspection.hiding import warning
from labkit.models.loading import labels_of
from labkit.ui import panel
from labkit.ui.controls import AUTO, choice, named
from labkit.ui.files import Files, recorder
from labkit.ui.panel import Panel, empty_html, shown
from labkit.ui.told_maps import Mapped, way_for

RECORDED = "recording-"  # and a number: what recordings are called
PATIENCE = 1.0  # seconds that an answer may take for the next one to come by itself


class TryIt(Panel):
    """A text, and what the model says of it, before fine-tuning and after: of a classification with what each token adds.

    >>> panel = TryIt(model); panel                          # beside it the model as it was, loaded from where it came
    >>> panel = TryIt(model, before=load("tiny-bert-zh", labels))    # each a model, or a folder written by lk.save
    >>> panel.set(text="面都坨了"); panel.run_button.click(); panel.wait(); panel.after.predicted
    """

    title: ClassVar = ("试一试", "Try it")
    run_label: ClassVar = ("问", "Ask")
    run_icon: ClassVar = "question"

    def __init__(
        self, model: Any, before: Any = None, *, examples: Sequence[str] | None = None, text: str = "", seed=0
    ):
        super().__init__()
        self.given = {"after": model, "before": before}
        self.models, self.seed, self.eager, self.took = {}, seed, False, 0.0
        self.after, self.before, self.answered = None, None, None
        self.way = way_for(self.model("after"))
        options = [(tr("模型说的", "what the model says"), AUTO), *((name, name) for name in self.labels())]
        files = isinstance(self.way, Files)
        some = self.way.examples if examples is None else examples
        written = tr("文件的路径…", "a file's path …") if files else tr("写一句话…", "type a text …")
        methods = [m for m in METHODS if not isinstance(self.way, Mapped) or m in self.way.methods]
        self.settings = {
            "text": named(widgets.Textarea(text, placeholder=written, rows=2 if files else 4), "text"),
            "example": choice(
                "example",
                {AUTO: ("", ""), **some} if isinstance(some, dict) else (AUTO, *some),
                AUTO,
                tr("例子", "examples"),
                none="…",
            ),
            "label": named(widgets.Dropdown(options=options, value=AUTO, description=tr("说明", "explain")), "label"),
            "method": named(
                widgets.Dropdown(options=[(method_names()[m], m) for m in methods], description=tr("方法", "method")),
                "method",
            ),
        }
        for name in {"label", "method"} - set(self.way.controls):
            self.settings[name].layout.display = "none"
        self.settings["example"].observe(self.on_example, names="value")
        self.build(*self.settings.values(), *(self.ways_in() if files else []))
        self.eager = True

    def ways_in(self) -> list[Any]:
        """How a file comes from the browser: chosen, or recorded."""
        kinds = ",".join(self.way.modality.suffixes)
        self.upload = named(
            widgets.FileUpload(accept=kinds, multiple=False, description=tr("上传", "upload")), "upload"
        )
        self.upload.observe(self.on_upload, names="value")
        if not self.way.records():
            return [self.upload]
        button, self.recorded = recorder(self.on_recorded)
        return [self.upload, button, self.recorded]

    def labels(self) -> list[str]:
        return labels_of(self.model("after"))

    def model(self, which: str) -> Any:
        """The model before or after fine-tuning, loaded where it was not given."""
        from labkit.models.loading import load

        if which not in self.models:
            given = self.given[which]
            if which == "before" and given is None:
                given = origin(self.model("after"))
            if isinstance(given, (str, Path)):
                task = self.model("after").task if which == "before" else None
                given = load(given, task=task, seed=self.seed)
            self.models[which] = given
        return self.models[which]

    # What is asked

    @shown
    def on_example(self):
        if self.settings["example"].value is not AUTO:
            self.settings["text"].value = self.settings["example"].value

    @shown
    def on_upload(self, *_):
        """Ask about the file that came; ipywidgets 7 hands them over by name, 8 as a list."""
        given = self.upload.value
        for name, file in given.items() if isinstance(given, dict) else ((one["name"], one) for one in given):
            self.take(name, bytes(file["content"]))

    def on_recorded(self, data: bytes) -> None:
        """Ask about what was recorded just now."""
        number = 1 + sum(name.startswith(RECORDED) for name in self.way.uploaded)
        self.take(f"{RECORDED}{number}.wav", data)

    def take(self, name: str, data: bytes) -> None:
        """Ask about a file that came, however long that takes."""
        self.way.upload(name, data)
        self.eager = False
        self.settings["text"].value = name
        self.eager = True
        self.start(self.work)

    def text(self) -> str:
        return self.settings["text"].value.strip()

    def question(self) -> tuple:
        return self.text(), self.settings["label"].value, self.settings["method"].value

    def source(self) -> str:
        made = [line_of(self.given["after"], "model"), self.line_of_before()]
        _, label, method = self.question()
        text = f"text = {self.way.written(self.text())}"
        return "\n".join(["import labkit as lk", *made, text, *self.way.lines(label, method, names())])

    def line_of_before(self) -> str:
        """How to get the model as it was before."""
        if self.given["before"] is not None:
            return line_of(self.given["before"], "fresh")
        seed = f", seed={self.seed}" if self.seed else ""
        head = (
            f"labels={self.labels()!r}" if self.way.controls and not isinstance(self.way, Files) else "task=model.task"
        )
        return f"fresh = lk.load({origin(self.model('after'))!r}, {head}{seed})"

    @shown
    def on_change(self):
        super().on_change()
        if not self.eager or self.busy or self.question() == self.answered:
            return
        if not self.text():
            self.forget()
            self.enter("ready")
        elif self.took > PATIENCE:
            self.enter("ready")
        elif panel._turn.acquire(blocking=False):
            try:
                for _ in self.ask(self.question()):
                    pass
                self.enter("done")
            finally:
                panel._turn.release()
        else:  # another panel is at work: wait in a thread, and say why
            self.start(self.work)
        self.draw(now=True)

    def forget(self) -> None:
        self.after = self.before = self.answered = None

    def work(self) -> Iterator[None]:
        return self.ask(self.question())

    def ask(self, question: tuple) -> Iterator[None]:
        text, label, method = question
        began = time.perf_counter()
        self.forget()
        if not text:
            return
        after = self.way.ask(self.model("after"), text, label, method)
        yield
        before = self.way.ask(self.model("before"), text, label, method, after=after)
        self.after, self.before, self.answered = after, before, question
        self.took = time.perf_counter() - began
        yield

    # What it says

    def subtitle(self) -> str:
        return tr(*self.way.subtitle)

    def summary(self) -> str:
        return tr("还没有文字", "no text yet") if self.after is None else self.way.summary(self.after)

    def words_for(self, state: str) -> str:
        if state == "done" and self.after:
            return self.way.short(self.after)
        if state in ("ready", "done"):
            wanted = (
                ("等一个文件", "waiting for a file")
                if isinstance(self.way, Files)
                else ("等一句话", "waiting for a text")
            )
            return tr("按“问”", "press Ask") if self.text() else tr(*wanted)
        return super().words_for(state)

    def picture(self) -> str:
        if self.after is None or (self.question() != self.answered and not self.busy):
            return empty_html(self.invitation())
        stories = zip(names(), self.way.stories((self.before, self.after)), strict=True)
        warned = [warning(getattr(found, "truthful", None)) for found in (self.before, self.after)]
        parts = [
            f'<div class="labkit-story"><b>{escape(name)}</b>{story}{caution(words)}</div>'
            for (name, story), words in zip(stories, warned, strict=True)
        ]
        lines = [f'<div class="labkit-muted">{escape(line)}</div>' for line in self.way.remarks(self.after)]
        keys = self.way.keys(self.after)
        return (f'<div class="labkit-keys">{keys}</div>' if keys else "") + "".join([*parts, *lines])

    def invitation(self) -> str:
        if not self.text() and isinstance(self.way, Files):
            if self.way.records():
                return tr(
                    "挑一个例子，写一个路径，上传，或录音", "choose an example, give a path, upload a file, or record"
                )
            return tr("挑一个例子，写一个路径，或上传一个文件", "choose an example, give a path, or upload a file")
        if not self.text():
            return tr("写一句话，或挑一个例子", "type a text, or choose an example")
        if self.took > PATIENCE:
            return tr(
                "上一次用了 {:.1f} 秒：写完按“问”", "the last answer took {:.1f} s: press Ask when you are done"
            ).format(self.took)
        return tr("按“问”", "press Ask")

    def figure(self) -> Any:
        if self.after is None:
            return self.card_figure(self.invitation())
        return self.way.figure((self.before, self.after), names())


def caution(words: str) -> str:
    """What one must know of an explanation before one believes it."""
    return f'<div class="labkit-caution" role="note">{escape(words)}</div>' if words else ""


def names() -> tuple[str, str]:
    return tr("微调前", "before"), tr("微调后", "after")


def line_of(given: Any, name: str) -> str:
    """How to get, in code, what the panel was given."""
    if isinstance(given, (str, Path)):
        return f"{name} = lk.load({str(given)!r})"
    return tr(f"# {name}：给面板的那个模型", f"# {name}: the one that the panel was given")


def origin(model) -> str:
    """Where the model was fine-tuned from: what the note in its folder says, or its own source."""
    note = Path(model.source) / "labkit.json"
    return json.loads(note.read_text("utf-8"))["source"] if note.is_file() else model.source
