"""`check`: the line under an answer. It says whether the answer is right, what is wrong with it, and, try by try, more.

The first failing call names the fault; each further one shows the next of three hints, and then where to read.
"""

from dataclasses import dataclass

from labkit_exercises.exercise import FAILED, PASSED, UNTOUCHED, Exercise, find, judge
from labkit_exercises.journal import entries, note, place

from labkit import tr


@dataclass(frozen=True)
class Result:
    """True where the answer is right, so that a cell can say `assert check(...)`; the words were printed already."""

    id: str
    passed: bool
    text: str

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        """A notebook shows nothing more."""


def check(id: str, answer) -> Result:
    """Judge the answer to an exercise, print what is found and note the try.

    >>> assert check("01.2", padding_share)
    ✓ 01.2 The share of padding: right.

    An answer that still raises NotImplementedError is not begun: no try is counted, and the error passes through.
    """
    task = find(id)
    outcome, finding = judge(task, answer)
    if outcome == UNTOUCHED:
        raise NotImplementedError(tr(f"{id} {task.title}：还没开始。", f"{id} {task.title}: not begun yet.")) from None
    trouble = note(id, outcome)
    text = worded(task, outcome, finding)
    if trouble:
        text += "\n" + tr(
            f"（进度没有存下：{place().name}，{trouble}。可用环境变量 LABKIT_PROGRESS 换一个位置。）",
            f"(Progress was not kept: {place().name}, {trouble}. Set LABKIT_PROGRESS to another place.)",
        )
    print(text)
    return Result(id, outcome == PASSED, text)


def worded(task: Exercise, outcome: str, finding: str) -> str:
    """The whole message: verdict, finding, and the hints that the tries so far have earned."""
    if outcome == PASSED:
        return tr(f"✓ {task.id} {task.title}：正确。", f"✓ {task.id} {task.title}: right.")
    earlier = sum(t["id"] == task.id and t["outcome"] == FAILED for t in entries()) - 1
    lines = [f"✗ {task.id} {task.title}", finding]
    lines += [tr(f"提示 {i}：", f"Hint {i}: ") + hint for i, hint in enumerate(task.hints[:earlier], start=1)]
    if earlier > len(task.hints):
        lines.append(tr("去读：", "Read: ") + task.read)
    return "\n".join(lines)
