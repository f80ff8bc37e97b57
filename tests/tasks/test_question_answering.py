"""Question answering: windows, the choice of a span, several references. Every complaint that users of such code had is a test."""

from types import SimpleNamespace

import pytest
import torch
from stand_ins import family

from labkit.base.records import Example
from labkit.data.packaged import slips
from labkit.models.loading import load
from labkit.tasks import QuestionAnswering, task_of
from labkit.tasks.question_answering import Answer, tokens_of

TASK = QuestionAnswering()
OPEN = QuestionAnswering(no_answer=True)
SAID, NOT = 5.0, -5.0


@pytest.fixture(scope="module")
def model():
    return load("tiny-bert-zh", task=TASK)


@pytest.fixture(scope="module")
def tokenizer(model):
    return model.processor


def asked(question, context, answer=None):
    """A row whose answer stands once in its context."""
    target = () if answer is None else ((answer, context.index(answer)),)
    return Example((question, context), target)


def said(task, tokenizer, items, best):
    """What a network would be taken to say that gives `best`, {(window, token): (start, end)}, and 0 elsewhere."""
    batch = task.collate(tokenizer, items)
    rows, longest = batch.inputs["input_ids"].shape
    start, end = torch.zeros(rows, longest), torch.zeros(rows, longest)
    for (row, token), (one, other) in best.items():
        start[row, token], end[row, token] = one, other
    answers = task.answers(SimpleNamespace(start_logits=start, end_logits=end), batch)
    return task.merge(answers, items)


def place(item, text, nth=0):
    """The first and last token of a text in a window."""
    begin = -1
    for _ in range(nth + 1):
        begin = item["context"].index(text, begin + 1)
    return tokens_of((begin, begin + len(text)), item["offsets"], item["span"])


# Windows


def test_an_answer_that_only_the_last_window_holds_is_learnt_there_and_found_there(tokenizer):
    row = asked("电话是多少？", "这是一段很长的文字，说来说去。" * 12 + "电话是六二零。", "六二零")
    items = TASK.encode(tokenizer, [row], 48)
    assert len(items) > 4
    assert [item["target"] for item in items[:-1]] == [(0, 0)] * (len(items) - 1)  # they point at [CLS]
    first, last = items[-1]["target"]
    assert (first, last) == place(items[-1], "六二零") and first > 0
    best = {(len(items) - 1, first): (SAID, 0), (len(items) - 1, last): (0, SAID)}
    assert said(TASK, tokenizer, items, best)[0] | {"probability": 0} == {
        "text": "六二零",
        "start": row.target[0][1],
        "probability": 0,
    }


def test_windows_are_compared_by_their_score_less_their_null_score(tokenizer):
    row = asked("谁？", "一二三四五六七八九十" * 6)
    items = TASK.encode(tokenizer, [row], 32)
    assert len(items) > 2
    one, other = items[0]["starts"][0], items[1]["starts"][0]
    loud = {(0, one): (9.0, 9.0), (0, 0): (8.0, 8.0)}  # 18 - 16
    quiet = {(1, other): (3.0, 3.0), (1, 0): (0.5, 0.5)}  # 6 - 1
    found = said(TASK, tokenizer, items, loud | quiet)[0]
    assert found["start"] == items[1]["offsets"][other][0]


def test_a_span_that_two_windows_hold_counts_once(tokenizer):
    row = asked("谁？", "一二三四五六七八九十" * 6)
    items = TASK.encode(tokenizer, [row], 32)
    starts = [item["offsets"][i] for item in items for i in range(*item["starts"])]
    assert starts == [(i, i + 1) for i in range(60)]


def test_every_answer_lies_in_one_window_at_least_even_on_a_seam(tokenizer):
    context = "".join(chr(0x4E00 + i) for i in range(300))
    rows = [Example(("在哪？", context), ((context[i : i + 6], i),)) for i in range(0, 294, 7)]
    items = TASK.encode(tokenizer, rows, 64)
    held = {item["example"] for item in items if item["target"] != (0, 0)}
    assert held == set(range(len(rows)))


