"""The Chat panel: ask a model that writes, and read both answers as they come: before fine-tuning and after. Notebook 12 uses it."""

import itertools
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit.base.language import tr
from labkit.models.generating import generate
from labkit.ui.controls import AUTO, choice, named
from labkit.ui.panel import Panel, empty_html, shown
from labkit.ui.try_it import line_of, names, origin

EXAMPLES = (
    "判断这条评论的情感：味道不错，就是送得慢",
    "判断这条评论的类别：味道不错，就是送得慢",
    "读一读这条评论，说出它的情感。评论：真后悔，没早点发现这家店",
    "今天天气怎么样？",
)
SIDES = ("before", "after")


class Chat(Panel):
    """A prompt, and what two models write after it, piece by piece. Stop is heard at every piece.

    >>> model = lk.load("tiny-gpt-zh", task=lk.tasks.Generation())     # or a folder that was fine-tuned
    >>> panel = Chat(model); panel                           # beside it the model as it was, loaded from where it came
    >>> panel.set(text="你好"); panel.run_button.click(); panel.wait(); panel.answers["after"]

    With `memory` the conversation goes on: each side remembers what it was asked and what it said.
    """

    title: ClassVar = ("聊一聊", "Chat")
    run_label: ClassVar = ("发送", "Send")
    run_icon: ClassVar = "comment"

    def __init__(self, model: Any, before: Any = None, *, examples: Sequence[str] = EXAMPLES, text: str = ""):
        super().__init__()
        self.given = {"after": model, "before": before}
        self.models: dict[str, Any] = {}
        self.said: dict[str, list[dict]] = {side: [] for side in SIDES}  # messages so far
        written = tr("写一句话…", "type a prompt …")
        self.settings = {
            "text": named(widgets.Textarea(text, placeholder=written, rows=4), "text"),
            "example": choice("example", (AUTO, *examples), AUTO, tr("例子", "examples"), none="…"),
            "temperature": choice(
                "temperature",
                (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5),
                0.0,
                tr("温度", "temperature"),
                tr(
                    "0：总取最可能的字（贪心）；越高越随意",
                    "0: always the likeliest token (greedy); the higher, the wilder",
                ),
                slider=True,
            ),
            "top_k": choice(
                "top_k",
                (0, 1, 2, 5, 10, 20, 50, 100),
                0,
                "top-k",
                tr("只在最可能的 k 个里抽；0：不限", "draw among the k likeliest; 0: all"),
                slider=True,
            ),
            "top_p": choice(
                "top_p",
                (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0),
                1.0,
                "top-p",
                tr("只在合计概率达到 p 的最可能的几个里抽", "draw among the likeliest that hold p of the probability"),
                slider=True,
            ),
            "max_new_tokens": choice(
                "max_new_tokens", (8, 16, 32, 64, 128), 32, tr("最多词元", "most tokens"), slider=True
            ),
            "seed": named(widgets.BoundedIntText(0, min=0, max=10**6, description=tr("种子", "seed")), "seed"),
            "memory": named(
                widgets.Checkbox(value=False, description=tr("记住说过的话", "remember what was said")), "memory"
            ),
        }
        self.anew_button = self.add_button("anew", tr("重新开始", "Start anew"), "eraser", self.on_anew)
        self.settings["example"].observe(self.on_example, names="value")
        self.build(*self.settings.values())

    @property
    def answers(self) -> dict[str, str]:
        """What each side said last."""
        return {side: turns[-1]["content"] if turns else "" for side, turns in self.said.items()}

    def model(self, side: str) -> Any:
        """The model of a side, loaded where it was not given."""
        from labkit.models.loading import load

        if side not in self.models:
            given = self.given[side]
            if side == "before" and given is None:
                given = origin(self.model("after"))
            if isinstance(given, (str, Path)):
                task = self.model("after").task if side == "before" else None
                given = load(given, task=task)
            self.models[side] = given
        return self.models[side]

    # What is asked

    @shown
    def on_example(self):
        if self.settings["example"].value is not AUTO:
            self.settings["text"].value = self.settings["example"].value

    @shown
    def on_anew(self):
        if not self.busy:
            self.said = {side: [] for side in SIDES}
            self.enter("ready")
            self.draw(now=True)

    def text(self) -> str:
        return self.settings["text"].value.strip()

    def sampling(self) -> dict[str, Any]:
        """How tokens are chosen, as `generate` takes it: at temperature 0 there is nothing to choose."""
        values = {name: self.settings[name].value for name in ("temperature", "top_k", "top_p", "seed")}
        drawn = {k: v for k, v in values.items() if v != {"top_p": 1.0}.get(k, 0)} if values["temperature"] else {}
        return {**drawn, "max_new_tokens": self.settings["max_new_tokens"].value}

    def source(self) -> str:
        how = "".join(f", {name}={value!r}" for name, value in self.sampling().items())
        before = f"fresh = lk.load({origin(self.model('after'))!r}, task=model.task)"
        if self.given["before"] is not None:
            before = line_of(self.given["before"], "fresh")
        return "\n".join(
            [
                "import labkit as lk",
                line_of(self.given["after"], "model"),
                before,
                f"prompt = {self.text()!r}",
                f"print(lk.generate(fresh, prompt{how}))",
                f"for piece in lk.generate(model, prompt, stream=True{how}):",
                '    print(piece, end="")',
            ]
        )

    def work(self) -> Iterator[None]:
        text, how = self.text(), self.sampling()
        if not text:
            return
        if not self.settings["memory"].value:
            self.said = {side: [] for side in SIDES}
        streams = []
        for side in SIDES:
            asked = [*self.said[side], {"role": "user", "content": text}]
            streams.append(generate(self.model(side), asked, stream=True, **how))
            self.said[side] = [*asked, {"role": "assistant", "content": ""}]
        self.draw(now=True)
        for pieces in itertools.zip_longest(*streams, fillvalue=""):
            for side, piece in zip(SIDES, pieces, strict=True):
                self.said[side][-1]["content"] += piece
            self.draw()
            yield

    # What it says

    def subtitle(self) -> str:
        return tr("同一个提示，微调前后各写什么", "one prompt, and what is written before and after fine-tuning")

    def summary(self) -> str:
        if not self.said["after"]:
            return tr("还没有提问", "nothing asked yet")
        n = sum(turn["role"] == "assistant" for turn in self.said["after"])
        return tr(f"回答了 {n} 次", f"answers: {n}")

    def invitation(self) -> str:
        if self.text():
            return tr("按“发送”", "press Send")
        return tr("写一句话，或挑一个例子", "type a prompt, or choose an example")

    def picture(self) -> str:
        if not self.said["after"]:
            return empty_html(self.invitation())
        return f'<div class="labkit-chat">{"".join(map(self.side, SIDES))}</div>'

    def side(self, side: str) -> str:
        """One model's conversation."""
        name = escape(dict(zip(SIDES, names(), strict=True))[side])
        turns = "".join(
            f'<div class="labkit-turn {turn["role"]}">{escape(turn["content"]) or "…"}</div>'
            for turn in self.said[side]
        )
        return f'<div class="labkit-side {side}"><b>{name}</b>{turns}</div>'

    def figure(self) -> Any:
        from labkit import plots

        if not self.said["after"]:
            return self.card_figure(self.invitation())
        return plots.conversations({name: self.said[side] for side, name in zip(SIDES, names(), strict=True)})
