"""The command `labkit serve` as a process: nothing that was accepted is lost when it is told to stop, and ports come back."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys

import pytest
from stand_ins import bert

import labkit as lk
from labkit.cli import commands

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("process")
    lk.save(lk.load(bert(base / "bert"), labels=("good", "bad")), base / "model")
    return base / "model"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*arguments):
    command = [sys.executable, "-m", "labkit", "serve", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def until_ready(port, server):
    while server.poll() is None:
        with contextlib.suppress(OSError):
            if (await exchange(port, b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))[
                :12
            ] == b"HTTP/1.1 200":
                return
        await asyncio.sleep(0.05)
    raise AssertionError(server.stderr.read())


async def exchange(port, data):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


async def client(port, texts, tally):
    """One connection that asks again and again until it is turned away; every answer is counted."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        try:
            while True:
                body = json.dumps({"inputs": [next(texts)]}).encode()
                head = (
                    b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                )
                writer.write(head % len(body) + body)
                told = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", told)[1])
                answer = json.loads(await reader.readexactly(length))
                status = int(told[9:12])
                tally[status] = tally.get(status, 0) + 1
                assert status != 200 or "label" in answer["predictions"][0]
                if b"connection: close" in told.lower():
                    break
        except asyncio.IncompleteReadError as cut:
            if cut.partial:  # an answer that broke off
                tally["broken"] = tally.get("broken", 0) + 1
            return
        except OSError:
            return
        finally:
            writer.close()


def texts():
    while True:
        yield from ("好", "坏" * 20, "不好吃也不便宜", "贵" * 50)


@pytest.mark.parametrize("time_number", range(2))
def test_no_accepted_request_is_lost_when_it_is_told_to_stop_under_load(folder, time_number):
    port, tally = free_port(), {}

    async def scenario():
        server = start(folder, "--port", port)
        await until_ready(port, server)
        source = texts()
        clients = [asyncio.create_task(client(port, source, tally)) for _ in range(16)]
        while tally.get(200, 0) < 20 * (1 + time_number):
            await asyncio.sleep(0.005)
        server.send_signal(signal.SIGTERM)
        _, err = await asyncio.to_thread(server.communicate, None, 60)
        await asyncio.gather(*clients)
        return server.returncode, err

    status, told = asyncio.run(asyncio.wait_for(scenario(), 120))
    assert status == 0, told
    answered = int(re.search(r"(\d+) requests answered", told)[1])
    assert answered == tally[200]  # what the service says it answered is what clients got
    assert set(tally) <= {200, 503, 429}


def test_ctrl_c_ends_it_too_the_log_is_whole_and_the_token_comes_from_a_file(folder, tmp_path):
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "token").write_text("let-me-in\n")
    body = b'{"inputs": ["a", "bb"]}'
    lines = [b"POST /predict HTTP/1.1", b"Host: a", b"Connection: close", b"Content-Type: application/json"]
    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])

    async def scenario():
        server = start(folder, "--port", port, "--log", log, "--token-file", tmp_path / "token")
        await until_ready(port, server)
        told = [
            await exchange(port, head + extra + b"\r\n\r\n" + body)
            for extra in (b"", b"\r\nAuthorization: Bearer let-me-in")
        ]
        server.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(server.communicate, None, 60)
        return server.returncode, err, [int(t[9:12]) for t in told]

    status, told, answers = asyncio.run(asyncio.wait_for(scenario(), 120))
    assert status == 0 and "Traceback" not in told and f"http://127.0.0.1:{port}" in told
    assert answers == [401, 200]
    assert [json.loads(line).get("length") for line in log.read_text("utf-8").splitlines()] == [None, 1, 2]


def test_a_kernel_that_ends_gives_the_port_back(folder):
    port = free_port()
    code = f"import labkit as lk, os, sys; s = lk.serve({str(folder)!r}, port={port}); print(s.url, flush=True); sys.stdin.read(); os._exit(1)"
    kernel = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert kernel.stdout.readline().strip() == f"http://127.0.0.1:{port}"
    kernel.kill()
    kernel.wait(30)
    kernel.stdout.close()
    kernel.stdin.close()
    with lk.serve(folder, port=port) as service:
        assert service.url.endswith(str(port))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["no/such/folder"], "No folder"),
        (["{model}", "--port", "70000"], "65535"),
        (["{model}", "--queue", "0"], "--queue"),
        (["{model}", "--queue", "10"], "--inputs 64"),
        (["{model}", "--log-text"], "--log FILE"),
        (["{model}", "--token-file", "{empty}"], "token"),
        (["{model}", "--log", "no/such/folder/log"], "no such place"),
        (["{pickled}"], "safetensors"),
    ],
)
def test_bad_arguments_are_one_message(folder, tmp_path, capsys, arguments, words):
    places = {"model": folder, "empty": tmp_path / "empty", "pickled": tmp_path / "pickled"}
    places["empty"].write_text("\n")
    places["pickled"].mkdir()
    (places["pickled"] / "pytorch_model.bin").write_bytes(b"")
    port = [] if "--port" in arguments else ["--port", "0"]
    assert commands.main(["serve", *(a.format(**places) for a in arguments), *port]) == 2
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told


def test_a_port_that_is_taken_is_one_message(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert commands.main(["serve", str(folder), "--port", str(taken.getsockname()[1])]) == 2
    assert "is taken by another program" in capsys.readouterr().err


def test_without_its_libraries_it_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.setattr("labkit.deploy.service.find_spec", lambda name: None if name == "uvicorn" else object())
    assert commands.main(["serve", str(folder)]) == 2
    assert "pip install 'labkit[serve]'" in capsys.readouterr().err
