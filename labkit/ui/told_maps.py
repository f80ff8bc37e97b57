"""What the Try it panel shows of a picture or a clip: what each model says, and which places of it make it say so.

An input is a file: an example that comes with labkit, a path on this machine, or an upload (a clip may be recorded with any
recorder and uploaded). The browser's own microphone is not asked for: pages of notebooks are seldom allowed to have it.
"""

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from labkit.base.language import tr
from labkit.data.packaged import PACKAGED
from labkit.inspection.attribution import METHODS, attribute, explains
from labkit.inspection.dense import Map
from labkit.inspection.hiding import warning
from labkit.models.families import reads_tokens
from labkit.ui.controls import AUTO
from labkit.ui.told import Attributed, bar, signed

MOST = 3  # probabilities that are shown
EXAMPLES = 6
NAMED = re.compile(r"lk\.(\w+)\(\)\.test\[(\d+)\]\.input")


class Mapped(Attributed):
    """Classifications of pictures and clips: the likeliest labels as bars, and the input with its map."""

    methods: ClassVar = ("integrated", "gradient", "occlusion")
    subtitle: ClassVar = ("微调前后，各看了哪里、听了哪里", "where it looks or listens, before and after fine-tuning")

    def __init__(self, model):
        self.modality, self.uploaded = model.task.modality, {}
        self.examples = examples_of(self.modality)

    def upload(self, name: str, data: bytes) -> None:
        """Keep a file that came through the browser, by its name."""
        self.uploaded[name] = data

    def input(self, text: str) -> Any:
        """The picture or clip that a name, a path or an example stands for."""
        if text in self.uploaded:
            return self.modality.receive(base64.b64encode(self.uploaded[text]).decode())
        if found := NAMED.fullmatch(text):
            return PACKAGED[found[1]]().test[int(found[2])].input
        return self.modality.parse(text)

    def written(self, text: str) -> str:
        """The same as an expression in code."""
        return text if NAMED.fullmatch(text) else repr(text)

    def ask(self, model, text: str, label, method: str, after: Map | None = None) -> Map:
        return attribute(
            model, [self.input(text)], label=after.label if after else None if label is AUTO else label, method=method
        )[0]

    def lines(self, label, method: str, names: Sequence[str]) -> list[str]:
        """The same in code, where `model`, `fresh` and `text` are there."""
        return [
            line.replace("(model, text", "(model, [text]")
            .replace("(fresh, text", "(fresh, [text]")
            .replace("plots.attribution", "plots.maps")
            for line in super().lines(label, method, names)
        ]

    def stories(self, both: Sequence[Map]) -> list[str]:
        return [f"<table>{bars(found)}</table>{found.marked()}" for found in both]

    def remarks(self, found: Map) -> list[str]:
        said = []
        if found.method == METHODS[0]:
            text = tr(
                "各处的分数加起来是 {}：从什么也没有时的对数几率 {}，到整个输入的 {}",
                "the scores add up to {}: from log-odds of {} with nothing there to {} for the whole",
            )
            said.append(text.format(*map(signed, (float(found.scores.sum()), found.baseline, found.log_odds))))
        return [*said, *filter(None, [warning(found.truthful)])]

    def figure(self, both: Sequence[Map], names: Sequence[str]) -> Any:
        from labkit import plots

        return plots.maps(list(both), names)


def mapped(model) -> bool:
    """Whether a model's answers are shown by a map over a picture or a clip."""
    return explains(model) and not reads_tokens(model)


def bars(found: Map) -> str:
    """The likeliest labels, and the one that the scores speak of."""
    ranked = sorted(found.probabilities.items(), key=lambda pair: -pair[1])[:MOST]
    if found.label not in dict(ranked):
        ranked.append((found.label, found.probabilities[found.label]))
    return "".join(bar(label, p) for label, p in ranked)


def examples_of(modality) -> tuple[str, ...]:
    """Test rows of the packaged corpus of this kind, one a label, as code."""
    wanted: dict[str, Callable] = {name: PACKAGED[name] for name in ("commands", "doodles") if name in PACKAGED}
    for name, made in wanted.items():
        corpus = made()
        if corpus.task.modality.name == modality.name:
            first: dict[int, int] = {}
            for i, example in enumerate(corpus.test):
                first.setdefault(example.target, i)
            return tuple(f"lk.{name}().test[{i}].input" for i in [*first.values()][:EXAMPLES])
    return ()
