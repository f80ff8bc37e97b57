"""Search: which strategy with which settings suits these rows? Optuna asks, jobs answer; validation rows decide.

Test rows are not given to a trial at all; the best settings and the best defaults meet on them once, with fresh seeds.
Notebook 13 uses it. Leans on space (what is searched), study (Optuna's book of trials), found (the report) and workers.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.files import held, load_run
from labkit.base.language import tr
from labkit.base.records import BadInput, EpochDone, Notice, Run, RunEnds
from labkit.comparison.compare import Comparison, write
from labkit.comparison.found import Found, Trial, TrialBegins, TrialEnds, default_name, found_name, relabelled
from labkit.comparison.job import Job
from labkit.comparison.space import SEARCHED, TRIALS, metric_of, refuse_budgets, space_of
from labkit.comparison.study import Study, open_study
from labkit.comparison.workers import Workers
from labkit.data.corpus import Corpus
from labkit.models.loading import load, weights_digest
from labkit.strategies import Strategy
from labkit.training.engine import Engine, patient

FRESH = 1000  # the first seed of the confirmation: no trial has it
QUARTERS = 4  # of a run: where its score is held against the others'


def search(
    corpus: Corpus,
    strategies: Sequence[Strategy | str] | None = None,
    trials: int | None = None,
    seconds: float | None = None,
    metric: str | None = None,
    seeds: int = 1,
    workers: int | None = None,
    storage: str | None = None,
    *,
    cluster: str | None = None,
    model: str | None = None,
    space: Sequence[str] = SEARCHED,
    config: TrainConfig | None = None,
    sampler: str = "tpe",
    prune: bool = True,
    confirm: int = 5,
    seed: int = 0,
    out=None,
    listen: Callable[[Any], None] | None = None,
) -> Found:
    """Try settings until the budget is spent, then hold the best against the defaults on fresh seeds and the test rows.

    >>> found = search(corpus, ["head"], trials=2, confirm=2, config=TrainConfig(max_length=16))
    >>> print(found)

    Strategies by name or instance (all that work on the model, without); `space` names what is searched beside the
    strategy. Each strategy's defaults are the first trials; poor trials are pruned. `trials` is a total over all calls,
    `seconds` a budget of this call (kept within one trial, confirmation included); 40 trials without either. With `out`
    each run is a file there and a search that was stopped goes on; `storage` (such as "sqlite:///search.db") is for
    several terminals that search together. With one worker and a seed the trials are the same each time. Needs
    `pip install 'labkit[search]'`. Raises BadInput for what cannot be searched, and for the storage of another search.
    """
    plan = Searching(
        corpus, strategies, trials, seconds, metric, seeds, workers, storage, cluster=cluster, model=model, space=space, config=config,
        sampler=sampler, prune=prune, confirm=confirm, seed=seed, out=out,
    )  # fmt: skip
    return plan.fit(*([listen] if listen else []))


@dataclass
class Going:
    """A trial under way: what it has shown so far."""

    number: int  # Optuna's
    asked: Any  # Optuna's trial
    jobs: list[Job]
    began: float
    values: list[float] = field(default_factory=list)  # one a seed that is done
    quarter: int = 0


class Searching:
    """A search as events, for whoever wants to watch it or stop it; `search` is this in one call, with its arguments.

    >>> plan = Searching(corpus, ["head"], trials=2, confirm=2, config=TrainConfig(epochs=1, max_length=16))
    >>> for event in plan.run():                             # TrialBegins, TrialEnds, and the runs' own events
    ...     if isinstance(event, TrialEnds):
    ...         print(event.trial.number, event.trial.strategy, event.trial.state)
    1 head done
    2 head...
    >>> plan.found.best.value > 0
    True

    Leaving the loop stops within a step: trials under way are tried again by the next `run()`, or by another call with
    the same `out` or `storage`. `found` is at any time what there is.
    """

    def __init__(
        self,
        corpus: Corpus,
        strategies: Sequence[Strategy | str] | None = None,
        trials: int | None = None,
        seconds: float | None = None,
        metric: str | None = None,
        seeds: int = 1,
        workers: int | None = None,
        storage: str | None = None,
        *,
        cluster: str | None = None,
        model: str | None = None,
        space: Sequence[str] = SEARCHED,
        config: TrainConfig | None = None,
        sampler: str = "tpe",
        prune: bool = True,
        confirm: int = 5,
        seed: int = 0,
        out=None,
    ):
        refuse_budgets(trials, seconds, seeds, confirm, workers)
        self.corpus, self.metric = corpus, metric_of(corpus, metric)
        self.model = str(model or corpus.task.default_model)
        self.unseen = replace(corpus, test=())  # all that a trial gets to see
        if not corpus.valid:
            raise BadInput(tr("搜索要有验证行来评判：语料的 valid 是空的。", "A search is judged on validation rows, and this corpus has none: give it some."))  # fmt: skip
        self.trials = trials if trials or seconds else TRIALS
        self.seconds, self.seeds, self.confirm = seconds, seeds, confirm
        self.workers, self.cluster = workers, cluster
        self.folder, self.storage, self.prune = Path(out) if out else None, storage, prune
        self.space = space_of(load(self.model, task=corpus.task), corpus, strategies, space, config)
        self.first_seed = self.space.config.seed + seed
        card = {"space": self.space.card(), "corpus": corpus.fingerprint, "model": weights_digest(self.model)}
        self.card = card | {"metric": self.metric.name, "seeds": seeds, "seed": self.first_seed, "sampler": sampler}
        Engine(self.space.config.device, self.space.config.precision)  # a device that is not there is said now
        self.study: Study = open_study(self.card, self.space, sampler, self.metric.greater, storage, self.folder)
        self.going: dict[int, Going] = {}
        self.kept = {key(run): run for run in self.stored()}  # a run whose file is there is not trained again
        self.confirmed, self.spent, self.began, self.complete = Comparison(), 0.0, None, False
        self.enough = False  # whether the budget is spent: asked after every event

    # From outside

    def fit(self, *listeners: Callable[[Any], None]) -> Found:
        """Search until the budget is spent; Ctrl-C stops after the step under way and gives what there is."""
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(self.run()) as events, patient() as stop:
            for event in events:
                for listen in listeners:
                    listen(event)
                if stop():
                    break
        return self.found

    def run(self) -> Iterator[Any]:
        """Search, one event at a time. Leave the loop to stop; call again to go on."""
        lock = held(self.folder) if self.folder and not self.storage else contextlib.nullcontext()
        self.began, self.enough = time.monotonic(), False
        try:
            with lock, Workers(self.workers, cluster=self.cluster) as workers:
                self.study.begin()
                yield from self.try_out(workers)
                yield from self.confirm_best(workers)
            self.complete = True
        finally:
            for going in self.going.values():
                self.study.give_back(going.number)
            self.going.clear()
            self.spent, self.began = self.spent + time.monotonic() - self.began, None

    @property
    def found(self) -> Found:
        """What there is so far."""
        trials = tuple(self.study.trials())
        found = Found(trials, self.metric, self.model, confirmed=self.confirmed, seconds=self.spent + self.elapsed())
        if found.best is None:
            return found
        found = replace(found, settings=self.space.settings(found.best.point))
        shared = ["strategy", *(axis.name for axis in self.space.training)]
        return found if self.going else replace(found, importance=self.study.importance(shared))

    # Trials

    def try_out(self, workers: Workers) -> Iterator[Any]:
        """Ask for trials while there is budget, and carry them out."""
        yield from self.fill(workers)
        while self.going:
            for name, event in workers.events():
                going = self.going.get(name[0]) if name else None
                if going and isinstance(event, EpochDone) and not going.values:
                    yield from self.hear(workers, going, event)
                elif going and isinstance(event, RunEnds):
                    run = write(event.run, self.folder and self.folder / "trials", trial_file(going))
                    yield from self.take(workers, going, run)
                yield event
                yield from self.fill(workers)
            yield from self.fill(workers)

    def fill(self, workers: Workers) -> Iterator[Any]:
        while (workers.free or not self.going) and self.wants_more():  # what was pruned may still be stopping
            number, asked, point = self.study.ask()
            strategy, config = self.space.settings(point)
            configs = [replace(config, seed=self.first_seed + i) for i in range(self.seeds)]
            jobs = [Job(strategy, c, self.unseen, self.model) for c in configs]
            going = self.going[number] = Going(number, asked, jobs, time.monotonic())
            trial = self.study.trial(number)
            yield TrialBegins(named(trial), trial)
            yield from self.next_seed(workers, going)

    def next_seed(self, workers: Workers, going: Going) -> Iterator[Any]:
        """The trial's next run; one that is stored already counts at once."""
        job = going.jobs[len(going.values)]
        run = self.kept.get(key(job))
        if run:
            yield from self.take(workers, going, run)
        else:
            workers.submit((going.number, len(going.values)), job)

    def hear(self, workers: Workers, going: Going, event: EpochDone) -> Iterator[Any]:
        """After an epoch of the first seed: tell how it goes, and stop it where it goes badly."""
        self.study.alive(going.number)
        epoch, total = event.epoch.epoch, going.jobs[0].config.epochs
        total = total or going.jobs[0].strategy.usual_epochs(self.space.outline, self.space.rows)
        while going.quarter < QUARTERS * epoch // total:
            going.quarter += 1
            going.asked.report(event.epoch.valid[self.metric.name], going.quarter)
        if self.prune and epoch < total and going.quarter and going.asked.should_prune():
            workers.cancel((going.number, 0))
            yield self.ended(going, "pruned")

    def take(self, workers: Workers, going: Going, run: Run) -> Iterator[Any]:
        """A run of the trial has ended."""
        self.kept[key(run)] = run
        if run.error:
            yield self.ended(going, "failed", why=run.error)
            return
        going.values.append(getattr(run.valid, self.metric.name))
        if len(going.values) < self.seeds:
            yield from self.next_seed(workers, going)
        else:
            yield self.ended(going, "done", value=sum(going.values) / self.seeds)

    def ended(self, going: Going, state: str, value: float | None = None, why: str = "") -> TrialEnds:
        del self.going[going.number]
        self.study.tell(going.number, state, value, time.monotonic() - going.began, why)
        trial = self.study.trial(going.number)
        best = Found(tuple(self.study.trials()), self.metric, self.model).best
        first = best is not None and best.number == trial.number
        score = "" if trial.value is None else f"{tr(*self.metric.title)} {trial.value:.3f}"
        word = {"done": tr("，目前最好", ", the best so far") if first else "", "pruned": tr("，剪掉", ", pruned"), "failed": tr(f"失败：{why}", f"failed: {why}")}[state]  # fmt: skip
        return TrialEnds(f"{named(trial)}{tr('：', ': ')}{score}{word}", trial, first)

    # The budget

    def elapsed(self) -> float:
        return 0.0 if self.began is None else time.monotonic() - self.began

    def wants_more(self) -> bool:
        """Whether there is budget for one more trial, the confirmation set aside."""
        if self.enough:
            return False
        begun = self.study.count()
        if self.trials is not None and begun >= self.trials:
            self.enough = True
        elif self.seconds and begun:
            self.enough = self.elapsed() + self.reserve() >= self.seconds
        return not self.enough

    def reserve(self) -> float:
        """Seconds that the confirmation will take: a number of seeds of both sides, never half of the budget."""
        return self.fresh_seeds() * self.pair_seconds() / (self.workers or 1)

    def fresh_seeds(self) -> int:
        if not self.seconds or not self.confirm:
            return self.confirm
        affordable = 0.4 * self.seconds * (self.workers or 1) / max(self.pair_seconds(), 1e-3)
        return int(max(min(2, self.confirm), min(self.confirm, affordable)))

    def pair_seconds(self) -> float:
        """Of the best trial and the best default together, with one seed."""
        found = Found(tuple(self.study.trials()), self.metric, self.model)
        return sum((t.seconds or 0.0) / self.seeds for t in (found.best, found.default) if t)

    # The confirmation

    def confirm_best(self, workers: Workers) -> Iterator[Any]:
        """The best settings and the best defaults on fresh seeds; the first look at the test rows."""
        found, sides = self.found, {}
        if found.best and found.default and self.corpus.test and found.best.number != found.default.number:
            sides = {found_name(): found.best, default_name(): found.default}
            yield Notice(tr("用新种子核实最好的和默认的", "confirming the best and the default on fresh seeds"))
        for i in range(self.fresh_seeds() if sides else 0):
            for name, trial in sides.items():
                strategy, config = self.space.settings(trial.point)
                job = Job(strategy, replace(config, seed=FRESH + self.first_seed + i), self.corpus, self.model)
                run = self.kept.get(key(job))
                if run:
                    self.confirmed.append(relabelled(run, name))
                else:
                    workers.submit((name, job.config.seed, job.file_name()), job)
        for name, event in workers.events():
            if name and isinstance(event, RunEnds):
                write(event.run, self.folder and self.folder / "confirm", f"{trial_side(name[0])}-{name[2]}")
                self.confirmed.append(relabelled(event.run, name[0]))
            yield event

    def stored(self) -> Iterator[Run]:
        """The runs in the folder."""
        for path in sorted(self.folder.glob("*/*-s*.json")) if self.folder else ():
            run = load_run(path)
            if not run.error:
                yield run


def named(trial: Trial) -> str:
    """A trial in messages: "trial 3, lora(rank=16)"."""
    return tr(f"试验 {trial.number}，{trial.strategy}", f"trial {trial.number}, {trial.strategy}")


def key(thing: Job | Run) -> str:
    """Equal for a job and its run."""
    return json.dumps(thing.identity() if isinstance(thing, Job) else thing.identity, sort_keys=True)


def trial_side(name: str) -> str:
    """The side as files have it, in any language."""
    return "found" if name == found_name() else "default"


def trial_file(going: Going) -> str:
    job = going.jobs[len(going.values)]
    return f"trial-{going.number + 1:03d}-{job.file_name()}"
