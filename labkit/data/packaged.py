"""The small data sets that come with labkit, by name: a corpus each, in one call and without a network."""

import dataclasses

from labkit.base.files import ASSETS
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Raw, Table
from labkit.data.arrays import arrays_in
from labkit.data.corpus import Corpus
from labkit.data.loading import build_corpus, load_csv
from labkit.data.tables import read_table
from labkit.tasks import Classification, Generation, QuestionAnswering, Tagging, Task, Transcription


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


def slips(limit: int | None = None, seed: int = 0) -> Corpus:
    """The packaged order slips: questions on what stands on them, Chinese, written by a program (tools/make_slips.py). Their
    splits are fixed: a quarter of the test rows ask in wordings that no other row has (`extra["wording"]`).

    >>> slips().test[0].extra["wording"]
    'unseen'
    """
    return fixed("slips", QuestionAnswering, limit, seed)


def names(limit: int | None = None, seed: int = 0) -> Corpus:
    """The packaged names: short texts with persons, places, organisations and products marked, Chinese, written by a program
    (tools/make_names.py), with an English gloss. Their splits are fixed: no name of the test rows stands in another split, and
    7 of 10 test rows have patterns that no other has (`extra["pattern"]`).

    >>> names().labels
    ('LOC', 'ORG', 'PER', 'PROD')
    """
    return fixed("names", Tagging, limit, seed)


def instructions(limit: int | None = None, seed: int = 0, *, unseen: bool = False) -> Corpus:
    """The packaged instructions: reviews under a question each, with answers in a fixed form, Chinese (written by
    tools/make_instructions.py). Their splits are fixed. With `unseen` the test rows are the same reviews under the same
    questions, worded as no training row is.

    >>> instructions().test[0].target
    '情感：正面'
    """
    return fixed("instructions", Generation, limit, seed, test="unseen" if unseen else "test")


def commands(limit: int | None = None, seed: int = 0, *, language: str = "en") -> Corpus:
    """The packaged digits, spoken by a program (espeak-ng, tools/make_commands.py) in English, or in German with
    language="de": 70 clips to train on (German: 40), said by other voices than the rest (`extra["speaker"]`).

    >>> commands(language="de")
    Corpus('commands': train 40, valid 20, test 50 rows; labels zero, one, two, three, four, five, six, seven, eight, nine; dropped: none)
    """
    form = {"text": "audio", "label": "label"}
    table = read_table(ASSETS / "commands.npz", form)
    table = dataclasses.replace(table, rows=[r for r in table.rows if r.cells["language"] == language])
    if not table.rows:
        raise BadInput(
            tr(f"language={language!r} 不行；可选：en, de。", f"language={language!r} won't do; choose from: en, de.")
        )
    return in_splits("commands", Classification, table, form, limit, seed)


def doodles(limit: int | None = None, seed: int = 0) -> Corpus:
    """The packaged doodles: eight things drawn by forty hands, 48 x 48 pixels in grey, made by a program (tools/make_doodles.py).
    Their splits are fixed: no hand (`extra["drawer"]`) stands in two of them.

    >>> doodles().labels
    ('boat', 'cup', 'fish', 'flower', 'house', 'key', 'sun', 'tree')
    """
    form = {"text": "image", "label": "label"}
    return in_splits("doodles", Classification, read_table(ASSETS / "doodles.npz", form), form, limit, seed)


def phrases(limit: int | None = None, seed: int = 0, *, language: str = "de", to: str = "zh") -> Corpus:
    """The packaged numbers from 0 to 99, spoken by a program (espeak-ng, tools/make_clips.py), with their text in Chinese, or in
    the language that is spoken with `to=language`. 360 German clips to train on, 90 English, four of each other language (en,
    fr, es, nl, ru, zh). No voice of test rows stands in another split, and a third of them are numbers that no training row of
    the language says (`extra["number"]` is "never").

    >>> phrases().test[0].extra["number"]
    'heard'
    """
    arrays = arrays_in(ASSETS / "phrases.npz")
    there = sorted(set(arrays["language"].tolist()))
    if language not in there or to not in ("zh", language):
        raise BadInput(
            tr(
                f"language={language!r}、to={to!r} 不行：language 可选 {listing(there)}，to 可选 zh 或同一种语言。",
                f"language={language!r}, to={to!r} won't do: language is one of {listing(there)}, to is zh or the same.",
            )
        )
    columns = ("split", "speaker", "number")
    mine = [i for i, spoken in enumerate(arrays["language"].tolist()) if spoken == language]
    said = arrays["text" if to == language else "chinese"]
    rows = [
        Raw({"audio": clip, "text": str(said[i]), "language": to, **{k: str(arrays[k][i]) for k in columns}}, i + 1)
        for i, clip in zip(mine, Transcription().modality.packed_clips(arrays, mine), strict=True)
    ]
    form = {"audio": "audio", "text": "text"}
    table = Table("phrases", rows, (*form, "language", *columns), inputs="audio")
    return in_splits("phrases", Transcription, table, form, limit, seed)


def fixed(name: str, kind: type[Task], limit: int | None, seed: int, test: str = "test") -> Corpus:
    """A packaged file whose rows say of themselves in which split they stand; `test` is what its test rows say."""
    return in_splits(name, kind, read_table(ASSETS / f"{name}.jsonl", kind.columns), kind.columns, limit, seed, test)


def in_splits(
    name: str, kind: type[Task], table: Table, form: dict, limit: int | None, seed: int, test: str = "test"
) -> Corpus:
    """The same of rows that are read already."""
    parts = {"train": "train", "valid": "valid", "test": test}
    rows = {split: [r for r in table.rows if r.cells["split"] == part] for split, part in parts.items()}
    tables = {split: dataclasses.replace(table, rows=found) for split, found in rows.items()}
    return build_corpus(name, kind, tables, form, labels=None, shares={}, seed=seed, limit=limit)


# by the name that the command and the panels take
PACKAGED = {
    "commands": commands,
    "doodles": doodles,
    "instructions": instructions,
    "names": names,
    "phrases": phrases,
    "reviews": reviews,
    "slips": slips,
}
