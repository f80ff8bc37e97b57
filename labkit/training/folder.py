"""The folder a command writes to: new or empty, large enough, proven to take files, and gone again if nothing came of it."""

import contextlib
import errno
import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from labkit.base import machine
from labkit.base.files import MANIFEST, write_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run


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
        raise BadInput(tr(f"--out {out} 是一个文件；请给一个目录。", f"--out {out} is a file; give a folder."))
    full = out.exists() and any(out.iterdir())
    if not resume and full:
        raise BadInput(
            tr(
                f"--out {out} 已存在且不空，不会覆盖。请换一个目录，或加 --resume 继续那次训练。",
                f"--out {out} exists and is not empty; nothing is overwritten. Choose another folder, or --resume that run.",
            )
        )
    if resume and not out.exists():
        raise BadInput(
            tr(
                f"--resume：没有目录 {out}。请检查 --out；要从头训练就去掉 --resume。",
                f"--resume: there is no folder {out}. Check --out; to start from the beginning, leave out --resume.",
            )
        )
    if resume and full and not (out / "run.json").exists() and not (out / "checkpoint").is_dir():
        raise BadInput(
            tr(
                f"--resume：{out} 里没有可以继续的训练。请检查 --out；要从头训练就去掉 --resume，换一个空目录。",
                f"--resume: {out} holds no run to go on with. Check --out; to start from the beginning, leave out "
                "--resume and choose an empty folder.",
            )
        )


def new_folder(name: str) -> Path:
    """The first of runs/name, runs/name-2, … that is not there yet."""
    numbers = ["", *(f"-{i}" for i in range(2, 10_000))]
    return next(p for p in (Path("runs") / f"{name}{n}" for n in numbers) if not p.exists())


def check_room(out: Path, trainer) -> None:
    """Refuse before minutes of training where the disk cannot hold the checkpoints and the model (float32)."""
    trained = sum(p.numel() for p in trainer.tensors().values())
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
                f"--out {out}：磁盘只剩 {free:,.0f} MB，这次训练约需 {need:,.0f} MB（存档和模型）。请腾出空间，或换一个目录。",
                f"--out {out}: the disk has {free:,.0f} MB free, this run needs about {need:,.0f} MB (checkpoints and model). "
                "Free some space, or choose another folder.",
            )
        )


@contextlib.contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make the folder and prove that it takes files. Where the block fails, what was made goes again, but for results
    and whole checkpoints: with those the error says how to go on."""
    from labkit.training.checkpoint import Checkpoints

    if not machine.main_process():  # the first of several processes makes and writes
        yield
        return
    made = [p for p in (out, *out.parents) if not p.exists()]  # the innermost first

    def undo() -> None:
        if not Checkpoints(out / "checkpoint").all():
            shutil.rmtree(out / "checkpoint", ignore_errors=True)
        with contextlib.suppress(OSError):  # a folder that holds something stays
            for folder in made:
                folder.rmdir()

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "started", "x" * 65536)
        (out / "started").unlink()
    except OSError as error:
        undo()
        raise BadInput(
            tr(
                f"不能写入 --out {out}（{reason(error)}）。请换一个目录。",
                f"Cannot write to --out {out} ({reason(error)}). Choose another folder.",
            )
        ) from None
    try:
        yield
    except BaseException as error:
        undo()
        if (out / "checkpoint").exists():
            again = f"--out {shlex.quote(str(out))} --resume"
            error.add_note(
                tr(
                    f"已完成的部分有存档；接着训练：同样的命令加 {again}",
                    f"What is done is kept; to go on, give the same command with {again}",
                )
            )
        raise


def stored_run(out: Path, strategy, model: str, config, corpus) -> Run:
    """The stored run, provided that it is the one asked for."""
    from labkit.base.files import load_run
    from labkit.strategies import name_of

    run = load_run(out / "run.json")
    asked = {"strategy": name_of(strategy), "model": Path(model).name, "corpus": corpus.fingerprint}
    stored = {"strategy": run.strategy, "model": Path(run.model).name, "corpus": run.corpus["fingerprint"]}
    asked |= {k: v for k, v in asdict(config).items() if v is not None}
    stored |= {k: v for k, v in run.config.items() if k in asked}
    differs = [k for k in asked if asked[k] != stored.get(k)]
    if differs:
        raise BadInput(
            tr(
                f"--resume：{out} 里是另一次训练（{listing(differs)} 不同）。请用同样的参数，或换一个 --out。",
                f"--resume: {out} holds another run (other {listing(differs)}). Use the same arguments, or another --out.",
            )
        )
    return run


def reason(error: OSError) -> str:
    """What the operating system says, in the language in force where it is one of the usual things."""
    if error.strerror != os.strerror(error.errno):
        return error.strerror  # said by labkit
    words = {
        errno.EACCES: tr("没有权限", "permission denied"),
        errno.EPERM: tr("没有权限", "permission denied"),
        errno.EROFS: tr("磁盘是只读的", "the disk is read-only"),
        errno.ENOSPC: tr("磁盘已满", "the disk is full"),
        errno.ENAMETOOLONG: tr("名字太长", "the name is too long"),
        errno.ENOENT: tr("没有这个位置", "there is no such place"),
        errno.ENOTDIR: tr("上一级不是目录", "what is above it is no folder"),
        errno.EEXIST: tr("已经存在", "it exists already"),
    }
    return words.get(error.errno, error.strerror)
