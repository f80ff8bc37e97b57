"""Transcription: a clip in, a text out, in the language that is spoken or in another. Of what models: wav2vec2-like ones that
answer frame by frame (tasks/ctc.py), and those with a decoder that writes (tasks/dictation.py): Speech2Text, Whisper.

Training compares with the true text letter by letter; how good a model is, is asked of what it writes by itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Example, Raw, Scores, Table
from labkit.base.statistics import bootstrap, standard_error, wilson
from labkit.modalities.contract import Modality
from labkit.modalities.speech import Scribe, Speech
from labkit.tasks.chrf import commonest
from labkit.tasks.contract import Baseline, Batch, Metric, Task
from labkit.tasks.ctc import beam_search, collapsed, ctc_losses, refuse_short
from labkit.tasks.dictation import beam_dictated, dictated, heard
from labkit.tasks.inputs import there
from labkit.tasks.letters import CER, MATCH, WER, letter_counts
from labkit.tasks.masked_lm import NO_TARGET

WRITTEN = 512  # rows of a split that are answered in writing, evenly spread; all have a loss
QUICKEST = 2  # frames of 10 ms that a letter takes at least, where nothing else tells how long a text may be


@dataclass(frozen=True)
class Transcript:
    """The text of one clip."""

    input: Any
    text: str

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> dict[str, Any]:
        """What `labkit predict --json` prints."""
        if isinstance(self.input, Path):
            return {"file": str(self.input), "answer": self.text}
        return {"input": Speech().text(self.input), "answer": self.text}

    def header(self) -> list[str]:
        return [tr("片段", "clip"), tr("文字", "text")]

    def cells(self) -> list[str]:
        return [str(self.input) if isinstance(self.input, Path) else Speech().text(self.input), self.text]


@dataclass(frozen=True)
class Spoken(Batch):
    """A batch of clips with what is asked of each in writing."""

    scribe: Any = None
    prompts: Sequence[tuple[int, ...] | None] = ()  # what stands before a text, where it is to be written
    most: int = 0  # tokens of the longest text that is asked for
    frames: Any = None  # CTC: how many answers each clip has
    letters: Any = None  # CTC: how many letters each text has


@dataclass(frozen=True)
class Transcription(Task):
    """A clip in, its text out. An answer is the text, None where it was not asked in writing.

    >>> corpus = lk.phrases()                                # or load_csv("clips.csv"): columns audio (paths) and text
    >>> model = lk.load("tiny-speech", task=corpus.task)
    >>> print(lk.predict(model, corpus.test[0].input)[0])
    ...
    """

    modality: Modality = field(default_factory=Speech)
    language: str = ""  # what is written in, where the model writes several: "zh", by the names of its tokenizer

    name: ClassVar[str] = "transcription"
    metrics: ClassVar[tuple[Metric, ...]] = (MATCH, CER, WER)
    chooses: ClassVar[str] = "cer"  # the loss may fall while what is written gets worse
    pooled: ClassVar[bool] = False
    columns: ClassVar[dict[str, str]] = {"audio": "audio", "text": "text"}
    other_columns: ClassVar[tuple[dict[str, str], ...]] = tuple(
        {"audio": audio, "text": text} for audio in ("audio", "path", "file") for text in ("text", "sentence")
    )[1:]
    optional_columns: ClassVar[tuple[str, ...]] = ("language",)
    input_column: ClassVar[str] = "audio"
    default_model: ClassVar[str] = "tiny-speech"
    epochs: ClassVar[float] = 5

    # Rows

    @classmethod
    def read(cls, tables: dict[str, Table], columns: dict[str, str], labels=None) -> tuple:
        examples, empty, column = {}, [], columns.get("language", "language")
        for split, table in tables.items():
            refuse_words(table, columns["audio"])
            examples[split] = []
            for row in table.rows:
                if there(row.cells[columns["audio"]]) and there(row.cells[columns["text"]]):
                    examples[split].append(example(row, columns))
                else:
                    empty.append(tr(f"第 {row.line} 行", f"line {row.line}"))
        languages = {str(e.extra.get(column) or "") for rows in examples.values() for e in rows}
        return cls(language=languages.pop() if len(languages) == 1 else ""), examples, {"empty": empty}

    def key(self, example: Example) -> Any:
        """A clip may have a text in each of several languages: they are no contradiction."""
        return super().key(example), self.written_in(example)

    def written_in(self, example: Example) -> str:
        return str(example.extra.get("language") or self.language)

    # Batches

    def encode(self, processor: Scribe, examples: Sequence[Example], limit: int) -> list[dict]:
        """Items with `ids` (the prompt and the text as tokens), `prompt` (how many of them come before the text) and `asked`
        (whether it is to be written). BadInput where a text does not fit its clip or the vocabulary."""
        items = self.modality.encode(processor, [e.input for e in examples], limit)
        texts = tokens_of(processor, [e.target for e in examples])
        step = math.ceil(len(examples) / WRITTEN) or 1
        for i, (item, one, ids) in enumerate(zip(items, examples, texts, strict=True)):
            prompt = () if processor.ctc else prompt_of(processor, self.written_in(one))
            end = [] if processor.ctc or one.target is None else [processor.tokenizer.eos_token_id]
            item |= {"ids": [*prompt, *ids, *end], "prompt": len(prompt), "target": one.target, "asked": i % step == 0}
        if processor.ctc:
            refuse_short([processor.frames(item["sound"].shape[-1]) for item in items], texts)
        else:
            refuse_long([len(item["ids"]) for item in items], processor.length - 1)
        return items

    def collate(self, processor: Scribe, items: Sequence[dict]) -> Spoken:
        import torch

        inputs = self.modality.pad(processor, items)
        pad = torch.nn.utils.rnn.pad_sequence
        prompts = [tuple(item["ids"][: item["prompt"]]) if item["asked"] else None for item in items]
        more = {"scribe": processor, "prompts": prompts, "most": longest_answer(processor, items)}
        ids = [torch.tensor(item["ids"], dtype=torch.long) for item in items]
        if processor.ctc:
            mask = inputs.get("attention_mask")
            samples = [inputs[processor.form.name].shape[1]] * len(items) if mask is None else mask.sum(1).tolist()
            more["frames"] = torch.tensor([processor.frames(n) for n in samples])
            more["letters"] = torch.tensor([len(x) for x in ids])
            return Spoken(inputs, pad(ids, batch_first=True), self.units(items), **more)
        start = torch.tensor([processor.config.decoder_start_token_id])
        given = [
            torch.cat([start, x[:-1] if item["target"] is not None else x]) for x, item in zip(ids, items, strict=True)
        ]
        inputs["decoder_input_ids"] = pad(given, batch_first=True, padding_value=processor.config.pad_token_id)
        labels = torch.full_like(inputs["decoder_input_ids"], NO_TARGET)
        for row, x, item in zip(labels, ids, items, strict=True):
            row[item["prompt"] : len(x)] = x[item["prompt"] :]  # the end is learned too, also where it is the padding
        return Spoken(inputs, labels, self.units(items), **more)

    def units(self, items: Sequence[dict]) -> float:
        """Tokens of texts, with their ends."""
        return float(sum(len(item["ids"]) - item["prompt"] for item in items))

    # Answers

    def losses(self, outputs, batch: Spoken) -> Any:
        """The summed loss of each row in nats, (rows,)."""
        from torch.nn.functional import cross_entropy

        if batch.scribe.ctc:
            blank = batch.scribe.config.pad_token_id
            return ctc_losses(outputs.logits, batch.frames, batch.target, batch.letters, blank)
        logits = outputs.logits.float()
        each = cross_entropy(logits.flatten(0, 1), batch.target.flatten(), ignore_index=NO_TARGET, reduction="none")
        return each.view(batch.target.shape).sum(1)

    def ask(self, model, batch: Spoken) -> tuple[Any, list]:
        import torch

        if not batch.scribe.ctc and not batch.units:  # nothing is known that could have a loss
            return torch.zeros(len(batch.target)), [None] * len(batch.target)
        outputs = model(**batch.inputs)
        said = self.answers(outputs, batch) if batch.scribe.ctc else [None] * len(batch.target)
        return self.losses(outputs, batch), said

    def answers(self, outputs, batch: Spoken, beams: int = 1) -> list[str | None]:
        """CTC: the likeliest letter of each frame, collapsed; with `beams` the likeliest text."""
        blank, found = batch.scribe.config.pad_token_id, []
        for row, n, prompt in zip(outputs.logits.float(), batch.frames.tolist(), batch.prompts, strict=True):
            if beams > 1:
                ids = beam_search(row[:n].log_softmax(-1).cpu(), blank, beams)
            else:
                ids = collapsed(row[:n].argmax(-1).tolist(), blank)
            found.append(None if prompt is None else spelled(batch.scribe, ids))
        return found

    def go_on(self, model, batch: Spoken, answers: list, beams: int = 1) -> list:
        """The answers with what a decoder writes: rows with one prompt at a time."""
        if batch.scribe.ctc:
            return answers
        scribe, asked = batch.scribe, [p for p in batch.prompts if p is not None]
        if not asked:
            return answers
        found, stop = heard(model, batch.inputs), scribe.tokenizer.eos_token_id
        for prompt in dict.fromkeys(asked):
            rows = [i for i, p in enumerate(batch.prompts) if p == prompt]
            start = [scribe.config.decoder_start_token_id, *prompt]
            write = dictated if beams == 1 else beam_dictated
            more = () if beams == 1 else (beams,)
            for i, ids in zip(rows, write(model, found.rows(rows), start, stop, batch.most, *more), strict=True):
                answers[i] = spelled(scribe, ids)
        return answers

    def decode(self, answer: str, input) -> Transcript:
        return Transcript(input, answer)

    # Scores

    def counts(self, said: str | None, truth: str) -> Sequence[float]:
        return letter_counts(said, truth)

    def details(self, said: Sequence, truth: Sequence) -> tuple:
        """Beside the metrics the share of clips that were answered with nothing at all."""
        asked = [text for text in said if text is not None]
        return (), None, {"silent": sum(not text.strip() for text in asked) / max(1, len(asked))}

    def score(self, answers: Sequence, truth: Sequence, loss: float | None = None) -> Scores:
        """`n` is the number of clips that were answered in writing: what shares are shares of."""
        scores = super().score(answers, truth, loss)
        return replace(scores, n=sum(text is not None for text in answers))

    def interval(self, metric: Metric, value: float, table) -> tuple[float | None, float | None]:
        """All three have one: Wilson's for the share, drawn rows for the rates."""
        n = float(table[:, 0].sum())
        if metric.share:
            return wilson(value * n, n) if n else (None, None)
        half = standard_error([value], bootstrap(metric.of, table[None])).half
        return max(0.0, value - half), value + half

    # Faces

    def baselines(self, train: Sequence[Example]) -> dict[str, Callable[[], Baseline]]:
        """The text of the clip that sounds most alike, and the commonest text."""
        return {
            "nearest": lambda: nearest(self.modality.features(len(train)), train),
            "majority": lambda: always(train),
        }

    def words(self, value: Any) -> str:
        return value or ""


