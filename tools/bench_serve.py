"""How a service holds up on this machine: `python tools/bench.py serve`. Needs `wrk` (apt-get install wrk); loopback only.

Both sides answer the same reviews with the same model, in processes of their own, and take turns: a plain FastAPI handler
that calls the model for each request, as tutorials write it, and `labkit serve`. Then half of capacity, four times
capacity, what is malformed, and SIGTERM under load.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

import labkit as lk

PLAIN = """
import sys, torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer
import uvicorn
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
app = FastAPI()

class Ask(BaseModel):
    input: str

def answer(ask: Ask):
    with torch.no_grad():
        logits = model(**tokenizer(ask.input, return_tensors="pt", truncation=True, max_length=256)).logits
    shares = logits.softmax(-1)[0]
    return {"label": model.config.id2label[int(shares.argmax())], "probability": float(shares.max())}

if sys.argv[3] == "async":
    @app.post("/predict")
    async def predict(ask: Ask):
        return answer(ask)
else:
    app.post("/predict")(answer)

@app.get("/ready")
def ready():
    return {}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""
WRK = """
local bodies, counts = {}, {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local number = 0
request = function()
  number = number + 1
  return wrk.format("POST", "/predict", {["Content-Type"] = "application/json"}, bodies[number % #bodies + 1])
end
local threads = {}
setup = function(thread) threads[#threads + 1] = thread end
response = function(status) counts[status] = (counts[status] or 0) + 1; n200, n429, n503, n504 = counts[200], counts[429], counts[503], counts[504]; all = (all or 0) + 1 end
done = function(summary, latency)
  local t = threads[1]
  local e = summary.errors
  print(string.format('{"seconds": %f, "all": %d, "ok": %d, "429": %d, "503": %d, "504": %d, "lost": %d, "p50": %f, "p99": %f}',
    summary.duration / 1e6, t:get("all") or 0, t:get("n200") or 0, t:get("n429") or 0, t:get("n503") or 0, t:get("n504") or 0,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""

FORKS = """
import os, sys
import torch, transformers
import labkit.deploy.serve, labkit.deploy.serve_app, labkit.inspection.attribution
from labkit.cli import commands
for port in map(str.strip, sys.stdin):  # a service each, without importing everything anew
    process = os.fork()
    if not process:
        log = os.open(f"{sys.argv[2]}/{port}.log", os.O_WRONLY | os.O_CREAT)
        sys.stdin = open(os.devnull)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os._exit(commands.main(["serve", sys.argv[1], "--port", port]))
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


def say(text: str) -> None:
    print(text, flush=True)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1).close()
        return True
    return False


@contextlib.contextmanager
def started(command: list[str], port: int, threads: int):
    """A server in a process of its own, once it is ready; killed at the end if it is still there."""
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "LABKIT_LANG": "en"}
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(3000):
            if is_ready(port):
                break
            if server.poll() is not None:
                raise RuntimeError(server.stdout.read())
            time.sleep(0.1)
        else:
            raise RuntimeError("the server did not start within five minutes")
        yield server
    finally:
        server.kill()
        server.wait()


def ours(folder, port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "labkit", "serve", str(folder), "--port", str(port), *more]


def plain(folder, port: int, kind: str) -> list[str]:
    return [sys.executable, "-c", PLAIN, str(folder), str(port), kind]


def wrk(folder: Path, port: int, connections: int, seconds: int) -> dict:
    """One thread of wrk for so long; what it counted."""
    (folder / "wrk.lua").write_text(WRK)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(folder / "wrk.lua")]
    env = {**os.environ, "BODIES": str(folder / "bodies")}
    told = subprocess.run([*command, f"http://127.0.0.1:{port}"], env=env, capture_output=True, text=True, check=True)
    return json.loads(told.stdout.strip().splitlines()[-1])


def write_bodies(folder: Path) -> None:
    texts = [e.input for split in lk.reviews().splits.values() for e in split]
    (folder / "bodies").write_text("".join(json.dumps({"input": t}) + "\n" for t in texts), "utf-8")


