"""A name in, a model out: packaged, from a local directory, or from the hub; and its blocks in depth order.

The model is the transformers model itself; it carries `processor` (its tokenizer), `source` (where it came from) and
`task`. Label names travel in its config. The only door to transformers, with tasks. Notebook 01 uses it.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import adapters
from labkit.checkpoint import MANIFEST, new_folder, write_text
from labkit.records import BadInput
from labkit.tasks import TextClassification
from labkit.text import listing, tr

ASSETS = Path(__file__).parent / "assets"
PACKAGED = ("tiny-bert-zh", "tiny-bert-zh-general")


@dataclass(frozen=True)
class Block:
    """A layer of the network as strategies see it: what is frozen or trained together."""

    name: str  # "embeddings", "layer 1" (the lowest) …, "head"
    kind: str  # "embeddings", "prompt" (trained prompts, where there are any), "layer" or "head"
    parameters: tuple[str, ...]  # names in model.named_parameters()
    modules: tuple[str, ...]  # names in model.named_modules()


@dataclass(frozen=True)
class Family:
    """Where a model family keeps its parts, as module names inside the base model."""

    embeddings: tuple[str, ...]
    layers: str
    top: tuple[str, ...] = ()  # a norm that belongs to the last layer
    behind_attention: str = (
        ""  # in a layer, what its attention's answer goes into, where the head reads the first token
    )


BERT = Family(("embeddings",), "encoder.layer", behind_attention="attention.output")
FAMILIES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "ernie"), BERT),
    "megatron-bert": Family(("embeddings",), "encoder.layer", ("encoder.ln",), "attention.output"),
    "electra": Family(("embeddings", "embeddings_project"), "encoder.layer", (), "attention.output"),
    "albert": Family(("embeddings", "encoder.embedding_hidden_mapping_in"), "encoder.albert_layer_groups"),
    "distilbert": Family(("embeddings",), "transformer.layer", (), "sa_layer_norm"),
    "gpt2": Family(("wte", "wpe", "drop"), "h", ("ln_f",)),
}


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
    if (note := adapters.stored(Path(place))) is not None:
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


def load_masked_lm(source) -> Any:
    """The pristine network of a source under its own masked-LM head (GPT-2: next-token head), frozen, in eval mode, with
    its `processor`; `base_model` is the network without the head. Raises NoLanguageHead where the source has none."""
    lm = first_answer(read_lm, locate(str(source)), source)
    return lm.eval().requires_grad_(False)


class NoLanguageHead(BadInput):
    """The source has no language-model head."""


def read_lm(place: str, source, **where) -> Any:
    """Network, language-model head and tokenizer of one place. Raises Unreadable, NoLanguageHead."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    config = reach(AutoConfig, place, **where)
    if config.model_type not in FAMILIES:
        raise unknown_family(config.model_type)
    causal = config.model_type == "gpt2"
    lm, report = draw(reach, 0, AutoModelForCausalLM if causal else AutoModelForMaskedLM, place, **WEIGHTS, **where)
    lm.processor = read_tokenizer(reach(AutoTokenizer, place, **where), config)
    lacking = sorted({*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])})
    if lacking or not (causal or lm.processor.mask_token):
        what = listing(lacking or ["[MASK]"], 3)
        raise NoLanguageHead(
            tr(
                f"{source} 没有语言模型头，遗忘无从测量：缺少 {what}。请用带掩码语言模型头的存档（如 BertForMaskedLM）。",
                f"{source} has no language-model head, so forgetting cannot be measured: it lacks {what}. "
                "Take a checkpoint with a masked-LM head (such as BertForMaskedLM).",
            )
        )
    return lm


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
        model = adapters.load_added(model, folder, note)
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


def hub_answers(seconds: float = 5.0) -> bool:
    """Whether anybody listens at the hub or its mirror: asked once, because the hub's own client tries for minutes."""
    import socket
    import threading
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies().keys() & {address.scheme, "all"}:
        return True  # behind a proxy a direct connection proves nothing
    answered = threading.Event()

    def ask():
        with contextlib.suppress(OSError):
            port = address.port or (80 if address.scheme == "http" else 443)
            socket.create_connection((address.hostname, port), timeout=seconds).close()
            answered.set()

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name has no time limit of its own
    asking.start()
    asking.join(seconds)
    return answered.is_set()


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


def width_of(model) -> int:
    """Length of a token's vector between the blocks: 128 for tiny-bert-zh, 768 for BERT-base."""
    return getattr(model.config, "hidden_size", None) or model.config.dim  # DistilBERT calls it dim


def network_of(model) -> Any:
    """The transformers base model inside a model with a head, wrapped by an adapter or not."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).base_model


def base_of(model) -> tuple[Any, str]:
    """The transformers base model, and its module name inside the whole ("bert")."""
    base = network_of(model)
    return base, next(name for name, module in model.named_modules() if module is base)


def blocks(model) -> tuple[Block, ...]:
    """The model's blocks in depth order: embeddings, layers from the lowest up, head. Each parameter is in just one.

    >>> [b.name for b in blocks(load("tiny-bert-zh", labels=("no", "yes")))]
    ['embeddings', 'layer 1', 'layer 2', 'layer 3', 'layer 4', 'head']

    The pooler counts as head; prompts that were added stand above the embeddings. Raises BadInput for a family that labkit does not know.
    """
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise unknown_family(kind)
    family, (base, prefix) = FAMILIES[kind], base_of(model)
    here = {n for n, _ in base.named_modules()}
    layers = [f"{prefix}.{family.layers}.{i}" for i in range(len(base.get_submodule(family.layers)))]
    parts = [("embeddings", "embeddings", [f"{prefix}.{m}" for m in family.embeddings if m in here])]
    parts += [(f"layer {i + 1}", "layer", [name]) for i, name in enumerate(layers)]
    parts[-1][2].extend(f"{prefix}.{m}" for m in family.top)
    if adapters.prompt_length(model):
        parts.insert(1, ("prompt", "prompt", ["prompt_encoder"]))
    names = [n for n, _ in model.named_parameters()]
    owner = {n: i for n in names for i, part in enumerate(parts) if any(n.startswith(m + ".") for m in part[2])}
    found = [
        Block(name, kind, tuple(n for n in names if owner.get(n) == i), tuple(modules))
        for i, (name, kind, modules) in enumerate(parts)
    ]
    rest = tuple(n for n in names if n not in owner)
    leaves = tuple(dict.fromkeys(n.rpartition(".")[0] for n in rest))
    return (*found, Block("head", "head", rest, leaves))


def unknown_family(kind: str) -> BadInput:
    return BadInput(
        tr(
            f"不认识的模型家族 {kind!r}；labkit 支持：{listing(FAMILIES, 20)}。",
            f"Unknown model family {kind!r}; labkit knows: {listing(FAMILIES, 20)}.",
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
    if adapters.carries(model):
        return adapters.save_added(model, folder)
    model.save_pretrained(folder)
    return {}


def publish(made: Path, folder: Path) -> None:
    """Move the files of a finished directory into `folder`, which may hold others; the manifest goes last."""
    for path in sorted(made.iterdir(), key=lambda p: p.name == MANIFEST):
        target = folder / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    made.rmdir()


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
