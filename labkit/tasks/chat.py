"""Conversations as tokens: what the model reads, and which of it are answers, which alone it is trained on.

A tokenizer with a chat template writes conversations by it; one without knows a prompt and an answer, a line each. Answers
are told by where they stand, never by their tokens: a padding token that also ends answers is then no trap.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.chat import Chat, Turns, pair_of, turns_of
from labkit.modalities.text import Text

Pieces = list[tuple[str, bool]]  # texts one after the other, and whether each is an answer


@dataclass(frozen=True)
class Spelled:
    """A conversation as token numbers, with the places of its answers (first, behind the last)."""

    ids: list[int]
    answers: list[tuple[int, int]]


def spelled(processor, conversations: Sequence[Turns]) -> list[Spelled]:
    """Conversations as tokens. Where the last turn is an answer it ends in the end token, so that ending is learned too;
    where it is the user's, the tokens end where an answer begins."""
    pieces = [pieces_of(processor, turns) for turns in conversations]
    texts = [text for row in pieces for text, _ in row]
    options = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
    plain = not has_template(processor)  # without one, nothing in a text is a mark
    found = iter(processor(texts, split_special_tokens=plain, **options)["input_ids"] if texts else ())
    return [joined(processor, row, [next(found) for _ in row], plain) for row in pieces]


def joined(processor, pieces: Pieces, tokens: Sequence[list[int]], plain: bool) -> Spelled:
    ids = list(first_token(processor)) if plain else []
    answers, end = [], end_token(processor)
    for (_, answer), part in zip(pieces, tokens, strict=True):
        if answer:
            answers.append((len(ids), len(ids) + len(part)))
        ids += part
    if pieces[-1][1] and ids[-1] not in stop_tokens(processor):
        ids.append(end)
        answers[-1] = (answers[-1][0], len(ids))
    return Spelled(ids, answers)


def pieces_of(processor, turns: Turns) -> Pieces:
    """A conversation as texts, prompts and answers by turns."""
    if has_template(processor):
        refuse_marks(processor, turns)
        return by_template(processor, turns)
    if [role for role, _ in turns if role != "system"][2:]:
        raise BadInput(
            tr(
                "这个模型没有对话模板（chat_template），只会一问一答：请用 prompt、answer 两列，或换一个带模板的模型。",
                "This model has no chat template and knows one prompt and one answer only: give columns prompt and answer, "
                "or take a model with a template.",
            )
        )
    asked = "".join(content + "\n" for role, content in turns if role != "assistant")
    return [(asked, False), *((content, True) for role, content in turns if role == "assistant")]


def by_template(processor, turns: Turns) -> Pieces:
    """A conversation by the tokenizer's template. An answer is what the template writes beyond the prompt that asks for it
    (`add_generation_prompt`): who speaks is given then, and not trained."""
    whole = render(processor, turns, asks=turns[-1][0] == "user")
    pieces, at = [], 0
    for i, (role, content) in enumerate(turns):
        if role != "assistant":
            continue
        before, through = render(processor, turns[:i], asks=True), render(processor, turns[: i + 1])
        told = through[len(before) :]
        if not (whole.startswith(through) and through.startswith(before) and content.strip() in told):
            raise unknown_template()
        told = up_to_the_end(processor, told)
        pieces += [(whole[at : len(before)], False), (told, True)]
        at = len(before) + len(told)
    rest = whole[at:] if turns[-1][0] == "user" else ""
    return [*pieces, (rest, False)] if rest else pieces


def unknown_template() -> BadInput:
    return BadInput(
        tr(
            "这个分词器的对话模板在写出回答时会改动前文，也就分不清哪些词元是回答：不能用它训练。"
            "请换一个模型，或把 tokenizer.chat_template 换成按轮次顺序写出的模板。",
            "This tokenizer's chat template writes earlier turns differently once an answer is there, so that prompt and "
            "answer cannot be told apart: it cannot be trained with. Take another model, or give the tokenizer a "
            "chat_template that writes turn after turn.",
        )
    )


