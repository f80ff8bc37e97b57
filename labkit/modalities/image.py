"""Pictures: bytes of pixels, read from files and arrays of every usual kind, as large as a model's own settings say.

The only file that knows that inputs are pictures. Files are read by Pillow, whatever a file claims to be is checked against
its header before it is unpacked. Notebook 14 uses it.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.config import checked_number
from labkit.base.hub import reach
from labkit.base.language import listing, tr
from labkit.base.pictures import grey, png_uri, thumbnail
from labkit.base.records import BadInput
from labkit.modalities.contract import Modality, file_bytes
from labkit.modalities.pixels import Pixels, moved

FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "WEBP",
    "TIFF",
    "PPM",
)  # what Pillow may take a file for: none that runs a program
MOST_PIXELS = 50_000_000  # in a file's header: more is a mistake, or meant to fill the memory
MOST_BYTES = 64 * 2**20  # of a file
SIDE = (
    256  # pixels that the shorter side of a picture from a file keeps: what a ResNet-50 is given before it is cropped
)
ALIKE = 4.0  # of 255: root mean square between two thumbnails of pictures that count as the same
TINY = 16  # pixels a side of those thumbnails
FOR, AGAINST = (34, 94, 168), (214, 69, 80)  # blue and red, as everywhere where something speaks for or against
NAMES = ("x", "images", "image", "pictures")  # what an array of pictures may be called


def amount(low: float, high: float) -> Any:
    """A setting of how much pictures vary while training: a model that was trained with another one is asked the same."""
    return field(default=0.0, compare=False, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Image(Modality):
    """Pictures, uint8 (height, width) in grey or (height, width, 3) in red, green, blue. An item is `{"pixel_values": uint8
    (channels, height, width)}`, as large as the model wants it; its size is counted in pixels.

    >>> Image(shift=0.1, rotate=10)                          # varied anew in every epoch of training, and only there
    Image(shift=0.1, rotate=10.0, scale=0.0, flip=False)
    """

    shift: float = amount(0, 0.5)  # at most this share of a side, in both directions
    rotate: float = amount(0, 180)  # at most so many degrees to either side
    scale: float = amount(0, 0.9)  # at most this share larger or smaller
    flip: bool = field(default=False, compare=False)  # left and right changed in half of the rows

    name: ClassVar[str] = "image"
    model: ClassVar[str] = "tiny-resnet"
    epochs: ClassVar[float] = 4
    cheap: ClassVar[tuple[str, str]] = ("pixels", "pixels")
    suffixes: ClassVar[tuple[str, ...]] = (
        ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    )  # fmt: skip
    heads: ClassVar[dict[str, str]] = {"classification": "AutoModelForImageClassification"}

    def __post_init__(self):
        for name in ("shift", "rotate", "scale"):
            rule = type(self).__dataclass_fields__[name].metadata
            object.__setattr__(self, name, checked_number(name, getattr(self, name), rule["low"], rule["high"]))
        object.__setattr__(self, "flip", bool(self.flip))

    # Where pictures come from

    def read(self, path: Path) -> Any:
        """The pixels of one file; larger ones are made smaller until the shorter side has SIDE pixels."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(tr(f"没有文件 {path}。", f"No file {path}."))
        if path.stat().st_size > MOST_BYTES:
            raise too_large(path, f"{path.stat().st_size / 2**20:,.0f} MB")
        return opened(path.read_bytes(), path)

    def rows_in(self, arrays: Mapping[str, Any], where: str) -> list | None:
        found = next((arrays[name] for name in NAMES if name in arrays), None)
        if found is None or found.ndim not in (3, 4):
            return None
        return list(as_pixels(found, where))

    def accept(self, value) -> Any:
        """Pixels, the path of a file, or a picture of Pillow's."""
        if isinstance(value, (str, Path)):
            return self.read(Path(value))
        if hasattr(value, "getexif"):
            return of_pillow(value)
        return as_pixels(value, tr("输入", "input")) if hasattr(value, "ndim") and value.ndim in (2, 3) else value

    def parse(self, word: str) -> Any:
        """The path of a file."""
        return self.read(Path(word))

    def receive(self, value) -> Any:
        """A file's bytes, as they are or in base64, also as a data URI."""
        try:
            data = file_bytes(value)
        except (AttributeError, TypeError, ValueError):
            raise BadInput(
                tr(
                    "图片应是一个字符串：图片文件的字节，用 base64 编码。",
                    "A picture should be a string: the bytes of its file in base64.",
                )
            ) from None
        if len(data) > MOST_BYTES:
            raise too_large(tr("输入", "The input"), f"{len(data) / 2**20:,.0f} MB")
        return opened(data, tr("输入", "the input"))

    # What varies

    @property
    def varies(self) -> bool:
        return bool(self.shift or self.rotate or self.scale or self.flip)

    def varied(self, item: dict, rng) -> dict:
        across, down, turn, zoom = rng.uniform(-1, 1, 4) * (self.shift, self.shift, self.rotate, self.scale)
        mirror = self.flip and rng.random() < 0.5
        return {**item, "pixel_values": moved(item["pixel_values"], across, down, turn, 1 + zoom, mirror)}

    def suits(self, labels: Sequence[str]) -> None:
        """Digits, letters and sides are others in the mirror."""
        handed = [
            name for name in labels if len(name) == 1 or {"left", "right", "左", "右"} & set(name.lower().split())
        ]
        if self.flip and handed:
            raise BadInput(
                tr(
                    f"flip 不行：标签 {listing(handed, 4)} 在镜子里就不是它了。请去掉 flip，可以用 shift、rotate、scale。",
                    f"flip won't do: {listing(handed, 4)} is no more itself in a mirror. Leave flip out; shift, rotate and "
                    "scale are there.",
                )
            )

    # What a network reads

    def load_processor(self, place: str, config, **where) -> Pixels:
        return reach(Pixels, place, config=config, **where)

    def check(self, inputs: Sequence) -> None:
        for one in inputs if len(inputs) else [None]:
            shape = getattr(one, "shape", ())
            if (
                str(getattr(one, "dtype", "")) != "uint8"
                or len(shape) not in (2, 3)
                or 0 in shape
                or shape[2:] not in ((), (3,))
            ):
                what = f"{shape} {one.dtype}" if shape else str(one)[:60]
                raise BadInput(
                    tr(
                        f"图片应是 uint8 的数组，形状（高, 宽）或（高, 宽, 3），或者文件的路径。给的是：{what}",
                        "A picture should be an array of uint8, of shape (height, width) or (height, width, 3), or a file's "
                        f"path. Given: {what}",
                    )
                )

    def encode(self, processor: Pixels, inputs: Sequence, limit: int) -> list[dict]:
        return [{"pixel_values": processor.fitted(x)} for x in inputs]

    def size(self, item: dict) -> int:
        return item["pixel_values"].shape[-2] * item["pixel_values"].shape[-1]

    def budget(self, device) -> int:
        """On a CPU, 64 pictures of 48 x 48 pixels, or three of 224 x 224 (docs/LOG.md)."""
        return 160_000 if str(device) == "cpu" else 12_800_000

    def pad(self, processor: Pixels, items: Sequence[dict]) -> dict[str, Any]:
        """`pixel_values` (rows, channels, height, width) float32, as the model's own settings want them."""
        import numpy as np

        return {"pixel_values": processor.normalised(np.stack([item["pixel_values"] for item in items]))}

    def stub(self, n: int, device) -> dict[str, Any]:
        import torch

        return {"pixel_values": torch.zeros((n, 3, 1, 1), device=device)}

    def trial(self, processor: Pixels, device) -> dict[str, Any]:
        """A black picture, as large as the model wants it."""
        import numpy as np

        blank = self.pad(processor, self.encode(processor, [np.zeros((8, 8), np.uint8)], 0))
        return {name: tensor.to(device) for name, tensor in blank.items()}

    # Likeness

    def key(self, input) -> Any:
        return input.shape, blake2b(input.tobytes(), digest_size=16).digest()

    def content(self, input) -> bytes:
        return repr(input.shape).encode() + input.tobytes()

    def near(self, earlier: Sequence, later: Sequence) -> list[tuple[int, int, float]]:
        """Pictures whose thumbnails are nearly the same: scaled, compressed or a little brighter, they are one picture.
        Likeness is 1.0 where they are equal, and falls with the root mean square of the thumbnails' difference."""
        import numpy as np

        if not len(earlier) or not len(later):
            return []
        known = np.stack([tiny(x) for x in earlier])
        lengths, found = (known**2).sum(1), []
        for j, one in enumerate(map(tiny, later)):
            apart = lengths - 2 * known @ one + one @ one
            i = int(apart.argmin())
            off = float(np.sqrt(max(apart[i], 0.0) / len(one)))
            if off <= ALIKE:
                found.append((i, j, 1.0 if self.key(earlier[i]) == self.key(later[j]) else 0.999 - off / 255))
        return found

    # Faces

    def html(self, input) -> str:
        return thumbnail(input, self.text(input))

    def marked(self, input, scores, step: float) -> str:
        """The picture, and beside it the map."""
        words = tr("这张图片，哪里支持、哪里反对", "where the picture speaks for it and against it")
        return f"{thumbnail(input, self.text(input), 144)} {thumbnail(self.coloured(input, scores), words, 144)}"

    def mapped(self, input, scores, step: float) -> str:
        return png_uri(self.coloured(input, scores))

    def coloured(self, input, scores) -> Any:
        """The picture, faint, under the scores: blue speaks for the label, red against it. Scores are of the network's pixels
        (channels, height, width), which show what was cut off at the sides, too. uint8 (height, width, 3)."""
        import numpy as np

        shares = np.asarray(scores, dtype=np.float32)
        shares = shares.reshape(-1, *shares.shape[-2:]).sum(0)
        strength = np.minimum(np.abs(shares) / max(np.quantile(np.abs(shares), 0.995), 1e-12), 1.0)[..., None]
        colour = np.where(shares[..., None] > 0, FOR, AGAINST)
        ground = grey(Pixels(*shares.shape).resized(input))[..., None] * 0.35 + 150
        return np.round(ground * (1 - strength) + colour * strength).astype(np.uint8)

    def text(self, input) -> str:
        height, width = input.shape[:2]
        return tr(f"{width}×{height} 的图片", f"picture of {width}×{height}")

    def example(self) -> str:
        return tr("图片.png", "PICTURE.png")

    def title(self) -> str:
        return tr("图片", "picture")

    def features(self, n: int) -> Any:
        """The pixels of thumbnails in colour."""
        from sklearn.preprocessing import FunctionTransformer

        return FunctionTransformer(pixel_rows)


