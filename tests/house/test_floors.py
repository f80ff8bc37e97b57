"""Imports go down the stair only, and each heavy library has one door."""

import ast
import graphlib
import re
import tomllib
from pathlib import Path

import pytest

import labkit

ROOT = Path(__file__).resolve().parents[2]

STAIR = (  # the one table of rooms, from the ground up; rooms on one step do not know each other
    ("base",),
    ("modalities",),
    ("tasks",),
    ("data", "models"),
    ("strategies",),
    ("training",),
    ("landscape", "inspection", "deploy"),
    ("comparison",),
    ("plots",),
    ("ui", "cli"),
)
STEP = {room: number for number, rooms in enumerate(STAIR) for room in rooms}
DOORS = {  # heavy libraries, and the rooms or files that may import them
    "transformers": ("models", "tasks", "modalities"),
    "peft": ("models/added",),
    "datasets": ("data/hub_sets",),
    "openpyxl": ("data/tables",),
    "huggingface_hub": ("base/hub",),
    "dask": ("comparison/workers",),
    "distributed": ("comparison/workers",),
    "matplotlib": ("plots",),
    "ipywidgets": ("ui",),
    "fastapi": ("deploy/serve_app",),
    "starlette": ("deploy/serve_app",),
    "uvicorn": ("deploy/serve",),
    "optuna": ("comparison/study",),
    "onnx": ("deploy/graph",),
    "onnxscript": ("deploy/graph",),
    "onnxruntime": ("deploy/graph", "models/exported"),
    "soundfile": ("modalities/sounds",),
}
FACES = ("labkit/__init__.py", "labkit/__main__.py")  # they hand names on, and may know every room
COURSE = "labkit_exercises"  # knows labkit by its public names alone; the command and the public names know it
OUTSIDE = ("exercises/", "notebooks/", "solutions/", "docs/", "README")  # what a student reads or runs, prose and cells


def imported(path, source):
    """Full dotted names that the file `path` ("labkit/ui/run.py") imports, wherever in it, by statement or by name.

    >>> list(imported("labkit/data.py", "import torch\\nfrom .text import tr"))
    ['torch', 'labkit.base.language.tr']
    """
    folders = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse(source, path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = folders[: len(folders) - level + 1] if level else []
                base = ".".join([*above, *([module] if module else [])])
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(str(wanted)), *_]):
                if name in ("import_module", "__import__"):
                    yield wanted


def room_of(dotted):
    """The room that a dotted name stands in; what stands in none is the public face.

    >>> room_of("labkit.tasks.classification"), room_of("labkit.load_csv"), room_of("labkit")
    ('tasks', '', '')
    """
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in STEP else ""


def private(path, source):
    """What an outsider's file says of labkit that is no public name, in an import, an attribute, a string or its prose.

    >>> list(private("notebooks/src/01.py", "from labkit.base.language import tr  # see lk.nonsense"))
    ['labkit.base.language.tr', 'lk.nonsense']
    """
    if path.endswith(".py"):
        names = [name for name in imported(path, source) if name.split(".")[0] == "labkit"]
    else:
        names = re.findall(r"(?:from|import) (labkit[\w.]*)", source)
    names += re.findall(r"\blk\.[a-zA-Z]\w*(?:\.[a-zA-Z]\w*)?", source)
    names += re.findall(rf"[\"'`](labkit\.(?:{'|'.join(STEP)})\.[\w.]+)", source)
    yield from (name for name in names if not is_public(*name.split(".")[1:3]))


def is_public(name="", inner=""):
    """Whether an outsider may say `lk.name`, and `lk.name.inner` where the name is a module's.

    >>> is_public("plots", "curves"), is_public("plots", "look"), is_public("data", "Corpus")
    (True, False, False)
    """
    if name not in labkit.__all__:
        return name in ("", "__version__")
    return name not in labkit._MODULES or inner in ("", *getattr(getattr(labkit, name), "__all__", [inner]))


def violations(sources):
    """What is wrong with {path: source}, one line each."""
    found, inside = [], {}
    for path, source in sources.items():
        if path.startswith(OUTSIDE):
            found += [f"{path} says {name}: it may use public names of labkit alone" for name in private(path, source)]
            continue
        room, module = path.split("/")[1], path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if room not in STEP and path not in FACES:
            found.append(f"{path} stands in no room: add {room!r} to STAIR")
            continue
        for name in imported(path, source):
            library = name.split(".")[0]
            place = path.removeprefix("labkit/").removesuffix(".py")
            if library in DOORS and room not in DOORS[library] and place not in DOORS[library]:
                found.append(f"{path} imports {library}: its door is {' or '.join(DOORS[library])}")
            if library == COURSE and path not in FACES and room != "cli":
                found.append(f"{path} imports {name}: the course stands beside the house")
            if library != "labkit" or path in FACES or name == "labkit.__version__":
                continue
            target = room_of(name)
            if target == room:
                inside.setdefault(module, set()).add(name)
            elif not target:
                found.append(f"{path} imports {name}, a public name: they are for those outside")
            elif STEP[target] > STEP[room]:
                found.append(f"{path} imports {name}, which is up the stair")
            elif STEP[target] == STEP[room]:
                found.append(f"{path} imports {name}, which is sideways")
            elif target == "modalities" and room != "tasks":
                found.append(f"{path} imports {name}: only tasks know a modality")
    return found + circles(inside)


