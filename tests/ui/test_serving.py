"""`lk.serve` in a notebook: an address, a Stop button, and a copy of the model that training does not touch."""

import json
import socket
import urllib.error
import urllib.request

import pytest
import stand_ins

import labkit as lk
from labkit.base.records import BadInput


@pytest.fixture(scope="module")
def rows():
    return stand_ins.corpus(64)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return stand_ins.bert(tmp_path_factory.mktemp("serving") / "bert")


def ask(service, value):
    data = json.dumps({"input": value}).encode()
    request = urllib.request.Request(f"{service.url}/predict", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["predictions"][0]


def test_a_model_is_served_as_it_was_when_it_was_given(place, rows):
    model = lk.load(place, rows.labels)
    (before,) = lk.predict(model, ["好"])
    with lk.serve(model) as service:
        lk.Trainer(model, rows, config=lk.TrainConfig(epochs=1, lr=1e-2, device="cpu")).fit()
        assert ask(service, "好")["probabilities"] == pytest.approx(before.probabilities, abs=1e-5)
        (after,) = lk.predict(model, ["好"])
        assert after.probabilities != pytest.approx(before.probabilities, abs=1e-3)


def test_a_folder_is_served_and_its_log_compared_with_the_data(place, rows, tmp_path):
    lk.save(lk.load(place, rows.labels), tmp_path / "model")
    with lk.serve(tmp_path / "model", log=tmp_path / "log") as service:
        for example in rows.train[:40]:
            ask(service, example.input)
    found = lk.drift(tmp_path / "log", rows)
    assert len(found.after) == 40 and found.after == tuple(len(e.input) for e in rows.train[:40])


def test_the_stop_button_gives_the_port_back_and_says_so(place, rows):
    service = lk.serve(lk.load(place, rows.labels))
    box = service.widget()
    words, button = box.children
    assert service.url in words.value and not button.disabled
    button.click()
    assert not service.alive and button.disabled and service.url not in words.value
    with pytest.raises(urllib.error.URLError):
        ask(service, "好")
    socket.create_server(("127.0.0.1", int(service.url.rpartition(":")[2]))).close()
    service.stop()  # again: nothing happens


def test_two_services_run_side_by_side(place, rows):
    with lk.serve(lk.load(place, rows.labels)) as one, lk.serve(lk.load(place, rows.labels, seed=1)) as two:
        assert one.url != two.url
        assert ask(one, "好")["probabilities"] != ask(two, "好")["probabilities"]


def test_only_this_machine_can_reach_it_unless_it_is_told_otherwise(place, rows):
    with lk.serve(lk.load(place, rows.labels)) as service:
        assert service.url.startswith("http://127.0.0.1:")


def test_a_taken_port_and_a_limit_that_will_not_do_are_said(place, rows):
    model = lk.load(place, rows.labels)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="taken"):
        lk.serve(model, port=taken.getsockname()[1])
    with pytest.raises(BadInput, match="queue=0"):
        lk.serve(model, queue=0)


@pytest.mark.parametrize("lang, words", [("zh", "服务在"), ("en", "a service at")])
def test_it_says_what_it_is_in_both_languages(place, rows, lang, words, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    with lk.serve(lk.load(place, rows.labels)) as service:
        assert words in repr(service) and service.url in repr(service)
    assert service.url not in repr(service)
