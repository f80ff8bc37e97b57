"""Build the Chinese and the English notebooks from notebooks/src and solutions/src, and store their outputs.

    python tools/build_notebooks.py [NAMES] [--check] [--execute-all] [--source WHERE]

A source is a jupytext py:percent file: markdown cells say lang="zh" or lang="en" (none: both languages), code cells
are written once. A notebook whose code is as it was keeps its outputs, so that an edit of prose costs no run. NAMES
are numbers (`01`) or whole names; --check compares only, and exits 1 when a built notebook is not what its source says.

A source in solutions/src is an exercise with its solution: a code cell says answer="01.2" or check="01.2" points=2, and
`# BEGIN SOLUTION` … `# END SOLUTION` stand around what a student writes. It becomes an executed notebook in solutions/,
with nbgrader's metadata, and one in exercises/, where each solution is `raise NotImplementedError`.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
import tomllib
from itertools import zip_longest
from pathlib import Path

import jupytext
import nbclient
import nbformat
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
FOLDERS = (ROOT / "notebooks", ROOT / "solutions")
LANGUAGES = ("zh", "en")
MAX_BYTES = 400_000  # every built version of a notebook stays in git
CELL_SECONDS = 120
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
STUB = {"zh": "# 在这里写你的代码", "en": "# your code here"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
COLAB = """\
# @title Colab：安装 labkit · install labkit (elsewhere this cell does nothing)
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = "{source}"  # a wheel or a Git address; where it is empty, labkit-….whl is looked for

