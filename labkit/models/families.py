"""What labkit knows of model families, and a model's blocks in depth order."""

from dataclasses import dataclass, replace
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models import added


def block_words(name: str) -> str:
    """A block's name as a reader sees it: "第 2 层" for "layer 2"."""
    word, _, number = name.partition(" ")
    zh = {"embeddings": "嵌入层", "prompt": "提示", "head": "分类头", "layer": f"第 {number} 层"}
    return tr(zh[word], name)


@dataclass(frozen=True)
class Block:
    """A layer of the network as strategies see it: what is frozen or trained together."""

    name: str  # "embeddings", "layer 1" (the lowest) …, "head"
    kind: str  # "embeddings", "prompt" (trained prompts, where there are any), "layer" or "head"
    parameters: tuple[str, ...]  # names in model.named_parameters()
    modules: tuple[str, ...]  # names in model.named_modules()


@dataclass(frozen=True)
class Family:
    """Everything that labkit knows of a model family. Modules are named as inside the base model."""

    embeddings: tuple[str, ...]
    layers: str  # the module that lists the layers, the lowest first
    top: tuple[str, ...] = ()  # a norm that belongs to the last layer
    reads: str = (
        "first"  # what a head for one answer a row is given: the "first" or "last" token, or the "pooled" output
    )
    behind_attention: str = ""  # in a layer, what its attention's answer goes into: from there on one token is enough
    query_value: tuple[str, ...] = ("query", "value")  # linear maps of the attention that LoRA stands beside
    sublayer_ends: tuple[str, ...] = ("output.dense",)  # linear maps that end the attention and the feed-forward part
    prefix: bool = True  # whether attention takes keys and values from outside
    shared: bool = False  # one layer used many times
    summed: bool = False  # the first two embeddings are modules of their own, added up outside them
    causal: bool = False  # reads from left to right; pretrained on the next token instead of hidden ones
    transposed: bool = False  # linear maps are stored turned over
    in_tuples: bool = False  # a layer answers with a tuple, its hidden states first
    position_offset: bool = False  # positions are counted from behind the padding token's number
    width: str = "hidden_size"  # where the config has the length of a token's vector; "" where there is none
    rate: float = 1.0  # default learning rates, as times those of a BERT as wide

    @property
    def tokens(self) -> bool:
        """Whether hidden states are a row of tokens."""
        return self.reads != "pooled"


BERT = Family(("embeddings",), "encoder.layer", behind_attention="attention.output")
ROBERTA = replace(BERT, position_offset=True)
FAMILIES = {
    "bert": BERT,
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert"), ROBERTA),
    "ernie": BERT,
    "megatron-bert": replace(BERT, top=("encoder.ln",), in_tuples=True),
    "electra": replace(BERT, embeddings=("embeddings", "embeddings_project")),
    "albert": Family(
        ("embeddings", "encoder.embedding_hidden_mapping_in"),
        "encoder.albert_layer_groups",
        sublayer_ends=("attention.dense", "ffn_output"),
        prefix=False,
        shared=True,
    ),
    "distilbert": Family(
        ("embeddings",),
        "transformer.layer",
        behind_attention="sa_layer_norm",
        query_value=("q_lin", "v_lin"),
        sublayer_ends=("out_lin", "lin2"),
        prefix=False,
        width="dim",
    ),
    "gpt2": Family(
        ("wte", "wpe", "drop"),
        "h",
        ("ln_f",),
        reads="last",
        query_value=("c_attn",),  # query, key and value in one map
        sublayer_ends=("c_proj",),
        summed=True,
        causal=True,
        transposed=True,
    ),
    "resnet": Family(
        ("embedder",),
        "encoder.stages",
        reads="pooled",
        query_value=(),
        sublayer_ends=(),
        prefix=False,
        width="",
    ),
}


def family_of(model) -> Family:
    """The row of the table that a model belongs to. Raises BadInput for a family that labkit does not know."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise unknown_family(kind)
    return FAMILIES[kind]


def width_of(model) -> int:
    """Length of a token's vector between the blocks: 128 for tiny-bert-zh, 768 for BERT-base; 0 where there is none."""
    name = family_of(model).width
    return getattr(model.config, name) if name else 0


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
    family, (base, prefix) = family_of(model), base_of(model)
    here = {n for n, _ in base.named_modules()}
    layers = [f"{prefix}.{family.layers}.{i}" for i in range(len(base.get_submodule(family.layers)))]
    parts = [("embeddings", "embeddings", [f"{prefix}.{m}" for m in family.embeddings if m in here])]
    parts += [(f"layer {i + 1}", "layer", [name]) for i, name in enumerate(layers)]
    parts[-1][2].extend(f"{prefix}.{m}" for m in family.top)
    if added.prompt_length(model):
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
