"""What runs say, as plain data."""

import math

import pytest

from sweep.scheduling import Job
from sweep.scheduling.job import Failure
from sweep.tracking.schema import TAG, differences, flatten, identity_tags, state_tags, summary_of
from trainables import Cell

CELL = Cell.model_validate(
    {"family": {"kind": "linear", "dim": 7}, "policy": {"kind": "accumulate"}, "generations": 3, "rows": 20, "seed": 5}
)


@pytest.mark.parametrize(
    ("losses", "shown"),
    [
        ({}, {}),
        ({1: 2.0}, {}),
        ({3: 8.0, 1: 2.0, 2: 2.0}, {"growth": 3.0, "growth_ratio": 4.0}),
        ({1: -2.0, 3: -4.0}, {"growth": -1.0}),
        ({1: 0.0, 2: 1.0}, {"growth": 1.0}),
    ],
)
def test_a_curve_is_shown_by_its_slope_and_its_ratio(losses, shown):
    assert summary_of(losses) == pytest.approx(shown)


def test_nested_fields_have_dotted_names_and_empty_ones_stay():
    value = {"a": {"b": {"c": 1}, "d": [2]}, "e": {}, "f": None}
    assert flatten(value) == {"a.b.c": 1, "a.d": [2], "e": {}, "f": None}


def test_figures_differ_where_they_are_missing_or_others():
    stored = {("loss", 1): 1.0, ("loss", 2): 2.0, ("kl", 1): math.nan, ("kl", 2): math.nan, ("tail", 1): 3.0}
    shown = {("loss", 1): 1.0, ("loss", 2): 2.5, ("kl", 1): math.nan, ("own", 1): 9.0, ("tail", 1): math.nan}
    found = differences("r", shown, stored)
    assert [(d.metric, d.generation, d.shown) for d in found][:2] == [("loss", 2, 2.5), ("kl", 2, None)]
    assert (found[2].metric, found[2].stored) == ("tail", 3.0)
    assert len(found) == 3
    assert str(found[0]) == "run r: loss of generation 2 was 2.5, is 2"
    assert str(found[1]) == "run r: kl of generation 2 was missing, is nan"


def job(**fields):
    return Job(CELL, CELL.key, {}, **fields)


def test_a_runs_tags_name_its_cell():
    tags = identity_tags("study", job())
    wanted = {"study": "study", "family": "linear", "policy": "accumulate", "size": "dim 7", "seed": "5"}
    assert wanted.items() <= tags.items()
    assert (tags["cell"], tags["architecture"]) == (CELL.key, "")


@pytest.mark.parametrize(
    ("status", "shown"), [("waiting", "stopped"), ("stopped", "stopped_early"), ("running", "running")]
)
def test_a_run_says_where_its_cell_stands(status, shown):
    tags = state_tags(job(status=status, done=2))
    assert (tags["status"], tags["generations"], tags["reason"], tags["error"]) == (shown, "2", "", "")
    assert Cell.model_validate_json(tags["config"]) == CELL


@pytest.mark.parametrize(
    ("failure", "generation", "error"),
    [(Failure("x" * 9000, 3), "3", "diverged"), (Failure("x" * 9000, None, final=False), "", "unexpected")],
)
def test_a_failed_run_says_why_as_far_as_a_tag_holds(failure, generation, error):
    tags = state_tags(job(status="failed", failure=failure))
    assert tags["reason"] == "x" * TAG
    assert (tags["failed_generation"], tags["error"]) == (generation, error)
