"""Speed and quality, measured on this machine. Run by hand: `make bench`, or

    python tools/bench.py speed   [--data waimai_train.csv] [--rows 1600] [--rounds 3]
    python tools/bench.py frozen  [--data waimai_train.csv] [--rows 1600] [--rounds 3]
    python tools/bench.py sft | answers [--splits 3]     (bench_generation.py)
    python tools/bench.py slips [--seeds 3] | slips-speed [--rounds 3]     (bench_questions.py)
    python tools/bench.py phrases [--seeds 3] [--out FILE] | languages [--rows 100]     (bench_phrases.py)
    python tools/bench.py pictures [--seeds 3] | pictures-speed [--rounds 3]     (bench_pictures.py)
    python tools/bench.py workers [--strategies 9] [--seeds 3]; deaths; cluster [--counts 1,4,16,64]     (bench_workers.py)
    python tools/bench.py search [--seconds 600] [--seeds 3] [--out FOLDER]     (bench_search.py)
    python tools/bench.py ship-speed | distill --model FOLDER --data CSV --out FOLDER [--seeds 3]     (bench_ship.py)
    python tools/bench.py serve [--seconds 5] [--stops 20]     (bench_serve.py)
    python tools/bench.py sounds [--seeds 3] [--out FOLDER] | sounds-speed     (bench_sounds.py)
    python tools/bench.py quality [--data FOLDER] [--splits 5] [--epochs 3] [--model tiny-bert-zh]

`speed` interleaves the ways of full fine-tuning in one run and prints medians and ratios: machines are noisy, ratios
hold. `frozen` does the same where only the head, or the two top layers of twelve, train. `quality` re-draws splits and compares the packaged model with the same network from random weights, with its
head alone, and with TF-IDF + logistic regression, as means with 95 % intervals.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

import labkit as lk
from labkit.data.corpus import Corpus
from labkit.data.splitting import split_rows
from labkit.tasks import Classification

# What can be measured: the module beside this one that has the function of that name ("" is this one), and its usual rows
BENCHES = {
    "speed": ("", 1600),
    "frozen": ("", 1600),
    "quality": ("", "200,1000,all"),
    "sft": ("bench_generation", 600),
    "answers": ("bench_generation", 600),
    "slips": ("bench_questions", 600),
    "slips-speed": ("bench_questions", 600),
    "tagging": ("bench_tagging", 500),
    "tagging-speed": ("bench_tagging", 500),
    "phrases": ("bench_phrases", 0),
    "languages": ("bench_phrases", 100),
    "pictures": ("bench_pictures", 0),
    "pictures-speed": ("bench_pictures", 0),
    "workers": ("bench_workers", 1000),
    "deaths": ("bench_workers", 200),
    "cluster": ("bench_workers", 200),
    "search": ("bench_search", 1000),
    "serve": ("bench_serve", 0),
    "ship-speed": ("bench_ship", 0),
    "distill": ("bench_ship", 0),
    "sounds": ("bench_sounds", 200),
    "sounds-speed": ("bench_sounds", 600),
}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def say(text: str) -> None:
    print(text, flush=True)


# Speed


def bert(layers: int, width: int, vocab: int, labels):
    """A BERT of that shape with random weights and the packaged tokenizer: speed does not depend on the weights."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from labkit.models.loading import locate

    torch.manual_seed(0)
    shape = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": width // 64 or 1}
    names = {"id2label": dict(enumerate(labels)), "label2id": {x: i for i, x in enumerate(labels)}}
    model = BertForSequenceClassification(BertConfig(vocab_size=vocab, intermediate_size=4 * width, **shape, **names))
    model.processor = AutoTokenizer.from_pretrained(locate("tiny-bert-zh"))
    model.source, model.task = f"bert {layers}x{width}", Classification(labels=tuple(labels))
    return model


def article(model, rows, epochs: int = 1) -> float:
    """The loop of the old tutorials: each row tokenised in the data set, padded to 128, plain AdamW.

    One epoch is run; the answer is its time, `epochs` times: each is like the first.
    """
    tokenizer = model.processor

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return len(rows)

        def __getitem__(self, i):
            coded = tokenizer(rows[i].input, padding="max_length", truncation=True, max_length=128, return_tensors="pt")
            return {
                "input_ids": coded["input_ids"].flatten(),
                "attention_mask": coded["attention_mask"].flatten(),
                "labels": torch.tensor(rows[i].target),
            }

    loader = torch.utils.data.DataLoader(Rows(), batch_size=16, shuffle=True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-5)
    model.train()
    began = time.perf_counter()
    for batch in loader:
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        loss.item()
    return epochs * (time.perf_counter() - began)


