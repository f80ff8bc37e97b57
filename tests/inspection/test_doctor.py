"""The curve doctor, on runs broken on purpose and on healthy ones."""

import dataclasses
import math
import random
from dataclasses import dataclass
from typing import ClassVar

import pytest
import stand_ins
import toys

import labkit as lk
from labkit.base.files import load_run, save_run
from labkit.base.records import Epoch, Example, Measure
from labkit.inspection.doctor import diagnose
from labkit.inspection.findings import TITLES, Finding
from labkit.modalities.text import near_duplicates
from labkit.strategies import Strategy, train_only
from labkit.training.trainer import Trainer


def names(found):
    return [f.name for f in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_ins.bert(tmp_path_factory.mktemp("models") / "bert")


def train(folder, corpus, strategy=None, stop_after=None, **config):
    settings = {"lr": 2e-3, "batch_size": 8, "device": "cpu", **config}
    trainer = Trainer(lk.load(folder, corpus.labels), corpus, strategy, lk.TrainConfig(**settings))
    for event in trainer.run():
        if stop_after and isinstance(event, lk.EpochDone) and event.epoch.epoch == stop_after:
            break
    return trainer.report()


def relabelled(corpus, seed=0):
    """The same texts with labels drawn by lot."""
    rng = random.Random(seed)

    def lots(rows):
        labels = [row.target for row in rows]
        rng.shuffle(labels)
        return tuple(Example(row.input, label) for row, label in zip(rows, labels, strict=True))

    return dataclasses.replace(corpus, **{split: lots(rows) for split, rows in corpus.splits.items()})


def skewed(corpus, every=20):
    """Of the second class only one row in so many of the others."""

    def thin(rows):
        few = [row for row in rows if row.target == 1]
        others = [row for row in rows if row.target == 0]
        return tuple(others + few[: max(1, len(others) // every)])

    return dataclasses.replace(corpus, **{split: thin(rows) for split, rows in corpus.splits.items()})


# Broken on purpose


@pytest.mark.parametrize("config", [{"lr": 1.0}, {"lr": 10.0, "optimizer": "sgd", "clip": 0.0}])
def test_a_rate_that_is_too_high_is_named_with_the_step(folder, config):
    run = train(folder, stand_ins.corpus(48), epochs=3, **config)
    (found,) = diagnose(run)
    assert (found.name, found.severity, found.control) == ("rate too high", "severe", "lr")
    assert found.numbers["step"] <= 18 and f"{config['lr']}" in found.advice


def test_a_rate_that_is_too_high_is_seen_after_one_epoch(folder):
    run = train(folder, stand_ins.corpus(48), epochs=10, stop_after=1, lr=1.0)
    assert run.epochs == 1 and names(diagnose(run)) == ["rate too high"]


@pytest.mark.parametrize("strategy", [lk.Full(), lk.HeadOnly()])
def test_a_rate_that_is_too_low_is_named_finished_or_not(folder, strategy):
    run = train(folder, stand_ins.corpus(48), strategy, epochs=8, stop_after=2, lr=1e-8)
    (found,) = diagnose(run)
    assert (found.name, found.control) == ("rate too low", "lr")
    assert found.numbers["path"] < 1e-6


def test_labels_drawn_by_lot_are_underfitted_at_first_and_learned_by_heart_in_the_end(folder):
    corpus = relabelled(stand_ins.corpus(64))
    (early,) = diagnose(train(folder, corpus, epochs=2, lr=1e-3))
    assert early.name == "underfitting" and "labels" in early.advice
    (late,) = diagnose(train(folder, corpus, epochs=30, lr=3e-3))
    assert late.name == "overfitting" and late.control == "epochs"
    assert late.numbers["by_heart"] and "heart" in late.evidence


def test_a_class_that_is_never_said_is_named(folder):
    corpus = skewed(stand_ins.corpus(800, low=5, high=12))
    (found,) = diagnose(train(folder, corpus, epochs=1, batch_size=64, lr=1e-3))
    assert (found.name, found.control) == ("class collapse", "class_weights")
    assert "mark1" in found.evidence and found.numbers["share"] > 0.9


@dataclass(frozen=True)
class NoHead(Strategy):
    """Trains all but the head."""

    name: ClassVar[str] = "no-head"

    def prepare(self, model):
        return train_only(model, {n for b in lk.blocks(model)[:-1] for n in b.parameters})


def test_a_head_that_does_not_learn_is_named(folder):
    run = train(folder, stand_ins.corpus(48), NoHead(), epochs=2)
    assert names(diagnose(run)) == ["head not learning"]


# Healthy


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_that_learns_is_silent(folder, seed):
    run = train(folder, stand_ins.corpus(64, seed=seed), epochs=8, seed=seed)
    assert diagnose(run, stand_ins.corpus(64, seed=seed)) == []
    assert "Nothing found" in str(diagnose(run)) and "Nothing found" in diagnose(run)._repr_html_()


@pytest.mark.parametrize("strategy", [lk.HeadOnly(), lk.TopK(1)])
def test_the_packaged_model_on_the_packaged_reviews_is_silent(strategy):
    corpus = lk.reviews(200)
    model = lk.load("tiny-bert-zh", corpus.labels)
    trainer = Trainer(model, corpus, strategy, lk.TrainConfig(device="cpu"))
    found = []
    for event in trainer.run():
        if isinstance(event, lk.EpochDone) and event.epoch.epoch in (1, 2):
            found += diagnose(trainer.report(), corpus)
    assert found == [] and diagnose(trainer.report(), corpus) == []


# By hand: what needs no training


@pytest.fixture(scope="module")
def healthy(folder):
    return train(folder, stand_ins.corpus(64), epochs=8)


def with_losses(run, pairs, **changes):
    """The run with these (training, validation) losses in its epochs and on its steps."""
    scores = {"accuracy": 0.8, "macro_f1": 0.8}
    history = tuple(Epoch(i + 1, 10 * (i + 1), t, v, scores, 1.0) for i, (t, v) in enumerate(pairs))
    steps = tuple((10 * i + k, pairs[i][0], 1e-3) for i in range(len(pairs)) for k in range(1, 11))
    return dataclasses.replace(run, history=history, steps=steps, epochs=len(pairs), **changes)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0.7, 0.6), (0.5, 0.5), (0.3, 0.45), (0.2, 0.47), (0.15, 0.5)], []),  # a little, as usual
        ([(0.7, 0.6), (0.5, 0.5), (0.3, 0.55), (0.1, 0.7), (0.05, 1.0)], ["overfitting"]),
        ([(0.7, 0.6), (0.5, 0.5), (0.48, 0.7), (0.47, 0.9)], []),  # the training loss does not fall: something else
        ([(0.7, 0.5), (0.1, 0.9)], []),  # too early to tell
    ],
)
def test_overfitting_is_a_validation_loss_that_rises_well_while_the_training_loss_falls(healthy, pairs, expected):
    assert names(diagnose(with_losses(healthy, pairs))) == expected


