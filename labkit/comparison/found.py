"""What a search found: its trials, the best against the defaults on fresh seeds, and whether it was luck. Plain data and words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.base.display import aligned, box, called, number, table_html
from labkit.base.language import listing, tr
from labkit.base.records import Notice, Run
from labkit.comparison.compare import Comparison
from labkit.comparison.space import title
from labkit.comparison.summary import mean
from labkit.comparison.table import clipped, table
from labkit.comparison.verdict import Verdict, in_points, signed, verdict
from labkit.tasks import Metric

SHOWN = 10  # lines of the table, the best first


@dataclass(frozen=True)
class Trial:
    """One point of the space that was tried; `value` is its score on the validation rows, of a pruned one the last that it had."""

    number: int  # 1 is the first
    point: dict[str, Any]
    strategy: str  # as tables call it: "lora(rank=16)"
    lr: float | None  # None: the strategy's own
    epochs: int | None
    batch_size: int
    value: float | None = None
    state: str = "running"  # "done", "pruned", "failed", "left" (where the search was stopped)
    default: bool = False  # one of the known defaults, which are tried first
    course: tuple[tuple[int, float], ...] = ()  # the score after each quarter of the run
    seconds: float | None = None
    why: str = ""  # it failed


@dataclass(frozen=True)
class TrialBegins(Notice):
    """A trial is taken up."""

    trial: Trial


@dataclass(frozen=True)
class TrialEnds(Notice):
    """A trial is done, pruned or failed; `best` says whether none before it was better."""

    trial: Trial
    best: bool


@dataclass(frozen=True)
class Found:
    """The outcome of a search, finished or not. Prints and shows as a report."""

    trials: tuple[Trial, ...]
    metric: Metric
    model: str
    settings: tuple[Any, Any] | None = None  # strategy and config of the best trial
    confirmed: Comparison = field(default_factory=Comparison)  # both on fresh seeds, named FOUND and DEFAULT
    importance: dict[str, float] = field(default_factory=dict)  # share of each setting in what decides the score
    seconds: float = 0.0

    @property
    def done(self) -> list[Trial]:
        return [t for t in self.trials if t.state == "done"]

    def top(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of these trials, of equals the first."""
        return (max if self.metric.greater else min)(trials, key=lambda t: t.value, default=None)

    @property
    def best(self) -> Trial | None:
        """The best trial on the validation rows."""
        return self.top(self.done)

    @property
    def default(self) -> Trial | None:
        """The best of the known defaults: what one would have without a search."""
        return self.top([t for t in self.done if t.default])

    def best_so_far(self) -> list[tuple[int, float]]:
        """(trial, best score up to it), a point wherever it rose."""
        points: list[tuple[int, float]] = []
        for trial in self.done:
            if not points or self.metric.better(trial.value, points[-1][1]):
                points.append((trial.number, trial.value))
        return points

    @property
    def call(self) -> str:
        """The call that repeats the best settings."""
        if self.settings is None:
            return ""
        strategy, config = self.settings
        made = f"{called(f'lk.{type(strategy).__name__}', strategy)}, {called('lk.TrainConfig', config)}"
        return f'run = lk.Trainer(lk.load("{self.model}", task=corpus.task), corpus, {made}).fit()'

    # The verdict on fresh seeds

    @property
    def verdict(self) -> Verdict | None:
        """The best settings against the defaults on the test rows, paired; None where there are not both."""
        names = {run.strategy for run in self.confirmed if not run.error}
        return verdict(self.confirmed, found_name(), default_name(), self.metric.name) if len(names) == 2 else None

    def again(self, name: str) -> float | None:
        """The mean score on the validation rows with fresh seeds."""
        runs = [run for run in self.confirmed if run.strategy == name and not run.error and run.valid]
        return mean(getattr(run.valid, self.metric.name) for run in runs)

    def judgement(self) -> list[str]:
        """What is left of the search's gain, in sentences."""
        best, default = self.best, self.default
        if best is None:
            return [tr("还没有做完的试验。", "No trial is done yet.")]
        lines = [
            tr(
                f"验证集上最好：第 {best.number} 次试验，{best.strategy}，{score(self.metric, best.value)}",
                f"best on the validation rows: trial {best.number}, {best.strategy}, {score(self.metric, best.value)}",
            )
        ]
        if default is None:
            return lines
        if best.number == default.number:
            return [*lines, tr("搜索没有找到比默认设置更好的。", "The search found nothing better than the defaults.")]
        gain = best.value - default.value
        lines.append(
            tr(
                f"最好的默认设置：{default.strategy}，{score(self.metric, default.value)}；搜索看上去多出 {points(self.metric, gain)}",
                f"best of the defaults: {default.strategy}, {score(self.metric, default.value)}; "
                f"by the search's own count that is {points(self.metric, gain)}",
            )
        )
        judged = self.verdict
        if judged is None:
            return [*lines, tr("还没有用新种子核实。", "Not confirmed on fresh seeds yet.")]
        fresh = self.again(found_name()) - self.again(default_name())
        lines.append(
            tr(
                f"换 {judged.seeds} 个新种子重做，同样的验证行：{points(self.metric, fresh)}",
                f"done again with {judged.seeds} fresh seeds, same validation rows: {points(self.metric, fresh)}",
            )
        )
        return [*lines, str(judged), luck(judged)]

    # Tables

    def header(self) -> list[str]:
        score = tr("验证", "valid ") + tr(*self.metric.title)
        return [
            "#",
            tr("策略", "strategy"),
            tr("学习率", "lr"),
            tr("轮数", "epochs"),
            tr("批", "batch"),
            score,
            tr("秒", "s"),
            "",
        ]

    def cells(self, most: int | None = SHOWN) -> list[list[str]]:
        """A line a trial, the best first; those without a score last."""
        order = sorted(self.done, key=lambda t: t.value, reverse=self.metric.greater)
        order += [t for t in self.trials if t.state != "done"]
        own = tr("默认", "own")
        return [
            [
                str(t.number),
                clipped(t.strategy, 28),
                number(t.lr) if t.lr else own,
                str(t.epochs or own),
                str(t.batch_size),
                "–" if t.value is None else f"{t.value:.3f}",
                "–" if t.seconds is None else f"{t.seconds:.1f}",
                state_word(t),
            ]
            for t in order[:most]
        ]

    def counts(self) -> str:
        by = {state: sum(t.state == state for t in self.trials) for state in ("done", "pruned", "failed")}
        return tr(
            f"{len(self.trials)} 次试验：做完 {by['done']}，中途剪掉 {by['pruned']}，失败 {by['failed']}；{self.seconds:.0f} 秒",
            f"{len(self.trials)} trials: {by['done']} done, {by['pruned']} pruned, {by['failed']} failed; {self.seconds:.0f} s",
        )

    def notes(self) -> list[str]:
        lines = [self.counts(), *self.judgement()]
        if self.importance:
            shares = [f"{title(name)} {share:.0%}" for name, share in self.importance.items() if share >= 0.005]
            lines.append(tr("什么在起作用：", "what mattered: ") + listing(shares))
        return lines

    def __str__(self) -> str:
        parts = ["\n".join(aligned([self.header(), *self.cells()])), "\n".join(self.notes())]
        if self.confirmed:
            parts.append(str(table(self.confirmed)))
        if self.call:
            parts.append(self.call)
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<div>{escape(line)}</div>" for line in self.notes())
        judged = table(self.confirmed)._repr_html_() if self.confirmed else ""
        return box(table_html(self.header(), self.cells(), left=2), notes, f"<pre>{escape(self.call)}</pre>") + judged

    def records(self) -> list[dict[str, Any]]:
        """The trials as plain values, for pandas or a file."""
        columns = dict.fromkeys(name for t in self.trials for name in t.point)
        about = ("number", "strategy", "lr", "epochs", "batch_size", "value", "state", "default", "seconds")
        return [
            {name: getattr(t, name) for name in about} | {f"point.{name}": t.point.get(name) for name in columns}
            for t in self.trials
        ]


