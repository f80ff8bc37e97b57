"""One strategy under many settings: names, seeds and rates reach the runs, and the table has a line for each."""

import pytest
from stand_ins import bert, corpus

from labkit.base.config import TrainConfig
from labkit.base.records import BadInput
from labkit.comparison.configs import RATES, compare_configs, optimizer_grid
from labkit.comparison.table import table
from labkit.strategies import HeadOnly


def test_settings_are_compared_under_their_names(tmp_path):
    folder, rows = bert(tmp_path / "bert", num_hidden_layers=1), corpus(16)
    configs = optimizer_grid({"adamw": [1e-3], "sgd": [0.1]}, warmups=(0.0, 0.5), epochs=1, batch_size=8)
    runs = compare_configs(configs, rows, HeadOnly(), model=str(folder), seeds=(0, 1), out=tmp_path / "out")
    assert [r.strategy for r in runs] == [name for name in configs for _ in range(2)]
    assert [(r.config["optimizer"], r.config["warmup"], r.seed) for r in runs[2:5]] == [
        ("adamw", 0.5, 0),
        ("adamw", 0.5, 1),
        ("sgd", 0.0, 0),
    ]
    assert all(name in str(table(runs)) for name in [*configs, "tf-idf"])
    again = compare_configs(configs, rows, HeadOnly(), model=str(folder), seeds=(0, 1), out=tmp_path / "out")
    assert [r.seconds for r in again] == [r.seconds for r in runs]


def test_the_grid_has_every_optimizer_rate_and_warm_up():
    grid = optimizer_grid(epochs=2)
    assert len(grid) == 2 * sum(map(len, RATES.values()))
    assert grid["sgd 0.1"] == TrainConfig(optimizer="sgd", lr=0.1, warmup=0.0, epochs=2)
    assert grid["momentum 0.003 warm-up"].warmup == 0.1


def test_nothing_to_compare_is_said():
    with pytest.raises(BadInput, match="configs is empty"):
        compare_configs({}, corpus(8))
