"""What metrics mean, as their families declare it: tables, plots and definitions of collapse read it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.families import Metric, recorded

if TYPE_CHECKING:
    import pandas as pd

    from trainables.families import Role

CONVENTIONS = (Metric("outside_mass", "share outside the real support", worse=1, role="outside"),)
"""What imported tables may hold beside what families record."""


def declared(family: str) -> tuple[Metric, ...]:
    """What a family's figures mean, in the order of tables; for imported runs, what their names mean."""
    return (*recorded(family), *CONVENTIONS)


def describe(name: str, family: str = "") -> Metric:
    """The meaning of a metric; one that nobody declares is taken as a loss without unit."""
    known = next((metric for metric in declared(family) if metric.name == name), None)
    return known or Metric(name, name.replace("_", " "), worse=1)


def of_role(family: str, role: Role) -> list[str]:
    """Metrics that a definition of collapse may take, the nearest to what it means first."""
    return [metric.name for metric in declared(family) if metric.role == role]


def judged(family: str, frame: pd.DataFrame) -> list[Metric]:
    """The metrics that the robustness table judges for a family: held-out loss, and what else says collapse there."""
    recorded_there = frame.loc[frame["family"] == family].dropna(axis="columns", how="all").columns
    return [metric for metric in declared(family) if metric.judged and metric.name in recorded_there]
