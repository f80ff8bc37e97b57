"""The built notebooks keep the rules that make `pytest --nbval` mean something, and their builder does what it says."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "build_notebooks.py"
SOURCES = sorted((ROOT / "notebooks" / "src").glob("*.py"))
BUILT = [path for language in ("zh", "en") for path in sorted((ROOT / "notebooks" / language).glob("*.ipynb"))]
IGNORING = {"nbval-ignore-output", "nbval-skip"}

spec = importlib.util.spec_from_file_location("build_notebooks", TOOL)
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

every_notebook = pytest.mark.parametrize("path", BUILT, ids=lambda path: f"{path.parent.name}/{path.stem}")


def code_cells(path):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def tags(cell):
    return cell["metadata"].get("tags", [])


def code_lines(text):
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def words(markdown):
    """Words of prose; two hanzi count as one word; code blocks, formulas, links and HTML tags don't count."""
    prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)]*\)|<[^>]*>", " ", markdown, flags=re.DOTALL)
    return len(re.findall(r"[A-Za-z]+(?:['’-][A-Za-z]+)*", prose)) + len(re.findall(r"[\u4e00-\u9fff]", prose)) / 2


# The notebooks


def test_every_source_is_built_as_it_stands():
    assert builder.check() == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_source_is_python(path):
    ast.parse(path.read_text(encoding="utf-8"))


@every_notebook
def test_cells_ran_once_from_top_to_bottom(path):
    # Without its count nbval runs a cell but compares nothing.
    assert [cell["execution_count"] for cell in code_cells(path)] == list(range(1, len(code_cells(path)) + 1))


@every_notebook
def test_outputs_are_stored_and_none_is_an_error(path):
    kinds = [output["output_type"] for cell in code_cells(path) for output in cell["outputs"]]
    assert kinds and "error" not in kinds


@every_notebook
def test_no_live_widget_is_stored(path):
    text = path.read_text(encoding="utf-8")
    assert "widget-view" not in text and "widgets" not in json.loads(text)["metadata"]


@every_notebook
def test_at_most_two_cells_escape_the_comparison(path):
    escaping = [c for c in code_cells(path) if IGNORING & set(tags(c)) or "NBVAL_" in "".join(c["source"])]
    assert len(escaping) <= 2


@every_notebook
def test_file_is_small(path):
    assert path.stat().st_size <= builder.MAX_BYTES


@every_notebook
def test_prose_outweighs_code(path):
    notebook = nbformat.read(path, as_version=4)
    prose = sum(words(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    lines = sum(len(code_lines(cell.source)) for cell in notebook.cells if cell.cell_type == "code")
    assert prose >= 4 * lines, f"{prose:.0f} words of prose for {lines} lines of code"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_both_languages_run_the_same_code(source):
    zh, en = (code_cells(builder.built_path(source, language)) for language in ("zh", "en"))
    assert [(c["id"], tags(c)) for c in zh] == [(c["id"], tags(c)) for c in en]
    assert all(a["source"] == b["source"] for a, b in zip(zh, en, strict=True) if "setup" not in tags(a))


# The builder

LESSON = """\
# %% [markdown] lang="zh"
# # 第一课

# %% [markdown] lang="en"
# # Lesson one

# %% tags=["setup"]
LANG = "zh"

# %%
import os

from ipywidgets import IntSlider

print(LANG, os.environ["LABKIT_LANG"], os.path.basename(os.getcwd()))

# %% [markdown]
# $E = mc^2$

# %% tags=["nbval-skip"]
IntSlider(value=3)
"""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A folder with a small lesson, built once for this file: the only two kernels that its tests start."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "src").mkdir()
    (folder / "src" / "01_try.py").write_text(LESSON, encoding="utf-8")
    command = [sys.executable, str(TOOL), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def source(lesson, tmp_path):
    """A fresh copy of the built lesson, for tests that change it; its source file."""
    for path in sorted(lesson.glob("*/01_try.*")):
        (tmp_path / path.parent.name).mkdir()
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    return tmp_path / "src" / "01_try.py"


@pytest.fixture
def kernel(monkeypatch):
    """Stands in for the kernel: holds what was run, and does in `run` what a test asks for."""

    class Client:
        runs = 0

        def __init__(self, notebook, **options):
            self.notebook = notebook

        def execute(self, **options):
            Client.runs += 1
            Client.run(self.notebook)

        def run(notebook):
            pass

    monkeypatch.setattr(builder.nbclient, "NotebookClient", Client)
    return Client


def edit(source, old, new):
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new), encoding="utf-8")


def built(source):
    return {path.parent.name: path.read_bytes() for path in source.parent.parent.glob("*/*.ipynb")}


def fail(notebook):
    raise CellExecutionError("Traceback: line 1", "ZeroDivisionError", "division by zero")


def test_a_lesson_becomes_one_notebook_a_language(lesson):
    for language, title in (("zh", "# 第一课"), ("en", "# Lesson one")):
        notebook = nbformat.read(lesson / language / "01_try.ipynb", as_version=4)
        sources = [cell.source for cell in notebook.cells]
        assert [sources[0], sources[2], sources[4]] == [title, f'LANG = "{language}"', "$E = mc^2$"]
        assert notebook.cells[3].outputs[0].text == f"{language} {language} {language}\n"
        assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3, 4]
        assert notebook.cells[5].metadata == {"tags": ["nbval-skip"]}
        assert notebook.metadata == builder.METADATA


def test_a_widget_leaves_its_text_but_not_its_view(lesson):
    notebook = nbformat.read(lesson / "en" / "01_try.ipynb", as_version=4)
    assert notebook.cells[5].outputs[0].data == {"text/plain": "IntSlider(value=3)"}


