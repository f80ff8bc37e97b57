"""The Search panel in a real JupyterLab, by mouse, in both languages and themes."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
pytest.importorskip("optuna", reason="searching needs optuna: pip install 'labkit[search]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

from playwright.sync_api import expect
from test_browser import contrast, execute, no_silent_errors, opened, state  # noqa: F401

pytestmark = pytest.mark.integration

CELLS = [
    f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import labkit as lk
from labkit.comparison.job import Job
from made_search import quick_run
from stand_ins import corpus

def slowly(job):
    for event in quick_run(job):
        time.sleep(0.02)
        yield event

Job.run = slowly
lk.language("en")""",
    "english = lk.ui.Search(corpus(64), 'bert', seconds=600)\nenglish",
    "lk.language('zh')\nchinese = lk.ui.Search(corpus(64), 'bert', seconds=10)\nlk.language('en')\nchinese",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("lab"), CELLS) as page:
        yield page


def test_a_search_is_ticked_run_stopped_resumed_and_judged_in_both_languages_and_themes(page):
    panel = page.locator(".labkit-search").first
    panel.scroll_into_view_if_needed()
    panel.locator(".labkit-lora input").uncheck()
    panel.locator(".labkit-schedule input").uncheck()
    expect(panel.locator(".labkit-code pre").last).to_contain_text(
        "strategies=['head', 'top-K'], seconds=600, space=['own',"
    )
    panel.locator(".labkit-run").click()
    expect(panel).to_contain_text("best so far", timeout=120_000)
    panel.locator(".labkit-stop").click()
    state(panel, "stopped")
    execute(page, "english.set(seconds=10)")
    panel.locator(".labkit-resume").click()
    state(panel, "done", timeout=120_000)
    expect(panel.locator(".labkit-note")).to_contain_text("best on the validation rows")
    expect(panel.locator(".labkit-code pre").first).to_contain_text("lk.Trainer(")

    chinese = page.locator(".labkit-search").nth(1)
    chinese.scroll_into_view_if_needed()
    for text in ("搜索", "策略", "还让什么变", "秒数", "勾选什么可以变"):
        expect(chinese).to_contain_text(text)

    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg="Dark" in theme)
        page.wait_for_timeout(300)
        for part in (".labkit-head b", ".labkit-note td", ".labkit-picture th", ".labkit-code pre"):
            assert contrast(panel, part) > 4.5, (theme, part)
