"""A model that is asked by many at once: inputs in, answers out, each refused or answered by itself. Knows no HTTP.

Leans on the batcher, and on the task's contract: `receive`, `encode`, `merge`, `decode`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Example
from labkit.deploy.batcher import Batcher, Late
from labkit.deploy.journal import Journal
from labkit.deploy.limits import Limits
from labkit.deploy.metrics import Metrics
from labkit.deploy.requests import takes_files
from labkit.models.loading import fitting
from labkit.models.state import asking, device_of
from labkit.training.network import Network


@dataclass(frozen=True)
class Refused:
    """Why one input has no answer: an HTTP status, and words."""

    status: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"error": self.reason}


class Service:
    """A model behind a batcher. `explain(model, input)` gives what `/explain` answers, where there is such a thing.

    >>> import asyncio
    >>> service = Service(model)
    >>> first, second = asyncio.run(service.predict(["等了两小时，面都坨了", 5])); service.close()
    True
    >>> first.label in model.task.labels, second.status
    (True, 422)
    """

    def __init__(
        self, model, limits: Limits | None = None, *, journal: Journal | None = None, explain: Callable | None = None
    ):
        self.model, self.task, self.limits = model, model.task, limits or Limits()
        self.journal, self.explain, self.metrics = journal, explain, Metrics()
        self.network, self.limit = Network(model, self.task), fitting(model, self.limits.max_length)
        self.ready, self.draining = False, False
        budget = self.task.modality.budget(device_of(model))
        self.batcher = Batcher(self.encode, self.answer, budget, self.limits)

    async def start(self) -> None:
        """Ask the model once, so that the first request need not wait for what is set up then."""
        outcome = await self.batcher.aside(self.warm)
        if isinstance(outcome, Exception):
            raise outcome
        self.ready = True

    def warm(self) -> None:
        with asking(self.model):
            self.model(**self.task.modality.trial(self.model.processor, device_of(self.model)))

    @property
    def open(self) -> bool:
        """Whether requests are taken on."""
        return self.ready and not self.draining

    def close(self, seconds: float | None = None) -> bool:
        """Answer what is in, take on nothing more; whether that was done in time."""
        self.draining = True
        done = self.batcher.close(self.limits.drain if seconds is None else seconds)
        if self.journal:
            self.journal.close()
        return done

    # In the batcher's thread

    def encode(self, inputs: Sequence) -> list[tuple[list[dict], int]]:
        """The items of each input, and what they cost: a long one may have several."""
        items = self.task.encode(self.model.processor, [Example(x) for x in inputs], self.limit)
        rows: list[list[dict]] = [[] for _ in inputs]
        for i, item in enumerate(items):
            rows[item.get("example", i)].append(item)
        return [(row, sum(map(self.task.size, row))) for row in rows]

    def answer(self, rows: Sequence[list[dict]]) -> list[Any]:
        items = [
            {**item, "example": number} if "example" in item else item
            for number, row in enumerate(rows)
            for item in row
        ]
        _, answers = self.network.answers(self.model.processor, items, batch_size=self.limits.batch)
        return self.task.merge(answers, items)

    # In the event loop

    async def predict(self, values: Sequence, seconds: float | None = None) -> list[Any]:
        """An answer for people, or Refused, to each JSON value; a bad one fails alone. Raises what `Batcher.offer` raises."""
        began = time.monotonic()
        found: list[Any] = await self.opened(values)
        good = [i for i, x in enumerate(found) if not isinstance(x, Refused)]
        if not good:
            return found
        outcomes = await self.batcher.offer([found[i] for i in good], seconds)
        lines = []
        for i, outcome in zip(good, outcomes, strict=True):
            input, found[i] = found[i], self.decoded(outcome, found[i])
            if self.journal and not isinstance(found[i], Refused):
                lines.append(self.line(input, outcome, found[i], time.monotonic() - began))
        if lines:
            self.journal.write(lines)
        return found

    async def opened(self, values: Sequence) -> list[Any]:
        """The inputs that JSON values are. Pictures and clips are opened beside the loop, which answers others meanwhile; for
        a text the way there and back would cost more than the text."""
        if takes_files(self.task):
            return await asyncio.to_thread(lambda: list(map(self.received, values)))
        return list(map(self.received, values))

    def received(self, value) -> Any:
        """The input that a JSON value is, or Refused."""
        try:
            input = self.task.receive(value)
        except (BadInput, ValueError, TypeError) as error:
            return Refused(422, str(error))
        extent = self.task.modality.extent(input)
        if extent is not None and extent > self.limits.characters:
            unit = self.task.modality.unit()
            return Refused(
                422,
                tr(
                    f"输入有 {extent} {unit}，上限是 {self.limits.characters}。请缩短它，或用更大的 --characters 启动服务。",
                    f"The input has {extent} {unit}, at most {self.limits.characters} are taken. Shorten it, or start the "
                    "service with a larger --characters.",
                ),
            )
        return input

    def decoded(self, outcome, input) -> Any:
        if isinstance(outcome, Late):
            return Refused(
                504, tr("期限内没有算完。请稍后再试。", "The deadline passed before there was an answer. Try again.")
            )
        if not isinstance(outcome, Exception):
            with contextlib.suppress(ArithmeticError, ValueError):  # an answer that is no number
                return self.task.decode(outcome, input)
        return Refused(500, tr("模型在这个输入上失败了。", "The model failed on this input."))

    def line(self, input, answer, said, seconds: float) -> dict[str, Any]:
        """What the log keeps of an answer. Only labels are kept: other answers may be the text's own words."""
        confidence = self.task.probability(answer)
        kept = {
            "time": round(time.time(), 3),
            "length": self.task.modality.extent(input) or 0,
            "label": getattr(said, "label", None),
            "confidence": None if confidence is None else round(confidence, 4),
            "ms": round(1000 * seconds, 2),
        }
        return {**kept, "text": self.task.modality.text(input)} if self.journal.texts else kept

    async def explained(self, value) -> Any:
        """What `explain` says of one JSON value, or Refused."""
        (input,) = await self.opened([value])
        if isinstance(input, Refused):
            return input
        outcome: Any = await self.batcher.aside(lambda: self.explain(self.model, input))
        if isinstance(outcome, BadInput):
            return Refused(422, str(outcome))
        return self.decoded(outcome, input) if isinstance(outcome, Exception) else outcome


def check_installed() -> None:
    """BadInput with the line to give where what a service stands on is missing."""
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise BadInput(
            tr(
                f"服务需要 {listing(missing)}，这里没有安装。请运行：pip install 'labkit[serve]'",
                f"A service needs {listing(missing)}, which is not installed here. Give: pip install 'labkit[serve]'",
            )
        )


def check_format(folder) -> None:
    """BadInput unless a folder's weights are in a format that can hold nothing but weights."""
    if not any(p.suffix in (".safetensors", ".onnx") for p in Path(folder).iterdir()):
        raise BadInput(
            tr(
                f"{folder} 里没有 .safetensors 或 .onnx 的权重；别的格式可能带着代码，服务不载入。请用 lk.load 读它，再用 lk.save 另存。",
                f"{folder} holds no weights as .safetensors or .onnx; other formats may carry code, and a service loads none. "
                "Read it with lk.load, and write it anew with lk.save.",
            )
        )


def all_failed(found: Sequence) -> int | None:
    """The status of a request none of whose inputs has an answer: the lowest, as a client reads it; None where one has."""
    statuses = [x.status for x in found if isinstance(x, Refused)]
    return min(statuses) if statuses and len(statuses) == len(found) else None
