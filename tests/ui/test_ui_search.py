"""The Search panel's Python side: no browser, no kernel."""

import time

import pytest
from made_search import quick_run
from stand_ins import bert, corpus

import labkit as lk
from labkit.comparison.job import Job
from labkit.ui.search import Search

pytest.importorskip("optuna", reason="searching needs optuna: pip install 'labkit[search]'")
pytestmark = pytest.mark.filterwarnings("ignore:The `ipykernel.comm.Comm` class:DeprecationWarning")  # by ipywidgets 7
ROWS = corpus(32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("model") / "bert"))


@pytest.fixture
def panel(folder, tmp_path, monkeypatch):
    """A panel whose runs take a twentieth of a second."""

    def slowly(job):
        for event in quick_run(job):
            time.sleep(0.01)
            yield event

    monkeypatch.setattr(Job, "run", slowly)
    made = Search(ROWS, folder, out=tmp_path / "runs", seconds=10)
    monkeypatch.setattr("labkit.comparison.search.TRIALS", 5)
    yield made
    made.stop()
    if made.busy:
        made._thread.join()


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)


def test_the_call_that_is_shown_is_the_search_that_runs(panel, monkeypatch):
    panel.set(lora=False, vary_own=False, vary_schedule=False)
    asked = {}
    monkeypatch.setattr("labkit.search", lambda corpus, **more: asked.update(more), raising=False)
    exec(panel.source(), {"corpus": ROWS})
    assert asked == {**panel.asked(), "out": (panel.out / "search-stand-in").as_posix()}
    assert asked["strategies"] == ["head", "top-K"] and asked["space"] == [
        "rate",
        "epochs",
        "batch_size",
        "weight_decay",
    ]
    panel.set(vary_own=True, vary_schedule=True)
    assert "space=" not in panel.source()


def test_trials_are_seen_while_it_runs_and_the_verdict_when_it_is_over(panel):
    panel.run_button.click()
    until(lambda: panel.found and len(panel.found.done) > 1)
    assert "best so far" in panel.live.value and panel.found.done[0].strategy in panel.live.value
    assert all(widget.disabled for widget in panel.settings.values())
    panel.wait()
    assert panel.state == "done" and panel.share == 1.0
    assert "best on the validation rows" in panel.notes.value and "lk.Trainer(" in panel.live.value
    assert "tried head" in panel.summary()


def test_a_stopped_search_is_resumed_in_its_folder_and_repeats_nothing(panel):
    panel.run_button.click()
    until(lambda: panel.found and len(panel.found.done) > 2)
    panel.stop_button.click()
    panel.wait()
    before = [t.point for t in panel.found.trials]
    assert panel.state == "stopped" and not panel.resume_button.disabled
    assert f'out="{panel.folder.as_posix()}"' in panel.source()
    panel.resume_button.click()
    panel.wait()
    assert panel.state == "done" and [t.point for t in panel.found.trials][: len(before)] == before
    assert [p.name for p in panel.out.iterdir()] == ["search-stand-in"]


def test_nothing_ticked_is_an_error_in_the_panel_and_leaves_no_folder(panel):
    panel.set(head=False, lora=False, **{"top-K": False})
    panel.run_button.click()
    with pytest.raises(lk.BadInput, match="nothing to search"):
        panel.wait()
    assert "nothing to search" in panel.problem.value and list(panel.out.glob("*")) == []


def test_it_speaks_both_languages(folder, tmp_path, monkeypatch):
    for code, words in (
        ("zh", ("搜索", "还让什么变", "秒数", "学习率")),
        ("en", ("Search", "what else may vary", "rate")),
    ):
        monkeypatch.setattr("labkit.base.language._chosen", code)
        made = Search(ROWS, folder, out=tmp_path)
        told = (
            made.status.value
            + made.live.value
            + " ".join(str(getattr(w, "description", "")) + str(getattr(w, "value", "")) for w in every(made.box))
        )
        assert all(word in told for word in words)


def every(box):
    yield box
    for child in getattr(box, "children", ()):
        yield from every(child)
