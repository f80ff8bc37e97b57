"""What Colab is, as far as it can be had elsewhere: ipywidgets 7.7.1, google.colab, no Chinese fonts, a package folder
that nobody may write to. The first notebook runs there to its end."""

import os
import shutil
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "00_start_here"
ASKS = """
import sys, ipywidgets, labkit, matplotlib.font_manager as fonts
print(ipywidgets.__version__, "google.colab" in sys.modules, labkit.__file__)
print([font.name for font in fonts.fontManager.ttflist if "CJK" in font.name or "Hei" in font.name])
"""


@pytest.fixture(scope="module")
def old_widgets():
    folder = Path(sys.prefix) / "widgets7"
    if not (folder / "ipywidgets").is_dir():
        pytest.skip("ipywidgets 7.7.1 is not there: `make test` and `make test-widgets7` put it into .venv/widgets7")
    return folder


def without_system_fonts(folder):
    """A cache of matplotlib that knows its own fonts only."""
    from matplotlib import font_manager

    real = font_manager.findSystemFonts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            font_manager, "findSystemFonts", lambda paths=None, fontext="ttf": real(paths, fontext) if paths else []
        )
        known = font_manager.FontManager()
    font_manager.json_dump(known, folder / f"fontlist-v{known.__version__}.json")


def contents(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.fixture(scope="module", params=["zh", "en"])
def colab(request, old_widgets, tmp_path_factory):
    """The notebook after its run, what the kernel says of itself, and whether the package stayed as it was."""
    folder = tmp_path_factory.mktemp("colab")
    packages, fonts, stub = folder / "packages", folder / "mpl", folder / "stub"
    for name, source in (("labkit", ROOT / "labkit"), ("labkit_exercises", ROOT / "exercises" / "checks")):
        shutil.copytree(source, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = contents(packages)
    for path in [*packages.rglob("*"), packages]:
        path.chmod(path.stat().st_mode & ~0o222)
    fonts.mkdir()
    without_system_fonts(fonts)
    (stub / "google" / "colab").mkdir(parents=True)
    (stub / "google" / "colab" / "__init__.py").write_text("")
    (stub / "sitecustomize.py").write_text("import google.colab\n")
    paths = [stub, packages, old_widgets]
    env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "LABKIT_LANG", "LABKIT_HOME")}
    env |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "MPLCONFIGDIR": str(fonts), "HOME": str(folder)}
    notebook = nbformat.read(ROOT / "notebooks" / request.param / f"{NOTEBOOK}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ASKS))
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute(env=env)
    yield notebook.cells, packages, contents(packages) == before
    for path in [*packages.rglob("*"), packages]:
        path.chmod(path.stat().st_mode | 0o200)


def test_the_first_notebook_runs_to_its_end(colab):
    cells, packages, untouched = colab
    assert untouched
    version, where, fonts = cells[-1].outputs[0].text.replace("\n", " ").split(" ", 2)
    assert (version, where) == ("7.7.1", "True")
    assert str(packages / "labkit") in fonts and fonts.strip().endswith("[]")


def test_chinese_needs_no_font_of_the_system_and_nothing_is_said_on_standard_error(colab):
    said = [o.text for cell in colab[0] for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    assert said == []


def test_a_panel_is_there_both_alive_and_as_a_picture(colab):
    bundles = [o.data for cell in colab[0] for o in cell.get("outputs", []) if "data" in o]
    panels = [data for data in bundles if "application/vnd.jupyter.widget-view+json" in data]
    assert panels and all(data.get("image/png") for data in panels)
