"""Tagging: which stretches of a text are names of persons, places, or whatever types there are. Entities in, entities out.

The network tags the first piece of each word; the tags are decoded together, so that they make entities; long texts are
read in windows. Scores are of entities, strictly: both edges and the type. Notebook 10 builds all of it by hand.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from labkit.base.display import TITLES
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, ClassScore, Example, Table
from labkit.modalities.contract import Modality
from labkit.modalities.text import Text, windows
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.dictionary import looked_up, names_in
from labkit.tasks.pieces import pieces_of, shared_out
from labkit.tasks.spans import COUNTS, Span, agreement, legal, spans_of, tag_names, tags_of, viterbi
from labkit.tasks.tagged import Entity, Tagged, spans_html, words_of
from labkit.tasks.tagged_rows import loose, read_rows, type_names

PADDING, UNTAGGED = -100, -1  # in a target: no place that is asked; a place that is asked and has no true tag


# Metrics, of summed counts as `agreement` gives them


def f1_of(counts) -> Any:
    """2 right / (true + said); 0 where both are nothing."""
    return 2 * counts[..., 2] / (counts[..., 0] + counts[..., 1]).clip(1)


def precision_of(counts) -> Any:
    return counts[..., 2] / counts[..., 1].clip(1)


def recall_of(counts) -> Any:
    return counts[..., 2] / counts[..., 0].clip(1)


ERRORS = {  # measured beside the metrics: how many there are for each true entity
    "missed": ("漏掉", "missed"),
    "invented": ("凭空", "invented"),
    "wrong_edge": ("边界错", "wrong edge"),
    "wrong_type": ("类型错", "wrong type"),
}
for name, title in ERRORS.items():
    TITLES.setdefault(name, title)


@dataclass(frozen=True)
class Tagging(Task):
    """A text in, its entities of the types `labels` out, as (begin, end, label) in characters, the end exclusive.

    Files hold `text` and `spans`, {"text": "张三去北京", "spans": [[0, 2, "PER"], [3, 5, "LOC"]]}, or tokens and tags.

    >>> task = Tagging(labels=("LOC", "PER"))
    >>> task.outputs
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    >>> task.counts([[0, 2, "PER"]], [[0, 2, "PER"], [3, 5, "LOC"]])                 # as spans.COUNTS names them
    (2, 1, 1, 1, 0, 0, 0)

    With `crf=True` how well tags follow each other is learned too, and the whole sequence at once: `Tagging(labels, crf=True)`,
    or `dataclasses.replace(corpus, task=dataclasses.replace(corpus.task, crf=True))`.

    An answer to an item is the logarithms of its tags' probabilities, (pieces, k), with a CRF below the (k + 1, k) scores of
    what follows what; one to an example its entities, with their probabilities.
    """

    modality: Modality = field(default_factory=Text)
    crf: bool = False  # whether the network learns how tags follow each other (chain.py)

    name: ClassVar[str] = "tagging"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("entity_f1", ("实体 F1", "entity F1"), f1_of),
        Metric("entity_precision", ("实体精确率", "entity precision"), precision_of),
        Metric("entity_recall", ("实体召回率", "entity recall"), recall_of),
    )
    pooled: ClassVar[bool] = False
    peft_type: ClassVar[str] = "TOKEN_CLS"
    rate: ClassVar[float] = 2
    columns: ClassVar[dict[str, str]] = {"text": "text", "spans": "spans"}
    other_columns: ClassVar[tuple[dict[str, str], ...]] = ({"tokens": "tokens", "tags": "tags"},)

    def times(self, rows: int | None) -> float:
        """As many as make about 300 steps of 16 rows in full fine-tuning: five times on 320 rows and less, once from 1,600 on."""
        return min(5.0, max(1.0, 1600 / (rows or 1000)))

    # The network

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tags, as the head's configuration has them."""
        return tag_names(self.labels)

    def auto_class(self, config=None) -> Any:
        plain = super().auto_class(config)
        if not self.crf:
            return plain
        from labkit.tasks.chain import Chained

        return Chained(plain)

    @property
    def plain(self) -> bool:
        return not self.crf

    def configure(self, config) -> dict[str, Any]:
        return {"id2label": dict(enumerate(self.outputs)), "label2id": {tag: i for i, tag in enumerate(self.outputs)}}

    def resolve(self, stored: Sequence[str] | None, source) -> "Tagging":
        if self.labels:
            return self
        labels = tuple(dict.fromkeys(tag[2:] for tag in stored or () if tag[1:2] == "-"))
        if not labels or tag_names(labels) != tuple(stored):
            there = listing(stored) if stored else tr("没有", "none")
            raise BadInput(
                tr(
                    f"模型 {source} 没有 labkit 读得懂的标注头（它的标签：{there}；应为 O、B-…、I-…）：请给出 task=corpus.task，从新的头开始。",
                    f"Model {source} has no tagging head that labkit reads (its tags: {there}; they should be O, B-…, I-…): "
                    "give task=corpus.task, and start from a new head.",
                )
            )
        return replace(self, labels=labels)

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        rows = {split: list(read_rows(table, columns)) for split, table in tables.items()}
        types = {split: {label for *_, spans in found for *_, label in spans} for split, found in rows.items()}
        names, named = type_names(tables["train"].where, types, labels)
        examples, used = {}, set(columns.values())
        for split, found in rows.items():
            examples[split] = [
                Example(
                    text,
                    tuple((begin, end, named[label]) for begin, end, label in spans),
                    {k: v for k, v in row.cells.items() if k not in used},
                )
                for row, text, spans in found
                if text.strip()
            ]
        empty = [
            tr(f"第 {row.line} 行", f"line {row.line}")
            for found in rows.values()
            for row, text, _ in found
            if not text.strip()
        ]
        for split, table in list(tables.items()):
            tables[split] = replace(table, notes=(*table.notes, *settled(split, table, columns, examples[split])))
        return cls(labels=names), examples, {"empty": empty}

    def group(self, example: Example) -> bool:
        """Whether it holds an entity: one in three rows of running text does not."""
        return bool(example.target)

    def classes(self, example: Example) -> list[int]:
        """The types that stand in it."""
        return [i for i, label in enumerate(self.labels) if any(label == span[2] for span in example.target)]

    # Batches

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        """Windows of long texts, each with the pieces that it answers for: every piece of a text is asked once.

        An item has `pieces`, (begin, end) in characters; `target`, a number for each token: its tag's, UNTAGGED, or
        PADDING where nothing is asked; `true`, how many entities there are, and `lost`, those that no tags can name.
        """
        number = {tag: i for i, tag in enumerate(self.outputs)}
        found = windows(processor, self.modality, [e.input for e in examples], limit, limit // 4)
        items = []
        for i, windows_of in itertools.groupby(found, key=lambda item: item["example"]):
            group, text = list(windows_of), examples[i].input
            owned = shared_out([pieces_of(text, item["offsets"]) for item in group])
            every = [piece[1:] for some in owned for piece in some]
            tags, lost = tags_of(examples[i].target or (), every)
            true = len(examples[i].target or ())
            numbers = iter([UNTAGGED if tag is None else number[tag] for tag in tags])
            for item, some in zip(group, owned, strict=True):
                target = [PADDING] * len(item["input_ids"])
                for token, *_ in some:
                    target[token] = next(numbers)
                kept = {k: v for k, v in item.items() if k not in ("offsets", "part")}
                items.append({**kept, "pieces": [p[1:] for p in some], "target": target, "true": true, "lost": lost})
                true, lost = 0, ()
        return items

    def remarks(self, split: str, items: Sequence[dict]) -> list[str]:
        """How many entities no tags can name, with the F1 that this leaves."""
        lost = sum(len(item["lost"]) for item in items)
        if not lost:
            return []
        true = sum(item["true"] for item in items)
        best = 2 * (true - lost) / (2 * true - lost)
        return [
            tr(
                f"{split}：{true} 个实体里有 {lost} 个的边界落在词元内部，标签表达不了：F1 最高 {best:.3f}。",
                f"{split}: {lost} of {true} entities begin or end inside a token, where no tag can say so: F1 is {best:.3f} at most.",
            )
        ]

    def targets(self, items: Sequence[dict]) -> Any:
        """(rows, longest) int64."""
        import torch

        longest = max(len(item["target"]) for item in items)
        return torch.tensor([item["target"] + [PADDING] * (longest - len(item["target"])) for item in items])

    def units(self, items: Sequence[dict]) -> float:
        """Pieces that are asked and have a tag."""
        return float(max(1, sum(tag >= 0 for item in items for tag in item["target"])))

    def asked(self, batch: Batch) -> Any:
        return batch.target != PADDING

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """Summed cross-entropy of each row's pieces in nats; with a CRF that of the whole sequence."""
        from torch.nn.functional import cross_entropy

        if self.crf:
            from labkit.tasks.chain import bounded, unlikely

            here = batch.target != PADDING
            table = bounded(outputs.chain, self.labels)
            return unlikely(outputs.logits.float()[here], table, batch.target[here], here.sum(1).cpu().numpy())
        target = batch.target.where(batch.target >= 0, PADDING)
        return cross_entropy(
            outputs.logits.float().transpose(1, 2), target, reduction="none", ignore_index=PADDING
        ).sum(1)

    def answers(self, outputs, batch: Batch) -> list:
        import numpy as np

        here = batch.target != PADDING
        rows = outputs.logits.detach().float().log_softmax(-1)[here].cpu().numpy()
        found = np.split(rows, here.sum(1).cumsum(0).tolist()[:-1])
        if self.crf:  # what follows what goes with each answer: the rows that decode it
            table = outputs.chain.detach().float().cpu().numpy()
            found = [np.concatenate([table, rows]) for rows in found]
        return found

    def merge(self, answers: list, items: Sequence[dict]) -> list[list[tuple[int, int, str, float]]]:
        """The entities of each example, from all its windows: the best legal tags, decoded in one go."""
        import numpy as np

        groups = [list(group) for _, group in itertools.groupby(range(len(items)), key=lambda i: items[i]["example"])]
        pieces = [[piece for i in group for piece in items[i]["pieces"]] for group in groups]
        first, after = legal(self.labels)
        if self.crf and answers:
            table, answers = answers[0][: len(first) + 1], [rows[len(first) + 1 :] for rows in answers]
            first, after = first + table[0], after + table[1:]
        scores, lengths = np.concatenate(answers), list(map(len, pieces))
        best = viterbi(scores, lengths, first, after)
        each = np.exp(scores)
        if self.crf:
            from labkit.tasks.chain import likely

            each = likely(scores, first, after, lengths)
        sure = each[np.arange(len(best)), best]
        found, at = [], 0
        for some in pieces:
            here = slice(at, at + len(some))
            spans = spans_of([self.outputs[k] for k in best[here]], some)
            found.append([(*span, lowest(span, some, sure[here])) for span in spans])
            at += len(some)
        return found

    def probability(self, answer: Sequence[tuple]) -> float | None:
        return min((p for *_, p in answer), default=None)

    def said(self, answer: Sequence[tuple]) -> list[list]:
        return [list(one[:3]) for one in answer]

    def truth(self, example: Example) -> list[list]:
        return [list(span) for span in example.target]

    def decode(self, answer: Sequence[tuple], input: str) -> Tagged:
        entities = tuple(Entity(input[begin:end], label, begin, end, p) for begin, end, label, p in answer)
        return Tagged(input, entities, self.labels)

    # Scores

    def counts(self, said: Sequence, truth: Sequence) -> Sequence[float]:
        return agreement(said, truth)

    def details(self, said: Sequence, truth: Sequence) -> tuple:
        """Scores of each type; errors of each kind for each true entity; F1 and its like undefined where nothing is true."""
        import numpy as np

        parts = []
        for label in self.labels:
            kept = [[[tuple(s) for s in spans if s[2] == label] for spans in side] for side in (said, truth)]
            sums = np.array([self.counts(s, t) for s, t in zip(*kept, strict=True)], dtype=float).sum(0)
            values = [float(of(sums)) if sums[0] else float("nan") for of in (precision_of, recall_of, f1_of)]
            parts.append(ClassScore(label, int(sums[0]), *values))
        sums = self.table(said, truth).sum(0)
        if not sums[0]:
            return tuple(parts), None, {metric.name: float("nan") for metric in self.metrics}
        errors = {name: float(sums[COUNTS.index(name)] / sums[0]) for name in ERRORS}
        return tuple(parts), None, errors

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        return {"crf": lambda: self.feature_crf(train), "dictionary": lambda: self.dictionary(train)}

    def feature_crf(self, train: Sequence[Example]) -> Baseline:
        """Characters and their neighbours: seconds of work, and hard to beat when labels are many."""
        from labkit.tasks.crf import CRF

        fitted = CRF(self.labels).fit([e.input for e in train], [e.target for e in train])
        return Baseline("CRF", lambda texts: certain(fitted.spans(texts)), fitted.parameters)

    def dictionary(self, train: Sequence[Example]) -> Baseline:
        """The names of the training rows, wherever they stand: what is learned by heart."""
        known = names_in(train)
        return Baseline("dictionary", lambda texts: certain([looked_up(text, known) for text in texts]), len(known))

    def words(self, value: Sequence) -> str:
        return tr("，", ", ").join(f"{begin}–{end} {label}" for begin, end, label in value) or "–"

    def told(self, value: Sequence, input: str) -> str:
        return words_of(input, value)

    def html(self, input: str, value: Sequence) -> str:
        return spans_html(input, value, self.labels)


def certain(found: Sequence[Sequence[Span]]) -> list[list[tuple]]:
    return [[(*span, 1.0) for span in spans] for spans in found]


def lowest(span: Span, pieces: Sequence[tuple[int, int]], sure: Sequence[float]) -> float:
    return float(min(p for (begin, end), p in zip(pieces, sure, strict=True) if span[0] <= begin and end <= span[1]))


def settled(split: str, table: Table, columns: dict[str, str], rows: Sequence[Example]) -> list[str]:
    """What reading settled by itself: tags that only a lenient reading makes sense of; and a split that holds no entity."""
    said, tags = [], columns.get("tags")
    if many := sum(loose(row.cells[tags]) for row in table.rows) if tags else 0:
        said.append(
            tr(
                f"{split}：{many} 处 I- 前面没有实体，按新实体读",
                f"{split}: {many} I- with no entity before them, read as B-",
            )
        )
    if not any(e.target for e in rows):
        said.append(tr(f"{split} 里没有实体：它的 F1 没有定义", f"no entity in {split}: its F1 is undefined"))
    return said
