"""From the command line with clips: train on a folder, predict a file, serve what comes in base64; bad clips get one message."""

import asyncio
import base64
import json
import struct

import pytest

import labkit as lk
from labkit.cli import commands
from labkit.deploy.service import Service
from labkit.modalities.sounds import wav_bytes

SPOKEN = lk.commands()


def labkit(capsys, *words):
    status = commands.main(list(words))
    return (status, *capsys.readouterr())


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a folder for each of two words, and a model trained on it."""
    place = tmp_path_factory.mktemp("clips")
    for split in ("train", "valid", "test"):
        for i, row in enumerate(r for r in SPOKEN.splits[split] if r.target < 2):
            folder = place / "words" / split / SPOKEN.labels[row.target]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i}.wav").write_bytes(wav_bytes(row.input, 16_000))
    options = ("--epochs", "2", "--device", "cpu", "--out", str(place / "model"))
    assert commands.main(["train", str(place / "words"), *options]) == 0
    return place


def test_a_folder_of_clips_is_trained_on_with_the_packaged_model(here):
    model = lk.load(here / "model")
    assert json.loads((here / "model" / "labkit.json").read_text())["source"] == "tiny-commands"
    assert model.task.labels == ("one", "zero") and model.task.modality.name == "audio"


def test_a_sound_file_is_predicted(here, capsys):
    clip = next((here / "words" / "test" / "zero").iterdir())
    status, out, err = labkit(capsys, "predict", str(here / "model"), str(clip), "--json")
    (said,) = json.loads(out)["predictions"]
    assert (status, err) == (0, "") and said["label"] in ("zero", "one")
    in_python = lk.predict(lk.load(here / "model"), str(clip))[0]
    assert in_python.label == said["label"]


BAD = {
    "empty.wav": (b"", "is empty"),
    "broken.wav": (b"RIFF\x24\0\0\0WAVEfmt ", "header"),
    "hour.wav": (
        b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
        + b"data" + struct.pack("<I", 0) + bytes(2 * 8000 * 130),
        "130 s long",
    ),
    "nowhere.wav": (None, "No file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_clip_gets_one_message_and_status_2(here, tmp_path, capsys, name):
    data, words = BAD[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    status, out, err = labkit(capsys, "predict", str(here / "model"), str(tmp_path / name))
    assert status == 2 and not out and name in err and words in err and "Traceback" not in err


def test_a_service_answers_clips_in_base64_and_refuses_paths(here):
    data = next((here / "words" / "test" / "one").iterdir()).read_bytes()
    service = Service(lk.load(here / "model"))

    async def ask():
        await service.start()
        sent = base64.b64encode(data).decode()
        return await service.predict([sent, str(here / "words" / "test" / "one" / "0.wav"), "bm8gc291bmQ="])

    answer, path, noise = asyncio.run(ask())
    service.close()
    assert answer.label in ("zero", "one")
    assert path.status == noise.status == 422 and "base64" in path.reason
