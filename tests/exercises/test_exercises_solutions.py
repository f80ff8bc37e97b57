"""The sources in solutions/src: each solution passes, what a student gets fails only as not begun, and both are built."""

import importlib.util
import json
from pathlib import Path

import pytest
from labkit_exercises.exercise import PASSED, UNTOUCHED, catalogue, find, judge

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "solutions" / "src").glob("*.py"))
SOLVED = [ROOT / "solutions" / language / f"{source.stem}.ipynb" for source in SOURCES for language in ("zh", "en")]
STUDENT = [ROOT / "exercises" / language / f"{source.stem}.ipynb" for source in SOURCES for language in ("zh", "en")]

spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "tools" / "build_notebooks.py")
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_solved = pytest.mark.parametrize("path", SOLVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
each_student = pytest.mark.parametrize("path", STUDENT, ids=lambda path: f"{path.parent.name}/{path.stem}")


def cells(path):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]


def grading(cell):
    return cell["metadata"].get("nbgrader", {})


def answers(notebook, monkeypatch):
    """What the answer cells of a notebook define, {"01.2": function}; its set-up cell runs first."""
    monkeypatch.setattr("labkit.base.language._chosen", None)
    space, found = {}, {}
    for cell in builder.code_cells(notebook):
        grade_id = grading(cell).get("grade_id", "")
        if "setup" in cell.metadata.get("tags", []) or grade_id.startswith("answer"):
            before = set(space)
            exec(cell.source, space)
            if grade_id:
                (name,) = set(space) - before
                found[grade_id.removeprefix("answer-").replace("-", ".")] = space[name]
    return found


@each_source
def test_every_solution_passes_and_every_student_version_is_not_begun(source, monkeypatch, capsys):
    notebook = builder.read_source(source, "en")
    solved = answers(notebook, monkeypatch)
    untouched = answers(builder.student_version(notebook, "en"), monkeypatch)
    tasks = [id for id in catalogue() if id.partition(".")[0] == source.stem.split("_")[0]]
    assert list(solved) == list(untouched) == tasks
    assert {id: judge(find(id), solved[id]) for id in tasks} == dict.fromkeys(tasks, (PASSED, ""))
    assert {id: judge(find(id), untouched[id]) for id in tasks} == dict.fromkeys(tasks, (UNTOUCHED, ""))


def test_solutions_and_exercises_are_built_as_their_sources_stand():
    assert builder.check(ROOT / "solutions") == []


@each_student
def test_a_student_gets_neither_solutions_nor_outputs(path):
    assert all(not c["outputs"] and c["execution_count"] is None for c in cells(path))
    solutions = [c for c in cells(path) if grading(c).get("solution")]
    assert len(solutions) >= 4
    assert all("raise NotImplementedError" in "".join(c["source"]) for c in solutions)
    assert "SOLUTION" not in path.read_text(encoding="utf-8")


@each_student
def test_every_answer_is_followed_by_its_check(path):
    roles = [grading(c)["grade_id"].partition("-") for c in cells(path) if grading(c)]
    assert [r[0] for r in roles] == ["answer", "check"] * (len(roles) // 2)
    assert [r[2] for r in roles[::2]] == [r[2] for r in roles[1::2]]
    for cell in cells(path):
        if grading(cell).get("grade"):
            id = grading(cell)["grade_id"].removeprefix("check-").replace("-", ".")
            assert "".join(cell["source"]).startswith(f'assert lk.check("{id}", ')
            assert grading(cell)["points"] >= 1 and grading(cell)["locked"]


@each_solved
def test_solutions_ran_from_top_to_bottom_without_error_and_are_small(path):
    assert [c["execution_count"] for c in cells(path)] == list(range(1, len(cells(path)) + 1))
    assert "error" not in [o["output_type"] for c in cells(path) for o in c["outputs"]]
    assert "✗" not in path.read_text(encoding="utf-8")
    assert path.stat().st_size <= builder.MAX_BYTES


# The builder, for exercises

EXERCISE = """\
# %% tags=["setup"]
LANG = "zh"

# %% answer="01.1"
class Two:
    def one(self):
        # BEGIN SOLUTION
        return 1
        # END SOLUTION

    def two(self):
        ### BEGIN SOLUTION
        return 2
        ### END SOLUTION

# %% check="01.1" points=2
assert Two().one() == 1
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "solutions" / "src" / "01_try.py"
    path.parent.mkdir(parents=True)
    path.write_text(EXERCISE, encoding="utf-8")
    return path


def test_each_solution_is_replaced_where_it_stands(source):
    student = builder.student_version(builder.read_source(source, "zh"), "zh")
    assert student.cells[2].source == (
        "class Two:\n    def one(self):\n        # 在这里写你的代码\n        raise NotImplementedError\n\n"
        "    def two(self):\n        # 在这里写你的代码\n        raise NotImplementedError"
    )


def test_answers_are_solution_cells_and_checks_are_locked_grade_cells(source):
    *_, answer, check = builder.read_source(source, "en").cells
    common = {"schema_version": 3, "task": False}
    assert answer.metadata.nbgrader == common | {
        "grade_id": "answer-01-1",
        "solution": True,
        "grade": False,
        "locked": False,
    }
    graded = {"grade_id": "check-01-1", "solution": False, "grade": True, "locked": True, "points": 2}
    assert check.metadata.nbgrader == common | graded


@pytest.mark.parametrize(
    "old, new",
    [
        (' answer="01.1"', ""),
        ("        # END SOLUTION\n", ""),
        ("        ### END SOLUTION\n", ""),
        ("assert Two().one() == 1", "# BEGIN SOLUTION\n# END SOLUTION"),
    ],
    ids=["no answer", "no end", "no second end", "a check with a solution"],
)
def test_a_badly_marked_source_is_refused(source, old, new):
    source.write_text(EXERCISE.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match="BEGIN SOLUTION must be a code cell with answer="):
        builder.read_source(source, "en")


def test_both_versions_are_built_and_compared(source, monkeypatch):
    def execute(notebook, *_):
        notebook.cells[0].outputs = [builder.nbformat.v4.new_output("stream", text="ran")]

    monkeypatch.setattr(builder, "execute", execute)
    folder = source.parent.parent
    builder.build(source)
    assert builder.check(folder) == []
    student = folder.parent / "exercises" / "en" / "01_try.ipynb"
    assert "ran" not in student.read_text() and "return 1" not in student.read_text()
    student.write_text(student.read_text().replace("your code", "YOUR code"))
    assert builder.check(folder) == ["exercises/en/01_try.ipynb differs from src/01_try.py, first in its cell 3"]
    student.unlink()
    (student.parent / "09_old.ipynb").write_text(json.dumps(builder.new_notebook()))
    assert builder.check(folder) == ["exercises/en/01_try.ipynb is missing", "en/09_old.ipynb has no source"]
