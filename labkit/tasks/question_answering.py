"""Extractive question answering: which stretch of the context answers the question, or that none does.

Long contexts are read in windows that overlap; a window without the answer points at its first token. Notebook 11 builds
all of it by hand.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, ClassVar

from labkit.base.display import Html, clipped
from labkit.base.language import tr
from labkit.base.records import Example, Table
from labkit.modalities.contract import Modality
from labkit.modalities.text import Text, windows
from labkit.tasks.answer_rules import look_up, sliding_window
from labkit.tasks.answer_scores import RULES, answer_scores
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.references import read_references, said_of

AROUND = 40  # characters of the context that are shown on either side of an answer
NONE = -float("inf")


@dataclass(frozen=True)
class Answer:
    """What is said of one question: a stretch of the context, or "" where the context holds no answer."""

    question: str
    context: str
    text: str
    start: int | None  # where it begins in the context, in characters; None without an answer
    probability: float

    def __str__(self) -> str:
        return f"{self.text or no_answer()}\t{self.probability:.3f}\t{self.question}\t{self.marked('【', '】')}"

    def marked(self, opening: str, closing: str, spell: Callable[[str], str] = str) -> str:
        """The context around the answer, with the answer between two marks."""
        if self.start is None:
            return spell(clipped(self.context, 2 * AROUND))
        end = self.start + len(self.text)
        before, after = self.context[: self.start], self.context[end:]
        before = before if len(before) <= AROUND else "…" + before[-AROUND:]
        return spell(before) + opening + spell(self.text) + closing + spell(clipped(after, AROUND))

    def html(self) -> str:
        """The question, and below it the context with the answer marked."""
        mark = '<mark style="background:rgba(204,187,68,.45);color:inherit;border-radius:2px">'
        return f"<div><b>{escape(self.question)}</b></div><div>{self.marked(mark, '</mark>', escape)}</div>"

    def to_json(self) -> dict[str, Any]:
        values = {"question": self.question, "answer": self.text, "start": self.start}
        return {**values, "probability": self.probability}

    def header(self) -> list[str]:
        return [tr("问题和段落", "question and context"), tr("答案", "answer"), tr("概率", "probability")]

    def cells(self) -> list[str]:
        return [Html(self.html()), self.text or no_answer(), f"{self.probability:.2f}"]


def no_answer() -> str:
    return tr("（没有答案）", "(no answer)")


def share_of(name: str) -> Callable[[Any], Any]:
    """The mean of one of the scores that `QuestionAnswering.counts` gives."""
    place = 1 + list(RULES).index(name)
    return lambda counts: counts[..., place] / counts[..., 0]


SQUAD = (  # measured beside the metrics, by another rule: never to be mixed with them
    Metric("squad_exact_match", ("完全匹配（SQuAD）", "exact match (SQuAD)"), share_of("squad_exact_match")),
    Metric("squad_f1", ("F1（SQuAD，按字）", "F1 (SQuAD, characters)"), share_of("squad_f1")),
)


@dataclass(frozen=True)
class QuestionAnswering(Task):
    """A question and a context in, a stretch of the context out.

    An answer to a window is [score, first token, last token, weight of all its spans]; to an example it is a dict with
    `text`, `start` and `probability`. Scores are sums of two logits, less the sum that the window gives to "not here".

    >>> task = QuestionAnswering()
    >>> items = task.encode(tokenizer, [Example(("几斤？", "红枣三斤"), (("三斤", 2),))], 256)
    >>> items[0]["target"]                                  # the first and the last token of the answer: [CLS] 几 斤 ？ [SEP] 红 枣 三 斤
    (7, 8)
    """

    modality: Modality = field(default_factory=lambda: Text(pair=True))
    no_answer: bool = False  # whether "no answer" may be said: where training rows have such questions
    stride: int = 128  # tokens that windows share; less where questions leave no room
    max_answer_length: int = 64  # in tokens

    name: ClassVar[str] = "question-answering"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("exact_match", ("完全匹配", "exact match"), share_of("exact_match"), share=True),
        Metric("f1", ("F1（CMRC）", "F1 (CMRC)"), share_of("f1")),
    )
    chooses: ClassVar[str] = "f1"  # half an answer counts: steadier from epoch to epoch
    pooled: ClassVar[bool] = False
    peft_type: ClassVar[str] = "QUESTION_ANS"
    columns: ClassVar[dict[str, str]] = {"question": "question", "context": "context", "answers": "answers"}
    epochs: ClassVar[float] = 4  # to point into a text is learnt slowly (docs/LOG.md)
    samples: ClassVar[tuple[str, ...]] = (
        "联系电话是多少？\n林小满，青石路12号，红枣3斤，45元，620-1234，周三下午2点。",
        "怎么付款？\n骑手：王大江；微信；白菜；好再来面馆；共2份。",
        "谁来送这一单？\n收：陈秋月；由李海燕；58元；约在明天中午12点。",
    )
    reasons: ClassVar[dict[str, tuple[str, str]]] = {"lost": ("答案不在段落里", "answer not in the context")}

    def configure(self, config) -> dict[str, Any]:
        return {"num_labels": 2}  # a start and an end, whatever the source had labels for

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        examples, mended = {}, {}
        for split, table in list(tables.items()):
            rows, mended[split] = read_references(table, columns)
            examples[split] = [example(row, columns, mine) for row, mine in rows]
            tables[split] = replace(table, notes=(*table.notes, *said_of({split: mended[split]})))
        lost = [f"{row.cells[columns['question']]} ⇥ {text}" for m in mended.values() for row, text in m.lost]
        task = cls(no_answer=any(not answerable(e) for e in examples["train"]))
        empty = [tr(f"第 {line} 行", f"line {line}") for m in mended.values() for line in m.empty]
        return task, examples, {"empty": empty, "lost": lost}

    def kin(self, example: Example) -> str:
        """Questions on one context stay together: who has read it for one knows something of the answers to the others."""
        return example.input[1]

    def group(self, example: Example) -> int:
        return int(answerable(example))

    def parse(self, word: str) -> tuple[str, str]:
        """Question and context with a tabulator between them, or the question on the first line."""
        return self.modality.parse(word if "\t" in word else word.strip().replace("\n", "\t", 1))

    # Batches

    def encode(self, processor, examples: Sequence[Example], limit: int) -> list[dict]:
        """Windows of at most `limit` tokens, each with the places of its answer's first and last token, (0, 0) where it holds
        none, and the range of its tokens that stand in the context."""
        most, stride = self.room(processor, limit)
        questions = shortened(processor, [e.input[0] for e in examples], most)
        inputs = [(question, e.input[1]) for question, e in zip(questions, examples, strict=True)]
        items = windows(processor, self.modality, inputs, limit, stride)
        for item in items:
            example = examples[item["example"]]
            inside = [i for i, part in enumerate(item.pop("part")) if part == 1]
            item["span"] = (inside[0], inside[-1] + 1) if inside else (0, 0)
            item["context"] = example.input[1]
            item["target"] = tokens_of(first_span(example), item["offsets"], item["span"])
        share_out(items, stride // 4)
        return items

    def room(self, processor, limit: int) -> tuple[int, int]:
        """Tokens that a question may take at most, and tokens that windows share."""
        most = max(1, limit // 2)
        left = limit - most - processor.num_special_tokens_to_add(pair=True)
        return most, max(0, min(self.stride, left // 2))

    def targets(self, items: Sequence[dict]) -> Any:
        """(rows, 6) int64: first and last token of the answer; the range of the context's tokens; the range of those that an
        answer may begin with."""
        import torch

        return torch.tensor([[*item["target"], *item["span"], *item["starts"]] for item in items])

    def asked(self, batch: Batch) -> Any:
        return ~barred(batch.inputs["input_ids"], batch)

    # Answers

    def losses(self, outputs, batch: Batch) -> Any:
        """Cross-entropy in nats, the mean of start and end, over the context's tokens and the first one."""
        from torch.nn.functional import cross_entropy

        start, end = context_logits(outputs, batch)
        one = cross_entropy(start, batch.target[:, 0], reduction="none")
        return (one + cross_entropy(end, batch.target[:, 1], reduction="none")) / 2

    def answers(self, outputs, batch: Batch) -> list[list[float]]:
        """Of each window its best span: [score, first token, last token, logarithm of the summed weights of all its spans]."""
        import torch

        start, end = context_logits(outputs, batch)
        null = (start[:, 0] + end[:, 0])[:, None]
        start = start.masked_fill(outside(start, batch.target[:, 4:6]), NONE)
        end = end.masked_fill(outside(end, batch.target[:, 2:4]), NONE)
        length = min(self.max_answer_length, start.shape[1])
        ends = torch.nn.functional.pad(end, (0, length - 1), value=NONE).unfold(1, length, 1)
        spans = (start[:, :, None] + ends).flatten(1)  # (rows, first token * length - 1)
        best, place = spans.max(1, keepdim=True)
        first, more = place // length, place % length
        found = torch.cat([best - null, first, first + more, spans.logsumexp(1, keepdim=True) - null], 1)
        return found.tolist()

    def merge(self, answers: list, items: Sequence[dict]) -> list[dict[str, Any]]:
        """The best span of all windows of an example; none where "not here" beats it and may be said."""
        owned = defaultdict(list)
        for answer, item in zip(answers, items, strict=True):
            owned[item["example"]].append((answer, item))
        return [self.joined(owned[number]) for number in sorted(owned)]

    def joined(self, found: list[tuple[list[float], dict]]) -> dict[str, Any]:
        import torch

        (score, first, last, _), item = max(found, key=lambda pair: pair[0][0])
        weights = [answer[3] for answer, _ in found] + [0.0] * self.no_answer
        total = torch.tensor(weights).logsumexp(0)
        if score == NONE or (self.no_answer and score < 0):
            return {"text": "", "start": None, "probability": (-total).exp().item() if self.no_answer else 0.0}
        (start, _), (_, end) = item["offsets"][int(first)], item["offsets"][int(last)]
        text = item["context"][start:end]  # some tokenizers count the space before a word to it
        start += len(text) - len(text.lstrip())
        share = min(1.0, (torch.tensor(score) - total).exp().item())
        return {"text": text.strip(), "start": start, "probability": share}

    def probability(self, answer: dict[str, Any]) -> float:
        """The answer's share among all spans that are allowed, and "no answer" where it is."""
        return answer["probability"]

    def said(self, answer: dict[str, Any]) -> str:
        return answer["text"]

    def truth(self, example: Example) -> list[str]:
        """The reference texts; none where there is no answer."""
        return [text for text, _ in example.target]

    def decode(self, answer: dict[str, Any], input) -> Answer:
        return Answer(*input, **answer)

    # Scores

    def counts(self, said: str, truth: Sequence[str]) -> Sequence[float]:
        return 1.0, *answer_scores(said, truth)

    def details(self, said: Sequence[str], truth: Sequence[Sequence[str]]) -> tuple:
        """By SQuAD's rule, on characters."""
        sums = self.table(said, truth).sum(0)
        return (), None, {metric.name: float(metric.of(sums)) for metric in SQUAD}

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        """A look-up of what stood around the answers to questions like this one, and a rule that learns nothing."""
        return {"look-up": lambda: look_up(train, self.no_answer), "sliding-window": sliding_window}

    def words(self, value) -> str:
        texts = [value] if isinstance(value, str) else list(dict.fromkeys(value))
        return " / ".join(text or no_answer() for text in texts) or no_answer()

    def html(self, input, value) -> str:
        """The question above the context, with the answer, or the first reference, marked where it stands first."""
        question, context = input
        text = next((t for t in ([value] if isinstance(value, str) else value) if t and t in context), "")
        return Answer(question, context, text, context.index(text) if text else None, 1.0).html()


