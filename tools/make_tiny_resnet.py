"""Pretrain a small ResNet on pictures that this program draws: letters and Chinese characters in many fonts, and plain shapes.

    python tools/make_tiny_resnet.py --steps 3000 --out tiny-resnet [--resume]

No photograph is read, and no digit is drawn: what it can do with hand signs or handwritten digits it has from edges, strokes
and corners of other things. Each picture is drawn anew: another font, place, size, slant, colours, light and noise. One font in
eight is held out. The run is written to OUT/checkpoint.pt every 250 steps and goes on from there with --resume (a file of ours,
read with weights_only). Fonts: --fonts FOLDER …, files and folders; their names and licences go into pretraining.json.
"""

import argparse
import hashlib
import json
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch.nn.functional import affine_grid, conv2d, cross_entropy, grid_sample, interpolate

SIDE, MASK = 48, 64  # pixels of a picture, and of the masks that it is drawn from
REVIEWS = Path(__file__).resolve().parents[1] / "labkit" / "assets" / "reviews.csv"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abdefghijmnqrtyz"  # lower-case ones that are not just small capitals
FONTS = ("/usr/share/fonts/truetype", "/usr/share/fonts/opentype")
MEAN, DEVIATION = 0.5, 0.5


def hanzi(n: int = 250) -> str:
    """The commonest Chinese characters of the packaged reviews."""
    counts = Counter(c for c in REVIEWS.read_text("utf-8") if "\u4e00" <= c <= "\u9fff")
    return "".join(sorted(counts, key=lambda c: (-counts[c], c))[:n])


def font_files(places) -> list[tuple[Path, int]]:
    """Every font file below these places, with the number of the face that is used: of a collection the first."""
    found = []
    for place in map(Path, places):
        files = (
            [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.suffix in (".ttf", ".otf", ".ttc"))
        )
        found += [(path, 0) for path in files]
    return found


def glyph(font, text: str):
    """A character as a mask (MASK, MASK) uint8 that fills it; None where the font has no such character."""
    box = font.getbbox(text)
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 2 or height < 2:
        return None
    side = max(width, height) + 8
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).text(((side - width) / 2 - box[0], (side - height) / 2 - box[1]), text, 255, font)
    return np.asarray(picture.resize((MASK, MASK), Image.Resampling.BILINEAR))


def glyph_masks(files, characters: str):
    """(masks, classes, fonts) of each character in each font that has it."""
    masks, classes, fonts = [], [], []
    for number, (path, face) in enumerate(files):
        font = ImageFont.truetype(str(path), 56, index=face)
        missing = glyph(font, "\U000f0000")  # what a font draws for what it has not
        for label, character in enumerate(characters):
            mask = glyph(font, character)
            if mask is None or (missing is not None and np.array_equal(mask, missing)):
                continue
            masks.append(mask), classes.append(label), fonts.append(number)
    return np.stack(masks), np.array(classes), np.array(fonts)


def polygon(corners: int, inner: float = 1.0, turn: float = 0.0) -> list[tuple[float, float]]:
    """The corners of a regular polygon in the unit circle; with `inner` those of a star."""
    points, many = [], corners * (2 if inner != 1 else 1)
    for i in range(many):
        radius, angle = (inner if i % 2 else 1.0) if inner != 1 else 1.0, 2 * math.pi * i / many + turn - math.pi / 2
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
    return points


