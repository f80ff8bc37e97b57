"""The Optimizer and the Live head panel from Python: no browser, no kernel; under ipywidgets 7.7 and 8 alike."""

import re
import time
import xml.etree.ElementTree as tree

import pytest
from stand_ins import bert, corpus
from test_ui import at_rest, clicked, until, widgets_in

import labkit as lk
from labkit.ui.live_head import LiveHead
from labkit.ui.optimizer import OFFERED, Optimizer, brief, stops

pytestmark = pytest.mark.filterwarnings("ignore:The `ipykernel.comm.Comm` class:DeprecationWarning")  # by ipywidgets 7
ROWS = corpus(64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("model") / "bert"))


@pytest.fixture
def live(folder):
    made = []

    def make(**values):
        config = lk.TrainConfig(device="cpu", precision="fp32")
        made.append(LiveHead(ROWS, folder, config, **{"epochs": 2, **values}))
        return made[-1]

    yield make
    at_rest(made)


def losses(run):
    return [loss for _, loss, _ in run.steps], [e.valid_loss for e in run.history]


# The Optimizer panel


def test_the_call_that_is_shown_gives_the_walks_that_are_drawn():
    one = Optimizer("rosenbrock", Nesterov=True, AdamW=True, beta=0.8, lr=2e-3, steps=50, step=20)
    names = {}
    exec(one.source(), names)
    mine = one.walks()
    assert list(names["walks"]) == list(mine) == ["SGD", "momentum", "Nesterov", "Adam", "AdamW"]
    assert all((names["walks"][n].position == mine[n].position).all() for n in mine)
    assert "betas=(0.8, 0.999)" in one.source()
    assert one.source().endswith("walk_map(walks, step=20)")


def test_every_move_of_a_control_draws_at_once_without_run():
    one = Optimizer()
    for name, value in {"surface": "bowl", "lr": 0.3, "beta": 0.5, "x": 1.0, "y": 0.0, "steps": 50, "step": 7}.items():
        before = one.live.value, one.numbers.value
        one.set(**{name: value})
        assert (one.live.value, one.numbers.value) != before, name
        assert not one.busy
    before = one.numbers.value
    one.set(Adagrad=True)
    assert before.count("<tr>") == one.numbers.value.count("<tr>") - 1


def test_scrubbing_computes_no_walk_anew(monkeypatch):
    one, calls = Optimizer(), []
    monkeypatch.setattr("labkit.ui.optimizer.traces", lambda *a, **k: calls.append(a))
    for step in (10, 20, 30):
        one.set(step=step)
        assert f"step {step}" in one.live.value
    assert not calls


def test_another_surface_brings_its_start_and_rate_and_reset_brings_them_back():
    one = Optimizer("bowl")
    for name, surface in lk.surfaces().items():
        one.set(surface=name)
        assert (one.start_point(), one.settings["lr"].value) == (surface.start, surface.rate)
        tree.fromstring(one.live.value)
    one.set(x=-1.0, lr=1e-3)
    (reset,) = one.buttons
    reset.click()
    assert (one.start_point(), one.settings["lr"].value) == (surface.start, surface.rate)


def test_the_numbers_tell_final_loss_steps_to_the_target_and_who_was_lost():
    one = Optimizer("bowl", lr=3.0, momentum=False)
    rows = re.findall(r"<tr><td.*?</tr>", one.numbers.value)
    walks = one.walks()
    assert walks["SGD"].diverged is not None
    assert f"diverged at {walks['SGD'].diverged}" in rows[0]
    assert "∞" in rows[0]
    one.set(lr=0.1)
    walk = one.walks()["SGD"]
    row = re.findall(r"<tr><td.*?</tr>", one.numbers.value)[0]
    assert f">{brief(float(walk.loss[-1]))}<" in row
    assert f">{walk.arrived}<" in row


def test_what_torch_refuses_and_an_empty_choice_are_told_in_the_panel_and_by_wait():
    one = Optimizer(Nesterov=True)
    one.set(beta=0.0)
    assert "Nesterov momentum requires" in one.problem.value
    with pytest.raises(lk.BadInput, match="requires a momentum"):
        one.report()
    one.set(Nesterov=False)
    assert (one.problem.value, one.state) == ("", "ready")
    one.set(**dict.fromkeys(OFFERED, False))
    assert "at least one optimizer" in one.problem.value


def test_parts_of_the_next_step_are_shown_where_there_is_one():
    one = Optimizer(arrows=True)
    assert one.step == 5
    assert "momentum adds" in one.live.value
    assert one.play.value == 5


def test_play_begins_anew_from_the_end():
    one = Optimizer(steps=50)
    name = "playing" if one.play.has_trait("playing") else "_playing"
    setattr(one.play, name, True)
    setattr(one.play, name, False)  # what the browser answers at the end
    assert (one.step, getattr(one.play, name)) == (0, True)
    assert 50 % one.play.step == 0
    one.set(step=30)
    setattr(one.play, name, False)
    assert one.step == 30


def test_the_report_is_the_same_whatever_was_shown(capsys):
    one = Optimizer(lr=0.3)
    one.report()
    one.set(step=3)
    one.run_button.click()
    one.report()
    first, second = capsys.readouterr().out.splitlines()
    assert first == second == "Optimizer: ravine, 200 steps; arrived: SGD, momentum, Adam; diverged: –"


@pytest.mark.parametrize("start, low, high", [(0.01, -2.5, 2.5), (-9.0, -10, 10), (4.0, -4.0, 4.0), (-4.0, -4.0, 4.0)])
def test_a_start_is_a_stop_of_its_slider(start, low, high):
    found = stops(start, low, high)
    step = (high - low) / 100
    assert start in found
    assert len(found) == len(set(found)) == 101
    assert low - step < found[0] < found[-1] < high + step


