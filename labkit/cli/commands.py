"""The command `labkit`: train, compare, predict, doctor, demo. Results go to standard output, progress to standard error.

Exit status: 0 done; 2 bad input or arguments, with one clear message and no traceback; 1 anything else.
Leans on flags (the arguments), output (the folder) and progress (the bar); the work is done by the floors below.
"""

import contextlib
import json
import os
import shlex
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

from labkit import __version__
from labkit.base import machine, memory
from labkit.base.config import TrainConfig
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run, to_json
from labkit.cli.arguments import arguments
from labkit.cli.progress import Progress
from labkit.training.folder import check_folder, check_room, claimed, new_folder, reason, stored_run

# what --json prints of a run; the names are stable
FIELDS = [
    "strategy",
    "model",
    "seed",
    "device",
    "epochs",
    "n_train",
    "n_valid",
    "n_test",
    "valid_accuracy",
    "valid_macro_f1",
    "test_accuracy",
    "test_macro_f1",
    "seconds",
    "samples_per_second",
    "peak_memory_mb",
    "trainable_parameters",
    "total_parameters",
    "saved_bytes",
    "out",
]


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
    if not machine.main_process():  # one of several: it helps to compute, the first one speaks and writes
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            return answered(options)
    return answered(options)


def answered(options) -> int:
    """Run the command that was asked for; the exit status."""
    commands = {
        "train": train,
        "compare": compare,
        "predict": predict,
        "doctor": doctor,
        "demo": demo,
        "class": classroom,
    }
    try:
        commands[options.command](options)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt as stop:
        say(with_notes(tr("已中断。", "Interrupted."), stop))
        return 1
    except BrokenPipeError:  # as in `labkit predict ... | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UnicodeError as error:
        say(f"labkit: {tr('输入的不是 UTF-8 文本', 'the input is no UTF-8 text')}: {error}")
        return 2
    except (BadInput, OSError) as error:
        say(f"labkit: {with_notes(message_of(error), error)}")
        return 2


