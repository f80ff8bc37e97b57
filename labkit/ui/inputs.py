"""What a panel is given to work on: a corpus, and the line of code that stands for it."""

from pathlib import Path

from labkit.base.language import tr
from labkit.data import packaged
from labkit.data.corpus import Corpus
from labkit.data.loading import load_csv
from labkit.models.loading import PACKAGED
from labkit.tasks import Classification
from labkit.ui.controls import choice


def corpus_of(given: Corpus | str | Path | None) -> tuple[Corpus, str]:
    """The corpus, and how to get it in code: the packaged reviews or others by name, a file, or what the caller has already.

    >>> corpus_of(None)[1]
    'corpus = lk.reviews()'
    """
    if given is None:
        return packaged.reviews(), "corpus = lk.reviews()"
    if isinstance(given, str) and given in packaged.PACKAGED and not Path(given).exists():
        return packaged.PACKAGED[given](), f"corpus = lk.{given}()"
    if isinstance(given, Corpus):
        return given, tr("# corpus：给面板的那份数据，{}", "# corpus: the one that the panel was given, {}").format(
            given.name
        )
    return load_csv(given), f"corpus = lk.load_csv({str(given)!r})"


def load_line(model: str, corpus: Corpus | None, seed: int = 0) -> str:
    """The line of code that loads a fresh model for a corpus."""
    short = corpus is None or corpus.task == Classification(labels=corpus.labels)
    head = "labels=corpus.labels" if short else "task=corpus.task"
    return f'model = lk.load("{model}", {head}{f", seed={seed}" if seed else ""})'


def model_choice(model, label: str = ""):
    """The packaged models and the one that was asked for."""
    names = tuple(dict.fromkeys([*PACKAGED, str(model)]))
    return choice("model", names, str(model), label or tr("模型", "model"))
