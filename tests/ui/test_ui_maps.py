"""The Try it panel with clips: examples that come along, paths, uploads; each answer with its map."""

import pytest

import labkit as lk
from labkit.modalities.sounds import wav_bytes


@pytest.fixture(scope="module")
def digits():
    return lk.commands()


@pytest.fixture
def panel(digits):
    return lk.ui.TryIt(lk.load("tiny-commands", task=digits.task))


def asked(panel, **settings):
    panel.set(**settings)
    panel.run_button.click()
    panel.wait()
    return panel


def test_an_example_is_heard_and_shown_with_its_map(panel, digits):
    example = panel.way.examples[3]
    asked(panel, text=example)
    assert example.startswith("lk.commands().test[") and panel.after.label in digits.labels
    assert "<audio controls" in panel.picture() and f"text = {example}" in panel.source()
    assert "fresh = lk.load('tiny-commands', task=model.task)" in panel.source()


def test_a_path_is_read_and_one_that_is_none_is_said(panel, digits, tmp_path):
    path = tmp_path / "mine.wav"
    path.write_bytes(wav_bytes(digits.test[0].input, 16_000))
    assert asked(panel, text=str(path)).after is not None
    with pytest.raises(FileNotFoundError):
        asked(panel, text=str(tmp_path / "nowhere.wav"))
    assert panel.after is None and "nowhere.wav" in panel.problem.value


@pytest.mark.parametrize("newer", [True, False], ids=["ipywidgets 8", "ipywidgets 7"])
def test_an_upload_is_asked_about_by_its_name(panel, digits, newer, monkeypatch):
    data = wav_bytes(digits.test[0].input, 16_000)
    given = ({"name": "me.wav", "content": memoryview(data)},) if newer else {"me.wav": {"content": data}}
    monkeypatch.setattr(type(panel.upload), "value", given)
    panel.on_upload()
    panel.wait()
    assert asked(panel, text="me.wav").after.input.shape == digits.test[0].input.shape


def test_what_does_not_fit_a_clip_is_not_offered(panel):
    offered = {value for _, value in panel.settings["method"].options}
    assert "integrated" in offered and "rollout" not in offered


def test_panels_take_the_model_that_fits_clips_and_show_them(digits):
    data = asked(lk.ui.Data("commands"))
    assert "<audio controls" in data.below() and data.summary().startswith("commands: 70, 20, 30")
    train = asked(lk.ui.Train(digits), epochs=1)
    assert train.result.model == "tiny-commands" and 'lk.load("tiny-commands", task=corpus.task)' in train.source()