def test_early_stopping_is_the_cure_of_overfitting(healthy):
    pairs = [(0.7, 0.6), (0.5, 0.5), (0.3, 0.55), (0.1, 0.7), (0.05, 1.0)]
    cured = with_losses(healthy, pairs, config={**healthy.config, "patience": 2})
    assert diagnose(cured) == []


def test_a_loss_that_is_no_number_is_found_also_in_a_record_read_back(healthy, tmp_path):
    run = dataclasses.replace(healthy, steps=(*healthy.steps[:5], (6, math.nan, 1e-3)))
    save_run(run, tmp_path / "run.json")
    for one in (run, load_run(tmp_path / "run.json")):
        (found,) = diagnose(one)
        assert found.name == "rate too high" and "NaN" in found.evidence and found.numbers["step"] == 6


def test_a_run_without_an_epoch_or_scores_is_no_finding(healthy):
    bare = dataclasses.replace(healthy, history=(), steps=(), epochs=0, scores={}, moved=())
    assert diagnose(bare) == []
    assert diagnose(dataclasses.replace(healthy, scores={})) == []


def test_the_cause_is_told_and_not_its_symptoms(folder):
    found = diagnose(train(folder, stand_ins.corpus(200), epochs=2, lr=1e-8))
    assert names(found) == ["rate too low"]  # that it also names one class only goes without saying