def tokenised(model, rows) -> tuple[list[dict], float]:
    """Rows as the other libraries take them, and the seconds that it took."""
    began = time.perf_counter()
    coded = model.processor([r.input for r in rows], truncation=True, max_length=256)
    items = [
        {"input_ids": i, "attention_mask": m, "labels": r.target}
        for i, m, r in zip(coded["input_ids"], coded["attention_mask"], rows, strict=True)
    ]
    return items, time.perf_counter() - began


def trainer(model, rows, grouped: bool, epochs: int = 1) -> float:
    """The transformers Trainer with its defaults, batches of 16; or with rows grouped by length. One epoch is run."""
    import tempfile

    from transformers import DataCollatorWithPadding, PrinterCallback, TrainingArguments
    from transformers import Trainer as HubTrainer

    items, once = tokenised(model, rows)
    with tempfile.TemporaryDirectory() as folder:
        options = {"train_sampling_strategy": "group_by_length"} if grouped else {}
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=16,
            num_train_epochs=1,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            **options,
        )
        hub = HubTrainer(model, arguments, train_dataset=items, data_collator=DataCollatorWithPadding(model.processor))
        hub.remove_callback(PrinterCallback)
        began = time.perf_counter()
        hub.train()
        return once + epochs * (time.perf_counter() - began)


def lightning(model, rows, epochs: int = 1) -> float:
    """Lightning's Trainer, batches of 16 padded to their longest row. One epoch is run."""
    import lightning
    from transformers import DataCollatorWithPadding

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model.train()

        def training_step(self, batch, number):
            return self.model(**batch).loss

        def configure_optimizers(self):
            return torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=2e-5)

    items, once = tokenised(model, rows)
    padded = DataCollatorWithPadding(model.processor)
    loader = torch.utils.data.DataLoader(items, batch_size=16, shuffle=True, collate_fn=padded)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    fit = lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit
    began = time.perf_counter()
    fit(Module(), loader)
    return once + epochs * (time.perf_counter() - began)


def fastai(model, rows, epochs: int = 1) -> float:
    """fastai's Learner, batches of 16 padded to their longest row. One epoch is run."""
    from fastai.basics import DataLoaders, Learner
    from transformers import DataCollatorWithPadding

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.train()

        def forward(self, batch):
            return self.model(**batch).logits

    def pair(chosen):
        batch = dict(padded(chosen))
        return batch, batch.pop("labels")

    items, once = tokenised(model, rows)
    padded = DataCollatorWithPadding(model.processor)
    loader = torch.utils.data.DataLoader(items, batch_size=16, shuffle=True, collate_fn=pair)
    few = torch.utils.data.DataLoader(items[:1], batch_size=16, collate_fn=pair)
    learner = Learner(DataLoaders(loader, few), Logits(), loss_func=torch.nn.functional.cross_entropy)
    began = time.perf_counter()
    with learner.no_logging():  # fastai.basics brings no progress bar
        learner.fit(1, 2e-5)
    return once + epochs * (time.perf_counter() - began)


def others(epochs: int = 1) -> dict:
    """The other libraries that are installed here; a line for each that is not."""
    found = {}
    for name, call in (("lightning", lightning), ("fastai", fastai)):
        if importlib.util.find_spec(name):
            found[name] = lambda model, rows, call=call: call(model, rows, epochs)
        else:
            say(f"  {name}: not installed")
    return found


def ours(model, corpus: Corpus, strategy=None, epochs: int = 1, times: int = 1, **settings) -> float:
    """labkit: tokenised once, batches of like length, fused AdamW. `epochs` are run, and count `times` as much."""
    began = time.perf_counter()
    config = lk.TrainConfig(epochs=epochs, batch_size=16, **settings)
    trainer = lk.Trainer(model, corpus, strategy, config)
    once = time.perf_counter() - began
    for _ in trainer.run():
        pass
    return once + times * trainer.train_seconds


def interleaved(ways: dict, rounds: int) -> dict[str, float]:
    """Seconds of each way, the median over rounds in which the ways take turns."""
    seconds = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            seconds[way].append(call())
    return {way: statistics.median(found) for way, found in seconds.items()}


def compared(title: str, found: dict[str, float], rows: int) -> None:
    """One line a way; the last is labkit's, which the others are measured against."""
    say(f"\n{title}, {torch.get_num_threads()} threads")
    best = list(found.values())[-1]
    for way, seconds in found.items():
        say(f"  {way:38} {rows / seconds:8.0f} rows/s   labkit is {seconds / best:6.2f} times as fast")


def bench_corpus(options) -> Corpus:
    data = Path(options.data or DATA / "waimai_train.csv")
    corpus = lk.load_csv(data) if options.data or data.exists() else lk.reviews()
    return replace(corpus.limit(options.rows, seed=1), valid=corpus.valid[:32], test=())


