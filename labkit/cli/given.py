"""What the arguments of `labkit` mean: rows, settings, a model's folder, a token."""

import os
from dataclasses import fields, replace
from pathlib import Path

from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import BadInput


def config_of(options, kind: type = TrainConfig, **more):
    names = [f.name for f in fields(kind) if hasattr(options, f.name)]
    try:
        return kind(**{n: getattr(options, n) for n in names}, **more)
    except BadInput as error:
        name, equals, rest = str(error).partition("=")  # "max_length=1 …" is what Python calls --max-length 1
        raise BadInput(f"--{name.replace('_', '-')} {rest}" if equals and name in names else str(error)) from None


def corpus_of(options):
    """The rows to work on. Their splits do not depend on --seed: runs of several seeds are judged on the same rows."""
    from labkit.data.loading import load_csv
    from labkit.data.packaged import PACKAGED

    if options.limit is not None and options.limit < 1:
        raise BadInput(
            tr(
                f"--limit {options.limit} 不行：应是正整数。",
                f"--limit {options.limit} won't do: give a positive whole number.",
            )
        )
    if options.data in PACKAGED and not Path(options.data).exists():
        refuse_columns(options)
        corpus = PACKAGED[options.data](options.limit)
        if options.task not in (None, corpus.task.name):
            raise BadInput(
                tr(
                    f"--task {options.task} 不行：自带的数据 {options.data} 的任务是 {corpus.task.name}。请去掉 --task。",
                    f"--task {options.task} won't do: the task of the packaged {options.data} is {corpus.task.name}. "
                    "Leave out --task.",
                )
            )
        corpus = corpus.augmented(**settings_of(options.augment)) if options.augment else corpus
    else:
        asked = {"valid": options.valid, "test": options.test, "limit": options.limit, "task": options.task}
        asked |= {"text_pair": options.text_pair, "columns": columns_of(options.columns)}
        asked |= {"groups": options.groups, "augment": settings_of(options.augment)}
        corpus = load_csv(options.data, options.text, options.label, **asked)
    options.model = options.model or corpus.task.default_model
    return with_crf(corpus) if options.crf else corpus


def refuse_columns(options) -> None:
    """What says where rows stand in a file says nothing of packaged data."""
    untold = {"text": "text", "label": "label", "columns": ""}
    names = ("valid", "test", "text", "label", "text_pair", "columns", "groups")
    flags = ["--" + n.replace("_", "-") for n in names if getattr(options, n) != untold.get(n)]
    if flags:
        said = ", ".join(flags)
        raise BadInput(
            tr(
                f"{said} 不行：自带的数据 {options.data} 的列和划分已定好。请去掉。",
                f"{said} won't do: the packaged {options.data} come with their columns and splits; "
                f"leave {'it' if len(flags) == 1 else 'them'} out.",
            )
        )


def with_crf(corpus):
    """The same rows, for a network that learns how tags follow each other."""
    from labkit.tasks.tagging import Tagging

    if not isinstance(corpus.task, Tagging):
        raise BadInput(
            tr(
                f"--crf 只用于标注（tagging）；这些行的任务是 {corpus.task.name}。请去掉 --crf。",
                f"--crf goes only with tags (tagging); the task of these rows is {corpus.task.name}. Leave out --crf.",
            )
        )
    return replace(corpus, task=replace(corpus.task, crf=True))


def columns_of(text: str) -> dict[str, str]:
    """What "question=q,context=paragraph" says."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(name.strip() and column.strip() for name, _, column in pairs):
        raise BadInput(
            tr(
                f"--columns {text!r} 不行：应像 question=问题,context=段落。",
                f"--columns {text!r} won't do: give something like question=q,context=paragraph.",
            )
        )
    return {name.strip(): column.strip() for name, _, column in pairs}


def settings_of(text: str) -> dict[str, float | bool]:
    """What "shift=0.1,rotate=10,flip" says."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return {name.strip(): float(value) if equals else True for name, equals, value in pairs}
    except ValueError:
        raise BadInput(
            tr(
                f"--augment {text!r} 不行：应像 shift=0.1,rotate=10。",
                f"--augment {text!r} won't do: give something like shift=0.1,rotate=10.",
            )
        ) from None


def check_model_folder(name: str) -> None:
    if not Path(name).is_dir():
        raise BadInput(
            tr(
                f"没有目录 {name}。请给 labkit train 写下的模型目录。",
                f"No folder {name}. Give a model folder that labkit train wrote.",
            )
        )


def token_of(options) -> str | None:
    """What a client has to show, from a file or the environment: on a command line everybody on the machine could read it."""
    token = os.environ.get("LABKIT_TOKEN")
    if options.token_file:
        token = Path(options.token_file).read_text("utf-8").strip()
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise BadInput(
            tr(
                "令牌不行：应是一行可打印的 ASCII 字符，不能是空的。请改 --token-file 里的文件或 LABKIT_TOKEN。",
                "The token won't do: it should be one line of printable ASCII characters. Change the file of --token-file, "
                "or LABKIT_TOKEN.",
            )
        )
    return token
