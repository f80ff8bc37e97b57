"""A name in, a model out: packaged, from a local directory, or from the hub; and its blocks in depth order.

The model is the transformers model itself; it carries `processor` (its tokenizer), `source` (where it came from) and
`task`. Label names travel in its config. The only door to transformers, with tasks. Notebook 01 uses it.
"""

import contextlib
import functools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from labkit.base.files import ASSETS, digest, new_folder, read_json, write_text
from labkit.base.hub import Unreadable, hub_answers, reach
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models import added
from labkit.models.added import noted, prompt_length
from labkit.models.families import FAMILIES, blocks, unknown_family
from labkit.models.slimming import Slimmed
from labkit.tasks import Classification, Task, task_of

PACKAGED = ("tiny-bert-zh", "tiny-bert-zh-general", "tiny-gpt-zh", "tiny-resnet", "tiny-commands", "tiny-speech")


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
    place = locate(str(source))
    note = noted(Path(place))
    if task is None:
        task = task_of(note["task"]) if isinstance(note.get("task"), dict) else Classification()
    if labels is not None:
        task = replace(task, labels=tuple(str(x) for x in ([] if isinstance(labels, str) else labels)))
        task.resolve((), source)
    if "added" in note:
        return load_with_added(Path(place), source, note, seed, task)
    if "onnx" in note:
        from labkit.models.exported import read_exported

        model, task = first_answer(read_exported, place, source, note, task)
    else:
        model, task = first_answer(read, place, source, seed, task)
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


def load_with_added(folder: Path, source, note: dict, seed: int, task: Task) -> Any:
    """A folder that holds only what was added: the model below it comes from where it came from then."""
    trained = [str(x) for x in note.get("labels") or task.labels]
    stored = task_of(note["task"]) if isinstance(note.get("task"), dict) else task
    if replace(task, labels=()) != replace(stored, labels=()):
        raise BadInput(
            tr(
                f"{source} 里的头是为任务 {stored.name} 训练的，不能换成 {task.name}。请不写 task=，或从原模型重新训练。",
                f"The head in {source} was trained for the task {stored.name}, not {task.name}. "
                "Leave out task=, or train again from the plain model.",
            )
        )
    if task.labels and list(task.labels) != trained:
        raise BadInput(
            tr(
                f"{source} 里的分类头是为标签 {listing(trained)} 训练的，不能换成 {listing(task.labels)}。请不写 labels=，或从原模型重新训练。",
                f"The head in {source} was trained for the labels {listing(trained)}, not {listing(task.labels)}. "
                "Leave out labels=, or train again from the plain model.",
            )
        )
    try:
        model = load(note["source"], seed=seed, task=replace(task, labels=tuple(trained)))
    except BadInput as error:
        raise BadInput(
            tr(
                f"{source} 只存了加在 {note['source']} 上的部分，而原模型载入不了：{error}",
                f"{source} holds only what was added to {note['source']}, and that model does not load: {error}",
            )
        ) from None
    refuse_other_base(source, note)  # not before: of a model that is gone, the message above says more
    try:
        model = added.load_added(model, folder, note)
    except Exception as error:  # peft's own errors have many types
        raise unreachable(error, str(folder), source) from None
    return model


def refuse_other_base(source, note: dict) -> None:
    """BadInput where the weights below an addition are not those that it was trained on."""
    if "base" in note and weights_digest(note["source"]) != note["base"]:
        raise BadInput(
            tr(
                f"{source} 是在 {note['source']} 上训练出来的，而那里的权重后来变了：合起来的答案不可信。请换回原来的权重，或重新训练。",
                f"{source} was trained on {note['source']}, whose weights have changed since: together they would answer "
                "otherwise. Put the old weights back, or train again.",
            )
        )


