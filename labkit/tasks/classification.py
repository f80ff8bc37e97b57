"""Text classification: one text in, one of several labels out. The only file that knows that rows are texts.

A task encodes rows (batched, un-padded), collates items into a batch, names the model's head, computes the loss,
decodes outputs and scores them; training, evaluation and comparison only call these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput, ClassScore, Row, Scores
from labkit.base.statistics import wilson


@dataclass(frozen=True)
class Prediction:
    """The answer for one text: the label, its probability, and the probability of every label."""

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class TextClassification:
    """>>> task = TextClassification(); items = task.encode(tokenizer, rows, max_length=128)   # lists of token ids"""

    name: str = "text-classification"

    def auto_class(self) -> Any:
        """The transformers class whose head fits the task."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def encode(self, processor, rows: Sequence[Row | str], max_length: int) -> list[dict]:
        """Rows as items `{"input_ids": [ids], "label": class}`, tokenised in one go, truncated, not padded."""
        texts = [row if isinstance(row, str) else row.text for row in rows]
        if not texts:
            return []
        ids = processor(texts, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
        labels = [0 if isinstance(row, str) else row.label for row in rows]
        return [{"input_ids": i, "label": y} for i, y in zip(ids, labels, strict=True)]

    def length(self, item: dict) -> int:
        """Tokens of an item: what batches are sorted by and padding is counted in."""
        return len(item["input_ids"])

    def collate(self, processor, items: Sequence[dict]) -> tuple[dict, Any]:
        """A batch: model inputs, each (rows, longest) int64, and the classes (rows,) int64, on the CPU."""
        import torch

        longest = max(len(item["input_ids"]) for item in items)
        pad = processor.pad_token_id
        left = processor.padding_side == "left"
        ids, mask = [], []
        for item in items:
            row = item["input_ids"]
            gap = longest - len(row)
            ids.append([pad] * gap + row if left else row + [pad] * gap)
            mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
        inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
        return inputs, torch.tensor([item["label"] for item in items])

    def weight(self, items: Sequence[dict], class_weights: Sequence[float] | None) -> float:
        """What the summed loss of these items is divided by: their number, or their summed class weights."""
        return float(len(items)) if class_weights is None else sum(class_weights[i["label"]] for i in items)

    def loss_sum(self, logits, target, class_weights=None) -> Any:
        """Summed cross-entropy, in float32: a scalar tensor."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits.float(), target, weight=class_weights, reduction="sum")

    def balanced_weights(self, items: Sequence[dict], n_classes: int) -> list[float]:
        """Class weights inversely proportional to frequency, mean 1 over the rows."""
        counts = [0] * n_classes
        for item in items:
            counts[item["label"]] += 1
        return [len(items) / (n_classes * max(n, 1)) for n in counts]

    def decode(self, logits, labels: Sequence[str], texts: Sequence[str]) -> list[Prediction]:
        """Logits (rows, classes) as predictions."""
        table = logits.float().softmax(-1).tolist()
        answers = []
        for text, row in zip(texts, table, strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            answers.append(Prediction(text, labels[best], row[best], dict(zip(labels, row, strict=True))))
        return answers

    def score(self, logits, target, labels: Sequence[str]) -> Scores:
        """Scores of logits (rows, classes) against the true classes (rows,)."""
        if len(target) == 0:
            raise BadInput(tr("没有可以打分的行。", "There are no rows to score."))
        n, k = len(target), len(labels)
        loss = self.loss_sum(logits, target).item() / n
        confusion = [[0] * k for _ in range(k)]
        for true, guess in zip(target.tolist(), logits.argmax(-1).tolist(), strict=True):
            confusion[true][guess] += 1
        classes = []
        for i, label in enumerate(labels):
            hit, real, said = confusion[i][i], sum(confusion[i]), sum(row[i] for row in confusion)
            precision, recall = hit / said if said else 0.0, hit / real if real else 0.0
            f1 = 2 * hit / (real + said) if real + said else 0.0
            classes.append(ClassScore(str(label), real, precision, recall, f1))
        right = sum(confusion[i][i] for i in range(k))
        low, high = wilson(right, n)
        return Scores(
            n=n,
            loss=loss,
            accuracy=right / n,
            low=low,
            high=high,
            macro_precision=sum(c.precision for c in classes) / k,
            macro_recall=sum(c.recall for c in classes) / k,
            macro_f1=sum(c.f1 for c in classes) / k,
            classes=tuple(classes),
            confusion=tuple(map(tuple, confusion)),
        )
