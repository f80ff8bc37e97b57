"""Conversations: a prompt, or turns of several speakers that end with the user's. What a generating model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

from labkit.base.display import clipped, one_line
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.modalities.text import Text, same_text

ROLES = ("system", "user", "assistant")

Turns = tuple[tuple[str, str], ...]  # (role, content), the earliest first


@dataclass(frozen=True)
class Chat(Text):
    """Prompts (strings) or conversations (lists of messages). Items are as a text's: `{"input_ids": [token numbers]}`.

    >>> turns_of("你好") == turns_of([{"role": "user", "content": "你好"}]) == (("user", "你好"),)
    True
    """

    name: ClassVar[str] = "chat"
    heads: ClassVar[dict[str, str]] = {"generation": "AutoModelForCausalLM"}

    def check(self, inputs: Sequence) -> None:
        if not inputs:
            raise BadInput(tr("需要至少一个提示。", "Give at least one prompt."))
        for one in inputs:
            turns = turns_of(one)
            if wrong := trouble(turns, "user"):
                raise BadInput(wrong)

    def budget(self, device) -> int:
        """Answers are written a token at a time: rows that wait for one another cost less than batches one after the other."""
        return 4096 if str(device) == "cpu" else 32768

    def key(self, input) -> Any:
        return tuple((role, same_text(content)) for role, content in turns_of(input))

    def near(self, earlier: Sequence, later: Sequence) -> list[tuple[int, int, float]]:
        return super().near([*map(self.text, earlier)], [*map(self.text, later)])

    def html(self, input) -> str:
        turns = turns_of(input)
        if len(turns) == 1:
            return escape(clipped(turns[0][1]))
        return "<br>".join(f"<b>{escape(role)}</b> {escape(clipped(content))}" for role, content in turns)

    def text(self, input) -> str:
        turns = turns_of(input)
        if len(turns) == 1:
            return one_line(turns[0][1])
        return " / ".join(f"{role}: {one_line(content)}" for role, content in turns)

    def example(self) -> str:
        return tr("一句提示", "PROMPT")

    def title(self) -> str:
        return tr("提示", "prompt")

    def extent(self, input) -> int:
        return sum(len(content) for _, content in turns_of(input))

    def features(self, n: int) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        return make_pipeline(FunctionTransformer(texts_of), super().features(n))


def texts_of(inputs: Sequence) -> list[str]:
    """What is said in each, without who says it."""
    return ["\n".join(content for _, content in turns_of(one)) for one in inputs]


def turns_of(value: Any) -> Turns:
    """A prompt, or a list of messages, as turns; BadInput where it is neither."""
    if isinstance(value, str):
        return (("user", value),)
    found = [pair_of(message) for message in value] if isinstance(value, (list, tuple)) else []
    if not found or None in found:
        raise BadInput(
            tr(
                f'{clipped(str(value), 60)} 不是对话：应是一段文字，或消息的列表，如 [{{"role": "user", "content": "你好"}}]。',
                f"{clipped(str(value), 60)} is no conversation: give a text, or a list of messages like "
                '[{"role": "user", "content": "Hello"}].',
            )
        )
    return tuple(found)


def pair_of(message: Any) -> tuple[str, str] | None:
    """(role, content) of a message, whichever way it is written; None for what is no message."""
    if isinstance(message, Mapping):
        message = (message.get("role"), message.get("content"))
    if isinstance(message, (list, tuple)) and len(message) == 2 and all(isinstance(x, str) for x in message):
        return message[0].strip(), message[1]
    return None


def trouble(turns: Turns, last: str) -> str | None:
    """What is wrong with a conversation that should end with `last`; None where nothing is. A system's words may come first,
    then user and assistant take turns."""
    roles = [role for role, _ in turns]
    spoken = roles[1:] if roles[0] == "system" else roles
    right = [("user", "assistant")[i % 2] for i in range(len(spoken))]
    if not spoken or spoken != right or spoken[-1] != last:
        return tr(
            f"角色的顺序不对：{listing(roles, 8)}。应是（可选的 system，然后）user、assistant 轮流，最后是 {last}。",
            f"the roles are in the wrong order: {listing(roles, 8)}. It should be (system, if any, then) user and assistant "
            f"in turn, with {last} at the end.",
        )
    if not all(content.strip() for _, content in turns):
        role = next(role for role, content in turns if not content.strip())
        return tr(
            f"{role} 的话是空的：每条消息都要有内容。",
            f"what {role} says is empty: every message needs some content.",
        )
    return None