def found_name() -> str:
    return tr("找到的", "found")


def default_name() -> str:
    return tr("默认的", "default")


def relabelled(run: Run, name: str) -> Run:
    """The run under the name of its side: both sides may be of one strategy."""
    return replace(run, strategy=name)


def score(metric: Metric, value: float) -> str:
    return f"{tr(*metric.title)} {value:.3f}"


def points(metric: Metric, difference: float) -> str:
    return signed(difference, metric) + (tr(" 个百分点", " points") if in_points(metric) else "")


def luck(judged: Verdict) -> str:
    """What the verdict says of the search itself."""
    return {
        "better": tr("核实了：不全是运气。", "Confirmed: not luck alone."),
        "worse": tr("运气：在新数据上反而更差，请用默认设置。", "Luck: on new rows it is worse. Take the defaults."),
        "noise": tr(
            "没有核实：看得出的只是运气，默认设置一样可用。",
            "Not confirmed: as far as can be seen it was luck, and the defaults will do.",
        ),
    }[judged.word]


def state_word(trial: Trial) -> str:
    words = {
        "done": "",
        "running": tr("进行中", "running"),
        "pruned": tr("剪掉", "pruned"),
        "failed": tr("失败", "failed"),
        "left": tr("中断", "stopped"),
    }
    return words[trial.state] or (tr("默认", "default") if trial.default else "")
