"""When to freeze: how many training rows each strategy wants. A grid of sizes x strategies, and where their curves cross."""

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.display import aligned
from labkit.base.language import tr
from labkit.base.records import BadInput, Measure, Notice
from labkit.comparison.compare import Comparing, Comparison
from labkit.comparison.summary import Summary, common_task, summarise, title_on_test, with_baselines
from labkit.comparison.table import clipped, plus_minus, span
from labkit.comparison.verdict import verdict
from labkit.data.corpus import Corpus
from labkit.models.loading import load
from labkit.strategies import Strategy, as_strategy, listed

SIZES = (50, 100, 200, 500, 1000, None)


def when_to_freeze(
    strategies: Sequence[Strategy | str],
    corpus: Corpus,
    sizes: Sequence[int | None] = SIZES,
    model: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    config: TrainConfig | None = None,
    *,
    least_steps: int = 100,
    out=None,
    listen: Callable[[Any], None] | None = None,
) -> "Grid":
    """Every strategy on ever more training rows (None: all of them); with `out`, an interrupted grid goes on.

    >>> grid = when_to_freeze([TopK(2), HeadOnly()], corpus, (16, None), seeds=(0,), least_steps=4)
    >>> print(grid)
    >>> plots.grid(grid)

    Each seed draws rows of its own, and a smaller set is part of every larger one. A few rows make few steps an epoch:
    there the epochs are raised until every run makes `least_steps`, for else the small sets would show too little
    training and not too few rows. Ctrl-C gives the sizes that are finished.
    """
    strategies = [as_strategy(s) for s in listed(strategies)]
    cells, wanted = [], counts(corpus, sizes)
    example = load(model or corpus.task.default_model, task=corpus.task)
    for n in wanted:
        finished, cheap = [], []
        for seed in seeds:
            rows = nested(corpus, n, seed)
            if listen:
                listen(Notice(tr(f"{n} 行训练，种子 {seed}", f"{n} training rows, seed {seed}")))
            configs = {s: long_enough(s, config or TrainConfig(), n, example, least_steps) for s in strategies}
            place = Path(out) / f"rows-{n}" / f"seed-{seed}" if out else None
            plan = Comparing(strategies, rows, model, (seed,), configs, out=place)
            runs = plan.fit(*([listen] if listen else []))
            if not plan.complete:  # interrupted
                return Grid(tuple(cells))
            finished += runs
            cheap += [replace(run, seed=seed) for run in runs.beside]
        cells.append((n, Comparison([*finished, *cheap])))
    return Grid(tuple(cells))


def counts(corpus: Corpus, sizes: Sequence[int | None]) -> list[int]:
    """Row counts to try, fewest first; what the corpus does not have is all of it."""
    least = max(1, len(corpus.task.labels))
    if not sizes or any(n is not None and n < least for n in sizes):
        zh, en = ("（类别数）", " (the classes)") if corpus.task.labels else ("", "")
        raise BadInput(
            tr(
                f"sizes={list(sizes)} 不行：每个应是不少于 {least}{zh} 的整数，或 None（全部）。",
                f"sizes={list(sizes)} won't do: give whole numbers from {least}{en} up, or None for all rows.",
            )
        )
    return sorted({min(n or len(corpus.train), len(corpus.train)) for n in sizes})


def nested(corpus: Corpus, n: int, seed: int) -> Corpus:
    """The corpus with `n` training rows: shares of the task's groups are kept, every group has one, and fewer rows are among
    more.

    >>> set(nested(corpus, 10, 0).train) <= set(nested(corpus, 20, 0).train)
    True
    """
    rng, members = random.Random(f"nested/{seed}"), defaultdict(list)
    for i, example in enumerate(corpus.train):
        members[corpus.task.group(example)].append(i)
    place = {}  # a row's place in a queue in which every group stands evenly, its first row in front
    for number, group in enumerate(sorted(members, key=lambda g: (g is not None, g))):
        drawn = rng.sample(members[group], len(members[group]))
        place |= {i: ((j + 0.5) / len(drawn) if j else 0.0, number) for j, i in enumerate(drawn)}
    chosen = set(sorted(place, key=place.__getitem__)[:n])
    return replace(corpus, train=tuple(example for i, example in enumerate(corpus.train) if i in chosen))


def long_enough(strategy: Strategy, config: TrainConfig, n: int, model, least_steps: int) -> TrainConfig:
    """The config with as many epochs as make `least_steps` steps of `n` rows."""
    least = math.ceil(least_steps / math.ceil(n / config.batch_size))
    return replace(config, epochs=max(config.epochs or strategy.usual_epochs(model, n), least))


