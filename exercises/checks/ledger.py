"""The prediction ledger: `guess` before an experiment, `scored` after it. A guess is locked once it is given.

It stands in the journal beside the exercises: a line a guess, a line for what came out. The guess that a notebook's source
holds is ours and is not kept: it lets the notebook run from top to bottom, and counts for nobody.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from labkit_exercises.journal import keep, place, records
from labkit_exercises.questions import SURE, Question, place_of, questions

import labkit as lk
from labkit import BadInput, listing, tr

_seen: dict[str, Any] = {}  # what came out in this session, of our guesses as well


@dataclass(frozen=True)
class Guess:
    """One guess as it is kept, and what came out; `late` says that it was given after the result had been seen."""

    id: str
    low: float | None
    high: float | None
    choice: str | None
    sure: float
    at: str = ""
    late: bool = False
    came: float | str | None = None

    @property
    def held(self) -> bool | None:
        """Whether what came out lies inside, both ends included; None where nothing has come out."""
        if self.came is None:
            return None
        return self.came == self.choice if self.choice is not None else self.low <= self.came <= self.high

    @property
    def counts(self) -> bool:
        return self.held is not None and not self.late

    @property
    def told(self) -> str:
        """ "2 to 8", or what the option is called."""
        if self.choice is not None:
            asked = questions().get(self.id)
            return asked.called(self.choice) if asked else self.choice
        return tr(f"{self.low:g} 到 {self.high:g}", f"{self.low:g} to {self.high:g}")

    @property
    def value(self) -> tuple[float, float] | str:
        return self.choice if self.choice is not None else (self.low, self.high)

    def same(self, other: "Guess") -> bool:
        return (self.low, self.high, self.choice, self.sure) == (other.low, other.high, other.choice, other.sure)


def guess(
    id: str,
    low: float | str | None = None,
    high: float | None = None,
    *,
    choice: str | None = None,
    sure: float | None = None,
    anew: bool = False,
) -> Any:
    """Say what will come out, before it does: an interval and how sure you are of it, or one of some options.

    >>> guess("13.2", 1, 3)                                  # 80 % sure that it lies between the two
    13.2 locked: 1 to 3, 80% sure
    >>> guess("99.1", choice="head", sure=0.6)
    >>> guess("13.2")                                        # without a guess: a panel with a slider

    Once given it is locked; `anew=True` begins anew. BadInput where the ends are turned around or an option is unknown.
    """
    if isinstance(low, str):
        low, choice = None, low
    asked = questions().get(id)
    if low is None and high is None and choice is None:
        return ask(id, asked)
    given = checked(id, asked, low, high, choice, sure)
    if asked is not None and given.same(ours(asked)):
        print(taken_as_ours(given, book().get(id)))
    else:
        print(lock(given, anew))


def ask(id: str, asked: Question | None) -> Any:
    """The panel in which a guess is given; without widgets, how to give one."""
    if asked is None:
        raise BadInput(
            tr(
                f"笔记里没有猜测 {id!r}，面板不知道范围。请直接写两个数：lk.guess({id!r}, 低, 高)。",
                f"No notebook has a guess {id!r}, so a panel would not know its range. Give two numbers: "
                f"lk.guess({id!r}, low, high).",
            )
        )
    kept, ours_now = book().get(id), ours(asked)
    start = (kept or ours_now).value
    try:
        return lk.ui.Guess(
            id,
            asked.words,
            lambda value, sure: lock(given_in_panel(asked, value, sure)),
            start=start,
            within=asked.within,
            step=asked.step,
            options={key: asked.called(key) for key in asked.options},
            said=lock(kept) if kept else "",
        )
    except ImportError:
        print(tr(f"{asked.words}？写成 {call(ours_now)}。", f"{asked.words}? Write {call(ours_now)}."))


def given_in_panel(asked: Question, value, sure: float) -> Guess:
    low, high, choice = (None, None, value) if asked.options else (*value, None)
    return Guess(asked.id, low, high, choice, sure, now())


def checked(id: str, asked: Question | None, low, high, choice, sure) -> Guess:
    """The guess that was given, as it is kept."""
    sure = SURE if sure is None else number("sure", sure)
    if not 0 < sure < 1:
        raise BadInput(
            tr(
                f"sure={sure:g} 不行：要一个 0 和 1 之间的数，0.8 就是八成把握。",
                f"sure={sure:g} won't do: a number between 0 and 1 is wanted, 0.8 for 80 % sure.",
            )
        )
    if choice is not None:
        if asked is not None and choice not in asked.options:
            known = listing(asked.options, 20) or tr("两个数", "two numbers")
            raise BadInput(
                tr(f"{id} 没有选项 {choice!r}；可以写：{known}。", f"{id} has no option {choice!r}; accepted: {known}.")
            )
        return Guess(id, None, None, str(choice), sure, now())
    if asked is not None and asked.options:
        known = listing(asked.options, 20)
        raise BadInput(
            tr(f"{id} 是选择题，写 choice=…；选项：{known}。", f"{id} is a choice: write choice=…, one of {known}.")
        )
    if low is None or high is None or (low := number("low", low)) > (high := number("high", high)):
        raise BadInput(
            tr(
                f"猜测是一个区间，写两个数，先低后高，如 lk.guess({id!r}, 0.7, 0.8)；收到的是 {low!r} 和 {high!r}。",
                f"A guess is an interval: two numbers, the low one first, as lk.guess({id!r}, 0.7, 0.8); it got {low!r} and {high!r}.",
            )
        )
    return Guess(id, low, high, None, sure, now())


def number(name: str, value) -> float:
    try:
        value = float(value)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(tr(f"{name} 要一个数。", f"{name} wants a number."))
    return value


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def ours(asked: Question) -> Guess:
    """The guess that stands in the notebook's source."""
    low, high = (None, None) if asked.options else asked.default
    return Guess(asked.id, low, high, asked.default if asked.options else None, SURE)


