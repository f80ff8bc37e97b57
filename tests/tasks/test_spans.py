"""Spans and tags: there and back, decoding against trying everything, scores against nervaluate, the CRF against slow sums."""

import itertools
import random

import numpy as np
import pytest

from labkit.base.records import Example
from labkit.tasks import crf
from labkit.tasks.dictionary import looked_up, names_in
from labkit.tasks.pieces import pieces_of, shared_out
from labkit.tasks.spans import COUNTS, agreement, as_bio, legal, spans_of, steps, tag_names, tags_of, viterbi

EACH = [(i, i + 1) for i in range(12)]


def random_spans(rng, length, labels=("A", "B"), share=0.5):
    spans, at = [], 0
    while at < length:
        size = rng.randint(1, 3)
        if at + size <= length and rng.random() < share:
            spans.append((at, at + size, rng.choice(labels)))
            at += size
        at += rng.randint(0, 2)
    return spans


def test_spans_become_tags_and_come_back():
    rng = random.Random(0)
    for _ in range(200):
        spans = random_spans(rng, 12)
        tags, lost = tags_of(spans, EACH)
        assert not lost and spans_of(tags, EACH) == spans
        assert all(np.isfinite(legal(("A", "B"))[1][a, b]) for a, b in itertools.pairwise(map(number, tags)))


def number(tag):
    return tag_names(("A", "B")).index(tag)


@pytest.mark.parametrize(
    "tags",
    [
        "B-A I-A I-A O B-B B-A I-A",
        "B-A I-A E-A O S-B B-A E-A",
        "B-A I-A L-A O U-B B-A L-A",
        "B-A M-A E-A O S-B B-A E-A",
    ],
    ids=["BIO", "IOBES", "BILOU", "BMES"],
)
def test_every_scheme_says_the_same(tags):
    assert spans_of([as_bio(t) for t in tags.split()], EACH[:7]) == [(0, 3, "A"), (4, 5, "B"), (5, 7, "A")]


@pytest.mark.parametrize("word", ["PER", "B_PER", "X-PER", "B-", "-PER", "b-PER", ""])
def test_what_is_no_tag_is_refused(word):
    with pytest.raises(ValueError):
        as_bio(word)


def test_an_inside_tag_after_outside_begins_an_entity():
    assert spans_of(["O", "I-A", "I-A", "I-B"], EACH[:4]) == [(1, 3, "A"), (3, 4, "B")]


def test_an_edge_inside_a_piece_is_lost_and_nothing_is_shifted():
    pieces = [(0, 1), (1, 5), (5, 6)]
    tags, lost = tags_of([(0, 3, "A"), (5, 6, "B")], pieces)
    assert lost == [(0, 3, "A")] and tags == [None, None, "B-B"]


def test_rows_are_put_in_order_of_their_places():
    order, rows = steps([1, 3, 0, 2])
    assert order.tolist() == [1, 4, 0, 2, 5, 3] and rows.tolist() == [3, 2, 1]
    assert steps([])[0].tolist() == []


def test_decoding_finds_what_trying_everything_finds():
    rng, (first, after) = np.random.default_rng(0), legal(("A", "B"))
    for _ in range(30):
        lengths = rng.integers(0, 5, size=4)
        scores, at = rng.normal(size=(lengths.sum(), 5)), 0
        best = viterbi(scores, lengths, first, after)
        for n in lengths:
            if n:
                tried = itertools.product(range(5), repeat=int(n))
                assert tuple(best[at : at + n]) == max(
                    tried, key=lambda tags: total(scores[at : at + n], tags, first, after)
                )
            at += n


def total(scores, tags, first, after):
    return (
        first[tags[0]]
        + sum(s[t] for s, t in zip(scores, tags, strict=True))
        + sum(after[p] for p in itertools.pairwise(tags))
    )


def test_errors_are_counted_as_nervaluate_counts_them():
    from nervaluate.evaluator import Evaluator

    rng = random.Random(1)
    for _ in range(60):
        truth, said = ([random_spans(rng, 12, share=0.4) for _ in range(4)] for _ in range(2))
        sums = dict(
            zip(COUNTS, np.sum([agreement(s, t) for s, t in zip(said, truth, strict=True)], axis=0), strict=True)
        )
        listed = [
            [[{"label": x, "start": b, "end": e - 1} for b, e, x in spans] for spans in side] for side in (truth, said)
        ]
        found = Evaluator(*listed, tags=["A", "B"], loader="dict").evaluate()["overall"]
        strict, exact = found["strict"], found["exact"]
        assert (sums["right"], sums["missed"], sums["invented"]) == (strict.correct, strict.missed, strict.spurious)
        assert sums["wrong_edge"] + sums["wrong_type"] == strict.incorrect
        assert sums["wrong_edge"] == exact.incorrect
        f1 = 2 * sums["right"] / max(1, sums["true"] + sums["said"])
        assert f1 == pytest.approx(strict.f1)


