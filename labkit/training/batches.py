"""A corpus as a network reads it: every split encoded once, and the batches of each epoch."""

import copy
from collections.abc import Sequence

from labkit.base.config import TrainConfig
from labkit.data.batching import batch_order
from labkit.data.corpus import Corpus
from labkit.tasks import Batch


class Batches:
    """Items of every split, their sizes, and which rows share a batch.

    >>> batches = Batches(corpus, model.processor, limit=256)
    >>> rows = batches.order(epoch=0, config=TrainConfig())[0]
    >>> batches.batch("train", rows).inputs["input_ids"].shape           # the first batch: (rows, its longest row)
    torch.Size([16, 41])
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

    def batch(self, split: str, rows: Sequence[int]) -> Batch:
        """These rows, padded to one another, on the CPU."""
        return self.task.collate(self.processor, [self.items[split][i] for i in rows])

    def stub(self, split: str, rows: Sequence[int], device) -> Batch:
        """These rows where all that the head reads of them is kept: targets with the smallest inputs."""
        return self.task.stub([self.items[split][i] for i in rows], device)

    def units(self, split: str, rows: Sequence[int]) -> float:
        """What the summed loss of these rows is divided by."""
        return self.task.units([self.items[split][i] for i in rows])

    def balance(self) -> list[float]:
        """A weight for each training row that makes the task's groups count alike."""
        return self.task.balance(self.items["train"])
