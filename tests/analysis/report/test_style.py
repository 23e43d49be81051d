"""Colours: a policy's own in every picture, and none twice while there are others."""

from typing import get_args

from analysis.report import style
from trainables.policies import POLICIES, Color


def test_a_policy_looks_alike_whatever_stands_beside_it() -> None:
    alone = {kind: style.looks([kind])[kind] for kind in POLICIES}
    beside = style.looks(["replace", "verified", "fresh_mix"])
    assert beside == {kind: alone[kind] for kind in ("replace", "verified", "fresh_mix")}
    assert alone["replace"].color == style.SERIES[get_args(Color).index("orange")]


def test_of_two_with_one_colour_the_later_takes_a_free_one() -> None:
    found = style.looks(["replace", "biased_sampling", "accumulate"])
    assert found["replace"] == style.looks(["replace"])["replace"]
    assert len({look.color for look in found.values()}) == len({look.marker for look in found.values()}) == 3


def test_all_policies_at_once_are_told_apart() -> None:
    labels = [*POLICIES, "ratio_mix(ratio=0.1)", "somebody's own", "another"]
    found = style.looks(labels)
    assert len(set(found.values())) == len(labels)
    assert len({look.color for look in found.values()}) == len(style.SERIES)


def test_every_colour_has_a_look_by_day_and_by_night() -> None:
    assert len(get_args(Color)) == len(style.SERIES) == len(style.MARKERS)
    assert set(style.SERIES) <= set(style.DARK)
