"""Smaller models beside the whole one: same rows, paired verdicts, sizes as on disk; a drop is said."""

import copy
import io
import json

import pytest
import torch
from stand_ins import bert, corpus

import labkit as lk
from labkit import plots
from labkit.base.records import BadInput
from labkit.comparison.compressed import Compressed, compress_compare, megabytes
from labkit.deploy.compress import smaller

ROWS = corpus(n=400)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    model = lk.load(bert(tmp_path_factory.mktemp("bert") / "bert"), labels=ROWS.labels)
    lk.Trainer(model, ROWS, lk.Full(), lk.TrainConfig(epochs=2, lr=3e-3, device="cpu")).fit()
    return model


@pytest.fixture(scope="module")
def found(model, tmp_path_factory):
    """The model, the same again, one that says the opposite of a tenth, and its int8."""
    worse = copy.deepcopy(model)
    with torch.no_grad():
        worse.classifier.bias += torch.tensor([3.0, -3.0])
    root = tmp_path_factory.mktemp("out")
    lk.save(model, root / "whole")
    smaller(model, "int8", root / "int8", ROWS)
    return compress_compare({"torch": root / "whole", "same": model, "worse": worse, "int8": root / "int8"}, ROWS)


def test_scores_are_those_of_evaluate(model, found):
    wanted = lk.evaluate(model, ROWS.test).metrics["accuracy"]
    assert found["torch"].score == wanted == found["same"].score


def test_equal_models_differ_by_nothing_and_a_spoilt_one_is_worse(found):
    same, worse = found["same"].verdict, found["worse"].verdict
    assert found["torch"].verdict is None and (same.word, same.difference, same.low, same.high) == ("noise", 0, 0, 0)
    assert worse.word == "worse" and worse.low < worse.difference < worse.high < 0
    assert worse.difference == pytest.approx(found["worse"].score.value - found["torch"].score.value)


def test_only_drops_of_more_than_a_point_are_said(found):
    (said,) = found.drops()
    assert "worse" in said and found["int8"].verdict.difference > -0.01


def test_sizes_are_those_of_the_files(found, model):
    floats = sum(p.numel() for p in model.parameters()) * 4 / 1e6
    assert found["torch"].megabytes == pytest.approx(floats, rel=0.1)
    assert found["int8"].megabytes < 0.6 * floats
    assert megabytes(model, model) == pytest.approx(floats, rel=0.01)


def test_times_are_there_and_threads_are_given_back(found):
    assert all(v.milliseconds > 0 and v.per_second > 0 for v in found.variants)
    before = torch.get_num_threads()
    compress_compare({"one": lk.load("tiny-bert-zh", labels=ROWS.labels)}, corpus(n=8), threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_shows_as_a_table_and_a_figure(found, lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    text = str(found)
    assert ("▼" in text) and ("注意" if lang == "zh" else "Note") in text and "<table>" in found._repr_html_()
    fig = plots.compressed(found)
    fig.savefig(io.BytesIO(), format="raw")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["int8", "worse", "same", "torch"]
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height
    json.dumps(found.to_json())
    assert isinstance(found, Compressed)


def test_a_model_of_other_labels_is_refused(model):
    with pytest.raises(BadInput, match="other labels"):
        compress_compare({"one": model}, corpus(n=24, classes=3))


@pytest.mark.parametrize("name", ["int4", "layers", "layers-x", "heads-", "-2"])
def test_an_unknown_kind_is_refused_by_name(model, name, tmp_path):
    with pytest.raises(BadInput, match="There are: onnx"):
        smaller(model, name, tmp_path / "out", ROWS)


@pytest.mark.parametrize("name", ["layers-2", "heads-50", "feed-forward-50"])
def test_a_kind_by_its_name_is_a_folder_that_loads(model, name, tmp_path):
    assert lk.load(smaller(model, name, tmp_path / "out", ROWS)).task == model.task
