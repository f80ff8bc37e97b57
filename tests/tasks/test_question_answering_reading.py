"""Questions, contexts and answers as files have them: what is read, what is put right and said, what is refused."""

import gzip
import json

import pytest

from labkit.base.records import BadInput
from labkit.data.describe import dropped_text
from labkit.data.loading import load_csv
from labkit.data.packaged import slips
from labkit.tasks import QuestionAnswering


def line(question="几斤？", context="红枣三斤，送到青石路", text="三斤", start=2, **more):
    texts, starts = ([text], [start]) if isinstance(text, str) else (text, start)
    return {"question": question, "context": context, "answers": {"text": texts, "answer_start": starts}, **more}


def others(n=40):
    return [line(context=f"红枣三斤，送到青石路{i}号") for i in range(n)]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def everything(corpus):
    return {e.input: e for split in corpus.splits.values() for e in split}


def test_the_columns_settle_the_task_and_the_rows_come_as_pairs_with_references(tmp_path):
    rows = [*others(), line("谁？", "林小满收", ["林小满", "小满"], [0, 1], id="x1", shop="东门")]
    corpus = load_csv(write(tmp_path / "a.jsonl", rows))
    assert isinstance(corpus.task, QuestionAnswering) and not corpus.task.no_answer
    row = everything(corpus)["谁？", "林小满收"]
    assert row.target == (("林小满", 0), ("小满", 1))
    assert row.extra["id"] == "x1" and row.extra["shop"] == "东门"
    assert corpus.dropped == () and corpus.notes == ()


def test_packed_files_and_other_names_of_columns_are_read(tmp_path):
    rows = [{"q": r["question"], "p": r["context"], "answers": r["answers"]} for r in others()]
    place = tmp_path / "a.jsonl.gz"
    with gzip.open(place, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    corpus = load_csv(place, columns={"question": "q", "context": "p"})
    assert len(everything(corpus)) == 40


def test_rows_without_an_answer_let_the_task_say_so(tmp_path):
    rows = [*others(), *(line(context=f"大米{i}", text=[], start=[]) for i in range(20))]
    corpus = load_csv(write(tmp_path / "a.jsonl", rows))
    assert corpus.task.no_answer
    assert all(any(corpus.task.group(e) == g for e in part) for part in corpus.splits.values() for g in (0, 1))


def test_a_start_that_is_off_is_put_right_where_only_one_place_can_be_meant_and_said(tmp_path):
    rows = [*others(), line("谁？", "林小满收", "小满", 0), line("几？", "12号院，共12斤", "12", 5)]
    corpus = load_csv(write(tmp_path / "a.jsonl", rows))
    assert everything(corpus)["谁？", "林小满收"].target == (("小满", 1),)
    assert corpus.notes == ("answer_start put right in 1 rows (lines 41)",)


def test_white_space_before_a_context_shifts_no_answer(tmp_path):
    rows = [line(context=f"　　红枣三斤，第{i}单", start=4) for i in range(30)]
    corpus = load_csv(write(tmp_path / "a.jsonl", rows))
    for (_, context), example in everything(corpus).items():
        ((text, start),) = example.target
        assert context[start : start + len(text)] == text == "三斤"


def test_a_few_rows_whose_answer_is_nowhere_are_left_out_and_counted(tmp_path):
    rows = [*others(), line("谁？", "林小满收", "张三", 0)]
    corpus = load_csv(write(tmp_path / "a.jsonl", rows))
    assert [(d.reason, d.count, d.examples) for d in corpus.dropped] == [("lost", 1, ("谁？ ⇥ 张三",))]
    assert dropped_text(corpus) == "Rows dropped: answer not in the context 1"


def test_many_of_them_are_refused_with_file_and_line(tmp_path):
    place = write(tmp_path / "a.jsonl", [*others(10), *(line("谁？", "林小满收", f"张{i}", 1) for i in range(3))])
    with pytest.raises(BadInput) as error:
        load_csv(place)
    assert f"{place}, line 11" in str(error.value) and "'张0'" in str(error.value) and "3 rows" in str(error.value)


def test_a_place_that_may_be_either_of_two_is_no_place(tmp_path):
    place = write(tmp_path / "a.jsonl", [line("几？", "12号院，共12斤", "12", 3)])
    with pytest.raises(BadInput, match="line 1"):
        load_csv(place)


def test_references_that_are_no_span_judge_and_are_not_looked_for(tmp_path):
    rows = [*others(), line("谁？", "林小满收", ["小满", "她"], [1, -1])]
    example = everything(load_csv(write(tmp_path / "a.jsonl", rows)))["谁？", "林小满收"]
    assert example.target == (("小满", 1), ("她", -1))


WRONG = {
    "a text": "三斤",
    "a list of objects": [{"text": "三斤", "answer_start": 2}],
    "no starts": {"text": ["三斤"]},
    "a start that is no number": {"text": ["三斤"], "answer_start": ["2"]},
    "a start that is a truth": {"text": ["三斤"], "answer_start": [True]},
    "lists of two lengths": {"text": ["三斤", "斤"], "answer_start": [2]},
    "no lists": {"text": "三斤", "answer_start": 2},
    "nothing": None,
}


@pytest.mark.parametrize("cell", WRONG.values(), ids=WRONG)
def test_answers_of_another_shape_are_refused_with_file_line_and_the_right_shape(tmp_path, cell):
    """Also in a file whose other rows are as they should be."""
    place = write(tmp_path / "a.jsonl", [*others(3), {**line(), "answers": cell}])
    with pytest.raises(BadInput) as error:
        load_csv(place)
    assert f"{place}, line 4" in str(error.value) and "answer_start" in str(error.value)


@pytest.mark.parametrize("column", ["question", "context"])
@pytest.mark.parametrize("value", ["", "  ", None, ["红枣"]])
def test_an_empty_question_or_context_is_refused_with_file_and_line(tmp_path, column, value):
    place = write(tmp_path / "a.jsonl", [*others(3), {**line(), column: value}])
    with pytest.raises(BadInput) as error:
        load_csv(place)
    assert f"{place}, line 4" in str(error.value) and repr(column) in str(error.value)


def test_a_few_empty_rows_are_left_out_and_counted(tmp_path):
    corpus = load_csv(write(tmp_path / "a.jsonl", [*others(), line(question="")]))
    assert [(d.reason, d.count) for d in corpus.dropped] == [("empty", 1)]


def test_the_same_question_on_the_same_context_stands_in_one_split(tmp_path):
    test = write(tmp_path / "test.jsonl", others(5))
    corpus = load_csv(write(tmp_path / "train.jsonl", others()), test=test)
    assert [(d.reason, d.count) for d in corpus.dropped] == [("leak", 5)]


def nested(rows):
    """Rows as a nested SQuAD file has them, all in one article."""
    paragraphs = [
        {
            "context": r["context"],
            "qas": [
                {
                    "question": r["question"],
                    "id": str(i),
                    "answers": [
                        {"text": t, "answer_start": s}
                        for t, s in zip(r["answers"]["text"], r["answers"]["answer_start"], strict=True)
                    ],
                }
            ],
        }
        for i, r in enumerate(rows)
    ]
    return {"version": "1", "data": [{"title": "slips", "paragraphs": paragraphs}]}


def test_nested_files_are_read_as_flattened_ones(tmp_path):
    rows = [*others(), line("谁？", "林小满收", [], [])]
    (tmp_path / "a.json").write_text(json.dumps(nested(rows), ensure_ascii=False), "utf-8")
    one, other = load_csv(tmp_path / "a.json"), load_csv(write(tmp_path / "a.jsonl", rows))
    assert {e.input: e.target for e in everything(one).values()} == {
        e.input: e.target for e in everything(other).values()
    }
    assert one.task.no_answer == other.task.no_answer and one.notes == ("nested SQuAD: a line is a question",)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"data": [{"paragraphs": [{"qas": []}, {"qas": [{}]}]}]}', '{"text": 1}']
)
def test_other_json_is_refused_in_one_message(tmp_path, content):
    (tmp_path / "a.json").write_text(content, "utf-8")
    with pytest.raises(BadInput, match=r"a\.json .*SQuAD"):
        load_csv(tmp_path / "a.json")


