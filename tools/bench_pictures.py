"""Pictures, measured: called by bench.py.

    python tools/bench.py pictures [--seeds 3] [--sets signs,digits,xray] [--work DIR]
    python tools/bench.py pictures-speed [--rounds 3]

`pictures` trains on a few labels of three public sets that do not come with labkit: hand signs by other signers, handwritten
digits, X-rays of the chest; from tiny-resnet and from random weights. Rows, weights and order are drawn anew by each seed. Its
runs become labkit/assets/course/14-signs.json.gz and its neighbours; what is in DIR already is not trained again.
`pictures-speed` trains an epoch with labkit and with the Trainer of transformers in turns, and a head over a frozen network by
loops that ask it in every epoch.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from bench import DATA, compared, interleaved, interval, say

import labkit as lk
from labkit.comparison.shipped import SHIPPED, ship
from labkit.models.loading import quiet

SETS = {"signs": "sign_digits", "digits": "mnist_10k", "xray": "chest_xray"}
HEAD, LAST, FULL = lk.HeadOnly(), lk.TopK(1), lk.Full()
VARIED = {"shift": 0.1, "rotate": 12, "scale": 0.15}
STEPS = {"head": 40, "top-1": 30, "full": 30}  # epochs with 50 labels; fewer where there are more
CASES = {  # the set: [labels, the start, the strategy, whether pictures vary]
    "signs": [
        *((n, start, strategy, False) for n in (50, 200, 1000) for start in ("glyphs", "random") for strategy in (HEAD, FULL)),
        *((n, "glyphs", LAST, False) for n in (50, 200, 1000)),
        *((200, start, FULL, True) for start in ("glyphs", "random")),
    ],
    "digits": [(50, "glyphs", HEAD, False), (50, "glyphs", FULL, False), (50, "random", FULL, False)],
    "xray": [(n, start, strategy, False) for n in (20, 200) for start, strategy in (("glyphs", HEAD), ("glyphs", FULL), ("random", FULL))],
}  # fmt: skip


def pictures_of(name: str) -> lk.Corpus:
    train, valid, test = (DATA / f"{SETS[name]}_{split}.npz" for split in ("train", "validation", "test"))
    whole = lk.load_data(train, valid=valid, test=test)
    return replace(whole, name=name, valid=whole.valid[:100])  # watched, not chosen by


def newborn(folder: Path, seed: int) -> str:
    """tiny-resnet with weights that have seen nothing."""
    from transformers import AutoConfig, AutoModel

    if not folder.exists():
        torch.manual_seed(seed)
        place = lk.locate("tiny-resnet")
        with quiet():
            AutoModel.from_config(AutoConfig.from_pretrained(place)).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_bytes((Path(place) / "preprocessor_config.json").read_bytes())
    return str(folder)


def epochs_of(strategy, labels: int, varied: bool) -> int:
    least = STEPS[{"HeadOnly": "head", "TopK": "top-1", "Full": "full"}[type(strategy).__name__]]
    return max(round(least * (50 / max(labels, 50)) ** 0.6), 5) * (2 if varied else 1)


def measured(name: str, seeds: int, work: Path) -> list:
    """Every case of a set, each seed, as runs that are called by what they are: "glyphs head 200"."""
    whole, found = pictures_of(name), []
    for seed in range(seeds):
        for labels, start, strategy, varied in CASES[name]:
            few = whole.limit(labels, seed)
            few = few.augmented(**VARIED) if varied else few
            source = "tiny-resnet" if start == "glyphs" else newborn(work / f"random-{seed}", seed)
            config = lk.TrainConfig(
                epochs=epochs_of(strategy, labels, varied), seed=seed, device="cpu", precision="fp32"
            )
            title = f"{start} {named(strategy)}{' varied' if varied else ''} {labels}"
            kept = work / f"{name}-{title.replace(' ', '-')}-{seed}.json"
            if not kept.exists():
                work.mkdir(parents=True, exist_ok=True)
                lk.save_run(lk.Trainer(lk.load(source, task=few.task, seed=seed), few, strategy, config).fit(), kept)
            run = lk.load_run(kept)
            run = replace(run, strategy=title, model=start)
            say(f"{name} seed {seed} {title:28} {run.test_accuracy:.3f}  {run.seconds:.1f} s")
            found.append(run)
        for labels in dict.fromkeys(case[0] for case in CASES[name]):
            kept = work / f"{name}-pixels-{labels}-{seed}.json"
            if not kept.exists():
                lk.save_run(lk.baseline(whole.limit(labels, seed), "pixels"), kept)
            base = lk.load_run(kept)
            found.append(replace(base, strategy=f"pixels {labels}", seed=seed, config={"seed": seed}))
            say(f"{name} seed {seed} pixels {labels:<21} {base.test_accuracy:.3f}  {base.seconds:.1f} s")
    return found


def named(strategy) -> str:
    return {"HeadOnly": "head", "TopK": "last stage", "Full": "full"}[type(strategy).__name__]


def pictures(options) -> None:
    torch.set_num_threads(1)
    work = Path(options.out or Path(tempfile.gettempdir()) / "labkit-pictures")
    for name in options.sets.split(",") if set(options.sets.split(",")) <= set(SETS) else SETS:
        found = measured(name, options.seeds, work)
        ship([slim(run) for run in found], SHIPPED / f"14-{name}.json.gz")
        said = {}
        for run in found:
            said.setdefault(run.strategy, []).append(run.test_accuracy)
        for title, scores in said.items():
            middle, half = interval(scores)
            say(f"{name:8} {title:28} {middle:.3f} ± {half:.3f} ({len(scores)} seeds)")


def slim(run):
    """What a lesson asks of a run: not its steps."""
    return replace(run, steps=())


# Speed


def trainer(model, corpus, epochs: int = 1, frozen: bool = False) -> float:
    """The Trainer of transformers with its defaults, batches of 16. One epoch is run."""
    from transformers import PrinterCallback, TrainingArguments
    from transformers import Trainer as HubTrainer

    wants, began = model.processor, time.perf_counter()
    items = corpus.task.encode(wants, corpus.train, 0)
    rows = [
        {"pixel_values": wants.normalised(item["pixel_values"][None])[0], "labels": item["target"]} for item in items
    ]
    once = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        options = {"per_device_train_batch_size": 16, "num_train_epochs": 1, "report_to": [], "save_strategy": "no"}
        arguments = TrainingArguments(folder, disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False, **options)
        hub = HubTrainer(model, arguments, train_dataset=rows)
        hub.remove_callback(PrinterCallback)
        began = time.perf_counter()
        hub.train()
        return once + epochs * (time.perf_counter() - began)


def naive(model, corpus, epochs: int) -> float:
    """A loop as in tutorials: the frozen network is asked for every batch of every epoch. Two epochs are run."""
    began, task = time.perf_counter(), corpus.task
    items = task.encode(model.processor, corpus.train, 0)
    once, began = time.perf_counter() - began, time.perf_counter()
    trains = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trains, lr=1e-3)
    for _ in range(2):
        for rows in torch.randperm(len(items)).split(16):
            batch = task.collate(model.processor, [items[i] for i in rows.tolist()])
            task.losses(model(**batch.inputs), batch).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    return once + epochs / 2 * (time.perf_counter() - began)


def ours(corpus, strategy, epochs: int = 1) -> float:
    model = lk.load("tiny-resnet", task=corpus.task)
    began = time.perf_counter()
    for _ in lk.Trainer(model, corpus, strategy, lk.TrainConfig(epochs=epochs, device="cpu")).run():
        pass
    return time.perf_counter() - began


def pictures_speed(options) -> None:
    torch.set_num_threads(1)
    corpus = lk.doodles()
    corpus = replace(corpus, valid=corpus.valid[:16], test=())
    fresh = lambda: lk.load("tiny-resnet", task=corpus.task)  # noqa: E731
    full = {"transformers Trainer": lambda: trainer(fresh(), corpus), "labkit": lambda: ours(corpus, FULL)}
    compared(f"full, {len(corpus.train)} pictures", interleaved(full, options.rounds), len(corpus.train))
    epochs = 40
    head = {
        "naive loop, frozen": lambda: naive(HEAD.prepare(fresh()).eval(), corpus, epochs),
        "transformers Trainer, frozen": lambda: trainer(HEAD.prepare(fresh()), corpus, epochs),
        "labkit": lambda: ours(corpus, HEAD, epochs),
    }
    found = interleaved(head, options.rounds)
    compared(f"head alone, {epochs} epochs of {len(corpus.train)} pictures", found, epochs * len(corpus.train))
