"""The form for reporting a problem is one that GitHub shows, in both languages, and asks for what a command prints."""

import re
from pathlib import Path

import pytest
import yaml

from labkit.cli.arguments import arguments

PATH = Path(__file__).resolve().parents[2] / ".github" / "ISSUE_TEMPLATE" / "bug.yml"
FORM = yaml.safe_load(PATH.read_text(encoding="utf-8"))
ASKED = [part for part in FORM["body"] if part["type"] != "markdown"]


def test_it_has_what_github_requires():
    assert FORM.keys() <= {"name", "description", "title", "labels", "assignees", "projects", "type", "body"}
    assert FORM["name"] and FORM["description"] and ASKED
    assert {part["type"] for part in FORM["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert len({part["id"] for part in ASKED}) == len(ASKED)
    for part in FORM["body"]:
        assert part.keys() <= {"type", "id", "attributes", "validations"}
        assert part["attributes"]["value" if part["type"] == "markdown" else "label"]


@pytest.mark.parametrize("part", FORM["body"], ids=lambda part: part.get("id", part["type"]))
def test_every_part_speaks_chinese_and_english(part):
    words = " ".join(str(part["attributes"].get(key, "")) for key in ("label", "description", "value"))
    assert re.search("[\u4e00-\u9fff]", words) and re.search("[a-z]{3} [a-z]{2}", words)


def test_it_is_short_and_the_output_of_the_doctor_is_required():
    assert len(ASKED) <= 4
    (doctor,) = [part for part in ASKED if part["attributes"].get("render") == "json"]
    assert doctor["validations"] == {"required": True}


def test_the_commands_it_names_exist_and_one_of_them_names_the_form(capsys):
    from labkit.cli.commands import main

    named = set(re.findall(r"labkit (\w+) (--\w+)", PATH.read_text(encoding="utf-8")))
    assert named == {("doctor", "--json")}
    assert arguments().parse_args(["doctor", "--json"]).json
    assert main(["doctor"]) == 0
    assert f"“{FORM['name']}”" in capsys.readouterr().out
