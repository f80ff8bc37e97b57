"""What the Try it panel shows of an answer: what each token adds to it, or the answer itself, marked in its input."""

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

from labkit.base.display import GREY
from labkit.base.language import tr
from labkit.inspection.attribution import METHODS, Attribution, attribute, explains
from labkit.inspection.attribution_html import AGAINST, FOR, strongest, tokens_html
from labkit.plots.look import COLOURS
from labkit.training.evaluation import predict
from labkit.ui.charts import key
from labkit.ui.controls import AUTO

LONGEST = 256  # tokens that are read
WIDE = 36  # characters in a line of a figure


def way_of(model) -> "Attributed | Answered":
    """How a model's answers are shown: by what each token adds, where that can be told."""
    return Attributed() if explains(model) else Answered(model.task.samples)


class Attributed:
    """Classifications of texts: probabilities as bars, and the tokens coloured by what they add."""

    controls: ClassVar = ("label", "method")
    examples: ClassVar = (
        "味道不错，就是送得慢",
        "等了两小时，面都坨了",
        "不好吃，不新鲜，也不便宜",
        "真后悔，没早点发现这家店",
        "说是当天到，一周了还在路上",
    )
    subtitle: ClassVar = ("微调前后，各看了哪些字", "what it looks at, before and after fine-tuning")

    def ask(self, model, text: str, label, method: str, after: Attribution | None = None) -> Attribution:
        label = after.label if after else None if label is AUTO else label
        return attribute(model, text, label=label, method=method, max_length=LONGEST)[0]

    def lines(self, label, method: str, names: Sequence[str]) -> list[str]:
        """The same in code, where `model`, `fresh` and `text` are there."""
        more = "" if label is AUTO else f", label={label!r}"
        how = "" if method == METHODS[0] else f", method={method!r}"
        return [
            f"(after,) = lk.attribute(model, text{more}{how})",
            f"(before,) = lk.attribute(fresh, text, label=after.label{how})",
            f"lk.plots.attribution([before, after], names={tuple(names)!r})",
        ]

    def written(self, text: str) -> str:
        """What is asked, as an expression in code."""
        return repr(text)

    def summary(self, found: Attribution) -> str:
        adds = tr("是", "yes") if found.gap <= 0.02 * max(1.0, abs(found.log_odds)) else tr("否", "no")
        return tr("{}；分数加得起来：{}", "{}; the scores add up: {}").format(found.predicted, adds)

    def short(self, found: Attribution) -> str:
        return f"{found.predicted} {found.probabilities[found.predicted]:.3f}"

    def keys(self, found: Attribution) -> str:
        """What the colours mean."""
        muted = tr("越深越要紧", "the deeper, the more it matters")
        return (
            key(f"rgb{FOR}", tr("支持 {}", "for {}").format(found.label), "filled")
            + key(f"rgb{AGAINST}", tr("反对 {}", "against {}").format(found.label), "filled")
            + f'<span class="labkit-muted">{muted}</span>'
        )

    def stories(self, both: Sequence[Attribution]) -> list[str]:
        """Each model's answer as bars, and the tokens."""
        top = strongest(list(both))
        bars = ["".join(bar(label, p) for label, p in found.probabilities.items()) for found in both]
        return [f"<table>{rows}</table>{tokens_html(found, top)}" for rows, found in zip(bars, both, strict=True)]

    def remarks(self, found: Attribution) -> list[str]:
        """What the numbers amount to, and what was left out."""
        best = [f"{token} {signed(score)}" for token, score in found.strongest(3)]
        said = [tr("最要紧的：", "what matters most: ") + tr("，", ", ").join(best)]
        if found.method == METHODS[0]:
            text = tr(
                "各字的分数加起来是 {}：从字全遮住时的对数几率 {}，到看见全文的 {}",
                "the scores add up to {}: from log-odds of {} with every token hidden to {} for the text",
            )
            said.append(text.format(*map(signed, (sum(found.scores), found.baseline, found.log_odds))))
        if found.cut:
            text = tr("文字太长：只读了前 {} 个字，共 {} 个", "too long: only the first {} of {} characters were read")
            said.append(text.format(found.characters, len(found.text)))
        return said

    def figure(self, both: Sequence[Attribution], names: Sequence[str]) -> Any:
        from labkit import plots

        return plots.attribution(list(both), names=names)


class Answered:
    """Tasks whose answer is a part of the input, or stands beside it: the answer of each model as the task shows it."""

    controls: ClassVar = ()
    examples: ClassVar = (
        "快递员李晓说，云山市第一医院的包裹昨天到了",
        "青木科技要在白桥县建厂，经理是王海",
        "马上放假了，真高兴",
    )
    subtitle: ClassVar = ("微调前后，各怎么答", "what it says, before and after fine-tuning")

    def __init__(self, samples: Sequence[str] = ()):
        self.examples = samples or self.examples

    def ask(self, model, text: str, *_, **__) -> Any:
        return predict(model, [model.task.parse(text)], max_length=LONGEST)[0]

    def lines(self, label, method: str, names: Sequence[str]) -> list[str]:
        asked = "[model.task.parse(text)]"
        return [f"print(*lk.predict(fresh, {asked}), *lk.predict(model, {asked}), sep='\\n')"]

    def written(self, text: str) -> str:
        return repr(text)

    def summary(self, found) -> str:
        return tr("已回答", "answered")

    def short(self, found) -> str:
        return said(found)

    def keys(self, found) -> str:
        return ""

    def stories(self, both: Sequence) -> list[str]:
        return [
            f'<div class="labkit-said">{found.html() if hasattr(found, "html") else escape(said(found))}</div>'
            for found in both
        ]

    def remarks(self, found) -> list[str]:
        return []

    def figure(self, both: Sequence, names: Sequence[str]) -> Any:
        """Each model's answer in words."""
        from labkit import plots

        told = [said(found) for found in both]
        lines = [[text[i : i + WIDE] for i in range(0, len(text), WIDE)] for text in told]
        high = sum(len(wrapped) + 1.6 for wrapped in lines)
        fig, axes = plots.figure(6.4, 0.26 * high)
        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(high, 0))
        y = 0.5
        for name, wrapped in zip(names, lines, strict=True):
            axes.text(0, y, name, fontsize=9, color=GREY)
            for i, line in enumerate(wrapped):
                axes.text(0, y + 1 + i, line, fontsize=10)
            y += len(wrapped) + 1.6
        return fig


def said(found) -> str:
    """An answer in words, without its input."""
    return (found.label if hasattr(found, "label") else str(found)) or tr("（无）", "(nothing)")


def signed(score: float) -> str:
    return f"{score:+.2f}".replace("-", "−")


def bar(label: str, p: float) -> str:
    """A probability as a row of a table, with a bar."""
    return (
        f'<tr><td class="t">{escape(label)}</td><td style="width:100%"><div class="labkit-bar" style="margin:0">'
        f'<div style="width:{p:.1%};background:{COLOURS[0]}"></div></div></td><td>{p:.3f}</td></tr>'
    )
