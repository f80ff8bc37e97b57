"""The machinery of exercises: `check` with its hints, the journal, `progress`, `report`."""

import functools
import json
import random
import re
import subprocess
import sys
import threading

import pytest
from labkit_exercises import journal
from labkit_exercises.exercise import FAILED, PASSED, UNTOUCHED, Exercise, catalogue, find, judge, lesson_title
from labkit_exercises.handin import file_name
from labkit_exercises.overview import bar_text

import labkit as lk
from labkit.base.language import language
from labkit.base.records import BadInput


@pytest.fixture(autouse=True)
def own_journal(tmp_path, monkeypatch):
    """A journal of its own for each test; its file."""
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.setattr(journal, "_unsaved", [])
    monkeypatch.setattr("labkit.base.language._chosen", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "progress.jsonl"


def right(lengths, batches):
    return 1 - sum(lengths[i] for b in batches for i in b) / sum(len(b) * max(lengths[i] for i in b) for b in batches)


def wrong(lengths, batches):
    return 0.5


def untouched(lengths, batches):
    raise NotImplementedError


def statuses(lesson="01"):
    return {s.id: (s.status, s.tries, s.hints) for _, s in lk.progress(lesson).lines}


# check


def test_a_right_answer_is_true_and_said_to_be_right(capsys):
    assert lk.check("01.2", right)
    assert capsys.readouterr().out == "✓ 01.2 The share of padding: right.\n"


def test_a_wrong_answer_is_false_and_told_what_is_wrong(capsys):
    result = lk.check("01.2", wrong)
    assert result.passed is False and str(result) + "\n" == capsys.readouterr().out
    assert str(result).startswith("✗ 01.2 The share of padding\npadding_share([2, 4], [[0, 1]]) should give 0.25")


@pytest.mark.parametrize("code, said", [("en", "01.2 is not right yet: change"), ("zh", "01.2 还不对：改好")])
def test_a_wrong_answer_stops_its_cell_with_one_sentence(code, said):
    language(code)
    with pytest.raises(AssertionError, match=said) as caught:
        assert lk.check("01.2", wrong)
    assert caught.value._render_traceback_() == [str(caught.value)] and "\n" not in str(caught.value)


def test_each_further_failing_call_gives_the_next_hint_and_then_the_place_to_read():
    task = find("01.2")
    for call in range(6):
        text = str(lk.check("01.2", wrong))
        hints = [line for line in text.splitlines() if line.startswith("Hint")]
        assert hints == [f"Hint {i}: {hint}" for i, hint in enumerate(task.hints[:call], start=1)]
        assert (f"Read: {task.read}" in text) == (call >= 4)


def test_hints_of_one_exercise_do_not_count_for_another():
    lk.check("01.2", wrong)
    assert "Hint" not in str(lk.check("01.4", lambda *given: 7.0))


def test_an_untouched_exercise_raises_not_implemented_and_counts_no_try():
    with pytest.raises(NotImplementedError, match=r"01\.2 The share of padding: not begun yet") as caught:
        lk.check("01.2", untouched)
    assert caught.value._render_traceback_() == [str(caught.value)]
    assert statuses()["01.2"] == (UNTOUCHED, 0, 0)


def test_check_speaks_chinese(capsys):
    language("zh")
    lk.check("01.2", wrong)
    lk.check("01.2", wrong)
    lk.check("01.2", right)
    out = capsys.readouterr().out
    assert "应得 0.25，你的是 0.5" in out and "提示 1：一批算了多少格" in out and "✓ 01.2 填充所占的比例：正确。" in out


def test_a_called_function_is_recognised():
    assert "Hand check the function itself" in str(lk.check("01.2", 0.25))


def test_an_error_in_the_answer_is_shown_with_its_line():
    def answer(lengths, batches):
        first = lengths["a"]
        return first

    assert (
        'Your code raised TypeError: list indices must be integers or slices, not str, in this line: first = lengths["a"]'
        in str(lk.check("01.2", answer))
    )


def test_an_answer_with_the_wrong_arguments_is_told_so():
    assert "Calling your function failed: TypeError" in str(lk.check("01.2", lambda lengths: 0.25))


def test_an_unknown_exercise_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match=r"No exercise '1\.2'; there are: 01\.1, 01\.2"):
        lk.check("1.2", right)


