"""A comparison on a Dask cluster: a real scheduler and three real workers, as processes on this machine."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time

import pytest
from slow_jobs import SEEN, Slow
from stand_ins import corpus

from labkit.base.records import BadInput, Notice, RunBegins, RunEnds, StepDone
from labkit.comparison import compare as module
from labkit.comparison.compare import Comparing, compare, runs_in
from labkit.comparison.workers import Workers
from labkit.strategies import Full, HeadOnly, TopK

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs labkit[cluster]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
]
ROWS = corpus(n=24)
STRATEGIES = [Full(), HeadOnly(), TopK(1)]


class House:
    """A scheduler and workers; any of them can be killed."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{s.getsockname()[1]}"
        self.start("scheduler", "--host", self.address, "--no-dashboard", "--no-show")

    def start(self, what, *given):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), SEEN: str(self.folder / "seen")}
        (self.folder / "seen").mkdir(exist_ok=True)
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *given]
        with open(self.folder / f"{what}.log", "a") as log:
            self.processes.append(subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=log))

    def add_worker(self):
        self.start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")

    def kill(self, process):
        self.processes.remove(process)
        process.kill()
        process.wait()

    def close(self):
        for process in list(self.processes):
            self.kill(process)

    def steps(self):
        """How many steps have been done on the cluster so far."""
        return sum(len(p.read_text()) for p in (self.folder / "seen").iterdir())


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with contextlib.closing(House(tmp_path_factory.mktemp("cluster"))) as house:
        for _ in range(3):
            house.add_worker()
        yield house


@pytest.fixture(autouse=True)
def slowly(monkeypatch):
    monkeypatch.setattr(module, "Job", Slow)
    monkeypatch.setattr(module, "refuse_unfit", lambda jobs: None)


def test_runs_come_back_from_a_cluster_once_each_though_a_worker_is_killed_in_the_middle(house, tmp_path):
    with Workers(cluster=house.address) as crew:
        while crew.free < 3:  # they are starting
            time.sleep(0.1)
    plan, told = Comparing(STRATEGIES, ROWS, "nowhere", range(4), cluster=house.address, out=tmp_path / "out"), []
    for event in plan.run():
        told += [] if event is None else [event]
        if sum(isinstance(e, StepDone) for e in told) == 5 and len(house.processes) == 4:
            house.kill(house.processes[-1])
    assert len(house.processes) == 3 and told[0] == Notice(f"3 workers at {house.address}.")
    assert list(plan.runs) == [job.made() for job in plan.jobs] == list(runs_in(tmp_path / "out"))
    assert sorted(e.number for e in told if isinstance(e, RunEnds) and e.number) == list(range(1, 13))
    assert sum(isinstance(e, RunBegins) for e in told) >= 12
    house.add_worker()


def test_leaving_the_loop_stops_the_runs_on_the_cluster_and_going_on_repeats_none(house, tmp_path):
    plan = Comparing(STRATEGIES, ROWS, "nowhere", range(2), cluster=house.address, out=tmp_path / "out")
    for event in plan.run():
        if isinstance(event, RunEnds):
            break
    time.sleep(0.3)
    steps = house.steps()
    time.sleep(0.5)
    assert house.steps() == steps
    first = [run for run in plan.done if run]
    assert first and len(first) < 6
    assert sum(isinstance(e, RunBegins) for e in plan.run()) == 6 - len(first)
    assert list(plan.runs) == [job.made() for job in plan.jobs]


def test_a_client_of_ones_own_serves_too_and_stays_open(house):
    from distributed import Client

    with Client(house.address, set_as_default=False) as client:
        runs = compare([Full()], ROWS, "nowhere", executor=client.get_executor())
        assert runs[0].error is None and client.status == "running"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_said_with_what_to_do(tmp_path, monkeypatch, address):
    monkeypatch.setattr("labkit.comparison.workers.ANSWER", 1)
    with pytest.raises(BadInput, match=rf"No Dask scheduler answers at {address} .*See that it runs"):
        compare([Full()], ROWS, "nowhere", cluster=address, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