def test_code_cells_share_their_ids_and_markdown_cells_do_not(lesson):
    zh, en = (nbformat.read(lesson / language / "01_try.ipynb", as_version=4).cells for language in ("zh", "en"))
    same = [(a.cell_type, a.id == b.id) for a, b in zip(zh, en, strict=True)]
    assert same == [(kind, kind == "code") for kind, _ in same]
    assert len({cell.id for cell in zh + en}) == 4 + 4


def test_check_is_silent_right_after_a_build(source, kernel):
    builder.main(["--check", "--folder", str(source.parent.parent)])
    assert kernel.runs == 0


@pytest.mark.parametrize("old, new", [("Lesson one", "Lesson 1"), ("value=3", "value=4"), ("nbval-skip", "slow")])
def test_check_finds_an_edit(source, kernel, old, new):
    edit(source, old, new)
    with pytest.raises(SystemExit, match=r"01_try\.ipynb differs from src/01_try\.py") as stop:
        builder.main(["--check", "--folder", str(source.parent.parent)])
    assert kernel.runs == 0 and isinstance(stop.value.code, str)  # a string makes Python exit with status 1


def test_check_finds_missing_and_left_over_notebooks(source):
    source.rename(source.with_name("02_next.py"))
    lines = builder.check(source.parent.parent)
    assert lines[:2] == ["zh/02_next.ipynb is missing", "en/02_next.ipynb is missing"]
    assert lines[2:] == ["en/01_try.ipynb has no source", "zh/01_try.ipynb has no source"]


def test_new_prose_keeps_the_outputs_and_runs_nothing(source, kernel):
    edit(source, "# # Lesson one", "# # Lesson 1")
    before = built(source)
    builder.main(["01", "--folder", str(source.parent.parent)])
    assert kernel.runs == 0
    assert built(source)["zh"] == before["zh"]
    assert built(source)["en"] == before["en"].replace(b"Lesson one", b"Lesson 1")


def test_new_code_runs_again_in_both_languages(source, kernel):
    edit(source, "value=3", "value=4")
    builder.main(["--folder", str(source.parent.parent)])
    assert kernel.runs == 2 and builder.check(source.parent.parent) == []


def test_execute_all_runs_what_did_not_change(source, kernel):
    builder.main(["--execute-all", "--folder", str(source.parent.parent)])
    assert kernel.runs == 2


def test_outputs_cleared_by_hand_are_made_again(source, kernel):
    path = builder.built_path(source, "en")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].update(outputs=[], execution_count=None)
    nbformat.write(notebook, path)
    builder.main(["--folder", str(source.parent.parent)])
    assert kernel.runs == 1


def test_a_failing_cell_stops_the_build_and_leaves_the_old_files(source, kernel):
    kernel.run = fail
    edit(source, "value=3", "value=1 / 0")
    before = built(source)
    with pytest.raises(SystemExit, match=r"zh/01_try: a cell failed(?s:.*)Traceback: line 1"):
        builder.main(["--folder", str(source.parent.parent)])
    assert built(source) == before


@pytest.mark.parametrize(
    "text, message",
    [("x" * builder.MAX_BYTES, "Show fewer figures"), (f"{ROOT}/data", "a path of this machine")],
    ids=["too large", "machine path"],
)
def test_a_notebook_that_must_not_be_shipped_is_refused(source, kernel, text, message):
    def run(notebook):
        notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text=text)]

    kernel.run = run
    before = built(source)
    with pytest.raises(SystemExit, match=message):
        builder.main(["--execute-all", "--folder", str(source.parent.parent)])
    assert built(source) == before


def test_an_unknown_name_and_an_unknown_language_are_refused_with_what_is_accepted(source):
    with pytest.raises(SystemExit, match=r"No source \['07'\]. Accepted: \['01_try'\]"):
        builder.main(["07", "--folder", str(source.parent.parent)])
    edit(source, 'lang="en"', 'lang="de"')
    with pytest.raises(SystemExit, match="lang zh, en or none"):
        builder.main(["--folder", str(source.parent.parent)])


# Colab


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A pyproject.toml of its own, for tests that say where Colab installs from."""
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n\n[tool.labkit]\nsource = ""\n\n[tool.ruff]\nsource = "y"\n')
    monkeypatch.setattr(builder, "PYPROJECT", project)
    return project


def test_where_colab_installs_from_is_set_in_one_place_and_runs_nothing_again(source, kernel, address):
    where = "labkit @ git+https://github.com/someone/labkit@v1"
    builder.main(["--folder", str(source.parent.parent), "--source", where])
    assert address.read_text().count(where) == 1 and 'source = "y"' in address.read_text()
    cells = nbformat.read(builder.built_path(source, "en"), as_version=4).cells
    assert f'SOURCE = "{where}"' in cells[1].source and kernel.runs == 0
    assert "/github/someone/labkit/blob/main/" in cells[0].source and cells[0].source.endswith("# Lesson one")
    assert builder.check(source.parent.parent) == []


@pytest.mark.parametrize("where", ['x" ; import os', "two\nlines", "back\\slash"])
def test_an_address_that_would_break_the_cell_is_refused(source, address, where):
    before = address.read_text()
    with pytest.raises(SystemExit, match="in one line"):
        builder.main(["--folder", str(source.parent.parent), "--source", where])
    assert address.read_text() == before


@pytest.mark.parametrize(
    "text, count", [("你好，世界", 2), ("It's fine-tuning: `x = 1`", 2), ("```\na b\n```\n$a b$", 0)]
)
def test_words_of_prose(text, count):
    assert words(text) == count
