"""The articles' claims: each has its section, its evidence stands where the table says, and own runs are judged alike."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import made_runs
import pytest

from labkit.base.language import language
from labkit.base.records import BadInput
from labkit.comparison import claims as room
from labkit.comparison.claims import GROUPS, WORDS, claims, judged
from labkit.comparison.compare import Comparison
from labkit.comparison.shipped import runs
from labkit.comparison.verdict import verdict
from labkit.strategies import name_of

ROOT = Path(__file__).resolve().parents[2]
TABLE = claims()
LOG = {
    part.partition("\n")[0].strip(): " ".join(part.split())
    for part in re.split(r"(?m)^## ", (ROOT / "docs/LOG.md").read_text("utf-8"))
}


def reference(key):
    number, name = key.split("/")
    return tomllib.loads((ROOT / f"exercises/checks/references/{number}.toml").read_text("utf-8"))[name]


@pytest.mark.parametrize("claim", TABLE, ids=lambda claim: claim.id)
def test_a_claim_has_its_section_and_its_evidence(claim):
    number, _, section = claim.section.partition(".")
    (source,) = (ROOT / "notebooks" / "src").glob(f"{number}_*.py") if section or claim.verdict != "not_yet" else [None]
    assert source is None or f"\n# ## {section} " in source.read_text("utf-8")
    proof = claim.evidence
    assert len(set(proof) - {"says"}) == 1 and (proof.get("says", True))
    if "log" in proof:
        assert [says for says in proof["says"] if " ".join(says.split()) not in LOG[proof["log"]]] == []
    for key in proof.get("references", ()):
        assert reference(key)
    if "none" in proof:
        assert claim.verdict in ("unknown", "not_yet") and claim.effect is None


@pytest.mark.parametrize("claim", [c for c in TABLE if "runs" in c.evidence], ids=lambda claim: claim.id)
def test_figures_of_shipped_runs_are_what_their_verdict_gives(claim):
    name, a, b = claim.evidence["runs"]
    shipped = runs(name)
    found = verdict([*shipped, *shipped.beside], a, b)
    told = [claim.effect, claim.low, claim.high, claim.seeds]
    assert told == [
        *(pytest.approx(100 * x, abs=0.051) for x in (found.difference, found.low, found.high)),
        found.seeds,
    ]
    if claim.verdict == "holds":
        assert claim.low > 0
    if claim.verdict == "unknown":
        assert claim.low < 0 < claim.high


@pytest.mark.parametrize(
    "claim", [c for c in TABLE if c.low is not None and len(c.evidence.get("references", ())) == 1], ids=lambda c: c.id
)
def test_figures_of_references_are_their_values_and_ranges(claim):
    row = reference(claim.evidence["references"][0])
    assert (claim.low, claim.high) == pytest.approx((row["value"] - row["within"], row["value"] + row["within"]))


def test_the_table_is_whole():
    assert {claim.verdict for claim in TABLE} <= set(WORDS) and {claim.group for claim in TABLE} == set(GROUPS)
    assert all(claim.low <= claim.effect <= claim.high for claim in TABLE if claim.low is not None)
    assert all(claim.note[0] for claim in TABLE if claim.verdict == "holds_if")  # it says on what it depends
    assert all(bool(claim.note[0]) == bool(claim.note[1]) for claim in TABLE)
    assert sum(TABLE.count().values()) == len(TABLE) >= 60


@pytest.mark.parametrize("code, words", [("en", "interval unknown"), ("zh", "区间：不知道")])
def test_it_says_where_no_interval_was_measured_and_links_to_the_section(code, words):
    language(code)
    assert words in str(TABLE) and words in TABLE._repr_html_()
    assert "02.10" in TABLE._repr_html_()


# On one's own rows


def of(id):
    return next(claim for claim in TABLE if claim.id == id)


BAD, GOOD = range(60), range(20)  # wrong on so many of 200 rows


@pytest.mark.parametrize(
    "id, a, b, word",
    [
        ("full-better", GOOD, BAD, "holds"),
        ("full-better", BAD, GOOD, "fails"),
        ("full-better", GOOD, GOOD, "unknown"),
        ("lora-full", GOOD, GOOD, "holds"),  # no worse than two points
        ("lora-full", BAD, GOOD, "fails"),
        ("lora-full", range(45), range(100, 145), "unknown"),
    ],
)
def test_a_claim_is_judged_by_the_interval(id, a, b, word):
    claim = of(id)
    both = [made_runs.run(claim.own[side], wrong, seed) for side, wrong in (("a", a), ("b", b)) for seed in (0, 1)]
    assert judged(claim, both).word == word


def test_one_seed_or_a_run_that_failed_decides_nothing():
    one = [made_runs.run("full", GOOD), made_runs.run("head", BAD)]
    assert judged(of("full-better"), one).word == "unknown"
    assert "not reached: head" in str(judged(of("full-better"), one[:1]))


def test_the_seconds_decide_how_many_seeds_and_nothing_is_judged_twice(monkeypatch):
    asked = []

    def made(strategies, rows, model, seeds, config, listen):
        name = name_of(strategies[0])
        asked.append((name, len(rows.train), *seeds))
        clock[0] += 1.0
        run = made_runs.run(name, GOOD if name == "full" else BAD, *seeds)
        return Comparison([run], [made_runs.run("tf-idf", BAD, 0, trained=False)])

    clock = [0.0]
    monkeypatch.setattr(room, "compare", made)
    monkeypatch.setattr(room.time, "monotonic", lambda: clock[0])
    mine = claims(corpus=room.reviews(), seconds=25)
    assert asked[:2] == [("head", 50, 0), ("full", 50, 0)] and 25 <= len(asked) <= 27
    assert mine.trials["full-better"].word == "holds" and mine.trials["freeze-few"].word == "fails"
    assert "on your rows" in mine._repr_html_() and "tried on" in str(mine)
    claims(corpus=room.reviews(), seconds=0)
    assert len(asked) <= 32  # two strategies of each size, whatever the time


def test_rows_to_judge_by_are_wanted():
    with pytest.raises(BadInput, match="has no test rows"):
        claims(corpus=replace(room.reviews(), test=()))
