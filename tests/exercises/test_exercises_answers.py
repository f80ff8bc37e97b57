"""The checks are checked: every planted wrong answer fails with the fitting message, right ones in other styles pass."""

import os
import re
from collections import Counter

import planted_01  # noqa: F401
import planted_02  # noqa: F401
import planted_03  # noqa: F401
import planted_04  # noqa: F401
import planted_05  # noqa: F401
import planted_06  # noqa: F401
import planted_07  # noqa: F401
import planted_08  # noqa: F401
import planted_09  # noqa: F401
import planted_10  # noqa: F401
import planted_11  # noqa: F401
import planted_12  # noqa: F401
import planted_13  # noqa: F401
import planted_14  # noqa: F401
import planted_15  # noqa: F401
import planted_16  # noqa: F401
import planted_17  # noqa: F401
import planted_18  # noqa: F401
import planted_long  # noqa: F401
import pytest
from labkit_exercises.exercise import FAILED, PASSED, catalogue, find, judge
from planting import RIGHT, WRONG

SEED = int(os.environ.get("LABKIT_SEED", "0"))  # of the cases that are drawn: other seeds by hand


@pytest.mark.parametrize("id, words, answer", WRONG, ids=[f"{id}-{f.__name__}" for id, _, f in WRONG])
def test_a_wrong_answer_fails_with_the_fitting_message(id, words, answer, monkeypatch):
    outcome, finding = judge(find(id), answer, SEED)
    assert outcome == FAILED
    assert re.search(words, finding), finding
    monkeypatch.setattr("labkit.base.language._chosen", "zh")
    assert re.search("[\u4e00-\u9fff]", judge(find(id), answer, SEED)[1])


@pytest.mark.parametrize("id, answer", RIGHT, ids=[f"{id}-{f.__name__}" for id, f in RIGHT])
def test_a_right_answer_in_another_style_passes(id, answer):
    assert judge(find(id), answer, SEED) == (PASSED, "")


def test_each_exercise_has_three_planted_wrong_answers_and_five_have_three_right_ones():
    wrong, right = Counter(id for id, _, _ in WRONG), Counter(id for id, _ in RIGHT)
    assert {id: wrong[id] for id in catalogue() if wrong[id] < 3} == {}
    assert sum(n >= 3 for n in right.values()) >= 5


def test_the_lora_that_passes_is_the_one_of_peft():
    import torch
    from peft import LoraConfig, get_peft_model
    from planted_03 import with_addmm, with_linear

    layer = torch.nn.Sequential(torch.nn.Linear(6, 4))
    config = LoraConfig(r=2, lora_alpha=8, target_modules=["0"], init_lora_weights=False)
    wrapped, x = get_peft_model(layer, config), torch.randn(5, 6)
    weight, bias, a, b = (p.detach().clone() for p in wrapped.parameters())
    with torch.no_grad():
        assert torch.allclose(wrapped(x), with_linear(x, weight, bias, a, b, 8), atol=1e-6)
        merged = wrapped.merge_and_unload()[0].weight
    assert torch.allclose(merged, with_addmm(weight, a, b, 8), atol=1e-6)
