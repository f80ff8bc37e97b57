"""What runs look like in a terminal while they go on: a bar a run, one for the whole, and a line an epoch, on standard error."""

import sys

from labkit.base.language import tr
from labkit.base.records import EpochDone, Notice, RunBegins, RunEnds, StepDone
from labkit.tasks import title_of


class Progress:
    """A listener that draws one bar for each run under way, and one for a comparison; leaving the `with` closes them, so
    that other words start on a new line.

    >>> with Progress() as progress:
    ...     trainer.fit(progress)

    Of a comparison `finished` is how many of its runs were done before. In a file, where no bar can move, several runs at
    once are told by lines alone.
    """

    def __init__(self, finished: int = 0):
        self.bars, self.names = {}, {}  # by the run's number
        self.whole, self.finished, self.live = None, finished, sys.stderr.isatty()
        self.mixed = False  # whether several were under way at once

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __call__(self, event) -> None:
        if isinstance(event, RunBegins):
            self.begin(event)
        elif isinstance(event, StepDone):
            self.step(event)
        elif isinstance(event, EpochDone):
            self.end_epoch(event)
        elif isinstance(event, Notice):
            self.write(event.text)
        elif isinstance(event, RunEnds):
            self.end(event)

    def begin(self, event: RunBegins) -> None:
        """A run of a comparison; the first brings the bar of the whole."""
        self.close_bar(event.number)  # it is done again
        self.names[event.number] = tr(f"{event.strategy}，种子 {event.seed}", f"{event.strategy}, seed {event.seed}")
        self.mixed = self.mixed or len(self.names) > 1
        if self.live and self.whole is None and event.total > 1:
            self.whole = self.bar(tr("全部", "all"), event.total, self.finished, tr("次训练", "run"))
        self.write(event.text)

    def step(self, event: StepDone) -> None:
        bar = self.bars.get(event.number)
        if bar is None or event.step <= bar.n:  # another run began
            self.close_bar(event.number)
            if self.mixed and not self.live:
                return
            name = self.names.get(event.number, "")
            bar = self.bars[event.number] = self.bar(name, event.steps, event.step - 1, tr("步", "step"))
        if event.step % 20 == 0 or isinstance(event.loss_tensor, float):  # on a GPU, asking for the number waits
            bar.set_postfix_str(f"loss {event.loss:.3f}", refresh=False)
        bar.update(event.step - bar.n)

    def end_epoch(self, event: EpochDone) -> None:
        e = event.epoch
        text = tr(
            "第 {} 轮：训练损失 {:.3f}，验证损失 {:.3f}，验证{} {:.3f}",
            "epoch {}: train loss {:.3f}, valid loss {:.3f}, valid {} {:.3f}",
        )
        name, value = next(iter(e.valid.items()))
        whose = f"{self.names.get(event.number, '')}{tr('：', ': ')}" if self.mixed else ""
        self.write(whose + text.format(e.epoch, e.train_loss, e.valid_loss, title_of(name), value))
        bar = self.bars.get(event.number)
        if bar is not None and bar.n >= bar.total:
            self.close_bar(event.number)  # what follows is not training: it would spoil the rate

    def end(self, event: RunEnds) -> None:
        self.close_bar(event.number)
        if self.names.pop(event.number, None) and self.whole is not None:
            self.whole.update()

    def bar(self, name: str, total: int, done: int, unit: str):
        from tqdm import tqdm

        return tqdm(
            desc=name or None,
            total=total,
            initial=done,
            unit=unit,
            file=sys.stderr,
            dynamic_ncols=True,
            leave=not self.whole,
            mininterval=0.1 if self.live else 5,  # a log file wants few lines
        )

    def write(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

    def close_bar(self, number: int) -> None:
        if number in self.bars:
            self.bars.pop(number).close()

    def close(self) -> None:
        for number in list(self.bars):
            self.close_bar(number)
        if self.whole is not None:
            self.whole.close()
            self.whole = None
