"""Draw the doodles that labkit packs for classification of pictures: `python tools/make_doodles.py [FILE] [--sheet PNG]`.

Eight things, drawn by forty hands. A hand has its own pen, paper, slant, tremble and size, and its own idea of each thing: a
house with or without a chimney, a fish that looks to the left. So two drawings by one hand are more alike than two by different
hands, and a split that parts a hand's drawings flatters: the array `drawer` says whose each one is. All of it is made by this
program from the lists below; nothing is taken from elsewhere.
"""

import argparse
import itertools
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FILE = Path(__file__).resolve().parents[1] / "labkit" / "assets" / "doodles.npz"
SIDE, BIG = 48, 192  # pixels of a picture, and while it is drawn
HANDS, EACH = 40, 3  # drawings of each thing by each hand
SPLITS = {"train": range(0, 20), "valid": range(20, 26), "test": range(26, 40)}
SHADES = 15  # what is left of 255: a drawing takes 400 bytes then


def circle(
    x: float, y: float, r: float, begin: float = 0.0, end: float = 360.0, tall: float = 1.0
) -> list[tuple[float, float]]:
    turns = np.linspace(math.radians(begin), math.radians(end), 28)
    return [(x + r * math.cos(t), y + tall * r * math.sin(t)) for t in turns]


def house(idea):
    top = -0.8 if idea[0] < 0.5 else -0.55
    lines = [[(-0.6, -0.1), (-0.6, 0.8), (0.6, 0.8), (0.6, -0.1)], [(-0.8, -0.1), (0, top), (0.8, -0.1), (-0.8, -0.1)]]
    lines += (
        [[(-0.15, 0.8), (-0.15, 0.3), (0.15, 0.3), (0.15, 0.8)]]
        if idea[1] < 0.7
        else [[(-0.3, 0.1), (0.3, 0.1), (0.3, 0.5), (-0.3, 0.5), (-0.3, 0.1)]]
    )
    return lines + ([[(0.35, -0.45), (0.35, -0.85), (0.55, -0.85), (0.55, -0.3)]] if idea[2] < 0.4 else [])


def sun(idea):
    rays, r = int(6 + 6 * idea[0]), 0.3 + 0.15 * idea[1]
    out = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, rays, endpoint=False) + idea[2]]
    return [circle(0, 0, r)] + [[((r + 0.12) * x, (r + 0.12) * y), (0.85 * x, 0.85 * y)] for x, y in out]


def tree(idea):
    trunk = [[(-0.1, 0.9), (-0.1, 0.2)], [(0.1, 0.9), (0.1, 0.2)]]
    if idea[0] < 0.5:
        return [*trunk, circle(0, -0.25, 0.5 + 0.1 * idea[1], 75, 465)]
    tiers = 2 + int(2 * idea[1])
    return trunk + [
        [
            (-0.6 + 0.1 * i, 0.25 - 0.4 * i),
            (0, -0.35 - 0.25 * i),
            (0.6 - 0.1 * i, 0.25 - 0.4 * i),
            (-0.6 + 0.1 * i, 0.25 - 0.4 * i),
        ]
        for i in range(tiers)
    ]


def fish(idea):
    way, tall = (1 if idea[0] < 0.5 else -1), 0.45 + 0.25 * idea[1]
    lines = [
        circle(-0.1, 0, 0.6, tall=tall),
        [(0.45, 0), (0.9, -0.35), (0.9, 0.35), (0.45, 0)],
        circle(-0.42, -0.1, 0.06),
    ]
    lines += [circle(-0.25, 0, 0.3, -60, 60)] if idea[2] < 0.5 else []
    return [[(way * x, y) for x, y in line] for line in lines]


def cup(idea):
    way, wide = (1 if idea[0] < 0.6 else -1), 0.4 + 0.15 * idea[1]
    lines = [
        [(-wide, -0.35), (-wide * 0.8, 0.6), (wide * 0.8, 0.6), (wide, -0.35), (-wide, -0.35)],
        circle(wide, 0.08, 0.27, -80, 80),
    ]
    steam = [[(x, -0.5), (x + 0.08, -0.65), (x - 0.05, -0.8), (x + 0.05, -0.95)] for x in (-0.2, 0.1)]
    return [[(way * x, y) for x, y in line] for line in lines + (steam if idea[2] < 0.5 else [])]


def key(idea):
    teeth, r = 2 + int(2 * idea[0]), 0.22 + 0.12 * idea[1]
    bits = [[(0.75 - 0.18 * i, 0), (0.75 - 0.18 * i, 0.25 + 0.1 * (i % 2))] for i in range(teeth)]
    bow = (
        [circle(-0.55, 0, r)] if idea[2] < 0.6 else [[(-0.85, 0), (-0.55, -0.3), (-0.25, 0), (-0.55, 0.3), (-0.85, 0)]]
    )
    return [*bow, [(-0.55 + r, 0), (0.85, 0)], *bits]