if "google.colab" in sys.modules and not importlib.util.find_spec("labkit"):
    if not SOURCE:
        drive = Path("/content/drive")
        places = [Path(), Path("/content"), *drive.glob("*"), *drive.glob("*/*")]
        found = [wheel for place in places for wheel in place.glob("labkit-*.whl")]
        if not found:
            print("这里还没有 labkit：请在对话框里选择 labkit-….whl，老师发的，或自己用 make wheel 做的。")
            print("labkit is not here yet: choose labkit-….whl in the dialog, from your teacher or by `make wheel`.")
            from google.colab import files

            found = [Path(name) for name in files.upload() if name.endswith(".whl")]
        if not found:
            sys.exit("没有选 wheel：请再运行这一格。 No wheel was chosen: run this cell again.")
        wheel = max(found, key=lambda path: path.stat().st_mtime)
        SOURCE = re.sub(r" ?\\(\\d+\\)", "", wheel.name)  # a second download is called "… (1).whl"
        if wheel.resolve() != Path(SOURCE).resolve():
            shutil.copyfile(wheel, SOURCE)
    stay = ("torch", "numpy", "ipywidgets")  # as Colab brought them
    keep = [f"{{name}}=={{importlib.metadata.version(name)}}\\n" for name in stay if importlib.util.find_spec(name)]
    Path("keep.txt").write_text("".join(keep))
    pip = [sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt"]
    subprocess.run([*pip, SOURCE], check=True)"""
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def read_source(path, language):
    """The notebook of one language, not executed: its cells in order, with stable ids and their tags only."""
    cells, numbers = [], {"code": 0, "markdown": 0}
    for cell in jupytext.read(path, fmt="py:percent").cells:
        kind, spoken = cell.cell_type, cell.metadata.get("lang")
        if kind not in numbers or spoken not in (None, *LANGUAGES) or (kind == "code" and spoken):
            raise ValueError(
                f"{path.name}: a {kind} cell with lang={spoken!r}. Accepted: markdown cells with lang zh, en or none, "
                f"and code cells without lang. Correct the cell that begins {cell.source[:40]!r}."
            )
        if spoken not in (None, language):
            continue
        tags = list(cell.metadata.get("tags", []))
        source = cell.source.replace('LANG = "zh"', f'LANG = "{language}"') if "setup" in tags else cell.source
        scope = "code" if kind == "code" else language  # a code cell has the same id in both languages
        cell_id = hashlib.sha1(f"{path.stem}/{scope}/{numbers[kind]}".encode()).hexdigest()[:12]
        numbers[kind] += 1
        new_cell = new_code_cell if kind == "code" else new_markdown_cell
        if "setup" in tags:
            cells.append(colab_cell(path.stem))
        metadata = ({"tags": tags} if tags else {}) | grading(path, cell)
        cells.append(new_cell(source, id=cell_id, metadata=metadata))
    cells[0].source = badge(path, language, path.parent.parent.name) + cells[0].source
    return new_notebook(cells=cells, metadata=METADATA)


def where_from():
    """The wheel or Git address from which Colab installs labkit: one line of pyproject.toml; "" where none is known.

    >>> where_from()
    'labkit @ git+https://github.com/OWNER/labkit'
    """
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["labkit"]["source"]


def remember_source(source):
    """Write `source` into pyproject.toml, from where the first cell of every notebook takes it."""
    if re.search(r'["\\\n]', source):
        raise ValueError(
            f"LABKIT_SOURCE {source!r}. Accepted: a wheel's address, or labkit @ git+https://…, in one line."
        )
    line, text = f'source = "{source}"', PYPROJECT.read_text(encoding="utf-8")
    write_whole(PYPROJECT, re.sub(r"(?m)(?<=^\[tool\.labkit\]\n)source = .*$", lambda _: line, text))


def colab_cell(stem):
    """The first code cell of every notebook: in Colab it installs labkit, and leaves torch as it is."""
    cell_id = hashlib.sha1(f"{stem}/colab".encode()).hexdigest()[:12]
    hidden = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["colab"]}
    return new_code_cell(COLAB.format(source=where_from()), id=cell_id, metadata=hidden)


def badge(path, language, folder):
    """Markdown of the button that opens a notebook in Colab; "" where labkit does not lie on GitHub."""
    found = re.search(r"github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?(?:@|$)", where_from())
    opens = f"https://colab.research.google.com/github/{found[1]}/blob/main" if found else ""
    return f"[![Open in Colab]({BADGE})]({opens}/{folder}/{language}/{path.stem}.ipynb)\n\n" if found else ""


def grading(path, cell):
    """nbgrader's metadata for a cell that is an answer or a check; nothing for another.

    An answer is what the student writes, a check is locked and gives points.
    """
    role = next((word for word in ("answer", "check") if word in cell.metadata), None)
    if role is None and BEGIN not in cell.source:
        return {}
    marked = (cell.source.count(BEGIN), cell.source.count(END))
    if cell.cell_type != "code" or (role == "answer") != (marked != (0, 0)) or marked[0] != marked[1]:
        raise ValueError(
            f"{path.name}: a cell with {BEGIN} must be a code cell with answer=..., and hold as many {END}; "
            f"one with check=... holds none. Correct the cell that begins {cell.source[:40]!r}."
        )
    checks = role == "check"
    meta = {"schema_version": 3, "grade_id": f"{role}-{cell.metadata[role].replace('.', '-')}", "task": False}
    meta |= {"solution": not checks, "grade": checks, "locked": checks}
    return {"nbgrader": meta | ({"points": cell.metadata.get("points", 1)} if checks else {})}


def student_version(notebook, language):
    """The notebook without solutions and outputs: what a student gets."""
    student = nbformat.from_dict(notebook)
    student.metadata = nbformat.from_dict(METADATA)
    student.cells[0].source = student.cells[0].source.replace("/solutions/", "/exercises/")
    for cell in code_cells(student):
        cell.update(outputs=[], execution_count=None)
        cell.source = without_solutions(cell.source, language)
    return student


def without_solutions(source, language):
    r"""Each solution replaced by `raise NotImplementedError`, as far to the right as the solution stood.

    >>> without_solutions("def f(x):\n    # BEGIN SOLUTION\n    return x\n    # END SOLUTION", "en")
    'def f(x):\n    # your code here\n    raise NotImplementedError'
    """
    solution = rf"^([ \t]*)#+ *{BEGIN}.*?^[ \t]*#+ *{END}[^\n]*$"
    stub = rf"\1{STUB[language]}\n\1raise NotImplementedError"
    return re.sub(solution, stub, source, flags=re.MULTILINE | re.DOTALL)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def built_path(source, language):
    return source.parent.parent / language / f"{source.stem}.ipynb"


def exercise_path(source, language):
    """Where a student's version goes: exercises/ beside solutions/; None for a source that is no exercise."""
    folder = source.parent.parent
    return folder.parent / "exercises" / language / f"{source.stem}.ipynb" if folder.name == "solutions" else None


PLACES = (built_path, exercise_path)


def read_built(path):
    """The notebook as it lies on disk, or an empty one where there is none."""
    return nbformat.read(path, as_version=4) if path.exists() else new_notebook()


def keep_outputs(notebook, built):
    """Copy the stored outputs into `notebook` and say True, or say False where the code differs or never ran."""
    new, old = ([c for c in code_cells(n) if "colab" not in c.metadata.get("tags", [])] for n in (notebook, built))
    if [cell.source for cell in new] != [cell.source for cell in old] or any(not c.execution_count for c in old):
        return False
    for cell, stored in zip(new, old, strict=True):
        cell.outputs = stored.outputs
    return True


def execute(notebook, folder, language, name):
    """Run all cells in a fresh kernel whose current folder is `folder`; the outputs land in `notebook`."""
    # MPLBACKEND would switch the inline figures off.
    env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"} | {"LABKIT_LANG": language}
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # how prints are cut into messages depends on the machine's load
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        with tempfile.TemporaryDirectory() as progress:  # a build passes every exercise, but is nobody's progress
            client.execute(env=env | {"LABKIT_PROGRESS": progress})
    except (CellControlSignal, DeadKernelError) as error:
        raise RuntimeError(f"{language}/{name}: a cell failed, nothing of {name} was written.\n{error}") from None


def tidy(notebook):
    """Number the code cells 1..n, drop live widget views (they need a kernel) and the run's metadata."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)
            if output.output_type == "execute_result":
                output.execution_count = count
        cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    return notebook


def to_text(notebook, name):
    """The file's text; raises ValueError for a notebook that must not be shipped."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"{name}: {len(text.encode())} bytes. Accepted: up to {MAX_BYTES}. Show fewer figures.")
    if str(ROOT) in text:
        raise ValueError(f"{name}: an output holds a path of this machine ({ROOT}). Print names, not paths.")
    return text


def write_whole(path, text):
    """Write a file so that readers see the old text or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def build(source, execute_all=False):
    """Build one source in both languages; files are written only when both came through. Returns lines to print."""
    texts, lines = {}, []
    for language in LANGUAGES:
        path, start = built_path(source, language), time.perf_counter()
        notebook = read_source(source, language)
        kept = not execute_all and keep_outputs(notebook, read_built(path))
        if not kept:
            path.parent.mkdir(parents=True, exist_ok=True)
            execute(notebook, path.parent, language, source.stem)
        text = texts[path] = to_text(tidy(notebook), f"{language}/{source.stem}")
        if student := exercise_path(source, language):
            texts[student] = to_text(student_version(notebook, language), f"exercises/{language}/{source.stem}")
        how = "outputs kept" if kept else f"executed in {time.perf_counter() - start:.0f} s"
        lines.append(f"{path.parent.parent.name}/{language}/{source.stem}: {how}, {len(text.encode()) / 1000:.0f} kB")
    for path, text in texts.items():
        write_whole(path, text)
    return lines


def facts(notebook):
    """What a source decides about each cell."""
    return [(cell.cell_type, cell.id, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def differences(source):
    """One sentence for each built notebook that is not what the source says. Runs nothing."""
    for language in LANGUAGES:
        notebook = read_source(source, language)
        wanted = {built_path(source, language): notebook}
        if student := exercise_path(source, language):
            wanted[student] = student_version(notebook, language)
        for path, new in wanted.items():
            name = f"{language}/{path.name}" if path != student else f"exercises/{language}/{path.name}"
            if not path.exists():
                yield f"{name} is missing"
                continue
            pairs = zip_longest(facts(new), facts(read_built(path)))
            if changed := [number for number, (a, b) in enumerate(pairs, start=1) if a != b]:
                yield f"{name} differs from src/{source.name}, first in its cell {changed[0]}"


def choose(folders, names=()):
    """The sources that `names` ask for, in order; all of them when there are no names."""
    sources = [source for folder in folders for source in sorted((folder / "src").glob("*.py"))]
    answers_to = {source: {source.stem, source.stem.split("_")[0]} for source in sources}
    if unknown := set(names).difference(*answers_to.values()):
        raise ValueError(f"No source {sorted(unknown)}. Accepted: {[s.stem for s in sources]}, or their numbers.")
    return [source for source in sources if not names or answers_to[source] & set(names)]


def check(folder=None, names=()):
    """Everything in which the built notebooks differ from the sources, notebooks without a source among it."""
    folders = [folder] if folder else FOLDERS
    found = [line for source in choose(folders, names) for line in differences(source)]
    known = {place(source, language) for source in choose(folders) for place in PLACES for language in LANGUAGES}
    homes = {path.parent for path in known if path} | {
        folder / language for folder in folders for language in LANGUAGES
    }
    built = sorted(path for home in homes for path in home.glob("*.ipynb"))
    return found + [f"{path.parent.name}/{path.name} has no source" for path in built if path not in known]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAMES", help="numbers or names, such as 01; all when left out")
    parser.add_argument("--check", action="store_true", help="only compare, run nothing")
    parser.add_argument("--execute-all", action="store_true", help="run also what did not change")
    parser.add_argument("--source", default="", help="where Colab installs labkit from; kept in pyproject.toml")
    parser.add_argument("--folder", type=Path, help="holds src/, zh/ and en/; notebooks and solutions when left out")
    args = parser.parse_args(argv)
    try:
        if args.source:
            remember_source(args.source)
        if args.check:
            if found := check(args.folder, args.names):
                raise ValueError("\n".join([*found, "Run python tools/build_notebooks.py"]))
            return
        for source in choose([args.folder] if args.folder else FOLDERS, args.names):
            print(*build(source, args.execute_all), sep="\n", flush=True)
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
