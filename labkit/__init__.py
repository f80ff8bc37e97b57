"""labkit: learn to fine-tune pretrained models by doing it.

The public names, each resolved when it is first used (PEP 562), so that `import labkit` costs nothing.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Corpus": "data.corpus",
    "load_csv": "data.loading",
    "load_data": "data.loading",
    "load_hub": "data.loading",
    "commands": "data.packaged",
    "doodles": "data.packaged",
    "names": "data.packaged",
    "reviews": "data.packaged",
    "instructions": "data.packaged",
    "phrases": "data.packaged",
    "slips": "data.packaged",
    "batch_order": "data.batching",
    "padding_share": "data.batching",
    "same_text": "modalities.text",
    "load": "models.loading",
    "save": "models.loading",
    "locate": "models.loading",
    "quiet": "models.loading",
    "load_masked_lm": "models.language_head",
    "blocks": "models.families",
    "block_words": "models.families",
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
    "Strategy": "strategies",
    "train_only": "strategies",
    "trainable_map": "inspection.trainable_map",
    "watch": "inspection.trainable_map",
    "TrainConfig": "base.config",
    "Trainer": "training.trainer",
    "LiveHead": "training.live_head",
    "lr_factor": "training.optimizers",
    "Example": "base.records",
    "StepDone": "base.records",
    "EpochDone": "base.records",
    "Notice": "base.records",
    "Run": "base.records",
    "Scores": "base.records",
    "load_run": "base.files",
    "save_run": "base.files",
    "BadInput": "base.records",
    "RunFolder": "training.folder",
    "train_into": "training.folder",
    "predict": "training.evaluation",
    "generate": "models.generating",
    "transcribe": "models.hearing",
    "evaluate": "training.evaluation",
    "worst": "training.evaluation",
    "attribute": "inspection.attribution",
    "alignment": "inspection.listening",
    "swap_audio": "inspection.listening",
    "forgetting_of": "inspection.forgetting",
    "masked_lm_loss": "inspection.forgetting",
    "L2SP": "strategies.retaining",
    "Replay": "strategies.retaining",
    "Distill": "strategies.retaining",
    "Rehearsal": "strategies.rehearsing",
    "compare": "comparison.compare",
    "baseline": "comparison.baselines",
    "majority": "comparison.baselines",
    "claims": "comparison.claims",
    "runs": "comparison.shipped",
    "runs_in": "comparison.compare",
    "table": "comparison.table",
    "verdict": "comparison.verdict",
    "verdicts": "comparison.verdict",
    "wilson": "base.statistics",
    "when_to_freeze": "comparison.sizes",
    "surface": "landscape.surfaces",
    "surfaces": "landscape.surfaces",
    "optimizer": "landscape.walk",
    "trace": "landscape.walk",
    "traces": "landscape.walk",
    "slice_loss": "landscape.slices",
    "path_plane": "landscape.planes",
    "record_path": "landscape.planes",
    "search": "comparison.search",
    "recommend": "comparison.recommend",
    "compare_configs": "comparison.configs",
    "optimizer_grid": "comparison.configs",
    "preflight": "inspection.forecast",
    "find_lr": "inspection.lr_finder",
    "diagnose": "inspection.doctor",
    "export": "deploy.export",
    "prune": "deploy.compress",
    "drop_layers": "models.slimming",
    "compress_compare": "comparison.compressed",
    "serve": "ui.serving",
    "drift": "deploy.drift",
    "about": "labkit_exercises.notebook",
    "equipment": "labkit_exercises.notebook",
    "expect": "labkit_exercises.notebook",
    "guess": "labkit_exercises",
    "scored": "labkit_exercises",
    "check": "labkit_exercises",
    "progress": "labkit_exercises",
    "report": "labkit_exercises",
    "language": "base.language",
    "tr": "base.language",
    "listing": "base.language",
}
_MODULES = {  # whole modules that are public
    "plots": "plots",
    "tasks": "tasks",
    "ui": "ui",
    "display": "base.display",
    "files": "base.files",
    "machine": "base.machine",
    "memory": "base.memory",
}

__all__ = [*sorted(_HOME), *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"labkit.{_MODULES[name]}")
    if name in _HOME:
        home = _HOME[name]
        return getattr(importlib.import_module(home if home.startswith("labkit_") else f"labkit.{home}"), name)
    raise AttributeError(f"labkit has no {name!r}; it has: {', '.join(__all__)}")


def __dir__():
    return __all__
