"""What a run has to beat: the loss and the score of guessing, where the task has classes."""

import math

from labkit.base.language import tr
from labkit.base.records import Measure, Run
from labkit.tasks import KNOWN, Metric


def metrics_of(run: Run) -> tuple[Metric, ...]:
    """The metrics of a run's task, the headline first; none where the record names no task that is known here."""
    return getattr(KNOWN.get(run.task.get("name")), "metrics", ())


def chance(run: Run) -> tuple[float, float] | None:
    """Loss and share of right answers of who knows how common the classes are and nothing else: (0.69, 0.5) with two equal
    ones. None where the task has no classes, or no row was scored."""
    scores = run.valid or run.test
    if scores is None or scores.confusion is None:
        return None
    counts = [sum(row) for row in scores.confusion if sum(row)]
    shares = [n / sum(counts) for n in counts]
    balanced = run.config.get("class_weights") == "balanced"
    loss = math.log(len(shares)) if balanced else -sum(s * math.log(s) for s in shares)
    return max(loss, 0.01), max(shares)


def share_right(run: Run) -> tuple[str, Measure] | None:
    """Title and value of the share of validation rows that are answered right; None where the task has no such metric."""
    metric = next((m for m in metrics_of(run) if m.share), None)
    return (tr(*metric.title), run.valid.metrics[metric.name]) if metric and run.valid else None


def start(run: Run) -> float:
    """The loss before anything was learned: of guessing or of the first batches, whichever is higher."""
    first = sorted(loss for _, loss, _ in run.steps[:3] if math.isfinite(loss))
    guessing = chance(run)
    if guessing:
        return max([guessing[0], *first[len(first) // 2 :][:1]])  # the median of the first batches
    first += [e.train_loss for e in run.history[:1] if not first and math.isfinite(e.train_loss)]
    return max([0.01, *first])  # nobody knows what guessing costs: the dearest of the first batches


def unit(run: Run) -> float:
    """The loss that changes are measured by: of guessing where it is known, else of the start."""
    return (chance(run) or [start(run)])[0]
