"""Tagging: words in pieces, windows, what tags cannot say, legal answers, every strategy, and others' programs that read it."""

import itertools
import json
import math
import warnings

import pytest
import torch
from stand_ins import bert, family

import labkit as lk
from labkit.base.records import Example, from_json, to_json
from labkit.comparison.space import space_of
from labkit.models.loading import load
from labkit.strategies import NAMES, TopK
from labkit.tasks import Tagging, task_of
from labkit.tasks.tagged import spans_html, spans_text

TASK = Tagging(labels=("LOC", "PER"))
STRATEGIES = {name: TopK(1) if kind is TopK else kind() for name, kind in NAMES.items()}


def row(text):
    """我在[北京 LOC] → an example."""
    plain, spans = "", []
    for part in text.replace("[", "\0[").replace("]", "\0").split("\0"):
        if part.startswith("["):
            name, label = part[1:].rsplit(" ", 1)
            spans.append((len(plain), len(plain) + len(name), label))
            part = name
        plain += part
    return Example(plain, tuple(spans))


def rows(n=40):
    """Names that the neighbours give away: after 在 a place, before 说 a person."""
    one, two = "东西南北", "好棒赞美"
    some = [row(f"我在[{one[i % 4]}{one[i // 4 % 4]} LOC]，[{two[i % 4]}{two[i // 3 % 4]} PER]说不") for i in range(n)]
    return [*some, *(row(f"{one[i % 4]}的{two[i // 4 % 4]}") for i in range(n // 4))]


def corpus(n=40):
    made = list(dict.fromkeys(rows(n)))
    return lk.Corpus("toy", tuple(made[8:]), tuple(made[:4]), tuple(made[4:8]), TASK)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("tagging") / "net", num_hidden_layers=2)


@pytest.fixture(scope="module")
def model(place):
    return load(place, task=TASK)


@pytest.fixture(scope="module")
def learned(place):
    trainer = lk.Trainer(load(place, task=TASK), corpus(), config=settings(epochs=12, lr=5e-3))
    return trainer, trainer.fit()


def settings(**more):
    return lk.TrainConfig(**{"batch_size": 8, "device": "cpu", "epochs": 1, **more})


def tags(item):
    return [TASK.outputs[t] if t >= 0 else t for t in item["target"]]


# Words, pieces, windows


def test_a_word_in_pieces_has_one_tag_and_makes_one_entity():
    processor = load("tiny-bert-zh", task=TASK).processor
    (item,) = TASK.encode(processor, [row("[ab PER]在[c01 LOC]")], 16)
    assert processor.convert_ids_to_tokens(item["input_ids"]) == ["[CLS]", "a", "##b", "在", "c", "##0", "##1", "[SEP]"]
    assert tags(item) == [-100, "B-PER", -100, "O", "B-LOC", -100, -100, -100]
    assert item["pieces"] == [(0, 2), (2, 3), (3, 6)]
    assert TASK.units([item]) == 3


def test_an_edge_inside_a_word_is_counted_said_and_never_shifted(model):
    examples = [row("[ab PER]c在[东 LOC]"), row("在[西 LOC]")]
    items = TASK.encode(model.processor, examples, 16)
    assert items[0]["lost"] == [(0, 2, "PER")] and tags(items[0])[1] == -1  # asked, and in no loss
    (said,) = TASK.remarks("train", items)
    assert "train: 1 of 3 entities" in said and "0.800 at most" in said
    assert TASK.truth(examples[0]) == [[0, 2, "PER"], [4, 5, "LOC"]]
    perfect = [[(b, e, x, 1.0) for b, e, x in some] for some in ([(4, 5, "LOC")], [(1, 2, "LOC")])]
    assert TASK.score(perfect, [TASK.truth(e) for e in examples]).entity_f1 == pytest.approx(0.8)
    assert TASK.remarks("train", items[1:]) == []


def test_what_a_run_cannot_express_is_told_and_kept(place):
    some = corpus()
    some = lk.Corpus("edges", (*some.train, row("[a PER]b在")), some.valid, some.test, TASK)
    told = []
    run = lk.Trainer(load(place, task=TASK), some, lk.HeadOnly(), settings()).fit(told.append)
    assert "inside a token" in run.notices[0]
    assert [e.text for e in told if isinstance(e, lk.Notice)] == list(run.notices)


def test_signs_that_vanish_from_the_tokens_do_not_move_what_follows(model):
    example = row("东\u200b在[西\u200b西 LOC]𠮷[北 LOC]")
    (item,) = TASK.encode(model.processor, [example], 32)
    where = dict(zip(item["pieces"], [t for t in tags(item) if t != -100], strict=True))
    assert where[(3, 4)] == "B-LOC" and where[(5, 6)] == "I-LOC" and where[(8 - 1, 8)] == "B-LOC"
    assert not item["lost"]


def test_of_a_long_text_every_piece_is_asked_once_and_a_name_on_the_seam_counts_once(model):
    text = "我在" + "".join(f"[{'东西南北'[i % 4]}西 LOC]的" for i in range(30))
    example = row(text)
    items = TASK.encode(model.processor, [row("[东 LOC]"), example, row("了")], 16)
    mine = [item for item in items if item["example"] == 1]
    assert len(mine) > 4 and max(len(i["input_ids"]) for i in mine) <= 16
    assert [p for item in mine for p in item["pieces"]] == [(i, i + 1) for i in range(len(example.input))]
    right = [
        torch.nn.functional.one_hot(torch.tensor([t for t in item["target"] if t >= 0]), 5).double().numpy()
        for item in items
    ]
    answers = TASK.merge([9.0 * one for one in right], items)
    assert [TASK.said(a) for a in answers] == [[[0, 1, "LOC"]], TASK.truth(example), []]
    cut = {p[0] for item in mine[1:] for p in item["pieces"][:1]}
    assert any(begin < at < end for begin, end, _ in example.target for at in cut)  # a name does lie on a seam


def test_answers_do_not_depend_on_windows_of_others_or_batches(learned):
    trainer, _ = learned
    texts = ["我在东南，好美说不" * 9, "西的赞", "我在东南，好美说不"]
    alone = [lk.predict(trainer.model, [t], max_length=24)[0].spans for t in texts]
    together = lk.predict(trainer.model, texts, max_length=24)
    assert [p.spans for p in together] == alone
    assert max(end for _, end, _ in alone[0]) > 48 and alone[2] == [(2, 4, "LOC"), (5, 7, "PER")]


# Answers


def test_answers_are_always_legal(model):
    items = TASK.encode(model.processor, corpus().train, 32)
    rng = torch.Generator().manual_seed(0)
    for _ in range(5):
        wild = [torch.randn((len(i["pieces"]), 5), generator=rng).log_softmax(-1).numpy() for i in items]
        for answer, item in zip(TASK.merge(wild, items), items, strict=True):
            spans = TASK.said(answer)
            assert spans == sorted(spans) and all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
            assert {x for span in spans for x in span[:2]} <= {x for piece in item["pieces"] for x in piece}


def test_it_learns_and_its_probabilities_are_those_of_its_least_certain_piece(learned):
    trainer, run = learned
    assert run.test_entity_f1 == 1.0 and run.test.low == 1.0
    assert [p.label for p in run.test.parts] == ["LOC", "PER"] and run.test.missed == 0.0
    (found,) = lk.predict(trainer.model, "我在西北，棒好说不")
    assert str(found) == "我在[西北 LOC]，[棒好 PER]说不"
    assert [e.text for e in found.entities] == ["西北", "棒好"] and all(
        0.2 < e.probability <= 1 for e in found.entities
    )
    stored = found.to_json()
    assert stored["spans"] == [[2, 4, "LOC"], [5, 7, "PER"]] and stored["entities"][0]["text"] == "西北"
    assert TASK.probability(trainer.answers("test")[0][0]) == min(e.probability for e in found_in(trainer))


def found_in(trainer):
    return lk.predict(trainer.model, trainer.corpus.test[0].input)[0].entities


def test_without_true_entities_f1_is_undefined_and_nothing_breaks(learned):
    trainer, _ = learned
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("的", "我在东西，好好说不"):  # says nothing; says something
            scores = lk.evaluate(trainer.model, [Example(text, ())])
            assert all(math.isnan(getattr(scores, m.name)) for m in TASK.metrics)
    assert to_json(scores)["metrics"]["entity_f1"]["value"] is None
    assert math.isnan(from_json(lk.Scores, json.loads(json.dumps(to_json(scores)))).entity_f1)


def test_a_perfect_and_an_empty_answer():
    truth = [[[0, 1, "LOC"]], []]
    assert TASK.score([[(0, 1, "LOC", 1.0)], []], truth).entity_f1 == 1.0
    nothing = TASK.score([[], []], truth)
    assert nothing.entity_f1 == 0.0 and nothing.missed == 1.0


def test_the_worst_rows_say_names_in_words(learned):
    trainer, _ = learned
    (worst,) = lk.worst(trainer.model, [row("我在[东西南 LOC]，好"), row("的")], 1)
    assert worst.truth == "东西南 LOC"
    assert "东西南" in lk.worst(trainer.model, [row("我在[东西南 LOC]，好")])._repr_html_()


# Faces


def test_names_are_marked_in_words_and_in_colours_that_need_not_be_told_apart():
    spans = [(0, 2, "PER"), (3, 5, "LOC")]
    assert spans_text("张三去北京", spans) == "[张三 PER]去[北京 LOC]"
    html = spans_html("<三去北京", spans, ("LOC", "PER"))
    assert html.count("<mark") == 2 and "&lt;三" in html and "color:inherit" in html
    assert ">PER</sub>" in html and ">LOC</sub>" in html
    assert "<mark" not in spans_html("a<b", []) and "a&lt;b" in spans_html("a<b", [])


def test_a_corpus_shows_its_names(learned):
    some = corpus()
    html = some._repr_html_()
    assert "<mark" in html and "LOC" in html
    assert some.counts() == {
        label: sum(any(s[2] == label for s in e.target) for e in some.train) for label in TASK.labels
    }
    assert "<mark" in lk.predict(learned[0].model, ["我在西北，棒好说不"])._repr_html_()


# Strategies, folders, others' programs


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_trains_saves_and_answers_the_same_again(place, tmp_path, name):
    trainer = lk.Trainer(load(place, task=TASK), corpus(), STRATEGIES[name], settings(epochs=2))
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters()}
    run = trainer.fit()
    head = [
        n for n in run.head if n in before and not torch.equal(before[n], dict(trainer.model.named_parameters())[n])
    ]
    assert head and run.error is None  # the head moved
    lk.save(trainer.model, tmp_path / "saved")
    again, texts = load(tmp_path / "saved"), [e.input for e in trainer.corpus.test]
    assert again.task == TASK
    assert str(lk.predict(again, texts)) == str(lk.predict(trainer.model, texts))
    one, two = (lk.evaluate(m, trainer.corpus.test).loss for m in (again, trainer.model))
    assert one == pytest.approx(two, abs=1e-6)


@pytest.mark.parametrize("strategy", [lk.Full(), lk.LoRA()], ids=["full", "lora"])
def test_plain_transformers_reads_what_was_saved(place, tmp_path, strategy):
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    trainer = lk.Trainer(load(place, task=TASK), corpus(), strategy, settings(epochs=8, lr=5e-3))
    trainer.fit()
    model = strategy.merge(trainer.model)  # an adapter unloaded into the weights
    lk.save(model, tmp_path / "saved")
    other = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved")
    assert other.config.id2label == dict(enumerate(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]))
    text = "我在西北，棒好说不"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    with torch.no_grad():
        logits = other(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1]
    items = TASK.encode(trainer.model.processor, [Example(text)], 64)
    _, (ours,) = TASK.ask(model, TASK.collate(model.processor, items))
    assert torch.allclose(logits.log_softmax(-1), torch.tensor(ours), atol=1e-4)
    groups = pipeline("token-classification", model=other, tokenizer=tokenizer, aggregation_strategy="simple")(text)
    assert {g["entity_group"] for g in groups} <= {"LOC", "PER"}


