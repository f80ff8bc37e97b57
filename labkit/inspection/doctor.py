"""The curve doctor: a run's record in, named findings out, each with its evidence in numbers and the control to change.

It would rather miss something than cry wolf: what is usual in healthy runs is no finding. Works on a run that is not
finished too. Notebook 02 uses it on runs broken on purpose. Leans on records and twins.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from labkit.base.language import listing, tr
from labkit.base.records import Run
from labkit.data.corpus import Corpus
from labkit.modalities.text import twins

ADAM = ("adamw", "adam")
HEADS = {"classifier", "pre_classifier", "score", "head", "qa_outputs", "lm_head", "fc"}  # modules' names
# Thresholds, set where broken runs and healthy ones part (docs/LOG.md); losses as shares of the loss of guessing
EXPLODED = 2.0  # times the loss at the start: the mean of five steps
WORSE = 1.1  # times the loss at the start: the mean of an epoch
STILL = 0.01  # a validation loss that moved no more stands still
FAR_ENOUGH = 0.002  # sum of the rates over all steps: a tenth of a pretrained network's typical weight
GUESSING = 0.93
RISE, FALL = 0.5, 0.3  # of the validation loss; of the training loss, as a share of itself
BY_HEART = 0.85  # a training loss below it, while validation rows are answered no better than by guessing
RARE = 0.75  # the share of the commonest class from which accuracy says little
PERFECT = 0.995
GAP = 4.0  # standard errors
NEARLY = 0.01  # the share of nearly equal texts that is no accident


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run."""

    name: str  # one of TITLES
    severity: str  # "severe": the run is worth nothing; "warning": it could be better; "note": worth a look
    evidence: str  # what the numbers say
    control: str  # what to change: a field of TrainConfig, "strategy" or "corpus"
    advice: str  # how to change it
    numbers: dict[str, float] = field(default_factory=dict)  # the evidence for figures and tests

    @property
    def title(self) -> str:
        return tr(*TITLES[self.name])


TITLES = {
    "rate too high": ("学习率太大", "Learning rate too high"),
    "rate too low": ("学习率太小", "Learning rate too low"),
    "head not learning": ("分类头没有学习", "Head not learning"),
    "class collapse": ("类别坍缩", "Class collapse"),
    "underfitting": ("欠拟合", "Underfitting"),
    "overfitting": ("过拟合", "Overfitting"),
    "leak": ("数据泄漏", "Leak"),
}


