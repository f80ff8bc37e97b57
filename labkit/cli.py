"""The command `labkit`: train, compare, predict, doctor, demo. Results go to standard output, progress to standard error.

Exit status: 0 done; 2 bad input or arguments, with one clear message and no traceback; 1 anything else.
"""

import argparse
import json
import shutil
import sys
import types
import typing
from dataclasses import fields
from pathlib import Path

from labkit import __version__, machine
from labkit.records import BadInput, EpochDone, Notice, Run, StepDone, to_json
from labkit.text import tr

SCORE_FIELDS = [
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
    "stopped",
    "best_epoch",
]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the answer is the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    options = parser().parse_args(arguments)
    try:
        return options.call(options) or 0
    except KeyboardInterrupt:
        say(tr("已中断。", "Interrupted."))
        return 1
    except (BadInput, OSError) as error:
        say(f"labkit: {message_of(error)}")
        return 2


def message_of(error: Exception) -> str:
    """One clear sentence: an operating system's error with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# Arguments


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="labkit", description=tr("微调预训练模型的实验工具", "Fine-tune pretrained models, and see what happens")
    )
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name, call, zh, en):
        made = commands.add_parser(name, help=tr(zh, en), description=tr(zh, en))
        made.set_defaults(call=call)
        return made

    train_ = command("train", train, "用一个 CSV 微调模型并保存", "fine-tune a model on a CSV and save it")
    data_arguments(train_)
    train_.add_argument("--strategy", default="full", help="full, head, top-K")
    train_.add_argument(
        "--resume", action="store_true", help=tr("从 --out 里的存档继续", "go on from the checkpoint in --out")
    )
    config_arguments(train_)

    compare_ = command("compare", compare, "在同一数据上比较多种策略", "compare strategies on the same rows")
    data_arguments(compare_)
    compare_.add_argument("--strategies", default="full,head,top-2", help="full,head,top-2")
    compare_.add_argument("--seeds", default="0", help="0,1,2")
    config_arguments(compare_, leave=("seed",))

    predict_ = command("predict", predict, "用保存的模型给文本分类", "classify texts with a saved model")
    predict_.add_argument("model", metavar="DIR")
    predict_.add_argument(
        "text",
        nargs="+",
        metavar="TEXT",
        help=tr("文本；- 从标准输入逐行读", "texts; - reads lines from standard input"),
    )
    json_argument(predict_)

    doctor_ = command(
        "doctor", doctor, "检查环境：版本、设备、内存、缺什么", "check versions, device, memory, and what is missing"
    )
    json_argument(doctor_)

    demo_ = command(
        "demo",
        demo,
        "用自带数据和模型比较几种策略，约一分钟",
        "compare strategies on the packaged data, in about a minute",
    )
    demo_.add_argument("--out", default="out/demo", help=tr("写到哪里", "where to write"))
    return top


def data_arguments(command) -> None:
    command.add_argument(
        "data",
        metavar="DATA.csv",
        help=tr(".csv 或 .csv.gz；reviews：自带的评论", ".csv or .csv.gz; reviews: the packaged ones"),
    )
    command.add_argument("--valid", metavar="FILE")
    command.add_argument("--test", metavar="FILE")
    command.add_argument("--text", default="text", metavar="COLUMN", help=tr("文本列名", "column of the texts"))
    command.add_argument("--label", default="label", metavar="COLUMN", help=tr("标签列名", "column of the labels"))
    command.add_argument(
        "--limit", type=int, metavar="N", help=tr("只用 N 行训练（分层抽样）", "train on a stratified N rows")
    )
    command.add_argument(
        "--model", default="tiny-bert-zh", help=tr("自带名、目录或 hub 名", "packaged name, directory or hub id")
    )
    command.add_argument("--out", metavar="DIR", help=tr("写到哪里（默认 runs/…）", "where to write (default: runs/…)"))
    json_argument(command)


def json_argument(command) -> None:
    command.add_argument(
        "--json", action="store_true", help=tr("标准输出上只打印一个 JSON", "print one JSON object on standard output")
    )


def config_arguments(command, leave: tuple[str, ...] = ()) -> None:
    """One flag for each field of TrainConfig."""
    from labkit.training import TrainConfig

    for f in fields(TrainConfig):
        if f.name in leave:
            continue
        flag, rule = "--" + f.name.replace("_", "-"), f.metadata
        if f.type is bool:
            command.add_argument(flag, action=argparse.BooleanOptionalAction, default=f.default, help=rule["help"])
            continue
        kind = next(
            t
            for t in (typing.get_args(f.type) if isinstance(f.type, types.UnionType) else (f.type,))
            if t is not type(None)
        )
        shown = "" if f.default is None else f" ({f.default})"
        command.add_argument(flag, type=kind, default=f.default, choices=rule["choices"], help=rule["help"] + shown)


def config_of(options, **more):
    from labkit.training import TrainConfig

    return TrainConfig(
        **{f.name: getattr(options, f.name) for f in fields(TrainConfig) if hasattr(options, f.name)}, **more
    )


def corpus_of(options):
    from labkit.data import load_csv, reviews

    if options.limit is not None and options.limit < 1:
        raise BadInput(
            tr(
                f"--limit {options.limit} 不行：应是正整数。",
                f"--limit {options.limit} won't do: give a positive whole number.",
            )
        )
    if options.data == "reviews" and not Path("reviews").exists():
        return reviews(limit=options.limit)
    return load_csv(
        options.data,
        options.text,
        options.label,
        valid=options.valid,
        test=options.test,
        limit=options.limit,
        seed=getattr(options, "seed", 0),
    )


# Commands


def train(options) -> int:
    from labkit.checkpoint import load_run, save_run
    from labkit.models import load, publish, save
    from labkit.strategies import by_name, name_of
    from labkit.training import Trainer

    strategy, config = by_name(options.strategy), config_of(options)
    corpus = corpus_of(options)
    out = free_folder(options.out, f"{corpus.name}-{name_of(strategy)}-s{config.seed}", options.resume)
    if options.resume and (out / "run.json").exists():
        say(tr(f"{out} 里的训练已经完成。", f"The run in {out} is finished already."))
        return show_run(load_run(out / "run.json"), options.json)
    say(f"{corpus!r}")
    model = load(options.model, corpus.labels, seed=config.seed)
    trainer = Trainer(model, corpus, strategy, config, out=out, resume=options.resume)
    made_here = not out.exists()
    claim(out)
    try:
        run = trainer.fit(Progress())
    except BaseException:
        if made_here and not trainer.history:
            shutil.rmtree(out, ignore_errors=True)
        raise
    if run.stopped == "interrupted":
        if trainer.step:
            trainer.save_state()
        say(
            tr(
                f"已中断；接着训练：同样的命令加 --out {out} --resume",
                f"Interrupted; go on with the same command and --out {out} --resume",
            )
        )
        return 1
    final = out / "checkpoint" / "final"
    shutil.rmtree(final, ignore_errors=True)
    save(
        strategy.merge(trainer.model),
        final,
        record={"strategy": run.strategy, "config": run.config, "versions": run.versions},
    )
    size = sum(p.stat().st_size for p in final.rglob("*") if p.is_file())
    run = Run(**{**run.__dict__, "out": str(out), "saved_bytes": size})
    publish(final, out)
    save_run(run, out / "run.json")
    shutil.rmtree(out / "checkpoint")
    return show_run(run, options.json)


def free_folder(wanted: str | None, name: str, resume: bool) -> Path:
    """Where to write: the folder asked for, which must be new or empty unless resuming, or a new one in runs/."""
    if wanted is None:
        if resume:
            raise BadInput(
                tr(
                    "--resume 需要 --out：要继续哪个目录里的训练？",
                    "--resume needs --out: which folder's run is to go on?",
                )
            )
        numbers = ["", *(f"-{i}" for i in range(2, 10_000))]
        return next(p for p in (Path("runs") / f"{name}{n}" for n in numbers) if not p.exists())
    out = Path(wanted)
    if out.exists() and not out.is_dir():
        raise BadInput(tr(f"--out {out} 是一个文件；请给一个目录。", f"--out {out} is a file; give a folder."))
    if out.exists() and any(out.iterdir()) and not resume:
        raise BadInput(
            tr(
                f"--out {out} 已存在且不空，不会覆盖。换一个目录，或加 --resume 继续那次训练。",
                f"--out {out} exists and is not empty; nothing is overwritten. Choose another folder, or --resume that run.",
            )
        )
    if resume and not out.exists():
        raise BadInput(tr(f"--resume：没有目录 {out}。", f"--resume: there is no folder {out}."))
    return out


def claim(out: Path) -> None:
    """Make the folder and prove that it takes files, before minutes of training depend on it."""
    from labkit.checkpoint import write_text

    made = next((p for p in [*reversed(out.parents), out] if not p.exists()), None)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "started", "x" * 65536)
        (out / "started").unlink()
    except OSError as error:
        if made:
            shutil.rmtree(made, ignore_errors=True)
        raise BadInput(
            tr(
                f"不能写入 --out {out}（{error.strerror}）。请换一个目录。",
                f"Cannot write to --out {out} ({error.strerror}). Choose another folder.",
            )
        ) from None


def show_run(run: Run, as_json: bool) -> int:
    if as_json:
        whole = to_json(run)
        print(json.dumps({k: whole[k] for k in SCORE_FIELDS}, ensure_ascii=False))
        return 0
    interval = f"({run.test.low:.3f}–{run.test.high:.3f})" if run.test else ""
    lines = [
        (
            tr("策略", "strategy"),
            f"{run.strategy}, {run.trainable_parameters:,} / {run.total_parameters:,} {tr('个参数参与训练', 'parameters trained')}",
        ),
        (tr("验证准确率", "valid accuracy"), f"{run.valid_accuracy:.3f}, macro-F1 {run.valid_macro_f1:.3f}"),
        (tr("测试准确率", "test accuracy"), f"{run.test_accuracy:.3f} {interval}, macro-F1 {run.test_macro_f1:.3f}"),
        (
            tr("用时", "time"),
            f"{run.seconds:.1f} s, {run.samples_per_second:,.0f} {tr('行/秒', 'rows/s')} ({run.device})",
        ),
        (tr("模型", "model"), run.out),
    ]
    for name, value in lines:
        print(f"{name}: {value}")
    return 0


def compare(options) -> int:
    from labkit.comparison import baseline, compare, table
    from labkit.strategies import by_name

    strategies = [by_name(s) for s in options.strategies.split(",") if s.strip()]
    try:
        seeds = [int(s) for s in options.seeds.split(",")]
    except ValueError:
        raise BadInput(
            tr(
                f"--seeds {options.seeds!r} 不行：应像 0,1,2。",
                f"--seeds {options.seeds!r} won't do: give something like 0,1,2.",
            )
        ) from None
    config, corpus = config_of(options), corpus_of(options)
    if options.out:
        claim(Path(options.out))
    found = compare(strategies, corpus, options.model, seeds, config, out=options.out, listen=Progress())
    base = baseline(corpus)
    if options.json:
        keep = [{k: to_json(r)[k] for k in SCORE_FIELDS} for r in (*found, base)]
        print(json.dumps({"runs": keep[:-1], "baseline": keep[-1]}, ensure_ascii=False))
    else:
        print(table(found, base))
    return 0


def predict(options) -> int:
    from labkit.evaluation import predict
    from labkit.models import load

    if not Path(options.model).is_dir():
        raise BadInput(
            tr(
                f"没有目录 {options.model}。请给 labkit train 写下的模型目录。",
                f"No folder {options.model}. Give a model folder that labkit train wrote.",
            )
        )
    model = load(options.model)
    texts = [line.strip() for t in options.text for line in (sys.stdin if t == "-" else [t])]
    found = predict(model, [t for t in texts if t])
    if options.json:
        print(json.dumps({"predictions": to_json(found)}, ensure_ascii=False))
    else:
        for p in found:
            print(f"{p.label}\t{p.probability:.3f}\t{p.text}")
    return 0


def doctor(options) -> int:
    """What is here, what is missing, how to get it. Never fails: it is asked when something else did."""
    found = {"python": machine.versions()["python"], "labkit": __version__}
    found |= {p: machine.version(p) for p in (*machine.PACKAGES, *machine.OPTIONAL)}
    missing = [f"pip install 'labkit[{extra}]'  ({p})" for p, extra in machine.OPTIONAL.items() if not found[p]]
    missing += [f"pip install {p}" for p in machine.PACKAGES if not found[p]]
    memory, kind = machine.memory_mb(), "none"
    if found["torch"]:
        kind = machine.device()
    report = {
        "versions": found,
        "device": kind,
        "device_name": machine.device_name(kind) if found["torch"] else None,
        "memory_available_mb": memory and round(memory[0]),
        "memory_total_mb": memory and round(memory[1]),
        "disk_free_mb": round(machine.free_disk_mb(".")),
        "missing": missing,
    }
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
        return 0
    for name, value in found.items():
        print(f"{name:14} {value or tr('未安装', 'not installed')}")
    print(f"{tr('设备', 'device')}: {report['device_name']}")
    if memory:
        print(f"{tr('内存', 'memory')}: {memory[0] / 1024:.1f} / {memory[1] / 1024:.1f} GB {tr('可用', 'available')}")
    print(f"{tr('磁盘剩余', 'free disk')}: {report['disk_free_mb'] / 1024:.1f} GB")
    for line in missing:
        print(f"{tr('缺少', 'missing')}: {line}")
    if not missing:
        print(tr("一切就绪。", "Everything is here."))
    return 0


def demo(options) -> int:
    """The main job without a browser: fine-tune with several strategies, print the table, write the figure."""
    from labkit import plots
    from labkit.comparison import baseline, compare, table
    from labkit.data import reviews
    from labkit.strategies import Full, HeadOnly, TopK
    from labkit.training import TrainConfig

    out, corpus = Path(options.out), reviews()
    claim(out)
    say(f"{corpus!r}")
    found = compare([Full(), TopK(2), HeadOnly()], corpus, config=TrainConfig(epochs=4), listen=Progress())
    base = baseline(corpus)
    print(table(found, base))
    plots.runs(found, base).savefig(out / "comparison.png", dpi=150)
    plots.curves(*found).savefig(out / "curves.png", dpi=150)
    print(tr("图：", "Figures: ") + f"{out / 'comparison.png'}, {out / 'curves.png'}")
    return 0


class Progress:
    """A listener that draws one bar for each run on standard error."""

    def __init__(self):
        self.bar = None

    def __call__(self, event) -> None:
        from tqdm import tqdm

        if isinstance(event, StepDone):
            if self.bar is None:
                self.bar = tqdm(
                    total=event.steps,
                    initial=event.step - 1,
                    unit=tr("步", "step"),
                    file=sys.stderr,
                    dynamic_ncols=True,
                )
            self.bar.update()
            if event.step % 20 == 0:
                self.bar.set_postfix_str(f"loss {event.loss:.3f}", refresh=False)
        elif isinstance(event, EpochDone):
            e = event.epoch
            self.write(
                f"{tr('轮次', 'epoch')} {e.epoch}: {tr('训练损失', 'train loss')} {e.train_loss:.3f}, {tr('验证损失', 'valid loss')} "
                f"{e.valid_loss:.3f}, {tr('验证准确率', 'valid accuracy')} {e.valid_accuracy:.3f}"
            )
            if self.bar is not None and self.bar.n >= self.bar.total:
                self.bar.close()
                self.bar = None
        elif isinstance(event, Notice):
            self.write(event.text)

    def write(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
