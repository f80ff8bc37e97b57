"""Supervised fine-tuning, measured: `python tools/bench.py sft` (speed, beside others) and `python tools/bench.py answers`.

`sft` interleaves labkit, the transformers Trainer and, where it is installed, trl on the same rows, model and batch: tokens
a second and ratios. `answers` fine-tunes on the packaged instructions with several seeds: how many answers have a legal
form, how many are right, the same under wordings that were never trained on, and what is forgotten.
"""

import importlib.util
import tempfile
import time
from dataclasses import replace

import torch
from bench import compared, interleaved, interval, say

import labkit as lk
from labkit.data.corpus import Corpus
from labkit.tasks import Generation

LEGAL = {
    "feeling": {"情感：正面", "情感：负面"},
    "topic": {f"类别：{name}" for name in ("外卖", "酒店", "衣服", "手机", "图书", "电影")},
}


# Speed


def rows_as_tokens(model, rows) -> list[dict]:
    """Rows as other libraries take them: tokens, and labels on answers alone."""
    items = Generation().encode(model.processor, rows, 256)
    found = []
    for item in items:
        labels = [-100] * len(item["input_ids"])
        for first, end in item["answers"]:
            labels[first:end] = item["input_ids"][first:end]
        found.append({"input_ids": item["input_ids"], "labels": labels})
    return found


def hub_trainer(model, rows) -> float:
    """The transformers Trainer with its defaults, batches of 16 padded to their longest row, for one epoch."""
    from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainingArguments

    began = time.perf_counter()
    items = rows_as_tokens(model, rows)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, **HUB)
        made = Trainer(model, arguments, train_dataset=items, data_collator=DataCollatorForSeq2Seq(model.processor))
        made.remove_callback(PrinterCallback)
        made.train()
    return time.perf_counter() - began


def trl_trainer(model, rows) -> float:
    """trl's SFTTrainer on prompts and completions, its loss on completions alone (its default for them), for one epoch."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    began = time.perf_counter()
    table = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": r.input}],
                "completion": [{"role": "assistant", "content": r.target}],
            }
            for r in rows
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(folder, max_length=256, gradient_checkpointing=False, bf16=False, **HUB)
        made = SFTTrainer(model, arguments, train_dataset=table, processing_class=model.processor)
        made.remove_callback(PrinterCallback)
        made.train()
    return time.perf_counter() - began


HUB = {
    "per_device_train_batch_size": 16,
    "num_train_epochs": 1,
    "report_to": [],
    "save_strategy": "no",
    "disable_tqdm": True,
    "use_cpu": True,
}


def labkits(model, corpus: Corpus) -> float:
    """labkit: everything from rows to weights, for one epoch, without the evaluation that the others do not make."""
    began = time.perf_counter()
    trainer = lk.Trainer(model, corpus, config=lk.TrainConfig(epochs=1, batch_size=16, precision="fp32"))
    once = time.perf_counter() - began
    for _ in trainer.run():
        pass
    return once + trainer.train_seconds


def sft(options) -> None:
    corpus = lk.instructions()
    corpus = replace(corpus.limit(min(options.rows, 600), seed=1), valid=corpus.valid[:8], test=())
    rows = list(corpus.train)
    ways = {"transformers Trainer": lambda m: hub_trainer(m, rows)}
    if importlib.util.find_spec("trl"):
        ways["trl"] = lambda m: trl_trainer(m, rows)
    ways["labkit"] = lambda m: labkits(m, corpus)

    def fresh():
        return lk.load("tiny-gpt-zh", task=corpus.task)

    tokens = sum(len(item["input_ids"]) for item in rows_as_tokens(fresh(), rows))
    found = interleaved({way: lambda call=call: call(fresh()) for way, call in ways.items()}, options.rounds)
    compared(f"SFT of tiny-gpt-zh, {len(rows)} rows, batch 16, {options.rounds} rounds", found, len(rows))
    for way, seconds in found.items():
        say(f"  {way:38} {tokens / seconds:8.0f} tokens/s")


# Quality


def judged(model, corpus: Corpus) -> dict[str, float]:
    """Shares of the test rows: answers in a legal form, right ones, of each question."""
    answers = [a.text for a in lk.predict(model, [e.input for e in corpus.test])]
    rows = [(a, e.target, e.extra["question"]) for a, e in zip(answers, corpus.test, strict=True)]
    found = {"legal": share(a in LEGAL[q] for a, _, q in rows), "right": share(a == t for a, t, _ in rows)}
    for question in LEGAL:
        found[question] = share(a == t for a, t, q in rows if q == question)
    return found


def share(marks) -> float:
    marks = list(marks)
    return sum(marks) / len(marks)


def answers(options) -> None:
    seen, unseen = lk.instructions(), lk.instructions(unseen=True)
    ways = {"full": lk.Full(), "lora": lk.LoRA(), "lora all": lk.LoRA(where="all")}
    found: dict[tuple, list[float]] = {}
    for seed in range(options.splits):
        for way in [w for w in options.ways.split(",") if w in ways] or ways:
            model = lk.load(options.model, task=seen.task)
            trainer = lk.Trainer(
                model, seen, ways[way], lk.TrainConfig(epochs=options.epochs, seed=seed, lr=options.lr)
            )
            for _ in trainer.run():
                pass
            scores = judged(trainer.model, seen)
            scores |= {f"unseen {name}": value for name, value in judged(trainer.model, unseen).items()}
            scores["perplexity on general text"] = torch.tensor(lk.masked_lm_loss(trainer.model)).exp().item()
            scores["seconds"] = trainer.train_seconds
            for name, value in scores.items():
                found.setdefault((way, name), []).append(value)
            say(f"seed {seed} {way:8} " + "  ".join(f"{k} {v:.3f}" for k, v in scores.items()))
    say(f"\nperplexity before: {torch.tensor(lk.masked_lm_loss(options.model)).exp().item():.1f}")
    for name in ("tf-idf", "majority"):
        say(f"{name}: exact match {lk.baseline(seen, name).test_exact_match:.3f}")
    for (way, name), values in found.items():
        mean, half = interval(values)
        say(f"{way:10} {name:28} {mean:7.3f} ± {half:.3f}")
