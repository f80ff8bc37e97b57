"""The panels' Python side: no browser, no kernel; under ipywidgets 7.7 and 8 alike."""

import dataclasses
import multiprocessing
import re
import sys
import threading
import time
import types

import pytest
from matplotlib.text import Text
from slow_jobs import HELD, Slow
from stand_ins import bert, corpus

import labkit as lk
from labkit import strategies
from labkit.base.config import TrainConfig
from labkit.base.files import save_run
from labkit.base.records import Epoch, EpochDone, StepDone
from labkit.data.batching import padding_share
from labkit.plots.charts import Chart, Line
from labkit.ui import controls, panel
from labkit.ui.charts import Recording, Thinned
from labkit.ui.compare import Compare
from labkit.ui.data import Data
from labkit.ui.history import History
from labkit.ui.optimizer import Optimizer
from labkit.ui.train import Train
from labkit.ui.training_panel import KNOBS

pytestmark = pytest.mark.filterwarnings("ignore:The `ipykernel.comm.Comm` class:DeprecationWarning")  # by ipywidgets 7
ROWS = corpus(32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("model") / "bert"))


@pytest.fixture
def train(folder):
    made = []

    def make(**values):
        made.append(Train(ROWS, folder, **{"out": None, "epochs": 2, "lr": 1e-3, "device": "cpu", **values}))
        return made[-1]

    yield make
    at_rest(made)


def at_rest(panels):
    """Stop what still runs."""
    for one in panels:
        one.stop()
        if one.busy:
            one._thread.join()


def clicked(one):
    one.run_button.click()
    one.wait()
    return one


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)


def stop_after(one, steps):
    """Press Stop when so many steps are done; the step that was under way."""
    until(lambda: one.trainer is not None and one.trainer.step >= steps)
    one.stop_button.click()
    return one.trainer.step


def losses(run):
    return [dataclasses.replace(e, seconds=0.0) for e in run.history], [loss for _, loss, _ in run.steps]


def widgets_in(box):
    yield box
    for child in getattr(box, "children", ()):
        yield from widgets_in(child)


# The run and its controls


def test_the_call_that_is_shown_gives_what_the_panel_gives(train):
    one = clicked(train(strategy="top-K", k=1, optimizer="sgd", seed=3, batch_size=8))
    names = {"corpus": ROWS}
    exec(one.source(), names)
    assert losses(names["run"]) == losses(one.result)
    assert names["run"].config == one.result.config


def test_the_call_follows_the_controls_and_leaves_defaults_out(train):
    one = train(epochs=None, lr=None, device="auto")
    assert one.source().endswith("lk.Trainer(model, corpus, strategy=lk.Full()).fit()")
    one.set(lr=5e-4, strategy="lora", rank=4, patience=2)
    assert one.source().endswith("strategy=lk.LoRA(rank=4), config=lk.TrainConfig(lr=5e-4, patience=2)).fit()")
    assert "lk.LoRA(rank=4)" in one.call.value


