"""Options of `plan` about effects, and what it says of schedulers."""

import os

import pytest

from search_spaces import Study
from search_spaces.loading.study import study_from
from search_spaces.study import PowerRequirement
from sweep.commands.plan import cores, question, schedulers
from sweep.errors import UsageError
from tests.support.toys import toy


def test_schedulers_are_told_with_their_block_and_their_grace():
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}
    blocks = [
        {"name": "a", "cell": cell, "space": {"seed": {"grid": [0, 1]}}, "scheduler": {"kind": "median", "grace": 3}},
        {"name": "b", "cell": cell, "space": {"seed": {"grid": [0, 1]}}},
    ]
    (said,) = map(str, schedulers(study_from({"name": "s", "blocks": blocks}, "s.yaml")))
    assert said == (
        "Scheduler median of block a stops cells from generation 3 on; all figures are upper bounds: those of a study "
        "none of whose cells is stopped."
    )
    assert schedulers(Study(name="s", blocks=toy().blocks)) == []


@pytest.mark.parametrize(
    "asked", [{"on": "gap"}, {"truth": "inverse"}, {"deviation": 0.5}, {"on": "verdict", "truth": "logarithm"}]
)
def test_options_about_an_effect_are_refused_without_one(asked):
    given = {"on": "growth", "truth": "line", "power": 0.8, "deviation": None} | asked
    with pytest.raises(UsageError) as refused:
        question(None, **given)
    assert str(refused.value) == (
        "--effect: say which effect, as --effect 0.5; --on, --truth and --deviation are about it"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"power": 2.0}, "--power: input should be less than 1, not 2.0"),
        ({"effect": 0.0}, "--effect: input should be greater than 0, not 0.0"),
        ({"on": "grwth"}, "--on: "),
        ({"truth": "lines"}, "--truth: "),
        ({"deviation": -1.0}, "--deviation: input should be greater than 0, not -1.0"),
    ],
)
def test_an_option_that_can_not_be_is_refused_by_its_name(asked, said):
    given = {"effect": 0.5, "on": "growth", "truth": "line", "power": 0.8, "deviation": None} | asked
    with pytest.raises(UsageError) as refused:
        question(**given)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_an_effect_alone_asks_for_four_fifths_of_power_and_no_effect_asks_nothing():
    assert question(0.5, "growth", "line", 0.8, None) == PowerRequirement(effect=0.5)
    assert question(None, "growth", "line", 0.9, None) is None


def test_trials_at_a_time_are_by_default_the_cores_that_this_process_may_use():
    assert cores() == len(os.sched_getaffinity(0))
