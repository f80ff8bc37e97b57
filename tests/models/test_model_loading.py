"""A name in, a model out: every family, every source, and what comes out when nothing answers."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from stand_ins import FAMILIES, bert, corpus, family

from labkit.base import hub
from labkit.base.records import BadInput
from labkit.models import families, loading
from labkit.models.families import blocks
from labkit.models.loading import labels_of, load, save
from labkit.training import folder
from labkit.training.evaluation import predict

TEXTS = ["一个好", "坏的是不了我不在有他这", "赞"]
LABELS = ("bad", "good", "so-so")
COMMIT = "c" * 40


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {kind: family(kind, root / kind) for kind in FAMILIES}


def logits(model, texts=TEXTS):
    return torch.tensor([[*p.probabilities.values()] for p in predict(model, texts)]).log()


def files(folder):
    return {p.name: p.read_bytes() for p in Path(folder).iterdir()}


# Families


@pytest.mark.parametrize("kind", FAMILIES)
class TestEveryFamily:
    def test_loads_pads_right_and_answers_the_same_alone_and_in_a_batch(self, places, kind):
        model = load(places[kind], labels=LABELS)
        assert not any(m.training for m in model.modules())
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert model.processor.padding_side == "right"
        assert model.config.pad_token_id == model.processor.pad_token_id is not None
        assert labels_of(model) == list(LABELS)
        alone = torch.cat([logits(model, [text]) for text in TEXTS])
        assert torch.allclose(logits(model), alone, atol=1e-5)

    def test_saved_it_loads_in_plain_transformers_with_identical_logits(self, places, kind, tmp_path):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        model = load(places[kind], labels=LABELS, seed=3)
        save(model, tmp_path / "out")
        plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
        inputs = AutoTokenizer.from_pretrained(tmp_path / "out")(TEXTS, padding=True, return_tensors="pt")
        with torch.no_grad():
            theirs, ours = plain(**inputs).logits, model(**inputs).logits
        assert torch.equal(theirs, ours)
        assert plain.config.id2label == dict(enumerate(LABELS))
        again = load(tmp_path / "out")
        assert labels_of(again) == list(LABELS)
        assert torch.equal(logits(again), logits(model))
        assert not {p.suffix for p in (tmp_path / "out").iterdir()} & {".bin", ".pt", ".pkl"}

    def test_each_parameter_stands_in_one_block_in_depth_order(self, places, kind):
        model = load(places[kind], labels=LABELS)
        found = blocks(model)
        assert sorted(n for b in found for n in b.parameters) == sorted(n for n, _ in model.named_parameters())
        layers = 1 if kind == "albert" else 3  # albert has one layer, used again and again
        assert [b.name for b in found] == ["embeddings", *(f"layer {i + 1}" for i in range(layers)), "head"]
        assert [b.kind for b in found] == ["embeddings", *["layer"] * layers, "head"]
        for block in found:
            inside = {f"{m}.{n}" for m in block.modules for n, _ in model.get_submodule(m).named_parameters()}
            assert inside == set(block.parameters)

    def test_blocks_are_in_the_order_in_which_they_compute(self, places, kind):
        model, order = load(places[kind], labels=LABELS), []
        for block in blocks(model):
            module = model.get_submodule(block.modules[0])
            module.register_forward_hook(lambda *_, name=block.name: order.append(name))
        predict(model, TEXTS)
        assert list(dict.fromkeys(order)) == [b.name for b in blocks(model)]

    def test_the_head_is_drawn_with_the_seed_and_the_rest_is_the_sources(self, places, kind):
        before = torch.get_rng_state()
        one, same, other = (load(places[kind], labels=LABELS, seed=s).state_dict() for s in (5, 5, 6))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(one[n], same[n]) for n in one)
        differs = {n for n in one if not torch.equal(one[n], other[n])}
        head = set(blocks(load(places[kind], labels=LABELS))[-1].parameters)
        assert differs and differs <= head


def test_every_known_family_exists_and_is_cut_whole():
    from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification

    sounds = {"wav2vec2", "hubert", "wavlm", "wav2vec2-conformer", "whisper", "speech_to_text"}  # tests/modalities
    for kind in set(families.FAMILIES) - sounds:
        size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        if kind == "distilbert":
            size = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16}
        if kind == "gpt2":
            size = {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
        auto, size = AutoModelForSequenceClassification, {"vocab_size": 30, **size}
        if kind in ("resnet", "vit"):
            auto, size = AutoModelForImageClassification, {**size, "image_size": 16, "patch_size": 8}
            size |= {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
        model = auto.from_config(AutoConfig.for_model(kind, **size))
        head = blocks(model)[-1]
        assert all(
            n.split(".")[0] in ("classifier", "score", "pre_classifier") or "pooler" in n for n in head.parameters
        )


def test_an_unknown_family_is_refused_with_the_list_of_the_known(tmp_path):
    from transformers import T5Config, T5ForSequenceClassification

    config = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    with pytest.raises(BadInput, match=r"'t5'.*bert, roberta.*gpt2"):
        blocks(T5ForSequenceClassification(config))
    config.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"'t5'.*bert, roberta.*gpt2"):
        load(tmp_path, labels=LABELS)


def test_blocks_are_found_in_a_wrapped_model(places):
    class Wrapped(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.inner, self.config = model, model.config

        def get_base_model(self):
            return self.inner

    found = blocks(Wrapped(load(places["bert"], labels=LABELS)))
    assert found[1].modules == ("inner.bert.encoder.layer.0",)
    assert found[-1].parameters[-1] == "inner.classifier.bias"


def test_a_tokenizer_that_pads_left_or_has_no_pad_token_is_put_right(places, tmp_path):
    model = load(places["gpt2"], labels=LABELS)
    assert model.processor.pad_token == model.processor.eos_token
    left = family("gpt2", tmp_path / "left")
    config = json.loads((left / "tokenizer_config.json").read_text("utf-8"))
    (left / "tokenizer_config.json").write_text(json.dumps({**config, "padding_side": "left"}), "utf-8")
    model = load(left, labels=LABELS)
    assert torch.allclose(logits(model), torch.cat([logits(model, [t]) for t in TEXTS]), atol=1e-5)


# Heads and labels


def test_a_head_for_the_same_labels_is_kept_and_for_others_drawn_anew(places, tmp_path):
    save(load(places["bert"], labels=LABELS, seed=1), tmp_path / "out")
    kept = load(tmp_path / "out", labels=LABELS, seed=9).state_dict()
    stored = load(tmp_path / "out").state_dict()
    assert all(torch.equal(kept[n], stored[n]) for n in stored)
    for labels in (("a", "b", "c"), ("a", "b"), LABELS[::-1]):
        before = torch.get_rng_state()
        one, same, other = (load(tmp_path / "out", labels=labels, seed=s) for s in (5, 5, 6))
        assert torch.equal(torch.get_rng_state(), before)
        assert labels_of(one) == list(labels)
        assert torch.equal(one.classifier.weight, same.classifier.weight)
        assert not torch.equal(one.classifier.weight, other.classifier.weight)
        if len(labels) == 3:
            assert not torch.equal(one.classifier.weight, stored["classifier.weight"])
        assert torch.equal(one.bert.embeddings.word_embeddings.weight, stored["bert.embeddings.word_embeddings.weight"])


def test_a_model_without_head_needs_labels(places):
    with pytest.raises(BadInput, match="labels="):
        load(places["bert"])


@pytest.mark.parametrize("labels", [("only",), ("a", "a"), ()])
def test_labels_that_make_no_classification_are_refused(places, labels):
    with pytest.raises(BadInput, match="two or more"):
        load(places["bert"], labels=labels)


def test_the_packaged_models_load_by_name():
    inputs = {"tiny-resnet": np.zeros((20, 30), np.uint8), "tiny-commands": np.ones(8000, np.float32)}
    for name in set(loading.PACKAGED) - {"tiny-speech"}:  # it writes what it hears: tests/tasks
        model = load(name, labels=("no", "yes"))
        assert model.source == name and len(blocks(model)) >= 4
        assert predict(model, inputs.get(name, "这部电影太好看了！"))[0].label in ("no", "yes")


# Saving


def test_save_writes_whole_or_not_at_all_and_overwrites_nothing(places, tmp_path, monkeypatch):
    model = load(places["bert"], labels=LABELS)
    out = save(model, tmp_path / "名字 with space")
    before = files(out)
    with pytest.raises(FileExistsError):
        save(model, out)
    assert files(out) == before
    monkeypatch.setattr(loading, "write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="full"):
        save(model, tmp_path / "half")
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_publishing_moves_the_manifest_last(places, tmp_path, monkeypatch):
    made, moved = save(load(places["bert"], labels=LABELS), tmp_path / "made"), []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(Path(a).name), real(a, b)))
    folder.publish(made, tmp_path / "out")
    assert moved[-1] == "manifest.json" and not made.exists()
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert labels_of(load(tmp_path / "out")) == list(LABELS)


# Directories that hold no usable model


def spoil_truncate(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def spoil_swap(folder):
    bert(folder / "other", hidden_size=16)
    (folder / "other" / "model.safetensors").replace(folder / "model.safetensors")


def spoil_lack(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    gone = next(n for n in tensors if "layer.1.attention" in n)
    save_file({n: t for n, t in tensors.items() if n != gone}, folder / "model.safetensors", metadata={"format": "pt"})


def spoil_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


def spoil_vocabulary(folder):
    config = json.loads((folder / "config.json").read_text())
    bert(folder / "other", vocab_size=30)
    (folder / "other" / "model.safetensors").replace(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 30}))


SPOILS = {
    "truncated weights": (spoil_truncate, "usable model"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "JSON"),
    "weights of another shape": (spoil_swap, "another shape"),
    "weights that lack a tensor": (spoil_lack, "layer.1.attention"),
    "no tokenizer": (spoil_tokenizer, "tokenizer"),
    "a tokenizer with more words than the model": (spoil_vocabulary, "belong together"),
}


@pytest.mark.parametrize("kind", SPOILS)
def test_a_directory_that_holds_no_usable_model_is_refused_with_the_reason(tmp_path, kind):
    spoil, reason = SPOILS[kind]
    folder = bert(tmp_path / "model")
    spoil(folder)
    with pytest.raises(BadInput) as caught:
        load(folder, labels=LABELS)
    assert str(folder) in str(caught.value) and reason in str(caught.value)


def test_loading_says_nothing(places, capfd):
    load(places["macbert"], labels=LABELS)
    assert capfd.readouterr() == ("", "")


# Hub and mirror


class Stub(BaseHTTPRequestHandler):
    """A hub of one repository, org/name, as huggingface_hub asks it: its files under /org/name/resolve/main/, and what
    the API says of it."""

    folder: Path
    asked: list

    def do_GET(self):
        self.asked.append(f"{self.command} {self.path}")
        found = self.folder / self.path.rpartition("/")[2]
        if self.path == "/api/models/org/name":
            self.answer(json.dumps({"id": "org/name", "sha": COMMIT, "siblings": []}).encode())
        elif self.path.startswith("/org/name/resolve/") and found.is_file():
            self.answer(found.read_bytes())
        else:
            known = self.path.startswith(("/org/name/", "/api/models/org/name/"))
            self.answer(b"", 404, {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    def answer(self, data, status=200, headers=()):
        headers = {"Content-Length": len(data), "ETag": f'"{len(data):040x}"', "X-Repo-Commit": COMMIT, **dict(headers)}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(places):
    asked = []
    handler = type("Handler", (Stub,), {"folder": places["bert"], "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked, server
    server.shutdown()
    server.server_close()


FROM_HUB = """
    import json, sys, time
    from labkit.base.records import BadInput
    from labkit.models.loading import load
    from labkit.training.evaluation import predict

    for line in sys.stdin:
        began = time.perf_counter()
        try:
            model = load(line.strip(), labels=("no", "yes"))
            answer = {"probability": predict(model, "一个好")[0].probability, "source": model.source}
        except BadInput as error:
            answer = {"error": str(error)}
        print(json.dumps({**answer, "seconds": time.perf_counter() - began}), flush=True)
