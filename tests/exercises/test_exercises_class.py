"""A folder of reports becomes a table and figures for the instructor."""

import csv
import json

import pytest
from labkit_exercises import classroom
from labkit_exercises.classpage import class_page

from labkit.base.records import BadInput


def report(folder, name, written="2025-03-01T10:00:00+00:00", file=None, **tries):
    """A report as `lk.report` writes it: ex_01_2=("passed", 3, 1) gives status, tries and hints of 01.2."""
    lines = [
        {
            "id": key[3:].replace("_", "."),
            "status": status,
            "tries": many,
            "hints": hints,
            "first": written,
            "passed": None,
        }
        for key, (status, many, hints) in tries.items()
    ]
    record = {"kind": "labkit-report", "labkit": "0", "name": name, "written": written, "exercises": lines}
    path = folder / (file or f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    report(tmp_path / "in", "Ana", ex_01_1=("passed", 1, 0), ex_01_2=("tried", 4, 3))
    report(tmp_path / "in", "林月", ex_01_1=("passed", 3, 1), ex_01_2=("passed", 2, 0), file="deep/er/x.json")
    return tmp_path / "in"


def test_the_table_has_a_line_a_student_and_a_column_a_lesson(folder):
    assert str(classroom.read_class(folder)).splitlines() == [
        "        01  all",
        "───────────────",
        "Ana      1  1/2",
        "林月     2  2/2",
        "class  75%  75%",
        "hardest:",
        "  01.2 The share of padding",
        "  01.1 Collate a batch",
    ]


def test_the_hardest_exercise_is_the_one_that_most_of_those_who_began_have_not_passed(folder):
    report(folder, "Bo", ex_01_1=("passed", 1, 0), ex_01_2=("tried", 2, 0), ex_02_1=("tried", 9, 3))
    report(folder, "Cy", ex_01_1=("passed", 2, 1), ex_01_3=("not begun", 0, 0))
    found = classroom.read_class(folder)
    # 01.2: 2 of 3 not passed, with one student more counted 1/2; 02.1: 1 of 1, 1/2 too, but fewer tries; 01.1: 1/2 + 1/2 of 4
    assert found.hardest() == ["02.1", "01.2", "01.1", "01.3"]
    assert "01.3" not in str(found).partition("hardest")[2]


@pytest.mark.parametrize("many", [1, 5, 40])
def test_the_page_has_a_row_a_student_and_folds_what_would_not_fit_a_screen(many, tmp_path):
    for number in range(many):
        found = {f"ex_{i:02d}_{j}": ("passed", 1 + number % 3, number % 2) for i in range(1, 10) for j in range(1, 7)}
        report(tmp_path / "in", "欧阳" * (number % 4) + f"S{number}", **found)
    page = class_page(classroom.read_class(tmp_path / "in"))
    seen, _, folded = page.partition("<details>")
    assert seen.count("<tr>") == 2 + many + 15 and folded.count("<tr>") == 54 - 15 + 1 + many
    assert ('class="heat many"' in page) == (many == 40)
    assert "src=" not in page and "http" not in page
    assert "6/6" in seen and "Your first fine-tune: 6 passed, 0 not yet" in seen


def test_reports_of_one_name_are_joined_and_the_newest_counts(folder):
    report(folder, "Ana", "2025-03-02T09:00:00+08:00", "late.json", ex_01_2=("passed", 5, 3), ex_02_1=("passed", 1, 0))
    report(folder, "Ana", "2025-02-01T10:00:00+00:00", "early.json", ex_01_1=("tried", 1, 0))
    found = classroom.read_class(folder)
    assert [found.of("Ana", id).status for id in ("01.1", "01.2", "02.1")] == ["passed"] * 3
    assert found.of("林月", "02.1").status == "not begun"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"kind": "labkit-report"}', "\ufeff\x00"])
def test_other_files_are_skipped_and_named(folder, text):
    (folder / "other.json").write_text(text, encoding="utf-8")
    found = classroom.read_class(folder)
    assert found.skipped == {"other.json": "no whole labkit report"} and len(found.students) == 2


@pytest.mark.parametrize("line", [("done", 1, 0), ("passed", -1, 0), ("passed", "1", 0)])
def test_a_report_with_impossible_numbers_is_skipped(folder, line):
    report(folder, "Bo", ex_01_1=line)
    assert list(classroom.read_class(folder).skipped) == ["Bo.json"]


def test_a_folder_without_reports_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no report"):
        classroom.read_class(tmp_path)
    with pytest.raises(BadInput, match="No folder"):
        classroom.read_class(tmp_path / "none")


def test_the_page_the_csv_and_the_figures_are_written(folder, tmp_path):
    report(folder, "=1+1<b>", ex_01_1=("not begun", 0, 0))
    written = classroom.write_class(classroom.read_class(folder), tmp_path / "out")
    assert [p.name for p in written] == ["class.html", "class.csv", "class-standing.png", "class-tries.png"]
    page, rows = written[0].read_text("utf-8"), list(csv.reader(written[1].read_text("utf-8-sig").splitlines()))
    assert "&lt;b&gt;" in page and "<b>" not in page and "data:" not in page
    assert rows[0] == ["name", "exercise", "status", "tries", "hints", "first", "passed"] and len(rows) == 1 + 3 * 2
    assert ["Ana", "01.2", "tried", "4", "3"] in [row[:5] for row in rows] and rows[-1][0] in ("林月", "'=1+1<b>")
    assert any(row[0] == "'=1+1<b>" for row in rows)  # a spreadsheet would take it for a formula


def test_the_json_counts_students_and_exercises(folder):
    found = classroom.read_class(folder).to_json()
    assert found["students"][0] == {"name": "Ana", "passed": 1, "tries": 5}
    assert found["exercises"][1] == {"id": "01.2", "passed": 1, "tries": [4, 2]}


def test_the_bars_of_an_exercise_add_up_to_the_class(folder):
    from labkit_exercises.figures import standing

    found = classroom.read_class(folder)
    axes = standing({id: found.column(id) for id in found.exercises}).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[1::2] == [1, 1, 0, 0] and widths[0::2] == [
        1,
        0,
        1,
        0,
    ]  # 01.1 above 01.2: alone, helped, tried, untouched


def test_the_command_prints_the_table_and_writes_the_files(folder, tmp_path, capsys):
    from labkit.cli.commands import main

    (folder / "bad.json").write_text("{")
    assert main(["class", str(folder), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "林月     2  2/2" in said.out and "bad.json: no whole labkit report" in said.err
    assert (tmp_path / "out" / "class.html").exists()
    assert main(["class", str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["students"][0]["name"] == "Ana"
    assert main(["class", str(tmp_path / "none")]) == 2


def test_progress_is_the_function_even_after_the_command_line_was_imported():
    import labkit as lk
    import labkit.cli

    assert callable(lk.progress)
