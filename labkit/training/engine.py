"""What carries a run beside the loop: device and precision, seeds, modes, Ctrl-C, its state on disk, its record.

Functions over a Trainer, used by training alone; kept apart so that the loop stays as short as it is on a board.
Device and processes come from accelerate, number formats from torch.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labkit.base import machine
from labkit.base.language import tr
from labkit.base.records import BadInput


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