@pytest.mark.parametrize("name", ["roberta", "distilbert", "electra", "albert", "gpt2"])
def test_other_families_tag_too(tmp_path, name):
    model = load(family(name, tmp_path / name), task=TASK)
    run = lk.Trainer(model, corpus(), lk.Full(), settings()).fit()
    assert run.error is None and run.test.loss > 0
    lk.save(model, tmp_path / "saved")
    assert load(tmp_path / "saved").task == TASK


def test_a_head_of_other_types_is_drawn_anew_and_one_of_another_scheme_refused(place, tmp_path):
    lk.save(load(place, task=TASK), tmp_path / "saved")
    other = load(tmp_path / "saved", task=Tagging(labels=("ORG", "PER")))
    assert other.config.id2label[1] == "B-ORG"
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    config["id2label"] = {str(i): tag for i, tag in enumerate(["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"])}
    (tmp_path / "saved" / "config.json").write_text(json.dumps(config))
    with pytest.raises(lk.BadInput, match=r"no tagging head that labkit reads .*task=corpus\.task"):
        load(tmp_path / "saved", task=Tagging())


def test_a_model_without_a_head_wants_to_know_the_types(place):
    with pytest.raises(lk.BadInput, match="its tags: none"):
        load(place, task=Tagging())


def test_a_task_comes_back_from_its_card():
    assert task_of(json.loads(json.dumps(TASK.card()))) == TASK


