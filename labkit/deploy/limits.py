"""What a service takes on, and what it refuses: every limit with its bounds. Command-line flags are made from these fields."""

from dataclasses import dataclass, fields

from labkit.base.config import checked, setting
from labkit.base.language import tr
from labkit.base.records import BadInput


@dataclass(frozen=True)
class Limits:
    """The limits of a service. Every field is checked when it is made; a bad one raises BadInput.

    >>> Limits(queue=128, deadline=1.0)
    """

    # fmt: off
    max_length: int = setting(
        256, 4, 8192,
        label=("最大长度", "max length"),
        help=("每个输入最多读多少个 token，超出的截去", "tokens that are read of an input, the rest is cut"),
    )
    batch: int = setting(
        32, 1, 4096,
        label=("批大小", "batch size"),
        help=("模型一次最多算多少个输入", "inputs that the model is asked at once"),
    )
    wait: float = setting(
        2.0, 0.0, 1000.0,
        label=("等待（毫秒）", "wait (ms)"),
        help=("空闲时，第一个输入等别的输入多少毫秒", "milliseconds that the first input waits for others, when nothing is in"),
    )
    queue: int = setting(
        256, 1, 100_000,
        label=("队列", "queue"),
        help=("最多有多少个输入在等，再来的得到 429", "inputs that wait; one more is answered 429"),
    )
    deadline: float = setting(
        2.0, 0.01, 600.0,
        label=("期限（秒）", "deadline (s)"),
        help=("一个请求最多等多少秒", "seconds that a request may take"),
    )
    inputs: int = setting(
        64, 1, 100_000,
        label=("每个请求的输入", "inputs a request"),
        help=("一个请求最多带多少个输入", "inputs that a request may bring"),
    )
    characters: int = setting(
        10_000, 1, 10_000_000,
        label=("每个输入的字数", "characters an input"),
        help=("一个输入最多多少个字", "characters that an input may have"),
    )
    body_kb: int = setting(
        1024, 1, 10**6,
        label=("请求体（kB）", "body (kB)"),
        help=("请求体最多多少 kB", "kilobytes that the body of a request may have"),
    )
    arrive: float = setting(
        10.0, 0.1, 600.0,
        label=("到齐（秒）", "arrival (s)"),
        help=("一个请求最多花多少秒到齐", "seconds in which a request must have arrived"),
    )
    connections: int = setting(
        512, 1, 100_000,
        label=("连接", "connections"),
        help=("最多同时有多少个连接", "connections that are open at once"),
    )
    drain: float = setting(
        10.0, 0.0, 600.0,
        label=("收尾（秒）", "drain (s)"),
        help=("停下时，最多用多少秒答完已收下的请求", "seconds to finish what is in before it stops"),
    )
    # fmt: on

    def __post_init__(self):
        for f in fields(self):
            object.__setattr__(self, f.name, checked(f.name, getattr(self, f.name), f.type, f.metadata))
        if self.inputs > self.queue:
            raise BadInput(
                tr(
                    f"inputs={self.inputs} 不行：队列只有 {self.queue} 个位置，这样的请求永远进不去。请减小 inputs 或增大 queue。",
                    f"inputs={self.inputs} won't do: the queue has {self.queue} places, and such a request would never get in. "
                    "Lower inputs, or raise queue.",
                )
            )
