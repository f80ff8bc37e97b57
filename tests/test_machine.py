"""What the machine is asked, and what it answers where it cannot."""

import sys
from pathlib import Path

import pytest

from labkit import machine


def test_versions_name_python_and_what_decides_a_runs_numbers():
    found = machine.versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"labkit", "torch", "transformers"} <= found.keys() and None not in found.values()
    assert machine.version("no-such-package") is None


def test_memory_is_available_of_total(tmp_path):
    found = machine.memory_mb()
    if not Path("/proc/meminfo").exists():
        assert found is None
        return
    available, total = found
    assert 0 < available <= total


@pytest.mark.parametrize("content", ["", "nonsense", "MemTotal: 5 kB\n"])
def test_memory_is_none_where_the_system_does_not_say(monkeypatch, content):
    monkeypatch.setattr(machine.Path, "read_text", lambda self: content)
    assert machine.memory_mb() is None


def test_peak_memory_sees_what_was_used_and_freed():
    peak = machine.PeakMemory("cpu")
    before = peak.mb()
    work = bytearray(b"x") * 60_000_000
    del work
    assert before + 50 < peak.mb() < before + 500


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

    assert machine.stale_endpoint() is None
    monkeypatch.setenv("HF_ENDPOINT", constants.ENDPOINT + "/")
    assert machine.stale_endpoint() is None
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    assert machine.stale_endpoint() == constants.ENDPOINT