# The packaged slips


def test_slips_are_what_their_script_writes(tmp_path):
    import runpy
    from pathlib import Path

    import labkit

    root = Path(labkit.__file__).parent
    tool = root.parent / "tools" / "make_slips.py"
    rows = runpy.run_path(str(tool))["rows"]()
    stored = [json.loads(text) for text in (root / "assets" / "slips.jsonl").read_text("utf-8").splitlines()]
    assert rows == stored


def test_slips_have_fixed_splits_and_wordings_that_only_test_rows_have():
    corpus = slips()
    wordings = {split: {(e.extra["wording"], e.input[0]) for e in rows} for split, rows in corpus.splits.items()}
    known = {question for split in ("train", "valid") for _, question in wordings[split]}
    assert {w for w, _ in wordings["train"] | wordings["valid"]} == {"seen"}
    unseen = {question for wording, question in wordings["test"] if wording == "unseen"}
    assert len(unseen) >= 15 and not unseen & known
    assert {question for wording, question in wordings["test"] if wording == "seen"} <= known
    assert [e.input for e in slips(limit=50).test] == [e.input for e in corpus.test]
    assert len(slips(limit=50).train) == 50


def test_every_answer_of_the_slips_stands_where_it_is_said_to(tmp_path):
    rows = [e for split in slips().splits.values() for e in split]
    assert all(e.input[1].startswith(text, start) for e in rows for text, start in e.target)
    assert all(e.target for e in rows)


# Real sets


@pytest.mark.parametrize(("name", "moved", "rows"), [("qa_zh_hans", 8, 3020), ("qa_zh_hant", 0, 5612)])
def test_real_sets_are_read_whole(shared, name, moved, rows):
    place = shared / f"{name}_train.jsonl.gz"
    corpus = load_csv(place, valid=shared / f"{name}_validation.jsonl.gz", test=shared / f"{name}_test.jsonl.gz")
    assert not corpus.task.no_answer
    assert len(corpus.train) + sum(d.count for d in corpus.dropped) >= rows
    assert sum(d.count for d in corpus.dropped if d.reason == "lost") <= moved
    spans = [(e.input[1], *next((t, s) for t, s in e.target if s >= 0)) for e in corpus.train]
    assert all(context.startswith(text, start) for context, text, start in spans)
