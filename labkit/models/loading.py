"""A name in, a model out: packaged, from a local directory, or from the hub; and its blocks in depth order.

The model is the transformers model itself; it carries `processor` (its tokenizer), `source` (where it came from) and
`task`. Label names travel in its config. The only door to transformers, with tasks. Notebook 01 uses it.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.base.files import ASSETS, new_folder, write_text
from labkit.base.hub import hub_answers
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models import added
from labkit.models.added import prompt_length
from labkit.models.families import FAMILIES, blocks, unknown_family
from labkit.tasks import TextClassification

PACKAGED = ("tiny-bert-zh", "tiny-bert-zh-general")


def load(source, labels: Sequence[str] | None = None, *, seed: int = 0, task: Any = None) -> Any:
    """A model with a head for `labels`, ready to be trained or asked.

    >>> model = load("tiny-bert-zh", labels=("negative", "positive"))     # packaged
    >>> model = load("out/")                                              # saved by labkit or transformers, with its labels
    >>> model = load("bert-base-chinese", labels=corpus.labels)           # local cache, then hub or its mirror (HF_ENDPOINT)

    Sources are tried in that order: a local directory, a packaged name, the local cache, the hub. A head that the source
    lacks, or has for other labels, starts from random weights drawn with `seed`. Weights are float32, on the CPU; texts
    are padded on the right, so that an answer does not depend on the batch that it was asked in.
    Raises BadInput naming the ways out where no source answers.
    """
    task, place = task or TextClassification(), locate(str(source))
    if (note := added.stored(Path(place))) is not None:
        return load_with_added(Path(place), source, note, labels, seed, task)
    model = first_answer(read, place, source, labels, seed, task)
    model.source, model.task = str(source), task
    return model.eval()


def first_answer(ask, place: str, source, *args) -> Any:
    """What `ask(place, source, ...)` reads from disk or the local cache, or else from the hub. BadInput where neither answers."""
    with quiet():
        try:
            return ask(place, source, *args, local_files_only=True)
        except Unreadable as error:
            if Path(place).is_dir() or not hub_answers():
                raise unreachable(error, place, source) from None
        try:
            return ask(place, source, *args)
        except Unreadable as error:
            raise unreachable(error, place, source) from None


def load_with_added(folder: Path, source, note: dict, labels, seed: int, task) -> Any:
    """A folder that holds only what was added: the model below it comes from where it came from then."""
    kept = note.get("labels") or labels
    if labels is not None and [str(x) for x in labels] != [str(x) for x in kept]:
        raise BadInput(
            tr(
                f"{source} 里的分类头是为标签 {listing(kept)} 训练的，不能换成 {listing(labels)}。请不写 labels=，或从原模型重新训练。",
                f"The head in {source} was trained for the labels {listing(kept)}, not {listing(labels)}. "
                "Leave out labels=, or train again from the plain model.",
            )
        )
    try:
        model = load(note["source"], kept, seed=seed, task=task)
    except BadInput as error:
        raise BadInput(
            tr(
                f"{source} 只存了加在 {note['source']} 上的部分，而原模型载入不了：{error}",
                f"{source} holds only what was added to {note['source']}, and that model does not load: {error}",
            )
        ) from None
    try:
        model = added.load_added(model, folder, note)
    except Exception as error:  # peft's own errors have many types
        raise unreachable(error, str(folder), source) from None
    return model


class Unreadable(Exception):
    """A place that does not give a model, with the library's reason."""


def read(place: str, source, labels, seed: int, task, **where) -> Any:
    """Config, tokenizer and network of one place, checked against each other. Raises Unreadable, or BadInput."""
    from transformers import AutoConfig, AutoTokenizer

    config = reach(AutoConfig, place, **where)
    if config.model_type not in FAMILIES:
        raise unknown_family(config.model_type)
    stored = [config.id2label[i] for i in sorted(config.id2label)]
    trained = any("ForSequenceClassification" in name for name in config.architectures or [])
    if labels is None and not trained:
        raise BadInput(
            tr(
                f"模型 {source} 还没有分类头：请给出 labels=，例如 labels=corpus.labels。",
                f"Model {source} has no classification head yet: give labels=, for example labels=corpus.labels.",
            )
        )
    labels = [str(x) for x in (stored if labels is None else labels)]
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise BadInput(
            tr(
                f"labels={labels} 不行：至少要两个不同的标签名。",
                f"labels={labels} won't do: give two or more names, each once.",
            )
        )
    processor = read_tokenizer(reach(AutoTokenizer, place, **where), config)
    names = {"id2label": dict(enumerate(labels)), "label2id": {x: i for i, x in enumerate(labels)}}
    names["pad_token_id"] = processor.pad_token_id
    model, report = draw(reach, seed, task.auto_class(), place, **WEIGHTS, **names, **where)
    head = set(blocks(model)[-1].parameters)
    lost = sorted((set(report["missing_keys"]) | {key[0] for key in report["mismatched_keys"]}) - head)
    if lost:
        reason = tr("权重文件缺少，或形状不符：", "its weights lack, or have in another shape: ")
        raise Unreadable(reason + listing(lost, 3))
    if trained and stored != labels:
        draw(reset_head, seed, model)
    model.processor = processor
    return model


