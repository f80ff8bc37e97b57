"""What trains and what does not: names, sets of parameters, learning rates. How they train is in test_training."""

import json

import pytest
from stand_ins import family

from labkit.base.records import BadInput
from labkit.models.families import blocks
from labkit.models.loading import load
from labkit.models.state import frozen_modules
from labkit.strategies import (
    NAMES,
    Adapter,
    BitFit,
    Full,
    GradualUnfreeze,
    HeadOnly,
    LoRA,
    PrefixTuning,
    PTuningV2,
    Strategy,
    TopK,
    by_name,
    name_of,
    settings_of,
)

KINDS = ("bert", "distilbert", "electra", "albert", "gpt2")
ALL = [kind(2) if kind is TopK else kind() for kind in NAMES.values()]


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


def test_default_rates_are_the_measured_one_at_width_128_and_the_usual_one_at_768():
    class Wide:
        class config:
            model_type, hidden_size = "bert", 768

    class Narrow:
        class config:
            model_type, hidden_size = "bert", 128

    assert Full().default_lr(Wide) == pytest.approx(3e-5) and Full().default_lr(Narrow) == pytest.approx(5e-4)
    for strategy in ALL:
        assert Full().default_lr(Narrow) <= strategy.default_lr(Narrow) < 0.1
        assert Full().default_lr(Wide) <= strategy.default_lr(Wide) <= strategy.default_lr(Narrow)


def test_each_block_gets_its_share_of_the_rate_of_the_block_above(model):
    groups = Full(decay=0.5).groups(Full().prepare(model), 1.0)
    assert [g["names"] for g in groups] == [list(b.parameters) for b in reversed(blocks(model))]
    assert [g["lr"] for g in groups] == [0.5**i for i in range(len(groups))]


def test_gradual_unfreezing_thaws_from_the_top_down_until_everything_trains(model):
    strategy, whole = GradualUnfreeze(), blocks(model)
    strategy.prepare(model)
    for epoch, thawed in enumerate(range(len(whole) - 1, 0, -1), 1):
        assert training(model) == of(*whole[thawed:])
        assert strategy.on_epoch(model, epoch)
    assert training(model) == of(*whole)
    assert not strategy.on_epoch(model, 9)
    assert [round(g["lr"], 3) for g in strategy.groups(model, 1.0)][:3] == [1, 0.385, 0.148]


def test_gradual_unfreezing_can_wait_until_validation_stalls(model):
    class Seen:
        def __init__(self, valid_loss):
            self.valid_loss = valid_loss

    strategy = GradualUnfreeze(schedule="stall")
    strategy.prepare(model)
    assert not strategy.on_epoch(model, 1, [Seen(0.7)])
    assert not strategy.on_epoch(model, 2, [Seen(0.7), Seen(0.6)])
    assert strategy.on_epoch(model, 3, [Seen(0.7), Seen(0.6), Seen(0.6)])


def test_bitfit_trains_the_biases_and_the_head(model):
    names = training(BitFit().prepare(model)) - of(blocks(model)[-1])
    assert names and all(n.endswith(".bias") for n in names)


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: Full(decay=0), "decay=0 "),
        (lambda: Full(decay=1.1), "decay=1.1 .* from 1e-09 to 1"),
        (lambda: GradualUnfreeze(schedule="daily"), "schedule='daily'.*epoch.*stall"),
        (lambda: GradualUnfreeze(factor=0.5), "factor=0.5"),
        (lambda: LoRA(rank=0), "rank=0 .*from 1"),
        (lambda: LoRA(rank=2.5), "rank=2.5"),
        (lambda: LoRA(alpha=-1), "alpha=-1"),
        (lambda: LoRA(dropout=1), "dropout=1"),
        (lambda: LoRA(where="everywhere"), "where='everywhere'.*query-value, all"),
        (lambda: PrefixTuning(tokens=0), "tokens=0"),
        (lambda: PrefixTuning(hidden=0), "hidden=0"),
        (lambda: PTuningV2(tokens=True), "tokens=True"),
        (lambda: Adapter(size=-3), "size=-3"),
    ],
)
def test_a_bad_setting_is_refused_with_what_is_accepted(make, told):
    with pytest.raises(BadInput, match=told):
        make()


def test_the_contract_has_defaults_that_do_nothing(model):
    plain = Strategy()
    assert plain.prepare(model) is model and plain.merge(model) is model and plain.on_epoch(model, 1) is False


@pytest.mark.parametrize(
    "strategy, name",
    [(TopK(12), "top-12"), *zip(ALL, [n.replace("K", "2") for n in NAMES], strict=True)],
)
def test_names_go_there_and_back(strategy, name):
    assert name_of(strategy) == name
    assert by_name(name) == by_name(f" {name.upper()} ") == strategy


def test_settings_that_are_not_the_default_are_in_the_name():
    assert name_of(HeadOnly(pooler=False)) == "head(pooler=False)"
    assert json.loads(json.dumps(settings_of(HeadOnly(pooler=False)))) == {"pooler": False}
    assert settings_of(TopK(3)) == {"k": 3} and settings_of(Full()) == {"decay": 1.0}


@pytest.mark.parametrize("name", ["", "everything", "top", "top-K", "top-x", "top--1", "top-1.5", "full,head"])
def test_an_unknown_name_is_refused_with_the_list(name):
    with pytest.raises(BadInput, match="full, head, top-K"):
        by_name(name)


def test_strategies_are_values():
    assert TopK(2) == TopK(2) != TopK(3) and len({Full(), Full(), HeadOnly()}) == 2
    with pytest.raises(AttributeError):
        TopK(2).k = 3
