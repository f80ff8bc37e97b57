"""Generation: a prompt or a conversation in, an answer out. Supervised fine-tuning (SFT) of models that write.

The loss is on answers alone; how good they are is asked of answers that the model writes by itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from labkit.base.display import one_line
from labkit.base.language import tr
from labkit.base.records import BadInput, Example, Scores, Table
from labkit.base.statistics import wilson
from labkit.modalities.chat import Chat, turns_of
from labkit.modalities.contract import Modality
from labkit.tasks.chat import spelled, stop_tokens, text_of
from labkit.tasks.chat_rows import example, refuse_mixed
from labkit.tasks.chrf import chrf, chrf_counts, commonest, exactly
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.decoding import Sampling, written
from labkit.tasks.masked_lm import NO_TARGET

WRITTEN = 256  # rows of a split that are answered in writing, evenly spread; all have a loss
LONGEST = 128  # tokens of an answer that is asked for


@dataclass(frozen=True)
class Reply:
    """The answer for one input."""

    input: Any
    text: str

    def __str__(self) -> str:
        return f"{one_line(self.text)}\t{Chat().text(self.input)}"

    def to_json(self) -> dict[str, Any]:
        """What `labkit predict --json` prints."""
        return {"text" if isinstance(self.input, str) else "input": self.input, "answer": self.text}

    def header(self) -> list[str]:
        return [tr("输入", "input"), tr("答案", "answer")]

    def cells(self) -> list[str]:
        return [Chat().text(self.input), self.text]


def exact_match(counts) -> Any:
    """Of summed counts (..., 22): rows that were answered, those answered exactly, nats, tokens, and chrF's 18."""
    return counts[..., 1] / counts[..., 0].clip(1)


def mean_chrf(counts) -> Any:
    return chrf(counts[..., 4:])


def perplexity(counts) -> Any:
    """How many tokens are as likely as the true one, on average: e to the loss."""
    import numpy as np

    nats, tokens = counts[..., 2], counts[..., 3]
    return np.where(tokens > 0, np.exp((nats / tokens.clip(1)).clip(max=700)), np.nan)


@dataclass(frozen=True)
class Written(Batch):
    """A batch with what is asked in writing: the prompt of each row, or None."""

    prompts: Sequence[list[int] | None] = ()
    most: int = LONGEST