# The Live head panel


def test_the_head_that_is_shown_is_the_one_that_the_call_trains(live):
    one = clicked(live(lr=1e-2, batch_size=8, weight_decay=0.1))
    names = {"corpus": ROWS}
    exec(one.source(), names)
    assert losses(names["run"]) == losses(one.trainer.report())
    again = lk.Trainer(lk.load(one.model, ROWS.labels), ROWS, lk.HeadOnly(), one.trainer.config)
    for mine, plain in zip(losses(again.fit()), losses(names["run"]), strict=True):
        assert mine == pytest.approx(plain, abs=1e-5)


def test_nothing_is_trained_before_the_first_move_and_a_move_needs_no_run(live):
    one = live(lr=1e-2)
    assert one.head is None
    assert not one.busy
    one.set(lr=3e-3)
    one.wait()
    assert one.now.settings["lr"] == 3e-3
    one.set(batch_size=8)
    one.wait()
    assert one.before.settings["batch_size"] == 16
    assert "batch size 16 → 8" in one.live.value


def test_of_many_moves_the_newest_wins_and_none_queues_up(live, monkeypatch):
    one, begun = clicked(live(epochs=50)), []
    monkeypatch.setattr(one.head, "trainer", lambda make=one.head.trainer, **s: begun.append(s["lr"]) or make(**s))
    for lr in (1e-4, 1e-3, 1e-2, 1e-1, 5e-3):
        one.set(lr=lr)
        time.sleep(0.01)
    one.wait()
    assert one.now.settings["lr"] == begun[-1] == 5e-3
    assert one.before.settings["lr"] == 2e-3, "those in between were left at their next step"
    assert one.trainer.finished


def test_a_move_at_the_very_end_of_a_training_is_not_lost(live):
    one = clicked(live(epochs=1))
    for i in range(40):
        one.set(lr=(1e-3, 2e-3)[i % 2])
        time.sleep(0.002 * (i % 5))
    one.wait()
    assert one.now.settings == one.chosen()


def test_sliders_stay_free_stop_stops_and_the_next_move_goes_on(live):
    one = clicked(live())
    one.set(epochs=50)
    until(lambda: one.state == "running")
    assert not any(widget.disabled for widget in one.settings.values())
    assert not one.stop_button.disabled
    one.stop_button.click()
    one.wait()
    assert one.state == "stopped"
    one.set(epochs=1)
    one.wait()
    assert (one.state, one.now.settings["epochs"]) == ("done", 1)


def test_an_error_is_shown_and_the_next_move_tries_again(live):
    one = live()
    kept, one.config = one.config, lk.TrainConfig(cache="off")
    one.set(lr=1e-2)
    with pytest.raises(lk.BadInput, match="lowest blocks stay frozen"):
        one.wait()
    assert "lowest blocks stay frozen" in one.problem.value
    one.config = kept
    one.set(lr=2e-3)
    one.wait()
    assert (one.state, one.problem.value) == ("done", "")


def test_the_accuracy_is_told_with_its_interval_and_against_the_last_setting(live):
    one = clicked(live())
    first = one.now.score.value
    assert f"validation accuracy {first:.3f}" in one.live.value
    assert "95 %" in one.live.value
    one.set(lr=1.0)
    one.wait()
    points = f"{100 * (one.now.score.value - first):+.1f}".replace("-", "−")
    assert f"{points} points (learning rate 2e-3 → 1.0)" in one.live.value
    assert "previous setting" in one.live.value


def test_the_live_picture_is_small(live):
    assert 1000 < len(clicked(live(epochs=50, batch_size=4)).picture().encode()) < 8192


def test_the_report_of_a_head_is_the_same_each_time(live, capsys):
    for _ in range(2):
        clicked(live(lr=1e-2)).report()
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("Live head: done; learning rate 0.01, batch size 16, weight decay 0.01, epochs 2; 8 steps")


# Both


def test_both_have_a_bundle_with_a_picture_and_words_that_never_change(live):
    for one, name in ((Optimizer(), "Optimizer"), (clicked(live()), "LiveHead"), (live(), "LiveHead")):
        bundle, size = one._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
        assert bundle["text/plain"] == f"labkit.ui.{name}"
        assert size["image/png"]["width"] < 1000


def test_every_part_that_can_be_used_has_a_class_of_its_own(live):
    for one in (Optimizer(), live()):
        for widget in [*one.settings.values(), *one.buttons, one.status, one.live, one.problem, one.call]:
            assert any(name.startswith("labkit-") for name in widget._dom_classes), widget


@pytest.mark.parametrize("kind", [Optimizer, LiveHead])
def test_both_speak_chinese_and_english(kind, folder, monkeypatch):
    texts = {}
    for code in ("zh", "en"):
        monkeypatch.setenv("LABKIT_LANG", code)
        one = Optimizer(arrows=True) if kind is Optimizer else clicked(LiveHead(ROWS, folder, epochs=1))
        if kind is LiveHead:
            one.set(lr=1e-2)
            one.wait()
        said = [getattr(w, "description", "") for w in widgets_in(one.box)]
        said += [w.value for w in (one.status, one.live, one.notes)]
        texts[code] = re.sub(r"<[^>]+>", " ", " ".join(said))
    assert re.search("[\u4e00-\u9fff]", texts["zh"])
    assert not re.search("[\u4e00-\u9fff]", texts["en"])
