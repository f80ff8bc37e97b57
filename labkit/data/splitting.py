"""Examples in splits: repeated inputs out, shares drawn by a seed and even over the task's groups.

What belongs together (clips of one speaker, questions on one context) stands on one side: a score on rows whose neighbours
were trained on says little about new ones.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Example, Table
from labkit.tasks import Task

DRAWS = 200  # ways to choose groups that are compared
GROUPED = (
    "signer",
    "speaker",
    "patient",
    "writer",
    "drawer",
    "subject",
)  # columns that name whom a picture or clip is of
CONTEXT = "context"  # of a question: what a task keeps together by itself
Kin = Callable[[Example], Hashable]


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


def kin_of(task: Task, table: Table, rows: Sequence[Example], groups: str | bool | None) -> tuple[Kin | None, str]:
    """What says which rows belong together, and what it is called: the column that was asked for, one that is called as those
    usually are, or what the task says; (None, "") where each row stands alone."""
    if groups is False:
        return None, ""
    if isinstance(groups, str) and groups not in table.columns:
        raise BadInput(
            tr(
                f"{table.where} 没有列 {groups!r} 可以分组，只有：{listing(table.columns)}。请改 groups=（命令行 --groups）。",
                f"{table.where} has no column {groups!r} to group by, only: {listing(table.columns)}. "
                "Change groups= (--groups on the command line).",
            )
        )
    named = groups if isinstance(groups, str) else next((n for n in GROUPED if table.inputs and n in table.columns), "")
    if named:
        return (lambda row: row.extra.get(named)), named
    if rows and task.kin(rows[0]) is not None and len({task.kin(row) for row in rows}) > 2:
        return task.kin, CONTEXT
    return None, ""


def split_groups(
    task: Task, rows: Sequence[Example], n: int, seed: int, kin: Kin, what: str, keep: int = 0
) -> tuple[list, list]:
    """Split `rows` into the rest and about `n` rows, so that no two of a kin are parted, both in the order of `rows`.

    Of many draws the one is taken whose share of rows and of the task's groups comes nearest to what was asked. BadInput
    where no draw leaves every group on both sides, or where there are too few of a kin for `keep` further splits.
    """
    members = defaultdict(list)
    for i, row in enumerate(rows):
        members[kin(row)].append(i)
    if len(members) < 2 + keep:
        raise too_few(what, len(members), 2 + keep)
    counts = {k: Counter(task.group(rows[i]) for i in inside) for k, inside in members.items()}
    total, names = sum(counts.values(), Counter()), list(members)
    rng, best = random.Random(f"groups/{seed}"), None
    for _ in range(DRAWS):
        rng.shuffle(names)
        chosen, found = some_of(names, counts, n, len(names) - 1 - keep)
        whole = all(0 < found[g] < count for g, count in total.items())
        taken = sum(found.values())
        uneven = sum(abs(found[g] / taken - count / len(rows)) for g, count in total.items())
        rank = (not whole, abs(taken - n) / n + uneven)
        if best is None or rank < best[0]:
            best = rank, chosen
    if best[0][0]:
        raise torn(what)
    mine = {i for name in best[1] for i in members[name]}
    return [r for i, r in enumerate(rows) if i not in mine], [r for i, r in enumerate(rows) if i in mine]


def some_of(names: Sequence, counts: dict, n: int, most: int) -> tuple[list, Counter]:
    """Groups in this order until there are about `n` rows: one that would overshoot by more than it lacks is left out."""
    chosen, found = [], Counter()
    for name in names:
        have, more = sum(found.values()), sum(counts[name].values())
        if len(chosen) < most and (not chosen or abs(have + more - n) < abs(have - n)):
            chosen, found = [*chosen, name], found + counts[name]
    return chosen, found


def too_few(what: str, there: int, need: int) -> BadInput:
    return BadInput(
        tr(
            f"按 {what} 划分：只有 {there} 组，至少要 {need} 组，每个部分各一组。请补充数据，自己给出 valid 和 test，或用 groups=False。",
            f"Splitting by {what}: there are {there} groups, and {need} are needed, one for each split. Add rows, give valid and "
            "test yourself, or take groups=False.",
        )
    )


def torn(what: str) -> BadInput:
    return BadInput(
        tr(
            f"按 {what} 划分：怎么分都有一类只剩在一边。请补充数据，自己给出 valid 和 test，或用 groups=False。",
            f"Splitting by {what}: however groups are shared out, a class stands on one side alone. Add rows, give valid and "
            "test yourself, or take groups=False.",
        )
    )


def names_people(kin: Kin, rows: Sequence[Example]) -> bool:
    """Whether groups have names: numbers are often counted anew in every file, and are no sign that two are one."""
    return any(isinstance(kin(row), str) and not str(kin(row)).isdigit() for row in rows[:1])


def shared_kin(splits: dict[str, Sequence[Example]], kin: Kin, what: str) -> list[str]:
    """In words, which groups stand in two of the given splits: scores on rows of a known speaker flatter."""
    seen = {split: {kin(row) for row in rows} for split, rows in splits.items()}
    notes = []
    for one, other in (("train", "test"), ("train", "valid"), ("valid", "test")):
        both = sorted(seen.get(one, set()) & seen.get(other, set()), key=str)
        if both:
            notes.append(
                tr(
                    f"{what} 有 {len(both)} 组同时在 {one} 和 {other} 里（{listing(both, 3)}）：分数会偏高",
                    f"{len(both)} groups of {what} stand in {one} and in {other} ({listing(both, 3)}): scores will flatter",
                )
            )
    return notes
