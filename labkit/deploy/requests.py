"""What a request may look like: its JSON taken apart with limits, and the same as a schema for the OpenAPI page."""

import json
from typing import Any

from labkit.base.language import listing, tr
from labkit.deploy.limits import Limits

KEYS = ("input", "inputs", "deadline_ms")


class Bad(Exception):
    """A request that is refused: an HTTP status, words, and headers that go with it."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None):
        super().__init__(reason)
        self.status, self.headers = status, headers or {}


def asked_of(body: bytes, limits: Limits) -> tuple[list[Any], float | None]:
    """The inputs of a request, as JSON values, and the seconds that it gives itself. Raises Bad.

    >>> asked_of(b'{"inputs": ["a", "b"], "deadline_ms": 500}', Limits())
    (['a', 'b'], 0.5)
    """
    value = json_of(body)
    if not isinstance(value, dict):
        raise Bad(
            422, tr("请求体应是 JSON 对象，如 ", "The body should be a JSON object, such as ") + '{"inputs": ["…"]}'
        )
    if unknown := [key for key in value if key not in KEYS]:
        given, known = listing(key[:40] for key in unknown).encode("utf-8", "replace").decode(), listing(KEYS)
        raise Bad(422, tr(f"不认识的键：{given}。可用的有：{known}。", f"Unknown keys: {given}. There are: {known}."))
    if ("input" in value) == ("inputs" in value):
        raise Bad(422, tr("请给 input 或 inputs，两者之一。", "Give either input or inputs."))
    inputs = value["inputs"] if "inputs" in value else [value["input"]]
    if not isinstance(inputs, list) or not 0 < len(inputs) <= limits.inputs:
        raise Bad(
            422,
            tr(
                f"inputs 应是列表，有 1 到 {limits.inputs} 个输入。",
                f"inputs should be a list of 1 to {limits.inputs} inputs.",
            ),
        )
    return inputs, seconds_of(value.get("deadline_ms"), limits)


def json_of(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=refuse_constant)
    except RecursionError:
        raise Bad(400, tr("JSON 嵌套太深。", "The JSON is nested too deeply.")) from None
    except ValueError as error:  # no JSON, no UTF-8, or a number without end
        raise Bad(400, tr(f"请求体不是 JSON：{error}", f"The body is no JSON: {error}")) from None


def refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def seconds_of(value, limits: Limits) -> float | None:
    if value is None:
        return None
    most = 1000 * limits.deadline
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= most:
        raise Bad(
            422,
            tr(f"deadline_ms 应是 1 到 {most:g} 之间的数。", f"deadline_ms should be a number from 1 to {most:g}."),
        )
    return value / 1000


def request_schema(task, limits: Limits) -> dict[str, Any]:
    """The body and the answers of a request to /predict, as OpenAPI describes them."""
    input = {"description": tr(f"任务 {task.name} 的一个输入", f"an input of the task {task.name}")}
    body = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "inputs": {"type": "array", "items": input, "minItems": 1, "maxItems": limits.inputs},
            "input": input,
            "deadline_ms": {"type": "number", "minimum": 1, "maximum": 1000 * limits.deadline},
        },
        "example": {"inputs": [example_of(task)]},
    }
    words = {
        "400": tr("不是 JSON", "no JSON"),
        "401": tr("没有令牌，或令牌不对", "no token, or a wrong one"),
        "408": tr("没有在期限内到齐", "did not arrive in time"),
        "413": tr("请求体太大", "the body is too large"),
        "415": tr("不是 application/json", "not application/json"),
        "422": tr("没有一个输入可用", "none of the inputs will do"),
        "429": tr("太忙，见 Retry-After", "too busy, see Retry-After"),
        "503": tr("还没有准备好，或正在停下", "not ready yet, or stopping"),
        "504": tr("期限内没有算完", "not done before the deadline"),
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {code: {"description": text} for code, text in words.items()},
    }


def example_of(task) -> Any:
    """An input for a page: of pairs, the two side by side."""
    parts = task.modality.example().split("<TAB>")
    return parts[0] if len(parts) == 1 else parts
