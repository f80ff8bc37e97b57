"""A corpus as a network reads it: every split encoded once, and the batches of each epoch."""

import copy
from collections.abc import Sequence
from dataclasses import replace

from labkit.base.config import TrainConfig
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.data.batching import batch_order
from labkit.data.corpus import Corpus
from labkit.models.loading import places
from labkit.tasks import Batch


class Batches:
    """Items of every split, their sizes, and which rows share a batch.

    >>> batches = Batches(corpus, model.processor, limit=256)
    >>> rows = batches.order(epoch=0, config=TrainConfig())[0]
    >>> batches.batch("train", rows).inputs["input_ids"].shape           # the first batch: (rows, its longest row)
    torch.Size([16, ...])
    """

    def __init__(self, corpus: Corpus, processor, limit: int):
        self.corpus, self.task, self.processor = corpus, corpus.task, processor
        self.items = {split: self.task.encode(processor, rows, limit) for split, rows in corpus.splits.items()}
        self.sizes = {split: [self.task.size(item) for item in items] for split, items in self.items.items()}

    def only(self, **items: Sequence[dict]) -> "Batches":
        """These items in place of the corpus's own, numbered from 0: `batches.only(train=few)` has no others."""
        few = copy.copy(self)
        few.items = {split: list(items.get(split, ())) for split in self.items}
        few.sizes = {split: [self.task.size(item) for item in chosen] for split, chosen in few.items.items()}
        return few

    def order(self, epoch: int, config: TrainConfig) -> list[list[int]]:
        """The row numbers of each training batch of an epoch: a function of seed and epoch alone."""
        sizes, c = self.sizes["train"], config
        return batch_order(sizes, c.batch_size, seed=c.seed, epoch=epoch, bucket=c.bucket)

    def batch(self, split: str, rows: Sequence[int], vary: tuple[int, int] | None = None) -> Batch:
        """These rows, padded to one another, on the CPU. With `vary` = (seed, epoch) as that epoch of training sees them: what
        each is like is a function of seed, epoch and row alone, so that a resumed run sees the same."""
        items = [self.items[split][i] for i in rows]
        if vary and self.task.modality.varies:
            import numpy as np

            items = [self.task.varied(x, np.random.default_rng((*vary, i))) for x, i in zip(items, rows, strict=True)]
        return self.task.collate(self.processor, items)

    def stub(self, split: str, rows: Sequence[int], device) -> Batch:
        """These rows where all that the head reads of them is kept: targets with the smallest inputs."""
        return self.task.stub([self.items[split][i] for i in rows], device)

    def units(self, split: str, rows: Sequence[int]) -> float:
        """What the summed loss of these rows is divided by."""
        return self.task.units([self.items[split][i] for i in rows])

    def remarks(self) -> list[str]:
        """What encoding has cost, as the task tells it."""
        return [text for split, items in self.items.items() for text in self.task.remarks(split, items)]

    def balance(self) -> list[float]:
        """A weight for each training row that makes the task's groups count alike."""
        return self.task.balance(self.items["train"])


_kept: dict[tuple, Batches] | None = None  # by corpus, model and limit, where somebody asked to keep it


def keep_encoded() -> None:
    """From now on this process encodes a corpus once for all runs on it: for one that does nothing but such runs."""
    global _kept
    _kept = {} if _kept is None else _kept


def encoded(corpus: Corpus, model, limit: int) -> Batches:
    """A corpus as this model reads it, cut at `limit`."""
    if _kept is None:
        return Batches(corpus, model.processor, limit)
    key = corpus.fingerprint, model.source, limit
    if key not in _kept:
        while len(_kept) > 1:  # prompts take positions: two limits take turns
            _kept.pop(next(iter(_kept)))
        _kept[key] = Batches(corpus, model.processor, limit)
    return _kept[key]


def check(model, corpus: Corpus, config: TrainConfig) -> None:
    """A model and a corpus that belong together, with rows to train on and to judge by, and no longer than it takes."""
    if not hasattr(model, "processor"):
        raise BadInput(
            tr(
                "这个模型不是用 labkit 载入的，没有分词器：请用 load(名称或目录, labels=corpus.labels) 载入。",
                "This model was not loaded by labkit and has no tokenizer: load(name or folder, labels=corpus.labels).",
            )
        )
    if model.task != corpus.task:
        raise BadInput(unlike(model.task, corpus.task))
    for split in ("train", "valid"):
        if not corpus.splits[split]:
            raise BadInput(
                tr(
                    f"数据没有 {split} 部分：训练和验证都要有行。",
                    f"The corpus has no {split} rows; training needs them.",
                )
            )
    check_length(config.max_length, places(model.config))


def check_length(asked: int, most: int | None) -> None:
    """BadInput where rows longer than the model takes were asked for. The default cuts them at what there is, silently."""
    if most is not None and asked > most and asked != TrainConfig().max_length:
        raise BadInput(
            tr(
                f"最大长度 {asked} 不行：这个模型每行最多读 {most} 个词元。请写 4 到 {most}。",
                f"A max length of {asked} won't do: this model reads {most} tokens a row at most. Give 4 to {most}.",
            )
        )


def unlike(model_task, corpus_task) -> str:
    """In which way a model's task is not the corpus's, and what to do."""
    there, wanted = model_task.labels, corpus_task.labels
    if replace(model_task, labels=wanted) == corpus_task:
        return tr(
            f"模型的标签是 {listing(there)}，数据的标签是 {listing(wanted)}：请用 load(..., labels=corpus.labels) 载入。",
            f"The model's labels are {listing(there)}, the corpus's {listing(wanted)}: "
            "load it with load(..., labels=corpus.labels).",
        )
    names = [f"{task.name} ({task.modality.name})" for task in (model_task, corpus_task)]
    if names[0] == names[1]:  # the same but for their settings
        names = [str(replace(task, labels=())) for task in (model_task, corpus_task)]
    return tr(
        f"模型的任务是 {names[0]}，数据的任务是 {names[1]}：请用 load(..., task=corpus.task) 载入。",
        f"The model's task is {names[0]}, the corpus's {names[1]}: load it with load(..., task=corpus.task).",
    )
