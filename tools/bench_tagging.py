"""Named entities in newspaper sentences, measured: called by bench.py.

    python tools/bench.py tagging [--rows 500] [--seeds 3] [--epochs 10] [--ways full,head,random,general,crf,dictionary]
    python tools/bench.py tagging-speed [--rows 500] [--rounds 3]

`tagging` trains on so many rows, drawn anew for each seed, and judges on all 1,500 test rows by strict entity F1: `general` is
full fine-tuning from tiny-bert-zh-general, and what ends in +crf has a CRF on top of the network. Each run is a line of
labkit/assets/tagging.csv, numbers alone; what is there already is not repeated. `tagging-speed` trains an epoch with labkit and
with the Trainer of transformers in turns: same rows, model, batch size and rate.
"""

import csv
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from bench import DATA, compared, interleaved, interval, random_weights, say

import labkit as lk
from labkit.strategies import as_strategy
from labkit.tasks.spans import spans_of

FILE = lk.files.ASSETS / "tagging.csv"
SCORES = ("entity_f1", "entity_precision", "entity_recall", "missed", "invented", "wrong_edge", "wrong_type")
KEY = ("way", "rows", "epochs", "lr", "seed")
COLUMNS = (*KEY, *SCORES, "raw_f1", "seconds")


def news(rows: int, seed: int):
    whole = lk.load_csv(
        DATA / "ner_news_train.jsonl.gz", valid=DATA / "ner_news_validation.jsonl", test=DATA / "ner_news_test.jsonl"
    )
    few = whole.limit(rows, seed)
    return replace(few, valid=whole.valid[:50])  # watched, not chosen by


def run_of(way: str, corpus, options, seed: int) -> dict:
    """One line: scores on the test rows; `raw_f1` is that of the likeliest tags, each by itself."""
    began = time.perf_counter()
    if way in ("crf", "dictionary"):
        scores, raw = lk.baseline(corpus, way).test, None
    else:
        start, _, crf = way.partition("+")
        strategy = as_strategy("full" if start in ("random", "general") else start)
        corpus = replace(corpus, task=replace(corpus.task, crf=crf == "crf"))
        model = lk.load("tiny-bert-zh-general" if start == "general" else options.model, task=corpus.task, seed=seed)
        model = random_weights(model, seed) if start == "random" else model
        config = lk.TrainConfig(epochs=options.epochs or 10, lr=None if start == "head" else options.lr, seed=seed)
        trainer = lk.Trainer(model, corpus, strategy, config)
        scores, raw = trainer.fit().test, None if crf else raw_f1(trainer)
    values = {name: f"{getattr(scores, name):.4f}" for name in SCORES}
    raw = "" if raw is None else f"{raw:.4f}"
    return {**key(way, options, seed), **values, "raw_f1": raw, "seconds": f"{time.perf_counter() - began:.1f}"}


def raw_f1(trainer) -> float:
    """F1 where each piece gets its likeliest tag, legal or not; an I- with nothing before it begins an entity."""
    task, items = trainer.task, trainer.batches.items["test"]
    _, answers = trainer.network.answers(trainer.batches.processor, items)
    found: list[list] = [[] for _ in trainer.corpus.test]
    for item, scores in zip(items, answers, strict=True):
        tags = [task.outputs[i] for i in scores.argmax(-1)]
        found[item["example"]] += [(*span, 1.0) for span in spans_of(tags, item["pieces"])]
    return task.score(found, [task.truth(e) for e in trainer.corpus.test], 0.0).entity_f1


def key(way: str, options, seed: int) -> dict[str, str]:
    trained = way not in ("crf", "dictionary")
    settings = (
        way,
        options.rows,
        (options.epochs or 10) if trained else "",
        (options.lr or "") if trained and not way.startswith("head") else "",
        seed,
    )
    return dict(zip(KEY, map(str, settings), strict=True))


def stored(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tagging(options) -> None:
    ways = (
        options.ways.split(",") if "majority" not in options.ways else ["crf", "dictionary", "full", "head", "random"]
    )
    done = stored(FILE)
    for seed in range(options.seeds):
        for way in ways:
            wanted = key(way, options, seed)
            if not any(all(line[k] == v for k, v in wanted.items()) for line in done):
                done.append(run_of(way, news(options.rows, seed), options, seed))
                write(done)
                say(", ".join(f"{k} {v}" for k, v in done[-1].items()))
    for way in ways:
        same = [line for line in done if all(line[k] == v for k, v in key(way, options, 0).items() if k != "seed")]
        middle, half = interval([float(line["entity_f1"]) for line in same])
        say(f"{way:12} entity F1 {middle:.3f} ± {half:.3f} ({len(same)} seeds)")
    rivals = (
        ("full", "random"),
        ("full", "head"),
        ("full", "crf"),
        ("general", "full"),
        ("general", "crf"),
        ("general+crf", "crf"),
    )
    for one, other in rivals:
        if one in ways and other in ways:
            pairs = [
                [
                    float(x["entity_f1"])
                    for x in done
                    if all(x[k] == v for k, v in key(w, options, 0).items() if k != "seed")
                ]
                for w in (one, other)
            ]
            middle, half = interval([a - b for a, b in zip(*pairs, strict=True)])
            say(f"{one} − {other:8} {middle:+.3f} ± {half:.3f}")


def write(lines: list[dict]) -> None:
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


# Speed


def tagging_speed(options) -> None:
    corpus = news(options.rows, 0)
    corpus = replace(corpus, valid=corpus.valid[:1])
    ways = {
        "transformers' Trainer": lambda: theirs(corpus),
        "the same, grouped by length": lambda: theirs(corpus, grouped=True),
        "labkit": lambda: ours(corpus),
    }
    compared("full fine-tuning for tags, tiny-bert-zh", interleaved(ways, options.rounds), options.rows)


def ours(corpus) -> float:
    trainer = lk.Trainer(lk.load("tiny-bert-zh", task=corpus.task), corpus, lk.Full(), lk.TrainConfig(epochs=1))
    trainer.fit()
    return statistics.mean(e.seconds for e in trainer.history)


def theirs(corpus, grouped: bool = False) -> float:
    """One epoch with the collator that transformers has for tags, rows tokenised beforehand."""
    import tempfile

    import transformers as t

    model = lk.load("tiny-bert-zh", task=corpus.task)
    items = corpus.task.encode(model.processor, corpus.train, 256)
    rows = [
        {
            "input_ids": i["input_ids"],
            "attention_mask": [1] * len(i["input_ids"]),
            "labels": [max(x, -100) if x >= 0 else -100 for x in i["target"]],
        }
        for i in items
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = t.TrainingArguments(
            folder, per_device_train_batch_size=16, num_train_epochs=1, learning_rate=5e-4, report_to=[], disable_tqdm=True,
            logging_strategy="no", save_strategy="no", use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=False,
            **({"train_sampling_strategy": "group_by_length"} if grouped else {}),
        )  # fmt: skip
        trainer = t.Trainer(
            model, settings, train_dataset=rows, data_collator=t.DataCollatorForTokenClassification(model.processor)
        )
        began = time.perf_counter()
        trainer.train()
        return time.perf_counter() - began
