"""The command `labkit`. Results go to standard output, progress to standard error.

Exit status: 0 done; 2 bad input or arguments, with one clear message and no traceback; 1 anything else.
What each command does stands in running (train, compare, search, demo) and shipping (predict, serve, export, compress).
"""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from labkit import __version__
from labkit.base import machine, memory
from labkit.base.files import reason
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.cli import running, shipping
from labkit.cli.arguments import arguments
from labkit.cli.report import line, say


def main(given: list[str] | None = None) -> int:
    """Run one command; the answer is the exit status. `--help` and bad arguments leave by SystemExit, as in argparse."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="strict" if stream is sys.stdin else "backslashreplace")
    given = sys.argv[1:] if given is None else given
    if not given:
        arguments().print_help(sys.stderr)
        return 2
    options = arguments().parse_args(given)
    with as_ctrl_c(signal.SIGTERM) as arrived:
        status = run_command(options)
    return 128 + signal.SIGTERM if arrived and status == 1 else status


@contextlib.contextmanager
def as_ctrl_c(number: int) -> Iterator[list[int]]:
    """Within the block this signal does what Ctrl-C does: the step under way is finished and what is done is kept."""
    arrived: list[int] = []

    def handle(given, frame):
        arrived.append(given)
        pressed = signal.getsignal(signal.SIGINT)
        (pressed if callable(pressed) else signal.default_int_handler)(signal.SIGINT, frame)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) != signal.SIG_DFL:
        yield arrived  # somebody else's handler: let it be
        return
    signal.signal(number, handle)
    try:
        yield arrived
    finally:
        signal.signal(number, signal.SIG_DFL)


def run_command(options) -> int:
    """The command that was asked for; the exit status."""
    if not machine.main_process():  # one of several: it helps to compute, the first one speaks and writes
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            return answered(options)
    return answered(options)


def answered(options) -> int:
    """Run the command that was asked for; the exit status."""
    commands = {
        "train": running.train,
        "compare": running.compare,
        "search": running.search,
        "predict": shipping.predict,
        "doctor": doctor,
        "demo": running.demo,
        "class": classroom,
        "serve": shipping.serve,
        "export": shipping.export,
        "compress": shipping.compress,
    }
    try:
        commands[options.command](options)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt as stop:
        say(spelled(with_notes(tr("已中断。", "Interrupted."), stop)))
        return 1
    except BrokenPipeError:  # as in `labkit predict ... | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UnicodeError as error:
        say(f"labkit: {tr('输入的不是 UTF-8 文本', 'the input is no UTF-8 text')}: {error}")
        return 2
    except (BadInput, OSError) as error:
        say(f"labkit: {spelled(with_notes(message_of(error), error))}")
        return 2


def message_of(error: Exception) -> str:
    """One clear sentence: an operating system's error with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {reason(error)}" if error.filename else reason(error)
    return str(error)


def with_notes(text: str, error: BaseException) -> str:
    return "\n".join([text, *getattr(error, "__notes__", ())])


def spelled(text: str) -> str:
    """A message with Python's arguments as the command line writes them."""
    return (
        text.replace("resume=True", "--resume")
        .replace("out=", "--out ")
        .replace("workers=", "--workers ")
        .replace("--out 。", "--out。")
    )


def doctor(options) -> None:
    """What is here, what is missing, how to get it. Never fails: it is asked when something else did."""
    found = {"python": machine.versions()["python"], "labkit": __version__}
    found |= {p: machine.version(p) for p in (*machine.PACKAGES, *machine.OPTIONAL)}
    missing = [f"{p}: pip install {p}" for p in machine.PACKAGES if not found[p]]
    missing += [f"{p}: pip install 'labkit[{extra}]'" for p, extra in machine.OPTIONAL.items() if not found[p]]
    try:
        device = machine.device()
        name = machine.device_name(device)
    except Exception as error:  # torch is missing, or its installation is broken
        words = str(error).replace(str(Path.home()), "~")  # what is pasted into a report has no name in it
        device, name = None, tr(f"torch 不可用（{words}）", f"torch does not work ({words})")
    free, total = memory.memory_mb() or (None, None)
    report = {
        "versions": found,
        "system": machine.system(),
        "device": device,
        "device_name": name,
        "memory_available_mb": free and round(free),
        "memory_total_mb": total and round(total),
        "disk_free_mb": round(machine.free_disk_mb(".")),
        "missing": missing,
    }
    if options.json:
        return print(json.dumps(report, ensure_ascii=False))
    for package, version in found.items():
        print(f"{package:14} {version or tr('未安装', 'not installed')}")
    line(tr("设备", "device"), name)
    if total:
        line(tr("可用内存", "memory available"), f"{free / 1024:.1f} / {total / 1024:.1f} GB")
    line(tr("可用磁盘", "disk available"), f"{report['disk_free_mb'] / 1024:.1f} GB")
    for what in missing:
        line(tr("缺少", "missing"), what)
    if not missing:
        print(tr("一切就绪。", "Everything is here."))
    print(
        tr(
            "报告问题：把 labkit doctor --json 的输出贴进代码仓库的“问题 · Bug”表单；里面没有路径，也没有用户名。",
            "To report a problem, paste what `labkit doctor --json` prints into the repository's form “问题 · Bug”; "
            "no path and no user name is in it.",
        )
    )


def classroom(options) -> None:
    """The reports that students handed in, as a table; page, CSV and figures are written."""
    from labkit_exercises.classroom import read_class, write_class

    found = read_class(options.reports)
    written = write_class(found, options.out)
    for name, why in found.skipped.items():
        say(f"{name}{tr('：', ': ')}{why}")
    if options.json:
        return print(json.dumps(found.to_json(), ensure_ascii=False))
    print(found)
    line(tr("写好了", "written"), listing(written))
