"""The comparison as a table: 120 columns of text, everything in HTML, CSV and JSON."""

import csv
import json

import pytest
from made_runs import scored

from labkit.base.display import display_width as wide
from labkit.base.display import pad
from labkit.comparison.compare import Comparison
from labkit.comparison.summary import summarise
from labkit.comparison.table import Table, short, size, table

NAMES = ("full", "head(pooler=False)", "top-2", "gradual", "bitfit", "lora", "prefix", "ptuning-v2", "a very long name (of=a, strategy=b)")  # fmt: skip


def run(strategy, seed=0, accuracy=0.8, **more):
    costs = {"seconds": 123.4 + seed, "samples_per_second": 725.0, "peak_memory_mb": 1234.5, "saved_bytes": 6_943_240}
    about = {"measures": {"forgetting": 0.123}, "config": {"lr": 5e-4}, "n_train": 1000}
    sizes = {"trainable_parameters": 1_735_810, "total_parameters": 1_735_810}
    return scored(strategy, seed, accuracy, **{**costs, **about, **sizes, **more})


@pytest.fixture
def nine():
    cheap = {"peak_memory_mb": None, "saved_bytes": None, "measures": {}, "config": {}}
    runs = [run(name, seed, 0.7 + 0.01 * i) for seed in (0, 1) for i, name in enumerate(NAMES)]
    return Comparison(runs, [run("tf-idf", accuracy=0.75, **cheap)])


def test_a_line_a_strategy_best_first_with_its_interval(nine):
    lines = table(nine)
    assert [line.accuracy for line in lines] == sorted((line.accuracy for line in lines), reverse=True)
    assert len(lines) == 10 and lines[0].runs == 2
    text = str(lines)
    assert len(text.splitlines()) == 12 and "test accuracy" in text and repr(lines) == text == str(nine)
    low, high = lines[0].low, lines[0].high
    assert f"0.780 ±{(high - low) / 2:.3f}" in text
    assert f"0.780 ({low:.3f}–{high:.3f})" in lines._repr_html_() == nine._repr_html_()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_text_lines_up_and_fits_120_columns_and_the_html_has_every_column(nine, language, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", language)
    lines = table(nine)
    head, rule, *rest = str(lines).splitlines()
    assert {wide(line) for line in (rule, *rest)} == {wide(head)} and wide(head) <= 120
    assert len(lines.header()) == 12 and all(len(row) == 12 for row in lines.cells())
    for title in lines.header()[:5]:
        assert title in head


def test_columns_that_nothing_fills_are_left_out():
    bare = table([run("full", peak_memory_mb=None, saved_bytes=None, measures={}, config={})])
    assert not {"lr", "peak MB", "saved", "forgets"} & set(bare.header()) and "epochs" in bare.header()


def test_an_empty_table_is_a_header():
    assert len(str(table([])).splitlines()) == 2 and Table().cells() == []


def test_it_is_written_as_csv_and_json(nine, tmp_path):
    lines = table(nine)
    for name in ("t.csv", "t.json"):
        lines.save(tmp_path / name)
    rows = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert rows == lines.records() and rows[0]["strategy"] == NAMES[-1]
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as f:
        written = list(csv.DictReader(f))
    assert [float(r["low"]) for r in written] == [line.low for line in summarise_sorted(nine)]


def summarise_sorted(runs):
    return sorted(summarise([*runs, *runs.beside]), key=lambda line: -line.accuracy)


def test_numbers_are_short():
    assert [short(n) for n in (0, 999, 33026, 420_000, 1_735_810, 110_000_000)] == ["", "999", "33.0k", "420k", "1.74M", "110M"]  # fmt: skip
    assert (size(132_104), size(6_943_240)) == ("132 kB", "6.9 MB")
    assert wide("策略ab") == 6 and pad("策略", 6, left=True) == "策略  " and pad("ab", 4, left=False) == "  ab"
