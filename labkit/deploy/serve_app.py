"""The service over HTTP: a FastAPI app. It reads with limits, refuses in words, and computes nothing itself.

The only door to FastAPI. Bodies are read and taken apart here, not by pydantic: bytes are counted while they stream.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.requests import ClientDisconnect

from labkit import __version__
from labkit.base.language import language, listing, tr
from labkit.base.records import to_json
from labkit.deploy.batcher import Closed, Full
from labkit.deploy.page import docs_html, policy, try_html
from labkit.deploy.requests import FORM, JSON, Bad, asked_of, request_schema, sent_in, takes_files
from labkit.deploy.service import Refused, Service, all_failed

LINGER = 2.0  # seconds in which what a refused client still sends is thrown away, so that it can read why
FRAME = 1024  # bytes of a form that are not its file's
GONE = 499  # the client went before it was answered: for the metrics


class Json(JSONResponse):
    """JSON of whatever was sent to us: halves of characters in it must not be what fails."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )


class Lingering(Json):
    """Said while the client is still sending. Closed at once, the connection would be reset and the answer lost."""

    async def __call__(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Door:
    """The ways in to a service."""

    def __init__(self, service: Service, token: str | None):
        self.service, self.limits, self.token = service, service.limits, token

    # What every request goes through

    def counted(self, path: str, handle: Callable[[Request], Awaitable[Response]]) -> Callable:
        """`handle` with its answers counted; an error of our own is a 500 in the same form as every refusal."""

        async def answer(request: Request) -> Response:
            began = time.monotonic()
            try:
                response = await handle(request)
            except ClientDisconnect:
                response = Response(status_code=GONE)
            except Bad as bad:
                response = await self.refuse(request, bad)
            except Exception:
                logging.getLogger("labkit.serve").exception("a request failed")
                response = error(500, tr("服务内部出错。", "The service failed."))
            if self.service.draining:
                response.headers["connection"] = "close"
            self.service.metrics.answered(path, response.status_code, time.monotonic() - began)
            return response

        return answer

    async def refuse(self, request: Request, bad: Bad) -> Response:
        """The refusal; what is left of the body is read first, or thrown away while the client reads."""
        try:
            if bad.status == 408:  # it had its time
                return error(bad.status, str(bad), {"connection": "close"})
            await self.body(request, keep=False)
        except Bad:
            return error(bad.status, str(bad), {**bad.headers, "connection": "close"}, kind=Lingering)
        return error(bad.status, str(bad), bad.headers)

    async def body(self, request: Request, keep: bool = True) -> bytes:
        """The body, counted while it streams."""
        most, size, parts = 1024 * self.limits.body_kb, 0, []
        if int_of(request.headers.get("content-length")) > most:
            raise self.too_large()
        try:
            async with asyncio.timeout(self.limits.arrive):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise self.too_large()
                    if keep:
                        parts.append(part)
        except TimeoutError:
            raise Bad(408, tr("请求没有在期限内到齐。", "The request did not arrive in time.")) from None
        except RuntimeError:  # read to its end already
            return b""
        return b"".join(parts)

    def too_large(self) -> Bad:
        most = self.limits.body_kb
        words = f"请求体超过 {most} kB。请分成几个请求。", f"The body has more than {most} kB. Send several requests."
        if takes_files(self.service.task):
            words = (
                f"请求体超过 {most} kB。请发送小一些的文件，或用更大的 --body-kb 启动服务。",
                f"The body has more than {most} kB. Send smaller files, or start the service with a larger --body-kb.",
            )
        return Bad(413, tr(*words))

    async def asked(self, request: Request) -> tuple[list[Any], float | None]:
        """The inputs of a request and the seconds that it gives itself; Bad unless the service takes requests on, the token is
        right, and the body is what it is announced to be."""
        self.check_token(request)
        if not self.service.open:
            raise unready()
        whole = request.headers.get("content-type", "")
        kind, kinds = whole.partition(";")[0].strip().lower(), (JSON, FORM)[: 1 + takes_files(self.service.task)]
        if kind not in kinds:
            known = listing(kinds)
            words = (
                f"content-type 是 {kind[:60]!r}；应是 {known}。",
                f"The content-type is {kind[:60]!r}; send {known}.",
            )
            raise Bad(415, tr(*words))
        if kind == JSON:
            return asked_of(await self.body(request), self.limits)
        if request.headers.get("sec-fetch-site") == "cross-site":  # a browser sends forms of any page without asking us
            raise Bad(
                403,
                tr("别的网站的页面不能向这个服务发表单。", "Pages of other sites may send no form to this service."),
            )
        return sent_in(await self.body(request), whole, self.limits)

    def check_token(self, request: Request) -> None:
        if self.token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.token.encode()):
            words = tr(
                "缺少令牌，或令牌不对。请发送 Authorization: Bearer 令牌。",
                "The token is missing or wrong. Send Authorization: Bearer TOKEN.",
            )
            raise Bad(401, words, {"WWW-Authenticate": "Bearer"})

    # The ways in

    async def predict(self, request: Request) -> Response:
        values, seconds = await self.asked(request)
        with admitted():
            found = await self.service.predict(values, seconds)
        status = all_failed(found)
        answers = [x.to_json() for x in found]
        if status:
            reason = (
                found[0].reason
                if len(found) == 1
                else tr("没有一个输入得到答案。", "None of the inputs has an answer.")
            )
            return Json({"error": reason, "predictions": answers}, status)
        return Json({"predictions": [to_json(x) for x in answers]})

    async def explain(self, request: Request) -> Response:
        values, _ = await self.asked(request)
        with admitted():
            found = await self.service.explained(values[0])
        if isinstance(found, Refused):
            raise Bad(found.status, found.reason)
        return Json(to_json(found))

    async def health(self, request: Request) -> Response:
        alive = self.service.batcher.thread.is_alive()
        return Json({"status": "ok" if alive else "dead"}, 200 if alive else 503)

    async def ready(self, request: Request) -> Response:
        return Json({"ready": self.service.open}, 200 if self.service.open else 503)

    async def metrics(self, request: Request) -> Response:
        self.check_token(request)
        return PlainTextResponse(self.service.metrics.text(self.service.batcher, self.service.open))


