"""The curve doctor: a run's record in, named findings out, each with its evidence in numbers and the control to change.

It would rather miss something than cry wolf: what is usual in healthy runs is no finding. Works on a run that is not
finished too, and on one of a task without classes: its losses are there. Notebook 02 uses it on runs broken on purpose.
Leans on records and tasks.
"""

import math
from collections.abc import Iterator

from labkit.base.language import listing, tr
from labkit.base.records import Run
from labkit.data.corpus import Corpus
from labkit.inspection.findings import Finding, Findings
from labkit.inspection.guessing import chance, metrics_of, share_right, start, unit
from labkit.inspection.leaks import doubles, suspicious_scores

ADAM = ("adamw", "adam")
# Thresholds, set where broken runs and healthy ones part (docs/LOG.md); losses as shares of that of guessing (of the start, where there
# are no classes)
EXPLODED = 2.0  # times the loss at the start: the mean of five steps
WORSE = 1.1  # times the loss at the start: the mean of an epoch
STILL = 0.01  # a validation loss that moved no more stands still
FAR_ENOUGH = 0.002  # sum of the rates over all steps: a tenth of a pretrained network's typical weight
GUESSING = 0.93
RISE, FALL = 0.5, 0.3  # of the validation loss; of the training loss, as a share of itself
BY_HEART = 0.85  # a training loss below it, while validation rows are answered no better than by guessing
FEW = 20  # rows: of fewer, that none is answered right says little
SILENT = 0.9  # the share of clips answered with nothing, from which it is no accident
RARE = 0.75  # the share of the commonest class from which accuracy says little


def diagnose(run: Run, corpus: Corpus | None = None) -> Findings:
    """What is wrong with a run, from its record alone; with the corpus also rows that stand in two splits.

    >>> run = Trainer(model, corpus, HeadOnly(), TrainConfig(epochs=3, lr=10.0)).fit()
    >>> diagnose(run, corpus)[0].title
    'Learning rate too high'

    Of the curves one thing is said, the first cause that explains them: where the rate is wrong, all the rest follows.
    """
    rules = (
        rate_too_high,
        head_not_learning,
        rate_too_low,
        class_collapse,
        all_blank,
        underfitting,
        nothing_right,
        overfitting,
    )
    curves = [finding for rule in rules for finding in rule(run)][:1]
    leaks = [*(doubles(corpus) if corpus else ()), *suspicious_scores(run)]
    return Findings([*curves, *leaks])


# Causes


def far(run: Run) -> bool:
    """Whether enough is done to speak of what was not learned."""
    planned = run.config.get("epochs") or run.epochs
    return run.epochs >= planned or (run.epochs >= 2 and 2 * run.epochs >= planned)


def window(run: Run, n: int = 5) -> list[tuple[int, float]]:
    """(step, mean loss of the last `n` steps noted)."""
    losses = [loss for _, loss, _ in run.steps]
    return [(run.steps[i][0], sum(losses[i - n + 1 : i + 1]) / n) for i in range(n - 1, len(losses))]


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
    basis, lr = unit(run), run.config.get("lr")
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
    if not run.history or not run.moved or not run.head or set(run.moved) & set(run.head):
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
    scored = [s for s in (run.valid, run.test) if s and s.confusion]
    if not scored or not far(run):
        return
    names = [c.label for c in scored[0].parts]
    table = [[sum(s.confusion[i][j] for s in scored) for j in range(len(names))] for i in range(len(names))]
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
    guessing, right = chance(run), share_right(run)
    if not run.history or not far(run) or not guessing or not right:
        return
    (loss, share), (title, score), last = guessing, right, run.history[-1]
    if last.train_loss < GUESSING * loss or score.low > share:
        return
    words = tr(
        f"最后一轮的训练损失 {last.train_loss:.3f}，瞎猜是 {loss:.3f}；验证{title} {score.value:.3f}，永远答最多的一类是 {share:.3f}。",
        f"Training loss in the last epoch {last.train_loss:.3f}, guessing {loss:.3f}; "
        f"validation {title} {score.value:.3f}, always naming the commonest class {share:.3f}.",
    )
    how = tr(
        "先看标签对不对；再多训练几轮，或让更多的层参与训练。",
        "See first whether the labels are right; then train longer, or let more layers train.",
    )
    numbers = {"train_loss": last.train_loss, "chance": loss, "share": share}
    yield Finding("underfitting", "severe", words, "epochs", how, numbers)