def example(row: Raw, columns: dict[str, str]) -> Example:
    used = {columns["audio"], columns["text"]}
    extra = {k: v for k, v in row.cells.items() if k not in used}
    if "language" in columns:
        extra["language"] = row.cells[columns["language"]]
    return Example(row.cells[columns["audio"]], str(row.cells[columns["text"]]).strip(), extra)


def refuse_words(table: Table, column: str) -> None:
    """BadInput where the column of clips holds something else."""
    if not table.inputs:
        cell = next((row.cells[column] for row in table.rows if row.cells[column]), "")
        raise BadInput(
            tr(
                f"{table.where} 的列 {column!r} 不是声音文件：{str(cell)[:60]!r}。应是以 .wav 等结尾的路径（从表格所在的文件夹算起），"
                "或 .npz 里的数组 audio。",
                f"{table.where}: column {column!r} holds no sound files: {str(cell)[:60]!r}. Give paths that end in .wav or the like "
                "(from the table's folder), or an .npz with the array audio.",
            )
        )


# Texts as tokens


def tokens_of(scribe: Scribe, texts: Sequence[str | None]) -> list[list[int]]:
    """The letters of each text by number, without anything around them; BadInput where the vocabulary lacks some."""
    known = [text for text in texts if text is not None]
    found = iter(scribe.tokenizer(known, add_special_tokens=False)["input_ids"] if known else [])
    rows = [[] if text is None else list(next(found)) for text in texts]
    if any(scribe.tokenizer.unk_token_id in row for row in rows):
        refuse_unknown(scribe, known)
    return rows


