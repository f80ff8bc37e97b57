"""What the articles behind this course claim, claim by claim, with the experiment, the effect and a verdict. Notebook 18 shows it.

The table is assets/claims.toml. Some claims can be tried on other rows or another model: they compare two strategies, which
`claims(corpus=...)` trains and judges as everything here is judged (verdict.py).
"""

import itertools
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.display import Html, box, clipped, table_html, table_text
from labkit.base.files import ASSETS
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run
from labkit.comparison.compare import compare
from labkit.comparison.verdict import Verdict, verdict
from labkit.data.corpus import Corpus
from labkit.data.packaged import reviews
from labkit.strategies import by_name

TABLE = ASSETS / "claims.toml"
WORDS = {  # of a verdict, and the colour of its mark
    "holds": ("成立", "holds", "#228833"),
    "holds_if": ("看情况", "holds if", "#ccbb44"),
    "fails": ("不成立", "fails", "#ee6677"),
    "unknown": ("不知道", "unknown", "#888888"),
    "not_yet": ("还没量", "not yet", "#888888"),
}
GROUPS = {
    "walk": ("一步一步走", "Step by step"),
    "optimizers": ("优化器", "Optimizers"),
    "freezing": ("冻结", "Freezing"),
    "pretraining": ("预训练", "Pretraining"),
    "slivers": ("小片微调", "A sliver"),
    "fields": ("模型和任务", "Models and tasks"),
    "wrong": ("会出错的", "What goes wrong"),
    "use": ("拿去用", "In use"),
}
SEEDS = 5  # at most, where a claim is tried


@dataclass(frozen=True)
class Claim:
    """One claim: what is said, where it was tried, what came out."""

    id: str
    group: str
    zh: str
    en: str
    section: str  # of the course: "02.10" is notebook 02, section 10
    verdict: str  # a key of WORDS
    evidence: dict[str, Any]  # runs, references, log with says, exact, or none
    note: tuple[str, str] = ("", "")  # on what it depends, or what else to know
    effect: float | None = None
    low: float | None = None  # of its 95 % interval or range; None where none was measured
    high: float | None = None
    unit: tuple[str, str] = ("", "")
    seeds: int | None = None
    own: dict[str, Any] = field(default_factory=dict)  # how it is tried: a, b, rows, margin

    @property
    def words(self) -> str:
        return tr(self.zh, self.en)

    @property
    def spoken(self) -> str:
        return tr(*WORDS[self.verdict][:2])

    @property
    def measured(self) -> str:
        """ "4.3 (0.4 … 8.3) points"; that no interval was measured is said as well."""
        if self.effect is None:
            return "–" if self.verdict == "not_yet" else tr("精确", "exact") if "exact" in self.evidence else "–"
        unknown = tr("区间：不知道", "interval unknown")
        span = unknown if self.low is None else f"{self.low:g} … {self.high:g}"
        return f"{self.effect:g} ({span}) {tr(*self.unit)}"


@dataclass(frozen=True)
class Trial:
    """A claim tried on other rows: the verdict there, and the comparison behind it; None where it could not be judged."""

    word: str  # a key of WORDS
    found: Verdict | None = None
    why: str = ""
    missing: bool = False  # the time was up before its runs

    @property
    def spoken(self) -> str:
        return tr(*WORDS[self.word][:2])

    def __str__(self) -> str:
        return f"{self.spoken}{tr('：', ': ')}{self.found or self.why}"


