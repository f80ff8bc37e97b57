"""Text classification: encoding, batches, loss and metrics, held against slow loops, torch and scikit-learn."""

import random

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.utils.class_weight import compute_class_weight

from labkit.base.records import BadInput, Example
from labkit.tasks import Batch, TextClassification

TASK = TextClassification(labels=("a", "b", "c"))


class Outputs:
    """What a network says: logits alone."""

    def __init__(self, logits):
        self.logits = logits


class Letters:
    """Stands in for a tokenizer: a letter is a token, 1 begins a text and 2 ends it; counts its calls."""

    pad_token_id = 0
    padding_side = "right"
    calls = 0

    def __call__(self, texts, truncation, max_length, return_attention_mask, split_special_tokens):
        self.calls += 1
        return {"input_ids": [[1, *map(ord, t[: max_length - 2]), 2] for t in texts]}


def labelled(k, n, seed):
    """Random logits (n, k) that are right more often than not, and the truth."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, k, (n,), generator=rng)
    logits = torch.randn(n, k, generator=rng)
    logits[torch.arange(n), target] += 1.0
    return logits, target


def losses(logits, target):
    return TASK.losses(Outputs(logits), Batch({}, target, len(target)))


def score(logits, target, names):
    """Scores of logits as a network gave them, with the mean of their losses."""
    answers = TASK.answers(Outputs(logits), Batch({}, target, len(target)))
    mean = losses(logits, target).mean().item()
    return TextClassification(labels=tuple(names)).score(answers, target.tolist(), mean)


# Rows to tensors


def test_all_rows_are_tokenised_in_one_call_truncated_and_not_padded():
    letters = Letters()
    items = TASK.encode(letters, [Example("ab", 1), Example("abcdefgh", 0), Example("", 2)], limit=6)
    assert [i["input_ids"] for i in items] == [[1, 97, 98, 2], [1, 97, 98, 99, 100, 2], [1, 2]]
    assert [i["target"] for i in items] == [1, 0, 2] and letters.calls == 1
    assert [TASK.size(i) for i in items] == [4, 6, 2]


def test_texts_without_a_class_are_encoded_as_rows_are_and_nothing_gives_nothing():
    letters = Letters()
    asked, told = (TASK.encode(letters, [Example("ab", target)], 6)[0] for target in (None, 1))
    assert asked["input_ids"] == told["input_ids"]
    assert TASK.collate(letters, [asked, told]).target.tolist() == [0, 1]  # a class to compute with, that says nothing
    assert TASK.encode(letters, [], 6) == []


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_batch_is_padded_to_its_longest_row_on_the_tokenizers_side(side):
    letters = Letters()
    letters.padding_side, letters.pad_token_id = side, 9
    items = [{"input_ids": [1, 2], "target": 1}, {"input_ids": [3, 4, 5], "target": 0}]
    batch = TASK.collate(letters, items)
    inputs, target = batch.inputs, batch.target
    assert batch.units == TASK.units(items) == 2 and batch.weights is None
    assert inputs["input_ids"].tolist() == ([[1, 2, 9], [3, 4, 5]] if side == "right" else [[9, 1, 2], [3, 4, 5]])
    assert inputs["attention_mask"].tolist() == ([[1, 1, 0], [1, 1, 1]] if side == "right" else [[0, 1, 1], [1, 1, 1]])
    assert target.tolist() == [1, 0] and all(t.dtype == torch.int64 for t in (*inputs.values(), target))


def test_the_task_names_a_head_of_transformers():
    assert TASK.auto_class().__name__ == "AutoModelForSequenceClassification"


# Loss


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_sum_over_its_weight_is_the_mean_cross_entropy_of_torch(weighted):
    logits, target = labelled(4, 50, seed=0)
    items, tensor, rows = [{"target": y} for y in target.tolist()], None, torch.ones(50)
    if weighted:
        rows = torch.tensor(TextClassification(labels=tuple("abcd")).balance(items))
        tensor = torch.tensor([rows[target == c][0] for c in range(4)])
        assert all(w == tensor[y] for w, y in zip(rows, target, strict=True))  # one weight a class
    mean = (losses(logits, target) * rows).sum() / rows.sum()
    assert rows.sum().item() == pytest.approx(TASK.units(items))
    assert mean.item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, target, weight=tensor).item(), rel=1e-6
    )


def test_the_loss_is_computed_in_single_precision_whatever_the_logits_are():
    logits, target = labelled(3, 10, seed=1)
    loss = losses(logits.bfloat16(), target)
    assert loss.dtype == torch.float32 and loss.shape == (10,)
    assert loss.tolist() == pytest.approx(losses(logits.bfloat16().float(), target).tolist())


def test_balanced_weights_are_those_of_scikit_learn_and_average_to_one():
    labels = [0] * 7 + [1] * 2 + [2]
    items = [{"target": y} for y in labels]
    got = TASK.balance(items)
    of_class = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert got == pytest.approx([of_class[y] for y in labels])
    assert sum(got) == pytest.approx(len(items)) and TASK.units(items) == 10
    four = TextClassification(labels=tuple("abcd"))
    assert min(four.balance(items)) > 0  # a class without rows divides nothing by zero


# Outputs to answers


def test_predictions_carry_the_probability_of_every_label():
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]])
    answers = TASK.answers(Outputs(logits), Batch({}, None, 2))
    first, second = (TASK.decode(answer, text) for answer, text in zip(answers, ["x", "y"], strict=True))
    assert (first.input, first.label, second.label) == ("x", "b", "a")
    assert [TASK.said(answer) for answer in answers] == [1, 0]
    assert TASK.probability(answers[0]) == pytest.approx(first.probability)
    assert first.probability == max(first.probabilities.values()) == first.probabilities["b"]
    for row, prediction in zip(logits, (first, second), strict=True):
        assert list(prediction.probabilities.values()) == pytest.approx(row.softmax(0).tolist())
        assert sum(prediction.probabilities.values()) == pytest.approx(1)


# Metrics


def slow_metrics(said, truth, k):
    """Precision, recall and F1 of each class, counted one row at a time."""
    found = []
    for c in range(k):
        tp = fp = fn = 0
        for s, t in zip(said, truth, strict=True):
            if s == c and t == c:
                tp += 1
            elif s == c:
                fp += 1
            elif t == c:
                fn += 1
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn) if tp + fn else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        found.append((precision, recall, f1))
    return found


@pytest.mark.parametrize("k, n, seed", [(2, 200, 0), (2, 3, 1), (5, 400, 2), (7, 10, 3), (30, 60, 4), (2, 1, 5)])
def test_metrics_agree_with_a_slow_loop_and_with_scikit_learn(k, n, seed):
    logits, target = labelled(k, n, seed)  # with few rows some classes are absent, or never said
    names = [f"class {i}" for i in range(k)]
    scores = score(logits, target, names)
    said, truth = logits.argmax(1).tolist(), target.tolist()

    assert scores.n == n and scores.accuracy == accuracy_score(truth, said)
    assert scores.accuracy == sum(s == t for s, t in zip(said, truth, strict=True)) / n
    assert [list(row) for row in scores.confusion] == confusion_matrix(truth, said, labels=range(k)).tolist()
    for c, slow in zip(scores.parts, slow_metrics(said, truth, k), strict=True):
        assert (c.precision, c.recall, c.f1) == pytest.approx(slow)
    per_class = precision_recall_fscore_support(truth, said, labels=range(k), zero_division=0)
    for i, c in enumerate(scores.parts):
        assert (c.precision, c.recall, c.f1, c.n) == pytest.approx([m[i] for m in per_class]) and c.label == names[i]
    macro = precision_recall_fscore_support(truth, said, labels=range(k), average="macro", zero_division=0)
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == pytest.approx(macro[:3])
    assert scores.loss == pytest.approx(torch.nn.functional.cross_entropy(logits, target).item(), rel=1e-5)
    assert 0 <= scores.low <= scores.accuracy <= scores.high <= 1


def test_a_perfect_and_a_hopeless_model():
    target = torch.tensor([0, 1, 1, 0])
    right = score(torch.nn.functional.one_hot(target).float(), target, ["a", "b"])
    wrong = score(torch.nn.functional.one_hot(1 - target).float(), target, ["a", "b"])
    assert (right.accuracy, right.macro_f1, right.high) == (1, 1, 1) and right.low < 1
    assert (wrong.accuracy, wrong.macro_f1, wrong.low) == (0, 0, 0) and wrong.high > 0


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng, covered = random.Random(0), 0
    for _ in range(400):
        target = torch.zeros(60, dtype=torch.int64)
        logits = torch.tensor([[1.0, 0.0] if rng.random() < 0.85 else [0.0, 1.0] for _ in range(60)])
        scores = score(logits, target, ["a", "b"])
        covered += scores.low <= 0.85 <= scores.high
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize("lang, words", [("en", "There are no rows to score."), ("zh", "没有可以打分的行。")])
def test_nothing_to_score_is_said(monkeypatch, lang, words):
    monkeypatch.setenv("LABKIT_LANG", lang)
    with pytest.raises(BadInput, match=words):
        TASK.score([], [], 0.0)
