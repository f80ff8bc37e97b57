"""The small data sets that come with labkit, by name: a corpus each, in one call and without a network."""

import dataclasses

from labkit.base.files import ASSETS
from labkit.data.corpus import Corpus
from labkit.data.loading import load_csv


def reviews(limit: int | None = None, seed: int = 0) -> Corpus:
    """The packaged reviews: Chinese, written for labkit, six domains, negative or positive, with an English gloss.

    >>> reviews().labels
    ('negative', 'positive')
    """
    corpus = load_csv(
        ASSETS / "reviews.csv",
        labels={"0": "negative", "1": "positive"},
        test_share=0.2,
        valid_share=0.1,
        seed=seed,
        limit=limit,
    )
    return dataclasses.replace(corpus, name="reviews")


PACKAGED = {"reviews": reviews}  # by the name that the command and the panels take
