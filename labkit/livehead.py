"""A head that trains anew in a fraction of a second: what lies below it is computed once for any number of runs.

For the panel with the live head and for loss slices. Leans on a Trainer and on what its frozen part keeps.
"""

import copy
from dataclasses import replace
from typing import Any

from labkit import machine
from labkit.records import BadInput
from labkit.text import listing, tr


class LiveHead:
    """A head that is trained again and again with other settings, while what lies below is computed once.

    >>> live = LiveHead(Trainer(model, corpus, HeadOnly()))          # asks the frozen network once for every row
    >>> run = live.trainer(lr=1e-2).fit()                            # the losses of a new Trainer, in a fraction of its time
    >>> run = live.trainer(lr=1e-3, epochs=20).fit()

    Any strategy that leaves the lowest blocks frozen throughout will do. All these trainers share one model, which goes
    back to its first weights for each of them: only the newest can go on.
    """

    FIXED = ("max_length", "device", "precision", "cache", "cache_mb")  # what is kept depends on them

    def __init__(self, trainer):
        part = trainer.frozen
        for split, items in trainer.items.items():
            part.keep(split, items, trainer.task, trainer.processor)
        if trainer.step or "train" not in part.kept:
            raise BadInput(
                part.refused
                or tr(
                    "LiveHead 需要一个还没开始训练、最低几块保持冻结的 Trainer，例如 Trainer(model, corpus, HeadOnly())。",
                    "LiveHead wants a Trainer that has not begun and whose lowest blocks stay frozen, such as "
                    "Trainer(model, corpus, HeadOnly()).",
                )
            )
        self.fresh = trainer
        self.first = {n: p.detach().clone() for n, p in trainer.tensors().items()}

    def trainer(self, **changes) -> Any:
        """A Trainer that stands before its first step, with other settings: fields of TrainConfig."""
        if fixed := [name for name in self.FIXED if name in changes]:
            raise BadInput(
                tr(
                    f"LiveHead 不能改 {listing(fixed)}：请用新的 Trainer 另建一个。",
                    f"LiveHead cannot change {listing(fixed)}: make another from a new Trainer.",
                )
            )
        if self.fresh.tensors().keys() != self.first.keys():
            raise BadInput(
                tr(
                    "这个策略在训练中让更多的块参与训练，LiveHead 回不到起点：请用 HeadOnly() 或 TopK(k)。",
                    "This strategy let more train on the way, so LiveHead cannot go back: take HeadOnly() or TopK(k).",
                )
            )
        made = copy.copy(self.fresh)
        made.config, made.memory = replace(made.config, **changes), machine.PeakMemory(made.device.type)
        if made.config.epochs is None:
            made.config = replace(made.config, epochs=made.strategy.default_epochs(made.model))
        made.load_tensors(self.first)
        made.history, made.trace, made.notices, made.best_tensors = [], [], [], {}
        made.lr, made.pieces = made.config.lr or made.strategy.default_lr(made.model), made.config.accumulation
        made.class_weights = made.weigh_classes()
        made.batches_per_epoch = len(made.order(0))
        made.total_steps = made.batches_per_epoch * made.config.epochs
        made.checkpoints = None
        made.new_optimizer()
        return made
