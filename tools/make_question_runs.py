"""Train on the packaged slips what notebook 11 has no time for, and keep small records of it: `python tools/make_question_runs.py`.

Two networks, the packaged model and the same from random weights, with three seeds each, and one run on rows of which a
third ask for what is not on the slip: about half a minute a run on one core. A run whose record is in the file already is not trained again. A record has the answers to the test rows, so that
every score of the notebook can be computed anew.
"""

import json
import random
import sys
from pathlib import Path

import labkit as lk
from labkit.data.packaged import slips
from labkit.tasks.question_answering import answerable

FILE = Path(__file__).resolve().parents[1] / "labkit" / "assets" / "question_runs.json"
NETWORKS = ("tiny-bert-zh", "random weights")
VAIN = "tiny-bert-zh, a third asked in vain"
SEEDS = 3
SETTINGS = {"lr": 1e-3, "batch_size": 8, "epochs": 6}


def model_of(network: str, task, seed: int):
    """The packaged model, or the same network with weights as before any pretraining."""
    import torch

    model = lk.load("tiny-bert-zh", task=task, seed=seed)
    if network == "tiny-bert-zh":
        return model
    torch.manual_seed(seed)
    fresh = type(model)(model.config)
    fresh.processor, fresh.source, fresh.task = model.processor, network, task
    return fresh


def record(network: str, seed: int) -> dict:
    corpus = slips()
    trainer = lk.Trainer(
        model_of(network, corpus.task, seed), corpus, lk.Full(), lk.TrainConfig(**SETTINGS, seed=seed, device="cpu")
    )
    run = trainer.fit()
    valid = [round(epoch.valid_exact_match, 3) for epoch in run.history]
    card = {
        "network": network,
        "seed": seed,
        "corpus": corpus.fingerprint,
        **SETTINGS,
        "seconds": round(run.seconds, 1),
    }
    return {**card, "valid_exact_match": valid, "answers": list(run.answers)}


def vain_rows(rows, every: int, seed: int) -> list[lk.Example]:
    """Rows of which each `every`th has another row's question, for what its slip does not hold."""
    rng, made = random.Random(seed), []
    for i, row in enumerate(rows):
        others = [r for r in rows if r.extra["asks"] not in row.extra["holds"].split()]
        if i % every == 0:
            asked = rng.choice(others)
            row = lk.Example((asked.input[0], row.input[1]), (), {**row.extra, "asks": asked.extra["asks"]})
        made.append(row)
    return made


def vain_record() -> dict:
    """A run that may say "no answer"; of each test row the score of its best span less the null score, and what is true."""
    corpus = slips()
    task = lk.tasks.QuestionAnswering(no_answer=True)
    parts = {split: tuple(vain_rows(rows, 3, seed)) for seed, (split, rows) in enumerate(corpus.splits.items())}
    corpus = lk.Corpus("slips, a third asked in vain", **parts, task=task)
    config = lk.TrainConfig(**{**SETTINGS, "epochs": 10}, device="cpu")
    trainer = lk.Trainer(model_of("tiny-bert-zh", task, 0), corpus, lk.Full(), config)
    trainer.fit()
    items = trainer.batches.items["test"]
    _, answers = trainer.network.answers(trainer.batches.processor, items, split="test")
    spans = lk.tasks.QuestionAnswering().merge(answers, items)  # what it would say if it had to
    rows = [
        [round(answer[0], 3), answerable(e), task.counts(span["text"], task.truth(e))[1] == 1.0]
        for answer, span, e in zip(answers, spans, corpus.test, strict=True)
    ]
    return {"network": VAIN, "seed": 0, "corpus": slips().fingerprint, **SETTINGS, "epochs": 10, "scores": rows}


def records(place: Path = FILE) -> list[dict]:
    """Those that there are, after training those that are missing."""
    found = json.loads(place.read_text("utf-8")) if place.exists() else []
    here = slips().fingerprint
    found = [r for r in found if r["corpus"] == here]
    for seed in range(SEEDS):
        for network in NETWORKS:
            if not any((r["network"], r["seed"]) == (network, seed) for r in found):
                found.append(record(network, seed))
                place.write_text(json.dumps(found, ensure_ascii=False, indent=0) + "\n", "utf-8")
                print(f"{network}, seed {seed}: {found[-1]['valid_exact_match']}", flush=True)
                if "--one" in sys.argv:
                    return found
    if not any(r["network"] == VAIN for r in found):
        found.append(vain_record())
        place.write_text(json.dumps(found, ensure_ascii=False, indent=0) + "\n", "utf-8")
    return found


if __name__ == "__main__":
    records()
