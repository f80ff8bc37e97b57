"""What trains and what does not: names, sets of parameters, learning rates. How they train is in test_training."""

import json

import pytest
from stand_ins import family

from labkit.models import blocks, load
from labkit.records import BadInput
from labkit.strategies import Full, HeadOnly, Strategy, TopK, by_name, frozen_modules, name_of, settings_of

KINDS = ("bert", "distilbert", "electra", "albert", "gpt2")


@pytest.fixture(scope="module", params=KINDS)
def place(request, tmp_path_factory):
    return family(request.param, tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture
def model(place):
    return load(place, labels=("no", "yes"))


def training(model):
    return {n for n, p in model.named_parameters() if p.requires_grad}


def of(*chosen):
    return {n for block in chosen for n in block.parameters}


def test_full_trains_everything(model):
    assert training(Full().prepare(model)) == of(*blocks(model))


def test_head_only_trains_the_head(model):
    assert training(HeadOnly().prepare(model)) == of(blocks(model)[-1])


def test_head_only_without_pooler_trains_the_last_linear_layer(model):
    HeadOnly(pooler=False).prepare(model)
    last = model.get_submodule(blocks(model)[-1].modules[-1])
    assert training(model) == {f"{blocks(model)[-1].modules[-1]}.{n}" for n, _ in last.named_parameters()}
    assert last.weight.shape[0] == 2


def test_top_k_trains_the_head_and_the_highest_layers(model):
    layers = [b for b in blocks(model) if b.kind == "layer"]
    for k in range(1, len(layers) + 1):
        TopK(k).prepare(model)
        assert training(model) == of(*layers[-k:], blocks(model)[-1])


def test_the_last_strategy_prepared_is_in_force(model):
    HeadOnly().prepare(model)
    assert training(Full().prepare(model)) == of(*blocks(model))


@pytest.mark.parametrize("k", [0, -1, 99])
def test_more_layers_than_there_are_is_refused_with_the_range(model, k):
    count = sum(b.kind == "layer" for b in blocks(model))
    before = training(model)
    with pytest.raises(BadInput, match=f"top-{k} .* from 1 to {count}"):
        TopK(k).prepare(model)
    assert training(model) == before


def test_frozen_modules_are_those_of_blocks_in_which_nothing_trains(model):
    assert frozen_modules(Full().prepare(model)) == []
    names = {id(m): n for n, m in model.named_modules()}
    frozen = [names[id(m)] for m in frozen_modules(HeadOnly().prepare(model))]
    assert frozen == [m for b in blocks(model)[:-1] for m in b.modules]


@pytest.mark.parametrize("strategy", [Full(), HeadOnly(), HeadOnly(pooler=False), TopK(1)], ids=str)
def test_groups_hold_each_training_parameter_once(model, strategy):
    strategy.prepare(model)
    names = [n for g in strategy.groups(model, 0.5) for n in g["names"]]
    assert sorted(names) == sorted(training(model))
    assert {g["lr"] for g in strategy.groups(model, 0.5)} == {0.5}


def test_narrow_networks_get_larger_rates_and_heads_larger_ones_still(model):
    assert Full().default_lr(model) == pytest.approx(3e-5 * 24**1.57)
    assert HeadOnly().default_lr(model) == pytest.approx(4 * Full().default_lr(model))


def test_the_contract_has_defaults_that_do_nothing(model):
    plain = Strategy()
    assert plain.prepare(model) is model and plain.merge(model) is model and plain.on_epoch(model, 1) is False


@pytest.mark.parametrize(
    "strategy, name", [(Full(), "full"), (HeadOnly(), "head"), (TopK(2), "top-2"), (TopK(12), "top-12")]
)
def test_names_go_there_and_back(strategy, name):
    assert name_of(strategy) == name
    assert by_name(name) == by_name(f" {name.upper()} ") == strategy


def test_settings_that_are_not_the_default_are_in_the_name():
    assert name_of(HeadOnly(pooler=False)) == "head(pooler=False)"
    assert json.loads(json.dumps(settings_of(HeadOnly(pooler=False)))) == {"pooler": False}
    assert settings_of(TopK(3)) == {"k": 3} and settings_of(Full()) == {}


@pytest.mark.parametrize("name", ["", "everything", "top", "top-K", "top-x", "top--1", "top-1.5", "full,head"])
def test_an_unknown_name_is_refused_with_the_list(name):
    with pytest.raises(BadInput, match="full, head, top-K"):
        by_name(name)


def test_strategies_are_values():
    assert TopK(2) == TopK(2) != TopK(3) and len({Full(), Full(), HeadOnly()}) == 2
    with pytest.raises(AttributeError):
        TopK(2).k = 3
