"""The Freeze map and the Try it panel, their Python side: no browser, no kernel; under ipywidgets 7.7 and 8 alike."""

import dataclasses
import time

import pytest
import torch
from stand_ins import bert, corpus
from test_ui import at_rest, clicked, until

import labkit as lk
from labkit import strategies
from labkit.inspection.trainable_map import trainable_map
from labkit.models.loading import load
from labkit.ui import told
from labkit.ui import try_it as tryit
from labkit.ui.block_map import map_html
from labkit.ui.freeze_map import FreezeMap
from labkit.ui.panel import _turn
from labkit.ui.training_panel import KNOBS
from labkit.ui.try_it import TryIt

pytestmark = pytest.mark.filterwarnings("ignore:The `ipykernel.comm.Comm` class:DeprecationWarning")  # by ipywidgets 7
ROWS = corpus(32)
TEXT = "好的地方，慢的人"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("model") / "bert"))


@pytest.fixture
def freeze(folder):
    made = []

    def make(**values):
        made.append(FreezeMap(ROWS, folder, **{"epochs": 2, "lr": 1e-3, **values}))
        return made[-1]

    yield make
    at_rest(made)


def free(one):
    return [name for name, button in one.blocks.items() if button.value]


# The stack


@pytest.mark.parametrize("rows, lacks", [(lk.instructions, "head"), (lk.doodles, "lora")])
def test_a_strategy_that_the_model_does_not_allow_is_not_offered(rows, lacks):
    one = FreezeMap(rows(limit=64))
    offered = dict(one.settings["strategy"].options).values()
    assert lacks not in offered and {"full", "top-K"} <= set(offered) and one.state == "ready"
    for name in offered:
        one.set(strategy=name)
        assert one.state == "ready" and one.picture(), name
    network = load(one.source_model, task=one.corpus.task)
    one.set(strategy="full")
    assert sum(part.trained for part in one.map()) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", strategies.NAMES)
def test_each_strategy_is_a_preset_and_counts_what_it_trains(freeze, folder, name):
    one = freeze(strategy=name)
    assert isinstance(one.strategy(), strategies.NAMES[name])
    assert one.map() == trainable_map(one.strategy().prepare(load(folder, labels=ROWS.labels)))
    trains = sum(p.trained + p.added for p in one.map())
    assert f"{trains:,} of" in one.live.value
    if name in KNOBS:
        field, stops = KNOBS[name]
        one.set(**{field: stops[0]})
        assert getattr(one.strategy(), field) == stops[0]
        assert one.settings[field].layout.display is None


@pytest.mark.parametrize(
    "clicks, strategy",
    [
        ({}, lk.HeadOnly()),
        ({"layer_3": True}, lk.TopK(1)),
        ({"layer_3": True, "layer_2": True, "layer_1": True}, lk.TopK(3)),
        ({"layer_3": True, "layer_2": True, "layer_1": True, "embeddings": True}, lk.Full()),
        ({"layer_1": True}, lk.OnlyBlocks(("layer 1", "head"))),
        ({"layer_3": True, "head": False}, lk.OnlyBlocks(("layer 3",))),
    ],
    ids=str,
)
def test_clicked_blocks_are_the_strategy_that_trains_them(freeze, clicks, strategy):
    one = freeze(**clicks)
    assert one.strategy() == strategy
    shown = one.settings["strategy"].value
    assert shown == ("only" if isinstance(strategy, lk.OnlyBlocks) else next(
        name for name, kind in strategies.NAMES.items() if type(strategy) is kind
    ))  # fmt: skip
    assert (one.settings["k"].layout.display is None) == isinstance(strategy, lk.TopK)
    trains = {p.name.replace(" ", "_") for p in one.map() if p.trained}
    assert trains == set(free(one))


def test_a_preset_sets_the_blocks_and_takes_the_free_choice_away(freeze):
    one = freeze(layer_1=True)
    assert ("blocks of my own", "only") in one.settings["strategy"].options
    one.set(strategy="top-K", k=2)
    assert free(one) == ["layer_2", "layer_3", "head"]
    assert "only" not in dict(one.settings["strategy"].options).values()
    one.set(k=1)
    assert free(one) == ["layer_3", "head"]


