"""The page of a service in a real Chromium: type, read the answer and what decided it; both languages, both themes."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
from playwright.sync_api import expect, sync_playwright
from stand_ins import bert

import labkit as lk
from labkit.modalities.sounds import wav_bytes

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return lk.load(bert(tmp_path_factory.mktemp("page") / "bert"), labels=("good", "<i>bad</i>"))


@pytest.fixture(scope="module")
def word(tmp_path_factory):
    """A file in which somebody says a digit."""
    path = tmp_path_factory.mktemp("word") / "word.wav"
    path.write_bytes(wav_bytes(lk.commands().test[0].input, 16_000))
    return path


@pytest.fixture(scope="module")
def chromium(word):
    flags = [flag.format(word) for flag in browser.MICROPHONE]
    with sync_playwright() as playwright, browser.launch(playwright, flags) as chromium:
        yield chromium


@pytest.fixture
def opened(chromium):
    """Open a page in a fresh context; whatever the console says against it fails the test, the network is loopback alone."""
    contexts, said, asked = [], [], []

    def open(url, **options):
        contexts.append(chromium.new_context(viewport={"width": 900, "height": 1000}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        return page

    open.said = said
    yield open
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1", "data:", "blob:http://127.0.0.1"))]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale, label, words", [("zh-CN", "一段文本", "支持"), ("en-GB", "a text", "for ")])
def test_a_text_is_answered_while_it_is_typed_and_explained(model, opened, locale, label, words, theme):
    with lk.serve(model) as service:
        page = opened(service.url, locale=locale, color_scheme=theme)
        (truth,) = lk.predict(model, ["不好吃"])
        page.get_by_label(label, exact=True).press_sequentially("不好吃")
        expect(page.locator("#said")).to_have_text(truth.label)  # a label's name is text, not HTML
        expect(page.locator("td.number").first).to_have_text(f"{truth.probabilities['good']:.3f}")
        expect(page.locator("#tokens span:not(.special)")).to_have_text(["不", "好", "吃"])
        expect(page.locator("#word-for")).to_contain_text(words)
        (why,) = lk.attribute(model, "不好吃")
        assert page.locator("#tokens span:not(.special)").first.get_attribute(
            "title"
        ) == f"{why.scores[1]:+.2f}".replace("-", "−")
        assert contrast(page) > 4.5
    assert opened.said == []


def contrast(page):
    """Of the text on the page's ground (WCAG): 4.5 is readable."""
    colours = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor].map(c => c.match(/[\\d.]+/g).map(Number)) }"
    )

    def light(rgb):
        parts = [c / 255 for c in rgb[:3]]
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    low, high = sorted(map(light, colours))
    return (high + 0.05) / (low + 0.05)


def test_what_cannot_be_answered_is_said_and_goes_away_again(model, opened):
    with lk.serve(model, characters=5) as service:
        page = opened(service.url, locale="en-GB")
        page.locator("#first").fill("好好好好好好")
        expect(page.get_by_role("alert")).to_contain_text("at most 5")
        expect(page.locator("#answer")).to_be_hidden()
        page.locator("#first").fill("好好")
        expect(page.locator("#said")).not_to_be_empty()
        expect(page.get_by_role("alert")).to_be_empty()
        page.locator("#first").fill("")
        expect(page.locator("#answer")).to_be_hidden()
        service.stop()
        page.locator("#first").fill("坏")
        expect(page.get_by_role("alert")).to_have_text("the service does not answer")


def test_a_service_with_a_token_asks_for_it(model, opened):
    with lk.serve(model, token="let-me-in") as service:
        page = opened(service.url, locale="en-GB")
        page.locator("#first").fill("好")
        expect(page.get_by_role("alert")).to_contain_text("token")
        page.get_by_label("token").fill("let-me-in")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#said")).not_to_be_empty()


def test_the_language_can_be_changed_and_the_interface_is_a_page_of_its_own(model, opened):
    with lk.serve(model) as service:
        page = opened(service.url, locale="en-GB")
        page.get_by_role("link", name="中文").click()
        expect(page.get_by_role("button", name="问")).to_be_visible()
        page.get_by_role("link", name="接口").click()
        expect(page.get_by_text("POST /predict")).to_be_visible()
    assert opened.said == []


def test_a_clip_is_uploaded_or_recorded_answered_and_explained(opened, word):
    model = lk.load("tiny-commands", task=lk.commands().task)
    with lk.serve(model) as service:
        page = opened(service.url, locale="en-GB")
        page.get_by_label("a sound file").set_input_files(word)
        (truth,) = lk.predict(model, [str(word)])
        expect(page.locator("#said")).to_have_text(truth.label)
        expect(page.locator("#map")).to_be_visible()
        expect(page.locator("#shown audio")).to_be_visible()
        page.locator("#said").evaluate("e => { e.textContent = '' }")
        button = page.get_by_role("button", name="Record")
        button.click()
        button = page.locator("#record")
        expect(button).to_have_text(re.compile(r"Stop \((0\.[5-9]|[1-9])"))
        button.click()
        expect(page.locator("#said")).to_have_text(re.compile("^[a-z]+$"), timeout=20_000)
        expect(button).to_have_text("Record")
        assert page.locator("#map").evaluate("e => e.naturalWidth") > 100  # the drawing is there, not only its frame
    assert opened.said == []


def test_a_photograph_that_is_too_large_is_made_smaller_before_it_is_sent(opened, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 1100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=95)
    assert (tmp_path / "photo.jpg").stat().st_size > 2**20
    with lk.serve(lk.load("tiny-resnet", task=lk.doodles(limit=64).task)) as service:
        page = opened(service.url, locale="en-GB")
        expect(page.locator("#record")).to_be_hidden()
        page.get_by_label("a picture").set_input_files(tmp_path / "photo.jpg")
        expect(page.locator("#map")).to_be_visible(timeout=20_000)
        expect(page.get_by_role("alert")).to_be_empty()
    assert opened.said == []