def render(processor, turns: Turns, asks: bool = False) -> str:
    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        return processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks)
    except Exception as error:  # templates raise what they like, and so does jinja
        raise BadInput(
            tr(
                f"这个分词器的对话模板写不出这样的对话：{error}。请改对话的角色，或换一个模型。",
                f"This tokenizer's chat template cannot write such a conversation: {error}. Change its roles, or take another model.",
            )
        ) from None


def refuse_marks(processor, turns: Turns) -> None:
    """BadInput where somebody says what marks who speaks, or an end: it would be read as that."""
    for _, content in turns:
        for mark in processor.all_special_tokens:
            if mark in content:
                raise BadInput(
                    tr(
                        f"文字里有这个模型的控制符 {mark!r}，会被当成换人说话或结束：请从文字里去掉它。",
                        f"A text has {mark!r} in it, which to this model marks a speaker or an end: take it out of the text.",
                    )
                )


def up_to_the_end(processor, told: str) -> str:
    """An answer without what the template puts behind its last mark: line breaks that belong to nobody."""
    ends = [told.rfind(mark) + len(mark) for mark in processor.all_special_tokens if mark in told]
    return told[: max(ends)] if ends and not told[max(ends) :].strip() else told


def has_template(processor) -> bool:
    return bool(getattr(processor, "chat_template", None))


def first_token(processor) -> list[int]:
    """What the tokenizer puts before a text by itself: [<s>], [[CLS]], or nothing (GPT-2)."""
    special, found = set(processor.all_special_ids), processor("1")["input_ids"]
    return found[:1] if found and found[0] in special else []


def end_token(processor) -> int:
    """The token that ends an answer; BadInput where the tokenizer has none."""
    for token in (processor.eos_token_id, processor.sep_token_id):
        if token is not None:
            return token
    raise BadInput(
        tr(
            "这个分词器没有结束符（eos_token），模型学不会停下：请给它设一个 eos_token，或换一个模型。",
            "This tokenizer has no end token (eos_token), so that no model could learn to stop: give it one, or take "
            "another model.",
        )
    )


def stop_tokens(processor) -> set[int]:
    """The tokens behind which nothing is written: the end, and what the template ends an answer with."""
    found = {end_token(processor)}
    if has_template(processor):
        said = (("user", "1"), ("assistant", "2"))
        before, through = render(processor, said[:1], asks=True), render(processor, said)
        told = up_to_the_end(processor, through[len(before) :])
        last = processor(told, add_special_tokens=False)["input_ids"][-1:]
        found.update(set(last) & set(processor.all_special_ids))
    return found


BETWEEN = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uffef]) +(?=\S)|(?<=\S) +(?=[\u2e80-\u9fff\uff00-\uffef])")


def text_of(processor, ids: Sequence[int]) -> str:
    """Tokens as text, without marks. Tokenizers of BERT's kind put a space between any two tokens: between Chinese characters
    there is none."""
    text = processor.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return BETWEEN.sub("", text) if joins_with_spaces(processor) else text


def joins_with_spaces(processor) -> Any:
    inner = getattr(processor, "backend_tokenizer", None)
    return inner is not None and type(inner.decoder).__name__ == "WordPiece"


def prompted(processor, prompts: Sequence) -> list[list[int]]:
    """Prompts and conversations as the tokens that an answer follows; BadInput for what is none."""
    Chat().check(prompts)
    return [row.ids for row in spelled(processor, [turns_of(one) for one in prompts])]


def continued(processor, texts: Sequence[str]) -> list[list[int]]:
    """Texts as the tokens that more of the same follows."""
    Text().check(texts)
    found = processor(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [[*first_token(processor), *row] for row in found]


def is_conversation(value: Sequence) -> bool:
    """Whether a list is one conversation, and not a list of them."""
    return bool(value) and pair_of(value[0]) is not None
