"""The Try it panel: type a text, and see what the model says of it and which tokens made it say so. Notebook 01 uses it.

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
from labkit.inspection.attribution import METHODS, Attribution, attribute
from labkit.inspection.attribution_html import AGAINST, FOR, strongest, tokens_html
from labkit.models.loading import labels_of
from labkit.plots.look import COLOURS
from labkit.ui import panel
from labkit.ui.charts import key
from labkit.ui.controls import AUTO, choice, named
from labkit.ui.panel import Panel, empty_html, shown

PATIENCE = 1.0  # seconds that an answer may take for the next one to come by itself
LONGEST = 256  # tokens that are read
EXAMPLES = (
    "味道不错，就是送得慢",
    "等了两小时，面都坨了",
    "不好吃，不新鲜，也不便宜",
    "真后悔，没早点发现这家店",
    "说是当天到，一周了还在路上",
)


class TryIt(Panel):
    """A text, the probabilities of the labels, and what each token adds: before fine-tuning and after.

    >>> panel = TryIt(model); panel                          # beside it the model as it was, loaded from where it came
    >>> panel = TryIt(model, before=load("tiny-bert-zh", labels))    # each a model, or a folder written by lk.save
    >>> panel.set(text="面都坨了"); panel.run_button.click(); panel.wait(); panel.after.predicted
    """

    title: ClassVar = ("试一试", "Try it")
    run_label: ClassVar = ("问", "Ask")
    run_icon: ClassVar = "question"

    def __init__(self, model: Any, before: Any = None, *, examples: Sequence[str] = EXAMPLES, text: str = "", seed=0):
        super().__init__()
        self.given = {"after": model, "before": before}
        self.models, self.seed, self.eager, self.took = {}, seed, False, 0.0
        self.after, self.before, self.answered = None, None, None
        options = [(tr("模型说的", "what the model says"), AUTO), *((name, name) for name in self.labels())]
        written = tr("写一句话…", "type a text …")
        names = {
            "integrated": tr("积分梯度", "integrated gradients"),
            "gradient": tr("梯度 × 输入", "gradient × input"),
        }
        self.settings = {
            "text": named(widgets.Textarea(text, placeholder=written, rows=4), "text"),
            "example": choice("example", (AUTO, *examples), AUTO, tr("例子", "examples"), none="…"),
            "label": named(widgets.Dropdown(options=options, value=AUTO, description=tr("说明", "explain")), "label"),
            "method": named(
                widgets.Dropdown(options=[(names[m], m) for m in METHODS], description=tr("方法", "method")), "method"
            ),
        }
        self.settings["example"].observe(self.on_example, names="value")
        self.build(*self.settings.values())
        self.eager = True

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

    def text(self) -> str:
        return self.settings["text"].value.strip()

    def question(self) -> tuple:
        return self.text(), self.settings["label"].value, self.settings["method"].value

    def source(self) -> str:
        made = [line_of(self.given["after"], "model"), self.line_of_before()]
        _, label, method = self.question()
        more = "" if label is AUTO else f", label={label!r}"
        how = "" if method == METHODS[0] else f", method={method!r}"
        return "\n".join(
            [
                "import labkit as lk",
                *made,
                f"text = {self.text()!r}",
                f"(after,) = lk.attribute(model, text{more}{how})",
                f"(before,) = lk.attribute(fresh, text, label=after.label{how})",
                f"lk.plots.attribution([before, after], names={names()!r})",
            ]
        )

    def line_of_before(self) -> str:
        """How to get the model as it was before."""
        if self.given["before"] is not None:
            return line_of(self.given["before"], "fresh")
        seed = f", seed={self.seed}" if self.seed else ""
        return f"fresh = lk.load({origin(self.model('after'))!r}, labels={self.labels()!r}{seed})"

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
        how = {"method": method, "max_length": LONGEST}
        (after,) = attribute(self.model("after"), text, label=None if label is AUTO else label, **how)
        yield
        (before,) = attribute(self.model("before"), text, label=after.label, **how)
        self.after, self.before, self.answered = after, before, question
        self.took = time.perf_counter() - began
        yield

    # What it says

    def subtitle(self) -> str:
        return tr("微调前后，各看了哪些字", "what it looks at, before and after fine-tuning")

    def summary(self) -> str:
        if self.after is None:
            return tr("还没有文字", "no text yet")
        adds = tr("是", "yes") if self.after.gap <= 0.02 * max(1.0, abs(self.after.log_odds)) else tr("否", "no")
        return tr("{}；分数加得起来：{}", "{}; the scores add up: {}").format(self.after.predicted, adds)

    def words_for(self, state: str) -> str:
        if state == "done" and self.after:
            found = self.after
            return f"{found.predicted} {found.probabilities[found.predicted]:.3f}"
        if state in ("ready", "done"):
            return tr("等一句话", "waiting for a text") if not self.text() else tr("按“问”", "press Ask")
        return super().words_for(state)

    def picture(self) -> str:
        if self.after is None or (self.question() != self.answered and not self.busy):
            return empty_html(self.invitation())
        top = strongest([self.before, self.after])
        label = self.after.label
        keys = (
            key(f"rgb{FOR}", tr("支持 {}", "for {}").format(label), "filled")
            + key(f"rgb{AGAINST}", tr("反对 {}", "against {}").format(label), "filled")
            + f'<span class="labkit-muted">{tr("越深越要紧", "the deeper, the more it matters")}</span>'
        )
        parts = [self.story(name, one, top) for name, one in zip(names(), (self.before, self.after), strict=True)]
        return f'<div class="labkit-keys">{keys}</div>{"".join(parts)}{self.remarks()}'

    def invitation(self) -> str:
        if not self.text():
            return tr("写一句话，或挑一个例子", "type a text, or choose an example")
        if self.took > PATIENCE:
            return tr(
                "上一次用了 {:.1f} 秒：写完按“问”", "the last answer took {:.1f} s: press Ask when you are done"
            ).format(self.took)
        return tr("按“问”", "press Ask")

    def story(self, name: str, found: Attribution, top: float) -> str:
        """One model: its answer as bars, and the tokens."""
        rows = "".join(bar(label, p) for label, p in found.probabilities.items())
        return f'<div class="labkit-story"><b>{escape(name)}</b><table>{rows}</table>{tokens_html(found, top)}</div>'

    def remarks(self) -> str:
        """What the numbers amount to, and what was left out."""
        found = self.after
        best = [f"{token} {signed(score)}" for token, score in found.strongest(3)]
        said = [tr("最要紧的：", "what matters most: ") + tr("，", ", ").join(best)]
        if found.method == METHODS[0]:
            text = tr(
                "各字的分数加起来是 {}：从字全遮住时的对数几率 {}，到看见全文的 {}",
                "the scores add up to {}: from log-odds of {} with every token hidden to {} for the text",
            )
            said.append(text.format(*map(signed, (sum(found.scores), found.baseline, found.log_odds))))
        if found.cut:
            text = tr("文字太长：只读了前 {} 个字，共 {} 个", "too long: only the first {} of {} characters were read")
            said.append(text.format(found.characters, len(found.text)))
        return "".join(f'<div class="labkit-muted">{escape(line)}</div>' for line in said)

    def figure(self) -> Any:
        from labkit import plots

        if self.after is None:
            return self.card_figure(self.invitation())
        return plots.attribution([self.before, self.after], names=names())


def signed(score: float) -> str:
    return f"{score:+.2f}".replace("-", "−")


def names() -> tuple[str, str]:
    return tr("微调前", "before"), tr("微调后", "after")


def bar(label: str, p: float) -> str:
    """A probability as a row of a table, with a bar."""
    return (
        f'<tr><td class="t">{escape(label)}</td><td style="width:100%"><div class="labkit-bar" style="margin:0">'
        f'<div style="width:{p:.1%};background:{COLOURS[0]}"></div></div></td><td>{p:.3f}</td></tr>'
    )


def line_of(given: Any, name: str) -> str:
    """How to get, in code, what the panel was given."""
    if isinstance(given, (str, Path)):
        return f"{name} = lk.load({str(given)!r})"
    return tr(f"# {name}：给面板的那个模型", f"# {name}: the one that the panel was given")


def origin(model) -> str:
    """Where the model was fine-tuned from: what the note in its folder says, or its own source."""
    note = Path(model.source) / "labkit.json"
    return json.loads(note.read_text("utf-8"))["source"] if note.is_file() else model.source
