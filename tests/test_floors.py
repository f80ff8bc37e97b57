"""Imports go down only, and each heavy dependency has one door."""

import ast
import graphlib
from pathlib import Path

import pytest

LABKIT = Path(__file__).resolve().parents[1] / "labkit"

FLOORS = (
    ("records", "text", "machine", "show", "config", "intervals"),
    ("data", "twins", "reading", "labels", "tasks", "models", "layers", "adapters", "checkpoint", "plots"),
    (
        "strategies",
        "anatomy",
        "frozen",
        "lastlayer",
        "evaluation",
        "forgetting",
        "mountains",
        "walks",
        "landscape",
        "planes",
        "slices",
        "explain",
    ),
    ("training", "running"),
    (
        "comparison",
        "tables",
        "judging",
        "sizes",
        "trial",
        "forecast",
        "rates",
        "livehead",
        "tuning",
        "diagnosis",
        "deploy",
    ),
    ("ui", "cli", "flags", "output", "bar", "lesson", "exercises", "__main__"),
)
DOORS = {
    "transformers": ("models", "tasks"),
    "peft": ("adapters",),
    "datasets": ("reading",),
    "matplotlib": ("plots",),
    "ipywidgets": ("ui",),
}
FLOOR = {unit: number for number, units in enumerate(FLOORS) for unit in units}
TOP = len(FLOORS) - 1


def imported(path, source):
    """Full dotted names that the file `path` ("labkit/ui/run.py") imports, wherever in it, by statement or by name.

    >>> list(imported("labkit/data.py", "import torch\\nfrom .text import tr"))
    ['torch', 'labkit.text.tr']
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


def unit_of(dotted):
    """The module or package of labkit that a name belongs to; what stands in none is the public face, `__init__`.

    >>> unit_of("labkit.tasks.classify"), unit_of("labkit.load_csv"), unit_of("labkit")
    ('tasks', '__init__', '__init__')
    """
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR else "__init__"


def violations(sources):
    """What is wrong with {path: source}, one line each; `__init__` names everything lazily and may."""
    found, same_floor = [], {}
    for path, source in sources.items():
        unit = path.removesuffix(".py").split("/")[1]
        if unit not in FLOOR and unit != "__init__":
            found.append(f"{path} stands on no floor: add {unit!r} to FLOORS")
            continue
        for name in imported(path, source):
            library = name.split(".")[0]
            if library in DOORS and unit not in DOORS[library]:
                found.append(f"{path} imports {library}: its door is {' or '.join(DOORS[library])}")
            if library != "labkit" or unit == "__init__" or name == "labkit.__version__":
                continue
            target = unit_of(name)
            if FLOOR.get(target, TOP) > FLOOR[unit]:
                found.append(f"{path} imports {name}, which is on a higher floor")
            elif target != unit and FLOOR.get(target) == FLOOR[unit]:
                same_floor.setdefault(unit, set()).add(target)
    try:
        graphlib.TopologicalSorter(same_floor).prepare()
    except graphlib.CycleError as error:
        found.append(f"a circle of imports: {' -> '.join(error.args[1])}")
    return found


def test_labkit_keeps_its_floors_and_doors():
    sources = {p.relative_to(LABKIT.parent).as_posix(): p.read_text("utf-8") for p in LABKIT.rglob("*.py")}
    assert sources
    assert violations(sources) == []


@pytest.mark.parametrize(
    "path, source, complaint",
    [
        ("labkit/data.py", "from labkit.training import Trainer", "higher floor"),
        ("labkit/data.py", "from .training import Trainer", "higher floor"),
        ("labkit/data.py", "from . import training", "higher floor"),
        ("labkit/data.py", "import labkit.training as t", "higher floor"),
        ("labkit/data.py", "def f():\n    from .training import Trainer", "higher floor"),
        ("labkit/tasks/classify.py", "from ..evaluation import score", "higher floor"),
        ("labkit/tasks/__init__.py", "from ..evaluation import score", "higher floor"),
        ("labkit/training.py", "import labkit as lk", "higher floor"),
        ("labkit/training.py", "from labkit import Corpus", "higher floor"),
        ("labkit/training.py", "import peft", "its door is adapters"),
        ("labkit/training.py", "import matplotlib.pyplot as plt", "its door is plots"),
        ("labkit/training.py", "import importlib\nimportlib.import_module('peft')", "its door is adapters"),
        ("labkit/cli.py", "def f():\n    from transformers import AutoModel", "its door is models or tasks"),
        ("labkit/__init__.py", "import ipywidgets", "its door is ui"),
        ("labkit/novelty.py", "", "stands on no floor"),
    ],
)
def test_a_violation_is_caught(path, source, complaint):
    (found,) = violations({path: source})
    assert path in found
    assert complaint in found


def test_a_circle_on_one_floor_is_caught():
    (found,) = violations({"labkit/data.py": "from . import models", "labkit/models.py": "from .data import Corpus"})
    assert "circle" in found


@pytest.mark.parametrize(
    "path, source",
    [
        ("labkit/training.py", "import torch\nfrom .data import Corpus\nfrom .strategies import Full"),
        ("labkit/training.py", "from labkit import records, __version__"),
        ("labkit/evaluation.py", "from .frozen import Frozen"),
        ("labkit/tasks/classify.py", "import transformers\nfrom . import base\nfrom ..records import Row"),
        ("labkit/ui/run.py", "import ipywidgets\nimport labkit as lk\nfrom ..plots import runs"),
        ("labkit/__init__.py", "def __getattr__(name):\n    from .training import Trainer"),
    ],
)
def test_what_goes_down_is_allowed(path, source):
    assert violations({path: source}) == []
