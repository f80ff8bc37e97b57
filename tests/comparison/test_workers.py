"""Jobs in several processes: the same runs, and what happens when a process, or everybody, dies."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest
from slow_jobs import HELD, SEEN, Slow
from stand_ins import bert, corpus

from labkit.base.config import TrainConfig
from labkit.base.files import load_run
from labkit.base.records import BadInput, Notice, RunBegins, RunEnds, StepDone
from labkit.comparison import compare as module
from labkit.comparison.compare import Comparing, compare, runs_in
from labkit.comparison.job import Job
from labkit.comparison.processes import usual_workers
from labkit.comparison.workers import Workers
from labkit.strategies import Full, HeadOnly, TopK
from labkit.training import batches

ROWS = corpus(n=24)
STRATEGIES = [Full(), HeadOnly(), TopK(1)]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise")


def slow(strategy=None, seed=0, **more):
    return Slow(strategy or Full(), TrainConfig(seed=seed, device="cpu"), ROWS, "nowhere", **more)


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """A folder in which every job that is carried out leaves a file: who did it, and how many steps."""
    (tmp_path / "seen").mkdir()
    monkeypatch.setenv(SEEN, str(tmp_path / "seen"))
    return tmp_path / "seen"


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A file: while it is there, no run but those of full fine-tuning ends, however slow this machine is to press Ctrl-C."""
    (tmp_path / "held").touch()
    monkeypatch.setenv(HELD, str(tmp_path / "held"))
    return tmp_path / "held"


@pytest.fixture
def slowly(monkeypatch):
    """Comparisons plan slow jobs in place of real ones."""
    monkeypatch.setattr(module, "Job", Slow)
    monkeypatch.setattr(module, "refuse_unfit", lambda jobs: None)


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert [p for p in left if "resource_tracker" not in " ".join(p.cmdline())] == []


def done(workers):
    """The runs by key, until no job is left."""
    return {key: event.run for key, event in workers.events() if isinstance(event, RunEnds)}


# The same runs


def test_runs_of_two_processes_are_those_of_one_to_the_last_bit(tmp_path):
    place = str(bert(tmp_path / "bert", num_hidden_layers=1))
    ask = {"corpus": ROWS, "model": place, "config": TrainConfig(epochs=1, batch_size=8, device="cpu")}
    seen = []
    one, two = (compare([Full(), TopK(1)], **ask, workers=n, listen=seen.append) for n in (1, 2))
    assert seen[-1].run == two.beside[-1]
    for mine, theirs in zip(one, two, strict=True):
        for name in ("scores", "answers", "steps", "moved", "config", "identity", "saved_bytes", "notices"):
            assert getattr(mine, name) == getattr(theirs, name), name
        assert [e.train_loss for e in mine.history] == [e.train_loss for e in theirs.history]