def refuse_unknown(scribe: Scribe, texts: Sequence[str]) -> None:
    """BadInput naming the letters that are not in the vocabulary, or that only their other case is."""
    numbers = dict(
        zip(
            letters := sorted(set("".join(texts))),
            scribe.tokenizer(letters, add_special_tokens=False)["input_ids"],
            strict=True,
        )
    )
    unknown = scribe.tokenizer.unk_token_id
    lost = [c for c in letters if unknown in numbers[c]]
    other = [
        c
        for c in lost
        if c.swapcase() != c and unknown not in scribe.tokenizer(c.swapcase(), add_special_tokens=False)["input_ids"]
    ]
    there = sum(any(c in lost for c in text) for text in texts)
    if other and len(other) >= len(lost) / 2:
        case = tr("大写", "capital") if other[0].islower() else tr("小写", "small")
        raise BadInput(
            tr(
                f"模型的词表只有{case}字母，而 {len(texts)} 个文字中有 {there} 个不是：{listing(other, 8)} 都成了未知。请把文字改成{case}。",
                f"The model's vocabulary has {case} letters alone, and {there} of {len(texts)} texts have others: {listing(other, 8)} "
                f"would all be unknown. Write the texts in {case} letters.",
            )
        )
    raise BadInput(
        tr(
            f"模型的词表里没有 {listing(lost, 12)}（{len(texts)} 个文字中有 {there} 个用到）。请去掉或换写这些字，或换一个词表更大的模型。",
            f"The model's vocabulary lacks {listing(lost, 12)} ({there} of {len(texts)} texts use them). Leave them out or spell them "
            "otherwise, or take a model with a larger vocabulary.",
        )
    )


