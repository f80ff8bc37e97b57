"""Files that labkit reads back may be cut, flipped or altered: one message with the file's name, and nothing else touched."""

import json
import random

import pytest
from stand_ins import bert, corpus

import labkit as lk
from labkit.base.files import load_run, read_json, save_run
from labkit.base.records import BadInput, Run

ROWS = corpus(16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with something added to a model, as `labkit train` leaves it."""
    place = tmp_path_factory.mktemp("files")
    bert(place / "bert", num_hidden_layers=1)
    config = lk.TrainConfig(epochs=1, device="cpu")
    lk.train_into(place / "out", ROWS, lk.Adapter(), config, model=str(place / "bert"))
    return place / "out"


def variants(text: str, n: int, seed: int):
    """Cut, flipped, and with values of another kind."""
    rng, whole = random.Random(seed), json.loads(text)
    others = [None, True, -1, 1e400, "x", [], {}, [[1]], {"a": 1}, "\ud800"]

    def places(value, path=()):
        yield path
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in inside:
            yield from places(part, (*path, key))

    every = list(places(whole))
    for i in range(n):
        if i % 3 == 0:
            yield text[: rng.randrange(len(text))].encode("utf-8", "replace")
        elif i % 3 == 1:
            data = bytearray(text.encode())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            yield bytes(data)
        else:
            altered = json.loads(text)
            path, new = rng.choice(every), rng.choice(others)
            if not path:
                altered = new
            else:
                place = altered
                for key in path[:-1]:
                    place = place[key]
                place[path[-1]] = new
            yield json.dumps(altered).encode()


def outcome(call):
    """What a reader did: it gave something, or one message."""
    try:
        call()
    except BadInput as error:
        return str(error)
    return ""


def test_three_hundred_damaged_runs_are_read_or_refused_by_name(folder, tmp_path):
    path, refused = tmp_path / "run.json", 0
    for content in variants((folder / "run.json").read_text("utf-8"), 300, seed=0):
        path.write_bytes(content)
        said = outcome(lambda: str(load_run(path)))
        refused += bool(said)
        assert not said or "run.json" in said
        assert path.read_bytes() == content
    assert refused > 100


def test_two_hundred_damaged_notes_are_read_or_refused(folder, unplugged):  # an altered source is asked for at the hub
    path = folder / "labkit.json"
    text = path.read_text("utf-8")
    try:
        for content in variants(text, 220, seed=1):
            path.write_bytes(content)
            outcome(lambda: lk.load(folder))
            assert path.read_bytes() == content
    finally:
        path.write_text(text, "utf-8")
    assert lk.load(folder).task.labels == ROWS.labels


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"3", b'"x"', b"[" * 100_000])
def test_what_is_no_object_is_said_with_the_file(content, tmp_path):
    path = tmp_path / "it.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"it\.json is damaged or altered"):
        read_json(path)


def test_a_sound_run_is_read_back_the_same(folder, tmp_path):
    run = load_run(folder / "run.json")
    save_run(run, tmp_path / "again.json")
    assert load_run(tmp_path / "again.json") == run and isinstance(run, Run)
