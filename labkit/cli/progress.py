"""What a run looks like in a terminal while it goes on: a bar and a line an epoch, on standard error."""

import sys

from labkit.base.language import tr
from labkit.base.records import EpochDone, Notice, StepDone
from labkit.tasks import title_of


class Progress:
    """A listener that draws one bar for each run; leaving the `with` closes it, so that other words start on a new line.

    >>> with Progress() as progress:
    ...     trainer.fit(progress)
    """

    def __init__(self):
        self.bar = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __call__(self, event) -> None:
        if isinstance(event, StepDone):
            self.step(event)
        elif isinstance(event, EpochDone):
            e = event.epoch
            text = tr(
                "第 {} 轮：训练损失 {:.3f}，验证损失 {:.3f}，验证{} {:.3f}",
                "epoch {}: train loss {:.3f}, valid loss {:.3f}, valid {} {:.3f}",
            )
            name, value = next(iter(e.valid.items()))
            self.write(text.format(e.epoch, e.train_loss, e.valid_loss, title_of(name), value))
            if self.bar is not None and self.bar.n >= self.bar.total:
                self.close()  # what follows is not training: it would spoil the rate
        elif isinstance(event, Notice):
            self.write(event.text)

    def step(self, event: StepDone) -> None:
        from tqdm import tqdm

        if self.bar is None or event.step <= self.bar.n:  # another run began
            self.close()
            self.bar = tqdm(
                total=event.steps,
                initial=event.step - 1,
                unit=tr("步", "step"),
                file=sys.stderr,
                dynamic_ncols=True,
                mininterval=0.1 if sys.stderr.isatty() else 5,  # a log file wants few lines
            )
        if event.step % 20 == 0:
            self.bar.set_postfix_str(f"loss {event.loss:.3f}", refresh=False)
        self.bar.update()

    def write(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
