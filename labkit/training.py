"""The loop: TrainConfig says how, Trainer does it, events tell what happened. Notebook 01 opens this file.

`run()` is a generator of frozen events, `fit()` consumes it; stopping is `break`, and running again goes on from there.
What is random in step n is a function of (seed, n), so that a resumed run equals one that was never stopped. Device,
precision and processes come from accelerate. Leans on strategies, evaluation and checkpoint; knows no task.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from labkit import machine
from labkit.checkpoint import Checkpoints
from labkit.data import Corpus, batch_order, padding_share
from labkit.evaluation import fitting, logits_of
from labkit.records import BadInput, Epoch, EpochDone, Notice, Run, Scores, StepDone, to_json
from labkit.strategies import Full, Strategy, frozen_modules, name_of, settings_of
from labkit.text import listing, tr

OPTIMIZERS = ("adamw", "adam", "sgd", "momentum")
SCHEDULES = ("linear", "cosine", "constant")


def setting(default, low=None, high=None, choices=None, help=""):
    """A field of TrainConfig with its bounds: checks, command-line flags and panels are made from them."""
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, "help": help})


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Every field is checked when the config is made; a bad one raises BadInput.

    >>> TrainConfig(epochs=3, lr=5e-4)
    """

    epochs: int = setting(3, 1, 1000, help="passes over the training rows")
    lr: float | None = setting(None, 0.0, 10.0, help="peak learning rate; none: the strategy's own")
    batch_size: int = setting(16, 1, 65536, help="rows per optimizer step, over all processes")
    max_length: int = setting(256, 4, 8192, help="tokens per row, longer ones are cut")
    seed: int = setting(0, 0, 2**31 - 1, help="decides order and dropout")
    optimizer: str = setting("adamw", choices=OPTIMIZERS, help="how to step")
    weight_decay: float = setting(0.01, 0.0, 10.0, help="on matrices; never on biases and norms")
    schedule: str = setting("linear", choices=SCHEDULES, help="how the rate falls")
    warmup: float = setting(0.1, 0.0, 1.0, help="share of the steps in which the rate rises")
    clip: float = setting(1.0, 0.0, 1e9, help="largest gradient norm; 0: no clipping")
    accumulation: int = setting(1, 1, 4096, help="pieces a batch is cut into, to save memory")
    class_weights: str = setting("none", choices=("none", "balanced"), help="weigh rare classes more")
    patience: int | None = setting(None, 1, 1000, help="stop after this many epochs without progress, restore the best")
    precision: str = setting("auto", choices=("auto", "fp32", "bf16", "fp16"), help="auto: bf16 on a GPU that has it")
    bucket: bool = setting(True, help="rows of like length share a batch")
    device: str = setting("auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute")

    def __post_init__(self):
        for f in fields(self):
            value, rule = getattr(self, f.name), f.metadata
            if rule["choices"] and value not in rule["choices"]:
                raise BadInput(
                    tr(
                        f"{f.name}={value!r} 不行；可选：{listing(rule['choices'])}。",
                        f"{f.name}={value!r} won't do; choose from: {listing(rule['choices'])}.",
                    )
                )
            if rule["low"] is None or (value is None and "None" in str(f.type)):
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            whole = f.type in (int, int | None)
            if (
                not number
                or (whole and value != int(value))
                or not rule["low"] <= value <= rule["high"]
                or (f.name == "lr" and value <= 0)
            ):
                kind = tr("整数", "a whole number") if whole else tr("数", "a number")
                raise BadInput(
                    tr(
                        f"{f.name}={value!r} 不行：应是 {rule['low']} 到 {rule['high']} 之间的{kind}。",
                        f"{f.name}={value!r} won't do: give {kind} from {rule['low']} to {rule['high']}.",
                    )
                )


def rate(step: int, steps: int, *, schedule: str = "linear", warmup: float = 0.1) -> float:
    """The share of the peak learning rate at a step (0 is the first) of `steps`.

    >>> [rate(s, 10, warmup=0.2) for s in (0, 1, 2, 6)]
    [0.0, 0.5, 1.0, 0.5]
    """
    warm = math.ceil(steps * warmup)
    if step < warm:
        return step / warm
    done = (step - warm) / max(1, steps - warm)
    return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[schedule]


