"""Words against simulated truths: the small form of `python -m benchmarks verdicts`."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.stats import exclusion
from analysis.verdicts import Thresholds
from analysis.verdicts.evidence import evidence_of
from analysis.verdicts.rules import judge
from benchmarks.verdict_truths import BOUNDED, DIVERGING, Setting, simulate

STUDIES = 150
SETTINGS = [(20, 5, "independent", 0.05), (10, 5, "independent", 0.05), (20, 5, "random walk", 0.05)]


def words(truth: str, generations: int, seeds: int, kind: str, noise: float, studies: int = STUDIES) -> list[str]:
    """The word of each study."""
    setting = Setting(truth, generations, seeds, kind, noise)  # type: ignore[arg-type]
    values = simulate(setting, studies, np.random.default_rng(7))
    found, limits = exclusion.exclude(values), Thresholds()
    return [judge(evidence_of(one, found, i, limits), limits).word for i, one in enumerate(values)]


def share(found: list[str], *wanted: str) -> float:
    return sum(word in wanted for word in found) / len(found)


LUCK = 0.05 + 3 * (0.05 * 0.95 / STUDIES) ** 0.5
"""A true share of 5 % is above this in one of a thousand tests."""


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("truth", BOUNDED)
def test_a_bounded_truth_seldom_collapses(truth: str, setting: tuple[int, int, str, float]) -> None:
    assert share(words(truth, *setting), "collapses", "diverged") <= LUCK


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("truth", DIVERGING)
def test_a_diverging_truth_is_seldom_called_bounded(truth: str, setting: tuple[int, int, str, float]) -> None:
    assert share(words(truth, *setting), "stable", "levels off") <= LUCK


@pytest.mark.parametrize(
    ("truth", "generations", "least"), [("line", 10, 0.8), ("line", 20, 0.98), ("log", 20, 0.5), ("√n", 20, 0.5)]
)
def test_a_diverging_truth_is_found(truth: str, generations: int, least: float) -> None:
    """5 seeds, 5 % noise, a rise of half the first loss."""
    assert share(words(truth, generations, 5, "independent", 0.05, 400), "collapses") >= least


LOW = [(8, 5, "independent", 0.01), (12, 3, "independent", 0.01), (20, 3, "independent", 0.02)]


@pytest.mark.parametrize("setting", LOW, ids=str)
def test_growth_after_a_jump_is_not_called_bounded(setting: tuple[int, int, str, float]) -> None:
    """A jump and a line is like no law of one term."""
    assert share(words("jump and line", *setting), "stable", "levels off") <= LUCK


@pytest.mark.parametrize("setting", LOW[:2], ids=str)
def test_two_approaches_are_no_jump_and_line(setting: tuple[int, int, str, float]) -> None:
    assert share(words("two approaches", *setting), "collapses") <= LUCK


def test_growth_after_a_jump_is_found() -> None:
    assert share(words("jump and line", 50, 5, "independent", 0.05), "collapses") >= 0.7


def test_more_recursions_do_not_leave_growth_after_a_jump_open() -> None:
    """No law of one term describes precise curves of this kind: once that left five of six such studies at "rises"."""
    assert share(words("jump and line", 10, 20, "independent", 0.01), "collapses") >= 0.9