def test_a_run_stops_and_goes_on_to_the_bit(place, tmp_path):
    whole = lk.Trainer(load(place, task=TASK), corpus(), config=settings(epochs=2))
    whole.fit()
    first = lk.Trainer(load(place, task=TASK), corpus(), config=settings(epochs=2), out=tmp_path)
    for event in first.run():
        if isinstance(event, lk.StepDone) and event.step == 3:
            break
    first.save_state()
    second = lk.Trainer(load(place, task=TASK), corpus(), config=settings(epochs=2), out=tmp_path, resume=True)
    second.fit()
    one, two = (dict(t.model.named_parameters()) for t in (whole, second))
    assert all(torch.equal(one[n], two[n]) for n in one)


def test_strategies_are_compared_with_the_crf_and_the_dictionary_beside_them(place, tmp_path):
    runs = lk.compare([lk.Full(), lk.HeadOnly()], corpus(), str(place), (0, 1), settings(epochs=3), out=tmp_path)
    assert [r.error for r in runs] == [None] * 4 and [b.strategy for b in runs.beside] == ["crf", "dictionary"]
    assert "entity F1" in str(runs) and "crf" in str(lk.verdicts(runs))
    assert lk.verdict(runs, "crf", "head").measure == "entity_f1"
    again = lk.compare([lk.Full(), lk.HeadOnly()], corpus(), str(place), (0, 1), settings(epochs=3), out=tmp_path)
    assert [r.seconds for r in again] == [r.seconds for r in runs]


