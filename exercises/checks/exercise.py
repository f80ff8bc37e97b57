"""An exercise, and how an answer to one is judged. Leans on nothing but text and records.

The check function of an exercise is a generator: it calls the answer in several configurations, some fixed and some drawn
anew (cases.py), and yields what is wrong, the most telling finding first. The calls go through a guard (contract.py), which
adds what is asked of every answer. An answer without a finding is right.
"""

import contextlib
import functools
import importlib
import pkgutil
import random
import sys
import tomllib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit_exercises.cases import drawing, fresh_seed, repeat_words
from labkit_exercises.contract import Contract, Guard
from labkit_exercises.matching import joined

import labkit
from labkit import BadInput, listing, tr

PASSED, FAILED, UNTOUCHED = "passed", "failed", "not begun"
WORDS = Path(__file__).parent / "words"
OURS = tuple(
    str(Path(module.__file__).parent) for module in (labkit, sys.modules[__package__])
)  # frames of ours say nothing to a student


@dataclass(frozen=True)
class Exercise:
    """One task of a lesson; its words stand in words/NN.toml."""

    id: str  # "01.2": the second of lesson 01
    probe: Callable[[Any], Iterator[str]]  # the check function
    contract: Contract = field(default_factory=Contract)  # what an answer must leave alone

    @property
    def lesson(self) -> str:
        return self.id.partition(".")[0]

    @property
    def title(self) -> str:
        return tr(*words(self.lesson)[self.id]["title"])

    @property
    def hints(self) -> list[str]:
        """Three, from a nudge to nearly the answer."""
        return [tr(*hint) for hint in words(self.lesson)[self.id]["hints"]]

    @property
    def read(self) -> str:
        """Where to read when the hints did not help."""
        return tr(*words(self.lesson)[self.id]["read"])


def exercise(id: str, **contract: Any) -> Callable[[Callable], Exercise]:
    """Decorator that makes an Exercise of its check function; `contract` has the fields of Contract.

    >>> @exercise("01.2")
    ... def padding(answer):
    ...     if answer([2, 4], [[0, 1]]) != 0.25:
    ...         yield tr("……", "…")
    """
    return lambda probe: Exercise(id, probe, Contract(**contract))


@functools.cache
def words(lesson: str) -> dict[str, dict]:
    """Title, hints and reading of each exercise of a lesson, (Chinese, English); `lesson` is the title of them all."""
    return tomllib.loads((WORDS / f"{lesson}.toml").read_text(encoding="utf-8"))


def lesson_title(lesson: str) -> str:
    """ "Freeze or not" for "02"; "" for a lesson that is not of this version."""
    known = lesson in {e.lesson for e in catalogue().values()}
    return tr(*words(lesson).get("lesson", ("", ""))) if known else ""


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise by its id, in the order of the course."""
    package = importlib.import_module("labkit_exercises")
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("lesson")]
    modules = [importlib.import_module(f"labkit_exercises.{name}") for name in names]
    found = [e for module in modules for e in vars(module).values() if isinstance(e, Exercise)]
    return {e.id: e for e in sorted(found, key=lambda e: e.id)}


def find(id: str) -> Exercise:
    if id not in catalogue():
        known = listing(catalogue(), 60)
        raise BadInput(tr(f"没有练习 {id!r}；现有：{known}。", f"No exercise {id!r}; there are: {known}."))
    return catalogue()[id]


def chosen(lesson: str | None) -> list[Exercise]:
    """The exercises of a lesson ("03"), or all of them."""
    lessons = list(dict.fromkeys(e.lesson for e in catalogue().values()))
    if lesson is not None and lesson not in lessons:
        known = listing(lessons, 20)
        raise BadInput(
            tr(f"没有 {lesson!r} 这一课的练习；现有：{known}。", f"No exercises for {lesson!r}; there are: {known}.")
        )
    return [e for e in catalogue().values() if lesson in (None, e.lesson)]


def judge(task: Exercise, answer, seed: int | None = None) -> tuple[str, str]:
    """How an answer stands, and what is wrong with it: ("failed", "Expected 0.25 …"). Random states stay as they were.

    The drawn cases come from `seed`, or from one that is new at each call.
    """
    if not callable(answer):
        given = type(answer).__name__
        return FAILED, tr(
            f"请把函数本身交给 check，不要加括号调用它；收到的是 {given}。",
            f"Hand check the function itself, without calling it; it got a value of type {given}.",
        )
    with same_start(), drawing(fresh_seed() if seed is None else seed) as lot:
        try:
            guard = Guard(answer, task.contract)
            finding = next(iter(task.probe(guard)), None) or guard.breach
        except NotImplementedError:
            return UNTOUCHED, ""
        except Exception as error:  # a student's code may raise anything
            finding = raised(error)
        if finding and (lot.drawn or (finding is guard.breach and guard.drawn)):
            finding = joined(finding, repeat_words(task.id))
    return (PASSED, "") if finding is None else (FAILED, finding)


@contextlib.contextmanager
def same_start() -> Iterator[None]:
    """The same random numbers for every answer's fixed cases; the caller's random states are as before afterwards."""
    import numpy as np
    import torch

    state, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(of_numpy)


def raised(error: Exception) -> str:
    """An error of the answer in one sentence, with the line of the answer that it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(OURS)]
    own = [f for f in frames if f.filename == frames[0].filename]
    first = (str(error).strip().splitlines() or [""])[0][:160]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if not own:
        return tr(f"调用你的函数时出错：{said}", f"Calling your function failed: {said}")
    return tr(
        f"你的代码出错：{said}，在这一行：{own[-1].line}",
        f"Your code raised {said}, in this line: {own[-1].line}",
    )
