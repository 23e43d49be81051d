"""The contract of definitions of collapse catches a definition that breaks any of its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.definitions import Case, Definition, Measure, definition
from analysis.testing import DEFINITION_CHECKS, make_case
from analysis.testing.definitions import GENERATIONS, RUNS, _noisy

CHECKS: dict[str, Callable[[Definition, str], None]] = {check.__name__: check for check in DEFINITION_CHECKS}
SOUND = definition("any_increase")
BELOW = definition("lost_tail")


def measured(low: float, high: float, boundary: float = 0.0, **more: Any) -> Callable[[Case, float], Measure]:
    """Whatever the case, this interval."""

    def measure(case: Case, threshold: float) -> Measure:
        runs = len(next(iter(case.curves.values())).values)
        return Measure((low + high) / 2, low, high, boundary, runs=runs, **more)

    return measure


@pytest.mark.parametrize("check", list(CHECKS))
def test_a_sound_definition_keeps_every_promise(check: str) -> None:
    CHECKS[check](SOUND, "test_loss")
    CHECKS[check](BELOW, "tail_coverage")


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"name": "any increase"},
        {"title": ""},
        {"statistic": ""},
        {"meaning": ""},
        {"grid": (SOUND.threshold, SOUND.threshold)},
        {"grid": (SOUND.threshold,)},
        {"threshold": max(SOUND.grid) + 1},
        {"threshold": min(SOUND.grid) - 1},
    ],
)
def test_a_definition_that_does_not_name_itself_is_caught(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        CHECKS["definition_names_itself"](replace(SOUND, **change), "test_loss")


def unruly(case: Case, threshold: float) -> Measure:
    """Decides on two recursions."""
    return replace(measured(-2, -1)(case, threshold), runs=99)


def anything(case: Case, threshold: float) -> Measure:
    """Has a word of a case without its metric."""
    return measured(-2, -1)(case, threshold)


def speechless(case: Case, threshold: float) -> Measure:
    """Cannot be judged, and says not why: that is a word of its own."""
    return Measure(runs=RUNS)


def of_the_first(case: Case, threshold: float) -> Measure:
    """Looks at one recursion."""
    value = float(next(iter(case.curves.values())).values[0, -1])
    return Measure(value, value - 1, value + 1, value, runs=RUNS)


def lowest_first(case: Case, threshold: float) -> Measure:
    """Is met where the first recursion ends below the last one."""
    ends = next(iter(case.curves.values())).values[[0, -1], -1]
    return measured(1, 2)(case, threshold) if ends[0] < ends[1] else measured(-2, -1)(case, threshold)


@pytest.mark.parametrize(
    ("measure", "check", "metric"),
    [
        (unruly, "definition_needs_recursions", "test_loss"),
        (anything, "definition_says_what_it_lacks", "tail_coverage"),
        (speechless, "definition_says_what_it_lacks", "tail_coverage"),
        (measured(1, 2), "definition_is_not_met_by_noise", "test_loss"),
        (measured(-2, -1), "definition_overlooks_no_divergence", "test_loss"),
        (of_the_first, "definition_takes_recursions_in_any_order", "test_loss"),
        (lowest_first, "definition_takes_recursions_in_any_order", "test_loss"),
    ],
)
def test_a_broken_measure_is_caught(measure: Any, check: str, metric: str) -> None:
    with pytest.raises(AssertionError):
        CHECKS[check](replace(SOUND, measure=measure), metric)


class Hasty(Definition):
    """Its word goes by the estimate, whatever the interval."""

    def _word(self, found: Measure, min_runs: int) -> str:
        return "met" if found.estimate > found.boundary else "not met"


@pytest.mark.parametrize(
    ("beyond", "low", "high", "caught"),
    [
        ("above", -1.0, 3.0, True),
        ("below", -3.0, 1.0, False),
        ("above", 0.5, 3.0, False),
        ("above", -3.0, -0.5, False),
    ],
)
def test_a_word_against_its_interval_is_caught(beyond: Any, low: float, high: float, caught: bool) -> None:
    """An estimate above a boundary that the interval straddles is no word. What lies wholly on a side is one."""
    fields = {name: getattr(SOUND, name) for name in ("number", "name", "title", "statistic", "threshold", "grid")}
    hasty = Hasty(**fields, meaning=SOUND.meaning, beyond=beyond, measure=measured(low, high))
    if caught:
        with pytest.raises(AssertionError):
            CHECKS["definition_decides_by_its_interval"](hasty, "test_loss")
    else:
        CHECKS["definition_decides_by_its_interval"](hasty, "test_loss")


@pytest.mark.parametrize(("beyond", "low", "high"), [("above", 1.0, 2.0), ("below", -2.0, -1.0)])
def test_no_word_against_what_the_whole_interval_says(beyond: Any, low: float, high: float) -> None:
    """`not met` where the interval lies wholly beyond the boundary."""

    class Contrary(Hasty):
        def _word(self, found: Measure, min_runs: int) -> str:
            return "not met"

    fields = {name: getattr(SOUND, name) for name in ("number", "name", "title", "statistic", "threshold", "grid")}
    contrary = Contrary(**fields, meaning=SOUND.meaning, beyond=beyond, measure=measured(low, high))
    with pytest.raises(AssertionError):
        CHECKS["definition_decides_by_its_interval"](contrary, "test_loss")


def test_the_cases_of_the_suite_are_what_they_say() -> None:
    """A hundredth of noise around 1 and half of it around 0.5; a case that diverged says so of its recursions."""
    losses = np.concatenate([_noisy("test_loss", seed=seed).curves["test_loss"].values for seed in range(20)])
    assert losses.shape == (20 * RUNS, GENERATIONS)
    assert losses.mean() == pytest.approx(1, abs=4 * 0.01 / losses.size**0.5)
    assert losses.std() == pytest.approx(0.01, rel=0.1)
    both = _noisy("tail_coverage").curves
    assert set(both) == {"test_loss", "tail_coverage"}
    assert both["tail_coverage"].values.std() == pytest.approx(0.005, rel=0.3)
    values = np.ones((3, 2))
    values[1, 1] = np.inf
    held = make_case({"test_loss": values}).curves["test_loss"]
    assert held.runs["diverged"].tolist() == [False, True, False]
    assert held.generations.tolist() == [1, 2]