class Claims(list):
    """The table of claims, with what came out on one's own rows beside it; prints and shows itself."""

    def __init__(self, claims: Sequence[Claim], trials: dict[str, Trial] | None = None, where: str = ""):
        super().__init__(claims)
        self.trials, self.where = trials or {}, where

    def count(self) -> dict[str, int]:
        """How many claims have each verdict."""
        return {word: sum(claim.verdict == word for claim in self) for word in WORDS}

    def summary(self) -> str:
        told = [f"{tr(*WORDS[word][:2])} {many}" for word, many in self.count().items() if many]
        return tr(f"{len(self)} 条：", f"{len(self)} claims: ") + tr("，", ", ").join(told)

    def header(self) -> list[str]:
        own = [tr("在你的数据上", "on your rows")] if self.trials else []
        return [
            tr("说法", "claim"),
            tr("判决", "verdict"),
            *own,
            tr("条件、说明", "on what it depends"),
            tr("效果（95 % 区间）", "effect (95 % interval)"),
            tr("种子", "seeds"),
            tr("在哪里量的", "where"),
        ]

    def short(self, row: Sequence[str]) -> list[str]:
        """A line as a terminal has room for it: without what the verdict depends on."""
        at = 3 if self.trials else 2
        return [clipped(cell, 52) for i, cell in enumerate(row) if i != at]

    def cells(self, claim: Claim, shown: Callable[[str], str] = str) -> list[str]:
        """A line of the table; `shown` makes a verdict's key what is seen."""
        trial = self.trials.get(claim.id)
        own = [shown(trial.word) if trial else ""] if self.trials else []
        seeds = "" if claim.seeds is None else str(claim.seeds)
        return [claim.words, shown(claim.verdict), *own, tr(*claim.note), claim.measured, seeds, claim.section]

    def __str__(self) -> str:
        lines = [self.summary()]
        for group, title in GROUPS.items():
            inside = [claim for claim in self if claim.group == group]
            if inside:
                rows = [self.short(self.cells(one, spoken)) for one in inside]
                lines += ["", tr(*title), table_text(self.short(self.header()), rows)]
        return "\n".join([*lines, *self.told()])

    __repr__ = __str__

    def told(self) -> list[str]:
        """What came out on one's own rows, a line a claim."""
        if not self.trials:
            return []
        by_id = {claim.id: claim for claim in self}
        judged = {id: trial for id, trial in self.trials.items() if not trial.missing}
        head = tr(f"在 {self.where} 上试的：", f"tried on {self.where}:")
        lines = [head, *(f"  {by_id[id].words}{tr('——', ' – ')}{trial}" for id, trial in judged.items())]
        if rest := [id for id in self.trials if id not in judged]:
            lines.append(tr(f"时间内没有跑到：{listing(rest, 20)}", f"not reached in time: {listing(rest, 20)}"))
        return ["", *lines]

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{escape(self.summary())}</b></p>"]
        for group, title in GROUPS.items():
            inside = [claim for claim in self if claim.group == group]
            if inside:
                table = table_html(self.header(), [self.cells(one, marked) for one in inside], left=len(self.header()))
                parts.append(f"<details open><summary><b>{tr(*title)}</b></summary>{table}</details>")
        parts += [f"<div>{escape(line)}</div>" for line in self.told()]
        return box(STYLE, *parts)


STYLE = (
    "<style>.labkit .claims{max-width:none}.labkit td.t{vertical-align:top}.labkit .v{white-space:nowrap}"
    ".labkit .v i{display:inline-block;width:.7em;height:.7em;margin-right:.4em}.labkit summary{cursor:pointer;margin-top:.6em}</style>"
)


def spoken(word: str) -> str:
    return tr(*WORDS[word][:2]) if word else ""


def marked(word: str) -> str:
    """A verdict with its colour: never by colour alone."""
    return Html(f'<span class="v"><i style="background:{WORDS[word][2]}"></i>{spoken(word)}</span>') if word else ""


def claims(
    model: str | None = None,
    corpus: Corpus | None = None,
    seconds: float = 60,
    *,
    config: TrainConfig | None = None,
    listen: Callable[[Any], None] | None = None,
) -> Claims:
    """The articles' claims and what became of them; with a model or a corpus, those that fit are tried on it and judged
    anew, within about so many seconds.

    >>> print(claims().summary())
    79 claims: holds ...
    >>> mine = claims(corpus=corpus, seconds=1)
    >>> mine.trials["full-better"].word
    'unknown'

    A trial has up to five seeds, as far as the seconds reach; what they don't reach is left out. BadInput where the corpus
    has no test rows.
    """
    table = [Claim(id, **as_tuples(row)) for id, row in tomllib.loads(TABLE.read_text("utf-8")).items()]
    if model is None and corpus is None:
        return Claims(table)
    corpus = reviews() if corpus is None else corpus
    if not corpus.test:
        raise BadInput(
            tr(
                f"{corpus.name} 没有测试行，判不了。请用 test= 给一份，或让 load_csv 自己划分。",
                f"{corpus.name} has no test rows to judge by. Give some by test=, or let load_csv split off its own.",
            )
        )
    wanted = [claim for claim in table if "a" in claim.own]
    return Claims(table, tried(wanted, corpus, model, seconds, config, listen), corpus.name)


