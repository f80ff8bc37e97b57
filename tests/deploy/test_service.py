"""A service answers as the model does, whatever the task; what is bad is refused by itself; the log holds no text."""

import asyncio
import json
import random

import pytest
import toys
from stand_ins import MARKS, NEUTRAL, bert

import labkit as lk
from labkit.base.records import BadInput
from labkit.deploy.journal import Journal, read_log
from labkit.deploy.limits import Limits
from labkit.deploy.service import Refused, Service, check_format
from labkit.modalities.text import Text
from labkit.tasks import Classification, MultiLabel


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("service") / "bert")


@pytest.fixture(scope="module")
def model(place):
    return lk.load(place, labels=("good", "bad", "dear"))


def texts(n=60, seed=0):
    rng = random.Random(seed)
    return ["".join(rng.choices(NEUTRAL + "".join(MARKS), k=rng.choice((1, 3, 9, 30, 80)))) for _ in range(n)]


def served(model, values, **options):
    """What a service says to values that come all at once, each in a request of its own."""
    service = Service(model, **options)

    async def scenario():
        return await asyncio.gather(*(service.predict([value]) for value in values))

    try:
        return [answer for (answer,) in asyncio.run(asyncio.wait_for(scenario(), 60))]
    finally:
        assert service.close()


def test_answers_in_a_batch_equal_answers_alone(model):
    asked = texts()
    found = served(model, asked)
    for text, answer in zip(asked, found, strict=True):
        (alone,) = lk.predict(model, [text])
        assert answer.input == text and answer.label == alone.label
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_many_were_asked_at_once(model):
    service = Service(model)

    async def scenario():
        await asyncio.gather(*(service.predict([text]) for text in texts()))

    asyncio.run(scenario())
    service.close()
    assert max(service.batcher.counts.sizes) > 4


@pytest.mark.parametrize(
    "task, value",
    [
        (MultiLabel(labels=("hot", "dear", "late")), "贵慢冷咸"),
        (Classification(Text(pair=True), ("same", "other")), ["好", "坏"]),
        (Classification(Text(pair=True), ("same", "other")), "好\t坏"),
    ],
    ids=["multi-label", "pair as a list", "pair as a line"],
)
def test_every_task_of_texts_is_served_through_its_contract(place, task, value):
    model = lk.load(place, task=task)
    (answer,) = served(model, [value])
    (alone,) = lk.predict(model, [tuple(value) if isinstance(value, list) else task.parse(value)])
    assert answer.to_json() == alone.to_json()


def test_a_long_context_is_read_in_windows_and_answered_once(place):
    from labkit.tasks import QuestionAnswering

    model = lk.load(place, task=QuestionAnswering(stride=8))
    pairs = [["好", NEUTRAL * 4], ["坏", "贵慢冷咸"], ["美", NEUTRAL[:20] * 5]]
    found = served(model, pairs)
    for pair, answer in zip(pairs, found, strict=True):
        (alone,) = lk.predict(model, [tuple(pair)])
        assert (answer.text, answer.start) == (alone.text, alone.start)
        assert answer.probability == pytest.approx(alone.probability, abs=1e-5)


def test_a_modality_that_does_not_say_how_is_not_sent_as_json(tmp_path):
    model = lk.load(toys.network(tmp_path / "toy"), task=toys.regression(n=24).task)
    (answer,) = served(model, ["/etc/hostname"])
    assert isinstance(answer, Refused) and answer.status == 422


BAD = [5, None, True, "", "   ", [], {}, ["好"], "好\0", "\ud800", "x" * 10_001]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad)[:20])
def test_a_bad_input_is_refused_in_words_and_the_others_are_answered(model, bad):
    good, refused = served(model, ["好", bad])
    assert good.label in model.task.labels
    assert refused.status == 422 and len(refused.reason) > 10


def test_an_input_on_which_the_model_fails_is_a_500_of_its_own(model, monkeypatch):
    answer = Service.answer

    def fails(self, rows):
        if any(len(item["input_ids"]) == 5 for row in rows for item in row):
            raise RuntimeError("no luck")
        return answer(self, rows)

    monkeypatch.setattr(Service, "answer", fails)
    first, second, third = served(model, ["好", "好好好", "坏坏坏坏"])
    assert (first.label, third.label) != (None, None) and second.status == 500
    assert "no luck" not in second.reason  # what is inside is not for clients


def test_the_log_keeps_length_label_confidence_and_time_but_never_the_text(model, tmp_path):
    path = tmp_path / "log"
    found = served(model, ["好好好", "坏", 5], journal=Journal(path, model.task))
    first, second = sorted(read_log(path), key=lambda row: -row.length)
    assert (first.length, first.label) == (3, found[0].label) and second.length == 1
    assert first.confidence == pytest.approx(found[0].probability, abs=1e-4) and first.ms > 0
    assert "好" not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o077 == 0


def test_the_text_is_kept_where_it_is_asked_for(model, tmp_path):
    path = tmp_path / "log"
    served(model, ["好好好"], journal=Journal(path, model.task, texts=True))
    assert json.loads(path.read_text("utf-8").splitlines()[1])["text"] == "好好好"


def test_answers_in_the_texts_own_words_are_not_kept(place, tmp_path):
    from labkit.tasks import QuestionAnswering

    path = tmp_path / "log"
    served(lk.load(place, task=QuestionAnswering()), [["好", "贵慢冷咸"]], journal=Journal(path, QuestionAnswering()))
    (row,) = read_log(path)
    assert row.label is None and row.confidence is not None
    assert not any(c in path.read_text("utf-8") for c in "贵慢冷咸")


def test_a_full_disk_costs_lines_and_no_answers(model):
    journal = Journal("/dev/full", model.task)
    (answer,) = served(model, ["好"], journal=journal)
    assert answer.label and journal.lost == 2


def test_a_line_that_was_cut_short_is_left_out_and_another_file_is_refused(model, tmp_path):
    path = tmp_path / "log"
    served(model, ["好"], journal=Journal(path, model.task))
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"time": 17, "len')
    assert len(read_log(path)) == 1
    served(model, ["好"], journal=Journal(path, model.task))  # the service started again on the same file
    assert len(read_log(path)) == 2
    with open(path, "a", encoding="utf-8") as file:
        file.write("text,label\n好,good\n")
    with pytest.raises(BadInput, match="line"):
        read_log(path)


def test_no_room_for_a_whole_request_is_said_when_limits_are_made():
    with pytest.raises(BadInput, match=r"inputs=64 .* queue"):
        Limits(queue=10)
    with pytest.raises(BadInput, match="deadline"):
        Limits(deadline=0)


def test_weights_that_may_carry_code_are_not_served(tmp_path, place):
    check_format(place)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BadInput, match="safetensors"):
        check_format(tmp_path)
