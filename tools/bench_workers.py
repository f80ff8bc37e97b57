"""Many runs at once, measured: two processes against one and against the transformers Trainer; processes killed at random
moments; and, with a simulated cost, a Dask cluster of 1 to 64 workers. Called by bench.py (workers, deaths, cluster)."""

import contextlib
import functools
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bench
import psutil
import torch
from simulated import Simulated, imported

import labkit as lk
from labkit.base.records import RunBegins, RunEnds
from labkit.comparison import compare as comparing

NINE = ("full", "top-2", "head", "gradual", "bitfit", "lora", "prefix", "ptuning-v2", "adapter")


def nine(options) -> list:
    return [lk.strategies.by_name(name) for name in NINE[: options.strategies]]


# Two processes against one


def workers(options) -> None:
    """The same comparison by one process with all threads, by one with one thread, and by two; and what 27 runs of the
    transformers Trainer would take (one epoch of one run is measured)."""
    corpus = bench.bench_corpus(options)
    seeds, threads = range(options.seeds), torch.get_num_threads()
    config = lk.TrainConfig(epochs=3, batch_size=16, device="cpu")
    runs = options.strategies * options.seeds

    def ours(workers: int, threads: int) -> float:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        lk.compare(nine(options), corpus, seeds=seeds, config=config, workers=workers)
        return time.perf_counter() - began

    def theirs() -> float:
        torch.set_num_threads(threads)
        return runs * bench.trainer(lk.load("tiny-bert-zh", corpus.labels), list(corpus.train), False, epochs=3)

    ways = {
        f"transformers Trainer, {runs} runs": theirs,
        f"workers=1, {threads} threads": lambda: ours(1, threads),
        "workers=1, one thread": lambda: ours(1, 1),
        f"workers={options.workers}": lambda: ours(
            options.workers, options.workers * max(1, threads // options.workers)
        ),
    }
    found = bench.interleaved({way: functools.partial(told, way, call) for way, call in ways.items()}, options.rounds)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    bench.say(
        f"\n{runs} runs of 3 epochs of {len(corpus.train)} rows, {options.rounds} rounds; load at the end {load:.1f}"
    )
    for way, seconds in found.items():
        times = seconds / found[f"workers={options.workers}"]
        bench.say(f"  {way:34} {seconds:7.1f} s   {times:5.2f} times as long as workers={options.workers}")


def told(way: str, call) -> float:
    """Say what one way took in one round, and how busy the machine was meanwhile."""
    seconds = call()
    bench.say(f"  {way:34} {seconds:7.1f} s   load {os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0:.1f}")
    return seconds


# Deaths


def deaths(options) -> None:
    """Twenty workers of one comparison are killed, each a random while after a random run began; then the same call again."""
    corpus = lk.reviews(limit=options.rows)
    rng, config = random.Random(options.seed), lk.TrainConfig(epochs=1, device="cpu")
    ask = {"seeds": range(options.seeds), "config": config}
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = lk.compare(nine(options), corpus, **ask, workers=2, out=Path(folder, "undisturbed"))
        total = len(undisturbed)
        typical = statistics.median(run.seconds for run in undisturbed)
        chosen = set(rng.sample(range(1, total + 1), min(20, total)))
        plan = comparing.Comparing(nine(options), corpus, **ask, workers=2, out=Path(folder, "disturbed"))
        ends, killed = [], []
        for event in plan.run():
            if isinstance(event, RunBegins) and event.number in chosen:
                chosen.remove(event.number)
                threading.Timer(rng.uniform(0, 2 * typical), kill_one, (killed, rng.random())).start()
            elif isinstance(event, RunEnds) and event.number:
                ends.append(event.number)
        given_up = sum(bool(run.error) for run in plan.runs)
        again = lk.compare(nine(options), corpus, **ask, workers=2, out=Path(folder, "disturbed"))
        same = [as_measured(a) == as_measured(b) for a, b in zip(undisturbed, again, strict=True)]
    bench.say(
        f"{len(killed)} workers killed in {total} runs; {len(ends)} ends told, of {len(set(ends))} runs; "
        f"{given_up} took three workers with them and were given up"
    )
    bench.say(f"after the same call once more {sum(same)} of {total} runs equal the undisturbed ones to the last bit")


def kill_one(killed: list, number: float) -> None:
    """One of the worker processes that there are just now."""
    workers = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
    if workers:
        victim = workers[int(number * len(workers))]
        victim.kill()
        killed.append(victim.pid)


def as_measured(run: lk.Run) -> tuple:
    """All of a run but what a clock says."""
    return run.strategy, run.seed, run.scores, run.answers, run.steps, run.moved, run.error


# A cluster


def cluster(options) -> None:
    """For each number of workers a comparison of nine runs a worker, of `--cost` seconds each: what share of the time from the call to
    the last run's end was work."""
    comparing.refuse_unfit = lambda jobs: None
    comparing.Job = functools.partial(Simulated, seconds=options.cost)
    corpus = lk.reviews(limit=options.rows)
    counts = [int(n) for n in options.counts.split(",")]
    bench.say("workers   runs  seconds   ideal  efficiency")
    with dask_house(max(counts)) as (address, add):
        for count in sorted(counts):
            add(count)
            seconds, runs = timed(nine(options), corpus, seeds=range(count), cluster=address)
            ideal = options.cost * runs / count
            bench.say(f"{count:7} {runs:6} {seconds:8.2f} {ideal:7.1f} {ideal / seconds:11.2f}")


def timed(*given, **more) -> tuple[float, int]:
    """Seconds from the call of a comparison to the end of its last run, and how many runs there were."""
    began, ended = time.perf_counter(), []

    def listen(event) -> None:
        if isinstance(event, RunEnds) and event.number:
            ended.append(time.perf_counter())

    lk.compare(*given, **more, listen=listen)
    return ended[-1] - began, len(ended)


@contextlib.contextmanager
def dask_house(most: int):
    """A scheduler on this machine, and a function that adds worker processes until there are so many."""
    from distributed import Client

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{s.getsockname()[1]}"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    running = []

    def start(what, *given):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *given, "--no-dashboard"]
        running.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def add(count: int) -> None:
        with Client(address, timeout=120, set_as_default=False) as client:
            while len(running) - 1 < count:
                start("worker", address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
            client.wait_for_workers(count, timeout=600)
            client.run(imported)  # once in a worker's life, whatever the number of runs

    start("scheduler", "--host", address, "--no-show")
    try:
        yield address, add
    finally:
        for process in running:
            process.kill()
            process.wait()
