"""`labkit predict`, `serve`, `export` and `compress`: a saved model at work, and on its way out. The work is done by training, deploy and comparison."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from labkit.base import machine
from labkit.base.files import load_run, write_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, to_json
from labkit.cli.given import check_model_folder, config_of, corpus_of, token_of
from labkit.cli.report import line, say


def predict(options) -> None:
    from labkit.models.loading import load
    from labkit.training.evaluation import predict

    check_model_folder(options.model)
    words = []
    for word in options.input:
        if word == "-":
            words += [line.strip() for line in sys.stdin]  # an empty line keeps its place among the answers
        elif word.strip():  # bytes that are no UTF-8 come from the terminal as lone surrogates: they end here
            words.append(word.encode("utf-8", "surrogateescape").decode("utf-8"))
        else:
            words = []
            break
    if not any(words):
        raise BadInput(
            tr(
                "没有可回答的输入：请给出文本，不能是空的。",
                "There is no input to answer: give one or more texts, none of them empty.",
            )
        )
    model = load(options.model)
    answers = iter(predict(model, [model.task.parse(word) for word in words if word]))
    predictions = [by_file(next(answers), word) if word else None for word in words]
    if options.json:
        print(json.dumps({"predictions": [p and p.to_json() for p in predictions]}, ensure_ascii=False))
    else:
        print(*("" if p is None else str(p) for p in predictions), sep="\n")


def by_file(prediction, word: str):
    """The prediction with the file that it was asked of in place of what was in it, where that is no text."""
    asked = getattr(prediction, "input", None)
    return replace(prediction, input=Path(word)) if hasattr(asked, "shape") else prediction


def serve(options) -> None:
    """Until SIGTERM or Ctrl-C; then what is in is answered first."""
    from labkit.deploy.limits import Limits
    from labkit.deploy.service import Service, check_format, check_installed

    check_installed()
    from labkit.deploy import serve
    from labkit.deploy.journal import Journal
    from labkit.deploy.serve_app import app_of
    from labkit.inspection.attribution import attribute_one, explains
    from labkit.models.loading import load

    check_model_folder(options.model)
    check_format(options.model)
    if options.log_text and not options.log:
        raise BadInput(tr("--log-text 需要 --log FILE。", "--log-text needs --log FILE."))
    limits, token = config_of(options, kind=Limits), token_of(options)
    with contextlib.closing(serve.bound(options.host, options.port)) as sock:
        model = load(options.model)
        if machine.device() != "cpu":
            model.to(machine.device())
        journal = Journal(options.log, model.task, texts=options.log_text) if options.log else None
        explain = attribute_one if options.page and explains(model) else None
        service = Service(model, limits, journal=journal, explain=explain)
        say(tr("在 {} 上回答；Ctrl+C 结束", "Answering at {}; Ctrl+C ends it").format(serve.address(sock)))
        if token is None and not serve.is_loopback(sock):
            say(tr("注意：别的机器能访问，而没有令牌。", "Note: other machines can reach it, and there is no token."))
        serve.run(service, app_of(service, token=token, page=options.page), sock)
        say(serve.summary(service))


def export(options) -> None:
    """One folder with an ONNX file in it."""
    from labkit.deploy.export import export

    model = saved(options.model)
    found = export(model, options.out, rows_for(options, model), precision=options.precision)
    print(json.dumps(to_json(found), ensure_ascii=False, default=str) if options.json else found)


def compress(options) -> None:
    """Folders of smaller models, a table, and a figure."""
    from labkit import plots
    from labkit.comparison.compressed import compress_compare
    from labkit.deploy.compress import check_names, smaller
    from labkit.training.folder import claimed

    names = [name.strip() for name in options.variants.split(",") if name.strip()]
    check_names(names)
    model, source, out = saved(options.model), options.model, Path(options.out)
    corpus = rows_for(options, model)
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

    check_model_folder(name)
    return load(name)


def rows_for(options, model):
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
    options.crf = getattr(model.task, "crf", False)
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
