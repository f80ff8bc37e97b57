"""The life of a panel in a real JupyterLab: its cell run again, its kernel gone, its notebook saved and opened again."""

import re
import shutil

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright: pip install 'labkit[test]'")
if not shutil.which("chromium"):
    pytest.skip("no `chromium` on PATH: apt-get install chromium fonts-noto-cjk", allow_module_level=True)

import browser
from playwright.sync_api import expect
from test_browser import opened

pytestmark = pytest.mark.integration

CELLS = [
    "import labkit as lk\nlk.language('en')\nprint('before the panel')",
    "print('above')\nhistory = lk.ui.History()\nhistory",
    "print('next')",
]
LINE = "run this cell again to bring the panel to life"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("lab"), CELLS) as page:
        yield page


def seen(page):
    """The words of all outputs that are seen."""
    return " ".join(page.locator(".jp-OutputArea-child:visible").all_inner_texts())


def still(page):
    return page.locator(".jp-RenderedImage img")


def run_panel(page):
    page.evaluate(f"""async () => {{ {browser.NOTEBOOK} panel.content.activeCellIndex = 1;
        await lab.commands.execute('notebook:run-cell') }}""")


def count(page):
    """How many widgets the kernel holds."""
    return page.evaluate(f"""async () => {{ {browser.NOTEBOOK} let said = '';
        const asked = session.session.kernel.requestExecute({{ code: 'print(len(get_ipython().kernel.comm_manager.comms))' }});
        asked.onIOPub = message => {{ said += message.content.text ?? '' }};
        await asked.done; return Number(said) }}""")


def test_a_live_panel_stands_alone_without_its_picture(page):
    expect(page.locator(".labkit-history")).to_be_visible()
    expect(still(page)).to_be_hidden()
    assert LINE not in seen(page)
    assert all(word in seen(page) for word in ("before the panel", "above", "next"))


def test_a_cell_that_is_run_again_has_one_panel_and_as_many_widgets_as_before(page):
    before = count(page)
    for _ in range(3):
        run_panel(page)
    expect(page.locator(".labkit-history")).to_have_count(1)
    assert count(page) == before
    expect(still(page)).to_be_hidden()


def test_after_a_restart_the_panel_is_as_it_was_and_says_how_to_get_it_back(page):
    page.evaluate(f"async () => {{ {browser.NOTEBOOK} await session.restartKernel() }}")
    panel = page.locator(".labkit-history")
    expect(panel).to_have_class(re.compile("jupyter-widgets-disconnected"))
    marks = "e => [e, ...e.querySelectorAll('*')].map(x => getComputedStyle(x, '::before')).filter(s => s.display != 'none' && s.fontFamily.includes('Awesome') && s.content.includes('\\uf127'))"
    assert panel.evaluate(marks) == []
    assert LINE in panel.evaluate("e => getComputedStyle(e, '::after').content")
    expect(still(page)).to_be_hidden()


def test_a_saved_notebook_shows_the_picture_in_place_of_an_error_and_comes_to_life(page):
    browser.run_all(page)
    browser.save(page)
    address = page.url.split("/lab")[0]
    browser.shutdown(page)
    page.goto("about:blank")
    browser.open_notebook(page, address, "panels.ipynb")
    expect(still(page)).to_be_visible()
    page.wait_for_function("() => document.body.textContent.includes('Error displaying widget')")  # it is there, unseen
    assert "Error displaying widget" not in seen(page)
    assert LINE in seen(page)
    assert all(word in seen(page) for word in ("before the panel", "above", "next"))
    browser.run_all(page)
    expect(page.locator(".labkit-history")).to_be_visible()
    expect(still(page)).to_be_hidden()
