"""Two small pages of a service: one to try the model on, one that says what may be asked. They load nothing from elsewhere."""

import base64
import hashlib
import json
import re
from html import escape
from typing import Any

from labkit.base import recording
from labkit.base.files import ASSETS
from labkit.base.language import listing, tr
from labkit.deploy.requests import FORM, JSON

WORDS = {  # of the page to try the model on: Chinese, English
    "title": ("labkit · 试一试", "labkit · try it"),
    "heading": ("试一试", "Try it"),
    "pages": ("页面", "pages"),
    "interface": ("接口", "interface"),
    "first": ("一段文本", "a text"),
    "picture": ("一张图片", "a picture"),
    "sound": ("一个声音文件", "a sound file"),
    "second": ("另一段", "another text"),
    "token": ("令牌", "token"),
    "ask": ("问", "Ask"),
    "answer": ("答案", "Answer"),
    "probabilities": ("各类别的概率", "the probability of every label"),
    "why": ("哪些字决定了答案", "What decided it"),
    "where": ("哪些地方决定了答案", "What decided it"),
    "for": ("支持 {}", "for {}"),
    "against": ("反对 {}", "against {}"),
    "sum": (
        "各字的分数，从遮住全文时的对数几率 {} 加到看见全文的 {}",
        "the scores lead from log-odds of {}, with every token hidden, to {} for the text",
    ),
    "whole": (
        "各处的分数，从什么也没有时的对数几率 {} 加到整个输入的 {}",
        "the scores lead from log-odds of {}, with nothing there, to {} for the whole",
    ),
    "untrue": (
        "没有通过删除检验：按它的次序遮住，答案并不比随便遮消失得快。",
        "Fails the deletion test: hidden in its order, the answer goes no sooner than in a random one.",
    ),
    "gone": ("服务没有回答", "the service does not answer"),
}
STYLE = """
:root { color-scheme: light dark; --line: #d5dae1; --field: #f6f8fa; --soft: #5b6675; --link: #2f649c }
@media (prefers-color-scheme: dark) { :root { --line: #363f4b; --field: #1d232b; --soft: #9aa6b5; --link: #8db9e6 }
  body { background: #15191f; color: #e6eaf0 } }
body { font: 16px/1.55 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1.2rem }
h1 { font-size: 1.45rem } h2 { font-size: 1.1rem; margin-top: 2rem; border-top: 1px solid var(--line); padding-top: 1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem } a { color: var(--link) } .soft { color: var(--soft) }
pre { background: var(--field); border: 1px solid var(--line); border-radius: .45rem; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
td { padding: .15rem 1rem .15rem 0; vertical-align: top }
"""


def try_html(task, code: str, *, token: bool, explains: bool, most: int) -> str:
    """The page at `/`, in Chinese ("zh") or English ("en"); a file that it sends has at most so many bytes."""
    words = {name: pair[code != "zh"] for name, pair in {**WORDS, **recording.WORDS}.items()}
    kinds = task.modality.suffixes
    other = "en" if code == "zh" else "zh"
    labels = listing(task.labels) if task.labels else ""
    about = {
        "zh": f"任务 {task.name}" + (f"，标签：{labels}" if labels else ""),
        "en": f"task {task.name}" + (f", labels: {labels}" if labels else ""),
    }
    pair = "<TAB>" in task.modality.example()
    data = {"words": words, "pair": pair, "token": token, "explains": explains, "kinds": kinds, "most": most}
    data["seconds"] = recording.SECONDS if ".wav" in kinds else 0
    words |= {"lang": code, "other": other, "other_name": {"zh": "中文", "en": "English"}[other], "about": about[code]}
    filled = {name: escape(text) for name, text in words.items()}
    filled["file"] = escape(words["sound" if ".wav" in kinds else "picture"])
    if kinds:
        filled["why"] = escape(words["where"])
    filled["script"] = recording.script()
    filled["data"] = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    template = (ASSETS / "try.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], template)


def policy(html: str) -> str:
    """The Content-Security-Policy of a page: its own scripts and styles, by their hashes, and its own service."""
    sources = {
        tag: " ".join(f"'sha256-{sha(text)}'" for text in re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)) or "'none'"
        for tag in ("script", "style")
    }
    return (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; connect-src 'self'; "
        "img-src data: blob:; media-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def docs_html(schema: dict[str, Any], code: str) -> str:
    """What an OpenAPI description says, as a page that works without a network."""
    info = schema["info"]
    parts = [
        f'<!doctype html><html lang="{code}"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>',
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f'<p class="soft">{tr("同样的内容，供程序读", "the same for programs")}: <a href="openapi.json">openapi.json</a></p>',
    ]
    for path, ways in schema["paths"].items():
        parts += [way_html(path, method, way) for method, way in ways.items()]
    return "".join(parts) + "</body></html>"


def way_html(path: str, method: str, way: dict[str, Any]) -> str:
    """One way in: what it is for, how it is asked, what it answers."""
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(way.get('summary', ''))}</p>"]
    content = {kind: said["schema"] for kind, said in way.get("requestBody", {}).get("content", {}).items()}
    if body := content.get(JSON):
        example = json.dumps(body["example"], ensure_ascii=False).replace("'", "'\\''")
        asked = f"curl --json '{example}' http://127.0.0.1:8000{path}"
        if FORM in content:
            asked = f"curl -F file=@{content[FORM]['example']} http://127.0.0.1:8000{path}\n{asked}"
        shown = json.dumps({"properties": body["properties"]}, ensure_ascii=False, indent=1)
        parts += [f"<pre>{escape(asked)}</pre><pre>{escape(shown)}</pre>"]
    rows = [
        f"<tr><td><code>{code}</code></td><td>{escape(said.get('description', ''))}</td></tr>"
        for code, said in way["responses"].items()
    ]
    return "".join(parts) + f"<table>{''.join(rows)}</table>"
