"""What carries a run beside the loop: device and precision, seeds, modes, Ctrl-C, its state on disk, its record.

Functions over a Trainer, used by training alone; kept apart so that the loop stays as short as it is on a board.
Device and processes come from accelerate, number formats from torch.
"""

import contextlib
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from labkit import machine
from labkit.data import padding_share
from labkit.forgetting import keep_name, keep_settings
from labkit.intervals import coded
from labkit.models import blocks
from labkit.records import BadInput, Epoch, Run, to_json
from labkit.strategies import name_of, settings_of
from labkit.text import listing, tr


class Engine:
    """Where a run computes, and how exactly.

    >>> engine = Engine("auto", "auto")                  # the best device here; bf16 on a GPU that has it, else fp32
    >>> engine.device, engine.dtype
    (device(type='cpu'), None)

    Under `accelerate launch` or `torchrun` there are several processes: each takes its share of a batch and `add` sums
    what they found. Two engines in one process are independent of each other.
    """

    def __init__(self, device: str = "auto", precision: str = "auto"):
        import torch

        kind = machine.device() if device == "auto" else device
        here = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
        if kind in here and not here[kind]():
            raise BadInput(
                tr(
                    f"device={device!r} 不行：torch 在这台机器上用不了它。请用 'auto' 或 'cpu'。",
                    f"device={device!r} won't do: torch cannot use it on this machine. Take 'auto' or 'cpu'.",
                )
            )
        self.rank, self.processes, self.device = 0, 1, torch.device(kind)
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            from accelerate import PartialState

            state = PartialState(cpu=kind == "cpu")
            self.rank, self.processes, self.device = state.process_index, state.num_processes, state.device
        launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")  # accelerate launch --mixed_precision
        if precision == "auto":
            native = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            precision = launched if launched != "no" else "bf16" if native else "fp32"
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def autocast(self) -> Any:
        """Within it the network computes in `dtype`; weights stay float32."""
        import torch

        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    @contextlib.contextmanager
    def seeded(self, seed: int, step: int) -> Iterator[None]:
        """Random numbers here are a function of (seed, step); the caller's random state is as before afterwards."""
        import torch

        number, gpu = (seed << 32) + step * self.processes + self.rank, self.device.type == "cuda"
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if gpu else []):
            torch.default_generator.manual_seed(number)  # torch.manual_seed formats the whole call stack each time
            if gpu:
                torch.cuda.manual_seed(number)
            yield

    def add(self, parameters: Sequence, loss: Any) -> Any:
        """Sum gradients and loss over all processes; the summed loss."""
        import torch

        if self.processes == 1:
            return loss
        loss = torch.as_tensor(loss, device=self.device, dtype=torch.float32)
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([loss.reshape(1), *(g.reshape(-1) for g in found)])
        torch.distributed.all_reduce(flat)
        for parameter, summed in zip(parameters, flat[1:].split([p.numel() for p in parameters]), strict=True):
            parameter.grad = summed.view_as(parameter)
        return flat[0]

    def update(self, optimizer, parameters: Sequence, clip: float) -> None:
        """Clip the gradients to the norm `clip` (0: don't), step, forget the gradients."""
        import torch

        self.scaler.unscale_(optimizer)
        if clip:
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            if self.device.type != "cpu" or not norm <= clip:  # on a GPU, asking would wait
                torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.zero_grad()


