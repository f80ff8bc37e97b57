"""Several labels a row: each of `labels` holds or does not, a sigmoid each. Otherwise as classification."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labkit.base.display import one_line
from labkit.base.records import ClassScore, Example, Table
from labkit.modalities.text import Text
from labkit.tasks.classification import Classification, Prediction, example, macro_f1, with_input
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.labels import Labelled, check_classes, check_words, label_names

BETWEEN = "|"  # between the labels of a row


@dataclass(frozen=True)
class LabelSet(Prediction):
    """The answer for one input: the labels that hold, `label` as one string, and the probability of every label by itself.
    `probability` is that of the least certain of all the yes and no."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label, p in self.probabilities.items() if p > 0.5)

    def __str__(self) -> str:
        return f"{self.label or '-'}\t{self.probability:.3f}\t{one_line(self.input)}"


def labels_macro_f1(counts) -> Any:
    return macro_f1(counts[..., :-2])


def labels_micro_f1(counts) -> Any:
    """F1 of all decisions together: rows that have a label, rows said to have it, and those of both."""
    k = (counts.shape[-1] - 2) // 3
    real, said, both = (counts[..., i * k : (i + 1) * k].sum(-1) for i in range(3))
    return 2 * both / (real + said).clip(1)


def all_right(counts) -> Any:
    return counts[..., -2] / counts[..., -1]


@dataclass(frozen=True)
class MultiLabel(Classification):
    """An input in, any number of `labels` out, none included. An answer is the row of logits.

    >>> corpus = load_csv("tickets.csv", task="multi-label")             # the label column: "late|cold", "rude", nothing
    """

    name: ClassVar[str] = "multi-label"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("macro_f1", ("macro-F1", "macro-F1"), labels_macro_f1),
        Metric("micro_f1", ("micro-F1", "micro-F1"), labels_micro_f1),
        Metric("exact_match", ("全对率", "exact match"), all_right, share=True),
    )
    chooses: ClassVar[str] = "macro_f1"

    def configure(self, config) -> dict[str, Any]:
        return {**super().configure(config), "problem_type": "multi_label_classification"}

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        texts = {name: column for name, column in columns.items() if name != "label"}
        for table in tables.values():
            check_words(table, texts.values())
        rows, empty = with_input(tables, columns)
        words = {split: [words_of(row.cells[columns["label"]]) for row in found] for split, found in rows.items()}
        labelled = {
            split: Labelled(
                tables[split].where, [(r.line, w) for r, said in zip(found, words[split], strict=True) for w in said]
            )
            for split, found in rows.items()
        }
        names, numbers = label_names(labelled, labels)
        examples = {
            split: [
                example(row, columns, sorted({numbers[w] for w in said}))
                for row, said in zip(found, words[split], strict=True)
            ]
            for split, found in rows.items()
        }
        return cls(Text(pair="text_pair" in columns), names), examples, {"empty": empty}

    def check_splits(self, where: str, train: Sequence[Example], splits: int) -> None:
        check_classes(where, [label for e in train for label in e.target], self.labels, splits)

    def group(self, example: Example) -> int:
        """The first label of a row, -1 where it has none."""
        return example.target[0] if example.target else -1

    def classes(self, example: Example) -> Sequence[int]:
        return example.target

    # Batches

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        items = Task.encode(self, processor, examples, limit)
        return [{**item, "target": item["target"] or []} for item in items]

    def targets(self, items: Sequence[dict]) -> Any:
        """1 where a label holds, (rows, labels) float32."""
        import torch

        return torch.from_numpy(self.marks([item["target"] for item in items])).float()

    def marks(self, rows: Sequence[Sequence[int]]) -> Any:
        """Label numbers of rows as ones in a matrix (rows, labels)."""
        import numpy as np

        marks = np.zeros((len(rows), len(self.labels)))
        for mark, labels in zip(marks, rows, strict=True):
            mark[list(labels)] = 1
        return marks

    def balance(self, items: Sequence[dict]) -> list[float]:
        return Task.balance(self, items)

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """Binary cross-entropy in nats, the mean over the labels, as in plain transformers."""
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        return cross_entropy(outputs.logits.float(), batch.target, reduction="none").mean(-1)

    def said(self, answer: Sequence[float]) -> list[int]:
        return [i for i, logit in enumerate(answer) if logit > 0]

    def probability(self, answer: Sequence[float]) -> float:
        import torch

        return torch.tensor(answer).abs().sigmoid().min().item()

    def decode(self, answer: Sequence[float], input) -> LabelSet:
        import torch

        shares = dict(zip(self.labels, torch.tensor(answer).sigmoid().tolist(), strict=True))
        return LabelSet(input, self.words(self.said(answer)), self.probability(answer), shares)

    # Scores

    def mean_loss(self, answers: Sequence[Sequence[float]], truth: Sequence[Sequence[int]]) -> float:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        return cross_entropy(torch.tensor(answers), torch.from_numpy(self.marks(truth)).float()).item()

    def table(self, said: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]) -> Any:
        """Labels that hold, labels that are said, those of both, whether all are right, and 1: (rows, 3 labels + 2)."""
        import numpy as np

        real, called = self.marks(truth), self.marks(said)
        right = (real == called).all(1, keepdims=True)
        return np.concatenate([real, called, real * called, right, np.ones_like(right)], axis=1)

    def details(self, said: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]) -> tuple:
        real, called, both = self.table(said, truth)[:, :-2].sum(0).reshape(3, -1)
        each = (both / called.clip(1), both / real.clip(1), 2 * both / (real + called).clip(1))
        parts = (
            ClassScore(label, int(n), float(p), float(r), float(f))
            for label, n, p, r, f in zip(self.labels, real, *each, strict=True)
        )
        return tuple(parts), None, {}

    # Faces

    def logistic_regression(self, features, train: Sequence[Example]) -> Baseline:
        """One for each label."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline

        line = make_pipeline(features, OneVsRestClassifier(LogisticRegression(C=10, max_iter=2000)))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
            line.fit([e.input for e in train], self.marks([e.target for e in train]).astype(int))

        def answer(inputs: Sequence) -> list[list[float]]:
            return logits(np.asarray(line.predict_proba(inputs))).tolist()

        return Baseline(
            "TF-IDF + logistic regression",
            answer,
            sum(e.coef_.size + 1 for e in line[-1].estimators_ if hasattr(e, "coef_")),
        )

    def commonest(self, train: Sequence[Example]) -> Baseline:
        """Each label that most rows have: who does no better has learned nothing."""
        marks = self.marks([e.target for e in train])
        shares = logits((marks.sum(0) + 0.5) / (len(marks) + 1)).tolist()
        return Baseline("majority labels", lambda inputs: [shares] * len(inputs))

    def words(self, value: Sequence[int]) -> str:
        return BETWEEN.join(self.labels[i] for i in value)


def words_of(cell: Any) -> list[str]:
    """The labels in a cell: "late|cold", a list in JSON Lines, or nothing."""
    words = cell if isinstance(cell, list) else str(cell or "").split(BETWEEN)
    return [word for word in (str(w).strip() for w in words) if word]


def logits(shares) -> Any:
    import numpy as np

    p = np.clip(shares, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))
