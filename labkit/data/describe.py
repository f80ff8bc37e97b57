"""What a corpus looks like in a notebook: counts, balance, lengths, examples, what was dropped."""

import base64
from collections import defaultdict
from html import escape

from labkit.base.display import GREY, box, clipped, table_html
from labkit.base.language import language, tr
from labkit.base.svg import INK, histogram


def picture(svg: str, words: str, width: int = 440) -> str:
    """An SVG as an image: notebooks that are not trusted yet strip drawings from HTML, and keep images."""
    alone = svg.replace(INK, GREY).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    data = base64.b64encode(alone.encode()).decode()
    return f'<img alt="{escape(words)}" width="{width}" src="data:image/svg+xml;base64,{data}" />'


def corpus_html(corpus) -> str:
    """Counts and balance, lengths, examples, what was dropped."""
    modality, parts = corpus.task.modality, [f"<b>{escape(corpus.name)}</b>", balance_html(corpus)]
    lengths = [modality.extent(e.input) for e in corpus.train]
    if lengths and None not in lengths:
        middle, unit = sorted(lengths)[len(lengths) // 2], modality.unit()
        note = tr(f"训练集，中位数 {middle} {unit}", f"training rows, median {middle} {unit}")
        parts.append(f"<div>{tr('长度', 'Length')} <span class=m>({note})</span></div>")
        parts.append(picture(histogram(lengths, note, unit, size=(880, 280)), note))
    if corpus.train:
        parts.append(examples_html(corpus))
    parts.append(f"<div class=m>{escape(dropped_text(corpus))}</div>")
    return box(*parts)


def balance_html(corpus, most: int = 12) -> str:
    """Rows of each class in each split, a line a class; the rarest together in one line where classes are many."""
    header = [tr("标签", "label"), tr("训练", "train"), tr("验证", "validation"), tr("测试", "test")]
    counts = [corpus.counts(split) for split in ("train", "valid", "test")]
    totals = [sum(c.values()) for c in counts]

    def line(title, found):
        return [title, *(f"{n:,} ({n / max(total, 1):.0%})" for n, total in zip(found, totals, strict=True))]

    shown = list(corpus.labels)
    if not shown:  # a task without classes
        totals = [len(corpus.splits[split]) for split in ("train", "valid", "test")]
    if len(shown) > most:
        shown = sorted(shown, key=lambda name: -counts[0][name])[: most - 1]
    rows = [line(name, [c[name] for c in counts]) for name in shown]
    if rest := [name for name in corpus.labels if name not in shown]:
        title = tr(f"其余 {len(rest)} 类", f"{len(rest)} more")
        rows.append(line(title, [sum(c[name] for name in rest) for c in counts]))
    return table_html(header, [*rows, [tr("合计", "total"), *(f"{n:,}" for n in totals)]])


def examples_html(corpus) -> str:
    """Two training rows of each group, one where groups are many; with their English gloss for readers of English."""
    task = corpus.task
    groups = defaultdict(list)
    for example in corpus.train:
        groups[task.group(example)].append(example)
    each = 2 if len(groups) <= 4 else 1
    if len(groups) == 1:
        each = 4
    some = [e for group in sorted(groups, key=lambda g: (g is not None, g))[:8] for e in groups[group][:each]]
    columns = {
        tr("例子", "examples"): [clipped(task.modality.text(e.input)) for e in some],
        tr("译文", "in English"): [clipped(e.extra.get("gloss", "")) for e in some],
        tr("标签", "label"): [task.words(task.truth(e)) for e in some],
    }
    if language() == "zh" or not any(e.extra.get("gloss") for e in some):
        del columns[tr("译文", "in English")]
    return table_html(list(columns), list(zip(*columns.values(), strict=True)), left=3)


def dropped_text(corpus) -> str:
    """One sentence on the rows left out."""
    reasons = {
        "empty": tr("没有文本", "without text"),
        "duplicate": tr("重复", "repeated"),
        "conflict": tr("同一文本有两种标签", "one text with two labels"),
        "leak": tr("在另一部分里出现过", "also in another split"),
        "unlabelled": tr("没有公开标签", "labels withheld"),
    }
    found = [f"{reasons[d.reason]} {d.count}" for d in corpus.dropped]
    return tr("去掉的行：", "Rows dropped: ") + (tr("，", ", ").join(found) or tr("无", "none"))
