"""A modality and two tasks that labkit does not have, made of nothing but its contracts: while they go through everything,
the contracts hold.

>>> rows = regression(n=48)                       # a corpus: vectors of floats, a number each
>>> rows = parity(n=48)                           # vectors again, one answer for each number in them
>>> place = network(tmp_path / "toy")             # a saved network that both can be trained on
"""

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.records import BadInput, Example
from labkit.modalities.contract import Modality
from labkit.tasks import Baseline, Batch, Metric, Task

WIDTH = 32  # of the network's vectors


class Blank:
    """A processor that has nothing to say."""

    def save_pretrained(self, folder) -> None:
        pass


@dataclass(frozen=True)
class Vectors(Modality):
    """Tuples of floats, of any length. Each number becomes a vector, `sin(k + k * scale * number)` in place k: layer
    norms would wipe out what is the same in every place."""

    scale: float = 0.1

    name: ClassVar[str] = "vectors"
    heads: ClassVar[dict[str, str]] = {
        "regression": "AutoModelForSequenceClassification",
        "parity": "AutoModelForTokenClassification",
    }

    def load_processor(self, place: str, config, **where) -> Blank:
        return Blank()

    def check(self, inputs: Sequence) -> None:
        if not inputs or not all(isinstance(x, tuple) and x for x in inputs):
            raise BadInput("Give at least one tuple of numbers.")

    def parse(self, word: str) -> tuple[float, ...]:
        return tuple(map(float, word.split()))

    def encode(self, processor, inputs: Sequence, limit: int) -> list[dict]:
        return [{"values": x[:limit]} for x in inputs]

    def size(self, item: dict) -> int:
        return len(item["values"])

    def budget(self, device) -> int:
        return 1000

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        import torch

        places = self.scale * torch.arange(WIDTH)
        values = [torch.sin(places / self.scale + torch.tensor(item["values"])[:, None] * places) for item in items]
        pad = torch.nn.utils.rnn.pad_sequence
        return {
            "inputs_embeds": pad(values, batch_first=True),
            "attention_mask": pad([torch.ones(len(v), dtype=torch.long) for v in values], batch_first=True),
        }

    def stub(self, n: int, device) -> dict[str, Any]:
        import torch

        return {
            "inputs_embeds": torch.zeros((n, 1, WIDTH), device=device),
            "attention_mask": torch.ones((n, 1), dtype=torch.long, device=device),
        }

    def key(self, input) -> Any:
        return input

    def html(self, input) -> str:
        return self.text(input)

    def text(self, input) -> str:
        return " ".join(f"{x:g}" for x in input)

    def extent(self, input) -> int:
        return len(input)

    def unit(self) -> str:
        return "numbers"


def mean_absolute_error(counts) -> Any:
    return counts[..., 1] / counts[..., 0]


@dataclass(frozen=True)
class Said:
    """An answer for people."""

    input: Any
    value: float

    def __str__(self) -> str:
        return f"{self.value:.3f}\t{self.input}"

    def to_json(self) -> dict:
        return {"input": list(self.input), "value": self.value}


@dataclass(frozen=True)
class Regression(Task):
    """A vector in, a number out. Less is better."""

    modality: Modality = field(default_factory=Vectors)

    name: ClassVar[str] = "regression"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("mae", ("平均绝对误差", "mean absolute error"), mean_absolute_error, greater=False, top=float("inf")),
    )
    peft_type: ClassVar[str] = "SEQ_CLS"
    columns: ClassVar[dict[str, str]] = {"values": "values", "target": "target"}

    def configure(self, config) -> dict[str, Any]:
        return {"num_labels": 1}

    @classmethod
    def read(cls, tables, columns, labels=None) -> tuple:
        values, target = columns["values"], columns["target"]
        examples = {
            split: [Example(tuple(map(float, r.cells[values].split())), float(r.cells[target])) for r in table.rows]
            for split, table in tables.items()
        }
        return cls(), examples, {}

    def targets(self, items: Sequence[dict]) -> Any:
        import torch

        return torch.tensor([item["target"] or 0.0 for item in items])

    def losses(self, outputs, batch: Batch) -> Any:
        return (outputs.logits[:, 0].float() - batch.target) ** 2

    def answers(self, outputs, batch: Batch) -> list[float]:
        return outputs.logits[:, 0].float().tolist()

    def decode(self, answer: float, input) -> Said:
        return Said(input, answer)

    def counts(self, said: float, truth: float) -> Sequence[float]:
        return 1.0, abs(said - truth)

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        mean = sum(e.target for e in train) / len(train)
        return {"mean": lambda: Baseline("mean of the training rows", lambda inputs: [mean] * len(inputs))}


