"""The Optimizer and the Live head panel in a real JupyterLab: every control answers, at once, and the newest one wins."""

import shutil
import statistics
import time
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
from playwright.sync_api import expect
from test_browser import call, contrast, execute, move, no_silent_errors, opened, state  # noqa: F401

pytestmark = pytest.mark.integration

TESTS = str(Path(__file__).parents[1])
CELLS = [
    f"import sys\nsys.path.insert(0, {TESTS!r})\nimport labkit as lk\nfrom stand_ins import corpus\nlk.language('en')",
    "walk = lk.ui.Optimizer(Nesterov=True, RMSprop=True)\nwalk",
    "live = lk.ui.LiveHead(corpus(64), 'bert', epochs=3)\nlive",
    "lk.language('zh')\nwalk_zh = lk.ui.Optimizer('saddle', step=40, arrows=True)\nwalk_zh",
    "live_zh = lk.ui.LiveHead(corpus(64), 'bert', epochs=3)\nlk.language('en')\nlive_zh",
]
# From a touch of a control until its answer stands on the screen, in milliseconds, one after another in window.took.
WATCH = """(panel, part) => {
    let began = 0;
    window.took = [];
    for (const kind of ['keydown', 'mousedown', 'change'])
        panel.addEventListener(kind, () => { began = performance.now() }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
        if (began) window.took.push(performance.now() - began);
        began = 0;
    })).observe(panel.querySelector(part), { childList: true, subtree: true, attributes: true }) }"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with both panels in both languages, all cells run."""
    with opened(tmp_path_factory.mktemp("lab"), CELLS) as page:
        yield page


@pytest.fixture
def walk(page):
    """The Optimizer panel as it was shown first."""
    panel = page.locator(".labkit-optimizer").first
    panel.scroll_into_view_if_needed()
    ticks = "SGD=True, momentum=True, Nesterov=True, Adagrad=False, RMSprop=True, Adam=True, AdamW=False"
    execute(page, f"walk.set(surface='ravine', {ticks}, beta=0.9, steps=200, step=200, arrows=False); walk.on_reset()")
    expect(panel.locator(".labkit-code pre")).to_contain_text('"RMSprop": lk.optimizer("RMSprop", lr=0.5)')
    return panel


@pytest.fixture
def live(page):
    panel = page.locator(".labkit-livehead").first
    panel.scroll_into_view_if_needed()
    execute(page, "live.set(lr=2e-3, batch_size=16, weight_decay=0.01, epochs=3); live.on_run(); live.wait()")
    state(panel, "done")
    return panel


def touched(page, act):
    """Do something to a control and wait for its answer."""
    before = page.evaluate("() => window.took.length")
    act()
    page.wait_for_function("n => window.took.length > n", arg=before)
    page.wait_for_timeout(30)


def crowding():
    """How many times longer than alone a computation takes here and now."""
    wall, alone = time.perf_counter(), time.process_time()
    while time.process_time() - alone < 0.2:
        pass
    return max(1.0, (time.perf_counter() - wall) / 0.2)


# The Optimizer panel


def test_every_control_answers_under_a_quarter_of_a_second(page, walk, record_property):
    walk.evaluate(WATCH, ".labkit-live")
    for name, key in [("lr", "ArrowLeft"), ("beta", "ArrowLeft"), ("x", "ArrowRight"), ("y", "ArrowLeft")] * 2:
        handle = walk.locator(f".labkit-{name} .noUi-handle")
        handle.focus()
        touched(page, lambda h=handle, k=key: h.press(k))
    for name in ("Adagrad", "Adagrad"):
        touched(page, lambda n=name: walk.locator(f".labkit-{n} input").click())
    for name in ("bowl", "ravine"):
        touched(page, lambda n=name: walk.locator(".labkit-surface select").select_option(label=n))
    took, busy = page.evaluate("() => window.took"), crowding()
    record_property("milliseconds", [round(t) for t in took])
    print(f"median {statistics.median(took):.0f} ms, {busy:.1f} times crowded")
    assert statistics.median(took) < 250 * busy