def make_optimizer(groups: list[dict], name: str) -> Any:
    """The torch optimizer of that name over parameter groups that carry their own rate and decay."""
    import torch

    if name in ("adamw", "adam"):
        # Adam's own weight decay is L2 in the gradient; AdamW's is decoupled: that is their only difference
        return (torch.optim.AdamW if name == "adamw" else torch.optim.Adam)(groups, fused=True)
    return torch.optim.SGD(groups, momentum=0.9 if name == "momentum" else 0.0)


class Trainer:
    """One training run of a model on a corpus.

    >>> trainer = Trainer(model, corpus, strategy=HeadOnly(), config=TrainConfig(epochs=3))
    >>> run = trainer.fit()                                  # or: for event in trainer.run(): ...

    With `out`, a crash-safe checkpoint is written there after every epoch, and `resume=True` goes on from the newest.
    Listeners given to `fit` are called with every event; they get values and cannot change the run.
    """

    def __init__(
        self,
        model,
        corpus: Corpus,
        strategy: Strategy | None = None,
        config: TrainConfig | None = None,
        *,
        out=None,
        resume=False,
    ):
        self.model, self.corpus = model, corpus
        self.strategy, self.config = strategy or Full(), config or TrainConfig()
        self.task, self.processor = corpus.task, model.processor
        if len(corpus.labels) != model.config.num_labels:
            raise BadInput(
                tr(
                    f"模型的头有 {model.config.num_labels} 类，数据有 {len(corpus.labels)} 类：请用 load(..., labels=corpus.labels) 载入。",
                    f"The model's head has {model.config.num_labels} classes, the corpus {len(corpus.labels)}: "
                    "load it with load(..., labels=corpus.labels).",
                )
            )
        width = fitting(model, self.config.max_length)
        self.items = {s: self.task.encode(self.processor, rows, width) for s, rows in corpus.splits.items()}
        self.lengths = [self.task.length(i) for i in self.items["train"]]
        self.model = self.strategy.prepare(model)
        self.lr = self.config.lr or self.strategy.default_lr(self.model)
        self.class_weights = (
            self.task.balanced_weights(self.items["train"], len(corpus.labels))
            if self.config.class_weights == "balanced"
            else None
        )
        self.batches_per_epoch = len(self.order(0))
        self.total_steps = self.batches_per_epoch * self.config.epochs
        # everything below is what a resumed run needs
        self.step, self.history, self.trace, self.notices = 0, [], [], []
        self.seconds = self.train_seconds = 0.0
        self.pieces, self.stopped = self.config.accumulation, None
        self.loss_sum, self.best, self.best_tensors = None, None, None
        self.optimizer, self.accelerator, self.device = None, None, None
        self.before = {n: fingerprint(p) for n, p in self.model.named_parameters()}
        self.checkpoints = Checkpoints(Path(out) / "checkpoint") if out else None
        self.waiting = None
        if resume:
            self.waiting = self.checkpoints.load() if self.checkpoints else None
            self.restore_state()

    # The loop

    def fit(self, *listeners: Callable[[Any], None]) -> Run:
        """Train to the end and return the run. Ctrl-C stops after the current step and keeps what is done."""
        try:
            for event in self.run():
                for listen in listeners:
                    listen(event)
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        return self.report()

    def run(self) -> Iterator[StepDone | EpochDone | Notice]:
        """Train, one event at a time. Leave the loop to stop; call again to go on."""
        self.stopped = None
        began = time.perf_counter() - self.seconds
        with self.at_work():
            try:
                while self.step < self.total_steps and self.stopped is None:
                    for rows in self.order(self.epoch)[self.step % self.batches_per_epoch :]:
                        yield from self.train_step(rows)
                    self.seconds = time.perf_counter() - began
                    yield self.end_epoch()
                if self.stopped == "early":
                    self.load_tensors(self.best_tensors)
            finally:
                self.seconds = time.perf_counter() - began

    @property
    def epoch(self) -> int:
        """The epoch under way; 0 is the first."""
        return self.step // self.batches_per_epoch

    def order(self, epoch: int) -> list[list[int]]:
        c = self.config
        return batch_order(self.lengths, c.batch_size, seed=c.seed, epoch=epoch, bucket=c.bucket)

    def train_step(self, rows: list[int]) -> Iterator[StepDone | Notice]:
        """Gradients of one batch, one optimizer step."""
        began = time.perf_counter()
        items = [self.items["train"][i] for i in rows]
        while True:
            try:
                with self.seeded():
                    loss = self.gradients(items)
                break
            except RuntimeError as error:
                yield self.smaller_pieces(error, items)
        now = rate(self.step, self.total_steps, schedule=self.config.schedule, warmup=self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * now
        if self.config.clip:
            self.accelerator.clip_grad_norm_(self.trained, self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.loss_sum = loss * len(items) + (0.0 if self.loss_sum is None else self.loss_sum)
        self.train_seconds += time.perf_counter() - began
        if self.step % max(1, self.total_steps // 400) == 0:
            self.trace.append((self.step, loss, self.lr * now))
        yield StepDone(self.step, self.total_steps, (self.step - 1) // self.batches_per_epoch + 1, self.lr * now, loss)

    def gradients(self, items: list) -> Any:
        """Backward through a batch, in pieces where memory wants it; the mean loss. The gradient is the same either way."""
        mine = self.accelerator.process_index, self.accelerator.num_processes
        weight = self.task.weight(items, self.class_weights)
        items = items[mine[0] :: mine[1]]
        size, total = math.ceil(len(items) / self.pieces), 0.0
        for start in range(0, len(items), size):
            inputs, target = self.task.collate(self.processor, items[start : start + size])
            with self.accelerator.autocast():
                logits = self.wrapped(**{k: v.to(self.device, non_blocking=True) for k, v in inputs.items()}).logits
            loss = self.task.loss_sum(logits, target.to(self.device, non_blocking=True), self.weights) / weight
            self.accelerator.backward(loss * mine[1])
            total = total + loss.detach()
        return total

    def end_epoch(self) -> EpochDone:
        """Score on the validation rows, remember the best, write a checkpoint."""
        if self.config.patience and self.best is None:
            self.best = (-1, -1.0)
        scores = self.score("valid")
        train_loss = float(self.loss_sum) / len(self.lengths)
        seconds = self.train_seconds - sum(e.seconds for e in self.history)
        number = len(self.history) + 1
        self.history.append(
            Epoch(number, self.step, train_loss, scores.loss, scores.accuracy, scores.macro_f1, seconds)
        )
        self.loss_sum = None
        best = scores.macro_f1 >= max(e.valid_macro_f1 for e in self.history)
        if self.config.patience:
            better = scores.macro_f1 > self.best[1]
            if better:
                self.best = (number, scores.macro_f1)
                self.best_tensors = {n: t.detach().clone() for n, t in self.tensors().items()}
            elif number - self.best[0] >= self.config.patience:
                self.stopped = "early"
        if self.checkpoints and self.accelerator.is_main_process:
            self.save_state()
        if self.strategy.on_epoch(self.model, number):
            self.optimizer = None
        return EpochDone(self.history[-1], scores, best)

    def score(self, split: str) -> Scores:
        logits, target = logits_of(self.model, self.items[split], processor=self.processor, task=self.task)
        return self.task.score(logits, target, self.corpus.labels)

    # Setting up, stopping, memory

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Model on its device and in training mode, frozen parts in eval mode; the mode is as before afterwards."""
        import torch
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        if self.device is None:
            c = self.config
            AcceleratorState._reset_state(reset_partial_state=c.device != "auto")
            kind = machine.device() if c.device == "auto" else c.device
            bf16 = kind == "cuda" and torch.cuda.is_bf16_supported()
            mixed = {"auto": "bf16" if bf16 else "no", "fp32": "no"}.get(c.precision, c.precision)
            self.accelerator = Accelerator(cpu=kind == "cpu", mixed_precision=mixed)
            self.device = self.accelerator.device
            self.model.to(self.device)
            self.weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=self.device)
            self.memory = machine.PeakMemory(self.device.type)
        modes = {m: m.training for m in self.model.modules()}
        self.model.train()
        for module in frozen_modules(self.model):
            module.eval()
        self.wrapped = self.accelerator.prepare_model(self.model) if self.accelerator.num_processes > 1 else self.model
        if self.optimizer is None:
            self.optimizer = self.accelerator.prepare_optimizer(
                make_optimizer(self.parameter_groups(), self.config.optimizer)
            )
        self.restore_optimizer()
        try:
            yield
        finally:
            self.optimizer.zero_grad()
            for module, mode in modes.items():
                module.training = mode

    def parameter_groups(self) -> list[dict]:
        """The strategy's groups, each cut in two: matrices with weight decay, biases and norms without."""
        by_name, groups = dict(self.model.named_parameters()), []
        for group in self.strategy.groups(self.model, self.lr):
            for decays in (True, False):
                chosen = [by_name[n] for n in group["names"] if (by_name[n].ndim > 1) == decays]
                if chosen:
                    decay = self.config.weight_decay if decays else 0.0
                    groups.append({"params": chosen, "lr": group["lr"], "peak": group["lr"], "weight_decay": decay})
        self.trained = [p for g in groups for p in g["params"]]
        return groups

    @contextlib.contextmanager
    def seeded(self) -> Iterator[None]:
        """Dropout of this step is a function of (seed, step); the caller's random state is as before afterwards."""
        import torch

        cuda = [self.device.index or 0] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed((self.config.seed << 32) + self.step)
            yield

    def smaller_pieces(self, error: RuntimeError, items: list) -> Notice:
        """After running out of memory: the same batch in twice as many pieces. Any other error goes up."""
        import torch

        full = (
            isinstance(error, torch.OutOfMemoryError)
            or "can't allocate memory" in str(error)
            or "out of memory" in str(error)
        )
        if not full or self.pieces >= len(items):
            raise error
        self.optimizer.zero_grad()
        self.pieces *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        size = math.ceil(self.config.batch_size / self.pieces)
        text = tr(
            f"内存不足：批大小 {self.config.batch_size} 改为每次 {size} 行、累积 {self.pieces} 次；梯度不变，只是慢一些。",
            f"Out of memory: batches of {self.config.batch_size} now go {size} rows at a time, accumulated {self.pieces} times; "
            "the gradient is the same, only slower.",
        )
        self.notices.append(text)
        return Notice(text)

    # What is kept

    def tensors(self) -> dict[str, Any]:
        """The tensors that training may change: trainable parameters."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def load_tensors(self, tensors: dict) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self.tensors().items():
                parameter.copy_(tensors[name])

    def identity(self) -> dict:
        """What a checkpoint must share with the run that goes on from it."""
        return to_json(
            {
                "strategy": {"name": name_of(self.strategy), **settings_of(self.strategy)},
                "config": asdict(self.config),
                "corpus": self.corpus.fingerprint,
                "frozen": fingerprint_all({n: v for n, v in self.before.items() if n not in self.tensors()}),
            }
        )

    def save_state(self) -> Path:
        """A checkpoint of this moment: trainable tensors, optimizer moments, history."""
        names = list(self.tensors())
        by_id = {id(p): n for n, p in self.tensors().items()}
        order = [by_id[id(p)] for g in self.optimizer.param_groups for p in g["params"]]
        moments = {
            f"{order[i]}|{key}": value
            for i, s in self.optimizer.state_dict()["state"].items()
            for key, value in s.items()
            if value is not None
        }
        groups = {"model": self.tensors(), "optimizer": moments, "best": self.best_tensors or {}}
        state = {
            "identity": self.identity(),
            "step": self.step,
            "names": names,
            "history": self.history,
            "trace": [(s, float(x), r) for s, x, r in self.trace],
            "notices": self.notices,
            "seconds": self.seconds,
            "train_seconds": self.train_seconds,
            "pieces": self.pieces,
            "stopped": self.stopped,
            "loss_sum": None if self.loss_sum is None else float(self.loss_sum),
            "best": self.best,
            "before": self.before,
        }
        return self.checkpoints.save(self.step, {k: v for k, v in groups.items() if v}, state)

    def restore_state(self) -> None:
        """Take over the newest checkpoint, if it is of this very run; refuse a foreign one by what differs."""
        if self.waiting is None:
            return
        tensors, state = self.waiting
        mine = self.identity()
        for key, theirs in state["identity"].items():
            if mine[key] != theirs:
                what = {
                    "strategy": tr("策略", "strategy"),
                    "config": tr("训练设置", "config"),
                    "corpus": tr("数据", "corpus"),
                }
                differs = [k for k in theirs if theirs[k] != mine[key].get(k)] if isinstance(theirs, dict) else []
                raise BadInput(
                    tr(
                        f"不能从 {self.checkpoints.folder} 继续：那次训练的{what.get(key, '模型')}不同{'（' + listing(differs) + '）' if differs else ''}。"
                        "请用同样的参数，或换一个 out。",
                        f"Cannot resume from {self.checkpoints.folder}: that run has another {what.get(key, 'model')}"
                        f"{' (' + listing(differs) + ')' if differs else ''}. Use the same arguments, or another out.",
                    )
                )
        self.load_tensors(tensors["model"])
        self.step, self.seconds, self.train_seconds = state["step"], state["seconds"], state["train_seconds"]
        self.history = [Epoch(**e) for e in state["history"]]
        self.trace, self.notices = [tuple(t) for t in state["trace"]], state["notices"]
        self.pieces, self.stopped, self.best = state["pieces"], state["stopped"], state["best"] and tuple(state["best"])
        self.loss_sum, self.before, self.best_tensors = state["loss_sum"], state["before"], tensors.get("best")

    def restore_optimizer(self) -> None:
        """Give a fresh optimizer the moments of the checkpoint."""
        if self.waiting is None:
            return
        (tensors, _), self.waiting = self.waiting, None
        by_id = {id(p): n for n, p in self.tensors().items()}
        order = [by_id[id(p)] for g in self.optimizer.param_groups for p in g["params"]]
        state: dict[int, dict] = {}
        for key, value in tensors.get("optimizer", {}).items():
            name, _, moment = key.rpartition("|")
            state.setdefault(order.index(name), {})[moment] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def report(self) -> Run:
        """The run so far as one record, scored on the test rows; asserts that only what may train has moved."""
        moved = tuple(n for n, p in self.model.named_parameters() if fingerprint(p) != self.before[n])
        stray = set(moved) - set(self.tensors())
        assert not stray, f"frozen tensors moved: {sorted(stray)}"
        valid, test = (self.score(s) if self.items[s] else None for s in ("valid", "test"))
        c, parameters = self.config, list(self.model.parameters())
        batches = self.order(0)
        return Run(
            strategy=name_of(self.strategy),
            model=self.model.source,
            seed=c.seed,
            device=str(self.device.type if self.device else "cpu"),
            epochs=len(self.history),
            n_train=len(self.items["train"]),
            n_valid=len(self.items["valid"]),
            n_test=len(self.items["test"]),
            valid_accuracy=valid and valid.accuracy,
            valid_macro_f1=valid and valid.macro_f1,
            test_accuracy=test and test.accuracy,
            test_macro_f1=test and test.macro_f1,
            seconds=self.seconds,
            samples_per_second=self.step * len(self.lengths) / self.batches_per_epoch / max(self.train_seconds, 1e-9),
            peak_memory_mb=self.memory.mb() if self.device else None,
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            total_parameters=sum(p.numel() for p in parameters),
            stopped=self.stopped,
            best_epoch=max(self.history, key=lambda e: e.valid_macro_f1).epoch if self.history else None,
            settings=settings_of(self.strategy),
            config={**asdict(c), "lr": self.lr},
            corpus={
                "name": self.corpus.name,
                "labels": list(self.corpus.labels),
                "fingerprint": self.corpus.fingerprint,
            },
            history=tuple(self.history),
            steps=tuple((s, float(x), r) for s, x, r in self.trace),
            valid=valid,
            test=test,
            padding=padding_share(self.lengths, batches),
            moved=moved,
            notices=tuple(self.notices),
            versions=machine.versions(),
        )


def fingerprint(tensor) -> str:
    """A short hash of a tensor's bits: equal hashes mean equal weights."""
    import hashlib

    import torch

    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def fingerprint_all(prints: dict[str, str]) -> str:
    import hashlib

    return hashlib.blake2b(repr(sorted(prints.items())).encode(), digest_size=8).hexdigest()
