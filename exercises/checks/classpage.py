"""The page of a class, one screen for forty students: lessons against students, the hardest exercises, the rest folded.

Everything is in the page itself; colours fit a light and a dark screen. The numbers come from classroom.py.
"""

from collections.abc import Sequence
from html import escape
from statistics import median

from labkit_exercises import calibration
from labkit_exercises.classroom import SHADES, Class, title_of
from labkit_exercises.exercise import lesson_title
from labkit_exercises.figures import PARTS, part
from labkit_exercises.handin import page
from labkit_exercises.overview import spoken
from labkit_exercises.questions import questions

import labkit as lk
from labkit import tr

GREYED = PARTS[-1][0]  # not begun: a grey that fits a dark page too
MANY = 25  # students from which on the rows are drawn closer
FIRST = 15  # of the hardest exercises are seen; the others unfold
STYLE = (
    "<style>h2{margin:.2em 0}body{margin:1em auto!important}.class{display:flex;flex-wrap:wrap;gap:0 3em;align-items:flex-start}"
    ".class h3{margin:.5em 0 .3em;font-size:1.05em}.class td,.class th{border:none}"
    ".heat th,.heat td{padding:.2em .3em;text-align:center;min-width:2.4em;font-variant-numeric:tabular-nums}"
    ".heat td{border:1px solid Canvas}.heat th.t,.heat td.t{text-align:left}.heat td.t{border:none;max-width:13em;overflow:hidden;text-overflow:ellipsis}"
    ".heat.many{font-size:11.5px;line-height:13px}.heat.many td,.heat.many th{padding:0 .3em}"
    ".hard td{padding:.1em .5em;vertical-align:middle}.hard td.t{max-width:19em;overflow:hidden;text-overflow:ellipsis}"
    ".hard i{display:inline-block;height:.8em}.hard .bar{width:11em;line-height:0;text-align:left;padding:0;white-space:nowrap}"
    ".grey{background:rgba(128,128,128,.3)!important}.key i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .9em}.class summary,summary{cursor:pointer}</style>"
)


def class_page(found: Class) -> str:
    """The whole page as HTML."""
    title = tr("班级练习情况", "Exercises of the class")
    count, tasks = len(found.students), len(found.exercises)
    size = tr(f"{count} 名学生，{tasks} 道练习", f"{count} students, {tasks} exercises")
    parts = [
        f'<h2>{title} <span class="m" style="font-weight:normal;font-size:.6em">{size}</span></h2>',
        f'<div class="class"><div>{heat(found)}</div><div>{hardest(found)}</div></div>',
        guesses(found),
        f"<details><summary>{tr('每个学生的每道练习', 'Every exercise of every student')}</summary>{grid(found)}</details>",
        left_out(found),
    ]
    return page(title, lk.display.box(STYLE, *parts))


def heat(found: Class) -> str:
    """Students down, lessons across: each cell has what was passed, the darker the more; the class in the first row."""
    lessons = found.lessons
    head = "".join(f'<th title="{escape(lesson_title(lesson))}">{escape(lesson)}</th>' for lesson in lessons)
    whole = {lesson: found.share(lesson) for lesson in lessons} | {"": found.share()}
    mean = "".join(f'<td style="{shade(share)}">{share:.0%}</td>' for share in whole.values())
    body = "".join(student_row(found, name, lessons) for name in found.students)
    kind = "heat many" if len(found.students) > MANY else "heat"
    return (
        f"<h3>{tr('每课通过了几道', 'Passed, lesson by lesson')}</h3>"
        f'<table class="{kind}"><thead><tr><th></th>{head}<th>{tr("共", "all")}</th></tr></thead>'
        f'<tbody><tr><th class="t">{tr("全班", "class")}</th>{mean}</tr>{body}</tbody></table>'
    )


def student_row(found: Class, name: str, lessons: dict[str, Sequence[str]]) -> str:
    cells = []
    for lesson, ids in lessons.items():
        standings = [found.of(name, id) for id in ids]
        passed, tried = (sum(s.status == status for s in standings) for status in ("passed", "tried"))
        told = tr(f"通过 {passed}，还没通过 {tried}", f"{passed} passed, {tried} not yet")
        told = (
            f"{name} · {lesson} {lesson_title(lesson)}: {told}, {sum(s.tries for s in standings)} {tr('次', 'tries')}"
        )
        shown = f"{passed}/{len(ids)}" if passed or tried else "·"
        cells.append(f'<td style="{shade(passed / len(ids))}" title="{escape(told)}">{shown}</td>')
    return f'<tr><td class="t" title="{escape(name)}">{escape(name)}</td>{"".join(cells)}<td>{found.passed(name)}</td></tr>'


def shade(share: float) -> str:
    """Green, the fuller the larger the share; what lies below shines through, so that the letters stay readable."""
    return f"background:rgba(34,136,51,{0.06 + 0.64 * share:.2f})" if share else "background:rgba(128,128,128,.1)"


