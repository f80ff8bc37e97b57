"""Files that are whole or absent: safetensors and JSON in a folder whose manifest is written last. Never pickle.

A folder is written under a temporary name, flushed to disk and renamed; its manifest holds the SHA-256 of every
other file, so that a truncated, altered or foreign checkpoint is refused by name. Notebook 01 shows one.
"""

import contextlib
import errno
import getpass
import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run, from_json, to_json

MANIFEST = "manifest.json"
ASSETS = Path(__file__).parents[1] / "assets"  # models, fonts and small data files that come with the package


def digest(path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_text(path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    path = Path(path)
    fresh = path.with_name(f".{path.name}.new")
    try:
        with open(fresh, "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        os.replace(fresh, path)
        flush_names(path.parent)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def flush_names(folder: Path) -> None:
    """Make the names in a folder survive a power cut; Windows has no such call and does it by itself."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def save_run(run: Run, path) -> None:
    """Write a run as one JSON file."""
    write_text(path, json.dumps(to_json(run), ensure_ascii=False, indent=1) + "\n")


def load_run(path) -> Run:
    """Read a run file back: `load_run(p) == run` after `save_run(run, p)`. BadInput with its name where it is damaged."""
    run = read_record(Run, path)
    for held, keys in ((run.corpus, ("name", "labels", "fingerprint")), (run.task, ("name", "modality"))):
        if lacking := [key for key in keys if key not in held]:
            raise damaged(path, tr(f"缺少 {listing(lacking)}", f"it lacks {listing(lacking)}"))
    return run


def read_json(path, kind: type = dict) -> Any:
    """What a JSON file holds; BadInput naming the file and the reason where it is cut short, altered or of another kind.

    The one door for every JSON that labkit reads back: runs, manifests, cards, checkpoints, reports.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError:
        raise damaged(path, tr("嵌套太深", "it is nested too deeply")) from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise damaged(path, str(error)) from None
    if not isinstance(value, kind):
        raise damaged(path, tr(f"里面是 {word_for(value)}", f"it holds {word_for(value)}"))
    return value


def read_record(kind: type, path) -> Any:
    """A record class as a JSON file holds it."""
    try:
        return from_json(kind, read_json(path))
    except BadInput:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise damaged(path, str(error)) from None


def damaged(path, reason: str) -> BadInput:
    return BadInput(
        tr(
            f"{path} 已损坏或被改动（{reason}）。请删除它，或换成一份完好的；其他文件没有动过。",
            f"{path} is damaged or altered ({reason}). Delete it, or put a sound copy in its place; nothing else was touched.",
        )
    )


def word_for(value) -> str:
    words = {type(None): "null", list: tr("列表", "a list"), dict: tr("对象", "an object"), str: tr("文本", "a text")}
    return words.get(type(value), tr("数", "a number"))


@contextlib.contextmanager
def new_folder(folder) -> Iterator[Path]:
    """A temporary folder that takes the name `folder` when the block ends well, and vanishes when it does not.

    The manifest is written last. Raises FileExistsError where `folder` already holds something.
    """
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(errno.EEXIST, tr("已经存在", "already exists"), str(folder))
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        seal(fresh)
        if folder.exists():
            folder.rmdir()
        os.rename(fresh, folder)
        flush_names(folder.parent)
    except BaseException as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if is_full(error):
            raise disk_full(folder) from None
        raise


@contextlib.contextmanager
def held(place, wait: float = 0) -> Iterator[None]:
    """Within the block no other process or thread that asks here writes to this folder or file; BadInput where one does,
    after `wait` seconds.

    The lock is the system's own, on a file in the temporary folder: it ends with its owner, also by kill -9.
    """
    from filelock import FileLock, Timeout

    place = Path(place).resolve()
    locks = Path(tempfile.gettempdir()) / f"labkit-locks-{os.getuid() if hasattr(os, 'getuid') else getpass.getuser()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(locks / f"{hashlib.sha256(str(place).encode()).hexdigest()[:32]}.lock", timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise BadInput(
            tr(
                f"{place} 正由另一个程序（或面板）写入。请等它结束，或换一个位置。",
                f"{place} is being written by another program (or panel). Wait for its end, or take another place.",
            )
        ) from None
    try:
        yield
    finally:
        lock.release()


def fresh_folder(parent, name: str) -> Path:
    """Make the first of name, name-2, name-3 … that is not there yet: two who ask at once get two."""
    for path in numbered(parent, name):
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path


def fresh_file(parent, name: str, suffix: str) -> Path:
    """The same for a file, left empty until it is written."""
    Path(parent).mkdir(parents=True, exist_ok=True)
    for path in numbered(parent, name, suffix):
        with contextlib.suppress(FileExistsError):
            path.open("x").close()
            return path


def numbered(parent, name: str, suffix: str = "") -> Iterator[Path]:
    """name, name-2, name-3 … in a folder."""
    return (Path(parent) / f"{name}{f'-{i}' if i > 1 else ''}{suffix}" for i in itertools.count(1))


def seal(folder: Path) -> None:
    """Flush every file of a folder to disk and write the manifest that names them."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    for name in names:
        with open(folder / name, "rb+") as f:
            os.fsync(f.fileno())
    write_text(folder / MANIFEST, json.dumps({"sha256": {n: digest(folder / n) for n in names}}, indent=1) + "\n")


def verify(folder) -> None:
    """Raise BadInput naming the file that is missing or altered; silence means that the folder is whole."""
    folder = Path(folder)
    try:
        wanted = dict(read_json(folder / MANIFEST)["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(
            tr(
                f"{folder} 不是完整的存档：没有可读的 {MANIFEST}。",
                f"{folder} is no whole checkpoint: it has no readable {MANIFEST}.",
            )
        ) from None
    for name, sha in wanted.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise damaged(folder / MANIFEST, tr(f"它说到别处的文件 {name}", f"it names a file elsewhere, {name}"))
        if not (folder / name).is_file():
            raise BadInput(tr(f"存档 {folder} 缺少文件 {name}。", f"Checkpoint {folder} lacks the file {name}."))
        if digest(folder / name) != sha:
            raise BadInput(
                tr(
                    f"存档文件 {folder / name} 已损坏或被改动（校验和不符）。请删除它，从上一个存档继续。",
                    f"Checkpoint file {folder / name} is truncated or altered (its checksum differs). "
                    "Delete that checkpoint and resume from the one before.",
                )
            )


def is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or (
        "No space left" in str(error) or "os error 28" in str(error)
    )


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


def disk_full(folder) -> OSError:
    """One clear error for a full disk: safetensors reports it in an error type of its own."""
    message = tr(
        "磁盘已满，什么都没有写下。请腾出空间或换一个位置",
        "the disk is full, nothing was written; free some space or choose another place",
    )
    return OSError(errno.ENOSPC, message, str(folder))
