"""The arguments of the command `labkit`: flags made from the fields of TrainConfig, help in Chinese and in English.

>>> arguments().parse_args(["train", "data.csv", "--epochs", "2"]).epochs
2
"""

import argparse
import typing
from dataclasses import fields

from labkit import __version__
from labkit.base.config import GROUPS, TrainConfig, plain
from labkit.base.language import tr


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one message, without the long list of flags."""

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"{self.prog}: {message}\n{tr('用法见', 'For help')}: {self.prog} --help\n")


def arguments() -> Parser:
    """The parser of the whole command line; `command` in its answer is the command's name."""
    top = Parser(
        prog="labkit",
        description=tr("微调预训练模型的实验工具", "Fine-tune pretrained models, and see what happens"),
        epilog=tr("每个命令的用法：labkit COMMAND --help", "Help on a command: labkit COMMAND --help"),
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, zh: str, en: str) -> Parser:
        return commands.add_parser(name, help=tr(zh, en), description=tr(zh, en), allow_abbrev=False)

    train_flags(command("train", "用一个 CSV 微调模型并保存", "fine-tune a model on a CSV and save it"))
    compare_flags(command("compare", "在同样的数据上比较多种策略", "compare strategies on the same rows"))
    search_flags(
        command("search", "搜索策略和设置，再用新种子核实", "search strategies and settings, confirmed on fresh seeds")
    )
    predict_flags(command("predict", "用保存的模型给文本分类", "classify texts with a saved model"))
    serve_flags(command("serve", "让保存的模型在一个端口上回答", "answer on a port with a saved model"))
    export_flags(command("export", "把保存的模型写成 ONNX", "write a saved model as ONNX"))
    compress_flags(command("compress", "压缩保存的模型，量出得失", "compress a saved model, and measure what it costs"))
    json_flag(command("doctor", "检查版本、设备、内存，缺什么", "check versions, device, memory, what is missing"))
    demo = command("demo", "用自带的数据和模型比较几种策略", "compare strategies on the packaged data and model")
    demo.add_argument("--out", metavar="DIR", default="out/demo", help=tr("图写到哪里", "where the figures go"))
    class_flags(command("class", "把学生交来的练习报告汇成一张表", "gather the reports that students handed in"))
    return top


def class_flags(command: Parser) -> None:
    command.add_argument(
        "reports",
        metavar="DIR",
        help=tr("放 labkit-report-*.json 的目录", "the folder with the labkit-report-*.json files"),
    )
    out = tr("表、网页和图写到哪里", "where table, page and figures go")
    command.add_argument("--out", metavar="DIR", default="out/class", help=f"{out} (out/class)")
    json_flag(command)


def train_flags(command: Parser) -> None:
    from labkit.strategies import NAMES

    data_flags(command)
    group = command.add_argument_group(tr("训练", "training"))
    group.add_argument("--strategy", default="full", metavar="S", help=f"{', '.join(NAMES)} (full)")
    config_flags(group, rest=command)
    group = output_flags(command)
    group.add_argument(
        "--resume", action="store_true", help=tr("从 --out 里的存档继续", "go on from the checkpoint in --out")
    )


def compare_flags(command: Parser) -> None:
    from labkit.strategies import NAMES

    data_flags(command)
    group = command.add_argument_group(tr("训练", "training"))
    several = "full,head,top-2"
    group.add_argument("--strategies", default=several, metavar="S,S", help=f"{', '.join(NAMES)} ({several})")
    group.add_argument("--seeds", default="0", metavar="N,N", help=tr("随机种子，如 0,1,2 (0)", "such as 0,1,2 (0)"))
    config_flags(group, leave=("seed",), rest=command)
    forgets = tr("也测量遗忘了多少预训练所学", "also measure what is forgotten of the pretraining")
    group.add_argument("--forgetting", action="store_true", help=forgets)
    again = tr("--out 里失败的训练不再重试", "leave runs alone that failed before in --out")
    group.add_argument("--no-retry", action="store_false", dest="retry", help=again)
    several_flags(command)
    output_flags(command)


