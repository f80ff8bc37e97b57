"""The table of families: what a row says is so in a real network of that family, and an unknown one is told of all."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch

import labkit
from labkit.base.records import BadInput
from labkit.models.families import FAMILIES, Family, base_of, blocks, family_of, network_of, width_of
from labkit.models.loading import fitting
from labkit.strategies import LoRA
from labkit.strategies.adding import linear_maps

PICTURES = ("vit", "resnet")
SOUNDS = ("wav2vec2", "hubert", "wavlm", "wav2vec2-conformer", "whisper", "speech_to_text")  # tests/modalities has them
TEXTS = [kind for kind in FAMILIES if kind not in (*PICTURES, *SOUNDS)]
every = pytest.mark.parametrize("kind", [*TEXTS, *PICTURES])
tokens = pytest.mark.parametrize("kind", [*TEXTS, "vit"])
texts = pytest.mark.parametrize("kind", TEXTS)


@pytest.fixture(scope="module")
def network():
    """A tiny network of a family with a head for three classes, made once."""
    from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification

    made = {}

    def build(kind):
        size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
        size |= {"max_position_embeddings": 20, "vocab_size": 30, "pad_token_id": 1, "num_labels": 3}
        other = {
            "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
            "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 20, "bos_token_id": 0, "eos_token_id": 0},
            "albert": {"embedding_size": 8},
            "electra": {"embedding_size": 8},
        }
        auto, size = AutoModelForSequenceClassification, size | other.get(kind, {})
        if kind in PICTURES:
            auto = AutoModelForImageClassification
            size |= {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "image_size": 16, "patch_size": 8}
        return auto.from_config(AutoConfig.for_model(kind, **size)).eval()

    return lambda kind: made.setdefault(kind, build(kind))


def layers(model):
    return [network_of(model).get_submodule(family_of(model).layers)[i] for i in range(len(blocks(model)) - 2)]


def test_every_field_of_a_row_is_asked_for_somewhere():
    sources = "".join(p.read_text("utf-8") for p in Path(labkit.__file__).parent.rglob("*.py"))
    read = {
        f.name
        for f in fields(Family)
        if re.search(rf"(family|family_of\(model\)|FAMILIES\[[^]]*\])\.{f.name}\b", sources)
    }
    assert read == {f.name for f in fields(Family)}


@every
def test_every_name_of_a_row_is_a_module_of_the_network(network, kind):
    model = network(kind)
    base, family = base_of(model)[0], FAMILIES[kind]
    inside = {name for name, _ in base.named_modules()}
    assert family.embeddings[0] in inside and set(family.top) <= inside
    assert set(family.embeddings[1:]) <= inside or kind == "electra"  # it has no projection where widths are equal
    assert len(layers(model)) == (1 if family.shared else 2)
    if family.behind_attention:
        for layer in layers(model):
            layer.get_submodule(family.behind_attention)


@every
def test_a_layer_has_the_maps_that_a_row_names(network, kind):
    model, family = network(kind), FAMILIES[kind]
    for ends in (family.query_value, family.sublayer_ends):
        for end in ends:
            assert len(linear_maps(model, (end,))) >= len(layers(model)), end
    places = {type(model.get_submodule(p)).__name__ for p in linear_maps(model, family.query_value)}
    assert places == ({"Conv1D"} if family.transposed else {"Linear"} if family.query_value else set())
    assert linear_maps(model, None)


@every
def test_a_width_is_that_of_what_passes_between_the_blocks(network, kind):
    model, seen = network(kind), []
    layers(model)[0].register_forward_hook(lambda module, args, output: seen.append(output))
    model(**inputs(kind, 3))
    out = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    assert width_of(model) == (out.shape[-1] if FAMILIES[kind].tokens else 0)


@tokens
def test_the_head_reads_the_token_that_a_row_says(network, kind):
    """Changing the last layer's output anywhere else changes no logit."""
    model, family = network(kind), FAMILIES[kind]
    place, base = (0 if family.reads == "first" else -1), base_of(model)[0]
    plain = model(**inputs(kind, 6)).logits

    def elsewhere(module, args, output):
        hidden = output.last_hidden_state
        output.last_hidden_state = torch.zeros_like(hidden).index_copy(1, torch.tensor([place % 6]), hidden[:, [place]])
        return output

    hook = base.register_forward_hook(elsewhere)
    assert torch.allclose(model(**inputs(kind, 6)).logits, plain, atol=1e-6)
    hook.remove()


@texts
def test_a_network_reads_as_many_tokens_as_are_said_to_fit_and_a_causal_one_from_left_to_right(network, kind):
    model, family = network(kind), FAMILIES[kind]
    most = fitting(model, 10**6)
    assert most == (18 if family.position_offset else 20)
    model(**inputs(kind, most))
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        model(**inputs(kind, most + 1))
    given = inputs(kind, 6)
    later = {**given, "input_ids": given["input_ids"].clone()}
    later["input_ids"][:, -1] = 9
    first = [base_of(model)[0](**x).last_hidden_state[:, 0] for x in (given, later)]
    assert torch.allclose(*first, atol=1e-7) == family.causal


@every
def test_lora_stands_beside_every_map_of_every_layer(network, kind):
    import copy

    class Task:
        peft_type = "SEQ_CLS"

    model = copy.deepcopy(network(kind))
    model.task, model.source = Task, kind
    wrapped = LoRA(rank=2, where="all").prepare(model)
    pairs = {n.partition(".lora_A")[0] for n, _ in wrapped.named_parameters() if ".lora_A" in n}
    assert len(pairs) == len(linear_maps(network(kind), None))
    assert torch.allclose(wrapped(**inputs(kind, 5)).logits, network(kind)(**inputs(kind, 5)).logits, atol=1e-6)


def inputs(kind, length):
    """Two rows without padding."""
    if kind in PICTURES:
        return {"pixel_values": torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))}
    ids = torch.randint(3, 30, (2, length), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize(
    "lang, words", [("en", "Unknown model family 't5'; labkit knows: "), ("zh", "不认识的模型家族 't5'")]
)
def test_an_unknown_family_is_told_of_all(monkeypatch, lang, words):
    from transformers import T5Config, T5ForSequenceClassification

    monkeypatch.setenv("LABKIT_LANG", lang)
    model = T5ForSequenceClassification(T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    for ask in (blocks, family_of):
        with pytest.raises(BadInput) as caught:
            ask(model)
        assert words in str(caught.value) and all(kind in str(caught.value) for kind in FAMILIES)
        assert "…" not in str(caught.value)
