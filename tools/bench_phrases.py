"""Speech to text, measured: called by bench.py.

    python tools/bench.py phrases [--seeds 3] [--epochs 12] [--ways full,random,encoder,decoder,lora,rehearsal] [--out FILE]
    python tools/bench.py languages [--rows 100]

`phrases` teaches German numbers (360 clips, in Chinese text) to tiny-speech, which never heard German, and judges in voices that
nobody has heard: numbers that training rows say, numbers that none says, and the English that was known before. With --out the
runs are written there as the course ships them. `languages` asks the packaged model itself for six languages, in clips that
espeak-ng says for the purpose. Times are a thread's own (CPU seconds): other programs do not count.
"""

import gzip
import json
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
from bench import interval, random_weights, say

import labkit as lk
from labkit.base.records import from_json
from labkit.comparison.shipped import ship
from labkit.tasks import Transcription

ENCODER = ("embeddings", "layer 1", "layer 2", "layer 3", "layer 4")
WAYS = {
    "full": lk.Full(),
    "random": lk.Full(),
    "encoder": lk.OnlyBlocks(ENCODER),
    "decoder": lk.TopK(2),
    "lora": lk.LoRA(where="all"),
    "bitfit": lk.BitFit(),
    "rehearsal": lk.Full(),
}


def shares(model, rows) -> dict[str, float]:
    """Exact matches among numbers that training rows say, and among those that none says."""
    return {
        kind: lk.evaluate(model, [e for e in rows if e.extra["number"] == kind]).exact_match
        for kind in ("heard", "never")
    }


def run_of(way: str, seed: int, options) -> lk.Run:
    """One way to learn German, with what is left of English."""
    german, english = lk.phrases(), lk.phrases(language="en")
    model = lk.load(options.model, task=german.task, seed=seed)
    model = random_weights(model, seed) if way == "random" else model
    retain = lk.Rehearsal(english.train) if way == "rehearsal" else None
    config = lk.TrainConfig(epochs=options.epochs or 12, seed=seed, device="cpu", precision="fp32")
    began = time.process_time()
    trainer = lk.Trainer(model, german, WAYS[way], config, retain=retain)
    for _ in trainer.run():
        pass
    seconds = time.process_time() - began
    found = {**shares(model, german.test), "cpu_seconds": seconds}
    found["english"] = shares(model, english.test)["heard"]
    if way == "full":
        found["follows"] = lk.swap_audio(model, german.test, seed).follows
    return replace(trainer.report(), strategy=way, measures=found)


def phrases(options) -> None:
    torch.set_num_threads(1)
    options.model = options.model if options.model != "tiny-bert-zh" else "tiny-speech"
    ways = [way for way in options.ways.split(",") if way in WAYS] or [*WAYS]
    kept = stored(Path(options.out)) if options.out else []
    if not kept:
        untrained(options)
    for seed in range(options.seeds):
        for way in ways:
            if any((run.strategy, run.seed) == (way, seed) for run in kept):
                continue
            kept.append(run_of(way, seed, options))
            say(f"{way} {seed} " + ", ".join(f"{k} {v:.3f}" for k, v in kept[-1].measures.items()))
            if options.out:
                ship(kept, Path(options.out))
    for way in ways:
        mine = [run for run in kept if run.strategy == way]
        for name in mine[0].measures:
            middle, half = interval([run.measures[name] for run in mine])
            say(f"{way:10} {name:12} {middle:.3f} ± {half:.3f} ({len(mine)} seeds)")
    for other in ("random", "encoder", "decoder"):
        if {"full", other} <= set(ways):
            pairs = [[r.measures["heard"] for r in kept if r.strategy == way] for way in ("full", other)]
            middle, half = interval([a - b for a, b in zip(*pairs, strict=True)])
            say(f"full − {other:9} {middle:+.3f} ± {half:.3f}")


def stored(path: Path) -> list[lk.Run]:
    """The runs that are there already: they are not done again."""
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [from_json(lk.Run, record) for record in json.load(file)]


def untrained(options) -> None:
    """What stands beside: the model before it has heard German, its English, and the text of the nearest clip."""
    german, english = lk.phrases(), lk.phrases(language="en")
    model = lk.load(options.model, task=german.task)
    say(f"before: German {shares(model, german.test)}, English {shares(model, english.test)}")
    say(f"swapped: {lk.swap_audio(model, english.test)}")
    for name, fit in german.task.baselines(german.train).items():
        answers = fit().answer([e.input for e in german.test])
        rows = zip(answers, german.test, strict=True)
        right = {k: [a == e.target for a, e in rows if e.extra["number"] == k] for k in ("heard",)}
        say(f"{name}: heard {sum(right['heard']) / len(right['heard']):.3f}")


# Six languages


def languages(options) -> None:
    """Exact matches of what the packaged model writes, in voices that it was neither taught nor chosen by: of phrases that
    others said to it, and of phrases that it never heard in this language."""
    from make_clips import JUDGING, spoken
    from phrases import phrases as said

    torch.set_num_threads(1)
    source = options.model if options.model != "tiny-bert-zh" else "tiny-speech"
    model, rng = lk.load(source, task=Transcription()), random.Random(12)
    for language in ("en", "fr", "es", "nl", "ru", "zh"):
        for kind in ("number", "date", "order"):
            for held in (False, True):
                rows = [p for p in said(language) if (p.kind, p.held) == (kind, held)]
                rows = [rng.choice(rows) for _ in range(int(options.rows or 100))]
                clips = [(spoken(p, rng, JUDGING["test"])[0].astype("float32") / 32768, 8000) for p in rows]
                told = []
                for to in dict.fromkeys((language, "zh")):
                    texts = lk.transcribe(model, clips, language=to)
                    pairs = zip(texts, rows, strict=True)
                    right = sum(t == (p.text if to == language else p.chinese) for t, p in pairs)
                    low, high = lk.wilson(right, len(rows))
                    told.append(f"{to} {right / len(rows):.3f} [{low:.3f}, {high:.3f}]")
                say(f"{language} {kind:7} {'never' if held else 'heard'} " + ", ".join(told))
