"""Clips in the Try it panel in a real JupyterLab: recorded from a microphone that plays a file, uploaded, refused in words."""

import re
import shutil

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
from playwright.sync_api import expect
from test_browser import execute, no_silent_errors, opened, state  # noqa: F401

from labkit.modalities.sounds import wav_bytes

pytestmark = pytest.mark.integration

CELLS = [
    """import labkit as lk
lk.language('en')
model = lk.load('tiny-commands', task=lk.commands().task)
panel = lk.ui.TryIt(model, model)
panel"""
]
REFUSE = "name => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name) } }"


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    """A file that hums at 440 Hz."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    path.write_bytes(wav_bytes(0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000), 48_000))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory, tone):
    with opened(tmp_path_factory.mktemp("lab"), CELLS, [flag.format(tone) for flag in browser.MICROPHONE]) as page:
        yield page


@pytest.fixture
def panel(page):
    panel = page.locator(".labkit-tryit")
    panel.scroll_into_view_if_needed()
    return panel


def test_a_click_records_another_ends_it_and_the_clip_is_asked_about(page, panel):
    button = panel.locator("button.labkit-record")
    for number in (1, 2):
        button.click()
        expect(button).to_have_text(re.compile(r"Stop \((0\.[5-9]|[1-9]\.\d) s\)"))
        button.click()
        expect(panel.locator(".labkit-text textarea")).to_have_value(f"recording-{number}.wav")
        state(panel, "done")
        expect(panel.locator(".labkit-story audio")).to_have_count(2)
        expect(button).to_have_text("Record")
    execute(
        page,
        """import numpy as np
clip = panel.after.input
strong = np.abs(np.fft.rfft(clip)).argmax() / len(clip) * 16_000
assert 0.3 < len(clip) / 16_000 < 10 and abs(strong - 440) < 10, (len(clip), strong)
assert panel.way.uploaded['recording-2.wav'][:4] == b'RIFF' and panel.recorded.value == ''""",
    )


def test_a_file_is_uploaded_and_asked_about(page, panel, tone):
    with page.expect_file_chooser() as chooser:
        panel.locator(".labkit-upload").click()
    chooser.value.set_files(tone)
    expect(panel.locator(".labkit-text textarea")).to_have_value("tone.wav")
    state(panel, "done")
    expect(panel.locator(".labkit-code pre")).to_contain_text("'tone.wav'  # the file that came through the browser")


@pytest.mark.parametrize(
    "name, words", [("NotAllowedError", "does not allow the microphone"), ("NotFoundError", "No microphone was found")]
)
def test_where_there_is_no_microphone_one_sentence_says_what_to_do(page, panel, name, words):
    page.evaluate(REFUSE, name)
    panel.locator("button.labkit-record").click()
    expect(panel.locator(".labkit-recorder [role=alert]")).to_contain_text(words)
    expect(panel.locator(".labkit-recorder [role=alert]")).to_contain_text("pload a file instead")
    expect(panel.locator("button.labkit-record")).to_have_text("Record")


def test_a_page_that_is_not_safe_says_so(page, panel):
    page.evaluate("() => Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    panel.locator("button.labkit-record").click()
    expect(panel.locator(".labkit-recorder [role=alert]")).to_contain_text("only pages over https")
