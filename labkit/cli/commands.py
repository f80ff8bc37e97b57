"""The command `labkit`: train, compare, predict, doctor, demo. Results go to standard output, progress to standard error.

Exit status: 0 done; 2 bad input or arguments, with one clear message and no traceback; 1 anything else.
Leans on flags (the arguments), output (the folder) and progress (the bar); the work is done by the floors below.
"""

import contextlib
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from labkit import __version__
from labkit.base import machine, memory
from labkit.base.config import TrainConfig
from labkit.base.files import reason
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Notice, Run
from labkit.cli import shipping
from labkit.cli.arguments import arguments
from labkit.cli.progress import Progress
from labkit.cli.report import describe, flat, line, say, search_json, show_run, write_comparison, write_search


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
        "train": train,
        "compare": compare,
        "search": search,
        "predict": predict,
        "doctor": doctor,
        "demo": demo,
        "class": classroom,
        "serve": serve,
        "export": functools.partial(shipping.export, corpus_of=corpus_of),
        "compress": functools.partial(shipping.compress, corpus_of=corpus_of),
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


# What the arguments mean


def config_of(options, kind: type = TrainConfig, **more):
    names = [f.name for f in fields(kind) if hasattr(options, f.name)]
    try:
        return kind(**{n: getattr(options, n) for n in names}, **more)
    except BadInput as error:
        name, equals, rest = str(error).partition("=")  # "max_length=1 …" is what Python calls --max-length 1
        raise BadInput(f"--{name.replace('_', '-')} {rest}" if equals and name in names else str(error)) from None


def corpus_of(options):
    """The rows to work on. Their splits do not depend on --seed: runs of several seeds are judged on the same rows."""
    from labkit.data.loading import load_csv
    from labkit.data.packaged import PACKAGED

    if options.limit is not None and options.limit < 1:
        raise BadInput(
            tr(
                f"--limit {options.limit} 不行：应是正整数。",
                f"--limit {options.limit} won't do: give a positive whole number.",
            )
        )
    if options.data in PACKAGED and not Path(options.data).exists():
        if options.valid or options.test:
            raise BadInput(
                tr(
                    f"自带的数据 {options.data} 已划分好：请去掉 --valid 和 --test。",
                    f"The packaged {options.data} come with their splits: leave out --valid and --test.",
                )
            )
        corpus = PACKAGED[options.data](options.limit)
        if options.task not in (None, corpus.task.name):
            raise BadInput(
                tr(
                    f"--task {options.task} 不行：自带的数据 {options.data} 的任务是 {corpus.task.name}。请去掉 --task。",
                    f"--task {options.task} won't do: the task of the packaged {options.data} is {corpus.task.name}. "
                    "Leave out --task.",
                )
            )
    else:
        asked = {"valid": options.valid, "test": options.test, "limit": options.limit, "task": options.task}
        asked |= {"text_pair": options.text_pair, "columns": columns_of(options.columns)}
        asked |= {"groups": options.groups, "augment": settings_of(options.augment)}
        corpus = load_csv(options.data, options.text, options.label, **asked)
    options.model = options.model or corpus.task.default_model
    return corpus


def columns_of(text: str) -> dict[str, str]:
    """What "question=q,context=paragraph" says."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(name.strip() and column.strip() for name, _, column in pairs):
        raise BadInput(
            tr(
                f"--columns {text!r} 不行：应像 question=问题,context=段落。",
                f"--columns {text!r} won't do: give something like question=q,context=paragraph.",
            )
        )
    return {name.strip(): column.strip() for name, _, column in pairs}


def settings_of(text: str) -> dict[str, float | bool]:
    """What "shift=0.1,rotate=10,flip" says."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return {name.strip(): float(value) if equals else True for name, equals, value in pairs}
    except ValueError:
        raise BadInput(
            tr(
                f"--augment {text!r} 不行：应像 shift=0.1,rotate=10。",
                f"--augment {text!r} won't do: give something like shift=0.1,rotate=10.",
            )
        ) from None


# Commands


def train(options) -> None:
    from labkit.inspection.doctor import diagnose
    from labkit.strategies import by_name, name_of
    from labkit.training.folder import check_folder, own_folder

    strategy, config = by_name(options.strategy), config_of(options)
    if options.out is None and options.resume:
        raise BadInput(
            tr("--resume 需要 --out：要继续哪个目录里的训练？", "--resume needs --out: which folder's run is to go on?")
        )
    if options.out is not None and machine.main_process():
        check_folder(Path(options.out), options.resume)  # before the rows are read
    corpus = corpus_of(options)
    name = f"{corpus.name}-{name_of(strategy)}-s{config.seed}"
    with contextlib.nullcontext(Path(options.out)) if options.out else own_folder(Path("runs"), name) as out:
        run, finished = train_in(out, corpus, strategy, config, options)
    if not machine.main_process():
        return
    if not finished:
        say(str(diagnose(run, corpus)))
    show_run(run, options.json)