def circles(inside):
    """Modules of one room that import each other in a loop; `{"labkit.data.corpus": {"labkit.data.splitting.split"}}`."""
    arrows = {
        module: {m for name in names for m in (name, name.rpartition(".")[0]) if m in inside and m != module}
        for module, names in inside.items()
    }
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return [f"a circle of imports: {' -> '.join(error.args[1])}"]
    return []


def sources():
    course = ("exercises/checks/**/*.*", "notebooks/src/*.py", "solutions/src/*.py")
    pages = ("README*.md", "docs/TEACHING.md", "docs/SCALING.md")  # EXTENDING.md leads into the rooms
    paths = [p for pattern in ("labkit/**/*.py", *course, *pages) for p in ROOT.glob(pattern)]
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in paths if p.suffix in (".py", ".toml", ".md")}


def test_labkit_keeps_its_stair_and_doors():
    assert violations(sources()) == []


def test_every_room_says_what_it_is_for_and_the_wheel_has_them_all():
    rooms = {p.name for p in (ROOT / "labkit").iterdir() if (p / "__init__.py").exists()}
    assert rooms <= set(STEP)
    assert all(ast.get_docstring(ast.parse((ROOT / "labkit" / r / "__init__.py").read_text("utf-8"))) for r in rooms)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    assert sorted(packages) == sorted(["labkit", COURSE, *(f"labkit.{room}" for room in rooms)])


@pytest.mark.parametrize(
    "path, source, complaint",
    [
        ("labkit/data/corpus.py", "from labkit.training.trainer import Trainer", "up the stair"),
        ("labkit/data/corpus.py", "from ..training import trainer", "up the stair"),
        ("labkit/data/corpus.py", "import labkit.training as t", "up the stair"),
        ("labkit/data/corpus.py", "def f():\n    from labkit.training.trainer import Trainer", "up the stair"),
        ("labkit/data/corpus.py", "from labkit.models.loading import load", "sideways"),
        ("labkit/data/__init__.py", "from ..models import loading", "sideways"),
        ("labkit/training/trainer.py", "from labkit.modalities.text import Text", "only tasks know a modality"),
        ("labkit/training/trainer.py", "import labkit as lk", "public name"),
        ("labkit/training/trainer.py", "from labkit import Corpus", "public name"),
        ("labkit/training/trainer.py", "from labkit_exercises import check", "beside the house"),
        ("labkit/training/trainer.py", "import peft", "its door is models/added"),
        ("labkit/models/loading.py", "import peft", "its door is models/added"),
        ("labkit/training/trainer.py", "import matplotlib.pyplot as plt", "its door is plots"),
        ("labkit/training/trainer.py", "import importlib\nimportlib.import_module('peft')", "its door is models/added"),
        ("labkit/cli/commands.py", "def f():\n    from transformers import AutoModel", "its door is models or tasks"),
        ("labkit/__init__.py", "import ipywidgets", "its door is ui"),
        ("labkit/novelty/new.py", "", "stands in no room"),
        ("labkit/novelty.py", "", "stands in no room"),
        ("exercises/checks/lesson01.py", "from labkit.base.language import tr", "public names of labkit alone"),
        ("exercises/checks/lesson01.py", "from labkit import nonsense", "labkit.nonsense: it may use public names"),
        ("exercises/checks/words/01.toml", "see `lk.nonsense`", "lk.nonsense: it may use public names"),
        (
            "notebooks/src/01.py",
            "import labkit as lk\nlk.data.corpus.Corpus",
            "lk.data.corpus: it may use public names",
        ),
        ("notebooks/src/01.py", "import labkit as lk\nlk.ui.Nonsense()", "lk.ui.Nonsense: it may use public names"),
        ("solutions/src/01.py", 'patch("labkit.base.memory.room_mb")', "labkit.base.memory.room_mb: it may use public"),
        ("docs/TEACHING.md", "from labkit.text import tr", "labkit.text: it may use public names"),
    ],
)
def test_a_violation_is_caught(path, source, complaint):
    (found,) = violations({path: source})
    assert path in found
    assert complaint in found


def test_a_circle_inside_a_room_is_caught():
    one, two = "from labkit.data.splitting import split_rows", "from . import corpus"
    (found,) = violations({"labkit/data/corpus.py": one, "labkit/data/splitting.py": two})
    assert "circle" in found


@pytest.mark.parametrize(
    "path, source",
    [
        ("labkit/training/trainer.py", "import torch\nfrom labkit.data.corpus import Corpus"),
        ("labkit/training/trainer.py", "from labkit.base import records\nfrom labkit import __version__"),
        ("labkit/training/evaluation.py", "from .network import ask"),
        ("labkit/tasks/tagging.py", "import transformers\nfrom labkit.modalities.text import Text"),
        ("labkit/ui/train.py", "import ipywidgets\nfrom ..plots import runs"),
        ("labkit/__init__.py", "def __getattr__(name):\n    from labkit.training.trainer import Trainer"),
        ("labkit/cli/commands.py", "from labkit_exercises.classroom import read_class"),
        ("exercises/checks/lesson01.py", "import labkit as lk\nfrom labkit import tr"),
        ("notebooks/src/01.py", "import labkit as lk\n# see `lk.tr` and labkit.json\nlk.plots.bars\nlk.files.ASSETS"),
    ],
)
def test_what_goes_down_is_allowed(path, source):
    assert violations({path: source}) == []
