"""Two who write into one place: each gets a folder of its own, or the second is refused by name, and nothing is lost."""

import random
import signal
import sys
import threading
import time

import pytest
import warm
from stand_ins import bert, corpus

import labkit as lk
from labkit.base.files import fresh_file, fresh_folder, held, load_run
from labkit.base.records import BadInput

ROWS = corpus(48)


def write_rows(path):
    lines = [f"{e.input},{ROWS.labels[e.target]}" for split in ROWS.splits.values() for e in split]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    bert(folder / "tiny", num_hidden_layers=1)
    write_rows(folder / "rows.csv")
    return folder


def start(lab, where, *more):
    given = ["train", lab / "rows.csv", "--model", lab / "tiny", "--batch-size", "8", *more]
    return warm.start(given, where, where / "said", LABKIT_LANG="en")


def test_names_that_are_asked_for_at_once_differ(tmp_path):
    taken, start_together = [], threading.Barrier(8)

    def take(i):
        start_together.wait()
        taken.append(fresh_folder(tmp_path / "runs", "a") if i % 2 else fresh_file(tmp_path / "runs", "b", ".json"))

    threads = [threading.Thread(target=take, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = sorted(p.name for p in taken)
    assert names == sorted(["a", "a-2", "a-3", "a-4", "b.json", "b-2.json", "b-3.json", "b-4.json"])


def test_a_place_that_is_held_is_refused_by_name_and_free_again_afterwards(tmp_path):
    with held(tmp_path / "out"):
        with pytest.raises(BadInput, match=r"out is being written by another program"), held(tmp_path / "out"):
            pass
        with held(tmp_path / "other"):
            pass
    with held(tmp_path / "out"):
        pass


def test_a_second_run_into_the_folder_of_one_under_way_is_refused_and_the_first_ends_well(lab, tmp_path):
    first = lk.RunFolder(tmp_path / "out", lab / "tiny", ROWS, config=lk.TrainConfig(epochs=2, device="cpu"))
    second = lk.RunFolder(tmp_path / "out", lab / "tiny", ROWS, config=lk.TrainConfig(epochs=2, device="cpu"))
    events = first.run()
    next(events)
    with pytest.raises(BadInput, match="being written by another"):
        second.fit()
    for _ in events:
        pass
    assert first.result == load_run(tmp_path / "out" / "run.json")
    with pytest.raises(BadInput, match="was changed by another program meanwhile"):
        second.fit()
    assert lk.load(tmp_path / "out").task.labels == ROWS.labels


def test_a_second_comparison_into_one_folder_is_refused(lab, tmp_path):
    from labkit.comparison.compare import Comparing

    config = lk.TrainConfig(epochs=1, device="cpu")
    first, second = (Comparing([lk.HeadOnly()], ROWS, lab / "tiny", config=config, out=tmp_path) for _ in range(2))
    events = first.run()
    next(events)
    with pytest.raises(BadInput, match="being written by another"):
        second.fit()
    events.close()
    assert len(second.fit()) == 1


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise")
def test_twenty_commands_at_random_moments_a_third_of_them_killed_lose_nothing(lab, tmp_path):
    rng, running, killers = random.Random(0), [], []
    doomed = rng.sample(range(20), 7)
    for i in range(20):
        out = [] if i % 2 else ["--out", f"shared-{i % 6}"]
        running.append(start(lab, tmp_path, "--epochs", rng.choice([1, 2]), *out))
        if i in doomed:
            how = rng.choice([signal.SIGKILL, signal.SIGTERM])
            killers.append(threading.Timer(rng.uniform(0, 1.5), running[-1].send_signal, [how]))
            killers[-1].start()
        time.sleep(rng.uniform(0, 0.2))
    for killer in killers:
        killer.join()
    ended = [(said, status) for status, _, said in (process.ended() for process in running)]
    done = sum(status == 0 for _, status in ended)
    refused = [said for said, status in ended if status == 2]
    assert all("Traceback" not in said for said, _ in ended)
    ways = ("being written", "not empty", "meanwhile", "holds checkpoints of an earlier run")
    assert [said for said in refused if not any(way in said for way in ways)] == []
    finished = [*tmp_path.glob("*/run.json"), *tmp_path.glob("runs/*/run.json")]
    assert len(finished) == done and done >= 6
    for path in finished:
        assert load_run(path).test_accuracy is not None and lk.load(path.parent).task.labels == ROWS.labels
        assert not (path.parent / "checkpoint").exists()