def share_right(counts) -> Any:
    return counts[..., 1] / counts[..., 0]


@dataclass(frozen=True)
class Parity(Task):
    """For each number of a vector, whether it is above the one before it: an answer a token."""

    modality: Modality = field(default_factory=Vectors)

    name: ClassVar[str] = "parity"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("token_accuracy", ("词元准确率", "token accuracy"), share_right),)
    pooled: ClassVar[bool] = False
    peft_type: ClassVar[str] = "TOKEN_CLS"

    def configure(self, config) -> dict[str, Any]:
        return {"num_labels": 2}

    def units(self, items: Sequence[dict]) -> float:
        return float(sum(map(self.size, items)))

    def targets(self, items: Sequence[dict]) -> Any:
        import torch

        tags = [torch.tensor(item["target"] or [0] * self.size(item)) for item in items]
        return torch.nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=-100)

    def losses(self, outputs, batch: Batch) -> Any:
        from torch.nn.functional import cross_entropy

        losses = cross_entropy(outputs.logits.float().transpose(1, 2), batch.target, reduction="none")
        return losses.sum(1)

    def answers(self, outputs, batch: Batch) -> list[list[int]]:
        lengths = (batch.target != -100).sum(1).tolist()
        return [row[:n] for row, n in zip(outputs.logits.argmax(-1).tolist(), lengths, strict=True)]

    def decode(self, answer, input) -> Said:
        return Said(input, float(sum(answer)))

    def truth(self, example: Example) -> list[int]:
        return list(example.target)

    def counts(self, said: Sequence[int], truth: Sequence[int]) -> Sequence[float]:
        return len(truth), sum(s == t for s, t in zip(said, truth, strict=True))


def vectors(n: int, seed: int) -> list[tuple[float, ...]]:
    rng = random.Random(seed)
    return [tuple(round(rng.uniform(-1, 1), 3) for _ in range(rng.randint(2, 9))) for _ in range(n)]


def corpus_of(task: Task, target: Callable, n: int, seed: int):
    from labkit.data.corpus import Corpus

    few = max(4, n // 4)
    rows = [Example(x, target(x)) for x in vectors(n + 2 * few, seed)]
    return Corpus(task.name, tuple(rows[:n]), tuple(rows[n : n + few]), tuple(rows[n + few :]), task)


def regression(n: int = 48, seed: int = 0):
    """Vectors and the mean of their numbers."""
    return corpus_of(Regression(), lambda x: round(sum(x) / len(x), 4), n, seed)


def parity(n: int = 48, seed: int = 0):
    """Vectors, and for each number whether it is above 0."""
    return corpus_of(Parity(), lambda x: [int(v > 0) for v in x], n, seed)


def network(folder, seed: int = 0) -> Path:
    """A saved BERT that reads vectors in place of embedded tokens: 3 layers of width 32, no dropout."""
    import torch
    from transformers import BertConfig, BertModel

    small = dict(vocab_size=8, hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64)
    rest = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=32)
    torch.manual_seed(seed)
    BertModel(BertConfig(**small, **rest)).save_pretrained(folder)
    return Path(folder)


def write_csv(path, corpus) -> Path:
    """The training rows of a regression as a file."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["values", "target"])
        writer.writerows([corpus.task.modality.text(e.input), e.target] for e in corpus.train)
    return Path(path)