def speed(options) -> None:
    corpus = bench_corpus(options)
    rows = list(corpus.train)
    vocab = lk.load("tiny-bert-zh", corpus.labels).config.vocab_size

    def made(name: str):
        """A BERT with random weights for "6x384", layers by width; else the model of that name."""
        layers, times, width = name.partition("x")
        if times and layers.isdigit() and width.isdigit():
            return bert(int(layers), int(width), vocab, corpus.labels)
        return lk.load(name, corpus.labels)

    ways = {
        "article": lambda m: article(m, rows),
        "transformers Trainer": lambda m: trainer(m, rows, grouped=False),
        "Trainer, grouped": lambda m: trainer(m, rows, grouped=True),
        **{name: lambda m, call=call: call(m, rows) for name, call in others().items()},
        "labkit": lambda m: ours(m, corpus),
    }
    for name in options.shapes.split(","):
        found = interleaved({w: lambda c=c, name=name: c(made(name)) for w, c in ways.items()}, options.rounds)
        compared(f"{name}: full fine-tuning, {len(rows)} rows, batch 16, {options.rounds} rounds", found, len(rows))


# The frozen part


def frozen(options) -> None:
    corpus = bench_corpus(options)
    vocab = lk.load("tiny-bert-zh", corpus.labels).config.vocab_size
    tiny = lambda: lk.load("tiny-bert-zh", corpus.labels)  # noqa: E731
    deep = lambda: bert(12, options.width, vocab, corpus.labels)  # noqa: E731
    head = {"old tutorials' loop, everything trains": lambda: article(tiny(), corpus.train, 10)}
    frozen_ways(head, "head", tiny, lk.HeadOnly(), 10, corpus, options)
    frozen_ways({}, f"top-2 of 12x{options.width}", deep, lk.TopK(2), 5, corpus, options)
    live_head(corpus, options.rounds)


def frozen_ways(ways: dict, name: str, make, strategy, epochs: int, corpus: Corpus, options) -> None:
    """One strategy, by loops that compute the frozen part in every epoch and by ours, which keeps it."""
    rows, made = list(corpus.train), lambda: strategy.prepare(make())
    ways |= {
        "frozen, old tutorials' loop": lambda: article(made(), rows, epochs),
        "frozen, transformers Trainer": lambda: trainer(made(), rows, False, epochs),
        "frozen, Trainer, grouped by length": lambda: trainer(made(), rows, True, epochs),
        **{f"frozen, {n}": lambda call=call: call(made(), rows) for n, call in others(epochs).items()},
        "frozen, labkit, cache='off'": lambda: ours(make(), corpus, strategy, 1, epochs, cache="off"),
        "labkit, cache='half'": lambda: ours(make(), corpus, strategy, epochs, cache="half"),
        "labkit": lambda: ours(make(), corpus, strategy, epochs),
    }
    found = interleaved(ways, options.rounds)
    compared(
        f"{name}: {epochs} epochs of {len(rows)} rows, batch 16, {options.rounds} rounds", found, epochs * len(rows)
    )


def live_head(corpus: Corpus, rounds: int) -> None:
    """How long another learning rate takes, where the frozen network was asked before."""
    corpus = corpus.limit(min(1000, len(corpus.train)), seed=1)
    live = lk.LiveHead(lk.Trainer(lk.load("tiny-bert-zh", corpus.labels), corpus, lk.HeadOnly()))
    for epochs in (3, 10):
        found = []
        for lr in [1e-3, 2e-3, 5e-3] * rounds:
            began = time.perf_counter()
            for _ in live.trainer(lr=lr, epochs=epochs).run():
                pass
            found.append(time.perf_counter() - began)
        middle, quickest = statistics.median(found), min(found)
        say(
            f"\nlive head: another rate, {len(corpus.train)} rows, {epochs} epochs: "
            f"{middle:.3f} s, the quickest {quickest:.3f} s"
        )


# Quality


def redrawn(pool: list, labels, seed: int, test_rows: int, name: str) -> Corpus:
    """A corpus whose test rows are drawn anew from everything there is."""
    task = Classification(labels=tuple(labels))
    rest, test = split_rows(task, pool, test_rows, seed)
    train, valid = split_rows(task, rest, 100, seed)
    return Corpus(name, tuple(train), tuple(valid), tuple(test), task)


def random_weights(model, seed: int):
    """The same network with weights as before any pretraining."""
    torch.manual_seed(seed)
    fresh = type(model)(model.config)
    fresh.processor, fresh.source, fresh.task = model.processor, f"{model.source}, random weights", model.task
    return fresh


BUDGET = {200: 10, 1000: 5, None: 3}  # training rows: epochs


