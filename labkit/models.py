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
    kind: str  # "embeddings", "layer" or "head"
    parameters: tuple[str, ...]  # names in model.named_parameters()
    modules: tuple[str, ...]  # names in model.named_modules()


@dataclass(frozen=True)
class Family:
    """Where a model family keeps its parts, as module names inside the base model."""

    embeddings: tuple[str, ...]
    layers: str
    top: tuple[str, ...] = ()  # a norm that belongs to the last layer


BERT = Family(("embeddings",), "encoder.layer")
FAMILIES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "ernie", "roformer", "megatron-bert"), BERT),
    "electra": Family(("embeddings", "embeddings_project"), "encoder.layer"),
    "albert": Family(("embeddings", "encoder.embedding_hidden_mapping_in"), "encoder.albert_layer_groups"),
    "distilbert": Family(("embeddings",), "transformer.layer"),
    "gpt2": Family(("wte", "wpe"), "h", ("ln_f",)),
}


def load(source, labels: Sequence[str] | None = None, *, seed: int = 0, task: Any = None) -> Any:
    """A model with a head for `labels`, ready to be trained or asked.

    >>> model = load("tiny-bert-zh", labels=("negative", "positive"))     # packaged
    >>> model = load("out/")                                              # saved by labkit or transformers, with its labels
    >>> model = load("bert-base-chinese", labels=corpus.labels)           # local cache, then hub or its mirror (HF_ENDPOINT)

    Sources are tried in that order: a local directory, a packaged name, the local cache, the hub. A head that the source
    lacks, or has for other labels, starts from random weights drawn with `seed`. Weights are float32, on the CPU.
    Raises BadInput naming the ways out where no source answers.
    """
    task = task or TextClassification()
    place = locate(str(source))
    with quiet():
        from transformers import AutoConfig, AutoTokenizer

        try:
            config = AutoConfig.from_pretrained(place, local_files_only=True)
        except (OSError, ValueError) as error:
            if Path(place).is_dir() or not hub_answers():
                raise unreachable(error, place, source) from None
            config = reach(AutoConfig.from_pretrained, place, source)
        stored = [config.id2label[i] for i in sorted(config.id2label)]
        trained = any("ForSequenceClassification" in name for name in config.architectures or [])
        if labels is None:
            if not trained:
                raise BadInput(
                    tr(
                        f"模型 {source} 还没有分类头：请给出 labels=，例如 labels=corpus.labels。",
                        f"Model {source} has no classification head yet: give labels=, for example labels=corpus.labels.",
                    )
                )
            labels = stored
        labels = [str(x) for x in labels]
        fresh = not trained or stored != labels
        if config.model_type not in FAMILIES:
            raise unknown_family(config.model_type)
        processor = reach(AutoTokenizer.from_pretrained, place, source)
        if processor.pad_token is None:
            processor.pad_token = processor.eos_token or processor.unk_token
        names = {"id2label": dict(enumerate(labels)), "label2id": {x: i for i, x in enumerate(labels)}}
        model = build(task, place, source, seed, names, processor.pad_token_id)
        if fresh and trained:
            reset_head(model, seed)
    model.processor, model.source, model.task = processor, str(source), task
    return model.eval()


def build(task, place: str, source, seed: int, names: dict, pad: int) -> Any:
    """The network with the source's weights; what it lacks is drawn with `seed`, the caller's random state untouched."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        options = {"ignore_mismatched_sizes": True, "dtype": torch.float32, "pad_token_id": pad}
        return reach(task.auto_class().from_pretrained, place, source, **options, **names)


def reset_head(model, seed: int) -> None:
    """Draw new weights for the head, as for a source without one."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in blocks(model)[-1].modules:
            for module in model.get_submodule(name).modules():
                if isinstance(module, torch.nn.Linear):
                    module.weight.data.normal_(std=model.config.initializer_range)
                    if module.bias is not None:
                        module.bias.data.zero_()


def locate(source: str) -> str:
    """A directory on disk, a packaged model's directory, or the name itself for cache and hub."""
    if Path(source).is_dir():
        return source
    return str(ASSETS / source) if source in PACKAGED else source


def reach(call, place: str, source, **options) -> Any:
    """Call a from_pretrained; where it cannot get its files, say the three ways out."""
    try:
        return call(place, **options)
    except (OSError, ValueError) as error:
        raise unreachable(error, place, source) from None


def hub_answers(seconds: float = 5.0) -> bool:
    """Whether anybody listens at the hub or its mirror: asked once, because the hub's own client tries for minutes."""
    import socket
    from urllib.parse import urlsplit

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # behind a proxy a direct connection proves nothing
    address = urlsplit(constants.ENDPOINT)
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname, port), timeout=seconds).close()
        return True
    except OSError:
        return False


def unreachable(error: Exception, place: str, source) -> BadInput:
    """The message for a model that cannot be had: what was tried, and the three ways out."""
    if Path(place).is_dir():
        reason = str(error).strip().splitlines()[0][:300]
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
            f"找不到模型 {source!r}：不是目录，不是自带模型，本地缓存里没有，也没能从{asked}下载。\n三条出路：\n"
            f"  1) 用自带模型：{listing(PACKAGED)}（无需网络）；\n"
            "  2) 在有网的机器上下载，把模型目录拷来，写它的路径；\n"
            "  3) 设环境变量 HF_ENDPOINT 指向镜像，再重新启动 Python。",
            f"No model {source!r}: it is no directory, not packaged, not in the local cache, and could not be had from "
            f"{asked}.\nThree ways out:\n"
            f"  1) take a packaged model: {listing(PACKAGED)} (no network needed);\n"
            "  2) download it where there is a network, copy its directory here and give its path;\n"
            "  3) set the environment variable HF_ENDPOINT to a mirror and start Python again.",
        )
    )


def base_of(model) -> tuple[Any, str]:
    """The transformers base model inside a model with a head, and its name there ("bert")."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.base_model, inner.base_model_prefix


def blocks(model) -> tuple[Block, ...]:
    """The model's blocks in depth order: embeddings, layers from the lowest up, head. Each parameter is in just one.

    >>> [b.name for b in blocks(load("tiny-bert-zh", labels=("no", "yes")))]
    ['embeddings', 'layer 1', 'layer 2', 'layer 3', 'layer 4', 'layer 5', 'layer 6', 'head']

    The pooler counts as head. Raises BadInput for a family that labkit does not know.
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
    names = [n for n, _ in model.named_parameters()]
    owner = {n: i for n in names for i, part in enumerate(parts) if any(n.startswith(m + ".") for m in part[2])}
    found = [
        Block(name, kind, tuple(n for n in names if owner.get(n) == i), tuple(modules))
        for i, (name, kind, modules) in enumerate(parts)
    ]
    rest = tuple(n for n in names if n not in owner)
    return (*found, Block("head", "head", rest, tuple(dict.fromkeys(n.rpartition(".")[0] for n in rest))))


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
        save_into(model, fresh)
        note = {"source": model.source, "task": model.task.name, **(record or {})}
        write_text(fresh / "labkit.json", json.dumps(note, ensure_ascii=False, indent=1) + "\n")
    return folder


def save_into(model, folder: Path) -> None:
    """The files of transformers: config.json, model.safetensors, the tokenizer's."""
    model.save_pretrained(folder)
    model.processor.save_pretrained(folder)


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
