"""Control and canary: the same small payload on the tested versions and on the newest that are allowed.

    python tools/canary.py [--pin torch==2.13.0] [PYTEST ARGUMENTS]

The control is this environment (constraints.txt), the canary .venv-newest, made anew with whatever pip finds newest. Where
only the canary fails, a release did it: the versions that differ are named. Exit status: 0 both pass, 1 the canary fails,
2 the control fails, and then the newest versions are not to blame.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-newest"
PAYLOAD = [
    "tests/strategies/test_invariants.py",
    "tests/models/test_saved_for_everybody.py",
    "tests/ui/test_ui.py",
    "notebooks/zh/00_start_here.ipynb",
]
FREEZE = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"


def make(place: Path, pins: list[str]) -> Path:
    """A fresh environment with the newest versions that pyproject.toml allows; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, *pins, "-e", ".[test]"], cwd=ROOT, check=True)
    return python


def passes(python: Path, payload: list[str]) -> bool:
    """Whether the payload passes with this Python; pytest's own words go to the terminal."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *payload]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def versions(python: Path) -> dict[str, str]:
    found = subprocess.run([str(python), "-c", FREEZE], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def verdict(control: bool, canary: bool, tested: dict[str, str], newest: dict[str, str]) -> tuple[int, str]:
    """The exit status, and what to say.

    >>> verdict(True, False, {"torch": "2.13.0", "numpy": "2.4"}, {"torch": "2.14.0", "numpy": "2.4"})
    (1, 'Only the newest versions fail. They differ in: torch 2.13.0 -> 2.14.0')
    """
    changed = [
        f"{name} {tested.get(name, 'none')} -> {newest.get(name, 'none')}"
        for name in sorted({*tested, *newest}, key=str.lower)
        if tested.get(name) != newest.get(name)
    ]
    differ = ", ".join(changed) or "nothing"
    if not control:
        return 2, "The tested versions fail: mend that first. The newest versions are not to blame."
    if not canary:
        return 1, f"Only the newest versions fail. They differ in: {differ}"
    return 0, f"Both pass. The newest differ in: {differ}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pin", action="append", default=[], metavar="PACKAGE==VERSION", help="what stays as it is")
    args, payload = parser.parse_known_args(argv)
    python, payload = make(PLACE, args.pin), payload or PAYLOAD
    control, tested = passes(Path(sys.executable), payload), versions(Path(sys.executable))
    status, text = verdict(control, passes(python, payload), tested, versions(python))
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
