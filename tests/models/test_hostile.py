"""Folders that lie: code of their own, pickles, missing and empty files, wrong shapes, weights that are no numbers. Each gets
one message, nothing of theirs runs, nothing is asked, and nothing is left behind."""

import json
import pickle
import shutil
import struct
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_ins import bert, corpus

import labkit as lk
from labkit.base.records import BadInput

ROWS = corpus(16)
CODE = "from pathlib import Path\nPath('executed').write_text('x')\n"


class Payload:
    def __reduce__(self):
        return exec, (CODE,)


def config_of(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def own_code(folder, kind="mine"):
    (folder / "mine.py").write_text(CODE)
    names = {"AutoConfig": "mine.Config", "AutoModelForSequenceClassification": "mine.Model", "AutoTokenizer": "mine.T"}
    config_of(folder, model_type=kind, auto_map=names)


def code_beside_a_known_kind(folder):
    own_code(folder, "bert")


def pickled_weights(folder):
    (folder / "model.safetensors").unlink()
    with open(folder / "pytorch_model.bin", "wb") as file:
        pickle.dump(Payload(), file)


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def empty_weights(folder):
    (folder / "model.safetensors").write_bytes(b"")


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-2000])


def enormous_header(folder):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 10 * 2**30) + b"{}")


def missing_shard(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "model-00001-of-00002.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def wrong_shapes(folder):
    tensors = load_file(folder / "model.safetensors")
    first = next(name for name in tensors if "query.weight" in name)
    save_file({**tensors, first: torch.zeros(3, 3)}, folder / "model.safetensors", {"format": "pt"})


def weights_that_are_no_numbers(folder):
    tensors = load_file(folder / "model.safetensors")
    first = next(name for name in tensors if "query.weight" in name)
    tensors[first][0, 0] = torch.nan
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def config_is_a_list(folder):
    (folder / "config.json").write_text("[]")


def config_with_nonsense(folder):
    config_of(folder, hidden_size="many", num_hidden_layers=-3)


def no_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)


def link_to_nowhere(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("/nowhere/model.safetensors")


HOSTILE = {
    own_code: "auto_map|code",
    code_beside_a_known_kind: "auto_map",
    pickled_weights: "holds no usable model",
    no_weights: "holds no usable model",
    empty_weights: "holds no usable model",
    cut_weights: "holds no usable model",
    enormous_header: "holds no usable model",
    missing_shard: "holds no usable model",
    wrong_shapes: "another shape",
    weights_that_are_no_numbers: "NaN",
    config_is_a_list: "holds no usable model",
    config_with_nonsense: "holds no usable model",
    no_tokenizer: "tokenizer",
    link_to_nowhere: "holds no usable model",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("sound") / "bert", num_hidden_layers=1)


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda f: f.__name__)
def test_a_folder_that_lies_is_refused_in_one_message(spoil, sound, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(sound, folder)
    spoil(folder)
    before = {p.name for p in tmp_path.rglob("*")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("something was asked"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadInput, match=HOSTILE[spoil]) as caught:
        lk.load(folder, ROWS.labels)
    assert "Traceback" not in str(caught.value) and len(str(caught.value)) < 1200
    assert {p.name for p in tmp_path.rglob("*")} == before and not (tmp_path / "executed").exists()


def test_the_weights_below_an_addition_must_be_those_it_was_trained_on(sound, tmp_path):
    base, out = tmp_path / "base", tmp_path / "out"
    shutil.copytree(sound, base)
    trainer = lk.Trainer(lk.load(base, ROWS.labels), ROWS, lk.LoRA(), lk.TrainConfig(epochs=1, device="cpu"))
    trainer.fit()
    lk.save(trainer.model, out)
    said = [p.probability for p in lk.predict(lk.load(out), ["好棒", "坏差"])]
    assert said == [p.probability for p in lk.predict(trainer.model, ["好棒", "坏差"])]
    tensors = load_file(base / "model.safetensors")
    save_file({n: t + 0.1 for n, t in tensors.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match="whose weights have changed since"):
        lk.load(out)


def test_a_text_that_looks_like_a_special_token_is_text(tmp_path):
    from stand_ins import family

    model = lk.load(family("gpt2", tmp_path / "gpt2"), ROWS.labels)
    end = model.processor.eos_token
    one, two = lk.predict(model, [f"好棒{end}", f"好棒{end}{end}"])
    assert one.probabilities != two.probabilities
    batch = lk.predict(model, ["好", f"好棒{end}", "坏坏坏坏坏坏坏坏坏坏"])[1]
    assert batch.probability == pytest.approx(one.probability, abs=1e-6)
