"""Spoken digits of real speakers, judged on a speaker who was never heard: called by bench.py and make_course_runs.py.

    python tools/bench.py sounds [--seeds 3] [--out FOLDER]
    python tools/bench.py sounds-speed [--rounds 3]

`sounds` holds back each of the five speakers of spoken_digits in turn and trains on 200 clips of the other four, drawn anew for
each seed: from tiny-commands and from random weights, with silence trimmed and not, and a line beside them; and on the packaged
digits that a program says, without one real label. What is in FOLDER already is not trained again. `sounds-speed` trains an epoch
with labkit and with the Trainer of transformers in turns: same pictures, model, batch size and rate.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from bench import DATA, compared, interleaved, interval, random_weights, say

import labkit as lk
from labkit.modalities.audio import Audio

SPEAKERS = ("jackson", "lucas", "nicolas", "theo", "yweweler")
ROWS, EPOCHS = 200, 12
VARIED = {"warp": 0.15, "tone": 8.0, "noise": 0.3, "mask": 0.15}
GENTLE = 1e-3  # of three rates the best on clips of known speakers; from random weights it is the usual one
WAYS = {  # name: where from, strategy, rate, settings of the clips, seeds
    "tiny-commands": ("tiny-commands", lk.Full(), GENTLE, {}, 3),
    "random": ("random", lk.Full(), None, {}, 3),
    "log-mel": ("", None, None, {}, 3),
    "no real label": ("tiny-commands", lk.Full(), GENTLE, {}, 1),
    "head": ("tiny-commands", lk.HeadOnly(), None, {}, 1),
    "silence kept": ("tiny-commands", lk.Full(), GENTLE, {"trim": 0.0}, 1),
    "tiny-commands, varied": ("tiny-commands", lk.Full(), GENTLE, VARIED, 1),
    "random, varied": ("random", lk.Full(), None, VARIED, 1),
    "random, own tempo": ("random", lk.Full(), None, {"lasts": 0.0}, 1),  # a word lasts as long as it was said
}


def digits(data: Path = DATA) -> lk.Corpus:
    """All clips of spoken_digits with their speakers, as one set of rows."""
    parts = {name: data / f"spoken_digits_{name}.npz" for name in ("train", "validation", "test")}
    whole = lk.load_csv(parts["train"], valid=parts["validation"], test=parts["test"])
    return replace(whole, name="spoken_digits", train=(*whole.train, *whole.valid, *whole.test), valid=(), test=())


def without(whole: lk.Corpus, speaker: str, seed: int) -> lk.Corpus:
    """200 clips of the others to train on, 100 more to watch, and all of the speaker's to be judged by."""
    others = tuple(e for e in whole.train if e.extra["speaker"] != speaker)
    few = replace(whole, train=others).limit(ROWS, seed)
    chosen = {id(e) for e in few.train}
    rest = replace(whole, train=tuple(e for e in others if id(e) not in chosen)).limit(100, seed)
    held = tuple(e for e in whole.train if e.extra["speaker"] == speaker)
    return replace(few, valid=rest.train, test=replace(whole, train=held).limit(250, 0).train)


def newborn(folder: Path, seed: int) -> str:
    """The packaged network with weights that have heard nothing."""
    if not folder.exists():
        lk.save(random_weights(lk.load("tiny-commands"), seed), folder)
    return str(folder)


def runs(work: Path, data: Path = DATA, seeds: int = 3, ways=WAYS) -> Iterator[lk.Run]:
    """A run for each way, speaker and seed; `seed` counts both: 10 times the speaker, and the seed."""
    whole, spoken = digits(data), lk.commands()
    for seed, way in ((seed, way) for seed in range(seeds) for way in ways if seed < ways[way][-1]):
        source, strategy, rate, settings, _ = ways[way]
        for number, speaker in enumerate(SPEAKERS):
            corpus = without(whole, speaker, seed)
            corpus = corpus.augmented(**settings) if settings else corpus
            if way == "no real label":
                corpus = replace(corpus, name=way, train=(*spoken.train, *spoken.test), valid=spoken.valid)
            if strategy is None:
                run = lk.baseline(corpus, "log-mel")
            else:
                place = newborn(work / f"random-{seed}", seed) if source == "random" else source
                config = lk.TrainConfig(epochs=EPOCHS, lr=rate, seed=seed, device="cpu", precision="fp32")
                (run,) = lk.compare([strategy], corpus, place, (seed,), config, out=work / f"{way}-{speaker}-{seed}")
            model = "tiny-commands, random weights" if source == "random" else run.model  # no folder of this machine
            yield replace(run, strategy=way, seed=10 * number + seed, model=model)