@contextlib.contextmanager
def admitted():
    """Within the block the batcher's refusals become the client's."""
    try:
        yield
    except Full as full:
        words = tr("现在请求太多。请稍后再试。", "Too many requests just now. Try again later.")
        raise Bad(429, words, {"Retry-After": str(max(1, math.ceil(full.seconds)))}) from None
    except Closed:
        raise unready() from None


def unready() -> Bad:
    words = tr("服务还没有准备好，或正在停下。", "The service is not ready yet, or is stopping.")
    return Bad(503, words, {"Retry-After": "1"})


def error(status: int, reason: str, headers: dict | None = None, kind: type = Json) -> Response:
    return kind({"error": reason}, status, headers)


def int_of(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0


def app_of(service: Service, *, token: str | None = None, page: bool = True) -> FastAPI:
    """The app that `labkit serve` and `lk.serve` run; `page` also gives a page at `/` to try the model on.

    >>> app = app_of(Service(model))
    >>> sorted(route.path for route in app.routes)
    ['/', '/docs', '/health', '/metrics', '/openapi.json', '/predict', '/ready']
    """
    door = Door(service, token)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        await service.start()
        yield
        await asyncio.to_thread(service.close)

    title = tr("labkit 服务", "labkit service")
    app = FastAPI(title=title, version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)

    def way(path: str, handle: Callable, summary: str, method: str = "GET", **extra: Any) -> None:
        options = {
            "methods": [method],
            "summary": summary,
            "response_model": None,
            "response_description": tr("好了", "done"),
            "name": path.strip("/") or "page",
        }
        app.add_api_route(path, door.counted(path, handle), **options, **extra)

    asks = {"openapi_extra": request_schema(service.task, service.limits)}
    way("/predict", door.predict, tr("给输入，得答案", "inputs in, answers out"), "POST", **asks)
    if service.explain:
        way("/explain", door.explain, tr("哪些部分决定了答案", "which parts decided the answer"), "POST", **asks)
    way("/health", door.health, tr("进程是否活着", "whether the process is alive"))
    way("/ready", door.ready, tr("是否接受请求", "whether requests are taken on"))
    way("/metrics", door.metrics, tr("Prometheus 格式的指标", "metrics in the Prometheus format"))

    async def docs(request: Request) -> Response:
        return html(docs_html(app.openapi(), language()))

    async def try_it(request: Request) -> Response:
        wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
        code = "zh" if wanted.lower().startswith("zh") else "en" if wanted else language()
        asks = {"token": token is not None, "explains": service.explain is not None}
        return html(try_html(service.task, code, **asks, most=1024 * service.limits.body_kb - FRAME))

    app.add_api_route("/docs", docs, include_in_schema=False)
    if page:
        app.add_api_route("/", try_it, include_in_schema=False)
    return app


def html(text: str) -> HTMLResponse:
    """A page that loads nothing from elsewhere and runs no script but its own."""
    return HTMLResponse(text, headers={"Content-Security-Policy": policy(text), "X-Content-Type-Options": "nosniff"})