def test_each_setting_has_a_control_whose_choices_are_its_own(train):
    one = train()
    for field in dataclasses.fields(TrainConfig):
        widget = one.settings[field.name]
        for _, value in getattr(widget, "options", ()):
            TrainConfig(**{field.name: None if value is controls.AUTO else value})
        assert f"labkit-{field.name.replace('_', '-')}" in widget._dom_classes


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "values, told",
    [
        ({"warmup": 1.0}, "0.9"),
        ({"accumulation": 17}, "1 .* 16"),
        ({"batch_size": 64, "accumulation": 33}, "1 .* 32"),  # of 32 training rows
        ({"max_length": 8192}, "4 .* 64"),
        ({"cache_mb": -1}, "1000000000"),
    ],
)
def test_what_could_not_run_is_refused_at_the_control_in_one_sentence(train, values, told, language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    one = train()
    before = one.call.value
    one.set(**values)
    name = list(values)[-1]
    assert re.search(f"{re.escape(controls.words(name))}.*{told}", one.problem.value, re.IGNORECASE)
    assert one.problem.value.count("<") == 2, "one box, no trace"
    assert (one.state, one.call.value) == ("refused", "")
    assert one.run_button.disabled and one.forecast_button.disabled
    with pytest.raises(lk.BadInput):
        one.wait()
    one.set(**{n: TrainConfig.__dataclass_fields__[n].default for n in values})
    assert (one.state, one.problem.value, one.call.value) == ("ready", "", before)
    assert not one.run_button.disabled


def test_a_refused_setting_is_told_again_by_a_click_from_code_and_nothing_runs(train):
    one = train(warmup=1.0)
    one.run_button.click()
    with pytest.raises(lk.BadInput, match=r"warm-up 1\.0 won't do"):
        one.wait()
    assert one.trainer is None


def test_more_settings_stand_in_groups_and_choices_in_words_while_the_call_has_pythons_names(train, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", "zh")
    one = train(schedule="cosine", cache="half", class_weights="balanced", device="cpu")
    (more,) = (w for w in widgets_in(one.box) if "labkit-more" in w._dom_classes)
    names = [w.value for w in widgets_in(more) if "labkit-group" in w._dom_classes]
    assert names == ["基本", "优化器", "内存和设备"]
    assert one.settings["schedule"].label == "余弦下降"
    assert "schedule='cosine', class_weights='balanced', cache='half'" in one.source()
    for field in dataclasses.fields(TrainConfig):
        for value, words in (field.metadata["choices"] or {}).items():
            assert value not in words, (field.name, value)


def test_the_data_panel_refuses_what_the_model_cannot_read():
    one = Data(ROWS)
    one.set(max_length=8192)
    assert "512" in one.problem.value and one.state == "refused"


def test_untouched_controls_are_the_default_config(folder):
    assert Train(ROWS, folder, out=None).config() == TrainConfig()


@pytest.mark.parametrize("name", strategies.NAMES)
def test_each_strategy_can_be_chosen_and_set(train, name):
    one = train(strategy=name)
    assert isinstance(one.strategy(), strategies.NAMES[name])
    if name in KNOBS:
        field, stops = KNOBS[name]
        one.set(**{field: stops[0]})
        assert getattr(one.strategy(), field) == stops[0]
    fields = {field for field, _ in KNOBS.values()}
    assert {f for f in fields if one.settings[f].layout.display != "none"} == {
        KNOBS[name][0] for name in KNOBS if name == one.settings["strategy"].value
    }


@pytest.mark.parametrize("values, told", [({"lr": 0.123}, "5e-4"), ({"rate": 1}, "batch_size")])
def test_a_value_that_no_control_has_is_refused_with_those_that_there_are(train, values, told):
    with pytest.raises(lk.BadInput, match=told):
        train().set(**values)


# Run, Stop, Resume


def test_a_stopped_and_resumed_run_equals_one_that_was_never_stopped(train):
    whole, halves = clicked(train(epochs=4)), train(epochs=4)
    halves.run_button.click()
    seen = stop_after(halves, 3)
    halves.wait()
    assert halves.state == "stopped"
    assert halves.trainer.step <= seen + 1
    assert (halves.resume_button.disabled, halves.stop_button.disabled) == (False, True)
    halves.resume_button.click()
    halves.wait()
    assert losses(halves.result) == losses(whole.result)
    assert halves.resume_button.disabled


def test_resume_goes_on_with_the_stopped_run_whatever_the_controls_say_now(train):
    one = train(epochs=4)
    one.run_button.click()
    stop_after(one, 2)
    one.wait()
    one.set(strategy="head")
    assert "full" in one.status.value
    one.resume_button.click()
    one.wait()
    assert one.result.strategy == "full"


def test_controls_are_locked_while_it_runs_and_a_second_click_changes_nothing(train):
    one = train(epochs=30)
    one.run_button.click()
    until(lambda: one.trainer is not None and one.trainer.step)
    before = one.trainer
    one.run_button.click()
    assert all(widget.disabled for widget in one.settings.values())
    stop_after(one, 1)
    one.wait()
    assert one.trainer is before
    assert not any(widget.disabled for widget in one.settings.values())


def test_nothing_is_printed_while_it_runs(train, capfd):
    clicked(train())
    assert capfd.readouterr() == ("", "")


def test_the_report_is_the_same_each_time(train, capsys):
    for _ in range(2):
        clicked(train(epochs=6, lr=5e-3)).report()
    first, second = capsys.readouterr().out.splitlines()
    assert first == second == "Train: done; full on bert, 6 epochs, 12 steps; loss fell: yes"


def test_a_loss_that_first_shot_up_and_came_down_again_has_not_fallen(train, capsys):
    one = clicked(train(epochs=2))
    first = one.result.steps[0][1]
    means = (3 * first, 1.5 * first)  # of the epochs of a rate far too high
    history = [dataclasses.replace(e, train_loss=m) for e, m in zip(one.result.history, means, strict=True)]
    one.result = dataclasses.replace(one.result, history=tuple(history))
    one.report()
    assert capsys.readouterr().out.endswith("loss fell: no\n")


def test_a_finished_run_is_kept_where_history_finds_it(train, tmp_path):
    for _ in range(2):
        clicked(train(out=tmp_path / "runs"))
    assert [p.name for p in sorted((tmp_path / "runs").iterdir())] == [
        "stand-in-full-s0-2.json",
        "stand-in-full-s0.json",
    ]
    found = History(tmp_path / "runs")
    assert len(found.runs) == 2


def test_runs_that_end_at_the_same_moment_are_kept_in_two_files(train, tmp_path, monkeypatch):
    first, second = clicked(train(epochs=1)), clicked(train(epochs=1))
    first.out = second.out = tmp_path

    def slow(run, path):
        if second.saved is None:
            monkeypatch.undo()
            second.keep()
        save_run(run, path)

    monkeypatch.setattr("labkit.ui.train.save_run", slow)
    first.keep()
    assert first.saved != second.saved
    assert sorted(tmp_path.iterdir()) == sorted([first.saved, second.saved])


def test_a_run_that_cannot_be_written_leaves_no_empty_file(train, tmp_path, monkeypatch):
    def full(run, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labkit.ui.train.save_run", full)
    one = train(epochs=1, out=tmp_path)
    one.run_button.click()
    with pytest.raises(OSError, match="No space"):
        one.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_stands_in_the_panel_until_a_control_moves(train):
    one = train()
    one.forecast_button.click()
    one.wait()
    assert "peak memory" in one.notes.value
    assert one.state == "ready"
    one.set(batch_size=8)
    assert one.notes.value == ""


def test_the_verdict_on_a_finished_run_stands_in_the_panel(train):
    one = clicked(train(lr=1e-6, epochs=2))
    assert "diagnosis" in one.notes.value
    (found, *_) = lk.diagnose(one.result, ROWS)
    assert found.title in one.notes.value
    assert "diagnosis" not in train().notes.value


# Errors


def test_an_error_in_the_thread_is_shown_and_raised_by_wait(train):
    one = train(strategy="top-K", k=12)
    one.run_button.click()
    with pytest.raises(lk.BadInput, match="3 layers"):
        one.wait()
    assert "3 layers" in one.problem.value
    assert "Traceback" not in one.problem.value
    assert one.state == "failed"
    assert not one.run_button.disabled


def test_a_defect_is_shown_with_its_trace_and_gone_when_a_control_moves(train, monkeypatch):
    one = train()
    monkeypatch.setattr(one, "load", lambda *_: 1 / 0)
    one.run_button.click()
    with pytest.raises(ZeroDivisionError):
        one.wait()
    assert "ZeroDivisionError" in one.problem.value
    assert "Traceback" in one.problem.value
    one.set(batch_size=8)
    assert (one.problem.value, one.state) == ("", "ready")
    one.wait()


def test_an_error_in_the_drawing_is_shown_too(train, monkeypatch):
    one = train()
    monkeypatch.setattr(one, "picture", lambda: 1 / 0)
    one.run_button.click()
    with pytest.raises(ZeroDivisionError):
        one.wait()
    assert one.state == "failed"


def test_a_message_is_shown_as_text_never_as_markup(train):
    one = train()
    one.fail(lk.BadInput("<img src=x>"))
    assert "&lt;img" in one.problem.value


# Turns


def test_a_second_panel_waits_and_says_why(train):
    first, second = train(epochs=50), train(epochs=1)
    first.run_button.click()
    until(lambda: first.trainer is not None and first.trainer.step)
    second.run_button.click()
    until(lambda: second.state == "waiting")
    assert "waiting for another panel (Train)" in second.status.value
    assert second.trainer is None
    first.stop_button.click()
    second.wait()
    assert second.state == "done"


def test_stop_ends_the_waiting(train):
    first, second = train(epochs=50), train(epochs=1)
    first.run_button.click()
    until(lambda: first.trainer is not None and first.trainer.step)
    second.run_button.click()
    until(lambda: second.state == "waiting")
    second.stop_button.click()
    second.wait()
    assert second.state == "stopped"
    assert second.trainer is None


def test_a_turn_is_handed_on_after_an_error(train):
    with pytest.raises(lk.BadInput):
        clicked(train(strategy="top-K", k=12))
    assert clicked(train(epochs=1)).state == "done"
    assert not panel._turn.locked()


def test_an_unfinished_thread_does_not_keep_python_alive(train):
    one = train(epochs=50)
    one.run_button.click()
    assert one._thread.daemon
    assert one._thread is not threading.main_thread()


# What is seen


def test_the_live_picture_is_small_however_long_the_run():
    recording, one = Recording("accuracy"), Train(ROWS, out=None)
    for step in range(1, 20_001):
        recording.take(StepDone(step, 100_000, 1, 1e-3, 0.5 + 0.4 * (step % 7)))
        if step % 100 == 0:
            valid = {"accuracy": 0.7 + 0.1 * (step % 7) / 7}
            recording.take(EpochDone(Epoch(step // 100, step, 0.5, 0.5 + 0.3 * (step % 3), valid, 1.0), None, False))
            recording.losses()
    one.recording, one.step, one.steps = recording, 20_000, 100_000
    assert 1000 < len(one.picture().encode()) < 4096


def test_the_picture_is_drawn_ten_times_a_second_at_the_most(train):
    one, seen = train(epochs=8), []
    one.live.observe(lambda change: seen.append(time.monotonic()), names="value")
    began = time.monotonic()
    clicked(one)
    forced = 6 + one.result.epochs  # phases, ends of epochs, the end
    assert 3 < len(seen) <= 10 * (time.monotonic() - began) + forced


def test_the_bundle_has_a_live_view_a_picture_and_words_that_never_change(train):
    one = train()
    before, size = one._repr_mimebundle_()
    after, _ = clicked(one)._repr_mimebundle_()
    assert set(before) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert before["application/vnd.jupyter.widget-view+json"]["model_id"] == one.box.model_id
    assert before["text/plain"] == after["text/plain"] == "labkit.ui.Train"
    assert before["image/png"] != after["image/png"]
    assert size["image/png"]["width"] < 1000


def test_every_part_that_can_be_used_has_a_class_of_its_own(train):
    for one in (train(), Data(), History("nowhere"), Compare(ROWS)):
        for widget in [*one.settings.values(), *one.buttons, one.status, one.live, one.problem, one.call]:
            assert any(name.startswith("labkit-") for name in widget._dom_classes), widget


@pytest.mark.parametrize(
    "make", [lambda: Train(ROWS, out=None), Data, lambda: History("nowhere"), lambda: Compare(ROWS)]
)
def test_a_panel_speaks_chinese_and_english(make, monkeypatch):
    texts = {}
    for code in ("zh", "en"):
        monkeypatch.setenv("LABKIT_LANG", code)
        one = make()
        said = [getattr(w, "description", "") for w in widgets_in(one.box)]
        said += [w.value for w in (one.status, one.live, one.notes)]
        texts[code] = re.sub(r"<[^>]+>", " ", " ".join(said))
    assert re.search("[\u4e00-\u9fff]", texts["zh"])
    assert not re.search("[\u4e00-\u9fff]", texts["en"])


# In a notebook


def registered():
    """The widgets that are there."""
    import ipywidgets.widgets.widget as module

    return set(module._instances if hasattr(module, "_instances") else module.Widget.widgets)


@pytest.mark.parametrize(
    "make", [lambda: Train(ROWS, out=None), Data, lambda: History("nowhere"), lambda: Compare(ROWS), Optimizer]
)
def test_a_cell_that_is_run_again_closes_every_widget_of_the_panel_that_it_made_before(make, monkeypatch):
    before, counts = registered(), []
    for run in "abc":
        monkeypatch.setattr("labkit.ui.outputs.cell", lambda run=run: ("the cell", run))
        one = make()
        counts.append(len(registered() - before))
    assert counts[0] == counts[1] == counts[2]
    assert not one.closed
    one.close()
    assert registered() == before


def test_two_panels_of_one_execution_live_side_by_side_and_other_cells_are_left_alone(monkeypatch):
    monkeypatch.setattr("labkit.ui.outputs.cell", lambda: ("one", "1"))
    first, second = History("nowhere"), History("nowhere")
    monkeypatch.setattr("labkit.ui.outputs.cell", lambda: ("other", "2"))
    third = History("nowhere")
    assert not (first.closed or second.closed)
    monkeypatch.setattr("labkit.ui.outputs.cell", lambda: ("one", "3"))
    History("nowhere")
    assert first.closed and second.closed and not third.closed


def test_a_panel_that_is_replaced_while_it_trains_stops_after_its_step_and_keeps_what_it_has(train, monkeypatch):
    monkeypatch.setattr("labkit.ui.outputs.cell", lambda: ("one", "1"))
    old = train(epochs=50)
    old.run_button.click()
    until(lambda: old.trainer is not None and old.trainer.step >= 2)
    monkeypatch.setattr("labkit.ui.outputs.cell", lambda: ("one", "2"))
    new = clicked(train(epochs=1))
    old.wait()
    assert (old.state, new.state) == ("stopped", "done")
    assert 2 <= old.trainer.step < 100


def test_a_panel_is_shown_live_with_a_picture_and_the_way_back_to_life_for_later(train, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data, more)))
    monkeypatch.setenv("LABKIT_LANG", "zh")
    one = train()
    one._ipython_display_()
    (live, _), (still, more), (words, _) = shown
    assert list(live) == ["application/vnd.jupyter.widget-view+json"]
    assert set(still) == {"text/plain", "image/png"} and more["display_id"] is True
    assert "重新运行这个单元格，面板就活过来" in words["text/html"]
    again = [data for data, _ in shown]
    one._ipython_display_()
    assert [data for data, _ in shown[3:]][2] == again[2], "words never change: notebooks are compared"
    one.close()
    one._ipython_display_()
    assert [list(data) for data, _ in shown[6:]] == [list(still), ["text/html"]]


@pytest.mark.parametrize("front_end", ["Colab", "VS Code"])
def test_other_front_ends_have_one_output_for_all(train, front_end, monkeypatch):
    if front_end == "Colab":
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    else:
        monkeypatch.setenv("VSCODE_PID", "1")
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append(data))
    train()._ipython_display_()
    (bundle,) = shown
    assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}


def test_the_picture_is_drawn_anew_once_what_is_seen_has_changed(train, monkeypatch):
    drawn, handle = [], types.SimpleNamespace(update=lambda data, **more: drawn.append(data))
    monkeypatch.setattr("IPython.display.display", lambda data, **more: handle)
    one = train(epochs=1)
    one._ipython_display_()
    one.wait()
    assert drawn == []
    clicked(one)
    one.wait()
    assert len(drawn) == 1 and set(drawn[0]) == {"text/plain", "image/png"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_picture_of_a_panel_that_has_not_run_tells_what_is_chosen(train, language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    one = train(lr=5e-4, batch_size=8, cache="half")
    words = [text.get_text() for text in one.figure().findobj(Text)]
    for told in (controls.words("lr"), "5e-4", controls.words("batch_size"), "8", one.settings["cache"].label):
        assert told in words
    assert f"{controls.words('lr')} {one.settings['lr'].options[0][0]}" in train(lr=None).caption()
    assert controls.words("seed") not in words, "what is not on the first page is told where it was changed"
    assert one.invitation() in " ".join(words).replace("\n", " ")


# Data and history


def test_the_data_panel_tells_the_padding_that_a_run_would_have(folder):
    one = clicked(Data(model="tiny-bert-zh"))
    one.set(batch_size=32, bucket=False, max_length=64)
    names = {}
    exec(one.source().rpartition("\n")[0], names)
    trainer = names["trainer"]
    assert one.padding()["only shuffled"] == padding_share(trainer.batches.sizes["train"], trainer.order(0))
    one.set(bucket=True)
    found = one.padding()
    assert found["in buckets"] < found["only shuffled"] <= found["all to 64"]


def test_a_corpus_that_is_at_hand_is_looked_at_as_it_is():
    one = Data(ROWS)
    assert clicked(one).corpus is ROWS and len(one.tokens) == len(ROWS.train)
    names = {"corpus": ROWS}
    exec(one.source(), names)
    assert names["trainer"].corpus is ROWS
    assert {n: one.settings[n].layout.display for n in ("path", "text", "label")} == dict.fromkeys(
        ("path", "text", "label"), "none"
    )
    one.set(source="reviews")
    assert clicked(one).corpus.name == "reviews"


def test_rows_are_shown_as_their_modality_shows_them(monkeypatch):
    one = clicked(Data(ROWS))
    assert ROWS.train[0].input in one.live.value
    monkeypatch.setattr(type(ROWS.task.modality), "html", lambda self, input: f"<mark>{len(input)}</mark>")
    one.draw(now=True)
    assert f"<mark>{len(ROWS.train[0].input)}</mark>" in one.live.value
    assert ROWS.train[0].input not in one.live.value


def test_a_csv_file_is_read_by_its_columns_and_a_missing_one_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{text}{i},{label}" for label, text in (("good", "很好"), ("bad", "不好")) for i in range(20)]
    (tmp_path / "shop.csv").write_text("\n".join(["comment,stars", *rows]), encoding="utf-8")
    one = Data("shop.csv")
    one.run_button.click()
    with pytest.raises(lk.BadInput, match="comment, stars"):
        one.wait()
    one.set(text="comment", label="stars")
    assert clicked(one).corpus.labels == ("bad", "good")
    assert "lk.load_csv('shop.csv', text='comment', label='stars')" in one.source()
    one.set(source="…", path="missing.csv")
    one.run_button.click()
    with pytest.raises(FileNotFoundError):
        one.wait()
    assert "missing.csv" in one.problem.value


def test_history_overlays_two_runs_and_names_what_it_cannot_read(train, tmp_path):
    run = clicked(train()).result
    save_run(run, tmp_path / "a.json")
    (tmp_path / "b").mkdir()
    save_run(dataclasses.replace(run, strategy="head"), tmp_path / "b" / "run.json")
    (tmp_path / "damaged.json").write_text("{", encoding="utf-8")
    (tmp_path / "other.json").write_text('{"kind": "no run"}', encoding="utf-8")
    one = History(tmp_path)
    assert len(one.runs) == 2
    assert "damaged.json" in one.live.value
    assert "other.json" not in one.live.value
    assert {r.strategy for r in one.chosen()} == {"full", "head"}
    plain = one.picture()
    one.set(log=True)
    assert one.picture() != plain
    save_run(run, tmp_path / "c.json")
    before = [one.settings[n].value for n in ("first", "second")]
    clicked(one)
    assert [one.settings[n].value for n in ("first", "second")] == before
    assert len(one.runs) == 3


def test_an_empty_history_says_where_runs_come_from(tmp_path):
    one = History(tmp_path / "nothing")
    assert "No runs in" in one.live.value
    assert one._repr_mimebundle_()[0]["image/png"]


# Charts


def test_a_thinned_series_keeps_its_mean_and_its_order():
    series = Thinned(most=10)
    for x in range(1000):
        series.add(x, 2 * x)
    points = series.points()
    assert len(points) <= 10
    assert points == sorted(points)
    assert all(y == pytest.approx(2 * x) for x, y in points)


@pytest.mark.parametrize(
    "points, log",
    [([], False), ([(1, 0.5)], False), ([(1, 0.0), (2, float("nan"))], True), ([(1, 1.0), (2, 1.0)], True)],
)
def test_a_chart_of_few_or_odd_points_is_still_a_chart(points, log):
    drawn = Chart("loss", [Line(points, marker="o")], "step", log=log).svg()
    assert drawn.startswith("<svg")
    assert "nan" not in drawn
    assert ("no data yet" in drawn) == (not [y for _, y in points if y > 0])


@pytest.mark.parametrize(
    "value, told", [(5e-4, "5e-4"), (1.0, "1.0"), (3e-5, "3e-5"), (0.1, "0.1"), (1.5e-4, "0.00015")]
)
def test_numbers_are_told_short_and_give_themselves_back(value, told):
    assert controls.number(value) == told
    assert float(told) == value


# Compare


def test_the_comparison_fills_its_table_and_equals_the_call(folder, tmp_path):
    one = Compare(ROWS, folder, out=tmp_path, epochs=1, lora=False, seed_1=False)
    source = one.source()
    assert "lk.compare([lk.Full(), lk.HeadOnly()], corpus" in source
    clicked(one)
    names = {"corpus": ROWS}
    exec(source.replace(str(one.folder.as_posix()), str(tmp_path / "again")), names)
    assert [losses(r) for r in names["runs"]] == [losses(r) for r in one.runs]
    assert "tf-idf" in one.live.value
    assert f"{one.folder.name}-2" in one.call.value, "the next comparison has a folder of its own"


def test_a_stopped_comparison_goes_on_without_repeating_what_is_done(folder, tmp_path):
    one = Compare(ROWS, folder, out=tmp_path, epochs=3, lora=False, seed_1=False)
    one.run_button.click()
    until(lambda: one.folder and list(one.folder.glob("*-s0.json")))
    one.stop_button.click()
    one.wait()
    done = {p: p.stat().st_mtime_ns for p in one.folder.glob("*.json")}
    assert (one.state, one.runs, one.resume_button.disabled) == ("stopped", None, False)
    one.resume_button.click()
    one.wait()
    assert {r.strategy for r in one.runs} == {"full", "head"}
    assert all(p.stat().st_mtime_ns == when for p, when in done.items())


def test_comparisons_that_begin_at_the_same_moment_have_a_folder_each(folder, tmp_path, monkeypatch):
    plan = types.SimpleNamespace(runs=(), jobs=(), run=lambda: (event for event in ()))
    monkeypatch.setattr("labkit.comparison.compare.Comparing", lambda *asked, out, workers: plan)
    first, second = (Compare(ROWS, folder, out=tmp_path) for _ in "ab")
    begun = [one.work() for one in (first, second)]
    for steps in begun:
        next(steps)
    assert first.folder != second.folder
    assert {first.folder, second.folder} == set(tmp_path.iterdir())


def test_several_runs_at_once_have_a_bar_each_and_stop_ends_them_all(folder, tmp_path, monkeypatch):
    from labkit.comparison import compare as module

    monkeypatch.setattr(module, "Job", Slow)
    held = tmp_path / "held"  # or one worker does the third run, too, while the other still imports torch
    held.touch()
    monkeypatch.setenv(HELD, str(held))
    one = Compare(ROWS, folder, out=tmp_path / "out", epochs=1, seed_1=False, workers=2)
    assert one.source().endswith(", workers=2)")
    one.run_button.click()

    def one_done_two_going() -> bool:
        return len(one.under_way) == 2 and len(one.finished) == 1 and all(x for _, x in [*one.under_way.values()])

    until(one_done_two_going, seconds=90)  # two processes import torch first
    assert "1 of 3 runs done" in one.picture() and one.picture().count('role="progressbar"') == 3
    one.stop_button.click()
    one.wait()
    done = len(one.finished)
    assert (one.state, one.runs, one.share) == ("stopped", None, done / 3) and multiprocessing.active_children() == []
    held.unlink()
    one.resume_button.click()
    one.wait()
    assert [run.strategy for run in one.runs] == ["full", "head", "lora"] and all(not run.error for run in one.runs)


def test_only_what_the_model_allows_is_ticked_at_the_beginning(tmp_path):
    ticked = {name: tick.value for name, tick in Compare(lk.instructions(limit=64), out=tmp_path).settings.items()}
    assert ticked["full"] and ticked["lora"] and ticked["top-2"] and not ticked["head"]
    drawn = {name: tick.value for name, tick in Compare(lk.doodles(limit=64), out=tmp_path).settings.items()}
    assert drawn["full"] and drawn["head"] and drawn["top-2"] and not drawn["lora"]
    assert Compare(ROWS, out=tmp_path).settings["head"].value


def test_a_comparison_of_nothing_is_refused(folder, tmp_path):
    one = Compare(ROWS, folder, out=tmp_path, full=False, head=False, lora=False)
    one.run_button.click()
    with pytest.raises(lk.BadInput, match="at least one"):
        one.wait()
