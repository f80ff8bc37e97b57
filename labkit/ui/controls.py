"""Controls and the panels' look: a widget for each field of TrainConfig, its words in both languages, one style sheet."""

import dataclasses
from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from labkit.base.config import GROUPS, TrainConfig, plain
from labkit.base.display import number
from labkit.base.language import tr
from labkit.base.records import BadInput

AUTO = object()  # stands for None: widgets take None for "nothing chosen"
NAMES = {  # of controls that are no fields of TrainConfig: those have their words in base/config.py
    "strategy": ("策略", "strategy"),
    "corpus": ("数据", "data"),
    "k": ("顶部层数 k", "top layers k"),
    "rank": ("秩", "rank"),
    "tokens": ("前缀长度", "prefix tokens"),
    "size": ("瓶颈宽度", "bottleneck"),
    "workers": ("同时训练", "runs at once"),
}
FIELDS = {field.name: field for field in dataclasses.fields(TrainConfig)}
GRIDS = {  # stops of the sliders, within the field's own bounds; the first stands for None where the field takes None
    "epochs": (AUTO, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50),
    "lr": (AUTO, *(float(f"{k}e{e}") for e in range(-6, 0) for k in (1, 2, 5)), 1.0),
    "batch_size": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "patience": (AUTO, 1, 2, 3, 5, 10),
}
STYLE = """<style>
.labkit-panel{box-sizing:border-box;max-width:980px;padding:14px 16px 12px;margin:4px 0;overflow:hidden;
 border:1px solid var(--jp-border-color2,rgba(128,128,128,.4));border-radius:8px;
 background:var(--jp-layout-color1,transparent);color:var(--jp-ui-font-color1,inherit);
 font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);
 --jp-widgets-dropdown-arrow:url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath d='M5 7l4 4 4-4' fill='none' stroke='%23888' stroke-width='2'/%3E%3C/svg%3E")}
.labkit-panel .widget-html,.labkit-panel .jupyter-widgets{margin:0}
.labkit-panel .widget-html-content,.labkit-panel .widget-html .widget-html-content{line-height:1.45;font-size:13px;color:inherit;
 height:auto;width:100%;overflow:visible}
.labkit-panel .widget-html{height:auto;overflow:visible;color:inherit}
.labkit-panel>.labkit-style{display:none}
.labkit-panel.jupyter-widgets-disconnected::before,.labkit-panel .jupyter-widgets-disconnected::before{content:none!important;display:none!important}
.labkit-panel.jupyter-widgets-disconnected::after{display:block;margin-top:10px;opacity:.75}
.labkit-panel.jupyter-widgets-disconnected :is(.labkit-controls,.labkit-player,.labkit-stack){opacity:.55;pointer-events:none}
.labkit-head{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;padding-bottom:8px}
.labkit-head b{font-size:16px;font-weight:600}
.labkit-muted,.labkit-panel .m{opacity:.68}
.labkit-body{display:flex;flex-flow:row wrap;gap:14px 26px;align-items:flex-start;overflow:visible}
.labkit-controls{flex:1 1 240px;min-width:0;max-width:440px;overflow:visible}
.labkit-controls>.jupyter-widgets,.labkit-more .widget-box>.jupyter-widgets{width:100%;min-height:28px;margin:2px 0}
.labkit-panel .widget-label{color:inherit;font-size:13px;text-align:left}
.labkit-panel .widget-readout{color:inherit;min-width:56px;width:56px;text-align:right;border:none;font-variant-numeric:tabular-nums}
.labkit-picture{flex:2 1 518px;min-width:0;overflow:visible}
.labkit-buttons{display:flex;flex-flow:row wrap;gap:8px;margin:10px 0 4px;overflow:visible}
.labkit-panel .labkit-buttons .jupyter-button{width:auto;min-width:86px;height:30px;line-height:28px;border-radius:4px;margin:0}
.labkit-panel :focus-visible{outline:2px solid #4477aa;outline-offset:2px}
.labkit-panel svg{display:block;width:100%;max-width:540px;height:auto;overflow:visible;color:inherit;font-family:inherit}
.labkit-charts{display:flex;flex-flow:row wrap;gap:10px 18px;margin-top:8px}
.labkit-charts figure{margin:0;flex:0 1 250px;min-width:0}
.labkit-charts figure:only-child{flex-basis:440px}
.labkit-charts figcaption{display:flex;flex-wrap:wrap;gap:0 12px;padding:0 0 4px 4px;font-weight:600}
.labkit-examples{margin-top:10px}
.labkit-wide figure:only-child{flex-basis:520px}
.labkit-ticks{display:flex;flex-flow:row wrap;gap:0 14px;margin:4px 0!important;overflow:visible}
.labkit-ticks>.widget-label:first-child{flex:0 0 100%;font-weight:600}
.labkit-panel .labkit-ticks .widget-checkbox{width:auto;min-width:76px}
.labkit-panel .labkit-seeds .widget-checkbox{min-width:40px}
.labkit-panel .widget-label.labkit-group{font-weight:600;margin-top:8px}
.labkit-key{font-weight:400;white-space:nowrap}
.labkit-key i{display:inline-block;width:18px;height:0;border-top:4px solid;vertical-align:middle;margin-right:5px}
.labkit-key i.thin{border-top-width:2px}.labkit-key i.dashed{border-top-style:dashed}.labkit-key i.band,.labkit-key i.filled{border-top-width:11px}.labkit-key i.band{opacity:.4}
.labkit-bar{height:8px;border-radius:4px;background:rgba(128,128,128,.22);overflow:hidden;margin:2px 0 4px}
.labkit-bar div{height:100%;background:#4477aa}
.labkit-progress{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px;font-variant-numeric:tabular-nums;padding-bottom:10px}
.labkit-state::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:7px;background:#888}
.labkit-state.running::before{background:#4477aa}.labkit-state.done::before{background:#228833}
.labkit-state.waiting::before,.labkit-state.stopped::before{background:#ccbb44;border-radius:0}
.labkit-state.failed::before,.labkit-state.refused::before{background:#ee6677;transform:rotate(45deg);border-radius:0}
.labkit-problem{border-left:4px solid #ee6677;background:rgba(238,102,119,.12);padding:8px 12px;border-radius:0 4px 4px 0;
 white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0 2px}
.labkit-problem details{margin-top:6px;opacity:.8}.labkit-problem pre{font-size:11px;overflow-x:auto;color:inherit;background:none}
.labkit-note table{width:100%}.labkit-panel td.w{white-space:normal;overflow-wrap:anywhere}.labkit-panel .labkit-note td{border:none;vertical-align:top}
.labkit-empty{opacity:.68;padding:60px 12px;text-align:center;border:1px dashed rgba(128,128,128,.5);border-radius:4px}
.labkit-keys{padding-bottom:6px}.labkit-keys .labkit-key{margin-right:16px}
.labkit-panel .labkit-more [class*=Collapse-header]{padding:3px 8px;background:none;border:none;font-weight:400;color:inherit}
.labkit-panel .labkit-more [class*=Collapse-contents]{padding:4px 0 8px;background:none;border:none;color:inherit}
.labkit-panel .noUi-handle{background:#4477aa!important;border-color:#4477aa!important}
.labkit-panel [disabled] .noUi-handle{background:#999!important;border-color:#999!important}
.labkit-note{border-left:4px solid #4477aa;background:rgba(68,119,170,.1);padding:6px 12px;border-radius:0 4px 4px 0;margin:8px 0 2px}
.labkit-code{display:flex;gap:10px;align-items:flex-start;margin-top:10px;padding:8px 10px;border-radius:4px;background:rgba(128,128,128,.12)}
.labkit-code pre{flex:1;min-width:0;margin:0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;color:inherit;background:none;
 font:12px/1.5 var(--jp-code-font-family,ui-monospace,monospace);-webkit-user-select:all;user-select:all}
.labkit-code button{flex:none;font:12px/1.5 inherit;font-family:inherit;color:inherit;background:none;cursor:pointer;
 border:1px solid rgba(128,128,128,.5);border-radius:4px;padding:1px 10px}
.labkit-code button:active{background:rgba(128,128,128,.3)}
.labkit-panel table{border-collapse:collapse;font-size:13px;margin:4px 0;color:inherit}
.labkit-panel th,.labkit-panel td{padding:2px 10px 2px 0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;
 border-bottom:1px solid rgba(128,128,128,.25);background:none}
.labkit-panel th{font-weight:600}.labkit-panel td.t,.labkit-panel th.t{text-align:left}
.labkit-chat{display:flex;flex-flow:row wrap;gap:10px 18px}.labkit-side{flex:1 1 200px;min-width:0}
.labkit-turn{white-space:pre-wrap;overflow-wrap:anywhere;padding:6px 10px;margin:6px 0;border-radius:8px;background:rgba(128,128,128,.14)}
.labkit-turn.assistant{background:rgba(68,119,170,.16);margin-left:18px}
.labkit-scroll{overflow-x:auto;max-width:100%}
.labkit-story{padding-top:6px}.labkit-said{padding:2px 0 8px;font-size:15px;overflow-wrap:anywhere}
.labkit-caution{border-left:4px solid #ccbb44;background:rgba(204,187,68,.16);padding:4px 12px;border-radius:0 4px 4px 0;margin:4px 0 6px}
.labkit-panel button.labkit-record{font:inherit;color:inherit;width:100%;height:28px;cursor:pointer;border:none;border-radius:2px;
 background:var(--jp-layout-color2,rgba(128,128,128,.14))}
.labkit-panel button.labkit-record::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;background:#ee6677;margin-right:7px}
</style>"""


