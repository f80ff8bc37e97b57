"""A run with a folder of its own: proven to take files, checkpointed on the way, published whole, gone if nothing came of it.

`labkit train` is this with words around it.
"""

import contextlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.base import machine
from labkit.base.config import TrainConfig
from labkit.base.files import MANIFEST, fresh_folder, held, load_run, reason, save_run, write_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run
from labkit.data.corpus import Corpus
from labkit.models.loading import load, save
from labkit.strategies import Strategy, as_strategy
from labkit.strategies.retaining import Retainer
from labkit.training.checkpoint import Checkpoints
from labkit.training.engine import patient
from labkit.training.identity import differences, identity_asked
from labkit.training.trainer import Trainer


def publish(made: Path, folder: Path) -> None:
    """Move the files of a finished directory into `folder`, which may hold others; the manifest goes last."""
    for path in sorted(made.iterdir(), key=lambda p: p.name == MANIFEST):
        target = folder / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    made.rmdir()


def check_folder(out: Path, resume: bool) -> None:
    """The folder to write to must be new or empty; to resume, it must be there and be a run's."""
    if out.exists() and not out.is_dir():
        raise BadInput(tr(f"out={out} 是一个文件；请给一个目录。", f"out={out} is a file; give a folder."))
    full = out.exists() and any(out.iterdir())
    if not resume and full:
        raise BadInput(
            tr(
                f"out={out} 已存在且不空，不会覆盖。请换一个目录，或加 resume=True 继续那次训练。",
                f"out={out} exists and is not empty; nothing is overwritten. Choose another folder, or resume=True that run.",
            )
        )
    if resume and not out.exists():
        raise BadInput(
            tr(
                f"resume=True：没有目录 {out}。请检查 out=；要从头训练就去掉 resume=True。",
                f"resume=True: there is no folder {out}. Check out=; to start from the beginning, leave out resume=True.",
            )
        )
    if resume and full and not (out / "run.json").exists() and not (out / "checkpoint").is_dir():
        raise BadInput(
            tr(
                f"resume=True：{out} 里没有可以继续的训练。请检查 out=；要从头训练就去掉 resume=True，换一个空目录。",
                f"resume=True: {out} holds no run to go on with. Check out=; to start from the beginning, leave out "
                "resume=True and choose an empty folder.",
            )
        )


def check_room(out: Path, trainer) -> None:
    """Refuse before minutes of training where the disk cannot hold the checkpoints and the model (float32)."""
    trained = sum(t.numel() for t in trainer.tensors().values())
    state = trained * {"adamw": 3, "adam": 3, "momentum": 2, "sgd": 1}[trainer.config.optimizer]
    model = sum(p.numel() for p in trainer.model.parameters())
    if trainer.config.patience:
        state += trained  # the best weights so far
    epochs = trainer.config.epochs  # a new checkpoint is written before the third last goes
    need = 4 * max(min(epochs, 3) * state, min(epochs, 2) * state + model) / 2**20
    free = machine.free_disk_mb(out)
    if 0 < free < need:
        raise BadInput(
            tr(
                f"out={out}：磁盘只剩 {free:,.0f} MB，这次训练约需 {need:,.0f} MB（存档和模型）。请腾出空间，或换一个目录。",
                f"out={out}: the disk has {free:,.0f} MB free, this run needs about {need:,.0f} MB (checkpoints and model). "
                "Free some space, or choose another folder.",
            )
        )


@contextlib.contextmanager
def claimed(out: Path, lock: bool = True) -> Iterator[None]:
    """Make the folder, prove that it takes files, and hold it (without `lock`: what is done inside holds it). Where the
    block fails, what was made goes again, but for results and whole checkpoints."""
    if not machine.main_process():  # the first of several processes makes and writes
        yield
        return
    fresh = [p for p in (out, *out.parents) if not p.exists()]  # the innermost first

    def undo() -> None:
        if not Checkpoints(out / "checkpoint").all():
            shutil.rmtree(out / "checkpoint", ignore_errors=True)
        with contextlib.suppress(OSError):  # a folder that holds something stays
            for folder in fresh:
                folder.rmdir()

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "started", "x" * 65536)
        (out / "started").unlink()
    except OSError as error:
        undo()
        raise BadInput(
            tr(
                f"不能写入 out={out}（{reason(error)}）。请换一个目录。",
                f"Cannot write to out={out} ({reason(error)}). Choose another folder.",
            )
        ) from None
    try:
        with held(out) if lock else contextlib.nullcontext():
            yield
    except BaseException:
        undo()
        raise


