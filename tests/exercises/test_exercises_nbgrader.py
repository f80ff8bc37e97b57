"""nbgrader takes our exercises from the instructor's notebook to a grade: generate, validate, autograde, in a folder of its own.

And nbval sees a wrong answer in a notebook of solutions.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NAME = "01_first_finetune"
KEPT = ("01-1", "01-2", "01-4")  # enough for a grade, and quick: they need neither models nor optimizers
GRADE = """
import json, sys
from nbgrader.apps import NbGraderAPI
from nbgrader.validator import Validator
from traitlets.config import Config

config = Config()
config.CourseDirectory.root = "."
config.Execute.timeout = 120  # the default of 30 s is short for a first import of torch
config.Validator.indent = ""
api = NbGraderAPI(config=config)
say = {"generate": api.generate_assignment("one")["success"]}
validator = Validator(parent=api)
say["validate"] = {name: sorted(validator.validate(name)) for name in ["source/one/01_first_finetune.ipynb"]}
done = api.autograde("one", "bo")
say["autograde"] = [done["success"], done.get("log", "")[-2000:]]
with api.gradebook as book:
    cells = book.find_submission_notebook("01_first_finetune", "one", "bo").grades
    say["grades"] = {grade.name: [grade.score, grade.max_score] for grade in cells}
json.dump(say, open("said.json", "w"))
"""


def kept(folder, exercises=KEPT):
    """A built notebook with its prose, its set-up cell and three of its exercises."""
    notebook = json.loads((ROOT / folder / "en" / f"{NAME}.ipynb").read_text(encoding="utf-8"))

    def stays(cell):
        graded = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        return (
            cell["cell_type"] == "markdown" or "setup" in cell["metadata"].get("tags", []) or graded.endswith(exercises)
        )

    return notebook | {"cells": [cell for cell in notebook["cells"] if stays(cell)]}


def answer(notebook, grade_id, source):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id:
            cell["source"] = source


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What nbgrader makes of a student who hands in a right answer, a wrong one and an untouched one."""
    pytest.importorskip("nbgrader", reason="nbgrader is in the extra `test`")
    course = tmp_path_factory.mktemp("course")
    solved, bo = kept("solutions"), kept("exercises")
    answer(
        bo,
        "answer-01-4",
        "def rate(step, steps, warm):\n    return min(step / warm if warm else 1, (steps - step) / (steps - warm))",
    )
    answer(bo, "answer-01-2", "def padding_share(lengths, batches):\n    return 0.25")
    answer(bo, "check-01-2", "pass")  # nbgrader puts the locked cell back
    for place, notebook in (("source/one", solved), ("submitted/bo/one", bo)):
        (course / place).mkdir(parents=True)
        (course / place / f"{NAME}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    tools = str(Path(sys.executable).parent)  # nbgrader calls alembic by name
    env = os.environ | {"PATH": tools + os.pathsep + os.environ["PATH"], "HOME": str(course)}
    env = {k: v for k, v in env.items() if k != "LABKIT_PROGRESS"}
    done = subprocess.run(
        [sys.executable, "-c", GRADE], cwd=course, env=env, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return course, json.loads((course / "said.json").read_text())


def test_the_generated_release_is_what_we_hand_out(said):
    course, found = said
    release = json.loads((course / "release" / "one" / f"{NAME}.ipynb").read_text(encoding="utf-8"))

    def code(notebook):
        stubs = ("# YOUR CODE HERE", "# your code here", "raise NotImplementedError()", "raise NotImplementedError")
        return [[x for x in "".join(c["source"]).splitlines() if x.strip() not in stubs] for c in notebook["cells"]]

    assert found["generate"] and code(release) == code(kept("exercises"))


def test_the_solutions_are_valid(said):
    assert said[1]["validate"] == {f"source/one/{NAME}.ipynb": []}  # nothing failed, nothing changed


def test_a_right_answer_gets_its_points_a_wrong_and_an_untouched_one_none(said):
    _, found = said
    assert found["autograde"][0], found["autograde"]
    assert found["grades"] == {"check-01-1": [0, 1], "check-01-2": [0, 1], "check-01-4": [1, 1]}


def test_a_wrong_and_an_untouched_answer_are_told_in_words_and_without_frames(said):
    course, _ = said
    marked = json.loads((course / "autograded" / "bo" / "one" / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    outputs = {c["metadata"].get("nbgrader", {}).get("grade_id"): c.get("outputs") for c in marked["cells"]}
    words, stopped = outputs["check-01-2"]
    assert "".join(words["text"]).startswith("✗ 01.2 The share of padding\npadding_share(")
    assert stopped["traceback"] == [
        "✗ 01.2 is not right yet: change the answer above, run it, then run this cell again."
    ]
    (stopped,) = outputs["check-01-1"]
    assert stopped["traceback"] == ["01.1 Collate a batch: not begun yet."]


def test_nbval_fails_a_notebook_of_solutions_with_a_wrong_answer(tmp_path):
    notebook = kept("solutions", ("01-4",))
    answer(notebook, "answer-01-4", "def rate(step, steps, warm):\n    return 7.0")
    for number, cell in enumerate((c for c in notebook["cells"] if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = number  # without it nothing is compared
    (tmp_path / "it.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run([*command, "it.ipynb"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1 and "01.4 is not right yet" in done.stdout, done.stdout[-3000:]
    assert "1 failed, 2 passed" in done.stdout
