"""Texts: tokens by a tokenizer, likeness by shared trigrams. The only file that knows that inputs are strings."""

import functools
import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

from labkit.base.display import clipped, one_line
from labkit.base.hub import Unreadable, reach
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.contract import Modality

DAMAGED = re.compile("[\0\ud800-\udfff]")  # what no file of UTF-8 text should hold
LIKE = 0.8  # the share of trigrams in common (Jaccard) from which two texts are nearly the same


@dataclass(frozen=True)
class Text(Modality):
    """Strings, or pairs of strings. An item is `{"input_ids": [token numbers]}`, of a pair with its `token_type_ids` where
    the model tells the two apart by them; its size is counted in tokens."""

    pair: bool = False  # whether an input is two texts, (question, context)

    name: ClassVar[str] = "text"
    cheap: ClassVar[tuple[str, str]] = ("tf-idf", "TF-IDF")
    heads: ClassVar[dict[str, str]] = {
        "classification": "AutoModelForSequenceClassification",
        "multi-label": "AutoModelForSequenceClassification",
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
        if self.pair:
            return check_pairs(inputs)
        if not inputs or not all(isinstance(x, str) and x.strip() for x in inputs):
            raise BadInput(
                tr(
                    "需要至少一个非空的文本（字符串列表）。",
                    "Give at least one text, none of them empty (a list of strings).",
                )
            )

    def encode(self, processor, inputs: Sequence, limit: int) -> list[dict]:
        """Tokenised in one go, truncated (of a pair the longer text first), not padded. What looks like a special token in a
        text is text: a text that ends in GPT-2's padding token would else be read at another place than it ends."""
        if not inputs:
            return []
        options = {"truncation": "longest_first", "max_length": limit, "return_attention_mask": False}
        return rows_of(processor(*self.texts(processor, inputs), split_special_tokens=True, **options))

    def texts(self, processor, inputs: Sequence) -> list[list[str]]:
        """One list of texts, or two of equal length. Where a tokenizer puts nothing between two texts, a line break does."""
        if not self.pair:
            return [list(inputs)]
        first, second = ([pair[i] for pair in inputs] for i in (0, 1))
        if processor.num_special_tokens_to_add(pair=True) == processor.num_special_tokens_to_add(pair=False):
            second = ["\n" + text for text in second]
        return [first, second]

    def size(self, item: dict) -> int:
        return len(item["input_ids"])

    def budget(self, device) -> int:
        """On a CPU, activations that fit a core's cache take half the time (docs/LOG.md)."""
        return 640 if str(device) == "cpu" else 16384

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        """`input_ids` and `attention_mask`, of pairs `token_type_ids`, each (rows, longest) int64."""
        import torch

        left = processor.padding_side == "left"

        def rows(values: list[list[int]], fill: int) -> Any:
            longest = max(map(len, values))
            gaps = [[fill] * (longest - len(row)) for row in values]
            return torch.tensor([gap + row if left else row + gap for row, gap in zip(values, gaps, strict=True)])

        ids = [item["input_ids"] for item in items]
        inputs = {
            "input_ids": rows(ids, processor.pad_token_id),
            "attention_mask": rows([[1] * len(i) for i in ids], 0),
        }
        if "token_type_ids" in items[0]:
            inputs["token_type_ids"] = rows([item["token_type_ids"] for item in items], processor.pad_token_type_id)
        return inputs

    def stub(self, n: int, device) -> dict[str, Any]:
        import torch

        ones = torch.ones((n, 1), dtype=torch.long, device=device)
        return {"input_ids": ones, "attention_mask": ones}

    def key(self, input) -> Any:
        return tuple(map(same_text, input)) if self.pair else same_text(input)

    def near(self, earlier: Sequence, later: Sequence) -> list[tuple[int, int, float]]:
        """Of pairs, both texts are alike: two questions on one context are not."""
        if not self.pair:
            return near_duplicates(earlier, later)
        found = near_duplicates(["\n".join(x) for x in earlier], ["\n".join(x) for x in later])
        return [(i, j, alike) for i, j, alike in found if likeness(earlier[i][0], later[j][0]) >= LIKE]

    def html(self, input) -> str:
        return "<br>".join(escape(clipped(text)) for text in (input if self.pair else [input]))

    def text(self, input) -> str:
        return one_line(input)

    def parse(self, word: str) -> Any:
        """A text; of pairs, two with a tabulator between them."""
        if not self.pair:
            return word
        first, _, second = word.partition("\t")
        check_pairs([(first, second)])
        return first, second

    def receive(self, value) -> Any:
        """A string; of pairs, a list of two, or one string with a tabulator between them."""
        parts = value if self.pair and isinstance(value, list) else [value]
        for part in parts:
            check_string(part)
        return tuple(parts) if self.pair and isinstance(value, list) else self.parse(value)

    def example(self) -> str:
        return tr("一段文本<TAB>另一段", "TEXT<TAB>TEXT") if self.pair else tr("一句话", "TEXT")

    def title(self) -> str:
        return tr("文本", "text")

    def extent(self, input) -> int:
        return sum(map(len, input)) if self.pair else len(input)

    def unit(self) -> str:
        return tr("字", "characters")

    def features(self, n: int) -> Any:
        """TF-IDF of 1 to 3 characters."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        rare = 2 if n >= 100 else 1  # in a handful of rows nearly everything stands once
        joined = {"preprocessor": lower_joined} if self.pair else {}
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=rare, **joined)


def check_string(value) -> None:
    """BadInput unless a JSON value is a text that can be written down: no NUL, no half of a character."""
    if isinstance(value, str) and not DAMAGED.search(value):
        return
    kinds = {dict: tr("对象", "an object"), list: tr("列表", "a list"), str: tr("坏掉的文本", "a damaged text")}
    given = kinds.get(type(value)) or clipped(json.dumps(value), 40)
    raise BadInput(
        tr(
            f"输入是{given}；应是文本（字符串），不含 NUL 和残缺的字符（单独的代理码）。",
            f"The input is {given}; give a text (a string) without NUL and without halves of characters (lone surrogates).",
        )
    )


def lower_joined(pair: Sequence[str]) -> str:
    return "\n".join(pair).lower()


def check_pairs(inputs: Sequence) -> None:
    """BadInput unless there are inputs and each is two texts that are not empty."""
    for x in inputs or [None]:
        two = isinstance(x, (tuple, list)) and len(x) == 2 and all(isinstance(t, str) and t.strip() for t in x)
        if not two:
            raise BadInput(
                tr(
                    f"每个输入应是两段非空的文本，如 (问题, 段落)；命令行里用制表符隔开。给的是：{clipped(str(x), 60)}",
                    "Each input should be two texts, none of them empty, like (question, context); on the command line with a "
                    f"tabulator between them. Given: {clipped(str(x), 60)}",
                )
            )


def rows_of(encoded) -> list[dict]:
    """What a tokenizer gave as one item a row; token types only where they tell something."""
    types = encoded.get("token_type_ids")
    if types is None or not any(map(any, types)):
        return [{"input_ids": ids} for ids in encoded["input_ids"]]
    return [{"input_ids": i, "token_type_ids": t} for i, t in zip(encoded["input_ids"], types, strict=True)]


def windows(processor, text: Text, inputs: Sequence, limit: int, stride: int) -> list[dict]:
    """Inputs cut into items of at most `limit` tokens that overlap by `stride`; of pairs the second text is cut.

    Beside what `encode` gives, an item has `offsets`, (start, end) in characters of each token in its text; `part`, which
    text of a pair a token stands in (None for special tokens); and `example`, the number of the input.

    >>> [item["example"] for item in windows(tokenizer, Text(), ["好" * 30, "短"], limit=20, stride=4)]
    [0, 0, 1]
    """
    if not inputs:
        return []
    options = {"truncation": "only_second" if text.pair else True, "max_length": limit, "stride": stride}
    more = {"return_overflowing_tokens": True, "return_offsets_mapping": True, "return_attention_mask": False}
    texts = text.texts(processor, inputs)
    lead = (
        len(texts[-1][0]) - len(inputs[0][1]) if text.pair else 0
    )  # a line break that stands in none of the user's texts
    found = processor(*texts, split_special_tokens=True, **options, **more)
    items = []
    for i, (item, owner) in enumerate(zip(rows_of(found), found["overflow_to_sample_mapping"], strict=True)):
        part, offsets = found.sequence_ids(i), found["offset_mapping"][i]
        if lead:
            offsets = [
                (max(0, b - lead), max(0, e - lead)) if p else (b, e) for (b, e), p in zip(offsets, part, strict=True)
            ]
        items.append({**item, "offsets": offsets, "part": part, "example": owner})
    return items


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


def likeness(one: str, other: str) -> float:
    """The share of trigrams that two texts have in common, 1.0 where they are the same."""
    a, b = same_text(one), same_text(other)
    if a == b:
        return 1.0
    a, b = trigrams(a), trigrams(b)
    return len(a & b) / max(len(a | b), 1)


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