def test_a_slider_dragged_by_the_mouse_draws_and_the_call_follows(page, walk):
    before = walk.locator(".labkit-scene").inner_html()
    box = walk.locator(".labkit-lr .noUi-handle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 8, steps=8)
    page.mouse.up()
    rate = walk.locator(".labkit-lr .widget-readout").inner_text()
    assert float(rate) < 0.5
    expect(walk.locator(".labkit-code pre")).to_contain_text(f"lr={rate}")
    assert walk.locator(".labkit-scene").inner_html() != before


def test_another_surface_brings_its_own_start_that_the_browser_leaves_alone(page, walk):
    for name, told in (
        ("saddle", "start=(-2.0, 0.01)"),
        ("Rosenbrock", "start=(-1.2, 1.0)"),
        ("ravine", "start=(-9.0, 2.5)"),
    ):
        walk.locator(".labkit-surface select").select_option(label=name)
        expect(walk.locator(".labkit-code pre")).to_contain_text(told)
        page.wait_for_timeout(200)
        assert told in call(walk)


def test_the_numbers_say_who_arrived_and_who_was_lost(page, walk):
    move(walk, "lr", ["ArrowRight"] * 5)
    expect(walk.locator(".labkit-numbers tbody")).to_contain_text("diverged at")
    expect(walk.locator(".labkit-numbers tbody tr")).to_have_count(5)
    walk.locator(".labkit-reset").click()
    expect(walk.locator(".labkit-numbers tbody")).not_to_contain_text("diverged at")


def test_a_walk_is_played_from_its_start_and_scrubbed(page, walk):
    steps = walk.locator(".labkit-step .widget-readout")
    expect(steps).to_have_text("200")
    walk.locator(".labkit-play button").first.click()
    seen = set()
    for _ in range(10):
        page.wait_for_timeout(150)
        seen.add(int(steps.inner_text()))
    walk.locator(".labkit-play button").first.click()
    assert len(seen) > 3
    assert min(seen) < 100
    move(walk, "step", ["Home", "ArrowRight"])
    expect(walk.locator(".labkit-scene")).to_contain_text("step 1")
    expect(walk.locator(".labkit-code pre")).to_contain_text("walk_map(walks, step=1)")


def test_the_next_step_is_taken_apart_by_one_click(page, walk):
    walk.locator(".labkit-arrows input").click()
    expect(walk.locator(".labkit-picture .labkit-keys")).to_contain_text("momentum adds")
    expect(walk.locator(".labkit-scene")).to_contain_text("step 5")


def test_what_torch_refuses_is_told_and_gone_with_the_next_move(page, walk):
    move(walk, "beta", ["Home"])
    expect(walk.locator(".labkit-problem")).to_contain_text("Nesterov momentum requires a momentum")
    state(walk, "failed")
    assert contrast(walk, ".labkit-problem") > 4.5
    move(walk, "beta", ["ArrowRight"])
    expect(walk.locator(".labkit-problem")).to_have_count(0)


# The Live head panel


def test_a_move_trains_the_head_anew_and_tells_what_changed(page, live):
    move(live, "lr", ["ArrowRight"])
    expect(live.locator(".labkit-head").nth(1)).to_contain_text("learning rate 2e-3 → 3e-3")
    expect(live.locator(".labkit-head").nth(1)).to_contain_text("validation accuracy")
    expect(live.locator(".labkit-code pre")).to_contain_text("live.trainer(lr=3e-3")
    expect(live.locator(".labkit-picture")).to_contain_text("previous setting")


def test_a_drag_ends_with_the_setting_under_the_mouse_and_nothing_queues_up(page, live):
    box = live.locator(".labkit-lr .noUi-handle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for x in (20, -40, 60, -80, 30):
        page.mouse.move(box["x"] + x, box["y"] + 8, steps=6)
    page.mouse.up()
    state(live, "done")
    page.wait_for_timeout(300)
    rate = live.locator(".labkit-lr .widget-readout").inner_text()
    expect(live.locator(".labkit-head").nth(1)).to_contain_text(f"→ {rate}")
    assert f"lr={rate}," in call(live)


SLOW = """import time
made = live.head.trainer
def slow(**settings):
    trainer = made(**settings)
    steps = trainer.run()
    trainer.run = lambda: (time.sleep(0.02) or event for event in steps)
    return trainer
live.head.trainer = slow
"""


def test_the_sliders_stay_free_while_it_trains_and_stop_ends_it(page, live):
    execute(page, f"{SLOW}live.set(epochs=50)")
    state(live, "running")
    assert live.locator(".labkit-lr [disabled]").count() == 0
    live.locator(".labkit-stop").click()
    state(live, "stopped")
    execute(page, "live.head.trainer = made")
    move(live, "epochs", ["Home"])
    state(live, "done")
    expect(live.locator(".labkit-state")).to_contain_text("4 steps")


def test_an_error_of_the_training_is_shown(page, live):
    execute(page, "kept, live.head = live.head, None\nlive.config = lk.TrainConfig(cache='off')\nlive.set(lr=1e-2)")
    state(live, "failed")
    expect(live.locator(".labkit-problem")).to_contain_text("lowest blocks stay frozen")
    execute(page, "live.head, live.config = kept, lk.TrainConfig()\nlive.set(lr=2e-3)")
    state(live, "done")


# Both


def test_both_speak_chinese(page):
    execute(page, "lk.language('zh'); walk_zh.draw(now=True); live_zh.set(lr=1e-2); live_zh.wait(); lk.language('en')")
    words = {
        "optimizer": ("曲面", "学习率", "起点 x", "马鞍，第 40 步", "终点损失"),
        "livehead": ("批大小", "验证准确率", "上一个设置"),
    }
    for name, texts in words.items():
        panel = page.locator(f".labkit-{name}").nth(1)
        for text in texts[: 2 if name == "livehead" else 5]:
            expect(panel).to_contain_text(text)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_can_be_read_in_each_theme(page, theme):
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg="Dark" in theme)
    page.wait_for_timeout(300)
    for panel in page.locator(".labkit-panel").all():
        for part in (".labkit-head b", ".labkit-state", ".labkit-code pre", ".widget-label"):
            assert contrast(panel, part) > 4.5, (theme, part)
    for part in (".labkit-scene text", ".labkit-numbers td", ".labkit-numbers .labkit-muted"):
        assert contrast(page.locator(".labkit-optimizer").first, part) > 4.5, (theme, part)


def test_a_narrow_window_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 520, "height": 900})
    page.wait_for_timeout(300)
    for panel in page.locator(".labkit-panel").all():
        parts = ".labkit-body, .labkit-player > *, .labkit-code, .labkit-head, svg.labkit-scene, table"
        wide = panel.evaluate(
            "(e, parts) => [...e.querySelectorAll(parts)].map(x => x.getBoundingClientRect().right)", parts
        )
        assert max(wide) <= panel.evaluate("e => e.getBoundingClientRect().right") + 1
    page.set_viewport_size(browser.VIEWPORT)