def metric(port: int, name: str) -> float:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return sum(float(n) for n in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


# The parts


def throughput(model: Path, folder: Path, rounds: int, seconds: int) -> float:
    """Answers a second of each side under 64 connections, in turns; the capacity of `labkit serve`, their median."""
    threads = os.cpu_count() or 1
    ways = {"plain, async def": "async", "plain, def": "def", "labkit serve": ""}
    found: dict[str, list[dict]] = {way: [] for way in ways}
    with contextlib.ExitStack() as stack:
        ports, servers = {}, {}
        for way, kind in ways.items():
            ports[way] = free_port()
            command = plain(model, ports[way], kind) if kind else ours(model, ports[way], "--deadline", "30")
            servers[way] = psutil.Process(stack.enter_context(started(command, ports[way], threads)).pid)
            wrk(folder, ports[way], 32, 1)
        for _ in range(rounds):
            for way in ways:
                before = sum(servers[way].cpu_times()[:2])
                told = wrk(folder, ports[way], 64, seconds)
                told["cpu"] = 1000 * (sum(servers[way].cpu_times()[:2]) - before) / max(told["ok"], 1)
                found[way].append(told)
    say(f"\nthroughput, 64 connections, {threads} threads, {rounds} rounds of {seconds} s in turns (medians)")
    rate = {way: statistics.median(t["ok"] / t["seconds"] for t in told) for way, told in found.items()}
    cost = {way: statistics.median(t["cpu"] for t in told) for way, told in found.items()}
    for way in ways:
        times, less = rate["labkit serve"] / max(rate[way], 1e-9), cost[way] / cost["labkit serve"]
        lost = sum(t["lost"] for t in found[way])
        say(
            f"  {way:18} {rate[way]:7.0f} a second, {cost[way]:5.2f} ms of processor each; labkit serve: {times:4.2f} times as "
            f"many, {less:4.2f} times less processor; lost {lost}"
        )
    return rate["labkit serve"]


async def asked(reader, writer, body: bytes) -> tuple[int, bool]:
    """One request over an open connection: the status, and whether the service closes it."""
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(body) + body)
    told = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(re.search(rb"content-length: (\d+)", told)[1]))
    return int(told[9:12]), b"connection: close" in told.lower()


async def steady(port: int, rate: float, seconds: float, bodies: list[bytes]) -> dict[int, list[float]]:
    """Requests at a steady rate, whether or not the last ones are answered; seconds since each was due, by status. 0 is lost.

    Bare sockets, as many as are waited for: a client library takes more of the processor than the service does."""
    found: dict[int, list[float]] = {}
    idle: list[tuple] = []
    clock = asyncio.get_running_loop().time

    async def one(number: int, due: float) -> None:
        status = 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
            status, closes = await asked(reader, writer, bodies[number % len(bodies)])
            if not closes:
                idle.append((reader, writer))
        found.setdefault(status, []).append(clock() - due)

    began, tasks = clock(), []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0, due - clock()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return found


def half_load(model: Path, folder: Path, capacity: float, seconds: int) -> None:
    bodies, port = (folder / "bodies").read_bytes().splitlines(), free_port()
    with started(ours(model, port), port, os.cpu_count() or 1):
        wrk(folder, port, 8, 1)
        before = {name: metric(port, name) for name in ("labkit_request_seconds_sum", "labkit_request_seconds_count")}
        found = asyncio.run(steady(port, capacity / 2, seconds, bodies))
        after = {name: metric(port, name) - value for name, value in before.items()}
    ok = sorted(found.get(200, [0.0]))
    rest = {status: len(told) for status, told in found.items() if status != 200}
    inside = 1000 * after["labkit_request_seconds_sum"] / max(after["labkit_request_seconds_count"], 1)
    say(f"\nhalf of capacity, {capacity / 2:.0f} a second for {seconds} s: {len(ok)} answered, others {rest}")
    say(
        f"  as the client sees it: p50 {1000 * ok[len(ok) // 2]:.0f} ms, p99 {1000 * ok[int(0.99 * len(ok))]:.0f} ms; mean inside {inside:.0f} ms"
    )