def test_a_click_on_top_of_a_sliver_begins_with_what_trains_whole(freeze):
    one = freeze(strategy="lora")
    assert free(one) == ["head"]
    one.set(layer_3=True)
    assert one.strategy() == lk.TopK(1)


def test_each_button_says_what_trains_in_it(freeze):
    one = freeze(strategy="lora")
    said = {name: button.description for name, button in one.blocks.items()}
    assert said["embeddings"] == "embeddings · frozen"
    assert said["layer_1"] == "layer 1 · a PEFT module added"
    assert said["head"] == "head · trains"
    assert "labkit-added" in one.blocks["layer_1"]._dom_classes
    one.set(strategy="bitfit")
    assert one.blocks["layer_1"].description == "layer 1 · trains in part"
    assert "labkit-added" not in one.blocks["layer_1"]._dom_classes


def test_trying_strategies_on_holds_no_weights_and_is_quick(freeze):
    one = freeze()
    assert {p.device.type for p in one.bare.parameters()} == {"meta"}
    one.set(strategy="full")
    began = time.process_time()
    for name in ("head", "top-K", "bitfit", "full"):
        one.set(strategy=name)
    assert time.process_time() - began < 1.0


def test_a_frozen_head_and_a_timetable_are_remarked_on(freeze):
    assert "starts at random" in freeze(layer_1=True, head=False).live.value
    assert "one more block" in freeze(strategy="gradual").live.value
    assert "starts at random" not in freeze(layer_1=True).live.value


# A run


def test_the_call_that_is_shown_gives_what_the_panel_gives(freeze):
    one = clicked(freeze(layer_2=True))
    names = {"corpus": ROWS}
    *lines, last = one.source().splitlines()
    exec("\n".join([*lines, f"moved = {last}"]), names)
    assert names["moved"] == one.moved
    assert [e.valid_loss for e in names["run"].history] == [e.valid_loss for e in one.result.history]
    assert "lk.OnlyBlocks(names=('layer 2', 'head'))" in one.source()


def test_a_run_shows_what_moved_and_what_did_not(freeze, capsys):
    one = clicked(freeze(layer_3=True))
    assert {p.name for p in one.moved if p.change} == {"layer 3", "head"}
    assert "gradient norm" in one.live.value
    assert f"{one.moved[-1].change:.2%}" in one.live.value
    one.report()
    said = capsys.readouterr().out
    assert said.startswith("Freeze map: done; top-1, ")
    assert said.endswith("blocks that did not move: embeddings, layer 1, layer 2\n")


def test_a_frozen_head_is_found_by_the_diagnosis(freeze):
    one = clicked(freeze(layer_3=True, head=False))
    assert "Head not learning" in one.notes.value


def test_what_moved_is_gone_when_another_block_is_clicked(freeze):
    one = clicked(freeze())
    one.set(layer_3=True)
    assert one.moved is None
    assert "gradient norm" not in one.live.value


def test_stop_ends_it_within_a_step_and_shows_how_far_it_went(freeze):
    one = freeze(epochs=50)
    one.run_button.click()
    until(lambda: one.step >= 2)
    one.stop_button.click()
    at = one.step
    one.wait()
    assert one.state == "stopped"
    assert one.step <= at + 1
    assert one.moved[-1].change
    assert not one.trainer.model.get_parameter("classifier.weight")._post_accumulate_grad_hooks, (
        "nobody watches any more"
    )


def test_blocks_are_locked_while_it_runs(freeze):
    one = freeze(epochs=50)
    one.run_button.click()
    until(lambda: one.step)
    assert all(button.disabled for button in one.blocks.values())
    one.stop_button.click()
    one.wait()
    assert not any(button.disabled for button in one.blocks.values())


def test_nothing_free_is_an_error_that_names_the_blocks_and_goes_when_one_is_freed(freeze):
    one = freeze()
    one.set(head=False)
    with pytest.raises(lk.BadInput, match="embeddings, layer 1"):
        one.wait()
    assert "name one block or more" in one.problem.value
    one.set(layer_1=True)
    assert (one.problem.value, one.state) == ("", "ready")


