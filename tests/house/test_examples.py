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

import labkit_exercises
import numpy
import pytest
from PIL import Image
from stand_ins import bert

import labkit
import labkit as lk

ROOMS = (labkit, labkit_exercises)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ELSEWHERE = {  # examples that need what a test machine lacks, and what that is
    "hub": re.compile(r"load_hub\(|bert-base-chinese|org/name\"\)"),
    "a graphics card": re.compile(r"equipment\(big"),
    "processes started by a launcher": re.compile(r"^accelerate launch"),
}


SLIP = '{{"question": "几号{n}？", "paragraph": "第{n}号", "answers": {{"text": ["{n}"], "answer_start": [1]}}}}'
OTHER_FILES = {  # of other tasks than one label for each text
    "same.csv": ["question,other,same", *(f"问{n},答{n},{n % 2}" for n in range(24))],
    "qa.jsonl": [SLIP.format(n=n) for n in range(24)],
    "chat.jsonl": [f'{{"prompt": "问{n}", "answer": "答{n}"}}' for n in range(24)],
    "tickets.csv": ["text,label", *(f"单{n},{('late|cold', 'rude', 'cold', '')[n % 4]}" for n in range(24))],
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
def lasting(tmp_path_factory):
    """What no example changes."""
    corpus = lk.reviews(limit=24)
    place = bert(tmp_path_factory.mktemp("examples") / "tiny", num_hidden_layers=3)
    return {"place": place, "corpus": corpus, "labels": corpus.labels, "task": corpus.task, **corpus.splits}


@pytest.fixture
def given(lasting, tmp_path, monkeypatch):
    """What examples take for granted: a corpus, a model, a trainer, a batch; files of reviews in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labkit.base.language._chosen", None)  # an example may choose
    corpus, task = lasting["corpus"], lasting["task"]
    headers = {
        "reviews.csv": "review,sentiment",
        "train.csv": "text,label",
        "test.csv": "text,label",
        "stars.csv": "text,label",
    }
    for number, (name, header) in enumerate({**headers, "reviews.tsv": "review,stars"}.items()):
        labels = (1, 2, 4, 5) if name == "stars.csv" else (0, 1)
        rows = [f"{name} {number}{i:02d},{labels[i % len(labels)]}" for i in range(24)]
        lines = "\n".join([header, *rows]) + "\n"
        (tmp_path / name).write_text(lines.replace(",", "\t") if name.endswith("tsv") else lines, "utf-8")
    for name, lines in OTHER_FILES.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
    rng, drawer = numpy.random.default_rng(0), numpy.repeat(numpy.arange(12), 2)
    drawn = rng.integers(0, 256, (24, 16, 16), dtype=numpy.uint8)
    numpy.savez(tmp_path / "signs.npz", x=drawn, y=numpy.arange(24) % 2, signer=drawer, label_names=["no", "yes"])
    for i, pixels in enumerate(drawn):
        file = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    (tmp_path / "service.log").write_text(f'{{"time": 0, "length": 9, "label": "{corpus.labels[0]}", "ms": 4}}\n' * 40)
    model = lk.load("tiny-bert-zh", labels=corpus.labels)
    items = task.encode(model.processor, corpus.train, 64)
    batch = task.collate(model.processor, items[:2])
    trainer = lk.Trainer(model, corpus, lk.HeadOnly(), lk.TrainConfig(epochs=1, device="cpu"))
    of_model = {
        "model": model,
        "tiny": model,
        "processor": model.processor,
        "tokenizer": model.processor,
        "trainer": trainer,
    }
    of_rows = {
        "items": items,
        "rows": [0, 1],
        "batch": batch,
        "inputs": batch.inputs,
        "tensor": batch.inputs["input_ids"],
    }
    return {**lasting, **of_model, **of_rows}


@pytest.mark.parametrize("name, example", list(examples()))
def test_an_example_runs_and_prints_what_it_says(name, example, given):
    for why, pattern in ELSEWHERE.items():
        if any(pattern.search(e.source) for e in example.examples):
            pytest.skip(f"needs {why}")
    public = {n: getattr(lk, n) for n in lk.__all__}
    example.globs = {**public, "lk": lk, "labkit": labkit, **given, **vars(importlib.import_module(name))}
    said = []
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=FLAGS)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        runner.run(example, out=said.append, clear_globs=False)
    assert not runner.failures, "".join(said)[-1500:]
