"""The tasks, one file each: how rows become tensors and outputs become answers."""

from labkit.tasks.classification import TextClassification

__all__ = ["TextClassification"]
