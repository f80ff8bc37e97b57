"""What a corpus looks like in a notebook: counts, balance, lengths, examples, what was dropped."""

import base64
from collections import defaultdict
from html import escape

from labkit.base.display import GREY, Html, box, clipped, table_html
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
        title = tr(f"{modality.title()}长度", f"{modality.title().capitalize()} length")
        parts.append(f"<div>{title} <span class=m>({note})</span></div>")
        parts.append(picture(histogram(lengths, note, unit, size=(880, 280)), note))
    if corpus.train:
        parts.append(examples_html(corpus))
    parts.append(f"<div class=m>{escape(dropped_text(corpus))}</div>")
    return box(*parts)


def balance_html(corpus, most: int = 12) -> str:
    """Rows in each split; where rows have labels, a line a label, the rarest together where labels are many."""
    splits = {name: len(rows) for name, rows in corpus.splits.items()}
    counts = {name: corpus.counts(name) for name in splits}
    classes = list(corpus.labels) if any(counts["train"].values()) else []

    def line(title, *names):
        rows = [sum(counts[s][name] for name in names) for s in splits]
        return [title, *(f"{n:,} ({n / max(total, 1):.0%})" for n, total in zip(rows, splits.values(), strict=True))]

    shown = sorted(classes, key=lambda name: -counts["train"][name])[: most - 1] if len(classes) > most else classes
    rows = [line(name, name) for name in shown]
    if rest := [name for name in classes if name not in shown]:
        rows.append(line(tr(f"其余 {len(rest)} 类", f"{len(rest)} more"), *rest))
    first = tr("标签", "label") if classes else ""
    header = [first, tr("训练", "train"), tr("验证", "validation"), tr("测试", "test")]
    return table_html(header, [*rows, [tr("合计", "total"), *(f"{n:,}" for n in splits.values())]])


def examples_html(corpus) -> str:
    """Two training rows of each group, one where groups are many; with their English gloss for readers of English."""
    task = corpus.task
    groups = defaultdict(list)
    for example in corpus.train:
        groups[task.group(example)].append(example)
    each = 4 if len(groups) == 1 else 2 if len(groups) <= 4 else 1
    ordered = sorted(groups, key=lambda group: group if isinstance(group, int) else 0)  # others as they come
    some = [e for group in ordered[:8] for e in groups[group][:each]]
    columns = {
        tr("例子", "examples"): [Html(task.html(e.input, task.truth(e))) for e in some],
        tr("译文", "in English"): [clipped(e.extra.get("gloss", "")) for e in some],
        tr("标签", "label") if corpus.labels else tr("目标", "target"): [
            task.told(task.truth(e), e.input) for e in some
        ],
    }
    if language() == "zh" or not any(e.extra.get("gloss") for e in some):
        del columns[tr("译文", "in English")]
    return table_html(list(columns), list(zip(*columns.values(), strict=True)), left=3)


def dropped_text(corpus) -> str:
    """One sentence on the rows left out."""
    title = corpus.task.modality.title()
    reasons = {
        "empty": tr(f"没有{title}", f"without {title}"),
        "duplicate": tr("重复", "repeated"),
        "conflict": tr(f"同一{title}有两种标签", f"one {title} with two labels"),
        "leak": tr("在另一部分里出现过", "also in another split"),
        "unlabelled": tr("没有公开标签", "labels withheld"),
        **{reason: tr(*words) for reason, words in corpus.task.reasons.items()},
    }
    parts = [f"{reasons[d.reason]} {d.count}" for d in corpus.dropped]
    return tr("去掉的行：", "Rows dropped: ") + (tr("，", ", ").join(parts) or tr("无", "none"))
