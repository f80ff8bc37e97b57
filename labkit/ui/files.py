"""Inputs that are files, in the Try it panel: an example that comes with labkit, a path on this machine, an upload, or a
recording from the microphone where the browser allows one.

The page records; a hidden text area of ipywidgets carries the file to the kernel in base64. No other package is needed.
"""

import base64
import functools
import json
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from labkit.base.language import tr
from labkit.base.recording import SECONDS, WORDS, script
from labkit.data import packaged
from labkit.ui.controls import named

EXAMPLES = 6
SAMPLES = {
    "image": "doodles",
    "audio": "commands",
    "speech": "phrases",
}  # whose test rows are examples of a kind of input
NAMED = re.compile(r"lk\.(\w+)\(\)\.test\[(\d+)\]\.input")


class Files:
    """What a panel is asked about, by name."""

    def __init__(self, model):
        self.modality, self.uploaded = model.task.modality, {}
        self.examples = examples_of(self.modality.name)

    def upload(self, name: str, data: bytes) -> None:
        """Keep a file that came through the browser, by its name."""
        self.uploaded[name] = data

    def input(self, text: str) -> Any:
        """The picture or clip that a name, a path or an example stands for."""
        if text in self.uploaded:
            return self.modality.receive(self.uploaded[text])
        if found := NAMED.fullmatch(text):
            return samples_of(found[1])[int(found[2])].input
        return self.modality.parse(text)

    def written(self, text: str) -> str:
        """The same as an expression in code."""
        if text in self.uploaded:
            return f"{text!r}  # {tr('浏览器送来的文件', 'the file that came through the browser')}"
        return text if NAMED.fullmatch(text) else repr(text)

    def records(self) -> bool:
        """Whether an input can be recorded."""
        return ".wav" in self.modality.suffixes


@functools.cache
def samples_of(name: str) -> Sequence:
    """The test rows of a packaged corpus, read once."""
    return getattr(packaged, name)().test


@functools.cache
def examples_of(kind: str) -> dict[str, tuple[str, str]]:
    """Test rows of the packaged corpus of this kind, one a target: as code, with what each is called in either language."""
    if kind not in SAMPLES:
        return {}
    corpus, first = getattr(packaged, SAMPLES[kind])(), {}
    for i, example in enumerate(corpus.test):
        word = corpus.task.words(corpus.task.truth(example))
        first.setdefault(word, f"lk.{SAMPLES[kind]}().test[{i}].input")
    return {code: (word, word) for word, code in [*first.items()][:EXAMPLES]}


def recorder(take: Callable[[bytes], None]) -> tuple[Any, Any]:
    """A button that records, and the text area that brings what was recorded; `take` gets the bytes of a WAV file."""
    words = {name: tr(*pair) for name, pair in WORDS.items()}
    send = (
        "bytes => { const reader = new FileReader(); reader.onload = () => {"
        "const area = button.closest('.labkit-panel').querySelector('.labkit-recorded textarea');"
        "area.value = reader.result.split(',')[1];"
        "for (const kind of ['input', 'change']) area.dispatchEvent(new Event(kind, { bubbles: true })) };"
        "reader.readAsDataURL(new Blob([bytes])) }"
    )
    click = (
        f"const button = this; {script()}\n"
        f"record(button, {json.dumps(words, ensure_ascii=False)}, {SECONDS}, text => {{ button.nextElementSibling.textContent = text }}, {send})"
    )
    button = widgets.HTML(
        f'<button type="button" class="labkit-record" onclick="{escape(click)}">{words["record"]}</button>'
        '<div class="labkit-muted" role="alert"></div>'
    )
    area = widgets.Textarea()
    area.layout.display = "none"

    def arrived(change) -> None:
        if change["new"]:
            area.value = ""
            take(base64.b64decode(change["new"]))

    area.observe(arrived, names="value")
    return named(button, "recorder"), named(area, "recorded")