def search_flags(command: Parser) -> None:
    from labkit.comparison.space import SEARCHED, TRIALS
    from labkit.strategies import NAMES

    data_flags(command)
    group = command.add_argument_group(tr("搜索", "search"))
    total = tr(f"一共试多少次，含以前的 ({TRIALS})", f"trials in all, earlier calls included ({TRIALS})")
    group.add_argument("--trials", type=whole, metavar="N", help=total)
    budget = tr("这一次最多多少秒，含最后的核实", "seconds of this call, the confirmation included")
    group.add_argument("--seconds", type=number, metavar="S", help=budget)
    every = tr("不写则用能用的全部", "all that work on the model, if not given")
    group.add_argument("--strategies", metavar="S,S", help=f"{', '.join(NAMES)} ({every})")
    varied = tr("搜索哪些设置", "what is searched beside the strategy")
    group.add_argument("--space", default=",".join(SEARCHED), metavar="X,X", help=f"{varied} ({','.join(SEARCHED)})")
    group.add_argument("--metric", metavar="M", help=tr("按哪个指标", "the metric to go by"))
    each = tr("每次试验几个种子 (1)", "seeds of each trial (1)")
    group.add_argument("--seeds", type=whole, default=1, metavar="N", help=each)
    fresh = tr("用几个新种子核实 (5)", "fresh seeds of the confirmation (5)")
    group.add_argument("--confirm", type=whole, default=5, metavar="N", help=fresh)
    book = tr(
        "几个终端一起搜索时，试验记在哪里，如", "where trials are kept when several terminals search together, such as"
    )
    group.add_argument("--storage", metavar="URL", help=f"{book} sqlite:///search.db")
    group.add_argument(
        "--sampler", default="tpe", metavar="X", help=tr("怎样选：", "how to choose: ") + "tpe, random (tpe)"
    )
    whole_runs = tr("不剪掉差的试验", "let poor trials go to their end")
    group.add_argument("--no-prune", action="store_false", dest="prune", help=whole_runs)
    config_flags(command.add_argument_group(tr("训练（不搜索的设置）", "training (what is not searched)")))
    several_flags(command)
    output_flags(command)


def several_flags(command: Parser) -> None:
    several = command.add_argument_group(tr("同时训练", "several at once"))
    cores = tr(
        "同时训练几个（默认物理核数；GPU 上 1）",
        "runs at once, each in a process of its own (default: physical cores; 1 on a GPU)",
    )
    several.add_argument("--workers", type=whole, metavar="N", help=cores)
    cluster = tr(
        "Dask 调度器，如 tcp://主机:8786：由它的机器来训练",
        "a Dask scheduler, such as tcp://host:8786, whose machines train",
    )
    several.add_argument("--cluster", metavar="URL", help=cluster)


def predict_flags(command: Parser) -> None:
    command.add_argument("model", metavar="DIR", help=tr("labkit train 写下的目录", "a folder that labkit train wrote"))
    command.add_argument(
        "input",
        nargs="+",
        metavar="INPUT",
        help=tr("文本；- 从标准输入逐行读，跳过空行", "texts; - reads lines from standard input, but empty ones"),
    )
    json_flag(command)


