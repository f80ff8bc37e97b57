"""Make the classroom pack: one archive from which labkit installs on machines without a network.

    python tools/make_pack.py [--out DIR]

In it: every wheel that labkit[lab] needs on this system and Python, at the tested versions (the packaged models and
reviews are inside labkit's own), the notebooks and exercises of both languages, install.py, and a hash of each file.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("notebooks/zh", "notebooks/en", "exercises/zh", "exercises/en")
FILES = ("README.md", "README.zh.md", "LICENSE", "docs/TEACHING.md", "docs/TERMS.md")
SUMS = "SHA256SUMS"


def build_wheels(folder):
    """Every wheel of labkit[lab] into `folder`, at the versions of constraints.txt."""
    command = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "-q"]
    subprocess.run([*command, "-c", "constraints.txt", "-w", str(folder), ".[lab]"], cwd=ROOT, check=True)


def system():
    """What the wheels are for, such as "3.11 linux-x86_64"."""
    return f"{sys.version_info.major}.{sys.version_info.minor} {sysconfig.get_platform()}"


def fill(folder):
    """Put everything of the pack but the wheels into `folder`, the hashes last."""
    for name in FOLDERS:
        for path in sorted((ROOT / name).glob("*.ipynb")):
            copy(path, folder / name / path.name)
    for name in FILES:
        copy(ROOT / name, folder / name)
    copy(ROOT / "tools" / "install_pack.py", folder / "install.py")
    (folder / "MADE-FOR").write_text(system() + "\n", encoding="utf-8")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def copy(old, new):
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(old, new)


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive(folder, target):
    """`folder` as a .zip that is not compressed, since wheels are; a half-written one never bears the name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            packed.write(path, f"{target.stem}/{path.relative_to(folder).as_posix()}")
    partial.replace(target)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the archive goes; dist when left out")
    out = parser.parse_args(argv).out
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    target = out / f"labkit-{version}-classroom-py{system().replace(' ', '-')}.zip"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            build_wheels(folder / "wheels")
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"The wheels could not be made (pip ended with {error.returncode}, see above): nothing was written."
            )
        fill(folder)
        archive(folder, target)
    print(f"{target.name}: {target.stat().st_size / 1e6:.0f} MB, for Python {system()}")


if __name__ == "__main__":
    main()
