"""Pictures and clips over HTTP: as they are in a form, or in base64 in JSON; one limit and one clear word for both."""

import asyncio
import base64
import io
import json
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from stand_ins import bert, said_corpus, writer
from test_http import running

import labkit as lk
from labkit.deploy.limits import Limits
from labkit.deploy.service import Service
from labkit.inspection.attribution import attribute_one
from labkit.modalities.sounds import wav_bytes

FEW = Limits(inputs=3, queue=16, body_kb=64)
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000).astype(np.float32)


@pytest.fixture(scope="module")
def listener():
    return lk.load("tiny-commands", task=lk.commands().task)


@pytest.fixture(scope="module")
def client(listener):
    with running(listener, FEW, explain=attribute_one) as (_, client):
        yield client


@pytest.fixture(scope="module")
def watcher():
    with running(lk.load("tiny-resnet", task=lk.doodles(limit=64).task), FEW, explain=attribute_one) as (_, client):
        yield client


def clip(samples=NOISE):
    return wav_bytes(samples, 16_000)


def picture(side=48, kind="PNG"):
    made = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(1).integers(0, 256, (side, side), dtype=np.uint8)).save(made, kind)
    return made.getvalue()


def bomb(side=30_000):
    """A PNG that says it has 900 million pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )


def send(client, *files, path="/predict", **fields):
    return client.post(path, files=[("file", (f"{i}.bin", data)) for i, data in enumerate(files)], data=fields)


def test_a_file_in_a_form_is_answered_as_in_json_and_as_in_python(client, listener):
    found = send(client, clip(), clip(NOISE[:4000]), deadline_ms=1500).json()["predictions"]
    plain = [base64.b64encode(data).decode() for data in (clip(), clip(NOISE[:4000]))]
    assert found == client.post("/predict", json={"inputs": plain}).json()["predictions"]
    (alone,) = lk.predict(listener, [(np.frombuffer(clip()[44:], "<i2"), 16_000)])
    assert found[0]["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)


def test_a_file_that_is_none_fails_alone(client):
    first, second = send(client, clip(), b"%PDF-1.7").json()["predictions"]
    assert "label" in first and "no readable sound file" in second["error"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_a_picture_is_answered_whatever_its_format(watcher, kind):
    assert send(watcher, picture(kind=kind)).json()["predictions"][0]["label"] in lk.doodles(limit=64).labels


def test_what_decided_is_one_image_that_a_page_can_show(client, watcher):
    heard = send(client, clip(), path="/explain").json()
    seen = send(watcher, picture(), path="/explain").json()
    assert base64.b64decode(heard["image"].removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")
    assert base64.b64decode(seen["image"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    for said in (heard, seen):
        assert said["label"] in said["probabilities"] and said["truthful"] in (True, False)


FORM = "multipart/form-data"
EDGE = "multipart/form-data; boundary=edge"


def form(body, kind=EDGE):
    return {"content": body, "headers": {"content-type": kind}}


FIELD = b'--edge\r\nContent-Disposition: form-data; name="%s"; filename="a"\r\n\r\n%s\r\n'
REFUSED = {
    "too large": ({"files": {"file": b"x" * 70_000}}, 413, "--body-kb"),
    "a bomb": ({"files": {"file": bomb()}}, 422, "too large"),
    "no picture": ({"files": {"file": b"%PDF-1.7"}}, 422, "no readable picture"),
    "nothing in it": ({"files": {"file": b""}}, 422, "no readable picture"),
    "a path": (form(FIELD % (b"file", b"/etc/hostname") + b"--edge--"), 422, "no readable picture"),
    "no file": (
        form(b'--edge\r\nContent-Disposition: form-data; name="deadline_ms"\r\n\r\n9\r\n--edge--'),
        422,
        "-F file=",
    ),
    "another field": (form(FIELD % (b"picture", b"x") + b"--edge--"), 422, "Unknown field: picture"),
    "too many": ({"files": [("file", b"x")] * 4}, 422, "1 to 3"),
    "far too many": (form(FIELD % (b"file", b"") * 900 + b"--edge--"), 422, "more than"),
    "a deadline that is a word": ({"files": {"file": b"x"}, "data": {"deadline_ms": "soon"}}, 400, ""),
    "a deadline of none": ({"files": {"file": b"x"}, "data": {"deadline_ms": "0"}}, 422, "deadline_ms"),
    "no edge said": (form(b"--edge--", "multipart/form-data"), 400, "multipart/form-data"),
    "no end": (form(FIELD % (b"file", b"x")), 400, "multipart/form-data"),
    "no head": (form(b"--edge\r\nx\r\n--edge--"), 400, "multipart/form-data"),
    "nothing": (form(b""), 400, "multipart/form-data"),
    "a bare file": (form(picture(), "image/png"), 415, "multipart/form-data"),
    "a web form": ({"data": {"file": "x"}}, 415, "multipart/form-data"),
    "a page of another site": (
        {"files": {"file": picture()}, "headers": {"sec-fetch-site": "cross-site"}},
        403,
        "other sites",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_is_refused_in_one_clear_sentence(watcher, name):
    request, status, words = REFUSED[name]
    found = watcher.post("/predict", **request)
    assert (found.status_code, words in found.json()["error"]) == (status, True), found.text
    assert send(watcher, picture()).status_code == 200


def test_bytes_that_look_like_the_edge_stay_in_their_file(client):
    odd = clip() + b"\r\n\r\n--edg\r\n--\r\n--" * 9
    found = client.post("/predict", **form(FIELD % (b"file", odd) + b"--edge--\r\n"))
    assert found.json() == send(client, clip()).json()


def test_a_header_that_promises_an_hour_is_not_believed(client):
    hour = bytearray(clip()[:44]) + b"\0" * 100
    hour[40:44] = struct.pack("<I", 3600 * 32_000)
    found = send(client, bytes(hour))
    assert found.status_code == 422 and "the file ends before its sound does" in found.json()["error"]


def test_a_model_that_writes_what_it_hears_is_served_too(tmp_path):
    rows = said_corpus()
    model = lk.load(writer(tmp_path / "writer"), task=rows.task)
    clips = [e.input for e in rows.test[:2]]
    with running(model) as (_, client):
        found = send(client, *map(clip, clips))
    assert found.status_code == 200, found.text
    assert [p["answer"] for p in found.json()["predictions"]] == [x.text for x in lk.predict(model, clips)]


def test_a_model_of_texts_takes_no_form(tmp_path):
    with running(lk.load(bert(tmp_path / "bert"), labels=("good", "bad"))) as (_, client):
        found = send(client, b"hi")
        assert found.status_code == 415 and found.json()["error"].endswith("send application/json.")
        assert FORM not in json.dumps(client.get("/openapi.json").json())


def test_the_interface_tells_both_ways(client):
    told = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert list(told) == ["application/json", FORM]
    assert told[FORM]["schema"]["properties"]["file"]["items"]["format"] == "binary"
    assert "curl -F file=@clip.wav" in client.get("/docs").text


@pytest.mark.parametrize("lang, words", [("zh", "录音"), ("en", "Record")])
def test_the_page_asks_for_a_file_and_for_a_recording_of_sound_alone(client, watcher, lang, words):
    heard, seen = (json.loads(given_to(c, lang)) for c in (client, watcher))
    assert ".wav" in heard["kinds"] and heard["seconds"] == 10 and heard["words"]["record"] == words
    assert ".png" in seen["kinds"] and seen["seconds"] == 0 and seen["most"] == 63 * 1024


def given_to(client, lang):
    """What the page was given."""
    text = client.get("/", params={"lang": lang}).text
    return text.split('id="data">', 1)[1].split("</script>", 1)[0]


def test_others_are_answered_while_a_picture_is_opened(monkeypatch):
    service, looked = Service(lk.load("tiny-resnet", task=lk.doodles(limit=64).task)), threading.Event()
    opened, waited = type(service.task).receive, []

    def slowly(task, value):
        waited.append(looked.wait(20))
        return opened(task, value)

    async def scenario():
        asked = asyncio.create_task(service.predict([base64.b64encode(picture()).decode()]))
        while not waited and not asked.done():
            await asyncio.sleep(0.01)
            looked.set()  # what the loop does for others
        return await asked

    monkeypatch.setattr(type(service.task), "receive", slowly)
    (answer,) = asyncio.run(scenario())
    service.close()
    assert waited == [True] and answer.label in service.task.labels
