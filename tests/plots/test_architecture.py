"""Drawings of a network: coloured by what a strategy would train, for any family, the model left as it was."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import labkit as lk
from labkit.plots.architecture import boxes
from labkit.plots.inspecting import STATES


@pytest.fixture(scope="module")
def bert():
    return lk.load("tiny-bert-zh", labels=("no", "yes"))


def colours(axes):
    return [to_hex(patch.get_facecolor()) for patch in axes.patches if isinstance(patch, Rectangle)]


def words(fig):
    return [text.get_text() for axes in fig.axes for text in axes.texts]


def inside(fig):
    fig.draw_without_rendering()
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    return seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height


@pytest.mark.parametrize(("lang", "tokens", "pooler"), [("zh", "词元", "池化层"), ("en", "tokens", "pooler")])
def test_a_drawing_a_strategy_in_either_language_with_nothing_cut_off(bert, lang, tokens, pooler):
    lk.language(lang)
    strategies = (lk.HeadOnly(), lk.Full(), lk.LoRA(), lk.Adapter(), lk.PTuningV2())
    fig = lk.plots.network(bert, *strategies)
    assert len(fig.axes) == len(strategies) and words(fig).count(tokens) == words(fig).count(pooler) == len(strategies)
    assert inside(fig) and inside(lk.plots.network(bert)) and inside(lk.plots.additions())


def test_boxes_have_the_colours_of_what_trains(bert):
    head, top, lora = lk.plots.network(bert, lk.HeadOnly(), lk.TopK(1), lk.LoRA()).axes
    frozen, trained, added = (STATES[kind] for kind in ("frozen", "trained", "added"))
    blocks = [colours(axes)[5:] for axes in (head, top)]  # below are the tokens
    assert blocks == [[frozen] * 5 + [trained] * 2, [frozen] * 4 + [trained] * 3]
    assert colours(lora).count(added) == 4 and added not in colours(head)


def test_the_counts_beside_a_name_are_those_of_the_parameters(bert):
    (axes,) = lk.plots.network(bert, lk.HeadOnly()).axes
    head = lk.HeadOnly().prepare(lk.load("tiny-bert-zh", labels=("no", "yes")))
    trained = sum(p.numel() for p in head.parameters() if p.requires_grad)
    assert axes.get_title(loc="left").splitlines()[1].startswith(f"{trained:,} / ")


def test_the_model_is_left_as_it_was(bert):
    before = [(name, p.requires_grad) for name, p in bert.named_parameters()]
    lk.plots.network(bert, lk.HeadOnly(), lk.LoRA())
    assert [(name, p.requires_grad) for name, p in bert.named_parameters()] == before


def test_a_gpt_is_drawn_from_its_own_blocks_and_says_that_its_last_token_is_read():
    lk.language("en")
    gpt = lk.load("tiny-gpt-zh", labels=("no", "yes"))
    drawn = words(lk.plots.network(gpt))
    layers = [block.name for block in lk.blocks(gpt) if block.kind == "layer"]
    assert set(layers) < set(drawn) and "pooler" not in drawn and "the last" in drawn


def test_a_head_that_answers_for_every_token_is_no_classifier():
    lk.language("zh")
    drawn = words(lk.plots.network(lk.load_masked_lm("tiny-bert-zh")))
    assert "每个都取" in drawn and "头" in drawn and "分类头" not in drawn


def test_a_prompt_stands_beside_the_layers(bert):
    lk.language("en")
    prompted = lk.PTuningV2().prepare(lk.load("tiny-bert-zh", labels=("no", "yes")))
    assert [part.kind for _, part in boxes(prompted)].count("prompt") == 1
    assert "prompt" in words(lk.plots.network(prompted))


def test_too_many_strategies_are_refused(bert):
    with pytest.raises(lk.BadInput, match="7"):
        lk.plots.network(bert, *[lk.HeadOnly()] * 7)
