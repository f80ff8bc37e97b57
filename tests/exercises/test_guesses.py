"""The prediction ledger: guesses are locked, scored once, kept, and add up to a student's calibration."""

import ast
import itertools
import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from labkit_exercises import calibration, classroom, journal, ledger
from labkit_exercises.classpage import class_page
from labkit_exercises.ledger import Guess, book
from labkit_exercises.notebook import references
from labkit_exercises.questions import Question, place_of, questions

import labkit as lk
from labkit.base.language import language
from labkit.base.records import BadInput

ASKED = {
    "01.1": Question("01.1", "几个", "how many", (2.0, 8.0), (0.0, 20.0)),
    "01.2": Question(
        "01.2", "哪个", "which", "head", options={"head": ("头", "the head"), "body": ("主干", "the body")}
    ),
}


@pytest.fixture(autouse=True)
def own_journal(tmp_path, monkeypatch):
    """A journal of its own for each test, and two questions; its file."""
    monkeypatch.setenv("LABKIT_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.setattr(journal, "_unsaved", [])
    monkeypatch.chdir(tmp_path)
    for module in (ledger, calibration):
        monkeypatch.setattr(module, "questions", lambda: ASKED)
    ledger.forget_session()
    return tmp_path / "progress.jsonl"


@pytest.fixture
def said(capsys):
    """What a call printed."""

    def of(call, *args, **named):
        capsys.readouterr()
        call(*args, **named)
        return capsys.readouterr().out.strip()

    return of


# Locked


def test_a_guess_is_locked_and_scored(said):
    assert said(lk.guess, "01.1", 3, 6) == "01.1 locked: 3 to 6, 80% sure"
    assert said(lk.scored, "01.1", 4) == "01.1 came out at 4; you said 3 to 6: inside"
    assert said(lk.guess, "01.1", 3, 6) == "01.1 is locked: 3 to 6, 80% sure"


def test_another_value_is_refused_with_what_was_locked_and_how_to_begin_anew(said):
    lk.guess("01.1", 3, 6)
    told = said(lk.guess, "01.1", 4, 9, sure=0.9)
    assert "is locked: 3 to 6, 80% sure; 4 to 9 was not taken" in told.splitlines()[-1]
    exec(told.rpartition(": ")[2], {"lk": lk})  # the call that it names
    assert (book()["01.1"].low, book()["01.1"].sure, book()["01.1"].late) == (4, 0.9, False)


def test_after_the_result_a_guess_is_noted_and_not_scored(said):
    lk.guess("01.1", 3, 6)
    lk.scored("01.1", 10)
    assert "the result had been seen" in said(lk.guess, "01.1", 9, 11, anew=True)
    assert said(lk.scored, "01.1", 10) == "01.1 came out at 10; you said 3 to 6: outside"
    assert book()["01.1"].counts and not book()["01.1"].held


def test_a_first_guess_after_the_experiment_ran_does_not_count(said):
    lk.scored("01.1", 10)
    assert "the result had been seen" in said(lk.guess, "01.1", 9, 11)
    assert "not scored" in said(lk.scored, "01.1", 10)
    assert not book()["01.1"].counts


@pytest.mark.parametrize("ends, inside", [((3, 6), False), ((3, 10), True), ((10, 12), True), ((11, 12), False)])
def test_both_ends_belong_to_the_interval(ends, inside):
    lk.guess("01.1", *ends)
    lk.scored("01.1", 10)
    assert book()["01.1"].held is inside


def test_the_first_result_is_the_one_that_counts():
    lk.guess("01.1", 3, 6)
    lk.scored("01.1", 5)
    lk.scored("01.1", 50)
    assert book()["01.1"].came == 5


def test_a_choice_is_right_or_says_what_it_is(said):
    assert said(lk.guess, "01.2", choice="body", sure=0.6) == "01.2 locked: the body, 60% sure"
    assert said(lk.scored, "01.2", "head") == "01.2 you said the body: no, it is the head"
    language("zh")
    assert said(lk.scored, "01.2", "head") == "01.2 你猜 主干，不对，是 头"


# The source's own guess


def test_our_guess_runs_through_and_is_nobodys(said, own_journal):
    assert said(lk.guess, "01.1", 2, 8) == "01.1 our guess: 2 to 8; put yours, and it counts"
    assert said(lk.scored, "01.1", 9) == "01.1 came out at 9; our guess was 2 to 8: outside"
    assert said(lk.guess, "01.2", choice="head").startswith("01.2 our guess: the head;")
    assert said(lk.scored, "01.2", "head") == "01.2 our guess was the head: right"
    assert not own_journal.exists() and not book()


def test_a_student_who_agrees_says_how_sure():
    lk.guess("01.1", 2, 8, sure=0.7)
    assert book()["01.1"].sure == 0.7


def test_our_guess_does_not_unlock_the_students(said):
    lk.guess("01.1", 3, 6)
    assert said(lk.guess, "01.1", 2, 8) == "01.1 is locked at your guess: 3 to 6, 80% sure"


def test_an_expectation_scores_the_guess_beside_its_reference(said):
    lk.guess("01.1", 3, 6)
    printed = said(lk.expect({"n": ("rows", 5, 2)}), "n", 5.5, guess="01.1")
    assert printed.splitlines() == ["rows 5.5 (ours 5 ± 2)", "01.1 you said 3 to 6: inside"]


@pytest.mark.parametrize(
    "args, named, wrong",
    [
        (("01.1", 6, 3), {}, "the low one first"),
        (("01.1", 6), {}, "the low one first"),
        (("01.1", "a lot"), {}, "no option 'a lot'; accepted: two numbers"),
        (("01.1", float("nan"), 3), {}, "low wants a number"),
        (("01.1", 3, 6), {"sure": 80}, "sure=80 won't do"),
        (("01.2", 3, 6), {}, "is a choice: write choice="),
        (("01.2",), {"choice": "tail"}, "no option 'tail'; accepted: head, body"),
        (("77.1",), {}, "Give two numbers"),
    ],
)
def test_what_is_no_guess_is_refused_and_nothing_is_kept(args, named, wrong, own_journal):
    with pytest.raises(BadInput, match=wrong):
        lk.guess(*args, **named)
    assert not own_journal.exists()


# Kept


def test_guesses_outlive_the_session_and_a_torn_line(own_journal):
    lk.guess("01.1", 3, 6)
    lk.scored("01.1", 4)
    journal.note("01.2", "failed")
    own_journal.write_bytes(
        b'[1]\n{"guess": 3}\n{"guess": "01.2", "low": 9}\n' + own_journal.read_bytes() + b'{"guess": "01.2", "lo'
    )
    ledger.forget_session()
    lk.guess("01.2", choice="body")
    assert {id: (g.told, g.held) for id, g in book().items()} == {"01.1": ("3 to 6", True), "01.2": ("the body", None)}
    assert len(journal.entries()) == 1  # a guess is no try of an exercise


def test_a_folder_that_takes_no_file_keeps_the_session_going(said, own_journal):
    own_journal.mkdir()
    (own_journal / "labkit-progress.jsonl").mkdir()
    assert "not kept on disk" in said(lk.guess, "01.1", 3, 6)
    assert said(lk.scored, "01.1", 4).endswith("you said 3 to 6: inside")


# Added up


def made(id="01.1", held=True, sure=0.8, width=5.0):
    return Guess(id, 0.0, width, None, sure, "2025-01-01", came=width / 2 if held else width + 1)


@pytest.mark.parametrize("right, of, word", [(4, 10, "over"), (8, 10, "unknown"), (20, 20, "under"), (0, 4, "unknown")])
def test_over_or_under_confident_is_said_only_outside_the_interval(right, of, word):
    found = calibration.tally("", [made(held=i < right) for i in range(of)])
    assert (found.word, found.share, found.width) == (word, right / of, 0.25)


def test_the_curve_has_a_point_a_stated_confidence_and_leaves_late_guesses_out():
    late = Guess("01.1", 0, 1, None, 0.5, "t", late=True, came=0.5)
    guesses = [made(sure=0.6), made(sure=0.6, held=False), made(sure=0.9), late]
    assert {level: (t.held, t.n) for level, t in calibration.by_confidence(guesses).items()} == {
        0.6: (1, 2),
        0.9: (1, 1),
    }
    points = calibration.curve(guesses).marks[-1].points
    assert points == [(60, 50), (90, 100)]


def test_choices_have_a_brier_score():
    choices = [
        Guess("01.2", None, None, "head", 0.9, "t", came="head"),
        Guess("01.2", None, None, "head", 0.5, "t", came="body"),
    ]
    assert calibration.tally("", choices).brier == pytest.approx((0.01 + 0.25) / 2)


@pytest.mark.parametrize("code", ["en", "zh"])
def test_progress_tells_topics_and_draws_the_curve(code):
    language(code)
    lk.guess("01.1", 3, 6)
    lk.scored("01.1", 4)
    shown = lk.progress()
    assert ("1 held (100%" if code == "en" else "猜中 1 个") in repr(shown) and "<svg" in shown._repr_html_()
    assert "guesses" not in repr(lk.progress("02")) and "猜测" not in repr(lk.progress("02"))


# Handed in


def test_a_class_sees_what_surprised_it(tmp_path, own_journal):
    for name, low in (("Ana", 3), ("Bo<b>", 5), ("Cy", 1)):
        own_journal.unlink(missing_ok=True)
        ledger.forget_session()
        lk.guess("01.1", low, low + 1)
        lk.scored("01.1", 4)
        lk.report(name, tmp_path / "in")
    found = classroom.read_class(tmp_path / "in")
    (surprise,) = found.surprises()
    assert (surprise.name, surprise.held, surprise.n) == ("01.1", 1, 3)
    assert found.to_json()["guesses"] == [{"id": "01.1", "guesses": 3, "held": 1, "stated": 0.8}]
    assert "3 came out, 1 held" in str(found)
    page = class_page(found)
    assert "Most surprising first" in page and "Bo&lt;b&gt;" in page and "<b>B" not in page
    written = {path.name: path for path in classroom.write_class(found, tmp_path / "out")}
    assert "class-guesses.png" in written and len(written["guesses.csv"].read_text("utf-8-sig").splitlines()) == 4


@pytest.mark.parametrize("hurt", [{"low": 9}, {"came": "a"}, {"sure": 2}, {"at": None, "low": None}])
def test_a_report_with_an_impossible_guess_is_skipped(tmp_path, hurt):
    lk.guess("01.1", 3, 6)
    lk.report("Ana", tmp_path / "in")
    path = tmp_path / "in" / "labkit-report-Ana.json"
    record = json.loads(path.read_text("utf-8"))
    record["guesses"] = [asdict(made()) | hurt]
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(BadInput, match="holds no report"):
        classroom.read_class(tmp_path / "in")


# The panel


def test_the_panel_locks_what_its_sliders_say():
    panel = lk.guess("01.1")
    panel.set(guess=(3, 7), sure=0.9)
    assert panel.source() == 'lk.guess("01.1", 3, 7, sure=0.9)'
    panel.run_button.click()
    panel.wait()
    assert (book()["01.1"].told, book()["01.1"].sure) == ("3 to 7", 0.9)
    assert panel.run_button.disabled and "locked: 3 to 7" in panel.live.value
    again = lk.guess("01.1")
    assert again.run_button.disabled and again.value() == (3, 7)


def test_the_panel_has_buttons_for_a_choice():
    panel = lk.guess("01.2")
    panel.set(guess="body")
    assert panel.source() == "lk.guess(\"01.2\", choice='body')"
    panel.run_button.click()
    panel.wait()
    assert book()["01.2"].choice == "body"


# The questions of the course


def test_every_question_can_be_answered_and_our_guess_is_an_answer():
    assert sorted(questions(), key=place_of) == list(questions())
    for asked in questions().values():
        if asked.options:
            assert asked.default in asked.options and len(asked.options) > 1
        else:
            assert asked.within[0] <= asked.default[0] < asked.default[1] <= asked.within[1]
        assert asked.zh and asked.en and not asked.en.endswith("?")


SOURCES = sorted((Path(__file__).resolve().parents[2] / "notebooks" / "src").glob("[01]*.py"))
ID = re.compile(r"\d\d\.\d+[a-h]?")
# Guesses that are spoken and not kept, by the first words of each, and why.
SPOKEN = {
    "a drawing, or the reading of one": (
        "画出你想象中的曲线",
        "两条线，哪条更高",
        "第 6 步里，梯度本身占多少",
        "会是一片犬牙交错",
        "三条路会重合吗",
        "拿掉热身，会在哪一段看见",
        "先不看下面的字",
        "走 20 大步的那次",
        "画三条线",
        "加权和不加权，两条曲线差多远",
        "四帖药里",
        "验证准确率会怎样变",
        "翻一成，准确率掉几个百分点",
    ),
    "a sentence, a reason or words": (
        "会是哪一类句子",
        "会是什么样的句子",
        "哪几句会站错边",
        "第三句里，哪几个字最深",
        "哪些句子，哪一种本领会犹豫",
        "为什么要留那一成",
        "“味道很■”",
        "给它“这家店的”",
        "“马上放假了，真高兴”",
    ),
    "a panel that the student moves": ("谁先从脊线上下来",),
    "a time, a rate or luck of this machine": (
        "慢几倍",
        "同一种策略的两个种子",
        "读 139 分钟",
        "从 1 个客户到 16 个",
        "会有几种状态码",
        "这个头的损失在多大的学习率爆炸",
    ),
    "a number or a choice whose experiment has no line yet that scores it": (
        "掉多少",
        "真人的 200 段",
    ),
}


def calls(source):
    """(guesses with what they give, ids that are scored) of a notebook, in order."""
    given, scored = {}, []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "guess":
            id, *ends = [ast.literal_eval(one) for one in node.args]
            assert id not in given, f"{id} is guessed twice"
            given[id] = ast.literal_eval(node.keywords[0].value) if node.keywords else tuple(map(float, ends))
        elif name == "scored":
            scored.append(ast.literal_eval(node.args[0]))
        for word in node.keywords:
            if word.arg == "guess":  # of an expectation, or the name that holds it
                scored += strings(node, word.value, source)
    return given, scored


def strings(node, value, source):
    """The ids in a keyword's value; of a name, those in the value that the line above gives it."""
    text = ast.unparse(value)
    if isinstance(value, ast.Name):
        text = next(line for line in source.splitlines()[: node.lineno][::-1] if line.strip().startswith(f"{text} = "))
    return ID.findall(text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_each_guess_of_a_notebook_is_scored_by_one_experiment_after_it(path):
    source = path.read_text("utf-8")
    given, scored = calls(source)
    assert sorted(scored) == sorted(given)
    assert all(source.rfind(f'"{id}"') > source.index(f'lk.guess("{id}"') + len("lk.guess(") for id in given)
    listed = {id: asked.default for id, asked in questions().items() if id.startswith(path.stem[:2] + ".")}
    assert given == listed


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_where_a_guess_is_scored_by_a_reference_our_guess_has_one_fate_on_every_machine(path):
    for key, id in re.findall(r'expect\("([^"]+)",.*guess="([^"]+)"', path.read_text("utf-8")):
        _, value, within = references(path.stem[:2])[key]
        low, high = questions()[id].default
        least, most = questions()[id].within  # nothing comes out beyond these
        first, last = max(value - within, least), min(value + within, most)
        assert (low <= first and last <= high) or last < low or first > high, (
            f"{id}: {value} ± {within} lies across an end of {low} to {high}"
        )


def spoken(source):
    """The guesses of a notebook that no code cell up to the next text keeps: their first words."""
    cells = re.split(r"(?m)^# %%", source)[1:]
    found = []
    for place, cell in enumerate(cells):
        asked = re.search(r"\*\*(?:再)?猜\*\*(?:：|，)?(.*)", cell)
        if asked is None or 'lang="zh"' not in cell.splitlines()[0]:
            continue
        codes = itertools.dropwhile(written, cells[place + 1 :])
        if not any("lk.guess(" in code for code in itertools.takewhile(lambda cell: not written(cell), codes)):
            found.append(asked[1])
    return found


def written(cell):
    """Whether a cell is text."""
    return "[markdown]" in cell.splitlines()[0]


def test_a_guess_that_is_spoken_and_not_kept_is_listed_with_the_reason():
    asked = [words for path in SOURCES for words in spoken(path.read_text("utf-8"))]
    known = [words for kind in SPOKEN.values() for words in kind]
    assert [words for words in asked if not words.startswith(tuple(known))] == []
    assert [words for words in known if not any(one.startswith(words) for one in asked)] == []
    assert len(asked) == len(known)
