"""The language that labkit speaks: Chinese or English. Leans on nothing.

Every message stands where it is used, in both languages: `tr("没有文件", "no file")` gives the one in force.
"""

import locale
import os

_chosen: str | None = None


def language(code: str | None = None) -> str:
    """The language in force, "zh" or "en"; with a code, choose it for this session.

    >>> language("en")
    'en'

    Without a choice the environment variable LABKIT_LANG decides, then the system's locale, then English.
    """
    global _chosen
    if code is not None:
        if code not in ("zh", "en"):
            raise ValueError(f"language {code!r}: labkit speaks 'zh' and 'en'")
        _chosen = code
    if _chosen:
        return _chosen
    names = (os.environ.get(name) for name in ("LABKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))
    wanted = next((name for name in names if name), None) or system_locale()
    return "zh" if wanted.lower().startswith(("zh", "chinese")) else "en"


def system_locale() -> str:
    """What Windows and macOS know without an environment variable; "" where they don't say."""
    try:
        return locale.getlocale()[0] or ""
    except ValueError:  # a locale that Python has no name for
        return ""


def tr(zh: str, en: str) -> str:
    """The Chinese or the English wording, by the language in force."""
    return zh if language() == "zh" else en


def listing(words, limit: int = 8) -> str:
    """A short enumeration for messages: `a, b, c … (12)`."""
    words = [str(w) for w in words]
    mark = tr("、", ", ")
    return mark.join(words) if len(words) <= limit else f"{mark.join(words[:limit])} … ({len(words)})"