def quality(options) -> None:
    folder = Path(options.data or DATA)
    found: dict[tuple, list[float]] = {}
    for name in options.sets.split(","):
        train = next(p for p in (folder / f"{name}_train.csv", folder / f"{name}_train.csv.gz") if p.exists())
        whole = lk.load_csv(train, valid=folder / f"{name}_validation.csv", test=folder / f"{name}_test.csv")
        pool = [*whole.train, *whole.valid, *whole.test]
        for seed in range(options.splits):
            drawn = redrawn(pool, whole.labels, seed, 1500, name)
            for rows in [int(r) if r != "all" else None for r in options.rows.split(",")]:
                corpus = drawn if rows is None else drawn.limit(rows, seed)
                for way, score in ways_of(corpus, options, seed, options.epochs or BUDGET.get(rows, 4)):
                    found.setdefault((name, rows or "all", way), []).append(score)
                    say(f"{name} {rows or 'all':>5} split {seed} {way:14} {score:.4f}")
    say(f"\n{'data':16} {'rows':>5}  {'':14} mean accuracy, 95 % interval over {options.splits} splits")
    for (name, rows, way), scores in found.items():
        mean, half = interval(scores)
        say(f"{name:16} {rows:>5}  {way:14} {mean:.4f} ± {half:.4f}")
    if options.json:
        Path(options.json).write_text(json.dumps([[*k, v] for k, v in found.items()]) + "\n")


def ways_of(corpus: Corpus, options, seed: int, epochs: int):
    """Test accuracy of each way on one corpus."""
    ways = options.ways.split(",")
    config = lk.TrainConfig(epochs=epochs, seed=seed, lr=options.lr)
    if "majority" in ways:
        counts = corpus.counts("test")
        yield "majority", max(counts.values()) / sum(counts.values())
    if "tf-idf" in ways:
        yield "tf-idf", lk.baseline(corpus).test_accuracy
    if "full" in ways:
        model = lk.load(options.model, corpus.labels, seed=seed)
        yield "full", lk.Trainer(model, corpus, config=config).fit().test_accuracy
    if "random" in ways:
        model = random_weights(lk.load(options.model, corpus.labels), seed)
        yield "random", lk.Trainer(model, corpus, config=config).fit().test_accuracy
    if "head" in ways:
        model = lk.load(options.model, corpus.labels, seed=seed)
        head = replace(config, lr=None, epochs=2 * epochs)
        yield "head", lk.Trainer(model, corpus, lk.HeadOnly(), head).fit().test_accuracy


def interval(scores: list[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % interval (Student's t) over the splits."""
    if len(scores) < 2:
        return scores[0], float("nan")
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}.get(len(scores), 2.0)
    return statistics.mean(scores), t * statistics.stdev(scores) / len(scores) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        nargs="?",
        default="speed",
        choices=tuple(BENCHES),
    )
    parser.add_argument(
        "--data",
        help="speed and frozen: a CSV; quality: a folder with NAME_train.csv, NAME_validation.csv, NAME_test.csv",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stops", type=int, default=20, help="serve: how often SIGTERM under load")
    parser.add_argument("--seconds", type=int, help="serve: of each stretch of load (5); search: of each search (600)")
    parser.add_argument("--rows", default=None, help="speed and frozen: rows to train on (1600); quality: 200,1000,all")
    parser.add_argument("--width", type=int, default=384, help="frozen: of the 12-layer model")
    parser.add_argument("--sets", default="waimai")
    parser.add_argument(
        "--shapes", default="tiny-bert-zh,6x384", help="speed: the models to train, packaged or LAYERSxWIDTH"
    )
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--model", default="tiny-bert-zh")
    parser.add_argument("--ways", default="majority,tf-idf,full,random,head")
    parser.add_argument("--epochs", type=int, help="quality: in place of 10, 5 and 3 by the number of rows")
    parser.add_argument("--lr", type=float, default=None)
    parser.add_argument("--json", help="quality: write every single score there")
    parser.add_argument("--strategies", type=int, default=9, help="workers, deaths, cluster: how many of the nine")
    parser.add_argument("--seeds", type=int, default=3, help="workers, deaths: how many of each")
    parser.add_argument("--seed", type=int, default=0, help="deaths: of the random moments")
    parser.add_argument("--workers", type=int, default=2, help="workers: how many processes")
    parser.add_argument("--cost", type=float, default=2.0, help="cluster: seconds of a simulated run")
    parser.add_argument("--counts", default="1,4,16,64", help="cluster: numbers of workers")
    parser.add_argument("--out", help="search: a folder for the runs; called again, it goes on there")
    options = parser.parse_args()
    home, rows = BENCHES[options.what]
    options.rows = type(rows)(options.rows or rows)
    module = importlib.import_module(home) if home else sys.modules[__name__]
    getattr(module, options.what.replace("-", "_"))(options)


if __name__ == "__main__":
    sys.exit(main())
