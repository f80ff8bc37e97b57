"""What labkit's objects look like in a notebook: whole, escaped, in the chosen language, small."""

import re
from html.parser import HTMLParser

import pytest
import toys

from labkit.base.display import Html, scores_html, table_html
from labkit.base.records import ClassScore, Example, Measure, Scores
from labkit.base.svg import histogram
from labkit.data.corpus import Corpus, Dropped
from labkit.data.describe import corpus_html
from labkit.tasks.classification import Prediction
from labkit.training.evaluation import Mistake, Mistakes, Predictions

EVIL = "<script>alert('&')</script>"


class Page(HTMLParser):
    """The cells of every table row, the tags met, and whether each tag was closed."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.tags, self.open, self.text = [], [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def page(html):
    found = Page(html)
    assert found.open == [] and "script" not in found.tags
    return found


def corpus(classes=2, **more):
    rows = tuple(Example(f"{EVIL}{i}" + "好" * i, i % classes) for i in range(8 * classes))
    names = tuple(f"{EVIL}{c}" for c in range(classes))
    return Corpus(EVIL, rows, rows[: 2 * classes], rows[: 4 * classes], names, **more)


def test_a_corpus_shows_counts_balance_lengths_examples_and_what_was_dropped():
    shown = page(corpus_html(corpus(dropped=(Dropped("empty", 3, ()), Dropped("leak", 1, ("x",))))))
    assert shown.rows[:4] == [
        ["label", "train", "validation", "test"],
        [f"{EVIL}0", "8 (50%)", "2 (50%)", "4 (50%)"],
        [f"{EVIL}1", "8 (50%)", "2 (50%)", "4 (50%)"],
        ["total", "16", "4", "8"],
    ]
    assert shown.rows[4:] == [
        ["examples", "label"],
        *([f"{EVIL}{i}" + "好" * i, f"{EVIL}{i % 2}"] for i in (0, 2, 1, 3)),
    ]
    assert "img" in shown.tags and "Rows dropped: without text 3, also in another split 1" in shown.text


def test_a_corpus_shows_itself_in_chinese(monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", "zh")
    shown = page(corpus()._repr_html_())
    assert (
        shown.rows[0] == ["标签", "训练", "验证", "测试"] and "去掉的行：无" in shown.text and "文本长度" in shown.text
    )


def test_every_reason_for_dropping_has_words():
    reasons = ("empty", "duplicate", "conflict", "leak", "unlabelled")
    text = page(corpus_html(corpus(dropped=tuple(Dropped(r, 7, ()) for r in reasons)))).text
    assert text.count(" 7") == len(reasons) and not any(f"{r} 7" in text for r in reasons)


def test_many_classes_stay_readable():
    shown = page(corpus_html(corpus(classes=100)))
    end = next(i for i, row in enumerate(shown.rows) if row[0] == "total")
    assert end <= 13 and shown.rows[end - 1][0] == "89 more" and shown.rows[end - 1][1] == "712 (89%)"
    assert len(shown.rows) < 25 and len(corpus_html(corpus(classes=100))) < 20_000


def test_readers_of_english_get_the_gloss_where_there_is_one(monkeypatch):
    rows = tuple(Example(f"好{i}", i % 2, {"gloss": f"good {i}"}) for i in range(4))
    made = Corpus("x", rows, rows, rows, ("no", "yes"))
    assert ["好0", "good 0", "no"] in page(corpus_html(made)).rows
    monkeypatch.setenv("LABKIT_LANG", "zh")
    assert ["好0", "no"] in page(corpus_html(made)).rows


def test_long_texts_are_cut_and_a_corpus_without_training_rows_shows_too():
    rows = (Example("长" * 500, 0), Example("短", 1))
    shown = page(corpus_html(Corpus("x", rows, rows, rows, ("a", "b"))))
    assert ["长" * 119 + "…", "a"] in shown.rows
    assert "total" in page(corpus_html(Corpus("x", (), (), (), ("a", "b")))).text


@pytest.mark.parametrize("values", [[0], [5], [1, 1, 1], list(range(1000)), [3] * 99 + [10_000], [200, 201]])
def test_a_histogram_counts_every_value_once(values):
    svg = histogram(values, "lengths", "characters", size=(880, 280))
    bars = re.findall(r'<rect [^>]* width="([-\d.]+)" height="([-\d.]+)"[^>]*><title>[^:]*: ([\d,]+)</title>', svg)
    wide, high, counts = ([float(v.replace(",", "")) for v in column] for column in zip(*bars, strict=True))
    assert sum(counts) == len(values) and len(counts) <= 31 and max(high) == 190 and min(high) >= 0
    assert all(w > 0 for w in wide)


def test_a_table_keeps_numbers_right_words_left_and_wraps_only_long_texts():
    html = table_html(["text", "label", "n"], [["x" * 30, "no", 3]], left=2)
    assert re.findall(r'<td class="([^"]*)"', html) == ["t w", "t", ""]


def test_scores_mistakes_and_predictions_are_escaped_and_rounded():
    metrics = {"accuracy": Measure(0.75, 0.301, 0.954), "macro_f1": Measure(0.733)}
    scores = Scores(4, 0.5, metrics, (ClassScore(EVIL, 2, 1, 0.5, 2 / 3),), ((1, 1), (0, 2)))
    shown = page(scores_html(scores))
    assert shown.rows[1] == [EVIL, "1.000", "0.500", "0.667", "2"]
    assert "accuracy 0.750 (95 %: 0.301–0.954, n = 4) · macro-F1 0.733" in shown.text
    mistakes = Mistakes([Mistake(Example(EVIL, 0), "no", EVIL, 4.321, 0.987)])
    assert page(mistakes._repr_html_()).rows[1] == [EVIL, "no", EVIL, "0.99", "4.32"]
    assert page(Predictions([Prediction(EVIL, "yes", 0.912, {})])._repr_html_()).rows[1] == [EVIL, "yes", "0.91"]


def test_a_table_shows_what_is_html_already_and_escapes_the_rest():
    html = table_html(["picture", "label"], [[Html("<img alt='x'>"), "<b>"]], left=2)
    assert "<img alt='x'>" in html and "&lt;b&gt;" in html


def test_a_corpus_without_classes_shows_rows_lengths_and_examples():
    shown = page(corpus_html(toys.regression(48)))
    assert shown.rows[:2] == [["", "train", "validation", "test"], ["total", "48", "12", "12"]]
    first = toys.regression(48).train[0]
    assert shown.rows[2] == ["examples", "target"] and len(shown.rows) == 7
    assert shown.rows[3] == [" ".join(f"{x:g}" for x in first.input), str(first.target)]
    assert "Input length (training rows, median" in shown.text and "numbers" in shown.text
