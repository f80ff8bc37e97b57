"""docs/EXTENDING.md is true: its task is short, and goes through all that it says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "EXTENDING.md").read_text("utf-8")
TASK, USE = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_a_task_takes_less_than_sixty_lines_of_code():
    lines = [line for line in TASK.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(lines) < 60


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    from labkit.tasks import KNOWN

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labkit.tasks.contract.KNOWN", KNOWN)
    texts = [f"第{i}家店{'很好吃' if i % 2 else '不好吃'}，{'会' if i % 2 else '不会'}再来" for i in range(48)]
    rows = "".join(f'"{text}",{4 + i % 2 - 2 * (i % 3 == 0)}\n' for i, text in enumerate(texts))
    Path("stars.csv").write_text("text,label\n" + rows, "utf-8")
    page = {"__name__": "page"}
    try:
        exec(compile(TASK, "EXTENDING.md", "exec"), page)
        exec(compile(USE, "EXTENDING.md", "exec"), page)
    finally:
        KNOWN.pop("rating", None)
    printed = capsys.readouterr().out
    assert "mean absolute error" in printed and re.search(r"(full|head) is .* (head|full)", printed)
    assert re.search(r"\d\.\d\t很好吃", printed)
    run = page["run"]
    assert run.test_mae > 0 and run.strategy == "top-2" and Path("out/stars/run.json").exists()


@pytest.mark.parametrize("place", re.findall(r"`((?:labkit|tests|exercises|solutions)/[\w/.]*)`", PAGE))
def test_every_place_that_the_page_names_is_there(place):
    assert (Path(__file__).resolve().parents[2] / place).exists()