class Findings(list):
    """Findings, the gravest first; prints as text and shows as HTML."""

    def rows(self) -> list[list[str]]:
        return [[f.title, f.evidence, f.control, f.advice] for f in self]

    def __str__(self) -> str:
        if not self:
            return tr("没有发现问题。", "Nothing found.")
        colon = tr("：", ": ")
        return "\n".join(f"{f.title}{colon}{f.evidence} → {f.control}{colon}{f.advice}" for f in self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.base.display import box, table_html

        if not self:
            return box(f"<div>{self}</div>")
        header = [tr("发现", "finding"), tr("证据", "evidence"), tr("改什么", "control"), tr("怎么改", "how")]
        return box(table_html(header, self.rows(), left=4))


def diagnose(run: Run, corpus: Corpus | None = None) -> Findings:
    """What is wrong with a run, from its record alone; with the corpus also texts that stand in two splits.

    >>> print(diagnose(run, corpus))

    Of the curves one thing is said, the first cause that explains them: where the rate is wrong, all the rest follows.
    """
    rules = (rate_too_high, head_not_learning, rate_too_low, class_collapse, underfitting, overfitting)
    curves = [finding for rule in rules for finding in rule(run)][:1]
    leaks = [*(doubles(corpus) if corpus else ()), *suspicious_scores(run)]
    order = ("severe", "warning", "note")
    return Findings(sorted([*curves, *leaks], key=lambda f: order.index(f.severity)))


# What there is to compare with


def chance(run: Run) -> tuple[float, float]:
    """Loss and accuracy of knowing the class shares and nothing else: (0.69, 0.5) with two equal classes."""
    scores = run.valid or run.test
    counts = [c.n for c in scores.classes if c.n] if scores else [1] * max(2, len(run.corpus.get("labels", ())))
    shares = [n / sum(counts) for n in counts]
    balanced = run.config.get("class_weights") == "balanced"
    loss = math.log(len(shares)) if balanced else -sum(s * math.log(s) for s in shares)
    return max(loss, 0.01), max(shares)


def start(run: Run) -> float:
    """The loss before anything was learned."""
    first = sorted(loss for _, loss, _ in run.steps[:3] if math.isfinite(loss))
    return max([chance(run)[0], *first[len(first) // 2 :][:1]])


def far(run: Run) -> bool:
    """Whether enough is done to speak of what was not learned."""
    planned = run.config.get("epochs") or run.epochs
    return run.epochs >= planned or (run.epochs >= 2 and 2 * run.epochs >= planned)


def window(run: Run, n: int = 5) -> list[tuple[int, float]]:
    """(step, mean loss of the last `n` steps noted)."""
    losses = [loss for _, loss, _ in run.steps]
    return [(run.steps[i][0], sum(losses[i - n + 1 : i + 1]) / n) for i in range(n - 1, len(losses))]


# Causes


def rate_too_high(run: Run) -> Iterator[Finding]:
    """A loss that is no number, or that rose far above where it began, or an epoch worse than knowing nothing."""
    lr, begin = run.config.get("lr"), start(run)
    lower = tr(f"学习率 {lr} 改小到十分之一再试，或用 find_lr 找。", f"Try a tenth of the rate {lr}, or ask find_lr.")
    broken = [step for step, loss, _ in run.steps if not math.isfinite(loss)]
    broken += [e.steps for e in run.history if not math.isfinite(e.train_loss)]
    if broken:
        words = tr(f"从第 {broken[0]} 步起损失不是数（NaN）。", f"The loss is no number (NaN) from step {broken[0]}.")
        yield Finding("rate too high", "severe", words, "lr", lower, {"step": broken[0]})
        return
    step, worst = max(window(run), key=lambda x: x[1], default=(0, 0.0))
    bad = [e for e in run.history if e.train_loss > WORSE * begin]
    if worst <= EXPLODED * begin and not bad:
        return
    if not bad:
        words = tr(
            f"第 {step} 步附近损失升到 {worst:.2f}，开始时是 {begin:.2f}。",
            f"Around step {step} the loss rose to {worst:.2f}; it began at {begin:.2f}.",
        )
    else:
        step, worst = bad[0].steps, bad[0].train_loss
        words = tr(
            f"第 {bad[0].epoch} 轮的训练损失是 {worst:.2f}，比训练之前（{begin:.2f}）还高。",
            f"The training loss of epoch {bad[0].epoch} is {worst:.2f}, worse than before any learning ({begin:.2f}).",
        )
    yield Finding("rate too high", "severe", words, "lr", lower, {"step": step, "loss": worst, "start": begin})


def rate_too_low(run: Run) -> Iterator[Finding]:
    """The validation loss stands still where it began, though the rates add up to next to nothing."""
    if run.epochs < 2 or any(not math.isfinite(e.valid_loss) for e in run.history):
        return
    basis, lr = chance(run)[0], run.config.get("lr")
    losses = [e.valid_loss for e in run.history]
    moved = (max(losses) - min(losses)) / basis
    trained = abs(run.history[0].train_loss - run.history[-1].train_loss) / basis
    mean_rate = sum(rate for *_, rate in run.steps) / max(1, len(run.steps))
    path = mean_rate * run.history[-1].steps  # Adam moves each number by at most about its rate a step
    if moved > STILL or trained > 4 * STILL or (run.config.get("optimizer", "adamw") in ADAM and path > FAR_ENOUGH):
        return
    words = tr(
        f"{run.epochs} 轮里验证损失只从 {losses[0]:.4f} 变到 {losses[-1]:.4f}；所有步的学习率加起来是 {path:.1e}。",
        f"In {run.epochs} epochs the validation loss went from {losses[0]:.4f} to {losses[-1]:.4f}; "
        f"the rates of all steps add up to {path:.1e}.",
    )
    higher = tr(
        f"学习率 {lr} 加大（策略自己的默认值，或 find_lr）。", f"Raise the rate {lr} (the strategy's own, or find_lr)."
    )
    yield Finding("rate too low", "severe", words, "lr", higher, {"moved": moved, "path": path})


def head_not_learning(run: Run) -> Iterator[Finding]:
    """Training changed some tensors, and none of them is the head's."""
    if not run.history or not run.moved or any(set(name.split(".")) & HEADS for name in run.moved):
        return
    words = tr(
        f"训练改变了 {len(run.moved)} 个张量，其中没有分类头的。",
        f"Training changed {len(run.moved)} tensors, none of them the head's.",
    )
    how = tr("让分类头参与训练：新的分类头是随机的。", "Let the head train: a new head is random.")
    yield Finding("head not learning", "severe", words, "strategy", how, {"moved": len(run.moved)})


# Symptoms


def class_collapse(run: Run) -> Iterator[Finding]:
    """Classes with plenty of rows that the model never says, over validation and test rows together."""
    found = [s for s in (run.valid, run.test) if s]
    if not found or not far(run):
        return
    table = [
        [sum(s.confusion[i][j] for s in found) for j in range(len(found[0].classes))]
        for i in range(len(found[0].classes))
    ]
    names = [c.label for c in found[0].classes]
    truth, said = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    only = sum(n > 0 for n in said) == 1
    silent = [i for i, n in enumerate(truth) if not said[i] and n >= (5 if only else 20)]
    if not silent:
        return
    share = max(truth) / sum(truth)
    rows = sum(truth[i] for i in silent)
    words = tr(
        f"{sum(truth)} 行里模型从不说 {listing(names[i] for i in silent)}，而实际有 {rows} 行。",
        f"In {sum(truth)} rows the model never says {listing(names[i] for i in silent)}, which {rows} of them are.",
    )
    if only and share < 1.5 / sum(n > 0 for n in truth):
        return  # none of the classes is rare: nothing was learned at all
    how = tr("class_weights='balanced'：少数类权重更大。", "class_weights='balanced': rare classes weigh more.")
    numbers = {"silent": len(silent), "rows": rows, "share": share, "chance": chance(run)[0]}
    yield Finding("class collapse", "severe" if only else "warning", words, "class_weights", how, numbers)


def underfitting(run: Run) -> Iterator[Finding]:
    """The training loss is still where guessing stands, and validation rows are not answered better than by guessing."""
    if not run.history or not far(run) or not run.valid:
        return
    (loss, share), last = chance(run), run.history[-1]
    if last.train_loss < GUESSING * loss or run.valid.low > share:
        return
    words = tr(
        f"最后一轮的训练损失 {last.train_loss:.3f}，瞎猜是 {loss:.3f}；验证准确率 {run.valid.accuracy:.3f}，永远答最多的一类是 {share:.3f}。",
        f"Training loss in the last epoch {last.train_loss:.3f}, guessing {loss:.3f}; "
        f"validation accuracy {run.valid.accuracy:.3f}, always naming the commonest class {share:.3f}.",
    )
    how = tr(
        "先看标签对不对；再多训练几轮，或让更多的层参与训练。",
        "See first whether the labels are right; then train longer, or let more layers train.",
    )
    yield Finding(
        "underfitting", "severe", words, "epochs", how, {"train_loss": last.train_loss, "chance": loss, "share": share}
    )


def overfitting(run: Run) -> Iterator[Finding]:
    """Since its best epoch the validation loss has risen much, while the training loss fell on; or rows were learned by
    heart, and it helps with no other row."""
    if run.epochs < 3 or run.config.get("patience"):
        return
    basis, share = chance(run)
    best, last = min(run.history, key=lambda e: e.valid_loss), run.history[-1]
    rise, fall = (last.valid_loss - best.valid_loss) / basis, 1 - last.train_loss / best.train_loss
    by_heart = (
        share < RARE and run.valid and run.valid.low <= share and last.train_loss < BY_HEART * basis < last.valid_loss
    )
    if not by_heart and (last.epoch - best.epoch < 2 or rise < RISE or fall < FALL):
        return
    numbers = {"best": best.epoch, "last": last.epoch, "rise": rise, "fall": fall, "by_heart": float(bool(by_heart))}
    if by_heart:
        words = tr(
            f"训练损失降到 {last.train_loss:.3f}，验证准确率却只有 {run.valid.accuracy:.3f}（永远答最多的一类：{share:.3f}）：训练行是背下来的。",
            f"The training loss fell to {last.train_loss:.3f}, yet validation accuracy is {run.valid.accuracy:.3f} (always naming "
            f"the commonest class: {share:.3f}): the training rows were learned by heart.",
        )
        how = tr(
            "先看标签对不对、各部分是不是同一种数据；再减少轮数，或冻结更多的层。",
            "See first whether the labels are right and the splits alike; then take fewer epochs, or freeze more layers.",
        )
    else:
        words = tr(
            f"验证损失在第 {best.epoch} 轮最低（{best.valid_loss:.3f}），第 {last.epoch} 轮升到 {last.valid_loss:.3f}；"
            f"同时训练损失从 {best.train_loss:.3f} 降到 {last.train_loss:.3f}。",
            f"The validation loss was lowest in epoch {best.epoch} ({best.valid_loss:.3f}) and rose to {last.valid_loss:.3f} in "
            f"epoch {last.epoch}; meanwhile the training loss fell from {best.train_loss:.3f} to {last.train_loss:.3f}.",
        )
        how = tr(
            f"epochs={best.epoch}，或 patience=2；更多的行，或冻结更多的层，也有用。",
            f"epochs={best.epoch}, or patience=2; more rows or more frozen layers help too.",
        )
    yield Finding("overfitting", "warning", words, "epochs", how, numbers)


# Leaks


def suspicious_scores(run: Run) -> Iterator[Finding]:
    """A test that is perfect, or far better than validation, or far worse."""
    test, valid = run.test, run.valid
    if not test or not valid:
        return
    how = tr(
        "用 diagnose(run, corpus) 查重复的文本；看看有没有一列或一个词泄露了答案。",
        "Look for repeated texts with diagnose(run, corpus), and for a column or a word that gives the answer away.",
    )
    if test.accuracy >= PERFECT and test.n >= 100 and chance(run)[1] < 0.9:
        words = tr(
            f"{test.n} 行测试的准确率是 {test.accuracy:.3f}：好得可疑。",
            f"The accuracy on {test.n} test rows is {test.accuracy:.3f}: too good to be taken on trust.",
        )
        yield Finding("leak", "note", words, "corpus", how, {"test": test.accuracy})
    gap = valid.accuracy - test.accuracy
    doubt = sum(s.accuracy * (1 - s.accuracy) / s.n + 1 / (4 * s.n**2) for s in (valid, test)) ** 0.5
    if abs(gap) > GAP * doubt and abs(gap) > 0.05:
        words = tr(
            f"验证准确率 {valid.accuracy:.3f}，测试准确率 {test.accuracy:.3f}：相差是误差的 {abs(gap) / doubt:.1f} 倍。",
            f"Validation accuracy {valid.accuracy:.3f}, test accuracy {test.accuracy:.3f}: {abs(gap) / doubt:.1f} standard errors apart.",
        )
        yield Finding("leak", "note", words, "corpus", how, {"gap": gap})


def doubles(corpus: Corpus) -> Iterator[Finding]:
    """Texts of the test or validation rows that stand, the same or nearly so, among earlier splits."""
    if not corpus.train or not hasattr(corpus.train[0], "text"):
        return
    texts = {split: [row.text for row in rows] for split, rows in corpus.splits.items()}
    words = {"train": tr("训练", "training"), "valid": tr("验证", "validation"), "test": tr("测试", "test")}
    for split, earlier in (("test", "train"), ("valid", "train"), ("test", "valid")):
        pairs = twins(texts[earlier], texts[split])
        same = sum(likeness == 1.0 for *_, likeness in pairs)
        if not same and len(pairs) < max(2, NEARLY * len(texts[split])):
            continue
        i, j, _ = max(pairs, key=lambda pair: pair[2])
        share = len(pairs) / len(texts[split])
        evidence = tr(
            f"{words[split]}集的 {len(pairs)} 行（{share:.1%}）在{words[earlier]}集里也有，其中 {same} 行完全相同。"
            f"例如：{clip(texts[split][j])} / {clip(texts[earlier][i])}",
            f"{len(pairs)} {words[split]} rows ({share:.1%}) stand among the {words[earlier]} rows too, {same} of them word for word. "
            f"For example: {clip(texts[split][j])} / {clip(texts[earlier][i])}",
        )
        how = tr(
            "去掉重复的行再划分（load_csv 会去掉完全相同的）。",
            "Drop repeated rows before splitting (load_csv drops equal ones).",
        )
        severity = "severe" if share > 0.05 else "warning"
        yield Finding("leak", severity, evidence, "corpus", how, {"rows": len(pairs), "same": same, "share": share})


def clip(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
