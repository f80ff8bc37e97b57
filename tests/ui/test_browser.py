"""The panels in a real JupyterLab, used as a student does: by mouse and keyboard, in both languages and themes."""

import contextlib
import re
import shutil
import time
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
import nbformat
from playwright.sync_api import expect, sync_playwright
from stand_ins import bert

pytestmark = pytest.mark.integration

PACE = 0.1  # seconds that each step takes at least: what the page shows can be followed
CELLS = [
    f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import labkit as lk
from labkit.training import trainer as training
from stand_ins import corpus

rows, gradients = corpus(64), training.Trainer.gradients

def slow(self, batch):
    time.sleep({PACE})
    return gradients(self, batch)

training.Trainer.gradients = slow
lk.language("en")""",
    "train = lk.ui.Train(rows, 'bert', epochs=6, lr=1e-3, batch_size=16)\ntrain",
    "data = lk.ui.Data()\ndata",
    "history = lk.ui.History()\nhistory",
    "compare = lk.ui.Compare(rows, 'bert', epochs=1, full=False, seed_1=False)\ncompare",
    "lk.language('zh')\nchinese = lk.ui.Train(rows, 'bert', epochs=1)\nlk.language('en')\nchinese",
]


KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@contextlib.contextmanager
def opened(folder, cells, flags=()):
    """A page with a notebook of these cells, all of them run; the small model "bert" lies beside it."""
    bert(folder / "bert")
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), folder / "panels.ipynb")
    with (
        browser.jupyterlab(folder) as url,
        sync_playwright() as playwright,
        browser.launch(playwright, flags) as chromium,
    ):
        page = chromium.new_context(viewport=browser.VIEWPORT).new_page()
        page.set_default_timeout(20_000)
        browser.open_notebook(page, url, "panels.ipynb")
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        browser.run_all(page)
        yield page
        with contextlib.suppress(Exception):
            browser.shutdown(page)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with every panel, all cells run."""
    with opened(tmp_path_factory.mktemp("lab"), CELLS) as page:
        yield page


@pytest.fixture(autouse=True)
def no_silent_errors(page):
    """Errors of callbacks appear nowhere in a notebook; they travel on iopub."""
    yield
    assert browser.kernel_errors(page) == []


@pytest.fixture
def train(page):
    """The first Train panel, at rest."""
    panel = page.locator(".labkit-train").first
    panel.scroll_into_view_if_needed()
    execute(page, "train.set(strategy='full', lr=1e-3, batch_size=16, epochs=6)")
    expect(panel.locator(".labkit-code pre")).to_contain_text(
        "strategy=lk.Full(), config=lk.TrainConfig(epochs=6, lr=1e-3)"
    )
    yield panel
    if panel.locator(".labkit-stop").is_enabled():
        panel.locator(".labkit-stop").click()
    expect(panel.locator(".labkit-run")).to_be_enabled(timeout=30_000)


def state(panel, name, timeout=30_000):
    expect(panel.locator(f".labkit-state.{name}")).to_be_visible(timeout=timeout)


def step_of(panel):
    """The step that the progress line tells."""
    found = re.search(r"step (\d+) of", panel.locator(".labkit-progress").inner_text())
    return int(found[1]) if found else 0


def shown_after(panel, steps):
    """Wait until a run that began just now has done so many steps."""
    state(panel, "running")
    expect(panel.locator(".labkit-progress")).not_to_contain_text("step 24 of 24")
    end = time.monotonic() + 30
    while step_of(panel) < steps:
        assert time.monotonic() < end, "no steps are shown"
        time.sleep(0.02)


def execute(page, code):
    """Run code in the notebook's kernel."""
    page.evaluate(
        f"""async code => {{ {browser.NOTEBOOK} await session.session.kernel.requestExecute({{ code }}).done }}""", code
    )


def call(panel):
    return panel.locator(".labkit-code pre").inner_text()


def move(panel, name, keys):
    handle = panel.locator(f".labkit-{name} .noUi-handle")
    handle.focus()
    for key in keys:
        handle.press(key)


def contrast(panel, selector):
    """Of text to what is behind it; 4.5 is what the accessibility guidelines ask for."""
    return panel.locator(selector).first.evaluate("""e => {
        const light = rgb => { const [r, g, b] = rgb.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b };
        const numbers = text => text.match(/[\\d.]+/g).map(Number);
        let behind = e;
        while ((numbers(getComputedStyle(behind).backgroundColor)[3] ?? 1) < .5) behind = behind.parentElement;
        const both = [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor].map(c => light(numbers(c).slice(0, 3)));
        return (Math.max(...both) + .05) / (Math.min(...both) + .05) }""")


def test_controls_move_by_mouse_and_keyboard_and_the_call_follows(page, train):
    code = train.locator(".labkit-code pre")
    move(train, "lr", ["ArrowRight"])
    expect(code).to_contain_text("lr=2e-3")
    box = train.locator(".labkit-batch-size .noUi-handle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 8, steps=5)
    page.mouse.up()
    expect(code).to_contain_text(re.compile(r"batch_size=(32|64|128|256)\b"))
    train.locator(".labkit-strategy select").select_option("lora")
    expect(train.locator(".labkit-rank")).to_be_visible()
    expect(code).to_contain_text("lk.LoRA()")
    train.locator(".labkit-strategy select").select_option("full")
    expect(train.locator(".labkit-rank")).to_be_hidden()


def test_one_click_selects_the_call_for_copying(page, train):
    train.locator(".labkit-code button").click()
    assert page.evaluate("() => getSelection().toString()").strip() == call(train).strip()


def test_a_run_is_seen_live_stops_within_a_step_and_goes_on_to_the_end(page, train):
    train.locator(".labkit-run").focus()
    page.keyboard.press("Space")
    shown_after(train, 3)
    seen = set()
    for _ in range(12):
        seen.add(train.locator("svg").first.get_attribute("data-n"))
        page.wait_for_timeout(80)
    assert len(seen) > 3, "the curve grows while the run goes on"
    expect(train.locator(".labkit-progress")).to_contain_text("s left")
    before = step_of(train)
    train.locator(".labkit-stop").click()
    state(train, "stopped")
    stopped = int(re.search(r"stopped at step (\d+) of 24", train.locator(".labkit-state").inner_text())[1])
    assert stopped <= before + 1 + 0.5 / PACE, "the click travels, then the step under way ends"
    page.wait_for_timeout(300)
    assert step_of(train) == stopped
    train.locator(".labkit-resume").click()
    state(train, "done")
    assert step_of(train) == 24
    expect(train.locator(".labkit-state")).to_contain_text("test accuracy")


def test_a_second_panel_says_why_it_waits_and_then_takes_its_turn(page, train):
    second = page.locator(".labkit-train").nth(1)
    train.locator(".labkit-run").click()
    shown_after(train, 1)
    second.locator(".labkit-run").click()
    state(second, "waiting")
    expect(second.locator(".labkit-state")).to_contain_text("waiting for another panel")
    train.locator(".labkit-stop").click()
    state(second, "done")


def test_an_error_is_readable_and_the_panel_can_be_used_again(page, train):
    train.locator(".labkit-strategy select").select_option("top-K")
    expect(train.locator(".labkit-code pre")).to_contain_text("k=2")
    move(train, "k", ["End"])
    expect(train.locator(".labkit-code pre")).to_contain_text("k=12")
    train.locator(".labkit-run").click()
    state(train, "failed")
    expect(train.locator(".labkit-problem")).to_contain_text("this model has 3 layers")
    assert contrast(train, ".labkit-problem") > 4.5
    train.locator(".labkit-strategy select").select_option("full")
    expect(train.locator(".labkit-problem")).to_have_count(0)
    state(train, "ready")


def test_data_are_looked_at_and_padding_answers_the_slider(page):
    data = page.locator(".labkit-data")
    data.locator(".labkit-run").click()
    state(data, "done")
    bars = data.locator("svg").nth(1)
    before = bars.text_content()
    began = time.monotonic()
    move(data, "batch-size", ["ArrowRight"])
    expect(bars).not_to_have_text(before)
    assert time.monotonic() - began < 2
    data.locator(".labkit-bucket input").click()
    expect(data.locator(".labkit-code pre")).to_contain_text("bucket=False")


def test_charts_have_one_size_however_wide_the_page_is(page):
    """And they fill no more of it than they need where columns stack."""
    data, sizes = page.locator(".labkit-data"), {}
    expect(data.locator("figure svg")).to_have_count(2)
    for width in (600, 800, 1000, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        sizes[width] = data.evaluate("e => [...e.querySelectorAll('figure')].map(x => x.getBoundingClientRect().width)")
    page.set_viewport_size(browser.VIEWPORT)
    assert len({size for found in sizes.values() for size in found}) == 1, sizes


def test_what_could_not_run_is_refused_while_it_is_typed(page, train):
    train.locator(".labkit-more [class*=Collapse-header]").click()
    box = train.locator(".labkit-warmup input")
    box.fill("1")
    box.press("Enter")
    expect(train.locator(".labkit-problem")).to_have_text("warm-up 1.0 won't do; give a number from 0 to 0.9.")
    expect(train.locator(".labkit-run")).to_be_disabled()
    expect(train.locator(".labkit-group")).to_have_text(["basics", "optimizer", "memory and device"])
    box.fill("0.1")
    box.press("Enter")
    expect(train.locator(".labkit-problem")).to_have_count(0)
    expect(train.locator(".labkit-run")).to_be_enabled()
    train.locator(".labkit-more [class*=Collapse-header]").click()


def test_a_comparison_fills_its_table(page):
    compare = page.locator(".labkit-compare")
    compare.locator(".labkit-lora input").click()
    compare.locator(".labkit-bitfit input").click()
    expect(compare.locator(".labkit-code pre")).to_contain_text("lk.compare([lk.HeadOnly(), lk.BitFit()], corpus")
    compare.locator(".labkit-run").click()
    expect(compare.locator("tbody")).to_contain_text("head")
    state(compare, "done")
    for name in ("bitfit", "tf-idf", "majority"):
        expect(compare.locator("tbody")).to_contain_text(name)


def test_history_shows_what_was_run_and_a_logarithmic_scale(page):
    history = page.locator(".labkit-history")
    history.locator(".labkit-run").click()
    expect(history.locator("tbody tr")).not_to_have_count(0)
    ticks = history.locator("svg").first
    before = ticks.text_content()
    history.locator(".labkit-log input").click()
    expect(ticks).not_to_have_text(before)


def test_a_panel_speaks_chinese_from_its_labels_to_its_last_word(page):
    chinese = page.locator(".labkit-train").nth(1)
    execute(page, "lk.language('zh')")
    chinese.locator(".labkit-run").click()
    state(chinese, "done")
    for text in ("运行", "停止", "学习率", "验证准确率", "第 4 / 4 步", "测试准确率"):
        expect(chinese).to_contain_text(text)
    execute(page, "lk.language('en')")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_can_be_read_in_each_theme(page, theme):
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg="Dark" in theme)
    page.wait_for_timeout(300)
    for panel in page.locator(".labkit-panel").all():
        for part in (".labkit-head b", ".labkit-state", ".labkit-code pre", ".widget-label"):
            assert contrast(panel, part) > 4.5, (theme, part)


def test_a_narrow_window_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 520, "height": 900})
    page.wait_for_timeout(300)
    for panel in page.locator(".labkit-panel").all():
        wide = panel.evaluate(
            "e => [...e.querySelectorAll('.labkit-body, .labkit-code, .labkit-head, svg')].map(x => x.getBoundingClientRect().right)"
        )
        edge = panel.evaluate("e => e.getBoundingClientRect().right")
        assert max(wide) <= edge + 1
    page.set_viewport_size(browser.VIEWPORT)


def test_closing_the_tab_while_it_trains_loses_nothing(page, train):
    browser.save(page)
    train.locator(".labkit-run").click()
    shown_after(train, 2)
    page.reload(wait_until="domcontentloaded")
    again = page.locator(".labkit-train").first
    expect(again).to_be_visible(timeout=30_000)
    page.evaluate("() => { window.kernelErrors = window.kernelErrors ?? [] }")
    try:
        state(again, "done", timeout=45_000)
    except (
        AssertionError
    ):  # JupyterLab may miss a message while it loads: what the kernel holds is there at the next look
        page.reload(wait_until="domcontentloaded")
        page.evaluate("() => { window.kernelErrors = window.kernelErrors ?? [] }")
        state(again, "done", timeout=45_000)
    assert step_of(again) == 24