def test_checking_leaves_random_states_as_they_were():
    import numpy as np
    import torch

    def drawn():
        return random.random(), torch.rand(1).item(), np.random.rand()

    def seeded():
        random.seed(5), torch.manual_seed(5), np.random.seed(5)

    seeded()
    expected = drawn()
    seeded()
    seen = []
    lk.check("02.4", lambda body, inputs, size: seen.append(drawn()) or torch.rand(3))
    assert drawn() == expected
    lk.check("02.4", lambda body, inputs, size: seen.append(drawn()) or torch.rand(3))
    assert seen[0] == seen[len(seen) // 2]  # and every answer meets the same ones


def test_a_result_shows_itself_only_once():
    assert lk.check("01.2", right)._ipython_display_() is None


# The exercises


@pytest.mark.parametrize("task", catalogue().values(), ids=lambda task: task.id)
def test_every_exercise_has_a_title_three_hints_and_a_place_to_read_in_both_languages(task: Exercise):
    said = {}
    for code in ("zh", "en"):
        language(code)
        said[code] = [task.title, *task.hints, task.read]
        assert len(task.hints) == 3 and all(said[code])
    assert all(any("\u4e00" <= c <= "\u9fff" for c in text) or "`" in text for text in said["zh"])
    assert not any("\u4e00" <= c <= "\u9fff" for text in said["en"] for c in text)


def test_what_a_student_is_told_to_look_up_is_there():
    told = {name for task in catalogue().values() for name in re.findall(r"`lk\.([\w.]+)\?\?`", task.read)}
    assert "lr_factor" in told
    for name in told:
        assert callable(functools.reduce(getattr, name.split("."), lk)), name


@pytest.mark.parametrize("task", catalogue().values(), ids=lambda task: task.id)
def test_an_answer_that_returns_nothing_fails_without_an_error_of_ours(task: Exercise):
    outcome, finding = judge(task, lambda *given, **more: None)
    assert outcome == FAILED and "Calling your function" not in finding


def test_every_lesson_has_four_exercises_or_more():
    for lesson in ("01", "02", "03", "04"):
        assert len(lk.progress(lesson).lines) >= 4


def test_importing_labkit_or_the_catalogue_loads_no_torch():
    code = "import sys; import labkit; from labkit_exercises.exercise import catalogue; catalogue(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# The journal and progress


def test_progress_tells_status_tries_and_hints():
    for answer in (wrong, wrong, wrong, right, wrong):
        lk.check("01.2", answer)
    lk.check("01.4", wrong)
    found = statuses()
    assert found["01.2"] == (PASSED, 4, 2) and found["01.4"] == ("tried", 1, 0) and found["01.1"] == (UNTOUCHED, 0, 0)
    assert repr(lk.progress("01")).splitlines()[0] == "1 of 7 passed (tries, hints used)"
    assert "01.2  ✓ passed  (4, 2)  The share of padding" in repr(lk.progress("01"))
    assert '<td class="t">✗ not yet</td>' in lk.progress("01")._repr_html_()


def test_the_whole_progress_has_a_line_and_a_bar_a_lesson_and_folds_the_rest():
    lk.check("01.2", right)
    lk.check("01.4", wrong)
    said, page = repr(lk.progress()).splitlines(), lk.progress()._repr_html_()
    lessons = {e.lesson for e in catalogue().values()}
    assert said[0] == f"1 of {len(catalogue())} passed" and len(said) == 2 + len(lessons)
    assert said[1] == "01  █░░░░░░░░░  1 / 7  Your first fine-tune"
    assert page.count("<details>") == len(lessons) and "open" not in page
    assert 'style="width:14.29%;background:#228833"' in page and "1 / 7" in page and "✗ not yet" in page
    assert "<details>" not in lk.progress("01")._repr_html_()


@pytest.mark.parametrize("share, bar", [(0, "░░░░"), (0.01, "█░░░"), (0.5, "██░░"), (0.99, "███░"), (1, "████")])
def test_a_bar_is_empty_or_full_only_where_the_share_is(share, bar):
    assert bar_text(share, width=4) == bar


def test_every_lesson_has_a_title_in_both_languages():
    for lesson in {e.lesson for e in catalogue().values()}:
        zh, en = (language(code) and lesson_title(lesson) for code in ("zh", "en"))
        assert zh and en and zh != en, lesson


def test_progress_of_an_unknown_lesson_is_refused():
    with pytest.raises(BadInput, match=r"No exercises for '42'; there are: 01, 02, 03, 04"):
        lk.progress("42")


def test_the_journal_is_a_small_file_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("LABKIT_PROGRESS")
    lk.check("01.2", right)
    entry = json.loads((tmp_path / "labkit-progress.jsonl").read_text())
    assert set(entry) == {"id", "outcome", "at"} and entry["outcome"] == PASSED


def test_the_journal_may_be_a_folder_or_lie_in_one_that_is_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path))
    lk.check("01.2", right)
    assert (tmp_path / "labkit-progress.jsonl").exists()
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "a" / "b.jsonl"))
    lk.check("01.2", wrong)
    assert statuses()["01.2"] == ("tried", 1, 0)


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_cut_short_by_a_crash_costs_that_line_only(own_journal, cut):
    lk.check("01.2", wrong)
    lk.check("01.2", wrong)
    own_journal.write_bytes(own_journal.read_bytes()[:-cut])
    lk.check("01.2", right)
    assert statuses()["01.2"][0] == PASSED and statuses()["01.2"][1] in (2, 3)


