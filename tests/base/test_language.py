"""labkit speaks Chinese or English: as chosen, else as the environment says, else as the system does."""

import pytest

from labkit.base import language as module
from labkit.base.language import language, listing, tr


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """No choice, no environment, a system that says nothing."""
    monkeypatch.setattr(module, "_chosen", None)
    monkeypatch.setattr(module.locale, "getlocale", lambda: (None, None))
    for name in ("LABKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "environment, spoken",
    [
        ({}, "en"),
        ({"LABKIT_LANG": "zh"}, "zh"),
        ({"LABKIT_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LABKIT_LANG": "", "LANG": "ZH"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_environment_decides(monkeypatch, environment, spoken):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == spoken and tr("你好", "hello") == {"zh": "你好", "en": "hello"}[spoken]


@pytest.mark.parametrize("system, spoken", [("Chinese (Simplified)_China", "zh"), ("zh_CN", "zh"), ("en_GB", "en")])
def test_without_environment_the_system_decides(monkeypatch, system, spoken):
    monkeypatch.setattr(module.locale, "getlocale", lambda: (system, "UTF-8"))
    assert language() == spoken


def test_a_system_that_python_has_no_name_for_means_english(monkeypatch):
    def unknown():
        raise ValueError("unknown locale: UTF-8")

    monkeypatch.setattr(module.locale, "getlocale", unknown)
    assert language() == "en"


def test_a_choice_holds_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", "en")
    assert language("zh") == "zh" and language() == "zh" and tr("甲", "a") == "甲"
    assert language("en") == "en" and tr("甲", "a") == "a"


def test_an_unknown_language_is_refused_and_changes_nothing():
    with pytest.raises(ValueError, match="labkit speaks 'zh' and 'en'"):
        language("de")
    assert language() == "en"


def test_a_listing_is_short_and_says_how_many():
    assert listing(["a", 1, None]) == "a, 1, None"
    assert listing(range(20), limit=3) == "0, 1, 2 … (20)"
    assert listing([]) == "" and listing({"x": 1}) == "x"
    language("zh")
    assert listing(["甲", "乙"]) == "甲、乙"
