"""What the Try it panel shows of a picture or a clip: what each model says, and which places of it make it say so; or the
answer alone, where nothing tells that.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from labkit.base.language import tr
from labkit.inspection.attribution import METHODS, attribute, explains
from labkit.inspection.dense import Map
from labkit.models.families import reads_tokens
from labkit.training.evaluation import predict
from labkit.ui.controls import AUTO
from labkit.ui.files import Files
from labkit.ui.told import Answered, Attributed, bar, signed, way_of

MOST = 3  # probabilities that are shown


def way_for(model) -> Attributed | Answered:
    """How a model's answers are shown, whatever its inputs are."""
    if not model.task.modality.suffixes:
        return way_of(model)
    return Mapped(model) if mapped(model) else Filed(model)


class Mapped(Files, Attributed):
    """Classifications of pictures and clips: the likeliest labels as bars, and the input with its map."""

    methods: ClassVar = ("integrated", "gradient", "occlusion")
    subtitle: ClassVar = ("微调前后，各看了哪里、听了哪里", "where it looks or listens, before and after fine-tuning")

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
        return said

    def figure(self, both: Sequence[Map], names: Sequence[str]) -> Any:
        from labkit import plots

        return plots.maps(list(both), names)


class Filed(Files, Answered):
    """Other tasks of pictures and clips: the input, and the answer of each model in words."""

    def ask(self, model, text: str, *_, **__) -> Any:
        return predict(model, [self.input(text)])[0]

    def lines(self, label, method: str, names: Sequence[str]) -> list[str]:
        return [line.replace("[model.task.parse(text)]", "[text]") for line in super().lines(label, method, names)]

    def keys(self, found) -> str:
        return self.modality.html(found.input)


def mapped(model) -> bool:
    """Whether a model's answers are shown by a map over a picture or a clip."""
    return explains(model) and not reads_tokens(model)


def bars(found: Map) -> str:
    """The likeliest labels, and the one that the scores speak of."""
    ranked = sorted(found.probabilities.items(), key=lambda pair: -pair[1])[:MOST]
    if found.label not in dict(ranked):
        ranked.append((found.label, found.probabilities[found.label]))
    return "".join(bar(label, p) for label, p in ranked)
