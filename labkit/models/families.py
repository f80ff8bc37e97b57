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
    decoder: str = (
        ""  # the module whose `layers` stand above those and write what they heard, with `embed_tokens` of its own
    )
    reads: str = (
        "first"  # what a head for one answer a row is given: the "first" or "last" token, the "mean" of all, or
    )
    # the "pooled" output
    behind_attention: str = ""  # in a layer, what its attention's answer goes into: from there on one token is enough
    query_value: tuple[str, ...] = ("query", "value")  # linear maps of the attention that LoRA stands beside
    sublayer_ends: tuple[str, ...] = ("output.dense",)  # linear maps that end the attention and the feed-forward part
    heads: tuple[
        str, ...
    ] = ()  # in a layer, the maps to query, key and value, and the one behind; where heads can be cut
    feed_forward: tuple[str, ...] = ()  # in a layer, the linear maps into and out of the feed-forward part
    depth: str = "num_hidden_layers"  # where the config has the number of layers; "" where layers are no list of equals
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


EXPORTED = "onnx"  # the model type of what can only be asked
BERT = Family(
    ("embeddings",),
    "encoder.layer",
    behind_attention="attention.output",
    heads=("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    feed_forward=("intermediate.dense", "output.dense"),
)
ROBERTA = replace(BERT, position_offset=True)
WAV2VEC2 = Family(
    ("masked_spec_embed", "feature_extractor", "feature_projection", "encoder.pos_conv_embed", "encoder.layer_norm"),
    "encoder.layers",
    reads="mean",
    query_value=("q_proj", "v_proj"),
    sublayer_ends=("attention.out_proj", "feed_forward.output_dense"),
    prefix=False,
)
NORM_ABOVE = replace(WAV2VEC2, embeddings=WAV2VEC2.embeddings[:-1], top=("encoder.layer_norm",))  # of larger ones
WHISPER = Family(
    ("encoder.conv1", "encoder.conv2", "encoder.embed_positions"),
    "encoder.layers",
    ("encoder.layer_norm",),
    decoder="decoder",
    reads="mean",
    query_value=("q_proj", "v_proj"),
    sublayer_ends=("out_proj", "fc2"),
    prefix=False,
)
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
        heads=("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
        feed_forward=("ffn.lin1", "ffn.lin2"),
        depth="n_layers",
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
        depth="n_layer",
        summed=True,
        causal=True,
        transposed=True,
    ),
    "vit": Family(
        ("embeddings",),
        "layers",
        ("layernorm",),
        query_value=("q_proj", "v_proj"),
        sublayer_ends=("o_proj", "fc2"),
        prefix=False,
    ),
    "resnet": Family(
        ("embedder",),
        "encoder.stages",
        reads="pooled",
        query_value=(),
        sublayer_ends=(),
        depth="",
        prefix=False,
        width="",
        rate=4.0,  # batch normalisation bears it, and wants it
    ),
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm"), WAV2VEC2),
    "wav2vec2-conformer": replace(
        NORM_ABOVE,
        embeddings=(*WAV2VEC2.embeddings[:-1], "encoder.embed_positions"),
        query_value=("linear_q", "linear_v"),
        sublayer_ends=("self_attn.linear_out", "ffn1.output_dense", "ffn2.output_dense"),
    ),
    "whisper": WHISPER,
    "speech_to_text": replace(WHISPER, embeddings=("encoder.conv",), rate=2.0),
}


def family_of(model) -> Family:
    """The row of the table that a model belongs to. Raises BadInput for a family that labkit does not know."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise unknown_family(kind)
    above = FAMILIES[kind] is WAV2VEC2 and model.config.do_stable_layer_norm
    return NORM_ABOVE if above else FAMILIES[kind]


def width_of(model) -> int:
    """Length of a token's vector between the blocks: 128 for tiny-bert-zh, 768 for BERT-base; 0 where there is none."""
    name = family_of(model).width
    return getattr(model.config, name) if name else 0


def reads_tokens(model) -> bool:
    """Whether a model is given token numbers: not pixels, and no sound."""
    return network_of(model).main_input_name == "input_ids"


def network_of(model) -> Any:
    """The transformers base model inside a model with a head, wrapped by an adapter or not. Where head and layers stand side by
    side (a Whisper that classifies), it is the whole."""
    return unwrapped(model).base_model


def unwrapped(model) -> Any:
    """The transformers model, whatever peft has put around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def has_decoder(model) -> bool:
    """Whether a second stack of layers writes what the first has read: they are counted on, above it."""
    name = family_of(model).decoder
    return bool(name) and hasattr(network_of(model), name)


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
    inside = f"{prefix}." if prefix else ""
    modules = {n for n, _ in model.named_modules()}
    here = modules | {n for n, _ in model.named_parameters()}  # what hides a stretch of sound is a parameter by itself
    layers = [f"{inside}{family.layers}.{i}" for i in range(len(base.get_submodule(family.layers)))]
    parts = [("embeddings", "embeddings", [inside + m for m in family.embeddings if inside + m in here])]
    parts += [(f"layer {i + 1}", "layer", [name]) for i, name in enumerate(layers)]
    parts[-1][2].extend(inside + m for m in family.top)
    if has_decoder(model):
        above = inside + family.decoder
        parts[0][2].extend(f"{above}.{m}" for m in ("embed_tokens", "embed_positions") if f"{above}.{m}" in here)
        more = range(len(layers), len(layers) + len(model.get_submodule(above).layers))
        parts += [(f"layer {i + 1}", "layer", [f"{above}.layers.{i - len(layers)}"]) for i in more]
        parts[-1][2].append(f"{above}.layer_norm")
    if added.prompt_length(model):
        parts.insert(1, ("prompt", "prompt", ["prompt_encoder"]))
    names = [n for n, _ in model.named_parameters()]
    owner = {n: i for n in names for i, part in enumerate(parts) if any(f"{n}.".startswith(m + ".") for m in part[2])}
    found = [
        Block(name, kind, tuple(n for n in names if owner.get(n) == i), tuple(m for m in places if m in modules))
        for i, (name, kind, places) in enumerate(parts)
    ]
    rest = tuple(n for n in names if n not in owner)
    leaves = tuple(dict.fromkeys(n.rpartition(".")[0] for n in rest if "." in n))
    return (*found, Block("head", "head", rest, leaves))


def unknown_family(kind: str) -> BadInput:
    if kind == EXPORTED:
        return BadInput(
            tr(
                "导出的 ONNX 模型只能回答，不能训练，也看不到里面。请用导出之前的模型目录。",
                "An exported ONNX model only answers: it cannot be trained or looked into. Take the folder it was exported from.",
            )
        )
    return BadInput(
        tr(
            f"不认识的模型家族 {kind!r}；labkit 支持：{listing(FAMILIES, 20)}。",
            f"Unknown model family {kind!r}; labkit knows: {listing(FAMILIES, 20)}.",
        )
    )