def boat(idea):
    way = 1 if idea[0] < 0.5 else -1
    lines = [[(-0.85, 0.35), (-0.55, 0.75), (0.55, 0.75), (0.85, 0.35), (-0.85, 0.35)], [(0, 0.35), (0, -0.9)]]
    lines += [[(0.06, -0.85), (0.65, 0.15), (0.06, 0.15)]]
    lines += [[(-0.06, -0.6), (-0.5, 0.15), (-0.06, 0.15)]] if idea[1] < 0.5 else []
    return [[(way * x, y) for x, y in line] for line in lines]


def flower(idea):
    petals, r = 4 + int(4 * idea[0]), 0.2 + 0.06 * idea[1]
    around = [
        (0.33 * math.cos(a), -0.35 + 0.33 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, petals, endpoint=False)
    ]
    leaf = [[(0, 0.6), (0.35, 0.35), (0.4, 0.6), (0, 0.65)]] if idea[2] < 0.6 else []
    return [circle(0, -0.35, 0.13)] + [circle(x, y, r) for x, y in around] + [[(0, -0.05), (0.03, 0.9)], *leaf]


THINGS = {
    "boat": boat,
    "cup": cup,
    "fish": fish,
    "flower": flower,
    "house": house,
    "key": key,
    "sun": sun,
    "tree": tree,
}


class Hand:
    """Who draws: a pen, a paper, and habits."""

    def __init__(self, number: int):
        rng = np.random.default_rng((17, number))
        self.pen, self.ink = rng.uniform(3, 13), rng.uniform(0, 110)
        self.paper, self.dark = rng.uniform(190, 255), rng.random() < 0.2  # some draw with chalk
        self.slant, self.turn, self.wide = rng.normal(0, 0.14), rng.normal(0, 9), rng.uniform(0.8, 1.25)
        self.size, self.tremble, self.apart = rng.uniform(0.5, 0.85), rng.uniform(0.005, 0.045), rng.uniform(0, 0.08)
        self.place, self.double = rng.normal(0, 0.1, 2), rng.random() < 0.25
        self.ideas = {name: rng.random(3) for name in THINGS}

    def draw(self, name: str, rng) -> np.ndarray:
        """One drawing of a thing, uint8 (SIDE, SIDE) in grey."""
        picture = Image.new("L", (BIG, BIG))
        brush, turn = ImageDraw.Draw(picture), math.radians(self.turn + rng.normal(0, 5))
        size, place = self.size * rng.uniform(0.85, 1.15), self.place + rng.normal(0, 0.06, 2)
        for line in THINGS[name](np.clip(self.ideas[name] + rng.normal(0, 0.05, 3), 0, 0.999)):
            for _ in range(1 + self.double):
                self.stroke(brush, line, turn, size, place, rng)
        mask = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
        ground, ink = (self.ink / 3, self.paper) if self.dark else (self.paper, self.ink)
        shades = ground + (ink - ground) * mask
        return (np.round(shades / 255 * SHADES) * (255 // SHADES)).astype(np.uint8)

    def stroke(self, brush, line, turn: float, size: float, place, rng) -> None:
        """One line, off by a little as a whole and trembling along its way."""
        points = np.asarray(line) + rng.normal(0, self.apart, 2)
        ways = np.concatenate(
            [np.linspace(a, b, 5, endpoint=False) for a, b in itertools.pairwise(points)] + [points[-1:]]
        )
        tremble = np.cumsum(rng.normal(0, self.tremble, ways.shape), axis=0)
        ways = ways + (tremble - np.linspace(0, 1, len(ways))[:, None] * tremble[-1]) * 0.7
        x, y = ways[:, 0] * self.wide + self.slant * ways[:, 1], ways[:, 1]
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        spots = [
            (BIG / 2 * (1 + size * a + place[0]), BIG / 2 * (1 + size * b + place[1]))
            for a, b in zip(x, y, strict=True)
        ]
        brush.line(spots, 255, round(self.pen), joint="curve")


def drawings():
    """(pictures, things, hands) of every split, in an order that tells nothing."""
    pictures, things, hands = [], [], []
    for number in range(HANDS):
        hand, rng = Hand(number), np.random.default_rng((18, number))
        for _ in range(EACH):
            for label, name in enumerate(THINGS):
                pictures.append(hand.draw(name, rng)), things.append(label), hands.append(number)
    order = np.random.default_rng(19).permutation(len(pictures))
    return np.stack(pictures)[order], np.array(things, np.uint8)[order], np.array(hands, np.uint8)[order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--sheet", type=Path, help="also draw the first hands' pictures on one sheet")
    args = parser.parse_args()
    x, y, drawer = drawings()
    split = np.array([next(name for name, hands in SPLITS.items() if hand in hands) for hand in drawer])
    np.savez_compressed(
        args.file,
        x=x,
        y=y,
        drawer=np.array([f"hand {n:02}" for n in drawer]),
        split=split,
        label_names=np.array(list(THINGS)),
    )
    if args.sheet:
        rows = [
            np.concatenate([x[(drawer == hand) & (y == label)][0] for label in range(len(THINGS))], axis=1)
            for hand in range(12)
        ]
        Image.fromarray(np.concatenate(rows)).save(args.sheet)
    print(f"{len(x)} pictures, {args.file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
