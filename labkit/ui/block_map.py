"""A network as a stack of blocks, in HTML: what trains in each, and how far a run moved it. The Freeze map shows it."""

from html import escape

from labkit.base.language import tr
from labkit.inspection.trainable_map import TrainableMap
from labkit.models.families import block_words
from labkit.plots.inspecting import STATES

LOOK = """<style>
.labkit-stack{margin:6px 0;overflow:visible}
.labkit-stack>.widget-label:first-child{font-weight:600}
.labkit-panel .labkit-stack .jupyter-button.labkit-block{width:100%;height:30px;line-height:28px;margin:0 0 3px;text-align:left;
 color:#1a1a1a;border:1px solid rgba(0,0,0,.25);border-radius:4px;box-shadow:none;padding:0 12px;background:#c9d3e0;opacity:1}
.labkit-panel .labkit-stack .jupyter-button.labkit-block.labkit-trains{background:#ee6677}
.labkit-panel .labkit-stack .jupyter-button.labkit-block.labkit-partly{background:linear-gradient(90deg,#ee6677 14px,#c9d3e0 14px) border-box no-repeat;padding-left:26px}
.labkit-panel .labkit-stack .jupyter-button.labkit-block.labkit-added{background:linear-gradient(90deg,#228833 14px,#c9d3e0 14px) border-box no-repeat;padding-left:26px}
.labkit-panel .labkit-stack .jupyter-button.labkit-block:hover{filter:brightness(1.06)}
.labkit-panel .labkit-map td,.labkit-panel .labkit-map th{padding:3px 8px 3px 0}.labkit-panel .labkit-map th{white-space:normal;word-break:keep-all;vertical-align:bottom}
.labkit-map .b{width:30%;min-width:70px}.labkit-map .b div{display:flex;height:14px;border-radius:3px;overflow:hidden;background:rgba(128,128,128,.2)}
.labkit-map .b i{display:block;height:100%}.labkit-map tr:last-child td{font-weight:600;border:none}
</style>"""


def control_name(part) -> str:
    """A block's name as `set` takes it: "layer_2"."""
    return part.name.replace(" ", "_")


def state_of(part) -> str:
    """How a block is drawn: "trains", "frozen", or between the two "added" and "partly"."""
    if part.added:
        return "added"
    return "frozen" if not part.trained else "partly" if part.frozen else "trains"


def map_html(found: TrainableMap) -> str:
    """The stack as a table, the head on top: what trains in each block, and after a run what moved."""
    most = {name: max((getattr(p, name) or 0 for p in found), default=0) or 1 for name in ("gradient", "change")}
    header = [tr("块", "block"), "", tr("训练的参数", "training parameters")]
    header += [tr("梯度范数", "gradient norm"), tr("权重变化", "weight change")] if found.watched else []
    rows = []
    for part in reversed(found):
        whole = max(part.frozen + part.trained + part.added, 1)
        cells = [
            f'<td class="t">{escape(block_words(part.name))}</td>',
            f'<td class="b"><div>{shares(part, whole)}</div></td>',
        ]
        cells.append(f"<td>{part.trained + part.added or '–':{',' if part.trained + part.added else ''}}</td>")
        if found.watched:
            for name, told in (("gradient", f"{part.gradient:.3g}"), ("change", f"{part.change:.2%}")):
                cells.append(
                    f'<td style="{wash(getattr(part, name) / most[name])}">{told if getattr(part, name) else "–"}</td>'
                )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    trains, total = sum(p.trained + p.added for p in found), sum(p.frozen + p.trained + p.added for p in found)
    told = tr(f"{trains:,} / {total:,}（{trains / total:.1%}）", f"{trains:,} of {total:,} ({trains / total:.1%})")
    last = f'<tr><td class="t">{tr("合计", "total")}</td><td colspan="2">{told}</td></tr>'
    head = "".join(f"<th{' class=t' if i == 0 else ''}>{escape(name)}</th>" for i, name in enumerate(header))
    return f'<div class="labkit-scroll labkit-map"><table style="width:100%"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}{last}</tbody></table></div>'


def shares(part, whole: int) -> str:
    """A block as a bar: frozen, trained, added; a little that is there is wide enough to be seen."""
    kinds = [(kind, getattr(part, kind)) for kind in ("trained", "added", "frozen")]
    return "".join(
        f'<i style="flex:{n} 0 {3 if n < whole else 0}px;background:{STATES[kind]}" title="{n:,}"></i>'
        for kind, n in kinds
        if n
    )


def wash(share: float) -> str:
    """A ground as wide as a share of its cell."""
    colour = "rgba(68,119,170,.35)"
    return f"background:linear-gradient(90deg,{colour} {share:.0%},transparent {share:.0%})"
