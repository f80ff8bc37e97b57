"""Examples in splits: repeated inputs out, shares drawn by a seed and even over the task's groups."""

import random
from collections import defaultdict
from collections.abc import Sequence

from labkit.base.records import Example
from labkit.tasks import Task


def drop_repeated(
    task: Task, splits: dict[str, list[Example]]
) -> tuple[dict[str, list[Example]], dict[str, list[str]]]:
    """Keep one example of each input, none of an input with two targets, and each input in one split only."""
    dropped: dict[str, list[str]] = {"duplicate": [], "conflict": [], "leak": []}
    taken, unique, words = set(), {}, task.modality.text
    for split in ("test", "valid", "train"):
        if split not in splits:
            continue
        by_input = defaultdict(list)
        for example in splits[split]:
            by_input[task.key(example)].append(example)
        unique[split] = []
        for key, same in by_input.items():
            if key in taken:
                dropped["leak"] += [words(e.input) for e in same]
            elif any(task.truth(e) != task.truth(same[0]) for e in same):
                dropped["conflict"] += [words(e.input) for e in same]
            else:
                unique[split].append(same[0])
                dropped["duplicate"] += [words(e.input) for e in same[1:]]
        taken |= by_input.keys()
    return unique, dropped


def split_rows(task: Task, rows: Sequence[Example], n: int, seed: int, keep: int = 0) -> tuple[list, list]:
    """Split `rows` into the rest and `n` rows, stratified by the task's groups, both in the order of `rows`.

    Each group gives its share (largest remainders first) and at least one row to the `n`; `keep` rows of each group
    stay in the rest, even where the `n` gets fewer rows then.
    """
    members = defaultdict(list)
    for i, row in enumerate(rows):
        members[task.group(row)].append(i)
    room = {g: max(1, len(inside) - keep) for g, inside in members.items()}
    share = {g: n * len(inside) / len(rows) for g, inside in members.items()}
    quota = {g: min(room[g], max(1, int(s))) for g, s in share.items()}
    for g in sorted(share, key=lambda g: share[g] - quota[g], reverse=True):
        if sum(quota.values()) < n and quota[g] < room[g]:
            quota[g] += 1
    while sum(quota.values()) > n:
        quota[max(quota, key=lambda g: quota[g] - share[g] if quota[g] > 1 else -1.0)] -= 1
    rng = random.Random(f"split/{seed}")
    chosen: set[int] = set()
    for g in sorted(members, key=lambda g: (g is not None, g)):
        chosen.update(rng.sample(members[g], quota[g]))
    return [r for i, r in enumerate(rows) if i not in chosen], [r for i, r in enumerate(rows) if i in chosen]
