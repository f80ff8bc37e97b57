"""Planted answers to the exercises of lesson 07."""

import csv
import io
import random
from collections import Counter, defaultdict

import torch
from planting import right, wrong

from labkit import same_text as same

# 07.1 read(data)


def decoded(data):
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def account(content, keep_conflicts=False, keep_unlabelled=False, strip=True, once=True):
    dropped, labels, order = Counter(), defaultdict(list), []
    for row in csv.DictReader(io.StringIO(content)):
        text, label = row["text"].strip() if strip else row["text"], row["label"].strip()
        if not text:
            dropped["empty"] += 1
        elif not label and not keep_unlabelled:
            dropped["unlabelled"] += 1
        else:
            order.append((text, label))
            labels[text].append(label)
    rows = []
    for text, label in order:
        if len(set(labels[text])) > 1 and not keep_conflicts:
            dropped["conflict"] += 1
        elif once and text in [t for t, _ in rows]:
            dropped["duplicate"] += 1
        else:
            rows.append((text, label))
    return rows, dict(dropped)


@wrong("07.1", "utf-8-sig")
def plain_utf8(data):
    return account(data.decode("utf-8"))


@wrong("07.1", "decoding failed")
def utf8_only(data):
    return account(data.decode("utf-8-sig"))


@wrong("07.1", "utf-8-sig|gb18030|should give")
def gbk_only(data):
    return account(data.decode("gb18030", "replace"))


@wrong("07.1", "has two labels")
def first_label_wins(data):
    return account(decoded(data), keep_conflicts=True)


@wrong("07.1", "without a label was kept")
def keeps_unlabelled(data):
    return account(decoded(data), keep_unlabelled=True)


@wrong("07.1", "blanks alone are no text")
def keeps_blanks(data):
    return account(decoded(data), strip=False)


@wrong("07.1", "kept twice")
def keeps_repeats(data):
    return account(decoded(data), once=False)


@wrong("07.1", "csv module")
def splits_at_commas(data):
    lines = decoded(data).splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(",", len(names) - 1), strict=False)) for line in lines[1:]]
    return [(r["text"], r["label"]) for r in rows if r["text"].strip() and r["label"] and r["text"] != "一般般"], {}