POLYGONS = {
    "triangle": polygon(3),
    "square": polygon(4, turn=math.pi / 4),
    "pentagon": polygon(5),
    "hexagon": polygon(6),
    "diamond": [(0, -1), (0.6, 0), (0, 1), (-0.6, 0)],
    "star": polygon(5, 0.42),
    "burst": polygon(8, 0.6),
    "cross": [(-.3, -1), (.3, -1), (.3, -.3), (1, -.3), (1, .3), (.3, .3), (.3, 1), (-.3, 1), (-.3, .3), (-1, .3), (-1, -.3), (-.3, -.3)],
    "arrow": [(-1, -.25), (.2, -.25), (.2, -.7), (1, 0), (.2, .7), (.2, .25), (-1, .25)],
    "corner": [(-1, -1), (-.4, -1), (-.4, .4), (1, .4), (1, 1), (-1, 1)],
    "zigzag": [(-1, -.2), (-.4, -.9), (0, .1), (.5, -.9), (1, .2), (.6, .9), (.1, .3), (-.4, .9)],
    "trapeze": [(-.5, -.7), (.5, -.7), (1, .7), (-1, .7)],
}  # fmt: skip
ROUND = ("disc", "ring", "half", "crescent", "ellipse", "two discs", "fan", "stripes", "grid", "fingers")
SHAPES = (*POLYGONS, *ROUND)


def shape_mask(name: str, rng, hollow: bool):
    """A shape as a mask, four times as large while it is drawn; `hollow` draws its edge alone."""
    big = 4 * MASK
    picture = Image.new("L", (big, big))
    draw, middle, radius = ImageDraw.Draw(picture), big / 2, 0.42 * big
    around, line = [middle - radius, middle - radius, middle + radius, middle + radius], int(rng.uniform(14, 34))
    if name in POLYGONS:
        points = [
            (middle + radius * (x + rng.normal(0, 0.04)), middle + radius * (y + rng.normal(0, 0.04)))
            for x, y in POLYGONS[name]
        ]
        draw.line([*points, *points[:2]], 255, line, joint="curve") if hollow else draw.polygon(points, 255)
    elif name == "ring":
        draw.ellipse(around, outline=255, width=2 * line)
    elif name in ("disc", "half", "crescent", "ellipse", "fan"):
        if name == "ellipse":
            around[1], around[3] = middle - radius * rng.uniform(0.4, 0.65), middle + radius * rng.uniform(0.4, 0.65)
        if name == "fan":
            draw.pieslice(around, -90 - rng.uniform(30, 60), -90 + rng.uniform(30, 60), 255)
        elif name == "half":
            draw.pieslice(around, 180, 360, 255)
        else:
            draw.ellipse(around, outline=255, width=line) if hollow and name == "ellipse" else draw.ellipse(around, 255)
        if name == "crescent":
            off = radius * rng.uniform(0.5, 0.8)
            draw.ellipse([around[0] + off, around[1] - off / 3, around[2] + off, around[3] - off / 3], 0)
    elif name == "two discs":
        for side in (-1, 1):
            x = middle + side * radius * 0.5
            draw.ellipse([x - radius * 0.42, middle - radius * 0.42, x + radius * 0.42, middle + radius * 0.42], 255)
    elif name in ("stripes", "grid"):
        step = int(rng.uniform(36, 56))
        for at in range(int(middle - radius), int(middle + radius), step):
            draw.line([around[0], at, around[2], at], 255, line)
            if name == "grid":
                draw.line([at, around[1], at, around[3]], 255, line)
    else:  # a palm with one to five bars
        draw.rounded_rectangle([middle - radius * 0.6, middle, middle + radius * 0.6, middle + radius], 30, 255)
        for finger in range(int(rng.integers(1, 6))):
            x = middle - radius * 0.5 + finger * radius * 0.26
            draw.rounded_rectangle(
                [x - line / 2, middle - radius * rng.uniform(0.6, 1), x + line / 2, middle + 10], line // 2, 255
            )
    return np.asarray(picture.resize((MASK, MASK), Image.Resampling.BOX))