"""


@pytest.mark.integration
def test_a_model_comes_from_the_mirror_then_from_the_cache_and_then_not_at_all(places, mirror, tmp_path):
    address, asked, server = mirror
    environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    environment |= {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path / "hf"),
        "OMP_NUM_THREADS": "1",
        "LABKIT_LANG": "en",
    }
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", textwrap.dedent(FROM_HUB)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def ask(name):
            process.stdin.write(name + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        first = ask("org/name")
        here = predict(load(places["bert"], labels=("no", "yes")), "一个好")[0].probability
        assert "error" not in first, first
        assert first["probability"] == here and first["source"] == "org/name"
        got = [line for line in asked if line.startswith("GET /org/name/resolve/")]
        assert {line.rpartition("/")[2] for line in got} >= {"config.json", "tokenizer.json", "model.safetensors"}
        unknown = ask("org/other")
        assert address in unknown["error"] and "'org/other'" in unknown["error"]
        asked.clear()
        assert ask("org/name")["probability"] == here
        assert asked == []  # the cache answers: nobody is asked
        server.shutdown()
        server.server_close()
        assert ask("org/name")["probability"] == here
        gone = ask("org/new")
        process.stdin.close()
    assert gone["seconds"] < 10
    for way in ("tiny-bert-zh", "copy its directory", "HF_ENDPOINT"):
        assert way in gone["error"]


def test_without_network_a_hub_id_is_answered_within_seconds_with_three_ways_out(unplugged):
    began = time.perf_counter()
    with pytest.raises(BadInput) as caught:
        load("some-org/some-model", labels=LABELS)
    assert time.perf_counter() - began < 10
    message = str(caught.value)
    assert "'some-org/some-model'" in message and unplugged
    assert all(way in message for way in ("1) ", "2) ", "3) ", "tiny-bert-zh", "copy its directory", "HF_ENDPOINT"))


def test_a_hub_that_never_answers_is_not_waited_for(monkeypatch):
    import socket

    over = threading.Event()

    def hang(*_, **__):
        over.wait()
        raise OSError("nobody answered")

    monkeypatch.setattr(socket, "create_connection", hang)
    began = time.perf_counter()
    assert hub.hub_answers(seconds=0.2) is False
    over.set()
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("name", ["no/such/directory", "./nowhere", "名字"])
def test_a_name_that_nobody_can_have_is_refused(name, monkeypatch):
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    with pytest.raises(BadInput, match="Three ways out"):
        load(name, labels=LABELS)


def test_the_stand_in_corpus_is_what_it_says():
    rows = corpus(n=30, classes=3)
    assert [len(s) for s in rows.splits.values()] == [30, 7, 7] and set(rows.counts().values()) == {10}
    texts = [r.input for s in rows.splits.values() for r in s]
    assert len(set(texts)) == len(texts) and rows == corpus(n=30, classes=3)
