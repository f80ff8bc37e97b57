"""JupyterLab in a real Chromium: the helper of the browser tests, and a way to look at every screen of a notebook.

    python tests/browser.py NOTEBOOK OUT_DIR [--theme dark] [--locale zh_CN] [--run]

Needs jupyterlab and playwright from pip, and `chromium` on PATH (with a CJK font); no browser is downloaded. Server,
settings and trust are fresh each time, so that a notebook is seen as on the day a student downloads it.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

VIEWPORT = {"width": 1400, "height": 1000}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # else cells off screen are not in the page
}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
# A microphone that always plays one WAV file, and is never asked for permission.
MICROPHONE = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--use-file-for-fake-audio-capture={}",
)
# The open notebook, for the scripts below. Commands are language-independent, menus are not.
NOTEBOOK = "const lab = window.jupyterapp, panel = lab.shell.currentWidget, session = panel?.context?.sessionContext;"


def write_settings(folder, settings):
    for key, values in settings.items():
        plugin, name = key.split(":")
        path = folder / plugin / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_served(url, server, log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{url}/api/status", timeout=1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start within {seconds} s:\n{log.read_text(encoding='utf-8')}")


@contextlib.contextmanager
def jupyterlab(root, settings=None):
    """Serve the folder `root` with the user's own settings out of the way; yields the address.

    `settings` are JupyterLab's, by plugin: {"@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Dark"}}
    """
    with tempfile.TemporaryDirectory(prefix="jupyterlab-", ignore_cleanup_errors=True) as name:
        home, url = Path(name), f"http://127.0.0.1:{(port := free_port())}"
        write_settings(home / "settings", SETTINGS | (settings or {}))
        folders = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "HOME": "."}
        folders |= {key: key.lower() for key in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
        folders |= {key: key.lower() for key in ("IPYTHONDIR", "MPLCONFIGDIR")}
        env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
        env |= {key: str(home / folder) for key, folder in folders.items()}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
        command += [
            f"--ServerApp.root_dir={Path(root).resolve()}",
            f"--FileCheckpoints.checkpoint_dir={home}/checkpoints",
        ]
        command += ["--LabApp.extension_manager=readonly"]
        with open(home / "log", "w", encoding="utf-8") as log:
            server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            try:
                wait_until_served(url, server, home / "log")
                yield url
            finally:
                server.terminate()
                try:
                    server.wait(10)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def launch(playwright, flags=(), **options):
    """The Chromium on PATH, without a window; `flags` are its own, beside the usual ones."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError(
            "No `chromium` on PATH. Install it, for instance with: apt-get install chromium fonts-noto-cjk"
        )
    return playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags], **options)


def open_notebook(page, url, name):
    """Show the notebook `name` (its path below the served folder) and wait until its kernel is idle."""
    page.goto(f"{url}/lab/tree/{name}?reset", wait_until="domcontentloaded")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function(f"() => {{ {NOTEBOOK} return session?.session?.kernel?.status === 'idle' }}", timeout=60_000)
    page.evaluate(f"""() => {{ {NOTEBOOK}
        window.kernelErrors = [];
        session.iopubMessage.connect((_, message) => {{
            if (message.header.msg_type === 'error')
                window.kernelErrors.push(message.content.ename + ': ' + message.content.evalue);
        }});
    }}""")


def kernel_errors(page):
    """All errors since the notebook was opened, those of click callbacks too, which Jupyter shows nowhere."""
    return page.evaluate("() => window.kernelErrors")


def run_all(page, timeout=120_000):
    """Run all cells; raises when one fails. Outputs are cleared first: stored ones would look like success."""
    page.evaluate(f"""() => {{ {NOTEBOOK}
        window.ranAll = false;
        lab.commands.execute('notebook:clear-all-cell-outputs')
            .then(() => lab.commands.execute('notebook:run-all-cells'))
            .finally(() => {{ window.ranAll = true }});
    }}""")
    page.wait_for_function("() => window.ranAll", timeout=timeout)
    counts = page.evaluate(f"""() => {{ {NOTEBOOK}
        return [...panel.content.model.cells].filter(cell => cell.type === 'code').map(cell => cell.executionCount);
    }}""")
    if kernel_errors(page) or None in counts:
        raise RuntimeError(f"Run All failed. Execution counts: {counts}. Errors: {kernel_errors(page)}")


def save(page):
    page.evaluate(f"async () => {{ {NOTEBOOK} await lab.commands.execute('docmanager:save') }}")


def shutdown(page):
    """End the kernel of the open notebook; a page that is closed leaves it running."""
    page.evaluate(f"async () => {{ {NOTEBOOK} await session.shutdown() }}")


def screenshots(page, out_dir, prefix):
    """Scroll the open notebook from top to bottom, one picture a screen; the paths, in order."""
    out_dir, paths = Path(out_dir), []
    out_dir.mkdir(parents=True, exist_ok=True)
    scroller = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer")
    screen, end = scroller.evaluate("""e => [e.clientHeight, e.scrollTop - e.getBoundingClientRect().top +
        [...e.querySelectorAll('.jp-Cell')].at(-1).getBoundingClientRect().bottom]""")
    for number, top in enumerate(range(0, max(int(end) - 100, 1), screen - 100), start=1):  # 100 px are seen twice
        scroller.evaluate("(e, top) => e.scrollTo({ top, behavior: 'instant' })", top)
        page.wait_for_timeout(400)
        paths.append(out_dir / f"{prefix}-{number:02}.png")
        page.screenshot(path=paths[-1])
    return paths


def screenshot_notebook(notebook_path, out_dir, lang="en", theme="light", run=False):
    """Open a notebook, run it if asked to, and take pictures of all of it; the file itself is not written.

    `lang` is JupyterLab's own language, as en or zh_CN (zh_CN needs jupyterlab-language-pack-zh-CN).
    """
    path = Path(notebook_path).resolve()
    settings = {
        "@jupyterlab/apputils-extension:themes": {"theme": f"JupyterLab {theme.title()}"},
        "@jupyterlab/translation-extension:plugin": {"locale": lang},
    }
    with jupyterlab(path.parent, settings) as url, sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_context(viewport=VIEWPORT, locale=lang.replace("_", "-")).new_page()
        open_notebook(page, url, path.name)
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        try:
            if run:
                run_all(page)
        finally:
            paths = screenshots(page, out_dir, f"{path.stem}-{lang}-{theme}")
            shutdown(page)
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--locale", default="en", help="language of JupyterLab itself, as en or zh_CN")
    parser.add_argument(
        "--run", action="store_true", help="run all cells first; otherwise the stored outputs are shown"
    )
    args = parser.parse_args()
    print(*screenshot_notebook(args.notebook, args.out_dir, args.locale, args.theme, args.run), sep="\n")


if __name__ == "__main__":
    main()
