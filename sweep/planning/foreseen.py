"""How likely a study's seeds and generations are to end in the verdict's word for a stated truth, by simulation of the
verdict at the noise between seeds that the store's records show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search_spaces.study import PowerRequirement

if TYPE_CHECKING:
    from analysis.verdicts import foresight

Array = npt.NDArray[np.float64]
QUIET = 0.1
"""Noise of a loss that is assumed without records, as a share of the rise; that of docs/verdicts.md's power."""


@dataclass(frozen=True)
class Foreseen:
    """What a number of recursions and generations comes to.

    Attributes:
        deviation: of one recursion's loss at the last generation.
        freedom: degrees of freedom it rests on, 0 where it is stated or assumed.
        needed: recursions that give the asked power; None where more of them do not.
        power: the chance of the word.
        detectable: the rise that gets the word with the asked power; NaN where none does.
        longer: generations that give the asked power; None where that is not known, as from one alone, along which
            nothing rises, or not needed.
    """

    deviation: float
    freedom: int
    needed: int | None
    power: float
    detectable: float
    longer: int | None


def foresee(
    question: PowerRequirement, curves: Iterable[Sequence[Sequence[float]]], runs: int, generations: int, rows: int
) -> Foreseen:
    """Simulate the verdict.

    Args:
        question: rise, truth and power.
        curves: losses of a pilot's seeds, [seeds, generations], of each configuration and policy.
        runs: planned recursions of a policy.
        generations: planned.
        rows: of the table whose words are corrected.
    """
    from analysis.verdicts import Thresholds, foresight

    limits, truth = Thresholds(confidence=question.confidence), question.truth
    scatter = _scatter(question, [np.array(group, dtype=float) for group in curves])

    def chance(rise: float, runs: int, generations: int) -> float:
        return foresight.chance(truth, rise, scatter, runs, generations, limits, rows)

    def goes_on(longer: int) -> float:
        return chance(foresight.continued(truth, question.effect, generations, longer), runs, longer)

    power = chance(question.effect, runs, generations)
    enough = power >= question.power
    needed = foresight.fewest(question.power, lambda count: chance(question.effect, count, generations))
    if enough:
        needed = min(needed or runs, runs)
    elif needed is not None:  # chances of neighbouring numbers of runs differ by less than their errors
        needed = max(needed, runs + 1)
    return Foreseen(
        deviation=float(np.linalg.norm(foresight.root_of(scatter, generations)[-1])),
        freedom=int(scatter.freedom) if np.isfinite(scatter.freedom) else 0,
        needed=needed,
        power=power,
        detectable=foresight.smallest(question.power, lambda rise: chance(rise, runs, generations), question.effect),
        longer=None if enough or generations < 2 else foresight.shortest(question.power, generations, goes_on),
    )


def _scatter(question: PowerRequirement, curves: Sequence[Array]) -> foresight.Scatter:
    """What the question states, else what a pilot shows, else an assumption."""
    from analysis.verdicts import foresight

    found = None if question.deviation else foresight.scatter_of(curves)
    return found or foresight.Scatter(0, (question.deviation or QUIET * question.effect) ** 2)