@contextlib.contextmanager
def own_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder below `parent` that was not there before, gone again where the block fails and left nothing in it."""
    if not machine.main_process():
        yield parent / name
        return
    made = [] if parent.exists() else [parent]
    out = fresh_folder(parent, name)
    try:
        yield out
    except BaseException:
        with contextlib.suppress(OSError):  # a folder that holds something stays
            for folder in (out, *made):
                folder.rmdir()
        raise


class RunFolder:
    """One run of a model on a corpus, in a folder that afterwards holds the model, `run.json` and nothing else.

    >>> folder = RunFolder("runs/mine", "tiny-bert-zh", corpus, HeadOnly())
    >>> run = folder.fit()                                  # or: for event in folder.run(): ...
    >>> load("runs/mine")                                   # the model that was trained

    The folder must be new or empty. After every epoch it holds a checkpoint; with `resume=True` the newest goes on, and a
    run that is finished is read back. Leaving `run()` keeps what is done. Raises BadInput before anything is written
    where model, strategy, corpus or folder cannot work.
    """

    def __init__(
        self,
        out,
        model: str,
        corpus: Corpus,
        strategy: Strategy | str | None = None,
        config: TrainConfig | None = None,
        *,
        retain: Retainer | None = None,
        resume: bool = False,
    ):
        self.out, self.source, self.corpus = Path(out), str(model), corpus
        self.strategy, self.config, self.retain = as_strategy(strategy), config or TrainConfig(), retain
        if machine.main_process():
            check_folder(self.out, resume)
        self.trainer, self.model, self.result, self.found = None, None, None, self.contents()
        if resume and (self.out / "run.json").exists():
            self.result = self.stored()
            return
        self.model = load(self.source, task=corpus.task, seed=self.config.seed)
        self.trainer = Trainer(
            self.model, corpus, self.strategy, self.config, retain=retain, out=self.out, resume=resume
        )
        check_room(self.out, self.trainer)

    def contents(self) -> list[Path]:
        """What the folder holds of a run now."""
        return [*self.out.glob("run.json"), *Checkpoints(self.out / "checkpoint").all()]

    def identity(self) -> dict:
        """What makes it this run and no other."""
        return identity_asked(self.strategy, self.config, self.corpus, self.source, self.retain)

    def stored(self) -> Run:
        """The finished run in the folder, provided that it is the one asked for."""
        run = load_run(self.out / "run.json")
        unequal = differences(self.identity(), run.identity)
        if unequal:
            raise BadInput(
                tr(
                    f"resume=True：{self.out} 里是另一次训练（{listing(unequal)} 不同）。请用同样的参数，或换一个 out=。",
                    f"resume=True: {self.out} holds another run (other {listing(unequal)}). Use the same arguments, or another out=.",
                )
            )
        return run

    def fit(self, *listeners: Callable[[Any], None], first: Callable[[], None] | None = None) -> Run:
        """Train to the end, publish, and return the run; `first` is called once the folder is proven to take files. Ctrl-C
        keeps every finished step and is raised again, with a note on how to go on."""
        events = self.run(first)
        try:
            with patient() as stop:
                for event in events:
                    for listen in listeners:
                        listen(event)
                    if stop() and not self.trainer.finished:
                        raise KeyboardInterrupt
        except BaseException as error:
            events.close()
            raise self.how_to_go_on(error) from error.__cause__
        return self.result

    def run(self, first: Callable[[], None] | None = None) -> Iterator[Any]:
        """The events of the training; then the folder is published and `result` is the run."""
        if self.result is not None:
            return
        with claimed(self.out):
            if machine.main_process() and self.contents() != self.found:
                raise BadInput(
                    tr(
                        f"{self.out} 在这期间被另一个程序改动了：请再运行一次。",
                        f"{self.out} was changed by another program meanwhile: give the command again.",
                    )
                )
            if first:
                first()
            yield from self.kept(self.trainer.run())
            run = self.trainer.report()
            self.result = self.publish(run) if machine.main_process() else run

    def kept(self, events: Iterator[Any]) -> Iterator[Any]:
        """The same events; who leaves between two steps finds this very moment in the folder."""
        try:
            yield from events
        except GeneratorExit:
            if not self.trainer.finished:
                self.trainer.save_state()
            raise

    def publish(self, run: Run) -> Run:
        """The model's files and the record in place of the checkpoints; run.json goes last."""
        final = self.out / "checkpoint" / "final"
        shutil.rmtree(final, ignore_errors=True)
        save(
            self.trainer.model, final, record={"strategy": run.strategy, "config": run.config, "versions": run.versions}
        )
        size = sum(p.stat().st_size for p in final.rglob("*") if p.is_file())
        run = replace(run, out=str(self.out), saved_bytes=size, identity=self.identity())
        publish(final, self.out)
        save_run(run, self.out / "run.json")
        shutil.rmtree(self.out / "checkpoint")
        return run

    def how_to_go_on(self, error: BaseException) -> BaseException:
        """The error with a note on how the run goes on, where a checkpoint is there."""
        if (self.out / "checkpoint").exists():
            again = f"out={shlex.quote(str(self.out))} resume=True"
            error.add_note(
                tr(
                    f"已完成的部分有存档；接着训练：同样的参数加 {again}",
                    f"What is done is kept; to go on, give the same arguments with {again}",
                )
            )
        return error


def train_into(
    out, corpus: Corpus, strategy: Strategy | str | None = None, config: TrainConfig | None = None, **more
) -> Run:
    """Train into a folder, crash-safe: `train_into("runs/mine", corpus, LoRA(), model="tiny-bert-zh")`; see RunFolder."""
    model, listen = more.pop("model", corpus.task.default_model), more.pop("listen", None)
    return RunFolder(out, model, corpus, strategy, config, **more).fit(*([listen] if listen else []))
