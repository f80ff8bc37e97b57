"""`labkit train`, `compare`, `search` and `demo`: runs, one or many. The work is done by training and comparison."""

import contextlib
import json
import sys
from pathlib import Path

from labkit.base import machine
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import BadInput, Notice, Run
from labkit.cli.given import config_of, corpus_of
from labkit.cli.progress import Progress
from labkit.cli.report import describe, flat, line, say, search_json, show_run, write_comparison, write_search


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
    from labkit.comparison.search import TRIALS, search
    from labkit.training.folder import claimed

    config, several = config_of(options), options.strategies
    strategies = None if several is None else [s for s in several.split(",") if s.strip()]
    space = [name for name in options.space.split(",") if name.strip()]
    corpus = corpus_of(options)
    if options.workers is None and not options.cluster:
        options.workers = usual_workers(options.device, options.trials or TRIALS)
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
