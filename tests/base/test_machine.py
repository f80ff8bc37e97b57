"""What the machine is asked, and what it answers where it cannot."""

import sys
import time

import pytest

from labkit.base import hub, machine, memory


def test_versions_name_python_and_what_decides_a_runs_numbers():
    found = machine.versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"labkit", "torch", "transformers"} <= found.keys() and None not in found.values()
    assert machine.version("no-such-package") is None


def test_memory_is_available_of_total():
    available, total = memory.memory_mb()
    assert 0 < available <= total
    assert memory.room_mb("cpu")[1] == total


def test_memory_is_the_systems_own_account_and_unknown_where_it_keeps_none(monkeypatch):
    import psutil

    available, total = memory.memory_mb()
    assert total <= psutil.virtual_memory().total / 2**20 and available <= total
    assert memory.used_mb() == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.1)
    monkeypatch.setattr(memory, "limit_mb", lambda: None)
    assert memory.memory_mb()[1] == pytest.approx(psutil.virtual_memory().total / 2**20)

    def hidden():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", hidden)
    assert memory.memory_mb() is None


@pytest.mark.parametrize("content", ["", "nonsense", "VmRSS: 5 kB\n"])
def test_a_system_that_keeps_no_mark_has_none_to_lower(monkeypatch, content):
    monkeypatch.setattr(memory.Path, "write_text", lambda *a: None)
    monkeypatch.setattr(memory.Path, "read_text", lambda *a: content)
    assert not memory.lower_mark("cpu")


def test_a_containers_limit_is_the_memory_that_there_is(tmp_path, monkeypatch):
    assert memory.limit_mb(tmp_path) is None
    for name, content in {
        "max": f"{600 << 20}\n",
        "current": f"{500 << 20}\n",
        "stat": f"anon 1\ninactive_file {100 << 20}\n",
    }.items():
        (tmp_path / f"memory.{name}").write_text(content)
    assert memory.limit_mb(tmp_path) == (600, 400)
    monkeypatch.setattr(memory, "limit_mb", lambda *root: (600.0, 400.0))
    assert memory.memory_mb() == (200, 600)
    monkeypatch.undo()
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.limit_mb(tmp_path) is None


def test_peak_memory_sees_what_was_used_and_freed():
    peak = memory.PeakMemory("cpu")
    before = peak.mb()
    work = bytearray(b"x") * 60_000_000
    del work
    assert before + 50 < peak.mb() < before + 500


def test_peak_memory_forgets_what_was_freed_before_it():
    earlier = memory.PeakMemory("cpu")
    pieces = [bytes(100_000) + b"x" for _ in range(800)]  # small ones: the allocator keeps their room for later
    last = pieces[-1]
    del pieces
    later = memory.PeakMemory("cpu")
    assert earlier.mb() > later.mb() + 50 and last


def test_meters_that_overlap_do_not_blind_each_other():
    outer = memory.PeakMemory("cpu")
    work = bytearray(b"x") * 60_000_000
    del work
    inner = memory.PeakMemory("cpu")
    assert outer.mb() > inner.mb() + 50 and outer.mb() > outer.start + 50


def test_where_the_system_has_no_mark_to_lower_the_use_is_watched(monkeypatch):
    monkeypatch.setattr(memory, "lower_mark", lambda kind: False)
    peak = memory.PeakMemory("cpu")
    work = bytearray(b"x") * 60_000_000
    deadline = time.monotonic() + 10
    while peak.highest < peak.start + 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    del work
    assert peak.mb() > peak.start + 50


def test_device_is_one_that_torch_knows():
    import torch

    kind = machine.device()
    assert torch.zeros(1, device=kind).device.type == kind
    assert str(torch.get_num_threads()) in machine.device_name("cpu")


def test_free_disk_is_that_of_the_nearest_folder(tmp_path):
    deep = tmp_path / "not" / "yet" / "made"
    assert machine.free_disk_mb(deep) > 0 and not deep.exists()
    (tmp_path / "file").write_text("x")
    assert machine.nearest(deep) == tmp_path and machine.nearest(tmp_path) == tmp_path


def test_a_drive_that_does_not_exist_is_no_endless_search(monkeypatch):
    monkeypatch.setattr(machine.os.path, "exists", lambda path: False)
    assert machine.nearest("some/where").name == "where"


def test_an_endpoint_changed_after_the_import_is_noticed(monkeypatch):
    from huggingface_hub import constants

    assert hub.stale_endpoint() is None
    monkeypatch.setenv("HF_ENDPOINT", constants.ENDPOINT + "/")
    assert hub.stale_endpoint() is None
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    assert hub.stale_endpoint() == constants.ENDPOINT