def train_in(out: Path, corpus, strategy, config, options) -> tuple[Run, bool]:
    """The run in this folder, and whether it was finished before."""
    from labkit.inspection.forecast import preflight
    from labkit.models.added import carries
    from labkit.models.loading import load
    from labkit.training.folder import RunFolder

    folder = RunFolder(out, options.model, corpus, strategy, config, resume=options.resume)
    if folder.result:
        say(tr(f"{out} 里的训练已经完成。", f"The run in {out} is finished already."))
        return folder.result, True

    def first() -> None:
        say(describe(corpus))
        if not options.resume and not machine.several_processes():
            model = folder.model
            if carries(model):  # the run's own has its addition in it already
                model = load(options.model, task=corpus.task, seed=config.seed)
            say(str(preflight(model, corpus, strategy, config)))

    with Progress() as progress:
        return folder.fit(progress, first=first), False


def compare(options) -> None:
    from labkit.comparison.compare import Comparing
    from labkit.comparison.processes import usual_workers
    from labkit.comparison.table import table
    from labkit.comparison.verdict import verdicts
    from labkit.strategies import by_name
    from labkit.training.folder import claimed

    strategies = [by_name(s) for s in options.strategies.split(",")]
    try:
        seeds = [int(s) for s in options.seeds.split(",")]
    except ValueError:
        raise BadInput(
            tr(
                f"--seeds {options.seeds!r} 不行：应像 0,1,2。",
                f"--seeds {options.seeds!r} won't do: give something like 0,1,2.",
            )
        ) from None
    configs = [config_of(options, seed=s) for s in seeds]  # all are checked before the first run
    corpus = corpus_of(options)
    ask = {"forgetting": options.forgetting, "retry": options.retry, "out": options.out, "cluster": options.cluster}
    if options.workers is None and not options.cluster:
        options.workers = usual_workers(options.device, len(strategies) * len(seeds))
    with claimed(Path(options.out), lock=False) if options.out else contextlib.nullcontext():
        plan = Comparing(strategies, corpus, options.model, seeds, configs[0], workers=options.workers, **ask)
        with Progress(len(plan.runs)) as progress:
            found = plan.fit(progress)
        stop_if_fewer(found, len(strategies) * len(seeds))
        if options.out and machine.main_process():
            write_comparison(found, Path(options.out))
    if options.json:
        base = next((r for r in found.beside if r.strategy != "majority"), None)
        print(json.dumps({"runs": [flat(r) for r in found], "baseline": base and flat(base)}, ensure_ascii=False))
    else:
        print(table(found), verdicts(found), sep="\n\n")
    if any(r.error for r in found):
        sys.exit(1)


def search(options) -> None:
    """The best settings within a budget, and whether they hold on fresh seeds."""
    from labkit.comparison.processes import usual_workers
    from labkit.comparison.search import search
    from labkit.training.folder import claimed

    config, several = config_of(options), options.strategies
    strategies = None if several is None else [s for s in several.split(",") if s.strip()]
    space = [name for name in options.space.split(",") if name.strip()]
    corpus = corpus_of(options)
    if options.workers is None and not options.cluster:
        options.workers = usual_workers(options.device, options.trials or 40)
    taken = ("trials", "seconds", "metric", "seeds", "workers", "cluster", "storage")
    taken += ("model", "sampler", "prune", "confirm", "out")
    ask = {name: getattr(options, name) for name in taken} | {"space": space, "config": config}
    with claimed(Path(options.out), lock=False) if options.out else contextlib.nullcontext():
        found = search(corpus, strategies, listen=tell_trial, **ask)
        if options.out:
            write_search(found, Path(options.out))
    print(json.dumps(search_json(found), ensure_ascii=False) if options.json else found)


def tell_trial(event) -> None:
    """A line for each trial; the epochs of many runs would drown it."""
    from labkit.comparison.found import TrialEnds

    if isinstance(event, TrialEnds) or type(event) is Notice:
        say(event.text)


def stop_if_fewer(found: list[Run], wanted: int) -> None:
    """`compare` gives what is finished when Ctrl-C is pressed."""
    if len(found) < wanted:
        stopped = KeyboardInterrupt()
        stopped.add_note(tr(f"完成了 {len(found)} / {wanted} 次训练。", f"{len(found)} of {wanted} runs were done."))
        raise stopped