def test_a_question_longer_than_the_window_leaves_room_for_the_context(tokenizer):
    items = TASK.encode(tokenizer, [asked("这是什么" * 50, "红枣三斤", "三斤")], 32)
    assert all(len(item["input_ids"]) <= 32 for item in items)
    assert sum(item["target"] != (0, 0) for item in items) >= 1


def test_batches_say_where_question_and_context_are(tokenizer):
    rows = [asked("几斤？", "红枣三斤", "三斤"), asked("几斤大米？", "大米十斤，红枣三斤")]
    batch = TASK.collate(tokenizer, TASK.encode(tokenizer, rows, 64))
    first, second = batch.inputs["token_type_ids"].tolist()
    assert first[:5] == [0] * 5 and first[5:10] == [1] * 5  # [CLS] 几 斤 ？ [SEP] | 红 枣 三 斤 [SEP]
    assert second.count(1) == 10
    assert batch.target[:, :2].tolist() == [[7, 8], [0, 0]]
    assert TASK.units(TASK.encode(tokenizer, rows, 64)) == 2.0


# Offsets


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("地址：  青石路12号", "青石路12号"),  # two spaces
        ("地址：　　青石路12号", "青石路12号"),  # wide ones
        ("Ｎｏ．１２：ＡＢ街", "ＡＢ街"),  # full width: the tokenizer reads other characters than stand there
        ("价钱\u200b是 3.5 元", "3.5 元"),  # a sign that vanishes among the tokens
        ("emoji 😀 之后是红枣", "红枣"),
        ("﷽ 红枣", "红枣"),
    ],
)
def test_answers_are_cut_from_the_context_whatever_the_tokenizer_made_of_it(tokenizer, context, answer):
    row = asked("是什么？", context, answer)
    (item,) = TASK.encode(tokenizer, [row], 64)
    first, last = item["target"]
    (found,) = said(
        TASK,
        tokenizer,
        [item],
        {(0, first): (SAID, 0), (0, last): (0, SAID)} if first != last else {(0, first): (SAID, SAID)},
    )
    assert found["text"] == answer and found["start"] == context.index(answer)


# The choice of a span


def test_an_answer_never_crosses_into_the_question(tokenizer):
    (item,) = TASK.encode(tokenizer, [asked("红枣几斤？", "红枣三斤", "三斤")], 64)
    inside = place(item, "三斤")
    loud = {(0, 1): (90.0, 90.0), (0, 2): (80.0, 80.0)}  # the question itself
    (found,) = said(TASK, tokenizer, [item], loud | {(0, inside[0]): (1.0, 0.0), (0, inside[1]): (0.0, 1.0)})
    assert found["text"] == "三斤"
    mixed = {(0, 1): (90.0, 0.0), (0, inside[1]): (0.0, 1.0)}  # begins in the question, ends in the context
    (found,) = said(TASK, tokenizer, [item], mixed)
    assert found["text"].endswith("斤") and found["start"] >= 0


def test_an_answer_does_not_end_before_it_begins(tokenizer):
    (item,) = TASK.encode(tokenizer, [asked("几斤？", "大米十斤，红枣三斤")], 64)
    early, late = place(item, "大米")[0], place(item, "红枣")[0]
    (found,) = said(TASK, tokenizer, [item], {(0, late): (SAID, 0), (0, early): (0, SAID)})
    assert found["text"] != "" and len(found["text"]) <= 5


def test_an_answer_is_no_longer_than_it_may_be(tokenizer):
    short = QuestionAnswering(max_answer_length=3)
    (item,) = short.encode(tokenizer, [asked("几斤？", "大米十斤，红枣三斤")], 64)
    begin, end = item["span"]
    (found,) = said(short, tokenizer, [item], {(0, begin): (SAID, 0), (0, end - 1): (0, SAID)})
    assert len(found["text"]) <= 3