def example(row, columns: dict[str, str], references: tuple) -> Example:
    extra = {k: v for k, v in row.cells.items() if k not in columns.values()}
    return Example((row.cells[columns["question"]], row.cells[columns["context"]]), references, extra)


def answerable(example: Example) -> bool:
    return first_span(example) is not None


def first_span(example: Example) -> tuple[int, int] | None:
    """The reference that is learnt: the first that is a stretch of the context, (begin, end); None where there is none."""
    return next(((start, start + len(text)) for text, start in example.target or () if start >= 0), None)


def tokens_of(
    span: tuple[int, int] | None, offsets: Sequence[tuple[int, int]], context: tuple[int, int]
) -> tuple[int, int]:
    """The first and the last token of a stretch of characters; (0, 0) where the window does not hold all of it.

    >>> tokens_of((2, 4), [(0, 0), (0, 1), (0, 0), (0, 2), (2, 3), (3, 4)], (3, 6))     # [CLS] q [SEP] "ab" "c" "d"
    (4, 5)
    """
    begin, end = context
    if span is None or begin == end or span[0] < offsets[begin][0] or span[1] > offsets[end - 1][1]:
        return 0, 0
    first = bisect_right(offsets, span[0], begin, end, key=lambda o: o[1])
    last = bisect_left(offsets, span[1], begin, end, key=lambda o: o[0]) - 1
    return (first, last) if first <= last else (0, 0)