class Drawing:
    """Masks of every class, and pictures drawn of them: (rows, 3, SIDE, SIDE) from -1 to 1, with their classes."""

    def __init__(self, files, held, seed: int):
        characters = LETTERS + hanzi()
        masks, classes, fonts = glyph_masks(files, characters)
        rng, self.first = np.random.default_rng(seed), len(characters)
        first = self.first  # shapes come behind the characters
        shapes = [shape_mask(name, rng, hollow=i % 3 == 0) for name in SHAPES for i in range(60)]
        self.masks = torch.from_numpy(np.concatenate([masks, np.stack(shapes)])).float()[:, None] / 255
        self.classes = torch.from_numpy(np.concatenate([classes, np.repeat(np.arange(len(SHAPES)) + first, 60)]))
        parted = np.concatenate([np.isin(fonts, held), np.tile(np.arange(60) >= 54, len(SHAPES))])
        self.splits = {
            name: torch.from_numpy(np.flatnonzero(parted == flag)) for name, flag in (("train", False), ("held", True))
        }
        self.weights = {}
        for name, rows in self.splits.items():
            count = self.classes[rows].bincount(minlength=first + len(SHAPES)).clamp(min=1).float()
            boost = torch.where(torch.arange(len(count)) >= first, 4.0, 1.0)  # shapes are few: they come more often
            self.weights[name] = (boost / count)[self.classes[rows]]
        self.names = [*characters, *SHAPES]

    def batch(self, n: int, draw: torch.Generator, split: str = "train"):
        rows = self.splits[split][torch.multinomial(self.weights[split], n, replacement=True, generator=draw)]

        def uniform(low: float, high: float, *shape: int):
            return torch.empty(n, *shape).uniform_(low, high, generator=draw)

        shape = self.classes[rows] >= self.first
        turn = torch.where(shape, uniform(-math.pi, math.pi), uniform(-0.35, 0.35))
        zoom, slant, wide = uniform(0.95, 1.9), uniform(-0.25, 0.25), uniform(0.8, 1.25)
        cos, sin = turn.cos() * zoom, turn.sin() * zoom
        theta = torch.stack(
            [
                torch.stack([cos * wide, -sin + slant, uniform(-0.35, 0.35)], 1),
                torch.stack([sin * wide, cos, uniform(-0.35, 0.35)], 1),
            ],
            1,
        )
        masks = grid_sample(
            self.masks[rows], affine_grid(theta, [n, 1, SIDE, SIDE], align_corners=False), align_corners=False
        )
        return self.coloured(masks, n, draw, uniform), self.classes[rows]

    def coloured(self, masks, n: int, draw, uniform):
        """A shape in one colour on a ground of another, both with a light that falls from one side, blurred and with noise."""
        ground, front = uniform(0, 1, 3, 1, 1), uniform(0, 1, 3, 1, 1)
        grey = uniform(0, 1, 1, 1, 1) < 0.35
        ground, front = (torch.where(grey, x.mean(1, keepdim=True).expand_as(x), x) for x in (ground, front))
        near = (ground.mean(1, keepdim=True) - front.mean(1, keepdim=True)).abs() < 0.25
        front = torch.where(near, (ground + 0.5) % 1.0, front)
        places = torch.linspace(-1, 1, SIDE)
        light = uniform(-0.35, 0.35, 1, 1, 1) * places[:, None] + uniform(-0.35, 0.35, 1, 1, 1) * places
        patches = interpolate(torch.randn(n, 3, 6, 6, generator=draw), size=SIDE, mode="bilinear", align_corners=False)
        pictures = ground + (front - ground) * masks + light + uniform(0, 0.12, 1, 1, 1) * patches
        kernel = torch.tensor([1.0, 2.0, 1.0])
        kernel = (kernel[:, None] * kernel / 16).expand(3, 1, 3, 3)
        soft = conv2d(pictures, kernel, padding=1, groups=3)
        pictures = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, soft, pictures)
        pictures = pictures + uniform(0, 0.08, 1, 1, 1) * torch.randn(pictures.shape, generator=draw)
        return (pictures.clamp(0, 1) - MEAN) / DEVIATION


