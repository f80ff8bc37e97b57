"""Which strategy for these rows and this machine? Forecasts, then short runs on the rows themselves, and an honest "cannot tell".

Validation rows judge, test rows are not looked at. Notebook 13 puts it on trial. Leans on forecast, workers and verdict.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.display import aligned, box, called, table_html
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run, RunEnds
from labkit.comparison.baselines import baseline
from labkit.comparison.compare import Comparison
from labkit.comparison.job import Job
from labkit.comparison.space import starting, works
from labkit.comparison.summary import best_first, common_task, summarise, with_baselines
from labkit.comparison.table import plus_minus
from labkit.comparison.verdict import Verdict, verdict
from labkit.comparison.workers import Workers
from labkit.data.corpus import Corpus
from labkit.inspection.forecast import duration, preflight
from labkit.models.loading import load
from labkit.strategies import Strategy, listed, name_of

ORDER = (
    "head",
    "top-K",
    "lora",
    "full",
    "bitfit",
    "adapter",
    "gradual",
    "prefix",
    "ptuning-v2",
)  # looked at first to last
MARGIN = 0.03  # of the metric's range: what is no further behind the best counts as good as the best
SEEDS = 5  # most runs of one strategy
JUDGES = 50  # validation rows, at least, for saying that two are equally good
FEWEST = 150  # training rows of a short run, at least
LOOKING = 0.3  # share of the budget that forecasts may take


@dataclass(frozen=True)
class Recommendation:
    """A strategy, or None where it cannot be told; prints and shows with its reasons."""

    strategy: Strategy | None
    why: tuple[str, ...]
    unseen: tuple[str, ...]  # what was not looked at
    evidence: Comparison = field(
        default_factory=Comparison
    )  # the short runs; their "test rows" are the validation rows
    model: str = ""
    seconds: float = 0.0

    @property
    def call(self) -> str:
        if self.strategy is None:
            return ""
        made = called(f"lk.{type(self.strategy).__name__}", self.strategy)
        return f'run = lk.Trainer(lk.load("{self.model}", task=corpus.task), corpus, {made}).fit()'

    def lines(self) -> list[str]:
        name = tr("说不准", "cannot tell") if self.strategy is None else name_of(self.strategy)
        return [
            tr("建议：", "proposal: ") + name,
            *(f"  · {reason}" for reason in self.why),
            tr("没有看的：", "not looked at: ") + listing(self.unseen, 20),
            tr(f"用时 {duration(self.seconds)}", f"took {duration(self.seconds)}"),
        ]

    def __str__(self) -> str:
        parts = ["\n".join(self.lines())]
        if self.evidence:
            parts.append("\n".join(aligned([self.header(), *self.cells()])))
        return "\n\n".join([*parts, *([self.call] if self.call else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        told = "".join(f"<div>{escape(line)}</div>" for line in self.lines())
        shown = table_html(self.header(), self.cells()) if self.evidence else ""
        return box(told, shown, f"<pre>{escape(self.call)}</pre>")

    def header(self) -> list[str]:
        score = tr("验证", "valid ") + tr(*common_task(self.evidence).metrics[0].title) if self.evidence else ""
        return [tr("短跑", "short runs"), score, tr("次数", "runs"), tr("秒", "seconds")]

    def cells(self) -> list[list[str]]:
        """A line a strategy and baseline, the best first."""
        lines = summarise(with_baselines(self.evidence))
        ranked = best_first(lines, common_task(self.evidence).metrics[0]) if lines else []
        return [[x.strategy, plus_minus(x.headline), str(x.runs), f"{x.seconds:.1f}"] for x in ranked]


def recommend(
    corpus: Corpus,
    model: str | None = None,
    seconds: float = 60,
    strategies: Sequence[Strategy | str] = ORDER,
    *,
    config: TrainConfig | None = None,
    workers: int | None = None,
    listen: Callable[[Any], None] | None = None,
) -> Recommendation:
    """Propose a strategy for this corpus on this machine, within about so many seconds; `strategy` is None where the runs
    do not tell.

    >>> advice = recommend(corpus, seconds=5, strategies=["head", "top-1"], config=TrainConfig(max_length=16))
    >>> print(advice)

    First what each would cost (`preflight`), then rounds of short runs, a seed after the other; what is clearly behind
    drops out. Of those that are as good as the best, within 3 points and sure of it, the cheapest is proposed. Where the
    budget does not reach for two seeds on all rows, the runs are on fewer. Raises BadInput without validation rows.
    """
    if not seconds > 0:
        raise BadInput(
            tr(f"seconds={seconds!r} 不行；应是正数。", f"seconds={seconds!r} won't do; give a positive number.")
        )
    if not corpus.valid:
        raise BadInput(tr("推荐要有验证行来评判：语料的 valid 是空的。", "A recommendation is judged on validation rows, and this corpus has none: give it some."))  # fmt: skip
    return Advisor(corpus, str(model or corpus.task.default_model), seconds, config or TrainConfig(), workers, listen).advise(strategies)  # fmt: skip


class Advisor:
    """One recommendation under way."""

    def __init__(self, corpus, model: str, seconds: float, config: TrainConfig, workers: int | None, listen):
        self.corpus, self.model, self.seconds, self.config = corpus, model, seconds, config
        self.workers, self.listen, self.began = workers, listen, time.perf_counter()
        self.costs: dict[Strategy, float] = {}  # seconds of a whole run
        self.why: list[str] = []
        self.unseen: list[str] = []

    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.began)

    def advise(self, strategies: Sequence[Strategy | str]) -> Recommendation:
        self.look(strategies)
        rows, share = self.short()
        runs = self.rounds(rows)
        self.unseen += [
            tr("其他学习率和轮数", "other rates and epochs"),
            tr("遗忘和推理速度", "forgetting and speed of answering"),
            tr("测试行", "the test rows"),
        ]
        if share < 1:
            self.unseen.insert(0, tr(f"全部 {len(self.corpus.train)} 行：短跑只用了 {len(rows.train)} 行，行数少时冻结占便宜", f"all {len(self.corpus.train)} rows: the short runs had {len(rows.train)}, and few rows favour freezing"))  # fmt: skip
        strategy = self.decide(runs)
        spent = time.perf_counter() - self.began
        return Recommendation(strategy, tuple(self.why), tuple(self.unseen), runs, self.model, spent)

    # What it would cost

    def look(self, strategies: Sequence[Strategy | str]) -> None:
        """What each strategy would cost here; those that do not work or do not fit are left out, and that is said."""
        network, unfit, large, skipped = load(self.model, task=self.corpus.task), [], [], []
        for _, strategy in (starting(s, network) for s in listed(strategies)):
            name = name_of(strategy)
            if not works(strategy, network):
                unfit.append(name)
            elif self.left() < (1 - LOOKING) * self.seconds and len(self.costs) > 1:
                skipped.append(name)
            else:
                forecast = preflight(network, self.corpus, strategy, self.config)
                if forecast.fits and forecast.seconds is not None:
                    self.costs[strategy] = forecast.seconds
                else:
                    large.append(name)
        for names, zh, en in (
            (unfit, "在这个模型上用不了", "do not work on this model"),
            (large, "内存放不下", "do not fit into memory"),
        ):
            if names:
                self.why.append(f"{listing(names)}{tr('：', ': ')}{tr(zh, en)}")
        if skipped:
            self.unseen.append(tr(f"{listing(skipped)}（时间不够）", f"{listing(skipped)} (no time)"))

    def short(self) -> tuple[Corpus, float]:
        """The rows of the short runs: all, or as few as let every strategy run twice in what is left. Validation rows stand
        where test rows would: they are what is judged on."""
        judged = replace(self.corpus, test=self.corpus.valid)
        while len(self.costs) > 2 and self.share() * len(self.corpus.train) < min(FEWEST, 0.9 * len(self.corpus.train)):
            dearest = max(self.costs, key=self.costs.__getitem__)
            del self.costs[dearest]
            self.unseen.append(tr(f"{name_of(dearest)}（时间不够）", f"{name_of(dearest)} (no time)"))
        share = self.share()
        least = max(FEWEST // 2, len(self.corpus.labels))
        return (judged if share == 1 else judged.limit(max(least, int(share * len(judged.train))))), share

    def share(self) -> float:
        """The part of the rows with which two rounds fit into what is left."""
        crew = self.workers or 1
        return min(1.0, 0.7 * crew * max(self.left(), 0.0) / (2 * sum(self.costs.values()) or 1.0))

    # Short runs

    def rounds(self, rows: Corpus) -> Comparison:
        """A run of every strategy that is still in, a seed after the other, the cheapest first, until time is up."""
        runs, still = Comparison(), sorted(self.costs, key=self.costs.__getitem__)
        for seed in range(SEEDS):
            began, done = time.perf_counter(), []
            for run in self.carried_out([Job(s, replace(self.config, seed=seed), rows, self.model) for s in still]):
                done.append(run)
            if len(done) == len(still) or not seed:  # of a later round that is not whole nothing counts
                runs.extend(done)
            if len(done) < len(still) or len(still) < 2 or self.left() < time.perf_counter() - began:
                break
            still = [s for s in still if not self.behind(runs, s)] if seed else still
        ran = {run.strategy for run in runs}
        if late := [name_of(s) for s in self.costs if name_of(s) not in ran]:
            self.unseen.append(tr(f"{listing(late)}（时间不够）", f"{listing(late)} (no time)"))
        return beside(runs, rows)

    def carried_out(self, jobs: Sequence[Job]) -> Iterator[Run]:
        """The runs of these jobs, as far as there is time for them."""
        with Workers(self.workers) as workers:
            for job in jobs:
                workers.submit(job.name, job)
            for _, event in workers.events():
                if self.listen and event is not None:
                    self.listen(event)
                if isinstance(event, RunEnds):
                    yield event.run
                if self.left() < 0:
                    return

    def behind(self, runs: Comparison, strategy: Strategy) -> bool:
        """Whether a strategy is clearly worse than the best."""
        name, ranked = name_of(strategy), names(runs)
        if name not in ranked or name == ranked[0]:
            return name not in ranked
        judged = verdict(runs, ranked[0], name)
        return judged.word == "better" and not within(judged)

    # The decision

    def decide(self, runs: Comparison) -> Strategy | None:
        """The cheapest of those that are sure to be as good as the best; None, with the reason, where that is nobody."""
        for run in runs:
            if run.error and run.seed == 0:
                self.why.append(tr(f"{run.strategy} 失败：{run.error}", f"{run.strategy} failed: {run.error}"))
        ranked = names(runs)
        if not ranked:
            return self.unsure(tr("没有一次短跑做完。", "No short run came to its end."))
        best, others = ranked[0], ranked[1:]
        seeds = sum(r.strategy == best and not r.error for r in runs)
        if not others or seeds < 2:
            return self.unsure(tr(f"证据不够：{len(ranked)} 种策略，{seeds} 个种子。", f"Too little evidence: {len(ranked)} strategies, {seeds} seeds."))  # fmt: skip
        against = {name: verdict(runs, best, name) for name in others}
        good = [best, *(name for name in others if within(against[name]))]
        if trouble := self.against_baselines(runs, best):
            return self.unsure(trouble)
        for name in others:
            self.why.append(told(against[name]))
        undecided = [name for name in others if name not in good and against[name].word == "noise"]
        seconds = {line.strategy: line.seconds for line in summarise(runs)}
        chosen = min(good, key=seconds.__getitem__)
        if undecided and min(seconds[name] for name in undecided) < seconds[chosen]:
            return self.unsure(tr(f"{best} 领先，可是看不出它和 {listing(undecided)} 的差别，后者里有更便宜的。要更多的验证行或更多的时间。", f"{best} leads, but cannot be told from {listing(undecided)}, among which are cheaper ones. It takes more validation rows, or more time."))  # fmt: skip
        self.why.insert(0, self.reason(chosen, best, good, seconds))
        return next(s for s in self.costs if name_of(s) == chosen)

    def reason(self, chosen: str, best: str, good: list[str], seconds: dict[str, float]) -> str:
        if len(good) == 1:
            return tr(f"{chosen} 在验证行上最好。", f"{chosen} is best on the validation rows.")
        cost = duration(seconds[chosen])
        return tr(
            f"{listing(good)} 一样好（差不出 {100 * MARGIN:g} 个百分点），其中 {chosen} 最便宜：{cost}。",
            f"{listing(good)} are equally good (within {100 * MARGIN:g} points), and {chosen} is the cheapest: {cost}.",
        )

    def unsure(self, why: str) -> None:
        self.why.insert(0, why)

    def against_baselines(self, runs: Comparison, best: str) -> str:
        """Why nothing can be proposed, where the best does not reach the cheap baselines; else "", with a warning among the
        reasons where it is not ahead of them."""
        for cheap in names(Comparison(runs.beside)):
            judged = verdict(runs, best, cheap)
            if judged.word == "worse":
                return tr(f"{told(judged)}：先用 {cheap}。", f"{told(judged)}: take {cheap} for now.")
            if judged.word == "noise":
                self.why.append(tr(f"当心：{told(judged)}", f"mind: {told(judged)}"))
        constant = next((run for run in runs.beside if len({repr(a) for a in run.answers or ()}) == 1), None)
        if constant and verdict(runs, best, constant.strategy).word != "better":
            return tr("短跑里什么也没学到：没有一种比总答同一个好。", "Nothing was learned in the short runs: none is better than one and the same answer.")  # fmt: skip
        return ""


def told(judged: Verdict) -> str:
    """A verdict in words. Its test rows are the validation rows here."""
    return str(judged).replace(tr("行测试", "test rows"), tr("行验证", "validation rows"))


def names(runs: Sequence[Run]) -> list[str]:
    """Strategies that finished runs, the best first by the mean of the headline on the judging rows."""
    lines = summarise(runs)
    finished = [r for r in runs if not r.error]
    if not finished:
        return []
    return [line.strategy for line in best_first(lines, common_task(finished).metrics[0])]


def within(judged: Verdict) -> bool:
    """Whether the best is sure to be ahead by no more than the margin; a handful of rows is sure of nothing."""
    if judged.rows < JUDGES:
        return False
    top = judged.metric.top if judged.metric.top < float("inf") else abs(judged.difference) * 10 or 1.0
    return max(abs(judged.low), abs(judged.high)) <= MARGIN * top


def beside(runs: Comparison, rows: Corpus) -> Comparison:
    """The runs with the cheap baselines, judged on the same rows."""
    return Comparison(runs, [baseline(rows, name) for name in rows.task.baselines(rows.train)])