def test_a_forecast_stands_until_another_block_is_clicked(freeze):
    one = freeze()
    one.forecast_button.click()
    one.wait()
    assert "peak memory" in one.notes.value
    one.set(layer_3=True)
    assert one.notes.value == ""


def test_the_picture_for_no_kernel_follows_the_run(freeze):
    one = freeze()
    before, _ = one._repr_mimebundle_()
    after, _ = clicked(one)._repr_mimebundle_()
    assert before["text/plain"] == after["text/plain"] == "labkit.ui.FreezeMap"
    assert before["image/png"] != after["image/png"]


def test_a_little_that_trains_is_wide_enough_to_be_seen(freeze):
    one = freeze(strategy="bitfit")
    assert "3px;background:#ee6677" in map_html(one.map())


def test_a_free_choice_is_named_by_its_blocks_and_kept_as_json():
    chosen = lk.OnlyBlocks(["layer 1", "head"])
    assert strategies.name_of(chosen) == "only(layer 1+head)"
    assert lk.OnlyBlocks(**strategies.settings_of(chosen)) == chosen
    assert strategies.settings_of(chosen) == {"names": ["layer 1", "head"]}


def test_blocks_that_are_not_there_are_refused(folder):
    with pytest.raises(lk.BadInput, match=r"layer 9.*embeddings, layer 1, layer 2, layer 3, head"):
        lk.OnlyBlocks(("layer 9",)).prepare(load(folder, labels=ROWS.labels))


# Try it


@pytest.fixture(scope="module")
def tuned(folder):
    model = load(folder, labels=ROWS.labels)
    lk.Trainer(model, ROWS, lk.Full(), lk.TrainConfig(epochs=3, lr=2e-3, device="cpu")).fit()
    return model


@pytest.fixture
def patient(monkeypatch):
    """Answers that come by themselves however slow the machine is."""
    monkeypatch.setattr(tryit, "PATIENCE", float("inf"))


def test_typing_is_answered_without_a_click(tuned, patient):
    one = TryIt(tuned)
    one.set(text=TEXT)
    assert one.state == "done"
    assert one.after.text == one.before.text == TEXT
    assert one.after.probabilities == pytest.approx(lk.predict(tuned, TEXT)[0].probabilities)
    assert f"{one.after.probabilities[one.after.predicted]:.3f}" in one.status.value
    for token in "好地方慢":
        assert f">{token}</span>" in one.live.value


def test_a_short_text_is_answered_in_under_a_third_of_a_second_with_the_packaged_model(patient):
    model = load("tiny-bert-zh", labels=("no", "yes"))
    one = TryIt(model, load("tiny-bert-zh", labels=("no", "yes"), seed=1))
    one.set(text="这部电影太好看了！")
    best = 9.0
    for text in ("这部电影太好看了", "这部电影太好看", "这部电影太好"):
        began = time.process_time()
        one.set(text=text)
        best = min(best, time.process_time() - began)
    assert best < 0.3


def test_the_call_gives_what_the_panel_shows(tuned, patient):
    one = TryIt(tuned, text=TEXT)
    one.set(label="mark1", method="gradient")
    names = {"model": tuned}
    exec(one.source(), names)
    assert (names["after"], names["before"]) == (one.after, one.before)
    assert names["after"].label == "mark1"


def test_the_model_before_is_loaded_from_where_the_tuned_one_came(tuned, folder, tmp_path, patient):
    lk.save(tuned, tmp_path / "out")
    one = TryIt(tmp_path / "out", text=TEXT)
    clicked(one)
    fresh = load(folder, labels=ROWS.labels)
    assert one.before == lk.attribute(fresh, TEXT, label=one.after.label)[0]
    assert f"model = lk.load({str(tmp_path / 'out')!r})" in one.source()
    assert "fresh = lk.load(" in one.source()


def test_a_given_model_is_compared_with(tuned, folder, patient):
    other = load(folder, labels=ROWS.labels, seed=7)
    one = clicked(TryIt(tuned, other, text=TEXT))
    assert one.before == lk.attribute(other, TEXT, label=one.after.label)[0]