@dataclass(frozen=True)
class Generation(Task):
    """A prompt or conversation in, a text out. An answer is [text, nats, tokens]: what was written (None where it was not
    asked for), and the loss of the true answer with its number of tokens.

    >>> corpus = load_csv("chat.jsonl")                     # columns prompt and answer, or messages
    >>> model = load("tiny-gpt-zh", task=corpus.task)
    """

    modality: Modality = field(default_factory=Chat)

    name: ClassVar[str] = "generation"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("exact_match", ("完全匹配", "exact match"), exact_match, share=True),
        Metric("chrf", ("chrF", "chrF"), mean_chrf),
        Metric("perplexity", ("困惑度", "perplexity"), perplexity, greater=False, top=math.inf),
    )
    chooses: ClassVar[str] = "perplexity"  # exact matches are few at first
    pooled: ClassVar[bool] = False
    peft_type: ClassVar[str] = "CAUSAL_LM"
    columns: ClassVar[dict[str, str]] = {"prompt": "prompt", "answer": "answer"}
    other_columns: ClassVar[tuple[dict[str, str], ...]] = ({"messages": "messages"},)
    default_model: ClassVar[str] = "tiny-gpt-zh"

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        examples, empty = {}, []
        for split, table in tables.items():
            examples[split] = []
            for row in table.rows:
                refuse_mixed(table, row, columns)
                if not any(row.cells[column] for column in columns.values()):
                    empty.append(tr(f"第 {row.line} 行", f"line {row.line}"))
                else:
                    examples[split].append(example(table, row, columns))
        return cls(), examples, {"empty": empty}

    def key(self, example: Example) -> Any:
        """One prompt may have several answers: they are no contradiction."""
        return super().key(example), self.modality.key(example.target or "")

    # Batches

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        """Items with `answers` (places that carry loss), `prompt` (how many tokens come before the last answer) and `asked`
        (whether it is to be written). BadInput where an answer would be cut."""
        turns = [turns_of(e.input) for e in examples]
        told = [
            (t if e.target is None else (*t, ("assistant", e.target))) for t, e in zip(turns, examples, strict=True)
        ]
        rows, step = spelled(processor, told), math.ceil(len(examples) / WRITTEN) or 1
        refuse_long([len(r.ids) + (e.target is None) for r, e in zip(rows, examples, strict=True)], limit)
        items = []
        for i, (row, one) in enumerate(zip(rows, examples, strict=True)):
            bare = one.target is None
            prompt = len(row.ids) if bare else row.answers[-1][0]
            item = {
                "input_ids": row.ids,
                "answers": [] if bare else row.answers,
                "prompt": prompt,
                "target": one.target,
            }
            items.append({**item, "asked": i % step == 0, "room": limit - prompt})
        return items

    def collate(self, processor, items: Sequence[dict]) -> Written:
        """Logits are asked for where some row has an answer: elsewhere there is nothing to learn, and they are the dearest."""
        import torch

        inputs = self.modality.pad(processor, items)
        labels = torch.full_like(inputs["input_ids"], NO_TARGET)
        for row, item in zip(labels, items, strict=True):
            for first, end in item["answers"]:
                row[first - 1 : end - 1] = torch.tensor(item["input_ids"][first:end])
        places = (labels != NO_TARGET).any(0).nonzero()[:, 0]
        if not len(places):
            places = torch.tensor([0])
        inputs["logits_to_keep"] = places
        prompts = [item["input_ids"][: item["prompt"]] if item["asked"] else None for item in items]
        true = max((len(item["input_ids"]) - item["prompt"] for item in items if item["answers"]), default=LONGEST)
        most = min(LONGEST, 2 * true + 8, *(item["room"] for item in items))  # what runs on and on is wrong long before
        return Written(inputs, labels[:, places], self.units(items), prompts=prompts, most=most)

    def units(self, items: Sequence[dict]) -> float:
        """Tokens of answers."""
        return float(sum(end - first for item in items for first, end in item["answers"]))

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """The summed cross-entropy of each row's answers in nats, (rows,)."""
        from torch.nn.functional import cross_entropy

        logits, target = outputs.logits.float(), batch.target
        each = cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=NO_TARGET, reduction="none")
        return each.view(target.shape).sum(1)

    def ask(self, model, batch: Batch) -> tuple[Any, list]:
        import torch

        if not batch.units:  # nothing is known that could have a loss
            return torch.zeros(len(batch.target)), [[None, 0.0, 0] for _ in batch.target]
        losses, tokens = self.losses(model(**batch.inputs), batch), (batch.target != NO_TARGET).sum(1)
        return losses, [[None, *pair] for pair in zip(losses.tolist(), tokens.tolist(), strict=True)]

    def go_on(self, model, batch: Written, answers: list) -> list:
        """The answers with what the model writes, greedily."""
        asked = [i for i, prompt in enumerate(batch.prompts) if prompt is not None]
        if asked:
            processor = model.processor
            prompts = [batch.prompts[i] for i in asked]
            texts = written(model, prompts, Sampling().chooser(), stop_tokens(processor), batch.most)
            for i, ids in zip(asked, texts, strict=True):
                answers[i][0] = text_of(processor, ids)
        return answers

    def decode(self, answer: Sequence, input) -> Reply:
        return Reply(input, answer[0])

    # Scores

    def counts(self, said: Sequence, truth: str) -> Sequence[float]:
        text, nats, tokens = said
        if text is None:
            return [0, 0, nats, tokens, *[0] * 18]
        return [1, exactly(text, truth), nats, tokens, *chrf_counts(text, truth)]

    def score(self, answers: Sequence, truth: Sequence, loss: float | None = None) -> Scores:
        """`n` is the number of rows that were answered in writing: what shares are shares of."""
        scores = super().score(answers, truth, loss)
        return replace(scores, n=sum(text is not None for text, *_ in answers))

    def interval(self, metric: Metric, value: float, table) -> tuple[float | None, float | None]:
        n = float(table[:, 0].sum())
        return wilson(value * n, n) if metric.share and n else super().interval(metric, value, table)

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        """The answer to the most similar prompt (TF-IDF), and the commonest answer."""
        features = self.modality.features(len(train))
        return {"tf-idf": lambda: nearest(features, train), "majority": lambda: always(train)}

    def words(self, value: Any) -> str:
        return value if isinstance(value, str) else value[0] or ""


def nearest(features, train: Sequence[Example]) -> Baseline:
    """The answer that was given to the training prompt which shares most runs of characters."""
    known, answers = features.fit_transform([e.input for e in train]), [e.target for e in train]

    def answer(inputs: Sequence) -> list[list]:
        alike = (features.transform(list(inputs)) @ known.T).toarray()
        return [[answers[i], 0.0, 0] for i in alike.argmax(1)]

    return Baseline("TF-IDF, answer of the nearest prompt", answer, known.nnz)


def always(train: Sequence[Example]) -> Baseline:
    best = commonest([e.target for e in train])
    return Baseline("commonest answer", lambda inputs: [[best, 0.0, 0] for _ in inputs])


def refuse_long(lengths: Sequence[int], limit: int) -> None:
    """BadInput where rows do not fit: what is cut would be the answer, or the prompt's end."""
    long = [n for n in lengths if n > limit]
    if long:
        raise BadInput(
            tr(
                f"{len(lengths)} 行中有 {len(long)} 行超过 {limit} 个词元（最长 {max(long)}），答案会被截掉。"
                f"请把 max_length 加大到 {max(long)}（不超过模型的位置数），或先去掉、缩短这些行。",
                f"{len(long)} of {len(lengths)} rows are longer than {limit} tokens (the longest: {max(long)}): their answers "
                f"would be cut. Take max_length={max(long)}, if the model has so many positions, or remove or shorten those rows.",
            )
        )
