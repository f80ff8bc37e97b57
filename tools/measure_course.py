"""How long a notebook takes: reading, code, guesses. What the notebooks promise in their first cell is held against this by a test.

    .venv/bin/python tools/measure_course.py

Prose at 300 Chinese characters a minute, half a minute for each code cell, half a minute for each question that asks for a
guess. Running the cells is under half a minute in all, and is left out.
"""

import re
from pathlib import Path

import jupytext

SOURCES = Path(__file__).resolve().parents[1] / "notebooks" / "src"
CHARACTERS, CELL, GUESS = 300, 0.5, 0.5


def minutes(path: Path) -> float:
    """Minutes for the Chinese notebook.

    >>> minutes(SOURCES / "00_start_here.py") < 40
    True
    """
    cells = [c for c in jupytext.read(path, fmt="py:percent").cells if c.metadata.get("lang") in (None, "zh")]
    prose = "".join(c.source for c in cells if c.cell_type == "markdown")
    code = sum(c.cell_type == "code" for c in cells)
    return len(re.findall(r"[\u4e00-\u9fff]", prose)) / CHARACTERS + CELL * code + GUESS * prose.count("**猜**")


def promised(path: Path) -> list[int]:
    """The minutes that the first cells promise, Chinese and English."""
    text = path.read_text(encoding="utf-8")
    return [int(n) for n in re.findall(r"大约 (\d+) 分钟|about (\d+) minutes", text) for n in n if n][:2]


def main() -> None:
    for path in sorted(SOURCES.glob("*.py")):
        print(f"{path.stem:<28}{minutes(path):>5.0f}   {promised(path)}")


if __name__ == "__main__":
    main()