def test_an_empty_text_is_waited_for_and_no_error(tuned, patient, capsys):
    one = TryIt(tuned)
    for text in ("", "  \n"):
        one.set(text=text)
        clicked(one).report()
        assert capsys.readouterr().out == "Try it: done; no text yet\n"
        assert "type a text" in one.live.value
        assert "waiting for a text" in one.status.value
    one.set(text=TEXT)
    one.set(text="")
    assert one.after is None


def test_a_very_long_text_is_cut_and_says_so(tuned, patient):
    one = TryIt(tuned)
    one.set(text="好" * 5000)
    assert "only the first 62 of 5000 characters were read" in one.live.value


def test_a_slow_model_is_asked_by_a_click_only(tuned):
    one = TryIt(tuned)
    one.took = tryit.PATIENCE + 1
    one.set(text=TEXT)
    assert one.after is None
    assert "press Ask" in one.live.value
    clicked(one)
    assert one.after.text == TEXT


def test_typing_while_another_panel_trains_waits_for_its_turn(tuned, patient):
    one = TryIt(tuned)
    with _turn:
        one.set(text=TEXT)
        until(lambda: one.state == "waiting")
    one.wait()
    assert one.after.text == TEXT


def test_an_example_is_written_into_the_box(tuned, patient):
    one = TryIt(tuned, examples=("赞", TEXT))
    one.set(example=TEXT)
    assert one.settings["text"].value == TEXT
    assert one.after.text == TEXT


def test_asking_leaves_both_models_as_they_were(tuned, folder, patient):
    fresh = load(folder, labels=ROWS.labels)
    tuned.train()
    before = [p.clone() for model in (tuned, fresh) for p in model.parameters()]
    TryIt(tuned, fresh).set(text=TEXT)
    assert all(torch.equal(a, b) for a, b in zip(before, [*tuned.parameters(), *fresh.parameters()], strict=True))
    assert tuned.training
    tuned.eval()


def test_an_error_is_shown_and_gone_with_the_next_text(tuned, patient, monkeypatch):
    one = TryIt(tuned)
    monkeypatch.setattr(told, "attribute", lambda *_, **__: 1 / 0)
    one.set(text=TEXT)
    assert one.state == "failed"
    assert "ZeroDivisionError" in one.problem.value
    monkeypatch.undo()
    one.took = 0.0
    one.set(text=TEXT + "了")
    assert (one.state, one.problem.value) == ("done", "")


def test_a_text_of_markup_is_shown_as_text(tuned, patient):
    one = TryIt(tuned)
    one.set(text="<b>好</b>")
    assert "<b>好" not in one.live.value.replace("<b>before", "").replace("<b>after", "")
    assert "&lt;" in one.live.value


def test_the_report_and_the_picture_tell_the_answer(tuned, patient, capsys):
    one = TryIt(tuned)
    empty, _ = one._repr_mimebundle_()
    one.set(text=TEXT)
    full, _ = one._repr_mimebundle_()
    assert empty["image/png"] != full["image/png"]
    assert full["text/plain"] == "labkit.ui.TryIt"
    one.report()
    assert capsys.readouterr().out == f"Try it: done; {one.after.predicted}; the scores add up: yes\n"


def test_a_record_can_be_kept_as_plain_data(tuned):
    (found,) = lk.attribute(tuned, TEXT)
    assert dataclasses.asdict(found)["text"] == TEXT
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.text = ""


def test_a_tagger_shows_its_names_marked_before_and_after(tmp_path, patient):
    from labkit.tasks import Tagging

    task = Tagging(labels=("LOC", "PER"))
    model = load(bert(tmp_path / "net"), task=task)
    lk.save(model, tmp_path / "out")
    one = TryIt(tmp_path / "out", text="我在东西")
    assert one.settings["label"].layout.display == one.settings["method"].layout.display == "none"
    clicked(one)
    assert one.after == lk.predict(model, "我在东西")[0] and one.before.labels == task.labels
    assert one.after.html() in one.live.value
    names = {}
    exec(one.source(), names)
    assert names["fresh"].task == task
    assert one.figure() is not None
