"""The classroom pack installs with no network, and refuses where it would not work."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("make_pack", ROOT / "tools" / "make_pack.py")
maker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(maker)


def one_wheel(folder):
    """Stands in for the wheels of labkit[lab]: a labkit of one line, and the empty extra."""
    folder.mkdir()
    about = "Metadata-Version: 2.1\nName: labkit\nVersion: 0.1.0\nProvides-Extra: lab\n"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"labkit.py": "where = __file__\n", "labkit-0.1.0.dist-info/METADATA": about}
    files |= {"labkit-0.1.0.dist-info/WHEEL": wheel, "labkit-0.1.0.dist-info/RECORD": ""}
    with zipfile.ZipFile(folder / "labkit-0.1.0-py3-none-any.whl", "w") as made:
        for name, text in files.items():
            made.writestr(name, text)


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """The pack, unpacked as a student would."""
    monkeypatch.setattr(maker, "build_wheels", one_wheel)
    maker.main(["--out", str(tmp_path)])
    (made,) = tmp_path.glob("*.zip")
    zipfile.ZipFile(made).extractall(tmp_path / "课堂 class")
    return tmp_path / "课堂 class" / made.stem


def install(pack):
    command = [sys.executable, str(pack / "install.py")]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=200)


def test_it_holds_notebooks_and_exercises_but_no_solutions(pack):
    names = {path.relative_to(pack).as_posix() for path in pack.rglob("*.ipynb")}
    wanted = {p.relative_to(ROOT).as_posix() for folder in maker.FOLDERS for p in (ROOT / folder).glob("*.ipynb")}
    assert names == wanted and any("exercises/zh/01" in name for name in names)
    assert "BEGIN SOLUTION" not in "".join(path.read_text(encoding="utf-8") for path in pack.rglob("*.ipynb"))


def test_it_installs_without_a_network_also_over_what_an_interrupted_install_left(pack):
    (pack / ".venv").mkdir()
    (pack / ".venv" / "pyvenv.cfg").write_text("half written")
    done = install(pack)
    assert done.returncode == 0, done.stderr
    assert "00_start_here.ipynb" in done.stdout
    (python,) = [path for place in ("bin/python", "Scripts/python.exe") if (path := pack / ".venv" / place).exists()]
    where = subprocess.run([python, "-c", "import labkit; print(labkit.where)"], capture_output=True, cwd="/")
    assert b".venv" in where.stdout


@pytest.mark.parametrize("harm, said", [(lambda p: p.write_bytes(b"x"), "damaged"), (Path.unlink, "missing")])
def test_a_damaged_or_missing_file_is_named_and_nothing_is_installed(pack, harm, said):
    harm(pack / "notebooks" / "zh" / "01_first_finetune.ipynb")
    done = install(pack)
    assert done.returncode == 1 and not (pack / ".venv").exists()
    assert said in done.stderr and "notebooks/zh/01_first_finetune.ipynb" in done.stderr


def test_another_system_is_refused(pack):
    (pack / "MADE-FOR").write_text("3.9 plan9-vax\n")
    done = install(pack)
    assert done.returncode == 1 and "This pack is for Python 3.9 plan9-vax" in done.stderr


def test_wheels_that_cannot_be_made_leave_no_archive(tmp_path, monkeypatch):
    def fail(folder):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(maker, "build_wheels", fail)
    with pytest.raises(SystemExit, match="nothing was written"):
        maker.main(["--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


# The wheel

ALONE = """
import contextlib, io, labkit as lk, labkit_exercises
said = io.StringIO()
with contextlib.redirect_stdout(said):
    lk.check("01.2", lambda lengths, batches: 0.5), lk.check("01.2", lambda lengths, batches: 0.5)
lk.report("Lin Yue", "reports")
print(lk.__file__, labkit_exercises.__file__, len(lk.reviews().test), "Hint 1" in said.getvalue(), sep="\\n")
"""


def python(folder, *arguments):
    """Python beside an installed labkit, in a folder that is not this project's."""
    (folder / "class").mkdir(exist_ok=True)
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, cwd=folder / "class", timeout=200
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with labkit installed in `site` from its own wheel, made of a copy of the project."""
    folder = tmp_path_factory.mktemp("wheel")
    unneeded = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "notebooks", "solutions", "__pycache__")
    shutil.copytree(ROOT, folder / "project", ignore=unneeded)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    make = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "project")]
    subprocess.run([*pip, *make], check=True)
    (wheel,) = folder.glob("labkit-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder


def test_the_wheel_holds_every_module_every_asset_and_the_words_of_the_exercises(installed):
    homes = {"labkit": ROOT / "labkit", "labkit_exercises": ROOT / "exercises" / "checks"}
    for name, home in homes.items():
        ours = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        there = {p.relative_to(installed / "site" / name).as_posix() for p in (installed / "site" / name).rglob("*.*")}
        assert {p for p in ours if "." in p} <= there


def test_an_installed_labkit_checks_an_answer_and_reads_a_class(installed):
    done = python(installed, "-c", ALONE)
    assert done.returncode == 0, done.stderr
    labkit, course, rows, hint = done.stdout.splitlines()
    assert [Path(labkit).parents[1], Path(course).parents[1]] == [installed / "site"] * 2
    assert (rows, hint) == ("360", "True")
    read = python(installed, "-m", "labkit", "class", "reports")
    assert read.returncode == 0, read.stderr
    assert "Lin Yue" in read.stdout
