"""`check`: the line under an answer. It says whether the answer is right, what is wrong with it, and, try by try, more.

The first failing call names the fault; each further one shows the next of three hints, and then where to read.
"""

from dataclasses import dataclass

from labkit_exercises.exercise import FAILED, PASSED, UNTOUCHED, Exercise, find, judge
from labkit_exercises.journal import entries, note, place

from labkit import tr


class Plain:
    """Errors that a notebook shows as one line, without the frames that led to them."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # asked for by IPython


class WrongAnswer(Plain, AssertionError):
    """The answer is not right yet: what is wrong with it was printed above."""


class NotBegun(Plain, NotImplementedError):
    """The answer is as it was handed out."""


@dataclass(frozen=True)
class Result:
    """What `check` found; its words were printed already. `passed` says whether the answer is right.

    >>> assert check("01.2", padding_share)
    ✓ 01.2 The share of padding: right.

    Such a line stops where the answer is wrong, with one sentence: a wrong result has no truth, asking for it raises.
    """

    id: str
    passed: bool
    text: str

    def __bool__(self) -> bool:
        if self.passed:
            return True
        raise WrongAnswer(
            tr(
                f"✗ {self.id} 还不对：改好上面的答案，运行它，再运行这一格。",
                f"✗ {self.id} is not right yet: change the answer above, run it, then run this cell again.",
            )
        )

    def __str__(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        """A notebook shows nothing more."""


def check(id: str, answer, seed: int | None = None) -> Result:
    """Judge the answer to an exercise, print what is found and note the try.

    >>> check("01.2", padding_share).passed
    ✓ 01.2 The share of padding: right.
    True

    An answer that still raises NotImplementedError is not begun: no try is counted, and NotBegun, which is one, is raised.
    Some of the cases are drawn anew at each call; `seed` repeats those of an earlier one.
    """
    task = find(id)
    outcome, finding = judge(task, answer, seed)
    if outcome == UNTOUCHED:
        raise NotBegun(tr(f"{id} {task.title}：还没开始。", f"{id} {task.title}: not begun yet."))
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