def scored(run, valid, test, n=200):
    def change(scores, accuracy):
        measure = dataclasses.replace(scores.headline, value=accuracy)
        return dataclasses.replace(scores, metrics={**scores.metrics, "accuracy": measure}, n=n)

    return dataclasses.replace(run, scores={"valid": change(run.valid, valid), "test": change(run.test, test)})


@pytest.mark.parametrize(
    ("valid", "test", "expected"),
    [(0.8, 0.85, []), (0.97, 0.99, []), (0.98, 1.0, ["leak"]), (0.6, 0.9, ["leak"]), (0.95, 0.7, ["leak"])],
)
def test_a_test_that_is_perfect_or_far_from_validation_is_suspicious(healthy, valid, test, expected):
    found = diagnose(scored(healthy, valid, test))
    assert names(found) == expected and all(f.severity == "note" for f in found)


# Tasks without classes


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A run of a regression, healthy or not: `numbers(lr=1.0)`."""
    place, corpus = toys.network(tmp_path_factory.mktemp("models") / "toy"), toys.regression(64)

    def train(corpus=corpus, **config):
        settings = {"lr": 1e-3, "batch_size": 8, "device": "cpu", "epochs": 6, **config}
        return Trainer(lk.load(place, task=corpus.task), corpus, None, lk.TrainConfig(**settings)).fit()

    return train


def test_without_classes_the_losses_speak(numbers, folder):
    assert diagnose(numbers(), toys.regression(64)) == []
    assert diagnose(numbers(toys.parity(64)), toys.parity(64)) == []
    assert names(diagnose(numbers(lr=3.0, optimizer="sgd", clip=0.0, epochs=3))) == ["rate too high"]
    (found,) = diagnose(numbers(lr=1e-9))
    assert found.name == "rate too low" and found.numbers["path"] < 1e-6


def test_without_classes_a_rising_validation_loss_is_overfitting_all_the_same(numbers):
    pairs = [(0.7, 0.6), (0.5, 0.5), (0.3, 0.55), (0.1, 0.7), (0.05, 1.0)]
    assert names(diagnose(with_losses(numbers(epochs=1), pairs))) == ["overfitting"]


@pytest.mark.parametrize(("test", "expected"), [(0.21, []), (0.6, ["leak"])])
def test_scores_that_lie_far_apart_are_suspicious_whatever_the_metric(numbers, test, expected):
    run = numbers(epochs=1)

    def changed(scores, value):
        return dataclasses.replace(scores, metrics={"mae": Measure(value, value - 0.05, value + 0.05)})

    scores = {"valid": changed(run.valid, 0.2), "test": changed(run.test, test)}
    found = diagnose(dataclasses.replace(run, scores=scores, history=(), steps=(), epochs=0))
    assert names(found) == expected and all("mean absolute error 0.600" in f.evidence for f in found)


@pytest.mark.parametrize(
    ("f1", "rows", "expected"), [(0.0, 40, ["underfitting"]), (0.02, 40, []), (0.0, 5, []), (math.nan, 40, [])]
)
def test_without_classes_a_headline_of_nothing_is_said(healthy, f1, rows, expected):
    scores = dataclasses.replace(healthy.valid, metrics={"entity_f1": Measure(f1, f1, f1)}, confusion=None, n=rows)
    pairs = [(1.5, 1.2), (1.1, 1.0), (0.9, 0.9)]
    run = with_losses(healthy, pairs, task={"name": "tagging"}, scores={"valid": scores}, config={"epochs": 3})
    found = diagnose(run)
    assert names(found) == expected and all("entity F1" in f.evidence and f.severity == "severe" for f in found)


def test_a_record_of_a_task_that_is_not_known_here_is_read_all_the_same(healthy):
    foreign = dataclasses.replace(healthy, task={"name": "no such task"})
    assert diagnose(foreign) == [] and diagnose(dataclasses.replace(healthy, task={})) == []


# Leaks


def test_texts_in_two_splits_are_found_the_same_or_nearly(healthy):
    clean = stand_ins.corpus(64)
    assert diagnose(healthy, clean) == []
    leaky = dataclasses.replace(clean, test=(*clean.test, *clean.train[:3]))
    (found,) = diagnose(healthy, leaky)
    assert (found.name, found.control) == ("leak", "corpus") and found.numbers["same"] == 3
    longest = sorted(clean.train, key=lambda e: -len(e.input))[:3]
    near = tuple(Example(e.input + "啊", e.target) for e in longest)
    (found,) = diagnose(healthy, dataclasses.replace(clean, valid=near))
    assert found.numbers["same"] == 0 and found.numbers["rows"] == 3 and "validation" in found.evidence


def test_inputs_that_nobody_compares_have_no_doubles(healthy):
    numbers = toys.regression()
    assert diagnose(healthy, dataclasses.replace(numbers, test=numbers.train)) == []


def test_near_duplicates_are_those_that_comparing_all_pairs_finds():
    rng = random.Random(0)
    letters = "的一是了我不在有他这中大来上国个"
    earlier = ["".join(rng.choices(letters, k=rng.randint(8, 40))) for _ in range(150)]
    later = []
    for text in earlier:
        changed = list(text)
        for _ in range(rng.randint(0, 3)):
            changed[rng.randrange(len(changed))] = rng.choice(letters)
        later.append("".join(changed))
    found = {(i, j) for i, j, _ in near_duplicates(earlier, later)}

    def grams(text):
        return {text[i : i + 3] for i in range(len(text) - 2)}

    slow = set()
    for j, text in enumerate(later):
        mine = grams(text)
        pairs = [(len(mine & grams(t)) / len(mine | grams(t)), i) for i, t in enumerate(earlier) if len(grams(t)) >= 8]
        alike = max(pairs)
        if text in earlier or (len(mine) >= 8 and alike[0] >= 0.8):
            slow.add((earlier.index(text) if text in earlier else alike[1], j))
    assert found == slow and 20 < len(found) < 150


def test_near_duplicates_are_found_by_the_trigram_that_is_just_rare_enough():
    text = "abcdefghijkl"  # ten trigrams; the last two are its rarest
    assert near_duplicates([text, text[:10] + "mnopqrstuvwxyz"], [text[:10]]) == [(0, 0, 0.8)]


# Words and figures


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_finding_has_words_a_control_and_a_figure(healthy, language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    pairs = [(0.7, 0.6), (0.5, 0.5), (0.3, 0.55), (0.1, 0.7), (0.05, 1.0)]
    run = with_losses(healthy, pairs)
    found = diagnose(run)
    title = TITLES["overfitting"][language == "en"]
    assert title in str(found) and title in found._repr_html_() and found[0].title == title
    assert hasattr(lk.TrainConfig(), found[0].control)
    text = " ".join(t.get_text() for t in lk.plots.diagnosis(run, found).findobj(lambda o: hasattr(o, "get_text")))
    assert title in text
    lk.plots.diagnosis(healthy)
    lk.plots.diagnosis(dataclasses.replace(healthy, history=(), steps=()))


@pytest.mark.parametrize("name", list(TITLES))
def test_any_finding_can_be_drawn(healthy, name):
    numbers = {"step": 3, "chance": 0.69, "share": 0.5, "best": 1, "last": 3}
    finding = Finding(name, "severe", "evidence", "lr", "advice", numbers)
    assert lk.plots.diagnosis(healthy, [finding]).axes
