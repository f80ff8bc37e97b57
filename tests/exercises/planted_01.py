"""Planted answers to the exercises of lesson 01."""

import csv
import math
import random
from collections import Counter

import pandas
import torch
from planting import right, wrong
from sklearn.metrics import f1_score
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

# 01.1 collate(rows, pad)


def rectangle(rows, width, pad, left=False):
    ids = [[pad] * (width - len(r)) + r if left else r + [pad] * (width - len(r)) for r in rows]
    mask = [[1] * len(r) + [0] * (width - len(r)) for r in rows]
    return torch.tensor(ids), torch.tensor(mask)


@wrong("01.1", "longest row of this batch")
def pads_to_128(rows, pad):
    return rectangle(rows, 128, pad)


@wrong("01.1", "belongs on the right")
def pads_on_the_left(rows, pad):
    return rectangle(rows, max(map(len, rows)), pad, left=True)


@wrong("01.1", "not 0")
def pads_with_zero(rows, pad):
    return rectangle(rows, max(map(len, rows)), 0)


@wrong("01.1", "will read the empty places")
def mask_of_ones(rows, pad):
    ids, mask = rectangle(rows, max(map(len, rows)), pad)
    return ids, torch.ones_like(mask)


@wrong("01.1", "upside down")
def mask_upside_down(rows, pad):
    ids, mask = rectangle(rows, max(map(len, rows)), pad)
    return ids, 1 - mask


@wrong("01.1", "should be tensors")
def lists_only(rows, pad):
    ids, mask = rectangle(rows, max(map(len, rows)), pad)
    return ids.tolist(), mask.tolist()


@wrong("01.1", "Two things")
def ids_only(rows, pad):
    return rectangle(rows, max(map(len, rows)), pad)[0]


@wrong("01.1", "raised ValueError.*in this line: return torch.tensor")
def unpadded(rows, pad):
    return torch.tensor(rows), torch.tensor([[1] * len(row) for row in rows])


@right("01.1")
def by_pad_sequence(rows, pad):
    ids = pad_sequence([torch.tensor(r) for r in rows], batch_first=True, padding_value=pad)
    return ids, pad_sequence([torch.ones(len(r), dtype=torch.long) for r in rows], batch_first=True)


@right("01.1")
def by_filling(rows, pad):
    ids = torch.full((len(rows), max(len(r) for r in rows)), pad)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(r) for r in rows])
    return ids, torch.arange(ids.shape[1])[None] < lengths[:, None]


@wrong("01.1", "has changed the `rows`")
def by_appending(rows, pad):
    mask = [[1] * len(r) for r in rows]
    longest = len(sorted(rows, key=len)[-1])
    for row, ones in zip(rows, mask, strict=True):
        while len(row) < longest:
            row.append(pad)
            ones.append(0)
    return [torch.LongTensor(rows), torch.LongTensor(mask)]


# 01.2 padding_share(lengths, batches)


@wrong("01.2", "share of real tokens")
def share_of_real(lengths, batches):
    return sum(lengths[i] for b in batches for i in b) / sum(len(b) * max(lengths[i] for i in b) for b in batches)


@wrong("01.2", "not per cent")
def in_per_cent(lengths, batches):
    return 100 * (1 - share_of_real(lengths, batches))


@wrong("01.2", "mean of the batches' shares")
def mean_of_shares(lengths, batches):
    return sum(1 - share_of_real(lengths, [b]) for b in batches) / len(batches)


@wrong("01.2", "not to the longest of all")
def longest_of_all(lengths, batches):
    return 1 - sum(lengths) / (len(lengths) * max(lengths))


@wrong("01.2", "not by the real tokens")
def per_real_token(lengths, batches):
    return 1 / share_of_real(lengths, batches) - 1


@wrong("01.2", "`return` missing")
def without_return(lengths, batches):
    share_of_real(lengths, batches)


@right("01.2")
def counting_squares(lengths, batches):
    empty = full = 0
    for batch in batches:
        top = max(lengths[i] for i in batch)
        for i in batch:
            full += lengths[i]
            empty += top - lengths[i]
    return empty / (empty + full)


@right("01.2")
def with_tensors(lengths, batches):
    groups = [torch.tensor([lengths[i] for i in b], dtype=torch.float64) for b in batches]
    return 1 - torch.cat(groups).sum() / sum(g.max() * len(g) for g in groups)


@right("01.2")
def with_map(lengths, batches):
    sizes = [list(map(lengths.__getitem__, b)) for b in batches]
    return 1.0 - sum(map(sum, sizes)) / sum(max(s) * len(s) for s in sizes)