def call(given: Guess, anew: bool = False) -> str:
    """The line of code that gives this guess."""
    values = [f"choice={given.choice!r}"] if given.choice is not None else [f"{given.low:g}", f"{given.high:g}"]
    values += [f"sure={given.sure:g}"] * (given.sure != SURE) + ["anew=True"] * anew
    return f"lk.guess({', '.join([repr(given.id), *values])})"


def taken_as_ours(given: Guess, kept: Guess | None) -> str:
    """The words where the source's own guess was run."""
    if kept is not None:
        return tr(
            f"{given.id} 已锁定你的猜测：{kept.told}，把握 {kept.sure:.0%}",
            f"{given.id} is locked at your guess: {kept.told}, {kept.sure:.0%} sure",
        )
    return tr(
        f"{given.id} 我们先猜 {given.told}；换成你的，才记账",
        f"{given.id} our guess: {given.told}; put yours, and it counts",
    )


def lock(given: Guess, anew: bool = False) -> str:
    """Keep a guess where it may still be given, and say what became of it."""
    kept = book().get(given.id)
    sure = tr(f"{given.told}，把握 {given.sure:.0%}", f"{given.told}, {given.sure:.0%} sure")
    if kept is not None and not anew:
        locked = tr(
            f"{given.id} 已锁定：{kept.told}，把握 {kept.sure:.0%}",
            f"{given.id} is locked: {kept.told}, {kept.sure:.0%} sure",
        )
        if kept.same(given):
            return locked
        return locked + tr(
            f"；{given.told} 没有收下。要重新来：{call(given, anew=True)}",
            f"; {given.told} was not taken. To begin anew: {call(given, anew=True)}",
        )
    late = given.id in _seen or (kept is not None and kept.came is not None)
    trouble = keep({"guess": given.id, "sure": given.sure, "at": given.at, "late": late} | value_of(given))
    said = tr(f"{given.id} 锁定：{sure}", f"{given.id} locked: {sure}")
    if late:
        said += tr("。结果已经看过，记下来，但不计分", "; the result had been seen, so it is noted and not scored")
    if trouble:
        said += tr(
            f"（没有存到磁盘：{place().name}，{trouble}；这次会话里有效）",
            f" (not kept on disk: {place().name}, {trouble}; it holds for this session)",
        )
    return said