def overload(model: Path, folder: Path, capacity: float, seconds: int) -> None:
    port = free_port()
    with started(ours(model, port), port, os.cpu_count() or 1) as server:
        wrk(folder, port, 32, 1)
        process = psutil.Process(server.pid)
        before, most = process.memory_info().rss, 0
        load = subprocess.Popen(
            [sys.executable, __file__, "wrk", str(folder), str(port), "300", str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        while load.poll() is None:
            most = max(most, process.memory_info().rss)
            time.sleep(0.05)
        told = json.loads(load.stdout.read())
    others = told["all"] - told["ok"] - told["429"]
    say(
        f"\n300 connections that never pause, {told['all'] / told['seconds']:.0f} requests a second ({told['all'] / told['seconds'] / capacity:.1f} "
        f"times capacity): {told['ok'] / told['seconds']:.0f} a second answered, {told['429']} times 429, 503 {told['503']}, 504 {told['504']}, "
        f"other {others - told['503'] - told['504']}, lost {told['lost']}"
    )
    say(f"  memory {before / 2**20:.0f} MB before, {most / 2**20:.0f} MB at most")


async def until_turned_away(port: int, bodies: list[bytes], tally: dict) -> None:
    """One connection that asks again and again, until it is closed."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(10**6):
            status, closes = await asked(reader, writer, bodies[number % len(bodies)])
            tally[status] = tally.get(status, 0) + 1
            if closes:
                return


def stops(model: Path, folder: Path, times: int) -> None:
    """SIGTERM under load: what the service says it answered against what clients got."""
    bodies, lost, total, statuses, codes = (folder / "bodies").read_bytes().splitlines(), 0, 0, set(), set()

    async def once(number: int, parent) -> None:
        nonlocal lost, total
        port, tally = free_port(), {}
        print(port, file=parent.stdin, flush=True)
        process = int(parent.stdout.readline())
        async with asyncio.timeout(300):
            while not (await asyncio.to_thread(is_ready, port)):
                await asyncio.sleep(0.05)
        clients = [asyncio.create_task(until_turned_away(port, bodies, tally)) for _ in range(32)]
        while tally.get(200, 0) < 20 + 5 * number:
            await asyncio.sleep(0.003)
        os.kill(process, signal.SIGTERM)
        codes.add(int(await asyncio.to_thread(parent.stdout.readline)))
        await asyncio.gather(*clients)
        answered = int(re.search(r"(\d+) requests answered", (folder / f"{port}.log").read_text())[1])
        lost, total = lost + answered - tally[200], total + answered
        statuses.update(tally)

    command = [sys.executable, "-c", FORKS, str(model), str(folder)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "LABKIT_LANG": "en"}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        for number in range(times):
            asyncio.run(once(number, parent))
        parent.stdin.close()
    say(
        f"\nSIGTERM under load, {times} times: {total} accepted, {lost} lost; statuses {sorted(statuses)}, exit {sorted(codes)}"
    )


def serve(options) -> None:
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as name:
        folder = Path(name)
        model = Path(options.model) if Path(options.model).is_dir() else folder / "model"
        if not model.is_dir():
            corpus = lk.reviews(limit=400)
            trained = lk.load(options.model, corpus.labels)
            lk.Trainer(trained, corpus, config=lk.TrainConfig(epochs=1)).fit()
            lk.save(trained, model)
        write_bodies(folder)
        seconds = options.seconds or 5
        capacity = throughput(model, folder, options.rounds, seconds)
        half_load(model, folder, capacity, seconds)
        overload(model, folder, capacity, seconds)
        stops(model, folder, options.stops)


if __name__ == "__main__":  # wrk in a process of its own, while its parent watches the memory
    _, _, place, port, connections, seconds = sys.argv
    say(json.dumps(wrk(Path(place), int(port), int(connections), int(seconds))))
