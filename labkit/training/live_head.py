"""A head that trains anew in a fraction of a second: what lies below it is computed once for any number of runs.

For the panel with the live head and for sweeps over settings. Leans on a Trainer and on what its frozen part keeps.
"""

from dataclasses import replace

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models.state import put_back
from labkit.training.trainer import Trainer


class LiveHead:
    """A head that is trained again and again with other settings, while what lies below is computed once.

    >>> live = LiveHead(Trainer(model, corpus, HeadOnly()))          # asks the frozen network once for every row
    >>> run = live.trainer(lr=1e-2).fit()                            # the losses of a new Trainer, in a fraction of its time
    >>> run = live.trainer(lr=1e-3, epochs=20).fit()

    Any strategy that leaves the lowest blocks frozen throughout will do. All these trainers share one model, which goes
    back to its first weights for each of them: only the newest can go on.
    """

    FIXED = ("max_length", "device", "precision", "cache", "cache_mb")  # what is kept depends on them

    def __init__(self, trainer: Trainer):
        part = trainer.frozen
        for split, items in trainer.batches.items.items():
            part.keep(split, items, trainer.batches.processor)
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
        self.first = {n: t.detach().clone() for n, t in trainer.tensors().items()}

    def trainer(self, **changes) -> Trainer:
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
        fresh = self.fresh
        put_back(fresh.model, self.first)
        config = replace(fresh.config, **changes)
        return Trainer(fresh.model, fresh.corpus, fresh.strategy, config, retain=fresh.retain, sharing=fresh)
