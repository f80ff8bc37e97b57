"""How well a student's guesses hold what they say: of intervals said to be 80 % sure, do 80 % hold what came out?

Few guesses show little: each share has its interval (Wilson), and over- or under-confident is said of five or more, where the
stated confidence lies outside it. Plain numbers in, plain numbers, HTML and a chart out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from labkit_exercises.exercise import words
from labkit_exercises.ledger import Guess
from labkit_exercises.questions import lesson_of, questions

import labkit as lk
from labkit import tr

ENOUGH = 5  # guesses before anything is said of a student
ALL = ""  # the name of the tally of everything
STYLE = (
    "<style>.labkit .cal{position:relative;display:inline-block;width:11em;height:.8em;background:rgba(128,128,128,.16);vertical-align:middle}"
    ".labkit .cal i{position:absolute;top:0;height:100%}.labkit .cal .span{background:#4477aa;opacity:.4}"
    ".labkit .cal .dot{background:#4477aa;width:5px;margin-left:-2.5px}"
    ".labkit .cal .said{background:#ee6677;width:2px;margin-left:-1px;top:-.15em;height:1.1em}"
    ".labkit .curve{max-width:300px;padding-right:1em}.labkit .curve svg{overflow:visible}</style>"
)


@dataclass(frozen=True)
class Tally:
    """Guesses that came out, together: how many, how many held, how sure one was of them in the mean."""

    name: str
    n: int
    held: int
    stated: float
    width: float | None  # of intervals, as a share of what could have come out; None without any
    brier: float | None  # of choices: the mean of (how sure − right)²; None without any

    @property
    def share(self) -> float:
        return self.held / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return lk.wilson(self.held, self.n)

    @property
    def word(self) -> str:
        """ "over", "under" or "unknown": whether one was surer than right."""
        low, high = self.interval
        if self.n < ENOUGH:
            return "unknown"
        return "over" if high < self.stated else "under" if low > self.stated else "unknown"

    @property
    def spoken(self) -> str:
        return {
            "over": tr("过于自信", "over-confident"),
            "under": tr("不够自信", "under-confident"),
            "unknown": tr("看不出", "cannot tell"),
        }[self.word]


def tally(name: str, guesses: Sequence[Guess]) -> Tally:
    """The guesses that count, at least one, put together."""
    widths = [width for guess in guesses if (width := relative_width(guess)) is not None]
    squares = [(guess.sure - guess.held) ** 2 for guess in guesses if guess.choice is not None]
    return Tally(
        name,
        len(guesses),
        sum(guess.held for guess in guesses),
        sum(guess.sure for guess in guesses) / len(guesses),
        sum(widths) / len(widths) if widths else None,
        sum(squares) / len(squares) if squares else None,
    )


def relative_width(guess: Guess) -> float | None:
    """How wide an interval is, as a share of what could have come out; None where that is not known."""
    asked = questions().get(guess.id)
    if guess.choice is not None or asked is None:
        return None
    return (guess.high - guess.low) / (asked.within[1] - asked.within[0])


def tallies(guesses: Iterable[Guess], by: Callable[[Guess], Any]) -> dict[Any, Tally]:
    """The guesses that count in groups, in the order of their names."""
    groups: dict[Any, list[Guess]] = {}
    for guess in guesses:
        if guess.counts:
            groups.setdefault(by(guess), []).append(guess)
    return {name: tally(str(name), groups[name]) for name in sorted(groups)}


def by_topic(guesses: Iterable[Guess]) -> dict[str, Tally]:
    """A tally a notebook."""
    return tallies(guesses, lambda guess: lesson_of(guess.id))


def by_confidence(guesses: Iterable[Guess]) -> dict[float, Tally]:
    """A tally for each confidence that was stated, to five per cent: the points of the calibration curve."""
    return tallies(guesses, lambda guess: round(20 * guess.sure) / 20)


def everything(guesses: Iterable[Guess]) -> Tally | None:
    """One tally of all; None where nothing counts yet."""
    return tallies(guesses, lambda guess: ALL).get(ALL)


def curve(guesses: Iterable[Guess], title: str = "") -> Any:
    """The calibration curve: what was stated across, what held upwards, each with its interval; the diagonal is honest."""
    from labkit.plots import COLOURS, Chart, Line  # they bring torch along

    points = [(100 * level, tally) for level, tally in by_confidence(guesses).items()]
    marks = [Line([(0, 0), (100, 100)], "#888888", tr("说到做到", "as stated"), dashed=True)]
    for at, found in points:
        marks.append(Line([(at, 100 * found.interval[0]), (at, 100 * found.interval[1])], COLOURS[0]))
    dots = [(at, 100 * found.share) for at, found in points]
    marks.append(Line(dots, COLOURS[0], tr("猜中（95 % 区间）", "held (95 % interval)"), bold=True, marker="o"))
    return Chart(
        title or tr("校准曲线", "Calibration curve"),
        marks,
        x=tr("说的把握（%）", "stated confidence (%)"),
        y=tr("猜中（%）", "held (%)"),
        x_range=(0, 100),
        least=(0, 100),
    )


def sentence(guesses: Sequence[Guess]) -> str:
    """Where the ledger stands, in a line."""
    found, late = everything(guesses), sum(guess.late for guess in guesses)
    waiting = sum(guess.held is None and not guess.late for guess in guesses)
    if found is None:
        start = tr("猜测：还没有揭晓的", "guesses: none has come out yet")
    else:
        low, high = found.interval
        start = tr(
            f"猜测：揭晓 {found.n} 个，猜中 {found.held} 个（{found.share:.0%}，95 % 区间 {low:.0%} 到 {high:.0%}）；"
            f"说的把握平均 {found.stated:.0%}：{found.spoken}",
            f"guesses: {found.n} came out, {found.held} held ({found.share:.0%}, 95 % interval {low:.0%} to {high:.0%}); "
            f"stated in the mean: {found.stated:.0%}: {found.spoken}",
        )
    more = [tr(f"还没揭晓 {waiting} 个", f"{waiting} to come")] * bool(waiting)
    more += [tr(f"看过结果才猜 {late} 个，不计分", f"{late} given after the result, not scored")] * bool(late)
    return start + "".join(tr("；", "; ") + one for one in more)


def topic_name(topic: str) -> str:
    """A notebook's number with its title, as far as this version has it."""
    try:
        return f"{topic} {tr(*words(topic)['lesson'])}"
    except (OSError, KeyError):
        return {"00": tr("00 从这里开始", "00 Start here")}.get(topic, topic)