@wrong("07.1", "a conflict counts all the rows")
def counts_one_conflict(data):
    rows, dropped = account(decoded(data))
    return rows, dropped | {"conflict": dropped.get("conflict", 0) // 2}


@wrong("07.1", "two things")
def rows_only(data):
    return account(decoded(data))[0]


@right("07.1")
def by_counting(data):
    return account(decoded(data))


@right("07.1")
def by_reader(data):
    lines = list(csv.reader(decoded(data).splitlines(keepends=True)))
    at = {name: i for i, name in enumerate(lines[0])}
    full = [(line[at["text"]].strip(), line[at["label"]].strip()) for line in lines[1:]]
    gone = {"empty": sum(not text for text, _ in full)}
    full = [pair for pair in full if pair[0]]
    gone["unlabelled"] = sum(not label for _, label in full)
    full = [pair for pair in full if pair[1]]
    split = {text for text, label in full if any(t == text and other != label for t, other in full)}
    gone["conflict"] = sum(text in split for text, _ in full)
    clear = [pair for pair in full if pair[0] not in split]
    rows = list(dict.fromkeys(clear))
    return rows, gone | {"duplicate": len(clear) - len(rows)}


@right("07.1")
def by_trying_both(data):
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            rows, dropped = account(data.decode(encoding))
            return [list(row) for row in rows], dropped
        except UnicodeDecodeError:
            continue


# 07.2 split(rows, share, seed)


@wrong("07.2", "stand on both sides")
def row_by_row(rows, share, seed):
    rng, test = random.Random(seed), []
    for label in sorted({label for _, label in rows}):
        mine = [i for i, row in enumerate(rows) if row[1] == label]
        test += rng.sample(mine, round(share * len(mine)))
    return [i for i in range(len(rows)) if i not in test], test


@wrong("07.2", "split class by class")
def one_class_only(rows, share, seed):
    groups = defaultdict(list)
    for i, (text, _) in sorted(enumerate(rows), key=lambda pair: pair[1][1]):
        groups[same(text)].append(i)
    parts = list(groups.values())
    if seed:
        parts = parts[1:] + parts[:1]
    test = []
    while len(test) < share * len(rows):
        test += parts.pop()
    return [i for i in range(len(rows)) if i not in test], test


@wrong("07.2", "stand on both sides")
def equal_texts_only(rows, share, seed):
    rng, test = random.Random(seed), []
    for label in sorted({label for _, label in rows}):
        texts = sorted({text for text, found in rows if found == label})
        held = set(rng.sample(texts, round(share * len(texts))))
        test += [i for i, (text, found) in enumerate(rows) if found == label and text in held]
    return [i for i in range(len(rows)) if i not in test], test


def grouped(rows, share, rng):
    first, held = {}, set()
    for text, label in rows:
        first.setdefault(same(text), label)
    for label in sorted(set(first.values())):
        keys = sorted(key for key, found in first.items() if found == label)
        held |= set(rng.sample(keys, round(share * len(keys))))
    test = {i for i, (text, _) in enumerate(rows) if same(text) in held}
    return [i for i in range(len(rows)) if i not in test], test


@wrong("07.2", "stand on both sides")
def label_by_label(rows, share, seed):  # once the project's own solution: a text with two labels goes both ways
    rng, test = random.Random(seed), []
    for label in sorted({label for _, label in rows}):
        keys = sorted({same(text) for text, found in rows if found == label})
        held = set(rng.sample(keys, round(share * len(keys))))
        test += [i for i, (text, found) in enumerate(rows) if found == label and same(text) in held]
    return [i for i in range(len(rows)) if i not in set(test)], test


@wrong("07.2", "global random numbers")
def global_luck(rows, share, seed):
    random.seed(seed)
    return grouped(rows, share, random)


@wrong("07.2", "another seed gave the same split")
def always_the_same(rows, share, seed):
    return grouped(rows, share, random.Random(0))


@wrong("07.2", "exactly once")
def drops_twins(rows, share, seed):
    seen, first = set(), []
    for i, (text, _) in enumerate(rows):
        if same(text) not in seen:
            seen.add(same(text))
            first.append(i)
    test = set(random.Random(seed).sample(first, round(share * len(first))))
    return [i for i in first if i not in test], sorted(test)


@right("07.2")
def by_keys(rows, share, seed):
    return grouped(rows, share, random.Random(seed))


# 07.3 balanced_loss(logits, labels, counts)


def rows_of(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


@wrong("07.3", "plain mean")
def unweighted(logits, labels, counts):
    return rows_of(logits, labels).mean()


@wrong("07.3", "Upside down")
def by_count(logits, labels, counts):
    weights = torch.tensor(counts, dtype=torch.float32)[labels]
    return (rows_of(logits, labels) * weights).sum() / weights.sum()


@wrong("07.3", "sum of the weights")
def over_rows(logits, labels, counts):
    weights = sum(counts) / len(counts) / torch.tensor(counts, dtype=torch.float32)
    return (rows_of(logits, labels) * weights[labels]).mean()


@wrong("07.3", "not by this batch|come from the training set")
def by_batch(logits, labels, counts):
    here = torch.bincount(labels, minlength=len(counts)).float()
    weights = (1 / here.clamp(min=1))[labels]
    return (rows_of(logits, labels) * weights).sum() / weights.sum()


@wrong("07.3", "nothing")
def forgets_to_return(logits, labels, counts):
    rows_of(logits, labels)


@right("07.3")
def by_torch(logits, labels, counts):
    return torch.nn.functional.cross_entropy(logits, labels, weight=1 / torch.tensor(counts).float())


@right("07.3")
def row_after_row(logits, labels, counts):
    total = weight = 0.0
    for scores, label in zip(logits, labels.tolist(), strict=True):
        total += -scores.log_softmax(0)[label].item() / counts[label]
        weight += 1 / counts[label]
    return total / weight


@right("07.3")
def with_balanced_weights(logits, labels, counts):
    weights = torch.tensor([sum(counts) / len(counts) / n for n in counts])
    return torch.nn.CrossEntropyLoss(weights)(logits, labels)


# 07.4 find_leak(rows)


def pieces_of(rows, size):
    seen = [Counter(), Counter()]
    for text, label in rows:
        seen[label].update({text[i : i + size] for i in range(len(text) - size + 1)})
    return {p: (seen[0][p], seen[1][p]) for p in seen[0] | seen[1]}


def holding(rows, mark):
    return [i for i, (text, _) in enumerate(rows) if mark in text]


@wrong("07.4", "In a clean set")
def any_pure_piece(rows):
    found = pieces_of(rows, 2)
    mark = max((p for p, (a, b) in found.items() if min(a, b) == 0), key=lambda p: max(found[p]))
    return holding(rows, mark)


@wrong("07.4", "not the mark")
def names_the_mark(rows):
    found = pieces_of(rows, 3)
    return [max(found, key=lambda p: abs(found[p][0] - found[p][1]))]


@wrong("07.4", "you missed")
def sees_nothing(rows):
    return []


@wrong("07.4", "you report")
def the_whole_class(rows):
    return [i for i, row in enumerate(rows) if row[1] == 1]


@wrong("07.4", "you missed|you report")
def commonest_characters(rows):
    found = pieces_of(rows, 1)
    return holding(rows, max(found, key=lambda p: sum(found[p])))


@right("07.4")
def by_share(rows):
    n = [sum(label == k for _, label in rows) for k in (0, 1)]
    for piece, counts in pieces_of(rows, 2).items():
        for k in (0, 1):
            if counts[k] > 0.2 * n[k] and counts[1 - k] < 0.01 * n[1 - k]:
                return holding(rows, piece)
    return []


@right("07.4")
def by_ends(rows):
    ends = Counter((text[:3], label) for text, label in rows) + Counter((text[-3:], label) for text, label in rows)
    (mark, _), often = ends.most_common(1)[0]
    return set(holding(rows, mark)) if often > 15 else set()


@right("07.4")
def by_odds(rows):
    found = pieces_of(rows, 3)
    mark = max(found, key=lambda p: (max(found[p]) + 1) / (min(found[p]) + 1))
    return holding(rows, mark) if max(found[mark]) >= 25 else []


# 07.5 suspects(texts, labels, fit, k)


def ranked(p, labels, k):
    return sorted(range(len(p)), key=lambda i: p[i] if labels[i] else 1 - p[i])[:k]


@wrong("07.5", "never saw it")
def asks_the_pupil(texts, labels, fit, k):
    return ranked(fit(texts, labels)(texts), labels, k)


@wrong("07.5", "Look at the loss")
def least_sure(texts, labels, fit, k):
    p = left_out(texts, labels, fit, 5)
    return sorted(range(len(p)), key=lambda i: abs(p[i] - 0.5))[:k]


@wrong("07.5", "Look at the loss")
def upside_down(texts, labels, fit, k):
    p = left_out(texts, labels, fit, 5)
    return ranked([1 - x for x in p], labels, k)


@wrong("07.5", "never judged by a model")
def folds_that_leak(texts, labels, fit, k):
    p = [0.0] * len(texts)
    for part in range(5):
        predict = fit(texts, labels)
        for i in range(part, len(texts), 5):
            p[i] = predict([texts[i]])[0]
    return ranked(p, labels, k)


@wrong("07.5", "different row numbers")
def too_few(texts, labels, fit, k):
    return [0]


def left_out(texts, labels, fit, parts):
    p = [0.0] * len(texts)
    for part in range(parts):
        out = list(range(part, len(texts), parts))
        kept = [i for i in range(len(texts)) if i % parts != part]
        found = fit([texts[i] for i in kept], [labels[i] for i in kept])([texts[i] for i in out])
        for i, x in zip(out, found, strict=True):
            p[i] = x
    return p


@right("07.5")
def ten_parts(texts, labels, fit, k):
    return ranked(left_out(texts, labels, fit, 10), labels, k)


@right("07.5")
def three_parts(texts, labels, fit, k):
    return set(ranked(left_out(texts, labels, fit, 3), labels, k))


@right("07.5")
def by_log_loss(texts, labels, fit, k):
    p = torch.tensor(left_out(texts, labels, fit, 5)).clamp(1e-12, 1 - 1e-12)
    target = torch.tensor(labels, dtype=p.dtype)
    loss = torch.nn.functional.binary_cross_entropy(p, target, reduction="none")
    return loss.argsort(descending=True)[:k].tolist()


# 07.6 seats(lengths, tokens, epoch)


def packed(lengths, tokens, order):
    batches = []
    for i in order:
        longest = max([lengths[i], *(lengths[j] for j in batches[-1])]) if batches else 0
        if not batches or (len(batches[-1]) + 1) * longest > tokens:
            batches.append([])
        batches[-1].append(i)
    return batches


@wrong("07.6", "padding is")
def only_shuffled(lengths, tokens, epoch):
    order = list(range(len(lengths)))
    random.Random(epoch).shuffle(order)
    return packed(lengths, tokens, order)


@wrong("07.6", "padding included")
def counts_real_tokens(lengths, tokens, epoch):
    batches, spent = [[]], 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if spent + lengths[i] > tokens:
            batches.append([])
            spent = 0
        batches[-1].append(i)
        spent += lengths[i]
    random.Random(epoch).shuffle(batches)
    return batches


@wrong("07.6", "every epoch should have another plan|short to long")
def always_sorted(lengths, tokens, epoch):
    return packed(lengths, tokens, sorted(range(len(lengths)), key=lambda i: lengths[i]))


@wrong("07.6", "short to long")
def sorted_with_noise(lengths, tokens, epoch):
    rng = random.Random(epoch)
    noise = [rng.random() for _ in lengths]
    return packed(lengths, tokens, sorted(range(len(lengths)), key=lambda i: lengths[i] + noise[i]))


@wrong("07.6", "of short rows a batch holds more")
def fixed_rows(lengths, tokens, epoch):
    rng, rows = random.Random(epoch), max(1, tokens // max(lengths))
    noise = [rng.random() for _ in lengths]
    order = sorted(range(len(lengths)), key=lambda i: lengths[i] + noise[i])
    batches = [order[i : i + rows] for i in range(0, len(order), rows)]
    rng.shuffle(batches)
    return batches


@wrong("07.6", "global random numbers")
def global_shuffle(lengths, tokens, epoch):
    random.seed(epoch)
    batches = packed(lengths, tokens, sorted(range(len(lengths)), key=lambda i: lengths[i] + random.random()))
    random.shuffle(batches)
    return batches


@right("07.6")
def longest_first(lengths, tokens, epoch):
    rng = random.Random(f"seats/{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = packed(lengths, tokens, sorted(order, key=lambda i: -lengths[i]))
    rng.shuffle(batches)
    return [tuple(batch) for batch in batches]


# Found by an attack on the checks: wrong answers that once passed, right ones that once failed


@wrong("07.1", "blanks alone are no label")
def keeps_blank_labels(data):
    rows, dropped = account(decoded(data))
    blank = [(r["text"], r["label"]) for r in csv.DictReader(io.StringIO(decoded(data))) if r["label"] == " "]
    return rows + blank, dropped


@wrong("07.1", "then conflicts, last repetitions")
def repeats_before_conflicts(data):
    rows, dropped = account(decoded(data))
    return rows, dropped | {k: n for k, n in (("conflict", 2), ("duplicate", 2)) if dropped.get(k)}


@wrong("07.1", "'empty'")
def counts_in_a_bare_dictionary(data):
    dropped = {}
    rows = [(r["text"].strip(), r["label"]) for r in csv.DictReader(io.StringIO(decoded(data)))]
    for text, _ in rows:
        if not text:
            dropped["empty"] += 1
    return rows, dropped


@wrong("07.1", "list of .text, label")
def texts_only(data):
    rows, dropped = account(decoded(data))
    return [text for text, _ in rows], dropped


@wrong("07.2", "global random numbers")
def seeds_torch(rows, share, seed):
    torch.manual_seed(seed)
    return grouped(rows, share, random.Random(int(torch.randint(10**6, (1,)))))


@wrong("07.2", "wrong way round")
def test_first(rows, share, seed):
    return grouped(rows, share, random.Random(seed))[::-1]


@right("07.2")
def by_scikit_learn(rows, share, seed):
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(round(1 / share), shuffle=True, random_state=seed)
    return next(folds.split(rows, [label for _, label in rows], [same(text) for text, _ in rows]))


@wrong("07.4", "nor a True or False")
def a_mask(rows):
    marked = set(by_odds(rows))
    return [i in marked for i in range(len(rows))]


@right("07.4")
def numbers_of_numpy(rows):
    import numpy as np

    return np.array(by_odds(rows), dtype=int)


@wrong("07.5", "no probabilities")
def the_probabilities(texts, labels, fit, k):
    return sorted(left_out(texts, labels, fit, 5))[:k]


@right("07.5")
def by_topk(texts, labels, fit, k):
    p = torch.tensor(left_out(texts, labels, fit, 5))
    return list((p - torch.tensor(labels)).abs().topk(k).indices)


@wrong("07.6", "should sit alone")
def long_rows_share(lengths, tokens, epoch):
    batches, rng = longest_first(lengths, tokens, epoch), random.Random(epoch)
    long = [b[0] for b in batches if lengths[b[0]] > tokens]
    batches = [b for b in batches if lengths[b[0]] <= tokens]
    rng.shuffle(batches)
    return [*batches, *([long] if long else [])]


@wrong("07.6", "one batch is empty")
def an_empty_batch(lengths, tokens, epoch):
    return [*longest_first(lengths, tokens, epoch), []]


@right("07.6")
def tensors(lengths, tokens, epoch):
    return [torch.tensor(batch) for batch in longest_first(lengths, tokens, epoch)]