def shortened(processor, questions: Sequence[str], most: int) -> list[str]:
    """Questions of at most so many tokens: the context needs room."""
    if not questions:
        return []
    options = {"add_special_tokens": False, "return_offsets_mapping": True, "split_special_tokens": True}
    offsets = processor(list(questions), **options)["offset_mapping"]
    return [q if len(o) <= most else q[: o[most - 1][1]] for q, o in zip(questions, offsets, strict=True)]


def share_out(items: Sequence[dict], margin: int) -> None:
    """Give each item its `starts`: every token of a context may begin an answer in one window alone, else a span that two
    windows hold would count twice. From the second window on, the first `margin` tokens belong to the one before."""
    for before, item in zip([None, *items], items, strict=False):
        begin, end = item["span"]
        item["starts"] = (begin, end)
        if before is not None and before["example"] == item["example"]:
            item["starts"] = (min(begin + margin, end), end)
            limit = item["offsets"][item["starts"][0]][0] if item["starts"][0] < end else item["offsets"][end - 1][1]
            low, high = before["starts"]
            before["starts"] = (low, bisect_left(before["offsets"], limit, low, high, key=lambda o: o[0]))


def outside(logits, ranges) -> Any:
    """Where tokens are not in the range of their row: ranges (rows, 2), the answer (rows, tokens)."""
    import torch

    place = torch.arange(logits.shape[1], device=logits.device)[None]
    return (place < ranges[:, :1]) | (place >= ranges[:, 1:])


def context_logits(outputs, batch: Batch) -> tuple[Any, Any]:
    """Start and end logits (rows, tokens) in float32, NONE where `barred`."""
    never = barred(outputs.start_logits, batch)
    return tuple(x.float().masked_fill(never, NONE) for x in (outputs.start_logits, outputs.end_logits))


def barred(tokens, batch: Batch) -> Any:
    """Where an answer cannot be: what is neither in the context nor the first token, (rows, tokens) bool."""
    found = outside(tokens, batch.target[:, 2:4])
    found[:, 0] = False
    return found
