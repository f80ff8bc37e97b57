"""The loop: Trainer trains a model, events tell what happened, TrainConfig (base/config.py) says how. Notebook 01 opens this file.

`run()` is a generator of frozen events, `fit()` consumes it; stopping is `break`, and running again goes on from there.
What is random in step n is a function of (seed, n), so that a resumed run equals one that was never stopped. It knows no
task: what a row is, what its loss and what a score, the task says.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.base import memory
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.memory import out_of_memory
from labkit.base.records import Epoch, EpochDone, Notice, Run, Scores, StepDone
from labkit.data.corpus import Corpus
from labkit.models.loading import fitting
from labkit.models.state import fingerprints, frozen_modules, modes_kept, moving, put_back
from labkit.strategies import Strategy, as_strategy
from labkit.strategies.retaining import Retainer
from labkit.training.batches import Batches, check, encoded
from labkit.training.checkpoint import Checkpoints, go_on, pack
from labkit.training.engine import Engine, patient
from labkit.training.frozen import FrozenPart
from labkit.training.network import Network
from labkit.training.optimizers import lr_factor, make_optimizer, parameter_groups
from labkit.training.recording import record


class Trainer:
    """One training run of a model on a corpus.

    >>> trainer = Trainer(model, corpus, strategy=HeadOnly(), config=TrainConfig(epochs=3))
    >>> run = trainer.fit()                                  # or: for event in trainer.run(): ...

    With `retain=L2SP()` or `retain=Replay()` it forgets less of what the model knew (strategies/retaining.py).
    With `out`, a crash-safe checkpoint is written there after every epoch, and `resume=True` goes on from the newest.
    Listeners given to `fit` are called with every event; they get values and cannot change the run.
    `sharing` is an earlier Trainer with the same model, corpus and strategy: what it encoded and kept serves again.
    With `batches` it reads these in place of the corpus's rows: some of them, for those that try a run out.
    """

    def __init__(
        self,
        model,
        corpus: Corpus,
        strategy: Strategy | str | None = None,
        config: TrainConfig | None = None,
        *,
        retain: Retainer | None = None,
        out=None,
        resume=False,
        sharing: "Trainer | None" = None,
        batches: Batches | None = None,
    ):
        self.strategy, self.config, self.retain = as_strategy(strategy), config or TrainConfig(), retain
        check(model, corpus, self.config)
        self.corpus, self.task, self.source = corpus, corpus.task, model.source
        self.engine = Engine(self.config.device, self.config.precision)
        self.memory, self.shares = memory.PeakMemory(self.device.type), sharing is not None
        if sharing is None:
            with self.engine.seeded(self.config.seed, 0):  # a strategy may draw new weights
                self.model = self.strategy.prepare(model).to(self.device)
            self.batches = batches or encoded(corpus, model, fitting(self.model, self.config.max_length))
            self.before = fingerprints(self.model)
        else:
            self.model, self.batches, self.before = sharing.model, batches or sharing.batches, sharing.before
        if self.config.epochs is None:
            self.config = replace(self.config, epochs=self.strategy.usual_epochs(self.model, len(corpus.train)))
        self.lr = self.config.lr or self.strategy.default_lr(self.model)
        self.retained = retain and retain.start(self.model, self.config.seed)
        self.weights = self.batches.balance() if self.config.class_weights == "balanced" else None
        self.batches_per_epoch = len(self.order(0))
        self.total_steps = self.batches_per_epoch * self.config.epochs
        # from here on: what a resumed run needs
        self.step, self.loss_sum, self.pieces, self.stopped = 0, 0.0, self.config.accumulation, None
        self.seconds, self.train_seconds = 0.0, 0.0  # with and without evaluation
        self.history, self.trace, self.notices, self.best_tensors = [], [], [], {}
        self.new_optimizer()
        self.checkpoints = Checkpoints(Path(out) / "checkpoint") if out else None
        go_on(self, resume)
        self.frozen = self.new_frozen() if sharing is None else sharing.frozen

    # The loop

    def fit(self, *listeners: Callable[[Any], None]) -> Run:
        """Train to the end and return the run. Ctrl-C stops after the current step and keeps what is done."""
        try:
            with patient() as stop:
                for event in self.run():
                    for listen in listeners:
                        listen(event)
                    if stop():
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.stopped = self.stopped if self.finished else "interrupted"
        return self.report()

    def run(self) -> Iterator[StepDone | EpochDone | Notice]:
        """Train, one event at a time. Leave the loop to stop; call again to go on."""
        self.stopped = self.stopped if self.finished else None
        with self.at_work():
            yield from self.remark()
            while not self.finished:
                yield from self.keep_frozen()
                done = self.step - len(self.history) * self.batches_per_epoch
                for rows in self.order(self.epoch)[done:]:
                    yield from self.train_step(rows)
                yield self.end_epoch()

    def train_step(self, rows: list[int], share: float | None = None) -> Iterator[StepDone | Notice]:
        """One batch, one optimizer step, at a share of the peak learning rate: the schedule's unless one is given."""
        began, said = time.perf_counter(), len(self.notices)
        loss = self.backward(rows)
        if share is None:
            share = lr_factor(self.step, self.total_steps, schedule=self.config.schedule, warmup=self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.engine.update(self.optimizer, self.trained, self.config.clip)
        self.step += 1
        self.loss_sum = self.loss_sum + loss * len(rows)
        if self.step % max(1, self.total_steps // 400) == 0:
            self.trace.append((self.step, loss, self.lr * share))
        self.count_time(began, training=True)
        yield from map(Notice, self.notices[said:])
        yield StepDone(self.step, self.total_steps, self.epoch + 1, self.lr * share, loss)

    def backward(self, rows: list[int]) -> Any:
        """Gradients of one batch; its mean loss. Where memory does not hold the batch, in smaller pieces."""
        while True:
            try:
                with self.engine.seeded(self.config.seed, self.step):
                    return self.gradients(rows)
            except RuntimeError as error:
                if self.pieces >= len(rows) or not out_of_memory(error):
                    raise
            self.halve_pieces()

    def gradients(self, rows: list[int]) -> Any:
        """Backward through a batch, piece by piece; the gradient is the same as in one piece."""
        units = sum(self.weights[i] for i in rows) if self.weights else self.batches.units("train", rows)
        mine = rows[self.engine.rank :: self.engine.processes]
        size, total = math.ceil(len(mine) / self.pieces) or 1, 0.0
        for start in range(0, len(mine), size):
            piece = mine[start : start + size]
            batch = self.batch(piece)
            outputs = self.network.outputs(batch, "train", piece, every=bool(self.retain))  # a retainer looks anywhere
            losses = self.task.losses(outputs, batch)
            loss = (losses if batch.weights is None else losses * batch.weights).sum() / units
            total = total + loss.detach()
            added = self.added_loss(batch, outputs, len(piece) / len(rows))
            self.engine.scaler.scale(loss if added is None else loss + added).backward()
        return self.engine.add(self.trained, total)

    def batch(self, rows: list[int]) -> Any:
        """These training rows where the network computes, with their weights; the smallest inputs where more is not read."""
        if self.frozen.whole_of("train") and not self.retain:  # who retains may ask another network the same
            batch = self.batches.stub("train", rows, self.device)
        else:
            batch = self.batches.batch("train", rows, vary=(self.config.seed, self.epoch))
        if self.weights:
            import torch

            batch = replace(batch, weights=torch.tensor([self.weights[i] for i in rows]))
        return batch.to(self.device)

    def added_loss(self, batch, outputs, share: float) -> Any:
        """What retains the pretrained knowledge adds to the loss, for this share of a step; None where that is nothing."""
        if not self.retain:
            return None
        with self.engine.autocast():
            loss = self.retain.add_loss(self.model, batch, outputs, self.retained, self.step)
        return None if loss is None else loss * share

    def end_epoch(self) -> EpochDone:
        """Score on the validation rows, draw the conclusions, write a checkpoint."""
        began = time.perf_counter()
        train_loss = float(self.loss_sum) / len(self.batches.items["train"])  # on a GPU this waits for the last step
        self.count_time(began, training=True)
        began = time.perf_counter()
        scores = self.score("valid")
        measures = {metric.name: getattr(scores, metric.name) for metric in self.task.metrics}
        seconds = self.train_seconds - sum(e.seconds for e in self.history)
        self.history.append(Epoch(self.epoch + 1, self.step, train_loss, scores.loss, measures, seconds))
        best = self.best_epoch == self.epoch
        self.loss_sum = 0.0
        if not math.isfinite(train_loss):
            self.stopped = "diverged"
        self.conclude(best)
        self.count_time(began)
        if self.checkpoints:
            self.save_state()
        return EpochDone(self.history[-1], scores, best)

    def conclude(self, best: bool) -> None:
        """After an epoch: keep the best weights, stop where patience ends, restore the best, or let more train."""
        patience = self.config.patience
        if patience and best:
            self.best_tensors = {n: t.detach().clone() for n, t in self.tensors().items()}
        if patience and not self.finished and self.epoch - self.best_epoch >= patience:
            self.stopped = "early"
        if patience and self.finished:
            put_back(self.model, self.best_tensors)
        if not self.finished:
            self.unfreeze(self.history)

    # Judging

    def answers(self, split: str) -> tuple[list, list]:
        """What the model as it is says of each example of a split, and what is true: of a classification, rows of logits and
        classes."""
        answers, truth, _ = self.answered(split)
        return answers, truth

    def score(self, split: str) -> Scores:
        """Scores of the model as it is on one of the corpus's splits."""
        return self.task.score(*self.answered(split))

    def answered(self, split: str) -> tuple[list, list, float]:
        """Answers, truth and mean loss of a split."""
        items, examples = self.batches.items[split], self.corpus.splits[split]
        losses, answers = self.network.answers(self.batches.processor, items, split=split)
        truth = [self.task.truth(example) for example in examples]
        return self.task.merge(answers, items), truth, losses.sum().item() / max(self.task.units(items), 1e-9)

    def report(self) -> Run:
        """The run so far as one record, scored on the test rows; asserts that only what may train has moved."""
        return record(self)

    # Where it stands

    @property
    def epoch(self) -> int:
        """The epoch under way; 0 is the first."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        return self.stopped in ("early", "diverged") or len(self.history) >= self.config.epochs

    @property
    def best_epoch(self) -> int | None:
        """The number of the best epoch by the task's choosing metric, the first of equals; None before the first."""
        if not self.history:
            return None
        metric = self.task.choosing
        return (max if metric.greater else min)(self.history, key=lambda e: e.valid[metric.name]).epoch

    @property
    def device(self) -> Any:
        return self.engine.device

    @property
    def network(self) -> Network:
        return Network(self.model, self.task, engine=self.engine, frozen=self.frozen)

    def order(self, epoch: int) -> list[list[int]]:
        """The row numbers of each batch of an epoch."""
        return self.batches.order(epoch, self.config)

    def tensors(self) -> dict[str, Any]:
        """The tensors that training may change: trainable parameters, and the buffers of what is not frozen."""
        return moving(self.model)

    def save_state(self) -> Path | None:
        """A checkpoint of this moment: moving tensors, optimizer moments, history. Only one process writes."""
        return self.checkpoints.save(self.step, *pack(self), epochs=self.epoch) if self.engine.main else None

    # Getting ready

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Model in training mode, frozen parts in eval mode; the modes are as before afterwards."""
        with modes_kept(self.model):
            self.set_modes()
            try:
                yield
            finally:
                self.optimizer.zero_grad()

    def set_modes(self) -> None:
        self.model.to(self.device).train()
        for module in frozen_modules(self.model):
            module.eval()

    def new_frozen(self) -> FrozenPart:
        c = self.config
        return FrozenPart(self.model, self.task, cache=c.cache, limit_mb=c.cache_mb, around=self.engine.autocast)

    def remark(self) -> Iterator[Notice]:
        """What encoding the rows has cost, once."""
        for text in self.batches.remarks():
            if text not in self.notices:
                self.notices.append(text)
                yield Notice(text)

    def keep_frozen(self) -> Iterator[Notice]:
        """Compute the frozen part once, if there is one, for the rows that every epoch asks again; say so where it can't be."""
        began, part = time.perf_counter(), self.frozen
        for split in ("train", "valid"):
            if split not in part.kept and not part.refused:
                part.keep(split, self.batches.items[split], self.batches.processor)
        self.count_time(began, training=True)
        if part.refused and part.refused not in self.notices:
            self.notices.append(part.refused)
            yield Notice(part.refused)

    def new_optimizer(self) -> None:
        groups = parameter_groups(self.model, self.strategy.groups(self.model, self.lr), self.config.weight_decay)
        self.trained = [p for g in groups for p in g["params"]]
        self.optimizer = make_optimizer(groups, self.config.optimizer)

    def unfreeze(self, history: Sequence[Epoch]) -> bool:
        """Ask the strategy what trains after these epochs; True where it lets more train. Modes and optimizer are then made
        anew, with the moments that there are."""
        if not self.strategy.on_epoch(self.model, len(history), history):
            return False
        moments = dict(self.optimizer.state)
        self.new_optimizer()
        self.optimizer.state.update(moments)
        self.set_modes()
        self.frozen = self.new_frozen()
        if self.best_tensors:  # what was frozen in the best epoch was then as it is now
            self.best_tensors = {n: self.best_tensors.get(n, t.detach().clone()) for n, t in self.tensors().items()}
        return True

    def halve_pieces(self) -> None:
        """After running out of memory: batches from now on in twice as many pieces, said aloud."""
        import torch

        self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.pieces *= 2
        whole, size = self.config.batch_size, math.ceil(self.config.batch_size / self.pieces)
        self.notices.append(
            tr(
                f"内存不足：批大小 {whole} 改为每次 {size} 行、累积 {self.pieces} 次；梯度不变，只是慢一些。",
                f"Out of memory: batches of {whole} now go {size} rows at a time, accumulated {self.pieces} times; "
                "the gradient is the same, only slower.",
            )
        )

    def count_time(self, began: float, training: bool = False) -> None:
        passed = time.perf_counter() - began
        self.seconds += passed
        self.train_seconds += passed if training else 0.0