def test_one_answer_of_each_kind_of_error():
    truth = [(0, 2, "A"), (3, 5, "A"), (6, 8, "B"), (9, 11, "A")]
    said = [(0, 2, "A"), (3, 6, "A"), (6, 8, "A"), (11, 12, "B")]
    assert agreement(said, truth) == (4, 4, 1, 1, 1, 1, 1)


def test_one_that_covers_two_is_one_wrong_edge_and_one_miss():
    assert agreement([(0, 4, "A")], [(0, 2, "A"), (2, 4, "A")]) == (2, 1, 0, 1, 0, 1, 0)
    assert agreement([(0, 2, "A"), (2, 4, "A")], [(0, 4, "A")]) == (1, 2, 0, 0, 1, 1, 0)


# The words of a text


def test_a_word_in_pieces_is_tagged_once():
    text = "用iPhone15好 at  10%"
    offsets = [(0, 0), (0, 1), (1, 3), (3, 7), (7, 9), (9, 10), (10, 13), (13, 15), (15, 17), (17, 18), (0, 0)]
    words = pieces_of(text, offsets)
    assert [text[b:e] for _, b, e in words] == ["用", "iPhone15", "好", "at", "10", "%"]
    assert [token for token, *_ in words] == [1, 2, 5, 6, 8, 9]


def test_tokens_that_share_a_character_go_together():
    assert pieces_of("𠮷!", [(0, 1), (0, 1), (0, 1), (1, 2)]) == [(0, 0, 1), (3, 1, 2)]


def test_each_piece_of_overlapping_windows_has_one_owner():
    rng = random.Random(2)
    for _ in range(100):
        n, size = rng.randint(1, 40), rng.randint(4, 9)
        step = rng.randint(1, size)
        starts = [*range(0, max(1, n - size), step)]
        windows = [[(k, i, i + 1) for k, i in enumerate(range(s, min(n, s + size)))] for s in starts]
        covered = sorted({p[1] for w in windows for p in w})
        assert sorted(p[1] for some in shared_out(windows) for p in some) == covered


def test_a_word_that_a_window_cuts_belongs_to_the_window_that_has_it_whole():
    first, second = [(1, 0, 1), (2, 1, 4)], [(1, 1, 7), (3, 7, 8)]  # 1–4 is the beginning of a word that ends at 7
    assert shared_out([first, second]) == [[(1, 0, 1)], [(1, 1, 7), (3, 7, 8)]]


# The CRF and the dictionary


def test_the_sums_of_the_crf_are_those_over_all_sequences():
    rng, (first, after) = np.random.default_rng(3), legal(("A",))
    lengths = [3, 1, 4]
    scores, pairs = rng.normal(size=(8, 3)), after + rng.normal(size=(3, 3))
    order, rows = steps(lengths)
    logarithm, here, between = crf.chances(scores[order], rows, first, pairs)
    want, tags_there, pairs_there, at = 0.0, np.zeros((8, 3)), np.zeros((3, 3)), 0
    for n in lengths:
        sequences = [
            (tags, np.exp(total(scores[at : at + n], tags, first, pairs)))
            for tags in itertools.product(range(3), repeat=n)
        ]
        mass = sum(weight for _, weight in sequences)
        want += np.log(mass)
        for tags, weight in sequences:
            for i, tag in enumerate(tags):
                tags_there[at + i, tag] += weight / mass
            for pair in itertools.pairwise(tags):
                pairs_there[pair] += weight / mass
        at += n
    assert logarithm == pytest.approx(want)
    assert np.allclose(here, tags_there[order]) and np.allclose(between, pairs_there)


def test_the_crf_learns_what_stands_around_a_name():
    texts = [f"我去{place}玩" for place in ("北京", "上海", "广州", "南京")] + ["我去玩", "北风大"]
    spans = [[(2, 4, "LOC")]] * 4 + [[], []]
    learned = crf.CRF(("LOC",)).fit(texts, spans)
    assert learned.spans(["我去西安玩", "北风"]) == [[(2, 4, "LOC")], []]
    assert learned.parameters == learned.weights.size + 9


def test_the_dictionary_takes_the_longest_name_and_leaves_what_is_mostly_none():
    train = [
        Example("去北京大学", ((1, 5, "ORG"),)),
        Example("北京热", ((0, 2, "LOC"),)),
        Example("热热热", ((0, 1, "PER"),)),
    ]
    known = names_in(train)
    assert known == {"北京大学": "ORG", "北京": "LOC"}
    assert looked_up("北京大学在北京，热", known) == [(0, 4, "ORG"), (5, 7, "LOC")]
    assert looked_up("", known) == [] and looked_up("北", {}) == []
