"""Signs that test rows are no test: rows that stand in two splits, and scores that are too good or too far apart."""

import math
from collections.abc import Iterator

from labkit.base.display import clipped
from labkit.base.language import tr
from labkit.base.records import Run, Scores
from labkit.data.corpus import Corpus
from labkit.inspection.findings import Finding
from labkit.inspection.guessing import chance, metrics_of
from labkit.tasks import Metric

PERFECT = 0.995
COMMON = 0.9  # the share of the commonest class from which a perfect score says little
GAP = 4.0  # standard errors
LARGE = 0.05  # of the score's range
NEARLY = 0.01  # the share of nearly equal rows that is no accident


def suspicious_scores(run: Run) -> Iterator[Finding]:
    """A test that is perfect, or far better than validation, or far worse."""
    test, valid, metrics = run.test, run.valid, metrics_of(run)
    if not test or not valid or not metrics:
        return
    metric, title = metrics[0], tr(*metrics[0].title)
    one, other = valid.headline.value, test.headline.value
    how = tr(
        "用 diagnose(run, corpus) 查重复的行；看看有没有一列或一个词泄露了答案。",
        "Look for repeated rows with diagnose(run, corpus), and for a column or a word that gives the answer away.",
    )
    if perfect(metric, other) and test.n >= 100 and (chance(run) or (0, 0))[1] < COMMON:
        words = tr(
            f"{test.n} 行测试的{title}是 {other:.3f}：好得可疑。",
            f"The {title} on {test.n} test rows is {other:.3f}: too good to be taken on trust.",
        )
        yield Finding("leak", "note", words, "corpus", how, {"test": other})
    gap, scale = one - other, metric.top if math.isfinite(metric.top) else max(abs(one), abs(other))
    error = math.hypot(*(standard_error(metric, scores) for scores in (valid, test)))
    if abs(gap) > GAP * error and abs(gap) > LARGE * scale:
        words = tr(
            f"验证{title} {one:.3f}，测试{title} {other:.3f}：相差是误差的 {abs(gap) / error:.1f} 倍。",
            f"Validation {title} {one:.3f}, test {title} {other:.3f}: {abs(gap) / error:.1f} standard errors apart.",
        )
        yield Finding("leak", "note", words, "corpus", how, {"gap": gap})


def perfect(metric: Metric, value: float) -> bool:
    """Whether a score is next to the best that there is; never where scores have no end."""
    best = metric.top if metric.greater else 0.0
    return math.isfinite(metric.top) and 1 - abs(best - value) / metric.top >= PERFECT


def standard_error(metric: Metric, scores: Scores) -> float:
    """Of the headline. Without an interval nothing is known, and no gap is large."""
    value, low, high = scores.headline.value, scores.low, scores.high
    if metric.share:
        return (value * (1 - value) / scores.n + 1 / (4 * scores.n**2)) ** 0.5
    return math.inf if low is None or high is None else max((high - low) / (2 * 1.96), 1e-9)


def doubles(corpus: Corpus) -> Iterator[Finding]:
    """Test or validation rows whose inputs stand, the same or nearly so, among earlier splits."""
    modality = corpus.task.modality
    inputs = {split: [example.input for example in rows] for split, rows in corpus.splits.items()}
    words = {"train": tr("训练", "training"), "valid": tr("验证", "validation"), "test": tr("测试", "test")}
    for split, earlier in (("test", "train"), ("valid", "train"), ("test", "valid")):
        pairs = modality.near(inputs[earlier], inputs[split])
        same = sum(likeness == 1.0 for *_, likeness in pairs)
        if not same and len(pairs) < max(2, NEARLY * len(inputs[split])):
            continue
        i, j, _ = max(pairs, key=lambda pair: pair[2])
        share = len(pairs) / len(inputs[split])
        example = " / ".join(clipped(modality.text(x), 24) for x in (inputs[split][j], inputs[earlier][i]))
        evidence = tr(
            f"{words[split]}集的 {len(pairs)} 行（{share:.1%}）在{words[earlier]}集里也有，其中 {same} 行完全相同。例如：{example}",
            f"{len(pairs)} {words[split]} rows ({share:.1%}) stand among the {words[earlier]} rows too, {same} of them word for word. "
            f"For example: {example}",
        )
        how = tr(
            "去掉重复的行再划分（load_csv 会去掉完全相同的）。",
            "Drop repeated rows before splitting (load_csv drops equal ones).",
        )
        severity = "severe" if share > 0.05 else "warning"
        yield Finding("leak", severity, evidence, "corpus", how, {"rows": len(pairs), "same": same, "share": share})
