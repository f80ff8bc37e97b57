"""Many runs, one table."""

import dataclasses

import pytest
from stand_ins import bert, corpus

from labkit import comparison
from labkit.checkpoint import load_run, save_run
from labkit.comparison import baseline, compare, pad, table, wide
from labkit.records import BadInput, StepDone
from labkit.strategies import Full, HeadOnly, TopK
from labkit.training import TrainConfig

ROWS = corpus(n=24)
CONFIG = TrainConfig(epochs=1, lr=3e-3, batch_size=8, device="cpu")
BOTH = [Full(), HeadOnly(pooler=False)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(bert(tmp_path_factory.mktemp("models") / "bert"))


@pytest.fixture(scope="module")
def runs(place):
    return compare([*BOTH, TopK(1)], ROWS, place, seeds=(0, 1), config=CONFIG)


def test_each_strategy_and_seed_is_one_run_on_a_fresh_model(runs, place):
    assert [(r.strategy, r.seed) for r in runs] == [
        (name, seed) for seed in (0, 1) for name in ("full", "head(pooler=False)", "top-1")
    ]
    assert all(r.config["seed"] == r.seed and r.config["epochs"] == 1 and r.model == place for r in runs)
    assert runs[0].steps != runs[3].steps
    alone = compare([TopK(1)], ROWS, place, seeds=(1,), config=CONFIG)[0]
    assert alone.steps == runs[-1].steps and alone.test == runs[-1].test


def test_runs_are_kept_and_read_instead_of_repeated(place, tmp_path):
    first, seen = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path / "out"), []
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert files == ["full-s0.json", "head(pooler=False)-s0.json"]
    (tmp_path / "out" / "full-s0.json").unlink()
    again = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path / "out", listen=seen.append)
    assert [r.steps for r in again] == [r.steps for r in first]
    assert sum(isinstance(e, StepDone) for e in seen) == 3  # the one that was missing


@pytest.mark.parametrize(
    "change, named",
    [
        ({"corpus": corpus(n=24, seed=1)}, "corpus"),
        ({"config": dataclasses.replace(CONFIG, lr=1e-4)}, "config"),
        ({"model": "tiny-bert-zh"}, "model"),
    ],
)
def test_a_file_of_another_comparison_is_refused_by_what_differs(runs, place, tmp_path, change, named):
    save_run(runs[0], tmp_path / "full-s0.json")
    same = {"corpus": ROWS, "model": place, "config": CONFIG}
    assert compare([Full()], **same, out=tmp_path) == [load_run(tmp_path / "full-s0.json")]
    with pytest.raises(BadInput, match=named) as caught:
        compare([Full()], **{**same, **change}, out=tmp_path)
    assert "full-s0.json" in str(caught.value)


def test_ctrl_c_gives_the_runs_that_are_finished(place, tmp_path):
    steps = []

    def listen(event):
        steps.append(event)
        if sum(isinstance(e, StepDone) for e in steps) == 5:
            raise KeyboardInterrupt

    found = compare(BOTH, ROWS, place, config=CONFIG, out=tmp_path, listen=listen)
    assert [r.strategy for r in found] == ["full"]
    assert [p.name for p in tmp_path.iterdir()] == ["full-s0.json"]


def test_the_baseline_learns_and_is_a_run_like_the_others():
    rows = corpus(n=200)
    run = baseline(rows)
    assert run.test_accuracy > 0.8 and run.test_accuracy == run.test.accuracy
    assert (run.strategy, run.n_train, run.epochs) == ("tf-idf", 200, 0)
    assert run.trainable_parameters == run.total_parameters > 100
    again = baseline(rows)
    assert (again.test, again.valid) == (run.test, run.valid)


def test_the_baseline_works_on_a_handful_of_rows_and_on_many_classes():
    assert baseline(corpus(n=6)).n_train == 6
    assert len(baseline(corpus(n=40, classes=4)).test.classes) == 4


def test_the_table_has_a_line_a_strategy_best_first(runs):
    lines = table(runs, baseline(ROWS))
    assert {line.strategy for line in lines} == {"full", "head(pooler=False)", "top-1", "tf-idf"}
    assert [line.accuracy for line in lines] == sorted((line.accuracy for line in lines), reverse=True)
    full = next(line for line in lines if line.strategy == "full")
    assert full.runs == 2
    assert full.accuracy == pytest.approx(sum(r.test_accuracy for r in runs if r.strategy == "full") / 2)
    assert full.low <= full.accuracy <= full.high
    text = str(lines)
    assert len(text.splitlines()) == 6 and "test accuracy" in text and f"{full.accuracy:.3f}" in text
    assert "head(pooler=False)" in lines._repr_html_() and repr(lines) == text


def test_columns_line_up_in_chinese_and_english(runs, monkeypatch):
    for language in ("zh", "en"):
        monkeypatch.setenv("LABKIT_LANG", language)
        head, rule, *lines = str(table(runs)).splitlines()
        assert {wide(line) for line in (head, rule, *lines)} == {wide(head)}
    assert wide("策略ab") == 6 and pad("策略", 6, left=True) == "策略  " and pad("ab", 4, left=False) == "  ab"


def test_an_empty_table_is_a_header():
    assert len(str(table([])).splitlines()) == 2
    assert comparison.Table().cells() == []
