"""Many runs on the same rows: strategies x seeds, the cheap baselines beside them. Notebook 02 uses it.

A comparison is a plan of jobs (job.py): what is in the folder already is read, the rest is trained, one after the other
or several at once (workers.py).
Tables (table.py), verdicts (verdict.py) and figures are made from the runs and nothing else.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.files import held, load_run, save_run
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, EpochDone, Notice, Run, RunBegins, RunEnds, StepDone
from labkit.comparison.baselines import baseline, baseline_identity, is_baseline
from labkit.comparison.job import Job
from labkit.comparison.workers import Workers, refuse_unclear
from labkit.data.corpus import Corpus
from labkit.models.loading import load
from labkit.strategies import Strategy, as_strategy, listed, name_of
from labkit.training.engine import Engine, patient
from labkit.training.identity import differences


class Comparison(list):
    """The runs, and the baselines `beside` them; prints and shows as its table."""

    def __init__(self, runs: Sequence[Run] = (), beside: Sequence[Run] = ()):
        super().__init__(runs)
        self.beside = tuple(beside)

    def __str__(self) -> str:
        from labkit.comparison.table import table

        return str(table(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.comparison.table import table

        return table(self)._repr_html_()


def compare(
    strategies: Sequence[Strategy | str],
    corpus: Corpus,
    model: str | None = None,
    seeds: Sequence[int] = (0,),
    config: TrainConfig | Mapping[Strategy | str, TrainConfig] | None = None,
    *,
    forgetting: bool = False,
    retry: bool = True,
    out=None,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    listen: Callable[[Any], None] | None = None,
) -> Comparison:
    """One run for each strategy and seed, each on a fresh model, over the same batches; the task's cheap baselines beside.

    >>> runs = compare([HeadOnly(), TopK(1)], corpus, seeds=(0, 1), config=TrainConfig(epochs=1))
    >>> print(runs)
    >>> verdicts(runs)

    Without a model it is the task's usual one. Learning rate and epochs are each strategy's own where the config leaves them open; a dict gives a strategy another
    config. With `out`, each run is a JSON file there: one that is there already is read instead of repeated, so that an
    interrupted comparison goes on. A run that fails is kept with its error and tried again next time (`retry=False`:
    not again); the others go on. Ctrl-C gives the runs that are finished. With `forgetting`, what each run forgot of its
    pretraining is measured. Raises BadInput for what concerns all runs, and for a file in `out` of another comparison.

    With `workers=4`, four processes of this machine share the runs; `executor` (any of concurrent.futures) and `cluster`
    (a Dask scheduler, "tcp://host:8786") carry them elsewhere (docs/SCALING.md). A worker computes with its share of this
    process's threads; with equally many, the runs are the same to the last bit. Without them everything happens here.
    """
    plan = Comparing(
        strategies, corpus, model, seeds, config, forgetting=forgetting, retry=retry, out=out,
        workers=workers, executor=executor, cluster=cluster,
    )  # fmt: skip
    return plan.fit(*([listen] if listen else []))


class Comparing:
    """A comparison as events, for whoever wants to watch it or stop it; `compare` is this in one call, with its arguments.

    >>> plan = Comparing([HeadOnly(), TopK(1)], corpus, seeds=(0, 1), config=TrainConfig(epochs=1), out="runs/mine")
    >>> for event in plan.run():                             # RunBegins, then the run's own events, then RunEnds
    ...     if isinstance(event, RunBegins):
    ...         print(event.text)
    head, seed 0 (1 of 4)
    top-1, seed 0 (2 of 4)
    head, seed 1 (3 of 4)
    top-1, seed 1 (4 of 4)
    >>> len(plan.runs), len(plan.runs.beside)
    (4, 2)

    Building it reads what is in `out` and trains nothing; BadInput where strategies or seeds are given twice, and where a
    file there is of another comparison. `runs` is at any time what is finished, stored runs included. Leaving the loop
    over `run()` stops within a step: the runs under way are lost, finished ones stay, in `runs` and as files; calling
    `run()` again goes on with the rest. Stored runs give no events. `number` and `total` of a RunBegins tell where in
    the whole plan it stands, and the events of that run bear its number. A baseline that is computed gives a RunEnds
    alone, at the end. With several workers the events of several runs are mixed, some StepDone are left out, and None
    comes while there is no news, so that the loop can be left.
    """

    def __init__(
        self,
        strategies: Sequence[Strategy | str],
        corpus: Corpus,
        model: str | None = None,
        seeds: Sequence[int] = (0,),
        config: TrainConfig | Mapping[Strategy | str, TrainConfig] | None = None,
        *,
        forgetting: bool = False,
        retry: bool = True,
        out=None,
        workers: int | None = None,
        executor: Executor | None = None,
        cluster: str | None = None,
    ):
        refuse_unclear(workers, executor, cluster)
        self.means = {"workers": workers, "executor": executor, "cluster": cluster}
        self.corpus, self.folder = corpus, Path(out) if out else None
        self.jobs = [
            Job(strategy, chosen, corpus, str(model or corpus.task.default_model), forgetting=forgetting)
            for strategy, chosen in planned(strategies, seeds, config)
        ]
        self.done = [self.stored(job.file_name(), job.identity(), retry) for job in self.jobs]  # None: still to do
        self.beside: dict[str, Run] = {}
        self.complete = False  # whether all that was planned is done, baselines included

    @property
    def runs(self) -> Comparison:
        """What is finished, in the order of the plan."""
        return Comparison([run for run in self.done if run], self.beside.values())

    def fit(self, *listeners: Callable[[Any], None]) -> Comparison:
        """Do all that is missing and return the runs. Ctrl-C stops after the current step and gives those that are finished."""
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(self.run()) as events, patient() as stop:
            for event in events:
                for listen in listeners if event is not None else ():
                    listen(event)
                if stop():
                    break
        return self.runs

    def run(self) -> Iterator[RunBegins | StepDone | EpochDone | Notice | RunEnds | None]:
        """Train what is missing, one event at a time. Leave the loop to stop; call again to go on."""
        if not all(self.done):
            refuse_unfit(self.jobs)
        first = self.jobs[0].config
        main = Engine(first.device, first.precision).main  # a device that is not there is said now
        folder = self.folder if main else None  # of several processes one writes
        with held(folder) if folder else contextlib.nullcontext():
            yield from self.train(folder)
            yield from self.add_baselines(folder)
        self.complete = True

    def train(self, folder: Path | None) -> Iterator[Any]:
        """What is missing, by whoever carries it out."""
        missing = [number for number, run in enumerate(self.done) if run is None]
        if not missing:
            return
        with Workers(**self.means) as workers, contextlib.closing(workers.events()) as events:
            for number in missing:
                workers.submit(number, self.jobs[number])
            if workers.about:
                yield Notice(workers.about)
            for number, event in events:
                yield from self.tell(number, event, folder)

    def tell(self, number: int | None, event: Any, folder: Path | None) -> Iterator[Any]:
        """An event of one job, with its place in the plan; its run is written before its end is told."""
        if isinstance(event, RunBegins):
            place = tr(f"（{number + 1}/{len(self.jobs)}）", f" ({number + 1} of {len(self.jobs)})")
            event = replace(event, text=event.text + place, number=number + 1, total=len(self.jobs))
        elif isinstance(event, (StepDone, EpochDone, RunEnds)):
            event = replace(event, number=number + 1)
        if isinstance(event, RunEnds):
            job = self.jobs[number]
            self.done[number] = write(event.run, folder, job.file_name())
            if event.run.error:
                why = event.run.error
                yield Notice(tr(f"{job.title}，失败：{why}", f"{job.title} failed: {why}"))
        yield event

    def add_baselines(self, folder: Path | None) -> Iterator[RunEnds]:
        """What the task offers as cheap baselines, read where it is stored."""
        for name in self.corpus.task.baselines(self.corpus.train):
            file_name = f"{name}-s0.json"
            stored = self.stored(file_name, baseline_identity(self.corpus, name))
            self.beside[name] = stored or write(baseline(self.corpus, name), folder, file_name)
            if not stored:
                yield RunEnds(self.beside[name])

    def stored(self, file_name: str, identity: dict, retry: bool = False) -> Run | None:
        """The run in a file of the folder; with `retry` none that failed. BadInput where it is of another identity."""
        path = self.folder / file_name if self.folder else None
        if path is None or not path.exists():
            return None
        run = load_run(path)
        if run.error and retry:
            return None
        unequal = differences(identity, run.identity)
        if unequal:
            raise BadInput(
                tr(
                    f"{path} 是另一次比较的结果（{listing(unequal)}不同）。请换一个 out，或删除这个文件。",
                    f"{path} is of another comparison (other {listing(unequal)}). Take another out, or delete that file.",
                )
            )
        return run


def planned(strategies, seeds, config) -> list[tuple[Strategy, TrainConfig]]:
    """Strategy and settings of every run to do, a seed after the other."""
    strategies, seeds = [as_strategy(s) for s in listed(strategies)], list(seeds)
    names = [name_of(s) for s in strategies]
    for what, given in ((tr("策略", "strategies"), names), (tr("种子", "seeds"), seeds)):
        twice = [x for x in dict.fromkeys(given) if given.count(x) > 1]
        if twice or not given:
            raise BadInput(
                tr(
                    f"{what}：{f'{listing(twice)} 出现了不止一次' if twice else '一个也没有'}。请每个给一次，至少一个。",
                    f"{what}: {f'{listing(twice)} given more than once' if twice else 'none given'}. "
                    "Give each once, and at least one.",
                )
            )
    named = isinstance(config, Mapping)
    of = {as_strategy(s): c for s, c in config.items()} if named else dict.fromkeys(strategies, config)
    return [(s, replace(of.get(s) or TrainConfig(), seed=seed)) for seed in seeds for s in strategies]


def refuse_unfit(jobs: Sequence[Job]) -> None:
    """Before the first run: what cannot work on this model concerns the whole comparison."""
    model = load(jobs[0].model, task=jobs[0].corpus.task)
    for job in jobs:
        job.strategy.check(model)


def write(run: Run, folder: Path | None, file_name: str) -> Run:
    """Write the run file, where runs are kept."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        save_run(run, folder / file_name)
    return run


def runs_in(folder) -> Comparison:
    """The comparison whose runs are kept in a folder, finished or not.

    >>> runs = compare([HeadOnly()], corpus, config=TrainConfig(epochs=1), out="runs/waimai")
    >>> runs_in("runs/waimai") == runs
    True
    """
    runs = sorted((load_run(p) for p in Path(folder).glob("*-s*.json")), key=lambda r: (r.seed, r.strategy))
    if not runs:
        raise BadInput(
            tr(
                f"{folder} 里没有比较的结果。请给 compare(..., out=目录) 用过的目录。",
                f"{folder} holds no runs of a comparison. Give the folder of a compare(..., out=folder).",
            )
        )
    beside = [r for r in runs if is_baseline(r)]
    beside.sort(key=lambda r: -r.trainable_parameters)  # the constant ones last, as tasks name them
    return Comparison([r for r in runs if not is_baseline(r)], beside)
