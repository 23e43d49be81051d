"""What the figures of a record mean: each family declares its own, and everything that shows or judges them reads that.

Light: neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["spread", "tail", "overlap", "inside", "outside", "uninformed"]
"""What a definition of collapse asks for: the spread of what is generated, how much of the real tail is, its share
between real modes, its shares inside and outside the real support, the loss of a model that has learned nothing."""

SUMMARIES = ("_se", "_q05", "_median", "_q95")
"""Endings of what is reported of a metric's replicates: standard error and quantiles."""

SOURCE_COUNTS = "source_"
"""Start of the counts of rows that a source left out, by reason: the data's, not the model's."""


@dataclass(frozen=True)
class Metric:
    """One figure's meaning.

    Attributes:
        name: in records, and column of frames.
        label: how plots and tables call it.
        unit: of its values, empty for pure numbers.
        worse: +1 where larger is worse, −1 where smaller is, 0 where neither is.
        role: which definitions of collapse may take it. Of several with one role the first recorded is taken, so they
            are declared from the nearest to what the definition means to the farthest.
        judged: whether it has a verdict beside the held-out loss.
        when: what has to hold for it to be recorded, empty where it always is.
    """

    name: str
    label: str
    unit: str = ""
    worse: Literal[-1, 0, 1] = 0
    role: Role | None = None
    judged: bool = False
    when: str = ""

    @property
    def axis(self) -> str:
        """Axis label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def growth_unit(self) -> str:
        """Unit of growth."""
        return f"{self.unit} per generation" if self.unit else "per generation"


def held_out_loss(unit: str) -> Metric:
    """What every family records."""
    return Metric("test_loss", "held-out loss", unit, worse=1, judged=True)


def disagreement(label: str, unit: str = "") -> Metric:
    """What families that can tell it record of a population."""
    return Metric("disagreement", label, unit, when="in a population")


INFINITE_MEAN = Metric("infinite_mean", "whether the mean of the loss is infinite", when="where it is")
"""Medians are compared in its place, whatever the family."""

SEPARATED = Metric("separated", "share of recursions without a finite maximum of the likelihood", worse=1)
"""Verdicts leave such recursions out of account, whatever the family."""


def plain(name: str) -> str:
    """The metric that a summary of replicates is of; other names as they are."""
    ending = next((end for end in SUMMARIES if name.endswith(end)), "")
    return name.removesuffix(ending)


def undeclared(recorded: Sequence[str], declared: Sequence[Metric]) -> set[str]:
    """Names of a record that no declaration explains."""
    own = {plain(name) for name in recorded if not name.startswith((SOURCE_COUNTS, "theory_"))}
    return own - {metric.name for metric in declared}