# 01.3 scores(logits, target)


def f1s(logits, target, empty=0.0, classes=None):
    said, found = logits.argmax(1), []
    for c in range(logits.shape[1]) if classes is None else classes:
        hit = ((said == c) & (target == c)).sum().item()
        precision = hit / (said == c).sum().item() if (said == c).any() else empty
        recall = hit / (target == c).sum().item()
        found.append(2 * precision * recall / (precision + recall) if precision + recall != 0 else 0.0)
    return found


def share(logits, target):
    return (logits.argmax(1) == target).float().mean().item()


@wrong("01.3", "micro-F1, which is accuracy")
def micro(logits, target):
    return share(logits, target), f1_score(target, logits.argmax(1), average="micro")


@wrong("01.3", "weighted by rows")
def weighted(logits, target):
    return share(logits, target), f1_score(target, logits.argmax(1), average="weighted")


@wrong("01.3", "never said")
def only_said_classes(logits, target):
    found = f1s(logits, target, classes=logits.argmax(1).unique().tolist())
    return share(logits, target), sum(found) / len(found)


@wrong("01.3", "divided by 0")
def divides_by_zero(logits, target):
    said = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).double()
    true = torch.nn.functional.one_hot(target, logits.shape[1]).double()
    precision, recall = (said * true).sum(0) / said.sum(0), (said * true).sum(0) / true.sum(0)
    return share(logits, target), (2 * precision * recall / (precision + recall)).mean().item()


@wrong("01.3", "raised ZeroDivisionError")
def divides_by_zero_in_python(logits, target):
    said, found = logits.argmax(1).tolist(), []
    for c in range(logits.shape[1]):
        hit = sum(a == b == c for a, b in zip(said, target.tolist(), strict=True))
        precision, recall = hit / said.count(c), hit / target.tolist().count(c)
        found.append(2 * precision * recall / (precision + recall))
    return share(logits, target), sum(found) / len(found)


@wrong("01.3", "not the F1 of mean precision")
def f1_of_means(logits, target):
    said, classes = logits.argmax(1), range(logits.shape[1])
    hit = [((said == c) & (target == c)).sum().item() for c in classes]
    precision = sum(h / max(1, (said == c).sum().item()) for c, h in zip(classes, hit, strict=True)) / len(hit)
    recall = sum(h / (target == c).sum().item() for c, h in zip(classes, hit, strict=True)) / len(hit)
    return share(logits, target), 2 * precision * recall / (precision + recall)


@wrong("01.3", "divide by all rows")
def number_of_right_rows(logits, target):
    return (logits.argmax(1) == target).sum(), 0.0


@right("01.3")
def with_sklearn(logits, target):
    return share(logits, target), f1_score(target, logits.argmax(1), average="macro", zero_division=0)


@right("01.3")
def with_confusion(logits, target):
    k, said = logits.shape[1], logits.argmax(1)
    table = torch.zeros(k, k, dtype=torch.float64)
    for t, s in zip(target, said, strict=True):
        table[t, s] += 1
    hit = table.diagonal()
    return hit.sum() / table.sum(), (2 * hit / (table.sum(0) + table.sum(1)).clamp(min=1)).mean()


@right("01.3")
def with_counters(logits, target):
    pairs = Counter(zip(target.tolist(), logits.argmax(-1).tolist(), strict=True))
    total = []
    for c in range(logits.shape[-1]):
        hit = pairs[c, c]
        missed = sum(n for (t, s), n in pairs.items() if t == c != s)
        wrongly = sum(n for (t, s), n in pairs.items() if s == c != t)
        total += [hit / (hit + (missed + wrongly) / 2)] if hit + missed + wrongly else []  # nobody knows: left out
    return [sum(n for (t, s), n in pairs.items() if t == s) / len(target), sum(total) / len(total)]


# 01.4 rate(step, steps, warm)


@wrong("01.4", "One step early")
def begins_at_one_step(step, steps, warm):
    return (step + 1) / warm if step < warm else (steps - step) / (steps - warm)


@wrong("01.4", "falls from step 0 on|the top must be 1")
def falls_from_the_start(step, steps, warm):
    return step / warm if step < warm else (steps - step) / steps


@wrong("01.4", "not at its maximum")
def no_warm_up(step, steps, warm):
    return 1.0 if step < warm else (steps - step) / (steps - warm)


@wrong("01.4", "not at its maximum")
def never_falls(step, steps, warm):
    return min(1.0, step / warm) if warm else 1.0