def sounds(options) -> None:
    """Means over speakers and seeds, and the differences that the bars are on, paired."""
    work = Path(options.out or tempfile.mkdtemp(prefix="sounds-"))
    found: dict[str, dict[int, float]] = {}
    for run in runs(work, Path(options.data or DATA), options.seeds or 3):
        found.setdefault(run.strategy, {})[run.seed] = run.test_accuracy
        say(
            f"{run.strategy:28} {SPEAKERS[run.seed // 10]:9} {run.seed % 10}  {run.test_accuracy:.3f}  {run.seconds:5.1f} s"
        )
    say("")
    for way, scores in found.items():
        each = [statistics.mean(v for k, v in scores.items() if k // 10 == n) for n in range(len(SPEAKERS))]
        mean, half = interval(list(scores.values()))
        say(
            f"{way:28} {mean:.3f} ± {half:.3f}   "
            + "  ".join(f"{s} {x:.2f}" for s, x in zip(SPEAKERS, each, strict=True))
        )
    pairs = [("tiny-commands", "random", 0.05), ("tiny-commands", "log-mel", 0.08)]
    pairs += [(way, "tiny-commands", 0.0) for way in ("head", "silence kept", "tiny-commands, varied")]
    pairs += [(way, "random", 0.0) for way in ("random, varied", "random, own tempo")]
    for one, other, bar in pairs:
        both = [found[one][k] - found[other][k] for k in found[one] if k in found[other]]
        mean, half = interval(both)
        say(f"{one} over {other}: {mean:+.3f} ± {half:.3f}" + (f" (bar {bar})" if bar else ""))


def sounds_speed(options) -> None:
    corpus = digits(Path(options.data or DATA))
    corpus = replace(corpus.limit(600, 0), valid=corpus.train[:20])
    fresh = lambda: lk.load("tiny-commands", task=corpus.task)  # noqa: E731
    compared(
        "full fine-tuning of tiny-commands, an epoch",
        interleaved(
            {"transformers Trainer": lambda: hub(fresh(), corpus), "labkit": lambda: ours(fresh(), corpus)},
            options.rounds,
        ),
        len(corpus.train),
    )


def ours(model, corpus) -> float:
    began = time.perf_counter()
    trainer = lk.Trainer(model, corpus, lk.Full(), lk.TrainConfig(epochs=1, device="cpu", precision="fp32"))
    for event in trainer.run():
        if isinstance(event, lk.StepDone) and event.step == event.steps:
            break
    return time.perf_counter() - began


def hub(model, corpus) -> float:
    """The usual way: a data set that asks the processor for each clip, and the Trainer with its defaults, batches of 16."""
    from transformers import PrinterCallback, TrainingArguments
    from transformers import Trainer as HubTrainer

    extractor, rate = model.processor.extractor, Audio.rate

    class Clips(torch.utils.data.Dataset):
        def __len__(self):
            return len(corpus.train)

        def __getitem__(self, i):
            heard = extractor(corpus.train[i].input, sampling_rate=rate, return_tensors="pt", do_normalize=True)
            return {"pixel_values": heard.input_features, "labels": corpus.train[i].target}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=16, num_train_epochs=1, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True
        )  # fmt: skip
        trainer = HubTrainer(model, arguments, train_dataset=Clips())
        trainer.remove_callback(PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        return time.perf_counter() - began


if __name__ == "__main__":
    say("run it by bench.py")