def all_blank(run: Run) -> Iterator[Finding]:
    """Clips are answered with nothing: with CTC the first thing that every network learns, since most frames are blank."""
    found = run.valid.metrics.get("silent") if run.valid else None
    if found is None or found.value < SILENT or not far(run):
        return
    silent = round(found.value * run.valid.n)
    words = tr(
        f"{run.valid.n} 个验证片段里有 {silent} 个一个字也没有写：输出全是空白；训练损失 {run.history[-1].train_loss:.2f}。",
        f"Of {run.valid.n} validation clips {silent} are answered with nothing: all that comes out is blank. Training loss "
        f"{run.history[-1].train_loss:.2f}.",
    )
    how = tr(
        f"先不要停：空白之后才出字，训练 epochs={4 * run.epochs} 再看；还是空白，就把学习率 {run.config.get('lr')} 改小，并检查词表的大小写、"
        "采样率和文字的长度。",
        f"Go on first: letters come after the blanks; take epochs={4 * run.epochs}. If it stays blank, lower the rate "
        f"{run.config.get('lr')}, and check the vocabulary's case, the sample rate and how long the texts are.",
    )
    yield Finding("all blank", "severe", words, "epochs", how, {"silent": found.value, "rows": float(run.valid.n)})


def nothing_right(run: Run) -> Iterator[Finding]:
    """Not one of the validation rows' answers is right, where guessing has no score that it could be held against."""
    metric = next(iter(metrics_of(run)), None)
    if not run.history or not far(run) or chance(run) or metric is None or not metric.greater:
        return
    score = run.valid.metrics.get(metric.name) if run.valid else None
    if score is None or score.value != 0 or run.valid.n < FEW:
        return
    title, lr = tr(*metric.title), run.config.get("lr")
    words = tr(
        f"{run.epochs} 轮之后，{run.valid.n} 行验证数据上{title}是 0：没有一个答案是对的。",
        f"After {run.epochs} epochs {title} is 0 on {run.valid.n} validation rows: not one answer is right.",
    )
    how = tr(
        f"多训练几轮（如 epochs={4 * run.epochs}），学习率 {lr} 大几倍试试；再看答案和数据的写法是否一致。",
        f"Train longer (epochs={4 * run.epochs}, say) or at a few times the rate {lr}; then see whether answers are written as the data have them.",
    )
    yield Finding("underfitting", "severe", words, "epochs", how, {"score": 0.0, "rows": float(run.valid.n)})


def overfitting(run: Run) -> Iterator[Finding]:
    """Since its best epoch the validation loss has risen much, while the training loss fell on; or rows were learned by
    heart, and it helps with no other row."""
    if run.epochs < 3 or run.config.get("patience"):
        return
    best, last, by_heart = min(run.history, key=lambda e: e.valid_loss), run.history[-1], learned_by_heart(run)
    rise = (last.valid_loss - best.valid_loss) / unit(run)
    fall = 1 - last.train_loss / max(best.train_loss, 1e-12)
    if not by_heart and (last.epoch - best.epoch < 2 or rise < RISE or fall < FALL):
        return
    numbers = {"best": best.epoch, "last": last.epoch, "rise": rise, "fall": fall, "by_heart": float(by_heart)}
    if by_heart:
        (_, share), (title, score) = chance(run), share_right(run)
        words = tr(
            f"训练损失降到 {last.train_loss:.3f}，验证{title}却只有 {score.value:.3f}（永远答最多的一类：{share:.3f}）：训练行是背下来的。",
            f"The training loss fell to {last.train_loss:.3f}, yet validation {title} is {score.value:.3f} (always naming "
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


def learned_by_heart(run: Run) -> bool:
    """Whether training rows are answered well, and validation rows no better than by guessing."""
    guessing, right, last = chance(run), share_right(run), run.history[-1]
    if not guessing or not right:
        return False
    (loss, share), (_, score) = guessing, right
    return share < RARE and score.low <= share and last.train_loss < BY_HEART * loss < last.valid_loss
