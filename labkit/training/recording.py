"""A run as one record."""

from dataclasses import asdict

from labkit.base import machine
from labkit.base.language import tr
from labkit.base.records import Run
from labkit.base.statistics import coded
from labkit.data.batching import padding_share
from labkit.models.families import blocks
from labkit.models.state import fingerprint
from labkit.strategies import name_of, settings_of
from labkit.strategies.retaining import keep_name, keep_settings

# In words and numbers


def record(trainer) -> Run:
    """The run so far, scored on validation and test rows; asserts that nothing but what may train has moved."""
    c, parameters = trainer.config, list(trainer.model.parameters())
    moved = tuple(n for n, p in trainer.model.named_parameters() if fingerprint(p) != trainer.before[n])
    stray = set(moved) - set(trainer.tensors())
    assert not stray, f"frozen tensors moved: {sorted(stray)}"
    still = trainer.step > 1 and not set(moved) & set(blocks(trainer.model)[-1].parameters)
    doubt = tr(
        "分类头一点没动：学习率太小，或者没有梯度。",
        "The head has not moved at all: the learning rate is too small, or no gradient arrives.",
    )
    valid, test, answers = trainer.score("valid") if trainer.items["valid"] else None, None, {}
    if trainer.items["test"]:
        logits, truth = trainer.logits("test")
        test = trainer.task.score(logits, truth, trainer.corpus.labels)
        answers = {"answers": coded(logits.argmax(-1)), "truth": coded(truth)}
    rows_seen = trainer.step * len(trainer.lengths) / trainer.batches_per_epoch
    labels = list(trainer.corpus.labels)
    return Run(
        strategy=name_of(trainer.strategy) + (f"+{keep_name(trainer.keep)}" if trainer.keep else ""),
        model=trainer.source,
        seed=c.seed,
        device=trainer.device.type,
        epochs=len(trainer.history),
        n_train=len(trainer.items["train"]),
        n_valid=len(trainer.items["valid"]),
        n_test=len(trainer.items["test"]),
        valid_accuracy=valid and valid.accuracy,
        valid_macro_f1=valid and valid.macro_f1,
        test_accuracy=test and test.accuracy,
        test_macro_f1=test and test.macro_f1,
        seconds=trainer.seconds,
        samples_per_second=rows_seen / max(trainer.train_seconds, 1e-9),
        peak_memory_mb=trainer.memory.mb(),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        total_parameters=sum(p.numel() for p in parameters),
        stopped=trainer.stopped,
        best_epoch=trainer.best_epoch,
        settings=settings_of(trainer.strategy) | ({"keep": keep_settings(trainer.keep)} if trainer.keep else {}),
        config={**asdict(c), "lr": trainer.lr},
        corpus={"name": trainer.corpus.name, "labels": labels, "fingerprint": trainer.corpus.fingerprint},
        history=tuple(trainer.history),
        steps=tuple((step, float(loss), lr) for step, loss, lr in trainer.trace),
        valid=valid,
        test=test,
        padding=padding_share(trainer.lengths, trainer.order(0)),
        moved=moved,
        notices=(*trainer.notices, *([doubt] if still else [])),
        versions=machine.versions(),
        **answers,
    )