# Files in, pixels out


def opened(data: bytes, where) -> Any:
    """The pixels of a file's bytes; BadInput where they are none, or too many."""
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bombs are refused below, from the header
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise too_large(where, f"{picture.width:,} × {picture.height:,}")
                picture.draft("RGB", (SIDE, SIDE))  # a JPEG is unpacked no larger than it is kept
                return of_pillow(picture)
    except BadInput:
        raise
    except Pillow.DecompressionBombError:
        raise too_large(where, tr("几亿", "hundreds of millions")) from None
    except Exception as error:  # each format has errors of its own
        reason = str(error).replace(str(where), "").splitlines()[:1]
        raise BadInput(
            tr(
                f"{where} 不是可读的图片（{type(error).__name__}）。支持：{listing(FORMATS, 9)}。请删去它，或重新保存一份。",
                f"{where} is no readable picture ({(reason or [type(error).__name__])[0][:80]}). Known are: {listing(FORMATS, 9)}. "
                "Remove it, or save it again.",
            )
        ) from None


def of_pillow(picture) -> Any:
    """The pixels of a Pillow picture: turned as its camera says, over white where it lets light through, at most SIDE pixels on
    the shorter side; uint8, in grey or in three colours."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageOps

    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = sixteen_bits(picture)
    picture = ImageOps.exif_transpose(picture)
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, "white")
        picture = Pillow.alpha_composite(ground, picture).convert("RGB")
    elif picture.mode in ("1", "L"):
        picture = picture.convert("L")
    elif picture.mode != "RGB":
        picture = picture.convert("RGB")
    if min(picture.size) > SIDE:
        share = SIDE / min(picture.size)
        picture = picture.resize(
            [round(side * share) for side in picture.size], Pillow.Resampling.BICUBIC, reducing_gap=3
        )
    return np.asarray(picture)


def sixteen_bits(picture) -> Any:
    """A picture of more than 256 shades in 256: its whole range where it says 16 bits, else from its darkest to its lightest."""
    import numpy as np
    from PIL import Image as Pillow

    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(tr("有不是数的像素", "pixels that are no numbers"))
    low, high = 0.0, 65535.0
    if values.min() < low or values.max() > high or picture.mode == "F":
        low, high = values.min(), values.max()
    elif values.max() <= 255:
        high = 255.0
    made = Pillow.fromarray(np.round((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8))
    made.info = {k: v for k, v in picture.info.items() if k == "exif"}
    return made


def as_pixels(values, where) -> Any:
    """One picture or many, (…, height, width) or (…, height, width, 1 | 3 | 4), as uint8; BadInput for what is none."""
    import numpy as np

    values = np.asarray(values)
    kind = values.dtype.kind
    if kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    elif kind == "f" and values.size and np.isfinite(values).all() and values.min() >= 0:
        top = 1.0 if values.max() <= 1 else 255.0
        values = np.round(values.clip(0, top) * (255 / top)).astype(np.uint8) if values.max() <= 255 else None
    elif kind in "ui" and values.dtype != np.uint8:
        wide = values.dtype == np.uint16 and values.max(initial=0) > 255
        inside = values.min(initial=0) >= 0 and (wide or values.max(initial=0) <= 255)
        values = (values / 257 if wide else values).round().astype(np.uint8) if inside else None
    elif kind not in "ui":
        values = None
    if values is None:
        raise BadInput(
            tr(
                f"{where} 的像素应是 0 到 255 的整数，或 0 到 1 的小数，没有 NaN。",
                f"{where}: pixels should be whole numbers from 0 to 255, or numbers from 0 to 1, none of them NaN.",
            )
        )
    if values.ndim > 2 and values.shape[-1] == 4:
        alpha = values[..., 3:].astype(np.float32) / 255
        values = np.round(values[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return values[..., 0] if values.ndim > 2 and values.shape[-1] == 1 else values


def too_large(where, size: str) -> BadInput:
    return BadInput(
        tr(
            f"{where} 太大（{size}）：一张图片最多 {MOST_PIXELS // 10**6} 百万像素、{MOST_BYTES >> 20} MB。请缩小它，或检查文件是否损坏。",
            f"{where} is too large ({size}): a picture may have {MOST_PIXELS // 10**6} million pixels and {MOST_BYTES >> 20} MB. "
            "Make it smaller, or see whether the file is damaged.",
        )
    )


def tiny(pixels) -> Any:
    """A thumbnail in grey as one row of float32: what near-duplicates are told by."""
    import numpy as np
    from PIL import Image as Pillow

    small = Pillow.fromarray(grey(pixels).round().astype(np.uint8)).resize((TINY, TINY), Pillow.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).reshape(-1)


def pixel_rows(inputs: Sequence) -> Any:
    """Pictures as rows of a matrix, 24 x 24 pixels in three colours from 0 to 1: a linear model reads no more."""
    import numpy as np
    from PIL import Image as Pillow

    small = [np.asarray(Pillow.fromarray(x).convert("RGB").resize((24, 24), Pillow.Resampling.BOX)) for x in inputs]
    return np.stack(small).reshape(len(small), -1) / np.float32(255)
