"""Attributions as HTML: tokens coloured by what they add. The figure (plots.attribution) has its colours from here."""

from collections.abc import Sequence
from html import escape

from labkit.base.display import box
from labkit.inspection.hiding import warning

FOR, AGAINST = (68, 119, 170), (238, 102, 119)  # blue and red of Paul Tol's bright scheme, told apart by everybody
DEEPEST = 0.62  # the ground at its strongest still lets black or white letters be read
STYLE = (
    "<style>.labkit-tokens{line-height:2.1;font-size:15px;overflow-wrap:anywhere;margin:2px 0 8px}"
    ".labkit-tokens span{padding:3px 1px;border-radius:3px;white-space:pre-wrap}"
    ".labkit-tokens .s{opacity:.55;font-size:11px;padding:3px 4px}"
    ".labkit-tokens .n{box-shadow:inset 0 -3px 0 rgba(238,102,119,.9)}.labkit-tokens .y{box-shadow:inset 0 -3px 0 rgba(68,119,170,.9)}"
    "</style>"
)


def attribution_html(attribution, top: float | None = None) -> str:
    """One attribution for a notebook: the answer, the tokens on their colours, and what the colours mean."""
    answer = ", ".join(f"{escape(name)} {p:.3f}" for name, p in attribution.probabilities.items())
    head = f"<div><b>{escape(attribution.predicted)}</b> <span class=m>({answer})</span></div>"
    note = warning(getattr(attribution, "truthful", None))
    return box(head, tokens_html(attribution, top), f"<div>{note}</div>" if note else "")


def tokens_html(attribution, top: float | None = None) -> str:
    """The tokens of an attribution, each on a ground as deep as its score; `top` is the score of the deepest ground.

    Tokens that matter have a line below as well, so that the picture can be read without its colours.
    """
    top = top or strongest([attribution])
    spans = []
    for token, score, special in zip(attribution.tokens, attribution.scores, attribution.special, strict=True):
        if special:
            spans.append(f'<span class="s">{escape(token)}</span>')
            continue
        share = min(abs(score) / top, 1.0)
        kind = "" if share < 0.3 else "y" if score > 0 else "n"
        ground = f"background:rgba({','.join(map(str, FOR if score > 0 else AGAINST))},{DEEPEST * share:.2f})"
        spans.append(f'<span class="{kind}" style="{ground}" title="{score:+.2f}">{escape(token)}</span>')
    return f'{STYLE}<div class="labkit-tokens">{"".join(spans)}</div>'


def strongest(attributions: Sequence) -> float:
    """The largest score, for or against, of several attributions: what their colours share."""
    return max((abs(s) for one in attributions for s in one.scores), default=0.0) or 1.0
