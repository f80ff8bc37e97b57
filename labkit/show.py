"""What labkit's objects look like in a notebook: small HTML pieces that fit JupyterLab's light and dark theme."""

from collections.abc import Sequence
from html import escape

from labkit.text import tr

BAR = "#4477aa"  # Paul Tol's bright scheme: safe for colour-blind readers, readable on light and dark ground
STYLE = (
    "<style>.labkit{font-size:13px;line-height:1.45;max-width:60em}.labkit table{border-collapse:collapse;margin:.4em 0}"
    ".labkit th,.labkit td{padding:.15em .8em;text-align:right;border-bottom:1px solid rgba(128,128,128,.25)}"
    ".labkit td.t,.labkit th.t{text-align:left;white-space:normal;overflow-wrap:anywhere}.labkit .m{opacity:.65}"
    ".labkit svg text{fill:currentColor;font-size:11px}</style>"
)


def box(*parts: str) -> str:
    return f'<div class="labkit">{STYLE}{"".join(parts)}</div>'


def table_html(header: Sequence[str], rows: Sequence[Sequence], left: int = 1) -> str:
    """An HTML table; the first `left` columns are words, the others numbers."""

    def cells(tag, row):
        return "".join(f"<{tag}{' class=t' if i < left else ''}>{escape(str(c))}</{tag}>" for i, c in enumerate(row))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', header)}</tr></thead><tbody>{body}</tbody></table>"


def histogram_svg(values: Sequence[int], unit: str, bins: int = 24, width: int = 420, height: int = 90) -> str:
    """A small histogram of lengths; the last bar holds the longest 1 % together."""
    ordered = sorted(values)
    top = max(ordered[int(0.99 * (len(ordered) - 1))], 1)
    step = max(1, -(-(top + 1) // bins))
    counts = [0] * (top // step + 1)
    for v in values:
        counts[min(v, top) // step] += 1
    wide, high = width / len(counts), height - 20
    bars = "".join(
        f'<rect x="{i * wide + 0.5:.1f}" y="{high * (1 - n / max(counts)):.1f}" width="{wide - 1:.1f}" height="{high * n / max(counts):.1f}" '
        f'fill="{BAR}"><title>{i * step}–{(i + 1) * step - 1}: {n}</title></rect>'
        for i, n in enumerate(counts)
    )
    ticks = "".join(
        f'<text x="{x:.0f}" y="{height - 6}" text-anchor="{a}">{t}</text>'
        for x, a, t in ((0, "start", 0), (width / 2, "middle", top // 2), (width, "end", f"{top} {unit}"))
    )
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">{bars}{ticks}</svg>'


def corpus_html(corpus) -> str:
    """Counts, class balance, lengths, two examples of each class, and what was dropped and why."""
    header = ["", *corpus.labels, tr("合计", "total")]
    names = {"train": tr("训练", "train"), "valid": tr("验证", "validation"), "test": tr("测试", "test")}
    rows = []
    for split, title in names.items():
        counts = corpus.counts(split)
        total = max(sum(counts.values()), 1)
        rows.append([title, *(f"{n} ({n / total:.0%})" for n in counts.values()), total])
    parts = [f"<b>{escape(corpus.name)}</b>", table_html(header, rows)]
    if hasattr(corpus.train[0], "text"):
        lengths = [len(r.text) for r in corpus.train]
        middle = sorted(lengths)[len(lengths) // 2]
        parts.append(
            f"<div>{tr('文本长度', 'Text length')} <span class=m>({tr('训练集，中位数', 'training rows, median')} {middle} {tr('字', 'characters')})</span></div>"
        )
        parts.append(histogram_svg(lengths, tr("字", "characters")))
        some = [r for i in range(min(len(corpus.labels), 6)) for r in [r for r in corpus.train if r.label == i][:2]]
        parts.append(
            table_html(
                [tr("例子", "examples"), tr("标签", "label")],
                [(r.text[:120] + ("…" if len(r.text) > 120 else ""), corpus.labels[r.label]) for r in some],
                left=2,
            )
        )
    parts.append(f"<div class=m>{escape(dropped_text(corpus))}</div>")
    return box(*parts)


def dropped_text(corpus) -> str:
    """One sentence on the rows left out."""
    reasons = {
        "empty": tr("没有文本", "without text"),
        "duplicate": tr("重复", "repeated"),
        "conflict": tr("同一文本有两种标签", "one text with two labels"),
        "leak": tr("在另一部分里出现过", "also in another split"),
    }
    found = [f"{reasons[d.reason]} {d.count}" for d in corpus.dropped]
    return tr("去掉的行：", "Rows dropped: ") + (tr("，", ", ").join(found) or tr("无", "none"))


def scores_html(scores) -> str:
    """Accuracy with its interval, then a line a class."""
    head = (
        f"<div><b>{tr('准确率', 'accuracy')} {scores.accuracy:.3f}</b> "
        f"<span class=m>(95 %: {scores.low:.3f}–{scores.high:.3f}, n = {scores.n})</span> · macro-F1 {scores.macro_f1:.3f}</div>"
    )
    header = [tr("类别", "class"), tr("精确率", "precision"), tr("召回率", "recall"), "F1", tr("行数", "rows")]
    rows = [[c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.n] for c in scores.classes]
    return box(head, table_html(header, rows))


def mistakes_html(mistakes) -> str:
    """The worst rows: what is true, what the model said, and how sure it was."""
    header = [
        tr("文本", "text"),
        tr("标签", "label"),
        tr("模型说", "model says"),
        tr("概率", "probability"),
        tr("损失", "loss"),
    ]
    rows = [[m.row.text, m.truth, m.said, f"{m.probability:.2f}", f"{m.loss:.2f}"] for m in mistakes]
    return box(table_html(header, rows, left=3))


def predictions_html(predictions) -> str:
    header = [tr("文本", "text"), tr("答案", "answer"), tr("概率", "probability")]
    return box(table_html(header, [[p.text, p.label, f"{p.probability:.2f}"] for p in predictions], left=2))
