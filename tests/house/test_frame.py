"""The frame around the code: light import, versions that agree, a repository fit to hand out, tests without network."""

import itertools
import re
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import PackageNotFoundError, metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HOME = re.compile(rb"(?<![\w.])(?:/(?:home|Users)/\w+/|/roo[t]/|[A-Z]:\\{1,2}Users\\)")


def files():
    """Every file of the repository: what git tracks or would, or without git whatever lies outside hidden folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if git.returncode == 0:
        paths = [ROOT / name for name in git.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts[:-1])]
    return [p for p in paths if p.is_file()]


def test_importing_labkit_imports_nothing_heavy():
    code = "import labkit, sys; print(*{'torch', 'transformers', 'matplotlib', 'pandas'} & set(sys.modules))"
    command = [sys.executable, "-W", "error", "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "", "")


def test_no_module_hides_a_public_name():
    """Importing `labkit.x` makes `labkit.x` that module, for good: a function of that name would be gone."""
    import labkit

    names = set(labkit.__all__) - set(labkit._MODULES)
    assert [name for name in names if find_spec(f"labkit.{name}")] == []


def test_one_version_everywhere():
    import labkit

    assert labkit.__version__ == PROJECT["version"]
    assert f"\n## {PROJECT['version']} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_dependency_is_pinned_within_its_range():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines)
    assert lines == sorted(lines, key=str.lower)
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    named = itertools.chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for wanted in map(Requirement, named):
        if wanted.name != PROJECT["name"]:
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_every_pin_installs_on_the_oldest_patch_of_each_python():
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        try:
            accepted = SpecifierSet(metadata(line.split("==")[0]).get("Requires-Python") or "")
        except PackageNotFoundError:  # for another system
            continue
        assert [v for v in ("3.11.0", "3.12.0", "3.13.0") if not accepted.contains(v)] == [], line


def test_no_two_files_of_tests_have_one_name():
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))  # pytest imports them by it
    assert [name for name, count in names.items() if count > 1] == []


def test_no_file_is_too_large_for_git():
    assert [p.name for p in files() if p.stat().st_size > 12 * 2**20] == []


def test_no_file_names_somebodys_home_directory():
    assert [str(p.relative_to(ROOT)) for p in files() if HOME.search(p.read_bytes())] == []


@pytest.mark.parametrize(
    "path, home",
    [("/{}/mei/data.csv", "home"), ("see /{}/mei/x", "Users"), ("'/{}/.cache'", "root"), (r"C:\\{}\\mei", "Users")],
)
def test_a_home_directory_is_recognised(path, home):
    assert HOME.search(path.format(home).encode())


def test_tests_have_no_network(unplugged):
    with pytest.raises(ConnectionError, match=r"getaddrinfo example\.org:443"):
        socket.create_connection(("example.org", 443))
    with socket.socket() as plug, pytest.raises(ConnectionError, match=r"connect 192\.0\.2\.1:80"):
        plug.connect(("192.0.2.1", 80))
    assert unplugged == ["getaddrinfo example.org:443", "connect 192.0.2.1:80"]


def test_tests_reach_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def tree(page):
    """The paths that a README's picture of the files names, and every module that stands in it."""
    paths, folder, room, modules = [], "", "", set()
    for line in re.search(r"^```\n(README\.md.*?)^```", page, re.M | re.S)[1].splitlines():
        indent = len(line) - len(line.lstrip())
        if indent in (0, 2) and line.strip():
            names = itertools.takewhile(
                lambda word: word.isascii() and ("." in word or word.endswith("/") or word in ("LICENSE", "Makefile")),
                re.split(r" {3,}", line.strip())[0].split(),  # words follow behind a gap
            )
            names = list(names)
            if indent == 0:
                folder = names[0] if names[0].endswith("/") else ""
            paths += [(folder if indent else "") + name for name in names]
            room = folder + names[0] if indent and names and names[0].endswith("/") else folder
        modules |= {room + name for name in re.findall(r"\w+\.py", line)}
    return paths, modules


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_files_that_the_readme_draws_are_the_files_that_there_are(page):
    paths, named = tree((ROOT / page).read_text("utf-8"))
    assert [p for p in paths if not (ROOT / p).exists()] == []
    rooms = {p.parent.name + "/": p.parent for p in (ROOT / "labkit").glob("*/__init__.py")}
    modules = {f"labkit/{room}{p.name}" for room, place in rooms.items() for p in place.glob("*.py")}
    modules = {m for m in modules if not m.endswith("__init__.py")}
    drawn = {n for n in named if n.startswith("labkit/") and n.count("/") == 2}
    assert sorted(modules - drawn) == [] and sorted(drawn - modules) == []


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_where_a_new_thing_goes_is_one_line_that_names_a_folder(page):
    rows = re.findall(r"^\| ([^|]+) \| .*?`([\w/]+/)`", (ROOT / page).read_text("utf-8"), re.M)
    places = [place for _, place in rows]
    assert {"labkit/tasks/", "labkit/modalities/", "labkit/strategies/", "labkit/ui/", "exercises/checks/"} <= set(
        places
    )
    assert all((ROOT / place).is_dir() for place in places if place.startswith(("labkit/", "exercises/")))