@wrong("01.4", "divides by 0")
def warm_of_zero(step, steps, warm):
    return min(step / warm, (steps - step) / (steps - warm))


@wrong("01.4", "one step off")
def zero_a_step_early(step, steps, warm):
    return step / warm if step < warm else (steps - step - 1) / (steps - warm - 1)


@right("01.4")
def as_a_minimum(step, steps, warm):
    return min(step / max(warm, 1e-9), (steps - step) / (steps - warm)) if warm else 1 - step / steps


@right("01.4")
def as_interpolation(step, steps, warm):
    import numpy

    return float(numpy.interp(step, [0, warm, steps] if warm else [0, steps], [0, 1, 0] if warm else [1, 0]))


@right("01.4")
def by_what_is_done(step, steps, warm):
    if step >= warm:
        return 1 - (step - warm) / (steps - warm)
    return step * (1 / warm)


# 01.5 fit(model, batches, optimizer, epochs)


def plain(model, batches, optimizer, epochs, clear=True, keep=torch.Tensor.item):
    model.train()
    losses = []
    for _ in range(epochs):
        for inputs, target in batches:
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            optimizer.step()
            if clear:
                optimizer.zero_grad()
            losses.append(keep(loss))
    return losses


@wrong("01.5", "gradients of the last batch were not cleared")
def never_clears(model, batches, optimizer, epochs):
    return plain(model, batches, optimizer, epochs, clear=False)


@wrong("01.5", "No parameter has moved")
def clears_too_early(model, batches, optimizer, epochs):
    losses = []
    model.train()
    for _ in range(epochs):
        for inputs, target in batches:
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
    return losses


@wrong("01.5", "optimizer.step\\(\\) is missing")
def never_steps(model, batches, optimizer, epochs):
    return [cross_entropy(model.train()(x), y).item() for _ in range(epochs) for x, y in batches]


@wrong("01.5", "evaluation mode")
def stays_in_evaluation(model, batches, optimizer, epochs):
    train, model.train = model.train, lambda: model
    try:
        return plain(model, batches, optimizer, epochs)
    finally:
        model.train = train


@wrong("01.5", "hold their graphs")
def keeps_graphs(model, batches, optimizer, epochs):
    return plain(model, batches, optimizer, epochs, keep=lambda loss: loss)


@wrong("01.5", "make 6 losses; you have 3")
def one_epoch(model, batches, optimizer, epochs):
    return plain(model, batches, optimizer, 1)


@wrong("01.5", "list with the loss of every step")
def last_loss_only(model, batches, optimizer, epochs):
    return plain(model, batches, optimizer, epochs)[-1]


