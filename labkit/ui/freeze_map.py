"""The Freeze map panel: the model as a stack of blocks that one clicks to freeze or free, and what a run then moves.

Presets are the strategies; a choice of blocks that has a strategy of its own shows as that one. Notebooks 02 and 03 use it.
"""

import contextlib
import copy
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets

from labkit import strategies
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import EpochDone
from labkit.comparison.space import works
from labkit.data.corpus import Corpus
from labkit.inspection.trainable_map import Part, TrainableMap, trainable_map, watch
from labkit.models.families import block_words, blocks
from labkit.models.loading import load
from labkit.plots.inspecting import STATES
from labkit.ui.block_map import LOOK, control_name, map_html, state_of
from labkit.ui.charts import key
from labkit.ui.controls import choice, control, named, words
from labkit.ui.inputs import load_line
from labkit.ui.panel import shown
from labkit.ui.training_panel import KNOB_FIELDS, TrainingPanel, rows_of

FIRST = ("head", "top-K")  # what is shown first, where the model allows it
OWN = "only"  # the free choice among the presets
SETTINGS = ("epochs", "lr", "batch_size")


class FreezeMap(TrainingPanel):
    """Which blocks train, what that costs, and how far a run moves each.

    >>> panel = FreezeMap(corpus, epochs=1); panel           # the packaged model; the packaged reviews without a corpus
    >>> panel.set(head=True, layer_4=True); panel.strategy() # click blocks, or choose a strategy
    TopK(k=1)
    >>> panel.run_button.click(); panel.wait(); panel.moved  # the trainable_map of the run
    """

    title: ClassVar = ("冻结地图", "Freeze map")

    def __init__(self, corpus: Corpus | str | Path | None = None, model: str | None = None, **values):
        super().__init__(corpus)
        self.source_model = str(model or self.corpus.task.default_model)
        plain = load(self.source_model, task=self.corpus.task)
        self.parts = blocks(plain)
        plain.processor = None
        self.bare = plain.to("meta")  # shapes without numbers: what strategies are tried on
        self.bare.tie_weights()  # what was one tensor became two on the way
        named = {name: "top-1" if name == "top-K" else name for name in strategies.NAMES}
        self.offered = [name for name, one in named.items() if works(strategies.by_name(one), self.bare)]
        self.known: dict[strategies.Strategy, TrainableMap] = {}
        self.seen, self.moved, self.moving = None, None, False
        self.blocks = {control_name(part): self.block_button(part.name) for part in self.parts}
        self.settings = {"strategy": self.preset(), **self.knobs(self.layers()), **self.blocks}
        self.settings |= {name: control(name) for name in SETTINGS}
        self.settings["strategy"].observe(self.on_preset, names="value")
        for name in KNOB_FIELDS:
            self.settings[name].observe(self.on_preset, names="value")
        for button in self.blocks.values():
            button.observe(self.on_block, names="value")
        stack = widgets.VBox([widgets.Label(tr("点一块，冻结或放开", "click a block to freeze or free it"))])
        stack.children = (*stack.children, *reversed(self.blocks.values()))
        stack.add_class("labkit-stack")
        self.on_preset()
        first = [self.settings[name] for name in ("strategy", *KNOB_FIELDS)]
        self.build(*first, stack, *(self.settings[name] for name in SETTINGS))
        self.set(**values)

    # Controls

    def preset(self) -> Any:
        usual = next(name for name in (*FIRST, *self.offered) if name in self.offered)
        return choice("strategy", tuple(self.offered), usual, words("strategy"))

    def layers(self) -> int:
        return sum(part.kind == "layer" for part in self.parts)

    def block_button(self, name: str) -> Any:
        button = named(widgets.ToggleButton(), f"block-{name.replace(' ', '-')}")
        button.add_class("labkit-block")
        return button

    def on_preset(self, *_) -> None:
        """A strategy was chosen or set: its slider, and its blocks."""
        if self.moving:
            return
        self.show_knob()
        if self.settings["strategy"].value == OWN:
            return
        with self.quietly():
            self.offer_own(False)
            for part, button in self.stack():
                button.value = not part.frozen

    def on_block(self, *_) -> None:
        """A block was clicked: the strategy that trains these blocks."""
        if self.moving:
            return
        found = self.own()
        named_so = (name for name, kind in strategies.NAMES.items() if type(found) is kind)
        with self.quietly():
            self.offer_own(isinstance(found, strategies.OnlyBlocks))
            self.settings["strategy"].value = next(named_so, OWN)
            if isinstance(found, strategies.TopK):
                self.settings["k"].value = found.k
        self.show_knob()

    def own(self) -> strategies.Strategy:
        """The strategy that trains the blocks which are free."""
        return strategies.freeing(self.bare, [p.name for p in self.parts if self.blocks[control_name(p)].value])

    def offer_own(self, own: bool) -> None:
        """The free choice stands among the presets only while it is one."""
        names = [(name, name) for name in self.offered]
        options = tuple([*names, (tr("自己选的块", "blocks of my own"), OWN)] if own else names)
        box = self.settings["strategy"]
        if box.options != options:
            kept = box.value
            box.options = options
            box.value = kept if kept in dict(options).values() else options[0][1]

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """Move controls without being told of it."""
        before, self.moving = self.moving, True
        try:
            yield
        finally:
            self.moving = before

    def stack(self) -> list[tuple[Part, Any]]:
        """Each block with its button, from the embeddings up; prompts have none."""
        return [(part, self.blocks[control_name(part)]) for part in self.map() if part.kind != "prompt"]

    @shown
    def on_change(self):
        if self.moving:
            return
        if not self.busy:
            self.moved = self.result = None  # they were of another choice
            self.card("forecast")
            self.card("verdict")
            self.colour()
        super().on_change()

    def colour(self) -> None:
        """Each block's button in the colour of what trains in it."""
        for part, button in self.stack():
            state = state_of(part)
            told = {
                "trains": tr("训练", "trains"),
                "partly": tr("部分训练", "trains in part"),
                "added": tr("加了 PEFT 模块", "a PEFT module added"),
                "frozen": tr("冻结", "frozen"),
            }[state]
            button.description = f"{block_words(part.name)} · {told}"
            button.icon = "lock" if state == "frozen" else "unlock-alt"
            for one in ("trains", "partly", "added", "frozen"):
                (button.add_class if one == state else button.remove_class)(f"labkit-{one}")

    # What will run

    def model_name(self) -> str:
        return self.source_model

    def strategy(self) -> strategies.Strategy:
        return self.own() if self.settings["strategy"].value == OWN else super().strategy()

    def map(self) -> TrainableMap:
        """What the strategy that is chosen would train."""
        strategy = self.strategy()
        if strategy not in self.known:
            self.known[strategy] = trainable_map(strategy.prepare(copy.deepcopy(self.bare)))
        return self.known[strategy]

    def source(self) -> str:
        return (
            f"import labkit as lk\n{self.corpus_source}\n{load_line(self.source_model, self.corpus)}\n"
            f"trainer = {self.trainer_line()}\n"
            "with lk.watch(trainer.model) as seen:\n    run = trainer.fit()\n"
            "lk.trainable_map(trainer.model, seen)"
        )

    # In the worker thread

    def work(self) -> Iterator[None]:
        return self.afresh(self.strategy(), self.config())

    def afresh(self, strategy: strategies.Strategy, config: TrainConfig) -> Iterator[None]:
        """A run from a fresh model, watched: what moved is known after each epoch, and where it is stopped."""
        self.moved = None
        yield from self.new_trainer(self.source_model, strategy, config)
        with watch(self.trainer.model) as self.seen:
            try:
                yield from self.train()
            finally:
                self.moved = trainable_map(self.trainer.model, self.seen)
        self.judge()

    def hear(self, event) -> None:
        if isinstance(event, EpochDone):
            self.moved = trainable_map(self.trainer.model, self.seen)

    # What it says

    def subtitle(self) -> str:
        return f"{Path(self.source_model).name}, {rows_of(self.corpus)}"

    def summary(self) -> str:
        found = self.moved or self.map()
        trains, total = sum(p.trained + p.added for p in found), sum(p.frozen + p.trained + p.added for p in found)
        text = tr("{}，训练 {:,} / {:,} 个参数", "{}, {:,} of {:,} parameters train")
        text = text.format(strategies.name_of(self.strategy()), trains, total)
        if not self.result:
            return text
        still = [block_words(p.name) for p in self.moved if not p.change]
        return text + tr("；没动的块：{}", "; blocks that did not move: {}").format(
            ", ".join(still) or tr("无", "none")
        )

    def picture(self) -> str:
        found = self.moved or self.map()
        names = {"frozen": tr("冻结", "frozen"), "trained": tr("训练", "trains"), "added": tr("新加", "added")}
        keys = "".join(key(STATES[kind], name, "filled") for kind, name in names.items())
        return f'{LOOK}{self.progress()}<div class="labkit-keys">{keys}</div>{map_html(found)}{self.caution()}'

    def caution(self) -> str:
        """What one should know of this choice before it runs."""
        strategy, told = self.strategy(), []
        if isinstance(strategy, strategies.OnlyBlocks) and "head" not in strategy.names:
            told.append(
                tr(
                    "分类头从随机开始，冻住它，就永远学不会：答案要靠下面的块去迁就它。",
                    "The head starts at random; frozen it never learns, and the blocks below have to make do with it.",
                )
            )
        if isinstance(strategy, strategies.GradualUnfreeze):
            told.append(
                tr("从头开始，每轮多放开一块。", "It begins with the head, and frees one more block after each epoch.")
            )
        return "".join(f'<div class="labkit-note">{escape(text)}</div>' for text in told)

    def figure(self) -> Any:
        from labkit import plots

        name = strategies.name_of(self.strategy())
        return plots.anatomy(self.moved or self.map(), tr("{}：哪些参数在训练？", "{}: what trains?").format(name))
