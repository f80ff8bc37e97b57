"""Classification: one of several labels for each input, whatever the inputs are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.display import one_line
from labkit.base.language import tr
from labkit.base.records import BadInput, ClassScore, Example, Raw, Table, to_json
from labkit.modalities.contract import Modality
from labkit.modalities.text import Text
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.inputs import modality_in, there
from labkit.tasks.labels import Labelled, check_classes, check_words, label_names


@dataclass(frozen=True)
class Prediction:
    """The answer for one input: the label, its probability, and the probability of every label."""

    input: Any
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return f"{self.label}\t{self.probability:.3f}\t{one_line(self.input)}"

    def to_json(self) -> dict[str, Any]:
        """What `labkit predict --json` prints: the input stands under the name that its kind has there."""
        if isinstance(self.input, Path):
            return {"file": str(self.input), **{k: v for k, v in to_json(self).items() if k != "input"}}
        name = "text" if isinstance(self.input, str) else "input"
        shown = one_line(self.input) if hasattr(self.input, "shape") else self.input
        return {name: shown, **{k: v for k, v in to_json(self).items() if k != "input"}}

    def header(self) -> list[str]:
        return [tr("输入", "input"), tr("答案", "answer"), tr("概率", "probability")]

    def cells(self) -> list[str]:
        return [one_line(self.input), self.label, f"{self.probability:.2f}"]


def with_input(tables: dict[str, Table], columns: dict[str, str]) -> tuple[dict[str, list[Raw]], list[str]]:
    """The rows of each split whose texts are there, and the places of the others."""
    texts = [columns[name] for name in ("text", "text_pair") if name in columns]
    rows = {split: [r for r in table.rows if all(there(r.cells[t]) for t in texts)] for split, table in tables.items()}
    lines = [r.line for table in tables.values() for r in table.rows if not all(there(r.cells[t]) for t in texts)]
    return rows, [tr(f"第 {line} 行", f"line {line}") for line in lines]


def example(row: Raw, columns: dict[str, str], target) -> Example:
    """A row with the text or the two texts in these columns, and the other columns beside it."""
    text, second = row.cells[columns["text"]], columns.get("text_pair")
    extra = {k: v for k, v in row.cells.items() if k not in columns.values()}
    return Example((text, row.cells[second]) if second else text, target, extra)


def accuracy(counts) -> Any:
    """Of summed counts (..., 3 k): rows of each class, rows said to be of it, and those of both."""
    real, _, both = thirds(counts)
    return both.sum(-1) / real.sum(-1)


def macro_f1(counts) -> Any:
    """Mean F1 over the classes that are there or are said to be."""
    real, said, both = thirds(counts)
    seen = real + said
    return (2 * both / seen.clip(1)).sum(-1) / (seen > 0).sum(-1).clip(1)


def thirds(counts) -> tuple[Any, Any, Any]:
    k = counts.shape[-1] // 3
    return counts[..., :k], counts[..., k : 2 * k], counts[..., 2 * k :]


@dataclass(frozen=True)
class Classification(Task):
    """An input in, one of `labels` out. An answer is the row of logits.

    >>> task = Classification(labels=("negative", "positive"))
    >>> items = task.encode(tokenizer, corpus.train, 128)        # lists of token ids, with their class
    """

    modality: Modality = field(default_factory=Text)

    name: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("accuracy", ("准确率", "accuracy"), accuracy, share=True),
        Metric("macro_f1", ("macro-F1", "macro-F1"), macro_f1),
    )
    chooses: ClassVar[str] = "macro_f1"  # where classes are uneven, accuracy rises by naming the commonest
    peft_type: ClassVar[str] = "SEQ_CLS"
    columns: ClassVar[dict[str, str]] = {"text": "text", "label": "label"}
    other_columns: ClassVar[tuple[dict[str, str], ...]] = (
        {"text": "image", "label": "label"},
        {"text": "audio", "label": "label"},
    )
    optional_columns: ClassVar[tuple[str, ...]] = ("text_pair",)

    @property
    def default_model(self) -> str:
        return self.modality.model

    def configure(self, config) -> dict[str, Any]:
        names = dict(enumerate(self.labels))
        kind = (
            "single_label_classification"  # whatever it was: the loss of plain transformers, and its pipeline, go by it
        )
        return {"id2label": names, "label2id": {label: i for i, label in names.items()}, "problem_type": kind}

    def resolve(self, stored: Sequence[str] | None, source) -> "Classification":
        if not self.labels and stored is None:
            raise BadInput(
                tr(
                    f"模型 {source} 还没有分类头：请给出 labels=，例如 labels=corpus.labels。",
                    f"Model {source} has no classification head yet: give labels=, for example labels=corpus.labels.",
                )
            )
        labels = self.labels or tuple(map(str, stored))
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise BadInput(
                tr(
                    f"labels={list(labels)} 不行：至少要两个不同的标签名。",
                    f"labels={list(labels)} won't do: give two or more names, each once.",
                )
            )
        return replace(self, labels=labels)

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        modality = modality_in(tables) or Text(pair="text_pair" in columns)
        words = [columns["label"]] if modality_in(tables) else columns.values()
        for table in tables.values():
            check_words(table, words)
        rows, empty = with_input(tables, columns)
        label = columns["label"]
        labelled = {
            split: Labelled(tables[split].where, [(row.line, row.cells[label]) for row in found])
            for split, found in rows.items()
        }
        names, classes = label_names(labelled, labels)
        examples = {
            split: [example(r, columns, classes[r.cells[label]]) for r in found] for split, found in rows.items()
        }
        return cls(modality, names), examples, {"empty": empty}

    def check_splits(self, where: str, train: Sequence[Example], splits: int) -> None:
        check_classes(where, [e.target for e in train], self.labels, splits)

    def group(self, example: Example) -> int:
        return example.target

    # Batches

    def targets(self, items: Sequence[dict]) -> Any:
        """Classes (rows,) int64."""
        import torch

        return torch.tensor([item["target"] for item in items])

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        items = super().encode(processor, examples, limit)
        return [{**item, "target": item["target"] or 0} for item in items]  # inputs that are only asked have no class

    def balance(self, items: Sequence[dict]) -> list[float]:
        """Inversely proportional to the frequency of the row's class."""
        counts = [0] * len(self.labels)
        for item in items:
            counts[item["target"]] += 1
        return [len(items) / (len(self.labels) * counts[item["target"]]) for item in items]

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """Cross-entropy of each row in nats."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.logits.float(), batch.target, reduction="none")

    def answers(self, outputs, batch: Batch) -> list[list[float]]:
        return outputs.logits.float().tolist()

    def said(self, answer: Sequence[float]) -> int:
        return max(range(len(answer)), key=answer.__getitem__)

    def probability(self, answer: Sequence[float]) -> float:
        import torch

        return torch.tensor(answer).softmax(-1).max().item()

    def decode(self, answer: Sequence[float], input) -> Prediction:
        import torch

        shares = torch.tensor(answer).softmax(-1).tolist()
        best = self.said(answer)
        return Prediction(input, self.labels[best], shares[best], dict(zip(self.labels, shares, strict=True)))

    # Scores

    def mean_loss(self, answers: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
        """Cross-entropy in nats, of logits or of logarithms of probabilities."""
        import torch
        from torch.nn.functional import cross_entropy

        return cross_entropy(torch.tensor(answers), torch.tensor(truth)).item()

    def table(self, said: Sequence[int], truth: Sequence[int]) -> Any:
        import numpy as np

        one = np.eye(len(self.labels))
        real, called = one[np.asarray(truth, dtype=int)], one[np.asarray(said, dtype=int)]
        return np.concatenate([real, called, real * called], axis=1)

    def details(self, said: Sequence[int], truth: Sequence[int]) -> tuple:
        """Macro means are over all labels, as scikit-learn's with `labels` given: one that is nowhere counts as 0."""
        import numpy as np

        k = len(self.labels)
        confusion = np.zeros((k, k), dtype=int)
        np.add.at(confusion, (np.asarray(truth, dtype=int), np.asarray(said, dtype=int)), 1)
        real, called, both = confusion.sum(1), confusion.sum(0), confusion.diagonal()
        each = (both / called.clip(1), both / real.clip(1), 2 * both / (real + called).clip(1))
        parts = tuple(
            ClassScore(label, int(n), float(p), float(r), float(f))
            for label, n, p, r, f in zip(self.labels, real, *each, strict=True)
        )
        names = ("macro_precision", "macro_recall", "macro_f1")
        macro = {name: float(values.mean()) for name, values in zip(names, each, strict=True)}
        return parts, tuple(tuple(row) for row in confusion.tolist()), macro

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        """Logistic regression on what inputs offer (TF-IDF of texts, pixels of pictures), and the commonest class."""
        features = self.modality.features(len(train))
        cheap = {} if features is None else {self.modality.cheap[0]: lambda: self.logistic_regression(features, train)}
        return {**cheap, "majority": lambda: self.commonest(train)}

    def logistic_regression(self, features, train: Sequence[Example]) -> Baseline:
        """Seconds of work, and hard to beat when labels are many."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        line = make_pipeline(features, LogisticRegression(C=10, max_iter=2000))
        line.fit([e.input for e in train], [e.target for e in train])
        size = line[-1].coef_.size + line[-1].intercept_.size
        title = f"{self.modality.cheap[1]} + logistic regression"
        return Baseline(title, lambda inputs: line.predict_log_proba(inputs).tolist(), size)

    def commonest(self, train: Sequence[Example]) -> Baseline:
        """The commonest class of the training rows, whatever the input: who does no better has learned nothing."""
        import numpy as np

        counts = np.bincount([e.target for e in train], minlength=len(self.labels))
        shares = np.log((counts + 1) / (counts + 1).sum()).tolist()
        return Baseline("majority class", lambda inputs: [shares] * len(inputs))

    def words(self, value: int) -> str:
        return self.labels[value]


TextClassification = Classification  # its usual modality
