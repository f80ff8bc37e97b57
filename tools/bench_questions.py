"""Question answering, measured: `python tools/bench.py slips` (quality) and `python tools/bench.py slips-speed`.

`slips` trains the packaged model and the same network from random weights on the packaged slips, with three seeds
(make_question_runs.py), and scores test rows in wordings that training rows have, and in those that they have not, apart. `slips-speed` takes turns with the
transformers Trainer on the same rows, model and batch.
"""

import tempfile
import time

import make_question_runs
import numpy as np
from bench import compared, interleaved, interval, ours, say

import labkit as lk
from labkit.data.packaged import slips as packaged

PARTS = ("all", "seen wording", "unseen wording")


def by_wording(corpus, answers) -> tuple[float, ...]:
    """Exact match over all test rows, over seen and over unseen wordings; `answers` as a run keeps them."""
    right = corpus.task.table(answers, [corpus.task.truth(e) for e in corpus.test])[:, 1]
    seen = np.array([e.extra["wording"] == "seen" for e in corpus.test])
    return right.mean(), right[seen].mean(), right[~seen].mean()


def slips(options) -> None:
    corpus, found = packaged(), {}
    for name in corpus.task.baselines(corpus.train):
        found[name] = [by_wording(corpus, lk.baseline(corpus, name).answers)]
    for one in make_question_runs.records():
        if "answers" in one:
            found.setdefault(one["network"], []).append(by_wording(corpus, one["answers"]))
    found["difference"] = list(np.subtract(*(found[name] for name in make_question_runs.NETWORKS)))
    say(
        f"slips: exact match, {make_question_runs.SETTINGS}; mean and 95 % interval over {make_question_runs.SEEDS} seeds"
    )
    for name, scores in found.items():
        cells = []
        for i, part in enumerate(PARTS):
            mean, half = interval([s[i] for s in scores]) if len(scores) > 1 else (scores[0][i], 0)
            cells.append(f"{part} {mean:.3f}" + (f" ± {half:.3f}" if half else ""))
        say(f"  {name:16} {'   '.join(cells)}")


def slips_speed(options) -> None:
    corpus = packaged().limit(options.rows)
    ways = {
        "Trainer, rows padded to 384 (run_qa)": lambda: trainer(corpus, "max_length"),
        "Trainer, rows padded to their batch": lambda: trainer(corpus, False),
        "labkit": lambda: ours(lk.load("tiny-bert-zh", task=corpus.task), corpus, device="cpu"),
    }
    found = interleaved(ways, options.rounds)
    rows = len(corpus.train)
    compared(f"question answering: full fine-tuning, {rows} rows, batch 16, {options.rounds} rounds", found, rows)


def trainer(corpus, padding) -> float:
    """Seconds of one epoch by the transformers Trainer: windows and targets as its example for SQuAD makes them."""
    from transformers import DataCollatorWithPadding, PrinterCallback, TrainingArguments
    from transformers import Trainer as HubTrainer

    model = lk.load("tiny-bert-zh", task=corpus.task)
    began = time.perf_counter()
    questions, contexts = zip(*(e.input for e in corpus.train), strict=True)
    coded = model.processor(
        list(questions), list(contexts), truncation="only_second", max_length=384, stride=128, padding=padding,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    items = []
    for i, owner in enumerate(coded["overflow_to_sample_mapping"]):
        (text, start), *_ = corpus.train[owner].target
        inside = [k for k, part in enumerate(coded.sequence_ids(i)) if part == 1]
        offsets = coded["offset_mapping"][i]
        first = next(k for k in inside if offsets[k][1] > start)
        last = next(k for k in reversed(inside) if offsets[k][0] < start + len(text))
        names = ("input_ids", "token_type_ids", "attention_mask")
        items.append({name: coded[name][i] for name in names} | {"start_positions": first, "end_positions": last})
    once = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=16, num_train_epochs=1, report_to=[], save_strategy="no",
            disable_tqdm=True, use_cpu=True,
        )  # fmt: skip
        hub = HubTrainer(model, arguments, train_dataset=items, data_collator=DataCollatorWithPadding(model.processor))
        hub.remove_callback(PrinterCallback)
        began = time.perf_counter()
        hub.train()
        return once + time.perf_counter() - began