def data_flags(command: Parser) -> None:
    from labkit.data.packaged import PACKAGED
    from labkit.tasks import KNOWN

    command.add_argument(
        "data",
        metavar="DATA",
        help=tr(
            f".csv .tsv .jsonl .xlsx .conll .npz、目录，或 {', '.join(PACKAGED)}",
            f".csv .tsv .jsonl .xlsx .conll .npz, a folder with train/valid/test files or a folder for each class, or "
            f"packaged: {', '.join(PACKAGED)}",
        ),
    )
    group = command.add_argument_group(tr("数据和模型", "data and model"))
    settled = tr("默认由列名决定", "default: what the columns say")
    group.add_argument("--task", metavar="T", help=f"{', '.join(KNOWN)} ({settled})")
    split_off = tr("（默认从数据中分层划出）", " (default: a stratified share of the data)")
    group.add_argument("--valid", metavar="FILE", help=tr("验证集", "validation rows") + split_off)
    group.add_argument("--test", metavar="FILE", help=tr("测试集", "test rows") + split_off)
    group.add_argument("--text", default="text", metavar="COLUMN", help=tr("文本列名 (text)", "column of texts (text)"))
    group.add_argument(
        "--label", default="label", metavar="COLUMN", help=tr("标签列名 (label)", "column of labels (label)")
    )
    group.add_argument(
        "--text-pair",
        metavar="COLUMN",
        help=tr("每行有两段文本时，第二段的列名", "column of a second text, where rows have two"),
    )
    group.add_argument(
        "--columns",
        default="",
        metavar="NAME=COLUMN,…",
        help=tr("其他任务的列名，如 question=问题", "columns of other tasks, such as question=q"),
    )
    group.add_argument(
        "--groups",
        metavar="COLUMN",
        help=tr("这一列相同的行划在同一边，如 speaker", "rows alike in this column stay on one side, such as speaker"),
    )
    group.add_argument(
        "--augment",
        default="",
        metavar="NAME=X,…",
        help=tr(
            "训练时怎样变化图片或声音，如 shift=0.1", "how to vary pictures or clips in training, such as shift=0.1"
        ),
    )
    group.add_argument(
        "--crf",
        action="store_true",
        help=tr("标注：也学标签之间的次序", "tags: learn how they follow each other, too"),
    )
    group.add_argument(
        "--limit", type=whole, metavar="N", help=tr("只用 N 行训练（分层抽取）", "train on a stratified N rows")
    )
    group.add_argument(
        "--model",
        metavar="M",
        help=tr("自带模型、目录或 hub 名（默认按任务）", "packaged model, folder or hub name (default: the task's)"),
    )


def output_flags(command: Parser):
    group = command.add_argument_group(tr("输出", "output"))
    group.add_argument("--out", metavar="DIR", help=tr("写到哪个目录", "the folder to write to"))
    json_flag(group)
    return group


def json_flag(command) -> None:
    command.add_argument(
        "--json", action="store_true", help=tr("标准输出上只打印一个 JSON", "print one JSON object on standard output")
    )


def export_flags(command: Parser) -> None:
    command.add_argument("model", metavar="DIR", help=tr("labkit train 写下的目录", "a folder that labkit train wrote"))
    precision = tr("权重存成什么", "what weights are kept as")
    command.add_argument("--precision", choices=("float", "half", "int8"), default="float", help=f"{precision} (float)")
    held = tr("在哪些行上核对（默认自带的同类数据）", "rows to hold it against (default: packaged ones of the kind)")
    rows_flags(command, held)
    command.add_argument("--out", metavar="DIR", required=True, help=tr("写到哪个目录", "the folder to write to"))
    json_flag(command)


def compress_flags(command: Parser) -> None:
    command.add_argument("model", metavar="DIR", help=tr("labkit train 写下的目录", "a folder that labkit train wrote"))
    kinds = "onnx, half, int8, layers-K, heads-P, feed-forward-P"
    words = tr(
        f"做哪几种（{kinds}；K：留下几层，P：去掉百分之几）",
        f"what to make ({kinds}; K layers are kept, P percent go)",
    )
    command.add_argument("--variants", default="onnx,half,int8", metavar="V,V", help=f"{words} (onnx,half,int8)")
    rows_flags(
        command,
        tr("在哪些行上比较（默认训练用的自带数据）", "rows to compare on (default: the packaged ones of the run)"),
    )
    command.add_argument("--threads", type=whole, default=1, metavar="N", help=tr("几个线程 (1)", "threads (1)"))
    command.add_argument("--out", metavar="DIR", required=True, help=tr("写到哪个目录", "the folder to write to"))
    json_flag(command)