def style(dead: str) -> str:
    """The style sheet, with what a panel says where its kernel is gone."""
    return f'{STYLE}<style>.labkit-panel.jupyter-widgets-disconnected::after{{content:"{dead}"}}</style>'


def words(name: str) -> str:
    """What a control is called in the language in force."""
    return tr(*(FIELDS[name].metadata["label"] if name in FIELDS else NAMES.get(name, (name, name))))


def help_for(name: str) -> str:
    """One line on a field of TrainConfig: the text of the command line's help."""
    return tr(*FIELDS[name].metadata["help"]) if name in FIELDS else ""


def hint(widget, text: str):
    """A tooltip; ipywidgets 7 has another name for it on all but buttons."""
    modern = int(widgets.__version__.split(".")[0]) >= 8
    setattr(widget, "tooltip" if modern or isinstance(widget, widgets.Button) else "description_tooltip", text)
    return widget


def named(widget, name: str, help: str = ""):
    """A control as panels show it: as wide as its column, its own CSS class, one line of help on hover."""
    widget.layout.width = "100%"
    if hasattr(widget.style, "description_width"):
        widget.style.description_width = tr("5.6em", "7.6em")
    widget.add_class(f"labkit-{name.replace('_', '-')}")
    return hint(widget, help) if help else widget


