"""Pictures of every usual kind come in as bytes of pixels, as large as a model wants them; what is none is refused by name."""

import base64
import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from labkit.base.pictures import png, thumbnail
from labkit.base.records import BadInput
from labkit.data.arrays import arrays_in
from labkit.data.loading import load_data
from labkit.modalities.image import ALIKE, SIDE, Image
from labkit.modalities.pixels import Pixels, moved
from labkit.tasks import Classification

RNG = np.random.default_rng(0)


def half(height=20, width=30):
    """Red above, blue below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, :, 0], pixels[height // 2 :, :, 2] = 250, 250
    return pixels


def saved(path, picture, **options):
    (picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)).save(path, **options)
    return path


class TestReading:
    def test_colour_and_grey_come_as_they_are(self, tmp_path):
        colour, grey = half(), half()[..., 0]
        assert np.array_equal(Image().read(saved(tmp_path / "c.png", colour)), colour)
        assert np.array_equal(Image().read(saved(tmp_path / "g.png", grey)), grey)

    def test_a_palette_and_cmyk_become_three_colours(self, tmp_path):
        palette = Image().read(saved(tmp_path / "p.gif", Pillow.fromarray(half()).convert("P")))
        cmyk = Image().read(saved(tmp_path / "k.jpg", Pillow.fromarray(half()).convert("CMYK"), quality=95))
        for found in (palette, cmyk):
            assert found.shape == (20, 30, 3) and found.dtype == np.uint8
            assert found[2, 5].argmax() == 0 and found[-2, 5].argmax() == 2

    def test_what_lets_light_through_stands_on_white(self, tmp_path):
        clear = np.dstack([half(), np.full((20, 30), 255, np.uint8)])
        clear[:, :10, 3] = 0
        found = Image().read(saved(tmp_path / "a.png", clear))
        assert (found[:, :10] == 255).all() and np.array_equal(found[:, 10:], half()[:, 10:])

    def test_sixteen_bits_keep_their_order_and_range(self, tmp_path):
        deep = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
        found = Image().read(saved(tmp_path / "d.png", Pillow.fromarray(deep)))
        assert found.dtype == np.uint8 and (found[0, 0], found[-1, -1]) == (0, 255)
        assert (np.diff(found.reshape(-1).astype(int)) >= 0).all() and len(np.unique(found)) > 200

    def test_a_picture_is_turned_as_its_camera_says(self, tmp_path):
        exif = Pillow.Exif()
        exif[0x0112] = 6  # to be turned right by a quarter
        found = Image().read(saved(tmp_path / "e.png", half(), exif=exif))
        assert found.shape == (30, 20, 3)
        assert found[5, -3].argmax() == 0 and found[5, 3].argmax() == 2

    def test_a_large_picture_is_kept_small(self, tmp_path):
        found = Image().read(saved(tmp_path / "l.jpg", half(1500, 3000)))
        assert found.shape == (SIDE, 2 * SIDE, 3)

    def test_a_broken_file_is_named(self, tmp_path, monkeypatch):
        whole = saved(tmp_path / "w.png", RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8)).read_bytes()
        for name, data in (("cut.png", whole[:900]), ("words.png", b"this is no picture"), ("none.png", b"")):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(BadInput, match=f"{name} is no readable picture"):
                Image().read(tmp_path / name)
        monkeypatch.setenv("LABKIT_LANG", "zh")
        with pytest.raises(BadInput, match=r"words\.png 不是可读的图片"):
            Image().read(tmp_path / "words.png")

    def test_a_header_of_thirty_thousand_pixels_a_side_is_refused_before_anything_is_unpacked(self, tmp_path):
        head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
        body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        with pytest.raises(BadInput, match=r"bomb\.png is too large.*50 million pixels"):
            Image().read(tmp_path / "bomb.png")

    def test_a_program_that_draws_is_no_picture(self, tmp_path):
        (tmp_path / "run.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
        with pytest.raises(BadInput, match="no readable picture"):
            Image().read(tmp_path / "run.png")

    def test_a_missing_file_is_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"gone\.png"):
            Image().read(tmp_path / "gone.png")


class TestArrays:
    @pytest.mark.parametrize("kind", ["uint8", "int64", "float", "bool", "uint16"])
    def test_numbers_of_every_usual_kind_are_pixels(self, kind):
        grey = RNG.integers(0, 2, (6, 5), dtype=np.uint8) * 255
        given = {
            "uint8": grey,
            "int64": grey.astype(np.int64),
            "float": grey / 255,
            "bool": grey > 0,
            "uint16": grey.astype(np.uint16) * 257,
        }[kind]
        assert np.array_equal(Image().accept(given), grey)

    @pytest.mark.parametrize("given", [np.full((4, 4), np.nan), np.full((4, 4), -3), np.full((4, 4), 300.0)], ids=str)
    def test_what_cannot_be_pixels_is_refused(self, given):
        with pytest.raises(BadInput, match="from 0 to 255"):
            Image().accept(given)

    @pytest.mark.parametrize(
        "given", [[], ["a text"], [np.zeros((4, 4))], [np.zeros((4, 0), np.uint8)], [np.zeros((4, 4, 2), np.uint8)]]
    )
    def test_inputs_that_are_no_pictures_are_refused(self, given):
        with pytest.raises(BadInput, match="array of uint8"):
            Image().check(given)

    def test_labels_names_and_groups_stand_in_the_file(self, tmp_path):
        x, y = RNG.integers(0, 255, (60, 8, 8, 3), dtype=np.uint8), np.arange(60) % 3
        np.savez(tmp_path / "a.npz", x=x, y=y, signer=np.arange(60) // 6, label_names=np.array(["stop", "go", "wait"]))
        corpus = load_data(tmp_path / "a.npz")
        assert corpus.labels == ("stop", "go", "wait") and corpus.task == Classification(Image(), corpus.labels)
        sides = [{e.extra["signer"] for e in rows} for rows in corpus.splits.values()]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        assert np.array_equal(
            x[[tuple(i.reshape(-1)) for i in x].index(tuple(corpus.train[0].input.reshape(-1)))], corpus.train[0].input
        )
        assert "split by signer" in corpus.notes

    def test_a_pickle_is_never_opened(self, tmp_path):
        np.savez(tmp_path / "p.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.array([{"a": 1}, None], dtype=object))
        with pytest.raises(BadInput, match=r"'y' of .*pickle.*never opens"):
            load_data(tmp_path / "p.npz")

    def test_a_bomb_is_refused_by_its_header(self, tmp_path, monkeypatch):
        monkeypatch.setattr("labkit.data.arrays.memory.memory_mb", lambda: (100.0, 200.0))
        np.savez_compressed(tmp_path / "z.npz", x=np.zeros((60_000, 32, 32), np.uint8))
        assert (tmp_path / "z.npz").stat().st_size < 100_000
        with pytest.raises(BadInput, match=r"z\.npz unpacks to 59 MB, and 100 MB of memory are free"):
            arrays_in(tmp_path / "z.npz")

    def test_a_header_that_promises_more_than_there_is_is_refused(self, tmp_path):
        part = io.BytesIO()
        np.lib.format.write_array_header_1_0(part, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 48, 48)})
        with zipfile.ZipFile(tmp_path / "h.npz", "w") as archive:
            archive.writestr("x.npy", part.getvalue())
        with pytest.raises(BadInput, match=r"'x'.* is cut short"):
            arrays_in(tmp_path / "h.npz")

    @pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nothing", b"no archive at all"])
    def test_a_damaged_archive_is_named(self, tmp_path, data):
        (tmp_path / "d.npz").write_bytes(data)
        with pytest.raises(BadInput, match=r"d\.npz is no readable \.npz file"):
            arrays_in(tmp_path / "d.npz")

    def test_arrays_that_are_no_inputs_say_what_there_is(self, tmp_path):
        np.savez(tmp_path / "n.npz", numbers=np.arange(3))
        with pytest.raises(BadInput, match="no inputs that labkit knows, only: numbers"):
            load_data(tmp_path / "n.npz")


class TestProcessor:
    """The same numbers as the processors of transformers, from the same files."""

    @pytest.mark.parametrize(
        "card",
        [
            {"image_processor_type": "ViTImageProcessor", "size": {"height": 48, "width": 32}, "resample": 2},
            {"feature_extractor_type": "ViTFeatureExtractor", "size": 40, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
            {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875, "resample": 3},
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "resample": 3},
        ],
        ids=["vit", "old vit", "resnet-50", "convnext"],
    )  # fmt: skip
    def test_pixels_are_made_as_transformers_makes_them(self, tmp_path, card):
        from transformers import AutoImageProcessor

        card = {
            "do_resize": True,
            "do_normalize": True,
            "image_mean": [0.4, 0.5, 0.6],
            "image_std": [0.2, 0.3, 0.2],
            **card,
        }
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(card))
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
        from labkit.models.loading import quiet

        with quiet():
            theirs = AutoImageProcessor.from_pretrained(tmp_path, use_fast=False)
        ours = Pixels.from_pretrained(str(tmp_path))
        for shape in ((60, 60, 3), (90, 50, 3)):
            pixels = RNG.integers(0, 255, shape, dtype=np.uint8)
            wanted = theirs(Pillow.fromarray(pixels), return_tensors="pt")["pixel_values"]
            found = Image().pad(ours, Image().encode(ours, [pixels], 0))["pixel_values"]
            assert found.shape == wanted.shape and torch.allclose(found, wanted, atol=0.08)
            assert (found - wanted).abs().mean() < 0.002

    def test_items_are_bytes_and_a_batch_has_mean_and_deviation(self):
        wants = Pixels(4, 4, 3, None, (0.5,) * 3, (0.25,) * 3)
        (item,) = Image().encode(wants, [np.full((4, 4), 255, np.uint8)], 0)
        assert item["pixel_values"].dtype == np.uint8 and item["pixel_values"].shape == (3, 4, 4)
        assert torch.allclose(Image().pad(wants, [item])["pixel_values"], torch.full((1, 3, 4, 4), 2.0))

    def test_a_model_of_one_channel_is_given_brightness(self):
        (item,) = Image().encode(Pixels(4, 4, 1), [half(4, 4)], 0)
        assert item["pixel_values"].shape == (1, 4, 4) and item["pixel_values"][0, 0, 0] == round(0.299 * 250)


class TestVarying:
    def test_nothing_moves_without_settings_and_the_item_stays_as_it_was(self):
        item = {"pixel_values": RNG.integers(0, 255, (3, 12, 10), dtype=np.uint8)}
        before = item["pixel_values"].copy()
        assert not Image().varies and np.array_equal(moved(before, 0, 0, 0, 1, False), before)
        other = Image(shift=0.2, rotate=20, scale=0.2, flip=True).varied(item, np.random.default_rng(1))
        assert np.array_equal(item["pixel_values"], before) and not np.array_equal(other["pixel_values"], before)
        assert other["pixel_values"].shape == before.shape and other["pixel_values"].dtype == np.uint8

    def test_a_shift_a_mirror_and_a_quarter_turn_do_what_they_say(self):
        picture = RNG.integers(0, 255, (1, 8, 8), dtype=np.uint8)
        right = moved(picture, 0.25, 0, 0, 1, False)
        assert np.array_equal(right[:, :, 2:], picture[:, :, :-2]) and np.array_equal(right[:, :, 0], picture[:, :, 0])
        assert np.array_equal(moved(picture, 0, 0, 0, 1, True), picture[:, :, ::-1])
        turned = moved(picture, 0, 0, 90, 1, False)
        assert np.array_equal(turned, np.rot90(picture, axes=(1, 2))) or np.array_equal(
            turned, np.rot90(picture, -1, (1, 2))
        )

    def test_one_seed_gives_one_picture(self):
        item = {"pixel_values": RNG.integers(0, 255, (3, 12, 10), dtype=np.uint8)}
        one, same, other = (Image(rotate=30).varied(item, np.random.default_rng(s))["pixel_values"] for s in (3, 3, 4))
        assert np.array_equal(one, same) and not np.array_equal(one, other)

    def test_settings_that_make_no_sense_are_refused_and_models_do_not_mind_them(self):
        with pytest.raises(BadInput, match="rotate=500"):
            Image(rotate=500)
        assert Image(rotate=5) == Image() and Image(rotate=5).card() == {"name": "image", "rotate": 5.0}

    def test_digits_and_sides_are_not_flipped(self):
        for labels in (("0", "1"), ("left", "right"), ("turn left", "straight")):
            with pytest.raises(BadInput, match="no more itself in a mirror"):
                Image(flip=True).suits(labels)
        Image(flip=True).suits(("cat", "dog"))


class TestLikeness:
    def test_the_same_picture_again_scaled_or_compressed_is_found_and_another_is_not(self, tmp_path):
        smooth = Pillow.fromarray(RNG.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize(
            (60, 60), Pillow.Resampling.BICUBIC
        )
        one, other = np.asarray(smooth), np.asarray(smooth.rotate(90))
        again = Image().read(saved(tmp_path / "s.jpg", smooth.resize((50, 50)), quality=70))
        found = Image().near([other, one], [again, one, 255 - one])
        assert [(i, j) for i, j, _ in found] == [(1, 0), (1, 1)]
        assert found[1][2] == 1.0 > found[0][2] > 0.999 - ALIKE / 255

    def test_equal_pixels_of_another_shape_are_another_input(self):
        flat, tall = np.zeros((2, 8), np.uint8), np.zeros((8, 2), np.uint8)
        assert Image().key(flat) != Image().key(tall) and Image().content(flat) != Image().content(tall)


class TestFaces:
    def test_our_own_png_is_read_back_as_it_was(self):
        for pixels in (half(), half()[..., 0], np.dstack([half(), half()[..., 0]])):
            assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(png(pixels)))), pixels)

    def test_html_is_a_small_picture_in_whole_pixels(self):
        html = Image().html(RNG.integers(0, 255, (900, 900, 3), dtype=np.uint8))
        assert "image-rendering:pixelated" in html and "picture of 900×900" in html
        data = base64.b64decode(html.split("base64,")[1].split('"')[0])
        assert max(Pillow.open(io.BytesIO(data)).size) < 300
        assert "&lt;" in thumbnail(half(), "<b>")

    def test_a_request_brings_a_file_in_base64_and_never_a_path(self, tmp_path):
        data = base64.b64encode(saved(tmp_path / "r.png", half()).read_bytes()).decode()
        for sent in (data, "data:image/png;base64," + data):
            assert np.array_equal(Image().receive(sent), half())
        for bad in (str(tmp_path / "r.png"), 5, None, ["a"], base64.b64encode(b"no picture").decode()):
            with pytest.raises(BadInput):
                Image().receive(bad)