def rows_flags(command: Parser, help: str) -> None:
    """Where rows come from, for a command on a model that is there."""
    command.add_argument("--data", metavar="DATA", help=help)
    command.add_argument(
        "--text", default="text", metavar="COLUMN", help=tr("文本列名 (text)", "column of texts (text)")
    )
    command.add_argument(
        "--label", default="label", metavar="COLUMN", help=tr("标签列名 (label)", "column of labels (label)")
    )
    command.add_argument("--text-pair", metavar="COLUMN", help=tr("第二段文本的列名", "column of a second text"))
    more = tr("其他任务的列名，如 question=问题", "columns of other tasks, such as question=q")
    command.add_argument("--columns", default="", metavar="NAME=COLUMN,…", help=more)
    command.add_argument("--test", metavar="FILE", help=tr("测试集", "test rows"))
    command.add_argument("--groups", metavar="COLUMN", help=tr("训练时用的 --groups", "the --groups of the training"))
    command.set_defaults(valid=None, limit=None, task=None, augment="")


def serve_flags(command: Parser) -> None:
    from labkit.deploy.limits import Limits

    command.add_argument("model", metavar="DIR", help=tr("labkit train 写下的目录", "a folder that labkit train wrote"))
    group = command.add_argument_group(tr("地址和权限", "address and access"))
    host = tr(
        "在哪个地址上听；别的机器要能访问就写 0.0.0.0", "the address to listen at; 0.0.0.0 lets other machines in"
    )
    group.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=f"{host} (127.0.0.1)")
    port = tr("端口；0：任意空闲的", "the port; 0: any that is free")
    group.add_argument("--port", type=whole, default=8000, metavar="N", help=f"{port} (8000)")
    token = tr(
        "只回答带着这个文件里的令牌的请求；也可以设环境变量 LABKIT_TOKEN",
        "answer only requests with the token in this file; or set the environment variable LABKIT_TOKEN",
    )
    group.add_argument("--token-file", metavar="FILE", help=token)
    page = tr("不要 / 上的网页和 /explain", "without the page at / and without /explain")
    group.add_argument("--no-page", action="store_false", dest="page", help=page)
    group = command.add_argument_group(tr("日志", "log"))
    log = tr("每个答案记一行：长度、标签、概率、用时", "a line an answer: length, label, probability, time")
    group.add_argument("--log", metavar="FILE", help=log)
    group.add_argument(
        "--log-text", action="store_true", help=tr("日志里也记输入本身", "keep the inputs in the log, too")
    )
    config_flags(command.add_argument_group(tr("限度", "limits")), of=Limits)


def config_flags(
    command, leave: tuple[str, ...] = (), of: type = TrainConfig, rest: argparse.ArgumentParser | None = None
) -> None:
    """One flag for each field of a config, with its default in brackets; with `rest`, only the basics stand here and the
    others in groups of their own there, as panels have them."""
    groups = {name: rest.add_argument_group(tr(*title)) for name, title in GROUPS.items() if rest and name != "basic"}
    here = command
    for f in fields(of):
        if f.name in leave:
            continue
        command = groups.get(f.metadata["group"], here)
        flag, text = "--" + f.name.replace("_", "-"), tr(*f.metadata["help"])
        if f.type is bool:
            command.add_argument(flag, action=argparse.BooleanOptionalAction, default=f.default, help=text)
            continue
        if f.default is not None:
            text += f" ({f.default})"
        kind, letter = {int: (whole, "N"), float: (number, "X"), str: (str, None)}[plain(f.type)]
        choices = f.metadata["choices"]
        command.add_argument(flag, type=kind, default=f.default, choices=choices, metavar=letter, help=text)


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(tr(f"{text!r} 不是整数", f"{text!r} is not a whole number")) from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(tr(f"{text!r} 不是数", f"{text!r} is not a number")) from None