def hardest(found: Class) -> str:
    """The exercises that the class found hardest, as bars of students; the others folded below."""
    ids = found.hardest()
    key = "".join(f'<i{grey(kind)} style="background:{colour}"></i>{tr(zh, en)}' for kind, zh, en, colour in PARTS)
    note = tr(
        "按开始做的学生算：没通过算 1，用了提示算 ½；右边是次数的中位数",
        "of those who began: not passed counts 1, passed with hints ½; on the right the median of tries",
    )
    rest = tr(f"其余 {len(ids[FIRST:])} 道", f"the other {len(ids[FIRST:])}")
    more = f"<details><summary>{rest}</summary>{bars(found, ids[FIRST:])}</details>" if ids[FIRST:] else ""
    title = tr("最难的在最前", "Hardest exercises first")
    return f'<h3>{title}</h3><div class="m">{note}</div><div class="key">{key}</div>{bars(found, ids[:FIRST])}{more}'


def grey(kind: str) -> str:
    return ' class="grey"' if kind == GREYED else ""


def bars(found: Class, ids: Sequence[str]) -> str:
    rows = []
    for id in ids:
        column = found.column(id)
        kinds = [part(s) for s in column]
        pieces = "".join(
            f'<i{grey(kind)} style="width:{100 * kinds.count(kind) / len(kinds):.4g}%;background:{colour}"'
            f' title="{kinds.count(kind)} {tr(zh, en)}"></i>'
            for kind, zh, en, colour in PARTS
        )
        tries = [s.tries for s in column if s.tries]
        many = tr(f"{median(tries):g} 次", f"{median(tries):g} tries") if tries else ""
        title = escape(title_of(id))
        rows.append(
            f'<tr><td class="t">{escape(id)}</td><td class="t" title="{title}">{title}</td>'
            f'<td class="bar">{pieces}</td><td>{many}</td></tr>'
        )
    return f'<table class="hard"><tbody>{"".join(rows)}</tbody></table>'


def grid(found: Class) -> str:
    """Students down, exercises across; each cell says the status and the tries."""
    head = "".join(f'<th title="{escape(title_of(id))}">{escape(id)}</th>' for id in found.exercises)
    rows = "".join(f'<tr><td class="t">{escape(n)}</td>{student_cells(found, n)}</tr>' for n in found.students)
    note = ", ".join(spoken(status) for status in SHADES) + tr("；数字是次数", "; numbers are tries")
    table = f'<table><thead><tr><th class="t"></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<p class="m">{note}</p>{table}'


def student_cells(found: Class, name: str) -> str:
    standings: Sequence = [found.of(name, id) for id in found.exercises]
    return "".join(
        f'<td style="background:{SHADES[s.status]};text-align:center;padding:.15em .4em">{spoken(s.status)[0]} {s.tries or ""}</td>'
        for s in standings
    )


def guesses(found: Class) -> str:
    """How well the class foretells: by notebook, by student, and what surprised it most; "" where nobody guessed."""
    whole = found.guessed()
    if not calibration.everything(whole):
        return ""
    title = tr("猜得准吗", "How well the class foretells")
    surprises = [
        [tally.name, asked(tally.name), lk.display.Html(calibration.bar(tally)), f"{tally.held} / {tally.n}"]
        for tally in found.surprises()
    ]
    header = [tr("猜测", "guess"), "", tr("猜中", "held"), ""]
    first, rest = (lk.display.table_html(header, rows, left=3) for rows in (surprises[:8], surprises[8:]))
    more = f"<details><summary>{tr('其余的', 'the others')}</summary>{rest}</details>" if surprises[8:] else ""
    left = f"<h3>{title}</h3>{calibration.html(whole)}{foretellers(found)}"
    right = f"<h3>{tr('最出人意料的在最前', 'Most surprising first')}</h3>{first}{more}"
    return f'<div class="class"><div>{left}</div><div>{right}</div></div>'


def asked(id: str) -> str:
    """What was asked; "" for a guess that this version does not have."""
    return questions()[id].words if id in questions() else ""


def foretellers(found: Class) -> str:
    """A line a student, folded."""
    tallies = {name: calibration.everything(found.guessed(name)) for name in found.students}
    rows = [
        [name, lk.display.Html(calibration.bar(one)), *calibration.cells(one)] for name, one in tallies.items() if one
    ]
    table = lk.display.table_html([tr("学生", "student"), *calibration.header()[1:]], rows, left=2)
    return f"<details><summary>{tr('每个学生', 'Every student')}</summary>{table}</details>"


def left_out(found: Class) -> str:
    if not found.skipped:
        return ""
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found.skipped.items())
    return f"<p>{tr('没有读的文件：', 'Files that were not read:')}</p><ul>{lines}</ul>"
