"""labkit: learn to fine-tune pretrained models by doing it.

The public names, each resolved when it is first used (PEP 562), so that `import labkit` costs nothing.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Corpus": "data",
    "load_csv": "data",
    "load_hub": "data",
    "reviews": "data",
    "load": "models",
    "save": "models",
    "blocks": "models",
    "Full": "strategies",
    "HeadOnly": "strategies",
    "TopK": "strategies",
    "OnlyBlocks": "strategies",
    "GradualUnfreeze": "strategies",
    "BitFit": "strategies",
    "LoRA": "strategies",
    "PrefixTuning": "strategies",
    "PTuningV2": "strategies",
    "Adapter": "strategies",
    "trainable_map": "anatomy",
    "watch": "anatomy",
    "TrainConfig": "training",
    "Trainer": "training",
    "LiveHead": "livehead",
    "StepDone": "records",
    "EpochDone": "records",
    "Notice": "records",
    "Run": "records",
    "Scores": "records",
    "BadInput": "records",
    "predict": "evaluation",
    "evaluate": "evaluation",
    "worst": "evaluation",
    "attribute": "explain",
    "forgetting_of": "forgetting",
    "masked_lm_loss": "forgetting",
    "L2SP": "forgetting",
    "Replay": "forgetting",
    "compare": "comparison",
    "baseline": "comparison",
    "majority": "comparison",
    "runs_in": "comparison",
    "table": "tables",
    "verdict": "judging",
    "verdicts": "judging",
    "when_to_freeze": "sizes",
    "surface": "mountains",
    "surfaces": "mountains",
    "optimizer": "landscape",
    "trace": "landscape",
    "traces": "landscape",
    "slice_loss": "slices",
    "path_plane": "planes",
    "record_path": "planes",
    "compare_configs": "tuning",
    "optimizer_grid": "tuning",
    "preflight": "forecast",
    "find_lr": "rates",
    "diagnose": "diagnosis",
    "about": "lesson",
    "equipment": "lesson",
    "check": "exercises",
    "progress": "exercises",
    "report": "exercises",
    "language": "text",
    "tr": "text",
}
_MODULES = ("plots", "tasks", "ui")

__all__ = [*sorted(_HOME), *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"labkit.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"labkit.{_HOME[name]}"), name)
    raise AttributeError(f"labkit has no {name!r}; it has: {', '.join(__all__)}")


def __dir__():
    return __all__
