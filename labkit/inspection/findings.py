"""What the doctor says of a run: named findings, each with its evidence in numbers and the control to change."""

from dataclasses import dataclass, field

from labkit.base.display import box, table_html
from labkit.base.language import tr

TITLES = {
    "rate too high": ("学习率太大", "Learning rate too high"),
    "rate too low": ("学习率太小", "Learning rate too low"),
    "head not learning": ("分类头没有学习", "Head not learning"),
    "class collapse": ("类别坍缩", "Class collapse"),
    "all blank": ("全是空白", "All blank"),
    "underfitting": ("欠拟合", "Underfitting"),
    "overfitting": ("过拟合", "Overfitting"),
    "leak": ("数据泄漏", "Leak"),
}
GRAVITY = ("severe", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run."""

    name: str  # one of TITLES
    severity: str  # "severe": the run is worth nothing; "warning": it could be better; "note": worth a look
    evidence: str  # what the numbers say
    control: str  # what to change: a field of TrainConfig, "strategy" or "corpus"
    advice: str  # how to change it
    numbers: dict[str, float] = field(default_factory=dict)  # the evidence for figures and tests

    @property
    def title(self) -> str:
        return tr(*TITLES[self.name])


class Findings(list):
    """Findings, the gravest first; prints as text and shows as HTML."""

    def __init__(self, findings=()):
        super().__init__(sorted(findings, key=lambda finding: GRAVITY.index(finding.severity)))

    def rows(self) -> list[list[str]]:
        return [[f.title, f.evidence, f.control, f.advice] for f in self]

    def __str__(self) -> str:
        if not self:
            return tr("没有发现问题。", "Nothing found.")
        colon = tr("：", ": ")
        return "\n".join(f"{f.title}{colon}{f.evidence} → {f.control}{colon}{f.advice}" for f in self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self:
            return box(f"<div>{self}</div>")
        header = [tr("发现", "finding"), tr("证据", "evidence"), tr("改什么", "control"), tr("怎么改", "how")]
        return box(table_html(header, self.rows(), left=4))