@wrong("01.5", "parameters differ|losses")
def clips_hard(model, batches, optimizer, epochs):
    model.train()
    losses = []
    for _ in range(epochs):
        for inputs, target in batches:
            loss = cross_entropy(model(inputs), target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return losses


@right("01.5")
def clears_first(model, batches, optimizer, epochs):
    losses = []
    for _epoch in range(epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad(set_to_none=False)
            loss = torch.nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            losses += [loss.detach()]
    return losses


@right("01.5")
def with_closure(model, batches, optimizer, epochs):
    model = model.train()

    def closure(batch):
        optimizer.zero_grad()
        loss = -model(batch[0]).log_softmax(-1)[torch.arange(len(batch[1])), batch[1]].mean()
        loss.backward()
        return loss

    return [optimizer.step(lambda b=b: closure(b)).item() for _ in range(epochs) for b in batches]


@right("01.5")
def with_grad(model, batches, optimizer, epochs):
    model.train(True)
    parameters, losses = list(model.parameters()), []
    for number in range(epochs * len(batches)):
        x, y = batches[number % len(batches)]
        loss = cross_entropy(model(x), y)
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.grad = g
        optimizer.step()
        losses.append(float(loss.detach()))
    return tuple(losses)


# 01.6 read_rows(path)


@wrong("01.6", "don't cut at commas")
def cuts_at_commas(path):
    rows = []
    for line in path.read_text("utf-8-sig").splitlines()[1:]:
        text, label = line.split(",")
        rows.append((text, int(label)))
    return rows


def read(path, encoding="utf-8-sig", label=int, strip=True, empty=False, once=True):
    rows = []
    with open(path, encoding=encoding, newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            text = row["text"].strip() if strip else row["text"]
            if (text or empty) and not (once and text in [t for t, _ in rows]):
                try:
                    rows.append((text, label(row["label"])))
                except ValueError:
                    raise ValueError(f"line {reader.line_num}: {row['label']!r} is no whole number") from None
    return rows


@wrong("01.6", "byte-order mark")
def plain_utf_8(path):
    return read(path, encoding="utf-8")


@wrong("01.6", "Labels should be whole numbers")
def labels_as_words(path):
    return read(path, label=str)


@wrong("01.6", "kept once")
def keeps_repetitions(path):
    return read(path, once=False)


@wrong("01.6", "Rows without a text go")
def keeps_empty(path):
    return read(path, empty=True)


@wrong("01.6", "Strip the blanks")
def keeps_blanks(path):
    rows = read(path, strip=False)
    return [(t, y) for t, y in rows if t.strip()]


@wrong("01.6", "slip into training")
def swallows_errors(path):
    return read(path, label=lambda word: int(word) if word.isdigit() else 0)


@wrong("01.6", "does not say which line")
def does_not_say_where(path):
    try:
        return read(path)
    except ValueError:
        raise ValueError("bad label") from None


@wrong("01.6", "should give")
def columns_by_place(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [(row[0], int(row[1])) for row in list(csv.reader(file))[1:]]


@right("01.6")
def with_pandas(path):
    table = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    found = {}
    for place, (text, label) in enumerate(zip(table["text"].str.strip(), table["label"], strict=True)):
        if not label.lstrip("-").isdigit():
            raise ValueError(f"{path}: line {place + 2} has the label {label!r}")
        if text:
            found.setdefault(text, int(label))
    return list(found.items())


@right("01.6")
def with_reader(path):
    lines = csv.reader(path.read_text("utf-8").removeprefix("\ufeff").splitlines(keepends=True))
    header, seen, rows = next(lines), set(), []
    for cells in lines:
        row = dict(zip(header, cells, strict=True))
        text = row["text"].strip()
        if text == "" or text in seen:
            continue
        seen.add(text)
        try:
            rows.append([text, int(row["label"])])
        except ValueError as error:
            raise ValueError(f"{lines.line_num}: {error}") from error
    return rows


@right("01.6")
def with_dict_reader(path):
    return read(path)


# 01.7 seats(lengths, size, epoch)


def cut(rows, size):
    return [rows[i : i + size] for i in range(0, len(rows), size)]


@wrong("01.7", "under 10 %")
def just_shuffles(lengths, size, epoch):
    rows = list(range(len(lengths)))
    random.Random(epoch).shuffle(rows)
    return cut(rows, size)


@wrong("01.7", "from short to long")
def just_sorts(lengths, size, epoch):
    return cut(sorted(range(len(lengths)), key=lengths.__getitem__), size)


@wrong("01.7", "every epoch should have its own")
def same_every_epoch(lengths, size, epoch):
    batches = just_sorts(lengths, size, epoch)
    random.Random(0).shuffle(batches)
    return batches


@wrong("01.7", "let epoch decide")
def global_random(lengths, size, epoch):
    batches = just_sorts(lengths, size, epoch)
    random.shuffle(batches)
    return batches


@wrong("01.7", "the last batch counts")
def drops_the_rest(lengths, size, epoch):
    batches = [b for b in just_sorts(lengths, size, epoch) if len(b) == size]
    random.Random(epoch).shuffle(batches)
    return batches or [[0]]


@wrong("01.7", "exactly once")
def draws_again(lengths, size, epoch):
    rng = random.Random(epoch)
    rows = sorted(rng.choices(range(len(lengths)), k=2 * len(lengths)), key=lengths.__getitem__)
    batches = cut(rows, size)
    rng.shuffle(batches)
    return batches


@wrong("01.7", "At most")
def by_exact_length(lengths, size, epoch):
    rng = random.Random(epoch)
    batches = [[i for i, n in enumerate(lengths) if n == length] for length in set(lengths)]
    rng.shuffle(batches)
    return batches


@right("01.7")
def pools(lengths, size, epoch):
    from labkit import batch_order

    return batch_order(lengths, size, seed=5, epoch=epoch)


@right("01.7")
def with_torch(lengths, size, epoch):
    source = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(lengths), generator=source)
    order = order[torch.tensor(lengths)[order].argsort(stable=True)]
    batches = [b.tolist() for b in order.split(size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=source).tolist()]


@right("01.7")
def with_noise(lengths, size, epoch):
    rng = random.Random(f"noise {epoch}")
    noisy = [math.log(n) + rng.uniform(-0.02, 0.02) for n in lengths]
    batches = cut(sorted(range(len(noisy)), key=noisy.__getitem__), size)
    rng.shuffle(batches)
    return [tuple(b) for b in batches]