def test_the_best_span_is_the_one_that_a_slow_search_finds(tokenizer):
    rows = [asked("几斤？", "大米十斤，红枣三斤，花生油两瓶"), asked("谁？", "林小满")]
    items = TASK.encode(tokenizer, rows, 64)
    batch = TASK.collate(tokenizer, items)
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        start, end = torch.randn(2, *batch.inputs["input_ids"].shape, generator=rng) * 3
        found = TASK.merge(TASK.answers(SimpleNamespace(start_logits=start, end_logits=end), batch), items)
        for row, item in enumerate(items):
            spans = {
                (i, j): (start[row, i] + end[row, j]).item()
                for i in range(*item["span"])
                for j in range(i, item["span"][1])
            }
            first, last = max(spans, key=spans.get)
            text = item["context"][item["offsets"][first][0] : item["offsets"][last][1]]
            assert found[row]["text"] == text
            share = torch.tensor(list(spans.values())).softmax(0).max().item()
            assert found[row]["probability"] == pytest.approx(share, abs=1e-5)


# No answer


def test_no_answer_is_said_where_its_score_is_the_best_and_training_rows_had_such(tokenizer):
    (item,) = OPEN.encode(tokenizer, [asked("谁？", "红枣三斤")], 64)
    null = {(0, 0): (SAID, SAID)}
    (found,) = said(OPEN, tokenizer, [item], null)
    assert found["text"] == "" and found["start"] is None and found["probability"] > 0.9
    (found,) = said(TASK, tokenizer, [item], null)
    assert found["text"] != ""


def test_probabilities_of_all_that_may_be_said_sum_to_one(tokenizer):
    """The null answer's, and each span's when it alone is asked for, from windows that overlap."""
    items = OPEN.encode(tokenizer, [asked("谁？", "一二三四五六七八九十" * 4)], 32)
    batch = OPEN.collate(tokenizer, items)
    start, end = torch.randn(2, *batch.inputs["input_ids"].shape, generator=torch.Generator().manual_seed(1))
    total, odds = 1.0, []
    for row, item in enumerate(items):
        null = (start[row, 0] + end[row, 0]).item()
        for i in range(*item["starts"]):
            for j in range(i, item["span"][1]):
                odds.append(torch.tensor((start[row, i] + end[row, j]).item() - null).exp().item())
    total += sum(odds)
    (found,) = OPEN.merge(OPEN.answers(SimpleNamespace(start_logits=start, end_logits=end), batch), items)
    assert found["probability"] == pytest.approx(max([1.0, *odds]) / total, rel=1e-4)


def test_a_context_that_no_token_is_made_of_has_no_answer(tokenizer):
    items = TASK.encode(tokenizer, [Example(("谁？", "\u200b\u200d"))], 64)
    (found,) = said(TASK, tokenizer, items, {})
    assert found == {"text": "", "start": None, "probability": 0.0}


# References


def test_several_references_judge_and_the_first_that_is_a_span_is_learnt(tokenizer):
    row = Example(("几斤？", "红枣三斤"), (("三 斤左右", -1), ("三斤", 2), ("红枣三斤", 0)))
    (item,) = TASK.encode(tokenizer, [row], 64)
    assert item["target"] == place(item, "三斤")
    truth = TASK.truth(row)
    assert [TASK.counts(x, truth)[1] for x in ("三斤", "红枣三斤", "三 斤左右", "斤")] == [1, 1, 1, 0]


def test_with_one_empty_reference_silence_is_right_too():
    row = Example(("几斤？", "红枣三斤"), (("", -1), ("三斤", 2)))
    assert [OPEN.counts(x, OPEN.truth(row))[1] for x in ("", "三斤", "红枣")] == [1, 1, 0]