def bar(found: Tally) -> str:
    """The share that held as a mark in its interval, and what was stated as a line."""
    low, high = found.interval
    span = f'<i class="span" style="left:{100 * low:.4g}%;width:{100 * (high - low):.4g}%"></i>'
    dot = f'<i class="dot" style="left:{100 * found.share:.4g}%"></i>'
    said = f'<i class="said" style="left:{100 * found.stated:.4g}%"></i>'
    return f'<span class="cal" title="{found.held} / {found.n}, {low:.0%}–{high:.0%}">{span}{dot}{said}</span>'


def cells(found: Tally) -> list[str]:
    """What a table says of a tally, after its name and bar."""
    width = "–" if found.width is None else f"{found.width:.0%}"
    brier = "–" if found.brier is None else f"{found.brier:.2f}"
    return [f"{found.held} / {found.n}", f"{found.stated:.0%}", width, brier, found.spoken]


def header() -> list[str]:
    return [
        tr("笔记", "notebook"),
        tr("猜中", "held"),
        tr("中 / 揭晓", "held / out"),
        tr("说的把握", "stated"),
        tr("平均宽度", "mean width"),
        "Brier",
        "",
    ]


def note() -> str:
    return tr(
        "蓝：猜中的比例和 95 % 区间；红线：说的把握。宽度按可能的范围算；Brier 只算选择题，0 最好，一律五成把握是 0.25",
        "blue: the share that held, with its 95 % interval; red line: the stated confidence. Widths are shares of what could "
        "have come out; Brier is of choices alone: 0 is best, always saying 50 % gives 0.25",
    )


def html(guesses: Sequence[Guess]) -> str:
    """The ledger for a notebook or a page; "" where nothing was guessed."""
    if not guesses:
        return ""
    head = f"<p><b>{escape(sentence(guesses))}</b></p>"
    topics = by_topic(guesses)
    if not topics:
        return head
    rows = [[topic_name(topic), lk.display.Html(bar(found)), *cells(found)] for topic, found in topics.items()]
    whole = everything(guesses)
    if len(rows) > 1:
        rows.append([tr("全部", "all"), lk.display.Html(bar(whole)), *cells(whole)])
    table = lk.display.table_html(header(), rows, left=2)
    drawn = f'<div class="curve">{curve(guesses).svg()}</div>'
    folded = f"<details><summary>{tr('校准曲线', 'Calibration curve')}</summary>{drawn}</details>"
    return f"{STYLE}{head}{table}<div class='m' style='max-width:46em'>{note()}</div>{folded}"


def lines(guesses: Sequence[Guess]) -> list[str]:
    """The same for a terminal."""
    if not guesses:
        return []
    return [
        sentence(guesses),
        *(
            f"{topic}  {found.held} / {found.n}  {tr('说', 'stated')} {found.stated:.0%}  {found.spoken}"
            for topic, found in by_topic(guesses).items()
        ),
    ]
