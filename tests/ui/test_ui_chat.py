"""The Chat panel: two models answer one prompt piece by piece, Stop keeps what is said, the call below does the same."""

import contextlib
import io
import time

import pytest

import labkit as lk
from labkit.tasks import Generation
from labkit.ui import Chat


@pytest.fixture(scope="module")
def model():
    return lk.load("tiny-gpt-zh", task=Generation())


@pytest.fixture
def panel(model):
    return Chat(model, model)


def ask(panel, **values):
    panel.set(**values)
    panel.run_button.click()
    panel.wait()
    return panel.answers


def test_both_sides_say_what_generate_says(panel, model):
    said = ask(panel, text="这家店怎么样", max_new_tokens=16)
    assert said == dict.fromkeys(("before", "after"), lk.generate(model, "这家店怎么样", max_new_tokens=16))
    assert all(text in panel.picture() for text in ("这家店怎么样", said["after"], "before", "after"))
    assert panel.state == "done"


def test_the_call_below_the_panel_prints_the_same(panel, model):
    said = ask(panel, text="这家店", temperature=0.8, top_k=20, top_p=0.9, seed=3, max_new_tokens=16)
    lines = [line for line in panel.source().splitlines() if not line.startswith(("#", "fresh", "import"))]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec("\n".join(lines), {"lk": lk, "model": model, "fresh": model})
    assert printed.getvalue() == f"{said['before']}\n{said['after']}"


def test_at_temperature_zero_what_would_do_nothing_is_not_in_the_call(panel):
    panel.set(top_k=20, seed=3)
    assert "top_k" not in panel.source() and "seed" not in panel.source()


def test_stop_is_heard_between_two_pieces_and_what_is_said_stays(panel, monkeypatch):
    def endless(*args, **kwargs):
        while True:
            time.sleep(0.01)
            yield "好"

    monkeypatch.setattr("labkit.ui.chat.generate", endless)
    panel.set(text="你好")
    panel.run_button.click()
    while not panel.answers["after"]:
        time.sleep(0.01)
    panel.stop_button.click()
    panel.wait()
    assert panel.state == "stopped" and set(panel.answers["after"]) == {"好"}


def test_with_memory_each_side_is_told_what_it_said_and_start_anew_forgets(panel, model):
    first = ask(panel, text="你好", max_new_tokens=8)["after"]
    assert len(panel.said["after"]) == 2
    ask(panel, text="好吃吗", memory=True)
    talk = [("user", "你好"), ("assistant", first), ("user", "好吃吗")]
    assert panel.answers["after"] == lk.generate(model, talk, max_new_tokens=8)
    panel.anew_button.click()
    assert panel.said == {"before": [], "after": []} and panel.state == "ready"


def test_what_is_said_cannot_become_markup(panel, monkeypatch):
    monkeypatch.setattr("labkit.ui.chat.generate", lambda *a, **k: iter(["<b>好"]))
    ask(panel, text="<i>")
    assert "&lt;b&gt;好" in panel.picture() and "<i>" not in panel.picture()


def test_there_is_a_figure_with_and_without_answers(panel):
    assert panel.figure()._repr_png_()
    ask(panel, text="你好", max_new_tokens=8)
    assert panel.figure()._repr_png_() and "answers: 1" in panel.summary()
