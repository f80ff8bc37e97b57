"""Install labkit from this folder, without a network: python install.py

Checks every file against SHA256SUMS first, then makes .venv here. Run it again at any time: it starts over.
"""

import hashlib
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def complaints():
    """What is wrong with this pack on this machine, in words; nothing when it can be installed."""
    made_for = (HERE / "MADE-FOR").read_text(encoding="utf-8").strip()
    here = f"{sys.version_info.major}.{sys.version_info.minor} {sysconfig.get_platform()}"
    if here != made_for:
        yield f"这个包是为 Python {made_for} 做的，这里是 {here}：请用那个版本运行，或用 make pack 另做一个。"
        yield f"This pack is for Python {made_for}, here is {here}: run it with that one, or have make pack make another."
        return
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        wanted, name = line.split("  ", 1)
        path = HERE / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            what = ("文件损坏", "damaged file") if path.is_file() else ("缺少文件", "missing file")
            yield f"{what[0]}，请重新解压 · {what[1]}, unpack the archive again: {name}"


def main():
    if found := list(complaints()):
        sys.exit("\n".join(found))
    print("正在安装，要一两分钟 · installing, this takes a minute or two", flush=True)
    venv.create(HERE / ".venv", clear=True, with_pip=True)
    scripts = HERE / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    done = subprocess.run([*pip, "--find-links", str(HERE / "wheels"), "labkit[lab]"])
    if done.returncode:
        sys.exit("pip 没有装成，见上 · pip did not succeed, see above")
    print(f"装好了，这样开始 · done, start with:\n  {scripts / 'jupyter-lab'} notebooks/zh/00_start_here.ipynb")


if __name__ == "__main__":
    main()