def test_a_process_that_does_many_runs_encodes_their_rows_once(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_kept", None)
    place, rounds = str(bert(tmp_path / "bert", num_hidden_layers=1)), []
    monkeypatch.setattr(batches, "Batches", lambda *given, made=batches.Batches: rounds.append(given) or made(*given))
    jobs = [Job(s, TrainConfig(epochs=1, device="cpu"), ROWS, place) for s in (Full(), HeadOnly(), HeadOnly())]
    alone = [[*job.run()][-1].run for job in jobs[:2]]
    assert len(rounds) == 2
    batches.keep_encoded()
    kept = [[*job.run()][-1].run for job in jobs]
    assert len(rounds) == 3
    assert [r.steps for r in kept[:2]] == [r.steps for r in alone] and kept[1].answers == alone[1].answers


def test_each_process_has_its_share_of_the_threads_and_says_so(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    with Workers(2) as workers:
        assert workers.about == (
            "2 processes with 4 compute threads each; a single process would use 8, and the last digits of its results may differ."
        )
        workers.submit("a", slow(asked="OMP_NUM_THREADS"))
        assert [event.text for _, event in workers.events() if type(event) is Notice] == ["4"]


def test_the_usual_number_is_that_of_the_cores_and_one_where_a_gpu_or_a_launcher_computes(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr("labkit.base.memory.memory_mb", lambda: (1, 16_000))
    assert [usual_workers("cpu", jobs) for jobs in (27, 3, 1)] == [4, 3, 1]
    assert usual_workers("cuda", 27) == 1
    monkeypatch.setattr("labkit.base.memory.memory_mb", lambda: (1, 5_000))
    assert usual_workers("cpu", 27) == 2
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert usual_workers("cpu", 27) == 1


# Events


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_told_from_its_beginning_to_its_end_and_more_may_come_meanwhile(workers):
    told = {}
    with Workers(workers) as crew:
        assert crew.free == workers
        for seed in range(3):
            crew.submit(seed, slow(seed=seed))
        assert crew.free == 0
        for key, event in crew.events():
            if event is not None:
                told.setdefault(key, []).append(event)
            if isinstance(event, RunEnds) and key == 0:
                crew.submit("late", slow(TopK(1)))
        assert crew.free == workers
    assert set(told) == {0, 1, 2, "late"}
    for number, key in enumerate((0, 1, 2, "late"), 1):
        first, *steps, last = told[key]
        assert isinstance(first, RunBegins) and first.number == number
        assert [e.step for e in steps] == sorted({e.step for e in steps}) and steps[-1].step == 20
        assert all(isinstance(e.loss, float) for e in steps)
        assert last.run == (slow(TopK(1)) if key == "late" else slow(seed=key)).made()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_is_cancelled_stops_within_a_step_and_the_others_go_on(workers, seen):
    with Workers(workers) as crew:
        for seed in range(3):
            crew.submit(seed, slow(seed=seed, steps=1000 if seed < 2 else 20))
        stopped, late = set(), []
        for key, event in crew.events():
            late += [key] if key in stopped else []
            if isinstance(event, StepDone) and key in (0, 1) and event.step >= 3:
                crew.cancel(key)
                stopped.add(key)
        assert stopped == {0, 1} and late == []
    steps = {int(p.name.split("-")[1]): len(p.read_text()) for p in seen.iterdir()}
    assert steps[2] == 20 and 3 <= steps[0] < 100 and 3 <= steps[1] < 100


def test_a_job_that_waits_is_taken_back_and_a_key_is_used_once_at_a_time():
    with Workers(1) as crew:
        crew.submit("a", slow())
        crew.submit("b", slow(seed=1))
        with pytest.raises(ValueError, match="'a' is waiting or under way"):
            crew.submit("a", slow())
        crew.cancel("b")
        crew.cancel("b")  # nothing happens
        crew.submit("b", slow(seed=2))
        assert done(crew) == {"a": slow().made(), "b": slow(seed=2).made()}


def test_what_concerns_all_runs_is_raised_and_ends_everything():
    with Workers(2) as crew:
        crew.submit("endless", slow(steps=10_000))
        crew.submit("wrong", slow(refused=True))
        with pytest.raises(BadInput, match="no such model"):
            done(crew)


def test_what_is_defined_in_the_script_itself_is_refused_by_name(monkeypatch):
    own = type("Mine", (Full,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Mine", own, raising=False)
    with Workers(2) as crew:
        crew.submit("a", slow(own()))
        with pytest.raises(BadInput, match=r"Mine is defined in the script or notebook itself.*module.*workers=1"):
            done(crew)


# Deaths


@POSIX
def test_a_process_that_dies_takes_one_job_with_it_which_is_done_again(seen):
    told = {}
    with Workers(2) as crew:
        for seed, kills in enumerate((1, 0, 0)):
            crew.submit(seed, slow(seed=seed, kills=kills))
        for key, event in crew.events():
            told.setdefault(key, []).append(event)
    assert [e.run for key in range(3) for e in told[key] if isinstance(e, RunEnds)] == [
        slow(seed=0, kills=1).made(),
        slow(seed=1).made(),
        slow(seed=2).made(),
    ]
    (note,) = [e.text for e in told[0] if type(e) is Notice]
    assert "full, seed 0: its process was killed (signal 9)" in note and "done again" in note
    assert [type(e) for e in told[0] if isinstance(e, RunBegins)] == [RunBegins] * 2
    assert not any(type(e) is Notice for e in told[1] + told[2])


@POSIX
def test_a_job_that_kills_three_processes_is_a_failed_run_with_the_reason(seen):
    with Workers(2) as crew:
        crew.submit("deadly", slow(kills=99))
        crew.submit("fine", slow(HeadOnly()))
        runs = done(crew)
    assert "killed (signal 9), often for lack of memory: take fewer workers" in runs["deadly"].error
    assert runs["deadly"].identity == slow().identity() and len(list(seen.glob("full-*"))) == 3
    assert runs["fine"] == slow(HeadOnly()).made()


@POSIX
def test_a_comparison_whose_processes_are_killed_at_random_moments_gives_the_undisturbed_table(slowly, tmp_path, seen):
    plan = Comparing(STRATEGIES, ROWS, "nowhere", (0, 1), workers=2, out=tmp_path / "out")
    ends, killed, steps = [], 0, 0
    for event in plan.run():
        steps += isinstance(event, StepDone)
        ends += [event] if isinstance(event, RunEnds) and event.number else []
        if isinstance(event, StepDone) and steps in (4, 17, 40):
            next(c for c in psutil.Process().children() if "spawn_main" in " ".join(c.cmdline())).kill()
            killed += 1
    assert killed == 3
    assert sorted(e.number for e in ends) == [1, 2, 3, 4, 5, 6]
    assert list(plan.runs) == [job.made() for job in plan.jobs] == list(runs_in(tmp_path / "out")) and plan.complete


SCRIPT = """
import os, sys
import labkit as lk
from labkit.comparison import compare as module
from slow_jobs import Slow
from stand_ins import corpus
from test_workers import ROWS, STRATEGIES
module.Job, module.refuse_unfit = Slow, lambda jobs: None
listen = lambda event: print(type(event).__name__, flush=True)
runs = lk.compare(STRATEGIES, ROWS, "nowhere", (0, 1, 2), workers=2, out=sys.argv[1], listen=listen)
print("finished", len(runs), len(runs.beside))
"""  # no `if __name__ == "__main__"`, as in a first script


def script(folder, **more):
    """That script in a session of its own, as from a terminal."""
    (folder / "script.py").write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, str(folder / "script.py"), str(folder / "out")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, start_new_session=True, **pipes, **more)


def until_a_run_ends(process):
    """Read what the script says until a run has ended; its processes then."""
    for line in process.stdout:
        if line == "RunEnds\n":
            return psutil.Process(process.pid).children(recursive=True)
    raise AssertionError(process.communicate())


@POSIX
@pytest.mark.integration
def test_when_the_parent_is_killed_nothing_goes_on_and_the_same_call_finishes_the_rest(
    tmp_path, seen, held, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    process = script(tmp_path)
    children = until_a_run_ends(process)
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert len(gone) >= 2 and alive == []
    assert not list((tmp_path / "temporary").glob("labkit-workers-*"))
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.json")}
    assert first and all(load_run(tmp_path / "out" / name).error is None for name in first)
    held.unlink()
    said, errors = script(tmp_path).communicate()
    assert (said.splitlines()[-1], errors) == ("finished 9 2", "")
    assert said.count("RunEnds") == 9 + 2 - len(first)
    assert all((tmp_path / "out" / name).read_bytes() == held for name, held in first.items())


@POSIX
@pytest.mark.integration
def test_ctrl_c_in_the_terminal_gives_what_is_finished_at_once(tmp_path, seen, held):
    process = script(tmp_path)
    until_a_run_ends(process)
    os.killpg(process.pid, signal.SIGINT)
    pressed = time.monotonic()
    said, errors = process.communicate()
    finished = int(said.split()[-2])
    assert 1 <= finished < 9 and said.split()[-1] == "0" and errors == ""
    assert len(list((tmp_path / "out").glob("*.json"))) == finished
    assert sum(len(p.read_text()) for p in seen.iterdir()) < 9 * 20
    assert time.monotonic() - pressed < 20


@POSIX
@pytest.mark.integration
def test_when_the_whole_group_is_ended_nothing_is_left_of_it(tmp_path, seen, held, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    process = script(tmp_path)
    children = until_a_run_ends(process)
    assert list((tmp_path / "temporary").glob("labkit-workers-*"))
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert not list((tmp_path / "temporary").glob("labkit-workers-*"))


# Any executor


def test_any_executor_will_do_and_jobs_of_one_process_take_turns(slowly, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        plan = Comparing(STRATEGIES, ROWS, "nowhere", executor=pool, out=tmp_path / "out")
        events = [e for e in plan.run() if e is not None]
    assert list(plan.runs) == [job.made() for job in plan.jobs] == list(runs_in(tmp_path / "out"))
    assert {type(e) for e in events} == {RunBegins, RunEnds}


def test_an_executor_that_is_shut_down_says_what_to_do_and_loses_nothing(slowly, tmp_path):
    pool = ThreadPoolExecutor(1)
    plan = Comparing(STRATEGIES, ROWS, "nowhere", executor=pool, out=tmp_path / "out")
    with pytest.raises(BadInput, match="Finished runs are kept: call again with a new executor"):
        for event in plan.run():
            if isinstance(event, RunEnds):
                pool.shutdown(cancel_futures=True)
    assert len(plan.runs) >= 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"{r.strategy}-s0.json" for r in plan.runs}


class AsSubmitit:
    """Its jobs must be asked whether they are done, and the second one loses its machine."""

    def __init__(self, pool):
        self.pool, self.count = pool, 0

    def submit(self, *call):
        self.count += 1
        future = self.pool.submit(*call) if self.count != 2 else self.pool.submit(int, "the machine is gone")
        return SimpleNamespace(**{name: getattr(future, name) for name in ("done", "exception", "result", "cancel")})


def test_futures_that_must_be_asked_are_and_a_job_whose_machine_is_lost_is_a_failed_run(slowly):
    with ThreadPoolExecutor(2) as pool:
        runs = compare(STRATEGIES, ROWS, "nowhere", executor=AsSubmitit(pool))
    assert [run.error is None for run in runs] == [True, False, True]
    assert runs[1].error.startswith("ValueError: ") and runs[1].strategy == "head"


def test_a_run_of_another_model_that_lies_there_under_that_name_is_refused(monkeypatch):
    monkeypatch.setattr(Slow, "made", lambda self, made=Slow.made: made(type(self)(**{**vars(self), "model": "other"})))
    with ThreadPoolExecutor(1) as pool, Workers(executor=pool) as crew:
        crew.submit("a", slow())
        with pytest.raises(BadInput, match=r"not the one asked for \(other model\).*equal on every machine"):
            done(crew)


# Bad input


@pytest.mark.parametrize(
    "means, named",
    [
        ({"workers": 0}, "workers=0 won't do: give a whole number from 1"),
        ({"workers": -2}, "workers=-2"),
        ({"workers": 2, "cluster": "tcp://127.0.0.1:1"}, "workers, cluster cannot be had together"),
        ({"cluster": "tcp://127.0.0.1:1"}, "pip install 'labkit[cluster]'"),
    ],
)
def test_means_that_cannot_be_had_are_refused_before_anything_is_written(tmp_path, monkeypatch, slowly, means, named):
    monkeypatch.setitem(sys.modules, "distributed", None)  # it is not installed
    with pytest.raises(BadInput) as caught:
        compare([Full()], ROWS, "nowhere", out=tmp_path / "out", **means)
    assert named in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_launchers_processes_and_workers_do_not_go_together(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match=r"leave out workers, or the launcher"):
        Workers(2)
    Workers(1).close()