def prompt_of(scribe: Scribe, language: str) -> tuple[int, ...]:
    """What a decoder is given between its start and the text: the token of a language, and what else a Whisper wants."""
    tokenizer = scribe.tokenizer
    if hasattr(tokenizer, "set_prefix_tokens") and hasattr(tokenizer, "prefix_tokens"):
        tokenizer.set_prefix_tokens(language=language or None, task="transcribe", predict_timestamps=False)
        return tuple(tokenizer.prefix_tokens[1:])
    if not language:
        return ()
    for mark in (f"<{language}>", f"<lang:{language}>"):
        number = tokenizer.convert_tokens_to_ids(mark)
        if number not in (None, tokenizer.unk_token_id):
            return (number,)
    marks = [t.strip("<>") for t in tokenizer.all_special_tokens if t not in named_tokens(tokenizer)]
    raise BadInput(
        tr(
            f"这个模型不会写 {language!r}；它的词表里有：{listing(marks, 20) or '没有语言记号'}。请改正 language 列，或去掉它。",
            f"This model has no token for writing {language!r}; its vocabulary has: {listing(marks, 20) or 'none for languages'}. "
            "Correct the column language, or leave it out.",
        )
    )


def named_tokens(tokenizer) -> set[str]:
    return {str(t) for t in (tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token, tokenizer.pad_token) if t}


def spelled(scribe: Scribe, ids: Sequence[int]) -> str:
    """Tokens as the text that they stand for."""
    if scribe.ctc:
        mark = getattr(scribe.tokenizer, "word_delimiter_token", None) or "|"
        special = set(scribe.tokenizer.all_special_ids) - {scribe.tokenizer.convert_tokens_to_ids(mark)}
        letters = scribe.tokenizer.convert_ids_to_tokens([i for i in ids if i not in special])
        return " ".join("".join(letters).replace(mark, " ").split())
    return scribe.tokenizer.decode(ids, skip_special_tokens=True).strip()


def refuse_long(lengths: Sequence[int], limit: int) -> None:
    """BadInput where the decoder cannot write a whole text."""
    if long := [n for n in lengths if n > limit]:
        raise BadInput(
            tr(
                f"{len(lengths)} 个文字中有 {len(long)} 个超过 {limit} 个词元（最长 {max(long)}），模型写不下。请把片段和文字一起剪短。",
                f"{len(long)} of {len(lengths)} texts are longer than {limit} tokens (the longest: {max(long)}), which is all that "
                "the model writes. Cut clips and texts together.",
            )
        )


def longest_answer(scribe: Scribe, items: Sequence[dict]) -> int:
    """How many tokens are asked for: what runs on and on is wrong long before."""
    known = [len(item["ids"]) for item in items if item["target"] is not None]
    seconds = max(item["sound"].shape[-1] * item["step"] for item in items)
    most = 2 * max(known) + 8 if len(known) == len(items) else int(100 * seconds / QUICKEST) + 8
    return min(most, scribe.length - 8)


# Baselines


def nearest(features, train: Sequence[Example]) -> Baseline:
    """The text of the training clip whose picture is nearest."""
    import numpy as np

    known, texts = features.fit_transform([e.input for e in train]), [e.target for e in train]

    def answer(inputs: Sequence) -> list[str]:
        asked = features.transform(list(inputs))
        gaps = (asked**2).sum(1)[:, None] - 2 * asked @ known.T + (known**2).sum(1)
        return [texts[i] for i in np.argmin(gaps, axis=1)]

    return Baseline("log-mel, text of the nearest clip", answer, known.size)


def always(train: Sequence[Example]) -> Baseline:
    best = commonest([e.target for e in train])
    return Baseline("commonest text", lambda inputs: [best for _ in inputs])