def test_few_rows_are_seen_more_often_and_at_twice_the_rate_of_a_classification(place):
    model = load(place, task=TASK)
    assert [lk.Full().usual_epochs(model, rows) for rows in (100, 320, 500, 800, 1600, 5000)] == [15, 15, 10, 6, 3, 3]
    assert lk.Full().default_lr(model) == 2 * lk.Full().default_lr(load(place, ("no", "yes")))
    assert lk.HeadOnly().default_lr(model) == lk.HeadOnly().default_lr(load(place, ("no", "yes")))
    trainer = lk.Trainer(model, corpus(), config=settings(epochs=None))
    assert (trainer.config.epochs, trainer.lr) == (15, lk.Full().default_lr(model))
    assert lk.preflight(load(place, task=TASK), corpus(), lk.Full(), settings(epochs=None)).epochs == 15
    space = space_of(load(place, task=TASK), corpus(), ["full"], config=settings(epochs=None))
    _, config = space.settings(space.starts()[0] | {"epochs": 2.0})
    assert config.epochs == 30


def test_forecast_doctor_and_rate_test_take_it(place):
    model, some = load(place, task=TASK), corpus()
    assert lk.preflight(model, some, lk.Full(), settings()).seconds > 0
    assert lk.find_lr(load(place, task=TASK), some).suggestion > 0
    run = lk.Trainer(load(place, task=TASK), some, config=settings(lr=10.0, optimizer="sgd", clip=0.0, epochs=3)).fit()
    assert [f.name for f in lk.diagnose(run, some)][:1] == ["rate too high"]
