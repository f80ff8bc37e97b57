"""The Freeze map and the Try it panel in a real JupyterLab, by mouse and keyboard, in both languages and themes."""

import re
import shutil
import time
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
from playwright.sync_api import expect
from test_browser import PACE, call, contrast, execute, move, no_silent_errors, opened, state  # noqa: F401

pytestmark = pytest.mark.integration

CELLS = [
    f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import labkit as lk
from labkit.training import trainer as training
from labkit.ui import try_it as tryit
from stand_ins import corpus

rows, gradients = corpus(64), training.Trainer.gradients
tryit.PATIENCE = 60

def slow(self, batch):
    time.sleep({PACE})
    return gradients(self, batch)

training.Trainer.gradients = slow
lk.language("en")""",
    "freeze = lk.ui.FreezeMap(rows, 'bert', epochs=6, lr=1e-3)\nfreeze",
    "fresh = lk.load('bert', labels=rows.labels)\ntry_it = lk.ui.TryIt(lk.load('bert', labels=rows.labels, seed=1), fresh)\ntry_it",
    "lk.language('zh')\nzh = lk.ui.FreezeMap(rows, 'bert', epochs=1), lk.ui.TryIt(fresh, fresh)\nlk.language('en')\nzh[0]",
    "zh[1]",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with both panels, all cells run."""
    with opened(tmp_path_factory.mktemp("lab"), CELLS) as page:
        yield page


@pytest.fixture
def freeze(page):
    """The first Freeze map, at rest, with the head alone free."""
    panel = page.locator(".labkit-freezemap").first
    panel.scroll_into_view_if_needed()
    execute(page, "freeze.set(strategy='full'); freeze.set(strategy='head', epochs=6, lr=1e-3)")
    expect(block(panel, "head")).to_contain_text("head · trains")
    expect(block(panel, "embeddings")).to_contain_text("frozen")
    yield panel
    if panel.locator(".labkit-stop").is_enabled():
        panel.locator(".labkit-stop").click()
    expect(panel.locator(".labkit-run")).to_be_enabled()


@pytest.fixture
def try_it(page):
    """The first Try it panel, empty."""
    panel = page.locator(".labkit-tryit").first
    panel.scroll_into_view_if_needed()
    execute(page, "try_it.set(text='')")
    expect(panel.locator(".labkit-empty")).to_contain_text("type a text")
    return panel


def block(panel, name):
    return panel.locator(f".labkit-block-{name}")


def test_a_clicked_block_is_freed_and_the_strategy_the_count_and_the_call_follow(page, freeze):
    before = freeze.locator(".labkit-map tr").last.inner_text()
    block(freeze, "layer-3").click()
    expect(block(freeze, "layer-3")).to_contain_text("layer 3 · trains")
    expect(freeze.locator(".labkit-strategy select")).to_have_value("top-K")
    expect(freeze.locator(".labkit-code pre")).to_contain_text("strategy=lk.TopK(k=1)")
    expect(freeze.locator(".labkit-map tr").last).not_to_have_text(before)
    block(freeze, "layer-1").focus()
    page.keyboard.press("Space")
    expect(freeze.locator(".labkit-code pre")).to_contain_text("lk.OnlyBlocks(names=('layer 1', 'layer 3', 'head'))")
    expect(freeze.locator(".labkit-strategy select option:checked")).to_have_text("blocks of my own")


def test_a_preset_colours_the_stack_and_its_slider_moves_by_key(page, freeze):
    freeze.locator(".labkit-strategy select").select_option("lora")
    expect(block(freeze, "layer-2")).to_have_class(re.compile("labkit-added"))
    expect(block(freeze, "layer-2")).to_contain_text("a PEFT module added")
    expect(freeze.locator(".labkit-rank")).to_be_visible()
    move(freeze, "rank", ["ArrowRight"])
    expect(freeze.locator(".labkit-code pre")).to_contain_text("lk.LoRA(rank=16)")
    freeze.locator(".labkit-strategy select").select_option("top-K")
    expect(freeze.locator(".labkit-rank")).to_be_hidden()
    move(freeze, "k", ["End"])
    expect(block(freeze, "layer-1")).to_contain_text("trains")
    expect(block(freeze, "embeddings")).to_contain_text("frozen")


def test_a_run_is_seen_live_stops_within_a_step_and_shows_what_moved(page, freeze):
    block(freeze, "layer-3").click()
    expect(freeze.locator(".labkit-code pre")).to_contain_text("TopK")
    freeze.locator(".labkit-run").focus()
    page.keyboard.press("Space")
    state(freeze, "running")
    seen, end = set(), time.monotonic() + 30
    while step_of(freeze) < 6:
        seen.add(step_of(freeze))
        assert time.monotonic() < end, "no steps are shown"
        page.wait_for_timeout(40)
    assert len(seen) > 3, "the bar moves while the run goes on"
    expect(block(freeze, "layer-1")).to_be_disabled()
    before = step_of(freeze)
    freeze.locator(".labkit-stop").click()
    state(freeze, "stopped")
    stopped = int(re.search(r"stopped at step (\d+) of 24", freeze.locator(".labkit-state").inner_text())[1])
    assert stopped <= before + 1 + 0.5 / PACE, "the click travels, then the step under way ends"
    expect(freeze.locator(".labkit-map th").last).to_have_text("weight change")
    expect(freeze.locator(".labkit-map tr").nth(1).locator("td").last).to_contain_text("%")
    expect(block(freeze, "layer-1")).to_be_enabled()


def step_of(panel):
    found = re.search(r"step (\d+) of", panel.locator(".labkit-progress").inner_text())
    return int(found[1]) if found else 0


def test_nothing_free_is_a_readable_error_and_the_panel_can_be_used_again(page, freeze):
    block(freeze, "head").click()
    state(freeze, "failed")
    expect(freeze.locator(".labkit-problem")).to_contain_text("name one block or more")
    assert contrast(freeze, ".labkit-problem") > 4.5
    block(freeze, "layer-2").click()
    state(freeze, "ready")
    expect(freeze.locator(".labkit-problem")).to_have_count(0)
    expect(freeze.locator(".labkit-note").first).to_contain_text("starts at random")


def test_a_forecast_comes_on_request(page, freeze):
    freeze.locator(".labkit-forecast").click()
    expect(freeze.locator(".labkit-note")).to_contain_text("peak memory", timeout=30_000)


def test_typing_is_answered_letter_by_letter_without_losing_the_place(page, try_it):
    box = try_it.locator(".labkit-text textarea")
    box.click()
    page.keyboard.type("好的地方", delay=60)
    state(try_it, "done")
    expect(try_it.locator(".labkit-story")).to_have_count(2)
    for token in "好的地方":
        expect(try_it.locator(".labkit-tokens").last).to_contain_text(token)
    assert page.evaluate("() => document.activeElement.tagName") == "TEXTAREA"
    assert box.input_value() == "好的地方"
    expect(try_it.locator(".labkit-code pre")).to_contain_text("text = '好的地方'")
    assert "mark" in try_it.locator(".labkit-state").inner_text()


def test_an_example_a_label_and_a_method_are_chosen(page, try_it):
    try_it.locator(".labkit-example select").select_option(index=1)
    state(try_it, "done")
    try_it.locator(".labkit-label select").select_option("mark0")
    expect(try_it.locator(".labkit-keys")).to_contain_text("for mark0")
    try_it.locator(".labkit-label select").select_option("mark1")
    expect(try_it.locator(".labkit-keys")).to_contain_text("for mark1")
    try_it.locator(".labkit-method select").select_option("gradient × input")
    expect(try_it.locator(".labkit-code pre")).to_contain_text("method='gradient'")
    expect(try_it).not_to_contain_text("the scores add up to")


def test_an_emptied_box_waits_and_a_long_text_says_that_it_was_cut(page, try_it):
    box = try_it.locator(".labkit-text textarea")
    box.fill("好" * 300)
    expect(try_it).to_contain_text("only the first 62 of 300 characters were read")
    box.fill("")
    expect(try_it.locator(".labkit-empty")).to_contain_text("type a text")
    try_it.locator(".labkit-run").click()
    expect(try_it.locator(".labkit-state")).to_contain_text("waiting for a text")


def test_both_panels_speak_chinese(page):
    freeze, try_it = page.locator(".labkit-freezemap").nth(1), page.locator(".labkit-tryit").nth(1)
    execute(page, "lk.language('zh')")
    block(freeze, "layer-3").click()
    expect(block(freeze, "layer-3")).to_contain_text("第 3 层 · 训练")
    freeze.locator(".labkit-run").click()
    state(freeze, "done")
    for text in ("冻结地图", "运行", "点一块", "嵌入层", "梯度范数", "权重变化", "合计", "测试准确率"):
        expect(freeze).to_contain_text(text)
    try_it.locator(".labkit-text textarea").fill("好的地方")
    state(try_it, "done")
    for text in ("试一试", "微调前", "微调后", "积分梯度", "最要紧的"):
        expect(try_it).to_contain_text(text)
    execute(page, "lk.language('en')")
    assert "# fresh：给面板的那个模型" in call(try_it)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_can_be_read_in_each_theme(page, freeze, try_it, theme):
    try_it.locator(".labkit-text textarea").fill("好的地方")
    freeze.locator(".labkit-strategy select").select_option("bitfit")
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg="Dark" in theme)
    page.wait_for_timeout(1500)  # until what was asked for is drawn
    for part in (".labkit-head b", ".labkit-map td", ".labkit-map th", ".labkit-code pre"):
        assert contrast(freeze, part) > 4.5, (theme, part)
    for part in (".labkit-story b", ".labkit-tokens", ".labkit-text textarea", ".labkit-code pre"):
        assert contrast(try_it, part) > 4.5, (theme, part)
    colours = block(freeze, "head").evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
    assert colours == ["rgb(26, 26, 26)", "rgb(238, 102, 119)"], "a block has its own ground, and so its own ink"


def test_a_narrow_window_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 520, "height": 900})
    page.wait_for_timeout(300)
    for panel in page.locator(".labkit-panel").all():
        wide = panel.evaluate(
            "e => [...e.querySelectorAll('.labkit-body, .labkit-code, .labkit-head, .labkit-tokens, .labkit-stack')]"
            ".map(x => x.getBoundingClientRect().right)"
        )
        assert max(wide) <= panel.evaluate("e => e.getBoundingClientRect().right") + 1
    page.set_viewport_size(browser.VIEWPORT)