def read(place: str, source, seed: int, task: Task, **where) -> tuple[Any, Task]:
    """Config, processor and network of one place, checked against each other. Raises Unreadable, or BadInput."""
    from transformers import AutoConfig

    config = reach(AutoConfig, place, **where)
    if getattr(config, "auto_map", None):
        raise Unreadable(
            tr(
                "它带有自己的代码（auto_map）。labkit 从不运行模型自带的代码（trust_remote_code=False）",
                "it brings code of its own (auto_map), which labkit never runs (trust_remote_code=False)",
            )
        )
    if config.model_type not in FAMILIES:
        raise unknown_family(config.model_type)
    head = (task.modality.head(task.name, config) or "").removeprefix("AutoModel")  # "ForSequenceClassification"
    trained = bool(head) and any(head in name for name in config.architectures or [])
    stored = [str(config.id2label[i]) for i in sorted(config.id2label)] if trained else None
    task = task.resolve(stored, source)
    processor = task.modality.load_processor(place, config, **where)
    options = {**task.configure(config), **task.modality.configure(processor)}
    cut = noted(Path(place)).get("slimmed")
    kind = Slimmed(task.auto_class(config), cut) if cut else task.auto_class(config)
    model, report = draw(reach, seed, kind, place, **WEIGHTS, **options, **where)
    head = set(blocks(model)[-1].parameters)
    lost = sorted((set(report["missing_keys"]) | {key[0] for key in report["mismatched_keys"]}) - head)
    if lost:
        reason = tr("权重文件缺少，或形状不符：", "its weights lack, or have in another shape: ")
        raise Unreadable(reason + listing(lost, 3))
    refuse_broken(model)
    if trained and task.labels and stored != list(task.outputs):
        draw(reset_head, seed, model)
    model.processor = processor
    return model, task


def refuse_broken(model) -> None:
    """Unreadable where weights are no numbers: every answer would be NaN, and no message would say why."""
    if broken := broken_weights(model):
        raise Unreadable(tr("权重里有不是数的值（NaN）：", "weights that are no numbers (NaN): ") + listing(broken, 3))


def broken_weights(model) -> list[str]:
    """Names of the parameters in which something is no number, or infinite."""
    import torch

    return [name for name, p in model.named_parameters() if not torch.isfinite(p).all()]


WEIGHTS = {"dtype": "float32", "ignore_mismatched_sizes": True, "output_loading_info": True}


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
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                module.weight.data.normal_(std=getattr(model.config, "initializer_range", 0.02))
                if getattr(module, "bias", None) is not None:
                    module.bias.data.zero_()


def locate(source: str) -> str:
    """A directory on disk, a packaged model's directory, or the name itself for cache and hub."""
    if Path(source).expanduser().is_dir():
        return str(Path(source).expanduser())
    return str(ASSETS / source) if source in PACKAGED else source


def weights_digest(source) -> str:
    """A hash of the weight files that a source names: two folders with equal weights have the same. Of a name that is not
    on this disk as a folder, the name itself."""
    place = Path(locate(str(source)))
    files = sorted(place.glob("*.safetensors")) if place.is_dir() else []
    if not files:
        return str(source)
    return "+".join(file_digest(p, p.stat().st_mtime_ns)[:16] for p in files)


@functools.lru_cache(maxsize=64)
def file_digest(path: Path, changed: int) -> str:
    """SHA-256 of a file as it was at a time: a comparison asks for the same file again and again."""
    return digest(path)


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
        note = {"source": source, "task": model.task.card(), **save_into(model, fresh), **(record or {})}
        if "added" in note:
            note["base"] = weights_digest(source)
        write_text(fresh / "labkit.json", json.dumps(note, ensure_ascii=False, indent=1) + "\n")
    return folder


def save_into(model, folder: Path) -> dict:
    """The files of transformers: config.json, model.safetensors, the tokenizer's; of a model that carries something
    added only that and the head. Returns what to note beside them."""
    model.processor.save_pretrained(folder)
    if added.carries(model):
        return added.save_added(model, folder)
    model.save_pretrained(folder)
    return {"slimmed": model.slimmed} if hasattr(model, "slimmed") else {}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Progress bars, load reports and a deprecation that peft trips over: off, and as before afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with added.hushed():
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def labels_of(model) -> list[str]:
    return list(model.task.labels)


def fitting(model, max_length: int) -> int:
    """`max_length` in tokens, or what the model's positions allow if that is less; prompts take positions too."""
    positions = places(model.config)
    return max_length if positions is None else min(max_length, positions - prompt_length(model))


def places(config) -> int | None:
    """How many tokens a model with this config has positions for; None where there is no such end."""
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    family = FAMILIES.get(config.model_type)
    return positions and positions - (config.pad_token_id + 1 if family and family.position_offset else 0)


def places_at(source) -> int | None:
    """The same of a model that is a folder or packaged, from its config.json alone; None where that does not say."""
    place = Path(locate(str(source)))
    try:
        note = noted(place)
        if "added" in note:
            return places_at(note["source"])
        return places(SimpleNamespace(**read_json(place / "config.json")))
    except (OSError, BadInput, AttributeError, TypeError):  # loading it will say what is wrong
        return None