def message_of(error: Exception) -> str:
    """One clear sentence: an operating system's error with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {reason(error)}" if error.filename else reason(error)
    return str(error)


def with_notes(text: str, error: BaseException) -> str:
    return "\n".join([text, *getattr(error, "__notes__", ())])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def line(name: str, value) -> None:
    print(f"{name}{tr('：', ': ')}{value}")


# What the arguments mean


def config_of(options, **more):
    names = [f.name for f in fields(TrainConfig) if hasattr(options, f.name)]
    try:
        return TrainConfig(**{n: getattr(options, n) for n in names}, **more)
    except BadInput as error:
        name, equals, rest = str(error).partition("=")  # "max_length=1 …" is what Python calls --max-length 1
        raise BadInput(f"--{name.replace('_', '-')} {rest}" if equals and name in names else str(error)) from None


def corpus_of(options):
    """The rows to work on. Their splits do not depend on --seed: runs of several seeds are judged on the same rows."""
    from labkit.data.loading import load_csv, reviews

    if options.limit is not None and options.limit < 1:
        raise BadInput(
            tr(
                f"--limit {options.limit} 不行：应是正整数。",
                f"--limit {options.limit} won't do: give a positive whole number.",
            )
        )
    if options.data == "reviews" and not Path("reviews").exists():
        if options.valid or options.test:
            raise BadInput(
                tr(
                    "自带的评论 reviews 已划分好：请去掉 --valid 和 --test。",
                    "The packaged reviews come with their splits: leave out --valid and --test.",
                )
            )
        return reviews(options.limit)
    files = {"valid": options.valid, "test": options.test}
    return load_csv(options.data, options.text, options.label, **files, limit=options.limit)


def describe(corpus) -> str:
    from labkit.data.describe import dropped_text

    sizes = tr("训练 {} 行，验证 {} 行，测试 {} 行", "{} rows to train, {} to validate, {} to test")
    sizes = sizes.format(*map(len, corpus.splits.values()))
    labels = tr("类别：", "Labels: ") + listing(corpus.labels)
    return f"{corpus.name}{tr('：', ': ')}{sizes}{tr('。', '. ')}{labels}{tr('。', '. ')}{dropped_text(corpus)}"


# Commands


def train(options) -> None:
    from labkit.base.files import save_run
    from labkit.inspection.doctor import diagnose
    from labkit.inspection.forecast import preflight
    from labkit.models.loading import load, save
    from labkit.strategies import by_name, name_of
    from labkit.training.engine import patient
    from labkit.training.folder import publish
    from labkit.training.trainer import Trainer

    strategy, config = by_name(options.strategy), config_of(options)
    if options.out is not None and machine.main_process():
        check_folder(Path(options.out), options.resume)
    elif options.out is None and options.resume:
        raise BadInput(
            tr("--resume 需要 --out：要继续哪个目录里的训练？", "--resume needs --out: which folder's run is to go on?")
        )
    corpus = corpus_of(options)
    out = Path(options.out or new_folder(f"{corpus.name}-{name_of(strategy)}-s{config.seed}"))
    if options.resume and (out / "run.json").exists():
        run = stored_run(out, strategy, options.model, config, corpus)
        say(tr(f"{out} 里的训练已经完成。", f"The run in {out} is finished already."))
        return show_run(run, options.json)
    model = load(options.model, corpus.labels, seed=config.seed)
    trainer = Trainer(model, corpus, strategy, config, out=out, resume=options.resume)
    check_room(out, trainer)
    with claimed(out), Progress() as progress:
        say(describe(corpus))
        if not options.resume and not machine.several_processes():
            say(str(preflight(model, corpus, strategy, config)))
        with patient() as stop:
            for event in trainer.run():
                progress(event)
                if stop():
                    break
        if stop() and not trainer.finished:
            trainer.save_state()
            raise KeyboardInterrupt
        run, final = trainer.report(), out / "checkpoint" / "final"
        if not machine.main_process():
            return
        shutil.rmtree(final, ignore_errors=True)
        record = {"strategy": run.strategy, "config": run.config, "versions": run.versions}
        save(trainer.model, final, record=record)
        size = sum(p.stat().st_size for p in final.rglob("*") if p.is_file())
        run = replace(run, out=str(out), saved_bytes=size)
        publish(final, out)
        save_run(run, out / "run.json")
        shutil.rmtree(out / "checkpoint")
    say(str(diagnose(run, corpus)))
    show_run(run, options.json)


def show_run(run: Run, as_json: bool) -> None:
    if as_json:
        whole = to_json(run)
        return print(json.dumps({k: whole[k] for k in FIELDS}, ensure_ascii=False))
    trained = f"{run.trainable_parameters:,} / {run.total_parameters:,} {tr('个参数参与训练', 'parameters trained')}"
    speed = f"{run.samples_per_second:,.0f} {tr('行/秒', 'rows/s')}"
    lines = {
        tr("策略", "strategy"): f"{run.strategy}, {trained}",
        tr("验证准确率", "valid accuracy"): f"{run.valid_accuracy:.3f}, macro-F1 {run.valid_macro_f1:.3f}",
        tr("测试准确率", "test accuracy"): f"{run.test_accuracy:.3f} ({run.test.low:.3f}–{run.test.high:.3f}), "
        f"macro-F1 {run.test_macro_f1:.3f}",
        tr("用时", "time"): f"{run.seconds:.1f} s, {speed} ({run.device})",
        tr("模型", "model"): run.out,
    }
    for name, value in lines.items():
        line(name, value)
    say(tr("试一试：", "Try it: ") + f"labkit predict {shlex.quote(run.out)} {tr('一句话', 'TEXT')}")


def compare(options) -> None:
    from labkit.comparison.compare import compare
    from labkit.comparison.table import table
    from labkit.comparison.verdict import verdicts
    from labkit.strategies import by_name

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
    ask = {"forgetting": options.forgetting, "retry": options.retry, "out": options.out}
    with claimed(Path(options.out)) if options.out else contextlib.nullcontext(), Progress() as progress:
        found = compare(strategies, corpus, options.model, seeds, configs[0], listen=progress, **ask)
        stop_if_fewer(found, len(strategies) * len(seeds))
        if options.out and machine.main_process():
            write_comparison(found, Path(options.out))
    if options.json:
        base = next((r for r in found.beside if r.strategy == "tf-idf"), None)
        kept = [{k: to_json(r)[k] for k in FIELDS} for r in (*found, *([base] if base else []))]
        runs, rest = kept[: len(found)], kept[len(found) :]
        print(json.dumps({"runs": runs, "baseline": rest[0] if rest else None}, ensure_ascii=False))
    else:
        print(table(found), verdicts(found), sep="\n\n")
    if any(r.error for r in found):
        sys.exit(1)


def write_comparison(found, out: Path) -> None:
    """The table as CSV and JSON and the figures, beside the run files."""
    from labkit import plots
    from labkit.comparison.table import table
    from labkit.comparison.verdict import verdicts

    lines = table(found)
    lines.save(out / "comparison.csv")
    lines.save(out / "comparison.json")
    if all(r.error for r in found):
        return
    figures = {
        "comparison": plots.runs(found),
        "forest": plots.forest(found),
        "parameters": plots.pareto(found, "parameters"),
        "verdicts": plots.verdicts(verdicts(found)),
        "curves": plots.curves(*(r for r in found if not r.error)),
    }
    for name, fig in figures.items():
        fig.savefig(out / f"{name}.png", dpi=150)
    say(tr("表和图：", "Table and figures: ") + str(out))


def stop_if_fewer(found: list[Run], wanted: int) -> None:
    """`compare` gives what is finished when Ctrl-C is pressed."""
    if len(found) < wanted:
        stopped = KeyboardInterrupt()
        stopped.add_note(tr(f"完成了 {len(found)} / {wanted} 次训练。", f"{len(found)} of {wanted} runs were done."))
        raise stopped


def predict(options) -> None:
    from labkit.models.loading import load
    from labkit.training.evaluation import predict

    if not Path(options.model).is_dir():
        raise BadInput(
            tr(
                f"没有目录 {options.model}。请给 labkit train 写下的模型目录。",
                f"No folder {options.model}. Give a model folder that labkit train wrote.",
            )
        )
    texts = []
    for text in options.text:
        if text == "-":
            texts += [line.strip() for line in sys.stdin if line.strip()]
        else:  # bytes that are no UTF-8 come from the terminal as lone surrogates: they end here
            texts.append(text.encode("utf-8", "surrogateescape").decode("utf-8"))
    if not texts or not all(t.strip() for t in texts):
        raise BadInput(
            tr(
                "没有要分类的文本：请给出文本，不能是空的。",
                "There is no text to classify: give one or more texts, none of them empty.",
            )
        )
    found = predict(load(options.model), texts)
    if options.json:
        print(json.dumps({"predictions": to_json(found)}, ensure_ascii=False))
    else:
        for p in found:
            print(f"{p.label}\t{p.probability:.3f}\t{p.text}")


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
        device, name = None, tr(f"torch 不可用（{error}）", f"torch does not work ({error})")
    free, total = memory.memory_mb() or (None, None)
    report = {
        "versions": found,
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
    from labkit.data.loading import reviews
    from labkit.strategies import Full, HeadOnly, TopK

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