@dataclass(frozen=True)
class Crossing:
    """Where `a` and the reference `b` change places: at about `rows` training rows, or None where they never do."""

    a: str
    b: str
    rows: float | None
    small: str  # which of the two leads below (or, without a crossing, wherever one leads)
    sure: bool  # outside the noise at some size on each side (without a crossing: at some size)

    def __str__(self) -> str:
        if self.rows is None:
            text = tr(
                f"{self.a} 与 {self.b}：没有交叉，{self.small} 始终不落后",
                f"{self.a} and {self.b}: no crossing, {self.small} is nowhere behind",
            )
        else:
            large = self.b if self.small == self.a else self.a
            text = tr(
                f"{self.a} 与 {self.b} 在约 {self.rows:,.0f} 行处交叉：再少，{self.small} 领先；再多，{large} 领先",
                f"{self.a} and {self.b} cross at about {self.rows:,.0f} rows: {self.small} leads below, {large} above",
            )
        return text + ("" if self.sure else tr("（在噪声之内）", " (inside the noise)"))


@dataclass(frozen=True)
class Grid:
    """What `when_to_freeze` found: for each number of training rows, its runs. Prints and shows as a table."""

    cells: tuple[tuple[int, Comparison], ...]

    @property
    def sizes(self) -> list[int]:
        return [n for n, _ in self.cells]

    def curves(self) -> dict[str, list[tuple[int, Summary]]]:
        """For each strategy and baseline, its line at each size."""
        curves: dict[str, list] = {}
        for n, runs in self.cells:
            for line in summarise(with_baselines(runs)):
                curves.setdefault(line.strategy, []).append((n, line))
        return curves

    def reference(self) -> str | None:
        """What the others are held against: full fine-tuning, or the first strategy."""
        names = list(self.curves())
        return "full" if "full" in names else next(iter(names), None)

    def crossings(self, reference: str | None = None) -> list[Crossing]:
        """Where each strategy and the reference change places, wherever they do, from few rows to many: such as
        Crossing(a='head', b='full', rows=137.2, small='head', sure=True)."""
        b = reference or self.reference()
        learning = [name for name, ((_, line), *_) in self.curves().items() if line.trainable_parameters]
        return [c for a in learning if a != b for c in self.between(a, b)]

    def between(self, a: str, b: str) -> list[Crossing]:
        """The crossings of two curves, on a logarithmic axis; one Crossing without rows where there is none."""
        curves = self.curves()
        both = {n for n, _ in curves[a]} & {n for n, _ in curves[b]}
        judged = [(n, verdict(runs, a, b)) for n, runs in self.cells if n in both]
        points = [(n, v) for n, v in judged if v.difference]  # level at a size is on neither side
        crossings = []
        for (n, left), (m, right) in itertools.pairwise(points):
            if left.difference * right.difference > 0:
                continue
            part = left.difference / (left.difference - right.difference)
            sure = any(v.word == left.side for k, v in points if k <= n)
            sure = sure and any(v.word == right.side for k, v in points if k >= m)
            rows = math.exp(math.log(n) + part * math.log(m / n))
            crossings.append(Crossing(a, b, rows, a if left.side == "better" else b, sure))
        if crossings or not points:
            return crossings
        lead = a if points[0][1].side == "better" else b
        return [Crossing(a, b, None, lead, any(v.word != "noise" for _, v in points))]

    def header(self) -> list[str]:
        task = common_task(run for _, runs in self.cells for run in runs)
        title = title_on_test(task.metrics[0]) if task else ""
        return [f"{title} \\ {tr('训练行数', 'rows')}", *(f"{n:,}" for n in self.sizes)]

    def rows(self, interval: Callable[[Measure], str] = plus_minus) -> list[list[str]]:
        lines = []
        for name, curve in self.curves().items():
            at = {n: interval(line.headline) for n, line in curve}
            lines.append([clipped(name), *(at.get(n, "–") for n in self.sizes)])
        return lines

    def records(self) -> list[dict]:
        """One plain dict for each strategy and size."""
        return [{"n_train": n, **line.record()} for curve in self.curves().values() for n, line in curve]

    def __str__(self) -> str:
        return "\n".join([*aligned([self.header(), *self.rows()]), *map(str, self.crossings())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        from labkit.base.display import box, table_html

        notes = (f"<div class=m>{escape(str(c))}</div>" for c in self.crossings())
        return box(table_html(self.header(), self.rows(span)), *notes)
