"""The rules one by one, at their borders, and in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.stats import Interval
from analysis.verdicts.rules import BAD, EXPLAINED, GOOD, WORDS, Evidence, Thresholds, judge

LIMITS = Thresholds(confidence=0.9, min_runs=4, min_generations=5, vanished=0.2, separated=0.25)
NONE = Interval(np.nan, np.nan, np.nan, np.nan, 0, np.nan)


def evidence(low: float = 0.1, runs: int = 4, **fields: Any) -> Evidence:
    """Growth that is shown, of nothing that is excluded, and above every margin."""
    growth = Interval(low + 0.1, low, low + 0.2, 0.05, runs, 0.01)
    given: dict[str, Any] = {"left": np.nan, "highest": 9.0, "margin": 1.0, "scale": 1.0, "generations": 5}
    return Evidence(growth=growth, ratio=NONE, **given | fields)


def word(found: Evidence, **fields: float) -> str:
    return judge(found, LIMITS, **fields).word


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"diverged": 1, "separated": 1.0, "runs": 1}, "diverged"),
        ({"separated": 0.25, "runs": 1}, "separated"),
        ({"separated": 0.24}, "rises"),
        ({"runs": 3, "p_collapses": 0.0}, "undecided"),
        ({"low": np.nan, "p_collapses": 0.0}, "undecided"),
        ({"left": 0.19}, "collapses"),
        ({"left": 0.2}, "rises"),
        ({"left": 0.19, "generations": 4}, "rises"),
        ({"left": 0.19, "low": 0.0}, "undecided"),
        ({"p_collapses": 0.099, "p_levels": 0.0}, "collapses"),
        ({"p_collapses": 0.101}, "rises"),
        ({"p_collapses": 0.0, "generations": 4}, "rises"),
        ({"p_collapses": 0.0, "low": 0.0}, "undecided"),
        ({"p_levels": 0.099, "highest": 1.0}, "levels off"),
        ({"p_levels": 0.101, "highest": 1.0}, "grows slowly"),
        ({"p_levels": 0.0, "generations": 4, "highest": 1.0}, "grows slowly"),
        ({"highest": 1.0, "low": 0.0}, "stable"),
        ({"highest": 1.0, "low": -0.3}, "stable"),
        ({"highest": 1.01, "low": -0.3}, "undecided"),
        ({"highest": np.nan}, "rises"),
        ({}, "rises"),
    ],
    ids=str,
)
def test_a_rule_holds_up_to_its_border(fields: dict[str, Any], expected: str) -> None:
    assert word(evidence(**fields)) == expected


def test_p_values_that_are_given_replace_those_of_the_evidence() -> None:
    both = evidence(p_collapses=0.0, p_levels=0.0)
    assert word(both) == word(both, p_levels=0.0) == "collapses"
    assert word(both, p_collapses=0.2) == "levels off"
    assert word(both, p_collapses=0.2, p_levels=0.2) == "rises"
    assert word(evidence(p_collapses=1.0), p_collapses=0.0) == "collapses"


def test_reasons_say_by_what_a_word_came() -> None:
    def reason(**fields: Any) -> str:
        return judge(evidence(**fields), LIMITS).reason

    assert reason(diverged=2) == "2 recursions went to infinity or to no number"
    assert reason(separated=0.5) == "labels are fitted perfectly in 50% of recursions"
    assert reason(runs=3) == "too few seeds (3 of 4)"
    assert reason(low=np.nan) == "no interval"
    assert reason(left=0.1) == "less than 20% of it is left"
    assert reason(highest=0.5) == "it grows, by little, at most 0.5 (margin 1)"
    assert reason(highest=0.5, low=-1.0) == "no rise is shown, at most 0.5 (margin 1)"
    assert reason() == "not clear whether it levels off"
    assert reason(generations=4, more="ask again") == "too few generations to tell whether it levels off; ask again"
    assert reason(low=-1.0) == "a rise of 9 is not excluded (margin 1)"
    assert reason(diverged=1) == "1 recursion went to infinity or to no number"


def test_what_falls_for_the_worse_is_said_to_fall() -> None:
    def reason(**fields: Any) -> str:
        return judge(evidence(falls=True, **fields), LIMITS).reason

    assert reason(p_collapses=0.0) == "falls, and every bounded law is excluded"
    assert reason(p_levels=0.0) == "fell, and every diverging law is excluded"
    assert reason(highest=0.5) == "it falls, by little, at most 0.5 (margin 1)"
    assert reason(highest=0.5, low=-1.0) == "no fall is shown, at most 0.5 (margin 1)"
    assert reason(low=-1.0) == "a fall of 9 is not excluded (margin 1)"


def test_every_word_is_explained_and_none_is_good_and_bad() -> None:
    assert set(EXPLAINED) == set(WORDS)
    assert not BAD & GOOD
    assert set(WORDS) > BAD | GOOD


def test_a_level_changes_no_word() -> None:
    one = evidence(p_collapses=0.05)
    assert judge(one, LIMITS) == judge(replace(one, scale=1e6), LIMITS)
