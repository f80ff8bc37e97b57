"""The checks under attack: changed solutions fail, the solutions in another dress pass, and mutants are noticed."""

import functools
import importlib.util
import re
from pathlib import Path

import planted_changes
import pytest
from labkit_exercises.exercise import FAILED, PASSED, find, judge

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
mutate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutate)
EVERY = 40  # of the mutants, the sample that each run tries


@functools.cache
def solutions(lesson: str) -> dict:
    """{exercise: (source, names it can use)} of a lesson."""
    (source,) = (ROOT / "solutions" / "src").glob(f"{lesson}_*.py")
    return {id: (text, space) for id, text, space in mutate.solutions(source)}


def made(id: str, source: str | None = None):
    """What the answer cell of an exercise defines, as it is or from another source."""
    text, names = solutions(id.partition(".")[0])[id]
    space = dict(names)
    exec(compile(source or text, f"<{id}>", "exec"), space)
    return next(value for name, value in reversed(space.items()) if name not in names and name != "__builtins__")


@pytest.mark.parametrize(
    "id, old, new", planted_changes.CHANGES, ids=[f"{c[0]}-{n}" for n, c in enumerate(planted_changes.CHANGES)]
)
def test_a_changed_solution_fails(id, old, new):
    text = solutions(id.partition(".")[0])[id][0]
    assert text.count(old) == 1
    assert judge(find(id), made(id, text.replace(old, new)), 0)[0] == FAILED


DRESSED = [(id, number) for id, dresses in planted_changes.DRESSES.items() for number in range(len(dresses))]


@pytest.mark.parametrize("id, number", DRESSED, ids=[f"{id}-{number}" for id, number in DRESSED])
def test_a_solution_in_another_dress_passes(id, number):
    answer, dress = made(id), planted_changes.DRESSES[id][number]
    assert judge(find(id), lambda *given: dress(answer(*given))) == (PASSED, "")


def test_a_sample_of_the_mutants_is_noticed():
    found, left = mutate.survey([f"{n:02}" for n in range(1, 14)], every=EVERY)
    assert [mutant.name for mutant in left] == []
    assert sum(tried for _, tried in found.values()) > 20


def test_mutants_said_to_be_alike_are_there():
    mutants = {
        m.name
        for lesson in sorted({name[:2] for name in mutate.alike()} - {"lo"})
        for id, (text, _) in solutions(lesson).items()
        for m in mutate.mutants(id, text)
    }
    assert {name for name in mutate.alike() if name[:2] != "lo"} - mutants == set()


def test_a_drawn_case_that_fails_can_be_met_again():
    def short(rows, pad):
        return made("01.1")(rows if max(map(len, rows)) < 6 or len(rows) != 3 else rows[:1], pad)

    found = {judge(find("01.1"), short, seed)[1] for seed in range(30)}
    told = next(finding for finding in found if "seed=" in finding)
    seed = int(re.search(r"seed=(\d+)", told)[1])
    assert judge(find("01.1"), short, seed) == (FAILED, told)
