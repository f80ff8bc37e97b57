"""What is asked of an input, one file a task: how rows become batches, outputs answers, and answers scores."""

from labkit.base.display import title_of
from labkit.tasks.classification import Classification, TextClassification
from labkit.tasks.contract import KNOWN, Baseline, Batch, Metric, Task, known, task_of
from labkit.tasks.generation import Generation
from labkit.tasks.multi_label import MultiLabel
from labkit.tasks.question_answering import QuestionAnswering
from labkit.tasks.tagging import Tagging
from labkit.tasks.transcription import Transcription

__all__ = [
    "KNOWN",
    "Baseline",
    "Batch",
    "Classification",
    "Generation",
    "Metric",
    "MultiLabel",
    "QuestionAnswering",
    "Tagging",
    "Task",
    "TextClassification",
    "Transcription",
    "known",
    "task_of",
    "title_of",
]