def as_tuples(row: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def tried(
    wanted: Sequence[Claim], corpus: Corpus, model: str | None, seconds: float, config: TrainConfig | None, listen
) -> dict[str, Trial]:
    """Each claim on these rows: a seed after the other, all strategies with each, until the time is up."""
    end = time.monotonic() + seconds
    sizes = sorted({rows_of(claim) for claim in wanted}, reverse=True)  # few rows first: they are the quick ones
    plan = {size: strategies_of(wanted, size) for size in sizes}
    found: dict[int, list[Run]] = {size: [] for size in sizes}
    took: dict[tuple[int, str], float] = {}
    for seed, size in itertools.product(range(SEEDS), sizes):
        rows = corpus.limit(size, seed) if 0 < size < len(corpus.train) else corpus
        for name in plan[size]:
            began = time.monotonic()
            there = {run.strategy for run in found[size]} - set(BESIDE)
            if len(there) > 1 and began + took.get((size, name), 0.0) > end:  # two to compare there are in any case
                continue
            made = compare([by_name(name)], rows, model, (seed,), config, listen=listen)
            took[size, name] = time.monotonic() - began
            known = {run.strategy for run in found[size]}
            found[size] += [*made, *(run for run in made.beside if run.strategy not in known)]
    return {claim.id: judged(claim, found[rows_of(claim)]) for claim in wanted}


def rows_of(claim: Claim) -> int:
    """How many training rows a claim is about; 0: all of them."""
    return claim.own.get("rows", 0)


def strategies_of(wanted: Sequence[Claim], size: int) -> list[str]:
    """What has to be trained for the claims about so many rows: the cheap head first, then the oftenest named."""
    names = [name for c in wanted if rows_of(c) == size for name in (c.own["a"], c.own["b"]) if name not in BESIDE]
    return sorted(dict.fromkeys(names), key=lambda name: (name != "head", -names.count(name)))


BESIDE = ("tf-idf", "majority")  # baselines stand beside every comparison


def judged(claim: Claim, runs: Sequence[Run]) -> Trial:
    """What these runs say of a claim: that `a` is better than `b`, or with a margin, that it is no worse than that."""
    a, b = claim.own["a"], claim.own["b"]
    there = {run.strategy: run for run in runs if not run.error}
    missing = [name for name in (a, b) if name not in there]
    if missing:
        failed = next((run.error for run in runs if run.strategy in missing and run.error), "")
        not_reached = tr(f"没有跑到：{listing(missing)}", f"not reached: {listing(missing)}")
        return Trial("unknown", why=clipped(failed, 90) or not_reached, missing=not failed)
    if claim.own.get("seconds"):
        quicker = all_quicker(runs, a, b)
        return Trial(
            "holds" if quicker else "fails",
            why=tr(f"{a} 每次都更快", f"{a} was the faster each time") if quicker else "",
        )
    found = verdict(runs, a, b)
    margin = claim.own.get("margin", 0.0)
    if found.seeds < 2:  # one seed says nothing of the strategy
        return Trial("unknown", found)
    if margin:
        word = "holds" if found.low > -margin else "fails" if found.high < -margin else "unknown"
    else:
        word = {"better": "holds", "worse": "fails", "noise": "unknown"}[found.word]
    return Trial(word, found)


def all_quicker(runs: Sequence[Run], a: str, b: str) -> bool:
    """Whether every run of `a` took less time than every run of `b`."""
    return max(r.seconds for r in runs if r.strategy == a) < min(r.seconds for r in runs if r.strategy == b)