def value_of(given: Guess) -> dict:
    if given.choice is not None:
        return {"choice": given.choice}
    return {"low": given.low, "high": given.high}


def scored(id: str, came: float | str) -> None:
    """Say what came out and how the guess fared: one line after an experiment.

    >>> guess("99.2", 3, 6); scored("99.2", 4)
    99.2 locked: 3 to 6, 80% sure
    99.2 came out at 4; you said 3 to 6: inside
    """
    given = settle(id, came)
    if given is None:
        return
    shown = given_name(given, came)
    if given.choice is not None:
        print(f"{id} {whose(given)}" + ("" if given.held else tr(f"，是 {shown}", f", it is {shown}")))
    else:
        print(tr(f"{id} 结果是 {shown}；{whose(given)}", f"{id} came out at {shown}; {whose(given)}"))


def scored_beside(id: str, came: float) -> None:
    """The same where the line above has the number already."""
    if (given := settle(id, came)) is not None:
        print(f"{id} {whose(given)}")


def given_name(given: Guess, came) -> str:
    asked = questions().get(given.id)
    if given.choice is not None:
        return asked.called(str(came)) if asked else str(came)
    return f"{came:g}"


def whose(given: Guess) -> str:
    """Who said what, and whether it held."""
    mine = given.at != ""
    said = (
        tr(f"你猜 {given.told}", f"you said {given.told}")
        if mine
        else tr(f"我们猜 {given.told}", f"our guess was {given.told}")
    )
    if given.choice is not None:
        held = tr("，对", ": right") if given.held else tr("，不对", ": no")
    else:
        held = tr("：在里面", ": inside") if given.held else tr("：在外面", ": outside")
    return (
        said
        + held
        + (tr("（看过结果才猜的，不计分）", " (after the result was seen; not scored)") if given.late else "")
    )


def settle(id: str, came) -> Guess | None:
    """The guess with what came out; the first time it is written down. None where nobody guessed."""
    came = came if isinstance(came, str) else float(came)
    asked, kept = questions().get(id), book().get(id)
    _seen.setdefault(id, came)
    if kept is None:
        return replace(ours(asked), came=came) if asked else None
    if kept.came is None:
        keep({"guess": id, "came": came, "at": now()})
    return replace(kept, came=came)


def book(lines: Iterable[dict] | None = None) -> dict[str, Guess]:
    """Every guess of the student's own, in the order of the course: the last one given before the result was seen."""
    found: dict[str, Guess] = {}
    for line in records() if lines is None else lines:
        id = line.get("guess")
        if not isinstance(id, str):
            continue
        if "came" in line:
            if id in found and found[id].came is None and fits(found[id], line["came"]):
                found[id] = replace(found[id], came=line["came"])
        elif (given := parsed(line)) and (id not in found or found[id].came is None):
            found[id] = given
    return dict(sorted(found.items(), key=lambda item: place_of(item[0])))


def fits(given: Guess, came) -> bool:
    """Whether what came out is of the guess's kind."""
    return isinstance(came, str) == (given.choice is not None) and isinstance(came, str | int | float)


def parsed(line: dict) -> Guess | None:
    """A guess as a line of the journal, or a report, has it; None where it is none."""
    try:
        choice = line.get("choice")
        low, high = (None, None) if choice is not None else (float(line["low"]), float(line["high"]))
        given = Guess(
            str(line.get("guess", line.get("id"))),
            low,
            high,
            choice,
            float(line["sure"]),
            str(line["at"]),
            bool(line.get("late")),
        )
        good = 0 < given.sure < 1 and (isinstance(choice, str) or low <= high)
    except (KeyError, TypeError, ValueError):
        return None
    return given if good else None


def forget_session() -> None:
    """Begin as a fresh kernel does."""
    _seen.clear()
