"""Bad input gets one clear message that says what was given and what to do, exit status 2, and leaves no file behind."""

import errno
import gzip
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import stand_ins

import labkit as lk
from labkit.base import files, machine
from labkit.cli import commands, running

CORPUS = stand_ins.corpus(64)
ROWS = "".join(f"{row.input},{CORPUS.labels[row.target]}\n" for split in CORPUS.splits.values() for row in split)
FILES = {
    "good.csv": "text,label\n" + ROWS,
    "empty.csv": "",
    "blank.csv": "\n  \n",
    "header.csv": "text,label\n",
    "stars.csv": "text,stars\n好,1\n坏,0\n",
    "one class.csv": "text,label\n" + "".join(f"文本{i},good\n" for i in range(30)),
    "one row.csv": "text,label\n" + "".join(f"文本{i},c{i}\n" for i in range(10)),
    "no texts.csv": "text,label\n" + ",1\n  ,0\n" * 20,
    "nan.csv": "text,label\n" + ROWS + "没有标签,nan\n也没有,\n",
    "maybe.csv": "text,label\n好,mark0\n坏,maybe\n",
    "commas.csv": "text,label\n" + ROWS + "这里,有,逗号,mark0\n",
    "picture.csv": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8,
    "sheet.csv": b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00" + bytes(range(256)) * 8,
    "noise.csv": bytes(range(255, 127, -1)) * 8,
    "broken.csv.gz": gzip.compress(b"text,label\n" * 1000)[:-20],
}


