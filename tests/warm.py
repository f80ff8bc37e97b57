"""The command in processes of its own that start at once: forked from one that has everything imported already.

A start of Python with torch and transformers costs seconds; tests about processes (killed, side by side, several of one
run) need many. That `python -m labkit` starts from nothing is tested in cli/test_cli.py.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import BaseContext
from pathlib import Path

MODULES = ("labkit.cli.commands", "labkit.training.folder", "labkit.comparison.compare", "labkit.inspection.forecast")
MODULES += ("labkit.inspection.doctor", "peft", "sklearn.linear_model", "transformers.models.bert.modeling_bert")


def context() -> BaseContext:
    """Forks come from a server without threads; Windows, which has no fork, starts afresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(MODULES))
    return found


def command(words, folder, env, files, kill=None):
    """What the new process does: `labkit WORDS` in this folder, with these files as its output and errors; with
    `kill=(8, signal.SIGTERM)` it sends itself that signal right after the eighth step."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from labkit.cli import commands, progress, running

    class Signalling(progress.Progress):
        def __call__(self, event):
            super().__call__(event)
            if kill and getattr(event, "step", None) == kill[0]:
                os.kill(os.getpid(), kill[1])

    running.Progress = Signalling
    sys.exit(commands.main(list(words)))


class Started:
    """One command under way, made by `start`."""

    def __init__(self, arguments, folder, notes: Path, kill, env):
        self.files = [notes / f"{len(list(notes.iterdir()))}-{name}" for name in ("out", "err")]
        whole = {**os.environ, **{name: str(value) for name, value in env.items()}}
        words = tuple(map(str, arguments))
        given = (words, str(folder), whole, list(map(str, self.files)), kill)
        self.process = context().Process(target=command, args=given)
        self.process.start()
        for path in self.files:
            path.touch()

    def send_signal(self, number: int) -> None:
        """As Popen's: nothing where it has ended already."""
        if self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def ended(self, timeout: float = 120) -> tuple[int, str, str]:
        """Exit status (-9 where it was killed so), output and errors, once it has ended."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        return self.process.exitcode, *(path.read_text("utf-8", "replace") for path in self.files)


def start(arguments, folder, notes, kill=None, **env) -> Started:
    """Run `labkit ARGUMENTS` in `folder`, `kill=(STEP, SIGNAL)` included; what it says is kept in the folder `notes`."""
    Path(notes).mkdir(exist_ok=True)
    return Started(arguments, folder, Path(notes), kill, env)
