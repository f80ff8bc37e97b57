"""The service over HTTP: what is malformed gets a 4xx and harms nobody; the pages load nothing; the metrics can be read."""

import asyncio
import contextlib
import functools
import gc
import itertools
import json
import random
import re
import socket
import threading
import time

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from stand_ins import bert

import labkit as lk
from labkit.base.records import BadInput
from labkit.deploy.limits import Limits
from labkit.deploy.serve import Running, bound, summary
from labkit.deploy.serve_app import app_of
from labkit.deploy.service import Service

TOKEN = "let-me-in"
QUICK = Limits(arrive=0.4, inputs=8, queue=32, body_kb=64, characters=2000, drain=5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return lk.load(bert(tmp_path_factory.mktemp("http") / "bert"), labels=("good", "<b>bad</b>"))


@contextlib.contextmanager
def running(model, limits=QUICK, token=None, explain=None, page=True):
    """A service behind a port, in a thread, and a client of it."""
    service = Service(model, limits, explain=explain)
    server = Running(service, app_of(service, token=token, page=page), bound("127.0.0.1", 0))
    try:
        with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
            yield server, client
    finally:
        server.stop()
        assert not server.alive


@pytest.fixture(scope="module", autouse=True)
def _short_farewells():
    """A client that is still sending is listened to for less long than in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labkit.deploy.serve_app.LINGER", 0.3)
        yield


@pytest.fixture(scope="module")
def client(model):
    with running(model, explain=lambda model, text: {"seen": text}) as (_, client):
        yield client


@pytest.fixture(scope="module")
def locked(model):
    with running(model, token=TOKEN) as (_, client):
        yield client


def raw(client, data, wait=8.0):
    """Bytes in, bytes out, on a connection of its own."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=wait) as plug:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in data if not isinstance(data, bytes) else [data]:
                plug.sendall(part)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while part := plug.recv(65536):
                told += part
        return told


def status_of(told: bytes) -> int:
    return int(told.split(b" ", 2)[1])


def test_inputs_in_answers_out(client, model):
    found = client.post("/predict", json={"inputs": ["好", "坏坏"]})
    assert found.status_code == 200
    assert [p["text"] for p in found.json()["predictions"]] == ["好", "坏坏"]
    (alone,) = lk.predict(model, ["好"])
    assert found.json()["predictions"][0]["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)
    assert client.post("/predict", json={"input": "好"}).json()["predictions"][0]["label"] == alone.label


def test_a_bad_input_among_good_ones_has_an_error_of_its_own(client):
    found = client.post("/predict", json={"inputs": ["好", 5, ""]})
    first, *others = found.json()["predictions"]
    assert found.status_code == 200 and "label" in first
    assert all(list(other) == ["error"] for other in others)


def body(text, **headers):
    return {"content": text, "headers": {"content-type": "application/json", **headers}}


MALFORMED = {
    "no JSON": (body(b'{"inputs": ["a"'), 400),
    "nothing": (body(b""), 400),
    "no UTF-8": (body(b'{"input": "\xff\xfe"}'), 400),
    "UTF-16": (body('{"input": "好"}'.encode("utf-16")), 400),
    "NaN": (body(b'{"input": NaN}'), 400),
    "a number without end": (body(b'{"deadline_ms": ' + b"9" * 20_000 + b"}"), 400),
    "deep nesting": (body(b"[" * 30_000), 400),
    "deep nesting that ends": (body(b'{"input":' + b"[" * 9000 + b"]" * 9000 + b"}"), (400, 422)),
    "a list": (body(b'["a"]'), 422),
    "a text": (body(b'"a"'), 422),
    "null": (body(b"null"), 422),
    "no input": (body(b"{}"), 422),
    "both": (body(b'{"input": "a", "inputs": ["a"]}'), 422),
    "unknown key": (body(b'{"input": "a", "labels": 1}'), 422),
    "unknown key, damaged": (body(b'{"\\ud800": 1}'), 422),
    "inputs no list": (body(b'{"inputs": "a"}'), 422),
    "no inputs": (body(b'{"inputs": []}'), 422),
    "too many": (body(json.dumps({"inputs": ["a"] * 9}).encode()), 422),
    "a number": (body(b'{"input": 5}'), 422),
    "a null": (body(b'{"input": null}'), 422),
    "an object": (body(b'{"input": {"a": 1}}'), 422),
    "blank": (body(b'{"input": "  "}'), 422),
    "NUL": (body(b'{"input": "a\\u0000"}'), 422),
    "NUL, bare": (body(b'{"input": "a\0"}'), 400),
    "a lone surrogate": (body(b'{"input": "\\ud83d"}'), 422),
    "too long": (body(json.dumps({"input": "x" * 2001}).encode()), 422),
    "a deadline of none": (body(b'{"input": "a", "deadline_ms": 0}'), 422),
    "a deadline that is a word": (body(b'{"input": "a", "deadline_ms": "soon"}'), 422),
    "a deadline beyond the limit": (body(b'{"input": "a", "deadline_ms": 1e9}'), 422),
    "a deadline that is true": (body(b'{"input": "a", "deadline_ms": true}'), 422),
    "a form": ({"data": {"input": "a"}}, 415),
    "a text body": ({"content": b'{"input": "a"}', "headers": {"content-type": "text/plain"}}, 415),
    "no type": ({"content": b'{"input": "a"}'}, 415),
    "too large": (body(b" " * 70_000), 413),
    "too large and said so": (body(b"x", **{"content-length": "99999999999"}), 413),
}


@pytest.mark.parametrize("name", [n for n in MALFORMED if n != "too large and said so"])
def test_what_is_malformed_is_refused_in_words(client, name):
    request, status = MALFORMED[name]
    found = client.post("/predict", **request)
    assert found.status_code in (status if isinstance(status, tuple) else (status,))
    assert len(found.json()["error"]) > 5


def chunked(size, piece=b"x" * 65536):
    """A request whose body comes in pieces and never says how long it is."""
    yield b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(size // len(piece)):
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def test_a_body_without_end_is_refused_while_it_streams_and_memory_does_not_grow(client):
    before = resident()
    told = raw(client, chunked(200 * 2**20))
    assert status_of(told) == 413 and b"64 kB" in told
    assert resident() - before < 20
    assert client.get("/health").status_code == 200


def test_a_length_beyond_the_limit_is_refused_before_the_body_is_sent(client):
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n"
    assert status_of(raw(client, head)) == 413


def test_a_body_that_does_not_come_is_not_waited_for(client):
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
    assert status_of(raw(client, head)) == 408


@pytest.mark.parametrize(
    "before, start",
    [(b"", b""), (b"", b"POST /predict HT"), (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /predict HT")],
    ids=["nothing", "half a line", "half a line after an answer"],
)
def test_a_connection_on_which_no_request_gets_ready_is_closed(client, before, start):
    def parts():
        yield before
        time.sleep(0.2)
        yield start

    told = raw(client, parts())  # uvicorn alone waits for ever: reading would time out
    assert (b"200 OK" in told) is bool(before)


def test_a_client_that_trickles_is_not_waited_for(client):
    def drops():
        yield b"POST /predict HTTP/1.1\r\nHost: a\r\n"
        for number in range(40):
            time.sleep(0.05)
            yield b"X-%d: a\r\n" % number

    assert raw(client, drops()) == b""


@pytest.mark.parametrize(
    "start",
    [
        b"\0\1\2\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000,
    ],
)
def test_what_is_no_http_gets_a_400(client, start):
    assert status_of(raw(client, start)) == 400


def test_two_hundred_malformed_requests_leave_the_service_as_it_was(client):
    requests = list(itertools.islice(itertools.cycle(MALFORMED.items()), 200))
    random.shuffle(requests)
    client.post("/predict", json={"input": "好"})
    gc.collect()
    before = resident()

    async def all_at_once():
        async with httpx.AsyncClient(base_url=client.base_url, timeout=30, trust_env=False) as many:
            room = asyncio.Semaphore(16)

            async def one(name, request):
                async with room:
                    if name == "too large and said so":
                        return status_of(
                            await asyncio.to_thread(
                                raw,
                                client,
                                b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\nContent-Type: application/json\r\n\r\n",
                            )
                        )
                    return (await many.post("/predict", **request)).status_code

            return await asyncio.gather(*(one(name, request) for name, (request, _) in requests))

    statuses = asyncio.run(all_at_once())
    assert all(400 <= status < 500 for status in statuses)
    assert client.post("/predict", json={"input": "好"}).status_code == 200
    gc.collect()
    assert resident() - before < 30


def resident():
    """Megabytes of this process."""
    return psutil.Process().memory_info().rss / 2**20


def test_unknown_paths_and_methods_are_refused(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/predict").status_code == 405


def test_an_error_of_our_own_is_a_500_without_its_reason(client, monkeypatch, caplog):
    async def fails(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(Service, "predict", fails)
    found = client.post("/predict", json={"input": "好"})
    assert found.status_code == 500 and "secret" not in found.text and "secret" in caplog.text


# The token


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer tökén", TOKEN],
)
@pytest.mark.parametrize("way", ["/predict", "/metrics"])
def test_without_the_right_token_nothing_is_answered(locked, given, way):
    headers = {"authorization": given.encode()} if given is not None else {}
    send = functools.partial(locked.post, json={"input": "好"}) if way == "/predict" else locked.get
    found = send(way, headers=headers)
    assert found.status_code == 401 and found.headers["www-authenticate"] == "Bearer"


def test_with_the_right_token_it_is(locked):
    headers = {"authorization": f"bearer {TOKEN}"}
    assert locked.post("/predict", json={"input": "好"}, headers=headers).status_code == 200
    assert locked.get("/metrics", headers=headers).status_code == 200


def test_whether_it_lives_and_is_ready_needs_no_token(locked):
    assert locked.get("/health").json() == {"status": "ok"}
    assert locked.get("/ready").json() == {"ready": True}


# Under load


class Slow:
    """Stands in for `Service.answer`: waits until it is let on."""

    def __init__(self, monkeypatch):
        self.open, answer = threading.Event(), Service.answer

        def slow(service, rows):
            self.open.wait(20)
            return answer(service, rows)

        monkeypatch.setattr(Service, "answer", slow)


def posts(url, n, **more):
    """The answers to n requests that are sent at once."""

    async def send():
        limits = httpx.Limits(max_connections=n)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False) as client:
            return await asyncio.gather(*(client.post("/predict", json={"input": "好", **more}) for _ in range(n)))

    return asyncio.run(send())


def test_a_full_queue_is_a_429_with_a_time_and_nobody_is_lost(model, monkeypatch):
    slow = Slow(monkeypatch)
    with running(model, Limits(queue=8, inputs=8)) as (server, client):
        threading.Timer(0.5, slow.open.set).start()
        found = posts(server.url, 40)
        statuses = [r.status_code for r in found]
        assert statuses.count(200) == 8 and statuses.count(429) == 32
        assert all(int(r.headers["retry-after"]) >= 1 for r in found if r.status_code == 429)
        assert client.get("/health").status_code == 200  # answered by the loop while the model computes


def test_health_is_answered_while_the_model_computes(model, monkeypatch):
    slow = Slow(monkeypatch)
    with running(model) as (server, client):
        sender = threading.Thread(target=posts, args=(server.url, 1))
        sender.start()
        while not server.service.batcher.held:
            time.sleep(0.005)
        assert client.get("/health").status_code == 200
        slow.open.set()
        sender.join()


def test_a_deadline_of_the_request_is_kept(model, monkeypatch):
    slow = Slow(monkeypatch)
    with running(model) as (server, _):

        def let_on():
            while not server.service.batcher.held:
                time.sleep(0.005)
            time.sleep(0.1)
            slow.open.set()

        threading.Thread(target=let_on).start()
        (found,) = posts(server.url, 1, deadline_ms=50)
        assert found.status_code == 504


def test_stopping_answers_what_is_in_refuses_what_is_new_and_then_closes(model, monkeypatch):
    slow, got = Slow(monkeypatch), []
    with running(model) as (server, client):
        sender = threading.Thread(target=lambda: got.extend(posts(server.url, 3)))
        sender.start()
        while server.service.batcher.held < 3:
            time.sleep(0.005)
        server.server.stop()
        assert client.get("/ready").status_code == 503
        refused = client.post("/predict", json={"input": "好"})
        assert refused.status_code == 503 and refused.headers["connection"] == "close"
        slow.open.set()
        sender.join()
        assert [r.status_code for r in got] == [200, 200, 200]
        assert summary(server.service).startswith("3 requests answered")
    with pytest.raises(httpx.ConnectError):
        client_after(server.url)


def client_after(url):
    return httpx.get(f"{url}/health", trust_env=False)


def test_a_port_that_is_taken_is_one_message(model):
    with bound("127.0.0.1", 0) as sock, pytest.raises(BadInput, match=r"taken .* --port"):
        bound("127.0.0.1", sock.getsockname()[1])


@pytest.mark.parametrize("host, port", [("127.0.0.1", 70000), ("203.0.113.7", 80), ("no such host", 80)])
def test_an_address_that_cannot_be_is_one_message(host, port, unplugged):
    with pytest.raises(BadInput, match="--port"):
        bound(host, port)


# What it shows


def test_the_metrics_are_read_by_prometheus_and_agree(model):
    with running(model) as (_, client):
        for value in ("好", "坏", 5):
            client.post("/predict", json={"input": value})
        client.post("/predict", json={"inputs": ["好", "坏坏坏"]})
        text = client.get("/metrics").text
    found = {s.name: s for family in text_string_to_metric_families(text) for s in family.samples}
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    codes = {s.labels["code"]: s.value for s in samples if s.name == "labkit_requests_total"}
    assert codes == {"200": 3, "422": 1}
    assert found["labkit_inputs_total"].value == 4 and found["labkit_queue_inputs"].value == 0
    assert found["labkit_request_seconds_count"].value == 3 and found["labkit_ready"].value == 1
    assert found["labkit_batch_rows_sum"].value == 4
    ends = [s.value for s in samples if s.name == "labkit_request_seconds_bucket"]
    assert ends == sorted(ends) and ends[-1] == 3


@pytest.mark.parametrize("path", ["/", "/?lang=zh", "/docs"])
def test_pages_load_nothing_from_elsewhere_and_run_only_their_own_script(client, path):
    found = client.get(path)
    assert found.status_code == 200
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", found.text)
    rules = found.headers["content-security-policy"]
    assert "default-src 'none'" in rules and "unsafe" not in rules
    assert "<b>bad</b>" not in found.text.replace("&lt;b&gt;bad", "")  # a label's name is text


@pytest.mark.parametrize("sign, lang", [("?lang=en", "en"), ("?lang=zh", "zh")])
def test_the_page_speaks_both_languages(client, sign, lang):
    page = client.get(f"/{sign}").text
    assert f'<html lang="{lang}">' in page and ("试一试" in page.partition("<body>")[2]) is (lang == "zh")


def test_the_browser_decides_the_language_of_the_page(client):
    assert '<html lang="zh">' in client.get("/", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert '<html lang="en">' in client.get("/", headers={"accept-language": "en-GB"}).text


def test_the_docs_page_has_every_way_in_and_every_answer(client):
    page, schema = client.get("/docs").text, client.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/predict", "/explain", "/health", "/ready", "/metrics"}
    assert all(path in page for path in schema["paths"]) and "429" in page and "curl --json" in page


def test_explain_answers_where_there_is_something_to_say(client, locked):
    assert client.post("/explain", json={"input": "好"}).json() == {"seen": "好"}
    assert client.post("/explain", json={"input": 5}).status_code == 422
    assert locked.post("/explain", json={"input": "好"}).status_code == 404


def test_without_its_page_the_service_has_none(model):
    with running(model, page=False) as (_, client):
        assert client.get("/").status_code == 404
        assert client.post("/predict", json={"input": "好"}).status_code == 200


def test_the_second_part_of_an_answer_does_not_wait_for_the_first_to_be_acknowledged():
    with bound("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
