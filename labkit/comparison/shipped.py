"""Runs that take longer than a lesson, made by tools/make_course_runs.py and shipped with labkit: open them, don't believe them."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from labkit.base.files import ASSETS
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Run, from_json, to_json
from labkit.comparison.baselines import is_baseline
from labkit.comparison.compare import Comparison

SHIPPED = ASSETS / "course"


def runs(name: str) -> Comparison:
    """Runs that came with labkit, for tables, verdicts and figures as if they had been trained here.

    >>> runs = lk.runs("02-rows")
    >>> print(lk.verdict(runs, "full 240", "head 240"))
    full 240 is ...
    """
    there = sorted(path.name.removesuffix(".json.gz") for path in SHIPPED.glob("*.json.gz"))
    if name not in there:
        raise BadInput(
            tr(
                f"没有随包的训练记录 {name!r}；有：{listing(there, 20)}。",
                f"No runs {name!r} came with labkit; there are: {listing(there, 20)}.",
            )
        )
    with gzip.open(SHIPPED / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        every = [from_json(Run, record) for record in json.load(file)]
    return Comparison([r for r in every if not is_baseline(r)], [r for r in every if is_baseline(r)])


def ship(every: Sequence[Run], path: Path) -> None:
    """Write runs as one file; equal runs give equal bytes."""
    text = json.dumps([to_json(run) for run in every], ensure_ascii=False, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    partial.replace(path)
