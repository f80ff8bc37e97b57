"""The Try it panel with clips: examples that come along, paths, uploads; each answer with its map."""

import base64
import dataclasses
import re

import pytest
from stand_ins import said_corpus, writer

import labkit as lk
from labkit.base.records import BadInput
from labkit.data import packaged
from labkit.modalities.sounds import wav_bytes
from labkit.ui.files import SAMPLES, examples_of, samples_of


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
    example = [*panel.way.examples][3]
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


def test_a_recording_is_asked_about_and_the_next_one_has_another_name(panel, digits):
    for number, row in enumerate(digits.test[:2], start=1):
        panel.recorded.value = base64.b64encode(wav_bytes(row.input, 16_000)).decode()
        panel.wait()
        assert panel.recorded.value == "" and panel.text() == f"recording-{number}.wav"
        assert panel.after.input == pytest.approx(row.input, abs=1e-4)
    assert "# the file that came through the browser" in panel.source()


def test_another_file_of_the_same_name_is_asked_about_anew(panel, digits):
    for row in digits.test[:2]:
        panel.took = 60  # the last answer took long: what is typed would wait for Ask
        panel.take("me.wav", wav_bytes(row.input, 16_000))
        panel.wait()
        assert panel.after.input == pytest.approx(row.input, abs=1e-4)


def test_what_was_uploaded_and_is_no_clip_is_said(panel):
    with pytest.raises(BadInput, match="no readable sound file"):
        panel.take("me.wav", b"\x89PNG and nothing that sounds")
        panel.wait()
    assert panel.after is None and "no readable sound file" in panel.problem.value


def test_examples_are_called_by_what_they_are(panel, digits):
    called = [(words, code) for words, code in panel.settings["example"].options if code in panel.way.examples]
    numbers = [int(re.search(r"test\[(\d+)\]", code)[1]) for _, code in called]
    assert [words for words, _ in called] == [digits.labels[digits.test[n].target] for n in numbers]
    assert len(called) == 6


def test_a_failed_deletion_test_stands_below_the_map_that_failed_it(panel, digits):
    example = next(iter(panel.way.examples))
    asked(panel, text=example)
    for fails in (True, False):
        for one in ("before", "after"):
            setattr(panel, one, dataclasses.replace(getattr(panel, one), truthful=not (fails and one == "before")))
        before, after = panel.picture().split('<div class="labkit-story">')[1:]
        assert ("deletion test" in before) is fails and "deletion test" not in after
        titles = [axes.get_title(loc="left") for axes in panel.figure().axes[:2]]
        assert ["fails the deletion test" in title for title in titles] == [fails, False]


def test_what_does_not_fit_a_clip_is_not_offered(panel):
    offered = {value for _, value in panel.settings["method"].options}
    assert "integrated" in offered and "rollout" not in offered


def test_panels_take_the_model_that_fits_clips_and_show_them(digits):
    data = asked(lk.ui.Data("commands"))
    assert "<audio controls" in data.below() and data.summary().startswith("commands: 70, 20, 30")
    train = asked(lk.ui.Train(digits), epochs=1)
    assert train.result.model == "tiny-commands" and 'lk.load("tiny-commands", task=corpus.task)' in train.source()


def test_a_model_that_writes_what_it_hears_is_asked_with_a_clip_and_its_text_stands_below(monkeypatch, tmp_path):
    rows = said_corpus()
    monkeypatch.setitem(SAMPLES, "speech", "phrases")
    monkeypatch.setattr(packaged, "phrases", lambda: rows)
    examples_of.cache_clear(), samples_of.cache_clear()
    panel = lk.ui.TryIt(lk.load(writer(tmp_path / "writer"), task=rows.task))
    example = next(iter(panel.way.examples))
    asked(panel, text=example)
    assert panel.after.text == lk.predict(panel.model("after"), [rows.test[0].input])[0].text
    assert "<audio controls" in panel.picture() and 'class="labkit-said"' in panel.picture()
    assert "lk.predict(model, [text])" in panel.source() and f"text = {example}" in panel.source()
    path = tmp_path / "mine.wav"
    path.write_bytes(wav_bytes(rows.test[1].input, 16_000))
    assert asked(panel, text=str(path)).state == "done" and panel.recorded.value == ""
    panel._repr_mimebundle_()
    examples_of.cache_clear(), samples_of.cache_clear()


def test_pictures_have_no_lengths_and_the_data_panel_says_nothing_of_batches():
    panel = asked(lk.ui.Data(lk.doodles(limit=64)))
    batches = [panel.settings[name].layout for name in ("max_length", "batch_size", "bucket")]
    assert [layout.display for layout in batches] == ["none"] * 3 and panel.settings["model"].description == "model"
    assert "labkit-empty" not in panel.picture() and "<img" in panel.picture()
    assert panel.source().endswith("\ncorpus") and "labkit-empty" not in panel.live.value
    panel.set(source="reviews")
    assert [layout.display for layout in batches] == [None] * 3 and "Press Load" in panel.picture()


def test_clips_that_are_heard_whole_are_not_said_to_be_cut(tmp_path):
    writer(tmp_path / "writer")
    panel = asked(lk.ui.Data(said_corpus(), model=str(tmp_path / "writer")))
    assert panel.settings["max_length"].layout.display == "none" and panel.settings["bucket"].layout.display is None
    assert "are cut" not in panel.picture() and "frames of a row" in panel.picture()
    assert f"all to {max(panel.tokens)}" in panel.padding()
    panel.figure()
