"""What the command says of its results: words and lines for people, one JSON object for programs, tables and figures."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import Run, to_json
from labkit.data.describe import dropped_text
from labkit.tasks import task_of

# what --json prints of a run, with {split}_{metric} of its task; the names are stable
FIELDS = (
    *("strategy", "model", "seed", "device", "epochs", "n_train", "n_valid", "n_test"),
    *("seconds", "samples_per_second", "peak_memory_mb", "trainable_parameters", "total_parameters"),
    *("saved_bytes", "out"),
)


def say(text: str) -> None:
    """To standard error, where progress goes."""
    print(text, file=sys.stderr, flush=True)


def line(name: str, value) -> None:
    print(f"{name}{tr('：', ': ')}{value}")


def flat(run: Run) -> dict[str, Any]:
    """A run as `--json` prints it: `test_accuracy`, `valid_macro_f1` … stand beside its other numbers."""
    names = [m.name for m in task_of(run.task).metrics]
    metrics = {f"{split}_{name}": getattr(run, f"{split}_{name}") for split in ("valid", "test") for name in names}
    return to_json({name: getattr(run, name) for name in FIELDS} | metrics)


def describe(corpus) -> str:
    sizes = tr("训练 {} 行，验证 {} 行，测试 {} 行", "{} rows to train, {} to validate, {} to test")
    sizes = sizes.format(*map(len, corpus.splits.values()))
    labels = tr("类别：", "Labels: ") + listing(corpus.labels) + tr("。", ". ") if corpus.labels else ""
    notes = f" ({listing(corpus.notes)})" if corpus.notes else ""
    return f"{corpus.name}{notes}{tr('：', ': ')}{sizes}{tr('。', '. ')}{labels}{dropped_text(corpus)}"


def show_run(run: Run, as_json: bool) -> None:
    if as_json:
        return print(json.dumps(flat(run), ensure_ascii=False))
    trained = f"{run.trainable_parameters:,} / {run.total_parameters:,} {tr('个参数参与训练', 'parameters trained')}"
    line(tr("策略", "strategy"), f"{run.strategy}, {trained}")
    for split, scores in run.scores.items():
        headline, *others = task_of(run.task).metrics
        value = scores.headline
        span = f" ({value.low:.3f}–{value.high:.3f})" if split == "test" and value.low is not None else ""
        rest = "".join(f", {tr(*m.title)} {getattr(scores, m.name):.3f}" for m in others)
        word = {"valid": tr("验证", "valid "), "test": tr("测试", "test ")}[split]
        line(word + tr(*headline.title), f"{value.value:.3f}{span}{rest}")
    speed = f"{run.samples_per_second:,.0f} {tr('行/秒', 'rows/s')}"
    line(tr("用时", "time"), f"{run.seconds:.1f} s, {speed} ({run.device})")
    line(tr("模型", "model"), run.out)
    example = task_of(run.task).modality.example()
    say(tr("试一试：", "Try it: ") + f"labkit predict {shlex.quote(run.out)} {example}")


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


def write_search(found, out: Path) -> None:
    """The trials as JSON and the figures, beside the run files; nothing where no trial is done."""
    from labkit import plots
    from labkit.base.files import write_text

    if not found.done:
        return
    write_text(out / "search.json", json.dumps(search_json(found), ensure_ascii=False, indent=1) + "\n")
    figures = {"trials": plots.trials(found), "parallel": plots.parallel(found)}
    if found.importance:
        figures["importance"] = plots.importance(found)
    if found.verdict:
        figures["confirmed"] = plots.forest(found.confirmed, found.metric.name)
    for name, fig in figures.items():
        fig.savefig(out / f"{name}.png", dpi=150)
    say(tr("试验和图：", "Trials and figures: ") + str(out))


def search_json(found) -> dict[str, Any]:
    """A search as `--json` prints it."""
    judged = found.verdict
    about = {
        "metric": found.metric.name,
        "trials": found.records(),
        "best": found.best and found.best.number,
        "best_default": found.default and found.default.number,
        "importance": found.importance,
        "confirmed": [flat(run) for run in found.confirmed],
        "verdict": judged
        and {
            "word": judged.word,
            "difference": judged.difference,
            "low": judged.low,
            "high": judged.high,
            "seeds": judged.seeds,
        },
        "seconds": found.seconds,
        "call": found.call,
    }
    return to_json(about)
