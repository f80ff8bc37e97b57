"""The command line as a user meets it: train, predict, doctor, demo; what goes to which stream; stopping and going on."""

import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import stand_ins
import warm
from stand_ins import rows_of, write_csv

import labkit as lk
from labkit.base.display import display_width
from labkit.base.files import verify
from labkit.cli import arguments, commands, running
from labkit.strategies import TopK

FIELDS = {  # what --json promises
    *("strategy", "model", "seed", "device", "epochs", "n_train", "n_valid", "n_test"),
    *("valid_accuracy", "valid_macro_f1", "test_accuracy", "test_macro_f1"),
    *("seconds", "samples_per_second", "peak_memory_mb", "trainable_parameters", "total_parameters"),
    *("saved_bytes", "out"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with a tiny model, 96 rows, and the rest of what a user has."""
    folder = tmp_path_factory.mktemp("lab")
    stand_ins.bert(folder / "tiny")
    write_csv(folder / "data.csv", rows_of(stand_ins.corpus(64)))
    return folder


@pytest.fixture
def here(lab, tmp_path, monkeypatch):
    """An empty working folder, where what a command leaves behind is seen."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def labkit(capsys):
    """Run the command in this process: labkit("doctor", "--json") gives exit status, standard output, standard error."""

    def run(*given):
        try:
            status = commands.main([str(g) for g in given])
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    return run


def training(lab, out, *more):
    return ["train", lab / "data.csv", "--model", lab / "tiny", "--out", out, "--epochs", 3, "--lr", "1e-3", *more]


# train


def test_train_prints_one_json_object_and_its_progress_on_standard_error(lab, here, labkit):
    status, out, err = labkit(*training(lab, "out", "--json"))
    assert status == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found.keys() == FIELDS
    assert (found["strategy"], found["seed"], found["epochs"], found["out"]) == ("full", 0, 3, "out")
    assert found["n_train"] + found["n_valid"] + found["n_test"] == 96
    assert found["saved_bytes"] == sum(p.stat().st_size for p in (here / "out").iterdir() if p.name != "run.json")
    assert "epoch 3: train loss" in err
    assert "step" in err


def test_train_without_json_says_the_scores_in_words(lab, here, labkit):
    status, out, _ = labkit(*training(lab, "out", "--epochs", 1, "--strategy", "head"))
    assert status == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        *("strategy", "valid accuracy", "test accuracy", "time", "model")
    ]
    assert out.startswith("strategy: head")


def test_the_trained_folder_loads_with_labkit_and_with_plain_transformers(lab, here, labkit):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    labkit(*training(lab, "out", "--epochs", 1))
    verify("out")
    ours = lk.load("out")
    plain, tokenizer = AutoModelForSequenceClassification.from_pretrained("out"), AutoTokenizer.from_pretrained("out")
    asked = tokenizer(["好棒", "坏差"], return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(ours(**asked).logits, plain.eval()(**asked).logits)
    assert plain.config.id2label == {0: "mark0", 1: "mark1"}
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        *("config.json", "labkit.json", "manifest.json", "model.safetensors", "run.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    ]


def test_the_command_line_and_the_same_call_in_python_give_the_same_run(lab, here, labkit):
    found = json.loads(labkit(*training(lab, "out", "--seed", 3, "--batch-size", 8, "--json"))[1])
    corpus = lk.load_csv(lab / "data.csv")
    model = lk.load(lab / "tiny", labels=corpus.labels, seed=3)
    run = lk.Trainer(model, corpus, config=lk.TrainConfig(epochs=3, lr=1e-3, seed=3, batch_size=8)).fit()
    assert (run.valid.loss, run.test_accuracy) == (cli_run("out").valid.loss, found["test_accuracy"])


def cli_run(folder):
    from labkit.base.files import load_run

    return load_run(f"{folder}/run.json")


def test_without_test_a_stratified_split_is_held_out_the_same_for_every_seed(lab, here, labkit):
    def held_out(seed, out):
        labkit(*training(lab, out, "--epochs", 1, "--seed", seed))
        run = cli_run(out)
        return run.corpus["fingerprint"], run.n_valid, run.n_test, [c.n for c in run.test.parts]

    first, other = held_out(0, "a"), held_out(1, "b")
    assert first == other
    assert first[1:] == (10, 10, [5, 5])


def test_given_test_and_valid_files_are_used_as_they_are(lab, here, labkit):
    corpus = stand_ins.corpus(96, seed=5)
    names = corpus.labels
    for split in ("valid", "test"):
        write_csv(here / f"{split}.csv", [(r.input, names[r.target]) for r in corpus.splits[split]])
    given = ["--valid", "valid.csv", "--test", "test.csv", "--epochs", 1, "--json"]
    found = json.loads(labkit(*training(lab, "out", *given))[1])
    assert (found["n_valid"], found["n_test"]) == (24, 24)
    assert found["n_train"] == 96 - cli_dropped(lab / "data.csv", here)


def cli_dropped(data, here):
    corpus = lk.load_csv(data, valid=here / "valid.csv", test=here / "test.csv")
    return sum(d.count for d in corpus.dropped)


def test_limit_takes_that_many_stratified_training_rows(lab, here, labkit):
    found = json.loads(labkit(*training(lab, "out", "--limit", 20, "--epochs", 1, "--json"))[1])
    assert (found["n_train"], found["n_valid"], found["n_test"]) == (20, 10, 10)
    found = json.loads(labkit(*training(lab, "all", "--limit", 10**9, "--epochs", 1, "--json"))[1])
    assert found["n_train"] == 76


def test_a_compressed_file_with_its_own_column_names_in_a_folder_with_spaces_and_chinese(lab, here, labkit):
    place = here / "实验 一"
    place.mkdir()
    write_csv(place / "评论 集.csv.gz", rows_of(stand_ins.corpus(64)), header=("内容", "情感"))
    model = stand_ins.bert(place / "小 模型")
    given = ["train", place / "评论 集.csv.gz", "--text", "内容", "--label", "情感", "--model", model, "--epochs", 1]
    status, out, _ = labkit(*given, "--out", place / "结果 目录", "--json")
    assert status == 0
    assert json.loads(out)["out"] == str(place / "结果 目录")
    status, out, _ = labkit("predict", place / "结果 目录", "好棒")
    assert (status, out.count("\n")) == (0, 1)


def test_without_out_each_run_gets_a_folder_of_its_own(lab, here, labkit):
    given = ["train", lab / "data.csv", "--model", lab / "tiny", "--epochs", 1, "--json"]
    outs = [json.loads(labkit(*given)[1])["out"] for _ in range(2)]
    assert outs == ["runs/data-full-s0", "runs/data-full-s0-2"]


def test_an_empty_out_folder_is_taken(lab, here, labkit):
    (here / "out").mkdir()
    assert labkit(*training(lab, "out", "--epochs", 1))[0] == 0


def test_the_packaged_reviews_train_by_name(here, lab, labkit):
    given = ["train", "reviews", "--limit", 16, "--model", lab / "tiny", "--epochs", 1, "--out", "out", "--json"]
    status, out, _ = labkit(*given)
    assert (status, json.loads(out)["n_train"]) == (0, 16)


def test_tags_train_with_a_crf_on_top_where_that_is_asked_for(lab, here, labkit):
    given = ["train", "names", "--limit", 16, "--model", lab / "tiny", "--epochs", 1, "--out", "out", "--crf"]
    assert labkit(*given)[0] == 0
    assert json.loads((here / "out/labkit.json").read_text("utf-8"))["task"]["crf"] is True
    assert labkit("predict", "out", "张三去北京")[0] == 0
    assert "CRF cannot be exported" in labkit("compress", "out", "--out", "small")[2]  # its own rows are not refused


def test_packaged_pictures_are_varied_as_asked():
    from labkit.cli import given
    from labkit.cli.arguments import arguments

    options = arguments().parse_args(["train", "doodles", "--augment", "shift=0.1"])
    assert given.corpus_of(options).task.modality.shift == 0.1


def test_every_flag_of_the_config_reaches_the_run(lab, here, labkit):
    given = {
        **{"--batch-size": 8, "--max-length": 12, "--seed": 2, "--optimizer": "sgd", "--weight-decay": 0.5},
        **{"--schedule": "cosine", "--warmup": 0.3, "--clip": 0.5, "--accumulation": 2, "--class-weights": "balanced"},
        **{"--patience": 2, "--precision": "fp32", "--cache": "half", "--cache-mb": 64, "--device": "cpu"},
    }
    status, _, _ = labkit(*training(lab, "out", "--no-bucket", *(x for pair in given.items() for x in pair)))
    assert status == 0
    asked = {flag[2:].replace("-", "_"): value for flag, value in given.items()}
    assert cli_run("out").config == {**asked, "epochs": 3, "lr": 1e-3, "bucket": False}


# Stopping and going on


@pytest.fixture(scope="module")
def stopped(lab, tmp_path_factory):
    """Runs stopped amid epoch 2 (76 rows, 5 steps an epoch), by Ctrl-C, kill and kill -9: their folder and how they ended."""
    folder = tmp_path_factory.mktemp("stopped")
    started = {
        name: warm.start(
            training(lab, name, "--json"), folder, folder / "said", (8, signal.Signals[name]), LABKIT_LANG="en"
        )
        for name in ("SIGINT", "SIGTERM", "SIGKILL")
    }
    return folder, {name: process.ended() for name, process in started.items()}


@pytest.fixture(scope="module")
def unstopped(lab, tmp_path_factory):
    """The weights of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("unstopped") / "out"
    assert commands.main([str(x) for x in training(lab, out)]) == 0
    return (out / "model.safetensors").read_bytes()


def resumed(stopped, name, labkit, lab, monkeypatch):
    """What the command answers when the stopped run goes on."""
    monkeypatch.chdir(stopped[0])
    return labkit(*training(lab, name, "--resume", "--json"))


def checkpoints(folder):
    return sorted(p.name[:13] for p in (folder / "checkpoint").glob("step-*"))


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_killed_run_goes_on_from_its_last_epoch_to_the_same_weights(stopped, lab, labkit, unstopped, monkeypatch):
    folder, ended = stopped
    assert ended["SIGKILL"][0] == -9
    assert checkpoints(folder / "SIGKILL") == ["step-00000005"]
    status, out, err = resumed(stopped, "SIGKILL", labkit, lab, monkeypatch)
    assert (status, json.loads(out)["epochs"]) == (0, 3)
    assert "epoch 1:" not in err
    assert "epoch 2:" in err
    assert (folder / "SIGKILL" / "model.safetensors").read_bytes() == unstopped
    assert not (folder / "SIGKILL" / "checkpoint").exists()


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C differently")
@pytest.mark.parametrize("name, left_with", [("SIGINT", 1), ("SIGTERM", 128 + 15)])
def test_ctrl_c_and_kill_keep_every_step_and_resume_finishes_to_the_same_weights(
    name, left_with, stopped, lab, labkit, unstopped, monkeypatch
):
    folder, ended = stopped
    status, out, err = ended[name]
    assert (status, out) == (left_with, "")
    assert "Traceback" not in err
    assert "Interrupted." in err
    assert f"--out {name} --resume" in err
    assert checkpoints(folder / name) == ["step-00000005", "step-00000008"]
    status, out, _ = resumed(stopped, name, labkit, lab, monkeypatch)
    assert status == 0
    assert json.loads(out).keys() == FIELDS
    assert (folder / name / "model.safetensors").read_bytes() == unstopped


def test_ctrl_c_before_the_training_leaves_nothing(lab, here, labkit, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(lk.Trainer, "run", pressed)
    status, out, err = labkit(*training(lab, "new/out"))
    assert (status, out) == (1, "")
    assert err.endswith("Interrupted.\n")
    assert list(here.iterdir()) == []


def test_resume_of_a_finished_run_prints_its_stored_result(lab, here, labkit):
    first = labkit(*training(lab, "out", "--json"))
    before = {p: p.stat().st_mtime_ns for p in (here / "out").iterdir()}
    again = labkit(*training(lab, "out", "--json", "--resume"))
    assert again[:2] == first[:2]
    assert again[2] == "The run in out is finished already.\n"
    assert {p: p.stat().st_mtime_ns for p in (here / "out").iterdir()} == before


def test_resume_of_an_empty_folder_starts_from_the_beginning(lab, here, labkit, unstopped):
    (here / "out").mkdir()  # what a kill before the end of the first epoch leaves
    assert labkit(*training(lab, "out", "--resume"))[0] == 0
    assert (here / "out" / "model.safetensors").read_bytes() == unstopped


# predict


@pytest.fixture(scope="module")
def trained(lab, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    assert commands.main([str(x) for x in training(lab, out, "--epochs", 1)]) == 0
    return out


def test_predict_gives_a_line_a_text(trained, labkit):
    status, out, err = labkit("predict", trained, "好棒赞", "坏 差")
    assert (status, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert [text for _, _, text in lines] == ["好棒赞", "坏 差"]
    assert all(label in ("mark0", "mark1") and 0.5 <= float(p) <= 1 for label, p, _ in lines)


def test_predict_json_is_one_object_with_every_probability(trained, labkit):
    status, out, err = labkit("predict", trained, "好棒赞", "坏差", "--json")
    assert (status, err) == (0, "")
    predictions = json.loads(out)["predictions"]
    assert [p["text"] for p in predictions] == ["好棒赞", "坏差"]
    for p in predictions:
        assert p["probabilities"].keys() == {"mark0", "mark1"}
        assert p["probability"] == p["probabilities"][p["label"]] == max(p["probabilities"].values())
        assert sum(p["probabilities"].values()) == pytest.approx(1)


def test_predict_reads_standard_input_by_lines(trained, labkit, monkeypatch):
    given = io.TextIOWrapper(io.BytesIO("好棒赞\n\n  坏差\r\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", given)
    status, out, _ = labkit("predict", trained, "前", "-", "后")
    assert status == 0
    assert [line.split("\t")[2:] for line in out.splitlines()] == [["前"], ["好棒赞"], [], ["坏差"], ["后"]]


def test_an_empty_line_keeps_its_place_among_the_answers(trained, labkit, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("好\n\n坏\n"))
    answers = json.loads(labkit("predict", trained, "-", "--json")[1])["predictions"]
    assert [a and a["text"] for a in answers] == ["好", None, "坏"]


def test_predict_agrees_with_python(trained, labkit):
    (said,) = json.loads(labkit("predict", trained, "好棒赞", "--json")[1])["predictions"]
    (ours,) = lk.predict(lk.load(trained), ["好棒赞"])
    assert (said["label"], said["probability"]) == (ours.label, ours.probability)


# doctor, demo, compare


def test_doctor_lists_versions_device_memory_and_what_is_missing(labkit, monkeypatch):
    from labkit.base import machine

    real = machine.version
    monkeypatch.setattr(machine, "version", lambda p: None if p == "datasets" else real(p))
    status, out, err = labkit("doctor")
    assert (status, err) == (0, "")
    assert re.search(r"^torch +\d+\.\d+", out, re.M)
    assert re.search(r"^datasets +not installed$", out, re.M)
    assert "missing: datasets: pip install 'labkit[hub]'" in out
    assert "device: " in out
    assert "disk available: " in out
    assert "paste what `labkit doctor --json` prints into the repository's form “问题 · Bug”" in out


def test_doctor_json_is_one_object(labkit):
    status, out, err = labkit("doctor", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found.keys() == {
        *("versions", "system", "device", "device_name"),
        *("memory_available_mb", "memory_total_mb", "disk_free_mb", "missing"),
    }
    assert found["versions"]["labkit"] == lk.__version__
    assert found["device"] in ("cpu", "cuda", "mps")
    assert platform.machine() in found["system"]


def test_doctor_json_can_be_shown_to_anybody(labkit, monkeypatch):
    from labkit.base import machine

    def broken():
        raise OSError(f"{Path.home()}/.venv/lib/libtorch.so: cannot open")

    monkeypatch.setattr(machine, "device", broken)
    for words in (("doctor",), ("doctor", "--json")):
        _, out, _ = labkit(*words)
        assert "~/.venv/lib/libtorch.so" in out
        assert str(Path.home()) not in out and os.getcwd() not in out


def test_doctor_lives_without_torch(labkit, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails
    status, out, _ = labkit("doctor", "--json")
    assert status == 0
    assert json.loads(out)["device"] is None
    assert "torch does not work" in json.loads(out)["device_name"]


def test_demo_prints_a_table_and_writes_its_figures(lab, here, labkit, monkeypatch):
    from labkit.comparison import compare as comparison
    from labkit.data import packaged

    real, few, quick = comparison.compare, lk.reviews(limit=24), lk.TrainConfig(epochs=1)
    monkeypatch.setattr(packaged, "reviews", lambda: few)
    monkeypatch.setattr(
        comparison, "compare", lambda s, c, config, listen: real(s, c, lab / "tiny", (0,), quick, listen=listen)
    )
    (here / "pictures").mkdir()
    (here / "pictures" / "curves.png").write_text("of an earlier demo")
    status, out, err = labkit("demo", "--out", "pictures")
    assert status == 0
    assert {"full", "head", "top-2", "tf-idf"} <= set(re.findall(r"^\S+", out, re.M))
    assert "epoch 1:" in err
    pictures = sorted((here / "pictures").iterdir())
    assert [p.name for p in pictures] == ["comparison.png", "curves.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)


def test_compare_json_holds_each_run_and_the_baseline(lab, here, labkit, monkeypatch):
    from labkit.comparison import processes

    asked = []
    monkeypatch.setattr(processes, "usual_workers", lambda *what: asked.append(what) or 1)
    given = ["compare", lab / "data.csv", "--model", lab / "tiny", "--strategies", "head,top-2", "--seeds", "0,1"]
    status, out, err = labkit(*given, "--epochs", 1, "--json")
    assert (status, out.count("\n"), asked) == (0, 1, [("auto", 4)])
    found = json.loads(out)
    assert [(r["strategy"], r["seed"]) for r in found["runs"]] == [("head", 0), ("top-2", 0), ("head", 1), ("top-2", 1)]
    assert all(r.keys() == FIELDS for r in (*found["runs"], found["baseline"]))
    assert err.count("epoch 1:") == 4
    assert list(here.iterdir()) == []


def test_compare_writes_runs_table_and_figures_and_prints_verdicts(lab, here, labkit, monkeypatch):
    monkeypatch.setattr(TopK, "groups", lambda *_: 1 / 0)
    given = ["compare", lab / "data.csv", "--model", lab / "tiny", "--strategies", "head,top-2,full", "--epochs", 1]
    given += ["--workers", 1]
    status, out, err = labkit(*given, "--out", "made")
    assert status == 1  # one of them failed: it is said, and the others are there
    assert "top-2, seed 0 failed: ZeroDivisionError" in err and "top-2 (seed 0) failed" in out
    assert {"full", "head", "tf-idf", "majority"} <= set(re.findall(r"^(?:\d )?(\S+)", out, re.M)) and "≈" in out
    made = {p.name for p in (here / "made").iterdir()}
    assert made == {
        *(f"{name}-s0.json" for name in ("head", "top-2", "full", "tf-idf", "majority")),
        *("comparison.csv", "comparison.json", "comparison.png", "forest.png", "parameters.png", "verdicts.png"),
        "curves.png",
    }
    assert len(json.loads((here / "made" / "comparison.json").read_text("utf-8"))) == 4
    status, out, err = labkit(*given, "--out", "made", "--no-retry", "--json")
    found = json.loads(out)["runs"]
    assert (status, "epoch" in err) == (1, False) and [r["test_accuracy"] is None for r in found] == [
        False,
        True,
        False,
    ]


def test_compare_stopped_by_ctrl_c_keeps_the_finished_runs_and_says_so(lab, here, labkit, monkeypatch):
    from labkit.cli.progress import Progress

    class Stopping(Progress):
        runs = 0

        def __call__(self, event):
            self.runs += getattr(event, "step", 0) == 1
            if self.runs == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(running, "Progress", Stopping)
    given = ["compare", lab / "data.csv", "--model", lab / "tiny", "--strategies", "head,top-2,full", "--epochs", 1]
    given += ["--workers", 1]
    status, out, err = labkit(*given, "--out", "kept")
    assert (status, out) == (1, "")
    assert err == "Interrupted.\n1 of 3 runs were done.\n"
    assert [p.name for p in (here / "kept").iterdir()] == ["head-s0.json"]


# The bar


def test_each_run_has_its_own_bar_even_after_an_early_stop(capsys):
    from labkit.base.records import StepDone
    from labkit.cli.progress import Progress

    with Progress() as progress:
        for steps in (2, 7):  # the first run stops early: after 2 of 7
            for step in range(steps):
                progress(StepDone(step + 1, 7, 1, 0.1, 0.5))
    err = capsys.readouterr().err
    assert "2/7" in err
    assert "7/7" in err
    assert err.endswith("\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_several_runs_at_once_have_a_bar_each_in_a_terminal_and_lines_alone_in_a_file(capsys, monkeypatch, terminal):
    from labkit.base.records import Epoch, EpochDone, RunBegins, RunEnds, StepDone
    from labkit.cli.progress import Progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with Progress(finished=2) as progress:
        for number, name in ((3, "full"), (4, "head")):
            progress(RunBegins(f"{name}, seed 0 ({number} of 4)", name, 0, number, 4))
        for step in (1, 7):
            for number in (3, 4):
                progress(StepDone(step, 7, 1, 0.1, 0.5, number))
        progress(EpochDone(Epoch(1, 7, 0.4, 0.3, {"accuracy": 0.9}, 1.0), None, True, 4))
        progress(RunEnds(None, 3))
        progress(RunEnds(None, 4))
        progress(RunEnds(None))  # a baseline
    err = capsys.readouterr().err
    lines = ["full, seed 0 (3 of 4)", "head, seed 0 (4 of 4)"]
    lines += ["head, seed 0: epoch 1: train loss 0.400, valid loss 0.300, valid accuracy 0.900"]
    if terminal:
        assert "all:" in err and "2/4" in err and "4/4" in err and "full, seed 0: 100%" in err
        assert [line for line in lines if line not in err] == []
    else:
        assert err.splitlines() == lines


# The command itself


def run_module(*given, cwd, **env):
    command = [sys.executable, "-m", "labkit", *given]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **env}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8", check=False)


def test_python_m_labkit_is_the_command(here):
    ran = run_module("--version", cwd=here)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"labkit {lk.__version__}\n", "")


def test_chinese_comes_out_as_utf8_whatever_the_locale(here):
    ran = run_module("predict", "none", "x", cwd=here, LC_ALL="C", LANG="C", PYTHONUTF8="0", LABKIT_LANG="zh")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("labkit: 没有目录 none。")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break differently on Windows")
def test_a_reader_that_goes_away_is_no_error_message(here):
    """As in `labkit predict ... | head -1`."""
    code = "import sys; from labkit.cli import commands; commands.doctor = lambda _: print('x' * 10**6); sys.exit(commands.main(['doctor']))"
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ran = subprocess.run([sys.executable, "-c", code], env=env, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_without_arguments_the_help_is_shown(labkit):
    status, out, err = labkit()
    assert (status, out) == (2, "")
    assert all(name in err for name in ("train", "compare", "predict", "doctor", "demo"))


@pytest.mark.parametrize("command", ["", "train", "compare", "predict", "doctor", "demo"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_help_fits_a_terminal_and_is_in_the_chosen_language(language, command, labkit, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = labkit(*[command][: bool(command)], "--help")
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if display_width(line) > 79] == []
    chinese = re.search("[\u4e00-\u9fff]", out)
    assert bool(chinese) == (language == "zh")


def test_every_flag_has_help_in_both_languages(monkeypatch):
    for language, wanted in (("zh", r"[\u4e00-\u9fff]|full"), ("en", r"^[\x20-\x7e…]+$")):
        monkeypatch.setenv("LABKIT_LANG", language)
        top = arguments.arguments()
        (commands,) = (a.choices for a in top._actions if a.dest == "command")
        for name, command in commands.items():
            for action in command._actions:
                if action.dest != "help":
                    assert re.search(wanted, action.help or ""), (language, name, action.dest)


def test_every_field_of_the_config_has_its_words_in_both_languages():
    for field in fields(lk.TrainConfig):
        for zh, en in (field.metadata["label"], field.metadata["help"]):
            assert re.search(r"[\u4e00-\u9fff]|balanced", zh) and en.isascii(), field.name
