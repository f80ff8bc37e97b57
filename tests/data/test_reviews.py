"""The packaged reviews are real enough to learn from, hard enough to be worth it, and told apart from one another."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import labkit as lk

FILE = Path(lk.__file__).parent / "assets" / "reviews.csv"
DOMAINS = {"film", "takeaway", "hotel", "book", "phone", "clothes"}


@pytest.fixture(scope="module")
def rows():
    with open(FILE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def classifier():
    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2),
        LogisticRegression(C=10, max_iter=2000),
    )


def test_there_are_enough_and_every_field_is_filled(rows):
    assert len(rows) >= 1200
    assert list(rows[0]) == ["text", "label", "domain", "gloss"]
    assert [r for r in rows if not all(map(str.strip, r.values())) or None in r.values()] == []
    assert {r["label"] for r in rows} == {"0", "1"} and {r["domain"] for r in rows} == DOMAINS


def test_classes_and_domains_are_balanced(rows):
    cells = Counter((r["domain"], r["label"]) for r in rows)
    even = len(rows) / 12
    assert all(0.95 * even <= cells[d, label] <= 1.05 * even for d in DOMAINS for label in "01")


def test_lengths_are_5_to_200_characters_and_say_nothing_about_the_label(rows):
    lengths = {label: [len(r["text"]) for r in rows if r["label"] == label] for label in "01"}
    assert all(5 <= n <= 200 for found in lengths.values() for n in found)
    mean = {label: sum(found) / len(found) for label, found in lengths.items()}
    assert abs(mean["0"] / mean["1"] - 1) < 0.15


def test_texts_are_clean_chinese_and_glosses_are_english(rows):
    for r in rows:
        assert r["text"] == r["text"].strip() and "\n" not in r["text"] and "\ufffd" not in r["text"], r
        assert any("\u4e00" <= c <= "\u9fff" for c in r["text"]), r
        assert not any("\u4e00" <= c <= "\u9fff" for c in r["gloss"]) and len(r["gloss"].split()) >= 2, r


def test_no_two_rows_are_near_copies(rows):
    features = TfidfVectorizer(analyzer="char", ngram_range=(3, 3)).fit_transform(r["text"] for r in rows)
    alike = (features @ features.T).tocoo()
    pairs = [
        (rows[i]["text"], rows[j]["text"])
        for i, j, cosine in zip(alike.row, alike.col, alike.data, strict=True)
        if i < j and cosine > 0.8
    ]
    assert pairs == []


def test_the_loader_drops_nothing(rows):
    corpus = lk.reviews()
    assert corpus.dropped == () and sum(map(len, corpus.splits.values())) == len(rows)
    assert corpus.labels == ("negative", "positive") and corpus.name == "reviews"
    assert {r.extra["domain"] for r in corpus.test} == DOMAINS and all(r.extra["gloss"] for r in corpus.test)


def test_the_cheap_baseline_learns_them_but_not_perfectly(rows):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    accuracy = cross_val_score(classifier(), [r["text"] for r in rows], [r["label"] for r in rows], cv=folds).mean()
    assert 0.75 <= accuracy <= 0.92


@pytest.mark.parametrize("name", ["waimai_test.csv", "hotels_test.csv"])
def test_what_is_learned_from_them_holds_for_other_peoples_reviews(rows, shared, name):
    with open(shared / name, encoding="utf-8-sig", newline="") as file:
        others = list(csv.DictReader(file))
    model = classifier().fit([r["text"] for r in rows], [r["label"] for r in rows])
    assert model.score([r["text"] for r in others], [r["label"] for r in others]) >= 0.72
