"""What a request may look like: its JSON or its form taken apart with limits, and the same as a schema for the OpenAPI page.

A form (multipart/form-data, RFC 7578) brings files as they are, where JSON brings them in base64, a third larger. Its parts
are found in the body that was counted already: there is nothing to stream, and no package is needed.
"""

import json
import re
from typing import Any

from labkit.base.language import listing, tr
from labkit.deploy.limits import Limits

KEYS = ("input", "inputs", "deadline_ms")
FIELDS = ("file", "deadline_ms")  # of a form; `file` as often as there are inputs
JSON, FORM = "application/json", "multipart/form-data"


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


def sent_in(body: bytes, kind: str, limits: Limits) -> tuple[list[bytes], float | None]:
    """The same of a form, whose content-type is `kind`: the bytes of its files. Raises Bad."""
    files, seconds = [], None
    for name, value in parts_of(body, kind, len(FIELDS) + limits.inputs):
        if name == "file":
            files.append(value)
        elif name == "deadline_ms":
            seconds = seconds_of(json_of(value), limits)
        else:
            known, given = listing(FIELDS), name[:40]
            raise Bad(
                422, tr(f"不认识的字段：{given}。可用的有：{known}。", f"Unknown field: {given}. There are: {known}.")
            )
    if not 0 < len(files) <= limits.inputs:
        raise Bad(
            422,
            tr(
                f"表单应带 1 到 {limits.inputs} 个 file 字段，例如 curl -F file=@clip.wav。",
                f"The form should have 1 to {limits.inputs} fields called file, such as curl -F file=@clip.wav.",
            ),
        )
    return files, seconds


def parts_of(body: bytes, kind: str, most: int) -> list[tuple[str, bytes]]:
    """The fields of a form, by name and in order; at most so many. Raises Bad where it is none.

    >>> parts_of(b'--x\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\nhi\\r\\n--x--', FORM + "; boundary=x", 8)
    [('a', b'hi')]
    """
    found = re.search(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', kind)
    if not found:
        raise broken_form()
    edge = b"\r\n--" + (found[1] or found[2]).encode()
    _, *parts = (b"\r\n" + body).split(edge, most + 2)
    if len(parts) > most + 1:
        raise Bad(422, tr(f"表单的字段超过 {most} 个。", f"The form has more than {most} fields."))
    if not parts or not parts.pop().startswith(b"--"):  # behind the last edge stands the end
        raise broken_form()
    return [part_of(part) for part in parts]


def part_of(part: bytes) -> tuple[str, bytes]:
    """A field's name and value, between two edges."""
    head, gap, value = part.partition(b"\r\n\r\n")
    named = re.search(rb'^content-disposition:[^\r\n]*?[; ]name="([^"\r\n]*)"', head, re.I | re.M)
    if not gap or not named:
        raise broken_form()
    return named[1].decode("utf-8", "replace"), value


def broken_form() -> Bad:
    return Bad(
        400,
        tr(
            "请求体不是完整的 multipart/form-data。例：curl -F file=@clip.wav。",
            "The body is no whole multipart/form-data. An example: curl -F file=@clip.wav.",
        ),
    )


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
    content = {JSON: {"schema": body}}
    if takes_files(task):
        file = {"type": "string", "format": "binary"}
        fields = {"file": {"type": "array", "items": file, "minItems": 1, "maxItems": limits.inputs}}
        fields["deadline_ms"] = body["properties"]["deadline_ms"]
        content[FORM] = {"schema": {"type": "object", "properties": fields, "example": task.modality.example()}}
    words = {
        "400": tr("不是 JSON", "no JSON"),
        "401": tr("没有令牌，或令牌不对", "no token, or a wrong one"),
        "408": tr("没有在期限内到齐", "did not arrive in time"),
        "413": tr("请求体太大", "the body is too large"),
        "415": tr(f"不是 {listing(content)}", f"not {listing(content)}"),
        "422": tr("没有一个输入可用", "none of the inputs will do"),
        "429": tr("太忙，见 Retry-After", "too busy, see Retry-After"),
        "503": tr("还没有准备好，或正在停下", "not ready yet, or stopping"),
        "504": tr("期限内没有算完", "not done before the deadline"),
    }
    if FORM in content:
        words["400"] = tr("不是 JSON，或不是完整的表单", "no JSON, or no whole form")
        words["403"] = tr("别的网站的页面发来的表单", "a form from a page of another site")
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {code: {"description": text} for code, text in sorted(words.items())},
    }


def takes_files(task) -> bool:
    """Whether inputs are files: pictures, clips."""
    return bool(task.modality.suffixes)


def example_of(task) -> Any:
    """An input for a page: of pairs, the two side by side; of files, what stands for their bytes."""
    if takes_files(task):
        return tr("文件的字节，base64", "the bytes of a file in base64")
    parts = task.modality.example().split("<TAB>")
    return parts[0] if len(parts) == 1 else parts