@contextlib.contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the step under way: gives a function that says whether it was pressed. A second one stops at once.

    >>> with patient() as stop:
    ...     for event in trainer.run():
    ...         if stop():
    ...             break
    """
    before, pressed = signal.getsignal(signal.SIGINT), []

    def first(number, frame):
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    if not main or before is not signal.default_int_handler:  # somebody else's handler: let it be
        yield lambda: False
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


# On disk


def identity(trainer) -> dict:
    """What a checkpoint must share with the run that goes on from it."""
    shape = {
        k: v for k, v in trainer.model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")
    }
    return to_json(
        {
            "strategy": {"name": name_of(trainer.strategy), **settings_of(trainer.strategy)},
            "keep": keep_settings(trainer.keep),
            "config": asdict(trainer.config),
            "corpus": trainer.corpus.fingerprint,
            "model": hash_of(repr((shape, sorted(trainer.before.items()))).encode()),
        }
    )


def pack(trainer) -> tuple[dict[str, dict], dict]:
    """Everything that resuming needs: tensors by group and name, and plain values."""
    tensors, states = trainer.tensors(), trainer.optimizer.state
    moments = {f"{n}|{k}": v for n, p in tensors.items() for k, v in states.get(p, {}).items() if v is not None}
    groups = {"model": tensors, "optimizer": moments, "best": trainer.best_tensors}
    state = {
        "identity": identity(trainer),
        "step": trainer.step,
        "history": [asdict(e) for e in trainer.history],
        "trace": [(step, float(loss), lr) for step, loss, lr in trainer.trace],
        "notices": trainer.notices,
        "seconds": trainer.seconds,
        "train_seconds": trainer.train_seconds,
        "pieces": trainer.pieces,
        "stopped": trainer.stopped,
        "loss_sum": float(trainer.loss_sum),
        "scaler": trainer.engine.scaler.state_dict(),
    }
    return {name: group for name, group in groups.items() if group}, state


def unpack(trainer, tensors: dict[str, dict], state: dict) -> None:
    """Put a fresh Trainer where the stored one was; refuse a stored one of another run by what differs."""
    refuse_foreign(trainer, state)
    trainer.history = [Epoch(**e) for e in state["history"]]
    trainer.trace = [tuple(t) for t in state["trace"]]
    for name in ("step", "notices", "seconds", "train_seconds", "pieces", "stopped", "loss_sum"):
        setattr(trainer, name, state[name])
    for number in range(1, len(trainer.history) + (not trainer.finished)):
        trainer.strategy.on_epoch(trainer.model, number, trainer.history[:number])  # what it thawed, it thaws again
    trainer.new_optimizer()
    trainer.load_tensors(tensors["model"])
    parameters = trainer.tensors()
    for key, value in tensors.get("optimizer", {}).items():
        name, _, moment = key.rpartition("|")
        trainer.optimizer.state[parameters[name]][moment] = value.to(trainer.device)
    trainer.best_tensors = {n: t.to(trainer.device) for n, t in tensors.get("best", {}).items()}
    trainer.engine.scaler.load_state_dict(state["scaler"])


def refuse_foreign(trainer, state: dict) -> None:
    mine, theirs = identity(trainer), state.get("identity", {})
    words = {
        "strategy": tr("策略", "strategy"),
        "keep": tr("防遗忘方法", "keep"),
        "config": tr("训练设置", "config"),
        "corpus": tr("数据", "corpus"),
        "model": tr("模型", "model"),
    }
    for key, word in words.items():
        here, there = mine[key], theirs.get(key)
        if here == there:
            continue
        fields = [k for k in here if here[k] != there.get(k)] if isinstance(here, dict) and there else []
        which = f" ({listing(fields)})" if fields else ""
        raise BadInput(
            tr(
                f"不能从 {trainer.checkpoints.folder} 继续：那次训练的{word}不同{which}。请用同样的参数，或换一个 out。",
                f"Cannot resume from {trainer.checkpoints.folder}: that run has another {word}{which}. "
                "Use the same arguments, or another out.",
            )
        )


# In words and numbers


def record(trainer) -> Run:
    """The run so far, scored on validation and test rows; asserts that nothing but what may train has moved."""
    c, parameters = trainer.config, list(trainer.model.parameters())
    moved = tuple(n for n, p in trainer.model.named_parameters() if fingerprint(p) != trainer.before[n])
    stray = set(moved) - set(trainer.tensors())
    assert not stray, f"frozen tensors moved: {sorted(stray)}"
    still = trainer.step > 1 and not set(moved) & set(blocks(trainer.model)[-1].parameters)
    doubt = tr(
        "分类头一点没动：学习率太小，或者没有梯度。",
        "The head has not moved at all: the learning rate is too small, or no gradient arrives.",
    )
    valid, test, answers = trainer.score("valid") if trainer.items["valid"] else None, None, {}
    if trainer.items["test"]:
        logits, truth = trainer.logits("test")
        test = trainer.task.score(logits, truth, trainer.corpus.labels)
        answers = {"answers": coded(logits.argmax(-1)), "truth": coded(truth)}
    rows_seen = trainer.step * len(trainer.lengths) / trainer.batches_per_epoch
    labels = list(trainer.corpus.labels)
    return Run(
        strategy=name_of(trainer.strategy) + (f"+{keep_name(trainer.keep)}" if trainer.keep else ""),
        model=trainer.source,
        seed=c.seed,
        device=trainer.device.type,
        epochs=len(trainer.history),
        n_train=len(trainer.items["train"]),
        n_valid=len(trainer.items["valid"]),
        n_test=len(trainer.items["test"]),
        valid_accuracy=valid and valid.accuracy,
        valid_macro_f1=valid and valid.macro_f1,
        test_accuracy=test and test.accuracy,
        test_macro_f1=test and test.macro_f1,
        seconds=trainer.seconds,
        samples_per_second=rows_seen / max(trainer.train_seconds, 1e-9),
        peak_memory_mb=trainer.memory.mb(),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        total_parameters=sum(p.numel() for p in parameters),
        stopped=trainer.stopped,
        best_epoch=trainer.best_epoch,
        settings=settings_of(trainer.strategy) | ({"keep": keep_settings(trainer.keep)} if trainer.keep else {}),
        config={**asdict(c), "lr": trainer.lr},
        corpus={"name": trainer.corpus.name, "labels": labels, "fingerprint": trainer.corpus.fingerprint},
        history=tuple(trainer.history),
        steps=tuple((step, float(loss), lr) for step, loss, lr in trainer.trace),
        valid=valid,
        test=test,
        padding=padding_share(trainer.lengths, trainer.order(0)),
        moved=moved,
        notices=(*trainer.notices, *([doubt] if still else [])),
        versions=machine.versions(),
        **answers,
    )


def fingerprint(tensor) -> str:
    """A short hash of a tensor's shape and bits: equal hashes mean equal weights."""
    import torch

    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hash_of(data, repr(tuple(tensor.shape)).encode())


def hash_of(*data) -> str:
    made = hashlib.blake2b(digest_size=8)
    for part in data:
        made.update(part)
    return made.hexdigest()
