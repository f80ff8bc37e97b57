"""A head that trains anew in a fraction of a second: what lies below it is computed once for any number of runs.

For the panel with the live head and for sweeps over settings. Leans on a Trainer and on what its frozen part keeps.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from labkit.base import memory
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.strategies import HeadOnly
from labkit.training.engine import Engine
from labkit.training.trainer import Trainer

MOST = 2000  # batches that are kept from one run to the next


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
        self.parts = parts_of(trainer)

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
        config = replace(self.fresh.config, **changes)
        plain = config.accumulation == 1 and config.class_weights == "none"
        made = object.__new__(HeadTrainer if self.parts and plain else Trainer)
        vars(made).update(vars(self.fresh), config=config, memory=memory.PeakMemory(self.fresh.device.type))
        if config.epochs is None:
            made.config = replace(config, epochs=made.strategy.default_epochs(made.model))
        made.load_tensors(self.first)
        made.history, made.trace, made.notices, made.best_tensors = [], [], [], {}
        made.lr, made.pieces = made.config.lr or made.strategy.default_lr(made.model), made.config.accumulation
        made.class_weights = made.weigh_classes()
        made.batches_per_epoch = len(made.order(0))
        made.total_steps = made.batches_per_epoch * made.config.epochs
        made.checkpoints = None
        made.new_optimizer()
        if isinstance(made, HeadTrainer):
            made.take(self.parts)
        return made


# BERT's own head, worked out by hand


class HeadTrainer(Trainer):
    """A Trainer for BERT's own head, whose gradients are worked out by hand: autograd, the network around so small a head
    and the optimizer's ceremonies take ten times as long as the arithmetic. Its losses are a Trainer's to 1e-6.
    """

    def take(self, parts: "HeadParts") -> None:
        """What it learns from, and room for its gradients."""
        import torch

        self.parts, self.dice = parts, torch.Generator()
        self.engine = HeadEngine(self.engine, self.optimizer, self.trained)

    def backward(self, rows: list[int]) -> Any:
        """Gradients of one batch; its mean loss."""
        import torch

        dense, _, classifier = self.parts.layers
        with torch.no_grad():
            vectors, answers, kept = self.batch(rows)
            pooled = torch.addmm(dense.bias, vectors, dense.weight.T).tanh_()
            dropped = pooled * kept
            chances = torch.addmm(classifier.bias, dropped, classifier.weight.T).log_softmax(-1)
            loss = -torch.dot(chances.view(-1), answers.view(-1)) / len(rows)
            slope = (chances.exp_() - answers) / len(rows)  # of the loss, by the logits
            self.give(classifier, slope, dropped)
            if dense.weight.requires_grad:
                self.give(dense, (slope @ classifier.weight) * kept * (1 - pooled * pooled), vectors)
        return loss

    def give(self, layer, slope, vectors) -> None:
        """The gradients of a linear layer, from the slope of the loss by what it gave, and from what it was given."""
        import torch

        torch.mm(slope.T, vectors, out=self.engine.room[layer.weight])
        torch.sum(slope, 0, out=self.engine.room[layer.bias])

    def batch(self, rows: list[int]) -> tuple[Any, Any, Any]:
        """Vectors, one-hot answers, and what dropout keeps: the same in every run whose batches are the same."""
        import torch

        c, known = self.config, self.parts.batches
        key = (c.seed, self.step, tuple(rows))
        if key not in known:
            vectors, answers = (part[rows] for part in self.parts.rows["train"])
            p = self.parts.layers[1].p
            self.dice.manual_seed((c.seed << 32) + self.step)  # the random numbers of a Trainer
            kept = torch.empty_like(vectors).bernoulli_(1 - p, generator=self.dice).div_(1 - p)
            if len(known) >= MOST:
                known.clear()
            known[key] = vectors, answers, kept
        return known[key]

    def logits(self, split: str) -> tuple[Any, Any]:
        """What the head says of one of the splits, without dropout."""
        import torch

        dense, _, classifier = self.parts.layers
        with torch.no_grad():
            vectors, _ = self.parts.rows[split]
            return classifier(dense(vectors).tanh_()), self.frozen.kept[split].target


class HeadEngine(Engine):
    """The same step as torch's fused AdamW, asked for without what torch.optim does around it; other optimizers as ever.

    `room` has a place for the gradient of each tensor, one behind the other.
    """

    def __init__(self, engine: Engine, optimizer, parameters):
        import torch

        vars(self).update(vars(engine))
        self.flat = torch.zeros(sum(p.numel() for p in parameters))
        pieces = self.flat.split([p.numel() for p in parameters])
        self.room = {p: piece.view_as(p) for p, piece in zip(parameters, pieces, strict=True)}
        self.quick = isinstance(optimizer, torch.optim.AdamW) and hasattr(torch, "_fused_adamw_")
        self.moments = []

    def update(self, optimizer, parameters, clip: float) -> None:
        import torch

        if not self.moments:  # torch's own first step makes room for the moments
            for parameter, gradient in self.room.items():
                parameter.grad = gradient
            super().update(optimizer, parameters, clip)
            self.moments = self.moments_of(optimizer) if self.quick else []
            return
        norm = torch.linalg.vector_norm(self.flat).item() if clip else 0.0
        if not norm <= clip:
            self.flat.mul_(min(1.0, clip / (norm + 1e-6)))
        with torch.no_grad():
            for group, lists in zip(optimizer.param_groups, self.moments, strict=True):
                torch._foreach_add_(lists[-1], 1)
                one, two = group["betas"]
                how = {"lr": group["lr"], "beta1": one, "beta2": two, "weight_decay": group["weight_decay"]}
                torch._fused_adamw_(*lists[:-1], [], lists[-1], **how, eps=group["eps"], amsgrad=False, maximize=False)

    def moments_of(self, optimizer) -> list[tuple[list, ...]]:
        """Of each group: parameters, gradients, both moments, steps."""
        found = []
        for group in optimizer.param_groups:
            states = [optimizer.state[p] for p in group["params"]]
            moments = ([s[name] for s in states] for name in ("exp_avg", "exp_avg_sq", "step"))
            found.append((group["params"], [self.room[p] for p in group["params"]], *moments))
        return found


@dataclass(frozen=True)
class HeadParts:
    """BERT's own head and what it is trained on: `rows[split]` are vectors (n, width) and one-hot answers (n, classes)."""

    layers: tuple[Any, Any, Any]  # dense (tanh follows), dropout, classifier
    rows: dict[str, tuple[Any, Any]]
    batches: dict = field(default_factory=dict)  # those of earlier runs, up to MOST


def parts_of(trainer) -> HeadParts | None:
    """The parts of a head that HeadTrainer knows, on a CPU in float32; None for any other."""
    import torch

    model, part, engine = trainer.model, trainer.frozen, trainer.engine
    if (
        model.config.model_type != "bert"
        or not isinstance(trainer.strategy, HeadOnly)
        or not part.whole
        or trainer.keep
    ):
        return None
    if engine.device.type != "cpu" or engine.dtype or engine.processes > 1:
        return None
    layers = (part.base.pooler.dense, model.dropout, model.classifier)
    if [type(layer) for layer in layers] != [torch.nn.Linear, torch.nn.Dropout, torch.nn.Linear]:
        return None  # with something added from outside
    classes = torch.eye(len(trainer.corpus.labels))
    return HeadParts(layers, {s: (k.flat[k.first].float(), classes[k.target]) for s, k in part.kept.items()})
