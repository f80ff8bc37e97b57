"""A notebook takes about as long as it says."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "measure_course.py"
spec = importlib.util.spec_from_file_location("measure_course", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
PROMISING = [path for path in sorted(tool.SOURCES.glob("*.py")) if tool.promised(path)]


def test_the_lessons_promise_their_minutes_in_both_languages():
    assert len(PROMISING) >= 13 and all(len(set(tool.promised(path))) == 1 for path in PROMISING)


@pytest.mark.parametrize("path", PROMISING, ids=lambda path: path.stem)
def test_a_notebook_takes_about_as_long_as_it_says(path):
    assert abs(tool.promised(path)[0] - tool.minutes(path)) <= max(4, 0.15 * tool.minutes(path))
