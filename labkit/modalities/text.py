"""Texts: tokens by a tokenizer, likeness by shared trigrams. The only file that knows that inputs are strings."""

import functools
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

from labkit.base.display import clipped
from labkit.base.hub import Unreadable, reach
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.contract import Modality

LIKE = 0.8  # the share of trigrams in common (Jaccard) from which two texts are nearly the same


@dataclass(frozen=True)
class Text(Modality):
    """Strings. An item is `{"input_ids": [token numbers]}`; its size is counted in tokens."""

    name: ClassVar[str] = "text"
    heads: ClassVar[dict[str, str]] = {
        "classification": "AutoModelForSequenceClassification",
        "tagging": "AutoModelForTokenClassification",
        "question-answering": "AutoModelForQuestionAnswering",
        "generation": "AutoModelForCausalLM",
    }

    def load_processor(self, place: str, config, **where) -> Any:
        from transformers import AutoTokenizer

        return checked_tokenizer(reach(AutoTokenizer, place, **where), config)

    def configure(self, processor) -> dict[str, Any]:
        return {"pad_token_id": processor.pad_token_id}

    def check(self, inputs: Sequence) -> None:
        if not inputs or not all(isinstance(x, str) and x.strip() for x in inputs):
            raise BadInput(
                tr(
                    "需要至少一个非空的文本（字符串列表）。",
                    "Give at least one text, none of them empty (a list of strings).",
                )
            )

    def encode(self, processor, inputs: Sequence[str], limit: int) -> list[dict]:
        """Tokenised in one go, truncated, not padded. What looks like a special token in a text is text: a text that ends in
        GPT-2's padding token would else be read at another place than it ends."""
        if not inputs:
            return []
        options = {"truncation": True, "max_length": limit, "return_attention_mask": False}
        return [{"input_ids": i} for i in processor(list(inputs), split_special_tokens=True, **options)["input_ids"]]

    def size(self, item: dict) -> int:
        return len(item["input_ids"])

    def budget(self, device) -> int:
        """On a CPU, activations that fit a core's cache take half the time (docs/LOG.md)."""
        return 640 if str(device) == "cpu" else 16384

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        """`input_ids` and `attention_mask`, each (rows, longest) int64."""
        import torch

        longest = max(map(self.size, items))
        pad, left = processor.pad_token_id, processor.padding_side == "left"
        ids, mask = [], []
        for item in items:
            row = item["input_ids"]
            gap = longest - len(row)
            ids.append([pad] * gap + row if left else row + [pad] * gap)
            mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}

    def stub(self, n: int, device) -> dict[str, Any]:
        import torch

        ones = torch.ones((n, 1), dtype=torch.long, device=device)
        return {"input_ids": ones, "attention_mask": ones}

    def key(self, input: str) -> str:
        return same_text(input)

    def near(self, earlier: Sequence[str], later: Sequence[str]) -> list[tuple[int, int, float]]:
        return near_duplicates(earlier, later)

    def html(self, input: str) -> str:
        return escape(clipped(input))

    def text(self, input: str) -> str:
        return input

    def example(self) -> str:
        return tr("一句话", "TEXT")

    def title(self) -> str:
        return tr("文本", "text")

    def extent(self, input: str) -> int:
        return len(input)

    def unit(self) -> str:
        return tr("字", "characters")

    def features(self, n: int) -> Any:
        """TF-IDF of 1 to 3 characters."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        rare = 2 if n >= 100 else 1  # in a handful of rows nearly everything stands once
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=rare)


def checked_tokenizer(processor, config) -> Any:
    """The tokenizer as labkit wants it: with a token to pad with, on the right. Raises Unreadable for an empty one."""
    if len(processor) <= len(processor.all_special_ids):  # what the library makes up where the files are missing
        raise Unreadable(tr("没有分词器文件", "the tokenizer's files are missing"))
    if len(processor) > config.vocab_size:
        raise Unreadable(
            tr(
                f"分词器有 {len(processor)} 个词，模型只有 {config.vocab_size} 个：它们不是一套",
                f"the tokenizer has {len(processor)} tokens, the model {config.vocab_size}: they do not belong together",
            )
        )
    if processor.pad_token is None:
        processor.pad_token = processor.eos_token or processor.unk_token
    processor.padding_side = "right"
    return processor


def near_duplicates(earlier: Sequence[str], later: Sequence[str]) -> list[tuple[int, int, float]]:
    """For each later text that stands among the earlier ones: (earlier row, later row, likeness); 1.0 for equal texts, else the trigrams in common.

    >>> near_duplicates(["今天的外卖特别好吃送得也快"], ["今天的外卖特别好吃送得也快！"])
    [(0, 0, 1.0)]

    Short texts count only where they are equal. Texts whose rarest trigrams differ cannot be alike enough: they are
    never compared (prefix filtering: Chaudhuri, Ganti and Kaushik 2006).
    """
    keys = [same_text(t) for t in earlier]
    place = {key: i for i, key in reversed(list(enumerate(keys)))}
    known = [trigrams(key) for key in keys]
    often = Counter(g for grams in known for g in grams)
    holding = defaultdict(list)
    for i, grams in enumerate(known):
        for gram in rarest(grams, often):
            holding[gram].append(i)
    found = []
    for j, text in enumerate(later):
        key = same_text(text)
        if key in place:
            found.append((place[key], j, 1.0))
            continue
        grams = trigrams(key)
        others = {i for gram in rarest(grams, often) for i in holding.get(gram, ())}
        alike = max(((len(known[i] & grams) / len(known[i] | grams), -i) for i in others), default=(0.0, 0))
        if alike[0] >= LIKE:
            found.append((-alike[1], j, min(alike[0], 0.999)))
    return found


def trigrams(key: str) -> frozenset[str]:
    return frozenset(key[i : i + 3] for i in range(len(key) - 2))


def rarest(grams: frozenset[str], often: Counter) -> list[str]:
    """The trigrams of which one must be shared by any text that is alike; none for texts too short to judge."""
    if len(grams) < 8:
        return []
    return sorted(grams, key=lambda g: (often[g], g))[: len(grams) - math.ceil(LIKE * len(grams)) + 1]


def same_text(text: str) -> str:
    """What two texts must share to count as one: width, case, punctuation and white space are ignored, emoji are not.

    >>> same_text("Ｇｏｏｄ，好！"), same_text("好😡")
    ('good好', '好😡')
    """
    return "".join(filter(tells, unicodedata.normalize("NFKC", text).lower())) or text


@functools.cache
def tells(character: str) -> bool:
    """Letters, marks, digits and pictures; not the signs that only choose how an emoji is drawn."""
    kind = unicodedata.category(character)
    return (kind[0] in "LMN" or kind == "So") and not 0xFE00 <= ord(character) <= 0xFE0F