def choice(name: str, options, value, description: str, help: str = "", slider: bool = False, none: str = ""):
    """A slider with named stops, or a drop-down list; `options` are values, or values with what each is called."""
    called = {v: tr(*told) for v, told in options.items()} if isinstance(options, dict) else {}
    shown = [(none if v is AUTO else called.get(v) or spelled(v), v) for v in options]
    if slider:
        made = widgets.SelectionSlider(options=shown, value=value, description=description)
    else:
        made = widgets.Dropdown(options=shown, value=value, description=description)
    return named(made, name, help)


def control(name: str) -> Any:
    """The widget for a field of TrainConfig, within the field's bounds and at its default."""
    field = FIELDS[name]
    rule, label, help = field.metadata, words(name), help_for(name)
    default = AUTO if field.default is None else field.default
    if name in GRIDS:
        stops = [v for v in GRIDS[name] if v is AUTO or rule["low"] <= v <= rule["high"]]
        none = tr("不用", "off") if name == "patience" else tr("默认", "default")
        return choice(name, stops, default, label, help, slider=True, none=none)
    if rule["choices"]:
        return choice(name, rule["choices"], default, label, help)
    if field.type is bool:
        return named(widgets.Checkbox(value=default, description=label, indent=True), name, help)
    kind = widgets.IntText if plain(field.type) is int else widgets.FloatText  # bounded ones clip without a word
    bounds = tr(f"（{rule['low']:g} 到 {rule['high']:g}）", f" ({rule['low']:g} to {rule['high']:g})")
    return named(kind(value=default, description=label), name, help + bounds)


def groups(names: Sequence[str], found: dict[str, Any]) -> list:
    """Controls under the headings of their groups: basics, optimizer, memory."""
    parts = []
    for group, title in GROUPS.items():
        inside = [found[name] for name in names if FIELDS[name].metadata["group"] == group]
        if inside:
            parts += [widgets.Label(tr(*title)), *inside]
            parts[-1 - len(inside)].add_class("labkit-group")
    return parts


def read(widget) -> Any:
    """The value that a control stands for."""
    return None if widget.value is AUTO else widget.value


def told(widget) -> str:
    """Where a control stands, in its own words; ipywidgets 7 and 8 know no label of a value that was there from the start."""
    labels = (label for label, value in getattr(widget, "options", ()) if value == widget.value)
    return next(labels, "") or spelled(widget.value)


def config_of(settings: dict[str, Any]) -> TrainConfig:
    """The config that the controls stand for. BadInput, with the control's own name, where there is none."""
    try:
        return TrainConfig(**{name: read(settings[name]) for name in FIELDS if name in settings})
    except BadInput as error:
        name, _, rest = str(error).partition("=")  # "warmup=1.0 won't do …" is what Python is told
        raise BadInput(f"{words(name)} {rest}") from None


def spelled(value) -> str:
    return number(value) if isinstance(value, float) else str(value)


def html(name: str, value: str = "") -> Any:
    """A place for text or a picture."""
    made = widgets.HTML(value=value, layout=widgets.Layout(width="auto"))
    made.add_class(f"labkit-{name}")
    return made


def code(source: str) -> str:
    """Python source that one click copies, and one click on it selects."""
    take = "getSelection().selectAllChildren(this.previousElementSibling);document.execCommand('copy')"
    label = tr("复制", "Copy")
    return (
        f'<div class="labkit-code"><pre tabindex="0">{escape(source)}</pre>'
        f'<button type="button" onclick="{take}">{label}</button></div>'
    )


def tick_row(kind: str, title: str, ticks: dict[str, widgets.Checkbox]) -> widgets.HBox:
    """Boxes to tick behind their title; `kind` is the row's CSS class, "labkit-strategies"."""
    row = widgets.HBox([widgets.Label(title), *ticks.values()])
    row.add_class("labkit-ticks")
    row.add_class(f"labkit-{kind}")
    return row