def predict(options) -> None:
    from labkit.models.loading import load
    from labkit.training.evaluation import predict

    check_model_folder(options.model)
    words = []
    for word in options.input:
        if word == "-":
            words += [line.strip() for line in sys.stdin]  # an empty line keeps its place among the answers
        elif word.strip():  # bytes that are no UTF-8 come from the terminal as lone surrogates: they end here
            words.append(word.encode("utf-8", "surrogateescape").decode("utf-8"))
        else:
            words = []
            break
    if not any(words):
        raise BadInput(
            tr(
                "没有可回答的输入：请给出文本，不能是空的。",
                "There is no input to answer: give one or more texts, none of them empty.",
            )
        )
    model = load(options.model)
    answers = iter(predict(model, [model.task.parse(word) for word in words if word]))
    predictions = [by_file(next(answers), word) if word else None for word in words]
    if options.json:
        print(json.dumps({"predictions": [p and p.to_json() for p in predictions]}, ensure_ascii=False))
    else:
        print(*("" if p is None else str(p) for p in predictions), sep="\n")


def by_file(prediction, word: str):
    """The prediction with the file that it was asked of in place of what was in it, where that is no text."""
    asked = getattr(prediction, "input", None)
    return replace(prediction, input=Path(word)) if hasattr(asked, "shape") else prediction


def check_model_folder(name: str) -> None:
    if not Path(name).is_dir():
        raise BadInput(
            tr(
                f"没有目录 {name}。请给 labkit train 写下的模型目录。",
                f"No folder {name}. Give a model folder that labkit train wrote.",
            )
        )


def serve(options) -> None:
    """Until SIGTERM or Ctrl-C; then what is in is answered first."""
    from labkit.deploy.limits import Limits
    from labkit.deploy.service import Service, check_format, check_installed

    check_installed()
    from labkit.deploy import serve
    from labkit.deploy.journal import Journal
    from labkit.deploy.serve_app import app_of
    from labkit.inspection.attribution import attribute_one, explains
    from labkit.models.loading import load

    check_model_folder(options.model)
    check_format(options.model)
    if options.log_text and not options.log:
        raise BadInput(tr("--log-text 需要 --log FILE。", "--log-text needs --log FILE."))
    limits, token = config_of(options, kind=Limits), token_of(options)
    with contextlib.closing(serve.bound(options.host, options.port)) as sock:
        model = load(options.model)
        if machine.device() != "cpu":
            model.to(machine.device())
        journal = Journal(options.log, model.task, texts=options.log_text) if options.log else None
        explain = attribute_one if options.page and explains(model) else None
        service = Service(model, limits, journal=journal, explain=explain)
        say(tr("在 {} 上回答；Ctrl+C 结束", "Answering at {}; Ctrl+C ends it").format(serve.address(sock)))
        if token is None and not serve.is_loopback(sock):
            say(tr("注意：别的机器能访问，而没有令牌。", "Note: other machines can reach it, and there is no token."))
        serve.run(service, app_of(service, token=token, page=options.page), sock)
        say(serve.summary(service))


def token_of(options) -> str | None:
    """What a client has to show, from a file or the environment: on a command line everybody on the machine could read it."""
    token = os.environ.get("LABKIT_TOKEN")
    if options.token_file:
        token = Path(options.token_file).read_text("utf-8").strip()
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise BadInput(
            tr(
                "令牌不行：应是一行可打印的 ASCII 字符，不能是空的。请改 --token-file 里的文件或 LABKIT_TOKEN。",
                "The token won't do: it should be one line of printable ASCII characters. Change the file of --token-file, "
                "or LABKIT_TOKEN.",
            )
        )
    return token


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


def demo(options) -> None:
    """The main job without a browser: fine-tune with several strategies, print the table, write the figures."""
    from labkit import plots
    from labkit.comparison.compare import compare
    from labkit.comparison.table import table
    from labkit.comparison.verdict import verdicts
    from labkit.data.packaged import reviews
    from labkit.strategies import Full, HeadOnly, TopK
    from labkit.training.folder import claimed

    out, corpus = Path(options.out), reviews()
    with claimed(out), Progress() as progress:
        say(describe(corpus))
        strategies = [Full(), TopK(2), HeadOnly()]
        found = compare(strategies, corpus, config=TrainConfig(epochs=4), listen=progress)
        stop_if_fewer(found, len(strategies))
        plots.runs(found).savefig(out / "comparison.png", dpi=150)
        plots.curves(*found).savefig(out / "curves.png", dpi=150)
    print(table(found), verdicts(found), sep="\n\n")
    line(tr("图", "figures"), f"{out / 'comparison.png'}, {out / 'curves.png'}")
