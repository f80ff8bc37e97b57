"""The command line under `accelerate launch` and `torchrun`: several processes compute one run, the first one speaks and
writes."""

import json
import os
import socket

import pytest
import stand_ins
import warm
from stand_ins import rows_of, write_csv

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    stand_ins.bert(folder / "tiny", classifier_dropout=0.0)
    write_csv(folder / "data.csv", rows_of(stand_ins.corpus(64)))
    return folder


def launched(lab, processes, *given):
    """Run the command in that many processes, as a launcher does; (exit status, output, errors) of each."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    common = {"OMP_NUM_THREADS": "1", "LABKIT_LANG": "en", "HF_HUB_OFFLINE": "1"}
    if processes > 1:
        common |= {"WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [{**common, "RANK": r, "LOCAL_RANK": r} if processes > 1 else common for r in range(processes)]
    children = [warm.start([*given, "--device", "cpu"], lab, lab.parent / "said", **env) for env in ranks]
    return [child.ended() for child in children]


def test_train_in_two_processes_gives_the_losses_of_one_and_writes_once(lab):
    words = ("train", "data.csv", "--model", "tiny", "--epochs", 2, "--lr", "1e-3", "--json")
    ((status, _, errors),) = launched(lab, 1, *words, "--out", "one")
    assert status == 0, errors
    (first, out, errors), (second, nothing, silence) = launched(lab, 2, *words, "--out", "two")
    assert first == second == 0, errors
    assert json.loads(out)["out"] == "two" and not nothing and "epoch" not in silence
    one, two = (json.loads((lab / out / "run.json").read_text("utf-8")) for out in ("one", "two"))
    for mine, theirs in zip(one["history"], two["history"], strict=True):
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], abs=1e-5)
        assert mine["valid_loss"] == pytest.approx(theirs["valid_loss"], abs=1e-5)
    assert sorted(os.listdir(lab / "one")) == sorted(os.listdir(lab / "two"))


def test_compare_in_two_processes_writes_each_run_once_and_goes_on_from_what_is_there(lab):
    words = ("compare", "data.csv", "--model", "tiny", "--epochs", 1, "--out", "table", "--json")
    for strategies in ("full,head", "full,head,lora"):
        (first, out, errors), (second, *_) = launched(lab, 2, *words, "--strategies", strategies)
        assert first == second == 0, errors
        assert [r["strategy"] for r in json.loads(out)["runs"]] == strategies.split(",")
    assert {f for f in os.listdir(lab / "table") if f.endswith(".json")} >= {
        "full-s0.json",
        "head-s0.json",
        "lora-s0.json",
    }


def test_bad_input_ends_every_process_with_one_message(lab):
    (first, _, errors), (second, _, silence) = launched(lab, 2, "train", "nothing.csv")
    assert first == second == 2
    assert "nothing.csv" in errors and not silence
