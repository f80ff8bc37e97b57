"""How right an answer in words is: CMRC's rule and SQuAD's on characters, held against slow loops and worked cases."""

import random

import pytest

from labkit.tasks.answer_scores import RULES, answer_scores, cmrc_f1, cmrc_units, longest_run, squad_f1


def slowly(one, other):
    """Length of the longest run that both have: every run of one is looked for in the other."""
    runs = [one[i:j] for i in range(len(one)) for j in range(i + 1, len(one) + 1)]
    there = [other[i:j] for i in range(len(other)) for j in range(i + 1, len(other) + 1)]
    return max((len(run) for run in runs if run in there), default=0)


def test_the_longest_run_is_what_a_slow_search_finds():
    rng = random.Random(0)
    for _ in range(200):
        one, other = (rng.choices("abc", k=rng.randint(0, 7)) for _ in range(2))
        assert longest_run(one, other) == slowly(one, other), (one, other)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("2018年", ["2018", "年"]),
        ("《红楼梦》，第 3 回", ["红", "楼", "梦", "第", "3", "回"]),
        ("GPT-2模型", ["gpt2", "模", "型"]),  # a sign is left out before words are told apart
        ("1,000.5元 don't", ["1,000.5", "元", "don't"]),
        ("（）。", []),
        ("ａｂ$", ["ａｂ", "$"]),
    ],
)
def test_chinese_is_cut_into_characters_and_the_rest_into_words(text, units):
    assert cmrc_units(text) == units


def test_an_exact_match_minds_neither_case_nor_signs_nor_outer_space():
    assert answer_scores(" 《Red》 ", ["red"])[0] == 1.0
    assert answer_scores("红 楼", ["红楼"])[0] == 0.0  # inner space counts for CMRC
    assert answer_scores("红 楼", ["红楼"])[2] == 1.0  # and not for SQuAD on characters


def test_f1_is_of_one_run_for_cmrc_and_of_the_bag_for_squad():
    assert cmrc_f1("北京市海淀区", "海淀区") == pytest.approx(2 * 3 / 9)
    assert cmrc_f1("周三下午", "下午周三") == pytest.approx(2 * 2 / 8)
    assert squad_f1("周三下午", "下午周三") == 1.0
    assert squad_f1("the cat", "a cat") == 1.0  # articles are left out, as SQuAD does


def test_the_best_of_several_references_counts_for_each_rule_by_itself():
    scores = dict(zip(RULES, answer_scores("青石路12号", ["路12号", "青石路12号门口"]), strict=True))
    assert scores["exact_match"] == 0.0
    assert scores["f1"] == pytest.approx(2 * 5 / 12)  # units: 青 石 路 12 号


def test_where_there_is_no_answer_only_silence_is_right():
    assert answer_scores("", []) == (1.0,) * 4
    assert answer_scores("红枣", []) == (0.0,) * 4
    assert answer_scores("", ["红枣"]) == (0.0,) * 4


def test_of_several_references_one_may_be_that_there_is_no_answer():
    assert answer_scores("", ["红枣", ""]) == (1.0,) * 4
    assert answer_scores("红枣", ["红枣", ""]) == (1.0,) * 4
    assert answer_scores("大米", ["红枣", ""]) == (0.0,) * 4
