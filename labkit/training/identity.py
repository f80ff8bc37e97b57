"""What makes two runs the same run: one rule for checkpoints, for folders of `labkit train`, and for comparisons."""

from dataclasses import asdict
from typing import Any

from labkit.base.config import TrainConfig
from labkit.base.language import listing, tr
from labkit.base.records import to_json
from labkit.data.corpus import Corpus
from labkit.models.loading import weights_digest
from labkit.strategies import Strategy, name_of, settings_of
from labkit.strategies.retaining import Retainer, retainer_name, retainer_settings


def run_name(strategy: Strategy, retain: Retainer | None = None) -> str:
    """What tables call a run.

    >>> run_name(TopK(2)), run_name(Full(), L2SP())
    ('top-2', 'full+l2sp')
    """
    return name_of(strategy) + (f"+{retainer_name(retain)}" if retain else "")


def identity(strategy: Strategy, config: TrainConfig, corpus: str, model: str, retain: Retainer | None = None) -> dict:
    """All that decides a run's numbers, as plain values: equal identities are the same run.

    >>> from labkit.models.loading import weights_digest
    >>> identity(HeadOnly(), TrainConfig(seed=1), corpus.fingerprint, weights_digest("tiny-bert-zh"))["strategy"]
    {'name': 'head', 'pooler': True}

    `model` is a hash of weights: of the files that they come from, or of the tensors in memory before the first step.
    """
    return to_json(
        {
            "strategy": {"name": name_of(strategy), **settings_of(strategy)},
            "retain": retainer_settings(retain),
            "config": asdict(config),
            "corpus": corpus,
            "model": model,
        }
    )


def identity_asked(
    strategy: Strategy, config: TrainConfig, corpus: Corpus, source, retain: Retainer | None = None
) -> dict:
    """The identity of a run that is still to be done, on a model by its name or folder."""
    return identity(strategy, config, corpus.fingerprint, weights_digest(source), retain)


def differences(wanted: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """In what two identities differ, in words; settings by their names.

    >>> differences({"config": {"lr": 1e-3}, "model": "a"}, {"config": {"lr": 1e-4}, "model": "a"})
    ['config (lr)']
    """
    words = {
        "strategy": tr("策略", "strategy"),
        "retain": tr("防遗忘方法", "retainer"),
        "config": tr("训练设置", "config"),
        "corpus": tr("数据", "corpus"),
        "model": tr("模型", "model"),
    }
    unequal = []
    for key, word in words.items():
        here, there = wanted.get(key), stored.get(key)
        if here != there:
            both = isinstance(here, dict) and isinstance(there, dict)
            fields = [k for k in here if here[k] != there.get(k)] if both else []
            unequal.append(f"{word} ({listing(fields)})" if fields else word)
    return unequal
