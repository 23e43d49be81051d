"""A closed form's values, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """Expected values of one metric over generations.

    Attributes:
        metric: name of the metric it predicts.
        values: one a generation, from generation 1 on; may end before the cell does, where its domain ends.
        source: the formula and where it is from.
    """

    metric: str
    values: tuple[float, ...]
    source: str
