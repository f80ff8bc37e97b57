"""`labkit export` and `labkit compress`: a saved model on its way out. The work is done by deploy and comparison."""

import json
from collections.abc import Callable
from pathlib import Path

from labkit.base.files import load_run, write_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, to_json
from labkit.cli.report import line, say


def export(options, corpus_of: Callable) -> None:
    """One folder with an ONNX file in it."""
    from labkit.deploy.export import export

    model = saved(options.model)
    found = export(model, options.out, rows_for(options, model, corpus_of), precision=options.precision)
    print(json.dumps(to_json(found), ensure_ascii=False, default=str) if options.json else found)


def compress(options, corpus_of: Callable) -> None:
    """Folders of smaller models, a table, and a figure."""
    from labkit import plots
    from labkit.comparison.compressed import compress_compare
    from labkit.deploy.compress import check_names, smaller
    from labkit.training.folder import claimed

    names = [name.strip() for name in options.variants.split(",") if name.strip()]
    check_names(names)
    model, source, out = saved(options.model), options.model, Path(options.out)
    corpus = rows_for(options, model, corpus_of)
    if corpus is None:
        raise BadInput(
            tr(
                "不知道在哪些行上比较：请给 --data，训练时用的那个文件。",
                "Which rows to compare on is not known: give --data, the file that was trained on.",
            )
        )
    with claimed(out):
        folders = {}
        for name in names:
            say(tr(f"正在做 {name} …", f"making {name} …"))
            folders[name] = smaller(model, name, out / name, corpus)
        found = compress_compare({"torch": source, **folders}, corpus, threads=options.threads)
        write_text(out / "compress.json", json.dumps(found.to_json(), ensure_ascii=False, indent=1) + "\n")
        plots.compressed(found).savefig(out / "compress.png", dpi=150)
    if options.json:
        return print(json.dumps(found.to_json(), ensure_ascii=False))
    print(found)
    line(tr("写好了", "written"), listing([*map(str, folders.values()), str(out / "compress.png")], 20))


def saved(name: str):
    from labkit.models.loading import load

    if not Path(name).is_dir():
        raise BadInput(
            tr(
                f"没有目录 {name}。请给 labkit train 写下的模型目录。",
                f"No folder {name}. Give a model folder that labkit train wrote.",
            )
        )
    return load(name)


def rows_for(options, model, corpus_of: Callable):
    """The rows that were asked for, else the packaged ones that the model was trained on, else None; BadInput where rows do
    not fit the model."""
    from labkit.data.packaged import PACKAGED

    source, record = options.model, Path(options.model) / "run.json"
    if options.data is None:
        options.data = load_run(record).corpus["name"] if record.is_file() else None
        if options.data not in PACKAGED:
            return None
    if options.data not in PACKAGED or Path(options.data).exists():
        options.task = model.task.name
    corpus = corpus_of(options)
    options.model = source
    if corpus.task != model.task:
        raise BadInput(
            tr(
                f"{options.data} 的任务或标签和 {source} 的不同。请给训练它的那种数据。",
                f"{options.data} has another task or other labels than {source}. Give data of the kind that it was trained on.",
            )
        )
    return corpus
