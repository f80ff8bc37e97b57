"""Rows in splits: repeated texts out, classes present, shares drawn by a seed."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Row
from labkit.modalities.text import same_text


def check_classes(where: str, rows: Sequence[Row], names: Sequence[str], need: int) -> None:
    """Two classes or more, each with `need` rows: one for every split that is made from them."""
    count = Counter(r.label for r in rows)
    if len(count) < 2:
        only = names[next(iter(count))]
        raise BadInput(
            tr(
                f"{where} 只有一个类别（{only}）：分类至少要两类。请检查标签列是否选对。",
                f"{where} has one class only ({only}): classification needs two or more. "
                "Check that the label column is the right one.",
            )
        )
    rare = [f"{name!r} ({count[i]})" for i, name in enumerate(names) if count[i] < need]
    if rare:
        raise BadInput(
            tr(
                f"{where}：这些类别的行数不够：{listing(rare)}。训练和要切出的部分各要一行，每类至少 {need} 行。"
                "请补充数据、去掉这些类别，或检查标签列是否选对。",
                f"{where}: classes with too few rows: {listing(rare)}. Training and each split to be made need one, so {need} a class. "
                "Add rows, remove those classes, or check that the label column is the right one.",
            )
        )


def drop_repeated(rows: dict[str, list[Row]]) -> tuple[dict[str, list[Row]], dict[str, list[str]]]:
    """Keep one row of each text, none of a text with two labels, and each text in one split only."""
    gone: dict[str, list[str]] = {"duplicate": [], "conflict": [], "leak": []}
    taken: set[str] = set()
    kept = {}
    for split in ("test", "valid", "train"):
        if split not in rows:
            continue
        by_text = defaultdict(list)
        for row in rows[split]:
            by_text[same_text(row.text)].append(row)
        keep = []
        for key, same in by_text.items():
            if key in taken:
                gone["leak"] += [r.text for r in same]
            elif len({r.label for r in same}) > 1:
                gone["conflict"] += [r.text for r in same]
            else:
                keep.append(same[0])
                gone["duplicate"] += [r.text for r in same[1:]]
        taken |= by_text.keys()
        kept[split] = keep
    return kept, gone


def split_rows(rows: Sequence, n: int, seed: int, keep: int = 0) -> tuple[list, list]:
    """Split `rows` into the rest and `n` rows, stratified by label, both in the order of `rows`.

    Each class gives its share (largest remainders first) and at least one row to the `n`; `keep` rows of each class
    stay in the rest, even where the `n` gets fewer rows then.
    """
    by_class = defaultdict(list)
    for i, row in enumerate(rows):
        by_class[row.label].append(i)
    room = {c: max(1, len(members) - keep) for c, members in by_class.items()}
    share = {c: n * len(members) / len(rows) for c, members in by_class.items()}
    quota = {c: min(room[c], max(1, int(s))) for c, s in share.items()}
    for c in sorted(share, key=lambda c: share[c] - quota[c], reverse=True):
        if sum(quota.values()) < n and quota[c] < room[c]:
            quota[c] += 1
    while sum(quota.values()) > n:
        quota[max(quota, key=lambda c: quota[c] - share[c] if quota[c] > 1 else -1.0)] -= 1
    rng = random.Random(f"split/{seed}")
    chosen: set[int] = set()
    for c in sorted(by_class):
        chosen.update(rng.sample(by_class[c], quota[c]))
    return [r for i, r in enumerate(rows) if i not in chosen], [r for i, r in enumerate(rows) if i in chosen]
