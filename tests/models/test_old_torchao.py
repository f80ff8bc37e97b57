"""Colab ships torchao 0.10, for which peft refuses LoRA on every layer: there labkit does as if it were not installed."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stand_ins import bert

from labkit.models.added import peft_at_work

TESTS = Path(__file__).resolve().parents[1]
TRAIN = """
import sys
import labkit as lk
from labkit.strategies import NAMES, TopK
from stand_ins import corpus
import importlib.metadata, torchao
assert importlib.metadata.version("torchao") == "0.10.0"
rows = corpus(16)
for name, kind in NAMES.items():
    strategy = TopK(1) if kind is TopK else kind()
    model = lk.load(sys.argv[1], rows.labels)
    run = lk.Trainer(model, rows, strategy, lk.TrainConfig(epochs=1, batch_size=8, device="cpu")).fit()
    lk.save(lk.Trainer(lk.load(sys.argv[1], rows.labels), rows, strategy).model, f"{sys.argv[2]}/{name}")
    lk.load(f"{sys.argv[2]}/{name}")
    print(name, run.error)
"""


@pytest.mark.integration
def test_every_strategy_trains_beside_a_torchao_that_is_too_old(tmp_path):
    package, about = tmp_path / "old" / "torchao", tmp_path / "old" / "torchao-0.10.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").write_text("__version__ = '0.10.0'\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n")
    paths = [str(tmp_path / "old"), str(TESTS), *filter(None, sys.path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    place = bert(tmp_path / "tiny", num_hidden_layers=2)
    command = [sys.executable, "-c", TRAIN, str(place), str(tmp_path)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.splitlines() == [
        f"{name} None"
        for name in ("full", "head", "top-K", "gradual", "bitfit", "lora", "prefix", "ptuning-v2", "adapter")
    ]


def test_only_what_peft_asks_of_transformers_stays_unsaid():
    with peft_at_work():
        log = logging.getLogger("transformers.configuration_utils")
    told = [
        log.makeRecord(log.name, logging.WARNING, "", 0, f"`{name}` is deprecated!", (), None)
        for name in ("use_return_dict", "torch_dtype")
    ]
    assert [bool(log.filter(record)) for record in told] == [False, True]
