"""The examples in docstrings run, and print what they say.

An example with an output must print it (`...` stands for anything); one without must run. What an example takes for
granted (`model`, `corpus`, `trainer`, `runs` …) is prepared here, on a tiny model.
"""

import contextlib
import doctest
import importlib
import os
import pkgutil
import re

import pytest
from stand_ins import bert

import labkit
import labkit as lk
import labkit_exercises

ROOMS = (labkit, labkit_exercises)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ELSEWHERE = {  # examples that need what a test machine lacks, and what that is
    "hub": re.compile(r"load_hub\(|bert-base-chinese|org/name\"\)"),
    "a graphics card": re.compile(r"equipment\(big"),
    "processes started by a launcher": re.compile(r"^accelerate launch"),
}


def modules():
    for package in ROOMS:
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                yield module.name


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in modules():
        module = importlib.import_module(name)
        for test in finder.find(module, name, globs={}):
            if test.examples:
                yield pytest.param(name, test, id=test.name.removeprefix("labkit."))


class Checker(doctest.OutputChecker):
    """An example that shows no output may print anything."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What examples take for granted."""
    folder = tmp_path_factory.mktemp("examples")
    place = bert(folder / "tiny", num_hidden_layers=3)
    corpus = lk.reviews(limit=48)
    labels = corpus.labels
    model = lk.load("tiny-bert-zh", labels=labels)
    return {"folder": folder, "place": place, "corpus": corpus, "labels": labels, "model": model}


@pytest.mark.parametrize("name, example", list(examples()))
def test_an_example_runs_and_prints_what_it_says(name, example, given, tmp_path, monkeypatch):
    for why, pattern in ELSEWHERE.items():
        if any(pattern.search(e.source) for e in example.examples):
            pytest.skip(f"needs {why}")
    monkeypatch.chdir(tmp_path)
    public = {n: getattr(lk, n) for n in lk.__all__}
    example.globs = {**public, "lk": lk, "labkit": labkit, **given, **vars(importlib.import_module(name))}
    said = []
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=FLAGS)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        runner.run(example, out=said.append, clear_globs=False)
    assert not runner.failures, "".join(said)[-1500:]
