"""The account of a hunt and of a tuning: every sentence, no more than was done, and names that tell settings apart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from analysis.data import settings
from analysis.report import Candidate, Hunt, hunt_section, tuning_section
from analysis.verdicts import share_bound


def candidate(rate: float = 3.0, p: float = 0.01, confirmed: bool = True, **more: Any) -> Candidate:
    held = {"explored": 0.5, "effect": 0.4, "low": 0.3, "high": 0.5, "p": p, "p_holm": p, "runs": 8}
    return Candidate({"family.rate": rate, "policy.kind": "mix"}, **held | {"confirmed": confirmed} | more)


def hunt(**changed: Any) -> Hunt:
    fields = {
        "claim": "mix stays bounded",
        "name": "",
        "samples": 30,
        "tried": 28,
        "unjudged": 0,
        "seeds": 3,
        "fresh": 8,
    }
    fields |= {"alpha": 0.1, "region": {"rows": "uniform [1, 2]", "family.rate": "choice"}, "independent": 10}
    return Hunt(**fields | {"suspicious": 0, "finished": True} | changed)


TRIED = "28 of 30 configurations were tried on 3 seeds each"


def test_an_unfinished_hunt_says_how_far_it_is_and_nothing_else() -> None:
    assert hunt(finished=False, unjudged=2, candidates=(candidate(),)).sentences == [
        "Claim: mix stays bounded. Outcome: unfinished.",
        f"{TRIED} (2 more can't be judged: a run failed, or the mean is infinite); the search is not finished.",
        "Counterexample: rate=3, policy.kind=mix; against the claim by +0.40 [+0.30, +0.50] of the first loss on fresh "
        "seeds (0 or less where it holds), "
        "adjusted p 0.01.",
    ]


def test_a_claim_that_stood_has_a_bound_on_what_was_not_seen() -> None:
    bound = share_bound(10, 0, 0.9)
    first, searched, rest = hunt().sentences
    assert (first, searched) == (
        "Claim: mix stays bounded. Outcome: not refuted.",
        f"{TRIED}; none spoke against it, so that none was run again.",
    )
    assert bound == pytest.approx(1 - 0.1 ** (1 / 10))
    assert rest == (
        "No counterexample was confirmed in the region rows uniform [1, 2]; family.rate choice. By its 10 independent "
        f"draws, a hunt like this one would refute the claim in at most {bound:.0%} of the region, as drawn (90% "
        "confidence, rule of three); an effect too small for 3 and 8 seeds is not excluded anywhere."
    )
    assert "(90% confidence, 3 not retested count against it)" in hunt(suspicious=3).sentences[-1]
    assert hunt(suspicious=3).bound == share_bound(10, 3, 0.9)
    assert (
        hunt(independent=0)
        .sentences[-1]
        .endswith("choice. No independent draw could be judged, so that nothing is said of the rest of the region.")
    )


def test_a_retest_that_refutes_nothing_is_said_with_its_level() -> None:
    held = hunt(candidates=(candidate(confirmed=False), candidate(4.0, confirmed=False)))
    assert held.outcome == "not refuted"
    assert held.sentences[1] == (
        f"{TRIED}; the 2 strongest of those that spoke against it were run again on 8 seeds that the search never saw, "
        "at a level of 10% over all of them (Holm)."
    )
    assert held.bound is not None


def test_a_refuted_claim_lists_what_stood_and_no_bound() -> None:
    held = hunt(candidates=(candidate(), candidate(4.0, 0.9, confirmed=False), candidate(5.0)))
    assert (held.outcome, held.bound) == ("refuted", None)
    assert [one.values["family.rate"] for one in held.confirmed] == [3.0, 5.0]
    assert [said.split(";")[0] for said in held.sentences[2:]] == [
        "Counterexample: rate=3, policy.kind=mix", "Counterexample: rate=5, policy.kind=mix"
    ]  # fmt: skip


def test_tags_bear_the_name_of_their_block() -> None:
    held = hunt(name="b", candidates=(candidate(), candidate(4.0, confirmed=False)))
    tags = held.tags()
    assert {name: tags[f"falsify.b.{name}"] for name in ("claim", "outcome", "searched", "retested")} == {
        "claim": "mix stays bounded", "outcome": "refuted", "searched": "28", "retested": "2"
    }  # fmt: skip
    assert json.loads(tags["falsify.b.counterexamples"]) == [
        {"values": {"family.rate": 3.0, "policy.kind": "mix"}, "effect": 0.4, "p_holm": 0.01}
    ]
    assert set(hunt().tags()) == {
        f"falsify.{n}" for n in ("claim", "outcome", "searched", "retested", "counterexamples")
    }


def test_the_section_tells_every_hunt_and_tabulates_what_was_tested() -> None:
    lost = candidate(4.0, 1.0, confirmed=False, effect=np.nan, low=np.nan, high=np.nan, runs=0)
    section = hunt_section([hunt(candidates=(candidate(p=1e-6), lost)), hunt(claim="other")])
    assert section is not None
    assert len(section.text) == 3 + 3 + 1
    (exhibit,) = section.exhibits
    assert exhibit.shown.to_numpy().tolist() == [
        ["mix stays bounded", "rate=3, policy.kind=mix", "0.5", "+0.40 [+0.30, +0.50]", 8, "< 0.0001", "confirmed"],
        ["mix stays bounded", "rate=4, policy.kind=mix", "0.5", "", 0, "1", "no"],
    ]
    assert list(exhibit.table.columns) == [
        "claim", "configuration", "explored", "effect", "low", "high", "runs", "p", "p_holm", "confirmed"
    ]  # fmt: skip
    alone = hunt_section([hunt()])
    assert alone is not None
    assert alone.exhibits == []


def test_configurations_that_differ_in_the_fourth_digit_have_two_names() -> None:
    """Three digits named both candidates alike, in the table and in the sentences."""
    held = hunt(candidates=(candidate(0.30012), candidate(0.30049), candidate(2.0)))
    names = ["rate=0.3001, policy.kind=mix", "rate=0.3005, policy.kind=mix", "rate=2, policy.kind=mix"]
    assert held.titles == held.table()["configuration"].tolist() == names
    assert [said.partition(": ")[2].partition(";")[0] for said in held.sentences[2:]] == names


def test_settings_are_told_apart_by_path_and_other_values_stand_as_they_are() -> None:
    rows: list[dict[str, Any]] = [
        {"family.a": 0.1234, "b": 0.1234, "c": [1, 2], "d": None, "e": True},
        {"family.a": 0.1235, "b": 9.0, "c": {"x": 1}, "e": 1.0},
        {},
    ]
    assert settings(rows) == [
        "a=0.1234, b=0.123, c=[1, 2], d=, e=True",
        "a=0.1235, b=9, c={'x': 1}, e=1",
        "",
    ]
    assert settings([]) == []


def setting(size: float, rate: float, loss: float | None, chosen: bool = False, block: str = "") -> dict[str, Any]:
    return {
        "block": block,
        "size": {"family.width": size},
        "values": {"family.rate": rate},
        "loss": loss,
        "chosen": chosen,
    }


def test_what_was_tuned_is_a_row_a_size_and_setting() -> None:
    """A loss that is not known yet is empty; it was called diverged."""
    rows = [setting(0.50001, 0.1, 1.23456, True), setting(0.50002, 0.1, None), setting(0.50002, 0.2, np.inf)]
    section = tuning_section(rows)
    assert section is not None
    (exhibit,) = section.exhibits
    assert exhibit.shown.to_dict("records") == [
        {"size": "width=0.50001", "rate": 0.1, "chosen": "chosen", "validation_loss": "1.23"},
        {"size": "width=0.50002", "rate": 0.1, "chosen": "", "validation_loss": ""},
        {"size": "width=0.50002", "rate": 0.2, "chosen": "", "validation_loss": "diverged"},
    ]
    assert tuning_section([]) is None
    named = tuning_section([setting(1.0, 0.1, 1.0, block="b")])
    assert named is not None
    assert named.exhibits[0].table["block"].tolist() == ["b"]