def test_scores_have_cmrcs_metrics_first_and_squads_by_their_own_names():
    truth = [["青石路12号"], [], ["周三下午"]]
    answers = [{"text": t, "start": None, "probability": 1.0} for t in ("青石路", "", "下午周三")]
    scores = OPEN.score(answers, truth)
    assert list(scores.metrics) == ["exact_match", "f1", "squad_exact_match", "squad_f1"]
    assert scores.exact_match == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx((2 * 3 / 8 + 1 + 0.5) / 3)
    assert scores.squad_f1 == pytest.approx((2 * 3 / 9 + 1 + 1) / 3)
    assert scores.metrics["exact_match"].low < 1 / 3 < scores.metrics["exact_match"].high


# The network


def test_the_loss_of_a_row_does_not_depend_on_its_batch(model, tokenizer):
    rows = [asked("几斤？", "红枣三斤", "三斤"), asked("谁送？", "骑手林小满送到青石路十二号门口", "林小满")]
    items = TASK.encode(tokenizer, rows, 64)
    with torch.no_grad():
        together, _ = TASK.ask(model.eval(), TASK.collate(tokenizer, items))
        alone = [TASK.ask(model, TASK.collate(tokenizer, [item]))[0].item() for item in items]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_the_loss_is_the_mean_of_two_cross_entropies_over_the_context_and_the_null_place(tokenizer):
    (item,) = TASK.encode(tokenizer, [asked("几斤？", "红枣三斤", "三斤")], 64)
    batch = TASK.collate(tokenizer, [item])
    start, end = torch.randn(2, 1, len(item["input_ids"]), generator=torch.Generator().manual_seed(0))
    places = [0, *range(*item["span"])]
    one = -start[0, places].log_softmax(0)[places.index(item["target"][0])]
    other = -end[0, places].log_softmax(0)[places.index(item["target"][1])]
    loss = TASK.losses(SimpleNamespace(start_logits=start, end_logits=end), batch)
    assert loss.item() == pytest.approx(((one + other) / 2).item(), abs=1e-6)


def test_a_gpt_reads_question_and_context_with_a_line_break_between(tmp_path):
    gpt = load(family("gpt2", tmp_path / "gpt"), task=TASK)
    row = asked("几斤", "红枣三斤", "三斤")
    (item,) = TASK.encode(gpt.processor, [row], 64)
    first, last = item["target"]
    assert item["context"][item["offsets"][first][0] : item["offsets"][last][1]] == "三斤"


def test_the_task_comes_back_from_its_card():
    assert task_of(OPEN.card()) == OPEN != TASK


# Faces


def test_an_answer_shows_question_context_and_mark(model):
    answer = Answer("<谁>？", "骑手<林>送", "<林>", 2, 0.5)
    assert str(answer) == "<林>\t0.500\t<谁>？\t骑手【<林>】送"
    assert "<mark" in answer.html() and "&lt;林&gt;</mark>送" in answer.html() and "&lt;谁&gt;" in answer.html()
    nothing = Answer("谁？", "红枣", "", None, 0.9)
    assert str(nothing) == "(no answer)\t0.900\t谁？\t红枣"
    assert nothing.to_json()["answer"] == "" and nothing.to_json()["start"] is None


def test_inputs_are_typed_with_a_tabulator_or_a_line_break():
    assert TASK.parse("几斤？\t红枣三斤\n两箱") == ("几斤？", "红枣三斤\n两箱")
    assert TASK.parse("几斤？\n红枣三斤\n两箱") == ("几斤？", "红枣三斤\n两箱")
    assert all(len(TASK.parse(sample)) == 2 for sample in TASK.samples)


def test_baselines_answer_as_the_task_does():
    corpus = slips()
    for make in corpus.task.baselines(corpus.train).values():
        answers = make().answer([e.input for e in corpus.test])
        assert all(e.input[1].startswith(a["text"], a["start"] or 0) for e, a in zip(corpus.test, answers, strict=True))
        assert 0.1 < corpus.task.score(answers, [corpus.task.truth(e) for e in corpus.test]).exact_match < 0.9
