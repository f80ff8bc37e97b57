"""Arrays of pixels as PNG, by the standard library alone: what a page or a notebook shows needs no picture library."""

import base64
import struct
import zlib
from html import escape
from typing import Any


def png(pixels) -> bytes:
    """A uint8 array (height, width), (height, width, 3) or, with opacity, (height, width, 4) as the bytes of a PNG file.

    Source: the PNG specification (W3C), sections 5, 9 and 11.2.
    """
    import numpy as np

    pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
    colours = 1 if pixels.ndim == 2 else pixels.shape[2]
    height, width = pixels.shape[:2]
    rows = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.reshape(height, width * colours)], axis=1
    )  # no filter
    kind = {1: 0, 3: 2, 4: 6}[colours]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def thumbnail(pixels, words: str, width: int = 72, style: str = "") -> str:
    """A picture as HTML, in whole pixels: a small one is blown up without blurring, a large one thinned out first."""
    step = max(1, max(pixels.shape[:2]) // (3 * width))
    look = f"image-rendering:pixelated;vertical-align:middle;{style}"
    return f'<img alt="{escape(words)}" width="{width}" style="{look}" src="{png_uri(pixels[::step, ::step])}" />'


def png_uri(pixels) -> str:
    """Pixels as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def grey(pixels) -> Any:
    """The brightness of each pixel, float32 (height, width) from 0 to 255. Weights: ITU-R BT.601."""
    import numpy as np

    pixels = np.asarray(pixels, dtype=np.float32)
    return pixels if pixels.ndim == 2 else pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
