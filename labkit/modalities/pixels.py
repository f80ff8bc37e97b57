"""What a model wants its pictures like, read from its own preprocessor_config.json; and a picture moved by a hand's breadth.

The same steps as the processors of transformers, by Pillow: resize, crop, rescale, normalise. They stay bytes until a batch is
made, a quarter of what numbers would take.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "preprocessor_config.json"


@dataclass(frozen=True)
class Pixels:
    """Size, crop, mean and deviation of a model's inputs; `saved` is what its file says, to be saved with it again."""

    height: int
    width: int
    channels: int = 3
    shortest: int | None = None  # of the shorter side before the middle is cut out; None: stretched to height and width
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    rescale: float = 1 / 255
    resample: int = 2  # as Pillow counts: 2 is bilinear, 3 bicubic
    saved: dict = field(default_factory=dict, repr=False)

    @classmethod
    def from_pretrained(cls, place: str, config=None, **where) -> "Pixels":
        """What stands at a place, for a network with this configuration."""
        from transformers.image_processing_base import ImageProcessingMixin

        said, _ = ImageProcessingMixin.get_image_processor_dict(place, **where)
        return cls.of(said, getattr(config, "num_channels", 3), getattr(config, "image_size", None))

    @classmethod
    def of(cls, said: dict, channels: int = 3, image_size: int | None = None) -> "Pixels":
        """What a preprocessor_config.json says.

        >>> Pixels.of({"size": {"shortest_edge": 224}, "crop_pct": 0.875}).shortest
        256
        """
        size, kind = (
            said.get("size", image_size or 224),
            str(said.get("image_processor_type") or said.get("feature_extractor_type")),
        )
        if isinstance(size, int):
            size = {"shortest_edge": size} if "ConvN" in kind else {"height": size, "width": size}
        shortest = size.get("shortest_edge")
        height, width = size.get("height", shortest), size.get("width", shortest)
        if not said.get("do_resize", True):
            raise ValueError("do_resize=False")
        if shortest and "crop_pct" in said and shortest < 384:
            shortest = int(shortest / (said["crop_pct"] or 0.875))
        elif shortest and said.get("do_center_crop"):
            crop = said.get("crop_size", shortest)
            height, width = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
        elif shortest:
            shortest = None  # ConvNeXt stretches from 384 on
        plain = not said.get("do_normalize", True)
        return cls(
            height,
            width,
            channels,
            shortest,
            (0.0,) if plain else tuple(said.get("image_mean", (0.5,))),
            (1.0,) if plain else tuple(said.get("image_std", (0.5,))),
            said.get("rescale_factor", 1 / 255) if said.get("do_rescale", True) else 1.0,
            said.get("resample", 2),
            said,
        )

    def save_pretrained(self, folder) -> None:
        Path(folder, FILE).write_text(json.dumps(self.saved, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def fitted(self, pixels) -> Any:
        """A picture as large as the model wants it, uint8 (channels, height, width)."""
        import numpy as np

        if pixels.ndim == 3 and self.channels == 1:
            from labkit.base.pictures import grey

            pixels = grey(pixels).round().astype(np.uint8)
        pixels = self.resized(pixels)
        if pixels.ndim == 2:
            return np.repeat(pixels[None], self.channels, axis=0)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def resized(self, pixels) -> Any:
        import numpy as np
        from PIL import Image

        height, width = pixels.shape[:2]
        if (height, width) == (self.height, self.width) and not self.shortest:
            return pixels
        if not self.shortest:
            return np.asarray(Image.fromarray(pixels).resize((self.width, self.height), self.resample))
        share = self.shortest / min(height, width)
        size = [max(self.shortest, int(side * share)) for side in (width, height)]
        large = np.asarray(Image.fromarray(pixels).resize(size, self.resample))
        top, left = (large.shape[0] - self.height) // 2, (large.shape[1] - self.width) // 2
        return large[top : top + self.height, left : left + self.width]

    def normalised(self, pixels) -> Any:
        """A batch of bytes (rows, channels, height, width) as the network wants it: float32, mean taken off, deviation 1."""
        import torch

        mean, deviation = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.deviation))
        return torch.from_numpy(pixels).to(torch.float32).mul_(self.rescale / deviation).sub_(mean / deviation)


def moved(pixels, across: float, down: float, turn: float, zoom: float, mirror: bool) -> Any:
    """A picture (channels, height, width) shifted by shares of its sides, turned by degrees, larger by a factor, mirrored; what
    was outside takes the colour of the nearest edge. Bilinear, uint8."""
    import numpy as np

    _, height, width = pixels.shape
    turn = np.deg2rad(turn)
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    y, x = y - down * height, x - across * width
    x = -x if mirror else x
    rows = (sin * x + cos * y + (height - 1) / 2).clip(0, height - 1)
    columns = (cos * x - sin * y + (width - 1) / 2).clip(0, width - 1)
    top, left = np.minimum(rows.astype(int), height - 2), np.minimum(columns.astype(int), width - 2)
    below, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    flat, start = pixels.reshape(len(pixels), -1), top * width + left
    upper = flat[:, start] * (1 - right) + flat[:, start + 1] * right
    lower = flat[:, start + width] * (1 - right) + flat[:, start + width + 1] * right
    return np.round(upper * (1 - below) + lower * below).astype(np.uint8)