WEIGHTS = {"dtype": "float32", "ignore_mismatched_sizes": True, "output_loading_info": True}


def reach(auto, place: str, **options) -> Any:
    """Call a from_pretrained; whatever the libraries say of files that they cannot get or read becomes Unreadable."""
    from safetensors import SafetensorError

    try:
        return auto.from_pretrained(place, **options)
    except (OSError, ValueError, SafetensorError) as error:
        raise Unreadable(str(error)) from None


def read_tokenizer(processor, config) -> Any:
    """The tokenizer as labkit wants it: with a token to pad with, on the right. Raises Unreadable for an empty one."""
    if len(processor) <= len(processor.all_special_ids):  # what the library makes up where the files are missing
        raise Unreadable(tr("没有分词器文件", "the tokenizer's files are missing"))
    if len(processor) > config.vocab_size:
        raise Unreadable(
            tr(
                f"分词器有 {len(processor)} 个词，模型只有 {config.vocab_size} 个：它们不是一套",
                f"the tokenizer has {len(processor)} tokens, the model {config.vocab_size}: they do not belong together",
            )
        )
    if processor.pad_token is None:
        processor.pad_token = processor.eos_token or processor.unk_token
    processor.padding_side = "right"
    return processor


def draw(call, seed: int, *args, **options) -> Any:
    """Call with torch's random numbers started at `seed`; the caller's random state is as before afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return call(*args, **options)


def reset_head(model) -> None:
    """Draw new weights for the head, as for a source without one."""
    import torch

    for name in blocks(model)[-1].modules:
        for module in model.get_submodule(name).modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.data.normal_(std=model.config.initializer_range)
                if module.bias is not None:
                    module.bias.data.zero_()


def locate(source: str) -> str:
    """A directory on disk, a packaged model's directory, or the name itself for cache and hub."""
    if Path(source).expanduser().is_dir():
        return str(Path(source).expanduser())
    return str(ASSETS / source) if source in PACKAGED else source


def unreachable(error: Exception, place: str, source) -> BadInput:
    """The message for a model that cannot be had: what was tried, and the three ways out."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    if Path(place).is_dir():
        return BadInput(
            tr(
                f"目录 {source} 里没有可用的模型：{reason}\n里面应有 config.json、分词器文件和 model.safetensors。",
                f"Directory {source} holds no usable model: {reason}\n"
                "It should hold config.json, the tokenizer's files and model.safetensors.",
            )
        )
    mirror = os.environ.get("HF_ENDPOINT")
    asked = f"HF_ENDPOINT={mirror}" if mirror else tr("Hugging Face 官方站点", "the Hugging Face hub")
    return BadInput(
        tr(
            f"找不到模型 {source!r}：不是目录，不是自带模型，本地缓存里没有，也没能从{asked}下载（{reason}）。\n三条出路：\n"
            f"  1) 用自带模型：{listing(PACKAGED)}（无需网络）；\n"
            "  2) 在有网的机器上下载，把模型目录拷来，写它的路径；\n"
            "  3) 设环境变量 HF_ENDPOINT 指向镜像，再重新启动 Python。",
            f"No model {source!r}: it is no directory, not packaged, not in the local cache, and could not be had from "
            f"{asked} ({reason}).\nThree ways out:\n"
            f"  1) take a packaged model: {listing(PACKAGED)} (no network needed);\n"
            "  2) download it where there is a network, copy its directory here and give its path;\n"
            "  3) set the environment variable HF_ENDPOINT to a mirror and start Python again.",
        )
    )


def save(model, folder, *, record: dict | None = None) -> Path:
    """Save model, tokenizer and label names as a directory that labkit and plain transformers load.

    >>> save(model, "out/")                                 # then load("out/") gives the same logits

    The directory is written whole or not at all; one that holds files already is not overwritten (FileExistsError).
    """
    folder = Path(folder)
    with new_folder(folder) as fresh, quiet():
        source = str(Path(model.source).resolve()) if Path(model.source).is_dir() else model.source
        note = {"source": source, "task": model.task.name, **save_into(model, fresh), **(record or {})}
        write_text(fresh / "labkit.json", json.dumps(note, ensure_ascii=False, indent=1) + "\n")
    return folder


def save_into(model, folder: Path) -> dict:
    """The files of transformers: config.json, model.safetensors, the tokenizer's; of a model that carries something
    added only that and the head. Returns what to note beside them."""
    model.processor.save_pretrained(folder)
    if added.carries(model):
        return added.save_added(model, folder)
    model.save_pretrained(folder)
    return {}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """transformers' own progress bars and load reports off, and as before afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def labels_of(model) -> list[str]:
    return [model.config.id2label[i] for i in sorted(model.config.id2label)]


def fitting(model, max_length: int) -> int:
    """`max_length` in tokens, or what the model's positions allow if that is less; prompts take positions too."""
    positions = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "n_positions", None)
    if positions is None:
        return max_length
    counts_from_pad = model.config.model_type in ("roberta", "xlm-roberta", "camembert")
    taken = (model.config.pad_token_id + 1 if counts_from_pad else 0) + prompt_length(model)
    return min(max_length, positions - taken)
