"""Have a model write down what is said: one clip or many, in a language of its choice, with one beginning at a time or several."""

from collections.abc import Sequence
from typing import Any

from labkit.base.config import checked_number
from labkit.base.language import tr
from labkit.base.records import BadInput, Example
from labkit.models.state import asking, device_of
from labkit.tasks import Transcription

ROWS = 32  # clips at a time


def transcribe(model, clips: Any, *, language: str = "", beams: int = 1) -> Any:
    """The text of a clip (samples, a path, or samples with their rate); of a list of clips a list.

    >>> english = lk.phrases(language="en")
    >>> model = lk.load("tiny-speech", task=english.task)
    >>> transcribe(model, english.test[0].input), english.test[0].target       # in Chinese, as the task says
    ('五十八', '五十八')
    >>> transcribe(model, [e.input for e in english.test[1:3]], language="en", beams=4)
    ['twenty two', ...]

    With `beams` that many beginnings are kept at each step and the likeliest text is given; with one, the likeliest letter each
    time (greedy).
    """
    checked_number("beams", beams, 1, 64, whole=True)
    task = model.task
    if not isinstance(task, Transcription):
        raise BadInput(
            tr(
                f"这个模型的任务是 {task.name}：请以 task=lk.tasks.Transcription() 载入会写的语音模型，如 tiny-speech。",
                f"This model's task is {task.name}: load a speech model that writes, such as tiny-speech, with "
                "task=lk.tasks.Transcription().",
            )
        )
    given = clips if isinstance(clips, list) else [clips]
    inputs = [task.modality.accept(x) for x in given]
    task.check_inputs(inputs)
    examples = [Example(x, extra={"language": language} if language else {}) for x in inputs]
    texts = []
    with asking(model):
        for start in range(0, len(examples), ROWS):
            texts += written(model, examples[start : start + ROWS], beams)
    return texts if isinstance(clips, list) else texts[0]


def written(model, examples: Sequence[Example], beams: int) -> list[str]:
    task = model.task
    items = [item | {"asked": True} for item in task.encode(model.processor, examples, 0)]
    batch = task.collate(model.processor, items).to(device_of(model))
    if model.processor.ctc:
        return task.answers(model(**batch.inputs), batch, beams)
    return task.go_on(model, batch, [None] * len(items), beams)