@pytest.mark.parametrize(
    "line", [b"\xff\xfe\x00", b"[]", b"null", b'{"id": 3}', b'{"id": "01.2", "outcome": "x", "at": ""}']
)
def test_foreign_lines_are_skipped(own_journal, line):
    lk.check("01.2", wrong)
    own_journal.write_bytes(line + b"\n" + own_journal.read_bytes())
    assert statuses()["01.2"] == ("tried", 1, 0)


def test_two_notebooks_write_into_one_journal_without_losing_a_try(own_journal):
    code = "from labkit_exercises import journal\nfor _ in range(40): journal.note('01.2', 'failed')"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [w.wait() for w in writers] == [0, 0]
    assert statuses()["01.2"][1] == 80


def test_a_notebook_waits_while_another_writes_its_try_and_remembers_it_when_that_takes_too_long(
    own_journal, monkeypatch
):
    with lk.files.held(own_journal):
        writer = threading.Thread(target=journal.note, args=("01.2", "failed"))
        writer.start()
        assert statuses()["01.2"][1] == 0
    writer.join()
    assert statuses()["01.2"][1] == 1
    monkeypatch.setattr(journal, "PATIENCE", 0.0)
    with lk.files.held(own_journal):
        assert "being written by another program" in str(lk.check("01.2", wrong))
    assert statuses()["01.2"][1] == 2 and len(own_journal.read_bytes().splitlines()) == 1


def test_where_nothing_can_be_written_the_session_remembers_and_check_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    first, second = str(lk.check("01.2", wrong)), str(lk.check("01.2", wrong))
    assert "Progress was not kept: progress.jsonl" in first and "Hint 1" in second


# report


def test_a_report_holds_the_name_the_standings_the_times_the_guesses_and_nothing_else(tmp_path):
    lk.check("01.2", wrong)
    lk.check("01.2", right)
    made = lk.report("Lin Yue", tmp_path / "out")
    record = json.loads(made.json.read_text(encoding="utf-8"))
    assert set(record) == {"kind", "labkit", "name", "written", "exercises", "guesses"} and record["name"] == "Lin Yue"
    (line,) = [e for e in record["exercises"] if e["id"] == "01.2"]
    assert set(line) == {"id", "status", "tries", "hints", "first", "passed"}
    assert (line["status"], line["tries"], line["hints"]) == (PASSED, 2, 0) and line["first"] <= line["passed"]
    assert repr(made) == "written: labkit-report-Lin-Yue.json, labkit-report-Lin-Yue.html"
    for path in (made.json, made.html):
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_outside_itself_and_escapes_the_name(tmp_path):
    text = lk.report("<script>x", tmp_path).html.read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;x" in text
    assert "src=" not in text and "href" not in text and "http" not in text


def test_the_page_folds_a_lesson_away_and_a_page_of_one_lesson_does_not(tmp_path):
    lk.check("01.2", right)
    page = lk.report("Lin", tmp_path).html.read_text(encoding="utf-8")
    assert page.count("<details>") == len({e.lesson for e in catalogue().values()})
    assert page.index("</summary>") < page.index("The share of padding") < page.index("</details>")
    assert "<details>" not in lk.report("Lin", tmp_path, lesson="03").html.read_text(encoding="utf-8")


def test_reports_under_one_name_at_once_are_whole(tmp_path):
    writers = [threading.Thread(target=lk.report, args=("Lin", tmp_path)) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert json.loads((tmp_path / "labkit-report-Lin.json").read_text("utf-8"))["name"] == "Lin"
    assert (tmp_path / "labkit-report-Lin.html").read_text("utf-8").endswith("</html>\n")
    assert len(list(tmp_path.glob("*Lin*"))) == 2


def test_a_report_of_one_lesson_has_its_own_file(tmp_path):
    made = lk.report("Lin", tmp_path, lesson="03")
    assert made.json.name == "labkit-report-Lin-03.json"
    assert {e["id"][:2] for e in json.loads(made.json.read_text())["exercises"]} == {"03"}


@pytest.mark.parametrize("name", ["", "  ", "/../", None])
def test_a_report_without_a_name_is_refused(name):
    with pytest.raises(BadInput, match=r"name=.* won't do"):
        lk.report(name)


@pytest.mark.parametrize("name, kept", [("Lin Yue", "Lin-Yue"), ("../a\\b", "a-b"), ("林月 (3)", "林月-3")])
def test_file_names_are_safe_on_every_system(name, kept):
    assert file_name(name) == kept