def tree(*folders):
    """Every file with its content, and every folder."""
    paths = [p for folder in folders for p in [folder, *folder.rglob("*")] if p.exists()]
    return {p: p.read_bytes() if p.is_file() else None for p in paths}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return stand_ins.bert(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with every bad file, and a good one."""
    place = tmp_path / "work"
    place.mkdir()
    for name, content in FILES.items():
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (place / "full").mkdir()
    (place / "full" / "thesis.txt").write_text("years of work")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def refused(here, tmp_path, capsys):
    """Run a command that has to be refused; the answer is the message."""

    def run(*given):
        homes = Path(os.environ["HF_HOME"])
        before = tree(tmp_path, homes)
        try:
            status = commands.main([str(g) for g in given])
        except SystemExit as leaving:
            status = leaving.code
        out, err = capsys.readouterr()
        after = tree(tmp_path, homes)
        assert (status, out) == (2, ""), err
        assert one_message(err), err
        assert [p for p in after if p not in before] == []
        assert {p: v for p, v in after.items() if p in before} == before
        return err

    return run


def one_message(err):
    """One message: the command's name once at its start, no traceback, and no progress before it."""
    return re.match(r"labkit( \w+)?: \S", err) and not re.search(r"\n\s*labkit\b|Traceback|\r|File \"", err)


def chinese(text):
    return re.search("[\u4e00-\u9fff]", text)


@pytest.fixture(params=["en", "zh"])
def language(request, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", request.param)
    return request.param


def check_words(err, language, given, advice):
    """The message names what was given, and says in the chosen language what to do."""
    assert given in err
    if language == "en":
        assert re.search(advice, err), err
        assert not chinese(err.replace(given, ""))
    else:
        assert chinese(err.replace(given, ""))
        assert not re.search(r"won't do|\b[Gg]ive\b|\bChoose\b|\bhas\b", err), err


# case: (arguments after `train`, what the message names, what it advises)
DATA = {
    "missing file": (["none.csv"], "none.csv", r"Give a \.csv or \.csv\.gz file"),
    "a folder for a file": (
        ["full"],
        "full",
        r"is a folder without a train\.csv .*\. Give a file, or name train, valid",
    ),
    "empty file": (["empty.csv"], "empty.csv", "first line should name the columns"),
    "blank file": (["blank.csv"], "blank.csv", "first line should name the columns"),
    "header only": (["header.csv"], "header.csv", r"a header and no rows\. Give it a text and a label"),
    "missing column": (["stars.csv"], "stars.csv", r"only: text, stars\. Name it with .*--label"),
    "missing text column": (["good.csv", "--text", "review"], "'review'", r"only: text, label\. Name it with .*--text"),
    "one class only": (["one class.csv"], "one class.csv", r"needs two or more\. Check that the label column"),
    "one row a class": (["one row.csv"], "one row.csv", r"so 3 a class\. Add rows, remove those classes"),
    "all texts empty": (
        ["no texts.csv"],
        "no texts.csv",
        "none of its 40 rows can be used.*Check that the text column",
    ),
    "NaN labels": (["nan.csv"], "nan.csv", "2 rows have no label, the first in line 98. Fill them in or remove"),
    "labels unknown in the test file": (
        ["good.csv", "--test", "maybe.csv"],
        "maybe.csv",
        r"Known are: mark0, mark1\. Correct them",
    ),
    "labels unknown in the valid file": (
        ["good.csv", "--valid", "maybe.csv"],
        "maybe.csv",
        r"Known are: mark0, mark1\. Correct them",
    ),
    "missing test file": (["good.csv", "--test", "none.csv"], "none.csv", r"Give a \.csv"),
    "commas without quotes": (["commas.csv"], "commas.csv", "in double quotes"),
    "picture renamed": (["picture.csv"], "picture.csv", "Save it from your spreadsheet as 'CSV UTF-8'"),
    "spreadsheet renamed": (["sheet.csv"], "sheet.csv", "Save it from your spreadsheet as 'CSV UTF-8'"),
    "bytes of no encoding": (["noise.csv"], "noise.csv", "Save it from your spreadsheet as 'CSV UTF-8'"),
    "damaged gzip file. Download or pack it again": (
        ["broken.csv.gz"],
        "broken.csv.gz",
        "damaged gzip file. Download or pack it again",
    ),
    "a name too long for a file": (["x" * 300 + ".csv"], "x" * 300, r"too long|No file"),
    "own splits": (["reviews", "--test", "good.csv"], "--test", "leave it out"),
    "own columns": (["names", "--columns", "text=t"], "--columns", "leave it out"),
    "own groups": (["reviews", "--groups", "shop"], "--groups", "leave it out"),
    "own texts": (["reviews", "--text", "words", "--label", "mood"], "--text, --label", "leave them out"),
    "turned texts": (["reviews", "--augment", "rotate=10"], "rotate", "no setting rotate; there are"),
    "a CRF for one label": (["reviews", "--crf"], "--crf", "goes only with tags"),
}
CHOICES = {
    "unknown strategy": (["--strategy", "lorra"], "'lorra'", "there are: full, head, top-K"),
    "a placeholder for a strategy": (["--strategy", "top-K"], "'top-K'", "there are: full"),
    "more layers than there are": (["--strategy", "top-99"], "top-99", "k goes from 1 to 3"),
    "no layer": (["--strategy", "top-0"], "top-0", "k goes from 1 to 3"),
    "model folder without a model": (["--model", "full"], "full", "should hold config.json"),
    "out is a file": (["--out", "good.csv"], "--out good.csv", "give a folder"),
    "out is not empty": (["--out", "full"], "--out full", "Choose another folder, or --resume"),
    "out below a file": (["--out", "good.csv/new/out"], "good.csv/new/out", "Choose another folder"),
    "out too long": (["--out", "y" * 300], "y" * 300, "too long"),
    "more pieces than rows": (["--batch-size", 8, "--accumulation", 16], "accumulation", "Give 1 to 8, or take larger"),
    "longer than the model": (["--max-length", 8192], "8192", "Give 4 to 64"),
    "resume without out": (["--resume"], "--resume", "needs --out"),
    "resume of a missing folder": (["--resume", "--out", "none"], "none", "Check --out"),
    "resume of a foreign folder": (["--resume", "--out", "full"], "full", "holds no run to go on with"),
}
NUMBERS = {
    "--epochs": [0, -1, 10**9, 1.5, "two", ""],
    "--lr": [-1, 0, "nan", "inf", 99, "fast"],
    "--batch-size": [0, -4, 10**12],
    "--max-length": [1, 0, -1, 10**9],
    "--limit": [0, -5, "some", "9" * 5000],
    "--seed": [-1, 2**63],
    "--weight-decay": [-1, "nan", 1e99],
    "--warmup": [-0.1, 1, 1.5, "nan"],
    "--clip": [-1, "inf"],
    "--accumulation": [0, -1, 10**9],
    "--patience": [0, -1, 10**9],
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_used(case, language, refused, tiny):
    given, named, advice = DATA[case]
    check_words(refused("train", *given, "--model", tiny), language, named, advice)


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_that_cannot_be_met(case, language, refused, tiny):
    given, named, advice = CHOICES[case]
    check_words(refused("train", "good.csv", "--model", tiny, *given), language, named, advice)


@pytest.mark.parametrize("flag, value", [(f, v) for f, values in NUMBERS.items() for v in values])
def test_a_number_out_of_bounds(flag, value, language, refused, tiny):
    err = refused("train", "good.csv", "--model", tiny, flag, value)
    check_words(err, language, flag, r"give a|is not a")
    assert str(value) in err


def test_a_limit_smaller_than_the_number_of_classes(language, refused, tiny):
    err = refused("train", "good.csv", "--model", tiny, "--limit", 1)
    check_words(err, language, "limit=1", "2 classes need at least one row each")


@pytest.mark.parametrize(
    "given, named",
    [
        (["trian", "good.csv"], "trian"),
        (["train"], "DATA"),
        (["train", "good.csv", "--epoch", "3"], "--epoch 3"),
        (["train", "good.csv", "--epochs"], "--epochs"),
        (["train", "good.csv", "--optimizer", "lion"], "lion"),
        (["train", "good.csv", "--device", "tpu"], "tpu"),
        (["predict", "full"], "INPUT"),
    ],
)
def test_arguments_that_do_not_parse_get_one_message_and_the_way_to_the_help(given, named, refused):
    err = refused(*given)
    assert named in err
    assert re.search(r"For help: labkit.* --help\n$", err)


# The hub, the folder, the disk


def test_a_hub_name_without_network(language, refused, unplugged, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    err = refused("train", "good.csv", "--model", "some-org/some-model", "--out", "new")
    check_words(err, language, "'some-org/some-model'", r"Three ways out:\n.*packaged model.*\n.*\n.*HF_ENDPOINT")
    assert unplugged  # it did ask


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that takes no files from anybody: /proc")
def test_an_out_folder_that_takes_no_files(language, refused, tiny):
    err = refused("train", "good.csv", "--model", tiny, "--out", "/proc/labkit/out")
    check_words(err, language, "--out /proc/labkit/out", "Cannot write to .*Choose another folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_out_folder_without_permission(language, refused, tiny, here):
    (here / "locked").mkdir(mode=0o555)
    err = refused("train", "good.csv", "--model", tiny, "--out", "locked/new")
    check_words(err, language, "--out locked/new", "Cannot write to .*Choose another folder")


@pytest.fixture
def small_disk(tmp_path_factory):
    """A function that mounts a file system of so many KB and gives its folder; for root on Linux."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small file system")
    place = tmp_path_factory.mktemp("disk")

    def mount(kilobytes, *how):
        command = ["mount", *how, "-t", "tmpfs", "-o", f"{'remount,' * bool(how)}size={kilobytes}k", "none", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


def arguments(tiny, out, *more):
    return ["train", "good.csv", "--model", tiny, "--epochs", 3, "--lr", "1e-3", "--out", out, *more]


def test_a_disk_too_small_for_the_run_is_refused_before_the_training(language, refused, tiny, small_disk):
    disk = small_disk(200)
    err = refused(*arguments(tiny, disk / "out"))
    check_words(err, language, f"--out {disk / 'out'}", r"MB free, this run needs about 1 MB .*Free some space")
    assert list(disk.iterdir()) == []


def test_a_disk_that_is_full_at_the_start(language, refused, tiny, small_disk):
    disk = small_disk(40)
    (disk / "filler").write_bytes(b"x" * 40 * 1024)
    err = refused(*arguments(tiny, disk / "new" / "out"))
    check_words(err, language, f"--out {disk / 'new' / 'out'}", "the disk is full.*Choose another folder")
    assert [p.name for p in disk.iterdir()] == ["filler"]


@pytest.fixture
def command(capsys):
    """Run a command that may show progress before it ends: status, standard output, standard error."""

    def run(*given):
        status = commands.main([str(g) for g in given])
        return status, *capsys.readouterr()

    return run


def last_message(err):
    """What is said after the progress."""
    assert "Traceback" not in err
    assert err.count("labkit: ") == 1, err
    return err[err.index("labkit: ") :]


def test_a_disk_that_fills_up_before_the_first_checkpoint(here, command, tiny, small_disk, monkeypatch):
    monkeypatch.setattr(machine, "free_disk_mb", lambda _: 1e6)  # so it was when the run began
    disk = small_disk(300)
    status, out, err = command(*arguments(tiny, disk / "out"))
    assert (status, out) == (2, "")
    assert "the disk is full" in last_message(err)
    assert list(disk.iterdir()) == []


def test_a_disk_that_fills_up_later_keeps_the_checkpoints_and_says_how_to_go_on(
    here, command, tiny, small_disk, monkeypatch
):
    monkeypatch.setattr(machine, "free_disk_mb", lambda _: 1e6)
    assert command(*arguments(tiny, "whole"))[0] == 0
    disk = small_disk(900)  # two checkpoints fit, three do not
    status, out, err = command(*arguments(tiny, disk / "out"))
    assert (status, out) == (2, "")
    assert "the disk is full" in last_message(err)
    assert f"--out {disk / 'out'} --resume" in last_message(err)
    small_disk(9000, "-o", "remount")
    assert command(*arguments(tiny, disk / "out", "--resume"))[0] == 0
    assert (disk / "out" / "model.safetensors").read_bytes() == (here / "whole" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("call", range(1, 32, 3))
def test_a_disk_that_is_full_at_any_moment_leaves_nothing_or_what_resume_can_use(
    call, here, command, tiny, monkeypatch
):
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        status, out, err = command(*arguments(tiny, "out"), "--epochs", 2)
    if len(calls) < call:  # the run was over before
        assert status == 0
        return
    assert (status, out) == (2, "")
    assert "the disk is full" in last_message(err)
    if (here / "out").exists():
        assert list((here / "out" / "checkpoint").glob("step-*"))
        assert "--out out --resume" in last_message(err)
        assert command(*arguments(tiny, "out", "--resume"), "--epochs", 2)[0] == 0
        lk.load("out")
        assert not (here / "out" / "checkpoint").exists()


# Going on with what is not the same run


@pytest.fixture
def interrupted(here, tiny, capsys, monkeypatch):
    """A run that was stopped after its first epoch."""
    from labkit.cli import progress

    class Failing(progress.Progress):
        def __call__(self, event):
            super().__call__(event)
            if isinstance(event, lk.EpochDone):
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "Progress", Failing)
        assert commands.main([str(x) for x in arguments(tiny, "out")]) == 1
    assert "--out out --resume" in capsys.readouterr().err
    return here / "out"


@pytest.mark.parametrize(
    "more, named",
    [
        (["--strategy", "head"], "strategy"),
        (["--epochs", 4], "epochs"),
        (["--lr", 0.5], "lr"),
        (["--seed", 1], "seed"),
        (["--limit", 30], "corpus"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_what_differs(more, named, refused, tiny, interrupted):
    err = refused(*arguments(tiny, "out", "--resume"), *more)
    assert "another" in err
    assert named in err
    assert "Use the same arguments, or another out." in err


@pytest.mark.parametrize("other", [dict(seed=1), dict(hidden_size=48, num_attention_heads=4)])
def test_a_checkpoint_of_another_model_is_refused(other, refused, tiny, interrupted, tmp_path, capsys):
    model = stand_ins.bert(tmp_path / "other", **other)
    capsys.readouterr()  # the library's bar
    assert "another model" in refused(*arguments(model, "out", "--resume"))


def test_a_damaged_checkpoint_is_refused_by_name(refused, tiny, interrupted):
    (newest,) = (interrupted / "checkpoint").glob("step-*")
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    err = refused(*arguments(tiny, "out", "--resume"))
    assert str(weights.relative_to(interrupted.parent)) in err
    assert "truncated or altered" in err


@pytest.mark.parametrize(
    "more, named",
    [
        (["--strategy", "head"], "strategy"),
        (["--epochs", 4], "epochs"),
        (["--seed", 1], "seed"),
        (["--limit", 30], "corpus"),
    ],
)
def test_a_finished_run_is_not_shown_as_the_result_of_another(more, named, language, refused, command, tiny):
    assert command(*arguments(tiny, "out"), "--epochs", 1)[0] == 0
    err = refused(*arguments(tiny, "out", "--resume"), "--epochs", 1, *more)
    named = {"strategy": "策略", "corpus": "数据"}.get(named, named) if language == "zh" else named
    check_words(err, language, named, "out holds another run .*Use the same arguments, or another --out")


# The other commands


def test_predict_refuses_what_is_no_model(language, refused):
    check_words(refused("predict", "none", "好"), language, "none", "Give a model folder that labkit train wrote")
    check_words(refused("predict", "good.csv", "好"), language, "good.csv", "Give a model folder")
    check_words(refused("predict", "full", "好"), language, "full", "should hold config.json")


def test_predict_refuses_a_model_without_a_head(refused, tiny):
    assert "no classification head" in refused("predict", tiny, "好")


@pytest.mark.parametrize("texts", [[""], ["好", "  "], ["-"]])
def test_predict_refuses_empty_texts(texts, language, refused, tiny, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n  \n"))
    err = refused("predict", tiny, *texts)
    check_words(err, language, "", "give one or more texts, none of them empty")


def test_predict_refuses_text_of_an_unknown_encoding(language, refused, tiny, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("好".encode("gbk")), encoding="utf-8"))
    check_words(refused("predict", tiny, "-"), language, "UTF-8", "the input is no UTF-8 text")
    from_terminal = os.fsdecode("好".encode("gbk"))
    check_words(refused("predict", tiny, from_terminal), language, "UTF-8", "the input is no UTF-8 text")


@pytest.mark.parametrize(
    "given, named",
    [
        (["--strategies", "full,lorra"], "'lorra'"),
        (["--strategies", "top-99"], "top-99"),
        (["--strategies", ""], "''"),
        (["--seeds", "0,x"], "'0,x'"),
        (["--seeds", "0,-1"], "seed"),
        (["--out", "good.csv"], "good.csv"),
    ],
)
def test_compare_refuses_before_its_first_run(given, named, refused, tiny):
    assert named in refused("compare", "good.csv", "--model", tiny, "--epochs", 1, "--out", "new", *given)


def test_demo_refuses_a_file_for_a_folder(refused):
    assert "good.csv" in refused("demo", "--out", "good.csv")


# The real command


@pytest.mark.parametrize(
    "given, named",
    [(["none.csv"], "none.csv"), (["good.csv", "--strategy", "lorra"], "lorra"), (["picture.csv"], "picture.csv")],
)
def test_the_real_command_refuses_with_exit_status_2(given, named, here):
    before = tree(here)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ran = subprocess.run([sys.executable, "-m", "labkit", "train", *given], env=env, capture_output=True, check=False)
    err = ran.stderr.decode()
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert one_message(err)
    assert named in err
    assert tree(here) == before