def network(classes: int):
    from transformers import ResNetConfig, ResNetForImageClassification

    sizes = {"embedding_size": 24, "hidden_sizes": [24, 48, 96, 192], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    return ResNetForImageClassification(ResNetConfig(num_channels=3, num_labels=classes, **sizes))


def accuracy(model, drawing: Drawing) -> float:
    """On 1,000 pictures of the fonts and shapes that were held out, the same every time."""
    model.eval()
    draw, right = torch.Generator().manual_seed(1), 0
    with torch.no_grad():
        for _ in range(5):
            pictures, classes = drawing.batch(200, draw, "held")
            right += int((model(pictures).logits.argmax(-1) == classes).sum())
    model.train()
    return right / 1000


def pretrain(args) -> None:
    torch.manual_seed(args.seed)
    files = font_files(args.fonts)
    held = list(range(3, len(files), 8))
    drawing = Drawing(files, held, args.seed)
    model = network(len(drawing.names)).to(memory_format=torch.channels_last)  # a fifth quicker on a CPU
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.05)
    step, log, minutes, place = 0, [], 0.0, args.out / "checkpoint.pt"
    args.out.mkdir(parents=True, exist_ok=True)
    if args.resume and place.exists():
        kept = torch.load(place, weights_only=True)
        model.load_state_dict(kept["model"]), optimizer.load_state_dict(kept["optimizer"])
        step, log, minutes = kept["step"], kept["log"], kept["minutes"]
    began, losses, ends = time.perf_counter() - 60 * minutes, [], time.perf_counter() + 60 * args.minutes
    model.train()
    while step < args.steps:
        draw = torch.Generator().manual_seed((args.seed << 32) + step)
        pictures, classes = drawing.batch(args.batch, draw)
        share = min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * share
        loss = cross_entropy(model(pictures).logits, classes, label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(), optimizer.zero_grad()
        losses.append(loss.item())
        step += 1
        enough = time.perf_counter() > ends
        if step % args.every == 0 or step == args.steps or enough:
            minutes = (time.perf_counter() - began) / 60
            log.append(
                [step, round(sum(losses) / len(losses), 3), round(accuracy(model, drawing), 4), round(minutes, 1)]
            )
            losses = []
            print(*log[-1], flush=True)
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "log": log,
                "minutes": minutes,
            }
            torch.save(state, place.with_suffix(".new")), place.with_suffix(".new").replace(place)
            if enough:
                break
    if step == args.steps:
        publish(model, drawing, files, held, log, args)


def publish(model, drawing: Drawing, files, held, log, args) -> None:
    """The network below the head in half precision (its running statistics stay whole), as transformers saves it."""
    body = model.resnet.half()
    for module in body.modules():
        for name, tensor in module._buffers.items():
            module._buffers[name] = tensor.float() if tensor.is_floating_point() else tensor
    body.config.num_labels = 2
    body.save_pretrained(args.out)
    size = {"height": SIDE, "width": SIDE}
    card = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": size,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [DEVIATION] * 3,
    }
    (args.out / "preprocessor_config.json").write_text(json.dumps(card, indent=2, sort_keys=True) + "\n")
    fonts = [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16], "held out": i in held}
        for i, (path, _) in enumerate(files)
    ]
    said = {"seed": args.seed, "steps": args.steps, "batch": args.batch, "lr": args.lr, "classes": len(drawing.names)}
    told = ["step", "training loss", "held-out accuracy", "minutes"]
    record = {"settings": said, "fonts": fonts, "log": [dict(zip(told, line, strict=True)) for line in log]}
    (args.out / "pretraining.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("tiny-resnet"))
    parser.add_argument("--fonts", nargs="+", default=list(FONTS), metavar="PLACE")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many, to go on with --resume")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--sheet", action="store_true", help="only draw a sheet of pictures to look at, OUT/sheet.png")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.sheet:
        args.out.mkdir(parents=True, exist_ok=True)
        files = font_files(args.fonts)
        pictures, _ = Drawing(files, [], args.seed).batch(192, torch.Generator().manual_seed(0))
        rows = (pictures * DEVIATION + MEAN).permute(0, 2, 3, 1).reshape(12, 16, SIDE, SIDE, 3)
        sheet = rows.permute(0, 2, 1, 3, 4).reshape(12 * SIDE, 16 * SIDE, 3)
        Image.fromarray((255 * sheet).byte().numpy()).save(args.out / "sheet.png")
    else:
        pretrain(args)


if __name__ == "__main__":
    main()
