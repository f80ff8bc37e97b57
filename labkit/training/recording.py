"""A run as one record: what was trained, how it scored, what moved."""

from dataclasses import asdict

from labkit.base import machine
from labkit.base.language import tr
from labkit.base.records import Run, as_stored
from labkit.data.batching import padding_share
from labkit.models.families import blocks
from labkit.models.state import fingerprints
from labkit.strategies import settings_of
from labkit.strategies.retaining import retainer_settings
from labkit.training.identity import run_name


def record(trainer) -> Run:
    """The run so far, scored on validation and test rows; asserts that nothing but what may train has moved."""
    c, parameters, task = trainer.config, list(trainer.model.parameters()), trainer.task
    items, sizes = trainer.batches.items, trainer.batches.sizes["train"]
    movable = trainer.tensors().keys()
    # a run of a tenth of a second, which shares its model, is not spent on hashing what it keeps frozen again
    hashes = fingerprints(trainer.model, movable if trainer.shares else None)
    moved = tuple(name for name, hash in hashes.items() if hash != trainer.before[name])
    stray = set(moved) - movable
    assert not stray, f"frozen tensors moved: {sorted(stray)}"
    head = blocks(trainer.model)[-1].parameters
    scores, stored = scores_of(trainer)
    rows_seen = trainer.step * len(sizes) / trainer.batches_per_epoch
    retain = trainer.retain
    return Run(
        strategy=run_name(trainer.strategy, retain),
        model=trainer.source,
        seed=c.seed,
        device=trainer.device.type,
        epochs=len(trainer.history),
        n_train=len(items["train"]),
        n_valid=len(trainer.corpus.valid),
        n_test=len(trainer.corpus.test),
        seconds=trainer.seconds,
        samples_per_second=rows_seen / max(trainer.train_seconds, 1e-9),
        peak_memory_mb=trainer.memory.mb(),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        total_parameters=sum(p.numel() for p in parameters),
        task=task.card(),
        scores=scores,
        stopped=trainer.stopped,
        best_epoch=trainer.best_epoch,
        settings=settings_of(trainer.strategy) | ({"retain": retainer_settings(retain)} if retain else {}),
        config={**asdict(c), "lr": trainer.lr},
        corpus=trainer.corpus.card(),
        history=tuple(trainer.history),
        steps=tuple((step, float(loss), lr) for step, loss, lr in trainer.trace),
        padding=padding_share(sizes, trainer.order(0)),
        moved=moved,
        head=head,
        notices=(*trainer.notices, *still_head(trainer, moved, head)),
        versions=machine.versions(),
        **stored,
    )


def scores_of(trainer) -> tuple[dict, dict]:
    """Scores of the splits that have rows, and the answers to the test rows as a run file keeps them."""
    scores, stored, task = {}, {}, trainer.task
    if trainer.corpus.valid:
        scores["valid"] = trainer.score("valid")
    if trainer.corpus.test:
        answers, truth, loss = trainer.answered("test")
        scores["test"] = task.score(answers, truth, loss)
        stored = {"answers": as_stored(map(task.said, answers)), "truth": as_stored(truth)}
    return scores, stored


def still_head(trainer, moved: tuple[str, ...], head: tuple[str, ...]) -> list[str]:
    """What to say where training left the head as it was."""
    if trainer.step <= 1 or not head or set(moved) & set(head):
        return []
    return [
        tr(
            "分类头一点没动：学习率太小，或者没有梯度。",
            "The head has not moved at all: the learning rate is too small, or no gradient arrives.",
        )
    ]
